//! The answer of `verify`: every claim, and whether it holds.

use std::fmt::Write as _;
use std::path::Path;

use crate::certificate::record::Checked;
use serde::Serialize;

/// What is printed.
#[derive(Clone, Debug, Serialize)]
pub struct Verification {
    pub schema_version: u32,
    pub verified: bool,
    /// The verdict that was claimed, and what it was asked for.
    pub verdict: Option<String>,
    pub gap_tolerance: Option<f64>,
    pub stationarity_tolerance: Option<f64>,
    pub claims: Vec<Claim>,
    /// Fields that no claim covers: their truth cannot be known from the files.
    pub not_checked: &'static [&'static str],
}

/// One claim.
#[derive(Clone, Debug, Serialize)]
pub struct Claim {
    pub claim: String,
    pub holds: bool,
    /// Why it does not hold.
    pub reason: Option<String>,
}

impl Claim {
    /// A claim that holds, or the reason why it does not.
    pub fn new(claim: &str, outcome: Result<(), String>) -> Self {
        Self { claim: claim.to_owned(), holds: outcome.is_ok(), reason: outcome.err() }
    }
}

impl From<Checked> for Claim {
    fn from(checked: Checked) -> Self {
        Self::new(&checked.claim, checked.outcome.map_err(|mismatch| mismatch.to_string()))
    }
}

impl Verification {
    /// The answer in words.
    pub fn summary(&self, folder: &Path) -> String {
        let mut text = String::new();
        for claim in &self.claims {
            match &claim.reason {
                None => {
                    let _ = writeln!(text, "holds   {}", claim.claim);
                }
                Some(reason) => {
                    let _ = writeln!(text, "FAILS   {}: {reason}", claim.claim);
                }
            }
        }
        let _ = writeln!(text, "\nrecorded, not checked: {}", self.not_checked.join(", "));
        let _ = write!(text, "verdict {}", self.verdict.as_deref().unwrap_or("none"));
        let _ = match (self.gap_tolerance, self.stationarity_tolerance) {
            (Some(gap), Some(stationarity)) => {
                writeln!(text, " (asked for: relative gap {gap:e}, relative stationarity {stationarity:e})")
            }
            _ => writeln!(text),
        };
        let failed = self.claims.iter().filter(|claim| !claim.holds).count();
        let _ = match failed {
            0 => writeln!(text, "{}: verified, {} claims", folder.display(), self.claims.len()),
            _ => writeln!(
                text,
                "{}: NOT verified, {failed} of {} claims fail",
                folder.display(),
                self.claims.len()
            ),
        };
        text
    }
}
