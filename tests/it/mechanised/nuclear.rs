//! `Nuclear.v`, T23: the test by a matrix as large as the dimension, and what its dual points
//! bound.

use num_traits::{One, Signed, Zero};

use super::support::{
    CASES, Dice, Gauge, Matrix, Normed, Q, assert_balanced, copositivity_witness, dot, dual_step, dual_value,
    frac, half, norm2, scaled, square, tally, weighted_gauge_objective,
};

/// The largest c of the test: λ²/(γ² + λ²‖a‖²).
fn largest_share(gauge: &Gauge) -> Q {
    let price = square(&gauge.gamma) + square(&gauge.lambda) * norm2(&gauge.a);
    square(&gauge.lambda) / price
}

/// κ²γ²I − RRᵀ + c(Ra)(Ra)ᵀ.
fn small(gauge: &Gauge, residual: &Matrix, kappa: &Q, c: &Q) -> Matrix {
    let mean = residual.apply(&gauge.a);
    let unit = Matrix::from_fn(residual.rows, residual.rows, |i, j| {
        if i == j { square(&(kappa * &gauge.gamma)) } else { Q::zero() }
    });
    let outer = Matrix::outer(&mean, &mean).scaled(c);
    unit.minus(&residual.times(&residual.transposed())).plus(&outer)
}

/// A nearly least κ that the test accepts.
fn spectral(gauge: &Gauge, residual: &Matrix, c: &Q) -> Q {
    gauge.least_kappa(|kappa| small(gauge, residual, kappa, c).is_psd())
}

/// R with Ra = 0.
fn centred(gauge: &Gauge, residual: &Matrix) -> Matrix {
    let defect = residual.apply(&gauge.a);
    residual.plus(&Matrix::outer(&scaled(&defect, &(-Q::one() / norm2(&gauge.a))), &gauge.a))
}

/// PROOF: Widedict.Nuclear.T23_small_matrix
#[test]
fn t23_small_matrix() {
    let mut false_ones = 0;
    let held = tally(CASES, 60, |dice| {
        let (dim, points) = (1 + dice.below(3), 1 + dice.below(4));
        let gauge = Gauge::random(dice, points);
        let residual = dice.matrix(dim, points);
        let largest = largest_share(&gauge);
        let kappa = spectral(&gauge, &residual, &largest) * frac(dice.between(5, 11), 8);
        let full = gauge.slack(&residual, &kappa).is_psd();
        // At the largest c the two tests are one; at a smaller one the small one asks for more.
        assert_eq!(small(&gauge, &residual, &kappa, &largest).is_psd(), full);
        for share in [Q::zero(), frac(1, 2)] {
            assert!(!small(&gauge, &residual, &kappa, &(&largest * share)).is_psd() || full);
        }
        // Beyond the largest c it accepts what is false.
        let beyond = small(&gauge, &residual, &kappa, &(&largest * frac(3, 2))).is_psd();
        false_ones += u64::from(beyond && copositivity_witness(&gauge.slack(&residual, &kappa)).is_some());
        full
    });
    assert_balanced(held, CASES);
    assert!(false_ones > 0, "a larger c was never wrong");
}

/// PROOF: Widedict.Nuclear.T23_nuclear_bound
#[test]
fn t23_nuclear_bound() {
    let positive = tally(CASES, 61, |dice| {
        let (dim, points, width) = (1 + dice.below(3), 1 + dice.below(4), 1 + dice.below(3));
        let gauge = Gauge::random(dice, points);
        let residual = dice.matrix(dim, points);
        let c = largest_share(&gauge) * frac(dice.between(2, 4), 4);
        let t = dual_step(dice, &spectral(&gauge, &residual, &c));
        let atoms = Normed::random(dice, dim, width, Dice::nonnegative);
        let rows = gauge.rows(dice, width);
        let near = residual.scaled(&t).plus(&atoms.matrix.times(&rows.matrix));
        for data in [&near, &dice.matrix(dim, points)] {
            assert!(dual_value(data, &residual, &t) <= gauge.objective(data, &atoms, &rows));
        }
        dual_value(&near, &residual, &t).is_positive()
    });
    assert!(5 * positive >= CASES);
}

/// PROOF: Widedict.Nuclear.T23_centred_bound
#[test]
fn t23_centred_bound() {
    let mut breaks = 0;
    let positive = tally(CASES, 62, |dice| {
        let (dim, points, width) = (1 + dice.below(3), 2 + dice.below(2), 1 + dice.below(3));
        let gauge = Gauge::random(dice, points);
        let raw = dice.matrix(dim, points);
        let residual = centred(&gauge, &raw);
        let kappa = spectral(&gauge, &residual, &Q::zero());
        if kappa.is_zero() {
            return false;
        }
        // λ plays no part: any c gives the same test.
        let same = small(&gauge, &residual, &kappa, &largest_share(&gauge));
        assert_eq!(same, small(&gauge, &residual, &kappa, &Q::zero()));
        let t = dual_step(dice, &kappa);
        let atoms = Normed::random(dice, dim, width, Dice::nonnegative);
        let rows = gauge.rows(dice, width);
        let shift = Matrix::outer(&scaled(&dice.vector(dim), &frac(10, 1)), &gauge.a);
        let data = residual.scaled(&t).plus(&atoms.matrix.times(&rows.matrix)).plus(&shift);
        let bound = dual_value(&data, &residual, &t);
        assert!(bound <= gauge.objective(&data.minus(&shift), &atoms, &rows));
        // Without Ra = 0 a centre explains what the dual point charges for.
        let defect = raw.apply(&gauge.a);
        let far = Matrix::outer(&scaled(&defect, &frac(1000, 1)), &gauge.a);
        let t = Q::one() / spectral(&gauge, &raw, &largest_share(&gauge));
        breaks += u64::from(dual_value(&far, &raw, &t).is_positive());
        bound.is_positive()
    });
    assert!(5 * positive >= CASES);
    assert!(2 * breaks > CASES, "Ra = 0 is needed");
}

/// PROOF: Widedict.Nuclear.T23_affine_bound
#[test]
fn t23_affine_bound() {
    let positive = tally(CASES, 63, |dice| {
        let (dim, points, width) = (1 + dice.below(3), 1 + dice.below(4), 1 + dice.below(3));
        let gauge = Gauge::random(dice, points);
        let atoms = Normed::random(dice, dim, width, Dice::nonnegative);
        let rows = gauge.rows(dice, width);
        let product = atoms.matrix.times(&rows.matrix);
        let data = product.plus(&dice.matrix(dim, points).scaled(&frac(1, 3)));
        // A map near a multiple of the identity, so that the bound is often positive.
        let map = Matrix::from_fn(dim, dim, |i, j| {
            dice.rational() * frac(1, 8) + if i == j { Q::one() } else { Q::zero() }
        });
        let offset = scaled(&dice.vector(dim), &frac(1, 8));
        let residual = map.times(&data).plus(&Matrix::outer(&offset, &gauge.a));
        let moments = data.times(&data.transposed()).dot(&map) + dot(&data.apply(&gauge.a), &offset);
        assert_eq!(moments, data.dot(&residual));
        let c = largest_share(&gauge);
        let kappa = spectral(&gauge, &residual, &c);
        let best = if residual.norm2().is_zero() { Q::zero() } else { &moments / residual.norm2() };
        let limit = if kappa.is_zero() { Q::zero() } else { Q::one() / &kappa };
        let t = if best.is_negative() { Q::zero() } else { best.min(limit) };
        let bound = &t * &moments - half(&(square(&t) * residual.norm2()));
        assert!(bound <= gauge.objective(&data, &atoms, &rows));
        bound.is_positive()
    });
    assert!(2 * positive >= CASES);
}

/// PROOF: Widedict.Nuclear.T23_weighted_bound
#[test]
fn t23_weighted_bound() {
    let positive = tally(CASES, 64, |dice| {
        let (dim, points, width) = (1 + dice.below(3), 1 + dice.below(3), 1 + dice.below(3));
        let gauge = Gauge::random(dice, points);
        let residual = dice.matrix(dim, points);
        let t = dual_step(dice, &spectral(&gauge, &residual, &largest_share(&gauge)));
        let atoms = Normed::random(dice, dim, width, Dice::nonnegative);
        let rows = gauge.rows(dice, width);
        let whitened = residual.scaled(&t).plus(&atoms.matrix.times(&rows.matrix));
        let data = gauge.unwhitened(&whitened);
        let bound = dual_value(&whitened, &residual, &t);
        assert!(bound <= weighted_gauge_objective(&gauge, &data, &atoms, &rows));
        bound.is_positive()
    });
    assert!(5 * positive >= CASES);
}
