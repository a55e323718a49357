//! `NoNesting.v`, T14: an atom that fires only where another fires can be merged with it, and the
//! objective falls by an exact amount.

use num_traits::{One, Signed, Zero};

use super::support::{
    CASES, Dice, Matrix, Normed, Q, added, dot, frac, half, int, norm2, root, scaled, square, sum, tally,
    weighted_objective, weighted_wide_bound, wide_pair,
};

/// A pair of unit atoms l = 0 and j = 1 with ε > 0 for which ‖d_l + εd_j‖ is rational,
/// codes nested with slack at least ε, and other atoms besides.
struct Nested {
    weights: Vec<Q>,
    lambda: Q,
    data: Matrix,
    atoms: Matrix,
    codes: Matrix,
    epsilon: Q,
    merged: Q,
}

impl Nested {
    fn random(dice: &mut Dice) -> Self {
        let (dim, points, width) = (2 + dice.below(2), 2 + dice.below(3), 2 + dice.below(3));
        let mut units = dice.units(dim, width);
        if units[0] == units[1] || dice.chance(15) {
            units[1] = scaled(&units[0], &int(-1));
        }
        // The conic 1 + 2cε + ε² = m², through (ε, m) = (0, 1) with slope s in (c, 1).
        let cosine = dot(&units[0], &units[1]);
        let (epsilon, merged) = if cosine == int(-1) {
            let epsilon = if dice.chance(50) { Q::one() } else { dice.positive() };
            let merged = (Q::one() - &epsilon).abs();
            (epsilon, merged)
        } else {
            let slope = &cosine + (Q::one() - &cosine) * frac(dice.between(1, 9), 10);
            let epsilon = int(2) * (&slope - &cosine) / (Q::one() - square(&slope));
            let merged = (Q::one() + &slope * &epsilon).abs();
            (epsilon, merged)
        };
        let mut codes = dice.nonnegative_matrix(width, points);
        codes[(0, 0)] = dice.positive();
        for i in 0..points {
            if codes[(0, i)].is_positive() {
                codes[(1, i)] = &epsilon * &codes[(0, i)] * (Q::one() + dice.nonnegative());
            }
        }
        let weights = (0..points).map(|_| dice.positive()).collect();
        let (lambda, data) = (dice.positive(), dice.matrix(dim, points));
        Self { weights, lambda, data, atoms: Matrix::of_cols(&units), codes, epsilon, merged }
    }
    fn sum_of_pair(&self) -> Vec<Q> {
        added(&self.atoms.col(0), &scaled(&self.atoms.col(1), &self.epsilon))
    }
    /// The merged atom and the codes that keep every reconstruction.
    fn exchanged(&self) -> (Matrix, Matrix) {
        assert_eq!(square(&self.merged), norm2(&self.sum_of_pair()));
        let (mut atoms, mut codes) = (self.atoms.clone(), self.codes.clone());
        let direction = self.sum_of_pair();
        for b in 0..atoms.rows {
            if !self.merged.is_zero() {
                atoms[(b, 0)] = &direction[b] / &self.merged;
            }
        }
        for i in 0..codes.cols {
            codes[(0, i)] = &self.merged * &self.codes[(0, i)];
            codes[(1, i)] = &self.codes[(1, i)] - &self.epsilon * &self.codes[(0, i)];
        }
        (atoms, codes)
    }
    fn value(&self, atoms: &Matrix, codes: &Matrix) -> Q {
        weighted_objective(&self.weights, &self.lambda, &self.data, atoms, codes)
    }
    fn mass(&self) -> Q {
        dot(&self.weights, &self.codes.row(0))
    }
    /// λ s_l (1 + ε − ‖d_l + εd_j‖).
    fn decrease(&self) -> Q {
        &self.lambda * self.mass() * (Q::one() + &self.epsilon - &self.merged)
    }
}

/// PROOF: Widedict.NoNesting.T14_same_reconstruction
#[test]
fn t14_same_reconstruction() {
    let vanishing = tally(4 * CASES, 40, |dice| {
        let nested = Nested::random(dice);
        let (atoms, codes) = nested.exchanged();
        assert_ne!(codes, nested.codes);
        assert_eq!(atoms.times(&codes), nested.atoms.times(&nested.codes));
        nested.merged.is_zero()
    });
    // The case d_l + εd_j = 0 is among them.
    assert!(vanishing > 0 && 2 * vanishing < 4 * CASES);
}

/// PROOF: Widedict.NoNesting.T14_exact_decrease
#[test]
fn t14_exact_decrease() {
    let lower = tally(CASES, 41, |dice| {
        let nested = Nested::random(dice);
        let (atoms, codes) = nested.exchanged();
        let before = nested.value(&nested.atoms, &nested.codes);
        let after = nested.value(&atoms, &codes);
        assert_eq!(after, &before - nested.decrease());
        after < before
    });
    assert_eq!(lower, CASES);
}

/// PROOF: Widedict.NoNesting.T14_decrease_pos
#[test]
fn t14_decrease_pos() {
    let used = tally(CASES, 42, |dice| {
        let mut nested = Nested::random(dice);
        assert!(nested.mass().is_positive() && nested.decrease().is_positive());
        // Equal atoms gain nothing, nor does λ = 0.
        let same = Matrix::of_cols(&[nested.atoms.col(0), nested.atoms.col(0)]);
        let pair = Matrix::of_rows(&[nested.codes.row(0), nested.codes.row(1)]);
        let merged = Q::one() + &nested.epsilon;
        let twins = Nested { atoms: same, codes: pair, merged, ..Nested::random(dice) };
        let twins = Nested { epsilon: nested.epsilon.clone(), ..twins };
        let (atoms, codes) = twins.exchanged();
        assert_eq!(atoms.times(&codes), twins.atoms.times(&twins.codes));
        assert_eq!(sum(codes.entries), sum(twins.codes.entries));
        nested.lambda = Q::zero();
        assert!(nested.decrease().is_zero());
        nested.merged.is_positive()
    });
    assert!(2 * used > CASES);
}

/// PROOF: Widedict.NoNesting.T14_feasible
#[test]
fn t14_feasible() {
    let beyond = tally(CASES, 43, |dice| {
        let nested = Nested::random(dice);
        let (atoms, codes) = nested.exchanged();
        assert!(codes.is_nonnegative());
        assert!((0..atoms.cols).all(|k| norm2(&atoms.col(k)).is_one()));
        // Past the slack a code turns negative.
        let mut short = nested.codes.clone();
        short[(1, 0)] = half(&(&nested.epsilon * &short[(0, 0)]));
        let (_, codes) = Nested { codes: short, ..nested }.exchanged();
        !codes.is_nonnegative()
    });
    assert_eq!(beyond, CASES);
}

/// PROOF: Widedict.NoNesting.T14_no_nesting
#[test]
fn t14_no_nesting() {
    // Whoever nests is not optimal: a feasible point of the same width lies lower.
    let nests = tally(CASES, 44, |dice| {
        let nested = Nested::random(dice);
        let (atoms, codes) = nested.exchanged();
        assert!(codes.is_nonnegative() && atoms.cols == nested.atoms.cols);
        nested.value(&atoms, &codes) < nested.value(&nested.atoms, &nested.codes)
    });
    assert_eq!(nests, CASES);
    // An optimum of known value does not nest: the wide limit on distinct directions.
    let optima = tally(CASES, 45, |dice| {
        let points = 2 + dice.below(3);
        let (lambda, weights) = (dice.positive(), (0..points).map(|_| dice.positive()).collect::<Vec<_>>());
        let data = Normed::random(dice, 3, points, |dice| int(4) * dice.positive());
        let (atoms, codes) = wide_pair(&lambda, &data);
        let value = weighted_objective(&weights, &lambda, &data.matrix, &atoms, &codes);
        assert_eq!(value, weighted_wide_bound(&weights, &lambda, &data));
        let fires = |k: usize| codes.row(k).iter().any(Signed::is_positive);
        let mut pairs = 0;
        for (l, j) in (0..points).flat_map(|l| (0..points).map(move |j| (l, j))) {
            if fires(l) && atoms.col(l) != atoms.col(j) {
                assert!((0..points).any(|i| codes[(l, i)].is_positive() && codes[(j, i)].is_zero()));
                pairs += 1;
            }
        }
        pairs > 0
    });
    assert!(2 * optima > CASES);
    // λ > 0 is needed: at λ = 0 a nested pair reconstructs exactly, at cost 0.
    let atoms = Matrix::of_cols(&[vec![int(1), int(0)], vec![frac(3, 5), frac(4, 5)]]);
    let codes = Matrix::of_rows(&[vec![int(1), int(0)], vec![int(1), int(1)]]);
    let data = atoms.times(&codes);
    assert!(weighted_objective(&[int(1), int(1)], &Q::zero(), &data, &atoms, &codes).is_zero());
    // And so is γ = 0: with an atom price the same exchange can raise the penalty.
    let with_price = |row: &[Q]| root(&(square(&sum(row.iter().cloned())) * frac(1, 100) + norm2(row)));
    let (pair, rest) = (added(&atoms.col(0), &atoms.col(1)), vec![int(0), int(1)]);
    let before = with_price(&codes.row(0)).1 + with_price(&codes.row(1)).1;
    let after = root(&norm2(&pair)).0 * with_price(&codes.row(0)).0 + with_price(&rest).0;
    assert!(after > before, "the atom price favours sharing");
}
