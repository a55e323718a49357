//! The integration tests: one binary, a module a subject.

#[cfg(feature = "cli")]
mod cli;
mod exact;
mod gauge;
#[cfg(feature = "io")]
mod io;
mod mechanised;
mod support;
