//! Up to which atom price one atom per datapoint stays optimal (theorem
//! `regime-boundary`): the search over pairs. What a pair proves is in
//! [`trusted::boundary`](crate::trusted::boundary).

use rayon::prelude::*;

use crate::atoms::{Codes, Dictionary, Factorization};
use crate::linalg::{Matrix, norm};
use crate::num::min;
use crate::observer::{Interrupt, Observer, Progress, Stop};
use crate::problem::Problem;
use crate::solution::SolveError;
use crate::trusted::boundary::{BlockRow, Boundary, Pairs, Regime};

/// Block rows searched together. They share one limit, so their number decides how
/// soon a small pair spares the others, and how often progress is reported: with one,
/// threads would wait for each other; with eighty, most pairs would be enclosed.
const ROWS_TOGETHER: usize = 8;

/// The supremum γ* of the γ such that one atom per datapoint is optimal for the
/// convex problem at every price from 0 to γ; the problem's own γ is not used.
///
/// With `cᵢⱼ = cos∠(xᵢ, xⱼ)` and `ρᵢ(γ) = min(√(λ²wᵢ + γ²), √wᵢ‖xᵢ‖)`,
///
/// ```math
/// \gamma^\star=\min_{i<j}\gamma_{ij},\qquad
/// \gamma_{ij}=\sup\{\gamma : c_{ij}\,\rho_i\rho_j\le\lambda^2\sqrt{w_iw_j}\},
/// ```
///
/// infinite where `xᵢᵀxⱼ ≤ λ²`, else in closed form, for any weights and whether
/// or not datapoints are active. Uniform weights `w` with every datapoint active up to
/// the boundary: `γ* = λ√w·√(1/c − 1)`, `c` the largest cosine. Collinear active
/// datapoints give 0.
///
/// # Guarantees
/// `lower ≤ γ* ≤ upper`, proved: `regime-boundary`. Not claimed: that the closed form
/// stops being optimal for good at γ*; beyond it, it may be optimal again ([`regime`]
/// decides a single γ). Same answer for any number of threads.
///
/// # Cost
/// O(nN²) time in blocks, O(nN) memory.
///
/// # Errors
/// [`SolveError::NotApplicable`] for λ = 0 or a learnt center.
///
/// # Examples
/// ```
/// use widedict::{Matrix, Problem, wide};
/// let x = Matrix::from_columns(2, &[[1.0, 0.0], [0.9, 0.4]]);
/// let problem = Problem::builder(x).lambda(0.3).build()?;
/// let boundary = wide::boundary(&problem, &())?;
/// assert!(boundary.lower.get() <= boundary.gamma && boundary.gamma <= boundary.upper.get());
/// // λ√w·√(1/c − 1) with c = 0.9/√0.97.
/// assert!((boundary.gamma - 0.065148).abs() < 1e-6);
/// # Ok::<(), Box<dyn std::error::Error>>(())
/// ```
pub fn boundary(problem: &Problem, observer: &dyn Observer) -> Result<Boundary, SolveError> {
    let pairs = pairs(problem)?;
    let mut rows: Vec<BlockRow> = Vec::with_capacity(pairs.block_rows());
    let (mut limit, mut stop) = (f64::INFINITY, Stop::ToleranceMet);
    for start in (0..pairs.block_rows()).step_by(ROWS_TOGETHER) {
        let end = (start + ROWS_TOGETHER).min(pairs.block_rows());
        let found: Vec<Result<BlockRow, Interrupt>> =
            (start..end).into_par_iter().map(|row| pairs.block_row(row, limit, observer)).collect();
        for row in found {
            match row {
                Ok(row) => rows.push(row),
                Err(interrupt) => stop = interrupt.into(),
            }
        }
        if stop != Stop::ToleranceMet {
            break;
        }
        limit = rows.iter().map(BlockRow::upper).fold(limit, min);
        observer.progress(&Progress {
            phase: "pairs of datapoints",
            iteration: pairs.datapoints_in(end),
            objective: problem.lambda() * limit.sqrt(),
            lower_bound: 0.0,
            estimated_lower_bound: f64::NAN,
            atoms: pairs.len(),
        });
    }
    Ok(pairs.boundary(&rows, stop))
}

/// Decides at the problem's own γ whether one atom per datapoint is optimal (theorem
/// `regime-boundary`, item 1): it is iff `cᵢⱼρᵢρⱼ ≤ λ²√(wᵢwⱼ)` for every active `i` and
/// every `j ≠ i`, **and** the block of `A − X̃ᵀX̃` on the inactive datapoints is
/// copositive.
///
/// The block is copositive if it has no negative entry or is positive semidefinite,
/// and is not if two of its datapoints refute it alone; in between the answer is
/// [`Regime::Undecided`].
///
/// # Guarantees
/// [`Regime::Optimal`] and [`Regime::Shared`] are proved for the stored data, every
/// rounding included: `regime-boundary`. A pair within rounding of equality gives
/// [`Regime::Borderline`]. Same answer for any number of threads.
///
/// # Cost
/// O(nN²) time and O(nN) memory; for K inactive datapoints that the pairs leave
/// undecided, O(K³) and O(K²) more, up to 4096 of them.
///
/// # Errors
/// [`SolveError::NotApplicable`] for λ = 0 or a learnt center.
///
/// # Examples
/// ```
/// use widedict::{Matrix, Problem, wide};
/// let x = Matrix::from_columns(2, &[[1.0, 0.0], [0.9, 0.4]]);
/// let at = |gamma: f64| Problem::builder(x.clone()).lambda(0.3).gamma(gamma).build();
/// assert_eq!(wide::regime(&at(0.05)?, &())?, wide::Regime::Optimal);
/// assert_eq!(wide::regime(&at(0.1)?, &())?, wide::Regime::Shared { pair: (0, 1) });
/// // Where no datapoint is active any more, nothing is again optimal.
/// assert_eq!(wide::regime(&at(1.0)?, &())?, wide::Regime::Optimal);
/// # Ok::<(), Box<dyn std::error::Error>>(())
/// ```
pub fn regime(problem: &Problem, observer: &dyn Observer) -> Result<Regime, SolveError> {
    Ok(pairs(problem)?.regime(problem.gamma(), observer))
}

fn pairs(problem: &Problem) -> Result<Pairs, SolveError> {
    let (needs, found) =
        if problem.centered() { ("a fixed center", "a free center") } else { ("lambda > 0", "lambda = 0") };
    Pairs::new(problem).ok_or_else(|| SolveError::NotApplicable {
        method: "the regime boundary",
        needs,
        found: found.to_owned(),
    })
}

/// One atom per active datapoint at any γ: datapoint i is active iff
/// `√wᵢ‖xᵢ‖ > κᵢ = √(λ²wᵢ + γ²)`; its atom is its direction, its code
/// `‖xᵢ‖ − κᵢ/√wᵢ`. Feasible at every γ; optimal where [`regime`] says so (at γ = 0
/// always). Collinear datapoints do not share an atom here.
///
/// # Errors
/// [`SolveError::NotApplicable`] for a learnt center.
pub fn atom_each(problem: &Problem) -> Result<Factorization, SolveError> {
    if problem.centered() {
        return Err(SolveError::NotApplicable {
            method: "one atom per datapoint",
            needs: "a fixed center",
            found: "a free center".to_owned(),
        });
    }
    let data = problem.data();
    let mut atoms = Matrix::zeros(data.dim(), 0);
    let mut columns = vec![Vec::new(); data.len()];
    for (i, x) in data.datapoints().columns().enumerate() {
        let a = data.sqrt_weights()[i];
        let code = norm(&x) - (problem.lambda() * a).hypot(problem.gamma()) / a;
        if code > 0.0 {
            columns[i].push((atoms.ncols(), code));
            atoms.push_column(&x);
        }
    }
    let (dictionary, _) = Dictionary::normalize(atoms)?;
    let codes = Codes::from_columns(dictionary.len(), &columns);
    Ok(Factorization::new(dictionary, codes, None)?)
}
