//! The commands: arguments that fit together become a job, and a job becomes calls of the
//! library.

mod certify;
mod diagnose;
mod encode;
mod input;
mod manual;
mod path;
mod sampled;
mod save;
mod solve;
mod spread;
mod threads;
mod trained;
mod verify;
mod wide;

use widedict::{Certificate, Stop, Verdict};

use crate::arguments::Command;
use crate::failure::Failure;
use crate::ranks;
use crate::signals::asked_to_end;

/// What an answered run exits with.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Outcome {
    /// The run met its tolerance and nothing speaks against the answer.
    Met,
    /// It did not, or the certified gap is larger than required.
    Unmet,
}

impl Outcome {
    fn of(met: bool) -> Self {
        if met { Self::Met } else { Self::Unmet }
    }

    /// What a solver's answer is worth: its run met the tolerance (`None`: nothing ran) or
    /// the certified gap is within it whatever ended the run, the verdict is not negative,
    /// and the gap is at most what is required.
    fn judge(stop: Option<Stop>, certificate: &Certificate, require_gap: Option<f64>) -> Self {
        let proved = matches!(certificate.verdict(), Verdict::Global | Verdict::GlobalWidth);
        let ended = proved || stop.is_none_or(|stop| stop == Stop::ToleranceMet);
        let close = require_gap.is_none_or(|required| certificate.relative_gap() <= required);
        Self::of(ended && close && !certificate.verdict().is_negative())
    }

    fn and(self, other: Self) -> Self {
        Self::of(self == Self::Met && other == Self::Met)
    }
}

/// Refuses `--mpi` where the build has it not, or the command is for one process alone.
fn distributed(command: &Command) -> Result<(), Failure> {
    let (run, refused) = match command {
        Command::Solve(args) => (&args.run, None),
        Command::Encode(args) => (&args.run, None),
        Command::Wide(args) => (&args.run, None),
        Command::Certify(args) => (&args.run, Some("certify")),
        Command::Path(args) => (&args.run, Some("path")),
        Command::Diagnose(args) => (&args.run, None),
        // It reads a folder that one process wrote.
        Command::Verify(args) => (&args.run, Some("verify")),
        Command::Completions { .. } | Command::Man { .. } => return Ok(()),
    };
    refused.map_or(Ok(()), |what| ranks::refuse(run.mpi, what))?;
    ranks::check(run.mpi)
}

/// Runs a command. One that a signal ended has not met what was asked, even where the
/// signal came after the solver's end.
pub(crate) fn run(command: &Command) -> Result<Outcome, Failure> {
    distributed(command)?;
    let outcome = match command {
        Command::Solve(args) => solve::run(args),
        Command::Encode(args) => encode::run(args),
        Command::Certify(args) => certify::run(args),
        Command::Wide(args) => wide::run(args),
        Command::Verify(args) => verify::run(args),
        Command::Path(args) => path::run(args),
        Command::Diagnose(args) => diagnose::run(args),
        Command::Completions { shell } => manual::completions(*shell),
        Command::Man { command } => manual::page(command.as_deref()),
    }?;
    Ok(outcome.and(Outcome::of(!asked_to_end())))
}
