//! `widedict solve`.

use std::fmt::Write as _;
use std::path::Path;

use widedict::certificate::Options;
use widedict::problem::Penalty;
use widedict::relaxation::Relaxation;
use widedict::{
    Certified, ColumnGeneration, Factorization, Problem, Solution, SolveError, Stop, Witness, certify, plot,
    wide,
};

use crate::args::{BoundChoice, Method, SolveArgs};
use crate::failure::Failure;
use crate::output::{self, Folder};
use crate::progress::Watch;
use crate::report::{Row, Run, Saved, Verify, json};
use crate::{Outcome, input};

/// The methods of this build.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Solver {
    ClosedForm,
    Proximal,
}

impl Solver {
    fn name(self) -> &'static str {
        match self {
            Self::ClosedForm => "closed-form",
            Self::Proximal => "proximal",
        }
    }
}

/// Whether a split is searched, which costs an N × N eigendecomposition a step.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Search {
    Never,
    /// Where it takes seconds.
    Small,
    Always,
}

/// Most datapoints at which `--bound auto` searches for a split: some 15 seconds
/// on two cores. At twice as many a step takes four to eight times as long.
const SMALL: usize = 2000;

/// Steps `--bound auto` takes: all of them up to 600 points, then fewer, since a
/// step costs O(N³); the first 30 close most of the gap.
fn auto_steps(points: usize) -> usize {
    let all = Relaxation::default().iterations;
    match points {
        0..=600 => all,
        601..=1200 => all / 4,
        _ => 30,
    }
}

/// Arguments that were checked against each other.
struct Job {
    solver: Solver,
    search: Search,
    options: Options,
}

impl Job {
    fn check(args: &SolveArgs) -> Result<Self, Failure> {
        let penalty = Penalty::new(args.lambda, args.gamma)?;
        if args.width.is_some() {
            return Err(Failure::Unavailable("--width"));
        }
        if args.restarts.is_some() {
            return Err(Failure::Unavailable("--restarts"));
        }
        if args.participation.is_some() {
            return Err(Failure::Unavailable("--participation"));
        }
        let solver = match (args.method, penalty.gamma() == 0.0) {
            (Method::Auto | Method::ClosedForm, true) => Solver::ClosedForm,
            (Method::ClosedForm, false) => return Err(Failure::ClosedForm { gamma: args.gamma }),
            (Method::Auto, false) | (Method::Proximal, _) => Solver::Proximal,
            (Method::Conic, _) => return Err(Failure::Unavailable("--method conic")),
            (Method::Sdp, _) => return Err(Failure::Unavailable("--method sdp")),
        };
        let (bounds, search) = match args.bound {
            BoundChoice::Auto => (true, Search::Small),
            BoundChoice::None => (false, Search::Never),
            BoundChoice::Fast => (true, Search::Never),
            BoundChoice::Relaxation => (true, Search::Always),
            BoundChoice::Sdp => return Err(Failure::Unavailable("--bound sdp")),
            BoundChoice::Exact => return Err(Failure::Unavailable("--bound exact")),
        };
        let options = Options { tolerance: args.tolerance, bounds, ..Options::default() };
        Ok(Self { solver, search, options })
    }
}

/// Checks everything that can be checked, solves, writes, prints.
pub(crate) fn run(args: &SolveArgs) -> Result<Outcome, Failure> {
    let job = Job::check(args)?;
    let folder = args.out.as_deref().map(Folder::prepare).transpose()?;
    args.plot.as_deref().map_or(Ok(()), output::check_file)?;
    let data = input::read(&args.source, args.run.quiet)?;
    let data_name = data.name.clone();
    let problem = input::problem(data, args)?;

    let watch = Watch::start(&args.run);
    let (solved, run) = match args.run.threads {
        None => solve(&problem, &job, args, &watch),
        Some(threads) => rayon::ThreadPoolBuilder::new()
            .num_threads(threads.get())
            .build()?
            .install(|| solve(&problem, &job, args, &watch)),
    }?;
    let (point, certificate) = (solved.solution(), solved.certificate());
    let row = Row::new(&problem, &run, certificate);

    if let Some(folder) = &folder {
        let verify = Verify {
            program: concat!("widedict ", env!("CARGO_PKG_VERSION")),
            data: data_name,
            weights: args.weights.as_ref().map(|path| path.display().to_string()),
            dictionary: "dictionary.npy",
            codes: "codes.npz",
            center: "center.npy",
            tolerance: job.options.tolerance,
            stationarity: job.options.stationarity,
            upper_bound: certificate.upper().get(),
        };
        folder.write(&problem, point, &Saved { row: &row, verify })?;
    }
    if let Some(path) = &args.plot {
        draw(path, &problem, point)?;
    }
    output::print(&if args.run.json {
        json(&row)
    } else {
        summary(&problem, &run, &solved, folder.as_ref(), args.plot.as_deref())
    })?;

    let gap_missed = args.require_gap.is_some_and(|required| !(certificate.relative_gap() <= required));
    let met = run.stop == Stop::ToleranceMet && !certificate.verdict().is_negative() && !gap_missed;
    Ok(if met { Outcome::Met } else { Outcome::Unmet })
}

/// Runs the solver, then certifies its point with the job's options.
fn solve(
    problem: &Problem,
    job: &Job,
    args: &SolveArgs,
    watch: &Watch,
) -> Result<(Certified<Factorization>, Run), Failure> {
    let solved = match job.solver {
        Solver::ClosedForm => closed_form(problem, watch),
        Solver::Proximal => {
            ColumnGeneration { tolerance: args.tolerance, seed: args.seed, ..Default::default() }
                .solve_observed(problem, watch)
        }
    };
    let solving = watch.elapsed();
    let certified = solved.map_err(Failure::from).and_then(|solution| {
        watch.phase("certifying");
        Ok((solution.stop, certified(problem, job, args, watch, solution)?))
    });
    let certifying = watch.elapsed().saturating_sub(solving);
    watch.finish();
    let (stop, certified) = certified?;
    Ok((certified, Run { method: job.solver.name(), seed: args.seed, stop, solving, certifying }))
}

fn closed_form(problem: &Problem, watch: &Watch) -> Result<Solution<Factorization>, SolveError> {
    if problem.centered() {
        return wide::closed_form_centered(problem, watch);
    }
    Ok(Solution {
        certified: wide::closed_form(problem)?,
        witness: Witness::none(),
        stop: Stop::ToleranceMet,
        iterations: 0,
    })
}

/// Certifies the solver's point from its witness and, where the job asks for it,
/// a split searched in the time that is left.
fn certified(
    problem: &Problem,
    job: &Job,
    args: &SolveArgs,
    watch: &Watch,
    solution: Solution<Factorization>,
) -> Result<Certified<Factorization>, Failure> {
    let Solution { certified, mut witness, .. } = solution;
    let gap = certified.certificate().relative_gap();
    if job.solver == Solver::ClosedForm && job.options.bounds && gap <= job.options.tolerance {
        // With an atom a datapoint certifying costs more than solving: once is enough.
        return Ok(certified);
    }
    let iterations = match job.search {
        Search::Always => Relaxation::default().iterations,
        Search::Small | Search::Never => auto_steps(problem.len()),
    };
    let relaxation = Relaxation { gap: job.options.tolerance, iterations, ..Relaxation::default() };
    let wanted = match job.search {
        Search::Never => false,
        Search::Small => problem.len() <= SMALL,
        Search::Always => true,
    };
    if wanted && problem.gamma() > 0.0 && gap > job.options.tolerance {
        if problem.len() > relaxation.max_points && !args.run.quiet {
            output::say(&format!(
                "note: the relaxation takes at most {} points, found {}: the fast bound is given",
                relaxation.max_points,
                problem.len()
            ));
        }
        witness.split = relaxation.search(problem, certified.solution(), watch).map(|found| found.split);
    }
    Ok(certify(problem, certified.into_parts().0, &witness, &job.options)?)
}

fn draw(path: &Path, problem: &Problem, point: &Factorization) -> Result<(), Failure> {
    use std::io::Write;
    let picture =
        plot::atoms(problem, point).map_err(|error| Failure::Plot { path: path.to_path_buf(), error })?;
    Ok(widedict::io::replace(path, |writer| Ok(writer.write_all(picture.as_bytes())?))?)
}

fn summary(
    problem: &Problem,
    run: &Run,
    solved: &Certified<Factorization>,
    folder: Option<&Folder>,
    picture: Option<&Path>,
) -> String {
    let mut text = format!(
        "{} points of dimension {}, lambda {}, gamma {}{}\n{} (seed {}): {} after {:.2} s, {:.2} s to certify\n\n{}\n",
        problem.len(),
        problem.dim(),
        problem.lambda(),
        problem.gamma(),
        if problem.centered() { ", with a centre" } else { "" },
        run.method,
        run.seed,
        run.stop.as_str(),
        run.solving.as_secs_f64(),
        run.certifying.as_secs_f64(),
        solved.certificate(),
    );
    if let Some(folder) = folder {
        let files = "dictionary.npy, codes.npz, center.npy, certificate.json";
        let _ = writeln!(text, "\nwrote {files} in {}", folder.path().display());
    }
    if let Some(picture) = picture {
        let _ = writeln!(text, "drew {}", picture.display());
    }
    text
}
