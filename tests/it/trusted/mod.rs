//! What must be believed.

mod exact;
mod first_order;
mod local;
mod nesting;
mod unused;
mod width;
