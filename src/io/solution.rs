//! A solution in a folder, so that it can be read, checked and gone on from later.
//!
//! The files are those that the command's `--out` writes: `dictionary.npy` (an atom a
//! row), `codes.npz` (scipy's CSR, a datapoint a row), `center.npy` (what is subtracted
//! from the data; zeros where nothing is), `certificate.json`, the matrices the bound was
//! proved from where they are of moderate size, and in `improved/` the lower point that
//! refutes the solution, where there is one.
//!
//! What is read back is no certificate: [`Record::verify`] proves the claims again.

use std::collections::BTreeMap;
use std::fs;
use std::path::Path;

use serde::{Deserialize, Serialize};
use serde_json::Value;

use super::description::{CERTIFICATE, CODES, Description, Misread, part};
use super::json::digest;
use super::stage::{Stage, remove};
use super::{FileError, FileProblem, Rows, read_atoms, read_codes, read_vector};
use super::{write_atoms, write_codes, write_json, write_vector};
use crate::atoms::{AtomsError, Dictionary, Factorization};
use crate::certificate::{Certified, Curvature, Options, Record, Witness};
use crate::problem::Problem;
use crate::solution::Solution;
use crate::trusted::{Origin, Part};

/// Most numbers of a witness that are saved: 36 MB, the splits of up to 2000 datapoints that
/// [`Bounding::Auto`](crate::Bounding::Auto) searches for. Ten times more takes as many times
/// longer to write as the solution itself.
const WITNESS_ENTRIES: usize = 4_500_000;

const DICTIONARY: &str = "dictionary.npy";
const CENTER: &str = "center.npy";

/// Folder for the lower point that refutes a solution.
const IMPROVED: &str = "improved";

/// Every file of a solution, in the order in which they are moved into place: the
/// description comes last.
fn files() -> Vec<String> {
    let first = [DICTIONARY, CODES, CENTER].into_iter().map(str::to_owned);
    first.chain(saved_parts().map(witness_file)).chain([CERTIFICATE.to_owned()]).collect()
}

/// The version of a checkpoint's description.
const CHECKPOINT_VERSION: u32 = 1;

/// What is saved beside a factorization, and under which names.
#[derive(Clone, Copy, Debug)]
pub struct Saving<'a> {
    /// The problem.
    pub problem: &'a Problem,
    /// The factorization with its certificate.
    pub certified: &'a Certified,
    /// What the certificate was made from.
    pub witness: &'a Witness,
    /// What was asked of the checker.
    pub options: &'a Options,
    /// Name of the data, for whoever reads the files.
    pub data_name: &'a str,
    /// Name of the weights; `None` where all are equal.
    pub weights_name: Option<&'a str>,
    /// The center that was subtracted from the data before they became the problem's.
    pub fixed_center: Option<&'a [f64]>,
    /// Which rows of the data's file are the datapoints; `None`: all. Codes are saved a row
    /// of the file a row.
    pub rows: Option<&'a Rows>,
}

/// A saved solution as it is read: nothing in it is proved.
#[derive(Clone, Debug, PartialEq)]
pub struct Loaded {
    /// Dictionary, codes, and the center where it is a variable.
    pub factorization: Factorization,
    /// What is to be subtracted from the data first, where the center is no variable.
    pub fixed_center: Option<Vec<f64>>,
    /// The parts of the witness that were saved, with the lower point of `improved` as what
    /// a search met.
    pub witness: Witness,
    /// The lower point that is said to refute the solution.
    pub improved: Option<Factorization>,
    /// Which rows of the data's file are the datapoints.
    pub rows: Rows,
    /// The claims, with digests of what they are about; none in a checkpoint.
    pub record: Option<Record>,
    /// All of certificate.json.
    pub certificate: Value,
}

/// What another program needs to check the numbers beside it.
#[derive(Clone, Debug, Serialize)]
struct Verify<'a> {
    program: &'static str,
    data: &'a str,
    weights: Option<&'a str>,
    dictionary: &'static str,
    codes: &'static str,
    center: &'static str,
    /// Rows of the data's file that are masked: no datapoints, and without codes.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    masked_rows: Vec<usize>,
    /// Relative gap at or below which the verdict is `global`.
    tolerance: f64,
    /// Relative stationarity above which the verdict is `refuted`.
    stationarity: f64,
    /// Proved upper bound of the objective, every rounding included.
    upper_bound: f64,
}

/// The files of a witness.
#[derive(Clone, Debug, Default, Serialize, Deserialize)]
struct WitnessFiles {
    /// Their names by the parts' keys; null where the witness lacks one.
    #[serde(flatten)]
    files: BTreeMap<String, Option<String>>,
    origin: Option<Origin>,
    /// Ritz value below which the proof of local optimality is tried.
    #[serde(default)]
    smallest_eigenvalue: Option<f64>,
    complete: bool,
    note: String,
}

impl WitnessFiles {
    /// The description of a witness whose parts are saved, or not where they are not
    /// `complete`.
    fn of(witness: &Witness, smallest_eigenvalue: Option<f64>, complete: bool) -> Self {
        let present = |part: Part| witness.part(part).is_some();
        let note = match (complete, saved_parts().any(present)) {
            (false, _) => "too large to be saved: the bound must be computed again",
            (true, false) => "none: the bound follows from the factorization alone",
            (true, true) => "the bound can be proved again from these files, a column of the matrix a row",
        };
        let file = |part: Part| (complete && present(part)).then(|| witness_file(part));
        Self {
            files: saved_parts().map(|part| (part.key().to_owned(), file(part))).collect(),
            origin: witness.split.as_ref().map(|split| split.origin),
            smallest_eigenvalue,
            complete,
            note: note.to_owned(),
        }
    }
}

/// certificate.json.
#[derive(Serialize)]
struct Saved<'a, R: Serialize> {
    #[serde(flatten)]
    row: &'a R,
    verify: Verify<'a>,
    /// What the bound was proved from, files by name beside this one.
    witness: WitnessFiles,
    /// Digests and claims, each with its theorems.
    record: Record,
    /// Digest of everything above.
    #[serde(skip_serializing_if = "Option::is_none")]
    checksum: Option<String>,
}

/// Saves a solution in a folder that exists, in place of one that is there.
///
/// `options` are those that were given to the checker. O(nM + nnz) bytes, and at most
/// 36 MB of witness.
///
/// # Errors
/// [`FileError`] naming the file that could not be written. Where the disk is full the
/// solution that was there is left as it was.
///
/// # Examples
/// ```
/// use widedict::certificate::Options;
/// use widedict::io::{load_solution, save_solution};
/// use widedict::{ColumnGeneration, Matrix, Problem};
/// let x = Matrix::from_columns(2, &[[1.0, 0.1], [0.9, 0.3], [0.1, 1.0]]);
/// let problem = Problem::builder(x).lambda(0.2).gamma(0.1).build()?;
/// let solution = ColumnGeneration::default().solve(&problem)?;
/// let folder = tempfile::tempdir()?;
/// save_solution(folder.path(), &problem, &solution, &Options::default())?;
///
/// let loaded = load_solution(folder.path())?;
/// assert_eq!(&loaded.factorization, solution.certified.solution());
/// let record = loaded.record.expect("a solution has a record");
/// let again = record.verify(&problem, loaded.factorization, &loaded.witness, &())?;
/// assert_eq!(again.certificate().lower_bound(), solution.certified.certificate().lower_bound());
/// # Ok::<(), Box<dyn std::error::Error>>(())
/// ```
pub fn save_solution(
    folder: &Path,
    problem: &Problem,
    solution: &Solution,
    options: &Options,
) -> Result<(), FileError> {
    let saving = Saving {
        problem,
        certified: &solution.certified,
        witness: &solution.witness,
        options,
        data_name: "",
        weights_name: None,
        fixed_center: None,
        rows: None,
    };
    saving.write(folder, &())
}

impl Saving<'_> {
    /// Saves as [`save_solution`] does, with the fields of `row` (a struct or a map) first
    /// in certificate.json.
    ///
    /// # Errors
    /// As [`save_solution`].
    pub fn write(&self, folder: &Path, row: &impl Serialize) -> Result<(), FileError> {
        let stage = Stage::new(folder)?;
        stage.fill(|place| self.fill(place, row))?;
        if let Some(better) = self.certified.improvement() {
            let place = folder.join(IMPROVED);
            if !place.is_dir() {
                fs::create_dir(&place).map_err(|error| FileError::new(&place, error.into()))?;
            }
            save_factorization(&place, better, self.fixed_center.or(better.center()), self.rows)?;
        }
        stage.commit(&files())?;
        if self.certified.improvement().is_none() { remove_improved(folder) } else { Ok(()) }
    }

    fn fill(&self, place: &Path, row: &impl Serialize) -> Result<(), FileError> {
        let solution = self.certified.solution();
        let center = self.fixed_center.or(solution.center());
        write_factorization(place, solution, center, self.rows)?;
        let mut saved = Saved {
            row,
            verify: Verify {
                program: concat!("widedict ", env!("CARGO_PKG_VERSION")),
                data: self.data_name,
                weights: self.weights_name,
                dictionary: DICTIONARY,
                codes: CODES,
                center: CENTER,
                masked_rows: self.rows.map_or_else(Vec::new, |rows| rows.masked().collect()),
                tolerance: self.options.gap_tolerance,
                stationarity: self.options.stationarity_tolerance,
                upper_bound: self.certified.certificate().upper().get(),
            },
            witness: write_witness(place, self.witness)?,
            record: Record::new(self.problem, self.certified, self.witness, self.options),
            checksum: None,
        };
        let path = place.join(CERTIFICATE);
        let value = serde_json::to_value(&saved).map_err(|e| FileError::new(&path, FileProblem::Json(e)))?;
        saved.checksum = Some(digest(&value));
        write_json(&path, &saved)
    }
}

/// Saves dictionary, codes and a center alone, in place of a solution that is there: zeros
/// where `center` is `None`. Codes are those of `rows` of a file, where some are masked.
///
/// # Errors
/// As [`save_solution`].
pub fn save_factorization(
    folder: &Path,
    factorization: &Factorization,
    center: Option<&[f64]>,
    rows: Option<&Rows>,
) -> Result<(), FileError> {
    let stage = Stage::new(folder)?;
    stage.fill(|place| write_factorization(place, factorization, center, rows))?;
    stage.commit(&files())
}

/// What a checkpoint says of itself.
#[derive(Serialize)]
struct Checkpoint {
    schema_version: u32,
    checkpoint: bool,
    points: usize,
    dim: usize,
    lambda: f64,
    gamma: f64,
    centered: bool,
    #[serde(skip_serializing_if = "Vec::is_empty")]
    masked_rows: Vec<usize>,
}

/// Saves what a run has so far, so that another can go on from it: no claims are made.
/// Codes are those of `rows` of a file, where some are masked.
///
/// # Errors
/// As [`save_solution`].
pub fn save_checkpoint(
    folder: &Path,
    problem: &Problem,
    factorization: &Factorization,
    rows: Option<&Rows>,
) -> Result<(), FileError> {
    let description = Checkpoint {
        schema_version: CHECKPOINT_VERSION,
        checkpoint: true,
        points: problem.total(),
        dim: problem.dim(),
        lambda: problem.lambda(),
        gamma: problem.gamma(),
        centered: problem.centered(),
        masked_rows: rows.map_or_else(Vec::new, |rows| rows.masked().collect()),
    };
    let stage = Stage::new(folder)?;
    stage.fill(|place| {
        write_factorization(place, factorization, factorization.center(), rows)?;
        write_json(&place.join(CERTIFICATE), &description)
    })?;
    stage.commit(&files())
}

/// Removes the files of a solution, and the folder where nothing else is in it.
///
/// # Errors
/// [`FileError`] naming the file that could not be removed.
pub fn remove_solution(folder: &Path) -> Result<(), FileError> {
    for name in files() {
        let path = folder.join(name);
        remove(&path).map_err(|error| FileError::new(&path, error.into()))?;
    }
    remove_improved(folder)?;
    // Another's files keep the folder.
    let _ = fs::remove_dir(folder);
    Ok(())
}

/// Removes the lower point that an earlier solution in this folder was refuted by.
///
/// # Errors
/// As [`remove_solution`].
pub fn remove_improved(folder: &Path) -> Result<(), FileError> {
    let improved = folder.join(IMPROVED);
    if improved.is_dir() { remove_solution(&improved) } else { Ok(()) }
}

fn write_factorization(
    folder: &Path,
    factorization: &Factorization,
    center: Option<&[f64]>,
    rows: Option<&Rows>,
) -> Result<(), FileError> {
    let dictionary = factorization.dictionary();
    write_atoms(&folder.join(DICTIONARY), dictionary.matrix())?;
    match rows {
        Some(rows) => write_codes(&folder.join(CODES), &rows.spread(factorization.codes()))?,
        None => write_codes(&folder.join(CODES), factorization.codes())?,
    }
    match center {
        Some(center) => write_vector(&folder.join(CENTER), center),
        None => write_vector(&folder.join(CENTER), &vec![0.0; dictionary.dim()]),
    }
}

/// The parts of a witness that are saved: those a bound may rest on.
fn saved_parts() -> impl Iterator<Item = Part> {
    Part::ALL.into_iter().filter(|part| part.proves())
}

fn witness_file(part: Part) -> String {
    format!("witness_{}.npy", part.key())
}

/// Writes a witness where it is of moderate size.
fn write_witness(folder: &Path, witness: &Witness) -> Result<WitnessFiles, FileError> {
    let size: usize = saved_parts().filter_map(|part| witness.part(part)).map(|m| m.as_slice().len()).sum();
    let complete = size <= WITNESS_ENTRIES;
    for part in saved_parts().filter(|_| complete) {
        if let Some(matrix) = witness.part(part) {
            write_atoms(&folder.join(witness_file(part)), matrix)?;
        }
    }
    Ok(WitnessFiles::of(witness, witness.curvature.as_ref().map(|c| c.smallest), complete))
}

/// Reads what [`save_solution`] or the command's `--out` wrote.
///
/// Nothing is believed: shapes and ranges are checked, atoms are brought to length 1
/// where they are not, and file names are those that are written, whatever
/// certificate.json says.
///
/// # Errors
/// [`FileError`] naming the file that is missing or does not fit the others.
pub fn load_solution(folder: &Path) -> Result<Loaded, FileError> {
    let description = Description::read(folder)?;
    let misread = |misread: Misread| misread.in_folder(folder);
    let (points, centered) = description.shape().map_err(misread)?;
    let rows = description.rows(points).map_err(misread)?;
    description.load(&rows, centered).map_err(|failure| match failure {
        LoadError::Misread(misread) => misread.in_folder(folder),
        LoadError::File(error) => error,
    })
}

/// Why a folder could not be loaded.
#[derive(Debug, thiserror::Error)]
pub enum LoadError {
    /// Something in certificate.json is not what is written there.
    #[error(transparent)]
    Misread(#[from] Misread),
    /// A file is missing, damaged, or does not fit the others.
    #[error(transparent)]
    File(#[from] FileError),
}

impl Description {
    /// Reads the files beside certificate.json as a factorization of these rows of the
    /// data, whose center is a variable or not.
    ///
    /// # Errors
    /// [`LoadError`], naming the part of certificate.json or the file.
    pub fn load(&self, rows: &Rows, centered: bool) -> Result<Loaded, LoadError> {
        let folder = self.folder();
        let record = self.record()?;
        let files: WitnessFiles = self.witness()?;
        let (factorization, fixed) = read_factorization(folder, rows, centered)?;
        let improved = folder.join(IMPROVED);
        let improved = improved
            .join(DICTIONARY)
            .is_file()
            .then(|| read_factorization(&improved, rows, centered))
            .transpose()?
            .map(|(better, _)| better);
        Ok(Loaded {
            factorization,
            fixed_center: fixed.filter(|center| center.iter().any(|b| *b != 0.0)),
            witness: read_witness(folder, &files, record.as_ref(), improved.as_ref())?,
            improved,
            rows: rows.clone(),
            record,
            certificate: Value::Object(self.fields().clone()),
        })
    }

    /// The files of the witness.
    fn witness(&self) -> Result<WitnessFiles, Misread> {
        match self.fields().get("witness") {
            None if self.is_checkpoint() => Ok(WitnessFiles::default()),
            found => part("witness", found.cloned().unwrap_or(Value::Null)),
        }
    }

    /// What the sections `verify` and `witness` say of files, by their keys, and whether it
    /// is what was read.
    #[must_use]
    pub fn files(&self, loaded: &Loaded) -> BTreeMap<String, bool> {
        let stated = |section: &str, key: &str| self.fields().get(section)?.get(key);
        let names = [("dictionary", DICTIONARY), ("codes", CODES), ("center", CENTER)];
        let mut holds: BTreeMap<String, bool> = names
            .into_iter()
            .map(|(key, name)| (format!("verify.{key}"), stated("verify", key) == Some(&Value::from(name))))
            .collect();
        let Some(record) = &loaded.record else { return holds };
        let digests = &record.witness;
        let complete = saved_parts().all(|part| {
            digests.parts.get(part.key()).is_none_or(Option::is_none) || loaded.witness.part(part).is_some()
        });
        let found = WitnessFiles::of(&loaded.witness, digests.smallest_eigenvalue, complete);
        if let Ok(Value::Object(found)) = serde_json::to_value(&found) {
            holds.extend(found.iter().map(|(key, value)| {
                let same = stated("witness", key).is_some_and(|stated| digest(stated) == digest(value));
                (format!("witness.{key}"), same)
            }));
        }
        holds
    }
}

/// Dictionary, codes and center; the center apart where it is no variable.
fn read_factorization(
    folder: &Path,
    rows: &Rows,
    centered: bool,
) -> Result<(Factorization, Option<Vec<f64>>), FileError> {
    let atoms = read_atoms(&folder.join(DICTIONARY))?;
    let codes = read_codes(&folder.join(CODES), rows.of(), atoms.ncols())?;
    if let Some(row) = rows.stray(&codes) {
        return Err(FileError::new(&folder.join(CODES), FileProblem::MaskedCode { row }));
    }
    let codes = rows.restrict(&codes);
    let center = read_vector(&folder.join(CENTER))?;
    let misfit = |name: &str, error: AtomsError| FileError::new(&folder.join(name), error.into());
    let (dictionary, _) = Dictionary::normalize(atoms).map_err(|error| misfit(DICTIONARY, error))?;
    let dim = dictionary.dim();
    if center.len() != dim {
        let problem = FileProblem::Count { expected: dim, found: center.len() };
        return Err(FileError::new(&folder.join(CENTER), problem));
    }
    let (variable, fixed) = if centered { (Some(center), None) } else { (None, Some(center)) };
    let factorization =
        Factorization::new(dictionary, codes, variable).map_err(|error| misfit(CODES, error))?;
    Ok((factorization, fixed))
}

/// Whatever names certificate.json has, the files are those that are written: where one is
/// named and the record has a digest of it.
fn read_witness(
    folder: &Path,
    saved: &WitnessFiles,
    record: Option<&Record>,
    improved: Option<&Factorization>,
) -> Result<Witness, FileError> {
    let read = |part: Part| {
        let has =
            |names: &BTreeMap<String, Option<String>>| names.get(part.key()).is_some_and(Option::is_some);
        let digested = record.is_some_and(|record| has(&record.witness.parts));
        (part.proves() && digested && has(&saved.files))
            .then(|| read_atoms(&folder.join(witness_file(part))))
            .transpose()
    };
    let witness = Witness::from_parts(read, saved.origin)?;
    let better = improved.cloned();
    let curvature = saved.smallest_eigenvalue.map(|smallest| Curvature { smallest, better });
    Ok(Witness { curvature, ..witness })
}
