//! The answer of `encode`.

use std::path::Path;
use std::time::Duration;

use crate::coder::Encoded;
use crate::io::Masked;
use crate::io::sae::Folded;
use crate::linalg::{Columns, distance_sq, norm_sq, subtract_product};
use crate::reduce::Share;
use crate::{Codes, Stop};
use serde::Serialize;

use super::diagnosis::{Source, describe};
use super::masked;
use super::row::SCHEMA_VERSION;

/// What `encode` prints.
#[derive(Clone, Debug, Serialize)]
pub struct Report<'a> {
    schema_version: u32,
    points: usize,
    dim: usize,
    atoms: usize,
    /// Atoms of length 0, left out, by their numbers in the file.
    dropped_atoms: Vec<usize>,
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
    /// The autoencoder whose dictionary it is.
    #[serde(skip_serializing_if = "Option::is_none")]
    source: Option<&'a Source>,
    stop: &'static str,
    seconds: f64,
}

/// What was encoded.
pub struct Measured<'a> {
    pub points: &'a dyn Columns,
    pub weights: Option<&'a [f64]>,
    pub masked: Masked,
    /// Of which datapoints these are one rank's, where they are spread over ranks.
    pub share: Option<&'a Share>,
}

impl Measured<'_> {
    /// The weighted mean of a number a datapoint; weights are taken relative to the largest,
    /// so that no sum overflows.
    #[expect(clippy::cast_precision_loss, reason = "counts are far below 2^53")]
    fn mean(&self, values: &[f64]) -> f64 {
        let alone = Share::alone(values.len());
        let share = self.share.unwrap_or(&alone);
        let Some(weights) = self.weights else {
            let [sum] = share.sums(|run| [values[run].iter().sum()]);
            return sum / share.total() as f64;
        };
        let larger = |a: f64, w: f64| if w > a { w } else { a };
        let [largest] = share.largest(|run| [weights[run].iter().copied().fold(0.0, larger)]);
        let [sum, total] = share.sums(|run| {
            let (mut sum, mut total) = (0.0, 0.0);
            for (value, weight) in values[run.clone()].iter().zip(&weights[run]) {
                sum += value * (weight / largest);
                total += weight / largest;
            }
            [sum, total]
        });
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

/// What was encoded by all ranks.
pub struct Total {
    points: usize,
    max_relative_gap: f64,
    at_rounding: usize,
    mean_l0: f64,
    /// The worst end of all.
    pub stop: Stop,
}

impl Total {
    /// Asks all ranks, where there is a share.
    #[expect(
        clippy::cast_precision_loss,
        clippy::cast_possible_truncation,
        clippy::cast_sign_loss,
        reason = "counts are far below 2^53"
    )]
    pub fn of(share: Option<&Share>, points: usize, encoded: &Encoded) -> Self {
        let Some(share) = share else {
            return Self {
                points,
                max_relative_gap: encoded.max_relative_gap(),
                at_rounding: encoded.at_rounding,
                mean_l0: encoded.codes.mean_l0(),
                stop: encoded.stop,
            };
        };
        // From the best end to the worst.
        let ends = [Stop::ToleranceMet, Stop::Stalled, Stop::TimeLimit, Stop::Cancelled];
        let end = ends.iter().position(|end| *end == encoded.stop).unwrap_or(1) as f64;
        let [gap, end] = share.largest(|_| [encoded.max_relative_gap(), end]);
        // Whole numbers: what a rank counts goes with its first grain.
        let [at_rounding, used] = share.sums(|run| match run.start {
            0 => [encoded.at_rounding as f64, encoded.codes.nnz() as f64],
            _ => [0.0, 0.0],
        });
        Self {
            points: share.total(),
            max_relative_gap: gap,
            at_rounding: at_rounding as usize,
            mean_l0: used / share.total() as f64,
            stop: ends[end as usize],
        }
    }
}

impl<'a> Report<'a> {
    pub fn new(
        measured: &Measured<'_>,
        atoms: usize,
        lambda: f64,
        encoded: &Encoded,
        elapsed: Duration,
    ) -> Self {
        let points = measured.points;
        let total = Total::of(measured.share, points.ncols(), encoded);
        #[expect(clippy::cast_precision_loss, reason = "counts are far below 2^53")]
        let count = total.points as f64;
        Self {
            schema_version: SCHEMA_VERSION,
            points: total.points,
            dim: points.nrows(),
            atoms,
            dropped_atoms: Vec::new(),
            lambda,
            mean_objective: measured.mean(&encoded.objectives),
            max_relative_gap: total.max_relative_gap,
            gap_against: against(lambda),
            gaps_at_rounding: total.at_rounding,
            mean_l0: total.mean_l0,
            points_per_second: count / elapsed.as_secs_f64(),
            masked: measured.masked,
            source: None,
            stop: total.stop.as_str(),
            seconds: elapsed.as_secs_f64(),
        }
    }

    /// With the atoms that were left out.
    pub fn with_dropped(self, dropped: &[usize]) -> Self {
        Self { dropped_atoms: dropped.to_vec(), ..self }
    }

    /// With the autoencoder whose dictionary it is.
    pub fn with_source(self, source: Option<&'a Source>) -> Self {
        Self { source, ..self }
    }

    pub fn summary(&self, out: Option<&Path>) -> String {
        let mut text =
            self.source.map_or_else(String::new, |s| format!("{}: {}\n", s.dictionary, describe(s)));
        text += &format!(
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

/// What `encode --sae` prints: codes of an encoder, which no search was made for.
#[derive(Clone, Debug, Serialize)]
pub struct Unsearched {
    schema_version: u32,
    points: usize,
    dim: usize,
    /// Atoms as they are stored.
    atoms: usize,
    dropped_atoms: Vec<usize>,
    lambda: Option<f64>,
    /// In the weighted form, codes times the lengths of their atoms; null without a λ.
    mean_objective: Option<f64>,
    /// Codes above 0 a datapoint, of the atoms that are not left out.
    mean_l0: f64,
    explained_variance: Option<f64>,
    /// Rows of the data that are no datapoints.
    masked: Masked,
    source: Source,
    seconds: f64,
}

impl Unsearched {
    /// `codes` as they are stored, and as codes of unit atoms. Means are weighted.
    pub fn new(
        folded: &Folded,
        (weights, masked): (Option<&[f64]>, Masked),
        codes: (&Codes, &Codes),
        lambda: Option<f64>,
        source: &Source,
    ) -> Self {
        let points = &folded.points;
        let measured = Measured { points, weights, masked, share: None };
        let mut residuals = points.clone();
        if let Some(center) = &folded.center {
            (0..residuals.ncols()).for_each(|i| crate::linalg::axpy(-1.0, center, residuals.col_mut(i)));
        }
        let (stored, unit) = codes;
        subtract_product(folded.dictionary.matrix(), unit.view(), &mut residuals);
        let left = measured.mean(&residuals.columns().map(norm_sq).collect::<Vec<f64>>());
        let mean: Vec<f64> = (0..points.nrows())
            .map(|j| measured.mean(&points.columns().map(|x| x[j]).collect::<Vec<f64>>()))
            .collect();
        let total = measured.mean(&points.columns().map(|x| distance_sq(x, &mean)).collect::<Vec<f64>>());
        let sums = |i: usize| unit.column(i).iter().map(|(_, z)| z).sum::<f64>();
        let mass = measured.mean(&(0..points.ncols()).map(sums).collect::<Vec<f64>>());
        Self {
            schema_version: SCHEMA_VERSION,
            points: points.ncols(),
            dim: points.nrows(),
            atoms: stored.atoms(),
            dropped_atoms: folded.folding.dropped_atoms.clone(),
            lambda,
            mean_objective: lambda.map(|lambda| 0.5 * left + lambda * mass),
            mean_l0: unit.mean_l0(),
            explained_variance: (total > 0.0).then(|| 1.0 - left / total),
            masked,
            source: source.clone(),
            seconds: source.seconds,
        }
    }

    pub fn summary(&self, out: Option<&Path>) -> String {
        let number = |value: Option<f64>| value.map_or_else(|| "none".to_owned(), |v| format!("{v:.9}"));
        let mut text = format!(
            "{}: {}\n{} points of dimension {}, {} atoms, codes of the encoder ({}) in {:.2} s\n\n\
             mean L0              {:.2}\nexplained variance   {}\nlambda               {}\nmean objective       {}\n",
            self.source.dictionary,
            describe(&self.source),
            self.points,
            self.dim,
            self.atoms,
            self.source.encoder.as_deref().unwrap_or("none"),
            self.seconds,
            self.mean_l0,
            number(self.explained_variance),
            self.lambda.map_or_else(|| "none".to_owned(), |lambda| lambda.to_string()),
            number(self.mean_objective),
        );
        text.push_str(&masked::line(&self.masked));
        if let Some(path) = out {
            text.push_str(&format!("\nwrote {}\n", path.display()));
        }
        text
    }
}
