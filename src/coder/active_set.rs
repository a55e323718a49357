//! The active-set method for one datapoint: slower than blocks, and safe where atoms are
//! dependent.
//!
//! Holds a set S of atoms with independent directions and the Cholesky factor L
//! of `D_SᵀD_S`. Each step lets the most violating atom in, then moves to the
//! minimizer on S, dropping atoms whose code would become negative. The
//! objective falls at every step, so no set recurs.

use super::gap::{Rounding, duality_gap, objective};
use super::{DatapointCode, Demand};
use crate::linalg::{Matrix, axpy, correlate, dot, norm, norm_sq, simd};
use crate::num::max;
use crate::observer::Observer;

/// Squared sine of the angle to the span of S below which an atom counts as
/// dependent. Ten times less, and rounding of the factor shows in the codes.
pub(super) const DEPENDENT: f64 = 1e-12;

/// A datapoint to be coded.
#[derive(Clone, Copy)]
pub(super) struct Datapoint<'x> {
    /// The datapoint, less the center.
    pub(super) x: &'x [f64],
    /// `Dᵀx`, where the caller holds it.
    pub(super) products: Option<&'x [f64]>,
}

/// Buffers for one datapoint after another.
pub(super) struct ActiveSet<'d> {
    atoms: &'d Matrix,
    /// `DᵀD`, where the caller holds it: saves a factor n/|S| of the work.
    gram: Option<&'d Matrix>,
    /// S, in the order the factor was built.
    set: Vec<usize>,
    /// Codes of S.
    code: Vec<f64>,
    /// Lower factor by rows: row j has j + 1 entries.
    factor: Vec<Vec<f64>>,
    /// Whether an atom is in S.
    member: Vec<bool>,
    residual: Vec<f64>,
    correlations: Vec<f64>,
}

impl<'d> ActiveSet<'d> {
    /// Buffers for the unit columns of `atoms`.
    pub(super) fn new(atoms: &'d Matrix, gram: Option<&'d Matrix>) -> Self {
        Self {
            atoms,
            gram,
            set: Vec::new(),
            code: Vec::new(),
            factor: Vec::new(),
            member: vec![false; atoms.ncols()],
            residual: vec![0.0; atoms.nrows()],
            correlations: vec![0.0; atoms.ncols()],
        }
    }

    /// Codes a datapoint, starting from the code `warm` (nonnegative, on distinct atoms).
    /// Stops where the observer says so, with the code it has by then.
    pub(super) fn solve(
        &mut self,
        datapoint: &Datapoint<'_>,
        warm: &[(usize, f64)],
        demand: &Demand,
        observer: &dyn Observer,
    ) -> DatapointCode {
        let lambda = demand.lambda;
        self.set.drain(..).for_each(|k| self.member[k] = false);
        self.code.clear();
        self.factor.clear();
        for &(k, z) in warm {
            // Of dependent atoms the first ones carry the code.
            if self.append(k).is_ok() {
                self.code.push(z);
            }
        }
        if !self.set.is_empty() {
            self.settle(datapoint, lambda);
        }
        let mut best = self.evaluate(datapoint, demand);
        for _ in 0..demand.max_steps {
            if best.gap <= demand.gap_tolerance * best.objective || observer.poll().is_break() {
                break;
            }
            let Some(entering) = self.most_violating(datapoint.x, lambda) else { break };
            self.enter(datapoint, lambda, entering);
            let next = self.evaluate(datapoint, demand);
            if !(next.objective < best.objective) {
                // Only rounding is left: the code with the smaller gap is kept.
                if next.gap < best.gap {
                    best = next;
                }
                break;
            }
            best = next;
        }
        best
    }

    /// [`ActiveSet::solve`] with atom `out` forbidden; `warm` must not use it.
    pub(super) fn solve_without(
        &mut self,
        out: usize,
        datapoint: &Datapoint<'_>,
        warm: &[(usize, f64)],
        demand: &Demand,
        observer: &dyn Observer,
    ) -> DatapointCode {
        // An atom marked as a member never enters, and it is not in the set.
        self.set.drain(..).for_each(|k| self.member[k] = false);
        self.member[out] = true;
        let code = self.solve(datapoint, warm, demand, observer);
        self.member[out] = false;
        code
    }

    /// Computes residual and correlations of the current code, and what it is worth.
    fn evaluate(&mut self, datapoint: &Datapoint<'_>, demand: &Demand) -> DatapointCode {
        let Datapoint { x, products } = *datapoint;
        let lambda = demand.lambda;
        self.residual.copy_from_slice(x);
        for (&k, &z) in self.set.iter().zip(&self.code) {
            axpy(-z, self.atoms.col(k), &mut self.residual);
        }
        match (self.gram, products) {
            (Some(gram), Some(products)) => simd(
                #[inline(always)]
                || {
                    self.correlations.copy_from_slice(products);
                    for (&k, &z) in self.set.iter().zip(&self.code) {
                        axpy(-z, gram.col(k), &mut self.correlations);
                    }
                },
            ),
            _ => correlate(self.atoms, &self.residual, &mut self.correlations),
        }
        let largest = self.correlations.iter().copied().fold(0.0, max);
        let value = objective(&self.residual, self.code.iter().sum(), lambda);
        let mut gap = duality_gap(value, x, &self.residual, largest, lambda);
        let mut at_rounding = false;
        if gap > demand.gap_tolerance * value {
            let beyond = self.rounding(x).gap_beyond(value, x, &self.residual, largest, lambda);
            (gap, at_rounding) = beyond.map_or((gap, false), |gap| (gap, true));
        }
        let mut entries: Vec<(usize, f64)> =
            self.set.iter().copied().zip(self.code.iter().copied()).filter(|(_, z)| *z > 0.0).collect();
        entries.sort_unstable_by_key(|(k, _)| *k);
        DatapointCode { entries, objective: value, gap, at_rounding }
    }

    fn rounding(&self, x: &[f64]) -> Rounding {
        Rounding::new(x.len(), self.set.len(), norm(x), self.code.iter().sum())
    }

    fn most_violating(&self, x: &[f64], lambda: f64) -> Option<usize> {
        let mut best = None;
        let mut largest = self.rounding(x).entering_bound(lambda);
        for (k, (&c, &member)) in self.correlations.iter().zip(&self.member).enumerate() {
            if !member && c > largest {
                (best, largest) = (Some(k), c);
            }
        }
        best
    }

    /// Lets atom `k` in and moves to the minimizer on the set, dropping atoms
    /// that reach zero.
    fn enter(&mut self, datapoint: &Datapoint<'_>, lambda: f64, k: usize) {
        let mut value = 0.0;
        while let Err(coefficients) = self.append(k) {
            // d_k = Σ α_j d_j up to rounding: raising k and lowering S by α keeps
            // the fit and saves λ(Σα − 1) > 0 a unit, until one of S is used up.
            let step = self
                .code
                .iter()
                .zip(&coefficients)
                .filter(|(_, a)| **a > 0.0)
                .map(|(z, a)| z / a)
                .fold(f64::INFINITY, crate::num::min);
            if !step.is_finite() {
                return;
            }
            for (z, a) in self.code.iter_mut().zip(&coefficients) {
                *z -= step * a;
            }
            value += step;
            let out = (0..self.code.len())
                .min_by(|&i, &j| self.code[i].total_cmp(&self.code[j]))
                .expect("a set on which an atom depends is not empty");
            self.code[out] = 0.0;
            self.remove(out);
        }
        self.code.push(value);
        self.settle(datapoint, lambda);
    }

    /// Moves to the minimizer on the set, dropping atoms that reach zero.
    fn settle(&mut self, datapoint: &Datapoint<'_>, lambda: f64) {
        loop {
            let target = self.minimizer(datapoint, lambda);
            // The largest step towards the target that keeps the code nonnegative.
            let mut step = 1.0;
            let mut blocking = None;
            for (j, (&z, &t)) in self.code.iter().zip(&target).enumerate() {
                if t <= 0.0 {
                    let s = if z > 0.0 { z / (z - t) } else { 0.0 };
                    if s < step || blocking.is_none() {
                        step = crate::num::min(s, 1.0);
                        blocking = Some(j);
                    }
                }
            }
            for (z, t) in self.code.iter_mut().zip(&target) {
                *z += step * (t - *z);
            }
            match blocking {
                None => {
                    self.code.copy_from_slice(&target);
                    return;
                }
                Some(out) => {
                    self.code[out] = 0.0;
                    self.remove(out);
                    self.code.iter_mut().for_each(|z| *z = max(*z, 0.0));
                    if self.set.is_empty() {
                        return;
                    }
                }
            }
        }
    }

    /// Adds atom `k` to the factor, or gives `α` with `d_k ≈ Σ α_j d_j`.
    fn append(&mut self, k: usize) -> Result<(), Vec<f64>> {
        let atom = self.atoms.col(k);
        let mut row: Vec<f64> = match self.gram {
            Some(gram) => self.set.iter().map(|&j| gram.col(k)[j]).collect(),
            None => self.set.iter().map(|&j| dot(self.atoms.col(j), atom)).collect(),
        };
        self.forward(&mut row);
        let left = norm_sq(atom) - norm_sq(&row);
        if left <= DEPENDENT {
            self.backward(&mut row);
            return Err(row);
        }
        row.push(left.sqrt());
        self.factor.push(row);
        self.set.push(k);
        self.member[k] = true;
        Ok(())
    }

    /// Takes position `out` off the set; rebuilds the factor from there on by
    /// Givens rotations.
    fn remove(&mut self, out: usize) {
        self.member[self.set[out]] = false;
        self.set.remove(out);
        self.code.remove(out);
        self.factor.remove(out);
        for j in out..self.factor.len() {
            // Row j has one entry too many: rotate columns j and j + 1 of the rows below.
            let (a, b) = (self.factor[j][j], self.factor[j][j + 1]);
            let r = a.hypot(b);
            let (c, s) = (a / r, b / r);
            for row in &mut self.factor[j..] {
                let (p, q) = (row[j], row[j + 1]);
                row[j] = c * p + s * q;
                row[j + 1] = c * q - s * p;
            }
            self.factor[j].truncate(j + 1);
        }
    }

    /// `argmin ½‖x − D_S z‖² + λ1ᵀz` without the sign constraint.
    fn minimizer(&self, datapoint: &Datapoint<'_>, lambda: f64) -> Vec<f64> {
        let mut z: Vec<f64> = match datapoint.products {
            Some(products) => self.set.iter().map(|&k| products[k] - lambda).collect(),
            None => self.set.iter().map(|&k| dot(self.atoms.col(k), datapoint.x) - lambda).collect(),
        };
        self.forward(&mut z);
        self.backward(&mut z);
        z
    }

    /// `v ← L⁻¹v`.
    fn forward(&self, v: &mut [f64]) {
        for (j, row) in self.factor.iter().enumerate() {
            v[j] = (v[j] - dot(&row[..j], &v[..j])) / row[j];
        }
    }

    /// `v ← L⁻ᵀv`.
    fn backward(&self, v: &mut [f64]) {
        for (j, row) in self.factor.iter().enumerate().rev() {
            let value = v[j] / row[j];
            v[j] = value;
            axpy(-value, &row[..j], &mut v[..j]);
        }
    }
}
