//! What functions return: arrays, the command's JSON, and what `--out` writes.

use std::path::{Path, PathBuf};
use std::sync::Arc;

use numpy::{PyArray1, PyArray2};
use pyo3::prelude::*;
use widedict::answer::grid::Answer;
use widedict::answer::input::Origin;
use widedict::answer::row::Row;
use widedict::answer::start::CHECKPOINT;
use widedict::certificate::Options;
use widedict::coder::Encoded;
use widedict::io::{
    Saving, remove_solution, replace, save_factorization, write_codes, write_json, write_saelens,
};
use widedict::trusted::Subject;
use widedict::{Bounding, Certified, Codes, Factorization, Problem, Witness};

use crate::arrays::{self, CsrOut};
use crate::errors;
use crate::follow::apart;

/// JSON as the command prints it.
pub(crate) fn json(value: &impl serde::Serialize) -> PyResult<String> {
    serde_json::to_string(value).map_err(errors::value)
}

/// Creates a folder where it is missing.
fn folder(path: &Path) -> PyResult<()> {
    std::fs::create_dir_all(path).map_err(|error| errors::system(&error, path))
}

/// Removes a file where it is there.
fn remove(path: &Path) -> PyResult<()> {
    match std::fs::remove_file(path) {
        Err(error) if error.kind() != std::io::ErrorKind::NotFound => Err(errors::system(&error, path)),
        _ => Ok(()),
    }
}

/// Removes what an earlier run left that would be taken for this one's: its autoencoder, and a
/// checkpoint, which a start prefers.
fn remove_earlier(path: &Path) -> PyResult<()> {
    let checkpoint = path.join(CHECKPOINT);
    if checkpoint.is_dir() {
        remove_solution(&checkpoint).map_err(errors::file)?;
    }
    for name in ["sae/sae_weights.safetensors", "sae/cfg.json"] {
        remove(&path.join(name))?;
    }
    // Another's files keep the folder.
    let _ = std::fs::remove_dir(path.join("sae"));
    Ok(())
}

/// Removes the rows of a grid from this one on.
fn remove_rows(path: &Path, first: usize) -> PyResult<()> {
    for index in first.. {
        let row = path.join(format!("row-{index:03}"));
        if !row.is_dir() {
            break;
        }
        remove_earlier(&row)?;
        remove_solution(&row).map_err(errors::file)?;
    }
    Ok(())
}

fn write_text(path: &Path, text: &str) -> PyResult<()> {
    replace(path, |writer: &mut _| Ok(std::io::Write::write_all(writer, text.as_bytes())?))
        .map_err(errors::file)
}

/// What is known of a solution: whoever shows it shares it.
pub(crate) struct Known {
    pub(crate) problem: Problem,
    pub(crate) certified: Certified,
    pub(crate) witness: Witness,
    pub(crate) options: Options,
    pub(crate) origin: Origin,
    pub(crate) fixed_center: Option<Vec<f64>>,
    pub(crate) row: Row,
    /// All that the command prints, and the part about what is proved.
    pub(crate) text: String,
    pub(crate) proved: String,
    /// Whether the dictionary is also saved as an autoencoder.
    pub(crate) solved: bool,
}

impl Known {
    pub(crate) fn factorization(&self) -> &Factorization {
        self.certified.solution()
    }

    fn write(&self, path: &Path) -> PyResult<()> {
        folder(path)?;
        let saving = Saving {
            problem: &self.problem,
            certified: &self.certified,
            witness: &self.witness,
            options: &self.options,
            data_name: &self.origin.name,
            weights_name: self.origin.weights_name.as_deref(),
            fixed_center: self.fixed_center.as_deref(),
            rows: Some(&self.origin.rows),
        };
        saving.write(path, &self.row).map_err(errors::file)?;
        remove_earlier(path)?;
        let dictionary = self.factorization().dictionary();
        if self.solved && !dictionary.is_empty() {
            let zeros = vec![0.0; dictionary.dim()];
            let center = self.factorization().center().unwrap_or(&zeros);
            write_saelens(&path.join("sae"), dictionary, Some(center), self.problem.lambda())
                .map_err(errors::file)?;
        }
        Ok(())
    }

    /// The center, learnt or subtracted.
    fn center<'a>(&'a self, point: &'a Factorization) -> Option<&'a [f64]> {
        self.fixed_center.as_deref().or(point.center())
    }
}

/// What `solve` and `certify` return.
#[pyclass(frozen, module = "widedict._widedict")]
pub(crate) struct Solution(pub(crate) Arc<Known>);

impl Solution {
    pub(crate) fn new(known: Known) -> Self {
        Self(Arc::new(known))
    }
}

#[pymethods]
impl Solution {
    fn json(&self) -> PyResult<String> {
        json(&self.0.row)
    }

    /// All that the command prints.
    fn text(&self) -> &str {
        &self.0.text
    }

    /// The certificate in words.
    fn proved(&self) -> &str {
        &self.0.proved
    }

    /// Proved upper bound of the objective.
    fn upper_bound(&self) -> f64 {
        self.0.certified.certificate().upper().get()
    }

    fn dictionary<'py>(&self, py: Python<'py>) -> PyResult<Bound<'py, PyArray2<f64>>> {
        arrays::rows(py, self.0.factorization().dictionary().matrix())
    }

    fn codes<'py>(&self, py: Python<'py>) -> PyResult<CsrOut<'py>> {
        arrays::csr(py, &self.0.origin.rows.spread(self.0.factorization().codes()))
    }

    fn center<'py>(&self, py: Python<'py>) -> Option<Bound<'py, PyArray1<f64>>> {
        self.0.center(self.0.factorization()).map(|center| PyArray1::from_slice(py, center))
    }

    /// The lower point that refutes it.
    fn improved(&self) -> Option<Improved> {
        self.0.certified.improvement().map(|_| Improved(Arc::clone(&self.0)))
    }

    fn save(&self, py: Python<'_>, path: PathBuf) -> PyResult<()> {
        apart(py, || self.0.write(&path))
    }
}

/// The lower point that refutes a solution.
#[pyclass(frozen, module = "widedict._widedict")]
pub(crate) struct Improved(pub(crate) Arc<Known>);

impl Improved {
    pub(crate) fn point(&self) -> &Factorization {
        self.0.certified.improvement().unwrap_or(self.0.factorization())
    }
}

#[pymethods]
impl Improved {
    fn dictionary<'py>(&self, py: Python<'py>) -> PyResult<Bound<'py, PyArray2<f64>>> {
        arrays::rows(py, self.point().dictionary().matrix())
    }

    fn codes<'py>(&self, py: Python<'py>) -> PyResult<CsrOut<'py>> {
        arrays::csr(py, &self.0.origin.rows.spread(self.point().codes()))
    }

    fn center<'py>(&self, py: Python<'py>) -> Option<Bound<'py, PyArray1<f64>>> {
        self.0.center(self.point()).map(|center| PyArray1::from_slice(py, center))
    }

    fn objective(&self, py: Python<'_>) -> PyResult<f64> {
        apart(py, || {
            let subject = Subject::of(&self.0.problem, self.point()).map_err(errors::value)?;
            Ok(subject.primal().value())
        })
    }
}

/// What `encode` returns.
#[pyclass(frozen, module = "widedict._widedict")]
pub(crate) struct Encoding {
    /// Codes of the stored atoms, a row of the data a row.
    pub(crate) codes: Codes,
    /// None where no search was made.
    pub(crate) encoded: Option<Encoded>,
    pub(crate) json: String,
    pub(crate) text: String,
}

#[pymethods]
impl Encoding {
    fn json(&self) -> &str {
        &self.json
    }

    fn text(&self) -> &str {
        &self.text
    }

    fn codes<'py>(&self, py: Python<'py>) -> PyResult<CsrOut<'py>> {
        arrays::csr(py, &self.codes)
    }

    fn objectives<'py>(&self, py: Python<'py>) -> Option<Bound<'py, PyArray1<f64>>> {
        self.encoded.as_ref().map(|encoded| PyArray1::from_slice(py, &encoded.objectives))
    }

    fn gaps<'py>(&self, py: Python<'py>) -> Option<Bound<'py, PyArray1<f64>>> {
        self.encoded.as_ref().map(|encoded| PyArray1::from_slice(py, &encoded.gaps))
    }

    fn save(&self, py: Python<'_>, path: PathBuf) -> PyResult<()> {
        apart(py, || write_codes(&path, &self.codes).map_err(errors::file))
    }
}

/// What `wide` returns.
#[pyclass(frozen, module = "widedict._widedict")]
pub(crate) struct Wide {
    pub(crate) problem: Problem,
    pub(crate) origin: Origin,
    pub(crate) certified: Option<Certified>,
    pub(crate) json: String,
    pub(crate) text: String,
}

impl Wide {
    fn write(&self, path: &Path) -> PyResult<()> {
        let closed;
        let certified = match &self.certified {
            Some(certified) => certified,
            None => {
                closed = widedict::wide::closed_form(&self.problem).map_err(errors::solve)?.certified;
                &closed
            }
        };
        folder(path)?;
        let solution = certified.solution();
        save_factorization(path, solution, solution.center(), Some(&self.origin.rows))
            .map_err(errors::file)?;
        let improved = path.join("improved");
        if improved.is_dir() {
            remove_solution(&improved).map_err(errors::file)?;
        }
        remove_rows(path, 0)?;
        remove_earlier(path)
    }
}

#[pymethods]
impl Wide {
    fn json(&self) -> &str {
        &self.json
    }

    fn text(&self) -> &str {
        &self.text
    }

    /// The solution with an atom a datapoint.
    fn save(&self, py: Python<'_>, path: PathBuf) -> PyResult<()> {
        apart(py, || self.write(&path))
    }
}

/// What `path` returns.
#[pyclass(frozen, module = "widedict._widedict")]
pub(crate) struct Grid {
    pub(crate) answer: Answer,
    pub(crate) rows: Vec<Arc<Known>>,
    pub(crate) table: String,
    pub(crate) text: String,
}

impl Grid {
    fn write(&self, path: &Path) -> PyResult<()> {
        folder(path)?;
        for (index, row) in self.rows.iter().enumerate() {
            row.write(&path.join(format!("row-{index:03}")))?;
        }
        // Those of an earlier, longer grid.
        remove_rows(path, self.rows.len())?;
        write_json(&path.join("path.json"), &self.answer).map_err(errors::file)?;
        write_text(&path.join("path.csv"), &self.table)
    }
}

#[pymethods]
impl Grid {
    fn json(&self) -> PyResult<String> {
        json(&self.answer)
    }

    fn text(&self) -> &str {
        &self.text
    }

    fn rows(&self) -> Vec<Solution> {
        self.rows.iter().map(|row| Solution(Arc::clone(row))).collect()
    }

    fn save(&self, py: Python<'_>, path: PathBuf) -> PyResult<()> {
        apart(py, || self.write(&path))
    }
}

/// What `diagnose` returns.
#[pyclass(frozen, module = "widedict._widedict")]
pub(crate) struct Diagnosis {
    pub(crate) found: widedict::diagnose::Diagnosis,
    pub(crate) json: String,
    pub(crate) text: String,
    pub(crate) page: String,
    /// Codes of the stored atoms, a row of the data a row.
    pub(crate) exact: Codes,
    pub(crate) given: Option<Codes>,
}

impl Diagnosis {
    fn write(&self, path: &Path) -> PyResult<()> {
        folder(path)?;
        self.found.write_tables(path).map_err(errors::file)?;
        write_text(&path.join("diagnosis.json"), &self.json)?;
        write_text(&path.join("diagnosis.html"), &self.page)?;
        write_codes(&path.join("codes_exact.npz"), &self.exact).map_err(errors::file)?;
        match &self.given {
            Some(codes) => write_codes(&path.join("codes_given.npz"), codes).map_err(errors::file),
            None => Ok(()),
        }
    }
}

#[pymethods]
impl Diagnosis {
    fn json(&self) -> &str {
        &self.json
    }

    fn text(&self) -> &str {
        &self.text
    }

    fn page(&self) -> &str {
        &self.page
    }

    fn exact_codes<'py>(&self, py: Python<'py>) -> PyResult<CsrOut<'py>> {
        arrays::csr(py, &self.exact)
    }

    fn given_codes<'py>(&self, py: Python<'py>) -> PyResult<Option<CsrOut<'py>>> {
        self.given.as_ref().map(|codes| arrays::csr(py, codes)).transpose()
    }

    fn save(&self, py: Python<'_>, path: PathBuf) -> PyResult<()> {
        apart(py, || self.write(&path))
    }
}

/// The bound by its name.
pub(crate) fn bounding(name: &str) -> PyResult<Bounding> {
    name.parse().map_err(|error| errors::argument("bound", error))
}
