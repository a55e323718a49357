//! What a search hands over as evidence.

use super::copositive::Split;
use crate::atoms::Factorization;
use crate::linalg::Matrix;
use crate::problem::Problem;

/// Evidence for a certificate. Nothing in it is believed: the checker turns each part into
/// a number of its own, and a part that proves nothing is passed over.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Witness {
    /// A dual point, unwhitened columns rᵢ (n × N). The residuals of the factorization
    /// itself are always tried too.
    pub dual: Option<Matrix>,
    /// Directions at which the polar of the residuals may be large (n × any):
    /// they give the *estimated* bound, never a certified one.
    pub directions: Option<Matrix>,
    /// A dual point with the entrywise nonnegative part of a split
    /// (theorem `split-certificate`); used where γ > 0.
    pub split: Option<Split>,
    /// What a search around the factorization met: for the test of local optimality.
    pub curvature: Option<Curvature>,
}

/// What a search for directions of negative curvature met.
#[derive(Clone, Debug, PartialEq)]
pub struct Curvature {
    /// A Ritz value: the smallest eigenvalue of the second-order form, from above, in the
    /// units of [`Local`](super::local::Local). The proof is tried below it.
    pub smallest: f64,
    /// A factorization that may have a lower objective.
    pub better: Option<Factorization>,
}

/// A part of a witness of another shape than the problem's.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[error("witness {part}: expected {expected:?}, found {found:?}")]
pub struct WitnessError {
    /// `dual`, `directions`, `split dual` or `split slack`.
    pub part: &'static str,
    /// Rows and columns asked for (columns 0 where any number is accepted).
    pub expected: (usize, usize),
    /// Rows and columns found.
    pub found: (usize, usize),
}

impl Witness {
    /// No evidence: an audit of the bare factorization.
    #[must_use]
    pub fn none() -> Self {
        Self::default()
    }

    /// Checks the shapes of all parts.
    ///
    /// # Errors
    /// [`WitnessError`], naming the first part that does not fit.
    pub fn check(&self, problem: &Problem) -> Result<(), WitnessError> {
        let (dim, len) = (problem.dim(), problem.len());
        let parts = [
            ("dual", self.dual.as_ref(), (dim, len)),
            ("directions", self.directions.as_ref(), (dim, 0)),
            ("split dual", self.split.as_ref().map(|s| &s.dual), (dim, len)),
            ("split slack", self.split.as_ref().map(|s| &s.slack), (len, len)),
        ];
        for (part, matrix, expected) in parts {
            let Some(matrix) = matrix else { continue };
            let found = (matrix.nrows(), matrix.ncols());
            let fits = found.0 == expected.0 && (part == "directions" || found.1 == expected.1);
            if !fits {
                return Err(WitnessError { part, expected, found });
            }
        }
        Ok(())
    }
}
