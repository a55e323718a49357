//! `widedict completions` and `widedict man`: what clap knows of the command line, for shells and
//! for `man`.

use clap::CommandFactory;

use super::Outcome;
use crate::arguments::Cli;
use crate::failure::Failure;
use crate::output;

/// Prints what a shell reads to complete the command.
pub(super) fn completions(shell: clap_complete::Shell) -> Result<Outcome, Failure> {
    let mut script = Vec::new();
    clap_complete::generate(shell, &mut Cli::command(), "widedict", &mut script);
    print(&script)
}

/// Prints a manual page.
pub(super) fn page(name: Option<&str>) -> Result<Outcome, Failure> {
    let mut command = Cli::command();
    command.build();
    if let Some(name) = name {
        let found = command.find_subcommand(name).cloned();
        command = found.ok_or_else(|| Failure::NoCommand { found: name.to_owned() })?;
    }
    let mut page = Vec::new();
    clap_mangen::Man::new(command).render(&mut page).map_err(Failure::Print)?;
    print(&page)
}

fn print(text: &[u8]) -> Result<Outcome, Failure> {
    output::print(&String::from_utf8_lossy(text))?;
    Ok(Outcome::Met)
}
