//! Several files that are replaced together.
//!
//! [`replace`](super::replace) keeps one file whole. A solution is several files, and a
//! disk may fill up between two of them: new codes beside an old dictionary would be
//! neither solution. So all are written first in a folder of their own, and moved only
//! when every one of them is on the disk.

use std::fs::{self, File};
use std::path::{Path, PathBuf};

use super::{FileError, FileProblem};

/// Files on their way into a folder.
pub(super) struct Stage<'a> {
    folder: &'a Path,
    own: PathBuf,
}

impl<'a> Stage<'a> {
    /// Makes a place inside `folder`, hence on the same file system.
    pub(super) fn new(folder: &'a Path) -> Result<Self, FileError> {
        let own = folder.join(format!(".widedict.{}.partial", std::process::id()));
        match fs::create_dir(&own) {
            Ok(()) => Ok(Self { folder, own }),
            Err(error) => Err(FileError::new(folder, error.into())),
        }
    }

    /// Writes into the place; errors name the file as it will be called.
    pub(super) fn fill(&self, write: impl FnOnce(&Path) -> Result<(), FileError>) -> Result<(), FileError> {
        write(&self.own).map_err(|error| {
            let inside = error.path.strip_prefix(&self.own).map(|name| self.folder.join(name));
            FileError { path: inside.unwrap_or(error.path), ..error }
        })
    }

    /// Moves the files named, in this order; a file that was not written is removed from
    /// the folder, where it would be of an earlier solution.
    pub(super) fn commit(self, names: &[String]) -> Result<(), FileError> {
        for name in names {
            let (from, to) = (self.own.join(name), self.folder.join(name));
            let moved = if from.exists() { fs::rename(&from, &to) } else { remove(&to) };
            moved.map_err(|error| FileError::new(&to, FileProblem::System(error)))?;
        }
        // A power failure may undo the moves on systems that cannot write folders through.
        let _ = File::open(self.folder).and_then(|folder| folder.sync_all());
        Ok(())
    }
}

impl Drop for Stage<'_> {
    fn drop(&mut self) {
        // What is left here is of a write that failed and was reported.
        let _ = fs::remove_dir_all(&self.own);
    }
}

/// Removes a file that may be missing.
pub(super) fn remove(path: &Path) -> std::io::Result<()> {
    match fs::remove_file(path) {
        Err(error) if error.kind() != std::io::ErrorKind::NotFound => Err(error),
        _ => Ok(()),
    }
}
