//! Nothing here computes: proofs, sources and tests name each other, and these tests read
//! the files and fail where a name leads nowhere.
//!
//! The repository is read into memory once; the tests at the end change one thing in it
//! and look that the check meant for it complains.

use std::collections::{BTreeMap, BTreeSet};
use std::fmt::Write as _;
use std::fs;
use std::path::Path;

const KINDS: [&str; 4] = ["theorem", "lemma", "bound", "conjecture"];
const RELATIONS: [&str; 4] = ["equivalence", "reduction", "relaxation", "none"];
const STATUSES: [&str; 3] = ["paper", "mechanised", "conjecture"];

/// Folders whose promises rest on theorems: a `# Guarantees` there names one.
const PROMISING: [&str; 10] = [
    "src/bounding/",
    "src/certificate/",
    "src/coder/",
    "src/gauge/",
    "src/master/",
    "src/search/",
    "src/solve/",
    "src/trusted/",
    "src/wide/",
    "src/iterate/",
];

const TRACE: &str = "proofs/rocq/trace.tsv";

// ---------------------------------------------------------------- the repository, in memory

/// Path relative to the root, with `/`, to text.
#[derive(Clone)]
struct Repository(BTreeMap<String, String>);

impl Repository {
    fn read() -> Self {
        let root = Path::new(env!("CARGO_MANIFEST_DIR"));
        let mut files = BTreeMap::new();
        for folder in ["src", "tests/it", "proofs"] {
            collect(root, &root.join(folder), &mut files);
        }
        Self(files)
    }

    fn text(&self, path: &str) -> &str {
        self.0.get(path).unwrap_or_else(|| panic!("{path} is missing"))
    }

    fn sources(&self) -> impl Iterator<Item = (&str, &str)> {
        self.0.iter().filter(|(path, _)| path.starts_with("src/")).map(|(p, t)| (p.as_str(), t.as_str()))
    }

    /// One thing changed; `from` must be there.
    fn with(&self, path: &str, from: &str, to: &str) -> Self {
        let mut changed = self.clone();
        let text = changed.0.get_mut(path).unwrap_or_else(|| panic!("{path} is missing"));
        assert!(text.contains(from), "{path} does not contain {from:?}");
        *text = text.replacen(from, to, 1);
        changed
    }
}

fn collect(root: &Path, folder: &Path, files: &mut BTreeMap<String, String>) {
    for entry in fs::read_dir(folder).expect("a folder of the repository") {
        let path = entry.expect("an entry").path();
        if path.is_dir() {
            collect(root, &path, files);
        } else if path.extension().is_some_and(|e| ["rs", "md", "tsv"].iter().any(|known| e == *known)) {
            let relative = path.strip_prefix(root).expect("inside the repository");
            let name = relative.iter().map(|part| part.to_string_lossy()).collect::<Vec<_>>().join("/");
            files.insert(name, fs::read_to_string(&path).expect("text"));
        }
    }
}

// ---------------------------------------------------------------- proofs

/// The front matter of a proof.
#[derive(Default)]
struct Proof {
    slug: String,
    /// `T7`, or nothing for a theorem without a number.
    label: Option<String>,
    kind: String,
    relation: String,
    status: String,
    uses: Vec<String>,
    code: Vec<String>,
    tests: Vec<String>,
    machine: Vec<String>,
}

fn proofs(repository: &Repository) -> (BTreeMap<String, Proof>, Vec<String>) {
    let (mut proofs, mut wrong) = (BTreeMap::new(), Vec::new());
    for (path, text) in &repository.0 {
        let Some(stem) = path.strip_prefix("proofs/").and_then(|p| p.strip_suffix(".md")) else { continue };
        if stem == "README" || stem.contains('/') {
            continue;
        }
        match parse(text) {
            Ok(proof) => {
                if proof.slug != stem {
                    wrong.push(format!("{path}: its slug is `{}`", proof.slug));
                }
                proofs.insert(stem.to_owned(), proof);
            }
            Err(reason) => wrong.push(format!("{path}: {reason}")),
        }
    }
    (proofs, wrong)
}

/// `key: value`, `key: [a, b]`, or `key:` followed by lines `  - a`. A last line `# -->`
/// ends the comment in which the rendered documentation hides the header.
fn parse(text: &str) -> Result<Proof, String> {
    let rest = text.strip_prefix("---\n").ok_or("no front matter")?;
    let (header, body) = rest.split_once("\n---\n").ok_or("the front matter does not end")?;
    let header = header.strip_suffix("\n# -->").ok_or("the last line of the front matter is not `# -->`")?;
    let mut values: BTreeMap<&str, Vec<String>> = BTreeMap::new();
    let mut last = None;
    for line in header.lines() {
        if let Some(item) = line.strip_prefix("  - ") {
            let key = last.ok_or("a list item without a key")?;
            values.entry(key).or_default().push(item.trim().to_owned());
            continue;
        }
        let (key, value) = line.split_once(':').ok_or_else(|| format!("not a key: {line:?}"))?;
        let value = value.trim();
        let list = match value.strip_prefix('[').and_then(|v| v.strip_suffix(']')) {
            Some(list) => list.split(',').map(|v| v.trim().to_owned()).filter(|v| !v.is_empty()).collect(),
            None if value.is_empty() => Vec::new(),
            None => vec![value.to_owned()],
        };
        if values.insert(key, list).is_some() {
            return Err(format!("{key} twice"));
        }
        last = Some(key);
    }
    let keys: Vec<&str> = values.keys().copied().collect();
    let expected = ["code", "kind", "machine", "relation", "slug", "status", "tests", "title", "uses"];
    if keys != expected {
        return Err(format!("keys {keys:?}, expected {expected:?}"));
    }
    let mut one = |key: &str| -> Result<String, String> {
        let mut list = values.remove(key).unwrap_or_default();
        if list.len() == 1 { Ok(list.remove(0)) } else { Err(format!("{key} is not one value")) }
    };
    let _title = one("title")?;
    let (slug, kind, relation, status) = (one("slug")?, one("kind")?, one("relation")?, one("status")?);
    let mut list = |key: &str| values.remove(key).unwrap_or_default();
    let heading = body.lines().find(|line| !line.is_empty()).unwrap_or_default();
    if !heading.starts_with("# ") || !heading.contains(&slug) {
        return Err(format!("the first heading {heading:?} does not name `{slug}`"));
    }
    let label = heading
        .split(|c: char| !c.is_ascii_alphanumeric())
        .find(|word| word.starts_with('T') && word[1..].starts_with(|c: char| c.is_ascii_digit()));
    Ok(Proof {
        label: label.map(str::to_owned),
        uses: list("uses"),
        code: list("code"),
        tests: list("tests"),
        machine: list("machine"),
        slug,
        kind,
        relation,
        status,
    })
}

fn front_matter(repository: &Repository) -> Vec<String> {
    let (proofs, mut wrong) = proofs(repository);
    for (slug, proof) in &proofs {
        for (key, value, allowed) in [
            ("kind", &proof.kind, &KINDS[..]),
            ("relation", &proof.relation, &RELATIONS[..]),
            ("status", &proof.status, &STATUSES[..]),
        ] {
            if !allowed.contains(&value.as_str()) {
                wrong.push(format!("proofs/{slug}.md: {key} {value:?} is none of {allowed:?}"));
            }
        }
        for other in proof.uses.iter().filter(|other| !proofs.contains_key(*other)) {
            wrong.push(format!("proofs/{slug}.md: uses `{other}`, which does not exist"));
        }
        for path in &proof.code {
            if !path.starts_with("src/") || !repository.0.contains_key(path) {
                wrong.push(format!("proofs/{slug}.md: code {path} does not exist"));
            }
        }
        for test in &proof.tests {
            if let Err(reason) = find_test(repository, test) {
                wrong.push(format!("proofs/{slug}.md: test {test}: {reason}"));
            }
        }
        if (proof.status == "mechanised") == proof.machine.is_empty() {
            let count = proof.machine.len();
            wrong.push(format!("proofs/{slug}.md: status {} with {count} machine theorems", proof.status));
        }
    }
    wrong.extend(cycle(&proofs));
    wrong
}

/// A cycle of `uses`, if there is one: what is left after taking away, again and again,
/// the proofs that use nothing that is left.
fn cycle(proofs: &BTreeMap<String, Proof>) -> Option<String> {
    let mut left: BTreeSet<&str> = proofs.keys().map(String::as_str).collect();
    loop {
        let free: Vec<&str> = left
            .iter()
            .copied()
            .filter(|slug| !proofs[*slug].uses.iter().any(|used| left.contains(used.as_str())))
            .collect();
        if free.is_empty() {
            break;
        }
        free.iter().for_each(|slug| {
            left.remove(slug);
        });
    }
    (!left.is_empty()).then(|| format!("uses has a cycle among {left:?}"))
}

/// `path::function`: a plain test, compiled and not ignored.
fn find_test(repository: &Repository, test: &str) -> Result<(), String> {
    let (path, name) = test.split_once("::").ok_or("not of the form path::function")?;
    let text = repository.0.get(path).ok_or_else(|| format!("{path} does not exist"))?;
    if let Some(module) = path.strip_prefix("tests/it/").and_then(|p| p.strip_suffix(".rs")) {
        // `a/b.rs` is compiled when `main.rs` says `mod a;` and `a/mod.rs` says `mod b;`.
        let (mut folder, mut root) = ("tests/it".to_owned(), "main.rs");
        for name in module.split('/') {
            let (parent, declaration) = (format!("{folder}/{root}"), format!("mod {name};"));
            if !repository.text(&parent).lines().any(|l| l == declaration) {
                return Err(format!("{parent} does not say `{declaration}`"));
            }
            (folder, root) = (format!("{folder}/{name}"), "mod.rs");
        }
    }
    let mut attributes = String::new();
    for line in text.lines().map(str::trim) {
        if line.starts_with("#[") || line.starts_with("//") {
            attributes.push_str(line);
            attributes.push('\n');
            continue;
        }
        if line.strip_prefix("fn ").and_then(|l| l.strip_prefix(name)).is_some_and(|l| l.starts_with('(')) {
            let plain = attributes.lines().any(|line| line == "#[test]");
            let ignored = attributes.lines().any(|line| line.starts_with("#[ignore"));
            return if plain && !ignored { Ok(()) } else { Err("not a test that runs".to_owned()) };
        }
        attributes.clear();
    }
    Err(format!("no function {name}"))
}

// ---------------------------------------------------------------- the machine-checked core

fn machine(repository: &Repository) -> Vec<String> {
    let (proofs, mut wrong) = proofs(repository);
    let mut theorems: BTreeMap<&str, Vec<&str>> = BTreeMap::new();
    for line in repository.text(TRACE).lines().filter(|line| !line.starts_with('#')) {
        let [theorem, reference, test] = line.split('\t').collect::<Vec<_>>()[..] else {
            wrong.push(format!("{TRACE}: not three columns: {line:?}"));
            continue;
        };
        let Some((label, slug)) = reference.split_once(' ') else {
            wrong.push(format!("{TRACE}: {theorem}: no slug in {reference:?}"));
            continue;
        };
        match proofs.get(slug) {
            None => wrong.push(format!("{TRACE}: {theorem}: proofs/{slug}.md does not exist")),
            Some(proof) if proof.label.as_deref() != Some(label) => {
                wrong.push(format!("{TRACE}: {theorem}: `{slug}` is {:?}, not {label}", proof.label));
            }
            Some(_) => theorems.entry(slug).or_default().push(theorem),
        }
        if let Err(reason) = find_test(repository, test) {
            wrong.push(format!("{TRACE}: {theorem}: test {test}: {reason}"));
        }
    }
    let count: usize = theorems.values().map(Vec::len).sum();
    if !repository.text("proofs/rocq/README.md").contains(&format!("\n{count} theorems of")) {
        wrong.push(format!("proofs/rocq/README.md does not say that there are {count} theorems"));
    }
    for (slug, proof) in &proofs {
        let (listed, traced) = (&proof.machine, theorems.remove(slug.as_str()).unwrap_or_default());
        if *listed != traced {
            wrong.push(format!("proofs/{slug}.md: machine is {listed:?}, {TRACE} has {traced:?}"));
        }
    }
    wrong
}

// ---------------------------------------------------------------- what the sources cite

/// A run of doc comment lines of one item.
struct Doc {
    line: usize,
    text: String,
}

fn docs(source: &str) -> Vec<Doc> {
    let mut docs: Vec<Doc> = Vec::new();
    let mut open = false;
    for (at, line) in source.lines().enumerate() {
        let line = line.trim_start();
        let text = line.strip_prefix("///").or_else(|| line.strip_prefix("//!"));
        match text {
            Some(text) if open => {
                let doc = docs.last_mut().expect("one is open");
                write!(doc.text, "\n{}", text.strip_prefix(' ').unwrap_or(text)).expect("a string");
            }
            Some(text) => {
                docs.push(Doc { line: at + 1, text: text.strip_prefix(' ').unwrap_or(text).to_owned() })
            }
            None => {}
        }
        open = text.is_some();
    }
    docs
}

/// What stands in backticks after `theorem` or `theorems`: `` `a` ``, `` `a`, `b` and `c` ``.
fn after_theorem(text: &str) -> Vec<String> {
    let mut found = Vec::new();
    for (at, word) in text.match_indices("heorem") {
        let rest = text[at + word.len()..].trim_start_matches('s');
        let mut rest = rest.trim_start();
        while let Some(inner) = rest.trim_start_matches('[').strip_prefix('`') {
            let Some((slug, tail)) = inner.split_once('`') else { break };
            found.push(slug.to_owned());
            rest = tail.trim_start_matches(']');
            if let Some((_, tail)) = rest.strip_prefix('(').and_then(|r| r.split_once(')')) {
                rest = tail;
            }
            rest = rest.trim_start_matches([',', ' ', '\n']);
            rest = rest.strip_prefix("and").unwrap_or(rest).trim_start();
        }
    }
    found
}

/// The text under `# Guarantees`, or after `Guarantees:` up to the full stop.
fn guarantees(text: &str) -> Vec<&str> {
    let mut found = Vec::new();
    if let Some((_, rest)) = text.split_once("# Guarantees\n") {
        found.push(rest.split("\n# ").next().unwrap_or(rest));
    }
    for (at, word) in text.match_indices("Guarantees:") {
        let rest = &text[at + word.len()..];
        found.push(rest.split(['.', ';']).next().unwrap_or(rest));
    }
    found
}

/// Slugs in backticks: a name with a hyphen is meant as one, a single word when it is one.
fn slugs_in(text: &str, proofs: &BTreeMap<String, Proof>) -> Vec<String> {
    let words = text.split('`').skip(1).step_by(2);
    words
        .filter(|word| {
            let shaped = word.starts_with(|c: char| c.is_ascii_lowercase())
                && word.chars().all(|c| c.is_ascii_lowercase() || c.is_ascii_digit() || c == '-');
            proofs.contains_key(*word) || (shaped && word.contains('-'))
        })
        .map(str::to_owned)
        .collect()
}

fn citations(repository: &Repository) -> Vec<String> {
    let (proofs, mut wrong) = proofs(repository);
    let modules: BTreeMap<String, &str> = proofs.keys().map(|s| (s.replace('-', "_"), s.as_str())).collect();
    for (path, source) in repository.sources() {
        for doc in docs(source) {
            let at = format!("{path}:{}", doc.line);
            let mut cited = after_theorem(&doc.text);
            for promise in guarantees(&doc.text) {
                let slugs = slugs_in(promise, &proofs);
                if slugs.is_empty() && PROMISING.iter().any(|folder| path.starts_with(folder)) {
                    wrong.push(format!("{at}: its guarantees cite no theorem"));
                }
                cited.extend(slugs);
            }
            for (slug, proof) in cited.iter().map(|slug| (slug, proofs.get(slug))) {
                match proof {
                    None => wrong.push(format!("{at}: cites `{slug}`: no proofs/{slug}.md")),
                    Some(proof)
                        if path.starts_with("src/certificate/")
                            && [&proof.kind, &proof.status].iter().any(|value| *value == "conjecture") =>
                    {
                        wrong.push(format!("{at}: a certificate cites `{slug}`, a conjecture"));
                    }
                    Some(_) => {}
                }
            }
            // [`slug`](crate::proofs::module)
            for (start, link) in doc.text.match_indices("](crate::proofs::") {
                let module = doc.text[start + link.len()..].split(')').next().unwrap_or_default();
                let shown = doc.text[..start].rsplit('[').next().unwrap_or_default().trim_matches('`');
                match modules.get(module) {
                    None => wrong.push(format!("{at}: no module crate::proofs::{module}")),
                    Some(slug) if *slug != shown => {
                        wrong.push(format!("{at}: {shown:?} links to the proof of `{slug}`"));
                    }
                    Some(_) => {}
                }
            }
        }
    }
    wrong
}

// ---------------------------------------------------------------- what readers see

/// Every proof has its row in the index, with what its front matter says.
fn index(repository: &Repository) -> Vec<String> {
    let (proofs, mut wrong) = proofs(repository);
    let rows: Vec<&str> =
        repository.text("proofs/README.md").lines().filter(|line| line.starts_with("| [")).collect();
    for (slug, proof) in &proofs {
        let label = proof.label.as_ref().map_or(String::new(), |label| format!(" ({label})"));
        let Proof { kind, relation, status, .. } = proof;
        let expected = format!("| [{slug}]({slug}.md){label} | {kind} | {relation} | {status} | ");
        let name = format!("| [{slug}](");
        match rows.iter().filter(|row| row.starts_with(&name)).collect::<Vec<_>>()[..] {
            [row] if row.starts_with(&expected) && row.len() > expected.len() + 2 => {}
            [row] => wrong.push(format!("proofs/README.md: {row:?} does not begin with {expected:?}")),
            _ => wrong.push(format!("proofs/README.md: `{slug}` has not one row")),
        }
    }
    if rows.len() != proofs.len() {
        wrong.push(format!("proofs/README.md: {} rows for {} proofs", rows.len(), proofs.len()));
    }
    wrong
}

/// Every proof is a module of the documentation.
fn rendered(repository: &Repository) -> Vec<String> {
    let (proofs, mut wrong) = proofs(repository);
    let source = repository.text("src/proofs.rs");
    for slug in proofs.keys() {
        let line = format!("{} = \"{slug}\"", slug.replace('-', "_"));
        if !source.lines().any(|l| l.trim().trim_end_matches([',', ';']) == line) {
            wrong.push(format!("src/proofs.rs: no line `{line}`"));
        }
    }
    // Markdown reads the maths between dollars before KaTeX does: it eats a backslash in
    // front of punctuation, and takes some underscores and asterisks for emphasis.
    for slug in proofs.keys().map(String::as_str).chain(["README"]) {
        let path = format!("proofs/{slug}.md");
        for (at, line) in prose(repository.text(&path)) {
            for maths in line.split('$').skip(1).step_by(2) {
                let bytes = maths.as_bytes();
                let punctuation = |at: usize| bytes.get(at).is_some_and(u8::is_ascii_punctuation);
                let eaten = (0..bytes.len()).any(|at| match bytes[at] {
                    b'\\' => punctuation(at + 1),
                    b'_' => at == 0 || punctuation(at - 1),
                    b'*' | b'`' => true,
                    b'<' => bytes.get(at + 1).is_some_and(|b| b.is_ascii_alphabetic() || b"/!?".contains(b)),
                    _ => false,
                });
                if eaten {
                    wrong.push(format!("{path}:{at}: Markdown would change ${maths}$"));
                }
            }
            if line.matches('$').count() % 2 == 1 {
                wrong.push(format!("{path}:{at}: a dollar without its partner"));
            }
        }
    }
    wrong
}

/// Lines outside fenced blocks, numbered from 1, without what stands in backticks.
fn prose(text: &str) -> Vec<(usize, String)> {
    let mut fenced = false;
    let mut lines = Vec::new();
    for (at, line) in text.lines().enumerate() {
        if line.trim_start().starts_with("```") {
            fenced = !fenced;
        } else if !fenced {
            lines.push((at + 1, line.split('`').step_by(2).collect()));
        }
    }
    lines
}

// ---------------------------------------------------------------- the repository is sound

fn assert_sound(wrong: &[String]) {
    assert!(wrong.is_empty(), "\n  {}\n", wrong.join("\n  "));
}

#[test]
fn front_matter_names_what_exists() {
    assert_sound(&front_matter(&Repository::read()));
}

#[test]
fn machine_checked_theorems_have_their_proof_and_test() {
    assert_sound(&machine(&Repository::read()));
}

#[test]
fn sources_cite_proofs_that_exist() {
    assert_sound(&citations(&Repository::read()));
}

#[test]
fn the_index_agrees_with_the_front_matter() {
    assert_sound(&index(&Repository::read()));
}

#[test]
fn every_proof_is_rendered() {
    assert_sound(&rendered(&Repository::read()));
}

// ---------------------------------------------------------------- and the checks see what is broken

/// The change makes the check complain with a line that contains `expected`.
#[track_caller]
fn assert_seen(check: fn(&Repository) -> Vec<String>, changed: &Repository, expected: &str) {
    let wrong = check(changed);
    assert!(wrong.iter().any(|line| line.contains(expected)), "no complaint of {expected:?} in {wrong:#?}");
}

#[test]
fn tampered_front_matter_is_seen() {
    let sound = Repository::read();
    let page = "proofs/wide-limit.md";
    for (from, to, complaint) in [
        ("kind: theorem", "kind: fact", "kind \"fact\" is none of"),
        ("relation: equivalence", "relation: same", "relation \"same\" is none of"),
        ("status: mechanised", "status: done", "status \"done\" is none of"),
        ("status: mechanised", "status: paper", "status paper with 10 machine theorems"),
        ("src/wide/closed_form.rs", "src/wide/open_form.rs", "code src/wide/open_form.rs does not exist"),
        ("cli.rs::the_closed_form", "cli.rs::the_open_form", "no function the_open_form_is_exact"),
        ("tests/it/cli.rs", "tests/it/absent.rs", "tests/it/absent.rs does not exist"),
        ("uses: [lift-exact]", "uses: [lift]", "uses `lift`, which does not exist"),
        ("uses: [lift-exact]", "uses: [antipodal-pairs]", "uses has a cycle among"),
        ("slug: wide-limit", "slug: wide", "its slug is `wide`"),
        ("title:", "name:", "keys ["),
        ("\n# -->", "", "`# -->`"),
    ] {
        assert_seen(front_matter, &sound.with(page, from, to), complaint);
    }
    let unused = sound.with("tests/it/main.rs", "mod gauge;", "");
    assert_seen(front_matter, &unused, "tests/it/main.rs does not say `mod gauge;`");
    let ignored = sound.with(
        "tests/it/cli.rs",
        "#[test]\nfn the_closed_form",
        "#[test]\n#[ignore]\nfn the_closed_form",
    );
    assert_seen(front_matter, &ignored, "not a test that runs");
    let helper = sound.with("tests/it/cli.rs", "#[test]\nfn the_closed_form", "fn the_closed_form");
    assert_seen(front_matter, &helper, "not a test that runs");
}

#[test]
fn a_tampered_trace_is_seen() {
    let sound = Repository::read();
    for (from, to, complaint) in [
        ("T4 wide-limit", "T4 narrow-limit", "proofs/narrow-limit.md does not exist"),
        ("T4 wide-limit", "T5 wide-limit", "`wide-limit` is Some(\"T4\"), not T5"),
        ("Widedict.Radial.T4_radial_eq\t", "Widedict.Radial.T4_other\t", "proofs/wide-limit.md: machine is"),
        ("::t4_radial_eq", "::t4_absent", "no function t4_absent"),
    ] {
        assert_seen(machine, &sound.with(TRACE, from, to), complaint);
    }
    let renamed = sound.with("tests/it/mechanised/no_nesting.rs", "fn t14_no_nesting(", "fn t14_nesting(");
    assert_seen(machine, &renamed, "no function t14_no_nesting");
    let unused = sound.with("tests/it/mechanised/mod.rs", "mod radial;", "");
    assert_seen(machine, &unused, "tests/it/mechanised/mod.rs does not say `mod radial;`");
    let unlisted = sound.with("proofs/wide-limit.md", "  - Widedict.Radial.T4_radial_eq\n", "");
    assert_seen(machine, &unlisted, "proofs/wide-limit.md: machine is");
    let miscounted = sound.with("proofs/rocq/README.md", " theorems of", " facts of");
    assert_seen(machine, &miscounted, "does not say that there are");
}

#[test]
fn tampered_citations_are_seen() {
    let sound = Repository::read();
    let check = |path: &str, from: &str, to: &str, complaint: &str| {
        assert_seen(citations, &sound.with(path, from, to), complaint);
    };
    let nesting = "src/trusted/nesting.rs";
    check(nesting, "theorem `no-nesting`", "theorem `no-such`", "cites `no-such`: no proofs/no-such.md");
    check(nesting, "theorem `no-nesting`", "theorem `nonesting`", "cites `nonesting`");
    let certify = "src/certificate/mod.rs";
    check(certify, "[`rounding`]", "[`rounded-off`]", "cites `rounded-off`");
    check(certify, "crate::proofs::rounding)", "crate::proofs::rounded)", "no module crate::proofs::rounded");
    check(certify, "crate::proofs::rounding)", "crate::proofs::centre)", "links to the proof of `centre`");
    let generation = "src/solve/column_generation/mod.rs";
    check(
        generation,
        "/// # Guarantees\n",
        "/// # Guarantees\n/// Good.\n///\n/// # More\n",
        "cite no theorem",
    );
    let guessed = sound.with("proofs/rounding.md", "status: paper", "status: conjecture");
    assert_seen(citations, &guessed, "a certificate cites `rounding`, a conjecture");
    let guessed = sound.with("proofs/no-nesting.md", "kind: theorem", "kind: conjecture");
    assert_seen(citations, &guessed, "a certificate cites `no-nesting`, a conjecture");
    let mut removed = sound.clone();
    removed.0.remove("proofs/rounding.md");
    assert_seen(citations, &removed, "no module crate::proofs::rounding");
    removed.0.remove("proofs/split-certificate.md");
    assert_seen(citations, &removed, "cites `split-certificate`: no proofs/split-certificate.md");
}

#[test]
fn a_tampered_index_is_seen() {
    let sound = Repository::read();
    let readme = "proofs/README.md";
    for (from, to, complaint) in [
        ("(T4) | theorem", "(T4) | lemma", "does not begin with"),
        ("(wide-limit.md) (T4)", "(wide-limit.md) (T3)", "does not begin with"),
        ("| [wide-limit]", "| [narrow-limit]", "`wide-limit` has not one row"),
        ("| [rounding]", "| [absent](absent.md) | lemma | none | paper | x |\n| [rounding]", "rows for"),
    ] {
        assert_seen(index, &sound.with(readme, from, to), complaint);
    }
    let promoted = sound.with("proofs/rounding.md", "status: paper", "status: mechanised");
    assert_seen(index, &promoted, "does not begin with");
}

#[test]
fn tampered_pages_are_seen() {
    let sound = Repository::read();
    let unlisted = sound.with("src/proofs.rs", "wide_limit = \"wide-limit\"", "");
    assert_seen(rendered, &unlisted, "no line `wide_limit = \"wide-limit\"`");
    for maths in [r"$a\,b$", "$\\rangle)_1$", "$a^*b^*$", "$x<y$"] {
        let page = sound.with("proofs/wide-limit.md", "\n## Proof\n", &format!("\n## Proof\n\n{maths}\n"));
        assert_seen(rendered, &page, "Markdown would change");
    }
    let odd = sound.with("proofs/wide-limit.md", "\n## Proof\n", "\n## Proof\n\na $ sign\n");
    assert_seen(rendered, &odd, "a dollar without its partner");
}

#[test]
fn citations_are_found_as_they_are_written() {
    assert_eq!(after_theorem("Theorem `no-nesting`: so"), ["no-nesting"]);
    let one = after_theorem("as said (theorem `wide-limit`), and `other` is none");
    assert_eq!(one, ["wide-limit"]);
    let many = after_theorem("(theorems `a-b`,\n`c` and [`d-e`](crate::proofs::d_e); `f`)");
    assert_eq!(many, ["a-b", "c", "d-e"]);
    assert_eq!(guarantees("x\n# Guarantees\nA `b`.\n# Errors\n`c`"), ["A `b`."]);
    assert_eq!(guarantees("Guarantees: `a-b`; O(N)."), [" `a-b`"]);
}
