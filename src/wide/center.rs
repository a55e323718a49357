//! The center at γ = 0: the Huber location of weighted data (theorem `centre`).
//!
//! With as many atoms as wanted, the best center is a convex problem of its own, solved
//! here once instead of by alternation with codes and atoms. For γ > 0, or for a fixed
//! width, the center depends on the dictionary and a solver learns it.

use std::ops::ControlFlow;

use crate::gauge::huber;
use crate::linalg::{Matrix, axpy, dot, norm, norm_sq};
use crate::num::{decreasing_root, max, min};
use crate::observer::{Observer, Stop};
use crate::problem::Data;

/// Most Newton steps. Each is a line search to full precision along a damped Newton
/// direction; 5 to 30 are usual.
const MAX_STEPS: usize = 500;

/// Most conjugate-gradient steps for one Newton direction. An inexact direction still
/// descends, at the cost of more Newton steps.
const CG_STEPS: usize = 50;

/// Relative duality gap at which the location is taken as found.
const GAP: f64 = 1e-13;

/// Ridge of the Newton system, as a share of the mean curvature. Ten times as much slows
/// the last steps; without it they would be infinite on collinear data.
const RIDGE: f64 = 1e-6;

/// Share of its first value to which conjugate gradients reduce the squared residual: ten
/// digits of a direction, more than a line search can use.
const SOLVED: f64 = 1e-20;

/// Factor on [`GAP`] within which a stall counts as having found the location: near the
/// optimum values agree to rounding before the gradient has fallen to [`GAP`].
const STALLED_GAP: f64 = 1e4;

/// Units in the last place by which two values count as equal.
const SAME_VALUE: f64 = 4.0 * f64::EPSILON;

/// Factor by which a line search extends its bracket.
const EXTENSION: f64 = 4.0;

/// Longest step a line search tries, in units of the Newton step: only a vanishing
/// curvature asks for it.
const LONGEST_STEP: f64 = 1e12;

/// Width of the line search's final bracket over its first: a few units in the last place.
const LINE_TOLERANCE: f64 = 1e-15;

/// A Huber location with its dual point.
#[derive(Clone, Debug, PartialEq)]
pub struct Location {
    /// A minimizer b; not unique for collinear or tied data.
    pub center: Vec<f64>,
    /// `Σ wᵢ h_λ(‖xᵢ − b‖)`, as computed.
    pub value: f64,
    /// `ρᵢ = (xᵢ − b)·min(1, λ/‖xᵢ − b‖)`, n × N: a witness, from which the
    /// certificate recomputes a bound after projecting on `Σ wᵢρᵢ = 0`.
    pub dual: Matrix,
    /// Why the iteration ended.
    pub stop: Stop,
    /// Newton steps made.
    pub iterations: usize,
}

/// Minimizes `Σ wᵢ h_λ(‖xᵢ − b‖)` over b by damped Newton with exact line
/// search; λ > 0. O(nN) a step.
///
/// λ → 0 tends to a geometric median; for `λ ≥ maxᵢ‖xᵢ − x̄‖` the result is the
/// mean. Convex and differentiable, so a vanishing gradient is optimality; the
/// dual point proves how close the value is.
#[must_use]
pub fn location(data: &Data, lambda: f64, observer: &dyn Observer) -> Location {
    let mut center = data.mean();
    let mut step = 0;
    let (stop, state) = loop {
        let state = State::at(data, lambda, &center);
        if norm(&state.gradient) * state.reach <= GAP * state.value || state.value == 0.0 {
            break (Stop::ToleranceMet, state);
        }
        if step == MAX_STEPS {
            break (Stop::IterationLimit, state);
        }
        if let ControlFlow::Break(interrupt) = observer.poll() {
            break (interrupt.into(), state);
        }
        step += 1;
        let direction = state.newton_direction(data, observer);
        let length = state.line_search(data, lambda, &direction);
        let before = center.clone();
        axpy(length, &direction, &mut center);
        let next = State::at(data, lambda, &center);
        // Near the optimum values agree to rounding while the gradient still falls.
        let lower = next.value < state.value
            || (next.value <= state.value * (1.0 + SAME_VALUE)
                && norm(&next.gradient) < 0.5 * norm(&state.gradient));
        if !lower {
            center = before;
            break (Stop::Stalled, state);
        }
    };
    let mut dual = state.residuals;
    for (i, &share) in state.shares.iter().enumerate() {
        dual.col_mut(i).iter_mut().for_each(|v| *v *= share);
    }
    // A stall at the resolution of f64 with a tiny gradient is the optimum.
    let small = norm(&state.gradient) * state.reach <= STALLED_GAP * GAP * state.value;
    let stop = if stop == Stop::Stalled && small { Stop::ToleranceMet } else { stop };
    Location { center, value: state.value, dual, stop, iterations: step }
}

/// Everything of one center.
struct State {
    residuals: Matrix,
    /// `cᵢ = min(1, λ/‖rᵢ‖)`.
    shares: Vec<f64>,
    /// `Σ wᵢcᵢrᵢ`: minus the derivative of the value.
    gradient: Vec<f64>,
    value: f64,
    /// Largest distance from the center: gradient times reach bounds the gap.
    reach: f64,
}

impl State {
    fn at(data: &Data, lambda: f64, center: &[f64]) -> Self {
        let mut residuals = data.datapoints().to_matrix();
        let (mut shares, mut lengths) = (Vec::with_capacity(data.len()), Vec::with_capacity(data.len()));
        for i in 0..data.len() {
            let r = residuals.col_mut(i);
            axpy(-1.0, center, r);
            let length = norm(r);
            shares.push(if length > lambda { lambda / length } else { 1.0 });
            lengths.push(length);
        }
        let n = data.dim();
        let mut gradient = data.share().sum(n + 1, usize::MAX, |run| {
            let mut sums = vec![0.0; n + 1];
            for i in run {
                axpy(data.weights()[i] * shares[i], residuals.col(i), &mut sums[..n]);
                sums[n] += data.weights()[i] * huber(lambda, lengths[i]);
            }
            sums
        });
        let value = gradient.pop().unwrap_or_default();
        let [reach] = data.share().largest(|run| [lengths[run].iter().copied().fold(0.0, max)]);
        Self { residuals, shares, gradient, value, reach }
    }

    /// `H p` with `H = Σ wᵢcᵢ(I − [‖rᵢ‖ > λ] r̂ᵢr̂ᵢᵀ)`.
    fn hessian_times(&self, data: &Data, p: &[f64]) -> Vec<f64> {
        let n = p.len();
        let mut out = data.share().sum(n + 1, usize::MAX, |run| {
            let mut sums = vec![0.0; n + 1];
            for i in run {
                let (r, share, w) = (self.residuals.col(i), self.shares[i], data.weights()[i]);
                sums[n] += w * share;
                if share < 1.0 {
                    axpy(-w * share * dot(r, p) / norm_sq(r), r, &mut sums[..n]);
                }
            }
            sums
        });
        let identity = out.pop().unwrap_or_default();
        axpy(identity, p, &mut out);
        out
    }

    /// Solves `(H + μI)p = gradient` by conjugate gradients. The ridge μ keeps the step
    /// finite where H is singular (collinear data). Where the observer breaks, the direction
    /// so far still descends.
    fn newton_direction(&self, data: &Data, observer: &dyn Observer) -> Vec<f64> {
        let [curvature] = data.share().sums(|run| [run.map(|i| self.shares[i] * data.weights()[i]).sum()]);
        let ridge = RIDGE * curvature;
        let mut direction = vec![0.0; self.gradient.len()];
        let mut left = self.gradient.clone();
        let mut p = left.clone();
        let mut energy = norm_sq(&left);
        let target = SOLVED * energy;
        for _ in 0..CG_STEPS {
            if observer.poll().is_break() {
                break;
            }
            let mut image = self.hessian_times(data, &p);
            axpy(ridge, &p, &mut image);
            let bend = dot(&p, &image);
            if !(bend > 0.0) {
                break;
            }
            let step = energy / bend;
            axpy(step, &p, &mut direction);
            axpy(-step, &image, &mut left);
            let next = norm_sq(&left);
            if next <= target {
                break;
            }
            let ratio = next / energy;
            p.iter_mut().zip(&left).for_each(|(p, l)| *p = l + ratio * *p);
            energy = next;
        }
        if direction.iter().all(|v| *v == 0.0) { self.gradient.clone() } else { direction }
    }

    /// The minimizer of the value along `center + t·p`, t ≥ 0: the root of its
    /// derivative, each evaluation O(N) from `‖rᵢ‖²`, `rᵢᵀp`, `‖p‖²`.
    fn line_search(&self, data: &Data, lambda: f64, p: &[f64]) -> f64 {
        let square = norm_sq(p);
        let moments: Vec<(f64, f64)> = self.residuals.columns().map(|r| (norm_sq(r), dot(r, p))).collect();
        let slope = |t: f64| {
            let [sum] = data.share().sums(|run| {
                let mut sum = 0.0;
                for (&(rr, rp), &w) in moments[run.clone()].iter().zip(&data.weights()[run]) {
                    let length = max(rr - 2.0 * t * rp + t * t * square, 0.0).sqrt();
                    sum += w * min(1.0, lambda / length) * (rp - t * square);
                }
                [sum]
            });
            sum
        };
        let mut far = 1.0;
        while slope(far) > 0.0 && far < LONGEST_STEP {
            far *= EXTENSION;
        }
        decreasing_root(0.0, far, LINE_TOLERANCE * far, |t| (slope(t), 0.0)).middle()
    }
}
