//! Column generation: optimal on small instances, monotone, reproducible.

use widedict::certificate::{Options, certify, exact};
use widedict::testing::planted;
use widedict::{ColumnGeneration, Factorization, Matrix, Problem, Solution, Witness, wide};

fn problem(x: Matrix, lambda: f64, gamma: f64) -> Problem {
    Problem::builder(x).lambda(lambda).gamma(gamma).build().unwrap()
}

fn solve(problem: &Problem, seed: u64) -> Solution<Factorization> {
    ColumnGeneration { tolerance: 1e-8, seed, ..Default::default() }.solve(problem).unwrap()
}

/// The certified relative gap with the polar computed exactly.
fn proved_gap(problem: &Problem, point: &Factorization) -> f64 {
    let options = Options { exact: Some(exact::Limits::default()), ..Options::default() };
    let done = certify(problem, point.clone(), &Witness::none(), &options).unwrap();
    done.certificate().relative_gap()
}

#[test]
fn four_points_in_the_plane_do_not_trap_it() {
    for instance in 0..12 {
        let problem = problem(planted::gaussian(2, 4, 100 + instance), 0.3, 0.2);
        for seed in 0..3 {
            let gap = proved_gap(&problem, solve(&problem, seed).certified.solution());
            assert!(gap <= 1e-6, "instance {instance}, seed {seed}: gap {gap:.1e}");
        }
    }
}

#[test]
fn two_and_three_points_are_solved() {
    for instance in 0..20 {
        let len = 2 + usize::try_from(instance % 2).unwrap();
        let problem = problem(planted::gaussian(3, len, instance), 0.2, 0.1);
        let gap = proved_gap(&problem, solve(&problem, 0).certified.solution());
        assert!(gap <= 1e-6, "instance {instance}: gap {gap:.1e}");
    }
}

#[test]
fn the_objective_never_rises_between_rounds() {
    for instance in 0..6 {
        let problem = problem(planted::gaussian(5, 40, instance), 0.2, 0.1);
        let mut rounds = ColumnGeneration::default().rounds(&problem, &()).unwrap();
        let objectives: Vec<f64> = rounds.by_ref().map(|round| round.objective).collect();
        for pair in objectives.windows(2) {
            assert!(pair[1] <= pair[0] * (1.0 + 1e-12), "{pair:?}");
        }
        assert!(rounds.finish().unwrap().certified.certificate().objective() <= objectives[0]);
    }
}

/// T5 for two points of weight ½: one atom each is optimal up to
/// `γ* = λ√w·√(1/c − 1)` and not beyond.
#[test]
fn one_atom_a_point_is_optimal_up_to_the_boundary() {
    let (lambda, c) = (0.3_f64, 0.8_f64);
    let x = || Matrix::from_columns(2, &[[2.0, 0.0], [2.0 * c, 2.0 * (1.0 - c * c).sqrt()]]);
    let boundary = lambda * 0.5_f64.sqrt() * (1.0 / c - 1.0).sqrt();
    let closed = |gamma: f64| {
        let kappa = (0.5 * lambda * lambda + gamma * gamma).sqrt();
        2.0 * (kappa * 2.0 * 0.5_f64.sqrt() - 0.5 * kappa * kappa)
    };
    for (share, optimal) in [(0.5, true), (0.9, true), (1.5, false), (3.0, false)] {
        let gamma = share * boundary;
        let found = solve(&problem(x(), lambda, gamma), 0).certified.certificate().objective();
        let relative = (found - closed(gamma)) / closed(gamma);
        assert_eq!(relative.abs() <= 1e-8, optimal, "{share}: {relative:.1e}");
        assert!(relative <= 1e-8);
    }
}

#[test]
fn without_an_atom_price_it_agrees_with_the_closed_form() {
    for instance in 0..6 {
        let problem = problem(planted::gaussian(4, 15, instance), 0.4, 0.0);
        let closed = wide::closed_form(&problem).unwrap().certificate().objective();
        let found = solve(&problem, 0).certified;
        let allowed = found.certificate().gap() + 1e-12 * closed;
        assert!((found.certificate().objective() - closed).abs() <= allowed);
        assert!(found.certificate().relative_gap() <= 1e-6, "{}", found.certificate());
    }
}

#[test]
fn the_answer_does_not_depend_on_the_number_of_threads() {
    let problem = problem(planted::gaussian(6, 60, 3), 0.2, 0.1);
    let answer = |threads| {
        let pool = rayon::ThreadPoolBuilder::new().num_threads(threads).build().unwrap();
        pool.install(|| ColumnGeneration::default().solve(&problem).unwrap().certified)
    };
    let one = answer(1);
    assert!(one == answer(2) && one == answer(7));
}
