//! The gauge of a code row, its polar and its proximal map (theorem `gauge-calculus`).
//!
//! All vectors are whitened: `z̃ᵢ = √wᵢ zᵢ`, `a = √w`, so that
//! `g(z̃) = √(λ²(aᵀz̃)² + γ²‖z̃‖²)`. λ = 0 and γ = 0 are limits, not exceptions.
//!
//! The price of an atom is written here and nowhere else. Values are accurate to a few
//! units in the last place, not proved: [`trusted`](crate::trusted) encloses what a
//! certificate rests on.

mod moments;
mod penalty;
mod polar;
mod prox;

pub use moments::Moments;
pub use penalty::{Penalty, PenaltyError, huber};
pub use polar::Polar;
pub use prox::Prox;

use crate::linalg::{Matrix, Row, dot, norm_sq, simd};

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
    penalty: Penalty,
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
        Self { a, penalty, scale, lambda_sq: relative(penalty.lambda()), gamma_sq: relative(penalty.gamma()) }
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
            || (dot(self.a, z), norm_sq(z)),
        );
        self.penalty.price(Moments { mass, energy })
    }

    /// `g(z)` for a sparse whitened row. O(nnz).
    #[must_use]
    pub fn value_of_row(&self, z: &Row) -> f64 {
        let (mut mass, mut energy) = (0.0, 0.0);
        for (i, v) in z.iter() {
            mass += self.a[i] * v;
            energy += v * v;
        }
        self.penalty.price(Moments { mass, energy })
    }

    /// The polar along a direction, `g°(R̃ᵀd)`, for unwhitened columns `rᵢ`: the price
    /// at which an atom along `d` begins to pay. Writes the maximizer, a whitened code
    /// row, to `z`. O(nN).
    pub fn polar_along(&self, residuals: &Matrix, direction: &[f64], z: &mut [f64]) -> Polar {
        let v: Vec<f64> = residuals.columns().zip(self.a).map(|(r, a)| a * dot(r, direction)).collect();
        self.polar(&v, 0.0, z)
    }

    /// `√(λ²·mass² + γ²·energy)` in units of `scale`: what the proximal map and the polar
    /// compute with, so that no square overflows.
    fn relative(&self, mass: f64, energy: f64) -> f64 {
        (self.lambda_sq * mass * mass + self.gamma_sq * energy).sqrt()
    }
}
