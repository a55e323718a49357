//! Reading an autoencoder.

use std::fs;
use std::path::{Path, PathBuf};

use super::super::json::read_json;
use super::super::tensors::Tensors;
use super::super::{FileError, FileProblem};
use super::layout::Config;
use super::{Atoms, Encoder, Layout, NoEncoder, ReadOptions, Sae};
use crate::linalg::Matrix;

/// Names of weights, in the order in which they are looked for.
const WEIGHTS: [&str; 3] = ["sae_weights.safetensors", "sae.safetensors", "ae.safetensors"];

/// Names of configurations.
const CONFIGS: [&str; 2] = ["cfg.json", "config.json"];

/// Largest configuration read: those of training runs have some ten kilobytes.
const MAX_CONFIG: u64 = 4 << 20;

/// Endings of files that torch writes as pickles.
const PICKLES: [&str; 5] = ["pt", "pth", "bin", "pkl", "ckpt"];

const DECODERS: [&str; 2] = ["W_dec", "decoder.weight"];
const ENCODERS: [&str; 2] = ["W_enc", "encoder.weight"];
const ENCODER_BIASES: [&str; 2] = ["b_enc", "encoder.bias"];
const DECODER_BIASES: [&str; 3] = ["b_dec", "bias", "decoder_bias"];

pub(super) fn read(path: &Path, options: &ReadOptions) -> Result<Sae, FileError> {
    let weights = weights(path)?;
    let config = config(&weights)?;
    let mut tensors = Tensors::open(&weights)?;
    let pick = |tensors: &Tensors, names: &[&'static str]| {
        names.iter().copied().find(|name| tensors.shape(name).is_some())
    };
    let Some(decoder) = pick(&tensors, &DECODERS) else {
        let problem =
            FileProblem::MissingTensor { expected: "W_dec or decoder.weight", found: tensors.names() };
        return Err(FileError::new(&weights, problem));
    };
    let encoder = pick(&tensors, &ENCODERS);
    let encoder_bias = pick(&tensors, &ENCODER_BIASES);
    let decoder_bias = pick(&tensors, &DECODER_BIASES);
    let length = |tensors: &Tensors, name: Option<&str>| match name.and_then(|n| tensors.shape(n)) {
        Some(&[length]) => Some(length),
        _ => None,
    };
    let layout = config.as_ref().map_or(Layout::Bare, |c| c.layout);
    let sizes = Sizes {
        dim: config.as_ref().and_then(|c| c.d_in).or(length(&tensors, decoder_bias)).or(options.dim),
        atoms: config.as_ref().and_then(|c| c.d_sae).or(length(&tensors, encoder_bias)),
    };
    let in_tensor = |name: &str, problem| FileError::in_array(&weights, name, problem);
    let orientation = sizes
        .orient(tensors.shape(decoder), layout.decoder(), options.atoms)
        .map_err(|problem| in_tensor(decoder, problem))?;
    let decoder = matrix(&mut tensors, decoder, orientation)?;
    // From here the sizes are the decoder's.
    let sizes = Sizes { dim: Some(decoder.nrows()), atoms: Some(decoder.ncols()) };
    let bias = match decoder_bias {
        Some(name) => Some(vector(&mut tensors, &weights, name, decoder.nrows())?),
        None => None,
    };
    let refusal = match &config {
        Some(config) => config.refusal.clone(),
        None => bare(&tensors),
    };
    let encoder = match (refusal, encoder, encoder_bias) {
        (Some(why), _, _) => Err(why),
        (None, None, _) => Err(NoEncoder::Missing("W_enc")),
        (None, _, None) => Err(NoEncoder::Missing("b_enc")),
        (None, Some(weight), Some(bias)) => match sizes.orient(tensors.shape(weight), layout.encoder(), None)
        {
            Err(FileProblem::Square { .. }) => Err(NoEncoder::Square),
            Err(problem) => return Err(in_tensor(weight, problem)),
            Ok(orientation) => Ok(Encoder {
                weights: matrix(&mut tensors, weight, orientation)?,
                bias: vector(&mut tensors, &weights, bias, decoder.ncols())?,
                subtracts: config.as_ref().is_none_or(|c| c.subtracts),
            }),
        },
    };
    let (architecture, l1_coefficient) =
        config.map_or_else(|| ("unknown".to_owned(), None), |c| (c.architecture, c.l1));
    Ok(Sae { layout, architecture, decoder, bias, encoder, l1_coefficient })
}

/// Without a configuration only the tensors of `dictionary_learning`'s `AutoEncoder`
/// say what the encoder is: its TopK, gated and JumpReLU classes have others.
fn bare(tensors: &Tensors) -> Option<NoEncoder> {
    let plain = tensors.names() == ["bias", "decoder.weight", "encoder.bias", "encoder.weight"];
    (!plain).then_some(NoEncoder::NoConfiguration)
}

/// The safetensors file of a folder, or the file itself.
fn weights(path: &Path) -> Result<PathBuf, FileError> {
    let metadata = fs::metadata(path).map_err(|e| FileError::new(path, e.into()))?;
    if !metadata.is_dir() {
        return if pickled(path) {
            Err(FileError::new(path, FileProblem::Pickle))
        } else {
            Ok(path.to_path_buf())
        };
    }
    if let Some(found) = WEIGHTS.iter().map(|name| path.join(name)).find(|p| p.is_file()) {
        return Ok(found);
    }
    let mut files = Vec::new();
    for entry in fs::read_dir(path).map_err(|e| FileError::new(path, e.into()))? {
        files.push(entry.map_err(|e| FileError::new(path, e.into()))?.path());
    }
    files.sort();
    let mut tensors = files.iter().filter(|p| p.extension().is_some_and(|e| e == "safetensors"));
    match (tensors.next(), tensors.next()) {
        (Some(only), None) => Ok(only.clone()),
        _ => Err(match files.iter().find(|p| pickled(p)) {
            Some(pickle) => FileError::new(pickle, FileProblem::Pickle),
            None => FileError::new(path, FileProblem::NoWeights),
        }),
    }
}

fn pickled(path: &Path) -> bool {
    path.extension().is_some_and(|e| PICKLES.iter().any(|p| e == *p))
}

fn config(weights: &Path) -> Result<Option<Config>, FileError> {
    let Some(path) = CONFIGS.iter().map(|name| weights.with_file_name(name)).find(|p| p.is_file()) else {
        return Ok(None);
    };
    let length = fs::metadata(&path).map_err(|e| FileError::new(&path, e.into()))?.len();
    if length > MAX_CONFIG {
        let problem = FileProblem::HeaderLength { found: length, limit: MAX_CONFIG };
        return Err(FileError::new(&path, problem));
    }
    let value = read_json(&path)?;
    Config::new(&value).map_err(|problem| FileError::new(&path, problem))
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
fn matrix(tensors: &mut Tensors, name: &str, atoms: Atoms) -> Result<Matrix, FileError> {
    let (rows, columns) = match tensors.shape(name) {
        Some(&[rows, columns]) => (rows, columns),
        _ => unreachable!("a tensor that was oriented is a matrix"),
    };
    let values = tensors.floats(name)?;
    Ok(match atoms {
        Atoms::Rows => {
            Matrix::from_column_major(columns, rows, values).expect("as many numbers as the shape says")
        }
        Atoms::Columns => Matrix::from_fn(rows, columns, |i, k| values[i * columns + k]),
    })
}

fn vector(tensors: &mut Tensors, path: &Path, name: &str, length: usize) -> Result<Vec<f64>, FileError> {
    match tensors.shape(name) {
        Some(&[found]) if found == length => tensors.floats(name),
        shape => {
            let found = shape.unwrap_or(&[]).iter().product();
            Err(FileError::in_array(path, name, FileProblem::Count { expected: length, found }))
        }
    }
}
