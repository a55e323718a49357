//! The least cost of a number of atoms in the plane (theorem `planar-optimum`), against brute
//! force, laws, and every dictionary that is known.

use std::f64::consts::TAU;
use std::ops::ControlFlow;

use proptest::prelude::*;
use widedict::num::min;
use widedict::solve::planar::Planar;
use widedict::testing::naive::wide_limit;
use widedict::trusted::planar::{Goal, PlanarBound, prove};
use widedict::{Interrupt, Matrix, Problem, Progress};

/// What a datapoint of the plane costs: over all supports of at most two atoms.
fn point_cost(y: [f64; 2], lambda: f64, angles: &[f64]) -> f64 {
    let atoms: Vec<[f64; 2]> = angles.iter().map(|a| [a.cos(), a.sin()]).collect();
    let inner = |d: [f64; 2], e: [f64; 2]| d[0] * e[0] + d[1] * e[1];
    let mut least = 0.5 * inner(y, y);
    let gain = |d: [f64; 2]| inner(d, y) - lambda;
    for (k, &d) in atoms.iter().enumerate() {
        let p = gain(d);
        if p > 0.0 {
            least = min(least, 0.5 * inner(y, y) - 0.5 * p * p);
        }
        for &e in &atoms[..k] {
            let (q, c) = (gain(e), inner(d, e));
            let det = 1.0 - c * c;
            let (z, v) = ((p - c * q) / det, (q - c * p) / det);
            // Atoms that nearly coincide gain nothing together that is not rounding.
            if det > 1e-6 && z >= 0.0 && v >= 0.0 {
                least = min(least, 0.5 * inner(y, y) - 0.5 * (z * p + v * q));
            }
        }
    }
    least
}

fn cost(problem: &Problem, angles: &[f64]) -> f64 {
    let data = problem.data();
    let point = |i: usize| [data.datapoint(i)[0], data.datapoint(i)[1]];
    (0..data.len()).map(|i| data.weights()[i] * point_cost(point(i), problem.lambda(), angles)).sum()
}

/// The least cost over a grid of angles, then over ever finer ones about its best.
fn brute_force(problem: &Problem, width: usize) -> f64 {
    let count = [90, 60, 40][width - 1];
    let step = TAU / count as f64;
    let mut found: Vec<(f64, Vec<f64>)> = Vec::new();
    let mut places = vec![0_usize; width];
    loop {
        let angles: Vec<f64> = places.iter().map(|&k| step * k as f64).collect();
        found.push((cost(problem, &angles), angles));
        // The next sorted tuple.
        let Some(k) = (0..width).rev().find(|&k| places[k] + 1 < count) else { break };
        let next = places[k] + 1;
        places[k..].iter_mut().for_each(|place| *place = next);
    }
    found.sort_by(|one, two| one.0.total_cmp(&two.0));
    found.truncate(12);
    let refined = found.into_iter().map(|(mut value, mut angles)| {
        let mut step = step;
        while step > 1e-9 {
            let mut moved = false;
            // Moves of single atoms and of pairs.
            for code in 0..[1, 3, 9, 27][width] {
                let tried: Vec<f64> =
                    (0..width).map(|k| angles[k] + step * ((code / [1, 3, 9][k] % 3) as f64 - 1.0)).collect();
                let there = cost(problem, &tried);
                if there < value {
                    (value, angles, moved) = (there, tried, true);
                }
            }
            if !moved {
                step *= 0.5;
            }
        }
        value
    });
    refined.fold(f64::INFINITY, min)
}

/// Datapoints of the plane: anywhere, on few directions, along a line; weights, λ, a scale.
fn problems(most: usize) -> impl Strategy<Value = Problem> {
    let point = prop_oneof![
        4 => (-1.0..1.0_f64, -1.0..1.0_f64),
        2 => (0..8_i32, 0.3..1.5_f64).prop_map(|(k, r)| {
            let angle = f64::from(k) * TAU / 8.0;
            (r * angle.cos(), r * angle.sin())
        }),
        1 => (-1.0..1.0_f64).prop_map(|t| (t, 0.0)),
        1 => Just((0.0, 0.0)),
    ];
    let weight = prop_oneof![4 => 0.1..1.0_f64, 1 => 1e-9..1e-6_f64];
    let scale = prop_oneof![3 => Just(0), 1 => Just(332), 1 => Just(-332), 1 => -40..40_i32];
    (prop::collection::vec((point, weight), 1..=most), 0.02..0.9_f64, scale).prop_map(
        |(points, lambda, exponent)| {
            let unit = 2.0_f64.powi(exponent);
            let columns: Vec<[f64; 2]> = points.iter().map(|((x, y), _)| [unit * x, unit * y]).collect();
            Problem::builder(Matrix::from_columns(2, &columns))
                .lambda(unit * lambda)
                .weights(points.iter().map(|(_, w)| *w).collect())
                .build()
                .unwrap()
        },
    )
}

/// The bound with a goal near the best dictionary that [`Planar`] finds.
fn bound(problem: &Problem, width: usize) -> (f64, f64) {
    let solution = Planar::new(width).solve(problem).unwrap();
    let certificate = solution.certified.certificate();
    (
        certificate.objective(),
        certificate.width_bound(width).map_or(certificate.lower_bound().get(), |b| b.get()),
    )
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(100))]

    #[test]
    fn the_optimum_is_that_of_a_refined_grid(problem in problems(7), width in 1..=3_usize) {
        let brute = brute_force(&problem, width);
        let (found, bound) = bound(&problem, width);
        // Neither may be below the other by more than the search's accuracy.
        prop_assert!(bound <= brute * (1.0 + 1e-12), "{bound} above {brute}");
        prop_assert!(found <= brute * (1.0 + 1e-6) && bound >= found * (1.0 - 1e-5), "{bound} {found} {brute}");
    }

    /// Any goal, attainable or not, any number of levels, stopped or not.
    #[test]
    fn no_dictionary_of_the_width_is_below_the_bound(
        problem in problems(12),
        angles in prop::collection::vec(0.0..TAU, 1..=5),
        factor in prop_oneof![Just(1.0), 0.0..3.0_f64, Just(f64::INFINITY), Just(-1.0)],
        levels in 0..9_u32,
        polls in prop_oneof![Just(usize::MAX), 0..60_usize],
    ) {
        let objective = cost(&problem, &angles);
        let left = std::sync::atomic::AtomicUsize::new(polls);
        let observer = |_: &Progress| {
            use std::sync::atomic::Ordering::Relaxed;
            match left.fetch_update(Relaxed, Relaxed, |n| n.checked_sub(1)) {
                Ok(_) => ControlFlow::Continue(()),
                Err(_) => ControlFlow::Break(Interrupt::Cancelled),
            }
        };
        let goal = Goal { levels, ..Goal::new(angles.len(), factor * objective) };
        let Some(found) = prove(&problem, &goal, &observer) else { return Ok(()) };
        prop_assert!(found.lower.get() <= objective * (1.0 + 1e-12), "{found:?} above {objective}");
        prop_assert!(found.lower.get() >= widedict::trusted::bounds::wide_limit(&problem).lower.get());
        let short = polls < usize::MAX;
        prop_assert!(short || found.interrupt.is_none());
    }

    /// Whatever is left holds the atoms of every dictionary below the goal.
    #[test]
    fn what_is_left_holds_every_better_dictionary(
        problem in problems(6), angles in prop::collection::vec(0.0..TAU, 1..=3), above in 1e-9..0.2_f64,
    ) {
        let objective = cost(&problem, &angles);
        let goal = Goal { levels: 7, ..Goal::new(angles.len(), objective * (1.0 + above)) };
        let Some(found) = prove(&problem, &goal, &()) else { return Ok(()) };
        for angle in angles {
            let inside = |&[from, to]: &[f64; 2]| from - 1e-12 <= angle && angle <= to + 1e-12;
            prop_assert!(found.arcs.iter().any(inside), "{angle} is in none of {:?}", found.arcs);
        }
    }

    /// The law that makes the objective a sum over neighbors.
    #[test]
    fn a_pair_of_neighbors_codes_a_datapoint(
        (r, angle) in (0.0..2.0_f64, 0.0..TAU), lambda in 0.01..1.5_f64,
        angles in prop::collection::vec(0.0..TAU, 1..=6),
    ) {
        let y = [r * angle.cos(), r * angle.sin()];
        let turn = |a: f64| (angle - a).rem_euclid(TAU);
        let before = angles.iter().copied().min_by(|a, b| turn(*a).total_cmp(&turn(*b))).unwrap();
        let after = angles.iter().copied().max_by(|a, b| turn(*a).total_cmp(&turn(*b))).unwrap();
        let (all, two) = (point_cost(y, lambda, &angles), point_cost(y, lambda, &[before, after]));
        prop_assert!((all - two).abs() <= 1e-9 * (1.0 + r * r), "{all} {two}");
    }

    /// An isometric copy in more dimensions has the same bound but for rounding.
    #[test]
    fn data_in_more_dimensions_are_bounded_in_their_plane(
        problem in problems(8), width in 1..=3_usize, frame in prop::collection::vec(-1.0..1.0_f64, 10),
    ) {
        let norm = |v: &[f64]| v.iter().map(|x| x * x).sum::<f64>().sqrt();
        let first: Vec<f64> = frame[..5].iter().map(|v| v / norm(&frame[..5])).collect();
        let inner: f64 = first.iter().zip(&frame[5..]).map(|(a, b)| a * b).sum();
        let rest: Vec<f64> = frame[5..].iter().zip(&first).map(|(v, q)| v - inner * q).collect();
        prop_assume!(norm(&frame[..5]) > 0.1 && norm(&rest) > 0.1);
        let second: Vec<f64> = rest.iter().map(|v| v / norm(&rest)).collect();
        let data = problem.data();
        let x = Matrix::from_fn(5, data.len(), |j, i| {
            first[j] * data.datapoint(i)[0] + second[j] * data.datapoint(i)[1]
        });
        let lifted = Problem::builder(x)
            .lambda(problem.lambda())
            .weights(data.weights().to_vec())
            .build()
            .unwrap();
        let ((flat, flat_bound), (found, bound)) = (bound(&problem, width), bound(&lifted, width));
        prop_assert!(bound <= flat * (1.0 + 1e-12) && flat_bound <= found * (1.0 + 1e-12));
        prop_assert!((found - flat).abs() <= 3e-6 * flat + f64::MIN_POSITIVE, "{found} {flat}");
    }
}

/// `h_λ(r)` for r > λ.
fn huber(r: f64, lambda: f64) -> f64 {
    lambda * r - 0.5 * lambda * lambda
}

fn of(points: &[[f64; 2]], lambda: f64, weights: &[f64]) -> Problem {
    Problem::builder(Matrix::from_columns(2, points))
        .lambda(lambda)
        .weights(weights.to_vec())
        .build()
        .unwrap()
}

/// Theorem `two-feature`, item 1: the second feature is merged, at the radial value.
#[test]
fn nested_features_have_the_radial_value() {
    for (theta, lambda, share) in [(1.0_f64, 0.3, 0.6), (1.5, 0.05, 0.2), (0.3, 0.9, 0.9)] {
        let sum = [1.0 + theta.cos(), theta.sin()];
        let problem = of(&[[1.0, 0.0], sum], lambda, &[share, 1.0 - share]);
        let radial = share * huber(1.0, lambda) + (1.0 - share) * huber(2.0 * (0.5 * theta).cos(), lambda);
        let (found, two) = bound(&problem, 2);
        assert!((found - radial).abs() < 1e-12 && (two - radial).abs() < 1e-12, "{two} {radial}");
        // With a third datapoint two atoms do not reach it: the bound is of two, not of any number.
        let problem = of(&[[1.0, 0.0], sum, [theta.cos(), theta.sin()]], lambda, &[0.5, 0.3, 0.2]);
        let (found, two) = bound(&problem, 2);
        assert!(two > wide_limit(&problem, None) * (1.0 + 1e-4), "{two}");
        assert!(two >= found * (1.0 - 1e-5) && two <= found);
    }
}

/// Evenly spread datapoints, several an atom: no regular dictionary is below the bound, nor much
/// below what is found.
#[test]
fn regular_dictionaries_are_not_below_the_bound() {
    let len = 12;
    let points: Vec<[f64; 2]> =
        (0..len).map(|k| TAU * f64::from(k) / f64::from(len)).map(|a| [a.cos(), a.sin()]).collect();
    let problem = of(&points, 0.4, &[1.0; 12]);
    for width in [3_usize, 4] {
        let step = TAU / width as f64;
        // Atoms at datapoints, and between them.
        let regular = [0.0, TAU / 24.0].map(|first| {
            let angles: Vec<f64> = (0..width).map(|k| first + step * k as f64).collect();
            cost(&problem, &angles)
        });
        let least = min(regular[0], regular[1]);
        let (found, bound) = bound(&problem, width);
        assert!(found <= least * (1.0 + 1e-9), "{found} above {least}");
        assert!(bound <= found && bound >= found * (1.0 - 1e-5), "{bound}, {found}, {least}");
    }
}

#[test]
fn what_the_theorem_does_not_speak_of_has_no_bound() {
    let x = Matrix::from_columns(2, &[[1.0, 0.2], [0.3, 0.9]]);
    let build = |lambda, gamma, centered| {
        Problem::builder(x.clone()).lambda(lambda).gamma(gamma).centered(centered).build().unwrap()
    };
    let goal = Goal::new(1, 0.1);
    assert!(prove(&build(0.2, 0.1, false), &goal, &()).is_none());
    assert!(prove(&build(0.2, 0.0, true), &goal, &()).is_none());
    let problem = build(0.2, 0.0, false);
    assert!(prove(&problem, &Goal::new(0, 0.1), &()).is_none());
    assert!(prove(&problem, &Goal::new(1, f64::NAN), &()).is_none());
    // More atoms than datapoints, however many: the wide limit.
    let many = prove(&problem, &Goal::new(usize::MAX, 0.1), &()).unwrap();
    assert!((many.lower.get() - wide_limit(&problem, None)).abs() < 1e-12);
}

/// Data of rank three: the bound is that of a projection, hence of no use, and no higher than
/// what a dictionary costs.
#[test]
fn data_of_rank_three_are_bounded_from_below() {
    let x = Matrix::from_columns(3, &[[1.0, 0.0, 0.0], [0.0, 1.0, 0.0], [0.0, 0.0, 0.9], [0.5, 0.5, 0.7]]);
    let problem = Problem::builder(x).lambda(0.2).build().unwrap();
    let found = widedict::Finite { restarts: 6, ..widedict::Finite::new(2) }.solve(&problem).unwrap();
    let objective = found.certified.certificate().objective();
    let PlanarBound { lower, .. } = prove(&problem, &Goal::new(2, objective), &()).unwrap();
    assert!(lower.get() <= objective && lower.get() > 0.0);
}
