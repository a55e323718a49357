//! Feasible points that may be better than what the library found: plain block descent
//! from many starts, some of them near the point under attack.

use std::borrow::Cow;

use rand::RngExt;
use rand_chacha::ChaCha8Rng;

use super::Effort;
use crate::linalg::Matrix;
use crate::num::{max, power_of_two};
use crate::problem::Problem;
use crate::testing::naive::{Descent, length};
use crate::testing::{dense_codes, factorization, planted};
use crate::{Codes, Dictionary, Factorization};

/// Relative decrease in ten sweeps at which a descent has settled.
const SETTLED: f64 = 1e-15;

/// A problem in units of a power of two near its largest number: squares neither overflow
/// nor vanish there, and going back and forth is exact but for subnormal codes.
pub(super) struct Scaled {
    pub(super) problem: Problem,
    unit: f64,
}

impl Scaled {
    pub(super) fn of(problem: &Problem) -> Self {
        let data = problem.data().datapoints().to_matrix();
        let largest = data.as_slice().iter().fold(0.0, |m, x| max(m, x.abs()));
        let unit = if largest > 0.0 { power_of_two(largest) } else { 1.0 };
        let mut scaled = data;
        scaled.as_mut_slice().iter_mut().for_each(|x| *x /= unit);
        Problem::builder(scaled)
            .weights(problem.data().weights().to_vec())
            .lambda(problem.lambda() / unit)
            .gamma(problem.gamma() / unit)
            .centered(problem.centered())
            .build()
            .map_or_else(|_| Self { problem: problem.clone(), unit: 1.0 }, |problem| Self { problem, unit })
    }

    pub(super) fn in_units(&self, point: &Factorization) -> Option<Factorization> {
        rescaled(point, 1.0 / self.unit)
    }

    pub(super) fn back(&self, point: &Factorization) -> Option<Factorization> {
        rescaled(point, self.unit)
    }
}

fn rescaled(point: &Factorization, factor: f64) -> Option<Factorization> {
    let mut codes = dense_codes(point);
    codes.as_mut_slice().iter_mut().for_each(|z| *z *= factor);
    let center = point.center().map(|b| b.iter().map(|b| b * factor).collect());
    Factorization::new(point.dictionary().clone(), Codes::from_dense(&codes).ok()?, center).ok()
}

/// A feasible point with random atoms and codes, of about the size of the data.
pub(super) fn random(problem: &Problem, width: usize, rng: &mut ChaCha8Rng) -> Option<Factorization> {
    let size = (0..problem.len()).map(|i| length(&problem.data().datapoint(i))).fold(f64::MIN_POSITIVE, max);
    let atoms = Matrix::from_fn(problem.dim(), width, |_, _| rng.random_range(-1.0..1.0));
    let codes = Matrix::from_fn(width, problem.len(), |_, _| {
        if rng.random_bool(0.4) { 0.0 } else { size * rng.random_range(0.0..1.0) }
    });
    let center = problem
        .centered()
        .then(|| (0..problem.dim()).map(|_| size * rng.random_range(-1.0..1.0)).collect::<Vec<f64>>());
    factorization(atoms, &codes, center).ok()
}

/// Points of any width: from the known shapes, from all datapoints, from random directions,
/// and from each of `near`.
pub(super) fn of_any_width(
    problem: &Problem,
    near: &[&Factorization],
    effort: &Effort,
    rng: &mut ChaCha8Rng,
) -> Vec<Factorization> {
    let scaled = Scaled::of(problem);
    let inner = &scaled.problem;
    let mut found: Vec<Factorization> = Vec::new();
    if !inner.centered() {
        found.extend(planted::radial(inner).ok());
        found.extend(planted::atom_each(inner).map(|p| p.factorization));
    }
    let nonzero: Vec<Vec<f64>> =
        inner.data().datapoints().columns().filter(|x| length(x) > 0.0).map(Cow::into_owned).collect();
    let mut starts = vec![nonzero.clone()];
    for _ in 0..effort.restarts {
        let mut directions = nonzero.clone();
        directions.retain(|_| rng.random_bool(0.5));
        directions.extend((0..2).map(|_| super::instances::vector(inner.dim(), rng)));
        if let [first, second, ..] = nonzero.as_slice() {
            directions.push(first.iter().zip(second).map(|(x, y)| x + y).collect());
        }
        starts.push(directions);
    }
    for mut directions in starts {
        directions.retain(|d| length(d) > 0.0);
        found.extend(descended(Descent::new(inner, &directions), effort));
    }
    let near: Vec<Factorization> = near.iter().filter_map(|point| scaled.in_units(point)).collect();
    for point in near.iter().chain(&found.clone()) {
        found.extend(descended(Descent::from_factorization(inner, &disturbed(point, rng)), effort));
    }
    found.iter().filter_map(|point| scaled.back(point)).collect()
}

/// Points of at most the width of `point`: from itself, from points near it, and afresh.
pub(super) fn of_width(
    problem: &Problem,
    point: &Factorization,
    effort: &Effort,
    rng: &mut ChaCha8Rng,
) -> Vec<Factorization> {
    let scaled = Scaled::of(problem);
    let inner = &scaled.problem;
    let Some(own) = scaled.in_units(point) else { return Vec::new() };
    let mut found: Vec<Factorization> = Vec::new();
    found.extend(descended(Descent::from_factorization(inner, &own), effort));
    for _ in 0..effort.restarts {
        found.extend(descended(Descent::from_factorization(inner, &disturbed(&own, rng)), effort));
        let directions: Vec<Vec<f64>> = (0..point.width())
            .map(|_| super::instances::vector(inner.dim(), rng))
            .filter(|d| length(d) > 0.0)
            .collect();
        found.extend(descended(Descent::new(inner, &directions), effort));
    }
    found.iter().filter_map(|point| scaled.back(point)).collect()
}

/// Codes for the atoms of a dictionary, and a center: the atoms stay.
pub(super) fn with_atoms(
    problem: &Problem,
    dictionary: &Dictionary,
    effort: &Effort,
) -> Option<Factorization> {
    let scaled = Scaled::of(problem);
    let directions: Vec<Vec<f64>> = dictionary.atoms().map(<[f64]>::to_vec).collect();
    let mut descent = Descent::new(&scaled.problem, &directions);
    descent.learn_atoms = false;
    let found = descended(descent, effort)?;
    let (_, codes, center) = found.into_parts();
    // The very same atoms: a second division by the length may move them.
    scaled.back(&Factorization::new(dictionary.clone(), codes, center).ok()?)
}

/// What a descent ends with; `None` where it leaves the reals.
pub(super) fn descended(mut descent: Descent, effort: &Effort) -> Option<Factorization> {
    descent.run(effort.sweeps, SETTLED);
    descent.finite_factorization()
}

/// The point with atoms turned and codes changed a little, by shares of any size.
fn disturbed(point: &Factorization, rng: &mut ChaCha8Rng) -> Factorization {
    let share = 10.0_f64.powf(rng.random_range(-8.0..0.0));
    let mut atoms = point.dictionary().matrix().clone();
    atoms.as_mut_slice().iter_mut().for_each(|d| *d += share * rng.random_range(-1.0..1.0));
    let mut codes = dense_codes(point);
    codes.as_mut_slice().iter_mut().for_each(|z| *z *= 1.0 + share * rng.random_range(-1.0..1.0));
    factorization(atoms, &codes, point.center().map(<[f64]>::to_vec)).unwrap_or_else(|_| point.clone())
}
