//! γ = 0 with as many atoms as wanted: radial soft-thresholding (theorem `wide-limit`).
//!
//! No solver runs: the optimum is written down. It has an atom per distinct direction,
//! so it is no compression of the data; it is the number that every narrower dictionary
//! is measured against. With γ > 0 or fewer atoms it does not apply.

use rayon::prelude::*;

use super::center::{Location, location};
use crate::atoms::{Codes, Dictionary, Factorization, check_center};
use crate::certificate::{Options, Witness, certify_observed};
use crate::linalg::{Columns, chunk_columns, dot, norm, simd};
use crate::observer::{Latch, Observer, Stop};
use crate::problem::Problem;
use crate::solution::{Run, Solution, SolveError};

/// Directions closer than this (Euclidean distance of unit vectors) share an atom: they
/// are collinear datapoints whose normalized coordinates differ by rounding. The
/// objective changes by the square of it, far below rounding.
const SAME_DIRECTION: f64 = 1e-13;

/// Pairs of directions compared between two questions to the observer: microseconds.
const COMPARED: usize = 1024;

/// The optimum at γ = 0, in closed form: datapoint i is active iff `‖xᵢ − b‖ > λ`; its
/// atom is `(xᵢ − b)/‖xᵢ − b‖`, its code `‖xᵢ − b‖ − λ`. Collinear datapoints share an
/// atom.
///
/// Without a center b = 0. Where a center is learnt, b is the Huber location
/// `min_b Σ wᵢ h_λ(‖xᵢ − b‖)` (theorem [`centre`](crate::proofs::centre)). It need not be
/// unique; one of the optimal ones is returned.
///
/// # Guarantees
/// The optimum for every width of at least the number of distinct active directions:
/// [`wide-limit`](crate::proofs::wide_limit). The certified gap is of rounding size
/// without a center, and that of the location problem with one.
///
/// # Errors
/// [`SolveError::NotApplicable`] unless γ = 0.
///
/// # Examples
/// ```
/// use widedict::{Matrix, Problem, wide};
/// let x = Matrix::from_columns(2, &[[3.0, 4.0], [0.1, 0.0]]);
/// let problem = Problem::builder(x).lambda(1.0).build()?;
/// let solution = wide::closed_form(&problem)?;
/// let certificate = solution.certified.certificate();
/// // ½·(1·5 − ½) + ½·(½·0.01)
/// assert!((certificate.objective() - 2.2525).abs() < 1e-12);
/// assert!(certificate.relative_gap() < 1e-12);
/// # Ok::<(), Box<dyn std::error::Error>>(())
/// ```
pub fn closed_form(problem: &Problem) -> Result<Solution, SolveError> {
    closed_form_with(problem, &Run::default())
}

/// [`closed_form`] with an observer, who may stop the search for the center; the best
/// center so far is used then, and the certificate leaves out what
/// [`certify_observed`](crate::certificate::certify_observed) says. A start is of no use and
/// not looked at.
///
/// # Errors
/// As [`closed_form`].
pub fn closed_form_with(problem: &Problem, run: &Run<'_>) -> Result<Solution, SolveError> {
    check(problem)?;
    let (data, latch) = (problem.data(), Latch::new(run.observer));
    if problem.centered() {
        let found = location(data, problem.lambda(), &latch);
        return closed_form_at(problem, &found, &latch);
    }
    let factorization = radial(data.datapoints(), problem.lambda(), None, &latch)?;
    let witness = Witness::none();
    let certified = certify_observed(problem, factorization, &witness, &Options::default(), &latch)?;
    Ok(Solution { certified, witness, stop: Stop::ToleranceMet, iterations: 0 })
}

/// [`closed_form_with`] for a problem whose center is learnt, about the Huber location that was
/// found before: its search is not made again.
///
/// # Errors
/// As [`closed_form`]; [`SolveError::Certify`] where the location is not one of the problem's
/// data or the center is fixed.
pub fn closed_form_at(
    problem: &Problem,
    location: &Location,
    observer: &dyn Observer,
) -> Result<Solution, SolveError> {
    check(problem)?;
    let latch = Latch::new(observer);
    check_center(&location.center, problem.dim())?;
    let mut shifted = problem.data().datapoints().to_matrix();
    for i in 0..shifted.ncols() {
        crate::linalg::axpy(-1.0, &location.center, shifted.col_mut(i));
    }
    let factorization = radial(&shifted, problem.lambda(), Some(location.center.clone()), &latch)?;
    let witness = Witness { dual: Some(location.dual.clone()), ..Witness::none() };
    let certified = certify_observed(problem, factorization, &witness, &Options::default(), &latch)?;
    Ok(Solution { certified, witness, stop: location.stop, iterations: location.iterations })
}

fn check(problem: &Problem) -> Result<(), SolveError> {
    if problem.gamma() > 0.0 {
        return Err(SolveError::NotApplicable {
            method: "closed form",
            needs: "gamma = 0",
            found: format!("gamma = {}", problem.gamma()),
        });
    }
    Ok(())
}

/// Atoms and codes of the radial solution for (shifted) datapoints.
fn radial(
    datapoints: &dyn Columns,
    lambda: f64,
    center: Option<Vec<f64>>,
    observer: &dyn Observer,
) -> Result<Factorization, SolveError> {
    let Directions { lengths, active, group_of, leaders } = Directions::of(datapoints, lambda, observer);
    let (dictionary, _) = Dictionary::normalize(datapoints.select_columns(&leaders))?;
    let mut starts = vec![0];
    let mut position = 0;
    for i in 0..datapoints.ncols() {
        position += usize::from(active.get(position) == Some(&i));
        starts.push(position);
    }
    let values = active.iter().map(|&i| lengths[i] - lambda).collect();
    let codes = Codes::from_csc(dictionary.len(), starts, group_of, values);
    Ok(Factorization::new(dictionary, codes, center)?)
}

/// The columns longer than λ, grouped by direction.
pub(super) struct Directions {
    /// Lengths of all columns.
    pub(super) lengths: Vec<f64>,
    /// The columns longer than λ, ascending.
    pub(super) active: Vec<usize>,
    /// The group of each, groups in the order of their first column.
    pub(super) group_of: Vec<usize>,
    /// The first column of each group.
    pub(super) leaders: Vec<usize>,
}

impl Directions {
    /// One pass over the columns, in parallel, and a sort: O(nN + N log N) unless many
    /// columns have the same projection on one vector without being collinear. Columns that
    /// the observer breaks before are groups of their own.
    pub(super) fn of(datapoints: &dyn Columns, lambda: f64, observer: &dyn Observer) -> Self {
        let n = datapoints.nrows();
        // A fixed vector without structure. Equal directions have equal projections on it up
        // to rounding, so that only neighbors in their order need comparing.
        #[expect(clippy::cast_precision_loss, reason = "a small index")]
        let probe: Vec<f64> = (0..n).map(|j| ((j + 1) as f64).sqrt().fract() - 0.5).collect();
        let reach = SAME_DIRECTION * (1.0 + norm(&probe));
        let (mut lengths, mut keys) = (vec![0.0; datapoints.ncols()], vec![0.0; datapoints.ncols()]);
        let chunk = chunk_columns(n);
        lengths.par_chunks_mut(chunk).zip(keys.par_chunks_mut(chunk)).enumerate().for_each(
            |(c, (lengths, keys))| {
                let datapoints = datapoints.run(c * chunk..c * chunk + lengths.len());
                simd(
                    #[inline(always)]
                    || {
                        for ((x, length), key) in datapoints.chunks_exact(n).zip(lengths).zip(keys) {
                            *length = norm(x);
                            *key = dot(x, &probe) / *length;
                        }
                    },
                );
            },
        );
        let active: Vec<usize> = (0..datapoints.ncols()).filter(|&i| lengths[i] > lambda).collect();
        // Keys with positions in `active`.
        let mut order: Vec<(f64, usize)> = active.iter().map(|&i| keys[i]).zip(0..).collect();
        order.par_sort_unstable_by(|p, q| p.0.total_cmp(&q.0).then(p.1.cmp(&q.1)));
        let apart = |p: usize, q: usize| {
            let (i, j) = (active[p], active[q]);
            let (x, y) = (datapoints.column(i), datapoints.column(j));
            x.iter().zip(&*y).map(|(a, b)| a / lengths[i] - b / lengths[j]).map(|d| d * d).sum::<f64>()
        };
        let mut leader: Vec<usize> = (0..active.len()).collect();
        let mut compared = 0;
        for (place, &(key, p)) in order.iter().enumerate() {
            if compared >= COMPARED {
                compared = 0;
                if observer.poll().is_break() {
                    break;
                }
            }
            for &(_, q) in order[..place].iter().rev().take_while(|(other, _)| key - other <= reach) {
                compared += 1;
                if apart(p, q) <= SAME_DIRECTION * SAME_DIRECTION {
                    leader[p] = leader[q];
                    break;
                }
            }
        }
        // Renumber by first appearance.
        let mut number = vec![usize::MAX; active.len()];
        let (mut group_of, mut leaders) = (Vec::with_capacity(active.len()), Vec::new());
        for (&i, l) in active.iter().zip(leader) {
            if number[l] == usize::MAX {
                number[l] = leaders.len();
                leaders.push(i);
            }
            group_of.push(number[l]);
        }
        Self { lengths, active, group_of, leaders }
    }
}
