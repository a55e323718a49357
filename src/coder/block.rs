//! The coder's fast path: a block of datapoints at a time.
//!
//! Every datapoint holds a working set of atoms. A round is one product `DᵀR` for all
//! datapoints of the block still open, in single precision: it names the few atoms whose
//! exact correlations give every datapoint its gap, and the atoms that violate most. Those
//! enter the working set, and the problem over it is solved to rounding. Where the residual
//! moves little by that, the same product still tells which atoms can matter, and another is
//! saved. What resists (dependent atoms, a tolerance below rounding) is handed to the active-set
//! method.

use super::active_set::{ActiveSet, Datapoint};
use super::candidates::{Candidate, above, keep_largest, largest};
use super::gap::objective;
use super::screen::{Screen, single};
use super::working_set::{Scratch, WorkingSet};
use super::{Demand, Work};
use crate::linalg::{Matrix, axpy, distance, dot, dots, norm, simd};
use crate::num::max;
use crate::observer::Observer;

/// Atoms that enter an empty working set, those of the largest `d_kᵀx`. Fewer take
/// more rounds, more make the problems over the set larger than the codes need.
const FIRST: usize = 24;

/// Share of the largest `d_kᵀx` that the first atoms reach. Many atoms pass λ while nothing
/// is explained, and those below this share seldom stay. At 0.25 sparse mixtures take a
/// fifth longer, at 0.7 a round more.
const PROMISING: f64 = 0.5;

/// The same where a product is dear: more atoms that do not stay, and a quarter of a product
/// less. It saves a tenth there, and costs a tenth below.
const PROMISING_OF_LARGE: f64 = 0.4;

/// Entries of a dictionary from which a product is dear.
const DEAR: usize = 1 << 17;

/// Atoms that may enter in a later round, or one for every two in use, or half as many as may
/// enter an empty set.
const LATER: usize = 8;

/// Pairs of atoms for one more atom that may enter an empty set: inner products of the atoms
/// that enter cost a sixth of the speed of a product of the dictionary, so that about as many
/// pairs of them as a sixth of the dictionary take as long as it.
const PAIRS: usize = 6;

/// Share of the dictionary, besides the working set, whose exact correlations are cheaper
/// than a product of all of it: they are formed at about a tenth of its speed, and mostly from
/// memory.
const FEW: usize = 32;

/// Rounds before a datapoint is handed over. Data take three to six; codes of
/// hundreds of atoms a dozen.
pub(super) const MAX_ROUNDS: usize = 60;

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

/// Correlations in double precision of a few atoms with one residual.
#[derive(Default)]
struct Exactly {
    atoms: Vec<usize>,
    values: Vec<f64>,
}

impl Exactly {
    #[inline(always)]
    fn correlate(&mut self, candidates: &[Candidate], dictionary: &Matrix, residual: &[f64]) {
        self.atoms.clear();
        self.atoms.extend(candidates.iter().map(|c| c.atom()));
        self.values.clear();
        self.values.resize(self.atoms.len(), 0.0);
        dots(dictionary, &self.atoms, residual, &mut self.values);
    }

    /// The largest, at least 0.
    #[inline(always)]
    fn largest(&self) -> f64 {
        self.values.iter().copied().fold(0.0, max)
    }
}

/// What becomes of a datapoint.
enum Next {
    /// Its code is within the tolerance.
    Done,
    /// It needs a product of the whole dictionary.
    Product,
    /// Rounding, dependent atoms, or a problem too hard are left.
    HandOver,
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
    /// Exact correlations of some.
    exactly: Exactly,
    /// Marks the atoms of one working set, while it is looked at.
    member: Vec<bool>,
    /// Residual of one datapoint.
    fresh: Vec<f64>,
    /// Terms of a residual.
    terms: Vec<(usize, f64)>,
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
            exactly: Exactly::default(),
            member: vec![false; atoms.ncols()],
            fresh: vec![0.0; atoms.nrows()],
            terms: Vec::new(),
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
                    let residual = &mut self.residuals[kept * n..(kept + 1) * n];
                    self.sets[i].residual(x, self.atoms, &mut self.terms, residual);
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
        set.extend(start.iter().copied(), x, self.atoms, self.gram);
        if demand.stale && !start.is_empty() && demand.max_steps > 0 {
            // Where it fails, the codes stay nonnegative, and the next round says so.
            simd(
                #[inline(always)]
                || set.settle(demand.lambda, scratch, work),
            );
        }
        let n = x.len();
        set.residual(x, self.atoms, &mut self.terms, &mut self.residuals[i * n..(i + 1) * n]);
    }

    /// Improves the code of datapoint `i` by the residual and the correlations of this turn, or
    /// hands it over; whether it is still open.
    fn advance(
        &mut self,
        i: usize,
        turn: Turn<'_>,
        demand: &Demand,
        work: &mut Work,
        observer: &dyn Observer,
    ) -> bool {
        match self.improve(i, &turn, demand, work) {
            Next::Done => return false,
            Next::Product => return true,
            Next::HandOver => {}
        }
        work.handed_over += 1;
        let warm: Vec<(usize, f64)> = self.sets[i].entries().collect();
        let datapoint = Datapoint { x: turn.x, products: None };
        let exact = self.exact.solve(&datapoint, &warm, demand, observer);
        self.sets[i].replace(exact);
        false
    }

    /// Measures and improves the code of datapoint `i`, as far as one product goes.
    fn improve(&mut self, i: usize, turn: &Turn<'_>, demand: &Demand, work: &mut Work) -> Next {
        let previous = self.sets[i].objective;
        let largest = self.measure(i, turn, demand);
        let set = &self.sets[i];
        if set.gap <= demand.gap_tolerance * set.objective || demand.max_steps == 0 {
            return Next::Done;
        }
        if !(set.objective < previous) || turn.round >= MAX_ROUNDS.min(demand.max_steps) {
            return Next::HandOver;
        }
        let fresh = turn.round == 0 && !demand.stale && !set.atoms.is_empty();
        self.choose(i, turn, largest, demand.lambda);
        if self.candidates.is_empty() && !fresh {
            return Next::HandOver;
        }
        for _ in turn.round..MAX_ROUNDS.min(demand.max_steps) {
            if !self.enter(i, turn.x, demand.lambda, work) {
                return Next::HandOver;
            }
            if let Some(next) = self.confirm(i, turn, demand, work) {
                return next;
            }
        }
        Next::Product
    }

    /// Measures the code of datapoint `i`; gives the largest `d_kᵀr` up to the screen's error.
    /// Its gap is exact where it may be within the tolerance, else that error too large.
    fn measure(&mut self, i: usize, turn: &Turn<'_>, demand: &Demand) -> f64 {
        let (n, m) = (self.atoms.nrows(), self.atoms.ncols());
        let residual = &self.residuals[turn.at * n..(turn.at + 1) * n];
        let correlations = &self.correlations[turn.at * m..(turn.at + 1) * m];
        let (set, candidates, atoms) = (&mut self.sets[i], &mut self.candidates, self.atoms);
        let exactly = &mut self.exactly;
        let error = self.screen.error();
        simd(
            #[inline(always)]
            || {
                let length = norm(residual);
                let rough = largest(correlations);
                let worth = set.worth(turn.x, residual, demand.lambda);
                let least = worth.gap(max(rough - error, 0.0) * length);
                if least > demand.gap_tolerance * worth.objective && demand.max_steps > 0 {
                    set.note(&worth, (rough + error) * length);
                } else {
                    // Those that the screen cannot tell from the largest.
                    above(correlations, rough - 2.0 * error, candidates);
                    exactly.correlate(candidates, atoms, residual);
                    set.note(&worth, exactly.largest());
                }
                rough * length
            },
        )
    }

    /// Chooses the atoms that violate most, to enter the working set of datapoint `i`.
    fn choose(&mut self, i: usize, turn: &Turn<'_>, largest: f64, lambda: f64) {
        let (n, m) = (self.atoms.nrows(), self.atoms.ncols());
        let residual = &self.residuals[turn.at * n..(turn.at + 1) * n];
        let correlations = &self.correlations[turn.at * m..(turn.at + 1) * m];
        let (set, candidates, atoms) = (&self.sets[i], &mut self.candidates, self.atoms);
        let (length, error) = (norm(residual), self.screen.error());
        let bound = set.entering_bound(lambda);
        let (bound, entering) = if set.atoms.is_empty() {
            let share = if n * m < DEAR { PROMISING } else { PROMISING_OF_LARGE };
            (max(bound, share * largest), FIRST.max((m / PAIRS).isqrt()))
        } else {
            (bound, later(m, set.used()))
        };
        // By rounding alone an atom of the set is among them.
        set.atoms.iter().for_each(|&k| self.member[k] = true);
        let member = &self.member;
        simd(
            #[inline(always)]
            || {
                let bound_of_unit = bound / length;
                above(correlations, bound_of_unit - error, candidates);
                let certain = single(bound_of_unit + error);
                candidates.retain(|c| {
                    let k = c.atom();
                    !member[k] && (correlations[k] > certain || dot(atoms.col(k), residual) > bound)
                });
            },
        );
        keep_largest(candidates, entering);
        set.atoms.iter().for_each(|&k| self.member[k] = false);
    }

    /// Lets the chosen atoms into the working set of datapoint `i` and solves the problem over
    /// it; whether that worked.
    fn enter(&mut self, i: usize, x: &[f64], lambda: f64, work: &mut Work) -> bool {
        let (set, scratch) = (&mut self.sets[i], &mut self.scratch);
        let new = self.candidates.iter().map(|c| (c.atom(), 0.0));
        set.extend(new, x, self.atoms, self.gram);
        simd(
            #[inline(always)]
            || set.settle(lambda, scratch, work),
        )
    }

    /// What becomes of datapoint `i` with its new code, as far as that can be told without a
    /// product; `None` where atoms were chosen that violate.
    fn confirm(&mut self, i: usize, turn: &Turn<'_>, demand: &Demand, work: &mut Work) -> Option<Next> {
        let previous = self.sets[i].objective;
        if !self.measure_moved(i, turn, demand.lambda) {
            return Some(Next::Product);
        }
        work.screened += 1;
        let (set, candidates) = (&self.sets[i], &mut self.candidates);
        if set.gap <= demand.gap_tolerance * set.objective {
            return Some(Next::Done);
        }
        if !(set.objective < previous) {
            return Some(Next::HandOver);
        }
        let bound = set.entering_bound(demand.lambda);
        candidates.clear();
        for (&k, &value) in self.exactly.atoms.iter().zip(&self.exactly.values) {
            if value > bound && !set.atoms.contains(&k) {
                candidates.push(Candidate::new(single(value / bound), k));
            }
        }
        keep_largest(candidates, later(self.atoms.ncols(), set.used()));
        candidates.is_empty().then_some(Next::HandOver)
    }

    /// Measures the new code of datapoint `i` where its residual r has moved so little from that
    /// of this turn, s, that few atoms can reach λ, since `d_kᵀr ≤ d_kᵀs + ‖r − s‖` (theorem
    /// `rounding`, item 13); whether it has.
    fn measure_moved(&mut self, i: usize, turn: &Turn<'_>, lambda: f64) -> bool {
        let (n, m) = (self.atoms.nrows(), self.atoms.ncols());
        let (set, fresh) = (&mut self.sets[i], &mut self.fresh[..]);
        set.residual(turn.x, self.atoms, &mut self.terms, fresh);
        let residual = &self.residuals[turn.at * n..(turn.at + 1) * n];
        let correlations = &self.correlations[turn.at * m..(turn.at + 1) * m];
        let (candidates, atoms, exactly) = (&mut self.candidates, self.atoms, &mut self.exactly);
        let error = self.screen.error();
        let few = set.atoms.len() + m / FEW;
        simd(
            #[inline(always)]
            || {
                let room = lambda - distance(residual, fresh) * (1.0 + error);
                if !(room > 0.0) {
                    return false;
                }
                above(correlations, room / norm(residual) - error, candidates);
                if candidates.len() > few {
                    return false;
                }
                exactly.correlate(candidates, atoms, fresh);
                set.note(&set.worth(turn.x, fresh, lambda), exactly.largest());
                true
            },
        )
    }
}

/// Atoms that may enter a set of which some are used, of a dictionary of `len`.
pub(super) fn later(len: usize, used: usize) -> usize {
    LATER.max(used / 2).max((len / PAIRS).isqrt() / 2)
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
