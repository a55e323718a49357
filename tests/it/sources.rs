//! The layers: imports only go down, and the checker knows no solver.

use std::collections::BTreeMap;
use std::fs;
use std::path::{Path, PathBuf};

/// Modules from the bottom up; those of one line do not use each other.
const LAYERS: [&[&str]; 17] = [
    &["num", "observer", "proofs"],
    &["reduce"],
    &["linalg", "mpi", "time_limit"],
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
    &["answer"],
    &["bin"],
];

/// Used by tests and benches alone; it may use everything.
const TESTING: &str = "testing";

fn layer(module: &str) -> Option<usize> {
    LAYERS.iter().position(|layer| layer.contains(&module))
}

/// The Rust files of a folder and of those in it.
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

fn sources() -> Vec<PathBuf> {
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

/// The module path of a source: `src/a/b.rs` and `src/a/b/mod.rs` are `a::b`.
fn module_of(relative: &Path) -> String {
    let parts: Vec<String> =
        relative.iter().map(|p| p.to_string_lossy().trim_end_matches(".rs").to_owned()).collect();
    let parts = if parts.last().is_some_and(|p| p == "mod") { &parts[..parts.len() - 1] } else { &parts[..] };
    parts.join("::")
}

/// Full paths that follow `prefix`, groups in braces opened: `a::{b::c, d}` gives `a::b::c`
/// and `a::d`.
fn paths(code: &str, prefix: &str) -> Vec<String> {
    fn open(text: &str, base: &str, out: &mut Vec<String>) -> usize {
        let (mut at, bytes) = (0, text.as_bytes());
        while at < bytes.len() && (bytes[at].is_ascii_alphanumeric() || matches!(bytes[at], b'_' | b':')) {
            at += 1;
        }
        let head = format!("{base}{}", &text[..at]);
        if bytes.get(at) != Some(&b'{') {
            out.push(head.trim_end_matches("::").to_owned());
            return at;
        }
        at += 1;
        while at < bytes.len() && bytes[at] != b'}' {
            if bytes[at].is_ascii_alphanumeric() || bytes[at] == b'_' {
                at += open(&text[at..], &head, out);
            } else {
                at += 1;
            }
        }
        at + 1
    }
    let mut out = Vec::new();
    for (at, _) in code.match_indices(prefix) {
        let before = code[..at].chars().next_back();
        if !before.is_some_and(|c| c.is_alphanumeric() || c == '_' || c == ':') {
            open(&code[at + prefix.len()..], "", &mut out);
        }
    }
    out
}

/// Which sources each source takes something from, both as module paths. A name that a
/// folder's `mod.rs` re-exports is taken from that folder.
fn imports(
    files: &BTreeMap<String, String>,
    names: &BTreeMap<String, String>,
) -> BTreeMap<String, Vec<String>> {
    let resolve = |path: &str| {
        let mut path = path.to_owned();
        loop {
            if files.contains_key(&path) {
                return Some(path);
            }
            path = path.rsplit_once("::").map(|(head, _)| head.to_owned())?;
        }
    };
    let mut graph = BTreeMap::new();
    for (module, code) in files {
        let mut used: Vec<String> = paths(code, "crate::")
            .into_iter()
            .map(|path| match path.split("::").next().and_then(|head| names.get(head)) {
                Some(home) => format!("{home}::{path}"),
                None => path,
            })
            .collect();
        // `super::super::x` names from two modules up; a longer run holds the shorter ones.
        let mut base = module.as_str();
        let mut up = String::new();
        while let Some((parent, _)) = base.rsplit_once("::") {
            up.push_str("super::");
            let found = paths(code, &up).into_iter().filter(|path| !path.starts_with("super"));
            used.extend(found.map(|path| format!("{parent}::{path}")));
            base = parent;
        }
        let mut targets: Vec<String> = used.iter().filter_map(|path| resolve(path)).collect();
        targets.sort();
        targets.dedup();
        targets.retain(|target| target != module);
        graph.insert(module.clone(), targets);
    }
    graph
}

/// A module and its own parts may name each other.
fn related(one: &str, other: &str) -> bool {
    let inside = |outer: &str, inner: &str| inner.starts_with(&format!("{outer}::"));
    inside(one, other) || inside(other, one)
}

/// A circle of files through `start`, if there is one.
fn circle(graph: &BTreeMap<String, Vec<String>>, start: &str) -> Option<Vec<String>> {
    let mut trail: Vec<(String, usize)> = vec![(start.to_owned(), 0)];
    let mut seen = std::collections::BTreeSet::new();
    while let Some((at, next)) = trail.last_mut() {
        let targets = &graph[at.as_str()];
        let Some(target) = targets.get(*next) else {
            trail.pop();
            continue;
        };
        *next += 1;
        if related(at, target) {
            continue;
        }
        if target == start {
            return Some(trail.into_iter().map(|(module, _)| module).collect());
        }
        if seen.insert(target.clone()) {
            trail.push((target.clone(), 0));
        }
    }
    None
}

#[test]
fn no_circle_of_files() {
    let root = Path::new(env!("CARGO_MANIFEST_DIR")).join("src");
    let names = root_names(&code(&root.join("lib.rs")));
    for (folder, library) in [(root.clone(), true), (root.join("bin/widedict"), false)] {
        let files: BTreeMap<String, String> = sources()
            .into_iter()
            .filter(|path| path.starts_with(&folder) && (!library || !path.starts_with(root.join("bin"))))
            .map(|path| {
                let code = code(&path);
                let code = code.split("#[cfg(test)]").next().unwrap_or_default().to_owned();
                (module_of(path.strip_prefix(&folder).expect("below")), code)
            })
            .filter(|(module, _)| !matches!(module.as_str(), "lib" | "main") && !module.starts_with(TESTING))
            .collect();
        let none = BTreeMap::new();
        let graph = imports(&files, if library { &names } else { &none });
        assert!(graph.values().map(Vec::len).sum::<usize>() > files.len(), "few imports were recognized");
        let found: Vec<String> =
            graph.keys().filter_map(|module| circle(&graph, module)).map(|c| c.join(" -> ")).collect();
        assert!(found.is_empty(), "circles of files:\n{}", found.join("\n"));
    }
}

#[test]
fn circles_are_found() {
    let files = |list: &[(&str, &str)]| -> BTreeMap<String, String> {
        list.iter().map(|(m, c)| ((*m).to_owned(), (*c).to_owned())).collect()
    };
    let none = BTreeMap::new();
    let round = files(&[
        ("a", "use crate::b::{X, c::Y};"),
        ("b", ""),
        ("b::c", "use super::d;"),
        ("b::d", "crate::a::f()"),
    ]);
    let graph = imports(&round, &none);
    assert_eq!(graph["a"], ["b", "b::c"]);
    assert_eq!(graph["b::c"], ["b::d"]);
    assert_eq!(circle(&graph, "a").expect("a circle"), ["a", "b::c", "b::d"]);
    let parts = files(&[("b", "mod c; use c::X;"), ("b::c", "use super::Y; crate::b::f()")]);
    assert!(circle(&imports(&parts, &none), "b::c").is_none());
}

/// Lines that are neither blank nor comments, before the unit tests.
fn lines_of_code(text: &str) -> usize {
    let text = text.split("#[cfg(test)]").next().unwrap_or_default();
    text.lines().map(str::trim).filter(|line| !line.is_empty() && !line.starts_with("//")).count()
}

/// The README says what must be believed: every file of the trusted folder, and how many
/// lines they have, to a hundred.
#[test]
fn what_must_be_believed_is_stated() {
    let root = Path::new(env!("CARGO_MANIFEST_DIR"));
    let readme = fs::read_to_string(root.join("README.md")).expect("a readable file");
    let folder = root.join("src/trusted");
    let mut lines = 0;
    for path in sources().into_iter().filter(|path| path.starts_with(&folder)) {
        lines += lines_of_code(&fs::read_to_string(&path).expect("a readable source"));
        let name = path.strip_prefix(&folder).expect("below").to_string_lossy().into_owned();
        assert!(readme.contains(&format!("`{name}`")), "the README does not name src/trusted/{name}");
    }
    let stated: usize = readme
        .split("It has ")
        .nth(1)
        .and_then(|rest| rest.split(" lines").next())
        .and_then(|number| number.replace(' ', "").parse().ok())
        .expect("the README states a number of lines");
    assert!(lines.abs_diff(stated) <= 100, "the README states {stated} lines, there are {lines}");
    // Its table too: | `a.rs`, `b.rs` | lines | …
    let mut tabled = 0;
    for row in readme.lines().filter(|row| row.starts_with("| `") && row.contains(".rs`")) {
        let mut cells = row.split('|').map(str::trim).skip(1);
        let (files, stated) = (cells.next().unwrap_or(""), cells.next().unwrap_or(""));
        let Ok(stated) = stated.parse::<usize>() else { continue };
        let found: usize = files
            .split(", ")
            .map(|name| {
                lines_of_code(&fs::read_to_string(folder.join(name.trim_matches('`'))).expect("a file"))
            })
            .sum();
        assert!(found.abs_diff(stated) <= 10, "{files}: the README states {stated} lines, there are {found}");
        tabled += found;
    }
    assert_eq!(tabled, lines, "the README's table names every file once");
}

/// The slow tests are listed where the tests are described.
#[test]
fn slow_tests_are_listed() {
    let root = Path::new(env!("CARGO_MANIFEST_DIR"));
    let text = fs::read_to_string(root.join("docs/architecture.md")).expect("a readable file");
    let mut files = Vec::new();
    collect(&root.join("tests/it"), &mut files);
    let mut count = 0;
    for path in files {
        let code = code(&path);
        for (at, _) in code.match_indices("fn slow_") {
            let name: String =
                code[at + 3..].chars().take_while(|c| c.is_alphanumeric() || *c == '_').collect();
            if name.len() > "slow_".len() && !name.starts_with("slow_tests") {
                count += 1;
                assert!(text.contains(&format!("`{name}`")), "docs/architecture.md does not list {name}");
            }
        }
    }
    assert!(count > 10, "only {count} slow tests were found");
}
