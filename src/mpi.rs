//! Ranks as processes of an MPI job.
//!
//! The only place that speaks to an MPI library, through the crate `mpi`. Messages go between
//! two processes; every sum, and its order, is made above ([`reduce`](crate::reduce)), so that
//! it depends on no library's reductions.

use std::sync::Arc;

use ::mpi::Threading;
use ::mpi::environment::{Universe, initialize_with_threading};
use ::mpi::topology::SimpleCommunicator;
use ::mpi::traits::{Communicator, Destination, Source};

use crate::reduce::Reduce;

/// Words of one message of MPI, whose counts have 31 bits. A longer one is sent in pieces, the
/// last of which is shorter.
const PIECE: usize = 1 << 27;

/// The processes that `mpirun` started, for as long as it lives: dropped, it takes this process
/// out of the job, for which it waits for the others.
pub struct World {
    _universe: Universe,
}

impl World {
    /// Joins the job; `None` where this process has joined before, or where the library's MPI
    /// may not be called from threads in turn.
    #[must_use]
    pub fn join() -> Option<Self> {
        let (universe, granted) = initialize_with_threading(Threading::Serialized)?;
        (granted >= Threading::Serialized).then_some(Self { _universe: universe })
    }

    /// The way to the other processes.
    #[must_use]
    pub fn ranks(&self) -> Arc<dyn Reduce> {
        let world = SimpleCommunicator::world();
        let number = |rank: i32| usize::try_from(rank).unwrap_or_default();
        Arc::new(Ranks { rank: number(world.rank()), size: number(world.size()) })
    }
}

/// Ends every process of the job with an exit code.
pub fn abort(code: i32) -> ! {
    SimpleCommunicator::world().abort(code)
}

/// This process among all.
#[derive(Debug)]
struct Ranks {
    rank: usize,
    size: usize,
}

fn number(rank: usize) -> i32 {
    i32::try_from(rank).expect("ranks of MPI have 31 bits")
}

impl Reduce for Ranks {
    fn rank(&self) -> usize {
        self.rank
    }

    fn size(&self) -> usize {
        self.size
    }

    fn send(&self, to: usize, words: &[u64]) {
        let world = SimpleCommunicator::world();
        let to = world.process_at_rank(number(to));
        words.chunks(PIECE).for_each(|piece| to.send(piece));
        if words.len().is_multiple_of(PIECE) {
            to.send(&[] as &[u64]);
        }
    }

    fn receive(&self, from: usize) -> Vec<u64> {
        let world = SimpleCommunicator::world();
        let from = world.process_at_rank(number(from));
        let (mut words, _) = from.receive_vec::<u64>();
        let mut last = words.len();
        while last == PIECE {
            let (mut piece, _) = from.receive_vec::<u64>();
            last = piece.len();
            words.append(&mut piece);
        }
        words
    }
}
