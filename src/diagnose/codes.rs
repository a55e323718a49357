//! How far codes are from the best ones for their dictionary (theorem `coding-gap`), and
//! which atoms no exact code uses (theorem `polar-polytope`).

use serde::Serialize;

use super::residuals::{Identities, identities};
use super::scene::{Extremes, Scene, extremes, share};
use crate::atoms::{AtomsError, Factorization};
use crate::coder::{Encoded, duality_gap, objective};
use crate::linalg::{Matrix, Row, distance_sq, norm_sq};
use crate::observer::{Latch, Stop};
use crate::problem::Problem;
use crate::trusted::Residuals;

/// Codes, as a whole.
#[derive(Clone, Debug, PartialEq, Serialize)]
pub struct CodeSummary {
    /// Objective of the joint problem at these codes.
    pub objective: f64,
    /// `Σ wᵢ ½‖rᵢ‖²`.
    pub fit: f64,
    /// `λ Σ_k s_k`.
    pub penalty: f64,
    /// Mean number of atoms a datapoint uses.
    pub mean_l0: f64,
    /// `1 − Σ wᵢ‖rᵢ‖² / Σ wᵢ‖xᵢ − x̄‖²`; `None` for data that do not vary.
    pub explained_variance: Option<f64>,
    /// Weighted mean of the duality gaps of the datapoints (theorem `coding-gap`): the
    /// objective is at most this above that of the best codes.
    pub gap: f64,
    /// Largest relative duality gap of a datapoint.
    pub largest_relative_gap: f64,
    /// The datapoint of that gap.
    pub worst_point: usize,
    /// Atoms that some datapoint uses.
    pub atoms_used: usize,
}

/// An atom that no exact code uses, with the reason: no residual reaches it.
///
/// By theorem `polar-polytope` an atom is unused at a datapoint where `d_kᵀrᵢ < λ`.
#[derive(Clone, Copy, Debug, PartialEq, Serialize)]
pub struct Dead {
    /// The atom.
    pub atom: usize,
    /// `max_i d_kᵀrᵢ`.
    pub reached: f64,
    /// `λ − max_i d_kᵀrᵢ`: by how much it falls short.
    pub short_by: f64,
    /// The datapoint that comes closest.
    pub point: usize,
    /// Datapoints at which it fires among the codes given.
    pub given_uses: Option<usize>,
}

/// The codes given with the best values on their supports.
#[derive(Clone, Copy, Debug, PartialEq, Serialize)]
pub struct Refit {
    /// Objective of the joint problem at the best codes that use no other atoms than the
    /// codes given.
    pub objective: f64,
    /// Mean number of atoms a datapoint uses after that.
    pub mean_l0: f64,
    /// Their explained variance.
    pub explained_variance: Option<f64>,
    /// Largest relative duality gap of a datapoint, among codes of the same supports.
    pub largest_relative_gap: f64,
    /// Objective of the codes given less that: what their values cost.
    pub value_gap: f64,
    /// That less the objective of exact codes: what the choice of atoms costs.
    pub support_gap: f64,
    /// Explained variance of least squares with z ≥ 0 on the same supports, λ = 0: the most
    /// that any values reach.
    pub least_squares_explained_variance: Option<f64>,
}

/// The encoder's codes of all datapoints, where the other numbers are those of a sample.
#[derive(Clone, Debug, PartialEq, Serialize)]
pub struct AllCodes {
    /// Rows of the data that these numbers cover.
    pub rows_read: usize,
    /// Rows of the data.
    pub rows: usize,
    /// Datapoints among those that were read.
    pub points: usize,
    /// Why not all were read; `None` where they were.
    #[serde(serialize_with = "name_of_some_stop")]
    pub stopped: Option<Stop>,
    /// Objective of the joint problem at these codes.
    pub objective: f64,
    /// `Σ wᵢ ½‖rᵢ‖²`.
    pub fit: f64,
    /// `λ Σ_k s_k`.
    pub penalty: f64,
    /// Mean number of atoms a datapoint uses.
    pub mean_l0: f64,
    /// `1 − Σ wᵢ‖rᵢ‖² / Σ wᵢ‖xᵢ − x̄‖²`; `None` for data that do not vary.
    pub explained_variance: Option<f64>,
    /// Atoms that some datapoint uses.
    pub atoms_used: usize,
    /// The others.
    pub atoms_unused: usize,
    /// Part of the objective that the one per cent of the datapoints hold that cost most.
    pub objective_share_of_top_percent: Option<f64>,
    /// Every atom.
    pub atoms: Vec<AtomUse>,
    /// Most numbers of the data that were held at once.
    #[serde(skip)]
    pub most_held: usize,
}

/// How all datapoints use an atom.
#[derive(Clone, Copy, Debug, PartialEq, Serialize)]
pub struct AtomUse {
    /// The atom.
    pub atom: usize,
    /// Datapoints that use it.
    pub uses: usize,
    /// Their weighted mean code, of the unit atom.
    pub mean: Option<f64>,
    /// Their largest code.
    pub most: Option<f64>,
}

fn name_of_some_stop<S: serde::Serializer>(stop: &Option<Stop>, serializer: S) -> Result<S::Ok, S::Error> {
    stop.map(Stop::as_str).serialize(serializer)
}

/// The part about codes.
#[derive(Clone, Debug, PartialEq, Serialize)]
pub struct CodesReport {
    /// The codes given (an encoder's), if any.
    pub given: Option<CodeSummary>,
    /// The best codes for the dictionary.
    pub exact: CodeSummary,
    /// Objective of the codes given less that of exact codes: the amortisation gap.
    pub amortisation_gap: Option<f64>,
    /// The same over the objective of exact codes.
    pub relative_amortisation_gap: Option<f64>,
    /// The two parts of the gap, where [`refit`](super::refit()) was asked for.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub refit: Option<Refit>,
    /// Why coding ended.
    #[serde(serialize_with = "name_of_stop")]
    pub stop: Stop,
    /// Atoms that no exact code uses, those that fall short least first.
    pub dead: Vec<Dead>,
    /// Atoms that exact codes use and the codes given never do.
    pub silent: Option<usize>,
    /// The encoder's codes of all datapoints, where the others are those of a sample.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub all: Option<AllCodes>,
}

fn name_of_stop<S: serde::Serializer>(stop: &Stop, serializer: S) -> Result<S::Ok, S::Error> {
    serializer.serialize_str(stop.as_str())
}

/// The codes given with what they amount to.
pub(super) struct Given {
    pub(super) factorization: Factorization,
    pub(super) summary: CodeSummary,
    pub(super) identities: Identities,
    pub(super) residuals: Matrix,
    pub(super) objectives: Vec<f64>,
    /// Duality gaps; where the observer stopped their computation, the objectives.
    pub(super) gaps: Vec<f64>,
    pub(super) rows: Vec<Row>,
}

impl Given {
    pub(super) fn new(
        problem: &Problem,
        factorization: Factorization,
        inputs: &Matrix,
        latch: &Latch<'_>,
    ) -> Result<Self, AtomsError> {
        let lambda = problem.lambda();
        let residuals = Residuals::of(problem, &factorization)?.into_matrix();
        let extremes = extremes(factorization.dictionary(), &residuals, latch);
        let objectives: Vec<f64> = (0..problem.len())
            .map(|i| objective(residuals.col(i), factorization.codes().column(i).data().iter().sum(), lambda))
            .collect();
        let gaps = match &extremes {
            None => objectives.clone(),
            Some(extremes) => (0..problem.len())
                .map(|i| {
                    let largest = extremes.of_datapoints[i];
                    duality_gap(objectives[i], inputs.col(i), residuals.col(i), largest, lambda)
                })
                .collect(),
        };
        let rows = factorization.codes().rows();
        let scene = Scene {
            problem,
            factorization: &factorization,
            residuals: &residuals,
            rows: &rows,
            lambda,
            latch,
        };
        let summary = summary(&scene, &objectives, &gaps);
        let identities = identities(&scene, inputs, extremes.as_ref());
        Ok(Self { summary, identities, objectives, gaps, rows, residuals, factorization })
    }
}

impl Given {
    /// The point of the codes given, in place of that of the exact ones.
    pub(super) fn scene<'a>(&'a self, of: &Scene<'a>) -> Scene<'a> {
        Scene { factorization: &self.factorization, residuals: &self.residuals, rows: &self.rows, ..*of }
    }
}

fn summary(scene: &Scene<'_>, objectives: &[f64], gaps: &[f64]) -> CodeSummary {
    let data = scene.problem.data();
    let mean = data.mean();
    let (mut left, mut total, mut gap) = (0.0, 0.0, 0.0);
    let mut worst = (0.0, 0);
    for i in 0..data.len() {
        let w = data.weights()[i];
        left += w * norm_sq(scene.residuals.col(i));
        total += w * distance_sq(&data.datapoint(i), &mean);
        gap += w * gaps[i];
        let relative = share(gaps[i], objectives[i]);
        if relative > worst.0 {
            worst = (relative, i);
        }
    }
    let penalty = scene.lambda * (0..scene.rows.len()).map(|k| scene.mass(k)).sum::<f64>();
    CodeSummary {
        objective: 0.5 * left + penalty,
        fit: 0.5 * left,
        penalty,
        mean_l0: scene.factorization.codes().mean_l0(),
        explained_variance: (total > 0.0).then(|| 1.0 - left / total),
        gap,
        largest_relative_gap: worst.0,
        worst_point: worst.1,
        atoms_used: scene.rows.iter().filter(|row| !row.is_empty()).count(),
    }
}

/// The part about codes. `extremes` are those of the exact codes.
pub(super) fn codes(
    scene: &Scene<'_>,
    coded: &Encoded,
    extremes: Option<&Extremes>,
    given: Option<&Given>,
) -> CodesReport {
    let exact = summary(scene, &coded.objectives, &coded.gaps);
    let amortisation_gap = given.map(|g| g.summary.objective - exact.objective);
    let silent =
        given.map(|g| g.rows.iter().zip(scene.rows).filter(|(g, e)| g.is_empty() && !e.is_empty()).count());
    CodesReport {
        relative_amortisation_gap: amortisation_gap.map(|gap| share(gap, exact.objective)),
        given: given.map(|g| g.summary.clone()),
        exact,
        amortisation_gap,
        refit: None,
        stop: coded.stop,
        dead: extremes.map_or_else(Vec::new, |extremes| dead(scene, extremes, given)),
        silent,
        all: None,
    }
}

/// The atoms that no exact code uses, those that fall short least first.
fn dead(scene: &Scene<'_>, extremes: &Extremes, given: Option<&Given>) -> Vec<Dead> {
    let mut dead: Vec<Dead> = (0..scene.rows.len())
        .filter(|&k| scene.rows[k].is_empty())
        .map(|atom| {
            let (reached, point) = extremes.of_atoms[atom];
            let given_uses = given.map(|g| g.rows[atom].len());
            Dead { atom, reached, short_by: scene.lambda - reached, point, given_uses }
        })
        .collect();
    dead.sort_by(|l, r| l.short_by.total_cmp(&r.short_by).then(l.atom.cmp(&r.atom)));
    dead
}
