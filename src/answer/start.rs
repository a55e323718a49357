//! Where a run starts that goes on from a saved one.

use std::path::{Path, PathBuf};

use crate::atoms::AtomsError;
use crate::io::{FileError, Loaded, Rows, load_solution};
use crate::{Factorization, Problem};

/// Folder in which a run keeps what it has so far.
pub const CHECKPOINT: &str = "checkpoint";

/// Why nothing can start there.
#[derive(Debug, thiserror::Error)]
pub enum StartError {
    #[error(transparent)]
    File(#[from] FileError),
    #[error("{}: {error}", path.display())]
    Misfit { path: PathBuf, error: Misfit },
}

/// Why a solution does not go with the data.
#[derive(Debug, thiserror::Error)]
pub enum Misfit {
    #[error(
        "expected a solution of {} points of dimension {}, found one of {} of dimension {}",
        expected.0,
        expected.1,
        found.0,
        found.1
    )]
    Size { expected: (usize, usize), found: (usize, usize) },
    #[error(transparent)]
    Atoms(#[from] AtomsError),
}

/// Reads the checkpoint in a folder, which is the newer one where a run was lost, or its
/// solution, and fits its center to the problem: one that is no variable there is left
/// out, and one that is missing starts at 0. Rows that were masked there start without codes.
///
/// # Errors
/// Files that cannot be read, and a solution of other data.
pub fn read(folder: &Path, problem: &Problem, rows: &Rows) -> Result<Factorization, StartError> {
    let checkpoint = folder.join(CHECKPOINT);
    let place = if checkpoint.is_dir() { checkpoint.as_path() } else { folder };
    let loaded = load(place, problem.dim(), rows)?;
    let misfit = |error| StartError::Misfit { path: place.to_path_buf(), error };
    centered(loaded.factorization, loaded.fixed_center, problem).map_err(misfit)
}

/// Reads a solution of data of this dimension, with the codes of these of their rows.
///
/// # Errors
/// As [`read`].
pub fn load(folder: &Path, dim: usize, rows: &Rows) -> Result<Loaded, StartError> {
    let loaded = load_solution(folder)?;
    let misfit = |error| StartError::Misfit { path: folder.to_path_buf(), error };
    let factorization = restricted(loaded.factorization, &loaded.rows, dim, rows).map_err(misfit)?;
    Ok(Loaded { factorization, ..loaded })
}

/// A solution of datapoints that are the rows `of` some data, as one of the rows `rows`.
///
/// # Errors
/// A solution of other data.
pub fn restricted(
    solution: Factorization,
    of: &Rows,
    dim: usize,
    rows: &Rows,
) -> Result<Factorization, Misfit> {
    let (dictionary, codes, center) = solution.into_parts();
    let (expected, found) = ((rows.of(), dim), (of.of(), dictionary.dim()));
    if found != expected {
        return Err(Misfit::Size { expected, found });
    }
    let codes = rows.restrict(&of.spread(&codes));
    Ok(Factorization::new(dictionary, codes, center)?)
}

/// A solution with the center that the problem has.
///
/// # Errors
/// A center that does not fit.
pub fn centered(
    solution: Factorization,
    fixed_center: Option<Vec<f64>>,
    problem: &Problem,
) -> Result<Factorization, Misfit> {
    let (dictionary, codes, center) = solution.into_parts();
    let zero = || vec![0.0; dictionary.dim()];
    let center = problem.centered().then(|| center.or(fixed_center).unwrap_or_else(zero));
    Ok(Factorization::new(dictionary, codes, center)?)
}
