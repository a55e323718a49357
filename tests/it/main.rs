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
#[cfg(feature = "conic")]
mod conic;
mod diagnose;
mod exact;
mod finite;
mod gauge;
#[cfg(feature = "io")]
mod interchange;
#[cfg(feature = "io")]
mod io;
mod linalg;
mod mechanised;
mod num;
mod observer;
mod path;
mod problem;
#[cfg(feature = "io")]
mod sae;
#[cfg(feature = "io")]
mod saved;
#[cfg(feature = "sdp")]
mod sdp;
mod solver;
mod sources;
mod stops;
mod support;
mod traceability;
mod wide;
