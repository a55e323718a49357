//! The first-order master: exact block descent over atoms, with momentum.

use std::ops::ControlFlow;

use super::{Coded, Effort, Master};
use crate::atoms::Dictionary;
use crate::iterate::{Iterate, Moves};
use crate::linalg::SPARSE;
use crate::observer::{Interrupt, Observer, Stop};
use crate::problem::Problem;
use crate::solution::SolveError;

/// Sweeps in a row that gain too little before the descent stops. The first
/// sweeps after a restart of the momentum always gain little, so 1 stops too
/// soon; ten times as many waste sweeps at the end of every round.
const PATIENCE: usize = 3;

/// Short sweeps after one over all datapoints, at most, where few codes are in use: twice as
/// many gain nothing, a third takes a third longer.
const SHORT_SWEEPS: usize = 12;

/// Short steps between two looks at the observer.
const POLL_EVERY: usize = 32;

/// Block coordinate descent, one block of atoms at a time: their directions one after another, then
/// their codes by the exact proximal map, then the center. Between sweeps the iterate is
/// extrapolated along its last step with Nesterov's weights. A sweep that ends higher than the best
/// iterate is undone and the momentum restarts from the best iterate, so the objective never rises
/// (O'Donoghue & Candès, *Adaptive restart for accelerated gradient schemes*, 2015). Their rate is
/// not claimed here, because D and Z move together.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Proximal;

impl Proximal {
    /// Computes codes (and center) over a fixed dictionary by exact block steps. Stops when a sweep
    /// lowers the objective by no more than `effort.decrease_tolerance`, or after
    /// `effort.max_sweeps` sweeps. Takes O(nNM) time a sweep.
    ///
    /// # Errors
    /// [`SolveError::Breakdown`] where the dictionary does not fit the problem.
    pub fn codes(
        &self,
        problem: &Problem,
        dictionary: &Dictionary,
        effort: Effort,
        observer: &dyn Observer,
    ) -> Result<Coded, SolveError> {
        let mut iterate = Iterate::with_dictionary(problem, dictionary)?;
        let mut objective = iterate.objective();
        let (mut stop, mut iterations) = (Stop::IterationLimit, 0);
        while iterations < effort.max_sweeps {
            if let ControlFlow::Break(interrupt) = sweep_once(&mut iterate, Moves::Codes, observer) {
                stop = interrupt.into();
                break;
            }
            iterations += 1;
            let next = iterate.objective();
            if objective - next <= effort.decrease_tolerance {
                stop = Stop::ToleranceMet;
                break;
            }
            objective = next;
        }
        Ok(Coded { factorization: iterate.factorization()?, dual: None, stop, iterations })
    }
}

impl Master for Proximal {
    /// Never fails.
    type Descended = (usize, ControlFlow<Interrupt>);

    fn descend(&self, iterate: &mut Iterate<'_>, effort: Effort, observer: &dyn Observer) -> Self::Descended {
        let mut best = iterate.objective();
        let mut here = iterate.snapshot();
        let (mut age, mut small, mut shorts) = (0.0, 0, 0);
        for sweep in 1..=effort.max_sweeps {
            // Short sweeps as long as they gain, then one over all datapoints.
            let short = shorts > 0;
            let swept = if short {
                sweep_short(iterate, observer)
            } else {
                sweep_once(iterate, Moves::Both, observer)
            };
            shorts = if short {
                shorts - 1
            } else if iterate.density() < SPARSE {
                SHORT_SWEEPS
            } else {
                0
            };
            if let ControlFlow::Break(interrupt) = swept {
                if !(iterate.objective() <= best) {
                    iterate.restore(&here);
                }
                return (sweep, ControlFlow::Break(interrupt));
            }
            let objective = iterate.objective();
            if !(objective <= best) {
                iterate.restore(&here);
                age = 0.0;
                continue;
            }
            let gained = best - objective > effort.decrease_tolerance;
            best = objective;
            match (gained, short) {
                (true, _) => small = 0,
                (false, true) => shorts = 0,
                (false, false) => small += 1,
            }
            if small == PATIENCE || sweep == effort.max_sweeps {
                return (sweep, ControlFlow::Continue(()));
            }
            // Extrapolated and then undone, the iterate would take two passes more.
            if let ControlFlow::Break(interrupt) = observer.poll() {
                return (sweep, ControlFlow::Break(interrupt));
            }
            let past = std::mem::replace(&mut here, iterate.snapshot());
            age += 1.0;
            iterate.extrapolate(past, (age - 1.0) / (age + 2.0));
        }
        (effort.max_sweeps, ControlFlow::Continue(()))
    }
}

/// Makes one short step on every atom in use.
fn sweep_short(iterate: &mut Iterate<'_>, observer: &dyn Observer) -> ControlFlow<Interrupt> {
    for k in 0..iterate.atoms.len() {
        if k % POLL_EVERY == 0 {
            observer.poll()?;
        }
        if iterate.atoms[k].is_used() {
            iterate.shorten(k);
        }
    }
    ControlFlow::Continue(())
}

/// Makes one step on every atom, a block at a time.
pub(crate) fn sweep_once(
    iterate: &mut Iterate<'_>,
    moves: Moves,
    observer: &dyn Observer,
) -> ControlFlow<Interrupt> {
    let block = iterate.block();
    for from in (0..iterate.atoms.len()).step_by(block) {
        observer.poll()?;
        iterate.update(from, (from + block).min(iterate.atoms.len()), moves);
    }
    ControlFlow::Continue(())
}
