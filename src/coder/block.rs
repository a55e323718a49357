//! The coder's fast path: a block of datapoints at a time.
//!
//! Every datapoint holds a working set W of atoms with their Gram matrix. A round
//! is one product `DᵀR` for all datapoints of the block still open, in single
//! precision: it names the few atoms whose exact correlations give every datapoint its
//! gap and the atoms that violate most. Those enter W, and the problem over W is solved
//! to rounding: sweeps of coordinate descent find the support, a Cholesky factor of its
//! Gram matrix the codes. What resists (dependent atoms, a tolerance below rounding) is
//! handed to the exact active-set method.

use super::Work;
use super::active_set::{DEPENDENT, Point, VIOLATION, Workspace};
use super::screen::{Screen, single};
use crate::linalg::{Matrix, axpy, dot, norm, norm_sq, simd};
use crate::num::max;

/// Atoms that enter W while it is empty, those of the largest `d_kᵀx`. Fewer take
/// more rounds, more make the problems over W larger than the codes need.
const FIRST: usize = 24;

/// What the first atoms reach of the largest `d_kᵀx` at least: of the many that pass λ
/// while nothing is explained, those below seldom stay. At 0.25 sparse mixtures take a
/// fifth longer, at 0.7 a round more; on digits and word representations the times
/// scatter more than they differ.
const PROMISING: f64 = 0.5;

/// Atoms that enter W in a later round at most, besides one for every two in use.
const LATER: usize = 8;

/// Rounds before a datapoint is handed over. Data take three to six; codes of
/// hundreds of atoms a dozen.
const ROUNDS: usize = 60;

/// Coordinate descent rests when no code moves by more than this, relative to the
/// largest. Looser, and supports found are wrong more often, each time at the price
/// of a factor; tighter costs sweeps.
const SETTLED: f64 = 0.01;

/// Sweeps between two factors at most: as many as a factor of a usual support costs.
const SWEEPS: usize = 20;

/// Factors over one working set before a datapoint is handed over.
const FACTORS: usize = 20;

/// Entries the columns of a local Gram matrix are padded to: one vector of the sums.
const LANES: usize = 8;

/// The codes of a block, one datapoint after another.
#[derive(Default)]
pub(super) struct Coded {
    /// Nonzero codes a datapoint.
    pub(super) lengths: Vec<usize>,
    /// Atoms with their codes, ascending in the atom within a datapoint.
    pub(super) entries: Vec<(usize, f64)>,
    /// Objective a datapoint.
    pub(super) objectives: Vec<f64>,
    /// Gap a datapoint.
    pub(super) gaps: Vec<f64>,
    /// What it took.
    pub(super) work: Work,
}

/// What is asked of a block.
#[derive(Clone, Copy)]
pub(super) struct Demand {
    /// λ.
    pub(super) lambda: f64,
    /// Relative gap at which a datapoint is done.
    pub(super) tolerance: f64,
    /// Rounds, and steps of the active-set method, at most.
    pub(super) limit: usize,
}

/// Buffers for one block after another.
pub(super) struct Solver<'d> {
    atoms: &'d Matrix,
    screen: &'d Screen,
    gram: Option<&'d Matrix>,
    exact: Workspace<'d>,
    slots: Vec<Slot>,
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

/// A datapoint under way.
#[derive(Default)]
struct Slot {
    /// W.
    set: Vec<usize>,
    /// Codes of W.
    code: Vec<f64>,
    /// `D_Wᵀx`.
    start: Vec<f64>,
    /// `D_WᵀD_W`, column k from `k · stride` on.
    gram: Vec<f64>,
    /// A multiple of [`LANES`], at least the length of W.
    stride: usize,
    objective: f64,
    gap: f64,
}

/// Buffers of the problem over W.
#[derive(Default)]
struct Scratch {
    /// `D_Wᵀr`, padded.
    correlations: Vec<f64>,
    /// Positions in W of the support.
    support: Vec<usize>,
    /// Lower factor by rows, each as long as the support.
    factor: Vec<f64>,
    /// Codes of the support.
    target: Vec<f64>,
}

impl<'d> Solver<'d> {
    /// Buffers for the unit columns of `atoms` and their screen; `gram = DᵀD` where it is
    /// held.
    pub(super) fn new(atoms: &'d Matrix, screen: &'d Screen, gram: Option<&'d Matrix>) -> Self {
        Self {
            atoms,
            screen,
            gram,
            exact: Workspace::new(atoms, gram),
            slots: Vec::new(),
            open: Vec::new(),
            residuals: Vec::new(),
            units: Vec::new(),
            correlations: Vec::new(),
            candidates: Vec::new(),
            scratch: Scratch::default(),
        }
    }

    /// Codes the datapoints that lie end to end in `points`, from the codes in `warm`
    /// where there are any: one for every datapoint, or none.
    pub(super) fn solve(
        &mut self,
        points: &[f64],
        count: usize,
        warm: &[Vec<(usize, f64)>],
        demand: &Demand,
    ) -> Coded {
        let n = self.atoms.nrows();
        let mut coded = Coded::default();
        if self.slots.len() < count {
            self.slots.resize_with(count, Slot::default);
        }
        self.slots[..count].iter_mut().for_each(Slot::clear);
        self.residuals.clear();
        self.residuals.extend_from_slice(points);
        for (i, code) in warm.iter().enumerate() {
            self.resume(i, &points[i * n..(i + 1) * n], code, demand, &mut coded.work);
        }
        self.open.clear();
        self.open.extend(0..count);
        let mut round = 0;
        while !self.open.is_empty() {
            let width = self.open.len();
            self.screen.correlate(&self.residuals[..n * width], &mut self.units, &mut self.correlations);
            coded.work.products += width;
            let mut kept = 0;
            for at in 0..width {
                let i = self.open[at];
                let x = &points[i * n..(i + 1) * n];
                if self.advance(i, at, x, round, demand, &mut coded.work) {
                    // Its residual for the next round; those before `at` are read.
                    self.slots[i].residual(x, self.atoms, &mut self.residuals[kept * n..(kept + 1) * n]);
                    self.open[kept] = i;
                    kept += 1;
                }
            }
            self.open.truncate(kept);
            round += 1;
        }
        for slot in &self.slots[..count] {
            let from = coded.entries.len();
            let used = slot.set.iter().copied().zip(slot.code.iter().copied()).filter(|(_, z)| *z > 0.0);
            coded.entries.extend(used);
            coded.entries[from..].sort_unstable_by_key(|(k, _)| *k);
            coded.lengths.push(coded.entries.len() - from);
            coded.objectives.push(slot.objective);
            coded.gaps.push(slot.gap);
        }
        coded
    }

    /// Starts datapoint `i` from a code: W is its support, solved anew.
    fn resume(&mut self, i: usize, x: &[f64], code: &[(usize, f64)], demand: &Demand, work: &mut Work) {
        let (slot, scratch) = (&mut self.slots[i], &mut self.scratch);
        for &(k, z) in code {
            let product = simd(
                #[inline(always)]
                || dot(self.atoms.col(k), x),
            );
            slot.append(k, z, product, self.atoms, self.gram);
        }
        if !code.is_empty() && demand.limit > 0 {
            // Where it fails, the codes stay nonnegative, and the next round says so.
            simd(
                #[inline(always)]
                || slot.settle(demand.lambda, scratch, work),
            );
        }
        let n = x.len();
        slot.residual(x, self.atoms, &mut self.residuals[i * n..(i + 1) * n]);
    }

    /// Certifies the code of datapoint `i`, whose residual and correlations are in
    /// column `at`, and improves it; whether it is still open.
    fn advance(
        &mut self,
        i: usize,
        at: usize,
        x: &[f64],
        round: usize,
        demand: &Demand,
        work: &mut Work,
    ) -> bool {
        let (n, m) = (self.atoms.nrows(), self.atoms.ncols());
        let Demand { lambda, tolerance, limit } = *demand;
        let residual = &self.residuals[at * n..(at + 1) * n];
        let correlations = &self.correlations[at * m..(at + 1) * m];
        let slot = &mut self.slots[i];
        let previous = slot.objective;
        let (candidates, atoms) = (&mut self.candidates, self.atoms);
        let (length, error) = (norm(residual), self.screen.error());
        let largest = simd(
            #[inline(always)]
            || {
                // Those that the screen cannot tell from the largest.
                let rough = largest(correlations);
                above(correlations, rough - 2.0 * error, candidates);
                let exact = candidates.iter().map(|c| dot(atoms.col(c.atom()), residual));
                let largest = exact.fold(0.0, max);
                slot.certify(x, residual, largest, lambda);
                largest
            },
        );
        if slot.gap <= tolerance * slot.objective || limit == 0 {
            return false;
        }
        if slot.objective < previous && round < ROUNDS.min(limit) {
            let (bound, entering) = if slot.set.is_empty() {
                (max(lambda * (1.0 + VIOLATION), PROMISING * largest), FIRST)
            } else {
                (lambda * (1.0 + VIOLATION), LATER.max(slot.used() / 2))
            };
            simd(
                #[inline(always)]
                || {
                    let bound_of_unit = bound / length;
                    above(correlations, bound_of_unit - error, candidates);
                    let certain = single(bound_of_unit + error);
                    // By rounding alone an atom of W is among them.
                    candidates.retain(|c| {
                        let k = c.atom();
                        !slot.set.contains(&k)
                            && (correlations[k] > certain || dot(atoms.col(k), residual) > bound)
                    });
                    keep_largest(candidates, entering);
                    for k in candidates.iter().map(|c| c.atom()) {
                        slot.admit(k, dot(atoms.col(k), residual), atoms, self.gram);
                    }
                },
            );
            if !candidates.is_empty() {
                let (scratch, local) = (&mut self.scratch, &mut *slot);
                if simd(
                    #[inline(always)]
                    || local.settle(lambda, scratch, work),
                ) {
                    return true;
                }
            }
        }
        // What is left is rounding, dependent atoms, or a problem too hard.
        work.handed_over += 1;
        let warm: Vec<(usize, f64)> =
            slot.set.iter().copied().zip(slot.code.iter().copied()).filter(|(_, z)| *z > 0.0).collect();
        let exact = self.exact.solve(&Point { x, products: None, lambda }, &warm, tolerance, limit);
        slot.set.clear();
        slot.code.clear();
        for (k, z) in exact.code {
            slot.set.push(k);
            slot.code.push(z);
        }
        (slot.objective, slot.gap) = (exact.objective, exact.gap);
        false
    }
}

impl Slot {
    fn clear(&mut self) {
        self.set.clear();
        self.code.clear();
        self.start.clear();
        self.objective = f64::INFINITY;
        self.gap = f64::INFINITY;
    }

    /// Atoms in use.
    fn used(&self) -> usize {
        self.code.iter().filter(|z| **z > 0.0).count()
    }

    /// Objective and gap (theorem `coding-gap`) from the residual and the largest
    /// `d_kᵀr`.
    #[inline(always)]
    fn certify(&mut self, x: &[f64], residual: &[f64], largest: f64, lambda: f64) {
        let l1: f64 = self.code.iter().sum();
        let energy = norm_sq(residual);
        let scale = if largest > lambda { lambda / largest } else { 1.0 };
        let dual = scale * dot(x, residual) - 0.5 * scale * scale * energy;
        self.objective = 0.5 * energy + lambda * l1;
        self.gap = max(self.objective - max(dual, 0.0), 0.0);
    }

    /// `x − D_W z`.
    fn residual(&self, x: &[f64], atoms: &Matrix, residual: &mut [f64]) {
        simd(
            #[inline(always)]
            || {
                residual.copy_from_slice(x);
                for (&k, &z) in self.set.iter().zip(&self.code) {
                    if z > 0.0 {
                        axpy(-z, atoms.col(k), residual);
                    }
                }
            },
        );
    }

    /// Puts atom `k`, with `d_kᵀr = correlation`, into W at code 0.
    fn admit(&mut self, k: usize, correlation: f64, atoms: &Matrix, gram: Option<&Matrix>) {
        let size = self.set.len();
        self.append(k, 0.0, correlation, atoms, gram);
        let column = &self.gram[size * self.stride..size * self.stride + size];
        // d_kᵀx from d_kᵀr.
        let explained: f64 = column.iter().zip(&self.code).map(|(g, z)| g * z).sum();
        self.start[size] += explained;
    }

    /// Puts atom `k`, with `d_kᵀx = product`, into W at a code.
    fn append(&mut self, k: usize, code: f64, product: f64, atoms: &Matrix, gram: Option<&Matrix>) {
        let size = self.set.len();
        if size == self.stride || self.gram.len() < (size + 1) * self.stride {
            self.widen();
        }
        let (stride, set) = (self.stride, &self.set);
        let (before, column) = self.gram.split_at_mut(size * stride);
        match gram {
            Some(gram) => {
                let products = gram.col(k);
                for (value, &j) in column.iter_mut().zip(set) {
                    *value = products[j];
                }
            }
            None => simd(
                #[inline(always)]
                || {
                    for (value, &j) in column.iter_mut().zip(set) {
                        *value = dot(atoms.col(k), atoms.col(j));
                    }
                },
            ),
        }
        column[size] = norm_sq(atoms.col(k));
        for (j, &value) in column[..size].iter().enumerate() {
            before[j * stride + size] = value;
        }
        self.set.push(k);
        self.code.push(code);
        self.start.push(product);
    }

    /// Room for W to double.
    fn widen(&mut self) {
        let (old, size) = (self.stride, self.set.len());
        let stride = (2 * old).max(4 * LANES);
        let mut gram = vec![0.0; stride * stride];
        for j in 0..size {
            gram[j * stride..j * stride + size].copy_from_slice(&self.gram[j * old..j * old + size]);
        }
        (self.gram, self.stride) = (gram, stride);
    }

    /// The codes that are best over W, up to rounding; `false` if they are not found
    /// (the codes stay nonnegative).
    #[inline(always)]
    fn settle(&mut self, lambda: f64, scratch: &mut Scratch, work: &mut Work) -> bool {
        let size = self.set.len();
        let padded = size.next_multiple_of(LANES);
        self.correlate(&mut scratch.correlations, padded);
        for _ in 0..FACTORS {
            for _ in 0..SWEEPS {
                work.sweeps += 1;
                let (change, largest) = self.sweep(lambda, &mut scratch.correlations, padded);
                if change <= SETTLED * largest {
                    break;
                }
            }
            work.factors += 1;
            if !self.minimize(lambda, scratch) {
                return false;
            }
            let mut best = true;
            for (&j, &t) in scratch.support.iter().zip(&scratch.target) {
                best &= t > 0.0;
                self.code[j] = if t > 0.0 { t } else { 0.0 };
            }
            self.correlate(&mut scratch.correlations, padded);
            let bound = lambda * (1.0 + VIOLATION);
            for (&z, &c) in self.code.iter().zip(&scratch.correlations) {
                best &= z > 0.0 || c <= bound;
            }
            if best {
                return true;
            }
        }
        false
    }

    /// `D_Wᵀr` at the present codes.
    #[inline(always)]
    fn correlate(&self, correlations: &mut Vec<f64>, padded: usize) {
        correlations.clear();
        correlations.extend_from_slice(&self.start);
        correlations.resize(padded, 0.0);
        for (j, &z) in self.code.iter().enumerate() {
            if z > 0.0 {
                axpy(-z, &self.gram[j * self.stride..j * self.stride + padded], correlations);
            }
        }
    }

    /// One sweep of coordinate descent; the largest change and the largest code.
    #[inline(always)]
    fn sweep(&mut self, lambda: f64, correlations: &mut [f64], padded: usize) -> (f64, f64) {
        let (mut change, mut largest) = (0.0, 0.0);
        let stride = self.stride;
        let correlations = &mut correlations[..padded];
        for (j, code) in self.code.iter_mut().enumerate() {
            // Unit atoms: the step to the minimum along one is its excess.
            let aim = *code + (correlations[j] - lambda);
            let new = if aim > 0.0 { aim } else { 0.0 };
            let delta = new - *code;
            if delta != 0.0 {
                *code = new;
                axpy(-delta, &self.gram[j * stride..j * stride + padded], correlations);
                change = if delta.abs() > change { delta.abs() } else { change };
            }
            largest = if new > largest { new } else { largest };
        }
        (change, largest)
    }

    /// Writes the support and its codes without the sign constraint; `false` if its
    /// atoms are dependent.
    #[inline(always)]
    fn minimize(&self, lambda: f64, scratch: &mut Scratch) -> bool {
        let Scratch { support, factor, target, .. } = scratch;
        support.clear();
        support.extend(self.code.iter().enumerate().filter(|(_, z)| **z > 0.0).map(|(j, _)| j));
        let size = support.len();
        target.clear();
        target.extend(support.iter().map(|&j| self.start[j] - lambda));
        factor.clear();
        factor.resize(size * size, 0.0);
        for i in 0..size {
            let (above, row) = factor.split_at_mut(i * size);
            let row = &mut row[..=i];
            let products = &self.gram[support[i] * self.stride..];
            for (value, &j) in row.iter_mut().zip(&support[..=i]) {
                *value = products[j];
            }
            let mut left = row[i];
            for j in 0..i {
                let other = &above[j * size..j * size + j + 1];
                // The diagonal holds reciprocals.
                let value = (row[j] - dot(&row[..j], &other[..j])) * other[j];
                row[j] = value;
                left -= value * value;
            }
            if !(left > DEPENDENT) {
                return false;
            }
            row[i] = 1.0 / left.sqrt();
            target[i] = (target[i] - dot(&row[..i], &target[..i])) * row[i];
        }
        for i in (0..size).rev() {
            let row = &factor[i * size..i * size + i + 1];
            let value = target[i] * row[i];
            target[i] = value;
            axpy(-value, &row[..i], &mut target[..i]);
        }
        true
    }
}

/// The largest entry, at least 0.
#[inline(always)]
fn largest(values: &[f32]) -> f64 {
    let mut lanes = [0.0; LANES];
    let (chunks, rest) = values.as_chunks::<LANES>();
    for chunk in chunks {
        for l in 0..LANES {
            lanes[l] = if chunk[l] > lanes[l] { chunk[l] } else { lanes[l] };
        }
    }
    f64::from(lanes.iter().chain(rest).fold(0.0, |l, &v| if v > l { v } else { l }))
}

/// An atom and its correlation, in the order of falling correlations, then atoms: one
/// integer, which sorts without branches.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
struct Candidate(u64);

impl Candidate {
    #[inline(always)]
    fn new(correlation: f32, atom: usize) -> Self {
        let bits = correlation.to_bits();
        // Of negative numbers the larger have the smaller bits.
        let falling = if bits >> 31 == 0 { !bits ^ (1 << 31) } else { bits };
        Self((u64::from(falling) << 32) | atom as u64)
    }

    #[inline(always)]
    #[expect(clippy::cast_possible_truncation, reason = "the lower half is the atom")]
    fn atom(self) -> usize {
        self.0 as u32 as usize
    }
}

/// The entries of at least `bound`, with their places.
#[inline(always)]
fn above(values: &[f32], bound: f64, found: &mut Vec<Candidate>) {
    let bound = single(bound);
    found.clear();
    let (chunks, rest) = values.as_chunks::<LANES>();
    let mut last = [f32::NEG_INFINITY; LANES];
    last[..rest.len()].copy_from_slice(rest);
    for (c, chunk) in chunks.iter().chain([&last]).enumerate() {
        // A bit a lane: most chunks have none.
        let mut places = 0_u32;
        for (l, value) in chunk.iter().enumerate() {
            places |= u32::from(*value >= bound) << l;
        }
        while places != 0 {
            let l = places.trailing_zeros() as usize;
            found.push(Candidate::new(chunk[l], c * LANES + l));
            places &= places - 1;
        }
    }
}

/// Keeps the `count` candidates of the largest correlation, those first; ties by the
/// atom.
fn keep_largest(candidates: &mut Vec<Candidate>, count: usize) {
    if candidates.len() > count {
        candidates.select_nth_unstable(count);
        candidates.truncate(count);
    }
    candidates.sort_unstable();
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn candidates_are_in_falling_order() {
        let falling = [(3.0, 7), (1.0, 2), (1.0, 9), (1e-30, 0), (0.0, 1), (-1e-30, 5), (-2.0, 4)];
        let mut candidates: Vec<Candidate> =
            falling.iter().rev().map(|&(c, k)| Candidate::new(c, k)).collect();
        keep_largest(&mut candidates, falling.len());
        let atoms: Vec<usize> = candidates.iter().map(|c| c.atom()).collect();
        assert_eq!(atoms, falling.map(|(_, k)| k));
    }
}
