//! What a participation proves about an atom's price (theorem `participation-bound`).

use super::{Lower, Subject};
use crate::num::{Interval, max, power_of_two, rounding};

/// The least participation of the atoms in use, `p = minₖ s_k²/q_k`.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct LeastParticipation {
    /// As computed.
    pub value: f64,
    /// A number proved not to exceed it, every rounding included: bounds for
    /// participations of at least this hold for the subject too.
    pub lower: Lower,
}

impl LeastParticipation {
    /// Of a subject; `None` without an atom in use, or where its sums underflow.
    #[must_use]
    pub fn of(subject: &Subject<'_>) -> Option<Self> {
        let (mut value, mut lower) = (f64::INFINITY, f64::INFINITY);
        for (row, moments) in subject.rows().iter().zip(subject.moments()).filter(|(r, _)| !r.is_empty()) {
            value = crate::num::min(value, moments.participation()?);
            let terms = 2 * row.len();
            let mass = Interval::around(moments.mass, rounding::radius(terms, moments.mass));
            let energy = Interval::around(moments.energy, rounding::radius(terms, moments.energy));
            // s·(s/q): s² underflows where the quotient does not.
            lower = crate::num::min(lower, mass.mul(mass.div(energy)).lo);
        }
        (value.is_finite() && lower > 0.0).then_some(Self { value, lower: Lower::proved(lower) })
    }
}

/// A price γ proved to satisfy `γ² ≤ p(λ² − λ'²)`, the largest but for rounding; 0 where
/// none is proved positive.
///
/// # Examples
/// ```
/// use widedict::trusted::participation::price;
/// let gamma = price(0.5, 0.3, 1.0).get();
/// assert!(gamma <= 0.4 && gamma >= 0.4 * (1.0 - 1e-14));
/// ```
#[must_use]
pub fn price(lambda: f64, smaller: f64, participation: f64) -> Lower {
    let valid = lambda.is_finite() && lambda > 0.0 && smaller >= 0.0 && smaller <= lambda;
    if !(valid && participation > 0.0 && participation <= 1.0) {
        return Lower::ZERO;
    }
    // In units of λ, a power of two: products of subnormal penalties keep their digits.
    let unit = power_of_two(lambda);
    let (l, s) = (Interval::point(lambda / unit), Interval::point(smaller / unit));
    let square = Interval::point(participation).mul(l.sub(s)).mul(l.add(s));
    let gamma = Interval { lo: max(square.lo, 0.0), hi: max(square.hi, 0.0) }.sqrt().lo;
    let gamma = (gamma * unit).next_down();
    Lower::proved(max(gamma, 0.0))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::num::rational::exact;
    use proptest::prelude::*;

    proptest! {
        /// In exact rationals, down to subnormal penalties.
        #[test]
        fn the_price_is_proved_and_nearly_the_largest(
            lambda in 0.1..1.0_f64, share in 0.0..=1.0_f64, p in 1e-6..=1.0_f64, exponent in -1060..1000_i32,
        ) {
            let lambda = lambda * 2.0_f64.powi(exponent.max(-1000)) * 2.0_f64.powi(exponent.min(-1000) + 1000);
            prop_assume!(lambda > 0.0);
            let smaller = lambda * share;
            let gamma = price(lambda, smaller, p).get();
            let square = exact(p) * (exact(lambda) * exact(lambda) - exact(smaller) * exact(smaller));
            prop_assert!(exact(gamma) * exact(gamma) <= square);
            let more = gamma * (1.0 + 1e-9) + 4.0 * f64::from_bits(1) + 1e-7 * lambda * p.sqrt();
            prop_assert!(exact(more) * exact(more) >= square);
        }
    }

    #[test]
    fn nothing_is_proved_from_nonsense() {
        for (l, s, p) in
            [(0.3, 0.3, 0.5), (0.3, 0.4, 0.5), (f64::NAN, 0.1, 0.5), (0.3, 0.1, f64::NAN), (0.3, 0.1, 0.0)]
        {
            assert_eq!(price(l, s, p), Lower::ZERO);
        }
        assert!(price(3e-158, 2.85e-158, 1.0).get() > 0.0);
    }
}
