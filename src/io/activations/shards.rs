//! Which files a name means: one, those of a folder, or those of a pattern.

use std::cmp::Ordering;
use std::collections::BTreeMap;
use std::path::{Path, PathBuf};

use super::super::{FileError, FileProblem};
use super::kind::{holds_data, is_read};

/// Most names a message lists.
const LISTED: usize = 10;

/// The files in their order, and whether they are shards of one data set.
pub(super) fn files(path: &Path) -> Result<(Vec<PathBuf>, bool), FileError> {
    if path.is_dir() {
        return folder(path).map(|files| (files, true));
    }
    let text = path.to_string_lossy();
    if path.symlink_metadata().is_err() && text.contains(['*', '?', '[']) {
        return pattern(path, &text).map(|files| (files, true));
    }
    Ok((vec![path.to_path_buf()], false))
}

fn folder(path: &Path) -> Result<Vec<PathBuf>, FileError> {
    let at = |problem| FileError::new(path, problem);
    let mut found = Vec::new();
    for entry in std::fs::read_dir(path).map_err(|e| at(e.into()))? {
        let entry = entry.map_err(|e| at(e.into()))?;
        let hidden = entry.file_name().to_string_lossy().starts_with('.');
        if !hidden && !entry.path().is_dir() && holds_data(&entry.path()).is_some() {
            found.push(entry.path());
        }
    }
    if found.is_empty() {
        return Err(at(FileProblem::NoData));
    }
    one_kind(path, found)
}

fn pattern(path: &Path, text: &str) -> Result<Vec<PathBuf>, FileError> {
    let at = |problem| FileError::new(path, problem);
    let options = glob::MatchOptions { require_literal_leading_dot: true, ..glob::MatchOptions::new() };
    let paths = glob::glob_with(text, options)
        .map_err(|error| at(FileProblem::Pattern { what: error.to_string() }))?;
    let mut found = Vec::new();
    for entry in paths {
        let entry = entry.map_err(|error| {
            FileError::new(error.path(), std::io::Error::from(error.error().kind()).into())
        })?;
        if !entry.is_dir() {
            found.push(entry);
        }
    }
    if found.is_empty() {
        return Err(at(FileProblem::NoMatch));
    }
    one_kind(path, found)
}

/// Files of one kind, in natural order.
fn one_kind(path: &Path, mut found: Vec<PathBuf>) -> Result<Vec<PathBuf>, FileError> {
    let mut kinds: BTreeMap<String, usize> = BTreeMap::new();
    for file in &found {
        *kinds.entry(holds_data(file).unwrap_or_else(|| "other".to_owned())).or_default() += 1;
    }
    if kinds.len() > 1 {
        let found: Vec<String> =
            kinds.iter().take(LISTED).map(|(e, count)| format!("{count} .{e}")).collect();
        let example = kinds.keys().find(|e| is_read(e)).cloned().unwrap_or_else(|| "npy".to_owned());
        return Err(FileError::new(path, FileProblem::Kinds { found: found.join(", "), example }));
    }
    found.sort_by(|a, b| natural(&a.to_string_lossy(), &b.to_string_lossy()));
    Ok(found)
}

/// Digits by their number, the rest by its bytes: shard-2 comes before shard-10.
fn natural(a: &str, b: &str) -> Ordering {
    let (mut left, mut right) = (a.as_bytes(), b.as_bytes());
    while let (Some(l), Some(r)) = (left.first(), right.first()) {
        let order = if l.is_ascii_digit() && r.is_ascii_digit() {
            let (one, rest) = number(left);
            let (other, others) = number(right);
            (left, right) = (rest, others);
            one.len().cmp(&other.len()).then_with(|| one.cmp(other))
        } else {
            (left, right) = (&left[1..], &right[1..]);
            l.cmp(r)
        };
        if order != Ordering::Equal {
            return order;
        }
    }
    left.len().cmp(&right.len()).then_with(|| a.cmp(b))
}

/// The digits at the start without leading zeros, and what follows.
fn number(text: &[u8]) -> (&[u8], &[u8]) {
    let end = text.iter().position(|b| !b.is_ascii_digit()).unwrap_or(text.len());
    let start = text[..end].iter().position(|b| *b != b'0').unwrap_or(end);
    (&text[start..end], &text[end..])
}

#[cfg(test)]
mod tests {
    use super::natural;

    #[test]
    fn numbers_are_sorted_by_their_value() {
        let mut names = ["s10", "s9", "s2b", "s2", "a", "s02", "s1000000000000000000000", "t"];
        names.sort_by(|a, b| natural(a, b));
        assert_eq!(names, ["a", "s02", "s2", "s2b", "s9", "s10", "s1000000000000000000000", "t"]);
    }
}
