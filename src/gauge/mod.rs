//! The gauge of a code row, its polar and its proximal map (theorem `gauge-calculus`).
//!
//! All vectors are whitened: `z̃ᵢ = √wᵢ zᵢ`, `a = √w`, so that
//! `g(z̃) = √(λ²(aᵀz̃)² + γ²‖z̃‖²)`. λ = 0 and γ = 0 are limits, not exceptions.

mod penalty;
mod polar;
mod prox;

pub use penalty::{Penalty, PenaltyError, huber};
pub use polar::Polar;
pub use prox::Prox;

use crate::linalg::{Row, simd};

/// Ratio of the penalties below which the smaller is treated as 0.
///
/// The gauge depends on the squared ratio, so this changes no value by more
/// than one part in 1e200; it keeps squares from underflowing.
const NEGLIGIBLE: f64 = 1e-100;

/// `g(z) = √(λ²(aᵀz)² + γ²‖z‖²)` on whitened code rows, with its calculus.
#[derive(Clone, Copy, Debug)]
pub struct Gauge<'a> {
    /// `a = √w`.
    a: &'a [f64],
    /// max(λ, γ): everything below is in units of it.
    scale: f64,
    /// (λ/scale)².
    lambda_sq: f64,
    /// (γ/scale)².
    gamma_sq: f64,
}

impl<'a> Gauge<'a> {
    /// The gauge over datapoints with square-root weights `a > 0`.
    #[must_use]
    pub fn new(a: &'a [f64], penalty: Penalty) -> Self {
        let scale = crate::num::max(penalty.lambda(), penalty.gamma());
        let relative = |p: f64| {
            let r = p / scale;
            if r < NEGLIGIBLE { 0.0 } else { r * r }
        };
        Self { a, scale, lambda_sq: relative(penalty.lambda()), gamma_sq: relative(penalty.gamma()) }
    }

    /// `a = √w`.
    #[must_use]
    pub fn sqrt_weights(&self) -> &'a [f64] {
        self.a
    }

    /// `g(z)` for a dense whitened row of length N. O(N).
    #[must_use]
    pub fn value(&self, z: &[f64]) -> f64 {
        let (mass, energy) = simd(
            #[inline(always)]
            || (crate::linalg::dot(self.a, z), crate::linalg::norm_sq(z)),
        );
        self.of_moments(mass, energy)
    }

    /// `g(z)` for a sparse whitened row. O(nnz).
    #[must_use]
    pub fn value_of_row(&self, z: &Row) -> f64 {
        let (mut mass, mut energy) = (0.0, 0.0);
        for (i, v) in z.iter() {
            mass += self.a[i] * v;
            energy += v * v;
        }
        self.of_moments(mass, energy)
    }

    /// `√(λ²·mass² + γ²·energy)` for `mass = aᵀz`, `energy = ‖z‖²`.
    #[must_use]
    pub fn of_moments(&self, mass: f64, energy: f64) -> f64 {
        self.scale * self.relative(mass, energy)
    }

    /// The same in units of `scale`.
    fn relative(&self, mass: f64, energy: f64) -> f64 {
        (self.lambda_sq * mass * mass + self.gamma_sq * energy).sqrt()
    }
}
