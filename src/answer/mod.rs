//! The answers that the command and the Python package give: from data and settings to a
//! solution that is bounded and certified, and to the fields that are printed and saved.
//!
//! Both call what is here, so their numbers are the same. It is no part of the crate's API:
//! names may change without a word, and who writes Rust calls the modules below it.

pub mod conclusion;
pub mod diagnosis;
pub mod encoding;
pub mod grid;
pub mod hull;
pub mod input;
pub mod masked;
pub mod participation;
pub mod plain;
pub mod row;
pub mod start;
pub mod text;
pub mod verification;
pub mod verify;
pub mod wide;

use std::time::Duration;

use crate::observer::Observer;

/// Who follows a job: an observer that is also told of phases and of what people should know.
pub trait Follow: Observer {
    /// How long it has been since the input was read.
    fn elapsed(&self) -> Duration;

    /// Names what is done while no progress is told.
    fn phase(&self, name: &'static str);

    /// Tells which part of a job of several is done, counted from 1.
    fn part(&self, which: usize, of: usize) {
        let _ = (which, of);
    }

    /// Says what is no error and should be known.
    fn note(&self, text: &str);
}
