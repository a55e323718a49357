//! What is printed and written: JSON rows, texts for people, files, progress.

pub(crate) mod checkpoints;
pub(crate) mod folder;
pub(crate) mod progress;
pub(crate) mod text;

use std::io::Write;
use std::path::Path;

use serde::Serialize;

use crate::failure::Failure;

pub(crate) use widedict::answer::{diagnosis, encoding, grid, masked, row};

/// Says something on standard error; that nobody listens is no reason to fail.
pub(crate) fn say(text: &str) {
    let _ = writeln!(std::io::stderr(), "{text}");
}

/// Prints a finished answer.
pub(crate) fn print(text: &str) -> Result<(), Failure> {
    let mut out = std::io::stdout().lock();
    out.write_all(text.as_bytes()).and_then(|()| out.flush()).map_err(Failure::Print)
}

/// Prints a finished answer: one JSON object, or a text for people. Of several processes, the
/// first prints.
pub(crate) fn answer(
    json: bool,
    value: &impl Serialize,
    text: impl FnOnce() -> String,
) -> Result<(), Failure> {
    if !crate::ranks::is_root() {
        return Ok(());
    }
    if json { print(&row::json(value)) } else { print(&text()) }
}

/// Writes a text file whole or not at all.
pub(crate) fn write_text(path: &Path, text: &str) -> Result<(), Failure> {
    Ok(widedict::io::replace(path, |writer| Ok(writer.write_all(text.as_bytes())?))?)
}
