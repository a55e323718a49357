#![doc = include_str!("../README.md")]

pub mod atoms;
pub mod certificate;
pub mod coder;
pub mod column_generation;
pub mod datasets;
pub mod diagnose;
pub mod finite;
pub mod gauge;
#[cfg(feature = "io")]
pub mod io;
pub mod linalg;
pub mod master;
pub mod num;
pub mod observer;
pub mod oracle;
pub mod participation;
pub mod path;
#[cfg(feature = "plot")]
pub mod plot;
pub mod problem;
pub mod proofs;
pub mod relaxation;
mod solution;
#[cfg(feature = "testing")]
pub mod testing;
pub mod wide;

pub use atoms::{Codes, Dictionary, Factorization};
pub use certificate::{Certificate, Certified, Verdict, Witness, certify};
pub use column_generation::ColumnGeneration;
pub use finite::Finite;
pub use linalg::Matrix;
pub use observer::{Interrupt, Observer, Progress, Stop};
pub use participation::Participation;
pub use problem::{Problem, ProblemError};
pub use solution::{Solution, SolveError};
