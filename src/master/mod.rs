//! Masters: given atoms, find codes (and better atoms).
//!
//! A master is a strategy of [column generation](crate::column_generation): the
//! outer loop is the same whichever master descends.

mod point;
mod proximal;

pub(crate) use point::{Atom, Point};
pub use proximal::Proximal;
pub(crate) use proximal::sweep_once;

use std::ops::ControlFlow;

use crate::observer::{Interrupt, Observer};

/// How long a master descends.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Effort {
    /// At most this many sweeps over the atoms.
    pub sweeps: usize,
    /// Stop when a sweep lowers the objective by less than this (absolute).
    pub decrease: f64,
}

/// Lowers the objective of a working point, never raises it.
pub(crate) trait Master {
    /// Descends on codes and atoms. `Break` when the observer asked to stop;
    /// the point is feasible either way. Returns the sweeps made.
    fn descend(
        &self,
        point: &mut Point<'_>,
        effort: Effort,
        observer: &dyn Observer,
    ) -> (usize, ControlFlow<Interrupt>);
}
