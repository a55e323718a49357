//! What a run has so far, saved every so often.

use std::fs;
use std::path::PathBuf;
use std::sync::{Mutex, PoisonError};
use std::time::{Duration, Instant};

use widedict::io::{Rows, save_checkpoint};
use widedict::{Factorization, Keeper, Problem};

use super::folder::Folder;
use super::progress::Watch;

/// Saves checkpoints beside the solution that is to come.
pub(crate) struct Checkpoints<'a> {
    problem: &'a Problem,
    rows: &'a Rows,
    watch: &'a Watch,
    path: PathBuf,
    every: Duration,
    kept: Mutex<Kept>,
}

/// When something was kept last, and its objective.
struct Kept {
    at: Instant,
    objective: f64,
}

impl<'a> Checkpoints<'a> {
    /// For a problem of these rows of its data.
    pub(crate) fn new(
        folder: &Folder,
        (problem, rows): (&'a Problem, &'a Rows),
        seconds: f64,
        watch: &'a Watch,
    ) -> Self {
        Self {
            problem,
            rows,
            watch,
            path: Folder::checkpoint(folder.path()),
            every: Duration::from_secs_f64(seconds),
            kept: Mutex::new(Kept { at: Instant::now(), objective: f64::INFINITY }),
        }
    }
}

impl Keeper for Checkpoints<'_> {
    fn wants(&self) -> bool {
        self.kept.lock().unwrap_or_else(PoisonError::into_inner).at.elapsed() >= self.every
    }

    fn keep(&self, factorization: &Factorization, objective: f64) {
        let mut kept = self.kept.lock().unwrap_or_else(PoisonError::into_inner);
        // Another start of the same run may have come further.
        if objective < kept.objective {
            // That it exists already is as good.
            let _ = fs::create_dir(&self.path);
            match save_checkpoint(&self.path, self.problem, factorization, Some(self.rows)) {
                Ok(()) => kept.objective = objective,
                Err(error) => self.watch.note(&format!("no checkpoint: {error}")),
            }
        }
        kept.at = Instant::now();
    }
}
