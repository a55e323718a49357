//! What functions return: arrays, the command's JSON, and what `--out` writes.

use std::path::{Path, PathBuf};

use numpy::{PyArray1, PyArray2};
use pyo3::prelude::*;
use widedict::answer::grid::{Answer, Solved, csv};
use widedict::answer::input::Origin;
use widedict::answer::row::Row;
use widedict::answer::start::CHECKPOINT;
use widedict::certificate::Options;
use widedict::coder::Encoded;
use widedict::io::{
    Saving, remove_solution, replace, save_factorization, write_codes, write_json, write_saelens,
};
use widedict::{Bounding, Certified, Codes, Factorization, Problem, Witness};

use crate::arrays::{self, CsrOut};
use crate::errors;

/// JSON as the command prints it.
pub(crate) fn json(value: &impl serde::Serialize) -> PyResult<String> {
    serde_json::to_string(value).map_err(errors::value)
}

/// Creates a folder where it is missing.
fn folder(path: &Path) -> PyResult<()> {
    Ok(std::fs::create_dir_all(path)?)
}

/// Removes what an earlier run left that would be taken for this one's: its autoencoder, and a
/// checkpoint, which a start prefers.
fn remove_earlier(path: &Path) -> PyResult<()> {
    let checkpoint = path.join(CHECKPOINT);
    if checkpoint.is_dir() {
        remove_solution(&checkpoint).map_err(errors::file)?;
    }
    for name in ["sae/sae_weights.safetensors", "sae/cfg.json"] {
        match std::fs::remove_file(path.join(name)) {
            Err(error) if error.kind() != std::io::ErrorKind::NotFound => return Err(error.into()),
            _ => {}
        }
    }
    // Another's files keep the folder.
    let _ = std::fs::remove_dir(path.join("sae"));
    Ok(())
}

/// What `solve` and `certify` return.
#[pyclass(frozen, module = "widedict._widedict")]
pub(crate) struct Solution {
    pub(crate) problem: Problem,
    pub(crate) certified: Certified,
    pub(crate) witness: Witness,
    pub(crate) options: Options,
    pub(crate) origin: Origin,
    pub(crate) fixed_center: Option<Vec<f64>>,
    pub(crate) row: Row,
    /// Whether the dictionary is also saved as an autoencoder.
    pub(crate) solved: bool,
}

impl Solution {
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
}

#[pymethods]
impl Solution {
    fn json(&self) -> PyResult<String> {
        json(&self.row)
    }

    /// The certificate in words.
    fn text(&self) -> String {
        self.certified.certificate().to_string()
    }

    /// Proved upper bound of the objective.
    fn upper_bound(&self) -> f64 {
        self.certified.certificate().upper().get()
    }

    fn dictionary<'py>(&self, py: Python<'py>) -> PyResult<Bound<'py, PyArray2<f64>>> {
        arrays::rows(py, self.factorization().dictionary().matrix())
    }

    fn codes<'py>(&self, py: Python<'py>) -> PyResult<CsrOut<'py>> {
        arrays::csr(py, &self.origin.rows.spread(self.factorization().codes()))
    }

    /// The center, learnt or subtracted.
    fn center<'py>(&self, py: Python<'py>) -> Option<Bound<'py, PyArray1<f64>>> {
        let center = self.fixed_center.as_deref().or(self.factorization().center());
        center.map(|center| PyArray1::from_slice(py, center))
    }

    fn save(&self, path: PathBuf) -> PyResult<()> {
        self.write(&path)
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

    fn save(&self, path: PathBuf) -> PyResult<()> {
        write_codes(&path, &self.codes).map_err(errors::file)
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

#[pymethods]
impl Wide {
    fn json(&self) -> &str {
        &self.json
    }

    fn text(&self) -> &str {
        &self.text
    }

    /// The solution with an atom a datapoint.
    fn save(&self, path: PathBuf) -> PyResult<()> {
        let closed;
        let certified = match &self.certified {
            Some(certified) => certified,
            None => {
                closed = widedict::wide::closed_form(&self.problem).map_err(errors::solve)?.certified;
                &closed
            }
        };
        folder(&path)?;
        let solution = certified.solution();
        save_factorization(&path, solution, solution.center(), Some(&self.origin.rows)).map_err(errors::file)
    }
}

/// What `path` returns.
#[pyclass(frozen, module = "widedict._widedict")]
pub(crate) struct Grid {
    pub(crate) grid: widedict::answer::grid::Grid,
    pub(crate) answer: Answer,
    pub(crate) solved: Vec<Solved>,
    pub(crate) origin: Origin,
    pub(crate) text: String,
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
        let solution = |one: &Solved| {
            let (step, solution) = (&one.step, &one.step.solution);
            Solution {
                problem: step.problem.clone(),
                certified: solution.certified.clone(),
                witness: solution.witness.clone(),
                options: self.grid.conclusion(step).options(&step.problem, solution.stop),
                origin: self.origin.clone(),
                fixed_center: None,
                row: one.row.clone(),
                solved: true,
            }
        };
        self.solved.iter().map(solution).collect()
    }

    fn save(&self, path: PathBuf) -> PyResult<()> {
        folder(&path)?;
        for (index, row) in self.rows().iter().enumerate() {
            row.write(&path.join(format!("row-{index:03}")))?;
        }
        // Rows of an earlier, longer grid.
        for index in self.solved.len().. {
            let row = path.join(format!("row-{index:03}"));
            if !row.is_dir() {
                break;
            }
            remove_earlier(&row)?;
            remove_solution(&row).map_err(errors::file)?;
        }
        write_json(&path.join("path.json"), &self.answer).map_err(errors::file)?;
        let table = csv(&self.solved);
        let write = |writer: &mut _| Ok(std::io::Write::write_all(writer, table.as_bytes())?);
        replace(&path.join("path.csv"), write).map_err(errors::file)
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

    fn save(&self, path: PathBuf) -> PyResult<()> {
        folder(&path)?;
        self.found.write_tables(&path).map_err(errors::file)?;
        for (name, text) in [("diagnosis.json", &self.json), ("diagnosis.html", &self.page)] {
            let write = |writer: &mut _| Ok(std::io::Write::write_all(writer, text.as_bytes())?);
            replace(&path.join(name), write).map_err(errors::file)?;
        }
        write_codes(&path.join("codes_exact.npz"), &self.exact).map_err(errors::file)?;
        match &self.given {
            Some(codes) => write_codes(&path.join("codes_given.npz"), codes).map_err(errors::file),
            None => Ok(()),
        }
    }
}

/// The bound by its name.
pub(crate) fn bounding(name: &str) -> PyResult<Bounding> {
    name.parse().map_err(|error| errors::value(format!("bound: {error}")))
}
