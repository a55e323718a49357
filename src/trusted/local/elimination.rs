//! What both eliminations of hypothesis H1 share.

use super::form::Live;
use super::sets::{Neighborhood, down};
use crate::linalg::Factored;

/// Roundings of one entry beside those of its sums, at most.
pub(super) const ENTRY: usize = 24;

/// Weight of `(d_kᵀδ_k)²` in units of `g_k + ℰ_k`: it keeps radial directions, which unit
/// atoms cannot move along, from hiding definiteness. Any positive number is valid; ten
/// times more costs a digit of rounding, ten times less some certificates.
pub(super) const RADIAL: f64 = 20.0;

/// How an attempt ended.
pub(super) enum Proof {
    Holds,
    /// A datapoint's block is not positive definite.
    Dependent,
    Fails,
    Stopped,
    /// The least order of a dense matrix, above the limit.
    TooLarge(usize),
}

impl Proof {
    /// What a factorization proves.
    pub(super) fn of(factored: &Factored) -> Self {
        match factored {
            Factored::Done(_) => Self::Holds,
            Factored::Indefinite => Self::Fails,
            Factored::Stopped => Self::Stopped,
        }
    }
}

/// `γ²/((1 + ω_k)g_k)` from below for every atom; zeros at γ = 0. Any smaller number is valid.
pub(super) fn bends(neighborhood: &Neighborhood<'_>) -> Vec<f64> {
    let form = neighborhood.form;
    let square = form.gamma * form.gamma;
    let bend =
        |(atom, omega): (&Live, &f64)| down(square / ((1.0 + omega) * atom.gauge), 2 * atom.uses + ENTRY);
    form.atoms.iter().zip(&neighborhood.omega).map(bend).collect()
}
