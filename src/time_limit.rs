//! A limit on the wall time of a run.
//!
//! The rest of the library has no clock: a run's answer depends on its input and on the
//! moment its observer stops it. This file is the one exception, so that a caller does
//! not have to write this observer again. Answers of a run stopped by the clock depend
//! on the machine; use a limit on iterations where they must not.

use std::ops::ControlFlow;
use std::time::{Duration, Instant};

use crate::observer::{Interrupt, Observer};

/// An observer that ends a run after a duration, with [`Interrupt::TimeLimit`].
///
/// The clock starts with [`TimeLimit::new`]; what is reused for a second run has less
/// time left.
///
/// # Examples
/// ```
/// use std::time::Duration;
/// use widedict::{ColumnGeneration, Matrix, Problem, Run, Stop, TimeLimit};
/// let x = Matrix::from_columns(2, &[[1.0, 0.1], [0.9, 0.3], [0.1, 1.0]]);
/// let problem = Problem::builder(x).lambda(0.2).gamma(0.1).build()?;
/// let generation = ColumnGeneration { gap_tolerance: 1e-12, ..ColumnGeneration::default() };
/// let solution = generation.solve_with(&problem, &Run::observed(&TimeLimit::new(Duration::ZERO)))?;
/// assert_eq!(solution.stop, Stop::TimeLimit);
/// // What there is by then is certified all the same.
/// let certificate = solution.certified.certificate();
/// assert!(certificate.lower_bound().get() <= certificate.objective());
/// # Ok::<(), Box<dyn std::error::Error>>(())
/// ```
#[derive(Clone, Copy, Debug)]
pub struct TimeLimit {
    started: Instant,
    limit: Duration,
}

impl TimeLimit {
    /// Starts the clock.
    #[must_use]
    pub fn new(limit: Duration) -> Self {
        Self { started: Instant::now(), limit }
    }

    /// Returns the time since the clock was started.
    #[must_use]
    pub fn elapsed(&self) -> Duration {
        self.started.elapsed()
    }
}

impl Observer for TimeLimit {
    fn poll(&self) -> ControlFlow<Interrupt> {
        if self.elapsed() >= self.limit {
            ControlFlow::Break(Interrupt::TimeLimit)
        } else {
            ControlFlow::Continue(())
        }
    }
}
