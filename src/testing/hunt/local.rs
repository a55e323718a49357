//! The attack on `local` verdicts: points just outside the stated radius, with codes as good
//! as descent makes them, must all be above the point (theorem `local-radius`, item 3).

use rand::RngExt;
use rand_chacha::ChaCha8Rng;

use super::rivals::{Scaled, descended};
use super::{Claim, Effort, Instance, Report};
use crate::linalg::Matrix;
use crate::num::max;
use crate::problem::Problem;
use crate::testing::naive::{self, Descent, inner, length, unit};
use crate::testing::{dense_codes, exact, factorization};
use crate::{Certified, Factorization};

/// Where points are tried, as a part of the radius: nothing as low lies from 1 to 1.05, less
/// what the stored atoms' lengths add to the radius.
const SHELL: [f64; 2] = [1.002, 1.045];

/// The theorem is applied at no smaller radius, as a part of the root of the objective over
/// the size of the data (`proofs/local-radius.md`, choice of the free numbers).
const LEAST_RADIUS: f64 = 1e-7;

/// Radii below this are mostly the error of the stored lengths: no shell is left.
const SMALLEST: f64 = 1e-13;

/// Rounds of descending from the shell and coming back to it.
const ROUNDS: usize = 6;

/// A point in the metric of the verdict.
struct Neighborhood<'a> {
    problem: &'a Problem,
    atoms: Vec<Vec<f64>>,
    center: Option<Vec<f64>>,
    codes: Matrix,
    /// `√c_k`, 0 for atoms out of use.
    roots: Vec<f64>,
    center_root: f64,
    /// `√J/S`.
    reach: f64,
}

/// Moves of atoms and center.
struct Move {
    atoms: Vec<Vec<f64>>,
    center: Vec<f64>,
}

/// A logarithm this close to a half does not say which power of two is nearest.
const TIE: f64 = 1e-6;

fn nearest_power(x: f64) -> Option<f64> {
    let log = x.log2();
    let tie = (log - log.floor() - 0.5).abs() < TIE;
    (log.is_finite() && !tie).then(|| log.round().exp2())
}

impl<'a> Neighborhood<'a> {
    fn of(problem: &'a Problem, point: &Factorization) -> Option<Self> {
        let w = problem.data().weights();
        let codes = dense_codes(point);
        let zero = vec![0.0; problem.dim()];
        // Where a center is learnt and none is given, it is at the origin.
        let given = point.center().map_or_else(|| zero.clone(), <[f64]>::to_vec);
        let center = problem.centered().then_some(given);
        let from = center.as_ref().unwrap_or(&zero);
        let square: f64 = (0..problem.len())
            .map(|i| {
                let x: Vec<f64> = problem.data().datapoint(i).iter().zip(from).map(|(x, b)| x - b).collect();
                w[i] * inner(&x, &x)
            })
            .sum();
        let roots: Option<Vec<f64>> = (0..point.width())
            .map(|k| {
                let z = naive::row(&codes, k);
                let energy: f64 = z.iter().zip(w).map(|(z, w)| w * z * z).sum();
                let used = z.iter().any(|z| *z > 0.0);
                let size = naive::row_gauge(problem, &z) + energy;
                if used { nearest_power((size / square).sqrt()) } else { Some(0.0) }
            })
            .collect();
        let total: f64 = w.iter().sum();
        Some(Self {
            atoms: point.dictionary().atoms().map(<[f64]>::to_vec).collect(),
            roots: roots?,
            center_root: nearest_power(total.sqrt())? / square.sqrt(),
            reach: (naive::objective(problem, point) / square).sqrt(),
            problem,
            center,
            codes,
        })
    }

    /// The distance of another point, and the moves to it.
    fn moves(&self, point: &Factorization) -> Move {
        let difference = |x: &[f64], y: &[f64]| x.iter().zip(y).map(|(x, y)| x - y).collect::<Vec<f64>>();
        let atoms = self.atoms.iter().enumerate().map(|(k, d)| difference(point.dictionary().atom(k), d));
        let center = self.center.as_ref().zip(point.center()).map(|(b, c)| difference(c, b));
        Move { atoms: atoms.collect(), center: center.unwrap_or_default() }
    }

    fn distance(&self, moves: &Move) -> f64 {
        let atoms = moves.atoms.iter().zip(&self.roots).map(|(m, root)| root * length(m));
        let all: Vec<f64> = atoms.chain([self.center_root * length(&moves.center)]).collect();
        length(&all)
    }

    fn random(&self, rng: &mut ChaCha8Rng) -> Move {
        let only = rng.random_bool(0.5).then(|| rng.random_range(0..=self.atoms.len()));
        let chosen = |k: usize| only.is_none_or(|only| only == k);
        let atoms = self.roots.iter().enumerate().map(|(k, &root)| {
            let size = if root > 0.0 && chosen(k) { 1.0 / root } else { 0.0 };
            (0..self.problem.dim()).map(|_| size * rng.random_range(-1.0..1.0)).collect()
        });
        let atoms: Vec<Vec<f64>> = atoms.collect();
        let moved =
            if self.center.is_some() && chosen(self.atoms.len()) { 1.0 / self.center_root } else { 0.0 };
        let center = (0..self.problem.dim()).map(|_| moved * rng.random_range(-1.0..1.0)).collect();
        Move { atoms, center }
    }

    /// The moves without what would lengthen the atoms.
    fn tangent(&self, moves: &Move) -> Move {
        let project = |(d, m): (&Vec<f64>, &Vec<f64>)| -> Vec<f64> {
            let along = inner(d, m) / inner(d, d);
            m.iter().zip(d).map(|(m, d)| m - along * d).collect()
        };
        Move {
            atoms: self.atoms.iter().zip(&moves.atoms).map(project).collect(),
            center: moves.center.clone(),
        }
    }

    /// Atoms and center moved along `moves` to a distance near `target`.
    fn placed(&self, moves: &Move, target: f64) -> Option<Factorization> {
        let moves = self.tangent(moves);
        let factor = target / self.distance(&moves);
        if !(factor.is_finite() && factor > 0.0) {
            return None;
        }
        let step = |from: &[f64], along: &[f64]| -> Vec<f64> {
            from.iter().zip(along).map(|(d, m)| d + factor * m).collect()
        };
        let atoms = self.atoms.iter().zip(&moves.atoms).map(|(d, m)| unit(&step(d, m)));
        let atoms: Vec<Vec<f64>> = atoms.collect();
        let center = self.center.as_ref().map(|b| step(b, &moves.center));
        factorization(Matrix::from_columns(self.problem.dim(), &atoms), &self.codes, center).ok()
    }
}

pub(super) fn attack(
    instance: &Instance,
    answer: &Certified,
    effort: &Effort,
    rng: &mut ChaCha8Rng,
    report: &mut Report,
) {
    let local = answer.certificate().local().filter(|local| local.certified);
    if let Some(radius) = local.and_then(|local| local.radius).filter(|radius| *radius > SMALLEST) {
        outside(instance, answer.solution(), radius, effort, rng, report);
        descent(instance, answer.solution(), radius, effort, report);
    }
}

/// The distance of another point in the metric of a local verdict at `point`; `None` where
/// rounding leaves the metric open.
#[must_use]
pub fn distance(problem: &Problem, point: &Factorization, other: &Factorization) -> Option<f64> {
    let scaled = Scaled::of(problem);
    let (point, other) = (scaled.in_units(point)?, scaled.in_units(other)?);
    let around = Neighborhood::of(&scaled.problem, &point)?;
    Some(around.distance(&around.moves(&other)))
}

/// Share of the objective that a descent must gain before it is held against the radius:
/// less could be rounding that crosses what lies around it.
const GAIN: f64 = 1e-9;

/// A descent whose every step is a path that does not rise cannot leave the radius.
fn descent(instance: &Instance, point: &Factorization, radius: f64, effort: &Effort, report: &mut Report) {
    let problem = &instance.problem;
    let scaled = Scaled::of(problem);
    let start = scaled.in_units(point).map(|point| Descent::from_factorization(&scaled.problem, &point));
    let end = start.and_then(|start| descended(start, effort)).and_then(|end| scaled.back(&end));
    let Some(end) = end else { return };
    let Some(distance) = distance(problem, point, &end) else { return };
    let (own, value) = (exact::objective(problem, point), exact::objective(problem, &end));
    if value < own.clone() * exact::ex(1.0 - GAIN) {
        let slack = (radius - distance) / radius;
        report.note(instance, Claim::Local, slack >= -ROUNDING, slack, || {
            format!("a descent moves by {distance:e} out of the radius {radius:e}")
        });
    }
}

/// Rounding of a distance, as a share.
const ROUNDING: f64 = 1e-6;

/// Looks for points as low as `point` just outside `radius`: each is a failure of
/// [`Claim::Local`].
pub fn outside(
    instance: &Instance,
    point: &Factorization,
    radius: f64,
    effort: &Effort,
    rng: &mut ChaCha8Rng,
    report: &mut Report,
) {
    let scaled = Scaled::of(&instance.problem);
    let Some(point) = scaled.in_units(point) else { return };
    let Some(around) = Neighborhood::of(&scaled.problem, &point) else { return };
    let own = exact::objective_of_units(&scaled.problem, &point);
    let near = [SHELL[0] * radius, SHELL[1] * radius];
    // Nor does anything as low lie in the largest ball that the proof is tried for.
    let far = 0.99 * LEAST_RADIUS * around.reach;
    for ring in [near, [max(near[0], 0.1 * far), far]] {
        for _ in 0..if ring[0] < ring[1] { effort.directions } else { 0 } {
            let mut moves = around.random(rng);
            for _ in 0..ROUNDS {
                let Some(low) = lowered(&around, &moves, ring, effort) else { break };
                let value = exact::objective(&scaled.problem, &low);
                report.at_most(instance, Claim::Local, &own, &value, "a point and one outside its radius");
                let mut descent = Descent::from_factorization(&scaled.problem, &low);
                descent.sweep();
                let Some(next) = descent.finite_factorization() else { break };
                moves = around.moves(&next);
            }
        }
    }
}

/// A point in the ring along `moves`, with the best codes that a descent finds.
fn lowered(
    around: &Neighborhood<'_>,
    moves: &Move,
    ring: [f64; 2],
    effort: &Effort,
) -> Option<Factorization> {
    let placed = around.placed(moves, 0.5 * (ring[0] + ring[1]))?;
    let mut descent = Descent::from_factorization(around.problem, &placed);
    descent.learn_atoms = false;
    // The center moves to its best place: the point may leave the ring.
    let low = descended(descent, effort)?;
    let distance = around.distance(&around.moves(&low));
    (ring[0] < distance && distance < ring[1]).then_some(low)
}
