//! The `widedict` command: sparse dictionaries with certificates from `.npy` files.

mod arguments;
mod failure;
mod output;
mod run;

use std::process::ExitCode;

use clap::Parser;

use arguments::Cli;
use run::Outcome;

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
    match run::run(&cli.command) {
        Ok(Outcome::Met) => ExitCode::SUCCESS,
        Ok(Outcome::Unmet) => ExitCode::from(1),
        Err(failure) => {
            output::say(&format!("widedict: {failure}"));
            ExitCode::from(failure.exit_code())
        }
    }
}
