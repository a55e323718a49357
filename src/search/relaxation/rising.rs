//! A split raised from the nuclear bound (theorems `nuclear-bound`, `split-certificate`).
//!
//! For a fixed `T ≥ 0` with `B = A − T ≻ 0` the best dual point solves
//!
//! ```math
//! \varphi(T)=\max_R\ \langle\tilde X,R\rangle-\tfrac12\lVert R\rVert^2\quad\text{subject to}\quad RB^{-1}R^\top\preceq I,
//! ```
//!
//! the nuclear bound with B in place of A. φ is concave, and at the maximum
//! `X̃ − b aᵀ − R = RQ` with a `Q ⪰ 0`: −½Q is its gradient. So T grows where Q is negative. Few
//! steps take most of what there is to gain: the first one goes almost to where A − T becomes
//! singular. Unlike its neighbors this search needs no codes, only the datapoints, and one
//! Cholesky factor of N × N a step. It ends short of the relaxation's value, which
//! [`moving`](super::moving) approaches with more steps.
//!
//! For small γ the nuclear bound is below the wide limit, and T = 0 a poor start. There
//! T rises from the wide limit: from the datapoints shortened to length λ, and all of A − K
//! off the diagonal.

use rayon::prelude::*;

use super::ball::{self, Aim, Ball};
use super::metric::Metric;
use super::products::parallel_times;
use super::proposal::{Goal, Proposal};
use super::settings::Relaxation;
use crate::linalg::{Matrix, axpy, combine, correlate, dot, lanczos_largest, norm, symmetric_eigen};
use crate::num::max;
use crate::observer::{Interrupt, Observer};
use crate::trusted::{Origin, Split};

/// Most steps. The tenth gains a hundredth of the first.
const STEPS: usize = 8;

/// What the largest eigenvalue of (T, A) may be at the first step, as a distance from 1, and how
/// it falls. A first step to 0.99 loses a part of its gain, a slow fall takes more steps.
const FIRST_DISTANCE: f64 = 0.1;
const NEXT_DISTANCE: f64 = 0.3;

/// Factor on the length of a step that does not gain, and most tries.
const SHORTER: f64 = 0.4;
const TRIES: usize = 3;

/// Steps in R for a new T. Three leave a tenth of a percent, ten cost twice as much.
const INNER: usize = 5;

/// A step that closes less than this share of the gap is the last.
const NOTICEABLE: f64 = 0.02;

/// The wide limit is tried as a start where its bound is at least this share of the first dual
/// point's: a step gains more from there.
const WIDE_SHARE: f64 = 0.8;

/// What is added to the polar of a T before R moves. The Lanczos estimate of the polar is below
/// it, by less than the first; the second is for where that fails.
const MARGINS: [f64; 2] = [1e-3, 1e-2];

/// Lanczos steps for the largest eigenvalue of (T, A). T keeps a distance from it.
const LANCZOS_STEPS: usize = 30;

/// Eigenvalues of `WBWᵀ` below this share of the largest one are rounding.
const RANK: f64 = 1e-14;

/// Raises T from 0 and a whitened dual point that is feasible for it.
pub(super) fn search(
    metric: &Metric<'_>,
    dual: Matrix,
    settings: &Relaxation,
    goal: &Goal<'_>,
) -> Option<Proposal> {
    let len = metric.a.len();
    let first = Stage::new(metric, Matrix::zeros(len, len), dual, goal.observer)?;
    let mut stage = match from_wide_limit(metric, first.value, goal) {
        Some(wide) if wide.value > first.value => wide,
        _ => first,
    };
    let (mut length, mut interrupt, mut made) = (None, None, 0);
    while made < STEPS.min(settings.max_iterations) {
        let Some(gradient) = stage.gradient(metric) else { break };
        let limit = 1.0 - FIRST_DISTANCE * NEXT_DISTANCE.powi(i32::try_from(made).unwrap_or(i32::MAX));
        let before = stage.value;
        match step(metric, stage, &gradient, &mut length, limit, goal) {
            (next, Ok(true)) => stage = next,
            (next, Ok(false)) => {
                stage = next;
                break;
            }
            (next, Err(stop)) => {
                (stage, interrupt) = (next, Some(stop));
                break;
            }
        }
        made += 1;
        goal.tell("rising split", made, stage.value);
        let left = goal.objective - before;
        if goal.closes(stage.value, settings.gap_tolerance) || stage.value - before < NOTICEABLE * left {
            break;
        }
    }
    // A break that cut the steps in R short ends the search too.
    let interrupt = interrupt.or_else(|| goal.observer.poll().break_value());
    let Stage { split, dual, .. } = stage;
    let (_, promised) = metric.promise(&dual, &split);
    let (dual, slack) = (metric.unwhitened(dual), metric.root_free(split));
    let split = Split { dual, slack, origin: Origin::FirstOrder };
    Some(Proposal { split, promised, iterations: made, interrupt })
}

/// R and T of the wide limit, where they are a start beside a dual point of this value. With a
/// learnt center the shortened datapoints are not feasible.
fn from_wide_limit(metric: &Metric<'_>, value: f64, goal: &Goal<'_>) -> Option<Stage> {
    let problem = metric.problem;
    if problem.centered() {
        return None;
    }
    let mut dual = metric.whitened.clone();
    for (i, a) in metric.a.iter().enumerate() {
        let length = norm(dual.col(i));
        if length > a * problem.lambda() {
            let share = a * problem.lambda() / length;
            dual.col_mut(i).iter_mut().for_each(|v| *v *= share);
        }
    }
    if !(metric.value(&dual) >= WIDE_SHARE * value) {
        return None;
    }
    let negated = {
        let mut slack = metric.slack(&dual);
        slack.as_mut_slice().par_iter_mut().for_each(|v| *v = -*v);
        slack
    };
    let mut split = Matrix::zeros(negated.nrows(), negated.ncols());
    raise(&mut split, &negated, 1.0);
    Stage::new(metric, split, dual, goal.observer)
}

/// Moves the dual point of a split whose T stays: what the other searches fix is rarely the best R
/// for the T they find. `polar` is the split's own. The whitened dual point, T and the bound they
/// promise. One Cholesky factor.
pub(super) fn settle(
    metric: &Metric<'_>,
    mut dual: Matrix,
    split: &Matrix,
    polar: f64,
    goal: &Goal<'_>,
) -> Option<(Matrix, Matrix, f64)> {
    let share = 1.0 / max(polar, f64::MIN_POSITIVE);
    dual.as_mut_slice().iter_mut().for_each(|r| *r *= share);
    let stage = MARGINS.iter().find_map(|margin| {
        let share = (share / (1.0 + margin)).powi(2);
        let mut split = split.clone();
        split.as_mut_slice().iter_mut().for_each(|t| *t *= share);
        Stage::new(metric, split, dual.clone(), goal.observer)
    })?;
    let (_, promised) = metric.promise(&stage.dual, &stage.split);
    Some((stage.dual, stage.split, promised))
}

/// One step along −Q, shortened until it gains. The stage to go on from, and whether it is
/// another.
fn step(
    metric: &Metric<'_>,
    stage: Stage,
    gradient: &Matrix,
    length: &mut Option<f64>,
    limit: f64,
    goal: &Goal<'_>,
) -> (Stage, Result<bool, Interrupt>) {
    for _ in 0..TRIES {
        if let std::ops::ControlFlow::Break(stop) = goal.observer.poll() {
            return (stage, Err(stop));
        }
        let tried = match *length {
            Some(length) => length,
            None => {
                let mut negative = Matrix::zeros(gradient.nrows(), gradient.ncols());
                raise(&mut negative, gradient, 1.0);
                limit / max(largest(metric, &negative), f64::MIN_POSITIVE)
            }
        };
        *length = Some(tried);
        let mut split = stage.split.clone();
        raise(&mut split, gradient, tried);
        let share = limit / max(largest(metric, &split), f64::MIN_POSITIVE);
        if share < 1.0 {
            split.as_mut_slice().iter_mut().for_each(|t| *t *= share);
        }
        if let Some(next) = Stage::new(metric, split, stage.dual.clone(), goal.observer)
            && next.value > stage.value
        {
            return (next, Ok(true));
        }
        *length = Some(SHORTER * tried);
    }
    (stage, Ok(false))
}

/// `T ← (T − length·Q)₊` off the diagonal, 0 on it.
fn raise(split: &mut Matrix, gradient: &Matrix, length: f64) {
    let len = split.nrows();
    split.as_mut_slice().par_chunks_mut(len).zip(gradient.as_slice().par_chunks(len)).enumerate().for_each(
        |(j, (split, gradient))| {
            for (t, q) in split.iter_mut().zip(gradient) {
                *t = max(*t - length * q, 0.0);
            }
            split[j] = 0.0;
        },
    );
}

/// The largest eigenvalue of (T, A), a little below it.
pub(super) fn largest(metric: &Metric<'_>, split: &Matrix) -> f64 {
    let (value, _) = lanczos_largest(split.nrows(), LANCZOS_STEPS, |v| {
        let mut u = v.to_vec();
        metric.half_inverse(&mut u);
        let mut image = vec![0.0; u.len()];
        correlate(split, &u, &mut image);
        metric.half_inverse(&mut image);
        image
    });
    value
}

/// A matrix T with the best dual point found for it.
pub(super) struct Stage {
    /// T.
    pub(super) split: Matrix,
    /// R, with `RB⁻¹Rᵀ ⪯ I`.
    pub(super) dual: Matrix,
    /// B = A − T.
    price: Matrix,
    /// The bound of R.
    pub(super) value: f64,
}

impl Stage {
    /// Maximizes over R, from a dual point of another T. `None` where B is not positive definite.
    pub(super) fn new(
        metric: &Metric<'_>,
        split: Matrix,
        dual: Matrix,
        observer: &dyn Observer,
    ) -> Option<Self> {
        let mut negative = split.clone();
        negative.as_mut_slice().iter_mut().for_each(|t| *t = -*t);
        let price = metric.raised(&negative, 1.0);
        drop(negative);
        let ball = Ball::new(&price, metric.problem.centered().then_some(metric.a))?;
        let centered = metric.problem.centered();
        let aim = Aim {
            value: &|dual| metric.value(dual),
            gradient: &|dual| {
                let mut rest = metric.whitened.clone();
                axpy(-1.0, dual.as_slice(), rest.as_mut_slice());
                rest
            },
            least: metric.gamma_sq,
            most: if centered { metric.gamma_sq } else { metric.largest },
        };
        let (value, dual) = ball.ascend(&price, dual, INNER, &aim, observer)?;
        value.is_finite().then_some(Self { split, dual, price, value })
    }

    /// Q, whose half is minus the gradient: `Wᵀ(WBWᵀ)^{-1/2}W` with `W = X̃ − b aᵀ − R`.
    fn gradient(&self, metric: &Metric<'_>) -> Option<Matrix> {
        Some(super::products::parallel_gram(&self.root(metric)?))
    }

    /// Few rows P with `Q = PᵀP`.
    pub(super) fn root(&self, metric: &Metric<'_>) -> Option<Matrix> {
        let mut rest = metric.whitened.clone();
        axpy(-1.0, self.dual.as_slice(), rest.as_mut_slice());
        if metric.problem.centered() {
            let image = ball::image(&self.price, metric.a);
            let mut center = vec![0.0; rest.nrows()];
            combine(&rest, &image, &mut center);
            let share = 1.0 / dot(&image, metric.a);
            for (i, a) in metric.a.iter().enumerate() {
                axpy(-share * a, &center, rest.col_mut(i));
            }
        }
        let priced = parallel_times(&rest, &self.price);
        let (values, vectors) = symmetric_eigen(&priced.times_transpose(&rest))?;
        let top = *values.last()?;
        let kept: Vec<usize> = (0..values.len()).filter(|&k| values[k] > RANK * top).collect();
        let mut small = vectors.select_columns(&kept);
        for (column, &k) in kept.iter().enumerate() {
            let scale = values[k].powf(-0.25);
            small.col_mut(column).iter_mut().for_each(|v| *v *= scale);
        }
        Some(small.transpose_times(&rest))
    }
}
