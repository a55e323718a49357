//! Errors as Python names them: `ValueError` for what was given, `OSError` for files,
//! `ArithmeticError` for an iteration that broke down.

use pyo3::PyErr;
use pyo3::exceptions::{PyArithmeticError, PyOSError, PyValueError};
use widedict::SolveError;
use widedict::io::{FileError, FileProblem};

/// What was given cannot be used.
pub(crate) fn value(error: impl ToString) -> PyErr {
    PyValueError::new_err(error.to_string())
}

/// A file that the system refuses is an `OSError`, one whose content is wrong a `ValueError`.
pub(crate) fn file(error: FileError) -> PyErr {
    if matches!(error.problem, FileProblem::System(_)) {
        PyOSError::new_err(error.to_string())
    } else {
        value(error)
    }
}

/// A solver that broke down is an `ArithmeticError`, a setting it refuses a `ValueError`.
pub(crate) fn solve(error: SolveError) -> PyErr {
    if matches!(error, SolveError::Conic { .. } | SolveError::Breakdown(_)) {
        PyArithmeticError::new_err(error.to_string())
    } else {
        value(error)
    }
}
