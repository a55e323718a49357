//! `Lower` and `Upper`: a bound carries its direction in its type.

use serde::Serialize;

/// A number proved to lie at or below the quantity it bounds.
///
/// Only the files of [`trusted`](crate::trusted) make one, and none is read from a file:
/// a saved bound is proved again before it is one.
#[derive(Clone, Copy, Debug, PartialEq, PartialOrd, Serialize)]
#[serde(transparent)]
pub struct Lower(f64);

/// A number proved to lie at or above the quantity it bounds.
#[derive(Clone, Copy, Debug, PartialEq, PartialOrd, Serialize)]
#[serde(transparent)]
pub struct Upper(f64);

impl Lower {
    /// Zero: a lower bound of every objective of this crate.
    pub const ZERO: Self = Self(0.0);

    /// Wraps a value whose proof the caller holds.
    pub(in crate::trusted) fn proved(value: f64) -> Self {
        Self(value)
    }

    /// The number itself.
    #[must_use]
    pub fn get(self) -> f64 {
        self.0
    }

    /// The better (larger) of two lower bounds of the same quantity.
    #[must_use]
    pub fn best(self, other: Self) -> Self {
        Self(crate::num::max(self.0, other.0))
    }
}

impl Upper {
    /// Wraps a value whose proof the caller holds.
    pub(in crate::trusted) fn proved(value: f64) -> Self {
        Self(value)
    }

    /// The number itself.
    #[must_use]
    pub fn get(self) -> f64 {
        self.0
    }
}

/// `upper − lower`, rounded up: the only subtraction of bounds.
///
/// It is at least the distance of either from the quantity they enclose.
#[must_use]
pub fn gap(upper: Upper, lower: Lower) -> f64 {
    let difference = upper.0 - lower.0;
    if difference > 0.0 { difference.next_up() } else { 0.0 }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::num::rational::exact;
    use proptest::prelude::*;

    fn numbers() -> impl Strategy<Value = f64> {
        prop_oneof![
            -1.0..1.0_f64,
            (-300.0..140.0_f64, any::<bool>())
                .prop_map(|(e, up)| 10.0_f64.powf(e) * if up { 1.0 } else { -1.0 }),
            Just(0.0),
            Just(-0.0),
            (-64..64_i64).prop_map(|u| 1.0 + 1e-16 * 2.0 * f64::from(i32::try_from(u).expect("small"))),
            (1..1000_u64).prop_map(f64::from_bits),
        ]
    }

    proptest! {
        #[test]
        fn a_gap_is_at_least_the_distance(a in numbers(), b in numbers()) {
            let gap = gap(Upper::proved(a), Lower::proved(b));
            prop_assert!(gap >= 0.0);
            prop_assert!(exact(gap) >= exact(a) - exact(b));
            // Not much more: one unit in the last place.
            prop_assert!(gap <= crate::num::max(a - b, 0.0).next_up());
        }

        #[test]
        fn the_better_bound_is_the_larger(a in numbers(), b in numbers()) {
            let best = Lower::proved(a).best(Lower::proved(b));
            prop_assert!(best.get() >= a && best.get() >= b);
            prop_assert!(best == Lower::proved(a) || best == Lower::proved(b));
        }
    }
}
