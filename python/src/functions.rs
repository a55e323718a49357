//! The functions of the module: arguments that were checked in Python, and calls of the library.

use std::num::NonZeroUsize;
use std::path::PathBuf;

use numpy::{PyArray1, PyArray2, PyReadonlyArray1};
use pyo3::prelude::*;
use pyo3::types::PyDict;
use widedict::answer::conclusion::{self, Conclusion, Solver};
use widedict::answer::diagnosis::{Report, Source, concentration, facts, name_rows, screen};
use widedict::answer::encoding::{Measured, Report as EncodingReport, Unsearched};
use widedict::answer::input::{self, Input, refused_rows};
use widedict::answer::participation::{self, Least};
use widedict::answer::plain::{Plain, without_zeros};
use widedict::answer::row::{Row, RunSummary};
use widedict::answer::verify::{Saved, VerifyError};
use widedict::answer::{Follow, grid, hull, start, wide as wide_answer};
use widedict::atoms::Rescaled;
use widedict::certificate::Options;
use widedict::coder::{Coder, CoderError, CoderRun};
use widedict::diagnose::{self as diagnoses, CompareError, Similarity, Thresholds, Trained};
use widedict::gauge::Penalty;
use widedict::io::sae::Folded;
use widedict::io::{Rows, load_solution};
use widedict::problem::Lambda;
use widedict::trusted::local;
use widedict::{Codes, Dictionary, Factorization, Run, datasets};

use crate::answers::{Diagnosis, Encoding, Grid, Solution, Wide, bounding, json};
use crate::arrays::{self, CodesIn, CsrOut, Data};
use crate::errors;
use crate::follow::{Followed, RunArgs, run as follow};
use crate::saes::Sae;

/// An answer, the exception that cancelled its run, and notes.
type Out<T> = (T, Option<Py<PyAny>>, Vec<String>);

fn local_limits(local: bool) -> Option<local::Limits> {
    local.then(local::Limits::default)
}

fn least(participation: Option<&str>, penalty: &Penalty) -> PyResult<Option<Least>> {
    let Some(text) = participation else { return Ok(None) };
    let refused = |error: &str| errors::value(format!("participation: {error}, found {text}"));
    let least = text.parse().map_err(refused)?;
    let vanilla = participation::check(penalty);
    vanilla.map_err(|found| {
        let (lambda, gamma) = (found.lambda, found.gamma);
        errors::value(format!(
            "participation needs gamma 0 and a positive lambda_, found gamma {gamma}, lambda_ {lambda}"
        ))
    })?;
    Ok(Some(least))
}

fn solver(method: &str, penalty: &Penalty) -> PyResult<Solver> {
    match method {
        "auto" => Ok(Solver::auto(penalty)),
        "proximal" => Ok(Solver::Proximal),
        "conic" => Ok(Solver::Conic),
        "closed-form" if penalty.gamma() == 0.0 => Ok(Solver::ClosedForm),
        "closed-form" => {
            Err(errors::value(format!("method 'closed-form' needs gamma 0, found {}", penalty.gamma())))
        }
        other => Err(errors::value(format!(
            "method: expected one of auto, proximal, conic, closed-form; found '{other}'"
        ))),
    }
}

/// Where a run starts: a solution, or a folder that one was saved in.
#[derive(FromPyObject)]
pub(crate) enum Start<'py> {
    Solution(PyRef<'py, Solution>),
    Folder(PathBuf),
}

/// `widedict solve`.
#[pyfunction]
#[pyo3(signature = (data, run, *, lambda_, gamma, center, width, method, tolerance, bound, local, global_, seed,
                    restarts, participation, start))]
#[expect(clippy::too_many_arguments, reason = "they are named in Python")]
pub(crate) fn solve(
    py: Python<'_>,
    data: Data<'_>,
    run: RunArgs,
    lambda_: f64,
    gamma: f64,
    center: bool,
    width: Option<NonZeroUsize>,
    method: &str,
    tolerance: f64,
    bound: &str,
    local: bool,
    global_: bool,
    seed: u64,
    restarts: Option<NonZeroUsize>,
    participation: Option<&str>,
    start: Option<Start<'_>>,
) -> PyResult<Out<Solution>> {
    let penalty = Penalty::new(lambda_, gamma).map_err(errors::value)?;
    let asked = least(participation, &penalty)?;
    let solver = match width {
        Some(width) => Solver::Finite(conclusion::finite(width.get(), restarts, tolerance, seed)),
        None => solver(method, &penalty)?,
    };
    let conclusion =
        Conclusion::new(solver, bounding(bound)?, tolerance, local_limits(local)).of_all(global_);
    let (problem, origin) = input::problem(data.read()?, penalty, center).map_err(errors::value)?;
    conclusion.check(&problem).map_err(errors::solve)?;
    let from = match &start {
        None => None,
        Some(Start::Folder(folder)) => {
            Some(start::read(folder, &problem, &origin.rows).map_err(errors::value)?)
        }
        Some(Start::Solution(solution)) => {
            let of = &solution.origin.rows;
            let found = solution.factorization().clone();
            let found = start::restricted(found, of, problem.dim(), &origin.rows).map_err(errors::value)?;
            let center = solution.fixed_center.clone();
            Some(start::centered(found, center, &problem).map_err(errors::value)?)
        }
    };
    let followed = follow(
        py,
        &run,
        move |watch| {
            let how = Run { start: from.as_ref(), observer: watch, keeper: None };
            let solved = conclusion.solve(&problem, seed, &how)?;
            let solving = watch.elapsed();
            let solution = conclusion.conclude(&problem, solved, watch)?;
            let point = solution.certified.solution();
            let bound = asked.map(|least| participation::bound(least, &problem, point, watch)).transpose()?;
            let run = RunSummary {
                width: solver.width(),
                method: solver.name(),
                seed,
                stop: Some(solution.stop),
                solving,
                certifying: watch.elapsed().saturating_sub(solving),
            };
            let row = Row::new(&problem, &origin.masked, &run, solution.certified.certificate())
                .with_participation(bound.flatten());
            let options = conclusion.options(&problem, solution.stop);
            Ok(Solution {
                certified: solution.certified,
                witness: solution.witness,
                problem,
                options,
                origin,
                fixed_center: None,
                row,
                solved: true,
            })
        },
        errors::solve,
    )?;
    Ok(followed.out(py))
}

/// What is certified, coded over or diagnosed: atoms, or an autoencoder.
#[derive(FromPyObject)]
pub(crate) enum Subject<'py> {
    Sae(PyRef<'py, Sae>),
    Atoms(Bound<'py, PyAny>),
}

/// Atoms of the data's dimension, a row an atom.
fn atoms(rows: &Bound<'_, PyAny>, dim: usize) -> PyResult<widedict::Matrix> {
    let atoms = arrays::matrix(rows)?;
    if atoms.nrows() == dim {
        return Ok(atoms);
    }
    let hint = if atoms.ncols() == dim { " (an atom a row: the array looks transposed)" } else { "" };
    let (count, found) = (atoms.ncols(), atoms.nrows());
    Err(errors::value(format!(
        "dictionary: expected atoms of dimension {dim}, found shape ({count}, {found}){hint}"
    )))
}

fn center_of(center: Option<PyReadonlyArray1<'_, f64>>, dim: usize) -> PyResult<Option<Vec<f64>>> {
    let center = center.map(|center| arrays::vector(&center));
    match center.as_ref().map(Vec::len).filter(|found| *found != dim) {
        Some(found) => {
            Err(errors::value(format!("center: expected a vector of dimension {dim}, found {found}")))
        }
        None => Ok(center),
    }
}

/// Codes of so many atoms, a row of the data a row; those of masked rows are left out.
fn codes_of(codes: &CodesIn<'_>, rows: &Rows, count: usize) -> PyResult<Codes> {
    let codes = codes.read()?;
    if (codes.datapoints(), codes.atoms()) == (rows.of(), count) {
        return Ok(rows.restrict(&codes));
    }
    Err(errors::value(format!(
        "codes: expected shape ({}, {count}), found ({}, {})",
        rows.of(),
        codes.datapoints(),
        codes.atoms()
    )))
}

/// The codes of an autoencoder's own encoder.
fn encoder_codes(sae: &Sae, joined: &crate::saes::Joined) -> PyResult<Codes> {
    let codes = sae.sae.activations(&joined.folded, joined.batch);
    codes.map_err(|error| errors::value(format!("{}: {error}", sae.path)))
}

/// `widedict encode`.
#[pyfunction]
#[pyo3(signature = (data, run, subject, *, lambda_, center, tolerance, exact, per_batch))]
#[expect(clippy::too_many_arguments, reason = "they are named in Python")]
pub(crate) fn encode(
    py: Python<'_>,
    data: Data<'_>,
    run: RunArgs,
    subject: Subject<'_>,
    lambda_: Option<f64>,
    center: Option<PyReadonlyArray1<'_, f64>>,
    tolerance: Option<f64>,
    exact: bool,
    per_batch: bool,
) -> PyResult<Out<Encoding>> {
    let data = data.read()?;
    match subject {
        Subject::Atoms(rows) => {
            let dim = data.points.nrows();
            let plain = Plain::of(atoms(&rows, dim)?).map_err(errors::value)?;
            let center = center_of(center, dim)?;
            let lambda = lambda_.ok_or_else(|| errors::value("lambda_ is needed"))?;
            let dropped = plain.dropped.clone();
            let job = Coding {
                data,
                dictionary: plain.dictionary.clone(),
                center,
                lambda,
                dropped,
                source: None,
                stored: Box::new(move |codes| plain.to_stored(codes)),
            };
            job.run(py, &run, tolerance)
        }
        Subject::Sae(sae) => {
            let mut joined = sae.join(data, per_batch)?;
            if exact {
                let lambda = sae.price(&mut joined, lambda_)?;
                let crate::saes::Joined { mut folded, source, weights, origin, .. } = joined;
                let data = Input { points: folded.take_points(), weights, origin };
                let job = Coding {
                    data,
                    dictionary: folded.dictionary.clone(),
                    center: folded.center.clone(),
                    lambda,
                    dropped: folded.folding.dropped_atoms.clone(),
                    source: Some(source),
                    stored: Box::new(move |codes| folded.to_stored(codes)),
                };
                return job.run(py, &run, tolerance);
            }
            let priced = lambda_.is_some() || sae.sae.lambda(&joined.folded).is_ok();
            let lambda = if priced { Some(sae.price(&mut joined, lambda_)?) } else { None };
            let model = sae.sae.clone();
            let name = sae.path.clone();
            let followed = follow(
                py,
                &run,
                move |watch| {
                    let stored = model.activations(&joined.folded, joined.batch);
                    let stored = stored.map_err(|error| format!("{name}: {error}"))?;
                    joined.source.seconds = watch.elapsed().as_secs_f64();
                    let unit = joined.folded.of_stored(&stored).map_err(|error| error.to_string())?;
                    let report = Unsearched::new(
                        &joined.folded,
                        (joined.weights.as_deref(), joined.origin.masked),
                        (&stored, &unit),
                        lambda,
                        &joined.source,
                    );
                    let (json, text) = (serde_json::to_string(&report), report.summary(None));
                    let json = json.map_err(|error| error.to_string())?;
                    Ok(Encoding { codes: joined.origin.rows.spread(&stored), encoded: None, json, text })
                },
                |error: String| errors::value(error),
            )?;
            Ok(followed.out(py))
        }
    }
}

/// From codes of the unit atoms to those of the stored ones.
type ToStored = Box<dyn Fn(&Codes) -> Result<Codes, widedict::atoms::AtomsError> + Send>;

/// What is coded over what.
struct Coding {
    data: Input,
    dictionary: Dictionary,
    center: Option<Vec<f64>>,
    lambda: f64,
    dropped: Vec<usize>,
    source: Option<Source>,
    stored: ToStored,
}

impl Coding {
    fn run(self, py: Python<'_>, run: &RunArgs, tolerance: Option<f64>) -> PyResult<Out<Encoding>> {
        let mut coder = Coder::default();
        if let Some(tolerance) = tolerance {
            coder.gap_tolerance = tolerance;
        }
        let work = move |watch: &crate::follow::Watch| {
            let Input { points, weights, origin } = &self.data;
            let how = CoderRun { center: self.center.as_deref(), observer: watch, ..CoderRun::default() };
            let encoded = coder.encode_with(points, &self.dictionary, self.lambda, &how);
            let encoded = encoded.map_err(|error| {
                if let CoderError::Data(error) = error {
                    refused_rows(error.into(), origin, 0).to_string()
                } else {
                    error.to_string()
                }
            })?;
            let elapsed = watch.elapsed();
            let codes = (self.stored)(&encoded.codes).map_err(|error| error.to_string())?;
            let measured =
                Measured { points, weights: weights.as_deref(), masked: origin.masked, share: None };
            let report =
                EncodingReport::new(&measured, self.dictionary.len(), self.lambda, &encoded, elapsed)
                    .with_dropped(&self.dropped)
                    .with_source(self.source.as_ref());
            let (json, text) = (serde_json::to_string(&report), report.summary(None));
            let json = json.map_err(|error| error.to_string())?;
            Ok(Encoding { codes: origin.rows.spread(&codes), encoded: Some(encoded), json, text })
        };
        Ok(follow(py, run, work, |error: String| errors::value(error))?.out(py))
    }
}

/// `widedict certify`.
#[pyfunction]
#[pyo3(signature = (data, run, subject, *, codes, lambda_, gamma, center, centered, tolerance, bound, local,
                    participation, per_batch))]
#[expect(clippy::too_many_arguments, reason = "they are named in Python")]
pub(crate) fn certify(
    py: Python<'_>,
    data: Data<'_>,
    run: RunArgs,
    subject: Subject<'_>,
    codes: Option<CodesIn<'_>>,
    lambda_: Option<f64>,
    gamma: f64,
    center: Option<PyReadonlyArray1<'_, f64>>,
    centered: bool,
    tolerance: f64,
    bound: &str,
    local: bool,
    participation: Option<&str>,
    per_batch: bool,
) -> PyResult<Out<Solution>> {
    let bounding = bounding(bound)?;
    let mut data = data.read()?;
    let dim = data.points.nrows();
    let (point, center, lambda, source) = match &subject {
        Subject::Atoms(rows) => {
            let lambda = lambda_.ok_or_else(|| errors::value("lambda_ is needed"))?;
            let atoms = atoms(rows, dim)?;
            let codes = codes.as_ref().ok_or_else(|| errors::value("codes are needed"))?;
            let codes = codes_of(codes, &data.origin.rows, atoms.ncols())?;
            let (atoms, codes, _) = without_zeros(atoms, codes);
            let (found, rescaled) = Factorization::from_foreign(atoms, codes, None).map_err(errors::value)?;
            let (dictionary, codes, _) = found.into_parts();
            ((dictionary, codes, rescaled), center_of(center, dim)?, lambda, None)
        }
        Subject::Sae(sae) => {
            let mut joined = sae.join(data, per_batch)?;
            let lambda = sae.price(&mut joined, lambda_)?;
            let stored = match &codes {
                Some(codes) => {
                    joined.source.no_encoder = None;
                    joined.source.encoder = None;
                    codes_of(codes, &joined.origin.rows, sae.sae.atoms())?
                }
                None => encoder_codes(sae, &joined)?,
            };
            let codes = joined.folded.of_stored(&stored).map_err(errors::value)?;
            let crate::saes::Joined { folded, source, weights, origin, .. } = joined;
            let Folded { points, dictionary, center, folding, .. } = folded;
            data = Input { points, weights, origin };
            let rescaled = (folding.rescaled_atoms > 0).then_some(Rescaled {
                atoms: folding.rescaled_atoms,
                shortest: folding.shortest_atom,
                longest: folding.longest_atom,
            });
            ((dictionary, codes, rescaled), center, lambda, Some(source))
        }
    };
    let penalty = Penalty::new(lambda, gamma).map_err(errors::value)?;
    let asked = least(participation, &penalty)?;
    let (fixed_center, variable) = if centered { (None, center) } else { (center, None) };
    if let Some(center) = &fixed_center {
        input::subtract(&mut data.points, center);
    }
    let (problem, origin) = input::problem(data, penalty, centered).map_err(errors::value)?;
    let (dictionary, codes, rescaled) = point;
    let variable = variable.or_else(|| centered.then(|| vec![0.0; problem.dim()]));
    let factorization = Factorization::new(dictionary, codes, variable).map_err(errors::value)?;
    bounding.check(&problem).map_err(errors::solve)?;
    let options = Options { gap_tolerance: tolerance, local: local_limits(local), ..Options::default() };
    let options = bounding.options(&problem, options);
    let followed = follow(
        py,
        &run,
        move |watch| {
            let started = watch.elapsed();
            let bounded = conclusion::certify(bounding, &problem, factorization, &options, watch)?;
            let point = bounded.certified.solution();
            let bound = asked.map(|least| participation::bound(least, &problem, point, watch)).transpose()?;
            let hull = hull::asked(bounding, local)
                .then(|| hull::of(&problem, point, &origin.rows, usize::MAX, watch))
                .flatten();
            let certifying = watch.elapsed().saturating_sub(started);
            let run = RunSummary { certifying, ..RunSummary::audit(Some(point.width())) };
            let row = Row::new(&problem, &origin.masked, &run, bounded.certified.certificate())
                .with_rescaled(rescaled)
                .with_hull(hull)
                .with_source(source)
                .with_participation(bound.flatten());
            let (certified, witness) = (bounded.certified, bounded.witness);
            Ok(Solution { problem, certified, witness, options, origin, fixed_center, row, solved: false })
        },
        errors::solve,
    )?;
    Ok(followed.out(py))
}

/// `widedict wide`.
#[pyfunction]
#[pyo3(signature = (data, run, *, lambda_, center))]
pub(crate) fn wide(
    py: Python<'_>,
    data: Data<'_>,
    run: RunArgs,
    lambda_: f64,
    center: bool,
) -> PyResult<Out<Wide>> {
    let penalty = Penalty::new(lambda_, 0.0).map_err(errors::value)?;
    let (problem, origin) = input::problem(data.read()?, penalty, center).map_err(errors::value)?;
    let work = move |watch: &crate::follow::Watch| {
        let (answer, certified) = wide_answer::answer(&problem, &origin, watch)?;
        Ok((answer, certified, problem, origin))
    };
    let Followed { answer, interrupt, notes } = follow(py, &run, work, |error| match error {
        wide_answer::Unanswered::Solve(error) => errors::solve(error),
        error @ wide_answer::Unanswered::Refused(_) => errors::value(error),
    })?;
    let (answer, certified, problem, origin) = answer;
    let wide = Wide { problem, origin, certified, json: json(&answer)?, text: wide_answer::summary(&answer) };
    Ok(Followed { answer: wide, interrupt, notes }.out(py))
}

/// `widedict path`.
#[pyfunction]
#[pyo3(signature = (data, run, *, lambda_, gammas, ratios, gamma, center, tolerance, bound, seed, restarts))]
#[expect(clippy::too_many_arguments, reason = "they are named in Python")]
pub(crate) fn path(
    py: Python<'_>,
    data: Data<'_>,
    run: RunArgs,
    lambda_: f64,
    gammas: Vec<f64>,
    ratios: Vec<f64>,
    gamma: f64,
    center: bool,
    tolerance: f64,
    bound: &str,
    seed: u64,
    restarts: Option<NonZeroUsize>,
) -> PyResult<Out<Grid>> {
    for gamma in &gammas {
        Penalty::new(lambda_, *gamma).map_err(errors::value)?;
    }
    let penalty = Penalty::new(lambda_, gammas.first().copied().unwrap_or(gamma)).map_err(errors::value)?;
    let asked = gammas.len() + ratios.len();
    let grid = grid::Grid { gammas, ratios, restarts, tolerance, seed, bounding: bounding(bound)? };
    let (problem, origin) = input::problem(data.read()?, penalty, center).map_err(errors::value)?;
    grid.bounding.check(&problem).map_err(errors::solve)?;
    let work = move |watch: &crate::follow::Watch| {
        let (answer, solved) = grid.solve(&problem, &origin.masked, watch, &mut |_, _| {})?;
        let text = grid::table(&problem, &answer, &solved, asked);
        Ok(Grid { grid, answer, solved, origin, text })
    };
    Ok(follow(py, &run, work, errors::solve)?.out(py))
}

/// `widedict diagnose`.
#[pyfunction]
#[pyo3(signature = (data, run, subject, *, lambda_, match_l0, codes, center, fixed_center, refit, compare,
                    compare_absolute, max_pairs, min_uses, nested, absorption, antipodal, duplicate, per_batch))]
#[expect(clippy::too_many_arguments, reason = "they are named in Python")]
pub(crate) fn diagnose(
    py: Python<'_>,
    data: Data<'_>,
    run: RunArgs,
    subject: Subject<'_>,
    lambda_: Option<f64>,
    match_l0: bool,
    codes: Option<CodesIn<'_>>,
    center: Option<PyReadonlyArray1<'_, f64>>,
    fixed_center: bool,
    refit: bool,
    compare: Option<Subject<'_>>,
    compare_absolute: bool,
    max_pairs: usize,
    min_uses: usize,
    nested: f64,
    absorption: f64,
    antipodal: f64,
    duplicate: f64,
    per_batch: bool,
) -> PyResult<Out<Diagnosis>> {
    let data = data.read()?;
    let mut subject = match &subject {
        Subject::Sae(sae) => {
            let told = if match_l0 { None } else { Some(lambda_) };
            Diagnosed::autoencoder(sae, data, codes.as_ref(), told, per_batch)?
        }
        Subject::Atoms(rows) => {
            let lambda = if match_l0 { None } else { lambda_ };
            if lambda.is_none() && !match_l0 {
                return Err(errors::value("lambda_ is needed, or match_l0"));
            }
            Diagnosed::atoms(rows, data, codes.as_ref(), center, lambda)?
        }
    };
    if match_l0 {
        subject.source.lambda_from = MATCHED;
    }
    if subject.unit.is_none() && (match_l0 || refit) {
        return Err(errors::value("match_l0 and refit need codes, or an autoencoder with its encoder"));
    }
    let other = compare.as_ref().map(|other| compared(other, subject.data.points.nrows())).transpose()?;
    let thresholds =
        Thresholds { min_uses, nested, absorption, antipodal, duplicate, ..Thresholds::default() };
    let by = if compare_absolute { Similarity::AbsoluteCosine } else { Similarity::Cosine };
    let work = move |watch: &crate::follow::Watch| {
        let Diagnosed { data, dictionary, center, unit, stored, numbers, mut source, lambda, convert } =
            subject;
        let trained = Trained { dictionary: &dictionary, center: center.as_deref(), codes: unit.as_ref() };
        let matched = match lambda {
            Some(_) => None,
            None => {
                watch.phase("matching L0");
                let tolerance = Thresholds::default().gap_tolerance;
                let found = diagnoses::match_l0(&data.points, &trained, tolerance, watch);
                Some(found.map_err(|error| format!("match_l0: {error}"))?)
            }
        };
        let lambda = lambda.or(matched.map(|matched| matched.lambda)).unwrap_or(f64::NAN);
        let penalty = Penalty::new(lambda, 0.0).map_err(|error| error.to_string())?;
        let centered = center.is_some() && !fixed_center;
        let (problem, origin) = input::problem(data, penalty, centered).map_err(|error| error.to_string())?;
        watch.phase("diagnosing");
        let found = diagnoses::diagnose(&problem, &trained, &thresholds, watch);
        let mut found = found.map_err(|error| error.to_string())?;
        if refit {
            let tolerance = thresholds.gap_tolerance;
            let again = diagnoses::refit(&problem, &trained, &found.codes, tolerance, watch);
            found.codes.refit = again.map_err(|error| error.to_string())?;
            if found.codes.refit.is_none() {
                found.unfinished.push("refit");
            }
        }
        if let Some((other, kept)) = &other {
            match diagnoses::compare(&dictionary, other, by, duplicate, max_pairs, watch) {
                Ok(mut comparison) => {
                    comparison.pairs.iter_mut().for_each(|pair| pair.right = kept[pair.right]);
                    found.comparison = Some(comparison);
                }
                Err(CompareError::Stopped(_)) => found.unfinished.push("comparison"),
                Err(error) => return Err(format!("compare: {error}")),
            }
        }
        source.seconds = watch.elapsed().as_secs_f64();
        let mut found = found.renumbered(&numbers);
        let concentration = concentration(&problem, &found);
        name_rows(&mut found, &origin.rows);
        let report = Report {
            diagnosis: &found,
            prefixes: &[],
            objective_share_of_top_percent: concentration.map(|c| c.share),
            masked: origin.masked,
            match_l0: matched,
            concentration,
            source: &source,
            sample: None,
        };
        let json = serde_json::to_string(&report).map_err(|error| error.to_string())?;
        let text = screen(&report, None, &[]);
        let page = found.html(&facts(&source, std::iter::once("diagnose".to_owned())));
        let exact = convert(&found.exact_codes).map_err(|error| error.to_string())?;
        let exact = origin.rows.spread(&exact);
        let given = stored.map(|codes| origin.rows.spread(&codes));
        Ok(Diagnosis { found, json, text, page, exact, given })
    };
    Ok(follow(py, &run, work, |error: String| errors::value(error))?.out(py))
}

/// What λ was taken from where it was matched.
const MATCHED: &str = "match_l0: of those tried, exact codes come closest to the mean L0 of the codes given";

/// What is diagnosed, with its data.
struct Diagnosed {
    data: Input,
    dictionary: Dictionary,
    center: Option<Vec<f64>>,
    /// Codes of the unit atoms, and of the atoms as they are stored.
    unit: Option<Codes>,
    stored: Option<Codes>,
    /// Numbers of the unit atoms among the stored ones.
    numbers: Vec<usize>,
    source: Source,
    /// None where it is to be matched.
    lambda: Option<f64>,
    convert: ToStored,
}

impl Diagnosed {
    /// An autoencoder with its encoder's codes, or those given; λ as told, unless it is to be
    /// matched.
    fn autoencoder(
        sae: &Sae,
        data: Input,
        codes: Option<&CodesIn<'_>>,
        told: Option<Option<f64>>,
        per_batch: bool,
    ) -> PyResult<Self> {
        let mut joined = sae.join(data, per_batch)?;
        joined.source.without_price = sae.sae.lambda(&joined.folded).is_err();
        let lambda = told.map(|told| sae.price(&mut joined, told)).transpose()?;
        let stored = match codes {
            Some(codes) => {
                joined.source.no_encoder = None;
                joined.source.encoder = None;
                Some(codes_of(codes, &joined.origin.rows, sae.sae.atoms())?)
            }
            None if sae.sae.no_encoder().is_some() => None,
            None => Some(encoder_codes(sae, &joined)?),
        };
        let crate::saes::Joined { mut folded, source, weights, origin, .. } = joined;
        let unit = stored.as_ref().map(|codes| folded.of_stored(codes)).transpose();
        let data = Input { points: folded.take_points(), weights, origin };
        Ok(Self {
            data,
            dictionary: folded.dictionary.clone(),
            center: folded.center.clone(),
            unit: unit.map_err(errors::value)?,
            stored,
            numbers: folded.kept.clone(),
            source,
            lambda,
            convert: Box::new(move |codes| folded.to_stored(codes)),
        })
    }

    /// Atoms of any length.
    fn atoms(
        rows: &Bound<'_, PyAny>,
        data: Input,
        codes: Option<&CodesIn<'_>>,
        center: Option<PyReadonlyArray1<'_, f64>>,
        lambda: Option<f64>,
    ) -> PyResult<Self> {
        let dim = data.points.nrows();
        let plain = Plain::of(atoms(rows, dim)?).map_err(errors::value)?;
        let center = center_of(center, dim)?;
        let stored = codes.map(|codes| codes_of(codes, &data.origin.rows, plain.stored)).transpose()?;
        let unit = stored.as_ref().map(|codes| plain.to_unit(codes)).transpose();
        let source = Source {
            data: data.origin.name.clone(),
            dictionary: "dictionary".to_owned(),
            folding: Some(plain.folding(center.as_deref())),
            lambda_from: "lambda_",
            ..Source::default()
        };
        Ok(Self {
            data,
            dictionary: plain.dictionary.clone(),
            center,
            unit: unit.map_err(errors::value)?,
            stored,
            numbers: plain.kept.clone(),
            source,
            lambda,
            convert: Box::new(move |codes| plain.to_stored(codes)),
        })
    }
}

/// A dictionary to compare with, and the numbers of its atoms where it is stored.
fn compared(other: &Subject<'_>, dim: usize) -> PyResult<(Dictionary, Vec<usize>)> {
    match other {
        Subject::Atoms(rows) => {
            let plain = Plain::of(atoms(rows, dim)?).map_err(|e| errors::value(format!("compare: {e}")))?;
            Ok((plain.dictionary, plain.kept))
        }
        Subject::Sae(sae) if sae.sae.dim() == dim => sae.sae.directions().map_err(errors::value),
        Subject::Sae(sae) => Err(errors::value(format!(
            "{}: expected atoms of dimension {dim}, found {}",
            sae.path,
            sae.sae.dim()
        ))),
    }
}

/// `widedict verify`: its JSON and its text. Data are not asked for where there is no record.
#[pyfunction]
#[pyo3(signature = (folder, data, run))]
pub(crate) fn verify(
    py: Python<'_>,
    folder: PathBuf,
    data: Data<'_>,
    run: RunArgs,
) -> PyResult<Out<(String, String)>> {
    let named = |error| match error {
        VerifyError::File(error) => errors::file(error),
        VerifyError::Checkpoint | VerifyError::Refused(_) => {
            errors::value(format!("{}: {error}", folder.display()))
        }
    };
    let saved = Saved::read(&folder).map_err(named)?;
    let data = saved.has_record().then(|| data.read()).transpose()?;
    let joined = saved.join(data).map_err(named)?;
    let name = folder.clone();
    let work = move |watch: &crate::follow::Watch| {
        let verification = joined.verify(watch);
        let json = serde_json::to_string(&verification).map_err(|error| error.to_string())?;
        Ok((json, verification.summary(&name)))
    };
    Ok(follow(py, &run, work, |error: String| errors::value(error))?.out(py))
}

/// Dictionary, codes, center and certificate.json of a folder.
#[pyfunction]
pub(crate) fn load<'py>(py: Python<'py>, folder: PathBuf) -> PyResult<Bound<'py, PyDict>> {
    let loaded = load_solution(&folder).map_err(errors::file)?;
    let solution = &loaded.factorization;
    let center = loaded.fixed_center.as_deref().or(solution.center());
    let fields = PyDict::new(py);
    let dictionary: Bound<'py, PyArray2<f64>> = arrays::rows(py, solution.dictionary().matrix())?;
    let codes: CsrOut<'py> = arrays::csr(py, &loaded.rows.spread(solution.codes()))?;
    fields.set_item("dictionary", dictionary)?;
    fields.set_item("codes", codes)?;
    fields.set_item("center", center.map(|center| PyArray1::from_slice(py, center)))?;
    fields.set_item("certificate", json(&loaded.certificate)?)?;
    Ok(fields)
}

/// The digits that travel with the library.
#[pyfunction]
pub(crate) fn digits(py: Python<'_>) -> PyResult<Bound<'_, PyArray2<f64>>> {
    arrays::rows(py, &datasets::digits())
}

/// λ of scikit-learn's `alpha`, `½‖x − zD‖² + α‖z‖₁` a datapoint.
#[pyfunction]
pub(crate) fn lambda_from_sklearn(alpha: f64) -> PyResult<f64> {
    Lambda::from_sklearn_dictionary_learning(alpha).map(Lambda::get).map_err(errors::value)
}
