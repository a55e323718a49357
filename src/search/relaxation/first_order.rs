//! The first-order search for a split, and the choice between its two methods.
//!
//! Either the dual point stays at the residuals and only T moves (`fixed`), or both move
//! (`moving`). Neither method is better on all problems. The number of atoms per datapoint decides
//! which method runs.

use super::fixed;
use super::metric::Metric;
use super::moving;
use super::positive::FULL_SHARE;
use super::proposal::{Goal, Proposal};
use super::settings::Relaxation;
use crate::atoms::Factorization;
use crate::observer::Observer;
use crate::problem::Problem;
use crate::trusted::Subject;

/// Most datapoints for which both methods run. A step then takes a tenth of a second.
const BOTH: usize = 600;

impl Relaxation {
    /// Searches from a factorization of the problem, γ > 0.
    ///
    /// Where the factorization has few atoms for its datapoints, the dual point moves (Davis–Yin).
    /// Where the factorization has many, the dual point stays at the residuals (Douglas–Rachford on
    /// T alone). For up to 600 datapoints both methods run, the fixed dual point first, unless the
    /// first closes the gap.
    ///
    /// `None` where γ = 0 (the polar is then known exactly), where there are more than
    /// `max_datapoints` datapoints, and where a matrix factorization fails or the observer breaks
    /// before the first proposal. Takes O(N³) time an iteration and O(N²) memory.
    #[must_use]
    pub fn search(
        &self,
        problem: &Problem,
        start: &Factorization,
        observer: &dyn Observer,
    ) -> Option<Proposal> {
        let len = problem.len();
        if problem.gamma() == 0.0 || len > self.max_datapoints || observer.poll().is_break() {
            return None;
        }
        let metric = Metric::new(problem);
        let subject = Subject::of(problem, start).ok()?;
        let goal = Goal { start, objective: subject.primal().value(), observer };
        let crowded = start.width() * FULL_SHARE >= len;
        let fixed = (crowded || len <= BOTH)
            .then(|| {
                let dual = metric.feasible(subject.residuals().clone().into_matrix())?;
                fixed::search(&metric, dual, self, &goal)
            })
            .flatten();
        if crowded && len > BOTH {
            return fixed;
        }
        let enough = |proposal: &Proposal| {
            proposal.interrupt.is_some() || goal.closes(proposal.promised, self.gap_tolerance)
        };
        if fixed.as_ref().is_some_and(enough) {
            return fixed;
        }
        let moving = moving::search(&metric, self, &goal);
        match (fixed, moving) {
            (Some(fixed), Some(moving)) if fixed.promised > moving.promised => {
                Some(Proposal { interrupt: moving.interrupt, ..fixed })
            }
            (fixed, None) => fixed,
            (_, moving) => moving,
        }
    }
}
