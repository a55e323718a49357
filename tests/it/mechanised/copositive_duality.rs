//! `CopositiveDuality.v`, T2 and T3: weak duality from a copositive slack, from its split S + T, and
//! for unit atoms.

use num_traits::{One, Signed, Zero};

use super::support::{
    CASES, Matrix, Normed, Q, assert_balanced, copositivity_witness, dual_value, frac, half, int,
    is_nonnegative, nearly_unit, plain_objective, square, sum, tally,
};

/// ½‖X − DZ‖² + ½‖D‖² + ½ tr ZAZᵀ.
fn balanced_objective(data: &Matrix, penalty: &Matrix, atoms: &Matrix, codes: &Matrix) -> Q {
    let rows = sum((0..codes.rows).map(|k| penalty.form(&codes.row(k))));
    half(&(data.minus(&atoms.times(codes)).norm2() + atoms.norm2() + rows))
}

/// PROOF: Widedict.CopositiveDuality.T2_copositive_weak_duality
#[test]
fn t2_copositive_weak_duality() {
    let held = tally(CASES, 14, |dice| {
        let (dim, points, width) = (1 + dice.below(3), 2 + dice.below(3), 1 + dice.below(3));
        let residual = dice.matrix(dim, points);
        let slack = dice
            .symmetric(points)
            .plus(&Matrix::from_fn(points, points, |i, j| if i == j { int(5) } else { Q::zero() }));
        let penalty = residual.gram().plus(&slack);
        match copositivity_witness(&slack) {
            None => {
                let (data, atoms) = (dice.matrix(dim, points), dice.matrix(dim, width));
                let codes = dice.nonnegative_matrix(width, points);
                let value = balanced_objective(&data, &penalty, &atoms, &codes);
                assert!(dual_value(&data, &residual, &Q::one()) <= value);
                // The sharp direction: D = RZᵀ.
                let atoms = residual.times(&codes.transposed());
                let data = residual.plus(&atoms.times(&codes));
                let value = balanced_objective(&data, &penalty, &atoms, &codes);
                assert!(dual_value(&data, &residual, &Q::one()) <= value);
                true
            }
            Some(witness) => {
                let codes = Matrix::of_rows(&[witness]);
                let atoms = residual.times(&codes.transposed());
                let data = residual.plus(&atoms.times(&codes));
                let value = balanced_objective(&data, &penalty, &atoms, &codes);
                assert!(value < dual_value(&data, &residual, &Q::one()));
                false
            }
        }
    });
    assert_balanced(held, CASES);
}

/// PROOF: Widedict.CopositiveDuality.T3_split_weak_duality
#[test]
fn t3_split_weak_duality() {
    let split = tally(CASES, 15, |dice| {
        let (dim, points, width) = (1 + dice.below(3), 1 + dice.below(4), 1 + dice.below(3));
        let residual = dice.matrix(dim, points);
        let psd = dice.matrix(points, points).gram();
        let nonnegative = dice.nonnegative_matrix(points, points);
        assert!(psd.is_psd());
        let penalty = residual.gram().plus(&psd).plus(&nonnegative);
        let codes = dice.nonnegative_matrix(width, points);
        let atoms = residual.times(&codes.transposed());
        for data in [dice.matrix(dim, points), residual.plus(&atoms.times(&codes))] {
            let value = balanced_objective(&data, &penalty, &atoms, &codes);
            assert!(dual_value(&data, &residual, &Q::one()) <= value);
        }
        // The split reaches further than positive semidefiniteness alone.
        let symmetric = psd.plus(&nonnegative.plus(&nonnegative.transposed()));
        !symmetric.is_psd() || points == 1
    });
    assert!(split > 0);
}

/// PROOF: Widedict.CopositiveDuality.T3_psd_factor
#[test]
fn t3_psd_factor() {
    let held = tally(CASES, 16, |dice| {
        let (rank, points) = (1 + dice.below(4), 1 + dice.below(4));
        let factor = dice.matrix(rank, points);
        let pivots: Vec<Q> =
            (0..rank).map(|_| if dice.chance(75) { dice.nonnegative() } else { -dice.positive() }).collect();
        let scaled_factor = Matrix::from_fn(rank, points, |i, j| &pivots[i] * &factor[(i, j)]);
        let product = factor.transposed().times(&scaled_factor);
        let holds = is_nonnegative(&pivots);
        if holds {
            assert!(product.is_psd());
            assert!(!product.form(&dice.vector(points)).is_negative());
        }
        holds
    });
    assert_balanced(held, CASES);
    let negative = Matrix::of_rows(&[vec![int(-1)]]);
    assert!(!negative.is_psd(), "a negative pivot is not a factor");
}

/// PROOF: Widedict.CopositiveDuality.T2_unit_atom_lower_bound
#[test]
fn t2_unit_atom_lower_bound() {
    let held = tally(CASES, 17, |dice| {
        let (dim, points, width) = (1 + dice.below(3), 1 + dice.below(3), 1 + dice.below(3));
        let lambda = dice.positive();
        let residual = Normed::random(dice, dim, points, |dice| frac(dice.between(0, 6), 4));
        let slack = Matrix::from_fn(points, points, |_, _| square(&lambda)).minus(&residual.matrix.gram());
        let witness = copositivity_witness(&slack);
        // Without an atom price the polar is the longest residual over lambda.
        assert_eq!(witness.is_none(), residual.norms.iter().all(|norm| *norm <= lambda));
        match witness {
            None => {
                let atoms = Normed::random(dice, dim, width, |dice| frac(dice.between(0, 3), 3));
                let codes = dice.nonnegative_matrix(width, points);
                for data in [dice.matrix(dim, points), residual.matrix.plus(&atoms.matrix.times(&codes))] {
                    let value = plain_objective(&lambda, &data, &atoms.matrix, &codes);
                    assert!(dual_value(&data, &residual.matrix, &Q::one()) <= value);
                }
                true
            }
            Some(witness) => {
                let atom = nearly_unit(&residual.matrix.apply(&witness));
                let (atoms, codes) = (Matrix::of_cols(&[atom]), Matrix::of_rows(&[witness]));
                let data = residual.matrix.plus(&atoms.times(&codes));
                let value = plain_objective(&lambda, &data, &atoms, &codes);
                assert!(value < dual_value(&data, &residual.matrix, &Q::one()));
                false
            }
        }
    });
    assert_balanced(held, CASES);
}
