//! `widedict verify`: everything that `--out` claims, proved again from its files and the
//! data.
//!
//! The record inside certificate.json is checked by the library. The fields at its top,
//! which people read, repeat the record's numbers and more: each is compared with what the
//! checker finds now (`row`), then the copies with each other (`copies`), and at last a
//! checksum tells whether something else was edited. The later ones are asked where the
//! earlier ones hold: a number that is wrong is named once.

mod copies;
mod row;

use std::ops::ControlFlow;
use std::path::Path;
use std::sync::OnceLock;
use std::time::Duration;

use serde_json::Value;

use crate::certificate::Record;
use crate::gauge::Penalty;
use crate::io::{Description, FileError, FileProblem, LoadError, Loaded, Rows};
use crate::trusted::Subject;
use crate::{Certified, Interrupt, Observer, Problem, Progress, Stop, Verdict};

use super::Follow;
use super::input::{self, Input, Origin, Refusal};
use super::row::SCHEMA_VERSION;
use super::verification::{Claim, Verification};

/// Relative difference at which a number that bounds nothing contradicts what is found
/// now: another machine adds in another order, which moves the last digits.
const SAME: f64 = 1e-9;

/// Fields whose truth nothing in the files can show: how the run was called and how long
/// it took, what foreign atoms were before, estimates and what they rest on, names. Only
/// the checksum covers them.
const NOT_CHECKED: [&str; 16] = [
    "estimated_lower_bound",
    "estimated_relative_gap",
    "method",
    "record.asked.exact",
    "record.asked.planar.value",
    "record.witness.directions",
    "rescaled",
    "seconds",
    "seconds_certify",
    "seed",
    "source",
    "verify.data",
    "verify.program",
    "verify.weights",
    "width",
    "witness.origin",
];

/// What is checked: a record that can be read, with the problem and the files.
struct Subjects {
    problem: Problem,
    origin: Origin,
    record: Record,
    loaded: Loaded,
}

/// Why nothing can be verified.
#[derive(Debug, thiserror::Error)]
pub enum VerifyError {
    /// A file that cannot be read.
    #[error(transparent)]
    File(#[from] FileError),
    /// What claims nothing.
    #[error("a checkpoint: it claims nothing")]
    Checkpoint,
    /// Data that make no problem.
    #[error(transparent)]
    Refused(#[from] Refusal),
}

/// A folder whose claims are to be proved again.
pub struct Saved {
    description: Description,
    /// Its record, or the part of certificate.json that makes no sense: a claim that does not
    /// hold.
    record: Result<(Record, Penalty), Claim>,
}

/// A folder with the data it is about.
pub struct Joined {
    description: Description,
    subjects: Result<Subjects, Claim>,
}

fn wrong(what: &str, why: String) -> Claim {
    Claim::new(&format!("certificate.json: {what}"), Err(why))
}

impl Saved {
    /// Reads certificate.json.
    ///
    /// # Errors
    /// A file that cannot be read, and a checkpoint.
    pub fn read(folder: &Path) -> Result<Self, VerifyError> {
        let description = Description::read(folder)?;
        if description.is_checkpoint() {
            return Err(VerifyError::Checkpoint);
        }
        let record = match description.record() {
            Ok(Some(record)) => match Penalty::new(record.problem.lambda, record.problem.gamma) {
                Ok(penalty) => Ok((record, penalty)),
                Err(error) => Err(wrong("record.problem", error.to_string())),
            },
            Ok(None) => Err(wrong("record", "there is none".to_owned())),
            Err(misread) => Err(wrong(&misread.part, misread.error.to_string())),
        };
        Ok(Self { description, record })
    }

    /// Whether there is a record, which the data are read for.
    #[must_use]
    pub fn has_record(&self) -> bool {
        self.record.is_ok()
    }

    /// Reads the other files. Data are not asked for without a record.
    ///
    /// # Errors
    /// Those of the files, and data that make no problem.
    pub fn join(self, data: Option<Input>) -> Result<Joined, VerifyError> {
        let Self { description, record } = self;
        let (record, penalty, mut data) = match (record, data) {
            (Ok((record, penalty)), Some(data)) => (record, penalty, data),
            (Ok(_), None) => {
                let claim = wrong("record.problem", "there are no data".to_owned());
                return Ok(Joined { description, subjects: Err(claim) });
            }
            (Err(claim), _) => return Ok(Joined { description, subjects: Err(claim) }),
        };
        let loaded = match load(&description, &record, &data.origin.rows) {
            Ok(loaded) => loaded,
            Err(LoadError::Misread(misread)) => {
                let claim = wrong(&misread.part, misread.error.to_string());
                return Ok(Joined { description, subjects: Err(claim) });
            }
            Err(LoadError::File(error)) => return Err(error.into()),
        };
        let center = loaded.fixed_center.as_deref();
        if let Some(center) = center.filter(|center| center.len() == data.points.nrows()) {
            data.points = input::subtracted(data.points, center);
        }
        let (problem, origin) = input::problem(data, penalty, record.problem.centered)?;
        Ok(Joined { description, subjects: Ok(Subjects { problem, origin, record, loaded }) })
    }
}

impl Joined {
    /// Proves every claim again.
    #[must_use]
    pub fn verify(&self, watch: &dyn Follow) -> Verification {
        let Self { description, subjects } = self;
        let watch = &Cut { inner: watch, by: OnceLock::new() };
        let record = subjects.as_ref().ok().map(|subjects| &subjects.record);
        let mut claims = match subjects {
            Err(claim) => vec![claim.clone()],
            Ok(subjects) => proved(description, subjects, watch),
        };
        let stop = watch.by.get().map_or(Stop::ToleranceMet, |interrupt| Stop::from(*interrupt));
        if stop != Stop::ToleranceMet {
            leave_open(&mut claims, stop);
        }
        if claims.iter().all(|claim| claim.holds) {
            let outcome = if description.checksum_holds() { Ok(()) } else { Err(EDITED.to_owned()) };
            claims.push(Claim::new("certificate.json: checksum", outcome));
        }
        Verification {
            schema_version: SCHEMA_VERSION,
            verified: claims.iter().all(|claim| claim.holds),
            stop: stop.as_str(),
            verdict: record.map(|record| record.verdict.to_string()),
            gap_tolerance: record.map(|record| record.asked.tolerance),
            stationarity_tolerance: record.map(|record| record.asked.stationarity),
            claims,
            not_checked: &NOT_CHECKED,
        }
    }
}

/// Follows a run, and remembers what stopped it.
struct Cut<'a> {
    inner: &'a dyn Follow,
    by: OnceLock<Interrupt>,
}

impl Observer for Cut<'_> {
    fn poll(&self) -> ControlFlow<Interrupt> {
        let polled = self.inner.poll();
        if let ControlFlow::Break(interrupt) = polled {
            let _ = self.by.set(interrupt);
        }
        polled
    }

    fn progress(&self, progress: &Progress) {
        self.inner.progress(progress);
    }

    fn rows(&self, read: usize, of: usize) {
        self.inner.rows(read, of);
    }
}

impl Follow for Cut<'_> {
    fn elapsed(&self) -> Duration {
        self.inner.elapsed()
    }

    fn phase(&self, name: &'static str) {
        self.inner.phase(name);
    }

    fn part(&self, which: usize, of: usize) {
        self.inner.part(which, of);
    }

    fn note(&self, text: &str) {
        self.inner.note(text);
    }
}

/// Claims that rest on a search, which a run that is stopped leaves out.
const SEARCHED: [&str; 19] = [
    "bound_kind",
    "certificate",
    "eigenvalue_lower",
    "hull",
    "improved",
    "local",
    "lower_bound",
    "max_coherence",
    "nested_pairs",
    "participation",
    "planar_bound",
    "radius",
    "relative_gap",
    "verdict",
    "verdict_reason",
    "width_base",
    "width_bound_kind",
    "width_lower_bound",
    "width_price",
];

/// Of a run that was stopped, what it had no time to prove is open: only what needs no search
/// fails.
fn leave_open(claims: &mut [Claim], stop: Stop) {
    for claim in claims.iter_mut().filter(|claim| claim.fails()) {
        let name = claim.claim.strip_prefix("certificate.json: ").unwrap_or(&claim.claim);
        if SEARCHED.contains(&name) || name.starts_with("local.") {
            *claim = claim.clone().unchecked(stop);
        }
    }
}

/// Why the checksum does not hold.
const EDITED: &str = "something was edited that no other claim covers, or the checksum itself";

/// The files as they belong to the data, or, where they do not, to what the record says:
/// then it is the data that are named.
fn load(description: &Description, record: &Record, rows: &Rows) -> Result<Loaded, LoadError> {
    let centered = record.problem.centered;
    let recorded = description.rows(record.problem.points)?;
    match description.load(rows, centered) {
        Err(LoadError::File(error))
            if matches!(error.problem, FileProblem::Shape { .. } | FileProblem::MaskedCode { .. }) =>
        {
            description.load(&recorded, centered)
        }
        other => other,
    }
}

/// Whether the rows that are masked now are those that were.
fn masks(description: &Description, subjects: &Subjects) -> Option<Claim> {
    let rows = &subjects.origin.rows;
    let recorded = &description.rows(subjects.record.problem.points).ok()?;
    if rows.masked().eq(recorded.masked()) {
        return None;
    }
    let count = |rows: &Rows| format!("{} of {} rows", rows.of() - rows.len(), rows.of());
    let mut reason = format!("the record masks {}, these options {}", count(recorded), count(rows));
    let options = description.fields().get("masked").map(options).filter(|text| !text.is_empty());
    if let Some(options) = options {
        reason.push_str(&format!("; it was made with {options}"));
    }
    if description.fields().get("verify").is_some_and(|verify| verify["weights"].is_string()) {
        reason.push_str("; a weight of 0 masks too");
    }
    Some(Claim::new("masked rows", Err(reason)))
}

/// The options that masked rows, as they are written.
fn options(masked: &Value) -> String {
    let multiple = masked["max_norm_multiple"].as_f64();
    let skip = (masked["skip_nonfinite"] == true).then(|| "--skip-nonfinite".to_owned());
    let multiple = multiple.map(|k| format!("--max-norm-multiple {k}"));
    skip.into_iter().chain(multiple).collect::<Vec<_>>().join(" ")
}

/// Every claim, proved by the whole work or by what a checker proves that is stopped at
/// once. Both are proofs, and a run that a limit ended may have had the second: its bound
/// may be a digit higher, and it leaves out the coherence.
fn proved(description: &Description, subjects: &Subjects, watch: &dyn Follow) -> Vec<Claim> {
    watch.phase("verifying");
    let mut found = claims(description, subjects, watch, watch);
    if found.iter().any(|claim| !claim.holds) {
        let stopped =
            claims(description, subjects, watch, &|_: &Progress| ControlFlow::Break(Interrupt::TimeLimit));
        for claim in found.iter_mut().filter(|claim| !claim.holds) {
            if let Some(other) = stopped.iter().find(|other| other.holds && other.claim == claim.claim) {
                *claim = other.clone();
            }
        }
    }
    if found.iter().all(|claim| claim.holds) {
        for copy in copies::all(&subjects.record, description.fields()) {
            match found.iter_mut().find(|claim| claim.claim == copy.claim) {
                Some(claim) => *claim = copy,
                None => found.push(copy),
            }
        }
    }
    found
}

/// Every claim of the record, then those at the top of certificate.json.
fn claims(
    description: &Description,
    subjects: &Subjects,
    watch: &dyn Follow,
    observer: &dyn Observer,
) -> Vec<Claim> {
    let Subjects { problem, origin, record, loaded } = subjects;
    let names = description.files(loaded);
    let (checked, certified) = record.audit(problem, loaded.factorization.clone(), &loaded.witness, observer);
    let mut claims: Vec<Claim> = masks(description, subjects).into_iter().collect();
    claims.extend(checked.into_iter().map(Claim::from));
    claims.extend(names.iter().map(|(key, holds)| {
        let outcome = if *holds { Ok(()) } else { Err("not the files that were read".to_owned()) };
        Claim::new(&format!("certificate.json: {key}"), outcome)
    }));
    let Some(certified) = certified else { return claims };
    claims.extend(improved(problem, record, &certified, loaded.improved.as_ref()));
    let top = description.fields();
    claims.extend(row::settings(certified.certificate(), top.get("verify").unwrap_or(&Value::Null), record));
    if row::is_there(top) {
        claims.extend(row::top_level((problem, origin), record, &certified, top, watch));
        let participation = top.get("participation").filter(|value| value.is_object());
        if let Some(participation) = participation {
            let outcome = row::participation(problem, &certified, participation, watch);
            claims.push(Claim::new("certificate.json: participation", outcome));
        }
    }
    claims
}

/// Whether the point that is said to be lower is proved to be.
fn improved(
    problem: &Problem,
    record: &Record,
    certified: &Certified,
    improved: Option<&crate::Factorization>,
) -> Option<Claim> {
    let outcome = match (improved, certified.improvement()) {
        (None, None) => return None,
        (None, Some(_)) => Err("the lower point that refutes the solution is missing".to_owned()),
        (Some(_), _) if !matches!(record.verdict, Verdict::Refuted { .. }) => {
            Err("there is a lower point, but the verdict is not refuted".to_owned())
        }
        (Some(better), _) => match Subject::of(problem, certified.solution()) {
            Ok(subject) if subject.is_above(better) => Ok(()),
            _ => Err("its objective is not proved to be lower".to_owned()),
        },
    };
    Some(Claim::new("improved", outcome))
}
