//! What is proved of a point: stationarity, bounds, the verdict.
//!
//! This module imports only the layers below it (problem, gauge, atoms, linalg,
//! num) and no solver: a solver hands over a [`Witness`], and every number in a
//! [`Certificate`] is computed here from (problem, point, witness).

pub mod bounds;
pub mod kkt;
mod report;
mod verdict;

pub use bounds::{Bound, BoundKind, Estimate};
pub use kkt::{Kkt, Residual};
pub use report::{Certificate, Statistics};
pub use verdict::Verdict;

use crate::atoms::{AtomsError, Factorization};
use crate::linalg::Matrix;
use crate::num::Lower;
use crate::problem::{Problem, objective};

/// What a solver hands over as evidence. Nothing in it is believed: the checker
/// turns each part into a number of its own.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Witness {
    /// A dual point, unwhitened columns rᵢ (n × N). The residuals of the point
    /// itself are always tried too.
    pub dual: Option<Matrix>,
    /// Directions at which the polar of the residuals may be large (n × any):
    /// they give the *estimated* bound, never a certified one.
    pub directions: Option<Matrix>,
}

impl Witness {
    /// No evidence: an audit of the bare point.
    #[must_use]
    pub fn none() -> Self {
        Self::default()
    }
}

/// What the checker is asked to prove and how strictly.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Options {
    /// Relative gap at or below which a point is called a global optimum.
    pub tolerance: f64,
    /// Relative stationarity residual above which a point is refuted. It is
    /// looser than the gap's tolerance: the gap is quadratic in the residual.
    pub stationarity: f64,
    /// Whether lower bounds are computed at all.
    pub bounds: bool,
}

impl Default for Options {
    /// A gap of 5e-3 (the command line's default), a stationarity of 0.05, bounds on.
    fn default() -> Self {
        Self { tolerance: 5e-3, stationarity: 0.05, bounds: true }
    }
}

/// Why no certificate can be made: the point does not belong to the problem.
#[derive(Debug, Clone, PartialEq, thiserror::Error)]
#[non_exhaustive]
pub enum CertifyError {
    /// Shapes or entries that do not fit the problem.
    #[error(transparent)]
    Atoms(#[from] AtomsError),
    /// A witness of another shape.
    #[error("witness {part}: expected {expected:?}, found {found:?}")]
    Witness {
        /// `dual` or `directions`.
        part: &'static str,
        /// Rows and columns asked for (columns 0 where any number is accepted).
        expected: (usize, usize),
        /// Rows and columns found.
        found: (usize, usize),
    },
    /// The point is so large that its objective overflows.
    #[error("the objective of the point is not finite")]
    Overflow,
}

/// A solution with its certificate: made by [`certify`] and nowhere else.
#[derive(Clone, Debug, PartialEq)]
pub struct Certified<S> {
    solution: S,
    certificate: Certificate,
}

impl<S> Certified<S> {
    /// The solution.
    #[must_use]
    pub fn solution(&self) -> &S {
        &self.solution
    }

    /// What is proved of it.
    #[must_use]
    pub fn certificate(&self) -> &Certificate {
        &self.certificate
    }

    /// The parts.
    #[must_use]
    pub fn into_parts(self) -> (S, Certificate) {
        (self.solution, self.certificate)
    }
}

/// Certifies a feasible point of the joint problem.
///
/// Computes, from `problem`, `point` and `witness` alone: the objective with
/// its rounding bounds; stationarity residuals; the best certified lower bound
/// (wide limit; the spectral split bound where γ > 0; at γ = 0 the exact polar);
/// the estimated bound from the witness's directions; the verdict.
///
/// # Guarantees
/// `lower_bound ≤ optimum of the convex problem ≤ objective`, for the stored
/// `f64` data and normalised weights taken as exact, every rounding included:
/// `copositive-duality`, `wide-limit`, `split-certificate`, `centre`, `rounding`.
/// The estimated bound is *not* a bound. No global optimality is claimed for a
/// given number of atoms.
///
/// # Errors
/// [`CertifyError`] when shapes do not fit or the objective overflows.
pub fn certify(
    problem: &Problem,
    point: Factorization,
    witness: &Witness,
    options: &Options,
) -> Result<Certified<Factorization>, CertifyError> {
    objective::check_shapes(problem, &point)?;
    witness.check(problem)?;
    let residuals = objective::residuals(problem.data(), &point);
    let primal = objective::primal(problem, &point, &residuals);
    if !primal.upper.get().is_finite() {
        return Err(CertifyError::Overflow);
    }
    let kkt = kkt::residuals(problem, &point, &residuals);
    let bound = if options.bounds {
        bounds::best(problem, &residuals, witness.dual.as_ref(), primal.upper)
    } else {
        Bound { lower: Lower::ZERO, kind: BoundKind::None }
    };
    let estimate = witness
        .directions
        .as_ref()
        .filter(|_| options.bounds)
        .and_then(|directions| bounds::estimate(problem, &residuals, directions));
    let statistics = Statistics::of(problem, &point, &residuals);
    let certificate = Certificate::new(problem, primal, bound, estimate, kkt, statistics, options);
    Ok(Certified { solution: point, certificate })
}

impl Witness {
    fn check(&self, problem: &Problem) -> Result<(), CertifyError> {
        if let Some(dual) = &self.dual {
            let (expected, found) = ((problem.dim(), problem.len()), (dual.nrows(), dual.ncols()));
            if expected != found {
                return Err(CertifyError::Witness { part: "dual", expected, found });
            }
        }
        if let Some(directions) = &self.directions
            && directions.nrows() != problem.dim()
        {
            return Err(CertifyError::Witness {
                part: "directions",
                expected: (problem.dim(), 0),
                found: (directions.nrows(), directions.ncols()),
            });
        }
        Ok(())
    }
}
