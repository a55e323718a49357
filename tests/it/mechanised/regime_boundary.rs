//! `RegimeBoundary.v`, T5: copositivity with a zero diagonal, and when one atom per datapoint is
//! optimal.

use num_traits::{One, Signed, Zero};

use super::support::{
    CASES, Dice, Gauge, Matrix, Normed, OneAtomEach, Q, assert_balanced, copositivity_witness, dot,
    improvement, int, square, tally,
};

/// A symmetric matrix with zero diagonal and few negative entries.
fn hollow(dice: &mut Dice, size: usize) -> Matrix {
    let upper =
        Matrix::from_fn(
            size,
            size,
            |_, _| {
                if dice.chance(15) { -dice.positive() } else { dice.nonnegative() }
            },
        );
    Matrix::from_fn(size, size, |i, j| if i == j { Q::zero() } else { upper[(i.min(j), i.max(j))].clone() })
}

/// PROOF: Widedict.RegimeBoundary.T5_copositive_offdiag
#[test]
fn t5_copositive_offdiag() {
    let held = tally(CASES, 28, |dice| {
        let size = 2 + dice.below(3);
        let matrix = hollow(dice, size);
        let copositive = copositivity_witness(&matrix).is_none();
        if copositive {
            assert!(matrix.is_nonnegative());
        }
        copositive
    });
    assert_balanced(held, CASES);
    // With a diagonal, copositive matrices have negative entries.
    let diagonal = Matrix::of_rows(&[vec![int(1), int(-1)], vec![int(-1), int(1)]]);
    assert!(copositivity_witness(&diagonal).is_none() && !diagonal.is_nonnegative());
}

/// PROOF: Widedict.RegimeBoundary.T5_zero_diag_copositive_iff
#[test]
fn t5_zero_diag_copositive_iff() {
    let held = tally(CASES, 29, |dice| {
        let size = 1 + dice.below(4);
        let matrix = hollow(dice, size);
        assert_eq!(copositivity_witness(&matrix).is_none(), matrix.is_nonnegative());
        let row = dice.nonnegative_vector(size);
        assert!(!matrix.is_nonnegative() || !matrix.form(&row).is_negative());
        matrix.is_nonnegative()
    });
    assert_balanced(held, CASES);
}

/// κᵢκⱼ uᵢᵀuⱼ ≤ λ²aᵢaⱼ for every pair.
fn angles_hold(gauge: &Gauge, units: &[Vec<Q>]) -> bool {
    (0..units.len()).all(|i| {
        (0..i).all(|j| {
            let angle = &gauge.kappa[i] * &gauge.kappa[j] * dot(&units[i], &units[j]);
            angle <= square(&gauge.lambda) * &gauge.a[i] * &gauge.a[j]
        })
    })
}

/// PROOF: Widedict.RegimeBoundary.T5_angle_iff
#[test]
fn t5_angle_iff() {
    let held = tally(CASES, 30, |dice| {
        let (dim, points) = (2 + dice.below(2), 2 + dice.below(3));
        let gauge = Gauge::random(dice, points);
        let units = dice.units(dim, points);
        let residual = Normed::new(&units, gauge.kappa.clone()).matrix;
        let slack = gauge.slack(&residual, &Q::one());
        assert!((0..points).all(|i| slack[(i, i)].is_zero()));
        let holds = angles_hold(&gauge, &units);
        assert_eq!(copositivity_witness(&slack).is_none(), holds);
        holds
    });
    assert_balanced(held, CASES);
}

/// PROOF: Widedict.RegimeBoundary.T5_one_atom_each_iff
#[test]
fn t5_one_atom_each_iff() {
    let optimal = tally(CASES, 31, |dice| {
        let (dim, points) = (2 + dice.below(2), 2 + dice.below(2));
        let case = OneAtomEach::random(dice, dim, points);
        let holds = angles_hold(&case.gauge, &case.units);
        match improvement(&case.gauge, &case.data, &case.atoms, &case.rows) {
            None => {
                assert!(holds);
                case.assert_optimal(dice);
            }
            Some(value) => assert!(!holds && value < case.value()),
        }
        holds
    });
    assert_balanced(optimal, CASES);
}
