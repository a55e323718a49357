//! What the means over a sample say of the means over all datapoints. Estimates, not
//! bounds: an interval misses its mean one time in twenty, more often where a few
//! datapoints hold much of the sum.

use serde::Serialize;

use super::Diagnosis;

/// Standard errors to each side of a mean that hold 95 % of a normal distribution.
const DEVIATIONS: f64 = 1.96;

/// An estimate of a mean over all datapoints.
#[derive(Clone, Copy, Debug, PartialEq, Serialize)]
pub struct Estimate {
    /// The mean over the sample.
    pub mean: f64,
    /// The mean ∓ 1.96 s/√K, s the deviation among K datapoints; `None` of a single one.
    pub interval: Option<[f64; 2]>,
}

impl Estimate {
    /// Of numbers with weights of any sum. Where weights differ, s is that of
    /// `wᵢ(yᵢ − ȳ)/w̄`, the first-order deviation of a quotient of two means.
    #[must_use]
    #[expect(clippy::cast_precision_loss, reason = "counts are far below 2^53")]
    pub fn of(values: &[f64], weights: &[f64]) -> Self {
        let count = values.len() as f64;
        let total: f64 = weights.iter().sum();
        let mean = values.iter().zip(weights).map(|(y, w)| w * y).sum::<f64>() / total;
        let square = |(y, w): (&f64, &f64)| (w * count / total * (y - mean)).powi(2);
        let squares: f64 = values.iter().zip(weights).map(square).sum();
        let half = DEVIATIONS * (squares / (count - 1.0) / count).sqrt();
        Self { mean, interval: (values.len() > 1).then_some([mean - half, mean + half]) }
    }
}

/// The means over a sample, as estimates of those over all datapoints.
#[derive(Clone, Copy, Debug, PartialEq, Serialize)]
pub struct Estimates {
    /// Objective at exact codes.
    pub exact_objective: Estimate,
    /// Atoms that a datapoint uses, exact codes, every datapoint alike.
    pub exact_l0: Estimate,
    /// What an atom of its own for every datapoint would save.
    pub excess: Estimate,
    /// Objective of the codes given less that of exact codes.
    pub amortisation_gap: Option<Estimate>,
    /// Duality gap of the codes given.
    pub given_gap: Option<Estimate>,
}

impl Diagnosis {
    /// The means over the datapoints of this diagnosis as estimates of those over the data
    /// of which they are a sample, each datapoint drawn with the same chance.
    ///
    /// # Panics
    /// Unless there is a weight a datapoint.
    #[must_use]
    #[expect(clippy::cast_precision_loss, reason = "counts are far below 2^53")]
    pub fn estimates(&self, weights: &[f64]) -> Estimates {
        assert_eq!(weights.len(), self.point_rows.len(), "a weight a datapoint");
        let rows = || self.point_rows.iter();
        let of = |values: Vec<f64>| Estimate::of(&values, weights);
        let given = |values: Option<Vec<f64>>| values.map(of);
        let l0: Vec<f64> = rows().map(|row| row.l0 as f64).collect();
        Estimates {
            exact_objective: of(rows().map(|row| row.objective).collect()),
            exact_l0: Estimate::of(&l0, &vec![1.0; l0.len()]),
            excess: of(rows().map(|row| row.excess).collect()),
            amortisation_gap: given(rows().map(|row| row.amortisation_gap).collect()),
            given_gap: given(rows().map(|row| row.given_gap).collect()),
        }
    }
}
