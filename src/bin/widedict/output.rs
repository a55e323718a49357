//! Places for output, tried before the work is done.

use std::fs::{self, File};
use std::io::Write;
use std::path::{Path, PathBuf};

use serde::Serialize;
use widedict::io::{FileError, write_atoms, write_codes, write_json, write_vector};
use widedict::{Factorization, Problem};

use crate::failure::Failure;

/// A folder for a run's files, which exists and can be written to.
pub(crate) struct Folder(PathBuf);

impl Folder {
    /// Creates the folder where it is missing and tries to write in it.
    pub(crate) fn prepare(path: &Path) -> Result<Self, Failure> {
        let system = |error| Failure::System { path: path.to_path_buf(), error };
        fs::create_dir_all(path).map_err(system)?;
        try_writing_in(path).map_err(system)?;
        Ok(Self(path.to_path_buf()))
    }

    /// Writes the point and its certificate, each file whole or not at all.
    pub(crate) fn write(
        &self,
        problem: &Problem,
        point: &Factorization,
        certificate: &impl Serialize,
    ) -> Result<(), FileError> {
        let center = point.center().map_or_else(|| vec![0.0; problem.dim()], <[f64]>::to_vec);
        write_atoms(&self.0.join("dictionary.npy"), point.dictionary().matrix())?;
        write_codes(&self.0.join("codes.npz"), point.codes())?;
        write_vector(&self.0.join("center.npy"), &center)?;
        write_json(&self.0.join("certificate.json"), certificate)
    }

    pub(crate) fn path(&self) -> &Path {
        &self.0
    }
}

/// Checks that a file can be written at `path` later.
pub(crate) fn check_file(path: &Path) -> Result<(), Failure> {
    let system = |error| Failure::System { path: path.to_path_buf(), error };
    match fs::metadata(path) {
        Ok(metadata) if metadata.is_dir() => Err(system(std::io::ErrorKind::IsADirectory.into())),
        Ok(metadata) if !metadata.is_file() => Ok(()),
        _ => {
            let parent = path.parent().filter(|p| !p.as_os_str().is_empty());
            try_writing_in(parent.unwrap_or(Path::new("."))).map_err(system)
        }
    }
}

fn try_writing_in(folder: &Path) -> std::io::Result<()> {
    let probe = folder.join(format!(".widedict.{}.probe", std::process::id()));
    File::create(&probe)?;
    fs::remove_file(&probe)
}

/// Says something on standard error; that nobody listens is no reason to fail.
pub(crate) fn say(text: &str) {
    let _ = writeln!(std::io::stderr(), "{text}");
}

/// Prints a finished answer.
pub(crate) fn print(text: &str) -> Result<(), Failure> {
    let mut out = std::io::stdout().lock();
    out.write_all(text.as_bytes()).and_then(|()| out.flush()).map_err(Failure::Print)
}
