//! The joint problem at γ > 0: block descent by the gauge's proximal map.

use super::{Descended, Finite, Start, Task};
use crate::atoms::{Codes, Dictionary, Factorization};
use crate::coder::Coder;
use crate::iterate::{Atom, Iterate};
use crate::linalg::{Matrix, dot};
use crate::master::{Effort, Master, Proximal};
use crate::num::max;
use crate::observer::{Observer, Progress, Stop};
use crate::problem::Problem;
use crate::search::oracle::{Ascent, distinct};
use crate::solution::{Run, SolveError};
use crate::solve::column_generation::ColumnGeneration;
use crate::trusted::Subject;
use crate::trusted::first_order;
use crate::wide;

/// Sweeps between two evaluations of the stationarity, each of which costs O(nMN).
const SWEEPS: usize = 20;

/// Pairs of atoms with a cosine above this are tried as one atom; the trial is exact.
const MERGE_COHERENCE: f64 = 0.95;

/// New atoms of one round have pairwise cosines below this.
const NEW_COHERENCE: f64 = 0.98;

/// A direction whose polar is at most 1 plus this offers nothing.
const POLAR_SLACK: f64 = 1e-9;

/// Gap to which the convex problem is solved before it is rounded.
const ROUGH_GAP: f64 = 1e-2;

/// Most starts tried in one restart, and how many of them are descended to the end. On 60
/// random antipodal sets in the plane and in space, where a single start mostly ends in a
/// poor minimum, twelve come within 1 % of the best of 72 in all but one.
const MAX_TRIALS: usize = 12;
const FINALISTS: usize = 3;

/// Entries nNM times trials that a restart may take: with it, trials are many where a
/// descent takes milliseconds, and one where it takes seconds.
const TRIAL_WORK: usize = 10_000_000;

/// One restart, with its objective: the best of some starts, of which those that are
/// lowest after one round of sweeps are descended to the end.
pub(super) fn solve(
    settings: &Finite,
    task: &Task<'_>,
    restart: usize,
) -> Result<(f64, Descended), SolveError> {
    let (first, seed) = settings.start(restart, [Start::Rounded, Start::Spread, Start::Random]);
    let size = (task.problem.dim() * task.problem.len()).saturating_mul(settings.width);
    let trials = if settings.start.is_some() { 1 } else { (TRIAL_WORK / size.max(1)).clamp(1, MAX_TRIALS) };
    if trials == 1 {
        let start = start(settings, task, first, seed)?;
        let descended = descend(settings, task, &start, settings.max_iterations)?;
        return Ok((value(task, &descended.factorization)?, descended));
    }
    let mut tried: Vec<(f64, Descended)> = Vec::new();
    for trial in 0..trials {
        if trial > 0 && task.observer.poll().is_break() {
            break;
        }
        let kind = match trial {
            0 => first,
            _ if trial % 2 == 1 => Start::Spread,
            _ => Start::Random,
        };
        let seed = seed.wrapping_add((trial * settings.restarts) as u64);
        let start = start(settings, task, kind, seed)?;
        let descended = descend(settings, task, &start, SWEEPS.min(settings.max_iterations))?;
        tried.push((value(task, &descended.factorization)?, descended));
    }
    tried.sort_by(|l, r| l.0.total_cmp(&r.0));
    tried.truncate(FINALISTS);
    let mut best: Option<(f64, Descended)> = None;
    for (_, trial) in tried {
        let descended = if best.is_some() && task.observer.poll().is_break() {
            trial
        } else {
            descend(settings, task, &trial.factorization, settings.max_iterations)?
        };
        let objective = value(task, &descended.factorization)?;
        if best.as_ref().is_none_or(|(least, _)| objective < *least) {
            best = Some((objective, descended));
        }
    }
    Ok(best.expect("at least one trial"))
}

/// The objective.
fn value(task: &Task<'_>, factorization: &Factorization) -> Result<f64, SolveError> {
    Ok(Subject::of(task.problem, factorization)?.primal().value())
}

/// A start of a kind.
fn start(settings: &Finite, task: &Task<'_>, kind: Start, seed: u64) -> Result<Factorization, SolveError> {
    match kind {
        Start::Rounded => rounded(settings, task, seed),
        Start::Spread | Start::Random => coded(settings, kind, task, seed),
    }
}

/// The atoms of largest gauge of the convex solution, with their codes.
fn rounded(settings: &Finite, task: &Task<'_>, seed: u64) -> Result<Factorization, SolveError> {
    let (problem, observer) = (task.problem, task.observer);
    let convex = ColumnGeneration {
        gap_tolerance: max(ROUGH_GAP, settings.stationarity_tolerance),
        seed,
        ..Default::default()
    }
    .solve_with(problem, &Run::observed(observer))?;
    Ok(first_atoms(problem, convex.certified.solution(), settings.width)?)
}

/// The `width` atoms of largest gauge, in their order.
fn first_atoms(
    problem: &Problem,
    factorization: &Factorization,
    width: usize,
) -> Result<Factorization, crate::atoms::AtomsError> {
    if factorization.width() <= width {
        return Ok(factorization.clone());
    }
    let weights = problem.data().weights();
    let rows = factorization.codes().rows();
    let mut order: Vec<(f64, usize)> = rows
        .iter()
        .enumerate()
        .map(|(k, row)| {
            let (mass, energy) =
                row.iter().fold((0.0, 0.0), |(m, e), (i, z)| (m + weights[i] * z, e + weights[i] * z * z));
            ((problem.lambda() * mass).hypot(problem.gamma() * energy.sqrt()), k)
        })
        .collect();
    order.sort_by(|l, r| r.0.total_cmp(&l.0).then(l.1.cmp(&r.1)));
    let mut keep: Vec<usize> = order.into_iter().take(width).map(|(_, k)| k).collect();
    keep.sort_unstable();
    let (dictionary, _) = Dictionary::normalize(factorization.dictionary().matrix().select_columns(&keep))?;
    let rows: Vec<_> = keep.iter().map(|&k| rows[k].clone()).collect();
    Factorization::new(
        dictionary,
        Codes::from_rows(problem.len(), &rows),
        factorization.center().map(<[f64]>::to_vec),
    )
}

/// Directions of datapoints with the codes of the nonnegative lasso at the price
/// `√(λ² + γ²)`: what a code row costs at most per unit of its L2 norm.
fn coded(settings: &Finite, kind: Start, task: &Task<'_>, seed: u64) -> Result<Factorization, SolveError> {
    let problem = task.problem;
    let price = problem.lambda().hypot(problem.gamma());
    let center = problem.centered().then(|| wide::location(problem.data(), price, task.observer).center);
    let zero = vec![0.0; problem.dim()];
    let origin = center.as_deref().unwrap_or(&zero);
    let dictionary = settings.dictionary(kind, task, origin, seed)?;
    let encoded = Coder::default()
        .encode(&task.about(origin), &dictionary, price, task.observer)
        .expect("a validated problem's points and price, atoms of their dimension");
    Ok(Factorization::new(dictionary, encoded.codes, center)?)
}

/// Descends from a factorization: sweeps, then merging and new atoms in the places that
/// are free, until the stationarity is met.
pub(super) fn descend(
    settings: &Finite,
    task: &Task<'_>,
    start: &Factorization,
    max_iterations: usize,
) -> Result<Descended, SolveError> {
    let (problem, observer) = (task.problem, task.observer);
    let mut iterate = Iterate::from_factorization(problem, &first_atoms(problem, start, settings.width)?);
    let mut iterations = 0;
    let mut last = f64::INFINITY;
    let stop = loop {
        fill(&mut iterate, settings.width, settings.seed.wrapping_add(iterations as u64), observer);
        // Without an atom there is nothing to sweep, and the sweeps would not ask.
        if let std::ops::ControlFlow::Break(interrupt) = observer.poll() {
            break interrupt.into();
        }
        let effort = Effort { max_sweeps: SWEEPS, decrease_tolerance: 0.0 };
        let (made, flow) = Proximal.descend(&mut iterate, effort, observer);
        iterations += made;
        if let std::ops::ControlFlow::Break(interrupt) = flow {
            break interrupt.into();
        }
        merge(&mut iterate, observer);
        iterate.prune();
        iterate.refresh();
        let objective = iterate.objective();
        observer.progress(&Progress {
            phase: "descent",
            iteration: iterations,
            objective,
            lower_bound: 0.0,
            estimated_lower_bound: f64::NAN,
            atoms: iterate.atoms.len(),
        });
        let here = iterate.factorization()?;
        if let Some(keeper) = task.keeper.filter(|keeper| keeper.wants()) {
            keeper.keep(&here, objective);
        }
        if first_order::residuals(&Subject::of(problem, &here)?).relative() <= settings.stationarity_tolerance
        {
            break Stop::ToleranceMet;
        }
        if iterations >= max_iterations {
            break Stop::IterationLimit;
        }
        if !(objective < last) {
            break Stop::Stalled;
        }
        last = objective;
    };
    iterate.prune();
    Ok(Descended { factorization: iterate.factorization()?, stop, iterations })
}

/// Fills free places with directions of polar above 1 (theorem `gauge-calculus`):
/// unused atoms there can only lower the objective.
fn fill(iterate: &mut Iterate<'_>, width: usize, seed: u64, observer: &dyn Observer) {
    let free = width.saturating_sub(iterate.atoms.len());
    if free == 0 {
        return;
    }
    let gauge = iterate.gauge;
    let found = Ascent { seed, ..Ascent::default() }.search(&gauge, iterate.residual(), &[], observer);
    let useful = found.into_iter().filter(|c| c.value > 1.0 + POLAR_SLACK).collect();
    for candidate in distinct(useful, NEW_COHERENCE, free) {
        iterate.atoms.push(Atom::unused(candidate.direction));
    }
}

/// Merges near-duplicates where that does not raise the objective, until the observer
/// breaks.
fn merge(iterate: &mut Iterate<'_>, observer: &dyn Observer) {
    let objective = iterate.objective();
    let directions = Matrix::from_columns(
        iterate.problem.dim(),
        &iterate.atoms.iter().map(|a| &a.direction[..]).collect::<Vec<_>>(),
    );
    for j in 0..directions.ncols() {
        if observer.poll().is_break() {
            return;
        }
        for l in j + 1..directions.ncols() {
            if dot(directions.col(j), directions.col(l)) > MERGE_COHERENCE
                && iterate.atoms[j].is_used()
                && iterate.atoms[l].is_used()
            {
                if observer.poll().is_break() {
                    return;
                }
                iterate.try_merge(j, l, f64::EPSILON * objective);
            }
        }
    }
}
