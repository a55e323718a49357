//! The command line, driven as a user would: JSON, exit codes, files, errors.

use std::fs;
use std::path::{Path, PathBuf};
use std::process::{Command, Output};
use std::time::Instant;

use serde_json::Value;
use widedict::io::{Rows, read_atoms, read_codes, read_json, read_vector, write_atoms, write_codes};
use widedict::{Codes, Dictionary, Factorization, Matrix, Problem, Witness, certify};

use crate::support::command::{Bench, fails, number, object, run, stderr};

/// Every key of a row, as documented.
const KEYS: [&str; 30] = [
    "schema_version",
    "points",
    "dim",
    "lambda",
    "gamma",
    "width",
    "centered",
    "method",
    "seed",
    "stop",
    "objective",
    "lower_bound",
    "bound_kind",
    "relative_gap",
    "width_lower_bound",
    "width_bound_kind",
    "estimated_lower_bound",
    "estimated_relative_gap",
    "verdict",
    "atoms",
    "mean_l0",
    "explained_variance",
    "max_coherence",
    "objective_share_of_top_percent",
    "masked",
    "kkt",
    "local",
    "participation",
    "seconds",
    "seconds_certify",
];

/// 40 points in dimension 4 in three rough directions: no randomness needed.
fn points() -> Vec<Vec<f64>> {
    (0..40_u32)
        .map(|i| {
            let t = f64::from(i);
            let (a, b) = ((0.7 * t).sin().abs(), (1.3 * t).cos().abs());
            match i % 3 {
                0 => vec![1.0 + a, 0.2 * b, 0.1, 0.0],
                1 => vec![0.1 * a, 1.0 + b, 0.3 * a, 0.1],
                _ => vec![0.3, 0.2 * a, 1.0 + b, 0.5 * a],
            }
        })
        .collect()
}

#[test]
fn solve_prints_one_object_with_every_key() {
    let bench = Bench::new();
    let x = bench.rows("x.npy", &points());
    for (line, method) in [
        ("solve --data {} --lambda 0.1 --gamma 0.2 --json", "proximal"),
        ("solve --data {} --lambda 0.1 --gamma 0.2 --center --json", "proximal"),
        ("solve --data {} --lambda 0.1 --json --quiet", "closed-form"),
        ("solve --data {} --lambda 0.1 --json --center --method closed-form", "closed-form"),
        ("solve --data {} --lambda 0.1 --json --method proximal", "proximal"),
        ("solve --data {} --lambda 0 --gamma 0.1 --json", "proximal"),
    ] {
        let output = run(line, &[&x]);
        let row = object(&output);
        for key in KEYS {
            assert!(row.get(key).is_some(), "{key} in {row}");
        }
        assert_eq!(row["method"], method, "{line}");
        assert_eq!((row["points"].as_u64(), row["dim"].as_u64()), (Some(40), Some(4)));
        assert_eq!(row["centered"], line.contains("--center"));
        assert!(row["width"].is_null() && row["local"].is_null() && row["participation"].is_null());
        assert!(number(&row, "lower_bound") <= number(&row, "objective") * (1.0 + 1e-12), "{row}");
        for part in ["codes", "dictionary", "center"] {
            assert!(row["kkt"][part]["value"].is_number() && row["kkt"][part]["scale"].is_number());
        }
        let met = row["stop"] == "tolerance-met"
            && !["refuted", "rejected"].contains(&row["verdict"].as_str().unwrap());
        assert_eq!(output.status.code(), Some(i32::from(!met)), "{row}");
    }
}

#[test]
fn the_closed_form_is_exact() {
    let bench = Bench::new();
    let x = bench.rows("x.npy", &[vec![3.0, 4.0], vec![0.0, 0.2], vec![-1.0, 0.0], vec![6.0, 8.0]]);
    let row = object(&run("solve --data {} --lambda 0.5 --json", &[&x]));
    let huber = |r: f64| if r > 0.5 { 0.5 * r - 0.125 } else { 0.5 * r * r };
    let expected = [5.0, 0.2, 1.0, 10.0].map(huber).iter().sum::<f64>() / 4.0;
    assert!((number(&row, "objective") - expected).abs() <= 1e-14 * expected);
    assert_eq!(row["verdict"], "global");
    assert_eq!(row["bound_kind"], "closed-form");
    assert_eq!(row["atoms"], 2, "collinear points share an atom");
    assert!(row["estimated_lower_bound"].is_null());
}

#[test]
fn the_digits_travel_with_the_program() {
    let row = object(&run("solve --dataset digits --lambda 0.3 --json", &[]));
    assert_eq!((row["points"].as_u64(), row["dim"].as_u64()), (Some(1797), Some(64)));
    assert!(number(&row, "relative_gap") < 1e-9);
}

#[test]
fn the_exit_code_says_what_was_reached() {
    let bench = Bench::new();
    let x = bench.rows("x.npy", &points());
    let output = run("solve --data {} --lambda 0.1 --gamma 0.2", &[&x]);
    assert_eq!(output.status.code(), Some(0), "{}", stderr(&output));
    let text = String::from_utf8_lossy(&output.stdout).into_owned();
    assert!(text.contains("verdict") && text.contains("objective") && text.contains("not claimed"), "{text}");
    // The fast bound is not tight here: the gap required is not met, the answer is printed.
    let output = run("solve --data {} --lambda 0.1 --gamma 0.2 --require-gap 1e-9 --json", &[&x]);
    assert!(number(&object(&output), "relative_gap") > 1e-9);
    assert_eq!(output.status.code(), Some(1));
    let output = run("solve --data {} --lambda 0.1 --require-gap 1e-9 --json", &[&x]);
    assert_eq!(output.status.code(), Some(0));
    let output = run("solve --data {} --lambda 0.1 --bound none --require-gap 1e-9 --json", &[&x]);
    let row = object(&output);
    assert_eq!(
        (output.status.code(), &row["bound_kind"], &row["verdict"]),
        (Some(1), &"none".into(), &"feasible".into())
    );
}

#[test]
fn bounds_are_as_asked_for() {
    let bench = Bench::new();
    let x = bench.rows("x.npy", &points());
    let bound = |option: &str| {
        let line = format!("solve --data {{}} --lambda 0.1 --gamma 0.2 {option} --json");
        let row = object(&run(&line, &[&x]));
        let kind = row["bound_kind"].as_str().expect("a kind").to_owned();
        (number(&row, "lower_bound"), number(&row, "objective"), kind)
    };
    let (fast, objective, kind) = bound("--bound fast");
    assert!(["fast", "wide-limit"].contains(&&*kind), "{kind}");
    let (relaxed, same, kind) = bound("--bound relaxation");
    assert_eq!((kind.as_str(), same.to_bits()), ("relaxation", objective.to_bits()));
    assert!(fast < relaxed && relaxed <= objective);
    assert_eq!(bound("").0.to_bits(), relaxed.to_bits(), "auto searches where it takes seconds");
}

#[test]
fn usage_errors_are_2() {
    let bench = Bench::new();
    let x = bench.rows("x.npy", &points());
    for (line, words) in [
        ("solve --data {}", &["--lambda"][..]),
        ("solve --data {} --lambda -1", &["--lambda", "-1", "at least 0"]),
        ("solve --data {} --lambda=-1", &["--lambda", "-1"]),
        ("solve --data {} --lambda 0.2 --width 0", &["--width", "'0'", "a whole number above 0"]),
        ("solve --data {} --lambda nan", &["--lambda", "finite"]),
        ("solve --data {} --lambda inf", &["--lambda", "finite"]),
        ("solve --data {} --lambda 0", &["lambda", "gamma", "both 0"]),
        ("solve --data {} --lambda 0 --gamma 0", &["both 0"]),
        ("solve --data {} --lambda 1 --gamma -0.5", &["--gamma"]),
        ("solve --data {} --lambda 1 --gamma 1 --method closed-form", &["closed-form", "gamma"]),
        ("solve --data {} --dataset digits --lambda 1", &["--data", "--dataset"]),
        ("solve --data {} --lambda 1 --tolerance 0", &["--tolerance"]),
        ("solve --data {} --lambda 1 --threads 0", &["--threads"]),
        ("solve --data {} --lambda 1 --threads 99999999999", &["--threads", "1024"]),
        ("solve --data {} --lambda 1 --threads 1025", &["--threads", "1024"]),
        ("solve --data {} --lambda 1 --max-seconds -3", &["--max-seconds"]),
        ("solve --data {} --lambda 1 --seed x", &["--seed"]),
        ("solve --data {} --lambda 1 --method magic", &["magic"]),
        ("solve --data {} --lambda 1 --width 5 --method proximal", &["--width", "--method"]),
        ("solve --data {} --lambda 1 --frobnicate", &["--frobnicate"]),
    ] {
        fails(&run(line, &[&x]), 2, words);
    }
    fails(&run("solve --lambda 1", &[]), 2, &["--data"]);
    fails(&run("solve --dataset letters --lambda 1", &[]), 2, &["letters", "digits"]);
    fails(&run("frobnicate", &[]), 2, &["frobnicate"]);
    fails(&run("", &[]), 2, &["solve", "encode"]);
}

#[test]
fn what_is_not_there_yet_says_so() {
    let bench = Bench::new();
    let x = bench.rows("x.npy", &points());
    let mut options = Vec::new();
    if cfg!(not(feature = "conic")) {
        options.push("--method conic");
    }
    if cfg!(not(feature = "sdp")) {
        options.extend(["--method sdp", "--bound sdp"]);
    }
    for option in options {
        let output = run(&format!("solve --data {{}} --lambda 1 --gamma 1 {option}"), &[&x]);
        let named = option.split(' ').next().unwrap();
        fails(&output, 2, &["not available in this build", named]);
    }
}

#[test]
fn help_and_version_are_answers() {
    for line in ["--help", "--version", "solve --help", "encode --help", "certify --help", "diagnose --help"]
    {
        let output = run(line, &[]);
        assert_eq!(output.status.code(), Some(0), "{line}");
        assert!(!output.stdout.is_empty() && output.stderr.is_empty());
    }
}

/// A `.npy` file with any header.
fn npy(descr: &str, order: &str, shape: &str, data: &[u8]) -> Vec<u8> {
    let header = format!("{{'descr': '{descr}', 'fortran_order': {order}, 'shape': {shape}, }}\n");
    let mut bytes = b"\x93NUMPY\x01\x00".to_vec();
    bytes.extend(u16::try_from(header.len()).expect("short").to_le_bytes());
    bytes.extend(header.as_bytes());
    bytes.extend(data);
    bytes
}

fn doubles(values: &[f64]) -> Vec<u8> {
    values.iter().flat_map(|v| v.to_le_bytes()).collect()
}

#[test]
fn bad_input_is_3_and_is_named() {
    let bench = Bench::new();
    let six = doubles(&[1.0, 2.0, 3.0, 4.0, 5.0, 6.0]);
    let mut nan = six.clone();
    nan[24..32].copy_from_slice(&f64::NAN.to_le_bytes());
    let mut infinite = six.clone();
    infinite[40..48].copy_from_slice(&f64::NEG_INFINITY.to_le_bytes());
    let mut huge = six.clone();
    huge[..8].copy_from_slice(&1e200_f64.to_le_bytes());
    for (name, bytes, words) in [
        ("nan.npy", npy("<f8", "False", "(3, 2)", &nan), &["row 1", "column 1", "NaN"][..]),
        ("inf.npy", npy("<f8", "False", "(3, 2)", &infinite), &["row 2", "column 1", "-inf"]),
        ("huge.npy", npy("<f8", "False", "(3, 2)", &huge), &["datapoint 0", "coordinate 0", "1e200"]),
        ("empty.npy", npy("<f8", "False", "(0, 2)", &[]), &["at least one row", "[0, 2]"]),
        ("line.npy", npy("<f8", "False", "(6,)", &six), &["2 dimensions", "[6]"]),
        ("cube.npy", npy("<f8", "False", "(1, 1, 2, 3)", &six), &["2 dimensions", "[1, 1, 2, 3]"]),
        ("complex.npy", npy("<c16", "False", "(3, 1)", &six), &["complex", "<c16"]),
        ("object.npy", npy("|O", "False", "(3, 2)", &six), &["object.npy"]),
        ("short.npy", npy("<f8", "False", "(3, 2)", &six[..40]), &["48 bytes", "found 40"]),
        ("vast.npy", npy("<f8", "False", "(99999999, 99999999)", &six), &["found 48"]),
        ("text.npy", b"1,2\n3,4\n".to_vec(), &["not a .npy file"]),
        ("nothing.npy", Vec::new(), &["empty file"]),
    ] {
        let path = bench.bytes(name, &bytes);
        let words: Vec<&str> = words.iter().copied().chain([name]).collect();
        fails(&run("solve --data {} --lambda 0.1 --gamma 0.1 --json", &[&path]), 3, &words);
    }
    let missing = bench.path("missing.npy");
    fails(&run("solve --data {} --lambda 0.1", &[&missing]), 3, &["missing.npy"]);
    fails(&run("solve --data {} --lambda 0.1", &[bench.0.path()]), 3, &[]);
}

#[test]
fn bad_weights_are_3_and_are_named() {
    let bench = Bench::new();
    let x = bench.rows("x.npy", &[vec![1.0, 0.0], vec![0.0, 1.0], vec![1.0, 1.0]]);
    for (values, words) in [
        (&[1.0, 2.0][..], &["expected 3 weights", "found 2"][..]),
        (&[0.0, -0.0, 0.0], &["every weight is 0"]),
        (&[1.0, 1.0, -2.0], &["weight 2", "found -2"]),
        (&[f64::NAN, 1.0, 2.0], &["row 0", "NaN"]),
    ] {
        let w = bench.vector("w.npy", values);
        let words: Vec<&str> = words.iter().copied().chain(["w.npy"]).collect();
        fails(&run("solve --data {} --weights {} --lambda 0.1", &[&x, &w]), 3, &words);
    }
}

/// Three ways to leave rows out, beside the file without them.
struct Masks {
    bench: Bench,
    /// Rows 3, 17 and 39 are not finite.
    holes: PathBuf,
    /// Row 5 is far too long.
    long: PathBuf,
    weights: PathBuf,
}

const HOLES: [usize; 3] = [3, 17, 39];

impl Masks {
    fn new() -> Self {
        let (bench, mut rows) = (Bench::new(), points());
        let weights: Vec<f64> = (0..40).map(|i| if HOLES.contains(&i) { 0.0 } else { 0.7 }).collect();
        let weights = bench.vector("w.npy", &weights);
        let kept: Vec<Vec<f64>> = (0..40).filter(|i| !HOLES.contains(i)).map(|i| rows[i].clone()).collect();
        bench.rows("kept.npy", &kept);
        bench.rows("short.npy", &(0..40).filter(|i| *i != 5).map(|i| rows[i].clone()).collect::<Vec<_>>());
        let mut far = rows.clone();
        far[5][1] = 1e3;
        let long = bench.rows("long.npy", &far);
        for (row, value) in HOLES.into_iter().zip([f64::NAN, f64::INFINITY, f64::NEG_INFINITY]) {
            rows[row][row % 4] = value;
        }
        let holes = bench.rows("holes.npy", &rows);
        Self { bench, holes, long, weights }
    }

    fn path(&self, name: &str) -> PathBuf {
        self.bench.path(name)
    }
}

/// An answer without what tells of time, place and masks.
fn without_masks(mut value: Value) -> Value {
    fn strip(value: &mut Value) {
        if let Some(object) = value.as_object_mut() {
            // Datapoints are named by their rows.
            if object.contains_key("certified_lower") {
                object.remove("points");
            }
            for key in
                ["seconds", "seconds_certify", "points_per_second", "masked", "source", "boundary_pair"]
            {
                object.remove(key);
            }
            object.values_mut().for_each(strip);
        }
        value.as_array_mut().into_iter().flatten().for_each(strip);
    }
    strip(&mut value);
    value
}

#[test]
fn masked_rows_are_no_datapoints_for_any_command() {
    let masks = Masks::new();
    let dictionary = masks.bench.rows("d.npy", &points()[..5]);
    let (kept, short) = (masks.path("kept.npy"), masks.path("short.npy"));
    for command in [
        "solve --lambda 0.1",
        "solve --lambda 0.1 --gamma 0.2 --center",
        "solve --lambda 0.1 --width 3",
        "wide --lambda 0.1",
        "wide --lambda 0.1 --center",
        "path --lambda 0.1 --gammas 0.2,0.1",
        "encode --lambda 0.1 --dictionary {}",
    ] {
        let with = |options: &str, paths: &[&Path]| {
            let dictionary = command.contains("{}").then_some(&*dictionary);
            let paths: Vec<&Path> = dictionary.into_iter().chain(paths.iter().copied()).collect();
            without_masks(object(&run(&format!("{command} --quiet --json {options}"), &paths)))
        };
        let expected = with("--data {}", &[&kept]);
        assert_eq!(with("--data {} --skip-nonfinite", &[&masks.holes]), expected, "{command}");
        assert_eq!(with("--data {} --weights {}", &[&masks.holes, &masks.weights]), expected, "{command}");
        let expected = with("--data {}", &[&short]);
        assert_eq!(with("--data {} --max-norm-multiple 9", &[&masks.long]), expected, "{command}");
    }
}

/// Codes have a row for every row of the file, read or written, and datapoints are named
/// by these rows.
#[test]
fn rows_of_codes_are_those_of_the_file() {
    let masks = Masks::new();
    let (holes, kept) = (&masks.holes, &masks.path("kept.npy"));
    let dictionary = masks.bench.rows("d.npy", &points()[..5]);
    let (all, few) = (masks.path("all.npz"), masks.path("few.npz"));
    run(
        "encode --data {} --skip-nonfinite --dictionary {} --lambda 0.1 --out {}",
        &[holes, &dictionary, &all],
    );
    run("encode --data {} --dictionary {} --lambda 0.1 --out {}", &[kept, &dictionary, &few]);
    let (codes, fewer) = (read_codes(&all, 40, 5).expect("codes"), read_codes(&few, 37, 5).expect("codes"));
    assert_eq!(Rows::without(40, &HOLES).spread(&fewer).into_owned(), codes);
    for command in ["certify", "diagnose"] {
        let audit = |data: &Path, codes: &Path, options: &str| {
            let line =
                format!("{command} --data {{}} --dictionary {{}} --codes {{}} --lambda 0.1 --json {options}");
            object(&run(&line, &[data, &dictionary, codes]))
        };
        let (masked, plain) = (audit(holes, &all, "--skip-nonfinite"), audit(kept, &few, ""));
        if command == "certify" {
            assert_eq!(without_masks(masked), without_masks(plain));
            continue;
        }
        assert_eq!(masked["codes"]["given"]["objective"], plain["codes"]["given"]["objective"]);
        let points = |answer: &Value| -> Vec<u64> {
            let rows = answer["point_rows"].as_array().expect("rows");
            rows.iter().map(|row| row["point"].as_u64().expect("a row")).collect()
        };
        assert_eq!(
            points(&masked),
            (0..40).filter(|i| !HOLES.contains(&usize::try_from(*i).unwrap())).collect::<Vec<u64>>()
        );
        assert_eq!(points(&plain), (0..37).collect::<Vec<u64>>());
        let sampled = audit(holes, &all, "--skip-nonfinite --points 10");
        assert_eq!(points(&sampled), (0..40).step_by(4).collect::<Vec<u64>>());
    }
}

#[test]
fn what_was_masked_is_said_and_verified() {
    let masks = Masks::new();
    let (holes, long, out) = (&masks.holes, &masks.long, &masks.path("out"));
    fails(
        &run("solve --data {} --lambda 0.1", &[holes]),
        3,
        &["row 3, column 3", "3 of 40 rows", "--skip-nonfinite"],
    );
    let line = "solve --data {} --skip-nonfinite --lambda 0.1 --gamma 0.2 --width 3 --out {}";
    let text = String::from_utf8(run(line, &[holes, out]).stdout).expect("UTF-8");
    assert!(text.contains("left out 3 of 40 rows: 3 not finite"), "{text}");
    let verify =
        |data: &Path, options: &str| run(&format!("verify {{}} --data {{}} --json {options}"), &[out, data]);
    assert_eq!(failing(&verify(holes, "--skip-nonfinite")), Vec::<String>::new());
    fails(&verify(holes, ""), 3, &["--skip-nonfinite"]);
    // A code in a masked row, which no digest covers.
    let codes = read_codes(&out.join("codes.npz"), 40, 3).expect("codes");
    assert_eq!(Rows::without(40, &HOLES).stray(&codes), None);
    let mut more = codes.to_csr();
    let at = more.indptr[3];
    more.indices.insert(at, 0);
    more.values.insert(at, 1.0);
    more.indptr[4..].iter_mut().for_each(|end| *end += 1);
    write_codes(&out.join("codes.npz"), &Codes::from_csr(more).expect("codes")).expect("written");
    fails(&verify(holes, "--skip-nonfinite"), 3, &["codes.npz", "row 3", "masked"]);

    run("solve --data {} --max-norm-multiple 9 --lambda 0.1 --out {}", &[long, out]);
    assert_eq!(failing(&verify(long, "--max-norm-multiple 9")), Vec::<String>::new());
    let other = verify(long, "");
    assert!(failing(&other).contains(&"masked rows".to_owned()));
    assert!(String::from_utf8_lossy(&other.stdout).contains("it was made with --max-norm-multiple 9"));
    // The same rows by another option.
    let other = verify(long, "--max-norm-multiple 8");
    assert_eq!(failing(&other), ["certificate.json: masked"]);
    assert!(String::from_utf8_lossy(&other.stdout).contains("checked with --max-norm-multiple 8"));
    // A start from rows that were masked.
    let line = "solve --data {} --lambda 0.1 --gamma 0.2 --start {}";
    assert_eq!(run(line, &[long, out]).status.code(), Some(0));
}

#[test]
fn few_datapoints_that_decide_are_named() {
    let masks = Masks::new();
    let share = |data: &Path| {
        number(
            &object(&run("solve --data {} --lambda 0.1 --json", &[data])),
            "objective_share_of_top_percent",
        )
    };
    let even = share(&masks.path("short.npy"));
    assert!((1.0 / 39.0..0.25).contains(&even), "{even}");
    assert!(share(&masks.long) > 0.9);
    let text =
        |data: &Path| String::from_utf8(run("solve --data {} --lambda 0.1", &[data]).stdout).expect("UTF-8");
    assert!(text(&masks.long).contains("2.50 % of the datapoints (1 of 40) hold 9"), "{}", text(&masks.long));
    assert!(!text(&masks.path("short.npy")).contains("of the datapoints"));
}

/// Whatever form the numbers come in, the same files are written.
#[test]
fn every_form_of_the_data_gives_the_same_bytes() {
    let bench = Bench::new();
    let rows = points();
    let array = bench.rows("x.npy", &rows);
    let table: String =
        rows.iter().map(|row| row.iter().map(f64::to_string).collect::<Vec<_>>().join(";") + "\n").collect();
    let table = bench.bytes("x.csv", table.as_bytes());
    fs::create_dir(bench.path("shards")).expect("made");
    for (i, part) in rows.chunks(7).enumerate() {
        bench.rows(&format!("shards/part-{i}.npy"), part);
    }
    let shards = bench.path("shards");
    let written = |data: &Path| {
        let out = bench.path("out");
        let output = run("solve --data {} --lambda 0.1 --gamma 0.2 --out {} --quiet", &[data, &out]);
        assert!(output.status.success(), "{}", stderr(&output));
        ["dictionary.npy", "codes.npz", "center.npy"].map(|name| fs::read(out.join(name)).expect("a file"))
    };
    let expected = written(&array);
    for data in [&table, &shards, &shards.join("part-*.npy")] {
        assert!(written(data) == expected, "{}", data.display());
    }
    let output = run("wide --data {} --lambda 0.1", &[&shards]);
    assert!(
        stderr(&output).contains("6 files in natural order, part-0.npy to part-5.npy"),
        "{}",
        stderr(&output)
    );
    fails(&run("wide --data {} --key a --lambda 0.1", &[&array]), 3, &["--key"]);
    fails(&run("wide --dataset digits --key a --lambda 0.1", &[]), 2, &["--key"]);
}

#[test]
fn weights_are_normalized_and_count_as_repetition() {
    let bench = Bench::new();
    let x = bench.rows("x.npy", &[vec![1.0, 0.2], vec![0.1, 1.0]]);
    let twice = bench.rows("twice.npy", &[vec![1.0, 0.2], vec![0.1, 1.0], vec![1.0, 0.2]]);
    let w = bench.vector("w.npy", &[6.0, 3.0]);
    let weighted = object(&run("solve --data {} --weights {} --lambda 0.1 --json", &[&x, &w]));
    let repeated = object(&run("solve --data {} --lambda 0.1 --json", &[&twice]));
    assert!((number(&weighted, "objective") - number(&repeated, "objective")).abs() < 1e-14);
}

#[test]
fn degenerate_data_have_answers() {
    let bench = Bench::new();
    for rows in [
        vec![vec![0.0, 0.0], vec![0.0, 0.0]],
        vec![vec![1.0, 2.0]],
        vec![vec![1.0, 2.0]; 5],
        vec![vec![0.0, 0.0], vec![1.0, 2.0], vec![0.0, 0.0]],
        vec![vec![1.0], vec![-1.0], vec![-0.0]],
        vec![vec![5e-324, 1.0], vec![1.0, -5e-324]],
    ] {
        let x = bench.rows("x.npy", &rows);
        for options in
            ["", "--gamma 0.2", "--gamma 0.2 --center", "--center", "--gamma 1e9", "--method proximal"]
        {
            let out = bench.path("out");
            let output =
                run(&format!("solve --data {{}} --lambda 0.1 {options} --out {{}} --json"), &[&x, &out]);
            let row = object(&output);
            assert!(matches!(output.status.code(), Some(0 | 1)), "{}", stderr(&output));
            assert!(
                number(&row, "lower_bound") <= number(&row, "objective") + 1e-12,
                "{rows:?} {options}: {row}"
            );
            let atoms = usize::try_from(row["atoms"].as_u64().unwrap()).unwrap();
            let dictionary = read_atoms(&out.join("dictionary.npy")).expect("read back");
            assert_eq!((dictionary.nrows(), dictionary.ncols()), (rows[0].len(), atoms));
            read_codes(&out.join("codes.npz"), rows.len(), atoms).expect("read back");
        }
    }
}

fn without_times(mut row: Value) -> Value {
    for key in ["seconds", "seconds_certify"] {
        row.as_object_mut().expect("an object").remove(key);
    }
    row
}

#[test]
fn types_and_orders_of_the_file_do_not_matter() {
    let bench = Bench::new();
    // Numbers that f32 holds exactly.
    let rows: Vec<Vec<f64>> =
        points().iter().map(|r| r.iter().map(|v| (v * 256.0).round() / 256.0).collect()).collect();
    let c = rows.concat();
    let f: Vec<f64> = (0..4).flat_map(|j| rows.iter().map(move |r| r[j])).collect();
    #[expect(clippy::cast_possible_truncation, reason = "exact by construction")]
    let single = |v: &[f64]| -> Vec<u8> { v.iter().flat_map(|v| (*v as f32).to_le_bytes()).collect() };
    let files = [
        npy("<f8", "False", "(40, 4)", &doubles(&c)),
        npy("<f8", "True", "(40, 4)", &doubles(&f)),
        npy("<f4", "False", "(40, 4)", &single(&c)),
        npy("<f4", "True", "(40, 4)", &single(&f)),
    ];
    let answers = files.map(|bytes| {
        let x = bench.bytes("x.npy", &bytes);
        without_times(object(&run("solve --data {} --lambda 0.1 --gamma 0.2 --json", &[&x])))
    });
    assert!(answers.iter().all(|a| *a == answers[0]));
}

#[test]
fn threads_do_not_change_a_byte() {
    let bench = Bench::new();
    let x = bench.rows("x.npy", &points());
    for options in ["--gamma 0.2", "--gamma 0.2 --center", ""] {
        let runs = [1, 2, 7].map(|threads| {
            let out = bench.path("out");
            let line =
                format!("solve --data {{}} --lambda 0.1 {options} --threads {threads} --out {{}} --json");
            let row = without_times(object(&run(&line, &[&x, &out])));
            let read = |name| fs::read(out.join(name)).expect("written");
            (row, read("dictionary.npy"), read("codes.npz"), read("center.npy"))
        });
        assert!(runs.iter().all(|r| *r == runs[0]), "{options}");
    }
}

#[test]
fn written_files_certify_again() {
    let bench = Bench::new();
    let rows = points();
    let x = bench.rows("x.npy", &rows);
    let out = bench.path("new");
    let line = "solve --data {} --lambda 0.1 --gamma 0.2 --center --bound fast --out {} --json";
    let row = object(&run(line, &[&x, &out]));
    let names = ["center.npy", "certificate.json", "codes.npz", "dictionary.npy", "sae"];
    let mut found: Vec<_> = fs::read_dir(&out).expect("listed").map(|e| e.unwrap().file_name()).collect();
    found.sort();
    assert_eq!(found, names, "nothing else is left");

    let saved: Value = read_json(&out.join("certificate.json")).expect("read back");
    for key in KEYS {
        assert_eq!(saved[key], row[key], "{key}");
    }
    assert!(saved["verify"].is_object());
    let atoms = read_atoms(&out.join("dictionary.npy")).expect("read back");
    let codes = read_codes(&out.join("codes.npz"), rows.len(), atoms.ncols()).expect("read back");
    let center = read_vector(&out.join("center.npy")).expect("read back");
    let (dictionary, lengths) = Dictionary::normalize(atoms.clone()).expect("atoms");
    assert_eq!(dictionary.matrix(), &atoms, "written atoms are unit atoms");
    assert!(lengths.iter().all(|l| (l - 1.0).abs() < 1e-15));
    let problem = Problem::builder(Matrix::from_columns(4, &rows))
        .lambda(0.1)
        .gamma(0.2)
        .centered(true)
        .build()
        .expect("a problem");
    let point = Factorization::new(dictionary, codes, Some(center)).expect("a point");
    let audit = certify(&problem, point, &Witness::none(), &Default::default()).expect("certified");
    let bits = |v: f64| v.to_bits();
    assert_eq!(bits(audit.certificate().objective()), bits(number(&row, "objective")));
    assert_eq!(bits(audit.certificate().lower_bound().get()), bits(number(&row, "lower_bound")));
}

#[test]
fn a_place_that_cannot_be_written_is_found_before_solving() {
    let bench = Bench::new();
    let file = bench.bytes("file", b"");
    let started = Instant::now();
    // Below a file, and in a folder that does not exist.
    let below = file.join("out");
    fails(&run("solve --dataset digits --lambda 0.3 --gamma 0.01 --out {}", &[&below]), 3, &["file"]);
    let nowhere = bench.path("no/such/atoms.svg");
    fails(&run("solve --dataset digits --lambda 0.3 --gamma 0.01 --plot {}", &[&nowhere]), 3, &["atoms.svg"]);
    fails(&run("solve --dataset digits --lambda 0.3 --gamma 0.01 --plot {}", &[bench.0.path()]), 3, &[]);
    assert!(started.elapsed().as_secs_f64() < 3.0, "no run was made");
}

#[test]
fn a_time_limit_gives_a_valid_point() {
    let bench = Bench::new();
    let out = bench.path("out");
    let output = run(
        "solve --dataset digits --lambda 0.3 --gamma 0.05 --max-seconds 0.2 --threads 1 --out {} --json",
        &[&out],
    );
    let row = object(&output);
    assert_eq!((output.status.code(), &row["stop"]), (Some(1), &"time-limit".into()));
    assert!(number(&row, "objective").is_finite());
    assert!(number(&row, "lower_bound") <= number(&row, "objective"));
    let atoms = read_atoms(&out.join("dictionary.npy")).expect("read back");
    read_codes(&out.join("codes.npz"), 1797, atoms.ncols()).expect("read back");
}

#[test]
fn quiet_is_quiet_and_a_transposed_file_is_noted() {
    let bench = Bench::new();
    let x = bench.rows("x.npy", &[vec![1.0; 50], vec![2.0; 50]]);
    let note = "read 2 points of dimension 50";
    let output = run("solve --data {} --lambda 0.1 --json", &[&x]);
    assert!(stderr(&output).contains(note), "{}", stderr(&output));
    assert!(run("solve --data {} --lambda 0.1 --json --quiet", &[&x]).stderr.is_empty());
    let tall = bench.rows("x.npy", &points());
    assert!(run("solve --data {} --lambda 0.1 --json", &[&tall]).stderr.is_empty());
}

#[test]
fn pictures_are_svg() {
    let bench = Bench::new();
    let svg = bench.path("atoms.svg");
    // Dimension 4 is a square, 3 is not.
    for rows in [points(), points().iter().map(|r| r[..3].to_vec()).collect(), vec![vec![0.0; 4]]] {
        let x = bench.rows("x.npy", &rows);
        let output = run("solve --data {} --lambda 0.1 --gamma 0.2 --plot {} --json", &[&x, &svg]);
        let row = object(&output);
        let text = fs::read_to_string(&svg).expect("drawn");
        assert!(text.starts_with("<svg") && text.trim_end().ends_with("</svg>"));
        assert!(text.contains(&format!("{} atoms", row["atoms"])));
        assert!(!text.contains("NaN"));
    }
}

/// The bound of a number of atoms is above that of every number, below the objective, proved
/// again by `verify`, and not searched for where bounds are not wanted.
#[test]
fn a_width_has_a_bound_of_its_own() {
    let bench = Bench::new();
    // Directions spread over a quarter of the circle.
    let rows: Vec<Vec<f64>> = (0..40_u8)
        .map(|k| std::f64::consts::FRAC_PI_2 * f64::from(k) / 40.0)
        .map(|angle| vec![angle.cos(), angle.sin()])
        .collect();
    let (data, out) = (bench.rows("x.npy", &rows), bench.path("out"));
    let found = object(&run("solve --data {} --lambda 0.2 --width 3 --out {} --json", &[&data, &out]));
    let bound = number(&found, "width_lower_bound");
    assert!(bound > number(&found, "lower_bound") && bound <= number(&found, "objective"), "{found}");
    assert_eq!(found["width_bound_kind"], "width");
    assert!(run("verify {} --data {}", &[&out, &data]).status.success());
    let text =
        String::from_utf8(run("solve --data {} --lambda 0.2 --width 3", &[&data]).stdout).expect("UTF-8");
    assert!(text.contains("no dictionary of 3 unit atoms does better"), "{text}");

    // With a bound for common atoms beside it, the larger holds for both.
    let line = "solve --data {} --lambda 0.2 --width 3 --participation auto";
    let text = String::from_utf8(run(line, &[&data]).stdout).expect("UTF-8");
    let of = |name: &str| -> f64 {
        let line =
            text.lines().find(|line| line.starts_with(name)).unwrap_or_else(|| panic!("{name}: {text}"));
        let number = line[name.len()..].split_whitespace().next().expect("a number");
        number.parse().expect("a number")
    };
    let (one, other) = (of("width bound"), of("participation bound"));
    assert!(of("bound for both").to_bits() == if one > other { one } else { other }.to_bits(), "{text}");

    let line = "certify --data {} --lambda 0.2 --dictionary {} --codes {} --json";
    let files = [data.clone(), out.join("dictionary.npy"), out.join("codes.npz")];
    let audited = object(&run(line, &[&files[0], &files[1], &files[2]]));
    assert!(number(&audited, "width_lower_bound") > number(&audited, "lower_bound"), "{audited}");

    let certificate = out.join("certificate.json");
    let mut saved: Value = read_json(&certificate).expect("readable");
    saved["width_lower_bound"] = Value::from(bound.next_up());
    fs::write(&certificate, saved.to_string()).expect("written");
    let edited = run("verify {} --data {} --json", &[&out, &data]);
    assert_eq!(edited.status.code(), Some(1));
    assert!(String::from_utf8_lossy(&edited.stdout).contains("width_lower_bound"));

    for line in [
        "solve --data {} --lambda 0.2 --width 3 --bound none --json",
        "solve --data {} --lambda 0.2 --width 3 --center --json",
        "solve --data {} --lambda 0.2 --json",
    ] {
        assert!(object(&run(line, &[&data]))["width_lower_bound"].is_null(), "{line}");
    }
    // Why there is none is told, and "found" only of what was searched for.
    for (options, told) in [
        ("--width 3 --bound fast", "width bound          not searched for  (--bound fast, 40 points)"),
        (
            "--width 3 --bound fast --gamma 0.1",
            "width bound          none  (there are some for gamma = 0 only)",
        ),
        ("--width 3 --center", "width bound          none  (there are some for a fixed center only)"),
        ("--width 40", "width bound          none was found above the bound of every width"),
    ] {
        let line = format!("solve --data {{}} --lambda 0.2 {options}");
        let text = String::from_utf8(run(&line, &[&data]).stdout).expect("UTF-8");
        let needless = text.contains("width bound          not needed");
        assert!(text.contains(told) || (needless && options == "--width 40"), "{line}: {text}");
    }
    let text = run("solve --data {} --lambda 0.2 --width 3 --bound none", &[&data]).stdout;
    assert!(!String::from_utf8_lossy(&text).contains("width bound"));
}

/// The best dictionary of a width in the plane: proved, proved again by `verify`, refused where
/// the theorem does not speak, and honest about a limit.
#[test]
fn the_best_of_a_width_is_proved_in_the_plane() {
    let bench = Bench::new();
    let rows: Vec<Vec<f64>> = (0..30_u8)
        .map(|k| (1.9 * f64::from(k), 1.0 + 0.3 * f64::from(k % 3)))
        .map(|(angle, length)| vec![length * angle.cos(), length * angle.sin()])
        .collect();
    let (data, out) = (bench.rows("x.npy", &rows), bench.path("out"));
    let line = "solve --data {} --lambda 0.2 --width 3 --global --tolerance 1e-5 --out {} --json";
    let output = run(line, &[&data, &out]);
    let found = object(&output);
    assert_eq!(output.status.code(), Some(0), "{found}");
    assert_eq!(
        (&found["verdict"], &found["stop"]),
        (&Value::from("global-width"), &Value::from("tolerance-met"))
    );
    assert_eq!(found["width_bound_kind"], "planar");
    let (bound, objective) = (number(&found, "width_lower_bound"), number(&found, "objective"));
    assert!(bound <= objective && objective - bound <= 1e-5 * objective, "{found}");
    assert!(bound > number(&found, "lower_bound"), "{found}");
    assert!(run("verify {} --data {}", &[&out, &data]).status.success());
    let certificate = out.join("certificate.json");
    let mut saved: Value = read_json(&certificate).expect("readable");
    saved["width_lower_bound"] = Value::from(objective);
    fs::write(&certificate, saved.to_string()).expect("written");
    let edited = run("verify {} --data {} --json", &[&out, &data]);
    assert_eq!(edited.status.code(), Some(1));
    assert!(String::from_utf8_lossy(&edited.stdout).contains("width_lower_bound"));

    // A run that its clock ended has a bound all the same, and verifies.
    let line = "solve --data {} --lambda 0.2 --width 3 --global --max-seconds 0 --out {} --json";
    let output = run(line, &[&data, &out]);
    let stopped = object(&output);
    assert_eq!(output.status.code(), Some(1), "{stopped}");
    assert_eq!(
        (&stopped["stop"], &stopped["verdict"]),
        (&Value::from("time-limit"), &Value::from("undecided"))
    );
    assert!(number(&stopped, "width_lower_bound") <= objective, "{stopped}");
    assert!(run("verify {} --data {}", &[&out, &data]).status.success());

    // As many atoms as directions: nothing is left to prove, and the bound is there.
    let few = bench.rows("few.npy", &[vec![1.0, 0.0], vec![0.0, 2.0]]);
    let all = object(&run("solve --data {} --lambda 0.2 --width 2 --global --json", &[&few]));
    assert_eq!((&all["verdict"], &all["width_bound_kind"]), (&Value::from("global"), &Value::from("planar")));

    let solid = bench.rows("solid.npy", &[vec![1.0, 0.0, 0.1], vec![0.0, 1.0, 0.4], vec![0.5, 0.1, 1.0]]);
    for (options, data, code, told) in [
        ("--global", &data, 2, "--width"),
        ("--width 2 --global --center", &data, 2, "--center"),
        ("--width 2 --global --gamma 0.1", &data, 2, "--gamma 0"),
        ("--width 2 --global", &solid, 3, "third singular value"),
    ] {
        let output = run(&format!("solve --data {{}} --lambda 0.2 {options}"), &[data]);
        assert_eq!(output.status.code(), Some(code), "{options}");
        let told_in = String::from_utf8_lossy(&output.stderr).into_owned();
        assert!(told_in.contains(told), "{options}: {told_in}");
    }
}

#[test]
fn encode_prices_foreign_atoms_by_their_length() {
    let bench = Bench::new();
    let x = bench.rows("x.npy", &[vec![2.0, 0.0], vec![1.0, 1.5], vec![-1.0, 0.3]]);
    let unit = bench.rows("unit.npy", &[vec![1.0, 0.0], vec![0.6, 0.8]]);
    let long = bench.rows("long.npy", &[vec![2.0, 0.0], vec![0.15, 0.2]]);
    let codes = bench.path("z.npz");
    let line = "encode --data {} --dictionary {} --lambda 0.25 --out {} --json";
    let one = run(line, &[&x, &unit, &codes]);
    let of_unit = read_codes(&codes, 3, 2).expect("codes");
    let other = run(line, &[&x, &long, &codes]);
    let of_long = read_codes(&codes, 3, 2).expect("codes");
    let (one_row, other_row) = (object(&one), object(&other));
    for key in [
        "schema_version",
        "points",
        "dim",
        "atoms",
        "lambda",
        "mean_objective",
        "max_relative_gap",
        "mean_l0",
        "points_per_second",
        "stop",
        "seconds",
    ] {
        assert!(one_row.get(key).is_some_and(|v| !v.is_null()), "{key} in {one_row}");
    }
    assert_eq!(one.status.code(), Some(0), "{one_row}");
    assert!(number(&one_row, "max_relative_gap") < 1e-9);
    let (f, g) = (number(&one_row, "mean_objective"), number(&other_row, "mean_objective"));
    assert!((f - g).abs() < 1e-12 * f, "the price is of d·z: {f} {g}");
    for (point, column) in of_unit.view().outer_iterator().enumerate() {
        for (atom, z) in column.iter() {
            let length = [2.0, 0.25][atom];
            let other = of_long.column(point).get(atom).copied().expect("the same support");
            assert!((other * length - z).abs() < 1e-12, "{atom} {z} {other}");
        }
    }
    // The first point lies along the first atom: z = 2 − λ.
    assert!((of_unit.column(0).get(0).expect("used") - 1.75).abs() < 1e-12);
}

#[test]
fn encode_agrees_with_solve() {
    let bench = Bench::new();
    let x = bench.rows("x.npy", &points());
    let out = bench.path("out");
    for center in ["", "--center"] {
        let line = format!("solve --data {{}} --lambda 0.2 {center} --out {{}} --json");
        let solved = object(&run(&line, &[&x, &out]));
        let files = [&*x, &out.join("dictionary.npy"), &out.join("center.npy")];
        let encoded =
            object(&run("encode --data {} --dictionary {} --center-file {} --lambda 0.2 --json", &files));
        let (f, g) = (number(&solved, "objective"), number(&encoded, "mean_objective"));
        assert!((f - g).abs() < 1e-9 * f, "{center}: {f} {g}");
    }
}

/// Near λ = 0 and at 0 the run ends by what rounding allows, and says what its gap is
/// measured against.
#[test]
fn encode_ends_at_rounding() {
    let bench = Bench::new();
    let x = bench.rows("x.npy", &points());
    let d = bench.rows(
        "d.npy",
        &[
            vec![1.0, 0.2, 0.0, 0.1],
            vec![0.6, 0.8, 0.1, 0.0],
            vec![0.1, 0.2, 1.0, 0.4],
            vec![-0.3, 1.0, 0.2, 0.1],
        ],
    );
    for (lambda, word) in [("0", "least squares with z >= 0"), ("1e-300", "lambda"), ("1e-14", "lambda")] {
        let line = format!("encode --data {{}} --dictionary {{}} --lambda {lambda} --json");
        let found = run(&line, &[&x, &d]);
        let row = object(&found);
        assert_eq!((found.status.code(), row["stop"].as_str()), (Some(0), Some("tolerance-met")), "{row}");
        assert!(number(&row, "max_relative_gap") <= 1e-10);
        assert!(row["gap_against"].as_str().expect("a text").contains(word), "{row}");
        let screen = run(&line.replace(" --json", ""), &[&x, &d]);
        let text = String::from_utf8_lossy(&screen.stdout).into_owned();
        assert!(text.contains("duality gap") && text.contains(word) && !text.contains("certified"), "{text}");
    }
}

#[test]
fn encode_names_what_does_not_fit() {
    let bench = Bench::new();
    let x = bench.rows("x.npy", &[vec![2.0, 0.0, 1.0], vec![1.0, 1.5, 0.0]]);
    let d = bench.rows("d.npy", &[vec![1.0, 0.0], vec![0.6, 0.8], vec![0.0, 1.0]]);
    fails(
        &run("encode --data {} --dictionary {} --lambda 0.1", &[&x, &d]),
        3,
        &["d.npy", "dimension 3", "[3, 2]", "transposed"],
    );
    let zero = bench.rows("zero.npy", &[vec![0.0; 3], vec![0.0; 3]]);
    fails(&run("encode --data {} --dictionary {} --lambda 0.1", &[&x, &zero]), 3, &["zero.npy", "2 atoms"]);
    let good = bench.rows("good.npy", &[vec![1.0, 0.0, 0.0]]);
    let b = bench.vector("b.npy", &[1.0, 2.0]);
    fails(
        &run("encode --data {} --dictionary {} --center-file {} --lambda 0.1", &[&x, &good, &b]),
        3,
        &["b.npy", "dimension 3", "[2]"],
    );
    let huge = bench.rows("huge.npy", &[vec![2.0, 0.0, 1.0], vec![1.0, 1e141, 0.0]]);
    for line in
        ["encode --data {} --dictionary {} --lambda 0.1", "diagnose --data {} --dictionary {} --lambda 0.1"]
    {
        fails(&run(line, &[&huge, &good]), 3, &["huge.npy", "datapoint 1, coordinate 1", "1e140"]);
    }
    let far = bench.vector("far.npy", &[1.0, 0.0, 1e141]);
    fails(
        &run("encode --data {} --dictionary {} --center-file {} --lambda 0.1", &[&x, &good, &far]),
        3,
        &["far.npy", "coordinate 2"],
    );
    fails(&run("encode --data {} --dictionary {} --lambda -1", &[&x, &good]), 2, &["--lambda"]);
    fails(&run("encode --data {} --lambda 1", &[&x]), 2, &["--dictionary"]);
}

#[cfg(unix)]
#[test]
fn slow_an_interrupt_returns_the_best_point_so_far() {
    use std::io::{BufRead, BufReader};
    use std::process::Stdio;
    let bench = Bench::new();
    let out = bench.path("out");
    let mut child = Command::new(env!("CARGO_BIN_EXE_widedict"))
        .args(["solve", "--dataset", "digits", "--lambda", "0.3", "--gamma", "0.02", "--tolerance", "1e-9"])
        .args(["--json", "--out"])
        .arg(&out)
        .stdout(Stdio::piped())
        .stderr(Stdio::piped())
        .spawn()
        .expect("the program starts");
    // The first line of progress: the run is under way.
    let mut line = String::new();
    BufReader::new(child.stderr.take().expect("piped")).read_line(&mut line).expect("a line");
    assert!(line.contains("objective"), "{line}");
    let killed = Command::new("kill").args(["-INT", &child.id().to_string()]).status().expect("kill runs");
    assert!(killed.success());
    let output = child.wait_with_output().expect("it ends");
    let row = object(&output);
    assert_eq!((output.status.code(), &row["stop"]), (Some(1), &"cancelled".into()));
    assert!(out.join("certificate.json").is_file());
}

/// Starts a long run and signals it once it tells of its progress.
#[cfg(unix)]
fn signalled(args: &[&str], out: &Path, signal: &str) -> Output {
    use std::io::{BufRead, BufReader};
    use std::process::Stdio;
    let mut child = Command::new(env!("CARGO_BIN_EXE_widedict"))
        .args(args)
        .arg("--out")
        .arg(out)
        .stdout(Stdio::piped())
        .stderr(Stdio::piped())
        .spawn()
        .expect("the program starts");
    let mut line = String::new();
    BufReader::new(child.stderr.take().expect("piped")).read_line(&mut line).expect("a line");
    assert!(line.contains("objective"), "{line}");
    let killed = Command::new("kill").args([signal, &child.id().to_string()]).status().expect("kill runs");
    assert!(killed.success());
    child.wait_with_output().expect("it ends")
}

/// A pipe that nobody fills: the read blocks. The run has not begun, so there is nothing
/// to return.
#[cfg(unix)]
#[test]
fn a_signal_while_data_are_read_ends_the_process_and_says_so() {
    use std::process::Stdio;
    for signal in ["-TERM", "-HUP", "-INT"] {
        let bench = Bench::new();
        let (pipe, out) = (bench.path("pipe.npy"), bench.path("out"));
        assert!(Command::new("mkfifo").arg(&pipe).status().expect("mkfifo runs").success());
        let child = Command::new(env!("CARGO_BIN_EXE_widedict"))
            .args(["solve", "--lambda", "0.1", "--json", "--out"])
            .arg(&out)
            .arg("--data")
            .arg(&pipe)
            .stdout(Stdio::piped())
            .stderr(Stdio::piped())
            .spawn()
            .expect("the program starts");
        // Opening waits until the other end is open: the handlers are installed by then.
        let writer = fs::OpenOptions::new().write(true).open(&pipe).expect("a pipe");
        let id = child.id().to_string();
        assert!(Command::new("kill").args([signal, &id]).status().expect("kill runs").success());
        let output = child.wait_with_output().expect("it ends");
        drop(writer);
        fails(&output, 1, &["interrupted", "nothing was computed"]);
        assert!(!out.exists(), "{signal}: nothing is left behind");
    }
}

/// A run that would take minutes.
const LONG: [&str; 9] =
    ["solve", "--dataset", "digits", "--lambda", "0.3", "--gamma", "0.02", "--tolerance", "1e-9"];

#[cfg(unix)]
#[test]
fn slow_a_signal_of_the_system_ends_a_run_as_an_interrupt_does() {
    for signal in ["-TERM", "-HUP"] {
        let bench = Bench::new();
        let out = bench.path("out");
        let output = signalled(&[&LONG[..], &["--json"]].concat(), &out, signal);
        let row = object(&output);
        assert_eq!((output.status.code(), &row["stop"]), (Some(1), &"cancelled".into()), "{signal}");
        assert_ne!(row["verdict"], "refuted", "a run that was stopped refutes nothing: {row}");
        assert!(out.join("certificate.json").is_file(), "{signal}");
    }
}

#[cfg(unix)]
#[test]
fn slow_a_killed_run_goes_on_from_its_checkpoint() {
    let bench = Bench::new();
    let out = bench.path("out");
    let output = signalled(&[&LONG[..], &["--checkpoint-seconds", "0.1"]].concat(), &out, "-KILL");
    assert_eq!(output.status.code(), None, "killed");
    let checkpoint = out.join("checkpoint");
    assert!(checkpoint.join("dictionary.npy").is_file() && !out.join("dictionary.npy").exists());
    let line = "solve --dataset digits --lambda 0.3 --gamma 0.02 --start {} --max-seconds 1 --bound none --json --quiet --out {}";
    let row = object(&run(line, &[&out, &out]));
    // From nothing a run is far above at that time.
    let saved = read_atoms(&checkpoint.join("dictionary.npy"));
    assert!(saved.is_err(), "the solution takes the checkpoint's place");
    assert!(number(&row, "objective").is_finite() && out.join("certificate.json").is_file());
    // No claim, no verification; and a start of other data is named.
    let x = bench.rows("x.npy", &clusters());
    fails(
        &run("solve --data {} --lambda 0.1 --gamma 0.1 --start {}", &[&x, &out]),
        3,
        &["expected a solution of 6 points of dimension 2", "1797", "64"],
    );
}

/// The center stays what it was: a variable, fixed, or none.
#[test]
fn a_folder_is_certified_as_it_was_written() {
    let bench = Bench::new();
    let x = bench.rows("x.npy", &points());
    let (out, fixed) = (bench.path("out"), bench.path("fixed"));
    for (options, centered) in
        [("--gamma 0.2 --center", true), ("--width 2", false), ("--width 2 --center", true)]
    {
        let line = format!("solve --data {{}} --lambda 0.1 {options} --json --quiet --out {{}}");
        let solved = object(&run(&line, &[&x, &out]));
        let found = object(&run("certify --data {} --from {} --json --quiet", &[&x, &out]));
        assert_eq!((&found["centered"], &found["gamma"]), (&centered.into(), &solved["gamma"]), "{options}");
        assert_eq!((&found["objective"], &found["lambda"]), (&solved["objective"], &0.1.into()), "{options}");
        let text = run("certify --data {} --from {} --quiet", &[&x, &out]);
        let text = String::from_utf8_lossy(&text.stdout).into_owned();
        assert_eq!(text.contains("center               a variable"), centered, "{text}");
        // At another price the point is the same, its objective is not.
        let dearer = object(&run("certify --data {} --from {} --lambda 0.2 --json --quiet", &[&x, &out]));
        assert!(number(&dearer, "objective") > number(&found, "objective"));
    }
    // A center that was fixed stays fixed, and both commands say so.
    let files = |name: &str| out.join(name);
    let line = "certify --data {} --dictionary {} --codes {} --center-file {} --lambda 0.1 --quiet --out {}";
    let paths = [&files("dictionary.npy"), &files("codes.npz"), &files("center.npy")];
    let text = run(line, &[&x, paths[0], paths[1], paths[2], &fixed]);
    assert!(
        String::from_utf8_lossy(&text.stdout)
            .contains("center               fixed, subtracted from the data")
    );
    let again = run("certify --data {} --from {} --quiet", &[&x, &fixed]);
    assert!(
        String::from_utf8_lossy(&again.stdout)
            .contains("center               fixed, subtracted from the data")
    );
    let other = bench.rows("other.npy", &clusters());
    fails(&run("certify --data {} --from {}", &[&other, &out]), 3, &["expected a solution of"]);
    for option in ["--center", "--codes z.npz", "--center-file b.npy"] {
        let line = format!("certify --data {{}} --from {{}} {option}");
        fails(&run(&line, &[&x, &out]), 2, &["--from"]);
    }
}

/// Without the local test a width is what the descent ends with.
#[test]
fn the_local_test_is_left_out_where_nobody_asks() {
    let bench = Bench::new();
    let (x, out) = (bench.rows("x.npy", &points()), bench.path("out"));
    let line = "solve --data {} --lambda 0.1 --width 2 --bound none --local none --json --quiet --out {}";
    let solved = run(line, &[&x, &out]);
    let row = object(&solved);
    assert_eq!((&row["local"], &row["bound_kind"]), (&Value::Null, &"none".into()));
    assert!(["feasible", "undecided"].contains(&row["verdict"].as_str().expect("a verdict")), "{row}");
    assert_eq!(run("verify {} --data {} --quiet", &[&out, &x]).status.code(), Some(0));
    let certified = object(&run("certify --data {} --from {} --local none --json --quiet", &[&x, &out]));
    assert_eq!(certified["local"], Value::Null);
    let tested = object(&run("certify --data {} --from {} --json --quiet", &[&x, &out]));
    assert!(tested["local"].is_object());
}

#[test]
fn a_run_goes_on_from_a_saved_solution() {
    let bench = Bench::new();
    let x = bench.rows("x.npy", &points());
    let out = bench.path("out");
    let base = "solve --data {} --lambda 0.1 --gamma 0.2 --json --quiet --bound fast";
    let first = object(&run(&format!("{base} --tolerance 1e-6 --out {{}}"), &[&x, &out]));
    for more in ["", "--center", "--width 3", "--width 3 --center"] {
        let output = run(&format!("{base} --tolerance 1e-6 {more} --start {{}}"), &[&x, &out]);
        assert!(matches!(output.status.code(), Some(0 | 1)), "{more}: {}", stderr(&output));
        let next = object(&output);
        if more.is_empty() || more == "--center" {
            assert!(number(&next, "objective") <= number(&first, "objective") * (1.0 + 1e-12), "{more}");
        }
    }
    let nothing = bench.path("nothing");
    fails(&run(&format!("{base} --start {{}}"), &[&x, &nothing]), 3, &["certificate.json"]);
}

#[test]
fn a_used_folder_holds_nothing_of_an_earlier_run() {
    let bench = Bench::new();
    let x = bench.rows("x.npy", &points());
    let out = bench.path("out");
    let names = |out: &Path| {
        let mut names: Vec<String> =
            fs::read_dir(out).unwrap().map(|e| e.unwrap().file_name().into_string().unwrap()).collect();
        names.sort();
        names
    };
    let solved = ["center.npy", "certificate.json", "codes.npz", "dictionary.npy", "sae"];
    run("solve --data {} --lambda 0.1 --gamma 0.2 --bound relaxation --out {}", &[&x, &out]);
    assert!(out.join("witness_split_dual.npy").is_file());
    fs::write(out.join("notes.txt"), "mine").unwrap();
    run("path --data {} --lambda 0.1 --gammas 0.3,0.2,0.1 --bound fast --out {}", &[&x, &out]);
    assert_eq!(names(&out), ["notes.txt", "path.csv", "path.json", "row-000", "row-001", "row-002"]);
    run("path --data {} --lambda 0.1 --gammas 0.3 --bound fast --out {}", &[&x, &out]);
    assert_eq!(names(&out), ["notes.txt", "path.csv", "path.json", "row-000"]);
    run("solve --data {} --lambda 0.1 --gamma 0.2 --bound fast --out {}", &[&x, &out]);
    let mut expected: Vec<&str> = solved.to_vec();
    expected.insert(4, "notes.txt");
    assert_eq!(names(&out), expected);
    run("wide --data {} --lambda 0.1 --out {}", &[&x, &out]);
    assert_eq!(names(&out), ["center.npy", "codes.npz", "dictionary.npy", "notes.txt"]);
    // `improved/` of a point that was not optimal goes with the next one.
    let d = bench.rows("d.npy", &[vec![1.0, 0.0, 0.0, 0.0], vec![0.9, 0.1, 0.0, 0.0]]);
    let certified = "certify --data {} --dictionary {} --codes {} --lambda 0.1 --out {} --quiet";
    let z = bench.path("z.npz");
    run("encode --data {} --dictionary {} --lambda 0.1 --out {}", &[&x, &d, &z]);
    run(certified, &[&x, &d, &z, &out]);
    fs::create_dir_all(out.join("improved")).unwrap();
    fs::write(out.join("improved/dictionary.npy"), "old").unwrap();
    run("solve --data {} --lambda 0.1 --out {}", &[&x, &out]);
    assert!(!out.join("improved").exists());
}

#[test]
fn no_clobber_refuses_what_holds_anything() {
    let bench = Bench::new();
    let x = bench.rows("x.npy", &clusters());
    let out = bench.path("out");
    let line = "solve --data {} --lambda 0.1 --no-clobber --out {}";
    assert_eq!(run(line, &[&x, &out]).status.code(), Some(0));
    let before = fs::read(out.join("certificate.json")).unwrap();
    for command in ["solve --lambda 0.1", "wide --lambda 0.1", "path --lambda 0.1 --gammas 1"] {
        let line = format!("{command} --data {{}} --no-clobber --out {{}}");
        fails(&run(&line, &[&x, &out]), 3, &["out", "--no-clobber"]);
    }
    assert_eq!(fs::read(out.join("certificate.json")).unwrap(), before);
    fails(&run("solve --data {} --lambda 0.1 --no-clobber", &[&x]), 2, &["--out"]);
    // Every option that writes a file obeys.
    let file = bench.bytes("mine", b"mine");
    let d = out.join("dictionary.npy");
    for (command, option) in [
        ("solve --lambda 0.1", "--plot"),
        ("path --lambda 0.1 --gammas 1", "--plot"),
        ("encode --lambda 0.1 --dictionary", "--out"),
    ] {
        let words = if option == "--out" { format!("{command} {{}}") } else { command.to_owned() };
        let line = format!("{words} --data {{}} --no-clobber {option} {{}}");
        let paths = [d.as_path(), &x, &file];
        let paths = if option == "--out" { &paths[..] } else { &paths[1..] };
        fails(&run(&line, paths), 3, &["mine", "--no-clobber"]);
        assert_eq!(fs::read(&file).unwrap(), b"mine", "{command}");
    }
    let (fresh, plot) = (bench.path("fresh"), bench.path("new.svg"));
    let line = "solve --data {} --lambda 0.1 --no-clobber --out {} --plot {}";
    fails(&run(line, &[&x, &fresh, &file]), 3, &["mine", "--no-clobber"]);
    assert!(!fresh.exists(), "nothing is left behind");
    assert_eq!(run(line, &[&x, &fresh, &plot]).status.code(), Some(0));
    assert!(plot.is_file() && fresh.join("certificate.json").is_file());
    // A folder is made inside one that exists, never with its parents.
    let deep = bench.path("no/such");
    fails(&run("solve --data {} --lambda 0.1 --out {}", &[&x, &deep]), 3, &["no/such", "does not exist"]);
    assert!(!bench.path("no").exists());
}

#[cfg(unix)]
#[test]
fn a_file_size_limit_is_3_and_the_old_files_stay() {
    let bench = Bench::new();
    let x = bench.rows("x.npy", &points());
    let out = bench.path("out");
    run("solve --data {} --lambda 0.1 --out {}", &[&x, &out]);
    let read = |name: &str| fs::read(out.join(name)).expect("a file");
    let names = ["dictionary.npy", "codes.npz", "center.npy", "certificate.json"];
    let before = names.map(read);
    // 512-byte blocks: the dictionary of 40 atoms of 4 numbers does not fit.
    let line = r#"ulimit -f 1; exec "$0" solve --data "$1" --lambda 0.2 --out "$2" --json"#;
    let output = Command::new("sh")
        .args(["-c", line, env!("CARGO_BIN_EXE_widedict")])
        .args([&x, &out])
        .output()
        .expect("sh runs");
    fails(&output, 3, &["dictionary.npy"]);
    assert_eq!(names.map(read), before);
    assert_eq!(fs::read_dir(&out).unwrap().count(), 5, "nothing is left behind");
    // A full disk.
    if Path::new("/dev/full").exists() {
        let d = out.join("dictionary.npy");
        let full = Path::new("/dev/full");
        fails(
            &run("encode --data {} --dictionary {} --lambda 0.1 --out {} --json", &[&x, &d, full]),
            3,
            &["/dev/full"],
        );
    }
}

#[cfg(unix)]
#[test]
fn slow_rows_of_a_path_are_written_as_they_are_made() {
    use std::process::Stdio;
    let bench = Bench::new();
    let out = bench.path("out");
    let mut child = Command::new(env!("CARGO_BIN_EXE_widedict"))
        .args([
            "path",
            "--dataset",
            "digits",
            "--lambda",
            "0.3",
            "--gammas",
            "1,0.0001",
            "--tolerance",
            "1e-6",
        ])
        .args(["--quiet", "--out"])
        .arg(&out)
        .stdout(Stdio::null())
        .spawn()
        .expect("the program starts");
    let row = out.join("row-000/certificate.json");
    let started = Instant::now();
    while !row.is_file() && started.elapsed().as_secs() < 60 {
        std::thread::sleep(std::time::Duration::from_millis(50));
    }
    child.kill().expect("killed");
    child.wait().expect("it ends");
    assert!(row.is_file(), "the first row is there while the second is made");
    assert!(!out.join("path.json").exists());
    let output = run("verify {} --dataset digits --json --quiet", &[&out.join("row-000")]);
    assert_eq!(output.status.code(), Some(0), "{}", object(&output));
}

/// The claims of a verification that fail.
fn failing(output: &Output) -> Vec<String> {
    let answer = object(output);
    let claims = answer["claims"].as_array().expect("claims");
    assert!(claims.len() > 10);
    let failing: Vec<String> = claims
        .iter()
        .filter(|claim| claim["holds"] == false)
        .map(|claim| claim["claim"].as_str().expect("a name").to_owned())
        .collect();
    assert_eq!(answer["verified"], failing.is_empty());
    assert_eq!(output.status.code(), Some(i32::from(!failing.is_empty())), "{answer}");
    failing
}

#[test]
fn what_was_written_is_verified() {
    let bench = Bench::new();
    let x = bench.rows("x.npy", &points());
    let w = bench.vector("w.npy", &(0..40).map(|i| 1.0 + f64::from(i % 3)).collect::<Vec<_>>());
    let out = bench.path("out");
    for options in [
        "--gamma 0.2",
        "--gamma 0.2 --center",
        "--gamma 0.2 --bound none",
        "--gamma 0.2 --bound fast",
        "",
        "--center",
        "--width 3 --participation auto",
        "--width 3 --center",
        "--gamma 0.1 --width 3",
        "--gamma 0.2 --max-seconds 0",
    ] {
        run(&format!("solve --data {{}} --lambda 0.1 {options} --out {{}} --quiet"), &[&x, &out]);
        let output = run("verify {} --data {} --json --quiet", &[&out, &x]);
        assert_eq!(failing(&output), Vec::<String>::new(), "{options}: {}", object(&output));
    }
    run("solve --data {} --weights {} --lambda 0.1 --gamma 0.2 --out {}", &[&x, &w, &out]);
    assert!(failing(&run("verify {} --data {} --weights {} --json", &[&out, &x, &w])).is_empty());
    assert!(failing(&run("verify {} --data {} --json", &[&out, &x])).contains(&"weights".to_owned()));
    // A center that was subtracted.
    let b = bench.vector("b.npy", &[0.1, 0.2, 0.1, 0.0]);
    let files = [&*x, &out.join("dictionary.npy"), &out.join("codes.npz"), &b, &out];
    run(
        "certify --data {} --dictionary {} --codes {} --center-file {} --lambda 0.1 --gamma 0.2 --out {}",
        &files,
    );
    assert_eq!(failing(&run("verify {} --data {} --json", &[&out, &x])), Vec::<String>::new());
    let text = run("verify {} --data {}", &[&out, &x]);
    let text = String::from_utf8_lossy(&text.stdout).into_owned();
    assert!(text.contains("verified") && text.contains("asked for: relative gap"), "{text}");
}

#[test]
fn what_was_changed_is_named() {
    let bench = Bench::new();
    let rows = points();
    let x = bench.rows("x.npy", &rows);
    let (out, copy) = (bench.path("out"), bench.path("copy"));
    run("solve --data {} --lambda 0.1 --gamma 0.2 --bound relaxation --out {}", &[&x, &out]);
    let whole: Value = read_json(&out.join("certificate.json")).unwrap();
    let fresh = || {
        let _ = fs::remove_dir_all(&copy);
        fs::create_dir(&copy).unwrap();
        for entry in fs::read_dir(&out).unwrap().map(Result::unwrap) {
            if entry.path().is_file() {
                fs::copy(entry.path(), copy.join(entry.file_name())).unwrap();
            }
        }
    };
    let verify = |data: &Path| failing(&run("verify {} --data {} --json --quiet", &[&copy, data]));
    let tampered = |change: &dyn Fn(&mut Value)| {
        fresh();
        let mut json = whole.clone();
        change(&mut json);
        widedict::io::write_json(&copy.join("certificate.json"), &json).unwrap();
        verify(&x)
    };
    assert_eq!(tampered(&|_| {}), Vec::<String>::new());
    // Every number and word at the top.
    for key in [
        "objective",
        "lower_bound",
        "relative_gap",
        "lambda",
        "gamma",
        "points",
        "dim",
        "atoms",
        "mean_l0",
        "explained_variance",
        "max_coherence",
    ] {
        let named = format!("certificate.json: {key}");
        for factor in [1.5, 1.0 + 1e-6] {
            let found = tampered(&|json| {
                json[key] = match json[key].as_u64() {
                    Some(count) => (count + 1).into(),
                    None => (json[key].as_f64().unwrap() * factor).into(),
                };
            });
            // A relative gap may be claimed too large, and is then another number.
            assert!(found.contains(&named) && found.len() == 1, "{key} × {factor}: {found:?}");
        }
    }
    for (key, value) in [("verdict", "feasible"), ("bound_kind", "exact")] {
        assert_eq!(tampered(&|json| json[key] = value.into()), [format!("certificate.json: {key}")]);
    }
    assert_eq!(tampered(&|json| json["kkt"]["codes"]["value"] = 7.0.into()), ["certificate.json: kkt"]);
    for key in ["tolerance", "stationarity", "upper_bound"] {
        let found = tampered(&|json| json["verify"][key] = 0.0.into());
        assert_eq!(found, [format!("certificate.json: verify.{key}")]);
    }
    // A bound one step above what is proved, at the top and in the record.
    let up = |value: &Value| value.as_f64().unwrap().next_up();
    let found = tampered(&|json| json["lower_bound"] = up(&json["lower_bound"]).into());
    assert_eq!(found, ["certificate.json: lower_bound"]);
    let found = tampered(&|json| {
        let claims = json["record"]["claims"].as_array_mut().unwrap();
        let claim = claims.iter_mut().find(|claim| claim["name"] == "lower_bound").unwrap();
        claim["value"] = up(&claim["value"]).into();
    });
    assert_eq!(found, ["lower_bound"]);
    // The files.
    fresh();
    let mut atoms = read_atoms(&copy.join("dictionary.npy")).unwrap();
    atoms.col_mut(0)[0] += 1e-3;
    write_atoms(&copy.join("dictionary.npy"), &atoms).unwrap();
    assert!(verify(&x).contains(&"dictionary".to_owned()));
    let mut other = rows.clone();
    other[3][1] += 1e-9;
    let other = bench.rows("other.npy", &other);
    fresh();
    assert!(verify(&other).contains(&"data".to_owned()));
    fs::remove_file(copy.join("witness_split_dual.npy")).unwrap();
    fails(&run("verify {} --data {}", &[&copy, &x]), 3, &["witness_split_dual.npy"]);
}

#[test]
fn a_certified_gap_is_success_whatever_ended_the_run() {
    let bench = Bench::new();
    // Identical rows with a center: the optimum is 0.
    for len in [3, 200] {
        let x = bench.rows("same.npy", &vec![vec![0.3, -1.7, 2.9, 0.1]; len]);
        for options in ["--gamma 0.1", "", "--gamma 0.1 --width 2", "--width 2"] {
            let line = format!("solve --data {{}} --lambda 0.2 {options} --center --json --quiet");
            let output = run(&line, &[&x]);
            let row = object(&output);
            assert_eq!(output.status.code(), Some(0), "{len} {options}: {row}");
            assert_eq!((number(&row, "objective"), number(&row, "relative_gap")), (0.0, 0.0), "{row}");
            assert_eq!(row["verdict"], "global");
        }
    }
    // Duplicated points and a learnt center, in as many atoms as there are directions.
    let some = points();
    let doubled: Vec<Vec<f64>> = some[..20].iter().flat_map(|row| vec![row.clone(); 10]).collect();
    let x = bench.rows("x.npy", &doubled);
    let output = run("solve --data {} --lambda 0.2 --width 24 --center --json --quiet", &[&x]);
    let row = object(&output);
    assert_eq!(row["verdict"], "global", "{row}");
    assert_eq!(output.status.code(), Some(0), "{row}");
    let output = run("wide --data {} --lambda 0.2 --center", &[&x]);
    assert_eq!(output.status.code(), Some(0), "{}", String::from_utf8_lossy(&output.stdout));
}

#[test]
fn a_run_that_was_stopped_refutes_nothing() {
    let bench = Bench::new();
    let x = bench.rows("x.npy", &points());
    for options in ["--gamma 0.01", "--gamma 0.01 --width 3", "--gamma 0.01 --center"] {
        let line =
            format!("solve --data {{}} --lambda 0.01 {options} --max-seconds 0 --bound fast --json --quiet");
        let output = run(&line, &[&x]);
        let row = object(&output);
        assert_eq!((output.status.code(), &row["stop"]), (Some(1), &"time-limit".into()), "{row}");
        assert!(row["verdict"] != "refuted", "{options}: {row}");
        assert!(number(&row, "relative_gap") <= 1.0, "{options}: {row}");
    }
}

#[test]
fn an_estimate_below_the_bound_is_not_printed() {
    let bench = Bench::new();
    let x = bench.rows("x.npy", &points());
    for gamma in ["0.05", "0.2", "0.8"] {
        let line = format!("solve --data {{}} --lambda 0.1 --gamma {gamma} --json --quiet");
        let row = object(&run(&line, &[&x]));
        if let Some(estimate) = row["estimated_lower_bound"].as_f64() {
            assert!(estimate > number(&row, "lower_bound"), "{row}");
        } else {
            assert!(row["estimated_relative_gap"].is_null(), "{row}");
        }
    }
}

/// Points of two clusters, with one outlier.
fn clusters() -> Vec<Vec<f64>> {
    [[1.0, 0.1], [0.9, 0.3], [1.1, 0.2], [0.1, 1.0], [0.2, 0.9], [0.6, 0.7]].map(Vec::from).into()
}

#[test]
fn a_width_has_a_local_verdict_and_a_bound_for_every_dictionary() {
    let bench = Bench::new();
    let x = bench.rows("x.npy", &clusters());
    let out = bench.path("out");
    let output = run(
        "solve --data {} --lambda 0.1 --width 2 --restarts 3 --participation auto --json --quiet --out {}",
        &[&x, &out],
    );
    assert_eq!(output.status.code(), Some(0), "{}", stderr(&output));
    let row = object(&output);
    for key in KEYS {
        assert!(row.get(key).is_some(), "{key}");
    }
    assert_eq!((row["width"].as_u64(), row["atoms"].as_u64()), (Some(2), Some(2)));
    assert_eq!(row["method"], "finite");
    assert_eq!(row["verdict"], "local", "{row}");
    for key in ["smallest_eigenvalue", "eigenvalue_lower", "radius", "degenerate", "nested_pairs", "reason"] {
        assert!(row["local"].get(key).is_some(), "{key}");
    }
    let bound = &row["participation"];
    let number = |key: &str| bound[key].as_f64().unwrap();
    let objective = row["objective"].as_f64().unwrap();
    assert!(number("lower_bound") >= row["lower_bound"].as_f64().unwrap());
    assert!(number("lower_bound") <= objective);
    assert!(number("p") <= number("min") && number("min") <= 1.0);
    assert!(number("gamma").powi(2) <= number("p") * (0.01 - number("lambda").powi(2)) * (1.0 + 1e-12));
    for file in ["dictionary.npy", "codes.npz", "center.npy", "certificate.json"] {
        assert!(out.join(file).is_file(), "{file}");
    }
    // The same bound for the same point, audited.
    let output = run(
        "certify --data {} --dictionary {} --codes {} --lambda 0.1 --participation 0.05 --json --quiet",
        &[&x, &out.join("dictionary.npy"), &out.join("codes.npz")],
    );
    let audit = object(&output);
    assert_eq!(audit["participation"]["p"].as_f64(), Some(0.05));
    assert!(audit["participation"]["lower_bound"].as_f64().unwrap() <= objective);
    // A number above 1 or 0 is no participation.
    for p in ["0", "1.5", "-1", "nan", "most"] {
        fails(
            &run(&format!("solve --data {{}} --lambda 0.1 --width 2 --participation {p}"), &[&x]),
            2,
            &["expected auto or a number"],
        );
    }
}

#[test]
fn a_width_that_holds_every_direction_returns_the_closed_form() {
    let bench = Bench::new();
    let x = bench.rows("x.npy", &clusters());
    let row = object(&run("solve --data {} --lambda 0.1 --width 6 --json --quiet", &[&x]));
    let wide = object(&run("wide --data {} --lambda 0.1 --json --quiet", &[&x]));
    assert_eq!(row["verdict"], "global");
    assert!((row["objective"].as_f64().unwrap() - wide["value"].as_f64().unwrap()).abs() < 1e-12);
    // Priced and centered widths have every key too.
    for options in ["--gamma 0.1", "--center", "--gamma 0.1 --center"] {
        let row = object(&run(
            &format!("solve --data {{}} --lambda 0.1 --width 2 {options} --json --quiet"),
            &[&x],
        ));
        let (low, value) = (row["lower_bound"].as_f64().unwrap(), row["objective"].as_f64().unwrap());
        assert!(low <= value && low > 0.0, "{options}: {low} {value}");
        assert!(row["local"].is_object());
    }
}

#[test]
fn options_of_a_width_need_one() {
    let bench = Bench::new();
    let x = bench.rows("x.npy", &clusters());
    for options in
        ["--restarts 3", "--participation auto", "--width 0", "--width 2 --method proximal", "--width -1"]
    {
        fails(&run(&format!("solve --data {{}} --lambda 0.1 {options}"), &[&x]), 2, &["error"]);
    }
    let priced = run("solve --data {} --lambda 0.1 --gamma 0.1 --width 2 --participation auto", &[&x]);
    fails(&priced, 2, &["--participation needs --gamma 0", "0.1"]);
}

#[test]
fn wide_tells_the_limit_and_its_boundary() {
    let bench = Bench::new();
    let x = bench.rows("x.npy", &clusters());
    let out = bench.path("wide");
    let output = run("wide --data {} --lambda 0.1 --json --quiet --out {}", &[&x, &out]);
    assert_eq!(output.status.code(), Some(0), "{}", stderr(&output));
    let answer = object(&output);
    let number = |key: &str| answer[key].as_f64().unwrap_or_else(|| panic!("{key}: {answer}"));
    assert_eq!(answer["active"].as_u64(), Some(6));
    assert_eq!(answer["distinct_directions"].as_u64(), Some(6));
    assert!(number("boundary_gamma_lower") <= number("boundary_gamma"));
    assert!(number("boundary_gamma") <= number("boundary_gamma_upper"));
    // λ√w·√(1/c − 1) with the largest cosine c.
    let expected = 0.1 * (1.0_f64 / 6.0).sqrt() * (1.0 / number("max_cosine") - 1.0).sqrt();
    assert!((number("boundary_gamma") - expected).abs() < 1e-12);
    assert!(answer["center"].is_null());
    assert!(out.join("dictionary.npy").is_file() && out.join("codes.npz").is_file());

    let centered = object(&run("wide --data {} --lambda 0.1 --center --json --quiet", &[&x]));
    assert_eq!(centered["center"].as_array().map(Vec::len), Some(2));
    assert!(centered["boundary_gamma"].is_null());
    assert!(centered["value"].as_f64().unwrap() <= number("value"));

    // Orthogonal points never share an atom; identical ones always do.
    let apart = bench.rows("apart.npy", &[vec![1.0, 0.0], vec![0.0, 1.0]]);
    assert!(
        object(&run("wide --data {} --lambda 0.1 --json --quiet", &[&apart]))["boundary_gamma"].is_null()
    );
    let twice = bench.rows("twice.npy", &[vec![1.0, 0.5], vec![1.0, 0.5]]);
    let answer = object(&run("wide --data {} --lambda 0.1 --json --quiet", &[&twice]));
    assert_eq!(
        (answer["boundary_gamma"].as_f64(), answer["distinct_directions"].as_u64()),
        (Some(0.0), Some(1))
    );
    for lambda in ["0", "-1", "nan"] {
        fails(&run(&format!("wide --data {{}} --lambda {lambda}"), &[&x]), 2, &["positive"]);
    }
}

#[test]
fn a_path_has_a_row_for_every_point_of_its_grid() {
    let bench = Bench::new();
    let x = bench.rows("x.npy", &clusters());
    let (out, plot) = (bench.path("path"), bench.path("path.svg"));
    let output = run(
        "path --data {} --lambda 0.1 --gammas 0.2,0.05,0 --json --quiet --out {} --plot {}",
        &[&x, &out, &plot],
    );
    assert_eq!(output.status.code(), Some(0), "{}", stderr(&output));
    let answer = object(&output);
    assert_eq!(answer["schema_version"].as_u64(), Some(1));
    let rows = answer["rows"].as_array().unwrap();
    let column =
        |rows: &[Value], key: &str| rows.iter().map(|r| r[key].as_f64().unwrap()).collect::<Vec<_>>();
    assert_eq!(column(rows, "gamma"), [0.2, 0.05, 0.0]);
    for row in rows {
        for key in KEYS {
            assert!(row.get(key).is_some(), "{key}");
        }
        assert!(row["lower_bound"].as_f64() <= row["objective"].as_f64());
    }
    for file in ["path.json", "path.csv", "row-000/dictionary.npy", "row-002/certificate.json"] {
        assert!(out.join(file).is_file(), "{file}");
    }
    assert_eq!(fs::read_to_string(out.join("path.csv")).unwrap().lines().count(), 4);
    assert!(fs::read_to_string(&plot).unwrap().starts_with("<svg"));

    let output = run("path --data {} --lambda 0.1 --ratios 1,0.3,0.5 --restarts 2 --json --quiet", &[&x]);
    let answer = object(&output);
    let rows = answer["rows"].as_array().unwrap();
    assert_eq!(column(rows, "width"), [6.0, 2.0, 3.0]);
    let values = column(rows, "objective");
    assert!(values[0] <= values[2] && values[2] <= values[1], "{values:?}");
    assert!((values[0] - answer["wide_limit"].as_f64().unwrap()).abs() < 1e-12);

    for options in ["", "--gammas 1 --ratios 1", "--gammas 1,x", "--gammas -1", "--ratios 0", "--gammas nan"]
    {
        fails(&run(&format!("path --data {{}} --lambda 0.1 {options}"), &[&x]), 2, &["error"]);
    }
    // Without an L1 penalty a price is needed.
    fails(&run("path --data {} --lambda 0 --gammas 1,0", &[&x]), 2, &["lambda"]);
}

#[cfg(feature = "conic")]
#[test]
fn the_conic_method_agrees_with_the_proximal_one() {
    let bench = Bench::new();
    let data = bench.rows("x.npy", &[vec![1.0, 0.1], vec![0.9, 0.3], vec![0.1, 1.0], vec![0.6, 0.7]]);
    let answer = |method: &str| {
        let line = format!(
            "solve --data {{}} --lambda 0.1 --gamma 0.1 --method {method} --tolerance 1e-4 --bound exact --json --quiet"
        );
        let output = run(&line, &[&data]);
        assert_eq!(output.status.code(), Some(0), "{}", stderr(&output));
        object(&output)
    };
    let (conic, proximal) = (answer("conic"), answer("proximal"));
    assert_eq!(conic["method"], "conic");
    let number = |row: &Value, key: &str| row[key].as_f64().expect("a number");
    let gaps: f64 =
        [&conic, &proximal].iter().map(|row| number(row, "relative_gap") * number(row, "objective")).sum();
    assert!((number(&conic, "objective") - number(&proximal, "objective")).abs() <= gaps + 1e-15);
    assert!(number(&conic, "relative_gap") <= 1e-4);
}

/// Writes the tokens so many times as shards of 512 rows.
fn token_shards(bench: &Bench, times: usize) -> PathBuf {
    let data = Path::new(env!("CARGO_MANIFEST_DIR")).join("data");
    let folder = bench.path(&format!("tokens{times}"));
    fs::create_dir(&folder).expect("made");
    (0..times).for_each(|shard| {
        fs::copy(data.join("tokens_512.npy"), folder.join(format!("x{shard}.npy"))).expect("copied");
    });
    folder
}

#[test]
fn a_sample_leaves_the_encoder_to_all_rows() {
    let bench = Bench::new();
    let sae = Path::new(env!("CARGO_MANIFEST_DIR")).join("data/sae_tokens_128");
    let (data, out) = (token_shards(&bench, 2), bench.path("out"));
    let line = "diagnose --data {} --sae {} --lambda 0.75 --quiet --json";
    let sampled = run(&format!("{line} --sample 30 --seed 5 --out {{}}"), &[&data, &sae, &out]);
    assert_eq!(sampled.status.code(), Some(0), "{}", stderr(&sampled));
    let (found, whole) = (object(&sampled), object(&run(line, &[&data, &sae])));
    let (all, given) = (&found["codes"]["all"], &whole["codes"]["given"]);
    for key in ["objective", "fit", "penalty", "mean_l0", "explained_variance"] {
        let (found, expected) = (number(all, key), number(given, key));
        assert!((found - expected).abs() <= 1e-12 * expected, "{key}: {found} for {expected}");
    }
    assert_eq!((&all["rows_read"], &all["stopped"]), (&Value::from(1024), &Value::Null));
    assert_eq!(all["atoms"].as_array().expect("atoms").len(), 128);
    // The rest is that of the sample, whose rows are those of the seed.
    let rows = Rows::all(1024).sample(30, 5);
    let named: Vec<u64> = found["point_rows"]
        .as_array()
        .expect("rows")
        .iter()
        .map(|row| row["point"].as_u64().unwrap())
        .collect();
    assert_eq!(named, (0..30).map(|i| rows.row(i) as u64).collect::<Vec<_>>());
    let sample = &found["sample"];
    assert_eq!((&sample["rows"], &sample["of"], &sample["seed"]), (&30.into(), &1024.into(), &5.into()));
    let mean = number(&sample["exact_objective"], "mean");
    let exact = number(&found["codes"]["exact"], "objective");
    assert!((mean - exact).abs() <= 1e-12 * exact, "{mean} for {exact}");
    for key in ["exact_objective", "exact_l0", "excess", "amortisation_gap", "given_gap"] {
        let [low, high] = [0, 1].map(|end| sample[key]["interval"][end].as_f64().expect("an end"));
        assert!(low < high && low <= number(&sample[key], "mean"), "{key}");
    }
    assert!(fs::read_to_string(out.join("uses.csv")).expect("a table").starts_with("atom,uses,mean,most"));
    // Without a sample nothing is there that was not there before.
    assert!(whole.get("sample").is_none() && whole["codes"].get("all").is_none());
    // In words.
    let text = run("diagnose --data {} --sae {} --lambda 0.75 --sample 30 --quiet", &[&data, &sae]);
    let text = String::from_utf8_lossy(&text.stdout).into_owned();
    for words in
        ["all, given", "1024 points in 1024 of 1024 rows", "sample: 30 of 1024 points, seed 0; estimates"]
    {
        assert!(text.contains(words), "{text}");
    }
}

/// What was streamed until the time was over is there, with the rows that it covers.
#[test]
fn a_time_limit_leaves_the_rows_that_were_read() {
    let bench = Bench::new();
    let sae = Path::new(env!("CARGO_MANIFEST_DIR")).join("data/sae_tokens_128");
    let line = "diagnose --data {} --sae {} --lambda 0.75 --quiet --json --sample 20 --max-seconds 0";
    let output = run(line, &[&token_shards(&bench, 3), &sae]);
    assert_eq!(output.status.code(), Some(1), "{}", stderr(&output));
    let found = object(&output);
    // Codes that are not exact yet estimate nothing.
    assert!(found["sample"]["rows"] == 20 && found["sample"].get("exact_objective").is_none());
    let all = found["codes"]["all"].clone();
    assert_eq!((&all["rows_read"], &all["rows"], &all["points"]), (&1024.into(), &1536.into(), &1024.into()));
    assert_eq!(all["stopped"], "time-limit");
    assert!(number(&all, "objective") > 0.0);
}

/// A pass that a limit ended goes on, and says what one without a limit says.
#[test]
fn a_pass_over_all_rows_is_resumed() {
    let bench = Bench::new();
    let sae = Path::new(env!("CARGO_MANIFEST_DIR")).join("data/sae_tokens_128");
    let (data, out) = (token_shards(&bench, 3), bench.path("out"));
    let line = "diagnose --data {} --sae {} --sample 20 --json --quiet --lambda";
    let whole = object(&run(&format!("{line} 0.75"), &[&data, &sae]));
    let on = |options: &str| run(&format!("{line} {options} --out {{}}"), &[&data, &sae, &out]);
    let place = out.join("pass.safetensors");
    assert_eq!(on("0.75 --max-seconds 0").status.code(), Some(1));
    assert!(place.is_file());
    // Not with another price, and what is there stays.
    fails(&on("0.5 --resume"), 3, &["pass.safetensors", "another pass", "lambda"]);
    let resumed = on("0.75 --resume");
    assert_eq!(resumed.status.code(), Some(0), "{}", stderr(&resumed));
    assert_eq!(object(&resumed)["codes"]["all"], whole["codes"]["all"]);
    assert!(!place.is_file(), "nothing is left to go on from");
    // Nothing to go on from: from the beginning, which is said.
    let noted =
        run("diagnose --data {} --sae {} --sample 20 --lambda 0.75 --out {} --resume", &[&data, &sae, &out]);
    assert_eq!(noted.status.code(), Some(0));
    assert!(stderr(&noted).contains("the pass begins with the first row"), "{}", stderr(&noted));
    fails(&run(&format!("{line} 0.75 --resume"), &[&data, &sae]), 2, &["--out"]);
    fs::write(&place, b"torn").expect("written");
    fails(&on("0.75 --resume"), 3, &["pass.safetensors"]);
}

#[test]
fn a_sample_needs_an_encoder_and_files() {
    let bench = Bench::new();
    let sae = Path::new(env!("CARGO_MANIFEST_DIR")).join("data/sae_tokens_128");
    let data = bench.rows("x.npy", &points());
    for options in ["--points 5", "--per-batch", "--codes z.npz"] {
        let line = format!("diagnose --data {{}} --sae {{}} --lambda 1 --sample 3 {options}");
        fails(&run(&line, &[&data, &sae]), 2, &["--sample", options.split(' ').next().unwrap()]);
    }
    fails(&run("diagnose --data {} --sae {} --lambda 1 --seed 3", &[&data, &sae]), 2, &["--sample"]);
    fails(
        &run("diagnose --data {} --dictionary {} --lambda 1 --sample 3", &[&data, &data]),
        2,
        &["--sample", "--dictionary"],
    );
}

/// What is printed by a run that answers.
fn said(line: &str, paths: &[&Path]) -> String {
    let output = run(line, paths);
    assert!(matches!(output.status.code(), Some(0 | 1)), "{line}: {output:?}");
    String::from_utf8(output.stdout).unwrap()
}

/// Shells and `man` are told of every command and of options that are there.
#[test]
fn completions_and_manual_pages_know_the_commands() {
    let commands = ["solve", "encode", "certify", "wide", "verify", "path", "diagnose"];
    for shell in ["bash", "zsh", "fish"] {
        let script = said(&format!("completions {shell}"), &[]);
        assert!(commands.iter().all(|command| script.contains(command)), "{shell}");
        assert!(script.contains("checkpoint-seconds"), "{shell}");
    }
    let page = said("man", &[]);
    assert!(page.contains(".TH widedict") && commands.iter().all(|command| page.contains(command)), "{page}");
    let page = said("man solve", &[]);
    assert!(page.contains(".TH widedict-solve") && page.contains("lambda"), "{page}");
    fails(&run("man nothing", &[]), 2, &["nothing", "--help"]);
}

#[test]
fn the_version_names_the_features() {
    let text = said("--version", &[]);
    assert!(text.contains(env!("CARGO_PKG_VERSION")) && text.contains("cli"), "{text}");
    let (has, without) = text.split_once("; without ").unwrap_or((&text, ""));
    for (name, there) in [("conic", cfg!(feature = "conic")), ("sdp", cfg!(feature = "sdp"))] {
        assert_eq!((has.contains(name), without.contains(name)), (there, !there), "{text}");
    }
}

/// Answers that are no dictionary say so, and what to do.
#[test]
fn an_answer_that_is_no_dictionary_says_so() {
    let bench = Bench::new();
    let x = bench.rows("x.npy", &[vec![1.0, 0.1], vec![0.9, 0.3], vec![0.1, 1.0]]);
    let text = |line: &str| said(line, &[&x]);
    let wide = text("solve --data {} --lambda 0.1");
    assert!(wide.contains("wide limit") && wide.contains("(3 here)") && wide.contains("--width M"), "{wide}");
    for line in ["solve --data {} --lambda 0.1 --width 2", "solve --data {} --lambda 0.1 --gamma 0.1"] {
        let text = text(line);
        assert!(!text.contains("this is the wide limit") && !text.contains("nothing is active"), "{text}");
    }
    for line in ["solve --data {} --lambda 2", "solve --data {} --lambda 2 --gamma 0.1"] {
        let text = text(line);
        assert!(text.contains("nothing is active") && text.contains("length 1.0050"), "{text}");
    }
    let zeros = bench.rows("zeros.npy", &[vec![0.0, 0.0], vec![0.0, 0.0]]);
    let text = said("solve --data {} --lambda 2 --gamma 0.1", &[&zeros]);
    assert!(text.contains("every datapoint is 0") && !text.contains("Smaller ones"), "{text}");
}

/// Neither bound nor local test asked for: nothing but the solver runs, and of a point that is
/// given not even that.
#[test]
fn without_bound_and_test_nothing_is_searched() {
    use std::sync::Mutex;
    use std::time::Duration;
    use widedict::answer::Follow;
    use widedict::answer::conclusion::{Conclusion, Solver, certify, finite};
    use widedict::certificate::Options;
    use widedict::gauge::Penalty;
    use widedict::{Bounding, Observer, Problem, Progress, Run};

    #[derive(Default)]
    struct Phases(Mutex<Vec<&'static str>>);
    impl Observer for Phases {
        fn progress(&self, progress: &Progress) {
            self.0.lock().unwrap().push(progress.phase);
        }
    }
    impl Follow for Phases {
        fn elapsed(&self) -> Duration {
            Duration::ZERO
        }
        fn phase(&self, _: &'static str) {}
        fn note(&self, _: &str) {}
    }

    let x = Matrix::from_columns(3, &[[1.0, 0.1, 0.2], [0.9, 0.3, 0.1], [0.1, 1.0, 0.4], [0.2, 0.3, 1.0]]);
    for (gamma, width, own) in [(0.1, None, "column generation"), (0.0, Some(2), "descent")] {
        let problem = Problem::builder(x.clone()).lambda(0.1).gamma(gamma).build().unwrap();
        let solver = match width {
            Some(width) => Solver::Finite(finite(width, None, 5e-3, 0)),
            None => Solver::auto(&Penalty::new(0.1, gamma).unwrap()),
        };
        let phases = Phases::default();
        let bare = Conclusion::new(solver, Bounding::None, 5e-3, None);
        let solved = bare.solve(&problem, 0, &Run::observed(&phases)).unwrap();
        let solution = bare.conclude(&problem, solved, &phases).unwrap();
        let told = phases.0.into_inner().unwrap();
        assert!(!told.is_empty() && told.iter().all(|phase| *phase == own), "{told:?}");

        let phases = Phases::default();
        let options = Options { local: None, ..Options::default() };
        let point = solution.certified.solution().clone();
        let bounded = certify(Bounding::None, &problem, point.clone(), &options, &phases).unwrap();
        assert_eq!(bounded.witness, widedict::certificate::Witness::none());
        assert_eq!(phases.0.into_inner().unwrap(), Vec::<&str>::new());

        // The same with bounds: other phases are heard of, so the count above means something.
        let phases = Phases::default();
        let full = Conclusion::new(solver, Bounding::Relaxation, 1e-9, None);
        let solved = full.solve(&problem, 0, &Run::observed(&phases)).unwrap();
        full.conclude(&problem, solved, &phases).unwrap();
        let told = phases.0.into_inner().unwrap();
        assert!(told.iter().any(|phase| *phase != own), "{told:?}");
    }
}
