//! Stationarity residuals where numbers overflow.

use widedict::testing::factorization;
use widedict::{Matrix, Problem, Verdict, Witness, certify};

/// A price per unit weight beyond the largest number: neither stationary nor refuted.
#[test]
fn a_residual_that_overflows_is_a_number_and_says_nothing() {
    let problem = Problem::builder(Matrix::from_columns(1, &[[1.0], [-1.8], [-0.1]]))
        .weights(vec![0.4, 5e203, 1.0])
        .lambda(2.0)
        .gamma(5e303)
        .build()
        .unwrap();
    let codes = Matrix::from_columns(1, &[[0.75], [0.0], [0.0]]);
    let point = factorization(Matrix::from_columns(1, &[[1.0]]), &codes, None).unwrap();
    let done = certify(&problem, point, &Witness::none(), &Default::default()).unwrap();
    let certificate = done.certificate();
    assert_eq!(certificate.kkt().relative(), f64::INFINITY);
    assert!(matches!(certificate.verdict(), Verdict::Undecided { .. }), "{}", certificate.verdict());
}
