//! The command line as types: what clap checks and documents. Nothing is computed here.

mod certify;
mod diagnose;
mod encode;
mod path;
mod sae;
mod solve;
mod values;
mod verify;
mod wide;

use std::num::NonZeroUsize;
use std::path::PathBuf;
use std::sync::LazyLock;

use clap::{Args, Parser, Subcommand, ValueEnum};

pub(crate) use certify::CertifyArgs;
pub(crate) use diagnose::DiagnoseArgs;
pub(crate) use encode::EncodeArgs;
pub(crate) use path::PathArgs;
pub(crate) use sae::{AtomsAre, SaeArgs};
pub(crate) use solve::{Method, SolveArgs};
pub(crate) use values::BoundChoice;
pub(crate) use verify::VerifyArgs;
pub(crate) use wide::WideArgs;

use values::{positive, seconds, threads};

/// Sparse dictionaries with certificates.
///
/// Data are `.npy`, `.npz`, `.safetensors` or `.csv`, dictionaries `.npy`, with a datapoint
/// or an atom a row; codes are scipy's sparse `.npz`. A row of the data that is masked is
/// no datapoint and has no codes; rows of weights and codes are those of the file.
/// Exit codes: 0 the run met its tolerance, or the certified
/// gap is within it; 1 neither, the certified gap exceeds --require-gap, or a saved
/// claim does not hold; 2 usage; 3 input or output; 4 numerical failure.
/// Ctrl-C, SIGTERM and SIGHUP end a run with its best solution, certified and
/// written, and exit code 1; a second one ends the process at once with 130. While
/// the input is read, the first one ends it with 1: nothing is computed or written.
#[derive(Debug, Parser)]
#[command(name = "widedict", version, long_version = long_version(), arg_required_else_help = true)]
pub(crate) struct Cli {
    #[command(subcommand)]
    pub(crate) command: Command,
}

/// The version with the features of this build, which decide what is available.
fn long_version() -> &'static str {
    static TEXT: LazyLock<String> = LazyLock::new(|| {
        let has = [
            ("cli", cfg!(feature = "cli")),
            ("conic", cfg!(feature = "conic")),
            ("io", cfg!(feature = "io")),
            ("plot", cfg!(feature = "plot")),
            ("sdp", cfg!(feature = "sdp")),
        ];
        let names = |wanted: bool| -> Vec<&str> {
            has.iter().filter(|(_, there)| *there == wanted).map(|(name, _)| *name).collect()
        };
        let without = names(false);
        let without =
            if without.is_empty() { String::new() } else { format!("; without {}", without.join(", ")) };
        format!("{}\nfeatures: {}{without}", env!("CARGO_PKG_VERSION"), names(true).join(", "))
    });
    &TEXT
}

/// What `verify` does, at length.
const VERIFY: &str = "\
Prove again what --out wrote: exit 0 if every claim holds, 1 if one does not.

Objective, bounds, gap, stationarity, local proof, bounds of participation and width, and verdict are \
computed again from the files and the data; a bound that is recorded above what is proved \
now does not hold, a weaker one does. What is recorded twice is compared. A checksum tells \
whether anything else was edited; anyone can compute it again, so it proves nothing. What \
rests on the checksum alone is listed as not checked. A file that is missing or cannot be \
read is exit 3.";

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
    /// Prove again what --out wrote: exit 0 if every claim holds, 1 if one does not
    #[command(long_about = VERIFY)]
    Verify(VerifyArgs),
    /// A grid of gammas or of widths, each point warm-started from its neighbors
    Path(PathArgs),
    /// Diagnose a sparse autoencoder: how far its codes and dictionary are from optimal, and what they show
    Diagnose(DiagnoseArgs),
    /// Print completions for a shell
    Completions {
        /// The shell that is to complete the command
        shell: clap_complete::Shell,
    },
    /// Print the manual page of the program or of a command, for `man -l -`
    Man {
        /// The command [default: the program]
        command: Option<String>,
    },
}

/// Where the data come from, and which of their rows are datapoints.
#[derive(Debug, Args)]
#[command(group(clap::ArgGroup::new("source").required(true).multiple(false).args(["data", "dataset"])))]
pub(crate) struct DataArgs {
    /// Data, a datapoint a row: a `.npy`, `.npz`, `.safetensors` or `.csv` file, or a folder
    /// or a quoted pattern of such files that are one data set
    #[arg(long, value_name = "X")]
    pub(crate) data: Option<PathBuf>,
    /// Data that travel with the program
    #[arg(long, value_name = "NAME")]
    pub(crate) dataset: Option<Dataset>,
    /// The array to read, of a file that holds several
    #[arg(long, value_name = "NAME", conflicts_with = "dataset")]
    pub(crate) key: Option<String>,
    /// Weights, `.npy`, one a row of the data: 0 masks a row; normalized to sum 1
    /// [default: 1/N]
    #[arg(long, value_name = "W.npy")]
    pub(crate) weights: Option<PathBuf>,
    /// Mask rows that hold NaN or infinity, which are an error otherwise
    #[arg(long)]
    pub(crate) skip_nonfinite: bool,
    /// Mask rows whose norm exceeds this many times the median norm (a BOS token's, say)
    #[arg(long, value_name = "K", value_parser = positive, allow_negative_numbers = true)]
    pub(crate) max_norm_multiple: Option<f64>,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
pub(crate) enum Dataset {
    /// 1797 handwritten digits of 8 × 8 pixels from 0 to 1
    Digits,
}

/// How a run is followed and limited.
#[derive(Debug, Args)]
pub(crate) struct RunArgs {
    /// Stop after this many seconds, and certify the best point so far; the clock starts
    /// when the input is read
    #[arg(long, value_name = "S", value_parser = seconds, allow_negative_numbers = true)]
    pub(crate) max_seconds: Option<f64>,
    /// Threads (the answer does not depend on them) [default: all cores; at most 1024]
    #[arg(long, value_name = "T", value_parser = threads)]
    pub(crate) threads: Option<NonZeroUsize>,
    /// Spread the datapoints over the processes that mpirun started: solve, encode, wide and
    /// diagnose --sample (feature mpi)
    #[arg(long)]
    pub(crate) mpi: bool,
    /// Print one JSON object
    #[arg(long)]
    pub(crate) json: bool,
    /// No progress and no notes on standard error
    #[arg(long)]
    pub(crate) quiet: bool,
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
