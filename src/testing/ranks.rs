//! Ranks as threads of one process, joined by channels: the double of a job of processes.

use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::mpsc::{Receiver, Sender, channel};
use std::sync::{Arc, Mutex, PoisonError};

use crate::reduce::Reduce;

/// One thread of several.
#[derive(Debug)]
pub struct Rank {
    rank: usize,
    to: Vec<Sender<Vec<u64>>>,
    from: Vec<Mutex<Receiver<Vec<u64>>>>,
    messages: AtomicUsize,
    words: AtomicUsize,
}

impl Rank {
    /// Messages and words that this rank has sent.
    #[must_use]
    pub fn sent(&self) -> (usize, usize) {
        (self.messages.load(Ordering::Relaxed), self.words.load(Ordering::Relaxed))
    }
}

impl Reduce for Rank {
    fn rank(&self) -> usize {
        self.rank
    }

    fn size(&self) -> usize {
        self.to.len()
    }

    fn send(&self, to: usize, words: &[u64]) {
        assert_ne!(to, self.rank, "no rank sends to itself");
        self.messages.fetch_add(1, Ordering::Relaxed);
        self.words.fetch_add(words.len(), Ordering::Relaxed);
        self.to[to].send(words.to_vec()).expect("the other rank is there");
    }

    fn receive(&self, from: usize) -> Vec<u64> {
        // A rank that panics drops its ends, so that nobody waits for it.
        let channel = self.from[from].lock().unwrap_or_else(PoisonError::into_inner);
        channel.recv().expect("the other rank is there")
    }
}

/// Runs `job` on `count` ranks, each a thread, and gives their results in order.
///
/// # Panics
/// If one of them does.
pub fn on_ranks<T: Send>(count: usize, job: impl Fn(Arc<Rank>) -> T + Sync) -> Vec<T> {
    let mut to: Vec<Vec<Sender<Vec<u64>>>> = (0..count).map(|_| Vec::new()).collect();
    let mut from: Vec<Vec<Mutex<Receiver<Vec<u64>>>>> = (0..count).map(|_| Vec::new()).collect();
    for sender in &mut to {
        for receiver in &mut from {
            let (send, receive) = channel();
            sender.push(send);
            receiver.push(Mutex::new(receive));
        }
    }
    let ranks = to.into_iter().zip(from).enumerate().map(|(rank, (to, from))| Rank {
        rank,
        to,
        from,
        messages: AtomicUsize::new(0),
        words: AtomicUsize::new(0),
    });
    let (job, ranks): (_, Vec<Rank>) = (&job, ranks.collect());
    std::thread::scope(|scope| {
        let threads: Vec<_> =
            ranks.into_iter().map(|rank| scope.spawn(move || job(Arc::new(rank)))).collect();
        threads.into_iter().map(|thread| thread.join().expect("no rank panics")).collect()
    })
}
