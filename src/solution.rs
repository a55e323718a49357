//! What a solver returns, and why it may return nothing.

use crate::atoms::{AtomsError, Factorization};
use crate::certificate::{Certified, CertifyError, Witness};
use crate::observer::{Observer, Stop};

/// How a run is made: where it starts, and who follows it. What limits a run are the
/// settings of its solver.
///
/// # Examples
/// ```
/// use widedict::{ColumnGeneration, Matrix, Problem, Run};
/// let x = Matrix::from_columns(2, &[[1.0, 0.1], [0.9, 0.0], [0.0, 1.0]]);
/// let problem = Problem::builder(x).lambda(0.2).gamma(0.1).build()?;
/// let solver = ColumnGeneration::default();
/// let first = solver.solve(&problem)?;
/// // At half the atom price, from the solution just found.
/// let cheaper = problem.with_penalty(0.2, 0.05)?;
/// let next = solver.solve_with(&cheaper, &Run::starting_at(first.certified.solution()))?;
/// assert!(next.certified.certificate().objective() <= first.certified.certificate().objective());
/// # Ok::<(), Box<dyn std::error::Error>>(())
/// ```
#[derive(Clone, Copy)]
pub struct Run<'a> {
    /// A factorization to start from; `None` leaves the start to the solver.
    pub start: Option<&'a Factorization>,
    /// Hears of the progress, and may stop the run.
    pub observer: &'a dyn Observer,
    /// Is offered what there is so far; nobody where it is `None`.
    pub keeper: Option<&'a dyn Keeper>,
}

/// Keeps what a run has so far, so that another run can go on from it should this one be
/// lost: to a file, say.
///
/// A run of column generation offers its iterate once a round, one of a given width once
/// an iteration of its descent. What is offered is feasible; it need not be the best that
/// was offered.
pub trait Keeper: Sync {
    /// Whether the next offer is wanted. It is asked often and should be cheap.
    fn wants(&self) -> bool;

    /// Takes a factorization with its objective as the run has it.
    fn keep(&self, factorization: &Factorization, objective: f64);
}

impl Default for Run<'_> {
    /// The solver's own start, and nobody who follows.
    fn default() -> Self {
        Self { start: None, observer: &(), keeper: None }
    }
}

impl<'a> Run<'a> {
    /// The solver's own start, followed by `observer`.
    #[must_use]
    pub fn observed(observer: &'a dyn Observer) -> Self {
        Self { observer, ..Self::default() }
    }

    /// From `start`, followed by nobody.
    #[must_use]
    pub fn starting_at(start: &'a Factorization) -> Self {
        Self { start: Some(start), ..Self::default() }
    }

    /// The same run, offering what there is so far to `keeper`.
    #[must_use]
    pub fn kept_by(self, keeper: &'a dyn Keeper) -> Self {
        Self { keeper: Some(keeper), ..self }
    }

    /// The same run from `start`.
    #[must_use]
    pub fn with_start(self, start: &'a Factorization) -> Self {
        Self { start: Some(start), ..self }
    }
}

/// A certified factorization and why the run ended.
#[derive(Clone, Debug, PartialEq)]
pub struct Solution {
    /// The factorization with its certificate.
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
