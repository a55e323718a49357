//! Atoms and pairs out of use beside a local minimum (theorem `local-radius`, H3 and H4):
//! they change nothing while they stay out of use within the radius; where they may not, an
//! atom forbids the verdict and a pair is counted.

use widedict::certificate::Options;
use widedict::search::escape;
use widedict::testing::{factorization, naive};
use widedict::trusted::local;
use widedict::{Certified, Factorization, Matrix, Problem, Witness, certify};

use crate::support::checks::close;

const LAMBDA: f64 = 0.5;
const ANGLE: f64 = 0.45;

/// Two datapoints beside their common atom, at rest, with more atoms that have no codes.
fn beside(gamma: f64, unused: &[[f64; 2]]) -> (Problem, Factorization) {
    let (c, s) = (ANGLE.cos(), ANGLE.sin());
    let problem = Problem::builder(Matrix::from_columns(2, &[[c, s], [c, -s]]))
        .lambda(LAMBDA)
        .gamma(gamma)
        .build()
        .unwrap();
    let code = c - LAMBDA.hypot(gamma);
    let atoms: Vec<[f64; 2]> = [[1.0, 0.0]].into_iter().chain(unused.iter().copied()).collect();
    let codes = Matrix::from_fn(atoms.len(), 2, |k, _| if k == 0 { code } else { 0.0 });
    (problem, factorization(Matrix::from_columns(2, &atoms), &codes, None).unwrap())
}

fn tested(problem: &Problem, point: &Factorization) -> Certified {
    let limits = local::Limits::default();
    let curvature = escape::curvature(problem, point, &limits, &());
    let options = Options { local: Some(limits), ..Options::default() };
    certify(problem, point.clone(), &Witness { curvature, ..Witness::none() }, &options).unwrap()
}

/// The direction at which the polar of the residuals is `value`, by bisection from the
/// opposite of all datapoints.
fn at_polar(gamma: f64, value: f64) -> [f64; 2] {
    let (problem, point) = beside(gamma, &[]);
    let residuals = naive::residuals(&problem, &point);
    let gauge = naive::Gauge::of(&problem);
    let polar = |angle: f64| {
        let d = [angle.cos(), angle.sin()];
        let v: Vec<f64> = (0..2).map(|i| gauge.a[i] * naive::inner(&d, residuals.col(i))).collect();
        gauge.polar(&v)
    };
    let (mut above, mut below) = (residuals.col(0)[1].atan2(residuals.col(0)[0]), std::f64::consts::PI);
    assert!(polar(above) > value && polar(below) < value);
    for _ in 0..200 {
        let middle = 0.5 * (above + below);
        *if polar(middle) > value { &mut above } else { &mut below } = middle;
    }
    [below.cos(), below.sin()]
}

#[test]
fn an_atom_that_stays_out_of_use_changes_nothing() {
    for gamma in [0.0, 0.02, 0.1, 0.3] {
        let (problem, point) = beside(gamma, &[]);
        let alone = tested(&problem, &point);
        let alone = alone.certificate().local().unwrap();
        assert!(alone.certified, "{gamma}: {}", alone.reason);
        for unused in [[-1.0, 0.0], at_polar(gamma, 0.5), at_polar(gamma, 0.99)] {
            let (problem, point) = beside(gamma, &[unused]);
            let done = tested(&problem, &point);
            let local = done.certificate().local().unwrap();
            assert!(local.certified, "{gamma}, {unused:?}: {}", local.reason);
            close("radius", local.radius.unwrap(), alone.radius.unwrap(), 1e-14, 1e-6);
            let growth = |l: &widedict::certificate::LocalSummary| l.eigenvalue_lower.unwrap();
            close("growth", growth(local), growth(alone), 0.0, 1e-6);
        }
    }
}

/// One of them is enough.
#[test]
fn an_atom_at_the_point_of_being_used_forbids_the_verdict() {
    for gamma in [0.0, 0.02, 0.1, 0.3] {
        for value in [1.0 - 1e-10, 1.0 - 1e-13] {
            let (problem, point) = beside(gamma, &[[-1.0, 0.0], at_polar(gamma, value)]);
            let done = tested(&problem, &point);
            let local = done.certificate().local().unwrap();
            assert!(!local.certified, "{gamma}, {value}");
            assert!(local.reason.contains("unused atoms"), "{}", local.reason);
        }
    }
}

/// Two pairs of datapoints, each on both sides of its atom; the first of them has the margin
/// `margin` at the atom of the other pair. The first atom is turned away from all by `turn`,
/// its codes made optimal again. Datapoints of the first pair weigh `weight` of the others.
fn two_pairs(margin: f64, turn: f64, weight: f64) -> (Problem, Factorization) {
    let x = [[2.0, LAMBDA - margin, 0.0], [2.0, margin - LAMBDA, 0.0], [0.0, 1.5, 0.3], [0.0, 1.5, -0.3]];
    let problem = Problem::builder(Matrix::from_columns(3, &x))
        .lambda(LAMBDA)
        .weights(vec![weight, weight, 1.0, 1.0])
        .build()
        .unwrap();
    let atoms = [[turn.cos(), 0.0, turn.sin()], [0.0, 1.0, 0.0]];
    let code = 2.0 * turn.cos() - LAMBDA;
    let codes = Matrix::from_columns(2, &[[code, 0.0], [code, 0.0], [0.0, 1.0], [0.0, 1.0]]);
    (problem, factorization(Matrix::from_columns(3, &atoms), &codes, None).unwrap())
}

/// `√c` of both atoms, by its definition.
fn roots(problem: &Problem, point: &Factorization) -> [f64; 2] {
    let w = problem.data().weights();
    let x = problem.data().datapoints();
    let square: f64 = x.columns().zip(w).map(|(x, w)| w * naive::inner(&x, &x)).sum();
    [0, 1].map(|k| {
        let z = naive::row(&widedict::testing::dense_codes(point), k);
        let energy: f64 = z.iter().zip(w).map(|(z, w)| w * z * z).sum();
        ((naive::row_gauge(problem, &z) + energy) / square).sqrt().log2().round().exp2()
    })
}

/// H3 asks a margin for what the residual turns with the atom, and for what it moves with
/// the atom that the datapoint uses. The radius of the proof is above the one reported.
#[test]
fn a_pair_that_may_come_into_use_is_counted() {
    for (turn, weight) in [(1e-4, 1.0), (1e-5, 1.0), (1e-6, 1.0), (1e-6, 1e-3)] {
        let (problem, point) = two_pairs(0.3, turn, weight);
        let done = tested(&problem, &point);
        let far = done.certificate().local().unwrap();
        assert!(far.certified && !far.degenerate, "{turn}: {}", far.reason);
        let (radius, [used, other]) = (far.radius.unwrap(), roots(&problem, &point));
        let residual = naive::length(naive::residuals(&problem, &point).col(0));
        let need =
            radius * (residual / other + point.codes().column(0).iter().map(|(_, z)| z).sum::<f64>() / used);
        for part in [0.9, 0.5, 0.1] {
            let (problem, point) = two_pairs(part * need, turn, weight);
            let done = tested(&problem, &point);
            let near = done.certificate().local().unwrap();
            assert!(near.degenerate || !near.certified, "{turn}, {part}: {}", near.reason);
        }
        // And no more than it needs.
        let (problem, point) = two_pairs(100.0 * need, turn, weight);
        let done = tested(&problem, &point);
        let clear = done.certificate().local().unwrap();
        assert!(clear.certified && !clear.degenerate, "{turn}: {}", clear.reason);
    }
}
