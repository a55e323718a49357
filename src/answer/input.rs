//! Data that are joined to a problem, with errors that name their source and the row in it.

use crate::gauge::Penalty;
use crate::gauge::PenaltyError;
use crate::io::{Masked, Rows};
use crate::linalg::Datapoints;
use crate::problem::{DataError, Problem, ProblemError};
use crate::reduce::Share;

/// Datapoints, their weights as they were given, and where both come from.
pub struct Input {
    pub points: Datapoints,
    pub weights: Option<Vec<f64>>,
    pub origin: Origin,
}

/// Where datapoints come from, and what was left out.
#[derive(Clone, Debug)]
pub struct Origin {
    /// What the data are called in messages.
    pub name: String,
    pub weights_name: Option<String>,
    /// Which rows of the data are the datapoints.
    pub rows: Rows,
    pub masked: Masked,
    /// The mean norm of all datapoints, where these are a sample of them.
    pub mean_norm: Option<f64>,
}

/// Why there is no problem.
#[derive(Clone, Debug, PartialEq, thiserror::Error)]
pub enum Refusal {
    /// Data or weights, by the name of their source.
    #[error("{source_name}: {error}")]
    Data { source_name: String, error: DataError },
    /// Prices.
    #[error(transparent)]
    Penalty(#[from] PenaltyError),
}

/// Joins data, weights and penalties; every error names the file it is about, and the row
/// as it is in the file.
pub fn problem(input: Input, penalty: Penalty, centered: bool) -> Result<(Problem, Origin), Refusal> {
    spread(input, None, penalty, centered)
}

/// The same for one rank's part of the data, where there is a share.
pub fn spread(
    input: Input,
    share: Option<&Share>,
    penalty: Penalty,
    centered: bool,
) -> Result<(Problem, Origin), Refusal> {
    let Input { points, weights, origin } = input;
    let mut builder =
        Problem::builder(points).lambda(penalty.lambda()).gamma(penalty.gamma()).centered(centered);
    if let Some(share) = share {
        builder = builder.spread(share.clone());
    }
    if let Some(weights) = weights {
        builder = builder.weights(weights);
    }
    match builder.build() {
        Ok(problem) => Ok((problem, origin)),
        Err(error) => Err(refused_rows(error, &origin, share.map_or(0, Share::first))),
    }
}

/// The failure of data that are refused, with the row as it is in the file; `first` is the number
/// of the first datapoint that was looked at.
pub fn refused_rows(mut error: ProblemError, origin: &Origin, first: usize) -> Refusal {
    let mut name = &origin.name;
    if let ProblemError::Data(DataError::Weight { index, .. }) = &mut error {
        *index = origin.rows.row(first + *index);
        name = origin.weights_name.as_ref().unwrap_or(name);
    }
    if let ProblemError::Data(DataError::TooLarge { datapoint, .. }) = &mut error {
        *datapoint = origin.rows.row(first + *datapoint);
    }
    refused(error, name.clone())
}

/// The failure of data that make no problem, by the name of their source.
pub fn refused(error: ProblemError, source_name: String) -> Refusal {
    match error {
        ProblemError::Penalty(error) => error.into(),
        ProblemError::Data(error) => Refusal::Data { source_name, error },
    }
}

/// Takes the center off every datapoint; what is left are doubles.
#[must_use]
pub fn subtracted(points: Datapoints, center: &[f64]) -> Datapoints {
    let mut points = points.into_matrix();
    for i in 0..points.ncols() {
        points.col_mut(i).iter_mut().zip(center).for_each(|(x, b)| *x -= b);
    }
    points.into()
}
