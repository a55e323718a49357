//! The coder: what its codes are worth, recomputed; what it takes; hostile input.

use std::ops::ControlFlow;
use std::sync::atomic::{AtomicUsize, Ordering};

use widedict::atoms::AtomsError;
use widedict::coder::{Coder, CoderError, CoderRun, Encoded};
use widedict::problem::DataError;
use widedict::testing::planted;
use widedict::{Codes, Dictionary, Interrupt, Matrix, Observer, Stop};

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
        // Where rounding hides the gap of the definition, it is left out.
        let hidden = encoded.at_rounding > 0 && gap > 1e-11 * objective && encoded.gaps[i] <= gap;
        assert!(
            (gap - encoded.gaps[i]).abs() <= rounding || hidden,
            "gap of {i}: {gap} and {}",
            encoded.gaps[i]
        );
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

/// Where a residual moves little at the end, its last codes are measured without a product, and
/// their gaps are those of the definition all the same.
#[test]
fn late_rounds_do_without_a_product() {
    let (x, dictionary) = instance(64, 1024, 200);
    let encoded = Coder::default().encode(&x, &dictionary, 0.1, &()).unwrap();
    check(&x, &dictionary, 0.1, &encoded, 1e-10);
    assert!(encoded.work.screened >= x.ncols() / 4, "{:?}", encoded.work);
    assert!(encoded.work.products <= 4 * x.ncols(), "{:?}", encoded.work);
    // At λ = 0 nothing is below λ by Cauchy and Schwarz alone.
    assert_eq!(Coder::default().encode(&x, &dictionary, 0.0, &()).unwrap().work.screened, 0);
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
        check(&x, &dictionary, lambda, &encoded, 1e-8);
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

/// Least squares with z ≥ 0 by projected coordinate steps: slow, and sure.
fn naive_nonnegative(x: &[f64], dictionary: &Dictionary, lambda: f64, sweeps: usize) -> f64 {
    let inner = |a: &[f64], b: &[f64]| a.iter().zip(b).map(|(p, q)| p * q).sum::<f64>();
    let mut codes = vec![0.0_f64; dictionary.len()];
    let mut residual = x.to_vec();
    for _ in 0..sweeps {
        for (k, atom) in dictionary.atoms().enumerate() {
            let aim = codes[k] + inner(atom, &residual) - lambda;
            let code = if aim > 0.0 { aim } else { 0.0 };
            let step = code - codes[k];
            residual.iter_mut().zip(atom).for_each(|(r, d)| *r -= step * d);
            codes[k] = code;
        }
    }
    0.5 * inner(&residual, &residual) + lambda * codes.iter().sum::<f64>()
}

/// At λ = 0, and where λ is smaller than the rounding of the residual, the coder ends by
/// what rounding allows and says so; its objective is that of the slow twin.
#[test]
fn small_prices_end_at_rounding() {
    let inside = Matrix::from_columns(3, &[[3.0, 1.0, 2.0], [0.5, 4.0, 0.25], [0.0, 0.0, 0.0]]);
    let orthant = Matrix::from_fn(3, 3, |j, k| if j == k { 1.0 } else { 0.0 });
    let mixture = planted::mixture(12, 70, 40, 4, 0.1, 2);
    let instances = [
        (inside.clone(), orthant.clone()),
        (Matrix::from_fn(3, 3, |j, k| inside.get(j, k) - 1.0), orthant),
        (mixture.clone(), planted::gaussian(12, 40, 3)),
        (mixture, planted::gaussian(12, 8, 4)),
        (planted::gaussian(30, 20, 5), planted::gaussian(30, 60, 6)),
    ];
    for (x, atoms) in instances {
        let (dictionary, _) = Dictionary::normalize(atoms).unwrap();
        for scale in [1e-60, 1.0, 1e60] {
            let mut x = x.clone();
            x.as_mut_slice().iter_mut().for_each(|v| *v *= scale);
            for lambda in [0.0, f64::MIN_POSITIVE, 1e-20, 1e-16, 1e-14, 1e-12, 1e-9] {
                let lambda = lambda * scale;
                let encoded = Coder::default().encode(&x, &dictionary, lambda, &()).unwrap();
                assert_eq!(encoded.stop, Stop::ToleranceMet, "{lambda} {scale}");
                assert!(encoded.max_relative_gap() <= 1e-10);
                for (i, x) in x.columns().enumerate().step_by(7) {
                    let energy: f64 = x.iter().map(|v| v * v).sum();
                    let slow = naive_nonnegative(x, &dictionary, lambda, 2000);
                    assert!(
                        encoded.objectives[i] <= slow + encoded.gaps[i] + 1e-12 * energy,
                        "{i}: {} and {slow}",
                        encoded.objectives[i]
                    );
                }
            }
        }
    }
}

/// What a problem refuses, the coder refuses, in the same words.
#[test]
fn data_beyond_the_range_are_refused() {
    let (x, dictionary) = instance(5, 9, 4);
    let coder = Coder::default();
    for (value, beyond) in [(1.1e140, true), (-1e200, true), (f64::NAN, false), (f64::INFINITY, false)] {
        let mut bad = x.clone();
        bad.col_mut(2)[3] = value;
        let expected = widedict::Problem::builder(bad.clone()).lambda(0.1).build().unwrap_err().to_string();
        let found = coder.encode(&bad, &dictionary, 0.1, &()).unwrap_err();
        assert_eq!(found.to_string(), expected);
        assert_eq!(matches!(found, CoderError::Data(DataError::TooLarge { .. })), beyond);

        let mut center = vec![0.0; 5];
        center[1] = value;
        let run = CoderRun { center: Some(&center), ..CoderRun::default() };
        let found = coder.encode_with(&x, &dictionary, 0.1, &run).unwrap_err();
        assert!(matches!(found, CoderError::Atoms(AtomsError::Center { coordinate: 1, .. })), "{found}");
    }
    let run = CoderRun { center: Some(&[0.0; 4]), ..CoderRun::default() };
    assert!(matches!(coder.encode_with(&x, &dictionary, 0.1, &run), Err(CoderError::Atoms(_))));
    for (atoms, points) in [(8, 4), (9, 3)] {
        let start = Codes::zeros(atoms, points);
        let run = CoderRun { start: Some(&start), ..CoderRun::default() };
        assert!(matches!(coder.encode_with(&x, &dictionary, 0.1, &run), Err(CoderError::Atoms(_))));
    }
    assert!(matches!(coder.encode(&x, &dictionary, f64::NAN, &()), Err(CoderError::Lambda(_))));
    assert!(matches!(coder.encode(&x, &Dictionary::empty(4), 0.1, &()), Err(CoderError::Dimension { .. })));
    assert!(coder.encode(&Matrix::zeros(0, 2), &Dictionary::empty(0), 0.1, &()).is_err());
}

/// A center is the same as data less the center, to the bit.
#[test]
fn a_center_is_subtracted() {
    let (x, dictionary) = instance(9, 30, 150);
    let center: Vec<f64> = (0..9).map(|j| 0.1 * f64::from(j) - 0.3).collect();
    let less = Matrix::from_fn(9, 150, |j, i| x.get(j, i) - center[j]);
    let run = CoderRun { center: Some(&center), ..CoderRun::default() };
    let coder = Coder::default();
    assert_eq!(
        coder.encode_with(&x, &dictionary, 0.2, &run).unwrap(),
        coder.encode(&less, &dictionary, 0.2, &()).unwrap()
    );
}

/// Cancels at the k-th poll, and at no other.
struct Kth {
    polls: AtomicUsize,
    k: usize,
}

impl Observer for Kth {
    fn poll(&self) -> ControlFlow<Interrupt> {
        if self.polls.fetch_add(1, Ordering::Relaxed) == self.k {
            ControlFlow::Break(Interrupt::Cancelled)
        } else {
            ControlFlow::Continue(())
        }
    }
}

/// Stopped anywhere, the coder returns codes with true gaps: those it had to begin with, or
/// better ones.
#[test]
fn a_stop_at_any_poll_keeps_what_there_is() {
    let (x, dictionary) = instance(16, 80, 200);
    let coder = Coder::default();
    let exact = coder.encode(&x, &dictionary, 0.1, &()).unwrap();
    let mut poor = exact.codes.view().to_owned();
    poor.data_mut().iter_mut().for_each(|z| *z *= 0.5);
    let poor = Codes::new(poor).unwrap();
    // One thread: how often another asks before it hears of the break is for the scheduler.
    let alone = rayon::ThreadPoolBuilder::new().num_threads(1).build().unwrap();
    for start in [None, Some(&poor)] {
        let mut polls = 0;
        for k in 0.. {
            let observer = Kth { polls: AtomicUsize::new(0), k };
            let run = CoderRun { start, observer: &observer, ..CoderRun::default() };
            let found = alone.install(|| coder.encode_with(&x, &dictionary, 0.1, &run)).unwrap();
            polls = observer.polls.into_inner();
            if polls <= k {
                assert_eq!(found.stop, Stop::ToleranceMet);
                break;
            }
            // Nothing is done any more after the interrupt.
            assert!(polls <= k + 2, "{polls} polls, stopped at {k}");
            for (i, x) in x.columns().enumerate() {
                let code: Vec<(usize, f64)> = found.codes.column(i).iter().map(|(k, &z)| (k, z)).collect();
                let (objective, _) = naive_value(x, &dictionary, &code, 0.1);
                assert!((objective - found.objectives[i]).abs() <= 1e-12 * objective, "{k} {i}");
                let optimum = exact.objectives[i] - exact.gaps[i];
                assert!(found.objectives[i] - found.gaps[i] <= optimum + 1e-9 * optimum, "{k} {i}");
            }
            if k == 0 {
                assert_eq!(found.stop, Stop::Cancelled);
                assert_eq!(found.codes, start.cloned().unwrap_or(Codes::zeros(80, 200)));
            }
        }
        assert!(polls >= 10, "only {polls} polls");
    }
}
