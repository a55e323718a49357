//! `GaugeDuality.v`, T2, T3a, T6 and T8: the polar bound, weak duality for the gauge, the split
//! certificate, and the criterion for a global optimum.

use num_traits::{One, Signed, Zero};

use super::support::{
    CASES, Dice, Gauge, Matrix, Normed, OneAtomEach, Q, added, assert_balanced, copositivity_witness,
    dual_step, dual_value, frac, half, improvement, int, larger, nearly_unit, norm2, penalty, root, scaled,
    tally, weighted_gauge_objective,
};

/// A gauge, a residual and a bound on its polar that is hard to improve.
fn dual_point(dice: &mut Dice, dim: usize, points: usize) -> (Gauge, Matrix, Q) {
    let gauge = Gauge::random(dice, points);
    let residual = dice.matrix(dim, points);
    let kappa = gauge.polar(&residual);
    (gauge, residual, kappa)
}

/// For κ that is not a bound on the polar of R: data and one atom whose objective lies
/// below the dual value at t = 1/κ. The gauge is replaced by an upper bound of it.
fn dual_violation(gauge: &Gauge, residual: &Matrix, kappa: &Q) -> Option<(Q, Q)> {
    let witness = copositivity_witness(&gauge.slack(residual, kappa))?;
    let t = Q::one() / kappa;
    let atom = nearly_unit(&residual.apply(&witness));
    let (_, cost) = root(&gauge.squared(&witness));
    let data = residual.scaled(&t).plus(&Matrix::outer(&atom, &witness));
    let fit = half(&data.minus(&Matrix::outer(&atom, &witness)).norm2());
    Some((fit + cost, dual_value(&data, residual, &t)))
}

/// PROOF: Widedict.GaugeDuality.T2_gauge_weak_duality
#[test]
fn t2_gauge_weak_duality() {
    let positive = tally(CASES, 18, |dice| {
        let (dim, points, width) = (1 + dice.below(3), 1 + dice.below(3), 1 + dice.below(3));
        let (gauge, residual, kappa) = dual_point(dice, dim, points);
        let t = dual_step(dice, &kappa);
        let atoms = Normed::random(dice, dim, width, Dice::nonnegative);
        let rows = gauge.rows(dice, width);
        let near = residual.scaled(&t).plus(&atoms.matrix.times(&rows.matrix));
        for data in [&near, &dice.matrix(dim, points)] {
            assert!(dual_value(data, &residual, &t) <= gauge.objective(data, &atoms, &rows));
        }
        // Just below the polar the inequality fails.
        let smaller = &kappa - frac(1, 8);
        if smaller.is_positive() {
            let (value, bound) = dual_violation(&gauge, &residual, &smaller).expect("kappa is nearly least");
            assert!(value < bound);
        }
        dual_value(&near, &residual, &t).is_positive()
    });
    assert!(5 * positive >= CASES);
}

/// A residual with Ra = c.
fn with_defect(gauge: &Gauge, residual: &Matrix, defect: &[Q]) -> Matrix {
    let now = residual.apply(&gauge.a);
    let change = scaled(&added(defect, &scaled(&now, &int(-1))), &(Q::one() / norm2(&gauge.a)));
    residual.plus(&Matrix::outer(&change, &gauge.a))
}

/// PROOF: Widedict.GaugeDuality.T2_centred_weak_duality
#[test]
fn t2_centred_weak_duality() {
    let mut uncentred_breaks = 0;
    let positive = tally(CASES, 19, |dice| {
        let (dim, points, width) = (1 + dice.below(3), 2 + dice.below(2), 1 + dice.below(3));
        let gauge = Gauge::random(dice, points);
        let raw = dice.matrix(dim, points);
        let residual = with_defect(&gauge, &raw, &vec![Q::zero(); dim]);
        let kappa = gauge.polar(&residual);
        let t = dual_step(dice, &kappa);
        let atoms = Normed::random(dice, dim, width, Dice::nonnegative);
        let rows = gauge.rows(dice, width);
        let shift = Matrix::outer(&scaled(&dice.vector(dim), &int(10)), &gauge.a);
        let data = residual.scaled(&t).plus(&atoms.matrix.times(&rows.matrix)).plus(&shift);
        let bound = dual_value(&data, &residual, &t);
        assert!(bound <= gauge.objective(&data.minus(&shift), &atoms, &rows));
        // With Ra ≠ 0 a centre far along Ra explains the data and the "bound" is positive.
        let defect = raw.apply(&gauge.a);
        let t = Q::one() / gauge.polar(&raw);
        let far = Matrix::outer(&scaled(&defect, &int(1000)), &gauge.a);
        uncentred_breaks += u64::from(dual_value(&far, &raw, &t).is_positive());
        bound.is_positive()
    });
    assert!(5 * positive >= CASES);
    assert!(2 * uncentred_breaks > CASES, "Ra = 0 is needed");
}

/// PROOF: Widedict.GaugeDuality.T6_centre_defect
#[test]
fn t6_centre_defect() {
    let repaired = tally(CASES, 20, |dice| {
        let (dim, points, width) = (1 + dice.below(3), 1 + dice.below(3), 1 + dice.below(3));
        let gauge = Gauge::random(dice, points);
        // Ra = size·u for a unit vector u, so that its norm is rational.
        let (size, direction) = (dice.nonnegative(), dice.unit(dim));
        let raw = dice.matrix(dim, points);
        let residual = with_defect(&gauge, &raw, &scaled(&direction, &size));
        let kappa = gauge.polar(&residual);
        if kappa.is_zero() {
            return false;
        }
        let t = dual_step(dice, &kappa);
        let radius = dice.positive();
        let atoms = Normed::random(dice, dim, width, Dice::nonnegative);
        let rows = gauge.rows(dice, width);
        // The centre that the defect favours most, and a random one.
        let other = dice.unit(dim);
        let mut needed = false;
        for centre in [scaled(&direction, &radius), scaled(&other, &radius)] {
            let shift = Matrix::outer(&centre, &gauge.a);
            let fitted = residual.scaled(&t).plus(&atoms.matrix.times(&rows.matrix)).plus(&shift);
            for (data, atoms_on) in [(&fitted, true), (&shift, false)] {
                let data_centred = data.minus(&shift);
                let value = if atoms_on {
                    gauge.objective(&data_centred, &atoms, &rows)
                } else {
                    half(&data_centred.norm2())
                };
                let bound = dual_value(data, &residual, &t);
                assert!(&bound - &t * &radius * &size <= value);
                needed |= bound > value;
            }
        }
        needed
    });
    assert!(5 * repaired >= CASES, "the correction is needed in {repaired} of {CASES}");
}

/// PROOF: Widedict.GaugeDuality.T2_polar_iff_copositive
#[test]
fn t2_polar_iff_copositive() {
    let held = tally(CASES, 21, |dice| {
        let (dim, points) = (1 + dice.below(3), 1 + dice.below(4));
        let gauge = Gauge::random(dice, points);
        let residual = dice.matrix(dim, points);
        let kappa = gauge.polar(&residual) * frac(dice.between(4, 11), 8);
        match copositivity_witness(&gauge.slack(&residual, &kappa)) {
            None => {
                for _ in 0..8 {
                    let row = dice.nonnegative_vector(points);
                    let sharpest = nearly_unit(&added(&residual.apply(&row), &vec![frac(1, 1000); dim]));
                    for atom in [sharpest, dice.unit(dim)] {
                        assert!(gauge.polar_holds(&residual, &kappa, &atom, &row));
                    }
                }
                true
            }
            Some(witness) => {
                let atom = nearly_unit(&residual.apply(&witness));
                assert!(norm2(&atom) <= Q::one());
                assert!(!gauge.polar_holds(&residual, &kappa, &atom, &witness));
                false
            }
        }
    });
    assert_balanced(held, CASES);
}

/// A symmetric T ≥ 0 with zero diagonal, positive where datapoints oppose each other.
fn splitting(dice: &mut Dice, residual: &Matrix) -> Matrix {
    let gram = residual.gram();
    let mut split = Matrix::zeros(gram.rows, gram.rows);
    for i in 0..gram.rows {
        for j in 0..i {
            let opposed = larger(-gram[(i, j)].clone(), Q::zero()) * frac(dice.between(0, 3), 2);
            split[(i, j)] = opposed.clone();
            split[(j, i)] = opposed;
        }
    }
    split
}

/// PROOF: Widedict.GaugeDuality.T3a_split_certificate
#[test]
fn t3a_split_certificate() {
    let mut sharper = 0;
    let held = tally(CASES, 22, |dice| {
        let (dim, points) = (1 + dice.below(3), 2 + dice.below(3));
        let gauge = Gauge::random(dice, points);
        let residual = dice.matrix(dim, points);
        let split = splitting(dice, &residual);
        let certifies = |kappa: &Q| gauge.slack(&residual, kappa).minus(&split).is_psd();
        let plain = gauge.least_kappa(|kappa| gauge.slack(&residual, kappa).is_psd());
        let kappa = &plain * frac(dice.between(6, 9), 8);
        if !certifies(&kappa) {
            return false;
        }
        sharper += u64::from(kappa < plain);
        assert_eq!(copositivity_witness(&gauge.slack(&residual, &kappa)), None);
        for _ in 0..8 {
            let row = dice.nonnegative_vector(points);
            for atom in
                [nearly_unit(&added(&residual.apply(&row), &vec![frac(1, 1000); dim])), dice.unit(dim)]
            {
                assert!(gauge.polar_holds(&residual, &kappa, &atom, &row));
            }
        }
        // Without T ≥ 0 anything is "certified": T = −K at κ = 0.
        let free = residual.gram().scaled(&int(-1));
        assert!(gauge.slack(&residual, &Q::zero()).minus(&free).is_psd());
        assert!(copositivity_witness(&gauge.slack(&residual, &Q::zero())).is_some());
        true
    });
    assert_balanced(held, CASES);
    assert!(sharper > 0, "no T did better than T = 0");
}

/// PROOF: Widedict.GaugeDuality.T3a_certified_bound
#[test]
fn t3a_certified_bound() {
    let positive = tally(CASES, 23, |dice| {
        let (dim, points, width) = (1 + dice.below(3), 1 + dice.below(4), 1 + dice.below(3));
        let gauge = Gauge::random(dice, points);
        let residual = dice.matrix(dim, points);
        let split = splitting(dice, &residual);
        let kappa = gauge.least_kappa(|kappa| gauge.slack(&residual, kappa).minus(&split).is_psd());
        let t = dual_step(dice, &kappa);
        let atoms = Normed::random(dice, dim, width, Dice::nonnegative);
        let rows = gauge.rows(dice, width);
        let data = residual.scaled(&t).plus(&atoms.matrix.times(&rows.matrix));
        let bound = dual_value(&data, &residual, &t);
        assert!(bound <= gauge.objective(&data, &atoms, &rows));
        bound.is_positive()
    });
    assert!(5 * positive >= CASES);
}

/// PROOF: Widedict.GaugeDuality.T8_gap_identity
#[test]
fn t8_gap_identity() {
    let signs = tally(CASES, 24, |dice| {
        let (dim, points, width) = (1 + dice.below(3), 1 + dice.below(4), 1 + dice.below(3));
        let gauge = Gauge::random(dice, points);
        let data = dice.matrix(dim, points);
        let atoms = Normed::random(dice, dim, width, Dice::nonnegative);
        let rows = gauge.rows(dice, width);
        let product = atoms.matrix.times(&rows.matrix);
        let residual = data.minus(&product);
        let gap = penalty(&atoms, &rows) - residual.dot(&product);
        let dual = dual_value(&data, &residual, &Q::one());
        assert_eq!(gauge.objective(&data, &atoms, &rows) - dual, gap);
        gap.is_negative()
    });
    // A negative "gap" occurs: at t = 1 it is a gap only when the residual is in the polar ball.
    assert!(signs > 0 && signs < CASES);
}

/// PROOF: Widedict.GaugeDuality.T8_global_criterion
#[test]
fn t8_global_criterion() {
    let optimal = tally(CASES, 25, |dice| {
        let (dim, points) = (2 + dice.below(2), 1 + dice.below(3));
        let case = OneAtomEach::random(dice, dim, points);
        let (residual, product) = (case.residual(), case.atoms.matrix.times(&case.rows.matrix));
        assert_eq!(residual.dot(&product), penalty(&case.atoms, &case.rows));
        let better = improvement(&case.gauge, &case.data, &case.atoms, &case.rows);
        match &better {
            // In the polar ball and tightly paired: nothing beats it.
            None => case.assert_optimal(dice),
            Some(value) => assert!(*value < case.value()),
        }
        better.is_none()
    });
    assert_balanced(optimal, CASES);
    // Loosely paired: shrinking or stretching the dictionary gains, so it is no optimum.
    let loose = tally(CASES, 26, |dice| {
        let gauge = Gauge::random(dice, 2);
        let (data, rows) = (dice.matrix(2, 2), gauge.rows(dice, 2));
        let atoms = Normed::random(dice, 2, 2, Dice::positive);
        let product = atoms.matrix.times(&rows.matrix);
        let excess = penalty(&atoms, &rows) - data.minus(&product).dot(&product);
        let reach = larger(product.norm2(), excess.abs());
        if excess.is_zero() || reach.is_zero() {
            return false;
        }
        let factor = Q::one() - &excess / reach;
        let resized = Normed { matrix: atoms.matrix.scaled(&factor), norms: scaled(&atoms.norms, &factor) };
        assert!(!factor.is_negative());
        assert!(gauge.objective(&data, &resized, &rows) < gauge.objective(&data, &atoms, &rows));
        true
    });
    assert!(2 * loose > CASES);
}

/// PROOF: Widedict.GaugeDuality.T2_weighted_weak_duality
#[test]
fn t2_weighted_weak_duality() {
    let positive = tally(CASES, 27, |dice| {
        let (dim, points, width) = (1 + dice.below(3), 1 + dice.below(3), 1 + dice.below(3));
        let (gauge, residual, kappa) = dual_point(dice, dim, points);
        let t = dual_step(dice, &kappa);
        let atoms = Normed::random(dice, dim, width, Dice::nonnegative);
        let rows = gauge.rows(dice, width);
        let whitened = residual.scaled(&t).plus(&atoms.matrix.times(&rows.matrix));
        let data = Matrix::from_fn(dim, points, |b, i| &whitened[(b, i)] / &gauge.a[i]);
        let bound = dual_value(&whitened, &residual, &t);
        assert!(bound <= weighted_gauge_objective(&gauge, &data, &atoms, &rows));
        bound.is_positive()
    });
    assert!(5 * positive >= CASES);
}
