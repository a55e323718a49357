//! The joint problem at γ > 0: block descent by the gauge's proximal map.

use super::{Descended, Finite, Start};
use crate::atoms::{Codes, Dictionary, Factorization};
use crate::coder::Coder;
use crate::iterate::{Atom, Iterate};
use crate::linalg::{Matrix, axpy, dot};
use crate::master::{Effort, Master, Proximal};
use crate::num::max;
use crate::observer::{Observer, Progress, Stop};
use crate::problem::Problem;
use crate::search::oracle::{Ascent, distinct};
use crate::solution::{Run, SolveError};
use crate::solve::column_generation::ColumnGeneration;
use crate::trusted::Subject;
use crate::trusted::first_order;

/// Sweeps between two looks at the stationarity, which costs O(nMN) itself.
const SWEEPS: usize = 20;

/// Pairs of atoms closer than this are tried as one; the trial is exact.
const MERGE_COHERENCE: f64 = 0.95;

/// New atoms of one round differ by at least this cosine.
const NEW_COHERENCE: f64 = 0.98;

/// A polar within this of 1 offers nothing.
const POLAR_SLACK: f64 = 1e-9;

/// Gap to which the convex problem is solved before it is rounded.
const ROUGH_GAP: f64 = 1e-2;

/// One start, with its objective.
pub(super) fn solve(
    settings: &Finite,
    problem: &Problem,
    restart: usize,
    observer: &dyn Observer,
) -> Result<(f64, Descended), SolveError> {
    let (kind, seed) = settings.start(restart, [Start::Rounded, Start::Spread, Start::Random]);
    let start = match kind {
        Start::Rounded => rounded(settings, problem, seed, observer)?,
        Start::Spread | Start::Random => coded(settings, kind, problem, seed, observer)?,
    };
    let descended = solve_from(settings, problem, &start, observer)?;
    let objective = Subject::of(problem, &descended.factorization)?.primal().value();
    Ok((objective, descended))
}

/// The atoms of largest gauge of the convex solution, with their codes.
fn rounded(
    settings: &Finite,
    problem: &Problem,
    seed: u64,
    observer: &dyn Observer,
) -> Result<Factorization, SolveError> {
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
fn coded(
    settings: &Finite,
    kind: Start,
    problem: &Problem,
    seed: u64,
    observer: &dyn Observer,
) -> Result<Factorization, SolveError> {
    let center = problem.centered().then(|| problem.data().mean());
    let zero = vec![0.0; problem.dim()];
    let origin = center.as_deref().unwrap_or(&zero);
    let dictionary = settings.dictionary(kind, problem, origin, seed)?;
    let mut datapoints = problem.data().datapoints().clone();
    for i in 0..datapoints.ncols() {
        axpy(-1.0, origin, datapoints.col_mut(i));
    }
    let price = problem.lambda().hypot(problem.gamma());
    let encoded = Coder::default()
        .encode(&datapoints, &dictionary, price, observer)
        .expect("a validated problem's points and price, atoms of their dimension");
    Ok(Factorization::new(dictionary, encoded.codes, center)?)
}

/// Descends from a factorization: sweeps, then merging and new atoms in the places that
/// are free, until the stationarity is met.
pub(super) fn solve_from(
    settings: &Finite,
    problem: &Problem,
    start: &Factorization,
    observer: &dyn Observer,
) -> Result<Descended, SolveError> {
    let mut iterate = Iterate::from_factorization(problem, &first_atoms(problem, start, settings.width)?);
    let mut iterations = 0;
    let mut last = f64::INFINITY;
    let stop = loop {
        fill(&mut iterate, settings.width, settings.seed.wrapping_add(iterations as u64), observer);
        let effort = Effort { max_sweeps: SWEEPS, decrease_tolerance: 0.0 };
        let (made, flow) = Proximal.descend(&mut iterate, effort, observer);
        iterations += made;
        if let std::ops::ControlFlow::Break(interrupt) = flow {
            break interrupt.into();
        }
        merge(&mut iterate);
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
        if first_order::residuals(&Subject::of(problem, &here)?).relative() <= settings.stationarity_tolerance
        {
            break Stop::ToleranceMet;
        }
        if iterations >= settings.max_iterations {
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

/// Merges near-duplicates where that does not raise the objective.
fn merge(iterate: &mut Iterate<'_>) {
    let objective = iterate.objective();
    let directions = Matrix::from_columns(
        iterate.problem.dim(),
        &iterate.atoms.iter().map(|a| &a.direction[..]).collect::<Vec<_>>(),
    );
    for j in 0..directions.ncols() {
        for l in j + 1..directions.ncols() {
            if dot(directions.col(j), directions.col(l)) > MERGE_COHERENCE
                && !iterate.atoms[j].row.is_empty()
                && !iterate.atoms[l].row.is_empty()
            {
                iterate.try_merge(j, l, f64::EPSILON * objective);
            }
        }
    }
}
