//! Ctrl-C, SIGTERM and SIGHUP: what they do depends on how far the process is.
//!
//! A handler belongs to the process, so its state is global. While the input is read there
//! is nothing to return, and a read may block for as long as a pipe does: the process ends.
//! From the start of a run on it is asked to end with what it has.

use std::fs;
use std::path::{Path, PathBuf};
use std::sync::atomic::{AtomicU8, Ordering};
use std::sync::{Mutex, PoisonError};

use crate::output::say;
use crate::ranks;

/// Arguments are checked and files read.
const READING: u8 = 0;
/// A run is under way, or its answer is written.
const RUNNING: u8 = 1;
/// It was asked to end.
const ASKED: u8 = 2;

static STAGE: AtomicU8 = AtomicU8::new(READING);

/// Folders that were made before the input was read.
static MADE: Mutex<Vec<PathBuf>> = Mutex::new(Vec::new());

/// Exit code of a run that did not reach its end.
const UNMET: i32 = 1;

/// What a killed process exits with: 128 + SIGINT.
const INTERRUPTED: i32 = 130;

/// Takes over from the system's way, which ends the process without a word.
pub(crate) fn handle() {
    let handler = ctrlc::set_handler(|| {
        match STAGE.compare_exchange(RUNNING, ASKED, Ordering::Relaxed, Ordering::Relaxed) {
            Ok(_) => {}
            Err(READING) => {
                let made = MADE.lock().unwrap_or_else(PoisonError::into_inner);
                // Only an empty folder can be removed.
                made.iter().for_each(|folder| drop(fs::remove_dir(folder)));
                if ranks::is_root() {
                    say("widedict: interrupted while the input was read: nothing was computed or written");
                }
                std::process::exit(UNMET);
            }
            Err(_) => std::process::exit(INTERRUPTED),
        }
    });
    if let Err(error) = handler {
        say(&format!("note: Ctrl-C will end the process at once: {error}"));
    }
}

/// Leaves no trace of a folder where a signal ends the process before the run begins.
pub(crate) fn remove_if_interrupted(folder: &Path) {
    MADE.lock().unwrap_or_else(PoisonError::into_inner).push(folder.to_path_buf());
}

/// The input is read: from here on a signal asks the run to end.
pub(crate) fn run_begins() {
    STAGE.store(RUNNING, Ordering::Relaxed);
}

/// Whether a signal came.
pub(crate) fn asked_to_end() -> bool {
    STAGE.load(Ordering::Relaxed) == ASKED
}
