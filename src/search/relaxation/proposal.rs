//! The result of a search for a split, and the goal that the search pursues.

use crate::atoms::Factorization;
use crate::observer::{Interrupt, Observer, Progress};
use crate::trusted::Split;

/// The best proposal of a search.
#[derive(Clone, Debug, PartialEq)]
pub struct Proposal {
    /// The witness for [`certify`](crate::certificate::certify).
    pub split: Split,
    /// The bound computed from the split. The certificate computes and proves its own.
    pub promised: f64,
    /// Iterations made.
    pub iterations: usize,
    /// Why the observer stopped the search, if it did.
    pub interrupt: Option<Interrupt>,
}

/// The gap that a search tries to close, and the observer of the search.
#[derive(Clone, Copy)]
pub(super) struct Goal<'a> {
    /// The factorization the search starts from.
    pub(super) start: &'a Factorization,
    /// The objective of that factorization.
    pub(super) objective: f64,
    /// The observer, who may stop the search.
    pub(super) observer: &'a dyn Observer,
}

impl Goal<'_> {
    /// Tells the observer of the best promise so far.
    pub(super) fn tell(&self, phase: &'static str, iteration: usize, promised: f64) {
        self.observer.progress(&Progress {
            phase,
            iteration,
            objective: self.objective,
            lower_bound: f64::NAN,
            estimated_lower_bound: promised,
            atoms: self.start.width(),
        });
    }

    /// Whether a promised bound leaves a gap of at most this share of the objective.
    pub(super) fn closes(&self, promised: f64, gap_tolerance: f64) -> bool {
        self.objective - promised <= gap_tolerance * self.objective
    }
}
