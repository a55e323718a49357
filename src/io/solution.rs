//! A solution in a folder, so that it can be read, checked and gone on from later.
//!
//! The files are those that the command's `--out` writes: `dictionary.npy` (an atom a
//! row), `codes.npz` (scipy's CSR, a datapoint a row), `center.npy` (what is subtracted
//! from the data; zeros where nothing is), `certificate.json`, and the matrices the
//! bound was proved from where they are of moderate size.
//!
//! What is read back is no certificate: [`Record::verify`] proves the claims again.

use std::collections::BTreeMap;
use std::fs;
use std::path::Path;

use serde::{Deserialize, Serialize};
use serde_json::Value;

use super::stage::{Stage, remove};
use super::{FileError, FileProblem, read_atoms, read_codes, read_json, read_vector};
use super::{write_atoms, write_codes, write_json, write_vector};
use crate::atoms::{AtomsError, Dictionary, Factorization};
use crate::certificate::{Certified, Curvature, Options, Record, Witness};
use crate::problem::Problem;
use crate::solution::Solution;
use crate::trusted::{Origin, Part};

/// Most numbers of a witness that are saved: 16 MB, about 1400 datapoints. Ten
/// times more takes as many times longer to write as the solution itself.
const WITNESS_ENTRIES: usize = 2_000_000;

const DICTIONARY: &str = "dictionary.npy";
const CODES: &str = "codes.npz";
const CENTER: &str = "center.npy";
const CERTIFICATE: &str = "certificate.json";

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
}

/// A saved solution as it is read: nothing in it is proved.
#[derive(Clone, Debug, PartialEq)]
pub struct Loaded {
    /// Dictionary, codes, and the center where it is a variable.
    pub factorization: Factorization,
    /// What is to be subtracted from the data first, where the center is no variable.
    pub fixed_center: Option<Vec<f64>>,
    /// The parts of the witness that were saved.
    pub witness: Witness,
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
}

/// The parts of certificate.json that are read again.
#[derive(Deserialize)]
struct Readable {
    points: Option<usize>,
    centered: Option<bool>,
    #[serde(default)]
    witness: WitnessFiles,
    record: Option<Record>,
}

/// Saves a solution in a folder that exists, in place of one that is there.
///
/// `options` are those that were given to the checker. O(nM + nnz) bytes, and at most
/// 16 MB of witness.
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
        stage.commit(&files())
    }

    fn fill(&self, place: &Path, row: &impl Serialize) -> Result<(), FileError> {
        let solution = self.certified.solution();
        let center = self.fixed_center.or(solution.center());
        write_factorization(place, solution, center)?;
        let saved = Saved {
            row,
            verify: Verify {
                program: concat!("widedict ", env!("CARGO_PKG_VERSION")),
                data: self.data_name,
                weights: self.weights_name,
                dictionary: DICTIONARY,
                codes: CODES,
                center: CENTER,
                tolerance: self.options.gap_tolerance,
                stationarity: self.options.stationarity_tolerance,
                upper_bound: self.certified.certificate().upper().get(),
            },
            witness: write_witness(place, self.witness)?,
            record: Record::new(self.problem, self.certified, self.witness, self.options),
        };
        write_json(&place.join(CERTIFICATE), &saved)
    }
}

/// Saves dictionary, codes and a center alone, in place of a solution that is there: zeros
/// where `center` is `None`.
///
/// # Errors
/// As [`save_solution`].
pub fn save_factorization(
    folder: &Path,
    factorization: &Factorization,
    center: Option<&[f64]>,
) -> Result<(), FileError> {
    let stage = Stage::new(folder)?;
    stage.fill(|place| write_factorization(place, factorization, center))?;
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
}

/// Saves what a run has so far, so that another can go on from it: no claims are made.
///
/// # Errors
/// As [`save_solution`].
pub fn save_checkpoint(
    folder: &Path,
    problem: &Problem,
    factorization: &Factorization,
) -> Result<(), FileError> {
    let description = Checkpoint {
        schema_version: CHECKPOINT_VERSION,
        checkpoint: true,
        points: problem.len(),
        dim: problem.dim(),
        lambda: problem.lambda(),
        gamma: problem.gamma(),
        centered: problem.centered(),
    };
    let stage = Stage::new(folder)?;
    stage.fill(|place| {
        write_factorization(place, factorization, factorization.center())?;
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
    // Another's files keep the folder.
    let _ = fs::remove_dir(folder);
    Ok(())
}

fn write_factorization(
    folder: &Path,
    factorization: &Factorization,
    center: Option<&[f64]>,
) -> Result<(), FileError> {
    let dictionary = factorization.dictionary();
    write_atoms(&folder.join(DICTIONARY), dictionary.matrix())?;
    write_codes(&folder.join(CODES), factorization.codes())?;
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
    let note = match (complete, size) {
        (_, 0) => "none: the bound follows from the factorization alone",
        (true, _) => "the bound can be proved again from these files, a column of the matrix a row",
        (false, _) => "too large to be saved: the bound must be computed again",
    };
    let mut files = BTreeMap::new();
    for part in saved_parts() {
        let matrix = witness.part(part).filter(|_| complete);
        if let Some(matrix) = matrix {
            write_atoms(&folder.join(witness_file(part)), matrix)?;
        }
        files.insert(part.key().to_owned(), matrix.map(|_| witness_file(part)));
    }
    Ok(WitnessFiles {
        files,
        origin: witness.split.as_ref().map(|s| s.origin),
        smallest_eigenvalue: witness.curvature.as_ref().map(|c| c.smallest),
        complete,
        note: note.into(),
    })
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
    let path = folder.join(CERTIFICATE);
    let certificate: Value = read_json(&path)?;
    let readable = Readable::deserialize(&certificate)
        .map_err(|error| FileError::new(&path, FileProblem::Json(error)))?;
    let digest = readable.record.as_ref().map(|record| &record.problem);
    let (Some(points), Some(centered)) =
        (digest.map(|d| d.points).or(readable.points), digest.map(|d| d.centered).or(readable.centered))
    else {
        return Err(FileError::new(
            &path,
            FileProblem::Setting {
                key: "record",
                expected: "the number of datapoints and whether the center is a variable",
                found: "neither".to_owned(),
            },
        ));
    };
    let atoms = read_atoms(&folder.join(DICTIONARY))?;
    let codes = read_codes(&folder.join(CODES), points, atoms.ncols())?;
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
    Ok(Loaded {
        factorization,
        fixed_center: fixed.filter(|center| center.iter().any(|b| *b != 0.0)),
        witness: read_witness(folder, &readable.witness)?,
        record: readable.record,
        certificate,
    })
}

/// Whatever names certificate.json has, the files are those that are written.
fn read_witness(folder: &Path, saved: &WitnessFiles) -> Result<Witness, FileError> {
    let read = |part: Part| {
        let named = part.proves() && saved.files.get(part.key()).is_some_and(Option::is_some);
        named.then(|| read_atoms(&folder.join(witness_file(part)))).transpose()
    };
    let witness = Witness::from_parts(read, saved.origin)?;
    let curvature = saved.smallest_eigenvalue.map(|smallest| Curvature { smallest, better: None });
    Ok(Witness { curvature, ..witness })
}
