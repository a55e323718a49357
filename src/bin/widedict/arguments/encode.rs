//! The arguments of `widedict encode`.

use std::path::PathBuf;

use clap::Args;

use super::values::{nonnegative, positive};
use super::{DataArgs, RunArgs, SaeArgs};

#[derive(Debug, Args)]
#[command(group(clap::ArgGroup::new("subject").required(true).multiple(false)))]
pub(crate) struct EncodeArgs {
    #[command(flatten)]
    pub(crate) source: DataArgs,
    /// Dictionary, `.npy`, an atom a row, of any length
    #[arg(long, value_name = "D.npy", group = "subject", requires = "lambda")]
    pub(crate) dictionary: Option<PathBuf>,
    #[command(flatten)]
    pub(crate) trained: SaeArgs,
    /// With --sae: the best codes for its dictionary, not those of its encoder
    #[arg(long, requires = "sae", conflicts_with = "dictionary")]
    pub(crate) exact: bool,
    /// Price of a unit of code times the length of its atom [default: that of the
    /// autoencoder's configuration]
    #[arg(long, value_name = "L", value_parser = nonnegative, allow_negative_numbers = true)]
    pub(crate) lambda: Option<f64>,
    /// Center to subtract from the data, `.npy`
    #[arg(long, value_name = "b.npy", requires = "dictionary", conflicts_with = "sae")]
    pub(crate) center_file: Option<PathBuf>,
    /// Relative gap at which a datapoint's code is done [default: the coder's]
    #[arg(long, value_name = "E", value_parser = positive, allow_negative_numbers = true)]
    pub(crate) tolerance: Option<f64>,
    /// File for the codes, scipy's sparse `.npz`
    #[arg(long, value_name = "CODES.npz")]
    pub(crate) out: Option<PathBuf>,
    /// Refuse an --out that exists
    #[arg(long, requires = "out")]
    pub(crate) no_clobber: bool,
    #[command(flatten)]
    pub(crate) run: RunArgs,
}
