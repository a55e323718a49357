//! `widedict certify`: what is proved of a dictionary and codes made elsewhere.

use std::fmt::Write as _;
use std::time::Duration;

use widedict::atoms::{AtomsError, Rescaled};
use widedict::certificate::{Options, Record, certify_observed};
use widedict::gauge::Penalty;
use widedict::io::{FileProblem, read_atoms, read_codes};
use widedict::trusted::local;
use widedict::{Certified, Factorization, Problem, Verdict, Witness};

use crate::args::CertifyArgs;
use crate::bounding::Bounding;
use crate::failure::Failure;
use crate::output::{self, Folder, WitnessFiles};
use crate::progress::Watch;
use crate::report::{self, Row, Run, Saved, Verify, json};
use crate::solve::threaded;
use crate::{Outcome, input};

/// What the files hold.
enum Foreign {
    /// A point of the problem.
    Point(Factorization, Option<Rescaled>),
    /// Not one, and why.
    Rejected { reason: String, atoms: usize },
}

/// A point with what is proved of it, and from what.
struct Audit {
    certified: Certified,
    witness: Witness,
    participation: Option<report::Participation>,
    certifying: Duration,
}

/// Reads everything, certifies, writes, prints.
pub(crate) fn run(args: &CertifyArgs) -> Result<Outcome, Failure> {
    let penalty = Penalty::new(args.lambda, args.gamma)?;
    if let Some(least) = args.participation {
        least.check(penalty.lambda(), penalty.gamma())?;
    }
    let bounding = Bounding::new(args.bound)?;
    let folder = args.out.as_deref().map(Folder::prepare).transpose()?;
    let mut data = input::read(&args.source, args.run.quiet)?;
    let data_name = data.name.clone();
    let fixed = match (&args.center_file, args.center) {
        (Some(path), false) => Some(input::center(path, data.points.nrows())?),
        _ => None,
    };
    if let Some(center) = &fixed {
        input::subtract(&mut data.points, center);
    }
    let problem = input::problem(data, penalty, args.center, args.weights.as_deref())?;
    let options = Options {
        gap_tolerance: args.tolerance,
        bounds: bounding.bounds,
        local: Some(local::Limits::default()),
        exact: bounding.exact(&problem),
        ..Options::default()
    };

    let (point, rescaled) = match read(args, &problem)? {
        Foreign::Point(point, rescaled) => (point, rescaled),
        Foreign::Rejected { reason, atoms } => {
            let row =
                Row::bare(&problem, &described(atoms, Duration::ZERO), atoms, &Verdict::Rejected { reason });
            output::print(&if args.run.json { json(&row) } else { row.rejection() })?;
            return Ok(Outcome::Unmet);
        }
    };
    bounding.check(&problem)?;
    let watch = Watch::start(&args.run);
    let work = || audit(&problem, point, &options, bounding, args, &watch);
    let audit = threaded(&args.run, work);
    watch.finish();
    let audit = audit?;
    let certificate = audit.certified.certificate();
    let point = audit.certified.solution();
    let row = Row::new(&problem, &described(point.width(), audit.certifying), certificate)
        .with_rescaled(rescaled)
        .with_participation(audit.participation);

    if let Some(folder) = &folder {
        let verify = verify(args, data_name, &options, &audit);
        let witness: WitnessFiles = folder.write_witness(&audit.witness)?;
        let record = Some(Record::new(&problem, &audit.certified, &audit.witness, &options));
        let saved = Saved { row: &row, verify, witness, record };
        folder.write(point, &center(&problem, point, fixed.as_deref()), &saved)?;
        if let Some(better) = audit.certified.improvement() {
            folder.within("improved")?.write_point(better, &center(&problem, better, fixed.as_deref()))?;
        }
    }
    output::print(&if args.run.json {
        json(&row)
    } else {
        summary(&problem, &audit, rescaled, folder.as_ref())
    })?;

    let gap_missed = args.require_gap.is_some_and(|required| !(certificate.relative_gap() <= required));
    let met = !certificate.verdict().is_negative() && !gap_missed;
    Ok(if met { Outcome::Met } else { Outcome::Unmet })
}

/// Nothing ran: what is asked is the point of its own width.
fn described(atoms: usize, certifying: Duration) -> Run {
    Run { method: "certify", seed: 0, width: Some(atoms), stop: None, solving: Duration::ZERO, certifying }
}

/// Reads the point. A file that cannot be read, or holds what is no number, is a
/// failure; numbers that are no point of the problem are rejected.
fn read(args: &CertifyArgs, problem: &Problem) -> Result<Foreign, Failure> {
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
    let codes = match read_codes(&args.codes, problem.len(), count) {
        Ok(codes) => codes,
        Err(error) => {
            let misshapen = matches!(&error.problem, FileProblem::Shape { .. });
            let negative = matches!(
                &error.problem,
                FileProblem::Codes(AtomsError::Code { value, .. }) if value.is_finite()
            );
            let no_point = misshapen || negative;
            return if no_point { rejected(error.to_string()) } else { Err(error.into()) };
        }
    };
    let center = match (&args.center_file, args.center) {
        (Some(path), true) => {
            let center = widedict::io::read_vector(path)?;
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
        Ok((point, rescaled)) => Ok(Foreign::Point(point, rescaled)),
        Err(error) => rejected(format!("{}: {error}", args.dictionary.display())),
    }
}

fn audit(
    problem: &Problem,
    point: Factorization,
    options: &Options,
    bounding: Bounding,
    args: &CertifyArgs,
    watch: &Watch,
) -> Result<Audit, Failure> {
    let started = watch.elapsed();
    watch.phase("certifying");
    let witness = Witness {
        split: bounding.split(problem, &point, args.tolerance, &args.run, watch)?,
        ..bounding.cheap_witness(problem, &point, watch)
    };
    let certified = certify_observed(problem, point, &witness, options, watch)?;
    let participation = match args.participation {
        Some(least) => least.answer(problem, certified.solution(), args.run.quiet, watch)?,
        None => None,
    };
    let certifying = watch.elapsed().saturating_sub(started);
    Ok(Audit { certified, witness, participation, certifying })
}

/// The center as another program needs it: what is to be subtracted from the data.
fn center(problem: &Problem, point: &Factorization, fixed: Option<&[f64]>) -> Vec<f64> {
    fixed.or(point.center()).map_or_else(|| vec![0.0; problem.dim()], <[f64]>::to_vec)
}

fn verify(args: &CertifyArgs, data: String, options: &Options, audit: &Audit) -> Verify {
    Verify {
        program: concat!("widedict ", env!("CARGO_PKG_VERSION")),
        data,
        weights: args.weights.as_ref().map(|path| path.display().to_string()),
        dictionary: "dictionary.npy",
        codes: "codes.npz",
        center: "center.npy",
        tolerance: options.gap_tolerance,
        stationarity: options.stationarity_tolerance,
        upper_bound: audit.certified.certificate().upper().get(),
    }
}

fn summary(problem: &Problem, audit: &Audit, rescaled: Option<Rescaled>, folder: Option<&Folder>) -> String {
    let mut text = format!(
        "{} points of dimension {}, lambda {}, gamma {}{}\n{:.2} s to certify\n\n{}\n",
        problem.len(),
        problem.dim(),
        problem.lambda(),
        problem.gamma(),
        if problem.centered() { ", with a center" } else { "" },
        audit.certifying.as_secs_f64(),
        audit.certified.certificate(),
    );
    if let Some(participation) = audit.participation {
        text.push_str(&participation.line());
    }
    if let Some(Rescaled { atoms, shortest, longest }) = rescaled {
        let _ = writeln!(
            text,
            "rescaled {atoms} atoms of length {shortest:.6} to {longest:.6} to length 1, and their codes"
        );
    }
    if let Some(folder) = folder {
        let better =
            if audit.certified.improvement().is_some() { ", a lower point in improved/" } else { "" };
        let files = "dictionary.npy, codes.npz, center.npy, certificate.json";
        let _ = writeln!(text, "\nwrote {files}{better} in {}", folder.path().display());
    }
    text
}
