//! How a caller follows and stops a run. The library has no clock and prints
//! nothing: progress goes to the observer, and a stop comes back through it.

use std::ops::ControlFlow;
use std::sync::OnceLock;
use std::sync::atomic::{AtomicBool, Ordering};

use serde::{Deserialize, Serialize};

/// Why a caller stops a run.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Interrupt {
    /// The caller's clock ran out.
    TimeLimit,
    /// The caller cancelled.
    Cancelled,
}

/// Why a run ended. It says nothing about the point: that is the verdict's part.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Stop {
    /// The tolerance asked for was met.
    ToleranceMet,
    /// The limit on iterations was reached.
    IterationLimit,
    /// The observer's clock ran out.
    TimeLimit,
    /// No step improved the point any more, short of the tolerance.
    Stalled,
    /// The observer cancelled.
    Cancelled,
}

impl Stop {
    /// The name used in JSON, such as `tolerance-met`.
    #[must_use]
    pub fn as_str(self) -> &'static str {
        match self {
            Self::ToleranceMet => "tolerance-met",
            Self::IterationLimit => "iteration-limit",
            Self::TimeLimit => "time-limit",
            Self::Stalled => "stalled",
            Self::Cancelled => "cancelled",
        }
    }
}

impl From<Interrupt> for Stop {
    fn from(interrupt: Interrupt) -> Self {
        match interrupt {
            Interrupt::TimeLimit => Self::TimeLimit,
            Interrupt::Cancelled => Self::Cancelled,
        }
    }
}

/// Where a run stands.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Progress {
    /// What is being done, in two or three words.
    pub phase: &'static str,
    /// Iterations of that phase so far.
    pub iteration: usize,
    /// Objective of the current point.
    pub objective: f64,
    /// Best certified lower bound so far.
    pub lower_bound: f64,
    /// Lower bound estimated with a heuristic polar; not certified. NaN if unknown.
    pub estimated_lower_bound: f64,
    /// Atoms in the current dictionary.
    pub atoms: usize,
}

impl Progress {
    /// What is known between two iterations: no name, no number (NaN).
    #[must_use]
    pub fn unknown() -> Self {
        Self {
            phase: "",
            iteration: 0,
            objective: f64::NAN,
            lower_bound: f64::NAN,
            estimated_lower_bound: f64::NAN,
            atoms: 0,
        }
    }
}

/// Follows a run and may stop it.
///
/// `poll` is called often, from any thread, and should be cheap; `progress`
/// once an iteration from the thread that runs the solver. Stopping is not an
/// error: the best point so far is returned with its certificate.
///
/// After a break a run finishes the step it is in and certifies what it has. The steps that
/// ask nobody are the certificate's own, O(nMN) for N datapoints and M atoms, with O(n³) for
/// one eigenvalue at γ > 0 and O(N³) where a split is proved; one decomposition of such a
/// matrix in the search for a split; and one iteration of a cone program. Every other loop asks at
/// least once a block of its data. What else a certificate has (the exact polar, the estimate, the
/// coherence, the local test) is left out.
pub trait Observer: Sync {
    /// Asks whether to go on.
    fn poll(&self) -> ControlFlow<Interrupt> {
        ControlFlow::Continue(())
    }

    /// Tells where the run stands.
    fn progress(&self, progress: &Progress) {
        let _ = progress;
    }

    /// Tells how many rows of the data a pass has behind it, `0` when it begins.
    fn rows(&self, read: usize, of: usize) {
        let _ = (read, of);
    }
}

/// Never stops, hears nothing.
impl Observer for () {}

/// A reference to an observer observes.
impl Observer for &dyn Observer {
    fn poll(&self) -> ControlFlow<Interrupt> {
        (**self).poll()
    }

    fn progress(&self, progress: &Progress) {
        (**self).progress(progress);
    }

    fn rows(&self, read: usize, of: usize) {
        (**self).rows(read, of);
    }
}

/// Two observers at once: both hear everything, and the first that stops decides why.
impl<A: Observer, B: Observer> Observer for (A, B) {
    fn poll(&self) -> ControlFlow<Interrupt> {
        self.0.poll()?;
        self.1.poll()
    }

    fn progress(&self, progress: &Progress) {
        self.0.progress(progress);
        self.1.progress(progress);
    }

    fn rows(&self, read: usize, of: usize) {
        self.0.rows(read, of);
        self.1.rows(read, of);
    }
}

/// A closure hears of every iteration, and its answer stops the run.
///
/// It is also asked between iterations, when no number is known: it then gets
/// [`Progress::unknown`]. An answer that rests on the numbers of an iteration would be
/// forgotten by the next question; [`Until`] remembers it.
///
/// # Examples
/// ```
/// use std::ops::ControlFlow;
/// use std::sync::atomic::{AtomicBool, Ordering};
/// use widedict::{ColumnGeneration, Interrupt, Matrix, Problem, Progress, Run, Stop};
/// let x = Matrix::from_columns(2, &[[1.0, 0.1], [0.9, 0.3], [0.1, 1.0]]);
/// let problem = Problem::builder(x).lambda(0.2).gamma(0.1).build()?;
/// let cancelled = AtomicBool::new(true);
/// let follow = |_: &Progress| {
///     if cancelled.load(Ordering::Relaxed) {
///         ControlFlow::Break(Interrupt::Cancelled)
///     } else {
///         ControlFlow::Continue(())
///     }
/// };
/// let solution = ColumnGeneration::default().solve_with(&problem, &Run::observed(&follow))?;
/// assert_eq!(solution.stop, Stop::Cancelled);
/// # Ok::<(), Box<dyn std::error::Error>>(())
/// ```
impl<F: Fn(&Progress) -> ControlFlow<Interrupt> + Sync> Observer for F {
    fn poll(&self) -> ControlFlow<Interrupt> {
        self(&Progress::unknown())
    }

    fn progress(&self, progress: &Progress) {
        // The run asks again before the next iteration.
        let _ = self(progress);
    }
}

/// Cancels a run once an iteration satisfies a condition.
///
/// # Examples
/// ```
/// use widedict::observer::Until;
/// use widedict::{ColumnGeneration, Matrix, Problem, Progress, Run};
/// let x = Matrix::from_columns(2, &[[1.0, 0.1], [0.9, 0.3], [0.1, 1.0]]);
/// let problem = Problem::builder(x).lambda(0.2).gamma(0.1).build()?;
/// let good = Until::new(|p: &Progress| p.objective < 0.3);
/// let solution = ColumnGeneration::default().solve_with(&problem, &Run::observed(&good))?;
/// assert!(solution.certified.certificate().objective() < 0.3);
/// # Ok::<(), Box<dyn std::error::Error>>(())
/// ```
#[derive(Debug)]
pub struct Until<C> {
    condition: C,
    met: AtomicBool,
}

impl<C: Fn(&Progress) -> bool + Sync> Until<C> {
    /// Waits for `condition`.
    #[must_use]
    pub fn new(condition: C) -> Self {
        Self { condition, met: AtomicBool::new(false) }
    }
}

impl<C: Fn(&Progress) -> bool + Sync> Observer for Until<C> {
    fn poll(&self) -> ControlFlow<Interrupt> {
        if self.met.load(Ordering::Relaxed) {
            ControlFlow::Break(Interrupt::Cancelled)
        } else {
            ControlFlow::Continue(())
        }
    }

    fn progress(&self, progress: &Progress) {
        if (self.condition)(progress) {
            self.met.store(true, Ordering::Relaxed);
        }
    }
}

/// Remembers the first interrupt of an observer, so that every loop of a run ends once one
/// has, on any thread.
pub(crate) struct Latch<'o> {
    observer: &'o dyn Observer,
    interrupt: OnceLock<Interrupt>,
}

impl<'o> Latch<'o> {
    /// Follows an observer.
    pub(crate) fn new(observer: &'o dyn Observer) -> Self {
        Self { observer, interrupt: OnceLock::new() }
    }

    /// The interrupt, once there was one.
    pub(crate) fn interrupt(&self) -> Option<Interrupt> {
        self.interrupt.get().copied()
    }
}

impl Observer for Latch<'_> {
    fn poll(&self) -> ControlFlow<Interrupt> {
        if let Some(interrupt) = self.interrupt() {
            return ControlFlow::Break(interrupt);
        }
        let flow = self.observer.poll();
        if let ControlFlow::Break(interrupt) = flow {
            // Another thread may have been first: its interrupt stays.
            let _ = self.interrupt.set(interrupt);
        }
        flow
    }

    fn progress(&self, progress: &Progress) {
        self.observer.progress(progress);
    }

    fn rows(&self, read: usize, of: usize) {
        self.observer.rows(read, of);
    }
}
