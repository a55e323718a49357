//! Validated data with weights: what is finite, positive and of the right number is
//! checked here once, and nowhere else.

use crate::linalg::Matrix;

/// Largest magnitude accepted. Sums of squares overflow from 1e154 on; the room between
/// is for what multiplies them. Larger data must be rescaled, and λ and γ with them.
const MAX_MAGNITUDE: f64 = 1e140;

/// Why data or weights are refused.
#[derive(Debug, Clone, PartialEq, thiserror::Error)]
#[non_exhaustive]
pub enum DataError {
    /// No datapoint, or datapoints without coordinates.
    #[error(
        "data must have at least one datapoint and one dimension, found {datapoints} datapoints of dimension {dim}"
    )]
    Empty {
        /// Datapoints found.
        datapoints: usize,
        /// Dimension found.
        dim: usize,
    },
    /// A NaN or an infinity.
    #[error("datapoint {datapoint}, coordinate {coordinate}: expected a finite number, found {value}")]
    NotFinite {
        /// Index of the datapoint.
        datapoint: usize,
        /// Index of the coordinate.
        coordinate: usize,
        /// What was found.
        value: f64,
    },
    /// An entry whose square would overflow.
    #[error(
        "datapoint {datapoint}, coordinate {coordinate}: {value:e} is beyond 1e140, rescale the data (and lambda, gamma)"
    )]
    TooLarge {
        /// Index of the datapoint.
        datapoint: usize,
        /// Index of the coordinate.
        coordinate: usize,
        /// What was found.
        value: f64,
    },
    /// The number of weights is not the number of datapoints.
    #[error("expected {expected} weights, one a datapoint, found {found}")]
    WeightCount {
        /// Datapoints.
        expected: usize,
        /// Weights.
        found: usize,
    },
    /// A weight that is zero, negative, infinite or NaN, alone or after
    /// normalization to sum 1.
    #[error("weight {index} must be a positive finite number, found {value}")]
    Weight {
        /// Index of the weight.
        index: usize,
        /// What was found.
        value: f64,
    },
}

/// Data `X` (n × N, a datapoint a column) with positive weights of sum 1.
#[derive(Clone, Debug, PartialEq)]
pub struct Data {
    datapoints: Matrix,
    weights: Vec<f64>,
    sqrt_weights: Vec<f64>,
}

impl Data {
    /// Validates datapoints and weights; `None` is the uniform weight 1/N.
    pub(super) fn new(datapoints: Matrix, weights: Option<Vec<f64>>) -> Result<Self, DataError> {
        let (dim, len) = (datapoints.nrows(), datapoints.ncols());
        if dim == 0 || len == 0 {
            return Err(DataError::Empty { datapoints: len, dim });
        }
        check_entries(&datapoints)?;
        let weights = match weights {
            #[expect(clippy::cast_precision_loss, reason = "N is far below 2^53")]
            None => vec![1.0 / len as f64; len],
            Some(weights) => normalized(weights, len)?,
        };
        let sqrt_weights = weights.iter().map(|w| w.sqrt()).collect();
        Ok(Self { datapoints, weights, sqrt_weights })
    }

    /// The datapoints, n × N.
    #[must_use]
    pub fn datapoints(&self) -> &Matrix {
        &self.datapoints
    }

    /// Datapoint `i`.
    #[must_use]
    pub fn datapoint(&self, i: usize) -> &[f64] {
        self.datapoints.col(i)
    }

    /// The normalized weights.
    #[must_use]
    pub fn weights(&self) -> &[f64] {
        &self.weights
    }

    /// `a = √w`, the direction the whitened L1 term sums along.
    #[must_use]
    pub fn sqrt_weights(&self) -> &[f64] {
        &self.sqrt_weights
    }

    /// Number of datapoints N.
    #[must_use]
    #[expect(clippy::len_without_is_empty, reason = "data have at least one datapoint")]
    pub fn len(&self) -> usize {
        self.datapoints.ncols()
    }

    /// Dimension n.
    #[must_use]
    pub fn dim(&self) -> usize {
        self.datapoints.nrows()
    }

    /// The whitened data: column i is `√wᵢ xᵢ`.
    #[must_use]
    pub fn whitened(&self) -> Matrix {
        let mut out = self.datapoints.clone();
        for (i, &a) in self.sqrt_weights.iter().enumerate() {
            out.col_mut(i).iter_mut().for_each(|v| *v *= a);
        }
        out
    }

    /// The weighted mean, as `x₁ + Σ wᵢ(xᵢ − x₁) / Σ wᵢ`: equal datapoints have exactly
    /// themselves as their mean.
    #[must_use]
    pub fn mean(&self) -> Vec<f64> {
        let first = self.datapoints.col(0);
        let mut moved = vec![0.0; self.dim()];
        for (x, &w) in self.datapoints.columns().zip(&self.weights) {
            moved.iter_mut().zip(x).zip(first).for_each(|((m, x), f)| *m += w * (x - f));
        }
        let total: f64 = self.weights.iter().sum();
        first.iter().zip(&moved).map(|(f, m)| f + m / total).collect()
    }
}

/// Checks that every entry is finite and not too large to square.
pub(crate) fn check_entries(datapoints: &Matrix) -> Result<(), DataError> {
    let Some(at) = datapoints.as_slice().iter().position(|v| !(v.abs() <= MAX_MAGNITUDE)) else {
        return Ok(());
    };
    let dim = datapoints.nrows();
    let (datapoint, coordinate, value) = (at / dim, at % dim, datapoints.as_slice()[at]);
    Err(if value.is_finite() {
        DataError::TooLarge { datapoint, coordinate, value }
    } else {
        DataError::NotFinite { datapoint, coordinate, value }
    })
}

fn normalized(weights: Vec<f64>, len: usize) -> Result<Vec<f64>, DataError> {
    if weights.len() != len {
        return Err(DataError::WeightCount { expected: len, found: weights.len() });
    }
    if let Some((index, &value)) = weights.iter().enumerate().find(|(_, w)| !(w.is_finite() && **w > 0.0)) {
        return Err(DataError::Weight { index, value });
    }
    // Dividing by the largest first keeps the sum finite.
    let largest = weights.iter().copied().fold(0.0, crate::num::max);
    let scaled: Vec<f64> = weights.iter().map(|w| w / largest).collect();
    let total: f64 = scaled.iter().sum();
    let normalized: Vec<f64> = scaled.iter().map(|w| w / total).collect();
    match normalized.iter().position(|&w| !(w >= f64::MIN_POSITIVE)) {
        Some(index) => Err(DataError::Weight { index, value: weights[index] }),
        None => Ok(normalized),
    }
}
