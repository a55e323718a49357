//! `widedict encode`.

use std::path::Path;

use widedict::answer::input::{Input, Origin, refused_rows};
use widedict::answer::plain::Plain;
use widedict::atoms::AtomsError;
use widedict::coder::{Coder, CoderError, CoderRun};
use widedict::io::sae::NoLambda;
use widedict::io::{read_atoms, write_codes};
use widedict::reduce::Share;
use widedict::{Codes, Columns, Dictionary, Stop};

use super::threads::on_threads;
use super::trained::{self, Trained};
use super::{Outcome, input, spread};
use crate::arguments::EncodeArgs;
use crate::failure::Failure;
use crate::output;
use crate::output::diagnosis::Source;
use crate::output::encoding::{Measured, Report, Total, Unsearched};
use crate::output::folder::check_file;
use crate::output::progress::Watch;
use crate::ranks;

/// What is coded over what.
struct Job<'a> {
    points: &'a dyn Columns,
    weights: Option<&'a [f64]>,
    origin: &'a Origin,
    /// Of which datapoints these are one process's, where they are spread.
    share: Option<&'a Share>,
    dictionary: &'a Dictionary,
    center: Option<&'a [f64]>,
    lambda: f64,
    /// What is known of an autoencoder.
    source: Option<&'a Source>,
    /// The file that is named in errors about atoms.
    path: &'a Path,
}

/// Reads everything, encodes, writes, prints.
pub(super) fn run(args: &EncodeArgs) -> Result<Outcome, Failure> {
    ranks::refuse(ranks::all().is_some() && args.trained.sae.is_some(), "encode --sae")?;
    let out = args.out.as_deref().filter(|_| ranks::is_root());
    let writable = out.map_or(Ok(()), |path| check_file(path, args.no_clobber));
    ranks::agree(writable.and_then(|()| keep_inputs(args)))?;
    if let (Some((data, share)), Some(path)) = (spread::read(&args.source, args.run.quiet)?, &args.dictionary)
    {
        return over_dictionary(path, args, &data, Some(&share));
    }
    let data = input::read(&args.source, args.run.quiet)?;
    match (&args.trained.sae, &args.dictionary) {
        (Some(path), _) => {
            let read = trained::read(path, &args.trained, data, args.run.quiet)?;
            read.note();
            match (args.exact, args.tolerance) {
                (true, _) => over_autoencoder(path, args, read),
                (false, Some(_)) => Err(Failure::Searches { option: "--tolerance" }),
                (false, None) => by_encoder(args, read),
            }
        }
        (None, Some(path)) => over_dictionary(path, args, &data, None),
        (None, None) => unreachable!("the command line asks for one of them"),
    }
}

/// Refuses to write over what is read.
fn keep_inputs(args: &EncodeArgs) -> Result<(), Failure> {
    let place = |path: &Path| path.canonicalize().ok();
    let read = [&args.source.data, &args.source.weights, &args.dictionary, &args.center_file];
    let trained = [&args.trained.inputs, &args.trained.target, &args.trained.sae];
    let all = read.into_iter().chain(trained).flatten();
    match args.out.as_deref().and_then(|out| Some((out, place(out)?))) {
        Some((out, found)) if all.filter_map(|path| place(path)).any(|path| path == found) => {
            Err(Failure::Replaced { path: out.to_path_buf() })
        }
        _ => Ok(()),
    }
}

/// The best codes over a dictionary of a file.
fn over_dictionary(
    path: &Path,
    args: &EncodeArgs,
    data: &Input,
    share: Option<&Share>,
) -> Result<Outcome, Failure> {
    let plain = ranks::agree(dictionary(path, data.points.nrows()))?;
    trained::note_dropped(&path.display().to_string(), &plain.dropped, args.run.quiet || !ranks::is_root());
    let center = args.center_file.as_deref().map(|path| input::center(path, data.points.nrows()));
    let center = ranks::agree(center.transpose())?;
    let job = Job {
        points: &data.points,
        weights: data.weights.as_deref(),
        origin: &data.origin,
        share,
        dictionary: &plain.dictionary,
        center: center.as_deref(),
        lambda: args.lambda.ok_or(Failure::NoLambda(NoLambda::Absent))?,
        source: None,
        path: args.center_file.as_deref().unwrap_or(path),
    };
    job.solve(args, &plain.dropped, |codes| plain.to_stored(codes))
}

/// The best codes over the dictionary of an autoencoder.
fn over_autoencoder(path: &Path, args: &EncodeArgs, mut read: Trained) -> Result<Outcome, Failure> {
    let lambda = read.price(args.lambda)?;
    let job = Job {
        points: &read.folded.points,
        weights: read.weights.as_deref(),
        origin: &read.origin,
        share: None,
        dictionary: &read.folded.dictionary,
        center: read.folded.center.as_deref(),
        lambda,
        source: Some(&read.source),
        path,
    };
    job.solve(args, &read.folded.folding.dropped_atoms, |codes| read.folded.to_stored(codes))
}

/// The codes of an autoencoder's own encoder.
fn by_encoder(args: &EncodeArgs, mut read: Trained) -> Result<Outcome, Failure> {
    // Codes need no price; their objective does.
    let lambda =
        if args.lambda.is_some() || read.lambda.is_ok() { Some(read.price(args.lambda)?) } else { None };
    let watch = Watch::start(args.run.max_seconds, args.run.quiet);
    let stored = on_threads(&args.run, || read.activations());
    read.source.seconds = watch.elapsed().as_secs_f64();
    watch.finish();
    let stored = stored?;
    if let Some(path) = &args.out {
        write_codes(path, &read.origin.rows.spread(&stored))?;
    }
    let unit = read.folded.of_stored(&stored).map_err(|error| read.not_encoded(error.into()))?;
    let report = Unsearched::new(
        &read.folded,
        (read.weights.as_deref(), read.origin.masked),
        (&stored, &unit),
        lambda,
        &read.source,
    );
    output::answer(args.run.json, &report, || report.summary(args.out.as_deref()))?;
    Ok(Outcome::of(true))
}

impl Job<'_> {
    /// Codes, writes and prints.
    fn solve(
        &self,
        args: &EncodeArgs,
        dropped: &[usize],
        stored: impl Fn(&Codes) -> Result<Codes, AtomsError>,
    ) -> Result<Outcome, Failure> {
        let watch = Watch::start(args.run.max_seconds, args.run.quiet);
        let mut coder = Coder::default();
        if let Some(tolerance) = args.tolerance {
            coder.gap_tolerance = tolerance;
        }
        let of = self.share.map(Share::total);
        let run = CoderRun { center: self.center, observer: &watch, of, ..CoderRun::default() };
        let encode = || {
            let encoded = coder.encode_with(self.points, self.dictionary, self.lambda, &run);
            encoded.map_err(|error| match (error, self.center) {
                (CoderError::Data(error), _) => {
                    refused_rows(error.into(), self.origin, self.share.map_or(0, Share::first)).into()
                }
                (CoderError::Atoms(error), Some(_)) => {
                    Failure::Atoms { path: self.path.to_path_buf(), error }
                }
                (error, _) => error.into(),
            })
        };
        let encoded = on_threads(&args.run, encode);
        let elapsed = watch.elapsed();
        watch.finish();
        let encoded = ranks::agree(encoded)?;
        let atoms = |error| Failure::Atoms { path: self.path.to_path_buf(), error };
        if let Some(path) = &args.out {
            let codes = ranks::agree(stored(&encoded.codes).map_err(atoms))?;
            let all = spread::gathered(&codes, self.share);
            let written = all.map_or(Ok(()), |codes| write_codes(path, &self.origin.rows.spread(&codes)));
            ranks::agree(written.map_err(Failure::from))?;
        }
        let measured = Measured {
            points: self.points,
            weights: self.weights,
            masked: self.origin.masked,
            share: self.share,
        };
        let stop = Total::of(self.share, self.points.ncols(), &encoded).stop;
        let report = Report::new(&measured, self.dictionary.len(), self.lambda, &encoded, elapsed)
            .with_dropped(dropped)
            .with_source(self.source);
        output::answer(args.run.json, &report, || report.summary(args.out.as_deref()))?;
        Ok(Outcome::of(stop == Stop::ToleranceMet))
    }
}

fn dictionary(path: &Path, dim: usize) -> Result<Plain, Failure> {
    let atoms = read_atoms(path)?;
    if atoms.nrows() != dim {
        let hint = if atoms.ncols() == dim { " (an atom a row: the file looks transposed)" } else { "" };
        let found = vec![atoms.ncols(), atoms.nrows()];
        let path = path.to_path_buf();
        return Err(Failure::Dimension { path, what: "atoms", expected: dim, found, hint });
    }
    trained::plain(path, atoms)
}
