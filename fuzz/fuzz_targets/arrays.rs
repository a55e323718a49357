//! No bytes make the readers of `.npy` files panic or disagree: a file that is read
//! whole is read in blocks, with the same numbers.

#![no_main]

use std::fs;
use std::path::PathBuf;
use std::sync::LazyLock;

use libfuzzer_sys::fuzz_target;
use widedict::io::{PointReader, read_points, read_vector};

static FILE: LazyLock<PathBuf> =
    LazyLock::new(|| std::env::temp_dir().join(format!("widedict-fuzz-{}.npy", std::process::id())));

fuzz_target!(|bytes: &[u8]| {
    fs::write(&*FILE, bytes).expect("written");
    let _ = read_vector(&FILE);
    let whole = read_points(&FILE);
    let blocks = PointReader::open(&FILE).and_then(|mut reader| reader.block(0..reader.len()));
    match (whole, blocks) {
        (Ok(whole), Ok(blocks)) => assert_eq!(whole, blocks),
        (Err(_), Err(_)) => {}
        (whole, blocks) => panic!("{whole:?} but {blocks:?}"),
    }
});
