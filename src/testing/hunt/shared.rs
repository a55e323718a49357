//! The attack on the claims about one atom a datapoint (theorem `regime-boundary`): its
//! condition on pairs in exact arithmetic, and points that share atoms.

use std::borrow::Cow;

use super::rivals::{Scaled, descended};
use super::{Claim, Effort, Instance, Report};
use crate::num::max;
use crate::problem::Problem;
use crate::testing::exact::{Exact, ex, inner, objective};
use crate::testing::naive::{Descent, length};
use crate::wide::{self, Regime};

/// What the pairs say at a price.
struct Pairs {
    points: Vec<Vec<f64>>,
    squares: Vec<Exact>,
    weights: Vec<Exact>,
    lambda_sq: Exact,
}

impl Pairs {
    fn of(problem: &Problem) -> Self {
        let points: Vec<Vec<f64>> = problem.data().datapoints().columns().map(Cow::into_owned).collect();
        Self {
            squares: points.iter().map(|x| inner(x, x)).collect(),
            weights: problem.data().weights().iter().map(|w| ex(*w)).collect(),
            lambda_sq: ex(problem.lambda()).square(),
            points,
        }
    }

    /// `κᵢ² = λ²wᵢ + γ²`.
    fn kappa_sq(&self, i: usize, gamma_sq: &Exact) -> Exact {
        self.lambda_sq.clone() * self.weights[i].clone() + gamma_sq.clone()
    }

    fn energy(&self, i: usize) -> Exact {
        self.weights[i].clone() * self.squares[i].clone()
    }

    fn active(&self, i: usize, gamma_sq: &Exact) -> bool {
        self.energy(i) > self.kappa_sq(i, gamma_sq)
    }

    /// Whether `cᵢⱼρᵢρⱼ ≤ λ²√(wᵢwⱼ)`: for a positive inner product, squared and freed of
    /// fractions.
    fn allows(&self, i: usize, j: usize, gamma_sq: &Exact) -> bool {
        let product = inner(&self.points[i], &self.points[j]);
        if !product.is_positive() {
            return true;
        }
        let rho_sq = |i: usize| std::cmp::min(self.kappa_sq(i, gamma_sq), self.energy(i));
        let left = product.square() * rho_sq(i) * rho_sq(j);
        let both = self.squares[i].clone() * self.squares[j].clone();
        let right = self.lambda_sq.square() * self.weights[i].clone() * self.weights[j].clone() * both;
        left <= right
    }

    fn all_allow(&self, gamma: f64) -> bool {
        let gamma_sq = ex(gamma).square();
        (0..self.points.len()).all(|j| (0..j).all(|i| self.allows(i, j, &gamma_sq)))
    }

    /// The objective of one atom a datapoint at a price.
    fn value(&self, gamma: f64) -> Exact {
        let gamma_sq = ex(gamma).square();
        Exact::sum((0..self.points.len()).map(|i| {
            if self.active(i, &gamma_sq) {
                let kappa_sq = self.kappa_sq(i, &gamma_sq);
                (kappa_sq.clone() * self.energy(i)).root() - kappa_sq.half()
            } else {
                self.energy(i).half()
            }
        }))
    }
}

/// `known` are objectives of feasible points of the instance.
pub(super) fn attack(instance: &Instance, known: &[Exact], effort: &Effort, report: &mut Report) {
    let problem = &instance.problem;
    let Ok(boundary) = wide::boundary(problem, &()) else { return };
    let pairs = Pairs::of(problem);
    let (lower, upper) = (boundary.lower.get(), boundary.upper.get());
    let seen = |holds: bool, what: &str, report: &mut Report| {
        report.note(instance, Claim::Boundary, holds, 0.0, || format!("{what}: {lower:e}, {upper:e}"));
    };
    seen(lower <= upper, "the ends are in order", report);
    // At twice the largest length no datapoint is active: nothing changes beyond.
    let largest = pairs.points.iter().map(|x| length(x)).fold(0.0, max);
    let finite = if lower.is_finite() { lower } else { 2.0 * largest };
    seen(pairs.all_allow(finite), "every pair allows the lower end", report);
    if upper.is_finite() {
        seen(!pairs.all_allow(upper.next_up()), "some pair forbids what is above the upper end", report);
    }
    below(instance, &pairs, finite, effort, report);
    match wide::regime(problem, &()) {
        Ok(Regime::Optimal) => {
            let value = pairs.value(problem.gamma());
            for other in known {
                // The roots are cut, so the value may be above by as much.
                let room = value.clone() * (ex(1.0) - ex(CUT));
                report.at_most(instance, Claim::Regime, &room, other, "one atom a datapoint and a point");
            }
        }
        Ok(Regime::Shared { pair: (i, j) }) => {
            let gamma_sq = ex(problem.gamma()).square();
            // Two inactive datapoints refute by more than this condition.
            if pairs.active(i, &gamma_sq) || pairs.active(j, &gamma_sq) {
                let holds = !pairs.allows(i, j, &gamma_sq);
                report.note(instance, Claim::Regime, holds, 0.0, || format!("the pair {i}, {j} is allowed"));
            }
        }
        _ => {}
    }
}

/// Far above what cutting a root loses, far below a rounding.
const CUT: f64 = 1e-200;

/// Points that share atoms are not better at the lower end of the boundary.
fn below(instance: &Instance, pairs: &Pairs, gamma: f64, effort: &Effort, report: &mut Report) {
    let problem = &instance.problem;
    let Ok(priced) = problem.with_penalty(problem.lambda(), gamma) else { return };
    let value = pairs.value(gamma) * (ex(1.0) - ex(CUT));
    let scaled = Scaled::of(&priced);
    let mut directions: Vec<Vec<f64>> = scaled
        .problem
        .data()
        .datapoints()
        .columns()
        .filter(|x| length(x) > 0.0)
        .map(Cow::into_owned)
        .collect();
    if let [first, second, ..] = directions.as_slice() {
        directions.push(first.iter().zip(second).map(|(x, y)| x + y).collect());
    }
    directions.retain(|d| length(d) > 0.0);
    let found = descended(Descent::new(&scaled.problem, &directions), effort).and_then(|p| scaled.back(&p));
    let Some(point) = found else { return };
    let found = objective(&priced, &point);
    report.at_most(instance, Claim::Boundary, &value, &found, "one atom a datapoint below the boundary");
}
