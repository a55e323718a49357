//! The number of threads of a run.

use crate::arguments::RunArgs;
use crate::failure::Failure;

/// Runs `work` on the number of threads asked for.
pub(super) fn on_threads<T: Send>(
    args: &RunArgs,
    work: impl FnOnce() -> Result<T, Failure> + Send,
) -> Result<T, Failure> {
    match args.threads {
        None => work(),
        Some(threads) => rayon::ThreadPoolBuilder::new().num_threads(threads.get()).build()?.install(work),
    }
}
