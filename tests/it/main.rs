//! The integration tests: one binary, a module a subject.

#![expect(clippy::float_cmp, reason = "laws that hold exactly are tested exactly")]
#![expect(clippy::unwrap_used, reason = "a test that panics has failed")]

mod atoms;
mod bounding;
mod certificate;
mod certify;
#[cfg(feature = "cli")]
mod cli;
mod coder;
mod datapoints;
mod diagnose;
mod gauge;
mod given_codes;
mod hunt;
#[cfg(feature = "io")]
mod interchange;
#[cfg(feature = "conic")]
mod inverse;
#[cfg(feature = "io")]
mod io;
mod linalg;
mod master;
mod mechanised;
mod num;
mod observer;
mod problem;
mod reduce;
mod search;
mod solve;
mod sources;
mod spread;
mod stops;
#[cfg(feature = "io")]
mod streamed;
mod support;
mod traceability;
mod trusted;
#[cfg(feature = "cli")]
mod verify;
mod wide;
