//! The objective: primal and dual value, each with proved rounding bounds.
//!
//! The only definition of both. The primal value of a feasible point is an
//! [`Upper`] bound of the optimum, the dual value of a dual point a [`Lower`]
//! one; the widths cover every rounding (`proofs/rounding.md`).

use std::ops::Range;

use rayon::prelude::*;

use super::residuals::Residuals;
use crate::atoms::Factorization;
use crate::gauge::Moments;
use crate::linalg::{Columns, Row, chunk_columns, dot, norm_sq};
use crate::num::{Interval, rounding};
use crate::problem::{Data, Problem};
use crate::trusted::{Lower, Upper};

/// The primal value and its two parts.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Objective {
    /// `Σ wᵢ ½‖rᵢ‖²`, as computed.
    pub fit: f64,
    /// `Σ_k ‖d_k‖ g(z_k)`, as computed.
    pub penalty: f64,
    /// A proved upper bound of the exact sum at this point.
    pub upper: Upper,
    /// A proved lower bound of the exact sum at this point.
    pub lower: Lower,
}

impl Objective {
    /// `fit + penalty`, as computed.
    #[must_use]
    pub fn value(&self) -> f64 {
        self.fit + self.penalty
    }
}

/// The primal objective of a factorization, enclosed: what [`Subject::of`](super::Subject::of)
/// keeps. Residuals, rows and moments are those of the same factorization. O(n·nnz + nN).
pub(super) fn primal(
    problem: &Problem,
    factorization: &Factorization,
    residuals: &Residuals<'_>,
    uses: &[usize],
    moments: &[Moments],
) -> Objective {
    let data = problem.data();
    let terms = fit_terms(data, factorization, residuals);
    let part = |run: Range<usize>| {
        let mut value = 0.0;
        let mut fit = Interval::point(0.0);
        for i in run {
            let (half, error) = terms[i];
            if half == 0.0 && error == 0.0 {
                continue; // exactly 0
            }
            let w = data.weights()[i];
            value += w * half;
            fit = fit.add(Interval::point(w).mul(Interval::around(half, error)));
        }
        [value, fit.lo, fit.hi]
    };
    let [value, lo, hi] = data.share().folded(part, |all, part| {
        all[0] += part[0];
        add_enclosed(&mut all[1..], &part[1..]);
    });
    let fit = Interval { lo, hi };
    let (penalty_value, penalty) = penalty(problem, factorization, uses, moments);
    // Nothing was added to an exact 0: the sum is exact, and so is a gap of 0.
    let none = |part: Interval| part.lo == 0.0 && part.hi == 0.0;
    let total = if none(fit) {
        penalty
    } else if none(penalty) {
        fit
    } else {
        fit.add(penalty)
    };
    Objective {
        fit: value,
        penalty: penalty_value,
        upper: Upper::proved(total.hi),
        lower: Lower::proved(crate::num::max(total.lo, 0.0)),
    }
}

/// Adds enclosures, each its two ends. An exact 0 adds nothing.
fn add_enclosed(all: &mut [f64], part: &[f64]) {
    for (all, part) in all.chunks_exact_mut(2).zip(part.chunks_exact(2)) {
        let (one, other) = (Interval { lo: all[0], hi: all[1] }, Interval { lo: part[0], hi: part[1] });
        let none = |interval: &Interval| interval.lo == 0.0 && interval.hi == 0.0;
        let sum = if none(&one) {
            other
        } else if none(&other) {
            one
        } else {
            one.add(other)
        };
        (all[0], all[1]) = (sum.lo, sum.hi);
    }
}

/// `½‖rᵢ‖²` with a radius that covers the rounding of the residual and the sum.
fn fit_terms(data: &Data, factorization: &Factorization, residuals: &Residuals<'_>) -> Vec<(f64, f64)> {
    let n = data.dim();
    let chunk = chunk_columns(n);
    let zero = vec![0.0; n];
    let center = factorization.center().unwrap_or(&zero);
    let blocks: Vec<Vec<(f64, f64)>> = (0..data.len().div_ceil(chunk))
        .into_par_iter()
        .map(|c| {
            let mut magnitude = vec![0.0; n];
            let run = c * chunk..((c + 1) * chunk).min(data.len());
            let residuals = residuals.run(run.clone());
            run.zip(residuals.chunks_exact(n))
                .map(|(i, r)| {
                    let code = factorization.codes().column(i);
                    // |‖r‖² − ‖r̂‖²| ≤ Σ 2|r̂|e + e² with e the error a coordinate.
                    let squares = |r: f64, e: f64| e * (2.0 * r.abs() + e);
                    let error: f64 = if code.nnz() == 0 {
                        // x − b is rounded once, relative to itself; without b, not at all.
                        let u = if factorization.center().is_some() { rounding::UNIT } else { 0.0 };
                        r.iter().map(|r| squares(*r, rounding::SLACK * u * r.abs())).sum()
                    } else {
                        // |x| + |b| + |D| z bounds what each coordinate summed.
                        for ((m, x), b) in magnitude.iter_mut().zip(&*data.datapoint(i)).zip(center) {
                            *m = x.abs() + b.abs();
                        }
                        for (k, &z) in code.iter() {
                            for (m, d) in magnitude.iter_mut().zip(factorization.dictionary().atom(k)) {
                                *m += z * d.abs();
                            }
                        }
                        let g = rounding::gamma(2 * code.nnz() + rounding::FEW) * rounding::SLACK;
                        magnitude.iter().zip(r).map(|(m, r)| squares(*r, g * m + rounding::ETA)).sum()
                    };
                    let square = norm_sq(r);
                    if error == 0.0 && r.iter().all(|r| *r == 0.0) {
                        return (0.0, 0.0);
                    }
                    let widened = error * rounding::SLACK + rounding::radius(n, square);
                    (0.5 * square, 0.5 * widened.next_up())
                })
                .collect()
        })
        .collect();
    blocks.into_iter().flatten().collect()
}

/// `Σ_k ‖d_k‖ g(z_k)`: the value as computed, and an enclosure.
fn penalty(
    problem: &Problem,
    factorization: &Factorization,
    uses: &[usize],
    moments: &[Moments],
) -> (f64, Interval) {
    let lambda = Interval::point(problem.lambda());
    let gamma = Interval::point(problem.gamma());
    let mut value = 0.0;
    let mut total = Interval::point(0.0);
    for (k, &of_row) in moments.iter().enumerate() {
        if uses[k] == 0 {
            continue; // exactly 0
        }
        let Moments { mass, energy } = of_row;
        // Sums of nonnegative terms: the error is relative to the sum itself.
        let terms = 2 * uses[k];
        let s = Interval::around(mass, rounding::radius(terms, mass));
        let q = Interval::around(energy, rounding::radius(terms, energy));
        let atom = factorization.dictionary().atom(k);
        let square = norm_sq(atom);
        let length = Interval::around(square, rounding::radius(atom.len(), square)).sqrt();
        let gauge = if problem.gamma() == 0.0 {
            lambda.mul(s)
        } else {
            hypotenuse(lambda.mul(s), gamma.mul(q.sqrt()))
        };
        let term = length.mul(gauge);
        value += problem.penalty().price(of_row);
        total = total.add(term);
    }
    (value, total)
}

/// How many datapoints of all ranks use each atom.
#[expect(
    clippy::cast_precision_loss,
    clippy::cast_possible_truncation,
    clippy::cast_sign_loss,
    reason = "counts are far below 2^53"
)]
pub(super) fn uses(problem: &Problem, rows: &[Row]) -> Vec<usize> {
    let share = problem.share();
    if share.size() == 1 {
        return rows.iter().map(Row::len).collect();
    }
    let counts = share.sum(rows.len(), usize::MAX, |run| {
        rows.iter().map(|row| row.within(run.clone()).count() as f64).collect()
    });
    counts.into_iter().map(|count| count as usize).collect()
}

/// `√(x² + y²)` for intervals of numbers at least 0, without squares that
/// overflow or underflow.
fn hypotenuse(x: Interval, y: Interval) -> Interval {
    let largest = crate::num::max(x.hi, y.hi);
    if !(largest > 0.0 && largest.is_finite()) {
        return Interval { lo: 0.0, hi: if largest == 0.0 { 0.0 } else { f64::INFINITY } };
    }
    let unit = Interval::point(largest);
    let (x, y) = (x.div(unit), y.div(unit));
    x.square().add(y.square()).sqrt().mul(unit)
}

/// Datapoints that a parallel task takes at least: tens of microseconds of work.
const DATAPOINTS_A_TASK: usize = 256;

/// The inner products a dual value is made of: `⟨X̃, R̃⟩` and `‖R̃‖²` for a dual
/// point given by unwhitened columns `rᵢ`, enclosed. O(nN).
pub(super) fn dual_products(data: &Data, dual: &dyn Columns) -> (Interval, Interval) {
    let n = data.dim();
    let terms: Vec<(Interval, Interval)> = (0..data.len())
        .into_par_iter()
        .with_min_len(DATAPOINTS_A_TASK)
        .map(|i| {
            let (x, r) = (data.datapoint(i), dual.column(i));
            let inner = dot(&x, &r);
            let absolute: f64 = x.iter().zip(&*r).map(|(x, r)| (x * r).abs()).sum();
            let square = norm_sq(&r);
            let w = Interval::point(data.weights()[i]);
            (
                w.mul(Interval::around(inner, rounding::radius(n, absolute))),
                w.mul(Interval::around(square, rounding::radius(n, square))),
            )
        })
        .collect();
    let part = |run: Range<usize>| {
        let none = (Interval::point(0.0), Interval::point(0.0));
        let sum = terms[run].iter().fold(none, |sum, term| (sum.0.add(term.0), sum.1.add(term.1)));
        [sum.0.lo, sum.0.hi, sum.1.lo, sum.1.hi]
    };
    let [inner_lo, inner_hi, lo, hi] = data.share().folded(part, add_enclosed);
    (Interval { lo: inner_lo, hi: inner_hi }, Interval { lo, hi })
}

/// The dual bound `max_t t⟨X̃,R̃⟩ − ½t²‖R̃‖²` over `0 ≤ t ≤ 1/κ`, for `κ ≥ Ω°(R̃)`
/// (theorem `copositive-duality`): a lower bound of the convex optimum, hence of
/// every width. It is 0 where the best `t` is 0.
pub(super) fn dual_value(products: (Interval, Interval), polar: Upper) -> Lower {
    let t = best_scale(products, polar.get());
    let (inner, square) = products;
    let t = Interval::point(t);
    let value = t.mul(inner).sub(Interval::point(0.5).mul(t.square()).mul(square));
    Lower::proved(crate::num::max(value.lo, 0.0))
}

/// The scale `t ∈ [0, 1/κ]` at which a dual point gives its best bound.
pub(super) fn best_scale(products: (Interval, Interval), polar: f64) -> f64 {
    let (inner, square) = products;
    if !(inner.lo > 0.0) || !(square.hi > 0.0) || polar.is_nan() {
        return 0.0;
    }
    let newton = inner.lo / square.hi;
    let limit = if polar > 0.0 { (1.0 / polar).next_down() } else { f64::INFINITY };
    crate::num::max(crate::num::min(newton, limit), 0.0)
}
