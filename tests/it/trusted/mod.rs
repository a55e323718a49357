//! What must be believed.

mod coding;
mod exact;
mod first_order;
mod hull;
mod local;
mod nesting;
mod planar;
mod unused;
mod width;
