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
use crate::io::{Block, FileError, FileProblem, RowStream, Rows, Sae, Surveyed, read_vectors, write_vectors};
use crate::linalg::{Matrix, axpy, norm_sq};
use crate::observer::{Observer, Stop};
use crate::problem::{DataError, check_entries};
use crate::reduce::{Agreed, Forest, Share};

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
    /// Which datapoints are this process's, where they are spread: it reads those alone.
    pub share: Option<&'a Share>,
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
    /// Another process of the job has failed.
    #[error("another process of the job has failed")]
    Elsewhere,
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
/// memory. Sums run over the datapoints of a grain in their order, and over grains along the
/// tree of [`reduce`](crate::reduce), so block size, shards and threads enter only through the
/// last bits of the encoder's products; the sums of N numbers have a rounding of N·2⁻⁵³ relative
/// at most.
///
/// Where datapoints are spread over processes, each measures its own and all get the same answer,
/// which is that of one process to the last bit. A process that fails ends the others with
/// [`StreamError::Elsewhere`].
///
/// Holds the autoencoder, a block, some numbers an atom, and one a datapoint; a transcoder's
/// inputs are read ahead by two blocks at most. O(nMN) time.
///
/// Where the observer stops it, the numbers are those of the datapoints until then
/// ([`rows_read`](AllCodes::rows_read)); a first block is always measured.
///
/// # Errors
/// [`StreamError`]. An encoder that selects among all datapoints is refused.
///
/// # Panics
/// If the share is not of as many datapoints as are kept, or several processes have blocks that
/// do not divide its grains.
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
///     share: None,
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
///
/// # Panics
/// As [`stream`]; where it goes on and there is more than one process.
pub fn stream_from(
    streaming: &Streaming<'_>,
    folded: &mut Folded,
    from: Option<Pass>,
    keep: &mut dyn FnMut(&Pass, bool),
    observer: &dyn Observer,
) -> Result<AllCodes, StreamError> {
    streaming.check()?;
    let rows = &streaming.kept.rows;
    let share = streaming.share();
    assert!(from.is_none() || share.is_whole(), "one process goes on");
    let observer = &Agreed::new(&share, observer);
    let fresh = Pass::new(streaming, folded, &share);
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
    let mut rounds = Rounds::new(streaming, &share, pass.points(), observer);
    let mut measured = Ok(());
    if pass.points() < share.len() {
        let left = rows.part(pass.next()..share.first() + share.len());
        measured = pass.extend(streaming, &left, folded, &mut |pass| {
            let flow = rounds.end_block(pass.points());
            keep(pass, flow.is_break() || pass.points() == rows.len());
            flow
        });
    }
    // Others may have more blocks.
    while measured.is_ok() && rounds.go_on() {
        let _ = rounds.end_block(pass.points());
    }
    if rounds.failed == 0 {
        rounds.count(pass.points(), measured.is_err());
    }
    measured?;
    if rounds.failed > 0 {
        return Err(StreamError::Elsewhere);
    }
    Ok(pass.end(&share, &rounds))
}

/// After every block, and at the end, processes tell each other how far they are, and whether
/// they have failed: all leave at the same place.
struct Rounds<'a> {
    rows: &'a Rows,
    share: &'a Share,
    observer: &'a dyn Observer,
    /// Blocks that are left to the process that has most.
    left: usize,
    /// Of all processes: rows and datapoints that are behind them, and how many have failed.
    rows_read: usize,
    points: usize,
    failed: usize,
    stop: Option<Stop>,
}

impl<'a> Rounds<'a> {
    /// After `points` datapoints, of none where there are several processes.
    fn new(streaming: &Streaming<'a>, share: &'a Share, points: usize, observer: &'a dyn Observer) -> Self {
        let rows = &streaming.kept.rows;
        let most = (0..share.size()).map(|rank| share.first_of(rank + 1) - share.first_of(rank)).max();
        let left = (most.unwrap_or(0) - points).div_ceil(streaming.block_rows);
        let rows_read = behind(rows, points);
        observer.rows(rows_read, rows.of());
        Self { rows, share, observer, left, rows_read, points, failed: 0, stop: None }
    }

    fn go_on(&self) -> bool {
        self.left > 0 && self.failed == 0 && self.stop.is_none()
    }

    /// After `points` of this process's datapoints.
    fn count(&mut self, points: usize, failed: bool) {
        let first = self.share.first();
        let read = behind(self.rows, first + points) - behind(self.rows, first);
        let counts = self.share.counts([read, points, usize::from(failed)]);
        [self.rows_read, self.points, self.failed] = counts;
    }

    /// The same after a block; breaks where the pass ends before its last datapoint.
    fn end_block(&mut self, points: usize) -> ControlFlow<()> {
        self.count(points, false);
        self.observer.rows(self.rows_read, self.rows.of());
        self.left -= 1;
        let asked = if self.go_on() { self.observer.poll() } else { ControlFlow::Continue(()) };
        self.stop = asked.break_value().map(Stop::from);
        if self.failed > 0 || self.stop.is_some() {
            ControlFlow::Break(())
        } else {
            ControlFlow::Continue(())
        }
    }
}

/// Rows of the data that are behind the first datapoints.
fn behind(rows: &Rows, points: usize) -> usize {
    match points {
        0 => 0,
        points if points == rows.len() => rows.of(),
        points => rows.row(points - 1) + 1,
    }
}

impl Streaming<'_> {
    /// Which datapoints are here.
    fn share(&self) -> Share {
        let len = self.kept.rows.len();
        let share = self.share.cloned().unwrap_or_else(|| Share::alone(len));
        assert_eq!(share.total(), len, "a share of the datapoints");
        assert!(
            share.is_whole() || share.grain().is_multiple_of(self.block_rows),
            "the same blocks for any number of processes"
        );
        share
    }

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

/// Where a pass stands after some blocks: sums over the datapoints so far.
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
    /// Number of this process's first datapoint among all; not in the file, where it is 0.
    first: usize,
    sums: Sums,
    /// `wᵢ(½‖rᵢ‖² + λ1ᵀzᵢ)`.
    parts: Vec<f64>,
    /// Of the numbers behind it, their inputs and their weights, in their order.
    digest: u64,
    /// Most numbers of the data that were held at once; not in the file.
    most_held: usize,
}

/// Sums over the datapoints of every grain in their order, and over grains along their tree.
///
/// Those of some datapoints are an array: [`HEAD`] numbers, the weighted mean x̄, and
/// [`OF_ATOM`] numbers an atom. Counts are below 2⁵³, so that doubles hold them.
#[derive(Clone, Debug, PartialEq)]
struct Sums {
    dim: usize,
    /// Datapoints of a grain.
    grain: usize,
    whole: Forest,
    /// Of the grain that is not at its end.
    open: Vec<f64>,
}

/// Place of `Σ wᵢ` among the first numbers.
const WEIGHT: usize = 0;
/// Of `Σ wᵢ‖rᵢ‖²`.
const LEFT: usize = 1;
/// Of `Σ wᵢ‖xᵢ − x̄‖²`.
const SCATTER: usize = 2;
/// Of the number of codes that are not 0.
const ACTIVE: usize = 3;
/// How many numbers come first.
const HEAD: usize = 4;

/// Place of the number of datapoints that use an atom, among its numbers.
const USES: usize = 0;
/// Of the weight of these.
const USED: usize = 1;
/// Of `Σ wᵢzᵢ`.
const MASS: usize = 2;
/// Of its largest code.
const MOST: usize = 3;
/// How many numbers an atom has.
const OF_ATOM: usize = 4;

impl Sums {
    fn new(dim: usize, atoms: usize, grain: usize) -> Self {
        let width = HEAD + dim + OF_ATOM * atoms;
        Self { dim, grain, whole: Forest::new(width), open: vec![0.0; width] }
    }

    /// Adds a datapoint to the open grain, the mean and `Σ wᵢ‖xᵢ − x̄‖²` by Welford's recurrence.
    /// Returns the sum of its codes.
    fn add(
        &mut self,
        weight: f64,
        point: &[f64],
        codes: impl Iterator<Item = (usize, f64)>,
        fit: f64,
    ) -> f64 {
        let (head, rest) = self.open.split_at_mut(HEAD);
        let (mean, atoms) = rest.split_at_mut(self.dim);
        head[WEIGHT] += weight;
        head[LEFT] += weight * fit;
        let mut sum = 0.0;
        for (k, z) in codes {
            let atom = &mut atoms[OF_ATOM * k..][..OF_ATOM];
            atom[USES] += 1.0;
            atom[USED] += weight;
            atom[MASS] += weight * z;
            atom[MOST] = crate::num::max(atom[MOST], z);
            head[ACTIVE] += 1.0;
            sum += z;
        }
        let share = share(weight, head[WEIGHT]);
        head[SCATTER] += weight * (1.0 - share) * move_mean(mean, point, share);
        sum
    }

    /// Ends the open grain.
    fn end_grain(&mut self, grain: usize) {
        let fresh = vec![0.0; self.open.len()];
        let ended = std::mem::replace(&mut self.open, fresh);
        self.whole.push_grain(grain, &ended, combine(self.dim));
    }
}

/// Adds the sums of other datapoints to those of some, of dimension `dim`: means and
/// `Σ wᵢ‖xᵢ − x̄‖²` by the recurrence of Chan, Golub and LeVeque.
fn combine(dim: usize) -> impl Fn(&mut [f64], &[f64]) + Copy {
    move |all, part| {
        let (head, rest) = all.split_at_mut(HEAD);
        let (mean, atoms) = rest.split_at_mut(dim);
        let (other, rest) = part.split_at(HEAD);
        let (other_mean, other_atoms) = rest.split_at(dim);
        for place in [WEIGHT, LEFT, ACTIVE] {
            head[place] += other[place];
        }
        let share = share(other[WEIGHT], head[WEIGHT]);
        let apart = move_mean(mean, other_mean, share);
        head[SCATTER] += other[SCATTER] + other[WEIGHT] * (1.0 - share) * apart;
        for (atom, other) in atoms.chunks_exact_mut(OF_ATOM).zip(other_atoms.chunks_exact(OF_ATOM)) {
            for place in [USES, USED, MASS] {
                atom[place] += other[place];
            }
            atom[MOST] = crate::num::max(atom[MOST], other[MOST]);
        }
    }
}

/// The part of a weight in all of it; 0 where that is 0.
fn share(weight: f64, all: f64) -> f64 {
    if all > 0.0 { weight / all } else { 0.0 }
}

/// Moves a mean to another by a share of the way; returns their squared distance before.
fn move_mean(mean: &mut [f64], to: &[f64], share: f64) -> f64 {
    let mut distance = 0.0;
    for (mean, x) in mean.iter_mut().zip(to) {
        let step = x - *mean;
        distance += step * step;
        *mean += share * step;
    }
    distance
}

impl Pass {
    fn new(streaming: &Streaming<'_>, folded: &Folded, share: &Share) -> Self {
        let Surveyed { rows, weights, mean_norm, .. } = streaming.kept;
        Self {
            block_rows: streaming.block_rows,
            mean_norm: *mean_norm,
            of: (rows.of(), rows.len()),
            lambda: streaming.lambda,
            largest: weights.iter().flatten().copied().fold(0.0, crate::num::max),
            first: share.first(),
            sums: Sums::new(folded.points.nrows(), folded.kept.len(), share.grain()),
            parts: Vec::new(),
            digest: Digest::new().get(),
            most_held: 0,
        }
    }

    /// Datapoints that are behind it.
    #[must_use]
    pub fn points(&self) -> usize {
        self.parts.len()
    }

    /// The datapoint that comes next, among all.
    fn next(&self) -> usize {
        self.first + self.points()
    }

    /// Writes it, whole or not at all.
    ///
    /// # Errors
    /// [`FileError`] where the file cannot be written.
    #[expect(clippy::cast_precision_loss, reason = "counts are far below 2^53")]
    pub fn save(&self, path: &Path) -> Result<(), FileError> {
        let Sums { dim, grain, whole, open } = &self.sums;
        let counts = [self.block_rows, self.of.0, self.of.1, *dim, *grain].map(|c| c as f64);
        // Halves, which a double holds.
        let digest = [self.digest >> 32, self.digest & u64::from(u32::MAX)].map(|half| half as f64);
        let numbers = [self.mean_norm, self.lambda, self.largest];
        write_vectors(path, ARRAYS, [&counts, &numbers, &digest, whole.values(), open, &self.parts])
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
        let [counts, numbers, digest, whole, open, parts] =
            read_vectors(path, ARRAYS, [Some(5), Some(3), Some(2), None, None, None])?;
        let [block_rows, rows, points, dim, grain] = [0, 1, 2, 3, 4].map(|i| counts[i] as usize);
        let grains = parts.len() / grain.max(1);
        let (width, found) = (open.len(), whole.len());
        let whole = Forest::of_first(grains, width, whole).ok_or_else(|| {
            let expected = (grains.count_ones() as usize).saturating_mul(width);
            FileError::in_array(path, WHOLE, FileProblem::Count { expected, found })
        })?;
        Ok(Self {
            block_rows,
            mean_norm: numbers[0],
            of: (rows, points),
            lambda: numbers[1],
            largest: numbers[2],
            first: 0,
            sums: Sums { dim, grain, whole, open },
            parts,
            digest: ((digest[0] as u64) << 32) | digest[1] as u64,
            most_held: 0,
        })
    }

    /// Whether another is one of the pass that this begins.
    fn accepts(&self, other: &Self) -> Result<(), StreamError> {
        let whole = other.points() == other.of.1 || other.points().is_multiple_of(self.block_rows);
        let alike = [
            (self.block_rows == other.block_rows && whole, "numbers of rows a block"),
            (self.of == other.of && other.points() <= other.of.1, "numbers of rows"),
            (self.sums.grain == other.sums.grain, "numbers of datapoints a grain"),
            (self.sums.dim == other.sums.dim, "dimensions"),
            (self.sums.open.len() == other.sums.open.len(), "numbers of atoms"),
            (self.largest.to_bits() == other.largest.to_bits(), "weights"),
            (self.lambda.to_bits() == other.lambda.to_bits(), "values of lambda"),
            (self.mean_norm.to_bits() == other.mean_norm.to_bits(), "mean lengths of the datapoints"),
        ];
        match alike.into_iter().find(|(alike, _)| !alike) {
            Some((_, what)) => Err(StreamError::OtherPass { what }),
            None => Ok(()),
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
                let first = self.next();
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
        streaming.add(&mut digest, self.next(), &block.points, inputs.as_ref());
        if let Some(inputs) = &inputs {
            check_entries(inputs)?;
        }
        sae.fold_next(folded, Activations { points: block.points, inputs })?;
        check_entries(&folded.points)?;
        let codes = sae.encode(folded, batch)?;
        let first = self.next();
        for (i, fit) in fits(folded, &codes).into_iter().enumerate() {
            let weight = kept.weights.as_ref().map_or(1.0, |weights| weights[first + i] / self.largest);
            let code = codes.column(i);
            let of_point = code.iter().map(|(k, z)| (k, *z));
            let sum = self.sums.add(weight, folded.points.col(i), of_point, fit);
            self.parts.push(weight * (0.5 * fit + self.lambda * sum));
            if self.points().is_multiple_of(self.sums.grain) {
                self.sums.end_grain(self.next() / self.sums.grain - 1);
            }
        }
        self.digest = digest.get();
        Ok(())
    }

    /// What the sums of all processes say.
    #[expect(
        clippy::cast_precision_loss,
        clippy::cast_possible_truncation,
        clippy::cast_sign_loss,
        reason = "counts are far below 2^53"
    )]
    fn end(mut self, share: &Share, rounds: &Rounds<'_>) -> AllCodes {
        if !self.points().is_multiple_of(self.sums.grain) {
            self.sums.end_grain(self.next() / self.sums.grain);
        }
        let Sums { dim, whole, .. } = self.sums;
        let all = share.root(whole, combine(dim));
        let (head, atoms) = (&all[..HEAD], all[HEAD + dim..].chunks_exact(OF_ATOM));
        let penalty = self.lambda * atoms.clone().map(|atom| atom[MASS] / head[WEIGHT]).sum::<f64>();
        let fit = 0.5 * head[LEFT] / head[WEIGHT];
        let count = atoms.len();
        let atoms = atoms.enumerate().map(|(k, atom)| {
            let used = atom[USES] > 0.0;
            AtomUse {
                atom: k,
                uses: atom[USES] as usize,
                mean: used.then(|| atom[MASS] / atom[USED]),
                most: used.then_some(atom[MOST]),
            }
        });
        let atoms: Vec<AtomUse> = atoms.collect();
        let atoms_used = atoms.iter().filter(|atom| atom.uses > 0).count();
        AllCodes {
            rows_read: rounds.rows_read,
            rows: rounds.rows.of(),
            points: rounds.points,
            stopped: rounds.stop,
            objective: fit + penalty,
            fit,
            penalty,
            mean_l0: head[ACTIVE] / rounds.points as f64,
            explained_variance: (head[SCATTER] > 0.0).then(|| 1.0 - head[LEFT] / head[SCATTER]),
            atoms_used,
            atoms_unused: count - atoms_used,
            atoms,
            objective_share_of_top_percent: Concentration::of_all(self.parts, share).map(|top| top.share),
            most_held: self.most_held,
        }
    }
}

/// Names of the arrays in a file of a pass.
const ARRAYS: [&str; 6] = ["counts", "numbers", "digest", WHOLE, "open", "parts"];

/// That of the grains that are at their end.
const WHOLE: &str = "whole";
