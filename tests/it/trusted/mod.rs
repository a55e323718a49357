//! What must be believed.

mod exact;
