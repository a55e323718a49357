//! Certificates: what is proved of a factorization, in numbers and in a word.
//!
//! [`certify`] is the only door. A solver's answer and a dictionary trained elsewhere go
//! through it alike: it takes (problem, factorization, [`Witness`]), has every number
//! computed by [`trusted`](crate::trusted), and puts them together with a [`Verdict`]. It
//! runs no solver and searches nothing; who wants a better bound hands over a better
//! witness.

mod concentration;
mod estimate;
pub mod record;
mod report;
mod verdict;

pub use crate::trusted::{CertifyError, Curvature, Witness};
pub use concentration::{Concentration, objective_parts};
pub use estimate::Estimate;
pub(crate) use estimate::dual_value;
pub use record::Record;
use report::Findings;
pub use report::{Certificate, LocalSummary, Statistics};
pub use verdict::Verdict;

use crate::atoms::Factorization;
use crate::linalg::Columns;
use crate::observer::{Latch, Observer, Stop};
use crate::problem::Problem;
use crate::trusted::{
    Bound, BoundKind, Goal, Lower, PlanarBound, Subject, WidthLine, bounds, exact, first_order, local,
    nesting, planar, width,
};

/// What the checker is asked to prove and how strictly.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Options {
    /// Relative gap at or below which a point is called a global optimum.
    pub gap_tolerance: f64,
    /// Relative stationarity residual above which a point is refuted. It is
    /// looser than the gap's tolerance: the gap is quadratic in the residual.
    pub stationarity_tolerance: f64,
    /// How the run that made the factorization ended, if one did: after a limit a
    /// violation of stationarity means "not converged", never "refuted".
    pub stop: Option<Stop>,
    /// Whether lower bounds are computed at all.
    pub bounds: bool,
    /// Whether the point is tested as a local optimum of its own width (nesting
    /// and second order), and what that may cost.
    pub local: Option<local::Limits>,
    /// Whether the polar itself is computed where that can be afforded (small
    /// dimension or few datapoints, γ > 0), how accurately and at what cost.
    pub exact: Option<exact::Limits>,
    /// What is to be proved of a number of atoms where the data lie in a plane, if anything.
    pub planar: Option<Goal>,
}

impl Default for Options {
    /// A gap of 5e-3 (the command line's default), a stationarity of 0.05, bounds on,
    /// no local test, no exact polar, nothing about a plane.
    fn default() -> Self {
        Self {
            gap_tolerance: 5e-3,
            stationarity_tolerance: 0.05,
            stop: None,
            bounds: true,
            local: None,
            exact: None,
            planar: None,
        }
    }
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

    /// The same point judged by other options, by the numbers that are there: nothing is
    /// computed, and what the options do not ask for is left out. A stopped run hands this
    /// back instead of a second certificate.
    pub(crate) fn judged_by(self, options: &Options) -> Self {
        let Self { solution, certificate, improvement } = self;
        let improvement = improvement.filter(|_| options.local.is_some());
        Self { solution, certificate: certificate.judged_by(options), improvement }
    }

    /// The same with the best bound of another witness, judged by these options: nothing else is
    /// computed again.
    pub(crate) fn bounded_by(
        self,
        problem: &Problem,
        witness: &Witness,
        options: &Options,
    ) -> Result<Self, CertifyError> {
        witness.check(problem)?;
        let bound = bounds::best(&Subject::of(problem, &self.solution)?, witness);
        Ok(Self { certificate: self.certificate.with_bound(bound), ..self }.judged_by(options))
    }

    /// The same with a line that was proved of its problem (theorem `width-bound`): nothing
    /// else is computed again.
    pub(crate) fn with_width(self, line: WidthLine) -> Self {
        Self { certificate: self.certificate.with_width(line), ..self }
    }

    /// The same with a bound that was proved of its problem (theorem `planar-optimum`), judged
    /// by these options: nothing else is computed again.
    pub(crate) fn with_planar(self, bound: PlanarBound, options: &Options) -> Self {
        Self { certificate: self.certificate.with_planar(bound, options), ..self }
    }

    /// The parts.
    #[must_use]
    pub fn into_parts(self) -> (Factorization, Certificate) {
        (self.solution, self.certificate)
    }
}

/// Certifies a feasible point of the joint problem.
///
/// Computes, from `problem`, `factorization` and `witness` alone: the objective with
/// its rounding bounds; stationarity residuals; the best certified lower bound
/// (wide limit; the spectral split bound where γ > 0, and the split of the
/// witness; at γ = 0 the exact polar; the exact polar at γ > 0 where
/// [`Options::exact`] asks for it); at γ = 0 the line that the witness's width split proves
/// for every number of atoms, and for data in a plane the bound of the number of atoms that
/// [`Options::planar`] asks about; the estimated bound from the witness's directions; the verdict.
///
/// # Guarantees
/// `lower_bound ≤ optimum of the convex problem ≤ objective`, for the stored
/// `f64` data and normalized weights taken as exact, every rounding included:
/// [`copositive-duality`](crate::proofs::copositive_duality),
/// [`wide-limit`](crate::proofs::wide_limit),
/// [`split-certificate`](crate::proofs::split_certificate),
/// [`cone-branching`](crate::proofs::cone_branching),
/// [`centre`](crate::proofs::centre), [`rounding`](crate::proofs::rounding); and
/// [`Certificate::width_bound`] is at most the objective of every dictionary of that many
/// atoms ([`width-bound`](crate::proofs::width_bound),
/// [`planar-optimum`](crate::proofs::planar_optimum)).
/// The estimated bound is *not* a bound. Global optimality for a given number of atoms is
/// claimed by [`Verdict::GlobalWidth`] alone.
///
/// # Errors
/// [`CertifyError`] when shapes do not fit or the objective overflows.
pub fn certify(
    problem: &Problem,
    factorization: Factorization,
    witness: &Witness,
    options: &Options,
) -> Result<Certified, CertifyError> {
    certify_observed(problem, factorization, witness, options, &())
}

/// [`certify`] with an observer. Objective, stationarity and the bounds that take no search
/// are computed whatever it says: they are the least that a certificate is. Once it breaks,
/// the exact polar and the search of the plane end with what is proved by then, and what has not begun is left out: the
/// exact polar, the estimate, the coherence, the local test.
///
/// # Errors
/// As [`certify`].
pub fn certify_observed(
    problem: &Problem,
    factorization: Factorization,
    witness: &Witness,
    options: &Options,
    observer: &dyn Observer,
) -> Result<Certified, CertifyError> {
    witness.check(problem)?;
    let latch = Latch::new(observer);
    let subject = Subject::of(problem, &factorization)?;
    let kkt = first_order::residuals(&subject);
    let (bound, exact) = bound(&subject, witness, options, &latch);
    let directions = witness.directions.as_ref().filter(|_| options.bounds);
    let dual = witness.dual.as_ref();
    let estimate = directions.and_then(|directions| Estimate::of(&subject, directions, dual, &latch));
    let statistics = Statistics::of(&subject, &latch);
    let whole = !problem.share().is_spread();
    let tested = options
        .local
        .filter(|_| whole)
        .and_then(|limits| width_test(&subject, witness.curvature.as_ref(), &limits, &latch));
    let (local, improvement) = tested.map_or((None, None), |(local, better)| (Some(local), better));
    let split = witness.width.as_ref().filter(|_| options.bounds);
    let width = split.and_then(|split| width::line(problem, split));
    let planar = options.planar.and_then(|goal| planar::prove(problem, &goal, &latch));
    let primal = subject.primal();
    let found = Findings { primal, bound, estimate, kkt, statistics, local, exact, width, planar };
    let certificate = Certificate::new(found, options);
    Ok(Certified { solution: factorization, certificate, improvement: improvement.map(Box::new) })
}

/// The best bound that the options allow, and whether the exact polar was tried.
fn bound(
    subject: &Subject<'_>,
    witness: &Witness,
    options: &Options,
    observer: &dyn Observer,
) -> (Bound, bool) {
    if !options.bounds {
        return (Bound { lower: Lower::ZERO, kind: BoundKind::None }, false);
    }
    let bound = bounds::best(subject, witness);
    let Some(limits) = options.exact.as_ref().filter(|_| observer.poll().is_continue()) else {
        return (bound, false);
    };
    let given = [witness.dual.as_ref(), witness.split.as_ref().map(|s| &s.dual)];
    let given = given.into_iter().map(|dual| dual.map(|dual| dual as &dyn Columns));
    let duals = std::iter::once(Some(subject.residuals() as _)).chain(given);
    let bound = duals
        .flatten()
        .take_while(|_| observer.poll().is_continue())
        .fold(bound, |bound, dual| bound.best(bounds::exact(subject, dual, limits, observer)));
    (bound, true)
}

/// Nesting, then second order; and a better factorization where one was proved. `None` where
/// the observer breaks before the second.
fn width_test(
    subject: &Subject<'_>,
    curvature: Option<&Curvature>,
    limits: &local::Limits,
    observer: &dyn Observer,
) -> Option<(LocalSummary, Option<Factorization>)> {
    let nested = nesting::pairs(subject, observer)?;
    let best = nested.iter().filter(|p| p.change < 0.0).min_by(|l, r| l.change.total_cmp(&r.change));
    let unnested = best.and_then(|pair| nesting::unnest(subject, pair).map(|better| (*pair, better)));
    if observer.poll().is_break() {
        return None;
    }
    let second = local::test(subject, curvature, limits, observer);
    let mut summary = LocalSummary {
        smallest_eigenvalue: second.smallest_eigenvalue,
        eigenvalue_lower: second.eigenvalue_lower,
        radius: second.radius,
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
        return Some((summary, Some(better)));
    }
    let better = match second.outcome {
        local::Outcome::Refuted(better) => Some(*better),
        local::Outcome::Certified | local::Outcome::Undecided => None,
    };
    Some((summary, better))
}
