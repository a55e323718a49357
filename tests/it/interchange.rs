//! Codes, matrices and factorizations in and out: plain vectors, serde, ndarray and
//! nalgebra; and what is refused on the way in.

use proptest::collection::vec;
use proptest::prelude::*;
use serde_json::{Value, json};
use widedict::atoms::{AtomsError, Csr};
use widedict::gauge::Penalty;
use widedict::{Codes, Dictionary, Factorization, Matrix};

fn dense() -> impl Strategy<Value = Matrix> {
    (0..5_usize, 0..6_usize)
        .prop_flat_map(|(atoms, len)| {
            let code = prop_oneof![3 => Just(0.0), 1 => Just(-0.0), 3 => 1e-300..1e3_f64];
            (Just((atoms, len)), vec(code, atoms * len))
        })
        .prop_map(|((atoms, len), data)| Matrix::from_column_major(atoms, len, data).unwrap())
}

fn csr(atoms: usize, indptr: &[usize], indices: &[usize], values: &[f64]) -> Csr {
    Csr { atoms, indptr: indptr.to_vec(), indices: indices.to_vec(), values: values.to_vec() }
}

/// Reads `value` as `T`; the message where it is refused.
fn read<T: serde::de::DeserializeOwned>(value: &Value) -> Result<T, String> {
    serde_json::from_value(value.clone()).map_err(|e| e.to_string())
}

proptest! {
    /// All doors give the same codes, in any order of the entries, and every way out
    /// leads back in.
    #[test]
    fn codes_are_the_same_by_every_door(matrix in dense(), seed in any::<u64>()) {
        let codes = Codes::from_dense(&matrix).unwrap();
        prop_assert_eq!((codes.atoms(), codes.datapoints()), (matrix.nrows(), matrix.ncols()));
        for (i, column) in matrix.columns().enumerate() {
            for (k, &value) in column.iter().enumerate() {
                prop_assert_eq!(codes.column(i).get(k).copied().unwrap_or(0.0), value);
            }
        }
        prop_assert!(codes.view().data().iter().all(|z| *z > 0.0));
        // Zeros among the entries, and an order that depends on the seed.
        let mut triplets: Vec<(usize, usize, f64)> = (0..matrix.ncols())
            .flat_map(|i| (0..matrix.nrows()).map(move |k| (k, i)))
            .map(|(k, i)| (k, i, matrix.get(k, i)))
            .collect();
        let key = |k: usize, i: usize| (k as u64 * 31 + i as u64 * 17).wrapping_mul(seed | 1);
        triplets.sort_by_key(|&(k, i, _)| key(k, i));
        let shuffled = Codes::from_triplets(matrix.nrows(), matrix.ncols(), triplets).unwrap();
        prop_assert_eq!(&shuffled, &codes);
        let out = codes.to_csr();
        prop_assert_eq!((out.indptr.len(), out.indptr[0]), (matrix.ncols() + 1, 0));
        prop_assert_eq!(&Csr::from(codes.clone()), &out);
        prop_assert_eq!(&Codes::from_csr(out.clone()).unwrap(), &codes);
        // Every row turned round.
        let mut reversed = out;
        for range in reversed.indptr.clone().windows(2) {
            reversed.indices[range[0]..range[1]].reverse();
            reversed.values[range[0]..range[1]].reverse();
        }
        prop_assert_eq!(&Codes::from_csr(reversed).unwrap(), &codes);
        let text = serde_json::to_string(&codes).unwrap();
        prop_assert_eq!(&serde_json::from_str::<Codes>(&text).unwrap(), &codes);
    }

    /// Numbers survive serde to the last bit, and so do whole factorizations.
    #[test]
    fn factorizations_survive_serde(
        (atoms, codes) in dense().prop_flat_map(|codes| {
            (vec(vec(0.1..1.0_f64, 3), codes.nrows()), Just(codes))
        }),
        center in proptest::option::of(vec(-1e3..1e3_f64, 3)),
    ) {
        let (dictionary, _) = Dictionary::normalize(Matrix::from_columns(3, &atoms)).unwrap();
        let codes = Codes::from_dense(&codes).unwrap();
        let factorization = Factorization::new(dictionary, codes, center).unwrap();
        let text = serde_json::to_string(&factorization).unwrap();
        prop_assert_eq!(serde_json::from_str::<Factorization>(&text).unwrap(), factorization);
    }
}

#[test]
fn compressed_codes_are_refused_by_place_and_value() {
    let refused = |csr: Csr| {
        let text = serde_json::to_value(&csr);
        let error = Codes::from_csr(csr).unwrap_err();
        // NaN and infinities have no JSON; what has is refused for the same reason.
        if let Ok(value) = text
            && !matches!(error, AtomsError::Code { value, .. } if !value.is_finite())
        {
            assert!(read::<Codes>(&value).unwrap_err().contains(&error.to_string()));
        }
        error
    };
    let start = |position, least, most, found| AtomsError::Indptr { position, least, most, found };
    assert_eq!(refused(csr(2, &[1, 2], &[0, 1], &[1.0; 2])), start(0, 0, 0, 1));
    assert_eq!(refused(csr(2, &[0, 3, 2], &[0, 1], &[1.0; 2])), start(1, 0, 2, 3));
    assert_eq!(refused(csr(2, &[0, 2, 1, 2], &[0, 1], &[1.0; 2])), start(2, 2, 2, 1));
    assert_eq!(refused(csr(2, &[0, 1], &[0, 1], &[1.0; 2])), start(1, 2, 2, 1));
    assert_eq!(refused(csr(2, &[0], &[0], &[1.0])), start(0, 1, 0, 0));
    assert_eq!(refused(csr(2, &[1], &[0], &[1.0])), start(0, 1, 0, 1));
    assert_eq!(refused(csr(2, &[0, usize::MAX], &[0], &[1.0])), start(1, 1, 1, usize::MAX));
    assert!(matches!(refused(csr(2, &[], &[], &[])), AtomsError::Shape { expected: 1, found: 0, .. }));
    assert!(matches!(
        refused(csr(2, &[0, 2], &[0, 1], &[1.0])),
        AtomsError::Shape { expected: 2, found: 1, .. }
    ));
    let index = |entry, what, index, len| AtomsError::Index { entry, what, index, len };
    assert_eq!(refused(csr(2, &[0, 1, 2], &[1, 2], &[1.0; 2])), index(1, "atom", 2, 2));
    assert_eq!(refused(csr(0, &[0, 1], &[0], &[1.0])), index(0, "atom", 0, 0));
    assert_eq!(
        refused(csr(3, &[0, 1, 4], &[0, 2, 1, 2], &[1.0; 4])),
        AtomsError::Duplicate { atom: 2, datapoint: 1 }
    );
    for value in [-1.0, -5e-324, f64::NEG_INFINITY, f64::INFINITY] {
        let error = refused(csr(3, &[0, 1, 3], &[0, 2, 1], &[1.0, value, 1.0]));
        assert_eq!(error, AtomsError::Code { atom: 2, datapoint: 1, value });
    }
    let error = refused(csr(1, &[0, 1], &[0], &[f64::NAN]));
    assert!(matches!(error, AtomsError::Code { atom: 0, datapoint: 0, value } if value.is_nan()));
    // No datapoint and no atom are sizes like others; so are more atoms than memory.
    assert_eq!(Codes::from_csr(csr(0, &[0], &[], &[])).unwrap(), Codes::zeros(0, 0));
    assert_eq!(Codes::from_csr(csr(1 << 60, &[0, 1], &[1 << 59], &[1.0])).unwrap().nnz(), 1);
}

#[test]
fn triplets_and_dense_codes_are_refused_by_place_and_value() {
    let of = |triplets: &[(usize, usize, f64)]| Codes::from_triplets(2, 3, triplets.iter().copied());
    let index = |entry, what, index, len| Err(AtomsError::Index { entry, what, index, len });
    assert_eq!(of(&[(0, 0, 1.0), (2, 0, 1.0)]), index(1, "atom", 2, 2));
    assert_eq!(of(&[(0, 3, 1.0)]), index(0, "datapoint", 3, 3));
    assert_eq!(
        of(&[(1, 2, 1.0), (0, 2, 1.0), (1, 2, 0.0)]),
        Err(AtomsError::Duplicate { atom: 1, datapoint: 2 })
    );
    assert_eq!(of(&[(1, 2, -0.5)]), Err(AtomsError::Code { atom: 1, datapoint: 2, value: -0.5 }));
    assert!(matches!(of(&[(1, 0, f64::NAN)]), Err(AtomsError::Code { value, .. }) if value.is_nan()));
    let mut matrix = Matrix::zeros(2, 3);
    matrix.col_mut(1)[0] = f64::NAN;
    assert!(matches!(
        Codes::from_dense(&matrix),
        Err(AtomsError::Code { atom: 0, datapoint: 1, value }) if value.is_nan()
    ));
    assert_eq!(
        AtomsError::Index { entry: 5, what: "atom", index: 12, len: 10 }.to_string(),
        "code 5: atom 12 of 10"
    );
    assert_eq!(
        AtomsError::Indptr { position: 3, least: 2, most: 7, found: 9 }.to_string(),
        "indptr[3]: expected 2 to 7, found 9"
    );
}

#[test]
fn what_is_written_by_hand_is_checked_on_the_way_in() {
    let penalty = Penalty::new(0.3, 0.1).unwrap();
    assert_eq!(serde_json::to_value(penalty).unwrap(), json!({ "lambda": 0.3, "gamma": 0.1 }));
    assert_eq!(read::<Penalty>(&json!({ "lambda": 0.3, "gamma": 0.1 })), Ok(penalty));
    for (lambda, gamma) in [(-0.1, 0.1), (0.0, 0.0), (0.1, -1e-300)] {
        assert!(read::<Penalty>(&json!({ "lambda": lambda, "gamma": gamma })).is_err());
    }
    // JSON has no NaN: serde_json writes null.
    assert!(read::<Penalty>(&json!({ "lambda": null, "gamma": 0.1 })).is_err());
    assert!(read::<Penalty>(&json!({ "lambda": 0.3 })).is_err());

    let matrix = json!({ "rows": 2, "cols": 1, "data": [0.6, 0.8] });
    assert_eq!(read::<Matrix>(&matrix).unwrap(), Matrix::from_columns(2, &[[0.6, 0.8]]));
    assert_eq!(serde_json::to_value(read::<Matrix>(&matrix).unwrap()).unwrap(), matrix);
    let error = read::<Matrix>(&json!({ "rows": 2, "cols": 2, "data": [0.6, 0.8] })).unwrap_err();
    assert!(error.contains("2 rows and 2 columns: found 2 entries"), "{error}");
    // A product of sizes that wraps to the number of entries.
    let wraps = json!({ "rows": 1_u64 << 33, "cols": 1_u64 << 31, "data": [] });
    assert!(read::<Matrix>(&wraps).is_err());
    assert!(read::<Matrix>(&json!({ "rows": -1, "cols": 1, "data": [] })).is_err());

    assert!(read::<Dictionary>(&matrix).is_ok());
    let error = read::<Dictionary>(&json!({ "rows": 2, "cols": 1, "data": [3.0, 4.0] })).unwrap_err();
    assert!(error.contains("atom 0: expected length 1, found 5"), "{error}");
    let error = read::<Dictionary>(&json!({ "rows": 2, "cols": 1, "data": [0.0, 0.0] })).unwrap_err();
    assert!(error.contains("atom 0 has length 0"), "{error}");
    // Atoms without coordinates, more than memory holds.
    assert!(read::<Dictionary>(&json!({ "rows": 0, "cols": u64::MAX, "data": [] })).is_err());

    let codes = json!({ "atoms": 1, "indptr": [0, 1], "indices": [0], "values": [0.5] });
    let whole = |center: Value| json!({ "dictionary": matrix, "codes": codes, "center": center });
    assert!(read::<Factorization>(&whole(json!([0.0, 1.0]))).is_ok());
    assert!(read::<Factorization>(&whole(Value::Null)).is_ok());
    let error = read::<Factorization>(&whole(json!([0.0]))).unwrap_err();
    assert!(error.contains("dimension of the center: expected 2, found 1"), "{error}");
    let mut other = whole(Value::Null);
    other["codes"] = json!({ "atoms": 2, "indptr": [0, 1], "indices": [0], "values": [0.5] });
    let error = read::<Factorization>(&other).unwrap_err();
    assert!(error.contains("atoms in the codes: expected 1, found 2"), "{error}");
    other["codes"]["values"] = json!([-0.5]);
    assert!(read::<Factorization>(&other).unwrap_err().contains("found -0.5"));
}

/// The same small integer in single precision.
#[expect(clippy::cast_possible_truncation, reason = "small integers")]
fn single(value: f64) -> f32 {
    value as f32
}

/// Entry (i, j) stays entry (i, j): rows, columns, strides and widths of numbers.
#[cfg(feature = "ndarray")]
#[test]
fn arrays_of_ndarray_keep_their_entries() {
    use ndarray::{Array2, ArrayView2, s};
    let rows = Array2::from_shape_fn((3, 4), |(i, j)| (10 * i + j) as f64);
    let expected = Matrix::from_fn(3, 4, |i, j| (10 * i + j) as f64);
    assert_eq!(Matrix::from(&rows), expected);
    assert_eq!(Matrix::from(rows.view()), expected);
    assert_eq!(Matrix::from(rows.mapv(single)), expected);
    // A row-major array of datapoints in rows is the memory of the n × N matrix.
    assert_eq!(Matrix::from(rows.t()).as_slice(), rows.as_slice().unwrap());
    let part = Matrix::from(rows.slice(s![..;2, ..;-1]));
    assert_eq!(part, Matrix::from_fn(2, 4, |i, j| expected.get(2 * i, 3 - j)));
    assert_eq!(ArrayView2::from(&expected), rows);
    let empty = Matrix::from(Array2::<f64>::zeros((3, 0)));
    assert_eq!((empty.nrows(), empty.ncols()), (3, 0));
    assert_eq!(ArrayView2::from(&empty).dim(), (3, 0));
    let (dictionary, lengths) = Dictionary::normalize(ndarray::array![[3.0], [4.0]]).unwrap();
    assert_eq!((dictionary.atom(0), lengths[0]), ([0.6, 0.8].as_slice(), 5.0));
    assert!(matches!(
        Dictionary::normalize(ndarray::array![[f64::NAN], [4.0]]),
        Err(AtomsError::AtomEntry { atom: 0, coordinate: 0, .. })
    ));
}

#[cfg(feature = "nalgebra")]
#[test]
fn matrices_of_nalgebra_keep_their_entries() {
    use nalgebra::{DMatrix, DMatrixView, Matrix2x3};
    let given = DMatrix::from_fn(3, 4, |i, j| (10 * i + j) as f64);
    let expected = Matrix::from_fn(3, 4, |i, j| (10 * i + j) as f64);
    assert_eq!(Matrix::from(&given), expected);
    assert_eq!(Matrix::from(given.map(single)), expected);
    assert_eq!(
        Matrix::from(given.view((1, 1), (2, 2))),
        Matrix::from_fn(2, 2, |i, j| expected.get(i + 1, j + 1))
    );
    let fixed = Matrix2x3::new(1, 2, 3, 4, 5, 6);
    assert_eq!(Matrix::from(fixed), Matrix::from_columns(2, &[[1.0, 4.0], [2.0, 5.0], [3.0, 6.0]]));
    assert_eq!(DMatrixView::from(&expected), given);
    let empty = Matrix::from(DMatrix::<f64>::zeros(3, 0));
    assert_eq!((empty.nrows(), empty.ncols()), (3, 0));
    let (dictionary, lengths) = Dictionary::normalize(DMatrix::from_row_slice(2, 1, &[3.0, 4.0])).unwrap();
    assert_eq!((dictionary.atom(0), lengths[0]), ([0.6, 0.8].as_slice(), 5.0));
}
