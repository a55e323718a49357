//! Searches for directions in which a factorization can be lowered to second order
//! (theorems `local-second-order`, `second-order-gauge`).
//!
//! With live atoms k, sets `E_i` of atoms that datapoint i uses, `α_k ≈ g(z_k)`, the value
//! function on the product of spheres has the quadratic form `min_Y 𝒬(V, β, Y)`,
//!
//! ```math
//! \mathcal Q=\sum_i w_i\Big\{\lVert Vz_i+\beta+Dy_i\rVert^2-2r_i^\top Vy_i\Big\}
//!   +\sum_k \alpha_k\lVert v_k\rVert^2+\sum_k y_k^\top\Gamma_ky_k .
//! ```
//!
//! Lanczos' method estimates its smallest eigenvalue in the metric of
//! [`trusted::local`](crate::trusted::local); where that is negative, a curve along the
//! eigenvector leads to a lower factorization. Nothing is proved here: what is found is
//! handed over as a [`Curvature`], and the trusted folder decides what it is worth.

use rayon::prelude::*;

use crate::atoms::{Codes, Dictionary, Factorization};
use crate::linalg::{Cholesky, Matrix, axpy, dot, lanczos_largest, norm, simd};
use crate::num::max;
use crate::observer::{Latch, Observer};
use crate::problem::Problem;
use crate::trusted::local::{Form, Limits, Sets, least_order};
use crate::trusted::{Curvature, Subject};

/// Steps of Lanczos' method for the largest eigenvalue, which only shifts the form.
const SHIFT_STEPS: usize = 20;

/// The shift's margin over that estimate, which is one from below.
const SHIFT_MARGIN: f64 = 1.1;

/// Halvings of the step along an escape curve: from a turn of about a radian to 1e-9,
/// where the decrease is below the rounding of the objective.
const HALVINGS: i32 = 30;

/// Squared relative accuracy of the codes that answer a move at γ > 0. Ten times less
/// would show in the eigenvalue's eighth digit.
const INNER_TOLERANCE: f64 = 1e-24;

/// Most steps of conjugate gradients for those codes.
const INNER_STEPS: usize = 200;

/// What a search around a factorization meets: a Ritz value of the second-order form, and
/// where that is negative a factorization that may be lower. `None` where there is nothing
/// to search: no atom in use, atoms used together that are linearly dependent, a
/// factorization that does not belong to the problem, (γ > 0) more variables than the
/// proof's limit, where a product with the form solves a system in all codes at once, or an
/// observer that breaks before the value is known.
///
/// # Guarantees
/// None: a Ritz value is an estimate from above, and whether the factorization handed over
/// is lower is for [`trusted::local::test`](crate::trusted::local::test) to decide
/// ([`local-second-order`](crate::proofs::local_second_order)).
///
/// # Cost
/// O(`max_lanczos_steps`·n·nnz) time, O(`max_lanczos_steps`·nM + nN) memory.
///
/// # Examples
/// ```
/// use widedict::search::escape;
/// use widedict::trusted::local::Limits;
/// use widedict::certificate::Options;
/// use widedict::{Finite, Matrix, Problem, Witness, certify};
/// let x = Matrix::from_columns(2, &[[1.0, 0.0], [0.9, 0.1], [0.0, 1.0], [0.1, 0.9]]);
/// let problem = Problem::builder(x).lambda(0.2).build()?;
/// let factorization = Finite::new(2).solve(&problem)?.certified.into_parts().0;
/// let limits = Limits::default();
/// let curvature = escape::curvature(&problem, &factorization, &limits, &());
/// let options = Options { local: Some(limits), ..Options::default() };
/// let certified = certify(&problem, factorization, &Witness { curvature, ..Witness::none() }, &options)?;
/// assert!(certified.certificate().local().is_some());
/// # Ok::<(), Box<dyn std::error::Error>>(())
/// ```
#[must_use]
pub fn curvature(
    problem: &Problem,
    factorization: &Factorization,
    limits: &Limits,
    observer: &dyn Observer,
) -> Option<Curvature> {
    if problem.share().is_spread() {
        return None;
    }
    let latch = Latch::new(observer);
    if latch.poll().is_break() {
        return None;
    }
    let subject = Subject::of(problem, factorization).ok()?;
    let form = Form::of(&subject);
    let unproved = problem.gamma() > 0.0 && least_order(&subject) > limits.max_dense_variables;
    if form.size() == 0 || unproved {
        return None;
    }
    let products = Products::new(&form, Sets::Active, &latch)?;
    let (smallest, direction) = products.smallest(limits.max_lanczos_steps);
    if latch.interrupt().is_some() {
        return None;
    }
    let better = if smallest < 0.0 { products.escape(&direction) } else { None };
    let smallest = smallest / (form.size_of_data * form.size_of_data);
    Some(Curvature { smallest, better })
}

/// `min_Y 𝒬(V, β, Y)` in the data's units for a direction: n numbers an atom of the
/// factorization, and n for the center where it is learnt; with the largest sets or only
/// the active ones. `None` where a block is rank-deficient. For checks.
#[cfg(feature = "testing")]
pub(crate) fn form_along(
    problem: &Problem,
    factorization: &Factorization,
    direction: &[f64],
    largest: bool,
) -> Option<f64> {
    let subject = Subject::of(problem, factorization).ok()?;
    let form = Form::of(&subject);
    let n = problem.dim();
    let mut u = Vec::with_capacity(form.size());
    for atom in &form.atoms {
        u.extend(direction[atom.index * n..(atom.index + 1) * n].iter().map(|v| v * atom.root));
    }
    if problem.centered() {
        let beta = &direction[factorization.width() * n..];
        u.extend(beta.iter().map(|b| b / form.unit * form.center_root));
    }
    let products = Products::new(&form, if largest { Sets::Largest } else { Sets::Active }, &())?;
    products.project(&mut u);
    Some(dot(&u, &products.apply(&u)) * form.unit * form.unit)
}

/// Products with the form on one kind of sets. Moves are in the metric's variables: √c times
/// the move of an atom, √c_b times that of the center.
pub(crate) struct Products<'a> {
    form: &'a Form<'a>,
    observer: &'a dyn Observer,
    /// Pairs (atom in use, code) of every datapoint.
    pairs: Vec<Vec<(usize, f64)>>,
    /// Factors of `G_i + diag(γ²/g)`.
    factors: Vec<Option<Cholesky>>,
    /// For every atom in use its pairs: datapoint, place among the datapoint's pairs, code.
    rows: Vec<Vec<(usize, usize, f64)>>,
}

impl<'a> Products<'a> {
    /// Factors every block; `None` if one is not positive definite to working precision, or the
    /// observer breaks. Products made once it has broken are of no use.
    pub(crate) fn new(form: &'a Form<'a>, sets: Sets, observer: &'a dyn Observer) -> Option<Self> {
        let pairs = form.pairs(sets);
        let factors: Option<Vec<Option<Cholesky>>> = pairs
            .par_iter()
            .map(|pairs| match pairs.is_empty() {
                true => Some(None),
                false if observer.poll().is_break() => None,
                false => Cholesky::new(form.gram(pairs)).map(Some),
            })
            .collect();
        let mut rows = vec![Vec::new(); form.atoms.len()];
        for (i, pairs) in pairs.iter().enumerate() {
            for (place, &(p, z)) in pairs.iter().enumerate() {
                rows[p].push((i, place, z));
            }
        }
        Some(Self { form, observer, pairs, factors: factors?, rows })
    }

    /// The form's own variables of a move: atoms and center, without the metric's roots.
    pub(crate) fn plain(&self, u: &[f64]) -> Vec<f64> {
        let n = self.form.dim();
        let mut out = u.to_vec();
        for (part, root) in out.chunks_mut(n).zip(self.roots()) {
            part.iter_mut().for_each(|x| *x /= root);
        }
        out
    }

    /// The metric's root for every block of n variables.
    fn roots(&self) -> impl Iterator<Item = f64> + '_ {
        self.form.atoms.iter().map(|atom| atom.root).chain(std::iter::once(self.form.center_root))
    }

    /// `Vz_i + β`, a column a datapoint, for plain variables.
    fn images(&self, plain: &[f64]) -> Matrix {
        let n = self.form.dim();
        let mut images = Matrix::zeros(n, self.pairs.len());
        images.as_mut_slice().par_chunks_mut(n).zip(&self.form.codes).for_each(|(image, code)| {
            simd(
                #[inline(always)]
                || {
                    if self.form.centered() {
                        image.copy_from_slice(&plain[plain.len() - n..]);
                    }
                    for &(p, z) in code {
                        axpy(z, &plain[p * n..(p + 1) * n], image);
                    }
                },
            );
        });
        images
    }

    /// The codes' answer to a move: `Y` minimizing 𝒬 for given (V, β), one vector a
    /// datapoint. At γ = 0 by the blocks, at γ > 0 by conjugate gradients preconditioned
    /// with them. `images` are those of `plain`.
    fn inner(&self, plain: &[f64], images: &Matrix) -> Vec<Vec<f64>> {
        let n = self.form.dim();
        let rhs: Vec<Vec<f64>> = self
            .pairs
            .par_iter()
            .enumerate()
            .map(|(i, pairs)| {
                let (image, r) = (images.col(i), self.form.residuals.col(i));
                let mut rhs = Vec::with_capacity(pairs.len());
                simd(
                    #[inline(always)]
                    || {
                        for &(p, _) in pairs {
                            rhs.push(dot(&plain[p * n..(p + 1) * n], r) - dot(self.form.atom(p), image));
                        }
                    },
                );
                rhs
            })
            .collect();
        self.answer(rhs)
    }

    /// The codes' answer to a move in plain variables.
    pub(crate) fn answer_to(&self, plain: &[f64]) -> Vec<Vec<f64>> {
        self.inner(plain, &self.images(plain))
    }

    /// Solves `DᵀDY + ΓY = rhs` on the sets.
    pub(crate) fn answer(&self, rhs: Vec<Vec<f64>>) -> Vec<Vec<f64>> {
        if self.form.gamma == 0.0 {
            return self.by_blocks(&rhs);
        }
        let weights = self.form.weights();
        let inner = |a: &[Vec<f64>], b: &[Vec<f64>]| -> f64 {
            a.iter().zip(b).zip(weights).map(|((a, b), w)| w * dot(a, b)).sum()
        };
        let mut y: Vec<Vec<f64>> = rhs.iter().map(|r| vec![0.0; r.len()]).collect();
        let mut left = rhs;
        let mut z = self.by_blocks(&left);
        let mut p = z.clone();
        let mut energy = inner(&left, &z);
        let target = INNER_TOLERANCE * energy;
        for _ in 0..INNER_STEPS {
            if !(energy > target) || self.observer.poll().is_break() {
                break;
            }
            let image = self.bend(&p);
            let bend = inner(&p, &image);
            if !(bend > 0.0) {
                break;
            }
            let step = energy / bend;
            for i in 0..y.len() {
                axpy(step, &p[i], &mut y[i]);
                axpy(-step, &image[i], &mut left[i]);
            }
            z = self.by_blocks(&left);
            let next = inner(&left, &z);
            let ratio = next / energy;
            for (p, z) in p.iter_mut().zip(&z) {
                p.iter_mut().zip(z).for_each(|(p, z)| *p = z + ratio * *p);
            }
            energy = next;
        }
        y
    }

    /// Solves with every datapoint's own block.
    fn by_blocks(&self, rhs: &[Vec<f64>]) -> Vec<Vec<f64>> {
        rhs.par_iter()
            .zip(&self.factors)
            .map(|(rhs, factor)| match factor {
                Some(factor) => {
                    let mut column = Matrix::from_columns(rhs.len(), &[rhs]);
                    factor.solve(&mut column);
                    column.into_vec()
                }
                None => Vec::new(),
            })
            .collect()
    }

    /// `DᵀDY + ΓY`, per unit weight.
    fn bend(&self, y: &[Vec<f64>]) -> Vec<Vec<f64>> {
        let (form, weights) = (self.form, self.form.weights());
        let (l2, g2) = (form.lambda * form.lambda, form.gamma * form.gamma);
        // Σ wᵢy_ki and Σ wᵢz_kiy_ki.
        let (mut moved, mut along) = (vec![0.0; form.atoms.len()], vec![0.0; form.atoms.len()]);
        for (i, y) in y.iter().enumerate() {
            for (&(p, z), y) in self.pairs[i].iter().zip(y) {
                moved[p] += weights[i] * y;
                along[p] += weights[i] * z * y;
            }
        }
        y.par_iter()
            .zip(&self.pairs)
            .map(|(y, pairs)| {
                let mut image = vec![0.0; form.dim()];
                for (&(p, _), y) in pairs.iter().zip(y) {
                    axpy(*y, form.atom(p), &mut image);
                }
                let entry = |(&(p, z), y): (&(usize, f64), &f64)| {
                    let (g, mass) = (form.atoms[p].gauge, form.atoms[p].mass);
                    let rise = (l2 * mass * moved[p] + g2 * along[p]) / g;
                    dot(form.atom(p), &image) + (g2 * y + l2 * moved[p] - rise * form.slope(p, z)) / g
                };
                pairs.iter().zip(y).map(entry).collect()
            })
            .collect()
    }

    /// The operator of the form on tangent vectors: the part of atom k is
    /// `(I − d_kd_kᵀ)(Σ wᵢz_ki u_i + α_kv_k − Σ wᵢy_ki rᵢ)` with `u_i = Vz_i + β + Dy_i`,
    /// that of the center `Σ wᵢu_i`; each over the root of its metric.
    pub(crate) fn apply(&self, u: &[f64]) -> Vec<f64> {
        let (form, n) = (self.form, self.form.dim());
        let mut tangent = u.to_vec();
        self.project(&mut tangent);
        let plain = self.plain(&tangent);
        let mut images = self.images(&plain);
        let y = self.inner(&plain, &images);
        images.as_mut_slice().par_chunks_mut(n).zip(&self.pairs).zip(&y).for_each(|((image, pairs), y)| {
            simd(
                #[inline(always)]
                || {
                    for (&(p, _), y) in pairs.iter().zip(y) {
                        axpy(*y, form.atom(p), image);
                    }
                },
            );
        });
        let weights = form.weights();
        let mut out = vec![0.0; u.len()];
        let parts = out.par_chunks_mut(n).zip(plain.par_chunks(n));
        parts.zip(&self.rows).zip(&form.atoms).for_each(|(((part, v), row), atom)| {
            simd(
                #[inline(always)]
                || {
                    axpy(atom.alpha, v, part);
                    for &(i, place, z) in row {
                        axpy(weights[i] * z, images.col(i), part);
                        axpy(-weights[i] * y[i][place], form.residuals.col(i), part);
                    }
                },
            );
        });
        if form.centered() {
            let at = u.len() - n;
            for (image, &w) in images.columns().zip(weights) {
                axpy(w, image, &mut out[at..]);
            }
        }
        let mut out = self.plain(&out);
        self.project(&mut out);
        out
    }

    /// Takes the radial part off every atom's move.
    pub(crate) fn project(&self, u: &mut [f64]) {
        let n = self.form.dim();
        for (p, part) in u.chunks_mut(n).take(self.form.atoms.len()).enumerate() {
            let along = dot(part, self.form.atom(p));
            axpy(-along, self.form.atom(p), part);
        }
    }

    /// The smallest Ritz value of the form on tangent vectors, with its direction.
    pub(crate) fn smallest(&self, steps: usize) -> (f64, Vec<f64>) {
        let size = self.form.size();
        let (top, _) = lanczos_largest(size, steps.min(SHIFT_STEPS), |v| {
            if self.observer.poll().is_break() { vec![0.0; size] } else { self.apply(v) }
        });
        let shift = SHIFT_MARGIN * max(top, f64::MIN_POSITIVE);
        // shift·P − H on tangent vectors; the radial directions get −shift, out of the way.
        let (value, mut vector) = lanczos_largest(size, steps, |v| {
            if self.observer.poll().is_break() {
                return vec![0.0; size];
            }
            let mut tangent = v.to_vec();
            self.project(&mut tangent);
            let image = self.apply(v);
            v.iter().zip(&tangent).zip(image).map(|((v, t), h)| shift * t - h - shift * (v - t)).collect()
        });
        self.project(&mut vector);
        (shift - value, vector)
    }

    /// Follows a direction of negative curvature with its codes both ways; the first
    /// factorization with a proved lower objective, if one is met.
    fn escape(&self, direction: &[f64]) -> Option<Factorization> {
        let plain = self.plain(direction);
        let y = self.answer_to(&plain);
        let size = max(norm(&plain), f64::MIN_POSITIVE);
        (0..HALVINGS)
            .flat_map(|halving| [1.0, -1.0].map(|sign| sign * 0.5_f64.powi(halving) / size))
            .take_while(|_| self.observer.poll().is_continue())
            .filter_map(|t| self.along(&plain, &y, t))
            .find(|candidate| self.form.subject.is_above(candidate))
    }

    /// The factorization at step `t` of a move (plain variables) and its codes' answer;
    /// negative codes are cut off.
    pub(crate) fn along(&self, plain: &[f64], y: &[Vec<f64>], t: f64) -> Option<Factorization> {
        let (form, n) = (self.form, self.form.dim());
        let factorization = form.subject.factorization();
        let mut atoms = factorization.dictionary().matrix().clone();
        for (atom, v) in form.atoms.iter().zip(plain.chunks(n)) {
            axpy(t, v, atoms.col_mut(atom.index));
        }
        let columns: Vec<Vec<(usize, f64)>> = self
            .pairs
            .iter()
            .zip(y)
            .map(|(pairs, y)| {
                let moved =
                    pairs.iter().zip(y).map(|(&(p, z), y)| (form.atoms[p].index, (z + t * y) * form.unit));
                moved.filter(|(_, z)| *z > 0.0 && z.is_finite()).collect()
            })
            .collect();
        let mut center = factorization.center().map(<[f64]>::to_vec);
        if form.centered() {
            let b = center.get_or_insert_with(|| vec![0.0; n]);
            axpy(t * form.unit, &plain[plain.len() - n..], b);
        }
        let codes = Codes::from_columns(factorization.width(), &columns);
        let (dictionary, _) = Dictionary::normalize(atoms).ok()?;
        Factorization::new(dictionary, codes, center).ok()
    }
}
