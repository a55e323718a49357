//! The first-order search for a split: which of its two ways is taken.
//!
//! The dual point may stay at the residuals while only T moves (`fixed`), or both may
//! move (`moving`). Neither is better on all problems; the shares of atoms and datapoints
//! tell which is worth its time.

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

/// Datapoints up to which both ways are tried: a step is a tenth of a second.
const BOTH: usize = 600;

impl Relaxation {
    /// Searches from a factorization of the problem, γ > 0.
    ///
    /// The dual point moves (Davis–Yin) where the factorization has few atoms for its
    /// datapoints, stays at the residuals (Douglas–Rachford on T alone) where it has
    /// many, and for up to 600 datapoints both are tried.
    ///
    /// `None` where the method does not apply: γ = 0 (the polar is then known
    /// exactly), more than `max_datapoints` datapoints, or a failed factorization
    /// before the first proposal. O(N³) an iteration, O(N²) memory.
    #[must_use]
    pub fn search(
        &self,
        problem: &Problem,
        start: &Factorization,
        observer: &dyn Observer,
    ) -> Option<Proposal> {
        let len = problem.len();
        if problem.gamma() == 0.0 || len > self.max_datapoints {
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
