//! Splits of squares: features and forms for any number of datapoints, judged by feasible points
//! and by the N × N matrix they stand for.

use proptest::prelude::*;
use widedict::certificate::Options;
use widedict::search::nuclear::Nuclear;
use widedict::search::relaxation::{FoundSquares, SquareSearch};
use widedict::testing::{naive, planted};
use widedict::trusted::{BoundKind, Origin, Split, Squares, Subject, bounds};
use widedict::{Bounding, ColumnGeneration, Interrupt, Matrix, Problem, Witness, certify};

use super::{Patience, bare, from_any_number_of_threads};
use crate::support::{after_three_rounds, checks};

fn proved(problem: &Problem, squares: &Squares) -> Option<f64> {
    let point = bare(problem);
    let bound = bounds::squares(&Subject::of(problem, &point).unwrap(), squares)?;
    assert_eq!(bound.kind, BoundKind::Squares);
    Some(bound.lower.get())
}

fn nuclear(problem: &Problem) -> (Matrix, f64) {
    let map = Nuclear::default().search(problem, &()).expect("data that are not 0").map;
    let point = bare(problem);
    let bound = bounds::nuclear(&Subject::of(problem, &point).unwrap(), &map).unwrap();
    (map, bound.lower.get())
}

fn found(problem: &Problem, search: &SquareSearch) -> Option<FoundSquares> {
    let (map, lower) = nuclear(problem);
    search.search(problem, &map, 3.0 * lower, &())
}

/// Sparse mixtures, some of them twice, with uneven weights.
fn problem(dim: usize, points: usize, centered: bool, seed: u64) -> Problem {
    let mixture = planted::mixture(dim, points, 2 * dim, 2, 0.05, seed);
    let x = Matrix::from_fn(dim, points, |j, i| mixture.get(j, if i % 7 == 6 { i - 1 } else { i }));
    #[expect(clippy::cast_precision_loss, reason = "a small count")]
    let weights = (0..points).map(|i| 1.0 + (i % 5) as f64).collect();
    Problem::builder(x).weights(weights).lambda(0.3).gamma(0.1).centered(centered).build().unwrap()
}

/// The dual point and T of a witness, by their definitions: N × N.
fn plain(problem: &Problem, squares: &Squares) -> Split {
    let k = squares.features.nrows();
    let image = |map: &Matrix, x: &[f64]| -> Vec<f64> {
        (0..map.nrows()).map(|j| (0..x.len()).map(|l| map.get(j, l) * x[l]).sum()).collect()
    };
    let with_one = |i: usize| {
        let x: Vec<f64> = [&problem.data().datapoint(i)[..], &[1.0]].concat();
        let mut y = vec![1.0];
        y.extend(image(&squares.features, &x));
        y
    };
    let lifted = |i: usize| {
        let y = with_one(i);
        let mut out: Vec<f64> =
            (0..=k).flat_map(|b| (0..=b).map(move |a| (a, b))).map(|(a, b)| y[a] * y[b]).collect();
        out.extend_from_slice(&problem.data().datapoint(i));
        out
    };
    let columns: Vec<Vec<f64>> = (0..problem.len()).map(|i| image(&squares.dual, &lifted(i))).collect();
    let slack = Matrix::from_fn(problem.len(), problem.len(), |i, j| {
        let (u, v) = (with_one(i), with_one(j));
        (0..squares.forms.ncols() / (k + 1))
            .map(|c| {
                let form = |a: usize, b: usize| squares.forms.get(a.min(b), c * (k + 1) + a.max(b));
                let value: f64 =
                    (0..=k).map(|a| (0..=k).map(|b| u[a] * form(a, b) * v[b]).sum::<f64>()).sum();
                value * value
            })
            .sum()
    });
    Split { dual: Matrix::from_columns(problem.dim(), &columns), slack, origin: Origin::FirstOrder }
}

/// The moments prove what T itself proves, but for the diagonal, which the N × N checker drops.
#[test]
fn the_proof_is_that_of_the_split_it_stands_for() {
    for (seed, centered) in [(1, false), (2, true), (3, false)] {
        let problem = problem(4, 60, centered, seed);
        let found = found(&problem, &SquareSearch::default()).expect("a gain");
        let lower = proved(&problem, &found.squares).unwrap();
        let point = bare(&problem);
        let split = plain(&problem, &found.squares);
        let whole = bounds::split(&Subject::of(&problem, &point).unwrap(), &split).unwrap().lower.get();
        assert!(whole >= lower * (1.0 - 1e-9), "{whole} {lower}");
        // A sixtieth of T is its diagonal.
        assert!(whole <= lower * 1.1, "{whole} {lower}");
    }
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(24))]

    /// It promises no more than is proved, nor much less; more than the nuclear bound, and less than any point costs.
    #[test]
    fn no_factorization_costs_less(
        (dim, points) in (1..=5_usize, 8..=60_usize),
        seed in any::<u64>(),
        centered in any::<bool>(),
        (lambda, gamma) in (prop_oneof![Just(0.0), 0.05..1.0_f64], 0.05..1.0_f64),
        scale in -30..30_i32,
    ) {
        let scale = f64::from(scale).exp2();
        let plain = problem(dim, points, centered, seed);
        let mut x = plain.data().datapoints().to_matrix();
        x.as_mut_slice().iter_mut().for_each(|v| *v *= scale);
        let problem = Problem::builder(x)
            .weights(plain.data().weights().to_vec())
            .lambda(lambda * scale)
            .gamma(gamma * scale)
            .centered(centered)
            .build()
            .unwrap();
        let Some(found) = found(&problem, &SquareSearch::default()) else { return Ok(()) };
        let lower = proved(&problem, &found.squares).unwrap();
        // Of fewer datapoints than products, a little more may be proved than is promised.
        let promised = found.promised;
        prop_assert!(lower >= promised * (1.0 - 1e-4) && lower <= promised * 1.01, "{lower} {promised}");
        prop_assert!(found.promised >= nuclear(&problem).1 * (1.0 - 1e-6));
        let run = ColumnGeneration { max_rounds: 6, ..ColumnGeneration::default() };
        let solved = run.solve(&problem).unwrap().certified;
        let upper = naive::objective(&problem, solved.solution());
        prop_assert!(lower <= upper * (1.0 + 1e-12), "{lower} above {upper}");
        // Nor does a witness that was spoiled.
        let mut spoiled = found.squares.clone();
        spoiled.forms.as_mut_slice().iter_mut().for_each(|v| *v *= 1.3);
        spoiled.dual.as_mut_slice().iter_mut().for_each(|v| *v *= 1.1);
        let lower = proved(&problem, &spoiled).unwrap_or(0.0);
        prop_assert!(lower <= upper * (1.0 + 1e-12), "{lower} above {upper}");
    }
}

/// Sparse mixtures of more atoms than dimensions: what no quadratic form sees.
#[test]
fn sparse_mixtures_are_bounded_better_than_by_the_nuclear_bound() {
    let problem =
        Problem::builder(planted::mixture(8, 2500, 24, 2, 0.05, 3)).lambda(0.5).gamma(0.1).build().unwrap();
    let point = after_three_rounds(&problem);
    let options = Options::default();
    let with = |bounding: Bounding| {
        let done = bounding.certify(&problem, point.clone(), &options, &()).unwrap();
        (done.certified.certificate().clone(), done.witness)
    };
    let (less, _) = with(Bounding::Nuclear);
    let (more, witness) = with(Bounding::Auto);
    // The quartic form, tried beside, may prove more.
    assert!([BoundKind::Squares, BoundKind::Quartic].contains(&more.bound_kind()));
    let (least, most) = (less.lower_bound().get(), more.lower_bound().get());
    assert!(least < most && most <= more.objective(), "{least} {most} {}", more.objective());
    // What is handed over proves it again, and no more than before without its squares.
    let again = certify(&problem, point.clone(), &witness, &options).unwrap();
    assert_eq!(again.certificate().lower_bound(), more.lower_bound());
    assert!(witness.squares.is_some());
    let alone = Witness { quartic: None, ..witness };
    let bound = |witness: &Witness| {
        let done = certify(&problem, point.clone(), witness, &options).unwrap();
        done.certificate().lower_bound().get()
    };
    let by_squares = bound(&alone);
    assert!(least < by_squares && bound(&Witness { squares: None, ..alone }) < by_squares);
}

/// Many datapoints, also with a center, uneven weights and copies: better than the nuclear bound,
/// and below what a point costs.
#[test]
fn slow_ten_thousand_datapoints_are_bounded_by_squares() {
    for (dim, centered, seed) in [(12, false, 1), (12, true, 2)] {
        let problem = problem(dim, 10_000, centered, seed);
        let run = ColumnGeneration { max_rounds: 3, ..ColumnGeneration::default() };
        let solved = run.solve(&problem).unwrap().certified;
        let upper = naive::objective(&problem, solved.solution());
        let done =
            Bounding::Auto.certify(&problem, solved.solution().clone(), &Options::default(), &()).unwrap();
        let lower = done.certified.certificate().lower_bound().get();
        assert!(lower <= upper, "{lower} above {upper}");
        assert!(lower > nuclear(&problem).1, "{lower}");
        assert!(proved(&problem, &done.witness.squares.expect("a gain")).unwrap() <= upper);
    }
}

/// The same witness, whoever computes it.
#[test]
fn any_number_of_threads_gives_the_same_squares() {
    let problem = problem(6, 3000, false, 5);
    let (_, found) = from_any_number_of_threads(|| {
        let found = found(&problem, &SquareSearch::default()).unwrap();
        (proved(&problem, &found.squares), found)
    });
    assert!(found.iterations > 0);
}

/// What there is by the end of an observer's patience counts.
#[test]
fn a_search_cut_short_gives_what_it_has() {
    let problem = problem(6, 80, false, 8);
    let (map, lower) = nuclear(&problem);
    let search = SquareSearch::default();
    let cut = |patience: usize| search.search(&problem, &map, 3.0 * lower, &Patience::of(patience));
    assert_eq!(cut(0), None);
    let all = cut(usize::MAX).unwrap();
    assert_eq!(all.interrupt, None);
    let mut told = 0;
    for patience in [1, 10, 30, 100] {
        let Some(cut) = cut(patience) else { continue };
        told += usize::from(cut.interrupt == Some(Interrupt::Cancelled));
        let bound = proved(&problem, &cut.squares).unwrap();
        checks::close("promise", bound, cut.promised, 0.0, 1e-4);
    }
    assert!(told > 0, "a search that is cut tells so");
}

#[test]
fn there_is_none_without_a_price_or_features() {
    let x = planted::gaussian(2, 12, 1);
    let priced = Problem::builder(x.clone()).lambda(0.3).gamma(0.1).build().unwrap();
    let free = Problem::builder(x).lambda(0.3).build().unwrap();
    let (map, lower) = nuclear(&priced);
    let search = SquareSearch::default();
    assert_eq!(search.search(&free, &map, lower, &()), None);
    assert_eq!(search.search(&priced, &Matrix::zeros(2, 2), lower, &()), None);
    assert_eq!(SquareSearch { max_features: 0, ..search }.search(&priced, &map, lower, &()), None);
    let squares = Squares {
        features: Matrix::zeros(1, 3),
        forms: Matrix::from_fn(2, 2, |_, _| 0.01),
        dual: Matrix::from_fn(2, 5, |_, _| 0.01),
    };
    assert!(proved(&priced, &squares).is_some());
    assert_eq!(proved(&free, &squares), None);
    for bad in [
        Squares { forms: Matrix::zeros(3, 3), ..squares.clone() },
        Squares { forms: Matrix::zeros(2, 0), ..squares.clone() },
        Squares { dual: Matrix::zeros(2, 4), ..squares.clone() },
        Squares { dual: Matrix::from_fn(2, 5, |_, _| f64::NAN), ..squares.clone() },
    ] {
        assert_eq!(proved(&priced, &bad), None);
    }
    let witness =
        Witness { squares: Some(Squares { features: Matrix::zeros(1, 2), ..squares }), ..Witness::none() };
    let error = certify(&priced, bare(&priced), &witness, &Options::default()).unwrap_err();
    assert_eq!(error.to_string(), "witness squares features: expected (0, 3), found (1, 2)");
}
