//! Activations: a file of any kind reads as the `.npy` of the same numbers, rows that are
//! masked are no datapoints, and hostile files are errors.

use std::fs;
use std::io::Write as _;
use std::num::NonZeroUsize;
use std::ops::ControlFlow;
use std::path::{Path, PathBuf};

use half::f16;
use proptest::prelude::*;
use tempfile::TempDir;
use widedict::io::{
    Activations, FileError, FileProblem, Masking, Passed, Reading, RowStream, Rows, read_points,
};
use widedict::{Codes, Matrix};

use super::sae::safetensors;
use super::{bits, doubles, folder, header, npy, write_zip};

/// Numbers that every format holds exactly: eighths up to 8.
fn eighths(rows: usize, dim: usize) -> Vec<f64> {
    let step = |at: usize| u32::try_from((at * 37 + at / 5) % 129).expect("small");
    (0..rows * dim).map(|at| (f64::from(step(at)) - 64.0) / 8.0).collect()
}

fn place(folder: &TempDir, name: &str, bytes: impl AsRef<[u8]>) -> PathBuf {
    let path = folder.path().join(name);
    fs::create_dir_all(path.parent().expect("a folder")).expect("made");
    fs::write(&path, bytes).expect("written");
    path
}

fn read_key(path: &Path, key: Option<&str>) -> Result<Matrix, FileError> {
    let read = Activations::read(path, &Reading { key, most: None })?;
    Ok(read.mask(&Masking::default())?.points.into_matrix())
}

fn read(path: &Path) -> Result<Matrix, FileError> {
    read_key(path, None)
}

fn refused(path: &Path) -> String {
    read(path).expect_err("refused").to_string()
}

/// Rows of text.
fn text(values: &[f64], dim: usize, separator: &str, end: &str) -> String {
    let line = |row: &[f64]| row.iter().map(f64::to_string).collect::<Vec<_>>().join(separator) + end;
    values.chunks(dim).map(line).collect()
}

/// The numbers of rows × dim in Fortran order, of one or two axes of rows.
fn fortran(values: &[f64], batch: usize, positions: usize, dim: usize) -> Vec<f64> {
    let mut out = Vec::new();
    for column in 0..dim {
        for position in 0..positions {
            out.extend((0..batch).map(|b| values[(b * positions + position) * dim + column]));
        }
    }
    out
}

#[expect(clippy::cast_possible_truncation, reason = "eighths fit")]
fn single(v: f64) -> [u8; 4] {
    (v as f32).to_le_bytes()
}

/// Every way to write 6 rows of 3 numbers down.
fn all_kinds(folder: &TempDir, values: &[f64]) -> Vec<PathBuf> {
    let one = |name: &str, descr: &str, f: bool, shape: &str, data: Vec<u8>| {
        place(folder, name, npy(&header(descr, f, shape), &data))
    };
    let (f2, f3) = (fortran(values, 6, 1, 3), fortran(values, 2, 3, 3));
    let mut paths = vec![
        one("f8.npy", "<f8", false, "(6, 3)", doubles(values)),
        one("be.npy", ">f8", false, "(6, 3)", values.iter().flat_map(|v| v.to_be_bytes()).collect()),
        one("f4.npy", "<f4", false, "(6, 3)", values.iter().copied().flat_map(single).collect()),
        one(
            "f2.npy",
            "<f2",
            false,
            "(6, 3)",
            values.iter().flat_map(|v| f16::from_f64(*v).to_le_bytes()).collect(),
        ),
        one("fortran.npy", "<f8", true, "(6, 3)", doubles(&f2)),
        one("axes.npy", "<f8", false, "(2, 3, 3)", doubles(values)),
        one("axes-fortran.npy", "<f8", true, "(2, 3, 3)", doubles(&f3)),
        place(folder, "a.csv", text(values, 3, ",", "\n")),
        place(folder, "b.csv", format!("\u{feff}a;b;c\r\n{}", text(values, 3, ";", "\r\n"))),
        place(folder, "c.tsv", format!("# made by hand\n\n{}", text(values, 3, "\t", "\n"))),
        place(folder, "d.txt", text(values, 3, " ", "\n")),
        place(folder, "e.csv", format!("\"x 1\",x2,x3\n{}", text(values, 3, ",", "\n"))),
    ];
    for dtype in ["F64", "F32", "F16", "BF16"] {
        let bytes = safetensors(&[("acts", dtype, &[2, 3, 3], values)]);
        paths.push(place(folder, &format!("{dtype}.safetensors"), bytes));
    }
    let zip = folder.path().join("x.npz");
    write_zip(&zip, &[("acts", npy(&header("<f8", true, "(6, 3)"), &doubles(&f2)))]);
    paths.push(zip);
    // Shards: 10 comes after 9.
    for (shard, rows) in [(2, 0..2), (9, 2..2), (10, 2..6)] {
        let data = &values[rows.start * 3..rows.end * 3];
        let shape = format!("({}, 3)", rows.len());
        place(folder, &format!("shards/s{shard}.npy"), npy(&header("<f8", false, &shape), &doubles(data)));
    }
    place(folder, "shards/config.json", "{}");
    place(folder, "shards/.hidden.npy", "");
    paths.extend([folder.path().join("shards"), folder.path().join("shards/s*.npy")]);
    paths
}

#[test]
fn every_kind_reads_as_the_array_does() {
    let (folder, values) = (folder(), eighths(6, 3));
    let paths = all_kinds(&folder, &values);
    let expected = read_points(&paths[0]).expect("an array");
    assert_eq!(bits(expected.as_slice()), bits(&values));
    for path in &paths {
        let found = read(path).unwrap_or_else(|error| panic!("{error}"));
        assert_eq!((found.nrows(), found.ncols()), (3, 6), "{}", path.display());
        assert_eq!(bits(found.as_slice()), bits(&values), "{}", path.display());
        // Every second row, without the others.
        let most = NonZeroUsize::new(3);
        let few = Activations::read(path, &Reading { key: None, most }).expect("the same");
        let few = few.mask(&Masking::default()).expect("finite");
        assert_eq!(few.points.into_matrix(), expected.select_columns(&[0, 2, 4]), "{}", path.display());
        assert_eq!((few.rows.of(), few.rows.row(2), few.masked.unread), (6, 4, 3));
    }
}

/// Floating-point numbers stay what they are in the file, other numbers are doubles; shards of
/// two types are held in the narrowest that has the numbers of both.
#[test]
fn numbers_are_held_in_the_type_of_the_file() {
    let (folder, values) = (folder(), eighths(6, 3));
    let paths = all_kinds(&folder, &values);
    let half = |v: &f64| f16::from_f64(*v).to_le_bytes();
    let mixed = |name: &str, first: &str, data: Vec<u8>, other: &str, more: Vec<u8>| {
        place(&folder, &format!("{name}/a.npy"), npy(&header(first, false, "(2, 3)"), &data));
        place(&folder, &format!("{name}/b.npy"), npy(&header(other, false, "(4, 3)"), &more));
        folder.path().join(name)
    };
    let (few, rest) = values.split_at(6);
    let singles = |values: &[f64]| values.iter().copied().flat_map(single).collect::<Vec<u8>>();
    let halves = few.iter().flat_map(half).collect::<Vec<u8>>();
    let name = |path: &PathBuf| path.file_name().expect("a name").to_string_lossy().into_owned();
    let mut cases: Vec<(PathBuf, usize)> = paths
        .into_iter()
        .map(|path| {
            let bytes = match name(&path).as_str() {
                "f2.npy" | "F16.safetensors" | "BF16.safetensors" => 2,
                "f4.npy" | "F32.safetensors" => 4,
                _ => 8,
            };
            (path, bytes)
        })
        .collect();
    cases.extend([
        (mixed("half-single", "<f2", halves.clone(), "<f4", singles(rest)), 4),
        (mixed("half-double", "<f2", halves, "<f8", doubles(rest)), 8),
        (mixed("single-double", "<f4", singles(few), "<f8", doubles(rest)), 8),
    ]);
    for (path, bytes) in cases {
        let read = Activations::read(&path, &Reading::default()).unwrap_or_else(|error| panic!("{error}"));
        let kept = read.mask(&Masking::default()).expect("finite").points;
        assert_eq!(kept.bytes(), 18 * bytes, "{}", path.display());
        let stream = RowStream::open(&path, None).expect("the same");
        assert_eq!(stream.take(&Rows::all(6)).expect("read"), kept, "{}", path.display());
        assert_eq!(bits(kept.into_matrix().as_slice()), bits(&values), "{}", path.display());
    }
}

/// Blocks of any kind of file are the rows wanted of the whole, and no more is held.
#[test]
fn blocks_of_every_kind_are_rows_of_the_whole() {
    let (folder, values) = (folder(), eighths(6, 3));
    let paths = all_kinds(&folder, &values);
    let whole = Matrix::from_column_major(3, 6, values).expect("sizes agree");
    for path in &paths {
        let stream = RowStream::open(path, None).unwrap_or_else(|error| panic!("{error}"));
        assert_eq!((stream.len(), stream.dim()), (6, 3), "{}", path.display());
        let read = Activations::read(path, &Reading::default()).expect("read");
        assert_eq!(stream.notes(), read.notes(), "{}", path.display());
        for wanted in [vec![0, 1, 2, 3, 4, 5], vec![1, 4], vec![0, 2, 3, 5], vec![5], vec![]] {
            let rows = Rows::kept(6, wanted.clone());
            for most in [1, 2, 3, 6, 100] {
                let (mut found, mut next) = (Vec::new(), 0);
                let passed = stream.blocks(&rows, most, &mut |block| {
                    assert_eq!(block.first, next);
                    next += block.points.ncols();
                    found.extend_from_slice(block.points.as_slice());
                    ControlFlow::Continue(())
                });
                assert_eq!(found, whole.select_columns(&wanted).as_slice(), "{}", path.display());
                let held = 3 * most.min(wanted.len());
                let (points, blocks) = (wanted.len(), wanted.len().div_ceil(most));
                assert_eq!(passed.expect("read"), Passed { points, blocks, most_held: held });
            }
            assert_eq!(stream.take(&rows).expect("read").into_matrix(), whole.select_columns(&wanted));
        }
        // Who has enough is asked no more.
        let mut asked = 0;
        let passed = stream.blocks(&Rows::all(6), 2, &mut |_| {
            asked += 1;
            ControlFlow::Break(())
        });
        assert_eq!((passed.expect("read").points, asked), (2, 1), "{}", path.display());
    }
}

/// Long rows in Fortran order are written by blocks of columns.
#[test]
fn orders_of_long_rows_agree() {
    let folder = folder();
    for (batch, positions, dim) in [(5, 7, 70), (9, 1, 64), (1, 4, 67), (3, 2, 63)] {
        let values = eighths(batch * positions, dim);
        let shape = format!("({batch}, {positions}, {dim})");
        let ordered = place(&folder, "c.npy", npy(&header("<f8", false, &shape), &doubles(&values)));
        let data = doubles(&fortran(&values, batch, positions, dim));
        let other = place(&folder, "f.npy", npy(&header("<f8", true, &shape), &data));
        assert_eq!(read(&ordered).expect("in order"), read(&other).expect("in Fortran's"), "{shape}");
    }
}

#[test]
fn whole_numbers_are_widened_or_refused() {
    let folder = folder();
    let one = |descr: &str, data: &[u8]| {
        let count = data.len() / descr[2..].parse::<usize>().expect("a size");
        read(&place(&folder, "i.npy", npy(&header(descr, false, &format!("(1, {count})")), data)))
    };
    let is = |found: Result<Matrix, FileError>, expected: &[f64]| {
        assert_eq!(bits(found.expect("whole numbers").as_slice()), bits(expected));
    };
    is(one("|i1", &[0x80, 0xff, 1]), &[-128.0, -1.0, 1.0]);
    is(one("|u1", &[0x80, 0xff, 1]), &[128.0, 255.0, 1.0]);
    is(one("|b1", &[0, 1, 1]), &[0.0, 1.0, 1.0]);
    is(one(">i2", &[0xff, 0xfe, 0, 1]), &[-2.0, 1.0]);
    is(one("<i4", &(-70_000_i32).to_le_bytes()), &[-70_000.0]);
    is(one("<u4", &u32::MAX.to_le_bytes()), &[4_294_967_295.0]);
    is(one("<i8", &(-(1_i64 << 53)).to_le_bytes()), &[-9_007_199_254_740_992.0]);
    is(one("<u8", &(1_u64 << 63).to_le_bytes()), &[9_223_372_036_854_775_808.0]);
    let beyond = one("<i8", &((1_i64 << 53) + 1).to_le_bytes()).expect_err("no double");
    assert!(matches!(beyond.problem, FileProblem::Inexact { row: 0, column: 0 }), "{beyond}");
    // The bits of bfloat16, as torch's view keeps them.
    let values = eighths(4, 3);
    let upper = |v: &f64| -> [u8; 2] { [single(*v)[2], single(*v)[3]] };
    for descr in ["<u2", "<i2"] {
        let found = one(descr, &values.iter().flat_map(upper).collect::<Vec<u8>>()).expect_err("bits");
        assert!(matches!(found.problem, FileProblem::BfloatBits), "{found}");
    }
}

#[test]
fn arrays_that_are_no_rows_of_numbers_are_errors() {
    let folder = folder();
    let ok = doubles(&[1.0; 6]);
    let is = |descr: &str, shape: &str, data: &[u8], words: &[&str]| {
        let found = refused(&place(&folder, "x.npy", npy(&header(descr, false, shape), data)));
        assert!(words.iter().all(|word| found.contains(word)), "{found}");
    };
    is("|O", "(2, 3)", &ok, &["'|O'", "np.concatenate"]);
    is("<c16", "(1, 3)", &ok, &["complex"]);
    is("<U2", "(2, 3)", &ok, &["'<U2'", "astype"]);
    is("|S8", "(2, 3)", &ok, &["'|S8'"]);
    is("<V2", "(2, 3)", &ok, &["bfloat16"]);
    is("<f16", "(1, 3)", &ok, &["'<f16'"]);
    is("<f8", "()", &ok[..8], &["2 dimensions", "[]"]);
    is("<f8", "(6,)", &ok, &["2 dimensions", "[6]"]);
    is("<f8", "(1, 1, 2, 3)", &ok, &["2 dimensions", "[1, 1, 2, 3]"]);
    is("<f8", "(0, 3)", &[], &["[0, 3]"]);
    is("<f8", "(2, 0)", &[], &["[2, 0]"]);
    is("<f8", "(2, 3)", &ok[..47], &["48 bytes", "47"]);
    is("<f8", "(1000000000, 1000000000)", &ok, &["found 48"]);
    let record = npy("{'descr': [('a', '<f8')], 'fortran_order': False, 'shape': (2, 3), }", &ok);
    let found = refused(&place(&folder, "x.npy", record));
    assert!(found.contains("structured"), "{found}");
    let mut long = b"\x93NUMPY\x02\x00".to_vec();
    long.extend(u32::MAX.to_le_bytes());
    assert!(refused(&place(&folder, "x.npy", long)).contains("more than"));
}

#[test]
fn tables_that_are_no_numbers_are_errors_by_line_and_column() {
    let folder = folder();
    let is = |text: &str, words: &[&str]| {
        let found = refused(&place(&folder, "x.csv", text));
        assert!(words.iter().all(|word| found.contains(word)), "{text:?}: {found}");
    };
    is("", &["empty file"]);
    is("\n\n# nothing\n", &["[0, 0]"]);
    is("a,b\n", &["[0, 2]"]);
    is("1,2\n3,x\n", &["line 2, column 2", "'x'"]);
    is("# c\n\n1,2\n3,x\n", &["line 4, column 2"]);
    is("1,2\n3\n", &["line 2", "expected 2 numbers", "found 1"]);
    is("1,2\n3,4,\n", &["line 2", "found 3"]);
    is("1,2\n3,\n", &["line 2, column 2", "''"]);
    is("1,2\n3,1e400\n", &["line 2, column 2", "1e400"]);
    is("1,2\n3,nan\n", &["row 1, column 1", "NaN", "1 of 2 rows", "--skip-nonfinite"]);
    is("inf,2\n3,4\n", &["row 0, column 0", "inf"]);
    is("1,x\n3,4\n", &["line 1, column 2", "'x'"]);
    is(",0,1\n0,1.5,2\n", &["index=False"]);
    is("1,5;2,5\n1,0;2,0\n", &["line 2, column 1"]);
    is("1\u{0}2\n", &["not text"]);
    // Column numbers are a header where the data leave no doubt, and an error in doubt.
    is("0,1\n5,7\n", &["line 1", "or a datapoint"]);
    is("0,1\n5.5,7\n", &["line 1", "or a datapoint"]);
    is("0,1,2,3\n5,7,1,1\n", &["line 1", "or a datapoint"]);
    is("0,1,2,3\n", &["line 1", "or a datapoint"]);
    let numbered = |text: &str| read(&place(&folder, "x.csv", text)).expect("numbers").ncols();
    for (text, rows) in [
        ("0,1,2,3\n5.5,7,1,1\n", 1),
        ("1,2,3,4\n5.5,7,1,1\n", 1),
        ("1,2,3,4\n5,7,1,1\n", 2),
        ("1,2\n5.5,7\n", 2),
        ("0.0,1,2,3\n5.5,7,1,1\n", 2),
        ("0e0,1e0\n5.5,7\n", 2),
        ("1,0\n5,7\n", 2),
        ("0\n1\n", 2),
    ] {
        assert_eq!(numbered(text), rows, "{text:?}");
    }
}

#[test]
fn several_arrays_are_chosen_by_their_key() {
    let (folder, values) = (folder(), eighths(6, 3));
    let array = npy(&header("<f8", false, "(6, 3)"), &doubles(&values));
    let zip = folder.path().join("x.npz");
    write_zip(&zip, &[("acts", array.clone()), ("tokens", npy(&header("<i8", false, "(1,)"), &[0; 8]))]);
    let tensors = safetensors(&[("acts", "F64", &[6, 3], &values), ("tokens", "I64", &[1], &[0.0])]);
    let tensors = place(&folder, "x.safetensors", tensors);
    for path in [&zip, &tensors] {
        assert_eq!(bits(read_key(path, Some("acts")).expect("chosen").as_slice()), bits(&values));
        for (key, words) in
            [(None, "--key NAME"), (Some("other"), "no array 'other'"), (Some("tokens"), "[1]")]
        {
            let found = read_key(path, key).expect_err("not chosen").to_string();
            assert!(found.contains(words) && found.contains("tokens"), "{found}");
            assert!(key == Some("tokens") || found.contains("[6, 3]"), "{found}");
        }
    }
    let plain = place(&folder, "x.npy", &array);
    assert!(matches!(read_key(&plain, Some("acts")).expect_err("no keys").problem, FileProblem::NoKeys));
    // Shards whose arrays have other names.
    fs::create_dir(folder.path().join("s")).expect("made");
    write_zip(&folder.path().join("s/0.npz"), &[("acts", array.clone())]);
    write_zip(&folder.path().join("s/1.npz"), &[("other", array)]);
    let found = refused(&folder.path().join("s"));
    assert!(["1.npz", "0.npz", "acts", "other"].iter().all(|word| found.contains(word)), "{found}");
    let zipped = zip_of(&[("archive/data.pkl", b"x"), ("archive/data/0", b"y")]);
    let found = refused(&place(&folder, "x.pt", zipped));
    assert!(found.contains("torch.load"), "{found}");
}

fn zip_of(files: &[(&str, &[u8])]) -> Vec<u8> {
    let mut zip = zip::ZipWriter::new(std::io::Cursor::new(Vec::new()));
    for (name, bytes) in files {
        zip.start_file(*name, zip::write::SimpleFileOptions::default()).expect("an entry");
        zip.write_all(bytes).expect("written");
    }
    zip.finish().expect("finished").into_inner()
}

#[test]
fn files_that_are_no_data_set_are_errors() {
    let folder = folder();
    let array = |shape: &str, count: usize| npy(&header("<f8", false, shape), &doubles(&eighths(1, count)));
    let is = |path: &str, words: &[&str]| {
        let found = refused(&folder.path().join(path));
        assert!(words.iter().all(|word| found.contains(word)), "{found}");
    };
    place(&folder, "n/a.npy", array("(2, 3)", 6));
    place(&folder, "n/b.npy", array("(3, 2)", 6));
    is("n", &["b.npy", "a.npy", "dimension 3", "found 2"]);
    is("n/c*.npy", &["no file matches"]);
    is("n/[.npy", &["pattern"]);
    place(&folder, "kinds/a.npy", array("(2, 3)", 6));
    place(&folder, "kinds/b.csv", "1,2,3\n");
    is("kinds", &["1 .csv", "1 .npy", "DIR/*."]);
    place(&folder, "labels/a.npy", array("(2, 3)", 6));
    place(&folder, "labels/labels.npy", array("(6,)", 6));
    is("labels", &["labels.npy", "[6]"]);
    place(&folder, "none/config.json", "{}");
    is("none", &["no .npy"]);
    place(&folder, "empty/a.npy", array("(0, 3)", 0));
    is("empty", &["[0, 3]"]);
    for (name, bytes, words) in [
        ("a.pt", &b"\x80\x02x"[..], "pickle.load"),
        ("b.pkl", b"x", "pickle.load"),
        ("c.parquet", b"PAR1", "pyarrow"),
        ("d.arrow", b"\xff\xff\xff\xff\0", "pyarrow"),
        ("e.h5", b"\x89HDF\r\n", "h5py"),
        ("f.npy.gz", b"\x1f\x8b", "unpack"),
        ("g.bin", b"\0\0\0\0", "np.fromfile"),
        ("h.npy", b"1,2\n", "magic number"),
    ] {
        place(&folder, name, bytes);
        is(name, &[words]);
    }
}

#[test]
fn rows_that_are_masked_keep_their_numbers() {
    let folder = folder();
    let mut values = eighths(8, 3).iter().map(|v| v + 20.0).collect::<Vec<_>>();
    values[3 * 2 + 1] = f64::NAN;
    values[3 * 5] = f64::INFINITY;
    values[3 * 6] = 1e4;
    let shard = |rows: std::ops::Range<usize>| {
        npy(
            &header("<f8", false, &format!("({}, 3)", rows.len())),
            &doubles(&values[rows.start * 3..rows.end * 3]),
        )
    };
    place(&folder, "s/0.npy", shard(0..4));
    place(&folder, "s/1.npy", shard(4..8));
    let path = folder.path().join("s");
    let mask =
        |masking: &Masking<'_>| Activations::read(&path, &Reading::default()).expect("read").mask(masking);
    let error = mask(&Masking::default()).expect_err("not finite");
    assert!(error.path.ends_with("0.npy"), "{error}");
    assert!(matches!(error.problem, FileProblem::RowsNotFinite { row: 2, column: 1, rows: 2, of: 8, .. }));
    // Of a later shard the row is that of the shard.
    let first = [1.0, 1.0, 0.0, 1.0, 1.0, 1.0, 1.0, 1.0];
    let error = mask(&Masking { weights: Some(&first), ..Masking::default() }).expect_err("not finite");
    assert!(error.path.ends_with("1.npy"), "{error}");
    assert!(
        matches!(error.problem, FileProblem::RowsNotFinite { row: 1, column: 0, rows: 1, .. }),
        "{error}"
    );

    let weights = [0.0, 2.0, 0.0, 1.0, 3.0, 1.0, 1.0, -0.0];
    let all = Masking { weights: Some(&weights), skip_nonfinite: true, max_norm_multiple: Some(3.0) };
    let kept = mask(&all).expect("some are left");
    assert_eq!(kept.rows, Rows::kept(8, vec![1, 3, 4]));
    assert_eq!(kept.weights.as_deref(), Some(&[2.0, 1.0, 3.0][..]));
    let m = kept.masked;
    assert_eq!((m.of, m.rows, m.weight, m.nonfinite, m.norm), (8, 5, 3, 1, 1));
    for (point, row) in [(0, 1), (1, 3), (2, 4)] {
        assert_eq!(bits(&kept.points.col(point)), bits(&values[row * 3..row * 3 + 3]));
    }
    let nothing = mask(&Masking { weights: Some(&[0.0; 8]), ..Masking::default() }).expect_err("nothing");
    assert!(matches!(nothing.problem, FileProblem::NothingLeft { .. }), "{nothing}");
    let zeros = Activations::of(Matrix::zeros(2, 3), "zeros");
    let measured = zeros.mask(&Masking { max_norm_multiple: Some(2.0), ..Masking::default() });
    assert!(matches!(measured.expect_err("no median").problem, FileProblem::Median { .. }));
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(64))]

    /// Spreading and restricting undo each other, and masked rows have no codes.
    #[test]
    fn codes_of_rows_and_of_datapoints_are_the_same(
        (mask, values) in (1_usize..9).prop_flat_map(|of| {
            let values = proptest::collection::vec(prop_oneof![Just(0.0), 0.1..2.0_f64], of * 3);
            (proptest::collection::vec(any::<bool>(), of), values)
        })
    ) {
        let of = mask.len();
        let kept: Vec<usize> = (0..of).filter(|row| mask[*row]).collect();
        let masked: Vec<usize> = (0..of).filter(|row| !mask[*row]).collect();
        let rows = Rows::kept(of, kept.clone());
        prop_assert_eq!(&rows, &Rows::without(of, &masked));
        prop_assert_eq!(rows.masked().collect::<Vec<_>>(), masked);
        let file = Codes::from_dense(&Matrix::from_column_major(3, of, values).expect("sizes agree"))?;
        let few = rows.restrict(&file);
        for (point, row) in kept.iter().enumerate() {
            prop_assert_eq!(few.column(point), file.column(*row));
            prop_assert_eq!(rows.row(point), *row);
        }
        let spread = rows.spread(&few);
        prop_assert_eq!(rows.stray(&spread), None);
        prop_assert_eq!(rows.restrict(&spread), few.clone());
        prop_assert_eq!(rows.stray(&file).is_none(), *spread == file);
    }

    /// No mutation of a valid file makes a reader panic; what is read is finite.
    #[test]
    fn damaged_files_never_panic(
        kind in 0_usize..17, at in 0_usize..400, with in any::<u8>(), keep in 0_usize..600,
    ) {
        let (folder, values) = (folder(), eighths(6, 3));
        let path = all_kinds(&folder, &values).swap_remove(kind);
        let mut bytes = fs::read(&path)?;
        if let Some(byte) = bytes.get_mut(at) {
            *byte = with;
        }
        bytes.truncate(keep);
        fs::write(&path, bytes)?;
        for key in [None, Some("acts")] {
            let streamed = RowStream::open(&path, key)
                .and_then(|stream| stream.take(&stream.survey(&Masking::default())?.rows));
            if let (Ok(points), Ok(streamed)) = (read_key(&path, key), streamed) {
                prop_assert_eq!(points, streamed.into_matrix());
            }
            if let Ok(points) = read_key(&path, key) {
                prop_assert!(points.ncols() > 0 && points.as_slice().iter().all(|v| v.is_finite()));
            }
        }
    }
}
