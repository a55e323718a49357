//! `widedict certify`: what is proved of a dictionary and codes made elsewhere.

use std::time::Duration;

use widedict::atoms::{AtomsError, Rescaled};
use widedict::bounding::Bounded;
use widedict::certificate::Options;
use widedict::gauge::Penalty;
use widedict::io::{FileProblem, Saving, read_atoms, read_vector};
use widedict::trusted::local;
use widedict::{Bounding, Factorization, Problem, Verdict};

use super::conclusion::{bound_width, bounding};
use super::input::Origin;
use super::threads::on_threads;
use super::{Outcome, input, participation};
use crate::arguments::CertifyArgs;
use crate::failure::Failure;
use crate::output::folder::Folder;
use crate::output::progress::Watch;
use crate::output::row::{Participation, Row, RunSummary};
use crate::output::{self, masked, text};

/// What the files hold.
enum Foreign {
    /// A factorization that belongs to the problem.
    Fits(Factorization, Option<Rescaled>),
    /// Not one, and why.
    Rejected { reason: String, atoms: usize },
}

/// Arguments that were checked against each other, and what was read.
struct Job {
    problem: Problem,
    options: Options,
    bounding: Bounding,
    origin: Origin,
    /// The center that was subtracted from the data.
    fixed_center: Option<Vec<f64>>,
}

/// What is proved, and of which least participations.
struct Audit {
    bounded: Bounded,
    participation: Option<Participation>,
    certifying: Duration,
}

impl Job {
    fn read(args: &CertifyArgs, penalty: Penalty, bounding: Bounding) -> Result<Self, Failure> {
        let mut data = input::read(&args.source, args.run.quiet)?;
        let fixed_center = match (&args.center_file, args.center) {
            (Some(path), false) => Some(input::center(path, data.points.nrows())?),
            _ => None,
        };
        if let Some(center) = &fixed_center {
            input::subtract(&mut data.points, center);
        }
        let (problem, origin) = input::problem(data, penalty, args.center)?;
        let options = Options {
            gap_tolerance: args.tolerance,
            local: Some(local::Limits::default()),
            ..Options::default()
        };
        let options = bounding.options(&problem, options);
        Ok(Self { problem, options, bounding, origin, fixed_center })
    }

    fn save(&self, folder: &Folder, bounded: &Bounded, row: &Row) -> Result<(), Failure> {
        let saving = Saving {
            problem: &self.problem,
            certified: &bounded.certified,
            witness: &bounded.witness,
            options: &self.options,
            data_name: &self.origin.name,
            weights_name: self.origin.weights_name.as_deref(),
            fixed_center: self.fixed_center.as_deref(),
            rows: Some(&self.origin.rows),
        };
        saving.write(folder.path(), row)?;
        folder.remove_sae()?;
        folder.remove_rows(0)?;
        folder.remove_checkpoint()
    }
}

/// Reads everything, certifies, writes, prints.
pub(super) fn run(args: &CertifyArgs) -> Result<Outcome, Failure> {
    let penalty = Penalty::new(args.lambda, args.gamma)?;
    if args.participation.is_some() {
        participation::check(&penalty)?;
    }
    let bounding = bounding(args.bound)?;
    let folder = args.out.as_deref().map(|path| Folder::prepare(path, args.no_clobber)).transpose()?;
    let job = Job::read(args, penalty, bounding)?;
    let (factorization, rescaled) = match read(args, &job)? {
        Foreign::Fits(factorization, rescaled) => (factorization, rescaled),
        Foreign::Rejected { reason, atoms } => return reject(args, &job, atoms, reason),
    };
    bounding.check(&job.problem)?;
    let watch = Watch::start(args.run.max_seconds, args.run.quiet);
    let audit = on_threads(&args.run, || audit(&job, factorization, args, &watch));
    watch.finish();
    let Audit { bounded, participation, certifying } = audit?;
    let certificate = bounded.certified.certificate();
    let run = described(bounded.certified.solution().width(), certifying);
    let row = Row::new(&job.problem, &job.origin.masked, &run, certificate)
        .with_rescaled(rescaled)
        .with_participation(participation);

    if let Some(folder) = &folder {
        job.save(folder, &bounded, &row)?;
    }
    output::answer(args.run.json, &row, || {
        let better =
            if bounded.certified.improvement().is_some() { ", a lower point in improved/" } else { "" };
        let files = format!("dictionary.npy, codes.npz, center.npy, certificate.json{better}");
        text::audited(&job.problem, &run, certificate, participation.as_ref(), rescaled)
            + &masked::line(&job.origin.masked)
            + &text::written(&files, folder.as_ref().map(Folder::path))
    })?;
    Ok(Outcome::judge(None, certificate, args.require_gap))
}

/// Answers that the files do not belong to the problem.
fn reject(args: &CertifyArgs, job: &Job, atoms: usize, reason: String) -> Result<Outcome, Failure> {
    let verdict = Verdict::Rejected { reason };
    let row = Row::bare(&job.problem, &job.origin.masked, &described(atoms, Duration::ZERO), atoms, &verdict);
    output::answer(args.run.json, &row, || text::rejected(&verdict))?;
    Ok(Outcome::Unmet)
}

/// Nothing ran: what is asked is the factorization of its own width.
fn described(atoms: usize, certifying: Duration) -> RunSummary {
    RunSummary { certifying, ..RunSummary::audit(Some(atoms)) }
}

/// Reads the factorization. A file that cannot be read, or holds what is no number, is a
/// failure; numbers that do not belong to the problem are rejected.
fn read(args: &CertifyArgs, job: &Job) -> Result<Foreign, Failure> {
    let problem = &job.problem;
    let atoms = read_atoms(&args.dictionary)?;
    let count = atoms.ncols();
    let rejected = |reason: String| Ok(Foreign::Rejected { reason, atoms: count });
    if atoms.nrows() != problem.dim() {
        let hint = if count == problem.dim() { " (an atom a row: the file looks transposed)" } else { "" };
        return rejected(format!(
            "{}: expected atoms of dimension {}, found shape [{count}, {}]{hint}",
            args.dictionary.display(),
            problem.dim(),
            atoms.nrows()
        ));
    }
    let codes = match input::codes(&args.codes, &job.origin.rows, count, args.run.quiet) {
        Ok(codes) => codes,
        Err(Failure::File(error)) => {
            let misshapen = matches!(&error.problem, FileProblem::Shape { .. });
            let negative = matches!(
                &error.problem,
                FileProblem::Codes(AtomsError::Code { value, .. }) if value.is_finite()
            );
            return if misshapen || negative { rejected(error.to_string()) } else { Err(error.into()) };
        }
        Err(error) => return Err(error),
    };
    let center = match (&args.center_file, args.center) {
        (Some(path), true) => {
            let center = read_vector(path)?;
            if center.len() != problem.dim() {
                return rejected(format!(
                    "{}: expected a center of dimension {}, found {}",
                    path.display(),
                    problem.dim(),
                    center.len()
                ));
            }
            Some(center)
        }
        _ => None,
    };
    match Factorization::from_foreign(atoms, codes, center) {
        Ok((factorization, rescaled)) => Ok(Foreign::Fits(factorization, rescaled)),
        Err(error) => rejected(format!("{}: {error}", args.dictionary.display())),
    }
}

fn audit(
    job: &Job,
    factorization: Factorization,
    args: &CertifyArgs,
    watch: &Watch,
) -> Result<Audit, Failure> {
    let started = watch.elapsed();
    watch.phase("certifying");
    let bounded = job.bounding.certify(&job.problem, factorization, &job.options, watch)?;
    let width = bounded.certified.solution().width();
    let proved = (bounded.certified, bounded.witness);
    let (certified, witness) = bound_width(job.bounding, &job.problem, proved, width, watch)?;
    let bounded = Bounded { certified, witness, ..bounded };
    if let Some(shortfall) = bounded.shortfall {
        watch.note(&shortfall.to_string());
    }
    let participation = match args.participation {
        Some(least) => participation::bound(least, &job.problem, bounded.certified.solution(), watch)?,
        None => None,
    };
    let certifying = watch.elapsed().saturating_sub(started);
    Ok(Audit { bounded, participation, certifying })
}
