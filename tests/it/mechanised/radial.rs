//! `Radial.v`, T4: the bound of one datapoint as a function of its length, and its equality case.

use num_traits::Signed;

use super::support::{CASES, Q, assert_balanced, frac, half, huber, int, soft, square, tally};

fn radial_value(lambda: &Q, radius: &Q, total: &Q) -> Q {
    half(&square(&soft(total, radius))) + lambda * total
}

/// PROOF: Widedict.Radial.T4_radial_bound
#[test]
fn t4_radial_bound() {
    let mut tight = 0;
    let above = tally(CASES, 1, |dice| {
        let (lambda, radius) = (dice.nonnegative(), dice.nonnegative());
        let total = if dice.chance(40) { soft(&lambda, &radius) } else { dice.nonnegative() };
        let (bound, value) = (huber(&lambda, &radius), radial_value(&lambda, &radius, &total));
        assert!(bound <= value);
        tight += u64::from(bound == value);
        lambda < radius
    });
    assert_balanced(above, CASES);
    assert_balanced(tight, CASES);
    // Each of the three signs is needed.
    for (radius, total, lambda) in
        [(0, 1, -1), (0, -1, 1), (-1, 0, 0)].map(|(r, t, l)| (int(r), int(t), int(l)))
    {
        assert!(huber(&lambda, &radius) > radial_value(&lambda, &radius, &total));
    }
}

/// PROOF: Widedict.Radial.T4_radial_eq
#[test]
fn t4_radial_eq() {
    let active = tally(CASES, 2, |dice| {
        let (lambda, radius) = (dice.nonnegative(), dice.nonnegative());
        let total = soft(&lambda, &radius);
        assert_eq!(radial_value(&lambda, &radius, &total), huber(&lambda, &radius));
        total.is_positive()
    });
    assert_balanced(active, CASES);
}

/// PROOF: Widedict.Radial.T4_huber_is_min
#[test]
fn t4_huber_is_min() {
    let strict = tally(CASES, 3, |dice| {
        let (lambda, radius) = (dice.nonnegative(), dice.nonnegative());
        let least = huber(&lambda, &radius);
        let grid: Vec<Q> = (0..40).map(|k| radial_value(&lambda, &radius, &frac(k, 8))).collect();
        assert!(grid.iter().all(|value| least <= *value));
        assert_eq!(radial_value(&lambda, &radius, &soft(&lambda, &radius)), least);
        // The minimum is not attained everywhere: the bound says something.
        grid.iter().any(|value| least < *value)
    });
    assert!(2 * strict > CASES);
}
