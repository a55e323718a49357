//! `widedict encode`.

use std::time::Duration;

use serde::Serialize;
use widedict::coder::{Coder, Encoded};
use widedict::io::{read_atoms, write_codes};
use widedict::{Codes, Dictionary, Matrix, Stop};

use crate::args::EncodeArgs;
use crate::failure::Failure;
use crate::progress::Watch;
use crate::report::{SCHEMA_VERSION, json};
use crate::{Outcome, input, output};

/// What `encode` prints.
#[derive(Clone, Debug, Serialize)]
struct Report {
    schema_version: u32,
    points: usize,
    dim: usize,
    atoms: usize,
    lambda: f64,
    mean_objective: f64,
    max_relative_gap: f64,
    mean_l0: f64,
    points_per_second: f64,
    stop: &'static str,
    seconds: f64,
}

/// A dictionary with the lengths its atoms had.
struct Foreign {
    dictionary: Dictionary,
    lengths: Vec<f64>,
}

/// Reads everything, encodes, writes, prints.
pub(crate) fn run(args: &EncodeArgs) -> Result<Outcome, Failure> {
    args.out.as_deref().map_or(Ok(()), output::check_file)?;
    let mut points = input::read(&args.source, args.run.quiet)?.points;
    let foreign = dictionary(args, points.nrows())?;
    if let Some(path) = &args.center_file {
        let center = input::center(path, points.nrows())?;
        input::subtract(&mut points, &center);
    }

    let watch = Watch::start(&args.run);
    let mut coder = Coder::default();
    if let Some(tolerance) = args.tolerance {
        coder.tolerance = tolerance;
    }
    let encode = || coder.encode(&points, &foreign.dictionary, args.lambda, &watch);
    let encoded = match args.run.threads {
        None => encode(),
        Some(threads) => rayon::ThreadPoolBuilder::new().num_threads(threads.get()).build()?.install(encode),
    };
    let elapsed = watch.elapsed();
    watch.finish();
    let encoded = encoded?;

    if let Some(path) = &args.out {
        let codes = in_foreign_units(&encoded.codes, &foreign.lengths)
            .map_err(|error| Failure::Atoms { path: args.dictionary.clone(), error })?;
        write_codes(path, &codes)?;
    }
    let report = Report::new(args, &points, &foreign, &encoded, elapsed);
    output::print(&if args.run.json { json(&report) } else { report.summary(args) })?;
    Ok(if encoded.stop == Stop::ToleranceMet { Outcome::Met } else { Outcome::Unmet })
}

fn dictionary(args: &EncodeArgs, dim: usize) -> Result<Foreign, Failure> {
    let path = &args.dictionary;
    let atoms = read_atoms(path)?;
    if atoms.nrows() != dim {
        let hint = if atoms.ncols() == dim { " (an atom a row: the file looks transposed)" } else { "" };
        let found = vec![atoms.ncols(), atoms.nrows()];
        return Err(Failure::Dimension { path: path.clone(), what: "atoms", expected: dim, found, hint });
    }
    let (dictionary, lengths) =
        Dictionary::normalize(atoms).map_err(|error| Failure::Atoms { path: path.clone(), error })?;
    Ok(Foreign { dictionary, lengths })
}

/// The codes over atoms of their own length: what is `z` of a unit atom is
/// `z / ‖d‖` of an atom `d`, and the product stays.
fn in_foreign_units(codes: &Codes, lengths: &[f64]) -> Result<Codes, widedict::atoms::AtomsError> {
    let mut scaled = codes.view().to_owned();
    for mut column in scaled.outer_iterator_mut() {
        for (atom, code) in column.iter_mut() {
            *code /= lengths[atom];
        }
    }
    Codes::new(scaled)
}

impl Report {
    fn new(
        args: &EncodeArgs,
        points: &Matrix,
        foreign: &Foreign,
        encoded: &Encoded,
        elapsed: Duration,
    ) -> Self {
        #[expect(clippy::cast_precision_loss, reason = "counts are far below 2^53")]
        let count = points.ncols() as f64;
        Self {
            schema_version: SCHEMA_VERSION,
            points: points.ncols(),
            dim: points.nrows(),
            atoms: foreign.dictionary.len(),
            lambda: args.lambda,
            mean_objective: encoded.objectives.iter().sum::<f64>() / count,
            max_relative_gap: encoded.max_relative_gap(),
            mean_l0: encoded.codes.mean_l0(),
            points_per_second: count / elapsed.as_secs_f64(),
            stop: encoded.stop.as_str(),
            seconds: elapsed.as_secs_f64(),
        }
    }

    fn summary(&self, args: &EncodeArgs) -> String {
        let mut text = format!(
            "{} points of dimension {} over {} atoms, lambda {}\n{} after {:.2} s ({:.0} points a second)\n\n\
             mean objective       {:.9}\ncertified gap        {:.2e} (largest of a point, relative)\n\
             mean L0              {:.2}\n",
            self.points,
            self.dim,
            self.atoms,
            self.lambda,
            self.stop,
            self.seconds,
            self.points_per_second,
            self.mean_objective,
            self.max_relative_gap,
            self.mean_l0,
        );
        if let Some(path) = &args.out {
            text.push_str(&format!("\nwrote {}\n", path.display()));
        }
        text
    }
}
