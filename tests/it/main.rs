//! The integration tests: one binary, a module a subject.

mod certify;
#[cfg(feature = "cli")]
mod cli;
mod gauge;
#[cfg(feature = "io")]
mod io;
mod mechanised;
mod support;
