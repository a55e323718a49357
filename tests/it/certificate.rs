//! The checker: bounds on their sides of exact numbers, stationarity against its
//! formulas, and points that were tampered with.

use proptest::collection::vec;
use proptest::prelude::*;
use widedict::certificate::{CertifyError, Concentration, Options, objective_parts};
use widedict::search::escape;
use widedict::testing::{dense_codes, factorization, hunt, naive, planted};
use widedict::trusted::WitnessError;
use widedict::trusted::{BoundKind, Origin, QuarticForm, Split, Squares, Subject, bounds, local};
use widedict::{
    Certified, Codes, ColumnGeneration, Dictionary, Factorization, Matrix, Problem, Verdict, Witness, certify,
};

use crate::support::checks::{self, certified, close};
use crate::support::exact::{self, ex};
use crate::support::strategies::{Limits, decades, feasible_points, moderate_penalties, penalties};

const SMALL: Limits = Limits { dim: 4, points: 7, atoms: 4 };

/// What a run estimated at the residual of an earlier point is not lost with it.
#[test]
fn an_estimate_is_that_of_the_better_dual_point() {
    let problem = Problem::builder(planted::mixture(5, 40, 6, 2, 0.05, 1));
    let problem = problem.lambda(0.1).gamma(0.1).build().unwrap();
    let solution = ColumnGeneration { gap_tolerance: 1e-6, ..Default::default() }.solve(&problem).unwrap();
    let best = solution.certified.solution();
    let codes = dense_codes(best);
    let codes = Matrix::from_fn(codes.nrows(), codes.ncols(), |k, i| 1.05 * codes.get(k, i));
    let codes = Codes::from_dense(&codes).unwrap();
    let point = Factorization::new(best.dictionary().clone(), codes, None).unwrap();
    let told = |dual: Option<Matrix>| {
        let witness = Witness { dual, directions: solution.witness.directions.clone(), ..Witness::none() };
        let certified = certify(&problem, point.clone(), &witness, &Options::default()).unwrap();
        certified.certificate().estimate().map_or(0.0, |estimate| estimate.lower_bound)
    };
    let optimum = solution.certified.certificate().objective();
    let (own, better) = (told(None), told(Some(naive::residuals(&problem, best))));
    assert!(own < 0.99 * optimum, "{own} {optimum}");
    assert!((better - optimum).abs() < 1e-4 * optimum, "{better} {optimum}");
    // A dual point that says less changes nothing.
    assert!((told(Some(Matrix::zeros(5, 40))) - own).abs() <= 0.0);
}

/// A dual point to mislead the checker with: any matrix at all.
fn duals() -> BoxedStrategy<(Vec<f64>, f64)> {
    (vec(-1.0..1.0_f64, 64), prop_oneof![3 => 0.01..2.0_f64, 1 => decades(-20.0, 20.0), 1 => Just(0.0)])
        .boxed()
}

fn dual_of(problem: &Problem, (entries, size): &(Vec<f64>, f64)) -> Matrix {
    let data = checks_size(problem);
    Matrix::from_fn(problem.dim(), problem.len(), |j, i| {
        entries[(i * problem.dim() + j) % entries.len()] * size * data
    })
}

fn checks_size(problem: &Problem) -> f64 {
    crate::support::strategies::data_size(problem)
}

/// Feasible points reached from one by naive descent: all of them lie above the
/// optimum, some of them close.
fn descents(problem: &Problem, point: &Factorization) -> Vec<Factorization> {
    let mut down = naive::Descent::from_factorization(problem, point);
    down.run(60, 1e-12);
    let directions: Vec<Vec<f64>> = problem
        .data()
        .datapoints()
        .columns()
        .filter(|x| naive::length(x) > 0.0)
        .map(std::borrow::Cow::into_owned)
        .collect();
    let mut fresh = naive::Descent::new(problem, &directions);
    fresh.run(200, 1e-12);
    let mut few = naive::Descent::new(problem, &directions[..directions.len().min(1)]);
    few.run(60, 1e-12);
    vec![point.clone(), down.factorization(), fresh.factorization(), few.factorization()]
}

/// The dual point with the center's constraint, `Σ wᵢrᵢ = 0`, where there is one.
fn projected(problem: &Problem, dual: &Matrix) -> Matrix {
    if !problem.centered() {
        return dual.clone();
    }
    let w = problem.data().weights();
    let total: f64 = w.iter().sum();
    let mean: Vec<f64> = (0..dual.nrows()).map(|j| naive::inner(w, &naive::row(dual, j)) / total).collect();
    Matrix::from_fn(dual.nrows(), dual.ncols(), |j, i| dual.get(j, i) - mean[j])
}

/// The best bound the checker can give, by the formulas of its twins.
fn naive_bound(problem: &Problem, duals: &[Matrix]) -> f64 {
    let mut best = if problem.centered() { 0.0 } else { naive::wide_limit(problem, None) };
    for dual in duals {
        let dual = projected(problem, dual);
        let longest = dual.columns().map(naive::length).fold(0.0, widedict::num::max);
        if problem.lambda() > 0.0 {
            best = widedict::num::max(best, naive::dual_value(problem, &dual, longest / problem.lambda()));
        }
        if problem.gamma() > 0.0 {
            let kappa = naive::spectral_polar(problem, &dual);
            best = widedict::num::max(best, naive::dual_value(problem, &dual, kappa));
        }
    }
    best
}

/// Two squares of two features, and a dual point, from any numbers.
fn squares(dim: usize, numbers: &[f64]) -> Squares {
    let of = |seed: usize, rows: usize, columns: usize| {
        Matrix::from_fn(rows, columns, |i, j| numbers[(seed + 3 * i + 5 * j) % numbers.len()])
    };
    Squares { features: of(0, 2, dim + 1), forms: of(1, 3, 6), dual: of(2, dim, 6 + dim) }
}

proptest! {
    // Five witnesses a case: more than ten thousand bounds against exact values.
    #![proptest_config(ProptestConfig::with_cases(2100))]

    #[test]
    fn slow_a_certified_bound_is_below_every_feasible_point(
        (problem, point) in feasible_points(SMALL, penalties()),
        dual in duals(),
        slack in duals(),
    ) {
        let n = problem.len();
        let unit = checks_size(&problem) * checks_size(&problem) * slack.1;
        let slack = Matrix::from_fn(n, n, |i, j| slack.0[(7 * i + 3 * j) % slack.0.len()] * unit);
        let points = descents(&problem, &point);
        let best = points.last().cloned().unwrap_or(point.clone());
        let witnesses = [
            dual_of(&problem, &dual),
            naive::residuals(&problem, &best),
            naive::residuals(&problem, &points[1]),
            problem.data().datapoints().to_matrix(),
            Matrix::zeros(problem.dim(), problem.len()),
        ];
        for witness in witnesses {
            let witness = Witness {
                dual: Some(witness.clone()),
                directions: Some(problem.data().datapoints().to_matrix()),
                split: Some(Split { dual: witness, slack: slack.clone(), origin: Origin::FirstOrder }),
                nuclear: Some(Matrix::from_fn(problem.dim(), problem.dim() + 1, |i, j| {
                    slack.as_slice()[(5 * i + j) % (n * n)]
                })),
                quartic: Some(QuarticForm {
                    map: Matrix::from_fn(problem.dim() + 1, 3, |i, j| slack.as_slice()[(5 * i + j) % (n * n)]),
                    form: Matrix::from_fn(pairs(&problem), pairs(&problem), |i, j| {
                        slack.as_slice()[(3 * i + j) % (n * n)]
                    }),
                }),
                squares: Some(squares(problem.dim(), slack.as_slice())),
                width: None,
                curvature: None,
            };
            let done = certify(&problem, point.clone(), &witness, &Options::default()).unwrap();
            checks::never_crosses(&problem, done.certificate().lower_bound().get(), &points);
        }
    }
}

proptest! {
    #[test]
    fn every_number_of_a_certificate_is_right((problem, point) in feasible_points(SMALL, penalties())) {
        let done = certified(&problem, &point, &Witness::none());
        let statistics = done.certificate().statistics();
        prop_assert_eq!(statistics.atoms, point.width());
        let x = problem.data().datapoints();
        let constant = x.columns().all(|c| c == x.col(0));
        match statistics.explained_variance {
            Some(found) => {
                let expected = naive::explained_variance(&problem, &point);
                // 1 − it is a quotient of sums of squares; near-constant data amplify.
                prop_assume!(expected.abs() < 1e6);
                close("explained variance", found, expected, 1e-9, 1e-9);
            }
            None => prop_assert!(constant || checks_size(&problem) < 1e-90),
        }
    }

    #[test]
    fn bounds_are_those_of_the_twins(
        (problem, point) in feasible_points(SMALL, moderate_penalties()),
        dual in duals(),
    ) {
        // Sizes and weights that plain arithmetic stands.
        let size = checks_size(&problem);
        prop_assume!((1e-8..1e8).contains(&size));
        prop_assume!(problem.data().weights().iter().all(|w| *w > 1e-6));
        let dual = dual_of(&problem, &dual);
        let residuals = naive::residuals(&problem, &point);
        // What is left of a constant dual point is rounding, which the twins do not correct for.
        let total = |m: &Matrix| naive::length(m.as_slice());
        prop_assume!([&dual, &residuals].iter().all(|m| total(&projected(&problem, m)) >= 1e-4 * total(m)));
        let witness = Witness { dual: Some(dual.clone()), ..Witness::none() };
        let found = certify(&problem, point.clone(), &witness, &Options::default()).unwrap();
        let expected = naive_bound(&problem, &[residuals, dual]);
        let scale = checks::magnitude(&problem, &point) + expected;
        close("bound", found.certificate().lower_bound().get(), expected, 1e-9 * scale, 1e-7);
    }

    #[test]
    fn the_wide_limit_is_the_sum_of_huber_functions((problem, _) in feasible_points(SMALL, penalties())) {
        let bound = bounds::wide_limit(&problem);
        let plain = naive::wide_limit(&problem, None);
        close("F_inf", bound.lower.get(), plain, 1e-300, 1e-13);
        // Exactly: below Σ wᵢ h(‖xᵢ‖).
        let half = ex(problem.lambda()).square().half();
        let exact = exact::Exact::sum(problem.data().datapoints().columns().zip(problem.data().weights()).map(|(x, w)| {
            let length = exact::inner(&x, &x).root();
            let h = if length > ex(problem.lambda()) {
                length * ex(problem.lambda()) - half.clone()
            } else {
                length.square().half()
            };
            ex(*w) * h
        }));
        prop_assert!(ex(bound.lower.get()) <= exact + ex(f64::MIN_POSITIVE) * ex(1e-100));
        let kind = if problem.gamma() == 0.0 { BoundKind::ClosedForm } else { BoundKind::WideLimit };
        prop_assert_eq!(bound.kind, kind);
    }

    #[test]
    fn an_estimate_is_never_certified(
        (problem, point) in feasible_points(SMALL, penalties()),
        directions in vec(vec(-1.0..1.0_f64, 4), 1..4),
    ) {
        let n = problem.dim();
        let columns: Vec<&[f64]> = directions.iter().map(|d| &d[..n]).collect();
        let with = Witness { directions: Some(Matrix::from_columns(n, &columns)), ..Witness::none() };
        let with = certify(&problem, point.clone(), &with, &Options::default()).unwrap();
        let without = certify(&problem, point.clone(), &Witness::none(), &Options::default()).unwrap();
        let (with, without) = (with.certificate(), without.certificate());
        prop_assert_eq!(with.lower_bound(), without.lower_bound());
        prop_assert_eq!(with.bound_kind(), without.bound_kind());
        prop_assert_eq!(with.verdict(), without.verdict());
        prop_assert_eq!(with.gap().to_bits(), without.gap().to_bits());
        prop_assert!(without.estimate().is_none() && without.estimated_relative_gap().is_none());
        prop_assert!(!with.to_string().contains("certified bound     estimated"));
        let Some(estimate) = with.estimate() else { return Ok(()) };
        // One that says no more than the bound, or more than can be, is left out.
        prop_assert!(estimate.lower_bound > with.lower_bound().get());
        prop_assert!(estimate.lower_bound <= with.upper().get());
        // It is of the largest polar over the directions given and the atoms in use.
        let dual = projected(&problem, &naive::residuals(&problem, &point));
        let a = problem.data().sqrt_weights();
        let size = checks_size(&problem);
        if (1e-8..1e8).contains(&size) && problem.gamma() > 1e-4 * problem.lambda() && problem.lambda() > 1e-4 * problem.gamma() {
            let rows = point.codes().rows();
            let used = (0..point.width()).filter(|&k| !rows[k].is_empty());
            let expected = columns
                .iter()
                .copied()
                .chain(used.map(|k| point.dictionary().atom(k)))
                .filter(|d| naive::length(d) > 0.0)
                .map(|d| {
                    let d = naive::unit(d);
                    let v: Vec<f64> = (0..problem.len()).map(|i| a[i] * naive::inner(&d, dual.col(i))).collect();
                    naive::Gauge::of(&problem).polar(&v)
                })
                .fold(0.0, widedict::num::max);
            close("estimated polar", estimate.polar, expected, 1e-9, 1e-6);
        }
    }

    #[test]
    fn tampering_with_an_optimum_is_seen(recipe in recipes(), k in any::<prop::sample::Index>(), change in prop_oneof![0.5..0.8_f64, 1.25..2.0_f64]) {
        let Some(optimum) = planted::pair(&recipe) else { return Ok(()) };
        let before = certified(&optimum.problem, &optimum.factorization, &Witness::none());
        prop_assert!(before.certificate().kkt().relative() < 1e-8, "{}", before.certificate());
        // One code.
        let mut codes = dense_codes(&optimum.factorization);
        let used: Vec<usize> = (0..codes.as_slice().len()).filter(|&i| codes.as_slice()[i] > 0.0).collect();
        let at = used[k.index(used.len())];
        codes.as_mut_slice()[at] *= change;
        let atoms = optimum.factorization.dictionary().matrix().clone();
        let after = factorization(atoms.clone(), &codes, None).unwrap();
        let worse = certified(&optimum.problem, &after, &Witness::none());
        prop_assert!(worse.certificate().kkt().relative() > 1e-3 * before.certificate().kkt().relative() + 1e-7);
        prop_assert!(ex(worse.certificate().lower_bound().get()) <= exact::objective(&optimum.problem, &optimum.factorization));
        // One atom turned, along its smallest coordinate.
        let mut turned = atoms;
        let atom = turned.col_mut(k.index(optimum.factorization.width()));
        if atom.len() > 1 {
            let at = (0..atom.len()).min_by(|&i, &j| atom[i].abs().total_cmp(&atom[j].abs())).unwrap();
            atom[at] += 0.3;
            let after = factorization(turned, &dense_codes(&optimum.factorization), None).unwrap();
            let worse = certified(&optimum.problem, &after, &Witness::none());
            prop_assert!(worse.certificate().kkt().dictionary.relative() > 1e-4, "{}", worse.certificate());
        }
    }

    #[test]
    fn slow_planted_pairs_are_optimal(recipe in recipes()) {
        let Some(optimum) = planted::pair(&recipe) else { return Ok(()) };
        let done = certified(&optimum.problem, &optimum.factorization, &Witness::none());
        let certificate = done.certificate();
        close("planted value", certificate.objective(), optimum.value, 0.0, 1e-9);
        checks::never_crosses(&optimum.problem, certificate.lower_bound().get(), &descents(&optimum.problem, &optimum.factorization));
        // Where the slack is semidefinite alone, the spectral bound is exact.
        if recipe.nonnegative == 0.0 {
            prop_assert!(certificate.relative_gap() < 1e-7, "{certificate}");
            prop_assert_eq!(certificate.verdict(), &Verdict::Global);
            prop_assert_eq!(certificate.bound_kind(), BoundKind::Fast);
        }
        // With the nonnegative part it was built from, the split is exact as well.
        let split = Split {
            dual: naive::residuals(&optimum.problem, &optimum.factorization),
            slack: optimum.slack.clone(),
            origin: Origin::Semidefinite,
        };
        let done = certified(&optimum.problem, &optimum.factorization, &Witness { split: Some(split), ..Witness::none() });
        prop_assert!(done.certificate().relative_gap() < 1e-6, "{}", done.certificate());
        prop_assert_eq!(done.certificate().verdict(), &Verdict::Global);
        // No descent gets below.
        for other in descents(&optimum.problem, &optimum.factorization) {
            prop_assert!(naive::objective(&optimum.problem, &other) >= optimum.value * (1.0 - 1e-9));
        }
    }
}

/// Ingredients of a planted pair: up to three overlapping rows over a few points.
fn recipes() -> BoxedStrategy<planted::Recipe> {
    (2..6_usize, 1..4_usize)
        .prop_flat_map(|(points, atoms)| {
            (
                vec(0.2..1.0_f64, points),
                (0.05..1.0_f64, 0.05..1.0_f64),
                vec(vec(prop_oneof![1 => Just(0.0), 2 => 0.1..1.0_f64], points), atoms.min(points)),
                vec(0.3..2.0_f64, atoms.min(points)),
                prop_oneof![Just(1.0), 0.0..0.9_f64],
                prop_oneof![Just(0.0), 0.1..0.9_f64],
            )
        })
        .prop_map(|(weights, (lambda, gamma), mut rows, amounts, semidefinite, nonnegative)| {
            let points = weights.len();
            for (k, row) in rows.iter_mut().enumerate() {
                // No row is empty.
                row[k % points] += 0.5;
            }
            let nonnegative = if semidefinite < 1.0 { nonnegative } else { 0.0 };
            planted::Recipe { weights, lambda, gamma, rows, amounts, semidefinite, nonnegative }
        })
        .boxed()
}

#[test]
fn most_recipes_give_an_instance() {
    use proptest::strategy::ValueTree;
    let mut runner = proptest::test_runner::TestRunner::deterministic();
    let recipes: Vec<_> = (0..200).map(|_| recipes().new_tree(&mut runner).unwrap().current()).collect();
    let built = recipes.iter().filter(|r| planted::pair(r).is_some()).count();
    assert!(built > 140, "{built} of 200");
    let nonnegative = recipes.iter().filter(|r| r.nonnegative > 0.0 && planted::pair(r).is_some()).count();
    assert!(nonnegative > 20, "{nonnegative} of 200");
}

#[test]
fn an_unused_direction_for_a_point_is_refuted_at_every_penalty() {
    // x = (1, 0.3) coded by (1, 0) alone although x/‖x‖ is at hand.
    let x = Matrix::from_columns(2, &[[1.0, 0.3]]);
    let atoms = Matrix::from_columns(2, &[[1.0, 0.0], [1.0, 0.3]]);
    let codes = Matrix::from_columns(2, &[[1.0, 0.0]]);
    for lambda in [0.001, 0.01, 0.1, 0.5, 1.0] {
        let problem = Problem::builder(x.clone()).lambda(lambda).build().unwrap();
        let point = factorization(atoms.clone(), &codes, None).unwrap();
        let done = certified(&problem, &point, &Witness::none());
        let verdict = done.certificate().verdict();
        assert!(matches!(verdict, Verdict::Refuted { .. }), "lambda {lambda}: {verdict}");
        assert!(
            verdict.is_negative() && verdict.reason().is_some_and(|r| r.contains("stationar")),
            "{verdict}"
        );
        // The unused atom alone shows it.
        assert!(done.certificate().kkt().codes.relative() > 0.5, "{}", done.certificate());
    }
}

#[test]
fn the_radial_point_is_certified_at_gamma_zero() {
    for (dim, points, lambda) in [(2, 5, 0.3), (3, 40, 1.0), (8, 100, 2.5), (1, 6, 0.5)] {
        let problem = Problem::builder(planted::gaussian(dim, points, 5)).lambda(lambda).build().unwrap();
        let point = planted::radial(&problem).unwrap();
        let done = certified(&problem, &point, &Witness::none());
        let certificate = done.certificate();
        assert_eq!(
            (certificate.verdict(), certificate.bound_kind()),
            (&Verdict::Global, BoundKind::ClosedForm)
        );
        assert!(certificate.relative_gap() < 1e-13 && certificate.kkt().relative() < 1e-12);
        close("value", certificate.objective(), naive::wide_limit(&problem, None), 0.0, 1e-13);
    }
}

#[test]
fn one_atom_each_matches_its_closed_form() {
    for (gamma, optimal) in [(0.02, true), (0.3, false)] {
        let x = Matrix::from_columns(2, &[[1.0, 0.1], [0.2, 1.0], [-0.8, 0.5]]);
        let problem = Problem::builder(x).lambda(0.3).gamma(gamma).build().unwrap();
        let optimum = planted::atom_each(&problem).unwrap();
        let done = certified(&problem, &optimum.factorization, &Witness::none());
        close("value", done.certificate().objective(), optimum.value, 0.0, 1e-14);
        assert_eq!(planted::boundary_violation(&problem) <= 0.0, optimal);
        // Beyond the boundary, points want each other's atoms.
        assert_eq!(done.certificate().kkt().relative() < 1e-12, optimal);
        let reference = widedict::testing::plane::optimum(&problem, 1e-8, 60);
        assert!(reference.lower <= optimum.value * (1.0 + 1e-12));
        // The split whose semidefinite part is 0 proves it, and only where it holds.
        let split = Split {
            dual: naive::residuals(&problem, &optimum.factorization),
            slack: optimum.slack,
            origin: Origin::FirstOrder,
        };
        let done =
            certified(&problem, &optimum.factorization, &Witness { split: Some(split), ..Witness::none() });
        assert_eq!(done.certificate().relative_gap() < 1e-9, optimal, "{}", done.certificate());
        if optimal {
            assert_eq!(done.certificate().bound_kind(), BoundKind::Relaxation);
            close("optimum", reference.upper, optimum.value, 0.0, 1e-8);
        } else {
            assert!(reference.upper < optimum.value * (1.0 - 1e-4));
        }
    }
}

#[test]
fn a_center_that_is_off_is_refuted() {
    let x = planted::gaussian(3, 12, 2);
    for gamma in [0.0, 0.2] {
        let problem = Problem::builder(x.clone()).lambda(0.3).gamma(gamma).centered(true).build().unwrap();
        let mut descent = naive::Descent::new(&problem, &[vec![1.0, 0.0, 0.0], vec![0.0, -1.0, 1.0]]);
        descent.run(4000, 1e-15);
        let rest = certified(&problem, &descent.factorization(), &Witness::none());
        assert!(rest.certificate().kkt().relative() < 1e-4, "{}", rest.certificate());
        let center: Vec<f64> = descent.factorization().center().unwrap().iter().map(|b| b + 0.5).collect();
        let (dictionary, codes, _) = descent.factorization().into_parts();
        let moved = Factorization::new(dictionary, codes, Some(center)).unwrap();
        let done = certified(&problem, &moved, &Witness::none());
        assert!(matches!(done.certificate().verdict(), Verdict::Refuted { .. }), "{}", done.certificate());
        assert!(done.certificate().kkt().center.relative() > 0.1, "{}", done.certificate());
        checks::never_crosses(&problem, done.certificate().lower_bound().get(), &[descent.factorization()]);
    }
}

fn problem() -> Problem {
    Problem::builder(Matrix::from_columns(2, &[[1.0, 0.1], [0.2, 1.0], [-0.8, 0.5]]))
        .lambda(0.2)
        .gamma(0.1)
        .build()
        .unwrap()
}

fn empty(dim: usize, points: usize) -> Factorization {
    Factorization::new(Dictionary::empty(dim), Codes::zeros(0, points), None).unwrap()
}

#[test]
fn the_empty_point_is_certified_like_any_other() {
    let problem = problem();
    let done = certified(&problem, &empty(2, 3), &Witness::none());
    let half: f64 =
        (0..3).map(|i| naive::inner(&problem.data().datapoint(i), &problem.data().datapoint(i)) / 6.0).sum();
    close("½‖X‖²", done.certificate().objective(), half, 0.0, 1e-15);
    // A penalty so large that W = 0 is optimal.
    let heavy = problem.with_penalty(0.0, 5.0).unwrap();
    let done = certified(&heavy, &empty(2, 3), &Witness::none());
    assert_eq!(done.certificate().verdict(), &Verdict::Global);
}

#[test]
fn points_and_witnesses_of_another_problem_are_refused() {
    let problem = problem();
    let split = |dual: Matrix, slack: Matrix| {
        let split = Some(Split { dual, slack, origin: Origin::Semidefinite });
        certify(&problem, empty(2, 3), &Witness { split, ..Witness::none() }, &Options::default())
    };
    assert_eq!(
        split(Matrix::zeros(2, 4), Matrix::zeros(3, 3)),
        Err(WitnessError { part: "split dual", expected: (2, 3), found: (2, 4) }.into())
    );
    assert_eq!(
        split(Matrix::zeros(2, 3), Matrix::zeros(3, 2)),
        Err(WitnessError { part: "split slack", expected: (3, 3), found: (3, 2) }.into())
    );
    let shape = |point: Factorization| certify(&problem, point, &Witness::none(), &Options::default());
    let text = |e: CertifyError| e.to_string();
    assert_eq!(text(shape(empty(3, 3)).unwrap_err()), "dimension of the atoms: expected 2, found 3");
    assert_eq!(text(shape(empty(2, 4)).unwrap_err()), "datapoints in the codes: expected 3, found 4");
    let centered = Factorization::new(Dictionary::empty(2), Codes::zeros(0, 3), Some(vec![0.0; 2])).unwrap();
    assert_eq!(text(shape(centered).unwrap_err()), "centers: expected 0, found 1");
    let witness = |dual, directions| {
        certify(&problem, empty(2, 3), &Witness { dual, directions, ..Witness::none() }, &Options::default())
    };
    assert_eq!(
        witness(Some(Matrix::zeros(2, 4)), None),
        Err(WitnessError { part: "dual", expected: (2, 3), found: (2, 4) }.into())
    );
    assert_eq!(
        witness(None, Some(Matrix::zeros(3, 1))),
        Err(WitnessError { part: "directions", expected: (2, 0), found: (3, 1) }.into())
    );
}

#[test]
fn a_witness_that_is_not_finite_changes_nothing() {
    let problem = problem();
    let point = planted::atom_each(&problem).unwrap().factorization;
    let plain = certify(&problem, point.clone(), &Witness::none(), &Options::default()).unwrap();
    for bad in [f64::NAN, f64::INFINITY, f64::NEG_INFINITY, 1e300] {
        let mut dual = Matrix::from_fn(2, 3, |i, j| if i == j { 1.0 } else { 0.1 });
        dual.col_mut(1)[0] = bad;
        let witness = Witness {
            dual: Some(dual.clone()),
            directions: Some(dual.clone()),
            nuclear: Some(dual.clone()),
            quartic: Some(QuarticForm { map: Matrix::from_fn(3, 2, |_, _| bad), form: Matrix::zeros(3, 3) }),
            squares: None,
            split: Some(Split { slack: Matrix::from_fn(3, 3, |_, _| bad), dual, origin: Origin::FirstOrder }),
            width: None,
            curvature: None,
        };
        let done = certify(&problem, point.clone(), &witness, &Options::default()).unwrap();
        assert_eq!(done.certificate().lower_bound(), plain.certificate().lower_bound(), "{bad}");
        assert_eq!(done.certificate().verdict(), plain.certificate().verdict());
        assert!(done.certificate().estimate().is_none_or(|e| !e.polar.is_nan() && e.lower_bound.is_finite()));
    }
    // Directions of length 0 are no directions.
    let witness = Witness { directions: Some(Matrix::zeros(2, 3)), ..Witness::none() };
    let done = certify(&problem, point, &witness, &Options::default()).unwrap();
    assert_eq!(done.certificate().estimate(), None);
}

#[test]
fn without_bounds_nothing_is_claimed() {
    let problem = problem();
    let point = planted::atom_each(&problem).unwrap().factorization;
    let options = Options { bounds: false, ..Options::default() };
    let witness = Witness { directions: Some(problem.data().datapoints().to_matrix()), ..Witness::none() };
    let done = certify(&problem, point, &witness, &options).unwrap();
    let certificate = done.certificate();
    assert_eq!((certificate.verdict(), certificate.bound_kind()), (&Verdict::Feasible, BoundKind::None));
    assert!(certificate.lower_bound().get() == 0.0 && certificate.estimate().is_none());
}

#[test]
fn a_point_too_large_to_price_is_refused() {
    let problem = problem();
    let codes = Matrix::from_fn(1, 3, |_, _| 1e200);
    let point = factorization(Matrix::from_columns(2, &[[1.0, 0.0]]), &codes, None).unwrap();
    assert_eq!(certify(&problem, point, &Witness::none(), &Options::default()), Err(CertifyError::Overflow));
}

#[test]
fn verdicts_need_their_evidence() {
    // Stationary, yet far from the bound: undecided, at any tolerance it misses.
    let x = Matrix::from_columns(2, &[[1.0, 0.1], [0.9, 0.4], [0.8, -0.3]]);
    let problem = Problem::builder(x).lambda(0.3).gamma(0.3).build().unwrap();
    let mut descent = naive::Descent::new(&problem, &[vec![0.0, 1.0]]);
    descent.run(5000, 1e-16);
    let options = |tolerance: f64| Options { gap_tolerance: tolerance, ..Options::default() };
    let judge = |tolerance: f64| {
        certify(&problem, descent.factorization(), &Witness::none(), &options(tolerance)).unwrap()
    };
    let gap = judge(1e-3).certificate().relative_gap();
    assert!(gap > 0.0);
    assert_eq!(judge(gap * 1.01).certificate().verdict(), &Verdict::Global);
    let tight = judge(gap * 0.99);
    assert!(matches!(tight.certificate().verdict(), Verdict::Undecided { .. }), "{}", tight.certificate());
    assert!(!tight.certificate().verdict().is_negative());
    let text = tight.certificate().to_string();
    assert!(text.starts_with("verdict              undecided: ") && text.contains("not claimed"), "{text}");
}

/// Points where block descent from a few directions comes to rest.
fn rests() -> BoxedStrategy<(Problem, Factorization)> {
    (2..4_usize, 2..7_usize, prop_oneof![Just(0.0), 0.05..0.4_f64], any::<bool>(), 1..4_usize)
        .prop_flat_map(|(dim, points, gamma, centered, atoms)| {
            (
                vec(vec(-1.0..1.0_f64, dim), points),
                vec(vec(-1.0..1.0_f64, dim), atoms),
                Just((gamma, centered)),
            )
        })
        .prop_filter("directions", |(_, d, _)| d.iter().all(|d| naive::length(d) > 0.1))
        .prop_map(|(x, directions, (gamma, centered))| {
            let problem = Problem::builder(Matrix::from_columns(x[0].len(), &x))
                .lambda(0.15)
                .gamma(gamma)
                .centered(centered)
                .build()
                .expect("a valid problem");
            let mut descent = naive::Descent::new(&problem, &directions);
            descent.run(20_000, 0.0);
            descent.prune();
            (problem.clone(), descent.factorization())
        })
        .boxed()
}

/// How far the idle codes are from being used: the least `slope − d_kᵀrᵢ`.
fn margin(problem: &Problem, point: &Factorization) -> f64 {
    let residuals = naive::residuals(problem, point);
    let codes = dense_codes(point);
    let mut least = f64::INFINITY;
    for k in 0..point.width() {
        let z = naive::row(&codes, k);
        let mass = naive::inner(problem.data().weights(), &z);
        let slope = problem.lambda() * (problem.lambda() * mass / naive::row_gauge(problem, &z));
        for i in (0..problem.len()).filter(|&i| z[i] == 0.0) {
            let pull = naive::inner(point.dictionary().atom(k), residuals.col(i));
            least = widedict::num::min(least, slope - pull);
        }
    }
    least
}

/// The certificate with the local test, the search before it included.
fn tested(problem: &Problem, point: &Factorization) -> Certified {
    let limits = local::Limits::default();
    let curvature = escape::curvature(problem, point, &limits, &());
    let options = Options { bounds: false, local: Some(limits), ..Options::default() };
    certify(problem, point.clone(), &Witness { curvature, ..Witness::none() }, &options).unwrap()
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(64))]
    #[test]
    fn a_local_verdict_stands_up_to_perturbation(
        (problem, point) in rests(),
        moves in vec(vec(-1.0..1.0_f64, 40), 12),
    ) {
        let done = tested(&problem, &point);
        let exact = exact::objective(&problem, &point);
        match done.certificate().verdict() {
            Verdict::Local => {
                // Codes are re-optimized for atoms (and a center) nearby: none is lower,
                // as long as no idle code comes in reach.
                prop_assume!(margin(&problem, &point) > 2e-3);
                for (size, step) in moves.iter().zip([1e-4, 1e-5].iter().cycle()) {
                    let at = |k: usize| size[k % size.len()] * step;
                    let atoms: Vec<Vec<f64>> = point
                        .dictionary()
                        .atoms()
                        .enumerate()
                        .map(|(k, d)| d.iter().enumerate().map(|(j, v)| v + at(5 * k + j)).collect())
                        .collect();
                    let moved = factorization(
                        Matrix::from_columns(problem.dim(), &atoms),
                        &dense_codes(&point),
                        point.center().map(|b| b.iter().enumerate().map(|(j, b)| b + at(30 + j)).collect()),
                    )
                    .unwrap();
                    let mut descent = naive::Descent::from_factorization(&problem, &moved);
                    descent.learn_atoms = false;
                    descent.run(2_000, 0.0);
                    let value = naive::objective(&problem, &descent.factorization());
                    prop_assert!(value >= naive::objective(&problem, &point) * (1.0 - 1e-13), "{} is lower", value);
                }
            }
            Verdict::Refuted { .. } if done.improvement().is_some() => {
                let better = done.improvement().unwrap();
                checks::feasible(&problem, better);
                prop_assert!(better.width() == point.width() && exact::objective(&problem, better) < exact);
            }
            Verdict::Rejected { .. } | Verdict::Global => prop_assert!(false, "{}", done.certificate()),
            Verdict::Refuted { .. } | Verdict::Undecided { .. } | Verdict::Feasible | _ => {}
        }
    }

    #[test]
    fn what_lies_below_a_local_point_lies_within_its_radius((problem, point) in feasible_points(SMALL, moderate_penalties())) {
        let done = tested(&problem, &point);
        if let Some(better) = done.improvement() {
            checks::feasible(&problem, better);
            prop_assert!(exact::objective(&problem, better) < exact::objective(&problem, &point));
        }
        if done.certificate().verdict() == &Verdict::Local {
            // Every step of the descent is a path that does not rise: it stays within the radius.
            let mut descent = naive::Descent::from_factorization(&problem, &point);
            descent.run(50, 0.0);
            if descent.objective() < naive::objective(&problem, &point) * (1.0 - 1e-9) {
                let radius = done.certificate().local().unwrap().radius.unwrap();
                let moved = hunt::distance(&problem, &point, &descent.factorization());
                prop_assert!(moved.is_none_or(|moved| moved <= radius * (1.0 + 1e-6)), "{moved:?} {radius:e}");
            }
        }
    }
}

#[test]
fn some_rests_are_local_minima() {
    use proptest::strategy::ValueTree;
    let mut runner = proptest::test_runner::TestRunner::deterministic();
    let strategy = rests();
    let mut local = 0;
    for _ in 0..60 {
        let (problem, point) = strategy.new_tree(&mut runner).unwrap().current();
        let done = tested(&problem, &point);
        local += usize::from(done.certificate().verdict() == &Verdict::Local);
    }
    assert!(local > 5, "{local} of 60");
}

#[test]
fn an_objective_that_underflows_is_not_called_global() {
    let certified = |size: f64| {
        let problem = Problem::builder(Matrix::from_fn(3, 5, |_, _| size)).lambda(0.2).build().unwrap();
        certify(&problem, empty(3, 5), &Witness::none(), &Options::default()).unwrap()
    };
    let (tiny, zero) = (certified(1e-310), certified(0.0));
    // The exact value of the first is not 0, so nothing relative is proved of it.
    assert_eq!((tiny.certificate().objective(), zero.certificate().objective()), (0.0, 0.0));
    assert!(tiny.certificate().relative_gap() > 0.5 && zero.certificate().relative_gap() == 0.0);
    assert_ne!(tiny.certificate().verdict(), &Verdict::Global);
    assert_eq!(zero.certificate().verdict(), &Verdict::Global);
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(64))]

    /// The parts of the objective are its sum, whatever the price of an atom.
    #[test]
    fn the_objective_is_the_sum_of_its_parts((problem, point) in feasible_points(Limits::default(), moderate_penalties())) {
        let subject = Subject::of(&problem, &point)?;
        let parts = objective_parts(&subject);
        prop_assert_eq!(parts.len(), problem.len());
        prop_assert!(parts.iter().all(|part| *part >= 0.0));
        let (sum, objective) = (parts.iter().sum::<f64>(), subject.primal().value());
        prop_assert!((sum - objective).abs() <= 1e-12 * objective + 1e-300, "{} but {}", sum, objective);
        if let Some(found) = Concentration::of(parts) {
            prop_assert_eq!((found.datapoints, found.of), (1, problem.len()));
            prop_assert!(found.share <= 1.0 && found.share * problem.len() as f64 >= 1.0 - 1e-12);
        }
    }
}

/// Pairs of coordinates, of which a form is made.
fn pairs(problem: &Problem) -> usize {
    problem.dim() * (problem.dim() + 1) / 2
}
