//! A start for many datapoints: rounds of column generation on samples of them
//! ([`samples`](crate::solve::samples)).

use super::{ColumnGeneration, Rounds};
use crate::atoms::Factorization;
use crate::iterate::{Iterate, Moves};
use crate::master::{Method, sweep_once};
use crate::problem::Problem;
use crate::solution::{Run, SolveError};
use crate::solve::samples::{sample, thinnings};

/// Datapoints of the smallest sample, at least. With a quarter of them the next stage begins
/// with atoms that fit the sample more than the data.
const FEWEST: usize = 1 << 12;

/// Sweeps over the codes of atoms that come from another sample. The descent goes on with codes
/// and atoms together.
const CODING_SWEEPS: usize = 2;

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
    let mut last: Option<Factorization> = None;
    for every in thinnings(problem.total(), FEWEST) {
        if run.observer.poll().is_break() {
            break;
        }
        let Some(sample) = sample(problem, every, settings.seed) else { return Ok(None) };
        let begin = last.map(|last| coded(&sample, &last)).transpose()?;
        let mut rounds = Rounds::new(*settings, &sample, &Run::observed(run.observer), begin.as_ref());
        rounds.by_ref().for_each(|round| run.observer.progress(&round.progress()));
        last = Some(rounds.factorization()?);
    }
    last.map(|last| coded(problem, &last)).transpose()
}

/// The atoms (and the center) of another sample with codes of these datapoints. Nobody is asked
/// whether to go on: without codes, what a stopped run has would be lost. O(nNM).
fn coded(problem: &Problem, from: &Factorization) -> Result<Factorization, SolveError> {
    let mut iterate = Iterate::with_dictionary(problem, from.dictionary())?;
    if let Some(center) = from.center() {
        iterate.center.copy_from_slice(center);
        iterate.refresh();
    }
    for _ in 0..CODING_SWEEPS {
        if sweep_once(&mut iterate, Moves::Codes, &()).is_break() {
            break;
        }
    }
    iterate.prune();
    Ok(iterate.into_factorization()?)
}
