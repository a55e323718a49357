//! The matrix `A = λ²aaᵀ + γ²I` of the atom prices, and what the searches for a split compute with
//! it: the slack `A − RᵀR`, the polar of a proposal, and the dual point of a matrix Q.

use rayon::prelude::*;

use super::products::parallel_gram;
use crate::certificate::dual_value;
use crate::linalg::{Cholesky, Matrix, axpy, combine, correlate, dot, lanczos_largest};
use crate::num::max;
use crate::problem::Problem;

/// Lanczos steps of an evaluation. The largest eigenvalue settles to 1e-6 in 20 to 50 steps. The
/// certificate does not use this estimate.
const LANCZOS_STEPS: usize = 50;

/// The whitened data and `A = λ²aaᵀ + γ²I`.
pub(super) struct Metric<'p> {
    pub(super) problem: &'p Problem,
    pub(super) whitened: Matrix,
    /// Square roots of the weights.
    pub(super) a: &'p [f64],
    lambda_sq: f64,
    pub(super) gamma_sq: f64,
    /// λ_max(A).
    pub(super) largest: f64,
    /// The coefficient in `A^{-1/2} = (I − root·aaᵀ)/γ`.
    root: f64,
}

impl<'p> Metric<'p> {
    pub(super) fn new(problem: &'p Problem) -> Self {
        Self::along(problem, problem.data().whitened(), problem.data().sqrt_weights())
    }

    /// The same in other orthonormal coordinates of the datapoints: rows of X̃, and a, in them.
    pub(super) fn along(problem: &'p Problem, whitened: Matrix, a: &'p [f64]) -> Self {
        let (lambda_sq, gamma_sq) = (problem.lambda().powi(2), problem.gamma().powi(2));
        let total = dot(a, a);
        let largest = gamma_sq + lambda_sq * total;
        let root = (1.0 - (gamma_sq / largest).sqrt()) / total;
        Self { problem, whitened, a, lambda_sq, gamma_sq, largest, root }
    }

    /// Computes `R = (X̃ − b aᵀ)(I + UUᵀ)⁻¹` by the Woodbury identity. Where a center is learnt, b
    /// is optimal, which makes `Ra = 0`. Takes O(nNk + k³) time.
    pub(super) fn dual(&self, factor: &Matrix) -> Option<Matrix> {
        let (k, len) = (factor.ncols(), self.a.len());
        let mut gram = factor.transpose_times(factor);
        (0..k).for_each(|j| gram.col_mut(j)[j] += 1.0);
        let cholesky = Cholesky::new(gram)?;
        // (I + UUᵀ)⁻¹ v = v − U (I + UᵀU)⁻¹ Uᵀ v, for all rows of X̃ at once.
        let apply = |rows: &Matrix| {
            let projected = rows.times(factor);
            let mut small = Matrix::from_fn(k, rows.nrows(), |j, i| projected.get(i, j));
            cholesky.solve(&mut small);
            let back = Matrix::from_fn(rows.nrows(), k, |i, j| small.get(j, i)).times_transpose(factor);
            let mut out = rows.clone();
            axpy(-1.0, back.as_slice(), out.as_mut_slice());
            out
        };
        let mut dual = apply(&self.whitened);
        if self.problem.centered() {
            let unit = Matrix::from_fn(1, len, |_, i| self.a[i]);
            let image = apply(&unit);
            let share = dot(image.as_slice(), self.a);
            let mut mean = vec![0.0; dual.nrows()];
            combine(&dual, self.a, &mut mean);
            mean.iter_mut().for_each(|v| *v /= share);
            for i in 0..len {
                axpy(-image.as_slice()[i], &mean, dual.col_mut(i));
            }
        }
        Some(dual)
    }

    /// `A − RᵀR`.
    pub(super) fn slack(&self, dual: &Matrix) -> Matrix {
        let mut out = parallel_gram(dual);
        out.as_mut_slice().par_chunks_mut(self.a.len()).enumerate().for_each(|(j, column)| {
            let scale = self.lambda_sq * self.a[j];
            for (v, a) in column.iter_mut().zip(self.a) {
                *v = scale * a - *v;
            }
            column[j] += self.gamma_sq;
        });
        out
    }

    /// Whitens residual columns. With a center, also projects them on `Ra = 0`. `None` where the
    /// result is not finite.
    pub(super) fn feasible(&self, mut residuals: Matrix) -> Option<Matrix> {
        for (i, &a) in self.a.iter().enumerate() {
            residuals.col_mut(i).iter_mut().for_each(|v| *v *= a);
        }
        if self.problem.centered() {
            let mut mean = vec![0.0; residuals.nrows()];
            combine(&residuals, self.a, &mut mean);
            let total = dot(self.a, self.a);
            for (i, &a) in self.a.iter().enumerate() {
                axpy(-a / total, &mean, residuals.col_mut(i));
            }
        }
        residuals.as_slice().iter().all(|v| v.is_finite()).then_some(residuals)
    }

    /// `matrix + share·A`.
    pub(super) fn raised(&self, matrix: &Matrix, share: f64) -> Matrix {
        let mut out = matrix.clone();
        self.raise(&mut out, share);
        out
    }

    /// `matrix ← matrix + share·A`.
    pub(super) fn raise(&self, matrix: &mut Matrix, share: f64) {
        matrix.as_mut_slice().par_chunks_mut(self.a.len()).enumerate().for_each(|(j, column)| {
            axpy(share * self.lambda_sq * self.a[j], self.a, column);
            column[j] += share * self.gamma_sq;
        });
    }

    /// `v ← A^{-1/2}v`.
    pub(super) fn half_inverse(&self, v: &mut [f64]) {
        let c = self.root * dot(self.a, v);
        axpy(-c, self.a, v);
        let scale = 1.0 / self.gamma_sq.sqrt();
        v.iter_mut().for_each(|v| *v *= scale);
    }

    /// The polar κ, where κ² is the largest eigenvalue of the pencil `(RᵀR + T, A)`, and the bound
    /// that R gives with this κ.
    pub(super) fn promise(&self, dual: &Matrix, split: &Matrix) -> (f64, f64) {
        let (polar_sq, _) = lanczos_largest(self.a.len(), LANCZOS_STEPS, |v| {
            let mut u = v.to_vec();
            self.half_inverse(&mut u);
            let mut image = vec![0.0; u.len()];
            correlate(split, &u, &mut image);
            let mut low = vec![0.0; dual.nrows()];
            combine(dual, &u, &mut low);
            let mut high = vec![0.0; u.len()];
            correlate(dual, &low, &mut high);
            axpy(1.0, &high, &mut image);
            self.half_inverse(&mut image);
            image
        });
        let polar = max(polar_sq, 0.0).sqrt();
        (polar, self.value_at(dual, polar))
    }

    /// The dual objective at the best multiple of a dual point of this polar.
    pub(super) fn value_at(&self, dual: &Matrix, polar: f64) -> f64 {
        let (x, r) = (self.whitened.as_slice(), dual.as_slice());
        dual_value(dot(x, r), dot(r, r), polar)
    }

    /// The dual objective at a dual point.
    pub(super) fn value(&self, dual: &Matrix) -> f64 {
        let (x, r) = (self.whitened.as_slice(), dual.as_slice());
        dot(x, r) - 0.5 * dot(r, r)
    }

    /// The columns of a whitened dual point divided by `a`.
    pub(super) fn unwhitened(&self, mut dual: Matrix) -> Matrix {
        for (i, &a) in self.a.iter().enumerate() {
            dual.col_mut(i).iter_mut().for_each(|v| *v /= a);
        }
        dual
    }

    /// `diag(1/a) T diag(1/a)`, which the certificate checks without square roots.
    pub(super) fn root_free(&self, mut split: Matrix) -> Matrix {
        let len = self.a.len();
        split.as_mut_slice().par_chunks_mut(len).enumerate().for_each(|(j, column)| {
            for (t, a) in column.iter_mut().zip(self.a) {
                *t /= a * self.a[j];
            }
        });
        split
    }
}
