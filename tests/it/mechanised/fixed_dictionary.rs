//! `FixedDictionary.v`, T10, T11 and T13: optimality conditions of a code, the polar polytope, the gap
//! of an inexact code, and the residual identity of an optimal atom.

use num_traits::{One, Signed, Zero};

use super::support::{
    CASES, Dice, Matrix, Q, added, assert_balanced, dot, frac, half, int, is_nonnegative, larger, norm2,
    scaled, square, subsets, sum, tally,
};

pub(super) fn lasso(lambda: &Q, atoms: &Matrix, point: &[Q], code: &[Q]) -> Q {
    let residual = added(point, &scaled(&atoms.apply(code), &int(-1)));
    half(&norm2(&residual)) + lambda * sum(code.iter().cloned())
}

fn residual_of(atoms: &Matrix, point: &[Q], code: &[Q]) -> Vec<Q> {
    added(point, &scaled(&atoms.apply(code), &int(-1)))
}

/// Dᵀ(x − Dz) − λ1.
fn slopes(lambda: &Q, atoms: &Matrix, point: &[Q], code: &[Q]) -> Vec<Q> {
    let pulls = atoms.transposed().apply(&residual_of(atoms, point, code));
    pulls.into_iter().map(|pull| pull - lambda).collect()
}

fn complementary(code: &[Q], slopes: &[Q]) -> bool {
    code.iter().zip(slopes).all(|(z, g)| (z * g).is_zero())
}

fn satisfies_kkt(code: &[Q], slopes: &[Q]) -> bool {
    is_nonnegative(code) && slopes.iter().all(|g| !g.is_positive()) && complementary(code, slopes)
}

/// Solves a square system; `None` when it is singular.
fn solve(matrix: &Matrix, right: &[Q]) -> Option<Vec<Q>> {
    let determinant = matrix.determinant();
    if determinant.is_zero() {
        return None;
    }
    let cramer = |k: usize| {
        Matrix::from_fn(matrix.rows, matrix.cols, |i, j| {
            if j == k { right[i].clone() } else { matrix[(i, j)].clone() }
        })
    };
    Some((0..matrix.cols).map(|k| cramer(k).determinant() / &determinant).collect())
}

/// The exact code, by trying every support; knows nothing but linear algebra and the KKT
/// conditions.
pub(super) fn exact_code(lambda: &Q, atoms: &Matrix, point: &[Q]) -> Vec<Q> {
    let pulls: Vec<Q> = atoms.transposed().apply(point).into_iter().map(|pull| pull - lambda).collect();
    let gram = atoms.gram();
    let candidates = subsets(atoms.cols).filter_map(|support| {
        let right: Vec<Q> = support.iter().map(|&k| pulls[k].clone()).collect();
        let on = solve(&gram.principal(&support), &right)?;
        let mut code = vec![Q::zero(); atoms.cols];
        for (&k, value) in support.iter().zip(on) {
            code[k] = value;
        }
        Some(code)
    });
    let mut optimal = candidates.filter(|code| satisfies_kkt(code, &slopes(lambda, atoms, point, code)));
    optimal.next().expect("some support is optimal")
}

struct Coding {
    lambda: Q,
    atoms: Matrix,
    point: Vec<Q>,
    code: Vec<Q>,
}

impl Coding {
    fn random(dice: &mut Dice) -> Self {
        let (dim, width) = (1 + dice.below(3), 1 + dice.below(4));
        let lambda = dice.nonnegative();
        let atoms = Matrix::of_cols(&dice.units(dim, width));
        let point = dice.vector(dim);
        let code = exact_code(&lambda, &atoms, &point);
        Self { lambda, atoms, point, code }
    }
    fn value(&self, code: &[Q]) -> Q {
        lasso(&self.lambda, &self.atoms, &self.point, code)
    }
    fn residual(&self) -> Vec<Q> {
        residual_of(&self.atoms, &self.point, &self.code)
    }
    /// Codes to compare with: random ones and neighbours of the optimum.
    fn rivals(&self, dice: &mut Dice) -> Vec<Vec<Q>> {
        let mut rivals: Vec<Vec<Q>> = (0..4).map(|_| dice.nonnegative_vector(self.code.len())).collect();
        for _ in 0..4 {
            let step = scaled(&dice.vector(self.code.len()), &frac(1, 100));
            rivals.push(added(&self.code, &step).into_iter().map(|z| larger(z, Q::zero())).collect());
        }
        rivals
    }
    fn fires(&self) -> bool {
        self.code.iter().any(Signed::is_positive)
    }
}

/// PROOF: Widedict.FixedDictionary.T10_kkt_sufficient
#[test]
fn t10_kkt_sufficient() {
    let mut refuted = 0;
    let fires = tally(CASES, 32, |dice| {
        let coding = Coding::random(dice);
        let least = coding.value(&coding.code);
        for rival in coding.rivals(dice) {
            assert!(least <= coding.value(&rival));
            // A rival that breaks the conditions is not optimal: they are necessary too.
            let slopes = slopes(&coding.lambda, &coding.atoms, &coding.point, &rival);
            if !satisfies_kkt(&rival, &slopes) {
                assert!(least < coding.value(&rival));
                refuted += 1;
            }
        }
        coding.fires()
    });
    assert_balanced(fires, CASES);
    assert!(refuted > CASES);
}

/// PROOF: Widedict.FixedDictionary.T11_kkt_gap
#[test]
fn t11_kkt_gap() {
    let (mut inexact, mut violated) = (0, 0);
    let held = tally(4 * CASES, 33, |dice| {
        let coding = Coding::random(dice);
        let step = scaled(&dice.vector(coding.code.len()), &frac(1, dice.between(1, 20)));
        let code = added(&coding.code, &step);
        let slopes = slopes(&coding.lambda, &coding.atoms, &coding.point, &code);
        let bound = coding.value(&code) + dot(&slopes, &code);
        let rivals = [coding.rivals(dice), vec![coding.code.clone()]].concat();
        if slopes.iter().any(Signed::is_positive) {
            violated += u64::from(rivals.iter().any(|rival| coding.value(rival) < bound));
            return false;
        }
        assert!(rivals.iter().all(|rival| bound <= coding.value(rival)));
        inexact += u64::from(bound < coding.value(&code));
        true
    });
    assert_balanced(held, 4 * CASES);
    assert!(5 * inexact >= CASES, "few inexact codes: {inexact}");
    assert!(violated > 0, "a slope of the wrong sign never mattered");
}

/// PROOF: Widedict.FixedDictionary.T11_polytope_bound
#[test]
fn t11_polytope_bound() {
    let mut outside_breaks = 0;
    let held = tally(4 * CASES, 34, |dice| {
        let coding = Coding::random(dice);
        let guess = coding.residual();
        let noise = scaled(&dice.vector(guess.len()), &frac(1, dice.between(1, 30)));
        let rho = added(&guess, &noise);
        let inside = coding.atoms.transposed().apply(&rho).iter().all(|pull| *pull <= coding.lambda);
        let bound = dot(&coding.point, &rho) - half(&norm2(&rho));
        let rivals = [coding.rivals(dice), vec![coding.code.clone()]].concat();
        if inside {
            assert!(rivals.iter().all(|rival| bound <= coding.value(rival)));
        } else {
            outside_breaks += u64::from(rivals.iter().any(|rival| coding.value(rival) < bound));
        }
        inside
    });
    assert_balanced(held, 4 * CASES);
    assert!(outside_breaks > 0, "the polytope never mattered");
}

/// PROOF: Widedict.FixedDictionary.T11_scaled_residual
#[test]
fn t11_scaled_residual() {
    let shrunk = tally(CASES, 35, |dice| {
        let coding = Coding::random(dice);
        let code = dice.nonnegative_vector(coding.code.len());
        let residual = residual_of(&coding.atoms, &coding.point, &code);
        let most = coding.atoms.transposed().apply(&residual).into_iter().reduce(larger).unwrap();
        // Where no atom pulls, the residual is inside as it is; else shrink it until it is.
        let t = if most > coding.lambda && most.is_positive() { &coding.lambda / &most } else { Q::one() };
        let bound = &t * dot(&coding.point, &residual) - half(&(square(&t) * norm2(&residual)));
        assert!(bound <= coding.value(&coding.code) && bound <= coding.value(&code));
        // At the optimum nothing is shrunk and the gap closes.
        let (best, residual) = (coding.value(&coding.code), coding.residual());
        assert_eq!(dot(&coding.point, &residual) - half(&norm2(&residual)), best);
        t < Q::one()
    });
    assert_balanced(shrunk, CASES);
}

/// PROOF: Widedict.FixedDictionary.T10_energy_identity
#[test]
fn t10_energy_identity() {
    let mut slack_breaks = 0;
    let fires = tally(CASES, 36, |dice| {
        let coding = Coding::random(dice);
        let defect = |code: &[Q]| {
            let residual = residual_of(&coding.atoms, &coding.point, code);
            let parts = norm2(&coding.atoms.apply(code))
                + int(2) * &coding.lambda * sum(code.iter().cloned())
                + norm2(&residual);
            norm2(&coding.point) - parts
        };
        assert!(defect(&coding.code).is_zero());
        slack_breaks += u64::from(!defect(&dice.nonnegative_vector(coding.code.len())).is_zero());
        coding.fires()
    });
    assert_balanced(fires, CASES);
    assert!(2 * slack_breaks > CASES, "complementary slackness is needed");
}

/// PROOF: Widedict.FixedDictionary.T10_residual_length
#[test]
fn t10_residual_length() {
    let fires = tally(CASES, 37, |dice| {
        let coding = Coding::random(dice);
        if coding.fires() {
            assert!(square(&coding.lambda) <= norm2(&coding.residual()));
        }
        coding.fires()
    });
    assert_balanced(fires, CASES);
    // A silent code may leave less, and so may a long atom.
    for (length, place, fires) in [(int(1), frac(1, 2), false), (int(2), int(2), true)] {
        let (atom, point) = (Matrix::of_cols(&[vec![length]]), [place]);
        let code = exact_code(&Q::one(), &atom, &point);
        assert_eq!(code[0].is_positive(), fires);
        assert!(norm2(&residual_of(&atom, &point, &code)) < Q::one());
    }
}

/// PROOF: Widedict.FixedDictionary.T10_residual_is_projection
#[test]
fn t10_residual_is_projection() {
    let mut inside = 0;
    let fires = tally(CASES, 38, |dice| {
        let coding = Coding::random(dice);
        let residual = coding.residual();
        let in_polytope =
            |rho: &[Q]| coding.atoms.transposed().apply(rho).iter().all(|pull| *pull <= coding.lambda);
        let distance = |rho: &[Q]| norm2(&added(&coding.point, &scaled(rho, &int(-1))));
        assert!(in_polytope(&residual));
        let least = distance(&residual);
        assert_eq!(coding.value(&coding.code), half(&(norm2(&coding.point) - &least)));
        for _ in 0..16 {
            let noise = scaled(&dice.vector(residual.len()), &frac(1, dice.between(1, 20)));
            let rho = added(&residual, &noise);
            if in_polytope(&rho) {
                inside += 1;
                assert!(least <= distance(&rho));
            }
        }
        coding.fires()
    });
    assert_balanced(fires, CASES);
    assert!(inside > 2 * CASES);
}

/// PROOF: Widedict.FixedDictionary.T13_residual_identity
#[test]
fn t13_residual_identity() {
    let mut broken = 0;
    let used = tally(CASES, 39, |dice| {
        let (dim, points, width) = (2 + dice.below(2), 2 + dice.below(3), 1 + dice.below(3));
        let (lambda, weights) = (dice.positive(), (0..points).map(|_| dice.positive()).collect::<Vec<_>>());
        let atoms = Matrix::of_cols(&dice.units(dim, width));
        let codes = dice.nonnegative_matrix(width, points);
        let atom = atoms.col(0);
        // Residuals λd + p with p ⊥ d where the atom fires; the last p balances the others.
        let firing: Vec<usize> = (0..points).filter(|&i| codes[(0, i)].is_positive()).collect();
        let mut residuals = dice.matrix(dim, points);
        let mut balance = vec![Q::zero(); dim];
        for (place, &i) in firing.iter().enumerate() {
            let share = &weights[i] * &codes[(0, i)];
            let free = dice.vector(dim);
            let mut across = added(&free, &scaled(&atom, &-dot(&free, &atom)));
            if place + 1 == firing.len() {
                across = scaled(&balance, &(-Q::one() / &share));
            }
            balance = added(&balance, &scaled(&across, &share));
            for b in 0..dim {
                residuals[(b, i)] = &lambda * &atom[b] + &across[b];
            }
        }
        let data = atoms.times(&codes).plus(&residuals);
        let mean = |residuals: &Matrix| {
            (0..points).fold(vec![Q::zero(); dim], |mean, i| {
                added(&mean, &scaled(&residuals.col(i), &(&weights[i] * &codes[(0, i)])))
            })
        };
        let mass = sum((0..points).map(|i| &weights[i] * &codes[(0, i)]));
        let residuals = data.minus(&atoms.times(&codes));
        for i in 0..points {
            let slopes = slopes(&lambda, &atoms, &data.col(i), &codes.col(i));
            assert!((&codes[(0, i)] * &slopes[0]).is_zero());
        }
        let length = dot(&mean(&residuals), &atom);
        assert_eq!(mean(&residuals), scaled(&atom, &length));
        assert_eq!(length, &lambda * &mass);
        // Without complementary slackness the length is another.
        broken += u64::from(dot(&mean(&residuals.scaled(&int(2))), &atom) != length);
        firing.len() >= 2
    });
    assert!(2 * used > CASES);
    assert!(2 * broken > CASES);
}
