//! Rows in blocks, of files that are larger than the memory.
//!
//! What [`Activations::read`](super::Activations::read) holds in one matrix is handed over
//! a block at a time, the shards in their order: as many passes over the files as are asked
//! for, and nothing of the size of the data in memory but what masks rows, a few numbers a
//! row. A block may begin in one shard and end in the next, so blocks do not depend on how
//! the data are cut into files.
//!
//! Text, and arrays in Fortran order, do not have their rows one after the other where they
//! can be found: such a file is read again for every block.

use std::ops::{ControlFlow, Range};
use std::path::{Path, PathBuf};

use super::mask::{Decided, Survey};
use super::number::Precision;
use super::source::Source;
use super::{
    Masked, Masking, Rows, check_alike, empty_note, joined, other_dimension, place, precision, shards,
    shards_note,
};
use crate::io::{FileError, FileProblem};
use crate::linalg::{Datapoints, Float, Matrix};
use crate::reduce::Share;
use half::{bf16, f16};

/// Files whose rows are read in blocks.
pub struct RowStream {
    path: PathBuf,
    sources: Vec<Source>,
    /// The files, and the first row of each.
    files: Vec<(PathBuf, usize)>,
    len: usize,
    dim: usize,
    notes: Vec<String>,
}

/// Some datapoints, one after the other.
#[derive(Clone, Debug, PartialEq)]
pub struct Block {
    /// The number of the first one among all datapoints.
    pub first: usize,
    /// A datapoint a column.
    pub points: Matrix,
}

/// What one process saw of a survey: its own rows.
pub struct Looked<'a> {
    survey: Survey<'a>,
    weights: Option<&'a [f64]>,
}

/// What a pass over the files took.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Passed {
    /// Datapoints handed over.
    pub points: usize,
    /// Blocks handed over.
    pub blocks: usize,
    /// Most numbers of the data that were held at once.
    pub most_held: usize,
}

/// Which rows of a stream are datapoints.
#[derive(Clone, Debug, PartialEq)]
pub struct Surveyed {
    /// Which rows of the files they are.
    pub rows: Rows,
    /// Their weights, as they were given.
    pub weights: Option<Vec<f64>>,
    /// What is not there.
    pub masked: Masked,
    /// The mean of their norms.
    pub mean_norm: f64,
}

impl RowStream {
    /// Opens what [`Activations::read`](super::Activations::read) reads, and reads no number
    /// of an array; of text, the rows are counted.
    ///
    /// # Errors
    /// As there.
    ///
    /// # Examples
    /// ```
    /// use std::ops::ControlFlow;
    /// use widedict::io::{Masking, RowStream};
    /// # let folder = tempfile::tempdir()?;
    /// let path = folder.path().join("x.csv");
    /// std::fs::write(&path, "1,2\n3,nan\n5,6\n7,8\n")?;
    /// let stream = RowStream::open(&path, None)?;
    /// let kept = stream.survey(&Masking { skip_nonfinite: true, ..Masking::default() })?;
    /// let mut first = Vec::new();
    /// stream.blocks(&kept.rows, 2, &mut |block| {
    ///     first.push((kept.rows.row(block.first), block.points.ncols()));
    ///     ControlFlow::Continue(())
    /// })?;
    /// assert_eq!(first, [(0, 2), (3, 1)]);
    /// # Ok::<(), Box<dyn std::error::Error>>(())
    /// ```
    pub fn open(path: &Path, key: Option<&str>) -> Result<Self, FileError> {
        let (files, sharded) = shards::files(path)?;
        let sources: Vec<Source> =
            files.iter().map(|file| Source::open(file, key)).collect::<Result<_, _>>()?;
        check_alike(&sources)?;
        let sizes: Option<Vec<(usize, usize)>> =
            sources.iter().map(Source::plane).collect::<Result<_, _>>()?;
        let (sizes, header) = match sizes {
            Some(sizes) => (sizes, None),
            None => counted(&sources)?,
        };
        let (files, len, dim) = joined(path, &sources, &sizes)?;
        let mut notes: Vec<String> = sharded.then(|| shards_note(&files, len, dim)).into_iter().collect();
        notes.extend(sources.iter().filter_map(Source::note).take(1));
        notes.extend(header.map(|line| format!("line {line} is a header and was left out")));
        notes.extend(empty_note(&files, len));
        Ok(Self { path: path.to_path_buf(), sources, files, len, dim, notes })
    }

    /// What a reader should know, as [`Activations::notes`](super::Activations::notes).
    #[must_use]
    pub fn notes(&self) -> &[String] {
        &self.notes
    }

    /// Number of rows in the files.
    #[must_use]
    #[expect(clippy::len_without_is_empty, reason = "there is at least one row")]
    pub fn len(&self) -> usize {
        self.len
    }

    /// Dimension n.
    #[must_use]
    pub fn dim(&self) -> usize {
        self.dim
    }

    /// Decides which rows are datapoints, as
    /// [`Activations::mask`](super::Activations::mask), in one pass. Holds two numbers a row.
    ///
    /// # Errors
    /// As there, and where a file cannot be read.
    ///
    /// # Panics
    /// Unless there are as many weights as rows in the files.
    pub fn survey(&self, masking: &Masking<'_>) -> Result<Surveyed, FileError> {
        let share = Share::alone(self.len);
        self.decide(self.look(masking, &share)?, &share)
    }

    /// Begins a [`survey`](Self::survey) of several processes, each of which looks at its rows, a
    /// share of those of the files. Nothing is sent.
    ///
    /// # Errors
    /// Where a file cannot be read. Processes that have not failed must not go on then.
    ///
    /// # Panics
    /// As [`RowStream::survey`]; unless the share is of these rows; for a multiple of the median
    /// norm, which no process knows alone, where there are several.
    pub fn look<'m>(&self, masking: &Masking<'m>, share: &Share) -> Result<Looked<'m>, FileError> {
        if let Some(weights) = masking.weights {
            assert_eq!(weights.len(), self.len, "a weight a row");
        }
        assert_eq!(share.total(), self.len, "a share of the rows");
        assert!(share.is_whole() || masking.max_norm_multiple.is_none(), "the median is that of all");
        let mut survey = Survey::new(*masking, self.len, self.len).measuring();
        let mine = Rows::all(self.len).part(share.first()..share.first() + share.len());
        self.blocks(&mine, SURVEYED, &mut |block: Block| {
            for (at, point) in block.points.columns().enumerate() {
                let row = mine.row(block.first + at);
                survey.look(row, row, point);
            }
            ControlFlow::Continue(())
        })?;
        Ok(Looked { survey, weights: masking.weights })
    }

    /// Ends a survey: from what all have seen, all know which rows are datapoints.
    ///
    /// # Errors
    /// As [`Activations::mask`](super::Activations::mask), the same for all.
    pub fn decide(&self, looked: Looked<'_>, share: &Share) -> Result<Surveyed, FileError> {
        let Looked { survey, weights } = looked;
        let Decided { kept, norms, masked } = survey.of_all(share).decide(&self.path, &self.files)?;
        let weights = weights.map(|weights| kept.iter().map(|&row| weights[row]).collect());
        let first = kept.partition_point(|row| *row < share.first());
        let mut measured = kept[first..].iter().zip(norms).peekable();
        let [sum] = share.sums(|part| {
            let end = share.first() + part.end;
            [std::iter::from_fn(|| measured.next_if(|(row, _)| **row < end)).map(|(_, norm)| norm).sum()]
        });
        #[expect(clippy::cast_precision_loss, reason = "counts are far below 2^53")]
        let mean_norm = sum / kept.len() as f64;
        Ok(Surveyed { rows: Rows::kept(self.len, kept), weights, masked, mean_norm })
    }

    /// Hands over some rows in their order, `most` at a time, until `visit` has enough. The
    /// last block may be smaller. Numbers are not checked: [`RowStream::survey`] does that.
    ///
    /// # Errors
    /// [`FileError`] where a file cannot be read, or is another than when it was opened.
    ///
    /// # Panics
    /// If `most` is 0, or `rows` are those of other files.
    pub fn blocks(
        &self,
        rows: &Rows,
        most: usize,
        visit: &mut dyn FnMut(Block) -> ControlFlow<()>,
    ) -> Result<Passed, FileError> {
        assert!(most > 0, "a block holds a row");
        assert_eq!(rows.of(), self.len, "rows of these files");
        let mut filler =
            Filler { rows, most, dim: self.dim, values: Vec::new(), passed: Passed::default(), visit };
        for (at, (source, &(_, first))) in self.sources.iter().zip(&self.files).enumerate() {
            let end = self.files.get(at + 1).map_or(self.len, |(_, first)| *first);
            let flow = if source.in_rows() {
                filler.in_rows(source, first..end)?
            } else {
                filler.again(source, first..end)?
            };
            if flow.is_break() {
                break;
            }
        }
        // Nothing is left to hand over where `visit` had enough.
        let _ = filler.hand_over();
        Ok(filler.passed)
    }

    /// Checks that rows that were taken are finite.
    ///
    /// # Errors
    /// [`FileError`] naming the first that is not, and how many there are.
    pub fn check_finite(&self, rows: &Rows, points: &Datapoints) -> Result<(), FileError> {
        let bad = |point: &[f64]| point.iter().position(|v| !v.is_finite());
        let mut found = points.columns().enumerate().filter_map(|(i, point)| Some((i, bad(&point)?)));
        let Some((at, column)) = found.next() else { return Ok(()) };
        let (file, row) = place(&self.files, rows.row(at));
        let (value, rows) = (points.get(column, at), 1 + found.count());
        Err(FileError::new(file, FileProblem::RowsNotFinite { row, column, value, rows, of: points.ncols() }))
    }

    /// Reads these rows, in the type of the files.
    ///
    /// # Errors
    /// As [`RowStream::blocks`].
    pub fn take(&self, rows: &Rows) -> Result<Datapoints, FileError> {
        match precision(&self.sources) {
            Precision::F16 => self.take_as::<f16>(rows),
            Precision::Bf16 => self.take_as::<bf16>(rows),
            Precision::F32 => self.take_as::<f32>(rows),
            Precision::F64 => self.take_as::<f64>(rows),
        }
    }

    fn take_as<F: Float>(&self, rows: &Rows) -> Result<Datapoints, FileError> {
        let mut taken: Vec<F> = Vec::new();
        // Where there is no memory, growing says so.
        let _ = taken.try_reserve_exact(rows.len() * self.dim);
        let in_rows = self.sources.iter().all(Source::in_rows);
        let most = if in_rows { TAKEN } else { rows.len().max(1) };
        self.blocks(rows, most, &mut |block| {
            taken.extend(block.points.as_slice().iter().map(|&v| F::nearest(v)));
            ControlFlow::Continue(())
        })?;
        let count = taken.len() / self.dim;
        Ok(Datapoints::from_column_major(self.dim, count, taken).expect("whole rows"))
    }
}

/// Rows that are taken together: beside those that were taken, these are held as doubles. Where a
/// file is read again for every block, all are.
const TAKEN: usize = 4096;

/// Rows looked at in one piece by a survey.
const SURVEYED: usize = 256;

/// Sizes of tables, and the line of a header.
type Counted = (Vec<(usize, usize)>, Option<u64>);

fn counted(sources: &[Source]) -> Result<Counted, FileError> {
    let (mut sizes, mut header) = (Vec::with_capacity(sources.len()), None);
    for source in sources {
        let found = source.table(&mut |_| false, &mut Vec::new())?;
        if found.rows == 0 {
            let found = vec![0, found.dim as u64];
            return Err(FileError::new(&source.path, FileProblem::Empty { found }));
        }
        let expected = sizes.first().map_or(found.dim, |(_, dim)| *dim);
        if found.dim != expected {
            return Err(other_dimension(source, &sources[0], expected, found.dim));
        }
        header = header.or(found.header);
        sizes.push((found.rows, found.dim));
    }
    Ok((sizes, header))
}

/// Collects rows into blocks.
struct Filler<'a> {
    rows: &'a Rows,
    most: usize,
    dim: usize,
    /// Of the block that is being filled, row after row.
    values: Vec<f64>,
    passed: Passed,
    visit: &'a mut dyn FnMut(Block) -> ControlFlow<()>,
}

impl Filler<'_> {
    /// The datapoint that comes next.
    fn next(&self) -> usize {
        self.passed.points + self.values.len() / self.dim
    }

    /// The row of the datapoint that comes next; none after the last.
    fn row(&self) -> Option<usize> {
        let next = self.next();
        (next < self.rows.len()).then(|| self.rows.row(next))
    }

    /// Takes rows as the file has them, those of this range.
    fn in_rows(&mut self, source: &Source, range: Range<usize>) -> Result<ControlFlow<()>, FileError> {
        let from = match self.row() {
            None => return Ok(ControlFlow::Break(())),
            Some(row) if row >= range.end => return Ok(ControlFlow::Continue(())),
            Some(row) => row - range.start,
        };
        let mut wanted = false;
        source.read(from, &mut |row, column, value| {
            if column == 0 {
                match self.row() {
                    None => return ControlFlow::Break(()),
                    Some(next) => wanted = next == range.start + row,
                }
                if wanted && self.values.is_empty() {
                    let most = self.most.min(self.rows.len() - self.passed.points);
                    // Where there is no memory, growing says so.
                    let _ = self.values.try_reserve_exact(most * self.dim);
                }
            }
            if wanted {
                self.values.push(value);
                if column + 1 == self.dim {
                    return self.row_is_whole();
                }
            }
            ControlFlow::Continue(())
        })
    }

    /// Takes rows of a file that is read once a block.
    fn again(&mut self, source: &Source, range: Range<usize>) -> Result<ControlFlow<()>, FileError> {
        loop {
            let from = self.next();
            let left = self.most - (from - self.passed.points);
            let upto = (from..self.rows.len())
                .take(left)
                .take_while(|point| self.rows.row(*point) < range.end)
                .count();
            if upto == 0 {
                return Ok(if from < self.rows.len() {
                    ControlFlow::Continue(())
                } else {
                    ControlFlow::Break(())
                });
            }
            let taken: Vec<usize> =
                (from..from + upto).map(|point| self.rows.row(point) - range.start).collect();
            self.some(source, &taken)?;
            if self.row_is_whole().is_break() {
                return Ok(ControlFlow::Break(()));
            }
        }
    }

    /// Appends some rows of a file.
    fn some(&mut self, source: &Source, taken: &[usize]) -> Result<(), FileError> {
        let (first, last) = (taken[0], taken[taken.len() - 1]);
        let mut places = vec![None; last + 1 - first];
        taken.iter().enumerate().for_each(|(place, row)| places[row - first] = Some(place));
        let place = |row: usize| row.checked_sub(first).and_then(|at| places.get(at).copied().flatten());
        let begin = self.values.len();
        if source.is_text() {
            source.table(&mut |row| place(row).is_some(), &mut self.values)?;
            return Ok(());
        }
        let dim = self.dim;
        self.values.resize(begin + taken.len() * dim, 0.0);
        let _ = source.read(0, &mut |row, column, value| {
            if let Some(place) = place(row) {
                self.values[begin + place * dim + column] = value;
            }
            ControlFlow::Continue(())
        })?;
        Ok(())
    }

    fn row_is_whole(&mut self) -> ControlFlow<()> {
        if self.values.len() < self.most * self.dim {
            return ControlFlow::Continue(());
        }
        self.hand_over()
    }

    fn hand_over(&mut self) -> ControlFlow<()> {
        if self.values.is_empty() {
            return ControlFlow::Continue(());
        }
        let values = std::mem::take(&mut self.values);
        let (first, count) = (self.passed.points, values.len() / self.dim);
        self.passed.most_held = self.passed.most_held.max(values.len());
        self.passed.points += count;
        self.passed.blocks += 1;
        let points = Matrix::from_column_major(self.dim, count, values).expect("whole rows");
        (self.visit)(Block { first, points })
    }
}
