//! Coding with a fixed dictionary: the nonnegative lasso, each datapoint with its duality gap
//! (theorems `polar-polytope`, `coding-gap`).
//!
//! This is the only coder of the crate: the solvers at γ = 0, the diagnosis and the command
//! line use it. Its gaps are plain floating point, and so called duality gaps; a bound that
//! counts every rounding is [`trusted::Coding`](crate::trusted::Coding).

mod active_set;
mod block;
mod candidates;
mod gap;
mod lasso;
mod refit;
mod removal;
mod screen;
mod working_set;

use rayon::prelude::*;

use crate::atoms::{AtomsError, Codes, Dictionary, check_center};
use crate::linalg::{Columns, Matrix, axpy};
use crate::observer::{Latch, Observer, Progress, Stop};
use crate::problem::{DataError, check_entries};
use block::{Block, Coded, Solver};
use screen::Screen;

pub(crate) use gap::{duality_gap, objective};
pub(crate) use lasso::Lasso;

/// Why datapoints cannot be coded.
#[derive(Debug, Clone, PartialEq, thiserror::Error)]
#[non_exhaustive]
pub enum CoderError {
    /// λ is negative, infinite or NaN.
    #[error("lambda must be a finite number at least 0, found {0}")]
    Lambda(f64),
    /// Datapoints and atoms have different dimensions.
    #[error("datapoints have dimension {datapoints}, atoms {atoms}")]
    Dimension {
        /// Dimension of the datapoints.
        datapoints: usize,
        /// Dimension of the atoms.
        atoms: usize,
    },
    /// A coordinate that is NaN, infinite, or too large to square.
    #[error(transparent)]
    Data(#[from] DataError),
    /// A center or a start that does not fit.
    #[error(transparent)]
    Atoms(#[from] AtomsError),
}

/// Codes every datapoint against a fixed dictionary:
///
/// ```math
/// \min_{z\ge 0}\ \tfrac12\lVert x-b-Dz\rVert^2+\lambda\,\mathbf 1^\top z .
/// ```
///
/// Working sets of atoms are found by products of the whole dictionary with a block of
/// residuals, and solved by coordinate descent and a Cholesky factor: exact up to rounding
/// where the atoms in use are linearly independent. Where they are not (duplicates, say),
/// and where this stalls, an active-set method takes over, which is finite: dependent atoms
/// are exchanged along their null direction. The products are in single precision, which
/// only screens: what its proved error cannot settle is decided by inner products in double
/// precision (theorem [`rounding`](crate::proofs::rounding)).
///
/// O(nM) a round and datapoint, and a few rounds; O(nM²) once for `DᵀD` where the atoms are
/// few beside the datapoints, and never beyond 32 MB for it. 4nM bytes for the dictionary in
/// single precision; never M × N.
///
/// The result does not depend on the number of threads. Which datapoints are coded
/// together may change the last bits of a code.
///
/// # Guarantees
/// The codes are nonnegative, and the objective of a datapoint is at most its gap above
/// the optimum, in floating point: [`coding-gap`](crate::proofs::coding_gap). At a
/// gap of 0 the residual is a projection on a polytope:
/// [`polar-polytope`](crate::proofs::polar_polytope).
///
/// A duality gap needs a dual point with `d_kᵀρ ≤ λ` for every atom, and the residual has it
/// only up to rounding. Where λ is not small beside the datapoint, the residual is scaled
/// down to have it, and the gap is against that dual value. Near λ = 0, and at λ = 0, which is
/// least squares with z ≥ 0, scaling would cost the whole bound. The gap is then against the
/// dual value of the residual itself, with rounding left out of both the condition and the
/// gap; [`Encoded::at_rounding`] counts the datapoints where this was needed.
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
    /// Relative duality gap at which a datapoint is done.
    pub gap_tolerance: f64,
    /// Most rounds, and most steps of the active-set method, a datapoint, as a multiple
    /// of n + 10. A code uses at most n independent atoms; typical codes take a few
    /// rounds, and as many steps as they use atoms.
    pub max_steps_per_dimension: usize,
}

impl Default for Coder {
    fn default() -> Self {
        Self { gap_tolerance: 1e-10, max_steps_per_dimension: 10 }
    }
}

/// How datapoints are coded besides the settings: from where, about which center, and who
/// follows.
///
/// # Examples
/// ```
/// use widedict::{Dictionary, Matrix, coder::{Coder, CoderRun}};
/// let (dictionary, _) = Dictionary::normalize(Matrix::from_columns(2, &[[1.0, 0.0], [0.0, 1.0]]))?;
/// let x = Matrix::from_columns(2, &[[3.0, 4.3]]);
/// let run = CoderRun { center: Some(&[2.0, 4.0]), ..CoderRun::default() };
/// let encoded = Coder::default().encode_with(&x, &dictionary, 0.5, &run)?;
/// assert_eq!(encoded.codes.column(0).get(0), Some(&0.5));
/// // Codes that are good enough stay as they are.
/// let again = CoderRun { start: Some(&encoded.codes), ..run };
/// assert_eq!(Coder::default().encode_with(&x, &dictionary, 0.5, &again)?.codes, encoded.codes);
/// # Ok::<(), Box<dyn std::error::Error>>(())
/// ```
#[derive(Clone, Copy)]
pub struct CoderRun<'a> {
    /// Codes to start from, M × N. A datapoint whose code is within the tolerance keeps it.
    pub start: Option<&'a Codes>,
    /// Subtracted from every datapoint.
    pub center: Option<&'a [f64]>,
    /// Of how many datapoints these are a part, where they are: how inner products of atoms are
    /// held is decided by all.
    pub of: Option<usize>,
    /// Hears of the progress, and may stop the run.
    pub observer: &'a dyn Observer,
}

impl Default for CoderRun<'_> {
    /// From nothing, no center, and nobody who follows.
    fn default() -> Self {
        Self { start: None, center: None, of: None, observer: &() }
    }
}

/// Codes with what each is worth.
#[derive(Clone, Debug, PartialEq)]
pub struct Encoded {
    /// The codes, M × N.
    pub codes: Codes,
    /// `½‖x − b − Dz‖² + λ1ᵀz`, a datapoint.
    pub objectives: Vec<f64>,
    /// Duality gap, a datapoint: the objective is at most this above the optimum
    /// (theorem `coding-gap`, in floating point).
    pub gaps: Vec<f64>,
    /// Datapoints whose gap leaves rounding out, as it must near λ = 0 (see [`Coder`]).
    pub at_rounding: usize,
    /// Why the run ended. Datapoints not reached have the codes they started from, and their
    /// gap is the best that was known.
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
    /// Codes measured without a product, where few atoms could matter.
    pub screened: usize,
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
        self.screened += other.screened;
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

/// Datapoints of one product with the dictionary, and a parallel task's share:
/// enough for products near full speed; more make blocks too few for the threads.
const DATAPOINTS: usize = 64;

/// Entries of a dictionary beyond which a product reads it from memory, more slowly than it
/// computes: twice as many datapoints then share it. Four times as many save another tenth of
/// the time, and leave cores without a block.
const LARGE: usize = 1 << 22;

/// Datapoints between two reports of progress, a multiple of twice [`DATAPOINTS`].
const WAVE: usize = 64 * DATAPOINTS;

/// Most entries of a Gram matrix held: 32 MB. Beyond, its columns come from memory as
/// slowly as they are formed.
const GRAM_ENTRIES: usize = 1 << 22;

/// Most entries of a Gram matrix held a datapoint: a datapoint needs about this many,
/// formed at a third of the speed of a large product.
const GRAM_ENTRIES_PER_DATAPOINT: usize = 512;

/// Steps granted besides those that grow with the dimension.
const EXTRA_STEPS: usize = 10;

/// What is asked of the codes.
#[derive(Clone, Copy)]
struct Demand {
    /// λ.
    lambda: f64,
    /// Relative duality gap at which a datapoint is done.
    gap_tolerance: f64,
    /// Rounds, and steps of the active-set method, at most.
    max_steps: usize,
    /// Whether starts are known to miss the tolerance: they are solved anew before they are
    /// measured.
    stale: bool,
}

/// One coded datapoint.
struct DatapointCode {
    /// Atoms with their codes, ascending in the atom.
    entries: Vec<(usize, f64)>,
    objective: f64,
    gap: f64,
    /// Whether the gap leaves rounding out.
    at_rounding: bool,
}

impl Coder {
    /// Codes all columns of `datapoints` (n × N) from nothing.
    ///
    /// # Errors
    /// As [`Coder::encode_with`].
    pub fn encode(
        &self,
        datapoints: &dyn Columns,
        dictionary: &Dictionary,
        lambda: f64,
        observer: &dyn Observer,
    ) -> Result<Encoded, CoderError> {
        self.encode_with(datapoints, dictionary, lambda, &CoderRun { observer, ..CoderRun::default() })
    }

    /// Codes all columns of `datapoints` (n × N), less the run's center, each from its start.
    ///
    /// # Errors
    /// [`CoderError`] for a bad λ, dimensions that differ, and data, a center or a start that
    /// a [`Problem`](crate::Problem) would refuse.
    pub fn encode_with(
        &self,
        datapoints: &dyn Columns,
        dictionary: &Dictionary,
        lambda: f64,
        run: &CoderRun<'_>,
    ) -> Result<Encoded, CoderError> {
        check(datapoints, dictionary, lambda, run)?;
        let (n, count) = (datapoints.nrows(), datapoints.ncols());
        let demand =
            Demand { lambda, gap_tolerance: self.gap_tolerance, max_steps: self.max_steps(n), stale: false };
        let pairs = dictionary.len().saturating_mul(dictionary.len());
        let held = pairs <= GRAM_ENTRIES
            && pairs <= GRAM_ENTRIES_PER_DATAPOINT.saturating_mul(run.of.unwrap_or(count));
        let gram = held.then(|| dictionary.matrix().gram());
        let screen = Screen::new(dictionary.matrix());
        let latch = Latch::new(run.observer);
        let together = datapoints_of_block(dictionary.matrix());
        let mut gathered = Gathered::default();
        for from in (0..count).step_by(WAVE) {
            let to = (from + WAVE).min(count);
            let coded: Vec<Coded> = (from..to)
                .into_par_iter()
                .step_by(together)
                .map_init(
                    || (Solver::new(dictionary.matrix(), &screen, gram.as_ref()), Vec::new()),
                    |(solver, shifted), from| {
                        let to = (from + together).min(to);
                        let block = datapoints.run(from..to);
                        let starts: Vec<Vec<(usize, f64)>> = run.start.map_or_else(Vec::new, |start| {
                            (from..to)
                                .map(|i| start.column(i).iter().map(|(k, &z)| (k, z)).collect())
                                .collect()
                        });
                        let block = shift(&block, run.center, shifted);
                        let block = Block { datapoints: block, count: to - from, starts: &starts };
                        solver.solve(&block, &demand, &latch)
                    },
                )
                .collect();
            coded.into_iter().for_each(|coded| gathered.push(coded));
            run.observer.progress(&gathered.progress(dictionary.len()));
        }
        Ok(gathered.finish(dictionary.len(), self.gap_tolerance, &latch))
    }

    fn max_steps(&self, dim: usize) -> usize {
        self.max_steps_per_dimension.saturating_mul(dim + EXTRA_STEPS)
    }
}

/// Datapoints of a product with a dictionary.
fn datapoints_of_block(atoms: &Matrix) -> usize {
    if atoms.as_slice().len() > LARGE { 2 * DATAPOINTS } else { DATAPOINTS }
}

/// The datapoints of a block less the center.
fn shift<'b>(datapoints: &'b [f64], center: Option<&[f64]>, buffer: &'b mut Vec<f64>) -> &'b [f64] {
    let Some(center) = center else { return datapoints };
    buffer.clear();
    buffer.extend_from_slice(datapoints);
    buffer.chunks_exact_mut(center.len()).for_each(|x| axpy(-1.0, center, x));
    buffer
}

pub(crate) fn check(
    datapoints: &dyn Columns,
    dictionary: &Dictionary,
    lambda: f64,
    run: &CoderRun<'_>,
) -> Result<(), CoderError> {
    let (n, count) = (datapoints.nrows(), datapoints.ncols());
    if !(lambda.is_finite() && lambda >= 0.0) {
        return Err(CoderError::Lambda(lambda));
    }
    if n != dictionary.dim() {
        return Err(CoderError::Dimension { datapoints: n, atoms: dictionary.dim() });
    }
    if n == 0 {
        return Err(DataError::Empty { datapoints: count, dim: n }.into());
    }
    check_entries(datapoints)?;
    run.center.map_or(Ok(()), |center| check_center(center, n))?;
    let Some(start) = run.start else { return Ok(()) };
    for (what, expected, found) in [
        ("atoms in the start", dictionary.len(), start.atoms()),
        ("datapoints in the start", count, start.datapoints()),
    ] {
        if expected != found {
            return Err(AtomsError::Shape { what, expected, found }.into());
        }
    }
    Ok(())
}

/// The codes of the blocks so far, in order.
struct Gathered {
    starts: Vec<usize>,
    atoms: Vec<usize>,
    values: Vec<f64>,
    objectives: Vec<f64>,
    gaps: Vec<f64>,
    at_rounding: usize,
    work: Work,
}

impl Default for Gathered {
    fn default() -> Self {
        Self {
            starts: vec![0],
            atoms: Vec::new(),
            values: Vec::new(),
            objectives: Vec::new(),
            gaps: Vec::new(),
            at_rounding: 0,
            work: Work::default(),
        }
    }
}

impl Gathered {
    fn push(&mut self, coded: Coded) {
        let mut end = self.atoms.len();
        for length in coded.lengths {
            end += length;
            self.starts.push(end);
        }
        for (atom, value) in coded.entries {
            self.atoms.push(atom);
            self.values.push(value);
        }
        self.objectives.extend(coded.objectives);
        self.gaps.extend(coded.gaps);
        self.at_rounding += coded.at_rounding;
        self.work += coded.work;
    }

    #[expect(clippy::cast_precision_loss, reason = "counts are far below 2^53")]
    fn progress(&self, atoms: usize) -> Progress {
        Progress {
            phase: "coding",
            iteration: self.objectives.len(),
            objective: self.objectives.iter().sum::<f64>() / self.objectives.len() as f64,
            lower_bound: f64::NAN,
            estimated_lower_bound: f64::NAN,
            atoms,
        }
    }

    fn finish(self, atoms: usize, gap_tolerance: f64, latch: &Latch<'_>) -> Encoded {
        let met = self.objectives.iter().zip(&self.gaps).all(|(o, g)| *g <= gap_tolerance * o);
        let stop = match latch.interrupt() {
            _ if met => Stop::ToleranceMet,
            Some(interrupt) => interrupt.into(),
            None => Stop::Stalled,
        };
        Encoded {
            codes: Codes::from_csc(atoms, self.starts, self.atoms, self.values),
            objectives: self.objectives,
            gaps: self.gaps,
            at_rounding: self.at_rounding,
            stop,
            work: self.work,
        }
    }
}
