//! `widedict path`: a grid of gammas or of widths.

use std::path::Path;
use std::time::Duration;

use widedict::answer::grid::Grid;
use widedict::answer::input::Origin;
use widedict::certificate::Options;
use widedict::gauge::Penalty;
use widedict::io::{Saving, write_json};
use widedict::plot::{CurvePoint, curve};
use widedict::solve::path::Step;
use widedict::{Bounding, Problem};

use super::save::{bounding, save};
use super::threads::on_threads;
use super::{Outcome, input};
use crate::arguments::PathArgs;
use crate::failure::Failure;
use crate::output::folder::{Folder, check_file};
use crate::output::grid::{self, Answer, Solved};
use crate::output::progress::Watch;
use crate::output::row::Row;
use crate::output::{self, masked, text};

/// Arguments that were checked against each other, and what was read.
struct Job<'a> {
    args: &'a PathArgs,
    grid: Grid,
    problem: Problem,
    origin: Origin,
}

impl<'a> Job<'a> {
    fn read(args: &'a PathArgs, penalty: Penalty, bounding: Bounding) -> Result<Self, Failure> {
        let data = input::read(&args.source, args.run.quiet)?;
        let (problem, origin) = input::problem(data, penalty, args.center)?;
        bounding.check(&problem)?;
        let grid = Grid {
            gammas: args.gammas.clone(),
            ratios: args.ratios.clone(),
            restarts: args.restarts,
            tolerance: args.tolerance,
            seed: args.seed,
            bounding,
        };
        Ok(Self { args, grid, problem, origin })
    }

    /// Writes a point of the grid.
    fn save(&self, folder: &Folder, step: &Step, row: &Row, options: &Options) -> Result<(), Failure> {
        let (problem, solution) = (&step.problem, &step.solution);
        let saving = Saving {
            problem,
            certified: &solution.certified,
            witness: &solution.witness,
            options,
            data_name: &self.origin.name,
            weights_name: self.origin.weights_name.as_deref(),
            fixed_center: None,
            rows: Some(&self.origin.rows),
        };
        save(folder, &saving, row)
    }

    /// Writes a point of the grid that is not bounded yet.
    fn save_as_made(&self, folder: &Folder, index: usize, step: &Step) -> Result<(), Failure> {
        let conclusion = self.grid.conclusion(step);
        let run = self.grid.summary(&conclusion, step.solution.stop, Duration::ZERO, Duration::ZERO);
        let row = Row::new(&step.problem, &self.origin.masked, &run, step.solution.certified.certificate());
        // The solver's certificate has neither the local test nor the exact polar.
        let options = Options {
            gap_tolerance: self.args.tolerance,
            stop: Some(step.solution.stop),
            ..Options::default()
        };
        self.save(&folder.row(index)?, step, &row, &options)
    }
}

/// Checks everything that can be checked, solves, writes, prints.
pub(super) fn run(args: &PathArgs) -> Result<Outcome, Failure> {
    let penalty = penalty(args)?;
    let bounding = bounding(args.bound)?;
    let folder = args.out.as_deref().map(|path| Folder::prepare(path, args.no_clobber)).transpose()?;
    args.plot.as_deref().map_or(Ok(()), |path| check_file(path, args.no_clobber))?;
    let job = Job::read(args, penalty, bounding)?;
    let watch = Watch::start(args.run.max_seconds, args.run.quiet);
    let watch = if args.ratios.is_empty() { watch.toward(args.tolerance) } else { watch };
    let solved = on_threads(&args.run, || {
        // A row is kept as soon as it is there, with the solver's own certificate, and again
        // once it is bounded. What cannot be written is an error at the end, not now.
        let mut keep = |index: usize, step: &Step| {
            if let Some(folder) = &folder
                && let Err(failure) = job.save_as_made(folder, index, step)
            {
                watch.note(&failure.to_string());
            }
        };
        Ok(job.grid.solve(&job.problem, &job.origin.masked, &watch, &mut keep)?)
    });
    watch.finish();
    let (answer, solved) = solved?;

    if let Some(folder) = &folder {
        write(folder, &job, &answer, &solved)?;
    }
    if let Some(path) = &args.plot {
        draw(path, args, &answer, &solved)?;
    }
    let asked = args.gammas.len() + args.ratios.len();
    output::answer(args.run.json, &answer, || {
        grid::table(&job.problem, &answer, &solved, asked)
            + &masked::line(&job.origin.masked)
            + &text::written("path.json, path.csv and a folder a row", folder.as_ref().map(Folder::path))
            + &text::drawn(args.plot.as_deref())
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

fn write(folder: &Folder, job: &Job<'_>, answer: &Answer, solved: &[Solved]) -> Result<(), Failure> {
    for (index, one) in solved.iter().enumerate() {
        let (step, stop) = (&one.step, one.step.solution.stop);
        let options = job.grid.conclusion(step).options(&step.problem, stop);
        job.save(&folder.row(index)?, step, &one.row, &options)?;
    }
    folder.remove_rows(solved.len())?;
    folder.remove_solution()?;
    folder.remove_sae()?;
    folder.remove_improved()?;
    folder.remove_checkpoint()?;
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
