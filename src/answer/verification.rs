//! The answer of `verify`: every claim, and whether it holds.

use std::fmt::Write as _;
use std::path::Path;

use crate::certificate::record::Checked;
use serde::Serialize;

use crate::Stop;

/// What is printed.
#[derive(Clone, Debug, Serialize)]
pub struct Verification {
    pub schema_version: u32,
    pub verified: bool,
    /// Why the run ended: claims that it had no time for are not checked.
    pub stop: &'static str,
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
    /// Whether it was checked: a run that was stopped leaves some out, which do not hold and do
    /// not fail.
    pub checked: bool,
    /// Why it does not hold, or was not checked.
    pub reason: Option<String>,
}

impl Claim {
    /// A claim that holds, or the reason why it does not.
    pub fn new(claim: &str, outcome: Result<(), String>) -> Self {
        Self { claim: claim.to_owned(), holds: outcome.is_ok(), checked: true, reason: outcome.err() }
    }

    /// A claim that the run was stopped before it could prove.
    #[must_use]
    pub fn unchecked(self, stop: Stop) -> Self {
        let reason = Some(format!("the run was stopped ({})", stop.as_str()));
        Self { holds: false, checked: false, reason, ..self }
    }

    /// Whether it was checked and is not so.
    #[must_use]
    pub fn fails(&self) -> bool {
        self.checked && !self.holds
    }
}

impl From<Checked> for Claim {
    fn from(checked: Checked) -> Self {
        Self::new(&checked.claim, checked.outcome.map_err(|mismatch| mismatch.to_string()))
    }
}

impl Verification {
    /// The answer in words, every claim a line.
    pub fn summary(&self, folder: &Path) -> String {
        let mut text = String::new();
        for claim in &self.claims {
            line(&mut text, claim);
        }
        text.push('\n');
        self.close(&mut text, folder);
        text
    }

    /// The answer in words on one screen: what does not hold, and how much does.
    pub fn screen(&self, folder: &Path) -> String {
        let mut text = String::new();
        let first = self.claims.iter().filter(|claim| claim.fails());
        let others = self.claims.iter().filter(|claim| !claim.checked);
        let open: Vec<&Claim> = first.chain(others).collect();
        for claim in open.iter().take(LISTED) {
            line(&mut text, claim);
        }
        if open.len() > LISTED {
            let _ = writeln!(text, "        and {} more", open.len() - LISTED);
        }
        let _ =
            writeln!(text, "holds   {} of {} claims\n", self.claims.len() - open.len(), self.claims.len());
        self.close(&mut text, folder);
        text
    }

    fn close(&self, text: &mut String, folder: &Path) {
        let _ = writeln!(text, "recorded, not checked: {}", self.not_checked.join(", "));
        let _ = write!(text, "verdict {}", self.verdict.as_deref().unwrap_or("none"));
        let _ = match (self.gap_tolerance, self.stationarity_tolerance) {
            (Some(gap), Some(stationarity)) => {
                writeln!(text, " (asked for: relative gap {gap:e}, relative stationarity {stationarity:e})")
            }
            _ => writeln!(text),
        };
        let (folder, of) = (folder.display(), self.claims.len());
        let failed = self.claims.iter().filter(|claim| claim.fails()).count();
        let left = self.claims.iter().filter(|claim| !claim.checked).count();
        let stopped = format!("{left} of {of} claims are not checked: the run was stopped ({})", self.stop);
        let _ = match (failed, left) {
            (0, 0) => writeln!(text, "{folder}: verified, {of} claims"),
            (0, _) => writeln!(text, "{folder}: not verified, {stopped}"),
            (_, 0) => writeln!(text, "{folder}: NOT verified, {failed} of {of} claims fail"),
            _ => writeln!(text, "{folder}: NOT verified, {failed} of {of} claims fail; {stopped}"),
        };
    }
}

/// Claims that are listed on a screen.
const LISTED: usize = 20;

fn line(text: &mut String, claim: &Claim) {
    let Claim { claim: name, checked, reason, .. } = claim;
    let _ = match (reason, checked) {
        (None, _) => writeln!(text, "holds   {name}"),
        (Some(reason), true) => writeln!(text, "FAILS   {name}: {reason}"),
        (Some(_), false) => writeln!(text, "open    {name}"),
    };
}
