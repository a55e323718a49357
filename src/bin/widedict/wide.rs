//! `widedict wide`: the wide limit and its boundary.

use std::fmt::Write as _;

use serde::Serialize;
use widedict::gauge::Penalty;
use widedict::trusted::bounds;
use widedict::wide::{self, Boundary, Population};
use widedict::{Problem, Stop};

use crate::args::WideArgs;
use crate::failure::Failure;
use crate::output::{self, Folder};
use crate::progress::Watch;
use crate::report::{SCHEMA_VERSION, json};
use crate::solve::threaded;
use crate::{Outcome, input};

/// What is printed; every key is always there, null where it does not apply.
#[derive(Clone, Debug, Serialize)]
struct Answer {
    schema_version: u32,
    points: usize,
    dim: usize,
    lambda: f64,
    centered: bool,
    stop: &'static str,
    /// `F_∞`.
    value: f64,
    /// `F_∞` proved from below, every rounding included.
    lower_bound: f64,
    active: usize,
    share_active: f64,
    distinct_directions: usize,
    /// `Σ wᵢ‖xᵢ − b‖`: the limit of `F_∞/λ` as λ → 0 at this center.
    slope: f64,
    #[serde(flatten)]
    boundary: BoundaryKeys,
    max_cosine: Option<f64>,
    center: Option<Vec<f64>>,
    seconds: f64,
}

/// The boundary γ*, with its proved ends.
#[derive(Clone, Debug, Default, Serialize)]
struct BoundaryKeys {
    /// γ*; null where it is infinite, not known, or not defined (a center).
    boundary_gamma: Option<f64>,
    boundary_gamma_lower: Option<f64>,
    boundary_gamma_upper: Option<f64>,
    /// The pair of datapoints that decides.
    boundary_pair: Option<(usize, usize)>,
    boundary_note: &'static str,
}

/// Reads, computes, prints.
pub(crate) fn run(args: &WideArgs) -> Result<Outcome, Failure> {
    let penalty = Penalty::new(args.lambda, 0.0)?;
    let folder = args.out.as_deref().map(Folder::prepare).transpose()?;
    let data = input::read(&args.source, args.run.quiet)?;
    let problem = input::problem(data, penalty, args.center, args.weights.as_deref())?;
    let watch = Watch::start(&args.run);
    let answer = threaded(&args.run, || answer(&problem, folder.as_ref(), &watch));
    watch.finish();
    let answer = answer?;
    output::print(&if args.run.json { json(&answer) } else { summary(&answer) })?;
    Ok(if answer.stop == Stop::ToleranceMet.as_str() { Outcome::Met } else { Outcome::Unmet })
}

fn answer(problem: &Problem, folder: Option<&Folder>, watch: &Watch) -> Result<Answer, Failure> {
    watch.phase("wide limit");
    let location = problem.centered().then(|| wide::location(problem.data(), problem.lambda(), watch));
    let Population { active, share_active, distinct_directions, value, slope, .. } =
        wide::population(problem, location.as_ref());
    // About a center the cosines are those of the shifted data.
    let about = match &location {
        None => None,
        Some(location) => {
            let mut points = problem.data().datapoints().clone();
            input::subtract(&mut points, &location.center);
            let shifted = Problem::builder(points)
                .lambda(problem.lambda())
                .weights(problem.data().weights().to_vec())
                .build();
            Some(shifted.expect("finite data about a finite center"))
        }
    };
    let boundary = wide::boundary(about.as_ref().unwrap_or(problem), watch)?;
    let (lower_bound, certified) = match &location {
        None => (bounds::wide_limit(problem).lower.get(), None),
        Some(_) => {
            let solution = wide::closed_form_with(problem, &widedict::Run::observed(watch))?;
            (solution.certified.certificate().lower_bound().get(), Some(solution.certified))
        }
    };
    if let Some(folder) = folder {
        let certified = match certified {
            Some(certified) => certified,
            None => wide::closed_form(problem)?.certified,
        };
        let point = certified.solution();
        let center = point.center().map_or_else(|| vec![0.0; problem.dim()], <[f64]>::to_vec);
        folder.write_point(point, &center)?;
    }
    let stop = location.as_ref().map_or(Stop::ToleranceMet, |l| l.stop);
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
        seconds: watch.elapsed().as_secs_f64(),
        boundary: BoundaryKeys::new(problem, &boundary),
    })
}

impl BoundaryKeys {
    fn new(problem: &Problem, boundary: &Boundary) -> Self {
        let finite = |value: f64| value.is_finite().then_some(value);
        let mut keys = Self {
            boundary_gamma: finite(boundary.gamma),
            boundary_gamma_lower: finite(boundary.lower),
            boundary_gamma_upper: finite(boundary.upper),
            boundary_pair: boundary.pair,
            boundary_note: "one atom per datapoint is optimal up to here",
        };
        if problem.centered() {
            keys = Self { boundary_note: "not defined where a center is learnt", ..Self::default() };
        } else if boundary.stop != Stop::ToleranceMet {
            keys.boundary_gamma = None;
            keys.boundary_note = "the search was stopped: a bracket";
        } else if boundary.gamma.is_infinite() {
            keys.boundary_note = "infinite: one atom per datapoint is optimal at every gamma";
        }
        keys
    }
}

fn summary(answer: &Answer) -> String {
    let mut text = format!(
        "{} points of dimension {}, lambda {}{}\n\n",
        answer.points,
        answer.dim,
        answer.lambda,
        if answer.centered { ", with a center" } else { "" }
    );
    let _ = writeln!(
        text,
        "wide limit           {:.9}  (certified bound {:.9})",
        answer.value, answer.lower_bound
    );
    let _ = writeln!(
        text,
        "active               {} points, {:.4} of the weight (the expected L0)",
        answer.active, answer.share_active
    );
    let _ = writeln!(text, "distinct directions  {}", answer.distinct_directions);
    match answer.boundary.boundary_gamma {
        Some(gamma) => {
            let _ = writeln!(
                text,
                "boundary gamma       {gamma:.6e}  (proved in [{:.6e}, {:.6e}])",
                answer.boundary.boundary_gamma_lower.unwrap_or(0.0),
                answer.boundary.boundary_gamma_upper.unwrap_or(f64::INFINITY)
            );
        }
        None => {
            let _ = writeln!(text, "boundary gamma       {}", answer.boundary.boundary_note);
        }
    }
    if let Some(cosine) = answer.max_cosine {
        let _ = writeln!(text, "largest cosine       {cosine:.9}");
    }
    text
}
