//! An encoder's codes of more data than fit in memory: one pass, a block of rows at a time.
//!
//! What a diagnosis says of the codes given is a sum over datapoints, so it can be had
//! without holding any of them. The tables that need exact codes cannot; they are those of
//! a sample, and the numbers here are those of all rows.

use std::ops::ControlFlow;

use rayon::prelude::*;

use super::codes::{AllCodes, AtomUse};
use crate::atoms::{AtomsError, Codes};
use crate::certificate::Concentration;
use crate::io::sae::{Activations, Batch, EncodeError, FoldError, Folded};
use crate::io::{Block, FileError, RowStream, Rows, Sae};
use crate::linalg::{axpy, norm_sq};
use crate::observer::{Observer, Stop};
use crate::problem::{DataError, check_entries};

/// What is streamed, and how it is measured.
#[derive(Clone, Copy)]
pub struct Streaming<'a> {
    /// The data.
    pub stream: &'a RowStream,
    /// Which of their rows are datapoints.
    pub rows: &'a Rows,
    /// Their weights, of any sum; `None` where all weigh the same.
    pub weights: Option<&'a [f64]>,
    /// The autoencoder.
    pub sae: &'a Sae,
    /// How it selects among datapoints.
    pub batch: Batch,
    /// λ.
    pub lambda: f64,
    /// Datapoints of a block.
    pub block_rows: usize,
}

/// Datapoints of a block unless another number is asked for: eight tiles of products, so
/// that as many threads have work, and 19 MB at dimension 2304. With ten times as many a
/// stop takes ten times as long to be heard.
pub const BLOCK_ROWS: usize = 1024;

/// Why there is no answer.
#[derive(Debug, thiserror::Error)]
pub enum StreamError {
    /// A file.
    #[error(transparent)]
    File(#[from] FileError),
    /// Autoencoder and data do not go together.
    #[error(transparent)]
    Fold(#[from] FoldError),
    /// The encoder is not used, or a code overflows.
    #[error(transparent)]
    Encode(#[from] EncodeError),
    /// Numbers that are too large. The datapoint is named by its number among all.
    #[error(transparent)]
    Data(#[from] DataError),
    /// Codes that are selected among all datapoints.
    #[error("the encoder selects among all datapoints as one batch, which a part of them cannot tell")]
    Whole,
    /// Another number of weights.
    #[error("expected {expected} weights, one a datapoint, found {found}")]
    Weights {
        /// Datapoints.
        expected: usize,
        /// Weights.
        found: usize,
    },
}

impl StreamError {
    /// Gives the datapoint that an error is about another name.
    #[must_use]
    pub fn renamed(mut self, name: impl Fn(usize) -> usize) -> Self {
        if let Self::Fold(FoldError::Normalization { datapoint, .. })
        | Self::Data(DataError::TooLarge { datapoint, .. })
        | Self::Encode(EncodeError::Codes(AtomsError::Code { datapoint, .. })) = &mut self
        {
            *datapoint = name(*datapoint);
        }
        self
    }
}

/// Measures an encoder's codes on all datapoints in one pass over their files. `folded` is
/// the autoencoder with any part of the data, brought to the units of all of them; it ends
/// with the last block.
///
/// The numbers are those that [`diagnose`](super::diagnose()) gives of all the data's codes in
/// memory. Sums run over the datapoints in their order, so block size, shards and threads
/// enter only through the last bits of the encoder's products; the sums of N numbers have
/// a rounding of N·2⁻⁵³ relative at most.
///
/// Holds the autoencoder, a block, a few numbers an atom, and one a datapoint. O(nMN) time.
///
/// Where the observer stops it, the numbers are those of the datapoints until then
/// ([`rows_read`](AllCodes::rows_read)); a first block is always measured.
///
/// # Errors
/// [`StreamError`]. An encoder that selects among all datapoints is refused.
///
/// # Examples
/// ```
/// use std::path::Path;
/// use widedict::diagnose::{BLOCK_ROWS, Streaming, stream};
/// use widedict::io::sae::{Activations, Batch, ReadOptions};
/// use widedict::io::{Masking, RowStream, Sae};
/// let data = Path::new(env!("CARGO_MANIFEST_DIR")).join("data");
/// let sae = Sae::read(&data.join("sae_tokens_128"), &ReadOptions::default())?;
/// let files = RowStream::open(&data.join("tokens_*.npy"), None)?;
/// let kept = files.survey(&Masking::default())?;
/// let sample = files.take(&kept.rows.sample(50, 0))?;
/// let mut folded = sae.fold_part(Activations::of(sample), Some(kept.mean_norm))?;
/// let streaming = Streaming {
///     stream: &files,
///     rows: &kept.rows,
///     weights: None,
///     sae: &sae,
///     batch: Batch::Inference,
///     lambda: 0.75,
///     block_rows: BLOCK_ROWS,
/// };
/// let all = stream(&streaming, &mut folded, &())?;
/// assert_eq!((all.points, all.atoms_used), (512, 128));
/// # Ok::<(), Box<dyn std::error::Error>>(())
/// ```
pub fn stream(
    streaming: &Streaming<'_>,
    folded: &mut Folded,
    observer: &dyn Observer,
) -> Result<AllCodes, StreamError> {
    let Streaming { stream, rows, weights, sae, batch, lambda, block_rows } = *streaming;
    if sae.selects_among_datapoints(batch) {
        return Err(StreamError::Whole);
    }
    if let Some(weights) = weights.filter(|weights| weights.len() != rows.len()) {
        return Err(StreamError::Weights { expected: rows.len(), found: weights.len() });
    }
    // Dividing by the largest keeps sums finite.
    let largest = weights.map_or(1.0, |weights| weights.iter().copied().fold(0.0, crate::num::max));
    let mut sums = Sums::new(folded.kept.len(), rows.len(), folded.points.nrows(), lambda);
    let (mut fault, mut stop) = (None, None);
    observer.rows(0, rows.of());
    let passed = stream.blocks(rows, block_rows, &mut |block| {
        let (first, end) = (block.first, block.first + block.points.ncols());
        let weight = |i: usize| weights.map_or(1.0, |weights| weights[first + i] / largest);
        if let Err(error) = measure(&mut sums, block, &weight, (sae, batch), folded) {
            fault = Some(error.renamed(|i| first + i));
            return ControlFlow::Break(());
        }
        let whole = end == rows.len();
        sums.rows_read = if whole { rows.of() } else { rows.row(end - 1) + 1 };
        observer.rows(sums.rows_read, rows.of());
        if whole {
            return ControlFlow::Continue(());
        }
        observer.poll().map_break(|interrupt| stop = Some(Stop::from(interrupt)))
    })?;
    match fault {
        Some(error) => Err(error),
        None => Ok(sums.end(rows, stop, passed.most_held)),
    }
}

/// Adds a block.
fn measure(
    sums: &mut Sums,
    block: Block,
    weight: &dyn Fn(usize) -> f64,
    (sae, batch): (&Sae, Batch),
    folded: &mut Folded,
) -> Result<(), StreamError> {
    sae.fold_next(folded, Activations::of(block.points))?;
    check_entries(&folded.points)?;
    let codes = sae.encode(folded, batch)?;
    let fits = fits(folded, &codes);
    for (i, fit) in fits.into_iter().enumerate() {
        sums.add(weight(i), folded.points.col(i), codes.column(i).iter().map(|(k, z)| (k, *z)), fit);
    }
    Ok(())
}

/// `‖x − b − Dz‖²` of every datapoint.
fn fits(folded: &Folded, codes: &Codes) -> Vec<f64> {
    let fit = |i: usize| {
        let mut residual = folded.points.col(i).to_vec();
        if let Some(center) = &folded.center {
            axpy(-1.0, center, &mut residual);
        }
        codes.column(i).iter().for_each(|(k, z)| axpy(-*z, folded.dictionary.atom(k), &mut residual));
        norm_sq(&residual)
    };
    (0..folded.points.ncols()).into_par_iter().map(fit).collect()
}

/// Sums over the datapoints so far, in their order.
struct Sums {
    lambda: f64,
    weight: f64,
    /// `Σ wᵢ‖rᵢ‖²`.
    left: f64,
    active: usize,
    atoms: Vec<AtomSums>,
    /// `wᵢ(½‖rᵢ‖² + λ1ᵀzᵢ)`.
    parts: Vec<f64>,
    /// The weighted mean, and `Σ wᵢ‖xᵢ − x̄‖²` about it (Welford's recurrence).
    mean: Vec<f64>,
    scatter: f64,
    rows_read: usize,
}

#[derive(Clone, Copy, Default)]
struct AtomSums {
    uses: usize,
    /// Of the datapoints that use it.
    weight: f64,
    mass: f64,
    most: f64,
}

impl Sums {
    fn new(atoms: usize, points: usize, dim: usize, lambda: f64) -> Self {
        Self {
            lambda,
            weight: 0.0,
            left: 0.0,
            active: 0,
            atoms: vec![AtomSums::default(); atoms],
            parts: Vec::with_capacity(points),
            mean: vec![0.0; dim],
            scatter: 0.0,
            rows_read: 0,
        }
    }

    /// Adds a datapoint.
    fn add(&mut self, weight: f64, point: &[f64], codes: impl Iterator<Item = (usize, f64)>, fit: f64) {
        self.weight += weight;
        self.left += weight * fit;
        let mut penalty = 0.0;
        for (k, z) in codes {
            let atom = &mut self.atoms[k];
            atom.uses += 1;
            atom.weight += weight;
            atom.mass += weight * z;
            atom.most = crate::num::max(atom.most, z);
            self.active += 1;
            penalty += z;
        }
        self.parts.push(weight * (0.5 * fit + self.lambda * penalty));
        let share = weight / self.weight;
        let mut distance = 0.0;
        for (mean, x) in self.mean.iter_mut().zip(point) {
            let step = x - *mean;
            distance += step * step;
            *mean += share * step;
        }
        self.scatter += weight * (1.0 - share) * distance;
    }

    #[expect(clippy::cast_precision_loss, reason = "counts are far below 2^53")]
    fn end(self, rows: &Rows, stopped: Option<Stop>, most_held: usize) -> AllCodes {
        let points = self.parts.len();
        let penalty = self.lambda * self.atoms.iter().map(|atom| atom.mass / self.weight).sum::<f64>();
        let fit = 0.5 * self.left / self.weight;
        let used = self.atoms.iter().filter(|atom| atom.uses > 0).count();
        let atoms = self.atoms.iter().enumerate().map(|(k, atom)| AtomUse {
            atom: k,
            uses: atom.uses,
            mean: (atom.uses > 0).then(|| atom.mass / atom.weight),
            most: (atom.uses > 0).then_some(atom.most),
        });
        AllCodes {
            rows_read: self.rows_read,
            rows: rows.of(),
            points,
            stopped,
            objective: fit + penalty,
            fit,
            penalty,
            mean_l0: self.active as f64 / points as f64,
            explained_variance: (self.scatter > 0.0).then(|| 1.0 - self.left / self.scatter),
            atoms_used: used,
            atoms_unused: self.atoms.len() - used,
            atoms: atoms.collect(),
            objective_share_of_top_percent: Concentration::of(self.parts).map(|top| top.share),
            most_held,
        }
    }
}
