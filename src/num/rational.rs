//! Exact rationals, for unit tests alone.

use num_rational::BigRational;
use num_traits::{Signed, Zero};

pub(crate) fn exact(x: f64) -> BigRational {
    BigRational::from_float(x).expect("finite")
}

/// Whether a symmetric rational matrix is positive semidefinite, by elimination.
pub(crate) fn is_psd(mut m: Vec<Vec<BigRational>>) -> bool {
    let n = m.len();
    for k in 0..n {
        if m[k][k].is_negative() || (m[k][k].is_zero() && m[k][k..].iter().any(|v| !v.is_zero())) {
            return false;
        }
        if m[k][k].is_zero() {
            continue;
        }
        let pivot_row = m[k].clone();
        for row in m.iter_mut().skip(k + 1) {
            let factor = row[k].clone() / pivot_row[k].clone();
            for (v, p) in row.iter_mut().zip(&pivot_row) {
                *v = v.clone() - factor.clone() * p.clone();
            }
        }
    }
    true
}
