//! The arguments of `widedict solve`.

use std::num::NonZeroUsize;
use std::path::PathBuf;

use clap::{Args, ValueEnum};

use widedict::answer::participation::Least;

use super::values::{BoundChoice, LocalChoice, count, nonnegative, positive, seconds};
use super::{DataArgs, RunArgs};

#[derive(Debug, Args)]
#[command(group(clap::ArgGroup::new("written").args(["out", "plot"]).multiple(true)))]
pub(crate) struct SolveArgs {
    #[command(flatten)]
    pub(crate) source: DataArgs,
    /// Price of a unit of code (half an SAE's L1 coefficient when its loss has no ½)
    #[arg(long, value_name = "L", value_parser = nonnegative, allow_negative_numbers = true)]
    pub(crate) lambda: f64,
    /// Price of holding an atom, per unit of its RMS activation; 0 is the vanilla SAE
    #[arg(long, value_name = "G", default_value = "0", value_parser = nonnegative, allow_negative_numbers = true)]
    pub(crate) gamma: f64,
    /// Learn a center too (an SAE's decoder bias)
    #[arg(long)]
    pub(crate) center: bool,
    /// Number of atoms of the joint problem [default: the convex problem, any number]
    #[arg(long, value_name = "M", value_parser = count, conflicts_with = "method")]
    pub(crate) width: Option<NonZeroUsize>,
    /// How to solve; auto is closed-form where gamma is 0, else proximal
    #[arg(long, value_enum, default_value_t = Method::Auto)]
    pub(crate) method: Method,
    /// Relative gap at which the run stops, and at which a point counts as global
    #[arg(long, value_name = "E", default_value = "5e-3", value_parser = positive, allow_negative_numbers = true)]
    pub(crate) tolerance: f64,
    /// How the returned point is bounded
    #[arg(long, value_enum, default_value_t = BoundChoice::AUTO)]
    pub(crate) bound: BoundChoice,
    /// Whether the point is tested as a local optimum of its width
    #[arg(long, value_enum, default_value_t = LocalChoice::Auto)]
    pub(crate) local: LocalChoice,
    /// Exit with 1 if the certified relative gap is above this
    #[arg(long, value_name = "G", value_parser = nonnegative, allow_negative_numbers = true)]
    pub(crate) require_gap: Option<f64>,
    /// Seed of every random choice
    #[arg(long, value_name = "K", default_value_t = 0)]
    pub(crate) seed: u64,
    /// Starts of the joint problem, of which the best is kept [default: 1]
    #[arg(long, value_name = "R", value_parser = count, requires = "width")]
    pub(crate) restarts: Option<NonZeroUsize>,
    /// Prove the best dictionary of this width among all: data of rank two at most, gamma 0, no
    /// learnt center. The verdict is then global-width within the tolerance
    #[arg(long, requires = "width", conflicts_with = "center")]
    pub(crate) global: bool,
    /// Bound every dictionary whose atoms have at least this participation: a number,
    /// or auto for the least of the returned atoms
    #[arg(long, value_name = "auto|P", requires = "width", allow_negative_numbers = true)]
    pub(crate) participation: Option<Least>,
    /// Folder for dictionary.npy, codes.npz, center.npy, certificate.json, sae/ as SAELens reads
    /// it, and improved/ with a lower point where the verdict rests on one
    #[arg(long, value_name = "DIR")]
    pub(crate) out: Option<PathBuf>,
    /// Picture of the atoms
    #[arg(long, value_name = "FILE.svg")]
    pub(crate) plot: Option<PathBuf>,
    /// Folder that --out wrote, or a checkpoint of it, to go on from; at gamma 0
    /// without a width the closed form needs no start
    #[arg(long, value_name = "DIR")]
    pub(crate) start: Option<PathBuf>,
    /// Seconds between two checkpoints in DIR/checkpoint, from which --start DIR goes on
    #[arg(long, value_name = "S", default_value = "60", value_parser = seconds, allow_negative_numbers = true)]
    pub(crate) checkpoint_seconds: f64,
    /// Refuse an --out that holds anything, and a --plot that exists
    #[arg(long, requires = "written")]
    pub(crate) no_clobber: bool,
    #[command(flatten)]
    pub(crate) run: RunArgs,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
pub(crate) enum Method {
    /// closed-form where gamma is 0, else proximal
    Auto,
    /// Column generation with a first-order master
    Proximal,
    /// Column generation with a conic master: interior points, up to some hundred datapoints
    Conic,
    /// Conic, then the semidefinite bound (feature sdp)
    Sdp,
    /// An atom a datapoint: gamma 0 only
    ClosedForm,
}
