//! Autoencoders of other programs.

use std::path::PathBuf;

use numpy::{PyArray1, PyArray2};
use pyo3::prelude::*;
use widedict::answer::diagnosis::Source;
use widedict::answer::input::{Input, Origin};
use widedict::io::sae::{Activations, Atoms, Batch, Folded, ReadOptions};

use crate::{arrays, errors};

/// An autoencoder as it is stored.
#[pyclass(frozen, module = "widedict._widedict")]
pub(crate) struct Sae {
    pub(crate) sae: widedict::io::Sae,
    pub(crate) path: String,
}

/// Reads an autoencoder.
#[pyfunction]
#[pyo3(signature = (path, dim, atoms))]
pub(crate) fn load_sae(path: PathBuf, dim: Option<usize>, atoms: Option<&str>) -> PyResult<Sae> {
    let atoms = match atoms {
        None => None,
        Some("rows") => Some(Atoms::Rows),
        Some("columns") => Some(Atoms::Columns),
        Some(other) => {
            return Err(errors::value(format!("atoms: expected rows or columns, found '{other}'")));
        }
    };
    let sae = widedict::io::Sae::read(&path, &ReadOptions { dim, atoms }).map_err(errors::file)?;
    Ok(Sae { sae, path: path.display().to_string() })
}

/// An autoencoder with its data in one system of units.
pub(crate) struct Joined {
    pub(crate) folded: Folded,
    pub(crate) source: Source,
    pub(crate) weights: Option<Vec<f64>>,
    pub(crate) origin: Origin,
    pub(crate) batch: Batch,
}

impl Sae {
    /// Brings the data and the autoencoder together.
    pub(crate) fn join(&self, input: Input, per_batch: bool) -> PyResult<Joined> {
        let Input { points, weights, origin } = input;
        let folded = self.sae.fold(Activations::of(points)).map_err(errors::value)?;
        let batch = if per_batch { Batch::Whole } else { Batch::Inference };
        let source = Source {
            data: origin.name.clone(),
            dictionary: self.path.clone(),
            layout: Some(self.sae.layout()),
            kind: Some(self.sae.kind()),
            architecture: Some(self.sae.architecture().to_owned()),
            encoder: self.sae.encoder(batch),
            no_encoder: self.sae.no_encoder().cloned(),
            folding: Some(folded.folding.clone()),
            ..Source::default()
        };
        Ok(Joined { folded, source, weights, origin, batch })
    }

    /// λ as told, or that of the configuration.
    pub(crate) fn price(&self, joined: &mut Joined, told: Option<f64>) -> PyResult<f64> {
        if let Some(lambda) = told {
            joined.source.lambda_from = "--lambda";
            return Ok(lambda);
        }
        let lambda = self.sae.lambda(&joined.folded);
        let lambda = lambda.map_err(|why| errors::value(format!("lambda_ is needed: {why}")))?;
        joined.source.lambda_from = self.sae.lambda_source();
        Ok(lambda.get())
    }
}

#[pymethods]
impl Sae {
    fn decoder<'py>(&self, py: Python<'py>) -> PyResult<Bound<'py, PyArray2<f64>>> {
        arrays::rows(py, self.sae.decoder())
    }

    fn decoder_bias<'py>(&self, py: Python<'py>) -> Option<Bound<'py, PyArray1<f64>>> {
        self.sae.decoder_bias().map(|bias| PyArray1::from_slice(py, bias))
    }

    #[getter]
    fn path(&self) -> &str {
        &self.path
    }

    #[getter]
    fn atoms(&self) -> usize {
        self.sae.atoms()
    }

    #[getter]
    fn dim(&self) -> usize {
        self.sae.dim()
    }

    #[getter]
    fn architecture(&self) -> &str {
        self.sae.architecture()
    }

    #[getter]
    fn program(&self) -> String {
        self.sae.layout().program().to_owned()
    }

    #[getter]
    fn l1_coefficient(&self) -> Option<f64> {
        self.sae.l1_coefficient()
    }

    #[getter]
    fn encoder(&self) -> Option<String> {
        self.sae.encoder(Batch::Inference)
    }

    #[getter]
    fn no_encoder(&self) -> Option<String> {
        self.sae.no_encoder().map(ToString::to_string)
    }
}
