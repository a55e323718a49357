//! A start for prices that are small beside the data: the same problem at larger prices
//! first.
//!
//! Where codes fit the data closely, residuals are about as long as the price, and a sweep
//! moves center and codes by no more than that. At a price of a millionth of the data a
//! descent from afar takes millions of sweeps; the solution for a price four times as large
//! is a few prices away. (The conic master solves for the codes whole and needs no start.)

use super::{ColumnGeneration, Rounds};
use crate::atoms::Factorization;
use crate::linalg::norm;
use crate::master::Method;
use crate::num::max;
use crate::problem::Problem;
use crate::solution::{Run, SolveError};
use crate::wide;

/// Prices below this part of the longest datapoint are approached from above. Ten times
/// less leaves runs that end far from the optimum, ten times more slows ordinary ones.
const SMALL: f64 = 1e-3;

/// The first price and the least of the stages, in the same unit, and by how much it falls
/// from stage to stage. Below the least, residuals are rounding.
const FIRST: f64 = 0.1;
const LEAST: f64 = 1e-13;
const RATIO: f64 = 0.25;

/// Gap and rounds of a stage. The next one moves everything anyway.
const STAGE_GAP: f64 = 0.02;
const STAGE_ROUNDS: usize = 20;

/// A start from larger prices; `None` where the prices are not small, for another master, or
/// where the observer has broken.
pub(super) fn start(
    settings: &ColumnGeneration,
    problem: &Problem,
    run: &Run<'_>,
) -> Result<Option<Factorization>, SolveError> {
    let price = problem.lambda().hypot(problem.gamma());
    if settings.master != Method::Proximal {
        return Ok(None);
    }
    let size = size(problem, price, run);
    if !(price < SMALL * size) {
        return Ok(None);
    }
    let stage = ColumnGeneration {
        gap_tolerance: max(settings.gap_tolerance, STAGE_GAP),
        max_rounds: settings.max_rounds.min(STAGE_ROUNDS),
        ..*settings
    };
    let mut last = None;
    let mut level = FIRST * size;
    while level > max(price, LEAST * size) && run.observer.poll().is_continue() {
        let factor = level / price;
        // Prices out of range are passed over; later ones may not be.
        if let Ok(dearer) = problem.with_penalty(factor * problem.lambda(), factor * problem.gamma()) {
            let mut rounds = Rounds::new(stage, &dearer, &Run::observed(run.observer), last.as_ref());
            rounds.by_ref().for_each(|round| run.observer.progress(&round.progress()));
            last = Some(rounds.factorization()?);
        }
        level *= RATIO;
    }
    Ok(last)
}

/// The length of the longest datapoint about where the center starts.
fn size(problem: &Problem, price: f64, run: &Run<'_>) -> f64 {
    let center = problem.centered().then(|| wide::location(problem.data(), price, run.observer).center);
    let from = |x: &[f64]| match &center {
        None => norm(x),
        Some(b) => norm(&x.iter().zip(b).map(|(x, b)| x - b).collect::<Vec<f64>>()),
    };
    let points = problem.data().datapoints();
    let [size] = problem.share().largest(|run| [run.map(|i| from(&points.col(i))).fold(0.0, max)]);
    size
}
