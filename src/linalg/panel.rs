//! Products of a residual with the code rows of several atoms at once.
//!
//! A block step on 8 to 32 atoms would make as many passes over the residual as it has
//! atoms; here it makes one, near the speed of large products. Chunks of datapoints
//! run in parallel, and partial sums are combined in order. For a single sparse row
//! the kernels on [`Row`](super::Row) do less work.

use std::ops::{Range, RangeInclusive};

use faer::reborrow::ReborrowMut;
use faer::{Accum, MatMut, MatRef, Par};
use rayon::prelude::*;

use super::{Columns, Matrix, Residual};
use crate::reduce::Share;

/// Entries of the residual a parallel task works on: 128 kB. They and the rows beside
/// them stay in the second cache from one product to the next.
const CHUNK_ENTRIES: usize = 1 << 14;

/// Fewest columns of the residual a parallel task works on: products of fewer columns
/// are slow.
const CHUNK_COLUMNS: usize = 128;

/// Fewest entries of the rows a parallel task works on: fewer cost less than waking a
/// thread.
const ROW_ENTRIES: usize = 1 << 12;

/// Rows 4 KiB apart map to the same cache set: this many entries.
const PAGE: usize = 512;

/// Entries between two rows beyond a multiple of a page: one cache line.
const LINE: usize = 8;

/// Datapoints beyond which fewer rows are worked on together: 64 rows of them take 128 MB. At a
/// tenth, blocks of some seconds' problems would run slower for a few megabytes.
const MANY: usize = 1 << 18;

/// Rows that are worked on together at least, where the dimensions allow as many.
const FEWEST: usize = 8;

/// How many rows, each with another beside it, are worked on together: half as many as the data have
/// dimensions take no more memory than the data in doubles; of many datapoints an eighth, so that
/// they take half of what the data do in single precision. Neither the types of the data nor how
/// they are spread enter, so that the answer does not depend on them.
pub(crate) fn rows_together(dim: usize, range: RangeInclusive<usize>, len: usize) -> usize {
    let half = (dim / 2).clamp(*range.start(), *range.end());
    if len <= MANY { half } else { (dim / 8).clamp(FEWEST.min(half), half) }
}

/// Dense rows of length N, each contiguous.
#[derive(Clone, Debug, Default)]
pub(crate) struct Panel {
    len: usize,
    /// Entries from one row to the next, such that rows do not share a cache set.
    stride: usize,
    data: Vec<f64>,
}

impl Panel {
    /// Makes room for `rows` rows of length `len`; what they hold is not defined.
    pub(crate) fn reshape(&mut self, len: usize, rows: usize) {
        self.len = len;
        self.stride = if len < PAGE { len.max(1) } else { len.next_multiple_of(PAGE) + LINE };
        if self.data.len() < self.stride * rows {
            self.data.resize(self.stride * rows, 0.0);
        }
    }

    /// Row `j`.
    pub(crate) fn row(&self, j: usize) -> &[f64] {
        &self.data[j * self.stride..j * self.stride + self.len]
    }

    /// Row `j`, to write.
    pub(crate) fn row_mut(&mut self, j: usize) -> &mut [f64] {
        &mut self.data[j * self.stride..j * self.stride + self.len]
    }

    /// Row `j` to write, and those before it.
    pub(crate) fn split_row_mut(&mut self, j: usize) -> (Rows<'_>, &mut [f64]) {
        let (before, from) = self.data.split_at_mut(j * self.stride);
        (Rows { len: self.len, stride: self.stride, data: before }, &mut from[..self.len])
    }

    /// Pairs of rows `(j, b + j)` for `j < b`, to write, in parallel.
    pub(crate) fn pairs_mut(
        &mut self,
        b: usize,
    ) -> impl IndexedParallelIterator<Item = (&mut [f64], &mut [f64])> {
        let (len, stride) = (self.len, self.stride);
        let (first, rest) = self.data.split_at_mut(b * stride);
        first
            .par_chunks_mut(stride)
            .zip(rest[..b * stride].par_chunks_mut(stride))
            .map(move |(row, other)| (&mut row[..len], &mut other[..len]))
            .with_min_len(ROW_ENTRIES.div_ceil(len.max(1)))
    }

    /// Rows `from..to` as the columns of an N × (to − from) matrix.
    fn columns(&self, from: usize, to: usize) -> MatRef<'_, f64> {
        MatRef::from_column_major_slice_with_stride(
            &self.data[from * self.stride..to * self.stride],
            self.len,
            to - from,
            self.stride,
        )
    }
}

/// Rows of a panel, to read.
pub(crate) struct Rows<'p> {
    len: usize,
    stride: usize,
    data: &'p [f64],
}

impl Rows<'_> {
    /// Row `j`.
    pub(crate) fn row(&self, j: usize) -> &[f64] {
        &self.data[j * self.stride..j * self.stride + self.len]
    }
}

/// Columns of a matrix of `rows` rows that a parallel task works on.
fn panel_chunk(rows: usize) -> usize {
    (CHUNK_ENTRIES / rows.max(1)).max(CHUNK_COLUMNS)
}

fn product(out: MatMut<'_, f64>, accum: Accum, left: MatRef<'_, f64>, right: MatRef<'_, f64>, scale: f64) {
    faer::linalg::matmul::matmul(out, accum, left, right, scale, Par::Seq);
}

/// `R Z` (n × b) over all datapoints, for the rows `0..b` of the panel as Z (b × N). O(nbN).
pub(crate) fn times_rows(share: &Share, residual: &dyn Columns, panel: &Panel, b: usize) -> Matrix {
    let n = residual.nrows();
    let part = |run: Range<usize>| {
        let mut out = vec![0.0; n * b];
        let rows = panel.columns(0, b).subrows(run.start, run.len());
        let view = MatMut::from_column_major_slice_mut(&mut out, n, b);
        let (width, entries) = (run.len(), residual.run(run));
        let block = MatRef::from_column_major_slice(&entries, n, width);
        product(view, Accum::Replace, block, rows, 1.0);
        out
    };
    matrix(n, b, share.sum(n * b, panel_chunk(n), part))
}

/// `Z Zᵀ` (b × b) over all datapoints, for the rows `0..b` of the panel. O(b²N).
pub(crate) fn products_of_rows(share: &Share, panel: &Panel, b: usize) -> Matrix {
    let part = |run: Range<usize>| {
        let mut out = vec![0.0; b * b];
        let rows = panel.columns(0, b).subrows(run.start, run.len());
        let view = MatMut::from_column_major_slice_mut(&mut out, b, b);
        product(view, Accum::Replace, rows.transpose(), rows, 1.0);
        out
    };
    matrix(b, b, share.sum(b * b, panel_chunk(b), part))
}

fn matrix(rows: usize, cols: usize, entries: Vec<f64>) -> Matrix {
    Matrix::from_column_major(rows, cols, entries).expect("an entry a place")
}

/// Rows `b..2b` of the panel become `DᵀR`, plus `CᵀZ` for a b × b matrix C where one is
/// given, for D (n × b) and the rows `0..b` as Z. O(nbN).
pub(crate) fn correlate_rows(
    share: &Share,
    residual: &dyn Columns,
    dictionary: &Matrix,
    mix: Option<&Matrix>,
    panel: &mut Panel,
) {
    let (n, len, b) = (residual.nrows(), residual.ncols(), dictionary.ncols());
    let stride = panel.stride;
    let (before, out) = panel.data.split_at_mut(b * stride);
    let codes = MatRef::from_column_major_slice_with_stride(before, len, b, stride);
    let out = MatMut::from_column_major_slice_with_stride_mut(&mut out[..b * stride], len, b, stride);
    row_runs(share, out, panel_chunk(n)).into_par_iter().for_each(|(run, mut out)| {
        let entries = residual.run(run.clone());
        let block = MatRef::from_column_major_slice(&entries, n, run.len());
        product(out.rb_mut(), Accum::Replace, block.transpose(), dictionary.as_faer(), 1.0);
        if let Some(mix) = mix {
            product(out, Accum::Add, codes.subrows(run.start, run.len()), mix.as_faer(), 1.0);
        }
    });
}

/// The rows of a matrix with a datapoint a row, in runs that end where grains do: products of
/// other shapes may round otherwise.
fn row_runs<'m>(
    share: &Share,
    matrix: MatMut<'m, f64>,
    chunk: usize,
) -> Vec<(Range<usize>, MatMut<'m, f64>)> {
    let (mut runs, mut rest) = (Vec::new(), matrix);
    for run in share.chunks(chunk) {
        let (head, tail) = rest.split_at_row_mut(run.len());
        runs.push((run, head));
        rest = tail;
    }
    runs
}

/// The columns of a matrix with a datapoint a column, in runs that end where grains do.
pub(crate) fn column_runs<'m>(
    share: &Share,
    matrix: &'m mut Matrix,
    chunk: usize,
) -> Vec<(Range<usize>, &'m mut [f64])> {
    let rows = matrix.nrows();
    runs_of(share, matrix.as_mut_slice(), rows, chunk)
}

/// The same of columns that lie end to end.
pub(super) fn runs_of<'m, E>(
    share: &Share,
    entries: &'m mut [E],
    rows: usize,
    chunk: usize,
) -> Vec<(Range<usize>, &'m mut [E])> {
    let (mut runs, mut rest) = (Vec::new(), entries);
    for run in share.chunks(chunk) {
        let (head, tail) = rest.split_at_mut(run.len() * rows);
        runs.push((run, head));
        rest = tail;
    }
    runs
}

/// `R += scale · D Z` for D (n × k) and the rows `first..first + k` of the panel as Z.
/// O(nkN).
pub(crate) fn add_rows(
    share: &Share,
    residual: &mut Residual,
    scale: f64,
    dictionary: &Matrix,
    panel: &Panel,
    first: usize,
) {
    let (n, k) = (residual.nrows(), dictionary.ncols());
    residual.change(share, panel_chunk(n), |run, block| {
        let rows = panel.columns(first, first + k).subrows(run.start, run.len());
        let view = MatMut::from_column_major_slice_mut(block, n, run.len());
        product(view, Accum::Add, dictionary.as_faer(), rows.transpose(), scale);
    });
}
