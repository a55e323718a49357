//! λ and γ, and the Huber function they meet in the wide limit.

use serde::{Deserialize, Serialize};

/// Why a pair of penalties is refused.
#[derive(Debug, Clone, PartialEq, thiserror::Error)]
#[non_exhaustive]
pub enum PenaltyError {
    /// A penalty is negative, infinite or NaN.
    #[error("{name} must be a finite number at least 0, found {value}")]
    NotANonnegativeNumber {
        /// `lambda` or `gamma`.
        name: &'static str,
        /// What was given.
        value: f64,
    },
    /// Both are zero: every exact factorization would be optimal.
    #[error("lambda and gamma are both 0: at least one must be positive")]
    BothZero,
    /// What activations were multiplied by is not a positive number.
    #[error("the scale of the activations must be a positive finite number, found {value}")]
    Scale {
        /// What was given.
        value: f64,
    },
}

/// The penalties λ ≥ 0 and γ ≥ 0, not both 0: λ in the unit of the data, γ likewise.
///
/// As a serde type it is `{lambda, gamma}`, checked on the way in.
#[derive(Clone, Copy, Debug, PartialEq, Serialize, Deserialize)]
#[serde(try_from = "Parts")]
pub struct Penalty {
    lambda: f64,
    gamma: f64,
}

/// The penalties as they are written, before they are checked.
#[derive(Deserialize)]
struct Parts {
    lambda: f64,
    gamma: f64,
}

impl TryFrom<Parts> for Penalty {
    type Error = PenaltyError;

    fn try_from(parts: Parts) -> Result<Self, PenaltyError> {
        Self::new(parts.lambda, parts.gamma)
    }
}

impl Penalty {
    /// Validates the pair.
    ///
    /// # Errors
    /// As [`PenaltyError`] says.
    pub fn new(lambda: f64, gamma: f64) -> Result<Self, PenaltyError> {
        for (name, value) in [("lambda", lambda), ("gamma", gamma)] {
            if !(value.is_finite() && value >= 0.0) {
                return Err(PenaltyError::NotANonnegativeNumber { name, value });
            }
        }
        if lambda == 0.0 && gamma == 0.0 {
            return Err(PenaltyError::BothZero);
        }
        // −0.0 is accepted and becomes 0.
        Ok(Self { lambda: lambda + 0.0, gamma: gamma + 0.0 })
    }

    /// The L1 penalty λ.
    #[must_use]
    pub fn lambda(self) -> f64 {
        self.lambda
    }

    /// The atom price γ.
    #[must_use]
    pub fn gamma(self) -> f64 {
        self.gamma
    }
}

/// The Huber function `h_λ(r) = λr − λ²/2` for `r > λ`, `r²/2` otherwise: what
/// one datapoint of norm `r` costs with an atom of its own (theorem `wide-limit`).
#[must_use]
pub fn huber(lambda: f64, r: f64) -> f64 {
    if r > lambda { lambda * (r - 0.5 * lambda) } else { 0.5 * r * r }
}
