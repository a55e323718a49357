//! Saved solutions: what is written reads back bit for bit and proves its claims again,
//! and folders that do not fit together are errors that name the file.

use std::fs;
use std::path::Path;

use serde_json::Value;
use tempfile::TempDir;
use widedict::certificate::Options;
use widedict::io::{
    Saving, load_solution, read_json, remove_solution, save_checkpoint, save_factorization, save_solution,
    write_json, write_vector,
};
use widedict::trusted::local;
use widedict::{Bounding, ColumnGeneration, Finite, Matrix, Problem, Solution, wide};

/// Every file of a solution.
const FILES: [&str; 8] = [
    "dictionary.npy",
    "codes.npz",
    "center.npy",
    "certificate.json",
    "witness_dual.npy",
    "witness_nuclear.npy",
    "witness_split_dual.npy",
    "witness_split_slack.npy",
];

fn folder() -> TempDir {
    tempfile::tempdir().expect("a temporary folder")
}

fn data() -> Matrix {
    #[expect(clippy::cast_precision_loss, reason = "small counts")]
    Matrix::from_fn(3, 9, |j, i| if i % 3 == j { 1.0 } else { 0.2 } + (0.3 * (i + j) as f64).sin().abs())
}

fn problem(gamma: f64, centered: bool) -> Problem {
    Problem::builder(data()).lambda(0.1).gamma(gamma).centered(centered).build().unwrap()
}

/// A solution with every part of a witness that the choice gives.
fn solved(problem: &Problem, bounding: Bounding) -> (Solution, Options) {
    let options = bounding.options(problem, Options { gap_tolerance: 1e-9, ..Options::default() });
    let solution = ColumnGeneration::default().solve(problem).unwrap();
    let (stop, iterations) = (solution.stop, solution.iterations);
    let bounded = bounding.bound(problem, solution, &options, &()).unwrap();
    let solution = Solution { certified: bounded.certified, witness: bounded.witness, stop, iterations };
    (solution, options)
}

#[test]
fn what_is_saved_reads_back_and_verifies() {
    for (gamma, centered) in [(0.1, false), (0.1, true), (0.0, false), (0.0, true)] {
        for bounding in [Bounding::Fast, Bounding::Relaxation, Bounding::Exact] {
            let problem = problem(gamma, centered);
            let (solution, options) = solved(&problem, bounding);
            let folder = folder();
            save_solution(folder.path(), &problem, &solution, &options).unwrap();
            let loaded = load_solution(folder.path()).unwrap();
            assert_eq!(&loaded.factorization, solution.certified.solution());
            assert_eq!(loaded.witness.dual, solution.witness.dual);
            assert_eq!(loaded.witness.split, solution.witness.split);
            assert_eq!(loaded.fixed_center, None);
            let record = loaded.record.expect("a record");
            let again = record.verify(&problem, loaded.factorization, &loaded.witness, &()).unwrap();
            let (old, new) = (solution.certified.certificate(), again.certificate());
            assert_eq!(new.lower_bound(), old.lower_bound(), "{gamma} {centered} {bounding}");
            assert_eq!(new.verdict(), old.verdict());
        }
    }
}

#[test]
fn a_width_and_an_empty_dictionary_are_saved_too() {
    let problem = problem(0.0, false);
    let local = Some(local::Limits::default());
    let solution = Finite { local, ..Finite::new(2) }.solve(&problem).unwrap();
    let options = Options { local, ..Options::default() };
    let folder = folder();
    save_solution(folder.path(), &problem, &solution, &options).unwrap();
    assert_eq!(&load_solution(folder.path()).unwrap().factorization, solution.certified.solution());

    // A price above every datapoint leaves no atom.
    let dear = Problem::builder(data()).lambda(100.0).build().unwrap();
    let solution = wide::closed_form(&dear).unwrap();
    assert_eq!(solution.certified.solution().width(), 0);
    save_solution(folder.path(), &dear, &solution, &Options::default()).unwrap();
    let loaded = load_solution(folder.path()).unwrap();
    assert_eq!(&loaded.factorization, solution.certified.solution());
}

#[test]
fn a_row_of_the_callers_comes_first_and_a_fixed_center_comes_back() {
    let problem = problem(0.1, false);
    let (solution, options) = solved(&problem, Bounding::Fast);
    let center = [0.5, -1.0, 2.0];
    let saving = Saving {
        problem: &problem,
        certified: &solution.certified,
        witness: &solution.witness,
        options: &options,
        data_name: "x.npy",
        weights_name: Some("w.npy"),
        fixed_center: Some(&center),
        rows: None,
    };
    let row: std::collections::BTreeMap<_, _> = [("objective", 1.5), ("seconds", 0.25)].into();
    let folder = folder();
    saving.write(folder.path(), &row).unwrap();
    let loaded = load_solution(folder.path()).unwrap();
    assert_eq!(loaded.fixed_center.as_deref(), Some(&center[..]));
    assert_eq!(loaded.factorization.center(), None);
    let json = &loaded.certificate;
    assert_eq!((json["objective"].as_f64(), json["seconds"].as_f64()), (Some(1.5), Some(0.25)));
    assert_eq!((&json["verify"]["data"], &json["verify"]["weights"]), (&"x.npy".into(), &"w.npy".into()));
}

#[test]
fn a_second_save_leaves_no_witness_of_the_first() {
    let problem = problem(0.1, false);
    let folder = folder();
    let files = |folder: &Path| FILES.iter().filter(|name| folder.join(name).exists()).count();
    let (solution, options) = solved(&problem, Bounding::Relaxation);
    save_solution(folder.path(), &problem, &solution, &options).unwrap();
    assert_eq!(files(folder.path()), 8);
    let (solution, options) = solved(&problem, Bounding::Fast);
    save_solution(folder.path(), &problem, &solution, &options).unwrap();
    assert_eq!(files(folder.path()), 5);
}

#[test]
fn folders_that_do_not_fit_together_are_errors() {
    let problem = problem(0.1, true);
    let (solution, options) = solved(&problem, Bounding::Relaxation);
    let save = || {
        let folder = folder();
        save_solution(folder.path(), &problem, &solution, &options).unwrap();
        folder
    };
    for name in FILES {
        let folder = save();
        if fs::remove_file(folder.path().join(name)).is_ok() {
            let error = load_solution(folder.path()).unwrap_err();
            assert_eq!(error.path, folder.path().join(name), "{error}");
        }
    }
    // A center of another dimension, a dictionary of another width, no description.
    let folder = save();
    write_vector(&folder.path().join("center.npy"), &[1.0, 2.0]).unwrap();
    assert!(load_solution(folder.path()).unwrap_err().to_string().contains("center.npy"));
    let folder = save();
    let one = Finite::new(1).solve(&problem).unwrap();
    let codes = fs::read(folder.path().join("codes.npz")).unwrap();
    let certificate = fs::read(folder.path().join("certificate.json")).unwrap();
    save_factorization(folder.path(), one.certified.solution(), None, None).unwrap();
    assert!(!folder.path().join("certificate.json").exists(), "it was another solution's");
    fs::write(folder.path().join("codes.npz"), codes).unwrap();
    fs::write(folder.path().join("certificate.json"), certificate).unwrap();
    assert!(load_solution(folder.path()).unwrap_err().to_string().contains("codes.npz"));
    for json in ["{}", "[]", "{\"points\": -1}", "{\"record\": 5}", "3", "{"] {
        fs::write(folder.path().join("certificate.json"), json).unwrap();
        let error = load_solution(folder.path()).unwrap_err();
        assert!(error.to_string().contains("certificate.json"), "{json}: {error}");
    }
}

#[test]
fn file_names_in_the_certificate_are_not_followed() {
    let problem = problem(0.1, false);
    let (solution, options) = solved(&problem, Bounding::Relaxation);
    let folder = folder();
    save_solution(folder.path(), &problem, &solution, &options).unwrap();
    let path = folder.path().join("certificate.json");
    let mut json: Value = read_json(&path).unwrap();
    json["witness"]["split_dual"] = "/etc/passwd".into();
    write_json(&path, &json).unwrap();
    let loaded = load_solution(folder.path()).unwrap();
    assert_eq!(loaded.witness.split, solution.witness.split);
}

#[test]
fn a_checkpoint_is_a_start_and_claims_nothing() {
    for centered in [false, true] {
        let problem = problem(0.1, centered);
        let (solution, _) = solved(&problem, Bounding::Relaxation);
        let folder = folder();
        save_checkpoint(folder.path(), &problem, solution.certified.solution(), None).unwrap();
        let loaded = load_solution(folder.path()).unwrap();
        assert_eq!(&loaded.factorization, solution.certified.solution());
        assert!(loaded.record.is_none() && loaded.witness.split.is_none());
    }
}

#[test]
fn what_is_not_of_the_solution_stays() {
    let problem = problem(0.1, false);
    let (solution, options) = solved(&problem, Bounding::Relaxation);
    let folder = folder();
    let inside = folder.path().join("run");
    fs::create_dir(&inside).unwrap();
    fs::write(inside.join("notes.txt"), "mine").unwrap();
    save_solution(&inside, &problem, &solution, &options).unwrap();
    let listed = || {
        let mut names: Vec<String> =
            fs::read_dir(&inside).unwrap().map(|e| e.unwrap().file_name().into_string().unwrap()).collect();
        names.sort();
        names
    };
    assert_eq!(listed().len(), 9, "{:?}", listed());
    remove_solution(&inside).unwrap();
    assert_eq!(listed(), ["notes.txt"]);
    fs::remove_file(inside.join("notes.txt")).unwrap();
    remove_solution(&inside).unwrap();
    assert!(!inside.exists());
}

#[test]
fn a_failed_save_leaves_the_old_solution() {
    let problem = problem(0.1, false);
    let (solution, options) = solved(&problem, Bounding::Relaxation);
    let folder = folder();
    save_solution(folder.path(), &problem, &solution, &options).unwrap();
    let before = fs::read(folder.path().join("certificate.json")).unwrap();
    // A folder that is not there cannot be written to.
    assert!(save_solution(&folder.path().join("none"), &problem, &solution, &options).is_err());
    // A row that has no JSON form fails after the arrays were written.
    let saving = Saving {
        problem: &problem,
        certified: &solution.certified,
        witness: &solution.witness,
        options: &options,
        data_name: "",
        weights_name: None,
        fixed_center: None,
        rows: None,
    };
    let error = saving.write(folder.path(), &5).unwrap_err();
    assert_eq!(error.path, folder.path().join("certificate.json"), "{error}");
    assert_eq!(fs::read(folder.path().join("certificate.json")).unwrap(), before);
    let names = fs::read_dir(folder.path()).unwrap().map(|e| e.unwrap().file_name());
    assert!(names.into_iter().all(|name| FILES.iter().any(|known| *known == name)));
}
