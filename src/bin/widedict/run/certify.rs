//! `widedict certify`: what is proved of a dictionary and codes made elsewhere.

use std::path::Path;
use std::time::Duration;

use widedict::answer::conclusion::certify;
use widedict::answer::input::{Input, Origin};
use widedict::answer::plain::without_zeros;
use widedict::answer::{hull, participation, start};
use widedict::atoms::{AtomsError, Rescaled};
use widedict::bounding::Bounded;
use widedict::certificate::Options;
use widedict::diagnose::HullReport;
use widedict::gauge::Penalty;
use widedict::io::sae::{EncodeError, Folded, NoEncoder, NoLambda};
use widedict::io::{FileProblem, Saving, read_atoms, read_vector};
use widedict::{Bounding, Codes, Dictionary, Factorization, Problem, Verdict};

use super::save::bounding;
use super::threads::on_threads;
use super::trained::{self, Trained};
use super::{Outcome, input};
use crate::arguments::CertifyArgs;
use crate::failure::Failure;
use crate::output::diagnosis::{Source, describe};
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
    /// What is known of an autoencoder.
    source: Option<Source>,
}

/// What is proved, and of which least participations.
struct Audit {
    bounded: Bounded,
    participation: Option<Participation>,
    hull: Option<HullReport>,
    certifying: Duration,
}

/// What is certified, its center apart.
struct Parts {
    data: Input,
    center: Option<Vec<f64>>,
    /// Whether the center is a variable.
    centered: bool,
    lambda: f64,
    gamma: f64,
    point: Point,
    /// What is known of an autoencoder.
    source: Option<Source>,
}

/// Atoms and codes, read or still in their files.
enum Point {
    Files,
    Read(Dictionary, Codes, Option<Rescaled>),
}

impl Parts {
    fn read(args: &CertifyArgs) -> Result<Self, Failure> {
        let data = input::read(&args.source, args.run.quiet)?;
        if let Some(folder) = &args.from {
            return Self::saved(folder, args, data);
        }
        let (centered, gamma) = (args.center, args.gamma.unwrap_or(0.0));
        let Some(path) = &args.trained.sae else {
            let center = args.center_file.as_deref().filter(|_| !centered);
            let center = center.map(|path| input::center(path, data.points.nrows())).transpose()?;
            let lambda = args.lambda.ok_or(Failure::NoLambda(NoLambda::Absent))?;
            return Ok(Self { data, center, centered, lambda, gamma, point: Point::Files, source: None });
        };
        let mut read = trained::read(path, &args.trained, data, args.run.quiet)?;
        let lambda = read.price(args.lambda)?;
        let Some(codes) = read.codes(path, args.codes.as_deref())? else {
            let why = read.sae.no_encoder().cloned().unwrap_or(NoEncoder::NoConfiguration);
            return Err(read.not_encoded(EncodeError::NoEncoder(why)));
        };
        read.note();
        let Trained {
            folded: Folded { points, dictionary, center, folding, .. },
            weights,
            origin,
            source,
            ..
        } = read;
        let data = Input { points: points.into(), weights, origin };
        let rescaled = (folding.rescaled_atoms > 0).then_some(Rescaled {
            atoms: folding.rescaled_atoms,
            shortest: folding.shortest_atom,
            longest: folding.longest_atom,
        });
        let point = Point::Read(dictionary, codes, rescaled);
        Ok(Self { data, center, centered, lambda, gamma, point, source: Some(source) })
    }

    /// A solution as it was written, at other prices where these are told.
    fn saved(folder: &Path, args: &CertifyArgs, data: Input) -> Result<Self, Failure> {
        let loaded = start::load(folder, data.points.nrows(), &data.origin.rows)?;
        let price = |key: &str, told: Option<f64>| {
            let what = || format!("certificate.json: {key}: expected a number");
            let missing = || Failure::Saved { path: folder.to_path_buf(), what: what() };
            told.or(loaded.certificate[key].as_f64()).ok_or_else(missing)
        };
        let (lambda, gamma) = (price("lambda", args.lambda)?, price("gamma", args.gamma)?);
        let (dictionary, codes, variable) = loaded.factorization.into_parts();
        let centered = variable.is_some();
        let point = Point::Read(dictionary, codes, None);
        let center = variable.or(loaded.fixed_center);
        Ok(Self { data, center, centered, lambda, gamma, point, source: None })
    }
}

impl Job {
    /// The problem; a fixed center is subtracted from the data.
    fn of(args: &CertifyArgs, parts: Parts, bounding: Bounding) -> Result<(Self, Foreign), Failure> {
        let Parts { mut data, center, centered, lambda, gamma, point, source } = parts;
        let penalty = Penalty::new(lambda, gamma)?;
        if args.participation.is_some() {
            participation::check(&penalty)?;
        }
        let dim = data.points.nrows();
        let (fixed_center, variable) =
            if centered { (None, Some(center.unwrap_or_else(|| vec![0.0; dim]))) } else { (center, None) };
        if let Some(center) = &fixed_center {
            data.points = widedict::answer::input::subtracted(data.points, center);
        }
        let (problem, origin) = input::problem(data, penalty, centered)?;
        let options =
            Options { gap_tolerance: args.tolerance, local: args.local.limits(), ..Options::default() };
        let options = bounding.options(&problem, options);
        let job = Self { problem, options, bounding, origin, fixed_center, source };
        let foreign = match point {
            Point::Files => read(args, &job)?,
            Point::Read(dictionary, codes, rescaled) => {
                let count = dictionary.len();
                match Factorization::new(dictionary, codes, variable) {
                    Ok(factorization) => Foreign::Fits(factorization, rescaled),
                    Err(error) => Foreign::Rejected { reason: error.to_string(), atoms: count },
                }
            }
        };
        Ok((job, foreign))
    }

    /// Which point it is, before what is proved of it.
    fn about(&self) -> String {
        let source = self.source.as_ref();
        let mut text = source.map_or_else(String::new, |s| format!("{}: {}\n", s.dictionary, describe(s)));
        text.push_str(match (self.problem.centered(), &self.fixed_center) {
            (true, _) => "center               a variable\n",
            (false, Some(_)) => {
                "center               fixed, subtracted from the data (--center makes it a variable)\n"
            }
            (false, None) => "",
        });
        text
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
    if let Some(lambda) = args.lambda {
        Penalty::new(lambda, args.gamma.unwrap_or(0.0))?;
    }
    let bounding = bounding(args.bound)?;
    let folder = args.out.as_deref().map(|path| Folder::prepare(path, args.no_clobber)).transpose()?;
    let (job, foreign) = Job::of(args, Parts::read(args)?, bounding)?;
    let (factorization, rescaled) = match foreign {
        Foreign::Fits(factorization, rescaled) => (factorization, rescaled),
        Foreign::Rejected { reason, atoms } => return reject(args, &job, atoms, reason),
    };
    bounding.check(&job.problem)?;
    let watch = Watch::start(args.run.max_seconds, args.run.quiet);
    let audit = on_threads(&args.run, || audit(&job, factorization, args, &watch));
    watch.finish();
    let Audit { bounded, participation, hull, certifying } = audit?;
    let certificate = bounded.certified.certificate();
    let run = described(bounded.certified.solution().width(), certifying);
    let row = Row::new(&job.problem, &job.origin.masked, &run, certificate)
        .with_rescaled(rescaled)
        .with_hull(hull.clone())
        .with_source(job.source.clone())
        .with_participation(participation);

    if let Some(folder) = &folder {
        job.save(folder, &bounded, &row)?;
    }
    output::answer(args.run.json, &row, || {
        let better =
            if bounded.certified.improvement().is_some() { ", a lower point in improved/" } else { "" };
        let files = format!("dictionary.npy, codes.npz, center.npy, certificate.json{better}");
        job.about()
            + &text::audited(&job.problem, &run, job.bounding, certificate, participation.as_ref(), rescaled)
            + &hull.as_ref().map_or_else(String::new, HullReport::text)
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
    let (Some(dictionary), Some(file)) = (&args.dictionary, &args.codes) else {
        unreachable!("the command line asks for both");
    };
    let problem = &job.problem;
    let atoms = read_atoms(dictionary)?;
    let count = atoms.ncols();
    let rejected = |reason: String| Ok(Foreign::Rejected { reason, atoms: count });
    if atoms.nrows() != problem.dim() {
        let hint = if count == problem.dim() { " (an atom a row: the file looks transposed)" } else { "" };
        return rejected(format!(
            "{}: expected atoms of dimension {}, found shape [{count}, {}]{hint}",
            dictionary.display(),
            problem.dim(),
            atoms.nrows()
        ));
    }
    let codes = match input::codes(file, &job.origin.rows, count, args.run.quiet) {
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
        (None, true) => Some(vec![0.0; problem.dim()]),
        (_, false) => None,
    };
    let (atoms, codes, zero) = without_zeros(atoms, codes);
    trained::note_dropped(&dictionary.display().to_string(), &zero, args.run.quiet);
    match Factorization::from_foreign(atoms, codes, center) {
        Ok((factorization, rescaled)) => Ok(Foreign::Fits(factorization, rescaled)),
        Err(error) => rejected(format!("{}: {error}", dictionary.display())),
    }
}

fn audit(
    job: &Job,
    factorization: Factorization,
    args: &CertifyArgs,
    watch: &Watch,
) -> Result<Audit, Failure> {
    let started = watch.elapsed();
    let bounded = certify(job.bounding, &job.problem, factorization, &job.options, watch)?;
    let participation = match args.participation {
        Some(least) => participation::bound(least, &job.problem, bounded.certified.solution(), watch)?,
        None => None,
    };
    let hull = hull::asked(job.bounding, args.local.limits().is_some())
        .then(|| hull::of(&job.problem, bounded.certified.solution(), &job.origin.rows, usize::MAX, watch))
        .flatten();
    let certifying = watch.elapsed().saturating_sub(started);
    Ok(Audit { bounded, participation, hull, certifying })
}
