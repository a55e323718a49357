//! The parts of a witness that are searched for here.

#[cfg(feature = "sdp")]
use super::{Evidence, Shortfall};
use crate::atoms::Factorization;
#[cfg(feature = "sdp")]
use crate::certificate::Witness;
use crate::linalg::Matrix;
use crate::observer::Observer;
#[cfg(feature = "sdp")]
use crate::observer::Stop;
use crate::problem::Problem;
use crate::search::oracle::Ascent;
#[cfg(feature = "sdp")]
use crate::search::relaxation::Semidefinite;
use crate::solution::SolveError;
use crate::trusted::Residuals;
use crate::wide;

/// Directions kept for the estimate. The estimate takes the largest polar; the second
/// and later ones guard against an ascent that ended early.
const DIRECTIONS: usize = 8;

/// The dual of the Huber location, which bounds every dictionary where a center is
/// learnt and λ > 0 (theorem `centre`); `None` elsewhere.
#[must_use]
pub fn location_dual(problem: &Problem, observer: &dyn Observer) -> Option<Matrix> {
    (problem.centered() && problem.lambda() > 0.0)
        .then(|| wide::location(problem.data(), problem.lambda(), observer).dual)
}

/// Directions at which the polar of the residuals is large, for the estimated bound.
pub(super) fn directions(
    problem: &Problem,
    factorization: &Factorization,
    observer: &dyn Observer,
) -> Result<Matrix, SolveError> {
    let mut residual = Residuals::of(problem, factorization)?.into_matrix();
    for (i, &a) in problem.data().sqrt_weights().iter().enumerate() {
        residual.col_mut(i).iter_mut().for_each(|v| *v *= a);
    }
    let found = Ascent::default().search(&problem.gauge(), &residual, &[], observer);
    let directions: Vec<Vec<f64>> = found.into_iter().take(DIRECTIONS).map(|c| c.direction).collect();
    Ok(Matrix::from_columns(problem.dim(), &directions))
}

/// The split of the semidefinite program, none at γ = 0, where the bound is exact
/// without it.
#[cfg(feature = "sdp")]
pub(super) fn semidefinite(
    problem: &Problem,
    witness: Witness,
    observer: &dyn Observer,
) -> Result<Evidence, SolveError> {
    if problem.gamma() == 0.0 {
        return Ok(Evidence { witness, shortfall: None });
    }
    let relaxed = Semidefinite::default().solve(problem, observer)?;
    let ended = matches!(relaxed.stop, Stop::ToleranceMet | Stop::Stalled);
    let shortfall = (!ended).then_some(Shortfall::SemidefiniteStopped(relaxed.stop));
    Ok(Evidence { witness: Witness { split: Some(relaxed.split), ..witness }, shortfall })
}
