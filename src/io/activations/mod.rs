//! Activations as people have them: `.npy`, `.npz`, `.safetensors`, text, in one file or
//! in many.
//!
//! [`read_points`](super::read_points) reads one array and asks that it be in order. Here
//! the file may hold several arrays, three axes, whole numbers, rows that are not finite
//! or far too long; what is done about it is asked for or noted, never guessed in silence.
//!
//! Numbers go from the file to their place among the datapoints in pieces, in the type they have
//! there: beside the datapoints nothing of the size of the data is held. Shards of different types
//! are held in the narrowest that has all their numbers, whole numbers and text as doubles. Only
//! of a pipe, which cannot be read again, all bytes are held.

mod kind;
mod mask;
mod number;
mod shards;
mod source;
mod stream;
mod table;

use std::num::NonZeroUsize;
use std::ops::ControlFlow;
use std::path::{Path, PathBuf};

use super::{FileError, FileProblem, Rows};
use crate::linalg::{Datapoints, Float};
use half::{bf16, f16};
use number::Precision;
use source::Source;

pub use mask::{Kept, Masked, Masking};
pub use stream::{Block, Looked, Passed, RowStream, Surveyed};

/// What is read of the files.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Reading<'a> {
    /// The array of each `.npz` or `.safetensors` file; `None` where each holds one.
    pub key: Option<&'a str>,
    /// Read at most so many rows, evenly spaced.
    pub most: Option<NonZeroUsize>,
}

/// Rows of numbers that have been read and nothing else: some may not be finite.
#[derive(Clone, Debug)]
pub struct Activations {
    /// A row a column, n × N.
    points: Datapoints,
    /// Which rows of the files they are.
    rows: Rows,
    /// What was asked for.
    path: PathBuf,
    /// The files, and the first row of each.
    files: Vec<(PathBuf, usize)>,
    notes: Vec<String>,
}

impl Activations {
    /// Reads a file, the files of a folder, or those that match a pattern with `*`, `?` or
    /// `[…]`, as one data set in natural order.
    ///
    /// Kinds are told by what a file starts with, text by its extension (`.csv`, `.tsv`,
    /// `.txt`). Of three axes the first two are joined. Floating-point numbers are held in the type
    /// of the file, whole numbers and text as doubles.
    ///
    /// # Errors
    /// [`FileError`] naming the file, and the array, line and column where there are any.
    ///
    /// # Examples
    /// ```
    /// use widedict::io::{Activations, Masking, Reading};
    /// # let folder = tempfile::tempdir()?;
    /// let path = folder.path().join("x.csv");
    /// std::fs::write(&path, "a;b\n1;2\n3;nan\n5;6\n")?;
    /// let read = Activations::read(&path, &Reading::default())?;
    /// let kept = read.mask(&Masking { skip_nonfinite: true, ..Masking::default() })?;
    /// assert_eq!((kept.points.ncols(), kept.rows.of(), kept.masked.nonfinite), (2, 3, 1));
    /// # Ok::<(), Box<dyn std::error::Error>>(())
    /// ```
    pub fn read(path: &Path, reading: &Reading<'_>) -> Result<Self, FileError> {
        let (files, shards) = shards::files(path)?;
        let sources: Vec<Source> =
            files.iter().map(|file| Source::open(file, reading.key)).collect::<Result<_, _>>()?;
        check_alike(&sources)?;
        let sizes: Option<Vec<(usize, usize)>> =
            sources.iter().map(Source::plane).collect::<Result<_, _>>()?;
        let mut read = match sizes {
            Some(sizes) => match precision(&sources) {
                Precision::F16 => arrays::<f16>(path, &sources, &sizes, reading)?,
                Precision::Bf16 => arrays::<bf16>(path, &sources, &sizes, reading)?,
                Precision::F32 => arrays::<f32>(path, &sources, &sizes, reading)?,
                Precision::F64 => arrays::<f64>(path, &sources, &sizes, reading)?,
            },
            None => tables(path, &sources, reading)?,
        };
        if shards {
            read.notes.insert(0, shards_note(&read.files, read.rows.of(), read.points.nrows()));
        }
        read.notes.extend(empty_note(&read.files, read.rows.of()));
        Ok(read)
    }

    /// Datapoints, n × N, under a name.
    #[must_use]
    pub fn of(points: impl Into<Datapoints>, name: &str) -> Self {
        let points = points.into();
        let (path, rows) = (PathBuf::from(name), Rows::all(points.ncols()));
        Self { points, rows, files: vec![(path.clone(), 0)], path, notes: Vec::new() }
    }

    /// What a reader should know: how shards were ordered, axes joined, a header left out.
    #[must_use]
    pub fn notes(&self) -> &[String] {
        &self.notes
    }

    /// Number of rows in the files.
    #[must_use]
    pub fn len(&self) -> usize {
        self.rows.of()
    }

    /// Whether there is none, which is an error before.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.rows.of() == 0
    }

    /// Dimension n.
    #[must_use]
    pub fn dim(&self) -> usize {
        self.points.nrows()
    }
}

/// How shards were ordered.
fn shards_note(files: &[(PathBuf, usize)], rows: usize, dim: usize) -> String {
    let name = |file: Option<&(PathBuf, usize)>| {
        let name = file.and_then(|(path, _)| path.file_name());
        name.map_or_else(String::new, |name| name.to_string_lossy().into_owned())
    };
    format!(
        "{} files in natural order, {} to {}: {rows} rows of {dim} numbers",
        files.len(),
        name(files.first()),
        name(files.last()),
    )
}

/// How many files hold nothing, if any.
fn empty_note(files: &[(PathBuf, usize)], rows: usize) -> Option<String> {
    let ends = files.iter().skip(1).map(|(_, first)| *first).chain([rows]);
    let empty = files.iter().zip(ends).filter(|((_, first), end)| first == end).count();
    (empty > 0).then(|| format!("{empty} of {} files hold no row", files.len()))
}

/// The file of a row, and the row's number in it.
fn place(files: &[(PathBuf, usize)], row: usize) -> (&Path, usize) {
    let at = files.partition_point(|(_, first)| *first <= row) - 1;
    let (path, first) = &files[at];
    (path, row - first)
}

/// Every shard is of one kind, and its array has one name.
fn check_alike(sources: &[Source]) -> Result<(), FileError> {
    let Some(first) = sources.first() else { return Ok(()) };
    for source in sources {
        let differs =
            |what, expected: String, found: String| Err(unlike(source, first, what, expected, found));
        if source.kind != first.kind {
            return differs("a file of kind", format!("{:?}", first.kind), format!("{:?}", source.kind));
        }
        if source.array != first.array {
            let name = |source: &Source| source.array.clone().unwrap_or_default();
            return differs("an array named", name(first), name(source));
        }
    }
    Ok(())
}

/// The error of a shard that is not like the first.
fn unlike(source: &Source, first: &Source, what: &'static str, expected: String, found: String) -> FileError {
    let (expected, found) = (expected.into_boxed_str(), found.into_boxed_str());
    let first = first.path.clone().into_boxed_path();
    FileError::new(&source.path, FileProblem::Shard { what, expected, found, first })
}

/// The error of a shard of another dimension.
fn other_dimension(source: &Source, first: &Source, expected: usize, found: usize) -> FileError {
    unlike(source, first, "rows of dimension", expected.to_string(), found.to_string())
}

/// What the numbers of all shards are held in.
fn precision(sources: &[Source]) -> Precision {
    let each = sources.iter().map(Source::precision);
    each.reduce(Precision::with).unwrap_or(Precision::F64)
}

/// Reads arrays, whose sizes are known: each number is written where it belongs.
fn arrays<F: Float>(
    path: &Path,
    sources: &[Source],
    sizes: &[(usize, usize)],
    reading: &Reading<'_>,
) -> Result<Activations, FileError> {
    let (files, total, dim) = joined(path, sources, sizes)?;
    let thinning = Thinning::new(total, reading);
    let mut values = zeros::<F>(thinning.kept, dim).map_err(|problem| FileError::new(path, problem))?;
    for (source, (_, first)) in sources.iter().zip(&files) {
        let _ = source.read(0, &mut |row, column, value| {
            if let Some(place) = thinning.place(first + row) {
                values[place * dim + column] = F::nearest(value);
            }
            ControlFlow::Continue(())
        })?;
    }
    let notes = sources.iter().filter_map(Source::note).take(1).collect();
    Ok(assemble(path, values, dim, files, &thinning, notes))
}

/// Files, and the first row of each.
type Files = Vec<(PathBuf, usize)>;

/// The first row of each array, how many rows there are in all, and their dimension.
fn joined(
    path: &Path,
    sources: &[Source],
    sizes: &[(usize, usize)],
) -> Result<(Files, usize, usize), FileError> {
    let dim = sizes[0].1;
    let mut files = Vec::with_capacity(sources.len());
    let mut total: usize = 0;
    for (source, &(rows, found)) in sources.iter().zip(sizes) {
        if found != dim {
            return Err(other_dimension(source, &sources[0], dim, found));
        }
        files.push((source.path.clone(), total));
        total = total
            .checked_add(rows)
            .ok_or_else(|| FileError::new(&source.path, FileProblem::HeaderContent))?;
    }
    if total == 0 {
        return Err(FileError::new(path, FileProblem::Empty { found: vec![0, dim as u64] }));
    }
    Ok((files, total, dim))
}

/// Reads text, whose size is known when it is read: a first time where only some rows are
/// wanted.
fn tables(path: &Path, sources: &[Source], reading: &Reading<'_>) -> Result<Activations, FileError> {
    let mut thinning = None;
    if reading.most.is_some() {
        let mut total: usize = 0;
        for source in sources {
            total += source.table(&mut |_| false, &mut Vec::new())?.rows;
        }
        thinning = Some(Thinning::new(total, reading));
    }
    let wanted = |row| thinning.as_ref().is_none_or(|thinning| thinning.place(row).is_some());
    let (mut values, mut files, mut notes) = (Vec::new(), Vec::new(), Vec::new());
    let (mut total, mut dim) = (0, None);
    for source in sources {
        let first = total;
        files.push((source.path.clone(), first));
        let found = source.table(&mut |row| wanted(first + row), &mut values)?;
        if found.rows == 0 {
            let found = vec![0, found.dim as u64];
            return Err(FileError::new(&source.path, FileProblem::Empty { found }));
        }
        let expected = *dim.get_or_insert(found.dim);
        if found.dim != expected {
            return Err(other_dimension(source, &sources[0], expected, found.dim));
        }
        if let Some(line) = found.header.filter(|_| notes.is_empty()) {
            notes.push(format!("line {line} is a header and was left out"));
        }
        total += found.rows;
    }
    let dim = dim.ok_or_else(|| FileError::new(path, FileProblem::NoData))?;
    let thinning = thinning.unwrap_or(Thinning { total, kept: total });
    Ok(assemble(path, values, dim, files, &thinning, notes))
}

fn assemble<F: Float>(
    path: &Path,
    values: Vec<F>,
    dim: usize,
    files: Vec<(PathBuf, usize)>,
    thinning: &Thinning,
    notes: Vec<String>,
) -> Activations {
    let count = values.len() / dim;
    let points = Datapoints::from_column_major(dim, count, values).expect("whole rows");
    let Thinning { total, kept } = *thinning;
    let rows = if kept == total {
        Rows::all(total)
    } else {
        Rows::kept(total, (0..kept).map(|place| thinning.row(place)).collect())
    };
    Activations { points, rows, path: path.to_path_buf(), files, notes }
}

/// Which rows are read: `⌊i·total/kept⌋` for `i < kept`.
struct Thinning {
    total: usize,
    kept: usize,
}

impl Thinning {
    fn new(total: usize, reading: &Reading<'_>) -> Self {
        Self { total, kept: reading.most.map_or(total, |most| total.min(most.get())) }
    }

    /// The row that is read in a place.
    fn row(&self, place: usize) -> usize {
        let row = place as u128 * self.total as u128 / self.kept as u128;
        usize::try_from(row).expect("below the number of rows")
    }

    /// The place of a row, where it is read.
    fn place(&self, row: usize) -> Option<usize> {
        if self.kept == self.total {
            return Some(row);
        }
        let place = (row as u128 * self.kept as u128).div_ceil(self.total as u128);
        let place = usize::try_from(place).expect("at most the number of rows");
        (place < self.kept && self.row(place) == row).then_some(place)
    }
}

/// Zeros, for which the system finds memory when they are written to.
fn zeros<F: Float>(rows: usize, dim: usize) -> Result<Vec<F>, FileProblem> {
    let count = rows.checked_mul(dim).ok_or(FileProblem::HeaderContent)?;
    let memory = |_| FileProblem::Memory { rows, dim };
    // Asked for first, because what follows ends the process where there is none.
    Vec::<F>::new().try_reserve_exact(count).map_err(memory)?;
    Ok(vec![F::default(); count])
}

#[cfg(test)]
mod tests {
    use super::Thinning;

    #[test]
    fn as_many_rows_as_are_asked_for_evenly_spaced() {
        for (total, kept) in [(400, 399), (400, 250), (400, 201), (400, 60), (7, 7), (5, 1), (13, 4)] {
            let thinning = Thinning { total, kept };
            let rows: Vec<usize> = (0..total).filter(|row| thinning.place(*row).is_some()).collect();
            assert_eq!(rows, (0..kept).map(|place| thinning.row(place)).collect::<Vec<_>>());
            assert!(rows.iter().enumerate().all(|(place, row)| thinning.place(*row) == Some(place)));
            let steps: Vec<usize> = rows.windows(2).map(|pair| pair[1] - pair[0]).collect();
            let (least, most) = (total / kept, total.div_ceil(kept));
            assert!(steps.iter().all(|step| (least..=most).contains(step)), "{steps:?}");
        }
    }
}
