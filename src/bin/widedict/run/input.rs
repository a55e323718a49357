//! Data, weights and centers from files, with errors that name the file.

use std::num::NonZeroUsize;
use std::path::Path;

use widedict::answer::input::{Input, Origin};
use widedict::gauge::Penalty;
use widedict::io::{
    Activations, FileError, FileProblem, Kept, Masking, Reading, RowStream, Rows, Surveyed, read_codes,
    read_vector,
};
use widedict::problem::DataError;
use widedict::{Codes, Datapoints, Matrix, Problem, datasets};

use crate::arguments::{DataArgs, Dataset, SaeArgs};
use crate::failure::Failure;
use crate::output;
use crate::ranks;

/// Joins data, weights and penalties; every error names the file it is about, and the row
/// as it is in the file.
pub(super) fn problem(input: Input, penalty: Penalty, centered: bool) -> Result<(Problem, Origin), Failure> {
    Ok(widedict::answer::input::problem(input, penalty, centered)?)
}

/// All rows of the data, of which a sample was read.
pub(super) struct Streamed {
    pub(super) stream: RowStream,
    /// What a transcoder reconstructs them from.
    pub(super) inputs: Option<RowStream>,
    pub(super) kept: Surveyed,
    pub(super) name: String,
}

/// Reads the data; notes what was done to them unless `quiet`.
pub(super) fn read(args: &DataArgs, quiet: bool) -> Result<Input, Failure> {
    read_some(args, None, quiet)
}

/// Reads at most so many datapoints, evenly spaced.
pub(super) fn read_some(args: &DataArgs, most: Option<NonZeroUsize>, quiet: bool) -> Result<Input, Failure> {
    let read = match (&args.data, args.dataset) {
        (Some(path), _) => {
            let read = Activations::read(path, &Reading { key: args.key.as_deref(), most })?;
            note(path, read.notes(), (read.dim(), read.len()), quiet);
            read
        }
        (None, Some(Dataset::Digits) | None) => Activations::of(datasets::digits(), "digits"),
    };
    let mut name = name(args);
    if let Some(kept) = most.map(NonZeroUsize::get).filter(|most| *most < read.len()) {
        name.push_str(&format!(", {kept} of {} points, evenly spaced", read.len()));
    }
    let weights = args.weights.as_deref().map(|path| weights(path, read.len())).transpose()?;
    let Kept { points, rows, weights, masked } = read.mask(&masking(args, weights.as_deref()))?;
    let weights_name = args.weights.as_deref().map(|path| path.display().to_string());
    Ok(Input { points, weights, origin: Origin { name, weights_name, rows, masked, mean_norm: None } })
}

/// Reads a sample of the datapoints, and tells which rows all of them are: those that are none
/// in the file `beside` are none. Of a job's processes each reads its own rows, and all get the
/// sample.
pub(super) fn sample(
    args: &DataArgs,
    trained: &SaeArgs,
    (count, seed): (NonZeroUsize, u64),
    quiet: bool,
) -> Result<(Input, Streamed), Failure> {
    let path = args.data.as_deref().expect("the command line asks for files");
    let stream = ranks::agree(RowStream::open(path, args.key.as_deref()).map_err(Failure::from))?;
    note(path, stream.notes(), (stream.dim(), stream.len()), quiet);
    let weights = args.weights.as_deref().map(|path| weights(path, stream.len()));
    let weights = ranks::agree(weights.transpose())?;
    let mut kept = survey(&stream, &masking(args, weights.as_deref()))?;
    let beside = match trained.beside() {
        Some((path, key)) => {
            let other = open_beside(path, key, stream.len())?;
            let flags = flags(&kept.rows);
            let masking =
                Masking { weights: Some(&flags), skip_nonfinite: args.skip_nonfinite, ..Masking::default() };
            let both = survey(&other, &masking)?;
            if let (Some(left), Some(all)) = (&mut kept.weights, &weights) {
                *left = (0..both.rows.len()).map(|i| all[both.rows.row(i)]).collect();
            }
            kept.masked.nonfinite += both.masked.nonfinite;
            kept.masked.rows += both.masked.nonfinite;
            kept.rows = both.rows;
            Some(other)
        }
        None => None,
    };
    let rows = kept.rows.sample(count.get(), seed);
    let points = take(&stream, &rows)?;
    let weights = weights.map(|weights| (0..rows.len()).map(|i| weights[rows.row(i)]).collect());
    let name = name(args);
    let origin = Origin {
        name: format!("{name}, a sample of {} of {} points", rows.len(), kept.rows.len()),
        weights_name: args.weights.as_deref().map(|path| path.display().to_string()),
        rows,
        masked: kept.masked,
        mean_norm: Some(kept.mean_norm),
    };
    let (stream, inputs) = match beside {
        Some(target) if trained.target.is_some() => (target, Some(stream)),
        inputs => (stream, inputs),
    };
    Ok((Input { points, weights, origin }, Streamed { stream, inputs, kept, name }))
}

/// Which rows are datapoints: of a job's processes each looks at its own.
fn survey(stream: &RowStream, masking: &Masking<'_>) -> Result<Surveyed, Failure> {
    let Some(share) = ranks::share(stream.len()) else { return Ok(stream.survey(masking)?) };
    let looked = ranks::agree(stream.look(masking, &share).map_err(Failure::from))?;
    ranks::agree(stream.decide(looked, &share).map_err(Failure::from))
}

/// Reads these rows: of a job's processes each its own, which all get.
fn take(stream: &RowStream, rows: &Rows) -> Result<Datapoints, Failure> {
    let Some(share) = ranks::share(stream.len()) else { return Ok(stream.take(rows)?) };
    let mine = (0..rows.len()).map(|i| rows.row(i)).filter(|row| share.holds(*row)).collect();
    let mine = ranks::agree(stream.take(&Rows::kept(rows.of(), mine)).map_err(Failure::from))?;
    let all = share.gather_all(mine.into_matrix().as_slice());
    Ok(Matrix::from_column_major(stream.dim(), rows.len(), all).expect("rows of all processes").into())
}

/// 1 for a row that is a datapoint, 0 for another.
fn flags(rows: &Rows) -> Vec<f64> {
    let mut flags = vec![0.0; rows.of()];
    (0..rows.len()).for_each(|i| flags[rows.row(i)] = 1.0);
    flags
}

/// What masks a row.
fn masking<'a>(args: &DataArgs, weights: Option<&'a [f64]>) -> Masking<'a> {
    Masking { weights, skip_nonfinite: args.skip_nonfinite, max_norm_multiple: args.max_norm_multiple }
}

/// Says how data were read, and that they look transposed.
pub(super) fn note(path: &Path, notes: &[String], (n, len): (usize, usize), quiet: bool) {
    if quiet {
        return;
    }
    notes.iter().for_each(|text| output::say(&format!("note: {}: {text}", path.display())));
    if n > len {
        output::say(&format!(
            "note: {}: a datapoint a row: read {len} points of dimension {n}; transpose the file if that is wrong",
            path.display()
        ));
    }
}

/// Reads another file of numbers for the same datapoints: the rows that were kept. Rows that
/// are not finite there are masked in both where the data's are.
pub(super) fn beside(path: &Path, key: Option<&str>, data: &mut Input) -> Result<Matrix, Failure> {
    let rows = &data.origin.rows;
    let other = open_beside(path, key, rows.of())?;
    let found = take(&other, rows)?.into_matrix();
    let finite = |i: &usize| found.col(*i).iter().all(|v| v.is_finite());
    let kept: Vec<usize> = (0..rows.len()).filter(finite).collect();
    if kept.len() == rows.len() {
        return Ok(found);
    }
    let masked = &mut data.origin.masked;
    let dropped = rows.len() - kept.len();
    let problem = if masked.skip_nonfinite {
        masked.nonfinite += dropped;
        masked.rows += dropped;
        if !kept.is_empty() {
            data.origin.rows = Rows::kept(rows.of(), kept.iter().map(|i| rows.row(*i)).collect());
            data.points = std::mem::replace(&mut data.points, Matrix::zeros(0, 0).into()).kept(&kept);
            data.weights = data.weights.as_ref().map(|weights| kept.iter().map(|i| weights[*i]).collect());
            return Ok(found.select_columns(&kept));
        }
        FileProblem::NothingLeft { masked: Box::new(*masked) }
    } else {
        let first = (0..rows.len()).find(|i| !finite(i)).expect("one at least");
        let column = found.col(first).iter().position(|v| !v.is_finite()).expect("one at least");
        let (row, value) = (rows.row(first), found.get(column, first));
        FileProblem::RowsNotFinite { row, column, value, rows: dropped, of: rows.len() }
    };
    Err(FileError { path: path.to_path_buf(), array: key.map(str::to_owned), problem }.into())
}

/// Opens another file of as many rows as the data.
fn open_beside(path: &Path, key: Option<&str>, expected: usize) -> Result<RowStream, Failure> {
    let other = ranks::agree(RowStream::open(path, key).map_err(Failure::from))?;
    if other.len() == expected {
        return Ok(other);
    }
    Err(Failure::Beside { path: path.to_path_buf(), expected, found: other.len() })
}

pub(super) fn name(args: &DataArgs) -> String {
    let mut name = args.data.as_ref().map_or_else(|| "digits".to_owned(), |path| path.display().to_string());
    if let Some(key) = &args.key {
        name.push_str(&format!(", array '{key}'"));
    }
    name
}

/// Reads weights, one a row of the data: at least 0.
pub(super) fn weights(path: &Path, rows: usize) -> Result<Vec<f64>, Failure> {
    let weights = read_vector(path)?;
    let negative = weights.iter().copied().enumerate().find(|(_, weight)| !(*weight >= 0.0));
    let path = path.to_path_buf();
    match negative {
        _ if weights.len() != rows => {
            let error = DataError::WeightCount { expected: rows, found: weights.len() };
            Err(Failure::Data { source_name: path.display().to_string(), error })
        }
        Some((row, value)) => Err(Failure::Weight { path, row, value }),
        None if weights.iter().all(|weight| weight.abs() <= 0.0) => Err(Failure::Weightless { path }),
        None => Ok(weights),
    }
}

/// Reads codes, a row of the data a row; those of masked rows are left out, with a note.
pub(super) fn codes(path: &Path, rows: &Rows, atoms: usize, quiet: bool) -> Result<Codes, Failure> {
    let codes = read_codes(path, rows.of(), atoms)?;
    if let Some(row) = rows.stray(&codes).filter(|_| !quiet) {
        output::say(&format!(
            "note: {}: codes of masked rows are left out (the first is row {row}, counted from 0)",
            path.display()
        ));
    }
    Ok(rows.restrict(&codes))
}

/// Reads a center of dimension `dim`.
pub(super) fn center(path: &Path, dim: usize) -> Result<Vec<f64>, Failure> {
    let center = read_vector(path)?;
    if center.len() == dim {
        Ok(center)
    } else {
        let found = vec![center.len()];
        Err(Failure::Dimension { path: path.into(), what: "a center", expected: dim, found, hint: "" })
    }
}
