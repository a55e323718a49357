//! `.npz`: zip archives of `.npy` arrays, packed by deflate or not at all.
//!
//! A few bytes of an archive may ask for much, so there are bounds on what an array
//! unpacks to and on how often the file is read to find the arrays.

use std::io::{self, Read, Seek, SeekFrom, Write};

use zip::write::SimpleFileOptions;
use zip::{CompressionMethod, DateTime, System, ZipArchive, ZipWriter};

use super::FileProblem;

/// What follows the name of an array.
const SUFFIX: &str = ".npy";

/// An array may always unpack to this many bytes …
const FREE_EXPANSION: u64 = 64 << 20;

/// … and beyond it to this many times the archive's size. Deflate reaches a
/// thousand on constant data; codes compress by two to ten.
const MAX_EXPANSION: u64 = 200;

/// An archive may always be read for this many bytes …
const FREE_READING: u64 = 1 << 16;

/// … and beyond it this many times over. An archive in order takes two: once for its
/// arrays and once for what surrounds them. The search for the directory starts again
/// at every place that may end an archive: without a bound a file made of such places
/// is read once for each. At ten times such a file takes ten times as long to refuse.
const MAX_PASSES: u64 = 4;

/// The arrays of an archive, by name.
pub(super) struct Archive<R> {
    zip: ZipArchive<Bounded<R>>,
    /// Bytes that an array may unpack to.
    limit: u64,
}

impl<R: Read + Seek> Archive<R> {
    /// Finds the arrays of an archive of `size` bytes.
    pub(super) fn open(reader: R, size: u64) -> Result<Self, FileProblem> {
        let left = size.saturating_mul(MAX_PASSES).saturating_add(FREE_READING);
        let zip = ZipArchive::new(Bounded { reader, left }).map_err(|e| FileProblem::NotNpz(e.into()))?;
        Ok(Self { zip, limit: size.saturating_mul(MAX_EXPANSION).saturating_add(FREE_EXPANSION) })
    }

    /// Names of the arrays.
    pub(super) fn names(&self) -> impl Iterator<Item = &str> {
        self.zip.file_names().filter_map(|name| name.strip_suffix(SUFFIX))
    }

    /// The names of its arrays, in order.
    pub(super) fn array_names(&self) -> Vec<String> {
        let mut names: Vec<String> = self.names().map(str::to_owned).collect();
        names.sort_unstable();
        names
    }

    /// Whether it is what torch writes: a pickle and its numbers.
    pub(super) fn holds_pickle(&self) -> bool {
        self.zip.file_names().any(|name| name == "data.pkl" || name.ends_with("/data.pkl"))
    }

    /// One array as a stream, and how many bytes it claims to hold, within the limit.
    pub(super) fn array(&mut self, array: &str) -> Result<(impl Read, u64), FileProblem> {
        if !self.names().any(|name| name == array) {
            return Err(FileProblem::MissingArray);
        }
        let limit = self.limit;
        let entry = self.zip.by_name(&format!("{array}{SUFFIX}"));
        let entry = entry.map_err(|e| FileProblem::NotNpz(e.into()))?;
        let size = entry.size();
        if size > limit { Err(FileProblem::Expansion { found: size, limit }) } else { Ok((entry, size)) }
    }

    /// The bytes of one array, unpacked no further than the limit.
    pub(super) fn unpack(&mut self, array: &str) -> Result<Vec<u8>, FileProblem> {
        if !self.names().any(|name| name == array) {
            return Err(FileProblem::MissingArray);
        }
        let limit = self.limit;
        let entry = self.zip.by_name(&format!("{array}{SUFFIX}"));
        let mut entry = entry.map_err(|e| FileProblem::NotNpz(e.into()))?;
        if entry.size() > limit {
            return Err(FileProblem::Expansion { found: entry.size(), limit });
        }
        let mut bytes = Vec::new();
        (&mut entry).take(limit.saturating_add(1)).read_to_end(&mut bytes).map_err(FileProblem::NotNpz)?;
        let found = bytes.len() as u64;
        if found > limit { Err(FileProblem::Expansion { found, limit }) } else { Ok(bytes) }
    }

    /// The bytes of the only array.
    pub(super) fn only_array(&mut self) -> Result<Vec<u8>, FileProblem> {
        let names = self.array_names();
        match names.as_slice() {
            [name] => self.unpack(name),
            _ => Err(FileProblem::SeveralArrays { found: names }),
        }
    }
}

/// A reader that refuses to read more than `left` bytes.
struct Bounded<R> {
    reader: R,
    left: u64,
}

impl<R: Read> Read for Bounded<R> {
    fn read(&mut self, buffer: &mut [u8]) -> io::Result<usize> {
        let count = self.reader.read(buffer)?;
        self.left = self.left.checked_sub(count as u64).ok_or_else(|| {
            let message = format!("it would be read more than {MAX_PASSES} times over");
            io::Error::new(io::ErrorKind::InvalidData, message)
        })?;
        Ok(count)
    }
}

impl<R: Seek> Seek for Bounded<R> {
    fn seek(&mut self, to: SeekFrom) -> io::Result<u64> {
        self.reader.seek(to)
    }
}

/// Writes arrays into an archive that carries no time and no system: the same arrays
/// are the same bytes.
pub(super) struct ArchiveWriter<W: Write + Seek>(ZipWriter<W>);

impl<W: Write + Seek> ArchiveWriter<W> {
    pub(super) fn new(writer: W) -> Self {
        Self(ZipWriter::new(writer))
    }

    /// Begins an array, whose bytes the writer takes.
    pub(super) fn array(&mut self, name: &str) -> Result<&mut ZipWriter<W>, FileProblem> {
        let options = SimpleFileOptions::default()
            .compression_method(CompressionMethod::Deflated)
            .last_modified_time(DateTime::default())
            .system(System::Unix);
        self.0.start_file(format!("{name}{SUFFIX}"), options).map_err(io::Error::from)?;
        Ok(&mut self.0)
    }

    /// Writes the directory, without which the file is no archive.
    pub(super) fn finish(self) -> Result<(), FileProblem> {
        self.0.finish().map_err(io::Error::from)?;
        Ok(())
    }
}
