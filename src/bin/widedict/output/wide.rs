//! The answer of `wide`.

use std::fmt::Write as _;

use serde::Serialize;
use widedict::io::{Masked, Rows};
use widedict::wide::Boundary;
use widedict::{Problem, Stop};

use super::masked;

/// What is printed; every key is always there, null where it does not apply.
#[derive(Clone, Debug, Serialize)]
pub(crate) struct Answer {
    pub(crate) schema_version: u32,
    pub(crate) points: usize,
    pub(crate) dim: usize,
    pub(crate) lambda: f64,
    pub(crate) centered: bool,
    pub(crate) stop: &'static str,
    /// `F_∞`.
    pub(crate) value: f64,
    /// `F_∞` proved from below, every rounding included.
    pub(crate) lower_bound: f64,
    pub(crate) active: usize,
    pub(crate) share_active: f64,
    pub(crate) distinct_directions: usize,
    /// `Σ wᵢ‖xᵢ − b‖`: the limit of `F_∞/λ` as λ → 0 at this center.
    pub(crate) slope: f64,
    #[serde(flatten)]
    pub(crate) boundary: BoundaryKeys,
    pub(crate) max_cosine: Option<f64>,
    pub(crate) center: Option<Vec<f64>>,
    /// Rows of the data that are no datapoints.
    pub(crate) masked: Masked,
    pub(crate) seconds: f64,
}

/// The boundary γ*, with its proved ends.
#[derive(Clone, Debug, Default, Serialize)]
pub(crate) struct BoundaryKeys {
    /// γ*; null where it is infinite, not known, or not defined (a center).
    boundary_gamma: Option<f64>,
    boundary_gamma_lower: Option<f64>,
    boundary_gamma_upper: Option<f64>,
    /// The pair of datapoints that decides, by their rows in the data.
    boundary_pair: Option<(usize, usize)>,
    boundary_note: &'static str,
}

impl BoundaryKeys {
    pub(crate) fn new(problem: &Problem, rows: &Rows, boundary: &Boundary) -> Self {
        let finite = |value: f64| value.is_finite().then_some(value);
        let mut keys = Self {
            boundary_gamma: finite(boundary.gamma),
            boundary_gamma_lower: finite(boundary.lower.get()),
            boundary_gamma_upper: finite(boundary.upper.get()),
            boundary_pair: boundary.pair.map(|(i, j)| (rows.row(i), rows.row(j))),
            boundary_note: "one atom per datapoint is optimal up to here",
        };
        if problem.centered() {
            keys = Self { boundary_note: "not defined where a center is learnt", ..Self::default() };
        } else if boundary.stop != Stop::ToleranceMet {
            keys.boundary_gamma = None;
            keys.boundary_note = "the search was stopped: a bracket";
        } else if boundary.gamma.is_infinite() {
            keys.boundary_note = "infinite: one atom per datapoint is optimal at every gamma";
        }
        keys
    }
}

/// The answer in words.
pub(crate) fn summary(answer: &Answer) -> String {
    let mut text = format!(
        "{} points of dimension {}, lambda {}{}\n\n",
        answer.points,
        answer.dim,
        answer.lambda,
        if answer.centered { ", with a center" } else { "" }
    );
    let _ = writeln!(
        text,
        "wide limit           {:.9}  (certified bound {:.9})",
        answer.value, answer.lower_bound
    );
    let _ = writeln!(
        text,
        "active               {} points, {:.4} of the weight (the expected L0)",
        answer.active, answer.share_active
    );
    let _ = writeln!(text, "distinct directions  {}", answer.distinct_directions);
    if answer.stop != Stop::ToleranceMet.as_str() {
        let _ = writeln!(text, "not finished         {}", answer.stop);
    }
    match answer.boundary.boundary_gamma {
        Some(gamma) => {
            let _ = writeln!(
                text,
                "boundary gamma       {gamma:.6e}  (proved in [{:.6e}, {:.6e}])",
                answer.boundary.boundary_gamma_lower.unwrap_or(0.0),
                answer.boundary.boundary_gamma_upper.unwrap_or(f64::INFINITY)
            );
        }
        None => {
            let _ = writeln!(text, "boundary gamma       {}", answer.boundary.boundary_note);
        }
    }
    if let Some(cosine) = answer.max_cosine {
        let _ = writeln!(text, "largest cosine       {cosine:.9}");
    }
    text.push_str(&masked::line(&answer.masked));
    text
}
