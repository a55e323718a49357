//! How `--participation` is answered.

use widedict::gauge::Penalty;
use widedict::trusted::Subject;
use widedict::trusted::participation::LeastParticipation;
use widedict::{Factorization, Problem, Run};

use crate::arguments::Least;
use crate::failure::Failure;
use crate::output::progress::Watch;
use crate::output::row::Participation;

/// Refuses what theorem `participation-bound` does not cover.
pub(super) fn check(penalty: &Penalty) -> Result<(), Failure> {
    let (lambda, gamma) = (penalty.lambda(), penalty.gamma());
    if gamma == 0.0 && lambda > 0.0 { Ok(()) } else { Err(Failure::Participation { lambda, gamma }) }
}

/// The bound, in the time that is left. `None`, with a note, where no atom
/// says what `auto` means.
pub(super) fn bound(
    asked: Least,
    problem: &Problem,
    factorization: &Factorization,
    watch: &Watch,
) -> Result<Option<Participation>, Failure> {
    let subject = Subject::of(problem, factorization)?;
    let least = LeastParticipation::of(&subject);
    let p = match (asked, least) {
        (Least::Given(p), _) => p,
        (Least::Auto, Some(least)) => least.lower.get(),
        (Least::Auto, None) => {
            watch.note("--participation auto: no atom is in use, nothing to bound");
            return Ok(None);
        }
    };
    watch.phase("participation bound");
    let run = Run::observed(watch).with_start(factorization);
    let bound = widedict::Participation::default().bound_with(problem, p, &run)?;
    Ok(Some(Participation::new(least.map(|least| least.value), &bound)))
}
