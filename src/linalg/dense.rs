//! A dense column-major matrix: a column is a datapoint or an atom.

use faer::reborrow::ReborrowMut;
use faer::{MatMut, MatRef, Par};
use rayon::prelude::*;
use serde::{Deserialize, Serialize};

/// Columns of a Gram matrix that one task forms: wide enough for a product to run near
/// full speed, narrow enough to give every thread a task.
const GRAM_COLUMNS: usize = 64;

/// Dense `rows × cols` matrix of `f64`, column-major and contiguous.
///
/// A column is a vector of the data space: a datapoint, an atom, a residual.
/// The memory is that of an `.npy` file in C order with a datapoint a row: a
/// row-major (N, n) array of another library and the n × N matrix of this one are
/// the same numbers in the same order.
///
/// Entries may be any `f64`, NaN too: what is built from a matrix (a
/// [`Problem`](crate::Problem), a [`Dictionary`](crate::Dictionary)) refuses them.
///
/// # Other libraries
/// With the feature `ndarray` or `nalgebra` a matrix is made by `Matrix::from` of an
/// array or a view with **the same shape** (entry `(i, j)` stays entry `(i, j)`),
/// and lends its memory as a view the other way. Rows that are datapoints must be
/// transposed first: `Matrix::from(x.t())` of a row-major (N, n) array copies it in
/// order.
///
/// As a serde type it is `{rows, cols, data}`, `data` column after column; a wrong
/// length is refused.
///
/// # Examples
/// ```
/// use widedict::Matrix;
/// let x = Matrix::from_columns(2, &[[3.0, 4.0], [0.0, 1.0], [2.0, 2.0]]);
/// assert_eq!((x.nrows(), x.ncols(), x.get(1, 0)), (2, 3, 4.0));
/// ```
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(try_from = "Parts")]
pub struct Matrix {
    rows: usize,
    cols: usize,
    data: Vec<f64>,
}

/// A matrix as it is written, before its length is checked.
#[derive(Deserialize)]
struct Parts {
    rows: usize,
    cols: usize,
    data: Vec<f64>,
}

/// A number of entries that is not the number of rows times that of columns.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("a matrix of {rows} rows and {cols} columns: found {found} entries")]
pub struct EntryCount {
    /// Rows asked for.
    pub rows: usize,
    /// Columns asked for.
    pub cols: usize,
    /// Entries given.
    pub found: usize,
}

impl TryFrom<Parts> for Matrix {
    type Error = EntryCount;

    fn try_from(parts: Parts) -> Result<Self, EntryCount> {
        let Parts { rows, cols, data } = parts;
        Self::from_column_major(rows, cols, data).map_err(|data| EntryCount { rows, cols, found: data.len() })
    }
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

    /// Appends the columns of another matrix with as many rows.
    pub(crate) fn append(&mut self, other: &Self) {
        assert_eq!(other.rows, self.rows, "columns of one length");
        self.data.extend_from_slice(&other.data);
        self.cols += other.cols;
    }

    /// A view for faer.
    #[must_use]
    pub(crate) fn as_faer(&self) -> MatRef<'_, f64> {
        MatRef::from_column_major_slice(&self.data, self.rows, self.cols)
    }

    /// `selfᵀ · other`, sequential.
    #[must_use]
    pub(crate) fn transpose_times(&self, other: &Self) -> Self {
        product(self.as_faer().transpose(), other.as_faer())
    }

    /// `selfᵀ · self`, blocks of columns in parallel: one half is formed, the other copied.
    #[must_use]
    pub(crate) fn gram(&self) -> Self {
        let mut out = Self::zeros(self.cols, self.cols);
        let (rows, cols) = (self.rows, self.cols);
        if cols == 0 {
            return out;
        }
        let block = |c: usize, width: usize| {
            let from = c * GRAM_COLUMNS;
            MatRef::from_column_major_slice(&self.data[from * rows..(from + width) * rows], rows, width)
        };
        out.data.par_chunks_mut(GRAM_COLUMNS * cols).enumerate().for_each(|(c, columns)| {
            let width = columns.len() / cols;
            let from = c * GRAM_COLUMNS;
            let mut columns = MatMut::from_column_major_slice_mut(columns, cols, width);
            faer::linalg::matmul::matmul(
                columns.rb_mut().subrows_mut(from, cols - from),
                faer::Accum::Replace,
                self.as_faer().subcols(from, cols - from).transpose(),
                block(c, width),
                1.0,
                Par::Seq,
            );
        });
        // Squares of the half that is there, transposed to the other: column j of block c has
        // its rows before the block from the rows j of the blocks before.
        let mut done: Vec<&mut [f64]> = Vec::new();
        for (c, columns) in out.data.chunks_mut(GRAM_COLUMNS * cols).enumerate() {
            let from = c * GRAM_COLUMNS;
            for (b, before) in done.iter().enumerate() {
                for (j, column) in columns.chunks_exact_mut(cols).enumerate() {
                    for (i, value) in column[b * GRAM_COLUMNS..(b + 1) * GRAM_COLUMNS].iter_mut().enumerate()
                    {
                        *value = before[i * cols + from + j];
                    }
                }
            }
            done.push(columns);
        }
        out
    }

    /// Adds `columns · columnsᵀ` to the lower half, blocks of columns in parallel.
    pub(crate) fn add_own_products(&mut self, columns: &Self) {
        let (order, depth) = (self.rows, columns.cols);
        if order == 0 {
            return;
        }
        let left = columns.as_faer();
        self.data.par_chunks_mut(GRAM_COLUMNS * order).enumerate().for_each(|(c, part)| {
            let (from, width) = (c * GRAM_COLUMNS, part.len() / order);
            let mut part = MatMut::from_column_major_slice_mut(part, order, width);
            faer::linalg::matmul::matmul(
                part.rb_mut().subrows_mut(from, order - from),
                faer::Accum::Add,
                left.submatrix(from, 0, order - from, depth),
                left.submatrix(from, 0, width, depth).transpose(),
                1.0,
                Par::Seq,
            );
        });
    }

    /// Makes a square matrix symmetric by copying its lower half.
    pub(crate) fn copy_lower(&mut self) {
        for j in 0..self.cols {
            for i in 0..j {
                self.data[j * self.rows + i] = self.data[i * self.rows + j];
            }
        }
    }

    /// `self · other`, sequential.
    #[must_use]
    pub(crate) fn times(&self, other: &Self) -> Self {
        product(self.as_faer(), other.as_faer())
    }

    /// `self · otherᵀ`, sequential.
    #[must_use]
    pub(crate) fn times_transpose(&self, other: &Self) -> Self {
        product(self.as_faer(), other.as_faer().transpose())
    }

    /// `self · selfᵀ`, sequential.
    #[must_use]
    pub(crate) fn times_own_transpose(&self) -> Self {
        product(self.as_faer(), self.as_faer().transpose())
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
