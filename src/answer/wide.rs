//! The answer of `wide`.

use std::fmt::Write as _;

use serde::Serialize;

use super::Follow;
use super::input::{self, Origin, Refusal};
use super::masked;
use super::row::SCHEMA_VERSION;
use crate::io::{Masked, Rows};
use crate::num::at_most;
use crate::trusted::{Subject, bounds};
use crate::wide::{self, Boundary, Location, Population};
use crate::{Certified, Codes, Dictionary, Factorization, Problem, SolveError, Stop, Witness};

/// Why there is no answer.
#[derive(Debug, thiserror::Error)]
pub enum Unanswered {
    #[error(transparent)]
    Solve(#[from] SolveError),
    #[error(transparent)]
    Refused(#[from] Refusal),
}

/// What is printed; every key is always there, null where it does not apply.
#[derive(Clone, Debug, Serialize)]
pub struct Answer {
    pub schema_version: u32,
    pub points: usize,
    pub dim: usize,
    pub lambda: f64,
    pub centered: bool,
    pub stop: &'static str,
    /// `F_∞`.
    pub value: f64,
    /// `F_∞` proved from below, every rounding included.
    pub lower_bound: f64,
    pub active: usize,
    pub share_active: f64,
    /// Null where the datapoints are spread over ranks.
    pub distinct_directions: Option<usize>,
    /// `Σ wᵢ‖xᵢ − b‖`: the limit of `F_∞/λ` as λ → 0 at this center.
    pub slope: f64,
    #[serde(flatten)]
    pub boundary: BoundaryKeys,
    pub max_cosine: Option<f64>,
    pub center: Option<Vec<f64>>,
    /// Rows of the data that are no datapoints.
    pub masked: Masked,
    pub seconds: f64,
}

/// What is told by pairs of datapoints, which must be in one place.
struct OfPairs {
    boundary: BoundaryKeys,
    max_cosine: Option<f64>,
    distinct_directions: Option<usize>,
}

impl Answer {
    fn new(
        (problem, origin): (&Problem, &Origin),
        found: &Population,
        (lower_bound, stop): (f64, Stop),
        pairs: OfPairs,
        center: Option<Vec<f64>>,
        watch: &dyn Follow,
    ) -> Self {
        Self {
            schema_version: SCHEMA_VERSION,
            points: problem.total(),
            dim: problem.dim(),
            lambda: problem.lambda(),
            centered: problem.centered(),
            stop: stop.as_str(),
            value: found.value,
            lower_bound,
            active: found.active,
            share_active: found.share_active,
            distinct_directions: pairs.distinct_directions,
            slope: found.slope,
            boundary: pairs.boundary,
            max_cosine: pairs.max_cosine,
            center,
            masked: origin.masked,
            seconds: watch.elapsed().as_secs_f64(),
        }
    }
}

/// The boundary γ*, with its proved ends.
#[derive(Clone, Debug, Default, Serialize)]
pub struct BoundaryKeys {
    /// γ*; null where it is infinite, not known, or not defined (a center).
    boundary_gamma: Option<f64>,
    boundary_gamma_lower: Option<f64>,
    boundary_gamma_upper: Option<f64>,
    /// The pair of datapoints that decides, by their rows in the data.
    boundary_pair: Option<(usize, usize)>,
    boundary_note: &'static str,
}

impl BoundaryKeys {
    pub fn new(problem: &Problem, rows: &Rows, boundary: &Boundary) -> Self {
        let finite = |value: f64| value.is_finite().then_some(value);
        let mut keys = Self {
            boundary_gamma: finite(boundary.gamma),
            boundary_gamma_lower: finite(boundary.lower.get()),
            boundary_gamma_upper: finite(boundary.upper.get()),
            boundary_pair: boundary.pair.map(|(i, j)| (rows.row(i), rows.row(j))),
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

/// Certified relative gap of a learnt center that is rounding. Sums over some thousand
/// datapoints leave up to 1e-8; at 1e-5 a search that was stopped would pass for done.
const NO_GAP: f64 = 1e-6;

/// The wide limit and its boundary; where a center is learnt, also the solution there.
///
/// # Errors
/// Those of the boundary and of the closed form.
pub fn answer(
    problem: &Problem,
    origin: &Origin,
    watch: &dyn Follow,
) -> Result<(Answer, Option<Certified>), Unanswered> {
    watch.phase("wide limit");
    let location = problem.centered().then(|| wide::location(problem.data(), problem.lambda(), watch));
    // Pairs are of datapoints in one place.
    if problem.share().is_spread() {
        return Ok(of_ranks(problem, origin, location, watch));
    }
    let found = wide::population_observed(problem, location.as_ref(), watch);
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
    // A location that is proved to be at the optimum has met its tolerance, however its
    // search ended.
    let located = location.as_ref().map_or(Stop::ToleranceMet, |l| l.stop);
    let stop = if gap <= NO_GAP { Stop::ToleranceMet } else { located };
    let stop = if stop == Stop::ToleranceMet { boundary.stop } else { stop };
    let pairs = OfPairs {
        boundary: BoundaryKeys::new(problem, &origin.rows, &boundary),
        max_cosine: boundary.max_cosine,
        distinct_directions: Some(found.distinct_directions),
    };
    let center = location.map(|location| location.center);
    Ok((Answer::new((problem, origin), &found, (lower_bound, stop), pairs, center, watch), certified))
}

/// The answer where datapoints are spread over ranks: the value, its bound where no center is
/// learnt, and the population.
fn of_ranks(
    problem: &Problem,
    origin: &Origin,
    location: Option<Location>,
    watch: &dyn Follow,
) -> (Answer, Option<Certified>) {
    let found = wide::population_observed(problem, location.as_ref(), watch);
    let lower_bound = match &location {
        None => bounds::wide_limit(problem).lower.get(),
        Some(location) => bound_about(problem, location).unwrap_or(0.0),
    };
    let stop = location.as_ref().map_or(Stop::ToleranceMet, |location| location.stop);
    let boundary_note = "not searched: pairs of datapoints of different ranks";
    let boundary = BoundaryKeys { boundary_note, ..BoundaryKeys::default() };
    let pairs = OfPairs { boundary, max_cosine: None, distinct_directions: None };
    let center = location.map(|location| location.center);
    (Answer::new((problem, origin), &found, (lower_bound, stop), pairs, center, watch), None)
}

/// What the dual point of a location proves, without atoms.
fn bound_about(problem: &Problem, location: &Location) -> Option<f64> {
    let codes = Codes::from_triplets(0, problem.len(), []).ok()?;
    let bare = Factorization::new(Dictionary::empty(problem.dim()), codes, Some(location.center.clone()));
    let bare = bare.ok()?;
    let subject = Subject::of(problem, &bare).ok()?;
    let witness = Witness { dual: Some(location.dual.clone()), ..Witness::none() };
    Some(bounds::best(&subject, &witness).lower.get())
}

/// The problem of the data about a center: cosines are those of the shifted data.
fn shifted(problem: &Problem, location: &Location) -> Result<Problem, Refusal> {
    let points = input::subtracted(problem.data().datapoints().clone(), &location.center);
    let shifted =
        Problem::builder(points).lambda(problem.lambda()).weights(problem.data().weights().to_vec()).build();
    shifted.map_err(|error| input::refused(error, "the data about the learnt center".to_owned()))
}

/// The answer in words.
pub fn summary(answer: &Answer) -> String {
    let mut text = format!(
        "{} points of dimension {}, lambda {}{}\n\n",
        answer.points,
        answer.dim,
        answer.lambda,
        if answer.centered { ", with a center" } else { "" }
    );
    let _ = writeln!(
        text,
        "wide limit           {:.9}  (certified bound {})",
        answer.value,
        at_most(answer.lower_bound, 9)
    );
    let _ = writeln!(
        text,
        "active               {} points, {:.4} of the weight (the expected L0)",
        answer.active, answer.share_active
    );
    if let Some(distinct) = answer.distinct_directions {
        let _ = writeln!(text, "distinct directions  {distinct}");
    }
    if answer.stop != Stop::ToleranceMet.as_str() {
        let _ = writeln!(text, "not finished         {}", answer.stop);
    }
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
    text.push_str(&masked::line(&answer.masked));
    text
}
