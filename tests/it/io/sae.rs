//! Sparse autoencoders from files: layouts, orientation, folding, hostile files, and
//! what is written reads back bit for bit.

use std::fs;
use std::path::{Path, PathBuf};

use half::{bf16, f16};
use proptest::prelude::*;
use serde_json::{Value, json};
use tempfile::TempDir;
use widedict::io::sae::{Atoms, EncodeError, Layout, NoEncoder, ReadOptions};
use widedict::io::{FileError, FileProblem, PointReader, Sae, read_points, write_saelens};
use widedict::{Dictionary, Matrix};

struct Folder(TempDir);

impl Folder {
    fn new() -> Self {
        Self(tempfile::tempdir().expect("a temporary folder"))
    }

    fn path(&self, name: &str) -> PathBuf {
        self.0.path().join(name)
    }

    fn config(&self, name: &str, value: &Value) {
        fs::write(self.path(name), value.to_string()).expect("written");
    }

    fn tensors(&self, name: &str, tensors: &[(&str, &str, &[usize], &[f64])]) {
        fs::write(self.path(name), safetensors(tensors)).expect("written");
    }

    fn read(&self) -> Result<Sae, FileError> {
        Sae::read(self.0.path(), &ReadOptions::default())
    }
}

/// A safetensors file by hand, numbers stored as the type says.
pub(super) fn safetensors(tensors: &[(&str, &str, &[usize], &[f64])]) -> Vec<u8> {
    let (mut header, mut data) = (serde_json::Map::new(), Vec::new());
    for (name, dtype, shape, values) in tensors {
        let from = data.len();
        for &v in *values {
            #[expect(clippy::cast_possible_truncation, reason = "these numbers fit")]
            match *dtype {
                "F64" => data.extend(v.to_le_bytes()),
                "F32" => data.extend((v as f32).to_le_bytes()),
                "F16" => data.extend(f16::from_f64(v).to_le_bytes()),
                "BF16" => data.extend(bf16::from_f64(v).to_le_bytes()),
                "I64" => data.extend((v as i64).to_le_bytes()),
                other => panic!("no such type {other}"),
            }
        }
        let entry = json!({"dtype": dtype, "shape": shape, "data_offsets": [from, data.len()]});
        header.insert((*name).to_owned(), entry);
    }
    file(&Value::Object(header).to_string(), &data)
}

fn file(header: &str, data: &[u8]) -> Vec<u8> {
    let mut bytes = (header.len() as u64).to_le_bytes().to_vec();
    bytes.extend(header.as_bytes());
    bytes.extend(data);
    bytes
}

/// Two atoms in dimension 3, lengths 2 and 1, exact in every type.
const DECODER: [f64; 6] = [2.0, 0.0, 0.0, 0.0, 1.0, 0.0];
const TRANSPOSED: [f64; 6] = [2.0, 0.0, 0.0, 1.0, 0.0, 0.0];
const BIAS: [f64; 3] = [0.5, 0.0, -0.25];

fn saelens(dtype: &'static str) -> Vec<(&'static str, &'static str, &'static [usize], &'static [f64])> {
    vec![
        ("W_dec", dtype, &[2, 3], &DECODER),
        ("W_enc", dtype, &[3, 2], &TRANSPOSED),
        ("b_dec", dtype, &[3], &BIAS),
        ("b_enc", dtype, &[2], &[-0.5, 0.25]),
    ]
}

fn modern() -> Value {
    json!({
        "d_in": 3, "d_sae": 2, "dtype": "float32", "architecture": "standard",
        "normalize_activations": "none", "metadata": {"sae_lens_version": "6.0.0"},
    })
}

#[test]
fn every_type_and_both_forms_of_saelens_agree() {
    let flat = json!({
        "d_in": 3, "d_sae": 2, "activation_fn_str": "relu", "normalize_activations": false,
        "hook_point": "blocks.0", "l1_coefficient": 1.5,
    });
    for dtype in ["F32", "F16", "BF16", "F64"] {
        for config in [modern(), flat.clone()] {
            let folder = Folder::new();
            folder.tensors("sae_weights.safetensors", &saelens(dtype));
            folder.config("cfg.json", &config);
            let sae = folder.read().expect("a valid folder");
            assert_eq!((sae.layout(), sae.architecture()), (Layout::Saelens, "standard"));
            assert_eq!((sae.dim(), sae.atoms()), (3, 2));
            assert_eq!(sae.decoder().as_slice(), DECODER);
            assert_eq!(sae.decoder_bias(), Some(&BIAS[..]));
            assert_eq!(sae.l1_coefficient(), config["l1_coefficient"].as_f64());
            assert_eq!(sae.no_encoder(), None);
            let folded = sae.fold().expect("atoms with a direction");
            assert_eq!(folded.dictionary.atom(0), [1.0, 0.0, 0.0]);
            let f = &folded.folding;
            assert_eq!((f.rescaled_atoms, f.shortest_atom, f.longest_atom), (1, 1.0, 2.0));
            assert_eq!(f.encoder_subtracts_bias, Some(true));
            // f = relu((x − b)W_enc + b_enc) = (2·1 − 0.5, 1 + 0.25): times the lengths.
            let codes = sae.encode(&Matrix::from_columns(3, &[[1.5, 1.0, 7.0]]), &folded).expect("codes");
            assert_eq!((codes.column(0).get(0), codes.column(0).get(1)), (Some(&3.0), Some(&1.25)));
            // The reconstruction is that of the stored weights: no point is lost in folding.
            let wrong = sae.encode(&Matrix::zeros(2, 1), &folded);
            assert_eq!(wrong, Err(EncodeError::Dimension { expected: 3, found: 2 }));
        }
    }
}

#[test]
fn the_decoder_bias_is_not_subtracted_where_the_configuration_says_so() {
    let folder = Folder::new();
    folder.tensors("sae_weights.safetensors", &saelens("F32"));
    let mut config = modern();
    config["apply_b_dec_to_input"] = json!(false);
    folder.config("cfg.json", &config);
    let sae = folder.read().expect("a valid folder");
    let folded = sae.fold().expect("atoms");
    assert_eq!(folded.folding.encoder_subtracts_bias, Some(false));
    let codes = sae.encode(&Matrix::from_columns(3, &[[1.5, 1.0, 7.0]]), &folded).expect("codes");
    assert_eq!(codes.column(0).get(0), Some(&5.0));
}

#[test]
fn the_other_programs_are_read() {
    let folder = Folder::new();
    folder.tensors(
        "ae.safetensors",
        &[
            ("decoder.weight", "F32", &[3, 2], &TRANSPOSED),
            ("encoder.weight", "F32", &[2, 3], &DECODER),
            ("bias", "F32", &[3], &BIAS),
            ("encoder.bias", "F32", &[2], &[-0.5, 0.25]),
        ],
    );
    // Without a configuration: the names are those of a plain autoencoder, the bias tells n.
    let bare = folder.read().expect("readable");
    assert_eq!((bare.layout(), bare.no_encoder()), (Layout::Bare, None));
    assert_eq!(bare.decoder().as_slice(), DECODER);
    let trainer = |class: &str| json!({"trainer": {"activation_dim": 3, "dict_size": 2, "dict_class": class, "l1_penalty": 0.1}});
    folder.config("config.json", &trainer("AutoEncoder"));
    let sae = folder.read().expect("readable");
    assert_eq!((sae.layout(), sae.l1_coefficient()), (Layout::DictionaryLearning, Some(0.1)));
    let folded = sae.fold().expect("atoms");
    let codes = sae.encode(&Matrix::from_columns(3, &[[1.5, 1.0, 7.0]]), &folded).expect("codes");
    assert_eq!((codes.column(0).get(0), codes.column(0).get(1)), (Some(&3.0), Some(&1.25)));
    folder.config("config.json", &trainer("AutoEncoderTopK"));
    let sae = folder.read().expect("readable");
    assert_eq!(sae.no_encoder(), Some(&NoEncoder::Architecture("AutoEncoderTopK".into())));
    assert_eq!(sae.decoder().as_slice(), DECODER);

    let folder = Folder::new();
    folder.tensors("sae.safetensors", &[("W_dec", "F32", &[2, 3], &DECODER), ("b_dec", "F32", &[3], &BIAS)]);
    folder.config("cfg.json", &json!({"num_latents": 2, "d_in": 3, "k": 32, "expansion_factor": 32}));
    let sae = folder.read().expect("readable");
    assert_eq!((sae.layout(), sae.architecture()), (Layout::Sparsify, "topk"));
    let folded = sae.fold().expect("atoms");
    let refused = sae.encode(&Matrix::zeros(3, 1), &folded).expect_err("not a ReLU").to_string();
    assert!(refused.contains("topk") && refused.contains("ReLU"), "{refused}");
}

#[test]
fn encoders_that_are_not_plain_are_refused_and_the_decoder_is_taken() {
    for (key, value, expected) in [
        ("architecture", json!("topk"), NoEncoder::Architecture("topk".into())),
        ("architecture", json!("jumprelu"), NoEncoder::Architecture("jumprelu".into())),
        ("architecture", json!("gated"), NoEncoder::Architecture("gated".into())),
        ("activation_fn_str", json!("tanh-relu"), NoEncoder::Activation("tanh-relu".into())),
        ("normalize_activations", json!("layer_norm"), NoEncoder::Normalized("layer_norm".into())),
        ("finetuning_scaling_factor", json!(true), NoEncoder::Finetuned),
    ] {
        let folder = Folder::new();
        folder.tensors("sae_weights.safetensors", &saelens("F32"));
        let mut config = modern();
        config[key] = value;
        folder.config("cfg.json", &config);
        let sae = folder.read().expect("the decoder is readable");
        assert_eq!(sae.no_encoder(), Some(&expected), "{key}");
        assert_eq!(sae.decoder().as_slice(), DECODER);
    }
    let folder = Folder::new();
    folder.tensors("only.safetensors", &saelens("F32")[..1]);
    let options = ReadOptions { dim: Some(3), atoms: None };
    let sae = Sae::read(&folder.path("only.safetensors"), &options).expect("the dimension of the data tells");
    assert_eq!(sae.no_encoder(), Some(&NoEncoder::NoConfiguration));
    assert_eq!(sae.decoder_bias(), None);
}

fn problem(folder: &Folder, options: ReadOptions) -> FileProblem {
    Sae::read(folder.0.path(), &options).expect_err("an error").problem
}

#[test]
fn orientation_comes_from_sizes_and_never_from_a_name() {
    // SAELens' name with the shape of its transpose: the configuration decides.
    let folder = Folder::new();
    folder.tensors("sae_weights.safetensors", &[("W_dec", "F32", &[3, 2], &TRANSPOSED)]);
    folder.config("cfg.json", &modern());
    assert_eq!(folder.read().expect("readable").decoder().as_slice(), DECODER);
    fs::remove_file(folder.path("cfg.json")).expect("removed");
    assert!(matches!(
        problem(&folder, ReadOptions::default()),
        FileProblem::Orientation { rows: 3, columns: 2 }
    ));
    let of_dim = |dim| ReadOptions { dim: Some(dim), atoms: None };
    assert_eq!(Sae::read(folder.0.path(), &of_dim(3)).expect("readable").decoder().as_slice(), DECODER);
    assert_eq!(Sae::read(folder.0.path(), &of_dim(2)).expect("readable").atoms(), 3);
    assert!(matches!(problem(&folder, of_dim(7)), FileProblem::Sizes { dim: Some(7), .. }));
    let told = ReadOptions { dim: None, atoms: Some(Atoms::Columns) };
    assert_eq!(Sae::read(folder.0.path(), &told).expect("readable").decoder().as_slice(), DECODER);
    let wrong = ReadOptions { dim: Some(3), atoms: Some(Atoms::Rows) };
    assert!(matches!(problem(&folder, wrong), FileProblem::Sizes { .. }));

    // A square one needs to be told, or a configuration whose program says it.
    let folder = Folder::new();
    let square = [1.0, 2.0, 3.0, 4.0];
    folder.tensors("sae_weights.safetensors", &[("W_dec", "F64", &[2, 2], &square)]);
    let error = Sae::read(folder.0.path(), &of_dim(2)).expect_err("square");
    assert!(matches!(error.problem, FileProblem::Square { size: 2 }));
    assert!(error.to_string().contains("W_dec") && error.to_string().contains("rows or columns"), "{error}");
    let rows = ReadOptions { dim: None, atoms: Some(Atoms::Rows) };
    assert_eq!(Sae::read(folder.0.path(), &rows).expect("told").decoder().col(0), [1.0, 2.0]);
    assert_eq!(Sae::read(folder.0.path(), &told).expect("told").decoder().col(0), [1.0, 3.0]);
    folder.config("cfg.json", &json!({"d_in": 2, "d_sae": 2}));
    assert_eq!(folder.read().expect("SAELens says").decoder().col(0), [1.0, 2.0]);
}

#[test]
fn hostile_files_are_errors_that_name_file_tensor_and_index() {
    use FileProblem as P;
    let is = |bytes: &[u8], good: fn(&P) -> bool, words: &[&str]| {
        let folder = Folder::new();
        fs::write(folder.path("sae_weights.safetensors"), bytes).expect("written");
        folder.config("cfg.json", &modern());
        let error = folder.read().expect_err("a bad file");
        assert!(good(&error.problem), "{error:?}");
        let text = error.to_string();
        for word in words.iter().chain(&["sae_weights.safetensors"]) {
            assert!(text.contains(word), "{word:?} is not in {text:?}");
        }
    };
    let whole = safetensors(&saelens("F32"));
    is(&[], |p| matches!(p, P::TensorBytes { expected: 8, found: 0 }), &[]);
    is(&whole[..5], |p| matches!(p, P::TensorBytes { .. }), &[]);
    is(&whole[..40], |p| matches!(p, P::TensorBytes { .. }), &[]);
    is(&whole[..whole.len() - 1], |p| matches!(p, P::TensorBytes { .. }), &["found"]);
    is(&[&whole[..], &[0]].concat(), |p| matches!(p, P::TensorBytes { .. }), &[]);
    let mut huge = whole.clone();
    huge[..8].copy_from_slice(&u64::MAX.to_le_bytes());
    is(&huge, |p| matches!(p, P::HeaderLength { .. }), &["1048576"]);
    huge[..8].copy_from_slice(&100_000_001_u64.to_le_bytes());
    is(&huge, |p| matches!(p, P::HeaderLength { found: 100_000_001, .. }), &[]);
    is(&file("not json", &[]), |p| matches!(p, P::TensorHeader(_)), &[]);
    is(&file(&"[".repeat(5000), &[]), |p| matches!(p, P::TensorHeader(_)), &[]);
    is(&file("{}", &[]), |p| matches!(p, P::MissingTensor { .. }), &["W_dec"]);
    let entry = |text: &str| format!("{{\"W_dec\": {text}}}");
    for (text, data) in [
        (r#"{"dtype":"F32","shape":[2,3],"data_offsets":[0,20]}"#, 20),
        (r#"{"dtype":"F32","shape":[2,3],"data_offsets":[4,28]}"#, 28),
        (r#"{"dtype":"F32","shape":[2,3],"data_offsets":[24,0]}"#, 24),
        (r#"{"dtype":"F32","shape":[4294967296,4294967296,4294967296],"data_offsets":[0,24]}"#, 24),
        (r#"{"dtype":"F32","shape":[-2,3],"data_offsets":[0,24]}"#, 24),
        (r#"{"dtype":"F99","shape":[2,3],"data_offsets":[0,24]}"#, 24),
        (r#"{"dtype":"F32","shape":[2,3]}"#, 24),
    ] {
        is(&file(&entry(text), &vec![0; data]), |p| matches!(p, P::TensorHeader(_)), &[]);
    }
    is(
        &safetensors(&[("W_dec", "I64", &[2, 3], &DECODER)]),
        |p| matches!(p, P::Type { .. }),
        &["W_dec", "F16, BF16, F32 or F64", "I64"],
    );
    let mut nan = DECODER;
    nan[4] = f64::NAN;
    for dtype in ["F64", "F32", "F16", "BF16"] {
        is(
            &safetensors(&[("W_dec", dtype, &[2, 3], &nan)]),
            |p| matches!(p, P::NotFinite { row: 1, column: 1, .. }),
            &["W_dec", "row 1", "column 1", "NaN"],
        );
    }
    let mut infinite = saelens("F32");
    infinite[2].3 = &[0.0, f64::INFINITY, 0.0];
    is(&safetensors(&infinite), |p| matches!(p, P::NotFinite { row: 1, column: 0, .. }), &["b_dec"]);
    let mut short = saelens("F32");
    short[3] = ("b_enc", "F32", &[3], &BIAS);
    is(&safetensors(&short), |p| matches!(p, P::Count { expected: 2, found: 3 }), &["b_enc"]);
    is(
        &safetensors(&[("W_dec", "F32", &[6], &DECODER)]),
        |p| matches!(p, P::Dimensions { .. }),
        &["W_dec", "[6]"],
    );
    is(&safetensors(&[("W_dec", "F32", &[0, 3], &[])]), |p| matches!(p, P::Empty { .. }), &["W_dec"]);
    is(
        &safetensors(&[("W_dec", "F32", &[1, 6], &DECODER)]),
        |p| matches!(p, P::Sizes { .. }),
        &["d_in 3", "1 × 6"],
    );
    let mut transposed = saelens("F32");
    transposed[1] = ("W_enc", "F32", &[6, 1], &TRANSPOSED);
    is(&safetensors(&transposed), |p| matches!(p, P::Sizes { .. }), &["W_enc"]);
}

#[test]
fn pickles_are_refused_with_the_lines_that_convert_them() {
    let folder = Folder::new();
    fs::write(folder.path("ae.pt"), b"PK\x03\x04").expect("written");
    for path in [folder.0.path().to_path_buf(), folder.path("ae.pt")] {
        let text = Sae::read(&path, &ReadOptions::default()).expect_err("a pickle").to_string();
        for word in ["ae.pt", "save_file", "weights_only=True", "contiguous"] {
            assert!(text.contains(word), "{word:?} is not in {text:?}");
        }
        assert_eq!(text.lines().filter(|line| line.starts_with("  ")).count(), 2, "{text}");
    }
    // Whatever it is called.
    for bytes in [&b"PK\x03\x04\x14\0\0\0\0\0"[..], b"\x80\x04\x95\x1a\0\0\0\0\0\0\0"] {
        fs::write(folder.path("sae.safetensors"), bytes).expect("written");
        assert!(matches!(problem(&folder, ReadOptions::default()), FileProblem::Pickle));
    }
    let empty = Folder::new();
    assert!(matches!(problem(&empty, ReadOptions::default()), FileProblem::NoWeights));
}

#[test]
fn wrong_configurations_are_errors_that_name_the_key() {
    for (config, key) in [
        (json!({"d_in": "three", "d_sae": 2}), "d_in"),
        (json!({"d_in": 3, "d_sae": -2}), "d_sae"),
        (json!({"d_in": 3, "d_sae": 2, "apply_b_dec_to_input": "yes"}), "apply_b_dec_to_input"),
        (json!({"d_in": 3, "d_sae": 2, "architecture": 7}), "architecture"),
        (json!({"d_in": 3, "d_sae": 2, "normalize_activations": [1]}), "normalize_activations"),
    ] {
        let folder = Folder::new();
        folder.tensors("sae_weights.safetensors", &saelens("F32"));
        folder.config("cfg.json", &config);
        let error = folder.read().expect_err("a bad configuration");
        assert!(
            matches!(&error.problem, FileProblem::Setting { key: found, .. } if *found == key),
            "{error}"
        );
        assert!(error.to_string().contains("cfg.json"));
    }
    let folder = Folder::new();
    folder.tensors("sae_weights.safetensors", &saelens("F32"));
    fs::write(folder.path("cfg.json"), "{").expect("written");
    assert!(matches!(folder.read().expect_err("no JSON").problem, FileProblem::Json(_)));
    folder.config("cfg.json", &json!({"d_in": 4, "d_sae": 2}));
    assert!(matches!(folder.read().expect_err("other sizes").problem, FileProblem::Sizes { .. }));
}

fn bits(values: &[f64]) -> Vec<u64> {
    values.iter().map(|v| v.to_bits()).collect()
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(48))]

    #[test]
    fn a_written_dictionary_reads_back_bit_for_bit(
        (n, m, values, center) in (1_usize..6, 1_usize..6).prop_flat_map(|(n, m)| (
            Just(n), Just(m),
            proptest::collection::vec(-1e3..1e3_f64, n * m),
            proptest::collection::vec(-1e3..1e3_f64, n),
        )),
        lambda in 0.0..5.0_f64,
    ) {
        let raw = Matrix::from_column_major(n, m, values).expect("sizes agree");
        let Ok((dictionary, _)) = Dictionary::normalize(raw) else { return Ok(()) };
        let folder = Folder::new();
        let out = folder.path("sae");
        write_saelens(&out, &dictionary, Some(&center), lambda)?;
        // The configuration orients a square one.
        let sae = Sae::read(&out, &ReadOptions::default())?;
        prop_assert_eq!(bits(sae.decoder().as_slice()), bits(dictionary.matrix().as_slice()));
        prop_assert_eq!(bits(sae.decoder_bias().unwrap()), bits(&center));
        let folded = sae.fold()?;
        prop_assert_eq!(bits(folded.dictionary.matrix().as_slice()), bits(dictionary.matrix().as_slice()));
        prop_assert_eq!(folded.folding.rescaled_atoms, 0);
        // The encoder is one thresholding step: (d_kᵀ(x − b) − λ)₊.
        let x: Vec<f64> = (0..n).map(|i| center[i] + if i % 2 == 0 { 2.0 } else { -1.0 }).collect();
        let codes = sae.encode(&Matrix::from_columns(n, &[&x]), &folded)?;
        for k in 0..m {
            let inner: f64 = dictionary.atom(k).iter().zip(&x).zip(&center).map(|((d, x), b)| d * (x - b)).sum();
            let expected = (inner - lambda).clamp(0.0, f64::MAX);
            let found = codes.column(0).get(k).copied().unwrap_or(0.0);
            prop_assert!((found - expected).abs() <= 1e-9 * (1.0 + expected), "{} {}", found, expected);
        }
    }

    /// No alteration of a valid file makes the reader panic or give a number that is
    /// not finite.
    #[test]
    fn damaged_autoencoders_never_panic(at in 0_usize..420, with in any::<u8>(), keep in 0_usize..420) {
        let folder = Folder::new();
        let mut bytes = safetensors(&saelens("F32"));
        if let Some(byte) = bytes.get_mut(at) {
            *byte = with;
        }
        bytes.truncate(keep.max(at));
        fs::write(folder.path("sae_weights.safetensors"), bytes)?;
        if at % 2 == 0 {
            folder.config("cfg.json", &modern());
        }
        if let Ok(sae) = folder.read() {
            prop_assert!(sae.decoder().as_slice().iter().all(|v| v.is_finite()));
        }
    }
}

#[test]
fn what_cannot_be_written_is_an_error() {
    let folder = Folder::new();
    let (dictionary, _) = Dictionary::normalize(Matrix::from_columns(2, &[[1.0, 1.0]])).expect("an atom");
    assert!(write_saelens(&folder.path("a"), &Dictionary::empty(2), None, 0.1).is_err());
    assert!(write_saelens(&folder.path("a"), &dictionary, Some(&[0.0]), 0.1).is_err());
    fs::write(folder.path("file"), b"x").expect("written");
    let error = write_saelens(&folder.path("file"), &dictionary, None, 0.1).expect_err("a file is there");
    assert!(error.to_string().contains("file"));
}

/// A `.npy` file of version 1.0.
fn npy(descr: &str, fortran: &str, shape: &str, data: &[u8]) -> Vec<u8> {
    let header = format!("{{'descr': '{descr}', 'fortran_order': {fortran}, 'shape': {shape}, }}\n");
    let mut bytes = b"\x93NUMPY\x01\x00".to_vec();
    bytes.extend(u16::try_from(header.len()).expect("short").to_le_bytes());
    bytes.extend(header.as_bytes());
    bytes.extend(data);
    bytes
}

fn half_file(path: &Path) {
    let data: Vec<u8> =
        [1.0, 2.5, -3.0, 4.0, 0.5, 65504.0].iter().flat_map(|v| f16::from_f64(*v).to_le_bytes()).collect();
    fs::write(path, npy("<f2", "False", "(3, 2)", &data)).expect("written");
}

#[test]
fn half_precision_arrays_are_read() {
    let folder = Folder::new();
    half_file(&folder.path("x.npy"));
    let expected = Matrix::from_columns(2, &[[1.0, 2.5], [-3.0, 4.0], [0.5, 65504.0]]);
    assert_eq!(read_points(&folder.path("x.npy")).expect("a valid file"), expected);
}

#[test]
fn blocks_are_the_rows_of_the_whole() {
    let folder = Folder::new();
    let path = folder.path("x.npy");
    let rows = [[1.0, 2.0, 3.0], [4.0, 5.0, -6.5], [7.0, 8.0, 9.0], [0.25, 0.5, 0.75]];
    let c: Vec<f64> = rows.concat();
    let f: Vec<f64> = (0..3).flat_map(|j| rows.map(|r| r[j])).collect();
    let doubles = |v: &[f64]| -> Vec<u8> { v.iter().flat_map(|v| v.to_le_bytes()).collect() };
    let big: Vec<u8> = c.iter().flat_map(|v| v.to_be_bytes()).collect();
    for bytes in [
        npy("<f8", "False", "(4, 3)", &doubles(&c)),
        npy("<f8", "True", "(4, 3)", &doubles(&f)),
        npy(">f8", "False", "(4, 3)", &big),
    ] {
        fs::write(&path, bytes).expect("written");
        let mut reader = PointReader::open(&path).expect("a valid file");
        assert_eq!((reader.len(), reader.dim()), (4, 3));
        for (from, to) in [(0, 4), (1, 3), (3, 4), (2, 2)] {
            let block = reader.block(from..to).expect("finite");
            assert_eq!(block, Matrix::from_columns(3, &rows[from..to]));
        }
    }
    half_file(&path);
    let mut reader = PointReader::open(&path).expect("a valid file");
    assert_eq!(reader.block(1..2).expect("finite").col(0), [-3.0, 4.0]);
    let mut bad = c.clone();
    bad[7] = f64::NAN;
    fs::write(&path, npy("<f8", "False", "(4, 3)", &doubles(&bad))).expect("written");
    let mut reader = PointReader::open(&path).expect("the header is fine");
    assert!(reader.block(0..2).is_ok());
    let error = reader.block(1..4).expect_err("not finite");
    assert!(matches!(error.problem, FileProblem::NotFinite { row: 2, column: 1, .. }), "{error}");
    fs::write(&path, npy("<f8", "False", "(4, 3)", &doubles(&c)[..90])).expect("written");
    assert!(matches!(PointReader::open(&path).expect_err("short").problem, FileProblem::Length { .. }));
    fs::write(&path, npy("<i8", "False", "(4, 3)", &doubles(&c))).expect("written");
    assert!(matches!(PointReader::open(&path).expect_err("integers").problem, FileProblem::Type { .. }));
}

/// What `data/README.md` says of the autoencoder that travels with the project.
#[test]
fn the_small_autoencoder_of_the_project_is_read() {
    let data = Path::new(env!("CARGO_MANIFEST_DIR")).join("data");
    let points = read_points(&data.join("tokens_512.npy")).expect("f16");
    assert_eq!((points.nrows(), points.ncols()), (384, 512));
    let sae = Sae::read(&data.join("sae_tokens_128"), &ReadOptions::default()).expect("a SAELens folder");
    assert_eq!((sae.layout(), sae.dim(), sae.atoms()), (Layout::Saelens, 384, 128));
    let folded = sae.fold().expect("atoms");
    // f32 rounding of unit atoms.
    assert!(folded.folding.shortest_atom > 1.0 - 1e-6 && folded.folding.longest_atom < 1.0 + 1e-6);
    let codes = sae.encode(&points, &folded).expect("a ReLU encoder");
    // In f32 the training counted one code more, of rounding size.
    assert_eq!(codes.nnz(), 3585);
    let problem = widedict::Problem::builder(points).lambda(0.75).centered(true).build().expect("valid");
    let thresholds = widedict::diagnose::Thresholds::default();
    let trained = widedict::diagnose::Trained {
        dictionary: &folded.dictionary,
        center: folded.center.as_deref(),
        codes: Some(&codes),
    };
    let found = widedict::diagnose::diagnose(&problem, &trained, &thresholds, &()).expect("a diagnosis");
    let given = found.codes.given.expect("codes were given");
    assert!((given.objective - 29.825_663).abs() < 1e-4, "as its training printed: {}", given.objective);
    let gap = found.codes.amortisation_gap.expect("codes were given");
    assert!(gap > 0.0 && gap <= given.gap);
    assert!(found.dictionary.lower_bound.get() < found.codes.exact.objective);
}
