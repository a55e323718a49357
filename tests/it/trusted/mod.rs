//! What must be believed.

mod exact;
mod local;
mod nesting;
mod unused;
