//! Searches, judged by what is proved of their witnesses.

mod nuclear;
mod quartic;
#[cfg(feature = "sdp")]
mod semidefinite;
mod squares;

use std::fmt::Debug;
use std::ops::ControlFlow;
use std::sync::atomic::{AtomicUsize, Ordering};

use widedict::{Codes, Dictionary, Factorization, Interrupt, Observer, Problem};

/// A factorization without atoms.
fn bare(problem: &Problem) -> Factorization {
    let codes = Codes::zeros(0, problem.len());
    Factorization::new(Dictionary::empty(problem.dim()), codes, None).unwrap()
}

/// The same from 1, 2 and 7 threads.
fn from_any_number_of_threads<T: Debug + PartialEq + Send>(compute: impl Fn() -> T + Sync) -> T {
    let with = |threads: usize| {
        let pool = rayon::ThreadPoolBuilder::new().num_threads(threads).build().unwrap();
        pool.install(&compute)
    };
    let one = with(1);
    assert_eq!(with(2), one);
    assert_eq!(with(7), one);
    one
}

/// Stops after a number of questions.
struct Patience(AtomicUsize);

impl Patience {
    fn of(questions: usize) -> Self {
        Self(AtomicUsize::new(questions))
    }

    /// Questions it would still bear.
    fn left(&self) -> usize {
        self.0.load(Ordering::Relaxed)
    }
}

impl Observer for Patience {
    fn poll(&self) -> ControlFlow<Interrupt> {
        match self.0.fetch_update(Ordering::Relaxed, Ordering::Relaxed, |left| left.checked_sub(1)) {
            Ok(_) => ControlFlow::Continue(()),
            Err(_) => ControlFlow::Break(Interrupt::Cancelled),
        }
    }
}
