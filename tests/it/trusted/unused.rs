//! Atoms out of use beside a local minimum (theorem `local-radius`, H4): they change nothing
//! while they stay out of use within the radius, and forbid the verdict where they may not.

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
