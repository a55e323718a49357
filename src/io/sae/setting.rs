//! Values of a configuration, each with an error that names its key.

#![expect(clippy::wildcard_enum_match_arm, reason = "every other kind of JSON value is the same error")]

use serde_json::Value;

use super::super::FileProblem;

/// Characters of a wrong value that are shown.
const SHOWN: usize = 60;

/// The error of a value that is not what was expected.
pub(super) fn wrong(key: &'static str, expected: &'static str, found: &Value) -> FileProblem {
    let mut found = found.to_string();
    if found.chars().count() > SHOWN {
        found = found.chars().take(SHOWN).chain("…".chars()).collect();
    }
    FileProblem::Setting { key, expected, found }
}

pub(super) fn text<'a>(value: &'a Value, key: &'static str) -> Result<Option<&'a str>, FileProblem> {
    match &value[key] {
        Value::Null => Ok(None),
        Value::String(text) => Ok(Some(text)),
        other => Err(wrong(key, "a name", other)),
    }
}

pub(super) fn count(value: &Value, key: &'static str) -> Result<Option<usize>, FileProblem> {
    match &value[key] {
        Value::Null => Ok(None),
        other => match other.as_u64().and_then(|n| usize::try_from(n).ok()) {
            Some(n) => Ok(Some(n)),
            None => Err(wrong(key, "a whole number at least 0", other)),
        },
    }
}

/// A finite number.
pub(super) fn number(value: &Value, key: &'static str) -> Result<Option<f64>, FileProblem> {
    match &value[key] {
        Value::Null => Ok(None),
        other => match other.as_f64().filter(|v| v.is_finite()) {
            Some(number) => Ok(Some(number)),
            None => Err(wrong(key, "a finite number", other)),
        },
    }
}

pub(super) fn positive(value: &Value, key: &'static str) -> Result<Option<f64>, FileProblem> {
    match number(value, key)? {
        Some(number) if !(number > 0.0) => Err(wrong(key, "a number above 0", &value[key])),
        found => Ok(found),
    }
}

pub(super) fn flag(value: &Value, key: &'static str) -> Result<Option<bool>, FileProblem> {
    match &value[key] {
        Value::Null => Ok(None),
        Value::Bool(flag) => Ok(Some(*flag)),
        other => Err(wrong(key, "true or false", other)),
    }
}
