//! The nuclear bound: a map of n + 1 columns, judged by the datapoints themselves.

use proptest::prelude::*;
use widedict::certificate::Options;
use widedict::search::nuclear::{Nuclear, NuclearDual};
use widedict::testing::{naive, planted};
use widedict::trusted::{Bound, BoundKind, Subject, bounds};
use widedict::{Bounding, ColumnGeneration, Interrupt, Matrix, Problem, Witness, certify};

use super::{Patience, bare, from_any_number_of_threads};
use crate::support::{checks, strategies};

/// Settings that go on to the end.
const LONG: Nuclear = Nuclear { max_iterations: 5000, progress: 1e-13, max_axes: 512 };

/// What is proved of a map.
fn proved(problem: &Problem, map: &Matrix) -> Option<Bound> {
    let point = bare(problem);
    bounds::nuclear(&Subject::of(problem, &point).unwrap(), map)
}

/// The whitened dual point of a map.
fn dual(problem: &Problem, map: &Matrix) -> Matrix {
    let a = problem.data().sqrt_weights();
    let n = problem.dim();
    Matrix::from_fn(n, problem.len(), |j, i| {
        let x = problem.data().datapoint(i);
        a[i] * ((0..n).map(|l| map.get(j, l) * x[l]).sum::<f64>() + map.get(j, n))
    })
}

/// `½‖X̃ − b aᵀ − W‖² + ‖W A^{1/2}‖_*` at `W = X̃ − b aᵀ − R`, b the mean where it is learnt. W is
/// measured in the size of the data, R in that of the prices, so that no square overflows.
fn primal(problem: &Problem, dual: &Matrix) -> f64 {
    let a = problem.data().sqrt_weights();
    let total: f64 = a.iter().map(|a| a * a).sum();
    let mean = problem.data().mean();
    let price = widedict::num::max(problem.lambda(), problem.gamma());
    let (lambda, gamma) = (problem.lambda() / price, problem.gamma() / price);
    let size = problem
        .data()
        .datapoints()
        .as_matrix()
        .as_slice()
        .iter()
        .map(|x| x.abs())
        .fold(0.0, widedict::num::max);
    let w = Matrix::from_fn(problem.dim(), problem.len(), |j, i| {
        let center = if problem.centered() { mean[j] } else { 0.0 };
        a[i] * (problem.data().datapoint(i)[j] - center) / size - dual.get(j, i) / size
    });
    let along: Vec<f64> = (0..w.nrows()).map(|j| naive::inner(&naive::row(&w, j), a)).collect();
    let rise = ((gamma * gamma + lambda * lambda * total).sqrt() - gamma) / total;
    let priced = Matrix::from_fn(w.nrows(), w.ncols(), |j, i| gamma * w.get(j, i) + rise * along[j] * a[i]);
    let values = naive::eigenvalues(&naive::times(&priced, &naive::transpose(&priced)));
    let norm: f64 = values.iter().map(|v| root(*v)).sum();
    let square: f64 = dual.as_slice().iter().map(|r| (r / price) * (r / price)).sum();
    price * (0.5 * price * square + size * norm)
}

/// A singular value from an eigenvalue of the square.
fn root(value: f64) -> f64 {
    widedict::num::max(value, 0.0).sqrt()
}

fn found(problem: &Problem, settings: &Nuclear) -> NuclearDual {
    settings.search(problem, &()).expect("gamma > 0 and data that are not 0")
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(128))]

    /// The gap to the problem of nuclear norms over all datapoints closes, as far as the
    /// primal value of a converged dual point is converged: neither the reduction to n + 1
    /// columns nor the search loses more.
    #[test]
    fn the_bound_is_that_of_the_datapoints_themselves(
        (dim, len) in (1..=5_usize, 1..=9_usize),
        seed in any::<u64>(),
        shift in prop_oneof![Just(0.0), 0.1..3.0_f64],
        (lambda, gamma) in (prop_oneof![Just(0.0), 0.05..1.0_f64], 0.05..1.0_f64),
        centered in any::<bool>(),
        weights in proptest::collection::vec(0.1..1.0_f64, 9),
    ) {
        let mut x = planted::gaussian(dim, len, seed);
        x.as_mut_slice().iter_mut().for_each(|v| *v += shift);
        let problem = Problem::builder(x)
            .weights(weights[..len].to_vec()).lambda(lambda).gamma(gamma).centered(centered).build().unwrap();
        // With a center a single datapoint costs nothing.
        prop_assume!(len > 1 || !centered);
        let found = found(&problem, &LONG);
        let bound = proved(&problem, &found.map).unwrap();
        prop_assert_eq!(bound.kind, BoundKind::Nuclear);
        let (lower, upper) = (bound.lower.get(), primal(&problem, &dual(&problem, &found.map)));
        // A singular value near 0 has the error of a root.
        prop_assert!(lower <= upper * (1.0 + 1e-7), "{lower} {upper}");
        // The dual value is converged to 1e-13, its point, and with it the primal value, to the
        // root of that times what λ/γ does to the conditioning.
        checks::close("primal and dual", lower, upper, 0.0, 1e-6 * (1.0 + lambda / gamma).powi(2));
        checks::close("promise", lower, found.promised, 0.0, 1e-9);
        // No dual point proves more: not that of another problem, not the data.
        for other in [problem.data().datapoints().to_matrix(), planted::gaussian(dim, len, !seed)] {
            let witness = Witness { dual: Some(other), ..Witness::none() };
            let certified = certify(&problem, bare(&problem), &witness, &Options::default()).unwrap();
            let certificate = certified.certificate();
            if certificate.bound_kind() == BoundKind::Fast {
                prop_assert!(certificate.lower_bound().get() <= lower * (1.0 + 1e-6));
            }
        }
    }

    #[test]
    fn with_a_center_the_bound_is_a_sum_of_huber_values(
        (dim, len) in (1..=4_usize, 2..=8_usize),
        seed in any::<u64>(),
        lambda in 0.0..2.0_f64,
        gamma in 0.05..1.0_f64,
    ) {
        let problem = Problem::builder(planted::gaussian(dim, len, seed))
            .lambda(lambda).gamma(gamma).centered(true).build().unwrap();
        let (a, mean) = (problem.data().sqrt_weights(), problem.data().mean());
        let x = Matrix::from_fn(dim, len, |j, i| a[i] * (problem.data().datapoint(i)[j] - mean[j]));
        let values = naive::eigenvalues(&naive::times(&x, &naive::transpose(&x)));
        let huber = |s: f64| if s > gamma { gamma * (s - 0.5 * gamma) } else { 0.5 * s * s };
        let sum: f64 = values.iter().map(|v| huber(root(*v))).sum();
        let found = found(&problem, &Nuclear::default());
        prop_assert_eq!(found.iterations, 0);
        let lower = proved(&problem, &found.map).unwrap().lower.get();
        checks::close("Huber values", lower, sum, 0.0, 1e-9);
    }

    /// Any data, weights, penalties and center: never above what is attained.
    #[test]
    fn no_factorization_costs_less(
        (problem, point) in strategies::feasible_points(
            strategies::Limits { dim: 5, points: 8, atoms: 4 },
            strategies::penalties(),
        )
    ) {
        let bounded = Bounding::Nuclear.certify(&problem, point.clone(), &Options::default(), &()).unwrap();
        let lower = bounded.certified.certificate().lower_bound().get();
        let run = ColumnGeneration { max_rounds: 20, ..Default::default() };
        let solution = run.solve(&problem).unwrap();
        prop_assert!(solution.certified.certificate().lower_bound().get() <= solution.certified.certificate().objective());
        let solved = solution.certified.into_parts().0;
        checks::never_crosses(&problem, lower, &[point, solved]);
        let fast = Bounding::Fast.certify(&problem, bounded.certified.into_parts().0, &Options::default(), &()).unwrap();
        prop_assert!(fast.certified.certificate().lower_bound().get() <= lower);
        // No dual point with T = 0, the residuals neither, proves more than the problem of nuclear
        // norms is worth at any point.
        let certificate = fast.certified.certificate();
        if let (BoundKind::Fast, Some(found)) = (certificate.bound_kind(), Nuclear::default().search(&problem, &())) {
            let upper = primal(&problem, &dual(&problem, &found.map));
            prop_assert!(certificate.lower_bound().get() <= upper * (1.0 + 1e-6), "{upper}");
        }
    }

    /// Maps that no search found: spoiled ones, and others of any size.
    #[test]
    fn what_is_saved_proves_no_more_than_it_should(
        (problem, point) in strategies::feasible_points(strategies::Limits::default(), strategies::penalties()),
        entries in proptest::collection::vec(prop_oneof![4 => -2.0..2.0_f64, 1 => strategies::decades(-200.0, 200.0), 1 => Just(f64::NAN), 1 => Just(f64::INFINITY)], 20),
        spoiled in any::<bool>(),
    ) {
        let n = problem.dim();
        let forged = Matrix::from_fn(n, n + 1, |i, j| entries[(i + 4 * j) % entries.len()]);
        let map = match Nuclear::default().search(&problem, &()) {
            Some(found) if spoiled => {
                let factor = entries[0];
                Matrix::from_fn(n, n + 1, |i, j| found.map.get(i, j) * if (i + j) % 2 == 0 { factor } else { 1.0 })
            }
            _ => forged,
        };
        let witness = Witness { nuclear: Some(map), ..Witness::none() };
        let certified = certify(&problem, point.clone(), &witness, &Options::default()).unwrap();
        checks::never_crosses(&problem, certified.certificate().lower_bound().get(), &[point]);
    }
}

/// Fewer datapoints than dimensions, and fewer axes than there are.
#[test]
fn some_axes_give_a_bound_below_that_of_all() {
    for (dim, len, centered) in [(9, 4, false), (9, 4, true), (7, 30, false), (7, 30, true), (6, 6, false)] {
        let mut x = planted::gaussian(dim, len, 3);
        x.as_mut_slice().iter_mut().for_each(|v| *v += 0.3);
        let problem = Problem::builder(x).lambda(0.4).gamma(0.15).centered(centered).build().unwrap();
        let all = found(&problem, &LONG);
        checks::close(
            "primal and dual",
            all.promised,
            primal(&problem, &dual(&problem, &all.map)),
            0.0,
            1e-6,
        );
        let mut last = 0.0;
        for max_axes in [1, 3, 5, 20] {
            let some = found(&problem, &Nuclear { max_axes, ..LONG });
            let lower = proved(&problem, &some.map).unwrap().lower.get();
            assert!(lower <= all.promised * (1.0 + 1e-9), "{max_axes} axes: {lower} {}", all.promised);
            assert!(lower >= last * (1.0 - 1e-9), "{max_axes} axes: {lower} {last}");
            checks::close("promise", lower, some.promised, 0.0, 1e-9);
            last = lower;
        }
        checks::close("all axes", last, all.promised, 0.0, 1e-9);
    }
}

#[test]
fn one_datapoint_is_solved() {
    for (length, lambda, gamma) in [(2.0_f64, 0.5_f64, 0.3_f64), (0.2, 0.5, 0.3), (3.0, 0.0, 1.0)] {
        let x = Matrix::from_columns(3, &[[0.6 * length, 0.0, 0.8 * length]]);
        let problem = Problem::builder(x).lambda(lambda).gamma(gamma).build().unwrap();
        let price = lambda.hypot(gamma);
        let value = if length > price { price * (length - 0.5 * price) } else { 0.5 * length * length };
        let lower = proved(&problem, &found(&problem, &LONG).map).unwrap().lower.get();
        checks::close("one datapoint", lower, value, 0.0, 1e-9);
    }
}

#[test]
fn there_is_none_without_a_price_or_data() {
    let x = planted::gaussian(2, 4, 1);
    let free = Problem::builder(x.clone()).lambda(0.3).build().unwrap();
    assert_eq!(Nuclear::default().search(&free, &()), None);
    let zero = Problem::builder(Matrix::zeros(2, 4)).lambda(0.3).gamma(0.1).build().unwrap();
    assert_eq!(Nuclear::default().search(&zero, &()), None);
    let priced = Problem::builder(x).lambda(0.3).gamma(0.1).build().unwrap();
    let map = found(&priced, &LONG).map;
    assert_eq!(proved(&free, &map), None);
    assert_eq!(proved(&priced, &Matrix::zeros(2, 2)), None);
    let witness = Witness { nuclear: Some(Matrix::zeros(2, 4)), ..Witness::none() };
    let error = certify(&priced, bare(&priced), &witness, &Options::default()).unwrap_err();
    assert_eq!(error.to_string(), "witness nuclear map: expected (2, 3), found (2, 4)");
}

/// The same map, whoever computes it.
#[test]
fn any_number_of_threads_gives_the_same_map() {
    let problem =
        Problem::builder(planted::mixture(6, 2000, 9, 2, 0.1, 5)).lambda(0.3).gamma(0.1).build().unwrap();
    let (found, _) = from_any_number_of_threads(|| {
        (
            found(&problem, &Nuclear::default()),
            Bounding::Nuclear.witness(&problem, &bare(&problem), 0.0, &()).unwrap(),
        )
    });
    assert!(found.iterations > 0);
}

/// What there is by the end of an observer's patience counts.
#[test]
fn a_search_cut_short_gives_what_it_has() {
    let mut x = planted::gaussian(5, 40, 8);
    x.as_mut_slice().iter_mut().for_each(|v| *v += 0.5);
    let problem = Problem::builder(x).lambda(0.5).gamma(0.05).build().unwrap();
    let all = found(&problem, &LONG);
    assert_eq!(LONG.search(&problem, &Patience::of(0)), None);
    let mut last = 0.0;
    for patience in 1..8 {
        let cut = LONG.search(&problem, &Patience::of(patience)).unwrap();
        assert_eq!((cut.iterations, cut.interrupt), (patience - 1, Some(Interrupt::Cancelled)));
        let lower = proved(&problem, &cut.map).unwrap().lower.get();
        assert!(lower >= last && lower <= all.promised * (1.0 + 1e-9));
        last = lower;
    }
}

/// Many datapoints: the certificate of a run has the bound, and it is below the objective.
#[test]
fn slow_ten_thousand_datapoints_are_bounded() {
    let problem = Problem::builder(planted::mixture(16, 10_000, 24, 3, 0.05, 2))
        .lambda(0.3)
        .gamma(0.1)
        .build()
        .unwrap();
    let run = ColumnGeneration { max_rounds: 4, ..Default::default() };
    let certified = run.solve(&problem).unwrap().certified;
    let certificate = certified.certificate();
    assert_eq!(certificate.bound_kind(), BoundKind::Nuclear);
    let fast =
        Bounding::Fast.certify(&problem, certified.solution().clone(), &Options::default(), &()).unwrap();
    assert!(fast.certified.certificate().lower_bound().get() < certificate.lower_bound().get());
    assert!(certificate.lower_bound().get() <= certificate.objective());
}
