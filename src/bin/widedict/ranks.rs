//! The processes of a job that `--mpi` joins: which one this is, and how they end together.
//!
//! They belong to the process, so their state is global.

use std::sync::{Arc, OnceLock};

use widedict::reduce::{Reduce, Share};

use crate::failure::Failure;

static RANKS: OnceLock<Arc<dyn Reduce>> = OnceLock::new();

/// The option that joins them. It is looked for before all others, so that one process alone
/// says what is wrong with those.
#[cfg(feature = "mpi")]
const OPTION: &str = "--mpi";

/// Stays in the job until it is dropped.
pub(crate) struct Job {
    #[cfg(feature = "mpi")]
    _world: Option<widedict::mpi::World>,
}

/// Joins the job, where the command line asks for it.
#[cfg(feature = "mpi")]
pub(crate) fn join() -> Job {
    let world = if asked() { widedict::mpi::World::join() } else { None };
    let Some(joined) = &world else { return Job { _world: None } };
    let _ = RANKS.set(joined.ranks());
    // A process that panics would leave the others waiting.
    let told = std::panic::take_hook();
    std::panic::set_hook(Box::new(move |panic| {
        told(panic);
        widedict::mpi::abort(PANICKED);
    }));
    Job { _world: world }
}

#[cfg(not(feature = "mpi"))]
pub(crate) fn join() -> Job {
    Job {}
}

/// Exit code of a Rust program that panicked.
#[cfg(feature = "mpi")]
const PANICKED: i32 = 101;

#[cfg(feature = "mpi")]
fn asked() -> bool {
    std::env::args_os().skip(1).take_while(|word| word != "--").any(|word| word == OPTION)
}

/// The processes, where there are any.
pub(crate) fn all() -> Option<&'static Arc<dyn Reduce>> {
    RANKS.get()
}

/// Whether this process prints and writes.
pub(crate) fn is_root() -> bool {
    all().is_none_or(|ranks| ranks.rank() == 0)
}

/// This process's part of so many, where there are processes.
pub(crate) fn share(total: usize) -> Option<Share> {
    all().map(|ranks| Share::of(Arc::clone(ranks), total))
}

/// Refuses what is not distributed.
pub(crate) fn refuse(asked: bool, what: &'static str) -> Result<(), Failure> {
    if !asked {
        return Ok(());
    }
    let failure = Failure::NotDistributed(what);
    // All processes have the same command line.
    Err(if all().is_some() { known(&failure) } else { failure })
}

/// A failure that all processes have alike.
pub(crate) fn known(failure: &Failure) -> Failure {
    Failure::Agreed { code: failure.exit_code(), message: failure.to_string() }
}

/// Refuses `--mpi` where this build cannot join a job.
pub(crate) fn check(asked: bool) -> Result<(), Failure> {
    if asked && all().is_none() {
        return Err(Failure::Unavailable("--mpi (feature mpi)"));
    }
    Ok(())
}

/// Goes on where all processes have a result; where one has failed, all fail as the first that
/// did. What follows may wait for the others.
pub(crate) fn agree<T>(result: Result<T, Failure>) -> Result<T, Failure> {
    let Some(share) = share(0) else { return result };
    let told = match &result {
        Ok(_) | Err(Failure::Elsewhere) => Vec::new(),
        Err(failure) => words(failure),
    };
    let first = share.gather(told).into_iter().find(|told| !told.is_empty()).unwrap_or_default();
    match (failure(&share.broadcast(first)), result) {
        (Some(failure), _) => Err(failure),
        (None, result) => result,
    }
}

/// The number that the first process has, at all of them.
pub(crate) fn of_first(number: f64) -> f64 {
    let Some(share) = share(0) else { return number };
    share.broadcast(vec![number.to_bits()]).first().map_or(number, |bits| f64::from_bits(*bits))
}

fn words(failure: &Failure) -> Vec<u64> {
    let code = std::iter::once(u64::from(failure.exit_code()));
    code.chain(failure.to_string().bytes().map(u64::from)).collect()
}

fn failure(words: &[u64]) -> Option<Failure> {
    let (code, message) = words.split_first()?;
    let byte = |word: &u64| u8::try_from(*word).unwrap_or(b'?');
    let message: Vec<u8> = message.iter().map(byte).collect();
    let message = String::from_utf8_lossy(&message).into_owned();
    Some(Failure::Agreed { code: byte(code), message })
}

/// Whether this process is the one that says a failure: the first, or one whose failure the
/// others do not know.
pub(crate) fn says(failure: &Failure) -> bool {
    if is_root() {
        return true;
    }
    let known = matches!(failure, Failure::Agreed { .. });
    if !known {
        // Where all fail alike, the first says so and ends the others.
        std::thread::sleep(PATIENCE);
    }
    !known
}

/// Ends the job where this process failed and the others do not know.
pub(crate) fn end(failure: &Failure) {
    let others = all().is_some_and(|ranks| ranks.size() > 1);
    if others && !matches!(failure, Failure::Agreed { .. }) {
        #[cfg(feature = "mpi")]
        widedict::mpi::abort(i32::from(failure.exit_code()));
    }
}

/// How long a process waits with a failure that the first one may have too.
const PATIENCE: std::time::Duration = std::time::Duration::from_millis(500);
