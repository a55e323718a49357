//! One system of units for data, center, codes and λ.
//!
//! An autoencoder may have seen activations that were scaled, whitened or normalized one
//! by one. A scale is taken off the weights, so that everything is in the units of the
//! data. The other two change what is near and what is far: there the data are brought to
//! the units of the autoencoder, and every number is in those.

use super::FoldError;
use crate::linalg::{Matrix, norm};

/// What the autoencoder saw, in terms of the data.
#[derive(Clone, Debug, PartialEq)]
pub(super) enum Units {
    /// The data.
    Stored,
    /// Inputs and outputs times these.
    Scaled { input: f64, output: f64, from: String },
    /// Data times √n over their mean length, which no file holds.
    Estimated,
    /// `(x − mean)M`, M with a column a coordinate.
    Whitened { mean: Vec<f64>, matrix: Matrix },
    /// Every datapoint less the mean of its coordinates, over their deviation.
    LayerNorm,
    /// Every datapoint times √n over its length.
    ConstantNorm,
}

/// Data in the units of the analysis, and what is left to apply to the weights.
pub(super) struct Placed {
    pub(super) points: Matrix,
    /// Inputs of the encoder are these times the points.
    pub(super) input: f64,
    /// Outputs of the decoder are in units of the points times this.
    pub(super) output: f64,
    /// What was done, in words; `None` where nothing was.
    pub(super) note: Option<String>,
}

/// What SAELens adds to a deviation before it divides.
const LAYER_NORM_EPSILON: f64 = 1e-5;

impl Units {
    /// Whether λ of the loss is one of the same problem in the units of the analysis.
    pub(super) fn keep_the_loss(&self) -> bool {
        !matches!(self, Self::LayerNorm | Self::ConstantNorm)
    }

    /// Brings data and weights to one system of units. A scale that is estimated is that of
    /// `mean_length` where there is one, else of these points.
    pub(super) fn place(&self, mut points: Matrix, mean_length: Option<f64>) -> Result<Placed, FoldError> {
        let done = |points, input, output, note| Ok(Placed { points, input, output, note });
        match self {
            Self::Stored => done(points, 1.0, 1.0, None),
            Self::Scaled { input, output, from } => {
                let note = format!(
                    "trained on activations times {input:.6} ({from}): weights, center and lambda brought to the units of the data"
                );
                done(points, *input, *output, Some(note))
            }
            Self::Estimated => {
                let scale = average_scale(&points, mean_length)?;
                let note = format!(
                    "trained on scaled activations, the scale in no file: {scale:.6} estimated from these data (root of the dimension over the mean length), and weights, center and lambda brought to the units of the data"
                );
                done(points, scale, scale, Some(note))
            }
            Self::Whitened { mean, matrix } => {
                let note = "trained on whitened activations: the data are whitened by activation_whitening.safetensors, and all numbers are in those units";
                done(whiten(&points, mean, matrix), 1.0, 1.0, Some(note.to_owned()))
            }
            Self::LayerNorm => {
                each(&mut points, "a datapoint that does not vary", layer_norm)?;
                let note = "trained on activations normalized one by one (layer_norm): so are the data, and all numbers are in those units";
                done(points, 1.0, 1.0, Some(note.to_owned()))
            }
            Self::ConstantNorm => {
                each(&mut points, "a datapoint of length 0", constant_norm)?;
                let note = "trained on activations brought to one length (constant_norm_rescale): so are the data, and all numbers are in those units";
                done(points, 1.0, 1.0, Some(note.to_owned()))
            }
        }
    }
}

/// √n over the mean length.
fn average_scale(points: &Matrix, mean_length: Option<f64>) -> Result<f64, FoldError> {
    #[expect(clippy::cast_precision_loss, reason = "counts are far below 2^53")]
    let (n, count) = (points.nrows() as f64, points.ncols() as f64);
    let mean = mean_length.unwrap_or_else(|| points.columns().map(norm).sum::<f64>() / count);
    let scale = n.sqrt() / mean;
    if scale.is_finite() && scale > 0.0 { Ok(scale) } else { Err(FoldError::Scale { value: scale }) }
}

fn whiten(points: &Matrix, mean: &[f64], matrix: &Matrix) -> Matrix {
    let mut moved = points.clone();
    for i in 0..moved.ncols() {
        crate::linalg::axpy(-1.0, mean, moved.col_mut(i));
    }
    matrix.transpose_times(&moved)
}

/// Applies a map to every datapoint; `false` is a datapoint it has no value for.
fn each(points: &mut Matrix, what: &'static str, map: impl Fn(&mut [f64]) -> bool) -> Result<(), FoldError> {
    for datapoint in 0..points.ncols() {
        if !map(points.col_mut(datapoint)) {
            return Err(FoldError::Normalization { datapoint, what });
        }
    }
    Ok(())
}

#[expect(clippy::cast_precision_loss, reason = "dimensions are far below 2^53")]
fn layer_norm(x: &mut [f64]) -> bool {
    let mean = x.iter().sum::<f64>() / x.len() as f64;
    x.iter_mut().for_each(|v| *v -= mean);
    let deviation = norm(x) / (x.len() as f64 - 1.0).sqrt();
    x.iter_mut().for_each(|v| *v /= deviation + LAYER_NORM_EPSILON);
    x.iter().all(|v| v.is_finite())
}

#[expect(clippy::cast_precision_loss, reason = "dimensions are far below 2^53")]
fn constant_norm(x: &mut [f64]) -> bool {
    let factor = (x.len() as f64).sqrt() / norm(x);
    x.iter_mut().for_each(|v| *v *= factor);
    factor.is_finite() && x.iter().all(|v| v.is_finite())
}
