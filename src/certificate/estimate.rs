//! The estimated lower bound, which is none.

use std::ops::RangeInclusive;

use rayon::prelude::*;
use serde::{Deserialize, Serialize};

use crate::linalg::{
    Columns, Matrix, Panel, axpy, correlate_rows, dot, norm, norm_sq, rows_together, weighted_mean,
};
use crate::num::{max, min};
use crate::observer::{Latch, Observer};
use crate::problem::Problem;
use crate::trusted::Subject;

/// Directions whose polars are computed together.
const TOGETHER: RangeInclusive<usize> = 8..=32;

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
    /// factorization has its polar: the better one of the subject's residuals and of a dual point.
    /// `None` without a usable direction, and where the observer breaks. O(nN) a direction.
    pub(super) fn of(
        subject: &Subject<'_>,
        directions: &Matrix,
        dual: Option<&Matrix>,
        latch: &Latch<'_>,
    ) -> Option<Self> {
        let usable = |d: &&[f64]| norm(d) > 0.0 && norm(d).is_finite();
        let mut all: Vec<&[f64]> = directions.columns().filter(usable).collect();
        if all.is_empty() {
            return None;
        }
        let used = subject.factorization().dictionary().atoms().zip(subject.uses());
        all.extend(used.filter(|(_, uses)| **uses > 0).map(|(atom, _)| atom));
        let own = Self::at(subject.problem(), subject.residuals(), &all, latch)?;
        let given = dual.and_then(|dual| Self::at(subject.problem(), dual, &all, latch));
        // More than the objective is more than can be.
        let better = |given: &Self| {
            own.lower_bound < given.lower_bound && given.lower_bound <= subject.primal().upper.get()
        };
        Some(given.filter(better).unwrap_or(own))
    }

    /// The same at one dual point, less its mean where a center is learnt.
    fn at(problem: &Problem, columns: &dyn Columns, all: &[&[f64]], latch: &Latch<'_>) -> Option<Self> {
        let (data, gauge, share) = (problem.data(), problem.gauge(), problem.share());
        let mean = problem.centered().then(|| weighted_mean(share, columns, data.weights()).0);
        let (mut polar, mut panel) = (0.0, Panel::default());
        // Directions have roots of one size: that of others is a better guess than none.
        let mut usual = 0.0;
        for some in all.chunks(rows_together(problem.dim(), TOGETHER, share.total())) {
            // The largest of some is no estimate of the largest of all.
            if latch.poll().is_break() {
                return None;
            }
            panel.reshape(problem.len(), some.len());
            let dictionary = Matrix::from_columns(problem.dim(), some);
            correlate_rows(share, columns, &dictionary, None, &mut panel);
            let whiten = |v: &mut [f64], shift: f64| {
                v.iter_mut().zip(data.sqrt_weights()).for_each(|(v, a)| *v = a * (*v - shift));
            };
            let shifts: Vec<f64> =
                some.iter().map(|d| mean.as_ref().map_or(0.0, |mean| dot(mean, d))).collect();
            panel.rows_mut(some.len()).zip(&shifts).for_each(|(v, &shift)| whiten(v, shift));
            let polars = gauge.polars(&mut panel, &vec![usual; some.len()]);
            usual = polars.iter().map(|polar| polar.tau).fold(f64::INFINITY, min);
            polar = some.iter().zip(polars).fold(polar, |most, (d, polar)| max(most, polar.value / norm(d)));
        }
        let [inner, square] = share.sums(|run| {
            let (mut inner, mut square) = (0.0, 0.0);
            let mut columns = columns.run(run.clone()).into_owned();
            for (r, (x, w)) in columns.chunks_exact_mut(problem.dim()).zip(data.weighted(run)) {
                if let Some(mean) = &mean {
                    axpy(-1.0, mean, r);
                }
                inner += w * dot(&x, r);
                square += w * norm_sq(r);
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
