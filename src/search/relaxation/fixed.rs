//! A split for a fixed dual point, by Douglas–Rachford (theorem `split-certificate`).
//!
//! Let `K = RᵀR` and let `c ≥ 1` be a trial. The iteration seeks a matrix S in both `{S ⪰ 0}` and
//! `{S ≤ cA − K off the diagonal, S = cA − K on it}`. Such an S gives `T = cA − K − S ≥ 0` and the
//! polar `κ ≤ √c`. Off the diagonal the start is `min(cA − K, 0)`, so that T begins with every
//! nonnegative entry.
//!
//! At the end T stays and R moves ([`rising`](super::rising)), which gains more than many further
//! iterations.

use std::ops::ControlFlow;

use rayon::prelude::*;

use super::metric::Metric;
use super::products::parallel_product;
use super::proposal::{Goal, Proposal};
use super::rising;
use super::settings::Relaxation;
use crate::linalg::{Matrix, axpy, symmetric_eigen, symmetric_eigen_single};
use crate::num::{max, min};
use crate::observer::Interrupt;
use crate::trusted::{Origin, Split};

/// First trial of `c − 1`. From the residuals of a factorization with a gap of a percent, a few
/// iterations meet the first trial. A trial ten times smaller takes ten times as many.
const FIRST_TRIAL: f64 = 0.1;

/// Factor on `c − 1` after a trial is met. A factor closer to 1 wastes iterations on trials that
/// gain little, a factor closer to 0 on trials that fail.
const NEXT_TRIAL: f64 = 0.6;

/// A trial counts as met when κ² − 1 is within this share of c − 1.
const MET: f64 = 0.02;

/// Iterations a trial may take without lowering κ − 1 by [`NOTICEABLE`] of itself.
const PATIENCE: usize = 10;
const NOTICEABLE: f64 = 0.02;

/// Error of κ² by a decomposition in single precision, in units of `λ_max(A)/λ_min(A)`: trials well
/// above it take half the time.
const SINGLE: f64 = 1e-5;

/// Over-relaxation of the iteration, which converges for values below 2.
const RELAXATION: f64 = 1.5;

/// Searches for a T at the given whitened, feasible dual point. Takes at most
/// [`Relaxation::max_iterations`] eigendecompositions of N × N matrices.
pub(super) fn search(
    metric: &Metric<'_>,
    dual: Matrix,
    settings: &Relaxation,
    goal: &Goal<'_>,
) -> Option<Proposal> {
    let mut trial = Trial::new(metric, &dual);
    let mut best: Option<(f64, f64, Matrix)> = None;
    let mut interrupt: Option<Interrupt> = None;
    let mut made = 0;
    for iteration in 0..settings.max_iterations {
        if let ControlFlow::Break(stop) = goal.observer.poll() {
            interrupt = Some(stop);
            break;
        }
        let single = trial.excess > SINGLE * metric.largest / metric.gamma_sq;
        let Some(psd) = positive_part(&trial.state, single) else { break };
        let mut split = trial.ceiling.clone();
        step(&mut trial.state, &psd, &mut split);
        made = iteration + 1;
        let (polar, promised) = metric.promise(&dual, &split);
        if best.as_ref().is_none_or(|b| promised > b.1) {
            best = Some((polar, promised, split));
        }
        let (least, promised) = best.as_ref().map_or((f64::INFINITY, 0.0), |b| (b.0, b.1));
        goal.tell("split at the residuals", made, promised);
        if goal.closes(promised, settings.gap_tolerance) || !trial.go_on(metric, iteration, least) {
            break;
        }
    }
    let (polar, promised, split) = best?;
    let settled = rising::settle(metric, dual.clone(), &split, polar, goal);
    let (dual, split, promised) = match settled {
        Some(settled) if settled.2 > promised => settled,
        _ => (dual, split, promised),
    };
    goal.tell("split at the residuals", made, promised);
    let (dual, slack) = (metric.unwhitened(dual), metric.root_free(split));
    let split = Split { dual, slack, origin: Origin::FirstOrder };
    Some(Proposal { split, promised, iterations: made, interrupt })
}

/// The present trial `c` and the state of the iteration for it.
struct Trial {
    /// `A − K`.
    slack: Matrix,
    /// `c − 1`.
    excess: f64,
    /// `cA − K`.
    ceiling: Matrix,
    /// Z, whose positive part is the S of the iteration.
    state: Matrix,
    /// The iteration of the last noticeable decrease of κ² − 1, and κ² − 1 there.
    mark: (usize, f64),
}

impl Trial {
    fn new(metric: &Metric<'_>, dual: &Matrix) -> Self {
        let slack = metric.slack(dual);
        let ceiling = metric.raised(&slack, FIRST_TRIAL);
        let len = ceiling.nrows();
        let state =
            Matrix::from_fn(
                len,
                len,
                |i, j| {
                    if i == j { ceiling.get(i, j) } else { min(ceiling.get(i, j), 0.0) }
                },
            );
        Self { slack, excess: FIRST_TRIAL, ceiling, state, mark: (0, f64::INFINITY) }
    }

    /// Takes the least polar so far and lowers `c` where the trial is met. Returns false once the
    /// trial has stood still for [`PATIENCE`] iterations.
    fn go_on(&mut self, metric: &Metric<'_>, iteration: usize, polar: f64) -> bool {
        let over = max(polar * polar - 1.0, 0.0);
        if over <= (1.0 + MET) * self.excess {
            // The state moves along with the ceiling.
            let next = NEXT_TRIAL * min(self.excess, max(over, f64::MIN_POSITIVE));
            metric.raise(&mut self.state, next - self.excess);
            self.excess = next;
            self.ceiling = metric.raised(&self.slack, next);
            self.mark = (iteration, over);
        } else if over < self.mark.1 * (1.0 - NOTICEABLE) {
            self.mark = (iteration, over);
        } else if iteration - self.mark.0 >= PATIENCE {
            return false;
        }
        true
    }
}

/// `Z ← Z + ρ(min(2P − Z, G) − P)` and `T = (G − P)₊` off the diagonal, 0 on it;
/// `split` holds G and becomes T.
pub(super) fn step(state: &mut Matrix, psd: &Matrix, split: &mut Matrix) {
    let len = psd.nrows();
    let columns = split.as_mut_slice().par_chunks_mut(len).zip(state.as_mut_slice().par_chunks_mut(len));
    columns.zip(psd.as_slice().par_chunks(len)).enumerate().for_each(|(j, ((split, state), psd))| {
        for ((g, z), &p) in split.iter_mut().zip(state).zip(psd) {
            *z += RELAXATION * (min(2.0 * p - *z, *g) - p);
            *g = max(*g - p, 0.0);
        }
        split[j] = 0.0;
    });
}

/// Projects on the positive semidefinite matrices. The smaller of the two parts is formed: the
/// positive part itself, or the negative part, which is then subtracted from the matrix. In `single`
/// precision it is off by some 1e-6 of the matrix.
pub(super) fn positive_part(matrix: &Matrix, single: bool) -> Option<Matrix> {
    let decompose = if single { symmetric_eigen_single } else { symmetric_eigen };
    let (values, vectors) = decompose(matrix)?;
    let negative = values.partition_point(|v| *v < 0.0);
    let keep_negative = 2 * negative <= values.len();
    let range: Vec<usize> =
        if keep_negative { (0..negative).collect() } else { (negative..values.len()).collect() };
    let mut factor = vectors.select_columns(&range);
    for (k, &index) in range.iter().enumerate() {
        let root = values[index].abs().sqrt();
        factor.col_mut(k).iter_mut().for_each(|v| *v *= root);
    }
    let mut product = parallel_product(&factor);
    if keep_negative {
        axpy(1.0, matrix.as_slice(), product.as_mut_slice());
    }
    Some(product)
}
