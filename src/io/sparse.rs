//! Codes as scipy's sparse `.npz`, N × M with a datapoint a row.

use std::fs::File;
use std::io::{BufReader, BufWriter, Cursor, Read, Seek};
use std::path::Path;

use npyz::{WriteOptions, WriterBuilder};
use sprs::CsMat;

use super::archive::{Archive, ArchiveWriter};
use super::npy::{floats, integers, text};
use super::{FileError, FileProblem, replace};
use crate::atoms::Codes;

/// Writes codes as `scipy.sparse.save_npz` does: CSR, N × M, f64. The archive
/// carries no time: the same codes are the same bytes.
///
/// # Errors
/// [`FileError`] when the file cannot be written.
pub fn write_codes(path: &Path, codes: &Codes) -> Result<(), FileError> {
    // The columns of an M × N matrix held by columns are the rows of its transpose.
    let view = codes.view();
    let starts = view.proper_indptr();
    let shape = [codes.datapoints(), codes.atoms()];
    let format = "|S3".parse().expect("numpy's type of three bytes");
    replace(path, |writer: &mut BufWriter<File>| {
        let mut archive = ArchiveWriter::new(writer);
        let array = WriteOptions::new().dtype(npyz::DType::Plain(format)).shape(&[]);
        array.writer(archive.array("format")?).begin_nd()?.push(b"csr".as_slice())?;
        for (name, values) in [("shape", &shape[..]), ("indices", view.indices()), ("indptr", &starts)] {
            let array = WriteOptions::new().default_dtype().shape(&[values.len() as u64]);
            array.writer(archive.array(name)?).begin_nd()?.extend(values.iter().map(|&v| signed(v)))?;
        }
        let array = WriteOptions::new().default_dtype().shape(&[view.data().len() as u64]);
        array.writer(archive.array("data")?).begin_nd()?.extend(view.data())?;
        archive.finish()
    })
}

/// An index as numpy stores it.
fn signed(index: usize) -> i64 {
    i64::try_from(index).expect("an index of something held in memory")
}

/// Reads codes of `points` datapoints over `atoms` atoms from a sparse `.npz` in
/// CSR, CSC or COO format, f32 or f64.
///
/// Indices need not be sorted; entries at one place are summed in the order they
/// are stored, as scipy does. The shape is asked for because a claim in the file
/// must not decide how much memory is taken.
///
/// # Errors
/// [`FileError`] for an archive that is damaged, unpacks to far more than its
/// size, has another shape, indices out of range, or codes that are negative or
/// not finite.
pub fn read_codes(path: &Path, points: usize, atoms: usize) -> Result<Codes, FileError> {
    let whole = |problem| FileError::new(path, problem);
    let mut sparse = SparseFile::open(path)?;

    let format = sparse.read("format", text)?;
    let found = sparse.shape()?;
    if found != (points as u64, atoms as u64) {
        return Err(whole(FileProblem::Shape { expected: (points, atoms), found }));
    }
    let entries = match format.as_str() {
        "csr" => sparse.compressed(points, atoms, |point, atom| (point, atom))?,
        "csc" => sparse.compressed(atoms, points, |atom, point| (point, atom))?,
        "coo" => sparse.coordinates(points, atoms)?,
        _ => return Err(FileError::in_array(path, "format", FileProblem::Format { found: format })),
    };
    codes(points, atoms, entries).map_err(whole)
}

/// Number of rows that a file of codes says it has.
pub(super) fn code_rows(path: &Path) -> Result<u64, FileError> {
    Ok(SparseFile::open(path)?.shape()?.0)
}

/// A code: (datapoint, atom) and its value.
type Entry = ((usize, usize), f64);

fn codes(points: usize, atoms: usize, mut entries: Vec<Entry>) -> Result<Codes, FileProblem> {
    // Stable, so that equal places keep their stored order.
    entries.sort_by_key(|(place, _)| *place);
    entries.dedup_by(|next, kept| {
        let same = next.0 == kept.0;
        if same {
            kept.1 += next.1;
        }
        same
    });
    // A format other than CSR says how many rows there are and holds nothing of most.
    let count = points.saturating_add(1);
    let mut starts = Vec::new();
    starts.try_reserve_exact(count).map_err(|_| FileProblem::Memory { rows: count, dim: 1 })?;
    starts.resize(count, 0);
    for ((point, _), _) in &entries {
        starts[point + 1] += 1;
    }
    for i in 0..points {
        starts[i + 1] += starts[i];
    }
    let (indices, values) = entries.into_iter().map(|((_, atom), value)| (atom, value)).unzip();
    Ok(Codes::new(CsMat::new_csc((atoms, points), starts, indices, values))?)
}

/// An archive that should hold a sparse matrix; its errors name file and array.
struct SparseFile<'a, R: Read + Seek> {
    path: &'a Path,
    archive: Archive<R>,
}

impl<'a> SparseFile<'a, BufReader<File>> {
    fn open(path: &'a Path) -> Result<Self, FileError> {
        let whole = |problem| FileError::new(path, problem);
        let file = File::open(path).map_err(|e| whole(e.into()))?;
        let size = file.metadata().map_err(|e| whole(e.into()))?.len();
        let archive = Archive::open(BufReader::new(file), size).map_err(whole)?;
        Ok(Self { path, archive })
    }
}

impl<R: Read + Seek> SparseFile<'_, R> {
    /// Rows and columns, as the file says.
    fn shape(&mut self) -> Result<(u64, u64), FileError> {
        let path = self.path;
        let shape = self.read("shape", integers)?;
        let [rows, columns] = *shape.as_slice() else {
            let problem = FileProblem::Count { expected: 2, found: shape.len() };
            return Err(FileError::in_array(path, "shape", problem));
        };
        let size = |at: usize, n: i64| {
            u64::try_from(n).map_err(|_| {
                let problem = FileProblem::Index { position: at, least: 0, most: usize::MAX, found: n };
                FileError::in_array(path, "shape", problem)
            })
        };
        Ok((size(0, rows)?, size(1, columns)?))
    }

    /// Unpacks one array and hands it to `decode`.
    fn read<T>(
        &mut self,
        array: &'static str,
        decode: impl FnOnce(Cursor<Vec<u8>>, Option<u64>) -> Result<T, FileProblem>,
    ) -> Result<T, FileError> {
        let path = self.path;
        self.archive
            .unpack(array)
            .and_then(|bytes| {
                let length = bytes.len() as u64;
                decode(Cursor::new(bytes), Some(length))
            })
            .map_err(|problem| FileError::in_array(path, array, problem))
    }

    fn values(&mut self) -> Result<Vec<f64>, FileError> {
        let path = self.path;
        let (header, values) = self.read("data", floats)?;
        if header.shape().len() == 1 {
            Ok(values)
        } else {
            let found = header.shape().to_vec();
            let problem = FileProblem::Dimensions { expected: "an array of 1 dimension", found };
            Err(FileError::in_array(path, "data", problem))
        }
    }

    /// Reads indices, each below `bound`, `count` of them.
    fn indices(&mut self, array: &'static str, count: usize, bound: usize) -> Result<Vec<usize>, FileError> {
        let found = self.read(array, integers)?;
        let checked = if found.len() == count {
            found
                .iter()
                .enumerate()
                .map(|(position, &found)| match usize::try_from(found) {
                    Ok(index) if index < bound => Ok(index),
                    _ => Err(FileProblem::Index { position, least: 0, most: bound.saturating_sub(1), found }),
                })
                .collect()
        } else {
            Err(FileProblem::Count { expected: count, found: found.len() })
        };
        checked.map_err(|problem| FileError::in_array(self.path, array, problem))
    }

    /// Reads `outer + 1` pointers that rise from 0 to `count`.
    fn pointers(&mut self, outer: usize, count: usize) -> Result<Vec<usize>, FileError> {
        let found = self.read("indptr", integers)?;
        let in_indptr = |problem| FileError::in_array(self.path, "indptr", problem);
        if Some(found.len()) != outer.checked_add(1) {
            return Err(in_indptr(FileProblem::Count {
                expected: outer.saturating_add(1),
                found: found.len(),
            }));
        }
        let mut least = 0;
        let mut pointers = Vec::with_capacity(found.len());
        for (position, &found) in found.iter().enumerate() {
            let most = if position == 0 { 0 } else { count };
            if position == outer {
                least = count;
            }
            match usize::try_from(found) {
                Ok(pointer) if least <= pointer && pointer <= most => {
                    least = pointer;
                    pointers.push(pointer);
                }
                _ => return Err(in_indptr(FileProblem::Index { position, least, most, found })),
            }
        }
        Ok(pointers)
    }

    /// CSR or CSC: `place` turns (outer, inner) into (datapoint, atom).
    fn compressed(
        &mut self,
        outer: usize,
        inner: usize,
        place: impl Fn(usize, usize) -> (usize, usize),
    ) -> Result<Vec<Entry>, FileError> {
        let values = self.values()?;
        let pointers = self.pointers(outer, values.len())?;
        let indices = self.indices("indices", values.len(), inner)?;
        let mut entries = Vec::with_capacity(values.len());
        for (o, range) in pointers.windows(2).enumerate() {
            for at in range[0]..range[1] {
                entries.push((place(o, indices[at]), values[at]));
            }
        }
        Ok(entries)
    }

    fn coordinates(&mut self, points: usize, atoms: usize) -> Result<Vec<Entry>, FileError> {
        let values = self.values()?;
        let rows = self.indices("row", values.len(), points)?;
        let columns = self.indices("col", values.len(), atoms)?;
        Ok(rows.into_iter().zip(columns).zip(values).collect())
    }
}
