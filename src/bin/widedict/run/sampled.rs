//! The encoder's codes of all rows, where the rest of a diagnosis is that of a sample.

use std::path::{Path, PathBuf};
use std::time::{Duration, Instant};

use widedict::diagnose::{AllCodes, BLOCK_ROWS, Pass, StreamError, Streaming, stream_from};
use widedict::io::Sae;
use widedict::io::sae::{Batch, EncodeError, Folded};

use super::input::Streamed;
use crate::arguments::DiagnoseArgs;
use crate::failure::Failure;
use crate::output::progress::Watch;
use crate::ranks;

/// File of `--out` that says where a pass stands that is not at its end.
pub(super) const PASS: &str = "pass.safetensors";

/// Seconds between two writings of it, where nobody says.
const CHECKPOINT_SECONDS: f64 = 60.0;

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
    /// Into a folder it writes every so often where it stands. Of a job's processes each measures
    /// its own rows, and all get the numbers.
    pub(super) fn run(
        mut self,
        lambda: f64,
        args: &DiagnoseArgs,
        watch: &Watch,
    ) -> Result<AllCodes, Failure> {
        let rows = &self.data.kept.rows;
        let share = ranks::share(rows.len());
        let streaming = Streaming {
            stream: &self.data.stream,
            kept: &self.data.kept,
            inputs: self.data.inputs.as_ref(),
            sae: &self.sae,
            batch: self.batch,
            lambda,
            block_rows: BLOCK_ROWS,
            share: share.as_ref(),
        };
        let place = args.out.as_ref().filter(|_| share.is_none()).map(|folder| folder.join(PASS));
        let from = match place.as_deref().filter(|_| args.resume) {
            Some(place) => resumed(place, watch)?,
            None => None,
        };
        let every = Duration::from_secs_f64(args.checkpoint_seconds.unwrap_or(CHECKPOINT_SECONDS));
        let mut written = Instant::now();
        let mut keep = |pass: &Pass, ends: bool| {
            let Some(place) = place.as_deref().filter(|_| ends || written.elapsed() >= every) else { return };
            if let Err(error) = pass.save(place) {
                watch.note(&format!("--resume will not go on from here: {error}"));
            }
            written = Instant::now();
        };
        let found = stream_from(&streaming, &mut self.folded, from, &mut keep, watch);
        found.map_err(|error| match error.renamed(|point| rows.row(point)) {
            StreamError::File(error) => error.into(),
            StreamError::Elsewhere => Failure::Elsewhere,
            StreamError::Data(error) => Failure::Data { source_name: self.data.name.clone(), error },
            StreamError::Fold(error) => Failure::Fold { path: self.path.clone(), error, hint: "" },
            StreamError::Encode(error) => Failure::Encode { path: self.path.display().to_string(), error },
            error @ StreamError::OtherPass { .. } => {
                Failure::Stream { path: place.unwrap_or_default(), error: Box::new(error) }
            }
            error @ (StreamError::Whole | StreamError::Count { .. }) => {
                Failure::Stream { path: self.path.clone(), error: Box::new(error) }
            }
        })
    }
}

/// Where an earlier pass stood; none where there is no file of one.
fn resumed(place: &Path, watch: &Watch) -> Result<Option<Pass>, Failure> {
    if !place.is_file() {
        watch.note(&format!("{}: not there; the pass begins with the first row", place.display()));
        return Ok(None);
    }
    let pass = Pass::load(place)?;
    watch.note(&format!("going on after {} points", pass.points()));
    Ok(Some(pass))
}
