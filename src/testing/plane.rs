//! A brute-force reference for points of the plane: column generation whose
//! oracle scans the whole circle, so that both its values are bounds.

use std::f64::consts::TAU;

use crate::Factorization;
use crate::problem::Problem;

use super::naive::{Descent, Gauge, dual_value, inner};

/// The optimum of a planar problem between two numbers, up to rounding.
#[derive(Clone, Debug)]
pub struct Reference {
    /// A lower bound, from the polar over the whole circle.
    pub lower: f64,
    /// The objective of `factorization`.
    pub upper: f64,
    /// The best factorization found.
    pub factorization: Factorization,
}

/// Angles of the coarse scan: the cone between neighbors widens the polar by
/// `1/cos(π/4096)`, 3e-7 of itself, before the fine scan removes most of it.
const ANGLES: usize = 4_096;

/// An upper bound of `Ω°(R̃) = max_d g°(R̃ᵀd)` over the circle and the best
/// direction seen. Arcs that may hold the maximum are cut again and again.
#[must_use]
pub fn polar(problem: &Problem, dual: &crate::Matrix, relative: f64) -> (f64, f64, Vec<f64>) {
    let gauge = Gauge::of(problem);
    let at = |angle: f64| {
        let d = [angle.cos(), angle.sin()];
        let v: Vec<f64> = (0..problem.len()).map(|i| gauge.a[i] * inner(&d, dual.col(i))).collect();
        gauge.polar(&v)
    };
    let step = TAU / ANGLES as f64;
    let values: Vec<f64> = (0..ANGLES).map(|k| at(step * k as f64)).collect();
    let mut best = (0.0, 0.0);
    for (k, &value) in values.iter().enumerate() {
        if value > best.1 {
            best = (step * k as f64, value);
        }
    }
    // On the cone between two unit vectors at angle δ, d = αp + βq with
    // α + β ≤ 1/cos(δ/2), and g° is convex and homogeneous.
    let mut arcs: Vec<(f64, f64, f64, f64)> =
        (0..ANGLES).map(|k| (step * k as f64, step, values[k], values[(k + 1) % ANGLES])).collect();
    let bound = |arc: &(f64, f64, f64, f64)| crate::num::max(arc.2, arc.3) / (0.5 * arc.1).cos();
    for _ in 0..26 {
        arcs.retain(|arc| bound(arc) > best.1 * (1.0 + relative));
        let mut halves = Vec::with_capacity(2 * arcs.len());
        for &(from, width, left, right) in &arcs {
            let middle = from + 0.5 * width;
            let value = at(middle);
            if value > best.1 {
                best = (middle, value);
            }
            halves.push((from, 0.5 * width, left, value));
            halves.push((middle, 0.5 * width, value, right));
        }
        arcs = halves;
    }
    let upper = arcs.iter().map(bound).fold(best.1 * (1.0 + relative), crate::num::max);
    (upper, best.1, vec![best.0.cos(), best.0.sin()])
}

/// Most sweeps of a descent between two new atoms, and the relative decrease of a sweep
/// at which it has settled.
const SWEEPS: usize = 4_000;
const SETTLED: f64 = 1e-15;

/// Relative width of the enclosure of the polar: far below the gaps that tests ask for.
const POLAR_TOLERANCE: f64 = 1e-11;

/// Solves a planar problem without a center to a relative gap, or as well as
/// `rounds` rounds of adding the best direction of the circle can.
///
/// # Panics
/// If the data are not planar or a center is asked for.
#[must_use]
pub fn optimum(problem: &Problem, relative: f64, rounds: usize) -> Reference {
    assert!(problem.dim() == 2 && !problem.centered(), "datapoints of the plane without a center");
    let mut descent = Descent::new(problem, &[]);
    let mut best = Reference { lower: 0.0, upper: f64::INFINITY, factorization: descent.factorization() };
    for _ in 0..rounds {
        descent.run(SWEEPS, SETTLED);
        descent.prune();
        let (upper_polar, _, direction) = polar(problem, descent.residuals(), POLAR_TOLERANCE);
        let lower = dual_value(problem, descent.residuals(), upper_polar);
        best.lower = crate::num::max(best.lower, lower);
        let objective = descent.objective();
        if objective < best.upper {
            best.upper = objective;
            best.factorization = descent.factorization();
        }
        if best.upper - best.lower <= relative * best.upper {
            break;
        }
        descent.push(&direction);
    }
    best
}
