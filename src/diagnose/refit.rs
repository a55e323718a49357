//! Which part of the amortisation gap is the values of the codes given, and which the
//! choice of their atoms.

use super::codes::{CodesReport, Refit};
use super::scene::less;
use super::{DiagnoseError, Trained};
use crate::coder::{Coder, Encoded};
use crate::linalg::{Matrix, distance_sq, norm_sq, subtract_product};
use crate::observer::{Observer, Stop};
use crate::problem::Problem;

/// Splits the amortisation gap of a diagnosis of the same problem: values refitted on the
/// supports of the codes given, at λ and at λ = 0. `None` without codes, or where the
/// observer stopped it.
///
/// # Errors
/// [`DiagnoseError`] for shapes that differ.
///
/// # Examples
/// ```
/// use widedict::diagnose::{Thresholds, Trained, diagnose, refit};
/// use widedict::{Codes, Dictionary, Matrix, Problem};
/// let (dictionary, _) = Dictionary::normalize(Matrix::from_columns(2, &[[1.0, 0.0], [0.0, 1.0]]))?;
/// let problem = Problem::builder(Matrix::from_columns(2, &[[3.0, 2.0]])).lambda(1.0).build()?;
/// let codes = Codes::from_triplets(2, 1, [(0, 0, 3.0)])?;
/// let trained = Trained { codes: Some(&codes), ..Trained::of(&dictionary) };
/// let report = diagnose(&problem, &trained, &Thresholds::default(), &())?.codes;
/// let found = refit(&problem, &trained, &report, 1e-9, &())?.expect("it was not stopped");
/// // Its value would be 2 at λ = 1, and the second atom is missing.
/// assert_eq!((found.value_gap, found.support_gap), (0.5, 0.5));
/// # Ok::<(), Box<dyn std::error::Error>>(())
/// ```
pub fn refit(
    problem: &Problem,
    trained: &Trained<'_>,
    report: &CodesReport,
    gap_tolerance: f64,
    observer: &dyn Observer,
) -> Result<Option<Refit>, DiagnoseError> {
    let (Some(codes), Some(given)) = (trained.codes, &report.given) else { return Ok(None) };
    let inputs = less(problem.data().datapoints(), trained.center)?;
    let coder = Coder { gap_tolerance, ..Coder::default() };
    let at = |lambda: f64| coder.refit(&inputs, trained.dictionary, lambda, codes, observer);
    let stopped = |coded: &Encoded| matches!(coded.stop, Stop::TimeLimit | Stop::Cancelled);
    let priced = at(problem.lambda())?;
    if stopped(&priced) {
        return Ok(None);
    }
    let unpriced = at(0.0)?;
    if stopped(&unpriced) {
        return Ok(None);
    }
    let explained = |coded: &Encoded| explained_variance(problem, trained, &inputs, coded);
    let objective: f64 = priced.objectives.iter().zip(problem.data().weights()).map(|(o, w)| o * w).sum();
    Ok(Some(Refit {
        objective,
        mean_l0: priced.codes.mean_l0(),
        explained_variance: explained(&priced),
        largest_relative_gap: priced.max_relative_gap(),
        value_gap: given.objective - objective,
        support_gap: objective - report.exact.objective,
        least_squares_explained_variance: explained(&unpriced),
    }))
}

fn explained_variance(
    problem: &Problem,
    trained: &Trained<'_>,
    inputs: &Matrix,
    coded: &Encoded,
) -> Option<f64> {
    let mut residuals = inputs.clone();
    subtract_product(trained.dictionary.matrix(), coded.codes.view(), &mut residuals);
    let (data, mean) = (problem.data(), problem.data().mean());
    let (mut left, mut total) = (0.0, 0.0);
    for (i, &w) in data.weights().iter().enumerate() {
        left += w * norm_sq(residuals.col(i));
        total += w * distance_sq(&data.datapoint(i), &mean);
    }
    (total > 0.0).then(|| 1.0 - left / total)
}
