//! `widedict path`: a grid of gammas or of widths.

use std::fmt::Write as _;
use std::path::Path;

use serde::Serialize;
use widedict::gauge::Penalty;
use widedict::io::write_json;
use widedict::plot::{CurvePoint, curve};
use widedict::solve::path::{self, Step};
use widedict::wide::{PowerLaw, fit_power_law};
use widedict::{ColumnGeneration, Problem, Stop, wide};

use crate::args::PathArgs;
use crate::bounding::Bounding;
use crate::failure::Failure;
use crate::output::{self, Folder};
use crate::progress::Watch;
use crate::report::{Row, Run, SCHEMA_VERSION, json};
use crate::solve::{Conclusion, Solver, finite, save, threaded};
use crate::{Outcome, input};

/// What is printed.
#[derive(Clone, Debug, Serialize)]
struct Answer {
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

/// One point of the grid, certified.
struct Solved {
    step: Step,
    solver: Solver,
    row: Row,
    /// Where on the axis.
    at: f64,
}

/// Checks everything that can be checked, solves, writes, prints.
pub(crate) fn run(args: &PathArgs) -> Result<Outcome, Failure> {
    // Every price of the grid is checked before anything is read.
    let gammas: &[f64] = if args.gammas.is_empty() { &[args.gamma.unwrap_or(0.0)] } else { &args.gammas };
    let penalties = gammas.iter().map(|&gamma| Penalty::new(args.lambda, gamma));
    let penalty = penalties.collect::<Result<Vec<_>, _>>()?[0];
    let bounding = Bounding::new(args.bound)?;
    let folder = args.out.as_deref().map(Folder::prepare).transpose()?;
    args.plot.as_deref().map_or(Ok(()), output::check_file)?;
    let data = input::read(&args.source, args.run.quiet)?;
    let data_name = data.name.clone();
    let problem = input::problem(data, penalty, args.center, args.weights.as_deref())?;
    bounding.check(&problem)?;
    let watch = Watch::start(&args.run);
    let solved = threaded(&args.run, || solve(&problem, args, bounding, &watch));
    watch.finish();
    let solved = solved?;
    let answer = answer(&problem, args, &solved, &watch);

    if let Some(folder) = &folder {
        for (index, one) in solved.iter().enumerate() {
            let within = folder.within(&format!("row-{index:03}"))?;
            let options = Conclusion::new(one.solver, bounding, args.tolerance).options;
            let weights = args.weights.as_deref();
            save(&within, &one.step.problem, &one.step.solution, &one.row, &options, &data_name, weights)?;
        }
        write_json(&folder.path().join("path.json"), &answer)?;
        write_text(&folder.path().join("path.csv"), &csv(&solved))?;
    }
    if let Some(path) = &args.plot {
        let axis = if args.ratios.is_empty() { "atom price gamma" } else { "atoms per datapoint" };
        let points: Vec<CurvePoint> = solved.iter().map(point).collect();
        let picture = curve(&points, axis, Some(answer.wide_limit))
            .map_err(|error| Failure::Plot { path: path.clone(), error })?;
        write_text(path, &picture)?;
    }
    output::print(&if args.run.json {
        json(&answer)
    } else {
        summary(&problem, args, &answer, &solved, folder.as_ref())
    })?;

    let asked = args.gammas.len() + args.ratios.len();
    let met = solved.len() == asked
        && solved.iter().all(|one| {
            let certificate = one.step.solution.certified.certificate();
            one.step.solution.stop == Stop::ToleranceMet
                && !certificate.verdict().is_negative()
                && args.require_gap.is_none_or(|required| certificate.relative_gap() <= required)
        });
    Ok(if met { Outcome::Met } else { Outcome::Unmet })
}

/// Solves the grid, then certifies its points in their order.
fn solve(
    problem: &Problem,
    args: &PathArgs,
    bounding: Bounding,
    watch: &Watch,
) -> Result<Vec<Solved>, Failure> {
    let widths: Vec<usize> = args.ratios.iter().map(|ratio| width(*ratio, problem.len())).collect();
    let steps = if widths.is_empty() {
        let settings =
            ColumnGeneration { gap_tolerance: args.tolerance, seed: args.seed, ..Default::default() };
        path::over_prices(problem, &args.gammas, &settings, &widedict::Run::observed(watch))?
    } else {
        let settings = finite(1, args.restarts, args.tolerance, args.seed);
        path::over_widths(problem, &widths, &settings, &widedict::Run::observed(watch))?
    };
    #[expect(clippy::cast_precision_loss, reason = "a count of runs")]
    let solving = watch.elapsed().div_f64(steps.len().max(1) as f64);
    steps
        .into_iter()
        .map(|step| {
            let solver = match step.width {
                Some(width) => Solver::Finite(finite(width, args.restarts, args.tolerance, args.seed)),
                None if step.problem.gamma() == 0.0 => Solver::ClosedForm,
                None => Solver::Proximal,
            };
            let started = watch.elapsed();
            let conclusion = Conclusion::new(solver, bounding, args.tolerance);
            let solution = conclusion.conclude(&step.problem, step.solution, &args.run, watch)?;
            let run = Run {
                width: solver.width(),
                method: solver.name(),
                seed: args.seed,
                stop: Some(solution.stop),
                solving,
                certifying: watch.elapsed().saturating_sub(started),
            };
            let row = Row::new(&step.problem, &run, solution.certified.certificate());
            let at = match step.width {
                #[expect(clippy::cast_precision_loss, reason = "counts are far below 2^53")]
                Some(width) => width as f64 / problem.len() as f64,
                None => step.problem.gamma(),
            };
            Ok(Solved { step: Step { solution, ..step }, solver, row, at })
        })
        .collect()
}

/// `M = ratio·N`, rounded, at least 1.
#[expect(
    clippy::cast_possible_truncation,
    clippy::cast_sign_loss,
    clippy::cast_precision_loss,
    reason = "a positive finite number, saturating"
)]
fn width(ratio: f64, points: usize) -> usize {
    ((ratio * points as f64).round() as usize).max(1)
}

fn answer(problem: &Problem, args: &PathArgs, solved: &[Solved], watch: &Watch) -> Answer {
    let location = (problem.centered() && problem.lambda() > 0.0)
        .then(|| wide::location(problem.data(), problem.lambda(), watch));
    let wide_limit = wide::population(problem, location.as_ref()).value;
    let curve: Vec<(usize, f64)> = solved
        .iter()
        .filter_map(|one| {
            let objective = one.step.solution.certified.certificate().objective();
            one.step.width.map(|width| (width, objective - wide_limit))
        })
        // At the wide limit the excess is rounding.
        .filter(|(_, excess)| *excess > 1e-9 * wide_limit)
        .collect();
    let excess_estimate = (!args.ratios.is_empty()).then(|| fit_power_law(&curve)).flatten().map(
        |PowerLaw { exponent, exponent_error, constant, points }| Fit {
            exponent,
            exponent_error,
            constant,
            points,
        },
    );
    let rows = solved.iter().map(|one| one.row.clone()).collect();
    Answer { schema_version: SCHEMA_VERSION, wide_limit, excess_estimate, rows }
}

fn point(one: &Solved) -> CurvePoint {
    let certificate = one.step.solution.certified.certificate();
    CurvePoint {
        x: one.at,
        objective: certificate.objective(),
        lower_bound: certificate.lower_bound().get(),
        atoms: certificate.statistics().atoms,
        mean_l0: certificate.statistics().mean_l0,
    }
}

fn csv(solved: &[Solved]) -> String {
    let mut text =
        "gamma,width,objective,lower_bound,bound_kind,relative_gap,verdict,atoms,mean_l0,stop\n".to_owned();
    for one in solved {
        let c = one.step.solution.certified.certificate();
        let _ = writeln!(
            text,
            "{},{},{},{},{},{},{},{},{},{}",
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
        );
    }
    text
}

fn write_text(path: &Path, text: &str) -> Result<(), Failure> {
    use std::io::Write;
    Ok(widedict::io::replace(path, |writer| Ok(writer.write_all(text.as_bytes())?))?)
}

fn summary(
    problem: &Problem,
    args: &PathArgs,
    answer: &Answer,
    solved: &[Solved],
    folder: Option<&Folder>,
) -> String {
    let mut text = format!(
        "{} points of dimension {}, lambda {}; wide limit {:.9}\n\n",
        problem.len(),
        problem.dim(),
        problem.lambda(),
        answer.wide_limit
    );
    let _ = writeln!(
        text,
        "{:>10} {:>7} {:>14} {:>14} {:>9} {:>7} {:>8}  verdict",
        "gamma", "width", "objective", "bound", "gap", "atoms", "L0"
    );
    for one in solved {
        let c = one.step.solution.certified.certificate();
        let _ = writeln!(
            text,
            "{:>10} {:>7} {:>14.9} {:>14.9} {:>9.2e} {:>7} {:>8.3}  {}",
            one.step.problem.gamma(),
            one.step.width.map_or_else(|| "-".to_owned(), |w| w.to_string()),
            c.objective(),
            c.lower_bound().get(),
            c.relative_gap(),
            c.statistics().atoms,
            c.statistics().mean_l0,
            c.verdict().as_str(),
        );
    }
    if solved.len() < args.gammas.len() + args.ratios.len() {
        let _ = writeln!(text, "\nstopped: the rest of the grid was not reached");
    }
    if let Some(fit) = answer.excess_estimate {
        let _ = writeln!(
            text,
            "\nexcess over the wide limit: about {:.4} M^-{:.3} over {} widths (an estimate, not a theorem)",
            fit.constant, fit.exponent, fit.points
        );
    }
    if let Some(folder) = folder {
        let _ =
            writeln!(text, "\nwrote path.json, path.csv and a folder a row in {}", folder.path().display());
    }
    if let Some(picture) = &args.plot {
        let _ = writeln!(text, "drew {}", picture.display());
    }
    text
}
