//! One file of activations: what kind it is, which array of it is read, and its numbers.

use std::fs::File;
use std::io::{BufReader, Cursor, Read, Seek, SeekFrom};
use std::ops::ControlFlow;
use std::path::{Path, PathBuf};

use npyz::NpyHeader;

use super::super::archive::Archive;
use super::super::npy::header_bytes;
use super::super::tensors::read_header;
use super::super::{FileError, FileProblem};
use super::kind::{Kind, SNIFFED};
use super::number::{Layout, Number, Precision};
use super::table;

/// Most arrays that a message lists.
const LISTED: usize = 20;

/// Where bytes come from.
trait Bytes: Read + Seek {}
impl<T: Read + Seek> Bytes for T {}

/// A file that was opened and whose header was read.
pub(super) struct Source {
    pub(super) path: PathBuf,
    pub(super) kind: Kind,
    /// All bytes of a pipe, which cannot be read again.
    spooled: Option<Vec<u8>>,
    /// The array that is read, of a kind that holds several.
    pub(super) array: Option<String>,
    /// `None` for text, whose size only reading tells.
    layout: Option<Layout>,
}

/// An array of an archive, for messages.
struct Listed {
    name: String,
    what: String,
}

impl Source {
    /// Opens a file and reads its header; `key` names the array where there are several.
    pub(super) fn open(path: &Path, key: Option<&str>) -> Result<Self, FileError> {
        let at = |problem| FileError::new(path, problem);
        let file = File::open(path).map_err(|e| at(e.into()))?;
        let regular = file.metadata().map_err(|e| at(e.into()))?.is_file();
        let mut start = Vec::new();
        let mut reader = file.take(SNIFFED);
        reader.read_to_end(&mut start).map_err(|e| at(e.into()))?;
        let kind = Kind::of(path, &start, regular).map_err(at)?;
        let mut source = Self { path: path.to_path_buf(), kind, spooled: None, array: None, layout: None };
        if !regular {
            reader.into_inner().read_to_end(&mut start).map_err(|e| at(e.into()))?;
            source.spooled = Some(start);
        }
        if key.is_some() && !kind.has_keys() {
            return Err(at(FileProblem::NoKeys));
        }
        source.describe(key)?;
        Ok(source)
    }

    /// Rows and columns; `None` for text.
    pub(super) fn plane(&self) -> Result<Option<(usize, usize)>, FileError> {
        self.layout.as_ref().map(Layout::plane).transpose().map_err(|problem| self.error(problem))
    }

    /// What its numbers are held in.
    pub(super) fn precision(&self) -> Precision {
        self.layout.as_ref().map_or(Precision::F64, |layout| layout.number.precision())
    }

    /// Whether the numbers of a row follow each other, so that rows can be handed over as
    /// they are read; text is read again for every block.
    pub(super) fn in_rows(&self) -> bool {
        self.layout.as_ref().is_some_and(|layout| !layout.fortran)
    }

    /// Whether it is text.
    pub(super) fn is_text(&self) -> bool {
        self.layout.is_none()
    }

    /// What a reader should know of how the numbers were taken.
    pub(super) fn note(&self) -> Option<String> {
        let layout = self.layout.as_ref()?;
        let mut parts = Vec::new();
        if let [batch, position, dim] = *layout.shape {
            parts.push(format!(
                "{batch} × {position} × {dim} is read as {} rows of {dim} numbers",
                batch * position
            ));
        }
        if matches!(layout.number, Number::Bool | Number::Signed(_) | Number::Unsigned(_)) {
            parts.push(format!("{} are taken as they are, without a scale", name(layout.number)));
        }
        (!parts.is_empty()).then(|| parts.join("; "))
    }

    fn error(&self, problem: FileProblem) -> FileError {
        FileError { path: self.path.clone(), array: self.array.clone(), problem }
    }

    /// The bytes, and how many there are.
    fn bytes(&self) -> Result<(Box<dyn Bytes + '_>, u64), FileProblem> {
        if let Some(bytes) = &self.spooled {
            return Ok((Box::new(Cursor::new(bytes)), bytes.len() as u64));
        }
        let file = File::open(&self.path)?;
        let length = file.metadata()?.len();
        Ok((Box::new(BufReader::new(file)), length))
    }

    fn describe(&mut self, key: Option<&str>) -> Result<(), FileError> {
        let described = match self.kind {
            Kind::Npy => self.npy().map(|layout| (None, Some(layout))),
            Kind::Npz => self.npz(key).map(|(name, layout)| (Some(name), Some(layout))),
            Kind::Safetensors => self.tensor(key).map(|(name, layout)| (Some(name), Some(layout))),
            Kind::Table => Ok((None, None)),
        };
        let (array, layout) = described?;
        (self.array, self.layout) = (array, layout);
        Ok(())
    }

    fn npy(&self) -> Result<Layout, FileError> {
        let read = || {
            let (mut reader, length) = self.bytes()?;
            npy_layout(&mut reader, length)
        };
        read().map_err(|problem| self.error(problem))
    }

    fn npz(&self, key: Option<&str>) -> Result<(String, Layout), FileError> {
        let open = || {
            let (reader, length) = self.bytes()?;
            let archive = Archive::open(reader, length)?;
            if archive.holds_pickle() { Err(FileProblem::Foreign(super::kind::PICKLE)) } else { Ok(archive) }
        };
        let mut archive = open().map_err(|problem| self.error(problem))?;
        let mut layout = |name: &str| {
            let (mut entry, size) = archive.array(name)?;
            npy_layout(&mut entry, size)
        };
        let name = {
            let names = self.names_of_archive()?;
            self.choose(key, names, |name| match layout(name) {
                Ok(layout) => described(&layout.number, &layout.shape),
                Err(problem) => problem.to_string(),
            })?
        };
        let layout = layout(&name).map_err(|problem| FileError::in_array(&self.path, &name, problem))?;
        Ok((name, layout))
    }

    fn names_of_archive(&self) -> Result<Vec<String>, FileError> {
        let read = || {
            let (reader, length) = self.bytes()?;
            Ok(Archive::open(reader, length)?.array_names())
        };
        read().map_err(|problem| self.error(problem))
    }

    fn tensor(&self, key: Option<&str>) -> Result<(String, Layout), FileError> {
        let read = || {
            let (mut reader, length) = self.bytes()?;
            read_header(&mut reader, length)
        };
        let (_, metadata) = read().map_err(|problem| self.error(problem))?;
        let mut names = metadata.offset_keys();
        names.sort();
        let shape = |name: &str| -> Vec<u64> {
            metadata.info(name).map_or(Vec::new(), |info| info.shape.iter().map(|s| *s as u64).collect())
        };
        let name = self.choose(key, names, |name| {
            let found = metadata.info(name).map_or_else(String::new, |info| format!("{:?}", info.dtype));
            format!("{found} {:?}", shape(name))
        })?;
        let info = metadata.info(&name).expect("a name of the header");
        let number = Number::of_tensor(info.dtype)
            .map_err(|problem| FileError::in_array(&self.path, &name, problem))?;
        let layout = Layout { number, big_endian: false, fortran: false, shape: shape(&name) };
        Ok((name, layout))
    }

    /// The array that is meant: the key's, or the only one.
    fn choose(
        &self,
        key: Option<&str>,
        names: Vec<String>,
        mut describe: impl FnMut(&str) -> String,
    ) -> Result<String, FileError> {
        let listed = |names: &[String], describe: &mut dyn FnMut(&str) -> String| -> Vec<String> {
            let one = |name: &String| Listed { name: name.clone(), what: describe(name) }.to_string();
            let mut listed: Vec<String> = names.iter().take(LISTED).map(one).collect();
            if names.len() > LISTED {
                listed.push(format!("and {} more", names.len() - LISTED));
            }
            listed
        };
        match (key, names.as_slice()) {
            (_, []) => Err(self.error(FileProblem::NoArrays)),
            (Some(key), names) if names.iter().any(|name| name == key) => Ok(key.to_owned()),
            (Some(key), names) => {
                let found = listed(names, &mut describe);
                Err(self.error(FileProblem::MissingKey { key: key.to_owned(), found }))
            }
            (None, [name]) => Ok(name.clone()),
            (None, names) => Err(self.error(FileProblem::ChooseKey { found: listed(names, &mut describe) })),
        }
    }

    /// Hands every number of an array from a row on (the first one, unless
    /// [rows](Self::in_rows) follow each other) with its row and column to `put`, in the order of
    /// the file, until it has enough.
    pub(super) fn read(
        &self,
        from: usize,
        put: &mut impl FnMut(usize, usize, f64) -> ControlFlow<()>,
    ) -> Result<ControlFlow<()>, FileError> {
        self.numbers(from, put).map_err(|problem| self.error(problem))
    }

    fn numbers(
        &self,
        from: usize,
        put: &mut impl FnMut(usize, usize, f64) -> ControlFlow<()>,
    ) -> Result<ControlFlow<()>, FileProblem> {
        let (mut reader, length) = self.bytes()?;
        let Some(layout) = &self.layout else {
            return Err(FileProblem::Changed);
        };
        let same = |found: &Layout| if found == layout { Ok(()) } else { Err(FileProblem::Changed) };
        let skipped = layout.skipped(from)?;
        match (self.kind, &self.array) {
            (Kind::Npz, Some(name)) => {
                let mut archive = Archive::open(reader, length)?;
                let (mut entry, size) = archive.array(name)?;
                same(&npy_layout(&mut entry, size)?)?;
                // What is compressed is read past.
                std::io::copy(&mut entry.by_ref().take(skipped), &mut std::io::sink())?;
                let flow = layout.read(&mut entry, from, put)?;
                if flow.is_break() {
                    return Ok(flow);
                }
                // Reading on lets the archive check its sum.
                match std::io::copy(&mut entry.take(1), &mut std::io::sink())? {
                    0 => Ok(flow),
                    _ => Err(FileProblem::Changed),
                }
            }
            (Kind::Safetensors, Some(name)) => {
                let (start, metadata) = read_header(&mut reader, length)?;
                let info = metadata.info(name).ok_or(FileProblem::Changed)?;
                reader.seek(SeekFrom::Start(start + info.data_offsets.0 as u64 + skipped))?;
                let size = (info.data_offsets.1 - info.data_offsets.0) as u64;
                if size == layout.bytes()? {
                    layout.read(&mut reader, from, put)
                } else {
                    Err(FileProblem::Changed)
                }
            }
            _ => {
                same(&npy_layout(&mut reader, length)?)?;
                reader.seek(SeekFrom::Start(length - layout.bytes()? + skipped))?;
                layout.read(&mut reader, from, put)
            }
        }
    }

    /// Reads text: appends the rows that `wanted` asks for, returns how many there are,
    /// their length, and notes.
    pub(super) fn table(
        &self,
        wanted: &mut dyn FnMut(usize) -> bool,
        out: &mut Vec<f64>,
    ) -> Result<table::Found, FileError> {
        let mut read = || {
            let (reader, _) = self.bytes()?;
            table::read(reader, wanted, out)
        };
        read().map_err(|problem| self.error(problem))
    }
}

impl std::fmt::Display for Listed {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "'{}' {}", self.name, self.what)
    }
}

fn described(number: &Number, shape: &[u64]) -> String {
    format!("{} {shape:?}", name(*number))
}

/// The name of a type, as numpy's.
fn name(number: Number) -> String {
    match number {
        Number::F16 => "float16".to_owned(),
        Number::Bf16 => "bfloat16".to_owned(),
        Number::F32 => "float32".to_owned(),
        Number::F64 => "float64".to_owned(),
        Number::Bool => "bool".to_owned(),
        Number::Signed(bytes) => format!("int{}", 8 * bytes),
        Number::Unsigned(bytes) => format!("uint{}", 8 * bytes),
    }
}

/// The header of an array in `length` bytes, which must be what it asks for.
fn npy_layout(reader: &mut impl Read, length: u64) -> Result<Layout, FileProblem> {
    let bytes = header_bytes(reader)?;
    let header = NpyHeader::from_reader(&bytes[..]).map_err(FileProblem::NotNpy)?;
    let layout = Layout::of_npy(&header)?;
    let (expected, found) = (layout.bytes()?, length.saturating_sub(bytes.len() as u64));
    if expected == found {
        Ok(layout)
    } else {
        Err(FileProblem::Length { shape: layout.shape, expected, found })
    }
}
