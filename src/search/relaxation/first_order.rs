//! The first-order search for a split, and the choice between its two methods.
//!
//! First T is raised from the nuclear bound, in a few steps (`rising`). Then either the dual point
//! stays at the residuals and only T moves (`fixed`), or both move (`moving`). Neither of the two
//! is better on all problems. The number of atoms per datapoint decides which of them runs.

use super::fixed;
use super::metric::Metric;
use super::moving;
use super::positive::FULL_SHARE;
use super::proposal::{Goal, Proposal};
use super::rising;
use super::settings::Relaxation;
use crate::atoms::{Codes, Dictionary, Factorization};
use crate::linalg::{Columns, axpy};
use crate::observer::Observer;
use crate::problem::Problem;
use crate::search::nuclear::Nuclear;
use crate::trusted::Subject;

/// Most datapoints for which both methods run. A step then takes a tenth of a second.
const BOTH: usize = 600;

impl Relaxation {
    /// Searches from a factorization of the problem, γ > 0.
    ///
    /// T is raised from the nuclear bound first, which needs no factorization. Then, where the
    /// factorization has few atoms for its datapoints, the dual point moves (Davis–Yin); where it
    /// has many, the dual point stays at the residuals (Douglas–Rachford on T alone). For up to 600
    /// datapoints both methods run, the fixed dual point first. The search ends early where one of
    /// them closes the gap.
    ///
    /// `None` where γ = 0 (the polar is then known exactly), where datapoints are spread over ranks or
    /// more than `max_datapoints`, and where a matrix factorization fails or the observer breaks before
    /// the first proposal. Takes O(N³) time an iteration and O(N²) memory.
    #[must_use]
    pub fn search(
        &self,
        problem: &Problem,
        start: &Factorization,
        observer: &dyn Observer,
    ) -> Option<Proposal> {
        let len = problem.len();
        if problem.share().is_spread() || problem.gamma() == 0.0 || len > self.max_datapoints {
            return None;
        }
        if observer.poll().is_break() {
            return None;
        }
        let metric = Metric::new(problem);
        let subject = Subject::of(problem, start).ok()?;
        let goal = Goal { start, objective: subject.primal().value(), observer };
        let enough = |proposal: &Option<Proposal>| {
            proposal.as_ref().is_some_and(|proposal| {
                proposal.interrupt.is_some() || goal.closes(proposal.promised, self.gap_tolerance)
            })
        };
        // A search that was broken before its first proposal tells of no interrupt.
        let told = |best: Option<Proposal>| {
            best.map(|p| Proposal { interrupt: p.interrupt.or_else(|| observer.poll().break_value()), ..p })
        };
        let best = raised(&metric, self, &goal);
        if enough(&best) {
            return best;
        }
        let crowded = start.width() * FULL_SHARE >= len;
        let fixed = (crowded || len <= BOTH).then(|| at_residuals(&metric, &subject, self, &goal)).flatten();
        let best = better(best, fixed);
        if enough(&best) || (crowded && len > BOTH) {
            return told(best);
        }
        let moved = moving::search(&metric, self, &goal, best.as_ref().map(|best| &best.split));
        told(better(best, moved))
    }

    /// Raises T from the nuclear bound or the wide limit, in up to `max_iterations` steps and
    /// without a factorization: a bound below the one of [`Relaxation::search`] for a part of its
    /// time.
    ///
    /// `None` as for [`Relaxation::search`].
    #[must_use]
    pub fn rise(&self, problem: &Problem, observer: &dyn Observer) -> Option<Proposal> {
        let (dim, len) = (problem.dim(), problem.len());
        let center = problem.centered().then(|| problem.data().mean().to_vec());
        let start = Factorization::new(Dictionary::empty(dim), Codes::zeros(0, len), center).ok()?;
        self.alone(problem, &start, observer, |metric, _, goal| raised(metric, self, goal))
    }

    /// The split at the residuals of a factorization alone, whose dual point moves at the end: the
    /// part of [`Relaxation::search`] that pays where there are many atoms for the datapoints.
    ///
    /// `None` as for [`Relaxation::search`].
    #[must_use]
    pub fn at_residuals(
        &self,
        problem: &Problem,
        start: &Factorization,
        observer: &dyn Observer,
    ) -> Option<Proposal> {
        self.alone(problem, start, observer, |metric, subject, goal| {
            at_residuals(metric, subject, self, goal)
        })
    }

    /// One of the searches.
    fn alone(
        &self,
        problem: &Problem,
        start: &Factorization,
        observer: &dyn Observer,
        search: impl Fn(&Metric<'_>, &Subject<'_>, &Goal<'_>) -> Option<Proposal>,
    ) -> Option<Proposal> {
        let large = problem.len() > self.max_datapoints;
        if problem.share().is_spread() || problem.gamma() == 0.0 || large || observer.poll().is_break() {
            return None;
        }
        let subject = Subject::of(problem, start).ok()?;
        let goal = Goal { start, objective: subject.primal().value(), observer };
        search(&Metric::new(problem), &subject, &goal)
    }
}

/// The proposal of [`fixed`] at the residuals.
fn at_residuals(
    metric: &Metric<'_>,
    subject: &Subject<'_>,
    settings: &Relaxation,
    goal: &Goal<'_>,
) -> Option<Proposal> {
    let dual = metric.feasible(subject.residuals().to_matrix())?;
    fixed::search(metric, dual, settings, goal)
}

/// The proposal of [`rising`] from the nuclear bound.
fn raised(metric: &Metric<'_>, settings: &Relaxation, goal: &Goal<'_>) -> Option<Proposal> {
    let problem = metric.problem;
    let map = Nuclear::default().search(problem, goal.observer)?.map;
    let linear = map.select_columns(&(0..problem.dim()).collect::<Vec<_>>());
    let mut dual = linear.times(&problem.data().datapoints().as_matrix());
    (0..problem.len()).for_each(|i| axpy(1.0, map.col(problem.dim()), dual.col_mut(i)));
    rising::search(metric, metric.feasible(dual)?, settings, goal)
}

/// The proposal that promises more, with the interrupt of the later one.
fn better(earlier: Option<Proposal>, later: Option<Proposal>) -> Option<Proposal> {
    match (earlier, later) {
        (Some(earlier), Some(later)) if earlier.promised > later.promised => {
            Some(Proposal { interrupt: later.interrupt, ..earlier })
        }
        (earlier, None) => earlier,
        (_, later) => later,
    }
}
