//! What the wide limit says about the data as a whole.

use super::centre::Location;
use super::closed_form::distinct_directions;
use crate::linalg::{Matrix, axpy, norm};
use crate::problem::{Problem, huber};

/// Quantities of the wide limit at γ = 0 (theorem `wide-limit`), about the
/// centre given: nothing here depends on an algorithm.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Population {
    /// Datapoints N.
    pub points: usize,
    /// Active datapoints, `‖xᵢ − b‖ > λ`.
    pub active: usize,
    /// Weight of the active datapoints. It is the expected L0 of the optimum
    /// too: an active point uses one atom, an inactive one none.
    pub share_active: f64,
    /// Distinct directions of active datapoints: the least width that attains
    /// [`Population::value`].
    pub distinct_directions: usize,
    /// `F_∞ = Σ wᵢh_λ(‖xᵢ − b‖)`.
    pub value: f64,
    /// `Σ wᵢ‖xᵢ − b‖`, the limit of `F_∞/λ` as λ → 0 for this centre:
    /// `0 ≤ λΣwᵢ‖xᵢ − b‖ − F_∞ ≤ λ²/2`.
    pub slope: f64,
}

/// The quantities for the problem's data about the origin, or about `location`
/// (see [`location`](super::location)) where a centre is learnt. γ is not used.
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
    let data = problem.data();
    let lambda = problem.lambda();
    let mut points = data.points().clone();
    if let Some(location) = location {
        for i in 0..points.ncols() {
            axpy(-1.0, &location.center, points.col_mut(i));
        }
    }
    let (mut share_active, mut value, mut slope) = (0.0, 0.0, 0.0);
    let mut units = Matrix::zeros(data.dim(), 0);
    for (x, &w) in points.columns().zip(data.weights()) {
        let length = norm(x);
        value += w * huber(lambda, length);
        slope += w * length;
        if length > lambda {
            share_active += w;
            let unit: Vec<f64> = x.iter().map(|v| v / length).collect();
            units.push_column(&unit);
        }
    }
    Population {
        points: data.len(),
        active: units.ncols(),
        share_active,
        distinct_directions: distinct_directions(&units).1.len(),
        value,
        slope,
    }
}
