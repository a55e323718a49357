//! `widedict solve`.

use std::path::Path;

use widedict::answer::conclusion::{Conclusion, Solver, finite};
use widedict::answer::participation::{self, Least};
use widedict::answer::start;
use widedict::gauge::Penalty;
use widedict::io::{Rows, Saving};
use widedict::reduce::Agreed;
use widedict::{Bounding, Factorization, Keeper, Problem, Run, Solution, plot};

use super::save::{bounding, save};
use super::threads::on_threads;
use super::{Outcome, input, spread};
use crate::arguments::{BoundChoice, Method, SolveArgs};
use crate::failure::Failure;
use crate::output::checkpoints::Checkpoints;
use crate::output::folder::{Folder, check_file};
use crate::output::progress::{Together, Watch};
use crate::output::row::{Participation, Row, RunSummary};
use crate::output::{self, masked, text};
use crate::ranks;

/// Arguments that were checked against each other.
struct Job {
    penalty: Penalty,
    participation: Option<Least>,
    conclusion: Conclusion,
}

impl Job {
    fn check(args: &SolveArgs) -> Result<Self, Failure> {
        let penalty = Penalty::new(args.lambda, args.gamma)?;
        if args.participation.is_some() {
            participation::check(&penalty)?;
        }
        if args.global && (penalty.gamma() > 0.0 || !(penalty.lambda() > 0.0)) {
            return Err(Failure::Global { lambda: penalty.lambda(), gamma: penalty.gamma() });
        }
        let solver = solver(args, &penalty)?;
        let choice = match (args.method, args.bound) {
            (Method::Sdp, BoundChoice::AUTO) => BoundChoice::SDP,
            (_, choice) => choice,
        };
        let conclusion = Conclusion::new(solver, bounding(choice)?, args.tolerance, args.local.limits())
            .of_all(args.global);
        Ok(Self { penalty, participation: args.participation, conclusion })
    }
}

fn solver(args: &SolveArgs, penalty: &Penalty) -> Result<Solver, Failure> {
    Ok(match (args.width, args.method, penalty.gamma() == 0.0) {
        (Some(width), _, _) => Solver::Finite(finite(width.get(), args.restarts, args.tolerance, args.seed)),
        (None, Method::Auto, _) => Solver::auto(penalty),
        (None, Method::ClosedForm, true) => Solver::ClosedForm,
        (None, Method::ClosedForm, false) => return Err(Failure::ClosedForm { gamma: args.gamma }),
        (None, Method::Proximal, _) => Solver::Proximal,
        #[cfg(feature = "conic")]
        (None, Method::Conic, _) => Solver::Conic,
        #[cfg(not(feature = "conic"))]
        (None, Method::Conic, _) => {
            return Err(Failure::Unavailable("--method conic (feature conic)"));
        }
        #[cfg(feature = "sdp")]
        (None, Method::Sdp, _) => Solver::Sdp,
        #[cfg(not(feature = "sdp"))]
        (None, Method::Sdp, _) => return Err(Failure::Unavailable("--method sdp (feature sdp)")),
    })
}

/// The answer of a run.
struct Solved {
    solution: Solution,
    run: RunSummary,
    participation: Option<Participation>,
}

/// Checks everything that can be checked, solves, writes, prints.
pub(super) fn run(args: &SolveArgs) -> Result<Outcome, Failure> {
    let job = ranks::agree(Job::check(args))?;
    if ranks::all().is_some() {
        return together(args, &job);
    }
    let folder = args.out.as_deref().map(|path| Folder::prepare(path, args.no_clobber)).transpose()?;
    args.plot.as_deref().map_or(Ok(()), |path| check_file(path, args.no_clobber))?;
    let data = input::read(&args.source, args.run.quiet)?;
    let (problem, origin) = input::problem(data, job.penalty, args.center)?;
    job.conclusion.check(&problem)?;

    let start = args.start.as_deref().map(|path| start::read(path, &problem, &origin.rows)).transpose()?;
    let watch = Watch::start(args.run.max_seconds, args.run.quiet);
    // A descent to a width stops by its stationarity.
    let watch = if args.width.is_none() { watch.toward(args.tolerance) } else { watch };
    let keeper = folder
        .as_ref()
        .map(|folder| Checkpoints::new(folder, (&problem, &origin.rows), args.checkpoint_seconds, &watch));
    let how = Run {
        start: start.as_ref(),
        observer: &watch,
        keeper: keeper.as_ref().map(|keeper| keeper as &dyn Keeper),
    };
    let solved = on_threads(&args.run, || solve(&problem, &job, args, &how, &watch));
    watch.finish();
    let Solved { solution, run, participation } = solved?;
    let certificate = solution.certified.certificate();
    let row = Row::new(&problem, &origin.masked, &run, certificate).with_participation(participation);

    if let Some(folder) = &folder {
        let saving = Saving {
            problem: &problem,
            certified: &solution.certified,
            witness: &solution.witness,
            options: &job.conclusion.options(&problem, solution.stop),
            data_name: &origin.name,
            weights_name: origin.weights_name.as_deref(),
            fixed_center: None,
            rows: Some(&origin.rows),
        };
        save(folder, &saving, &row)?;
        folder.remove_rows(0)?;
        folder.remove_checkpoint()?;
    }
    if let Some(path) = &args.plot {
        draw(path, &problem, solution.certified.solution())?;
    }
    output::answer(args.run.json, &row, || {
        let mut summary =
            text::solved(&problem, &run, job.conclusion.bounding, certificate, participation.as_ref());
        summary.push_str(&text::trivial(&problem, &run, certificate));
        summary.push_str(&masked::line(&origin.masked));
        summary.push_str(&text::written(
            if solution.certified.improvement().is_some() {
                "dictionary.npy, codes.npz, center.npy, certificate.json, sae/, and a lower point in improved/"
            } else {
                "dictionary.npy, codes.npz, center.npy, certificate.json and sae/"
            },
            folder.as_ref().map(Folder::path),
        ));
        summary.push_str(&text::drawn(args.plot.as_deref()));
        summary
    })?;
    Ok(Outcome::judge(run.stop, certificate, args.require_gap))
}

/// Refuses what is for one process alone.
fn distributed(args: &SolveArgs, job: &Job) -> Result<(), Failure> {
    let solver = job.conclusion.solver;
    let closed = matches!(solver, Solver::ClosedForm);
    let priced = matches!(solver, Solver::Finite(_)) && job.penalty.gamma() > 0.0;
    let proximal = matches!(solver, Solver::Proximal | Solver::Finite(_) | Solver::ClosedForm);
    let spread = [Bounding::None, Bounding::Fast, Bounding::Nuclear, Bounding::Quartic, Bounding::Auto];
    let bounded = spread.contains(&job.conclusion.bounding);
    for (asked, what) in [
        (closed, "solve without --width at --gamma 0 (wide gives the value)"),
        (priced, "--width at --gamma > 0"),
        (!proximal, "another --method than proximal"),
        (!bounded, "another --bound than none, fast, nuclear, quartic or auto"),
        (args.global, "--global"),
        (args.participation.is_some(), "--participation"),
        (args.plot.is_some(), "--plot"),
    ] {
        ranks::refuse(asked, what)?;
    }
    Ok(())
}

/// The same on all processes of a job: each solves with its datapoints, the first writes and
/// prints.
fn together(args: &SolveArgs, job: &Job) -> Result<Outcome, Failure> {
    distributed(args, job)?;
    let out = args.out.as_deref().filter(|_| ranks::is_root());
    let folder = ranks::agree(out.map(|path| Folder::prepare(path, args.no_clobber)).transpose())?;
    let (problem, origin) = spread::read_problem(&args.source, job.penalty, args.center, args.run.quiet)?;
    let share = problem.share();
    let start = args.start.as_deref().map(|path| start_of_part(path, &problem, &origin.rows));
    let start = ranks::agree(start.transpose())?;
    let watch = Watch::start(args.run.max_seconds, args.run.quiet);
    let writes = folder
        .as_ref()
        .map(|folder| Checkpoints::new(folder, (&problem, &origin.rows), args.checkpoint_seconds, &watch));
    let keeper = args.out.is_some().then(|| spread::Together::new(&problem, writes));
    let following = Together { agreed: Agreed::new(share, &watch), watch: &watch };
    let how = Run {
        start: start.as_ref(),
        observer: &following,
        keeper: keeper.as_ref().map(|keeper| keeper as &dyn Keeper),
    };
    let solver = job.conclusion.solver;
    let solved = on_threads(&args.run, || {
        let solution = job.conclusion.solve(&problem, args.seed, &how)?;
        let solving = watch.elapsed();
        // What is searched for a given width needs all datapoints in one place.
        let solution = match solver.width() {
            Some(_) => solution,
            None => job.conclusion.conclude(&problem, solution, &following)?,
        };
        Ok((solution, solving))
    });
    watch.finish();
    let (solution, solving) = solved?;
    let run = RunSummary {
        width: solver.width(),
        method: solver.name(),
        seed: args.seed,
        stop: Some(solution.stop),
        solving,
        certifying: watch.elapsed().saturating_sub(solving),
    };
    let certificate = solution.certified.certificate();
    if args.out.is_some() {
        let whole = spread::whole(solution.certified.solution(), share)?;
        let written = match (&folder, whole) {
            (Some(folder), Some(whole)) => write_point(folder, &problem, &whole, &origin.rows),
            _ => Ok(()),
        };
        ranks::agree(written)?;
    }
    let row = Row::new(&problem, &origin.masked, &run, certificate);
    output::answer(args.run.json, &row, || {
        let mut summary = text::solved(&problem, &run, job.conclusion.bounding, certificate, None);
        summary.push_str(&masked::line(&origin.masked));
        let files = "dictionary.npy, codes.npz, center.npy and sae/, without certificate";
        summary.push_str(&text::written(files, folder.as_ref().map(Folder::path)));
        summary
    })?;
    Ok(Outcome::judge(run.stop, certificate, args.require_gap))
}

/// The saved point to start from, with this process's codes.
fn start_of_part(path: &Path, problem: &Problem, rows: &Rows) -> Result<Factorization, Failure> {
    spread::part(start::read(path, problem, rows)?, problem.share())
}

/// Writes the point in place of what an earlier run wrote.
fn write_point(
    folder: &Folder,
    problem: &Problem,
    whole: &Factorization,
    rows: &Rows,
) -> Result<(), Failure> {
    spread::save(folder.path(), problem, whole, rows)?;
    folder.remove_improved()?;
    folder.write_sae(whole, problem.lambda())?;
    folder.remove_rows(0)?;
    folder.remove_checkpoint()
}

/// Runs the solver, then bounds and certifies its solution.
fn solve(
    problem: &Problem,
    job: &Job,
    args: &SolveArgs,
    how: &Run<'_>,
    watch: &Watch,
) -> Result<Solved, Failure> {
    let solver = job.conclusion.solver;
    let solved = job.conclusion.solve(problem, args.seed, how)?;
    let solving = watch.elapsed();
    let solution = job.conclusion.conclude(problem, solved, watch)?;
    let participation = match job.participation {
        Some(least) => participation::bound(least, problem, solution.certified.solution(), watch)?,
        None => None,
    };
    let run = RunSummary {
        width: solver.width(),
        method: solver.name(),
        seed: args.seed,
        stop: Some(solution.stop),
        solving,
        certifying: watch.elapsed().saturating_sub(solving),
    };
    Ok(Solved { solution, run, participation })
}

fn draw(path: &Path, problem: &Problem, factorization: &Factorization) -> Result<(), Failure> {
    let picture = plot::atoms(problem, factorization)
        .map_err(|error| Failure::Plot { path: path.to_path_buf(), error })?;
    output::write_text(path, &picture)
}
