//! `widedict diagnose`: what the codes and the dictionary of an autoencoder show.

use std::path::Path;

use widedict::atoms::Rescaled;
use widedict::certificate::Concentration;
use widedict::diagnose::{CompareError, Diagnosis, Thresholds, Trained, compare, diagnose};
use widedict::gauge::Penalty;
use widedict::io::sae::{Atoms, Folded, Folding, ReadOptions};
use widedict::io::{Rows, Sae, read_atoms, write_json};
use widedict::problem::Lambda;
use widedict::{Codes, Dictionary, Factorization, Problem, Stop};

use super::input::{Input, Origin};
use super::threads::on_threads;
use super::{Outcome, input};
use crate::arguments::{AtomsAre, DiagnoseArgs};
use crate::failure::Failure;
use crate::output::diagnosis::{Report, Source, screen};
use crate::output::folder::Folder;
use crate::output::progress::Watch;
use crate::output::{self, say};

/// What is diagnosed.
struct Subject {
    dictionary: Dictionary,
    center: Option<Vec<f64>>,
    codes: Option<Codes>,
    source: Source,
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
    let diagnosis = on_threads(&args.run, || examine(&subject, &problem, other.as_ref(), args, &watch));
    subject.source.seconds = watch.elapsed().as_secs_f64();
    watch.finish();
    let mut diagnosis = diagnosis?;
    let concentration = concentration(&problem, &diagnosis);
    name_rows(&mut diagnosis, &origin.rows);

    let report = Report {
        diagnosis: &diagnosis,
        objective_share_of_top_percent: concentration.map(|c| c.share),
        masked: origin.masked,
        concentration,
        source: &subject.source,
    };
    let written = folder.as_ref().map_or(Ok(Vec::new()), |folder| write(folder, &report))?;
    output::answer(args.run.json, &report, || screen(&report, folder.as_ref().map(Folder::path), &written))?;
    let whole = diagnosis.unfinished.is_empty();
    Ok(Outcome::of(whole && diagnosis.codes.stop == Stop::ToleranceMet))
}

/// What is diagnosed, and the problem it is measured by.
fn read(args: &DiagnoseArgs) -> Result<(Subject, Problem, Origin), Failure> {
    let data = input::read_some(&args.source, args.points, args.run.quiet)?;
    let (mut subject, l1) = match (&args.sae, &args.dictionary) {
        (Some(path), _) => autoencoder(path, args, &data)?,
        (None, Some(path)) => (dictionary(path, args, &data)?, None),
        (None, None) => unreachable!("the command line asks for one of them"),
    };
    subject.source.data.clone_from(&data.origin.name);
    let lambda = match (args.lambda, l1) {
        (Some(lambda), _) => {
            subject.source.lambda_from = "--lambda";
            lambda
        }
        (None, Some(lambda)) => {
            subject.source.lambda_from = "the configuration: half its L1 coefficient";
            lambda.get()
        }
        (None, None) => return Err(Failure::NoLambda),
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
    other: Option<&Dictionary>,
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
    let trained = Trained { dictionary, center: center.as_deref(), codes: codes.as_ref() };
    let mut found = diagnose(problem, &trained, &thresholds, watch)?;
    if let Some(other) = other {
        match compare(dictionary, other, args.duplicate, args.max_pairs, watch) {
            Ok(comparison) => found.comparison = Some(comparison),
            Err(CompareError::Stopped(_)) => found.unfinished.push("comparison"),
            Err(error) => return Err(error.into()),
        }
    }
    Ok(found)
}

fn read_options(dim: usize, args: &DiagnoseArgs) -> ReadOptions {
    let atoms = args.atoms.map(|atoms| match atoms {
        AtomsAre::Rows => Atoms::Rows,
        AtomsAre::Columns => Atoms::Columns,
    });
    ReadOptions { dim: Some(dim), atoms }
}

fn fold(path: &Path, sae: &Sae) -> Result<Folded, Failure> {
    sae.fold().map_err(|error| Failure::Atoms { path: path.to_path_buf(), error })
}

/// An autoencoder with its encoder's codes, or those of a file.
fn autoencoder(path: &Path, args: &DiagnoseArgs, data: &Input) -> Result<(Subject, Option<Lambda>), Failure> {
    let points = &data.points;
    let sae = Sae::read(path, &read_options(points.nrows(), args))?;
    check_dimension(path, sae.dim(), sae.atoms(), points.nrows())?;
    let folded = fold(path, &sae)?;
    let codes = match &args.codes {
        Some(file) => {
            let lengths: Vec<f64> = sae.decoder().columns().map(widedict::linalg::norm).collect();
            Some(in_units(
                input::codes(file, &data.origin.rows, sae.atoms(), args.run.quiet)?,
                &lengths,
                path,
            )?)
        }
        None if sae.no_encoder().is_some() => None,
        None => Some(sae.encode(points, &folded)?),
    };
    let lambda = match sae.l1_coefficient() {
        Some(l1) => sae.layout().lambda(l1)?,
        None => None,
    };
    let no_encoder = sae.no_encoder().filter(|_| codes.is_none()).cloned();
    if let (Some(why), false) = (&no_encoder, args.run.quiet) {
        say(&format!("note: {}: the encoder is not used: {why}", path.display()));
    }
    let source = Source {
        dictionary: path.display().to_string(),
        layout: Some(sae.layout()),
        architecture: Some(sae.architecture().to_owned()),
        no_encoder,
        folding: Some(folded.folding.clone()),
        ..Source::default()
    };
    let Folded { dictionary, center, .. } = folded;
    Ok((Subject { dictionary, center, codes, source }, lambda))
}

/// A plain dictionary, with codes and a center where files have them.
fn dictionary(path: &Path, args: &DiagnoseArgs, data: &Input) -> Result<Subject, Failure> {
    let points = &data.points;
    let atoms = read_atoms(path)?;
    check_dimension(path, atoms.nrows(), atoms.ncols(), points.nrows())?;
    let center = args.center_file.as_deref().map(|file| input::center(file, points.nrows())).transpose()?;
    let named = |error| Failure::Atoms { path: path.to_path_buf(), error };
    let rows = &data.origin.rows;
    let codes = args
        .codes
        .as_deref()
        .map(|file| input::codes(file, rows, atoms.ncols(), args.run.quiet))
        .transpose()?;
    let none = Codes::zeros(atoms.ncols(), points.ncols());
    let (point, rescaled) =
        Factorization::from_foreign(atoms, codes.clone().unwrap_or(none), None).map_err(named)?;
    let folding = Folding {
        rescaled_atoms: rescaled.map_or(0, |r: Rescaled| r.atoms),
        shortest_atom: rescaled.map_or(1.0, |r| r.shortest),
        longest_atom: rescaled.map_or(1.0, |r| r.longest),
        decoder_bias: center.as_ref().map(|b| widedict::linalg::norm(b)),
        encoder_subtracts_bias: None,
    };
    let source =
        Source { dictionary: path.display().to_string(), folding: Some(folding), ..Source::default() };
    let (dictionary, folded, _) = point.into_parts();
    Ok(Subject { dictionary, center, codes: codes.map(|_| folded), source })
}

/// Codes of atoms of these lengths as codes of unit atoms.
fn in_units(codes: Codes, lengths: &[f64], path: &Path) -> Result<Codes, Failure> {
    let mut scaled = codes.view().to_owned();
    for mut column in scaled.outer_iterator_mut() {
        for (atom, code) in column.iter_mut() {
            *code *= lengths[atom];
        }
    }
    Codes::new(scaled).map_err(|error| Failure::Atoms { path: path.to_path_buf(), error })
}

/// The dictionary to compare with: a folder or safetensors file, or a `.npy`.
fn other(path: &Path, dim: usize, args: &DiagnoseArgs) -> Result<Dictionary, Failure> {
    if path.extension().is_some_and(|e| e == "npy") {
        let atoms = read_atoms(path)?;
        check_dimension(path, atoms.nrows(), atoms.ncols(), dim)?;
        let (dictionary, _) = Dictionary::normalize(atoms)
            .map_err(|error| Failure::Atoms { path: path.to_path_buf(), error })?;
        return Ok(dictionary);
    }
    let sae = Sae::read(path, &read_options(dim, args))?;
    check_dimension(path, sae.dim(), sae.atoms(), dim)?;
    Ok(fold(path, &sae)?.dictionary)
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
