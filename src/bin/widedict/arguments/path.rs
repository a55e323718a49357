//! The arguments of `widedict path`.

use std::num::NonZeroUsize;
use std::path::PathBuf;

use clap::Args;

use super::values::{BoundChoice, count, nonnegative, positive};
use super::{DataArgs, RunArgs};

#[derive(Debug, Args)]
#[command(group(clap::ArgGroup::new("written").args(["out", "plot"]).multiple(true)))]
#[command(group(clap::ArgGroup::new("grid").required(true).args(["gammas", "ratios"])))]
pub(crate) struct PathArgs {
    #[command(flatten)]
    pub(crate) source: DataArgs,
    /// Price of a unit of code
    #[arg(long, value_name = "L", value_parser = nonnegative, allow_negative_numbers = true)]
    pub(crate) lambda: f64,
    /// Atom prices of the convex problem, separated by commas
    #[arg(long, value_name = "G,G,..", value_delimiter = ',', value_parser = nonnegative, allow_negative_numbers = true)]
    pub(crate) gammas: Vec<f64>,
    /// Widths of the joint problem as atoms per datapoint, separated by commas
    #[arg(long, value_name = "A,A,..", value_delimiter = ',', value_parser = positive, allow_negative_numbers = true)]
    pub(crate) ratios: Vec<f64>,
    /// Price of holding an atom, with --ratios
    #[arg(long, value_name = "G", conflicts_with = "gammas", value_parser = nonnegative, allow_negative_numbers = true)]
    pub(crate) gamma: Option<f64>,
    /// Learn a center too
    #[arg(long)]
    pub(crate) center: bool,
    /// Relative gap (with --ratios, relative stationarity) at which a run stops
    #[arg(long, value_name = "E", default_value = "5e-3", value_parser = positive, allow_negative_numbers = true)]
    pub(crate) tolerance: f64,
    /// How the returned points are bounded
    #[arg(long, value_enum, default_value_t = BoundChoice::AUTO)]
    pub(crate) bound: BoundChoice,
    /// Exit with 1 if some certified relative gap is above this
    #[arg(long, value_name = "G", value_parser = nonnegative, allow_negative_numbers = true)]
    pub(crate) require_gap: Option<f64>,
    /// Seed of every random choice
    #[arg(long, value_name = "K", default_value_t = 0)]
    pub(crate) seed: u64,
    /// Starts of the joint problem at each width, beside the last width's [default: 1]
    #[arg(long, value_name = "R", value_parser = count, conflicts_with = "gammas")]
    pub(crate) restarts: Option<NonZeroUsize>,
    /// Folder for path.json, path.csv and a folder a row
    #[arg(long, value_name = "DIR")]
    pub(crate) out: Option<PathBuf>,
    /// Picture of objective, bound, atoms and L0 along the grid
    #[arg(long, value_name = "FILE.svg")]
    pub(crate) plot: Option<PathBuf>,
    /// Refuse an --out that holds anything, and a --plot that exists
    #[arg(long, requires = "written")]
    pub(crate) no_clobber: bool,
    #[command(flatten)]
    pub(crate) run: RunArgs,
}
