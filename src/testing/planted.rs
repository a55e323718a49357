//! Instances whose optimum is known, and seeded data sets for tests and benches.

use rand::SeedableRng;
use rand_chacha::ChaCha8Rng;
use rand_distr::{Distribution, StandardNormal, Uniform};

use super::naive::{self, inner, length, times, transpose, unit};
use crate::linalg::Matrix;
use crate::problem::Problem;
use crate::{Codes, Factorization};

/// A problem with an optimal factorization and the optimal value.
#[derive(Clone, Debug)]
pub struct Planted {
    /// The problem.
    pub problem: Problem,
    /// A global optimum of the convex problem.
    pub factorization: Factorization,
    /// Its value, from the construction.
    pub value: f64,
    /// The entrywise nonnegative part of `A − RᵀR` at the optimum, as a split
    /// witness takes it: `diag(w)^{-1/2} T diag(w)^{-1/2}`.
    pub slack: Matrix,
}

/// The parts a pair of theorem `copositive-duality` is built from.
#[derive(Clone, Debug)]
pub struct Recipe {
    /// Positive weights, one a datapoint; they are normalized.
    pub weights: Vec<f64>,
    /// λ ≥ 0.
    pub lambda: f64,
    /// γ > 0.
    pub gamma: f64,
    /// Code rows `z_k ≥ 0` (whitened), linearly independent, each length N.
    pub rows: Vec<Vec<f64>>,
    /// How much of each atom there is: positive, one a row.
    pub amounts: Vec<f64>,
    /// Share in [0, 1] of the slack `A − H` that is *semidefinite*.
    pub semidefinite: f64,
    /// Size in [0, 1) of the entrywise nonnegative part, relative to the largest
    /// that keeps the construction valid; nothing is added on pairs of
    /// datapoints that share an atom. It needs `semidefinite < 1`.
    pub nonnegative: f64,
}

/// Pivot relative to its row below which rows count as dependent: what is built on them
/// would lose three more digits.
const DEPENDENT: f64 = 1e-3;

/// Builds data for which the rows are the codes of a global optimum.
///
/// With `H = AZᵀ(ZAZᵀ)⁻¹ZA` take `K = (1 − s)A + sH − T`, so that
/// `A − K = s(A − H) + T` is the sum of a semidefinite and a nonnegative matrix,
/// hence copositive, and `z_kᵀ(A − K)z_k = 0`. With `K = RᵀR`, `d_k = Rz_k/g(z_k)`
/// is a unit vector at which the polar of R is 1, and `X̃ = R + Σ c_k d_k z_kᵀ`
/// has the optimum `½ tr K + Σ c_k g(z_k)`.
///
/// `None` when the rows are dependent or a factorization breaks down.
#[must_use]
pub fn pair(recipe: &Recipe) -> Option<Planted> {
    let (points, atoms) = (recipe.weights.len(), recipe.rows.len());
    let total: f64 = recipe.weights.iter().sum();
    let weights: Vec<f64> = recipe.weights.iter().map(|w| w / total).collect();
    let a: Vec<f64> = weights.iter().map(|w| w.sqrt()).collect();
    let (l2, g2) = (recipe.lambda.powi(2), recipe.gamma.powi(2));
    let metric = Matrix::from_fn(points, points, |i, j| l2 * a[i] * a[j] + if i == j { g2 } else { 0.0 });
    let z = Matrix::from_fn(atoms, points, |k, i| recipe.rows[k][i]);

    // H = YᵀY with Y = L⁻¹ZA and ZAZᵀ = LLᵀ.
    let moved = times(&z, &metric);
    let factor = naive::cholesky(&times(&moved, &transpose(&z)))?;
    if (0..atoms).any(|k| factor.get(k, k) < DEPENDENT * length(&recipe.rows[k]) * recipe.gamma) {
        return None;
    }
    let top = naive::solve_lower(&factor, &moved);

    // T on pairs that share no atom, no larger than what A − T/(1 − s) stands.
    let s = recipe.semidefinite;
    let shared = |i: usize, j: usize| (0..atoms).any(|k| z.get(k, i) > 0.0 && z.get(k, j) > 0.0);
    let free = Matrix::from_fn(points, points, |i, j| if i != j && !shared(i, j) { 1.0 } else { 0.0 });
    let size = naive::eigenvalues(&free).last().copied().unwrap_or(0.0);
    let step = if size > 0.0 { recipe.nonnegative * (1.0 - s) * g2 / size } else { 0.0 };
    let rest = Matrix::from_fn(points, points, |i, j| (1.0 - s) * metric.get(i, j) - step * free.get(i, j));
    let bottom = if s < 1.0 { Some(transpose(&naive::cholesky(&rest)?)) } else { None };

    let dim = atoms + if bottom.is_some() { points } else { 0 };
    let dual = Matrix::from_fn(dim, points, |i, j| {
        if i < atoms {
            s.sqrt() * top.get(i, j)
        } else {
            bottom.as_ref().map_or(0.0, |b| b.get(i - atoms, j))
        }
    });
    let gauge = naive::Gauge { a: a.clone(), lambda: recipe.lambda, gamma: recipe.gamma };
    let sizes: Vec<f64> = recipe.rows.iter().map(|z| gauge.value(z)).collect();
    let directions: Vec<Vec<f64>> = (0..atoms)
        .map(|k| (0..dim).map(|j| inner(&naive::row(&dual, j), &recipe.rows[k]) / sizes[k]).collect())
        .collect();
    let data = Matrix::from_fn(dim, points, |j, i| {
        let explained: f64 =
            (0..atoms).map(|k| recipe.amounts[k] * directions[k][j] * recipe.rows[k][i]).sum();
        (dual.get(j, i) + explained) / a[i]
    });
    let codes = Matrix::from_fn(atoms, points, |k, i| recipe.amounts[k] * recipe.rows[k][i] / a[i]);
    let square: f64 = dual.columns().map(|r| inner(r, r)).sum();
    let price: f64 = recipe.amounts.iter().zip(&sizes).map(|(c, g)| c * g).sum();
    Some(Planted {
        problem: Problem::builder(data)
            .weights(weights)
            .lambda(recipe.lambda)
            .gamma(recipe.gamma)
            .build()
            .ok()?,
        factorization: super::factorization(Matrix::from_columns(dim, &directions), &codes, None).ok()?,
        value: 0.5 * square + price,
        slack: Matrix::from_fn(points, points, |i, j| step * free.get(i, j) / (a[i] * a[j])),
    })
}

/// One atom per datapoint, with the value of theorem `regime-boundary`; the
/// factorization is returned whether or not the theorem calls it optimal there.
///
/// `None` unless every `√wᵢ‖xᵢ‖ > κᵢ = √(λ²wᵢ + γ²)`.
#[must_use]
pub fn atom_each(problem: &Problem) -> Option<Planted> {
    let data = problem.data();
    let mut value = 0.0;
    let mut codes = Matrix::zeros(problem.len(), problem.len());
    for (i, w) in data.weights().iter().enumerate() {
        let kappa = (problem.lambda().powi(2) * w + problem.gamma().powi(2)).sqrt();
        let size = w.sqrt() * length(&data.datapoint(i));
        if !(size > kappa) {
            return None;
        }
        codes.col_mut(i)[i] = (size - kappa) / w.sqrt();
        value += kappa * size - 0.5 * kappa * kappa;
    }
    let factorization = super::factorization(data.datapoints().to_matrix(), &codes, None).ok()?;
    // A − RᵀR has a zero diagonal, so all of it is T.
    let residuals = super::naive::residuals(problem, &factorization);
    let slack = Matrix::from_fn(problem.len(), problem.len(), |i, j| {
        let slack = problem.lambda().powi(2) - inner(residuals.col(i), residuals.col(j));
        if i != j && slack > 0.0 { slack } else { 0.0 }
    });
    Some(Planted { problem: problem.clone(), factorization, value, slack })
}

/// The largest violation `cos∠(xᵢ, xⱼ) − λ²√(wᵢwⱼ)/(κᵢκⱼ)` over pairs of theorem
/// `regime-boundary`: one atom per datapoint is optimal iff it is at most 0
/// (while every `√wᵢ‖xᵢ‖ > κᵢ`).
#[must_use]
pub fn boundary_violation(problem: &Problem) -> f64 {
    let data = problem.data();
    let w = data.weights();
    let (l2, g2) = (problem.lambda().powi(2), problem.gamma().powi(2));
    let mut worst = f64::NEG_INFINITY;
    for j in 0..problem.len() {
        for i in 0..j {
            let cosine = inner(&data.datapoint(i), &data.datapoint(j))
                / (length(&data.datapoint(i)) * length(&data.datapoint(j)));
            let limit = l2 * (w[i] * w[j]).sqrt() / ((l2 * w[i] + g2) * (l2 * w[j] + g2)).sqrt();
            worst = crate::num::max(worst, cosine - limit);
        }
    }
    worst
}

/// The optimum of theorem `wide-limit`: an atom along every datapoint longer than
/// λ, with code `‖xᵢ‖ − λ`; optimal at γ = 0.
///
/// # Errors
/// As [`super::factorization`]; none for the data of a problem.
pub fn radial(problem: &Problem) -> Result<Factorization, crate::atoms::AtomsError> {
    let data = problem.data();
    let active: Vec<usize> =
        (0..problem.len()).filter(|&i| length(&data.datapoint(i)) > problem.lambda()).collect();
    let directions: Vec<Vec<f64>> = active.iter().map(|&i| unit(&data.datapoint(i))).collect();
    let mut codes = Matrix::zeros(active.len(), problem.len());
    for (k, &i) in active.iter().enumerate() {
        codes.col_mut(i)[k] = length(&data.datapoint(i)) - problem.lambda();
    }
    let codes = Codes::from_dense(&codes)?;
    let (dictionary, _) = crate::Dictionary::normalize(Matrix::from_columns(problem.dim(), &directions))?;
    Factorization::new(dictionary, codes, None)
}

/// Data at γ = 0 with a known optimum and a factorization that looks right and is not.
#[derive(Clone, Debug)]
pub struct Decoy {
    /// The problem.
    pub problem: Problem,
    /// Its global optimum, an atom a direction (theorem `wide-limit`).
    pub optimum: Factorization,
    /// Another factorization with the same reconstructions or the same width.
    pub decoy: Factorization,
}

/// Two features at `angle`, the second never without the first: the optimum merges
/// it into their sum (theorem `two-feature`); the decoy keeps both features, whose
/// supports nest (theorem `no-nesting`). `0 < λ < 1`, `0 < angle ≤ π/2`.
///
/// # Errors
/// [`AtomsError`](crate::atoms::AtomsError) for an angle of 0.
pub fn nested(angle: f64, lambda: f64) -> Result<Decoy, crate::atoms::AtomsError> {
    let second = [angle.cos(), angle.sin()];
    let x = Matrix::from_columns(2, &[[1.0, 0.0], [1.0 + second[0], second[1]]]);
    let problem = plain(x, lambda);
    let codes = Matrix::from_columns(2, &[[1.0 - lambda, 0.0], [1.0 - lambda, 1.0 - lambda]]);
    let decoy = super::factorization(Matrix::from_columns(2, &[[1.0, 0.0], second]), &codes, None)?;
    Ok(Decoy { optimum: radial(&problem)?, problem, decoy })
}

/// Points on both sides of a line through the origin: the optimum is a pair of
/// opposite atoms (theorem `antipodal-pairs`); the decoy has only one of them.
/// `0 < λ < 1`.
///
/// # Errors
/// [`AtomsError`](crate::atoms::AtomsError) for a direction of length 0.
pub fn antipodal(direction: [f64; 3], lambda: f64) -> Result<Decoy, crate::atoms::AtomsError> {
    let unit = super::naive::unit(&direction);
    let lengths = [2.0, -1.5, 1.0, -3.0];
    let points: Vec<Vec<f64>> = lengths.iter().map(|t| unit.iter().map(|u| t * u).collect()).collect();
    let problem = plain(Matrix::from_columns(3, &points), lambda);
    let codes = Matrix::from_fn(1, 4, |_, i| crate::num::max(lengths[i] - lambda, 0.0));
    let decoy = super::factorization(Matrix::from_columns(3, &[unit]), &codes, None)?;
    Ok(Decoy { optimum: radial(&problem)?, problem, decoy })
}

/// Two directions at `±angle` about an axis: the optimum splits them, the decoy
/// serves both with the atom between, stationary and not optimal (theorem
/// `splitting-pressure`). `cos(angle) > λ > 0`.
///
/// # Errors
/// [`AtomsError`](crate::atoms::AtomsError) for an angle of 0 or more than a quarter turn.
pub fn split(angle: f64, lambda: f64) -> Result<Decoy, crate::atoms::AtomsError> {
    let (c, s) = (angle.cos(), angle.sin());
    let problem = plain(Matrix::from_columns(2, &[[c, s], [c, -s]]), lambda);
    let codes = Matrix::from_columns(1, &[[c - lambda], [c - lambda]]);
    let decoy = super::factorization(Matrix::from_columns(2, &[[1.0, 0.0]]), &codes, None)?;
    Ok(Decoy { optimum: radial(&problem)?, problem, decoy })
}

fn plain(x: Matrix, lambda: f64) -> Problem {
    Problem::builder(x).lambda(lambda).build().expect("finite data and a positive penalty")
}

/// Standard normal data, n × N.
#[must_use]
pub fn gaussian(dim: usize, points: usize, seed: u64) -> Matrix {
    let mut rng = ChaCha8Rng::seed_from_u64(seed);
    Matrix::from_fn(dim, points, |_, _| StandardNormal.sample(&mut rng))
}

/// Sparse nonnegative mixtures of random unit atoms with a little noise: what an
/// SAE is trained to find.
///
/// # Panics
/// If `atoms` is 0.
#[must_use]
pub fn mixture(dim: usize, points: usize, atoms: usize, active: usize, noise: f64, seed: u64) -> Matrix {
    let mut rng = ChaCha8Rng::seed_from_u64(seed);
    let directions: Vec<Vec<f64>> = (0..atoms)
        .map(|_| unit(&(0..dim).map(|_| StandardNormal.sample(&mut rng)).collect::<Vec<f64>>()))
        .collect();
    let which = Uniform::new(0, atoms).expect("at least one atom");
    let amount = Uniform::new(0.5, 1.5).expect("a proper range");
    let mut out = Matrix::zeros(dim, points);
    for i in 0..points {
        let column = out.col_mut(i);
        for _ in 0..active {
            let (k, c): (usize, f64) = (which.sample(&mut rng), amount.sample(&mut rng));
            crate::linalg::axpy(c, &directions[k], column);
        }
        for v in column {
            let e: f64 = StandardNormal.sample(&mut rng);
            *v += noise * e;
        }
    }
    out
}
