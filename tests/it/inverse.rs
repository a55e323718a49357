//! Data for which chosen atoms and codes are stationary (theorem `inverse-problem`).

use widedict::certificate::Options;
use widedict::linalg::{axpy, norm};
use widedict::testing::inverse::{Kind, Structure};
use widedict::testing::{naive, planted};
use widedict::trusted::{Witness, local};
use widedict::{Dictionary, Finite, Matrix, Run, Verdict, certify};

fn unit(columns: &[Vec<f64>]) -> Dictionary {
    Dictionary::normalize(Matrix::from_columns(columns[0].len(), columns)).expect("atoms").0
}

/// Structures of every kind with residuals of this margin, from random residuals.
fn planted_structures(margin: f64, seeds: std::ops::Range<u64>) -> Vec<(Kind, Structure, Matrix)> {
    let mut out = Vec::new();
    for kind in Kind::ALL {
        for seed in seeds.clone() {
            let mut structure = kind.structure(10, 60, 0.3, seed);
            if seed % 2 == 1 {
                structure.center = Some((0..10).map(|q| f64::from(q) - 4.0).collect());
            }
            let start = planted::gaussian(10, 60, seed + 100);
            if let Some(residuals) = structure.project(&start, margin, 3000) {
                out.push((kind, structure, residuals));
            }
        }
    }
    out
}

#[test]
fn planted_points_are_stationary() {
    let found = planted_structures(0.1, 0..6);
    for kind in Kind::ALL {
        let count = found.iter().filter(|(k, ..)| *k == kind).count();
        assert!(count >= 3, "{kind:?}: {count} of 6");
    }
    for (kind, structure, residuals) in found {
        assert!(structure.violation(&residuals, 0.05) <= 1e-12, "{kind:?}");
        let planted = structure.plant(&residuals).expect("finite data");
        // The conditions of theorem `stationarity`, by the slow twin.
        let kkt = naive::kkt(&planted.problem, &planted.factorization);
        for part in [kkt.codes, kkt.dictionary, kkt.center] {
            assert!(part.abs() < 1e-11, "{kind:?} {kkt:?}");
        }
        // Dropping one datapoint from an equation is seen.
        let mut moved = residuals.clone();
        axpy(1e-6, structure.dictionary.atom(0), moved.col_mut(0));
        assert!(structure.violation(&moved, 0.05) > 1e-8);
    }
}

#[test]
fn nested_and_cancelling_structures_are_stationary_for_no_data() {
    let dictionary = || unit(&[vec![1.0, 0.0, 0.0], vec![0.6, 0.8, 0.0], vec![0.0, 0.0, 1.0]]);
    let margin = |dictionary: Dictionary, supports: &[Vec<usize>], center: bool| {
        let mut structure = Structure::of_supports(dictionary, supports, 0.4, 0.5, 3);
        structure.center = center.then(|| vec![0.0; 3]);
        structure.largest_margin().filter(|(margin, _)| *margin > -1e-7)
    };
    // The second atom fires only with the first; once alone, it may.
    let mut supports = vec![vec![0, 1], vec![0], vec![2], vec![0, 1], vec![0, 2], vec![2]];
    assert!(margin(dictionary(), &supports, false).is_none());
    supports.push(vec![1]);
    let (feasible, _) = margin(dictionary(), &supports, false).expect("feasible");
    assert!(feasible > 0.01, "{feasible}");
    // Opposite atoms at one datapoint.
    let opposite = || unit(&[vec![1.0, 0.0, 0.0], vec![-1.0, 0.0, 0.0], vec![0.0, 0.0, 1.0]]);
    assert!(margin(opposite(), &[vec![0, 1], vec![0], vec![1], vec![2]], false).is_none());
    assert!(margin(opposite(), &[vec![0, 2], vec![0], vec![1], vec![2]], false).is_some());
    // An atom that is always on: not with a center.
    let always = [vec![0], vec![0, 1], vec![0, 2], vec![0, 1], vec![0, 2]];
    assert!(margin(dictionary(), &always, true).is_none());
    // Codes of one atom each: whatever the atoms, without a center.
    let (margin, residuals) =
        margin(dictionary(), &[vec![0], vec![1], vec![2], vec![1]], false).expect("feasible");
    // The closest atoms have cosine 0.6, and λd_k as residuals leaves them 0.4.
    assert!(margin >= 0.4 - 1e-5, "{margin}");
    assert!(residuals.columns().all(|r| norm(r) >= 1.0 - 1e-6));
}

#[test]
fn the_program_and_the_projections_agree() {
    let (mut both, mut refused) = (0, 0);
    let sizes = Kind::ALL.into_iter().flat_map(|kind| (0..4).map(move |seed| (kind, 8, 40, seed)));
    let tight = (0..4).map(|seed| (Kind::Hierarchy, 5, 24, seed));
    for (kind, dim, points, seed) in sizes.chain(tight) {
        let structure = kind.structure(dim, points, 1.0, seed);
        let start = planted::gaussian(dim, points, seed + 100);
        let (margin, residuals) = structure.largest_margin().expect("the equations can be solved");
        assert!(structure.violation(&residuals, margin) < 1e-6);
        if margin > 0.1 {
            let half = structure.project(&start, 0.5 * margin, 6400);
            let half = half.unwrap_or_else(|| panic!("{kind:?} {seed}: {margin}"));
            assert!(structure.violation(&half, 0.25 * margin) <= 1e-12);
            both += 1;
        }
        if margin < 0.9 {
            // Not the largest margin, or not feasible at all.
            let more = widedict::num::max(1.05 * margin, margin + 0.02);
            assert!(structure.project(&start, more, 400).is_none(), "{kind:?} {seed}: {margin}");
            refused += 1;
        }
    }
    assert!(both >= 8 && refused >= 8, "{both} {refused}");
}

#[test]
fn conditions_do_not_depend_on_lambda_or_the_scale_of_codes() {
    let structure = Kind::Hierarchy.structure(10, 60, 0.3, 0);
    let residuals = structure.project(&planted::gaussian(10, 60, 100), 0.1, 3000).expect("feasible");
    for scale in [1e-100, 1e100] {
        let mut scaled = structure.clone();
        scaled.lambda *= scale;
        scaled.codes.as_mut_slice().iter_mut().for_each(|z| *z *= scale);
        assert!(scaled.violation(&residuals, 0.05) <= 1e-12);
        let planted = scaled.plant(&residuals).expect("finite data");
        let options = Options::default();
        let certified = certify(&planted.problem, planted.factorization, &Witness::none(), &options)
            .expect("of its problem");
        assert!(certified.certificate().kkt().relative() < 1e-10);
    }
}

#[test]
fn solvers_never_leave_a_planted_minimum_upwards() {
    let (mut minima, mut beaten) = (0, 0);
    for (kind, structure, residuals) in planted_structures(0.1, 0..4) {
        let planted = structure.plant(&residuals).expect("finite data");
        let problem = &planted.problem;
        let options = Options { local: Some(local::Limits::default()), ..Options::default() };
        let certified = certify(problem, planted.factorization.clone(), &Witness::none(), &options)
            .expect("of its problem");
        let certificate = certified.certificate();
        let value = certificate.objective();
        assert!(certificate.kkt().relative() < 1e-10, "{kind:?}");
        assert!(certificate.lower_bound().get() <= value);
        let settings = Finite { restarts: 1, ..Finite::new(structure.dictionary.len()) };
        let run = Run::starting_at(&planted.factorization);
        let found = settings.solve_with(problem, &run).expect("solved").certified;
        let reached = found.certificate().objective();
        assert!(reached <= value * (1.0 + 1e-12), "{kind:?}: {reached} from {value}");
        if *certificate.verdict() == Verdict::Local {
            minima += 1;
        }
        if reached < value * (1.0 - 1e-9) {
            beaten += 1;
            // Whoever beats a stationary point has another dictionary or other codes.
            assert_ne!(found.solution(), &planted.factorization);
        }
    }
    assert!(minima >= 2, "{minima} proved minima");
    assert!(beaten >= 1, "{beaten} beaten");
}
