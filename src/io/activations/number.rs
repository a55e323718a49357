//! How numbers lie in a file: their type, their order, their shape.

use std::io::{self, Read};
use std::ops::ControlFlow;

use half::{bf16, f16};
use npyz::{DType, NpyHeader, Order, TypeChar};
use safetensors::Dtype;

use super::super::FileProblem;

/// Bytes decoded at a time: beside the matrix nothing larger is held.
const PIECE: usize = 1 << 16;

/// Axes accepted, and what they are.
const AXES: &str =
    "an array of 2 dimensions (a datapoint a row) or 3 (batch × position × a datapoint's numbers)";

/// Magnitudes of bfloat16 within 2^±40: activations lie there, and their bits as integers
/// lie from 11136 to 21503, where whole numbers rarely all do.
const BFLOAT: std::ops::RangeInclusive<u16> = 0x2b80..=0x53ff;

/// A type of numbers.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Number {
    F16,
    Bf16,
    F32,
    F64,
    Bool,
    Signed(usize),
    Unsigned(usize),
}

/// The type that numbers are held in: that of the file, doubles for whole numbers and text.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Precision {
    F16,
    Bf16,
    F32,
    F64,
}

impl Precision {
    /// The narrowest that holds the numbers of both.
    pub(super) fn with(self, other: Self) -> Self {
        match (self, other) {
            (one, other) if one == other => one,
            (Self::F64, _) | (_, Self::F64) => Self::F64,
            _ => Self::F32,
        }
    }
}

impl Number {
    pub(super) fn precision(self) -> Precision {
        match self {
            Self::F16 => Precision::F16,
            Self::Bf16 => Precision::Bf16,
            Self::F32 => Precision::F32,
            Self::F64 | Self::Bool | Self::Signed(_) | Self::Unsigned(_) => Precision::F64,
        }
    }

    pub(super) fn of_npy(dtype: &DType) -> Result<(Self, bool), FileProblem> {
        let refused = |hint| FileProblem::NotNumbers { found: dtype.descr(), hint };
        let DType::Plain(plain) = dtype else { return Err(refused(RECORDS)) };
        let size = usize::try_from(plain.size_field()).unwrap_or(usize::MAX);
        let number = match (plain.type_char(), size) {
            (TypeChar::Float, 2) => Self::F16,
            (TypeChar::Float, 4) => Self::F32,
            (TypeChar::Float, 8) => Self::F64,
            (TypeChar::Bool, 1) => Self::Bool,
            (TypeChar::Int, 1 | 2 | 4 | 8) => Self::Signed(size),
            (TypeChar::Uint, 1 | 2 | 4 | 8) => Self::Unsigned(size),
            (TypeChar::RawData, 2) => return Err(refused(BFLOAT16)),
            (TypeChar::Object, _) => return Err(refused(OBJECTS)),
            (TypeChar::Complex, _) => return Err(refused(COMPLEX)),
            _ => return Err(refused(NUMBERS)),
        };
        Ok((number, matches!(plain.endianness(), npyz::Endianness::Big)))
    }

    #[expect(clippy::wildcard_enum_match_arm, reason = "every other type is the same error")]
    pub(super) fn of_tensor(dtype: Dtype) -> Result<Self, FileProblem> {
        Ok(match dtype {
            Dtype::F16 => Self::F16,
            Dtype::BF16 => Self::Bf16,
            Dtype::F32 => Self::F32,
            Dtype::F64 => Self::F64,
            Dtype::BOOL => Self::Bool,
            Dtype::I8 => Self::Signed(1),
            Dtype::I16 => Self::Signed(2),
            Dtype::I32 => Self::Signed(4),
            Dtype::I64 => Self::Signed(8),
            Dtype::U8 => Self::Unsigned(1),
            Dtype::U16 => Self::Unsigned(2),
            Dtype::U32 => Self::Unsigned(4),
            Dtype::U64 => Self::Unsigned(8),
            other => return Err(FileProblem::NotNumbers { found: format!("{other:?}"), hint: NUMBERS }),
        })
    }

    pub(super) fn bytes(self) -> usize {
        match self {
            Self::F16 | Self::Bf16 => 2,
            Self::F32 => 4,
            Self::F64 => 8,
            Self::Bool => 1,
            Self::Signed(bytes) | Self::Unsigned(bytes) => bytes,
        }
    }

    /// The number of these bytes, the lowest first; `None` for a whole number that no
    /// double is.
    fn decode(self, bytes: &[u8]) -> Option<f64> {
        let mut all = [0; 8];
        all[..bytes.len()].copy_from_slice(bytes);
        let [a, b, c, d, ..] = all;
        let unsigned = u64::from_le_bytes(all);
        Some(match self {
            Self::F16 => f64::from(f16::from_le_bytes([a, b])),
            Self::Bf16 => f64::from(bf16::from_le_bytes([a, b])),
            Self::F32 => f64::from(f32::from_le_bytes([a, b, c, d])),
            Self::F64 => f64::from_le_bytes(all),
            Self::Bool => f64::from(u8::from(a != 0)),
            Self::Unsigned(_) => exact(i128::from(unsigned))?,
            Self::Signed(size) => {
                let above = 64 - 8 * u32::try_from(size).expect("at most 8 bytes");
                exact(i128::from((unsigned << above).cast_signed() >> above))?
            }
        })
    }
}

/// The same whole number as a double.
#[expect(clippy::cast_precision_loss, clippy::cast_possible_truncation, reason = "compared with what it was")]
fn exact(whole: i128) -> Option<f64> {
    let double = whole as f64;
    (double as i128 == whole).then_some(double)
}

const RECORDS: &str = "a structured array: save the one field that holds the activations";
const OBJECTS: &str = "Python objects, as numpy makes of rows of different lengths: np.save(\"x.npy\", \
                       np.concatenate(list(x)).astype(\"float32\"))";
const COMPLEX: &str = "complex numbers: save their real and imaginary parts side by side";
const NUMBERS: &str = "read are float16, bfloat16, float32, float64, integers and booleans: \
                       np.save(\"x.npy\", x.astype(\"float32\"))";
const BFLOAT16: &str = "two raw bytes, as numpy stores the bfloat16 of ml_dtypes: \
                        np.save(\"x.npy\", x.astype(\"float32\"))";

/// An array in a file: what its numbers are and how they follow each other.
#[derive(Clone, Debug, PartialEq)]
pub(super) struct Layout {
    pub(super) number: Number,
    pub(super) big_endian: bool,
    pub(super) fortran: bool,
    pub(super) shape: Vec<u64>,
}

impl Layout {
    pub(super) fn of_npy(header: &NpyHeader) -> Result<Self, FileProblem> {
        let (number, big_endian) = Number::of_npy(&header.dtype())?;
        let fortran = header.order() == Order::Fortran;
        Ok(Self { number, big_endian, fortran, shape: header.shape().to_vec() })
    }

    /// Bytes of the array.
    pub(super) fn bytes(&self) -> Result<u64, FileProblem> {
        let count = self.shape.iter().try_fold(1_u64, |product, &size| product.checked_mul(size));
        count.and_then(|n| n.checked_mul(self.number.bytes() as u64)).ok_or(FileProblem::HeaderContent)
    }

    /// Rows and columns, the leading axes joined.
    pub(super) fn plane(&self) -> Result<(usize, usize), FileProblem> {
        let (rows, dim) = match *self.shape {
            [rows, dim] => (Some(rows), dim),
            [batch, position, dim] => (batch.checked_mul(position), dim),
            _ => return Err(FileProblem::Dimensions { expected: AXES, found: self.shape.clone() }),
        };
        let size = |size: Option<u64>| size.and_then(|s| usize::try_from(s).ok());
        let (rows, dim) = size(rows).zip(size(Some(dim))).ok_or(FileProblem::HeaderContent)?;
        if dim == 0 { Err(FileProblem::Empty { found: self.shape.clone() }) } else { Ok((rows, dim)) }
    }

    /// Row and column of the number at a place in a file of Fortran order.
    fn place(&self, at: usize, rows: usize) -> (usize, usize) {
        // The first axis runs fastest; rows count the second one fastest.
        let positions = if let [_, positions, _] = *self.shape { positions } else { 1 };
        let positions = usize::try_from(positions).expect("a factor of the number of rows");
        let (row, column) = (at % rows, at / rows);
        let batch = rows / positions;
        (row % batch * positions + row / batch, column)
    }

    /// Where a row begins, in bytes from the first number; only rows of C order lie so.
    pub(super) fn skipped(&self, row: usize) -> Result<u64, FileProblem> {
        Ok((row * self.plane()?.1 * self.number.bytes()) as u64)
    }

    /// Reads the numbers from a row on, where `reader` stands, a piece at a time and hands each
    /// with its row and column to `put`, in the order of the file, until it has enough.
    ///
    /// # Errors
    /// [`FileProblem`] where the file ends early, for whole numbers that no double is,
    /// and for 16-bit integers that are the bits of bfloat16.
    pub(super) fn read(
        &self,
        reader: &mut impl Read,
        from: usize,
        mut put: impl FnMut(usize, usize, f64) -> ControlFlow<()>,
    ) -> Result<ControlFlow<()>, FileProblem> {
        let ((rows, dim), expected, item) = (self.plane()?, self.bytes()?, self.number.bytes());
        let mut piece = vec![0; PIECE];
        let (mut left, mut bits) = (expected - self.skipped(from)?, Bits::default());
        let (mut at, mut row, mut column) = (0, from, 0);
        let mut staged = Staged::default();
        let stages = self.fortran && dim >= LONG;
        while left > 0 {
            let size = usize::try_from(left).unwrap_or(PIECE).min(PIECE);
            let bytes = &mut piece[..size];
            let found = read_all(reader, bytes)?;
            if found < size {
                let found = expected - left + found as u64;
                return Err(FileProblem::Length { shape: self.shape.clone(), expected, found });
            }
            left -= size as u64;
            for bytes in bytes.chunks_exact_mut(item) {
                if self.big_endian {
                    bytes.reverse();
                }
                if self.fortran {
                    (row, column) = self.place(at, rows);
                    at += 1;
                } else if column == dim {
                    (row, column) = (row + 1, 0);
                }
                let value = self.number.decode(bytes).ok_or(FileProblem::Inexact { row, column })?;
                if matches!(self.number, Number::Signed(2) | Number::Unsigned(2)) {
                    bits.count(u16::from_le_bytes([bytes[0], bytes[1]]));
                }
                let flow = if stages {
                    staged.push((row, column, value), rows, &mut put)
                } else {
                    put(row, column, value)
                };
                if flow.is_break() {
                    return Ok(flow);
                }
                column += 1;
            }
        }
        let flow = staged.flush(rows, &mut put);
        if bits.are_bfloat() { Err(FileProblem::BfloatBits) } else { Ok(flow) }
    }
}

/// Rows of so many numbers lie far apart: columns are then written several at a time, a
/// cache line a row, for an eighth of the matrix in doubles more memory at most.
const LONG: usize = 64;

/// Columns written at a time.
const COLUMNS: usize = 8;

/// Columns in Fortran order that are not in their places yet.
#[derive(Default)]
struct Staged {
    values: Vec<f64>,
    /// The rows, in the file's order.
    rows: Vec<usize>,
    /// The first column.
    column: usize,
}

impl Staged {
    fn push(
        &mut self,
        (row, column, value): (usize, usize, f64),
        rows: usize,
        put: &mut impl FnMut(usize, usize, f64) -> ControlFlow<()>,
    ) -> ControlFlow<()> {
        if self.values.len() == COLUMNS * rows {
            self.flush(rows, put)?;
        }
        if self.values.is_empty() {
            self.column = column;
        }
        if column == 0 {
            self.rows.push(row);
        }
        self.values.push(value);
        ControlFlow::Continue(())
    }

    fn flush(
        &mut self,
        rows: usize,
        put: &mut impl FnMut(usize, usize, f64) -> ControlFlow<()>,
    ) -> ControlFlow<()> {
        for (at, &row) in self.rows.iter().enumerate() {
            for (k, value) in self.values.iter().skip(at).step_by(rows).enumerate() {
                put(row, self.column + k, *value)?;
            }
        }
        self.values.clear();
        ControlFlow::Continue(())
    }
}

/// As many bytes as there are, at most those asked for.
fn read_all(reader: &mut impl Read, bytes: &mut [u8]) -> io::Result<usize> {
    let mut found = 0;
    while found < bytes.len() {
        match reader.read(&mut bytes[found..]) {
            Ok(0) => break,
            Ok(count) => found += count,
            Err(error) if error.kind() == io::ErrorKind::Interrupted => {}
            Err(error) => return Err(error),
        }
    }
    Ok(found)
}

/// Numpy has no bfloat16, so its bits are kept as 16-bit integers, which widened would be
/// wrong without a word.
#[derive(Default)]
struct Bits {
    /// Those that are neither 0 nor −0.
    nonzero: u64,
    /// Of these, those that are of the magnitude of activations.
    plausible: u64,
}

impl Bits {
    fn count(&mut self, bits: u16) {
        let magnitude = bits & 0x7fff;
        self.nonzero += u64::from(magnitude != 0);
        self.plausible += u64::from(BFLOAT.contains(&magnitude));
    }

    fn are_bfloat(&self) -> bool {
        self.nonzero > 0 && 2 * self.plausible >= self.nonzero
    }
}
