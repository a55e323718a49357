//! What a sparse autoencoder's codes and dictionary show, each finding tied to a
//! theorem: how far they are from optimal, and which of the known phenomena occur.
//!
//! Pure functions of problem, dictionary and codes; γ = 0, which is the vanilla
//! autoencoder. Everything but the certified bound is a diagnostic, computed in
//! floating point: where it says that something would lower the objective by g, it has
//! computed that objective. Thresholds are parameters, which the output repeats.
//!
//! | part | theorem |
//! |---|---|
//! | dead atoms: what they could do | [`no-dead-atoms`](crate::proofs::no_dead_atoms) |
//! | codes: gap to exact codes, dead atoms | [`coding-gap`](crate::proofs::coding_gap), [`polar-polytope`](crate::proofs::polar_polytope) |
//! | dictionary: violation, where an atom would move | [`stationarity`](crate::proofs::stationarity) |
//! | absorption and hierarchy: nested supports | [`no-nesting`](crate::proofs::no_nesting) |
//! | splitting: pressure, near-duplicates | [`splitting-pressure`](crate::proofs::splitting_pressure) |
//! | hull: whether a stationary point can have these codes | [`hull-condition`](crate::proofs::hull_condition) |
//! | antipodal pairs, their peaks | [`antipodal-pairs`](crate::proofs::antipodal_pairs), [`hull-condition`](crate::proofs::hull_condition) |
//! | residuals: what a linear map predicts | [`residual-law`](crate::proofs::residual_law) |
//! | residuals: identities, spectra | [`polar-polytope`](crate::proofs::polar_polytope), [`stationarity`](crate::proofs::stationarity) |
//!
//! Nothing is ever M × N or M × M in memory: products are formed a tile at a time.

mod antipodal;
mod codes;
mod cosines;
mod dictionary;
mod estimate;
mod hierarchy;
mod hull;
mod match_l0;
mod matching;
mod refit;
mod renumber;
mod report;
mod residual_law;
mod residuals;
mod revival;
mod scene;
mod splitting;
#[cfg(feature = "io")]
mod streamed;

use serde::Serialize;

use crate::atoms::{AtomsError, Codes, Dictionary, Factorization};
use crate::coder::{Coder, CoderError, CoderRun, Encoded};
use crate::gauge::huber;
use crate::linalg::{Matrix, norm};
use crate::num::min;
use crate::observer::{Latch, Observer};
use crate::problem::{Problem, ProblemError};
use crate::trusted::hull::Demands;
use crate::trusted::{CertifyError, Residuals, check_shapes};
use codes::Given;
use scene::{Extremes, Scene, extremes, ratio, shifted};

pub use antipodal::Antipodal;
pub use codes::{AllCodes, AtomUse, CodeSummary, CodesReport, Dead, Refit};
pub use cosines::{Cosines, Neighbor, Pair, cosines};
pub use dictionary::{AtomState, DictionaryReport};
pub use estimate::{Estimate, Estimates};
pub use hierarchy::{Absorbed, Hierarchy, Nested};
pub use hull::{HullAtom, HullOptions, HullReport, Window, hull};
pub use match_l0::{MatchL0Error, MatchedL0, match_l0};
pub use matching::{CompareError, Matched, Matching, Similarity, compare};
pub use refit::refit;
pub use residual_law::{ResidualLaw, ResidualLaws};
pub use residuals::{Identities, ResidualReport, Spectrum};
pub use revival::{Revival, Revived};
pub use splitting::{AtomSplit, Splitting};
#[cfg(feature = "io")]
pub use streamed::{BLOCK_ROWS, Pass, StreamError, Streaming, stream, stream_from};

/// Version of the JSON: raised when a key changes its meaning or goes away.
pub const SCHEMA_VERSION: u32 = 1;

/// What counts as what. Every output repeats them.
#[derive(Clone, Copy, Debug, PartialEq, Serialize)]
pub struct Thresholds {
    /// Relative duality gap to which exact codes are computed, a datapoint.
    #[serde(rename = "coding")]
    pub gap_tolerance: f64,
    /// Fewest uses of an atom in a nested or absorbed pair: rarer atoms nest by chance.
    pub min_uses: usize,
    /// A pair is reported where the parent fires (or would fire) at this share of the child's
    /// datapoints or more.
    pub nested: f64,
    /// Cosine from which on a pair is looked at for absorption.
    pub absorption: f64,
    /// Cosine up to which a pair is antipodal.
    pub antipodal: f64,
    /// Cosine from which on atoms are near-duplicates.
    pub duplicate: f64,
    /// Largest dimension in which spectra are computed: they cost O(n³).
    #[serde(rename = "spectrum_dim")]
    pub max_spectrum_dim: usize,
    /// Rows of the lists of a page at most; tables and JSON have all.
    #[serde(rename = "listed")]
    pub max_listed: usize,
}

impl Default for Thresholds {
    fn default() -> Self {
        Self {
            gap_tolerance: 1e-9,
            min_uses: 3,
            nested: 0.9,
            absorption: 0.5,
            antipodal: -0.7,
            duplicate: 0.9,
            max_spectrum_dim: 1024,
            max_listed: 10,
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
    /// The data less a fixed center are refused.
    #[error(transparent)]
    Problem(#[from] ProblemError),
    /// Exact codes could not be computed.
    #[error(transparent)]
    Coder(#[from] CoderError),
    /// The bound could not be computed.
    #[error(transparent)]
    Certify(#[from] CertifyError),
}

/// A datapoint at exact codes, a row of the tables.
#[derive(Clone, Copy, Debug, PartialEq, Serialize)]
pub struct DatapointRow {
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
    /// Duality gap of the code given (theorem `coding-gap`).
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
    /// `max_i d_kᵀrᵢ/λ`: below 1 for a dead atom. `None` where the run ended before.
    pub reached: Option<f64>,
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
    /// Whether the dictionary with the codes given, or with exact codes where none are, can be a
    /// stationary point. `None` where the run ended before.
    pub hull: Option<HullReport>,
    /// Whether that is about the codes given.
    pub hull_of_given: bool,
    /// Antipodal pairs, the most opposite first.
    pub antipodal: Vec<Antipodal>,
    /// The most opposite pair, whatever the threshold.
    pub most_antipodal: Option<Pair>,
    /// Pairs of atoms beyond the thresholds that were not kept.
    pub pairs_left_out: usize,
    /// Residuals.
    pub residuals: ResidualReport,
    /// What atoms that no exact code uses could do. `None` without one, or where nothing is gained.
    pub revival: Option<Revival>,
    /// How much of the residuals a linear map predicts.
    pub residual_law: ResidualLaws,
    /// The exact codes, of the atoms as they were given to the diagnosis.
    #[serde(skip)]
    pub exact_codes: Codes,
    /// Every atom.
    pub atom_rows: Vec<AtomRow>,
    /// Every datapoint.
    pub point_rows: Vec<DatapointRow>,
    /// Parts that the observer ended early, in order: what they lack is empty or null.
    pub unfinished: Vec<&'static str>,
    /// A comparison with another dictionary, where one was asked for.
    pub comparison: Option<Matching>,
}

/// What is diagnosed: a dictionary from anywhere, with the center and the codes it came with.
#[derive(Clone, Copy, Debug)]
pub struct Trained<'a> {
    /// The unit atoms.
    pub dictionary: &'a Dictionary,
    /// Subtracted from the data.
    pub center: Option<&'a [f64]>,
    /// An encoder's codes for the data.
    pub codes: Option<&'a Codes>,
}

impl<'a> Trained<'a> {
    /// A dictionary alone.
    #[must_use]
    pub fn of(dictionary: &'a Dictionary) -> Self {
        Self { dictionary, center: None, codes: None }
    }
}

/// Diagnoses a dictionary on data, with its exact codes and, where there are any, the
/// codes it came with.
///
/// The center is subtracted from the data. Where the problem is
/// [centered](Problem::centered) it is a variable, as an autoencoder's decoder bias is:
/// its stationarity is reported, and the bound is for every center. Codes are
/// those of unit atoms ([`Sae::encode`](crate::io::Sae::encode) gives such).
///
/// Where the observer stops it, what is known is returned, and
/// [`unfinished`](Diagnosis::unfinished) names the parts that lack something.
///
/// # Guarantees
/// The lower bound is certified, for every dictionary of any width: `wide-limit`,
/// `centre`. Gaps of codes are duality gaps in floating point: `coding-gap`. A gain is the
/// change of the objective from one dictionary with codes to another, as computed.
///
/// Not claimed: that what is reported is all there is to gain, or that gains add up.
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
/// use widedict::diagnose::{Thresholds, Trained, diagnose};
/// use widedict::{Dictionary, Matrix, Problem};
/// let x = Matrix::from_columns(2, &[[2.0, 0.0], [1.5, 1.5], [0.0, 2.0]]);
/// let problem = Problem::builder(x).lambda(0.5).build()?;
/// let (dictionary, _) = Dictionary::normalize(Matrix::from_columns(2, &[[1.0, 0.0], [0.0, 1.0]]))?;
/// let found = diagnose(&problem, &Trained::of(&dictionary), &Thresholds::default(), &())?;
/// // The datapoint between the two atoms is what a third atom would be for.
/// assert!(found.dictionary.excess > 0.1 && found.splitting.atoms[0].gain > 0.0);
/// # Ok::<(), Box<dyn std::error::Error>>(())
/// ```
pub fn diagnose(
    problem: &Problem,
    trained: &Trained<'_>,
    thresholds: &Thresholds,
    observer: &dyn Observer,
) -> Result<Diagnosis, DiagnoseError> {
    let lambda = problem.lambda();
    if !(lambda > 0.0) || problem.gamma() > 0.0 {
        return Err(DiagnoseError::Penalty { lambda, gamma: problem.gamma() });
    }
    if trained.dictionary.is_empty() {
        return Err(DiagnoseError::Empty);
    }
    // A fixed center is part of the data; a variable one of the factorization.
    match trained.center {
        Some(center) if !problem.centered() => {
            let trained = Trained { center: None, ..*trained };
            diagnose_shifted(&shifted(problem, center)?, &trained, thresholds, observer)
        }
        _ => diagnose_shifted(problem, trained, thresholds, observer),
    }
}

/// [`diagnose`], the center being a variable where there is one.
fn diagnose_shifted(
    problem: &Problem,
    trained: &Trained<'_>,
    thresholds: &Thresholds,
    observer: &dyn Observer,
) -> Result<Diagnosis, DiagnoseError> {
    let latch = Latch::new(observer);
    let dictionary = trained.dictionary;
    let join =
        |codes: Codes| Factorization::new(dictionary.clone(), codes, trained.center.map(<[f64]>::to_vec));
    let zero = join(Codes::zeros(dictionary.len(), problem.len()))?;
    let given = trained.codes.cloned().map(join).transpose()?;
    check_shapes(problem, given.as_ref().unwrap_or(&zero))?;
    // What is coded: the data less the center.
    let inputs = Residuals::of(problem, &zero)?.into_matrix();
    let coder = Coder { gap_tolerance: thresholds.gap_tolerance, ..Coder::default() };
    let run = CoderRun { start: trained.codes, observer: &latch, ..CoderRun::default() };
    let coded = coder.encode_with(&inputs, dictionary, problem.lambda(), &run)?;
    let factorization = join(coded.codes.clone())?;
    let residuals = Residuals::of(problem, &factorization)?.into_matrix();
    let given = given.map(|given| Given::new(problem, given, &inputs, &latch)).transpose()?;
    let scene = Scene {
        problem,
        factorization: &factorization,
        residuals: &residuals,
        rows: &factorization.codes().rows(),
        lambda: problem.lambda(),
        latch: &latch,
    };
    assemble(&scene, &CodedData { inputs: &inputs, coded: &coded, given: given.as_ref() }, thresholds)
}

/// What was coded and how well, exactly and by the codes given.
struct CodedData<'a> {
    /// The data less the center.
    inputs: &'a Matrix,
    coded: &'a Encoded,
    given: Option<&'a Given>,
}

/// Computes part after part, and notes those that the observer ended early.
fn assemble(
    scene: &Scene<'_>,
    coding: &CodedData<'_>,
    thresholds: &Thresholds,
) -> Result<Diagnosis, DiagnoseError> {
    let CodedData { inputs, coded, given } = *coding;
    let mut unfinished = Vec::new();
    let mut note = |part: &'static str| {
        if scene.latch.interrupt().is_some() {
            unfinished.push(part);
        }
    };
    let dictionary = scene.factorization.dictionary();
    let extremes = extremes(dictionary, scene.residuals, scene.latch);
    let codes = codes::codes(scene, coded, extremes.as_ref(), given);
    note("codes");
    let close = min(thresholds.absorption, thresholds.duplicate);
    let cosines = cosines(dictionary, close, thresholds.antipodal, scene.latch);
    note("cosines");
    let max_listed = thresholds.max_listed;
    let dictionary_report = dictionary::dictionary(scene, &codes.exact, inputs, &cosines, max_listed)?;
    note("dictionary");
    let given_codes = given.map(|given| given.factorization.codes());
    let hierarchy = hierarchy::hierarchy(scene, given_codes, &cosines.close, thresholds);
    note("hierarchy");
    let splitting = splitting::splitting(scene, &cosines.close, thresholds);
    note("splitting");
    let told = given_codes.unwrap_or(scene.factorization.codes());
    let centered = scene.problem.centered();
    let demands = Demands::new(scene.weights(), scene.problem.penalty(), centered, dictionary, told);
    let hull = hull(&demands, told, &HullOptions::default(), scene.latch);
    note("hull");
    let antipodal = antipodal::antipodal(scene, &cosines.antipodal);
    note("antipodal");
    let max_dim = thresholds.max_spectrum_dim;
    let of_given = given.map(|given| (given.identities, &given.residuals));
    let residuals = residuals::residuals(scene, inputs, extremes.as_ref(), of_given, max_dim);
    note("residuals");
    let revival = revival::revive(scene, inputs, &coded.objectives);
    let given_scene = given.map(|given| given.scene(scene));
    let residual_law = residual_law::laws(scene, given_scene.as_ref(), inputs, max_dim);
    note("residual law");
    let mut atom_rows = atom_rows(scene, given, extremes.as_ref(), &cosines);
    fill(&mut atom_rows, &dictionary_report, &splitting);
    Ok(Diagnosis {
        schema_version: SCHEMA_VERSION,
        points: scene.len(),
        dim: scene.problem.dim(),
        atoms: dictionary.len(),
        lambda: scene.lambda,
        centered: scene.problem.centered(),
        thresholds: *thresholds,
        codes,
        dictionary: dictionary_report,
        hierarchy,
        splitting,
        hull,
        hull_of_given: given_codes.is_some(),
        antipodal,
        most_antipodal: most_antipodal(&cosines),
        pairs_left_out: cosines.left_out,
        residuals,
        revival,
        residual_law,
        exact_codes: coded.codes.clone(),
        atom_rows,
        point_rows: datapoint_rows(scene, coding),
        unfinished,
        comparison: None,
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

/// The rows of the atoms, without what [`fill`] adds.
fn atom_rows(
    scene: &Scene<'_>,
    given: Option<&Given>,
    extremes: Option<&Extremes>,
    cosines: &Cosines,
) -> Vec<AtomRow> {
    (0..scene.rows.len())
        .map(|atom| AtomRow {
            atom,
            density: ratio(scene.rows[atom].len(), scene.len()),
            given_density: given.map(|given| ratio(given.rows[atom].len(), scene.len())),
            mass: scene.mass(atom),
            reached: extremes.map(|extremes| extremes.of_atoms[atom].0 / scene.lambda),
            violation: None,
            turn: None,
            pressure: None,
            split_gain: None,
            nearest: cosines.nearest[atom],
            opposite: cosines.opposite[atom],
        })
        .collect()
}

/// Adds what is known of the atoms that fire.
fn fill(rows: &mut [AtomRow], dictionary: &DictionaryReport, splitting: &Splitting) {
    for state in &dictionary.atoms {
        rows[state.atom].violation = Some(state.violation);
        rows[state.atom].turn = Some(state.turn);
    }
    for split in &splitting.atoms {
        rows[split.atom].pressure = Some(split.relative);
        rows[split.atom].split_gain = Some(split.gain);
    }
}

fn datapoint_rows(scene: &Scene<'_>, coding: &CodedData<'_>) -> Vec<DatapointRow> {
    let CodedData { inputs, coded, given } = *coding;
    (0..scene.len())
        .map(|point| DatapointRow {
            point,
            objective: coded.objectives[point],
            excess: coded.objectives[point] - huber(scene.lambda, norm(inputs.col(point))),
            residual: norm(scene.residuals.col(point)) / scene.lambda,
            l0: scene.factorization.codes().column(point).nnz(),
            amortisation_gap: given.map(|g| g.objectives[point] - coded.objectives[point]),
            given_gap: given.map(|g| g.gaps[point]),
        })
        .collect()
}
