//! Products of N × N matrices in parallel, in blocks that do not depend on the number of
//! threads.

use rayon::prelude::*;

use crate::linalg::Matrix;

/// Columns of an N × N product that one task computes. The number is fixed, so that the result does
/// not depend on the number of threads.
const PRODUCT_COLUMNS: usize = 128;

/// `UUᵀ`, in parallel blocks of columns.
pub(super) fn parallel_product(factor: &Matrix) -> Matrix {
    let len = factor.nrows();
    let transposed = Matrix::from_fn(factor.ncols(), len, |k, i| factor.get(i, k));
    parallel_gram(&transposed)
}

/// `left · square`, in parallel blocks of columns.
pub(super) fn parallel_times(left: &Matrix, square: &Matrix) -> Matrix {
    let (rows, len) = (left.nrows(), square.ncols());
    let mut out = Matrix::zeros(rows, len);
    out.as_mut_slice().par_chunks_mut(PRODUCT_COLUMNS * rows).enumerate().for_each(|(c, block)| {
        let range: Vec<usize> = (c * PRODUCT_COLUMNS..((c + 1) * PRODUCT_COLUMNS).min(len)).collect();
        block.copy_from_slice(left.times(&square.select_columns(&range)).as_slice());
    });
    out
}

/// `RᵀR`, in parallel blocks of columns.
pub(super) fn parallel_gram(columns: &Matrix) -> Matrix {
    let len = columns.ncols();
    let mut out = Matrix::zeros(len, len);
    out.as_mut_slice().par_chunks_mut(PRODUCT_COLUMNS * len).enumerate().for_each(|(c, block)| {
        let range: Vec<usize> = (c * PRODUCT_COLUMNS..((c + 1) * PRODUCT_COLUMNS).min(len)).collect();
        block.copy_from_slice(columns.transpose_times(&columns.select_columns(&range)).as_slice());
    });
    out
}
