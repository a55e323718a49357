//! Sparse autoencoders: dictionary, decoder bias and, where it is a plain ReLU, the
//! encoder.
//!
//! | program | tensors read | its configuration |
//! |---|---|---|
//! | SAELens | `W_dec`, `b_dec`; `W_enc`, `b_enc` | `cfg.json`: 6.x, with `metadata`, and the older flat form |
//! | `dictionary_learning` | `decoder.weight`, `bias` (or `b_dec`); `encoder.weight`, `encoder.bias` | `config.json` |
//! | sparsify | `W_dec`, `b_dec` | `cfg.json` |
//!
//! The weights are a safetensors file: `sae_weights.safetensors`, `sae.safetensors`,
//! `ae.safetensors`, or the only one in the folder. Pickles can run code when they
//! are loaded and are not read; two lines of Python convert one:
//!
//! ```python
//! import torch; from safetensors.torch import save_file
//! save_file({k: v.contiguous() for k, v in torch.load("ae.pt", map_location="cpu", weights_only=True).items()}, "ae.safetensors")
//! ```
//!
//! # Orientation
//! Which side of a matrix counts the atoms is taken from its shape with `d_in` and
//! `d_sae` of the configuration, the lengths of the biases and the dimension of the
//! data, never from a name alone. A square matrix needs a configuration, whose
//! program says which side it is, or [`ReadOptions::atoms`].

mod layout;
mod read;
mod write;

use std::fmt;
use std::path::Path;

use serde::Serialize;

use super::FileError;
use crate::atoms::{AtomsError, Codes, Dictionary};
use crate::linalg::{Matrix, axpy, fold_tiles};

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

/// Why an encoder is not used: its codes are not those of a ReLU layer on the data
/// as they are. The decoder is.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
#[serde(rename_all = "kebab-case")]
#[non_exhaustive]
pub enum NoEncoder {
    /// TopK, JumpReLU, gated and others.
    Architecture(String),
    /// Another activation function than ReLU.
    Activation(String),
    /// The encoder sees activations normalized at run time.
    Normalized(String),
    /// Codes are multiplied by a factor that was fitted after training.
    Finetuned,
    /// No configuration says what the encoder is.
    NoConfiguration,
    /// There is no such tensor.
    Missing(&'static str),
    /// Square weights with no configuration to orient them.
    Square,
}

impl fmt::Display for NoEncoder {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Architecture(name) => {
                write!(f, "its architecture is {name}: only plain ReLU encoders are evaluated")
            }
            Self::Activation(name) => {
                write!(f, "its activation function is {name}: only plain ReLU encoders are evaluated")
            }
            Self::Normalized(how) => write!(
                f,
                "it normalizes activations at run time ({how}): normalize the data, and fold the scale into the weights"
            ),
            Self::Finetuned => {
                f.write_str("its codes are rescaled by a finetuning factor, which is not evaluated")
            }
            Self::NoConfiguration => {
                f.write_str("no configuration beside the weights says whether it is a plain ReLU")
            }
            Self::Missing(tensor) => write!(f, "there is no tensor {tensor}"),
            Self::Square => f.write_str("its weights are square and no configuration orients them"),
        }
    }
}

/// A plain ReLU encoder: `f = relu(Eᵀ(x − b·s) + c)`, s = 1 where the decoder bias is
/// subtracted and 0 where not.
#[derive(Clone, Debug, PartialEq)]
struct Encoder {
    /// E, n × M.
    weights: Matrix,
    /// c, M.
    bias: Vec<f64>,
    subtracts: bool,
}

/// A sparse autoencoder as it is stored: `x̂ = b + Σ_k f_k d_k` with atoms of any length.
#[derive(Clone, Debug, PartialEq)]
pub struct Sae {
    layout: Layout,
    architecture: String,
    decoder: Matrix,
    bias: Option<Vec<f64>>,
    encoder: Result<Encoder, NoEncoder>,
    l1_coefficient: Option<f64>,
}

/// What was folded to bring an autoencoder into the form of the joint problem, unit
/// atoms and a center: `x̂ = b + Σ_k (f_k‖d_k‖) d_k/‖d_k‖`.
#[derive(Clone, Debug, PartialEq, Serialize)]
pub struct Folding {
    /// Atoms that were divided by a length other than 1, their codes multiplied by it.
    pub rescaled_atoms: usize,
    /// Shortest length found.
    pub shortest_atom: f64,
    /// Longest length found.
    pub longest_atom: f64,
    /// Length of the decoder bias, which becomes the center; `None` without one.
    pub decoder_bias: Option<f64>,
    /// Whether the encoder subtracts the decoder bias from its input; `None` without
    /// an encoder.
    pub encoder_subtracts_bias: Option<bool>,
}

/// An autoencoder in the form of the joint problem.
#[derive(Clone, Debug, PartialEq)]
pub struct Folded {
    /// Unit atoms.
    pub dictionary: Dictionary,
    /// The decoder bias.
    pub center: Option<Vec<f64>>,
    /// What was changed.
    pub folding: Folding,
    lengths: Vec<f64>,
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

impl Sae {
    /// Reads an autoencoder from a folder or from its safetensors file, with the
    /// configuration beside it.
    ///
    /// # Errors
    /// [`FileError`] naming file and tensor: a damaged or truncated file, a header
    /// larger than a megabyte, tensors of another type or shape, numbers that are not
    /// finite (row and column), a pickle (with the lines that convert it), a decoder
    /// whose orientation nothing tells.
    pub fn read(path: &Path, options: &ReadOptions) -> Result<Self, FileError> {
        read::read(path, options)
    }

    /// Number of atoms M.
    #[must_use]
    #[doc(alias = "d_sae")]
    pub fn atoms(&self) -> usize {
        self.decoder.ncols()
    }

    /// Dimension n.
    #[must_use]
    #[doc(alias = "d_in")]
    pub fn dim(&self) -> usize {
        self.decoder.nrows()
    }

    /// The decoder as it is stored, an atom a column (n × M).
    #[must_use]
    #[doc(alias = "W_dec")]
    pub fn decoder(&self) -> &Matrix {
        &self.decoder
    }

    /// The decoder bias.
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

    /// Why the encoder is not used; `None` where it is.
    #[must_use]
    pub fn no_encoder(&self) -> Option<&NoEncoder> {
        self.encoder.as_ref().err()
    }

    /// Divides every atom by its length and makes the decoder bias a center.
    ///
    /// # Errors
    /// [`AtomsError`] for an atom of length 0 or too large, naming it.
    pub fn fold(&self) -> Result<Folded, AtomsError> {
        let (dictionary, lengths) = Dictionary::normalize(self.decoder.clone())?;
        let folding = Folding {
            rescaled_atoms: lengths.iter().filter(|l| (**l - 1.0).abs() > 0.0).count(),
            shortest_atom: lengths.iter().copied().fold(f64::INFINITY, crate::num::min),
            longest_atom: lengths.iter().copied().fold(0.0, crate::num::max),
            decoder_bias: self.bias.as_ref().map(|b| crate::linalg::norm(b)),
            encoder_subtracts_bias: self.encoder.as_ref().ok().map(|e| e.subtracts && self.bias.is_some()),
        };
        Ok(Folded { dictionary, center: self.bias.clone(), folding, lengths })
    }

    /// The encoder's codes for the atoms of [`Sae::fold`]: `f_k‖d_k‖`, for points as
    /// they are (n × N, the bias not subtracted). O(nMN) time, O(nnz) memory beyond a
    /// block. Computed in f64 whatever the weights are stored in.
    ///
    /// # Errors
    /// [`EncodeError`] where the encoder is not a plain ReLU, or points have another
    /// dimension.
    pub fn encode(&self, points: &Matrix, folded: &Folded) -> Result<Codes, EncodeError> {
        let encoder = self.encoder.as_ref().map_err(|why| EncodeError::NoEncoder(why.clone()))?;
        if points.nrows() != self.dim() {
            return Err(EncodeError::Dimension { expected: self.dim(), found: points.nrows() });
        }
        // Eᵀ(x − b) + c = Eᵀx + (c − Eᵀb), but the difference is taken first: it cancels less.
        let shifted;
        let inputs = match (&self.bias, encoder.subtracts) {
            (Some(bias), true) => {
                let mut moved = points.clone();
                for i in 0..moved.ncols() {
                    axpy(-1.0, bias, moved.col_mut(i));
                }
                shifted = moved;
                &shifted
            }
            _ => points,
        };
        type Entries = Vec<(usize, Vec<(usize, f64)>)>;
        let mut entries: Entries = fold_tiles(
            &encoder.weights,
            inputs,
            |_| self.atoms(),
            Vec::new,
            |all: &mut Entries, tile| {
                for (i, products) in tile.columns() {
                    let active = tile.left().zip(products).filter_map(|(k, p)| {
                        let code = (p + encoder.bias[k]) * folded.lengths[k];
                        (!(code <= 0.0)).then_some((k, code))
                    });
                    all.push((i, active.collect()));
                }
            },
            |mut l, mut r| {
                l.append(&mut r);
                l
            },
        );
        // Parts of a point come in the order of atoms; the sort is stable.
        entries.sort_by_key(|(i, part)| (*i, part.first().map_or(0, |(k, _)| *k)));
        let mut columns = vec![Vec::new(); points.ncols()];
        for (i, part) in entries {
            columns[i].extend(part);
        }
        for (datapoint, column) in columns.iter().enumerate() {
            if let Some(&(atom, value)) = column.iter().find(|(_, v)| !v.is_finite()) {
                return Err(AtomsError::Code { atom, datapoint, value }.into());
            }
        }
        Ok(Codes::from_columns(self.atoms(), &columns))
    }
}
