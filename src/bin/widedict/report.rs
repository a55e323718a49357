//! The JSON that `solve` prints.

use std::time::Duration;

use serde::Serialize;
use widedict::certificate::Kkt;
use widedict::{Certificate, Problem, Stop};

/// Version of the JSON: raised when a key changes its meaning or goes away.
pub(crate) const SCHEMA_VERSION: u32 = 1;

/// How a problem was run.
pub(crate) struct Run {
    pub(crate) method: &'static str,
    pub(crate) seed: u64,
    pub(crate) stop: Stop,
    pub(crate) solving: Duration,
    pub(crate) certifying: Duration,
}

/// One row: the problem, how it was run, and what is proved of the point. Every
/// key is always there, null where it does not apply.
#[derive(Clone, Debug, Serialize)]
pub(crate) struct Row {
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
    objective: f64,
    lower_bound: f64,
    bound_kind: &'static str,
    relative_gap: f64,
    estimated_lower_bound: Option<f64>,
    estimated_relative_gap: Option<f64>,
    verdict: &'static str,
    verdict_reason: Option<String>,
    atoms: usize,
    mean_l0: f64,
    explained_variance: Option<f64>,
    max_coherence: f64,
    kkt: Kkt,
    local: Option<Local>,
    participation: Option<Participation>,
    seconds: f64,
    seconds_certify: f64,
}

/// What is proved locally of a point of a given width.
#[derive(Clone, Debug, Serialize)]
pub(crate) enum Local {}

/// The bound for all dictionaries whose atoms are as common.
#[derive(Clone, Debug, Serialize)]
pub(crate) enum Participation {}

impl Row {
    pub(crate) fn new(problem: &Problem, run: &Run, certificate: &Certificate) -> Self {
        let statistics = certificate.statistics();
        Self {
            schema_version: SCHEMA_VERSION,
            points: problem.len(),
            dim: problem.dim(),
            lambda: problem.lambda(),
            gamma: problem.gamma(),
            width: None,
            centered: problem.centered(),
            method: run.method,
            seed: run.seed,
            stop: run.stop.as_str(),
            objective: certificate.objective(),
            lower_bound: certificate.lower_bound().get(),
            bound_kind: certificate.bound_kind().as_str(),
            relative_gap: certificate.relative_gap(),
            estimated_lower_bound: certificate.estimate().map(|e| e.lower_bound),
            estimated_relative_gap: certificate.estimated_relative_gap(),
            verdict: certificate.verdict().as_str(),
            verdict_reason: certificate.verdict().reason().map(str::to_owned),
            atoms: statistics.atoms,
            mean_l0: statistics.mean_l0,
            explained_variance: statistics.explained_variance,
            max_coherence: statistics.max_coherence,
            kkt: *certificate.kkt(),
            local: None,
            participation: None,
            seconds: run.solving.as_secs_f64(),
            seconds_certify: run.certifying.as_secs_f64(),
        }
    }
}

/// The row with what another program needs to verify it: certificate.json.
#[derive(Clone, Debug, Serialize)]
pub(crate) struct Saved<'a> {
    #[serde(flatten)]
    pub(crate) row: &'a Row,
    pub(crate) verify: Verify,
}

/// What the numbers of a row were computed from, files by name beside it.
#[derive(Clone, Debug, Serialize)]
pub(crate) struct Verify {
    pub(crate) program: &'static str,
    pub(crate) data: String,
    pub(crate) weights: Option<String>,
    pub(crate) dictionary: &'static str,
    pub(crate) codes: &'static str,
    pub(crate) center: &'static str,
    /// Relative gap at or below which the verdict is `global`.
    pub(crate) tolerance: f64,
    /// Relative stationarity above which the verdict is `refuted`.
    pub(crate) stationarity: f64,
    /// Proved upper bound of the objective, every rounding included.
    pub(crate) upper_bound: f64,
}

/// One object and a line break.
pub(crate) fn json(value: &impl Serialize) -> String {
    let mut text = serde_json::to_string(value).expect("numbers, strings and options have a JSON form");
    text.push('\n');
    text
}
