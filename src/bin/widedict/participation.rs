//! How `--participation` is read and answered.

use std::str::FromStr;

use widedict::search::relaxation::Relaxation;
use widedict::solve::participation::ParticipationBound;
use widedict::trusted::Subject;
use widedict::trusted::participation::LeastParticipation;
use widedict::{Factorization, Participation, Problem, SolveError};

use crate::bounding::auto_steps;
use crate::failure::Failure;
use crate::output;
use crate::progress::Watch;
use crate::report;

/// For which dictionaries a bound is asked.
#[derive(Clone, Copy, Debug, PartialEq)]
pub(crate) enum Least {
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

impl Least {
    /// Refuses what theorem `participation-bound` does not cover.
    pub(crate) fn check(self, lambda: f64, gamma: f64) -> Result<(), Failure> {
        let _ = self;
        if gamma == 0.0 && lambda > 0.0 { Ok(()) } else { Err(Failure::Participation { lambda, gamma }) }
    }

    /// The bound, in the time that is left. `None`, with a note, where no atom
    /// says what `auto` means.
    pub(crate) fn answer(
        self,
        problem: &Problem,
        point: &Factorization,
        quiet: bool,
        watch: &Watch,
    ) -> Result<Option<report::Participation>, Failure> {
        let subject = Subject::of(problem, point).map_err(SolveError::from)?;
        let least = LeastParticipation::of(&subject);
        let p = match (self, least) {
            (Self::Given(p), _) => p,
            (Self::Auto, Some(least)) => least.lower.get(),
            (Self::Auto, None) => {
                if !quiet {
                    output::say("note: --participation auto: no atom is in use, nothing to bound");
                }
                return Ok(None);
            }
        };
        watch.phase("participation bound");
        let relaxation = Relaxation { max_iterations: auto_steps(problem.len()), ..Relaxation::default() };
        let settings = Participation { relaxation, ..Participation::default() };
        let ParticipationBound { p, lambda, gamma, lower, kind } =
            settings.bound_with(problem, p, &widedict::Run::observed(watch).with_start(point))?;
        Ok(Some(report::Participation {
            min: least.map(|least| least.value),
            p,
            lambda,
            gamma: gamma.get(),
            lower_bound: lower.get(),
            bound_kind: kind.as_str(),
        }))
    }
}
