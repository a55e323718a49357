//! A split for a fixed dual point, by Douglas–Rachford (theorem `split-certificate`).
//!
//! With `K = RᵀR` and a trial `c ≥ 1`, a matrix S in both `{S ⪰ 0}` and
//! `{S ≤ cA − K entrywise off the diagonal, equal to it on the diagonal}` gives
//! `T = cA − K − S ≥ 0` and the polar `κ ≤ √c`. The start is `min(cA − K, 0)` off the diagonal: the split in which T takes
//! all that is nonnegative.

use std::ops::ControlFlow;

use rayon::prelude::*;

use super::first_order::{Found, Metric, parallel_product};
use crate::atoms::Factorization;
use crate::linalg::{Matrix, axpy, symmetric_eigen};
use crate::num::{max, min};
use crate::observer::{Interrupt, Observer, Progress};
use crate::problem::Problem;
use crate::trusted::Subject;
use crate::trusted::{Origin, Split};

/// First trial `c − 1`. A dual point from a point with a gap of a percent is
/// met in a few iterations here; ten times less takes ten times as many.
const FIRST_TRIAL: f64 = 0.1;

/// What a success multiplies `c − 1` by. Closer to 1 wastes iterations on trials
/// that gain little, closer to 0 on trials that fail.
const NEXT_TRIAL: f64 = 0.6;

/// A trial counts as met when κ² − 1 is within this share of c − 1.
const MET: f64 = 0.02;

/// Iterations a trial may take without lowering κ − 1 by [`NOTICEABLE`] of itself.
const PATIENCE: usize = 10;
const NOTICEABLE: f64 = 0.02;

/// Over-relaxation of the iteration; it converges below 2.
const RELAXATION: f64 = 1.5;

/// Searches for a T at the residuals of `start`, in at most `iterations` N × N
/// eigendecompositions, until the gap promised is at most `gap`.
pub(super) fn search(
    problem: &Problem,
    start: &Factorization,
    iterations: usize,
    gap: f64,
    observer: &dyn Observer,
) -> Option<Found> {
    let metric = Metric::new(problem);
    let subject = Subject::of(problem, start).ok()?;
    let (residuals, value) = (subject.residuals(), subject.primal().value());
    let dual = metric.feasible(residuals.clone().into_matrix())?;
    let len = problem.len();
    let slack = metric.slack(&dual);
    let mut trial = FIRST_TRIAL;
    let mut ceiling = metric.raised(&slack, trial);
    // Z, of which the iteration's S is the positive part.
    let mut state =
        Matrix::from_fn(
            len,
            len,
            |i, j| {
                if i == j { ceiling.get(i, j) } else { min(ceiling.get(i, j), 0.0) }
            },
        );
    let mut best: Option<(f64, f64, Matrix)> = None;
    let mut interrupt: Option<Interrupt> = None;
    let mut mark = (0, f64::INFINITY);
    let mut made = 0;
    for iteration in 0..iterations {
        if let ControlFlow::Break(stop) = observer.poll() {
            interrupt = Some(stop);
            break;
        }
        let Some(psd) = positive_part(&state) else { break };
        let mut split = ceiling.clone();
        step(&mut state, &psd, &mut split);
        made = iteration + 1;
        let (polar, promised) = metric.promise(&dual, &split);
        if best.as_ref().is_none_or(|b| promised > b.1) {
            best = Some((polar, promised, split));
        }
        let (least, lower) = best.as_ref().map_or((f64::INFINITY, 0.0), |b| (b.0, b.1));
        observer.progress(&Progress {
            phase: "split",
            iteration: made,
            objective: value,
            lower_bound: f64::NAN,
            estimated_lower_bound: lower,
            atoms: start.width(),
        });
        if value - lower <= gap * value {
            break;
        }
        let over = max(least * least - 1.0, 0.0);
        if over <= (1.0 + MET) * trial {
            // Met: ask for less, from a state moved along with the ceiling.
            let next = NEXT_TRIAL * min(trial, max(over, f64::MIN_POSITIVE));
            metric.raise(&mut state, next - trial);
            trial = next;
            ceiling = metric.raised(&slack, trial);
            mark = (iteration, over);
        } else if over < mark.1 * (1.0 - NOTICEABLE) {
            mark = (iteration, over);
        } else if iteration - mark.0 >= PATIENCE {
            break;
        }
    }
    let (_, promised, split) = best?;
    let (dual, slack) = (metric.unwhitened(dual), metric.root_free(split));
    let split = Split { dual, slack, origin: Origin::FirstOrder };
    Some(Found { split, promised, iterations: made, interrupt })
}

/// `Z ← Z + ρ(min(2P − Z, G) − P)` and `T = (G − P)₊` off the diagonal, 0 on it;
/// `split` holds G and becomes T.
fn step(state: &mut Matrix, psd: &Matrix, split: &mut Matrix) {
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

/// The projection on the positive semidefinite matrices: what is negative is
/// taken off, which is of small rank once the iteration has settled.
fn positive_part(matrix: &Matrix) -> Option<Matrix> {
    let (values, vectors) = symmetric_eigen(matrix)?;
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
