//! NumPy arrays in and out. Data come as f64 or f32 of any strides, and are copied once, in that
//! type, a datapoint's coordinates side by side.

use numpy::{Element, PyArray1, PyArray2, PyReadonlyArray1, PyReadonlyArray2, PyUntypedArrayMethods};
use pyo3::prelude::*;
use widedict::answer::input::{Input, Origin};
use widedict::atoms::Csr;
use widedict::io::{Activations, Kept, Masking};
use widedict::linalg::Float;
use widedict::{Codes, Datapoints, Matrix};

use crate::errors;

/// Room for so many numbers: how many is the caller's choice, who may ask for more than there is.
fn room<T>(count: usize) -> PyResult<Vec<T>> {
    let mut all = Vec::new();
    all.try_reserve_exact(count).map_err(|_| errors::memory(count))?;
    Ok(all)
}

/// Datapoints that are the rows of an array, in its type.
fn datapoints(rows: &Bound<'_, PyAny>) -> PyResult<Datapoints> {
    if let Ok(array) = rows.extract::<PyReadonlyArray2<'_, f32>>() {
        taken(&array)
    } else {
        taken(&rows.extract::<PyReadonlyArray2<'_, f64>>()?)
    }
}

fn taken<F: Float + Element>(array: &PyReadonlyArray2<'_, F>) -> PyResult<Datapoints> {
    let view = array.as_array();
    let mut values = room(view.len())?;
    // `as_slice` is that of the memory, which in Fortran order is not row by row.
    match array.as_slice() {
        Ok(all) if array.is_c_contiguous() => values.extend_from_slice(all),
        _ => values.extend(view.iter().copied()),
    }
    let shape = [array.shape()[0], array.shape()[1]];
    Datapoints::from_column_major(shape[1], shape[0], values)
        .map_err(|values| errors::value(format!("{} numbers are not {shape:?}", values.len())))
}

/// A matrix whose columns are the rows of an array.
pub(crate) fn matrix(rows: &Bound<'_, PyAny>) -> PyResult<Matrix> {
    Ok(datapoints(rows)?.into_matrix())
}

/// A vector of numbers.
pub(crate) fn vector(values: &PyReadonlyArray1<'_, f64>) -> PyResult<Vec<f64>> {
    let view = values.as_array();
    let mut all = room(view.len())?;
    all.extend(view.iter().copied());
    Ok(all)
}

/// Data with what masks their rows.
#[derive(FromPyObject)]
#[pyo3(from_item_all)]
pub(crate) struct Data<'py> {
    x: Bound<'py, PyAny>,
    weights: Option<PyReadonlyArray1<'py, f64>>,
    skip_nonfinite: bool,
    max_norm_multiple: Option<f64>,
}

/// The same, taken out of Python.
pub(crate) struct Taken {
    points: Datapoints,
    weights: Option<Vec<f64>>,
    skip_nonfinite: bool,
    max_norm_multiple: Option<f64>,
}

impl Data<'_> {
    pub(crate) fn take(&self) -> PyResult<Taken> {
        Ok(Taken {
            points: datapoints(&self.x)?,
            weights: self.weights.as_ref().map(vector).transpose()?,
            skip_nonfinite: self.skip_nonfinite,
            max_norm_multiple: self.max_norm_multiple,
        })
    }
}

impl Taken {
    /// The datapoints; errors name rows as they are in the array.
    pub(crate) fn read(self) -> PyResult<Input> {
        let activations = Activations::of(self.points, "X");
        if let Some(weights) = &self.weights {
            check_weights(weights, activations.len())?;
        }
        let masking = Masking {
            weights: self.weights.as_deref(),
            skip_nonfinite: self.skip_nonfinite,
            max_norm_multiple: self.max_norm_multiple,
        };
        let weights_name = self.weights.is_some().then(|| "weights".to_owned());
        let Kept { points, rows, weights, masked } = activations.mask(&masking).map_err(errors::file)?;
        let origin = Origin { name: "X".to_owned(), weights_name, rows, masked, mean_norm: None };
        Ok(Input { points, weights, origin })
    }
}

fn check_weights(weights: &[f64], rows: usize) -> PyResult<()> {
    if weights.len() != rows {
        return Err(errors::value(format!(
            "weights: expected one a row of X, {rows}, found {}",
            weights.len()
        )));
    }
    if let Some((row, value)) = weights.iter().enumerate().find(|(_, weight)| !(**weight >= 0.0)) {
        return Err(errors::value(format!(
            "weights: weight {row} must be a number at least 0, found {value}"
        )));
    }
    if weights.iter().all(|weight| weight.abs() <= 0.0) {
        return Err(errors::value("weights: every weight is 0, and a weight of 0 masks a row"));
    }
    Ok(())
}

/// Codes of a scipy CSR, a datapoint a row.
#[derive(FromPyObject)]
#[pyo3(from_item_all)]
pub(crate) struct CodesIn<'py> {
    atoms: usize,
    indptr: PyReadonlyArray1<'py, i64>,
    indices: PyReadonlyArray1<'py, i64>,
    values: PyReadonlyArray1<'py, f64>,
}

impl CodesIn<'_> {
    pub(crate) fn take(&self) -> PyResult<Csr> {
        let counts = |array: &PyReadonlyArray1<'_, i64>| {
            let view = array.as_array();
            let mut counts = room(view.len())?;
            for index in view {
                let count = usize::try_from(*index);
                counts.push(count.map_err(|_| errors::value("codes: an index is negative"))?);
            }
            Ok::<_, PyErr>(counts)
        };
        Ok(Csr {
            atoms: self.atoms,
            indptr: counts(&self.indptr)?,
            indices: counts(&self.indices)?,
            values: vector(&self.values)?,
        })
    }
}

/// Codes that were taken.
pub(crate) fn codes(csr: Csr) -> PyResult<Codes> {
    Codes::from_csr(csr).map_err(|error| errors::argument("codes", error))
}

/// An array whose rows are the columns of a matrix.
pub(crate) fn rows<'py>(py: Python<'py>, matrix: &Matrix) -> PyResult<Bound<'py, PyArray2<f64>>> {
    use numpy::PyArrayMethods;
    PyArray1::from_slice(py, matrix.as_slice()).reshape([matrix.ncols(), matrix.nrows()])
}

/// What `scipy.sparse.csr_array` is made of.
pub(crate) type CsrOut<'py> =
    (Bound<'py, PyArray1<f64>>, Bound<'py, PyArray1<i64>>, Bound<'py, PyArray1<i64>>, (usize, usize));

/// Codes as data, indices, indptr and shape.
pub(crate) fn csr<'py>(py: Python<'py>, codes: &Codes) -> PyResult<CsrOut<'py>> {
    let Csr { atoms, indptr, indices, values } = codes.to_csr();
    let shape = (codes.datapoints(), atoms);
    let signed = |counts: Vec<usize>| {
        let counts = counts.into_iter().map(i64::try_from).collect::<Result<Vec<_>, _>>();
        counts.map(|counts| PyArray1::from_vec(py, counts)).map_err(errors::value)
    };
    Ok((PyArray1::from_vec(py, values), signed(indices)?, signed(indptr)?, shape))
}
