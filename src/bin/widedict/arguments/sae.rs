//! The arguments about an autoencoder of another program.

use std::path::PathBuf;

use clap::{Args, ValueEnum};

#[derive(Debug, Args)]
pub(crate) struct SaeArgs {
    /// Sparse autoencoder: a folder of SAELens, dictionary_learning, sparsify, Gemma Scope or
    /// Llama Scope, or a file of weights with its configuration beside it
    #[arg(long, value_name = "DIR", group = "subject")]
    pub(crate) sae: Option<PathBuf>,
    /// Inputs of a transcoder, `.npy`; --data are then its outputs
    #[arg(long, value_name = "X.npy", requires = "sae", conflicts_with_all = ["target", "dictionary"])]
    pub(crate) inputs: Option<PathBuf>,
    /// Outputs of a transcoder, `.npy`; --data are then its inputs
    #[arg(long, value_name = "Y.npy", requires = "sae", conflicts_with = "dictionary")]
    pub(crate) target: Option<PathBuf>,
    /// BatchTopK and Matryoshka: select among all datapoints as one batch, not by the threshold for inference
    #[arg(long, requires = "sae", conflicts_with = "dictionary")]
    pub(crate) per_batch: bool,
    /// What counts the rows of a decoder that nothing else orients
    #[arg(long, value_enum, conflicts_with = "dictionary")]
    pub(crate) atoms: Option<AtomsAre>,
}

/// What counts the rows of a stored decoder.
#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
pub(crate) enum AtomsAre {
    /// A row an atom
    Rows,
    /// A column an atom
    Columns,
}
