#![doc = include_str!("../README.md")]

pub mod atoms;
pub mod certificate;
pub mod datasets;
pub mod gauge;
#[cfg(feature = "io")]
pub mod io;
pub mod linalg;
pub mod num;
pub mod observer;
#[cfg(feature = "plot")]
pub mod plot;
pub mod problem;

pub use atoms::{Codes, Dictionary, Factorization};
pub use certificate::{Certificate, Certified, Verdict, Witness, certify};
pub use linalg::Matrix;
pub use observer::{Interrupt, Observer, Progress, Stop};
pub use problem::{Problem, ProblemError};
