//! The root of a decreasing function of one variable, as an enclosure.
//!
//! An enclosure says how far off a root may be, which a bare Newton iteration does not.
//! Its ends bracket the sign of the function *as computed*: where that must be proved,
//! evaluate the function in [`Interval`](super::Interval) arithmetic at the ends.

/// An interval that brackets a root: the function is ≥ 0 at `lo` and ≤ 0 at `hi`.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Enclosure {
    /// Left end.
    pub lo: f64,
    /// Right end.
    pub hi: f64,
}

impl Enclosure {
    /// Midpoint.
    #[must_use]
    pub fn middle(self) -> f64 {
        self.lo + 0.5 * (self.hi - self.lo)
    }
}

/// Bisection of any `f64` bracket ends within 2200 halvings: 2098 binary digits lie
/// between the largest number and the smallest. Newton steps make tens typical.
const MAX_STEPS: usize = 2_200;

/// Encloses the root of a decreasing function on `[lo, hi]`.
///
/// `f(x)` returns the value and the derivative (0 if unknown); Newton steps are
/// taken where they stay inside the bracket and halve it, bisection elsewhere.
/// The result brackets the sign change to neighboring numbers, or to width
/// `tolerance`. If `f(lo) < 0` both ends are `lo`; if `f(hi) > 0`, both `hi`.
pub fn decreasing_root(lo: f64, hi: f64, tolerance: f64, mut f: impl FnMut(f64) -> (f64, f64)) -> Enclosure {
    let (mut lo, mut hi) = (lo, hi);
    if f(lo).0 <= 0.0 {
        return Enclosure { lo, hi: lo };
    }
    if f(hi).0 >= 0.0 {
        return Enclosure { lo: hi, hi };
    }
    let mut x = lo + 0.5 * (hi - lo);
    for _ in 0..MAX_STEPS {
        if hi - lo <= tolerance || !(lo < x && x < hi) {
            break;
        }
        let width = hi - lo;
        let (value, slope) = f(x);
        if value > 0.0 {
            lo = x;
        } else if value < 0.0 {
            hi = x;
        } else if value == 0.0 {
            return Enclosure { lo: x, hi: x };
        } else {
            // NaN: the bracket found so far is all that is known.
            break;
        }
        let newton = x - value / slope;
        let middle = lo + 0.5 * (hi - lo);
        let halved = hi - lo <= 0.5 * width;
        x = if slope < 0.0 && lo < newton && newton < hi && halved { newton } else { middle };
    }
    Enclosure { lo, hi }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn brackets_the_sign_change() {
        let e = decreasing_root(0.0, 2.0, 0.0, |x| (2.0 - x * x, -2.0 * x));
        assert!(e.lo * e.lo <= 2.0 + 1e-15 && e.hi * e.hi >= 2.0 - 1e-15);
        assert!(e.hi - e.lo <= 4.0 * f64::EPSILON);
    }

    #[test]
    fn a_root_outside_clamps_to_the_near_end() {
        let e = decreasing_root(1.0, 2.0, 0.0, |x| (-x, -1.0));
        assert!((e.lo - 1.0).abs() < 1e-300 && (e.hi - 1.0).abs() < 1e-300);
        let e = decreasing_root(1.0, 2.0, 0.0, |x| (10.0 - x, -1.0));
        assert!((e.lo - 2.0).abs() < 1e-300);
    }
}
