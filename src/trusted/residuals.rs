//! Residuals of a factorization: columns that belong to one (problem, factorization).

use std::borrow::Cow;
use std::ops::Range;

use rayon::prelude::*;

use crate::atoms::{AtomsError, Factorization};
use crate::linalg::{Columns, HELD, Matrix, axpy, simd, subtract_product};
use crate::problem::Problem;

/// Residuals `rᵢ = xᵢ − b − Dzᵢ`, n × N, not whitened.
///
/// Made by [`Residuals::of`] and nowhere else, so no other columns can pass for them. Few are held;
/// many are computed where they are read, each always the same, at the price of a code a number.
#[derive(Clone, Debug)]
pub struct Residuals<'a> {
    problem: &'a Problem,
    factorization: &'a Factorization,
    held: Option<Matrix>,
}

impl<'a> Residuals<'a> {
    /// The residuals of a factorization of `problem`'s data. O(n·nnz + nN).
    ///
    /// # Errors
    /// [`AtomsError::Shape`] where dimension or number of datapoints differ, or where a
    /// center comes with a problem that has none.
    pub fn of(problem: &'a Problem, factorization: &'a Factorization) -> Result<Self, AtomsError> {
        Self::holding(HELD, problem, factorization)
    }

    /// The same, held where there are at most so many entries.
    pub(super) fn holding(
        most: usize,
        problem: &'a Problem,
        factorization: &'a Factorization,
    ) -> Result<Self, AtomsError> {
        check_shapes(problem, factorization)?;
        let mut residuals = Self { problem, factorization, held: None };
        if problem.dim() * problem.len() <= most {
            residuals.held = Some(residuals.computed());
        }
        Ok(residuals)
    }

    fn computed(&self) -> Matrix {
        let (problem, factorization) = (self.problem, self.factorization);
        let mut out = problem.data().datapoints().to_matrix();
        if let Some(center) = factorization.center() {
            out.as_mut_slice().par_chunks_mut(problem.dim()).for_each(|r| axpy(-1.0, center, r));
        }
        subtract_product(factorization.dictionary().matrix(), factorization.codes().view(), &mut out);
        out
    }

    /// All of them, for callers that go on computing with a matrix.
    #[must_use]
    pub fn into_matrix(self) -> Matrix {
        match self.held {
            Some(held) => held,
            None => self.computed(),
        }
    }
}

impl Columns for Residuals<'_> {
    fn nrows(&self) -> usize {
        self.problem.dim()
    }

    fn ncols(&self) -> usize {
        self.problem.len()
    }

    fn held(&self) -> Option<&Matrix> {
        self.held.as_ref()
    }

    fn to_matrix(&self) -> Matrix {
        self.held.clone().unwrap_or_else(|| self.computed())
    }

    fn run(&self, run: Range<usize>) -> Cow<'_, [f64]> {
        if let Some(held) = &self.held {
            return held.run(run);
        }
        let (dictionary, codes) = (self.factorization.dictionary(), self.factorization.codes());
        let mut out = self.problem.data().datapoints().run(run.clone()).into_owned();
        simd(
            #[inline(always)]
            || {
                for (r, i) in out.chunks_exact_mut(self.problem.dim()).zip(run) {
                    if let Some(center) = self.factorization.center() {
                        axpy(-1.0, center, r);
                    }
                    for (k, &z) in codes.column(i).iter() {
                        axpy(-z, dictionary.atom(k), r);
                    }
                }
            },
        );
        Cow::Owned(out)
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
