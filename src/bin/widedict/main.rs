//! The `widedict` command: sparse dictionaries with certificates from `.npy` files.

mod arguments;
mod failure;
mod output;
mod ranks;
mod run;
mod signals;

use std::process::ExitCode;

use clap::Parser;

use arguments::Cli;
use run::Outcome;

/// Has a write beyond the file size limit fail as one on a full disk does, instead of
/// ending the process in the middle of a file.
#[cfg(unix)]
fn outlive_file_size_limits() {
    let reached = std::sync::Arc::new(std::sync::atomic::AtomicBool::new(false));
    // Where it cannot be set the system's own way stays.
    let _ = signal_hook::flag::register(signal_hook::consts::signal::SIGXFSZ, reached);
}

fn main() -> ExitCode {
    #[cfg(unix)]
    outlive_file_size_limits();
    signals::handle();
    // Dropped last: it waits for the other processes of a job.
    let _job = ranks::join();
    let cli = match Cli::try_parse() {
        Ok(cli) => cli,
        Err(message) => {
            // Help and version go to standard output, errors to standard error.
            let code = u8::try_from(message.exit_code()).unwrap_or(2);
            // One process says it for all.
            return match if ranks::is_root() { message.print() } else { Ok(()) } {
                Ok(()) => ExitCode::from(code),
                Err(_) => ExitCode::from(3),
            };
        }
    };
    match run::run(&cli.command) {
        Ok(Outcome::Met) => ExitCode::SUCCESS,
        Ok(Outcome::Unmet) => ExitCode::from(1),
        Err(failure) => {
            if ranks::says(&failure) {
                output::say(&format!("widedict: {failure}"));
            }
            ranks::end(&failure);
            ExitCode::from(failure.exit_code())
        }
    }
}
