//! What the wide limit says about the data as a whole: how many datapoints are active,
//! along how many directions, at what cost.
//!
//! Counts and sums as computed; a certified value comes with
//! [`closed_form`](super::closed_form).

use super::center::Location;
use super::closed_form::Directions;
use crate::gauge::huber;
use crate::linalg::axpy;
use crate::observer::Observer;
use crate::problem::Problem;

/// Quantities of the wide limit at γ = 0 (theorem `wide-limit`), about the
/// center given: nothing here depends on an algorithm.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Population {
    /// Datapoints N.
    pub datapoints: usize,
    /// Active datapoints, `‖xᵢ − b‖ > λ`.
    pub active: usize,
    /// Weight of the active datapoints. It is the expected L0 of the optimum
    /// too: an active datapoint uses one atom, an inactive one none.
    pub share_active: f64,
    /// Distinct directions of active datapoints: the least width that attains
    /// [`Population::value`]. Where datapoints are spread over ranks, all count as distinct.
    pub distinct_directions: usize,
    /// `F_∞ = Σ wᵢh_λ(‖xᵢ − b‖)`.
    pub value: f64,
    /// `Σ wᵢ‖xᵢ − b‖`, the limit of `F_∞/λ` as λ → 0 for this center:
    /// `0 ≤ λΣwᵢ‖xᵢ − b‖ − F_∞ ≤ λ²/2`.
    pub slope: f64,
}

/// The quantities for the problem's data about the origin, or about `location`
/// (see [`location`](super::location)) where a center is learnt. γ is not used.
///
/// O(nN + N log N).
///
/// # Examples
/// ```
/// use widedict::{Matrix, Problem, wide};
/// let x = Matrix::from_columns(2, &[[3.0, 4.0], [6.0, 8.0], [0.1, 0.0], [0.0, 2.0]]);
/// let problem = Problem::builder(x).lambda(1.0).build()?;
/// let found = wide::population(&problem, None);
/// assert_eq!((found.active, found.distinct_directions), (3, 2));
/// assert!((found.share_active - 0.75).abs() < 1e-15);
/// # Ok::<(), widedict::ProblemError>(())
/// ```
#[must_use]
pub fn population(problem: &Problem, location: Option<&Location>) -> Population {
    population_observed(problem, location, &())
}

/// [`population`] with an observer. Where it breaks, directions that were not compared by then
/// count as distinct.
#[must_use]
pub fn population_observed(
    problem: &Problem,
    location: Option<&Location>,
    observer: &dyn Observer,
) -> Population {
    let data = problem.data();
    let lambda = problem.lambda();
    let directions = match location {
        None => Directions::of(data.datapoints(), lambda, observer),
        Some(location) => {
            let mut datapoints = data.datapoints().to_matrix();
            for i in 0..datapoints.ncols() {
                axpy(-1.0, &location.center, datapoints.col_mut(i));
            }
            Directions::of(&datapoints, lambda, observer)
        }
    };
    let [share_active, value, slope, active] = data.share().sums(|run| {
        let (mut share_active, mut value, mut slope, mut active) = (0.0, 0.0, 0.0, 0.0);
        for (&length, &w) in directions.lengths[run.clone()].iter().zip(&data.weights()[run]) {
            value += w * huber(lambda, length);
            slope += w * length;
            if length > lambda {
                share_active += w;
                active += 1.0;
            }
        }
        [share_active, value, slope, active]
    });
    #[expect(clippy::cast_possible_truncation, clippy::cast_sign_loss, reason = "a count of datapoints")]
    let active = active as usize;
    // Directions of different ranks are not compared.
    let distinct_directions = if data.share().is_spread() { active } else { directions.leaders.len() };
    Population { datapoints: data.total(), active, share_active, distinct_directions, value, slope }
}
