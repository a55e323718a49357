//! One answer of all ranks to whether a run goes on.

use std::ops::ControlFlow;
use std::sync::atomic::{AtomicU64, Ordering};

use super::Share;
use crate::observer::{Interrupt, Observer, Progress};

/// What this rank wishes, and what all have agreed on.
#[derive(Debug, Default)]
pub(super) struct Pulse {
    wish: AtomicU64,
    agreed: AtomicU64,
}

impl Pulse {
    /// The word that goes with every sum: the largest of all ranks is agreed on.
    pub(super) fn wish(&self) -> u64 {
        self.wish.load(Ordering::Relaxed)
    }

    pub(super) fn agree(&self, word: u64) {
        self.agreed.fetch_max(word, Ordering::Relaxed);
    }

    fn forget(&self) {
        self.wish.store(0, Ordering::Relaxed);
        self.agreed.store(0, Ordering::Relaxed);
    }

    fn want(&self, interrupt: Interrupt) {
        let word = match interrupt {
            Interrupt::TimeLimit => 1,
            Interrupt::Cancelled => 2,
        };
        self.wish.fetch_max(word, Ordering::Relaxed);
    }

    fn interrupt(&self) -> Option<Interrupt> {
        match self.agreed.load(Ordering::Relaxed) {
            0 => None,
            1 => Some(Interrupt::TimeLimit),
            _ => Some(Interrupt::Cancelled),
        }
    }
}

/// An observer that gives all ranks the same answer at the same place.
///
/// The clocks and signals of ranks differ, and one that left a loop would leave the others
/// waiting. What a rank's own observer says is therefore a wish; it goes with every sum, at no
/// message more, and from then on all ranks break. Progress is told by rank 0.
pub struct Agreed<'o> {
    share: &'o Share,
    observer: &'o dyn Observer,
}

impl<'o> Agreed<'o> {
    /// Follows this rank's observer. What an earlier run agreed on is forgotten: all ranks begin
    /// a run alike.
    #[must_use]
    pub fn new(share: &'o Share, observer: &'o dyn Observer) -> Self {
        share.pulse().forget();
        Self { share, observer }
    }
}

impl Observer for Agreed<'_> {
    fn poll(&self) -> ControlFlow<Interrupt> {
        let flow = self.observer.poll();
        if self.share.size() == 1 {
            return flow;
        }
        if let ControlFlow::Break(interrupt) = flow {
            self.share.pulse().want(interrupt);
        }
        self.share.pulse().interrupt().map_or(ControlFlow::Continue(()), ControlFlow::Break)
    }

    fn progress(&self, progress: &Progress) {
        if self.share.is_root() {
            self.observer.progress(progress);
        }
    }

    fn rows(&self, read: usize, of: usize) {
        if self.share.is_root() {
            self.observer.rows(read, of);
        }
    }
}
