//! `ResidualLaw.v`, T21: what the codes and the activations predict of the residuals, at a point
//! that is stationary in the dictionary.

use num_traits::{Signed, Zero};

use super::support::{CASES, Dice, Matrix, Q, Stationary, assert_balanced, energy, int, moment, sum, tally};

fn trace(matrix: &Matrix) -> Q {
    sum((0..matrix.rows).map(|k| matrix[(k, k)].clone()))
}

/// D diag(s).
fn weighted_atoms(point: &Stationary) -> Matrix {
    Matrix::from_fn(point.atoms.rows, point.atoms.cols, |b, k| &point.atoms[(b, k)] * point.mass(k))
}

/// The same point with other residuals: no longer stationary.
fn disturbed(point: &Stationary) -> Stationary {
    Stationary { residuals: point.residuals.scaled(&int(2)), ..point.clone() }
}

/// PROOF: Widedict.ResidualLaw.T21_residual_law
#[test]
fn t21_residual_law() {
    let centred = tally(CASES, 160, |dice| {
        let with_centre = dice.chance(50);
        let point = Stationary::random(dice, with_centre);
        assert!(point.atoms_hold());
        let law = weighted_atoms(&point).scaled(&point.lambda);
        assert_eq!(moment(&point.weights, &point.residuals, &point.codes), law);
        let other = disturbed(&point);
        assert!(!other.atoms_hold());
        assert_ne!(moment(&other.weights, &other.residuals, &other.codes), law);
        with_centre
    });
    assert_balanced(centred, CASES);
}

/// Columns to predict, columns to predict from, weights, and a solution B of BC = P. One time in
/// two C is singular: a predictor occurs twice.
fn regression(dice: &mut Dice) -> Option<(Vec<Q>, Matrix, Matrix, Matrix, bool)> {
    let (dim, points, predictors) = (1 + dice.below(3), 2 + dice.below(4), 1 + dice.below(2));
    let weights: Vec<Q> = (0..points).map(|_| dice.positive()).collect();
    let (left, right) = (dice.matrix(dim, points), dice.matrix(predictors, points));
    let inverse = moment(&weights, &right, &right).inverse()?;
    let solution = moment(&weights, &left, &right).times(&inverse);
    if dice.chance(50) {
        return Some((weights, left, right, solution, false));
    }
    let twice = Matrix::from_fn(predictors + 1, points, |k, i| right[(k % predictors, i)].clone());
    let padded = Matrix::from_fn(dim, predictors + 1, |b, k| {
        if k < predictors { solution[(b, k)].clone() } else { Q::zero() }
    });
    Some((weights, left, twice, padded, true))
}

/// PROOF: Widedict.ResidualLaw.T21_regression_energy
#[test]
fn t21_regression_energy() {
    let mut missed = 0;
    let singular = tally(CASES, 161, |dice| {
        let Some((weights, left, right, solution, singular)) = regression(dice) else { return false };
        let second = moment(&weights, &right, &right);
        assert_eq!(singular, second.determinant().is_zero());
        assert_eq!(solution.times(&second), moment(&weights, &left, &right));
        let value = |map: &Matrix| {
            let explained = trace(&map.times(&second).times(&map.transposed()));
            (energy(&weights, &left.minus(&map.times(&right))), energy(&weights, &left) - explained)
        };
        let (actual, formula) = value(&solution);
        assert_eq!(actual, formula);
        // Another map does not explain its own square.
        let (actual, formula) = value(&solution.scaled(&int(2)));
        missed += u64::from(actual != formula);
        singular
    });
    assert_balanced(singular, CASES);
    assert!(4 * missed > 3 * CASES);
}

/// PROOF: Widedict.ResidualLaw.T21_regression_least
#[test]
fn t21_regression_least() {
    let strictly = tally(CASES, 162, |dice| {
        let Some((weights, left, right, solution, _)) = regression(dice) else { return false };
        let other = solution.plus(&dice.matrix(solution.rows, solution.cols));
        let value = |map: &Matrix| energy(&weights, &left.minus(&map.times(&right)));
        let apart = energy(&weights, &solution.minus(&other).times(&right));
        assert_eq!(value(&other), value(&solution) + &apart);
        assert!(value(&solution) <= value(&other));
        apart.is_positive()
    });
    assert!(4 * strictly > 3 * CASES);
    // A negative weight turns the solution of the normal equations into a worst one.
    let (one, weights) = (Matrix::of_rows(&[vec![int(1)]]), [int(-1)]);
    assert_eq!(one.times(&moment(&weights, &one, &one)), moment(&weights, &one, &one));
    assert!(energy(&weights, &one) < energy(&weights, &one.minus(&one)));
}

/// PROOF: Widedict.ResidualLaw.T21_predictable_from_codes
#[test]
fn t21_predictable_from_codes() {
    let mut broken = 0;
    let partly = tally(CASES, 163, |dice| {
        let with_centre = dice.chance(50);
        let point = Stationary::random(dice, with_centre);
        let Some(inverse) = moment(&point.weights, &point.codes, &point.codes).inverse() else {
            return false;
        };
        let scaled_atoms = weighted_atoms(&point);
        let law = |point: &Stationary| {
            let map = scaled_atoms.times(&inverse).scaled(&point.lambda);
            let share = trace(&scaled_atoms.times(&inverse).times(&scaled_atoms.transposed()));
            let left = energy(&point.weights, &point.residuals.minus(&map.times(&point.codes)));
            let total = energy(&point.weights, &point.residuals);
            (left, &total - &point.lambda * &point.lambda * share, total)
        };
        let (left, formula, total) = law(&point);
        assert_eq!(left, formula);
        // No other map leaves less.
        let other = dice.matrix(point.atoms.rows, point.atoms.cols);
        let rest = point.residuals.minus(&other.times(&point.codes));
        assert!(left <= energy(&point.weights, &rest));
        let (actual, formula, _) = law(&disturbed(&point));
        broken += u64::from(actual != formula);
        left.is_positive() && left < total
    });
    assert!(2 * partly > CASES, "{partly}");
    assert!(2 * broken > CASES, "{broken}");
}

/// PROOF: Widedict.ResidualLaw.T21_activation_law
#[test]
fn t21_activation_law() {
    let centred = tally(CASES, 164, |dice| {
        let with_centre = dice.chance(50);
        let law = |point: &Stationary| {
            let data = point.atoms.times(&point.codes).plus(&point.residuals);
            let atoms = weighted_atoms(point).times(&point.atoms.transposed()).scaled(&point.lambda);
            let own = moment(&point.weights, &point.residuals, &point.residuals);
            (moment(&point.weights, &point.residuals, &data), atoms.plus(&own))
        };
        let point = Stationary::random(dice, with_centre);
        let (actual, formula) = law(&point);
        assert_eq!(actual, formula);
        let (actual, formula) = law(&disturbed(&point));
        assert_ne!(actual, formula);
        with_centre
    });
    assert_balanced(centred, CASES);
}
