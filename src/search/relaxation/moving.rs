//! Davis–Yin three-operator splitting on the doubly nonnegative problem
//!
//! ```math
//! \min_{Q\succeq0,\ Q\ge0}\ f(Q)=\min_b\tfrac12\operatorname{tr}(\tilde X-ba^\top)(I+Q)^{-1}(\tilde X-ba^\top)^\top
//!   +\tfrac12\langle A,Q\rangle,\qquad
//! \nabla f=\tfrac12(A-R^\top R),\quad R=(\tilde X-ba^\top)(I+Q)^{-1}.
//! ```
//!
//! Each iteration proposes a dual point R and a nonnegative T for theorem `split-certificate`.
//! Every proposal certifies a bound, and the limit certifies the bound of theorem `dnn-bound`. The
//! start is `Q = Σ_k z_kz_kᵀ/g(z_k)` from the codes of a factorization. The supports of the codes
//! also say where T starts at 0.

use std::ops::ControlFlow;

use rayon::prelude::*;

use super::metric::Metric;
use super::positive::PositivePart;
use super::products::parallel_product;
use super::proposal::{Goal, Proposal};
use super::rising;
use super::settings::Relaxation;
use crate::atoms::Factorization;
use crate::linalg::Matrix;
use crate::num::{max, min};
use crate::trusted::{Origin, Split};

/// Step length in units of 1/λ_max(A), which estimates the inverse curvature 1/λ_max(RᵀR) near the
/// optimum. The method converges for lengths below 2. A length ten times smaller is ten times
/// slower.
const STEP: f64 = 1.95;

/// Iterations between two evaluations of a proposal. An evaluation costs some fifty products of an
/// N × N matrix with a vector, a twentieth of an eigendecomposition.
const EVALUATE_EVERY: usize = 5;

/// Share of the gap that counts as progress, see [`Relaxation::patience`].
const NOTICEABLE: f64 = 0.02;

/// Davis–Yin on Q, started from the codes of the goal's factorization and the split of an earlier
/// search, if there is one.
pub(super) fn search(
    metric: &Metric<'_>,
    settings: &Relaxation,
    goal: &Goal<'_>,
    earlier: Option<&Split>,
) -> Option<Proposal> {
    let mut state = warm_start(metric, goal.start, earlier)?;
    let mut cone = PositivePart::new();
    let mut best: Option<Best> = None;
    let (mut interrupt, mut made) = (None, 0);
    // The iteration of the last noticeable decrease of the gap, and the gap there.
    let mut mark = (0, f64::INFINITY);
    for iteration in 0..settings.max_iterations {
        if let ControlFlow::Break(stop) = goal.observer.poll() {
            interrupt = Some(stop);
            break;
        }
        let Some((dual, slack)) = step(metric, &mut cone, &mut state) else { break };
        if iteration % EVALUATE_EVERY != 0 && iteration + 1 != settings.max_iterations {
            continue;
        }
        made = iteration + 1;
        let (polar, promised) = metric.promise(&dual, &slack);
        if best.as_ref().is_none_or(|b| promised > b.promised) {
            best = Some(Best { dual, split: slack, polar, promised });
        }
        let promised = best.as_ref().map_or(0.0, |b| b.promised);
        goal.tell("moving split", iteration + 1, promised);
        let left = goal.objective - promised;
        if left < mark.1 * (1.0 - NOTICEABLE) {
            mark = (iteration, left);
        }
        if polar <= 1.0 + settings.polar_tolerance
            || iteration - mark.0 >= settings.patience
            || goal.closes(promised, settings.gap_tolerance)
        {
            break;
        }
    }
    let best = best?.settled(metric, goal);
    goal.tell("moving split", made, best.promised);
    let (dual, slack) = (metric.unwhitened(best.dual), metric.root_free(best.split));
    let split = Split { dual, slack, origin: Origin::FirstOrder };
    Some(Proposal { split, promised: best.promised, iterations: made, interrupt })
}

/// The best proposal so far: the whitened dual point, T, their polar and bound.
struct Best {
    dual: Matrix,
    split: Matrix,
    polar: f64,
    promised: f64,
}

impl Best {
    /// With the best dual point for its T, where that promises more: the iteration's own is
    /// optimal in the limit only.
    fn settled(self, metric: &Metric<'_>, goal: &Goal<'_>) -> Self {
        match rising::settle(metric, self.dual.clone(), &self.split, self.polar, goal) {
            Some((dual, split, promised)) if promised > self.promised => {
                Self { dual, split, promised, polar: 1.0 }
            }
            _ => self,
        }
    }
}

/// Makes one iteration. `state` holds Z, the sum of Q and the multiplier, and becomes the next Z.
/// Returns the dual point R of Q, and T. `None` where a matrix factorization fails.
fn step(metric: &Metric<'_>, cone: &mut PositivePart, state: &mut Matrix) -> Option<(Matrix, Matrix)> {
    let len = state.nrows();
    let length = STEP / metric.largest;
    let (factor, psd) = cone.project(state)?;
    let dual = metric.dual(&factor)?;
    let mut slack = metric.slack(&dual);
    // T and the next state, entry by entry; `slack` becomes T.
    slack
        .as_mut_slice()
        .par_chunks_mut(len)
        .zip(state.as_mut_slice().par_chunks_mut(len))
        .zip(psd.as_slice().par_chunks(len))
        .enumerate()
        .for_each(|(j, ((slack, state), psd))| {
            for ((g, z), &q) in slack.iter_mut().zip(state).zip(psd) {
                let u = 2.0 * q - *z - 0.5 * length * *g;
                *z += max(u, 0.0) - q;
                *g = max(-u, 0.0) * 2.0 / length;
            }
            slack[j] = 0.0;
        });
    Some((dual, slack))
}

/// `Q − ½η S` with Q from the codes. S is that of an earlier split, which saves the iterations that
/// would find as good a one; without one it is A − K where two datapoints share an atom, and the
/// negative part of A − K elsewhere.
fn warm_start(metric: &Metric<'_>, start: &Factorization, earlier: Option<&Split>) -> Option<Matrix> {
    let len = metric.a.len();
    let gauge = metric.problem.gauge();
    let mut rows = start.codes().rows();
    rows.retain(|row| !row.is_empty());
    let mut factor = Matrix::zeros(len, rows.len());
    for (k, row) in rows.iter_mut().enumerate() {
        row.values.iter_mut().zip(&row.indices).for_each(|(v, &i)| *v *= metric.a[i]);
        let scale = 1.0 / gauge.value_of_row(row).sqrt();
        row.iter().for_each(|(i, v)| factor.col_mut(k)[i] = v * scale);
    }
    let mut state = parallel_product(&factor);
    let half = 0.5 * STEP / metric.largest;
    if let Some(split) = earlier {
        let slack = metric.slack(&metric.feasible(split.dual.clone())?);
        let columns = state.as_mut_slice().par_chunks_mut(len).zip(slack.as_slice().par_chunks(len));
        columns.zip(split.slack.as_slice().par_chunks(len)).enumerate().for_each(
            |(j, ((state, slack), raised))| {
                for (((z, s), t), a) in state.iter_mut().zip(slack).zip(raised).zip(metric.a) {
                    *z -= half * (s - t * a * metric.a[j]);
                }
            },
        );
        return Some(state);
    }
    let slack = metric.slack(&metric.dual(&factor)?);
    state.as_mut_slice().par_chunks_mut(len).zip(slack.as_slice().par_chunks(len)).enumerate().for_each(
        |(j, (state, slack))| {
            for (i, (z, &s)) in state.iter_mut().zip(slack).enumerate() {
                *z -= half * if i == j || *z > 0.0 { s } else { min(s, 0.0) };
            }
        },
    );
    Some(state)
}
