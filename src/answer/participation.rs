//! How `--participation` is answered.

use std::str::FromStr;

use crate::gauge::Penalty;
use crate::trusted::Subject;
use crate::trusted::participation::LeastParticipation;
use crate::{Factorization, Problem, Run, SolveError};

use super::Follow;
use super::row::Participation;

/// For which dictionaries a bound is asked.
#[derive(Clone, Copy, Debug, PartialEq)]
pub enum Least {
    /// Those whose atoms are as common as the returned ones.
    Auto,
    /// Those whose atoms' participation is at least this.
    Given(f64),
}

impl FromStr for Least {
    type Err = &'static str;

    fn from_str(text: &str) -> Result<Self, Self::Err> {
        if text == "auto" {
            return Ok(Self::Auto);
        }
        match text.parse::<f64>() {
            Ok(p) if p > 0.0 && p <= 1.0 => Ok(Self::Given(p)),
            _ => Err("expected auto or a number above 0 and at most 1"),
        }
    }
}

/// A penalty that the bound is not for.
#[derive(Clone, Copy, Debug, PartialEq, thiserror::Error)]
#[error("--participation needs --gamma 0 and a positive --lambda, found gamma {gamma}, lambda {lambda}")]
pub struct NotVanilla {
    /// λ.
    pub lambda: f64,
    /// γ.
    pub gamma: f64,
}

/// Refuses what theorem `participation-bound` does not cover.
pub fn check(penalty: &Penalty) -> Result<(), NotVanilla> {
    let (lambda, gamma) = (penalty.lambda(), penalty.gamma());
    if gamma == 0.0 && lambda > 0.0 { Ok(()) } else { Err(NotVanilla { lambda, gamma }) }
}

/// The bound, in the time that is left. `None`, with a note, where no atom
/// says what `auto` means.
pub fn bound(
    asked: Least,
    problem: &Problem,
    factorization: &Factorization,
    watch: &dyn Follow,
) -> Result<Option<Participation>, SolveError> {
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
    let bound = crate::Participation::default().bound_with(problem, p, &run)?;
    Ok(Some(Participation::new(least.map(|least| least.value), &bound)))
}
