//! Bounds over fixed atoms (theorem `coding-gap`): they close at the best codes.

use widedict::testing::{naive, planted};
use widedict::trusted::Coding;
use widedict::{Matrix, Problem};

/// With both penalties and with either, with and without a center, by a descent that shares
/// nothing with the bound.
#[test]
fn the_gap_closes_at_the_best_codes() {
    for seed in 0..12 {
        let [lambda, gamma] =
            [[0.1, 0.0], [0.1, 0.05], [0.3, 0.3], [0.0, 0.2]][usize::try_from(seed % 4).unwrap()];
        let problem = Problem::builder(planted::mixture(3, 8, 3, 2, 0.1, seed))
            .lambda(lambda)
            .gamma(gamma)
            .centered(seed >= 8)
            .build()
            .unwrap();
        let atoms: Matrix = planted::gaussian(3, 3, seed + 100);
        let directions: Vec<Vec<f64>> = atoms.columns().map(<[f64]>::to_vec).collect();
        let mut descent = naive::Descent::new(&problem, &directions);
        descent.learn_atoms = false;
        let poor = Coding::new(&problem, &descent.factorization(), None).unwrap();
        descent.run(20_000, 0.0);
        let best = Coding::new(&problem, &descent.factorization(), None).unwrap();
        assert!(best.relative_gap() <= 1e-7, "{lambda} {gamma}, seed {seed}: {:e}", best.relative_gap());
        assert!(poor.lower.get() <= best.upper.get() && best.upper.get() <= poor.upper.get());
    }
}
