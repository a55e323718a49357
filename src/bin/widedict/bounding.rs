//! How `--bound` is read, and the search for a split that it asks for.

use widedict::certificate::Split;
use widedict::relaxation::Relaxation;
use widedict::{Factorization, Problem};

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
}

/// Most datapoints at which `--bound auto` searches for a split: 300 steps take
/// seconds. At twice as many they take eight times as long.
const SMALL: usize = 256;

impl Bounding {
    /// Reads the choice.
    pub(crate) fn new(choice: BoundChoice) -> Result<Self, Failure> {
        let (bounds, search) = match choice {
            BoundChoice::Auto => (true, Search::Small),
            BoundChoice::None => (false, Search::Never),
            BoundChoice::Fast => (true, Search::Never),
            BoundChoice::Relaxation => (true, Search::Always),
            BoundChoice::Sdp => return Err(Failure::Unavailable("--bound sdp")),
            BoundChoice::Exact => return Err(Failure::Unavailable("--bound exact")),
        };
        Ok(Self { bounds, search })
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
    ) -> Option<Split> {
        let wanted = match self.search {
            Search::Never => false,
            Search::Small => problem.len() <= SMALL,
            Search::Always => true,
        };
        if !wanted || problem.gamma() == 0.0 {
            return None;
        }
        let relaxation = Relaxation { gap, ..Relaxation::default() };
        if problem.len() > relaxation.max_points && !run.quiet {
            output::say(&format!(
                "note: the relaxation takes at most {} points, found {}: the fast bound is given",
                relaxation.max_points,
                problem.len()
            ));
        }
        relaxation.search(problem, point, watch).map(|found| found.split)
    }
}
