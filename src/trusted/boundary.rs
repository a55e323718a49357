//! What pairs of datapoints prove about one atom per datapoint (theorem
//! `regime-boundary`): enclosures of the price each pair allows, and the decision at
//! one price.
//!
//! `Pairs` holds the directions of the datapoints and their enclosed lengths, all in
//! units of λ. `Pairs::block_row` encloses the smallest `γᵢⱼ` among the pairs of a
//! block row, and `Pairs::boundary` makes a [`Boundary`] of block rows: a lower
//! bound only if no row is missing. Which row is looked at when, and on which thread,
//! is the search's part, in [`wide`](crate::wide).

use std::collections::BTreeSet;
use std::ops::{ControlFlow, Range};

use faer::{MatMut, MatRef, Par};
use rayon::prelude::*;

use super::{Lower, Upper};
use crate::linalg::{Matrix, distance_sq, dot, norm, norm_sq, psd, simd};
use crate::num::{Interval, max, min, rounding};
use crate::observer::{Interrupt, Observer, Stop};
use crate::problem::Problem;

/// Columns of a block of pairs: two blocks and their products stay in cache (128²
/// cosines are 128 kB).
const BLOCK: usize = 128;

/// Roundings of a squared length: each of the n entries is divided once, before the
/// sum of squares. `proofs/regime-boundary.md`, Floating point, counts 3n of them; the
/// rest covers what underflows beside the largest entry, which is 1.
const LENGTH_ROUNDINGS: usize = 8;

/// Roundings of a unit direction beyond those of a sum of n squares (divisions, root):
/// 5 are counted in `proofs/regime-boundary.md`, the others are margin.
const DIRECTION_ROUNDINGS: usize = 16;

/// Errors of a direction in the cosine of two: one from each, one from the sum of n
/// products, and one of margin.
const COSINE_ERRORS: f64 = 4.0;

/// Relative margin of the floating-point filter, far above its roundings (fewer than
/// 20 a formula). A filter that is looser by this much passes no pair more in practice.
const FILTER_MARGIN: f64 = 64.0 * f64::EPSILON;

/// Largest block of inactive datapoints whose definiteness is tried: a factorization of
/// some seconds and 256 MB. Ten times as many would take an hour.
const LARGEST_BLOCK: usize = 4096;

/// The boundary γ* of one atom per datapoint, with its proof.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Boundary {
    /// γ*, as computed; infinite where the closed form is optimal at every γ.
    pub gamma: f64,
    /// A number proved at or below γ* for the stored data, every rounding included.
    pub lower: Lower,
    /// A number proved at or above γ*; infinite where none is known.
    pub upper: Upper,
    /// The pair that decides, of the smallest indices among equals; `None` where γ* is infinite.
    pub pair: Option<(usize, usize)>,
    /// Largest cosine between two nonzero datapoints, as computed; `None` with fewer
    /// than two of them.
    pub max_cosine: Option<f64>,
    /// [`Stop::ToleranceMet`], or why the search ended early: then only `upper`
    /// says anything, and `lower` is 0.
    pub stop: Stop,
}

/// Whether one atom per datapoint is optimal at one price γ.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Regime {
    /// One atom per datapoint is globally optimal: proved.
    Optimal,
    /// It is not, proved: these two datapoints would do better together.
    Shared {
        /// The pair.
        pair: (usize, usize),
    },
    /// This pair is so near equality that rounding hides the answer.
    Borderline {
        /// The pair.
        pair: (usize, usize),
    },
    /// Every pair allows it, but whether the block of the inactive datapoints is
    /// copositive is not decided.
    Undecided {
        /// Number of datapoints that are not proved active.
        inactive: usize,
    },
    /// The observer stopped the check before it decided.
    Stopped(Stop),
}

/// The nonzero datapoints, in units of λ.
pub(crate) struct Pairs {
    /// Unit directions.
    units: Matrix,
    /// The same in single precision.
    screen: Screen,
    /// Lengths over λ, enclosed.
    lengths: Vec<Interval>,
    weights: Vec<f64>,
    /// The least weight of each block.
    least_weights: Vec<f64>,
    /// Their datapoints.
    index: Vec<usize>,
    /// Datapoints of the problem, zeros too.
    datapoints: usize,
    lambda: f64,
    /// Error of a unit direction, in Euclidean norm.
    unit_error: f64,
}

/// Unit roundoff of single precision.
const SINGLE: f64 = 1.0 / (1_u64 << 24) as f64;

/// The nearest number in single precision.
#[expect(clippy::cast_possible_truncation, reason = "rounding is the purpose")]
fn single(value: f64) -> f32 {
    value as f32
}

/// Unit directions in single precision: twice the speed, and enough to tell which few pairs are
/// worth a look.
struct Screen {
    dim: usize,
    units: Vec<f32>,
    /// What a product differs from the exact one by at most (theorem `rounding`, item 10).
    error: f64,
}

impl Screen {
    fn new(units: &Matrix) -> Self {
        let rounded = (units.nrows() + SCREEN_ROUNDINGS) as f64 * SINGLE;
        // Beyond any use of single precision nothing is passed over.
        let error = if rounded < 0.5 { rounded / (1.0 - rounded) } else { f64::INFINITY };
        Self { dim: units.nrows(), units: units.as_slice().iter().map(|v| single(*v)).collect(), error }
    }

    /// The products of some directions with others, a column for each of the others.
    fn products(&self, left: Range<usize>, right: Range<usize>, out: &mut Vec<f32>) {
        let view = |range: &Range<usize>| {
            let entries = &self.units[range.start * self.dim..range.end * self.dim];
            MatRef::from_column_major_slice(entries, self.dim, range.len())
        };
        out.resize(left.len() * right.len(), 0.0);
        faer::linalg::matmul::matmul(
            MatMut::from_column_major_slice_mut(out, left.len(), right.len()),
            faer::Accum::Replace,
            view(&left).transpose(),
            view(&right),
            1.0,
            Par::Seq,
        );
    }
}

/// Roundings besides those of an inner product's n terms: of both factors, and of the floor.
const SCREEN_ROUNDINGS: usize = 8;

/// The smallest `(γᵢⱼ/λ)²` over some pairs.
#[derive(Clone, Copy, Debug)]
struct Smallest {
    value: f64,
    lower: f64,
    upper: f64,
    pair: Option<(usize, usize)>,
    cosine: f64,
}

impl Default for Smallest {
    fn default() -> Self {
        Self {
            value: f64::INFINITY,
            lower: f64::INFINITY,
            upper: f64::INFINITY,
            pair: None,
            cosine: f64::NEG_INFINITY,
        }
    }
}

impl Smallest {
    fn join(self, other: Self) -> Self {
        let (value, pair) =
            if other.value < self.value { (other.value, other.pair) } else { (self.value, self.pair) };
        Self {
            value,
            pair,
            lower: min(self.lower, other.lower),
            upper: min(self.upper, other.upper),
            cosine: max(self.cosine, other.cosine),
        }
    }
}

/// What the pairs of one block row prove: those of its columns with each other and with
/// all later ones.
#[derive(Clone, Copy, Debug)]
pub(crate) struct BlockRow {
    row: usize,
    smallest: Smallest,
}

impl BlockRow {
    /// `γ*` of the pairs seen, over λ: at or above `γ*/λ`.
    pub(crate) fn upper(&self) -> f64 {
        self.smallest.upper
    }
}

impl Pairs {
    /// Takes a problem with λ > 0, a fixed center and all datapoints in one place; `None` for
    /// another. O(nN).
    pub(crate) fn new(problem: &Problem) -> Option<Self> {
        if problem.centered() || !(problem.lambda() > 0.0) || problem.share().is_spread() {
            return None;
        }
        let data = problem.data();
        let n = data.dim();
        let nonzero = |x: &[f64]| x.iter().any(|v| *v != 0.0);
        let index: Vec<usize> = (0..data.len()).filter(|&i| nonzero(&data.datapoint(i))).collect();
        let mut units = data.datapoints().select_columns(&index);
        let mut lengths = Vec::with_capacity(index.len());
        let lambda = Interval::point(problem.lambda());
        for k in 0..units.ncols() {
            let column = units.col_mut(k);
            // In units of the largest entry no square of a tiny datapoint underflows.
            let largest = column.iter().fold(0.0, |m, v| max(m, v.abs()));
            column.iter_mut().for_each(|v| *v /= largest);
            let square = norm_sq(column);
            let square = Interval::around(square, rounding::radius(3 * n + LENGTH_ROUNDINGS, square));
            lengths.push(square.sqrt().mul(Interval::point(largest).div(lambda)));
            let length = norm(column);
            column.iter_mut().for_each(|v| *v /= length);
        }
        let weights: Vec<f64> = index.iter().map(|&i| data.weights()[i]).collect();
        let least_weights =
            weights.chunks(BLOCK).map(|block| block.iter().copied().fold(f64::INFINITY, min)).collect();
        Some(Self {
            screen: Screen::new(&units),
            units,
            lengths,
            least_weights,
            weights,
            index,
            datapoints: data.len(),
            lambda: problem.lambda(),
            unit_error: rounding::gamma(n + DIRECTION_ROUNDINGS),
        })
    }

    /// Number of nonzero datapoints.
    pub(crate) fn len(&self) -> usize {
        self.index.len()
    }

    /// Number of block rows.
    pub(crate) fn block_rows(&self) -> usize {
        self.len().div_ceil(BLOCK)
    }

    /// Number of nonzero datapoints in the first `rows` block rows.
    pub(crate) fn datapoints_in(&self, rows: usize) -> usize {
        (rows * BLOCK).min(self.len())
    }

    fn block(&self, block: usize) -> Range<usize> {
        block * BLOCK..self.datapoints_in(block + 1)
    }

    /// Encloses the smallest `γᵢⱼ` over the pairs of a block row. `limit` is the least
    /// [`BlockRow::upper`] known: a pair proved above it is left out, since it is not
    /// the smallest of all. The result does not depend on how the limit was found, but
    /// on the limit.
    ///
    /// # Errors
    /// What the observer, polled once a block, broke with.
    pub(crate) fn block_row(
        &self,
        row: usize,
        limit: f64,
        observer: &dyn Observer,
    ) -> Result<BlockRow, Interrupt> {
        let mine = self.block(row);
        let mut smallest = Smallest { upper: limit, ..Smallest::default() };
        let mut cosines = Vec::new();
        for block in row..self.block_rows() {
            if let ControlFlow::Break(interrupt) = observer.poll() {
                return Err(interrupt);
            }
            let theirs = self.block(block);
            self.screen.products(mine.clone(), theirs.clone(), &mut cosines);
            let weight = min(self.least_weights[row], self.least_weights[block]);
            let mut floor = self.floor(&smallest, weight);
            for (column, j) in cosines.chunks_exact(mine.len()).zip(theirs) {
                if simd(
                    #[inline(always)]
                    || column.iter().all(|cosine| *cosine < floor),
                ) {
                    continue;
                }
                for (i, &screened) in mine.clone().zip(column) {
                    // What is not a number is no reason to pass a pair over.
                    if i < j && !(screened < floor) {
                        let cosine = dot(self.units.col(i), self.units.col(j));
                        smallest.cosine = max(smallest.cosine, cosine);
                        self.try_pair(i, j, cosine, &mut smallest);
                        floor = self.floor(&smallest, weight);
                    }
                }
            }
        }
        Ok(BlockRow { row, smallest })
    }

    /// A pair of these weights at least whose cosine is below this in single precision changes
    /// nothing: its cosine is not the largest, and its `(γᵢⱼ/λ)²` is above what is known. That is
    /// at least the root t of `(1 + t/wᵢ)(1 + t/wⱼ) = 1/c²`, where both are active; it grows with
    /// both weights, so that `t ≥ w(1/c − 1)` for the smaller one, which is above `upper` where
    /// `c < w/(w + upper)`.
    fn floor(&self, smallest: &Smallest, weight: f64) -> f32 {
        let decides = weight / (weight + smallest.upper) * (1.0 - FILTER_MARGIN);
        let margin = self.screen.error + COSINE_ERRORS * self.unit_error;
        let floor = min(decides, smallest.cosine) - margin;
        // Below any cosine in single precision, where nothing is known.
        if floor > -2.0 { single(floor).next_down() } else { f32::NEG_INFINITY }
    }

    /// The boundary that block rows of these pairs prove. `lower` is 0 where a row is
    /// missing.
    pub(crate) fn boundary(&self, rows: &[BlockRow], stop: Stop) -> Boundary {
        let seen: BTreeSet<usize> = rows.iter().map(|row| row.row).collect();
        let complete = (0..self.block_rows()).all(|row| seen.contains(&row));
        let smallest = rows.iter().fold(Smallest::default(), |all, row| all.join(row.smallest));
        let lambda = Interval::point(self.lambda);
        let price = |square: f64| lambda.mul(Interval::point(max(square, 0.0)).sqrt());
        let lower = match (complete, smallest.lower.is_finite()) {
            (false, _) => 0.0,
            (true, true) => max(price(smallest.lower).lo, 0.0),
            (true, false) => smallest.lower,
        };
        let upper = if smallest.upper.is_finite() { price(smallest.upper).hi } else { f64::INFINITY };
        Boundary {
            gamma: self.lambda * smallest.value.sqrt(),
            lower: Lower::proved(lower),
            upper: Upper::proved(upper),
            pair: smallest.pair.map(|(i, j)| (self.index[i], self.index[j])),
            max_cosine: smallest.cosine.is_finite().then_some(smallest.cosine),
            stop,
        }
    }

    /// Joins the pair to `smallest`: enclosed where it may decide, left out where a
    /// cheap lower bound is above what is known.
    fn try_pair(&self, i: usize, j: usize, cosine: f64, smallest: &mut Smallest) {
        // The exact cosine is at most this, and γᵢⱼ falls with the cosine.
        let reach = min(cosine + COSINE_ERRORS * self.unit_error, 1.0);
        if !(reach > 0.0) {
            return;
        }
        let (ri, rj) = (self.lengths[i].hi, self.lengths[j].hi);
        if reach * ri * rj * (1.0 + FILTER_MARGIN) <= 1.0 || self.least(i, j, reach) > smallest.upper {
            return;
        }
        let (value, lower, upper) = self.enclosed_pair(i, j);
        smallest.lower = min(smallest.lower, lower);
        smallest.upper = min(smallest.upper, upper);
        if value < smallest.value {
            (smallest.value, smallest.pair) = (value, Some((i, j)));
        }
    }

    /// A number at most `(γᵢⱼ/λ)²`, in plain arithmetic with room for its rounding, for
    /// a cosine that is at most `reach`.
    fn least(&self, i: usize, j: usize, reach: f64) -> f64 {
        let (both, [j_inactive, i_inactive]) = self.roots(i, j, reach, (1.0 - reach) * (1.0 + reach));
        // The first root is a quotient of sums of positive numbers; the others are
        // differences from a weight.
        let below = |root: f64, weight: f64| root - FILTER_MARGIN * (root.abs() + 2.0 * weight);
        max(
            both * (1.0 - FILTER_MARGIN),
            max(below(j_inactive, self.weights[i]), below(i_inactive, self.weights[j])),
        )
    }

    /// The three numbers of which `(γᵢⱼ/λ)²` is the largest, for a positive cosine: the
    /// one where both are active, and those where j or i is not.
    fn roots(&self, i: usize, j: usize, cosine: f64, sine_sq: f64) -> (f64, [f64; 2]) {
        let (wi, wj) = (self.weights[i], self.weights[j]);
        let (ri, rj) = (self.lengths[i].hi, self.lengths[j].hi);
        let c2 = cosine * cosine;
        let product = wi * wj / c2;
        let both = 2.0 * product * sine_sq / (((wi - wj) * (wi - wj) + 4.0 * product).sqrt() + wi + wj);
        (both, [wi * (1.0 / (c2 * rj * rj) - 1.0), wj * (1.0 / (c2 * ri * ri) - 1.0)])
    }

    /// `(γᵢⱼ/λ)²` as computed, from below and from above. The cosine comes from the
    /// distance of the units, which keeps its relative accuracy for nearly collinear
    /// datapoints.
    fn enclosed_pair(&self, i: usize, j: usize) -> (f64, f64, f64) {
        let distance = distance_sq(self.units.col(i), self.units.col(j)).sqrt();
        let error =
            2.0 * self.unit_error + rounding::gamma(self.units.nrows() + DIRECTION_ROUNDINGS) * distance;
        let near = max((distance - error).next_down(), 0.0);
        let far = (distance + error).next_up();
        let (lower, upper) = (self.enclosed(i, j, near).0, self.enclosed(i, j, far).1);
        // Units that agree to rounding are collinear as far as can be told.
        let distance = if near > 0.0 { distance } else { 0.0 };
        let square = distance * distance;
        let (cosine, sine_sq) = (1.0 - 0.5 * square, square * (1.0 - 0.25 * square));
        let middle = |v: Interval| 0.5 * (v.lo + v.hi);
        let value = if cosine * middle(self.lengths[i]) * middle(self.lengths[j]) <= 1.0 {
            f64::INFINITY
        } else {
            let (both, [j_inactive, i_inactive]) = self.roots(i, j, cosine, sine_sq);
            max(max(both, 0.0), max(j_inactive, i_inactive))
        };
        (value, lower, upper)
    }

    /// `(γᵢⱼ/λ)²` at the distance `d` of the units, as (lower end, upper end); infinite
    /// where `xᵢᵀxⱼ ≤ λ²` is proved (lower end) or possible (upper end).
    fn enclosed(&self, i: usize, j: usize, d: f64) -> (f64, f64) {
        let one = Interval::point(1.0);
        let d2 = Interval::point(d).square();
        let cosine = one.sub(Interval::point(0.5).mul(d2));
        let inner = cosine.mul(self.lengths[i]).mul(self.lengths[j]);
        if inner.hi <= 1.0 {
            return (f64::INFINITY, f64::INFINITY);
        }
        if !(cosine.lo > 0.0) {
            return (0.0, f64::INFINITY);
        }
        let c2 = cosine.square();
        let sine_sq = d2.mul(one.sub(Interval::point(0.25).mul(d2)));
        let (wi, wj) = (Interval::point(self.weights[i]), Interval::point(self.weights[j]));
        let product = wi.mul(wj).div(c2);
        let root = wi.sub(wj).square().add(Interval::point(4.0).mul(product)).sqrt();
        let both = Interval::point(2.0).mul(product).mul(sine_sq).div(root.add(wi).add(wj));
        let single = |w: Interval, r: Interval| w.mul(one.div(c2.mul(r.square())).sub(one));
        let (left, right) = (single(wi, self.lengths[j]), single(wj, self.lengths[i]));
        let lo = max(both.lo, max(left.lo, max(right.lo, 0.0)));
        let hi = max(both.hi, max(left.hi, max(right.hi, 0.0)));
        (lo, if inner.lo > 1.0 { hi } else { f64::INFINITY })
    }
}

/// A datapoint at one price, divided by its `κᵢ = √(λ²wᵢ + γ²)`.
struct Whitened {
    /// `λ√wᵢ/κᵢ`.
    price: Interval,
    /// Length of its residual: 1 where it is active.
    kept: Interval,
    /// What its diagonal entry leaves: 0 where it is active.
    slack: Interval,
    /// Whether it is proved active.
    active: bool,
    /// Whether it is proved inactive.
    inactive: bool,
}

/// What a check of all pairs found. Joining does not depend on the order.
struct Found {
    /// The first pair that refutes.
    refuting: Option<(usize, usize)>,
    /// The first pair that rounding leaves open.
    open: Option<(usize, usize)>,
    /// The datapoints of the pairs that only the whole block decides: all inactive.
    doubtful: Vec<bool>,
}

impl Found {
    fn none(len: usize) -> Self {
        Self { refuting: None, open: None, doubtful: vec![false; len] }
    }

    fn join(mut self, other: Self) -> Self {
        let first = |l: Option<(usize, usize)>, r: Option<(usize, usize)>| match (l, r) {
            (Some(l), Some(r)) => Some(l.min(r)),
            (l, r) => l.or(r),
        };
        self.refuting = first(self.refuting, other.refuting);
        self.open = first(self.open, other.open);
        self.doubtful.iter_mut().zip(other.doubtful).for_each(|(l, r)| *l |= r);
        self
    }
}

impl Pairs {
    /// Decides theorem `regime-boundary`, item 1, at the price `gamma`: nothing rests on
    /// rounding. The observer is polled once a datapoint. O(nN²), and O(K³) for K
    /// inactive datapoints that the pairs do not decide.
    pub(crate) fn regime(&self, gamma: f64, observer: &dyn Observer) -> Regime {
        if gamma == 0.0 {
            // B_ij(0) ≥ 0 for every pair: the theorem's proof, item 2.
            return Regime::Optimal;
        }
        let whitened: Vec<Whitened> = (0..self.len()).map(|i| self.whitened(i, gamma)).collect();
        let found: Result<Found, Interrupt> = (0..self.len())
            .into_par_iter()
            .try_fold(
                || Found::none(self.len()),
                |mut found, i| match observer.poll() {
                    ControlFlow::Break(interrupt) => Err(interrupt),
                    ControlFlow::Continue(()) => {
                        self.check_row(&whitened, i, &mut found);
                        Ok(found)
                    }
                },
            )
            .try_reduce(|| Found::none(self.len()), |l, r| Ok(l.join(r)));
        let found = match found {
            Ok(found) => found,
            Err(interrupt) => return Regime::Stopped(interrupt.into()),
        };
        let named = |(i, j): (usize, usize)| (self.index[i], self.index[j]);
        if let Some(pair) = found.refuting {
            return Regime::Shared { pair: named(pair) };
        }
        if let Some(pair) = found.open {
            return Regime::Borderline { pair: named(pair) };
        }
        // Entries outside the doubtful rows are proved nonnegative: only their block
        // decides.
        let block: Vec<usize> = (0..self.len()).filter(|&i| found.doubtful[i]).collect();
        if block.is_empty() || self.definite(&whitened, &block) {
            return Regime::Optimal;
        }
        if let [i, j] = block[..] {
            let entry = self.entry(&whitened, i, j);
            let product = whitened[i].slack.mul(whitened[j].slack);
            let allowed = entry.square().hi <= product.lo;
            return if allowed { Regime::Optimal } else { Regime::Borderline { pair: named((i, j)) } };
        }
        let active = whitened.iter().filter(|w| w.active).count();
        Regime::Undecided { inactive: self.datapoints - active }
    }

    fn whitened(&self, i: usize, gamma: f64) -> Whitened {
        let one = Interval::point(1.0);
        let ratio = Interval::point(gamma).div(Interval::point(self.lambda)).square();
        // κᵢ²/(λ²wᵢ), and ‖xᵢ‖²wᵢ/κᵢ².
        let dearer = one.add(ratio.div(Interval::point(self.weights[i])));
        let share = self.lengths[i].square().div(dearer);
        let capped = |v: f64| min(v, 1.0);
        let root = share.sqrt();
        Whitened {
            price: one.div(dearer.sqrt()),
            kept: Interval { lo: capped(root.lo), hi: capped(root.hi) },
            slack: Interval {
                lo: max((1.0 - share.hi).next_down(), 0.0),
                hi: if share.lo > 1.0 { 0.0 } else { max((1.0 - share.lo).next_up(), 0.0) },
            },
            active: share.lo > 1.0,
            inactive: share.hi <= 1.0,
        }
    }

    /// The entry `(λ²aᵢaⱼ − cᵢⱼρᵢρⱼ)/(κᵢκⱼ)` of two datapoints, enclosed.
    fn entry(&self, whitened: &[Whitened], i: usize, j: usize) -> Interval {
        let cosine = dot(self.units.col(i), self.units.col(j));
        let cosine = Interval::around(cosine, COSINE_ERRORS * self.unit_error);
        let (one, other) = (&whitened[i], &whitened[j]);
        one.price.mul(other.price).sub(cosine.mul(one.kept.mul(other.kept)))
    }

    /// The pairs of datapoint `i` with the later ones, up to the first that refutes.
    fn check_row(&self, whitened: &[Whitened], i: usize, found: &mut Found) {
        let mine = &whitened[i];
        for j in i + 1..self.len() {
            let theirs = &whitened[j];
            let entry = self.entry(whitened, i, j);
            if entry.lo >= 0.0 {
                continue;
            }
            let exceeds = entry.square().lo > mine.slack.mul(theirs.slack).hi;
            if entry.hi < 0.0 && (mine.active || theirs.active || exceeds) {
                found.refuting = found.refuting.map_or(Some((i, j)), |first| Some(first.min((i, j))));
                return;
            }
            if mine.inactive && theirs.inactive {
                (found.doubtful[i], found.doubtful[j]) = (true, true);
            } else {
                found.open = found.open.map_or(Some((i, j)), |first| Some(first.min((i, j))));
            }
        }
    }

    /// Whether the block of these inactive datapoints is proved positive semidefinite:
    /// a Cholesky of its midpoints, its diagonal lowered by the radii of each row
    /// (Gershgorin) and by what the factorization's own rounding may hide.
    fn definite(&self, whitened: &[Whitened], block: &[usize]) -> bool {
        let size = block.len();
        if size > LARGEST_BLOCK {
            return false;
        }
        let mut middles = Matrix::zeros(size, size);
        let mut radii = vec![0.0; size];
        middles.as_mut_slice().par_chunks_mut(size).zip(&mut radii).enumerate().for_each(
            |(b, (column, radius))| {
                for (a, value) in column.iter_mut().enumerate().filter(|(a, _)| *a != b) {
                    let entry = self.entry(whitened, block[a.min(b)], block[a.max(b)]);
                    *value = 0.5 * (entry.lo + entry.hi);
                    let reach = max(entry.hi - *value, *value - entry.lo).next_up();
                    *radius = (*radius + reach).next_up();
                }
            },
        );
        let trace: f64 = block.iter().map(|&i| whitened[i].slack.lo).sum();
        // Twice what `psd` can lose on this trace.
        let shift = 2.0 * rounding::gamma(2 * size + DIRECTION_ROUNDINGS) * trace + f64::MIN_POSITIVE;
        for (a, (&i, &radius)) in block.iter().zip(&radii).enumerate() {
            middles.col_mut(a)[a] = ((whitened[i].slack.lo - radius).next_down() - shift).next_down();
        }
        psd::negative_part_bound(&middles).is_some_and(|lost| lost <= shift)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// A lower bound needs every block row; an upper one does not.
    #[test]
    fn a_missing_row_proves_nothing_from_below() {
        #[expect(clippy::cast_precision_loss, reason = "small integers")]
        let x = Matrix::from_fn(2, 2 * BLOCK + 1, |axis, i| {
            let angle = 0.01 * (i as f64 + 0.1 * (i as f64).sin());
            if axis == 0 { angle.cos() } else { angle.sin() }
        });
        let problem = Problem::builder(x).lambda(0.3).build().unwrap();
        let pairs = Pairs::new(&problem).unwrap();
        let rows: Vec<BlockRow> =
            (0..pairs.block_rows()).map(|row| pairs.block_row(row, f64::INFINITY, &()).unwrap()).collect();
        let whole = pairs.boundary(&rows, Stop::ToleranceMet);
        assert!(rows.len() == 3 && whole.lower.get() > 0.0);
        assert!(whole.lower.get() <= whole.gamma && whole.gamma <= whole.upper.get());
        for missing in 0..3 {
            let mut some = rows.clone();
            // Another row twice does not stand for it.
            some[missing] = rows[(missing + 1) % 3];
            let part = pairs.boundary(&some, Stop::Cancelled);
            assert!(part.lower.get() <= 0.0 && part.upper.get() >= whole.gamma);
        }
    }
}
