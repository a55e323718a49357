//! The tests of the semidefinite relaxation alone, for builds with the feature `sdp`: `it` has them
//! too, and takes as long to build as the library.

#![expect(clippy::float_cmp, reason = "laws that hold exactly are tested exactly")]
#![expect(clippy::unwrap_used, reason = "a test that panics has failed")]

#[path = "it/search/semidefinite.rs"]
mod semidefinite;
#[expect(dead_code, reason = "what the other tests share")]
#[path = "it/support/mod.rs"]
mod support;
