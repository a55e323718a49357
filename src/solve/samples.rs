//! Samples of many datapoints, each four times as large as the one before.
//!
//! Atoms that some thousand datapoints share are found from some thousand datapoints. A run begins
//! on the smallest sample and goes on with the atoms of each on the next; all datapoints see its
//! end alone. A certificate does not care where a run began.

use std::ops::ControlFlow;

use crate::observer::{Interrupt, Observer, Progress};
use crate::problem::Problem;
use crate::reduce::{RATIO, Share};

/// Every how manieth datapoint the samples take, the smallest first, which has at least `fewest`;
/// empty where datapoints are fewer than four times as many.
pub(super) fn thinnings(share: &Share, fewest: usize) -> impl Iterator<Item = usize> + use<> {
    std::iter::successors(share.thinning(fewest), |every| (*every > RATIO).then_some(every / RATIO))
}

/// The problem of one in `every` datapoints; `None` where grains do not divide so.
pub(super) fn sample(problem: &Problem, every: usize, seed: u64) -> Option<Problem> {
    let (thinned, positions) = problem.share().sample(every, seed)?;
    problem.part(&positions).spread(thinned).build().ok()
}

/// Tells another observer of a run on a sample: its objective is not that of all datapoints, and its
/// bound none of theirs.
pub(super) struct OnSample<'o>(pub(super) &'o dyn Observer);

impl Observer for OnSample<'_> {
    fn poll(&self) -> ControlFlow<Interrupt> {
        self.0.poll()
    }

    fn progress(&self, progress: &Progress) {
        self.0.progress(&Progress { phase: "on a sample", lower_bound: f64::NAN, ..*progress });
    }
}

#[cfg(test)]
mod tests {
    use super::{Share, thinnings};

    #[test]
    fn samples_grow_to_a_quarter_of_all() {
        let of = |total| thinnings(&Share::alone(total), 4096).collect::<Vec<_>>();
        assert!(of(16_383).is_empty());
        assert_eq!(of(16_384), [4]);
        assert_eq!(of(1_000_000), [64, 16, 4]);
        // A grain gives at least one datapoint.
        assert_eq!(Share::alone(1 << 40).thinning(1), Some(4096));
    }
}
