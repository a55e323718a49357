//! Writing a file whole or not at all.

use std::ffi::OsString;
use std::fs::{self, File};
use std::io::{BufWriter, Write};
use std::path::{Path, PathBuf};

use super::{FileError, FileProblem};

/// Writes a file through a neighbor that is renamed over it at the end, so
/// that a reader finds the old content or the new, never a part.
///
/// What exists and is not a regular file (`/dev/null`) is written directly.
///
/// # Errors
/// [`FileError`] naming `path`; the neighbor is removed.
pub fn replace(
    path: &Path,
    write: impl FnOnce(&mut BufWriter<File>) -> Result<(), FileProblem>,
) -> Result<(), FileError> {
    let special = fs::metadata(path).is_ok_and(|m| !m.is_file());
    let target = if special { path.to_path_buf() } else { neighbor(path) };
    let written = into_file(&target, special, write)
        .and_then(|()| if special { Ok(()) } else { fs::rename(&target, path).map_err(FileProblem::from) });
    written.map_err(|problem| {
        if !special {
            // The write has failed already, and its error is the one to report.
            let _ = fs::remove_file(&target);
        }
        FileError::new(path, problem)
    })
}

fn into_file(
    target: &Path,
    special: bool,
    write: impl FnOnce(&mut BufWriter<File>) -> Result<(), FileProblem>,
) -> Result<(), FileProblem> {
    let mut writer = BufWriter::new(File::create(target)?);
    write(&mut writer)?;
    writer.flush()?;
    if !special {
        writer.get_ref().sync_all()?;
    }
    Ok(())
}

/// A name in the same folder, hence on the same file system, of this process alone.
fn neighbor(path: &Path) -> PathBuf {
    let mut name = OsString::from(".");
    name.push(path.file_name().unwrap_or_default());
    name.push(format!(".{}.partial", std::process::id()));
    path.with_file_name(name)
}
