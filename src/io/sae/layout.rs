//! The programs whose files are read: how each is recognized by its configuration, and
//! what that says.

use std::path::{Path, PathBuf};

use serde::Serialize;
use serde_json::Value;

use super::super::FileProblem;
use super::description::{Description, Kind, NoEncoder, NoLambda, Normalization, Plan};
use super::setting::{count, flag, number, positive, text, wrong};
use crate::problem::Lambda;

/// The program a file comes from, as far as its configuration and tensors tell.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize)]
#[serde(rename_all = "kebab-case")]
#[non_exhaustive]
pub enum Layout {
    /// SAELens.
    Saelens,
    /// `dictionary_learning`.
    DictionaryLearning,
    /// EleutherAI's sparsify.
    Sparsify,
    /// Gemma Scope, 1 and 2.
    GemmaScope,
    /// Llama Scope, and the program `lm-saes` of the same authors.
    LlamaScope,
    /// Tensors without a configuration.
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
            Self::GemmaScope => "Gemma Scope",
            Self::LlamaScope => "Llama Scope",
            Self::Bare => "no configuration",
        }
    }
}

/// Reads the configuration of one of the known programs.
pub(super) fn describe(value: &Value, weights: &Path) -> Result<Description, FileProblem> {
    let has = |key: &str| value.get(key).is_some();
    if value.get("trainer").is_some_and(|t| t.get("dict_size").is_some()) {
        let mut found = dictionary_learning(&value["trainer"])?;
        // The buffer gave a module's inputs and outputs.
        if value["buffer"]["io"] == "in_and_out" {
            found.kind = Kind::Transcoder;
        }
        Ok(found)
    } else if has("d_in") && has("d_sae") {
        saelens(value)
    } else if has("num_latents") || has("expansion_factor") && has("d_in") {
        sparsify(value)
    } else if has("d_model") && (has("hook_point_in") || has("jump_relu_threshold") || has("act_fn")) {
        llama_scope(value)
    } else if value["architecture"] == "jump_relu" || is_gemma(value) {
        gemma_scope(value, weights)
    } else {
        let found = value.as_object().map(|o| o.keys().take(KEYS_SHOWN).cloned().collect());
        Err(FileProblem::UnknownConfiguration { found: found.unwrap_or_default() })
    }
}

/// Keys shown of a configuration that is of no known program.
const KEYS_SHOWN: usize = 8;

fn is_gemma(value: &Value) -> bool {
    value["model_name"].as_str().is_some_and(|name| name.contains("gemma")) && value.get("width").is_some()
}

/// Without a configuration the names of the tensors may still say what the encoder is.
pub(super) fn bare(names: &[String], weights: &Path) -> Result<Description, FileProblem> {
    let all =
        |wanted: &[&str]| names.len() == wanted.len() && wanted.iter().all(|w| names.iter().any(|n| n == w));
    if weights.file_name().is_some_and(|name| name == "params.npz") {
        return gemma_scope(&Value::Null, weights);
    }
    let mut found = Description::plain(Layout::Bare, "unknown");
    if all(&["bias", "decoder.weight", "encoder.bias", "encoder.weight"]) {
        found.subtracts = true;
    } else if all(&["decoder.weight", "decoder_bias", "encoder.weight", "gate_bias", "mag_bias", "r_mag"]) {
        found.subtracts = true;
        found.plan = Ok(Plan::Gated);
    } else {
        found.plan = Err(NoEncoder::NoConfiguration);
    }
    Ok(found)
}

/// λ from a coefficient, by the formula of a program.
fn priced(
    l1: Option<f64>,
    formula: impl Fn(f64) -> Result<Lambda, crate::gauge::PenaltyError>,
) -> Result<f64, NoLambda> {
    let l1 = l1.ok_or(NoLambda::Absent)?;
    formula(l1).map(Lambda::get).map_err(|_| NoLambda::Value(l1))
}

fn saelens(value: &Value) -> Result<Description, FileProblem> {
    let activation = match text(value, "activation_fn")? {
        Some(name) => Some(name),
        None => text(value, "activation_fn_str")?,
    };
    let mut architecture = text(value, "architecture")?.unwrap_or("standard").to_owned();
    let kwargs = &value["activation_fn_kwargs"];
    // Before version 6 TopK was an activation function of the standard class.
    if activation == Some("topk") && architecture == "standard" {
        "topk".clone_into(&mut architecture);
    }
    let k = match number(value, "k")? {
        None => number(kwargs, "k")?,
        found => found,
    };
    let mut found = Description::plain(Layout::Saelens, &architecture);
    found.d_in = count(value, "d_in")?;
    found.d_sae = count(value, "d_sae")?;
    found.d_out = count(value, "d_out")?;
    found.subtracts = flag(value, "apply_b_dec_to_input")?.unwrap_or(true);
    found.normalization = saelens_units(value)?;
    found.finetuned = flag(value, "finetuning_scaling_factor")?.unwrap_or(false);
    let transcodes = architecture.ends_with("transcoder") || writes_elsewhere(value)?;
    found.kind = if transcodes { Kind::Transcoder } else { Kind::Autoencoder };
    found.subtracts &= found.kind == Kind::Autoencoder;
    found.plan = saelens_plan(value, &architecture, activation, k)?;
    saelens_penalty(value, &mut found)?;
    Ok(found)
}

fn unknown_architecture(name: &str) -> FileProblem {
    FileProblem::Unread { what: format!("{name}, an architecture of SAELens that is not known here") }
}

/// Whether an autoencoder writes to another place than it reads, as transcoders do.
fn writes_elsewhere(value: &Value) -> Result<bool, FileProblem> {
    for place in [value, &value["metadata"]] {
        if let (Some(read), Some(written)) = (text(place, "hook_name")?, text(place, "hook_name_out")?) {
            return Ok(read != written);
        }
    }
    Ok(flag(value, "is_transcoder")?.unwrap_or(false))
}

fn saelens_plan(
    value: &Value,
    architecture: &str,
    activation: Option<&str>,
    k: Option<f64>,
) -> Result<Result<Plan, NoEncoder>, FileProblem> {
    let rescale = flag(value, "rescale_acts_by_decoder_norm")?;
    Ok(match architecture {
        "standard" | "transcoder" | "skip_transcoder" => match activation {
            None | Some("relu") => Ok(Plan::Relu),
            Some(other) => Err(NoEncoder::Activation(other.to_owned())),
        },
        "gated" => Ok(Plan::Gated),
        "jumprelu" | "jumprelu_transcoder" | "jumprelu_skip_transcoder" => {
            Ok(Plan::JumpRelu { threshold: None, rescale: false })
        }
        "topk" => {
            // Or the default of its class.
            let k = if k.is_some() { k_of(value)? } else { SAELENS_K };
            Ok(Plan::TopK { k: Some(k), rescale: rescale.unwrap_or(false) })
        }
        // Training classes, which rescale unless told otherwise.
        "batchtopk" | "matryoshka_batchtopk" => {
            let k = k.map_or(Ok(SAELENS_MEAN_K), |_| mean_k_of(value))?;
            Ok(Plan::BatchTopK { k: Some(k), rescale: rescale.unwrap_or(true) })
        }
        "abstopk" => Err(NoEncoder::Signed("AbsTopK".to_owned())),
        known @ ("temporal" | "matching_pursuit") => Err(NoEncoder::Architecture(known.to_owned())),
        other => return Err(unknown_architecture(other)),
    })
}

/// SAELens' default k.
const SAELENS_K: usize = 100;
/// The same, a datapoint on average.
const SAELENS_MEAN_K: f64 = 100.0;

/// `k`, wherever SAELens wrote it.
fn k_at(value: &Value) -> &Value {
    let holder = if value["k"].is_null() { &value["activation_fn_kwargs"] } else { value };
    &holder["k"]
}

/// The same, a number above 0.
fn mean_k_of(value: &Value) -> Result<f64, FileProblem> {
    let found = k_at(value);
    found.as_f64().filter(|k| *k > 0.0).ok_or_else(|| wrong("k", "a number above 0", found))
}

/// The same, a whole number above 0.
fn k_of(value: &Value) -> Result<usize, FileProblem> {
    let found = k_at(value);
    let whole = found.as_f64().filter(|k| k.fract() == 0.0 && *k >= 1.0 && *k < 1e9);
    #[expect(clippy::cast_possible_truncation, clippy::cast_sign_loss, reason = "whole, from 1 to 1e9")]
    whole.map(|k| k as usize).ok_or_else(|| wrong("k", "a whole number above 0", found))
}

/// What is understood of SAELens' `normalize_activations`.
const NORMALIZATIONS: &str =
    "none, expected_average_only_in, layer_norm, constant_norm_rescale or covariance_whitening";

fn saelens_units(value: &Value) -> Result<Normalization, FileProblem> {
    let version = text(value, "sae_lens_version")?.or(value["metadata"]["sae_lens_version"].as_str());
    let average = Normalization::Average { factor: positive(value, "norm_scaling_factor")? };
    let key = "normalize_activations";
    match &value[key] {
        Value::Null | Value::Bool(false) => Ok(Normalization::None),
        // Version 6 refuses a boolean; the versions before it, and 6 for their files, read it so.
        Value::Bool(true) if version.is_none_or(before_six) => Ok(average),
        Value::String(how) => match how.as_str() {
            "none" => Ok(Normalization::None),
            "expected_average_only_in" => Ok(average),
            "layer_norm" => Ok(Normalization::LayerNorm),
            "constant_norm_rescale" => Ok(Normalization::ConstantNorm),
            "covariance_whitening" => Ok(Normalization::Whitening),
            _ => Err(wrong(key, NORMALIZATIONS, &value[key])),
        },
        other @ (Value::Bool(_) | Value::Number(_) | Value::Array(_) | Value::Object(_)) => {
            Err(wrong(key, "a name", other))
        }
    }
}

fn before_six(version: &str) -> bool {
    version
        .split('.')
        .next()
        .and_then(|major| major.trim_start_matches('v').parse::<u32>().ok())
        .is_none_or(|m| m < 6)
}

/// λ, from the places in which SAELens and this crate write it.
fn saelens_penalty(value: &Value, found: &mut Description) -> Result<(), FileProblem> {
    let metadata = &value["metadata"];
    let details = &metadata["training_architecture_details"];
    let places = [value, details, metadata];
    let first = |key: &'static str| -> Result<Option<f64>, FileProblem> {
        for place in places {
            if let Some(number) = number(place, key)? {
                return Ok(Some(number));
            }
        }
        Ok(None)
    };
    found.l1 = first("l1_coefficient")?;
    let lp_norm = first("lp_norm")?;
    let mut error = None;
    let mut weighted = true;
    for place in places {
        let normalized = text(place, "mse_loss_normalization")?;
        error = error.or(normalized.filter(|how| !matches!(*how, "none" | "None")).map(str::to_owned));
        weighted &= flag(place, "scale_sparsity_penalty_by_decoder_norm")?.unwrap_or(true);
    }
    let trained = metadata["training_architecture"].as_str().unwrap_or(&found.architecture);
    let own = metadata["written_by"].as_str().is_some_and(|by| by.starts_with("widedict"));
    found.unweighted = !weighted;
    found.own = own && number(metadata, "lambda")?.is_some();
    found.lambda = if found.own {
        let lambda = number(metadata, "lambda")?.unwrap_or_default();
        Lambda::new(lambda).map(Lambda::get).map_err(|_| NoLambda::Value(lambda))
    } else if !matches!(trained, "standard" | "transcoder" | "skip_transcoder") {
        Err(NoLambda::Loss(trained.to_owned()))
    } else if let Some(p) = lp_norm.filter(|p| (p - 1.0).abs() > 0.0) {
        Err(NoLambda::LpNorm(p))
    } else if let Some(how) = error {
        Err(NoLambda::NormalizedError(how))
    } else {
        priced(found.l1, Lambda::from_saelens)
    };
    Ok(())
}

fn dictionary_learning(trainer: &Value) -> Result<Description, FileProblem> {
    let class = text(trainer, "dict_class")?.unwrap_or("unknown").to_owned();
    let mut found = Description::plain(Layout::DictionaryLearning, &class);
    found.d_in = count(trainer, "activation_dim")?;
    found.d_sae = count(trainer, "dict_size")?;
    found.subtracts = true;
    let k = count(trainer, "k")?;
    #[expect(clippy::cast_precision_loss, reason = "counts are far below 2^53")]
    let mean_k = k.map(|k| k as f64);
    found.plan = match class.as_str() {
        "AutoEncoder" => Ok(Plan::Relu),
        "AutoEncoderNew" => {
            found.subtracts = false;
            Ok(Plan::Relu)
        }
        "GatedAutoEncoder" => Ok(Plan::Gated),
        "JumpReluAutoEncoder" => {
            found.subtracts = false;
            Ok(Plan::JumpRelu { threshold: None, rescale: false })
        }
        "AutoEncoderTopK" => Ok(Plan::TopK { k, rescale: false }),
        "BatchTopKSAE" | "MatryoshkaBatchTopKSAE" => Ok(Plan::BatchTopK { k: mean_k, rescale: false }),
        other => Err(NoEncoder::Architecture(other.to_owned())),
    };
    if class.to_lowercase().contains("crosscoder") {
        found.kind = Kind::Crosscoder;
        found.subtracts = false;
        if class == "CrossCoder" {
            found.plan = Ok(Plan::Relu);
        }
    }
    found.l1 = number(trainer, "l1_penalty")?;
    let name = text(trainer, "trainer_class")?.unwrap_or("StandardTrainer");
    let standard = matches!(name, "StandardTrainer" | "StandardTrainerAprilUpdate");
    found.unweighted = name == "StandardTrainer";
    found.lambda = if !(matches!(class.as_str(), "AutoEncoder" | "AutoEncoderNew") && standard) {
        Err(NoLambda::Loss(if standard { class } else { name.to_owned() }))
    } else {
        priced(found.l1, Lambda::from_dictionary_learning)
    };
    // Activations were divided by it, and biases multiplied again: the weights see data as
    // they are, the penalty did not.
    if let Some(divided_by) = positive(trainer, "norm_factor")? {
        found.lambda = found.lambda.map(|lambda| lambda * divided_by);
    }
    Ok(found)
}

fn sparsify(value: &Value) -> Result<Description, FileProblem> {
    // A width of 0 stands for expansion_factor times d_in.
    let d_in = count(value, "d_in")?;
    let d_sae = match (count(value, "num_latents")?, count(value, "expansion_factor")?, d_in) {
        (Some(latents), _, _) if latents > 0 => Some(latents),
        (_, Some(factor), Some(d_in)) => factor.checked_mul(d_in),
        _ => None,
    };
    let architecture = text(value, "activation")?.unwrap_or("topk").to_owned();
    let mut found = Description::plain(Layout::Sparsify, &architecture);
    found.d_in = d_in;
    found.d_sae = d_sae;
    let transcodes = flag(value, "transcode")?.unwrap_or(false);
    let skips = flag(value, "skip_connection")?.unwrap_or(false);
    found.subtracts = !transcodes;
    if transcodes || skips {
        found.kind = Kind::Transcoder;
    }
    let k = count(value, "k")?.unwrap_or(SPARSIFY_K);
    found.plan = if flag(value, "signed")?.unwrap_or(false) {
        Err(NoEncoder::Signed("signed TopK".to_owned()))
    } else {
        match architecture.as_str() {
            "topk" => Ok(Plan::TopK { k: Some(k), rescale: false }),
            "groupmax" => Ok(Plan::GroupMax { k }),
            other => Err(NoEncoder::Activation(other.to_owned())),
        }
    };
    found.lambda = Err(NoLambda::Loss(format!("sparsify ({architecture})")));
    Ok(found)
}

/// The default k of sparsify.
const SPARSIFY_K: usize = 32;

/// Parts of a path, the last first, that may be folders of Gemma Scope: L0, width, layer, kind,
/// and in a download cache snapshot and release.
const FOLDERS: usize = 8;

fn gemma_scope(value: &Value, weights: &Path) -> Result<Description, FileProblem> {
    let architecture = text(value, "architecture")?.unwrap_or("jump_relu").to_owned();
    let mut found = Description::plain(Layout::GemmaScope, &architecture);
    found.d_sae = value["width"].as_u64().and_then(|width| usize::try_from(width).ok());
    found.plan = match architecture.as_str() {
        "jump_relu" | "jumprelu" => Ok(Plan::JumpRelu { threshold: None, rescale: false }),
        other => Err(NoEncoder::Architecture(other.to_owned())),
    };
    // Its folders say what its files do not.
    let folders = folders(weights);
    let (from, to) = (text(value, "hf_hook_point_in")?, text(value, "hf_hook_point_out")?);
    let apart = to.is_some() && from != to;
    if apart
        || flag(value, "affine_connection")?.unwrap_or(false)
        || folders.iter().any(|name| is_of_transcoders(name))
    {
        found.kind = Kind::Transcoder;
    }
    if folders.iter().any(|name| name == "embedding") {
        found.normalization = Normalization::Embedding;
    }
    found.lambda = Err(NoLambda::Loss("JumpReLU".to_owned()));
    Ok(found)
}

/// The folders that a file lies in, as its path is spelled and where links lead: of a file that
/// is a link itself only its folder is followed, as download caches keep contents elsewhere.
fn folders(file: &Path) -> Vec<String> {
    let spelled = std::path::absolute(file).ok().and_then(|file| file.parent().map(Path::to_path_buf));
    let led = spelled.as_ref().and_then(|folder| folder.canonicalize().ok());
    let names = |folder: PathBuf| {
        let parts = folder.components().rev().take(FOLDERS);
        parts.map(|part| part.as_os_str().to_string_lossy().to_lowercase()).collect::<Vec<String>>()
    };
    spelled.into_iter().chain(led).flat_map(names).collect()
}

/// Whether Gemma Scope calls a folder so that holds transcoders: `transcoder` or
/// `transcoder_all` inside a release, or the release itself.
fn is_of_transcoders(name: &str) -> bool {
    ["transcoder", "transcoder_all"].contains(&name)
        || (name.contains("gemma-scope") && name.contains("transcoder"))
}

/// `hyperparams.json` of Llama Scope and `config.json` of the later `lm-saes`.
fn llama_scope(value: &Value) -> Result<Description, FileProblem> {
    let architecture = text(value, "act_fn")?.unwrap_or("jumprelu").to_lowercase();
    let mut found = Description::plain(Layout::LlamaScope, &architecture);
    found.d_in = count(value, "d_model")?;
    found.d_sae = match (count(value, "d_sae")?, count(value, "expansion_factor")?, found.d_in) {
        (Some(d_sae), _, _) => Some(d_sae),
        (None, Some(factor), Some(d_in)) => factor.checked_mul(d_in),
        _ => None,
    };
    found.subtracts = flag(value, "apply_decoder_bias_to_pre_encoder")?.unwrap_or(false)
        && flag(value, "use_decoder_bias")?.unwrap_or(true);
    let (from, to) = (text(value, "hook_point_in")?, text(value, "hook_point_out")?);
    if to.is_some() && from != to {
        found.kind = Kind::Transcoder;
    }
    let lengths = &value["dataset_average_activation_norm"];
    let input = positive(lengths, "in")?;
    let output = positive(lengths, "out")?.or(input);
    found.normalization = match text(value, "norm_activation")? {
        None | Some("dataset-wise") => match (input, output, from) {
            (Some(input), Some(output), _) => Normalization::Lengths { input, output },
            (_, _, Some(from)) => {
                let name = |hook: &str| format!("dataset_average_activation_norm.{hook}");
                Normalization::LengthTensors { input: name(from), output: name(to.unwrap_or(from)) }
            }
            _ => Normalization::Unknown("dataset-wise without dataset_average_activation_norm".to_owned()),
        },
        Some("inference" | "none") => Normalization::None,
        Some("token-wise") => Normalization::ConstantNorm,
        Some(_) => {
            let expected = "dataset-wise, token-wise or inference";
            return Err(wrong("norm_activation", expected, &value["norm_activation"]));
        }
    };
    // The threshold is one of pre-activations of data as they are; those of normalized data
    // are longer by the factor of normalization.
    let threshold = positive(value, "jump_relu_threshold")?;
    let factor = match (&found.normalization, found.d_in) {
        #[expect(clippy::cast_precision_loss, reason = "dimensions are far below 2^53")]
        (Normalization::Lengths { input, .. }, Some(n)) => (n as f64).sqrt() / input,
        _ => 1.0,
    };
    let by_length = flag(value, "sparsity_include_decoder_norm")?.unwrap_or(false) && threshold.is_none();
    found.plan = match architecture.as_str() {
        _ if flag(value, "use_glu_encoder")?.unwrap_or(false) => {
            Err(NoEncoder::Architecture("GLU".to_owned()))
        }
        "jumprelu" => Ok(Plan::JumpRelu { threshold: threshold.map(|t| t * factor), rescale: by_length }),
        "relu" => Ok(Plan::Relu),
        "topk" if !by_length => Ok(Plan::TopK { k: count(value, "top_k")?, rescale: false }),
        other => Err(NoEncoder::Activation(other.to_owned())),
    };
    found.lambda = Err(NoLambda::Loss(format!("Llama Scope ({architecture})")));
    Ok(found)
}
