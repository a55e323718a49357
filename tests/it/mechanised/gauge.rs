//! `Gauge.v`, T2 and T7: whitening, and the polar of the gauge.

use num_traits::{One, Signed, Zero};

use super::support::{
    CASES, Dice, Gauge, Matrix, Normed, Q, assert_balanced, dot, larger, norm2, square, subsets, tally,
    weighted_gauge_objective,
};

/// PROOF: Widedict.Gauge.T2_whitening
#[test]
fn t2_whitening() {
    let dense = tally(CASES, 11, |dice| {
        let (dim, points, width) = (1 + dice.below(3), 1 + dice.below(4), 1 + dice.below(3));
        let gauge = Gauge::random(dice, points);
        let weights = gauge.weights();
        let data = dice.matrix(dim, points);
        let atoms = Normed::random(dice, dim, width, Dice::nonnegative);
        let rows = gauge.rows(dice, width);
        let whitened = Matrix::from_fn(dim, points, |b, i| &gauge.a[i] * &data[(b, i)]);
        assert_eq!(
            weighted_gauge_objective(&gauge, &data, &atoms, &rows),
            gauge.objective(&whitened, &atoms, &rows)
        );
        // The gauge with the weights written is the whitened one.
        let codes = gauge.unwhitened(&rows.matrix);
        for k in 0..width {
            let row = codes.row(k);
            let squares: Vec<Q> = row.iter().map(square).collect();
            let written = square(&(&gauge.lambda * dot(&weights, &row)))
                + square(&gauge.gamma) * dot(&weights, &squares);
            assert_eq!(written, square(&rows.gauges[k]));
        }
        rows.gauges.iter().any(Signed::is_positive)
    });
    assert!(2 * dense > CASES);
}

fn cut(v: &[Q], a: &[Q], tau: &Q) -> Vec<Q> {
    v.iter().zip(a).map(|(v, a)| larger(v - tau * a, Q::zero())).collect()
}

/// ‖(v − τa)₊‖²/γ² + τ²/λ².
fn polar_bound(gauge: &Gauge, v: &[Q], tau: &Q) -> Q {
    norm2(&cut(v, &gauge.a, tau)) / square(&gauge.gamma) + square(tau) / square(&gauge.lambda)
}

/// The root of τ = (λ²/γ²)aᵀ(v − τa)₊: on the right active set the equation is linear.
fn polar_root(gauge: &Gauge, v: &[Q]) -> Q {
    let ratio = square(&gauge.lambda) / square(&gauge.gamma);
    let consistent = subsets(v.len()).find_map(|active| {
        let pick = |x: &[Q]| active.iter().map(|&i| x[i].clone()).collect::<Vec<_>>();
        let (v_on, a_on) = (pick(v), pick(&gauge.a));
        let tau = &ratio * dot(&a_on, &v_on) / (Q::one() + &ratio * norm2(&a_on));
        (tau == &ratio * dot(&gauge.a, &cut(v, &gauge.a, &tau))).then_some(tau)
    });
    consistent.expect("the equation has a root")
}

/// PROOF: Widedict.Gauge.T7_polar_upper_bound
#[test]
fn t7_polar_upper_bound() {
    let mut unsigned_breaks = false;
    let positive = tally(4 * CASES, 12, |dice| {
        let points = 1 + dice.below(4);
        let gauge = Gauge::random(dice, points);
        let (v, tau) = (dice.vector(points), dice.rational());
        let holds = |row: &[Q], tau: &Q| {
            let paired = dot(&v, row);
            !paired.is_positive() || square(&paired) <= gauge.squared(row) * polar_bound(&gauge, &v, tau)
        };
        let row = dice.nonnegative_vector(points);
        assert!(holds(&row, &tau));
        // The sharpest row and the sharpest tau, against the other's random choice.
        let best = polar_root(&gauge, &v);
        assert!(holds(&row, &best) && holds(&cut(&v, &gauge.a, &best), &tau));
        unsigned_breaks |= !holds(&v, &tau);
        dot(&v, &row).is_positive()
    });
    assert_balanced(positive, 4 * CASES);
    assert!(unsigned_breaks, "without z >= 0 the bound fails");
}

/// PROOF: Widedict.Gauge.T7_polar_attained
#[test]
fn t7_polar_attained() {
    let positive = tally(CASES, 13, |dice| {
        let points = 1 + dice.below(4);
        let gauge = Gauge::random(dice, points);
        let v = dice.vector(points);
        let tau = polar_root(&gauge, &v);
        let row = cut(&v, &gauge.a, &tau);
        let least = polar_bound(&gauge, &v, &tau);
        assert!(!dot(&v, &row).is_negative());
        assert_eq!(square(&dot(&v, &row)), gauge.squared(&row) * &least);
        // So no tau does better, and off the root some do worse.
        let others: Vec<Q> = (0..8).map(|_| polar_bound(&gauge, &v, &dice.rational())).collect();
        assert!(others.iter().all(|other| least <= *other));
        row.iter().any(Signed::is_positive) && others.iter().any(|other| least < *other)
    });
    assert!(2 * positive > CASES);
}
