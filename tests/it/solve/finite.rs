//! The joint problem of a given width: two features against a grid, never below
//! the wide limit, never worse with more atoms; the participation bound hunted.

use proptest::prelude::*;

use crate::support::checks;
use crate::support::strategies::{Limits, moderate_penalties, problems};
use widedict::gauge::huber;
use widedict::num::{max, min};
use widedict::solve::participation::participations;
use widedict::testing::{naive, planted};
use widedict::trusted::Subject;
use widedict::trusted::participation::LeastParticipation;
use widedict::{
    Codes, Dictionary, Factorization, Finite, Matrix, Participation, Problem, Run, Verdict, wide,
};

/// T18's data: two unit features at an angle and their sum.
fn two_features(shares: [f64; 3], angle: f64, lambda: f64) -> Problem {
    let features = [[1.0, 0.0], [angle.cos(), angle.sin()]];
    let both = [1.0 + angle.cos(), angle.sin()];
    let all = [features[0], features[1], both];
    let present: Vec<usize> = (0..3).filter(|&i| shares[i] > 0.0).collect();
    let points: Vec<[f64; 2]> = present.iter().map(|&i| all[i]).collect();
    let weights: Vec<f64> = present.iter().map(|&i| shares[i]).collect();
    Problem::builder(Matrix::from_columns(2, &points)).lambda(lambda).weights(weights).build().unwrap()
}

/// `min_{z ≥ 0} ½‖x − Dz‖² + λ1ᵀz` for two unit atoms, by its four supports.
fn two_atom_code(x: &[f64], atoms: [[f64; 2]; 2], lambda: f64) -> f64 {
    let energy = 0.5 * (x[0] * x[0] + x[1] * x[1]);
    let c: Vec<f64> = atoms.iter().map(|d| d[0] * x[0] + d[1] * x[1] - lambda).collect();
    let single = c.iter().map(|c| energy - 0.5 * max(*c, 0.0).powi(2));
    let cosine = atoms[0][0] * atoms[1][0] + atoms[0][1] * atoms[1][1];
    let determinant = 1.0 - cosine * cosine;
    let (z, y) = (c[0] - cosine * c[1], c[1] - cosine * c[0]);
    let both = if determinant > 1e-14 && z >= 0.0 && y >= 0.0 {
        energy - 0.5 * (c[0] * z + c[1] * y) / determinant
    } else {
        energy
    };
    single.fold(min(both, energy), min)
}

/// The least objective over both angles, on a grid of `step` that is then refined.
#[expect(clippy::cast_possible_truncation, clippy::cast_sign_loss, reason = "a small count")]
fn grid_optimum(problem: &Problem, from: f64, to: f64, step: f64) -> f64 {
    let data = problem.data();
    let value = |angles: [f64; 2]| -> f64 {
        let atoms = angles.map(|t| [t.cos(), t.sin()]);
        let codes = data.datapoints().columns().map(|x| two_atom_code(&x, atoms, problem.lambda()));
        codes.zip(data.weights()).map(|(v, w)| w * v).sum()
    };
    let steps = ((to - from) / step).ceil() as usize;
    let mut best = (f64::INFINITY, [0.0; 2]);
    for i in 0..=steps {
        for j in i..=steps {
            let angles = [from + step * i as f64, from + step * j as f64];
            let found = value(angles);
            if found < best.0 {
                best = (found, angles);
            }
        }
    }
    let mut reach = step;
    while reach > 1e-12 {
        let (_, at) = best;
        let before = best.0;
        for (i, j) in [(-1.0, 0.0), (1.0, 0.0), (0.0, -1.0), (0.0, 1.0), (1.0, 1.0), (-1.0, -1.0)] {
            let angles = [at[0] + reach * i, at[1] + reach * j];
            let found = value(angles);
            if found < best.0 {
                best = (found, angles);
            }
        }
        if best.0 >= before {
            reach *= 0.5;
        }
    }
    best.0
}

/// T18, b = 0: the radial value, which merges the nested feature.
#[test]
fn nested_features_merge_at_the_radial_value() {
    for (a, angle, lambda) in [(0.5, 1.2, 0.3), (0.9, 0.4, 0.05), (0.2, 1.5, 0.9)] {
        let problem = two_features([a, 0.0, 1.0 - a], angle, lambda);
        let found = Finite::new(2).solve(&problem).unwrap().certified;
        let radial = a * huber(lambda, 1.0) + (1.0 - a) * huber(lambda, 2.0 * (0.5 * angle).cos());
        checks::close("radial value", found.certificate().objective(), radial, 1e-10, 0.0);
        assert_eq!(*found.certificate().verdict(), Verdict::Global);
    }
}

/// T18, a, b, c > 0: no worse than a fine grid over both angles, refined.
#[test]
fn two_features_are_found_as_well_as_on_a_grid() {
    for (shares, angle, lambda) in [
        ([0.4, 0.4, 0.2], 1.2, 0.05),
        ([0.2, 0.1, 0.7], 1.0, 0.3),
        ([0.3, 0.3, 0.4], 0.6, 0.2),
        ([0.45, 0.05, 0.5], 1.4, 0.6),
        ([0.1, 0.6, 0.3], 0.9, 0.01),
    ] {
        let problem = two_features(shares, angle, lambda);
        let solution =
            Finite { restarts: 6, stationarity_tolerance: 1e-8, ..Finite::new(2) }.solve(&problem).unwrap();
        let found = solution.certified.certificate().objective();
        let grid = grid_optimum(&problem, -0.2, angle + 0.2, 1e-3);
        assert!(found <= grid * (1.0 + 1e-9) + 1e-12, "{shares:?} {angle} {lambda}: {found} against {grid}");
    }
}

/// The lower bound of every width is below what any width reaches, more atoms are
/// never worse, and enough of them reach the wide limit.
#[test]
fn widths_lie_between_the_wide_limit_and_one_atom() {
    for seed in 0..4 {
        let problem =
            Problem::builder(planted::mixture(6, 60, 8, 2, 0.05, seed)).lambda(0.15).build().unwrap();
        let limit = naive::wide_limit(&problem, None);
        let widths = [1, 2, 4, 8, 16, 30, 60];
        let steps =
            widedict::solve::path::over_widths(&problem, &widths, &Finite::new(1), &widedict::Run::default())
                .unwrap();
        let values: Vec<f64> = steps.iter().map(|s| s.solution.certified.certificate().objective()).collect();
        for (step, value) in steps.iter().zip(&values) {
            let certificate = step.solution.certified.certificate();
            assert!(certificate.lower_bound().get() <= *value && *value >= limit * (1.0 - 1e-12));
            assert!(step.solution.certified.solution().width() <= step.width.unwrap());
        }
        assert!(values.windows(2).all(|pair| pair[1] <= pair[0]), "{values:?}");
        checks::close("enough atoms", *values.last().unwrap(), limit, 0.0, 1e-12);
    }
}

/// At γ > 0 and with a center the point is feasible and stationary, and no lower
/// than a convex bound.
#[test]
fn priced_and_centered_widths_are_stationary() {
    for (gamma, centered) in [(0.1, false), (0.1, true), (0.0, true)] {
        let problem = Problem::builder(planted::mixture(5, 40, 6, 2, 0.05, 7))
            .lambda(0.1)
            .gamma(gamma)
            .centered(centered)
            .build()
            .unwrap();
        let solution = Finite { restarts: 2, ..Finite::new(5) }.solve(&problem).unwrap();
        let point = solution.certified.solution();
        checks::feasible(&problem, point);
        checks::certificate(&problem, point, solution.certified.certificate());
        assert!(solution.certified.certificate().kkt().relative() <= 5e-3);
        assert!(point.width() <= 5);
        if gamma > 0.0 {
            let convex = widedict::ColumnGeneration::default().solve(&problem).unwrap();
            let lower = convex.certified.certificate().lower_bound().get();
            assert!(lower <= solution.certified.certificate().objective());
        }
    }
}

/// A saddle is left: one atom between two clusters, and a second one that serves
/// hardly anything, is stationary enough for a descent; the best two atoms are far lower.
#[test]
fn two_clusters_get_two_atoms() {
    let x = Matrix::from_columns(2, &[[1.0, 0.5], [1.0, -0.5], [1.0, 0.4], [1.0, -0.4]]);
    let problem = Problem::builder(x).lambda(0.1).build().unwrap();
    let one = Finite::new(1).solve(&problem).unwrap().certified;
    let start = one.solution().clone();
    let two = Finite::new(2).solve_with(&problem, &widedict::Run::starting_at(&start)).unwrap().certified;
    let (one, two) = (one.certificate().objective(), two.certificate().objective());
    assert!(two < one - 1e-3, "{two} against {one}");
}

#[test]
fn same_seed_same_answer_for_any_number_of_threads() {
    let problem = Problem::builder(planted::mixture(8, 80, 12, 2, 0.05, 1)).lambda(0.1).build().unwrap();
    let answer = |threads| {
        let pool = rayon::ThreadPoolBuilder::new().num_threads(threads).build().unwrap();
        pool.install(|| Finite { restarts: 2, ..Finite::new(10) }.solve(&problem).unwrap().certified)
    };
    let one = answer(1);
    assert!(one == answer(2) && one == answer(7));
}

/// Many datapoints begin on samples: no worse than a descent on all of them from the first.
#[test]
fn slow_samples_lead_to_as_good_atoms() {
    let x = planted::mixture(6, 18_000, 12, 2, 0.05, 1);
    let problem = Problem::builder(x).lambda(0.1).build().unwrap();
    let finite = Finite { local: None, ..Finite::new(12) };
    let solve = |threads| {
        let pool = rayon::ThreadPoolBuilder::new().num_threads(threads).build().unwrap();
        pool.install(|| finite.solve(&problem).unwrap().certified)
    };
    let sampled = solve(2);
    assert!(sampled == solve(3));
    let nothing = Factorization::new(Dictionary::empty(6), Codes::zeros(0, problem.len()), None).unwrap();
    let whole = finite.solve_with(&problem, &Run::starting_at(&nothing)).unwrap().certified;
    let (sampled, whole) = (sampled.certificate(), whole.certificate());
    assert!(sampled.kkt().relative() <= finite.stationarity_tolerance);
    assert!(sampled.objective() <= 1.02 * whole.objective(), "{} {}", sampled.objective(), whole.objective());
}

#[test]
fn settings_out_of_range_are_refused() {
    let problem = Problem::builder(planted::gaussian(2, 3, 0)).lambda(0.1).build().unwrap();
    let refused = |finite: Finite| finite.solve(&problem).unwrap_err().to_string();
    assert_eq!(refused(Finite::new(0)), "width must be at least 1, found 0");
    assert!(refused(Finite { restarts: 0, ..Finite::new(1) }).starts_with("restarts must be"));
    assert!(
        refused(Finite { stationarity_tolerance: f64::NAN, ..Finite::new(1) })
            .starts_with("stationarity_tolerance must be")
    );
    for p in [0.0, -1.0, 1.5, f64::NAN] {
        let start = Finite::new(1).solve(&problem).unwrap().certified.into_parts().0;
        let error = Participation::default()
            .bound_with(&problem, p, &widedict::Run::starting_at(&start))
            .unwrap_err()
            .to_string();
        assert!(error.starts_with("p must be above 0"), "{error}");
    }
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(32))]

    /// T19 hunted: the bound at a point's own least participation is not above it,
    /// nor above any other point whose atoms are as common.
    #[test]
    fn slow_no_dictionary_beats_the_participation_bound(
        problem in problems(Limits { dim: 3, points: 10, ..Limits::default() }, moderate_penalties()),
        width in 1_usize..4,
    ) {
        prop_assume!(problem.lambda() > 0.0);
        let problem = problem.with_penalty(problem.lambda(), 0.0).unwrap();
        let mut seen = Vec::new();
        for (seed, width) in [(0, width), (1, width), (2, 1), (3, 2)] {
            let finite = Finite { seed, restarts: 2, local: None, ..Finite::new(width) };
            let solution = finite.solve(&problem).unwrap();
            let point = solution.certified.into_parts().0;
            let subject = Subject::of(&problem, &point).unwrap();
            let Some(least) = LeastParticipation::of(&subject) else { continue };
            let (computed, proved) = (least.value, least.lower.get());
            prop_assert!(proved <= computed && computed <= 1.0);
            for (p, row) in participations(&problem, &point).iter().zip(point.codes().rows()) {
                // At most the share of the data the atom fires on.
                let share: f64 = row.indices.iter().map(|&i| problem.data().weights()[i]).sum();
                prop_assert!(p.is_none_or(|p| p <= share * (1.0 + 1e-12)));
            }
            seen.push((proved, naive::objective(&problem, &point), point));
        }
        for (p, _, point) in &seen {
            let bound = Participation::default().bound_with(&problem, *p, &widedict::Run::starting_at(point)).unwrap();
            prop_assert!(bound.gamma.get().powi(2) <= p * (problem.lambda().powi(2) - bound.lambda.powi(2)) * (1.0 + 1e-12));
            for (other, objective, _) in &seen {
                if other >= p {
                    prop_assert!(
                        bound.lower.get() <= objective * (1.0 + 1e-12) + f64::MIN_POSITIVE,
                        "bound {} at p {p}, objective {objective} at {other}", bound.lower.get()
                    );
                }
            }
        }
    }
}

/// Pairs ±x at λ = 0: the rounded convex solution keeps one antipodal pair of atoms, a
/// strict local minimum far above the best.
#[test]
fn antipodal_data_get_two_good_atoms() {
    let cases: [(&[[f64; 2]], f64); 2] = [
        (&[[-0.8, 0.3], [-0.5, -1.5]], 0.135_775),
        (
            &[
                [-0.817_323_645_199_457_3, 1.569_070_086_498_762_3],
                [-1.351_459_290_068_250_5, -0.376_715_335_465_924_7],
            ],
            0.309_1,
        ),
    ];
    for (half, best) in cases {
        let both: Vec<[f64; 2]> = half.iter().flat_map(|x| [*x, [-x[0], -x[1]]]).collect();
        let x = Matrix::from_columns(2, &both);
        let problem = Problem::builder(x).lambda(0.0).gamma(0.01).build().unwrap();
        let found = Finite::new(2).solve(&problem).unwrap().certified.certificate().objective();
        assert!(found <= best, "{found} against {best}");
    }
}

/// One run is nearly as good as the best of many on small antipodal data.
#[test]
fn one_run_is_as_good_as_many_on_antipodal_data() {
    let mut poor = 0;
    for instance in 0..20 {
        let half = planted::gaussian(2 + usize::try_from(instance % 2).unwrap(), 3, instance);
        let both: Vec<Vec<f64>> =
            half.columns().flat_map(|x| [x.to_vec(), x.iter().map(|v| -v).collect()]).collect();
        let x = Matrix::from_columns(half.nrows(), &both);
        let problem = Problem::builder(x).lambda(0.0).gamma(0.01).build().unwrap();
        let value = |restarts| {
            let finite = Finite { restarts, local: None, ..Finite::new(2) };
            finite.solve(&problem).unwrap().certified.certificate().objective()
        };
        poor += usize::from(value(1) > 1.01 * value(10));
    }
    assert!(poor <= 2, "{poor} of 20 are more than 1 % above the best of many");
}

/// Atoms that are alike to rounding cost less than nothing to remove, as computed, and
/// nothing else gains either: there is no exchange.
#[test]
fn an_exchange_needs_something_to_gain() {
    let x = [
        [-0.0482758370931875, 0.3112329932892326, -0.7642749236551154, 0.27087625879306776],
        [-0.04827583709883308, 0.31123300391571895, -0.7642749380383189, 0.27087621940827433],
        [-0.048275837098708606, 0.3112330039158036, -0.7642749380383179, 0.27087621940814516],
        [-0.04825407559526767, 0.31121326437975083, -0.7642966234033189, 0.2708524009663975],
        [-0.048275716521800356, 0.31123303200742175, -0.7642748253988841, 0.2708761387888681],
    ];
    let problem = Problem::builder(Matrix::from_columns(4, &x)).lambda(0.4727226776400367).build().unwrap();
    let limit = wide::closed_form(&problem).unwrap().certified.certificate().objective();
    let solver = Finite { max_iterations: 200, seed: 50456, ..Finite::new(3) };
    let found = solver.solve(&problem).unwrap().certified.certificate().objective();
    assert!(limit <= found && found <= limit * (1.0 + 1e-6), "{found:e} {limit:e}");
}
