//! A dense column-major matrix: a column is a datapoint or an atom.

use faer::diag::Diag;
use faer::dyn_stack::{MemBuffer, MemStack};
use faer::linalg::evd;
use faer::{Mat, MatMut, MatRef, Par};

/// Dense `rows × cols` matrix of `f64`, column-major and contiguous.
///
/// A column is a vector of the data space: a datapoint, an atom, a residual.
/// The memory is that of an `.npy` file in C order with a datapoint a row.
#[derive(Clone, Debug, PartialEq)]
pub struct Matrix {
    rows: usize,
    cols: usize,
    data: Vec<f64>,
}

impl Matrix {
    /// All zeros.
    #[must_use]
    pub fn zeros(rows: usize, cols: usize) -> Self {
        Self { rows, cols, data: vec![0.0; rows * cols] }
    }

    /// From the columns laid end to end.
    ///
    /// # Errors
    /// Gives `data` back when its length is not `rows · cols`.
    pub fn from_column_major(rows: usize, cols: usize, data: Vec<f64>) -> Result<Self, Vec<f64>> {
        if rows.checked_mul(cols) == Some(data.len()) { Ok(Self { rows, cols, data }) } else { Err(data) }
    }

    /// Entry `(i, j)` is `f(i, j)`.
    #[must_use]
    pub fn from_fn(rows: usize, cols: usize, mut f: impl FnMut(usize, usize) -> f64) -> Self {
        let mut data = Vec::with_capacity(rows * cols);
        for j in 0..cols {
            for i in 0..rows {
                data.push(f(i, j));
            }
        }
        Self { rows, cols, data }
    }

    /// From slices, one a column; all must have length `rows`.
    ///
    /// # Panics
    /// If a column has another length.
    #[must_use]
    pub fn from_columns<C: AsRef<[f64]>>(rows: usize, columns: &[C]) -> Self {
        let mut data = Vec::with_capacity(rows * columns.len());
        for column in columns {
            assert_eq!(column.as_ref().len(), rows, "every column has `rows` entries");
            data.extend_from_slice(column.as_ref());
        }
        Self { rows, cols: columns.len(), data }
    }

    /// Number of rows (the dimension n).
    #[must_use]
    pub fn nrows(&self) -> usize {
        self.rows
    }

    /// Number of columns (datapoints or atoms).
    #[must_use]
    pub fn ncols(&self) -> usize {
        self.cols
    }

    /// Column `j`.
    #[must_use]
    pub fn col(&self, j: usize) -> &[f64] {
        &self.data[j * self.rows..(j + 1) * self.rows]
    }

    /// Column `j`, to write.
    pub fn col_mut(&mut self, j: usize) -> &mut [f64] {
        &mut self.data[j * self.rows..(j + 1) * self.rows]
    }

    /// Entry `(i, j)`.
    #[must_use]
    pub fn get(&self, i: usize, j: usize) -> f64 {
        self.data[j * self.rows + i]
    }

    /// The columns in order.
    pub fn columns(&self) -> impl ExactSizeIterator<Item = &[f64]> {
        (0..self.cols).map(|j| self.col(j))
    }

    /// All entries, column after column.
    #[must_use]
    pub fn as_slice(&self) -> &[f64] {
        &self.data
    }

    /// All entries, column after column, to write.
    pub fn as_mut_slice(&mut self) -> &mut [f64] {
        &mut self.data
    }

    /// The entries, column after column.
    #[must_use]
    pub fn into_vec(self) -> Vec<f64> {
        self.data
    }

    /// The matrix of the columns `indices`.
    #[must_use]
    pub fn select_columns(&self, indices: &[usize]) -> Self {
        let mut data = Vec::with_capacity(self.rows * indices.len());
        for &j in indices {
            data.extend_from_slice(self.col(j));
        }
        Self { rows: self.rows, cols: indices.len(), data }
    }

    /// Appends a column of length `nrows`.
    ///
    /// # Panics
    /// If the column has another length.
    pub fn push_column(&mut self, column: &[f64]) {
        assert_eq!(column.len(), self.rows, "the column has `nrows` entries");
        self.data.extend_from_slice(column);
        self.cols += 1;
    }

    /// A view for faer.
    #[must_use]
    pub fn as_faer(&self) -> MatRef<'_, f64> {
        MatRef::from_column_major_slice(&self.data, self.rows, self.cols)
    }

    /// `selfᵀ · other`, sequential.
    #[must_use]
    pub(crate) fn transpose_times(&self, other: &Self) -> Self {
        product(self.as_faer().transpose(), other.as_faer())
    }

    /// `selfᵀ · self`, blocks of columns in parallel.
    #[must_use]
    pub(crate) fn gram(&self) -> Self {
        use rayon::prelude::*;
        // Columns a task forms: a product of this width runs near full speed.
        const BLOCK: usize = 64;
        let mut out = Self::zeros(self.cols, self.cols);
        let cols = self.cols;
        if cols == 0 {
            return out;
        }
        out.data.par_chunks_mut(BLOCK * cols).enumerate().for_each(|(c, block)| {
            let width = block.len() / cols;
            let right = MatRef::from_column_major_slice(
                &self.data[c * BLOCK * self.rows..(c * BLOCK + width) * self.rows],
                self.rows,
                width,
            );
            faer::linalg::matmul::matmul(
                MatMut::from_column_major_slice_mut(block, cols, width),
                faer::Accum::Replace,
                self.as_faer().transpose(),
                right,
                1.0,
                Par::Seq,
            );
        });
        out
    }

    /// `self · selfᵀ`, sequential.
    #[must_use]
    pub(crate) fn times_own_transpose(&self) -> Self {
        product(self.as_faer(), self.as_faer().transpose())
    }
}

impl From<MatRef<'_, f64>> for Matrix {
    fn from(matrix: MatRef<'_, f64>) -> Self {
        Self::from_fn(matrix.nrows(), matrix.ncols(), |i, j| matrix[(i, j)])
    }
}

impl From<Mat<f64>> for Matrix {
    fn from(matrix: Mat<f64>) -> Self {
        Self::from(matrix.as_ref())
    }
}

fn product(left: MatRef<'_, f64>, right: MatRef<'_, f64>) -> Matrix {
    let mut out = Matrix::zeros(left.nrows(), right.ncols());
    let (rows, cols) = (out.rows, out.cols);
    faer::linalg::matmul::matmul(
        MatMut::from_column_major_slice_mut(&mut out.data, rows, cols),
        faer::Accum::Replace,
        left,
        right,
        1.0,
        Par::Seq,
    );
    out
}

/// Eigenvalues (nondecreasing) and eigenvectors of a symmetric matrix, of which
/// the lower triangle is read; sequential, so the same for any thread count.
/// `None` when the iteration does not converge or the matrix is not finite.
pub(crate) fn symmetric_eigen(matrix: &Matrix) -> Option<(Vec<f64>, Matrix)> {
    let n = matrix.nrows();
    let mut values = Diag::<f64>::zeros(n);
    let mut vectors = Matrix::zeros(n, n);
    let scratch =
        evd::self_adjoint_evd_scratch::<f64>(n, evd::ComputeEigenvectors::Yes, Par::Seq, Default::default());
    evd::self_adjoint_evd(
        matrix.as_faer(),
        values.as_mut(),
        Some(MatMut::from_column_major_slice_mut(&mut vectors.data, n, n)),
        Par::Seq,
        MemStack::new(&mut MemBuffer::new(scratch)),
        Default::default(),
    )
    .ok()?;
    let values: Vec<f64> = values.column_vector().iter().copied().collect();
    values.iter().all(|v| v.is_finite()).then_some((values, vectors))
}
