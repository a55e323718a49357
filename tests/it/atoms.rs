//! Atoms, codes and centers: what is refused and what is kept.

use proptest::collection::vec;
use proptest::prelude::*;
use widedict::atoms::AtomsError;
use widedict::testing::{dense_codes, factorization, naive, sparse};
use widedict::{Codes, Dictionary, Factorization, Matrix};

use crate::support::checks::close;
use crate::support::strategies::decades;

fn entries() -> BoxedStrategy<f64> {
    prop_oneof![
        4 => -1.0..1.0_f64,
        1 => Just(0.0),
        1 => (decades(-320.0, 139.0), any::<bool>()).prop_map(|(x, up)| if up { x } else { -x }),
    ]
    .boxed()
}

fn directions() -> BoxedStrategy<Matrix> {
    (1..6_usize, 1..5_usize)
        .prop_flat_map(|(dim, atoms)| (Just(dim), vec(vec(entries(), dim), atoms)))
        .prop_map(|(dim, columns)| Matrix::from_columns(dim, &columns))
        .prop_filter("an atom has a direction", |m| m.columns().all(|c| c.iter().any(|v| v.abs() > 0.0)))
        .boxed()
}

proptest! {
    #[test]
    fn normalizing_gives_unit_atoms_and_their_lengths(atoms in directions()) {
        let (dictionary, lengths) = Dictionary::normalize(atoms.clone()).unwrap();
        for (k, length) in lengths.iter().enumerate() {
            let atom = dictionary.atom(k);
            close("length", naive::length(atom), 1.0, 32.0 * f64::EPSILON, 0.0);
            for (unit, given) in atom.iter().zip(atoms.col(k)) {
                // A subnormal entry of the unit atom is rounded to a multiple of 5e-324.
                let grid = 5e-324 * widedict::num::max(*length, 10.0);
                close("direction", unit * length, *given, grid, 64.0 * f64::EPSILON);
            }
        }
        // A second time changes nothing.
        let (again, ones) = Dictionary::normalize(dictionary.matrix().clone()).unwrap();
        prop_assert_eq!(&again, &dictionary);
        prop_assert!(ones.iter().all(|l| *l == 1.0));
    }

    #[test]
    fn foreign_atoms_keep_their_products(
        (atoms, codes) in directions().prop_flat_map(|m| {
            let k = m.ncols();
            (Just(m), vec(vec(prop_oneof![Just(0.0), 0.0..1.0_f64], 3), k))
        })
    ) {
        // Extreme lengths may overflow a code: that is refused, see below.
        prop_assume!(atoms.columns().all(|c| naive::length(c) > 1e-300));
        let dense = Matrix::from_fn(atoms.ncols(), 3, |k, i| codes[k][i]);
        let held = Codes::new(sparse(&dense)).unwrap();
        let (point, rescaled) = Factorization::from_foreign(atoms.clone(), held, None).unwrap();
        let unit = naive::times(point.dictionary().matrix(), &dense_codes(&point));
        let given = naive::times(&atoms, &dense);
        let size = atoms.as_slice().iter().fold(0.0, |m, v| widedict::num::max(m, v.abs()));
        for (u, g) in unit.as_slice().iter().zip(given.as_slice()) {
            close("DZ", *u, *g, 1e-14 * size + 5e-323, 1e-13);
        }
        if let Some(record) = rescaled {
            prop_assert!(record.atoms >= 1 && record.shortest <= record.longest);
        } else {
            prop_assert_eq!(point.dictionary().matrix(), &atoms);
        }
    }

    #[test]
    fn coherence_is_the_largest_cosine(atoms in directions()) {
        let (dictionary, _) = Dictionary::normalize(atoms).unwrap();
        let mut largest = 0.0;
        for j in 0..dictionary.len() {
            for l in 0..j {
                largest = widedict::num::max(largest, naive::inner(dictionary.atom(j), dictionary.atom(l)).abs());
            }
        }
        close("coherence", dictionary.max_coherence(), largest, 1e-14, 0.0);
    }

    #[test]
    fn codes_are_their_dense_matrix(rows in vec(vec(prop_oneof![2 => Just(0.0), 1 => Just(-0.0), 3 => 0.0..1.0_f64], 5), 0..5)) {
        let dense = Matrix::from_fn(rows.len(), 5, |k, i| rows[k][i]);
        let codes = Codes::new(sparse(&dense)).unwrap();
        prop_assert_eq!((codes.atoms(), codes.datapoints()), (rows.len(), 5));
        let count = dense.as_slice().iter().filter(|v| **v > 0.0).count();
        prop_assert_eq!(codes.nnz(), count);
        close("mean L0", codes.mean_l0() * 5.0, f64::from(u32::try_from(count).unwrap()), 1e-12, 0.0);
        for i in 0..5 {
            for k in 0..rows.len() {
                prop_assert_eq!(codes.column(i).get(k).copied().unwrap_or(0.0), dense.get(k, i));
            }
        }
        for (k, row) in codes.rows().iter().enumerate() {
            prop_assert!(row.iter().all(|(i, z)| z > 0.0 && z == dense.get(k, i)));
        }
    }
}

#[test]
fn bad_atoms_are_refused_by_place_and_value() {
    let with = |coordinate: usize, atom: usize, value: f64| {
        let mut m = Matrix::from_fn(2, 3, |i, j| if i == j { 1.0 } else { 0.5 });
        m.col_mut(atom)[coordinate] = value;
        Dictionary::normalize(m)
    };
    for value in [f64::INFINITY, f64::NEG_INFINITY, 1.1e140, -2e200] {
        assert_eq!(with(1, 2, value), Err(AtomsError::AtomEntry { atom: 2, coordinate: 1, value }));
    }
    let nan = with(0, 1, f64::NAN);
    assert!(
        matches!(nan, Err(AtomsError::AtomEntry { atom: 1, coordinate: 0, value }) if value.is_nan()),
        "{nan:?}"
    );
    let zero = Matrix::from_columns(2, &[[1.0, 0.0], [0.0, -0.0]]);
    assert_eq!(Dictionary::normalize(zero), Err(AtomsError::ZeroAtom { atom: 1 }));
    // Subnormal and large atoms have a direction all the same.
    for size in [5e-324, 1e-310, 1e-200, 1e139] {
        let (dictionary, lengths) = Dictionary::normalize(Matrix::from_columns(2, &[[size, 0.0]])).unwrap();
        assert_eq!((dictionary.atom(0), lengths[0]), ([1.0, 0.0].as_slice(), size));
    }
    let (empty, lengths) = Dictionary::normalize(Matrix::zeros(3, 0)).unwrap();
    assert!(empty.is_empty() && lengths.is_empty() && empty == Dictionary::empty(3));
}

#[test]
fn bad_codes_are_refused_by_place_and_value() {
    for value in [-1.0, -5e-324, f64::NEG_INFINITY, f64::INFINITY] {
        let mut dense = Matrix::from_fn(2, 3, |_, _| 0.5);
        dense.col_mut(2)[1] = value;
        assert_eq!(Codes::new(sparse(&dense)), Err(AtomsError::Code { atom: 1, datapoint: 2, value }));
    }
    let nan = Codes::new(sprs::CsMat::new_csc((1, 1), vec![0, 1], vec![0], vec![f64::NAN]));
    assert!(
        matches!(nan, Err(AtomsError::Code { atom: 0, datapoint: 0, value }) if value.is_nan()),
        "{nan:?}"
    );
    // Stored zeros of either sign are dropped; a matrix held by rows is turned.
    let zeros = sprs::CsMat::new((2, 2), vec![0, 2, 3], vec![0, 1, 1], vec![0.0, -0.0, 2.0]);
    let codes = Codes::new(zeros).unwrap();
    assert_eq!((codes.nnz(), codes.column(1).get(1)), (1, Some(&2.0)));
    let empty = Codes::zeros(0, 4);
    assert_eq!((empty.atoms(), empty.datapoints(), empty.nnz()), (0, 4, 0));
    assert!(empty.mean_l0() == 0.0 && Codes::zeros(3, 0).mean_l0() == 0.0);
}

#[test]
fn parts_that_do_not_fit_are_refused() {
    let atoms = || Matrix::from_columns(2, &[[1.0, 0.0], [0.0, 2.0]]);
    let codes = |atoms: usize| Matrix::from_fn(atoms, 3, |_, _| 0.5);
    assert_eq!(
        factorization(atoms(), &codes(3), None),
        Err(AtomsError::Shape { what: "atoms in the codes", expected: 2, found: 3 })
    );
    assert_eq!(
        factorization(atoms(), &codes(2), Some(vec![0.0; 3])),
        Err(AtomsError::Shape { what: "dimension of the center", expected: 2, found: 3 })
    );
    assert_eq!(
        factorization(atoms(), &codes(2), Some(vec![0.0, f64::INFINITY])),
        Err(AtomsError::Center { coordinate: 1, value: f64::INFINITY })
    );
    let held = Codes::new(sparse(&codes(3))).unwrap();
    assert_eq!(
        Factorization::from_foreign(atoms(), held, None),
        Err(AtomsError::Shape { what: "atoms in the codes", expected: 2, found: 3 })
    );
    // A length that lifts a code beyond the largest number.
    let huge = Codes::new(sparse(&Matrix::from_fn(1, 1, |_, _| 1e300))).unwrap();
    let long = Matrix::from_columns(1, &[[1e100]]);
    assert_eq!(
        Factorization::from_foreign(long, huge, None),
        Err(AtomsError::Code { atom: 0, datapoint: 0, value: f64::INFINITY })
    );
}

#[test]
fn errors_say_where_and_what() {
    let error = AtomsError::Code { atom: 3, datapoint: 7, value: -0.5 };
    assert_eq!(
        error.to_string(),
        "code of atom 3 at datapoint 7: expected a finite number at least 0, found -0.5"
    );
    let error = AtomsError::Shape { what: "atoms in the codes", expected: 2, found: 3 };
    assert_eq!(error.to_string(), "atoms in the codes: expected 2, found 3");
}
