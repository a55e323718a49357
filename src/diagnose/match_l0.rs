//! The λ at which exact codes are as sparse as the codes given: the one to measure an
//! autoencoder by that has no L1 coefficient.

use serde::{Serialize, Serializer};

use super::Trained;
use super::scene::{extremes, less};
use crate::atoms::AtomsError;
use crate::coder::{Coder, CoderError, CoderRun, check};
use crate::linalg::Columns;
use crate::num::min;
use crate::observer::{Latch, Observer, Stop};

/// Relative distance to the mean L0 at which the search ends. Ten times less costs three
/// codings of all datapoints more; L0 itself is known no better from a sample of them.
const TOLERANCE: f64 = 0.01;

/// Codings of all datapoints at most. Half a dozen are usual.
const MAX_STEPS: usize = 30;

/// First λ, as a share of the median over datapoints of the largest `d_kᵀx`. Codes that use
/// tens of atoms lie within a factor of [`EXPANSION`] or two of it.
const FIRST: f64 = 0.125;

/// Factor by which λ moves until it is known on which side of it the target lies.
const EXPANSION: f64 = 4.0;

/// Least λ that is tried, as a share of the same median: below it a hundredth of a per cent
/// of an atom is at stake, and L0 is that of least squares.
const LEAST: f64 = 1e-5;

/// Relative width at which a bracket is a jump of the mean L0, as few datapoints have them.
const NARROW: f64 = 1e-6;

/// Share of a bracket that a step cuts off at least, in log λ.
const CUT: f64 = 0.1;

/// A λ by the sparsity of its codes.
#[derive(Clone, Copy, Debug, PartialEq, Serialize)]
pub struct MatchedL0 {
    /// Mean L0 of the codes given.
    pub target_l0: f64,
    /// The λ tried whose exact codes come closest.
    pub lambda: f64,
    /// Mean L0 of exact codes there.
    pub l0: f64,
    /// The target is crossed between these: codes use more atoms at the lower end (0 where
    /// none was tried), no more than the target at the upper one. L0 need not fall
    /// everywhere between, so that there may be other crossings.
    pub bracket: (f64, f64),
    /// Codings of all datapoints that it took.
    pub steps: usize,
    /// Why it ended: `Stalled` where the mean L0 jumps over the target, `IterationLimit` where
    /// the steps were used up.
    #[serde(serialize_with = "name")]
    pub stop: Stop,
}

fn name<S: Serializer>(stop: &Stop, serializer: S) -> Result<S::Ok, S::Error> {
    serializer.serialize_str(stop.as_str())
}

/// Why no λ was found.
#[derive(Clone, Debug, PartialEq, thiserror::Error)]
#[non_exhaustive]
pub enum MatchL0Error {
    /// There are no codes to match.
    #[error("there are no codes whose mean L0 could be matched")]
    NoCodes,
    /// Every exact code is 0 at every λ.
    #[error("no datapoint has a positive product with any atom: exact codes are 0 at every lambda")]
    Uncorrelated,
    /// More atoms than exact codes ever use.
    #[error(
        "the codes given use {target} atoms a datapoint, exact codes only {l0} at lambda {lambda}, and hardly more below: no lambda matches"
    )]
    OutOfReach {
        /// Mean L0 of the codes given.
        target: f64,
        /// The least λ tried.
        lambda: f64,
        /// Mean L0 of exact codes there.
        l0: f64,
    },
    /// The observer stopped it before one λ was tried.
    #[error("stopped before the first lambda was tried: {}", .0.as_str())]
    Stopped(Stop),
    /// Parts that do not fit together.
    #[error(transparent)]
    Atoms(#[from] AtomsError),
    /// Exact codes could not be computed.
    #[error(transparent)]
    Coder(#[from] CoderError),
}

/// Finds the λ at which exact codes have the mean L0 of the codes given.
///
/// The mean L0 falls with λ, though not at every step: a bracket is kept, and narrowed by
/// interpolation and bisection of log λ until the mean L0 is within one per cent. Codes are
/// those [`diagnose`](super::diagnose) finds at that λ with the same tolerance. Where the
/// observer stops it, the best λ so far is returned. Codes that are all 0 are matched by the
/// least λ at which exact ones are.
///
/// Not claimed: that it is the only such λ, or that codes that were trained without a
/// price are near-optimal at any.
///
/// # Errors
/// [`MatchL0Error`].
///
/// # Examples
/// ```
/// use widedict::diagnose::{Trained, match_l0};
/// use widedict::{Codes, Dictionary, Matrix};
/// let (dictionary, _) = Dictionary::normalize(Matrix::from_columns(2, &[[1.0, 0.0], [0.0, 1.0]]))?;
/// let points = Matrix::from_columns(2, &[[3.0, 1.0]]);
/// let codes = Codes::from_triplets(2, 1, [(0, 0, 2.5)])?;
/// let trained = Trained { codes: Some(&codes), ..Trained::of(&dictionary) };
/// let found = match_l0(&points, &trained, 1e-9, &())?;
/// // One atom is used from λ = 1 on, and none from 3 on.
/// assert!(found.lambda >= 1.0 && found.lambda < 3.0 && found.l0 == 1.0);
/// # Ok::<(), Box<dyn std::error::Error>>(())
/// ```
pub fn match_l0(
    points: &dyn Columns,
    trained: &Trained<'_>,
    gap_tolerance: f64,
    observer: &dyn Observer,
) -> Result<MatchedL0, MatchL0Error> {
    let codes = trained.codes.ok_or(MatchL0Error::NoCodes)?;
    let inputs = less(points, trained.center)?;
    let latch = Latch::new(observer);
    let coder = Coder { gap_tolerance, ..Coder::default() };
    let run = CoderRun { start: Some(codes), observer: &latch, ..CoderRun::default() };
    check(&inputs, trained.dictionary, 0.0, &run)?;
    let stopped = || MatchL0Error::Stopped(latch.interrupt().map_or(Stop::Stalled, Stop::from));
    let mut largest = extremes(trained.dictionary, &inputs, &latch).ok_or_else(stopped)?.of_datapoints;
    largest.sort_by(f64::total_cmp);
    // From here on every code is 0.
    let top = largest.last().copied().filter(|top| *top > 0.0).ok_or(MatchL0Error::Uncorrelated)?;
    let median = largest[largest.len() / 2];
    let scale = if median > 0.0 { median } else { top };
    let target = codes.mean_l0();
    let mut search = Search::new(target, scale, top);
    if !(target > 0.0) {
        return Ok(search.found(top, 0.0, Stop::ToleranceMet));
    }
    while let Some(lambda) = search.next()? {
        let coded = coder.encode_with(&inputs, trained.dictionary, lambda, &run)?;
        if matches!(coded.stop, Stop::TimeLimit | Stop::Cancelled) {
            let (lambda, l0) = search.best.ok_or(MatchL0Error::Stopped(coded.stop))?;
            return Ok(search.found(lambda, l0, coded.stop));
        }
        search.tried(lambda, coded.codes.mean_l0());
    }
    let (lambda, l0) = search.best.expect("a first lambda is always tried");
    Ok(search.found(lambda, l0, search.ended()))
}

/// Where the search stands.
struct Search {
    target: f64,
    /// The usual size of the largest `d_kᵀx`.
    scale: f64,
    /// The largest λ tried with more atoms than the target, and their number.
    lower: Option<(f64, f64)>,
    /// The least λ with no more of them, and their number.
    upper: (f64, f64),
    /// The λ whose L0 is closest to the target, with it.
    best: Option<(f64, f64)>,
    steps: usize,
    /// Steps in a row that moved the same end of the bracket, and which.
    repeats: (usize, bool),
}

impl Search {
    fn new(target: f64, scale: f64, top: f64) -> Self {
        Self { target, scale, lower: None, upper: (top, 0.0), best: None, steps: 0, repeats: (0, false) }
    }

    /// The next λ to try, unless the search has ended.
    fn next(&self) -> Result<Option<f64>, MatchL0Error> {
        let (high, l0_high) = self.upper;
        if self.steps > 0 && (self.matched() || self.narrow() || self.steps >= MAX_STEPS) {
            return Ok(None);
        }
        let Some((low, l0_low)) = self.lower else {
            if self.steps > 0 && high <= LEAST * self.scale {
                return Err(MatchL0Error::OutOfReach { target: self.target, lambda: high, l0: l0_high });
            }
            return Ok(Some(min(FIRST * self.scale, high / EXPANSION)));
        };
        if !(l0_high > 0.0) {
            return Ok(Some(min(low * EXPANSION, (low * high).sqrt())));
        }
        // L0 is nearly a power of λ; an end that stays is overcome by halving.
        let share = if self.repeats.0 >= 2 {
            0.5
        } else {
            ((l0_low / self.target).ln() / (l0_low / l0_high).ln()).clamp(CUT, 1.0 - CUT)
        };
        Ok(Some(low * (high / low).powf(share)))
    }

    /// Takes in the mean L0 at a λ.
    fn tried(&mut self, lambda: f64, l0: f64) {
        self.steps += 1;
        let off = |l0: f64| (l0 - self.target).abs();
        if self.best.is_none_or(|(_, best)| off(l0) < off(best)) {
            self.best = Some((lambda, l0));
        }
        let more = l0 > self.target;
        if more {
            self.lower = Some((lambda, l0));
        } else {
            self.upper = (lambda, l0);
        }
        let count = if self.repeats.1 == more { self.repeats.0 + 1 } else { 1 };
        self.repeats = (count, more);
    }

    fn matched(&self) -> bool {
        self.best.is_some_and(|(_, l0)| (l0 - self.target).abs() <= TOLERANCE * self.target)
    }

    fn narrow(&self) -> bool {
        self.lower.is_some_and(|(low, _)| self.upper.0 <= low * (1.0 + NARROW))
    }

    /// Why there is no next λ.
    fn ended(&self) -> Stop {
        if self.matched() {
            Stop::ToleranceMet
        } else if self.narrow() {
            Stop::Stalled
        } else {
            Stop::IterationLimit
        }
    }

    fn found(&self, lambda: f64, l0: f64, stop: Stop) -> MatchedL0 {
        let bracket = (self.lower.map_or(0.0, |(low, _)| low), self.upper.0);
        MatchedL0 { target_l0: self.target, lambda, l0, bracket, steps: self.steps, stop }
    }
}
