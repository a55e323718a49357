//! `Participation.v`, T19: the atom price against dictionaries whose atoms all participate enough.

use num_bigint::BigInt;
use num_traits::{One, Signed, Zero};

use super::support::{
    CASES, Dice, Gauge, Matrix, Normed, Q, Rows, assert_balanced, dot, dual_step, dual_value, frac,
    root_between, square, sum, tally, weighted_gauge_objective, weighted_objective,
};

fn mass_and_square(weights: &[Q], row: &[Q]) -> (Q, Q) {
    let squares: Vec<Q> = row.iter().map(square).collect();
    (dot(weights, row), dot(weights, &squares))
}

/// PROOF: Widedict.Participation.T19_participation_le_share
#[test]
fn t19_participation_le_share() {
    let mut tight = 0;
    let sparse = tally(CASES, 46, |dice| {
        let points = 1 + dice.below(5);
        let weights = dice.nonnegative_vector(points);
        let level = dice.positive();
        let flat = dice.chance(40);
        let row: Vec<Q> = dice
            .nonnegative_vector(points)
            .into_iter()
            .map(|z| if flat && z.is_positive() { level.clone() } else { z })
            .collect();
        let (mass, squares) = mass_and_square(&weights, &row);
        let share = sum((0..points).filter(|&i| !row[i].is_zero()).map(|i| weights[i].clone()));
        let (left, right) = (square(&mass), &share * squares);
        assert!(left <= right);
        tight += u64::from(left == right);
        share.is_positive() && share < sum(weights)
    });
    assert_balanced(sparse, CASES);
    // A row of one level attains the share.
    assert!(5 * tight >= CASES);
}

/// PROOF: Widedict.Participation.T19_participation_bound
#[test]
fn t19_participation_bound() {
    let mut beyond = 0;
    let held = tally(4 * CASES, 47, |dice| {
        let points = 1 + dice.below(4);
        let (weights, row) = (dice.nonnegative_vector(points), dice.nonnegative_vector(points));
        let lambda = dice.positive();
        let lambda_less = &lambda * frac(dice.between(0, 8), 8);
        let (mass, squares) = mass_and_square(&weights, &row);
        let participation = dice.positive();
        // γ² = p(λ² − λ'²); the gauge is compared squared.
        let price = &participation * (square(&lambda) - square(&lambda_less));
        let gauge2 = square(&(&lambda_less * &mass)) + &price * &squares;
        let holds = &participation * &squares <= square(&mass);
        if holds {
            assert!(gauge2 <= square(&(&lambda * &mass)));
        } else {
            beyond += u64::from(gauge2 > square(&(&lambda * &mass)));
        }
        holds
    });
    assert_balanced(held, 4 * CASES);
    assert!(beyond > 0, "a rarer atom never broke the bound");
}

/// A gauge (λ', γ), unit atoms, rows, and a λ for which every row participates enough.
struct Common {
    gauge: Gauge,
    atoms: Normed,
    rows: Rows,
    lambda: Q,
}

impl Common {
    fn random(dice: &mut Dice, dim: usize, points: usize) -> Self {
        let width = 1 + dice.below(3);
        let gauge = Gauge::random(dice, points);
        let atoms = Normed::random(dice, dim, width, |_| Q::one());
        let rows = gauge.rows(dice, width);
        let weights = gauge.weights();
        let codes = gauge.unwhitened(&rows.matrix);
        let least = (0..width)
            .filter_map(|k| {
                let (mass, squares) = mass_and_square(&weights, &codes.row(k));
                squares.is_positive().then(|| square(&mass) / squares)
            })
            .reduce(|left, right| if left <= right { left } else { right });
        // λ² ≥ λ'² + γ²/p for the least participation p, so that γ² = p'(λ² − λ'²), p' ≤ p.
        let price = least.map_or(Q::zero(), |least| square(&gauge.gamma) / least);
        let (_, lambda) = root_between(&(square(&gauge.lambda) + price), &BigInt::from(1000));
        let common = Self { gauge, atoms, rows, lambda };
        let participation = common.participation();
        for k in 0..width {
            let (mass, squares) = mass_and_square(&weights, &codes.row(k));
            assert!(participation.as_ref().is_none_or(|p| p * squares <= square(&mass)));
        }
        common
    }
    /// p' = γ²/(λ² − λ'²); `None` when every atom is dead and λ = λ'.
    fn participation(&self) -> Option<Q> {
        let room = square(&self.lambda) - square(&self.gauge.lambda);
        room.is_positive().then(|| square(&self.gauge.gamma) / room)
    }
    fn l1_objective(&self, data: &Matrix) -> Q {
        let codes = self.gauge.unwhitened(&self.rows.matrix);
        weighted_objective(&self.gauge.weights(), &self.lambda, data, &self.atoms.matrix, &codes)
    }
}

/// PROOF: Widedict.Participation.T19_objective_bound
#[test]
fn t19_objective_bound() {
    let mut close = 0;
    let alive = tally(CASES, 48, |dice| {
        let (dim, points) = (1 + dice.below(3), 1 + dice.below(4));
        let common = Common::random(dice, dim, points);
        let data = dice.matrix(dim, points);
        if common.participation().is_none() {
            return false;
        }
        let below = weighted_gauge_objective(&common.gauge, &data, &common.atoms, &common.rows);
        let value = common.l1_objective(&data);
        assert!(below <= value);
        close += u64::from(below * frac(11, 10) > value);
        common.rows.gauges.iter().any(Signed::is_positive)
    });
    assert!(2 * alive > CASES);
    assert!(close > 0);
}

/// PROOF: Widedict.Participation.T19_certified_bound
#[test]
fn t19_certified_bound() {
    let positive = tally(CASES, 49, |dice| {
        let (dim, points) = (1 + dice.below(3), 1 + dice.below(3));
        let common = Common::random(dice, dim, points);
        if common.participation().is_none() {
            return false;
        }
        let residual = dice.matrix(dim, points);
        let t = dual_step(dice, &common.gauge.polar(&residual));
        let whitened = residual.scaled(&t).plus(&common.atoms.matrix.times(&common.rows.matrix));
        let data = Matrix::from_fn(dim, points, |b, i| &whitened[(b, i)] / &common.gauge.a[i]);
        let bound = dual_value(&whitened, &residual, &t);
        assert!(bound <= common.l1_objective(&data));
        bound.is_positive()
    });
    assert!(5 * positive >= CASES);
}
