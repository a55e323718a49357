//! `WideLimit.v`, T4: the wide-limit lower bound and its attainment, for one datapoint, a dataset,
//! a weighted dataset, and any gauge.

use num_traits::{One, Signed, Zero};

use super::support::{
    CASES, Dice, Gauge, Matrix, Normed, Q, assert_balanced, frac, half, huber, int, larger, norm2,
    plain_objective, scaled, square, sum, tally, weighted_gauge_objective, weighted_objective,
    weighted_wide_bound, wide_pair,
};

/// PROOF: Widedict.WideLimit.T4_lower_bound
#[test]
fn t4_lower_bound() {
    let one_point = |lambda: &Q, point: &[Q], atoms: &Matrix, code: &[Q]| {
        let data = Matrix::of_cols(&[point.to_vec()]);
        plain_objective(lambda, &data, atoms, &Matrix::of_cols(&[code.to_vec()]))
    };
    let active = tally(CASES, 4, |dice| {
        let (dim, width) = (1 + dice.below(4), 1 + dice.below(5));
        let lambda = dice.nonnegative();
        let point = Normed::random(dice, dim, 1, Dice::nonnegative);
        let atoms = Normed::random(dice, dim, width, |dice| frac(dice.between(0, 3), 3));
        let code = scaled(&dice.nonnegative_vector(width), &frac(1, 4));
        let bound = huber(&lambda, &point.norms[0]);
        assert!(bound <= one_point(&lambda, &point.matrix.col(0), &atoms.matrix, &code));
        bound < half(&square(&point.norms[0]))
    });
    assert_balanced(active, CASES);
    // A long atom, or a negative code, goes below.
    let atom = |norm: i64| Matrix::of_cols(&[vec![int(norm)]]);
    let bound = huber(&frac(1, 2), &int(1));
    assert!(one_point(&frac(1, 2), &[int(1)], &atom(2), &[frac(3, 8)]) < bound);
    assert!(one_point(&frac(1, 2), &[int(1)], &atom(-1), &[int(-1)]) < bound);
}

/// PROOF: Widedict.WideLimit.T4_attained
#[test]
fn t4_attained() {
    let active = tally(CASES, 5, |dice| {
        let (dim, lambda) = (1 + dice.below(5), dice.nonnegative());
        let point = Normed::random(dice, dim, 1, Dice::nonnegative);
        let (atoms, codes) = wide_pair(&lambda, &point);
        let value = plain_objective(&lambda, &point.matrix, &atoms, &codes);
        assert_eq!(value, huber(&lambda, &point.norms[0]));
        codes[(0, 0)].is_positive()
    });
    assert_balanced(active, CASES);
}

fn wide_bound(lambda: &Q, data: &Normed) -> Q {
    sum(data.norms.iter().map(|radius| huber(lambda, radius)))
}

/// PROOF: Widedict.WideLimit.T4_dataset_lower_bound
#[test]
fn t4_dataset_lower_bound() {
    let close = tally(CASES, 6, |dice| {
        let (dim, points) = (1 + dice.below(3), 1 + dice.below(5));
        let lambda = dice.nonnegative();
        let data = Normed::random(dice, dim, points, Dice::nonnegative);
        let bound = wide_bound(&lambda, &data);
        let atoms = Normed::random(dice, dim, 3, |dice| frac(dice.between(0, 3), 3));
        let codes = dice.nonnegative_matrix(3, points);
        assert!(bound <= plain_objective(&lambda, &data.matrix, &atoms.matrix, &codes));
        // Perturbations of the minimiser come close and stay above.
        let (atoms, mut codes) = wide_pair(&lambda, &data);
        codes[(0, 0)] = larger(&codes[(0, 0)] + frac(dice.between(-1, 1), 100), Q::zero());
        let value = plain_objective(&lambda, &data.matrix, &atoms, &codes);
        assert!(bound <= value);
        value < &bound * frac(101, 100)
    });
    assert!(2 * close > CASES);
}

/// PROOF: Widedict.WideLimit.T4_dataset_attained
#[test]
fn t4_dataset_attained() {
    let mixed = tally(CASES, 7, |dice| {
        let (dim, points) = (1 + dice.below(4), 2 + dice.below(4));
        let lambda = dice.positive();
        let data = Normed::random(dice, dim, points, Dice::nonnegative);
        let (atoms, codes) = wide_pair(&lambda, &data);
        assert!(codes.is_nonnegative());
        assert!((0..points).all(|k| norm2(&atoms.col(k)) <= Q::one()));
        assert_eq!(plain_objective(&lambda, &data.matrix, &atoms, &codes), wide_bound(&lambda, &data));
        let active = data.norms.iter().filter(|radius| **radius > lambda).count();
        0 < active && active < points
    });
    assert!(5 * mixed >= CASES);
}

/// PROOF: Widedict.WideLimit.T4_weighted_lower_bound
#[test]
fn t4_weighted_lower_bound() {
    let close = tally(CASES, 8, |dice| {
        let (dim, points) = (1 + dice.below(3), 1 + dice.below(5));
        let (lambda, weights) = (dice.nonnegative(), dice.nonnegative_vector(points));
        let data = Normed::random(dice, dim, points, Dice::nonnegative);
        let bound = weighted_wide_bound(&weights, &lambda, &data);
        let atoms = Normed::random(dice, dim, 3, |_| Q::one());
        let codes = dice.nonnegative_matrix(3, points);
        assert!(bound <= weighted_objective(&weights, &lambda, &data.matrix, &atoms.matrix, &codes));
        let (atoms, mut codes) = wide_pair(&lambda, &data);
        codes[(0, 0)] = larger(&codes[(0, 0)] + frac(dice.between(-1, 1), 100), Q::zero());
        let value = weighted_objective(&weights, &lambda, &data.matrix, &atoms, &codes);
        assert!(bound <= value);
        value <= &bound * frac(101, 100)
    });
    assert!(2 * close > CASES);
    // A negative weight reverses the inequality.
    let data = Normed::new(&[vec![int(1)]], vec![int(2)]);
    let (lambda, weights) = (frac(1, 2), [int(-1)]);
    let (atoms, code) = (Matrix::of_cols(&[vec![int(1)]]), Matrix::of_cols(&[vec![int(1)]]));
    let value = weighted_objective(&weights, &lambda, &data.matrix, &atoms, &code);
    assert!(value < weighted_wide_bound(&weights, &lambda, &data));
}

/// PROOF: Widedict.WideLimit.T4_weighted_attained
#[test]
fn t4_weighted_attained() {
    let active = tally(CASES, 9, |dice| {
        let (dim, points) = (1 + dice.below(4), 1 + dice.below(5));
        let (lambda, weights) = (dice.nonnegative(), dice.nonnegative_vector(points));
        let data = Normed::random(dice, dim, points, Dice::nonnegative);
        let (atoms, codes) = wide_pair(&lambda, &data);
        let value = weighted_objective(&weights, &lambda, &data.matrix, &atoms, &codes);
        assert_eq!(value, weighted_wide_bound(&weights, &lambda, &data));
        (0..points).any(|i| weights[i].is_positive() && codes[(i, i)].is_positive())
    });
    assert!(2 * active > CASES);
}

/// PROOF: Widedict.WideLimit.T4_gauge_lower_bound
#[test]
fn t4_gauge_lower_bound() {
    let active = tally(CASES, 10, |dice| {
        let (dim, points, width) = (1 + dice.below(3), 1 + dice.below(4), 1 + dice.below(4));
        let gauge = Gauge::random(dice, points);
        let data = Normed::random(dice, dim, points, |dice| int(3) * dice.nonnegative());
        let atoms = Normed::random(dice, dim, width, Dice::nonnegative);
        let mut rows = gauge.rows(dice, width);
        // Small codes too, where the penalty is weakest.
        let shrink = frac(1, dice.between(1, 20));
        rows.matrix = rows.matrix.scaled(&shrink);
        rows.gauges = scaled(&rows.gauges, &shrink);
        let bound = weighted_wide_bound(&gauge.weights(), &gauge.lambda, &data);
        assert!(bound <= weighted_gauge_objective(&gauge, &data.matrix, &atoms, &rows));
        data.norms.iter().any(|radius| *radius > gauge.lambda)
    });
    assert!(2 * active > CASES);
}
