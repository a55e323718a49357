//! The fields at the top of certificate.json against what is found now.

use crate::certificate::Record;
use crate::certificate::record::{STOPPED, same_words};
use crate::trusted::participation::{LeastParticipation, price};
use crate::trusted::{BoundKind, Subject};
use crate::{Certificate, Certified, Participation, Problem, Run};
use serde_json::{Map, Value};

use super::super::Follow;
use super::super::hull;
use super::super::row::{Row, RunSummary};
use super::super::verification::Claim;
use super::{NOT_CHECKED, Origin, SAME};

/// Numbers in units of 1: a share, a cosine.
const UNITLESS: [&str; 11] = [
    "explained_variance",
    "max_coherence",
    "objective_share_of_top_percent",
    "distance",
    "certified_lower",
    "worst",
    "worst_certified",
    "cosine",
    "low",
    "high",
    "outside",
];

/// Whether there are any: a solution that the library saved has none.
pub(super) fn is_there(top: &Map<String, Value>) -> bool {
    top.keys().any(|key| !["verify", "witness", "record", "checksum"].contains(&key.as_str()))
}

/// Compares the fields with the row that would be written now.
pub(super) fn top_level(
    (problem, origin): (&Problem, &Origin),
    record: &Record,
    certified: &Certified,
    top: &Map<String, Value>,
    watch: &dyn Follow,
) -> Vec<Claim> {
    let certificate = certified.certificate();
    // The bound of a width is checked at the width that is claimed.
    let width = top.get("width").and_then(Value::as_u64).and_then(|width| usize::try_from(width).ok());
    let run = RunSummary { stop: record.asked.stop, ..RunSummary::audit(width) };
    let told = top.get("hull").is_some_and(|hull| !hull.is_null());
    // A test that was cut short looked at the first atoms.
    let looked_at = top.get("hull").and_then(|hull| usize::try_from(hull["checked"].as_u64()?).ok());
    let hull =
        || hull::of(problem, certified.solution(), &origin.rows, looked_at.unwrap_or(usize::MAX), watch);
    let row = Row::new(problem, &origin.masked, &run, certificate).with_hull(told.then(hull).flatten());
    let Ok(Value::Object(row)) = serde_json::to_value(row) else {
        return Vec::new();
    };
    // Where there is a bound for common atoms, it is a claim of its own.
    let own = |key: &str| key == "participation" && top.get(key).is_some_and(Value::is_object);
    row.iter()
        .filter(|(key, _)| !own(key))
        .map(|(key, found)| {
            let outcome = match top.get(key) {
                None => Err("is missing".to_owned()),
                Some(width) if key == "width" => holds_width(width, record, certified),
                Some(_) if NOT_CHECKED.contains(&key.as_str()) => Ok(()),
                Some(claimed) => field(key, claimed, found, record),
            };
            Claim::new(&format!("certificate.json: {key}"), outcome)
        })
        .collect()
}

fn field(key: &str, claimed: &Value, found: &Value, record: &Record) -> Result<(), String> {
    let holds = match key {
        "bound_kind" => bound_kind(claimed, found, record),
        // These may be weaker than what is found, as the record says: copies tell.
        "verdict" => claimed.as_str() == Some(record.verdict.as_str()),
        "verdict_reason" => *claimed == Value::from(record.verdict.reason()),
        "local" => claimed.is_null() != record.asked.local && local(claimed, found),
        _ => same(key, claimed, found),
    };
    match (holds, key) {
        (true, _) => Ok(()),
        (false, "masked") => Err(format!(
            "claimed {claimed}, found {found}: made with {}, checked with {}",
            named_options(claimed),
            named_options(found)
        )),
        (false, _) => Err(format!("claimed {claimed}, found {found}")),
    }
}

fn named_options(masked: &Value) -> String {
    let options = super::options(masked);
    if options.is_empty() { "no option that masks".to_owned() } else { options }
}

/// The local test is of a width; how many atoms it allowed beyond those that are there
/// nothing tells.
fn holds_width(claimed: &Value, record: &Record, certified: &Certified) -> Result<(), String> {
    let atoms = certified.solution().width() as u64;
    let enough = claimed.as_u64().is_some_and(|width| width >= atoms);
    if enough || (claimed.is_null() && !record.asked.local) {
        Ok(())
    } else {
        Err(format!("claimed {claimed}, found {atoms} atoms"))
    }
}

/// The kind that proves the bound now, or, for a weaker bound, the one that its theorems
/// belong to.
fn bound_kind(claimed: &Value, found: &Value, record: &Record) -> bool {
    let Ok(kind) = serde_json::from_value::<BoundKind>(claimed.clone()) else { return false };
    let Some(bound) = record.claims.iter().find(|claim| claim.name == "lower_bound") else { return false };
    let own = bound.theorems.strip_suffix(&["centre".to_owned()]).unwrap_or(&bound.theorems);
    let as_asked = (kind == BoundKind::None) != record.asked.bounds;
    let exact = kind != BoundKind::Exact || record.asked.exact;
    (claimed == found || kind != BoundKind::None) && own == kind.theorems() && as_asked && exact
}

/// What a proof that was stopped had not proved yet may be missing.
fn local(claimed: &Value, found: &Value) -> bool {
    let (Value::Object(claimed), Value::Object(found)) = (claimed, found) else { return claimed == found };
    let unproved = |fields: &Map<String, Value>| {
        ["eigenvalue_lower", "radius"].iter().all(|key| fields.get(*key) == Some(&Value::Null))
    };
    let stopped = claimed.get("reason").and_then(Value::as_str) == Some(STOPPED);
    let stopped = unproved(claimed) && (stopped || !unproved(found));
    claimed.len() == found.len()
        && found.iter().all(|(key, found)| {
            let proof = ["eigenvalue_lower", "radius", "degenerate", "reason"].contains(&key.as_str());
            claimed.get(key).is_some_and(|claimed| (stopped && proof) || same(key, claimed, found))
        })
}

/// Whether a value is what is found now. A bound must be proved again at least as strong;
/// other numbers may differ in their last digits.
fn same(key: &str, claimed: &Value, found: &Value) -> bool {
    match (claimed, found) {
        (Value::Number(claimed), Value::Number(found)) => {
            let (Some(claimed), Some(found)) = (claimed.as_f64(), found.as_f64()) else { return false };
            let size = claimed.abs() + found.abs() + if UNITLESS.contains(&key) { 1.0 } else { 0.0 };
            match key {
                "lower_bound" | "width_lower_bound" | "eigenvalue_lower" => claimed <= found,
                "relative_gap" | "radius" => claimed >= found,
                _ => (claimed - found).abs() <= SAME * size,
            }
        }
        // A residual is measured by the scale beside it.
        (Value::Object(claimed), Value::Object(found)) if found.contains_key("scale") => {
            let number = |object: &Map<String, Value>, key: &str| object.get(key).and_then(Value::as_f64);
            let scale = number(found, "scale").unwrap_or(0.0);
            claimed.len() == found.len()
                && ["value", "scale"].iter().all(|key| match (number(claimed, key), number(found, key)) {
                    (Some(claimed), Some(found)) => (claimed - found).abs() <= SAME * scale,
                    _ => false,
                })
        }
        (Value::Object(claimed), Value::Object(found)) => {
            claimed.len() == found.len()
                && found
                    .iter()
                    .all(|(key, found)| claimed.get(key).is_some_and(|claimed| same(key, claimed, found)))
        }
        (Value::String(claimed), Value::String(found)) if key == "reason" => same_words(claimed, found),
        _ => claimed == found,
    }
}

/// The settings beside the row: those of the record, and an upper bound that is proved.
pub(super) fn settings(certificate: &Certificate, verify: &Value, record: &Record) -> Vec<Claim> {
    let claim = |key: &str, found: f64, holds: &dyn Fn(f64) -> bool| {
        let claimed = verify[key].as_f64();
        let outcome = match claimed {
            Some(claimed) if holds(claimed) => Ok(()),
            _ => Err(format!("claimed {}, found {found:e}", verify[key])),
        };
        Claim::new(&format!("certificate.json: verify.{key}"), outcome)
    };
    let equal = |key: &str, found: f64| claim(key, found, &|claimed| claimed.to_bits() == found.to_bits());
    let upper = certificate.upper().get();
    vec![
        equal("tolerance", record.asked.tolerance),
        equal("stationarity", record.asked.stationarity),
        claim("upper_bound", upper, &|claimed| claimed >= upper),
    ]
}

/// Whether the bound for common atoms is proved again, from the saved solution on.
pub(super) fn participation(
    problem: &Problem,
    certified: &Certified,
    claimed: &Value,
    watch: &dyn Follow,
) -> Result<(), String> {
    let number = |key: &str| claimed[key].as_f64().ok_or_else(|| format!("{key} is no number"));
    let (p, lower) = (number("p")?, number("lower_bound")?);
    let (lambda, gamma) = (number("lambda")?, number("gamma")?);
    let subject = Subject::of(problem, certified.solution()).map_err(|error| error.to_string())?;
    let least = LeastParticipation::of(&subject).map(|least| least.value);
    let min = serde_json::to_value(least).map_err(|error| error.to_string())?;
    if !claimed.get("min").is_some_and(|claimed| same("min", claimed, &min)) {
        return Err(format!("min: claimed {}, found {min}", claimed["min"]));
    }
    let allowed = price(problem.lambda(), lambda, p).get();
    if gamma.to_bits() != allowed.to_bits() {
        return Err(format!("gamma: claimed {gamma}, found {allowed} at p and lambda"));
    }
    if claimed["beats_wide_limit"] != (gamma > 0.0) {
        return Err(format!("beats_wide_limit: claimed {}, gamma is {gamma}", claimed["beats_wide_limit"]));
    }
    watch.phase("participation bound");
    let run = Run::observed(watch).with_start(certified.solution());
    let found = Participation::default().bound_with(problem, p, &run).map_err(|error| error.to_string())?;
    if lower > found.lower.get() {
        return Err(format!("lower_bound: claimed {lower}, proved {}", found.lower.get()));
    }
    let kind = serde_json::from_value::<BoundKind>(claimed["bound_kind"].clone());
    let weaker = lower < found.lower.get();
    match kind {
        Ok(kind) if weaker || kind == found.kind => Ok(()),
        _ => Err(format!("bound_kind: claimed {}, found {}", claimed["bound_kind"], found.kind.as_str())),
    }
}
