//! What a solver returns, and why it may return nothing.

use crate::atoms::AtomsError;
use crate::certificate::{Certified, CertifyError, Witness};
use crate::observer::Stop;

/// A certified point and why the run ended.
#[derive(Clone, Debug, PartialEq)]
pub struct Solution {
    /// The point with its certificate.
    pub certified: Certified,
    /// The evidence the certificate was made from: a starting point for a better
    /// bound, or for checking it again.
    pub witness: Witness,
    /// Why the run ended. A limit is not an error.
    pub stop: Stop,
    /// Outer iterations made.
    pub iterations: usize,
}

/// Why a solver has nothing to return.
#[derive(Debug, Clone, PartialEq, thiserror::Error)]
#[non_exhaustive]
pub enum SolveError {
    /// The method does not apply to the problem.
    #[error("{method} needs {needs}, found {found}")]
    NotApplicable {
        /// The method.
        method: &'static str,
        /// What it needs.
        needs: &'static str,
        /// What the problem has.
        found: String,
    },
    /// A setting outside its range.
    #[error("{name} must be {needs}, found {value}")]
    Setting {
        /// Name of the setting.
        name: &'static str,
        /// What it must be.
        needs: &'static str,
        /// What it is.
        value: f64,
    },
    /// The conic program would not fit in the memory it may use.
    #[error(
        "the {program} would take about {needed_mib} MiB, above the limit of {limit_mib} MiB: use the {instead}, or raise the limit"
    )]
    TooLarge {
        /// What was to be solved.
        program: &'static str,
        /// Estimated memory of the factorization, in MiB.
        needed_mib: u64,
        /// The limit, in MiB.
        limit_mib: u64,
        /// A method for problems of that size.
        instead: &'static str,
    },
    /// The conic solver left no point to use.
    #[error("the conic solver broke down: it ended with {status}")]
    Conic {
        /// Its status, or what went wrong.
        status: String,
    },
    /// The point could not be certified.
    #[error(transparent)]
    Certify(#[from] CertifyError),
    /// The iteration produced atoms or codes that are not finite.
    #[error("the iteration broke down: {0}")]
    Breakdown(#[from] AtomsError),
}
