//! The semidefinite relaxation: its bound is the optimum for few datapoints, never
//! above it, and proved without the solver that found it.

use std::ops::ControlFlow;

use proptest::prelude::*;
use widedict::certificate::Options;
use widedict::search::relaxation::{Relaxation, Relaxed, Semidefinite};
use widedict::testing::planted;
use widedict::trusted::{BoundKind, Subject, bounds, exact};
use widedict::{
    Certified, Codes, ColumnGeneration, Dictionary, Factorization, Interrupt, Matrix, Observer, Problem,
    SolveError, Stop, Witness, certify, datasets,
};

use crate::support::{checks, strategies};

fn relaxed(problem: &Problem) -> Relaxed {
    Semidefinite::default().solve(problem, &()).unwrap()
}

fn bare(problem: &Problem) -> Factorization {
    let codes = Codes::zeros(0, problem.len());
    Factorization::new(Dictionary::empty(problem.dim()), codes, None).unwrap()
}

/// The bound alone: certified for the empty dictionary.
fn bound(problem: &Problem, relaxed: &Relaxed) -> Certified {
    let witness = Witness { split: Some(relaxed.split.clone()), ..Witness::none() };
    certify(problem, bare(problem), &witness, &Options::default()).unwrap()
}

fn lower(problem: &Problem) -> f64 {
    bound(problem, &relaxed(problem)).certificate().lower_bound().get()
}

/// A point within `gap` of the optimum by the exact polar: the optimum is between.
fn optimum(problem: &Problem, tolerance: f64) -> (f64, f64) {
    let solution =
        ColumnGeneration { gap_tolerance: tolerance, ..Default::default() }.solve(problem).unwrap();
    let options = Options { exact: Some(exact::Limits::default()), ..Options::default() };
    let point = solution.certified.solution().clone();
    let certified = certify(problem, point, &solution.witness, &options).unwrap();
    (certified.certificate().lower_bound().get(), certified.certificate().upper().get())
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(32))]

    #[test]
    fn the_bound_is_the_optimum_for_few_datapoints(
        (dim, len) in (1..=5_usize, 1..=4_usize),
        seed in any::<u64>(),
        (lambda, gamma) in (prop_oneof![Just(0.0), 0.05..0.6_f64], 0.05..0.6_f64),
        centered in any::<bool>(),
    ) {
        let problem = Problem::builder(planted::gaussian(dim, len, seed))
            .lambda(lambda).gamma(gamma).centered(centered).build().unwrap();
        let (proved, attained) = optimum(&problem, 1e-8);
        let found = lower(&problem);
        let size: f64 = problem.data().datapoints().to_matrix().as_slice().iter().map(|x| x * x).sum();
        prop_assert!(found <= attained);
        prop_assert!(found >= proved * (1.0 - 1e-6) - 1e-9 * size, "{found} {proved} {attained}");
    }

    /// Any data, weights and penalties: a bound, whatever it is worth.
    #[test]
    fn the_bound_is_never_above_the_optimum(
        (problem, point) in strategies::feasible_points(
            strategies::Limits { dim: 5, points: 8, atoms: 4 },
            strategies::penalties(),
        )
    ) {
        match Semidefinite::default().solve(&problem, &()) {
            Ok(relaxed) => {
                let certified = bound(&problem, &relaxed);
                let lower = certified.certificate().lower_bound().get();
                let run = ColumnGeneration { max_rounds: 30, ..Default::default() };
                let solved = run.solve(&problem).unwrap().certified.into_parts().0;
                checks::never_crosses(&problem, lower, &[point, solved]);
            }
            // A breakdown is no bound.
            Err(SolveError::Conic { .. }) => prop_assert!(problem.gamma() > 0.0),
            Err(SolveError::NotApplicable { .. }) => prop_assert!(problem.gamma() == 0.0),
            Err(other) => prop_assert!(false, "{other}"),
        }
    }
}

/// Planted optima whose slack A − RᵀR is a sum S + T: the relaxation is exact there
/// for any number of datapoints.
#[test]
fn planted_splits_are_found() {
    let row = |support: std::ops::Range<usize>| -> Vec<f64> {
        (0..8)
            .map(|i| if support.contains(&i) { 0.5 + f64::from(u8::try_from(i).unwrap()) / 8.0 } else { 0.0 })
            .collect()
    };
    for (semidefinite, nonnegative) in [(1.0, 0.0), (0.5, 0.5), (0.2, 0.9)] {
        let recipe = planted::Recipe {
            weights: vec![1.0, 2.0, 1.0, 0.5, 1.0, 1.0, 3.0, 1.0],
            lambda: 0.4,
            gamma: 0.3,
            rows: vec![row(0..3), row(2..6), row(5..8)],
            amounts: vec![1.0, 0.5, 2.0],
            semidefinite,
            nonnegative,
        };
        let planted = planted::pair(&recipe).unwrap();
        let found = relaxed(&planted.problem);
        let certified = bound(&planted.problem, &found);
        let proved = certified.certificate().lower_bound().get();
        assert!(proved <= planted.value * (1.0 + 1e-12), "{proved} {}", planted.value);
        assert!(proved >= planted.value * (1.0 - 1e-6), "{proved} {}", planted.value);
        assert_eq!(certified.certificate().bound_kind(), BoundKind::Sdp);
        assert!((found.promised - proved).abs() <= 1e-6 * proved);
    }
}

#[test]
fn it_is_at_least_as_good_as_the_first_order_search() {
    let x = datasets::digits().select_columns(&(0..15).collect::<Vec<_>>());
    let problem = Problem::builder(x).lambda(0.3).gamma(0.1).build().unwrap();
    let solved = ColumnGeneration::default().solve(&problem).unwrap();
    let found = Relaxation::default().search(&problem, solved.certified.solution(), &()).unwrap();
    let upper = solved.certified.certificate().upper();
    let subject = Subject::of(&problem, solved.certified.solution()).unwrap();
    let first = bounds::split(&subject, &found.split).unwrap().lower.get();
    let second = lower(&problem);
    assert!(second >= first * (1.0 - 1e-7), "{first} {second}");
    assert!(second <= upper.get());
}

/// The bound rests on the witness alone: whatever is changed in it lowers the bound
/// or leaves it a bound.
#[test]
fn a_tampered_split_proves_no_more() {
    let x = planted::gaussian(3, 4, 5);
    let problem = Problem::builder(x).lambda(0.2).gamma(0.2).build().unwrap();
    let found = relaxed(&problem);
    let (_, attained) = optimum(&problem, 1e-8);
    let best = bound(&problem, &found).certificate().lower_bound().get();
    for factor in [0.0, 0.5, 1.5, 10.0, -1.0] {
        let mut changed = found.clone();
        changed.split.slack.as_mut_slice().iter_mut().for_each(|t| *t *= factor);
        let lower = bound(&problem, &changed).certificate().lower_bound().get();
        assert!(lower <= attained && lower <= best * (1.0 + 1e-6), "{factor}: {lower} {best}");
        let mut changed = found.clone();
        changed.split.dual.as_mut_slice().iter_mut().for_each(|r| *r *= factor);
        let lower = bound(&problem, &changed).certificate().lower_bound().get();
        assert!(lower <= attained, "{factor}: {lower} {attained}");
    }
}

#[test]
fn what_it_cannot_do_is_a_clear_error() {
    let problem =
        |gamma: f64| Problem::builder(planted::gaussian(3, 4, 1)).lambda(0.2).gamma(gamma).build().unwrap();
    let refused = Semidefinite::default().solve(&problem(0.0), &());
    assert!(matches!(refused, Err(SolveError::NotApplicable { .. })), "{refused:?}");
    for tolerance in [0.0, -1.0, f64::NAN, f64::INFINITY] {
        let refused =
            Semidefinite { gap_tolerance: tolerance, ..Default::default() }.solve(&problem(0.1), &());
        assert!(matches!(refused, Err(SolveError::Setting { .. })), "{refused:?}");
    }
    let large = Problem::builder(datasets::digits()).lambda(0.3).gamma(0.1).build().unwrap();
    let refused = Semidefinite::default().solve(&large, &()).unwrap_err();
    assert!(matches!(refused, SolveError::TooLarge { .. }));
    assert!(refused.to_string().contains("proximal"), "{refused}");
    // The limit can be moved either way.
    assert!(Semidefinite { max_mib: 0, ..Default::default() }.solve(&problem(0.1), &()).is_err());
    assert!(Semidefinite { max_mib: u64::MAX, ..Default::default() }.check_size(&large).is_ok());
    // Data that are all zero have the bound 0.
    let zero = Problem::builder(Matrix::zeros(3, 4)).lambda(0.2).gamma(0.1).build().unwrap();
    assert_eq!((lower(&zero), relaxed(&zero).stop), (0.0, Stop::ToleranceMet));
}

#[test]
fn it_stops_when_told_to() {
    struct Says(Interrupt);
    impl Observer for Says {
        fn poll(&self) -> ControlFlow<Interrupt> {
            ControlFlow::Break(self.0)
        }
    }
    let problem = Problem::builder(planted::gaussian(3, 6, 1)).lambda(0.2).gamma(0.1).build().unwrap();
    for (interrupt, stop) in
        [(Interrupt::TimeLimit, Stop::TimeLimit), (Interrupt::Cancelled, Stop::Cancelled)]
    {
        let found = Semidefinite::default().solve(&problem, &Says(interrupt)).unwrap();
        assert_eq!((found.stop, found.iterations), (stop, 0));
        let (_, attained) = optimum(&problem, 1e-4);
        assert!(bound(&problem, &found).certificate().lower_bound().get() <= attained);
    }
}

#[cfg(feature = "cli")]
#[test]
fn it_is_a_method_and_a_bound_of_the_command() {
    use crate::support::command::{Bench, fails, object, run};

    let bench = Bench::new();
    let data = bench.rows("x.npy", &[vec![1.0, 0.1], vec![0.9, 0.3], vec![0.1, 1.0], vec![0.6, 0.7]]);
    for options in ["--method sdp", "--method proximal --bound sdp"] {
        let line =
            format!("solve --data {{}} --lambda 0.1 --gamma 0.1 {options} --tolerance 1e-5 --json --quiet");
        let output = run(&line, &[&data]);
        let row = object(&output);
        assert_eq!(row["bound_kind"], "sdp", "{options}");
        // Four datapoints: the relaxation is exact.
        let gap = row["relative_gap"].as_f64().expect("a number");
        assert!((0.0..1e-4).contains(&gap), "{options}: {gap}");
    }
    let output = run("solve --dataset digits --lambda 0.3 --gamma 0.1 --bound sdp --quiet", &[]);
    fails(&output, 4, &["semidefinite program", "MiB", "proximal"]);
}
