//! No text of certificate.json makes reading a saved solution or verifying its record
//! panic, and none is verified with another bound or objective than its own. The first two
//! bytes are a place in the file that was written: the rest replaces what stands there, or
//! the whole file.

#![no_main]

use std::fs;
use std::path::PathBuf;
use std::sync::LazyLock;

use libfuzzer_sys::fuzz_target;
use widedict::certificate::Options;
use widedict::io::{load_solution, save_solution};
use widedict::{Matrix, Problem, Solution, wide};

struct Saved {
    folder: PathBuf,
    problem: Problem,
    solution: Solution,
    text: Vec<u8>,
}

static SAVED: LazyLock<Saved> = LazyLock::new(|| {
    let folder = std::env::temp_dir().join(format!("widedict-fuzz-solution-{}", std::process::id()));
    fs::create_dir_all(&folder).expect("a temporary folder");
    let x = Matrix::from_columns(2, &[[3.0, 0.0], [0.0, 1.0]]);
    let problem = Problem::builder(x).lambda(0.5).build().expect("a valid problem");
    let solution = wide::closed_form(&problem).expect("a solution");
    save_solution(&folder, &problem, &solution, &Options::default()).expect("saved");
    let text = fs::read(folder.join("certificate.json")).expect("a file that was written");
    Saved { folder, problem, solution, text }
});

fuzz_target!(|bytes: &[u8]| {
    let Saved { folder, problem, solution, text } = &*SAVED;
    let [high, low, rest @ ..] = bytes else { return };
    let at = usize::from(*high) << 8 | usize::from(*low);
    let changed = if at < text.len() {
        let after = (at + rest.len()).min(text.len());
        [&text[..at], rest, &text[after..]].concat()
    } else {
        rest.to_vec()
    };
    fs::write(folder.join("certificate.json"), &changed).expect("written");
    let Ok(loaded) = load_solution(folder) else { return };
    let Some(record) = loaded.record else { return };
    if let Ok(again) = record.verify(problem, loaded.factorization, &loaded.witness, &()) {
        let (again, first) = (again.certificate(), solution.certified.certificate());
        assert_eq!(again.objective().to_bits(), first.objective().to_bits());
        assert_eq!(again.lower_bound(), first.lower_bound());
    }
});
