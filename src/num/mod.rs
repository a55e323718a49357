//! Numbers that know what they prove: intervals, a-priori
//! rounding bounds, bracketed roots, and comparisons that do not drop NaN.

mod interval;
mod root;
pub mod rounding;

pub use interval::Interval;
pub use root::{Enclosure, decreasing_root};

/// The larger of two numbers; NaN if either is NaN (unlike [`f64::max`]).
#[must_use]
pub fn max(a: f64, b: f64) -> f64 {
    if a.is_nan() || a >= b { a } else { b }
}

/// The smaller of two numbers; NaN if either is NaN (unlike [`f64::min`]).
#[must_use]
pub fn min(a: f64, b: f64) -> f64 {
    if a.is_nan() || a <= b { a } else { b }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn max_and_min_keep_nan() {
        assert!(max(f64::NAN, 1.0).is_nan() && max(1.0, f64::NAN).is_nan());
        assert!(min(f64::NAN, 1.0).is_nan() && min(1.0, f64::NAN).is_nan());
        assert!(max(2.0, 1.0) > 1.5 && min(2.0, 1.0) < 1.5);
    }
}
