//! The doubly nonnegative relaxation (theorem `dnn-bound`). Its searches look for a dual point R
//! and a split `A − RᵀR = S + T`, `S ⪰ 0`, `T ≥ 0`. Together they certify a lower bound.
//!
//! A search returns a witness; [`certificate`](crate::certificate) proves its bound.

mod ball;
mod first_order;
mod fixed;
mod metric;
mod moving;
mod positive;
mod products;
mod proposal;
mod rising;
#[cfg(feature = "sdp")]
mod semidefinite;
mod settings;
mod squares;
pub mod width;

pub use proposal::Proposal;
#[cfg(feature = "sdp")]
pub use semidefinite::{Relaxed, Semidefinite};
pub use settings::Relaxation;
pub use squares::{FoundSquares, SquareSearch};
