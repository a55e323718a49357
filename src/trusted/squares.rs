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

use rayon::prelude::*;

use super::Upper;
use crate::linalg::{Cholesky, Matrix, axpy, correlate, lanczos_largest, norm_sq, psd};
use crate::num::{Interval, max, rounding};
use crate::problem::Problem;

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
        if !fits || problem.share().is_spread() {
            return None;
        }
        let features = affine(problem, &self.features);
        let part = |run: std::ops::Range<usize>| {
            let mut lifted = Matrix::zeros(q + n, run.len());
            for (at, i) in run.enumerate() {
                let column = lifted.col_mut(at);
                lift(features.col(i), &mut column[..q]);
                column[q..].copy_from_slice(problem.data().datapoint(i));
            }
            self.dual.times(&lifted)
        };
        let parts: Vec<Matrix> = problem.share().chunks(CHUNK).into_par_iter().map(part).collect();
        let mut dual = Matrix::zeros(n, 0);
        parts.iter().for_each(|part| dual.append(part));
        Some((dual, features))
    }

    /// The matrices J, symmetric.
    pub(super) fn matrices(&self) -> Vec<Matrix> {
        let width = self.forms.nrows();
        let matrix = |c: usize| {
            Matrix::from_fn(width, width, |i, j| self.forms.get(i.min(j), c * width + i.max(j)))
        };
        (0..self.forms.ncols() / width.max(1)).map(matrix).collect()
    }
}

/// Datapoints whose products are in memory at once, for each thread, and for a sum of all.
const CHUNK: usize = 1 << 10;
const SUMMED: usize = 1 << 12;

/// `C xᵢ + c` of all datapoints for `map = [C | c]`.
pub(crate) fn affine(problem: &Problem, map: &Matrix) -> Matrix {
    let n = problem.dim();
    let linear = map.select_columns(&(0..n).collect::<Vec<_>>());
    let mut out = Matrix::zeros(map.nrows(), 0);
    // A grain at a time: what rounding makes of a product may depend on its shape.
    for grain in problem.share().grains() {
        let points = problem.data().datapoints().select_columns(&grain.collect::<Vec<_>>());
        out.append(&linear.times(&points));
    }
    (0..out.ncols()).for_each(|i| axpy(1.0, map.col(n), out.col_mut(i)));
    out
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

/// `Σ wᵢfᵢfᵢᵀ` for `fᵢ` the products of the features and the other coordinates, and
/// `Σ wᵢ‖fᵢ‖²`, both as computed, from the roots of the weights. O(N m²) for m coordinates.
pub(crate) fn second_moments(roots: &[f64], features: &Matrix, others: &Matrix) -> (Matrix, f64) {
    let q = products(features.nrows() + 1);
    let m = q + others.nrows();
    let (mut sum, mut energy) = (Matrix::zeros(m, m), 0.0);
    let mut lifted = vec![0.0; m];
    for (c, roots) in roots.chunks(SUMMED).enumerate() {
        // A row a datapoint.
        let mut rows = Matrix::zeros(roots.len(), m);
        for (at, root) in roots.iter().enumerate() {
            let i = c * SUMMED + at;
            lift(features.col(i), &mut lifted[..q]);
            lifted[q..].copy_from_slice(others.col(i));
            lifted.iter().enumerate().for_each(|(k, v)| rows.col_mut(k)[at] = root * v);
        }
        energy += norm_sq(rows.as_slice());
        axpy(1.0, rows.gram().as_slice(), sum.as_mut_slice());
    }
    (sum, energy)
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
    let (moments, energy) = second_moments(problem.data().sqrt_weights(), features, dual);
    let factor = raised_factor(moments, energy, problem.total())?;
    let test = Test::new(&factor, q, matrices, problem.lambda())?;
    let largest = test.largest()?;
    // λ_max(LᵀHL − λ²llᵀ) ≤ κ²γ² is enough where κ ≥ 1.
    let square = Interval::point(largest).div(Interval::point(problem.gamma()).square());
    let square = Interval::point(max(square.hi, 1.0));
    square.hi.is_finite().then(|| Upper::proved(square.sqrt().hi))
}

/// A lower triangular L with `LLᵀ ⪰ Σ wᵢfᵢfᵢᵀ`, from the computed moments of `total` datapoints.
///
/// The computed sum is off by at most `γ_{N+6} Σ wᵢ‖fᵢ‖²` in norm: an entry passes N roundings of
/// its sum, two of products of features and four of products with a root of a weight. The factor
/// of a stored C is off by at most `γ_m/(1 − γ_m) tr C` (`proofs/rounding.md`, item 3).
fn raised_factor(mut moments: Matrix, energy: f64, total: usize) -> Option<Matrix> {
    let m = moments.nrows();
    // The computed energy has passed as many roundings, of nonnegative terms.
    let energy = energy * (1.0 + 2.0 * rounding::gamma(total * m + FEW)) * rounding::SLACK;
    let (sum, step) = (rounding::gamma(total + FEW), rounding::gamma(m + FEW));
    let least = (sum + step * (1.0 + 4.0 * step) + rounding::UNIT) * energy + f64::MIN_POSITIVE;
    let shift = RAISED * least;
    #[expect(clippy::cast_precision_loss, reason = "m is far below 2^53")]
    let grown = (step * (1.0 + 4.0 * step) + rounding::UNIT) * (m as f64) * shift;
    if !((least + grown) * rounding::SLACK <= shift) || !shift.is_finite() {
        return None;
    }
    (0..m).for_each(|i| moments.col_mut(i)[i] += shift);
    let mut factor = Cholesky::new(moments)?.into_lower();
    (0..m).for_each(|j| factor.col_mut(j)[..j].fill(0.0));
    Some(factor)
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
        let error = rounding::gamma(roundings) * absolute * up * rounding::SLACK + f64::MIN_POSITIVE;
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
