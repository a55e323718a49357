//! The integration tests, one binary.

#[cfg(feature = "cli")]
mod cli;
#[cfg(feature = "io")]
mod io;
