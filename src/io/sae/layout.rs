//! The programs whose files are read: how each is recognized by its configuration, what
//! that says, and which way its matrices lie.

#![expect(clippy::wildcard_enum_match_arm, reason = "every other kind of JSON value is the same error")]

use serde::Serialize;
use serde_json::Value;

use super::super::FileProblem;
use super::{Atoms, NoEncoder};
use crate::gauge::PenaltyError;
use crate::problem::Lambda;

/// What is used of a configuration.
pub(super) struct Config {
    pub(super) layout: Layout,
    pub(super) d_in: Option<usize>,
    pub(super) d_sae: Option<usize>,
    pub(super) architecture: String,
    pub(super) subtracts: bool,
    pub(super) refusal: Option<NoEncoder>,
    pub(super) l1: Option<f64>,
}

impl Config {
    /// Reads the configuration of one of the known programs; `None` for another.
    pub(super) fn new(value: &Value) -> Result<Option<Self>, FileProblem> {
        if value.get("trainer").is_some_and(|t| t.get("dict_size").is_some()) {
            return Self::dictionary_learning(&value["trainer"]).map(Some);
        }
        if value.get("d_in").is_some() && value.get("d_sae").is_some() {
            return Self::saelens(value).map(Some);
        }
        if value.get("num_latents").is_some() || value.get("expansion_factor").is_some() {
            return Self::sparsify(value).map(Some);
        }
        Ok(None)
    }

    fn saelens(value: &Value) -> Result<Self, FileProblem> {
        let architecture = text(value, "architecture")?.unwrap_or("standard").to_owned();
        let activation = match text(value, "activation_fn")? {
            Some(name) => Some(name),
            None => text(value, "activation_fn_str")?,
        };
        let normalized = match &value["normalize_activations"] {
            Value::Null | Value::Bool(false) => None,
            Value::String(how) if how == "none" => None,
            Value::String(how) => Some(how.clone()),
            other => return Err(wrong("normalize_activations", "a name", other)),
        };
        let refusal = if architecture != "standard" {
            Some(NoEncoder::Architecture(architecture.clone()))
        } else if let Some(name) = activation.filter(|name| *name != "relu") {
            Some(NoEncoder::Activation(name.to_owned()))
        } else if let Some(how) = normalized {
            Some(NoEncoder::Normalized(how))
        } else if value["finetuning_scaling_factor"] == Value::Bool(true) {
            Some(NoEncoder::Finetuned)
        } else {
            None
        };
        let subtracts = match &value["apply_b_dec_to_input"] {
            Value::Null => true,
            Value::Bool(applies) => *applies,
            other => return Err(wrong("apply_b_dec_to_input", "true or false", other)),
        };
        Ok(Self {
            layout: Layout::Saelens,
            d_in: count(value, "d_in")?,
            d_sae: count(value, "d_sae")?,
            architecture,
            subtracts,
            refusal,
            l1: value["l1_coefficient"].as_f64(),
        })
    }

    fn dictionary_learning(trainer: &Value) -> Result<Self, FileProblem> {
        let architecture = text(trainer, "dict_class")?.unwrap_or("unknown").to_owned();
        let refusal = (architecture != "AutoEncoder").then(|| NoEncoder::Architecture(architecture.clone()));
        Ok(Self {
            layout: Layout::DictionaryLearning,
            d_in: count(trainer, "activation_dim")?,
            d_sae: count(trainer, "dict_size")?,
            architecture,
            subtracts: true,
            refusal,
            l1: trainer["l1_penalty"].as_f64(),
        })
    }

    fn sparsify(value: &Value) -> Result<Self, FileProblem> {
        // A width of 0 stands for expansion_factor times d_in.
        let d_in = count(value, "d_in")?;
        let d_sae = match (count(value, "num_latents")?, count(value, "expansion_factor")?, d_in) {
            (Some(latents), _, _) if latents > 0 => Some(latents),
            (_, Some(factor), Some(d_in)) => factor.checked_mul(d_in),
            _ => None,
        };
        let architecture = text(value, "activation")?.unwrap_or("topk").to_owned();
        let refusal = Some(NoEncoder::Architecture(architecture.clone()));
        Ok(Self { layout: Layout::Sparsify, d_in, d_sae, architecture, subtracts: true, refusal, l1: None })
    }
}

/// The program a file comes from, as far as its configuration and tensors tell.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize)]
#[serde(rename_all = "kebab-case")]
pub enum Layout {
    /// SAELens.
    Saelens,
    /// `dictionary_learning`.
    DictionaryLearning,
    /// EleutherAI's sparsify.
    Sparsify,
    /// Tensors without a configuration that is known.
    Bare,
}

impl Layout {
    /// Name of the program.
    #[must_use]
    pub fn program(self) -> &'static str {
        match self {
            Self::Saelens => "SAELens",
            Self::DictionaryLearning => "dictionary_learning",
            Self::Sparsify => "sparsify",
            Self::Bare => "no configuration",
        }
    }

    /// λ from the program's L1 coefficient; `None` where its loss has none that is known.
    ///
    /// # Errors
    /// [`PenaltyError`] for a coefficient that is no price.
    pub fn lambda(self, l1_coefficient: f64) -> Result<Option<Lambda>, PenaltyError> {
        match self {
            Self::Saelens => Lambda::from_saelens(l1_coefficient).map(Some),
            Self::DictionaryLearning => Lambda::from_dictionary_learning(l1_coefficient).map(Some),
            Self::Sparsify | Self::Bare => Ok(None),
        }
    }

    /// How the program stores a decoder, for a square one.
    pub(super) fn decoder(self) -> Option<Atoms> {
        match self {
            Self::Saelens | Self::Sparsify => Some(Atoms::Rows),
            Self::DictionaryLearning => Some(Atoms::Columns),
            Self::Bare => None,
        }
    }

    /// How the program stores an encoder, for a square one.
    pub(super) fn encoder(self) -> Option<Atoms> {
        match self {
            Self::Saelens => Some(Atoms::Columns),
            Self::DictionaryLearning | Self::Sparsify => Some(Atoms::Rows),
            Self::Bare => None,
        }
    }
}

fn wrong(key: &'static str, expected: &'static str, found: &Value) -> FileProblem {
    let mut found = found.to_string();
    if found.chars().count() > SHOWN {
        found = found.chars().take(SHOWN).chain("…".chars()).collect();
    }
    FileProblem::Setting { key, expected, found }
}

/// Characters of a wrong value that are shown.
const SHOWN: usize = 60;

fn text<'a>(value: &'a Value, key: &'static str) -> Result<Option<&'a str>, FileProblem> {
    match &value[key] {
        Value::Null => Ok(None),
        Value::String(text) => Ok(Some(text)),
        other => Err(wrong(key, "a name", other)),
    }
}

fn count(value: &Value, key: &'static str) -> Result<Option<usize>, FileProblem> {
    match &value[key] {
        Value::Null => Ok(None),
        other => match other.as_u64().and_then(|n| usize::try_from(n).ok()) {
            Some(n) => Ok(Some(n)),
            None => Err(wrong(key, "a whole number at least 0", other)),
        },
    }
}
