//! What was trained elsewhere, with its data in one system of units.

use std::path::Path;

use widedict::answer::input::{Input, Origin};
use widedict::answer::plain::{Plain, PlainError};
use widedict::atoms::AtomsError;
use widedict::io::Sae;
use widedict::io::sae::{Activations, Atoms, Batch, EncodeError, FoldError, Folded, NoLambda, ReadOptions};
use widedict::{Codes, Matrix};

use super::input;
use crate::arguments::{AtomsAre, SaeArgs};
use crate::failure::Failure;
use crate::output::diagnosis::{Source, dropped_text};
use crate::output::say;
use crate::ranks;

/// An autoencoder that was read and brought to the units of its data, or they to its.
pub(super) struct Trained {
    pub(super) sae: Sae,
    pub(super) folded: Folded,
    pub(super) source: Source,
    /// λ of the configuration, or why it has none.
    pub(super) lambda: Result<f64, NoLambda>,
    /// Weights of the datapoints, as they were given.
    pub(super) weights: Option<Vec<f64>>,
    pub(super) origin: Origin,
    pub(super) batch: Batch,
    quiet: bool,
}

/// Reads an autoencoder and brings it and the data together. Of another file of inputs or
/// targets the same rows are taken.
pub(super) fn read(path: &Path, args: &SaeArgs, mut data: Input, quiet: bool) -> Result<Trained, Failure> {
    let dim = if args.target.is_some() { None } else { Some(data.points.nrows()) };
    let sae = ranks::agree(Sae::read(path, &read_options(dim, args.atoms)).map_err(Failure::from))?;
    let beside = args.beside().map(|(path, key)| input::beside(path, key, &mut data)).transpose()?;
    let Input { points, weights, mut origin } = data;
    let points = points.into_matrix();
    let activations = match (beside, &args.target) {
        (Some(targets), Some(path)) => {
            origin.name = path.display().to_string();
            Activations { points: targets, inputs: Some(points) }
        }
        (inputs, _) => Activations { points, inputs },
    };
    let transposed = activations.points.nrows() != sae.dim() && activations.points.nrows() == sae.atoms();
    let folded = sae
        .fold_part(activations, origin.mean_norm)
        .map_err(|error| unfolded(path, in_file(error, &origin), transposed))?;
    let batch = if args.per_batch { Batch::Whole } else { Batch::Inference };
    let source = Source {
        data: origin.name.clone(),
        dictionary: path.display().to_string(),
        layout: Some(sae.layout()),
        kind: Some(sae.kind()),
        architecture: Some(sae.architecture().to_owned()),
        encoder: sae.encoder(batch),
        no_encoder: sae.no_encoder().cloned(),
        folding: Some(folded.folding.clone()),
        ..Source::default()
    };
    let lambda = sae.lambda(&folded).map(f64::from);
    Ok(Trained { sae, folded, source, lambda, weights, origin, batch, quiet })
}

impl Trained {
    /// The encoder's codes of the unit atoms, or those of a file, which are of stored atoms;
    /// none where the encoder is not used.
    pub(super) fn codes(&mut self, path: &Path, file: Option<&Path>) -> Result<Option<Codes>, Failure> {
        let stored = self.stored_codes(file)?;
        stored.map(|stored| self.of_stored(path, &stored)).transpose()
    }

    /// Codes of stored atoms as codes of the unit atoms.
    pub(super) fn of_stored(&self, path: &Path, stored: &Codes) -> Result<Codes, Failure> {
        self.folded.of_stored(stored).map_err(|error| Failure::Atoms { path: path.to_path_buf(), error })
    }

    /// The same of the stored atoms.
    pub(super) fn stored_codes(&mut self, file: Option<&Path>) -> Result<Option<Codes>, Failure> {
        if let Some(file) = file {
            self.source.no_encoder = None;
            self.source.encoder = None;
            self.source.codes = Some(file.display().to_string());
            return input::codes(file, &self.origin.rows, self.sae.atoms(), self.quiet).map(Some);
        }
        if self.sae.no_encoder().is_some() {
            return Ok(None);
        }
        self.activations().map(Some)
    }

    /// The encoder's codes as its program returns them.
    pub(super) fn activations(&self) -> Result<Codes, Failure> {
        self.sae.activations(&self.folded, self.batch).map_err(|error| self.not_encoded(error))
    }

    /// The failure of an encoder, by the name of its autoencoder.
    pub(super) fn not_encoded(&self, mut error: EncodeError) -> Failure {
        if let EncodeError::Codes(AtomsError::Code { datapoint, .. }) = &mut error {
            *datapoint = self.origin.rows.row(*datapoint);
        }
        Failure::Encode { path: self.source.dictionary.clone(), error }
    }

    /// λ as told, or that of the configuration.
    pub(super) fn price(&mut self, told: Option<f64>) -> Result<f64, Failure> {
        match (told, &self.lambda) {
            (Some(lambda), _) => {
                self.source.lambda_from = "--lambda";
                Ok(lambda)
            }
            (None, Ok(lambda)) => {
                self.source.lambda_from = self.sae.lambda_source();
                Ok(*lambda)
            }
            (None, Err(why)) => Err(Failure::NoLambda(why.clone())),
        }
    }

    /// Says on standard error what people should know before they read a number.
    pub(super) fn note(&self) {
        if self.quiet {
            return;
        }
        let name = &self.source.dictionary;
        if let Some(units) = &self.folded.folding.units {
            say(&format!("note: {name}: {units}"));
        }
        note_dropped(name, &self.folded.folding.dropped_atoms, self.quiet);
        if self.batch == Batch::Whole && !self.sae.selects_among_datapoints(Batch::Whole) {
            say(&format!(
                "note: {name}: --per-batch changes nothing: its encoder looks at one datapoint at a time"
            ));
        }
        if let Some(why) = &self.source.no_encoder {
            say(&format!("note: {name}: the encoder is not used: {why}"));
        }
    }
}

/// Says that atoms of length 0 are left out.
pub(super) fn note_dropped(name: &str, dropped: &[usize], quiet: bool) {
    if !quiet && !dropped.is_empty() {
        say(&format!("note: {name}: {}", dropped_text(dropped)));
    }
}

/// The error with the row of the file in place of the datapoint.
fn in_file(mut error: FoldError, origin: &Origin) -> FoldError {
    if let FoldError::Normalization { datapoint, .. } = &mut error {
        *datapoint = origin.rows.row(*datapoint);
    }
    error
}

/// The failure of an autoencoder that does not go with the data.
fn unfolded(path: &Path, error: FoldError, transposed: bool) -> Failure {
    let path = path.to_path_buf();
    let hint = match (&error, transposed) {
        (FoldError::Transcoder, _) => {
            ": give the outputs as --data with --inputs X.npy, or the inputs as --data with --target Y.npy"
        }
        (FoldError::Dimension { .. }, true) => " (an atom a row: the file looks transposed)",
        _ => "",
    };
    Failure::Fold { path, error, hint }
}

pub(super) fn read_options(dim: Option<usize>, atoms: Option<AtomsAre>) -> ReadOptions {
    let atoms = atoms.map(|atoms| match atoms {
        AtomsAre::Rows => Atoms::Rows,
        AtomsAre::Columns => Atoms::Columns,
    });
    ReadOptions { dim, atoms }
}

/// The plain dictionary of a file.
pub(super) fn plain(path: &Path, atoms: Matrix) -> Result<Plain, Failure> {
    Plain::of(atoms).map_err(|error| match error {
        PlainError::Atoms(error) => Failure::Atoms { path: path.to_path_buf(), error },
        PlainError::NoAtoms(error) => Failure::Fold { path: path.to_path_buf(), error, hint: "" },
    })
}
