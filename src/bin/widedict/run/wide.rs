//! `widedict wide`: the wide limit and its boundary.

use widedict::gauge::Penalty;
use widedict::trusted::bounds;
use widedict::wide::{self, Location, Population};
use widedict::{Certified, Problem, Stop};

use super::input::Origin;
use super::threads::on_threads;
use super::{Outcome, input};
use crate::arguments::WideArgs;
use crate::failure::Failure;
use crate::output;
use crate::output::folder::Folder;
use crate::output::progress::Watch;
use crate::output::row::SCHEMA_VERSION;
use crate::output::wide::{Answer, BoundaryKeys, summary};

/// Certified relative gap of a learnt center that is rounding. Sums over some thousand
/// datapoints leave up to 1e-8; at 1e-5 a search that was stopped would pass for done.
const NO_GAP: f64 = 1e-6;

/// Reads, computes, prints.
pub(super) fn run(args: &WideArgs) -> Result<Outcome, Failure> {
    let penalty = Penalty::new(args.lambda, 0.0)?;
    let folder = args.out.as_deref().map(|path| Folder::prepare(path, args.no_clobber)).transpose()?;
    let data = input::read(&args.source, args.run.quiet)?;
    let (problem, origin) = input::problem(data, penalty, args.center)?;
    let watch = Watch::start(args.run.max_seconds, args.run.quiet);
    let answer = on_threads(&args.run, || answer(&problem, &origin, folder.as_ref(), &watch));
    watch.finish();
    let answer = answer?;
    output::answer(args.run.json, &answer, || summary(&answer))?;
    Ok(Outcome::of(answer.stop == Stop::ToleranceMet.as_str()))
}

fn answer(
    problem: &Problem,
    origin: &Origin,
    folder: Option<&Folder>,
    watch: &Watch,
) -> Result<Answer, Failure> {
    watch.phase("wide limit");
    let location = problem.centered().then(|| wide::location(problem.data(), problem.lambda(), watch));
    let Population { active, share_active, distinct_directions, value, slope, .. } =
        wide::population_observed(problem, location.as_ref(), watch);
    let about = location.as_ref().map(|location| shifted(problem, location)).transpose()?;
    let boundary = wide::boundary(about.as_ref().unwrap_or(problem), watch)?;
    let (lower_bound, gap, certified) = match &location {
        None => (bounds::wide_limit(problem).lower.get(), 0.0, None),
        Some(location) => {
            let certified = wide::closed_form_at(problem, location, watch)?.certified;
            let certificate = certified.certificate();
            (certificate.lower_bound().get(), certificate.relative_gap(), Some(certified))
        }
    };
    if let Some(folder) = folder {
        write(folder, problem, origin, certified)?;
    }
    // A location that is proved to be at the optimum has met its tolerance, however its
    // search ended.
    let located = location.as_ref().map_or(Stop::ToleranceMet, |l| l.stop);
    let stop = if gap <= NO_GAP { Stop::ToleranceMet } else { located };
    let stop = if stop == Stop::ToleranceMet { boundary.stop } else { stop };
    Ok(Answer {
        schema_version: SCHEMA_VERSION,
        points: problem.len(),
        dim: problem.dim(),
        lambda: problem.lambda(),
        centered: problem.centered(),
        stop: stop.as_str(),
        value,
        lower_bound,
        active,
        share_active,
        distinct_directions,
        slope,
        max_cosine: boundary.max_cosine,
        center: location.map(|l| l.center),
        masked: origin.masked,
        seconds: watch.elapsed().as_secs_f64(),
        boundary: BoundaryKeys::new(problem, &origin.rows, &boundary),
    })
}

/// The problem of the data about a center: cosines are those of the shifted data.
fn shifted(problem: &Problem, location: &Location) -> Result<Problem, Failure> {
    let mut points = problem.data().datapoints().clone();
    input::subtract(&mut points, &location.center);
    let shifted =
        Problem::builder(points).lambda(problem.lambda()).weights(problem.data().weights().to_vec()).build();
    shifted.map_err(|error| input::refused(error, "the data about the learnt center".to_owned()))
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
