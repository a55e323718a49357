//! The bound that knows the number of atoms (theorems `lens-bound`, `width-bound`): never above
//! what any dictionary of that many atoms costs, whoever proposes the dual point.

use proptest::prelude::*;
use widedict::coder::Coder;
use widedict::solve::width_bound::WidthBound;
use widedict::testing::planted;
use widedict::trusted::{WidthSplit, width};
use widedict::{Dictionary, Finite, Matrix, Problem, Run};

fn problem(x: Matrix, lambda: f64, weights: Option<Vec<f64>>) -> Problem {
    let builder = Problem::builder(x).lambda(lambda);
    weights.into_iter().fold(builder, widedict::problem::ProblemBuilder::weights).build().unwrap()
}

/// The least cost of coding the data with a dictionary.
fn cost(problem: &Problem, atoms: &Matrix) -> f64 {
    let (dictionary, _) = Dictionary::normalize(atoms.clone()).unwrap();
    let coder = Coder { gap_tolerance: 1e-12, ..Coder::default() };
    let encoded = coder.encode(problem.data().datapoints(), &dictionary, problem.lambda(), &()).unwrap();
    let factorization = widedict::Factorization::new(dictionary, encoded.codes, None).unwrap();
    widedict::testing::naive::objective(problem, &factorization)
}

/// Datapoints, residuals about them, weights, a price.
fn instances() -> impl Strategy<Value = (Problem, Matrix, Matrix)> {
    (1..=4_usize, 1..=9_usize, 1..=4_usize).prop_flat_map(|(n, len, atoms)| {
        let entries = |count: usize| prop::collection::vec(-1.0..1.0_f64, count);
        let weights = prop::collection::vec(prop_oneof![3 => 0.1..1.0_f64, 1 => 1e-6..1e-3_f64], len);
        (
            entries(n * len),
            entries(n * len),
            entries(n * atoms),
            weights,
            0.02..0.6_f64,
            0.0..1.5_f64,
            -40..40_i32,
        )
            .prop_map(move |(x, aside, atoms, weights, lambda, spread, exponent)| {
                let unit = 2.0_f64.powi(exponent);
                let x = Matrix::from_column_major(n, len, x.iter().map(|v| unit * v).collect()).unwrap();
                // Between λx̂ and x, and aside.
                let dual = Matrix::from_fn(n, len, |j, i| {
                    let length = x.col(i).iter().map(|v| v * v).sum::<f64>().sqrt();
                    let inner = if length > 0.0 { unit * lambda / length } else { 0.0 };
                    let share = 0.5 * (1.0 + aside[i * n]);
                    let toward = inner + share * (1.0 - inner);
                    toward * x.get(j, i) + unit * spread * lambda * aside[i * n + j]
                });
                let atoms = Matrix::from_column_major(n, atoms.len() / n, atoms).unwrap();
                (problem(x, unit * lambda, Some(weights)), dual, atoms)
            })
    })
}

/// The same columns in five dimensions, where no cones are cut.
fn padded(columns: &Matrix) -> Matrix {
    let entry = |j: usize, i: usize| if j < columns.nrows() { columns.get(j, i) } else { 0.0 };
    Matrix::from_fn(5, columns.ncols(), entry)
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(100))]

    /// Whatever the dual point and T. In few dimensions cones give the smaller price, so a split
    /// is tried among coordinates that are 0.
    #[test]
    fn no_dictionary_costs_less(
        (problem, dual, atoms) in instances(), slack in prop::collection::vec(-0.5..0.5_f64, 81),
        rows in 1..=9_usize,
    ) {
        let len = problem.len();
        let unit = problem.lambda();
        let slack = |rows: usize| Matrix::from_fn(rows, len, |i, j| unit * unit * slack[i + 9 * j]);
        let objective = cost(&problem, &atoms);
        let beside = self::problem(
            padded(&problem.data().datapoints().as_matrix()), unit, Some(problem.data().weights().to_vec()),
        );
        for (problem, dual, slack) in [
            (&problem, dual.clone(), None),
            (&beside, padded(&dual), Some(Matrix::zeros(len, len))),
            (&beside, padded(&dual), Some(slack(len))),
            (&beside, padded(&dual), Some(slack(rows.min(len)))),
        ] {
            let Some(line) = width::line(problem, &WidthSplit { dual, slack }) else { continue };
            let bound = line.at(atoms.ncols()).get();
            prop_assert!(bound <= objective * (1.0 + 1e-9), "{bound} above {objective}");
        }
        // Each atom takes its own payment, not the largest: the law behind the price.
        let (dictionary, _) = Dictionary::normalize(atoms.clone()).unwrap();
        let mut left = widedict::testing::naive::wide_limit(&problem, None);
        for (k, d) in dictionary.atoms().enumerate() {
            let alone = Matrix::from_columns(d.len(), &[d]);
            let (gross, taken) = width::takings(&problem, &dual, &alone).unwrap();
            left += if k == 0 { gross - taken } else { -taken };
        }
        prop_assert!(left <= objective * (1.0 + 1e-9), "{left} above {objective}");
    }

    /// In any direction, with chords of the lens chosen for it alone, an atom takes no more than
    /// the price that cones prove.
    #[test]
    fn no_direction_takes_more_than_the_price((problem, dual, atoms) in instances()) {
        let (directions, _) = Dictionary::normalize(atoms).unwrap();
        let Some(line) = width::line(&problem, &WidthSplit { dual: dual.clone(), slack: None }) else {
            return Ok(());
        };
        let (gross, most) = width::takings(&problem, &dual, directions.matrix()).unwrap();
        prop_assert!(most <= line.price.get() * (1.0 + 1e-9) + f64::MIN_POSITIVE);
        prop_assert!(line.base.get() <= (widedict::testing::naive::wide_limit(&problem, None) + gross) * (1.0 + 1e-9));
    }

    /// One datapoint: an atom takes at most `u(dᵀr − λ)` of the excess.
    #[test]
    fn an_atom_takes_no_more_than_its_reach((problem, dual, atoms) in instances()) {
        for i in 0..problem.len() {
            let Some((excess, reach)) = width::gain(&problem, i, dual.col(i)) else { continue };
            let x = problem.data().datapoint(i);
            let one = self::problem(Matrix::from_columns(x.len(), &[x]), problem.lambda(), None);
            let (dictionary, _) = Dictionary::normalize(atoms.clone()).unwrap();
            let seen = |d: &[f64]| {
                let inner: f64 = d.iter().zip(dual.col(i)).map(|(d, r)| d * r).sum();
                widedict::num::max(inner - problem.lambda(), 0.0)
            };
            let taken: f64 = dictionary.atoms().map(|d| reach * seen(d)).sum();
            let limit = widedict::testing::naive::wide_limit(&one, None);
            let objective = cost(&one, &atoms);
            prop_assert!(limit + excess - taken <= objective * (1.0 + 1e-9) , "{limit} + {excess} - {taken} above {objective}");
        }
    }
}

/// A slack of fewer rows speaks of parts of the datapoints: what an atom takes of all is the sum
/// of what it takes of each.
#[test]
fn prices_of_parts_are_added() {
    let whole = problem(planted::gaussian(6, 23, 5), 0.3, None);
    let search = WidthBound { whole: 12, part: 6, ..WidthBound::default() };
    let split = search.search(&whole, 1, &Run::default()).unwrap().unwrap();
    let slack = split.slack.clone().unwrap();
    let parts = WidthSplit::parts(23, slack.nrows());
    assert_eq!((slack.nrows(), parts), (6, 4));
    let line = width::line(&whole, &split).unwrap();
    let (mut base, mut price) = (0.0, 0.0);
    for part in 0..parts {
        let members: Vec<usize> = (part..23).step_by(parts).collect();
        let alone = problem(whole.data().datapoints().select_columns(&members), 0.3, None);
        let share = f64::from(u8::try_from(members.len()).unwrap()) / 23.0;
        let pairs = Matrix::from_fn(members.len(), members.len(), |i, j| slack.get(i, members[j]));
        let split = WidthSplit { dual: split.dual.select_columns(&members), slack: Some(pairs) };
        // A part that gains nothing has no line.
        let Some(line) = width::line(&alone, &split) else {
            base += share * widedict::testing::naive::wide_limit(&alone, None);
            continue;
        };
        base += share * line.base.get();
        price += share * line.price.get();
    }
    approx::assert_relative_eq!(line.base.get(), base, max_relative = 1e-12);
    approx::assert_relative_eq!(line.price.get(), price, max_relative = 1e-9);
    assert!(line.at(1).get() > 1.001 * widedict::testing::naive::wide_limit(&whole, None));
}

/// Sparse data with unequal lengths, for few atoms: residuals of the price that the rule asks for
/// promise nothing there.
#[test]
fn sparse_data_have_a_bound_for_few_atoms() {
    let problem = problem(planted::mixture(8, 150, 12, 2, 0.05, 9), 0.3, None);
    let wide = widedict::testing::naive::wide_limit(&problem, None);
    for atoms in [1, 2] {
        let found = WidthBound::default().search(&problem, atoms, &Run::default()).unwrap();
        let bound = width::line(&problem, &found.unwrap()).unwrap().at(atoms).get();
        let objective = Finite::new(atoms).solve(&problem).unwrap().certified.certificate().objective();
        assert!(wide < bound && bound <= objective, "{wide} {bound} {objective}");
    }
}

/// In few dimensions many datapoints have a split beside their cones.
#[test]
fn many_datapoints_in_few_dimensions_have_a_bound() {
    let problem = problem(planted::gaussian(4, 600, 9), 0.4, None);
    let wide = widedict::testing::naive::wide_limit(&problem, None);
    for whole in [600, 300] {
        let search = WidthBound { whole, part: 300, ..WidthBound::default() };
        let found = search.search(&problem, 6, &Run::default()).unwrap().unwrap();
        assert!(width::line(&problem, &found).unwrap().at(6).get() > 1.02 * wide);
        // Beyond `whole` no N × N matrix.
        assert!(found.slack.is_none_or(|slack| slack.nrows() <= whole));
    }
}

/// Many datapoints, some of them twice, with weights: at widths from 1 on, as a whole and in parts.
#[test]
fn slow_of_four_hundred_datapoints_no_dictionary_costs_less() {
    let x = planted::mixture(8, 360, 20, 2, 0.05, 3);
    let twice = Matrix::from_fn(8, 400, |j, i| x.get(j, if i < 360 { i } else { 9 * (i - 360) }));
    let weights = (0..400).map(|i| f64::from(1 + i % 3) / 800.0).collect();
    let problem = problem(twice, 0.2, Some(weights));
    let wide = widedict::testing::naive::wide_limit(&problem, None);
    let found = [1, 4, 12, 20, 60].map(|atoms| {
        let solution = Finite::new(atoms).solve(&problem).unwrap();
        (atoms, solution.certified.certificate().objective())
    });
    for search in [WidthBound::default(), WidthBound { whole: 250, part: 150, ..WidthBound::default() }] {
        let mut raised = 0;
        for target in [4, 20, 200] {
            let split = search.search(&problem, target, &Run::default()).unwrap();
            let Some(line) = split.and_then(|split| width::line(&problem, &split)) else { continue };
            for width in 1..=400 {
                let fewer = found.iter().filter(|(atoms, _)| *atoms <= width).map(|(_, f)| *f);
                let least = fewer.fold(f64::MAX, widedict::num::min);
                let bound = line.at(width).get();
                assert!(bound <= least * (1.0 + 1e-9), "{width} atoms: {bound} above {least}");
            }
            raised += usize::from(line.at(target).get() > wide * 1.001);
        }
        assert!(raised > 0, "no bound is above the one of every width");
    }
}

/// With the search's evidence, at every width; some bounds are above that of every width.
#[test]
fn found_dictionaries_cost_more_than_the_bound() {
    let mut raised = 0;
    for seed in 0..6 {
        let dim = if seed < 3 { 3 } else { 5 };
        let x = planted::gaussian(dim, 24, 40 + seed);
        let weights = (seed % 2 == 1).then(|| (0..24).map(|i| 1.0 + f64::from(i % 3)).collect());
        let problem = problem(x, 0.3, weights);
        let objective = |solution: widedict::Solution| solution.certified.certificate().objective();
        let wide = objective(widedict::wide::closed_form(&problem).unwrap());
        let found = [1, 2, 4, 8].map(|atoms| (atoms, objective(Finite::new(atoms).solve(&problem).unwrap())));
        for (atoms, _) in found {
            let split = WidthBound::default().search(&problem, atoms, &Run::default()).unwrap();
            let Some(line) = split.and_then(|split| width::line(&problem, &split)) else { continue };
            for width in 1..=24 {
                // What fewer atoms cost, more do not exceed.
                let least = found
                    .iter()
                    .filter(|(m, _)| *m <= width)
                    .map(|(_, f)| *f)
                    .fold(f64::MAX, widedict::num::min);
                let least = if width == 24 { wide } else { least };
                let bound = line.at(width).get();
                assert!(bound <= least * (1.0 + 1e-9), "seed {seed}, {width} atoms: {bound} above {least}");
            }
            raised += usize::from(line.at(atoms).get() > wide * 1.001);
        }
    }
    assert!(raised > 3, "{raised} of 24 bounds are above the one of every width");
}

/// Evenly spaced datapoints on the circle: the bound keeps most of what a regular dictionary
/// costs beyond the wide limit, at every width.
#[test]
fn on_the_circle_the_bound_keeps_its_share() {
    let circle = |count: usize| {
        Matrix::from_fn(2, count, |j, i| {
            #[expect(clippy::cast_precision_loss, reason = "few")]
            let angle = std::f64::consts::TAU * i as f64 / count as f64;
            if j == 0 { angle.cos() } else { angle.sin() }
        })
    };
    let problem = problem(circle(192), 0.3, None);
    let wide = widedict::testing::naive::wide_limit(&problem, None);
    for atoms in [8, 16, 32] {
        let excess = cost(&problem, &circle(atoms)) - wide;
        let split = WidthBound::default().search(&problem, atoms, &Run::default()).unwrap().unwrap();
        let bound = width::line(&problem, &split).unwrap().at(atoms).get() - wide;
        let share = bound / excess;
        assert!((0.83..=1.0).contains(&share), "{atoms} atoms: {share} of the excess");
    }
}

/// Evidence and bound are the same for any number of threads.
#[test]
fn the_line_does_not_depend_on_threads() {
    [3, 6].into_iter().for_each(does_not_depend_on_threads);
}

fn does_not_depend_on_threads(dim: usize) {
    let problem = problem(planted::gaussian(dim, 60, 7), 0.3, None);
    let found = |threads: usize| {
        let pool = rayon::ThreadPoolBuilder::new().num_threads(threads).build().unwrap();
        pool.install(|| {
            let split = WidthBound::default().search(&problem, 4, &Run::default()).unwrap().unwrap();
            let line = width::line(&problem, &split);
            (split, line)
        })
    };
    let one = found(1);
    assert!(one.1.is_some() && one == found(2) && one == found(7));
}

/// What the theorem does not speak of has no bound.
#[test]
fn a_price_of_atoms_or_a_learnt_center_has_no_line() {
    let x = planted::gaussian(2, 6, 3);
    let split = WidthSplit { dual: x.clone(), slack: Some(Matrix::zeros(6, 6)) };
    let build = |lambda: f64, gamma: f64, centered| {
        Problem::builder(x.clone()).lambda(lambda).gamma(gamma).centered(centered).build().unwrap()
    };
    assert!(width::line(&build(0.3, 0.1, false), &split).is_none());
    assert!(width::line(&build(0.0, 0.1, false), &split).is_none());
    assert!(width::line(&build(0.3, 0.0, true), &split).is_none());
    // Residuals that are the data gain nothing beyond half their squares.
    assert!(width::line(&build(0.3, 0.0, false), &split).is_some());
    let infinite = WidthSplit { dual: Matrix::from_fn(2, 6, |_, _| f64::INFINITY), ..split.clone() };
    // Infinite residuals gain nothing.
    let (plain, line) = (build(0.3, 0.0, false), width::line(&build(0.3, 0.0, false), &infinite).unwrap());
    assert!(line.base.get() <= widedict::testing::naive::wide_limit(&plain, None) * (1.0 + 1e-15));
}

/// The line scales with the data's square, exactly for powers of two; with cones and without.
#[test]
fn the_line_has_the_units_of_the_data() {
    [3, 5].into_iter().for_each(has_the_units);
}

fn has_the_units(dim: usize) {
    let x = planted::gaussian(dim, 20, 5);
    let lines: Vec<(f64, f64)> = [-60, 0, 60]
        .into_iter()
        .map(|exponent| {
            let unit = 2.0_f64.powi(exponent);
            let scaled = |m: &Matrix| Matrix::from_fn(m.nrows(), m.ncols(), |j, i| unit * m.get(j, i));
            let dual = Matrix::from_fn(dim, 20, |j, i| 0.6 * x.get(j, i));
            let split = WidthSplit { dual: scaled(&dual), slack: Some(Matrix::zeros(20, 20)) };
            let line = width::line(&problem(scaled(&x), 0.3 * unit, None), &split).unwrap();
            (line.base.get() / unit / unit, line.price.get() / unit / unit)
        })
        .collect();
    for (base, price) in &lines {
        assert!((base / lines[1].0 - 1.0).abs() < 1e-14 && (price / lines[1].1 - 1.0).abs() < 1e-14);
    }
}
