//! Places for files, tried before the work is done.

use std::fs::{self, File};
use std::path::{Path, PathBuf};

use widedict::Factorization;
use widedict::io::{FileError, save_factorization, write_saelens};

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

    /// Writes a factorization alone.
    pub(crate) fn write_factorization(
        &self,
        factorization: &Factorization,
        center: Option<&[f64]>,
    ) -> Result<(), FileError> {
        save_factorization(&self.0, factorization, center)
    }

    /// Writes the dictionary in SAELens' layout in `sae/`, where it has atoms.
    pub(crate) fn write_sae(&self, factorization: &Factorization, lambda: f64) -> Result<(), FileError> {
        let dictionary = factorization.dictionary();
        if dictionary.is_empty() {
            return Ok(());
        }
        let none = vec![0.0; dictionary.dim()];
        let center = factorization.center().unwrap_or(&none);
        write_saelens(&self.0.join("sae"), dictionary, Some(center), lambda)
    }

    /// A folder in this one.
    pub(crate) fn within(&self, name: &str) -> Result<Self, Failure> {
        Self::prepare(&self.0.join(name))
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
