//! A-priori rounding bounds for bulk sums and dot products.
//!
//! With unit roundoff `u = 2⁻⁵³` and `γ_k = k u / (1 − k u)`, a dot product of
//! length `k` computed in **any** order, with or without fused operations,
//! satisfies `|fl(xᵀy) − xᵀy| ≤ γ_k |x|ᵀ|y|` plus an underflow term (Higham,
//! *Accuracy and Stability of Numerical Algorithms*, 2002, §3.1 and §4.2).
//! The proofs and the margins used are in `proofs/rounding.md`.

/// Unit roundoff of `f64`: 2⁻⁵³.
pub const UNIT: f64 = f64::EPSILON / 2.0;

/// What one underflowing operation can lose: the smallest subnormal, 2⁻¹⁰⁷⁴.
pub const ETA: f64 = 5e-324;

/// Roundings of scalars beside those of a long sum, from above: a factor more in its terms,
/// a division, a subtraction (`proofs/rounding.md`, items 1 and 2, count at most five where
/// this is used).
pub const FEW: usize = 8;

/// Covers the rounding of an error bound itself, where that is a sum of at most some 10⁵
/// nonnegative terms (`proofs/rounding.md`, item 2).
pub const SLACK: f64 = 1.0 + 1e-10;

/// `γ_k = k u / (1 − k u)`, rounded up; infinite when `k u ≥ 1`.
#[must_use]
#[expect(clippy::cast_precision_loss, reason = "lengths are far below 2^53")]
pub fn gamma(k: usize) -> f64 {
    let ku = k as f64 * UNIT;
    if ku < 1.0 { (ku / (1.0 - ku)).next_up().next_up() } else { f64::INFINITY }
}

/// Radius that covers the rounding of a computed sum of `terms` products whose
/// absolute values sum, as computed, to `absolute`.
///
/// It covers the rounding of `absolute` itself and underflow in every term.
#[must_use]
#[expect(clippy::cast_precision_loss, reason = "lengths are far below 2^53")]
pub fn radius(terms: usize, absolute: f64) -> f64 {
    // absolute ≥ (1 − γ) Σ|·|, and 1/(1 − γ) ≤ 1 + 2γ for γ ≤ 1/2.
    let g = gamma(terms + 2);
    let widened = absolute * g * (1.0 + 4.0 * g);
    (widened + terms as f64 * 2.0 * ETA).next_up().next_up()
}
