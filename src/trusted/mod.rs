//! What must be believed: the numbers of a certificate, and nothing else.

pub mod bounds;
pub mod coding;
pub mod copositive;
mod direction;
pub mod exact;
pub mod first_order;
pub mod local;
pub mod nesting;
pub mod objective;

pub use bounds::{Bound, BoundKind, Estimate};
pub use coding::Coding;
pub use copositive::{Origin, Split};
pub use direction::{Lower, Upper, gap};
pub use first_order::{Kkt, Residual};
