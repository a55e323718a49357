//! Safetensors: a header of names, types and shapes, then numbers.

use std::collections::HashMap;
use std::fs::File;
use std::io::{Read, Seek, SeekFrom, Write};
use std::path::{Path, PathBuf};

use half::{bf16, f16};
use safetensors::tensor::{Dtype, Metadata, TensorView};

use super::{FileError, FileProblem, replace};

/// Longest header accepted. An autoencoder has some five tensors of a hundred
/// bytes each; this is room for ten thousand.
const MAX_HEADER: u64 = 1 << 20;

/// A safetensors file whose header has been read and fits its length. Numbers are
/// read when they are asked for, a tensor at a time.
pub(super) struct Tensors {
    path: PathBuf,
    file: File,
    start: u64,
    metadata: Metadata,
}

impl Tensors {
    pub(super) fn open(path: &Path) -> Result<Self, FileError> {
        Self::opened(path).map_err(|problem| FileError::new(path, problem))
    }

    fn opened(path: &Path) -> Result<Self, FileProblem> {
        let mut file = File::open(path)?;
        let length = file.metadata()?.len();
        let (start, metadata) = read_header(&mut file, length)?;
        Ok(Self { path: path.to_path_buf(), file, start, metadata })
    }

    /// The names in order.
    pub(super) fn names(&self) -> Vec<String> {
        let mut names = self.metadata.offset_keys();
        names.sort();
        names
    }

    pub(super) fn shape(&self, name: &str) -> Option<&[usize]> {
        Some(&self.metadata.info(name)?.shape)
    }

    /// Whether a tensor holds floating-point numbers.
    pub(super) fn is_float(&self, name: &str) -> bool {
        self.metadata
            .info(name)
            .is_some_and(|info| matches!(info.dtype, Dtype::F16 | Dtype::BF16 | Dtype::F32 | Dtype::F64))
    }

    /// The one number of a tensor, an integer or a floating-point number.
    pub(super) fn number(&mut self, name: &str) -> Result<f64, FileError> {
        self.read_number(name).map_err(|problem| FileError::in_array(&self.path, name, problem))
    }

    fn read_number(&mut self, name: &str) -> Result<f64, FileProblem> {
        let info = self.metadata.info(name).ok_or(FileProblem::MissingArray)?;
        let count = info.shape.iter().product::<usize>();
        if count != 1 {
            return Err(FileProblem::Count { expected: 1, found: count });
        }
        let (dtype, from) = (info.dtype, info.data_offsets.0);
        if !matches!(dtype, Dtype::I32 | Dtype::I64) {
            return self.read(name).map(|values| values[0]);
        }
        self.file.seek(SeekFrom::Start(self.start + from as u64))?;
        let mut bytes = [0; 8];
        let size = dtype.bitsize() / 8;
        self.file.read_exact(&mut bytes[..size])?;
        let [a, b, c, d, ..] = bytes;
        #[expect(clippy::cast_precision_loss, reason = "counts are far below 2^53")]
        let wide = i64::from_le_bytes(bytes) as f64;
        Ok(if size == 4 { f64::from(i32::from_le_bytes([a, b, c, d])) } else { wide })
    }

    /// The numbers of a tensor, row after row, all finite.
    pub(super) fn floats(&mut self, name: &str) -> Result<Vec<f64>, FileError> {
        self.read(name).map_err(|problem| FileError::in_array(&self.path, name, problem))
    }

    fn read(&mut self, name: &str) -> Result<Vec<f64>, FileProblem> {
        let info = self.metadata.info(name).ok_or(FileProblem::MissingArray)?;
        let (dtype, columns) = (info.dtype, info.shape.last().copied().unwrap_or(1));
        let (from, to) = info.data_offsets;
        let one_dimension = info.shape.len() < 2;
        #[expect(clippy::wildcard_enum_match_arm, reason = "every other type is the same error")]
        let decode: fn(&[u8]) -> f64 = match dtype {
            Dtype::F16 => |b| f64::from(f16::from_le_bytes([b[0], b[1]])),
            Dtype::BF16 => |b| f64::from(bf16::from_le_bytes([b[0], b[1]])),
            Dtype::F32 => |b| f64::from(f32::from_le_bytes([b[0], b[1], b[2], b[3]])),
            Dtype::F64 => |b| f64::from_le_bytes([b[0], b[1], b[2], b[3], b[4], b[5], b[6], b[7]]),
            other => {
                return Err(FileProblem::Type {
                    expected: "numbers of type F16, BF16, F32 or F64",
                    found: format!("{other:?}"),
                });
            }
        };
        let item = dtype.bitsize() / 8;
        self.file.seek(SeekFrom::Start(self.start + from as u64))?;
        // The header's offsets were checked against the length of the file.
        let mut bytes = vec![0; to - from];
        self.file.read_exact(&mut bytes)?;
        let values: Vec<f64> = bytes.chunks_exact(item).map(decode).collect();
        match values.iter().position(|v| !v.is_finite()) {
            Some(at) if one_dimension => {
                Err(FileProblem::NotFinite { row: at, column: 0, value: values[at] })
            }
            Some(at) => {
                Err(FileProblem::NotFinite { row: at / columns, column: at % columns, value: values[at] })
            }
            None => Ok(values),
        }
    }
}

/// Where the numbers begin, and what the header says, which fits `length` bytes.
pub(super) fn read_header(reader: &mut impl Read, length: u64) -> Result<(u64, Metadata), FileProblem> {
    let mut size = Vec::new();
    reader.by_ref().take(8).read_to_end(&mut size)?;
    let Ok(size) = <[u8; 8]>::try_from(size) else {
        return Err(FileProblem::TensorBytes { expected: 8, found: length });
    };
    let header = u64::from_le_bytes(size);
    if header > MAX_HEADER {
        return Err(match &size {
            // A zip archive, as torch.save writes, or a bare pickle of protocol 2 to 5.
            [b'P', b'K', 3, 4, ..] | [0x80, 2..=5, ..] => FileProblem::Pickle,
            _ => FileProblem::HeaderLength { found: header, limit: MAX_HEADER },
        });
    }
    let mut text = Vec::new();
    reader.by_ref().take(header).read_to_end(&mut text)?;
    if text.len() as u64 != header {
        return Err(FileProblem::TensorBytes { expected: 8 + header, found: length });
    }
    let metadata: Metadata = serde_json::from_slice(&text).map_err(FileProblem::TensorHeader)?;
    let (expected, found) = (metadata.data_len() as u64, length - 8 - header);
    if expected != found {
        return Err(FileProblem::TensorBytes { expected, found });
    }
    Ok((8 + header, metadata))
}

/// A tensor to be written: its name, its shape, its numbers row after row.
pub(super) struct Named<'a> {
    pub(super) name: &'static str,
    pub(super) shape: Vec<usize>,
    pub(super) values: &'a [f64],
}

/// Writes tensors as F64, whole or not at all.
pub(super) fn write(path: &Path, tensors: &[Named<'_>]) -> Result<(), FileError> {
    let bytes: Vec<Vec<u8>> =
        tensors.iter().map(|t| t.values.iter().flat_map(|v| v.to_le_bytes()).collect()).collect();
    replace(path, |writer| {
        let views = tensors
            .iter()
            .zip(&bytes)
            .map(|(t, bytes)| Ok((t.name, TensorView::new(Dtype::F64, t.shape.clone(), bytes)?)))
            .collect::<Result<Vec<_>, safetensors::SafeTensorError>>()?;
        let note = HashMap::from([("format".to_owned(), "pt".to_owned())]);
        writer.write_all(&safetensors::serialize(views, Some(note))?)?;
        Ok(())
    })
}

/// Writes vectors as F64, whole or not at all.
pub(crate) fn write_vectors<const K: usize>(
    path: &Path,
    names: [&'static str; K],
    vectors: [&[f64]; K],
) -> Result<(), FileError> {
    let named = names.into_iter().zip(vectors);
    let tensors: Vec<Named<'_>> =
        named.map(|(name, values)| Named { name, shape: vec![values.len()], values }).collect();
    write(path, &tensors)
}

/// Reads vectors of finite numbers, of these lengths where one is told.
pub(crate) fn read_vectors<const K: usize>(
    path: &Path,
    names: [&'static str; K],
    lengths: [Option<usize>; K],
) -> Result<[Vec<f64>; K], FileError> {
    let mut tensors = Tensors::open(path)?;
    let mut vectors = [const { Vec::new() }; K];
    for ((name, length), vector) in names.into_iter().zip(lengths).zip(&mut vectors) {
        *vector = tensors.floats(name)?;
        if let Some(expected) = length.filter(|expected| *expected != vector.len()) {
            let problem = FileProblem::Count { expected, found: vector.len() };
            return Err(FileError::in_array(path, name, problem));
        }
    }
    Ok(vectors)
}
