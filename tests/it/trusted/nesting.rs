//! Exchanges of nested atoms (theorem `no-nesting`), against the objective by its formula.

use rand::{RngExt, SeedableRng};
use rand_chacha::ChaCha8Rng;
use widedict::testing::{dense_codes, factorization, naive};
use widedict::trusted::{Subject, nesting};
use widedict::{Factorization, Matrix, Problem};

use crate::support::checks::close;

/// A point whose later atoms fire only where the first does.
fn nested(gamma: f64, rng: &mut ChaCha8Rng) -> (Problem, Factorization) {
    let (dim, len, width) = (rng.random_range(1..4), rng.random_range(1..7), rng.random_range(2..4));
    let mut entries =
        |rows, columns, from: f64| Matrix::from_fn(rows, columns, |_, _| rng.random_range(from..1.0));
    let (x, atoms, mut codes) =
        (entries(dim, len, -1.0), entries(dim, width, -1.0), entries(width, len, 0.01));
    let weights: Vec<f64> = (0..len).map(|_| rng.random_range(0.1..1.0)).collect();
    for i in 0..len {
        for k in 1..width {
            // Every atom keeps a datapoint.
            if i > 0 && rng.random_bool(0.5) {
                codes.col_mut(i)[k] = 0.0;
            }
        }
    }
    let problem = Problem::builder(x).weights(weights).lambda(0.3).gamma(gamma).build().unwrap();
    (problem, factorization(atoms, &codes, None).unwrap())
}

/// The exchange by its definition: `d_l ← d_l + εd_j` with the codes as they are (the length
/// is the dictionary's), and `z_j ← z_j − εz_l`.
fn exchanged(point: &Factorization, pair: &nesting::NestedPair) -> Factorization {
    let mut atoms = point.dictionary().matrix().clone();
    let mut codes = dense_codes(point);
    let outer = atoms.col(pair.outer).to_vec();
    atoms.col_mut(pair.inner).iter_mut().zip(outer).for_each(|(d, o)| *d += pair.slack * o);
    let length = naive::length(atoms.col(pair.inner));
    for i in 0..codes.ncols() {
        let inner = codes.get(pair.inner, i);
        let left = codes.get(pair.outer, i) - pair.slack * inner;
        codes.col_mut(i)[pair.outer] = widedict::num::max(left, 0.0);
        codes.col_mut(i)[pair.inner] = length * inner;
    }
    factorization(atoms, &codes, None).unwrap()
}

#[test]
fn the_change_is_that_of_the_objective() {
    let mut rng = ChaCha8Rng::seed_from_u64(5);
    let (mut seen, mut gains) = (0, 0);
    for round in 0..400 {
        let (problem, point) = nested([0.0, 0.05, 0.5][round % 3], &mut rng);
        let subject = Subject::of(&problem, &point).unwrap();
        let before = naive::objective(&problem, &point);
        for pair in nesting::pairs(&subject, &()).expect("nobody stops it") {
            let after = exchanged(&point, &pair);
            let change = naive::objective(&problem, &after) - before;
            close("change", pair.change, change, 1e-13, 1e-9);
            let better = nesting::unnest(&subject, &pair);
            // What is handed back is the exchange, where it is lower by more than rounding.
            assert!(better.is_some() || change > -1e-12, "{change:e}");
            assert!(better.is_none() || change < 0.0, "{change:e}");
            if let Some(better) = better {
                close("objective", naive::objective(&problem, &better), before + change, 0.0, 1e-13);
                gains += 1;
            }
            seen += 1;
        }
    }
    assert!(seen > 400 && gains > 200 && gains < seen, "{seen} {gains}");
}

/// In every nested pair, and only there.
#[test]
fn nested_pairs_are_those_of_the_definition() {
    let mut rng = ChaCha8Rng::seed_from_u64(6);
    for _ in 0..200 {
        let (problem, point) = nested(0.1, &mut rng);
        let subject = Subject::of(&problem, &point).unwrap();
        let codes = dense_codes(&point);
        let row = |k| naive::row(&codes, k);
        let mut expected = Vec::new();
        for inner in 0..point.width() {
            for outer in (0..point.width()).filter(|&outer| outer != inner) {
                let ratios: Vec<f64> = row(inner)
                    .iter()
                    .zip(row(outer))
                    .filter(|(z, _)| **z > 0.0)
                    .map(|(z, o)| o / z)
                    .collect();
                let slack = ratios.iter().copied().fold(f64::INFINITY, widedict::num::min);
                if slack > 0.0 {
                    expected.push((inner, outer, slack));
                }
            }
        }
        let found: Vec<_> = nesting::pairs(&subject, &())
            .expect("nobody stops it")
            .iter()
            .map(|p| (p.inner, p.outer, p.slack))
            .collect();
        assert_eq!(found, expected);
    }
}
