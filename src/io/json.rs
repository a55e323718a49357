//! JSON: numbers are written in full precision and read back bit for bit.

use std::fs::File;
use std::io::{BufReader, Write};
use std::path::Path;

use serde::Serialize;
use serde::de::DeserializeOwned;
use serde_json::{Number, Value};

use super::{FileError, FileProblem, replace};
use crate::certificate::record::Digest;

/// Writes one JSON value, indented, with a final newline.
///
/// # Errors
/// [`FileError`] when the file cannot be written.
pub fn write_json<T: Serialize>(path: &Path, value: &T) -> Result<(), FileError> {
    replace(path, |writer| {
        serde_json::to_writer_pretty(&mut *writer, value).map_err(FileProblem::Json)?;
        writer.write_all(b"\n")?;
        Ok(())
    })
}

/// Reads one JSON value.
///
/// # Errors
/// [`FileError`], with line and column where the text is not the value expected.
pub fn read_json<T: DeserializeOwned>(path: &Path) -> Result<T, FileError> {
    let file = File::open(path).map_err(|e| FileError::new(path, e.into()))?;
    serde_json::from_reader(BufReader::new(file)).map_err(|e| FileError::new(path, FileProblem::Json(e)))
}

/// Digest of a JSON value: of what it says, not of how it is written. Keys may come in any
/// order, and 1 is 1.0.
pub(super) fn digest(value: &Value) -> String {
    let mut digest = Digest::new();
    feed(value, &mut digest);
    digest.text()
}

/// A kind and its content; texts and lists tell their length first, so that no two values
/// give the same words.
fn feed(value: &Value, digest: &mut Digest) {
    match value {
        Value::Null => digest.word(0),
        Value::Bool(flag) => digest.word(1 + u64::from(*flag)),
        Value::Number(number) => feed_number(number, digest),
        Value::String(text) => feed_text(text, digest),
        Value::Array(items) => {
            digest.word(6);
            digest.word(items.len() as u64);
            items.iter().for_each(|item| feed(item, digest));
        }
        Value::Object(fields) => {
            digest.word(7);
            digest.word(fields.len() as u64);
            let mut sorted: Vec<_> = fields.iter().collect();
            sorted.sort_by_key(|(key, _)| key.as_str());
            for (key, field) in sorted {
                feed_text(key, digest);
                feed(field, digest);
            }
        }
    }
}

fn feed_number(number: &Number, digest: &mut Digest) {
    // Counts of which a double would lose digits, such as seeds.
    const EXACT: u64 = 1 << f64::MANTISSA_DIGITS;
    let (kind, word) = match (number.as_u64(), number.as_f64()) {
        (Some(count), _) if count > EXACT => (3, count),
        // A zero has no sign here.
        (_, Some(value)) => (4, (value + 0.0).to_bits()),
        (_, None) => (3, 0),
    };
    digest.word(kind);
    digest.word(word);
}

fn feed_text(text: &str, digest: &mut Digest) {
    digest.word(5);
    digest.word(text.len() as u64);
    text.bytes().for_each(|byte| digest.word(u64::from(byte)));
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::json;

    #[test]
    fn the_digest_is_of_what_is_said() {
        let value =
            json!({"a": 1, "b": [0.1, null, true], "c": {"d": "e", "f": 12_297_829_382_473_034_411_u64}});
        let text = r#"{ "c": {"f":12297829382473034411, "d": "\u0065"}, "b": [1e-1, null, true], "a": 1.0 }"#;
        assert_eq!(digest(&value), digest(&serde_json::from_str(text).expect("JSON")));
        for other in [
            json!({"a": 1, "b": [0.1, true, null], "c": {"d": "e", "f": 12_297_829_382_473_034_411_u64}}),
            json!({"a": 1, "b": [0.1, null, true], "c": {"d": "e", "f": 12_297_829_382_473_034_410_u64}}),
            json!({"a": 1, "b": [0.1, null], "c": {"d": "e", "f": 12_297_829_382_473_034_411_u64}}),
            json!({"a": 1, "b": [0.1, null, true], "c": {"d": "e"}}),
            json!({"a": "1", "b": [0.1, null, true], "c": {"d": "e", "f": 12_297_829_382_473_034_411_u64}}),
        ] {
            assert_ne!(digest(&value), digest(&other), "{other}");
        }
    }
}
