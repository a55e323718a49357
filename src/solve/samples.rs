//! Samples of many datapoints, each four times as large as the one before.
//!
//! Atoms that some thousand datapoints share are found from some thousand datapoints. A run begins
//! on the smallest sample and goes on with the atoms of each on the next; all datapoints see its
//! end alone. A certificate does not care where a run began.

use crate::problem::Problem;
use crate::reduce::GRAIN;

/// How many times larger a sample is than the one before.
const RATIO: usize = 4;

/// Every how manieth of `total` datapoints the samples take, the smallest first, which has at
/// least `fewest`; empty where datapoints are fewer than four times as many.
pub(super) fn thinnings(total: usize, fewest: usize) -> impl Iterator<Item = usize> {
    let powers = std::iter::successors(Some(RATIO), |every| Some(every * RATIO));
    let large = powers.take_while(move |every| *every <= GRAIN && total / every >= fewest);
    large.collect::<Vec<_>>().into_iter().rev()
}

/// The problem of one in `every` datapoints; `None` where grains do not divide so.
pub(super) fn sample(problem: &Problem, every: usize, seed: u64) -> Option<Problem> {
    let (thinned, positions) = problem.share().sample(every, seed)?;
    problem.part(&positions).spread(thinned).build().ok()
}

#[cfg(test)]
mod tests {
    use super::thinnings;

    #[test]
    fn samples_grow_to_a_quarter_of_all() {
        assert_eq!(thinnings(16_383, 4096).count(), 0);
        assert_eq!(thinnings(16_384, 4096).collect::<Vec<_>>(), [4]);
        assert_eq!(thinnings(1_000_000, 4096).collect::<Vec<_>>(), [64, 16, 4]);
        // A grain gives at least one datapoint.
        assert_eq!(thinnings(usize::MAX, 1).next(), Some(4096));
    }
}
