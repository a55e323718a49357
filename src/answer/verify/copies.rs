//! What certificate.json says twice.
//!
//! A bound that is weaker than what is proved holds wherever it stands, and so does any
//! number within rounding. Where its copy says something else, one of the two was edited.

use crate::certificate::Record;
use crate::num::max;
use crate::trusted::width::value_at;
use serde_json::{Map, Value};

use super::super::row::stop_name;
use super::super::verification::Claim;

/// Every pair of copies.
pub(super) fn all(record: &Record, top: &Map<String, Value>) -> Vec<Claim> {
    let mut claims = vec![
        copy(
            "verify.upper_bound",
            top.get("verify").and_then(|verify| verify.get("upper_bound")),
            made(record, "upper_bound"),
        ),
        copy(
            "witness.smallest_eigenvalue",
            top.get("witness").and_then(|witness| witness.get("smallest_eigenvalue")),
            record.witness.smallest_eigenvalue,
        ),
    ];
    if !super::row::is_there(top) {
        return claims;
    }
    for key in ["objective", "lower_bound", "relative_gap"] {
        claims.push(copy(key, top.get(key), made(record, key)));
    }
    claims.push(copy("width_lower_bound", top.get("width_lower_bound"), of_width(record, top)));
    if let Some(local) = top.get("local").filter(|local| !local.is_null()) {
        for key in ["nested_pairs", "eigenvalue_lower", "radius"] {
            claims.push(copy(&format!("local.{key}"), local.get(key), made(record, key)));
        }
    }
    let kkt = top.get("kkt").unwrap_or(&Value::Null);
    claims.extend(["codes", "dictionary", "center"].map(|group| residual(record, group, &kkt[group])));
    let stop = top.get("stop").and_then(Value::as_str);
    let outcome = if stop == Some(stop_name(record.asked.stop)) { Ok(()) } else { Err(OTHER.to_owned()) };
    claims.push(Claim::new("certificate.json: stop", outcome));
    claims
}

/// Why copies do not agree.
const OTHER: &str = "the record says something else";

/// A number of the record.
fn made(record: &Record, name: &str) -> Option<f64> {
    record.claims.iter().find(|claim| claim.name == name).map(|claim| claim.value)
}

/// What the record says of the width: by its line, where that is above its bound of every
/// width, or by its planar bound.
fn of_width(record: &Record, top: &Map<String, Value>) -> Option<f64> {
    let width = usize::try_from(top.get("width")?.as_u64()?).ok()?;
    let every = made(record, "lower_bound")?;
    let line = made(record, "width_base")
        .zip(made(record, "width_price"))
        .map(|(base, price)| value_at(base, price, width))
        .filter(|bound| *bound > every);
    let planar = record.asked.planar.filter(|goal| width <= goal.width).and(made(record, "planar_bound"));
    line.into_iter().chain(planar.map(|bound| max(bound, every))).reduce(max)
}

/// The same bits, or both null.
fn copy(key: &str, shown: Option<&Value>, recorded: Option<f64>) -> Claim {
    let same = match (shown, recorded) {
        (Some(Value::Null), None) => true,
        (Some(shown), Some(recorded)) => {
            shown.as_f64().is_some_and(|shown| shown.to_bits() == recorded.to_bits())
        }
        _ => false,
    };
    let outcome = if same { Ok(()) } else { Err(OTHER.to_owned()) };
    Claim::new(&format!("certificate.json: {key}"), outcome)
}

/// A relative residual is the value over the scale, or 0 where rounding explains it.
fn residual(record: &Record, group: &str, shown: &Value) -> Claim {
    let name = format!("stationarity of {group}");
    let recorded = made(record, &name);
    let relative = match (shown["value"].as_f64(), shown["scale"].as_f64()) {
        (Some(value), Some(scale)) => Some(value / scale),
        _ => None,
    };
    let same = recorded.is_some_and(|recorded| {
        recorded.abs() <= 0.0 || relative.is_some_and(|relative| relative.to_bits() == recorded.to_bits())
    });
    let outcome = if same { Ok(()) } else { Err(OTHER.to_owned()) };
    Claim::new(&format!("certificate.json: kkt.{group}"), outcome)
}
