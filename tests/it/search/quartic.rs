//! The quartic bound: forged and found witnesses, judged by feasible points.

use proptest::prelude::*;
use widedict::certificate::Options;
use widedict::search::nuclear::Nuclear;
use widedict::search::quartic::{Quartic, QuarticProposal};
use widedict::testing::{naive, planted};
use widedict::trusted::{Bound, BoundKind, QuarticForm, Subject, bounds};
use widedict::{Bounding, ColumnGeneration, Interrupt, Matrix, Problem, Witness, certify};

use super::{Patience, bare, from_any_number_of_threads};
use crate::support::{checks, strategies};

fn proved(problem: &Problem, witness: &QuarticForm) -> Option<Bound> {
    let point = bare(problem);
    bounds::quartic(&Subject::of(problem, &point).unwrap(), witness)
}

fn found(problem: &Problem, search: &Quartic) -> Option<QuarticProposal> {
    search.search(problem, &Matrix::zeros(problem.dim(), 0), 0.0, &())
}

/// Sparse data with a few atoms in few dimensions.
fn sparse(dim: usize, points: usize) -> Problem {
    Problem::builder(planted::mixture(dim, points, 4 * dim, 2, 0.03, 3))
        .lambda(0.4)
        .gamma(0.1)
        .build()
        .unwrap()
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(96))]

    /// Any data, weights, penalties and center: never above what is attained.
    #[test]
    fn no_factorization_costs_less(
        (problem, point) in strategies::feasible_points(
            strategies::Limits { dim: 4, points: 8, atoms: 4 },
            strategies::penalties(),
        )
    ) {
        let bounded = Bounding::Quartic.certify(&problem, point.clone(), &Options::default(), &()).unwrap();
        let lower = bounded.certified.certificate().lower_bound().get();
        let run = ColumnGeneration { max_rounds: 20, ..Default::default() };
        let solved = run.solve(&problem).unwrap().certified.into_parts().0;
        if let Some(found) = Quartic::default().search(&problem, solved.dictionary().matrix(), 0.0, &()) {
            let subject = Subject::of(&problem, &point).unwrap();
            if let Some(bound) = bounds::quartic(&subject, &found.witness) {
                checks::never_crosses(&problem, bound.lower.get(), &[point.clone(), solved.clone()]);
                if problem.data().datapoints().as_matrix().as_slice().iter().all(|x| x.abs() < 1e50) && !problem.centered() {
                    prop_assert!(bound.lower.get() <= found.promised * (1.0 + 1e-6) + 1e-300);
                }
            }
        }
        checks::never_crosses(&problem, lower, &[point.clone(), solved]);
        let nuclear = Bounding::Nuclear.certify(&problem, point, &Options::default(), &()).unwrap();
        prop_assert!(nuclear.certified.certificate().lower_bound().get() <= lower);
    }

    /// Witnesses that no search found.
    #[test]
    fn what_is_saved_proves_no_more_than_it_should(
        (problem, point) in strategies::feasible_points(strategies::Limits::default(), strategies::penalties()),
        entries in proptest::collection::vec(prop_oneof![4 => -2.0..2.0_f64, 1 => strategies::decades(-200.0, 200.0), 1 => Just(f64::NAN), 1 => Just(f64::INFINITY)], 23),
        finite in any::<bool>(),
        directions in 0_usize..4,
    ) {
        let n = problem.dim();
        let entry = |at: usize| {
            let v = entries[at % entries.len()];
            if finite && !(v.abs() < 2.0) { 0.5 } else { v }
        };
        let pairs = n * (n + 1) / 2;
        let witness = QuarticForm {
            map: Matrix::from_fn(n + 1, directions + 1, |i, j| entry(i + 4 * j)),
            form: Matrix::from_fn(pairs, pairs, |p, q| entry(7 * p + 11 * q)),
        };
        let witness = Witness { quartic: Some(witness), ..Witness::none() };
        let certified = certify(&problem, point.clone(), &witness, &Options::default()).unwrap();
        checks::never_crosses(&problem, certified.certificate().lower_bound().get(), &[point]);
    }

    /// The polar of the dual point, from a fine grid of directions, allows no less than what was
    /// proved: the bound at the grid's polar is at least that at the proved one.
    #[test]
    fn the_polar_is_above_that_of_a_grid(
        dim in 2_usize..4,
        len in 1_usize..12,
        seed in any::<u64>(),
        (lambda, gamma) in (0.05..1.0_f64, 0.05..1.0_f64),
        weights in proptest::collection::vec(0.1..1.0_f64, 12),
    ) {
        let problem = Problem::builder(planted::gaussian(dim, len, seed))
            .weights(weights[..len].to_vec()).lambda(lambda).gamma(gamma).build().unwrap();
        let search = Quartic { steps: 60, ..Quartic::default() };
        let Some(found) = found(&problem, &search) else { return Ok(()) };
        let lower = proved(&problem, &found.witness).unwrap().lower.get();
        let (fourth, products) = form_on_a_grid(&problem, &found.witness.map);
        // The form's maximum as the theorem has it, and the gauge's own polar below it.
        let allowed = 2.0 * lambda * gamma;
        let by_form = value(products, (fourth.0.sqrt() / allowed).sqrt());
        let by_gauge = value(products, fourth.1);
        prop_assert!(lower <= by_form * (1.0 + 1e-9), "{lower} {by_form}");
        prop_assert!(by_form <= by_gauge * (1.0 + 1e-9), "{by_form} {by_gauge}");
        // Up to three dimensions forms that vanish lose nothing; the grid and the descent do.
        prop_assert!(lower >= 0.9 * by_form, "{lower} {by_form}");
    }
}

/// The largest form and polar on a grid of directions, `⟨X, R⟩` and `‖R‖²`: R by its definition,
/// the minimizer of `½‖x − r‖² + ¼Σμ(dᵀr)⁴`, from sweeps of a slow twin.
fn form_on_a_grid(problem: &Problem, map: &Matrix) -> ((f64, f64), (f64, f64)) {
    let (n, a) = (problem.dim(), problem.data().sqrt_weights());
    let dual: Vec<Vec<f64>> =
        (0..problem.len()).map(|i| minimizer(&problem.data().datapoint(i), map)).collect();
    let gauge = naive::Gauge::of(problem);
    let mut largest = (0.0, 0.0);
    for d in directions(n) {
        let seen: Vec<f64> = dual.iter().map(|r| naive::inner(r, &d)).collect();
        let form: f64 = seen.iter().zip(a).map(|(v, a)| a * a * v.powi(4)).sum();
        let whitened: Vec<f64> = seen.iter().zip(a).map(|(v, a)| a * v).collect();
        largest =
            (widedict::num::max(largest.0, form), widedict::num::max(largest.1, gauge.polar(&whitened)));
    }
    let sum = |f: &dyn Fn(usize) -> f64| (0..problem.len()).map(|i| a[i] * a[i] * f(i)).sum::<f64>();
    let product = sum(&|i| naive::inner(&problem.data().datapoint(i), &dual[i]));
    (largest, (product, sum(&|i| naive::inner(&dual[i], &dual[i]))))
}

/// Eight sweeps, coordinate by coordinate, with roots by bisection.
fn minimizer(x: &[f64], map: &Matrix) -> Vec<f64> {
    let n = x.len();
    let mut r = x.to_vec();
    let mut codes = vec![0.0; map.ncols() - 1];
    for _ in 0..8 {
        for (k, code) in codes.iter_mut().enumerate() {
            let (d, mu) = (&map.col(k + 1)[..n], map.get(n, k + 1));
            let seen = naive::inner(d, &r) + *code;
            let (mut low, mut high) = (0.0, seen.abs());
            for _ in 0..200 {
                let middle = 0.5 * (low + high);
                if mu * middle.powi(3) + middle > seen.abs() { high = middle } else { low = middle }
            }
            let next = mu * (low * seen.signum()).powi(3);
            r.iter_mut().zip(d).for_each(|(r, d)| *r += (*code - next) * d);
            *code = next;
        }
    }
    r
}

/// Unit vectors in two or three dimensions, and their opposites.
fn directions(n: usize) -> Vec<Vec<f64>> {
    let angles = (0..360).map(|k| std::f64::consts::TAU * f64::from(k) / 360.0);
    if n == 2 {
        return angles.map(|t| vec![t.cos(), t.sin()]).collect();
    }
    let heights: Vec<f64> = (-60..=60).map(|k| f64::from(k) / 60.0).collect();
    let around = |t: f64| {
        heights
            .iter()
            .map(move |z| {
                let across = (1.0 - z * z).sqrt();
                vec![across * t.cos(), across * t.sin(), *z]
            })
            .collect::<Vec<_>>()
    };
    angles.step_by(3).flat_map(around).collect()
}

fn value((product, square): (f64, f64), polar: f64) -> f64 {
    let scale = widedict::num::max(widedict::num::min(product / square, 1.0 / polar), 0.0);
    scale * product - 0.5 * scale * scale * square
}

#[test]
fn sparse_data_are_bounded_better_than_by_second_moments() {
    let problem = sparse(8, 3000);
    let nuclear = Nuclear::default().search(&problem, &()).unwrap();
    let second = bounds::nuclear(&Subject::of(&problem, &bare(&problem)).unwrap(), &nuclear.map).unwrap();
    let found = found(&problem, &Quartic::default()).unwrap();
    let fourth = proved(&problem, &found.witness).unwrap();
    assert_eq!(fourth.kind, BoundKind::Quartic);
    assert!(fourth.lower.get() > second.lower.get(), "{} {}", fourth.lower.get(), second.lower.get());
    // The descent drives the eigenvalue down, at least to its target.
    let short = self::found(&problem, &Quartic { steps: 0, ..Quartic::default() }).unwrap();
    assert!(short.promised <= found.promised * (1.0 + 1e-3), "{} {}", short.promised, found.promised);
    checks::close("promise", fourth.lower.get(), found.promised, 0.0, 1e-6);
    // And `auto` proves no less, be it by another bound.
    let bounded = Bounding::Auto.certify(&problem, bare(&problem), &Options::default(), &()).unwrap();
    let best = bounded.certified.certificate().lower_bound().get();
    assert!(best >= 0.99 * fourth.lower.get(), "{best} {}", fourth.lower.get());
}

/// An observer is asked often: passes over all datapoints are long.
#[test]
fn every_block_of_datapoints_asks() {
    let problem = sparse(3, 6000);
    let asked = |patience: usize| {
        let observer = Patience::of(patience);
        let found =
            Quartic { steps: 0, ..Quartic::default() }.search(&problem, &Matrix::zeros(3, 0), 0.0, &observer);
        (found.is_some(), patience - observer.left())
    };
    let (found, all) = asked(usize::MAX);
    // Twelve blocks of the dual point, twelve of its moments, and the rounds.
    assert!(found && all >= 24 + Quartic::default().rounds, "asked {all} times");
    for patience in [all - 14, all - 2] {
        assert_eq!(asked(patience), (false, patience), "a form of some of the datapoints is none");
    }
}

/// Each datapoint twice at half the weight changes nothing but rounding.
#[test]
fn duplicates_share_their_weight() {
    let problem = sparse(5, 300);
    let search = Quartic { max_sample: 1 << 20, ..Quartic::default() };
    let witness = found(&problem, &search).unwrap().witness;
    let twice: Vec<usize> = (0..600).map(|i| i / 2).collect();
    let doubled = Problem::builder(problem.data().datapoints().select_columns(&twice))
        .lambda(problem.lambda())
        .gamma(problem.gamma())
        .build()
        .unwrap();
    let (once, twice) = (proved(&problem, &witness).unwrap(), proved(&doubled, &witness).unwrap());
    checks::close("duplicates", once.lower.get(), twice.lower.get(), 0.0, 1e-9);
}

#[test]
fn there_is_none_without_prices_or_in_many_dimensions() {
    let x = planted::gaussian(3, 9, 1);
    let of =
        |lambda: f64, gamma: f64| Problem::builder(x.clone()).lambda(lambda).gamma(gamma).build().unwrap();
    let witness = found(&of(0.3, 0.2), &Quartic::default()).unwrap().witness;
    for problem in [of(0.3, 0.0), of(0.0, 0.3)] {
        assert_eq!(found(&problem, &Quartic::default()), None);
        assert_eq!(proved(&problem, &witness), None);
    }
    assert_eq!(found(&of(0.3, 0.2), &Quartic { max_dim: 2, ..Quartic::default() }), None);
    // No hope is no search.
    assert_eq!(Quartic::default().search(&of(0.3, 0.2), &Matrix::zeros(3, 0), 1e9, &()), None);
    let low = QuarticForm { map: Matrix::zeros(3, 2), form: witness.form };
    let witness = Witness { quartic: Some(low), ..Witness::none() };
    let error = certify(&of(0.3, 0.2), bare(&of(0.3, 0.2)), &witness, &Options::default()).unwrap_err();
    assert_eq!(error.to_string(), "witness quartic map: expected (4, 0), found (3, 2)");
}

#[test]
fn any_number_of_threads_gives_the_same_witness() {
    let problem = sparse(5, 2500);
    from_any_number_of_threads(|| {
        let found = found(&problem, &Quartic { max_sample: 700, ..Quartic::default() }).unwrap();
        let lower = proved(&problem, &found.witness).unwrap().lower;
        (found, lower)
    });
}

#[test]
fn a_search_cut_short_gives_what_it_has() {
    let problem = sparse(6, 400);
    let atoms = Matrix::zeros(6, 0);
    let search = Quartic::default();
    let cut = |patience: usize| search.search(&problem, &atoms, 0.0, &Patience::of(patience));
    // Once a round, once after them, and the passes over a block of datapoints each.
    let before = search.rounds + 3;
    for patience in 0..before {
        assert_eq!(cut(patience), None, "{patience}");
    }
    for steps in 0..4 {
        let found = cut(before + steps).unwrap();
        assert_eq!((found.iterations, found.interrupt), (search.rounds + steps, Some(Interrupt::Cancelled)));
        assert!(proved(&problem, &found.witness).unwrap().lower.get() > 0.0);
    }
}
