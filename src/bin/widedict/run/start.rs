//! Where a run starts that goes on from a saved one.

use std::path::Path;

use widedict::io::{Rows, load_solution};
use widedict::{Factorization, Problem};

use crate::failure::Failure;
use crate::output::folder::Folder;

/// Reads the checkpoint in a folder, which is the newer one where a run was lost, or its
/// solution, and fits its center to the problem: one that is no variable there is left
/// out, and one that is missing starts at 0. Rows that were masked there start without codes.
pub(super) fn read(folder: &Path, problem: &Problem, rows: &Rows) -> Result<Factorization, Failure> {
    let checkpoint = Folder::checkpoint(folder);
    let place = if checkpoint.is_dir() { checkpoint.as_path() } else { folder };
    let loaded = load_solution(place)?;
    let misfit = |error| Failure::Atoms { path: place.to_path_buf(), error };
    let (dictionary, codes, center) = loaded.factorization.into_parts();
    let found = (loaded.rows.of(), dictionary.dim());
    if found != (rows.of(), problem.dim()) {
        let what = format!(
            "expected a solution of {} points of dimension {}, found one of {} of dimension {}",
            rows.of(),
            problem.dim(),
            found.0,
            found.1
        );
        return Err(Failure::Saved { path: place.to_path_buf(), what });
    }
    let codes = rows.restrict(&loaded.rows.spread(&codes));
    let center =
        problem.centered().then(|| center.or(loaded.fixed_center).unwrap_or_else(|| vec![0.0; found.1]));
    Factorization::new(dictionary, codes, center).map_err(misfit)
}
