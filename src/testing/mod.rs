//! What the tests and benches share: naive twins of the fast formulas
//! ([`naive`]), instances whose optimum is known ([`planted`]), data for which chosen atoms and
//! codes are stationary ([`inverse`]), a brute-force
//! reference for points of the plane ([`plane`]), exact arithmetic ([`exact`]), checks
//! that take any solver ([`harness`]), a hunt for false claims ([`hunt`]), ranks as
//! threads ([`ranks`]), and doors to the
//! crate's private kernels ([`kernels`]). Behind the feature `testing`; not covered by
//! any promise of stability.

pub mod exact;
pub mod harness;
pub mod hunt;
pub mod inverse;
pub mod kernels;
pub mod naive;
pub mod plane;
pub mod planted;
pub mod ranks;

use sprs::TriMat;

use crate::atoms::{AtomsError, Codes, Dictionary, Factorization};
use crate::linalg::Matrix;

/// A factorization from atoms of any positive length (their directions are
/// kept) and dense codes, M × N.
///
/// # Errors
/// As [`Dictionary::normalize`], [`Codes::from_dense`] and [`Factorization::new`].
pub fn factorization(
    atoms: Matrix,
    codes: &Matrix,
    center: Option<Vec<f64>>,
) -> Result<Factorization, AtomsError> {
    let (dictionary, _) = Dictionary::normalize(atoms)?;
    Factorization::new(dictionary, Codes::from_dense(codes)?, center)
}

/// The nonzero entries of a dense M × N matrix of any sign, held by columns.
#[must_use]
pub fn sparse(entries: &Matrix) -> sprs::CsMat<f64> {
    let mut out = TriMat::new((entries.nrows(), entries.ncols()));
    for (i, column) in entries.columns().enumerate() {
        for (k, &value) in column.iter().enumerate().filter(|(_, v)| **v != 0.0) {
            out.add_triplet(k, i, value);
        }
    }
    out.to_csc()
}

/// The codes of a factorization as a dense M × N matrix.
#[must_use]
pub fn dense_codes(factorization: &Factorization) -> Matrix {
    let mut out = Matrix::zeros(factorization.codes().atoms(), factorization.codes().datapoints());
    for i in 0..factorization.codes().datapoints() {
        for (k, &z) in factorization.codes().column(i).iter() {
            out.col_mut(i)[k] = z;
        }
    }
    out
}
