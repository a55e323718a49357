//! The answer of `path`: a row for every point of its grid.

use std::fmt::Write as _;
use std::path::Path;

use serde::Serialize;
use widedict::Problem;
use widedict::plot::CurvePoint;
use widedict::solve::path::Step;
use widedict::trusted::Lower;
use widedict::wide::{PowerLaw, fit_power_law};

use super::row::{Row, SCHEMA_VERSION};
use super::text;

/// Relative excess over the wide limit below which it is rounding.
const NO_EXCESS: f64 = 1e-9;

/// What is printed.
#[derive(Clone, Debug, Serialize)]
pub(crate) struct Answer {
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
pub(crate) struct Solved {
    pub(crate) step: Step,
    pub(crate) row: Row,
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
    pub(crate) fn curve_point(&self) -> CurvePoint {
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
    pub(crate) fn new(wide_limit: f64, solved: &[Solved]) -> Self {
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

    pub(crate) fn wide_limit(&self) -> f64 {
        self.wide_limit
    }
}

/// The grid as a table for other programs.
pub(crate) fn csv(solved: &[Solved]) -> String {
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
pub(crate) fn table(problem: &Problem, answer: &Answer, solved: &[Solved], asked: usize) -> String {
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
            "{:>10} {:>7} {:>14.9} {:>14.9} {:>9.2e} {:>14} {:>7} {:>8.3}  {}",
            one.step.problem.gamma(),
            one.step.width.map_or_else(|| "-".to_owned(), |w| w.to_string()),
            c.objective(),
            c.lower_bound().get(),
            c.relative_gap(),
            one.width_bound().map_or_else(|| "-".to_owned(), |bound| format!("{bound:.9}")),
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

/// What was written and drawn.
pub(crate) fn files(folder: Option<&Path>, picture: Option<&Path>) -> String {
    text::written("path.json, path.csv and a folder a row", folder) + &text::drawn(picture)
}
