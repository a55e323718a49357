//! The verdict: what is proved of a returned point, in one word and a reason.

use std::fmt;

use serde::{Deserialize, Serialize};

/// What is proved of a point. The order of the variants is the order of
/// precedence: the first that applies is given.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(tag = "verdict", rename_all = "kebab-case")]
#[non_exhaustive]
pub enum Verdict {
    /// A claim does not match the point, or the point is not feasible.
    Rejected {
        /// What does not match.
        reason: String,
    },
    /// The point is not optimal: a better one is known, or it is not stationary.
    Refuted {
        /// What shows it.
        reason: String,
    },
    /// The certified relative gap is at most the tolerance.
    Global,
    /// The relative gap to the certified bound of its number of atoms is at most the tolerance: no
    /// dictionary of so many atoms is better by more (theorem `planar-optimum`).
    GlobalWidth,
    /// A local minimum of the joint problem of this width is proved within a stated radius
    /// of the factorization, not higher than it. That the factorization itself is one, or
    /// that the minimum is strict, is not claimed.
    Local,
    /// Neither optimality nor its contrary is proved.
    Undecided {
        /// Why not.
        reason: String,
    },
    /// The point is feasible; nothing else was asked.
    Feasible,
}

impl Verdict {
    /// The name used in JSON.
    #[must_use]
    pub fn as_str(&self) -> &'static str {
        match self {
            Self::Rejected { .. } => "rejected",
            Self::Refuted { .. } => "refuted",
            Self::Global => "global",
            Self::GlobalWidth => "global-width",
            Self::Local => "local",
            Self::Undecided { .. } => "undecided",
            Self::Feasible => "feasible",
        }
    }

    /// The reason, where the verdict has one.
    #[must_use]
    pub fn reason(&self) -> Option<&str> {
        match self {
            Self::Rejected { reason } | Self::Refuted { reason } | Self::Undecided { reason } => Some(reason),
            Self::Global | Self::GlobalWidth | Self::Local | Self::Feasible => None,
        }
    }

    /// Whether the point was found wanting: rejected or refuted.
    #[must_use]
    pub fn is_negative(&self) -> bool {
        matches!(self, Self::Rejected { .. } | Self::Refuted { .. })
    }
}

impl fmt::Display for Verdict {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self.reason() {
            Some(reason) => write!(f, "{}: {reason}", self.as_str()),
            None => f.write_str(self.as_str()),
        }
    }
}
