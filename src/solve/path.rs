//! Grids: the convex problem over atom prices, the joint problem over widths,
//! each point warm-started from its neighbors.

use crate::observer::Stop;
use crate::problem::Problem;
use crate::solution::{Run, Solution, SolveError};
use crate::solve::column_generation::ColumnGeneration;
use crate::solve::finite::Finite;
use crate::wide;

/// Solves the convex problem at every atom price γ of `gammas`; the problem's own
/// γ is not used.
///
/// From the largest price down, each run starts from the solution of the price
/// above it, then from the smallest up, each from the price below it; of the two
/// the lower point is kept. γ = 0 is solved in closed form. Answers are in the order of `gammas`,
/// each with its problem; where the observer ends a run, that run's is the last
/// and the others are left out. The start of `run`, if any, is that of the largest price.
///
/// # Guarantees
/// Those of [`ColumnGeneration`] for every price
/// ([`global-criterion`](crate::proofs::global_criterion)). No solution costs more than
/// its neighbor's would at its price, up to rounding.
///
/// # Errors
/// Those of [`ColumnGeneration::solve`]; [`SolveError::Setting`] for a price that
/// is negative or not finite.
///
/// # Examples
/// ```
/// use widedict::{ColumnGeneration, Matrix, Problem, Run};
/// use widedict::solve::path;
/// let x = Matrix::from_columns(2, &[[1.0, 0.1], [0.9, 0.3], [0.1, 1.0]]);
/// let problem = Problem::builder(x).lambda(0.2).build()?;
/// let steps = path::over_prices(&problem, &[0.0, 0.1, 0.4], &ColumnGeneration::default(), &Run::default())?;
/// let values: Vec<f64> = steps.iter().map(|s| s.solution.certified.certificate().objective()).collect();
/// // A larger price costs more.
/// assert!(values[0] <= values[1] && values[1] <= values[2]);
/// # Ok::<(), Box<dyn std::error::Error>>(())
/// ```
pub fn over_prices(
    problem: &Problem,
    gammas: &[f64],
    settings: &ColumnGeneration,
    run: &Run<'_>,
) -> Result<Vec<Step>, SolveError> {
    over_prices_each(problem, gammas, settings, run, &mut |_, _| {})
}

/// [`over_prices`], telling `each` of every answer as soon as it is there: its place in
/// `gammas`, and the step. The way up tells of a price again where it found a lower point.
///
/// # Errors
/// As [`over_prices`].
pub fn over_prices_each(
    problem: &Problem,
    gammas: &[f64],
    settings: &ColumnGeneration,
    run: &Run<'_>,
    each: &mut dyn FnMut(usize, &Step),
) -> Result<Vec<Step>, SolveError> {
    let mut order: Vec<usize> = (0..gammas.len()).collect();
    order.sort_by(|&i, &j| gammas[j].total_cmp(&gammas[i]).then(i.cmp(&j)));
    let mut found: Vec<Option<Step>> = gammas.iter().map(|_| None).collect();
    let back = order.clone().into_iter().rev();
    for indices in [order, back.collect()] {
        let mut last: Option<usize> = None;
        for i in indices {
            let again = found[i].is_some();
            // Nothing to gain at the end where the way turns, nor at γ = 0.
            if !(again && (last.is_none() || gammas[i] == 0.0)) {
                let neighbor = last.and_then(|j| found[j].as_ref()).map(|s| s.solution.certified.solution());
                let start = neighbor.or(run.start);
                let step = at_price(problem, gammas[i], settings, &Run { start, ..*run })?;
                let interrupted = step.interrupted();
                if found[i].as_ref().is_none_or(|kept| step.objective() < kept.objective()) {
                    each(i, found[i].insert(step));
                }
                if interrupted {
                    return Ok(found.into_iter().flatten().collect());
                }
            }
            last = Some(i);
        }
    }
    Ok(found.into_iter().flatten().collect())
}

fn at_price(
    problem: &Problem,
    gamma: f64,
    settings: &ColumnGeneration,
    run: &Run<'_>,
) -> Result<Step, SolveError> {
    let problem = problem.with_penalty(problem.lambda(), gamma).map_err(|_| SolveError::Setting {
        name: "gamma",
        needs: "finite, at least 0, and above 0 where lambda is 0",
        value: gamma,
    })?;
    let solution = if gamma == 0.0 {
        wide::closed_form_with(&problem, run)?
    } else {
        settings.solve_with(&problem, run)?
    };
    Ok(Step { problem, width: None, solution })
}

/// Solves the joint problem at every width of `widths`; the width in `settings`
/// is not used.
///
/// From the smallest width up: the best of the settings' own starts and of the
/// last width's dictionary, grown at the worst residuals. Answers are in the
/// order of `widths`; where the observer ends a run, that run's is the last and
/// larger widths are left out. The start of `run`, if any, replaces the settings' own starts.
///
/// # Guarantees
/// Those of [`Finite`] for every width
/// ([`stationarity`](crate::proofs::stationarity)). The objective does not rise with the
/// width.
///
/// # Errors
/// Those of [`Finite::solve`].
pub fn over_widths(
    problem: &Problem,
    widths: &[usize],
    settings: &Finite,
    run: &Run<'_>,
) -> Result<Vec<Step>, SolveError> {
    over_widths_each(problem, widths, settings, run, &mut |_, _| {})
}

/// [`over_widths`], telling `each` of every answer as soon as it is there: its place in
/// `widths`, and the step.
///
/// # Errors
/// As [`over_widths`].
pub fn over_widths_each(
    problem: &Problem,
    widths: &[usize],
    settings: &Finite,
    run: &Run<'_>,
    each: &mut dyn FnMut(usize, &Step),
) -> Result<Vec<Step>, SolveError> {
    let mut order: Vec<usize> = (0..widths.len()).collect();
    order.sort_by_key(|&i| (widths[i], i));
    let mut found: Vec<Option<Step>> = widths.iter().map(|_| None).collect();
    let mut last: Option<usize> = None;
    for i in order {
        let finite = Finite { width: widths[i], ..*settings };
        let step_of = |solution| Step { problem: problem.clone(), width: Some(widths[i]), solution };
        let mut step = step_of(finite.solve_with(problem, run)?);
        if let Some(start) = last.and_then(|j| found[j].as_ref()) {
            if !step.interrupted() {
                let from = run.with_start(start.solution.certified.solution());
                let warm = step_of(finite.solve_with(problem, &from)?);
                if warm.objective() < step.objective() {
                    step = warm;
                }
            }
            if start.objective() < step.objective() {
                // An interrupted run may end above a smaller width's point, which is feasible here.
                step.solution.certified = start.solution.certified.clone();
                step.solution.witness = start.solution.witness.clone();
            }
        }
        let interrupted = step.interrupted();
        each(i, found[i].insert(step));
        last = Some(i);
        if interrupted {
            break;
        }
    }
    Ok(found.into_iter().flatten().collect())
}

/// A point of a grid.
#[derive(Clone, Debug, PartialEq)]
pub struct Step {
    /// The problem solved.
    pub problem: Problem,
    /// The width asked for, where it is the joint problem's; `None` for the convex one.
    pub width: Option<usize>,
    /// Its solution.
    pub solution: Solution,
}

impl Step {
    fn objective(&self) -> f64 {
        self.solution.certified.certificate().objective()
    }

    fn interrupted(&self) -> bool {
        matches!(self.solution.stop, Stop::TimeLimit | Stop::Cancelled)
    }
}
