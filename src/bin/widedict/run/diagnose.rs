//! `widedict diagnose`: what the codes and the dictionary of an autoencoder show.

use std::path::{Path, PathBuf};

use widedict::certificate::Concentration;
use widedict::diagnose::{self, CompareError, Diagnosis, Thresholds, compare};
use widedict::gauge::Penalty;
use widedict::io::sae::{Folded, NoLambda};
use widedict::io::{Rows, Sae, read_atoms, write_json};
use widedict::{Codes, Dictionary, Problem, Stop};

use super::input::{Input, Origin, Streamed};
use super::sampled::Job;
use super::threads::on_threads;
use super::trained::{self, Plain, Trained};
use super::{Outcome, input};
use crate::arguments::DiagnoseArgs;
use crate::failure::Failure;
use crate::output;
use crate::output::diagnosis::{Prefix, Report, Sample, Source, screen};
use crate::output::folder::Folder;
use crate::output::progress::Watch;

/// What is diagnosed.
struct Subject {
    dictionary: Dictionary,
    center: Option<Vec<f64>>,
    codes: Option<Codes>,
    source: Source,
    /// Numbers of the atoms in their file.
    numbers: Vec<usize>,
    /// What is to be measured on all rows, where the data are a sample.
    job: Option<Job>,
}

/// A dictionary to compare with.
struct Other {
    dictionary: Dictionary,
    /// Numbers of its atoms in their file.
    numbers: Vec<usize>,
}

impl Other {
    fn of(plain: Plain) -> Self {
        Self { dictionary: plain.dictionary, numbers: plain.kept }
    }
}

/// Reads everything, diagnoses, writes, prints.
pub(super) fn run(args: &DiagnoseArgs) -> Result<Outcome, Failure> {
    if let Some(lambda) = args.lambda {
        Penalty::new(lambda, 0.0)?;
    }
    let folder = args.out.as_deref().map(|path| Folder::prepare(path, args.no_clobber)).transpose()?;
    let (mut subject, problem, origin) = read(args)?;
    let other = args.compare.as_deref().map(|path| other(path, problem.dim(), args)).transpose()?;

    let watch = Watch::start(args.run.max_seconds, args.run.quiet);
    let job = subject.job.take();
    let of = job.as_ref().map(Job::points);
    let diagnosis = on_threads(&args.run, || {
        let all = job.map(|job| job.run(&watch)).transpose()?;
        let mut found = examine(&subject, &problem, other.as_ref(), args, &watch)?;
        found.codes.all = all;
        Ok((found, prefixes(&subject, &problem, args, &watch)?))
    });
    subject.source.seconds = watch.elapsed().as_secs_f64();
    watch.finish();
    let (diagnosis, mut prefixes) = diagnosis?;
    let mut diagnosis = diagnosis.renumbered(&subject.numbers);
    let concentration = concentration(&problem, &diagnosis);
    name_rows(&mut diagnosis, &origin.rows);
    prefixes.iter_mut().for_each(|prefix| name_rows(&mut prefix.diagnosis, &origin.rows));

    let report = Report {
        diagnosis: &diagnosis,
        prefixes: &prefixes,
        objective_share_of_top_percent: concentration.map(|c| c.share),
        masked: origin.masked,
        concentration,
        source: &subject.source,
        sample: of.map(|of| Sample::new(&diagnosis, problem.data().weights(), of, args.seed)),
    };
    let written = folder.as_ref().map_or(Ok(Vec::new()), |folder| write(folder, &report))?;
    output::answer(args.run.json, &report, || screen(&report, folder.as_ref().map(Folder::path), &written))?;
    let stopped = diagnosis.codes.all.as_ref().is_some_and(|all| all.stopped.is_some());
    let whole = diagnosis.unfinished.is_empty() && !stopped;
    Ok(Outcome::of(whole && diagnosis.codes.stop == Stop::ToleranceMet))
}

/// What is diagnosed, and the problem it is measured by.
fn read(args: &DiagnoseArgs) -> Result<(Subject, Problem, Origin), Failure> {
    let (data, all) = match args.sample {
        Some(count) => {
            let (sample, all) = input::sample(&args.source, count, args.seed, args.run.quiet)?;
            (sample, Some(all))
        }
        None => (input::read_some(&args.source, args.points, args.run.quiet)?, None),
    };
    let (subject, data, lambda) = match (&args.trained.sae, &args.dictionary) {
        (Some(path), _) => autoencoder(path, args, data, all)?,
        (None, Some(path)) => dictionary(path, args, data)?,
        (None, None) => unreachable!("the command line asks for one of them"),
    };
    let centered = subject.center.is_some() && !args.fixed_center;
    let (problem, origin) = input::problem(data, Penalty::new(lambda, 0.0)?, centered)?;
    Ok((subject, problem, origin))
}

/// What a few datapoints hold of the objective, at exact codes.
fn concentration(problem: &Problem, diagnosis: &Diagnosis) -> Option<Concentration> {
    let weights = problem.data().weights();
    Concentration::of(diagnosis.point_rows.iter().map(|row| weights[row.point] * row.objective).collect())
}

/// Names datapoints by their rows in the data.
fn name_rows(diagnosis: &mut Diagnosis, rows: &Rows) {
    let codes = &mut diagnosis.codes;
    let summaries = [Some(&mut codes.exact), codes.given.as_mut()].into_iter().flatten();
    summaries.for_each(|codes| codes.worst_point = rows.row(codes.worst_point));
    codes.dead.iter_mut().for_each(|dead| dead.point = rows.row(dead.point));
    diagnosis.point_rows.iter_mut().for_each(|row| row.point = rows.row(row.point));
}

fn examine(
    subject: &Subject,
    problem: &Problem,
    other: Option<&Other>,
    args: &DiagnoseArgs,
    watch: &Watch,
) -> Result<Diagnosis, Failure> {
    let thresholds = Thresholds {
        min_uses: args.min_uses,
        nested: args.nested,
        absorption: args.absorption,
        antipodal: args.antipodal,
        duplicate: args.duplicate,
        ..Thresholds::default()
    };
    watch.phase("diagnosing");
    let Subject { dictionary, center, codes, .. } = subject;
    let trained = diagnose::Trained { dictionary, center: center.as_deref(), codes: codes.as_ref() };
    let mut found = diagnose::diagnose(problem, &trained, &thresholds, watch)?;
    if let Some(other) = other {
        match compare(dictionary, &other.dictionary, args.duplicate, args.max_pairs, watch) {
            Ok(mut comparison) => {
                comparison.pairs.iter_mut().for_each(|pair| pair.right = other.numbers[pair.right]);
                found.comparison = Some(comparison);
            }
            Err(CompareError::Stopped(_)) => found.unfinished.push("comparison"),
            Err(error) => return Err(error.into()),
        }
    }
    Ok(found)
}

/// Diagnoses the first atoms of a nested (Matryoshka) autoencoder, a number of them at a
/// time. Codes are those of the whole without the other atoms, as it is trained.
fn prefixes(
    subject: &Subject,
    problem: &Problem,
    args: &DiagnoseArgs,
    watch: &Watch,
) -> Result<Vec<Prefix>, Failure> {
    let mut found = Vec::new();
    for prefix in args.prefixes.iter().map(|prefix| prefix.get()) {
        // Numbers rise: atoms of length 0 count, as they do in the file.
        let count = subject.numbers.partition_point(|number| *number < prefix);
        if count == 0 {
            watch.note(&format!("--prefixes {prefix}: no atom of a length other than 0 is among them"));
            continue;
        }
        let kept: Vec<usize> = (0..count).collect();
        let named = |error| Failure::Atoms { path: PathBuf::from(&subject.source.dictionary), error };
        let atoms = subject.dictionary.matrix().select_columns(&kept);
        let codes = match &subject.codes {
            Some(codes) => {
                let view = codes.view();
                let first = view.iter().filter(|(_, (atom, _))| *atom < count);
                let triplets: Vec<_> = first.map(|(value, (atom, i))| (atom, i, *value)).collect();
                Some(Codes::from_triplets(count, codes.datapoints(), triplets).map_err(named)?)
            }
            None => None,
        };
        let part = Subject {
            dictionary: Dictionary::normalize(atoms).map_err(named)?.0,
            center: subject.center.clone(),
            codes,
            source: Source::default(),
            numbers: kept,
            job: None,
        };
        let diagnosis = examine(&part, problem, None, args, watch)?.renumbered(&subject.numbers);
        found.push(Prefix { prefix, diagnosis });
    }
    Ok(found)
}

/// An autoencoder with its encoder's codes, or those of a file.
fn autoencoder(
    path: &Path,
    args: &DiagnoseArgs,
    data: Input,
    all: Option<Streamed>,
) -> Result<(Subject, Input, f64), Failure> {
    let mut read = trained::read(path, &args.trained, data, args.run.quiet)?;
    let lambda = read.price(args.lambda)?;
    let codes = read.codes(path, args.codes.as_deref())?;
    read.note();
    let job = all.map(|all| Job::new(path, all, &read, lambda)).transpose()?;
    let Trained { folded, source, weights, origin, .. } = read;
    let Folded { points, dictionary, center, kept, .. } = folded;
    let data = Input { points, weights, origin };
    Ok((Subject { dictionary, center, codes, source, numbers: kept, job }, data, lambda))
}

/// A plain dictionary, with codes and a center where files have them.
fn dictionary(path: &Path, args: &DiagnoseArgs, data: Input) -> Result<(Subject, Input, f64), Failure> {
    let dim = data.points.nrows();
    let atoms = read_atoms(path)?;
    check_dimension(path, atoms.nrows(), atoms.ncols(), dim)?;
    let plain = Plain::of(path, atoms)?;
    let center = args.center_file.as_deref().map(|file| input::center(file, dim)).transpose()?;
    let named = |error| Failure::Atoms { path: path.to_path_buf(), error };
    let codes = match &args.codes {
        Some(file) => {
            let codes = input::codes(file, &data.origin.rows, plain.stored, args.run.quiet)?;
            Some(plain.to_unit(&codes).map_err(named)?)
        }
        None => None,
    };
    let source = Source {
        data: data.origin.name.clone(),
        dictionary: path.display().to_string(),
        folding: Some(plain.folding(center.as_deref())),
        lambda_from: "--lambda",
        ..Source::default()
    };
    trained::note_dropped(&source.dictionary, &plain.dropped, args.run.quiet);
    let lambda = args.lambda.ok_or(Failure::NoLambda(NoLambda::Absent))?;
    let Plain { dictionary, kept, .. } = plain;
    Ok((Subject { dictionary, center, codes, source, numbers: kept, job: None }, data, lambda))
}

/// The dictionary to compare with: a folder or safetensors file, or a `.npy`.
fn other(path: &Path, dim: usize, args: &DiagnoseArgs) -> Result<Other, Failure> {
    if path.extension().is_some_and(|e| e == "npy") {
        let atoms = read_atoms(path)?;
        check_dimension(path, atoms.nrows(), atoms.ncols(), dim)?;
        return Ok(Other::of(Plain::of(path, atoms)?));
    }
    let sae = Sae::read(path, &trained::read_options(Some(dim), args.trained.atoms))?;
    check_dimension(path, sae.dim(), sae.atoms(), dim)?;
    let named = |error| Failure::Atoms { path: path.to_path_buf(), error };
    let (dictionary, numbers) = sae.directions().map_err(named)?;
    Ok(Other { dictionary, numbers })
}

fn check_dimension(path: &Path, found: usize, atoms: usize, expected: usize) -> Result<(), Failure> {
    if found == expected {
        return Ok(());
    }
    let hint = if atoms == expected { " (an atom a row: the file looks transposed)" } else { "" };
    let found = vec![atoms, found];
    Err(Failure::Dimension { path: path.to_path_buf(), what: "atoms", expected, found, hint })
}

fn write(folder: &Folder, report: &Report<'_>) -> Result<Vec<&'static str>, Failure> {
    let mut names = report.diagnosis.write_tables(folder.path())?;
    write_json(&folder.path().join("diagnosis.json"), report)?;
    let page = report.diagnosis.html();
    output::write_text(&folder.path().join("diagnosis.html"), &page)?;
    names.extend(["diagnosis.json", "diagnosis.html"]);
    Ok(names)
}
