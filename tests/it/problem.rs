//! What a problem refuses, what it accepts, and the objective at its edges.

use proptest::prelude::*;
use widedict::Columns;
use widedict::gauge::{PenaltyError, huber};
use widedict::problem::{DataError, ProblemError};
use widedict::testing::{factorization, naive};
use widedict::trusted::Subject;
use widedict::{Factorization, Matrix, Problem, Witness};

use crate::support::checks::{self, close, magnitude, rounding};
use crate::support::exact::{self, ex};
use crate::support::strategies::{Limits, decades, feasible_points, penalties};

fn data() -> Matrix {
    Matrix::from_columns(2, &[[1.0, 0.3], [0.5, -0.2], [0.0, 0.7]])
}

fn build(
    points: Matrix,
    weights: Option<Vec<f64>>,
    lambda: f64,
    gamma: f64,
) -> Result<Problem, ProblemError> {
    let builder = Problem::builder(points).lambda(lambda).gamma(gamma);
    match weights {
        Some(weights) => builder.weights(weights).build(),
        None => builder.build(),
    }
}

#[test]
fn bad_data_are_refused_by_place_and_value() {
    for value in [f64::INFINITY, f64::NEG_INFINITY] {
        let mut x = data();
        x.col_mut(2)[1] = value;
        let error = DataError::NotFinite { datapoint: 2, coordinate: 1, value };
        assert_eq!(build(x, None, 0.1, 0.1), Err(error.into()));
    }
    let mut x = data();
    x.col_mut(1)[0] = f64::NAN;
    let refused = build(x, None, 0.1, 0.1);
    assert!(
        matches!(
            refused,
            Err(ProblemError::Data(DataError::NotFinite { datapoint: 1, coordinate: 0, value })) if value.is_nan()
        ),
        "{refused:?}"
    );
    for value in [1.0000001e140, -1e300, f64::MAX] {
        let mut x = data();
        x.col_mut(0)[1] = value;
        let error = DataError::TooLarge { datapoint: 0, coordinate: 1, value };
        assert_eq!(build(x, None, 0.1, 0.1), Err(error.into()));
    }
    for (dim, points) in [(0, 3), (2, 0), (0, 0)] {
        let error = DataError::Empty { datapoints: points, dim };
        assert_eq!(build(Matrix::zeros(dim, points), None, 0.1, 0.1), Err(error.into()));
    }
}

#[test]
fn bad_weights_are_refused_by_place_and_value() {
    for value in [0.0, -0.0, -1.0, f64::INFINITY, f64::NEG_INFINITY] {
        let error = DataError::Weight { index: 1, value };
        assert_eq!(build(data(), Some(vec![1.0, value, 1.0]), 0.1, 0.1), Err(error.into()));
    }
    let refused = build(data(), Some(vec![f64::NAN, 1.0, 1.0]), 0.1, 0.1);
    assert!(
        matches!(refused, Err(ProblemError::Data(DataError::Weight { index: 0, value })) if value.is_nan()),
        "{refused:?}"
    );
    for found in [0, 2, 4] {
        let error = DataError::WeightCount { expected: 3, found };
        assert_eq!(build(data(), Some(vec![1.0; found]), 0.1, 0.1), Err(error.into()));
    }
    // A weight that vanishes beside another is named with the value given.
    let error = DataError::Weight { index: 2, value: 1e-300 };
    assert_eq!(build(data(), Some(vec![1e300, 1.0, 1e-300]), 0.1, 0.1), Err(error.into()));
    // Only ratios matter, whatever the size.
    for size in [1e-300, 1.0, 1e300] {
        let problem = build(data(), Some(vec![size, 2.0 * size, size]), 0.1, 0.1).unwrap();
        assert_eq!(problem.data().weights(), [0.25, 0.5, 0.25]);
    }
}

#[test]
fn bad_penalties_are_refused_by_name_and_value() {
    for value in [-1.0, -5e-324, f64::INFINITY, f64::NEG_INFINITY] {
        let lambda = PenaltyError::NotANonnegativeNumber { name: "lambda", value };
        assert_eq!(build(data(), None, value, 0.1), Err(lambda.into()));
        let gamma = PenaltyError::NotANonnegativeNumber { name: "gamma", value };
        assert_eq!(build(data(), None, 0.1, value), Err(gamma.into()));
    }
    let refused = build(data(), None, f64::NAN, 0.1);
    assert!(
        matches!(
            refused,
            Err(ProblemError::Penalty(PenaltyError::NotANonnegativeNumber { name: "lambda", value }))
                if value.is_nan()
        ),
        "{refused:?}"
    );
    for (lambda, gamma) in [(0.0, 0.0), (-0.0, 0.0), (-0.0, -0.0)] {
        assert_eq!(build(data(), None, lambda, gamma), Err(PenaltyError::BothZero.into()));
    }
    // −0.0 is 0.
    let problem = build(data(), None, -0.0, 0.5).unwrap();
    assert!(problem.lambda() == 0.0 && problem.lambda().is_sign_positive());
    assert_eq!(problem.with_penalty(0.0, 0.0), Err(PenaltyError::BothZero));
    let other = problem.with_penalty(0.25, 0.0).unwrap();
    assert_eq!((other.lambda(), other.gamma(), other.data()), (0.25, 0.0, problem.data()));
}

#[test]
fn errors_are_one_clause_with_the_numbers() {
    let text = |e: ProblemError| e.to_string();
    let error = DataError::NotFinite { datapoint: 4, coordinate: 2, value: f64::NAN };
    assert_eq!(text(error.into()), "datapoint 4, coordinate 2: expected a finite number, found NaN");
    let error = DataError::WeightCount { expected: 3, found: 2 };
    assert_eq!(text(error.into()), "expected 3 weights, one a datapoint, found 2");
    let error = PenaltyError::NotANonnegativeNumber { name: "gamma", value: -1.0 };
    assert_eq!(text(error.into()), "gamma must be a finite number at least 0, found -1");
}

/// Valid data that break naive code: each with a point and a witness gives a
/// certificate whose numbers are right.
#[test]
fn odd_but_valid_data_give_right_answers() {
    let tables: Vec<(&str, Matrix)> = vec![
        ("one point", Matrix::from_columns(2, &[[0.6, 0.8]])),
        ("one dimension", Matrix::from_columns(1, &[[0.5], [-0.7], [0.0]])),
        ("one number", Matrix::from_columns(1, &[[2.0]])),
        ("all zero", Matrix::zeros(2, 3)),
        ("negative zeros", Matrix::from_fn(2, 3, |_, _| -0.0)),
        ("zero rows", Matrix::from_columns(3, &[[0.0, 1.0, 0.0], [0.0, 0.5, 0.0]])),
        ("constant column", Matrix::from_columns(2, &[[0.7, 0.7], [0.7, 0.7], [0.7, 0.7]])),
        ("duplicates", Matrix::from_columns(2, &[[1.0, 0.2], [1.0, 0.2], [0.1, 1.0]])),
        ("subnormals", Matrix::from_columns(2, &[[5e-324, 1e-310], [1.0, 0.0]])),
        ("only subnormals", Matrix::from_columns(2, &[[5e-324, 1e-310], [1e-320, 0.0]])),
        ("the largest accepted", Matrix::from_columns(2, &[[1e140, 0.0], [0.0, -1e140]])),
        ("far apart", Matrix::from_columns(2, &[[1e140, 0.0], [0.0, 1e-140]])),
    ];
    for (name, x) in tables {
        let size = x.as_slice().iter().fold(0.0, |m, v| widedict::num::max(m, v.abs()));
        let unit = if size > 0.0 { size } else { 1.0 };
        for (lambda, gamma) in [(0.3, 0.0), (0.3, 0.2), (0.0, 0.2), (1e-12, 0.3), (0.3, 1e-12)] {
            for centered in [false, true] {
                let problem = Problem::builder(x.clone())
                    .lambda(lambda * unit)
                    .gamma(gamma * unit)
                    .centered(centered)
                    .build()
                    .unwrap_or_else(|e| panic!("{name}: {e}"));
                let codes =
                    Matrix::from_fn(2, x.ncols(), |k, i| if (i + k) % 2 == 0 { 0.3 * unit } else { 0.0 });
                let mut atoms =
                    Matrix::from_fn(x.nrows(), 2, |j, k| if j == k || x.nrows() == 1 { 1.0 } else { 0.5 });
                atoms.col_mut(1)[0] *= -1.0;
                let center = centered.then(|| vec![0.1 * unit; x.nrows()]);
                let point = factorization(atoms, &codes, center).unwrap();
                let empty = Factorization::new(
                    widedict::Dictionary::empty(x.nrows()),
                    widedict::Codes::zeros(0, x.ncols()),
                    None,
                )
                .unwrap();
                for point in [point, empty] {
                    let done =
                        widedict::certify(&problem, point.clone(), &Witness::none(), &Default::default())
                            .unwrap_or_else(|e| panic!("{name} ({lambda}, {gamma}, {centered}): {e}"));
                    let exact = exact::objective(&problem, &point);
                    let certificate = done.certificate();
                    assert!(ex(certificate.upper().get()) >= exact, "{name}: upper");
                    assert!(ex(certificate.lower_bound().get()) <= exact, "{name}: lower");
                    assert!(
                        certificate.objective().is_finite() && certificate.kkt().relative() >= 0.0,
                        "{name}"
                    );
                }
            }
        }
    }
}

#[test]
fn the_huber_function_meets_itself() {
    for lambda in [0.0, 1e-300, 0.3, 1e100] {
        close("at the joint", huber(lambda, lambda), 0.5 * lambda * lambda, 0.0, 1e-15);
        close("just above", huber(lambda, lambda.next_up()), 0.5 * lambda * lambda, f64::MIN_POSITIVE, 1e-15);
        assert_eq!(huber(lambda, 0.0), 0.0);
    }
    close("linear part", huber(0.3, 2.0), 0.555, 0.0, 1e-15);
}

proptest! {
    #[test]
    fn weights_are_normalized_and_only_ratios_matter(weights in prop::collection::vec(decades(-20.0, 20.0), 3), size in decades(-200.0, 200.0)) {
        let one = build(data(), Some(weights.clone()), 0.1, 0.1).unwrap();
        let other = build(data(), Some(weights.iter().map(|w| w * size).collect()), 0.1, 0.1).unwrap();
        close("sum", one.data().weights().iter().sum(), 1.0, 1e-15, 0.0);
        for i in 0..3 {
            close("weight", one.data().weights()[i], other.data().weights()[i], 0.0, 1e-14);
            let root = one.data().sqrt_weights()[i];
            close("root", root * root, one.data().weights()[i], 0.0, 1e-15);
        }
        let mean = one.data().mean();
        let naive: f64 = (0..3).map(|i| one.data().weights()[i] * data().get(0, i)).sum();
        close("mean", mean[0], naive, 1e-15, 0.0);
    }

    #[test]
    fn objective_and_residuals_are_the_naive_ones((problem, point) in feasible_points(Limits::default(), penalties())) {
        let subject = Subject::of(&problem, &point).unwrap();
        let (residuals, found) = (subject.residuals(), subject.primal());
        let expected = naive::residuals(&problem, &point);
        let slack = rounding(&problem, &point) * magnitude(&problem, &point);
        close("objective", found.value(), naive::objective(&problem, &point), slack, 0.0);
        let exact = exact::objective(&problem, &point);
        prop_assert!(ex(found.lower.get()) <= exact && exact <= ex(found.upper.get()));
        prop_assert!(found.upper.get() - found.lower.get() <= slack + f64::MIN_POSITIVE);
        let size = (2.0 * magnitude(&problem, &point)).sqrt() / smallest_root(&problem);
        for (r, e) in residuals.as_matrix().as_slice().iter().zip(expected.as_slice()) {
            close("residual", *r, *e, rounding(&problem, &point) * size, 0.0);
        }
    }

    #[test]
    fn the_objective_scales((problem, point) in feasible_points(Limits::default(), penalties()), k in -60..60_i32) {
        // X, Z, b, λ and γ times c: the objective times c². Powers of two are exact.
        let c = 2.0_f64.powi(k);
        let times = |m: &Matrix| Matrix::from_fn(m.nrows(), m.ncols(), |i, j| m.get(i, j) * c);
        prop_assume!(checks::magnitude(&problem, &point) < 1e150);
        let larger = Problem::builder(times(&problem.data().datapoints().as_matrix()))
            .weights(problem.data().weights().to_vec())
            .lambda(problem.lambda() * c)
            .gamma(problem.gamma() * c)
            .centered(problem.centered())
            .build()
            .unwrap();
        let center = point.center().map(|b| b.iter().map(|v| v * c).collect());
        let codes = times(&widedict::testing::dense_codes(&point));
        let moved = factorization(point.dictionary().matrix().clone(), &codes, center).unwrap();
        let value = |problem: &Problem, point: &Factorization| {
            Subject::of(problem, point).unwrap().primal().value()
        };
        let slack = rounding(&problem, &point) * magnitude(&larger, &moved);
        close("scaled", value(&larger, &moved), c * c * value(&problem, &point), slack + 1e-300, 0.0);
    }
}

fn smallest_root(problem: &Problem) -> f64 {
    problem.data().sqrt_weights().iter().copied().fold(1.0, widedict::num::min)
}
