//! A working set W of atoms for one datapoint, and the problem over it.
//!
//! Sweeps of coordinate descent find which of W have a positive code, a Cholesky factor of
//! their Gram matrix finds the codes. Both only read the Gram matrix of W, never the atoms.

use super::active_set::DEPENDENT;
use super::gap::{Rounding, Worth, objective};
use super::{DatapointCode, Work};
use crate::linalg::{LANES, Matrix, axpy, axpy_lanes, axpys, dot, dots, norm, simd};
use crate::num::max;

/// Coordinate descent rests when no code moves by more than this, relative to the largest
/// code. Ten times more, and supports found are wrong more often, each time at the price of
/// a factor; ten times less costs sweeps.
const SETTLED: f64 = 0.01;

/// Sweeps between two factors: as many as a factor of a usual support costs.
const MAX_SWEEPS: usize = 20;

/// Factors over one working set before the datapoint is handed over.
const MAX_FACTORS: usize = 20;

/// Entries side by side: the columns of Gram matrices and factors are whole chunks of them.
type Lanes = [f64; LANES];

/// Chunks of a column of the Gram matrix, at least: the first atoms of most datapoints fit.
const LEAST_STRIDE: usize = 4;

/// A datapoint under way.
#[derive(Default)]
pub(super) struct WorkingSet {
    /// W.
    pub(super) atoms: Vec<usize>,
    /// Codes of W.
    pub(super) code: Vec<f64>,
    /// `D_Wᵀx`; −∞ for an atom that is forbidden.
    products: Vec<f64>,
    /// What stood there.
    forbidden: f64,
    /// `D_WᵀD_W`, column j from `j · stride` on.
    gram: Vec<Lanes>,
    /// Chunks of a column: room for W.
    stride: usize,
    /// Dimension of the datapoint.
    dim: usize,
    /// Length of the datapoint.
    length: f64,
    /// Objective of the codes when they were last measured.
    pub(super) objective: f64,
    /// Duality gap of those codes.
    pub(super) gap: f64,
    /// Whether that gap leaves rounding out.
    pub(super) at_rounding: bool,
}

/// Buffers of the problem over a working set.
#[derive(Default)]
pub(super) struct Scratch {
    /// `D_Wᵀr`, padded.
    correlations: Vec<Lanes>,
    /// Positions in W of the support.
    support: Vec<usize>,
    /// Lower factor by columns, padded.
    factor: Vec<Lanes>,
    /// Codes of the support, padded.
    target: Vec<Lanes>,
}

impl WorkingSet {
    /// Starts over for another datapoint.
    pub(super) fn begin(&mut self, x: &[f64]) {
        self.atoms.clear();
        self.code.clear();
        self.products.clear();
        (self.dim, self.length) = (x.len(), norm(x));
        self.objective = f64::INFINITY;
        self.gap = f64::INFINITY;
        self.at_rounding = false;
    }

    /// Number of atoms with a positive code.
    pub(super) fn used(&self) -> usize {
        self.code.iter().filter(|z| **z > 0.0).count()
    }

    /// Sum of the codes.
    #[inline(always)]
    pub(super) fn l1(&self) -> f64 {
        self.code.iter().sum()
    }

    /// The largest `d_kᵀr` at which an atom stays out.
    #[inline(always)]
    pub(super) fn entering_bound(&self, lambda: f64) -> f64 {
        Rounding::new(self.dim, self.used(), self.length, self.l1()).entering_bound(lambda)
    }

    /// The atoms in use with their codes, in no order.
    pub(super) fn entries(&self) -> impl Iterator<Item = (usize, f64)> {
        self.atoms.iter().copied().zip(self.code.iter().copied()).filter(|(_, z)| *z > 0.0)
    }

    /// Takes another code as the result.
    pub(super) fn replace(&mut self, code: DatapointCode) {
        self.atoms.clear();
        self.code.clear();
        for (k, z) in code.entries {
            self.atoms.push(k);
            self.code.push(z);
        }
        (self.objective, self.gap, self.at_rounding) = (code.objective, code.gap, code.at_rounding);
    }

    /// Takes note of what the codes are worth, with a number at least the largest `d_kᵀr`.
    #[inline(always)]
    pub(super) fn note(&mut self, worth: &Worth, largest: f64) {
        self.objective = worth.objective;
        self.gap = worth.gap(largest);
    }

    /// What the codes are worth, by their residual.
    #[inline(always)]
    pub(super) fn worth(&self, x: &[f64], residual: &[f64], lambda: f64) -> Worth {
        Worth::new(objective(residual, self.l1(), lambda), x, residual, lambda)
    }

    /// Measures the codes by the residual alone: of what was measured before, the lower bound
    /// still holds.
    pub(super) fn measure_roughly(&mut self, residual: &[f64], lambda: f64) {
        let known = self.objective - self.gap;
        self.objective = objective(residual, self.l1(), lambda);
        self.gap = max(self.objective - if known.is_finite() { known } else { 0.0 }, 0.0);
    }

    /// Writes `x − D_W z`.
    pub(super) fn residual(
        &self,
        x: &[f64],
        dictionary: &Matrix,
        terms: &mut Vec<(usize, f64)>,
        residual: &mut [f64],
    ) {
        terms.clear();
        terms.extend(self.entries().map(|(k, z)| (k, -z)));
        simd(
            #[inline(always)]
            || {
                residual.copy_from_slice(x);
                axpys(terms, dictionary, residual);
            },
        );
    }

    /// Puts atoms with codes into the set.
    pub(super) fn extend(
        &mut self,
        new: impl Iterator<Item = (usize, f64)>,
        x: &[f64],
        dictionary: &Matrix,
        gram: Option<&Matrix>,
    ) {
        let before = self.atoms.len();
        for (k, z) in new {
            self.atoms.push(k);
            self.code.push(z);
        }
        let size = self.atoms.len();
        self.widen(before, size);
        self.products.resize(size, 0.0);
        let stride = self.stride * LANES;
        simd(
            #[inline(always)]
            || {
                dots(dictionary, &self.atoms[before..], x, &mut self.products[before..]);
                let columns = self.gram.as_flattened_mut();
                for i in before..size {
                    let k = self.atoms[i];
                    let column = &mut columns[i * stride..i * stride + size];
                    match gram {
                        Some(gram) => {
                            let products = gram.col(k);
                            for (value, &j) in column.iter_mut().zip(&self.atoms) {
                                *value = products[j];
                            }
                        }
                        None => dots(dictionary, &self.atoms[..=i], dictionary.col(k), column),
                    }
                }
                // The other half: of the columns before, and of the new ones without Gram matrix.
                for j in 0..if gram.is_some() { before } else { size } {
                    for i in before.max(j + 1)..size {
                        columns[j * stride + i] = columns[i * stride + j];
                    }
                }
            },
        );
    }

    /// Makes room for `size` atoms, and for twice as many as before where that is more.
    fn widen(&mut self, before: usize, size: usize) {
        let (old, used) = (self.stride, before.div_ceil(LANES));
        if size <= old * LANES {
            return;
        }
        let stride = size.div_ceil(LANES).max(2 * old).max(LEAST_STRIDE);
        let mut gram = vec![[0.0; LANES]; stride * stride * LANES];
        for j in 0..before {
            gram[j * stride..j * stride + used].copy_from_slice(&self.gram[j * old..j * old + used]);
        }
        (self.gram, self.stride) = (gram, stride);
    }

    /// Takes the codes `code` of its first atoms, but that of atom `out`, which stays at 0 until
    /// [`WorkingSet::end_without`].
    pub(super) fn start_without(&mut self, out: usize, code: &[(usize, f64)]) {
        self.code.fill(0.0);
        for (to, (_, z)) in self.code.iter_mut().zip(code) {
            *to = *z;
        }
        self.code[out] = 0.0;
        self.forbidden = std::mem::replace(&mut self.products[out], f64::NEG_INFINITY);
    }

    /// Allows atom `out` again.
    pub(super) fn end_without(&mut self, out: usize) {
        self.products[out] = self.forbidden;
    }

    /// The objective of codes that are best over the set: there `½‖x‖² − ½zᵀ(D_Wᵀx − λ)`.
    pub(super) fn settled_value(&self, lambda: f64) -> f64 {
        let used = self.code.iter().zip(&self.products).filter(|(z, _)| **z > 0.0);
        let less: f64 = used.map(|(z, p)| z * (p - lambda)).sum();
        0.5 * (self.length * self.length - less)
    }

    /// Moves to the best codes over the set, up to rounding. Gives `false` where they are not
    /// found: the codes are then some nonnegative ones.
    #[inline(always)]
    pub(super) fn settle(&mut self, lambda: f64, scratch: &mut Scratch, work: &mut Work) -> bool {
        let size = self.atoms.len();
        let padded = size.div_ceil(LANES);
        self.correlations(&mut scratch.correlations, padded);
        for _ in 0..MAX_FACTORS {
            for _ in 0..MAX_SWEEPS {
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
            for (&j, &t) in scratch.support.iter().zip(scratch.target.as_flattened()) {
                best &= t > 0.0;
                self.code[j] = if t > 0.0 { t } else { 0.0 };
            }
            self.correlations(&mut scratch.correlations, padded);
            let bound = self.entering_bound(lambda);
            for (&z, &c) in self.code.iter().zip(scratch.correlations.as_flattened()) {
                best &= z > 0.0 || c <= bound;
            }
            if best {
                return true;
            }
        }
        false
    }

    /// Writes `D_Wᵀr` at the present codes.
    #[inline(always)]
    fn correlations(&self, correlations: &mut Vec<Lanes>, padded: usize) {
        correlations.clear();
        correlations.resize(padded, [0.0; LANES]);
        correlations.as_flattened_mut()[..self.products.len()].copy_from_slice(&self.products);
        for (j, &z) in self.code.iter().enumerate() {
            if z > 0.0 {
                axpy_lanes(-z, &self.gram[j * self.stride..j * self.stride + padded], correlations);
            }
        }
    }

    /// Makes one sweep of coordinate descent; gives the largest change and the largest code.
    #[inline(always)]
    fn sweep(&mut self, lambda: f64, correlations: &mut [Lanes], padded: usize) -> (f64, f64) {
        let (mut change, mut largest) = (0.0, 0.0);
        let stride = self.stride;
        let correlations = &mut correlations[..padded];
        for (j, code) in self.code.iter_mut().enumerate() {
            // Unit atoms: the step to the minimum along one is its excess.
            let aim = *code + (correlations[j / LANES][j % LANES] - lambda);
            let new = if aim > 0.0 { aim } else { 0.0 };
            let delta = new - *code;
            if delta != 0.0 {
                *code = new;
                axpy_lanes(-delta, &self.gram[j * stride..j * stride + padded], correlations);
                change = if delta.abs() > change { delta.abs() } else { change };
            }
            largest = if new > largest { new } else { largest };
        }
        (change, largest)
    }

    /// Writes the support, and the codes that are best over it without the sign constraint.
    /// Gives `false` where its atoms are dependent.
    ///
    /// The factor is built column after column, a chunk of lanes of a column at a time: its
    /// entries depend on each other only through the columns before.
    #[inline(always)]
    fn minimize(&self, lambda: f64, scratch: &mut Scratch) -> bool {
        let Scratch { support, factor, target, .. } = scratch;
        support.clear();
        support.extend(self.code.iter().enumerate().filter(|(_, z)| **z > 0.0).map(|(j, _)| j));
        let size = support.len();
        let padded = size.div_ceil(LANES);
        target.clear();
        target.resize(padded, [0.0; LANES]);
        let values = target.as_flattened_mut();
        for (value, &j) in values.iter_mut().zip(support.iter()) {
            *value = self.products[j] - lambda;
        }
        factor.clear();
        factor.resize(size * padded, [0.0; LANES]);
        for i in 0..size {
            let (before, column) = factor.split_at_mut(i * padded);
            let column = &mut column[..padded];
            let products = self.gram[support[i] * self.stride..(support[i] + 1) * self.stride].as_flattened();
            for (value, &j) in column.as_flattened_mut()[i..].iter_mut().zip(&support[i..]) {
                *value = products[j];
            }
            // What lies above the diagonal in the first chunk is not read.
            for (c, chunk) in column.iter_mut().enumerate().skip(i / LANES) {
                let mut sum = *chunk;
                for other in before.chunks_exact(padded) {
                    let factor = other[i / LANES][i % LANES];
                    for l in 0..LANES {
                        sum[l] -= factor * other[c][l];
                    }
                }
                *chunk = sum;
            }
            let left = column[i / LANES][i % LANES];
            if !(left > DEPENDENT) {
                return false;
            }
            let reciprocal = 1.0 / left.sqrt();
            for chunk in &mut column[i / LANES..] {
                *chunk = chunk.map(|v| v * reciprocal);
            }
            // The diagonal holds reciprocals.
            let column = column.as_flattened_mut();
            column[i] = reciprocal;
            let values = target.as_flattened_mut();
            values[i] *= reciprocal;
            let value = values[i];
            axpy(-value, &column[i + 1..size], &mut values[i + 1..size]);
        }
        let values = target.as_flattened_mut();
        for i in (0..size).rev() {
            let column = factor[i * padded..(i + 1) * padded].as_flattened();
            values[i] = (values[i] - dot(&column[i + 1..size], &values[i + 1..size])) * column[i];
        }
        true
    }
}
