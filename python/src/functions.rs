//! The functions of the module: arguments that were checked in Python are taken out of it, and
//! everything else is done by a run, see `follow`.

use std::num::NonZeroUsize;
use std::path::PathBuf;
use std::sync::Arc;

use numpy::{PyArray1, PyArray2, PyReadonlyArray1};
use pyo3::prelude::*;
use pyo3::types::PyDict;
use widedict::answer::conclusion::{self, Conclusion, Solver};
use widedict::answer::diagnosis::{Report, Source, concentration, facts, name_rows, screen};
use widedict::answer::encoding::{Measured, Report as EncodingReport, Unsearched};
use widedict::answer::input::{self, Input, Origin, refused_rows};
use widedict::answer::participation::{self, Least};
use widedict::answer::plain::{Plain, without_zeros};
use widedict::answer::row::{Row, RunSummary};
use widedict::answer::verify::{Saved, VerifyError};
use widedict::answer::{Follow, grid, hull, masked, start, text, wide as wide_answer};
use widedict::atoms::{Csr, Rescaled};
use widedict::certificate::Options;
use widedict::coder::{Coder, CoderError, CoderRun};
use widedict::diagnose::{self as diagnoses, CompareError, HullReport, Similarity, Thresholds, Trained};
use widedict::gauge::Penalty;
use widedict::io::sae::Folded;
use widedict::io::{Rows, load_solution};
use widedict::problem::Lambda;
use widedict::trusted::local;
use widedict::{Codes, Dictionary, Factorization, Matrix, Problem, Run, datasets};

use crate::answers::{Diagnosis, Encoding, Grid, Improved, Known, Solution, Wide, bounding, json};
use crate::arrays::{self, CodesIn, CsrOut, Data};
use crate::errors;
use crate::follow::{RunArgs, Watch, apart, run as follow};
use crate::saes::{Joined, Model, Sae};

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

/// Where a run starts: a solution, the lower point that refutes one, or a folder that one was
/// saved in.
#[derive(FromPyObject)]
pub(crate) enum Start<'py> {
    Solution(PyRef<'py, Solution>),
    Improved(PyRef<'py, Improved>),
    Folder(PathBuf),
}

/// The same, taken out of Python.
enum Beginning {
    Solution(Arc<Known>),
    Improved(Arc<Known>),
    Folder(PathBuf),
}

impl Start<'_> {
    fn take(self) -> Beginning {
        match self {
            Self::Solution(solution) => Beginning::Solution(Arc::clone(&solution.0)),
            Self::Improved(improved) => Beginning::Improved(Arc::clone(&improved.0)),
            Self::Folder(folder) => Beginning::Folder(folder),
        }
    }
}

impl Beginning {
    fn point(&self, problem: &Problem, origin: &Origin) -> PyResult<Factorization> {
        let misfit = |error| errors::argument("start", error);
        let (known, point) = match self {
            Self::Folder(folder) => {
                return start::read(folder, problem, &origin.rows).map_err(errors::start);
            }
            Self::Solution(known) => (known, known.factorization()),
            Self::Improved(known) => (known, known.certified.improvement().unwrap_or(known.factorization())),
        };
        let found = start::restricted(point.clone(), &known.origin.rows, problem.dim(), &origin.rows);
        start::centered(found.map_err(misfit)?, known.fixed_center.clone(), problem).map_err(misfit)
    }
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
) -> PyResult<()> {
    let penalty = Penalty::new(lambda_, gamma).map_err(errors::value)?;
    let asked = least(participation, &penalty)?;
    let solver = match width {
        Some(width) => Solver::Finite(conclusion::finite(width.get(), restarts, tolerance, seed)),
        None => solver(method, &penalty)?,
    };
    let conclusion =
        Conclusion::new(solver, bounding(bound)?, tolerance, local_limits(local)).of_all(global_);
    let data = data.take()?;
    let start = start.map(Start::take);
    let work = move |watch: &Watch| {
        let (problem, origin) = input::problem(data.read()?, penalty, center).map_err(errors::value)?;
        conclusion.check(&problem).map_err(errors::solve)?;
        let from = start.map(|start| start.point(&problem, &origin)).transpose()?;
        solved((problem, origin), &conclusion, (seed, asked), from.as_ref(), watch).map_err(errors::solve)
    };
    follow(py, &run, work)?.give(py, &run)
}

/// Solves, bounds and certifies.
fn solved(
    (problem, origin): (Problem, Origin),
    conclusion: &Conclusion,
    (seed, asked): (u64, Option<Least>),
    start: Option<&Factorization>,
    watch: &Watch,
) -> Result<Solution, widedict::SolveError> {
    let how = Run { start, observer: watch, keeper: None };
    let solved = conclusion.solve(&problem, seed, &how)?;
    let solving = watch.elapsed();
    let solution = conclusion.conclude(&problem, solved, watch)?;
    let point = solution.certified.solution();
    let bound = asked.map(|least| participation::bound(least, &problem, point, watch)).transpose()?.flatten();
    let run = RunSummary {
        width: conclusion.solver.width(),
        method: conclusion.solver.name(),
        seed,
        stop: Some(solution.stop),
        solving,
        certifying: watch.elapsed().saturating_sub(solving),
    };
    let certificate = solution.certified.certificate();
    let bounding = conclusion.bounding;
    let text = text::solved(&problem, &run, bounding, certificate, bound.as_ref())
        + &text::trivial(&problem, &run, certificate)
        + &masked::line(&origin.masked);
    let proved = text::proved(&problem, &run, bounding, certificate, bound.as_ref());
    let row = Row::new(&problem, &origin.masked, &run, certificate).with_participation(bound);
    let options = conclusion.options(&problem, solution.stop);
    Ok(Solution::new(Known {
        certified: solution.certified,
        witness: solution.witness,
        problem,
        options,
        origin,
        fixed_center: None,
        row,
        text: errors::spoken(&text),
        proved: errors::spoken(&proved),
        solved: true,
    }))
}

/// What is certified, coded over or diagnosed: atoms, or an autoencoder.
#[derive(FromPyObject)]
pub(crate) enum SubjectIn<'py> {
    Sae(PyRef<'py, Sae>),
    Atoms(Bound<'py, PyAny>),
}

/// The same, taken out of Python.
enum Subject {
    Sae(Arc<Model>),
    Atoms(Matrix),
}

impl SubjectIn<'_> {
    fn take(&self) -> PyResult<Subject> {
        match self {
            Self::Sae(sae) => Ok(Subject::Sae(Arc::clone(&sae.0))),
            Self::Atoms(rows) => Ok(Subject::Atoms(arrays::matrix(rows)?)),
        }
    }
}

/// Atoms of the data's dimension, by the name of their argument.
fn atoms(atoms: Matrix, dim: usize, name: &str) -> PyResult<Matrix> {
    if atoms.nrows() == dim {
        return Ok(atoms);
    }
    let hint = if atoms.ncols() == dim { " (an atom a row: the array looks transposed)" } else { "" };
    let (count, found) = (atoms.ncols(), atoms.nrows());
    Err(errors::value(format!(
        "{name}: expected atoms of dimension {dim}, found shape ({count}, {found}){hint}"
    )))
}

/// The center that was given.
fn taken(center: Option<PyReadonlyArray1<'_, f64>>) -> PyResult<Option<Vec<f64>>> {
    center.map(|center| arrays::vector(&center)).transpose()
}

fn center_of(center: Option<Vec<f64>>, dim: usize) -> PyResult<Option<Vec<f64>>> {
    match center.as_ref().map(Vec::len).filter(|found| *found != dim) {
        Some(found) => {
            Err(errors::value(format!("center: expected a vector of dimension {dim}, found {found}")))
        }
        None => Ok(center),
    }
}

/// Codes of so many atoms, a row of the data a row; those of masked rows are left out.
fn codes_of(codes: Csr, rows: &Rows, count: usize) -> PyResult<Codes> {
    let codes = arrays::codes(codes)?;
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
fn encoder_codes(model: &Model, joined: &Joined) -> PyResult<Codes> {
    let codes = model.sae.activations(&joined.folded, joined.batch);
    codes.map_err(|error| errors::value(format!("{}: {error}", model.path)))
}

/// `widedict encode`.
#[pyfunction]
#[pyo3(signature = (data, run, subject, *, lambda_, center, tolerance, exact, per_batch))]
#[expect(clippy::too_many_arguments, reason = "they are named in Python")]
pub(crate) fn encode(
    py: Python<'_>,
    data: Data<'_>,
    run: RunArgs,
    subject: SubjectIn<'_>,
    lambda_: Option<f64>,
    center: Option<PyReadonlyArray1<'_, f64>>,
    tolerance: Option<f64>,
    exact: bool,
    per_batch: bool,
) -> PyResult<()> {
    let (data, subject, center) = (data.take()?, subject.take()?, taken(center)?);
    let work = move |watch: &Watch| {
        let data = data.read()?;
        match subject {
            Subject::Atoms(rows) => {
                let lambda = lambda_.ok_or_else(|| errors::value("lambda_ is needed"))?;
                Coding::over(rows, data, center, lambda)?.run(tolerance, watch)
            }
            Subject::Sae(model) => {
                let mut joined = model.join(data, per_batch)?;
                if exact {
                    let lambda = model.price(&mut joined, lambda_)?;
                    return Coding::best(joined, lambda).run(tolerance, watch);
                }
                let priced = lambda_.is_some() || model.sae.lambda(&joined.folded).is_ok();
                let lambda = if priced { Some(model.price(&mut joined, lambda_)?) } else { None };
                unsearched(&model, joined, lambda, watch)
            }
        }
    };
    follow(py, &run, work)?.give(py, &run)
}

/// The codes of an autoencoder's encoder, and what they cost.
fn unsearched(model: &Model, mut joined: Joined, lambda: Option<f64>, watch: &Watch) -> PyResult<Encoding> {
    let stored = encoder_codes(model, &joined)?;
    joined.source.seconds = watch.elapsed().as_secs_f64();
    let unit = joined.folded.of_stored(&stored).map_err(errors::value)?;
    let report = Unsearched::new(
        &joined.folded,
        (joined.weights.as_deref(), joined.origin.masked),
        (&stored, &unit),
        lambda,
        &joined.source,
    );
    let text = errors::spoken(&report.summary(None));
    Ok(Encoding {
        codes: joined.origin.rows.spread(&stored).into_owned(),
        encoded: None,
        json: json(&report)?,
        text,
    })
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
    /// Atoms of any length.
    fn over(rows: Matrix, data: Input, center: Option<Vec<f64>>, lambda: f64) -> PyResult<Self> {
        let dim = data.points.nrows();
        let plain = Plain::of(atoms(rows, dim, "dictionary")?);
        let plain = plain.map_err(|error| errors::argument("dictionary", error))?;
        Ok(Self {
            data,
            dictionary: plain.dictionary.clone(),
            center: center_of(center, dim)?,
            lambda,
            dropped: plain.dropped.clone(),
            source: None,
            stored: Box::new(move |codes| plain.to_stored(codes)),
        })
    }

    /// The dictionary of an autoencoder.
    fn best(joined: Joined, lambda: f64) -> Self {
        let Joined { mut folded, source, weights, origin, .. } = joined;
        Self {
            data: Input { points: folded.take_points().into(), weights, origin },
            dictionary: folded.dictionary.clone(),
            center: folded.center.clone(),
            lambda,
            dropped: folded.folding.dropped_atoms.clone(),
            source: Some(source),
            stored: Box::new(move |codes| folded.to_stored(codes)),
        }
    }

    fn run(self, tolerance: Option<f64>, watch: &Watch) -> PyResult<Encoding> {
        let mut coder = Coder::default();
        if let Some(tolerance) = tolerance {
            coder.gap_tolerance = tolerance;
        }
        let Input { points, weights, origin } = &self.data;
        let how = CoderRun { center: self.center.as_deref(), observer: watch, ..CoderRun::default() };
        let encoded = coder.encode_with(points, &self.dictionary, self.lambda, &how);
        let encoded = encoded.map_err(|error| {
            if let CoderError::Data(error) = error {
                errors::value(refused_rows(error.into(), origin, 0))
            } else {
                errors::value(error)
            }
        })?;
        let elapsed = watch.elapsed();
        let codes = (self.stored)(&encoded.codes).map_err(errors::value)?;
        let measured = Measured { points, weights: weights.as_deref(), masked: origin.masked, share: None };
        let report = EncodingReport::new(&measured, self.dictionary.len(), self.lambda, &encoded, elapsed)
            .with_dropped(&self.dropped)
            .with_source(self.source.as_ref());
        let (json, text) = (json(&report)?, errors::spoken(&report.summary(None)));
        Ok(Encoding { codes: origin.rows.spread(&codes).into_owned(), encoded: Some(encoded), json, text })
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
    subject: SubjectIn<'_>,
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
) -> PyResult<()> {
    let (bounding, participation) = (bounding(bound)?, participation.map(str::to_owned));
    let (data, subject, center) = (data.take()?, subject.take()?, taken(center)?);
    let codes = codes.map(|codes| codes.take()).transpose()?;
    let work = move |watch: &Watch| {
        let data = data.read()?;
        let foreign = match subject {
            Subject::Atoms(rows) => Foreign::atoms(rows, data, codes, center, lambda_)?,
            Subject::Sae(model) => Foreign::autoencoder(&model, data, codes, lambda_, per_batch)?,
        };
        let penalty = Penalty::new(foreign.lambda, gamma).map_err(errors::value)?;
        let asked = least(participation.as_deref(), &penalty)?;
        foreign.audit(penalty, centered, &Audit { bounding, tolerance, local, asked }, watch)
    };
    follow(py, &run, work)?.give(py, &run)
}

/// How what was made elsewhere is certified.
struct Audit {
    bounding: widedict::Bounding,
    tolerance: f64,
    local: bool,
    asked: Option<Least>,
}

/// A dictionary and codes that were made elsewhere, with their data.
struct Foreign {
    data: Input,
    dictionary: Dictionary,
    codes: Codes,
    center: Option<Vec<f64>>,
    rescaled: Option<Rescaled>,
    lambda: f64,
    source: Option<Source>,
}

impl Foreign {
    fn atoms(
        rows: Matrix,
        data: Input,
        codes: Option<Csr>,
        center: Option<Vec<f64>>,
        lambda: Option<f64>,
    ) -> PyResult<Self> {
        let dim = data.points.nrows();
        let lambda = lambda.ok_or_else(|| errors::value("lambda_ is needed"))?;
        let atoms = atoms(rows, dim, "dictionary")?;
        let codes = codes.ok_or_else(|| errors::value("codes are needed"))?;
        let codes = codes_of(codes, &data.origin.rows, atoms.ncols())?;
        let (atoms, codes, _) = without_zeros(atoms, codes);
        let found = Factorization::from_foreign(atoms, codes, None);
        let (found, rescaled) = found.map_err(|error| errors::argument("dictionary", error))?;
        let (dictionary, codes, _) = found.into_parts();
        let center = center_of(center, dim)?;
        Ok(Self { data, dictionary, codes, center, rescaled, lambda, source: None })
    }

    fn autoencoder(
        model: &Model,
        data: Input,
        codes: Option<Csr>,
        lambda: Option<f64>,
        per_batch: bool,
    ) -> PyResult<Self> {
        let mut joined = model.join(data, per_batch)?;
        let lambda = model.price(&mut joined, lambda)?;
        let stored = match codes {
            Some(codes) => {
                joined.source.no_encoder = None;
                joined.source.encoder = None;
                codes_of(codes, &joined.origin.rows, model.sae.atoms())?
            }
            None => encoder_codes(model, &joined)?,
        };
        let codes = joined.folded.of_stored(&stored).map_err(errors::value)?;
        let Joined { folded, source, weights, origin, .. } = joined;
        let Folded { points, dictionary, center, folding, .. } = folded;
        let rescaled = (folding.rescaled_atoms > 0).then_some(Rescaled {
            atoms: folding.rescaled_atoms,
            shortest: folding.shortest_atom,
            longest: folding.longest_atom,
        });
        let data = Input { points: points.into(), weights, origin };
        Ok(Self { data, dictionary, codes, center, rescaled, lambda, source: Some(source) })
    }

    fn audit(self, penalty: Penalty, centered: bool, how: &Audit, watch: &Watch) -> PyResult<Solution> {
        let Self { mut data, dictionary, codes, center, rescaled, source, .. } = self;
        let Audit { bounding, tolerance, local, asked } = *how;
        let (fixed_center, variable) = if centered { (None, center) } else { (center, None) };
        if let Some(center) = &fixed_center {
            data.points = input::subtracted(data.points, center);
        }
        let (problem, origin) = input::problem(data, penalty, centered).map_err(errors::value)?;
        let variable = variable.or_else(|| centered.then(|| vec![0.0; problem.dim()]));
        let factorization = Factorization::new(dictionary, codes, variable).map_err(errors::value)?;
        bounding.check(&problem).map_err(errors::solve)?;
        let options = Options { gap_tolerance: tolerance, local: local_limits(local), ..Options::default() };
        let options = bounding.options(&problem, options);
        let started = watch.elapsed();
        let bounded = conclusion::certify(bounding, &problem, factorization, &options, watch);
        let bounded = bounded.map_err(errors::solve)?;
        let (certified, witness) = (bounded.certified, bounded.witness);
        let point = certified.solution();
        let bound = asked.map(|least| participation::bound(least, &problem, point, watch)).transpose();
        let bound = bound.map_err(errors::solve)?.flatten();
        let hull = hull::asked(bounding, local)
            .then(|| hull::of(&problem, point, &origin.rows, usize::MAX, watch))
            .flatten();
        let certifying = watch.elapsed().saturating_sub(started);
        let run = RunSummary { certifying, ..RunSummary::audit(Some(point.width())) };
        let certificate = certified.certificate();
        let edge = hull.as_ref().map_or_else(String::new, HullReport::text);
        let text = text::audited(&problem, &run, bounding, certificate, bound.as_ref(), rescaled)
            + &edge
            + &masked::line(&origin.masked);
        let proved = text::proved(&problem, &run, bounding, certificate, bound.as_ref()) + &edge;
        let (text, proved) = (errors::spoken(&text), errors::spoken(&proved));
        let row = Row::new(&problem, &origin.masked, &run, certificate)
            .with_rescaled(rescaled)
            .with_hull(hull)
            .with_source(source)
            .with_participation(bound);
        Ok(Solution::new(Known {
            problem,
            certified,
            witness,
            options,
            origin,
            fixed_center,
            row,
            text,
            proved,
            solved: false,
        }))
    }
}

/// `widedict wide`.
#[pyfunction]
#[pyo3(signature = (data, run, *, lambda_, center))]
pub(crate) fn wide(py: Python<'_>, data: Data<'_>, run: RunArgs, lambda_: f64, center: bool) -> PyResult<()> {
    let penalty = Penalty::new(lambda_, 0.0).map_err(errors::value)?;
    let data = data.take()?;
    let work = move |watch: &Watch| {
        let (problem, origin) = input::problem(data.read()?, penalty, center).map_err(errors::value)?;
        let answer = wide_answer::answer(&problem, &origin, watch);
        let (answer, certified) = answer.map_err(|error| match error {
            wide_answer::Unanswered::Solve(error) => errors::solve(error),
            error @ wide_answer::Unanswered::Refused(_) => errors::value(error),
        })?;
        let text = errors::spoken(&wide_answer::summary(&answer));
        Ok(Wide { problem, origin, certified, json: json(&answer)?, text })
    };
    follow(py, &run, work)?.give(py, &run)
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
) -> PyResult<()> {
    for gamma in &gammas {
        Penalty::new(lambda_, *gamma).map_err(errors::value)?;
    }
    let penalty = Penalty::new(lambda_, gammas.first().copied().unwrap_or(gamma)).map_err(errors::value)?;
    let asked = gammas.len() + ratios.len();
    let grid = grid::Grid { gammas, ratios, restarts, tolerance, seed, bounding: bounding(bound)? };
    let data = data.take()?;
    let work = move |watch: &Watch| {
        let (problem, origin) = input::problem(data.read()?, penalty, center).map_err(errors::value)?;
        grid.bounding.check(&problem).map_err(errors::solve)?;
        let solved = grid.solve(&problem, &origin.masked, watch, &mut |_, _| {});
        let (answer, solved) = solved.map_err(errors::solve)?;
        let text = grid::table(&problem, &answer, &solved, asked) + &masked::line(&origin.masked);
        let table = grid::csv(&solved);
        let rows = solved.into_iter().map(|one| Arc::new(known(&grid, one, &origin))).collect();
        Ok(Grid { answer, rows, table, text: errors::spoken(&text) })
    };
    follow(py, &run, work)?.give(py, &run)
}

/// A row of a grid as a solution.
fn known(grid: &grid::Grid, one: grid::Solved, origin: &Origin) -> Known {
    let grid::Solved { step, row, run } = one;
    let conclusion = grid.conclusion(&step);
    let options = conclusion.options(&step.problem, step.solution.stop);
    let (problem, certified, witness) = (step.problem, step.solution.certified, step.solution.witness);
    let certificate = certified.certificate();
    let text = text::solved(&problem, &run, conclusion.bounding, certificate, None);
    let proved = text::proved(&problem, &run, conclusion.bounding, certificate, None);
    let (text, proved) = (errors::spoken(&text), errors::spoken(&proved));
    let (origin, fixed_center) = (origin.clone(), None);
    Known { problem, certified, witness, options, origin, fixed_center, row, text, proved, solved: true }
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
    subject: SubjectIn<'_>,
    lambda_: Option<f64>,
    match_l0: bool,
    codes: Option<CodesIn<'_>>,
    center: Option<PyReadonlyArray1<'_, f64>>,
    fixed_center: bool,
    refit: bool,
    compare: Option<SubjectIn<'_>>,
    compare_absolute: bool,
    max_pairs: usize,
    min_uses: usize,
    nested: f64,
    absorption: f64,
    antipodal: f64,
    duplicate: f64,
    per_batch: bool,
) -> PyResult<()> {
    let (data, subject, center) = (data.take()?, subject.take()?, taken(center)?);
    let codes = codes.map(|codes| codes.take()).transpose()?;
    let other = compare.map(|other| other.take()).transpose()?;
    let thresholds =
        Thresholds { min_uses, nested, absorption, antipodal, duplicate, ..Thresholds::default() };
    let by = if compare_absolute { Similarity::AbsoluteCosine } else { Similarity::Cosine };
    let asked = Asked { thresholds, fixed_center, refit, by, max_pairs };
    let work = move |watch: &Watch| {
        let data = data.read()?;
        let mut subject = match subject {
            Subject::Sae(model) => {
                let told = if match_l0 { None } else { Some(lambda_) };
                Diagnosed::autoencoder(&model, data, codes, told, per_batch)?
            }
            Subject::Atoms(rows) => {
                let lambda = if match_l0 { None } else { lambda_ };
                if lambda.is_none() && !match_l0 {
                    return Err(errors::value("lambda_ is needed, or match_l0"));
                }
                Diagnosed::atoms(rows, data, codes, center, lambda)?
            }
        };
        if match_l0 {
            subject.source.lambda_from = MATCHED;
        }
        if subject.unit.is_none() && (match_l0 || refit) {
            return Err(errors::value("match_l0 and refit need codes, or an autoencoder with its encoder"));
        }
        let other = other.map(|other| compared(other, subject.data.points.nrows())).transpose()?;
        subject.diagnose(&asked, other.as_ref(), watch)
    };
    follow(py, &run, work)?.give(py, &run)
}

/// What is asked of a diagnosis.
struct Asked {
    thresholds: Thresholds,
    fixed_center: bool,
    refit: bool,
    by: Similarity,
    max_pairs: usize,
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
        model: &Model,
        data: Input,
        codes: Option<Csr>,
        told: Option<Option<f64>>,
        per_batch: bool,
    ) -> PyResult<Self> {
        let mut joined = model.join(data, per_batch)?;
        joined.source.without_price = model.sae.lambda(&joined.folded).is_err();
        let lambda = told.map(|told| model.price(&mut joined, told)).transpose()?;
        let stored = match codes {
            Some(codes) => {
                joined.source.no_encoder = None;
                joined.source.encoder = None;
                joined.source.codes = Some("codes".to_owned());
                Some(codes_of(codes, &joined.origin.rows, model.sae.atoms())?)
            }
            None if model.sae.no_encoder().is_some() => None,
            None => Some(encoder_codes(model, &joined)?),
        };
        let Joined { mut folded, source, weights, origin, .. } = joined;
        let unit = stored.as_ref().map(|codes| folded.of_stored(codes)).transpose();
        let data = Input { points: folded.take_points().into(), weights, origin };
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
        rows: Matrix,
        data: Input,
        codes: Option<Csr>,
        center: Option<Vec<f64>>,
        lambda: Option<f64>,
    ) -> PyResult<Self> {
        let dim = data.points.nrows();
        let plain = Plain::of(atoms(rows, dim, "dictionary")?);
        let plain = plain.map_err(|error| errors::argument("dictionary", error))?;
        let center = center_of(center, dim)?;
        let given = codes.is_some();
        let stored = codes.map(|codes| codes_of(codes, &data.origin.rows, plain.stored)).transpose()?;
        let unit = stored.as_ref().map(|codes| plain.to_unit(codes)).transpose();
        let source = Source {
            data: data.origin.name.clone(),
            dictionary: "dictionary".to_owned(),
            codes: given.then(|| "codes".to_owned()),
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

impl Diagnosed {
    fn diagnose(
        self,
        asked: &Asked,
        other: Option<&(Dictionary, Vec<usize>)>,
        watch: &Watch,
    ) -> PyResult<Diagnosis> {
        let Self { data, dictionary, center, unit, stored, numbers, mut source, lambda, convert } = self;
        let trained = Trained { dictionary: &dictionary, center: center.as_deref(), codes: unit.as_ref() };
        let matched = match lambda {
            Some(_) => None,
            None => {
                watch.phase("matching L0");
                let tolerance = Thresholds::default().gap_tolerance;
                let found = diagnoses::match_l0(&data.points, &trained, tolerance, watch);
                Some(found.map_err(|error| errors::argument("match_l0", error))?)
            }
        };
        let lambda = lambda.or(matched.map(|matched| matched.lambda)).unwrap_or(f64::NAN);
        let penalty = Penalty::new(lambda, 0.0).map_err(errors::value)?;
        let centered = center.is_some() && !asked.fixed_center;
        let (problem, origin) = input::problem(data, penalty, centered).map_err(errors::value)?;
        watch.phase("diagnosing");
        let mut found = asked.diagnose(&problem, &trained, other, watch)?;
        source.seconds = watch.elapsed().as_secs_f64();
        found = found.renumbered(&numbers);
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
        let (json, text) = (json(&report)?, errors::spoken(&screen(&report, None, &[])));
        let page = found.html(&facts(&source, std::iter::once("diagnose".to_owned())));
        let exact = convert(&found.exact_codes).map_err(errors::value)?;
        let exact = origin.rows.spread(&exact).into_owned();
        let given = stored.map(|codes| origin.rows.spread(&codes).into_owned());
        Ok(Diagnosis { found, json, text, page, exact, given })
    }
}

impl Asked {
    fn diagnose(
        &self,
        problem: &Problem,
        trained: &Trained<'_>,
        other: Option<&(Dictionary, Vec<usize>)>,
        watch: &Watch,
    ) -> PyResult<diagnoses::Diagnosis> {
        let thresholds = &self.thresholds;
        let found = diagnoses::diagnose(problem, trained, thresholds, watch);
        let mut found = found.map_err(errors::value)?;
        if self.refit {
            let tolerance = thresholds.gap_tolerance;
            let again = diagnoses::refit(problem, trained, &found.codes, tolerance, watch);
            found.codes.refit = again.map_err(errors::value)?;
            if found.codes.refit.is_none() {
                found.unfinished.push("refit");
            }
        }
        let Some((other, kept)) = other else { return Ok(found) };
        let duplicate = thresholds.duplicate;
        match diagnoses::compare(trained.dictionary, other, self.by, duplicate, self.max_pairs, watch) {
            Ok(mut comparison) => {
                comparison.pairs.iter_mut().for_each(|pair| pair.right = kept[pair.right]);
                found.comparison = Some(comparison);
            }
            Err(CompareError::Stopped(_)) => found.unfinished.push("comparison"),
            Err(error) => return Err(errors::argument("compare", error)),
        }
        Ok(found)
    }
}

/// A dictionary to compare with, and the numbers of its atoms where it is stored.
fn compared(other: Subject, dim: usize) -> PyResult<(Dictionary, Vec<usize>)> {
    match other {
        Subject::Atoms(rows) => {
            let plain = Plain::of(atoms(rows, dim, "compare")?);
            let plain = plain.map_err(|error| errors::argument("compare", error))?;
            Ok((plain.dictionary, plain.kept))
        }
        Subject::Sae(model) if model.sae.dim() == dim => {
            model.sae.directions().map_err(|error| errors::argument("compare", error))
        }
        Subject::Sae(model) => Err(errors::value(format!(
            "compare: {}: expected atoms of dimension {dim}, found {}",
            model.path,
            model.sae.dim()
        ))),
    }
}

/// `widedict verify`: its JSON and its text. Data are not asked for where there is no record.
#[pyfunction]
#[pyo3(signature = (folder, data, run))]
pub(crate) fn verify(py: Python<'_>, folder: PathBuf, data: Data<'_>, run: RunArgs) -> PyResult<()> {
    let data = data.take()?;
    let work = move |watch: &Watch| {
        let named = |error| match error {
            VerifyError::File(error) => errors::file(error),
            VerifyError::Checkpoint | VerifyError::Refused(_) => {
                errors::value(format!("{}: {error}", folder.display()))
            }
        };
        let saved = Saved::read(&folder).map_err(named)?;
        let data = if saved.has_record() { Some(data.read()?) } else { None };
        let verification = saved.join(data).map_err(named)?.verify(watch);
        Ok((json(&verification)?, errors::spoken(&verification.screen(&folder))))
    };
    follow(py, &run, work)?.give(py, &run)
}

/// Dictionary, codes, center and certificate.json of a folder.
#[pyfunction]
pub(crate) fn load<'py>(py: Python<'py>, folder: PathBuf) -> PyResult<Bound<'py, PyDict>> {
    let (loaded, codes) = apart(py, || {
        let loaded = load_solution(&folder).map_err(errors::file)?;
        let codes = loaded.rows.spread(loaded.factorization.codes()).into_owned();
        Ok((loaded, codes))
    })?;
    let solution = &loaded.factorization;
    let center = loaded.fixed_center.as_deref().or(solution.center());
    let fields = PyDict::new(py);
    let dictionary: Bound<'py, PyArray2<f64>> = arrays::rows(py, solution.dictionary().matrix())?;
    let codes: CsrOut<'py> = arrays::csr(py, &codes)?;
    fields.set_item("dictionary", dictionary)?;
    fields.set_item("codes", codes)?;
    fields.set_item("center", center.map(|center| PyArray1::from_slice(py, center)))?;
    fields.set_item("certificate", json(&loaded.certificate)?)?;
    Ok(fields)
}

/// certificate.json of a folder as it is now.
#[pyfunction]
pub(crate) fn description(py: Python<'_>, folder: PathBuf) -> PyResult<String> {
    apart(py, || {
        let found = widedict::io::Description::read(&folder).map_err(errors::file)?;
        json(found.fields())
    })
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
