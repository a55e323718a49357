//! How `--bound` is read, and the search for a split that it asks for.

use widedict::search::oracle::Ascent;
use widedict::search::relaxation::Relaxation;
#[cfg(feature = "sdp")]
use widedict::search::relaxation::Semidefinite;
use widedict::trusted::Residuals;
use widedict::trusted::{Split, exact};
use widedict::{Factorization, Matrix, Problem, Witness, wide};

use crate::args::{BoundChoice, RunArgs};
use crate::failure::Failure;
use crate::output;
use crate::progress::Watch;

/// What `--bound` asks for.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Bounding {
    /// Whether there is any bound.
    pub(crate) bounds: bool,
    search: Search,
}

/// Whether a split is searched, which costs an N × N eigendecomposition a step.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Search {
    Never,
    /// Where it takes seconds.
    Small,
    Always,
    /// Not: the polar is computed exactly instead.
    Exact,
    /// The whole relaxation as one semidefinite program.
    #[cfg(feature = "sdp")]
    Semidefinite,
}

/// Most datapoints at which `--bound auto` searches for a split: some 15 seconds
/// on two cores. At twice as many a step takes four to eight times as long.
const SMALL: usize = 2000;

/// Steps `--bound auto` takes: all of them up to 600 points, then fewer, since a
/// step costs O(N³); the first 30 close most of the gap.
pub(crate) fn auto_steps(points: usize) -> usize {
    let all = Relaxation::default().max_iterations;
    match points {
        0..=600 => all,
        601..=1200 => all / 4,
        _ => 30,
    }
}

/// Largest dimension and number of points at which `--bound auto` computes the
/// polar exactly: seconds at most.
const EXACT_AUTO: (usize, usize) = (3, 200);

impl Bounding {
    /// Reads the choice.
    pub(crate) fn new(choice: BoundChoice) -> Result<Self, Failure> {
        let (bounds, search) = match choice {
            BoundChoice::Auto => (true, Search::Small),
            BoundChoice::None => (false, Search::Never),
            BoundChoice::Fast => (true, Search::Never),
            BoundChoice::Relaxation => (true, Search::Always),
            #[cfg(feature = "sdp")]
            BoundChoice::Sdp => (true, Search::Semidefinite),
            #[cfg(not(feature = "sdp"))]
            BoundChoice::Sdp => return Err(Failure::Unavailable("--bound sdp (feature sdp)")),
            BoundChoice::Exact => (true, Search::Exact),
        };
        Ok(Self { bounds, search })
    }

    /// What a foreign point has no witness for and is quickly found: where a
    /// center is learnt, the dual of the Huber location, which bounds every
    /// dictionary; directions of a large polar, for the estimate.
    pub(crate) fn cheap_witness(self, problem: &Problem, point: &Factorization, watch: &Watch) -> Witness {
        if !self.bounds {
            return Witness::none();
        }
        let dual = (problem.centered() && problem.lambda() > 0.0)
            .then(|| wide::location(problem.data(), problem.lambda(), watch).dual);
        let Ok(residuals) = Residuals::of(problem, point) else { return Witness::none() };
        let mut residual = residuals.into_matrix();
        for (i, &a) in problem.data().sqrt_weights().iter().enumerate() {
            residual.col_mut(i).iter_mut().for_each(|v| *v *= a);
        }
        let found = Ascent::default().search(&problem.gauge(), &residual, &[], watch);
        let directions: Vec<Vec<f64>> = found.into_iter().take(8).map(|c| c.direction).collect();
        Witness {
            dual,
            directions: Some(Matrix::from_columns(problem.dim(), &directions)),
            ..Witness::none()
        }
    }

    /// The limits of the exact polar, where it is asked for or cheap.
    pub(crate) fn exact(self, problem: &Problem) -> Option<exact::Limits> {
        let wanted = match self.search {
            Search::Exact => true,
            Search::Small => problem.dim() <= EXACT_AUTO.0 && problem.len() <= EXACT_AUTO.1,
            Search::Never | Search::Always => false,
            #[cfg(feature = "sdp")]
            Search::Semidefinite => false,
        };
        wanted.then(exact::Limits::default)
    }

    /// Refuses what cannot be computed, before anything is solved.
    pub(crate) fn check(self, problem: &Problem) -> Result<(), Failure> {
        #[cfg(feature = "sdp")]
        if self.search == Search::Semidefinite && problem.gamma() > 0.0 {
            Semidefinite::default().check_size(problem)?;
        }
        let _ = problem;
        Ok(())
    }

    /// Searches for a split from a point, where it is asked for and applies, in
    /// the time that is left; says so where the data are too many.
    pub(crate) fn split(
        self,
        problem: &Problem,
        point: &Factorization,
        gap: f64,
        run: &RunArgs,
        watch: &Watch,
    ) -> Result<Option<Split>, Failure> {
        #[cfg(feature = "sdp")]
        if self.search == Search::Semidefinite {
            return semidefinite(problem, run, watch);
        }
        Ok(self.first_order(problem, point, gap, run, watch))
    }

    /// The search by first-order steps.
    fn first_order(
        self,
        problem: &Problem,
        point: &Factorization,
        gap: f64,
        run: &RunArgs,
        watch: &Watch,
    ) -> Option<Split> {
        let wanted = match self.search {
            #[cfg(feature = "sdp")]
            Search::Semidefinite => false,
            Search::Never | Search::Exact => false,
            Search::Small => problem.len() <= SMALL,
            Search::Always => true,
        };
        if !wanted || problem.gamma() == 0.0 {
            return None;
        }
        let iterations = match self.search {
            Search::Always => Relaxation::default().max_iterations,
            Search::Small | Search::Never | Search::Exact => auto_steps(problem.len()),
            #[cfg(feature = "sdp")]
            Search::Semidefinite => 0,
        };
        let relaxation =
            Relaxation { gap_tolerance: gap, max_iterations: iterations, ..Relaxation::default() };
        if problem.len() > relaxation.max_datapoints && !run.quiet {
            output::say(&format!(
                "note: the relaxation takes at most {} points, found {}: the fast bound is given",
                relaxation.max_datapoints,
                problem.len()
            ));
        }
        relaxation.search(problem, point, watch).map(|found| found.split)
    }
}

/// The split of the semidefinite program; `None` at γ = 0, where the bound is exact
/// without it, and where it was stopped before its first step.
#[cfg(feature = "sdp")]
fn semidefinite(problem: &Problem, run: &RunArgs, watch: &Watch) -> Result<Option<Split>, Failure> {
    use widedict::Stop;
    if problem.gamma() == 0.0 {
        return Ok(None);
    }
    watch.phase("semidefinite relaxation");
    let relaxed = Semidefinite::default().solve(problem, watch)?;
    let short = !matches!(relaxed.stop, Stop::ToleranceMet | Stop::Stalled);
    if short && !run.quiet {
        let ended = relaxed.stop.as_str();
        output::say(&format!("note: the semidefinite program ended with {ended}: its bound is not its best"));
    }
    Ok(Some(relaxed.split))
}
