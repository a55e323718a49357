//! A rigorous lower bound of the smallest eigenvalue of a symmetric matrix.
//!
//! If floating-point Cholesky of the stored matrix `C` runs to completion, then
//! `λ_min(C) ≥ −γ/(1 − γ) · tr C` minus an underflow term (S. M. Rump,
//! *Verification of positive definiteness*, BIT 46, 2006; the statement for any
//! order of evaluation is Higham 2002, theorem 10.3). `proofs/rounding.md` has
//! the proof with the margin taken here.

use faer::dyn_stack::{MemBuffer, MemStack};
use faer::linalg::cholesky::llt::factor::{LltRegularization, cholesky_in_place, cholesky_in_place_scratch};
use faer::{MatMut, Par};

use super::Matrix;
use crate::num::rounding;

/// Operations a pivot or an entry of the factor goes through beyond its inner
/// product (root, reciprocal, product with the reciprocal), each rounded once;
/// ten times this costs one more decimal of nothing.
const EXTRA_ROUNDINGS: usize = 8;

/// A number `c ≥ 0` with `λ_min(matrix) ≥ −c`, if Cholesky of the stored matrix
/// succeeds; `None` if it does not. The lower triangle is read. O(n³/3).
#[must_use]
pub fn negative_part_bound(matrix: &Matrix) -> Option<f64> {
    let n = matrix.nrows();
    let trace: f64 = (0..n).map(|i| matrix.get(i, i)).sum();
    if !matrix.as_slice().iter().all(|v| v.is_finite()) || !(0..n).all(|i| matrix.get(i, i) >= 0.0) {
        return None;
    }
    if n == 0 {
        return Some(0.0);
    }
    let mut factor = matrix.clone();
    let scratch = cholesky_in_place_scratch::<f64>(n, Par::Seq, Default::default());
    cholesky_in_place(
        MatMut::from_column_major_slice_mut(factor.as_mut_slice(), n, n),
        LltRegularization::default(),
        Par::Seq,
        MemStack::new(&mut MemBuffer::new(scratch)),
        Default::default(),
    )
    .ok()?;
    if !(0..n).all(|i| factor.get(i, i).is_finite() && factor.get(i, i) > 0.0) {
        return None;
    }
    let g = rounding::gamma(n + EXTRA_ROUNDINGS);
    // (1 + 4g) covers 1/(1 − g) and the rounding of the trace.
    let shift = trace * g * (1.0 + 4.0 * g) * (1.0 + rounding::gamma(n + 2));
    #[expect(clippy::cast_precision_loss, reason = "n is far below 2^53")]
    let underflow = (n * (n + 4)) as f64 * rounding::ETA;
    Some((shift + underflow).next_up().next_up())
}

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
    let mut slack = frobenius * rounding::gamma(4 * n + 16) + f64::MIN_POSITIVE;
    // Each trial is 8 times looser; 60 of them span the whole range of f64 slacks.
    for _ in 0..60 {
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
        slack *= 8.0;
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
