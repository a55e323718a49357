//! What a code is worth: its objective, its duality gap (theorem `coding-gap`), and how
//! much of both is rounding.
//!
//! Plain floating point: these gaps stop the coder and are reported as duality gaps. A
//! bound that counts every rounding is [`trusted::Coding`](crate::trusted::Coding).

use crate::linalg::{dot, norm_sq};
use crate::num::{max, min};

/// `½‖r‖² + λ1ᵀz` from the residual and `1ᵀz`.
#[inline(always)]
pub(crate) fn objective(residual: &[f64], l1: f64, lambda: f64) -> f64 {
    0.5 * norm_sq(residual) + lambda * l1
}

/// What the value and the lower bounds of a code are made of.
#[derive(Clone, Copy)]
pub(crate) struct Worth {
    /// `½‖r‖² + λ1ᵀz`.
    pub(crate) objective: f64,
    /// `‖r‖²`.
    energy: f64,
    /// `xᵀr`.
    inner: f64,
    lambda: f64,
}

impl Worth {
    /// Of a code of a given value.
    #[inline(always)]
    pub(crate) fn new(objective: f64, x: &[f64], residual: &[f64], lambda: f64) -> Self {
        Self { objective, energy: norm_sq(residual), inner: dot(x, residual), lambda }
    }

    /// The duality gap from the largest `d_kᵀr`, or a number above it: `ρ = tr` with
    /// `t = min(1, λ/max_k d_kᵀr)` is in the polar polytope, so `xᵀρ − ½‖ρ‖²` is a lower bound
    /// of the objective.
    #[inline(always)]
    pub(crate) fn gap(&self, largest: f64) -> f64 {
        let scale = if largest > self.lambda { self.lambda / largest } else { 1.0 };
        let dual = scale * self.inner - 0.5 * scale * scale * self.energy;
        max(self.objective - max(dual, 0.0), 0.0)
    }
}

/// The duality gap of a code from its residual and the largest `d_kᵀr`.
#[inline(always)]
pub(crate) fn duality_gap(objective: f64, x: &[f64], residual: &[f64], largest: f64, lambda: f64) -> f64 {
    Worth::new(objective, x, residual, lambda).gap(largest)
}

/// Roundings besides those of an inner product's n terms and of the atoms in use.
const OTHER_ROUNDINGS: usize = 8;

/// Relative violation `d_kᵀr/λ − 1` below which no atom enters. Ten times less, and atoms
/// enter and leave by rounding; ten times more shows in gaps of 1e-12.
const VIOLATION: f64 = 1e-13;

/// What rounding makes of the quantities of one datapoint.
#[derive(Clone, Copy)]
pub(super) struct Rounding {
    /// How far a computed `d_kᵀr` may be from what exact arithmetic gives at the best codes
    /// of the same atoms.
    ///
    /// An inner product of n terms loses at most nε of `‖x‖ + 1ᵀz ≥ ‖r‖`, the triangular
    /// solves for s codes about 2sε (backward error of Cholesky). Ten times less, and
    /// `lambda = 0` does not end; ten times more hides atoms that would be used.
    pub(super) correlation: f64,
    /// How far a computed gap may be from 0 at the best codes: `Σ z_k(λ − d_kᵀr)` and the
    /// inner product `xᵀr`, each with that error.
    pub(super) gap: f64,
}

impl Rounding {
    /// For a datapoint of dimension `dim` and length `length`, coded by `used` atoms with
    /// codes of sum `l1`.
    #[inline(always)]
    pub(super) fn new(dim: usize, used: usize, length: f64, l1: f64) -> Self {
        let roundings = (dim + 2 * used + OTHER_ROUNDINGS) as f64;
        let scale = length + l1;
        let correlation = roundings * f64::EPSILON * scale;
        Self { correlation, gap: correlation * scale }
    }

    /// The largest `d_kᵀr` at which an atom stays out.
    #[inline(always)]
    pub(super) fn entering_bound(self, lambda: f64) -> f64 {
        max(lambda * (1.0 + VIOLATION), lambda + self.correlation)
    }

    /// The gap beyond rounding, where the residual is in the polytope up to rounding: the
    /// dual value is that of the residual itself. `None` where some `d_kᵀr` is larger.
    pub(super) fn gap_beyond(
        self,
        objective: f64,
        x: &[f64],
        residual: &[f64],
        largest: f64,
        lambda: f64,
    ) -> Option<f64> {
        // The scaled residual may do better: it is the dual point where λ is not small.
        (largest <= lambda + self.correlation).then(|| {
            let scaled = duality_gap(objective, x, residual, largest, lambda);
            let unscaled = duality_gap(objective, x, residual, 0.0, lambda);
            max(min(scaled, unscaled) - self.gap, 0.0)
        })
    }
}
