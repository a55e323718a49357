//! `DeadAtoms.v`, T22: an atom that no datapoint uses can be given to one that pays more than it
//! would with an atom of its own.

use num_traits::{One, Signed, Zero};

use super::support::{
    CASES, Dice, Matrix, Normed, Q, assert_balanced, dot, frac, half, huber, int, norm2, plain_objective,
    scaled, soft, sum, tally, weighted_objective, weighted_wide_bound, wide_pair,
};

fn cost(lambda: &Q, point: &[Q], atoms: &Matrix, code: &[Q]) -> Q {
    plain_objective(lambda, &Matrix::of_cols(&[point.to_vec()]), atoms, &Matrix::of_cols(&[code.to_vec()]))
}

/// A datapoint longer than λ, its direction, and its length.
fn active(dice: &mut Dice, dim: usize, lambda: &Q) -> (Vec<Q>, Vec<Q>, Q) {
    let unit = dice.unit(dim);
    let radius = lambda + dice.positive();
    (scaled(&unit, &radius), unit, radius)
}

/// PROOF: Widedict.DeadAtoms.T22_excess
#[test]
fn t22_excess() {
    let excess = |lambda: &Q, point: &[Q], unit: &[Q], atoms: &Matrix, code: &[Q]| {
        let rebuilt = atoms.apply(code);
        let rest: Vec<Q> = (0..point.len()).map(|b| &point[b] - &rebuilt[b] - lambda * &unit[b]).collect();
        let turned = sum((0..code.len()).map(|k| &code[k] * (Q::one() - dot(unit, &atoms.col(k)))));
        half(&norm2(&rest)) + lambda * turned
    };
    let free = tally(CASES, 170, |dice| {
        let (dim, width, lambda) = (1 + dice.below(3), 1 + dice.below(3), dice.nonnegative());
        let (point, unit, radius) = active(dice, dim, &lambda);
        // Atoms of any norm and codes of any sign.
        let (atoms, code) = (dice.matrix(dim, width), dice.vector(width));
        let beyond = excess(&lambda, &point, &unit, &atoms, &code);
        assert_eq!(cost(&lambda, &point, &atoms, &code), huber(&lambda, &radius) + beyond);
        lambda.is_zero()
    });
    assert!(free > 0 && 2 * free < CASES);
    // An inactive datapoint has another price.
    let (point, unit, atoms) = (vec![int(1)], vec![int(1)], Matrix::of_cols(&[vec![int(1)]]));
    let beyond = excess(&int(3), &point, &unit, &atoms, &[int(0)]);
    assert_ne!(cost(&int(3), &point, &atoms, &[int(0)]), huber(&int(3), &int(1)) + beyond);
}

/// PROOF: Widedict.DeadAtoms.T22_own_direction
#[test]
fn t22_own_direction() {
    let cheap = tally(CASES, 171, |dice| {
        let (dim, lambda) = (2 + dice.below(2), dice.positive());
        let (point, unit, radius) = active(dice, dim, &lambda);
        let mut units = dice.units(dim, 3);
        let mut code = scaled(&dice.nonnegative_vector(3), &frac(1, 4));
        if dice.chance(60) {
            // Its own direction twice, with codes that add up to what is least, or do not.
            units[0].clone_from(&unit);
            units[1].clone_from(&unit);
            let share = frac(dice.between(0, 4), 4);
            let length = soft(&lambda, &radius) * if dice.chance(80) { int(1) } else { frac(3, 4) };
            code = vec![&share * &length, (Q::one() - share) * length, Q::zero()];
        }
        let atoms = Matrix::of_cols(&units);
        let dear = cost(&lambda, &point, &atoms, &code) > huber(&lambda, &radius);
        let used: Vec<usize> = (0..3).filter(|&k| code[k].is_positive()).collect();
        let own = !used.is_empty() && used.iter().all(|&k| units[k] == unit);
        assert!(dear || own);
        assert_eq!(dear, !own || sum(code) != soft(&lambda, &radius));
        !dear
    });
    assert_balanced(cheap, CASES);
    // At λ = 0 other atoms cost nothing either.
    let (axes, point) = (Matrix::of_cols(&[vec![int(1), int(0)], vec![int(0), int(1)]]), [int(3), int(4)]);
    assert_eq!(cost(&Q::zero(), &point, &axes, &point), huber(&Q::zero(), &int(5)));
    // An inactive datapoint pays the price without an atom.
    assert_eq!(cost(&int(6), &point, &axes, &[int(0), int(0)]), huber(&int(6), &int(5)));
    // A longer atom is cheaper.
    let long = Matrix::of_cols(&[vec![int(6), int(8)]]);
    assert!(cost(&int(1), &point, &long, &[frac(49, 100)]) < huber(&int(1), &int(5)));
}

/// Unit atoms of which `dead` is not used, and data with rational norms.
struct Dead {
    weights: Vec<Q>,
    lambda: Q,
    data: Normed,
    units: Vec<Vec<Q>>,
    atoms: Matrix,
    codes: Matrix,
    dead: usize,
}

impl Dead {
    /// As many datapoints as atoms, or more. One time in two the first datapoints have the
    /// atoms' directions and optimal codes, as far as they are not the dead one's.
    fn random(dice: &mut Dice, lambda: Q) -> Self {
        let (dim, width) = (2 + dice.below(2), 1 + dice.below(3));
        let points = width + dice.below(3);
        let units = dice.units(dim, points);
        let norms: Vec<Q> = (0..points).map(|_| &lambda + dice.positive()).collect();
        let data = Normed::new(&units, norms);
        let dead = dice.below(width);
        let mut atoms = dice.units(dim, width);
        let mut codes = scaled(&dice.nonnegative_matrix(width, points).entries, &frac(1, 3));
        if dice.chance(50) {
            atoms.clone_from_slice(&units[..width]);
            codes = Matrix::from_fn(width, points, |k, i| {
                if k == i { soft(&lambda, &data.norms[i]) } else { Q::zero() }
            })
            .entries;
        }
        let mut codes = Matrix { rows: width, cols: points, entries: codes };
        for i in 0..points {
            codes[(dead, i)] = Q::zero();
        }
        let weights = (0..points).map(|_| dice.positive()).collect();
        Self { weights, lambda, data, units, atoms: Matrix::of_cols(&atoms), codes, dead }
    }
    fn value(&self, atoms: &Matrix, codes: &Matrix) -> Q {
        weighted_objective(&self.weights, &self.lambda, &self.data.matrix, atoms, codes)
    }
    /// What datapoint i pays beyond the price of an atom of its own.
    fn beyond(&self, i: usize) -> Q {
        let own = huber(&self.lambda, &self.data.norms[i]);
        cost(&self.lambda, &self.data.matrix.col(i), &self.atoms, &self.codes.col(i)) - own
    }
    /// Atom `dead` given to datapoint `heir`.
    fn revived(&self, heir: usize) -> (Matrix, Matrix) {
        let (mut atoms, mut codes) = (self.atoms.clone(), self.codes.clone());
        for b in 0..atoms.rows {
            atoms[(b, self.dead)] = self.units[heir][b].clone();
        }
        for k in 0..codes.rows {
            codes[(k, heir)] =
                if k == self.dead { soft(&self.lambda, &self.data.norms[heir]) } else { Q::zero() };
        }
        (atoms, codes)
    }
    fn distinct(&self) -> bool {
        (0..self.units.len()).all(|i| (0..i).all(|l| self.units[i] != self.units[l]))
    }
}

/// PROOF: Widedict.DeadAtoms.T22_exact_decrease
#[test]
fn t22_exact_decrease() {
    let mut broken = 0;
    let lower = tally(CASES, 172, |dice| {
        let lambda = dice.nonnegative();
        let mut pair = Dead::random(dice, lambda);
        let heir = dice.below(pair.units.len());
        let change = |pair: &Dead| {
            let (atoms, codes) = pair.revived(heir);
            let after = pair.value(&atoms, &codes);
            (after, pair.value(&pair.atoms, &pair.codes) - &pair.weights[heir] * pair.beyond(heir))
        };
        let (after, formula) = change(&pair);
        assert_eq!(after, formula);
        // An atom that another datapoint uses cannot be taken away at this price.
        let user = (heir + 1) % pair.units.len();
        let less = pair.beyond(heir).is_positive();
        if user != heir && pair.units[heir] != pair.atoms.col(pair.dead) {
            pair.codes[(pair.dead, user)] = int(1);
            let (after, formula) = change(&pair);
            broken += u64::from(after != formula);
        }
        less
    });
    assert!(2 * lower > CASES && lower < CASES, "{lower}");
    assert!(4 * broken > CASES, "{broken}");
}

/// PROOF: Widedict.DeadAtoms.T22_improvement
#[test]
fn t22_improvement() {
    let close = tally(CASES, 173, |dice| {
        let lambda = dice.positive();
        let pair = Dead::random(dice, lambda);
        if !pair.distinct() {
            return false;
        }
        let width = pair.atoms.cols;
        // Some datapoint among any `width` of them pays more.
        let first = dice.below(pair.units.len() - width + 1);
        let heir = (first..first + width).find(|&i| pair.beyond(i).is_positive());
        let heir = heir.expect("one of as many directions as atoms pays more");
        let (atoms, codes) = pair.revived(heir);
        assert!(codes.is_nonnegative());
        assert!((0..width).all(|k| norm2(&atoms.col(k)).is_one()));
        assert!(pair.value(&atoms, &codes) < pair.value(&pair.atoms, &pair.codes));
        (first..first + width).any(|i| pair.beyond(i).is_zero())
    });
    assert!(close > 0 && 2 * close < CASES, "{close}");
    // With a direction less than atoms, or with an inactive datapoint, nothing improves on a
    // dictionary with a dead atom: its value is the lower bound for every width.
    for (second, radius) in [(vec![int(1), int(0)], int(3)), (vec![int(0), int(1)], frac(1, 2))] {
        let data = Normed::new(&[vec![int(1), int(0)], second], vec![int(2), radius]);
        let atoms = Matrix::of_cols(&[vec![int(1), int(0)], vec![int(0), int(1)]]);
        let (lambda, weights) = (int(1), [int(1), int(2)]);
        let codes = Matrix::of_rows(&[
            vec![int(1), if data.norms[1] > lambda { int(2) } else { Q::zero() }],
            vec![Q::zero(), Q::zero()],
        ]);
        let value = weighted_objective(&weights, &lambda, &data.matrix, &atoms, &codes);
        assert_eq!(value, weighted_wide_bound(&weights, &lambda, &data));
    }
}

/// PROOF: Widedict.DeadAtoms.T22_no_dead_atoms
#[test]
fn t22_no_dead_atoms() {
    // Optima of known value: the wide limit on distinct directions.
    let optima = tally(CASES, 174, |dice| {
        let pair = {
            let lambda = dice.positive();
            Dead::random(dice, lambda)
        };
        let (atoms, codes) = wide_pair(&pair.lambda, &pair.data);
        let bound = weighted_wide_bound(&pair.weights, &pair.lambda, &pair.data);
        assert_eq!(pair.value(&atoms, &codes), bound);
        assert!((0..codes.rows).all(|k| codes.row(k).iter().any(Signed::is_positive)));
        // Whoever has a dead atom is not optimal.
        let (width, distinct) = (pair.atoms.cols, pair.distinct());
        let dear = (0..width).find(|&i| pair.beyond(i).is_positive());
        let Some(heir) = dear else {
            assert!(!distinct);
            return false;
        };
        let (atoms, codes) = pair.revived(heir);
        assert!(pair.value(&atoms, &codes) < pair.value(&pair.atoms, &pair.codes));
        distinct
    });
    assert!(2 * optima > CASES, "{optima}");
    // λ > 0 is needed: two atoms reconstruct three directions, and the third atom is dead.
    let atoms = Matrix::of_cols(&[vec![int(1), int(0)], vec![int(0), int(1)], vec![frac(3, 5), frac(4, 5)]]);
    let codes = Matrix::of_rows(&[
        vec![int(1), int(0), int(1)],
        vec![int(0), int(1), int(1)],
        vec![int(0), int(0), int(0)],
    ]);
    let (data, weights) = (atoms.times(&codes), [int(1), int(1), int(1)]);
    assert!(weighted_objective(&weights, &Q::zero(), &data, &atoms, &codes).is_zero());
    // So are positive weights: a datapoint of weight 0 needs no atom.
    let (lambda, weights) = (int(1), [int(1), int(0)]);
    let data = Normed::new(&[vec![int(1), int(0)], vec![int(0), int(1)]], vec![int(2), int(2)]);
    let codes = Matrix::of_rows(&[vec![int(1), int(0)], vec![int(0), int(0)]]);
    let value = weighted_objective(&weights, &lambda, &data.matrix, &data.matrix.scaled(&frac(1, 2)), &codes);
    assert_eq!(value, weighted_wide_bound(&weights, &lambda, &data));
}
