//! What the law tests share.

pub(crate) mod checks;
pub(crate) mod exact;
pub(crate) mod strategies;
