//! `widedict encode`.

use widedict::coder::{Coder, CoderError, CoderRun};
use widedict::io::{read_atoms, write_codes};
use widedict::{Codes, Dictionary, Stop};

use super::threads::on_threads;
use super::{Outcome, input};
use crate::arguments::EncodeArgs;
use crate::failure::Failure;
use crate::output;
use crate::output::encoding::{Measured, Report};
use crate::output::folder::check_file;
use crate::output::progress::Watch;

/// A dictionary with the lengths its atoms had.
struct Foreign {
    dictionary: Dictionary,
    lengths: Vec<f64>,
}

/// Reads everything, encodes, writes, prints.
pub(super) fn run(args: &EncodeArgs) -> Result<Outcome, Failure> {
    args.out.as_deref().map_or(Ok(()), |path| check_file(path, args.no_clobber))?;
    let input::Input { points, weights, origin } = input::read(&args.source, args.run.quiet)?;
    let foreign = dictionary(args, points.nrows())?;
    let center = args.center_file.as_deref().map(|path| input::center(path, points.nrows())).transpose()?;

    let watch = Watch::start(args.run.max_seconds, args.run.quiet);
    let mut coder = Coder::default();
    if let Some(tolerance) = args.tolerance {
        coder.gap_tolerance = tolerance;
    }
    let run = CoderRun { center: center.as_deref(), observer: &watch, ..CoderRun::default() };
    let encode = || {
        let encoded = coder.encode_with(&points, &foreign.dictionary, args.lambda, &run);
        encoded.map_err(|error| match (error, &args.center_file) {
            (CoderError::Data(error), _) => input::refused_rows(error.into(), &origin),
            (CoderError::Atoms(error), Some(path)) => Failure::Atoms { path: path.clone(), error },
            (error, _) => error.into(),
        })
    };
    let encoded = on_threads(&args.run, encode);
    let elapsed = watch.elapsed();
    watch.finish();
    let encoded = encoded?;

    if let Some(path) = &args.out {
        let codes = in_foreign_units(&encoded.codes, &foreign.lengths)
            .map_err(|error| Failure::Atoms { path: args.dictionary.clone(), error })?;
        write_codes(path, &origin.rows.spread(&codes))?;
    }
    let measured = Measured { points: &points, weights: weights.as_deref(), masked: origin.masked };
    let report = Report::new(&measured, foreign.dictionary.len(), args.lambda, &encoded, elapsed);
    output::answer(args.run.json, &report, || report.summary(args.out.as_deref()))?;
    Ok(Outcome::of(encoded.stop == Stop::ToleranceMet))
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
