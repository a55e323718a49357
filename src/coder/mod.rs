//! Coding with a fixed dictionary: the nonnegative lasso, each point with its
//! certified duality gap (theorems `polar-polytope`, `coding-gap`).

mod active_set;
mod block;
mod screen;

use std::ops::ControlFlow;

use rayon::prelude::*;

use crate::atoms::{Codes, Dictionary};
use crate::linalg::Matrix;
use crate::observer::{Interrupt, Observer, Stop};
use active_set::Workspace;
use screen::Screen;

/// Why points cannot be coded.
#[derive(Debug, Clone, PartialEq, thiserror::Error)]
#[non_exhaustive]
pub enum CoderError {
    /// λ is negative, infinite or NaN.
    #[error("lambda must be a finite number at least 0, found {0}")]
    Lambda(f64),
    /// Points and atoms have different dimensions.
    #[error("points have dimension {points}, atoms {atoms}")]
    Dimension {
        /// Dimension of the points.
        points: usize,
        /// Dimension of the atoms.
        atoms: usize,
    },
    /// A coordinate that is NaN or infinite.
    #[error("datapoint {point}, coordinate {coordinate}: expected a finite number, found {value}")]
    NotFinite {
        /// Index of the datapoint.
        point: usize,
        /// Index of the coordinate.
        coordinate: usize,
        /// What was found.
        value: f64,
    },
}

/// Codes every datapoint against a fixed dictionary:
///
/// ```math
/// \min_{z\ge 0}\ \tfrac12\lVert x-Dz\rVert^2+\lambda\,\mathbf 1^\top z .
/// ```
///
/// Working sets of atoms, found by products of the whole dictionary with a block of
/// residuals (in single precision, which only screens: whatever its proved error cannot
/// settle is decided by inner products in double precision, theorem
/// [`rounding`](crate::proofs::rounding)) and solved by coordinate descent and a Cholesky
/// factor: exact up to
/// rounding where the atoms in use are linearly independent. Where they are not
/// (duplicates, say), and where this stalls, an active-set method with Cholesky
/// factors takes over, which is finite: dependent atoms are exchanged along their
/// null direction. O(nM) a round and point, and a few rounds; O(nM²) once for `DᵀD`
/// where the atoms are few beside the datapoints, and never beyond 32 MB for it. 4nM bytes
/// for the dictionary in single precision.
///
/// The result does not depend on the number of threads. Which datapoints are coded
/// together may change the last bits of a code.
///
/// # Guarantees
/// The codes are nonnegative, and the objective of a point is at most its gap above
/// the optimum, in floating point: [`coding-gap`](crate::proofs::coding_gap). At a
/// gap of 0 the residual is a projection on a polytope:
/// [`polar-polytope`](crate::proofs::polar_polytope).
///
/// # Examples
/// ```
/// use widedict::{Dictionary, Matrix, coder::Coder};
/// let atoms = Matrix::from_columns(2, &[[1.0, 0.0], [0.0, 1.0]]);
/// let (dictionary, _) = Dictionary::normalize(atoms)?;
/// let x = Matrix::from_columns(2, &[[1.0, 0.3]]);
/// let encoded = Coder::default().encode(&x, &dictionary, 0.5, &())?;
/// assert_eq!(encoded.codes.column(0).get(0), Some(&0.5));
/// # Ok::<(), Box<dyn std::error::Error>>(())
/// ```
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Coder {
    /// Relative duality gap at which a point is done.
    pub tolerance: f64,
    /// Most rounds, and most steps of the active-set method, a point, as a multiple
    /// of n + 10 (a code uses at most n independent atoms; typical codes take a few
    /// rounds, and as many steps as they use atoms).
    pub max_sweeps: usize,
}

impl Default for Coder {
    fn default() -> Self {
        Self { tolerance: 1e-10, max_sweeps: 10 }
    }
}

/// Codes with what each is worth.
#[derive(Clone, Debug, PartialEq)]
pub struct Encoded {
    /// The codes, M × N.
    pub codes: Codes,
    /// `½‖x − Dz‖² + λ1ᵀz`, a point.
    pub objectives: Vec<f64>,
    /// Duality gap, a point: the objective is at most this above the optimum
    /// (theorem `coding-gap`, in floating point).
    pub gaps: Vec<f64>,
    /// Why the run ended. Points not reached have zero codes (and their true gap).
    pub stop: Stop,
    /// What it took: the same for any number of threads.
    pub work: Work,
}

/// Counts of what the coder did, over all datapoints.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
#[non_exhaustive]
pub struct Work {
    /// Products `Dᵀr`, O(nM) each.
    pub products: usize,
    /// Sweeps of coordinate descent over a working set.
    pub sweeps: usize,
    /// Cholesky factors of a support.
    pub factors: usize,
    /// Datapoints handed to the active-set method that takes in one atom at a time.
    pub handed_over: usize,
}

impl std::ops::AddAssign for Work {
    fn add_assign(&mut self, other: Self) {
        self.products += other.products;
        self.sweeps += other.sweeps;
        self.factors += other.factors;
        self.handed_over += other.handed_over;
    }
}

impl Encoded {
    /// Largest gap relative to its objective; 0 where that is 0.
    #[must_use]
    pub fn max_relative_gap(&self) -> f64 {
        self.objectives
            .iter()
            .zip(&self.gaps)
            .map(|(o, g)| if *o > 0.0 { g / o } else { 0.0 })
            .fold(0.0, crate::num::max)
    }
}

/// Datapoints between two polls of the observer, and a parallel task's share.
const BLOCK: usize = 32;

/// Datapoints of one product with the dictionary, between two polls of the observer:
/// enough for products near full speed; more make blocks too few for the threads.
const POINTS: usize = 64;

/// Most entries of a Gram matrix held: 32 MB. Beyond, its columns come from memory as
/// slowly as they are formed.
const GRAM_ENTRIES: usize = 1 << 22;

/// Most entries of a Gram matrix held a datapoint: a datapoint needs about this many,
/// formed at a third of the speed of a large product.
const GRAM_ENTRIES_PER_POINT: usize = 512;

impl Coder {
    /// Codes all columns of `points` (n × N).
    ///
    /// # Errors
    /// [`CoderError`] for a bad λ, dimensions that differ, or data not finite.
    pub fn encode(
        &self,
        points: &Matrix,
        dictionary: &Dictionary,
        lambda: f64,
        observer: &dyn Observer,
    ) -> Result<Encoded, CoderError> {
        if !(lambda.is_finite() && lambda >= 0.0) {
            return Err(CoderError::Lambda(lambda));
        }
        if points.nrows() != dictionary.dim() {
            return Err(CoderError::Dimension { points: points.nrows(), atoms: dictionary.dim() });
        }
        let n = points.nrows();
        if let Some(at) = points.as_slice().iter().position(|v| !v.is_finite()) {
            let value = points.as_slice()[at];
            return Err(CoderError::NotFinite { point: at / n, coordinate: at % n, value });
        }
        let limit = self.max_sweeps.saturating_mul(n + 10);
        let pairs = dictionary.len().saturating_mul(dictionary.len());
        let held = pairs <= GRAM_ENTRIES && pairs <= GRAM_ENTRIES_PER_POINT.saturating_mul(points.ncols());
        let gram = held.then(|| dictionary.matrix().gram());
        let screen = Screen::new(dictionary.matrix());
        let blocks: Vec<(block::Coded, Option<Interrupt>)> = (0..points.ncols().div_ceil(POINTS))
            .into_par_iter()
            .map_init(
                || block::Solver::new(dictionary.matrix(), &screen, gram.as_ref()),
                |solver, block| {
                    let interrupt = match observer.poll() {
                        ControlFlow::Break(interrupt) => Some(interrupt),
                        ControlFlow::Continue(()) => None,
                    };
                    let (from, to) = (block * POINTS, ((block + 1) * POINTS).min(points.ncols()));
                    let demand = block::Demand {
                        lambda,
                        tolerance: self.tolerance,
                        limit: if interrupt.is_some() { 0 } else { limit },
                    };
                    (solver.solve(&points.as_slice()[from * n..to * n], to - from, &[], &demand), interrupt)
                },
            )
            .collect();
        let interrupt = blocks.iter().find_map(|(_, interrupt)| *interrupt);
        let (mut starts, mut atoms, mut values) = (vec![0], Vec::new(), Vec::new());
        let (mut objectives, mut gaps) = (Vec::new(), Vec::new());
        let mut work = Work::default();
        for (block, _) in blocks {
            let mut end = atoms.len();
            for length in block.lengths {
                end += length;
                starts.push(end);
            }
            for (atom, value) in block.entries {
                atoms.push(atom);
                values.push(value);
            }
            objectives.extend(block.objectives);
            gaps.extend(block.gaps);
            work += block.work;
        }
        let met = objectives.iter().zip(&gaps).all(|(o, g)| *g <= self.tolerance * o);
        let stop = match interrupt {
            Some(interrupt) => interrupt.into(),
            None if met => Stop::ToleranceMet,
            None => Stop::Stalled,
        };
        let codes = Codes::from_csc(dictionary.len(), starts, atoms, values);
        Ok(Encoded { codes, objectives, gaps, stop, work })
    }
}

/// One coded datapoint.
struct PointCode {
    code: Vec<(usize, f64)>,
    objective: f64,
    gap: f64,
}

/// Relative gap at which a warm-started point is done: the next move of the
/// dictionary changes the objective by far more.
const WARM_TOLERANCE: f64 = 1e-11;

/// Codes every column of `points` (less their center) over the unit columns of
/// `atoms`, each from the code it has; gives `½‖x − Dz‖² + λ1ᵀz` a point.
///
/// A round costs O(nM) a datapoint, at the speed of products; `gram = DᵀD`, where it is
/// held, saves the inner products of the atoms in use.
pub(crate) fn recode(
    points: &Matrix,
    atoms: &Matrix,
    gram: Option<&Matrix>,
    lambda: f64,
    codes: &mut [Vec<(usize, f64)>],
) -> Vec<f64> {
    let n = points.nrows();
    let demand = block::Demand {
        lambda,
        tolerance: WARM_TOLERANCE,
        limit: Coder::default().max_sweeps.saturating_mul(n + 10),
    };
    let screen = Screen::new(atoms);
    let values: Vec<Vec<f64>> = codes
        .par_chunks_mut(POINTS)
        .zip(points.as_slice().par_chunks(POINTS * n.max(1)))
        .map_init(
            || block::Solver::new(atoms, &screen, gram),
            |solver, (codes, points)| {
                let coded = solver.solve(points, codes.len(), codes, &demand);
                let mut entries = coded.entries.into_iter();
                for (code, length) in codes.iter_mut().zip(coded.lengths) {
                    code.clear();
                    code.extend(entries.by_ref().take(length));
                }
                coded.objectives
            },
        )
        .collect();
    values.into_iter().flatten().collect()
}

/// What every atom is worth: the rise of `Σ wᵢ(½‖xᵢ − Dzᵢ‖² + λ1ᵀzᵢ)` when the
/// datapoints that use it are coded without it. `values` are the points' own
/// objectives at `codes`.
pub(crate) fn removal_costs(
    points: &Matrix,
    atoms: &Matrix,
    gram: Option<&Matrix>,
    lambda: f64,
    weights: &[f64],
    codes: &[Vec<(usize, f64)>],
    values: &[f64],
) -> Vec<f64> {
    let limit = Coder::default().max_sweeps.saturating_mul(points.nrows() + 10);
    let rises: Vec<Vec<(usize, f64)>> = codes
        .par_chunks(BLOCK)
        .enumerate()
        .map_init(
            || Workspace::new(atoms, gram),
            |work, (block, codes)| {
                let range: Vec<usize> = (block * BLOCK..block * BLOCK + codes.len()).collect();
                let products = gram.map(|_| atoms.transpose_times(&points.select_columns(&range)));
                let mut rises = Vec::new();
                for (offset, (&i, code)) in range.iter().zip(codes).enumerate() {
                    let products = products.as_ref().map(|p| p.col(offset));
                    let point = active_set::Point { x: points.col(i), products, lambda };
                    for &(out, _) in code {
                        let rest: Vec<(usize, f64)> =
                            code.iter().copied().filter(|(k, _)| *k != out).collect();
                        let value = work.solve_without(out, &point, &rest, WARM_TOLERANCE, limit).objective;
                        rises.push((out, weights[i] * (value - values[i])));
                    }
                }
                rises
            },
        )
        .collect();
    let mut costs = vec![0.0; atoms.ncols()];
    for (k, rise) in rises.into_iter().flatten() {
        costs[k] += rise;
    }
    costs
}
