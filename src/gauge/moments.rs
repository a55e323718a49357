//! The two sums over its codes that an atom's price depends on, and the price.

use super::Penalty;
use crate::linalg::Row;
use crate::reduce::Share;

/// Moments of one code row: all that its price depends on.
#[derive(Clone, Copy, Debug, Default, PartialEq)]
pub struct Moments {
    /// `s = Σ wᵢzᵢ`: the mass.
    pub mass: f64,
    /// `q = Σ wᵢzᵢ²`: the energy.
    pub energy: f64,
}

impl Moments {
    /// Sums over a code row, with the weights of the datapoints. O(nnz).
    #[must_use]
    pub fn of(weights: &[f64], row: &Row) -> Self {
        row.iter().fold(Self::default(), |sum, (i, z)| Self {
            mass: sum.mass + weights[i] * z,
            energy: sum.energy + weights[i] * z * z,
        })
    }

    /// The moments of code rows over the datapoints of all ranks, of which these are this rank's
    /// parts. O(nnz).
    #[must_use]
    pub fn of_rows(share: &Share, weights: &[f64], rows: &[Row]) -> Vec<Self> {
        let sums = share.sum(2 * rows.len(), usize::MAX, |part| {
            let of_row = |row: &Row| {
                row.within(part.clone()).fold([0.0, 0.0], |[mass, energy], (i, z)| {
                    [mass + weights[i] * z, energy + weights[i] * z * z]
                })
            };
            rows.iter().flat_map(of_row).collect()
        });
        sums.chunks_exact(2).map(|sum| Self { mass: sum[0], energy: sum[1] }).collect()
    }

    /// `s²/q`, the participation of the atom: the share of the data it would fire on with
    /// equal codes. `None` for an atom without codes.
    #[must_use]
    pub fn participation(self) -> Option<f64> {
        (self.energy > 0.0).then(|| crate::num::min(self.mass * self.mass / self.energy, 1.0))
    }
}

impl Penalty {
    /// The price of an atom of length 1: `g(z) = √(λ²s² + γ²q)`.
    #[must_use]
    pub fn price(self, moments: Moments) -> f64 {
        if self.gamma() == 0.0 {
            return self.lambda() * moments.mass;
        }
        (self.lambda() * moments.mass).hypot(self.gamma() * moments.energy.sqrt())
    }
}
