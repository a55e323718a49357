//! Everything that speaks to clarabel.

pub(crate) mod lift;
pub(crate) mod location;
pub(crate) mod lower;
pub(crate) mod program;
mod status;
