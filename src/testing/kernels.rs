//! Doors to the private kernels, so that the tests can hold them against naive
//! loops and run them under thread pools of several sizes.

use crate::linalg::{self, Columns, Matrix, Residual};
use crate::reduce::Share;

/// `out_i = R_iᵀ d`.
#[must_use]
pub fn correlate(matrix: &Matrix, direction: &[f64]) -> Vec<f64> {
    let mut out = vec![f64::NAN; matrix.ncols()];
    linalg::correlate(matrix, direction, &mut out);
    out
}

/// `Σ_i z_i R_i`.
#[must_use]
pub fn combine(matrix: &Matrix, coefficients: &[f64]) -> Vec<f64> {
    let mut out = vec![f64::NAN; matrix.nrows()];
    linalg::combine(matrix, coefficients, &mut out);
    out
}

/// `R + old · z_oldᵀ − new · z_newᵀ`.
#[must_use]
pub fn replace_outer(matrix: &Matrix, old: &[f64], z_old: &[f64], new: &[f64], z_new: &[f64]) -> Matrix {
    let mut out = Residual::Double(matrix.clone());
    linalg::replace_outer(&Share::alone(matrix.ncols()), &mut out, old, z_old, new, z_new);
    out.to_matrix()
}

/// `factorization` after a block step on its atoms `from..to`, or on all of them in blocks of
/// the usual size where no range is given.
#[must_use]
pub fn block_step(
    problem: &crate::Problem,
    factorization: &crate::Factorization,
    range: Option<std::ops::Range<usize>>,
) -> crate::Factorization {
    use crate::iterate::{Iterate, Moves};
    use crate::master::sweep_once;
    let mut working = Iterate::from_factorization(problem, factorization);
    match range {
        Some(range) => working.update(range.start, range.end, Moves::Both),
        None => assert!(sweep_once(&mut working, Moves::Both, &()).is_continue(), "nobody stops it"),
    }
    working.factorization().expect("unit atoms and nonnegative codes")
}

/// `factorization` after short steps on its atoms, one after another.
#[must_use]
pub fn short_steps(problem: &crate::Problem, factorization: &crate::Factorization) -> crate::Factorization {
    let mut working = crate::iterate::Iterate::from_factorization(problem, factorization);
    (0..factorization.width()).for_each(|k| working.shorten(k));
    working.factorization().expect("unit atoms and nonnegative codes")
}

/// The residual of a factorization in single precision, given back and made again, and what the center
/// would move by.
#[must_use]
pub fn residual_regained(
    problem: &crate::Problem,
    factorization: &crate::Factorization,
) -> (Matrix, Vec<f64>) {
    use crate::iterate::Iterate;
    use crate::linalg::Precision;
    let mut working = Iterate::holding(problem, Precision::Single).at(factorization);
    let given = working.release().expect("a factorization");
    working.regain(given);
    let before = working.center.clone();
    working.recenter();
    let moved = working.center.iter().zip(&before).map(|(c, b)| c - b).collect();
    (working.residual().to_matrix(), moved)
}

/// Eigenvalues (nondecreasing) and eigenvectors of a symmetric matrix.
#[must_use]
pub fn symmetric_eigen(matrix: &Matrix) -> Option<(Vec<f64>, Matrix)> {
    linalg::symmetric_eigen(matrix)
}

/// The same in single precision.
#[must_use]
pub fn symmetric_eigen_single(matrix: &Matrix) -> Option<(Vec<f64>, Matrix)> {
    linalg::symmetric_eigen_single(matrix)
}

/// The second-order form of the value function along `direction` (n numbers an
/// atom, then n for a learnt center), on the largest sets or only the active
/// ones; `None` where atoms used together are dependent.
#[must_use]
pub fn second_order(
    problem: &crate::Problem,
    factorization: &crate::Factorization,
    direction: &[f64],
    largest: bool,
) -> Option<f64> {
    crate::search::escape::form_along(problem, factorization, direction, largest)
}
