//! No bytes make the readers of arrays and activations panic or disagree: a file that is
//! read whole is read in blocks, and as activations, with the same numbers.

#![no_main]

use std::fs;
use std::num::NonZeroUsize;
use std::path::{Path, PathBuf};
use std::sync::LazyLock;

use libfuzzer_sys::fuzz_target;
use widedict::io::{Activations, Masking, PointReader, Reading, read_points, read_vector};

/// The first byte chooses the name, which tells text.
const NAMES: [&str; 4] = ["x.npy", "x.npz", "x.safetensors", "x.csv"];

static FOLDER: LazyLock<PathBuf> = LazyLock::new(|| {
    let folder = std::env::temp_dir().join(format!("widedict-fuzz-{}", std::process::id()));
    fs::create_dir_all(&folder).expect("made");
    folder
});

fuzz_target!(|bytes: &[u8]| {
    let Some((first, bytes)) = bytes.split_first() else { return };
    let path = FOLDER.join(NAMES[usize::from(*first) % NAMES.len()]);
    fs::write(&path, bytes).expect("written");
    let _ = read_vector(&path);
    let whole = read_points(&path);
    let activations = activations(&path);
    if let (Ok(whole), Some(found)) = (&whole, &activations) {
        assert_eq!(whole, found);
    }
    if let Ok(mut reader) = PointReader::open(&path) {
        match (&whole, reader.block(0..reader.len())) {
            (Ok(whole), Ok(blocks)) => assert_eq!(*whole, blocks),
            (Err(_), Err(_)) => {}
            (whole, blocks) => panic!("{whole:?} but {blocks:?}"),
        }
    }
});

/// Read whole, and every other row of it.
fn activations(path: &Path) -> Option<widedict::Matrix> {
    let read = Activations::read(path, &Reading::default()).ok()?;
    let most = NonZeroUsize::new(read.len().div_ceil(2));
    let half = Activations::read(path, &Reading { key: None, most }).expect("the same file");
    let all = Masking { skip_nonfinite: true, ..Masking::default() };
    let _ = half.mask(&all);
    read.mask(&Masking::default()).ok().map(|kept| kept.points.into_matrix())
}
