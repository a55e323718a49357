//! How much of the objective a few datapoints hold.

use std::fmt;

use serde::{Deserialize, Serialize};

use crate::linalg::Columns;
use crate::reduce::Share;
use crate::trusted::Subject;

/// Datapoints in a hundred that are looked at.
const PER_HUNDRED: usize = 1;

/// The share of the objective from which on it is worth a line …
const STRIKING: f64 = 0.25;

/// … where it is also this many times the datapoints' share of their number.
const TIMES_FAIR: f64 = 5.0;

/// The part of the objective that the one per cent of the datapoints hold that cost most,
/// at least one of them. Descriptive: a few far datapoints may decide the whole dictionary.
#[derive(Clone, Copy, Debug, PartialEq, Serialize, Deserialize)]
pub struct Concentration {
    /// How many datapoints these are.
    pub datapoints: usize,
    /// Of so many.
    pub of: usize,
    /// Their share of the objective.
    pub share: f64,
}

impl Concentration {
    /// Of parts of the objective, one a datapoint; `None` where their sum is 0.
    #[must_use]
    pub fn of(mut parts: Vec<f64>) -> Option<Self> {
        let (of, total) = (parts.len(), parts.iter().sum::<f64>());
        let datapoints = (PER_HUNDRED * of).div_ceil(100);
        parts.sort_unstable_by(|a, b| b.total_cmp(a));
        let share = crate::num::min(parts.iter().take(datapoints).sum::<f64>() / total, 1.0);
        (total > 0.0 && share.is_finite()).then_some(Self { datapoints, of, share })
    }

    /// Of a factorization: the parts are those of [`objective_parts`].
    pub(super) fn of_subject(subject: &Subject<'_>) -> Option<Self> {
        Self::of_all(objective_parts(subject), subject.problem().share())
    }

    /// Of the parts of all ranks: rank 0 looks at a number a datapoint, and tells the others what
    /// it found.
    pub(crate) fn of_all(parts: Vec<f64>, share: &Share) -> Option<Self> {
        let parts = share.gather(parts.into_iter().map(f64::to_bits).collect());
        let parts: Vec<f64> = parts.into_iter().flatten().map(f64::from_bits).collect();
        let found = if share.is_root() { Self::of(parts) } else { None };
        let words = |found: Self| vec![found.datapoints as u64, found.of as u64, found.share.to_bits()];
        let told = share.broadcast(found.map_or_else(Vec::new, words));
        let [datapoints, of, held] = *told else { return None };
        let count = |word: u64| usize::try_from(word).unwrap_or(usize::MAX);
        Some(Self { datapoints: count(datapoints), of: count(of), share: f64::from_bits(held) })
    }

    /// Whether it is a quarter of the objective or more, and five times what as many
    /// datapoints would hold if all held the same.
    #[must_use]
    #[expect(clippy::cast_precision_loss, reason = "counts are far below 2^53")]
    pub fn is_striking(&self) -> bool {
        self.share >= STRIKING && self.share * self.of as f64 >= TIMES_FAIR * self.datapoints as f64
    }
}

impl fmt::Display for Concentration {
    #[expect(clippy::cast_precision_loss, reason = "counts are far below 2^53")]
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let percent = 100.0 * self.datapoints as f64 / self.of as f64;
        let Self { datapoints, of, share } = self;
        write!(
            f,
            "{percent:.2} % of the datapoints ({datapoints} of {of}) hold {:.1} % of the objective",
            100.0 * share
        )
    }
}

/// The objective as a sum over datapoints, as computed: `wᵢ½‖rᵢ‖²` and the datapoint's
/// part `zᵢ ∂g/∂zᵢ` of each price `g(z)`, which is homogeneous and so the sum of its parts.
#[must_use]
pub fn objective_parts(subject: &Subject<'_>) -> Vec<f64> {
    let (problem, factorization) = (subject.problem(), subject.factorization());
    let data = problem.data();
    let (lambda, gamma) = (problem.lambda(), problem.gamma());
    let fit = data.weights().iter().enumerate();
    let fit = fit.map(|(i, w)| 0.5 * w * crate::linalg::norm_sq(&subject.residuals().column(i)));
    let mut parts: Vec<f64> = fit.collect();
    let prices: Vec<f64> = (0..factorization.width()).map(|k| subject.price(k)).collect();
    for (i, part) in parts.iter_mut().enumerate() {
        for (k, &z) in factorization.codes().column(i).iter().filter(|(k, _)| prices[*k] > 0.0) {
            let mass = subject.moments()[k].mass;
            let held = data.weights()[i] * z;
            // At γ = 0 the price is λ times the mass.
            *part += if gamma > 0.0 {
                held * (lambda * (lambda * (mass / prices[k])) + gamma * (gamma * (z / prices[k])))
            } else {
                lambda * held
            };
        }
    }
    parts
}
