//! Autoencoders of other programs.

use std::path::PathBuf;
use std::sync::Arc;

use numpy::{PyArray1, PyArray2};
use pyo3::prelude::*;
use widedict::answer::diagnosis::Source;
use widedict::answer::input::{Input, Origin};
use widedict::io::sae::{Activations, Atoms, Batch, Folded, ReadOptions};

use crate::follow::apart;
use crate::{arrays, errors};

/// An autoencoder as it is stored.
pub(crate) struct Model {
    pub(crate) sae: widedict::io::Sae,
    pub(crate) path: String,
}

/// The same in Python.
#[pyclass(frozen, module = "widedict._widedict")]
pub(crate) struct Sae(pub(crate) Arc<Model>);

/// Reads an autoencoder.
#[pyfunction]
#[pyo3(signature = (path, dim, atoms))]
pub(crate) fn load_sae(
    py: Python<'_>,
    path: PathBuf,
    dim: Option<usize>,
    atoms: Option<&str>,
) -> PyResult<Sae> {
    let atoms = match atoms {
        None => None,
        Some("rows") => Some(Atoms::Rows),
        Some("columns") => Some(Atoms::Columns),
        Some(other) => {
            return Err(errors::value(format!("atoms: expected rows or columns, found '{other}'")));
        }
    };
    let sae =
        apart(py, || widedict::io::Sae::read(&path, &ReadOptions { dim, atoms }).map_err(errors::file))?;
    let found = sae.dim();
    if let Some(dim) = dim.filter(|dim| *dim != found) {
        let path = path.display();
        return Err(errors::value(format!("dim: {path} has atoms of dimension {found}, expected {dim}")));
    }
    Ok(Sae(Arc::new(Model { sae, path: path.display().to_string() })))
}

/// An autoencoder with its data in one system of units.
pub(crate) struct Joined {
    pub(crate) folded: Folded,
    pub(crate) source: Source,
    pub(crate) weights: Option<Vec<f64>>,
    pub(crate) origin: Origin,
    pub(crate) batch: Batch,
}

impl Model {
    /// Brings the data and the autoencoder together.
    pub(crate) fn join(&self, input: Input, per_batch: bool) -> PyResult<Joined> {
        let Input { points, weights, origin } = input;
        let folded = self.sae.fold(Activations::of(points.into_matrix()));
        let folded = folded.map_err(|error| errors::value(format!("{}: {error}", self.path)))?;
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
            joined.source.lambda_from = "lambda_";
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
        arrays::rows(py, self.0.sae.decoder())
    }

    fn decoder_bias<'py>(&self, py: Python<'py>) -> Option<Bound<'py, PyArray1<f64>>> {
        self.0.sae.decoder_bias().map(|bias| PyArray1::from_slice(py, bias))
    }

    #[getter]
    fn path(&self) -> &str {
        &self.0.path
    }

    #[getter]
    fn atoms(&self) -> usize {
        self.0.sae.atoms()
    }

    #[getter]
    fn dim(&self) -> usize {
        self.0.sae.dim()
    }

    #[getter]
    fn architecture(&self) -> &str {
        self.0.sae.architecture()
    }

    #[getter]
    fn program(&self) -> String {
        self.0.sae.layout().program().to_owned()
    }

    #[getter]
    fn l1_coefficient(&self) -> Option<f64> {
        self.0.sae.l1_coefficient()
    }

    #[getter]
    fn encoder(&self) -> Option<String> {
        self.0.sae.encoder(Batch::Inference)
    }

    #[getter]
    fn no_encoder(&self) -> Option<String> {
        self.0.sae.no_encoder().map(ToString::to_string)
    }
}
