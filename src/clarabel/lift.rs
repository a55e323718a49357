//! From clarabel's variables back to codes, and to a dual point for the checker.

use super::layout::ProgramLayout;
use super::program::Raw;
use crate::iterate::Iterate;
use crate::linalg::{Matrix, Row, axpy};
use crate::num::max;
use crate::problem::Problem;

/// Shares of the largest code below which an entry counts as zero, tried in turn. An
/// interior point has no zeros: those of the solution come back as numbers of the
/// size of its tolerance. Which share is right depends on how far the run got, so
/// the objective decides: dropping a zero lowers it, dropping a code raises it.
const CLEANING: [f64; 6] = [0.0, 1e-12, 1e-10, 1e-8, 1e-6, 1e-4];

/// The dense whitened codes of a run, M × N, tiny negatives as 0.
pub(crate) fn codes(raw: &Raw, layout: &ProgramLayout, scale: f64) -> Matrix {
    let mut out = Matrix::zeros(layout.atoms, layout.len);
    for (i, allowed) in layout.allowed.iter().enumerate() {
        for (x, &k) in raw.x[layout.first(i)..].iter().zip(allowed) {
            out.col_mut(i)[k] = max(*x, 0.0) * scale;
        }
    }
    out
}

/// The dual point of a run as unwhitened columns, n × N: the multipliers of the
/// equations `R̃ + baᵀ + DZ̃ = X̃` where there are, else the residual at the codes as
/// they came. A witness: nothing is assumed of it.
pub(crate) fn dual(
    problem: &Problem,
    directions: &Matrix,
    raw: &Raw,
    layout: &ProgramLayout,
    scale: f64,
) -> Matrix {
    let a = problem.data().sqrt_weights();
    let mut out = if layout.residual {
        let multipliers = &raw.dual[..layout.signs()];
        Matrix::from_fn(layout.dim, layout.len, |j, i| -multipliers[i * layout.dim + j] * scale)
    } else {
        let mut residual = problem.data().whitened();
        for (i, allowed) in layout.allowed.iter().enumerate() {
            for (x, &k) in raw.x[layout.first(i)..].iter().zip(allowed) {
                axpy(-x * scale, directions.col(k), residual.col_mut(i));
            }
        }
        residual
    };
    for (i, &a) in a.iter().enumerate() {
        out.col_mut(i).iter_mut().for_each(|v| *v /= a);
    }
    out
}

/// Gives the iterate the codes of a run, cleaned at the share that makes its objective
/// least (the largest such share where several do), and its optimal center for them.
/// Returns the objective.
pub(crate) fn set_cleaned(iterate: &mut Iterate<'_>, codes: &Matrix) -> f64 {
    let largest = codes.as_slice().iter().fold(0.0, |m, v| max(m, *v));
    let rows_at = |share: f64| -> Vec<Row> {
        let mut dense = vec![0.0; codes.ncols()];
        (0..codes.nrows())
            .map(|k| {
                for (i, z) in dense.iter_mut().enumerate() {
                    let code = codes.get(k, i);
                    *z = if code > share * largest { code } else { 0.0 };
                }
                Row::from_dense(&dense)
            })
            .collect()
    };
    let mut best = (f64::INFINITY, 0.0);
    for share in CLEANING {
        iterate.set_rows(rows_at(share));
        let objective = iterate.objective();
        if objective <= best.0 {
            best = (objective, share);
        }
    }
    iterate.set_rows(rows_at(best.1));
    best.0
}
