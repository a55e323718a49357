//! Stationarity residuals (theorem `stationarity`).
//!
//! ```math
//! \text{codes: } d_k^\top r_i \le \frac{\lambda^2 s_k+\gamma^2 z_{ki}}{g(z_k)},\ \text{equality where } z_{ki}>0;\qquad
//! \text{atoms: } \sum_i w_iz_{ki}r_i=g(z_k)\,d_k;\qquad
//! \text{center: } \sum_i w_ir_i=0 .
//! ```
//!
//! At γ = 0 the right-hand side of the first is λ. An atom without codes asks
//! for `g°(R̃ᵀd_k) ≤ 1` instead. `DᵀR` is formed a tile at a time.

use rayon::prelude::*;
use serde::{Deserialize, Serialize};

use crate::atoms::Factorization;
use crate::linalg::{Matrix, axpy, dot, fold_tiles, norm};
use crate::num::max;
use crate::problem::Problem;

/// A violation and the size it is compared with, both in units of the gradient.
#[derive(Clone, Copy, Debug, PartialEq, Serialize, Deserialize)]
pub struct Residual {
    /// Largest violation.
    pub value: f64,
    /// Natural size: `value / scale` is relative.
    pub scale: f64,
}

impl Residual {
    /// `value / scale`, and 0 where both are 0.
    #[must_use]
    pub fn relative(self) -> f64 {
        if self.value == 0.0 { 0.0 } else { self.value / self.scale }
    }
}

/// Stationarity of a point in its three groups of variables.
#[derive(Clone, Copy, Debug, PartialEq, Serialize, Deserialize)]
pub struct Kkt {
    /// Per unit weight; the scale is the largest mean slope `g(z_k)/s_k` (λ at γ = 0).
    pub codes: Residual,
    /// The scale is the largest `g(z_k)`.
    pub dictionary: Residual,
    /// `‖Σ wᵢrᵢ‖` against `Σ wᵢ‖rᵢ‖`; zero when no center is learnt.
    pub center: Residual,
}

impl Kkt {
    /// The largest of the three relative residuals.
    #[must_use]
    pub fn relative(&self) -> f64 {
        max(self.codes.relative(), max(self.dictionary.relative(), self.center.relative()))
    }
}

/// Moments of one atom's codes.
struct Usage {
    /// `s_k = Σ wᵢz_ki`.
    mass: f64,
    /// `g(z_k)`.
    gauge: f64,
}

/// How much longer than λ a residual may be for what its datapoint violates at other
/// atoms to be read off its length, relative to λ and the lengths of datapoint and
/// center: rounding, which then is the violation reported.
const SHORT: f64 = 64.0 * f64::EPSILON;

/// Computes the residuals. `residuals` are those of `point`. O(nMN) time, O(nN + nnz)
/// where γ = 0 and no residual is longer than λ; memory of the input's size.
#[must_use]
pub fn residuals(problem: &Problem, point: &Factorization, residuals: &Matrix) -> Kkt {
    let weights = problem.data().weights();
    let rows = point.codes().rows();
    let (lambda, gamma) = (problem.lambda(), problem.gamma());
    let usage: Vec<Usage> = rows
        .iter()
        .map(|row| {
            let (mut mass, mut energy) = (0.0, 0.0);
            for (i, z) in row.iter() {
                mass += weights[i] * z;
                energy += weights[i] * z * z;
            }
            Usage { mass, gauge: (lambda * mass).hypot(gamma * energy.sqrt()) }
        })
        .collect();
    let largest_slope = usage.iter().filter(|u| u.mass > 0.0).map(|u| u.gauge / u.mass).fold(0.0, max);
    let scale = if largest_slope > 0.0 { largest_slope } else { lambda.hypot(gamma) };
    let dead = dead_atoms(problem, point, residuals, &usage);
    let codes = Residual { value: max(codes(problem, point, residuals, &usage), dead * scale), scale };
    let dictionary = rows
        .par_iter()
        .enumerate()
        .map(|(k, row)| {
            let mut gradient = vec![0.0; problem.dim()];
            for (i, z) in row.iter() {
                axpy(weights[i] * z, residuals.col(i), &mut gradient);
            }
            axpy(-usage[k].gauge, point.dictionary().atom(k), &mut gradient);
            length(&gradient)
        })
        .reduce(|| 0.0, max);
    let dictionary = Residual { value: dictionary, scale: usage.iter().map(|u| u.gauge).fold(0.0, max) };
    let center =
        if problem.centered() { center(problem, residuals) } else { Residual { value: 0.0, scale: 0.0 } };
    Kkt { codes, dictionary, center }
}

/// `‖v‖` without overflow or underflow: gradients have the size of squared data.
fn length(v: &[f64]) -> f64 {
    let largest = v.iter().fold(0.0, |m, x| max(m, x.abs()));
    if largest == 0.0 {
        return 0.0;
    }
    largest * norm(&v.iter().map(|x| x / largest).collect::<Vec<f64>>())
}

fn codes(problem: &Problem, point: &Factorization, residuals: &Matrix, usage: &[Usage]) -> f64 {
    let atoms = point.width();
    if atoms == 0 {
        return 0.0;
    }
    let (lambda, gamma) = (problem.lambda(), problem.gamma());
    let slope = |k: usize, z: f64| {
        if gamma == 0.0 {
            lambda
        } else if usage[k].gauge > 0.0 {
            // Quotients first: λ²s overflows where the slope does not.
            lambda * (lambda * usage[k].mass / usage[k].gauge) + gamma * (gamma * z / usage[k].gauge)
        } else {
            f64::INFINITY // judged by the polar instead
        }
    };
    // At γ = 0 a datapoint with a residual no longer than λ violates nothing at the atoms
    // it does not use, by Cauchy–Schwarz: that leaves those it uses. Where every
    // datapoint has its own atom, all are such, and products with all atoms would take
    // quadratic time.
    let (mut near, mut far) = (Vec::new(), Vec::new());
    let from_center = point.center().map_or(0.0, norm);
    for (i, r) in residuals.columns().enumerate() {
        let size = lambda + from_center + norm(problem.data().points().col(i));
        let short = gamma == 0.0 && norm(r) <= lambda + SHORT * size;
        if short { near.push(i) } else { far.push(i) }
    }
    let worst_near = near
        .par_iter()
        .map(|&i| {
            let r = residuals.col(i);
            let code = point.codes().column(i);
            let used = code.iter().map(|(k, _)| (dot(point.dictionary().atom(k), r) - lambda).abs());
            used.fold(max(norm(r) - lambda, 0.0), max)
        })
        .reduce(|| 0.0, max);
    let selected;
    let residuals = if near.is_empty() {
        residuals
    } else {
        selected = residuals.select_columns(&far);
        &selected
    };
    let unused: Vec<f64> = (0..atoms).map(|k| slope(k, 0.0)).collect();
    let worst_far = fold_tiles(
        point.dictionary().matrix(),
        residuals,
        |_| atoms,
        || 0.0,
        |worst, tile| {
            let left = tile.left();
            for (at, correlations) in tile.columns() {
                // Between two atoms in use lie atoms that are not.
                let (mut from, code) = (left.start, point.codes().column(far[at]));
                let used = code.iter().filter(|(k, _)| left.contains(k)).map(|(k, &z)| (k, Some(z)));
                for (k, z) in used.chain(std::iter::once((left.end, None))) {
                    let between =
                        correlations[from - left.start..k - left.start].iter().zip(&unused[from..k]);
                    *worst = between.fold(*worst, |worst, (c, slope)| max(worst, c - slope));
                    if let Some(z) = z {
                        *worst = max(*worst, (correlations[k - left.start] - slope(k, z)).abs());
                    }
                    from = k + 1;
                }
            }
        },
        max,
    );
    max(worst_near, worst_far)
}

/// Largest `g°(R̃ᵀd_k) − 1` over atoms without codes, at γ > 0; 0 if none violates.
fn dead_atoms(problem: &Problem, point: &Factorization, residuals: &Matrix, usage: &[Usage]) -> f64 {
    if problem.gamma() == 0.0 {
        return 0.0;
    }
    let a = problem.data().sqrt_weights();
    let gauge = problem.gauge();
    (0..point.width())
        .into_par_iter()
        .filter(|&k| usage[k].mass == 0.0)
        .map(|k| {
            let atom = point.dictionary().atom(k);
            let v: Vec<f64> =
                residuals.columns().zip(a).map(|(r, a)| a * crate::linalg::dot(r, atom)).collect();
            let mut z = vec![0.0; v.len()];
            gauge.polar(&v, 0.0, &mut z).value - 1.0
        })
        .reduce(|| 0.0, max)
}

fn center(problem: &Problem, residuals: &Matrix) -> Residual {
    let mut sum = vec![0.0; problem.dim()];
    let mut scale = 0.0;
    for (r, &w) in residuals.columns().zip(problem.data().weights()) {
        axpy(w, r, &mut sum);
        scale += w * norm(r);
    }
    Residual { value: norm(&sum), scale }
}
