#![allow(clippy::unwrap_used, missing_docs)]
#[path = "it/reduce.rs"]
mod reduce;
#[path = "it/spread.rs"]
mod spread;
