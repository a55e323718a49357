//! `widedict solve`.

use std::fmt::Write as _;
use std::path::Path;

use widedict::certificate::{Options, Record, certify_observed};
use widedict::problem::Penalty;
use widedict::{
    Certified, ColumnGeneration, Factorization, Problem, Solution, SolveError, Stop, Witness, plot, wide,
};

use crate::args::{BoundChoice, Method, SolveArgs};
use crate::bounding::Bounding;
use crate::failure::Failure;
use crate::output::{self, Folder};
use crate::progress::Watch;
use crate::report::{Row, Run, Saved, Verify, json, stop_name};
use crate::{Outcome, input};

/// The methods of this build.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Solver {
    ClosedForm,
    Proximal,
    #[cfg(feature = "conic")]
    Conic,
    /// Conic, then the semidefinite bound.
    #[cfg(feature = "sdp")]
    Sdp,
}

impl Solver {
    fn name(self) -> &'static str {
        match self {
            Self::ClosedForm => "closed-form",
            Self::Proximal => "proximal",
            #[cfg(feature = "conic")]
            Self::Conic => "conic",
            #[cfg(feature = "sdp")]
            Self::Sdp => "sdp",
        }
    }
}

/// Arguments that were checked against each other.
struct Job {
    penalty: Penalty,
    solver: Solver,
    bounding: Bounding,
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
            #[cfg(feature = "conic")]
            (Method::Conic, _) => Solver::Conic,
            #[cfg(not(feature = "conic"))]
            (Method::Conic, _) => return Err(Failure::Unavailable("--method conic (feature conic)")),
            #[cfg(feature = "sdp")]
            (Method::Sdp, _) => Solver::Sdp,
            #[cfg(not(feature = "sdp"))]
            (Method::Sdp, _) => return Err(Failure::Unavailable("--method sdp (feature sdp)")),
        };
        let bound = match (args.method, args.bound) {
            (Method::Sdp, BoundChoice::Auto) => BoundChoice::Sdp,
            (_, bound) => bound,
        };
        let bounding = Bounding::new(bound)?;
        let options = Options { tolerance: args.tolerance, bounds: bounding.bounds, ..Options::default() };
        Ok(Self { solver, penalty, bounding, options })
    }
}

/// Checks everything that can be checked, solves, writes, prints.
pub(crate) fn run(args: &SolveArgs) -> Result<Outcome, Failure> {
    let mut job = Job::check(args)?;
    let folder = args.out.as_deref().map(Folder::prepare).transpose()?;
    args.plot.as_deref().map_or(Ok(()), output::check_file)?;
    let data = input::read(&args.source, args.run.quiet)?;
    let data_name = data.name.clone();
    let problem = input::problem(data, job.penalty, args.center, args.weights.as_deref())?;

    job.bounding.check(&problem)?;
    job.options.exact = job.bounding.exact(&problem);
    let watch = Watch::start(&args.run);
    let (solved, witness, run) = match args.run.threads {
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
        let record = Record::new(&problem, &solved, &witness, &job.options);
        let witness = folder.write_witness(&witness)?;
        let center = point.center().map_or_else(|| vec![0.0; problem.dim()], <[f64]>::to_vec);
        folder.write(point, &center, &Saved { row: &row, verify, witness, record: Some(record) })?;
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
    let met = run.stop == Some(Stop::ToleranceMet) && !certificate.verdict().is_negative() && !gap_missed;
    Ok(if met { Outcome::Met } else { Outcome::Unmet })
}

/// Runs the solver, then certifies its point with the job's options.
fn solve(
    problem: &Problem,
    job: &Job,
    args: &SolveArgs,
    watch: &Watch,
) -> Result<(Certified<Factorization>, Witness, Run), Failure> {
    let generation =
        ColumnGeneration { tolerance: args.tolerance, seed: args.seed, ..ColumnGeneration::default() };
    let solved = match job.solver {
        Solver::ClosedForm => closed_form(problem, watch),
        Solver::Proximal => generation.solve_observed(problem, watch),
        #[cfg(feature = "conic")]
        Solver::Conic => conic(generation, problem, watch),
        #[cfg(feature = "sdp")]
        Solver::Sdp => conic(generation, problem, watch),
    };
    let solving = watch.elapsed();
    let certified = solved.map_err(Failure::from).and_then(|solution| {
        watch.phase("certifying");
        Ok((solution.stop, certified(problem, job, args, watch, solution)?))
    });
    let certifying = watch.elapsed().saturating_sub(solving);
    watch.finish();
    let (stop, (certified, witness)) = certified?;
    let stop = Some(stop);
    Ok((
        certified,
        witness,
        Run { width: None, method: job.solver.name(), seed: args.seed, stop, solving, certifying },
    ))
}

#[cfg(feature = "conic")]
fn conic(
    generation: ColumnGeneration,
    problem: &Problem,
    watch: &Watch,
) -> Result<Solution<Factorization>, SolveError> {
    let master = widedict::master::Method::Conic(widedict::master::Conic::default());
    ColumnGeneration { master, ..generation }.solve_observed(problem, watch)
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
) -> Result<(Certified<Factorization>, Witness), Failure> {
    let Solution { certified, mut witness, .. } = solution;
    let gap = certified.certificate().relative_gap();
    if job.solver == Solver::ClosedForm && job.options.bounds && gap <= job.options.tolerance {
        // With an atom a datapoint certifying costs more than solving: once is enough.
        return Ok((certified, witness));
    }
    if gap > job.options.tolerance {
        witness.split =
            job.bounding.split(problem, certified.solution(), job.options.tolerance, &args.run, watch)?;
    }
    let certified = certify_observed(problem, certified.into_parts().0, &witness, &job.options, watch)?;
    Ok((certified, witness))
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
        stop_name(run.stop),
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
