//! Datapoints in the numbers they came in, widened to doubles where they are computed with.
//!
//! Activations are mostly written in single or half precision. Held as doubles they take twice
//! or four times the memory and are no more exact: widening rounds nothing, so whatever is
//! computed from the doubles holds for the numbers as stored. [`Datapoints`] holds them as they
//! are. Kernels ask for some columns at a time through [`Columns`], which lends doubles and
//! widens everything else.

use std::borrow::Cow;
use std::ops::Range;

use half::{bf16, f16};

use super::Matrix;

/// A floating-point type that datapoints are held in: `f16`, `bf16`, `f32` or `f64`.
pub trait Float: Copy + std::fmt::Debug + Default + Send + Sync + Into<f64> + sealed::Held {
    /// The nearest number of this type: the same where it came from there.
    fn nearest(value: f64) -> Self;
}

mod sealed {
    use super::{Entries, Matrix, bf16, f16};

    /// Puts the columns of a matrix, end to end and as many numbers as it has, under their type.
    pub trait Held: Sized {
        fn hold(rows: usize, cols: usize, entries: Vec<Self>) -> Entries;
    }

    impl Held for f16 {
        fn hold(_: usize, _: usize, entries: Vec<Self>) -> Entries {
            Entries::F16(entries)
        }
    }

    impl Held for bf16 {
        fn hold(_: usize, _: usize, entries: Vec<Self>) -> Entries {
            Entries::Bf16(entries)
        }
    }

    impl Held for f32 {
        fn hold(_: usize, _: usize, entries: Vec<Self>) -> Entries {
            Entries::F32(entries)
        }
    }

    impl Held for f64 {
        fn hold(rows: usize, cols: usize, entries: Vec<Self>) -> Entries {
            Entries::F64(Matrix::from_column_major(rows, cols, entries).expect("an entry a place"))
        }
    }
}

impl Float for f16 {
    fn nearest(value: f64) -> Self {
        Self::from_f64(value)
    }
}

impl Float for bf16 {
    fn nearest(value: f64) -> Self {
        Self::from_f64(value)
    }
}

impl Float for f32 {
    #[expect(clippy::cast_possible_truncation, reason = "rounded, as is promised")]
    fn nearest(value: f64) -> Self {
        value as Self
    }
}

impl Float for f64 {
    fn nearest(value: f64) -> Self {
        value
    }
}

/// Columns of doubles, or of what is widened to them.
pub trait Columns: Sync {
    /// Number of rows (the dimension n).
    fn nrows(&self) -> usize;

    /// Number of columns (datapoints).
    fn ncols(&self) -> usize;

    /// The columns of a run, end to end: lent where they are doubles.
    fn run(&self, run: Range<usize>) -> Cow<'_, [f64]>;

    /// All of them, where they are held as a matrix.
    fn held(&self) -> Option<&Matrix> {
        None
    }

    /// Column `j`.
    fn column(&self, j: usize) -> Cow<'_, [f64]> {
        self.run(j..j + 1)
    }

    /// The columns `indices`.
    fn select_columns(&self, indices: &[usize]) -> Matrix {
        let mut out = Matrix::zeros(self.nrows(), indices.len());
        for (to, &from) in indices.iter().enumerate() {
            out.col_mut(to).copy_from_slice(&self.column(from));
        }
        out
    }

    /// All of them.
    fn to_matrix(&self) -> Matrix {
        let entries = self.run(0..self.ncols()).into_owned();
        Matrix::from_column_major(self.nrows(), self.ncols(), entries).expect("an entry a place")
    }

    /// All of them, lent where they are held as a matrix.
    fn as_matrix(&self) -> Cow<'_, Matrix> {
        self.held().map_or_else(|| Cow::Owned(self.to_matrix()), Cow::Borrowed)
    }
}

impl Columns for Matrix {
    fn nrows(&self) -> usize {
        self.nrows()
    }

    fn ncols(&self) -> usize {
        self.ncols()
    }

    fn run(&self, run: Range<usize>) -> Cow<'_, [f64]> {
        Cow::Borrowed(&self.as_slice()[run.start * self.nrows()..run.end * self.nrows()])
    }

    fn held(&self) -> Option<&Matrix> {
        Some(self)
    }
}

/// Datapoints, n × N with a datapoint a column, in `f16`, `bf16`, `f32` or `f64`.
///
/// Column-major and contiguous as a [`Matrix`], which becomes one without a copy. Its numbers are
/// read as doubles: every number of these types is one, so that nothing is rounded, and a problem
/// has the same answer, to the bit, whichever type holds its data. Two are equal where they hold
/// the same numbers in the same type.
///
/// # Examples
/// ```
/// use widedict::{Datapoints, Problem};
/// let x = Datapoints::from_column_major(2, 2, vec![3.0_f32, 4.0, 0.0, 1.0]).expect("2 × 2");
/// assert_eq!(*x.col(0), [3.0, 4.0]);
/// assert_eq!(x.bytes(), 16);
/// let problem = Problem::builder(x).lambda(0.5).build()?;
/// assert_eq!(*problem.data().datapoint(1), [0.0, 1.0]);
/// # Ok::<(), widedict::ProblemError>(())
/// ```
#[derive(Clone, Debug, PartialEq)]
pub struct Datapoints {
    rows: usize,
    cols: usize,
    entries: Entries,
}

/// The numbers, column after column.
#[derive(Clone, Debug, PartialEq)]
#[doc(hidden)]
pub enum Entries {
    F16(Vec<f16>),
    Bf16(Vec<bf16>),
    F32(Vec<f32>),
    F64(Matrix),
}

impl Datapoints {
    /// From the columns laid end to end.
    ///
    /// # Errors
    /// Gives `entries` back when their number is not `rows · cols`.
    pub fn from_column_major<F: Float>(rows: usize, cols: usize, entries: Vec<F>) -> Result<Self, Vec<F>> {
        if rows.checked_mul(cols) == Some(entries.len()) {
            Ok(Self { rows, cols, entries: F::hold(rows, cols, entries) })
        } else {
            Err(entries)
        }
    }

    /// Number of rows (the dimension n).
    #[must_use]
    pub fn nrows(&self) -> usize {
        self.rows
    }

    /// Number of columns (datapoints).
    #[must_use]
    pub fn ncols(&self) -> usize {
        self.cols
    }

    /// Bytes of all numbers.
    #[must_use]
    pub fn bytes(&self) -> usize {
        let each = match &self.entries {
            Entries::F16(_) | Entries::Bf16(_) => 2,
            Entries::F32(_) => 4,
            Entries::F64(_) => 8,
        };
        self.rows * self.cols * each
    }

    /// Column `j`, as doubles.
    #[must_use]
    pub fn col(&self, j: usize) -> Cow<'_, [f64]> {
        self.column(j)
    }

    /// Entry `(i, j)`.
    #[must_use]
    pub fn get(&self, i: usize, j: usize) -> f64 {
        let at = j * self.rows + i;
        match &self.entries {
            Entries::F16(entries) => entries[at].into(),
            Entries::Bf16(entries) => entries[at].into(),
            Entries::F32(entries) => entries[at].into(),
            Entries::F64(matrix) => matrix.get(i, j),
        }
    }

    /// The columns in order, as doubles.
    pub fn columns(&self) -> impl ExactSizeIterator<Item = Cow<'_, [f64]>> {
        (0..self.cols).map(|j| self.col(j))
    }

    /// The columns `indices`, as doubles.
    #[must_use]
    pub fn select_columns(&self, indices: &[usize]) -> Matrix {
        Columns::select_columns(self, indices)
    }

    /// All as doubles: 8 bytes a number.
    #[must_use]
    pub fn to_matrix(&self) -> Matrix {
        Columns::to_matrix(self)
    }

    /// All as doubles: lent where they are, else 8 bytes a number.
    #[must_use]
    pub fn as_matrix(&self) -> Cow<'_, Matrix> {
        Columns::as_matrix(self)
    }

    /// All as doubles, without a copy where they are.
    #[must_use]
    pub fn into_matrix(self) -> Matrix {
        match self.entries {
            Entries::F64(matrix) => matrix,
            Entries::F16(_) | Entries::Bf16(_) | Entries::F32(_) => self.to_matrix(),
        }
    }

    /// The columns `kept`, which must ascend, in place.
    #[must_use]
    pub fn kept(self, kept: &[usize]) -> Self {
        fn keep<F: Float>(mut entries: Vec<F>, rows: usize, kept: &[usize]) -> Datapoints {
            for (to, &from) in kept.iter().enumerate().filter(|(to, from)| to != *from) {
                entries.copy_within(from * rows..(from + 1) * rows, to * rows);
            }
            entries.truncate(kept.len() * rows);
            Datapoints { rows, cols: kept.len(), entries: F::hold(rows, kept.len(), entries) }
        }
        match self.entries {
            Entries::F16(entries) => keep(entries, self.rows, kept),
            Entries::Bf16(entries) => keep(entries, self.rows, kept),
            Entries::F32(entries) => keep(entries, self.rows, kept),
            Entries::F64(matrix) => keep(matrix.into_vec(), self.rows, kept),
        }
    }
}

impl Columns for Datapoints {
    fn nrows(&self) -> usize {
        self.rows
    }

    fn ncols(&self) -> usize {
        self.cols
    }

    fn run(&self, run: Range<usize>) -> Cow<'_, [f64]> {
        fn widened<F: Float>(entries: &[F]) -> Cow<'static, [f64]> {
            Cow::Owned(entries.iter().map(|&v| v.into()).collect())
        }
        let entries = run.start * self.rows..run.end * self.rows;
        match &self.entries {
            Entries::F16(all) => widened(&all[entries]),
            Entries::Bf16(all) => widened(&all[entries]),
            Entries::F32(all) => widened(&all[entries]),
            Entries::F64(matrix) => matrix.run(run),
        }
    }

    fn held(&self) -> Option<&Matrix> {
        match &self.entries {
            Entries::F64(matrix) => Some(matrix),
            Entries::F16(_) | Entries::Bf16(_) | Entries::F32(_) => None,
        }
    }
}

impl<M: Into<Matrix>> From<M> for Datapoints {
    fn from(matrix: M) -> Self {
        let matrix = matrix.into();
        Self { rows: matrix.nrows(), cols: matrix.ncols(), entries: Entries::F64(matrix) }
    }
}
