//! `widedict wide`: the wide limit and its boundary.

use widedict::answer::input::Origin;
use widedict::answer::wide::{answer, summary};
use widedict::gauge::Penalty;
use widedict::reduce::Agreed;
use widedict::{Certified, Problem, Stop, wide};

use super::threads::on_threads;
use super::{Outcome, spread};
use crate::arguments::WideArgs;
use crate::failure::Failure;
use crate::output;
use crate::output::folder::Folder;
use crate::output::progress::{Together, Watch};
use crate::ranks;

/// Reads, computes, prints.
pub(super) fn run(args: &WideArgs) -> Result<Outcome, Failure> {
    let penalty = Penalty::new(args.lambda, 0.0)?;
    ranks::refuse(ranks::all().is_some() && args.out.is_some(), "wide --out")?;
    let folder = args.out.as_deref().map(|path| Folder::prepare(path, args.no_clobber)).transpose()?;
    let (problem, origin) = spread::read_problem(&args.source, penalty, args.center, args.run.quiet)?;
    let watch = Watch::start(args.run.max_seconds, args.run.quiet);
    let agreed = Agreed::new(problem.share(), &watch);
    let answer =
        on_threads(&args.run, || Ok(answer(&problem, &origin, &Together { agreed, watch: &watch })?));
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
