//! No bytes of weights and configuration make the reader of autoencoders panic, take
//! memory beyond the file, or give numbers that are not finite. The first byte is the
//! length of the configuration in units of 16 bytes.

#![no_main]

use std::fs;
use std::path::PathBuf;
use std::sync::LazyLock;

use libfuzzer_sys::fuzz_target;
use widedict::io::Sae;
use widedict::io::sae::{Activations, Batch, ReadOptions};

static FOLDER: LazyLock<PathBuf> = LazyLock::new(|| {
    let folder = std::env::temp_dir().join(format!("widedict-fuzz-{}", std::process::id()));
    fs::create_dir_all(&folder).expect("a temporary folder");
    folder
});

fuzz_target!(|bytes: &[u8]| {
    let Some((&first, rest)) = bytes.split_first() else { return };
    let (config, weights) = rest.split_at((usize::from(first) * 16).min(rest.len()));
    let config_file = FOLDER.join("cfg.json");
    if config.is_empty() {
        let _ = fs::remove_file(&config_file);
    } else {
        fs::write(&config_file, config).expect("written");
    }
    fs::write(FOLDER.join("sae_weights.safetensors"), weights).expect("written");
    if let Ok(sae) = Sae::read(&FOLDER, &ReadOptions::default()) {
        assert!(sae.decoder().as_slice().iter().all(|v| v.is_finite()));
        let points = widedict::Matrix::zeros(sae.dim(), 1);
        if let Ok(folded) = sae.fold(Activations::of(points)) {
            let _ = sae.encode(&folded, Batch::Inference);
        }
    }
});
