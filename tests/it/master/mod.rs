//! Masters: two methods for one problem.

#[cfg(feature = "conic")]
mod conic;
