//! Which rows become datapoints.

use serde::Serialize;

use super::super::{FileError, FileProblem, Rows};
use super::Activations;
use crate::linalg::{Matrix, norm};

/// What masks a row.
#[derive(Clone, Copy, Debug, Default, PartialEq)]
pub struct Masking<'a> {
    /// One a row of the files: a weight of 0 masks it.
    pub weights: Option<&'a [f64]>,
    /// Mask rows that hold a NaN or an infinity, which are an error otherwise.
    pub skip_nonfinite: bool,
    /// Mask rows whose norm is more than this many times the median norm.
    pub max_norm_multiple: Option<f64>,
}

/// How many rows are masked, and why. A row is counted once: as weighed with 0, else as
/// not finite, else by its norm.
#[derive(Clone, Copy, Debug, Default, PartialEq, Serialize)]
pub struct Masked {
    /// Rows of the files.
    pub of: usize,
    /// Rows that are masked.
    pub rows: usize,
    /// Those of weight 0.
    pub weight: usize,
    /// Those that are not finite.
    pub nonfinite: usize,
    /// Those whose norm is beyond the multiple of the median.
    pub norm: usize,
    /// Rows that were not read, where only some were wanted.
    pub unread: usize,
    /// Whether rows that are not finite were to be masked.
    pub skip_nonfinite: bool,
    /// The multiple that was asked for.
    pub max_norm_multiple: Option<f64>,
}

/// The datapoints.
#[derive(Clone, Debug)]
pub struct Kept {
    /// n × the number of rows that are kept, all finite.
    pub points: Matrix,
    /// Which rows of the files they are.
    pub rows: Rows,
    /// Their weights, as they were given.
    pub weights: Option<Vec<f64>>,
    /// What is not there.
    pub masked: Masked,
}

impl Kept {
    /// All of a matrix that holds no other numbers than finite ones.
    #[must_use]
    pub fn all(points: Matrix) -> Self {
        let rows = Rows::all(points.ncols());
        let masked = Masked { of: rows.of(), ..Masked::default() };
        Self { points, rows, weights: None, masked }
    }
}

impl Activations {
    /// Takes the datapoints and leaves out the rows that are masked; in place.
    ///
    /// # Errors
    /// [`FileError`] for rows that are not finite and not to be masked (the first one is
    /// named, with their number), and where no row is left.
    ///
    /// # Panics
    /// Unless there are as many weights as rows in the files.
    pub fn mask(self, masking: &Masking<'_>) -> Result<Kept, FileError> {
        if let Some(weights) = masking.weights {
            assert_eq!(weights.len(), self.rows.of(), "a weight a row");
        }
        let weightless = |at: usize| masking.weights.is_some_and(|w| w[self.rows.row(at)].abs() <= 0.0);
        let mut masked = Masked {
            of: self.rows.of(),
            unread: self.rows.of() - self.rows.len(),
            skip_nonfinite: masking.skip_nonfinite,
            max_norm_multiple: masking.max_norm_multiple,
            ..Masked::default()
        };
        let mut kept = Vec::with_capacity(self.rows.len());
        let mut first = None;
        for (at, point) in self.points.columns().enumerate() {
            if weightless(at) {
                masked.weight += 1;
            } else if let Some(column) = point.iter().position(|v| !v.is_finite()) {
                masked.nonfinite += 1;
                first.get_or_insert((at, column));
            } else {
                kept.push(at);
            }
        }
        if let Some((at, column)) = first.filter(|_| !masking.skip_nonfinite) {
            return Err(self.not_finite(at, column, masked.nonfinite));
        }
        if let Some(multiple) = masking.max_norm_multiple {
            masked.norm = self.drop_long(multiple, &mut kept)?;
        }
        if kept.is_empty() {
            return Err(FileError::new(&self.path, FileProblem::NothingLeft { masked: Box::new(masked) }));
        }
        masked.rows = masked.weight + masked.nonfinite + masked.norm;
        Ok(self.keep(&kept, masking.weights, masked))
    }

    /// Takes the rows of a norm beyond a multiple of the median from those kept.
    fn drop_long(&self, multiple: f64, kept: &mut Vec<usize>) -> Result<usize, FileError> {
        let mut norms: Vec<f64> = kept.iter().map(|&at| norm(self.points.col(at))).collect();
        if norms.is_empty() {
            return Ok(0);
        }
        let all = norms.clone();
        norms.sort_unstable_by(f64::total_cmp);
        // As numpy's: of an even number the mean of the two in the middle.
        let (low, high) = (norms[(norms.len() - 1) / 2], norms[norms.len() / 2]);
        let median = 0.5 * low + 0.5 * high;
        if !(median > 0.0 && median.is_finite()) {
            return Err(FileError::new(&self.path, FileProblem::Median { median }));
        }
        let before = kept.len();
        let mut long = all.iter().map(|norm| norm / median > multiple);
        kept.retain(|_| !long.next().expect("a norm a row"));
        Ok(before - kept.len())
    }

    fn not_finite(&self, at: usize, column: usize, rows: usize) -> FileError {
        let value = self.points.get(column, at);
        let (path, row) = self.place(self.rows.row(at));
        FileError::new(path, FileProblem::RowsNotFinite { row, column, value, rows, of: self.rows.len() })
    }

    fn keep(self, kept: &[usize], weights: Option<&[f64]>, masked: Masked) -> Kept {
        let dim = self.points.nrows();
        let rows = Rows::kept(self.rows.of(), kept.iter().map(|&at| self.rows.row(at)).collect());
        let weights = weights.map(|weights| kept.iter().map(|&at| weights[self.rows.row(at)]).collect());
        let mut values = self.points.into_vec();
        for (to, &from) in kept.iter().enumerate().filter(|(to, from)| to != *from) {
            values.copy_within(from * dim..(from + 1) * dim, to * dim);
        }
        values.truncate(kept.len() * dim);
        let points = Matrix::from_column_major(dim, kept.len(), values).expect("whole rows");
        Kept { points, rows, weights, masked }
    }
}
