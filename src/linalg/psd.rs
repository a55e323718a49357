//! A rigorous lower bound of the smallest eigenvalue of a symmetric matrix.
//!
//! An eigenvalue that an eigensolver gives proves nothing; a Cholesky factorization that
//! completes does. The bound is as loose as n units in the last place of the trace: a
//! smaller eigenvalue than that is not told from 0.
//!
//! If floating-point Cholesky of the stored matrix `C` runs to completion, then
//! `λ_min(C) ≥ −γ/(1 − γ) · tr C` minus an underflow term (S. M. Rump,
//! *Verification of positive definiteness*, BIT 46, 2006; the statement for any
//! order of evaluation is Higham 2002, theorem 10.3). `proofs/rounding.md` has
//! the proof with the margin taken here.

use super::Matrix;
use crate::num::rounding;

/// Roundings of a pivot or an entry of the factor beyond those of its inner product.
/// `proofs/rounding.md`, item 3, counts 5 (root, reciprocal, product with it); the
/// bound grows by a share of 1/n with each one more.
const EXTRA_ROUNDINGS: usize = 8;

/// A number `c ≥ 0` with `λ_min(matrix) ≥ −c`, if Cholesky of the stored matrix
/// succeeds; `None` if it does not. The lower triangle is read. O(n³/3).
#[must_use]
pub fn negative_part_bound(matrix: &Matrix) -> Option<f64> {
    weighted_negative_part_bound(matrix, &vec![1.0; matrix.nrows()])
}

/// A number `c ≥ 0` with `matrix + c·diag(1/w) ⪰ 0`, if Cholesky of the stored
/// matrix succeeds; `None` if it does not. The lower triangle is read. O(n³/3).
///
/// Scaling row and column i by `√wᵢ` would multiply the usual bound's trace
/// terms by `wᵢ`: this is that bound without the roots (`proofs/rounding.md`,
/// item 9). All weights must be positive.
#[must_use]
pub fn weighted_negative_part_bound(matrix: &Matrix, weights: &[f64]) -> Option<f64> {
    let n = matrix.nrows();
    if !matrix.as_slice().iter().all(|v| v.is_finite()) || !(0..n).all(|i| matrix.get(i, i) >= 0.0) {
        return None;
    }
    if n == 0 {
        return Some(0.0);
    }
    super::Cholesky::new(matrix.clone())?;
    let g = rounding::gamma(n + EXTRA_ROUNDINGS);
    #[expect(clippy::cast_precision_loss, reason = "n is far below 2^53")]
    let order = n as f64;
    let largest = (0..n).map(|i| matrix.get(i, i)).fold(0.0, crate::num::max);
    // What underflow can add to an entry of the factor's product.
    let underflow = (2.0 * order + 4.0) * rounding::ETA + (2.0 * largest * rounding::ETA).next_up();
    let (mut trace, mut total) = (0.0, 0.0);
    for (i, &w) in weights.iter().enumerate().take(n) {
        trace += w * (matrix.get(i, i) + underflow);
        total += w;
    }
    // (1 + 4g) covers 1/(1 − g); the last factor the roundings of the two sums.
    let shift = (trace * g * (1.0 + 4.0 * g) + underflow * total) * (1.0 + 2.0 * rounding::gamma(n + 8));
    Some((shift + order * rounding::ETA).next_up().next_up())
}

/// Roundings a row that the first trial of [`largest_eigenvalue_upper`] leaves room for:
/// four times what a factorization loses, so that a good estimate is proved at once.
const FIRST_SLACK: usize = 4;

/// How much looser each trial is than the one before. Larger steps prove a looser
/// bound, smaller ones factor more often.
const WIDENING: f64 = 8.0;

/// Trials of [`largest_eigenvalue_upper`]: `8⁶⁰ = 2¹⁸⁰` times the first slack is beyond
/// any estimate that an eigensolver gives.
const TRIALS: usize = 60;

/// An upper bound of the largest eigenvalue of a symmetric matrix, proved by a
/// Cholesky of `s·I − C` for a trial `s` just above `estimate`.
///
/// `estimate` may come from anywhere; a poor one costs tightness, never truth.
/// `None` when no trial succeeds (a matrix that is not finite).
#[must_use]
pub fn largest_eigenvalue_upper(matrix: &Matrix, estimate: f64) -> Option<f64> {
    let n = matrix.nrows();
    if n == 0 {
        return Some(0.0);
    }
    // In units of the largest entry, so that no square overflows or vanishes.
    let largest = matrix.as_slice().iter().fold(0.0, |m, v| crate::num::max(m, v.abs()));
    let unit = if largest > 0.0 { largest } else { 1.0 };
    let frobenius = matrix.as_slice().iter().map(|v| (v / unit) * (v / unit)).sum::<f64>().sqrt() * unit;
    if !frobenius.is_finite() || !estimate.is_finite() {
        return None;
    }
    let mut slack = frobenius * rounding::gamma(FIRST_SLACK * n + 2 * EXTRA_ROUNDINGS) + f64::MIN_POSITIVE;
    for _ in 0..TRIALS {
        let shift = estimate + slack;
        let mut shifted = matrix.clone();
        shifted.as_mut_slice().iter_mut().for_each(|v| *v = -*v);
        let mut radius: f64 = 0.0;
        for i in 0..n {
            let value = shift - matrix.get(i, i);
            // The one rounding of the subtraction, per diagonal entry.
            radius = crate::num::max(radius, value.abs() * f64::EPSILON);
            shifted.col_mut(i)[i] = value;
        }
        if let Some(c) = negative_part_bound(&shifted) {
            return Some((shift + (c + radius).next_up()).next_up());
        }
        slack *= WIDENING;
    }
    None
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn bounds_the_largest_eigenvalue_of_a_known_matrix() {
        // J + I of order 5 has largest eigenvalue 6.
        let m = Matrix::from_fn(5, 5, |i, j| if i == j { 2.0 } else { 1.0 });
        let upper = largest_eigenvalue_upper(&m, 6.0).unwrap();
        assert!((6.0..6.0 + 1e-12).contains(&upper));
        // A wrong estimate costs tightness only.
        assert!(largest_eigenvalue_upper(&m, 1.0).unwrap() >= 6.0);
    }

    #[test]
    fn an_indefinite_matrix_is_not_bounded() {
        let m = Matrix::from_fn(2, 2, |i, j| if i == j { 1.0 } else { 2.0 });
        assert_eq!(negative_part_bound(&m), None);
    }
}
