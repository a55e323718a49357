//! The arguments of `widedict wide`.

use std::path::PathBuf;

use clap::Args;

use super::values::positive;
use super::{DataArgs, RunArgs};

#[derive(Debug, Args)]
pub(crate) struct WideArgs {
    #[command(flatten)]
    pub(crate) source: DataArgs,
    /// Price of a unit of code
    #[arg(long, value_name = "L", value_parser = positive, allow_negative_numbers = true)]
    pub(crate) lambda: f64,
    /// Learn a center too
    #[arg(long)]
    pub(crate) center: bool,
    /// Folder for dictionary.npy, codes.npz and center.npy of the closed form
    #[arg(long, value_name = "DIR")]
    pub(crate) out: Option<PathBuf>,
    /// Refuse an --out that holds anything
    #[arg(long, requires = "out")]
    pub(crate) no_clobber: bool,
    #[command(flatten)]
    pub(crate) run: RunArgs,
}
