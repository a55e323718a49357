//! Validated data with weights: what is finite, positive and of the right number is
//! checked here once, and nowhere else.

use std::borrow::Cow;
use std::ops::Range;
use std::sync::Arc;

use rayon::prelude::*;

use crate::linalg::{Columns, Datapoints, Matrix, Residual, axpy, chunk_columns};
use crate::reduce::Share;

/// Largest magnitude accepted. Sums of squares overflow from 1e154 on; the room between
/// is for what multiplies them. Larger data must be rescaled, and λ and γ with them.
const MAX_MAGNITUDE: f64 = 1e140;

/// Why data or weights are refused.
#[derive(Debug, Clone, PartialEq, thiserror::Error)]
#[non_exhaustive]
pub enum DataError {
    /// Another rank refused its datapoints or weights.
    #[error("another rank refused its datapoints or weights")]
    Elsewhere,
    /// Another number of datapoints than the share of this rank.
    #[error("expected {expected} datapoints on this rank, found {found}")]
    Share {
        /// Datapoints of its share.
        expected: usize,
        /// Datapoints found.
        found: usize,
    },
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

/// Data `X` (n × N, a datapoint a column) with positive weights of sum 1; or this rank's part of
/// them, where they are spread over ranks.
#[derive(Clone, Debug, PartialEq)]
pub struct Data {
    /// Shared by the problems of one data set.
    datapoints: Arc<Datapoints>,
    weights: Vec<f64>,
    sqrt_weights: Vec<f64>,
    /// `Σ wᵢ` over all datapoints, as computed: 1 up to rounding.
    total_weight: f64,
    share: Share,
}

impl Data {
    /// Validates datapoints and weights; `None` is the uniform weight 1/N. Of a share of all
    /// datapoints, those and the weights are this rank's.
    ///
    /// Where a rank refuses its own, all do.
    pub(super) fn new(
        datapoints: Datapoints,
        weights: Option<Vec<f64>>,
        share: Option<Share>,
    ) -> Result<Self, DataError> {
        let (dim, len) = (datapoints.nrows(), datapoints.ncols());
        let share = share.unwrap_or_else(|| Share::alone(len));
        if share.total() == 0 || (dim == 0 && share.is_whole()) {
            return Err(DataError::Empty { datapoints: len, dim });
        }
        together(&share, check(&datapoints, weights.as_deref(), &share))?;
        let weights = match weights {
            #[expect(clippy::cast_precision_loss, reason = "N is far below 2^53")]
            None => vec![1.0 / share.total() as f64; len],
            Some(weights) => together(&share, normalized(weights, &share))?,
        };
        let sqrt_weights = weights.iter().map(|w| w.sqrt()).collect();
        let [total_weight] = share.sums(|part| [weights[part].iter().sum()]);
        Ok(Self { datapoints: Arc::new(datapoints), weights, sqrt_weights, total_weight, share })
    }

    /// Which datapoints are here, and sums over those of all ranks.
    #[must_use]
    pub fn share(&self) -> &Share {
        &self.share
    }

    /// Number of datapoints of all ranks: N.
    #[must_use]
    pub fn total(&self) -> usize {
        self.share.total()
    }

    /// `Σ wᵢ` over all datapoints, as computed.
    pub(crate) fn total_weight(&self) -> f64 {
        self.total_weight
    }

    /// The datapoints of a run of positions with their weights.
    pub(crate) fn weighted(&self, part: Range<usize>) -> impl Iterator<Item = (Cow<'_, [f64]>, f64)> {
        part.map(|i| (self.datapoints.col(i), self.weights[i]))
    }

    /// The datapoints, n × N, in the numbers they came in.
    #[must_use]
    pub fn datapoints(&self) -> &Datapoints {
        &self.datapoints
    }

    /// Datapoint `i`, as doubles.
    #[must_use]
    pub fn datapoint(&self, i: usize) -> Cow<'_, [f64]> {
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

    /// Number of datapoints N; of those here, where they are spread over ranks.
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
        let mut out = self.datapoints.to_matrix();
        let (n, chunk) = (self.dim(), chunk_columns(self.dim()));
        out.as_mut_slice().par_chunks_mut(chunk * n).enumerate().for_each(|(c, block)| {
            self.whiten(c * chunk, block);
        });
        out
    }

    /// The same, less a center, written over a residual.
    pub(crate) fn whiten_into(&self, share: &Share, center: Option<&[f64]>, out: &mut Residual) {
        out.change(share, chunk_columns(self.dim()), |run, block| {
            block.copy_from_slice(&self.datapoints.run(run.clone()));
            if let Some(center) = center {
                block.chunks_exact_mut(self.dim()).for_each(|x| axpy(-1.0, center, x));
            }
            self.whiten(run.start, block);
        });
    }

    /// Scales the columns of datapoints from `first` on by their root weights.
    fn whiten(&self, first: usize, columns: &mut [f64]) {
        for (x, a) in columns.chunks_exact_mut(self.dim()).zip(&self.sqrt_weights[first..]) {
            x.iter_mut().for_each(|v| *v *= a);
        }
    }

    /// The weighted mean, as `x₁ + Σ wᵢ(xᵢ − x₁) / Σ wᵢ`: equal datapoints have exactly
    /// themselves as their mean.
    #[must_use]
    pub fn mean(&self) -> Vec<f64> {
        let first = self.first();
        let moved = self.share.sum(self.dim(), usize::MAX, |part| {
            let mut moved = vec![0.0; self.dim()];
            for (x, w) in self.weighted(part) {
                moved.iter_mut().zip(&*x).zip(&first).for_each(|((m, x), f)| *m += w * (x - f));
            }
            moved
        });
        first.iter().zip(&moved).map(|(f, m)| f + m / self.total_weight).collect()
    }

    /// The first of all datapoints, which rank 0 holds.
    fn first(&self) -> Vec<f64> {
        if self.share.is_whole() {
            return self.datapoint(0).into_owned();
        }
        let here = if self.share.is_root() { self.datapoint(0) } else { Cow::Borrowed(&[][..]) };
        let words = self.share.broadcast(here.iter().map(|v| v.to_bits()).collect());
        words.into_iter().map(f64::from_bits).collect()
    }
}

/// A rank's result, or a failure where another rank has one.
fn together<T>(share: &Share, result: Result<T, DataError>) -> Result<T, DataError> {
    if share.is_whole() {
        return result;
    }
    // Ranks without datapoints speak too, so that this is no sum over grains.
    let failed = share.gather(vec![u64::from(result.is_err())]).concat().contains(&1);
    if share.broadcast(vec![u64::from(failed)]) == [1] {
        return Err(result.err().unwrap_or(DataError::Elsewhere));
    }
    result
}

/// What a rank can check of its own.
fn check(datapoints: &Datapoints, weights: Option<&[f64]>, share: &Share) -> Result<(), DataError> {
    let (dim, len) = (datapoints.nrows(), datapoints.ncols());
    if dim == 0 {
        return Err(DataError::Empty { datapoints: len, dim });
    }
    if share.len() != len {
        return Err(DataError::Share { expected: share.len(), found: len });
    }
    check_entries(datapoints)?;
    let Some(weights) = weights else { return Ok(()) };
    if weights.len() != len {
        return Err(DataError::WeightCount { expected: len, found: weights.len() });
    }
    match weights.iter().enumerate().find(|(_, w)| !(w.is_finite() && **w > 0.0)) {
        Some((index, &value)) => Err(DataError::Weight { index, value }),
        None => Ok(()),
    }
}

/// Checks that every entry is finite and not too large to square.
pub(crate) fn check_entries(datapoints: &dyn Columns) -> Result<(), DataError> {
    let dim = datapoints.nrows();
    let chunk = chunk_columns(dim);
    for first in (0..datapoints.ncols()).step_by(chunk) {
        let entries = datapoints.run(first..(first + chunk).min(datapoints.ncols()));
        let Some(at) = entries.iter().position(|v| !(v.abs() <= MAX_MAGNITUDE)) else { continue };
        let (datapoint, coordinate, value) = (first + at / dim, at % dim, entries[at]);
        return Err(if value.is_finite() {
            DataError::TooLarge { datapoint, coordinate, value }
        } else {
            DataError::NotFinite { datapoint, coordinate, value }
        });
    }
    Ok(())
}

fn normalized(weights: Vec<f64>, share: &Share) -> Result<Vec<f64>, DataError> {
    // Dividing by the largest first keeps the sum finite.
    let [largest] = share.largest(|part| [weights[part].iter().copied().fold(0.0, crate::num::max)]);
    let scaled: Vec<f64> = weights.iter().map(|w| w / largest).collect();
    let [total] = share.sums(|part| [scaled[part].iter().sum()]);
    let normalized: Vec<f64> = scaled.iter().map(|w| w / total).collect();
    match normalized.iter().position(|&w| !(w >= f64::MIN_POSITIVE)) {
        Some(index) => Err(DataError::Weight { index, value: weights[index] }),
        None => Ok(normalized),
    }
}
