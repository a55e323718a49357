//! The first-order master: exact block descent over atoms, with momentum.

use std::ops::ControlFlow;

use super::{Effort, Master, Point};
use crate::observer::{Interrupt, Observer};

/// Sweeps in a row that gain too little before the descent stops. The first
/// sweeps after a restart of the momentum always gain little, so 1 stops too
/// soon; ten times as many waste sweeps at the end of every round.
const PATIENCE: usize = 3;

/// Block coordinate descent: each atom's direction, then its codes by the exact
/// proximal map, then the centre. Between sweeps the point is extrapolated
/// along its last step with Nesterov's weights; a sweep that ends higher than
/// the best point is undone and the momentum restarts from there, so the
/// objective never rises (O'Donoghue & Candès, *Adaptive restart for accelerated
/// gradient schemes*, 2015; the rate is not claimed here, D and Z moving together).
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Proximal;

impl Master for Proximal {
    fn descend(
        &self,
        point: &mut Point<'_>,
        effort: Effort,
        observer: &dyn Observer,
    ) -> (usize, ControlFlow<Interrupt>) {
        let mut best = point.objective();
        let mut here = point.snapshot();
        let (mut age, mut small) = (0.0, 0);
        for sweep in 1..=effort.sweeps {
            if let ControlFlow::Break(interrupt) = sweep_once(point, true, observer) {
                if !(point.objective() <= best) {
                    point.restore(&here);
                }
                return (sweep, ControlFlow::Break(interrupt));
            }
            let objective = point.objective();
            if !(objective <= best) {
                point.restore(&here);
                age = 0.0;
                continue;
            }
            small = if best - objective > effort.decrease { 0 } else { small + 1 };
            best = objective;
            if small == PATIENCE || sweep == effort.sweeps {
                return (sweep, ControlFlow::Continue(()));
            }
            let past = std::mem::replace(&mut here, point.snapshot());
            age += 1.0;
            point.extrapolate(&past, (age - 1.0) / (age + 2.0));
        }
        (effort.sweeps, ControlFlow::Continue(()))
    }
}

/// One block step on every atom; with `turn`, directions move too.
pub(crate) fn sweep_once(
    point: &mut Point<'_>,
    turn: bool,
    observer: &dyn Observer,
) -> ControlFlow<Interrupt> {
    for k in 0..point.atoms.len() {
        observer.poll()?;
        point.update(k, turn);
    }
    ControlFlow::Continue(())
}
