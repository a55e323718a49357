//! What codes given are measured by: the λ of their sparsity, and the best values on
//! their supports.

use std::ops::ControlFlow;
use std::sync::atomic::{AtomicUsize, Ordering};

use widedict::coder::{Coder, CoderError};
use widedict::diagnose::{MatchL0Error, MatchedL0, Thresholds, Trained, diagnose, match_l0, refit};
use widedict::linalg::{axpy, dot, norm_sq};
use widedict::{Codes, Dictionary, Interrupt, Matrix, Observer, Problem, Stop, datasets};

/// Every 6th digit, and a dictionary of every 37th.
fn digits() -> (Matrix, Dictionary) {
    let all = datasets::digits();
    let pick =
        |step: usize, from: usize| all.select_columns(&(from..all.ncols()).step_by(step).collect::<Vec<_>>());
    (pick(6, 0), Dictionary::normalize(pick(37, 5)).expect("no digit is blank").0)
}

fn unit(columns: &[[f64; 2]]) -> Dictionary {
    Dictionary::normalize(Matrix::from_columns(2, columns)).expect("atoms").0
}

/// The `k` atoms of largest product with each datapoint, the product a share of their code.
fn top(x: &Matrix, dictionary: &Dictionary, k: usize, share: f64) -> Codes {
    let mut triplets = Vec::new();
    for (i, x) in x.columns().enumerate() {
        let mut all: Vec<(f64, usize)> =
            dictionary.atoms().map(|d| dot(d, x)).enumerate().map(|(k, p)| (p, k)).collect();
        all.sort_by(|l, r| r.0.total_cmp(&l.0));
        triplets.extend(all[..k].iter().filter(|(p, _)| *p > 0.0).map(|&(p, k)| (k, i, share * p)));
    }
    Codes::from_triplets(dictionary.len(), x.ncols(), triplets).expect("codes")
}

fn matched(x: &Matrix, dictionary: &Dictionary, codes: &Codes) -> Result<MatchedL0, MatchL0Error> {
    let trained = Trained { codes: Some(codes), ..Trained::of(dictionary) };
    match_l0(x, &trained, Thresholds::default().gap_tolerance, &())
}

/// Cancels from the k-th poll on.
struct From {
    polls: AtomicUsize,
    k: usize,
}

impl Observer for From {
    fn poll(&self) -> ControlFlow<Interrupt> {
        if self.polls.fetch_add(1, Ordering::Relaxed) >= self.k {
            ControlFlow::Break(Interrupt::Cancelled)
        } else {
            ControlFlow::Continue(())
        }
    }
}

#[test]
fn the_lambda_of_a_sparsity_has_it() {
    let (x, dictionary) = digits();
    for k in [1, 3, 6] {
        let codes = top(&x, &dictionary, k, 1.0);
        let found = matched(&x, &dictionary, &codes).expect("in reach");
        assert_eq!(found.stop, Stop::ToleranceMet);
        assert_eq!(found.target_l0, codes.mean_l0());
        assert!((found.l0 / found.target_l0 - 1.0).abs() <= 0.01, "{found:?}");
        assert!(found.bracket.0 < found.bracket.1 && found.steps <= 12, "{found:?}");
        // A diagnosis there, and at both ends, finds what the search did.
        let l0 = |lambda: f64| {
            let problem = Problem::builder(x.clone()).lambda(lambda).build().expect("valid");
            let trained = Trained { codes: Some(&codes), ..Trained::of(&dictionary) };
            let exact = diagnose(&problem, &trained, &Thresholds::default(), &()).expect("one").codes.exact;
            exact.mean_l0
        };
        assert_eq!(l0(found.lambda), found.l0);
        assert!(l0(found.bracket.1) <= found.target_l0);
        assert!(found.bracket.0 <= 0.0 || l0(found.bracket.0) > found.target_l0);
    }
}

#[test]
fn a_sparsity_that_exact_codes_jump_over_is_bracketed() {
    // Two atoms at once: none from lambda 2 on, both below.
    let dictionary = unit(&[[1.0, 0.0], [0.0, 1.0]]);
    let x = Matrix::from_columns(2, &[[2.0, 2.0]]);
    let codes = Codes::from_triplets(2, 1, [(0, 0, 1.5)]).expect("codes");
    let found = matched(&x, &dictionary, &codes).expect("a jump");
    assert_eq!(found.stop, Stop::Stalled);
    assert!((found.bracket.0 - 2.0).abs() < 1e-5 && (found.bracket.1 - 2.0).abs() < 1e-5, "{found:?}");
    assert!(found.l0 == 0.0 || found.l0 == 2.0);
}

#[test]
fn sparsities_out_of_reach_are_said() {
    let dictionary = unit(&[[1.0, 0.0], [1.0, 1.0], [0.0, 1.0]]);
    let x = Matrix::from_columns(2, &[[3.0, 0.0], [2.0, 0.0]]);
    // No atom at all: the least lambda at which exact codes are 0.
    let found = matched(&x, &dictionary, &Codes::zeros(3, 2)).expect("the end of the range");
    assert_eq!((found.l0, found.target_l0, found.steps), (0.0, 0.0, 0));
    assert!((found.lambda - 3.0).abs() < 1e-12);
    // More atoms than least squares has use for.
    let codes = Codes::from_triplets(3, 2, [(0, 0, 1.0), (1, 0, 1.0), (2, 0, 1.0), (0, 1, 1.0), (1, 1, 1.0)]);
    match matched(&x, &dictionary, &codes.expect("codes")) {
        Err(MatchL0Error::OutOfReach { target, lambda, l0 }) => {
            assert!(target == 2.5 && l0 == 1.0 && lambda < 1e-4);
        }
        other => panic!("{other:?}"),
    }
    let away = Matrix::from_columns(2, &[[-1.0, -1.0]]);
    let codes = Codes::from_triplets(3, 1, [(0, 0, 1.0)]).expect("codes");
    assert_eq!(matched(&away, &dictionary, &codes), Err(MatchL0Error::Uncorrelated));
    assert_eq!(match_l0(&away, &Trained::of(&dictionary), 1e-9, &()), Err(MatchL0Error::NoCodes));
    // Parts that do not fit together.
    assert!(matches!(matched(&x, &dictionary, &codes), Err(MatchL0Error::Coder(_))));
    let trained = Trained { center: Some(&[0.0]), codes: Some(&codes), ..Trained::of(&dictionary) };
    assert!(matches!(match_l0(&away, &trained, 1e-9, &()), Err(MatchL0Error::Atoms(_))));
}

#[test]
fn a_search_that_is_stopped_has_the_best_so_far() {
    let (x, dictionary) = digits();
    let codes = top(&x, &dictionary, 4, 1.0);
    let trained = Trained { codes: Some(&codes), ..Trained::of(&dictionary) };
    let whole = matched(&x, &dictionary, &codes).expect("in reach");
    let (mut none, mut some, mut k) = (0, 0, 0);
    loop {
        let observer = From { polls: AtomicUsize::new(0), k };
        match match_l0(&x, &trained, 1e-9, &observer) {
            Err(MatchL0Error::Stopped(Stop::Cancelled)) => none += 1,
            Ok(found) if found.stop == Stop::Cancelled => {
                some += 1;
                assert!(found.steps > 0 && found.steps < whole.steps && found.lambda > 0.0);
                assert!((found.l0 - found.target_l0).abs() >= (whole.l0 - whole.target_l0).abs());
            }
            found => {
                assert_eq!(found, Ok(whole));
                break;
            }
        }
        k += 1 + k / 8;
    }
    assert!(none > 2 && some > 2, "{none} {some}");
}

/// The least `½‖x − Dz‖² + λ1ᵀz` with z ≥ 0 on a support, by all its subsets: the normal
/// equations of each, by elimination.
fn brute(x: &[f64], dictionary: &Dictionary, support: &[usize], lambda: f64) -> f64 {
    let mut best = 0.5 * norm_sq(x);
    for subset in 1_usize..1 << support.len() {
        let some: Vec<usize> =
            support.iter().enumerate().filter(|(j, _)| subset >> j & 1 == 1).map(|(_, k)| *k).collect();
        let atoms: Vec<&[f64]> = some.iter().map(|&k| dictionary.atom(k)).collect();
        let s = atoms.len();
        let mut rows: Vec<Vec<f64>> = atoms
            .iter()
            .map(|a| atoms.iter().map(|b| dot(a, b)).chain([dot(a, x) - lambda]).collect())
            .collect();
        for j in 0..s {
            for i in (0..s).filter(|&i| i != j) {
                let factor = rows[i][j] / rows[j][j];
                let pivot = rows[j].clone();
                rows[i].iter_mut().zip(&pivot).for_each(|(v, p)| *v -= factor * p);
            }
        }
        let z: Vec<f64> = (0..s).map(|j| rows[j][s] / rows[j][j]).collect();
        if z.iter().all(|z| *z >= 0.0) {
            let mut residual = x.to_vec();
            atoms.iter().zip(&z).for_each(|(atom, z)| axpy(-z, atom, &mut residual));
            let value = 0.5 * norm_sq(&residual) + lambda * z.iter().sum::<f64>();
            best = if value < best { value } else { best };
        }
    }
    best
}

#[test]
fn refitted_codes_are_the_best_of_their_supports() {
    // Numbers from a linear congruence, in (-1, 1).
    let mut state = 5_u64;
    let mut number = || {
        state = state.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1_442_695_040_888_963_407);
        f64::from(u32::try_from(state >> 33).expect("31 bits")) / f64::from(1_u32 << 30) - 1.0
    };
    let (n, m, count) = (5, 9, 70);
    let (dictionary, _) = Dictionary::normalize(Matrix::from_fn(n, m, |_, _| number())).expect("atoms");
    let x = Matrix::from_fn(n, count, |_, _| 3.0 * number());
    let mut triplets = Vec::new();
    for i in 0..count {
        // From none to four atoms, those of positive products first among them.
        triplets.extend((0..i % 5).map(|j| ((2 * i + 2 * j) % m, i, 1.0 + number())));
    }
    let codes = Codes::from_triplets(m, count, triplets).expect("distinct atoms");
    for lambda in [0.0, 0.3, 5.0] {
        let found = Coder::default().refit(&x, &dictionary, lambda, &codes, &()).expect("fits");
        assert_eq!(found.stop, Stop::ToleranceMet);
        for i in 0..count {
            let support: Vec<usize> = codes.column(i).iter().map(|(k, _)| k).collect();
            let expected = brute(x.col(i), &dictionary, &support, lambda);
            assert!((found.objectives[i] - expected).abs() <= 1e-9 * (1.0 + expected), "{i} at {lambda}");
            // The objective is that of the codes, and no atom is new.
            let mut residual = x.col(i).to_vec();
            let code = found.codes.column(i);
            code.iter().for_each(|(k, z)| axpy(-z, dictionary.atom(k), &mut residual));
            let value = 0.5 * norm_sq(&residual) + lambda * code.iter().map(|(_, z)| z).sum::<f64>();
            assert!((found.objectives[i] - value).abs() <= 1e-12 * (1.0 + value));
            assert!(code.iter().all(|(k, z)| *z > 0.0 && support.contains(&k)));
        }
        // Once refitted, nothing is left to refit; a stop leaves codes as they are.
        let again = Coder::default().refit(&x, &dictionary, lambda, &found.codes, &()).expect("fits");
        for (first, second) in found.objectives.iter().zip(&again.objectives) {
            assert!((first - second).abs() <= 1e-12 * (1.0 + first));
        }
        let observer = From { polls: AtomicUsize::new(0), k: 0 };
        let stopped = Coder::default().refit(&x, &dictionary, lambda, &codes, &observer).expect("fits");
        assert_eq!((stopped.stop, &stopped.codes), (Stop::Cancelled, &codes));
        assert_eq!(stopped.gaps, stopped.objectives);
    }
    assert!(matches!(
        Coder::default().refit(&x, &dictionary, 0.1, &Codes::zeros(m, 3), &()),
        Err(CoderError::Atoms(_))
    ));
}

#[test]
fn dependent_atoms_are_refitted_too() {
    // Three copies of an atom, and one between it and another.
    let dictionary = unit(&[[1.0, 0.0], [1.0, 0.0], [1.0, 0.0], [1.0, 1.0], [0.0, 1.0]]);
    let x = Matrix::from_columns(2, &[[2.0, 1.0]]);
    let all = Codes::from_triplets(5, 1, (0..5).map(|k| (k, 0, 1.0)).collect::<Vec<_>>()).expect("codes");
    for lambda in [0.0, 0.1] {
        let found = Coder::default().refit(&x, &dictionary, lambda, &all, &()).expect("fits");
        let exact = Coder::default().encode(&x, &dictionary, lambda, &()).expect("fits");
        assert!((found.objectives[0] - exact.objectives[0]).abs() < 1e-12);
    }
}

#[test]
fn the_gap_of_codes_is_that_of_values_and_of_supports() {
    let (x, dictionary) = digits();
    let problem = Problem::builder(x.clone()).lambda(0.5).centered(true).build().expect("valid");
    let center = problem.data().mean();
    let report = |codes: &Codes, problem: &Problem| {
        let trained = Trained { codes: Some(codes), center: Some(&center), dictionary: &dictionary };
        let found = diagnose(problem, &trained, &Thresholds::default(), &()).expect("a diagnosis").codes;
        let parts = refit(problem, &trained, &found, 1e-9, &()).expect("fits").expect("not stopped");
        (found, parts)
    };
    let codes = top(&x, &dictionary, 5, 0.4);
    let (found, parts) = report(&codes, &problem);
    let given = found.given.as_ref().expect("codes");
    assert!(found.exact.objective < parts.objective && parts.objective < given.objective);
    let (whole, sum) = (found.amortisation_gap.expect("a gap"), parts.value_gap + parts.support_gap);
    assert!((whole - sum).abs() < 1e-12 * given.objective);
    assert!(parts.mean_l0 <= given.mean_l0 && parts.largest_relative_gap <= 1e-9);
    // Least squares explains the most.
    let most = parts.least_squares_explained_variance.expect("data vary");
    assert!(most > parts.explained_variance.expect("data vary"));
    assert!(most > given.explained_variance.expect("data vary"));
    // A fixed center is part of the data.
    let fixed = Problem::builder(x.clone()).lambda(0.5).build().expect("valid");
    let (_, same) = report(&codes, &fixed);
    assert!((same.objective - parts.objective).abs() < 1e-12 * parts.objective);
    // Exact codes lose nothing by either part.
    let shifted = Matrix::from_fn(x.nrows(), x.ncols(), |j, i| x.get(j, i) - center[j]);
    let exact = Coder::default().encode(&shifted, &dictionary, 0.5, &()).expect("fits").codes;
    let (found, parts) = report(&exact, &problem);
    let small = 1e-8 * found.exact.objective;
    assert!(parts.value_gap.abs() < small && parts.support_gap.abs() < small);
    // Values alone: the supports of exact codes with other values.
    let view = exact.view();
    let double: Vec<_> = view.iter().map(|(z, (k, i))| (k, i, 2.0 * z)).collect();
    let double = Codes::from_triplets(exact.atoms(), exact.datapoints(), double).expect("codes");
    let (_, parts) = report(&double, &problem);
    assert!(parts.value_gap > 0.1 && parts.support_gap.abs() < small);
    // A stop leaves it out.
    let trained = Trained { codes: Some(&codes), center: Some(&center), dictionary: &dictionary };
    let observer = From { polls: AtomicUsize::new(0), k: 3 };
    assert_eq!(refit(&problem, &trained, &found, 1e-9, &observer), Ok(None));
}

#[cfg(feature = "cli")]
mod files {
    use std::fs;
    use std::path::Path;
    use std::process::{Command, Output};

    use serde_json::Value;
    use tempfile::TempDir;
    use widedict::io::{read_codes, read_json, write_atoms, write_codes, write_saelens};
    use widedict::{Codes, Matrix};

    use super::{digits, top};

    fn widedict(line: &str, folder: &Path, sae: &Path) -> Output {
        let words = line.split(' ').map(|word| {
            word.replace('@', &format!("{}/", folder.display())).replace("SAE", &sae.display().to_string())
        });
        Command::new(env!("CARGO_BIN_EXE_widedict")).args(words).output().expect("the program starts")
    }

    fn stderr(out: &Output) -> String {
        String::from_utf8_lossy(&out.stderr).into_owned()
    }

    fn object(out: &Output) -> Value {
        serde_json::from_slice(&out.stdout).unwrap_or_else(|e| panic!("{e}: {}", stderr(out)))
    }

    fn number(value: &Value) -> f64 {
        value.as_f64().unwrap_or_else(|| panic!("{value} is no number"))
    }

    /// Digits as x.npy, and every so many of their atoms with the codes of the five largest
    /// products as d.npy and z.npz.
    fn bench() -> (TempDir, Codes) {
        let folder = tempfile::tempdir().expect("a folder");
        let (x, dictionary) = digits();
        let codes = top(&x, &dictionary, 5, 0.4);
        write_atoms(&folder.path().join("x.npy"), &x).expect("written");
        write_atoms(&folder.path().join("d.npy"), dictionary.matrix()).expect("written");
        write_codes(&folder.path().join("z.npz"), &codes).expect("written");
        write_saelens(&folder.path().join("sae"), &dictionary, None, 0.5).expect("written");
        (folder, codes)
    }

    #[test]
    fn an_autoencoder_without_a_price_is_diagnosed_at_its_sparsity() {
        let root = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/sae/fixtures");
        let all: Value = read_json(&root.join("expected.json")).expect("expected numbers");
        for name in ["saelens-topk", "saelens-jumprelu", "dl-BatchTopK"] {
            let folder = tempfile::tempdir().expect("a folder");
            let rows: Vec<Vec<f64>> =
                serde_json::from_value(all["cases"][name]["x"].clone()).expect("rows of numbers");
            write_atoms(&folder.path().join("x.npy"), &Matrix::from_columns(rows[0].len(), &rows)).unwrap();
            let run = |more: &str| {
                let line = format!("diagnose --data @x.npy --sae SAE --json --quiet {more}");
                widedict(&line, folder.path(), &root.join(name))
            };
            let out = run("--match-l0 --refit");
            let target = number(&all["cases"][name]["mean_l0"]);
            if out.status.code() == Some(4) {
                assert!(stderr(&out).contains("no lambda matches"), "{}", stderr(&out));
                continue;
            }
            let found = object(&out);
            let matched = &found["match_l0"];
            assert_eq!(number(&matched["target_l0"]), target, "{name}");
            assert!(found["source"]["lambda_from"].as_str().unwrap().contains("--match-l0"));
            assert_eq!(found["lambda"], matched["lambda"]);
            assert_eq!(found["codes"]["exact"]["mean_l0"], matched["l0"]);
            // Eight datapoints: an eighth of an atom is a step.
            assert!((number(&matched["l0"]) - target).abs() <= 0.5, "{name}: {matched}");
            let ends = [0, 1].map(|end| number(&matched["bracket"][end]));
            assert!(ends[0] <= number(&matched["lambda"]) && number(&matched["lambda"]) <= ends[1]);
            // The same λ by hand is the same diagnosis.
            let again = object(&run(&format!("--refit --lambda {}", matched["lambda"])));
            assert_eq!(again["codes"], found["codes"], "{name}");
            assert!(again["match_l0"].is_null());
        }
        // No encoder, no codes.
        let folder = tempfile::tempdir().expect("a folder");
        let bare = folder.path().join("bare.safetensors");
        fs::copy(root.join("dl-TopK/ae.safetensors"), &bare).expect("copied");
        let rows: Vec<Vec<f64>> = serde_json::from_value(all["cases"]["dl-TopK"]["x"].clone()).unwrap();
        write_atoms(&folder.path().join("x.npy"), &Matrix::from_columns(rows[0].len(), &rows)).unwrap();
        for option in ["--match-l0", "--refit --lambda 1"] {
            let out = widedict(&format!("diagnose --data @x.npy --sae SAE {option}"), folder.path(), &bare);
            assert_eq!(out.status.code(), Some(2), "{}", stderr(&out));
            assert!(stderr(&out).contains("needs codes: give --codes"), "{}", stderr(&out));
        }
    }

    #[test]
    fn codes_of_a_file_are_matched_and_refitted() {
        let (folder, codes) = bench();
        let run = |line: &str| widedict(line, folder.path(), Path::new(""));
        let line = "diagnose --data @x.npy --dictionary @d.npy --codes @z.npz";
        let out = run(&format!("{line} --match-l0 --refit"));
        assert_eq!(out.status.code(), Some(0), "{}", stderr(&out));
        let text = String::from_utf8_lossy(&out.stdout).into_owned();
        for words in ["matches L0: exact codes", "of that            values", "supports"] {
            assert!(text.contains(words), "{words} is not in {text}");
        }
        let found = object(&run(&format!("{line} --match-l0 --refit --json --quiet")));
        let (all, parts) = (&found["codes"], &found["codes"]["refit"]);
        assert_eq!(number(&found["match_l0"]["target_l0"]), codes.mean_l0());
        let gap = number(&parts["value_gap"]) + number(&parts["support_gap"]);
        assert!((gap - number(&all["amortisation_gap"])).abs() < 1e-9 * number(&all["exact"]["objective"]));
        assert!(number(&parts["value_gap"]) > 0.0 && number(&parts["support_gap"]) > 0.0);
        for (line, code, words) in [
            (format!("{line} --match-l0 --lambda 1"), 2, "cannot be used with"),
            (line.to_owned(), 2, "--match-l0"),
            ("diagnose --data @x.npy --dictionary @d.npy --match-l0".to_owned(), 2, "needs codes"),
            ("diagnose --data @x.npy --dictionary @d.npy --lambda 1 --refit".to_owned(), 2, "needs codes"),
            (format!("{line} --match-l0 --max-seconds 0"), 1, "before the first lambda"),
        ] {
            let out = run(&line);
            assert_eq!(out.status.code(), Some(code), "{line}: {}", stderr(&out));
            assert!(stderr(&out).contains(words) && out.stdout.is_empty(), "{line}: {}", stderr(&out));
        }
    }

    #[test]
    fn a_folder_has_the_codes_as_encode_writes_them() {
        let (folder, codes) = bench();
        let run = |line: &str| {
            let out = widedict(&format!("{line} --quiet"), folder.path(), &folder.path().join("sae"));
            assert_eq!(out.status.code(), Some(0), "{line}: {}", stderr(&out));
        };
        // One row is masked: codes have a row for it all the same.
        let count = codes.datapoints();
        let weights: Vec<f64> = (0..count).map(|i| if i == 3 { 0.0 } else { 1.0 }).collect();
        widedict::io::write_vector(&folder.path().join("w.npy"), &weights).expect("written");
        let read = |name: &str| read_codes(&folder.path().join(name), count, codes.atoms()).expect("codes");
        run("diagnose --data @x.npy --weights @w.npy --sae SAE --lambda 0.5 --out @out");
        run("encode --data @x.npy --weights @w.npy --sae SAE --out @given.npz");
        run("encode --data @x.npy --weights @w.npy --sae SAE --exact --lambda 0.5 --out @exact.npz");
        assert_eq!(read("out/codes_given.npz"), read("given.npz"));
        assert!(read("out/codes_given.npz").column(3).nnz() == 0 && read("given.npz").column(4).nnz() > 0);
        // Both are exact to a relative gap; they start from different codes.
        let (found, expected) = (read("out/codes_exact.npz"), read("exact.npz"));
        let value = |codes: &Codes, i: usize, k: usize| codes.column(i).get(k).copied().unwrap_or(0.0);
        for (i, k) in (0..count).flat_map(|i| (0..codes.atoms()).map(move |k| (i, k))) {
            assert!((value(&found, i, k) - value(&expected, i, k)).abs() < 1e-3, "{i} {k}");
        }
        // Codes of a file are given back; without them an earlier file goes.
        run("diagnose --data @x.npy --dictionary @d.npy --codes @z.npz --lambda 0.5 --out @out");
        assert_eq!(read("out/codes_given.npz"), codes);
        run("diagnose --data @x.npy --dictionary @d.npy --lambda 0.5 --out @out");
        assert!(!folder.path().join("out/codes_given.npz").exists());
        assert!(folder.path().join("out/codes_exact.npz").exists());
    }

    #[test]
    fn an_opposite_dictionary_is_the_same_by_absolute_cosines() {
        let (folder, _) = bench();
        let (_, dictionary) = digits();
        let atoms = dictionary.matrix();
        let minus = Matrix::from_fn(atoms.nrows(), atoms.ncols(), |j, k| -atoms.get(j, k));
        write_atoms(&folder.path().join("minus.npy"), &minus).expect("written");
        let line =
            "diagnose --data @x.npy --dictionary @d.npy --lambda 0.5 --compare @minus.npy --json --quiet";
        let run = |line: &str| object(&widedict(line, folder.path(), Path::new("")))["comparison"].clone();
        let signed = run(line);
        assert!(signed["by"] == "cosine" && number(&signed["mean_cosine"]) < 0.0);
        let absolute = run(&format!("{line} --compare-absolute"));
        assert!(absolute["by"] == "absolute-cosine" && (number(&absolute["mean_cosine"]) - 1.0).abs() < 1e-9);
        for pair in absolute["pairs"].as_array().expect("pairs") {
            assert!(pair["left"] == pair["right"] && (number(&pair["cosine"]) + 1.0).abs() < 1e-9);
        }
    }
}
