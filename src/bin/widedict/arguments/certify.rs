//! The arguments of `widedict certify`.

use std::path::PathBuf;

use clap::Args;

use widedict::answer::participation::Least;

use super::values::{BoundChoice, LocalChoice, nonnegative, positive};
use super::{DataArgs, RunArgs, SaeArgs};

#[derive(Debug, Args)]
#[command(group(clap::ArgGroup::new("subject").required(true).multiple(false)))]
pub(crate) struct CertifyArgs {
    #[command(flatten)]
    pub(crate) source: DataArgs,
    /// Dictionary, `.npy`, an atom a row, of any length
    #[arg(long, value_name = "D.npy", group = "subject", requires = "codes", requires = "lambda")]
    pub(crate) dictionary: Option<PathBuf>,
    #[command(flatten)]
    pub(crate) trained: SaeArgs,
    /// Folder that --out wrote: its dictionary, codes and center, which stays fixed or a variable
    /// as it was, at its prices unless others are told
    #[arg(long, value_name = "DIR", group = "subject",
          conflicts_with_all = ["codes", "center_file", "center", "inputs", "target", "per_batch", "atoms"])]
    pub(crate) from: Option<PathBuf>,
    /// Codes of the atoms as they are stored, scipy's sparse `.npz`, a datapoint a row
    /// [default: those of the autoencoder's encoder]
    #[arg(long, value_name = "Z.npz")]
    pub(crate) codes: Option<PathBuf>,
    /// Price of a unit of code times the length of its atom [default: that of --from or of the
    /// autoencoder's configuration]
    #[arg(long, value_name = "L", value_parser = nonnegative, allow_negative_numbers = true)]
    pub(crate) lambda: Option<f64>,
    /// Price of holding an atom, per unit of its RMS activation; 0 is the vanilla SAE
    /// [default: that of --from, else 0]
    #[arg(long, value_name = "G", value_parser = nonnegative, allow_negative_numbers = true)]
    pub(crate) gamma: Option<f64>,
    /// Center, `.npy`: subtracted from the data, unless --center makes it a variable; that of
    /// an autoencoder is its decoder bias
    #[arg(long, value_name = "b.npy", conflicts_with = "sae")]
    pub(crate) center_file: Option<PathBuf>,
    /// The center is a variable: its stationarity is checked, the bound is for any center
    #[arg(long)]
    pub(crate) center: bool,
    /// Relative gap at which the point counts as global
    #[arg(long, value_name = "E", default_value = "5e-3", value_parser = positive, allow_negative_numbers = true)]
    pub(crate) tolerance: f64,
    /// How the point is bounded
    #[arg(long, value_enum, default_value_t = BoundChoice::AUTO)]
    pub(crate) bound: BoundChoice,
    /// Whether the point is tested as a local optimum of its width
    #[arg(long, value_enum, default_value_t = LocalChoice::Auto)]
    pub(crate) local: LocalChoice,
    /// Exit with 1 if the certified relative gap is above this
    #[arg(long, value_name = "G", value_parser = nonnegative, allow_negative_numbers = true)]
    pub(crate) require_gap: Option<f64>,
    /// Bound every dictionary whose atoms have at least this participation: a number,
    /// or auto for the least of the atoms given
    #[arg(long, value_name = "auto|P", allow_negative_numbers = true)]
    pub(crate) participation: Option<Least>,
    /// Folder for the point, certificate.json, and improved/ with a lower point where one is found
    #[arg(long, value_name = "DIR")]
    pub(crate) out: Option<PathBuf>,
    /// Refuse an --out that holds anything
    #[arg(long, requires = "out")]
    pub(crate) no_clobber: bool,
    #[command(flatten)]
    pub(crate) run: RunArgs,
}
