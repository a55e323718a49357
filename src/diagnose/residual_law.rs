//! How much of the residuals shrinkage explains (theorem `residual-law`).
//!
//! An L1 penalty shortens codes, so what it leaves is correlated with them. At a point that is
//! stationary in its atoms that correlation is known in closed form, and with it the share of
//! the residuals' energy that is linear in the codes, or in the activations. An error of an
//! autoencoder that is predicted from its input is, to the extent of these numbers, no
//! missing feature.

use rayon::prelude::*;
use serde::Serialize;

use super::scene::Scene;
use crate::linalg::{Matrix, axpy, norm_sq, symmetric_eigen};
use crate::num::{max, min};

/// Shares of the residuals' energy `Σᵢ wᵢ‖rᵢ‖²` that are linear in something else, by the
/// law of theorem `residual-law` and by regression without an intercept.
///
/// With `S = diag(s)`, `C = Σᵢ wᵢzᵢzᵢᵀ`, `G = Σᵢ wᵢ(xᵢ − b)(xᵢ − b)ᵀ`:
///
/// ```math
/// \frac{\lambda^2\operatorname{tr}(DSC^+SD^\top)}{\sum_iw_i\lVert r_i\rVert^2},\qquad
/// \frac{\operatorname{tr}(QG^+Q^\top)}{\sum_iw_i\lVert r_i\rVert^2},\quad
/// Q=\lambda DSD^\top+\sum_iw_ir_ir_i^\top .
/// ```
///
/// The law holds at points stationary in their atoms. Elsewhere its numbers are what the
/// formulas give, which may exceed 1, and the difference from the direct ones says how far
/// the atoms are from stationary.
#[derive(Clone, Copy, Debug, PartialEq, Serialize)]
pub struct Predictable {
    /// From the codes, by the law. `None` where no regression has these moments, or
    /// conjugate gradients did not find it.
    pub from_codes: Option<f64>,
    /// From the codes, by regression.
    pub from_codes_direct: Option<f64>,
    /// Estimate of what conjugate gradients left out of `from_codes_direct`, which they
    /// approach from below.
    pub from_codes_left_out: Option<f64>,
    /// From the activations less the center, by the law.
    pub from_activations: Option<f64>,
    /// From the activations less the center, by regression.
    pub from_activations_direct: Option<f64>,
    /// `1 − from_activations_direct`: the share that is not linear in the activations.
    pub remains: Option<f64>,
}

/// The residual law at the codes given and at exact codes.
#[derive(Clone, Copy, Debug, PartialEq, Serialize)]
pub struct ResidualLaw {
    /// Of the codes given.
    pub given: Option<Predictable>,
    /// Of exact codes; `None` above the largest dimension of spectra, for residuals of 0,
    /// or where the run ended before.
    pub exact: Option<Predictable>,
}

/// The shares of a scene's residuals. O(n·nnz) a step of conjugate gradients, O((N + M)n² + n³)
/// for the activations.
pub(super) fn predictable(scene: &Scene<'_>, inputs: &Matrix, max_dim: usize) -> Option<Predictable> {
    let energy: f64 = scene.residuals.columns().zip(scene.weights()).map(|(r, w)| w * norm_sq(r)).sum();
    if scene.residuals.nrows() > max_dim || !energy.is_normal() || !scene.goes_on() {
        return None;
    }
    let scale = energy.sqrt();
    let design = Design::of(scene);
    let direct = design.regress(scene, |q| design.correlations(scene, q, scale))?;
    let law = design.regress(scene, |q| design.law(scene, q, scale))?;
    let activations = activations(scene, inputs, scale);
    let direct_activations = activations.map(|(_, direct)| direct);
    Some(Predictable {
        from_codes: law.share(),
        from_codes_direct: Some(direct.explained),
        from_codes_left_out: Some(direct.left_out),
        from_activations: activations.map(|(law, _)| law),
        from_activations_direct: direct_activations,
        remains: direct_activations.map(|share| 1.0 - share),
    })
}

/// Most steps of conjugate gradients for a coordinate of the residuals. At ten times as many
/// the shares move by less than what is estimated to be left out.
const MAX_STEPS: usize = 500;

/// Conjugate gradients end where the gradient is this share of the first one, both squared:
/// the share is then short of its limit by that over the least eigenvalue.
const SETTLED: f64 = 1e-22;

/// Curvature relative to the step, both squared, of codes scaled to size 1, below which
/// directions count as flat: it is rounding.
const FLAT: f64 = 1e-14;

/// What is left of the gradient along flat directions, relative and squared, from which on a
/// system counts as one without a solution.
const INCONSISTENT: f64 = 1e-12;

/// Steps of conjugate gradients between two questions to the observer.
const POLLED: usize = 16;

/// Part of a share that may be estimated to be left out where the law's share is given.
const UNSETTLED: f64 = 1e-6;

/// Code rows as regressors: of the atoms that fire, with weights, scaled to length 1.
struct Design {
    /// The atom and its root mean square code, a row.
    atoms: Vec<(usize, f64)>,
    /// `√wᵢ z_ki` over that, a row.
    rows: Vec<Vec<(usize, f64)>>,
    points: usize,
}

/// What conjugate gradients reached.
#[derive(Clone, Copy, Default)]
struct Regressed {
    explained: f64,
    /// Estimate of what they left out.
    left_out: f64,
    /// Whether flat directions were left, along which the right side is not 0.
    inconsistent: bool,
}

impl Regressed {
    /// The share, where it is one.
    fn share(self) -> Option<f64> {
        let settled = self.left_out <= UNSETTLED * max(self.explained, 1.0);
        (!self.inconsistent && settled).then_some(self.explained)
    }
}

impl Design {
    fn of(scene: &Scene<'_>) -> Self {
        let (mut atoms, mut rows) = (Vec::new(), Vec::new());
        for (k, row) in scene.rows.iter().enumerate() {
            let square: f64 = row.iter().map(|(i, z)| scene.weights()[i] * z * z).sum();
            if square.is_normal() {
                let size = square.sqrt();
                atoms.push((k, size));
                rows.push(row.iter().map(|(i, z)| (i, scene.weights()[i].sqrt() * z / size)).collect());
            }
        }
        Self { atoms, rows, points: scene.len() }
    }

    /// Coordinate `q` of `Σᵢ wᵢ rᵢzᵢᵀ`, in units of `scale` and of the codes' sizes.
    fn correlations(&self, scene: &Scene<'_>, q: usize, scale: f64) -> Vec<f64> {
        let target: Vec<f64> = (0..self.points)
            .map(|i| scene.weights()[i].sqrt() * (scene.residuals.get(q, i) / scale))
            .collect();
        self.rows.iter().map(|row| row.iter().map(|(i, z)| z * target[*i]).sum()).collect()
    }

    /// Coordinate `q` of `λDS`, in the same units.
    fn law(&self, scene: &Scene<'_>, q: usize, scale: f64) -> Vec<f64> {
        let entry =
            |&(k, size): &(usize, f64)| scene.lambda / scale * (scene.mass(k) / size) * scene.atom(k)[q];
        self.atoms.iter().map(entry).collect()
    }

    /// Explained energy `Σ_q b_qᵀC⁺b_q` over the coordinates; `None` where the run ended before.
    fn regress(&self, scene: &Scene<'_>, side: impl Fn(usize) -> Vec<f64> + Sync) -> Option<Regressed> {
        let found: Vec<Option<Regressed>> = (0..scene.residuals.nrows())
            .into_par_iter()
            .map(|q| scene.goes_on().then(|| self.conjugate_gradients(scene, side(q))))
            .collect();
        let mut all = Regressed::default();
        for one in found {
            let one = one?;
            all.explained += one.explained;
            all.left_out += one.left_out;
            all.inconsistent |= one.inconsistent;
        }
        scene.goes_on().then_some(all)
    }

    /// Approaches `bᵀC⁺b = max_v 2bᵀv − vᵀCv` from below: each step adds what it gains.
    fn conjugate_gradients(&self, scene: &Scene<'_>, side: Vec<f64>) -> Regressed {
        let mut gradient = side;
        let mut step = gradient.clone();
        let mut square = norm_sq(&gradient);
        let first = square;
        let mut least = 1.0;
        let mut found = Regressed::default();
        let mut steps = 0;
        while square > SETTLED * first && square.is_normal() && steps < MAX_STEPS {
            if steps % POLLED == POLLED - 1 && !scene.goes_on() {
                break;
            }
            let (image, curvature) = self.apply(&step);
            if !(curvature > FLAT * norm_sq(&step)) {
                found.inconsistent = square > INCONSISTENT * first;
                return found;
            }
            least = min(least, curvature / norm_sq(&step));
            let length = square / curvature;
            found.explained += length * square;
            axpy(-length, &image, &mut gradient);
            let next = norm_sq(&gradient);
            let ratio = next / square;
            step.iter_mut().zip(&gradient).for_each(|(s, g)| *s = g + ratio * *s);
            square = next;
            steps += 1;
        }
        found.left_out = square / least;
        found
    }

    /// `Cv` and `vᵀCv`.
    fn apply(&self, v: &[f64]) -> (Vec<f64>, f64) {
        let mut fit = vec![0.0; self.points];
        for (row, &c) in self.rows.iter().zip(v) {
            row.iter().for_each(|(i, z)| fit[*i] += c * z);
        }
        let image = self.rows.iter().map(|row| row.iter().map(|(i, z)| z * fit[*i]).sum()).collect();
        (image, norm_sq(&fit))
    }
}

/// Columns whose outer products are summed in one product.
const BLOCK: usize = 512;

/// Eigenvalues of the activations' moment up to this share of the largest are left out of the
/// regression: they are rounding.
const NULL: f64 = 1e-12;

/// Shares predictable from the activations, by the law and directly.
fn activations(scene: &Scene<'_>, inputs: &Matrix, scale: f64) -> Option<(f64, f64)> {
    let (n, weights) = (inputs.nrows(), scene.weights());
    let size = inputs.columns().zip(weights).map(|(x, w)| w * norm_sq(x)).sum::<f64>().sqrt();
    if !size.is_normal() {
        return None;
    }
    let root = |i: usize| weights[i].sqrt();
    let activations = |i: usize, v: &mut [f64]| axpy(root(i) / size, inputs.col(i), v);
    let residuals = |i: usize, v: &mut [f64]| axpy(root(i) / scale, scene.residuals.col(i), v);
    let moment = sum_of_products(scene, n, scene.len(), activations, activations)?;
    let direct = sum_of_products(scene, n, scene.len(), residuals, activations)?;
    // In units of scale·size, as the direct one.
    let mut law = sum_of_products(scene, n, scene.len(), residuals, residuals)?;
    law.as_mut_slice().iter_mut().for_each(|v| *v *= scale / size);
    let atoms = |k: usize, v: &mut [f64]| {
        axpy((scene.lambda / scale * (scene.mass(k) / size)).sqrt(), scene.atom(k), v);
    };
    let shrunk = sum_of_products(scene, n, scene.rows.len(), atoms, atoms)?;
    axpy(1.0, shrunk.as_slice(), law.as_mut_slice());

    let (values, vectors) = symmetric_eigen(&moment)?;
    let largest = values.iter().copied().fold(0.0, max);
    let share = |product: &Matrix| -> f64 {
        let moved = product.times(&vectors);
        let kept = values.iter().enumerate().filter(|(_, value)| **value > NULL * largest);
        kept.map(|(j, value)| norm_sq(moved.col(j)) / value).sum()
    };
    Some((share(&law), share(&direct)))
}

/// `Σ left(i) right(i)ᵀ` over `count` vectors, each added to zeros; `None` where the run ended
/// before.
fn sum_of_products(
    scene: &Scene<'_>,
    dim: usize,
    count: usize,
    left: impl Fn(usize, &mut [f64]),
    right: impl Fn(usize, &mut [f64]),
) -> Option<Matrix> {
    let mut sum = Matrix::zeros(dim, dim);
    for from in (0..count).step_by(BLOCK) {
        if !scene.goes_on() {
            return None;
        }
        let width = BLOCK.min(count - from);
        let (mut first, mut second) = (Matrix::zeros(dim, width), Matrix::zeros(dim, width));
        for i in 0..width {
            left(from + i, first.col_mut(i));
            right(from + i, second.col_mut(i));
        }
        axpy(1.0, first.times_transpose(&second).as_slice(), sum.as_mut_slice());
    }
    Some(sum)
}
