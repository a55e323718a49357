//! Data, weights and centers from files, with errors that name the file.

use std::path::Path;

use widedict::gauge::Penalty;
use widedict::io::{read_points, read_vector};
use widedict::problem::DataError;
use widedict::{Matrix, Problem, ProblemError, datasets};

use crate::arguments::{DataArgs, Dataset};
use crate::failure::Failure;
use crate::output;

/// A file with this many times more columns than rows is likely transposed.
const SUSPECT_RATIO: usize = 4;

/// Data and what they are called in messages.
pub(super) struct Input {
    pub(super) points: Matrix,
    pub(super) name: String,
}

/// Reads the data; notes a shape that looks transposed unless `quiet`.
pub(super) fn read(args: &DataArgs, quiet: bool) -> Result<Input, Failure> {
    let Some(path) = &args.data else {
        return Ok(match args.dataset {
            Some(Dataset::Digits) | None => Input { points: datasets::digits(), name: "digits".into() },
        });
    };
    let points = read_points(path)?;
    let (n, len) = (points.nrows(), points.ncols());
    if !quiet && n > len.saturating_mul(SUSPECT_RATIO) {
        output::say(&format!(
            "note: {}: a datapoint a row: read {len} points of dimension {n}; transpose the file if that is wrong",
            path.display()
        ));
    }
    Ok(Input { points, name: path.display().to_string() })
}

/// Joins data, weights and penalties; every error names the file it is about.
pub(super) fn problem(
    input: Input,
    penalty: Penalty,
    centered: bool,
    weights: Option<&Path>,
) -> Result<Problem, Failure> {
    let mut builder =
        Problem::builder(input.points).lambda(penalty.lambda()).gamma(penalty.gamma()).centered(centered);
    let mut weights_name = None;
    if let Some(path) = weights {
        builder = builder.weights(read_vector(path)?);
        weights_name = Some(path.display().to_string());
    }
    builder.build().map_err(|error| {
        let about_weights =
            matches!(&error, ProblemError::Data(DataError::WeightCount { .. } | DataError::Weight { .. }));
        refused(error, weights_name.filter(|_| about_weights).unwrap_or(input.name))
    })
}

/// The failure of data that make no problem, by the name of their source.
pub(super) fn refused(error: ProblemError, source_name: String) -> Failure {
    match error {
        ProblemError::Penalty(error) => error.into(),
        ProblemError::Data(error) => Failure::Data { source_name, error },
        _ => unreachable!("a problem's errors are those of its data and its penalty"),
    }
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

/// Takes the center off every datapoint.
pub(super) fn subtract(points: &mut Matrix, center: &[f64]) {
    for i in 0..points.ncols() {
        points.col_mut(i).iter_mut().zip(center).for_each(|(x, b)| *x -= b);
    }
}
