//! `widedict verify`: everything that `--out` claims, proved again from its files and the
//! data.
//!
//! The record inside certificate.json is checked by the library. The fields at its top,
//! which people read, repeat the record's numbers and more; each is compared with what the
//! checker finds now.

use serde_json::{Map, Value};
use widedict::certificate::Record;
use widedict::gauge::Penalty;
use widedict::io::{Loaded, load_solution};
use widedict::{Certificate, Certified, Participation, Problem, Run};

use super::threads::on_threads;
use super::{Outcome, input};
use crate::arguments::VerifyArgs;
use crate::failure::Failure;
use crate::output;
use crate::output::progress::Watch;
use crate::output::row::{Row, RunSummary, SCHEMA_VERSION};
use crate::output::verification::{Claim, Verification};

/// Relative difference at which a number that bounds nothing contradicts what is found
/// now: another machine adds in another order, which moves the last digits.
const SAME: f64 = 1e-9;

/// Keys that say how the numbers came about, not what they are: nothing can prove them.
/// The estimate rests on directions that are not saved, and proves nothing.
const NOT_CLAIMS: [&str; 8] = [
    "method",
    "seed",
    "stop",
    "seconds",
    "seconds_certify",
    "estimated_lower_bound",
    "estimated_relative_gap",
    "rescaled",
];

/// Numbers in units of 1: a share, a cosine, a gap.
const UNITLESS: [&str; 3] = ["relative_gap", "explained_variance", "max_coherence"];

/// Reads everything, proves again, prints.
pub(super) fn run(args: &VerifyArgs) -> Result<Outcome, Failure> {
    let loaded = load_solution(&args.folder)?;
    let Some(record) = loaded.record.clone() else {
        let what = "a checkpoint: it claims nothing".to_owned();
        return Err(Failure::Saved { path: args.folder.clone(), what });
    };
    let problem = problem(args, &record, loaded.fixed_center.as_deref())?;
    let watch = Watch::start(args.run.max_seconds, args.run.quiet);
    let claims = on_threads(&args.run, || Ok(claims(&problem, &record, loaded, &watch)));
    watch.finish();
    let claims = claims?;
    let verification = Verification {
        schema_version: SCHEMA_VERSION,
        verified: claims.iter().all(|claim| claim.holds),
        verdict: Some(record.verdict.to_string()),
        gap_tolerance: record.asked.tolerance,
        stationarity_tolerance: record.asked.stationarity,
        claims,
    };
    output::answer(args.run.json, &verification, || verification.summary(&args.folder))?;
    Ok(Outcome::of(verification.verified))
}

/// The problem that the record is about, made of the data given.
fn problem(args: &VerifyArgs, record: &Record, center: Option<&[f64]>) -> Result<Problem, Failure> {
    let digest = &record.problem;
    let penalty = Penalty::new(digest.lambda, digest.gamma)?;
    let mut data = input::read(&args.source, args.run.quiet)?;
    if let Some(center) = center.filter(|center| center.len() == data.points.nrows()) {
        input::subtract(&mut data.points, center);
    }
    input::problem(data, penalty, digest.centered, args.weights.as_deref())
}

/// Every claim of the record, then those at the top of certificate.json.
fn claims(problem: &Problem, record: &Record, loaded: Loaded, watch: &Watch) -> Vec<Claim> {
    watch.phase("verifying");
    let top = loaded.certificate;
    let (checked, certified) = record.audit(problem, loaded.factorization, &loaded.witness, watch);
    let mut claims: Vec<Claim> = checked.into_iter().map(Claim::from).collect();
    if let Some(certified) = certified {
        claims.extend(top_level(problem, &certified, &top));
        claims.extend(settings(record, certified.certificate(), &top));
        if let Some(participation) = top.get("participation").filter(|value| !value.is_null()) {
            let outcome = participation_holds(problem, &certified, participation, watch);
            claims.push(Claim::new("certificate.json: participation", outcome));
        }
    }
    claims
}

/// Compares the fields at the top with the row that would be written now.
fn top_level(problem: &Problem, certified: &Certified, top: &Value) -> Vec<Claim> {
    let width = top.get("width").and_then(Value::as_u64).and_then(|width| usize::try_from(width).ok());
    let run = RunSummary::audit(width);
    let row = serde_json::to_value(Row::new(problem, &run, certified.certificate()));
    let Ok(Value::Object(row)) = row else { return Vec::new() };
    // A solution that the library saved has no row.
    if top.get("objective").is_none() {
        return Vec::new();
    }
    row.iter()
        .filter(|(key, _)| !NOT_CLAIMS.contains(&key.as_str()) && *key != "participation")
        .map(|(key, found)| {
            let claimed = top.get(key).unwrap_or(&Value::Null);
            let outcome = if same(key, claimed, found) {
                Ok(())
            } else {
                Err(format!("claimed {claimed}, found {found}"))
            };
            Claim::new(&format!("certificate.json: {key}"), outcome)
        })
        .collect()
}

/// The settings beside the row: those of the record, and an upper bound that is proved.
fn settings(record: &Record, certificate: &Certificate, top: &Value) -> Vec<Claim> {
    let verify = &top["verify"];
    let number = |key: &str| verify[key].as_f64();
    let agree = |key: &str, found: f64, holds: bool| {
        let outcome = if holds { Ok(()) } else { Err(format!("claimed {}, found {found:e}", verify[key])) };
        Claim::new(&format!("certificate.json: verify.{key}"), outcome)
    };
    let equal = |key: &str, found: f64| agree(key, found, number(key) == Some(found));
    let upper = certificate.upper().get();
    vec![
        equal("tolerance", record.asked.tolerance),
        equal("stationarity", record.asked.stationarity),
        agree("upper_bound", upper, number("upper_bound").is_some_and(|claimed| claimed >= upper)),
    ]
}

/// Whether a value is what is found now. A bound must be proved again at least as strong;
/// other numbers may differ in their last digits.
fn same(key: &str, claimed: &Value, found: &Value) -> bool {
    match (claimed, found) {
        (Value::Number(claimed), Value::Number(found)) => {
            let (Some(claimed), Some(found)) = (claimed.as_f64(), found.as_f64()) else { return false };
            // Residuals and gaps are relative: their unit is 1.
            let size = claimed.abs() + found.abs() + if UNITLESS.contains(&key) { 1.0 } else { 0.0 };
            let close = (claimed - found).abs() <= SAME * size;
            match key {
                "lower_bound" | "eigenvalue_lower" => claimed <= found && close,
                "relative_gap" => claimed >= found && close,
                _ => close,
            }
        }
        // A residual is measured by the scale beside it.
        (Value::Object(claimed), Value::Object(found)) if found.contains_key("scale") => {
            let number = |object: &Map<String, Value>, key: &str| object.get(key).and_then(Value::as_f64);
            let pairs = ["value", "scale"].map(|key| (number(claimed, key), number(found, key)));
            let scale = number(found, "scale").unwrap_or(0.0);
            pairs.iter().all(|pair| match pair {
                (Some(claimed), Some(found)) => (claimed - found).abs() <= SAME * scale,
                _ => false,
            })
        }
        (Value::Object(claimed), Value::Object(found)) => found.iter().all(|(key, found)| {
            let claimed = claimed.get(key).unwrap_or(&Value::Null);
            NOT_PROVED.contains(&key.as_str()) || same(key, claimed, found)
        }),
        // A stopped run leaves it out.
        (Value::Null, _) if key == "max_coherence" => true,
        // Reasons quote numbers, whose last digits may differ.
        (Value::String(_), Value::String(_)) if key == "reason" || key == "verdict_reason" => true,
        _ => claimed == found,
    }
}

/// Keys inside `local` that prove nothing: a Ritz value depends on the rounding of its
/// start.
const NOT_PROVED: [&str; 1] = ["smallest_eigenvalue"];

/// Whether the bound for common atoms is proved again, from the saved solution on.
fn participation_holds(
    problem: &Problem,
    certified: &Certified,
    claimed: &Value,
    watch: &Watch,
) -> Result<(), String> {
    let (Some(p), Some(lower)) = (claimed["p"].as_f64(), claimed["lower_bound"].as_f64()) else {
        return Err("p or lower_bound is no number".to_owned());
    };
    watch.phase("participation bound");
    let run = Run::observed(watch).with_start(certified.solution());
    let found = Participation::default().bound_with(problem, p, &run).map_err(|error| error.to_string())?;
    if lower <= found.lower.get() {
        Ok(())
    } else {
        Err(format!("claimed {lower}, proved {}", found.lower.get()))
    }
}
