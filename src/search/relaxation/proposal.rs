//! What a search for a split hands over, and how it is followed.

use crate::atoms::Factorization;
use crate::observer::{Interrupt, Observer, Progress};
use crate::trusted::Split;

/// The best proposal of a search.
#[derive(Clone, Debug, PartialEq)]
pub struct Proposal {
    /// The witness for [`certify`](crate::certificate::certify).
    pub split: Split,
    /// The bound it promises, as computed; the certificate proves its own.
    pub promised: f64,
    /// Iterations made.
    pub iterations: usize,
    /// Why the search was stopped from outside, if it was.
    pub interrupt: Option<Interrupt>,
}

/// The gap that a search tries to close, and who follows it.
#[derive(Clone, Copy)]
pub(super) struct Goal<'a> {
    /// The factorization the search starts from.
    pub(super) start: &'a Factorization,
    /// Its objective.
    pub(super) objective: f64,
    /// Who follows the search.
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

    /// Whether a promise closes the gap to this share of the objective.
    pub(super) fn closes(&self, promised: f64, gap_tolerance: f64) -> bool {
        self.objective - promised <= gap_tolerance * self.objective
    }
}
