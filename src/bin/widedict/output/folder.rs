//! Places for files, tried before the work is done.

use std::ffi::OsString;
use std::fs::{self, File};
use std::path::{Path, PathBuf};

use widedict::Factorization;
use widedict::answer::start::CHECKPOINT;
use widedict::io::{FileError, Rows, remove_improved, remove_solution, save_factorization, write_saelens};

use crate::failure::Failure;
use crate::signals;

/// Folder for the dictionary in SAELens' layout, and its files.
const SAE: &str = "sae";
const SAE_FILES: [&str; 2] = ["sae_weights.safetensors", "cfg.json"];

/// The files of a grid, and the start of the names of its folders.
const GRID_FILES: [&str; 2] = ["path.json", "path.csv"];
const ROW: &str = "row-";

/// A folder for a run's files, which exists and can be written to. One that was made for
/// the run and in which nothing was written is removed again.
pub(crate) struct Folder {
    path: PathBuf,
    made: bool,
}

impl Drop for Folder {
    fn drop(&mut self) {
        if self.made {
            // Only an empty folder can be removed.
            let _ = fs::remove_dir(&self.path);
        }
    }
}

impl Folder {
    /// Creates the folder where it is missing, inside one that exists, and tries to write
    /// in it. With `no_clobber` it must be empty.
    pub(crate) fn prepare(path: &Path, no_clobber: bool) -> Result<Self, Failure> {
        let system = |error| Failure::System { path: path.to_path_buf(), error };
        let parent = path.parent().filter(|p| !p.as_os_str().is_empty());
        if parent.is_some_and(|parent| !parent.exists()) {
            return Err(Failure::NoParent { path: path.to_path_buf() });
        }
        let made = !path.is_dir();
        if made {
            fs::create_dir(path).map_err(system)?;
            signals::remove_if_interrupted(path);
        } else if no_clobber && let Some(found) = first_name(path).map_err(system)? {
            let found = found.to_string_lossy().into_owned();
            return Err(Failure::Occupied { path: path.to_path_buf(), found });
        }
        try_writing_in(path).map_err(system)?;
        Ok(Self { path: path.to_path_buf(), made })
    }

    /// Writes a factorization in place of a solution that is there.
    pub(crate) fn write_factorization(
        &self,
        factorization: &Factorization,
        center: Option<&[f64]>,
        rows: &Rows,
    ) -> Result<(), FileError> {
        save_factorization(&self.path, factorization, center, Some(rows))
    }

    /// Writes the dictionary in SAELens' layout in `sae/`; without atoms there is none, and
    /// an earlier one is removed.
    pub(crate) fn write_sae(&self, factorization: &Factorization, lambda: f64) -> Result<(), Failure> {
        let dictionary = factorization.dictionary();
        if dictionary.is_empty() {
            return self.remove_sae();
        }
        let none = vec![0.0; dictionary.dim()];
        let center = factorization.center().unwrap_or(&none);
        Ok(write_saelens(&self.path.join(SAE), dictionary, Some(center), lambda)?)
    }

    pub(crate) fn remove_sae(&self) -> Result<(), Failure> {
        let sae = self.path.join(SAE);
        for name in SAE_FILES {
            self.remove(&sae.join(name))?;
        }
        // Another's files keep the folder.
        let _ = fs::remove_dir(sae);
        Ok(())
    }

    /// Removes the lower point of an earlier solution.
    pub(crate) fn remove_improved(&self) -> Result<(), Failure> {
        Ok(remove_improved(&self.path)?)
    }

    /// Removes the files of an earlier grid, from row `rows` on.
    pub(crate) fn remove_rows(&self, rows: usize) -> Result<(), Failure> {
        let system = |error| Failure::System { path: self.path.clone(), error };
        for entry in fs::read_dir(&self.path).map_err(system)? {
            let name = entry.map_err(system)?.file_name();
            let number = name.to_str().and_then(|name| name.strip_prefix(ROW)).map(str::parse::<usize>);
            if let Some(Ok(number)) = number
                && number >= rows
            {
                let row = Self { path: self.path.join(name), made: false };
                row.remove_sae()?;
                remove_solution(row.path())?;
            }
        }
        if rows == 0 {
            for name in GRID_FILES {
                self.remove(&self.path.join(name))?;
            }
        }
        Ok(())
    }

    /// Removes the solution that is here.
    pub(crate) fn remove_solution(&self) -> Result<(), Failure> {
        remove_solution(&self.path)?;
        // The folder goes with it where nothing else is in it, and is needed again.
        if !self.path.is_dir() {
            fs::create_dir(&self.path).map_err(|error| Failure::System { path: self.path.clone(), error })?;
        }
        Ok(())
    }

    /// The folder of a row of a grid.
    pub(crate) fn row(&self, index: usize) -> Result<Self, Failure> {
        Self::prepare(&self.path.join(format!("{ROW}{index:03}")), false)
    }

    /// The folder of checkpoints, which need not exist.
    pub(crate) fn checkpoint(path: &Path) -> PathBuf {
        path.join(CHECKPOINT)
    }

    /// Removes a checkpoint once the solution is written.
    pub(crate) fn remove_checkpoint(&self) -> Result<(), Failure> {
        let path = Self::checkpoint(&self.path);
        if path.is_dir() { Ok(remove_solution(&path)?) } else { Ok(()) }
    }

    /// Removes a file of an earlier run.
    pub(crate) fn remove_file(&self, name: &str) -> Result<(), Failure> {
        self.remove(&self.path.join(name))
    }

    fn remove(&self, path: &Path) -> Result<(), Failure> {
        match fs::remove_file(path) {
            Err(error) if error.kind() != std::io::ErrorKind::NotFound => {
                Err(Failure::System { path: path.to_path_buf(), error })
            }
            _ => Ok(()),
        }
    }

    pub(crate) fn path(&self) -> &Path {
        &self.path
    }
}

fn first_name(folder: &Path) -> std::io::Result<Option<OsString>> {
    fs::read_dir(folder)?.next().transpose().map(|entry| entry.map(|entry| entry.file_name()))
}

/// Checks that a file can be written at `path` later; with `no_clobber` no file may be
/// there, while a device may.
pub(crate) fn check_file(path: &Path, no_clobber: bool) -> Result<(), Failure> {
    let system = |error| Failure::System { path: path.to_path_buf(), error };
    if no_clobber && path.is_file() {
        return Err(Failure::Occupied { path: path.to_path_buf(), found: "a file".to_owned() });
    }
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
