//! The identities that residuals of optimal codes satisfy (theorems
//! `polar-polytope`, `stationarity`), and what is left in them.

use rayon::prelude::*;
use serde::Serialize;

use super::scene::{Extremes, Scene, share};
use crate::linalg::{Matrix, axpy, dot, norm, norm_sq, symmetric_eigenvalues};
use crate::num::max;

/// Largest defects of the identities of theorem `polar-polytope`, over datapoints.
#[derive(Clone, Copy, Debug, PartialEq, Serialize)]
pub struct Identities {
    /// `(max_k d_kᵀr − λ)₊ / λ`: the residual is in the polar polytope. `None` where the run
    /// ended before.
    pub polytope: Option<f64>,
    /// `|rᵀDz − λ1ᵀz| / ½‖x‖²`.
    pub complementarity: f64,
    /// `|‖x‖² − ‖Dz‖² − 2λ1ᵀz − ‖r‖²| / ‖x‖²`.
    pub energy: f64,
    /// Datapoints with a code whose residual is shorter than `λ(1 − 10⁻⁶)`.
    pub short: usize,
    /// `‖Σᵢ wᵢrᵢ‖ / Σᵢ wᵢ‖rᵢ‖`: 0 where the center is optimal (theorem `stationarity`).
    pub center: f64,
}

/// Eigenvalues of a weighted second moment `Σᵢ wᵢvᵢvᵢᵀ`, the largest first.
#[derive(Clone, Debug, PartialEq, Serialize)]
pub struct Spectrum {
    /// Their sum, `Σᵢ wᵢ‖vᵢ‖²`.
    pub total: f64,
    /// `(Σ e)²/Σ e²`: in how many directions it lies.
    pub effective_rank: f64,
    /// The eigenvalues.
    pub eigenvalues: Vec<f64>,
}

/// The part about residuals; of codes given, their identities and residuals.
#[derive(Clone, Debug, PartialEq, Serialize)]
pub struct ResidualReport {
    /// With exact codes: rounding.
    pub exact: Identities,
    /// With the codes given.
    pub given: Option<Identities>,
    /// Of the residuals of exact codes, the projections on the polar polytope.
    pub spectrum: Option<Spectrum>,
    /// Of what of them lies beyond the λ-ball, which the wide limit would leave
    /// nothing of (theorem `wide-limit`): `rᵢ − λrᵢ/‖rᵢ‖` where `‖rᵢ‖ > λ`.
    pub beyond_ball: Option<Spectrum>,
    /// Of how far the residuals of the codes given are from their projections.
    pub off_polytope: Option<Spectrum>,
}

/// Residuals shorter than this share of λ at datapoints with a code count as short.
const SHORT: f64 = 1.0 - 1e-6;

/// Measures them; the polytope's only where the largest correlations are known.
pub(super) fn identities(scene: &Scene<'_>, inputs: &Matrix, extremes: Option<&Extremes>) -> Identities {
    let terms: Vec<(f64, f64, bool)> = (0..scene.len())
        .into_par_iter()
        .map(|i| {
            let (x, r) = (inputs.col(i), scene.residuals.col(i));
            let sum: f64 = scene.factorization.codes().column(i).data().iter().sum();
            let mut fit = x.to_vec();
            axpy(-1.0, r, &mut fit);
            let square = norm_sq(x);
            let scale = if square > 0.0 { square } else { 1.0 };
            let penalty = scene.lambda * sum;
            let complementarity = (dot(r, &fit) - penalty).abs() / (0.5 * scale);
            let energy = (square - norm_sq(&fit) - 2.0 * penalty - norm_sq(r)).abs() / scale;
            (complementarity, energy, sum > 0.0 && norm(r) < SHORT * scene.lambda)
        })
        .collect();
    let (mut mean, mut scale) = (vec![0.0; inputs.nrows()], 0.0);
    for (r, &w) in scene.residuals.columns().zip(scene.weights()) {
        axpy(w, r, &mut mean);
        scale += w * norm(r);
    }
    Identities {
        polytope: extremes.map(|extremes| {
            let largest = extremes.of_datapoints.iter().copied().fold(0.0, max);
            max(largest - scene.lambda, 0.0) / scene.lambda
        }),
        complementarity: terms.iter().map(|t| t.0).fold(0.0, max),
        energy: terms.iter().map(|t| t.1).fold(0.0, max),
        short: terms.iter().filter(|t| t.2).count(),
        center: share(norm(&mean), scale),
    }
}

/// Columns whose outer products are summed in one product.
const BLOCK: usize = 512;

/// The part about residuals; of codes given, their identities and residuals.
pub(super) fn residuals(
    scene: &Scene<'_>,
    inputs: &Matrix,
    extremes: Option<&Extremes>,
    given: Option<(Identities, &Matrix)>,
    max_dim: usize,
) -> ResidualReport {
    let column = |i: usize| scene.residuals.col(i);
    let beyond = |i: usize, v: &mut [f64]| {
        let length = norm(column(i));
        let share = if length > scene.lambda { 1.0 - scene.lambda / length } else { 0.0 };
        v.fill(0.0);
        axpy(share, column(i), v);
    };
    ResidualReport {
        exact: identities(scene, inputs, extremes),
        given: given.map(|(identities, _)| identities),
        spectrum: spectrum(scene, max_dim, |i, v| v.copy_from_slice(column(i))),
        beyond_ball: spectrum(scene, max_dim, beyond),
        off_polytope: given.and_then(|(_, residuals)| {
            spectrum(scene, max_dim, |i, v| {
                v.copy_from_slice(residuals.col(i));
                axpy(-1.0, column(i), v);
            })
        }),
    }
}

/// Blocks whose n × n sums are held at a time.
const HELD: usize = 8;

/// The spectrum of vectors `v(i)` with weights; `None` where the dimension is above
/// `max_dim`, an eigenvalue does not converge, or the run ended before. O(Nn² + n³).
fn spectrum(scene: &Scene<'_>, max_dim: usize, v: impl Fn(usize, &mut [f64]) + Sync) -> Option<Spectrum> {
    let n = scene.residuals.nrows();
    if n > max_dim {
        return None;
    }
    let blocks: Vec<usize> = (0..scene.len()).step_by(BLOCK).collect();
    let mut moment = Matrix::zeros(n, n);
    for group in blocks.chunks(HELD) {
        if !scene.goes_on() {
            return None;
        }
        let sums: Vec<Matrix> = group
            .par_iter()
            .map(|&from| {
                let to = (from + BLOCK).min(scene.len());
                let mut block = Matrix::zeros(n, to - from);
                for i in from..to {
                    let column = block.col_mut(i - from);
                    v(i, column);
                    let a = scene.weights()[i].sqrt();
                    column.iter_mut().for_each(|x| *x *= a);
                }
                block.times_own_transpose()
            })
            .collect();
        for sum in sums {
            axpy(1.0, sum.as_slice(), moment.as_mut_slice());
        }
    }
    if !scene.goes_on() {
        return None;
    }
    let mut eigenvalues = symmetric_eigenvalues(&moment)?;
    eigenvalues.reverse();
    eigenvalues.iter_mut().for_each(|e| *e = max(*e, 0.0));
    let total: f64 = eigenvalues.iter().sum();
    let squares: f64 = eigenvalues.iter().map(|e| e * e).sum();
    Some(Spectrum { total, effective_rank: share(total * total, squares), eigenvalues })
}
