#![doc = include_str!("../README.md")]

pub mod atoms;
pub mod certificate;
pub mod gauge;
pub mod linalg;
pub mod num;
pub mod observer;
pub mod problem;
#[cfg(feature = "testing")]
pub mod testing;

pub use atoms::{Codes, Dictionary, Factorization};
pub use certificate::{Certificate, Certified, Verdict, Witness, certify};
pub use linalg::Matrix;
pub use observer::{Interrupt, Observer, Progress, Stop};
pub use problem::{Problem, ProblemError};
