//! The arguments of `widedict verify`.

use std::path::PathBuf;

use clap::Args;

use super::{DataArgs, RunArgs};

#[derive(Debug, Args)]
pub(crate) struct VerifyArgs {
    /// Folder that --out of solve, certify or a row of path wrote
    #[arg(value_name = "DIR")]
    pub(crate) folder: PathBuf,
    #[command(flatten)]
    pub(crate) source: DataArgs,
    #[command(flatten)]
    pub(crate) run: RunArgs,
}
