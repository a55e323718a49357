//! JSON: numbers are written in full precision and read back bit for bit.

use std::fs::File;
use std::io::{BufReader, Write};
use std::path::Path;

use serde::Serialize;
use serde::de::DeserializeOwned;

use super::{FileError, FileProblem, replace};

/// Writes one JSON value, indented, with a final newline.
///
/// # Errors
/// [`FileError`] when the file cannot be written.
pub fn write_json<T: Serialize>(path: &Path, value: &T) -> Result<(), FileError> {
    replace(path, |writer| {
        serde_json::to_writer_pretty(&mut *writer, value).map_err(FileProblem::Json)?;
        writer.write_all(b"\n")?;
        Ok(())
    })
}

/// Reads one JSON value.
///
/// # Errors
/// [`FileError`], with line and column where the text is not the value expected.
pub fn read_json<T: DeserializeOwned>(path: &Path) -> Result<T, FileError> {
    let file = File::open(path).map_err(|e| FileError::new(path, e.into()))?;
    serde_json::from_reader(BufReader::new(file)).map_err(|e| FileError::new(path, FileProblem::Json(e)))
}
