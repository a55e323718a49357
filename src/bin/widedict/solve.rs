//! `widedict solve`.

use std::fmt::Write as _;
use std::num::NonZeroUsize;
use std::path::Path;

use widedict::certificate::{Options, Record, certify_observed};
use widedict::gauge::Penalty;
use widedict::trusted::local;
use widedict::{
    Certified, ColumnGeneration, Factorization, Finite, Problem, Solution, SolveError, Stop, plot, wide,
};

use crate::args::{BoundChoice, Method, RunArgs, SolveArgs};
use crate::bounding::Bounding;
use crate::failure::Failure;
use crate::output::{self, Folder};
use crate::participation::Least;
use crate::progress::Watch;
use crate::report::{self, Row, Run, Saved, Verify, json, stop_name};
use crate::{Outcome, input};

/// The methods of this build.
#[derive(Clone, Copy, Debug, PartialEq)]
pub(crate) enum Solver {
    ClosedForm,
    Proximal,
    #[cfg(feature = "conic")]
    Conic,
    /// Conic, then the semidefinite bound.
    #[cfg(feature = "sdp")]
    Sdp,
    /// The joint problem of a given width; the local test is left to [`Conclusion::conclude`].
    Finite(Finite),
}

impl Solver {
    pub(crate) fn name(self) -> &'static str {
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

    pub(crate) fn width(self) -> Option<usize> {
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

/// Arguments that were checked against each other.
struct Job {
    penalty: Penalty,
    participation: Option<Least>,
    conclusion: Conclusion,
}

/// What happens to a solver's point: how it is bounded and certified.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Conclusion {
    pub(crate) solver: Solver,
    pub(crate) bounding: Bounding,
    pub(crate) options: Options,
}

impl Job {
    fn check(args: &SolveArgs) -> Result<Self, Failure> {
        let penalty = Penalty::new(args.lambda, args.gamma)?;
        if let Some(least) = args.participation {
            least.check(penalty.lambda(), penalty.gamma())?;
        }
        let solver = match (args.width, args.method, penalty.gamma() == 0.0) {
            (Some(width), _, _) => {
                Solver::Finite(finite(width.get(), args.restarts, args.tolerance, args.seed))
            }
            (None, Method::Auto | Method::ClosedForm, true) => Solver::ClosedForm,
            (None, Method::ClosedForm, false) => return Err(Failure::ClosedForm { gamma: args.gamma }),
            (None, Method::Auto, false) | (None, Method::Proximal, _) => Solver::Proximal,
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
        };
        let bound = match (args.method, args.bound) {
            (Method::Sdp, BoundChoice::Auto) => BoundChoice::Sdp,
            (_, bound) => bound,
        };
        let conclusion = Conclusion::new(solver, Bounding::new(bound)?, args.tolerance);
        Ok(Self { penalty, participation: args.participation, conclusion })
    }
}

/// The settings of a width: the local test is left to [`Conclusion::conclude`].
pub(crate) fn finite(width: usize, restarts: Option<NonZeroUsize>, tolerance: f64, seed: u64) -> Finite {
    let restarts = restarts.map_or(1, NonZeroUsize::get);
    Finite { stationarity_tolerance: tolerance, seed, restarts, local: None, ..Finite::new(width) }
}

impl Conclusion {
    pub(crate) fn new(solver: Solver, bounding: Bounding, tolerance: f64) -> Self {
        let local = solver.width().map(|_| local::Limits::default());
        let options =
            Options { gap_tolerance: tolerance, bounds: bounding.bounds, local, ..Options::default() };
        Self { solver, bounding, options }
    }

    /// Certifies the solver's point from its witness and, where it is asked for, a
    /// split searched in the time that is left; a point of a given width is
    /// brought to a local verdict, which may lower it.
    pub(crate) fn conclude(
        &self,
        problem: &Problem,
        solution: Solution,
        args: &RunArgs,
        watch: &Watch,
    ) -> Result<Solution, Failure> {
        watch.phase("certifying");
        let options = Options { exact: self.bounding.exact(problem), ..self.options };
        let mut solution = solution;
        let gap = solution.certified.certificate().relative_gap();
        if self.solver == Solver::ClosedForm && options.bounds && gap <= options.gap_tolerance {
            // With an atom a datapoint certifying costs more than solving: once is enough.
            return Ok(solution);
        }
        if gap > options.gap_tolerance {
            solution.witness.split = self.bounding.split(
                problem,
                solution.certified.solution(),
                options.gap_tolerance,
                args,
                watch,
            )?;
        }
        if let Solver::Finite(finite) = self.solver {
            return Ok(finite.settle(problem, solution, &options, watch)?);
        }
        let Solution { certified, witness, stop, iterations } = solution;
        let certified = certify_observed(problem, certified.into_parts().0, &witness, &options, watch)?;
        Ok(Solution { certified, witness, stop, iterations })
    }
}

/// Checks everything that can be checked, solves, writes, prints.
pub(crate) fn run(args: &SolveArgs) -> Result<Outcome, Failure> {
    let job = Job::check(args)?;
    let folder = args.out.as_deref().map(Folder::prepare).transpose()?;
    args.plot.as_deref().map_or(Ok(()), output::check_file)?;
    let data = input::read(&args.source, args.run.quiet)?;
    let data_name = data.name.clone();
    let problem = input::problem(data, job.penalty, args.center, args.weights.as_deref())?;

    job.conclusion.bounding.check(&problem)?;
    let watch = Watch::start(&args.run);
    let solved = threaded(&args.run, || solve(&problem, &job, args, &watch));
    watch.finish();
    let Solved { solution, run, participation } = solved?;
    let solved = &solution.certified;
    let (point, certificate) = (solved.solution(), solved.certificate());
    let row = Row::new(&problem, &run, certificate).with_participation(participation);

    if let Some(folder) = &folder {
        save(
            folder,
            &problem,
            &solution,
            &row,
            &job.conclusion.options,
            &data_name,
            args.weights.as_deref(),
        )?;
    }
    if let Some(path) = &args.plot {
        draw(path, &problem, point)?;
    }
    output::print(&if args.run.json {
        json(&row)
    } else {
        summary(&problem, &run, solved, participation.as_ref(), folder.as_ref(), args.plot.as_deref())
    })?;

    let gap_missed = args.require_gap.is_some_and(|required| !(certificate.relative_gap() <= required));
    let met = run.stop == Some(Stop::ToleranceMet) && !certificate.verdict().is_negative() && !gap_missed;
    Ok(if met { Outcome::Met } else { Outcome::Unmet })
}

/// Runs `work` on the number of threads asked for.
pub(crate) fn threaded<T: Send>(
    args: &RunArgs,
    work: impl FnOnce() -> Result<T, Failure> + Send,
) -> Result<T, Failure> {
    match args.threads {
        None => work(),
        Some(threads) => rayon::ThreadPoolBuilder::new().num_threads(threads.get()).build()?.install(work),
    }
}

/// Writes a point with its certificate and what another program needs to verify it.
pub(crate) fn save(
    folder: &Folder,
    problem: &Problem,
    solution: &Solution,
    row: &Row,
    options: &Options,
    data: &str,
    weights: Option<&Path>,
) -> Result<(), Failure> {
    let (solved, witness) = (&solution.certified, &solution.witness);
    let verify = Verify {
        program: concat!("widedict ", env!("CARGO_PKG_VERSION")),
        data: data.to_owned(),
        weights: weights.map(|path| path.display().to_string()),
        dictionary: "dictionary.npy",
        codes: "codes.npz",
        center: "center.npy",
        tolerance: options.gap_tolerance,
        stationarity: options.stationarity_tolerance,
        upper_bound: solved.certificate().upper().get(),
    };
    let record = Record::new(problem, solved, witness, options);
    let witness = folder.write_witness(witness)?;
    let point = solved.solution();
    let center = point.center().map_or_else(|| vec![0.0; problem.dim()], <[f64]>::to_vec);
    folder.write_sae(point, &center, problem.lambda())?;
    Ok(folder.write(point, &center, &Saved { row, verify, witness, record: Some(record) })?)
}

/// The answer of a run.
struct Solved {
    solution: Solution,
    run: Run,
    participation: Option<report::Participation>,
}

/// Runs the solver, then bounds and certifies its point.
fn solve(problem: &Problem, job: &Job, args: &SolveArgs, watch: &Watch) -> Result<Solved, Failure> {
    let solver = job.conclusion.solver;
    let generation =
        ColumnGeneration { gap_tolerance: args.tolerance, seed: args.seed, ..ColumnGeneration::default() };
    let solved = match solver {
        Solver::ClosedForm => wide::closed_form_with(problem, &widedict::Run::observed(watch)),
        Solver::Proximal => generation.solve_with(problem, &widedict::Run::observed(watch)),
        #[cfg(feature = "conic")]
        Solver::Conic => conic(generation, problem, watch),
        #[cfg(feature = "sdp")]
        Solver::Sdp => conic(generation, problem, watch),
        Solver::Finite(finite) => finite.solve_with(problem, &widedict::Run::observed(watch)),
    }?;
    let solving = watch.elapsed();
    let solution = job.conclusion.conclude(problem, solved, &args.run, watch)?;
    let point = solution.certified.solution();
    let participation = match job.participation {
        Some(least) => least.answer(problem, point, args.run.quiet, watch)?,
        None => None,
    };
    let run = Run {
        width: solver.width(),
        method: solver.name(),
        seed: args.seed,
        stop: Some(solution.stop),
        solving,
        certifying: watch.elapsed().saturating_sub(solving),
    };
    Ok(Solved { solution, run, participation })
}

#[cfg(feature = "conic")]
fn conic(generation: ColumnGeneration, problem: &Problem, watch: &Watch) -> Result<Solution, SolveError> {
    let master = widedict::master::Method::Conic(widedict::master::Conic::default());
    ColumnGeneration { master, ..generation }.solve_with(problem, &widedict::Run::observed(watch))
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
    solved: &Certified,
    participation: Option<&report::Participation>,
    folder: Option<&Folder>,
    picture: Option<&Path>,
) -> String {
    let mut text = format!(
        "{} points of dimension {}, lambda {}, gamma {}{}\n{} (seed {}): {} after {:.2} s, {:.2} s to certify\n\n{}\n",
        problem.len(),
        problem.dim(),
        problem.lambda(),
        problem.gamma(),
        if problem.centered() { ", with a center" } else { "" },
        run.method,
        run.seed,
        stop_name(run.stop),
        run.solving.as_secs_f64(),
        run.certifying.as_secs_f64(),
        solved.certificate(),
    );
    if let Some(participation) = participation {
        text.push_str(&participation.line());
    }
    if let Some(folder) = folder {
        let files = "dictionary.npy, codes.npz, center.npy, certificate.json and sae/";
        let _ = writeln!(text, "\nwrote {files} in {}", folder.path().display());
    }
    if let Some(picture) = picture {
        let _ = writeln!(text, "drew {}", picture.display());
    }
    text
}
