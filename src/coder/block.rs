//! The coder's fast path: a block of datapoints at a time.
//!
//! Every datapoint holds a working set of atoms. A round is one product `DᵀR` for all
//! datapoints of the block still open, in single precision: it names the few atoms whose
//! exact correlations give every datapoint its gap, and the atoms that violate most. Those
//! enter the working set, and the problem over it is solved to rounding. What resists
//! (dependent atoms, a tolerance below rounding) is handed to the active-set method.

use super::active_set::{ActiveSet, Datapoint};
use super::candidates::{Candidate, above, keep_largest, largest};
use super::gap::objective;
use super::screen::{Screen, single};
use super::working_set::{Scratch, WorkingSet};
use super::{Demand, Work};
use crate::linalg::{Matrix, axpy, dot, norm, simd};
use crate::num::max;
use crate::observer::Observer;

/// Atoms that enter an empty working set, those of the largest `d_kᵀx`. Fewer take
/// more rounds, more make the problems over the set larger than the codes need.
const FIRST: usize = 24;

/// Share of the largest `d_kᵀx` that the first atoms reach. Many atoms pass λ while nothing
/// is explained, and those below this share seldom stay. At 0.25 sparse mixtures take a
/// fifth longer, at 0.7 a round more; on digits and word representations the times
/// scatter more than they differ.
const PROMISING: f64 = 0.5;

/// Atoms that enter in a later round at most, besides one for every two in use.
const LATER: usize = 8;

/// Rounds before a datapoint is handed over. Data take three to six; codes of
/// hundreds of atoms a dozen.
const MAX_ROUNDS: usize = 60;

/// Atoms of a foreign start that are taken up, those of the largest codes: their Gram matrix
/// is held for every datapoint of a block, 512 kB each.
const MAX_START: usize = 256;

/// The codes of a block, one datapoint after another.
#[derive(Default)]
pub(super) struct Coded {
    /// Nonzero codes a datapoint.
    pub(super) lengths: Vec<usize>,
    /// Atoms with their codes, ascending in the atom within a datapoint.
    pub(super) entries: Vec<(usize, f64)>,
    /// Objective a datapoint.
    pub(super) objectives: Vec<f64>,
    /// Duality gap a datapoint.
    pub(super) gaps: Vec<f64>,
    /// Datapoints whose gap leaves rounding out.
    pub(super) at_rounding: usize,
    /// What it took.
    pub(super) work: Work,
}

/// The datapoints of a block, end to end, with the codes they start from: one for every
/// datapoint, or none.
#[derive(Clone, Copy)]
pub(super) struct Block<'x> {
    pub(super) datapoints: &'x [f64],
    pub(super) count: usize,
    pub(super) starts: &'x [Vec<(usize, f64)>],
}

/// A datapoint in a round: its place in the block, the column of its residual, the round.
#[derive(Clone, Copy)]
struct Turn<'x> {
    x: &'x [f64],
    at: usize,
    round: usize,
}

/// Buffers for one block after another.
pub(super) struct Solver<'d> {
    atoms: &'d Matrix,
    screen: &'d Screen,
    gram: Option<&'d Matrix>,
    exact: ActiveSet<'d>,
    sets: Vec<WorkingSet>,
    /// Datapoints of the block still open.
    open: Vec<usize>,
    /// Residuals of those.
    residuals: Vec<f64>,
    /// The same at length 1, in single precision.
    units: Vec<f32>,
    /// Products of `Dᵀ` with those, up to the screen's error.
    correlations: Vec<f32>,
    /// Atoms that may correlate enough, by `correlations`.
    candidates: Vec<Candidate>,
    scratch: Scratch,
}

impl<'d> Solver<'d> {
    /// Buffers for the unit columns of `atoms` and their screen; `gram = DᵀD` where it is
    /// held.
    pub(super) fn new(atoms: &'d Matrix, screen: &'d Screen, gram: Option<&'d Matrix>) -> Self {
        Self {
            atoms,
            screen,
            gram,
            exact: ActiveSet::new(atoms, gram),
            sets: Vec::new(),
            open: Vec::new(),
            residuals: Vec::new(),
            units: Vec::new(),
            correlations: Vec::new(),
            candidates: Vec::new(),
            scratch: Scratch::default(),
        }
    }

    /// Codes a block. Where the observer stops it, datapoints not reached keep the code they
    /// started from, with the objective as their gap: 0 is a lower bound.
    pub(super) fn solve(&mut self, block: &Block<'_>, demand: &Demand, observer: &dyn Observer) -> Coded {
        if observer.poll().is_break() {
            return self.untouched(block, demand);
        }
        let n = self.atoms.nrows();
        let mut coded = Coded::default();
        self.begin(block, demand, &mut coded.work);
        let mut round = 0;
        while !self.open.is_empty() {
            if round > 0 && observer.poll().is_break() {
                for (&i, residual) in self.open.iter().zip(self.residuals.chunks_exact(n)) {
                    self.sets[i].measure_roughly(residual, demand.lambda);
                }
                break;
            }
            let width = self.open.len();
            self.screen.correlate(&self.residuals[..n * width], &mut self.units, &mut self.correlations);
            coded.work.products += width;
            let mut kept = 0;
            for at in 0..width {
                let i = self.open[at];
                let x = &block.datapoints[i * n..(i + 1) * n];
                if self.advance(i, Turn { x, at, round }, demand, &mut coded.work, observer) {
                    // Its residual for the next round; those before `at` are read.
                    self.sets[i].residual(x, self.atoms, &mut self.residuals[kept * n..(kept + 1) * n]);
                    self.open[kept] = i;
                    kept += 1;
                }
            }
            self.open.truncate(kept);
            round += 1;
        }
        for set in &self.sets[..block.count] {
            coded.push(set.entries(), set.objective, set.gap);
            coded.at_rounding += usize::from(set.at_rounding);
        }
        coded
    }

    /// The codes a block starts from, and what is known of them without a product.
    fn untouched(&self, block: &Block<'_>, demand: &Demand) -> Coded {
        let n = self.atoms.nrows();
        let mut coded = Coded::default();
        let mut residual = vec![0.0; n];
        for (i, x) in block.datapoints.chunks_exact(n).enumerate() {
            let start = block.starts.get(i).map_or(&[][..], Vec::as_slice);
            residual.copy_from_slice(x);
            start.iter().for_each(|&(k, z)| axpy(-z, self.atoms.col(k), &mut residual));
            let l1 = start.iter().map(|(_, z)| z).sum();
            let value = objective(&residual, l1, demand.lambda);
            coded.push(start.iter().copied(), value, value);
        }
        coded
    }

    /// Opens all datapoints of a block, with the residuals of the codes they start from.
    fn begin(&mut self, block: &Block<'_>, demand: &Demand, work: &mut Work) {
        let n = self.atoms.nrows();
        if self.sets.len() < block.count {
            self.sets.resize_with(block.count, WorkingSet::default);
        }
        for (set, x) in self.sets.iter_mut().zip(block.datapoints.chunks_exact(n)).take(block.count) {
            set.begin(x);
        }
        self.residuals.clear();
        self.residuals.extend_from_slice(block.datapoints);
        for (i, code) in block.starts.iter().enumerate() {
            self.resume(i, &block.datapoints[i * n..(i + 1) * n], code, demand, work);
        }
        self.open.clear();
        self.open.extend(0..block.count);
    }

    /// Starts datapoint `i` from a code: the working set is its support, solved anew where
    /// the code is known to be stale.
    fn resume(&mut self, i: usize, x: &[f64], code: &[(usize, f64)], demand: &Demand, work: &mut Work) {
        let (set, scratch) = (&mut self.sets[i], &mut self.scratch);
        let mut largest: Vec<(usize, f64)>;
        let mut start = code;
        if !demand.stale && code.len() > MAX_START {
            largest = code.to_vec();
            largest.sort_by(|l, r| r.1.total_cmp(&l.1).then(l.0.cmp(&r.0)));
            start = &largest[..MAX_START];
        }
        for &(k, z) in start {
            let product = simd(
                #[inline(always)]
                || dot(self.atoms.col(k), x),
            );
            set.append(k, z, product, self.atoms, self.gram);
        }
        if demand.stale && !start.is_empty() && demand.max_steps > 0 {
            // Where it fails, the codes stay nonnegative, and the next round says so.
            simd(
                #[inline(always)]
                || set.settle(demand.lambda, scratch, work),
            );
        }
        let n = x.len();
        set.residual(x, self.atoms, &mut self.residuals[i * n..(i + 1) * n]);
    }

    /// Measures the code of datapoint `i` by the residual and the correlations of this turn,
    /// and improves it; whether it is still open.
    fn advance(
        &mut self,
        i: usize,
        turn: Turn<'_>,
        demand: &Demand,
        work: &mut Work,
        observer: &dyn Observer,
    ) -> bool {
        let previous = self.sets[i].objective;
        let largest = self.measure(i, &turn, demand.lambda);
        let set = &mut self.sets[i];
        if set.gap <= demand.gap_tolerance * set.objective || demand.max_steps == 0 {
            return false;
        }
        if set.objective < previous && turn.round < MAX_ROUNDS.min(demand.max_steps) {
            let fresh = turn.round == 0 && !demand.stale && !set.atoms.is_empty();
            let entered = self.admit(i, &turn, largest, demand.lambda);
            let (set, scratch) = (&mut self.sets[i], &mut self.scratch);
            let settled = (entered || fresh)
                && simd(
                    #[inline(always)]
                    || set.settle(demand.lambda, scratch, work),
                );
            if settled {
                return true;
            }
        }
        // What is left is rounding, dependent atoms, or a problem too hard.
        work.handed_over += 1;
        let warm: Vec<(usize, f64)> = self.sets[i].entries().collect();
        let datapoint = Datapoint { x: turn.x, products: None };
        let exact = self.exact.solve(&datapoint, &warm, demand, observer);
        self.sets[i].replace(exact);
        false
    }

    /// Measures the code of datapoint `i`; gives the largest `d_kᵀr`.
    fn measure(&mut self, i: usize, turn: &Turn<'_>, lambda: f64) -> f64 {
        let (n, m) = (self.atoms.nrows(), self.atoms.ncols());
        let residual = &self.residuals[turn.at * n..(turn.at + 1) * n];
        let correlations = &self.correlations[turn.at * m..(turn.at + 1) * m];
        let (set, candidates, atoms) = (&mut self.sets[i], &mut self.candidates, self.atoms);
        let error = self.screen.error();
        simd(
            #[inline(always)]
            || {
                // Those that the screen cannot tell from the largest.
                let rough = largest(correlations);
                above(correlations, rough - 2.0 * error, candidates);
                let exact = candidates.iter().map(|c| dot(atoms.col(c.atom()), residual));
                let largest = exact.fold(0.0, max);
                set.measure(turn.x, residual, largest, lambda);
                largest
            },
        )
    }

    /// Lets the atoms that violate most into the working set of datapoint `i`; whether there
    /// are any.
    fn admit(&mut self, i: usize, turn: &Turn<'_>, largest: f64, lambda: f64) -> bool {
        let (n, m) = (self.atoms.nrows(), self.atoms.ncols());
        let residual = &self.residuals[turn.at * n..(turn.at + 1) * n];
        let correlations = &self.correlations[turn.at * m..(turn.at + 1) * m];
        let (set, candidates, atoms) = (&mut self.sets[i], &mut self.candidates, self.atoms);
        let (length, error) = (norm(residual), self.screen.error());
        let bound = set.entering_bound(lambda);
        let (bound, entering) = if set.atoms.is_empty() {
            (max(bound, PROMISING * largest), FIRST)
        } else {
            (bound, LATER.max(set.used() / 2))
        };
        simd(
            #[inline(always)]
            || {
                let bound_of_unit = bound / length;
                above(correlations, bound_of_unit - error, candidates);
                let certain = single(bound_of_unit + error);
                // By rounding alone an atom of the set is among them.
                candidates.retain(|c| {
                    let k = c.atom();
                    !set.atoms.contains(&k)
                        && (correlations[k] > certain || dot(atoms.col(k), residual) > bound)
                });
                keep_largest(candidates, entering);
                for k in candidates.iter().map(|c| c.atom()) {
                    set.admit(k, dot(atoms.col(k), residual), atoms, self.gram);
                }
            },
        );
        !candidates.is_empty()
    }
}

impl Coded {
    pub(super) fn push(&mut self, entries: impl Iterator<Item = (usize, f64)>, objective: f64, gap: f64) {
        let from = self.entries.len();
        self.entries.extend(entries);
        self.entries[from..].sort_unstable_by_key(|(k, _)| *k);
        self.lengths.push(self.entries.len() - from);
        self.objectives.push(objective);
        self.gaps.push(gap);
    }
}
