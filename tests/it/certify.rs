//! Audits of points made elsewhere: what must be refused, refuted or undecided,
//! the second-order form against differences, records against alterations.

use rand::{RngExt, SeedableRng};
use rand_chacha::ChaCha8Rng;
use widedict::certificate::record::Mismatch;
use widedict::certificate::{Options, Record};
use widedict::coder::Coder;
use widedict::search::escape;
use widedict::search::relaxation::Relaxation;
use widedict::testing::harness::{Expectations, verify_solver};
use widedict::testing::kernels::second_order;
use widedict::testing::{self, naive, planted};
use widedict::trusted::{BoundKind, local};
use widedict::{
    Certified, ColumnGeneration, Dictionary, Factorization, Finite, Matrix, Problem, Verdict, Witness,
    certify, wide,
};

use super::support::checks::close;

fn audit(problem: &Problem, point: Factorization) -> Certified {
    let limits = local::Limits::default();
    let curvature = escape::curvature(problem, &point, &limits, &());
    let options = Options { local: Some(limits), ..Options::default() };
    certify(problem, point, &Witness { curvature, ..Witness::none() }, &options)
        .expect("a point of the problem")
}

fn point(atoms: &[Vec<f64>], codes: &[Vec<f64>]) -> Factorization {
    let rows = Matrix::from_fn(atoms.len(), codes[0].len(), |k, i| codes[k][i]);
    testing::factorization(Matrix::from_columns(atoms[0].len(), atoms), &rows, None).expect("a point")
}

/// What a test of residual ratios calls optimal.
#[test]
fn a_perfect_reconstruction_is_not_an_optimum() {
    for lambda in [0.001, 0.01, 0.1, 0.5, 1.0] {
        let x = Matrix::from_columns(2, &[[1.0, 0.3]]);
        let problem = Problem::builder(x).lambda(lambda).build().expect("valid");
        let out = audit(&problem, point(&[vec![1.0, 0.0], vec![1.0, 0.3]], &[vec![1.0], vec![0.0]]));
        let verdict = out.certificate().verdict();
        assert!(matches!(verdict, Verdict::Refuted { .. }), "lambda {lambda}: {verdict}");
        #[cfg(feature = "cli")]
        through_files(&problem, lambda);
    }
}

#[cfg(feature = "cli")]
fn through_files(problem: &Problem, lambda: f64) {
    use widedict::io::{write_atoms, write_codes};
    let folder = tempfile::tempdir().expect("a folder");
    let path = |name: &str| folder.path().join(name);
    write_atoms(&path("x.npy"), &problem.data().datapoints().as_matrix()).expect("written");
    // The second atom is twice too long: it is rescaled, and the record says so.
    write_atoms(&path("d.npy"), &Matrix::from_columns(2, &[[1.0, 0.0], [2.0, 0.6]])).expect("written");
    let codes = point(&[vec![1.0, 0.0], vec![1.0, 0.3]], &[vec![1.0], vec![0.0]]);
    write_codes(&path("z.npz"), codes.codes()).expect("written");
    let output = std::process::Command::new(env!("CARGO_BIN_EXE_widedict"))
        .args(["certify", "--json", "--quiet", "--lambda", &lambda.to_string(), "--data"])
        .arg(path("x.npy"))
        .arg("--dictionary")
        .arg(path("d.npy"))
        .arg("--codes")
        .arg(path("z.npz"))
        .output()
        .expect("the program starts");
    assert_eq!(output.status.code(), Some(1), "{}", String::from_utf8_lossy(&output.stderr));
    let row: serde_json::Value = serde_json::from_slice(&output.stdout).expect("one object");
    assert_eq!((&row["verdict"], &row["stop"]), (&"refuted".into(), &"none".into()));
    assert_eq!((row["rescaled"]["atoms"].as_u64(), row["width"].as_u64()), (Some(1), Some(2)));
    assert!(row["local"]["nested_pairs"].is_number() && row["local"]["reason"].is_string());
}

/// Minimizes over unit atoms and codes in turn, at γ = 0: a stationary point.
fn stationary(
    x: &Matrix,
    lambda: f64,
    atoms: usize,
    rng: &mut ChaCha8Rng,
) -> Option<(Problem, Factorization)> {
    let problem = Problem::builder(x.clone()).lambda(lambda).build().expect("valid");
    let n = x.nrows();
    let start = Matrix::from_fn(n, atoms, |j, k| x.get(j, k) + 0.3 * rng.random_range(-1.0..1.0));
    let (mut dictionary, _) = Dictionary::normalize(start).ok()?;
    for _ in 0..5000 {
        let codes = Coder::default().encode(x, &dictionary, lambda, &()).ok()?.codes;
        let point = Factorization::new(dictionary.clone(), codes, None).ok()?;
        if testing::naive::kkt(&problem, &point).dictionary < 1e-13 {
            return (point.codes().rows().iter().all(|row| !row.is_empty())).then_some((problem, point));
        }
        let residuals = naive::residuals(&problem, &point);
        let z = testing::dense_codes(&point);
        let next = Matrix::from_fn(n, atoms, |j, k| {
            (0..x.ncols())
                .map(|i| z.get(k, i) * (residuals.get(j, i) + point.dictionary().atom(k)[j] * z.get(k, i)))
                .sum()
        });
        dictionary = Dictionary::normalize(next).ok()?.0;
    }
    None
}

fn value(problem: &Problem, atoms: &Matrix) -> f64 {
    let (dictionary, _) = Dictionary::normalize(atoms.clone()).expect("atoms");
    let coder = Coder { gap_tolerance: 1e-15, ..Coder::default() };
    let x = problem.data().datapoints();
    let codes = coder.encode(x, &dictionary, problem.lambda(), &()).expect("encoded").codes;
    naive::objective(problem, &Factorization::new(dictionary, codes, None).expect("a point"))
}

/// `(F(t) − F(0))/(t²/2)` along tangents, extrapolated to t = 0 from two steps.
fn one_sided(problem: &Problem, point: &Factorization, direction: &Matrix, sign: f64) -> f64 {
    let start = value(problem, point.dictionary().matrix());
    let rise = |t: f64| {
        let mut moved = point.dictionary().matrix().clone();
        moved.as_mut_slice().iter_mut().zip(direction.as_slice()).for_each(|(d, v)| *d += sign * t * v);
        (value(problem, &moved) - start) / (0.5 * t * t)
    };
    2.0 * rise(STEP) - rise(2.0 * STEP)
}

/// Rounding of F over t² against the remainder of order t²: both near 1e-6.
const STEP: f64 = 2e-4;

fn tangent(point: &Factorization, rng: &mut ChaCha8Rng) -> Matrix {
    let d = point.dictionary();
    let mut v = Matrix::from_fn(d.dim(), d.len(), |_, _| rng.random_range(-1.0..1.0));
    for k in 0..d.len() {
        let along = naive::inner(v.col(k), d.atom(k));
        v.col_mut(k).iter_mut().zip(d.atom(k)).for_each(|(v, d)| *v -= along * d);
    }
    v
}

#[test]
fn the_form_is_the_second_difference() {
    let mut rng = ChaCha8Rng::seed_from_u64(7);
    let mut seen = 0;
    for seed in 0..60 {
        let x = planted::mixture(3, 8, 3, 2, 0.1, seed);
        let Some((problem, point)) = stationary(&x, 0.1, 2, &mut rng) else { continue };
        let v = tangent(&point, &mut rng);
        let (Some(active), Some(largest)) = (
            second_order(&problem, &point, v.as_slice(), false),
            second_order(&problem, &point, v.as_slice(), true),
        ) else {
            continue;
        };
        if (active - largest).abs() > 0.0 {
            continue;
        }
        let found = one_sided(&problem, &point, &v, 1.0);
        close("the second difference", found, active, 2e-5, 1e-4);
        seen += 1;
    }
    assert!(seen >= 10, "{seen} stationary points");
}

/// `min_{Z ≥ 0}` of the objective at given atoms and center, by block descent with
/// the naive proximal map: the value function that the second-order form is of.
fn value_function(problem: &Problem, atoms: &Matrix, center: &[f64]) -> f64 {
    let (dictionary, _) = Dictionary::normalize(atoms.clone()).expect("atoms");
    let gauge = naive::Gauge::of(problem);
    let (n, len, width) = (problem.dim(), problem.len(), dictionary.len());
    let x = problem.data().datapoints();
    let mut residual = Matrix::from_fn(n, len, |j, i| gauge.a[i] * (x.get(j, i) - center[j]));
    let mut rows = vec![vec![0.0; len]; width];
    for _ in 0..20_000 {
        let mut change: f64 = 0.0;
        for (k, row) in rows.iter_mut().enumerate() {
            let atom = dictionary.atom(k);
            let v: Vec<f64> = (0..len).map(|i| naive::inner(residual.col(i), atom) + row[i]).collect();
            let next = gauge.prox(&v, 1.0);
            for i in 0..len {
                let step = next[i] - row[i];
                residual.col_mut(i).iter_mut().zip(atom).for_each(|(r, d)| *r -= step * d);
                change += step.abs();
            }
            *row = next;
        }
        if change < 1e-15 {
            break;
        }
    }
    let square: f64 = residual.as_slice().iter().map(|v| v * v).sum();
    0.5 * square + rows.iter().map(|row| gauge.value(row)).sum::<f64>()
}

/// With an atom price, with a center, and with both: central differences of the
/// value function, extrapolated from two steps.
#[test]
fn the_form_is_the_second_difference_with_a_price_and_with_a_center() {
    let mut rng = ChaCha8Rng::seed_from_u64(11);
    for (gamma, centered) in [(0.15, false), (0.0, true), (0.15, true)] {
        let mut seen = 0;
        for seed in 0..25 {
            let problem = Problem::builder(planted::mixture(3, 8, 3, 2, 0.1, seed))
                .lambda(0.1)
                .gamma(gamma)
                .centered(centered)
                .build()
                .expect("valid");
            let finite = Finite {
                stationarity_tolerance: 1e-9,
                max_iterations: 200_000,
                local: None,
                seed,
                ..Finite::new(2)
            };
            let solution = finite.solve(&problem).expect("solved");
            let (point, certificate) = solution.certified.into_parts();
            if point.width() < 2 || certificate.kkt().relative() > 1e-7 {
                continue;
            }
            let mut v = tangent(&point, &mut rng).as_slice().to_vec();
            let shift: Vec<f64> =
                (0..3).map(|_| if centered { rng.random_range(-1.0..1.0) } else { 0.0 }).collect();
            if centered {
                v.extend_from_slice(&shift);
            }
            let (Some(active), Some(largest)) =
                (second_order(&problem, &point, &v, false), second_order(&problem, &point, &v, true))
            else {
                continue;
            };
            if (active - largest).abs() > 0.0 {
                continue;
            }
            let zero = vec![0.0; 3];
            let center = point.center().unwrap_or(&zero);
            let at = |t: f64| {
                let mut atoms = point.dictionary().matrix().clone();
                atoms.as_mut_slice().iter_mut().zip(&v).for_each(|(d, v)| *d += t * v);
                let moved: Vec<f64> = center.iter().zip(&shift).map(|(b, s)| b + t * s).collect();
                value_function(&problem, &atoms, &moved)
            };
            let start = at(0.0);
            let bend = |t: f64| (at(t) + at(-t) - 2.0 * start) / (t * t);
            let step = 1e-3;
            // Two steps agree only where no support changes in between.
            let (near, far) = (bend(step), bend(2.0 * step));
            if (near - far).abs() > 3e-5 * near.abs() {
                continue;
            }
            close("the second difference", (4.0 * near - far) / 3.0, active, 1e-7, 1e-4);
            seen += 1;
        }
        assert!(seen >= 5, "{seen} stationary points at gamma {gamma}, center {centered}");
    }
}

/// A pair with code 0 and slope λ: one side of a tangent has the form of the
/// largest sets, the other that of the active ones.
#[test]
fn degenerate_points_have_one_form_a_side() {
    let mut rng = ChaCha8Rng::seed_from_u64(3);
    for angle in [0.6_f64, 1.0, 1.3] {
        let lambda = 0.2;
        let (c, s) = (angle.cos(), angle.sin());
        let across = lambda * (1.0 - c) / s;
        let x = Matrix::from_columns(
            3,
            &[
                [1.0 + lambda, across, 0.1],
                [1.0 + lambda, -across, -0.1],
                [(0.7 + lambda) * c, (0.7 + lambda) * s, 0.0],
            ],
        );
        let problem = Problem::builder(x).lambda(lambda).build().expect("valid");
        let point =
            point(&[vec![1.0, 0.0, 0.0], vec![c, s, 0.0]], &[vec![1.0, 1.0, 0.0], vec![0.0, 0.0, 0.7]]);
        assert!(audit(&problem, point.clone()).certificate().local().expect("tested").degenerate);
        for _ in 0..5 {
            let v = tangent(&point, &mut rng);
            let active = second_order(&problem, &point, v.as_slice(), false).expect("independent");
            let largest = second_order(&problem, &point, v.as_slice(), true).expect("independent");
            assert!(largest <= active);
            let sides = [1.0, -1.0].map(|sign| one_sided(&problem, &point, &v, sign));
            let (low, high) = if sides[0] < sides[1] { (sides[0], sides[1]) } else { (sides[1], sides[0]) };
            close("the lower side", low, largest, 1e-4, 1e-4);
            close("the upper side", high, active, 1e-4, 1e-4);
        }
    }
}

#[test]
fn a_saddle_is_refuted_by_a_lower_point() {
    // One atom between two directions that a center of symmetry keeps stationary.
    let x = Matrix::from_columns(3, &[[1.0, 0.0, 1.5], [1.0, 0.0, -1.5]]);
    let problem = Problem::builder(x).lambda(0.1).build().expect("valid");
    let saddle = point(&[vec![1.0, 0.0, 0.0]], &[vec![0.9, 0.9]]);
    let before = naive::objective(&problem, &saddle);
    let out = audit(&problem, saddle);
    assert!(
        matches!(out.certificate().verdict(), Verdict::Refuted { .. }),
        "{}",
        out.certificate().verdict()
    );
    let better = out.improvement().expect("handed back");
    assert!(naive::objective(&problem, better) < before);
    assert!(out.certificate().local().expect("tested").smallest_eigenvalue.expect("estimated") < 0.0);
}

#[test]
fn dependent_and_dead_atoms_are_undecided() {
    // One datapoint direction, its atom twice: rank-deficient.
    let x = Matrix::from_columns(2, &[[2.0, 0.0], [1.5, 0.0]]);
    let problem = Problem::builder(x).lambda(0.5).build().expect("valid");
    let twice = point(&[vec![1.0, 0.0], vec![1.0, 0.0]], &[vec![0.75, 0.5], vec![0.75, 0.5]]);
    let local = audit(&problem, twice).certificate().local().expect("tested").clone();
    assert!(!local.refuted && !local.certified && local.reason.contains("dependent"), "{}", local.reason);
    // A dead atom far from every residual is flat, and no reason against the rest.
    let dead = point(&[vec![1.0, 0.0], vec![0.0, 1.0]], &[vec![1.5, 1.0], vec![0.0, 0.0]]);
    let local = audit(&problem, dead).certificate().local().expect("tested").clone();
    assert!(local.certified && local.eigenvalue_lower.expect("proved") > 0.0, "{}", local.reason);
    let none = point(&[vec![0.0, 1.0]], &[vec![0.0, 0.0]]);
    assert!(!audit(&problem, none).certificate().local().expect("tested").certified);
}

/// Theorem `no-nesting`, with the decrease it states.
#[test]
fn nested_pairs_lose_what_the_theorem_says() {
    let mut rng = ChaCha8Rng::seed_from_u64(11);
    for _ in 0..50 {
        let lambda = rng.random_range(0.05..0.5);
        let mut random = || rng.random_range(0.2..1.0);
        let atoms = [vec![random(), random(), 0.0], vec![0.0, random(), random()]];
        let codes = [vec![random(), 0.0, random()], vec![random(), random(), random()]];
        let before = point(&atoms, &codes);
        let x = Matrix::from_fn(3, 3, |_, _| random());
        let problem = Problem::builder(x).lambda(lambda).build().expect("valid");
        let out = audit(&problem, before.clone());
        let better = out.improvement().expect("a nested pair is improved");
        assert_eq!(out.certificate().local().expect("tested").nested_pairs, 1);
        let slack = widedict::num::min(codes[1][0] / codes[0][0], codes[1][2] / codes[0][2]);
        let (d, z) = (before.dictionary(), testing::dense_codes(&before));
        let sum: Vec<f64> = d.atom(0).iter().zip(d.atom(1)).map(|(l, j)| l + slack * j).collect();
        let mass = (z.get(0, 0) + z.get(0, 2)) / 3.0;
        let decrease = lambda * mass * (1.0 + slack - naive::length(&sum));
        let found = naive::objective(&problem, &before) - naive::objective(&problem, better);
        close("the decrease", found, decrease, 1e-13, 1e-9);
    }
}

#[test]
fn slow_the_relaxation_lies_between_the_fast_bound_and_the_optimum() {
    for seed in 0..25 {
        let len = 2 + usize::try_from(seed % 5).expect("small");
        let x = planted::gaussian(3, len, seed);
        let problem = Problem::builder(x).lambda(0.2).gamma(0.2).build().expect("valid");
        let solution =
            ColumnGeneration { gap_tolerance: 1e-7, ..Default::default() }.solve(&problem).expect("solved");
        let (best, mut witness) = (solution.certified.into_parts().0, solution.witness);
        let fast = certify(&problem, best.clone(), &witness, &Options::default()).expect("certified");
        let search = Relaxation {
            max_iterations: 4000,
            patience: 4000,
            polar_tolerance: 1e-8,
            ..Relaxation::default()
        };
        witness.split = search.search(&problem, &best, &()).map(|found| found.split);
        let relaxed = certify(&problem, best, &witness, &Options::default()).expect("certified");
        let (low, high) = (fast.certificate().lower_bound().get(), relaxed.certificate().lower_bound().get());
        assert!(low <= high && high <= relaxed.certificate().objective());
        if len <= 4 {
            // The relaxation is exact here; what is left is the splitting's slow tail.
            assert!(relaxed.certificate().relative_gap() <= 1e-4, "{}", relaxed.certificate());
        }
    }
}

#[test]
fn slow_digits_are_bounded_to_two_per_cent() {
    let digits = widedict::datasets::digits();
    let x = digits.select_columns(&(0..150).collect::<Vec<_>>());
    let problem = Problem::builder(x).lambda(0.3).gamma(0.08).build().expect("valid");
    let solution = ColumnGeneration::default().solve(&problem).expect("solved");
    let (best, mut witness) = (solution.certified.into_parts().0, solution.witness);
    witness.split = Relaxation { gap_tolerance: 5e-3, ..Relaxation::default() }
        .search(&problem, &best, &())
        .map(|found| found.split);
    let certified = certify(&problem, best, &witness, &Options::default()).expect("certified");
    assert!(certified.certificate().relative_gap() <= 0.02, "{}", certified.certificate());
    assert_eq!(certified.certificate().bound_kind(), BoundKind::Relaxation);

    // One entry of the witness changed is named; so is a witness left out.
    let record = Record::new(&problem, &certified, &witness, &Options::default());
    let best = certified.solution();
    record.verify(&problem, best.clone(), &witness, &()).expect("valid");
    let missing = record.verify(&problem, best.clone(), &Witness::none(), &()).expect_err("missing");
    assert!(matches!(missing, Mismatch::Missing { .. }), "{missing}");
    witness.split.as_mut().expect("found").slack.col_mut(3)[7] += 1e-9;
    let altered = record.verify(&problem, best.clone(), &witness, &()).expect_err("altered");
    assert_eq!(altered, Mismatch::Part { part: "witness split slack" });
    let verdict = Verdict::from(altered);
    assert!(verdict.is_negative() && verdict.to_string().contains("slack"), "{verdict}");
}

fn random_problems(count: u64, gamma: bool, centered: bool) -> impl Iterator<Item = Problem> {
    (0..count).map(move |seed| {
        let mut rng = ChaCha8Rng::seed_from_u64(seed);
        let (n, len) = (rng.random_range(1..5), rng.random_range(1..9));
        let weights = (0..len).map(|_| rng.random_range(0.1..1.0)).collect();
        Problem::builder(planted::gaussian(n, len, seed))
            .lambda(rng.random_range(0.05..0.6))
            .gamma(if gamma { rng.random_range(0.02..0.6) } else { 0.0 })
            .weights(weights)
            .centered(centered)
            .build()
            .expect("valid")
    })
}

#[test]
fn slow_every_solver_passes_the_harness() {
    let exact = Expectations { stationarity: 1e-6, gap: 1e-9 };
    let seen = verify_solver(wide::closed_form, random_problems(1000, false, false), &exact)
        .unwrap_or_else(|violation| panic!("closed form: {violation}"));
    assert!(seen.problems == 1000 && seen.alterations > 3000);
    verify_solver(wide::closed_form, random_problems(400, false, true), &exact)
        .unwrap_or_else(|violation| panic!("centered closed form: {violation}"));
    let loose = Expectations { stationarity: 0.1, gap: f64::INFINITY };
    let solver = ColumnGeneration { gap_tolerance: 1e-4, ..Default::default() };
    for (gamma, centered) in [(true, false), (true, true), (false, false)] {
        let problems = random_problems(200, gamma, centered);
        verify_solver(|problem: &Problem| solver.solve(problem), problems, &loose)
            .unwrap_or_else(|violation| panic!("column generation: {violation}"));
    }
    for (gamma, centered) in [(false, false), (false, true), (true, false)] {
        let problems = random_problems(150, gamma, centered);
        let finite = Finite { local: None, ..Finite::new(2) };
        verify_solver(|problem: &Problem| finite.solve(problem), problems, &loose)
            .unwrap_or_else(|violation| panic!("finite: {violation}"));
    }
}

/// Planted features: the optimum is certified as global, the point that looks like
/// it is not, and where its fault is local it is refuted with a lower point.
#[test]
fn planted_features_are_told_from_their_decoys() {
    let decoys = [
        ("nested", planted::nested(1.1, 0.2), true),
        ("nested", planted::nested(0.4, 0.01), true),
        ("antipodal", planted::antipodal([1.0, -2.0, 0.5], 0.3), false),
        ("split", planted::split(0.7, 0.2), false),
    ];
    for (name, instance, refuted) in decoys {
        let planted::Decoy { problem, optimum, decoy } = instance.expect("a valid instance");
        let best = audit(&problem, optimum);
        assert_eq!(*best.certificate().verdict(), Verdict::Global, "{name}: {}", best.certificate());
        let found = audit(&problem, decoy);
        let (certificate, value) = (found.certificate(), best.certificate().objective());
        assert!(certificate.objective() > value * (1.0 + 1e-6), "{name}");
        assert_ne!(*certificate.verdict(), Verdict::Global, "{name}");
        assert!(certificate.lower_bound().get() <= value * (1.0 + 1e-12), "{name}");
        if refuted {
            assert!(certificate.verdict().is_negative(), "{name}: {certificate}");
        }
    }
}

#[test]
fn the_harness_catches_a_wrong_solver() {
    let lazy = |problem: &Problem| {
        let empty = Factorization::new(
            Dictionary::empty(problem.dim()),
            widedict::Codes::zeros(0, problem.len()),
            None,
        )?;
        certify(problem, empty, &Witness::none(), &Options::default())
    };
    let exact = Expectations { stationarity: 1e-6, gap: 1e-9 };
    assert!(verify_solver(lazy, random_problems(20, true, false), &exact).is_err());
}
