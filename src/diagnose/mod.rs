//! What a sparse autoencoder's codes and dictionary show, each finding tied to a
//! theorem: how far they are from optimal, and which of the known phenomena occur.
//!
//! Pure functions of problem, dictionary and codes; γ = 0, which is the vanilla
//! autoencoder. Everything but the certified bound is a diagnostic, computed in
//! floating point: a statement "this would lower the objective by g" names a feasible
//! point and its value, and thresholds are parameters that the output repeats.
//!
//! | part | theorem |
//! |---|---|
//! | codes: gap to exact codes, dead atoms | [`coding-gap`](crate::proofs::coding_gap), [`polar-polytope`](crate::proofs::polar_polytope) |
//! | dictionary: violation, where an atom would move | [`stationarity`](crate::proofs::stationarity) |
//! | absorption and hierarchy: nested supports | [`no-nesting`](crate::proofs::no_nesting) |
//! | splitting: pressure, near-duplicates | [`splitting-pressure`](crate::proofs::splitting_pressure) |
//! | antipodal pairs | [`antipodal-pairs`](crate::proofs::antipodal_pairs) |
//! | residuals: identities, spectra | [`polar-polytope`](crate::proofs::polar_polytope), [`stationarity`](crate::proofs::stationarity) |
//!
//! Nothing is ever M × N or M × M in memory: products are formed a tile at a time.

mod antipodal;
mod coding;
mod cosines;
mod hierarchy;
#[cfg(feature = "io")]
mod html;
mod matching;
mod residuals;
mod splitting;
mod stationary;
#[cfg(feature = "io")]
mod tables;
mod text;

use serde::Serialize;

use crate::atoms::{AtomsError, Codes, Dictionary, Factorization};
use crate::bounding::location_dual;
use crate::certificate::{self, CertifyError, Witness, certify};
use crate::coder::CoderError;
use crate::gauge::huber;
use crate::linalg::{Matrix, Row, axpy, distance_sq, norm, norm_sq};
use crate::num::max;
use crate::observer::{Observer, Stop};
use crate::problem::Problem;
use crate::trusted::{self, check_shapes};

pub use antipodal::Antipodal;
pub use coding::{Coding, exact_codes};
pub use cosines::{Cosines, Neighbor, Pair, cosines};
pub use hierarchy::{Absorbed, Hierarchy, Nested};
pub use matching::{CompareError, Matched, Matching, compare};
pub use residuals::{Identities, Residuals, Spectrum};
pub use splitting::{Split, Splitting};
pub use stationary::AtomState;

/// Version of the JSON: raised when a key changes its meaning or goes away.
pub const SCHEMA_VERSION: u32 = 1;

/// What counts as what. Every output repeats them.
#[derive(Clone, Copy, Debug, PartialEq, Serialize)]
pub struct Thresholds {
    /// Relative gap to which exact codes are computed, a point.
    pub coding: f64,
    /// Fewest uses of an atom in a nested or absorbed pair: rarer atoms nest by chance.
    pub min_uses: usize,
    /// Share of a child's points at which the parent fires (or would), from which on
    /// a pair is reported.
    pub nested: f64,
    /// Cosine from which on a pair is looked at for absorption.
    pub absorption: f64,
    /// Cosine up to which a pair is antipodal.
    pub antipodal: f64,
    /// Cosine from which on atoms are near-duplicates.
    pub duplicate: f64,
    /// Largest dimension in which spectra are computed: they cost O(n³).
    pub spectrum_dim: usize,
    /// Rows of the lists of a page; tables and JSON have all.
    pub listed: usize,
}

impl Default for Thresholds {
    fn default() -> Self {
        Self {
            coding: 1e-9,
            min_uses: 3,
            nested: 0.9,
            absorption: 0.5,
            antipodal: -0.7,
            duplicate: 0.9,
            spectrum_dim: 1024,
            listed: 10,
        }
    }
}

/// Why there is no diagnosis.
#[derive(Clone, Debug, PartialEq, thiserror::Error)]
#[non_exhaustive]
pub enum DiagnoseError {
    /// The problem has an atom price, or no penalty.
    #[error("a diagnosis needs lambda > 0 and gamma 0, found lambda {lambda} and gamma {gamma}")]
    Penalty {
        /// λ.
        lambda: f64,
        /// γ.
        gamma: f64,
    },
    /// There is no atom.
    #[error("the dictionary has no atoms")]
    Empty,
    /// Parts that do not fit together.
    #[error(transparent)]
    Atoms(#[from] AtomsError),
    /// Exact codes could not be computed.
    #[error(transparent)]
    Coder(#[from] CoderError),
    /// The bound could not be computed.
    #[error(transparent)]
    Certify(#[from] CertifyError),
}

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
    /// Weighted mean of the gaps of the points (theorem `coding-gap`): the objective is
    /// at most this above that of the best codes.
    pub gap: f64,
    /// Largest relative gap of a point.
    pub largest_relative_gap: f64,
    /// The point of that gap.
    pub worst_point: usize,
    /// Atoms that some point uses.
    pub atoms_used: usize,
}

/// An atom that no exact code uses, with the reason: no residual reaches it.
///
/// By theorem `polar-polytope` an atom is unused at a point where `d_kᵀrᵢ < λ`.
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
    /// Why coding ended.
    #[serde(serialize_with = "name_of_stop")]
    pub stop: Stop,
    /// Atoms that no exact code uses, those that fall short least first.
    pub dead: Vec<Dead>,
    /// Atoms that exact codes use and the codes given never do.
    pub silent: Option<usize>,
}

fn name_of_stop<S: serde::Serializer>(stop: &Stop, serializer: S) -> Result<S::Ok, S::Error> {
    serializer.serialize_str(stop.as_str())
}

/// The part about the dictionary, at exact codes.
#[derive(Clone, Debug, PartialEq, Serialize)]
pub struct DictionaryReport {
    /// Certified lower bound of the objective of every dictionary of any width.
    pub lower_bound: f64,
    /// How it was proved.
    pub bound_kind: &'static str,
    /// `(objective − lower bound)/objective`, certified, of exact codes.
    pub relative_gap: f64,
    /// The wide limit of the data less the center as it is: an atom a datapoint.
    pub wide_limit: f64,
    /// Objective of exact codes less that.
    pub excess: f64,
    /// Median of the atoms' violations of theorem `stationarity`.
    pub median_violation: f64,
    /// Largest of them.
    pub largest_violation: f64,
    /// Median angle in degrees by which an atom would turn.
    pub median_turn: f64,
    /// Largest `|d_jᵀd_l|`.
    pub max_coherence: f64,
    /// Every atom that fires, the largest gain first.
    pub atoms: Vec<AtomState>,
}

/// A datapoint at exact codes.
#[derive(Clone, Copy, Debug, PartialEq, Serialize)]
pub struct PointState {
    /// The datapoint.
    pub point: usize,
    /// `½‖x − Dz‖² + λ1ᵀz`.
    pub objective: f64,
    /// That less the cost with an atom of its own, `h_λ(‖x‖)` (theorem `wide-limit`).
    pub excess: f64,
    /// `‖r‖/λ`: 1 where an atom of its own would gain nothing.
    pub residual: f64,
    /// Atoms used.
    pub l0: usize,
    /// Objective of the code given less that of the exact one.
    pub amortisation_gap: Option<f64>,
    /// Certified gap of the code given (theorem `coding-gap`).
    pub given_gap: Option<f64>,
}

/// Everything of an atom, a row of the tables.
#[derive(Clone, Copy, Debug, PartialEq, Serialize)]
pub struct AtomRow {
    /// The atom.
    pub atom: usize,
    /// Share of the datapoints at which it fires, exact codes.
    pub density: f64,
    /// The same among the codes given.
    pub given_density: Option<f64>,
    /// Mass `s_k`, exact codes.
    pub mass: f64,
    /// `max_i d_kᵀrᵢ/λ`: below 1 for a dead atom.
    pub reached: f64,
    /// Violation of theorem `stationarity`; none for a dead atom.
    pub violation: Option<f64>,
    /// Degrees by which it would turn.
    pub turn: Option<f64>,
    /// Splitting pressure over its penalty.
    pub pressure: Option<f64>,
    /// Gain of an actual split.
    pub split_gain: Option<f64>,
    /// The closest other atom.
    pub nearest: Option<Neighbor>,
    /// The most opposite atom.
    pub opposite: Option<Neighbor>,
}

/// A whole diagnosis.
#[derive(Clone, Debug, PartialEq, Serialize)]
pub struct Diagnosis {
    /// Version of the JSON.
    pub schema_version: u32,
    /// Number of datapoints N.
    pub points: usize,
    /// Dimension n.
    pub dim: usize,
    /// Number of atoms M.
    pub atoms: usize,
    /// λ.
    pub lambda: f64,
    /// Whether the center is a variable.
    pub centered: bool,
    /// What counts as what.
    pub thresholds: Thresholds,
    /// Codes.
    pub codes: CodesReport,
    /// Dictionary.
    pub dictionary: DictionaryReport,
    /// Absorption and hierarchy.
    pub hierarchy: Hierarchy,
    /// Splitting.
    pub splitting: Splitting,
    /// Antipodal pairs, the most opposite first.
    pub antipodal: Vec<Antipodal>,
    /// The most opposite pair, whatever the threshold.
    pub most_antipodal: Option<Pair>,
    /// Pairs of atoms beyond the thresholds that were not kept.
    pub pairs_left_out: usize,
    /// Residuals.
    pub residuals: Residuals,
    /// Every atom.
    pub atom_rows: Vec<AtomRow>,
    /// Every datapoint.
    pub point_rows: Vec<PointState>,
    /// A comparison with another dictionary, where one was asked for.
    pub comparison: Option<Matching>,
}

/// A point of the problem with what all parts need.
struct Scene<'a> {
    problem: &'a Problem,
    point: &'a Factorization,
    residuals: &'a Matrix,
    rows: &'a [Row],
    lambda: f64,
}

impl Scene<'_> {
    fn atom(&self, k: usize) -> &[f64] {
        self.point.dictionary().atom(k)
    }

    fn weights(&self) -> &[f64] {
        self.problem.data().weights()
    }

    fn len(&self) -> usize {
        self.problem.len()
    }

    fn mass(&self, k: usize) -> f64 {
        self.rows[k].iter().map(|(i, z)| self.weights()[i] * z).sum()
    }
}

#[expect(clippy::cast_precision_loss, reason = "counts are far below 2^53")]
fn ratio(part: usize, whole: usize) -> f64 {
    if whole == 0 { 0.0 } else { part as f64 / whole as f64 }
}

/// Diagnoses a dictionary on data, with its exact codes and, where there are any, the
/// codes it came with.
///
/// `center` is subtracted from the data; where the problem is
/// [centered](Problem::centered) it is a variable, as an autoencoder's decoder bias is:
/// its stationarity is reported, and the bound is for every center. Codes given are
/// those of unit atoms ([`Sae::encode`](crate::io::Sae::encode) gives such).
///
/// # Guarantees
/// The lower bound is certified, for every dictionary of any width: `wide-limit`,
/// `centre`. Gaps of codes are duality gaps in floating point: `coding-gap`. What would
/// be gained is the change of the objective at a feasible point, as computed.
///
/// Not claimed: that what is reported is all there is to gain, or that it can be
/// gained together.
///
/// # Cost
/// O(nMN) time a round of coding (some five) and O(nM²) for the cosines; memory of
/// the data, the dictionary and a tile a thread.
///
/// # Errors
/// [`DiagnoseError`] for γ > 0 or λ = 0, no atoms, or shapes that differ.
///
/// # Examples
/// ```
/// use widedict::diagnose::{Thresholds, diagnose};
/// use widedict::{Dictionary, Matrix, Problem};
/// let x = Matrix::from_columns(2, &[[2.0, 0.0], [1.5, 1.5], [0.0, 2.0]]);
/// let problem = Problem::builder(x).lambda(0.5).build()?;
/// let (dictionary, _) = Dictionary::normalize(Matrix::from_columns(2, &[[1.0, 0.0], [0.0, 1.0]]))?;
/// let found = diagnose(&problem, &dictionary, None, None, &Thresholds::default(), &())?;
/// // The point between the two atoms is what a third atom would be for.
/// assert!(found.dictionary.excess > 0.1 && found.splitting.atoms[0].gain > 0.0);
/// # Ok::<(), Box<dyn std::error::Error>>(())
/// ```
pub fn diagnose(
    problem: &Problem,
    dictionary: &Dictionary,
    center: Option<&[f64]>,
    given: Option<&Codes>,
    thresholds: &Thresholds,
    observer: &dyn Observer,
) -> Result<Diagnosis, DiagnoseError> {
    let lambda = problem.lambda();
    if !(lambda > 0.0) || problem.gamma() > 0.0 {
        return Err(DiagnoseError::Penalty { lambda, gamma: problem.gamma() });
    }
    if dictionary.is_empty() {
        return Err(DiagnoseError::Empty);
    }
    let center = center.map(<[f64]>::to_vec);
    // A fixed center is part of the data; a variable one of the point.
    let moved;
    let (problem, center) = match (&center, problem.centered()) {
        (Some(b), false) => {
            moved = shifted(problem, b)?;
            (&moved, None)
        }
        (b, _) => (problem, b.clone()),
    };
    let given = given
        .map(|codes| Factorization::new(dictionary.clone(), codes.clone(), center.clone()))
        .transpose()?;
    let zero = Factorization::new(
        dictionary.clone(),
        Codes::zeros(dictionary.len(), problem.len()),
        center.clone(),
    )?;
    check_shapes(problem, given.as_ref().unwrap_or(&zero))?;
    // What is coded: the data less the center.
    let inputs = trusted::Residuals::of(problem, &zero)?.into_matrix();
    let start = given.as_ref().map(Factorization::codes);
    let coded = exact_codes(&inputs, dictionary, lambda, start, thresholds.coding, observer)?;
    let point = Factorization::new(dictionary.clone(), coded.codes.clone(), center)?;
    let residuals = trusted::Residuals::of(problem, &point)?.into_matrix();
    let rows = point.codes().rows();
    let scene = Scene { problem, point: &point, residuals: &residuals, rows: &rows, lambda };
    let extremes = coding::extremes(dictionary, &residuals);
    let (given_part, off) = match &given {
        Some(given) => {
            let residuals = trusted::Residuals::of(problem, given)?.into_matrix();
            let part = Given::new(problem, given, residuals, &inputs);
            let limit = thresholds.spectrum_dim;
            let off = residuals::spectrum(&scene, limit, |i, v| {
                v.copy_from_slice(part.residuals.col(i));
                axpy(-1.0, scene.residuals.col(i), v);
            });
            (Some(part), off)
        }
        None => (None, None),
    };

    let cosines = cosines(
        dictionary,
        crate::num::min(thresholds.absorption, thresholds.duplicate),
        thresholds.antipodal,
    );
    let splitting = splitting::splitting(&scene, &cosines.close, thresholds);
    let codes = codes_report(&scene, &coded, &extremes, given_part.as_ref());
    let dictionary_part = dictionary_report(&scene, &codes.exact, &inputs, &cosines, thresholds)?;
    let given_codes = given.as_ref().map(Factorization::codes);
    let atom_rows = atom_rows(&scene, given_codes, &extremes, &dictionary_part, &splitting, &cosines);
    let beyond = |i: usize, v: &mut [f64]| {
        let r = scene.residuals.col(i);
        let length = norm(r);
        let share = if length > lambda { 1.0 - lambda / length } else { 0.0 };
        v.fill(0.0);
        axpy(share, r, v);
    };
    let limit = thresholds.spectrum_dim;
    Ok(Diagnosis {
        schema_version: SCHEMA_VERSION,
        points: problem.len(),
        dim: problem.dim(),
        atoms: dictionary.len(),
        lambda,
        centered: problem.centered(),
        thresholds: *thresholds,
        hierarchy: hierarchy::hierarchy(&scene, given_codes, &cosines.close, thresholds),
        antipodal: antipodal::antipodal(&scene, &cosines.antipodal),
        most_antipodal: most_antipodal(&cosines),
        pairs_left_out: cosines.left_out,
        residuals: Residuals {
            exact: residuals::identities(&scene, &inputs, &extremes.of_points),
            given: given_part.as_ref().map(|part| part.identities),
            spectrum: residuals::spectrum(&scene, limit, |i, v| v.copy_from_slice(scene.residuals.col(i))),
            beyond_ball: residuals::spectrum(&scene, limit, beyond),
            off_polytope: off,
        },
        point_rows: point_rows(&scene, &coded, &inputs, given_part.as_ref()),
        codes,
        dictionary: dictionary_part,
        splitting,
        atom_rows,
        comparison: None,
    })
}

/// The problem of data less a fixed center.
fn shifted(problem: &Problem, center: &[f64]) -> Result<Problem, AtomsError> {
    if center.len() != problem.dim() {
        return Err(AtomsError::Shape {
            what: "dimension of the center",
            expected: problem.dim(),
            found: center.len(),
        });
    }
    if let Some(coordinate) = center.iter().position(|v| !v.is_finite()) {
        return Err(AtomsError::Center { coordinate, value: center[coordinate] });
    }
    let mut points = problem.data().datapoints().clone();
    for i in 0..points.ncols() {
        axpy(-1.0, center, points.col_mut(i));
    }
    let too_large = |_| AtomsError::Center { coordinate: 0, value: center[0] };
    Problem::builder(points)
        .lambda(problem.lambda())
        .weights(problem.data().weights().to_vec())
        .build()
        .map_err(too_large)
}

/// What the codes given amount to.
struct Given {
    summary: CodeSummary,
    identities: Identities,
    residuals: Matrix,
    objectives: Vec<f64>,
    gaps: Vec<f64>,
    rows: Vec<Row>,
}

impl Given {
    fn new(problem: &Problem, point: &Factorization, residuals: Matrix, inputs: &Matrix) -> Self {
        let lambda = problem.lambda();
        let largest = coding::extremes(point.dictionary(), &residuals).of_points;
        let objectives: Vec<f64> = (0..problem.len())
            .map(|i| {
                let sum: f64 = point.codes().column(i).data().iter().sum();
                0.5 * norm_sq(residuals.col(i)) + lambda * sum
            })
            .collect();
        let gaps: Vec<f64> = (0..problem.len())
            .map(|i| coding::gap(objectives[i], inputs.col(i), residuals.col(i), largest[i], lambda))
            .collect();
        let rows = point.codes().rows();
        let scene = Scene { problem, point, residuals: &residuals, rows: &rows, lambda };
        let summary = summary(&scene, &objectives, &gaps);
        let identities = residuals::identities(&scene, inputs, &largest);
        Self { summary, identities, objectives, gaps, rows, residuals }
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
        total += w * distance_sq(data.datapoint(i), &mean);
        gap += w * gaps[i];
        let relative = coding::share(gaps[i], objectives[i]);
        if relative > worst.0 {
            worst = (relative, i);
        }
    }
    let penalty = scene.lambda * (0..scene.rows.len()).map(|k| scene.mass(k)).sum::<f64>();
    CodeSummary {
        objective: 0.5 * left + penalty,
        fit: 0.5 * left,
        penalty,
        mean_l0: scene.point.codes().mean_l0(),
        explained_variance: (total > 0.0).then(|| 1.0 - left / total),
        gap,
        largest_relative_gap: worst.0,
        worst_point: worst.1,
        atoms_used: scene.rows.iter().filter(|row| !row.is_empty()).count(),
    }
}

fn codes_report(
    scene: &Scene<'_>,
    coded: &Coding,
    extremes: &coding::Extremes,
    given: Option<&Given>,
) -> CodesReport {
    let exact = summary(scene, &coded.objectives, &coded.gaps);
    let amortisation_gap = given.map(|g| g.summary.objective - exact.objective);
    let mut dead: Vec<Dead> = (0..scene.rows.len())
        .filter(|&k| scene.rows[k].is_empty())
        .map(|atom| {
            let (reached, point) = extremes.of_atoms[atom];
            let given_uses = given.map(|g| g.rows[atom].len());
            Dead { atom, reached, short_by: scene.lambda - reached, point, given_uses }
        })
        .collect();
    dead.sort_by(|l, r| l.short_by.total_cmp(&r.short_by).then(l.atom.cmp(&r.atom)));
    let silent =
        given.map(|g| g.rows.iter().zip(scene.rows).filter(|(g, e)| g.is_empty() && !e.is_empty()).count());
    CodesReport {
        relative_amortisation_gap: amortisation_gap.map(|gap| coding::share(gap, exact.objective)),
        given: given.map(|g| g.summary.clone()),
        exact,
        amortisation_gap,
        stop: coded.stop,
        dead,
        silent,
    }
}

fn dictionary_report(
    scene: &Scene<'_>,
    exact: &CodeSummary,
    inputs: &Matrix,
    cosines: &Cosines,
    thresholds: &Thresholds,
) -> Result<DictionaryReport, DiagnoseError> {
    let problem = scene.problem;
    let witness = Witness { dual: location_dual(problem, &()), ..Witness::none() };
    let certified = certify(problem, scene.point.clone(), &witness, &certificate::Options::default())?;
    let certificate = certified.certificate();
    let mut atoms = stationary::states(scene);
    let median = |f: fn(&AtomState) -> f64| {
        let mut values: Vec<f64> = atoms.iter().map(f).collect();
        values.sort_by(f64::total_cmp);
        values.get(values.len() / 2).copied().unwrap_or(0.0)
    };
    let (median_violation, median_turn) = (median(|a| a.violation), median(|a| a.turn));
    atoms.sort_by(|l, r| r.gain.total_cmp(&l.gain).then(l.atom.cmp(&r.atom)));
    let first: Vec<usize> = (0..atoms.len().min(thresholds.listed)).collect();
    stationary::name_moves(scene, &mut atoms, &first);
    let wide_limit: f64 =
        inputs.columns().zip(scene.weights()).map(|(x, w)| w * huber(scene.lambda, norm(x))).sum();
    let cosine = |n: &Option<Neighbor>| n.map_or(0.0, |n| n.cosine.abs());
    Ok(DictionaryReport {
        lower_bound: certificate.lower_bound().get(),
        bound_kind: certificate.bound_kind().as_str(),
        relative_gap: certificate.relative_gap(),
        wide_limit,
        excess: exact.objective - wide_limit,
        median_violation,
        largest_violation: atoms.iter().map(|a| a.violation).fold(0.0, max),
        median_turn,
        max_coherence: cosines.nearest.iter().chain(&cosines.opposite).map(cosine).fold(0.0, max),
        atoms,
    })
}

fn most_antipodal(cosines: &Cosines) -> Option<Pair> {
    let pairs = cosines.opposite.iter().enumerate();
    let mut best: Option<Pair> = None;
    for (atom, other) in pairs.filter_map(|(k, other)| Some((k, (*other)?))) {
        if best.is_none_or(|b| other.cosine < b.cosine) {
            let (first, second) = (atom.min(other.atom), atom.max(other.atom));
            best = Some(Pair { first, second, cosine: other.cosine });
        }
    }
    best
}

fn atom_rows(
    scene: &Scene<'_>,
    given: Option<&Codes>,
    extremes: &coding::Extremes,
    dictionary: &DictionaryReport,
    splitting: &Splitting,
    cosines: &Cosines,
) -> Vec<AtomRow> {
    let given = given.map(Codes::rows);
    let mut out: Vec<AtomRow> = (0..scene.rows.len())
        .map(|atom| AtomRow {
            atom,
            density: ratio(scene.rows[atom].len(), scene.len()),
            given_density: given.as_ref().map(|rows| ratio(rows[atom].len(), scene.len())),
            mass: scene.mass(atom),
            reached: extremes.of_atoms[atom].0 / scene.lambda,
            violation: None,
            turn: None,
            pressure: None,
            split_gain: None,
            nearest: cosines.nearest[atom],
            opposite: cosines.opposite[atom],
        })
        .collect();
    for state in &dictionary.atoms {
        out[state.atom].violation = Some(state.violation);
        out[state.atom].turn = Some(state.turn);
    }
    for split in &splitting.atoms {
        out[split.atom].pressure = Some(split.relative);
        out[split.atom].split_gain = Some(split.gain);
    }
    out
}

fn point_rows(scene: &Scene<'_>, coded: &Coding, inputs: &Matrix, given: Option<&Given>) -> Vec<PointState> {
    (0..scene.len())
        .map(|point| PointState {
            point,
            objective: coded.objectives[point],
            excess: coded.objectives[point] - huber(scene.lambda, norm(inputs.col(point))),
            residual: norm(scene.residuals.col(point)) / scene.lambda,
            l0: scene.point.codes().column(point).nnz(),
            amortisation_gap: given.map(|g| g.objectives[point] - coded.objectives[point]),
            given_gap: given.map(|g| g.gaps[point]),
        })
        .collect()
}
