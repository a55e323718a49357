//! The command line as types.

use std::num::NonZeroUsize;
use std::path::PathBuf;

use clap::{Args, Parser, Subcommand, ValueEnum};

use crate::participation::Least;

/// Sparse dictionaries with certificates.
///
/// Files are `.npy` (f16, f32 or f64) with a datapoint or an atom a row; codes are
/// scipy's sparse `.npz`. Exit codes: 0 the run met its tolerance; 1 it did not,
/// or the certified gap exceeds --require-gap; 2 usage; 3 input or output;
/// 4 numerical failure.
#[derive(Debug, Parser)]
#[command(name = "widedict", version, arg_required_else_help = true)]
pub(crate) struct Cli {
    #[command(subcommand)]
    pub(crate) command: Command,
}

#[derive(Debug, Subcommand)]
pub(crate) enum Command {
    /// Learn a dictionary and prove how good it is
    Solve(SolveArgs),
    /// Compute the codes of data over a given dictionary
    Encode(EncodeArgs),
    /// Certify a dictionary and codes made elsewhere
    Certify(CertifyArgs),
    /// The wide limit, an atom a datapoint, and up to which gamma it is optimal
    Wide(WideArgs),
    /// A grid of gammas or of widths, each point warm-started from its neighbors
    Path(PathArgs),
    /// Diagnose a sparse autoencoder: how far its codes and dictionary are from optimal, and what they show
    Diagnose(DiagnoseArgs),
}

/// Where the data come from.
#[derive(Debug, Args)]
#[group(required = true, multiple = false)]
pub(crate) struct DataArgs {
    /// Data, `.npy`, a datapoint a row
    #[arg(long, value_name = "X.npy")]
    pub(crate) data: Option<PathBuf>,
    /// Data that travel with the program
    #[arg(long, value_name = "NAME")]
    pub(crate) dataset: Option<Dataset>,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
pub(crate) enum Dataset {
    /// 1797 handwritten digits of 8 × 8 pixels from 0 to 1
    Digits,
}

/// How a run is followed and limited.
#[derive(Debug, Args)]
pub(crate) struct RunArgs {
    /// Stop after this many seconds with the best point so far
    #[arg(long, value_name = "S", value_parser = seconds, allow_negative_numbers = true)]
    pub(crate) max_seconds: Option<f64>,
    /// Threads (the answer does not depend on them) [default: all cores]
    #[arg(long, value_name = "T")]
    pub(crate) threads: Option<NonZeroUsize>,
    /// Print one JSON object
    #[arg(long)]
    pub(crate) json: bool,
    /// No progress and no notes on standard error
    #[arg(long)]
    pub(crate) quiet: bool,
}

#[derive(Debug, Args)]
pub(crate) struct SolveArgs {
    #[command(flatten)]
    pub(crate) source: DataArgs,
    /// Price of a unit of code (half an SAE's L1 coefficient when its loss has no ½)
    #[arg(long, value_name = "L", value_parser = nonnegative, allow_negative_numbers = true)]
    pub(crate) lambda: f64,
    /// Price of holding an atom, per unit of its RMS activation; 0 is the vanilla SAE
    #[arg(long, value_name = "G", default_value = "0", value_parser = nonnegative, allow_negative_numbers = true)]
    pub(crate) gamma: f64,
    /// Weights, `.npy`, positive, one a datapoint; normalized to sum 1 [default: 1/N]
    #[arg(long, value_name = "W.npy")]
    pub(crate) weights: Option<PathBuf>,
    /// Learn a center too (an SAE's decoder bias)
    #[arg(long)]
    pub(crate) center: bool,
    /// Number of atoms of the joint problem [default: the convex problem, any number]
    #[arg(long, value_name = "M", conflicts_with = "method")]
    pub(crate) width: Option<NonZeroUsize>,
    /// How to solve; auto is closed-form where gamma is 0, else proximal
    #[arg(long, value_enum, default_value_t = Method::Auto)]
    pub(crate) method: Method,
    /// Relative gap at which the run stops, and at which a point counts as global
    #[arg(long, value_name = "E", default_value = "5e-3", value_parser = positive, allow_negative_numbers = true)]
    pub(crate) tolerance: f64,
    /// How the returned point is bounded
    #[arg(long, value_enum, default_value_t = BoundChoice::Auto)]
    pub(crate) bound: BoundChoice,
    /// Exit with 1 if the certified relative gap is above this
    #[arg(long, value_name = "G", value_parser = nonnegative, allow_negative_numbers = true)]
    pub(crate) require_gap: Option<f64>,
    /// Seed of every random choice
    #[arg(long, value_name = "K", default_value_t = 0)]
    pub(crate) seed: u64,
    /// Starts of the joint problem, of which the best is kept [default: 1]
    #[arg(long, value_name = "R", requires = "width")]
    pub(crate) restarts: Option<NonZeroUsize>,
    /// Bound every dictionary whose atoms have at least this participation: a number,
    /// or auto for the least of the returned atoms
    #[arg(long, value_name = "auto|P", requires = "width", allow_negative_numbers = true)]
    pub(crate) participation: Option<Least>,
    /// Folder for dictionary.npy, codes.npz, center.npy, certificate.json, and sae/ as SAELens reads it
    #[arg(long, value_name = "DIR")]
    pub(crate) out: Option<PathBuf>,
    /// Picture of the atoms
    #[arg(long, value_name = "FILE.svg")]
    pub(crate) plot: Option<PathBuf>,
    #[command(flatten)]
    pub(crate) run: RunArgs,
}

#[derive(Debug, Args)]
pub(crate) struct EncodeArgs {
    #[command(flatten)]
    pub(crate) source: DataArgs,
    /// Dictionary, `.npy`, an atom a row, of any length
    #[arg(long, value_name = "D.npy")]
    pub(crate) dictionary: PathBuf,
    /// Price of a unit of code times the length of its atom
    #[arg(long, value_name = "L", value_parser = nonnegative, allow_negative_numbers = true)]
    pub(crate) lambda: f64,
    /// Center to subtract from the data, `.npy`
    #[arg(long, value_name = "b.npy")]
    pub(crate) center_file: Option<PathBuf>,
    /// Relative gap at which a datapoint's code is done [default: the coder's]
    #[arg(long, value_name = "E", value_parser = positive, allow_negative_numbers = true)]
    pub(crate) tolerance: Option<f64>,
    /// File for the codes, scipy's sparse `.npz`
    #[arg(long, value_name = "CODES.npz")]
    pub(crate) out: Option<PathBuf>,
    #[command(flatten)]
    pub(crate) run: RunArgs,
}

#[derive(Debug, Args)]
#[command(group(clap::ArgGroup::new("subject").required(true).multiple(false)))]
pub(crate) struct DiagnoseArgs {
    #[command(flatten)]
    pub(crate) source: DataArgs,
    /// Sparse autoencoder: a SAELens folder, or a safetensors file with its configuration
    #[arg(long, value_name = "DIR", group = "subject")]
    pub(crate) sae: Option<PathBuf>,
    /// Dictionary, `.npy`, an atom a row, of any length
    #[arg(long, value_name = "D.npy", group = "subject", requires = "lambda")]
    pub(crate) dictionary: Option<PathBuf>,
    /// Codes, scipy's sparse `.npz`, a datapoint a row [default: the encoder's]
    #[arg(long, value_name = "Z.npz")]
    pub(crate) codes: Option<PathBuf>,
    /// Price of a unit of code [default: from the configuration, where it has an L1 coefficient]
    #[arg(long, value_name = "L", value_parser = positive, allow_negative_numbers = true)]
    pub(crate) lambda: Option<f64>,
    /// Center, `.npy`, of a --dictionary
    #[arg(long, value_name = "b.npy", requires = "dictionary")]
    pub(crate) center_file: Option<PathBuf>,
    /// The center is fixed, not a variable: the bound is for this center alone
    #[arg(long)]
    pub(crate) fixed_center: bool,
    /// Weights, `.npy`, positive, one a datapoint; normalized to sum 1 [default: 1/N]
    #[arg(long, value_name = "W.npy")]
    pub(crate) weights: Option<PathBuf>,
    /// Take at most so many points, evenly spaced, reading the file in blocks
    #[arg(long, value_name = "N", requires = "data", conflicts_with = "weights")]
    pub(crate) points: Option<NonZeroUsize>,
    /// What counts the rows of a decoder that nothing else orients
    #[arg(long, value_enum)]
    pub(crate) atoms: Option<AtomsAre>,
    /// Another dictionary to compare with: a folder, a safetensors file or a `.npy`
    #[arg(long, value_name = "OTHER")]
    pub(crate) compare: Option<PathBuf>,
    /// Most cosines the comparison may hold in memory, 8 bytes each
    #[arg(long, value_name = "P", default_value_t = 1 << 27)]
    pub(crate) max_pairs: usize,
    /// Fewest uses of an atom in a nested pair
    #[arg(long, value_name = "U", default_value_t = 3)]
    pub(crate) min_uses: usize,
    /// Share of a child's points from which on a pair is nearly nested
    #[arg(long, value_name = "S", default_value = "0.9", value_parser = share)]
    pub(crate) nested: f64,
    /// Cosine from which on a pair is looked at for absorption
    #[arg(long, value_name = "C", default_value = "0.5", value_parser = cosine, allow_negative_numbers = true)]
    pub(crate) absorption: f64,
    /// Cosine up to which a pair is antipodal
    #[arg(long, value_name = "C", default_value = "-0.7", value_parser = cosine, allow_negative_numbers = true)]
    pub(crate) antipodal: f64,
    /// Cosine from which on atoms are near-duplicates
    #[arg(long, value_name = "C", default_value = "0.9", value_parser = cosine, allow_negative_numbers = true)]
    pub(crate) duplicate: f64,
    /// Folder for diagnosis.json, diagnosis.html and tables as CSV
    #[arg(long, value_name = "DIR")]
    pub(crate) out: Option<PathBuf>,
    #[command(flatten)]
    pub(crate) run: RunArgs,
}

/// What counts the rows of a stored decoder.
#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
pub(crate) enum AtomsAre {
    /// A row an atom
    Rows,
    /// A column an atom
    Columns,
}

#[derive(Debug, Args)]
pub(crate) struct CertifyArgs {
    #[command(flatten)]
    pub(crate) source: DataArgs,
    /// Dictionary, `.npy`, an atom a row, of any length
    #[arg(long, value_name = "D.npy")]
    pub(crate) dictionary: PathBuf,
    /// Codes, scipy's sparse `.npz`, a datapoint a row
    #[arg(long, value_name = "Z.npz")]
    pub(crate) codes: PathBuf,
    /// Price of a unit of code times the length of its atom
    #[arg(long, value_name = "L", value_parser = nonnegative, allow_negative_numbers = true)]
    pub(crate) lambda: f64,
    /// Price of holding an atom, per unit of its RMS activation; 0 is the vanilla SAE
    #[arg(long, value_name = "G", default_value = "0", value_parser = nonnegative, allow_negative_numbers = true)]
    pub(crate) gamma: f64,
    /// Weights, `.npy`, positive, one a datapoint; normalized to sum 1 [default: 1/N]
    #[arg(long, value_name = "W.npy")]
    pub(crate) weights: Option<PathBuf>,
    /// Center, `.npy`: subtracted from the data, unless --center makes it a variable
    #[arg(long, value_name = "b.npy")]
    pub(crate) center_file: Option<PathBuf>,
    /// The center is a variable: its stationarity is checked, the bound is for any center
    #[arg(long)]
    pub(crate) center: bool,
    /// Relative gap at which the point counts as global
    #[arg(long, value_name = "E", default_value = "5e-3", value_parser = positive, allow_negative_numbers = true)]
    pub(crate) tolerance: f64,
    /// How the point is bounded
    #[arg(long, value_enum, default_value_t = BoundChoice::Auto)]
    pub(crate) bound: BoundChoice,
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
    #[command(flatten)]
    pub(crate) run: RunArgs,
}

#[derive(Debug, Args)]
pub(crate) struct WideArgs {
    #[command(flatten)]
    pub(crate) source: DataArgs,
    /// Price of a unit of code
    #[arg(long, value_name = "L", value_parser = positive, allow_negative_numbers = true)]
    pub(crate) lambda: f64,
    /// Weights, `.npy`, positive, one a datapoint; normalized to sum 1 [default: 1/N]
    #[arg(long, value_name = "W.npy")]
    pub(crate) weights: Option<PathBuf>,
    /// Learn a center too
    #[arg(long)]
    pub(crate) center: bool,
    /// Folder for dictionary.npy, codes.npz and center.npy of the closed form
    #[arg(long, value_name = "DIR")]
    pub(crate) out: Option<PathBuf>,
    #[command(flatten)]
    pub(crate) run: RunArgs,
}

#[derive(Debug, Args)]
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
    /// Weights, `.npy`, positive, one a datapoint; normalized to sum 1 [default: 1/N]
    #[arg(long, value_name = "W.npy")]
    pub(crate) weights: Option<PathBuf>,
    /// Learn a center too
    #[arg(long)]
    pub(crate) center: bool,
    /// Relative gap (with --ratios, relative stationarity) at which a run stops
    #[arg(long, value_name = "E", default_value = "5e-3", value_parser = positive, allow_negative_numbers = true)]
    pub(crate) tolerance: f64,
    /// How the returned points are bounded
    #[arg(long, value_enum, default_value_t = BoundChoice::Auto)]
    pub(crate) bound: BoundChoice,
    /// Exit with 1 if some certified relative gap is above this
    #[arg(long, value_name = "G", value_parser = nonnegative, allow_negative_numbers = true)]
    pub(crate) require_gap: Option<f64>,
    /// Seed of every random choice
    #[arg(long, value_name = "K", default_value_t = 0)]
    pub(crate) seed: u64,
    /// Starts of the joint problem at each width, beside the last width's [default: 1]
    #[arg(long, value_name = "R", conflicts_with = "gammas")]
    pub(crate) restarts: Option<NonZeroUsize>,
    /// Folder for path.json, path.csv and a folder a row
    #[arg(long, value_name = "DIR")]
    pub(crate) out: Option<PathBuf>,
    /// Picture of objective, bound, atoms and L0 along the grid
    #[arg(long, value_name = "FILE.svg")]
    pub(crate) plot: Option<PathBuf>,
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

#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
pub(crate) enum BoundChoice {
    /// The best that takes seconds
    Auto,
    /// No bound
    None,
    /// One eigenvalue, any number of datapoints
    Fast,
    /// A split found by a first-order search: N × N matrices, up to 4000 datapoints
    Relaxation,
    /// A split found by a semidefinite program: up to some 65 datapoints (feature sdp)
    Sdp,
    /// The polar itself: dimension up to 4 or few datapoints
    Exact,
}

fn number(text: &str, accepts: impl Fn(f64) -> bool, expected: &str) -> Result<f64, String> {
    match text.parse::<f64>() {
        Ok(value) if value.is_finite() && accepts(value) => Ok(value),
        _ => Err(format!("expected {expected}")),
    }
}

fn nonnegative(text: &str) -> Result<f64, String> {
    number(text, |v| v >= 0.0, "a finite number at least 0")
}

fn share(text: &str) -> Result<f64, String> {
    number(text, |v| (0.0..=1.0).contains(&v), "a number from 0 to 1")
}

fn cosine(text: &str) -> Result<f64, String> {
    number(text, |v| (-1.0..=1.0).contains(&v), "a number from -1 to 1")
}

fn positive(text: &str) -> Result<f64, String> {
    number(text, |v| v > 0.0, "a positive finite number")
}

/// Beyond a million years a clock overflows.
fn seconds(text: &str) -> Result<f64, String> {
    number(text, |v| (0.0..=3e13).contains(&v), "a number of seconds at least 0")
}

#[cfg(test)]
mod tests {
    use super::*;
    use clap::CommandFactory;

    #[test]
    fn the_command_line_is_consistent() {
        Cli::command().debug_assert();
    }
}
