//! certificate.json as it is read, before anything in it is believed.
//!
//! [`load_solution`](super::load_solution) is for who goes on from a solution and wants one
//! error where the file is not what was written. Who checks one wants to hear which claim
//! is wrong: a file that was edited is still a file, so its parts are read one by one, and
//! each that cannot be is named.

use std::path::{Path, PathBuf};

use serde::de::{DeserializeOwned, Error as _};
use serde_json::{Map, Value};

use super::json::{digest, read_json};
use super::sparse::code_rows;
use super::{FileError, FileProblem, Rows};
use crate::certificate::Record;

/// The file.
pub(super) const CERTIFICATE: &str = "certificate.json";

/// The file of the codes beside it.
pub(super) const CODES: &str = "codes.npz";

/// The key of the checksum.
const CHECKSUM: &str = "checksum";

/// certificate.json: an object, with nothing else checked.
#[derive(Clone, Debug, PartialEq)]
pub struct Description {
    folder: PathBuf,
    fields: Map<String, Value>,
}

/// A part of certificate.json that is not what is written there.
#[derive(Debug, thiserror::Error)]
#[error("{part}: {error}")]
pub struct Misread {
    /// Its keys, joined by points.
    pub part: String,
    /// What is wrong with it.
    #[source]
    pub error: serde_json::Error,
}

impl Misread {
    pub(super) fn in_folder(self, folder: &Path) -> FileError {
        let problem = FileProblem::Json(serde_json::Error::custom(self));
        FileError::new(&folder.join(CERTIFICATE), problem)
    }
}

impl Description {
    /// Reads the description of a saved solution.
    ///
    /// # Errors
    /// [`FileError`] where the file is missing or is no JSON object.
    pub fn read(folder: &Path) -> Result<Self, FileError> {
        let fields = read_json(&folder.join(CERTIFICATE))?;
        Ok(Self { folder: folder.to_path_buf(), fields })
    }

    /// The folder that was read.
    #[must_use]
    pub fn folder(&self) -> &Path {
        &self.folder
    }

    /// Everything in the file.
    #[must_use]
    pub fn fields(&self) -> &Map<String, Value> {
        &self.fields
    }

    /// Whether it describes a checkpoint, which claims nothing.
    #[must_use]
    pub fn is_checkpoint(&self) -> bool {
        self.fields.get("checkpoint") == Some(&Value::Bool(true)) && !self.fields.contains_key("record")
    }

    /// Whether the checksum is that of the rest of the file. Anyone can compute it again:
    /// it tells an accident, and proves nothing.
    #[must_use]
    pub fn checksum_holds(&self) -> bool {
        let mut rest = self.fields.clone();
        let stored = rest.remove(CHECKSUM);
        stored.as_ref().and_then(Value::as_str) == Some(digest(&Value::Object(rest)).as_str())
    }

    /// The claims with digests of what they are about; `None` in a checkpoint.
    ///
    /// # Errors
    /// [`Misread`], naming the part of the record that is none.
    pub fn record(&self) -> Result<Option<Record>, Misread> {
        if self.is_checkpoint() {
            return Ok(None);
        }
        let Some(Value::Object(record)) = self.fields.get("record") else {
            let found = self.fields.get("record").cloned().unwrap_or(Value::Null);
            return part("record", found).map(Some);
        };
        let get = |key: &str| record.get(key).cloned().unwrap_or(Value::Null);
        let read = Record {
            schema_version: part("record.schema_version", get("schema_version"))?,
            problem: part("record.problem", get("problem"))?,
            point: part("record.point", get("point"))?,
            witness: part("record.witness", get("witness"))?,
            asked: part("record.asked", get("asked"))?,
            verdict: part("record.verdict", get("verdict"))?,
            claims: part("record.claims", get("claims"))?,
        };
        // Keys that are missing or too many, where a default would hide them.
        let written = serde_json::to_value(&read).map_err(|error| misread("record", error))?;
        if digest(&written) == digest(&Value::Object(record.clone())) {
            Ok(Some(read))
        } else {
            Err(misread("record", serde_json::Error::custom("keys are missing or too many")))
        }
    }

    /// Which rows of the data's file are the `points` datapoints: all but those that are
    /// said to be masked. Nothing is held for more rows than the codes beside it have.
    ///
    /// # Errors
    /// [`Misread`] where these are no ascending row numbers, or as many as no codes are of.
    pub fn rows(&self, points: usize) -> Result<Rows, Misread> {
        let name = if self.is_checkpoint() { "masked_rows" } else { "verify.masked_rows" };
        let place = match self.is_checkpoint() {
            true => self.fields.get("masked_rows"),
            false => self.fields.get("verify").and_then(|verify| verify.get("masked_rows")),
        };
        let masked: Vec<usize> = place.cloned().map_or(Ok(Vec::new()), |value| part(name, value))?;
        let of = points.checked_add(masked.len());
        let ascend = masked.is_sorted_by(|a, b| a < b);
        match of.filter(|of| ascend && masked.last().is_none_or(|last| last < of)) {
            Some(of) if masked.is_empty() => Ok(Rows::all(of)),
            Some(of) => match code_rows(&self.folder.join(CODES)) {
                Ok(found) if found == of as u64 => Ok(Rows::without(of, &masked)),
                Ok(found) => {
                    let counts =
                        format!("{points} points and {} masked rows, codes of {found} rows", masked.len());
                    Err(misread(name, serde_json::Error::custom(counts)))
                }
                // Whoever reads the codes is told what is wrong with them.
                Err(_) => Ok(Rows::all(of)),
            },
            None => Err(misread(name, serde_json::Error::custom("expected ascending numbers of rows"))),
        }
    }

    /// Number of datapoints, and whether the center is a variable.
    pub(super) fn shape(&self) -> Result<(usize, bool), Misread> {
        let place = match self.record()? {
            Some(record) => return Ok((record.problem.points, record.problem.centered)),
            None => |key: &str| self.fields.get(key).cloned().unwrap_or(Value::Null),
        };
        Ok((part("points", place("points"))?, part("centered", place("centered"))?))
    }
}

fn misread(part: &str, error: serde_json::Error) -> Misread {
    Misread { part: part.to_owned(), error }
}

/// A part of certificate.json as what it should be.
pub(super) fn part<T: DeserializeOwned>(name: &str, value: Value) -> Result<T, Misread> {
    serde_json::from_value(value).map_err(|error| misread(name, error))
}
