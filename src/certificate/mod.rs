//! What is proved of a point: stationarity, bounds, the verdict.
//!
//! This module imports only the layers below it (problem, gauge, atoms, linalg,
//! num) and no solver: a solver hands over a [`Witness`], and every number in a
//! [`Certificate`] is computed here from (problem, point, witness).

pub mod record;
mod report;
mod verdict;

pub use record::Record;
pub use report::{Certificate, LocalSummary, Statistics};
pub use verdict::Verdict;

use crate::atoms::{AtomsError, Factorization};
use crate::linalg::Matrix;
use crate::observer::Observer;
use crate::problem::Problem;
use crate::trusted::Lower;
use crate::trusted::objective;
use crate::trusted::{Bound, BoundKind, Kkt, Split, bounds, exact, first_order, local, nesting};

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
    /// A dual point with the entrywise nonnegative part of a split
    /// (theorem `split-certificate`); used where γ > 0.
    pub split: Option<Split>,
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
    /// Whether the point is tested as a local optimum of its own width (nesting
    /// and second order), and what that may cost.
    pub local: Option<local::Limits>,
    /// Whether the polar itself is computed where that can be afforded (small
    /// dimension or few datapoints, γ > 0), how accurately and at what cost.
    pub exact: Option<exact::Limits>,
}

impl Default for Options {
    /// A gap of 5e-3 (the command line's default), a stationarity of 0.05, bounds on,
    /// no local test, no exact polar.
    fn default() -> Self {
        Self { tolerance: 5e-3, stationarity: 0.05, bounds: true, local: None, exact: None }
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
        /// `dual`, `directions`, `split dual` or `split slack`.
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
pub struct Certified {
    solution: Factorization,
    certificate: Certificate,
    improvement: Option<Box<Factorization>>,
}

impl Certified {
    /// The solution.
    #[must_use]
    pub fn solution(&self) -> &Factorization {
        &self.solution
    }

    /// What is proved of it.
    #[must_use]
    pub fn certificate(&self) -> &Certificate {
        &self.certificate
    }

    /// A feasible point with a *proved* lower objective, where the local test met
    /// one: the reason of a refutation.
    #[must_use]
    pub fn improvement(&self) -> Option<&Factorization> {
        self.improvement.as_deref()
    }

    /// The parts.
    #[must_use]
    pub fn into_parts(self) -> (Factorization, Certificate) {
        (self.solution, self.certificate)
    }
}

/// Certifies a feasible point of the joint problem.
///
/// Computes, from `problem`, `point` and `witness` alone: the objective with
/// its rounding bounds; stationarity residuals; the best certified lower bound
/// (wide limit; the spectral split bound where γ > 0, and the split of the
/// witness; at γ = 0 the exact polar; the exact polar at γ > 0 where
/// [`Options::exact`] asks for it);
/// the estimated bound from the witness's directions; the verdict.
///
/// # Guarantees
/// `lower_bound ≤ optimum of the convex problem ≤ objective`, for the stored
/// `f64` data and normalized weights taken as exact, every rounding included:
/// [`copositive-duality`](crate::proofs::copositive_duality),
/// [`wide-limit`](crate::proofs::wide_limit),
/// [`split-certificate`](crate::proofs::split_certificate),
/// [`cone-branching`](crate::proofs::cone_branching),
/// [`centre`](crate::proofs::centre), [`rounding`](crate::proofs::rounding).
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
) -> Result<Certified, CertifyError> {
    certify_observed(problem, point, witness, options, &())
}

/// [`certify`] with an observer, who may stop the exact bound and the local test:
/// what is proved by then counts.
///
/// # Errors
/// As [`certify`].
pub fn certify_observed(
    problem: &Problem,
    point: Factorization,
    witness: &Witness,
    options: &Options,
    observer: &dyn Observer,
) -> Result<Certified, CertifyError> {
    objective::check_shapes(problem, &point)?;
    witness.check(problem)?;
    let residuals = objective::residuals(problem.data(), &point);
    let primal = objective::primal(problem, &point, &residuals);
    if !primal.upper.get().is_finite() {
        return Err(CertifyError::Overflow);
    }
    let kkt = first_order::residuals(problem, &point, &residuals);
    let bound = if options.bounds {
        let bound = bounds::best(problem, &residuals, witness, primal.upper);
        let duals = [Some(&residuals), witness.dual.as_ref(), witness.split.as_ref().map(|s| &s.dual)];
        duals.into_iter().flatten().fold(bound, |bound, dual| {
            let exact = options.exact.as_ref();
            bound.best(exact.and_then(|l| bounds::exact(problem, dual, primal.upper, l, observer)))
        })
    } else {
        Bound { lower: Lower::ZERO, kind: BoundKind::None }
    };
    let estimate = witness
        .directions
        .as_ref()
        .filter(|_| options.bounds)
        .and_then(|directions| bounds::estimate(problem, &residuals, directions));
    let statistics = Statistics::of(problem, &point, &residuals);
    let tested = options.local.map(|limits| width_test(problem, &point, &residuals, &kkt, &limits, observer));
    let (local, improvement) = tested.map_or((None, None), |(local, better)| (Some(local), better));
    let certificate = Certificate::new(primal, bound, estimate, kkt, statistics, local, options);
    Ok(Certified { solution: point, certificate, improvement: improvement.map(Box::new) })
}

/// Nesting, then second order; and a better point where one was proved.
fn width_test(
    problem: &Problem,
    point: &Factorization,
    residuals: &Matrix,
    kkt: &Kkt,
    limits: &local::Limits,
    observer: &dyn Observer,
) -> (LocalSummary, Option<Factorization>) {
    let nested = nesting::pairs(problem, point);
    let best = nested.iter().filter(|p| p.change < 0.0).min_by(|l, r| l.change.total_cmp(&r.change));
    let unnested = best.and_then(|pair| nesting::unnest(problem, point, residuals, pair).map(|p| (*pair, p)));
    let second = local::test(problem, point, residuals, kkt, limits, observer);
    let mut summary = LocalSummary {
        smallest_eigenvalue: second.smallest_eigenvalue,
        eigenvalue_lower: second.eigenvalue_lower,
        degenerate: second.degenerate,
        nested_pairs: nested.len(),
        certified: matches!(second.outcome, local::Outcome::Certified),
        refuted: matches!(second.outcome, local::Outcome::Refuted(_)),
        reason: second.reason,
    };
    if let Some((pair, better)) = unnested {
        summary.certified = false;
        summary.refuted = true;
        summary.reason = format!(
            "the support of atom {} lies in that of atom {}: exchanging them lowers the objective by {:.3e} (no-nesting)",
            pair.inner, pair.outer, -pair.change
        );
        return (summary, Some(better));
    }
    let better = match second.outcome {
        local::Outcome::Refuted(better) => Some(*better),
        local::Outcome::Certified | local::Outcome::Undecided => None,
    };
    (summary, better)
}

impl Witness {
    fn check(&self, problem: &Problem) -> Result<(), CertifyError> {
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
                return Err(CertifyError::Witness { part, expected, found });
            }
        }
        Ok(())
    }
}
