//! From a solver's solution to one that is bounded, certified and written.

use std::num::NonZeroUsize;

use widedict::bounding::{Bounded, Evidence};
use widedict::certificate::Options;
use widedict::io::Saving;
use widedict::solve::planar::Planar;
use widedict::solve::width_bound::WidthBound;
use widedict::{Bounding, Certified, Finite, Problem, Run, Solution, Stop, Witness};

use crate::arguments::{BoundChoice, LocalChoice};
use crate::failure::Failure;
use crate::output::folder::Folder;
use crate::output::progress::Watch;
use crate::output::row::Row;

/// The methods of this build.
#[derive(Clone, Copy, Debug, PartialEq)]
pub(super) enum Solver {
    ClosedForm,
    Proximal,
    #[cfg(feature = "conic")]
    Conic,
    /// Conic, then the semidefinite bound.
    #[cfg(feature = "sdp")]
    Sdp,
    /// The joint problem of a given width; the local test is left to
    /// [`Conclusion::conclude`].
    Finite(Finite),
}

impl Solver {
    pub(super) fn name(self) -> &'static str {
        match self {
            Self::ClosedForm => "closed-form",
            Self::Proximal => "proximal",
            #[cfg(feature = "conic")]
            Self::Conic => "conic",
            #[cfg(feature = "sdp")]
            Self::Sdp => "sdp",
            Self::Finite(_) => "finite",
        }
    }

    pub(super) fn width(self) -> Option<usize> {
        match self {
            Self::ClosedForm | Self::Proximal => None,
            #[cfg(feature = "conic")]
            Self::Conic => None,
            #[cfg(feature = "sdp")]
            Self::Sdp => None,
            Self::Finite(finite) => Some(finite.width),
        }
    }
}

/// The settings of a width: the local test is left to [`Conclusion::conclude`].
pub(super) fn finite(width: usize, restarts: Option<NonZeroUsize>, tolerance: f64, seed: u64) -> Finite {
    let restarts = restarts.map_or(1, NonZeroUsize::get);
    Finite { stationarity_tolerance: tolerance, seed, restarts, local: None, ..Finite::new(width) }
}

/// The library's choice of `--bound`.
pub(super) fn bounding(choice: BoundChoice) -> Result<Bounding, Failure> {
    choice.bounding().ok_or(Failure::Unavailable("--bound sdp (feature sdp)"))
}

/// What happens to a solver's solution: how it is bounded and certified.
#[derive(Clone, Copy, Debug)]
pub(super) struct Conclusion {
    pub(super) solver: Solver,
    pub(super) bounding: Bounding,
    tolerance: f64,
    local: LocalChoice,
    /// Whether the best dictionary of its width is to be proved.
    global: bool,
}

impl Conclusion {
    pub(super) fn new(solver: Solver, bounding: Bounding, tolerance: f64, local: LocalChoice) -> Self {
        Self { solver, bounding, tolerance, local, global: false }
    }

    /// The same, with the best dictionary of its width to be proved or not.
    pub(super) fn of_all(self, global: bool) -> Self {
        Self { global, ..self }
    }

    /// Whether the problem is one for what was asked.
    pub(super) fn check(&self, problem: &Problem) -> Result<(), Failure> {
        self.bounding.check(problem)?;
        self.planar().map_or(Ok(()), |planar| Ok(planar.check(problem)?))
    }

    fn planar(&self) -> Option<Planar> {
        let Solver::Finite(finite) = self.solver else { return None };
        self.global.then_some(Planar { tolerance: self.tolerance, finite })
    }

    /// What is asked of the checker.
    pub(super) fn options(&self, problem: &Problem, stop: Stop) -> Options {
        let local = self.solver.width().and_then(|_| self.local.limits());
        let options =
            Options { gap_tolerance: self.tolerance, stop: Some(stop), local, ..Options::default() };
        self.bounding.options(problem, options)
    }

    /// Certifies the solver's solution from its witness and from what is searched for in
    /// the time that is left. One of a given width is brought to a local verdict, which
    /// may lower it.
    pub(super) fn conclude(
        &self,
        problem: &Problem,
        solution: Solution,
        watch: &Watch,
    ) -> Result<Solution, Failure> {
        watch.phase("certifying");
        let options = self.options(problem, solution.stop);
        let (solution, shortfall) = if let (Solver::Finite(finite), Some(_)) = (self.solver, options.local) {
            let Evidence { witness, shortfall } = self.evidence(problem, &solution, watch)?;
            let solution = Solution { witness, ..solution };
            (finite.settle(problem, solution, &options, watch)?, shortfall)
        } else {
            let (stop, iterations) = (solution.stop, solution.iterations);
            let Bounded { certified, witness, shortfall } =
                self.bounding.bound(problem, solution, &options, watch)?;
            (Solution { certified, witness, stop, iterations }, shortfall)
        };
        if let Some(shortfall) = shortfall {
            watch.note(&shortfall.to_string());
        }
        if let Some(planar) = self.planar() {
            watch.phase("searching the plane");
            return Ok(planar.extend(problem, solution, &options, watch)?);
        }
        let Some(width) = self.solver.width() else { return Ok(solution) };
        let (certified, witness) =
            bound_width(self.bounding, problem, (solution.certified, solution.witness), width, watch)?;
        Ok(Solution { certified, witness, ..solution })
    }

    /// What is found about a solution whose gap is above the tolerance.
    fn evidence(&self, problem: &Problem, solution: &Solution, watch: &Watch) -> Result<Evidence, Failure> {
        let (certified, witness) = (&solution.certified, solution.witness.clone());
        if certified.certificate().relative_gap() <= self.tolerance {
            return Ok(Evidence { witness, shortfall: None });
        }
        Ok(self.bounding.extend(problem, certified.solution(), witness, self.tolerance, watch)?)
    }
}

/// Adds the bound that knows the number of atoms, where it is searched for.
pub(super) fn bound_width(
    bounding: Bounding,
    problem: &Problem,
    certified: (Certified, Witness),
    width: usize,
    watch: &Watch,
) -> Result<(Certified, Witness), Failure> {
    if !bounding.bounds_width(problem) {
        return Ok(certified);
    }
    watch.phase("bounding the width");
    Ok(WidthBound::default().extend(problem, certified, width, &Run::observed(watch))?)
}

/// Writes a solution with its certificate and what another program needs to check it, in
/// place of what an earlier run wrote.
pub(super) fn save(folder: &Folder, saving: &Saving<'_>, row: &Row) -> Result<(), Failure> {
    saving.write(folder.path(), row)?;
    folder.write_sae(saving.certified.solution(), saving.problem.lambda())
}
