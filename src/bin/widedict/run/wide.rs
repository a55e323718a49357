//! `widedict wide`: the wide limit and its boundary.

use widedict::answer::input::Origin;
use widedict::answer::wide::{answer, summary};
use widedict::gauge::Penalty;
use widedict::{Certified, Problem, Stop, wide};

use super::threads::on_threads;
use super::{Outcome, input};
use crate::arguments::WideArgs;
use crate::failure::Failure;
use crate::output;
use crate::output::folder::Folder;
use crate::output::progress::Watch;

/// Reads, computes, prints.
pub(super) fn run(args: &WideArgs) -> Result<Outcome, Failure> {
    let penalty = Penalty::new(args.lambda, 0.0)?;
    let folder = args.out.as_deref().map(|path| Folder::prepare(path, args.no_clobber)).transpose()?;
    let data = input::read(&args.source, args.run.quiet)?;
    let (problem, origin) = input::problem(data, penalty, args.center)?;
    let watch = Watch::start(args.run.max_seconds, args.run.quiet);
    let answer = on_threads(&args.run, || Ok(answer(&problem, &origin, &watch)?));
    watch.finish();
    let (answer, certified) = answer?;
    if let Some(folder) = &folder {
        write(folder, &problem, &origin, certified)?;
    }
    output::answer(args.run.json, &answer, || summary(&answer))?;
    Ok(Outcome::of(answer.stop == Stop::ToleranceMet.as_str()))
}

fn write(
    folder: &Folder,
    problem: &Problem,
    origin: &Origin,
    certified: Option<Certified>,
) -> Result<(), Failure> {
    let certified = match certified {
        Some(certified) => certified,
        None => wide::closed_form(problem)?.certified,
    };
    let factorization = certified.solution();
    folder.write_factorization(factorization, factorization.center(), &origin.rows)?;
    folder.remove_improved()?;
    folder.remove_sae()?;
    folder.remove_rows(0)?;
    folder.remove_checkpoint()
}
