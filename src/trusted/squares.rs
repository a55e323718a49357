//! The checker of a split whose nonnegative part is made of squares (theorem `square-split`).
//!
//! [`copositive`](super::copositive) needs T itself, N × N numbers. Here T is given by a few
//! features of each datapoint, `yᵢ = (1, C xᵢ + c)`, and symmetric matrices J:
//!
//! ```math
//! T_{ij}=\sum_l\big(y_i^\top J_ly_j\big)^2\ \ge\ 0 ,
//! ```
//!
//! nonnegative whatever J is, for any number of datapoints. Squares of features are linear in
//! their products, so the test is one of second moments, a matrix of the order of the number of
//! products.
//!
//! # How it is proved
//! With the columns `fᵢ = (products of yᵢ, rᵢ)`, M = Σ wᵢfᵢfᵢᵀ and any L with `LLᵀ ⪰ M`,
//!
//! ```math
//! \gamma^2I+\lambda^2ll^\top-L^\top HL\succeq0
//! ```
//!
//! proves `A − RᵀR − T ⪰ 0`, where H is the quadratic form of T and of the identity on the
//! coordinates of R, and l the row of L that belongs to the product 1. L is the computed Cholesky
//! factor of the computed M, raised by what rounding may have made of both.

use std::ops::Range;

use rayon::prelude::*;

use super::Upper;
use crate::linalg::{
    Cholesky, Columns, Datapoints, Float, HELD, Matrix, axpy, column_runs, correlate, fits_single,
    lanczos_largest, largest_magnitude, norm_sq, psd,
};
use crate::num::{Interval, max, power_of_two, rounding};
use crate::observer::Observer;
use crate::problem::Problem;
use crate::reduce::Share;

/// A dual point and a split for any number of datapoints.
///
/// Products of k + 1 features, the first of which is 1, are ordered (0, 0), (0, 1), (1, 1),
/// (0, 2), …: q = (k + 1)(k + 2)/2 of them.
#[derive(Clone, Debug, PartialEq)]
pub struct Squares {
    /// `[C | c]`, k × (n + 1): the features `yᵢ = (1, C xᵢ + c)`.
    pub features: Matrix,
    /// The matrices J side by side, each (k + 1) × (k + 1). The upper triangles are read.
    pub forms: Matrix,
    /// Ω, n × (q + n): the dual point `rᵢ = Ω (products of yᵢ, xᵢ)`.
    pub dual: Matrix,
}

/// Columns of a product that one task computes. The number is fixed, so that the result does not
/// depend on the number of threads.
const BLOCK_COLUMNS: usize = 64;

/// Lanczos steps for the estimate from which the proof starts.
const LANCZOS_STEPS: usize = 100;

/// Roundings of an entry of M beside those of its sum, and of the test beside those of its inner
/// products.
const FEW: usize = 2 * rounding::FEW;

/// What the factor is raised by, in units of what it must be raised by at least: the trace grows
/// with it.
const RAISED: f64 = 2.0;

/// How many products `width` features have, the first of which is 1.
#[must_use]
pub fn products(width: usize) -> usize {
    width * (width + 1) / 2
}

impl Squares {
    /// The dual point and the features of all datapoints, n × N and k × N, as computed. `None`
    /// where shapes differ.
    pub(super) fn columns(&self, problem: &Problem) -> Option<(Matrix, Matrix)> {
        let (n, k) = (problem.dim(), self.features.nrows());
        let q = products(k + 1);
        let fits = self.features.ncols() == n + 1
            && self.forms.nrows() == k + 1
            && self.forms.ncols().is_multiple_of(k + 1)
            && (self.dual.nrows(), self.dual.ncols()) == (n, q + n);
        if !fits {
            return None;
        }
        let features = affine(problem, &self.features);
        let part = |run: Range<usize>| {
            let mut lifted = Matrix::zeros(q + n, run.len());
            for (at, i) in run.enumerate() {
                let column = lifted.col_mut(at);
                lift(features.col(i), &mut column[..q]);
                column[q..].copy_from_slice(&problem.data().datapoint(i));
            }
            self.dual.times(&lifted)
        };
        let mut dual = Matrix::zeros(n, problem.len());
        let runs = column_runs(problem.share(), &mut dual, CHUNK);
        runs.into_par_iter().for_each(|(run, out)| out.copy_from_slice(part(run).as_slice()));
        Some((dual, features))
    }

    /// The matrices J, symmetric.
    pub(super) fn matrices(&self) -> Vec<Matrix> {
        let width = self.forms.nrows();
        let matrix =
            |c: usize| Matrix::from_fn(width, width, |i, j| self.forms.get(i.min(j), c * width + i.max(j)));
        (0..self.forms.ncols() / width.max(1)).map(matrix).collect()
    }
}

/// Datapoints whose products are in memory at once, for each thread.
const CHUNK: usize = 1 << 10;

/// `C xᵢ + c` of all datapoints for `map = [C | c]`.
pub(crate) fn affine(problem: &Problem, map: &Matrix) -> Matrix {
    let rows = map.nrows();
    let mut out = Matrix::zeros(rows, problem.len());
    affine_grains(problem, map, |grain, columns| {
        out.as_mut_slice()[grain.start * rows..grain.end * rows].copy_from_slice(columns.as_slice());
    });
    out
}

/// The dual point `C xᵢ + c`. One of many numbers is rounded to single precision where that has its
/// range: it is then the rounded point that a bound is for.
pub(super) fn affine_dual(problem: &Problem, map: &Matrix) -> Datapoints {
    affine_dual_holding(HELD, problem, map)
}

fn affine_dual_holding(most: usize, problem: &Problem, map: &Matrix) -> Datapoints {
    let n = problem.dim();
    if n * problem.total() > most {
        let mut entries = Vec::with_capacity(n * problem.len());
        affine_grains(problem, map, |_, columns| {
            entries.extend(columns.as_slice().iter().map(|&v| f32::nearest(v)));
        });
        let [largest] = problem.share().largest(|run| {
            let magnitudes = entries[run.start * n..run.end * n].iter().map(|v| f64::from(v.abs()));
            [magnitudes.fold(0.0, max)]
        });
        if fits_single(largest) {
            return Datapoints::from_column_major(n, problem.len(), entries).expect("an entry a place");
        }
    }
    affine(problem, map).into()
}

/// Gives `C xᵢ + c` to `take` a grain at a time: what rounding makes of a product may depend on its
/// shape.
fn affine_grains(problem: &Problem, map: &Matrix, mut take: impl FnMut(Range<usize>, Matrix)) {
    let n = problem.dim();
    let linear = map.select_columns(&(0..n).collect::<Vec<_>>());
    let points = problem.data().datapoints();
    for grain in problem.share().grains() {
        let columns = points.run(grain.clone()).into_owned();
        let columns = Matrix::from_column_major(n, grain.len(), columns).expect("whole columns");
        let mut columns = linear.times(&columns);
        (0..columns.ncols()).for_each(|i| axpy(1.0, map.col(n), columns.col_mut(i)));
        take(grain, columns);
    }
}

/// The products of (1, y).
fn lift(y: &[f64], out: &mut [f64]) {
    out[0] = 1.0;
    let mut at = 1;
    for (b, &v) in y.iter().enumerate() {
        out[at] = v;
        for (out, u) in out[at + 1..].iter_mut().zip(&y[..=b]) {
            *out = u * v;
        }
        at += b + 2;
    }
}

/// `Σ wᵢfᵢfᵢᵀ` over the datapoints of all ranks for `fᵢ` the products of the features and the other
/// coordinates, and `Σ wᵢ‖fᵢ‖²`, both as computed, from the roots of the weights. O(N m²) for m
/// coordinates. `None` where the observer breaks.
pub(crate) fn second_moments(
    share: &Share,
    roots: &[f64],
    features: &Matrix,
    others: &Matrix,
    observer: &dyn Observer,
) -> Option<(Matrix, f64)> {
    let q = products(features.nrows() + 1);
    let m = q + others.nrows();
    // A rank without datapoints ends with the others. All make the sum.
    let mut ended = roots.is_empty() && observer.poll().is_break();
    let mut lifted = vec![0.0; m];
    let mut sums = share.sum_of_grains(m * m + 1, |grain| {
        ended = ended || observer.poll().is_break();
        if ended {
            return vec![0.0; m * m + 1];
        }
        // A row a datapoint.
        let mut rows = Matrix::zeros(grain.len(), m);
        for (at, i) in grain.enumerate() {
            lift(features.col(i), &mut lifted[..q]);
            lifted[q..].copy_from_slice(others.col(i));
            lifted.iter().enumerate().for_each(|(k, v)| rows.col_mut(k)[at] = roots[i] * v);
        }
        let mut sums = rows.gram().into_vec();
        sums.push(norm_sq(rows.as_slice()));
        sums
    });
    let energy = sums.pop()?;
    (!ended).then(|| (Matrix::from_column_major(m, m, sums).expect("an entry a place"), energy))
}

/// The symmetric matrix of which a column holds the upper triangle, as products are ordered.
pub(crate) fn unfolded(column: &[f64], width: usize) -> Matrix {
    Matrix::from_fn(width, width, |i, j| column[products(i.max(j)) + i.min(j)])
}

/// `BᵀHB` for the form H of T on products and columns B of products, blocks of columns in
/// parallel: the entry of columns that unfold to S and S' is `Σ tr(J S J S')`.
pub(crate) fn form_of(columns: &Matrix, matrices: &[Matrix]) -> Matrix {
    let (q, len) = (columns.nrows(), columns.ncols());
    let width = matrices.first().map_or(0, Matrix::nrows);
    let image = |column: &[f64], out: &mut [f64]| {
        let s = unfolded(column, width);
        for j in matrices {
            let product = j.times(&s).times(j);
            for b in 0..width {
                for a in 0..=b {
                    let double = if a == b { 1.0 } else { 2.0 };
                    out[products(b) + a] += double * product.get(a, b);
                }
            }
        }
    };
    let mut out = Matrix::zeros(len, len);
    out.as_mut_slice().par_chunks_mut((BLOCK_COLUMNS * len).max(1)).enumerate().for_each(|(c, block)| {
        let from = c * BLOCK_COLUMNS;
        let mut images = Matrix::zeros(q, block.len() / len);
        for (k, out) in images.as_mut_slice().chunks_mut(q).enumerate() {
            image(columns.col(from + k), out);
        }
        block.copy_from_slice(columns.transpose_times(&images).as_slice());
    });
    out
}

/// A proved κ ≥ Ω°(R) for the dual point with unwhitened columns `dual` and
/// `T_{ij} = Σ (yᵢᵀ J yⱼ)²`, `yᵢ = (1, features)` (theorem `square-split`). `None` for γ = 0, and
/// where nothing finite can be proved. O(N m² + m³) for m = q + n.
///
/// With a center the dual point must satisfy `Σ wᵢrᵢ = 0` up to a defect that the caller prices.
#[must_use]
pub(super) fn polar(
    problem: &Problem,
    dual: &Matrix,
    features: &Matrix,
    matrices: &[Matrix],
) -> Option<Upper> {
    if !(problem.gamma() > 0.0) || matrices.is_empty() {
        return None;
    }
    let q = products(features.nrows() + 1);
    // R in a unit of its own size, J, λ and γ with it: the products of features are near 1.
    let unit = unit_of(problem, dual)?;
    let mut scaled = dual.clone();
    scaled.as_mut_slice().iter_mut().for_each(|v| *v /= unit);
    // Whatever J is, T is nonnegative: what rounding makes of it here is no error.
    let mut matrices = matrices.to_vec();
    matrices.iter_mut().for_each(|j| j.as_mut_slice().iter_mut().for_each(|v| *v /= unit));
    let price = |price: f64| Interval::point(price).div(Interval::point(unit));
    let (moments, energy) =
        second_moments(problem.share(), problem.data().sqrt_weights(), features, &scaled, &())?;
    let factor = raised_factor(moments, energy, problem.total())?;
    let test = Test::new(&factor, q, &matrices, price(problem.lambda()).lo)?;
    let largest = test.largest()?;
    // λ_max(LᵀHL − λ²llᵀ) ≤ κ²γ² is enough where κ ≥ 1.
    let square = Interval::point(largest).div(price(problem.gamma()).square());
    let square = Interval::point(max(square.hi, 1.0));
    square.hi.is_finite().then(|| Upper::proved(square.sqrt().hi))
}

/// A power of two near the root mean square of the columns; `None` where all are 0 or some are not
/// finite.
fn unit_of(problem: &Problem, columns: &Matrix) -> Option<f64> {
    let (n, share, weights) = (problem.dim(), problem.share(), problem.data().weights());
    let [largest] = share.largest(|run| [largest_magnitude(&columns.as_slice()[run.start * n..run.end * n])]);
    if !(largest > 0.0) || !largest.is_finite() {
        return None;
    }
    let top = power_of_two(largest);
    let of = |i: usize| weights[i] * columns.col(i).iter().map(|v| (v / top) * (v / top)).sum::<f64>();
    let [square] = share.sums(|run| [run.map(of).sum()]);
    let unit = top * power_of_two(max(square, f64::MIN_POSITIVE).sqrt());
    (unit > 0.0 && unit.is_finite()).then_some(unit)
}

/// A lower triangular L with `LLᵀ ⪰ Σ wᵢfᵢfᵢᵀ`, from the computed moments of `total` datapoints.
///
/// The computed sum is off by at most `γ_{N+6} Σ wᵢ‖fᵢ‖²` in norm: an entry passes N roundings of
/// its sum, two of products of features and four of products with a root of a weight. The factor
/// of a stored C is off by at most `γ_m/(1 − γ_m) tr C` (`proofs/rounding.md`, item 3).
fn raised_factor(mut moments: Matrix, energy: f64, total: usize) -> Option<Matrix> {
    let m = moments.nrows();
    let order = count(m);
    // What underflow can add to the entries of a row, here and in the factor.
    let underflow = 8.0 * order * (count(total) + order) * (1.0 + energy) * rounding::ETA;
    // The computed energy has passed as many roundings, of nonnegative terms.
    let energy = energy * (1.0 + 2.0 * rounding::gamma(total * m + FEW)) * rounding::SLACK + underflow;
    let (sum, step) = (rounding::gamma(total + FEW), rounding::gamma(m + FEW));
    let step = step * (1.0 + 4.0 * step) + rounding::UNIT;
    let least = (sum + step) * energy + underflow;
    let shift = RAISED * least;
    if !((least + step * order * shift) * rounding::SLACK <= shift) || !shift.is_finite() {
        return None;
    }
    (0..m).for_each(|i| moments.col_mut(i)[i] += shift);
    let mut factor = Cholesky::new(moments)?.into_lower();
    (0..m).for_each(|j| factor.col_mut(j)[..j].fill(0.0));
    Some(factor)
}

#[expect(clippy::cast_precision_loss, reason = "sizes are far below 2^53")]
fn count(size: usize) -> f64 {
    size as f64
}

/// `LᵀHL − λ²llᵀ` as computed, with the error of that.
struct Test {
    matrix: Matrix,
    error: f64,
}

impl Test {
    fn new(factor: &Matrix, q: usize, matrices: &[Matrix], lambda: f64) -> Option<Self> {
        let m = factor.nrows();
        let rows = |from: usize, to: usize| Matrix::from_fn(to - from, m, |i, j| factor.get(from + i, j));
        let (first, others) = (rows(0, q), rows(q, m));
        let mut matrix = form_of(&first, matrices);
        let square = lambda * lambda;
        // l has one entry, L being lower triangular.
        let corner = factor.get(0, 0);
        axpy(1.0, others.gram().as_slice(), matrix.as_mut_slice());
        matrix.col_mut(0)[0] -= square * corner * corner;
        // Entry (c, d) is off by γ b_c b_d at most, b_c² the sum of what is below: the chain
        // J S J has 2(k + 1) roundings, an inner product m, and there are as many J as there are.
        let price: f64 = matrices.iter().map(|j| norm_sq(j.as_slice())).sum();
        let columns = 2.0 * norm_sq(first.as_slice()) * price + norm_sq(others.as_slice());
        let absolute = columns + square * corner * corner;
        let width = matrices.first()?.nrows();
        let roundings = m + 2 * width + matrices.len() + FEW;
        let up = 1.0 + 2.0 * rounding::gamma(2 * m * m + FEW);
        // An underflow is multiplied by an entry of J and of L at most, or by λ².
        let underflow = 16.0 * count(m * width).powi(2) * count(matrices.len()) * rounding::ETA;
        let underflow = underflow * (1.0 + price) * (1.0 + absolute) * (1.0 + square);
        let error = rounding::gamma(roundings) * absolute * up * rounding::SLACK;
        let error = (error + underflow * (1.0 + norm_sq(factor.as_slice()))).next_up();
        error.is_finite().then_some(Self { matrix, error })
    }

    /// The largest eigenvalue, from above.
    fn largest(&self) -> Option<f64> {
        let m = self.matrix.nrows();
        let (estimate, _) = lanczos_largest(m, LANCZOS_STEPS, |v| {
            let mut image = vec![0.0; m];
            correlate(&self.matrix, v, &mut image);
            image
        });
        let largest = psd::largest_eigenvalue_upper(&self.matrix, estimate)?;
        Some((largest + self.error).next_up())
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::num::rational::{exact, is_psd};
    use num_rational::BigRational;
    use proptest::prelude::*;

    /// Rounded to single precision a dual point proves as much, nearly; beyond its range it is not
    /// rounded.
    #[test]
    fn a_dual_point_of_many_numbers_is_rounded() {
        let entry = |j: usize, i: usize| ((i * (2 * j + 3)) as f64).sin() + 0.2 * (j as f64);
        let map = Matrix::from_fn(3, 4, |i, j| if i == j { 0.3 } else { 0.01 * ((i + 2 * j) as f64) });
        for (size, rounded) in [(1.0, true), (1e20, false), (1e-20, false)] {
            let data = Matrix::from_fn(3, 50, |j, i| size * entry(j, i));
            let problem = Problem::builder(data).lambda(0.1 * size).gamma(0.1 * size).build().unwrap();
            // The constant is in the unit of the data.
            let mut map = map.clone();
            map.col_mut(3).iter_mut().for_each(|c| *c *= size);
            let exact = affine_dual_holding(usize::MAX, &problem, &map);
            let single = affine_dual_holding(0, &problem, &map);
            assert_eq!(exact.bytes(), 8 * 150);
            assert_eq!(single.bytes(), if rounded { 4 * 150 } else { 8 * 150 });
            for (x, y) in exact.to_matrix().as_slice().iter().zip(single.to_matrix().as_slice()) {
                assert!((x - y).abs() <= f64::from(f32::EPSILON) * x.abs());
            }
            let codes = crate::Codes::zeros(0, problem.len());
            let bare = crate::Factorization::new(crate::Dictionary::empty(3), codes, None).unwrap();
            let subject = crate::trusted::Subject::of(&problem, &bare).unwrap();
            let proved = |dual: &Datapoints| {
                crate::trusted::bounds::spectral(&subject, dual).expect("finite").lower.get()
            };
            let (of_single, of_exact) = (proved(&single), proved(&exact));
            assert!(of_exact > 0.0 && (of_single - of_exact).abs() <= 1e-5 * of_exact);
        }
    }

    /// `κ²A₀ − R₀ᵀR₀ − T₀` in exact arithmetic on the stored numbers.
    fn exact_test_matrix(
        problem: &Problem,
        dual: &Matrix,
        features: &Matrix,
        matrices: &[Matrix],
        kappa: f64,
    ) -> Vec<Vec<BigRational>> {
        let square = exact(kappa) * exact(kappa);
        let (l, g) = (exact(problem.lambda()), exact(problem.gamma()));
        let feature = |i: usize, a: usize| if a == 0 { exact(1.0) } else { exact(features.get(a - 1, i)) };
        let inner = |j: &Matrix, i: usize, k: usize| {
            let mut sum = exact(0.0);
            for a in 0..j.nrows() {
                for b in 0..j.nrows() {
                    sum += feature(i, a) * exact(j.get(a, b)) * feature(k, b);
                }
            }
            sum
        };
        let entry = |i: usize, k: usize| {
            let mut entry = square.clone() * l.clone() * l.clone();
            for (x, y) in dual.col(i).iter().zip(dual.col(k)) {
                entry -= exact(*x) * exact(*y);
            }
            if i == k {
                entry += square.clone() * g.clone() * g.clone() / exact(problem.data().weights()[i]);
            }
            for j in matrices {
                let value = inner(j, i, k);
                entry -= value.clone() * value;
            }
            entry
        };
        (0..problem.len()).map(|i| (0..problem.len()).map(|k| entry(i, k)).collect()).collect()
    }

    /// A problem, its dual point, features and two matrices J.
    fn instance() -> impl Strategy<Value = (Problem, Matrix, Matrix, Vec<Matrix>)> {
        (1..=2usize, 1..=5usize, 0..=2usize).prop_flat_map(|(n, len, k)| {
            (
                prop::collection::vec(-2.0..2.0f64, n * len),
                prop::collection::vec(-2.0..2.0f64, k * len),
                prop::collection::vec(-1.0..1.0f64, 18),
                prop::collection::vec(prop_oneof![0.01..1.0f64, 1e-9..1e-6f64], len),
                (prop_oneof![Just(0.0), 0.01..3.0f64], prop_oneof![1e-3..1.0f64, 1.0..10.0f64]),
                prop_oneof![Just(0), -100..100i32].prop_map(f64::from),
            )
                .prop_map(move |(r, y, j, w, (lambda, gamma), scale)| {
                    let scale = scale.exp2();
                    let of = |rows, entries: Vec<f64>| {
                        Matrix::from_column_major(rows, len, entries).expect("the length asked for")
                    };
                    let dual = of(n, r.iter().map(|r| r * scale).collect());
                    let matrix = |c: usize| {
                        Matrix::from_fn(k + 1, k + 1, |a, b| scale * j[9 * c + 3 * a.min(b) + a.max(b)])
                    };
                    let problem = Problem::builder(dual.clone())
                        .lambda(lambda * scale)
                        .gamma(gamma * scale)
                        .weights(w)
                        .build()
                        .expect("valid");
                    (problem, dual, of(k, y), vec![matrix(0), matrix(1)])
                })
        })
    }

    proptest! {
        #[test]
        fn the_polar_is_proved_in_exact_arithmetic((problem, dual, features, matrices) in instance()) {
            let Some(kappa) = polar(&problem, &dual, &features, &matrices) else {
                return Err(TestCaseError::reject("nothing proved"));
            };
            let kappa = kappa.get();
            prop_assert!(is_psd(exact_test_matrix(&problem, &dual, &features, &matrices, kappa)));
        }
    }

    /// One datapoint, one form: κ²γ² = max(γ², r² + J² − λ²).
    #[test]
    fn one_point_by_hand() {
        let x = Matrix::from_columns(1, &[[3.0]]);
        let problem = Problem::builder(x.clone()).lambda(0.5).gamma(2.0).build().unwrap();
        let matrices = [Matrix::from_fn(1, 1, |_, _| 1.5)];
        let kappa = polar(&problem, &x, &Matrix::zeros(0, 1), &matrices).unwrap().get();
        let by_hand = ((9.0 + 1.5_f64.powi(2) - 0.25) / 4.0).sqrt();
        assert!(kappa >= by_hand && kappa <= by_hand * (1.0 + 1e-9), "{kappa} {by_hand}");
    }

    #[test]
    fn products_are_in_the_order_they_unfold_in() {
        let y = [2.0, 3.0, 5.0];
        let mut lifted = vec![0.0; products(4)];
        lift(&y, &mut lifted);
        let square = unfolded(&lifted, 4);
        let whole = [1.0, 2.0, 3.0, 5.0];
        assert_eq!(square, Matrix::from_fn(4, 4, |i, j| whole[i] * whole[j]));
    }

    /// Of columns of products, the form is the sum of squares it stands for.
    #[test]
    fn the_form_is_that_of_the_squares() {
        let features = Matrix::from_fn(2, 4, |i, j| [0.5, -1.0, 2.0, 0.25, 1.5][(2 * i + 3 * j) % 5]);
        let matrices = [
            Matrix::from_fn(3, 3, |i, j| [1.0, -2.0, 0.5, 3.0, 0.0][i + j]),
            Matrix::from_fn(3, 3, |i, j| f64::from(u8::from(i == j))),
        ];
        let mut lifted = Matrix::zeros(products(3), 4);
        (0..4).for_each(|i| lift(features.col(i), lifted.col_mut(i)));
        let form = form_of(&lifted, &matrices);
        for i in 0..4 {
            for k in 0..4 {
                let with_one = |i: usize| [1.0, features.get(0, i), features.get(1, i)];
                let (u, v) = (with_one(i), with_one(k));
                let of = |j: &Matrix| -> f64 {
                    (0..3).map(|a| (0..3).map(|b| u[a] * j.get(a, b) * v[b]).sum::<f64>()).sum()
                };
                let expected: f64 = matrices.iter().map(|j| of(j) * of(j)).sum();
                assert!((form.get(i, k) - expected).abs() <= 1e-12 * (1.0 + expected));
            }
        }
    }

    #[test]
    fn what_cannot_be_proved_is_none() {
        let x = Matrix::from_columns(1, &[[1.0], [2.0]]);
        let problem = |gamma: f64| Problem::builder(x.clone()).lambda(1.0).gamma(gamma).build().unwrap();
        let (none, form) = (Matrix::zeros(0, 2), [Matrix::from_fn(1, 1, |_, _| 0.1)]);
        assert!(polar(&problem(1.0), &x, &none, &form).is_some());
        assert!(polar(&problem(0.0), &x, &none, &form).is_none());
        assert!(polar(&problem(1.0), &x, &none, &[]).is_none());
        for bad in [f64::NAN, f64::INFINITY] {
            let spoiled = Matrix::from_columns(1, &[[1.0], [bad]]);
            assert!(polar(&problem(1.0), &spoiled, &none, &form).is_none());
            assert!(polar(&problem(1.0), &x, &spoiled, &[Matrix::from_fn(2, 2, |_, _| 0.1)]).is_none());
            assert!(polar(&problem(1.0), &x, &none, &[Matrix::from_fn(1, 1, |_, _| bad)]).is_none());
        }
    }
}
