//! A start for many datapoints: rounds of column generation on samples of them
//! ([`samples`](crate::solve::samples)).

use super::priced::Priced;
use super::{ColumnGeneration, Rounds};
use crate::atoms::Factorization;
use crate::master::Method;
use crate::observer::Observer;
use crate::problem::Problem;
use crate::solution::{Run, SolveError};
use crate::solve::samples::{OnSample, sample, thinnings};

/// Datapoints of the smallest sample, at least. With a quarter of them the next stage begins
/// with atoms that fit the sample more than the data.
const FEWEST: usize = 1 << 12;

/// A start from samples; `None` where datapoints are few, for another master, or where the
/// observer has broken.
pub(super) fn start(
    settings: &ColumnGeneration,
    problem: &Problem,
    run: &Run<'_>,
) -> Result<Option<Factorization>, SolveError> {
    if settings.master != Method::Proximal {
        return Ok(None);
    }
    let observer = &OnSample(run.observer);
    let mut last: Option<Priced> = None;
    for every in thinnings(problem.share(), FEWEST) {
        if run.observer.poll().is_break() {
            break;
        }
        let Some(sample) = sample(problem, every, settings.seed) else { return Ok(None) };
        let begin = last.map(|last| last.code(&sample, run.observer)).transpose()?;
        let mut rounds = Rounds::new(*settings, &sample, &Run::observed(observer), begin.as_ref())
            .coded(begin.is_some())
            .stage();
        rounds.by_ref().for_each(|round| observer.progress(&round.progress()));
        last = Some(Priced::new(&sample, &rounds.factorization()?));
    }
    last.map(|last| last.code(problem, run.observer)).transpose()
}
