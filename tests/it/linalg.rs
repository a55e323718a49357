//! Kernels against plain loops and exact sums, for any number of threads;
//! eigenvalue bounds against exact determinants.

use num_rational::BigRational;
use num_traits::{Signed, Zero};
use proptest::collection::vec;
use proptest::prelude::*;
use widedict::Matrix;
use widedict::linalg::{self, Row, psd};
use widedict::testing::{kernels, naive, planted, sparse};

use crate::support::checks::close;
use crate::support::strategies::{decades, symmetric};

fn vectors(len: usize) -> BoxedStrategy<Vec<f64>> {
    vec(prop_oneof![4 => -1.0..1.0_f64, 1 => Just(0.0), 1 => decades(-9.0, 3.0)], len).boxed()
}

/// Lengths around the multiples of eight that the kernels are unrolled to.
fn pairs() -> BoxedStrategy<(Vec<f64>, Vec<f64>)> {
    (0..40_usize).prop_flat_map(|n| (vectors(n), vectors(n))).boxed()
}

/// Runs `f` on a pool of `threads`.
fn with_threads<R: Send>(threads: usize, f: impl FnOnce() -> R + Send) -> R {
    rayon::ThreadPoolBuilder::new().num_threads(threads).build().unwrap().install(f)
}

fn bits(values: &[f64]) -> Vec<u64> {
    values.iter().map(|v| v.to_bits()).collect()
}

/// The bits of the result are those of one thread, for 2 and 7.
fn same_for_any_threads(what: &str, f: impl Fn() -> Vec<f64> + Sync) -> Vec<f64> {
    let one = with_threads(1, &f);
    for threads in [2, 7] {
        assert_eq!(bits(&one), bits(&with_threads(threads, &f)), "{what} with {threads} threads");
    }
    one
}

fn absolute(a: &[f64], b: &[f64]) -> f64 {
    a.iter().zip(b).map(|(a, b)| (a * b).abs()).sum()
}

proptest! {
    #[test]
    fn inner_products_are_those_of_a_loop((a, b) in pairs(), c in -2.0..2.0_f64) {
        let slack = 64.0 * f64::EPSILON;
        close("dot", linalg::dot(&a, &b), naive::inner(&a, &b), slack * absolute(&a, &b), 0.0);
        close("norm", linalg::norm(&a), naive::length(&a), 0.0, slack);
        close("norm_sq", linalg::norm_sq(&a), naive::inner(&a, &a), 0.0, slack);
        let difference: Vec<f64> = a.iter().zip(&b).map(|(a, b)| a - b).collect();
        close("distance", linalg::distance_sq(&a, &b), naive::inner(&difference, &difference), 0.0, slack);
        let mut y = b.clone();
        linalg::axpy(c, &a, &mut y);
        for i in 0..a.len() {
            prop_assert_eq!(y[i].to_bits(), (b[i] + c * a[i]).to_bits());
        }
    }

    #[test]
    fn rows_and_products_of_codes((dim, atoms, points, seed) in (1..5_usize, 0..6_usize, 1..9_usize, vectors(256))) {
        let at = |k: usize| seed[k % seed.len()];
        let codes = Matrix::from_fn(atoms, points, |k, i| if (k + 2 * i) % 3 == 0 { 0.0 } else { at(k * 31 + i).abs() });
        let dictionary = Matrix::from_fn(dim, atoms, |j, k| at(j * 17 + k * 5 + 1));
        let x = Matrix::from_fn(dim, points, |j, i| at(j * 13 + i * 7 + 2));
        let held = sparse(&codes);
        for (k, row) in linalg::rows_of(held.view()).iter().enumerate() {
            prop_assert_eq!(row, &Row::from_dense(&naive::row(&codes, k)));
            prop_assert!(row.indices.is_sorted());
        }
        let mut out = x.clone();
        linalg::subtract_product(&dictionary, held.view(), &mut out);
        let product = naive::times(&dictionary, &codes);
        for i in 0..points {
            for j in 0..dim {
                close("X − DZ", out.get(j, i), x.get(j, i) - product.get(j, i), 1e-12, 1e-14);
            }
        }
    }

    #[test]
    fn cholesky_never_claims_more_than_the_exact_matrix(matrix in symmetric(5)) {
        if let Some(c) = psd::negative_part_bound(&matrix) {
            prop_assert!(c >= 0.0 && semidefinite(&matrix, c, 1), "{c:e} does not make it semidefinite");
            // And the bound is of rounding size.
            let trace: f64 = (0..matrix.nrows()).map(|i| matrix.get(i, i)).sum();
            prop_assert!(c <= 100.0 * f64::EPSILON * trace + f64::MIN_POSITIVE);
        } else {
            // Refused: not clearly positive definite.
            let smallest = naive::eigenvalues(&matrix)[0];
            let size = matrix.as_slice().iter().fold(0.0, |m, v| widedict::num::max(m, v.abs()));
            prop_assert!(smallest <= 1e-12 * size);
        }
    }

    #[test]
    fn a_matrix_with_a_negative_eigenvalue_is_refused(matrix in symmetric(5), depth in decades(-16.0, 1.0)) {
        // Shifted so that the smallest eigenvalue is about −depth.
        let size = matrix.as_slice().iter().fold(1.0, |m, v| widedict::num::max(m, v.abs()));
        let smallest = naive::eigenvalues(&matrix)[0];
        let n = matrix.nrows();
        let shifted = Matrix::from_fn(n, n, |i, j| {
            matrix.get(i, j) - if i == j { smallest + depth * size } else { 0.0 }
        });
        if let Some(c) = psd::negative_part_bound(&shifted) {
            prop_assert!(semidefinite(&shifted, c, 1));
        }
    }

    #[test]
    fn the_largest_eigenvalue_is_bounded(matrix in symmetric(5), error in -1.0..1.0_f64, scale in decades(-12.0, 12.0)) {
        let n = matrix.nrows();
        let matrix = Matrix::from_fn(n, n, |i, j| matrix.get(i, j) * scale);
        let largest = naive::eigenvalues(&matrix)[n - 1];
        let size = matrix.as_slice().iter().fold(0.0, |m, v| widedict::num::max(m, v.abs()));
        let Some(good) = psd::largest_eigenvalue_upper(&matrix, largest) else {
            return Err(TestCaseError::fail("no bound"));
        };
        prop_assert!(semidefinite(&matrix, good, -1), "{good:e} is below the largest eigenvalue");
        prop_assert!(good <= largest + 1e-12 * size + 4.0 * f64::MIN_POSITIVE);
        // From a bad estimate the bound is loose, never wrong.
        if let Some(bad) = psd::largest_eigenvalue_upper(&matrix, largest + error * size) {
            prop_assert!(semidefinite(&matrix, bad, -1));
        }
    }

    #[test]
    fn eigenvectors_rebuild_the_matrix(matrix in symmetric(6)) {
        let n = matrix.nrows();
        let largest = matrix.as_slice().iter().fold(0.0, |m, v| widedict::num::max(m, v.abs()));
        let double = (kernels::symmetric_eigen(&matrix), 1e-13 + 1e-13 * largest);
        let single = (kernels::symmetric_eigen_single(&matrix), 1e-13 + 3e-7 * largest);
        for (found, size) in [double, single] {
            let (values, vectors) = found.expect("a finite matrix");
            prop_assert!(values.is_sorted());
            for (value, jacobi) in values.iter().zip(naive::eigenvalues(&matrix)) {
                close("eigenvalue", *value, jacobi, 10.0 * size, 0.0);
            }
            for i in 0..n {
                for j in 0..n {
                    let rebuilt: f64 =
                        (0..n).map(|k| values[k] * vectors.get(i, k) * vectors.get(j, k)).sum();
                    // The lower triangle is read.
                    let (low, high) = (i.max(j), i.min(j));
                    close("V diag V'", rebuilt, matrix.get(low, high), 20.0 * size, 0.0);
                }
            }
        }
    }
}

/// Whether `sign·matrix + shift·I` is positive semidefinite, exactly: all pivots
/// of a symmetric elimination with the largest diagonal entry first.
fn semidefinite(matrix: &Matrix, shift: f64, sign: i32) -> bool {
    let n = matrix.nrows();
    let exact = |v: f64| BigRational::from_float(v).expect("finite");
    let mut m: Vec<Vec<BigRational>> = (0..n)
        .map(|i| {
            (0..n)
                .map(|j| {
                    let (low, high) = (i.max(j), i.min(j));
                    let entry = exact(f64::from(sign) * matrix.get(low, high));
                    if i == j { entry + exact(shift) } else { entry }
                })
                .collect()
        })
        .collect();
    while let Some(p) = (0..m.len()).max_by(|&i, &j| m[i][i].cmp(&m[j][j])) {
        let pivot = m[p][p].clone();
        if pivot.is_negative() {
            return false;
        }
        if pivot.is_zero() {
            return m.iter().all(|row| row.iter().all(Zero::is_zero));
        }
        let top = m[p].clone();
        m.remove(p);
        for row in &mut m {
            let factor = row[p].clone() / pivot.clone();
            for (entry, above) in row.iter_mut().zip(&top) {
                *entry -= factor.clone() * above.clone();
            }
            row.remove(p);
        }
    }
    true
}

#[test]
fn the_exact_test_of_semidefiniteness_works() {
    let identity = Matrix::from_fn(3, 3, |i, j| if i == j { 1.0 } else { 0.0 });
    assert!(semidefinite(&identity, 0.0, 1) && !semidefinite(&identity, 0.0, -1));
    assert!(semidefinite(&identity, 1.0, -1) && !semidefinite(&identity, 1.0_f64.next_down(), -1));
    let ones = Matrix::from_fn(4, 4, |_, _| 1.0);
    assert!(semidefinite(&ones, 0.0, 1) && !semidefinite(&ones, -5e-324, 1));
    assert!(semidefinite(&ones, 4.0, -1) && !semidefinite(&ones, 4.0_f64.next_down(), -1));
    let odd = Matrix::from_fn(2, 2, |i, j| if i == j { 0.0 } else { 1.0 });
    assert!(!semidefinite(&odd, 0.0, 1) && semidefinite(&odd, 1.0, 1));
}

#[test]
fn a_matrix_that_is_not_finite_has_no_bound() {
    for bad in [f64::NAN, f64::INFINITY, f64::NEG_INFINITY] {
        let mut m = Matrix::from_fn(3, 3, |i, j| if i == j { 2.0 } else { 0.5 });
        m.col_mut(1)[2] = bad;
        assert_eq!(psd::negative_part_bound(&m), None);
        assert_eq!(psd::largest_eigenvalue_upper(&m, 3.0), None);
        assert_eq!(psd::largest_eigenvalue_upper(&Matrix::zeros(2, 2), bad), None);
    }
    assert_eq!(psd::negative_part_bound(&Matrix::zeros(0, 0)), Some(0.0));
}

/// Shapes on both sides of the size at which the kernels start to use threads.
const SHAPES: [(usize, usize); 6] = [(1, 1), (3, 10), (1, 70_001), (64, 3_000), (130, 1_000), (1_000, 130)];

#[test]
fn kernels_agree_with_loops_and_do_not_depend_on_threads() {
    for (rows, cols) in SHAPES {
        let x = planted::gaussian(rows, cols, 7);
        let d = planted::gaussian(rows, 2, 8);
        let mut z = planted::gaussian(cols, 2, 9);
        z.as_mut_slice().iter_mut().for_each(|v| {
            if *v < 0.3 {
                *v = 0.0;
            }
        });
        let shape = format!("{rows} x {cols}");
        let close_to = |what: &str, found: f64, expected: f64, size: f64| {
            close(&format!("{what} {shape}"), found, expected, 1e-13 * (1.0 + size), 0.0);
        };

        let correlations = same_for_any_threads("correlate", || kernels::correlate(&x, d.col(0)));
        for (i, c) in correlations.iter().enumerate() {
            close_to("correlate", *c, naive::inner(x.col(i), d.col(0)), absolute(x.col(i), d.col(0)));
        }

        let sum = same_for_any_threads("combine", || kernels::combine(&x, z.col(0)));
        for (j, s) in sum.iter().enumerate() {
            let row = naive::row(&x, j);
            close_to("combine", *s, naive::inner(&row, z.col(0)), absolute(&row, z.col(0)));
        }

        let replaced = same_for_any_threads("replace_outer", || {
            kernels::replace_outer(&x, d.col(0), z.col(0), d.col(1), z.col(1)).into_vec()
        });
        for i in 0..cols {
            for j in 0..rows {
                let expected = x.get(j, i) + d.get(j, 0) * z.get(i, 0) - d.get(j, 1) * z.get(i, 1);
                close_to("replace_outer", replaced[i * rows + j], expected, expected.abs());
            }
        }

        let codes = sparse(&Matrix::from_fn(2, cols, |k, i| z.get(i, k)));
        let left = same_for_any_threads("subtract_product", || {
            let mut out = x.clone();
            linalg::subtract_product(&d, codes.view(), &mut out);
            out.into_vec()
        });
        for i in 0..cols {
            for j in 0..rows {
                let expected = x.get(j, i) - d.get(j, 0) * z.get(i, 0) - d.get(j, 1) * z.get(i, 1);
                close_to("subtract_product", left[i * rows + j], expected, expected.abs());
            }
        }
    }
}

#[test]
fn a_matrix_knows_its_shape() {
    let m = Matrix::from_column_major(2, 3, vec![1.0, 2.0, 3.0, 4.0, 5.0, 6.0]).unwrap();
    assert_eq!((m.nrows(), m.ncols(), m.get(1, 2)), (2, 3, 6.0));
    assert_eq!(m.col(1), [3.0, 4.0]);
    assert_eq!(m.select_columns(&[2, 0]).as_slice(), [5.0, 6.0, 1.0, 2.0]);
    assert_eq!(Matrix::from_column_major(2, 3, vec![0.0; 5]), Err(vec![0.0; 5]));
    assert_eq!(Matrix::from_column_major(usize::MAX, 3, vec![0.0; 5]), Err(vec![0.0; 5]));
    let mut grown = m.clone();
    grown.push_column(&[7.0, 8.0]);
    assert_eq!((grown.ncols(), grown.col(3)), (4, [7.0, 8.0].as_slice()));
    assert_eq!(m.columns().len(), 3);
}
