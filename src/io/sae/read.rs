//! Reading an autoencoder: the tensors that a description asks for, in one form.

use std::path::Path;

use serde_json::Value;

use super::super::tensors::Tensors;
use super::super::{FileError, FileProblem};
use super::description::{Description, Kind, NoEncoder, NoLambda, Normalization, Plan};
use super::encoder::{Activation, Encoder};
use super::layout::{bare, describe};
use super::units::Units;
use super::weights::Weights;
use super::{Atoms, Layout, ReadOptions, Sae};
use crate::linalg::{Matrix, norm};

/// Names of decoders, with what counts their rows where a matrix is square.
const DECODERS: [(&str, Atoms); 4] = [
    ("W_dec", Atoms::Rows),
    ("w_dec", Atoms::Rows),
    ("decoder.weight", Atoms::Columns),
    ("decoder_linear.weight", Atoms::Columns),
];
const ENCODERS: [(&str, Atoms); 4] = [
    ("W_enc", Atoms::Columns),
    ("w_enc", Atoms::Columns),
    ("encoder.weight", Atoms::Rows),
    ("encoder_linear.weight", Atoms::Rows),
];
const ENCODER_BIASES: [&str; 4] = ["b_enc", "encoder.bias", "encoder_linear.bias", "latent_bias"];
const DECODER_BIASES: [&str; 6] =
    ["b_dec", "bias", "decoder_bias", "decoder.bias", "decoder_linear.bias", "pre_bias"];
const GATES: [&str; 2] = ["b_gate", "gate_bias"];
const MAGNITUDES: [&str; 2] = ["b_mag", "mag_bias"];
const FACTORS: [&str; 1] = ["r_mag"];
const THRESHOLDS: [&str; 2] = ["threshold", "topk_threshold"];
const LOG_THRESHOLDS: [&str; 3] =
    ["log_threshold", "log_jumprelu_threshold", "activation_function.log_jumprelu_threshold"];
const SKIPS: [(&str, Atoms); 2] = [("W_skip", Atoms::Rows), ("affine_skip_connection", Atoms::Columns)];
const FINETUNING: [&str; 2] = ["scaling_factor", "finetuning_scaling_factor"];
/// Tensors that change nothing.
const IDLE: [&str; 5] = ["k", "sparsity", "log_sparsity", "log_feature_sparsity", "group_sizes"];
/// Beginnings of names of tensors that change nothing, or are read by their whole names.
const IDLE_PREFIXES: [&str; 1] = ["dataset_average_activation_norm."];

pub(super) fn read(path: &Path, options: &ReadOptions) -> Result<Sae, FileError> {
    let mut weights = Weights::open(path)?;
    let names = weights.names();
    let mut description = match weights.configuration()? {
        Some((path, value)) => {
            describe(&value, weights.path()).map_err(|problem| FileError::new(&path, problem))?
        }
        None => bare(&names, weights.path()).map_err(|problem| FileError::new(weights.path(), problem))?,
    };
    understood(&weights, &names)?;
    clashes(&weights, &mut description)?;
    Reader { weights: &mut weights, description, options }.read()
}

/// Refuses tensors that may change the numbers in a way that nothing here knows of.
fn understood(weights: &Weights, names: &[String]) -> Result<(), FileError> {
    let known = |name: &str| {
        [&ENCODER_BIASES[..], &DECODER_BIASES, &GATES, &MAGNITUDES, &FACTORS, &THRESHOLDS, &LOG_THRESHOLDS]
            .iter()
            .chain([&&FINETUNING[..], &&IDLE[..]])
            .any(|list| list.contains(&name))
            || [&DECODERS[..], &ENCODERS, &SKIPS].iter().any(|list| list.iter().any(|(n, _)| *n == name))
            || IDLE_PREFIXES.iter().any(|prefix| name.starts_with(prefix))
    };
    if !names.iter().any(|name| DECODERS.iter().any(|(n, _)| n == name)) {
        let problem =
            FileProblem::MissingTensor { expected: "W_dec or decoder.weight", found: names.to_vec() };
        return Err(FileError::new(weights.path(), problem));
    }
    match names.iter().find(|name| !known(name) && weights.is_float(name)) {
        Some(name) => {
            let shape = weights.shape(name).unwrap_or_default().to_vec();
            Err(FileError::in_array(weights.path(), name, FileProblem::UnknownTensor { shape }))
        }
        None => Ok(()),
    }
}

/// Refuses tensors of another architecture than the configuration's. A class that its trainer
/// does not name is told by its tensors.
fn clashes(weights: &Weights, description: &mut Description) -> Result<(), FileError> {
    let has = |name: &str| weights.shape(name).is_some();
    // `dictionary_learning` writes this name for AutoEncoderNew too, which has its own bias.
    if description.layout == Layout::DictionaryLearning
        && description.architecture == "AutoEncoder"
        && has("decoder.bias")
        && !has("bias")
    {
        "AutoEncoderNew".clone_into(&mut description.architecture);
        description.subtracts = false;
    }
    let thresholds = [&THRESHOLDS[..], &LOG_THRESHOLDS].concat();
    let gates = [&GATES[..], &MAGNITUDES, &FACTORS].concat();
    let foreign = match description.plan {
        Ok(Plan::Relu) => [thresholds, gates].concat(),
        Ok(Plan::Gated) => thresholds,
        Ok(Plan::JumpRelu { .. } | Plan::TopK { .. } | Plan::BatchTopK { .. } | Plan::GroupMax { .. }) => {
            gates
        }
        Err(_) => Vec::new(),
    };
    match foreign.into_iter().find(|name| has(name)) {
        Some(name) => {
            let what = format!("a tensor that {} has not", description.architecture);
            Err(FileError::in_array(weights.path(), name, FileProblem::Unread { what }))
        }
        None => Ok(()),
    }
}

/// What is assumed of weights alone.
const UNCONFIGURED: &str =
    "no configuration beside the weights: taken to have been trained on the data as they are";

/// Where λ of a SAELens file comes from whose run left no file beside it.
const UNTOLD: &str = "the configuration: half its L1 coefficient, unless a scale of the activations was folded \
    into the weights, which no file beside them would tell";

/// The tensors with what is known of them.
struct Reader<'a> {
    weights: &'a mut Weights,
    description: Description,
    options: &'a ReadOptions,
}

impl Reader<'_> {
    fn read(mut self) -> Result<Sae, FileError> {
        let (decoder, layers) = self.decoder()?;
        let (n, m) = (decoder.nrows(), decoder.ncols());
        let bias = match self.pick(&DECODER_BIASES)? {
            Some(name) => Some(self.vector(&name, n)?),
            None => None,
        };
        let skip = self.skip(n)?;
        if skip.is_some() && self.description.kind == Kind::Autoencoder {
            self.description.kind = Kind::Transcoder;
        }
        let units = self.units(n)?;
        let encoder = self.encoder(&decoder, bias.as_deref())?;
        let (folded_units, untold) = self.folded_units()?;
        let Description {
            layout,
            architecture,
            kind,
            lambda,
            l1,
            unweighted,
            own,
            finetuned,
            normalization,
            ..
        } = self.description;
        let mut sae = Sae {
            layout,
            architecture,
            kind,
            layers,
            decoder,
            bias,
            encoder,
            skip,
            units,
            lambda: lambda.and_then(|lambda| folded_units.map_or(Ok(lambda), Err)),
            l1_coefficient: l1,
            lambda_source: match (own, untold) {
                (true, _) => "the configuration, as this program wrote it",
                (_, true) => UNTOLD,
                _ => "the configuration: half its L1 coefficient, in the units of these numbers",
            },
            unweighted,
            note: (layout == Layout::Bare).then(|| UNCONFIGURED.to_owned()),
        };
        let factor = match names_of(self.weights, &FINETUNING).as_slice() {
            [] => None,
            [name, ..] => Some((name.clone(), vector(self.weights, name, m)?)),
        };
        if let Some((name, factor)) = factor {
            finetune(self.weights, &name, &mut sae, &factor, finetuned)?;
        }
        if normalization == Normalization::Embedding {
            sae.unembed();
        }
        Ok(sae)
    }

    fn fail(&self, problem: FileProblem) -> FileError {
        FileError::new(self.weights.path(), problem)
    }

    fn at(&self, name: &str, problem: FileProblem) -> FileError {
        FileError::in_array(self.weights.path(), name, problem)
    }

    /// The tensor of one of these names; two are an error.
    fn pick(&self, names: &[&str]) -> Result<Option<String>, FileError> {
        match names_of(self.weights, names).as_slice() {
            [] => Ok(None),
            [one] => Ok(Some(one.clone())),
            [one, other, ..] => Err(self.at(one, FileProblem::TwoNames { other: other.clone() })),
        }
    }

    fn pick_matrix(&self, names: &[(&'static str, Atoms)]) -> Result<Option<(String, Atoms)>, FileError> {
        let only: Vec<&str> = names.iter().map(|(name, _)| *name).collect();
        let found = self.pick(&only)?;
        Ok(found.and_then(|found| {
            let program = names.iter().find(|(name, _)| *name == found)?.1;
            Some((found, program))
        }))
    }

    fn vector(&mut self, name: &str, length: usize) -> Result<Vec<f64>, FileError> {
        vector(self.weights, name, length)
    }

    /// Numbers of one a name, or the same one for all.
    fn spread(&mut self, name: &str, length: usize) -> Result<Vec<f64>, FileError> {
        match self.weights.shape(name).unwrap_or_default().iter().product::<usize>() {
            1 if length != 1 => Ok(vec![self.weights.number(name)?; length]),
            _ => self.vector(name, length),
        }
    }

    /// Length of a vector, whichever of its sides is 1.
    fn length(&self, name: Option<&str>) -> Option<usize> {
        flat_length(self.weights.shape(name?)?)
    }

    /// An atom a column, and the number of layers where there are several.
    fn decoder(&mut self) -> Result<(Matrix, Option<usize>), FileError> {
        let Some((name, program)) = self.pick_matrix(&DECODERS)? else {
            let found = self.weights.names();
            return Err(self.fail(FileProblem::MissingTensor { expected: "W_dec or decoder.weight", found }));
        };
        let biases = (self.pick(&ENCODER_BIASES)?, self.pick(&DECODER_BIASES)?);
        let d = &self.description;
        let atoms = d.d_sae.or(self.length(biases.0.as_deref()));
        if let Some(&[a, b, c]) = self.weights.shape(&name) {
            return self.layered(&name, [a, b, c], atoms);
        }
        if d.kind == Kind::Crosscoder {
            let what = "a crosscoder whose decoder has not one matrix a layer".to_owned();
            return Err(self.at(&name, FileProblem::Unread { what }));
        }
        let own = if d.kind == Kind::Transcoder { d.d_out } else { d.d_out.or(d.d_in) };
        let sizes = Sizes { dim: own.or(self.length(biases.1.as_deref())).or(self.options.dim), atoms };
        // Without a configuration a name that is PyTorch's says how it lies; others are used both ways.
        let program = (d.layout != Layout::Bare || program == Atoms::Columns).then_some(program);
        let orientation = sizes
            .orient(self.weights.shape(&name), program, self.options.atoms)
            .map_err(|problem| self.at(&name, problem))?;
        Ok((matrix(self.weights, &name, orientation)?, None))
    }

    /// A decoder with a matrix a layer: the layers side by side.
    fn layered(
        &mut self,
        name: &str,
        shape: [usize; 3],
        atoms: Option<usize>,
    ) -> Result<(Matrix, Option<usize>), FileError> {
        if self.description.layout == Layout::GemmaScope || self.description.kind == Kind::Transcoder {
            let what = "a cross-layer transcoder: its atoms write to several layers".to_owned();
            return Err(self.at(name, FileProblem::Unread { what }));
        }
        self.description.kind = Kind::Crosscoder;
        self.description.subtracts = false;
        self.description.lambda = Err(NoLambda::Loss("a crosscoder".to_owned()));
        // `dictionary_learning` has (layers, atoms, dimension).
        let program = (self.description.layout == Layout::DictionaryLearning).then_some(1);
        let axis = axis_of(shape, atoms, program).map_err(|problem| self.at(name, problem))?;
        let layers = if axis == 0 { shape[1] } else { shape[0] };
        Ok((flat(self.weights.floats(name)?, shape, axis), Some(layers)))
    }

    fn skip(&mut self, n: usize) -> Result<Option<Matrix>, FileError> {
        let Some((name, program)) = self.pick_matrix(&SKIPS)? else { return Ok(None) };
        // Outputs are its "atoms": a column of inputs each.
        let sizes = Sizes { dim: self.description.d_in, atoms: Some(n) };
        let orientation = sizes
            .orient(self.weights.shape(&name), Some(program), None)
            .map_err(|problem| self.at(&name, problem))?;
        matrix(self.weights, &name, orientation).map(Some)
    }

    fn units(&mut self, n: usize) -> Result<Units, FileError> {
        #[expect(clippy::cast_precision_loss, reason = "dimensions are far below 2^53")]
        let root = |dim: usize| (dim as f64).sqrt();
        let d_in = self.description.d_in.unwrap_or(n);
        let lengths = |input: f64, output: f64| Units::Scaled {
            input: root(d_in) / input,
            output: root(n) / output,
            from: "dataset_average_activation_norm".to_owned(),
        };
        let units = match self.description.normalization.clone() {
            Normalization::None | Normalization::Embedding => Units::Stored,
            Normalization::Average { factor } => self.average(factor)?,
            Normalization::Lengths { input, output } => lengths(input, output),
            Normalization::LengthTensors { input, output } => {
                lengths(self.weights.number(&input)?, self.weights.number(&output)?)
            }
            Normalization::Whitening => self.whitening(n)?,
            Normalization::LayerNorm => Units::LayerNorm,
            Normalization::ConstantNorm => Units::ConstantNorm,
            Normalization::Unknown(how) => {
                return Err(
                    self.fail(FileProblem::Unread { what: format!("activations normalized by {how}") })
                );
            }
        };
        let per_side = matches!(&units, Units::Stored | Units::Scaled { .. });
        let one_side = self.description.layout != Layout::LlamaScope && units != Units::Stored;
        if self.description.kind != Kind::Autoencoder && (!per_side || one_side) {
            let what = "a transcoder or crosscoder of normalized activations".to_owned();
            return Err(self.fail(FileProblem::Unread { what }));
        }
        if let Units::Scaled { input, output, .. } = &units
            && !(usable(*input) && usable(*output))
        {
            return Err(self
                .fail(FileProblem::Unread { what: format!("activations scaled by {input} and {output}") }));
        }
        Ok(units)
    }

    fn average(&self, factor: Option<f64>) -> Result<Units, FileError> {
        let scaled =
            |factor, from: &str| Units::Scaled { input: factor, output: factor, from: from.to_owned() };
        if let Some(factor) = factor {
            return Ok(scaled(factor, "norm_scaling_factor of the configuration"));
        }
        match self.weights.beside("activation_scaler.json")? {
            Some((path, value)) => Ok(super::setting::positive(&value, "scaling_factor")
                .map_err(|problem| FileError::new(&path, problem))?
                .map_or(Units::Estimated, |factor| scaled(factor, "activation_scaler.json"))),
            None => Ok(Units::Estimated),
        }
    }

    fn whitening(&self, n: usize) -> Result<Units, FileError> {
        let path = self.weights.path().with_file_name("activation_whitening.safetensors");
        if !path.is_file() {
            let what =
                "activations were whitened (covariance_whitening), and there is no activation_whitening.safetensors \
                        beside the weights to whiten the data by"
                    .to_owned();
            return Err(self.fail(FileProblem::Unread { what }));
        }
        let mut tensors = Tensors::open(&path)?;
        for (name, expected) in [("mean", vec![n]), ("matrix", vec![n, n])] {
            if tensors.shape(name) != Some(&expected[..]) {
                let found = tensors.shape(name).unwrap_or_default().iter().product();
                let problem = FileProblem::Count { expected: expected.iter().product(), found };
                return Err(FileError::in_array(&path, name, problem));
            }
        }
        let mean = tensors.floats("mean")?;
        let values = tensors.floats("matrix")?;
        Ok(Units::Whitened { mean, matrix: Matrix::from_fn(n, n, |i, j| values[i * n + j]) })
    }

    /// Why λ is not one of the data, where a run's own file says that a scale was folded, and
    /// whether there is no such file.
    fn folded_units(&self) -> Result<(Option<NoLambda>, bool), FileError> {
        let Description { layout, normalization, own, .. } = &self.description;
        if *layout != Layout::Saelens || *normalization != Normalization::None || *own {
            return Ok((None, false));
        }
        let Some((_, run)) = self.weights.beside("runner_cfg.json")? else { return Ok((None, true)) };
        let how = [&run["sae"]["normalize_activations"], &run["normalize_activations"]];
        let how = how.into_iter().find_map(Value::as_str).filter(|how| *how != "none");
        let folded = how.map(|how| {
            NoLambda::Units(format!(
                "runner_cfg.json says {how}, folded into the weights by a scale it does not hold"
            ))
        });
        Ok((folded, false))
    }

    fn encoder(
        &mut self,
        decoder: &Matrix,
        bias: Option<&[f64]>,
    ) -> Result<Result<Encoder, NoEncoder>, FileError> {
        let plan = match self.description.plan.clone() {
            Ok(plan) => plan,
            Err(why) => return Ok(Err(why)),
        };
        let m = decoder.ncols();
        let Some((name, program)) = self.pick_matrix(&ENCODERS)? else {
            return Ok(Err(NoEncoder::Missing("W_enc".to_owned())));
        };
        let weights = match self.weights.shape(&name) {
            Some(&[a, b, c]) => {
                // Of `dictionary_learning` (layers, dimension, atoms).
                let program = (self.description.layout == Layout::DictionaryLearning).then_some(2);
                let axis = axis_of([a, b, c], Some(m), program).map_err(|problem| self.at(&name, problem))?;
                flat(self.weights.floats(&name)?, [a, b, c], axis)
            }
            _ => {
                let apart = self.description.kind == Kind::Transcoder;
                let dim = if apart { self.description.d_in } else { Some(decoder.nrows()) };
                let program =
                    (self.description.layout != Layout::Bare || program == Atoms::Rows).then_some(program);
                match (Sizes { dim, atoms: Some(m) }).orient(self.weights.shape(&name), program, None) {
                    Err(FileProblem::Square { .. }) => return Ok(Err(NoEncoder::Square)),
                    Err(problem) => return Err(self.at(&name, problem)),
                    Ok(orientation) => matrix(self.weights, &name, orientation)?,
                }
            }
        };
        let offset = self.pick(&ENCODER_BIASES)?;
        let offset = match (&plan, offset) {
            (Plan::Gated, _) => vec![0.0; m],
            (_, Some(name)) => self.vector(&name, m)?,
            (_, None) => return Ok(Err(NoEncoder::Missing("b_enc".to_owned()))),
        };
        let activation = match self.activation(plan, decoder)? {
            Ok(activation) => activation,
            Err(why) => return Ok(Err(why)),
        };
        let shift = bias.filter(|_| self.description.subtracts).map(<[f64]>::to_vec);
        if let Some(shift) = shift.as_ref().filter(|shift| shift.len() != weights.nrows()) {
            return Err(self.at(&name, FileProblem::Count { expected: shift.len(), found: weights.nrows() }));
        }
        Ok(Ok(Encoder { weights, bias: offset, shift, activation }))
    }

    /// The plan with the tensors it needs.
    fn activation(
        &mut self,
        plan: Plan,
        decoder: &Matrix,
    ) -> Result<Result<Activation, NoEncoder>, FileError> {
        let m = decoder.ncols();
        let norms = |rescale: bool| rescale.then(|| decoder.columns().map(norm).collect::<Vec<f64>>());
        let missing = |name: &str| Ok(Err(NoEncoder::Missing(name.to_owned())));
        Ok(Ok(match plan {
            Plan::Relu => Activation::Relu,
            Plan::Gated => {
                let names = (self.pick(&GATES)?, self.pick(&MAGNITUDES)?, self.pick(&FACTORS)?);
                let (Some(gate), Some(magnitude), Some(factor)) = names else {
                    return missing("b_gate, b_mag or r_mag");
                };
                let factor = self.vector(&factor, m)?.into_iter().map(f64::exp).collect();
                Activation::Gated {
                    gate: self.vector(&gate, m)?,
                    factor,
                    magnitude: self.vector(&magnitude, m)?,
                }
            }
            Plan::JumpRelu { threshold, rescale } => {
                let logs = self.pick(&LOG_THRESHOLDS)?;
                let threshold = match (threshold, self.pick(&THRESHOLDS)?, logs) {
                    (Some(value), _, _) => vec![value; m],
                    (None, Some(name), Some(other)) => {
                        return Err(self.at(&name, FileProblem::TwoNames { other }));
                    }
                    (None, Some(name), _) => self.spread(&name, m)?,
                    (None, None, Some(name)) => self.spread(&name, m)?.into_iter().map(f64::exp).collect(),
                    (None, None, None) => return missing("threshold"),
                };
                Activation::JumpRelu { threshold, norms: norms(rescale) }
            }
            Plan::TopK { k, rescale } => match self.k(k, m)? {
                Some(k) => Activation::TopK { k, norms: norms(rescale) },
                None => return missing("k"),
            },
            Plan::BatchTopK { k, rescale } => {
                // As the package reads its files: that of the weights.
                let k = if self.weights.shape("k").is_some() { Some(self.weights.number("k")?) } else { k };
                let Some(k) = k.filter(|k| *k > 0.0) else { return missing("k") };
                let threshold = match self.pick(&THRESHOLDS)? {
                    Some(name) => Some(self.weights.number(&name)?),
                    None => None,
                };
                Activation::BatchTopK { k, threshold, norms: norms(rescale) }
            }
            Plan::GroupMax { k } if k == 0 || !m.is_multiple_of(k) => {
                let problem = FileProblem::Setting {
                    key: "k",
                    expected: "a divisor of the number of atoms",
                    found: k.to_string(),
                };
                return Err(self.fail(problem));
            }
            Plan::GroupMax { k } => Activation::GroupMax { k },
        }))
    }

    /// k from the configuration or the weights, between 1 and M.
    fn k(&mut self, told: Option<usize>, m: usize) -> Result<Option<usize>, FileError> {
        let k = if self.weights.shape("k").is_some() {
            // As the package reads its files: that of the weights.
            let k = self.weights.number("k")?;
            #[expect(clippy::cast_possible_truncation, clippy::cast_sign_loss, reason = "checked below")]
            let whole = if k >= 1.0 { k as usize } else { 0 };
            whole
        } else if let Some(told) = told {
            told
        } else {
            return Ok(None);
        };
        if (1..=m).contains(&k) {
            return Ok(Some(k));
        }
        let expected = "a whole number from 1 to the number of atoms";
        Err(self.fail(FileProblem::Setting { key: "k", expected, found: k.to_string() }))
    }
}

fn usable(scale: f64) -> bool {
    scale.is_finite() && scale > 0.0
}

fn names_of(weights: &Weights, names: &[&str]) -> Vec<String> {
    names.iter().filter(|name| weights.shape(name).is_some()).map(|name| (*name).to_owned()).collect()
}

/// Multiplies atoms by a factor fitted after training, as SAELens 5 did its codes.
fn finetune(
    weights: &Weights,
    name: &str,
    sae: &mut Sae,
    factor: &[f64],
    told: bool,
) -> Result<(), FileError> {
    if factor.iter().all(|f| (f - 1.0).abs() <= FINETUNED) {
        return Ok(());
    }
    if !told {
        let what = "a scaling factor other than 1 where finetuning_scaling_factor is not true".to_owned();
        return Err(FileError::in_array(weights.path(), name, FileProblem::Unread { what }));
    }
    for (k, f) in factor.iter().enumerate() {
        sae.decoder.col_mut(k).iter_mut().for_each(|v| *v *= f);
    }
    sae.note = Some(format!("atoms multiplied by the {name} fitted after training"));
    // It was fitted without the penalty.
    sae.lambda = Err(NoLambda::Loss("finetuning".to_owned()));
    Ok(())
}

/// Relative difference from 1 up to which SAELens calls a factor 1.
const FINETUNED: f64 = 1e-5;

/// The axis of three that counts the atoms: where several have their number, the program's.
fn axis_of(shape: [usize; 3], atoms: Option<usize>, program: Option<usize>) -> Result<usize, FileProblem> {
    let found = || shape.iter().map(|&s| s as u64).collect();
    if shape.contains(&0) {
        return Err(FileProblem::Empty { found: found() });
    }
    let fits: Vec<usize> = (0..3).filter(|&axis| Some(shape[axis]) == atoms).collect();
    match (&fits[..], program) {
        ([axis], _) => Ok(*axis),
        (_, Some(axis)) if fits.contains(&axis) => Ok(axis),
        _ => Err(FileProblem::Dimensions {
            expected: "three axes of which one alone has the length of the encoder's bias",
            found: found(),
        }),
    }
}

/// Three axes as a matrix with a column an index of `axis`, the others in their order.
fn flat(values: Vec<f64>, shape: [usize; 3], axis: usize) -> Matrix {
    let [_, b, c] = shape;
    let others: Vec<usize> = (0..3).filter(|&a| a != axis).map(|a| shape[a]).collect();
    let at = |first: usize, second: usize, k: usize| {
        let [i, j, l] = match axis {
            0 => [k, first, second],
            1 => [first, k, second],
            _ => [first, second, k],
        };
        values[(i * b + j) * c + l]
    };
    Matrix::from_fn(others[0] * others[1], shape[axis], |row, k| at(row / others[1], row % others[1], k))
}

/// Length of a vector, or of a matrix of one row or column.
fn flat_length(shape: &[usize]) -> Option<usize> {
    match shape {
        [length] | [1, length] | [length, 1] => Some(*length),
        _ => None,
    }
}

/// What is known of n and M.
struct Sizes {
    dim: Option<usize>,
    atoms: Option<usize>,
}

impl Sizes {
    /// What counts the rows of a matrix of this shape.
    fn orient(
        &self,
        shape: Option<&[usize]>,
        program: Option<Atoms>,
        told: Option<Atoms>,
    ) -> Result<Atoms, FileProblem> {
        let found: Vec<u64> = shape.unwrap_or(&[]).iter().map(|&s| s as u64).collect();
        let Some(&[rows, columns]) = shape else {
            return Err(FileProblem::Dimensions { expected: "a matrix", found });
        };
        if rows == 0 || columns == 0 {
            return Err(FileProblem::Empty { found });
        }
        let fits = |atoms: usize, dim: usize| {
            self.dim.is_none_or(|d| d == dim) && self.atoms.is_none_or(|a| a == atoms)
        };
        let possible = [(Atoms::Rows, fits(rows, columns)), (Atoms::Columns, fits(columns, rows))];
        let is_possible = |wanted: Atoms| possible.iter().any(|(which, fits)| *which == wanted && *fits);
        let mismatch = || FileProblem::Sizes { rows, columns, dim: self.dim, atoms: self.atoms };
        if let Some(told) = told {
            return if is_possible(told) { Ok(told) } else { Err(mismatch()) };
        }
        match (possible[0].1, possible[1].1) {
            (true, false) => Ok(Atoms::Rows),
            (false, true) => Ok(Atoms::Columns),
            (false, false) => Err(mismatch()),
            (true, true) if rows == columns => program.ok_or(FileProblem::Square { size: rows }),
            (true, true) => Err(FileProblem::Orientation { rows, columns }),
        }
    }
}

/// A matrix with an atom a column (n × M).
fn matrix(weights: &mut Weights, name: &str, atoms: Atoms) -> Result<Matrix, FileError> {
    let (rows, columns) = match weights.shape(name) {
        Some(&[rows, columns]) => (rows, columns),
        _ => unreachable!("a tensor that was oriented is a matrix"),
    };
    let values = weights.floats(name)?;
    Ok(match atoms {
        Atoms::Rows => {
            Matrix::from_column_major(columns, rows, values).expect("as many numbers as the shape says")
        }
        Atoms::Columns => Matrix::from_fn(rows, columns, |i, k| values[i * columns + k]),
    })
}

fn vector(weights: &mut Weights, name: &str, length: usize) -> Result<Vec<f64>, FileError> {
    let shape = weights.shape(name).unwrap_or_default();
    let found = shape.iter().product();
    // A crosscoder's has a row a layer.
    if found == length && (flat_length(shape) == Some(length) || shape.len() == 2) {
        return weights.floats(name);
    }
    Err(FileError::in_array(weights.path(), name, FileProblem::Count { expected: length, found }))
}
