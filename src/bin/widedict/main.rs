//! The `widedict` command: sparse dictionaries with certificates from `.npy` files.

mod args;
mod bounding;
mod certify;
mod diagnose;
mod encode;
mod failure;
mod input;
mod output;
mod participation;
mod path;
mod progress;
mod report;
mod solve;
mod wide;

use std::process::ExitCode;

use clap::Parser;

use args::{Cli, Command};
use failure::Failure;

/// What an answered run exits with.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Outcome {
    /// The run met its tolerance and nothing speaks against the point.
    Met,
    /// It did not, or the certified gap is larger than required.
    Unmet,
}

fn main() -> ExitCode {
    let cli = match Cli::try_parse() {
        Ok(cli) => cli,
        Err(message) => {
            // Help and version go to standard output, errors to standard error.
            let code = u8::try_from(message.exit_code()).unwrap_or(2);
            return match message.print() {
                Ok(()) => ExitCode::from(code),
                Err(_) => ExitCode::from(3),
            };
        }
    };
    match run(&cli.command) {
        Ok(Outcome::Met) => ExitCode::SUCCESS,
        Ok(Outcome::Unmet) => ExitCode::from(1),
        Err(failure) => {
            output::say(&format!("widedict: {failure}"));
            ExitCode::from(failure.exit_code())
        }
    }
}

fn run(command: &Command) -> Result<Outcome, Failure> {
    match command {
        Command::Solve(args) => solve::run(args),
        Command::Encode(args) => encode::run(args),
        Command::Certify(args) => certify::run(args),
        Command::Wide(args) => wide::run(args),
        Command::Path(args) => path::run(args),
        Command::Diagnose(args) => diagnose::run(args),
    }
}
