//! Places for output, tried before the work is done.

use std::fs::{self, File};
use std::io::Write;
use std::path::{Path, PathBuf};

use serde::Serialize;
use widedict::io::{FileError, write_atoms, write_codes, write_json, write_saelens, write_vector};
use widedict::trusted::Origin;
use widedict::{Factorization, Witness};

use crate::failure::Failure;

/// Most numbers of a witness that are saved: 16 MB, about 1400 datapoints. Ten
/// times more takes as many times longer to write as the point itself.
const WITNESS_ENTRIES: usize = 2_000_000;

/// The files of a witness.
#[derive(Clone, Debug, Default, Serialize)]
pub(crate) struct WitnessFiles {
    dual: Option<&'static str>,
    split_dual: Option<&'static str>,
    split_slack: Option<&'static str>,
    origin: Option<Origin>,
    complete: bool,
    note: &'static str,
}

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
        point: &Factorization,
        center: &[f64],
        certificate: &impl Serialize,
    ) -> Result<(), FileError> {
        self.write_point(point, center)?;
        write_json(&self.0.join("certificate.json"), certificate)
    }

    /// Writes the point alone.
    pub(crate) fn write_point(&self, point: &Factorization, center: &[f64]) -> Result<(), FileError> {
        write_atoms(&self.0.join("dictionary.npy"), point.dictionary().matrix())?;
        write_codes(&self.0.join("codes.npz"), point.codes())?;
        write_vector(&self.0.join("center.npy"), center)
    }

    /// Writes the dictionary in SAELens' layout in `sae/`, where it has atoms.
    pub(crate) fn write_sae(
        &self,
        point: &Factorization,
        center: &[f64],
        lambda: f64,
    ) -> Result<(), FileError> {
        if point.dictionary().is_empty() {
            return Ok(());
        }
        write_saelens(&self.0.join("sae"), point.dictionary(), Some(center), lambda)
    }

    /// Writes what the bound was proved from where it is of moderate size.
    pub(crate) fn write_witness(&self, witness: &Witness) -> Result<WitnessFiles, FileError> {
        let mut files = WitnessFiles::default();
        let split = witness.split.as_ref();
        let parts = [
            ("witness_dual.npy", witness.dual.as_ref(), &mut files.dual),
            ("witness_split_dual.npy", split.map(|s| &s.dual), &mut files.split_dual),
            ("witness_split_slack.npy", split.map(|s| &s.slack), &mut files.split_slack),
        ];
        let size: usize = parts.iter().filter_map(|(_, m, _)| *m).map(|m| m.as_slice().len()).sum();
        files.complete = size <= WITNESS_ENTRIES;
        for (name, matrix, file) in parts {
            if let (Some(matrix), true) = (matrix, files.complete) {
                write_atoms(&self.0.join(name), matrix)?;
                *file = Some(name);
            }
        }
        files.origin = split.map(|s| s.origin);
        files.note = match (files.complete, size) {
            (_, 0) => "none: the bound follows from the point alone",
            (true, _) => "the bound can be proved again from these files, a column of the matrix a row",
            (false, _) => "too large to be saved: the bound must be computed again",
        };
        Ok(files)
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

/// Says something on standard error; that nobody listens is no reason to fail.
pub(crate) fn say(text: &str) {
    let _ = writeln!(std::io::stderr(), "{text}");
}

/// Prints a finished answer.
pub(crate) fn print(text: &str) -> Result<(), Failure> {
    let mut out = std::io::stdout().lock();
    out.write_all(text.as_bytes()).and_then(|()| out.flush()).map_err(Failure::Print)
}
