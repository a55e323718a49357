//! The conic master: a second method that agrees with the first within what each
//! proves of itself.

use std::ops::ControlFlow;
use std::sync::atomic::{AtomicUsize, Ordering};

use proptest::prelude::*;
use widedict::certificate::{Options, certify};
use widedict::master::{Coded, Conic, Effort, Method, Proximal};
use widedict::testing::harness::{Expectations, verify_solver};
use widedict::testing::{naive, planted};
use widedict::trusted::{Coding, exact};
use widedict::{
    ColumnGeneration, Dictionary, Factorization, Interrupt, Matrix, Observer, Problem, Solution, SolveError,
    Stop, Witness, datasets, wide,
};

use crate::support::strategies::{self, Limits};

fn problem(x: Matrix, lambda: f64, gamma: f64) -> Problem {
    Problem::builder(x).lambda(lambda).gamma(gamma).build().unwrap()
}

fn digits(from: usize, to: usize) -> Matrix {
    datasets::digits().select_columns(&(from..to).collect::<Vec<_>>())
}

fn conic() -> Conic {
    Conic::default()
}

fn proximal(problem: &Problem, dictionary: &Dictionary) -> Coded {
    Proximal.codes(problem, dictionary, Effort { max_sweeps: 5_000, decrease_tolerance: 0.0 }, &()).unwrap()
}

fn coding(problem: &Problem, coded: &Coded) -> Coding {
    Coding::new(problem, &coded.factorization, coded.dual.as_ref()).unwrap()
}

/// Both masters on one dictionary: the values differ by no more than they prove of
/// themselves. Returns the two relative gaps.
fn agree(problem: &Problem, dictionary: &Dictionary) -> (f64, f64) {
    let second = conic().codes(problem, dictionary, &()).unwrap();
    crate::support::checks::feasible(problem, &second.factorization);
    let first = proximal(problem, dictionary);
    assert_eq!(first.factorization.dictionary(), second.factorization.dictionary());
    let (one, two) = (coding(problem, &first), coding(problem, &second));
    let difference = (one.upper.get() - two.upper.get()).abs();
    assert!(
        difference <= one.gap() + two.gap(),
        "{} and {} differ by more than {} and {}",
        one.upper.get(),
        two.upper.get(),
        one.gap(),
        two.gap()
    );
    assert!(one.lower.get() <= two.upper.get() && two.lower.get() <= one.upper.get());
    (one.relative_gap(), two.relative_gap())
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(64))]

    /// Any data, weights, penalties and atoms, with copies and near-copies among them.
    #[test]
    fn the_masters_agree_over_any_dictionary(
        (problem, point) in strategies::feasible_points(
            Limits { dim: 6, points: 12, atoms: 8 },
            strategies::penalties(),
        )
    ) {
        agree(&problem, point.dictionary());
    }

    /// At ordinary penalties, weights and sizes the certified gap is small.
    #[test]
    fn the_gap_is_small_on_ordinary_data(
        (dim, len, atoms) in (1..=6_usize, 1..=12_usize, 1..=10_usize),
        seed in any::<u64>(),
        (lambda, gamma) in (0.05..0.8_f64, prop_oneof![Just(0.0), 0.05..0.8_f64]),
        centered in any::<bool>(),
    ) {
        let problem = Problem::builder(planted::gaussian(dim, len, seed))
            .lambda(lambda).gamma(gamma).centered(centered).build().unwrap();
        let (dictionary, _) = Dictionary::normalize(planted::gaussian(dim, atoms, seed ^ 1)).unwrap();
        let coded = conic().codes(&problem, &dictionary, &()).unwrap();
        let proved = coding(&problem, &coded);
        let energy = naive::wide_limit(&problem.with_penalty(1e9, 0.0).unwrap(), None);
        // Data that the center alone explains have an objective of 0.
        prop_assert!(
            proved.gap() <= 1e-8 * proved.upper.get() + 1e-12 * energy,
            "{:e} of {:e}", proved.gap(), proved.upper.get()
        );
        agree(&problem, &dictionary);
    }
}

#[test]
fn slow_the_masters_agree_on_digits() {
    let problem = problem(digits(0, 40), 0.3, 0.1);
    let solved = ColumnGeneration::default().solve(&problem).unwrap();
    let (_, gap) = agree(&problem, solved.certified.solution().dictionary());
    assert!(gap <= 1e-8, "{gap:e}");

    // More atoms than dimensions: the residual form.
    let problem = self::problem(digits(0, 8), 0.3, 0.1);
    let (all, _) = Dictionary::normalize(digits(8, 78)).unwrap();
    let (_, gap) = agree(&problem, &all);
    assert!(gap <= 1e-8, "{gap:e}");
}

/// γ = 0 without a center: N independent lassos, which the coder solves by pivoting.
#[test]
fn without_an_atom_price_it_agrees_with_the_coder() {
    for seed in 0..8 {
        let problem = problem(planted::gaussian(5, 12, seed), 0.2, 0.0);
        let (dictionary, _) = Dictionary::normalize(planted::gaussian(5, 9, 100 + seed)).unwrap();
        let coded = conic().codes(&problem, &dictionary, &()).unwrap();
        let encoded = widedict::coder::Coder::default()
            .encode(problem.data().datapoints(), &dictionary, 0.2, &())
            .unwrap();
        let other = Factorization::new(dictionary.clone(), encoded.codes, None).unwrap();
        let (one, two) = (coding(&problem, &coded), Coding::new(&problem, &other, None).unwrap());
        assert!((one.upper.get() - two.upper.get()).abs() <= one.gap() + two.gap());
        assert!(one.relative_gap() <= 1e-8, "{:e}", one.relative_gap());
    }
}

fn generation(tolerance: f64) -> ColumnGeneration {
    ColumnGeneration { gap_tolerance: tolerance, ..ColumnGeneration::default() }
}

fn solve(problem: &Problem, tolerance: f64) -> Solution {
    ColumnGeneration { master: Method::Conic(conic()), ..generation(tolerance) }.solve(problem).unwrap()
}

/// The certified absolute gap with the polar computed exactly where that is possible.
fn proved_gap(problem: &Problem, solution: &Solution) -> f64 {
    let options = Options { exact: Some(exact::Limits::default()), ..Options::default() };
    let point = solution.certified.solution().clone();
    certify(problem, point, &solution.witness, &options).unwrap().certificate().gap()
}

/// `‖W̃₁ − W̃₂‖` for the reconstructions of two points, centers included.
fn distance(problem: &Problem, one: &Factorization, two: &Factorization) -> f64 {
    let (one, two) = (naive::residuals(problem, one), naive::residuals(problem, two));
    let square: f64 = (0..problem.len())
        .map(|i| {
            let difference: Vec<f64> = one.col(i).iter().zip(two.col(i)).map(|(x, y)| x - y).collect();
            problem.data().weights()[i] * naive::inner(&difference, &difference)
        })
        .sum();
    square.sqrt()
}

/// Full solves by both methods: values within the sum of the certified gaps, and the
/// reconstruction, which is unique, within the roots of twice the gaps.
fn full_solves_agree(problem: &Problem, tolerance: f64) -> (f64, f64) {
    let one = generation(tolerance).solve(problem).unwrap();
    let two = solve(problem, tolerance);
    assert!(matches!(two.stop, Stop::ToleranceMet | Stop::Stalled), "{:?}", two.stop);
    let (gap_one, gap_two) = (proved_gap(problem, &one), proved_gap(problem, &two));
    let (first, second) = (one.certified.certificate(), two.certified.certificate());
    let difference = (first.objective() - second.objective()).abs();
    let rounding = 1e-13 * first.objective();
    assert!(
        difference <= gap_one + gap_two + rounding,
        "{difference:e} is more than {gap_one:e} and {gap_two:e}"
    );
    let apart = distance(problem, one.certified.solution(), two.certified.solution());
    let allowed = (2.0 * gap_one).sqrt() + (2.0 * gap_two).sqrt();
    let size = naive::length(problem.data().datapoints().as_matrix().as_slice());
    assert!(apart <= allowed + 1e-12 * size, "{apart:e} is more than {allowed:e}");
    (gap_one / first.objective(), gap_two / second.objective())
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(24))]

    #[test]
    fn slow_full_solves_agree_on_any_problem(
        problem in strategies::problems(Limits { dim: 6, points: 12, atoms: 0 }, strategies::penalties())
    ) {
        full_solves_agree(&problem, 1e-4);
    }
}

#[test]
fn small_problems_are_solved_to_optimality() {
    for (seed, centered) in (0..6).flat_map(|seed| [(seed, false), (seed, true)]) {
        let problem = Problem::builder(planted::gaussian(3, 6, seed))
            .lambda(0.2)
            .gamma(0.15)
            .centered(centered)
            .build()
            .unwrap();
        let (one, two) = full_solves_agree(&problem, 1e-7);
        assert!(one <= 1e-5 && two <= 1e-5, "{seed} {centered}: {one:e} {two:e}");
    }
}

/// At a tolerance that takes the conic method some ten rounds.
#[test]
fn slow_digits_are_solved_by_both_methods() {
    full_solves_agree(&problem(digits(0, 40), 0.3, 0.1), 3e-2);
}

#[test]
fn its_certificates_pass_every_check() {
    let problems = (0..4).map(|seed| problem(planted::gaussian(3, 8, seed), 0.2, 0.1));
    let master = Method::Conic(conic());
    let solver = |problem: &Problem| ColumnGeneration { master, ..generation(1e-5) }.solve(problem);
    let expected = Expectations { stationarity: 0.05, gap: f64::INFINITY };
    let seen = verify_solver(solver, problems, &expected).unwrap();
    assert_eq!(seen.problems, 4);
}

#[test]
fn two_runs_are_the_same() {
    let problem = problem(planted::gaussian(4, 15, 3), 0.2, 0.1);
    let answer = |threads| {
        let pool = rayon::ThreadPoolBuilder::new().num_threads(threads).build().unwrap();
        pool.install(|| solve(&problem, 5e-3).certified)
    };
    let one = answer(1);
    assert!(one == answer(2) && one == answer(7));
}

/// The Huber location by two methods, and the bound its dual point proves.
#[test]
fn the_center_is_the_huber_location() {
    for (seed, lambda) in [(0, 0.3), (1, 1.0), (2, 0.01), (3, 50.0)] {
        let x = planted::gaussian(3, 20, seed);
        let problem = Problem::builder(x).lambda(lambda).centered(true).build().unwrap();
        let one = wide::location(problem.data(), lambda, &());
        let two = conic().location(problem.data(), lambda, &()).unwrap();
        assert_eq!(two.stop, Stop::ToleranceMet);
        assert!(two.value >= one.value * (1.0 - 1e-12));
        assert!((one.value - two.value).abs() <= 1e-9 * one.value, "{} {}", one.value, two.value);
        // What its dual point proves is as close.
        let point = Factorization::new(Dictionary::empty(3), widedict::Codes::zeros(0, 20), None).unwrap();
        let witness = Witness { dual: Some(two.dual), ..Witness::none() };
        let proved = certify(&problem, point, &witness, &Options::default()).unwrap();
        let lower = proved.certificate().lower_bound().get();
        assert!(lower <= two.value && lower >= two.value * (1.0 - 1e-6), "{lower} {}", two.value);
    }
    // One point, and points that coincide.
    let same = Matrix::from_columns(2, &[[1.0, 2.0], [1.0, 2.0]]);
    let problem = Problem::builder(same).lambda(0.1).centered(true).build().unwrap();
    let found = conic().location(problem.data(), 0.1, &()).unwrap();
    assert_eq!((found.center, found.value), (vec![1.0, 2.0], 0.0));
    for lambda in [0.0, -1.0, f64::NAN, f64::INFINITY] {
        let refused = conic().location(problem.data(), lambda, &());
        assert!(matches!(refused, Err(SolveError::Setting { name: "lambda", .. })), "{refused:?}");
    }
}

#[test]
fn degenerate_problems_have_their_answer() {
    // No atom.
    let plain = problem(planted::gaussian(3, 5, 1), 0.2, 0.1);
    let coded = conic().codes(&plain, &Dictionary::empty(3), &()).unwrap();
    assert_eq!((coded.factorization.width(), coded.stop), (0, Stop::ToleranceMet));
    assert_eq!(coding(&plain, &coded).gap(), coding(&plain, &proximal(&plain, &Dictionary::empty(3))).gap());
    // Data that are all zero.
    let zero = problem(Matrix::zeros(3, 4), 0.2, 0.1);
    let (dictionary, _) = Dictionary::normalize(planted::gaussian(3, 2, 1)).unwrap();
    let coded = conic().codes(&zero, &dictionary, &()).unwrap();
    assert_eq!(coded.factorization.codes().nnz(), 0);
    assert!(coding(&zero, &coded).gap() <= 1e-300);
    assert_eq!(solve(&zero, 5e-3).certified.certificate().objective(), 0.0);
    // Penalties so large that no code pays.
    let dear = problem(planted::gaussian(3, 5, 1), 1e6, 1e6);
    let coded = conic().codes(&dear, &dictionary, &()).unwrap();
    assert_eq!(coded.factorization.codes().nnz(), 0);
    // Atoms that coincide, or oppose each other: the codes are not unique, the value is.
    let copies = Matrix::from_columns(
        3,
        &[[1.0, 0.0, 0.0], [1.0, 0.0, 0.0], [-1.0, 0.0, 0.0], [0.0, 0.6, 0.8], [0.0, 0.6, 0.8]],
    );
    let (dictionary, _) = Dictionary::normalize(copies).unwrap();
    for gamma in [0.0, 0.1] {
        for centered in [false, true] {
            let problem = Problem::builder(planted::gaussian(3, 7, 5))
                .lambda(0.1)
                .gamma(gamma)
                .centered(centered)
                .build()
                .unwrap();
            let (_, gap) = agree(&problem, &dictionary);
            assert!(gap <= 1e-8, "{gap:e}");
        }
    }
}

#[test]
fn what_does_not_fit_is_refused_with_a_clear_error() {
    let problem = problem(planted::gaussian(3, 5, 1), 0.2, 0.1);
    let (dictionary, _) = Dictionary::normalize(planted::gaussian(3, 2, 1)).unwrap();
    for tolerance in [0.0, -1.0, f64::NAN, f64::INFINITY] {
        let conic = Conic { gap_tolerance: tolerance, ..conic() };
        let refused = conic.codes(&problem, &dictionary, &());
        assert!(matches!(refused, Err(SolveError::Setting { .. })), "{refused:?}");
        let run = ColumnGeneration { master: Method::Conic(conic), ..generation(1e-3) };
        assert!(matches!(run.solve(&problem), Err(SolveError::Setting { .. })));
    }
    let other = Dictionary::empty(4);
    let refused = conic().codes(&problem, &other, &()).unwrap_err();
    assert!(refused.to_string().contains("expected 3, found 4"), "{refused}");
    let shape =
        Coding::new(&problem, &Factorization::new(other, widedict::Codes::zeros(0, 5), None).unwrap(), None);
    assert!(shape.is_err());
    let coded = conic().codes(&problem, &dictionary, &()).unwrap();
    let bad = Coding::new(&problem, &coded.factorization, Some(&Matrix::zeros(3, 4)));
    assert!(bad.unwrap_err().to_string().contains("dual"));
}

#[test]
fn a_program_above_the_limit_is_refused_before_it_is_built() {
    let problem = problem(digits(0, 400), 0.3, 0.1);
    let (dictionary, _) = Dictionary::normalize(digits(0, 60)).unwrap();
    let small = Conic { max_mib: 1, ..conic() };
    let refused = small.codes(&problem, &dictionary, &()).unwrap_err();
    let SolveError::TooLarge { needed_mib, limit_mib: 1, .. } = refused else { panic!("{refused}") };
    assert!(needed_mib > 1 && refused.to_string().contains("proximal"), "{refused}");
    let run = ColumnGeneration { master: Method::Conic(small), ..generation(1e-3) };
    assert!(matches!(run.solve(&problem), Err(SolveError::TooLarge { .. })));
    // Where it does fit it is not refused.
    let tiny = self::problem(planted::gaussian(2, 3, 0), 0.2, 0.1);
    let (two, _) = Dictionary::normalize(planted::gaussian(2, 2, 1)).unwrap();
    assert!(small.codes(&tiny, &two, &()).is_ok());
}

/// Stops at the given poll.
struct After(AtomicUsize, usize, Interrupt);

impl Observer for After {
    fn poll(&self) -> ControlFlow<Interrupt> {
        if self.0.fetch_add(1, Ordering::Relaxed) < self.1 {
            ControlFlow::Continue(())
        } else {
            ControlFlow::Break(self.2)
        }
    }
}

#[test]
fn it_stops_when_told_to_and_returns_a_feasible_point() {
    let problem = problem(digits(0, 12), 0.1, 0.1);
    let (dictionary, _) = Dictionary::normalize(digits(12, 20)).unwrap();
    for (interrupt, expected) in
        [(Interrupt::TimeLimit, Stop::TimeLimit), (Interrupt::Cancelled, Stop::Cancelled)]
    {
        for polls in [0, 1, 5] {
            let observer = After(AtomicUsize::new(0), polls, interrupt);
            let coded = conic().codes(&problem, &dictionary, &observer).unwrap();
            assert_eq!((coded.stop, coded.iterations), (expected, polls));
            crate::support::checks::feasible(&problem, &coded.factorization);
            let proved = coding(&problem, &coded);
            assert!(proved.lower.get() <= proved.upper.get());
        }
        for polls in [0, 8, 30] {
            let observer = After(AtomicUsize::new(0), polls, interrupt);
            let run = ColumnGeneration { master: Method::Conic(conic()), ..generation(1e-9) };
            let solution = run.solve_with(&problem, &widedict::Run::observed(&observer)).unwrap();
            assert_eq!(solution.stop, expected);
        }
    }
}

#[test]
fn the_iteration_limit_is_a_stop() {
    let problem = problem(digits(0, 12), 0.1, 0.1);
    let (dictionary, _) = Dictionary::normalize(digits(12, 20)).unwrap();
    let coded = Conic { max_iterations: 2, ..conic() }.codes(&problem, &dictionary, &()).unwrap();
    assert_eq!((coded.stop, coded.iterations), (Stop::IterationLimit, 2));
}

/// Weights over two hundred decades: clarabel's codes are off by a share of the largest
/// one, and where it breaks down the first-order master takes its round.
#[test]
fn tiny_weights_do_not_end_in_an_error() {
    let single = |len: usize, at: usize, value: f64| -> Vec<[f64; 1]> {
        (0..len).map(|i| [if i == at { value } else { 0.0 }]).collect()
    };
    let cases = [
        (single(2, 1, 4e114), vec![1e-203, 4e-24], 0.0, 2e100, false),
        (single(2, 1, 2e132), vec![1e-240, 3e-81], 8e115, 0.0, false),
        (single(3, 1, 2e138), vec![4e-212, 3e-34, 3e-44], 5e130, 4e131, true),
        (
            single(10, 5, -2e127),
            vec![6e-160, 5e-183, 6e-47, 1e-108, 4e-218, 2e-173, 1e-158, 2e-242, 2e-185, 1e-69],
            3e110,
            0.0,
            false,
        ),
    ];
    for (columns, weights, lambda, gamma, centered) in cases {
        let problem = Problem::builder(Matrix::from_columns(1, &columns))
            .weights(weights)
            .lambda(lambda)
            .gamma(gamma)
            .centered(centered)
            .build()
            .unwrap();
        let one = ColumnGeneration { master: Method::Conic(conic()), ..Default::default() }
            .solve(&problem)
            .unwrap();
        let two = ColumnGeneration::default().solve(&problem).unwrap();
        let (one, two) = (one.certified.certificate().objective(), two.certified.certificate().objective());
        assert!(one <= two * (1.0 + 1e-6), "{one:e} against {two:e}");
    }
}
