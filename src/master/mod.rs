//! Masters: given atoms, find codes (and better atoms).
//!
//! A master is a strategy of [column generation](crate::solve::column_generation): the
//! outer loop is the same whichever master descends.

#[cfg(feature = "conic")]
mod conic;
#[cfg(feature = "conic")]
mod newton;
mod proximal;

#[cfg(feature = "conic")]
pub use conic::Conic;
pub use proximal::Proximal;
pub(crate) use proximal::sweep_once;

use crate::atoms::Factorization;
use crate::iterate::Iterate;
use crate::linalg::Matrix;
use crate::observer::{Observer, Stop};

/// Codes over a fixed dictionary, with what a solver knows about them.
#[derive(Clone, Debug, PartialEq)]
pub struct Coded {
    /// The dictionary with its codes, and the center where one is learnt.
    pub factorization: Factorization,
    /// A dual point, unwhitened columns, for [`Coding`](crate::trusted::Coding);
    /// `None` where the residual of the codes is all there is.
    pub dual: Option<Matrix>,
    /// Why the run ended.
    pub stop: Stop,
    /// Iterations made.
    pub iterations: usize,
}

/// How long a master descends.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Effort {
    /// At most this many sweeps over the atoms, over all datapoints or over those that use each.
    pub max_sweeps: usize,
    /// Stop when a sweep lowers the objective by less than this (absolute).
    pub decrease_tolerance: f64,
}

/// The master of a run of column generation.
#[derive(Clone, Copy, Debug, Default, PartialEq)]
#[non_exhaustive]
pub enum Method {
    /// First-order: exact block steps with momentum. Any size.
    #[default]
    Proximal,
    /// Interior points through clarabel, up to a limit on memory.
    #[cfg(feature = "conic")]
    Conic(Conic),
}

/// Lowers the objective of a working iterate, never raises it.
pub(crate) trait Master {
    /// The number of sweeps, and `Break` when the observer asked to stop. The iterate is feasible
    /// either way. The type is a `Result` where the master can fail. On an error the iterate is
    /// unchanged.
    type Descended;

    /// Descends on codes and atoms.
    fn descend(&self, iterate: &mut Iterate<'_>, effort: Effort, observer: &dyn Observer) -> Self::Descended;
}
