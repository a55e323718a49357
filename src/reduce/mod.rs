//! Datapoints spread over processes, and sums over all of them.
//!
//! Atoms, directions and moments are in every process; datapoints, their codes and residuals
//! are in one. What is computed from all datapoints is a sum of small arrays, or a largest
//! number. A [`Share`] says which datapoints are here and makes these sums; it speaks to the
//! other processes, here called ranks, through a [`Reduce`]. Where there are none that is
//! [`Alone`], and nothing is sent.
//!
//! **The same bytes for any number of ranks.** Datapoints are cut into grains of a fixed number
//! of datapoints, and a rank holds whole grains, in order. Partial sums of grains are combined
//! along one binary tree over all grains, whose shape depends on the number of datapoints alone.
//! A rank combines what lies within its own grains and sends the few nodes that are left; the
//! rank that holds the sibling goes on. One grain is summed as if there were no grains.
//!
//! All ranks make the same calls in the same order, each from one thread: a sum inside a
//! parallel loop would wait for the wrong one.

mod agreed;
mod forest;
mod share;

pub use agreed::Agreed;
pub use forest::Forest;
pub use share::{GRAIN, RATIO, Share};

use std::fmt;

/// The other processes of a job: messages in order, between any two.
///
/// Words arrive as they were sent, from each sender in its order. A rank that is gone ends the
/// job: no call returns without its answer.
pub trait Reduce: fmt::Debug + Send + Sync {
    /// The number of this process, from 0.
    fn rank(&self) -> usize;

    /// How many there are, at least 1.
    fn size(&self) -> usize;

    /// Sends words to another rank.
    fn send(&self, to: usize, words: &[u64]);

    /// Waits for the next words of another rank.
    fn receive(&self, from: usize) -> Vec<u64>;
}

/// The only process there is.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Alone;

impl Reduce for Alone {
    fn rank(&self) -> usize {
        0
    }

    fn size(&self) -> usize {
        1
    }

    fn send(&self, to: usize, _: &[u64]) {
        unreachable!("rank {to} of 1");
    }

    fn receive(&self, from: usize) -> Vec<u64> {
        unreachable!("rank {from} of 1")
    }
}
