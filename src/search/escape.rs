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

use std::ops::Range;

use rayon::prelude::*;

use crate::atoms::{Codes, Dictionary, Factorization};
use crate::linalg::{Cholesky, Matrix, axpy, dot, lanczos_smallest, norm, simd};
use crate::num::max;
use crate::observer::{Latch, Observer};
use crate::problem::Problem;
use crate::trusted::local::{Form, Limits, Sets, least_order};
use crate::trusted::{Curvature, Subject};

/// Relative residual at which the smallest Ritz value is taken: an eigenvalue is within this
/// part of it. The proof begins at half of it, so ten times less would only cost steps.
const RITZ_TOLERANCE: f64 = 0.02;

/// Datapoints of a task: a few microseconds of work.
const TOGETHER: usize = 64;

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
/// the move of an atom, √c_b times that of the center. What belongs to pairs is in one vector,
/// the pairs of a datapoint side by side.
pub(crate) struct Products<'a> {
    form: &'a Form<'a>,
    observer: &'a dyn Observer,
    /// Atom in use and code of every pair.
    pairs: Vec<(usize, f64)>,
    /// Where the pairs of a datapoint begin, and the end of the last.
    starts: Vec<usize>,
    /// Inverses of `G_i + diag(γ²/g)`, one after the other.
    inverses: Vec<f64>,
    /// Where the inverse of a datapoint begins.
    blocks: Vec<usize>,
    /// For every atom in use its pairs: datapoint, place, weighted code.
    rows: Vec<Vec<(usize, usize, f64)>>,
}

impl<'a> Products<'a> {
    /// Inverts every block; `None` if one is not positive definite to working precision, or the
    /// observer breaks. Products made once it has broken are of no use.
    pub(crate) fn new(form: &'a Form<'a>, sets: Sets, observer: &'a dyn Observer) -> Option<Self> {
        let columns = form.pairs(sets);
        let inverses: Option<Vec<Vec<f64>>> = columns
            .par_iter()
            .map(|pairs| match pairs.is_empty() {
                true => Some(Vec::new()),
                false if observer.poll().is_break() => None,
                false => Cholesky::new(form.gram(pairs)).map(|factor| {
                    let m = pairs.len();
                    let mut inverse = Matrix::from_fn(m, m, |a, b| f64::from(u8::from(a == b)));
                    factor.solve(&mut inverse);
                    inverse.into_vec()
                }),
            })
            .collect();
        let inverses = inverses?;
        let ends = |lengths: &mut dyn Iterator<Item = usize>| -> Vec<usize> {
            let add = |end: &mut usize, length: usize| {
                *end += length;
                Some(*end)
            };
            std::iter::once(0).chain(lengths.scan(0, add)).collect()
        };
        let starts = ends(&mut columns.iter().map(Vec::len));
        let blocks = ends(&mut inverses.iter().map(Vec::len));
        let mut rows = vec![Vec::new(); form.atoms.len()];
        for (i, pairs) in columns.iter().enumerate() {
            for (place, &(p, z)) in pairs.iter().enumerate() {
                rows[p].push((i, starts[i] + place, form.weights()[i] * z));
            }
        }
        Some(Self {
            form,
            observer,
            pairs: columns.concat(),
            starts,
            inverses: inverses.concat(),
            blocks,
            rows,
        })
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

    /// Places of a datapoint's pairs.
    fn places(&self, i: usize) -> Range<usize> {
        self.starts[i]..self.starts[i + 1]
    }

    /// Runs of datapoints that are a task each.
    fn runs(&self) -> impl IndexedParallelIterator<Item = Range<usize>> + use<> {
        let (len, step) = (self.starts.len() - 1, TOGETHER);
        (0..len.div_ceil(step)).into_par_iter().map(move |run| run * step..len.min((run + 1) * step))
    }

    /// A vector over pairs in the parts of [`Products::runs`].
    fn parts<'v>(&self, mut all: &'v mut [f64]) -> Vec<&'v mut [f64]> {
        let len = self.starts.len() - 1;
        let mut parts = Vec::new();
        for from in (0..len).step_by(TOGETHER) {
            let size = self.starts[len.min(from + TOGETHER)] - self.starts[from];
            let (part, rest) = all.split_at_mut(size);
            parts.push(part);
            all = rest;
        }
        parts
    }

    /// `Vz_i + β` for plain variables.
    #[inline(always)]
    fn image(&self, plain: &[f64], i: usize, image: &mut [f64]) {
        let n = self.form.dim();
        if self.form.centered() {
            image.copy_from_slice(&plain[plain.len() - n..]);
        }
        for &(p, z) in &self.form.codes[i] {
            axpy(z, &plain[p * n..(p + 1) * n], image);
        }
    }

    /// `Vᵀr_i − Dᵀimage` on the pairs of a datapoint.
    #[inline(always)]
    fn pull(&self, plain: &[f64], i: usize, image: &[f64], out: &mut [f64]) {
        let (n, r) = (self.form.dim(), self.form.residuals.col(i));
        for (out, &(p, _)) in out.iter_mut().zip(&self.pairs[self.places(i)]) {
            *out = dot(&plain[p * n..(p + 1) * n], r) - dot(self.form.atom(p), image);
        }
    }

    /// The inverse of a datapoint's block times `rhs`.
    #[inline(always)]
    fn by_block(&self, i: usize, rhs: &[f64], out: &mut [f64]) {
        out.fill(0.0);
        let inverse = &self.inverses[self.blocks[i]..self.blocks[i + 1]];
        for (column, x) in inverse.chunks_exact(rhs.len().max(1)).zip(rhs) {
            axpy(*x, column, out);
        }
    }

    /// `image += Dy` for a datapoint's codes.
    #[inline(always)]
    fn add_codes(&self, i: usize, y: &[f64], image: &mut [f64]) {
        for (y, &(p, _)) in y.iter().zip(&self.pairs[self.places(i)]) {
            axpy(*y, self.form.atom(p), image);
        }
    }

    /// What a move in plain variables does to every datapoint: `Vz_i + β + Dy_i`, a column each,
    /// and the codes' answer `Y` that minimizes 𝒬. At γ = 0 the answer is that of the blocks, at
    /// γ > 0 conjugate gradients find it, preconditioned with them.
    fn response(&self, plain: &[f64]) -> (Matrix, Vec<f64>) {
        let (n, blocked) = (self.form.dim(), self.form.gamma == 0.0);
        let mut images = Matrix::zeros(n, self.starts.len() - 1);
        let mut y = vec![0.0; self.pairs.len()];
        let parts = self.parts(&mut y);
        let tasks = self.runs().zip(parts).zip(images.as_mut_slice().par_chunks_mut(TOGETHER * n));
        tasks.for_each_init(Vec::new, |rhs, ((run, y), images)| {
            let first = self.starts[run.start];
            for (i, image) in run.zip(images.chunks_exact_mut(n)) {
                let places = self.places(i);
                let y = &mut y[places.start - first..places.end - first];
                rhs.resize(y.len(), 0.0);
                simd(
                    #[inline(always)]
                    || {
                        self.image(plain, i, image);
                        if blocked {
                            self.pull(plain, i, image, rhs);
                            self.by_block(i, rhs, y);
                            self.add_codes(i, y, image);
                        } else {
                            self.pull(plain, i, image, y);
                        }
                    },
                );
            }
        });
        if blocked {
            return (images, y);
        }
        let y = self.answer(y);
        images.as_mut_slice().par_chunks_mut(n).enumerate().for_each(|(i, image)| {
            self.add_codes(i, &y[self.places(i)], image);
        });
        (images, y)
    }

    /// The codes' answer to a move in plain variables.
    pub(crate) fn answer_to(&self, plain: &[f64]) -> Vec<f64> {
        self.response(plain).1
    }

    /// Solves `DᵀDY + ΓY = rhs` on the sets.
    pub(crate) fn answer(&self, rhs: Vec<f64>) -> Vec<f64> {
        if self.form.gamma == 0.0 {
            return self.by_blocks(&rhs);
        }
        let weights = self.form.weights();
        let inner = |a: &[f64], b: &[f64]| -> f64 {
            weights.iter().enumerate().map(|(i, w)| w * dot(&a[self.places(i)], &b[self.places(i)])).sum()
        };
        let mut y = vec![0.0; rhs.len()];
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
            axpy(step, &p, &mut y);
            axpy(-step, &image, &mut left);
            z = self.by_blocks(&left);
            let next = inner(&left, &z);
            let ratio = next / energy;
            p.iter_mut().zip(&z).for_each(|(p, z)| *p = z + ratio * *p);
            energy = next;
        }
        y
    }

    /// Solves with every datapoint's own block.
    fn by_blocks(&self, rhs: &[f64]) -> Vec<f64> {
        self.of_runs(|i, out| self.by_block(i, &rhs[self.places(i)], out))
    }

    /// A vector over pairs, made a datapoint at a time.
    fn of_runs(&self, make: impl Fn(usize, &mut [f64]) + Sync) -> Vec<f64> {
        let mut out = vec![0.0; self.pairs.len()];
        let parts = self.parts(&mut out);
        self.runs().zip(parts).for_each(|(run, part)| {
            let first = self.starts[run.start];
            for i in run {
                let places = self.places(i);
                make(i, &mut part[places.start - first..places.end - first]);
            }
        });
        out
    }

    /// `DᵀDY + ΓY`, per unit weight.
    fn bend(&self, y: &[f64]) -> Vec<f64> {
        let (form, weights) = (self.form, self.form.weights());
        let (l2, g2) = (form.lambda * form.lambda, form.gamma * form.gamma);
        // Σ wᵢy_ki and Σ wᵢz_kiy_ki.
        let (mut moved, mut along) = (vec![0.0; form.atoms.len()], vec![0.0; form.atoms.len()]);
        for (i, w) in weights.iter().enumerate() {
            for place in self.places(i) {
                let (p, z) = self.pairs[place];
                moved[p] += w * y[place];
                along[p] += w * z * y[place];
            }
        }
        self.of_runs(|i, out| {
            let mut image = vec![0.0; form.dim()];
            self.add_codes(i, &y[self.places(i)], &mut image);
            for (out, place) in out.iter_mut().zip(self.places(i)) {
                let (p, z) = self.pairs[place];
                let (g, mass) = (form.atoms[p].gauge, form.atoms[p].mass);
                let rise = (l2 * mass * moved[p] + g2 * along[p]) / g;
                *out =
                    dot(form.atom(p), &image) + (g2 * y[place] + l2 * moved[p] - rise * form.slope(p, z)) / g;
            }
        })
    }

    /// The operator of the form on tangent vectors: the part of atom k is
    /// `(I − d_kd_kᵀ)(Σ wᵢz_ki u_i + α_kv_k − Σ wᵢy_ki rᵢ)` with `u_i = Vz_i + β + Dy_i`,
    /// that of the center `Σ wᵢu_i`; each over the root of its metric.
    pub(crate) fn apply(&self, u: &[f64]) -> Vec<f64> {
        let (form, n) = (self.form, self.form.dim());
        let mut tangent = u.to_vec();
        self.project(&mut tangent);
        let plain = self.plain(&tangent);
        let (images, y) = self.response(&plain);
        let weights = form.weights();
        let mut out = vec![0.0; u.len()];
        let parts = out.par_chunks_mut(n).zip(plain.par_chunks(n));
        parts.zip(&self.rows).zip(&form.atoms).for_each(|(((part, v), row), atom)| {
            simd(
                #[inline(always)]
                || {
                    axpy(atom.alpha, v, part);
                    for &(i, place, weighted) in row {
                        let (w, image, r) = (weights[i] * y[place], images.col(i), form.residuals.col(i));
                        for ((out, u), r) in part.iter_mut().zip(image).zip(r) {
                            *out += weighted * u - w * r;
                        }
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
        let tangent = self.form.size() - self.form.atoms.len();
        lanczos_smallest(
            self.form.size(),
            steps.min(tangent),
            RITZ_TOLERANCE,
            |v| self.project(v),
            |v| if self.observer.poll().is_break() { vec![0.0; v.len()] } else { self.apply(v) },
        )
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
    pub(crate) fn along(&self, plain: &[f64], y: &[f64], t: f64) -> Option<Factorization> {
        let (form, n) = (self.form, self.form.dim());
        let factorization = form.subject.factorization();
        let mut atoms = factorization.dictionary().matrix().clone();
        for (atom, v) in form.atoms.iter().zip(plain.chunks(n)) {
            axpy(t, v, atoms.col_mut(atom.index));
        }
        let columns: Vec<Vec<(usize, f64)>> = (0..self.starts.len() - 1)
            .map(|i| {
                let pairs = self.places(i).map(|place| (self.pairs[place], y[place]));
                let moved = pairs.map(|((p, z), y)| (form.atoms[p].index, (z + t * y) * form.unit));
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
