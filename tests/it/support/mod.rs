//! What the law tests share.

pub(crate) mod checks;
pub(crate) use widedict::testing::exact;
pub(crate) mod strategies;
