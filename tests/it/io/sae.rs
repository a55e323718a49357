//! Sparse autoencoders from files: layouts, orientation, folding, hostile files, and
//! what is written reads back bit for bit.

use std::fs;
use std::path::{Path, PathBuf};

use half::{bf16, f16};
use proptest::prelude::*;
use serde_json::{Value, json};
use tempfile::TempDir;
use widedict::io::sae::{
    Activations, Atoms, Batch, FoldError, Folded, Kind, Layout, NoEncoder, NoLambda, ReadOptions,
};
use widedict::io::{FileError, FileProblem, PointReader, Sae, read_points, write_saelens};
use widedict::{Codes, Dictionary, Matrix};

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

/// An autoencoder with one datapoint, and its codes.
fn folded(sae: &Sae, x: &[f64]) -> (Folded, Codes) {
    let folded = sae.fold(Activations::of(Matrix::from_columns(x.len(), &[x]))).expect("they go together");
    let codes = sae.encode(&folded, Batch::Inference).expect("codes");
    (folded, codes)
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
            let (folded, codes) = folded(&sae, &[1.5, 1.0, 7.0]);
            assert_eq!(folded.dictionary.atom(0), [1.0, 0.0, 0.0]);
            let f = &folded.folding;
            assert_eq!((f.rescaled_atoms, f.shortest_atom, f.longest_atom), (1, 1.0, 2.0));
            assert_eq!(f.encoder_subtracts_bias, Some(true));
            // f = relu((x − b)W_enc + b_enc) = (2·1 − 0.5, 1 + 0.25): times the lengths.
            assert_eq!((codes.column(0).get(0), codes.column(0).get(1)), (Some(&3.0), Some(&1.25)));
            let wrong = sae.fold(Activations::of(Matrix::zeros(2, 1)));
            assert_eq!(wrong, Err(FoldError::Dimension { what: "data", expected: 3, found: 2 }));
            // λ is half the coefficient of a loss without the factor ½.
            let lambda = sae.lambda(&folded).map(f64::from);
            assert_eq!(lambda, config["l1_coefficient"].as_f64().map(|l1| l1 / 2.0).ok_or(NoLambda::Absent));
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
    let (folded, codes) = folded(&sae, &[1.5, 1.0, 7.0]);
    assert_eq!(folded.folding.encoder_subtracts_bias, Some(false));
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
    let (_, codes) = folded(&sae, &[1.5, 1.0, 7.0]);
    assert_eq!((codes.column(0).get(0), codes.column(0).get(1)), (Some(&3.0), Some(&1.25)));
    folder.config("config.json", &trainer("SomethingElse"));
    let sae = folder.read().expect("readable");
    assert_eq!(sae.no_encoder(), Some(&NoEncoder::Architecture("SomethingElse".into())));
    assert_eq!(sae.decoder().as_slice(), DECODER);

    let folder = Folder::new();
    folder.tensors("sae.safetensors", &[("W_dec", "F32", &[2, 3], &DECODER), ("b_dec", "F32", &[3], &BIAS)]);
    folder.config("cfg.json", &json!({"num_latents": 2, "d_in": 3, "k": 2, "expansion_factor": 32}));
    let sae = folder.read().expect("readable");
    assert_eq!((sae.layout(), sae.architecture()), (Layout::Sparsify, "topk"));
    let folded = sae.fold(Activations::of(Matrix::zeros(3, 1))).expect("atoms");
    let refused = sae.encode(&folded, Batch::Inference).expect_err("no encoder").to_string();
    assert!(refused.contains("W_enc"), "{refused}");
}

#[test]
fn encoders_that_are_not_known_are_refused_and_the_decoder_is_taken() {
    for (key, value, expected) in [
        ("architecture", json!("temporal"), NoEncoder::Architecture("temporal".into())),
        ("architecture", json!("jumprelu"), NoEncoder::Missing("threshold".into())),
        ("architecture", json!("gated"), NoEncoder::Missing("b_gate, b_mag or r_mag".into())),
        ("architecture", json!("abstopk"), NoEncoder::Signed("AbsTopK".into())),
        ("activation_fn_str", json!("tanh-relu"), NoEncoder::Activation("tanh-relu".into())),
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
        // The encoder is one thresholding step: (d_kᵀ(x − b) − λ)₊.
        let x: Vec<f64> = (0..n).map(|i| center[i] + if i % 2 == 0 { 2.0 } else { -1.0 }).collect();
        let (folded, codes) = folded(&sae, &x);
        prop_assert_eq!(sae.lambda(&folded).map(f64::from), Ok(lambda));
        prop_assert_eq!(bits(folded.dictionary.matrix().as_slice()), bits(dictionary.matrix().as_slice()));
        prop_assert_eq!(folded.folding.rescaled_atoms, 0);
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
    let folded = sae.fold(Activations::of(points)).expect("atoms");
    // f32 rounding of unit atoms.
    assert!(folded.folding.shortest_atom > 1.0 - 1e-6 && folded.folding.longest_atom < 1.0 + 1e-6);
    let codes = sae.encode(&folded, Batch::Inference).expect("a ReLU encoder");
    // In f32 the training counted one code more, of rounding size.
    assert_eq!(codes.nnz(), 3585);
    let problem =
        widedict::Problem::builder(folded.points.clone()).lambda(0.75).centered(true).build().expect("valid");
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

/// The folder of fixtures that `tests/sae/compare.py` made with the real packages.
fn fixtures() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/sae/fixtures")
}

fn rows(value: &Value) -> Matrix {
    let rows: Vec<Vec<f64>> = serde_json::from_value(value.clone()).expect("rows of numbers");
    Matrix::from_columns(rows[0].len(), &rows)
}

/// Codes, objective and L0 are those of every package's own `encode` and `decode`.
#[test]
fn codes_are_those_of_the_packages() {
    let root = fixtures();
    let expected: Value = widedict::io::read_json(&root.join("expected.json")).expect("expected numbers");
    let lambda = expected["lambda"].as_f64().expect("a price");
    let cases = expected["cases"].as_object().expect("cases");
    assert!(cases.len() > 30);
    for (name, case) in cases {
        let sae =
            Sae::read(&root.join(name), &ReadOptions::default()).unwrap_or_else(|e| panic!("{name}: {e}"));
        assert_eq!(sae.no_encoder(), None, "{name}");
        let inputs = (!case["inputs"].is_null()).then(|| rows(&case["inputs"]));
        assert_eq!(sae.kind() == Kind::Transcoder, inputs.is_some(), "{name}");
        let activations = Activations { points: rows(&case["x"]), inputs };
        let folded = sae.fold(activations).unwrap_or_else(|e| panic!("{name}: {e}"));
        let batch = if case["per_batch"] == true { Batch::Whole } else { Batch::Inference };
        let found = sae.activations(&folded, batch).expect("codes");
        let codes = rows(&case["codes"]);
        let largest = codes.as_slice().iter().copied().fold(0.0, widedict::num::max);
        for i in 0..codes.ncols() {
            let column = found.column(i);
            for k in 0..codes.nrows() {
                let (found, expected) = (column.get(k).copied().unwrap_or(0.0), codes.get(k, i));
                assert_eq!(found > 0.0, expected > 0.0, "{name}: datapoint {i}, atom {k}");
                assert!((found - expected).abs() <= 1e-5 * largest, "{name}: {found} for {expected}");
            }
        }
        let near = |found: f64, key: &str| {
            let expected = case[key].as_f64().expect("a number");
            assert!((found - expected).abs() <= 1e-6 * expected, "{name}, {key}: {found} for {expected}");
        };
        near(found.mean_l0(), "mean_l0");
        let codes = folded.of_stored(&found).expect("codes of unit atoms");
        assert_eq!(folded.to_stored(&codes).expect("and back").nnz(), found.nnz(), "{name}");
        near(objective(&folded, &codes, lambda), "objective");
    }
}

/// `½‖x − b − Dz‖² + λ Σ z`, a mean over the datapoints, by loops.
fn objective(folded: &Folded, codes: &Codes, lambda: f64) -> f64 {
    let count = f64::from(u32::try_from(codes.datapoints()).expect("few"));
    (0..codes.datapoints())
        .map(|i| {
            let mut left = folded.points.col(i).to_vec();
            if let Some(center) = &folded.center {
                left.iter_mut().zip(center).for_each(|(l, b)| *l -= b);
            }
            let mut price = 0.0;
            for (k, z) in codes.column(i).iter() {
                price += lambda * z;
                left.iter_mut().zip(folded.dictionary.atom(k)).for_each(|(l, d)| *l -= z * d);
            }
            (0.5 * left.iter().map(|l| l * l).sum::<f64>() + price) / count
        })
        .sum()
}

#[test]
fn signed_codes_are_refused_by_name() {
    let sae = Sae::read(&fixtures().join("saelens-abstopk"), &ReadOptions::default()).expect("readable");
    let error = sae.fold(Activations::of(Matrix::zeros(4, 2))).expect_err("signed").to_string();
    assert!(error.contains("AbsTopK") && error.contains("signed"), "{error}");
}

/// Every program's decoder bias is the center, whatever its name and shape.
#[test]
fn no_decoder_bias_is_dropped() {
    for (name, shape) in [
        ("b_dec", &[3][..]),
        ("b_dec", &[1, 3]),
        ("decoder.bias", &[3]),
        ("bias", &[3]),
        ("decoder_bias", &[3, 1]),
        ("pre_bias", &[3]),
    ] {
        let folder = Folder::new();
        folder.tensors("a.safetensors", &[("W_dec", "F32", &[2, 3], &DECODER), (name, "F32", shape, &BIAS)]);
        assert_eq!(folder.read().expect("readable").decoder_bias(), Some(&BIAS[..]), "{name} {shape:?}");
    }
    let folder = Folder::new();
    let two = [
        ("W_dec", "F32", &[2, 3][..], &DECODER[..]),
        ("b_dec", "F32", &[3], &BIAS),
        ("bias", "F32", &[3], &BIAS),
    ];
    folder.tensors("a.safetensors", &two);
    assert!(matches!(problem(&folder, ReadOptions::default()), FileProblem::TwoNames { .. }));
    let folder = Folder::new();
    folder.tensors(
        "a.safetensors",
        &[("W_dec", "F32", &[2, 3], &DECODER), ("output_shift", "F32", &[3], &BIAS)],
    );
    let options = ReadOptions { dim: Some(3), atoms: None };
    let error = Sae::read(folder.0.path(), &options).expect_err("it may change the reconstruction");
    assert!(matches!(error.problem, FileProblem::UnknownTensor { .. }));
    assert!(error.to_string().contains("output_shift"), "{error}");
}

/// A square matrix lies as its class stores tensors of that name.
#[test]
fn square_matrices_lie_as_their_class_has_them() {
    let square = [1.0, 2.0, 3.0, 4.0];
    let zero = [0.0, 0.0];
    let trainer =
        |class: &str| json!({"trainer": {"activation_dim": 2, "dict_size": 2, "dict_class": class, "k": 1}});
    let rows: [(&str, Value); 5] = [
        ("W_dec", trainer("JumpReluAutoEncoder")),
        ("W_dec", trainer("MatryoshkaBatchTopKSAE")),
        ("W_dec", json!({"d_in": 2, "d_sae": 2})),
        ("W_dec", json!({"d_in": 2, "num_latents": 2, "k": 1})),
        ("w_dec", json!({"architecture": "jump_relu", "width": 2})),
    ];
    let columns = [
        ("decoder.weight", trainer("AutoEncoderNew")),
        (
            "decoder.weight",
            json!({"d_model": 2, "d_sae": 2, "act_fn": "relu", "norm_activation": "inference"}),
        ),
    ];
    let all = rows.into_iter().map(|r| (r, [1.0, 2.0])).chain(columns.into_iter().map(|c| (c, [1.0, 3.0])));
    for ((name, config), atom) in all {
        let folder = Folder::new();
        folder.tensors("ae.safetensors", &[(name, "F64", &[2, 2], &square), ("b_enc", "F64", &[2], &zero)]);
        folder.config("config.json", &config);
        assert_eq!(folder.read().expect("oriented").decoder().col(0), atom, "{name} {config}");
    }
}

/// Units: a stored scale, one of the data, one by one, and none that is known.
#[test]
fn units_are_brought_together_or_refused() {
    let x = Matrix::from_columns(3, &[[3.0, 0.0, 4.0], [0.0, 5.0, 0.0]]);
    let with = |how: Value, more: &[(&str, Value)]| {
        let folder = Folder::new();
        folder.tensors("sae_weights.safetensors", &saelens("F64"));
        let mut config = modern();
        config["normalize_activations"] = how;
        config["l1_coefficient"] = json!(1.0);
        config["metadata"] = Value::Null;
        for (key, value) in more {
            config[*key] = value.clone();
        }
        folder.config("cfg.json", &config);
        folder
    };
    // Data of mean length 5 in dimension 3: the scale is √3/5, as version 5 meant by `true`.
    let estimated = 3.0_f64.sqrt() / 5.0;
    for (how, more, scale) in [
        (json!("expected_average_only_in"), vec![], estimated),
        (json!(true), vec![], estimated),
        (json!(true), vec![("sae_lens_version", json!("5.10.1"))], estimated),
        (json!("expected_average_only_in"), vec![("norm_scaling_factor", json!(0.5))], 0.5),
        (json!(false), vec![], 1.0),
        (Value::Null, vec![], 1.0),
    ] {
        let sae = with(how.clone(), &more).read().expect("readable");
        let folded = sae.fold(Activations::of(x.clone())).expect("one system of units");
        assert_eq!((&folded.points, folded.folding.scale), (&x, scale), "{how}");
        let center = folded.center.as_ref().expect("a center");
        assert!(center.iter().zip(BIAS).all(|(c, b)| (c - b / scale).abs() < 1e-12), "{center:?}");
        let lambda = sae.lambda(&folded).expect("a price").get();
        assert!((lambda - 0.5 / scale).abs() < 1e-12);
        assert_eq!(folded.folding.units.is_some(), scale != 1.0);
        // f = relu((sx − b)W + c) in any units; a unit atom's is f‖d‖/s.
        let stored = sae.activations(&folded, Batch::Inference).expect("codes");
        let first = widedict::num::max(2.0 * (3.0 * scale - 0.5) - 0.5, 0.0);
        assert!((stored.column(0).get(0).copied().unwrap_or(0.0) - first).abs() < 1e-12);
        let unit = folded.of_stored(&stored).expect("unit atoms");
        assert!((unit.column(0).get(0).copied().unwrap_or(0.0) - 2.0 * first / scale).abs() < 1e-12);
    }
    for how in ["layer_norm", "constant_norm_rescale"] {
        let sae = with(json!(how), &[]).read().expect("readable");
        let folded = sae.fold(Activations::of(x.clone())).expect("normalized");
        assert!(folded.points != x && folded.folding.units.is_some());
        assert!(matches!(sae.lambda(&folded), Err(NoLambda::Units(_))), "the loss weighed datapoints");
    }
    let zero = with(json!("constant_norm_rescale"), &[]).read().expect("readable");
    let error = zero.fold(Activations::of(Matrix::zeros(3, 2))).expect_err("no direction");
    assert!(matches!(error, FoldError::Normalization { datapoint: 0, .. }));
    for (how, word) in [
        ("covariance_whitening", "activation_whitening.safetensors"),
        ("z_score", "z_score"),
        ("z_score", "cfg.json"),
    ] {
        let error = with(json!(how), &[]).read().expect_err("no units").to_string();
        assert!(error.contains(word), "{error}");
    }
    // Version 6 has no booleans.
    let error = with(json!(true), &[("sae_lens_version", json!("6.1.0"))]).read().expect_err("a boolean");
    assert!(matches!(error.problem, FileProblem::Setting { key: "normalize_activations", .. }));
}

/// λ is read in every place, and refused where the loss had none.
#[test]
fn a_price_is_read_or_refused_with_the_reason() {
    let lambda = |more: Value| {
        let folder = Folder::new();
        let mut tensors = saelens("F64");
        tensors[0].3 = &[1.0, 0.0, 0.0, 0.0, 1.0, 0.0];
        folder.tensors("sae_weights.safetensors", &tensors);
        let mut config = modern();
        for (key, value) in more.as_object().expect("an object") {
            config[key] = value.clone();
        }
        folder.config("cfg.json", &config);
        let sae = folder.read().expect("readable");
        let folded = sae.fold(Activations::of(Matrix::zeros(3, 1))).expect("units");
        sae.lambda(&folded).map(f64::from)
    };
    let details = |details: Value| json!({"metadata": {"training_architecture": "standard", "training_architecture_details": details}});
    assert_eq!(lambda(json!({"l1_coefficient": 0.2})), Ok(0.1));
    assert_eq!(lambda(details(json!({"l1_coefficient": 0.2, "lp_norm": 1.0}))), Ok(0.1));
    assert_eq!(
        lambda(json!({"l1_coefficient": 0.2, "lp_norm": 1, "mse_loss_normalization": "none"})),
        Ok(0.1)
    );
    assert_eq!(
        lambda(json!({"l1_coefficient": 0.2, "scale_sparsity_penalty_by_decoder_norm": false})),
        Ok(0.1)
    );
    assert_eq!(lambda(json!({})), Err(NoLambda::Absent));
    assert_eq!(lambda(json!({"l1_coefficient": -1.0})), Err(NoLambda::Value(-1.0)));
    assert_eq!(lambda(json!({"l1_coefficient": 0.2, "lp_norm": 0.5})), Err(NoLambda::LpNorm(0.5)));
    assert_eq!(lambda(details(json!({"l1_coefficient": 0.2, "lp_norm": 2.0}))), Err(NoLambda::LpNorm(2.0)));
    assert_eq!(
        lambda(json!({"l1_coefficient": 0.2, "mse_loss_normalization": "dense_batch"})),
        Err(NoLambda::NormalizedError("dense_batch".into()))
    );
    let gated = json!({"metadata": {"training_architecture": "gated", "training_architecture_details": {"l1_coefficient": 0.2}}});
    assert_eq!(lambda(gated), Err(NoLambda::Loss("gated".into())));
    assert!(matches!(
        lambda(json!({"l1_coefficient": 0.2, "architecture": "topk", "k": 1})),
        Err(NoLambda::Loss(_))
    ));

    let folder = Folder::new();
    folder.tensors(
        "ae.safetensors",
        &[("decoder.weight", "F32", &[3, 2], &TRANSPOSED), ("bias", "F32", &[3], &BIAS)],
    );
    let price = |more: Value| {
        let mut trainer =
            json!({"activation_dim": 3, "dict_size": 2, "dict_class": "AutoEncoder", "l1_penalty": 0.2});
        for (key, value) in more.as_object().expect("an object") {
            trainer[key] = value.clone();
        }
        folder.config("config.json", &json!({"trainer": trainer}));
        let sae = folder.read().expect("readable");
        let folded = sae.fold(Activations::of(Matrix::zeros(3, 1))).expect("units");
        sae.lambda(&folded).map(f64::from)
    };
    let april = |factor: Value| json!({"trainer_class": "StandardTrainerAprilUpdate", "norm_factor": factor});
    assert_eq!(price(april(Value::Null)), Ok(0.1));
    assert_eq!(price(april(json!(3.0))), Ok(0.1 * 3.0));
    // Not weighted by lengths, one of which is 2.
    assert_eq!(price(json!({"trainer_class": "StandardTrainer"})), Err(NoLambda::Lengths));
    assert_eq!(
        price(json!({"trainer_class": "PAnnealTrainer"})),
        Err(NoLambda::Loss("PAnnealTrainer".into()))
    );
}

#[test]
fn atoms_of_length_zero_are_left_out_and_the_others_keep_their_numbers() {
    let folder = Folder::new();
    let decoder = [0.0, 0.0, 0.0, 0.0, 3.0, 0.0, 0.0, 0.0, 0.0, 1.0, 0.0, 0.0];
    let encoder = [0.0, 0.0, 0.0, 1.0, 0.0, 1.0, 0.0, 0.0, 1.0, 0.0, 0.0, 0.0];
    folder.tensors(
        "sae_weights.safetensors",
        &[
            ("W_dec", "F64", &[4, 3], &decoder),
            ("W_enc", "F64", &[3, 4], &encoder),
            ("b_enc", "F64", &[4], &[0.0; 4]),
            ("b_dec", "F64", &[3], &[0.0; 3]),
        ],
    );
    folder.config("cfg.json", &json!({"d_in": 3, "d_sae": 4}));
    let sae = folder.read().expect("readable");
    let (found, codes) = folded(&sae, &[2.0, 1.0, 5.0]);
    assert_eq!((&found.kept[..], &found.folding.dropped_atoms[..]), (&[1, 3][..], &[0, 2][..]));
    assert_eq!((codes.atoms(), codes.column(0).get(0), codes.column(0).get(1)), (2, Some(&3.0), Some(&2.0)));
    let stored = sae.activations(&found, Batch::Inference).expect("codes");
    assert_eq!((stored.atoms(), stored.column(0).get(0)), (4, Some(&5.0)), "as the program has them");
    folder.tensors("sae_weights.safetensors", &[("W_dec", "F64", &[4, 3], &[0.0; 12])]);
    let error =
        folder.read().expect("readable").fold(Activations::of(Matrix::zeros(3, 1))).expect_err("none");
    assert_eq!(error, FoldError::NoAtoms { count: 4 });
}

#[test]
fn transcoders_need_their_inputs_and_crosscoders_their_layers() {
    let sae =
        Sae::read(&fixtures().join("saelens-skip-transcoder"), &ReadOptions::default()).expect("readable");
    assert_eq!((sae.kind(), sae.dim()), (Kind::Transcoder, 6));
    let y = Matrix::zeros(6, 2);
    assert_eq!(sae.fold(Activations::of(y.clone())), Err(FoldError::Transcoder));
    let with = |inputs| sae.fold(Activations { points: y.clone(), inputs: Some(inputs) });
    assert!(matches!(
        with(Matrix::zeros(3, 2)),
        Err(FoldError::Dimension { what: "inputs", expected: 4, .. })
    ));
    assert!(matches!(with(Matrix::zeros(4, 3)), Err(FoldError::Inputs { expected: 2, found: 3 })));
    assert!(with(Matrix::zeros(4, 2)).expect("outputs with inputs").folding.skip_subtracted);
    let plain = Sae::read(&fixtures().join("saelens-standard"), &ReadOptions::default()).expect("readable");
    let inputs = Some(Matrix::zeros(4, 2));
    assert_eq!(
        plain.fold(Activations { points: Matrix::zeros(4, 2), inputs }),
        Err(FoldError::NotTranscoder)
    );

    // What every program says of one.
    let trainer = json!({"activation_dim": 3, "dict_size": 2, "dict_class": "AutoEncoder"});
    let hooks = |out: &str| {
        json!({"d_model": 3, "d_sae": 2, "act_fn": "relu", "norm_activation": "inference",
                                   "hook_point_in": "a", "hook_point_out": out})
    };
    for (config, kind) in [
        (json!({"trainer": trainer, "buffer": {"io": "in_and_out"}}), Kind::Transcoder),
        (json!({"trainer": trainer, "buffer": {"io": "out"}}), Kind::Autoencoder),
        (json!({"d_in": 3, "num_latents": 2, "k": 1, "transcode": true}), Kind::Transcoder),
        (json!({"d_in": 3, "num_latents": 2, "k": 1}), Kind::Autoencoder),
        (hooks("b"), Kind::Transcoder),
        (hooks("a"), Kind::Autoencoder),
        (
            json!({"architecture": "jump_relu", "hf_hook_point_in": "a", "hf_hook_point_out": "b"}),
            Kind::Transcoder,
        ),
        (json!({"d_in": 3, "d_sae": 2, "d_out": 3, "architecture": "jumprelu_transcoder"}), Kind::Transcoder),
    ] {
        let folder = Folder::new();
        folder.tensors("ae.safetensors", &saelens("F32"));
        folder.config("config.json", &config);
        assert_eq!(folder.read().expect("readable").kind(), kind, "{config}");
    }

    // Two layers of dimension 2, three atoms: the layers stand side by side.
    let folder = Folder::new();
    let values: Vec<f64> = (1..=12).map(f64::from).collect();
    folder.tensors(
        "ae.safetensors",
        &[
            ("decoder.weight", "F64", &[2, 3, 2], &values),
            ("decoder.bias", "F64", &[2, 2], &[1.0, 2.0, 3.0, 4.0]),
            ("encoder.weight", "F64", &[2, 2, 3], &values),
            ("encoder.bias", "F64", &[3], &[0.0; 3]),
        ],
    );
    folder.config(
        "config.json",
        &json!({"trainer": {"dict_class": "CrossCoder", "activation_dim": 2, "dict_size": 3}}),
    );
    let sae = folder.read().expect("readable");
    assert_eq!(
        (sae.kind(), sae.dim(), sae.decoder().col(1)),
        (Kind::Crosscoder, 4, &[3.0, 4.0, 9.0, 10.0][..])
    );
    let error = sae.fold(Activations::of(Matrix::zeros(2, 1))).expect_err("one layer").to_string();
    assert!(error.contains("2 layers") && error.contains("4 columns"), "{error}");
    let (_, codes) = folded(&sae, &[1.0, 0.0, 0.0, 1.0]);
    let length = [3.0_f64, 4.0, 9.0, 10.0].iter().map(|v| v * v).sum::<f64>().sqrt();
    // Sum over layers of x W: 2 + 11.
    assert!((codes.column(0).get(1).expect("active") - 13.0 * length).abs() < 1e-9);
}

/// As many atoms as dimensions: the program says which axis counts the atoms.
#[test]
fn a_crosscoder_may_have_as_many_atoms_as_dimensions() {
    let folder = Folder::new();
    let values: Vec<f64> = (1..=8).map(f64::from).collect();
    folder.tensors(
        "ae.safetensors",
        &[
            ("decoder.weight", "F64", &[2, 2, 2], &values),
            ("decoder.bias", "F64", &[2, 2], &[0.0; 4]),
            ("encoder.weight", "F64", &[2, 2, 2], &values),
            ("encoder.bias", "F64", &[2], &[0.0; 2]),
        ],
    );
    let trainer = json!({"dict_class": "CrossCoder", "activation_dim": 2, "dict_size": 2});
    folder.config("config.json", &json!({ "trainer": trainer }));
    let sae = folder.read().expect("readable");
    // weight[layer][atom][coordinate]
    assert_eq!(
        (sae.decoder().col(0), sae.decoder().col(1)),
        (&[1.0, 2.0, 5.0, 6.0][..], &[3.0, 4.0, 7.0, 8.0][..])
    );
    let (_, codes) = folded(&sae, &[1.0, 0.0, 0.0, 1.0]);
    // weight[layer][coordinate][atom]: 1 + 7 and 2 + 8.
    let code = |k: usize, sum: f64| {
        let length = sae.decoder().col(k).iter().map(|v| v * v).sum::<f64>().sqrt();
        assert!((codes.column(0).get(k).expect("active") - sum * length).abs() < 1e-9);
    };
    code(0, 8.0);
    code(1, 10.0);
}

#[test]
fn a_mark_of_the_byte_order_is_passed_over_and_an_array_is_no_autoencoder() {
    let folder = Folder::new();
    folder.tensors("sae_weights.safetensors", &saelens("F32"));
    let config = serde_json::to_string(&modern()).expect("JSON");
    std::fs::write(folder.path("cfg.json"), format!("\u{feff}{config}")).expect("written");
    assert!(folder.read().is_ok());
    let array = folder.path("D.npy");
    std::fs::write(&array, b"\x93NUMPY").expect("written");
    let error = Sae::read(&array, &ReadOptions::default()).expect_err("an array").to_string();
    assert!(error.contains("--dictionary D.npy"), "{error}");
}

/// A trainer that writes another class's name is told by the tensors; tensors of another
/// architecture than the configuration's are no detail.
#[test]
fn tensors_decide_or_are_refused() {
    let encoder = [0.5, -1.0, 0.25, 1.0, 0.5, -0.5];
    let own =
        [("encoder.weight", "F64", &[2, 3][..], &encoder[..]), ("encoder.bias", "F64", &[2], &[0.1, 0.2])];
    let trainer = json!({"trainer": {"activation_dim": 3, "dict_size": 2, "dict_class": "AutoEncoder"}});
    for (name, subtracts) in [("decoder.bias", false), ("bias", true)] {
        let folder = Folder::new();
        let decoder = [("decoder.weight", "F64", &[3, 2][..], &DECODER[..]), (name, "F64", &[3], &BIAS)];
        folder.tensors("ae.safetensors", &[&own[..], &decoder].concat());
        folder.config("config.json", &trainer);
        let sae = folder.read().expect("readable");
        let (folded, _) = folded(&sae, &[1.0, 2.0, 3.0]);
        assert_eq!(folded.folding.encoder_subtracts_bias, Some(subtracts), "{name}");
        assert_eq!(sae.architecture() == "AutoEncoderNew", !subtracts);
    }
    for (architecture, name) in
        [("standard", "threshold"), ("standard", "r_mag"), ("gated", "threshold"), ("jumprelu", "b_gate")]
    {
        let folder = Folder::new();
        let foreign = (name, "F32", &[2][..], &[0.5, 0.5][..]);
        folder.tensors("sae_weights.safetensors", &[&saelens("F32")[..], &[foreign]].concat());
        folder.config("cfg.json", &json!({"d_in": 3, "d_sae": 2, "architecture": architecture}));
        let error = folder.read().expect_err("another architecture's").to_string();
        assert!(error.contains(name) && error.contains(architecture), "{error}");
    }
    let folder = Folder::new();
    folder.tensors("sae_weights.safetensors", &saelens("F32"));
    folder.config("cfg.json", &json!({"d_in": 3, "d_sae": 2, "architecture": "foo"}));
    let error = folder.read().expect_err("unknown").to_string();
    assert!(error.contains("foo"), "{error}");
    let folder = Folder::new();
    folder.tensors("sae_weights.safetensors", &saelens("F32"));
    let hooks = json!({"d_in": 3, "d_sae": 2, "hook_name": "mlp_in", "hook_name_out": "mlp_out"});
    folder.config("cfg.json", &hooks);
    let error =
        folder.read().expect("readable").fold(Activations::of(Matrix::zeros(3, 1))).expect_err("one side");
    assert!(error.to_string().starts_with("a transcoder"), "{error}");
    // One k is that of the weights, as the package reads its files.
    let folder = Folder::new();
    let k = ("k", "F32", &[1][..], &[1.0][..]);
    folder.tensors("sae_weights.safetensors", &[&saelens("F32")[..], &[k]].concat());
    folder.config("cfg.json", &json!({"d_in": 3, "d_sae": 2, "architecture": "topk", "k": 2}));
    let (_, codes) = folded(&folder.read().expect("readable"), &[3.0, 2.0, 3.0]);
    assert!(codes.nnz() <= 1);
}

#[test]
fn values_of_k_that_are_none_are_named() {
    for architecture in ["batchtopk", "matryoshka_batchtopk", "topk"] {
        for k in [json!(0), json!(-3.0), json!("8")] {
            let folder = Folder::new();
            folder.tensors("sae_weights.safetensors", &saelens("F32"));
            folder.config("cfg.json", &json!({"d_in": 3, "d_sae": 2, "architecture": architecture, "k": k}));
            let error = folder.read().expect_err("no k").to_string();
            assert!(error.contains("k: expected a") && error.contains(&k.to_string()), "{error}");
        }
    }
}

/// The threshold is stretched with the activations only where these are stretched by their
/// mean length.
#[test]
fn thresholds_of_llama_scope_are_those_of_its_units() {
    let reaches = |how: &str, point: f64| {
        let folder = Folder::new();
        folder.tensors(
            "final.safetensors",
            &[
                ("decoder.weight", "F64", &[1, 1], &[1.0]),
                ("decoder.bias", "F64", &[1], &[0.0]),
                ("encoder.weight", "F64", &[1, 1], &[1.0]),
                ("encoder.bias", "F64", &[1], &[0.0]),
            ],
        );
        folder.config(
            "hyperparams.json",
            &json!({"d_model": 1, "d_sae": 1, "act_fn": "jumprelu", "jump_relu_threshold": 1.0,
                    "norm_activation": how, "dataset_average_activation_norm": {"in": 0.25, "out": 0.25}}),
        );
        let sae = folder.read().expect("readable");
        folded(&sae, &[point]).1.column(0).nnz() == 1
    };
    // By their mean length: activations and threshold both become four times as long.
    for how in ["dataset-wise", "inference"] {
        assert!(!reaches(how, 0.9) && reaches(how, 1.1), "{how}");
    }
}

#[test]
fn other_layouts_are_found() {
    // Shards with an index.
    let folder = Folder::new();
    let all = saelens("BF16");
    folder.tensors("model-00001.safetensors", &all[..2]);
    folder.tensors("model-00002.safetensors", &all[2..]);
    let index = |last: &str| {
        json!({"weight_map": {"W_dec": "model-00001.safetensors", "W_enc": "model-00001.safetensors",
               "b_dec": "model-00002.safetensors", "b_enc": last}})
    };
    folder.config("model.safetensors.index.json", &index("model-00002.safetensors"));
    folder.config("cfg.json", &modern());
    let sae = folder.read().expect("shards");
    assert_eq!(
        (sae.decoder().as_slice(), sae.decoder_bias(), sae.no_encoder()),
        (&DECODER[..], Some(&BIAS[..]), None)
    );
    for bad in ["../model-00002.safetensors", "/etc/passwd", "model-00003.safetensors", ""] {
        folder.config("model.safetensors.index.json", &index(bad));
        assert!(folder.read().is_err(), "{bad}");
    }
    folder.config("model.safetensors.index.json", &json!({"weight_map": 3}));
    assert!(matches!(
        problem(&folder, ReadOptions::default()),
        FileProblem::Setting { key: "weight_map", .. }
    ));

    // A folder in a folder is entered; of several one has to be named.
    let outer = Folder::new();
    for name in ["width_16k/average_l0_7", "width_16k/average_l0_9"] {
        fs::create_dir_all(outer.path(name)).expect("made");
        fs::write(outer.path(name).join("sae.safetensors"), safetensors(&saelens("F32"))).expect("written");
        fs::write(outer.path(name).join("cfg.json"), modern().to_string()).expect("written");
        let found = outer.read();
        if name.ends_with('7') {
            assert_eq!(found.expect("the only one").decoder().as_slice(), DECODER);
        } else {
            let text = found.expect_err("two").to_string();
            assert!(text.contains("average_l0_7") && text.contains("average_l0_9"), "{text}");
        }
    }

    let folder = Folder::new();
    folder.tensors("model.safetensors", &saelens("F32"));
    folder.config("config.json", &json!({"model_type": "llama", "hidden_size": 3}));
    let error = folder.read().expect_err("another program").to_string();
    assert!(error.contains("model_type") && error.contains("config.json"), "{error}");
}
