//! Files: what is written reads back bit for bit, and hostile files are errors.

mod activations;
mod sae;
mod solution;

use std::fs;
use std::path::{Path, PathBuf};

use proptest::prelude::*;
use sprs::{CsMat, TriMat};
use tempfile::TempDir;
use widedict::atoms::AtomsError;
use widedict::io::{
    FileProblem, read_atoms, read_codes, read_json, read_points, read_vector, write_atoms, write_codes,
    write_json, write_vector,
};
use widedict::{Codes, Matrix};
use zip::ZipWriter;
use zip::write::SimpleFileOptions;

fn folder() -> TempDir {
    tempfile::tempdir().expect("a temporary folder")
}

/// A `.npy` file of version 1.0 with this dictionary as its header.
fn npy(header: &str, data: &[u8]) -> Vec<u8> {
    let mut bytes = b"\x93NUMPY\x01\x00".to_vec();
    let padded = header.len() + 1;
    bytes.extend(u16::try_from(padded).expect("a short header").to_le_bytes());
    bytes.extend(header.as_bytes());
    bytes.push(b'\n');
    bytes.extend(data);
    bytes
}

fn header(descr: &str, fortran: bool, shape: &str) -> String {
    let order = if fortran { "True" } else { "False" };
    format!("{{'descr': '{descr}', 'fortran_order': {order}, 'shape': {shape}, }}")
}

fn doubles(values: &[f64]) -> Vec<u8> {
    values.iter().flat_map(|v| v.to_le_bytes()).collect()
}

fn place(folder: &TempDir, bytes: &[u8]) -> PathBuf {
    let path = folder.path().join("x.npy");
    fs::write(&path, bytes).expect("written");
    path
}

fn bits(values: &[f64]) -> Vec<u64> {
    values.iter().map(|v| v.to_bits()).collect()
}

/// Finite numbers, the odd ones often.
fn number() -> impl Strategy<Value = f64> {
    prop_oneof![
        any::<f64>().prop_filter("finite", |v| v.is_finite()),
        Just(-0.0),
        Just(5e-324),
        Just(f64::MAX),
        Just(0.1),
    ]
}

fn matrix() -> impl Strategy<Value = Matrix> {
    (1_usize..6, 0_usize..6).prop_flat_map(|(n, m)| {
        proptest::collection::vec(number(), n * m)
            .prop_map(move |v| Matrix::from_column_major(n, m, v).expect("sizes agree"))
    })
}

fn codes() -> impl Strategy<Value = Codes> {
    (0_usize..5, 1_usize..6).prop_flat_map(|(m, n)| {
        let code = prop_oneof![3 => Just(0.0), 2 => 1e-300..1e3_f64, 1 => Just(5e-324)];
        proptest::collection::vec(code, m * n).prop_map(move |v| {
            let mut triplets = TriMat::new((m, n));
            for (at, value) in v.into_iter().enumerate().filter(|(_, v)| *v > 0.0) {
                triplets.add_triplet(at / n, at % n, value);
            }
            Codes::new(triplets.to_csc()).expect("positive codes")
        })
    })
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(64))]

    #[test]
    fn atoms_read_back_bit_for_bit(atoms in matrix()) {
        let folder = folder();
        let path = folder.path().join("d.npy");
        write_atoms(&path, &atoms)?;
        let back = read_atoms(&path)?;
        prop_assert_eq!((back.nrows(), back.ncols()), (atoms.nrows(), atoms.ncols()));
        prop_assert_eq!(bits(back.as_slice()), bits(atoms.as_slice()));
        prop_assert_eq!(fs::read_dir(folder.path())?.count(), 1, "no partial file is left");
    }

    #[test]
    fn vectors_read_back_bit_for_bit(values in proptest::collection::vec(number(), 0..9)) {
        let folder = folder();
        let path = folder.path().join("b.npy");
        write_vector(&path, &values)?;
        prop_assert_eq!(bits(&read_vector(&path)?), bits(&values));
    }

    #[test]
    fn codes_read_back_bit_for_bit(codes in codes()) {
        let folder = folder();
        let path = folder.path().join("z.npz");
        write_codes(&path, &codes)?;
        let back = read_codes(&path, codes.datapoints(), codes.atoms())?;
        let (found, expected) = (back.view(), codes.view());
        prop_assert_eq!(found.indices(), expected.indices());
        prop_assert_eq!(bits(found.data()), bits(expected.data()));
        prop_assert_eq!(back, codes);
    }

    #[test]
    fn json_numbers_read_back_bit_for_bit(values in proptest::collection::vec(number(), 0..9)) {
        let folder = folder();
        let path = folder.path().join("c.json");
        write_json(&path, &values)?;
        prop_assert_eq!(bits(&read_json::<Vec<f64>>(&path)?), bits(&values));
    }

    /// No mutation of a valid file makes a reader panic or take memory beyond it.
    #[test]
    fn damaged_arrays_never_panic(
        at in 0_usize..160, with in any::<u8>(), keep in 0_usize..220, version in 1_u8..4,
    ) {
        let folder = folder();
        let mut bytes = npy(&header("<f8", false, "(3, 4)"), &doubles(&[0.5; 12]));
        bytes[6] = version;
        if let Some(byte) = bytes.get_mut(at) {
            *byte = with;
        }
        bytes.truncate(keep);
        let path = place(&folder, &bytes);
        let _ = read_points(&path);
        let _ = read_vector(&path);
    }

    #[test]
    fn damaged_archives_never_panic(at in 0_usize..900, with in any::<u8>(), keep in 300_usize..1200) {
        let folder = folder();
        let path = folder.path().join("z.npz");
        write_codes(&path, &three_codes())?;
        let mut bytes = fs::read(&path)?;
        if let Some(byte) = bytes.get_mut(at) {
            *byte = with;
        }
        bytes.truncate(keep);
        fs::write(&path, bytes)?;
        if let Ok(codes) = read_codes(&path, 3, 2) {
            prop_assert_eq!((codes.datapoints(), codes.atoms()), (3, 2));
        }
    }
}

fn three_codes() -> Codes {
    Codes::new(CsMat::new_csc((2, 3), vec![0, 1, 1, 3], vec![1, 0, 1], vec![0.25, 1.0, 2.0])).expect("codes")
}

#[test]
fn orders_widths_and_byte_orders_agree() {
    let folder = folder();
    let rows = [[1.0, 2.0, 3.0], [4.0, 5.0, -6.5]];
    let expected = Matrix::from_columns(3, &rows);
    let c: Vec<f64> = rows.concat();
    let f: Vec<f64> = (0..3).flat_map(|j| rows.map(|r| r[j])).collect();
    let single = |v: &[f64]| -> Vec<u8> {
        #[expect(clippy::cast_possible_truncation, reason = "these numbers fit f32")]
        v.iter().flat_map(|v| (*v as f32).to_le_bytes()).collect()
    };
    let big: Vec<u8> = c.iter().flat_map(|v| v.to_be_bytes()).collect();
    for bytes in [
        npy(&header("<f8", false, "(2, 3)"), &doubles(&c)),
        npy(&header("<f8", true, "(2, 3)"), &doubles(&f)),
        npy(&header("<f4", false, "(2, 3)"), &single(&c)),
        npy(&header("<f4", true, "(2, 3)"), &single(&f)),
        npy(&header(">f8", false, "(2, 3)"), &big),
    ] {
        assert_eq!(read_points(&place(&folder, &bytes)).expect("a valid file"), expected);
    }
}

#[test]
fn the_first_bad_number_is_named_in_the_order_of_rows() {
    let folder = folder();
    let values = [1.0, 2.0, 3.0, f64::INFINITY, f64::NAN, 6.0];
    let path = place(&folder, &npy(&header("<f8", false, "(2, 3)"), &doubles(&values)));
    let error = read_points(&path).expect_err("not finite");
    assert!(
        matches!(error.problem, FileProblem::NotFinite { row: 1, column: 0, value } if value.is_infinite())
    );
    // Stored by columns: (0, 0), (1, 0), (0, 1), (1, 1), …
    let path = place(&folder, &npy(&header("<f8", true, "(2, 3)"), &doubles(&values)));
    let error = read_points(&path).expect_err("not finite");
    assert!(matches!(error.problem, FileProblem::NotFinite { row: 0, column: 2, .. }), "{error}");
    let text = error.to_string();
    assert!(text.contains("x.npy") && text.contains("row 0") && text.contains("column 2"), "{text}");
}

fn points_problem(bytes: &[u8]) -> FileProblem {
    let folder = folder();
    read_points(&place(&folder, bytes)).expect_err("a bad file").problem
}

#[test]
fn hostile_arrays_are_errors() {
    use FileProblem as P;
    let ok = doubles(&[1.0; 6]);
    let is = |bytes: &[u8], good: fn(&P) -> bool| {
        let problem = points_problem(bytes);
        assert!(good(&problem), "{problem:?}");
    };
    is(b"", |p| matches!(p, P::NotNpy(_)));
    is(b"\x93NUMPY", |p| matches!(p, P::NotNpy(_)));
    is(b"1.0,2.0\n3.0,4.0\n", |p| matches!(p, P::NotNpy(_)));
    is(&npy(&header("<f8", false, "(2, 3)"), &ok[..47]), |p| {
        matches!(p, P::Length { expected: 48, found: 47, .. })
    });
    is(&npy(&header("<f8", false, "(2, 3)"), &[&ok[..], &[0]].concat()), |p| {
        matches!(p, P::Length { expected: 48, found: 49, .. })
    });
    is(&npy(&header("<f8", false, "(1000000000, 1000000000)"), &ok), |p| matches!(p, P::Length { .. }));
    is(&npy(&header("<f8", false, "(4294967296, 4294967296)"), &ok), |p| matches!(p, P::HeaderContent));
    is(&npy(&header("<f8", false, "(4294967296, 4294967296, 0)"), &[]), |p| matches!(p, P::HeaderContent));
    is(&npy(&header("<f8", false, "(-2, 3)"), &ok), |p| matches!(p, P::NotNpy(_)));
    is(&npy(&header("<f8", false, "(6,)"), &ok), |p| matches!(p, P::Dimensions { .. }));
    is(&npy(&header("<f8", false, "()"), &ok[..8]), |p| matches!(p, P::Dimensions { .. }));
    is(&npy(&header("<f8", false, "(1, 2, 3)"), &ok), |p| matches!(p, P::Dimensions { .. }));
    is(&npy(&header("<f8", false, "(0, 3)"), &[]), |p| matches!(p, P::Empty { .. }));
    is(&npy(&header("<f8", false, "(3, 0)"), &[]), |p| matches!(p, P::Empty { .. }));
    for descr in ["<i8", "<u4", "<f2", "|O", "<c16", "|S8", "<U2", "|b1"] {
        let found = points_problem(&npy(&header(descr, false, "(2, 3)"), &ok));
        assert!(matches!(found, P::Type { .. } | P::Length { .. }), "{descr}: {found:?}");
    }
    let nested = format!("{{'descr': '<f8', 'fortran_order': False, 'shape': {}", "(".repeat(4000));
    is(&npy(&nested, &ok), |p| matches!(p, P::HeaderContent));
    is(&npy("nonsense", &ok), |p| matches!(p, P::NotNpy(_)));
    is(&npy("{'descr': '<f8', 'shape': (2, 3)}", &ok), |p| matches!(p, P::NotNpy(_)));
    let mut long = b"\x93NUMPY\x02\x00".to_vec();
    long.extend(u32::MAX.to_le_bytes());
    is(&long, |p| matches!(p, P::HeaderLength { .. }));
    let mut unknown = npy(&header("<f8", false, "(2, 3)"), &ok);
    unknown[6] = 9;
    is(&unknown, |p| matches!(p, P::NotNpy(_) | P::HeaderLength { .. }));
}

#[test]
fn files_that_are_not_files_are_errors() {
    let folder = folder();
    assert!(matches!(read_points(folder.path()).expect_err("a folder").problem, FileProblem::System(_)));
    let missing = folder.path().join("missing.npy");
    let error = read_points(&missing).expect_err("missing");
    assert!(error.to_string().contains("missing.npy"));
    assert!(write_vector(&missing.join("below"), &[1.0]).is_err());
}

#[test]
fn a_vector_may_be_a_row_or_a_column() {
    let folder = folder();
    for shape in ["(3,)", "(3, 1)", "(1, 3)"] {
        let path = place(&folder, &npy(&header("<f8", false, shape), &doubles(&[1.0, 2.0, 3.0])));
        assert_eq!(bits(&read_vector(&path).expect("a vector")), bits(&[1.0, 2.0, 3.0]));
    }
    let path = place(&folder, &npy(&header("<f8", false, "(2, 2)"), &doubles(&[1.0; 4])));
    assert!(matches!(read_vector(&path).expect_err("a matrix").problem, FileProblem::Dimensions { .. }));
}

/// Writes an archive of `.npy` files as NumPy does: sizes in 64 bits.
pub(crate) fn write_zip(path: &Path, files: &[(&str, Vec<u8>)]) {
    use std::io::Write;
    let mut zip = ZipWriter::new(fs::File::create(path).expect("created"));
    for (name, bytes) in files {
        zip.start_file(format!("{name}.npy"), SimpleFileOptions::default().large_file(true))
            .expect("an entry");
        zip.write_all(bytes).expect("written");
    }
    zip.finish().expect("finished");
}

fn integers(values: &[i64]) -> Vec<u8> {
    let data: Vec<u8> = values.iter().flat_map(|v| v.to_le_bytes()).collect();
    npy(&header("<i8", false, &format!("({},)", values.len())), &data)
}

/// What scipy stores, by hand: format, shape and the arrays of that format.
fn archive(path: &Path, format: &str, shape: [i64; 2], arrays: &[(&str, &[i64])], data: &[f64]) {
    let text = header(&format!("|S{}", format.len()), false, "()");
    let mut files = vec![("format", npy(&text, format.as_bytes())), ("shape", integers(&shape))];
    files.extend(arrays.iter().map(|(name, values)| (*name, integers(values))));
    files.push(("data", npy(&header("<f8", false, &format!("({},)", data.len())), &doubles(data))));
    write_zip(path, &files);
}

#[test]
fn the_sparse_formats_agree() {
    let folder = folder();
    let path = folder.path().join("z.npz");
    // Datapoints × atoms: [[0, 0.25], [0, 0], [1, 2]], unsorted and with a sum.
    archive(&path, "csr", [3, 2], &[("indices", &[1, 1, 0]), ("indptr", &[0, 1, 1, 3])], &[0.25, 2.0, 1.0]);
    assert_eq!(read_codes(&path, 3, 2).expect("csr"), three_codes());
    archive(&path, "csc", [3, 2], &[("indices", &[2, 2, 0]), ("indptr", &[0, 1, 3])], &[1.0, 2.0, 0.25]);
    assert_eq!(read_codes(&path, 3, 2).expect("csc"), three_codes());
    archive(&path, "coo", [3, 2], &[("row", &[2, 0, 2, 2]), ("col", &[1, 1, 0, 1])], &[0.5, 0.25, 1.0, 1.5]);
    assert_eq!(read_codes(&path, 3, 2).expect("coo"), three_codes());
}

/// `np.savez` of one array is read like the array; of none or several it is an
/// error that names them.
#[test]
fn an_archive_of_one_array_is_read_like_the_array() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("x.npz");
    let array = npy(&header("<f8", false, "(2, 3)"), &doubles(&[1.0, 2.0, 3.0, 4.0, 5.0, 6.0]));
    let write = |names: &[&str]| {
        let files: Vec<_> = names.iter().map(|name| (*name, array.clone())).collect();
        write_zip(&path, &files);
    };
    write(&["activations"]);
    let read = read_points(&path).unwrap();
    assert_eq!((read.nrows(), read.ncols(), read.col(1)), (3, 2, &[4.0, 5.0, 6.0][..]));
    write(&["a", "b"]);
    let error = read_points(&path).unwrap_err().to_string();
    assert!(error.contains("x.npz") && error.contains("\"a\", \"b\""), "{error}");
    fs::write(&path, b"PK\x03\x04 and nothing else").unwrap();
    assert!(read_points(&path).unwrap_err().to_string().contains("not a .npz archive"));
}

/// The time of an archive's first entry is the format's epoch: the same codes are
/// the same bytes whenever they are written.
#[test]
fn an_archive_of_codes_carries_no_time() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("codes.npz");
    write_codes(&path, &three_codes()).unwrap();
    let bytes = fs::read(&path).unwrap();
    assert_eq!(bytes[10..14], [0, 0, 0x21, 0]);
}

#[test]
fn hostile_codes_are_errors() {
    use FileProblem as P;
    let folder = folder();
    let path = folder.path().join("z.npz");
    let is = |good: fn(&P) -> bool| {
        let error = read_codes(&path, 3, 2).expect_err("bad codes");
        assert!(good(&error.problem), "{error}");
        assert!(error.to_string().contains("z.npz"));
    };
    let csr = |indices: &[i64], indptr: &[i64], data: &[f64]| {
        archive(&path, "csr", [3, 2], &[("indices", indices), ("indptr", indptr)], data);
    };
    csr(&[2], &[0, 1, 1, 1], &[1.0]);
    is(|p| matches!(p, P::Index { position: 0, most: 1, found: 2, .. }));
    csr(&[-1], &[0, 1, 1, 1], &[1.0]);
    is(|p| matches!(p, P::Index { found: -1, .. }));
    csr(&[0, 1], &[0, 2, 1, 2], &[1.0, 1.0]);
    is(|p| matches!(p, P::Index { position: 2, found: 1, .. }));
    csr(&[0, 1], &[0, 1, 1, 1], &[1.0, 1.0]);
    is(|p| matches!(p, P::Index { position: 3, .. }));
    csr(&[0, 1], &[0, 1, 1, 9], &[1.0, 1.0]);
    is(|p| matches!(p, P::Index { position: 3, found: 9, .. }));
    csr(&[0, 1], &[0, 2], &[1.0, 1.0]);
    is(|p| matches!(p, P::Count { expected: 4, found: 2 }));
    csr(&[0], &[0, 1, 1, 2], &[1.0, 1.0]);
    is(|p| matches!(p, P::Count { expected: 2, found: 1 }));
    csr(&[0], &[0, 1, 1, 1], &[-1.0]);
    is(|p| matches!(p, P::Codes(AtomsError::Code { atom: 0, datapoint: 0, .. })));
    csr(&[0], &[0, 1, 1, 1], &[f64::NAN]);
    is(|p| matches!(p, P::Codes(AtomsError::Code { .. })));
    archive(&path, "csr", [3, 5], &[("indices", &[0]), ("indptr", &[0, 1, 1, 1])], &[1.0]);
    is(|p| matches!(p, P::Shape { expected: (3, 2), found: (3, 5) }));
    archive(&path, "coo", [1 << 62, 2], &[("row", &[0]), ("col", &[0])], &[1.0]);
    is(|p| matches!(p, P::Shape { .. }));
    archive(&path, "coo", [-3, 2], &[("row", &[0]), ("col", &[0])], &[1.0]);
    is(|p| matches!(p, P::Index { found: -3, .. }));
    archive(&path, "bsr", [3, 2], &[], &[1.0]);
    is(|p| matches!(p, P::Format { .. }));
    archive(&path, "csr", [3, 2], &[], &[1.0]);
    is(|p| matches!(p, P::MissingArray));
    fs::write(&path, b"PK\x03\x04 not really").expect("written");
    is(|p| matches!(p, P::NotNpz(_)));
    fs::write(&path, npy(&header("<f8", false, "(2,)"), &doubles(&[1.0, 2.0]))).expect("written");
    is(|p| matches!(p, P::NotNpz(_)));
}

#[test]
fn an_archive_that_unpacks_to_far_more_than_its_size_is_refused() {
    let folder = folder();
    let path = folder.path().join("bomb.npz");
    archive(&path, "coo", [3, 2], &[("row", &[0]), ("col", &[0])], &[1.0]);
    let small = fs::metadata(&path).expect("written").len();
    // 96 MiB of zeros under the name of the data: a hundred kilobytes as an archive.
    let data = npy(&header("<f8", false, "(12582912,)"), &vec![0; 96 << 20]);
    write_zip(
        &path,
        &[
            ("format", npy(&header("|S3", false, "()"), b"coo")),
            ("shape", integers(&[3, 2])),
            ("row", integers(&[0])),
            ("col", integers(&[0])),
            ("data", data),
        ],
    );
    assert!(fs::metadata(&path).expect("written").len() < small + (1 << 19));
    let error = read_codes(&path, 3, 2).expect_err("refused");
    assert!(matches!(error.problem, FileProblem::Expansion { .. }), "{error}");
}

/// The bytes of an archive of one array of 2 × 3, and where its entry of the
/// directory begins.
fn archive_of_one(path: &Path) -> (Vec<u8>, usize) {
    let array = npy(&header("<f8", false, "(2, 3)"), &doubles(&[1.0, 2.0, 3.0, 4.0, 5.0, 6.0]));
    write_zip(path, &[("a", array)]);
    let bytes = fs::read(path).expect("written");
    let entry = bytes.windows(4).rposition(|w| w == b"PK\x01\x02").expect("a directory");
    (bytes, entry)
}

#[test]
fn an_archive_that_claims_what_it_does_not_hold_is_refused() {
    use FileProblem as P;
    let folder = folder();
    let path = folder.path().join("x.npz");
    let (good, entry) = archive_of_one(&path);
    let problem = |bytes: &[u8]| {
        fs::write(&path, bytes).expect("written");
        read_points(&path).expect_err("a bad archive").problem
    };
    let with = |at: usize, field: &[u8]| {
        let mut bytes = good.clone();
        bytes[at..at + field.len()].copy_from_slice(field);
        bytes
    };
    for keep in 4..good.len() {
        let found = problem(&good[..keep]);
        assert!(matches!(found, P::NotNpz(_)), "{keep} of {} bytes: {found:?}", good.len());
    }
    // Another checksum, and an unpacked size of 4 GiB.
    assert!(matches!(problem(&with(entry + 16, &[1, 2, 3, 4])), P::NotNpz(_)));
    assert!(matches!(problem(&with(entry + 24, &0xffff_fff0_u32.to_le_bytes())), P::Expansion { .. }));
    // Compressions that are not read (bzip2, LZMA, zstd), and a password.
    for method in [12, 14, 93] {
        assert!(matches!(problem(&with(entry + 10, &[method, 0])), P::NotNpz(_)));
    }
    assert!(matches!(problem(&with(entry + 8, &[1])), P::NotNpz(_)));
    // 65535 files in a directory of one.
    let end = good.len() - 22;
    assert!(matches!(problem(&with(end + 8, &[0xff; 4])), P::NotNpz(_)));
}

/// An entry that says it is encrypted by AES, but not that it is encrypted.
#[test]
fn an_archive_with_half_a_password_is_refused() {
    let folder = folder();
    let path = folder.path().join("x.npz");
    let (mut bytes, entry) = archive_of_one(&path);
    let (name, extra) = (usize::from(bytes[entry + 28]), usize::from(bytes[entry + 30]));
    let aes = [0x01, 0x99, 7, 0, 2, 0, b'A', b'E', 3, 8, 0];
    bytes[entry + 10] = 99;
    bytes[entry + 30] += 11;
    let place = entry + 46 + name + extra;
    bytes.splice(place..place, aes);
    let end = bytes.len() - 22;
    bytes[end + 12] += 11;
    fs::write(&path, &bytes).expect("written");
    let error = read_points(&path).expect_err("refused");
    assert!(matches!(error.problem, FileProblem::NotNpz(_)), "{error}");
}

#[test]
fn of_two_arrays_of_one_name_the_last_is_read() {
    let folder = folder();
    let path = folder.path().join("x.npz");
    let array = |value: f64| npy(&header("<f8", false, "(1, 1)"), &doubles(&[value]));
    write_zip(&path, &[("a", array(1.0)), ("b", array(2.0))]);
    let mut bytes = fs::read(&path).expect("written");
    for at in 0..bytes.len() - 5 {
        if bytes[at..].starts_with(b"b.npy") {
            bytes[at] = b'a';
        }
    }
    fs::write(&path, bytes).expect("written");
    assert_eq!(bits(read_points(&path).expect("one name").as_slice()), bits(&[2.0]));
}

/// A file of nothing but ends of archives, each of which leads to a directory of as
/// many files as can be, the last of them bad: an error after a few passes over the
/// file, not after one for every end.
#[test]
fn an_archive_of_many_ends_is_refused_at_once() {
    let folder = folder();
    let path = folder.path().join("x.npz");
    let (archive, entry) = archive_of_one(&path);
    let mut bytes = archive[..entry].to_vec();
    let start = u32::try_from(bytes.len()).expect("a short file");
    let directory = &archive[entry..archive.len() - 22];
    for _ in 0..4000 {
        bytes.extend(directory);
    }
    for _ in 0..40_000 {
        bytes.extend(b"PK\x05\x06\0\0\0\0");
        bytes.extend([0xfe, 0xff, 0xfe, 0xff, 0, 0, 0, 0]);
        bytes.extend(start.to_le_bytes());
        bytes.extend([0, 0]);
    }
    fs::write(&path, bytes).expect("written");
    let error = read_points(&path).expect_err("refused");
    assert!(matches!(error.problem, FileProblem::NotNpz(_)), "{error}");
}

#[test]
fn a_failed_write_leaves_the_old_file() {
    let folder = folder();
    let path = folder.path().join("kept.npy");
    fs::write(&path, b"old").expect("written");
    let failed = widedict::io::replace(&path, |_| Err(FileProblem::MissingArray));
    assert!(failed.is_err());
    assert_eq!(fs::read(&path).expect("still there"), b"old");
    assert_eq!(fs::read_dir(folder.path()).expect("listed").count(), 1);
}
