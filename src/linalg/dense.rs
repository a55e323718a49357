//! A dense column-major matrix: a column is a datapoint or an atom.

use faer::diag::Diag;
use faer::dyn_stack::{MemBuffer, MemStack};
use faer::linalg::cholesky::llt;
use faer::linalg::evd;
use faer::{Mat, MatMut, MatRef, Par};
use rayon::prelude::*;

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

/// Entries of a vector made orthogonal to others by one task: they stay in cache.
const ORTHOGONALISED: usize = 1 << 14;

/// Largest eigenvalue and a unit eigenvector of a symmetric operator by Lanczos
/// with full orthogonalization, from a fixed start: a Ritz value, so a *lower*
/// estimate of the largest eigenvalue. O(steps · cost + steps² · size).
pub(crate) fn lanczos_largest(
    size: usize,
    steps: usize,
    mut apply: impl FnMut(&[f64]) -> Vec<f64>,
) -> (f64, Vec<f64>) {
    use super::{axpy, dot, norm};
    // A fixed generic start: no eigenvector of interest is orthogonal to it.
    #[expect(clippy::cast_precision_loss, reason = "a small index")]
    let mut v: Vec<f64> = (0..size).map(|i| 1.0 + ((i + 1) as f64 * 0.618_033_988_749_895).fract()).collect();
    let mut basis: Vec<Vec<f64>> = Vec::new();
    let (mut diagonal, mut off) = (Vec::new(), Vec::new());
    for _ in 0..steps.min(size) {
        let length = norm(&v);
        if !(length > 0.0) {
            break;
        }
        v.iter_mut().for_each(|x| *x /= length);
        let mut image = apply(&v);
        diagonal.push(dot(&image, &v));
        basis.push(v);
        // Twice is enough.
        orthogonalize(&mut image, &basis);
        orthogonalize(&mut image, &basis);
        off.push(norm(&image));
        v = image;
        if off[off.len() - 1]
            <= 1e-14 * diagonal.iter().fold(0.0, |m: f64, d: &f64| crate::num::max(m, d.abs()))
        {
            break;
        }
    }
    let k = diagonal.len();
    let small = Matrix::from_fn(k, k, |i, j| match i.abs_diff(j) {
        0 => diagonal[i],
        1 => off[i.min(j)],
        _ => 0.0,
    });
    let Some((values, vectors)) = symmetric_eigen(&small) else { return (f64::NAN, vec![0.0; size]) };
    let mut vector = vec![0.0; size];
    if k > 0 {
        for (b, &c) in basis.iter().zip(vectors.col(k - 1)) {
            axpy(c, b, &mut vector);
        }
    }
    (values.last().copied().unwrap_or(f64::NAN), vector)
}

/// `v ← v − BBᵀv` for orthonormal vectors B.
fn orthogonalize(v: &mut [f64], basis: &[Vec<f64>]) {
    use super::{axpy, dot, simd};
    let along = |b: &Vec<f64>| {
        simd(
            #[inline(always)]
            || dot(b, v),
        )
    };
    let parallel = v.len() > ORTHOGONALISED;
    let components: Vec<f64> =
        if parallel { basis.par_iter().map(along).collect() } else { basis.iter().map(along).collect() };
    let subtract = |(tile, part): (usize, &mut [f64])| {
        let from = tile * ORTHOGONALISED;
        simd(
            #[inline(always)]
            || {
                for (b, c) in basis.iter().zip(&components) {
                    axpy(-c, &b[from..from + part.len()], part);
                }
            },
        );
    };
    if parallel {
        v.par_chunks_mut(ORTHOGONALISED).enumerate().for_each(subtract);
    } else {
        subtract((0, v));
    }
}

/// Cholesky factor of a positive definite matrix, sequential.
pub(crate) struct Cholesky(Matrix);

impl Cholesky {
    /// Factors the matrix, of which the lower triangle is read; `None` if it is
    /// not positive definite to working precision.
    pub(crate) fn new(mut matrix: Matrix) -> Option<Self> {
        let n = matrix.nrows();
        let scratch = llt::factor::cholesky_in_place_scratch::<f64>(n, Par::Seq, Default::default());
        llt::factor::cholesky_in_place(
            MatMut::from_column_major_slice_mut(&mut matrix.data, n, n),
            llt::factor::LltRegularization::default(),
            Par::Seq,
            MemStack::new(&mut MemBuffer::new(scratch)),
            Default::default(),
        )
        .ok()?;
        (0..n).all(|i| matrix.get(i, i).is_finite() && matrix.get(i, i) > 0.0).then_some(Self(matrix))
    }

    /// Order of the matrix.
    pub(crate) fn size(&self) -> usize {
        self.0.rows
    }

    /// `rhs ← matrix⁻¹ rhs`.
    pub(crate) fn solve(&self, rhs: &mut Matrix) {
        let (n, k) = (self.0.rows, rhs.cols);
        let scratch = llt::solve::solve_in_place_scratch::<f64>(n, k, Par::Seq);
        llt::solve::solve_in_place(
            self.0.as_faer(),
            MatMut::from_column_major_slice_mut(&mut rhs.data, n, k),
            Par::Seq,
            MemStack::new(&mut MemBuffer::new(scratch)),
        );
    }
}

/// An orthonormal basis of the columns' span (and, where they are dependent, of
/// a larger one) by Householder's QR, sequential. Needs `nrows ≥ ncols`.
pub(crate) fn orthonormal_columns(columns: &Matrix) -> Matrix {
    use faer::linalg::householder as hh;
    use faer::linalg::qr::no_pivoting::factor as qr;
    let (m, n) = (columns.rows, columns.cols);
    let mut factor = columns.clone();
    let block = qr::recommended_block_size::<f64>(m, n);
    let mut coefficients = Mat::<f64>::zeros(block, n);
    qr::qr_in_place(
        MatMut::from_column_major_slice_mut(&mut factor.data, m, n),
        coefficients.as_mut(),
        Par::Seq,
        MemStack::new(&mut MemBuffer::new(qr::qr_in_place_scratch::<f64>(
            m,
            n,
            block,
            Par::Seq,
            Default::default(),
        ))),
        Default::default(),
    );
    let mut q = Matrix::from_fn(m, n, |i, j| f64::from(u8::from(i == j)));
    hh::apply_block_householder_sequence_on_the_left_in_place_with_conj(
        factor.as_faer(),
        coefficients.as_ref(),
        faer::Conj::No,
        MatMut::from_column_major_slice_mut(&mut q.data, m, n),
        Par::Seq,
        MemStack::new(&mut MemBuffer::new(
            hh::apply_block_householder_sequence_on_the_left_in_place_scratch::<f64>(m, block, n),
        )),
    );
    q
}

/// Eigenvalues (nondecreasing) of a symmetric matrix, of which the lower
/// triangle is read. `None` as for [`symmetric_eigen`]. O(n³).
pub(crate) fn symmetric_eigenvalues(matrix: &Matrix) -> Option<Vec<f64>> {
    let n = matrix.nrows();
    let mut values = Diag::<f64>::zeros(n);
    let scratch =
        evd::self_adjoint_evd_scratch::<f64>(n, evd::ComputeEigenvectors::No, Par::Seq, Default::default());
    evd::self_adjoint_evd(
        matrix.as_faer(),
        values.as_mut(),
        None,
        Par::Seq,
        MemStack::new(&mut MemBuffer::new(scratch)),
        Default::default(),
    )
    .ok()?;
    let values: Vec<f64> = values.column_vector().iter().copied().collect();
    values.iter().all(|v| v.is_finite()).then_some(values)
}
