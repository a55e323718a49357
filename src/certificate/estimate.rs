//! The estimated lower bound, which is none.

use rayon::prelude::*;
use serde::{Deserialize, Serialize};

use crate::linalg::{Columns, Matrix, axpy, dot, norm, norm_sq, weighted_mean};
use crate::num::{max, min};
use crate::observer::{Latch, Observer};
use crate::trusted::Subject;

/// A lower bound that would hold if the polar were no larger than what an
/// ascent found. Not a bound: the ascent may miss the maximum.
#[derive(Clone, Copy, Debug, PartialEq, Serialize, Deserialize)]
pub struct Estimate {
    /// The largest `g°(R̃ᵀd)` over the directions tried: below or at Ω°(R̃).
    pub polar: f64,
    /// The dual value at the scale that polar would allow.
    pub lower_bound: f64,
}

impl Estimate {
    /// From the directions of a witness and the subject's own atoms, at which a stationary
    /// factorization has its polar; `None` without a usable direction, and where the observer
    /// breaks. O(nN) a direction.
    pub(super) fn of(subject: &Subject<'_>, directions: &Matrix, latch: &Latch<'_>) -> Option<Self> {
        let problem = subject.problem();
        let (data, gauge) = (problem.data(), problem.gauge());
        let mut dual = subject.residuals().to_matrix();
        if problem.centered() {
            let (mean, _) = weighted_mean(data.share(), &dual, data.weights());
            (0..dual.ncols()).for_each(|i| axpy(-1.0, &mean, dual.col_mut(i)));
        }
        let usable = |d: &&[f64]| norm(d) > 0.0 && norm(d).is_finite();
        let mut all: Vec<&[f64]> = directions.columns().filter(usable).collect();
        if all.is_empty() {
            return None;
        }
        let used = subject.factorization().dictionary().atoms().zip(subject.uses());
        all.extend(used.filter(|(_, uses)| **uses > 0).map(|(atom, _)| atom));
        let along = |d: &&[f64]| gauge.polar_along(&dual, d, &mut vec![0.0; problem.len()]).value / norm(d);
        let goes_on = |_: &&&[f64]| latch.poll().is_continue();
        // Sums that ask other ranks are made one after another.
        let polar = if gauge.asks() {
            all.iter().filter(goes_on).map(along).reduce(max)?
        } else {
            all.par_iter().filter(goes_on).map(along).reduce_with(max)?
        };
        // The largest of some is no estimate of the largest of all.
        if latch.interrupt().is_some() {
            return None;
        }
        let [inner, square] = data.share().sums(|run| {
            let (mut inner, mut square) = (0.0, 0.0);
            for (i, (x, w)) in run.clone().zip(data.weighted(run)) {
                inner += w * dot(&x, dual.col(i));
                square += w * norm_sq(dual.col(i));
            }
            [inner, square]
        });
        Some(Self { polar, lower_bound: dual_value(inner, square, polar) })
    }
}

/// `max_t t⟨X̃,R̃⟩ − ½t²‖R̃‖²` over `0 ≤ t ≤ 1/κ`, in floating point: what a dual point
/// promises at a polar κ that nobody has proved (theorem `copositive-duality`).
#[must_use]
pub(crate) fn dual_value(inner: f64, square: f64, polar: f64) -> f64 {
    if !(inner > 0.0 && square > 0.0) || polar.is_nan() {
        return 0.0;
    }
    let t = min(inner / square, if polar > 0.0 { 1.0 / polar } else { f64::INFINITY });
    max(t * inner - 0.5 * t * t * square, 0.0)
}
