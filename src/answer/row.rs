//! The JSON row that `solve`, `certify` and each line of `path` share.

use std::time::Duration;

use crate::atoms::Rescaled;
use crate::certificate::LocalSummary;
use crate::diagnose::HullReport;
use crate::io::Masked;
use crate::solve::participation::ParticipationBound;
use crate::trusted::{Kkt, Lower};
use crate::{Certificate, Problem, Stop, Verdict};
use serde::Serialize;

use super::diagnosis::Source;

/// Version of the JSON: raised when a key changes its meaning or goes away.
pub const SCHEMA_VERSION: u32 = 1;

/// How a problem was run.
#[derive(Clone, Debug)]
pub struct RunSummary {
    pub method: &'static str,
    pub seed: u64,
    /// Number of atoms where the point is one of that width.
    pub width: Option<usize>,
    /// `None` where nothing ran.
    pub stop: Option<Stop>,
    pub solving: Duration,
    pub certifying: Duration,
}

impl RunSummary {
    /// Nothing ran: a factorization of width `width`, or one of the convex problem.
    pub fn audit(width: Option<usize>) -> Self {
        let (solving, certifying) = (Duration::ZERO, Duration::ZERO);
        Self { method: "certify", seed: 0, width, stop: None, solving, certifying }
    }
}

/// One row: the problem, how it was run, and what is proved of the point. Every
/// key is always there, null where it does not apply.
#[derive(Clone, Debug, Serialize)]
pub struct Row {
    schema_version: u32,
    points: usize,
    dim: usize,
    lambda: f64,
    gamma: f64,
    width: Option<usize>,
    centered: bool,
    method: &'static str,
    seed: u64,
    stop: &'static str,
    objective: Option<f64>,
    lower_bound: Option<f64>,
    bound_kind: &'static str,
    relative_gap: Option<f64>,
    /// The bound of dictionaries of `width` atoms, where it is above that of every width.
    width_lower_bound: Option<f64>,
    width_bound_kind: Option<&'static str>,
    estimated_lower_bound: Option<f64>,
    estimated_relative_gap: Option<f64>,
    verdict: &'static str,
    verdict_reason: Option<String>,
    atoms: usize,
    mean_l0: Option<f64>,
    explained_variance: Option<f64>,
    max_coherence: Option<f64>,
    /// What the one per cent of the datapoints that cost most hold of the objective.
    objective_share_of_top_percent: Option<f64>,
    kkt: Option<Kkt>,
    local: Option<LocalSummary>,
    participation: Option<Participation>,
    /// Whether a stationary point can have these codes (theorem `hull-condition`).
    hull: Option<HullReport>,
    /// Foreign atoms that were brought to unit length, with their codes.
    rescaled: Option<Lengths>,
    /// The autoencoder it is of.
    source: Option<Source>,
    /// Rows of the data that are no datapoints.
    masked: Masked,
    seconds: f64,
    seconds_certify: f64,
}

/// The lengths of atoms that were not 1.
#[derive(Clone, Copy, Debug, Serialize)]
pub struct Lengths {
    atoms: usize,
    shortest: f64,
    longest: f64,
}

impl From<Rescaled> for Lengths {
    fn from(rescaled: Rescaled) -> Self {
        Self { atoms: rescaled.atoms, shortest: rescaled.shortest, longest: rescaled.longest }
    }
}

/// The bound for all dictionaries whose atoms are as common (theorem
/// `participation-bound`).
#[derive(Clone, Copy, Debug, Serialize)]
pub struct Participation {
    /// Least participation of the point's atoms; null where none is in use.
    pub min: Option<f64>,
    /// Participation the bound is for.
    pub p: f64,
    /// Penalty and price of the convex problem that gave it.
    pub lambda: f64,
    pub gamma: f64,
    pub lower_bound: f64,
    pub bound_kind: &'static str,
    /// Whether the bound is above that of all dictionaries, `F_∞`: false where p is too small, or the
    /// search too short.
    pub beats_wide_limit: bool,
}

impl Participation {
    /// The bound, beside the least participation `min` of the point's atoms.
    pub fn new(min: Option<f64>, bound: &ParticipationBound) -> Self {
        let ParticipationBound { p, lambda, gamma, lower, kind } = *bound;
        Self {
            min,
            p,
            lambda,
            gamma: gamma.get(),
            lower_bound: lower.get(),
            bound_kind: kind.as_str(),
            beats_wide_limit: bound.beats_wide_limit(),
        }
    }
}

impl Row {
    pub fn new(problem: &Problem, masked: &Masked, run: &RunSummary, certificate: &Certificate) -> Self {
        let (statistics, estimate) = (certificate.statistics(), certificate.estimate());
        let of_width = run.width.and_then(|width| certificate.width_bound(width));
        let kind = run.width.and_then(|width| certificate.width_bound_kind(width));
        Self {
            objective: Some(certificate.objective()),
            lower_bound: Some(certificate.lower_bound().get()),
            bound_kind: certificate.bound_kind().as_str(),
            relative_gap: Some(certificate.relative_gap()),
            width_lower_bound: of_width.map(Lower::get),
            width_bound_kind: kind,
            estimated_lower_bound: estimate.map(|e| e.lower_bound),
            estimated_relative_gap: certificate.estimated_relative_gap(),
            mean_l0: Some(statistics.mean_l0),
            explained_variance: statistics.explained_variance,
            max_coherence: statistics.max_coherence,
            objective_share_of_top_percent: statistics.concentration.map(|c| c.share),
            kkt: Some(*certificate.kkt()),
            local: certificate.local().cloned(),
            ..Self::bare(problem, masked, run, statistics.atoms, certificate.verdict())
        }
    }

    /// The row of a point that has no numbers: it does not belong to the problem.
    pub fn bare(
        problem: &Problem,
        masked: &Masked,
        run: &RunSummary,
        atoms: usize,
        verdict: &Verdict,
    ) -> Self {
        Self {
            schema_version: SCHEMA_VERSION,
            points: problem.total(),
            dim: problem.dim(),
            lambda: problem.lambda(),
            gamma: problem.gamma(),
            width: run.width,
            centered: problem.centered(),
            method: run.method,
            seed: run.seed,
            stop: stop_name(run.stop),
            objective: None,
            lower_bound: None,
            bound_kind: "none",
            relative_gap: None,
            width_lower_bound: None,
            width_bound_kind: None,
            estimated_lower_bound: None,
            estimated_relative_gap: None,
            verdict: verdict.as_str(),
            verdict_reason: verdict.reason().map(str::to_owned),
            atoms,
            mean_l0: None,
            explained_variance: None,
            max_coherence: None,
            objective_share_of_top_percent: None,
            kkt: None,
            local: None,
            participation: None,
            hull: None,
            rescaled: None,
            source: None,
            masked: *masked,
            seconds: run.solving.as_secs_f64(),
            seconds_certify: run.certifying.as_secs_f64(),
        }
    }

    pub fn with_participation(self, participation: Option<Participation>) -> Self {
        Self { participation, ..self }
    }

    pub fn with_hull(self, hull: Option<HullReport>) -> Self {
        Self { hull, ..self }
    }

    pub fn with_source(self, source: Option<Source>) -> Self {
        Self { source, ..self }
    }

    pub fn with_rescaled(self, rescaled: Option<Rescaled>) -> Self {
        Self { rescaled: rescaled.map(Lengths::from), ..self }
    }
}

/// The name used in JSON, `none` where nothing ran.
pub fn stop_name(stop: Option<Stop>) -> &'static str {
    stop.map_or("none", Stop::as_str)
}

/// One object and a line break.
pub fn json(value: &impl Serialize) -> String {
    let mut text = serde_json::to_string(value).expect("numbers, strings and options have a JSON form");
    text.push('\n');
    text
}
