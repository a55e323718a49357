//! What must be believed.

mod exact;
mod local;
