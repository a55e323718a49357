//! Kernels on sparse codes held in sprs containers: rows of codes, and the
//! residual `X − D Z`, parallel over datapoints.
//!
//! sprs' own product of sparse and dense matrices is single-threaded, hence these two.

use std::ops::Range;

use rayon::prelude::*;
use sprs::CsMatView;

use super::{Matrix, axpy, chunk_columns, simd};

/// One atom's codes: the datapoints that use it, ascending, and how much.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Row {
    /// Datapoints with a nonzero code.
    pub indices: Vec<usize>,
    /// The codes.
    pub values: Vec<f64>,
}

impl Row {
    /// An empty row with room for `len` entries or a few more, in steps of an eighth at most, so that rows
    /// that every sweep makes anew take the places of earlier ones. Where each is a little longer than
    /// its place, a tenth of the memory of a million datapoints is lost between them.
    pub(crate) fn with_room(len: usize) -> Self {
        let room = len.next_multiple_of((len / 16).next_power_of_two());
        Self { indices: Vec::with_capacity(room), values: Vec::with_capacity(room) }
    }

    /// The nonzero entries of a dense vector.
    #[must_use]
    pub fn from_dense(dense: &[f64]) -> Self {
        let len = dense.iter().filter(|v| **v != 0.0).count();
        // Writes every entry where the next nonzero goes, zeros too, to be overwritten:
        // no branch to mispredict. One place more takes the zeros after the last.
        let Self { mut indices, mut values } = Self::with_room(len + 1);
        indices.resize(len + 1, 0);
        values.resize(len + 1, 0.0);
        let mut at = 0;
        for (i, &v) in dense.iter().enumerate() {
            (indices[at], values[at]) = (i, v);
            at += usize::from(v != 0.0);
        }
        indices.truncate(len);
        values.truncate(len);
        Self { indices, values }
    }

    /// Writes the row into `dense`, which must be all zero.
    pub(crate) fn scatter(&self, dense: &mut [f64]) {
        for (i, v) in self.iter() {
            dense[i] = v;
        }
    }

    /// `z + β(z − before)` where z is not 0, as far as it is positive.
    pub(crate) fn extrapolated(&self, before: &Self, beta: f64) -> Self {
        let mut moved = Self::with_room(self.len());
        let mut past = before.iter().peekable();
        for (i, z) in self.iter() {
            while past.next_if(|(j, _)| *j < i).is_some() {}
            let old = past.next_if(|(j, _)| *j == i).map_or(0.0, |(_, old)| old);
            let next = z + beta * (z - old);
            if next > 0.0 {
                moved.indices.push(i);
                moved.values.push(next);
            }
        }
        moved
    }

    /// Number of nonzero codes.
    #[must_use]
    pub fn len(&self) -> usize {
        self.indices.len()
    }

    /// Whether no datapoint uses the atom.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.indices.is_empty()
    }

    /// Where the pairs of a run of datapoints are.
    pub(crate) fn positions(&self, run: Range<usize>) -> Range<usize> {
        let from = self.indices.partition_point(|i| *i < run.start);
        from..from + self.indices[from..].partition_point(|i| *i < run.end)
    }

    /// The pairs of a run of datapoints.
    pub(crate) fn within(&self, run: Range<usize>) -> impl ExactSizeIterator<Item = (usize, f64)> + '_ {
        let positions = self.positions(run);
        self.indices[positions.clone()].iter().copied().zip(self.values[positions].iter().copied())
    }

    /// The pairs (datapoint, code).
    pub fn iter(&self) -> impl ExactSizeIterator<Item = (usize, f64)> + '_ {
        self.indices.iter().copied().zip(self.values.iter().copied())
    }
}

/// The rows of a matrix of codes held by columns (CSC, M × N). O(nnz + M).
#[must_use]
pub fn rows_of(codes: CsMatView<'_, f64>) -> Vec<Row> {
    let mut counts = vec![0; codes.rows()];
    codes.iter().filter(|(value, _)| **value != 0.0).for_each(|(_, (k, _))| counts[k] += 1);
    let room = |count: usize| Row { indices: Vec::with_capacity(count), values: Vec::with_capacity(count) };
    let mut rows: Vec<Row> = counts.into_iter().map(room).collect();
    for (i, column) in codes.outer_iterator().enumerate() {
        for (k, &value) in column.iter() {
            if value != 0.0 {
                rows[k].indices.push(i);
                rows[k].values.push(value);
            }
        }
    }
    rows
}

/// `out −= D Z` for codes held by columns (CSC). O(n · nnz), parallel over datapoints.
pub fn subtract_product(dictionary: &Matrix, codes: CsMatView<'_, f64>, out: &mut Matrix) {
    let rows = out.nrows();
    let chunk = chunk_columns(rows);
    out.as_mut_slice().par_chunks_mut(chunk * rows.max(1)).enumerate().for_each(|(c, block)| {
        simd(
            #[inline(always)]
            || {
                for (offset, column) in block.chunks_exact_mut(rows).enumerate() {
                    if let Some(code) = codes.outer_view(c * chunk + offset) {
                        for (k, &value) in code.iter() {
                            axpy(-value, dictionary.col(k), column);
                        }
                    }
                }
            },
        );
    });
}
