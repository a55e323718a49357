//! Enclosures of roots, rounding radii: against exact arithmetic.

use proptest::collection::vec;
use proptest::prelude::*;
use widedict::num::{Interval, decreasing_root, rounding};

use crate::support::exact::{Exact, ex, inner};
use crate::support::strategies::{decades, nudged};

fn numbers() -> BoxedStrategy<f64> {
    prop_oneof![
        -1.0..1.0_f64,
        (decades(-300.0, 140.0), any::<bool>()).prop_map(|(x, up)| if up { x } else { -x }),
        Just(0.0),
        Just(-0.0),
        (-64..64_i64).prop_map(|u| nudged(1.0, u)),
        (1..1000_u64).prop_map(f64::from_bits),
    ]
    .boxed()
}

proptest! {
    #[test]
    fn the_radius_covers_a_sum_in_any_order(x in vec(numbers(), 1..40), shift in 0..40_usize, seed in vec(numbers(), 40)) {
        let y = &seed[..x.len()];
        let exact = inner(&x, y);
        let turned: Vec<usize> = (0..x.len()).map(|i| (i + shift) % x.len()).collect();
        let products = |order: &[usize]| order.iter().map(|&i| x[i] * y[i]).collect::<Vec<f64>>();
        let absolute: f64 = x.iter().zip(y).map(|(x, y)| (x * y).abs()).sum();
        let radius = rounding::radius(x.len(), absolute);
        let forwards: f64 = products(&(0..x.len()).collect::<Vec<_>>()).iter().sum();
        let rotated: f64 = products(&turned).iter().sum();
        let fused = x.iter().zip(y).fold(0.0, |s: f64, (x, y)| x.mul_add(*y, s));
        let kernel = widedict::linalg::dot(&x, y);
        for sum in [forwards, rotated, fused, kernel] {
            prop_assert!((ex(sum) - exact.clone()).abs() <= ex(radius), "{} misses by more than {}", sum, radius);
        }
        // Ordered by size, too.
        let mut sorted = products(&turned);
        sorted.sort_by(f64::total_cmp);
        let sum: f64 = sorted.iter().sum();
        prop_assert!((ex(sum) - exact).abs() <= ex(radius));
    }

    #[test]
    fn the_radius_is_not_idle(x in vec(0.5..1.0_f64, 2..200)) {
        // A few units in the last place a term, no more.
        let absolute: f64 = x.iter().map(|x| x * x).sum();
        let terms = f64::from(u32::try_from(x.len()).unwrap());
        prop_assert!(rounding::radius(x.len(), absolute) <= 2.0 * (terms + 4.0) * f64::EPSILON * absolute);
    }

    #[test]
    fn interval_arithmetic_encloses(a in numbers(), b in numbers(), c in numbers(), d in numbers()) {
        let sorted = |x: f64, y: f64| if x <= y { Interval { lo: x, hi: y } } else { Interval { lo: y, hi: x } };
        let (i, j) = (sorted(a, b), sorted(c, d));
        let inside = |interval: Interval, value: Exact| {
            (interval.lo == f64::NEG_INFINITY || ex(interval.lo) <= value)
                && (interval.hi == f64::INFINITY || value <= ex(interval.hi))
        };
        for x in [i.lo, i.hi, 0.5 * i.lo + 0.5 * i.hi] {
            let x = if x < i.lo { i.lo } else if x > i.hi { i.hi } else { x };
            for y in [j.lo, j.hi] {
                prop_assert!(inside(i.add(j), ex(x) + ex(y)));
                prop_assert!(inside(i.sub(j), ex(x) - ex(y)));
                prop_assert!(inside(i.mul(j), ex(x) * ex(y)));
                let quotient = i.div(j);
                if y > 0.0 {
                    // lo·y ≤ x ≤ hi·y
                    prop_assert!(quotient.lo == f64::NEG_INFINITY || ex(quotient.lo) * ex(y) <= ex(x));
                    prop_assert!(quotient.hi == f64::INFINITY || ex(quotient.hi) * ex(y) >= ex(x));
                }
            }
            prop_assert!(inside(i.square(), ex(x).square()));
            if x >= 0.0 {
                let root = i.sqrt();
                prop_assert!(ex(root.lo).square() <= ex(x) && ex(root.hi).square() >= ex(x));
            }
        }
    }

    #[test]
    fn a_cube_root_is_enclosed(c in decades(-30.0, 30.0), know_slope in any::<bool>(), width in decades(-20.0, 0.0)) {
        let f = |x: f64| (c - x * x * x, if know_slope { -3.0 * x * x } else { 0.0 });
        let hi = 1.0 + c;
        let sign = |x: f64| ex(c) - ex(x) * ex(x) * ex(x);
        // Neighboring numbers, up to the rounding of f itself.
        let e = decreasing_root(0.0, hi, 0.0, f);
        prop_assert!(sign(e.lo * (1.0 - 4.0 * f64::EPSILON)) >= Exact::zero());
        prop_assert!(sign(e.hi * (1.0 + 4.0 * f64::EPSILON)) <= Exact::zero());
        prop_assert!(e.hi <= e.lo.next_up());
        // Or the width asked for.
        let e = decreasing_root(0.0, hi, width * hi, f);
        prop_assert!(e.hi - e.lo <= width * hi || e.hi <= e.lo.next_up());
        prop_assert!(sign(e.lo * (1.0 - 4.0 * f64::EPSILON)) >= Exact::zero());
        prop_assert!(sign(e.hi * (1.0 + 4.0 * f64::EPSILON)) <= Exact::zero());
        prop_assert!(e.lo <= e.middle() && e.middle() <= e.hi);
    }

    #[test]
    fn kinks_and_jumps_are_enclosed(at in 0.01..0.99_f64, steep in decades(-8.0, 8.0), jump in 0.0..1.0_f64) {
        // Slopes that mislead Newton: a kink, and a jump that no derivative sees.
        let kink = |x: f64| if x < at { (at - x, -1.0) } else { (steep * (at - x), -steep) };
        let e = decreasing_root(0.0, 1.0, 0.0, kink);
        prop_assert!(e.lo <= at && at <= e.hi && e.hi <= e.lo.next_up());
        let step = |x: f64| if x < at { (jump + 1e-9, -1e-30) } else { (-1e-9 - jump, -1e30) };
        let e = decreasing_root(0.0, 1.0, 0.0, step);
        prop_assert!(e.lo < at && at <= e.hi && e.hi <= e.lo.next_up());
    }
}

#[test]
fn a_root_near_zero_is_found_in_any_binade() {
    for exponent in [-1000, -300, -10, 0, 300] {
        let root = 1.25 * 2.0_f64.powi(exponent);
        let e = decreasing_root(0.0, 1e300, 0.0, |x| (root - x, 0.0));
        assert!(e.lo <= root && root <= e.hi && e.hi <= e.lo.next_up(), "2^{exponent}: {e:?}");
    }
}

#[test]
fn a_function_that_is_not_a_number_claims_no_root() {
    let e = decreasing_root(0.0, 1.0, 0.0, |x| (if x == 0.0 || x == 1.0 { 0.5 - x } else { f64::NAN }, -1.0));
    assert!(e.lo <= 0.0 && e.hi >= 1.0, "{e:?}");
}

#[test]
fn the_unit_roundings_add_up() {
    assert_eq!(rounding::UNIT, 2.0_f64.powi(-53));
    assert_eq!(rounding::gamma(0), 0.0_f64.next_up().next_up());
    for k in [1_u32, 2, 10, 1000, 1_000_000] {
        let ku = ex(f64::from(k)) * ex(rounding::UNIT);
        assert!(ex(rounding::gamma(k as usize)) * (ex(1.0) - ku.clone()) >= ku, "gamma of {k}");
    }
    assert_eq!(rounding::gamma(1 << 53), f64::INFINITY);
}
