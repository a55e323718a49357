//! Residuals of a factorization: a matrix that belongs to one (problem, factorization).

use std::ops::Deref;

use rayon::prelude::*;

use crate::atoms::{AtomsError, Factorization};
use crate::linalg::{Matrix, axpy, subtract_product};
use crate::problem::Problem;

/// Residuals `rᵢ = xᵢ − b − Dzᵢ`, n × N, not whitened.
///
/// Made by [`Residuals::of`] and nowhere else, so no other matrix can pass for them. They
/// are read as a [`Matrix`].
#[derive(Clone, Debug, PartialEq)]
pub struct Residuals(Matrix);

impl Residuals {
    /// The residuals of a factorization of `problem`'s data. O(n·nnz + nN).
    ///
    /// # Errors
    /// [`AtomsError::Shape`] where dimension or number of datapoints differ, or where a
    /// center comes with a problem that has none.
    pub fn of(problem: &Problem, factorization: &Factorization) -> Result<Self, AtomsError> {
        check_shapes(problem, factorization)?;
        let mut out = problem.data().datapoints().clone();
        if let Some(center) = factorization.center() {
            out.as_mut_slice().par_chunks_mut(problem.dim()).for_each(|r| axpy(-1.0, center, r));
        }
        subtract_product(factorization.dictionary().matrix(), factorization.codes().view(), &mut out);
        Ok(Self(out))
    }

    /// The matrix, for callers that go on computing with it.
    #[must_use]
    pub fn into_matrix(self) -> Matrix {
        self.0
    }
}

impl Deref for Residuals {
    type Target = Matrix;

    fn deref(&self) -> &Matrix {
        &self.0
    }
}

/// Checks that a factorization belongs to a problem: dimension, datapoints, center.
///
/// # Errors
/// [`AtomsError::Shape`], naming the size that differs. A center is accepted only where
/// the problem has one; a problem with a center takes a factorization without one as b = 0.
pub fn check_shapes(problem: &Problem, factorization: &Factorization) -> Result<(), AtomsError> {
    let differs = |what, expected, found| Err(AtomsError::Shape { what, expected, found });
    let (dim, len) = (factorization.dictionary().dim(), factorization.codes().datapoints());
    if dim != problem.dim() {
        return differs("dimension of the atoms", problem.dim(), dim);
    }
    if len != problem.len() {
        return differs("datapoints in the codes", problem.len(), len);
    }
    if factorization.center().is_some() && !problem.centered() {
        return differs("centers", 0, 1);
    }
    Ok(())
}
