//! The arguments about an autoencoder of another program.

use std::path::{Path, PathBuf};

use clap::{Args, ValueEnum};

#[derive(Debug, Args)]
#[command(group(clap::ArgGroup::new("beside").multiple(false)))]
pub(crate) struct SaeArgs {
    /// Sparse autoencoder: a folder of SAELens, dictionary_learning, sparsify, Gemma Scope or
    /// Llama Scope, or a file of weights with its configuration beside it
    #[arg(long, value_name = "DIR", group = "subject")]
    pub(crate) sae: Option<PathBuf>,
    /// Inputs of a transcoder, in any form of --data, which are then its outputs
    #[arg(long, value_name = "X", group = "beside", requires = "sae", conflicts_with = "dictionary")]
    pub(crate) inputs: Option<PathBuf>,
    /// Outputs of a transcoder, in any form of --data, which are then its inputs
    #[arg(long, value_name = "Y", group = "beside", requires = "sae", conflicts_with = "dictionary")]
    pub(crate) target: Option<PathBuf>,
    /// Array of --inputs or --target, of files with several
    #[arg(long, value_name = "NAME", requires = "beside")]
    pub(crate) inputs_key: Option<String>,
    /// BatchTopK and Matryoshka: select among all datapoints as one batch, not by the threshold for inference
    #[arg(long, requires = "sae", conflicts_with = "dictionary")]
    pub(crate) per_batch: bool,
    /// What counts the rows of a decoder that nothing else orients
    #[arg(long, value_enum, conflicts_with = "dictionary")]
    pub(crate) atoms: Option<AtomsAre>,
}

impl SaeArgs {
    /// The other file of a transcoder, and its array.
    pub(crate) fn beside(&self) -> Option<(&Path, Option<&str>)> {
        let path = self.inputs.as_deref().or(self.target.as_deref())?;
        Some((path, self.inputs_key.as_deref()))
    }
}

/// What counts the rows of a stored decoder.
#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
pub(crate) enum AtomsAre {
    /// A row an atom
    Rows,
    /// A column an atom
    Columns,
}
