//! Outward-rounded interval arithmetic, for the few scalar operations of a bound.
//!
//! Every operation widens its result by one unit in the last place on each
//! side, which encloses the exact result because IEEE 754 operations round to
//! nearest. It is slow and short on purpose. For sums of many terms it is also loose:
//! use the a-priori bounds of [`super::rounding`] there.

use super::{max, min};

/// A closed interval `[lo, hi]` that contains an exact real number.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Interval {
    /// Lower end.
    pub lo: f64,
    /// Upper end.
    pub hi: f64,
}

#[expect(
    clippy::should_implement_trait,
    reason = "named operations keep the widening visible where bounds are computed"
)]
impl Interval {
    /// The interval of one number.
    #[must_use]
    pub fn point(value: f64) -> Self {
        Self { lo: value, hi: value }
    }

    /// `[value − radius, value + radius]`, rounded outward.
    #[must_use]
    pub fn around(value: f64, radius: f64) -> Self {
        Self { lo: (value - radius).next_down(), hi: (value + radius).next_up() }
    }

    /// Sum.
    #[must_use]
    pub fn add(self, other: Self) -> Self {
        Self { lo: (self.lo + other.lo).next_down(), hi: (self.hi + other.hi).next_up() }
    }

    /// Difference.
    #[must_use]
    pub fn sub(self, other: Self) -> Self {
        Self { lo: (self.lo - other.hi).next_down(), hi: (self.hi - other.lo).next_up() }
    }

    /// Product.
    #[must_use]
    pub fn mul(self, other: Self) -> Self {
        let products = [self.lo * other.lo, self.lo * other.hi, self.hi * other.lo, self.hi * other.hi];
        let lo = products.iter().copied().fold(f64::INFINITY, min);
        let hi = products.iter().copied().fold(f64::NEG_INFINITY, max);
        Self { lo: lo.next_down(), hi: hi.next_up() }
    }

    /// Square: at least 0.
    #[must_use]
    pub fn square(self) -> Self {
        let product = self.mul(self);
        if self.lo <= 0.0 && self.hi >= 0.0 {
            Self { lo: 0.0, hi: product.hi }
        } else {
            Self { lo: max(product.lo, 0.0), hi: product.hi }
        }
    }

    /// Quotient by an interval of positive numbers; the whole line if the divisor
    /// may be 0 or negative.
    #[must_use]
    pub fn div(self, other: Self) -> Self {
        if other.lo > 0.0 {
            let quotients = [self.lo / other.lo, self.lo / other.hi, self.hi / other.lo, self.hi / other.hi];
            let lo = quotients.iter().copied().fold(f64::INFINITY, min);
            let hi = quotients.iter().copied().fold(f64::NEG_INFINITY, max);
            Self { lo: lo.next_down(), hi: hi.next_up() }
        } else {
            Self { lo: f64::NEG_INFINITY, hi: f64::INFINITY }
        }
    }

    /// Square root of the nonnegative part.
    #[must_use]
    pub fn sqrt(self) -> Self {
        let lo = max(self.lo, 0.0).sqrt().next_down();
        Self { lo: max(lo, 0.0), hi: max(self.hi, 0.0).sqrt().next_up() }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use num_rational::BigRational;
    use proptest::prelude::*;

    fn exact(x: f64) -> BigRational {
        BigRational::from_float(x).expect("finite")
    }

    fn holds(interval: Interval, value: &BigRational) -> bool {
        exact(interval.lo) <= *value && *value <= exact(interval.hi)
    }

    proptest! {
        #[test]
        fn encloses_exact_results(a in -1e6..1e6f64, b in -1e6..1e6f64, c in 1e-6..1e6f64) {
            let (ia, ib, ic) = (Interval::point(a), Interval::point(b), Interval::point(c));
            prop_assert!(holds(ia.add(ib), &(exact(a) + exact(b))));
            prop_assert!(holds(ia.sub(ib), &(exact(a) - exact(b))));
            prop_assert!(holds(ia.mul(ib), &(exact(a) * exact(b))));
            prop_assert!(holds(ia.div(ic), &(exact(a) / exact(c))));
            prop_assert!(holds(ia.square(), &(exact(a) * exact(a))));
            let root = ic.sqrt();
            prop_assert!(exact(root.lo) * exact(root.lo) <= exact(c));
            prop_assert!(exact(root.hi) * exact(root.hi) >= exact(c));
        }
    }
}
