//! Exact codes for wide dictionaries: working sets of atoms, priced by products in
//! tiles, so that a step does not read the whole dictionary for one datapoint.

use std::ops::ControlFlow;

use rayon::prelude::*;

use crate::atoms::{Codes, Dictionary};
use crate::coder::{Coder, CoderError};
use crate::linalg::{Matrix, axpy, dot, fold_tiles, norm_sq};
use crate::num::max;
use crate::observer::{Observer, Progress, Stop};

/// Datapoints coded at a time: enough for products at full speed, and their
/// residuals take 25 MB at n = 768.
const CHUNK: usize = 4096;

/// Atoms that enter a working set at once, those that violate most. Fewer take more
/// rounds, each a product with the whole dictionary; more make the small problems
/// larger than the codes need.
const ENTERING: usize = 24;

/// Rounds at most. Each adds the worst violators; data take four to eight.
const ROUNDS: usize = 100;

/// Codes of a fixed dictionary with what each is worth.
#[derive(Clone, Debug, PartialEq)]
pub struct Coding {
    /// The codes, M × N.
    pub codes: Codes,
    /// `½‖x − Dz‖² + λ1ᵀz`, a point.
    pub objectives: Vec<f64>,
    /// Duality gap, a point (theorem `coding-gap`, in floating point).
    pub gaps: Vec<f64>,
    /// Why it ended. Points not reached have the codes they began with.
    pub stop: Stop,
}

/// Duality gap of a code from its residual and the largest `d_kᵀr`: `ρ = tr` with
/// `t = min(1, λ/max)` is in the polar polytope, and `xᵀρ − ½‖ρ‖²` a lower bound.
pub(super) fn gap(objective: f64, x: &[f64], residual: &[f64], largest: f64, lambda: f64) -> f64 {
    let t = if largest > lambda { lambda / largest } else { 1.0 };
    max(objective - t * (dot(x, residual) - 0.5 * t * norm_sq(residual)), 0.0)
}

/// A datapoint under way.
struct Point {
    code: Vec<(usize, f64)>,
    set: Vec<usize>,
    objective: f64,
    gap: f64,
}

/// Codes all columns of `points` to a relative gap of `tolerance`, each from the code
/// it has in `start`.
///
/// Only small problems over the atoms that violate `d_kᵀr ≤ λ` are solved, by
/// [`Coder`]; the whole dictionary is looked at once a round, for many points in one
/// product. O(nMN) a round, never M × N in memory.
///
/// # Guarantees
/// As those of [`Coder::encode`]: [`coding-gap`](crate::proofs::coding_gap).
///
/// # Errors
/// As [`Coder::encode`].
pub fn exact_codes(
    points: &Matrix,
    dictionary: &Dictionary,
    lambda: f64,
    start: Option<&Codes>,
    tolerance: f64,
    observer: &dyn Observer,
) -> Result<Coding, CoderError> {
    // Bad λ and dimensions are the coder's to name.
    let none = Matrix::zeros(points.nrows(), 0);
    Coder::default().encode(&none, dictionary, lambda, observer)?;
    let mut out: Vec<Point> = Vec::with_capacity(points.ncols());
    let mut stop = Stop::ToleranceMet;
    for from in (0..points.ncols()).step_by(CHUNK) {
        let range: Vec<usize> = (from..(from + CHUNK).min(points.ncols())).collect();
        let codes: Vec<Vec<(usize, f64)>> = range
            .iter()
            .map(|&i| start.map_or_else(Vec::new, |s| s.column(i).iter().map(|(k, &z)| (k, z)).collect()))
            .collect();
        let chunk = points.select_columns(&range);
        let (coded, ended) = code_chunk(&chunk, dictionary, lambda, codes, tolerance, observer)?;
        out.extend(coded);
        if ended != Stop::ToleranceMet {
            stop = ended;
        }
        observer.progress(&Progress {
            phase: "coding",
            iteration: out.len(),
            objective: out.iter().map(|p| p.objective).sum::<f64>() / as_f64(out.len()),
            lower_bound: f64::NAN,
            estimated_lower_bound: f64::NAN,
            atoms: dictionary.len(),
        });
    }
    let columns: Vec<Vec<(usize, f64)>> = out.iter_mut().map(|p| std::mem::take(&mut p.code)).collect();
    Ok(Coding {
        codes: Codes::from_columns(dictionary.len(), &columns),
        objectives: out.iter().map(|p| p.objective).collect(),
        gaps: out.iter().map(|p| p.gap).collect(),
        stop,
    })
}

#[expect(clippy::cast_precision_loss, reason = "counts are far below 2^53")]
fn as_f64(count: usize) -> f64 {
    count as f64
}

fn code_chunk(
    points: &Matrix,
    dictionary: &Dictionary,
    lambda: f64,
    codes: Vec<Vec<(usize, f64)>>,
    tolerance: f64,
    observer: &dyn Observer,
) -> Result<(Vec<Point>, Stop), CoderError> {
    let mut residuals = points.clone();
    let mut state: Vec<Point> = codes
        .into_iter()
        .enumerate()
        .map(|(i, code)| {
            let objective = value(points.col(i), dictionary, lambda, &code, residuals.col_mut(i));
            let set = code.iter().map(|(k, _)| *k).collect();
            Point { code, set, objective, gap: f64::INFINITY }
        })
        .collect();
    let mut open: Vec<usize> = (0..points.ncols()).collect();
    // At a gap of a few roundings nothing more can be gained.
    let met = |p: &Point| p.gap <= max(tolerance, 64.0 * f64::EPSILON) * p.objective;
    for _ in 0..ROUNDS {
        let violators = price(dictionary, &residuals.select_columns(&open), lambda);
        for (&i, (largest, _)) in open.iter().zip(&violators) {
            let p = &mut state[i];
            p.gap = gap(p.objective, points.col(i), residuals.col(i), *largest, lambda);
        }
        let still: Vec<(usize, &[(f64, usize)])> = open
            .iter()
            .zip(&violators)
            .filter(|(i, _)| !met(&state[**i]))
            .map(|(&i, (_, entering))| (i, entering.as_slice()))
            .collect();
        if still.is_empty() {
            return Ok((state, Stop::ToleranceMet));
        }
        if let ControlFlow::Break(interrupt) = observer.poll() {
            return Ok((state, interrupt.into()));
        }
        type Solved = Result<Option<(usize, Point, Vec<f64>)>, CoderError>;
        let solved: Vec<Solved> = still
            .par_iter()
            .map(|&(i, entering)| {
                let mut set = state[i].set.clone();
                set.extend(entering.iter().map(|(_, k)| *k));
                set.sort_unstable();
                set.dedup();
                if set.is_empty() {
                    return Ok(None);
                }
                let code = restricted(points.col(i), dictionary, lambda, &set)?;
                let mut residual = vec![0.0; points.nrows()];
                let objective = value(points.col(i), dictionary, lambda, &code, &mut residual);
                // A code that does not improve ends the point: what is left is rounding.
                let better = objective < state[i].objective;
                Ok(better.then_some((i, Point { code, set, objective, gap: f64::INFINITY }, residual)))
            })
            .collect();
        open.clear();
        for solved in solved {
            if let Some((i, point, residual)) = solved? {
                state[i] = point;
                residuals.col_mut(i).copy_from_slice(&residual);
                open.push(i);
            }
        }
        if open.is_empty() {
            return Ok((state, Stop::Stalled));
        }
    }
    Ok((state, Stop::IterationLimit))
}

/// Writes the residual of a code and gives its objective.
fn value(
    x: &[f64],
    dictionary: &Dictionary,
    lambda: f64,
    code: &[(usize, f64)],
    residual: &mut [f64],
) -> f64 {
    residual.copy_from_slice(x);
    let mut sum = 0.0;
    for &(k, z) in code {
        axpy(-z, dictionary.atom(k), residual);
        sum += z;
    }
    0.5 * norm_sq(residual) + lambda * sum
}

/// The best code over some atoms.
fn restricted(
    x: &[f64],
    dictionary: &Dictionary,
    lambda: f64,
    set: &[usize],
) -> Result<Vec<(usize, f64)>, CoderError> {
    let (small, _) =
        Dictionary::normalize(dictionary.matrix().select_columns(set)).expect("unit atoms stay unit atoms");
    let point = Matrix::from_columns(x.len(), &[x]);
    let coded = Coder::default().encode(&point, &small, lambda, &())?;
    Ok(coded.codes.column(0).iter().map(|(at, &z)| (set[at], z)).collect())
}

/// For every residual the largest `d_kᵀr`, and the atoms that violate `d_kᵀr ≤ λ` most.
fn price(dictionary: &Dictionary, residuals: &Matrix, lambda: f64) -> Vec<(f64, Vec<(f64, usize)>)> {
    type Found = Vec<(usize, f64, Vec<(f64, usize)>)>;
    let found: Found = fold_tiles(
        dictionary.matrix(),
        residuals,
        |_| dictionary.len(),
        Vec::new,
        |all: &mut Found, tile| {
            for (i, products) in tile.columns() {
                let largest = products.iter().copied().fold(f64::NEG_INFINITY, max);
                let mut entering: Vec<(f64, usize)> = Vec::new();
                if largest > lambda {
                    let above = tile.left().zip(products).filter(|(_, c)| **c > lambda);
                    entering.extend(above.map(|(k, &c)| (c, k)));
                    keep_worst(&mut entering);
                }
                all.push((i, largest, entering));
            }
        },
        |mut l, mut r| {
            l.append(&mut r);
            l
        },
    );
    let mut out = vec![(f64::NEG_INFINITY, Vec::new()); residuals.ncols()];
    for (i, largest, entering) in found {
        out[i].0 = max(out[i].0, largest);
        out[i].1.extend(entering);
    }
    out.iter_mut().for_each(|(_, entering)| keep_worst(entering));
    out
}

/// Keeps those of the largest product, ties by the index.
fn keep_worst(entering: &mut Vec<(f64, usize)>) {
    entering.sort_by(|l, r| r.0.total_cmp(&l.0).then(l.1.cmp(&r.1)));
    entering.truncate(ENTERING);
}

/// Largest correlations of residuals with atoms: over atoms a point, over points an
/// atom (the first of equal points).
#[derive(Clone, Debug, PartialEq)]
pub(super) struct Extremes {
    pub(super) of_points: Vec<f64>,
    pub(super) of_atoms: Vec<(f64, usize)>,
}

/// Points with their largest product, and atoms with theirs and its point.
type Found = (Vec<(usize, f64)>, Vec<(f64, usize)>);

/// One pass over `DᵀR`. O(nMN) time.
pub(super) fn extremes(dictionary: &Dictionary, residuals: &Matrix) -> Extremes {
    let atoms = dictionary.len();
    let (points, of_atoms) = fold_tiles(
        dictionary.matrix(),
        residuals,
        |_| atoms,
        || (Vec::new(), vec![(f64::NEG_INFINITY, usize::MAX); atoms]),
        |(points, of_atoms): &mut Found, tile| {
            for (i, products) in tile.columns() {
                let mut largest = f64::NEG_INFINITY;
                for (best, &c) in of_atoms[tile.left()].iter_mut().zip(products) {
                    largest = max(largest, c);
                    if c > best.0 {
                        *best = (c, i);
                    }
                }
                points.push((i, largest));
            }
        },
        |(mut points, mut atoms), (mut more, others)| {
            points.append(&mut more);
            for (best, other) in atoms.iter_mut().zip(others) {
                if other.0 > best.0 || (other.0 >= best.0 && other.1 < best.1) {
                    *best = other;
                }
            }
            (points, atoms)
        },
    );
    let mut of_points = vec![f64::NEG_INFINITY; residuals.ncols()];
    for (i, largest) in points {
        of_points[i] = max(of_points[i], largest);
    }
    Extremes { of_points, of_atoms }
}

/// A share of a total that may be 0.
pub(super) fn share(part: f64, whole: f64) -> f64 {
    if whole > 0.0 { part / whole } else { 0.0 }
}
