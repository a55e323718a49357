//! The encoder's codes of all rows, where the rest of a diagnosis is that of a sample.

use std::path::{Path, PathBuf};

use widedict::Observer;
use widedict::diagnose::{AllCodes, BLOCK_ROWS, StreamError, Streaming, stream};
use widedict::io::Sae;
use widedict::io::sae::{Batch, EncodeError, Folded};

use super::input::Streamed;
use crate::failure::Failure;

/// What is left to be streamed once the input is read.
pub(super) struct Job {
    data: Streamed,
    path: PathBuf,
    sae: Sae,
    folded: Folded,
    batch: Batch,
}

impl Job {
    /// Of an autoencoder that was read with a sample of the data.
    pub(super) fn new(
        path: &Path,
        data: Streamed,
        sae: Sae,
        folded: Folded,
        batch: Batch,
    ) -> Result<Self, Failure> {
        let failure = |error| Failure::Stream { path: path.to_path_buf(), error: Box::new(error) };
        if let Some(why) = sae.no_encoder() {
            return Err(failure(EncodeError::NoEncoder(why.clone()).into()));
        }
        if sae.selects_among_datapoints(batch) {
            return Err(failure(StreamError::Whole));
        }
        Ok(Self { data, path: path.to_path_buf(), sae, folded, batch })
    }

    /// Datapoints of the data.
    pub(super) fn points(&self) -> usize {
        self.data.kept.rows.len()
    }

    /// Measures the codes of all rows at a λ. Errors name a row by its number in the data.
    pub(super) fn run(mut self, lambda: f64, observer: &dyn Observer) -> Result<AllCodes, Failure> {
        let rows = &self.data.kept.rows;
        let streaming = Streaming {
            stream: &self.data.stream,
            rows,
            weights: self.data.kept.weights.as_deref(),
            sae: &self.sae,
            batch: self.batch,
            lambda,
            block_rows: BLOCK_ROWS,
        };
        stream(&streaming, &mut self.folded, observer).map_err(|error| {
            match error.renamed(|point| rows.row(point)) {
                StreamError::File(error) => error.into(),
                StreamError::Data(error) => Failure::Data { source_name: self.data.name.clone(), error },
                StreamError::Fold(error) => Failure::Fold { path: self.path.clone(), error, hint: "" },
                StreamError::Encode(error) => {
                    Failure::Encode { path: self.path.display().to_string(), error }
                }
                error @ (StreamError::Whole | StreamError::Weights { .. }) => {
                    Failure::Stream { path: self.path.clone(), error: Box::new(error) }
                }
            }
        })
    }
}
