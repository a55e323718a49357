//! How much of what is left of the data can be predicted linearly, and how much of that is
//! shrinkage (theorem `residual-law`).

use rayon::prelude::*;
use serde::Serialize;

use super::scene::{Scene, share};
use crate::atoms::Codes;
use crate::linalg::{Matrix, Row, axpy, dot, largest_magnitude, norm_sq, symmetric_eigen};
use crate::num::{max, power_of_two};

/// Shares of the residuals' energy `Σ wᵢ‖rᵢ‖²`.
///
/// With `S = diag(s)` and `C = Σ wᵢzᵢzᵢᵀ`, at a point where every atom is stationary
///
/// ```math
/// \sum_iw_ir_iz_i^\top=\lambda DS,\qquad
/// \sum_iw_ir_i(x_i-b)^\top=\lambda DSD^\top+\sum_iw_ir_ir_i^\top ,
/// ```
///
/// so what a linear map predicts of the residuals follows from penalty, atoms and codes: it is
/// shrinkage, not a feature that is missing. *Directly* is with the left sides as the data have
/// them, *by the law* with the right ones. Where the two agree the law holds; by the law a share
/// may be above 1 at points that are far from stationary.
///
/// As computed: no bound. Maps have no intercept.
#[derive(Clone, Copy, Debug, PartialEq, Serialize)]
pub struct ResidualLaw {
    /// Predicted from the codes, by the law: `λ² tr(DSC⁺SDᵀ)` over the energy.
    pub from_codes: f64,
    /// Predicted from the codes, directly: `R²` of least squares.
    pub from_codes_direct: f64,
    /// Largest relative residual of the equations for the two, where they were solved by conjugate
    /// gradients (more than 512 atoms in use); 0 where by decomposition. What is predicted directly is
    /// then a lower end: it is what the map that was found predicts.
    pub codes_residual: f64,
    /// Predicted from the data less the center, by the law.
    pub from_activations: f64,
    /// The same, directly.
    pub from_activations_direct: f64,
    /// 1 less `from_activations_direct`: what no linear map of the data predicts.
    pub remains: f64,
}

/// Shares at exact codes and at those given.
#[derive(Clone, Copy, Debug, PartialEq, Serialize)]
pub struct ResidualLaws {
    /// Of the residuals of exact codes. `None` above the dimension of spectra, where nothing is
    /// left, or where the run ended before.
    pub exact: Option<ResidualLaw>,
    /// Of the residuals of the codes given.
    pub given: Option<ResidualLaw>,
}

/// Most atoms in use whose second moments are decomposed.
const DECOMPOSED: usize = 512;

/// Eigenvalues below this share of the largest count as 0.
const ZERO: f64 = 1e-11;

/// Relative residual at which conjugate gradients end, and their most steps.
const SOLVED: f64 = 1e-10;
const STEPS: usize = 200;

/// Right sides that conjugate gradients take at a time.
const TOGETHER: usize = 32;

/// Columns whose products are summed at a time.
const BLOCK: usize = 512;

/// Measures a point; `inputs` are the data less the center. O(Nn² + n³ + nM²) time, with n² and at
/// most 512² numbers more in memory, and nM for the products with codes.
pub(super) fn law(scene: &Scene<'_>, inputs: &Matrix, max_dim: usize) -> Option<ResidualLaw> {
    let n = inputs.nrows();
    if n > max_dim {
        return None;
    }
    // One unit for data, residuals, codes and λ, so that no product overflows.
    let unit = power_of_two(max(
        largest_magnitude(inputs.as_slice()),
        max(largest_magnitude(scene.residuals.as_slice()), scene.lambda),
    ));
    let weights: Vec<f64> = scene.weights().iter().map(|w| w / unit / unit).collect();
    let energy: f64 = scene.residuals.columns().zip(&weights).map(|(r, w)| w * norm_sq(r)).sum();
    if !(energy > 0.0) {
        return None;
    }
    let shrinkage: Vec<f64> =
        (0..scene.rows.len()).map(|k| (scene.lambda / unit) * (scene.mass(k) / unit)).collect();
    let live: Vec<usize> = (0..scene.rows.len()).filter(|k| !scene.rows[*k].is_empty()).collect();
    let (by_law, directly, codes_residual) = from_codes(scene, &weights, &live, &shrinkage)?;
    let (activations_by_law, activations) = from_activations(scene, inputs, &weights, &shrinkage)?;
    Some(ResidualLaw {
        from_codes: by_law / energy,
        from_codes_direct: directly / energy,
        codes_residual,
        from_activations: activations_by_law / energy,
        from_activations_direct: activations / energy,
        remains: 1.0 - activations / energy,
    })
}

/// What is predicted from the codes, by the law and directly, and how well the equations are solved.
fn from_codes(
    scene: &Scene<'_>,
    weights: &[f64],
    live: &[usize],
    shrinkage: &[f64],
) -> Option<(f64, f64, f64)> {
    if live.is_empty() {
        return Some((0.0, 0.0, 0.0));
    }
    let n = scene.residuals.nrows();
    let atom_times = |k: usize| -> Vec<f64> { scene.atom(k).iter().map(|d| shrinkage[k] * d).collect() };
    let by_law = Matrix::from_columns(n, &live.iter().map(|&k| atom_times(k)).collect::<Vec<_>>());
    let product = |k: &usize| {
        let mut sum = vec![0.0; n];
        scene.rows[*k].iter().for_each(|(i, z)| axpy(weights[i] * z, scene.residuals.col(i), &mut sum));
        sum
    };
    let direct = Matrix::from_columns(n, &live.par_iter().map(product).collect::<Vec<_>>());
    if !scene.goes_on() {
        return None;
    }
    if live.len() <= DECOMPOSED {
        let moments = moments(scene.factorization.codes(), weights, live);
        let found = quadratics(&moments, [&by_law, &direct])?;
        return Some((found[0], found[1], 0.0));
    }
    let rows: Vec<&Row> = live.iter().map(|k| &scene.rows[*k]).collect();
    let equations = Equations::new(&rows, weights);
    let solve = |sides: &Matrix| equations.quadratic(sides, scene);
    let (law, direct) = (solve(&by_law)?, solve(&direct)?);
    Some((law.0, direct.0, max(law.1, direct.1)))
}

/// What is predicted from the data less the center, by the law and directly.
fn from_activations(
    scene: &Scene<'_>,
    inputs: &Matrix,
    weights: &[f64],
    shrinkage: &[f64],
) -> Option<(f64, f64)> {
    let n = inputs.nrows();
    let (mut own, mut cross, mut left) = (Matrix::zeros(n, n), Matrix::zeros(n, n), Matrix::zeros(n, n));
    for from in (0..scene.len()).step_by(BLOCK) {
        if !scene.goes_on() {
            return None;
        }
        let to = (from + BLOCK).min(scene.len());
        let part = |of: &Matrix| {
            let entry = |j: usize, at: usize| weights[from + at].sqrt() * of.get(j, from + at);
            Matrix::from_fn(n, to - from, entry)
        };
        let (x, r) = (part(inputs), part(scene.residuals));
        axpy(1.0, x.times_own_transpose().as_slice(), own.as_mut_slice());
        axpy(1.0, r.times_transpose(&x).as_slice(), cross.as_mut_slice());
        axpy(1.0, r.times_own_transpose().as_slice(), left.as_mut_slice());
    }
    let dictionary = scene.factorization.dictionary().matrix();
    let times = Matrix::from_fn(n, shrinkage.len(), |j, k| shrinkage[k] * dictionary.get(j, k));
    axpy(1.0, times.times_transpose(dictionary).as_slice(), left.as_mut_slice());
    let found = quadratics(&own, [&left, &cross])?;
    Some((found[0], found[1]))
}

/// `tr(Q C⁺ Qᵀ)` of some Q, by the eigenvectors of C.
fn quadratics(moments: &Matrix, sides: [&Matrix; 2]) -> Option<[f64; 2]> {
    let (values, vectors) = symmetric_eigen(moments)?;
    let least = ZERO * values.last().copied().unwrap_or(0.0);
    Some(sides.map(|side| {
        let along = side.times(&vectors);
        let terms = values.iter().zip(along.columns()).filter(|(value, _)| **value > least);
        terms.map(|(value, column)| norm_sq(column) / value).sum()
    }))
}

/// `Σ wᵢzᵢzᵢᵀ` of the atoms in use.
fn moments(codes: &Codes, weights: &[f64], live: &[usize]) -> Matrix {
    let mut place = vec![usize::MAX; codes.atoms()];
    live.iter().enumerate().for_each(|(at, k)| place[*k] = at);
    let mut moments = Matrix::zeros(live.len(), live.len());
    for (i, w) in weights.iter().enumerate() {
        let code = codes.column(i);
        for (k, z) in code.iter() {
            let column = moments.col_mut(place[k]);
            code.iter().for_each(|(l, other)| column[place[l]] += w * z * other);
        }
    }
    moments
}

/// The normal equations `C Bᵀ = Qᵀ` without C.
struct Equations<'a> {
    rows: &'a [&'a Row],
    weights: &'a [f64],
    diagonal: Vec<f64>,
}

impl<'a> Equations<'a> {
    fn new(rows: &'a [&'a Row], weights: &'a [f64]) -> Self {
        let energy = |row: &&Row| row.iter().map(|(i, z)| weights[i] * z * z).sum();
        Self { rows, weights, diagonal: rows.iter().map(energy).collect() }
    }

    /// `C y`.
    fn times(&self, y: &[f64]) -> Vec<f64> {
        let mut sums = vec![0.0; self.weights.len()];
        for (row, y) in self.rows.iter().zip(y) {
            row.iter().for_each(|(i, z)| sums[i] += y * z);
        }
        sums.iter_mut().zip(self.weights).for_each(|(sum, w)| *sum *= w);
        self.rows.iter().map(|row| row.iter().map(|(i, z)| z * sums[i]).sum()).collect()
    }

    /// `2⟨B, Q⟩ − ⟨B, CB⟩` of the B that is found, a row of it for a row of Q, with the largest
    /// relative residual; at the solution it is `tr(Q C⁺ Qᵀ)`, elsewhere below.
    fn quadratic(&self, sides: &Matrix, scene: &Scene<'_>) -> Option<(f64, f64)> {
        let rows: Vec<usize> = (0..sides.nrows()).collect();
        let (mut sum, mut worst) = (0.0, 0.0);
        for some in rows.chunks(TOGETHER) {
            if !scene.goes_on() {
                return None;
            }
            let side = |row: &usize| sides.columns().map(|column| column[*row]).collect::<Vec<f64>>();
            let found: Vec<(f64, f64)> = some.par_iter().map(|row| self.solve(&side(row))).collect();
            for (value, residual) in found {
                sum += value;
                worst = max(worst, residual);
            }
        }
        Some((sum, worst))
    }

    /// Conjugate gradients, preconditioned by the diagonal.
    fn solve(&self, side: &[f64]) -> (f64, f64) {
        let scaled = |r: &[f64]| r.iter().zip(&self.diagonal).map(|(r, d)| r / d).collect::<Vec<f64>>();
        let whole = norm_sq(side);
        if !(whole > 0.0) {
            return (0.0, 0.0);
        }
        let (mut found, mut rest) = (vec![0.0; side.len()], side.to_vec());
        let mut step = scaled(&rest);
        let mut along = dot(&rest, &step);
        for _ in 0..STEPS {
            if norm_sq(&rest) <= SOLVED * SOLVED * whole {
                break;
            }
            let image = self.times(&step);
            let curvature = dot(&step, &image);
            if !(curvature > 0.0) {
                break;
            }
            axpy(along / curvature, &step, &mut found);
            axpy(-along / curvature, &image, &mut rest);
            let next = scaled(&rest);
            let product = dot(&rest, &next);
            let share = product / along;
            step.iter_mut().zip(&next).for_each(|(s, n)| *s = n + share * *s);
            along = product;
        }
        // ⟨b, q⟩ + ⟨b, q − Cb⟩.
        (dot(&found, side) + dot(&found, &rest), share(norm_sq(&rest), whole).sqrt())
    }
}
