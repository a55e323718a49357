//! The answer of `path`: a row for every point of its grid.

use std::collections::BTreeSet;
use std::fmt::Write as _;
use std::num::NonZeroUsize;
use std::time::Duration;

use serde::Serialize;

use super::Follow;
use super::conclusion::{Conclusion, Solver, finite};
use super::row::{Row, RunSummary, SCHEMA_VERSION};
use crate::io::Masked;
use crate::num::at_most;
use crate::plot::CurvePoint;
use crate::solve::path::{self, Step};
use crate::trusted::{Lower, local};
use crate::wide::{self, PowerLaw, fit_power_law};
use crate::{Bounding, ColumnGeneration, Problem, Run, SolveError, Stop};

/// Relative excess over the wide limit below which it is rounding.
const NO_EXCESS: f64 = 1e-9;

/// A grid: prices of the convex problem, or widths of the joint one.
#[derive(Clone, Debug)]
pub struct Grid {
    pub gammas: Vec<f64>,
    /// Widths as atoms per datapoint.
    pub ratios: Vec<f64>,
    pub restarts: Option<NonZeroUsize>,
    pub tolerance: f64,
    pub seed: u64,
    pub bounding: Bounding,
}

impl Grid {
    /// How a point of the grid is bounded and certified.
    #[must_use]
    pub fn conclusion(&self, step: &Step) -> Conclusion {
        let solver = match step.width {
            Some(width) => Solver::Finite(finite(width, self.restarts, self.tolerance, self.seed)),
            None => Solver::auto(&step.problem.penalty()),
        };
        Conclusion::new(solver, self.bounding, self.tolerance, Some(local::Limits::default()))
    }

    /// How a point of the grid was run.
    #[must_use]
    pub fn summary(
        &self,
        conclusion: &Conclusion,
        stop: Stop,
        solving: Duration,
        certifying: Duration,
    ) -> RunSummary {
        RunSummary {
            width: conclusion.solver.width(),
            method: conclusion.solver.name(),
            seed: self.seed,
            stop: Some(stop),
            solving,
            certifying,
        }
    }

    /// Solves the grid, then certifies its points in their order; the wide limit comes first: a
    /// clock that has run out would stop the search for its center. `keep` is told of a point
    /// as soon as it is there, with the solver's own certificate.
    ///
    /// # Errors
    /// Those of the solvers and of the bounds.
    pub fn solve(
        &self,
        problem: &Problem,
        masked: &Masked,
        watch: &dyn Follow,
        keep: &mut dyn FnMut(usize, &Step),
    ) -> Result<(Answer, Vec<Solved>), SolveError> {
        let wide_limit = wide_limit(problem, watch);
        let widths: Vec<usize> = self.ratios.iter().map(|ratio| width(*ratio, problem.len())).collect();
        let run = Run::observed(watch);
        // A price may be kept again, on the way back.
        let mut made = BTreeSet::new();
        let rows = self.gammas.len() + widths.len();
        watch.part(1, rows);
        let keep = &mut |index: usize, step: &Step| {
            made.insert(index);
            watch.part((made.len() + 1).min(rows), rows);
            keep(index, step);
        };
        let steps = if widths.is_empty() {
            let (gap_tolerance, seed) = (self.tolerance, self.seed);
            let settings = ColumnGeneration { gap_tolerance, seed, ..Default::default() };
            path::over_prices_each(problem, &self.gammas, &settings, &run, keep)?
        } else {
            let settings = finite(1, self.restarts, self.tolerance, self.seed);
            path::over_widths_each(problem, &widths, &settings, &run, keep)?
        };
        #[expect(clippy::cast_precision_loss, reason = "a count of runs")]
        let solving = watch.elapsed().div_f64(steps.len().max(1) as f64);
        let certified = steps.into_iter().enumerate().map(|(row, step)| {
            watch.part(row + 1, rows);
            let started = watch.elapsed();
            let conclusion = self.conclusion(&step);
            let solution = conclusion.conclude(&step.problem, step.solution, watch)?;
            let certifying = watch.elapsed().saturating_sub(started);
            let run = self.summary(&conclusion, solution.stop, solving, certifying);
            let row = Row::new(&step.problem, masked, &run, solution.certified.certificate());
            Ok(Solved { step: Step { solution, ..step }, row, run })
        });
        let solved = certified.collect::<Result<Vec<_>, SolveError>>()?;
        Ok((Answer::new(wide_limit, &solved), solved))
    }
}

/// `M = ratio·N`, rounded, at least 1.
#[expect(
    clippy::cast_possible_truncation,
    clippy::cast_sign_loss,
    clippy::cast_precision_loss,
    reason = "a positive finite number, saturating"
)]
fn width(ratio: f64, datapoints: usize) -> usize {
    ((ratio * datapoints as f64).round() as usize).max(1)
}

fn wide_limit(problem: &Problem, watch: &dyn Follow) -> f64 {
    let location = (problem.centered() && problem.lambda() > 0.0)
        .then(|| wide::location(problem.data(), problem.lambda(), watch));
    wide::population(problem, location.as_ref()).value
}

/// What is printed.
#[derive(Clone, Debug, Serialize)]
pub struct Answer {
    schema_version: u32,
    /// `F_∞` at this lambda, about the origin or the learnt center.
    wide_limit: f64,
    /// A power law fitted to the excess over it against the width: an estimate.
    excess_estimate: Option<Fit>,
    rows: Vec<Row>,
}

#[derive(Clone, Copy, Debug, Serialize)]
struct Fit {
    exponent: f64,
    exponent_error: Option<f64>,
    constant: f64,
    points: usize,
}

impl From<PowerLaw> for Fit {
    fn from(PowerLaw { exponent, exponent_error, constant, widths }: PowerLaw) -> Self {
        Self { exponent, exponent_error, constant, points: widths }
    }
}

/// One point of the grid, certified.
pub struct Solved {
    pub step: Step,
    pub row: Row,
    /// How it was run.
    pub run: RunSummary,
}

impl Solved {
    /// Where on the axis: atoms per datapoint, or the atom price.
    fn at(&self) -> f64 {
        #[expect(clippy::cast_precision_loss, reason = "counts are far below 2^53")]
        self.step
            .width
            .map_or(self.step.problem.gamma(), |width| width as f64 / self.step.problem.len() as f64)
    }

    /// The bound of the point's width, where it is above that of every width.
    fn width_bound(&self) -> Option<f64> {
        let certificate = self.step.solution.certified.certificate();
        self.step.width.and_then(|width| certificate.width_bound(width)).map(Lower::get)
    }

    /// The point of the curve that is drawn.
    pub fn curve_point(&self) -> CurvePoint {
        let certificate = self.step.solution.certified.certificate();
        CurvePoint {
            x: self.at(),
            objective: certificate.objective(),
            lower_bound: self.width_bound().unwrap_or(certificate.lower_bound().get()),
            atoms: certificate.statistics().atoms,
            mean_l0: certificate.statistics().mean_l0,
        }
    }
}

impl Answer {
    pub fn new(wide_limit: f64, solved: &[Solved]) -> Self {
        let excess: Vec<(usize, f64)> = solved
            .iter()
            .filter_map(|one| {
                let objective = one.step.solution.certified.certificate().objective();
                one.step.width.map(|width| (width, objective - wide_limit))
            })
            .filter(|(_, excess)| *excess > NO_EXCESS * wide_limit)
            .collect();
        Self {
            schema_version: SCHEMA_VERSION,
            wide_limit,
            excess_estimate: fit_power_law(&excess).map(Fit::from),
            rows: solved.iter().map(|one| one.row.clone()).collect(),
        }
    }

    pub fn wide_limit(&self) -> f64 {
        self.wide_limit
    }
}

/// The grid as a table for other programs.
pub fn csv(solved: &[Solved]) -> String {
    let mut text =
        "gamma,width,objective,lower_bound,bound_kind,relative_gap,verdict,atoms,mean_l0,stop,width_lower_bound\n".to_owned();
    for one in solved {
        let c = one.step.solution.certified.certificate();
        let _ = writeln!(
            text,
            "{},{},{},{},{},{},{},{},{},{},{}",
            one.step.problem.gamma(),
            one.step.width.map_or_else(String::new, |w| w.to_string()),
            c.objective(),
            c.lower_bound().get(),
            c.bound_kind().as_str(),
            c.relative_gap(),
            c.verdict().as_str(),
            c.statistics().atoms,
            c.statistics().mean_l0,
            one.step.solution.stop.as_str(),
            one.width_bound().map_or_else(String::new, |bound| bound.to_string()),
        );
    }
    text
}

/// The grid as a table for people; `asked` is the number of its points.
pub fn table(problem: &Problem, answer: &Answer, solved: &[Solved], asked: usize) -> String {
    let mut text = format!(
        "{} points of dimension {}, lambda {}; wide limit {:.9}\n\n",
        problem.len(),
        problem.dim(),
        problem.lambda(),
        answer.wide_limit
    );
    let _ = writeln!(
        text,
        "{:>10} {:>7} {:>14} {:>14} {:>9} {:>14} {:>7} {:>8}  verdict",
        "gamma", "width", "objective", "bound", "gap", "width bound", "atoms", "L0"
    );
    for one in solved {
        let c = one.step.solution.certified.certificate();
        let _ = writeln!(
            text,
            "{:>10} {:>7} {:>14.9} {:>14} {:>9.2e} {:>14} {:>7} {:>8.3}  {}",
            one.step.problem.gamma(),
            one.step.width.map_or_else(|| "-".to_owned(), |w| w.to_string()),
            c.objective(),
            at_most(c.lower_bound().get(), 9),
            c.relative_gap(),
            one.width_bound().map_or_else(|| "-".to_owned(), |bound| at_most(bound, 9)),
            c.statistics().atoms,
            c.statistics().mean_l0,
            c.verdict().as_str(),
        );
    }
    if solved.len() < asked {
        let _ = writeln!(text, "\nstopped: the rest of the grid was not reached");
    }
    if let Some(fit) = answer.excess_estimate {
        let _ = writeln!(
            text,
            "\nexcess over the wide limit: about {:.4} M^-{:.3} over {} widths (an estimate, not a theorem)",
            fit.constant, fit.exponent, fit.points
        );
    }
    text
}
