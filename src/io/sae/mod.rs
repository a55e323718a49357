//! Sparse autoencoders of other programs: dictionary, encoder, units, λ.
//!
//! [`Sae::read`] turns a file into one form, [`Sae::fold`] brings it and the data to one
//! system of units, and [`Folding`] says what that took.
//!
//! | program | tensors | its configuration |
//! |---|---|---|
//! | SAELens | `W_dec`, `b_dec`, `W_enc`, `b_enc`; `threshold`; `b_gate`, `b_mag`, `r_mag`; `W_skip` | `cfg.json`: 6.x, with `metadata`, and the older flat form |
//! | `dictionary_learning` | `decoder.weight` or `W_dec`; `bias`, `b_dec`, `decoder.bias` or `decoder_bias`; the encoder's; `k`, `threshold`; `gate_bias`, `mag_bias`, `r_mag` | `config.json` |
//! | sparsify | `W_dec`, `b_dec`, `encoder.weight`, `encoder.bias`, `W_skip` | `cfg.json` |
//! | Gemma Scope | `params.npz`, or `params.safetensors` with lower-case names | none, or `config.json` |
//! | Llama Scope | `checkpoints/final.safetensors`, `decoder.weight`, `decoder.bias`, … | `hyperparams.json` |
//!
//! `docs/autoencoders.md` lists every class with what is done with it. A tensor or a
//! configuration that is not understood is an error that names it.
//!
//! The weights are a safetensors file of one of the usual names or the only one in the
//! folder, shards with `model.safetensors.index.json`, or a `.npz`. Pickles can run code
//! when they are loaded and are not read; two lines of Python convert one:
//!
//! ```python
//! import torch; from safetensors.torch import save_file
//! save_file({k: v.contiguous() for k, v in torch.load("ae.pt", map_location="cpu", weights_only=True).items()}, "ae.safetensors")
//! ```
//!
//! # Orientation
//! Which side of a matrix counts the atoms is taken from its shape with the sizes of the
//! configuration, the lengths of the biases and the dimension of the data. A square matrix
//! lies as its program stores tensors of that name; without a configuration only
//! PyTorch's `decoder.weight` is clear, and others need [`ReadOptions::atoms`].

mod description;
mod encoder;
mod fold;
mod layout;
mod read;
mod setting;
mod units;
mod weights;
mod write;

use std::path::Path;

use super::FileError;
use crate::atoms::{AtomsError, Codes, Dictionary};
use crate::linalg::Matrix;
use crate::problem::Lambda;
use encoder::Encoder;
use units::Units;

pub use description::{Kind, NoEncoder, NoLambda};
pub use fold::{Activations, FoldError, Folded, Folding};
pub use layout::Layout;
pub use write::write_saelens;

/// What counts the rows of a stored decoder.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Atoms {
    /// A row an atom (M × n), as SAELens' `W_dec`.
    Rows,
    /// A column an atom (n × M), as the weight of a linear layer of PyTorch.
    Columns,
}

/// What is known of a file from elsewhere.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct ReadOptions {
    /// Dimension n of the data.
    pub dim: Option<usize>,
    /// What counts the rows of the decoder; only needed where nothing else tells.
    pub atoms: Option<Atoms>,
}

/// How a selection among many datapoints (BatchTopK, Matryoshka) is made.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Batch {
    /// By the threshold that is stored for inference; where there is none, as
    /// [`Batch::Whole`].
    #[default]
    Inference,
    /// Among all datapoints, as one batch of training.
    Whole,
}

/// A sparse autoencoder as it is stored: `x̂ = b + Σ_k f_k d_k` with atoms of any length.
#[derive(Clone, Debug, PartialEq)]
pub struct Sae {
    layout: Layout,
    architecture: String,
    kind: Kind,
    layers: Option<usize>,
    decoder: Matrix,
    bias: Option<Vec<f64>>,
    encoder: Result<Encoder, NoEncoder>,
    /// Inputs × outputs.
    skip: Option<Matrix>,
    units: Units,
    /// In the units of the weights.
    lambda: Result<f64, NoLambda>,
    l1_coefficient: Option<f64>,
    lambda_source: &'static str,
    unweighted: bool,
    /// What was done to the weights when they were read, in words.
    note: Option<String>,
}

/// Why codes cannot be computed.
#[derive(Clone, Debug, PartialEq, thiserror::Error)]
#[non_exhaustive]
pub enum EncodeError {
    /// The encoder is not evaluated.
    #[error("the encoder is not used: {0}")]
    NoEncoder(NoEncoder),
    /// Datapoints of another dimension.
    #[error("the encoder takes datapoints of dimension {expected}, found {found}")]
    Dimension {
        /// Dimension of the encoder.
        expected: usize,
        /// Dimension of the datapoints.
        found: usize,
    },
    /// A code that is not finite.
    #[error(transparent)]
    Codes(#[from] AtomsError),
}

/// Difference from 1 up to which an atom that was trained to length 1 has it.
const UNIT_LENGTH: f64 = 1e-3;

impl Sae {
    /// Reads an autoencoder from a folder or from its file of weights, with the
    /// configuration beside it.
    ///
    /// # Errors
    /// [`FileError`] naming file, tensor and key: a damaged or truncated file, a header
    /// larger than a megabyte, tensors of another type or shape or of unknown names,
    /// numbers that are not finite (row and column), a pickle (with the lines that convert
    /// it), a decoder whose orientation nothing tells, a configuration or a normalization
    /// that is not understood.
    pub fn read(path: &Path, options: &ReadOptions) -> Result<Self, FileError> {
        read::read(path, options)
    }

    /// Number of atoms M.
    #[must_use]
    #[doc(alias = "d_sae")]
    pub fn atoms(&self) -> usize {
        self.decoder.ncols()
    }

    /// Dimension n of what is reconstructed.
    #[must_use]
    #[doc(alias = "d_in")]
    #[doc(alias = "d_out")]
    pub fn dim(&self) -> usize {
        self.decoder.nrows()
    }

    /// The decoder, an atom a column (n × M), in the units of the weights.
    #[must_use]
    #[doc(alias = "W_dec")]
    pub fn decoder(&self) -> &Matrix {
        &self.decoder
    }

    /// The decoder bias, in the units of the weights.
    #[must_use]
    #[doc(alias = "b_dec")]
    pub fn decoder_bias(&self) -> Option<&[f64]> {
        self.bias.as_deref()
    }

    /// The program it comes from.
    #[must_use]
    pub fn layout(&self) -> Layout {
        self.layout
    }

    /// What is reconstructed from what.
    #[must_use]
    pub fn kind(&self) -> Kind {
        self.kind
    }

    /// The architecture its configuration names; `unknown` without one.
    #[must_use]
    pub fn architecture(&self) -> &str {
        &self.architecture
    }

    /// The L1 coefficient in the program's own units, where the configuration has one.
    #[must_use]
    pub fn l1_coefficient(&self) -> Option<f64> {
        self.l1_coefficient
    }

    /// In words, what λ of [`Sae::lambda`] was taken from, and what it takes for granted.
    #[must_use]
    pub fn lambda_source(&self) -> &'static str {
        self.lambda_source
    }

    /// λ of the joint problem from the configuration, in the units of [`Sae::fold`].
    ///
    /// # Errors
    /// [`NoLambda`] says why there is none: the loss was another one, or normalized.
    #[doc(alias = "l1_coefficient")]
    pub fn lambda(&self, folded: &Folded) -> Result<Lambda, NoLambda> {
        let lambda = self.lambda.clone()?;
        if !self.units.keep_the_loss() {
            let how = "the loss weighed datapoints by the lengths they had before".to_owned();
            return Err(NoLambda::Units(how));
        }
        let unit = |length: f64| (length - 1.0).abs() <= UNIT_LENGTH;
        if self.unweighted && !(unit(folded.folding.shortest_atom) && unit(folded.folding.longest_atom)) {
            return Err(NoLambda::Lengths);
        }
        let price = Lambda::new(lambda).and_then(|lambda| lambda.in_units_before(folded.output));
        price.map_err(|_| NoLambda::Value(lambda))
    }

    /// Why the encoder is not used; `None` where it is.
    #[must_use]
    pub fn no_encoder(&self) -> Option<&NoEncoder> {
        self.encoder.as_ref().err()
    }

    /// What the encoder does, in words; `None` where it is not used.
    #[must_use]
    pub fn encoder(&self, batch: Batch) -> Option<String> {
        self.encoder.as_ref().ok().map(|encoder| encoder.activation.describe(batch))
    }

    /// Whether a datapoint's codes depend on the other datapoints: they are then selected
    /// among all of them, and a part of the data does not do.
    #[must_use]
    pub fn selects_among_datapoints(&self, batch: Batch) -> bool {
        self.encoder.as_ref().is_ok_and(|encoder| encoder.activation.selects_among_datapoints(batch))
    }

    /// Unit atoms without those of length 0, and the numbers that they have in the file.
    ///
    /// # Errors
    /// [`AtomsError`] for an atom that is too large, naming it.
    pub fn directions(&self) -> Result<(Dictionary, Vec<usize>), AtomsError> {
        let (dictionary, _, kept) = Dictionary::normalize_nonzero(self.decoder.clone())?;
        Ok((dictionary, kept))
    }

    /// Codes as the program's own `encode` returns them for the data that were folded: of
    /// all M atoms as they are stored, those of length 0 with them. O(nMN) time, O(nnz)
    /// memory beyond a block. Computed in f64 whatever the weights are stored in: codes
    /// differ from the program's by its rounding, and so may which of two codes that are
    /// equal up to rounding is kept.
    ///
    /// # Errors
    /// [`EncodeError`] where the encoder is not used.
    pub fn activations(&self, folded: &Folded, batch: Batch) -> Result<Codes, EncodeError> {
        let encoder = self.encoder.as_ref().map_err(|why| EncodeError::NoEncoder(why.clone()))?;
        let inputs = folded.inputs.as_ref().unwrap_or(&folded.points);
        let (expected, found) = (encoder.weights.nrows(), inputs.nrows());
        if expected != found {
            return Err(EncodeError::Dimension { expected, found });
        }
        let columns = encoder.codes(inputs, folded.input, batch);
        for (datapoint, column) in columns.iter().enumerate() {
            if let Some(&(atom, value)) = column.iter().find(|(_, v)| !v.is_finite()) {
                return Err(AtomsError::Code { atom, datapoint, value }.into());
            }
        }
        Ok(Codes::from_columns(self.atoms(), &columns))
    }

    /// The encoder's codes of the unit atoms of a [`Folded`]: `f_k‖d_k‖`.
    ///
    /// # Errors
    /// As [`Sae::activations`].
    pub fn encode(&self, folded: &Folded, batch: Batch) -> Result<Codes, EncodeError> {
        Ok(folded.of_stored(&self.activations(folded, batch)?)?)
    }

    /// Gemma Scope's embeddings were trained on activations over √n, the bias was not.
    fn unembed(&mut self) {
        #[expect(clippy::cast_precision_loss, reason = "dimensions are far below 2^53")]
        let root = (self.decoder.nrows() as f64).sqrt();
        self.decoder.as_mut_slice().iter_mut().for_each(|v| *v *= root);
        if let Ok(encoder) = &mut self.encoder {
            encoder.weights.as_mut_slice().iter_mut().for_each(|v| *v /= root);
        }
        let note = "an embedding of Gemma Scope: its encoder divided and its decoder multiplied by the root of the dimension";
        self.note = Some(note.to_owned());
    }
}
