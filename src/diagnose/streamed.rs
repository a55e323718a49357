//! An encoder's codes of more data than fit in memory: one pass, a block of rows at a time.
//!
//! What a diagnosis says of the codes given is a sum over datapoints, so it can be had
//! without holding any of them. The tables that need exact codes cannot; they are those of
//! a sample, and the numbers here are those of all rows.

use std::ops::ControlFlow;
use std::path::Path;
use std::sync::mpsc::{Receiver, sync_channel};
use std::thread;

use rayon::prelude::*;

use super::codes::{AllCodes, AtomUse};
use crate::atoms::{AtomsError, Codes};
use crate::certificate::Concentration;
use crate::certificate::record::Digest;
use crate::io::sae::{Activations, Batch, EncodeError, FoldError, Folded};
use crate::io::{Block, FileError, RowStream, Rows, Sae, Surveyed, read_vectors, write_vectors};
use crate::linalg::{Matrix, axpy, norm_sq};
use crate::observer::{Observer, Stop};
use crate::problem::{DataError, check_entries};

/// What is streamed, and how it is measured.
#[derive(Clone, Copy)]
pub struct Streaming<'a> {
    /// The data.
    pub stream: &'a RowStream,
    /// Which of their rows are datapoints, and what these weigh.
    pub kept: &'a Surveyed,
    /// What a transcoder reconstructs them from, a row a row of the data.
    pub inputs: Option<&'a RowStream>,
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
    /// Another number of weights, or of inputs.
    #[error("expected {expected} {what}, one a {of}, found {found}")]
    Count {
        /// What was counted.
        what: &'static str,
        /// What it is of.
        of: &'static str,
        /// Those.
        expected: usize,
        /// What there are.
        found: usize,
    },
    /// What is gone on from is another pass.
    #[error("this is where another pass stood: {what} differ")]
    OtherPass {
        /// In what.
        what: &'static str,
    },
}

impl StreamError {
    /// Gives the datapoint that an error is about another name.
    #[must_use]
    pub fn renamed(mut self, name: impl Fn(usize) -> usize) -> Self {
        if let Self::Fold(FoldError::Normalization { datapoint, .. })
        | Self::Data(DataError::TooLarge { datapoint, .. } | DataError::NotFinite { datapoint, .. })
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
/// Holds the autoencoder, a block, a few numbers an atom, and one a datapoint; a transcoder's
/// inputs are read ahead by two blocks at most. O(nMN) time.
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
/// let mut folded = sae.fold_part(Activations::of(sample.into_matrix()), Some(kept.mean_norm))?;
/// let streaming = Streaming {
///     stream: &files,
///     kept: &kept,
///     inputs: None,
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
    stream_from(streaming, folded, None, &mut |_, _| {}, observer)
}

/// [`stream`], going on from where a [`Pass`] stood: the answer is that of one that was never
/// interrupted, to the last bit, on the same machine. `keep` is handed it after every block,
/// with whether it ends there.
///
/// Whether it is a pass over the same is told by the numbers of rows, datapoints, atoms and
/// rows a block, λ, the mean length of the datapoints, a digest of the numbers behind it, their
/// inputs and their weights, which are read again, and the first block, which is measured again
/// and must give the same.
///
/// # Errors
/// As [`stream`]; [`StreamError::OtherPass`] where it is not.
pub fn stream_from(
    streaming: &Streaming<'_>,
    folded: &mut Folded,
    from: Option<Pass>,
    keep: &mut dyn FnMut(&Pass, bool),
    observer: &dyn Observer,
) -> Result<AllCodes, StreamError> {
    streaming.check()?;
    let rows = &streaming.kept.rows;
    let fresh = Pass::new(streaming, folded);
    let mut pass = match from {
        Some(pass) => {
            fresh.accepts(&pass)?;
            if streaming.digest(&rows.part(0..pass.points()))? != pass.digest {
                return Err(StreamError::OtherPass { what: "data, inputs or weights" });
            }
            let mut again = fresh;
            let few = pass.points().min(streaming.block_rows);
            again.extend(streaming, &rows.part(0..few), folded, &mut |_| ControlFlow::Continue(()))?;
            if again.parts[..] != pass.parts[..few] {
                return Err(StreamError::OtherPass { what: "codes of the first datapoints" });
            }
            pass
        }
        None => fresh,
    };
    let mut stop = None;
    observer.rows(pass.rows_read(rows), rows.of());
    if pass.points() < rows.len() {
        let left = rows.part(pass.points()..rows.len());
        pass.extend(streaming, &left, folded, &mut |pass| {
            observer.rows(pass.rows_read(rows), rows.of());
            let whole = pass.points() == rows.len();
            let flow = if whole { ControlFlow::Continue(()) } else { observer.poll() };
            keep(pass, whole || flow.is_break());
            flow.map_break(|interrupt| stop = Some(Stop::from(interrupt)))
        })?;
    }
    Ok(pass.end(rows, stop))
}

impl Streaming<'_> {
    /// Whether the parts go together.
    fn check(&self) -> Result<(), StreamError> {
        if self.sae.selects_among_datapoints(self.batch) {
            return Err(StreamError::Whole);
        }
        let (rows, weights) = (&self.kept.rows, self.kept.weights.as_ref().map(Vec::len));
        let count = |what, of, expected, found| Err(StreamError::Count { what, of, expected, found });
        match (weights, self.inputs.map(RowStream::len)) {
            (Some(found), _) if found != rows.len() => count("weights", "datapoint", rows.len(), found),
            (_, Some(found)) if found != rows.of() => count("inputs", "row of the data", rows.of(), found),
            _ => Ok(()),
        }
    }

    /// What [`Pass::measure`] makes of the numbers of some rows, without measuring them.
    fn digest(&self, rows: &Rows) -> Result<u64, StreamError> {
        let (mut digest, mut first, mut fault) = (Digest::new(), 0, None);
        self.beside(rows, |inputs| {
            self.stream.blocks(rows, self.block_rows, &mut |block| {
                match next(inputs) {
                    Ok(inputs) => self.add(&mut digest, first, &block.points, inputs.as_ref()),
                    Err(error) => {
                        fault = Some(error);
                        return ControlFlow::Break(());
                    }
                }
                first += block.points.ncols();
                ControlFlow::Continue(())
            })
        })?;
        fault.map_or(Ok(digest.get()), |error| Err(error.into()))
    }

    /// Adds a block that begins with datapoint `first`.
    fn add(&self, digest: &mut Digest, first: usize, points: &Matrix, inputs: Option<&Matrix>) {
        let weights = self.kept.weights.as_ref().map(|weights| &weights[first..first + points.ncols()]);
        let numbers = points.as_slice().iter().chain(inputs.iter().flat_map(|inputs| inputs.as_slice()));
        numbers.chain(weights.into_iter().flatten()).for_each(|number| digest.word(number.to_bits()));
    }

    /// Reads blocks of inputs beside those of the data while `run` asks for them.
    fn beside<R>(&self, rows: &Rows, run: impl FnOnce(Option<&Receiver<Inputs>>) -> R) -> R {
        let Some(inputs) = self.inputs else { return run(None) };
        thread::scope(|scope| {
            let (send, receive) = sync_channel(1);
            scope.spawn(move || {
                // Nobody receives once the data have ended.
                let read = inputs.blocks(rows, self.block_rows, &mut |block| {
                    let sent = send.send(Ok(block.points));
                    if sent.is_ok() { ControlFlow::Continue(()) } else { ControlFlow::Break(()) }
                });
                if let Err(error) = read {
                    let _ = send.send(Err(error));
                }
            });
            run(Some(&receive))
        })
    }
}

/// A block of inputs.
type Inputs = Result<Matrix, FileError>;

/// The next one, where there are inputs.
fn next(inputs: Option<&Receiver<Inputs>>) -> Result<Option<Matrix>, FileError> {
    inputs.map(|inputs| inputs.recv().expect("a block of inputs for every block")).transpose()
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

/// Where a pass stands after some blocks: sums over the datapoints so far, in their order.
#[derive(Clone, Debug, PartialEq)]
pub struct Pass {
    block_rows: usize,
    /// The mean length of all datapoints, which tells data apart.
    mean_norm: f64,
    /// Rows of the data, and how many of these are datapoints.
    of: (usize, usize),
    lambda: f64,
    /// Weights are divided by it, which keeps sums finite.
    largest: f64,
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
    /// Of the numbers behind it, their inputs and their weights, in their order.
    digest: u64,
    /// Most numbers of the data that were held at once; not in the file.
    most_held: usize,
}

#[derive(Clone, Copy, Debug, Default, PartialEq)]
struct AtomSums {
    uses: usize,
    /// Of the datapoints that use it.
    weight: f64,
    mass: f64,
    most: f64,
}

impl Pass {
    fn new(streaming: &Streaming<'_>, folded: &Folded) -> Self {
        let Surveyed { rows, weights, mean_norm, .. } = streaming.kept;
        Self {
            block_rows: streaming.block_rows,
            mean_norm: *mean_norm,
            of: (rows.of(), rows.len()),
            lambda: streaming.lambda,
            largest: weights.iter().flatten().copied().fold(0.0, crate::num::max),
            weight: 0.0,
            left: 0.0,
            active: 0,
            atoms: vec![AtomSums::default(); folded.kept.len()],
            parts: Vec::new(),
            mean: vec![0.0; folded.points.nrows()],
            scatter: 0.0,
            digest: Digest::new().get(),
            most_held: 0,
        }
    }

    /// Datapoints that are behind it.
    #[must_use]
    pub fn points(&self) -> usize {
        self.parts.len()
    }

    /// Writes it, whole or not at all.
    ///
    /// # Errors
    /// [`FileError`] where the file cannot be written.
    #[expect(clippy::cast_precision_loss, reason = "counts are far below 2^53")]
    pub fn save(&self, path: &Path) -> Result<(), FileError> {
        let counts = [self.block_rows, self.of.0, self.of.1, self.active].map(|c| c as f64);
        // Halves, which a double holds.
        let digest = [self.digest >> 32, self.digest & u64::from(u32::MAX)].map(|half| half as f64);
        let sums = [self.mean_norm, self.lambda, self.largest, self.weight, self.left, self.scatter];
        let atoms: Vec<f64> =
            self.atoms.iter().flat_map(|a| [a.uses as f64, a.weight, a.mass, a.most]).collect();
        let arrays = [&counts[..], &sums, &digest, &atoms, &self.mean, &self.parts];
        write_vectors(path, ARRAYS, arrays)
    }

    /// Reads what [`Pass::save`] wrote.
    ///
    /// # Errors
    /// [`FileError`] where the file is none of that kind.
    #[expect(
        clippy::cast_possible_truncation,
        clippy::cast_sign_loss,
        reason = "counts, as they were written"
    )]
    pub fn load(path: &Path) -> Result<Self, FileError> {
        let [counts, sums, digest, atoms, mean, parts] =
            read_vectors(path, ARRAYS, [Some(4), Some(6), Some(2), None, None, None])?;
        Ok(Self {
            block_rows: counts[0] as usize,
            of: (counts[1] as usize, counts[2] as usize),
            active: counts[3] as usize,
            most_held: 0,
            digest: ((digest[0] as u64) << 32) | digest[1] as u64,
            mean_norm: sums[0],
            lambda: sums[1],
            largest: sums[2],
            weight: sums[3],
            left: sums[4],
            scatter: sums[5],
            atoms: atoms
                .chunks_exact(4)
                .map(|a| AtomSums { uses: a[0] as usize, weight: a[1], mass: a[2], most: a[3] })
                .collect(),
            mean,
            parts,
        })
    }

    /// Whether another is one of the pass that this begins.
    fn accepts(&self, other: &Self) -> Result<(), StreamError> {
        let whole = other.points() == other.of.1 || other.points().is_multiple_of(self.block_rows);
        let alike = [
            (self.block_rows == other.block_rows && whole, "numbers of rows a block"),
            (self.of == other.of && other.points() <= other.of.1, "numbers of rows"),
            (self.mean.len() == other.mean.len(), "dimensions"),
            (self.atoms.len() == other.atoms.len(), "numbers of atoms"),
            (self.largest.to_bits() == other.largest.to_bits(), "weights"),
            (self.lambda.to_bits() == other.lambda.to_bits(), "values of lambda"),
            (self.mean_norm.to_bits() == other.mean_norm.to_bits(), "mean lengths of the datapoints"),
        ];
        match alike.into_iter().find(|(alike, _)| !alike) {
            Some((_, what)) => Err(StreamError::OtherPass { what }),
            None => Ok(()),
        }
    }

    /// Rows of the data that are behind it.
    fn rows_read(&self, rows: &Rows) -> usize {
        match self.points() {
            0 => 0,
            points if points == rows.len() => rows.of(),
            points => rows.row(points - 1) + 1,
        }
    }

    /// Measures the next datapoints, those of `rows`, block after block, until `go_on` says no.
    fn extend(
        &mut self,
        streaming: &Streaming<'_>,
        rows: &Rows,
        folded: &mut Folded,
        go_on: &mut dyn FnMut(&Self) -> ControlFlow<()>,
    ) -> Result<(), StreamError> {
        let mut fault = None;
        let passed = streaming.beside(rows, |inputs| {
            streaming.stream.blocks(rows, streaming.block_rows, &mut |block| {
                let first = self.points();
                match self.measure(block, inputs, streaming, folded) {
                    Ok(()) => go_on(self),
                    Err(error) => {
                        fault = Some(error.renamed(|i| first + i));
                        ControlFlow::Break(())
                    }
                }
            })
        })?;
        self.most_held = self.most_held.max(passed.most_held);
        fault.map_or(Ok(()), Err)
    }

    /// Adds a block.
    fn measure(
        &mut self,
        block: Block,
        inputs: Option<&Receiver<Inputs>>,
        streaming: &Streaming<'_>,
        folded: &mut Folded,
    ) -> Result<(), StreamError> {
        let Streaming { sae, batch, kept, .. } = *streaming;
        let inputs = next(inputs)?;
        let mut digest = Digest::from(self.digest);
        streaming.add(&mut digest, self.points(), &block.points, inputs.as_ref());
        if let Some(inputs) = &inputs {
            check_entries(inputs)?;
        }
        sae.fold_next(folded, Activations { points: block.points, inputs })?;
        check_entries(&folded.points)?;
        let codes = sae.encode(folded, batch)?;
        let first = self.points();
        for (i, fit) in fits(folded, &codes).into_iter().enumerate() {
            let weight = kept.weights.as_ref().map_or(1.0, |weights| weights[first + i] / self.largest);
            self.add(weight, folded.points.col(i), codes.column(i).iter().map(|(k, z)| (k, *z)), fit);
        }
        self.digest = digest.get();
        Ok(())
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
    fn end(self, rows: &Rows, stopped: Option<Stop>) -> AllCodes {
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
            rows_read: self.rows_read(rows),
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
            most_held: self.most_held,
        }
    }
}

/// Names of the arrays in a file of a pass.
const ARRAYS: [&str; 6] = ["counts", "sums", "digest", "atoms", "mean", "parts"];
