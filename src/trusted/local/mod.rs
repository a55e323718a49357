//! Local optimality by second order (theorems `local-second-order`, `second-order-gauge`).
//!
//! In the data's own units, with live atoms k, sets `E_i` of atoms that datapoint
//! i uses or may use, `g_k = g(z_k)`, the value function on the product of
//! spheres has the quadratic form `min_Y 𝒬(V, β, Y)`,
//!
//! ```math
//! \mathcal Q=\sum_i w_i\Big\{\lVert Vz_i+\beta+Dy_i\rVert^2-2r_i^\top Vy_i\Big\}
//!   +\sum_k g_k\lVert v_k\rVert^2+\sum_k y_k^\top\Gamma_ky_k .
//! ```
//!
//! *Certified*: 𝒬 minus `μ(‖V‖² + ‖β‖²)` is positive definite in (V, β, Y) for the
//! largest sets, proved by a Cholesky factorization that eliminates Y a datapoint
//! at a time and whose rounding is accounted for. *Refuted*: a point on an escape
//! curve has a lower objective, proved by enclosures. Everything else is
//! *undecided*, with the reason. A Ritz value alone decides nothing.

use std::ops::ControlFlow;

use rayon::prelude::*;

use super::{Curvature, Kkt, Subject};
use crate::atoms::{Codes, Dictionary, Factorization};
use crate::linalg::{Cholesky, Matrix, axpy, dot, lanczos_largest, norm, norm_sq, simd};
use crate::num::{max, rounding};
use crate::observer::Observer;
use crate::problem::Problem;

/// What the second-order test may cost and what it calls stationary.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Limits {
    /// Relative stationarity above which nothing local is certified: the theorem
    /// is about stationary points.
    pub stationarity_tolerance: f64,
    /// Pairs with `d_kᵀr_i` within this (relative to λ, or the slope at γ > 0) of
    /// activity count as degenerate and join the largest sets. At least the
    /// point's own stationarity residual is used.
    pub degeneracy_tolerance: f64,
    /// Largest number of dense variables (n times live atoms, and n for a center)
    /// the proof is tried for: 8·p² bytes and p³/3 operations.
    pub max_dense_variables: usize,
    /// Most Lanczos steps for the estimate of the smallest eigenvalue.
    pub max_lanczos_steps: usize,
}

impl Default for Limits {
    fn default() -> Self {
        Self {
            stationarity_tolerance: 1e-5,
            degeneracy_tolerance: 1e-7,
            max_dense_variables: 8192,
            max_lanczos_steps: 120,
        }
    }
}

/// What the second-order test found.
#[derive(Clone, Debug, PartialEq)]
pub struct Local {
    /// A Ritz value: an estimate of the smallest eigenvalue from above.
    pub smallest_eigenvalue: Option<f64>,
    /// A proved lower bound of the smallest eigenvalue of the form on the largest
    /// sets, positive.
    pub eigenvalue_lower: Option<f64>,
    /// Whether some pair is degenerate within the tolerance.
    pub degenerate: bool,
    /// The outcome.
    pub outcome: Outcome,
    /// Why.
    pub reason: String,
}

/// How the second-order test ended.
#[derive(Clone, Debug, PartialEq)]
pub enum Outcome {
    /// The form is positive definite: a strict local minimum, up to dead atoms.
    Certified,
    /// A point with a proved lower objective, found along an escape direction.
    Refuted(Box<Factorization>),
    /// Neither.
    Undecided,
}

/// Tests the second-order conditions of a stationary point of the joint problem
/// of its width.
///
/// # Guarantees
/// `Certified` proves that the form is positive definite at the stored point,
/// every rounding included ([`local-second-order`](crate::proofs::local_second_order),
/// [`second-order-gauge`](crate::proofs::second_order_gauge),
/// [`rounding`](crate::proofs::rounding)); the point is stationary to `limits.stationarity_tolerance`, not exactly.
/// `Refuted` hands back a point whose objective is proved lower. At γ > 0 the
/// proof drops the part of the gauge's curvature along the weights, so it may be
/// undecided where the exact form is definite.
///
/// # Cost
/// `O(Σᵢ (n|E_i|)²|E_i| + p³)` time, `O(p²)` memory for the proof.
#[must_use]
pub fn test(
    subject: &Subject<'_>,
    kkt: &Kkt,
    curvature: Option<&Curvature>,
    limits: &Limits,
    observer: &dyn Observer,
) -> Local {
    let (problem, point, residuals) = (subject.problem(), subject.factorization(), subject.residuals());
    let _ = curvature;
    let undecided = |degenerate, smallest, reason: String| Local {
        smallest_eigenvalue: smallest,
        eigenvalue_lower: None,
        degenerate,
        outcome: Outcome::Undecided,
        reason,
    };
    let form = Form::new(problem, point, residuals, kkt, limits);
    let degenerate = form.degenerate > 0;
    if form.live.is_empty() && !problem.centered() {
        return undecided(degenerate, None, "no atom is in use: the second-order form is empty".to_owned());
    }
    let Some(active) = form.solver(Sets::Active) else {
        return undecided(degenerate, None, form.dependent());
    };
    if problem.gamma() > 0.0 && form.size() > limits.max_dense_variables {
        // A product with the form solves a system in all codes at once: too dear to
        // look for an escape where nothing could be proved.
        return undecided(degenerate, None, form.too_large(limits.max_dense_variables));
    }
    // Refute on the smallest sets, where any negative value does.
    let (ritz, direction) = form.smallest(&active, limits.max_lanczos_steps, observer);
    if ritz < 0.0
        && let Some(lower) = form.escape(&active, &direction)
    {
        return Local {
            smallest_eigenvalue: Some(ritz),
            eigenvalue_lower: None,
            degenerate,
            outcome: Outcome::Refuted(Box::new(lower)),
            reason: format!(
                "the second-order form is negative ({ritz:.3e}): a lower point lies along its direction"
            ),
        };
    }
    if !(kkt.relative() <= limits.stationarity_tolerance) {
        return undecided(
            degenerate,
            Some(ritz),
            format!(
                "stationary to {:.1e} only; a local certificate asks {:.1e}",
                kkt.relative(),
                limits.stationarity_tolerance
            ),
        );
    }
    if form.critical > 0 {
        let reason = format!("{} unused atoms are within the tolerance of being used", form.critical);
        return undecided(degenerate, Some(ritz), reason);
    }
    if form.size() > limits.max_dense_variables {
        return undecided(degenerate, Some(ritz), form.too_large(limits.max_dense_variables));
    }
    if !(ritz > 0.0) {
        return undecided(
            degenerate,
            Some(ritz),
            format!("the smallest eigenvalue is near 0 (Ritz value {ritz:.1e})"),
        );
    }
    // Try μ from close below the Ritz value down.
    for share in [0.5, 0.1, 1e-2, 1e-3] {
        if let ControlFlow::Break(_) = observer.poll() {
            return undecided(degenerate, Some(ritz), "stopped before the proof was complete".to_owned());
        }
        match form.prove(share * ritz) {
            Proof::Holds(lower) if lower > 0.0 => {
                return Local {
                    smallest_eigenvalue: Some(ritz),
                    eigenvalue_lower: Some(lower),
                    degenerate,
                    outcome: Outcome::Certified,
                    reason: format!(
                        "the second-order form is at least {lower:.3e}, stationary to {:.1e}",
                        kkt.relative()
                    ),
                };
            }
            Proof::Dependent => return undecided(degenerate, Some(ritz), form.dependent()),
            Proof::Holds(_) | Proof::Fails => {}
        }
    }
    let reason = if degenerate {
        format!(
            "{} degenerate pairs: the form on the largest sets could not be proved definite",
            form.degenerate
        )
    } else {
        format!("the form could not be proved definite (Ritz value {ritz:.1e})")
    };
    undecided(degenerate, Some(ritz), reason)
}

/// `min_Y 𝒬(V, β, Y)` for a direction: n numbers an atom of the point, and n for
/// the center where it is learnt; with the largest sets or only the active ones.
/// `None` where a block is rank-deficient. What [`test`] decides by, for checks.
#[cfg(feature = "testing")]
pub(crate) fn form_along(
    problem: &Problem,
    point: &Factorization,
    direction: &[f64],
    largest: bool,
) -> Option<f64> {
    let subject = Subject::of(problem, point).ok()?;
    let kkt = super::first_order::residuals(&subject);
    let form = Form::new(problem, point, subject.residuals(), &kkt, &Limits::default());
    let n = problem.dim();
    let mut u: Vec<f64> = form.live.iter().flat_map(|k| direction[k * n..(k + 1) * n].to_vec()).collect();
    if problem.centered() {
        u.extend_from_slice(&direction[point.width() * n..]);
    }
    let blocks = form.solver(if largest { Sets::Largest } else { Sets::Active })?;
    form.project(&mut u);
    Some(dot(&u, &form.apply(&blocks, &u)))
}

/// Dense variables of the form at a point with so many atoms in use: V, and β where a
/// center is learnt.
pub(crate) fn variables(problem: &Problem, atoms: usize) -> usize {
    problem.dim() * (atoms + usize::from(problem.centered()))
}

/// Which sets E_i a form uses.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Sets {
    /// Pairs with a positive code.
    Active,
    /// Those and the degenerate pairs.
    Largest,
}

enum Proof {
    /// A proved lower bound of the smallest eigenvalue.
    Holds(f64),
    /// Some `D_{E_i}` is rank-deficient to working precision.
    Dependent,
    /// Cholesky did not complete.
    Fails,
}

/// One datapoint's part of the form.
struct Local0 {
    /// Position among live atoms, code, and whether active; active first is not
    /// assumed.
    pairs: Vec<(usize, f64)>,
}

/// The quadratic form at a point.
struct Form<'a> {
    problem: &'a Problem,
    point: &'a Factorization,
    residuals: &'a Matrix,
    /// Atoms in use, and the position of each atom among them.
    live: Vec<usize>,
    /// `g(z_k)` of the live atoms.
    gauges: Vec<f64>,
    /// Pairs of each datapoint, degenerate ones with code 0.
    columns: Vec<Local0>,
    degenerate: usize,
    /// Unused atoms that are not clearly unused.
    critical: usize,
}

/// Factors of `G_i + diag(γ²/g_k)` on one kind of sets.
struct Blocks {
    sets: Sets,
    factors: Vec<Option<Cholesky>>,
    /// For every live atom its pairs: datapoint, place among the pairs of the
    /// datapoint, code.
    rows: Vec<Vec<(usize, usize, f64)>>,
}

impl<'a> Form<'a> {
    fn new(
        problem: &'a Problem,
        point: &'a Factorization,
        residuals: &'a Matrix,
        kkt: &Kkt,
        limits: &Limits,
    ) -> Self {
        let weights = problem.data().weights();
        let rows = point.codes().rows();
        let (lambda, gamma) = (problem.lambda(), problem.gamma());
        let mut position = vec![usize::MAX; rows.len()];
        let (mut live, mut gauges, mut masses) = (Vec::new(), Vec::new(), Vec::new());
        for (k, row) in rows.iter().enumerate().filter(|(_, row)| !row.is_empty()) {
            let (mut mass, mut energy) = (0.0, 0.0);
            for (i, z) in row.iter() {
                mass += weights[i] * z;
                energy += weights[i] * z * z;
            }
            position[k] = live.len();
            live.push(k);
            masses.push(mass);
            gauges.push((lambda * mass).hypot(gamma * energy.sqrt()));
        }
        let tolerance = max(limits.degeneracy_tolerance * lambda.hypot(gamma), 2.0 * kkt.codes.value);
        let dictionary = point.dictionary();
        let columns: Vec<(Local0, usize, Vec<usize>)> = (0..problem.len())
            .into_par_iter()
            .map(|i| {
                let r = residuals.col(i);
                let mut code = vec![0.0; rows.len()];
                point.codes().column(i).iter().for_each(|(k, z)| code[k] = *z);
                let (mut pairs, mut degenerate, mut critical) = (Vec::new(), 0, Vec::new());
                for (k, &z) in code.iter().enumerate() {
                    let p = position[k];
                    if p == usize::MAX {
                        // γ = 0: an unused atom whose slope is reached is critical.
                        if gamma == 0.0 && dot(dictionary.atom(k), r) >= lambda - tolerance {
                            critical.push(k);
                        }
                    } else if z > 0.0 {
                        pairs.push((p, z));
                    } else {
                        let slope =
                            if gamma == 0.0 { lambda } else { lambda * lambda * masses[p] / gauges[p] };
                        if dot(dictionary.atom(k), r) >= slope - tolerance {
                            pairs.push((p, 0.0));
                            degenerate += 1;
                        }
                    }
                }
                (Local0 { pairs }, degenerate, critical)
            })
            .collect();
        let mut is_critical = vec![false; rows.len()];
        columns.iter().flat_map(|(_, _, c)| c).for_each(|&k| is_critical[k] = true);
        let mut critical = is_critical.iter().filter(|c| **c).count();
        if gamma > 0.0 {
            critical += unused_critical(problem, point, residuals, &position, tolerance);
        }
        Self {
            problem,
            point,
            residuals,
            live,
            gauges,
            degenerate: columns.iter().map(|(_, d, _)| d).sum(),
            columns: columns.into_iter().map(|(column, _, _)| column).collect(),
            critical,
        }
    }

    /// Dense variables: V, and β where a center is learnt.
    fn size(&self) -> usize {
        variables(self.problem, self.live.len())
    }

    fn too_large(&self, limit: usize) -> String {
        format!("{} variables are more than the proof's limit of {limit}", self.size())
    }

    fn dependent(&self) -> String {
        "atoms used together are linearly dependent (duplicates, say): second order does not decide"
            .to_owned()
    }

    fn pairs(&self, i: usize, sets: Sets) -> impl Iterator<Item = (usize, f64)> + '_ {
        self.columns[i].pairs.iter().copied().filter(move |(_, z)| sets == Sets::Largest || *z > 0.0)
    }

    fn atom(&self, p: usize) -> &[f64] {
        self.point.dictionary().atom(self.live[p])
    }

    /// `G_i + diag(γ²/g)` on the pairs of datapoint i.
    fn gram(&self, i: usize, sets: Sets) -> Matrix {
        let pairs: Vec<(usize, f64)> = self.pairs(i, sets).collect();
        let gamma_sq = self.problem.gamma().powi(2);
        Matrix::from_fn(pairs.len(), pairs.len(), |a, b| {
            let g = dot(self.atom(pairs[a].0), self.atom(pairs[b].0));
            if a == b { g + gamma_sq / self.gauges[pairs[a].0] } else { g }
        })
    }

    /// Factors every block; `None` if one is not positive definite to working precision.
    fn solver(&self, sets: Sets) -> Option<Blocks> {
        let factors: Option<Vec<Option<Cholesky>>> = (0..self.problem.len())
            .into_par_iter()
            .map(|i| {
                let gram = self.gram(i, sets);
                if gram.nrows() == 0 { Some(None) } else { Cholesky::new(gram).map(Some) }
            })
            .collect();
        let mut rows = vec![Vec::new(); self.live.len()];
        for i in 0..self.problem.len() {
            for (place, (p, z)) in self.pairs(i, sets).enumerate() {
                rows[p].push((i, place, z));
            }
        }
        Some(Blocks { sets, factors: factors?, rows })
    }

    /// `Y` minimizing 𝒬 for given (V, β): conjugate gradients, preconditioned by
    /// the blocks (exact at γ = 0, where one step suffices). One vector a datapoint.
    /// `images` are those of `u`.
    fn inner(&self, blocks: &Blocks, u: &[f64], images: &Matrix) -> Vec<Vec<f64>> {
        let n = self.problem.dim();
        let zero: Vec<Vec<f64>> =
            blocks.factors.iter().map(|f| vec![0.0; f.as_ref().map_or(0, Cholesky::size)]).collect();
        let rhs: Vec<Vec<f64>> = (0..self.problem.len())
            .into_par_iter()
            .map(|i| {
                let (image, r) = (images.col(i), self.residuals.col(i));
                let mut rhs = Vec::new();
                simd(
                    #[inline(always)]
                    || {
                        for (p, _) in self.pairs(i, blocks.sets) {
                            rhs.push(dot(&u[p * n..(p + 1) * n], r) - dot(self.atom(p), image));
                        }
                    },
                );
                rhs
            })
            .collect();
        let solve = |v: &[Vec<f64>]| -> Vec<Vec<f64>> {
            v.par_iter()
                .zip(&blocks.factors)
                .map(|(v, factor)| match factor {
                    Some(factor) => {
                        let mut m = Matrix::from_columns(v.len(), &[v]);
                        factor.solve(&mut m);
                        m.into_vec()
                    }
                    None => Vec::new(),
                })
                .collect()
        };
        if self.problem.gamma() == 0.0 {
            return solve(&rhs);
        }
        let weights = self.problem.data().weights();
        let inner = |a: &[Vec<f64>], b: &[Vec<f64>]| -> f64 {
            a.iter().zip(b).zip(weights).map(|((a, b), w)| w * dot(a, b)).sum()
        };
        let (mut y, mut left) = (zero, rhs);
        let mut z = solve(&left);
        let mut p = z.clone();
        let mut energy = inner(&left, &z);
        let target = INNER_TOLERANCE * energy;
        for _ in 0..INNER_STEPS {
            if !(energy > target) {
                break;
            }
            let image = self.curvature(blocks.sets, &p);
            let bend = inner(&p, &image);
            if !(bend > 0.0) {
                break;
            }
            let step = energy / bend;
            for i in 0..y.len() {
                axpy(step, &p[i], &mut y[i]);
                axpy(-step, &image[i], &mut left[i]);
            }
            z = solve(&left);
            let next = inner(&left, &z);
            let ratio = next / energy;
            for (p, z) in p.iter_mut().zip(&z) {
                p.iter_mut().zip(z).for_each(|(p, z)| *p = z + ratio * *p);
            }
            energy = next;
        }
        y
    }

    /// `DᵀDY + ΓY`, per unit weight.
    fn curvature(&self, sets: Sets, y: &[Vec<f64>]) -> Vec<Vec<f64>> {
        let weights = self.problem.data().weights();
        let (l2, g2) = (self.problem.lambda().powi(2), self.problem.gamma().powi(2));
        let count = self.live.len();
        // s_k = Σ wᵢz_ki, σ_k = Σ wᵢy_ki, e_k = Σ wᵢz_kiy_ki.
        let (mut mass, mut moved, mut along) = (vec![0.0; count], vec![0.0; count], vec![0.0; count]);
        for (i, y) in y.iter().enumerate() {
            for ((p, z), y) in self.pairs(i, sets).zip(y) {
                mass[p] += weights[i] * z;
                moved[p] += weights[i] * y;
                along[p] += weights[i] * z * y;
            }
        }
        y.par_iter()
            .enumerate()
            .map(|(i, y)| {
                let mut image = vec![0.0; self.problem.dim()];
                for ((p, _), y) in self.pairs(i, sets).zip(y) {
                    axpy(*y, self.atom(p), &mut image);
                }
                self.pairs(i, sets)
                    .zip(y)
                    .map(|((p, z), y)| {
                        let g = self.gauges[p];
                        let slope = (l2 * mass[p] + g2 * z) / g;
                        let rise = (l2 * mass[p] * moved[p] + g2 * along[p]) / g;
                        dot(self.atom(p), &image) + (g2 * y + l2 * moved[p] - rise * slope) / g
                    })
                    .collect()
            })
            .collect()
    }

    /// `Vz_i + β`, a column a datapoint.
    fn images(&self, u: &[f64]) -> Matrix {
        let n = self.problem.dim();
        let mut images = Matrix::zeros(n, self.problem.len());
        images.as_mut_slice().par_chunks_mut(n).enumerate().for_each(|(i, image)| {
            simd(
                #[inline(always)]
                || {
                    if self.problem.centered() {
                        image.copy_from_slice(&u[u.len() - n..]);
                    }
                    for (p, z) in self.pairs(i, Sets::Active) {
                        axpy(z, &u[p * n..(p + 1) * n], image);
                    }
                },
            );
        });
        images
    }

    /// The operator of the form on tangent vectors: `v_k` part
    /// `(I − d_kd_kᵀ)(Σ wᵢz_ki u'_i + g_kv_k − Σ wᵢy_ki rᵢ)`, β part `Σ wᵢu'_i`.
    fn apply(&self, blocks: &Blocks, u: &[f64]) -> Vec<f64> {
        let n = self.problem.dim();
        let mut u = u.to_vec();
        self.project(&mut u);
        let mut images = self.images(&u);
        let y = self.inner(blocks, &u, &images);
        let weights = self.problem.data().weights();
        // u'_i = Vz_i + β + D_{E_i}y_i.
        images.as_mut_slice().par_chunks_mut(n).zip(&y).enumerate().for_each(|(i, (image, y))| {
            simd(
                #[inline(always)]
                || {
                    for ((p, _), y) in self.pairs(i, blocks.sets).zip(y) {
                        axpy(*y, self.atom(p), image);
                    }
                },
            );
        });
        let mut out = vec![0.0; u.len()];
        let parts = out.par_chunks_mut(n).zip(u.par_chunks(n));
        parts.zip(&blocks.rows).enumerate().for_each(|(p, ((part, v), row))| {
            simd(
                #[inline(always)]
                || {
                    axpy(self.gauges[p], v, part);
                    for &(i, place, z) in row {
                        axpy(weights[i] * z, images.col(i), part);
                        axpy(-weights[i] * y[i][place], self.residuals.col(i), part);
                    }
                },
            );
        });
        if self.problem.centered() {
            let at = u.len() - n;
            for (image, &w) in images.columns().zip(weights) {
                axpy(w, image, &mut out[at..]);
            }
        }
        self.project(&mut out);
        out
    }

    /// Takes the radial part off every `v_k`.
    fn project(&self, u: &mut [f64]) {
        let n = self.problem.dim();
        for p in 0..self.live.len() {
            let part = &mut u[p * n..(p + 1) * n];
            let along = dot(part, self.atom(p));
            axpy(-along, self.atom(p), part);
        }
    }

    /// Smallest Ritz value of the form on tangent vectors, with its direction.
    fn smallest(&self, blocks: &Blocks, steps: usize, observer: &dyn Observer) -> (f64, Vec<f64>) {
        let size = self.size();
        let (top, _) = lanczos_largest(size, steps.min(20), |v| self.apply(blocks, v));
        let shift = 1.1 * max(top, f64::MIN_POSITIVE);
        // shift·P − H on tangent vectors; the radial directions get −shift, out of the way.
        let (value, mut vector) = lanczos_largest(size, steps, |v| {
            if observer.poll().is_break() {
                return vec![0.0; size];
            }
            let mut tangent = v.to_vec();
            self.project(&mut tangent);
            let image = self.apply(blocks, v);
            v.iter().zip(&tangent).zip(image).map(|((v, t), h)| shift * t - h - shift * (v - t)).collect()
        });
        self.project(&mut vector);
        (shift - value, vector)
    }

    /// Follows a direction of negative curvature with its codes both ways; a
    /// point whose objective is *proved* lower, if one is met.
    fn escape(&self, blocks: &Blocks, direction: &[f64]) -> Option<Factorization> {
        let n = self.problem.dim();
        let subject = Subject::of(self.problem, self.point).ok()?;
        let y = self.inner(blocks, direction, &self.images(direction));
        let size = max(norm(direction), f64::MIN_POSITIVE);
        for halving in 0..30 {
            for sign in [1.0, -1.0] {
                let t = sign * 0.5_f64.powi(halving) / size;
                let mut atoms = self.point.dictionary().matrix().clone();
                for (p, &k) in self.live.iter().enumerate() {
                    axpy(t, &direction[p * n..(p + 1) * n], atoms.col_mut(k));
                }
                let columns: Vec<Vec<(usize, f64)>> = y
                    .iter()
                    .enumerate()
                    .map(|(i, y)| {
                        self.pairs(i, blocks.sets)
                            .zip(y)
                            .map(|((p, z), y)| (self.live[p], z + t * y))
                            .filter(|(_, z)| *z > 0.0 && z.is_finite())
                            .collect()
                    })
                    .collect();
                let center = self.point.center().map(|b| {
                    let mut b = b.to_vec();
                    if self.problem.centered() {
                        axpy(t, &direction[direction.len() - n..], &mut b);
                    }
                    b
                });
                let codes = Codes::from_columns(self.point.width(), &columns);
                let candidate = Dictionary::normalize(atoms)
                    .and_then(|(dictionary, _)| Factorization::new(dictionary, codes, center))
                    .ok()?;
                if subject.is_above(&candidate) {
                    return Some(candidate);
                }
            }
        }
        None
    }

    /// Cholesky of 𝒬 on the largest sets, minus μ on (V, β) and minus the error
    /// bound δ on the rest, plus a multiple of `(d_kᵀv_k)²`, which vanishes on
    /// tangent vectors. Variables: Y eliminated a datapoint at a time, then V, β,
    /// and at γ > 0 one `c_k` an atom with
    /// `y_kᵀΓ_ky_k ≥ min_c (γ²/g_k) Σ wᵢ(y_ki − c z_ki)²`.
    fn prove(&self, mu: f64) -> Proof {
        let n = self.problem.dim();
        let weights = self.problem.data().weights();
        let gamma_sq = self.problem.gamma().powi(2);
        let priced = gamma_sq > 0.0;
        let (count, centered) = (self.live.len(), self.problem.centered());
        let base = self.size();
        let size = base + if priced { count } else { 0 };
        let mut energies = vec![0.0; count];
        let (mut pairs_total, mut trace, mut cross) = (0, 0.0, 0.0);
        for (i, &w) in weights.iter().enumerate() {
            let mut magnitude = norm(self.problem.data().datapoint(i)) + norm(self.residuals.col(i));
            magnitude += self.point.center().map_or(0.0, norm);
            let pairs: Vec<(usize, f64)> = self.pairs(i, Sets::Largest).collect();
            for &(p, z) in &pairs {
                energies[p] += w * z * z;
                magnitude += 2.0 * z + 1.0;
                trace += w * (1.0 + gamma_sq / self.gauges[p]);
            }
            #[expect(clippy::cast_precision_loss, reason = "counts are far below 2^53")]
            let columns = pairs.len() as f64;
            cross += columns * (w * magnitude) * (w * magnitude);
            pairs_total += pairs.len();
        }
        #[expect(clippy::cast_precision_loss, reason = "n is far below 2^53")]
        let order = n as f64;
        let radial: Vec<f64> = energies.iter().zip(&self.gauges).map(|(e, g)| RADIAL * (e + g)).collect();
        for (p, e) in energies.iter().enumerate() {
            trace += order * (e + self.gauges[p]) + 1.1 * radial[p];
            trace += if priced { gamma_sq / self.gauges[p] * e } else { 0.0 };
        }
        trace += if centered { order * weights.iter().sum::<f64>() } else { 0.0 };
        // Every entry of the factor is a sum of at most this many rounded terms;
        // see proofs/rounding.md for the bound and `cross` for the entries made of R.
        let terms = pairs_total + size + 4 * problem_terms(self.problem) + 64;
        let delta = 4.0 * rounding::gamma(terms) * (trace + cross.sqrt()) + f64::MIN_POSITIVE;
        if !(delta < mu) {
            return Proof::Fails;
        }
        let mut matrix = Matrix::zeros(size, size);
        for p in 0..count {
            let atom = self.atom(p).to_vec();
            for b in 0..n {
                let column = matrix.col_mut(p * n + b);
                for a in 0..n {
                    column[p * n + a] += radial[p] * atom[a] * atom[b];
                }
                column[p * n + b] += self.gauges[p] - mu;
            }
            if priced {
                matrix.col_mut(base + p)[base + p] += gamma_sq / self.gauges[p] * energies[p] - delta;
            }
        }
        if centered {
            (0..n).for_each(|a| matrix.col_mut(count * n + a)[count * n + a] -= mu);
        }
        for i in 0..weights.len() {
            if !self.eliminate(i, delta, base, priced, &mut matrix) {
                return Proof::Dependent;
            }
        }
        // The lower triangle was filled; Cholesky reads no other.
        match Cholesky::new(matrix) {
            Some(_) => Proof::Holds((mu - delta).next_down()),
            None => Proof::Fails,
        }
    }

    /// Adds datapoint i's block to the lower triangle, its Y eliminated; `false` if
    /// its Gram block is not positive definite.
    fn eliminate(&self, i: usize, delta: f64, base: usize, priced: bool, matrix: &mut Matrix) -> bool {
        let n = self.problem.dim();
        let w = self.problem.data().weights()[i];
        let gamma_sq = self.problem.gamma().powi(2);
        let pairs: Vec<(usize, f64)> = self.pairs(i, Sets::Largest).collect();
        let centered = self.problem.centered();
        let m = pairs.len();
        if m == 0 && !centered {
            return true;
        }
        // Local variables: n a pair, n for β, one c a pair.
        let blocks = m + usize::from(centered);
        let local = blocks * n + if priced { m } else { 0 };
        let place = |v: usize| {
            if v < m * n {
                pairs[v / n].0 * n + v % n
            } else if v < blocks * n {
                self.live.len() * n + (v - m * n)
            } else {
                base + pairs[v - blocks * n].0
            }
        };
        // Lᵢ Lᵢᵀ = wᵢG − δI, by hand: the factor's rows are needed.
        let gram = self.gram(i, Sets::Largest);
        let mut factor = vec![vec![0.0; m]; m];
        for a in 0..m {
            for b in 0..=a {
                let mut s = w * gram.get(a, b) - if a == b { delta } else { 0.0 };
                s -= dot(&factor[a][..b], &factor[b][..b]);
                if a == b {
                    if !(s > 0.0) {
                        return false;
                    }
                    factor[a][a] = s.sqrt();
                } else {
                    factor[a][b] = s / factor[b][b];
                }
            }
        }
        // Cross block, local × m: ∂²𝒬/∂v_k∂y_j = wᵢ(z_ki d_j − [j = k] rᵢ), β: wᵢd_j,
        // c_k: −wᵢ(γ²/g_k) z_ki [j = k].
        let r = self.residuals.col(i);
        let mut half = Matrix::zeros(m, local);
        for (b, &(q, _)) in pairs.iter().enumerate() {
            let atom = self.atom(q);
            for (a, &(_, z)) in pairs.iter().enumerate() {
                for c in 0..n {
                    let own = if a == b { r[c] } else { 0.0 };
                    half.col_mut(a * n + c)[b] = w * (z * atom[c] - own);
                }
            }
            if centered {
                (0..n).for_each(|c| half.col_mut(m * n + c)[b] = w * atom[c]);
            }
            if priced {
                half.col_mut(blocks * n + b)[b] = -w * gamma_sq / self.gauges[q] * pairs[b].1;
            }
        }
        // half ← L⁻¹ · cross.
        for v in 0..local {
            let column = half.col_mut(v);
            for a in 0..m {
                let s = column[a] - dot(&factor[a][..a], &column[..a]);
                column[a] = s / factor[a][a];
            }
        }
        let update = half.transpose_times(&half);
        let code = |block: usize| if block < m { pairs[block].1 } else { 1.0 };
        for v in 0..local {
            let to = place(v);
            for u in v..local {
                let at = place(u);
                let mut value = -update.get(u, v);
                if u < blocks * n && v < blocks * n && u % n == v % n {
                    value += w * code(u / n) * code(v / n);
                }
                matrix.col_mut(to.min(at))[to.max(at)] += value;
            }
        }
        true
    }
}

/// Weight of `(d_kᵀv_k)²` in units of the atom's own curvature: it keeps radial
/// directions, which the form does not care about, from hiding definiteness.
/// Ten times more costs a digit of rounding, ten times less some certificates.
const RADIAL: f64 = 100.0;

/// Relative accuracy (squared) and steps of the inner solve at γ > 0.
const INNER_TOLERANCE: f64 = 1e-24;
const INNER_STEPS: usize = 200;

fn problem_terms(problem: &Problem) -> usize {
    problem.len() + problem.dim()
}

/// Unused atoms at γ > 0 whose polar is not clearly below 1.
fn unused_critical(
    problem: &Problem,
    point: &Factorization,
    residuals: &Matrix,
    position: &[usize],
    tolerance: f64,
) -> usize {
    let a = problem.data().sqrt_weights();
    let gauge = problem.gauge();
    let margin =
        tolerance / problem.lambda().hypot(problem.gamma()) + rounding::gamma(4 * problem_terms(problem));
    (0..point.width())
        .into_par_iter()
        .filter(|&k| position[k] == usize::MAX)
        .filter(|&k| {
            let atom = point.dictionary().atom(k);
            let v: Vec<f64> = residuals.columns().zip(a).map(|(r, a)| a * dot(r, atom)).collect();
            let mut z = vec![0.0; v.len()];
            let magnitude = norm_sq(&v).sqrt();
            gauge.polar(&v, 0.0, &mut z).value * (1.0 + f64::EPSILON * magnitude) >= 1.0 - margin
        })
        .count()
}
