//! The whitened residual that a working iterate keeps in step: in doubles or, of many datapoints, in
//! single precision.
//!
//! Kernels read it as [`Columns`], a run at a time; whatever is computed from it is computed in
//! doubles. A residual in single precision is rounded to one part in 2²⁴ wherever it is written, and
//! made anew from the codes at every [`refresh`](crate::iterate::Iterate::refresh). No certificate
//! rests on it.

use std::borrow::Cow;
use std::ops::Range;

use rayon::prelude::*;

use super::panel::runs_of;
use super::{Columns, Matrix};
use crate::reduce::Share;

/// Numbers up to which columns of the size of the data are held beside them in doubles: 128 MB. Ten
/// times as many would take more memory than data in single precision.
pub(crate) const HELD: usize = 1 << 24;

/// Magnitudes that single precision holds with room for sums and for what is small beside them.
const SINGLE_RANGE: Range<f64> = 1e-15..1e15;

/// Whether single precision has the range of numbers of which this is the largest in magnitude.
pub(crate) fn fits_single(largest: f64) -> bool {
    SINGLE_RANGE.contains(&largest)
}

/// How the residual is held.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Precision {
    /// 4 bytes a number.
    Single,
    /// 8 bytes a number.
    Double,
}

/// Columns of doubles, held in one or the other precision.
#[derive(Clone, Debug)]
pub(crate) enum Residual {
    Single { rows: usize, entries: Vec<f32> },
    Double(Matrix),
}

impl Residual {
    pub(crate) fn zeros(rows: usize, cols: usize, precision: Precision) -> Self {
        match precision {
            Precision::Single => Self::Single { rows, entries: vec![0.0; rows * cols] },
            Precision::Double => Self::Double(Matrix::zeros(rows, cols)),
        }
    }

    /// Lets `write` change runs of some `chunk` columns, in parallel; runs end where grains do.
    pub(crate) fn change(
        &mut self,
        share: &Share,
        chunk: usize,
        write: impl Fn(Range<usize>, &mut [f64]) + Sync,
    ) {
        match self {
            Self::Double(matrix) => {
                let rows = matrix.nrows();
                runs_of(share, matrix.as_mut_slice(), rows, chunk)
                    .into_par_iter()
                    .for_each(|(run, block)| write(run, block));
            }
            Self::Single { rows, entries } => {
                runs_of(share, entries, *rows, chunk).into_par_iter().for_each_init(
                    Vec::new,
                    |wide: &mut Vec<f64>, (run, block)| {
                        wide.clear();
                        wide.extend(block.iter().map(|&v| f64::from(v)));
                        write(run, wide);
                        narrow(wide, block);
                    },
                );
            }
        }
    }

    /// Column `i`, in `wide` where it is not held in doubles.
    #[inline(always)]
    pub(crate) fn column_in<'c>(&'c self, i: usize, wide: &'c mut [f64]) -> &'c [f64] {
        match self {
            Self::Double(matrix) => matrix.col(i),
            Self::Single { rows, entries } => {
                widen(&entries[i * rows..(i + 1) * rows], wide);
                wide
            }
        }
    }

    /// Lets `write` change column `i`; `wide` is a column's room.
    #[inline(always)]
    pub(crate) fn change_column(&mut self, i: usize, wide: &mut [f64], write: impl FnOnce(&mut [f64])) {
        match self {
            Self::Double(matrix) => write(matrix.col_mut(i)),
            Self::Single { rows, entries } => {
                let column = &mut entries[i * *rows..(i + 1) * *rows];
                widen(column, wide);
                write(wide);
                narrow(wide, column);
            }
        }
    }
}

#[inline(always)]
fn widen(entries: &[f32], wide: &mut [f64]) {
    for (wide, &v) in wide.iter_mut().zip(entries) {
        *wide = f64::from(v);
    }
}

#[inline(always)]
#[expect(clippy::cast_possible_truncation, reason = "rounding is the purpose")]
fn narrow(wide: &[f64], entries: &mut [f32]) {
    for (v, &wide) in entries.iter_mut().zip(wide) {
        *v = wide as f32;
    }
}

impl Columns for Residual {
    fn nrows(&self) -> usize {
        match self {
            Self::Double(matrix) => matrix.nrows(),
            Self::Single { rows, .. } => *rows,
        }
    }

    fn ncols(&self) -> usize {
        match self {
            Self::Double(matrix) => matrix.ncols(),
            Self::Single { rows, entries } => entries.len() / (*rows).max(1),
        }
    }

    fn run(&self, run: Range<usize>) -> Cow<'_, [f64]> {
        match self {
            Self::Double(matrix) => matrix.run(run),
            Self::Single { rows, entries } => {
                let entries = &entries[run.start * rows..run.end * rows];
                Cow::Owned(entries.iter().map(|&v| f64::from(v)).collect())
            }
        }
    }

    fn held(&self) -> Option<&Matrix> {
        match self {
            Self::Double(matrix) => Some(matrix),
            Self::Single { .. } => None,
        }
    }
}
