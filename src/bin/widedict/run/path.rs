//! `widedict path`: a grid of gammas or of widths.

use std::path::Path;

use widedict::gauge::Penalty;
use widedict::io::{Saving, write_json};
use widedict::plot::{CurvePoint, curve};
use widedict::solve::path::{self, Step};
use widedict::{Bounding, ColumnGeneration, Problem, Run, wide};

use super::conclusion::{Conclusion, Solver, bounding, finite, save};
use super::threads::on_threads;
use super::{Outcome, input};
use crate::arguments::PathArgs;
use crate::failure::Failure;
use crate::output;
use crate::output::folder::{Folder, check_file};
use crate::output::grid::{self, Answer, Solved};
use crate::output::progress::Watch;
use crate::output::row::{Row, RunSummary};

/// Arguments that were checked against each other, and what was read.
struct Job<'a> {
    args: &'a PathArgs,
    bounding: Bounding,
    problem: Problem,
    data_name: String,
    weights_name: Option<String>,
}

impl<'a> Job<'a> {
    fn read(args: &'a PathArgs, penalty: Penalty, bounding: Bounding) -> Result<Self, Failure> {
        let data = input::read(&args.source, args.run.quiet)?;
        let data_name = data.name.clone();
        let problem = input::problem(data, penalty, args.center, args.weights.as_deref())?;
        bounding.check(&problem)?;
        let weights_name = args.weights.as_deref().map(|path| path.display().to_string());
        Ok(Self { args, bounding, problem, data_name, weights_name })
    }

    /// How a point of the grid is bounded and certified.
    fn conclusion(&self, step: &Step) -> Conclusion {
        let args = self.args;
        let solver = match step.width {
            Some(width) => Solver::Finite(finite(width, args.restarts, args.tolerance, args.seed)),
            None if step.problem.gamma() == 0.0 => Solver::ClosedForm,
            None => Solver::Proximal,
        };
        Conclusion::new(solver, self.bounding, args.tolerance)
    }
}

/// Checks everything that can be checked, solves, writes, prints.
pub(super) fn run(args: &PathArgs) -> Result<Outcome, Failure> {
    let penalty = penalty(args)?;
    let bounding = bounding(args.bound)?;
    let folder = args.out.as_deref().map(Folder::prepare).transpose()?;
    args.plot.as_deref().map_or(Ok(()), check_file)?;
    let job = Job::read(args, penalty, bounding)?;
    let watch = Watch::start(args.run.max_seconds, args.run.quiet);
    let solved = on_threads(&args.run, || solve(&job, &watch));
    watch.finish();
    let solved = solved?;
    let answer = Answer::new(wide_limit(&job.problem, &watch), &solved);

    if let Some(folder) = &folder {
        write(folder, &job, &answer, &solved)?;
    }
    if let Some(path) = &args.plot {
        draw(path, args, &answer, &solved)?;
    }
    let asked = args.gammas.len() + args.ratios.len();
    output::answer(args.run.json, &answer, || {
        grid::table(&job.problem, &answer, &solved, asked)
            + &grid::files(folder.as_ref().map(Folder::path), args.plot.as_deref())
    })?;
    let whole = Outcome::of(solved.len() == asked);
    Ok(solved.iter().fold(whole, |outcome, one| {
        let solution = &one.step.solution;
        let certificate = solution.certified.certificate();
        outcome.and(Outcome::judge(Some(solution.stop), certificate, args.require_gap))
    }))
}

/// The penalty of the grid's first point; every price is checked before anything is read.
fn penalty(args: &PathArgs) -> Result<Penalty, Failure> {
    let gammas: &[f64] = if args.gammas.is_empty() { &[args.gamma.unwrap_or(0.0)] } else { &args.gammas };
    let penalties = gammas.iter().map(|&gamma| Penalty::new(args.lambda, gamma));
    Ok(penalties.collect::<Result<Vec<_>, _>>()?[0])
}

/// Solves the grid, then certifies its points in their order.
fn solve(job: &Job<'_>, watch: &Watch) -> Result<Vec<Solved>, Failure> {
    let (args, problem) = (job.args, &job.problem);
    let widths: Vec<usize> = args.ratios.iter().map(|ratio| width(*ratio, problem.len())).collect();
    let steps = if widths.is_empty() {
        let settings =
            ColumnGeneration { gap_tolerance: args.tolerance, seed: args.seed, ..Default::default() };
        path::over_prices(problem, &args.gammas, &settings, &Run::observed(watch))?
    } else {
        let settings = finite(1, args.restarts, args.tolerance, args.seed);
        path::over_widths(problem, &widths, &settings, &Run::observed(watch))?
    };
    #[expect(clippy::cast_precision_loss, reason = "a count of runs")]
    let solving = watch.elapsed().div_f64(steps.len().max(1) as f64);
    steps
        .into_iter()
        .map(|step| {
            let started = watch.elapsed();
            let conclusion = job.conclusion(&step);
            let solution = conclusion.conclude(&step.problem, step.solution, watch)?;
            let run = RunSummary {
                width: conclusion.solver.width(),
                method: conclusion.solver.name(),
                seed: args.seed,
                stop: Some(solution.stop),
                solving,
                certifying: watch.elapsed().saturating_sub(started),
            };
            let row = Row::new(&step.problem, &run, solution.certified.certificate());
            Ok(Solved { step: Step { solution, ..step }, row })
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
fn width(ratio: f64, datapoints: usize) -> usize {
    ((ratio * datapoints as f64).round() as usize).max(1)
}

fn wide_limit(problem: &Problem, watch: &Watch) -> f64 {
    let location = (problem.centered() && problem.lambda() > 0.0)
        .then(|| wide::location(problem.data(), problem.lambda(), watch));
    wide::population(problem, location.as_ref()).value
}

fn write(folder: &Folder, job: &Job<'_>, answer: &Answer, solved: &[Solved]) -> Result<(), Failure> {
    for (index, one) in solved.iter().enumerate() {
        let within = folder.within(&format!("row-{index:03}"))?;
        let (problem, solution) = (&one.step.problem, &one.step.solution);
        let saving = Saving {
            problem,
            certified: &solution.certified,
            witness: &solution.witness,
            options: &job.conclusion(&one.step).options(problem),
            data_name: &job.data_name,
            weights_name: job.weights_name.as_deref(),
            fixed_center: None,
        };
        save(&within, &saving, &one.row)?;
    }
    write_json(&folder.path().join("path.json"), answer)?;
    output::write_text(&folder.path().join("path.csv"), &grid::csv(solved))
}

fn draw(path: &Path, args: &PathArgs, answer: &Answer, solved: &[Solved]) -> Result<(), Failure> {
    let axis = if args.ratios.is_empty() { "atom price gamma" } else { "atoms per datapoint" };
    let points: Vec<CurvePoint> = solved.iter().map(Solved::curve_point).collect();
    let picture = curve(&points, axis, Some(answer.wide_limit()))
        .map_err(|error| Failure::Plot { path: path.to_path_buf(), error })?;
    output::write_text(path, &picture)
}
