//! Decompositions of dense matrices: symmetric eigenvalues, Cholesky, QR and Lanczos.
//!
//! Each is sequential, because faer's threaded results depend on the number of
//! threads in their last bits and are no faster at the sizes used here.

use faer::diag::Diag;
use faer::dyn_stack::{MemBuffer, MemStack};
use faer::linalg::cholesky::llt;
use faer::linalg::evd;
use faer::linalg::triangular_solve::{solve_lower_triangular_in_place, solve_upper_triangular_in_place};
use faer::traits::RealField;
use faer::{Mat, MatMut, MatRef, Par};
use rayon::prelude::*;

use super::{Matrix, axpy, dot, largest_magnitude, norm, simd};
use crate::num::power_of_two;

/// Eigenvalues (nondecreasing) and eigenvectors of a symmetric matrix; only its lower
/// triangle is read. Sequential, so the same for any thread count.
/// `None` when the iteration does not converge or the matrix is not finite.
pub(crate) fn symmetric_eigen(matrix: &Matrix) -> Option<(Vec<f64>, Matrix)> {
    let n = matrix.nrows();
    let mut vectors = Matrix::zeros(n, n);
    let columns = MatMut::from_column_major_slice_mut(vectors.as_mut_slice(), n, n);
    let values = evd_of(matrix.as_faer(), Some(columns))?;
    values.iter().all(|v| v.is_finite()).then_some((values, vectors))
}

/// [`symmetric_eigen`] in single precision, in half the time: eigenvalues are off by some 1e-6 of
/// the largest, and vectors as much from orthonormal.
pub(crate) fn symmetric_eigen_single(matrix: &Matrix) -> Option<(Vec<f64>, Matrix)> {
    let (n, largest) = (matrix.nrows(), largest_magnitude(matrix.as_slice()));
    // In a unit of its own size: single precision has a short range.
    let unit = if largest > 0.0 && largest.is_finite() { power_of_two(largest) } else { 1.0 };
    #[expect(clippy::cast_possible_truncation, reason = "rounding to single precision is meant")]
    let single = Mat::from_fn(n, n, |i, j| (matrix.get(i, j) / unit) as f32);
    let mut vectors = Mat::<f32>::zeros(n, n);
    let values = evd_of(single.as_ref(), Some(vectors.as_mut()))?;
    let values: Vec<f64> = values.into_iter().map(|v| unit * f64::from(v)).collect();
    let vectors = Matrix::from_fn(n, n, |i, j| f64::from(vectors[(i, j)]));
    values.iter().all(|v| v.is_finite()).then_some((values, vectors))
}

/// Eigenvalues of a symmetric matrix, and its eigenvectors into `vectors`, if there are any.
fn evd_of<T: RealField + Copy>(matrix: MatRef<'_, T>, vectors: Option<MatMut<'_, T>>) -> Option<Vec<T>> {
    let n = matrix.nrows();
    let mut values = Diag::<T>::zeros(n);
    let wanted = match vectors {
        Some(_) => evd::ComputeEigenvectors::Yes,
        None => evd::ComputeEigenvectors::No,
    };
    let scratch = evd::self_adjoint_evd_scratch::<T>(n, wanted, Par::Seq, Default::default());
    let stack = &mut MemBuffer::new(scratch);
    let stack = MemStack::new(stack);
    evd::self_adjoint_evd(matrix, values.as_mut(), vectors, Par::Seq, stack, Default::default()).ok()?;
    Some(values.column_vector().iter().copied().collect())
}

/// Entries of a vector that one task makes orthogonal to others: 128 kB, which stay
/// in the second cache while the basis passes by.
const ORTHOGONALIZED: usize = 1 << 14;

/// Share of the largest diagonal entry below which what Lanczos has left is rounding:
/// the space found so far is invariant. It is about fifty units in the last place.
const INVARIANT: f64 = 1e-14;

/// The golden ratio: its multiples are spread evenly between 0 and 1.
const GOLDEN: f64 = 0.618_033_988_749_895;

/// Steps between two looks at whether a Ritz value is good enough: looking costs k³ for k steps.
const LOOK: usize = 8;

/// Largest eigenvalue and a unit eigenvector of a symmetric operator by Lanczos
/// with full orthogonalization, from a fixed start: a Ritz value, so a *lower*
/// estimate of the largest eigenvalue. O(steps · cost + steps² · size).
pub(crate) fn lanczos_largest(
    size: usize,
    steps: usize,
    mut apply: impl FnMut(&[f64]) -> Vec<f64>,
) -> (f64, Vec<f64>) {
    let mut krylov = Krylov::new(size);
    for _ in 0..steps.min(size) {
        if !krylov.step(&mut apply) {
            break;
        }
    }
    krylov.ritz(|k| k - 1).map_or((f64::NAN, vec![0.0; size]), |pair| (pair.value, pair.vector))
}

/// Smallest eigenvalue and a unit eigenvector of a symmetric operator on the space that `project`
/// projects to, and that the operator maps to itself; otherwise as [`lanczos_largest`]: an
/// *upper* estimate. No more steps than the space has dimensions are of use. Ends early where the
/// residual is at most `tolerance` of the value. On a space of no dimension the value is the least
/// positive number: nothing there can be negative.
pub(crate) fn lanczos_smallest(
    size: usize,
    steps: usize,
    tolerance: f64,
    project: impl Fn(&mut [f64]),
    mut apply: impl FnMut(&[f64]) -> Vec<f64>,
) -> (f64, Vec<f64>) {
    let mut krylov = Krylov::new(size);
    let whole = norm(&krylov.next);
    project(&mut krylov.next);
    if !(norm(&krylov.next) > INVARIANT * whole) {
        return (f64::MIN_POSITIVE, vec![0.0; size]);
    }
    for step in 1..=steps.min(size) {
        let good = |(value, residual): (f64, f64)| residual <= tolerance * value.abs();
        if !krylov.step(&mut apply) || (step % LOOK == 0 && krylov.ritz_value(|_| 0).is_some_and(good)) {
            break;
        }
        // What rounding left beside the space would grow with every step.
        project(&mut krylov.next);
    }
    krylov.ritz(|_| 0).map_or((f64::NAN, vec![0.0; size]), |pair| (pair.value, pair.vector))
}

/// An orthonormal basis of a Krylov space, and the operator on it.
struct Krylov {
    /// The next vector, not yet of unit length.
    next: Vec<f64>,
    basis: Vec<Vec<f64>>,
    diagonal: Vec<f64>,
    off: Vec<f64>,
}

/// A Ritz value with its vector.
struct Ritz {
    value: f64,
    vector: Vec<f64>,
}

impl Krylov {
    /// A fixed start without structure, so that no eigenvector is orthogonal to it by symmetry.
    fn new(size: usize) -> Self {
        #[expect(clippy::cast_precision_loss, reason = "a small index")]
        let next = (0..size).map(|i| 1.0 + ((i + 1) as f64 * GOLDEN).fract()).collect();
        Self { next, basis: Vec::new(), diagonal: Vec::new(), off: Vec::new() }
    }

    /// One step of Lanczos' method; whether another can follow.
    fn step(&mut self, mut apply: impl FnMut(&[f64]) -> Vec<f64>) -> bool {
        let length = norm(&self.next);
        if !(length > 0.0) {
            return false;
        }
        let mut v = std::mem::take(&mut self.next);
        v.iter_mut().for_each(|x| *x /= length);
        let mut image = apply(&v);
        self.diagonal.push(dot(&image, &v));
        self.basis.push(v);
        // The second pass removes what rounding left of the first; a third would change
        // nothing.
        orthogonalize(&mut image, &self.basis);
        orthogonalize(&mut image, &self.basis);
        let off = norm(&image);
        self.off.push(off);
        self.next = image;
        let largest = self.diagonal.iter().fold(0.0, |m: f64, d: &f64| crate::num::max(m, d.abs()));
        !(off <= INVARIANT * largest)
    }

    fn small(&self) -> Option<(Vec<f64>, Matrix)> {
        let k = self.diagonal.len();
        let entry = |i: usize, j: usize| match i.abs_diff(j) {
            0 => self.diagonal[i],
            1 => self.off[i.min(j)],
            _ => 0.0,
        };
        symmetric_eigen(&Matrix::from_fn(k, k, entry)).filter(|_| k > 0)
    }

    /// A Ritz value, chosen by its place among all of them, and its residual.
    fn ritz_value(&self, place: impl Fn(usize) -> usize) -> Option<(f64, f64)> {
        let (values, vectors) = self.small()?;
        let at = place(values.len());
        let last = vectors.get(values.len() - 1, at);
        Some((values[at], (self.off[values.len() - 1] * last).abs()))
    }

    fn ritz(&self, place: impl Fn(usize) -> usize) -> Option<Ritz> {
        let (values, vectors) = self.small()?;
        let at = place(values.len());
        let mut vector = vec![0.0; self.basis[0].len()];
        for (b, &c) in self.basis.iter().zip(vectors.col(at)) {
            axpy(c, b, &mut vector);
        }
        Some(Ritz { value: values[at], vector })
    }
}

/// `v ← v − BBᵀv` for orthonormal vectors B.
fn orthogonalize(v: &mut [f64], basis: &[Vec<f64>]) {
    let along = |b: &Vec<f64>| {
        simd(
            #[inline(always)]
            || dot(b, v),
        )
    };
    let parallel = v.len() > ORTHOGONALIZED;
    let components: Vec<f64> =
        if parallel { basis.par_iter().map(along).collect() } else { basis.iter().map(along).collect() };
    let subtract = |(tile, part): (usize, &mut [f64])| {
        let from = tile * ORTHOGONALIZED;
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
        v.par_chunks_mut(ORTHOGONALIZED).enumerate().for_each(subtract);
    } else {
        subtract((0, v));
    }
}

/// Columns that one task solves for: enough for products of matrices, few enough for all
/// cores.
const HALVED_COLUMNS: usize = 64;

/// Cholesky factor of a positive definite matrix, sequential.
pub(crate) struct Cholesky(Matrix);

impl Cholesky {
    /// Factors the matrix; only its lower triangle is read. `None` if it is not positive
    /// definite to working precision.
    pub(crate) fn new(mut matrix: Matrix) -> Option<Self> {
        let n = matrix.nrows();
        let scratch = llt::factor::cholesky_in_place_scratch::<f64>(n, Par::Seq, Default::default());
        llt::factor::cholesky_in_place(
            MatMut::from_column_major_slice_mut(matrix.as_mut_slice(), n, n),
            llt::factor::LltRegularization::default(),
            Par::Seq,
            MemStack::new(&mut MemBuffer::new(scratch)),
            Default::default(),
        )
        .ok()?;
        (0..n).all(|i| matrix.get(i, i).is_finite() && matrix.get(i, i) > 0.0).then_some(Self(matrix))
    }

    /// `rhs ← L⁻¹ rhs` for the factor L, blocks of columns in parallel.
    pub(crate) fn halve(&self, rhs: &mut Matrix) {
        let n = self.0.nrows();
        rhs.as_mut_slice().par_chunks_mut((HALVED_COLUMNS * n).max(1)).for_each(|block| {
            let columns = block.len() / n;
            let block = MatMut::from_column_major_slice_mut(block, n, columns);
            solve_lower_triangular_in_place(self.0.as_faer(), block, Par::Seq);
        });
    }

    /// `rhs ← L⁻ᵀ rhs` for the factor L.
    pub(crate) fn halve_transposed(&self, rhs: &mut Matrix) {
        let (n, k) = (self.0.nrows(), rhs.ncols());
        let rhs = MatMut::from_column_major_slice_mut(rhs.as_mut_slice(), n, k);
        solve_upper_triangular_in_place(self.0.as_faer().transpose(), rhs, Par::Seq);
    }

    /// The factor in the lower triangle; what was above it stays there.
    pub(crate) fn into_lower(self) -> Matrix {
        self.0
    }

    /// `rhs ← matrix⁻¹ rhs`.
    pub(crate) fn solve(&self, rhs: &mut Matrix) {
        let (n, k) = (self.0.nrows(), rhs.ncols());
        let scratch = llt::solve::solve_in_place_scratch::<f64>(n, k, Par::Seq);
        llt::solve::solve_in_place(
            self.0.as_faer(),
            MatMut::from_column_major_slice_mut(rhs.as_mut_slice(), n, k),
            Par::Seq,
            MemStack::new(&mut MemBuffer::new(scratch)),
        );
    }
}

/// An orthonormal basis of the columns' span by Householder's QR, sequential; of a
/// larger space where the columns are dependent. Needs `nrows ≥ ncols`.
pub(crate) fn orthonormal_columns(columns: &Matrix) -> Matrix {
    use faer::linalg::householder as hh;
    use faer::linalg::qr::no_pivoting::factor as qr;
    let (m, n) = (columns.nrows(), columns.ncols());
    let mut factor = columns.clone();
    let block = qr::recommended_block_size::<f64>(m, n);
    let mut coefficients = Mat::<f64>::zeros(block, n);
    qr::qr_in_place(
        MatMut::from_column_major_slice_mut(factor.as_mut_slice(), m, n),
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
        MatMut::from_column_major_slice_mut(q.as_mut_slice(), m, n),
        Par::Seq,
        MemStack::new(&mut MemBuffer::new(
            hh::apply_block_householder_sequence_on_the_left_in_place_scratch::<f64>(m, block, n),
        )),
    );
    q
}

/// Eigenvalues (nondecreasing) of a symmetric matrix; only its lower triangle is read.
/// `None` as for [`symmetric_eigen`]. O(n³).
pub(crate) fn symmetric_eigenvalues(matrix: &Matrix) -> Option<Vec<f64>> {
    let values = evd_of(matrix.as_faer(), None)?;
    values.iter().all(|v| v.is_finite()).then_some(values)
}
