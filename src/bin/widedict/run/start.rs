//! Where a run starts that goes on from a saved one.

use std::path::Path;

use widedict::io::{Loaded, Rows, load_solution};
use widedict::{Factorization, Problem};

use crate::failure::Failure;
use crate::output::folder::Folder;

/// Reads the checkpoint in a folder, which is the newer one where a run was lost, or its
/// solution, and fits its center to the problem: one that is no variable there is left
/// out, and one that is missing starts at 0. Rows that were masked there start without codes.
pub(super) fn read(folder: &Path, problem: &Problem, rows: &Rows) -> Result<Factorization, Failure> {
    let checkpoint = Folder::checkpoint(folder);
    let place = if checkpoint.is_dir() { checkpoint.as_path() } else { folder };
    let loaded = load(place, problem.dim(), rows)?;
    let misfit = |error| Failure::Atoms { path: place.to_path_buf(), error };
    let (dictionary, codes, center) = loaded.factorization.into_parts();
    let zero = || vec![0.0; dictionary.dim()];
    let center = problem.centered().then(|| center.or(loaded.fixed_center).unwrap_or_else(zero));
    Factorization::new(dictionary, codes, center).map_err(misfit)
}

/// Reads a solution of data of this dimension, with the codes of these of their rows.
pub(super) fn load(folder: &Path, dim: usize, rows: &Rows) -> Result<Loaded, Failure> {
    let mut loaded = load_solution(folder)?;
    let (dictionary, codes, center) = loaded.factorization.into_parts();
    let found = (loaded.rows.of(), dictionary.dim());
    if found != (rows.of(), dim) {
        let what = format!(
            "expected a solution of {} points of dimension {dim}, found one of {} of dimension {}",
            rows.of(),
            found.0,
            found.1
        );
        return Err(Failure::Saved { path: folder.to_path_buf(), what });
    }
    let codes = rows.restrict(&loaded.rows.spread(&codes));
    let misfit = |error| Failure::Atoms { path: folder.to_path_buf(), error };
    loaded.factorization = Factorization::new(dictionary, codes, center).map_err(misfit)?;
    Ok(loaded)
}
