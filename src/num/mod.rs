//! Numbers that know what they prove: intervals, a-priori
//! rounding bounds, bracketed roots, and comparisons that do not drop NaN.

mod decimal;
mod interval;
#[cfg(test)]
pub(crate) mod rational;
mod root;
pub mod rounding;

pub use decimal::{at_most, at_most_e};
pub use interval::Interval;
pub use root::{Enclosure, decreasing_root};

/// The power of two at or below a positive finite number (2⁻¹⁰²² at least).
#[must_use]
pub fn power_of_two(x: f64) -> f64 {
    let exponent_bits = (x.to_bits() >> 52).max(1);
    f64::from_bits(exponent_bits << 52)
}

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
