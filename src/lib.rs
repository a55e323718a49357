// Pictures and links of the README, for the crate page: see `build.rs`.
#![cfg_attr(doc, doc = include_str!(concat!(env!("OUT_DIR"), "/crate-page.md")))]
#![doc = include_str!("../README.md")]
#![cfg_attr(docsrs, feature(doc_cfg))]

#[cfg(all(feature = "io", feature = "plot"))]
#[doc(hidden)]
pub mod answer;
pub mod atoms;
pub mod bounding;
pub mod certificate;
#[cfg(feature = "conic")]
mod clarabel;
pub mod coder;
pub mod datasets;
pub mod diagnose;
pub mod gauge;
#[cfg(feature = "io")]
pub mod io;
mod iterate;
pub mod linalg;
pub mod master;
#[cfg(feature = "mpi")]
pub mod mpi;
pub mod num;
pub mod observer;
#[cfg(feature = "plot")]
pub mod plot;
pub mod problem;
pub mod proofs;
pub mod reduce;
pub mod search;
mod solution;
pub mod solve;
#[cfg(feature = "testing")]
#[doc(hidden)]
pub mod testing;
mod time_limit;
pub mod trusted;
pub mod wide;

/// The sparse matrices that [`Codes::new`] takes and [`Codes::view`] gives, in the
/// version this crate uses. [`Codes::from_triplets`], [`Codes::from_csr`] and
/// [`Codes::to_csr`] do without it.
pub use sprs;

pub use atoms::{Codes, Dictionary, Factorization};
pub use bounding::Bounding;
pub use certificate::{Certificate, Certified, Verdict, Witness, certify};
pub use linalg::{Columns, Datapoints, Matrix};
pub use observer::{Interrupt, Observer, Progress, Stop};
pub use problem::{Problem, ProblemError};
pub use solution::{Keeper, Run, Solution, SolveError};
pub use solve::column_generation::ColumnGeneration;
pub use solve::finite::Finite;
pub use solve::participation::Participation;
pub use time_limit::TimeLimit;
pub use trusted::{Lower, Upper};
