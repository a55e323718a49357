//! What `solve` and `path` write, and the library's choice of `--bound`.

use widedict::Bounding;
use widedict::io::Saving;

use crate::arguments::BoundChoice;
use crate::failure::Failure;
use crate::output::folder::Folder;
use crate::output::row::Row;

/// The library's choice of `--bound`.
pub(super) fn bounding(choice: BoundChoice) -> Result<Bounding, Failure> {
    choice.bounding().ok_or(Failure::Unavailable("--bound sdp (feature sdp)"))
}

/// Writes a solution with its certificate and what another program needs to check it, in
/// place of what an earlier run wrote.
pub(super) fn save(folder: &Folder, saving: &Saving<'_>, row: &Row) -> Result<(), Failure> {
    saving.write(folder.path(), row)?;
    folder.write_sae(saving.certified.solution(), saving.problem.lambda())
}
