//! What a configuration says, in the words of no program: each program's reader makes
//! one, and everything after it looks at nothing else.

use std::fmt;

use serde::Serialize;

use super::Layout;

/// What is used of a configuration.
pub(super) struct Description {
    pub(super) layout: Layout,
    pub(super) architecture: String,
    pub(super) d_in: Option<usize>,
    pub(super) d_sae: Option<usize>,
    /// Dimension of what is reconstructed, where it may differ from `d_in`.
    pub(super) d_out: Option<usize>,
    pub(super) kind: Kind,
    /// Whether the encoder subtracts the decoder bias.
    pub(super) subtracts: bool,
    pub(super) plan: Result<Plan, NoEncoder>,
    pub(super) normalization: Normalization,
    /// Whether codes are multiplied by a stored factor before they are decoded.
    pub(super) finetuned: bool,
    /// λ in the units of the weights.
    pub(super) lambda: Result<f64, NoLambda>,
    /// Whether λ stands there as this crate wrote it.
    pub(super) own: bool,
    /// The coefficient as it is written.
    pub(super) l1: Option<f64>,
    /// Whether λ is of the codes alone, so that it needs atoms of unit length.
    pub(super) unweighted: bool,
}

impl Description {
    /// An autoencoder with a ReLU and nothing special.
    pub(super) fn plain(layout: Layout, architecture: &str) -> Self {
        Self {
            layout,
            architecture: architecture.to_owned(),
            d_in: None,
            d_sae: None,
            d_out: None,
            kind: Kind::Autoencoder,
            subtracts: false,
            plan: Ok(Plan::Relu),
            normalization: Normalization::None,
            finetuned: false,
            lambda: Err(NoLambda::Absent),
            l1: None,
            unweighted: false,
            own: false,
        }
    }
}

/// What is reconstructed from what.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize)]
#[serde(rename_all = "kebab-case")]
pub enum Kind {
    /// The data from themselves.
    Autoencoder,
    /// The outputs of a module from its inputs, with or without a linear skip.
    Transcoder,
    /// Several layers, side by side, from themselves.
    Crosscoder,
}

/// The encoder a configuration asks for; tensors are read later.
#[derive(Clone, Copy, Debug, PartialEq)]
pub(super) enum Plan {
    Relu,
    Gated,
    /// The threshold in the files, or this one for every atom.
    JumpRelu {
        threshold: Option<f64>,
        rescale: bool,
    },
    TopK {
        k: Option<usize>,
        rescale: bool,
    },
    BatchTopK {
        k: Option<f64>,
        rescale: bool,
    },
    GroupMax {
        k: usize,
    },
}

/// What was done to activations before the autoencoder saw them.
#[derive(Clone, Debug, PartialEq)]
pub(super) enum Normalization {
    None,
    /// Multiplied by one number, which a file may hold: √n over the mean length.
    Average {
        factor: Option<f64>,
    },
    /// Inputs and outputs multiplied by √n over these mean lengths.
    Lengths {
        input: f64,
        output: f64,
    },
    /// The same, the lengths being tensors of these names.
    LengthTensors {
        input: String,
        output: String,
    },
    /// Encoder divided and decoder multiplied by √n, as Gemma Scope's embeddings need.
    Embedding,
    /// `(x − mean)M` with the matrices of a file.
    Whitening,
    LayerNorm,
    ConstantNorm,
    /// Some other way.
    Unknown(String),
}

/// Why an encoder is not used. The decoder is, unless codes are signed.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
#[serde(rename_all = "kebab-case")]
#[non_exhaustive]
pub enum NoEncoder {
    /// An architecture that is not evaluated.
    Architecture(String),
    /// Another activation function than those known.
    Activation(String),
    /// Codes of both signs.
    Signed(String),
    /// No configuration says what the encoder is.
    NoConfiguration,
    /// There is no such tensor.
    Missing(String),
    /// Square weights with no configuration to orient them.
    Square,
}

impl fmt::Display for NoEncoder {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Architecture(name) => write!(f, "its architecture is {name}, which is not evaluated"),
            Self::Activation(name) => write!(f, "its activation function is {name}, which is not evaluated"),
            Self::Signed(name) => {
                write!(f, "its codes are signed ({name}), and what is computed here needs codes at least 0")
            }
            Self::NoConfiguration => {
                f.write_str("no configuration beside the weights says what the encoder is")
            }
            Self::Missing(tensor) => write!(f, "there is no tensor {tensor}"),
            Self::Square => f.write_str("its weights are square and no configuration orients them"),
        }
    }
}

/// Why a configuration gives no λ.
#[derive(Clone, Debug, PartialEq, Serialize)]
#[serde(rename_all = "kebab-case")]
#[non_exhaustive]
pub enum NoLambda {
    /// No coefficient.
    Absent,
    /// The penalty is another norm of the codes.
    LpNorm(f64),
    /// The squared error was divided by something.
    NormalizedError(String),
    /// A loss that is not an L1 penalty on codes.
    Loss(String),
    /// The penalty does not weigh codes by the lengths of atoms, which are not 1.
    Lengths,
    /// Trained on normalized activations whose scale is not stored.
    Units(String),
    /// A coefficient that is no price.
    Value(f64),
}

impl fmt::Display for NoLambda {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Absent => f.write_str("the configuration has no L1 coefficient"),
            Self::LpNorm(p) => {
                write!(
                    f,
                    "the configuration's lp_norm is {p}: only a penalty on the sum of codes has a lambda"
                )
            }
            Self::NormalizedError(how) => write!(
                f,
                "the configuration's mse_loss_normalization is {how}: no lambda has the same minimizers"
            ),
            Self::Loss(name) => write!(f, "the loss of {name} is no L1 penalty on codes"),
            Self::Lengths => f.write_str(
                "the penalty of the configuration is not weighted by the lengths of atoms, which are not 1",
            ),
            Self::Units(how) => write!(f, "the L1 coefficient is in units of normalized activations: {how}"),
            Self::Value(value) => write!(f, "the L1 coefficient of the configuration is {value}"),
        }
    }
}
