//! An autoencoder and its data in the form of the joint problem.

use serde::Serialize;

use super::description::NoEncoder;
use super::units::Placed;
use super::{Kind, Layout, Sae};
use crate::atoms::{AtomsError, Codes, Dictionary};
use crate::linalg::{Matrix, norm};

/// What an autoencoder is measured on.
#[derive(Clone, Debug, PartialEq)]
pub struct Activations {
    /// What is reconstructed, a datapoint a column. A crosscoder's have its layers side by
    /// side.
    pub points: Matrix,
    /// What a transcoder reconstructs them from.
    pub inputs: Option<Matrix>,
}

impl Activations {
    /// Data that are reconstructed from themselves.
    #[must_use]
    pub fn of(points: impl Into<Matrix>) -> Self {
        Self { points: points.into(), inputs: None }
    }
}

/// What was done to bring an autoencoder into the form of the joint problem, unit atoms
/// and a center: `x̂ = b + Σ_k (f_k‖d_k‖) d_k/‖d_k‖`.
#[derive(Clone, Debug, PartialEq, Serialize)]
pub struct Folding {
    /// Atoms that were divided by a length other than 1, their codes multiplied by it.
    pub rescaled_atoms: usize,
    /// Shortest length found, of those above 0.
    pub shortest_atom: f64,
    /// Longest length found.
    pub longest_atom: f64,
    /// Length of the center, the decoder bias; `None` without one.
    pub decoder_bias: Option<f64>,
    /// Whether the encoder subtracts the decoder bias from its input; `None` without
    /// an encoder.
    pub encoder_subtracts_bias: Option<bool>,
    /// Atoms of length 0, which were left out, by their numbers in the file.
    pub dropped_atoms: Vec<usize>,
    /// What the encoder saw is this times the data; 1 where it saw them.
    pub scale: f64,
    /// What was done about units, in words; `None` where nothing was.
    pub units: Option<String>,
    /// Whether a linear skip was subtracted from the outputs.
    pub skip_subtracted: bool,
}

/// An autoencoder with its data, all in one system of units.
#[derive(Clone, Debug, PartialEq)]
pub struct Folded {
    /// What is reconstructed, in the units of the analysis, a skip subtracted.
    pub points: Matrix,
    /// Unit atoms, those of length 0 left out.
    pub dictionary: Dictionary,
    /// The decoder bias.
    pub center: Option<Vec<f64>>,
    /// The number in the file of every atom of the dictionary.
    pub kept: Vec<usize>,
    /// What was changed.
    pub folding: Folding,
    pub(super) inputs: Option<Matrix>,
    pub(super) input: f64,
    pub(super) output: f64,
    /// What a stored code is multiplied by to be one of a unit atom, of all M atoms.
    factors: Vec<f64>,
}

/// Why autoencoder and data do not go together.
#[derive(Clone, Debug, PartialEq, thiserror::Error)]
#[non_exhaustive]
pub enum FoldError {
    /// An atom that is too large.
    #[error(transparent)]
    Atoms(#[from] AtomsError),
    /// No atom has a direction.
    #[error("all {count} atoms have length 0")]
    NoAtoms {
        /// Number of atoms.
        count: usize,
    },
    /// A transcoder without its inputs.
    #[error(
        "a transcoder: its dictionary is one of outputs, so the data must be the outputs, with the inputs beside them"
    )]
    Transcoder,
    /// Inputs for what is no transcoder.
    #[error("inputs are given, and it is no transcoder")]
    NotTranscoder,
    /// A crosscoder on something else than its layers side by side.
    #[error(
        "a crosscoder of {layers} layers: the data must be the layers side by side, {expected} columns, found {found}"
    )]
    Crosscoder {
        /// Number of layers.
        layers: usize,
        /// Dimension of all layers.
        expected: usize,
        /// Dimension of the data.
        found: usize,
    },
    /// Signed codes.
    #[error("{0}")]
    Signed(NoEncoder),
    /// Data of another dimension.
    #[error("expected {what} of dimension {expected}, found {found}")]
    Dimension {
        /// What has the dimension.
        what: &'static str,
        /// Dimension of the autoencoder.
        expected: usize,
        /// Dimension of the data.
        found: usize,
    },
    /// Another number of inputs than of outputs.
    #[error("expected an input a datapoint, {expected}, found {found}")]
    Inputs {
        /// Number of datapoints.
        expected: usize,
        /// Number of inputs.
        found: usize,
    },
    /// Data from which no scale can be estimated.
    #[error(
        "no scale can be estimated from these data: the root of the dimension over the mean length is {value}"
    )]
    Scale {
        /// The quotient.
        value: f64,
    },
    /// A datapoint that cannot be normalized.
    #[error("datapoint {datapoint} (counted from 0) is {what} and cannot be normalized")]
    Normalization {
        /// The datapoint.
        datapoint: usize,
        /// What it is.
        what: &'static str,
    },
}

impl Sae {
    /// Brings data and autoencoder to one system of units: divides every atom by its
    /// length, leaves out those of length 0, makes the decoder bias a center, takes a scale
    /// off the weights or brings the data to normalized units, and subtracts a transcoder's
    /// skip from its outputs.
    ///
    /// # Errors
    /// [`FoldError`] where data and autoencoder do not go together: a transcoder without
    /// inputs, other dimensions, signed codes.
    pub fn fold(&self, activations: Activations) -> Result<Folded, FoldError> {
        self.fold_part(activations, None)
    }

    /// As [`Sae::fold`], of a part of the data: `mean_length` is that of all of them, which a
    /// scale that no file holds is estimated from; `None` estimates it from the part.
    ///
    /// # Errors
    /// As [`Sae::fold`].
    pub fn fold_part(&self, activations: Activations, mean_length: Option<f64>) -> Result<Folded, FoldError> {
        if let Err(why @ NoEncoder::Signed(_)) = &self.encoder {
            return Err(FoldError::Signed(why.clone()));
        }
        let (placed, inputs) = self.place(activations, mean_length)?;
        let (dictionary, lengths, kept) = Dictionary::normalize_nonzero(self.decoder.clone())?;
        if kept.is_empty() {
            return Err(FoldError::NoAtoms { count: self.atoms() });
        }
        let center: Option<Vec<f64>> =
            self.bias.as_ref().map(|bias| bias.iter().map(|b| b / placed.output).collect());
        let rescales = self.encoder.as_ref().is_ok_and(|encoder| encoder.activation.rescales());
        let mut factors = vec![0.0; self.atoms()];
        for (&k, length) in kept.iter().zip(&lengths) {
            factors[k] = if rescales { 1.0 } else { *length } / placed.output;
        }
        let folding = Folding {
            rescaled_atoms: lengths.iter().filter(|l| (**l - 1.0).abs() > 0.0).count(),
            shortest_atom: lengths.iter().copied().fold(f64::INFINITY, crate::num::min),
            longest_atom: lengths.iter().copied().fold(0.0, crate::num::max),
            decoder_bias: center.as_ref().map(|b| norm(b)),
            encoder_subtracts_bias: self.encoder.as_ref().ok().map(|e| e.shift.is_some()),
            dropped_atoms: (0..self.atoms()).filter(|k| kept.binary_search(k).is_err()).collect(),
            scale: placed.input,
            units: match (self.note.clone(), placed.note) {
                (Some(read), Some(placed)) => Some(format!("{read}; {placed}")),
                (read, placed) => read.or(placed),
            },
            skip_subtracted: self.skip.is_some(),
        };
        Ok(Folded {
            points: placed.points,
            dictionary,
            center,
            kept,
            folding,
            inputs,
            input: placed.input,
            output: placed.output,
            factors,
        })
    }

    /// Puts another part of the data in the place of those that were folded, in the same
    /// units: what is of the autoencoder alone stays as it is.
    ///
    /// # Errors
    /// As [`Sae::fold`], and `folded` is then as it was.
    pub fn fold_next(&self, folded: &mut Folded, activations: Activations) -> Result<(), FoldError> {
        // A scale is that of the first part.
        let (placed, inputs) = self.place(activations, Some(1.0))?;
        (folded.points, folded.inputs) = (placed.points, inputs);
        Ok(())
    }

    /// The data in the units of the analysis, a skip subtracted, and the inputs.
    fn place(
        &self,
        activations: Activations,
        mean_length: Option<f64>,
    ) -> Result<(Placed, Option<Matrix>), FoldError> {
        self.check(&activations)?;
        let Activations { mut points, inputs } = activations;
        if let (Some(skip), Some(inputs)) = (&self.skip, &inputs) {
            let by_skip = skip.transpose_times(inputs);
            points.as_mut_slice().iter_mut().zip(by_skip.as_slice()).for_each(|(y, s)| *y -= s);
        }
        Ok((self.units.place(points, mean_length)?, inputs))
    }

    /// Whether the data are of the kind and the dimensions that are needed.
    fn check(&self, activations: &Activations) -> Result<(), FoldError> {
        let (expected, found) = (self.dim(), activations.points.nrows());
        let transcodes = self.kind == Kind::Transcoder;
        match &activations.inputs {
            None if transcodes => return Err(FoldError::Transcoder),
            // Without a configuration nothing else says what the atoms write.
            Some(_) if !(transcodes || self.layout == Layout::Bare && self.encoder.is_err()) => {
                return Err(FoldError::NotTranscoder);
            }
            _ => {}
        }
        if let Some(layers) = self.layers.filter(|_| found != expected) {
            return Err(FoldError::Crosscoder { layers, expected, found });
        }
        if found != expected {
            return Err(FoldError::Dimension { what: "data", expected, found });
        }
        let Some(inputs) = &activations.inputs else { return Ok(()) };
        if inputs.ncols() != activations.points.ncols() {
            return Err(FoldError::Inputs { expected: activations.points.ncols(), found: inputs.ncols() });
        }
        let taken = match (&self.skip, &self.encoder) {
            (Some(skip), _) => skip.nrows(),
            (None, Ok(encoder)) => encoder.weights.nrows(),
            (None, Err(_)) => return Ok(()),
        };
        if taken == inputs.nrows() {
            Ok(())
        } else {
            Err(FoldError::Dimension { what: "inputs", expected: taken, found: inputs.nrows() })
        }
    }
}

impl Folded {
    /// Takes the data out and lets go of the inputs: what is left still converts codes.
    #[must_use]
    pub fn take_points(&mut self) -> Matrix {
        self.inputs = None;
        std::mem::replace(&mut self.points, Matrix::zeros(0, 0))
    }

    /// Codes of all M atoms as they are stored as codes of the unit atoms.
    ///
    /// # Errors
    /// [`AtomsError`] for codes of another number of atoms, or that overflow.
    pub fn of_stored(&self, codes: &Codes) -> Result<Codes, AtomsError> {
        if codes.atoms() != self.factors.len() {
            let (expected, found) = (self.factors.len(), codes.atoms());
            return Err(AtomsError::Shape { what: "atoms", expected, found });
        }
        codes.renumbered(self.kept.len(), |atom, z| {
            Some((self.kept.binary_search(&atom).ok()?, z * self.factors[atom]))
        })
    }

    /// Codes of the unit atoms as codes of all M atoms as they are stored.
    ///
    /// # Errors
    /// [`AtomsError`] for codes that overflow.
    pub fn to_stored(&self, codes: &Codes) -> Result<Codes, AtomsError> {
        codes.renumbered(self.factors.len(), |atom, z| {
            let stored = self.kept[atom];
            Some((stored, z / self.factors[stored]))
        })
    }
}
