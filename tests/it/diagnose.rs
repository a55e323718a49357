//! Diagnoses: every number against a slow twin, a theorem's own example or the
//! objective of the point that it speaks of.

use std::ops::ControlFlow;
use std::sync::atomic::{AtomicUsize, Ordering};

use proptest::prelude::*;
use widedict::coder::{Coder, CoderError, CoderRun, Encoded};
use widedict::diagnose::{
    CompareError, DiagnoseError, Diagnosis, Similarity, Thresholds, Trained, compare, cosines, diagnose,
};
use widedict::linalg::{axpy, dot, norm};
use widedict::trusted::Residuals;
use widedict::trusted::Subject;
use widedict::trusted::nesting;
use widedict::{
    Codes, Dictionary, Factorization, Finite, Interrupt, Matrix, Observer, Problem, Stop, datasets, testing,
};

fn unit(columns: &[Vec<f64>]) -> Dictionary {
    Dictionary::normalize(Matrix::from_columns(columns[0].len(), columns)).expect("atoms").0
}

/// Every 6th digit, and a dictionary of every 37th.
fn digits() -> (Matrix, Dictionary) {
    let all = datasets::digits();
    let pick =
        |step: usize, from: usize| all.select_columns(&(from..all.ncols()).step_by(step).collect::<Vec<_>>());
    let (dictionary, _) = Dictionary::normalize(pick(37, 5)).expect("no digit is blank");
    (pick(6, 0), dictionary)
}

/// Codes to a relative gap, from a start.
fn exact_codes(
    x: &Matrix,
    dictionary: &Dictionary,
    lambda: f64,
    start: Option<&Codes>,
    gap_tolerance: f64,
    observer: &dyn Observer,
) -> Result<Encoded, CoderError> {
    let coder = Coder { gap_tolerance, ..Coder::default() };
    coder.encode_with(x, dictionary, lambda, &CoderRun { start, observer, ..CoderRun::default() })
}

fn run(problem: &Problem, dictionary: &Dictionary, given: Option<&Codes>) -> Diagnosis {
    diagnose(problem, &Trained { codes: given, ..Trained::of(dictionary) }, &Thresholds::default(), &())
        .expect("a diagnosis")
}

fn value(problem: &Problem, point: &Factorization) -> f64 {
    Subject::of(problem, point).expect("of this problem").primal().value()
}

/// The codes of an encoder of one step, `(Dᵀx − λ)₊`.
fn thresholded(x: &Matrix, dictionary: &Dictionary, lambda: f64) -> Codes {
    let mut codes = sprs::TriMat::new((dictionary.len(), x.ncols()));
    for (i, x) in x.columns().enumerate() {
        for (k, atom) in dictionary.atoms().enumerate() {
            let code = dot(atom, x) - lambda;
            if code > 0.0 {
                codes.add_triplet(k, i, code);
            }
        }
    }
    Codes::new(codes.to_csc()).expect("codes")
}

#[test]
fn every_start_ends_at_the_same_codes() {
    let (x, dictionary) = digits();
    for lambda in [0.1, 0.5, 2.0] {
        let slow = Coder::default().encode(&x, &dictionary, lambda, &()).expect("coded");
        let poor = thresholded(&x, &dictionary, lambda);
        let fast = exact_codes(&x, &dictionary, lambda, Some(&poor), 1e-10, &()).expect("coded");
        assert_eq!(fast.stop, Stop::ToleranceMet);
        let again = exact_codes(&x, &dictionary, lambda, Some(&fast.codes), 1e-10, &()).expect("coded");
        for i in 0..x.ncols() {
            let slack = slow.gaps[i] + fast.gaps[i] + 1e-12 * slow.objectives[i];
            assert!((slow.objectives[i] - fast.objectives[i]).abs() <= slack, "{lambda} {i}");
            assert!(fast.gaps[i] <= 1e-10 * fast.objectives[i]);
            assert!(again.objectives[i] <= fast.objectives[i]);
        }
    }
    // Wider than a tile, with duplicates and opposites.
    let wide = Matrix::from_fn(6, 1500, |j, k| {
        let k = f64::from(u32::try_from(k % 1200).expect("small")) + 1.0;
        (k * (1.0 + f64::from(u32::try_from(j).expect("small"))) * 0.37).sin()
    });
    let (dictionary, _) = Dictionary::normalize(wide).expect("atoms");
    let x = Matrix::from_fn(6, 9, |j, i| ((i * 7 + j * 3) % 5) as f64 - 1.5);
    let slow = Coder::default().encode(&x, &dictionary, 0.2, &()).expect("coded");
    let poor = thresholded(&x, &dictionary, 0.2);
    let fast = exact_codes(&x, &dictionary, 0.2, Some(&poor), 1e-9, &()).expect("coded");
    for i in 0..9 {
        let slack = slow.gaps[i] + fast.gaps[i] + 1e-12;
        assert!((slow.objectives[i] - fast.objectives[i]).abs() <= slack, "{i}");
    }
}

#[test]
fn cosines_are_those_of_all_pairs() {
    let (_, dictionary) = digits();
    let found = cosines(&dictionary, 0.8, 0.45, &());
    let m = dictionary.len();
    let cosine = |j: usize, l: usize| dot(dictionary.atom(j), dictionary.atom(l));
    let (mut close, mut far) = (0, 0);
    for j in 0..m {
        let others: Vec<f64> = (0..m).filter(|&l| l != j).map(|l| cosine(j, l)).collect();
        let (least, most) = others.iter().fold((f64::INFINITY, f64::NEG_INFINITY), |(a, b), &c| {
            (if c < a { c } else { a }, if c > b { c } else { b })
        });
        let (near, opposite) = (found.nearest[j].unwrap(), found.opposite[j].unwrap());
        assert!((near.cosine - most).abs() < 1e-13 && (cosine(j, near.atom) - most).abs() < 1e-13);
        assert!((opposite.cosine - least).abs() < 1e-13 && (cosine(j, opposite.atom) - least).abs() < 1e-13);
        close += (0..j).filter(|&l| cosine(j, l) >= 0.8).count();
        far += (0..j).filter(|&l| cosine(j, l) <= 0.45).count();
    }
    assert!(close > 0 && far > 0);
    assert_eq!((found.close.len(), found.antipodal.len()), (close, far));
    assert!(found.close.is_sorted_by(|l, r| l.cosine >= r.cosine));
    assert!(found.antipodal.is_sorted_by(|l, r| l.cosine <= r.cosine));
    let alone = cosines(&unit(&[vec![1.0, 0.0]]), 0.5, -0.5, &());
    assert_eq!((alone.nearest[0], alone.close.len()), (None, 0));
}

/// A child e₂ that fires only with its parent e₁, which fires alone elsewhere.
fn nested(alone: usize) -> (Problem, Dictionary) {
    let mut points = vec![vec![2.0, 0.0]; 12];
    points.extend([vec![2.0, 1.5], vec![1.5, 2.0], vec![3.0, 1.2], vec![2.0, 1.7]]);
    points.extend((0..6).map(|i| vec![2.0, 1.0 + 0.1 * f64::from(i)]));
    points.extend(vec![vec![0.0, 2.0]; alone]);
    let problem = Problem::builder(Matrix::from_columns(2, &points)).lambda(0.4).build().expect("valid");
    (problem, unit(&[vec![1.0, 0.0], vec![0.0, 1.0]]))
}

#[test]
fn exact_nesting_gains_what_the_exchange_gains() {
    let (problem, dictionary) = nested(0);
    let found = run(&problem, &dictionary, None);
    assert_eq!((found.hierarchy.exactly_nested, found.hierarchy.nested.len()), (1, 1));
    let pair = found.hierarchy.nested[0];
    assert_eq!((pair.child, pair.parent, pair.child_uses, pair.parent_uses), (1, 0, 10, 22));
    assert_eq!((pair.share, pair.child_solo), (1.0, 0.0));
    assert!((pair.parent_solo - 12.0 / 22.0).abs() < 1e-15);
    let codes = exact_codes(&problem.data().datapoints().as_matrix(), &dictionary, 0.4, None, 1e-12, &())
        .expect("coded")
        .codes;
    let point = Factorization::new(dictionary, codes, None).expect("a point");
    let subject = Subject::of(&problem, &point).expect("of this problem");
    let slow = nesting::pairs(&subject, &()).unwrap();
    let slow = slow.iter().find(|p| (p.inner, p.outer) == (1, 0)).expect("the same pair");
    assert!((pair.gain + slow.change).abs() < 1e-14 && pair.gain > 0.0);
    assert!((pair.slack - slow.slack).abs() < 1e-14);
    let better = nesting::unnest(&subject, slow).expect("proved lower");
    assert!((value(&problem, &point) - value(&problem, &better) - pair.gain).abs() < 1e-12);
}

#[test]
fn near_nesting_gains_what_the_point_it_speaks_of_gains() {
    let (problem, dictionary) = nested(1);
    let found = run(&problem, &dictionary, None);
    assert_eq!(found.hierarchy.exactly_nested, 0);
    let pair = found.hierarchy.nested[0];
    assert_eq!((pair.child, pair.together, pair.child_uses), (1, 10, 11));
    let lambda = problem.lambda();
    let codes = exact_codes(&problem.data().datapoints().as_matrix(), &dictionary, lambda, None, 1e-12, &())
        .expect("coded")
        .codes;
    let before = Factorization::new(dictionary.clone(), codes, None).expect("a point");
    let mut moved = dictionary.atom(1).to_vec();
    axpy(pair.slack, dictionary.atom(0), &mut moved);
    let length = norm(&moved);
    moved.iter_mut().for_each(|v| *v /= length);
    let dense = testing::dense_codes(&before);
    let after = Matrix::from_fn(2, problem.len(), |k, i| {
        let (parent, child) = (dense.get(0, i), dense.get(1, i));
        match (k, parent > 0.0 && child > 0.0, child > 0.0) {
            (0, true, _) => parent - pair.slack * child,
            (1, true, _) => child * length,
            (1, false, true) => dot(&moved, &problem.data().datapoint(i)) - lambda,
            (0, false, _) => parent,
            _ => 0.0,
        }
    });
    let atoms = Matrix::from_columns(2, &[dictionary.atom(0).to_vec(), moved]);
    let after = testing::factorization(atoms, &after, None).expect("a feasible point");
    let gain = value(&problem, &before) - value(&problem, &after);
    assert!((gain - pair.gain).abs() < 1e-12, "{gain} {}", pair.gain);
}

#[test]
fn absorption_is_a_child_that_silences_its_parent() {
    // The parent e₁ fires alone; the child (e₁ + e₂)/√2 takes the points of both.
    let mut points = vec![vec![2.0, 0.0]; 9];
    points.extend(vec![vec![1.5, 1.5]; 5]);
    let problem = Problem::builder(Matrix::from_columns(2, &points)).lambda(0.3).build().expect("valid");
    let dictionary = unit(&[vec![1.0, 0.0], vec![1.0, 1.0]]);
    let found = run(&problem, &dictionary, None);
    assert_eq!(found.hierarchy.absorbed.len(), 1);
    let pair = found.hierarchy.absorbed[0];
    assert_eq!((pair.child, pair.parent, pair.child_uses, pair.parent_uses), (1, 0, 5, 9));
    assert_eq!((pair.together, pair.would_fire), (0.0, 1.0));
    // Orthogonal atoms are not looked at.
    let (problem, dictionary) = nested(0);
    assert!(run(&problem, &dictionary, None).hierarchy.absorbed.is_empty());
}

#[test]
fn the_pressure_and_the_split_of_the_theorems_example() {
    let x = Matrix::from_columns(2, &[[1.0, 0.5], [1.0, -0.5]]);
    let problem = Problem::builder(x).lambda(0.1).build().expect("valid");
    let found = run(&problem, &unit(&[vec![1.0, 0.0]]), None);
    let split = &found.splitting.atoms[0];
    assert!((split.pressure - 0.45).abs() < 1e-14);
    assert!((split.relative - 0.45 / 0.09).abs() < 1e-12);
    assert!((found.splitting.mean_relative - 5.0).abs() < 1e-12);
    assert!(split.direction[0].abs() < 1e-15 && (split.direction[1].abs() - 1.0).abs() < 1e-15);
    // Two atoms attain the wide limit here.
    assert!((found.codes.exact.objective - 0.22).abs() < 1e-14);
    assert!((split.gain - (0.22 - found.dictionary.wide_limit)).abs() < 1e-12);
    assert!((found.dictionary.excess - split.gain).abs() < 1e-12);
    assert!((split.opening - 0.6).abs() < 1e-9, "the cosine of the two points");
    // At the wide limit there is no pressure.
    let done = run(&problem, &unit(&[vec![1.0, 0.5], vec![1.0, -0.5]]), None);
    assert!(done.splitting.mean_relative < 1e-14, "{}", done.splitting.mean_relative);
    assert!(done.dictionary.excess.abs() < 1e-15, "{}", done.dictionary.excess);
    assert!(done.dictionary.relative_gap < 1e-9 && done.dictionary.largest_violation < 1e-14);
}

#[test]
fn near_duplicates_are_grouped() {
    let (x, _) = digits();
    let problem = Problem::builder(x.clone()).lambda(0.5).build().expect("valid");
    let nudge = |k: usize, by: f64| -> Vec<f64> {
        x.col(k).iter().enumerate().map(|(j, v)| v + if j % 7 == 0 { by } else { 0.0 }).collect()
    };
    let dictionary = unit(&[nudge(0, 0.0), nudge(1, 0.0), nudge(0, 0.02), nudge(0, -0.02), nudge(1, 0.02)]);
    let thresholds = Thresholds { duplicate: 0.99, ..Thresholds::default() };
    let found = diagnose(&problem, &Trained::of(&dictionary), &thresholds, &()).expect("a diagnosis");
    assert_eq!(found.splitting.clusters, [vec![0, 2, 3], vec![1, 4]]);
}

/// Points on a line with weights, the pair ±u at a center.
fn line(points: &[f64], weights: &[f64], center: f64) -> Diagnosis {
    let columns: Vec<[f64; 2]> = points.iter().map(|p| [0.6 * p, 0.8 * p]).collect();
    let problem = Problem::builder(Matrix::from_columns(2, &columns))
        .lambda(0.1)
        .weights(weights.to_vec())
        .centered(true)
        .build()
        .expect("valid");
    let dictionary = unit(&[vec![0.6, 0.8], vec![-0.6, -0.8]]);
    let center = [0.6 * center, 0.8 * center];
    let trained = Trained { center: Some(&center), ..Trained::of(&dictionary) };
    diagnose(&problem, &trained, &Thresholds::default(), &()).expect("a diagnosis")
}

#[test]
fn antipodal_pairs_and_the_center() {
    // Two points: one atom and a shift attain F_∞ = 11/300, the pair at ½ does not.
    let found = line(&[0.0, 1.0], &[0.6, 0.4], 0.5);
    assert!((found.codes.exact.objective - 0.045).abs() < 1e-15);
    let pair = found.antipodal[0];
    assert_eq!((pair.first, pair.second, pair.together), (0, 1, 0));
    assert!((pair.cosine + 1.0).abs() < 1e-15 && (found.most_antipodal.unwrap().cosine + 1.0).abs() < 1e-15);
    assert!((pair.density_first - 0.5).abs() < 1e-15 && (pair.density_second - 0.5).abs() < 1e-15);
    assert!((pair.shift_excess - (11.0 / 300.0 - 0.045)).abs() < 1e-9, "{}", pair.shift_excess);
    assert_eq!(pair.given_up, 1);
    assert!((pair.shift - (0.5 - 0.1 * 2.0 / 3.0)).abs() < 1e-5, "{}", pair.shift);
    // Three points with the middle the heaviest: the pair is needed.
    let needed = line(&[-1.0, 0.0, 1.0], &[0.3, 0.4, 0.3], 0.0);
    assert!(needed.antipodal[0].shift_excess > 0.01);
    assert!(needed.residuals.exact.center < 1e-15, "the center is optimal");
    assert!(found.residuals.exact.center > 0.1);
}

#[test]
fn codes_given_are_judged_by_their_gaps() {
    let (x, dictionary) = digits();
    let problem = Problem::builder(x).lambda(0.5).build().expect("valid");
    let exact = exact_codes(&problem.data().datapoints().as_matrix(), &dictionary, 0.5, None, 1e-10, &())
        .expect("coded")
        .codes;
    let mut scaled = exact.view().to_owned();
    scaled.data_mut().iter_mut().for_each(|z| *z *= 0.8);
    let given = Codes::new(scaled).expect("codes");
    let found = run(&problem, &dictionary, Some(&given));
    let point = Factorization::new(dictionary, given, None).expect("a point");
    let summary = found.codes.given.as_ref().unwrap();
    assert!((summary.objective - value(&problem, &point)).abs() < 1e-12 * summary.objective);
    let gap = found.codes.amortisation_gap.unwrap();
    assert!(gap > 0.0 && gap <= summary.gap * (1.0 + 1e-12), "{gap} {}", summary.gap);
    assert!((gap - (summary.objective - found.codes.exact.objective)).abs() < 1e-15);
    for row in &found.point_rows {
        let (gap, bound) = (row.amortisation_gap.unwrap(), row.given_gap.unwrap());
        assert!(gap <= bound + 1e-10 && gap >= -1e-10, "point {}", row.point);
        assert!(row.excess >= -1e-12);
    }
    let (given, exact) = (found.residuals.given.unwrap(), found.residuals.exact);
    assert!(
        exact.polytope.unwrap() < 1e-6
            && exact.complementarity < 1e-9
            && exact.energy < 1e-9
            && exact.short == 0
    );
    assert!(given.polytope.unwrap() > 1e-2 && given.complementarity > 1e-3);
    // What is off the polytope is D(z_exact − z_given) = 0.2 D z_exact.
    let off = found.residuals.off_polytope.as_ref().unwrap();
    let inside = Residuals::of(&problem, &point).expect("of this problem").into_matrix();
    assert!(off.total > 0.0 && off.eigenvalues.is_sorted_by(|l, r| l >= r));
    assert!((off.total - off.eigenvalues.iter().sum::<f64>()).abs() < 1e-12 * off.total);
    let mean: f64 = inside.columns().map(|r| dot(r, r)).sum::<f64>() / 300.0;
    assert!((2.0 * summary.fit - mean).abs() < 1e-10 * mean);
    let all = found.residuals.spectrum.as_ref().unwrap();
    assert!((all.total - 2.0 * found.codes.exact.fit).abs() < 1e-10 * all.total);
    let beyond = found.residuals.beyond_ball.as_ref().unwrap();
    assert!(beyond.total < all.total && beyond.effective_rank <= 64.0);
}

#[test]
fn an_atom_moves_to_the_best_one_for_its_codes() {
    let (x, dictionary) = digits();
    let problem = Problem::builder(x).lambda(0.5).build().expect("valid");
    let found = run(&problem, &dictionary, None);
    let codes = exact_codes(&problem.data().datapoints().as_matrix(), &dictionary, 0.5, None, 1e-9, &())
        .expect("coded")
        .codes;
    let point = Factorization::new(dictionary.clone(), codes.clone(), None).expect("a point");
    let residuals = Residuals::of(&problem, &point).expect("of this problem").into_matrix();
    let before = value(&problem, &point);
    assert!(found.dictionary.atoms.is_sorted_by(|l, r| l.gain >= r.gain));
    for state in found.dictionary.atoms.iter().take(5) {
        let atom = dictionary.atom(state.atom);
        let mut target = vec![0.0; atom.len()];
        for i in 0..problem.len() {
            if let Some(&z) = codes.column(i).get(state.atom) {
                axpy(z, residuals.col(i), &mut target);
                axpy(z * z, atom, &mut target);
            }
        }
        let length = norm(&target);
        let turn = (dot(&target, atom) / length).acos().to_degrees();
        assert!((turn - state.turn).abs() < 1e-6);
        let mut atoms = dictionary.matrix().clone();
        atoms.col_mut(state.atom).iter_mut().zip(&target).for_each(|(d, t)| *d = t / length);
        let (moved, _) = Dictionary::normalize(atoms).expect("atoms");
        let after = value(&problem, &Factorization::new(moved, codes.clone(), None).expect("a point"));
        assert!((before - after - state.gain).abs() < 1e-10, "{} {}", before - after, state.gain);
        let (towards, cosine) = state.towards.expect("named");
        assert!(towards != state.atom && cosine.abs() <= 1.0 + 1e-12);
    }
    let row = &found.atom_rows[found.dictionary.atoms[0].atom];
    assert_eq!(row.turn, Some(found.dictionary.atoms[0].turn));
}

/// `R²` of least squares of some rows on others, weighted, by Gram and Schmidt.
fn regression(of: &Matrix, on: &[Vec<f64>], weights: &[f64]) -> f64 {
    let weighed = |row: &[f64]| row.iter().zip(weights).map(|(v, w)| v * w.sqrt()).collect::<Vec<f64>>();
    let mut basis: Vec<Vec<f64>> = Vec::new();
    for row in on {
        let mut row = weighed(row);
        let whole = norm(&row);
        for _ in 0..3 {
            for q in &basis {
                let along = dot(q, &row);
                axpy(-along, q, &mut row);
            }
        }
        let length = norm(&row);
        if length > 1e-9 * whole {
            basis.push(row.iter().map(|v| v / length).collect());
        }
    }
    let (mut explained, mut total) = (0.0, 0.0);
    for j in 0..of.nrows() {
        let row = weighed(&of.columns().map(|c| c[j]).collect::<Vec<f64>>());
        total += dot(&row, &row);
        explained += basis.iter().map(|q| dot(q, &row).powi(2)).sum::<f64>();
    }
    explained / total
}

fn dense_rows(codes: &Codes) -> Vec<Vec<f64>> {
    let mut rows = vec![vec![0.0; codes.datapoints()]; codes.atoms()];
    codes.view().iter().for_each(|(z, (k, i))| rows[k][i] = *z);
    rows
}

/// What is reported directly is regression, by codes and by data, decomposed or by conjugate
/// gradients; what is reported by the law is its formula.
#[test]
fn the_residual_law_is_that_of_the_formulas() {
    let value = |k: usize| f64::from(u32::try_from(k * 7919 % 1009).unwrap()) / 504.5 - 1.0;
    for (n, m, len) in [(5, 7, 60), (4, 650, 700)] {
        let dictionary =
            unit(&(0..m).map(|k| (0..n).map(|j| value(k * n + j + 1)).collect()).collect::<Vec<_>>());
        let x = Matrix::from_fn(n, len, |j, i| 3.0 * value(5000 + i * n + j));
        // Few codes at a datapoint, every atom in use.
        let code = |i: usize| (0..4).map(move |t| ((i * 13 + t * 171) % m, i, 0.1 + value(i + t).abs()));
        let codes = Codes::from_triplets(m, len, (0..len).flat_map(code).collect::<Vec<_>>()).unwrap();
        let weights: Vec<f64> = (0..len).map(|i| 1.5 + value(3 * i)).collect();
        let problem = Problem::builder(x.clone()).lambda(0.2).weights(weights).build().unwrap();
        let found = run(&problem, &dictionary, Some(&codes));
        let weights = problem.data().weights();
        for (law, codes) in
            [(found.residual_law.given, &codes), (found.residual_law.exact, &found.exact_codes)]
        {
            let law = law.expect("something is left");
            let mut residuals = x.clone();
            widedict::linalg::subtract_product(dictionary.matrix(), codes.view(), &mut residuals);
            let rows = dense_rows(codes);
            let data: Vec<Vec<f64>> = (0..n).map(|j| x.columns().map(|c| c[j]).collect()).collect();
            let near = |found: f64, expected: f64, what: &str| {
                assert!((found - expected).abs() <= 1e-7, "{what}, {m}: {found} for {expected}");
            };
            near(law.from_codes_direct, regression(&residuals, &rows, weights), "codes");
            near(law.from_activations_direct, regression(&residuals, &data, weights), "data");
            near(law.remains, 1.0 - law.from_activations_direct, "remains");
            assert!(law.codes_residual <= 1e-6, "{law:?}");
            if m < 100 {
                // λ² tr(D S C⁻¹ S Dᵀ) by regressing u = Z̃ᵀC⁻¹SDᵀλ: as the energy of its projection.
                let masses: Vec<f64> =
                    rows.iter().map(|r| r.iter().zip(weights).map(|(z, w)| z * w).sum()).collect();
                let moments = |k: usize, l: usize| -> f64 {
                    (0..len).map(|i| weights[i] * rows[k][i] * rows[l][i]).sum()
                };
                let live: Vec<usize> = (0..m).filter(|k| masses[*k] > 0.0).collect();
                let solved = gauss(
                    &live
                        .iter()
                        .map(|k| live.iter().map(|l| moments(*k, *l)).collect())
                        .collect::<Vec<Vec<f64>>>(),
                    &live
                        .iter()
                        .map(|k| dictionary.atom(*k).iter().map(|d| 0.2 * masses[*k] * d).collect())
                        .collect::<Vec<Vec<f64>>>(),
                );
                let energy: f64 = residuals.columns().zip(weights).map(|(r, w)| w * dot(r, r)).sum();
                let share: f64 = live
                    .iter()
                    .zip(&solved)
                    .map(|(k, b)| 0.2 * masses[*k] * dot(dictionary.atom(*k), b))
                    .sum();
                near(law.from_codes, share / energy, "the law");
            }
        }
    }
}

/// Solves `A X = B` by elimination.
fn gauss(a: &[Vec<f64>], b: &[Vec<f64>]) -> Vec<Vec<f64>> {
    let n = a.len();
    let mut rows: Vec<Vec<f64>> = a.iter().zip(b).map(|(a, b)| [&a[..], b].concat()).collect();
    for p in 0..n {
        let best = (p..n).max_by(|l, r| rows[*l][p].abs().total_cmp(&rows[*r][p].abs())).unwrap();
        rows.swap(p, best);
        let pivot: Vec<f64> = rows[p].iter().map(|v| v / rows[p][p]).collect();
        for (at, row) in rows.iter_mut().enumerate().filter(|(at, _)| *at != p) {
            let factor = row[p];
            row.iter_mut().zip(&pivot).for_each(|(v, q)| *v -= factor * q);
            let _ = at;
        }
        rows[p] = pivot;
    }
    rows.into_iter().map(|row| row[n..].to_vec()).collect()
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 32, ..ProptestConfig::default() })]

    #[test]
    fn the_residual_law_is_regression_at_stationary_points(
        x in prop::collection::vec(-1.0..1.0_f64, 4 * 30),
        width in 2..=5_usize,
        exponent in -60..60_i32,
    ) {
        let unit = 10.0_f64.powi(exponent);
        let x = Matrix::from_column_major(4, 30, x.iter().map(|v| unit * v).collect()).unwrap();
        let problem = Problem::builder(x).lambda(0.1 * unit).build().unwrap();
        let finite = Finite { stationarity_tolerance: 1e-11, max_iterations: 20_000, ..Finite::new(width) };
        let solution = finite.solve(&problem).unwrap().certified;
        prop_assume!(solution.certificate().kkt().relative() <= 1e-10);
        let found = run(&problem, solution.solution().dictionary(), None);
        let Some(law) = found.residual_law.exact else { return Ok(()) };
        prop_assert!((law.from_codes - law.from_codes_direct).abs() <= 1e-8, "{law:?}");
        prop_assert!((law.from_activations - law.from_activations_direct).abs() <= 1e-8, "{law:?}");
        prop_assert!(law.from_codes_direct <= 1.0 + 1e-9 && law.from_activations_direct <= 1.0 + 1e-9);
    }

    /// With as many atoms as active directions at most, a dead one can always be put to use.
    #[test]
    fn a_dead_atom_is_never_optimal(
        x in prop::collection::vec(0.0..1.0_f64, 3 * 8),
        atoms in prop::collection::vec(0.01..1.0_f64, 3 * 3),
        exponent in -60..60_i32,
    ) {
        let scale = 10.0_f64.powi(exponent);
        let x = Matrix::from_column_major(3, 8, x.iter().map(|v| scale * v).collect()).unwrap();
        // The last atom points away from all data.
        let mut columns: Vec<Vec<f64>> = atoms.chunks(3).map(<[f64]>::to_vec).collect();
        columns.push(vec![-1.0, -1.0, -1.0]);
        let problem = Problem::builder(x).lambda(0.1 * scale).build().unwrap();
        let found = run(&problem, &unit(&columns), None);
        let excess = found.dictionary.excess;
        prop_assume!(excess > 1e-6 * scale * scale);
        let revival = found.revival.expect("a gain");
        prop_assert!(revival.proved && revival.gain > 0.0);
        prop_assert!((revival.objective - (found.codes.exact.objective - revival.gain)).abs() <= 1e-9 * revival.objective);
        let told: f64 = revival.atoms.iter().map(|revived| revived.gain).sum();
        prop_assert!((told - revival.gain).abs() <= 1e-7 * found.codes.exact.objective);
        // At exact codes the new dictionary is as good at least.
        let after = run(&problem, revival.point.dictionary(), None);
        prop_assert!(after.codes.exact.objective <= revival.objective * (1.0 + 1e-9));
    }
}

/// Two dead atoms, two datapoints of different directions: what each gains adds up.
#[test]
fn dead_atoms_turned_to_datapoints_gain_what_is_said() {
    let x = Matrix::from_columns(2, &[[3.0, 0.0], [0.0, 2.0], [0.0, 4.0], [1.0, 1.0]]);
    let problem = Problem::builder(x).lambda(0.5).build().unwrap();
    let dictionary = unit(&[vec![1.0, 0.0], vec![-1.0, -1.0], vec![-1.0, -0.5]]);
    let found = run(&problem, &dictionary, None);
    assert_eq!(found.codes.dead.len(), 2);
    let revival = found.revival.expect("a gain");
    // The third point costs 8, with an atom of its own 4·½ − ⅛; the second is along it.
    assert_eq!(revival.atoms.iter().map(|r| (r.atom, r.point)).collect::<Vec<_>>(), [(1, 2), (2, 3)]);
    assert!((revival.atoms[0].gain - 0.25 * (8.0 - 1.875)).abs() < 1e-9, "{:?}", revival.atoms);
    // The fourth: ½·2 − ½(1 − ½)² beside h(√2) = ½√2 − ⅛.
    let gain = 0.25 * (1.0 - 0.125 - (0.5 * 2.0_f64.sqrt() - 0.125));
    assert!((revival.atoms[1].gain - gain).abs() < 1e-9, "{:?}", revival.atoms);
    assert!(revival.proved && (revival.gain - revival.atoms[0].gain - gain).abs() < 1e-12);
    // Without a dead atom there is nothing to say.
    assert!(run(&problem, &unit(&[vec![1.0, 0.0], vec![0.0, 1.0]]), None).revival.is_none());
}

#[test]
fn dead_atoms_are_those_no_residual_reaches() {
    let x = Matrix::from_columns(3, &[[2.0, 0.1, 0.0], [1.5, 0.3, 0.0], [1.0, -0.2, 0.0]]);
    let problem = Problem::builder(x).lambda(0.5).build().expect("valid");
    let dictionary = unit(&[vec![1.0, 0.0, 0.0], vec![0.0, 0.0, 1.0], vec![0.0, 1.0, 0.0]]);
    let found = run(&problem, &dictionary, None);
    let dead = &found.codes.dead;
    assert_eq!(dead.iter().map(|d| (d.atom, d.point)).collect::<Vec<_>>(), [(2, 1), (1, 0)]);
    assert!((dead[0].reached - 0.3).abs() < 1e-15 && (dead[0].short_by - 0.2).abs() < 1e-15);
    assert!((dead[1].short_by - 0.5).abs() < 1e-15);
    assert_eq!(found.codes.exact.atoms_used, 1);
    assert!((found.atom_rows[2].reached.unwrap() - 0.6).abs() < 1e-15);
    assert_eq!((found.atom_rows[2].violation, found.atom_rows[2].density), (None, 0.0));
}

#[test]
fn the_answer_does_not_depend_on_the_threads() {
    let (x, dictionary) = digits();
    let problem = Problem::builder(x).lambda(0.5).centered(true).build().expect("valid");
    let center = problem.data().mean();
    let start = Codes::zeros(dictionary.len(), problem.len());
    let answer = |threads: usize| {
        let pool = rayon::ThreadPoolBuilder::new().num_threads(threads).build().expect("threads");
        pool.install(|| {
            let trained = Trained { dictionary: &dictionary, center: Some(&center), codes: Some(&start) };
            diagnose(&problem, &trained, &Thresholds::default(), &()).expect("a diagnosis")
        })
    };
    let one = answer(1);
    assert_eq!(one, answer(2));
    assert_eq!(one, answer(7));
}

#[test]
fn what_cannot_be_diagnosed_is_an_error() {
    let x = Matrix::from_columns(2, &[[1.0, 0.2], [0.3, 1.0]]);
    let dictionary = unit(&[vec![1.0, 0.0]]);
    let problem = |lambda: f64, gamma: f64| {
        Problem::builder(x.clone()).lambda(lambda).gamma(gamma).build().expect("valid")
    };
    let t = Thresholds::default();
    for p in [problem(0.1, 0.1), problem(0.0, 0.1)] {
        assert!(matches!(
            diagnose(&p, &Trained::of(&dictionary), &t, &()),
            Err(DiagnoseError::Penalty { .. })
        ));
    }
    let p = problem(0.1, 0.0);
    assert_eq!(diagnose(&p, &Trained::of(&Dictionary::empty(2)), &t, &()), Err(DiagnoseError::Empty));
    for center in [vec![0.0; 3], vec![f64::NAN, 0.0]] {
        assert!(matches!(
            diagnose(&p, &Trained { center: Some(&center), ..Trained::of(&dictionary) }, &t, &()),
            Err(DiagnoseError::Atoms(_))
        ));
    }
    let other = unit(&[vec![1.0, 0.0, 0.0]]);
    assert!(diagnose(&p, &Trained::of(&other), &t, &()).is_err());
    let codes = Codes::zeros(2, 2);
    assert!(matches!(
        diagnose(&p, &Trained { codes: Some(&codes), ..Trained::of(&dictionary) }, &t, &()),
        Err(DiagnoseError::Atoms(_))
    ));
    assert_eq!(
        compare(&dictionary, &other, Similarity::Cosine, 0.9, 100, &()),
        Err(CompareError::Dimension { left: 2, right: 3 })
    );
    assert!(matches!(
        compare(&dictionary, &dictionary, Similarity::Cosine, 0.9, 0, &()),
        Err(CompareError::TooMany { .. })
    ));
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

#[test]
fn a_stop_at_any_poll_names_what_is_unfinished() {
    let (x, dictionary) = digits();
    let problem = Problem::builder(x).lambda(0.5).centered(true).build().expect("valid");
    let center = problem.data().mean();
    let start = Codes::zeros(dictionary.len(), problem.len());
    let trained = Trained { dictionary: &dictionary, center: Some(&center), codes: Some(&start) };
    let whole = diagnose(&problem, &trained, &Thresholds::default(), &()).expect("a diagnosis");
    assert!(whole.unfinished.is_empty());
    // One thread: how often another asks before it hears of the break is for the scheduler.
    let alone = rayon::ThreadPoolBuilder::new().num_threads(1).build().expect("a thread");
    let mut k = 0;
    loop {
        let observer = Kth { polls: AtomicUsize::new(0), k };
        let run = || diagnose(&problem, &trained, &Thresholds::default(), &observer).expect("a diagnosis");
        let found = alone.install(run);
        let polls = observer.polls.into_inner();
        if polls <= k {
            assert_eq!(found, whole);
            break;
        }
        assert!(polls <= k + 2, "{polls} polls, stopped at {k}");
        // From the part on that was stopped, all are named.
        assert_eq!(found.unfinished.last(), Some(&"residual law"), "{k}");
        assert!(found.codes.exact.objective <= found.codes.given.as_ref().unwrap().objective);
        if k == 0 {
            assert_eq!((found.unfinished.len(), found.codes.stop), (9, Stop::Cancelled));
            assert!(found.atom_rows.iter().all(|row| row.reached.is_none()));
        }
        let text = found.to_string();
        assert!(text.contains("not finished") && text.contains("residuals"));
        // Every poll at first, then fewer.
        k += 1 + k / 8;
    }
    assert!(k > 50, "only {k} polls");
    let observer = Kth { polls: AtomicUsize::new(0), k: 3 };
    assert_eq!(
        compare(&dictionary, &dictionary, Similarity::Cosine, 0.9, 1 << 20, &observer),
        Err(CompareError::Stopped(Stop::Cancelled))
    );
}

#[test]
fn a_permuted_dictionary_is_matched() {
    let (_, dictionary) = digits();
    let m = dictionary.len();
    let order: Vec<usize> = (0..m).map(|k| (k * 11) % m).collect();
    let (permuted, _) = Dictionary::normalize(dictionary.matrix().select_columns(&order)).expect("atoms");
    let found = compare(&dictionary, &permuted, Similarity::Cosine, 0.999, 1 << 20, &()).expect("small");
    assert_eq!(found.recovered, m);
    assert!(found.pairs.iter().all(|p| order[p.right] == p.left));
    // A part of it, either way round.
    let (part, _) = Dictionary::normalize(dictionary.matrix().select_columns(&[7, 3, 40])).expect("atoms");
    let small = compare(&part, &dictionary, Similarity::Cosine, 0.999, 1 << 20, &()).expect("small");
    assert_eq!(small.pairs.iter().map(|p| p.right).collect::<Vec<_>>(), [7, 3, 40]);
    let large = compare(&dictionary, &part, Similarity::Cosine, 0.999, 1 << 20, &()).expect("small");
    assert_eq!(large.pairs.iter().map(|p| (p.left, p.right)).collect::<Vec<_>>(), [(3, 1), (7, 0), (40, 2)]);
}

#[cfg(feature = "cli")]
mod files {
    use std::fs;
    use std::path::{Path, PathBuf};
    use std::process::{Command, Output};

    use serde_json::Value;
    use tempfile::TempDir;
    use widedict::io::{write_atoms, write_codes, write_saelens};

    use super::{Codes, digits, exact_codes, run};
    use widedict::{Matrix, Problem};

    fn widedict(line: &str, folder: &Path) -> Output {
        let words: Vec<String> =
            line.split(' ').map(|w| w.replace('@', &format!("{}/", folder.display()))).collect();
        Command::new(env!("CARGO_BIN_EXE_widedict")).args(words).output().expect("the program starts")
    }

    fn stderr(output: &Output) -> String {
        String::from_utf8_lossy(&output.stderr).into_owned()
    }

    /// Data, an autoencoder, the plain dictionary and its exact codes.
    fn bench() -> (tempfile::TempDir, Problem, widedict::Dictionary) {
        let folder = tempfile::tempdir().expect("a temporary folder");
        let (x, dictionary) = digits();
        let path = |name: &str| folder.path().join(name);
        write_atoms(&path("x.npy"), &x).expect("written");
        write_atoms(&path("d.npy"), dictionary.matrix()).expect("written");
        write_saelens(&path("sae"), &dictionary, None, 0.5).expect("written");
        let codes = exact_codes(&x, &dictionary, 0.5, None, 1e-10, &()).expect("coded").codes;
        write_codes(&path("z.npz"), &codes).expect("written");
        (folder, Problem::builder(x).lambda(0.5).build().expect("valid"), dictionary)
    }

    #[test]
    fn an_autoencoder_is_diagnosed_from_files() {
        let (folder, problem, dictionary) = bench();
        let out = widedict(
            "diagnose --data @x.npy --sae @sae --lambda 0.5 --fixed-center --compare @d.npy --json --quiet --out @out",
            folder.path(),
        );
        assert_eq!(out.status.code(), Some(0), "{}", stderr(&out));
        let row: Value = serde_json::from_slice(&out.stdout).expect("one object");
        assert_eq!(row["schema_version"], 1);
        // The encoder written with a dictionary is one thresholding step.
        let x = problem.data().datapoints();
        let columns: Vec<Vec<(usize, f64)>> = x
            .columns()
            .map(|x| {
                let code = |d: &[f64]| widedict::linalg::dot(d, &x) - 0.5;
                dictionary.atoms().map(code).enumerate().filter(|(_, z)| *z > 0.0).collect()
            })
            .collect();
        let mut triplets = sprs::TriMat::new((dictionary.len(), x.ncols()));
        for (i, column) in columns.iter().enumerate() {
            column.iter().for_each(|&(k, z)| triplets.add_triplet(k, i, z));
        }
        let given = Codes::new(triplets.to_csc()).expect("codes");
        let expected = run(&problem, &dictionary, Some(&given));
        let close = |found: &Value, expected: f64| {
            assert!(
                (found.as_f64().unwrap() - expected).abs() <= 1e-9 * (1.0 + expected.abs()),
                "{found} {expected}"
            );
        };
        close(&row["codes"]["given"]["objective"], expected.codes.given.as_ref().unwrap().objective);
        close(&row["codes"]["exact"]["objective"], expected.codes.exact.objective);
        close(&row["dictionary"]["lower_bound"], expected.dictionary.lower_bound.get());
        close(&row["comparison"]["mean_cosine"], 1.0);
        assert_eq!(row["source"]["layout"], "saelens");
        assert_eq!(row["atom_rows"].as_array().unwrap().len(), dictionary.len());

        let out = folder.path().join("out");
        let saved: Value = serde_json::from_slice(&fs::read(out.join("diagnosis.json")).unwrap()).unwrap();
        assert_eq!(saved["codes"], row["codes"]);
        let lines = |name: &str| fs::read_to_string(out.join(name)).expect(name).lines().count();
        assert_eq!(lines("atoms.csv"), 1 + dictionary.len());
        assert_eq!(lines("points.csv"), 1 + x.ncols());
        assert_eq!(lines("matching.csv"), 1 + dictionary.len());
        assert_eq!(lines("splitting.csv"), 1 + expected.splitting.atoms.len());
        assert_eq!(lines("spectra.csv"), 1 + 3 * 64);
        let header = fs::read_to_string(out.join("points.csv")).unwrap();
        assert!(header.starts_with("point,objective,excess,residual,l0,amortisation_gap,given_gap\n"));
        let page = fs::read_to_string(out.join("diagnosis.html")).unwrap();
        for word in ["x.npy", "SAELens, standard", "widedict diagnose --data", env!("CARGO_PKG_VERSION")] {
            assert!(page.contains(word), "the page does not name {word}");
        }
        // Names of folders are random.
        let page = page.replace(&folder.path().display().to_string(), "");
        assert_eq!(page.matches("<svg").count(), 3);
        for word in ["<script", "<link", "<img", "href", "src=", "url(", "@import", "NaN", "inf"] {
            assert!(!page.contains(word), "the page contains {word}");
        }
    }

    #[test]
    fn the_screen_and_a_plain_dictionary() {
        let (folder, problem, _) = bench();
        let line = "diagnose --data @x.npy --dictionary @d.npy --codes @z.npz --lambda 0.5";
        let out = widedict(line, folder.path());
        assert_eq!(out.status.code(), Some(0), "{}", stderr(&out));
        let text = String::from_utf8_lossy(&out.stdout).into_owned();
        for word in [
            "amortisation gap",
            "stationarity",
            "no-nesting",
            "splitting-pressure",
            "antipodal-pairs",
            "polar-polytope",
            "wide limit",
            "not claimed",
        ] {
            assert!(text.contains(word), "{word} is not in {text}");
        }
        assert!(text.lines().count() <= 45, "one screen: {}", text.lines().count());
        // Exact codes leave no gap; a part of the data is read in blocks.
        let some = widedict(
            &format!("{line} --points 60 --json --quiet").replace(" --codes @z.npz", ""),
            folder.path(),
        );
        let row: Value = serde_json::from_slice(&some.stdout).expect("one object");
        assert_eq!(row["points"], problem.len().div_ceil(problem.len().div_ceil(60)));
        assert!(row["codes"]["given"].is_null() && row["codes"]["amortisation_gap"].is_null());
    }

    #[test]
    fn what_cannot_be_read_is_named() {
        let (folder, ..) = bench();
        fs::write(folder.path().join("ae.pt"), b"PK").expect("written");
        for (line, code, words) in [
            ("diagnose --data @x.npy --dictionary @d.npy", 2, &["--lambda"][..]),
            ("diagnose --data @x.npy --lambda 1", 2, &["--sae", "--dictionary"]),
            (
                "diagnose --data @x.npy --sae @sae --dictionary @d.npy --lambda 1",
                2,
                &["--sae", "--dictionary"],
            ),
            ("diagnose --data @x.npy --sae @sae --lambda 0", 2, &["--lambda"]),
            ("diagnose --data @x.npy --sae @sae --lambda 1 --antipodal -3", 2, &["--antipodal"]),
            ("diagnose --data @x.npy --sae @missing --lambda 1", 3, &["missing"]),
            ("diagnose --data @x.npy --sae @ae.pt --lambda 1", 3, &["ae.pt", "save_file"]),
            ("diagnose --data @x.npy --sae @x.npy --lambda 1", 3, &["x.npy"]),
            ("diagnose --data @x.npy --sae @sae --lambda 1 --compare @x.npz", 3, &["x.npz"]),
        ] {
            let out = widedict(line, folder.path());
            let message = stderr(&out);
            assert_eq!(out.status.code(), Some(code), "{line}: {message}");
            assert!(out.stdout.is_empty() && !message.contains("panicked"), "{message}");
            for word in words {
                assert!(message.contains(word), "{word:?} is not in {message:?}");
            }
        }
    }

    /// A folder of `tests/sae/fixtures` with its data as `.npy` files in another one.
    fn fixture(name: &str) -> (TempDir, PathBuf, Value) {
        let root = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/sae/fixtures");
        let all: Value = widedict::io::read_json(&root.join("expected.json")).expect("expected numbers");
        let case = all["cases"][name].clone();
        let folder = tempfile::tempdir().expect("a folder");
        for (key, file) in [("x", "x.npy"), ("inputs", "inputs.npy")] {
            if let Some(rows) = case[key].as_array() {
                let rows: Vec<Vec<f64>> =
                    rows.iter().map(|r| serde_json::from_value(r.clone()).unwrap()).collect();
                write_atoms(&folder.path().join(file), &Matrix::from_columns(rows[0].len(), &rows)).unwrap();
            }
        }
        (folder, root.join(name), case)
    }

    fn on_fixture(line: &str, folder: &TempDir, sae: &Path) -> Output {
        widedict(&line.replace("SAE", &sae.display().to_string()), folder.path())
    }

    fn object(out: &Output) -> Value {
        serde_json::from_slice(&out.stdout).unwrap_or_else(|e| panic!("{e}: {}", stderr(out)))
    }

    #[test]
    fn a_price_that_was_written_is_read_back() {
        let (folder, ..) = bench();
        let row = object(&widedict("diagnose --data @x.npy --sae @sae --json --quiet", folder.path()));
        assert_eq!(row["lambda"], 0.5);
        assert!(row["source"]["lambda_from"].as_str().unwrap().contains("configuration"));
    }

    #[test]
    fn codes_of_an_encoder_are_written_certified_and_diagnosed() {
        for (name, more) in [
            ("saelens-topk-rescaled", ""),
            ("saelens-expected_average_only_in", ""),
            ("dl-Gated", ""),
            ("dl-BatchTopK-batch", " --per-batch"),
            ("sparsify-skip", " --inputs @inputs.npy"),
        ] {
            let (folder, sae, case) = fixture(name);
            let run = |line: &str| {
                let out = on_fixture(&format!("{line} --lambda 0.1 --json --quiet{more}"), &folder, &sae);
                assert!(out.status.code().is_some_and(|code| code < 2), "{name}: {}", stderr(&out));
                object(&out)
            };
            let close = |found: &Value, what: &str| {
                let (found, expected) = (found.as_f64().unwrap(), case[what].as_f64().unwrap());
                assert!(
                    (found - expected).abs() <= 1e-6 * expected,
                    "{name}, {what}: {found} for {expected}"
                );
            };
            let encoded = run("encode --data @x.npy --sae SAE --out @z.npz");
            close(&encoded["mean_objective"], "objective");
            close(&encoded["mean_l0"], "mean_l0");
            let given = &run("diagnose --data @x.npy --sae SAE")["codes"]["given"];
            close(&given["objective"], "objective");
            close(&given["mean_l0"], "mean_l0");
            let certified = run("certify --data @x.npy --sae SAE --bound fast");
            close(&certified["objective"], "objective");
            // The codes that were written are those of the stored atoms.
            close(
                &run("certify --data @x.npy --sae SAE --codes @z.npz --bound fast")["objective"],
                "objective",
            );
            // The best codes are better, and read back as such.
            let exact = run("encode --data @x.npy --sae SAE --exact --out @best.npz");
            assert_eq!(exact["source"]["layout"], certified["source"]["layout"]);
            assert!(exact["source"]["layout"].is_string() && certified["source"]["codes"].is_null());
            let best = exact["mean_objective"].as_f64().unwrap();
            assert!(best <= encoded["mean_objective"].as_f64().unwrap());
            let again = run("certify --data @x.npy --sae SAE --codes @best.npz --bound fast");
            assert!(again["source"]["codes"].as_str().expect("a file").ends_with("best.npz"));
            let out = on_fixture(
                &format!("encode --data @x.npy --sae SAE --lambda 0.1{more} --tolerance 1e-3"),
                &folder,
                &sae,
            );
            assert_eq!(out.status.code(), Some(2));
            assert!(stderr(&out).contains("--tolerance") && stderr(&out).contains("--exact"));
            assert!((again["objective"].as_f64().unwrap() - best).abs() <= 1e-9 * best, "{name}");
        }
    }

    #[test]
    fn what_an_autoencoder_is_not_is_refused_by_name() {
        let (folder, sae, _) = fixture("saelens-skip-transcoder");
        for command in ["diagnose", "encode", "certify"] {
            let out = on_fixture(&format!("{command} --data @x.npy --sae SAE --lambda 0.1"), &folder, &sae);
            assert_eq!(out.status.code(), Some(3));
            for word in ["transcoder", "outputs", "--inputs", "--target"] {
                assert!(stderr(&out).contains(word), "{}", stderr(&out));
            }
        }
        // Either way of saying which is which.
        let way =
            |line: &str| object(&on_fixture(&format!("{line} --lambda 0.1 --json --quiet"), &folder, &sae));
        let by_inputs = way("diagnose --data @x.npy --inputs @inputs.npy --sae SAE");
        let by_target = way("diagnose --data @inputs.npy --target @x.npy --sae SAE");
        assert_eq!(by_inputs["codes"], by_target["codes"]);
        assert_eq!(by_inputs["source"]["kind"], "transcoder");
        assert_eq!(by_inputs["source"]["folding"]["skip_subtracted"], true);
        // In blocks.
        let sampled = way("diagnose --data @x.npy --inputs @inputs.npy --sae SAE --sample 3");
        let given = &by_inputs["codes"]["given"];
        for (what, line) in [
            ("inputs", "diagnose --data @x.npy --inputs @inputs.npy --sae SAE --sample 3"),
            ("target", "diagnose --data @inputs.npy --target @x.npy --sae SAE --sample 3"),
        ] {
            let found = way(line);
            for key in ["objective", "mean_l0", "explained_variance"] {
                let (found, expected) =
                    (found["codes"]["all"][key].as_f64().unwrap(), given[key].as_f64().unwrap());
                assert!((found - expected).abs() <= 1e-12 * expected.abs(), "{what}, {key}");
            }
            assert_eq!(found["codes"]["exact"], sampled["codes"]["exact"], "{what}");
        }
        // Inputs of other datapoints, also where every other row would fit.
        let file = folder.path().join("inputs.npy");
        let inputs = widedict::io::read_points(&file).expect("read");
        let count = inputs.ncols();
        for rows in [2 * count, 2 * count - 1, count - 1] {
            let columns: Vec<usize> = (0..rows).map(|i| i % count).collect();
            write_atoms(&folder.path().join("more.npy"), &inputs.select_columns(&columns)).expect("written");
            for command in ["diagnose", "encode", "certify"] {
                let line = format!("{command} --data @x.npy --inputs @more.npy --sae SAE --lambda 0.1");
                let out = on_fixture(&line, &folder, &sae);
                assert_eq!(out.status.code(), Some(3), "{line}");
                let told = stderr(&out);
                assert!(told.contains("more.npy") && told.contains(&format!("found {rows}")), "{told}");
            }
        }
        // Rows that are not finite in one file are datapoints of neither.
        let mut spoilt = inputs.clone();
        spoilt.col_mut(2)[0] = f64::NAN;
        write_atoms(&folder.path().join("spoilt.npy"), &spoilt).expect("written");
        let kept: Vec<usize> = (0..count).filter(|i| *i != 2).collect();
        let outputs = widedict::io::read_points(&folder.path().join("x.npy")).expect("read");
        write_atoms(&folder.path().join("few.npy"), &inputs.select_columns(&kept)).expect("written");
        write_atoms(&folder.path().join("fewer.npy"), &outputs.select_columns(&kept)).expect("written");
        let expected = way("diagnose --data @fewer.npy --inputs @few.npy --sae SAE");
        for (data, option, other) in [("x", "--inputs", "spoilt"), ("spoilt", "--target", "x")] {
            let line = format!("diagnose --data @{data}.npy {option} @{other}.npy --sae SAE");
            let out = on_fixture(&format!("{line} --lambda 0.1"), &folder, &sae);
            assert_eq!(out.status.code(), Some(3));
            for word in ["spoilt.npy", "row 2, column 0", "--skip-nonfinite"] {
                assert!(stderr(&out).contains(word), "{}", stderr(&out));
            }
            for sample in ["", " --sample 9999"] {
                let found = way(&format!("{line} --skip-nonfinite{sample}"));
                assert_eq!(found["masked"]["rows"], 1, "{line}{sample}");
                assert_eq!(found["codes"]["exact"]["objective"], expected["codes"]["exact"]["objective"]);
                assert_eq!(found["codes"]["given"]["objective"], expected["codes"]["given"]["objective"]);
                assert_eq!(found["point_rows"][2]["point"], 3);
            }
        }
        // One archive may hold both.
        let npy = |name: &str| fs::read(folder.path().join(name)).expect("read");
        let arrays = [("out", npy("x.npy")), ("in", npy("inputs.npy"))];
        crate::io::write_zip(&folder.path().join("both.npz"), &arrays);
        let both = way("diagnose --data @both.npz --key out --inputs @both.npz --inputs-key in --sae SAE");
        assert_eq!(both["codes"], by_inputs["codes"]);
        let (folder, _, _) = fixture("saelens-standard");
        // Without an encoder there are no codes to write or certify.
        let bare = folder.path().join("bare.safetensors");
        fs::copy(sae.with_file_name("dl-TopK").join("ae.safetensors"), &bare).expect("copied");
        for command in ["encode", "certify"] {
            let out = on_fixture(&format!("{command} --data @x.npy --sae SAE --lambda 0.1"), &folder, &bare);
            assert_eq!(out.status.code(), Some(3));
            for word in ["bare.safetensors", "configuration", "encoder"] {
                assert!(stderr(&out).contains(word), "{}", stderr(&out));
            }
        }
        let sae = sae.with_file_name("saelens-abstopk");
        let out = on_fixture("diagnose --data @x.npy --sae SAE --lambda 0.1", &folder, &sae);
        assert_eq!(out.status.code(), Some(3));
        assert!(stderr(&out).contains("signed"), "{}", stderr(&out));
    }

    /// Options that mean nothing for what is given are refused, not passed over.
    #[test]
    fn options_of_the_other_kind_are_usage_errors() {
        let (folder, ..) = bench();
        for line in [
            "diagnose --data @x.npy --dictionary @d.npy --lambda 0.5 --target @x.npy",
            "diagnose --data @x.npy --dictionary @d.npy --lambda 0.5 --inputs @x.npy",
            "diagnose --data @x.npy --dictionary @d.npy --lambda 0.5 --per-batch",
            "diagnose --data @x.npy --dictionary @d.npy --lambda 0.5 --atoms rows",
            "diagnose --data @x.npy --sae @sae --lambda 0.5 --center-file @x.npy",
            "encode --data @x.npy --sae @sae --lambda 0.5 --center-file @x.npy",
            "encode --data @x.npy --dictionary @d.npy --lambda 0.5 --exact",
            "certify --data @x.npy --dictionary @d.npy --codes @z.npz --lambda 0.5 --inputs @x.npy",
            "certify --data @x.npy --sae @sae --lambda 0.5 --center-file @x.npy",
        ] {
            let out = widedict(line, folder.path());
            assert_eq!(out.status.code(), Some(2), "{line}: {}", stderr(&out));
        }
        // Nor is what is read written over.
        let before = fs::read(folder.path().join("x.npy")).expect("read");
        let out =
            widedict("encode --data @x.npy --dictionary @d.npy --lambda 0.5 --out @x.npy", folder.path());
        assert_eq!(out.status.code(), Some(3));
        assert!(stderr(&out).contains("would be replaced"), "{}", stderr(&out));
        assert_eq!(fs::read(folder.path().join("x.npy")).expect("read"), before);
    }

    #[test]
    fn atoms_keep_the_numbers_of_their_file() {
        let (folder, ..) = bench();
        let path = folder.path().join("d.npy");
        let atoms = widedict::io::read_atoms(&path).expect("a dictionary");
        let (n, m) = (atoms.nrows(), atoms.ncols());
        let mut columns: Vec<Vec<f64>> = atoms.columns().map(<[f64]>::to_vec).collect();
        columns.insert(1, vec![0.0; n]);
        write_atoms(&path, &Matrix::from_columns(n, &columns)).expect("written");
        let out = widedict("diagnose --data @x.npy --dictionary @d.npy --lambda 0.5 --json", folder.path());
        let row = object(&out);
        let numbers: Vec<u64> =
            row["atom_rows"].as_array().unwrap().iter().map(|r| r["atom"].as_u64().unwrap()).collect();
        let expected: Vec<u64> = (0..=m as u64).filter(|k| *k != 1).collect();
        assert_eq!(numbers, expected);
        assert_eq!(row["source"]["folding"]["dropped_atoms"], serde_json::json!([1]));
        assert!(stderr(&out).contains("length 0"), "{}", stderr(&out));
        let line = "encode --data @x.npy --dictionary @d.npy --lambda 0.5 --json --quiet --out @codes.npz";
        assert_eq!(object(&widedict(line, folder.path()))["dropped_atoms"], serde_json::json!([1]));
        let count = usize::try_from(row["points"].as_u64().unwrap()).unwrap();
        let codes =
            widedict::io::read_codes(&folder.path().join("codes.npz"), count, m + 1).expect("of all atoms");
        assert!(codes.rows()[1].is_empty() && !codes.rows()[2].is_empty());
        let line =
            "certify --data @x.npy --dictionary @d.npy --codes @codes.npz --lambda 0.5 --bound fast --json";
        let certified = object(&widedict(line, folder.path()));
        let (found, exact) = (&certified["objective"], &row["codes"]["exact"]["objective"]);
        assert!((found.as_f64().unwrap() - exact.as_f64().unwrap()).abs() < 1e-6 * exact.as_f64().unwrap());
        // The first three of the file are two that have a length.
        let line = "diagnose --data @x.npy --dictionary @d.npy --lambda 0.5 --json --quiet --prefixes 3,100";
        let prefixes = object(&widedict(line, folder.path()))["prefixes"].clone();
        assert_eq!(
            (prefixes[0]["atoms"].as_u64(), prefixes[0]["atom_rows"][1]["atom"].as_u64()),
            (Some(2), Some(2))
        );
        assert_eq!(prefixes[1]["codes"], row["codes"]);
    }
}
