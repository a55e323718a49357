//! How a caller follows and stops a run. The library has no clock and prints
//! nothing: progress goes to the observer, and a stop comes back through it.

use std::ops::ControlFlow;

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

/// Follows a run and may stop it.
///
/// `poll` is called often, from any thread, and should be cheap; `progress`
/// once an iteration from the thread that runs the solver. Stopping is not an
/// error: the best point so far is returned with its certificate.
pub trait Observer: Sync {
    /// Asks whether to go on.
    fn poll(&self) -> ControlFlow<Interrupt> {
        ControlFlow::Continue(())
    }

    /// Tells where the run stands.
    fn progress(&self, progress: &Progress) {
        let _ = progress;
    }
}

/// Never stops, hears nothing.
impl Observer for () {}
