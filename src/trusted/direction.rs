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
