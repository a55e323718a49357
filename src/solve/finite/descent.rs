//! Descent at γ = 0: exact codes and block steps on the dictionary, with momentum.

use std::ops::ControlFlow;

use super::lasso_iterate::LassoIterate;
use crate::observer::{Interrupt, Observer, Progress};

/// Passes over the dictionary for one set of codes. A pass costs a tenth of a coding. One more pass
/// gains little, because the codes are old by then.
const PASSES: usize = 2;

/// When a descent ends.
#[derive(Clone, Copy, Debug)]
pub(super) struct DescentLimits {
    /// Relative stationarity asked for.
    pub(super) stationarity_tolerance: f64,
    /// The descent also ends when [`WINDOW`] iterations gain less than this share of the objective.
    pub(super) decrease_tolerance: f64,
    /// Most iterations.
    pub(super) max_iterations: usize,
}

/// Iterations over which the decrease is measured.
const WINDOW: usize = 10;

/// Iterations between two reports to the observer.
const TOLD: usize = 10;

/// Why a descent ended.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum End {
    Stationary,
    Slow,
    Limit,
    Interrupted(Interrupt),
}

/// Where a long descent stands; bounds are no part of it.
fn standing(iterate: &LassoIterate<'_>, iteration: usize, best: f64) -> Progress {
    Progress {
        phase: "descent",
        iteration,
        objective: best,
        lower_bound: f64::NAN,
        estimated_lower_bound: f64::NAN,
        atoms: iterate.atoms.ncols(),
    }
}

/// Alternates exact codes with block steps on the atoms. Between iterations the dictionary is
/// extrapolated along its last step with Nesterov's weights. An iteration that ends higher than the
/// best iterate is undone and the momentum restarts, so the objective never rises. On return the
/// codes are exact, unless the observer ended the descent: the codes are then those of the best
/// iterate.
pub(super) fn descend(
    iterate: &mut LassoIterate<'_>,
    limits: DescentLimits,
    observer: &dyn Observer,
) -> (usize, End) {
    let mut here = iterate.snapshot();
    let mut best = iterate.objective;
    let mut age = 0.0;
    let mut marks = std::collections::VecDeque::from([best]);
    let mut end = End::Limit;
    let mut made = limits.max_iterations;
    for iteration in 0..limits.max_iterations {
        if let ControlFlow::Break(interrupt) = observer.poll() {
            (made, end) = (iteration, End::Interrupted(interrupt));
            break;
        }
        if iteration > 0 && iteration % TOLD == 0 {
            observer.progress(&standing(iterate, iteration, best));
        }
        // Here codes are exact for the (extrapolated) dictionary.
        let rows = iterate.rows();
        let settled = iterate.stationarity(&rows) <= limits.stationarity_tolerance;
        if settled && iterate.objective <= best {
            return (iteration, End::Stationary);
        }
        if iterate.objective <= best {
            iterate.offer();
        }
        iterate.turn_atoms(&rows, PASSES, observer);
        if iterate.objective <= best {
            best = iterate.objective;
            let past = std::mem::replace(&mut here, iterate.snapshot());
            age += 1.0;
            if !settled {
                iterate.extrapolate(&past, (age - 1.0) / (age + 2.0));
            }
        } else {
            iterate.restore(&here);
            age = 0.0;
        }
        iterate.encode(observer);
        marks.push_back(best);
        if marks.len() > WINDOW {
            let before = marks.pop_front().unwrap_or(best);
            if before - best <= limits.decrease_tolerance * best {
                (made, end) = (iteration + 1, End::Slow);
                break;
            }
        }
    }
    if iterate.objective > best {
        iterate.restore(&here);
        if !matches!(end, End::Interrupted(_)) {
            iterate.encode(observer);
        }
    }
    (made, end)
}
