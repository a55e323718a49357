//! What is said beside the answers of `solve` and `certify`.

use std::path::Path;

pub(crate) use widedict::answer::text::{audited, rejected, solved, trivial};

/// What was written, nothing where there is no folder.
pub(crate) fn written(files: &str, folder: Option<&Path>) -> String {
    folder.map_or_else(String::new, |path| format!("\nwrote {files} in {}\n", path.display()))
}

/// What was drawn, nothing where there is no picture.
pub(crate) fn drawn(picture: Option<&Path>) -> String {
    picture.map_or_else(String::new, |path| format!("drew {}\n", path.display()))
}
