//! The answer of `encode`.

use std::path::Path;
use std::time::Duration;

use serde::Serialize;
use widedict::Matrix;
use widedict::coder::Encoded;
use widedict::io::Masked;

use super::masked;

use super::row::SCHEMA_VERSION;

/// What `encode` prints.
#[derive(Clone, Debug, Serialize)]
pub(crate) struct Report {
    schema_version: u32,
    points: usize,
    dim: usize,
    atoms: usize,
    lambda: f64,
    mean_objective: f64,
    max_relative_gap: f64,
    /// What the gap of a datapoint is measured against.
    gap_against: &'static str,
    /// Datapoints whose gap leaves rounding out.
    gaps_at_rounding: usize,
    mean_l0: f64,
    points_per_second: f64,
    /// Rows of the data that are no datapoints.
    masked: Masked,
    stop: &'static str,
    seconds: f64,
}

/// What was encoded.
pub(crate) struct Measured<'a> {
    pub(crate) points: &'a Matrix,
    pub(crate) weights: Option<&'a [f64]>,
    pub(crate) masked: Masked,
}

impl Measured<'_> {
    /// The weighted mean of a number a datapoint; weights are taken relative to the largest,
    /// so that no sum overflows.
    #[expect(clippy::cast_precision_loss, reason = "counts are far below 2^53")]
    fn mean(&self, values: &[f64]) -> f64 {
        let Some(weights) = self.weights else {
            return values.iter().sum::<f64>() / values.len() as f64;
        };
        let largest = weights.iter().copied().fold(0.0, |a: f64, w| if w > a { w } else { a });
        let (mut sum, mut total) = (0.0, 0.0);
        for (value, weight) in values.iter().zip(weights) {
            sum += value * (weight / largest);
            total += weight / largest;
        }
        sum / total
    }
}

/// What the gap of a datapoint is measured against.
fn against(lambda: f64) -> &'static str {
    if lambda > 0.0 {
        "the dual value of a residual with d'r <= lambda for every atom"
    } else {
        "the dual value of a residual with d'r <= 0 for every atom, up to rounding: least squares with z >= 0"
    }
}

impl Report {
    pub(crate) fn new(
        measured: &Measured<'_>,
        atoms: usize,
        lambda: f64,
        encoded: &Encoded,
        elapsed: Duration,
    ) -> Self {
        let points = measured.points;
        #[expect(clippy::cast_precision_loss, reason = "counts are far below 2^53")]
        let count = points.ncols() as f64;
        Self {
            schema_version: SCHEMA_VERSION,
            points: points.ncols(),
            dim: points.nrows(),
            atoms,
            lambda,
            mean_objective: measured.mean(&encoded.objectives),
            max_relative_gap: encoded.max_relative_gap(),
            gap_against: against(lambda),
            gaps_at_rounding: encoded.at_rounding,
            mean_l0: encoded.codes.mean_l0(),
            points_per_second: count / elapsed.as_secs_f64(),
            masked: measured.masked,
            stop: encoded.stop.as_str(),
            seconds: elapsed.as_secs_f64(),
        }
    }

    pub(crate) fn summary(&self, out: Option<&Path>) -> String {
        let mut text = format!(
            "{} points of dimension {} over {} atoms, lambda {}\n{} after {:.2} s ({:.0} points a second)\n\n\
             mean objective       {:.9}\nduality gap          {:.2e} (largest of a datapoint, relative)\n\
             \x20                    against {}\nmean L0              {:.2}\n",
            self.points,
            self.dim,
            self.atoms,
            self.lambda,
            self.stop,
            self.seconds,
            self.points_per_second,
            self.mean_objective,
            self.max_relative_gap,
            self.gap_against,
            self.mean_l0,
        );
        text.push_str(&masked::line(&self.masked));
        if let Some(path) = out {
            text.push_str(&format!("\nwrote {}\n", path.display()));
        }
        text
    }
}
