//! The doubly nonnegative relaxation (theorem `dnn-bound`): searches for a dual
//! point R and a split `A − RᵀR = S + T`, `S ⪰ 0`, `T ≥ 0`, that certify a bound.
//!
//! What is found here is a witness; [`certificate`](crate::certificate) proves it.

mod first_order;
mod fixed;
#[cfg(feature = "sdp")]
mod semidefinite;
mod subspace;

pub use first_order::{Found, Relaxation};
#[cfg(feature = "sdp")]
pub use semidefinite::{Relaxed, Semidefinite};
