//! `widedict verify` under every single edit of certificate.json.
//!
//! Each number, word, flag, null and key of saved runs is changed in turn, once as an
//! accident would (the checksum stays) and once as a forger would (the checksum is made
//! again). The first must all be named; the second too, but for what is documented as not
//! checked, and for claims that became weaker.

use std::collections::BTreeSet;
use std::fs;
use std::path::{Path, PathBuf};
use std::process::{Command, Output};

use serde_json::{Map, Value, json};
use tempfile::TempDir;
use widedict::Matrix;
use widedict::io::{read_json, write_atoms, write_json};
use widedict::num::max;

/// What `verify` says it does not check, in its own order.
const NOT_CHECKED: [&str; 16] = [
    "estimated_lower_bound",
    "estimated_relative_gap",
    "method",
    "record.asked.exact",
    "record.asked.planar.value",
    "record.witness.directions",
    "rescaled",
    "seconds",
    "seconds_certify",
    "seed",
    "source",
    "verify.data",
    "verify.program",
    "verify.weights",
    "width",
    "witness.origin",
];

/// Residuals closer than this share of their scale are the same number.
const SAME: f64 = 1e-9;

fn command(words: &str, paths: &[&Path]) -> Output {
    let mut paths = paths.iter();
    let args = words.split_whitespace().map(|word| match word {
        "{}" => paths.next().expect("a path").as_os_str().to_owned(),
        _ => word.into(),
    });
    Command::new(env!("CARGO_BIN_EXE_widedict")).args(args).output().expect("the program starts")
}

/// Saved runs, each with its data.
struct Runs {
    folder: TempDir,
}

impl Runs {
    fn new() -> Self {
        Self { folder: tempfile::tempdir().expect("a temporary folder") }
    }

    fn data(&self, name: &str, rows: &[[f64; 2]]) -> PathBuf {
        let path = self.folder.path().join(name);
        write_atoms(&path, &Matrix::from_columns(2, rows)).expect("written");
        path
    }

    /// Two clusters, and what the second order refutes at two atoms.
    fn clusters(&self) -> PathBuf {
        self.data("clusters.npy", &[[1.0, 0.1], [0.9, 0.3], [1.1, 0.2], [0.1, 1.0], [0.2, 0.9], [0.6, 0.7]])
    }

    fn saddle(&self) -> PathBuf {
        self.data(
            "saddle.npy",
            &[
                [-1.631_706_593_067_727_5, 1.321_795_963_983_642_7],
                [0.082_686_517_932_934_19, -1.176_789_075_556_173],
                [1.156_349_485_001_17, 0.981_203_456_039_080_3],
                [-1.450_232_629_943_399, 1.109_743_456_060_996],
            ],
        )
    }

    fn solve(&self, data: &Path, options: &str) -> PathBuf {
        let out = self.folder.path().join("out");
        let output = command(&format!("solve --data {{}} {options} --quiet --out {{}}"), &[data, &out]);
        assert!(matches!(output.status.code(), Some(0 | 1)), "{options}: {output:?}");
        out
    }
}

const SADDLE: &str = "--lambda 0 --gamma 1e-12 --center --width 2 --restarts 4";

fn verify(folder: &Path, data: &Path) -> Output {
    command("verify {} --data {} --json --quiet --threads 1", &[folder, data])
}

/// The claims that fail: some of exit 1, none of exit 0, and nothing else is an answer.
fn named(output: &Output) -> Vec<String> {
    let text = String::from_utf8_lossy(&output.stdout);
    let answer: Value = serde_json::from_str(&text).unwrap_or_else(|e| panic!("{e}: {output:?}"));
    let claims = answer["claims"].as_array().expect("claims");
    let failing = claims.iter().filter(|claim| claim["holds"] == false);
    let failing: Vec<String> = failing.map(|claim| claim["claim"].as_str().expect("a name").into()).collect();
    assert_eq!(output.status.code(), Some(i32::from(!failing.is_empty())), "{answer}");
    assert_eq!(answer["verified"], failing.is_empty());
    assert_eq!(answer["not_checked"], json!(NOT_CHECKED));
    failing
}

/// Where something stands in a JSON value.
type Place = Vec<String>;

/// Every place in a value, objects and lists themselves too.
fn places(value: &Value, place: &Place, all: &mut Vec<Place>) {
    let inside: Vec<(String, &Value)> = match value {
        Value::Object(fields) => fields.iter().map(|(key, field)| (key.clone(), field)).collect(),
        Value::Array(items) => items.iter().enumerate().map(|(i, item)| (i.to_string(), item)).collect(),
        Value::Null | Value::Bool(_) | Value::Number(_) | Value::String(_) => Vec::new(),
    };
    for (key, field) in inside {
        let place: Place = place.iter().cloned().chain([key]).collect();
        all.push(place.clone());
        places(field, &place, all);
    }
}

fn at<'a>(value: &'a mut Value, place: &[String]) -> &'a mut Value {
    place.iter().fold(value, |value, key| {
        if value.is_array() {
            &mut value[key.parse::<usize>().expect("a position")]
        } else {
            &mut value[key.as_str()]
        }
    })
}

/// What a value may be changed to; `None` removes it.
fn edits(place: &Place, value: &Value, scale: f64) -> Vec<Option<Value>> {
    let mut edits: Vec<Value> = match value {
        Value::Null => return vec![Some(1.into()), Some("x".into()), None],
        Value::Bool(flag) => vec![(!flag).into()],
        Value::Number(number) if number.is_u64() => vec![(number.as_u64().expect("a count") + 1).into()],
        Value::Number(number) => {
            let number = number.as_f64().expect("a double");
            // Below the resolution of a residual another number is the same one.
            let step = max((1e-6 * number).abs(), 10.0 * SAME * scale);
            vec![(number + 1.0).into(), (number + step).into(), (number - step).into()]
        }
        Value::String(text) => vec![format!("{text}x").into(), "".into()],
        Value::Array(_) | Value::Object(_) => Vec::new(),
    };
    if place.join(".") == "witness.origin" {
        edits.push("semidefinite".into());
    }
    edits.push(Value::Null);
    edits.into_iter().filter(|edit| edit != value).map(Some).chain([None]).collect()
}

fn remove(value: &mut Value, place: &[String]) {
    let (last, before) = place.split_last().expect("a place");
    let around = at(value, before);
    if let Some(items) = around.as_array_mut() {
        items.remove(last.parse().expect("a position"));
    } else {
        around.as_object_mut().expect("an object").remove(last);
    }
}

/// Every single edit with what is at its place, and a residual's scale beside it.
fn every_edit(whole: &Value) -> Vec<(Place, Option<Value>, Value)> {
    let mut all = Vec::new();
    places(whole, &Vec::new(), &mut all);
    let mut edited = Vec::new();
    for place in all {
        let mut copy = whole.clone();
        let value = at(&mut copy, &place).clone();
        let in_kkt = place[0] == "kkt" && place.len() == 3;
        let scale = if in_kkt { at(&mut copy, &place[..2])["scale"].as_f64().expect("a scale") } else { 0.0 };
        for edit in edits(&place, &value, scale) {
            let mut changed = whole.clone();
            match &edit {
                Some(new) => *at(&mut changed, &place) = new.clone(),
                None => remove(&mut changed, &place),
            }
            edited.push((place.clone(), edit, changed));
        }
    }
    edited
}

/// 64-bit FNV-1a over what the value says: a second hand's reading of the layout.
fn checksum(value: &Value) -> String {
    fn text(text: &str, words: &mut Vec<u64>) {
        words.extend([5, text.len() as u64]);
        words.extend(text.bytes().map(u64::from));
    }
    fn say(value: &Value, words: &mut Vec<u64>) {
        match value {
            Value::Null => words.push(0),
            Value::Bool(flag) => words.push(1 + u64::from(*flag)),
            Value::Number(number) => words.extend([4, (number.as_f64().expect("a number") + 0.0).to_bits()]),
            Value::String(string) => text(string, words),
            Value::Array(items) => {
                words.extend([6, items.len() as u64]);
                items.iter().for_each(|item| say(item, words));
            }
            Value::Object(fields) => {
                words.extend([7, fields.len() as u64]);
                for (key, field) in fields {
                    text(key, words);
                    say(field, words);
                }
            }
        }
    }
    let mut words = Vec::new();
    say(value, &mut words);
    let hash = words
        .iter()
        .flat_map(|word| word.to_le_bytes())
        .fold(0xcbf2_9ce4_8422_2325_u64, |h, byte| (h ^ u64::from(byte)).wrapping_mul(0x0000_0100_0000_01b3));
    format!("fnv1a64:{hash:016x}")
}

/// The same file with a checksum that fits.
fn forged(mut value: Value) -> Value {
    let fields: &mut Map<String, Value> = value.as_object_mut().expect("an object");
    fields.remove("checksum");
    let sum = checksum(&value);
    value["checksum"] = sum.into();
    value
}

/// Whether an edit only makes a claim weaker, or takes it back.
fn weaker(place: &str, edit: Option<&Value>, before: &Value) -> bool {
    match place {
        // A stopped run leaves the coherence out.
        "participation" | "max_coherence" => edit == Some(&Value::Null),
        "participation.lower_bound" => edit.and_then(Value::as_f64) < before.as_f64(),
        _ => false,
    }
}

/// Makes every edit of a run; the places where a forged one was not named.
fn sweep(folder: &Path, data: &Path, accidents: bool) -> BTreeSet<String> {
    let path = folder.join("certificate.json");
    let whole: Value = read_json(&path).expect("JSON");
    assert_eq!(named(&verify(folder, data)), Vec::<String>::new(), "unedited");
    assert_eq!(forged(whole.clone()), whole, "the checksum is the documented one");
    let mut unnamed = BTreeSet::new();
    for (place, edit, changed) in every_edit(&whole) {
        let name = place.join(".");
        if accidents {
            write_json(&path, &changed).expect("written");
            assert!(!named(&verify(folder, data)).is_empty(), "{name} to {edit:?} and not named");
        }
        if name == "checksum" {
            continue;
        }
        write_json(&path, &forged(changed)).expect("written");
        let before = at(&mut whole.clone(), &place).clone();
        if named(&verify(folder, data)).is_empty() && !weaker(&name, edit.as_ref(), &before) {
            unnamed.insert(name);
        }
    }
    write_json(&path, &whole).expect("written");
    unnamed
}

#[test]
fn slow_every_single_edit_is_named() {
    let runs = Runs::new();
    let (clusters, saddle) = (runs.clusters(), runs.saddle());
    let mut unnamed = BTreeSet::new();
    for (data, options, verdict) in [
        (&clusters, "--lambda 0.1", "global"),
        (&clusters, "--lambda 0.1 --center", "global"),
        (&clusters, "--lambda 0.1 --gamma 0.05 --center", "global"),
        (&clusters, "--lambda 0.1 --gamma 0.05 --bound none", "feasible"),
        (&clusters, "--lambda 0.1 --gamma 0.05 --max-seconds 0", "undecided"),
        (&clusters, "--lambda 0.1 --width 2 --participation auto", "local"),
        (&clusters, "--lambda 0.1 --gamma 0.02 --width 2 --center", "undecided"),
        (&clusters, "--lambda 0.1 --width 2 --max-seconds 0", "undecided"),
        (&clusters, "--lambda 0.1 --width 2 --global", "global-width"),
        (&saddle, SADDLE, "refuted"),
    ] {
        let out = runs.solve(data, options);
        let whole: Value = read_json(&out.join("certificate.json")).expect("JSON");
        assert_eq!(whole["verdict"], verdict, "{options}: {whole}");
        assert_eq!(out.join("improved").is_dir(), verdict == "refuted", "{options}");
        unnamed.extend(sweep(&out, data, verdict == "local"));
    }
    let documented: BTreeSet<String> = NOT_CHECKED.map(str::to_owned).into();
    assert_eq!(unnamed, documented);
}

/// A run that was ended has not shown that anything is wrong: what it had no time for is open, and
/// what needs no time fails as it does otherwise.
#[test]
fn a_verification_that_is_cut_short_fails_nothing() {
    let runs = Runs::new();
    let data = runs.clusters();
    let line = "verify {} --data {} --json --quiet --max-seconds 0";
    for options in ["--lambda 0.1 --width 2 --participation auto", "--lambda 0.1 --gamma 0.05 --center"] {
        let out = runs.solve(&data, options);
        let answer = |data: &Path| -> Value {
            let output = command(line, &[&out, data]);
            let text = String::from_utf8_lossy(&output.stdout);
            let answer: Value = serde_json::from_str(&text).unwrap_or_else(|e| panic!("{e}: {output:?}"));
            assert_eq!(output.status.code(), Some(i32::from(answer["verified"] == false)));
            answer
        };
        let fails = |answer: &Value| -> Vec<String> {
            let claims = answer["claims"].as_array().expect("claims").iter();
            let failing = claims.filter(|claim| claim["holds"] == false && claim["checked"] == true);
            failing.map(|claim| claim["claim"].as_str().expect("a name").to_owned()).collect()
        };
        let cut = answer(&data);
        assert_eq!(cut["stop"], "time-limit", "{options}");
        assert_eq!(fails(&cut), Vec::<String>::new(), "{options}");
        let other =
            runs.data("other.npy", &[[1.0, 0.1], [0.9, 0.3], [1.1, 0.2], [0.1, 1.0], [0.2, 0.9], [0.6, 0.8]]);
        assert!(fails(&answer(&other)).contains(&"data".to_owned()), "{options}");
        let whole = verify(&out, &data);
        assert_eq!(named(&whole), Vec::<String>::new(), "{options}");
    }
}

/// A count of 10¹³ in a file of a kilobyte is refused before anything is held for it.
#[test]
fn a_count_that_no_file_bears_out_is_no_reason_to_take_memory() {
    let runs = Runs::new();
    let data = runs.clusters();
    let out = runs.solve(&data, "--lambda 0.1");
    let path = out.join("certificate.json");
    let whole: Value = read_json(&path).expect("JSON");
    for masked in [json!([]), json!([4])] {
        let mut edited = whole.clone();
        edited["record"]["problem"]["points"] = json!(10_u64.pow(13));
        edited["verify"]["masked_rows"] = masked;
        std::fs::write(&path, edited.to_string()).expect("written");
        assert!(widedict::io::load_solution(&out).is_err());
        assert!(!named(&verify(&out, &data)).is_empty());
    }
}

/// What no stationary point has is a claim like others, and without a center told it is 0.
#[test]
fn the_hull_of_an_audit_is_verified() {
    let runs = Runs::new();
    let data =
        runs.data("data.npy", &[[1.0, 0.1], [0.9, 0.0], [-1.0, 0.2], [0.2, 1.1], [0.1, 0.8], [1.2, 0.9]]);
    let (dictionary, codes, out) = (
        runs.data("d.npy", &[[1.0, 0.0], [0.0, 1.0], [-1.0, 0.0]]),
        runs.folder.path().join("z.npz"),
        runs.folder.path().join("audit"),
    );
    let z: [[f64; 6]; 3] =
        [[1.0, 0.9, 0.1, 0.2, 0.1, 1.2], [0.1, 0.2, 0.2, 1.1, 0.8, 0.9], [0.2, 0.1, 1.0, 0.0, 0.0, 0.0]];
    let z = Matrix::from_fn(3, 6, |k, i| z[k][i]);
    widedict::io::write_codes(&codes, &widedict::Codes::from_dense(&z).expect("codes")).expect("written");
    let words =
        "certify --data {} --dictionary {} --codes {} --lambda 0.1 --center --bound none --quiet --out {}";
    let output = command(words, &[&data, &dictionary, &codes, &out]);
    assert!(matches!(output.status.code(), Some(0 | 1)), "{output:?}");
    let path = out.join("certificate.json");
    let whole: Value = read_json(&path).expect("JSON");
    assert_eq!((&whole["hull"]["checked"], &whole["hull"]["refuted"]), (&json!(3), &json!(3)), "{whole}");
    assert_eq!(named(&verify(&out, &data)), Vec::<String>::new());
    let edits: [&[(&str, Value)]; 6] = [
        &[("checked", json!(2))],
        &[
            ("checked", json!(2)),
            ("refuted", json!(0)),
            ("worst", json!(0.0)),
            ("worst_certified", json!(0.0)),
            ("atoms", json!([])),
        ],
        &[("checked", json!(0)), ("refuted", json!(5)), ("atoms", json!([]))],
        &[("windows_outside", json!(999))],
        &[("checked", json!(4))],
        &[("refuted", json!(0))],
    ];
    for edit in edits {
        let mut changed = whole.clone();
        edit.iter().for_each(|(key, value)| changed["hull"][*key] = value.clone());
        write_json(&path, &forged(changed)).expect("written");
        assert_eq!(named(&verify(&out, &data)), ["certificate.json: hull"], "{edit:?}");
    }
    let mut changed = whole.clone();
    changed["hull"]["checked"] = json!(2);
    changed["hull"]["atoms"][0]["certified_lower"] = json!(9.0);
    write_json(&path, &forged(changed)).expect("written");
    assert_eq!(named(&verify(&out, &data)), ["certificate.json: hull"]);
    write_json(&path, &whole).expect("written");
}

#[test]
fn a_refuted_run_is_verified_by_its_lower_point() {
    let runs = Runs::new();
    let saddle = runs.saddle();
    let out = runs.solve(&saddle, SADDLE);
    assert_eq!(named(&verify(&out, &saddle)), Vec::<String>::new());
    let names = ["dictionary.npy", "codes.npz", "center.npy"];
    let improved = names.map(|name| fs::read(out.join("improved").join(name)).expect("a file"));
    // The solution itself is not lower.
    for name in names {
        fs::copy(out.join(name), out.join("improved").join(name)).expect("copied");
    }
    assert!(named(&verify(&out, &saddle)).contains(&"improved".to_owned()));
    for (name, bytes) in names.iter().zip(&improved) {
        fs::write(out.join("improved").join(name), bytes).expect("written");
    }
    assert_eq!(named(&verify(&out, &saddle)), Vec::<String>::new());
    fs::remove_dir_all(out.join("improved")).expect("removed");
    assert!(named(&verify(&out, &saddle)).contains(&"verdict".to_owned()));
    // The next solution in the folder has none.
    fs::create_dir(out.join("improved")).expect("made");
    fs::write(out.join("improved/dictionary.npy"), "old").expect("written");
    runs.solve(&saddle, "--lambda 0.1");
    assert!(!out.join("improved").exists());
    assert_eq!(named(&verify(&out, &saddle)), Vec::<String>::new());
}

#[test]
fn a_file_that_cannot_be_read_is_3_and_a_wrong_claim_is_1() {
    let runs = Runs::new();
    let data = runs.clusters();
    let out = runs.solve(&data, "--lambda 0.1 --gamma 0.05 --bound relaxation");
    let path = out.join("certificate.json");
    let text = fs::read_to_string(&path).expect("a file");
    let whole: Value = serde_json::from_str(&text).expect("JSON");
    for broken in ["", "{", &text[..text.len() / 2], "[]", "3", "no JSON"] {
        fs::write(&path, broken).expect("written");
        assert_eq!(verify(&out, &data).status.code(), Some(3), "{broken:.40}");
    }
    fs::remove_file(&path).expect("removed");
    assert_eq!(verify(&out, &data).status.code(), Some(3));
    let edited = |place: &[&str], value: Value| {
        let mut copy = whole.clone();
        *at(&mut copy, &place.iter().map(|key| (*key).to_owned()).collect::<Vec<_>>()) = value;
        write_json(&path, &copy).expect("written");
        named(&verify(&out, &data))
    };
    assert!(edited(&["record", "problem", "points"], 7.into()).contains(&"number of datapoints".to_owned()));
    for (place, value, part) in [
        (&["record", "verdict", "verdict"][..], json!("perfect"), "record.verdict"),
        (&["record", "asked", "stop"], json!("asleep"), "record.asked"),
        (&["record", "problem", "lambda"], json!(-0.1), "record.problem"),
        (&["record", "claims", "2", "value"], json!(null), "record.claims"),
        (&["record"], json!(5), "record"),
        (&["witness", "origin"], json!("magic"), "witness"),
        (&["stop"], json!("asleep"), "stop"),
        (&["verdict"], json!("perfect"), "verdict"),
    ] {
        assert_eq!(edited(place, value), [format!("certificate.json: {part}")]);
    }
    // Of what is only recorded the checksum tells.
    for key in NOT_CHECKED.iter().filter(|key| !key.contains('.')) {
        let found = edited(&[key], json!(1e3));
        assert!(found == ["certificate.json: checksum"] || *key == "width", "{key}: {found:?}");
    }
    write_json(&path, &whole).expect("written");
    fs::write(out.join("witness_split_dual.npy"), "no array").expect("written");
    assert_eq!(verify(&out, &data).status.code(), Some(3));
}

#[test]
fn a_weaker_bound_holds_and_a_stronger_one_does_not() {
    let runs = Runs::new();
    let data = runs.clusters();
    let out = runs.solve(&data, "--lambda 0.1 --gamma 0.05");
    let path = out.join("certificate.json");
    let whole: Value = read_json(&path).expect("JSON");
    // Everywhere at once, as a run whose search was cut short would have written it.
    let bound = |lower: f64| {
        let mut copy = whole.clone();
        let upper = copy["verify"]["upper_bound"].as_f64().expect("a number");
        let gap = ((upper - lower) / upper).next_up();
        copy["lower_bound"] = lower.into();
        copy["relative_gap"] = gap.into();
        for claim in copy["record"]["claims"].as_array_mut().expect("claims") {
            match claim["name"].as_str() {
                Some("lower_bound") => claim["value"] = lower.into(),
                Some("relative_gap") => claim["value"] = gap.into(),
                _ => {}
            }
        }
        write_json(&path, &forged(copy)).expect("written");
        named(&verify(&out, &data))
    };
    let lower = whole["lower_bound"].as_f64().expect("a number");
    assert_eq!(bound(0.5 * lower), Vec::<String>::new());
    assert_eq!(bound(lower.next_down()), Vec::<String>::new());
    assert!(bound(lower.next_up()).contains(&"lower_bound".to_owned()));
}
