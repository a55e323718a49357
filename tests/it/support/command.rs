//! The command, run as a user would.

use std::ffi::OsStr;
use std::fs;
use std::path::{Path, PathBuf};
use std::process::{Command, Output};

use serde_json::Value;
use tempfile::TempDir;
use widedict::Matrix;
use widedict::io::{write_atoms, write_vector};

/// A folder of its own, which ends with it.
pub(crate) struct Bench(pub(crate) TempDir);

impl Bench {
    pub(crate) fn new() -> Self {
        Self(tempfile::tempdir().expect("a temporary folder"))
    }

    pub(crate) fn path(&self, name: &str) -> PathBuf {
        self.0.path().join(name)
    }

    /// Writes rows as a `.npy` file.
    pub(crate) fn rows(&self, name: &str, rows: &[Vec<f64>]) -> PathBuf {
        let path = self.path(name);
        write_atoms(&path, &Matrix::from_columns(rows[0].len(), rows)).expect("written");
        path
    }

    pub(crate) fn vector(&self, name: &str, values: &[f64]) -> PathBuf {
        let path = self.path(name);
        write_vector(&path, values).expect("written");
        path
    }

    pub(crate) fn bytes(&self, name: &str, bytes: &[u8]) -> PathBuf {
        let path = self.path(name);
        fs::write(&path, bytes).expect("written");
        path
    }
}

pub(crate) fn widedict<S: AsRef<OsStr>>(args: impl IntoIterator<Item = S>) -> Output {
    Command::new(env!("CARGO_BIN_EXE_widedict")).args(args).output().expect("the program starts")
}

/// Runs with words split at spaces; `{}` are replaced by the paths in turn.
pub(crate) fn run(line: &str, paths: &[&Path]) -> Output {
    let mut paths = paths.iter();
    let args: Vec<_> = line
        .split_whitespace()
        .map(|word| match word {
            "{}" => paths.next().expect("a path for each {}").as_os_str().to_owned(),
            _ => word.into(),
        })
        .collect();
    assert!(paths.next().is_none(), "a {{}} for each path");
    widedict(args)
}

pub(crate) fn stderr(output: &Output) -> String {
    String::from_utf8_lossy(&output.stderr).into_owned()
}

/// The one JSON object on standard output.
pub(crate) fn object(output: &Output) -> Value {
    let text = std::str::from_utf8(&output.stdout).expect("UTF-8");
    let value: Value =
        serde_json::from_str(text).unwrap_or_else(|e| panic!("{e}: {text:?} {}", stderr(output)));
    assert!(value.is_object());
    value
}

/// Fails with `code`, nothing on standard output, and every word in the message.
pub(crate) fn fails(output: &Output, code: i32, words: &[&str]) {
    let message = stderr(output);
    assert_eq!(output.status.code(), Some(code), "{message}");
    assert!(output.stdout.is_empty(), "{:?}", String::from_utf8_lossy(&output.stdout));
    for word in words {
        assert!(message.contains(word), "{word:?} is not in {message:?}");
    }
    assert!(!message.contains("panicked"), "{message}");
}

pub(crate) fn number(value: &Value, key: &str) -> f64 {
    value[key].as_f64().unwrap_or_else(|| panic!("{key} is a number in {value}"))
}
