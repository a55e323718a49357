//! Oracles: directions in which a new atom would lower the objective.

mod ascent;

pub(crate) use ascent::distinct;
pub use ascent::{Ascent, Candidate};
