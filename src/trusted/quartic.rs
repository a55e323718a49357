//! The polar from a quartic form (theorem `quartic-bound`): for data in few dimensions, any
//! number of them.
//!
//! The price of an atom is at least `√(2λγ)` times a norm of its codes with exponent 4/3, whose
//! dual has exponent 4. So with the *form* of a dual point, `Q(d) = Σ wᵢ(dᵀrᵢ)⁴`,
//!
//! ```math
//! \Omega^\circ(R)^4\le\frac1{4\lambda^2\gamma^2}\max_{\lVert d\rVert=1}Q(d) .
//! ```
//!
//! The form is a quadratic one of the n(n+1)/2 products of coordinates, in many ways: what
//! vanishes on products may be added. The largest eigenvalue of each way is at least the
//! maximum, as the products of a unit vector's coordinates are a unit vector.
//!
//! # How it is proved
//! Fourth moments are summed with an a-priori error, what is added is made to vanish by
//! averaging, and a Cholesky factor proves the eigenvalue (`proofs/quartic-bound.md`).

use std::f64::consts::SQRT_2;
use std::ops::Range;

use rayon::prelude::*;

use crate::linalg::{
    Matrix, axpy, chunk_columns, dot, lanczos_largest, largest_magnitude, norm_sq, psd, simd,
};
use crate::num::{Interval, max, min, power_of_two, rounding};
use crate::observer::Observer;
use crate::problem::{Data, Problem};
use crate::trusted::Upper;

/// A witness of the quartic bound.
#[derive(Clone, Debug, PartialEq)]
pub struct QuarticForm {
    /// What the dual point is made of: (n + 1) rows. The first column holds a point that is
    /// subtracted from the data, the others a direction d and its strength μ: rᵢ is what
    /// sweeps over them leave of a datapoint.
    pub map: Matrix,
    /// A symmetric matrix over pairs of coordinates, n(n+1)/2 square, of which the lower triangle
    /// is read. Its part that vanishes on products is added to the form, in units of 4λ²γ².
    pub form: Matrix,
}

/// Sweeps that make a dual point. It is nearly stationary after six where directions are many
/// times the dimension; a point that is not is a dual point too.
const SWEEPS: usize = 8;

/// Most Newton steps for one root; three are typical.
const NEWTON_STEPS: usize = 16;

/// Relative step at which a root is good enough: sweeps go over it again.
const NEWTON_TOLERANCE: f64 = 1e-4;

/// Datapoints whose products are held at a time.
const BLOCK: usize = 512;

/// Lanczos steps for the eigenvalue that is proved.
const LANCZOS_STEPS: usize = 120;

/// Roundings of a term of a fourth moment: its two products of coordinates and the root of its
/// weight, twice, and their product (`proofs/quartic-bound.md`).
const TERM_ROUNDINGS: usize = 16;

/// Roundings of an entry of the tested matrix beside those of its fourth moment, each of at most
/// the largest entry of [`QuarticForm::form`].
const FORM_ROUNDINGS: usize = 32;

/// The pairs `i ≤ j` of coordinates in n dimensions, in order.
pub(crate) struct Pairs {
    dim: usize,
    pairs: Vec<(usize, usize)>,
    places: Vec<usize>,
}

impl Pairs {
    pub(crate) fn of(dim: usize) -> Self {
        let pairs: Vec<(usize, usize)> = (0..dim).flat_map(|i| (i..dim).map(move |j| (i, j))).collect();
        let mut places = vec![0; dim * dim];
        for (p, &(i, j)) in pairs.iter().enumerate() {
            (places[i * dim + j], places[j * dim + i]) = (p, p);
        }
        Self { dim, pairs, places }
    }

    pub(crate) fn len(&self) -> usize {
        self.pairs.len()
    }

    fn place(&self, i: usize, j: usize) -> usize {
        self.places[i * self.dim + j]
    }

    /// The products `rᵢrⱼ` of a vector's coordinates, times a factor.
    fn lift(&self, factor: f64, r: &[f64], out: &mut [f64]) {
        for (v, &(i, j)) in out.iter_mut().zip(&self.pairs) {
            *v = factor * (r[i] * r[j]);
        }
    }

    /// The products of a vector's coordinates as a vector of the same length squared.
    pub(crate) fn vector(&self, d: &[f64]) -> Vec<f64> {
        let mut out = vec![0.0; self.len()];
        self.lift(1.0, d, &mut out);
        for (v, (i, j)) in out.iter_mut().zip(&self.pairs) {
            *v *= if i == j { 1.0 } else { SQRT_2 };
        }
        out
    }

    /// Entries of tensors to those of quadratic forms in [`Pairs::vector`], or back.
    pub(crate) fn scaled(&self, mut matrix: Matrix, back: bool) -> Matrix {
        let len = self.len();
        let both = |p: usize, q: usize| {
            let once = self.pairs[p].0 == self.pairs[p].1;
            match (once, self.pairs[q].0 == self.pairs[q].1) {
                (true, true) => 1.0,
                (false, false) => 2.0,
                (true, false) | (false, true) => SQRT_2,
            }
        };
        matrix.as_mut_slice().par_chunks_mut(len.max(1)).enumerate().for_each(|(q, column)| {
            for (p, v) in column.iter_mut().enumerate() {
                if back { *v /= both(p, q) } else { *v *= both(p, q) }
            }
        });
        matrix
    }

    /// A matrix of tensor entries less its average over the ways to pair four indices: a form
    /// that vanishes on products. The lower triangle is read.
    pub(crate) fn vanishing(&self, matrix: &Matrix) -> Matrix {
        let len = self.len();
        let at = |p: usize, q: usize| if p >= q { matrix.get(p, q) } else { matrix.get(q, p) };
        let mut out = Matrix::zeros(len, len);
        out.as_mut_slice().par_chunks_mut(len.max(1)).enumerate().for_each(|(q, column)| {
            let (k, l) = self.pairs[q];
            for (p, v) in column.iter_mut().enumerate() {
                let (i, j) = self.pairs[p];
                let own = at(p, q);
                let across = at(self.place(i, k), self.place(j, l)) + at(self.place(i, l), self.place(j, k));
                *v = own - (own + across) / 3.0;
            }
        });
        out
    }
}

/// One Gauss–Seidel sweep that lowers, over codes `z = μu³` of either sign,
///
/// ```math
/// \tfrac12\lVert r\rVert^2+\tfrac34\sum_k\mu_k^{-1/3}\lvert z_k\rvert^{4/3},\qquad r=x-\sum_kz_kd_k ,
/// ```
///
/// for `map` as in [`QuarticForm::map`]; `u` goes with `r`, and both begin as they are.
#[inline(always)]
pub(crate) fn sweep(map: &Matrix, r: &mut [f64], u: &mut [f64]) {
    let n = r.len();
    for (k, u) in u.iter_mut().enumerate() {
        let column = map.col(k + 1);
        let (d, mu) = (&column[..n], column[n]);
        if !(mu > 0.0) {
            continue;
        }
        let held = mu * *u * *u * *u;
        let next = root(mu, dot(d, r) + held, *u);
        let change = held - mu * next * next * next;
        if change != 0.0 {
            axpy(change, d, r);
        }
        *u = next;
    }
}

/// u with `μu³ + u = c`, nearly: Newton's method, from a start of any sign.
#[inline(always)]
fn root(mu: f64, c: f64, start: f64) -> f64 {
    let size = c.abs();
    // At or above the root, where Newton's method descends: u ≤ c, and 2√μ u² ≤ μu³ + u.
    let most = min(size, (0.5 * size / mu.sqrt()).sqrt());
    let mut u = if start * c > 0.0 { min(start.abs(), most) } else { most };
    for _ in 0..NEWTON_STEPS {
        let square = mu * u * u;
        let next = (2.0 * square * u + size) / (3.0 * square + 1.0);
        let moved = (next - u).abs();
        u = next;
        if !(moved > NEWTON_TOLERANCE * u) {
            break;
        }
    }
    if c < 0.0 { -u } else { u }
}

/// The dual point of a map: from the data less its point, [`SWEEPS`] sweeps. Whatever rounding
/// makes of it is a dual point. O(nKN). `None` for a map of another height or without columns, and
/// where the observer breaks: on all ranks, those without datapoints too.
pub(crate) fn dual_point(data: &Data, map: &Matrix, observer: &dyn Observer) -> Option<Matrix> {
    let n = data.dim();
    if map.nrows() != n + 1 || map.ncols() == 0 || (data.len() == 0 && observer.poll().is_break()) {
        return None;
    }
    let mut dual = data.datapoints().to_matrix();
    let each = |chunk: &mut [f64]| {
        if observer.poll().is_break() {
            return None;
        }
        let mut u = vec![0.0; map.ncols() - 1];
        simd(
            #[inline(always)]
            || {
                for r in chunk.chunks_exact_mut(n) {
                    axpy(-1.0, &map.col(0)[..n], r);
                    u.fill(0.0);
                    for _ in 0..SWEEPS {
                        sweep(map, r, &mut u);
                    }
                }
            },
        );
        Some(())
    };
    dual.as_mut_slice().par_chunks_mut(n * BLOCK).try_for_each(each)?;
    Some(dual)
}

/// `Σ wᵢ rᵢrᵢrᵢrᵢ` over the datapoints of all ranks as a matrix over pairs of coordinates, both halves.
/// O(n⁴N/4), and n⁴/8 numbers for each doubling of the grains. `None` where the observer breaks.
pub(crate) fn fourth_moments(
    pairs: &Pairs,
    dual: &Matrix,
    data: &Data,
    observer: &dyn Observer,
) -> Option<Matrix> {
    let (n, len, roots) = (dual.nrows(), pairs.len(), data.sqrt_weights());
    // A rank without datapoints ends with the others. All make the sum.
    let mut ended = roots.is_empty() && observer.poll().is_break();
    // A lower triangle.
    let half = len * (len + 1) / 2;
    let lower = data.share().sum_of_grains(half, |grain| {
        let mut moments = Matrix::zeros(len, len);
        for from in grain.clone().step_by(BLOCK) {
            ended = ended || observer.poll().is_break();
            if ended {
                return vec![0.0; half];
            }
            let run: Range<usize> = from..(from + BLOCK).min(grain.end);
            let mut lifted = Matrix::zeros(len, run.len());
            let columns = dual.as_slice()[run.start * n..run.end * n].par_chunks(n);
            lifted
                .as_mut_slice()
                .par_chunks_mut(len)
                .zip(columns)
                .zip(&roots[run])
                .for_each(|((out, r), a)| pairs.lift(*a, r, out));
            moments.add_own_products(&lifted);
        }
        (0..len).flat_map(|q| &moments.col(q)[q..]).copied().collect()
    });
    if ended {
        return None;
    }
    let (mut moments, mut rest) = (Matrix::zeros(len, len), lower.as_slice());
    for q in 0..len {
        let (column, after) = rest.split_at(len - q);
        moments.col_mut(q)[q..].copy_from_slice(column);
        rest = after;
    }
    moments.copy_lower();
    Some(moments)
}

/// A proved κ ≥ Ω°(R) for unwhitened columns `dual` and a [`QuarticForm::form`]. `None` where λ or γ
/// is 0, shapes differ, or nothing finite can be proved. O(n⁴N + n⁶).
#[must_use]
pub(crate) fn polar(problem: &Problem, dual: &Matrix, form: &Matrix) -> Option<Upper> {
    let (n, lambda, gamma) = (problem.dim(), problem.lambda(), problem.gamma());
    let fits = (dual.nrows(), dual.ncols()) == (n, problem.len());
    if !(lambda > 0.0 && gamma > 0.0 && fits) {
        return None;
    }
    let [largest] =
        problem.share().largest(|run| [largest_magnitude(&dual.as_slice()[run.start * n..run.end * n])]);
    if !largest.is_finite() {
        return None;
    }
    // A power of two: what is divided by it is not rounded, and fourth powers stay in range.
    let unit = if largest > 0.0 { power_of_two(largest) } else { 1.0 };
    let mut scaled = dual.clone();
    scaled.as_mut_slice().par_iter_mut().for_each(|v| *v /= unit);
    // Whatever rounding makes of this matrix, its part that vanishes vanishes.
    let share = 4.0 * (lambda / unit).powi(2) * (gamma / unit).powi(2);
    let mut form = form.clone();
    form.as_mut_slice().par_iter_mut().for_each(|v| *v *= share);
    let fourth = largest_of_form(&scaled, problem.data(), &form)?;
    let root = Interval::point(fourth).sqrt();
    let square = root.div(Interval::point(2.0)).div(Interval::point(lambda)).div(Interval::point(gamma));
    let polar = square.sqrt().mul(Interval::point(unit)).hi;
    (polar.is_finite() && polar > 0.0).then(|| Upper::proved(polar))
}

/// A proved bound of `max Σ wᵢ(dᵀrᵢ)⁴` over unit vectors, for entries of at most some units.
fn largest_of_form(dual: &Matrix, data: &Data, form: &Matrix) -> Option<f64> {
    let n = data.dim();
    let pairs = Pairs::of(n);
    let len = pairs.len();
    if (form.nrows(), form.ncols()) != (len, len) || !form.as_slice().iter().all(|v| v.is_finite()) {
        return None;
    }
    let mut matrix = fourth_moments(&pairs, dual, data, &())?;
    axpy(1.0, pairs.vanishing(form).as_slice(), matrix.as_mut_slice());
    let matrix = pairs.scaled(matrix, false);
    let times = |v: &[f64]| matrix_times(&matrix, v);
    let estimate = lanczos_largest(len, LANCZOS_STEPS, times).0;
    let proved = max(psd::largest_eigenvalue_upper(&matrix, estimate)?, 0.0);
    // Σ wᵢ‖rᵢ‖⁴ bounds the form of the moments' absolute values, n² that of a matrix of ones.
    let up = 1.0 + 4.0 * rounding::gamma(data.total() + 2 * n + TERM_ROUNDINGS);
    let fourth = |i: usize| data.weights()[i] * norm_sq(dual.col(i)) * norm_sq(dual.col(i));
    let [energy] = data.share().sums(|run| [run.map(fourth).sum()]);
    let energy = energy * up;
    let entry = largest_magnitude(form.as_slice());
    #[expect(clippy::cast_precision_loss, reason = "n is far below 2^53")]
    let ones = (n * n) as f64;
    let moments = rounding::gamma(data.total() + TERM_ROUNDINGS + FORM_ROUNDINGS) * energy;
    let error = (moments + rounding::gamma(FORM_ROUNDINGS) * ones * entry) * rounding::SLACK;
    let all = (proved + (error + f64::MIN_POSITIVE).next_up()).next_up();
    all.is_finite().then_some(all)
}

/// A symmetric matrix times a vector, in parallel over columns.
pub(crate) fn matrix_times(matrix: &Matrix, v: &[f64]) -> Vec<f64> {
    let (rows, chunk) = (matrix.nrows().max(1), chunk_columns(matrix.nrows()));
    let products = matrix.as_slice().par_chunks(rows * chunk).map(|columns| {
        simd(
            #[inline(always)]
            || columns.chunks_exact(rows).map(|column| dot(column, v)).collect::<Vec<f64>>(),
        )
    });
    products.flatten_iter().collect()
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::num::rational::exact;
    use num_rational::BigRational;
    use proptest::prelude::*;

    /// `Q(d)/‖d‖⁴` in exact arithmetic.
    fn form_along(dual: &Matrix, weights: &[f64], d: &[f64]) -> BigRational {
        let square = |v: BigRational| v.clone() * v;
        let inner = |a: &[f64], b: &[f64]| {
            a.iter().zip(b).fold(exact(0.0), |sum, (a, b)| sum + exact(*a) * exact(*b))
        };
        let form = dual
            .columns()
            .zip(weights)
            .fold(exact(0.0), |sum, (r, w)| sum + exact(*w) * square(square(inner(r, d))));
        form / square(inner(d, d))
    }

    fn entry() -> impl Strategy<Value = f64> {
        prop_oneof![4 => -2.0..2.0_f64, 1 => -1e-9..1e-9_f64, 1 => Just(0.0)]
    }

    proptest! {
        /// At any direction, for any matrix that is added; and where a direction is alone, close.
        #[test]
        fn the_form_is_bounded_in_exact_arithmetic(
            (dim, len) in (1_usize..5, 1_usize..7),
            entries in proptest::collection::vec(entry(), 24),
            weights in proptest::collection::vec(prop_oneof![0.01..1.0_f64, 1e-9..1e-6_f64], 6),
            added in proptest::collection::vec(prop_oneof![Just(0.0), -2.0..2.0_f64, -1e6..1e6_f64], 17),
            direction in proptest::collection::vec(-1.0..1.0_f64, 4),
        ) {
            let dual = Matrix::from_fn(dim, len, |j, i| entries[(i * dim + j) % 24]);
            let problem = Problem::builder(Matrix::from_fn(dim, len, |_, _| 1.0))
                .weights(weights[..len].to_vec())
                .lambda(1.0)
                .build()
                .expect("valid");
            let data = problem.data();
            let pairs = dim * (dim + 1) / 2;
            let form = Matrix::from_fn(pairs, pairs, |p, q| added[(3 * p + 5 * q) % 17]);
            let bound = largest_of_form(&dual, data, &form).expect("finite");
            let plain = largest_of_form(&dual, data, &Matrix::zeros(pairs, pairs)).expect("finite");
            for d in std::iter::once(&direction[..dim]).chain(dual.columns()) {
                if d.iter().any(|v| v.abs() > 1e-3) {
                    let value = form_along(&dual, data.weights(), d);
                    prop_assert!(exact(bound) >= value && exact(plain) >= value);
                }
            }
            if len == 1 && norm_sq(dual.col(0)) > 1e-3 {
                let value = form_along(&dual, data.weights(), dual.col(0));
                prop_assert!(exact(plain) <= value * exact(1.0 + 1e-9));
            }
        }

        /// What vanishes on products vanishes there, and is left alone.
        #[test]
        fn a_vanishing_part_vanishes_on_products(
            dim in 1_usize..5,
            entries in proptest::collection::vec(-1.0..1.0_f64, 19),
            d in proptest::collection::vec(-1.0..1.0_f64, 4),
        ) {
            let pairs = Pairs::of(dim);
            let any = Matrix::from_fn(pairs.len(), pairs.len(), |p, q| entries[(7 * (p + q) + 3 * p * q) % 19]);
            let once = pairs.vanishing(&any);
            let y = pairs.vector(&d[..dim]);
            let value = dot(&matrix_times(&pairs.scaled(once.clone(), false), &y), &y);
            prop_assert!(value.abs() < 1e-13);
            let twice = pairs.vanishing(&once);
            let apart = once.as_slice().iter().zip(twice.as_slice()).all(|(a, b)| (a - b).abs() < 1e-14);
            prop_assert!(apart);
        }

        #[test]
        fn a_root_is_one(mu in 1e-6..1e6_f64, c in -1e3..1e3_f64, start in -1e3..1e3_f64) {
            let u = root(mu, c, start);
            prop_assert!((mu * u * u * u + u - c).abs() <= 1e-2 * c.abs() && u * c >= 0.0);
        }
    }
}
