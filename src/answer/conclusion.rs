//! From a solver's solution to one that is bounded and certified.

use std::num::NonZeroUsize;

use crate::bounding::{Bounded, Evidence};
use crate::certificate::Options;
use crate::certificate::{Certified, Witness};
use crate::gauge::Penalty;
use crate::observer::Stop;
use crate::solve::finite::Finite;
use crate::solve::planar::Planar;
use crate::solve::width_bound::WidthBound;
use crate::trusted::local;
use crate::{Bounding, ColumnGeneration, Factorization, Problem, Run, Solution, SolveError, wide};

use super::Follow;

/// The methods of this build.
#[derive(Clone, Copy, Debug, PartialEq)]
pub enum Solver {
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
    /// The method for a convex problem that nobody chose one for.
    #[must_use]
    pub fn auto(penalty: &Penalty) -> Self {
        if penalty.gamma() == 0.0 { Self::ClosedForm } else { Self::Proximal }
    }

    /// The answer of the solver itself, with the settings where it generates columns.
    ///
    /// # Errors
    /// Those of the solver.
    pub fn solve(
        self,
        problem: &Problem,
        generation: ColumnGeneration,
        how: &Run<'_>,
    ) -> Result<Solution, SolveError> {
        match self {
            Self::ClosedForm => wide::closed_form_with(problem, how),
            Self::Proximal => generation.solve_with(problem, how),
            #[cfg(feature = "conic")]
            Self::Conic => conic(generation).solve_with(problem, how),
            #[cfg(feature = "sdp")]
            Self::Sdp => conic(generation).solve_with(problem, how),
            Self::Finite(finite) => finite.solve_with(problem, how),
        }
    }

    pub fn name(self) -> &'static str {
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

    pub fn width(self) -> Option<usize> {
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
pub fn finite(width: usize, restarts: Option<NonZeroUsize>, tolerance: f64, seed: u64) -> Finite {
    let restarts = restarts.map_or(1, NonZeroUsize::get);
    Finite { stationarity_tolerance: tolerance, seed, restarts, local: None, ..Finite::new(width) }
}

/// What happens to a solver's solution: how it is bounded and certified.
#[derive(Clone, Copy, Debug)]
pub struct Conclusion {
    pub solver: Solver,
    pub bounding: Bounding,
    tolerance: f64,
    local: Option<local::Limits>,
    /// Whether the best dictionary of its width is to be proved.
    global: bool,
}

impl Conclusion {
    pub fn new(solver: Solver, bounding: Bounding, tolerance: f64, local: Option<local::Limits>) -> Self {
        Self { solver, bounding, tolerance, local, global: false }
    }

    /// The same, with the best dictionary of its width to be proved or not.
    #[must_use]
    pub fn of_all(self, global: bool) -> Self {
        Self { global, ..self }
    }

    /// Solves; what it found is bounded by [`Conclusion::conclude`]. `seed` is that of column
    /// generation. Without a bound asked for none is searched for.
    ///
    /// # Errors
    /// Those of the solver.
    pub fn solve(&self, problem: &Problem, seed: u64, how: &Run<'_>) -> Result<Solution, SolveError> {
        let generation = ColumnGeneration {
            gap_tolerance: self.tolerance,
            seed,
            bounded: self.bounding != Bounding::None,
            ..ColumnGeneration::default()
        };
        self.solver.solve(problem, generation, how)
    }

    /// Refuses a problem that is none for what was asked.
    ///
    /// # Errors
    /// Those of the bound, and of the optimum of a width.
    pub fn check(&self, problem: &Problem) -> Result<(), SolveError> {
        self.bounding.check(problem)?;
        self.planar().map_or(Ok(()), |planar| planar.check(problem))
    }

    fn planar(&self) -> Option<Planar> {
        let Solver::Finite(finite) = self.solver else { return None };
        self.global.then_some(Planar { tolerance: self.tolerance, finite })
    }

    /// What is asked of the checker.
    pub fn options(&self, problem: &Problem, stop: Stop) -> Options {
        let local = self.solver.width().and(self.local);
        let options =
            Options { gap_tolerance: self.tolerance, stop: Some(stop), local, ..Options::default() };
        self.bounding.options(problem, options)
    }

    /// Certifies the solver's solution from its witness and from what is searched for in
    /// the time that is left. One of a given width is brought to a local verdict, which
    /// may lower it.
    pub fn conclude(
        &self,
        problem: &Problem,
        solution: Solution,
        watch: &dyn Follow,
    ) -> Result<Solution, SolveError> {
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
            return planar.extend(problem, solution, &options, watch);
        }
        let Some(width) = self.solver.width() else { return Ok(solution) };
        let (certified, witness) =
            bound_width(self.bounding, problem, (solution.certified, solution.witness), width, watch)?;
        Ok(Solution { certified, witness, ..solution })
    }

    /// What is found about a solution whose gap is above the tolerance.
    fn evidence(
        &self,
        problem: &Problem,
        solution: &Solution,
        watch: &dyn Follow,
    ) -> Result<Evidence, SolveError> {
        let (certified, witness) = (&solution.certified, solution.witness.clone());
        if certified.certificate().relative_gap() <= self.tolerance {
            return Ok(Evidence { witness, shortfall: None });
        }
        self.bounding.extend(problem, certified.solution(), witness, self.tolerance, watch)
    }
}

/// Certifies a factorization made elsewhere, with the bound that knows its number of atoms.
///
/// # Errors
/// Those of the certificate and of the bounds.
pub fn certify(
    bounding: Bounding,
    problem: &Problem,
    factorization: Factorization,
    options: &Options,
    watch: &dyn Follow,
) -> Result<Bounded, SolveError> {
    watch.phase("certifying");
    let bounded = bounding.certify(problem, factorization, options, watch)?;
    let width = bounded.certified.solution().width();
    let proved = (bounded.certified, bounded.witness);
    let (certified, witness) = bound_width(bounding, problem, proved, width, watch)?;
    let bounded = Bounded { certified, witness, ..bounded };
    if let Some(shortfall) = bounded.shortfall {
        watch.note(&shortfall.to_string());
    }
    Ok(bounded)
}

/// Adds the bound that knows the number of atoms, where it is searched for.
fn bound_width(
    bounding: Bounding,
    problem: &Problem,
    certified: (Certified, Witness),
    width: usize,
    watch: &dyn Follow,
) -> Result<(Certified, Witness), SolveError> {
    if !bounding.bounds_width(problem) {
        return Ok(certified);
    }
    watch.phase("bounding the width");
    let search = WidthBound::default();
    let whole = bounding.width_whole().unwrap_or(search.whole);
    let found = WidthBound { whole, ..search }.extend(problem, certified, width, &Run::observed(watch))?;
    if found.0.certificate().width_bound(width).is_none() && watch.poll().is_break() {
        watch.note("the search for a bound of the width was ended before it found one");
    }
    Ok(found)
}

#[cfg(feature = "conic")]
fn conic(generation: ColumnGeneration) -> ColumnGeneration {
    let master = crate::master::Method::Conic(crate::master::Conic::default());
    ColumnGeneration { master, ..generation }
}
