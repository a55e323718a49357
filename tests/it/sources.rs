//! The layers: imports only go down, and the checker knows no solver.

use std::collections::BTreeMap;
use std::fs;
use std::path::{Path, PathBuf};

/// Modules from the bottom up; those of one line do not use each other.
const LAYERS: [&[&str]; 15] = [
    &["num", "observer", "proofs"],
    &["linalg", "time_limit"],
    &["atoms", "datasets", "gauge"],
    &["problem"],
    &["iterate", "trusted"],
    &["certificate"],
    &["solution"],
    &["coder", "io", "plot", "wide"],
    &["clarabel"],
    &["search"],
    &["master"],
    &["bounding"],
    &["solve"],
    &["diagnose"],
    &["bin"],
];

/// Used by tests and benches alone; it may use everything.
const TESTING: &str = "testing";

fn layer(module: &str) -> Option<usize> {
    LAYERS.iter().position(|layer| layer.contains(&module))
}

fn sources() -> Vec<PathBuf> {
    fn collect(folder: &Path, out: &mut Vec<PathBuf>) {
        for entry in fs::read_dir(folder).expect("a readable folder") {
            let path = entry.expect("a readable entry").path();
            if path.is_dir() {
                collect(&path, out);
            } else if path.extension().is_some_and(|e| e == "rs") {
                out.push(path);
            }
        }
    }
    let mut out = Vec::new();
    collect(&Path::new(env!("CARGO_MANIFEST_DIR")).join("src"), &mut out);
    out.sort();
    out
}

/// The code without comments (of lines) and doc tests.
fn code(path: &Path) -> String {
    let text = fs::read_to_string(path).expect("a readable source");
    text.lines().map(|line| line.split("//").next().unwrap_or("")).collect::<Vec<_>>().join("\n")
}

/// First segments of all paths that follow `prefix`, groups in braces opened.
fn heads(code: &str, prefix: &str) -> Vec<String> {
    let mut out = Vec::new();
    for (at, _) in code.match_indices(prefix) {
        let before = code[..at].chars().next_back();
        if before.is_some_and(|c| c.is_alphanumeric() || c == '_' || c == ':') {
            continue;
        }
        let rest = &code[at + prefix.len()..];
        if let Some(group) = rest.strip_prefix('{') {
            let (mut depth, mut word, mut fresh) = (0, String::new(), true);
            for c in group.chars() {
                match c {
                    '{' => depth += 1,
                    '}' if depth == 0 => break,
                    '}' => depth -= 1,
                    ',' if depth == 0 => {
                        out.push(std::mem::take(&mut word));
                        fresh = true;
                    }
                    c if depth == 0 && fresh && (c.is_alphanumeric() || c == '_') => word.push(c),
                    ':' => fresh = false,
                    _ => {}
                }
            }
            out.push(word);
        } else {
            out.push(rest.chars().take_while(|c| c.is_alphanumeric() || *c == '_').collect());
        }
    }
    out.retain(|head| !head.is_empty());
    out
}

/// Names that `lib.rs` gives at the root, with the module each comes from.
fn root_names(lib: &str) -> BTreeMap<String, String> {
    let mut names = BTreeMap::new();
    for line in lib.lines().filter_map(|l| l.trim().strip_prefix("pub use ")) {
        let Some((module, items)) = line.trim_end_matches(';').split_once("::") else { continue };
        for item in items.trim_matches(['{', '}']).split(',') {
            let name = item.rsplit("::").next().unwrap_or(item).trim();
            names.insert(name.to_owned(), module.trim_start_matches("crate::").to_owned());
        }
    }
    names
}

#[test]
fn imports_only_go_down() {
    let root = Path::new(env!("CARGO_MANIFEST_DIR")).join("src");
    let lib = code(&root.join("lib.rs"));
    let names = root_names(&lib);
    let mut faults = Vec::new();
    let mut seen = 0;
    for path in sources() {
        let relative = path.strip_prefix(&root).expect("below src");
        let parts: Vec<String> =
            relative.iter().map(|p| p.to_string_lossy().trim_end_matches(".rs").to_owned()).collect();
        let module = parts[0].as_str();
        if module == "lib" || module == TESTING {
            continue;
        }
        let Some(own) = layer(module) else {
            faults.push(format!("{}: module `{module}` has no layer", relative.display()));
            continue;
        };
        let text = code(&path);
        let mut used = heads(&text, "crate::");
        used.extend(heads(&text, "widedict::"));
        // `super` names the root from a module's first file, `super::super` from the next.
        let depth = parts.len() - usize::from(parts.last().is_some_and(|p| p == "mod"));
        let up = "super::".repeat(depth);
        used.extend(heads(&text, &up).into_iter().filter(|head| layer(head).is_some()));
        for head in used {
            let target = names.get(&head).map_or(head.as_str(), String::as_str);
            if target == TESTING {
                faults.push(format!("{}: the library uses `{TESTING}`", relative.display()));
            } else if let Some(found) = layer(target) {
                seen += 1;
                if found > own || (found == own && target != module) {
                    faults.push(format!(
                        "{}: `{module}` uses `{target}`, which is above it",
                        relative.display()
                    ));
                }
            } else if !lib.contains(&format!("mod {target}")) && !names.contains_key(target) {
                // A macro or an item of the crate root.
            }
        }
    }
    assert!(faults.is_empty(), "{}", faults.join("\n"));
    assert!(seen > 50, "only {seen} imports were recognized");
}

#[test]
fn the_reader_of_imports_reads() {
    let text = "use crate::{linalg::{Matrix, dot}, Problem};\nlet x = crate::num::max(a, b); othercrate::x; super::super::io::f";
    assert_eq!(heads(text, "crate::"), ["linalg", "Problem", "num"]);
    assert_eq!(heads(text, "super::super::"), ["io"]);
    let names = root_names("pub use atoms::{Codes, Dictionary};\npub use linalg::Matrix;");
    assert_eq!(names["Matrix"], "linalg");
    assert_eq!(names["Dictionary"], "atoms");
}

/// The one file that may read a clock: an observer that callers ask for by name. The code
/// that computes sees only the observer.
const CLOCK: &str = "time_limit.rs";

#[test]
fn the_library_does_not_print_or_read_a_clock() {
    let root = Path::new(env!("CARGO_MANIFEST_DIR")).join("src");
    for path in sources() {
        let relative = path.strip_prefix(&root).expect("below src").to_string_lossy().into_owned();
        if relative.starts_with("bin") || relative.starts_with(TESTING) {
            continue;
        }
        let text = code(&path);
        for word in
            ["println!", "eprintln!", "dbg!(", "Instant::now", "SystemTime", "thread_rng", "rand::rng("]
        {
            let allowed = relative == CLOCK && word == "Instant::now";
            assert!(allowed || !text.contains(word), "{relative} contains {word}");
        }
    }
}
