//! Positive parts of a sequence of N × N matrices, each close to the one before.
//!
//! An eigendecomposition of every matrix would dominate the search. The positive part has about as
//! many dimensions as there are atoms. A filtered subspace iteration therefore tracks the positive
//! part, started from the eigenvectors of the matrix before.

use faer::{MatMut, Par};
use rayon::prelude::*;

use super::products::parallel_product;
use crate::linalg::{Matrix, correlate, lanczos_largest, norm, orthonormal_columns, symmetric_eigen};
use crate::num::max;

/// Projects matrices on the positive semidefinite cone, each close to the one before.
pub(super) struct PositivePart {
    /// Orthonormal columns that span the last positive part and a margin of other directions.
    basis: Option<Matrix>,
    /// Minus the least eigenvalue, estimated at most [`MEASURED_EVERY`] matrices ago.
    depth: f64,
    /// Number of matrices projected by the subspace iteration.
    followed: usize,
}

/// Least number of directions kept beyond the positive ones; half the number of positive ones are
/// kept where that is more. The margin makes new positive eigenvalues visible. With a tenth of it
/// the iteration misses them and stalls.
const MARGIN: usize = 60;

/// Degree of the Chebyshev filter. Relative to a positive eigenvalue, the filter damps the negative
/// spectrum by cosh(degree · acosh) of the mapped eigenvalue. Degree eight costs half as much again
/// and changes the iterates little. With degree three the search takes a third more iterations.
const FILTER_DEGREE: usize = 5;

/// Matrices between two estimates of the least eigenvalue. The least eigenvalue moves little, and
/// an estimate costs as much as the filter.
const MEASURED_EVERY: usize = 5;

/// A full eigendecomposition is cheaper once the subspace has N / 4 dimensions or more.
pub(super) const FULL_SHARE: usize = 4;

impl PositivePart {
    pub(super) fn new() -> Self {
        Self { basis: None, depth: 0.0, followed: 0 }
    }

    /// Returns a factor U and the matrix `UUᵀ`, which approximates the projection. The first call
    /// is exact; later calls have the error of one filtered subspace iteration. The error may make
    /// a proposal less tight, but never invalid.
    pub(super) fn project(&mut self, matrix: &Matrix) -> Option<(Matrix, Matrix)> {
        let len = matrix.nrows();
        let (values, vectors) = match self.basis.take() {
            Some(basis) if basis.ncols() * FULL_SHARE < len => self.follow(matrix, &basis)?,
            _ => symmetric_eigen(matrix)?,
        };
        let first = values.partition_point(|v| *v <= 0.0);
        let positive = values.len() - first;
        let kept = (positive + MARGIN.max(positive / 2)).min(values.len());
        if first == 0 && values.len() < len {
            // Every direction kept is positive, so positive ones may be missing.
            let (values, vectors) = symmetric_eigen(matrix)?;
            return Some(self.split(&values, &vectors, values.len()));
        }
        Some(self.split(&values, &vectors, kept))
    }

    fn split(&mut self, values: &[f64], vectors: &Matrix, kept: usize) -> (Matrix, Matrix) {
        let count = values.len();
        self.basis = Some(vectors.select_columns(&(count - kept..count).collect::<Vec<_>>()));
        let first = values.partition_point(|v| *v <= 0.0);
        let mut factor = vectors.select_columns(&(first..count).collect::<Vec<_>>());
        for (k, value) in values[first..].iter().enumerate() {
            let root = value.sqrt();
            factor.col_mut(k).iter_mut().for_each(|x| *x *= root);
        }
        let product = parallel_product(&factor);
        (factor, product)
    }

    /// Makes one Chebyshev-filtered subspace iteration with Rayleigh–Ritz (Zhou, Saad, Tiago &
    /// Chelikowsky, 2006). Returns the eigenvalues in nondecreasing order, with their vectors.
    fn follow(&mut self, matrix: &Matrix, basis: &Matrix) -> Option<(Vec<f64>, Matrix)> {
        if self.followed.is_multiple_of(MEASURED_EVERY) {
            self.depth = depth(matrix);
        }
        self.followed += 1;
        // Orthonormal basis of the filtered columns, then the small eigenproblem.
        let q = orthonormal_columns(&filter(matrix, basis, self.depth));
        let mut image = Matrix::zeros(q.nrows(), q.ncols());
        add_product(1.0, matrix, &q, &mut image);
        let (values, small) = symmetric_eigen(&q.transpose_times(&image))?;
        Some((values, q.times(&small)))
    }
}

/// Lanczos steps for the least eigenvalue; the Ritz value is then within a few percent.
const DEPTH_STEPS: usize = 12;

/// Factor on the estimated depth, because the estimate is too small. Eigenvalues outside the
/// interval of the filter would grow like the positive ones.
const DEPTH_MARGIN: f64 = 1.1;

/// Estimates minus the least eigenvalue from below, by a Ritz value.
fn depth(matrix: &Matrix) -> f64 {
    let len = matrix.nrows();
    let (negated, _) = lanczos_largest(len, DEPTH_STEPS, |v| {
        let mut image = vec![0.0; len];
        correlate(matrix, v, &mut image);
        image.iter_mut().for_each(|x| *x = -*x);
        image
    });
    max(negated, f64::MIN_POSITIVE)
}

/// Multiplies the basis by a Chebyshev polynomial of the matrix that is large on the positive
/// spectrum. (In single precision, from degree 8 on, the largest directions drown the others.)
fn filter(matrix: &Matrix, basis: &Matrix, depth: f64) -> Matrix {
    // The unwanted interval [−2·half, 0], mapped to [−1, 1]: A' = A/half + I.
    let half = 0.5 * DEPTH_MARGIN * depth;
    let mut before = basis.clone();
    let mut now = basis.clone();
    add_product(1.0 / half, matrix, basis, &mut now);
    for _ in 1..FILTER_DEGREE {
        // T_{j+1}(A') = 2A'T_j(A') − T_{j−1}(A').
        before.as_mut_slice().iter_mut().zip(now.as_slice()).for_each(|(b, n)| *b = 2.0 * n - *b);
        add_product(2.0 / half, matrix, &now, &mut before);
        std::mem::swap(&mut before, &mut now);
        // Columns with large eigenvalues grow fast. Both terms of the recursion get the same scale.
        for k in 0..now.ncols() {
            let scale = 1.0 / max(norm(now.col(k)), f64::MIN_POSITIVE);
            now.col_mut(k).iter_mut().chain(before.col_mut(k)).for_each(|v| *v *= scale);
        }
    }
    now
}

/// `out ← out + factor · matrix · columns` for a symmetric N × N matrix, in parallel
/// blocks of rows.
fn add_product(factor: f64, matrix: &Matrix, columns: &Matrix, out: &mut Matrix) {
    let (len, count) = (matrix.nrows(), columns.ncols());
    let out = MatMut::from_column_major_slice_mut(out.as_mut_slice(), len, count);
    out.par_row_chunks_mut(PRODUCT_ROWS).enumerate().for_each(|(c, rows)| {
        let symmetric = matrix.as_faer().subcols(c * PRODUCT_ROWS, rows.nrows()).transpose();
        let columns = columns.as_faer();
        faer::linalg::matmul::matmul(rows, faer::Accum::Add, symmetric, columns, factor, Par::Seq);
    });
}

/// Rows of a tall product that one task computes. The number is fixed, so that the result does not
/// depend on the number of threads.
const PRODUCT_ROWS: usize = 256;
