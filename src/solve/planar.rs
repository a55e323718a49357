//! The best dictionary of a given width, proved, for data in a plane (theorem `planar-optimum`).

use crate::atoms::{Codes, Dictionary, Factorization};
use crate::certificate::{Options, Verdict};
use crate::linalg::Matrix;
use crate::num::min;
use crate::observer::{Observer, Stop};
use crate::problem::Problem;
use crate::solution::{Run, Solution, SolveError};
use crate::solve::finite::Finite;
use crate::trusted::bounds;
use crate::trusted::planar::{self, Flatness, Goal};

/// Largest relative distance of the goal from the objective. Ten times less takes two levels of
/// arcs more.
const CLOSE: f64 = 1e-6;

/// Descents from better dictionaries that the proof meets, each better than the last by more
/// than the distance of the goal.
const DESCENTS: usize = 12;

/// How much farther the goal is set where a better dictionary was met that a descent does not
/// reach.
const FARTHER: f64 = 8.0;

/// Share of the tolerance that what the data have outside their plane may take.
const OUTSIDE: f64 = 0.1;

/// Starts of the search that is made once more where the bound is far below what was found. At a
/// penalty that is small beside the data there are many local minima.
const MORE_STARTS: usize = 40;

/// Solves the joint problem of width M for data of rank at most two to a proved global optimum:
/// γ = 0, no center that is learnt.
///
/// ```math
/// F_M=\min_{D\in(S^{n-1})^M,\ Z\ge0}\ \sum_iw_i\big(\tfrac12\lVert x_i-Dz_i\rVert^2+\lambda\mathbf1^\top z_i\big)
/// ```
///
/// [`Finite`] finds a dictionary, [`planar::prove`] a lower bound of all. Where that meets a
/// better dictionary, [`Finite`] goes on from there.
///
/// # Guarantees
/// [`planar-optimum`](crate::proofs::planar_optimum): the certificate's
/// [`width_bound`](crate::Certificate::width_bound) is at most the objective of every dictionary
/// of M unit atoms, also where the run was stopped. [`Verdict::GlobalWidth`] says that the
/// solution is within the relative gap `tolerance` of it; then the run ended with
/// [`Stop::ToleranceMet`]. The same settings give the same answer for any number of threads.
///
/// Not claimed: that the dictionary is the only one; that the bound is met where arcs become too
/// many, as for objectives that hardly depend on the atoms ([`Stop::Stalled`]).
///
/// # Cost
/// That of the descents and of [`planar::prove`]: for 200 datapoints and four atoms a tenth of a
/// second at a gap of 1e-6.
///
/// # Examples
/// ```
/// use widedict::solve::planar::Planar;
/// use widedict::{Matrix, Problem, Verdict};
/// let x = Matrix::from_columns(2, &[[1.0, 0.1], [0.9, 0.3], [0.5, 0.6], [0.1, 1.0], [-0.4, 0.8]]);
/// let problem = Problem::builder(x).lambda(0.2).build()?;
/// let solution = Planar::new(2).solve(&problem)?;
/// let certificate = solution.certified.certificate();
/// assert_eq!(*certificate.verdict(), Verdict::GlobalWidth);
/// let bound = certificate.width_bound(2).expect("a bound").get();
/// assert!(bound > certificate.lower_bound().get());
/// assert!(certificate.objective() - bound <= 1e-5 * certificate.objective());
/// # Ok::<(), Box<dyn std::error::Error>>(())
/// ```
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Planar {
    /// Relative gap at which a dictionary counts as optimal for its width. The bound comes
    /// within a millionth of the objective whatever it is, where nothing stops it.
    pub tolerance: f64,
    /// How dictionaries are found, and their number of atoms.
    pub finite: Finite,
}

impl Planar {
    /// Settings with M atoms, a gap of 5e-3, and six starts.
    #[must_use]
    pub fn new(width: usize) -> Self {
        Self { tolerance: 5e-3, finite: Finite { restarts: 6, ..Finite::new(width) } }
    }

    /// Solves `problem`.
    ///
    /// # Errors
    /// As [`Planar::check`] and [`Finite::solve`].
    pub fn solve(&self, problem: &Problem) -> Result<Solution, SolveError> {
        self.solve_with(problem, &Run::default())
    }

    /// The same with an observer, who is told of the bound at every level of arcs and may stop
    /// the run, and from a start.
    ///
    /// # Errors
    /// As [`Planar::solve`].
    pub fn solve_with(&self, problem: &Problem, run: &Run<'_>) -> Result<Solution, SolveError> {
        self.check(problem)?;
        let solution = Finite { local: None, ..self.finite }.solve_with(problem, run)?;
        let local = Some(self.finite.local.unwrap_or_default());
        let options = Options { gap_tolerance: self.tolerance, local, ..Options::default() };
        let solution = self.finite.settle(problem, solution, &options, run.observer)?;
        self.extend(problem, solution, &options, run.observer)
    }

    /// Whether the theorem speaks of a problem.
    ///
    /// # Errors
    /// [`SolveError::NotApplicable`] for γ > 0, a learnt center, and data whose part outside
    /// their leading plane may change the objective by more than a tenth of the tolerance;
    /// [`SolveError::Setting`] for a tolerance that is no positive number.
    pub fn check(&self, problem: &Problem) -> Result<(), SolveError> {
        let refuse =
            |needs, found| Err(SolveError::NotApplicable { method: "the planar optimum", needs, found });
        if !(self.tolerance.is_finite() && self.tolerance > 0.0) {
            let needs = "a positive number";
            return Err(SolveError::Setting { name: "tolerance", needs, value: self.tolerance });
        }
        if problem.centered() {
            return refuse("a fixed center", "one that is learnt".to_owned());
        }
        if !planar::applies(problem) {
            let found = format!("gamma {}, lambda {}", problem.gamma(), problem.lambda());
            return refuse("gamma 0 and a positive lambda", found);
        }
        let Flatness { left, distance } = Flatness::of(problem);
        let allowed = OUTSIDE * self.tolerance * bounds::wide_limit(problem).lower.get();
        if left > allowed {
            let found = format!(
                "data whose root mean square distance from their leading plane (at least the third singular \
                 value) is {distance:.3e}: it may change the objective by {left:.3e}, where the tolerance \
                 allows {allowed:.3e}"
            );
            return refuse("data of rank two at most", found);
        }
        Ok(())
    }

    /// Adds the bound of M atoms to a solution, which a better dictionary replaces where the
    /// proof meets one. `options` are those that the solution was certified with. A solution
    /// that is proved optimal for every width gets the bound too.
    ///
    /// # Errors
    /// As [`Finite::solve`].
    pub fn extend(
        &self,
        problem: &Problem,
        solution: Solution,
        options: &Options,
        observer: &dyn Observer,
    ) -> Result<Solution, SolveError> {
        let mut solution = solution;
        let mut distance = min(CLOSE, 0.5 * self.tolerance);
        let mut searched = false;
        for descent in 0..=DESCENTS {
            let upper = solution.certified.certificate().upper().get();
            let goal = Goal::new(self.finite.width, upper * (1.0 - distance));
            let Some(bound) = planar::prove(problem, &goal, observer) else { break };
            let open = descent < DESCENTS && observer.poll().is_continue();
            if let Some(better) = bound.better.clone().filter(|_| open) {
                let found = self.from(problem, better, options, observer)?;
                if found.certified.certificate().objective() < solution.certified.certificate().objective() {
                    solution = found;
                } else {
                    distance = min(FARTHER * distance, 0.5);
                }
                continue;
            }
            let missed = upper - bound.lower.get() > self.tolerance * upper;
            if missed && open && !searched {
                // The bound is within a millionth of the optimum, unless data lie outside the plane:
                // it is the dictionary that is bad.
                searched = true;
                let found = self.again(problem, options, observer)?;
                if found.certified.certificate().objective() < solution.certified.certificate().objective() {
                    solution = found;
                    continue;
                }
            }
            let (interrupt, stop) = (bound.interrupt, solution.stop);
            let certified = solution.certified.with_planar(bound, options);
            let stop = match (certified.certificate().verdict(), interrupt) {
                (Verdict::Global | Verdict::GlobalWidth, _) => Stop::ToleranceMet,
                (_, Some(interrupt)) => interrupt.into(),
                (_, None) if stop == Stop::ToleranceMet => Stop::Stalled,
                (_, None) => stop,
            };
            return Ok(Solution { certified, stop, ..solution });
        }
        Ok(solution)
    }

    /// The best of more starts, under another seed.
    fn again(
        &self,
        problem: &Problem,
        options: &Options,
        observer: &dyn Observer,
    ) -> Result<Solution, SolveError> {
        let seed = self.finite.seed.wrapping_add(1);
        let search = Finite { local: None, restarts: MORE_STARTS, seed, ..self.finite };
        let found = search.solve_with(problem, &Run { start: None, observer, keeper: None })?;
        let local = Some(options.local.unwrap_or_default());
        self.finite.settle(problem, found, &Options { local, ..*options }, observer)
    }

    /// A descent from unit atoms, with its local verdict.
    fn from(
        &self,
        problem: &Problem,
        atoms: Matrix,
        options: &Options,
        observer: &dyn Observer,
    ) -> Result<Solution, SolveError> {
        let dictionary = Dictionary::normalize_nonzero(atoms)?.0;
        let codes = Codes::zeros(dictionary.len(), problem.len());
        let start = Factorization::new(dictionary, codes, None)?;
        let run = Run { start: Some(&start), observer, keeper: None };
        let found = Finite { local: None, ..self.finite }.solve_with(problem, &run)?;
        let local = Some(options.local.unwrap_or_default());
        self.finite.settle(problem, found, &Options { local, ..*options }, observer)
    }
}
