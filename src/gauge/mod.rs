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

use std::ops::Range;

use crate::linalg::{Columns, Row, chunk_columns, dot, norm_sq, simd};
use crate::reduce::Share;

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
    /// Of which datapoints these are; of all, where it is `None`.
    share: Option<&'a Share>,
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
        let (lambda_sq, gamma_sq) = (relative(penalty.lambda()), relative(penalty.gamma()));
        Self { a, penalty, scale, lambda_sq, gamma_sq, share: None }
    }

    /// The gauge over the datapoints of all ranks, of which `a` is this rank's part. Rows are
    /// this rank's parts of rows, and every sum asks all ranks.
    #[must_use]
    pub fn spread(a: &'a [f64], penalty: Penalty, share: &'a Share) -> Self {
        Self { share: Some(share), ..Self::new(a, penalty) }
    }

    /// The same prices over a sample of the datapoints, whose root weights are `a`.
    pub(crate) fn of_sample<'b>(&self, a: &'b [f64], share: &'b Share) -> Gauge<'b> {
        let share = self.share.is_some().then_some(share);
        Gauge { a, share, penalty: self.penalty, ..*self }
    }

    /// Whether sums ask other ranks, so that they may not be made in a parallel loop.
    #[must_use]
    pub(crate) fn asks(&self) -> bool {
        self.share.is_some_and(|share| !share.is_whole())
    }

    /// Of which datapoints the rows are.
    pub(crate) fn share(&self) -> Share {
        self.share.cloned().unwrap_or_else(|| Share::alone(self.a.len()))
    }

    /// A sum over all datapoints, of what `part` makes of a run of positions.
    fn sums<const K: usize>(&self, mut part: impl FnMut(Range<usize>) -> [f64; K]) -> [f64; K] {
        match self.share {
            Some(share) => share.sums(part),
            None => part(0..self.a.len()),
        }
    }

    /// Datapoints of all ranks.
    fn total(&self) -> usize {
        self.share.map_or(self.a.len(), Share::total)
    }

    /// The parts that [`Gauge::sums`] sums, in order.
    fn parts(&self) -> Vec<Range<usize>> {
        self.share.map_or_else(|| std::iter::once(0..self.a.len()).collect(), Share::parts)
    }

    /// `aᵀz` and `‖z‖²` of a dense row.
    fn moments(&self, z: &[f64]) -> Moments {
        let [mass, energy] = self.sums(|part| {
            let (a, z) = (&self.a[part.clone()], &z[part]);
            simd(
                #[inline(always)]
                || [dot(a, z), norm_sq(z)],
            )
        });
        Moments { mass, energy }
    }

    /// `a = √w`.
    #[must_use]
    pub fn sqrt_weights(&self) -> &'a [f64] {
        self.a
    }

    /// `g(z)` for a dense whitened row of length N. O(N).
    #[must_use]
    pub fn value(&self, z: &[f64]) -> f64 {
        self.penalty.price(self.moments(z))
    }

    /// `g(z)` for a sparse whitened row. O(nnz).
    #[must_use]
    pub fn value_of_row(&self, z: &Row) -> f64 {
        let [mass, energy] = self.sums(|part| {
            let (mut mass, mut energy) = (0.0, 0.0);
            for (i, v) in z.within(part) {
                mass += self.a[i] * v;
                energy += v * v;
            }
            [mass, energy]
        });
        self.penalty.price(Moments { mass, energy })
    }

    /// The polar along a direction, `g°(R̃ᵀd)`, for unwhitened columns `rᵢ`: the price
    /// at which an atom along `d` begins to pay. Writes the maximizer, a whitened code
    /// row, to `z`. O(nN).
    pub fn polar_along(&self, residuals: &dyn Columns, direction: &[f64], z: &mut [f64]) -> Polar {
        let (n, chunk) = (residuals.nrows(), chunk_columns(residuals.nrows()));
        let mut v = Vec::with_capacity(self.a.len());
        for (c, a) in self.a.chunks(chunk).enumerate() {
            let columns = residuals.run(c * chunk..c * chunk + a.len());
            v.extend(columns.chunks_exact(n).zip(a).map(|(r, a)| a * dot(r, direction)));
        }
        self.polar(&v, 0.0, z)
    }

    /// `√(λ²·mass² + γ²·energy)` in units of `scale`: what the proximal map and the polar
    /// compute with, so that no square overflows.
    fn relative(&self, mass: f64, energy: f64) -> f64 {
        (self.lambda_sq * mass * mass + self.gamma_sq * energy).sqrt()
    }
}
