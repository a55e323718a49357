//! `widedict diagnose`: what the codes and the dictionary of an autoencoder show.

use std::path::{Path, PathBuf};

use widedict::answer::input::Input;
use widedict::answer::plain::Plain;
use widedict::atoms::AtomsError;
use widedict::diagnose::{
    self, CompareError, Diagnosis, MatchedL0, Similarity, Thresholds, compare, match_l0,
};
use widedict::gauge::Penalty;
use widedict::io::sae::NoLambda;
use widedict::io::{Rows, Sae, read_atoms, write_codes, write_json};
use widedict::{Codes, Dictionary, Problem, Stop};

use super::input::Streamed;
use super::sampled::{Job, PASS};
use super::threads::on_threads;
use super::trained::{self, Trained};
use super::{Outcome, input};
use crate::arguments::DiagnoseArgs;
use crate::failure::Failure;
use crate::output;
use crate::output::diagnosis::{Prefix, Report, Sample, Source, concentration, facts, name_rows, screen};
use crate::output::folder::Folder;
use crate::output::progress::Watch;
use crate::ranks;

/// What λ was taken from with `--match-l0`.
const MATCHED: &str =
    "--match-l0: of those tried, exact codes come closest to the mean L0 of the codes given";

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

impl Subject {
    fn trained(&self) -> diagnose::Trained<'_> {
        let Self { dictionary, center, codes, .. } = self;
        diagnose::Trained { dictionary, center: center.as_deref(), codes: codes.as_ref() }
    }

    /// Refuses an option that is about codes where there are none.
    fn needs_codes(&self, option: &'static str) -> Result<(), Failure> {
        if self.codes.is_some() {
            return Ok(());
        }
        let why = match &self.source.no_encoder {
            Some(why) => format!("give --codes, or an autoencoder with its encoder ({why})"),
            None => "give --codes".to_owned(),
        };
        Err(Failure::NoCodes { option, why })
    }
}

/// From codes of some atoms to codes of others.
type Convert = Box<dyn Fn(&Codes) -> Result<Codes, AtomsError>>;

/// Codes of the atoms as they are stored, as `encode` writes them.
struct Stored {
    /// The codes given, where they will be written.
    given: Option<Codes>,
    /// Brings codes of the unit atoms to the stored ones.
    convert: Convert,
}

/// Files of `--out` with codes.
const CODES: [&str; 2] = ["codes_given.npz", "codes_exact.npz"];

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
    if ranks::all().is_some() {
        ranks::refuse(args.sample.is_none(), "diagnose without --sample")?;
        ranks::refuse(args.resume, "--resume")?;
        ranks::refuse(args.checkpoint_seconds.is_some(), "diagnose --checkpoint-seconds")?;
        ranks::refuse(args.source.max_norm_multiple.is_some(), "--max-norm-multiple")?;
    }
    let folder = args.out.as_deref().filter(|_| ranks::is_root());
    let folder = folder.map(|path| Folder::prepare(path, args.no_clobber)).transpose();
    let folder = ranks::agree(folder)?;
    let (mut subject, data, lambda, stored) = ranks::agree(read(args))?;
    let other = args.compare.as_deref().map(|path| other(path, data.points.nrows(), args)).transpose();
    let other = ranks::agree(other)?;

    let watch = Watch::start(args.run.max_seconds, args.run.quiet);
    // The first process matches, for all.
    let matched = match lambda {
        None if ranks::is_root() => Some(on_threads(&args.run, || price(&subject, &data, &watch))),
        None | Some(_) => None,
    };
    let matched = ranks::agree(matched.transpose())?;
    let lambda = ranks::of_first(lambda.or(matched.map(|matched| matched.lambda)).unwrap_or_default());
    let centered = subject.center.is_some() && !args.fixed_center;
    let (problem, origin) = input::problem(data, Penalty::new(lambda, 0.0)?, centered)?;
    let job = subject.job.take();
    let of = job.as_ref().map(Job::points);
    let diagnosis = on_threads(&args.run, || {
        let all = ranks::agree(job.map(|job| job.run(lambda, args, &watch)).transpose())?;
        if !ranks::is_root() {
            return Ok(None);
        }
        let mut found = examine(&subject, &problem, other.as_ref(), args, &watch)?;
        found.codes.all = all;
        Ok(Some((found, prefixes(&subject, &problem, args, &watch)?)))
    });
    subject.source.seconds = watch.elapsed().as_secs_f64();
    watch.finish();
    // Of a job's processes the first diagnoses the sample, and ends it with its exit code.
    let Some((diagnosis, mut prefixes)) = diagnosis? else { return Ok(Outcome::of(true)) };
    let mut diagnosis = diagnosis.renumbered(&subject.numbers);
    let concentration = concentration(&problem, &diagnosis);
    name_rows(&mut diagnosis, &origin.rows);
    prefixes.iter_mut().for_each(|prefix| name_rows(&mut prefix.diagnosis, &origin.rows));

    let report = Report {
        diagnosis: &diagnosis,
        prefixes: &prefixes,
        objective_share_of_top_percent: concentration.map(|c| c.share),
        masked: origin.masked,
        match_l0: matched,
        concentration,
        source: &subject.source,
        sample: of.map(|of| Sample::new(&diagnosis, problem.data().weights(), of, args.seed)),
    };
    let mut written = folder.as_ref().map_or(Ok(Vec::new()), |folder| write(folder, &report))?;
    if let Some(folder) = &folder {
        let exact = named(&subject.source.dictionary, (stored.convert)(&diagnosis.exact_codes))?;
        written.extend(write_both(folder, &origin.rows, [stored.given.as_ref(), Some(&exact)])?);
    }
    output::answer(args.run.json, &report, || screen(&report, folder.as_ref().map(Folder::path), &written))?;
    let stopped = diagnosis.codes.all.as_ref().is_some_and(|all| all.stopped.is_some());
    let whole = diagnosis.unfinished.is_empty() && !stopped;
    if let Some(folder) = folder.as_ref().filter(|_| whole) {
        folder.remove_file(PASS)?;
    }
    Ok(Outcome::of(whole && diagnosis.codes.stop == Stop::ToleranceMet))
}

/// What is diagnosed, the data, λ unless it is to be matched, and the codes as they are stored.
type Read = (Subject, Input, Option<f64>, Stored);

/// Reads what the command line names.
fn read(args: &DiagnoseArgs) -> Result<Read, Failure> {
    let quiet = args.run.quiet || !ranks::is_root();
    let (data, all) = match args.sample {
        Some(count) => {
            let drawn = (count, args.seed);
            let (sample, all) = input::sample(&args.source, &args.trained, drawn, quiet)?;
            (sample, Some(all))
        }
        None => (input::read_some(&args.source, args.points, quiet)?, None),
    };
    let read = match (&args.trained.sae, &args.dictionary) {
        (Some(path), _) => autoencoder(path, args, data, all)?,
        (None, Some(path)) => dictionary(path, args, data)?,
        (None, None) => unreachable!("the command line asks for one of them"),
    };
    for (asked, option) in [(args.match_l0, "--match-l0"), (args.refit, "--refit")] {
        if asked {
            read.0.needs_codes(option)?;
        }
    }
    Ok(read)
}

/// The λ that matches the codes given.
fn price(subject: &Subject, data: &Input, watch: &Watch) -> Result<MatchedL0, Failure> {
    watch.phase("matching L0");
    Ok(match_l0(&data.points, &subject.trained(), Thresholds::default().gap_tolerance, watch)?)
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
    let mut found = diagnose::diagnose(problem, &subject.trained(), &thresholds, watch)?;
    if args.refit {
        let tolerance = thresholds.gap_tolerance;
        found.codes.refit = diagnose::refit(problem, &subject.trained(), &found.codes, tolerance, watch)?;
        if found.codes.refit.is_none() {
            found.unfinished.push("refit");
        }
    }
    if let Some(other) = other {
        let by = if args.compare_absolute { Similarity::AbsoluteCosine } else { Similarity::Cosine };
        match compare(&subject.dictionary, &other.dictionary, by, args.duplicate, args.max_pairs, watch) {
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
) -> Result<Read, Failure> {
    let mut read = trained::read(path, &args.trained, data, args.run.quiet || !ranks::is_root())?;
    read.source.without_price = read.lambda.is_err();
    let lambda = if args.match_l0 { None } else { Some(read.price(args.lambda)?) };
    if args.match_l0 {
        read.source.lambda_from = MATCHED;
    }
    let given = read.stored_codes(args.codes.as_deref())?;
    let codes = given.as_ref().map(|given| read.of_stored(path, given)).transpose()?;
    read.note();
    let Trained { sae, mut folded, source, weights, origin, batch, .. } = read;
    let job = all.map(|all| Job::new(path, all, sae, folded.clone(), batch)).transpose()?;
    let data = Input { points: folded.take_points().into(), weights, origin };
    let (center, numbers) = (folded.center.take(), folded.kept.clone());
    let dictionary = std::mem::replace(&mut folded.dictionary, Dictionary::empty(data.points.nrows()));
    let stored = Stored {
        given: given.filter(|_| args.out.is_some()),
        convert: Box::new(move |codes| folded.to_stored(codes)),
    };
    Ok((Subject { dictionary, center, codes, source, numbers, job }, data, lambda, stored))
}

/// A plain dictionary, with codes and a center where files have them.
fn dictionary(path: &Path, args: &DiagnoseArgs, data: Input) -> Result<Read, Failure> {
    let dim = data.points.nrows();
    let atoms = read_atoms(path)?;
    check_dimension(path, atoms.nrows(), atoms.ncols(), dim)?;
    let mut plain = trained::plain(path, atoms)?;
    let center = args.center_file.as_deref().map(|file| input::center(file, dim)).transpose()?;
    let rows = &data.origin.rows;
    let given = args.codes.as_deref().map(|file| input::codes(file, rows, plain.stored, args.run.quiet));
    let given = given.transpose()?;
    let name = path.display().to_string();
    let codes = given.as_ref().map(|given| named(&name, plain.to_unit(given))).transpose()?;
    let source = Source {
        data: data.origin.name.clone(),
        dictionary: name,
        codes: args.codes.as_ref().map(|file| file.display().to_string()),
        folding: Some(plain.folding(center.as_deref())),
        lambda_from: if args.match_l0 { MATCHED } else { "--lambda" },
        ..Source::default()
    };
    trained::note_dropped(&source.dictionary, &plain.dropped, args.run.quiet);
    if args.lambda.is_none() && !args.match_l0 {
        return Err(Failure::NoLambda(NoLambda::Absent));
    }
    let numbers = plain.kept.clone();
    let dictionary = std::mem::replace(&mut plain.dictionary, Dictionary::empty(dim));
    let stored = Stored {
        given: given.filter(|_| args.out.is_some()),
        convert: Box::new(move |codes| plain.to_stored(codes)),
    };
    Ok((Subject { dictionary, center, codes, source, numbers, job: None }, data, args.lambda, stored))
}

/// The dictionary to compare with: a folder or safetensors file, or a `.npy`.
fn other(path: &Path, dim: usize, args: &DiagnoseArgs) -> Result<Other, Failure> {
    if path.extension().is_some_and(|e| e == "npy") {
        let atoms = read_atoms(path)?;
        check_dimension(path, atoms.nrows(), atoms.ncols(), dim)?;
        return Ok(Other::of(trained::plain(path, atoms)?));
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

/// The failure of atoms by the name of their file.
fn named<T>(name: &str, result: Result<T, AtomsError>) -> Result<T, Failure> {
    result.map_err(|error| Failure::Atoms { path: PathBuf::from(name), error })
}

/// Writes the codes that there are, a row of the data a row, and removes earlier ones.
fn write_both(
    folder: &Folder,
    rows: &Rows,
    codes: [Option<&Codes>; 2],
) -> Result<Vec<&'static str>, Failure> {
    let mut names = Vec::new();
    for (name, codes) in CODES.into_iter().zip(codes) {
        match codes {
            Some(codes) => {
                write_codes(&folder.path().join(name), &rows.spread(codes))?;
                names.push(name);
            }
            None => folder.remove_file(name)?,
        }
    }
    Ok(names)
}

fn write(folder: &Folder, report: &Report<'_>) -> Result<Vec<&'static str>, Failure> {
    let mut names = report.diagnosis.write_tables(folder.path())?;
    // Not every diagnosis has these: one of an earlier run would be taken for this one's.
    for name in ["uses.csv", "matching.csv"].into_iter().filter(|name| !names.contains(name)) {
        folder.remove_file(name)?;
    }
    write_json(&folder.path().join("diagnosis.json"), report)?;
    let words = std::env::args_os().skip(1).map(|word| word.to_string_lossy().into_owned());
    let page = report.diagnosis.html(&facts(report.source, words));
    output::write_text(&folder.path().join("diagnosis.html"), &page)?;
    names.extend(["diagnosis.json", "diagnosis.html"]);
    Ok(names)
}
