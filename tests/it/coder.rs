//! The coder: what its codes are worth, recomputed; what it takes; hostile input.

use widedict::coder::{Coder, Encoded};
use widedict::testing::planted;
use widedict::{Dictionary, Matrix};

/// `max_k d_kᵀr`, objective and gap of a code, by loops.
fn naive_value(x: &[f64], dictionary: &Dictionary, code: &[(usize, f64)], lambda: f64) -> (f64, f64) {
    let mut residual = x.to_vec();
    let mut l1 = 0.0;
    for &(k, z) in code {
        assert!(z > 0.0);
        residual.iter_mut().zip(dictionary.atom(k)).for_each(|(r, d)| *r -= z * d);
        l1 += z;
    }
    let inner = |a: &[f64], b: &[f64]| a.iter().zip(b).map(|(p, q)| p * q).sum::<f64>();
    let mut scale = 1.0;
    for atom in dictionary.atoms() {
        let c = inner(atom, &residual);
        if c * scale > lambda {
            scale = lambda / c;
        }
    }
    let energy = inner(&residual, &residual);
    let objective = 0.5 * energy + lambda * l1;
    (objective, objective - (scale * inner(x, &residual) - 0.5 * scale * scale * energy))
}

fn check(points: &Matrix, dictionary: &Dictionary, lambda: f64, encoded: &Encoded, tolerance: f64) {
    assert_eq!(encoded.objectives.len(), points.ncols());
    for (i, x) in points.columns().enumerate() {
        let code: Vec<(usize, f64)> = encoded.codes.column(i).iter().map(|(k, &z)| (k, z)).collect();
        let (objective, gap) = naive_value(x, dictionary, &code, lambda);
        let energy: f64 = x.iter().map(|v| v * v).sum();
        let rounding = 1e-12 * (objective + 0.5 * energy) + f64::MIN_POSITIVE;
        assert!((objective - encoded.objectives[i]).abs() <= rounding, "objective of {i}");
        assert!((gap - encoded.gaps[i]).abs() <= rounding, "gap of {i}: {gap} and {}", encoded.gaps[i]);
        assert!(
            encoded.gaps[i] <= tolerance * objective + rounding,
            "{i}: {} of {objective}",
            encoded.gaps[i]
        );
    }
}

fn instance(dim: usize, atoms: usize, points: usize) -> (Matrix, Dictionary) {
    let x = planted::mixture(dim, points, atoms, 8, 0.02, 1);
    let (dictionary, _) = Dictionary::normalize(planted::gaussian(dim, atoms, 1)).unwrap();
    (x, dictionary)
}

/// A Gram matrix held (many points) and none (few), more than a block, part of one.
#[test]
fn gaps_are_those_of_the_definition() {
    for (dim, atoms, points) in [(64, 256, 300), (64, 512, 100), (24, 96, 65), (8, 64, 130), (5, 3, 1)] {
        for lambda in [1e-3, 0.1, 1.0, 100.0] {
            let (x, dictionary) = instance(dim, atoms, points);
            let encoded = Coder::default().encode(&x, &dictionary, lambda, &()).unwrap();
            check(&x, &dictionary, lambda, &encoded, 1e-10);
        }
    }
}

/// Few rounds, few factors, nothing handed over, and all of it the same for any
/// number of threads.
#[test]
fn work_on_sparse_mixtures_is_bounded() {
    for (dim, atoms, points) in [(64, 256, 400), (64, 1024, 200), (384, 1024, 100)] {
        let (x, dictionary) = instance(dim, atoms, points);
        let runs: Vec<Encoded> = [1, 2, 7]
            .into_iter()
            .map(|threads| {
                let pool = rayon::ThreadPoolBuilder::new().num_threads(threads).build().unwrap();
                pool.install(|| Coder::default().encode(&x, &dictionary, 0.1, &())).unwrap()
            })
            .collect();
        assert!(runs.iter().all(|run| *run == runs[0]));
        let work = runs[0].work;
        assert!(work.products >= 2 * points && work.products <= 5 * points, "{work:?}");
        assert!(work.factors <= 8 * points, "{work:?}");
        assert!(work.sweeps <= 60 * points, "{work:?}");
        assert!(work.handed_over <= points / 50, "{work:?}");
    }
}

/// Atoms twice, nearly twice and opposite; points of zeros, of one atom, huge, tiny.
#[test]
fn hostile_dictionaries_and_points() {
    let base = planted::gaussian(6, 10, 3);
    let mut columns: Vec<Vec<f64>> = base.columns().map(<[f64]>::to_vec).collect();
    for j in 0..10 {
        columns.push(columns[j].clone());
        columns.push(columns[j].iter().map(|v| v * (1.0 + 1e-15)).collect());
        let mut near = columns[j].clone();
        near[0] += 1e-9;
        columns.push(near);
        columns.push(columns[j].iter().map(|v| -v).collect());
    }
    let (dictionary, _) = Dictionary::normalize(Matrix::from_columns(6, &columns)).unwrap();
    let noise = planted::gaussian(6, 20, 4);
    let mut points: Vec<Vec<f64>> = noise.columns().map(<[f64]>::to_vec).collect();
    points.push(vec![0.0; 6]);
    points.push(dictionary.atom(0).to_vec());
    points.push(noise.col(0).iter().map(|v| v * 1e100).collect());
    points.push(noise.col(1).iter().map(|v| v * 1e-100).collect());
    let x = Matrix::from_columns(6, &points);
    for lambda in [0.0, 1e-6, 0.3] {
        let encoded = Coder::default().encode(&x, &dictionary, lambda, &()).unwrap();
        // At λ = 0 and at 1e100 the bound is all rounding: the gap is told, not small.
        check(&x, &dictionary, lambda, &encoded, if lambda > 0.1 { 1e-8 } else { f64::MAX });
    }
    let none = Coder::default().encode(&Matrix::zeros(6, 0), &dictionary, 0.1, &()).unwrap();
    assert!(none.objectives.is_empty() && none.work == widedict::coder::Work::default());
}

/// Atoms in bundles that differ by less than single precision shows, at any scale of the
/// data: gaps are exact all the same, since such atoms are compared in double precision.
#[test]
fn atoms_alike_in_single_precision_are_told_apart() {
    for spread in [1e-4, 1e-5, 3e-6] {
        let centers = planted::gaussian(40, 30, 5);
        let noise = planted::gaussian(40, 30 * 6, 6);
        let columns: Vec<Vec<f64>> = noise
            .columns()
            .enumerate()
            .map(|(j, e)| centers.col(j / 6).iter().zip(e).map(|(c, e)| c + spread * e).collect())
            .collect();
        let (dictionary, _) = Dictionary::normalize(Matrix::from_columns(40, &columns)).unwrap();
        for scale in [1e-60, 1.0, 1e60] {
            let mut x = planted::gaussian(40, 50, 7);
            x.as_mut_slice().iter_mut().for_each(|v| *v *= scale);
            let lambda = 0.5 * scale;
            let encoded = Coder::default().encode(&x, &dictionary, lambda, &()).unwrap();
            check(&x, &dictionary, lambda, &encoded, 1e-9);
        }
    }
}
