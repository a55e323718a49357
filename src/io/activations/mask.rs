//! Which rows become datapoints.

use std::path::{Path, PathBuf};

use serde::Serialize;

use super::super::{FileError, FileProblem, Rows};
use super::{Activations, place};
use crate::linalg::{Datapoints, norm};
use crate::reduce::Share;

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
    pub points: Datapoints,
    /// Which rows of the files they are.
    pub rows: Rows,
    /// Their weights, as they were given.
    pub weights: Option<Vec<f64>>,
    /// What is not there.
    pub masked: Masked,
}

impl Kept {
    /// All of datapoints that hold no other numbers than finite ones.
    #[must_use]
    pub fn all(points: impl Into<Datapoints>) -> Self {
        let points = points.into();
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
        let mut survey = Survey::new(*masking, self.rows.of(), self.rows.len());
        for (at, point) in self.points.columns().enumerate() {
            survey.look(at, self.rows.row(at), &point);
        }
        let Decided { kept, masked, .. } = survey.decide(&self.path, &self.files)?;
        Ok(self.keep(&kept, masking.weights, masked))
    }

    fn keep(self, kept: &[usize], weights: Option<&[f64]>, masked: Masked) -> Kept {
        let rows = Rows::kept(self.rows.of(), kept.iter().map(|&at| self.rows.row(at)).collect());
        let weights = weights.map(|weights| kept.iter().map(|&at| weights[self.rows.row(at)]).collect());
        let points = self.points.kept(kept);
        Kept { points, rows, weights, masked }
    }
}

/// Looks at row after row, and decides at the end which are datapoints.
pub(super) struct Survey<'a> {
    masking: Masking<'a>,
    masked: Masked,
    /// How many rows were read.
    read: usize,
    /// Places of those that a look has masked.
    dropped: Vec<usize>,
    /// Norms of the others, where a median or a mean of these is wanted.
    norms: Vec<f64>,
    /// Whether it is.
    measures: bool,
    /// The first row that is not finite: its number, column and value.
    first: Option<(usize, usize, f64)>,
}

/// Which rows are datapoints.
pub(super) struct Decided {
    /// Their places.
    pub(super) kept: Vec<usize>,
    /// Their norms, where these were wanted.
    pub(super) norms: Vec<f64>,
    pub(super) masked: Masked,
}

impl<'a> Survey<'a> {
    /// Of `read` rows of the files' `of`.
    pub(super) fn new(masking: Masking<'a>, of: usize, read: usize) -> Self {
        let masked = Masked {
            of,
            unread: of - read,
            skip_nonfinite: masking.skip_nonfinite,
            max_norm_multiple: masking.max_norm_multiple,
            ..Masked::default()
        };
        let measures = masking.max_norm_multiple.is_some();
        Self { masking, masked, read, dropped: Vec::new(), norms: Vec::new(), measures, first: None }
    }

    /// Keeps the norms of all datapoints.
    pub(super) fn measuring(self) -> Self {
        Self { measures: true, ..self }
    }

    /// Looks at a row, by its place among those that were read and its number in the files.
    pub(super) fn look(&mut self, at: usize, row: usize, point: &[f64]) {
        if self.masking.weights.is_some_and(|weights| weights[row].abs() <= 0.0) {
            self.masked.weight += 1;
            self.dropped.push(at);
        } else if let Some(column) = point.iter().position(|v| !v.is_finite()) {
            self.masked.nonfinite += 1;
            self.dropped.push(at);
            self.first.get_or_insert((row, column, point[column]));
        } else if self.measures {
            self.norms.push(norm(point));
        }
    }

    /// The looks of all processes, each at its own rows, as one; norms stay those of this one's.
    pub(super) fn of_all(mut self, share: &Share) -> Self {
        if share.is_whole() {
            return self;
        }
        [self.masked.weight, self.masked.nonfinite] =
            share.counts([self.masked.weight, self.masked.nonfinite]);
        let dropped = self.dropped.iter().map(|at| *at as u64).collect();
        let count = |word: u64| usize::try_from(word).expect("a place of this machine");
        self.dropped = share.broadcast(share.gather(dropped).concat()).into_iter().map(count).collect();
        let first = self.first.map(|(row, column, value)| vec![row as u64, column as u64, value.to_bits()]);
        let firsts = share.gather(first.unwrap_or_default());
        let first = firsts.into_iter().find(|first| !first.is_empty()).unwrap_or_default();
        self.first = match *share.broadcast(first) {
            [row, column, value] => Some((count(row), count(column), f64::from_bits(value))),
            _ => None,
        };
        self
    }

    /// The datapoints; `files` are those of the rows, with the first row of each.
    pub(super) fn decide(mut self, path: &Path, files: &[(PathBuf, usize)]) -> Result<Decided, FileError> {
        if let Some((row, column, value)) = self.first.filter(|_| !self.masking.skip_nonfinite) {
            let (file, row) = place(files, row);
            let (rows, of) = (self.masked.nonfinite, self.masked.of - self.masked.unread);
            return Err(FileError::new(file, FileProblem::RowsNotFinite { row, column, value, rows, of }));
        }
        let mut dropped = self.dropped.iter().peekable();
        let mut kept: Vec<usize> = (0..self.read).filter(|at| dropped.next_if_eq(&at).is_none()).collect();
        if let Some(multiple) = self.masking.max_norm_multiple.filter(|_| !self.norms.is_empty()) {
            self.drop_long(multiple, &mut kept, path)?;
        }
        let Self { norms, mut masked, .. } = self;
        if kept.is_empty() {
            return Err(FileError::new(path, FileProblem::NothingLeft { masked: Box::new(masked) }));
        }
        masked.rows = masked.weight + masked.nonfinite + masked.norm;
        Ok(Decided { kept, norms, masked })
    }

    /// Masks the rows of a norm beyond a multiple of the median.
    fn drop_long(&mut self, multiple: f64, kept: &mut Vec<usize>, path: &Path) -> Result<(), FileError> {
        let mut sorted = self.norms.clone();
        sorted.sort_unstable_by(f64::total_cmp);
        // As numpy's: of an even number the mean of the two in the middle.
        let (low, high) = (sorted[(sorted.len() - 1) / 2], sorted[sorted.len() / 2]);
        let median = 0.5 * low + 0.5 * high;
        if !(median > 0.0 && median.is_finite()) {
            return Err(FileError::new(path, FileProblem::Median { median }));
        }
        let stays = |norm: &f64| norm / median <= multiple;
        let before = kept.len();
        let mut norms = self.norms.iter();
        kept.retain(|_| stays(norms.next().expect("a norm a row")));
        self.norms.retain(stays);
        self.masked.norm = before - kept.len();
        Ok(())
    }
}
