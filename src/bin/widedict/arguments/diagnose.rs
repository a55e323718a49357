//! The arguments of `widedict diagnose`.

use std::num::NonZeroUsize;
use std::path::PathBuf;

use clap::Args;

use super::values::{cosine, count, positive, share};
use super::{DataArgs, RunArgs, SaeArgs};

#[derive(Debug, Args)]
#[command(group(clap::ArgGroup::new("subject").required(true).multiple(false)))]
#[command(group(clap::ArgGroup::new("price").multiple(false)))]
pub(crate) struct DiagnoseArgs {
    #[command(flatten)]
    pub(crate) source: DataArgs,
    #[command(flatten)]
    pub(crate) trained: SaeArgs,
    /// Dictionary, `.npy`, an atom a row, of any length
    #[arg(long, value_name = "D.npy", group = "subject", requires = "price")]
    pub(crate) dictionary: Option<PathBuf>,
    /// Codes of the atoms as they are stored, scipy's sparse `.npz`, a datapoint a row [default: the encoder's]
    #[arg(long, value_name = "Z.npz")]
    pub(crate) codes: Option<PathBuf>,
    /// Price of a unit of code [default: from the configuration, where it has an L1 coefficient]
    #[arg(long, value_name = "L", group = "price", value_parser = positive, allow_negative_numbers = true)]
    pub(crate) lambda: Option<f64>,
    /// Take the price at which exact codes use as many atoms a point as the encoder's, or
    /// those of --codes: for autoencoders without an L1 coefficient (JumpReLU, TopK)
    #[arg(long, group = "price")]
    pub(crate) match_l0: bool,
    /// Split the amortisation gap: keep the atoms of the codes given, and find their best values
    #[arg(long)]
    pub(crate) refit: bool,
    /// Center, `.npy`, of a --dictionary
    #[arg(long, value_name = "b.npy", requires = "dictionary", conflicts_with = "sae")]
    pub(crate) center_file: Option<PathBuf>,
    /// The center is fixed, not a variable: the bound is for this center alone
    #[arg(long)]
    pub(crate) fixed_center: bool,
    /// Take at most so many points, evenly spaced; the others are not held in memory
    #[arg(long, value_name = "N", value_parser = count, conflicts_with = "dataset")]
    pub(crate) points: Option<NonZeroUsize>,
    /// Measure the encoder's codes on all rows, a block at a time, and the rest on a sample of
    /// so many: for data larger than the memory
    #[arg(
        long,
        value_name = "K",
        value_parser = count,
        conflicts_with_all = ["dictionary", "points", "dataset", "codes", "per_batch"]
    )]
    pub(crate) sample: Option<NonZeroUsize>,
    /// Seed of the --sample
    #[arg(long, value_name = "S", default_value_t = 0, requires = "sample")]
    pub(crate) seed: u64,
    /// Go on with the pass over all rows that a stopped run into the same --out left there
    #[arg(long, requires_all = ["sample", "out"])]
    pub(crate) resume: bool,
    /// Seconds between two writings of what --resume goes on from, with --out [default: 60]
    #[arg(long, value_name = "S", value_parser = positive, requires_all = ["sample", "out"])]
    pub(crate) checkpoint_seconds: Option<f64>,
    /// Also diagnose the first so many atoms of a nested (Matryoshka) autoencoder
    #[arg(long, value_name = "M,M,…", value_parser = count, value_delimiter = ',', num_args = 1)]
    pub(crate) prefixes: Vec<NonZeroUsize>,
    /// Another dictionary to compare with: a folder, a safetensors file or a `.npy`
    #[arg(long, value_name = "OTHER")]
    pub(crate) compare: Option<PathBuf>,
    /// Compare by |cosine|: an atom and its opposite count as the same
    #[arg(long, requires = "compare")]
    pub(crate) compare_absolute: bool,
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
    /// Folder for diagnosis.json, diagnosis.html, tables as CSV, and the codes given and exact as `.npz`
    #[arg(long, value_name = "DIR")]
    pub(crate) out: Option<PathBuf>,
    /// Refuse an --out that holds anything
    #[arg(long, requires = "out")]
    pub(crate) no_clobber: bool,
    #[command(flatten)]
    pub(crate) run: RunArgs,
}
