//! Errors as Python names them: `ValueError` for what was given, `OSError` for files,
//! `MemoryError` where there is none, `ArithmeticError` for an iteration that broke down. Texts
//! of the library name options as the command does; here they become arguments.

use std::io;
use std::path::Path;

use pyo3::PyErr;
use pyo3::exceptions::{PyArithmeticError, PyMemoryError, PyOSError, PyValueError};
use widedict::SolveError;
use widedict::answer::start::StartError;
use widedict::io::{FileError, FileProblem};

/// What was given cannot be used.
pub(crate) fn value(error: impl ToString) -> PyErr {
    PyValueError::new_err(spoken(&error.to_string()))
}

/// The same of an argument.
pub(crate) fn argument(name: &str, error: impl ToString) -> PyErr {
    value(format!("{name}: {}", error.to_string()))
}

/// There is no memory for so many numbers.
pub(crate) fn memory(count: usize) -> PyErr {
    PyMemoryError::new_err(format!("no memory for {count} numbers, {} bytes", 8 * count as u128))
}

/// A file that the system refuses is an `OSError` of its number, one whose content is wrong a
/// `ValueError`.
pub(crate) fn file(error: FileError) -> PyErr {
    if let FileProblem::System(refused) = &error.problem {
        system(refused, &error.path)
    } else if matches!(error.problem, FileProblem::Memory { .. }) {
        PyMemoryError::new_err(error.to_string())
    } else {
        value(error)
    }
}

/// What the system said of a file: Python makes a `FileNotFoundError` of number 2.
pub(crate) fn system(error: &io::Error, path: &Path) -> PyErr {
    let text = error.to_string();
    let words = text.split(" (os error").next().unwrap_or_default().to_owned();
    match error.raw_os_error() {
        Some(number) => PyOSError::new_err((number, words, path.display().to_string())),
        None => PyOSError::new_err(format!("{}: {text}", path.display())),
    }
}

/// Where a run cannot start.
pub(crate) fn start(error: StartError) -> PyErr {
    match error {
        StartError::File(error) => file(error),
        misfit @ StartError::Misfit { .. } => argument("start", misfit),
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

/// Options that another word, or a value, stands for.
const SPOKEN: [(&str, &str); 8] = [
    ("--dictionary D.npy", "numpy.load reads it"),
    ("--skip-nonfinite", "skip_nonfinite=True"),
    ("--local none", "local=False"),
    ("--bound ", "bound="),
    ("--max-norm-multiple ", "max_norm_multiple="),
    ("--participation ", "participation="),
    ("--lambda", "lambda_"),
    ("--global", "global_"),
];

/// A text in which the command's options are Python's arguments.
pub(crate) fn spoken(text: &str) -> String {
    let mut said = String::with_capacity(text.len());
    let mut rest = text;
    while let Some(at) = rest.find("--") {
        let (before, option) = rest.split_at(at);
        said.push_str(before);
        // Inside of a name, such as a file's, it is none.
        let begins = before.chars().next_back().map_or(said.is_empty(), |c| " (,;:'`\n".contains(c));
        let length = option[2..].find(|c: char| !c.is_ascii_lowercase() && c != '-');
        let name = &option[2..length.map_or(option.len(), |length| length + 2)];
        if !begins || name.is_empty() || name.starts_with('-') {
            said.push_str("--");
            rest = &option[2..];
        } else if let Some((known, word)) = SPOKEN.iter().find(|(known, _)| option.starts_with(known)) {
            said.push_str(word);
            rest = &option[known.len()..];
        } else {
            said.push_str(&name.replace('-', "_"));
            rest = &option[2 + name.len()..];
        }
    }
    said + rest
}
