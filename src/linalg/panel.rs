//! Products of a residual with the code rows of several atoms at once.
//!
//! A block step on 8 to 32 atoms would make as many passes over the residual as it has
//! atoms; here it makes one, near the speed of large products, or for the few codes in use
//! where these are few. Chunks of datapoints run in parallel, and partial sums are combined
//! in order.

use std::ops::{Range, RangeInclusive};

use faer::reborrow::ReborrowMut;
use faer::{Accum, MatMut, MatRef, Par};
use rayon::prelude::*;

use super::{Columns, Matrix, Residual, Row, axpy, simd};
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

/// How many rows are worked on together: half as many as the data have dimensions take half the memory of
/// the data in doubles; of many datapoints an eighth, a quarter of what the data take in single
/// precision. Neither the types of the data nor how they are spread enter, so that the answer does not
/// depend on them.
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

    /// Row `j` to write, and those before it.
    pub(crate) fn split_row_mut(&mut self, j: usize) -> (Rows<'_>, &mut [f64]) {
        let (before, from) = self.data.split_at_mut(j * self.stride);
        (Rows { len: self.len, stride: self.stride, data: before }, &mut from[..self.len])
    }

    /// The first b rows, to write, in parallel.
    pub(crate) fn rows_mut(&mut self, b: usize) -> impl IndexedParallelIterator<Item = &mut [f64]> {
        let (len, stride) = (self.len, self.stride);
        self.data[..b * stride]
            .par_chunks_mut(stride)
            .map(move |row| &mut row[..len])
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

/// `R Z` (n × b) over all datapoints, for the rows `0..b` of the panel as Z (b × N). O(nbN), and
/// O(bN + n·nnz) where few entries are not 0.
pub(crate) fn times_panel(share: &Share, residual: &dyn Columns, panel: &Panel, b: usize) -> Matrix {
    let n = residual.nrows();
    let part = |run: Range<usize>| {
        let mut out = vec![0.0; n * b];
        let entries = residual.run(run.clone());
        let rows = (0..b).map(|k| &panel.row(k)[run.clone()]);
        let used = rows.clone().map(|row| row.iter().filter(|z| **z != 0.0).count()).sum();
        if is_sparse(used, b * run.len()) {
            for (row, image) in rows.zip(out.chunks_exact_mut(n)) {
                let used = row.iter().zip(entries.chunks_exact(n)).filter(|(z, _)| **z != 0.0);
                simd(
                    #[inline(always)]
                    || used.for_each(|(&z, r)| axpy(z, r, image)),
                );
            }
        } else {
            let rows = panel.columns(0, b).subrows(run.start, run.len());
            let block = MatRef::from_column_major_slice(&entries, n, run.len());
            let view = MatMut::from_column_major_slice_mut(&mut out, n, b);
            product(view, Accum::Replace, block, rows, 1.0);
        }
        out
    };
    matrix(n, b, share.sum(n * b, panel_chunk(n), part))
}

/// Share of entries in use below which sparse products are faster than dense ones: these make
/// some ten times the operations in the same time.
pub(crate) const SPARSE: f64 = 0.1;

#[expect(clippy::cast_precision_loss, reason = "counts are far below 2^53")]
pub(crate) fn is_sparse(used: usize, of: usize) -> bool {
    (used as f64) < SPARSE * of as f64
}

/// The code rows of a block of atoms, cut where the runs of parallel tasks end. Every run decides for
/// itself whether products with it are dense or sparse, the same on any number of ranks.
pub(crate) struct CodeRows<'r> {
    rows: Vec<&'r Row>,
    runs: Vec<Cut>,
}

/// Where a run of datapoints lies in each row.
struct Cut {
    run: Range<usize>,
    within: Vec<Range<usize>>,
}

impl<'r> CodeRows<'r> {
    /// Rows that are multiplied with columns of n numbers. Two searches in a row for each run.
    pub(crate) fn new(share: &Share, n: usize, rows: impl IntoIterator<Item = &'r Row>) -> Self {
        let rows: Vec<&Row> = rows.into_iter().collect();
        let cut = |run: Range<usize>| Cut {
            within: rows.iter().map(|row| row.positions(run.clone())).collect(),
            run,
        };
        let runs = share.chunks(panel_chunk(n)).into_par_iter().map(cut).collect();
        Self { rows, runs }
    }

    /// Number of rows b.
    fn len(&self) -> usize {
        self.rows.len()
    }

    fn cut(&self, run: &Range<usize>) -> &Cut {
        &self.runs[self.runs.partition_point(|cut| cut.run.start < run.start)]
    }

    /// The pairs of a row in a run: a place in the run, and the code.
    #[inline(always)]
    fn pairs(&self, cut: &Cut, k: usize) -> impl Iterator<Item = (usize, f64)> {
        let (row, within) = (self.rows[k], cut.within[k].clone());
        let from = cut.run.start;
        row.indices[within.clone()].iter().map(move |i| i - from).zip(row.values[within].iter().copied())
    }

    /// The rows in a run as the columns of a matrix; `None` where few codes are in use.
    fn dense(&self, cut: &Cut) -> Option<Vec<f64>> {
        let (used, len) = (cut.within.iter().map(Range::len).sum(), cut.run.len());
        if is_sparse(used, self.len() * len) {
            return None;
        }
        let mut dense = vec![0.0; self.len() * len];
        for k in 0..self.len() {
            let column = &mut dense[k * len..(k + 1) * len];
            self.pairs(cut, k).for_each(|(i, z)| column[i] = z);
        }
        Some(dense)
    }
}

/// `R Z` (n × b) over all datapoints, for b rows as Z. O(n·nnz), and O(nbN) where many are in use.
pub(crate) fn times_rows(share: &Share, residual: &dyn Columns, rows: &CodeRows<'_>) -> Matrix {
    let (n, b) = (residual.nrows(), rows.len());
    let part = |run: Range<usize>| {
        let (mut out, cut, entries) = (vec![0.0; n * b], rows.cut(&run), residual.run(run.clone()));
        if let Some(dense) = rows.dense(cut) {
            let dense = MatRef::from_column_major_slice(&dense, run.len(), b);
            let block = MatRef::from_column_major_slice(&entries, n, run.len());
            let view = MatMut::from_column_major_slice_mut(&mut out, n, b);
            product(view, Accum::Replace, block, dense, 1.0);
        } else {
            simd(
                #[inline(always)]
                || {
                    for (k, image) in out.chunks_exact_mut(n).enumerate() {
                        rows.pairs(cut, k).for_each(|(i, z)| axpy(z, &entries[i * n..(i + 1) * n], image));
                    }
                },
            );
        }
        out
    };
    matrix(n, b, share.sum(n * b, panel_chunk(n), part))
}

/// `Z Zᵀ` (b × b) over all datapoints, for b rows as Z, cut for columns of n numbers. O(b·nnz), and
/// O(b²N) where many are in use.
pub(crate) fn products_of_rows(share: &Share, n: usize, rows: &CodeRows<'_>) -> Matrix {
    let b = rows.len();
    let part = |run: Range<usize>| {
        let (mut out, cut) = (vec![0.0; b * b], rows.cut(&run));
        if let Some(dense) = rows.dense(cut) {
            let dense = MatRef::from_column_major_slice(&dense, run.len(), b);
            let view = MatMut::from_column_major_slice_mut(&mut out, b, b);
            product(view, Accum::Replace, dense.transpose(), dense, 1.0);
        } else {
            let mut scattered = vec![0.0; run.len()];
            for k in 0..b {
                rows.pairs(cut, k).for_each(|(i, z)| scattered[i] = z);
                for j in 0..=k {
                    let sum = rows.pairs(cut, j).map(|(i, z)| z * scattered[i]).sum();
                    (out[k * b + j], out[j * b + k]) = (sum, sum);
                }
                rows.pairs(cut, k).for_each(|(i, _)| scattered[i] = 0.0);
            }
        }
        out
    };
    matrix(b, b, share.sum(b * b, panel_chunk(n), part))
}

fn matrix(rows: usize, cols: usize, entries: Vec<f64>) -> Matrix {
    Matrix::from_column_major(rows, cols, entries).expect("an entry a place")
}

/// The first b rows of the panel become `DᵀR`, plus `CᵀZ` for a b × b matrix C and b rows as
/// Z where these are given, for D (n × b). O(nbN).
pub(crate) fn correlate_rows(
    share: &Share,
    residual: &dyn Columns,
    dictionary: &Matrix,
    mix: Option<(&Matrix, &CodeRows<'_>)>,
    panel: &mut Panel,
) {
    let (n, len, b) = (residual.nrows(), residual.ncols(), dictionary.ncols());
    let stride = panel.stride;
    let out = &mut panel.data[..b * stride];
    let out = MatMut::from_column_major_slice_with_stride_mut(out, len, b, stride);
    row_runs(share, out, panel_chunk(n)).into_par_iter().for_each(|(run, mut out)| {
        let entries = residual.run(run.clone());
        let block = MatRef::from_column_major_slice(&entries, n, run.len());
        product(out.rb_mut(), Accum::Replace, block.transpose(), dictionary.as_faer(), 1.0);
        let Some((mix, rows)) = mix else { return };
        let cut = rows.cut(&run);
        if let Some(dense) = rows.dense(cut) {
            let dense = MatRef::from_column_major_slice(&dense, run.len(), b);
            product(out, Accum::Add, dense, mix.as_faer(), 1.0);
        } else {
            for (k, mut column) in out.col_iter_mut().enumerate() {
                for j in 0..b {
                    let share = mix.get(j, k);
                    rows.pairs(cut, j).for_each(|(i, z)| column[i] += share * z);
                }
            }
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

/// `scale · D Z` for k directions D (n × k) and k rows as Z.
#[derive(Clone, Copy)]
pub(crate) struct Term<'t> {
    pub(crate) scale: f64,
    pub(crate) directions: &'t Matrix,
    pub(crate) rows: &'t CodeRows<'t>,
}

/// Adds terms to the residual in one pass over it. O(n·nnz), and O(nkN) where many codes are in use.
pub(crate) fn add_terms(share: &Share, residual: &mut Residual, terms: &[Term<'_>]) {
    let n = residual.nrows();
    residual.change(share, panel_chunk(n), |run, block| {
        for &Term { scale, directions, rows } in terms {
            let cut = rows.cut(&run);
            if let Some(dense) = rows.dense(cut) {
                let dense = MatRef::from_column_major_slice(&dense, run.len(), rows.len());
                let view = MatMut::from_column_major_slice_mut(block, n, run.len());
                product(view, Accum::Add, directions.as_faer(), dense.transpose(), scale);
            } else {
                simd(
                    #[inline(always)]
                    || {
                        for (k, direction) in directions.columns().enumerate() {
                            rows.pairs(cut, k).for_each(|(i, z)| {
                                axpy(scale * z, direction, &mut block[i * n..(i + 1) * n]);
                            });
                        }
                    },
                );
            }
        }
    });
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Numbers of both signs that repeat nowhere.
    fn wave(i: usize, j: usize) -> f64 {
        ((i * 37 + j * 101) as f64 * 0.618).sin()
    }

    fn close(found: &Matrix, expected: &Matrix) {
        assert_eq!((found.nrows(), found.ncols()), (expected.nrows(), expected.ncols()));
        for (x, y) in found.as_slice().iter().zip(expected.as_slice()) {
            assert!((x - y).abs() < 1e-12 * (1.0 + y.abs()), "{x} {y}");
        }
    }

    /// Rows whose products are sparse in some runs and dense in others, in few and in many codes, are
    /// those of dense matrices.
    #[test]
    fn products_are_those_of_dense_matrices() {
        let (n, len, b) = (100, 700, 5);
        let share = Share::alone(len);
        assert!(share.chunks(panel_chunk(n)).len() > 3);
        let residual = Matrix::from_fn(n, len, wave);
        let directions = Matrix::from_fn(n, b, |j, k| 0.1 * wave(k + 3, j));
        let mix = Matrix::from_fn(b, b, |j, k| wave(j, 2 * k + 1));
        for every in [1, 40, 1000] {
            // The first hundred datapoints use all atoms but the last; of the others one in so many.
            let used = |k: usize, i: usize| k + 1 < b && (i < 100 || (i + k).is_multiple_of(every));
            let dense = Matrix::from_fn(b, len, |k, i| if used(k, i) { 1.0 + wave(i, k) } else { 0.0 });
            let row = |k: usize| (0..len).map(|i| dense.get(k, i)).collect::<Vec<f64>>();
            let rows: Vec<Row> = (0..b).map(|k| Row::from_dense(&row(k))).collect();
            let cut = CodeRows::new(&share, n, &rows);
            let sparse = cut.runs.iter().filter(|run| cut.dense(run).is_none()).count();
            assert_eq!((sparse > 0, sparse < cut.runs.len()), (every > 1, true));

            let sum = |f: &dyn Fn(usize) -> f64| (0..len).map(f).sum::<f64>();
            let images = Matrix::from_fn(n, b, |j, k| sum(&|i| residual.get(j, i) * dense.get(k, i)));
            close(&times_rows(&share, &residual, &cut), &images);
            let products = Matrix::from_fn(b, b, |j, k| sum(&|i| dense.get(j, i) * dense.get(k, i)));
            close(&products_of_rows(&share, n, &cut), &products);

            let mut panel = Panel::default();
            panel.reshape(len, b);
            correlate_rows(&share, &residual, &directions, Some((&mix, &cut)), &mut panel);
            let correlation = |k: usize, i: usize| {
                let own: f64 = (0..n).map(|j| directions.get(j, k) * residual.get(j, i)).sum();
                own + (0..b).map(|j| mix.get(j, k) * dense.get(j, i)).sum::<f64>()
            };
            let found = Matrix::from_fn(b, len, |k, i| panel.row(k)[i]);
            close(&found, &Matrix::from_fn(b, len, correlation));

            (0..b).for_each(|k| panel.split_row_mut(k).1.copy_from_slice(&row(k)));
            close(&times_panel(&share, &residual, &panel, b), &images);

            let mut changed = Residual::Double(residual.clone());
            let term = |scale: f64| Term { scale, directions: &directions, rows: &cut };
            add_terms(&share, &mut changed, &[term(1.5), term(-1.0)]);
            let entry = |j: usize, i: usize| {
                let own: f64 = (0..b).map(|k| directions.get(j, k) * dense.get(k, i)).sum();
                residual.get(j, i) + 0.5 * own
            };
            close(&changed.to_matrix(), &Matrix::from_fn(n, len, entry));
        }
    }
}
