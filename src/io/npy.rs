//! `.npy` arrays.

use std::fs::File;
use std::io::{self, BufRead, BufReader, Cursor, Read, Seek, SeekFrom, Write};
use std::path::{Path, PathBuf};

use super::archive::Archive;
use super::header::{Header, Order, Scalar, write_header};
use super::{FileError, FileProblem, replace};
use crate::linalg::Matrix;

/// Longest string accepted: the word that names a format.
const MAX_TEXT: usize = 4096;

/// Longest header accepted. NumPy writes 118 bytes for an array of numbers and
/// refuses more than 10 000 itself.
const MAX_HEADER: u64 = 4096;

/// Deepest nesting of brackets accepted: a dictionary that holds a tuple is 2.
/// The header's parser recurses, so depth costs stack.
const MAX_DEPTH: usize = 3;

/// Bytes read or written at a time: beside the numbers nothing larger is held.
const PIECE: usize = 1 << 16;

const FLOATS: &str = "numbers of type float16, float32 or float64";
/// What a zip archive starts with.
const ZIP: &[u8] = b"PK\x03\x04";

const MATRIX: &str = "an array of 2 dimensions, a datapoint or an atom a row";
const VECTOR: &str = "an array of 1 dimension";

/// Reads data: a datapoint a row becomes a datapoint a column, n × N.
///
/// f16, f32 or f64, C or Fortran order, either byte order, plain or as the one
/// array of an `.npz` archive. For files larger than the memory see [`PointReader`], for
/// other kinds of files [`Activations`](super::Activations).
///
/// # Errors
/// [`FileError`] unless the file holds a whole array of 2 dimensions, neither of
/// them 0, of finite numbers.
pub fn read_points(path: &Path) -> Result<Matrix, FileError> {
    read_rows(path, 1).map_err(|problem| FileError::new(path, problem))
}

/// Reads a dictionary: an atom a row (M × n) becomes an atom a column, n × M.
/// M may be 0.
///
/// # Errors
/// As [`read_points`].
#[doc(alias = "W_dec")]
pub fn read_atoms(path: &Path) -> Result<Matrix, FileError> {
    read_rows(path, 0).map_err(|problem| FileError::new(path, problem))
}

/// Reads weights or a center: an array of 1 dimension, or of 2 of which one is 1.
///
/// # Errors
/// [`FileError`] unless the file is such an array, of finite numbers (the row is
/// then the position, the column 0).
pub fn read_vector(path: &Path) -> Result<Vec<f64>, FileError> {
    let read = || {
        let (header, values) = read_floats(path)?;
        if !matches!(header.shape[..], [_] | [1, _] | [_, 1]) {
            return Err(FileProblem::Dimensions { expected: VECTOR, found: header.shape });
        }
        match values.iter().position(|v| !v.is_finite()) {
            Some(row) => Err(FileProblem::NotFinite { row, column: 0, value: values[row] }),
            None => Ok(values),
        }
    };
    read().map_err(|problem| FileError::new(path, problem))
}

/// Data read a block of points at a time, so that their number is bounded by the
/// disk and not by the memory.
///
/// The header is checked against the length of the file when it is opened; every
/// block is checked for finite numbers when it is read.
///
/// # Examples
/// ```
/// use widedict::io::{PointReader, write_atoms};
/// use widedict::Matrix;
/// # let folder = tempfile::tempdir()?;
/// let path = folder.path().join("x.npy");
/// write_atoms(&path, &Matrix::from_columns(2, &[[1.0, 2.0], [3.0, 4.0], [5.0, 6.0]]))?;
/// let mut reader = PointReader::open(&path)?;
/// assert_eq!((reader.dim(), reader.len()), (2, 3));
/// let mut sum = 0.0;
/// for from in (0..reader.len()).step_by(2) {
///     let block = reader.block(from..(from + 2).min(reader.len()))?;
///     sum += block.as_slice().iter().sum::<f64>();
/// }
/// assert_eq!(sum, 21.0);
/// # Ok::<(), Box<dyn std::error::Error>>(())
/// ```
#[derive(Debug)]
pub struct PointReader {
    path: PathBuf,
    file: File,
    /// Where the numbers begin.
    start: u64,
    kind: Float,
    order: Order,
    dim: usize,
    len: usize,
}

/// How a number is stored.
#[derive(Clone, Copy, Debug)]
struct Float {
    bytes: usize,
    big_endian: bool,
}

impl Float {
    fn decode(self, bytes: &[u8]) -> f64 {
        let mut all = [0; 8];
        let kept = &mut all[..self.bytes];
        kept.copy_from_slice(bytes);
        if self.big_endian {
            kept.reverse();
        }
        let [a, b, c, d, ..] = all;
        match self.bytes {
            2 => f64::from(half::f16::from_le_bytes([a, b])),
            4 => f64::from(f32::from_le_bytes([a, b, c, d])),
            _ => f64::from_le_bytes(all),
        }
    }
}

impl PointReader {
    /// Opens a `.npy` file as [`read_points`] accepts it, and reads its header.
    ///
    /// # Errors
    /// [`FileError`] unless the file is a whole `.npy` array of 2 dimensions, neither
    /// of them 0, of floating-point numbers.
    pub fn open(path: &Path) -> Result<Self, FileError> {
        Self::opened(path).map_err(|problem| FileError::new(path, problem))
    }

    fn opened(path: &Path) -> Result<Self, FileProblem> {
        let file = File::open(path)?;
        let length = file.metadata()?.len();
        let array = Array::open(BufReader::new(&file), Some(length))?;
        let Some(Scalar { letter: 'f', size: bytes @ (2 | 4 | 8), big_endian }) = array.header.scalar else {
            return Err(array.type_error(FLOATS));
        };
        let [rows, columns] = array.header.shape[..] else {
            return Err(FileProblem::Dimensions { expected: MATRIX, found: array.header.shape });
        };
        if rows == 0 || columns == 0 {
            return Err(FileProblem::Empty { found: array.header.shape });
        }
        let (order, start) = (array.header.order, length - array.expected);
        drop(array);
        Ok(Self {
            path: path.to_path_buf(),
            start,
            kind: Float { bytes, big_endian },
            order,
            dim: index(columns)?,
            len: index(rows)?,
            file,
        })
    }

    /// Number of datapoints N.
    #[must_use]
    #[expect(clippy::len_without_is_empty, reason = "there is at least one datapoint")]
    pub fn len(&self) -> usize {
        self.len
    }

    /// Dimension n.
    #[must_use]
    pub fn dim(&self) -> usize {
        self.dim
    }

    /// Reads the datapoints of a range, n × its length.
    ///
    /// # Errors
    /// [`FileError`] for numbers that are not finite, naming row and column in the
    /// file, and where the system refuses.
    ///
    /// # Panics
    /// If the range is not within the datapoints.
    pub fn block(&mut self, range: std::ops::Range<usize>) -> Result<Matrix, FileError> {
        assert!(range.start <= range.end && range.end <= self.len, "a range of the datapoints");
        self.read(range).map_err(|problem| FileError::new(&self.path, problem))
    }

    fn read(&mut self, range: std::ops::Range<usize>) -> Result<Matrix, FileProblem> {
        let Self { kind, dim, len, start, .. } = *self;
        let count = range.len();
        let mut out = Matrix::zeros(dim, count);
        let mut place = |row: usize, column: usize, value: f64| {
            out.col_mut(row)[column] = value;
        };
        match self.order {
            Order::C => {
                let bytes = self.bytes(start, range.start * dim, count * dim)?;
                for (at, item) in bytes.chunks_exact(kind.bytes).enumerate() {
                    place(at / dim, at % dim, kind.decode(item));
                }
            }
            Order::Fortran => {
                for column in 0..dim {
                    let bytes = self.bytes(start, column * len + range.start, count)?;
                    for (row, item) in bytes.chunks_exact(kind.bytes).enumerate() {
                        place(row, column, kind.decode(item));
                    }
                }
            }
        }
        match out.as_slice().iter().position(|v| !v.is_finite()) {
            Some(at) => {
                let (row, column) = (range.start + at / dim, at % dim);
                Err(FileProblem::NotFinite { row, column, value: out.as_slice()[at] })
            }
            None => Ok(out),
        }
    }

    fn bytes(&mut self, start: u64, first: usize, count: usize) -> Result<Vec<u8>, FileProblem> {
        self.file.seek(SeekFrom::Start(start + (first * self.kind.bytes) as u64))?;
        let mut bytes = vec![0; count * self.kind.bytes];
        self.file.read_exact(&mut bytes)?;
        Ok(bytes)
    }
}

/// Writes a dictionary, f64 in C order with an atom a row (M × n).
///
/// # Errors
/// [`FileError`] when the file cannot be written.
#[doc(alias = "W_dec")]
pub fn write_atoms(path: &Path, atoms: &Matrix) -> Result<(), FileError> {
    write(path, &[atoms.ncols() as u64, atoms.nrows() as u64], atoms.as_slice())
}

/// Writes a vector, f64.
///
/// # Errors
/// [`FileError`] when the file cannot be written.
pub fn write_vector(path: &Path, values: &[f64]) -> Result<(), FileError> {
    write(path, &[values.len() as u64], values)
}

fn write(path: &Path, shape: &[u64], values: &[f64]) -> Result<(), FileError> {
    replace(path, |writer| {
        write_header(writer, "<f8", shape)?;
        Ok(write_numbers(writer, values, f64::to_le_bytes)?)
    })
}

/// Writes numbers, a piece at a time.
pub(super) fn write_numbers<T: Copy>(
    writer: &mut impl Write,
    values: &[T],
    bytes_of: impl Fn(T) -> [u8; 8],
) -> io::Result<()> {
    for piece in values.chunks(PIECE / 8) {
        let bytes: Vec<u8> = piece.iter().flat_map(|v| bytes_of(*v)).collect();
        writer.write_all(&bytes)?;
    }
    Ok(())
}

fn read_rows(path: &Path, least_rows: u64) -> Result<Matrix, FileProblem> {
    let (header, values) = read_floats(path)?;
    let [rows, columns] = header.shape[..] else {
        return Err(FileProblem::Dimensions { expected: MATRIX, found: header.shape });
    };
    if rows < least_rows || columns == 0 {
        return Err(FileProblem::Empty { found: header.shape });
    }
    let (rows, columns) = (index(rows)?, index(columns)?);
    let matrix = match header.order {
        Order::C => {
            Matrix::from_column_major(columns, rows, values).expect("as many values as the shape says")
        }
        Order::Fortran => Matrix::from_fn(columns, rows, |column, row| values[column * rows + row]),
    };
    match matrix.as_slice().iter().position(|v| !v.is_finite()) {
        Some(at) => {
            let (row, column) = (at / columns, at % columns);
            Err(FileProblem::NotFinite { row, column, value: matrix.get(column, row) })
        }
        None => Ok(matrix),
    }
}

fn index(size: u64) -> Result<usize, FileProblem> {
    usize::try_from(size).map_err(|_| FileProblem::HeaderContent)
}

/// All numbers of a file in the order they are stored.
fn read_floats(path: &Path) -> Result<(Header, Vec<f64>), FileProblem> {
    let file = File::open(path)?;
    let metadata = file.metadata()?;
    // Of a pipe the length is not known beforehand.
    let length = metadata.is_file().then_some(metadata.len());
    let mut reader = BufReader::new(file);
    match length {
        Some(size) if reader.fill_buf()?.starts_with(ZIP) => {
            let bytes = Archive::open(reader, size)?.only_array()?;
            let length = bytes.len() as u64;
            floats(Cursor::new(bytes), Some(length))
        }
        _ => floats(reader, length),
    }
}

/// All numbers of an array of floats; `length` is that of the source, if known.
pub(super) fn floats(reader: impl Read, length: Option<u64>) -> Result<(Header, Vec<f64>), FileProblem> {
    let array = Array::open(reader, length)?;
    match array.header.scalar {
        Some(Scalar { letter: 'f', size: bytes @ (2 | 4 | 8), big_endian }) => {
            let kind = Float { bytes, big_endian };
            array.values(bytes, |item| kind.decode(item))
        }
        _ => Err(array.type_error(FLOATS)),
    }
}

/// All numbers of an array of 1 dimension of signed integers, as scipy stores indices.
pub(super) fn integers(reader: impl Read, length: Option<u64>) -> Result<Vec<i64>, FileProblem> {
    let array = Array::open(reader, length)?;
    if array.header.shape.len() != 1 {
        return Err(FileProblem::Dimensions { expected: VECTOR, found: array.header.shape });
    }
    let Some(Scalar { letter: 'i', size: size @ (4 | 8), big_endian }) = array.header.scalar else {
        return Err(array.type_error("indices of type int32 or int64"));
    };
    let decode = |item: &[u8]| {
        let byte = |(at, byte): (usize, &u8)| i64::from(*byte) << (8 * at);
        let all =
            |bytes: &mut dyn Iterator<Item = &u8>| bytes.enumerate().map(byte).fold(0, |all, b| all | b);
        let whole = if big_endian { all(&mut item.iter().rev()) } else { all(&mut item.iter()) };
        // The sign of four bytes is that of the lower half.
        let above = if size == 4 { 32 } else { 0 };
        (whole << above) >> above
    };
    array.values(size, decode).map(|(_, values)| values)
}

/// A string, as NumPy stores one: an array of no dimension.
pub(super) fn text(reader: impl Read, length: Option<u64>) -> Result<String, FileProblem> {
    let array = Array::open(reader, length)?;
    let bytes = usize::try_from(array.expected).map_err(|_| FileProblem::HeaderContent)?;
    let decode: fn(&[u8], bool) -> String = match array.header.scalar {
        Some(Scalar { letter: 'S', .. }) => |bytes, _| String::from_utf8_lossy(bytes).into_owned(),
        Some(Scalar { letter: 'U', .. }) => |bytes, big_endian| {
            let characters = bytes.chunks_exact(4).map(|c| {
                let four = [c[0], c[1], c[2], c[3]];
                if big_endian { u32::from_be_bytes(four) } else { u32::from_le_bytes(four) }
            });
            characters.map(|c| char::from_u32(c).unwrap_or(char::REPLACEMENT_CHARACTER)).collect()
        },
        _ => return Err(array.type_error("a string")),
    };
    if array.header.len() != Some(1) || bytes > MAX_TEXT {
        return Err(FileProblem::Dimensions { expected: "one string", found: array.header.shape });
    }
    let big_endian = array.header.scalar.is_some_and(|scalar| scalar.big_endian);
    let (_, mut values) = array.values(bytes, |item| decode(item, big_endian))?;
    // NumPy fills up with zeros.
    Ok(values.pop().unwrap_or_default().trim_end_matches('\0').to_owned())
}

/// An array whose header has been read and whose length fits it.
struct Array<R> {
    header: Header,
    reader: R,
    expected: u64,
}

impl<R: Read> Array<R> {
    /// Reads the header; checks that `length` bytes are what it asks for.
    fn open(mut reader: R, length: Option<u64>) -> Result<Self, FileProblem> {
        let bytes = header_bytes(&mut reader)?;
        let header = Header::parse(&bytes).map_err(FileProblem::NotNpy)?;
        let item = header.scalar.and_then(Scalar::bytes);
        let expected = header.len().and_then(|count| count.checked_mul(item.unwrap_or(0)));
        let array = Self { header, reader, expected: expected.ok_or(FileProblem::HeaderContent)? };
        match length.map(|l| l.saturating_sub(bytes.len() as u64)) {
            Some(found) if item.is_some() && found != array.expected => Err(array.length_error(found)),
            _ => Ok(array),
        }
    }

    /// Reads every entry, which takes memory only as bytes arrive.
    fn values<U>(self, item: usize, decode: impl Fn(&[u8]) -> U) -> Result<(Header, Vec<U>), FileProblem> {
        let Self { header, mut reader, expected } = self;
        let error = |found| FileProblem::Length { shape: header.shape.clone(), expected, found };
        let most = (PIECE / item.max(1)).max(1) * item;
        let (mut values, mut piece, mut read) = (Vec::new(), Vec::new(), 0);
        while read < expected {
            piece.clear();
            let wanted = (expected - read).min(most as u64);
            let found = reader.by_ref().take(wanted).read_to_end(&mut piece)? as u64;
            read += found;
            if found < wanted {
                return Err(error(read));
            }
            values.extend(piece.chunks_exact(item).map(&decode));
        }
        // Reading on finds what is too much, and lets an archive check its sum.
        let beyond = io::copy(&mut reader.take(MAX_HEADER), &mut io::sink())?;
        if beyond > 0 { Err(error(expected + beyond)) } else { Ok((header, values)) }
    }

    fn length_error(&self, found: u64) -> FileProblem {
        FileProblem::Length { shape: self.header.shape.clone(), expected: self.expected, found }
    }

    fn type_error(&self, expected: &'static str) -> FileProblem {
        FileProblem::Type { expected, found: self.header.descr.clone() }
    }
}

/// The bytes up to the data, once they are known to be safe to parse: short, not
/// deeply nested, and with sizes whose product fits 64 bits.
pub(super) fn header_bytes(reader: &mut impl Read) -> Result<Vec<u8>, FileProblem> {
    let mut bytes = Vec::new();
    // Magic and version, then the length: 2 bytes in version 1, 4 since.
    read_more(reader, &mut bytes, 8)?;
    if !bytes.starts_with(b"\x93NUMPY") {
        return Err(FileProblem::NotNpy(io::Error::new(
            io::ErrorKind::InvalidData,
            "the magic number is missing",
        )));
    }
    let size = if bytes[6] == 1 { 2 } else { 4 };
    read_more(reader, &mut bytes, size)?;
    let length = bytes[8..].iter().rev().fold(0_u64, |total, &b| total << 8 | u64::from(b));
    if length > MAX_HEADER {
        return Err(FileProblem::HeaderLength { found: length, limit: MAX_HEADER });
    }
    let start = bytes.len();
    read_more(reader, &mut bytes, length)?;
    if is_plain(&bytes[start..]) { Ok(bytes) } else { Err(FileProblem::HeaderContent) }
}

fn read_more(reader: &mut impl Read, bytes: &mut Vec<u8>, count: u64) -> Result<(), FileProblem> {
    let found = reader.by_ref().take(count).read_to_end(bytes)?;
    if found as u64 == count {
        Ok(())
    } else {
        let message = format!("the file ends after {} bytes, inside the header", bytes.len());
        Err(FileProblem::NotNpy(io::Error::new(io::ErrorKind::UnexpectedEof, message)))
    }
}

fn is_plain(header: &[u8]) -> bool {
    let mut depth = 0_usize;
    for byte in header {
        match byte {
            b'(' | b'[' | b'{' => depth += 1,
            b')' | b']' | b'}' => depth = depth.saturating_sub(1),
            _ => {}
        }
        if depth > MAX_DEPTH {
            return false;
        }
    }
    // Zeros are left out: the product of the others must fit in any order.
    header
        .split(|byte| !byte.is_ascii_digit())
        .filter(|digits| digits.iter().any(|d| *d != b'0'))
        .try_fold(1_u64, |product, digits| {
            digits
                .iter()
                .try_fold(0_u64, |n, d| n.checked_mul(10)?.checked_add(u64::from(d - b'0')))
                .and_then(|n| product.checked_mul(n))
        })
        .is_some()
}
