//! The Huber location of weighted data as a second-order cone program (theorem
//! `centre`): a second way to the center at γ = 0.
//!
//! ```math
//! \min_{b,\,p,\,v}\ \sum_iw_i\big(\tfrac12p_i^2+\lambda v_i\big)\quad\text{subject to}\quad
//! \lVert x_i-b\rVert\le p_i+v_i,\quad v\ge0 .
//! ```

use clarabel::solver::SupportedConeT;

use super::program::{Accuracy, Columns, Program, check_size};
use crate::gauge::huber;
use crate::linalg::{Matrix, axpy, norm};
use crate::num::max;
use crate::observer::{Observer, Stop};
use crate::problem::Data;
use crate::solution::SolveError;
use crate::wide::Location;

/// Minimizes `Σ wᵢ h_λ(‖xᵢ − b‖)` over b, λ > 0.
///
/// # Errors
/// [`SolveError::Setting`] unless λ > 0, [`SolveError::TooLarge`] beyond `max_mib`,
/// [`SolveError::Conic`] where clarabel leaves nothing.
pub(crate) fn location(
    data: &Data,
    lambda: f64,
    accuracy: Accuracy,
    max_mib: u64,
    observer: &dyn Observer,
) -> Result<Location, SolveError> {
    if !(lambda.is_finite() && lambda > 0.0) {
        return Err(SolveError::Setting { name: "lambda", needs: "a positive number", value: lambda });
    }
    let (dim, len) = (data.dim(), data.len());
    check_size(max_mib, bytes(dim, len), "conic program of the center", "first-order location")?;
    // Distances from the mean, in units of the largest.
    let mean = data.mean();
    let mut datapoints = data.datapoints().to_matrix();
    (0..len).for_each(|i| axpy(-1.0, &mean, datapoints.col_mut(i)));
    let scale = datapoints.columns().map(norm).fold(0.0, max);
    let (center, stop, iterations) = if scale > 0.0 {
        datapoints.as_mut_slice().iter_mut().for_each(|v| *v /= scale);
        let raw = program(&datapoints, data.weights(), lambda / scale).solve(accuracy, observer)?;
        let center: Vec<f64> = mean.iter().zip(&raw.x).map(|(m, b)| m + scale * b).collect();
        (center, raw.stop, raw.iterations)
    } else {
        (mean, Stop::ToleranceMet, 0)
    };
    let mut dual = data.datapoints().to_matrix();
    let mut value = 0.0;
    for (i, &w) in data.weights().iter().enumerate() {
        let residual = dual.col_mut(i);
        axpy(-1.0, &center, residual);
        let length = norm(residual);
        value += w * huber(lambda, length);
        if length > lambda {
            residual.iter_mut().for_each(|v| *v *= lambda / length);
        }
    }
    Ok(Location { center, value, dual, stop, iterations })
}

/// Estimated memory: a cone a datapoint, dense over the n coordinates.
#[expect(clippy::cast_precision_loss, reason = "an estimate")]
fn bytes(dim: usize, len: usize) -> f64 {
    let (n, len) = (dim as f64, len as f64);
    16.0 * (len * 4.0 * n + 0.5 * n * n) + 96.0 * len * (n + 4.0)
}

/// Variables b, p, v; rows `v ≥ 0`, then a cone a datapoint.
fn program(datapoints: &Matrix, weights: &[f64], lambda: f64) -> Program {
    let (dim, len) = (datapoints.nrows(), datapoints.ncols());
    let cone = |i: usize| len + i * (dim + 1);
    let (mut quadratic, mut constraints) = (Columns::new(), Columns::new());
    let mut linear = Vec::with_capacity(dim + 2 * len);
    for j in 0..dim {
        quadratic.end();
        linear.push(0.0);
        (0..len).for_each(|i| constraints.push(cone(i) + 1 + j, 1.0));
        constraints.end();
    }
    for (i, &w) in weights.iter().enumerate() {
        quadratic.push(dim + i, w);
        quadratic.end();
        linear.push(0.0);
        constraints.push(cone(i), -1.0);
        constraints.end();
    }
    for (i, &w) in weights.iter().enumerate() {
        quadratic.end();
        linear.push(w * lambda);
        constraints.push(i, -1.0);
        constraints.push(cone(i), -1.0);
        constraints.end();
    }
    let mut offsets = vec![0.0; cone(len)];
    for (i, datapoint) in datapoints.columns().enumerate() {
        offsets[cone(i) + 1..cone(i + 1)].copy_from_slice(datapoint);
    }
    let mut cones = vec![SupportedConeT::NonnegativeConeT(len)];
    cones.extend((0..len).map(|_| SupportedConeT::SecondOrderConeT(dim + 1)));
    let columns = linear.len();
    Program {
        quadratic: quadratic.finish(columns),
        linear,
        constraints: constraints.finish(cone(len)),
        offsets,
        cones,
    }
}
