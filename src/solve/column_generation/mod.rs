//! Column generation for the convex problem (theorem `global-criterion`): hold a
//! finite dictionary, descend on codes and atoms, ask the oracle for directions
//! with polar above 1, add them, drop what is unused, stop when the gap closes.

mod coarse;
mod continuation;
mod priced;
mod rounds;

use rounds::NuclearBound;
pub use rounds::{Round, Rounds};

use crate::certificate::CertifyError;
use crate::master::Method;
use crate::observer::Latch;
use crate::problem::Problem;
use crate::solution::{Run, Solution, SolveError};
use crate::trusted::check_shapes;

/// Solves the convex large-dictionary problem by column generation, with the
/// first-order master or, on small problems, with the conic one.
///
/// # Guarantees
/// The returned point is feasible; its certificate's `lower_bound` is proved
/// (see [`certify`](crate::certify)); at a gap of 0 it is the optimum of the convex
/// problem, which is that of every sufficient width
/// ([`global-criterion`](crate::proofs::global_criterion),
/// [`lift-exact`](crate::proofs::lift_exact)). The objective never rises from round to
/// round. The run stops when the smaller of the certified and the *estimated*
/// relative gap is at most `gap_tolerance`; the estimate is a heuristic, so
/// `Stop::ToleranceMet` alone proves nothing. Same seed, same answer, for any
/// number of threads.
///
/// # Cost
/// O(nN + nnz) memory; a sweep is O(nNM) at worst. From 16 384 datapoints on, the first rounds are
/// made on samples of them, each four times as large as the one before. Beyond 16 777 216 numbers
/// the run holds its residual in single precision where `gap_tolerance` is 1e-3 or more; the
/// certificate computes it again in doubles.
///
/// # Examples
/// ```
/// use widedict::{ColumnGeneration, Matrix, Problem};
/// let x = Matrix::from_columns(2, &[[1.0, 0.1], [0.9, 0.0], [0.0, 1.0]]);
/// let problem = Problem::builder(x).lambda(0.2).gamma(0.1).build()?;
/// let solution = ColumnGeneration::default().solve(&problem)?;
/// let certificate = solution.certified.certificate();
/// assert!(certificate.lower_bound().get() <= certificate.objective());
/// # Ok::<(), Box<dyn std::error::Error>>(())
/// ```
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct ColumnGeneration {
    /// Relative gap at which the run stops.
    pub gap_tolerance: f64,
    /// Most rounds (oracle calls).
    pub max_rounds: usize,
    /// Most sweeps of the master in a round. More make better use of the atoms
    /// at hand, fewer add atoms sooner.
    pub max_sweeps: usize,
    /// Most atoms added in a round.
    pub max_new_atoms: usize,
    /// Seed of the oracle's choices.
    pub seed: u64,
    /// Whether the nuclear bound is searched for before the first round: it ends runs of a loose
    /// tolerance early and is certified with them.
    pub bounded: bool,
    /// What finds the codes and moves the atoms of a round.
    pub master: Method,
}

impl Default for ColumnGeneration {
    fn default() -> Self {
        Self {
            gap_tolerance: 5e-3,
            max_rounds: 1000,
            max_sweeps: 100,
            max_new_atoms: 30,
            seed: 0,
            bounded: true,
            master: Method::Proximal,
        }
    }
}

impl ColumnGeneration {
    /// Solves `problem`.
    ///
    /// # Errors
    /// [`SolveError`] for settings out of range or a numerical breakdown.
    pub fn solve(&self, problem: &Problem) -> Result<Solution, SolveError> {
        self.solve_with(problem, &Run::default())
    }

    /// Solves `problem` with an observer, who is told of every round and may stop the
    /// run, and from a start, such as a solution for other penalties. The objective is
    /// never above that of the start.
    ///
    /// # Errors
    /// As [`ColumnGeneration::solve`]; a start of another dimension or with another
    /// number of datapoints.
    pub fn solve_with(&self, problem: &Problem, run: &Run<'_>) -> Result<Solution, SolveError> {
        let latch = Latch::new(run.observer);
        let run = &Run { observer: &latch, ..*run };
        let mut rounds = self.rounds(problem, run)?;
        rounds.by_ref().for_each(|round| run.observer.progress(&round.progress()));
        rounds.finish()
    }

    /// The run as an iterator of its states, for callers that want to look at
    /// every round; [`Rounds::finish`] certifies the last iterate.
    ///
    /// # Errors
    /// As [`ColumnGeneration::solve_with`].
    pub fn rounds<'p>(&self, problem: &'p Problem, run: &Run<'p>) -> Result<Rounds<'p>, SolveError> {
        if !(self.gap_tolerance.is_finite() && self.gap_tolerance > 0.0) {
            return Err(SolveError::Setting {
                name: "gap_tolerance",
                needs: "a positive number",
                value: self.gap_tolerance,
            });
        }
        #[cfg(feature = "conic")]
        if let Method::Conic(conic) = &self.master {
            conic.check()?;
        }
        if let Some(start) = run.start {
            check_shapes(problem, start).map_err(CertifyError::from)?;
        }
        if let Some(start) = run.start {
            return Ok(self.begin(problem, run, Some(start)));
        }
        if let Some(start) = continuation::start(self, problem, run)? {
            return Ok(self.begin(problem, run, Some(&start)));
        }
        let start = coarse::start(self, problem, run)?;
        Ok(self.begin(problem, run, start.as_ref()).coded(start.is_some()))
    }

    fn begin<'p>(
        &self,
        problem: &'p Problem,
        run: &Run<'p>,
        start: Option<&crate::Factorization>,
    ) -> Rounds<'p> {
        let nuclear = if self.bounded { NuclearBound::of(problem, run.observer) } else { None };
        let rounds = Rounds::new(*self, problem, run, start);
        match nuclear {
            Some(nuclear) => rounds.bounded(nuclear),
            None => rounds,
        }
    }
}
