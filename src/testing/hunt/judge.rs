//! The claims of a certificate as plain numbers, held against points.

use super::{Claim, Instance, Report};
use crate::Verdict;
use crate::certificate::Certificate;
use crate::testing::exact::{Exact, ex};

/// The numbers that a certificate claims: plain ones, so that a test may falsify them.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Claims {
    /// The lower bound.
    pub lower: f64,
    /// The upper bound of the point's own objective.
    pub upper: f64,
    /// The gap.
    pub gap: f64,
    /// The relative gap.
    pub relative_gap: f64,
    /// The tolerance within which the point is called a global optimum, where it is.
    pub global: Option<f64>,
}

/// Room for the roundings of the quotient that a relative gap is.
const QUOTIENT: f64 = 4.0 * f64::EPSILON;

impl Claims {
    /// What a certificate made with this tolerance claims.
    #[must_use]
    pub fn of(certificate: &Certificate, gap_tolerance: f64) -> Self {
        Self {
            lower: certificate.lower_bound().get(),
            upper: certificate.upper().get(),
            gap: certificate.gap(),
            relative_gap: certificate.relative_gap(),
            global: (*certificate.verdict() == Verdict::Global).then_some(gap_tolerance),
        }
    }

    /// Holds the claims about a point with the objective `own` against the best objective
    /// known.
    pub fn judge(&self, at: &Instance, own: &Exact, best: &Exact, report: &mut Report) {
        report.at_most(at, Claim::Enclosure, own, &ex(self.upper), "objective and its upper bound");
        report.at_most(at, Claim::LowerBound, &ex(self.lower), best, "lower bound and a feasible objective");
        let better = own.clone() - best.clone();
        report.at_most(at, Claim::Gap, &better, &ex(self.gap), "what a point gains and the gap");
        let share = |relative: f64| ex(relative) * ex(self.upper) * ex(1.0 + QUOTIENT);
        let within = (0.0..=1.0).contains(&self.relative_gap);
        report.note(at, Claim::RelativeGap, within, 0.0, || format!("relative gap {}", self.relative_gap));
        if within {
            let room = share(self.relative_gap);
            report.at_most(at, Claim::RelativeGap, &better, &room, "what a point gains and the relative gap");
        }
        if let Some(tolerance) = self.global {
            let what = "what a point gains and the tolerance of a global optimum";
            report.at_most(at, Claim::Global, &better, &share(tolerance), what);
        }
    }
}
