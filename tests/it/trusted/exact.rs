//! The polar to a stated accuracy, by cones and by faces (theorem `cone-branching`).

use std::ops::ControlFlow;

use rand::{RngExt, SeedableRng};
use rand_chacha::ChaCha8Rng;
use widedict::certificate::{Options, certify_observed};
use widedict::num::max;
use widedict::search::relaxation::Relaxation;
use widedict::testing::{naive, plane, planted};
use widedict::trusted::Residuals;
use widedict::trusted::Subject;
use widedict::trusted::exact::{Limits, ProvedPolar, polar};
use widedict::trusted::{BoundKind, bounds};
use widedict::{ColumnGeneration, Interrupt, Matrix, Observer, Problem, Witness, certify};

use crate::support::checks::never_crosses;
use crate::support::exact::{self as arithmetic, Exact, ex};

/// What the answers are held to: the accuracy asked for, and room for the
/// floating-point value it is compared with.
const TOLERANCE: f64 = 1e-9;
const ROOM: f64 = 1e-12;

fn limits() -> Limits {
    Limits { polar_tolerance: TOLERANCE, ..Limits::default() }
}

fn of(problem: &Problem, dual: &Matrix) -> ProvedPolar {
    polar(problem, dual, &limits(), &()).expect("a finite dual point of few points or dimensions")
}

/// `g°(R̃ᵀd)/‖d‖` naively.
fn value(problem: &Problem, dual: &Matrix, direction: &[f64]) -> f64 {
    let gauge = naive::Gauge::of(problem);
    let v: Vec<f64> = dual.columns().zip(&gauge.a).map(|(r, a)| a * naive::inner(r, direction)).collect();
    gauge.polar(&v) / naive::length(direction)
}

/// The largest polar over a grid of the sphere, improved by ascents from there.
fn brute(problem: &Problem, dual: &Matrix, per_axis: i32) -> f64 {
    let n = problem.dim();
    let side = 2 * per_axis + 1;
    let count = (0..n).fold(1, |c, _| c * side);
    let (mut best, mut at) = (0.0, vec![0.0; n]);
    for k in 0..count {
        let mut rest = k;
        let d: Vec<f64> = (0..n)
            .map(|_| {
                let digit = rest % side;
                rest /= side;
                f64::from(digit - per_axis)
            })
            .collect();
        if d.iter().all(|v| v.abs() < f64::from(per_axis)) {
            continue;
        }
        let found = value(problem, dual, &d);
        if found > best {
            (best, at) = (found, d);
        }
    }
    max(best, ascend(problem, dual, &at))
}

fn ascend(problem: &Problem, dual: &Matrix, start: &[f64]) -> f64 {
    let a: Vec<f64> = problem.data().weights().iter().map(|w| w.sqrt()).collect();
    let gauge = problem.gauge();
    let (mut best, mut d) = (0.0, start.to_vec());
    for _ in 0..2_000 {
        let length = naive::length(&d);
        if !(length > 0.0) {
            break;
        }
        let v: Vec<f64> = dual.columns().zip(&a).map(|(r, a)| a * naive::inner(r, &d) / length).collect();
        let mut z = vec![0.0; v.len()];
        best = max(best, gauge.polar(&v, 0.0, &mut z).value);
        d = (0..problem.dim())
            .map(|j| (0..problem.len()).map(|i| a[i] * dual.get(j, i) * z[i]).sum())
            .collect();
    }
    best
}

fn random_problem(rng: &mut ChaCha8Rng, n: usize, len: usize, centered: bool) -> (Problem, Matrix) {
    let kind = rng.random_range(0..6);
    let mut dual = Matrix::from_fn(n, len, |_, _| rng.random_range(-1.0..1.0));
    for i in 1..len {
        let from = rng.random_range(0..i);
        let source = dual.col(from).to_vec();
        let column = dual.col_mut(i);
        match (kind, rng.random_range(0..3)) {
            (1, 0) => column.copy_from_slice(&source),
            (2, 0) => column.iter_mut().zip(&source).for_each(|(c, s)| *c = -s),
            (3, 0) => column.iter_mut().zip(&source).for_each(|(c, s)| *c = s + 1e-7 * *c),
            (4, 0) => column.fill(0.0),
            (5, _) => column.iter_mut().for_each(|c| *c = c.signum()),
            _ => {}
        }
    }
    let weights =
        (0..len)
            .map(|_| {
                if kind == 3 {
                    10.0_f64.powf(rng.random_range(-6.0..0.0))
                } else {
                    rng.random_range(0.2..1.0)
                }
            })
            .collect();
    let lambda = match rng.random_range(0..5) {
        0 => 0.0,
        1 => 1e-3,
        _ => rng.random_range(0.05..1.0),
    };
    let gamma = if rng.random_range(0..4) == 0 { 1e-2 } else { rng.random_range(0.05..1.0) };
    let problem = Problem::builder(dual.clone())
        .weights(weights)
        .lambda(lambda)
        .gamma(gamma)
        .centered(centered)
        .build()
        .expect("valid data");
    (problem, dual)
}

#[test]
fn slow_the_polar_is_that_of_a_grid() {
    let mut rng = ChaCha8Rng::seed_from_u64(11);
    for case in 0..240 {
        let n = 1 + case % 3;
        let len = if case % 2 == 0 { rng.random_range(1..10) } else { rng.random_range(11..40) };
        let (problem, dual) = random_problem(&mut rng, n, len, false);
        let found = of(&problem, &dual);
        let grid = brute(&problem, &dual, if n == 3 { 6 } else { 60 });
        assert!(found.upper.get() >= grid * (1.0 - ROOM), "case {case}: {found:?} below {grid}");
        assert!(found.attained <= found.upper.get());
        assert!(found.accuracy() <= TOLERANCE * 1.01 + ROOM, "case {case}: {found:?}");
        // What is attained is a value of the polar, so the answer is tight.
        assert!(grid >= found.attained * (1.0 - 1e-3));
    }
}

#[test]
fn slow_the_plane_scan_agrees() {
    let mut rng = ChaCha8Rng::seed_from_u64(12);
    for _ in 0..20 {
        let (problem, dual) = random_problem(&mut rng, 2, 25, false);
        let (upper, lower, _) = plane::polar(&problem, &dual, 1e-10);
        let found = of(&problem, &dual);
        assert!(found.upper.get() >= lower * (1.0 - ROOM));
        assert!(found.upper.get() <= upper * (1.0 + TOLERANCE) * (1.0 + ROOM));
    }
}

#[test]
fn cones_and_faces_agree() {
    // Padded with copies of weight shared out the polar is the same; with more
    // than 16 points only cones apply, with n > 4 only faces.
    let mut rng = ChaCha8Rng::seed_from_u64(13);
    for case in 0..40 {
        let len = rng.random_range(2..9);
        let n = 1 + case % 4;
        let (problem, dual) = random_problem(&mut rng, n, len, false);
        let weights = problem.data().weights();
        let shares = 24_usize.div_ceil(len);
        let copies = Problem::builder(Matrix::from_fn(n, shares * len, |j, i| dual.get(j, i % len)))
            .weights((0..shares * len).map(|i| weights[i % len]).collect())
            .lambda(problem.lambda())
            .gamma(problem.gamma())
            .build()
            .unwrap();
        let tall = Matrix::from_fn(n + 5, len, |j, i| if j < n { dual.get(j, i) } else { 0.0 });
        let padded = Problem::builder(tall.clone())
            .weights(weights.to_vec())
            .lambda(problem.lambda())
            .gamma(problem.gamma())
            .build()
            .unwrap();
        let cones = of(&copies, &copies.data().datapoints().as_matrix()).upper.get();
        let faces = of(&padded, &tall).upper.get();
        assert!((cones - faces).abs() <= (2.0 * TOLERANCE + 1e-11) * cones, "case {case}: {cones} {faces}");
    }
}

#[test]
fn the_bound_holds_in_exact_arithmetic() {
    // ‖Rz‖² ≤ κ²g(z)² for rows z with entries in {0, 1, 2, 3}, without a rounding.
    let mut rng = ChaCha8Rng::seed_from_u64(14);
    for _ in 0..30 {
        let (n, len) = (rng.random_range(1..6), rng.random_range(1..8));
        let (problem, dual) = random_problem(&mut rng, n, len, false);
        let kappa = ex(of(&problem, &dual).upper.get());
        for _ in 0..100 {
            let z: Vec<f64> = (0..len).map(|_| f64::from(rng.random_range(0..4_i32))).collect();
            let weighted: Vec<f64> = z.clone();
            // In the data's units: Σ wᵢzᵢrᵢ, Σ wᵢzᵢ and Σ wᵢzᵢ².
            let w = problem.data().weights();
            let left = Exact::sum((0..n).map(|j| {
                Exact::sum((0..len).map(|i| ex(w[i]) * ex(weighted[i]) * ex(dual.get(j, i)))).square()
            }));
            let mass = Exact::sum((0..len).map(|i| ex(w[i]) * ex(z[i])));
            let energy = Exact::sum((0..len).map(|i| ex(w[i]) * ex(z[i]).square()));
            let price = ex(problem.lambda()).square() * mass.square() + ex(problem.gamma()).square() * energy;
            assert!(left <= kappa.square() * price);
        }
    }
    // One datapoint: Ω° = √w‖r‖/√(λ²w² + γ²w), with w = 1.
    let one =
        Problem::builder(Matrix::from_columns(2, &[[3.0, 4.0]])).lambda(0.6).gamma(0.8).build().unwrap();
    let kappa = of(&one, &one.data().datapoints().as_matrix()).upper.get();
    let exact = arithmetic::inner(&[3.0, 4.0], &[3.0, 4.0]);
    let square = exact.over(&(ex(0.6).square() + ex(0.8).square()));
    assert!(ex(kappa).square() >= square && ex(kappa * (1.0 - 2e-9)).square() <= square);
}

#[test]
fn no_feasible_point_is_below_the_bound() {
    let mut rng = ChaCha8Rng::seed_from_u64(15);
    for case in 0..150 {
        let (n, len) = (1 + case % 5, rng.random_range(1..14));
        let (problem, _) = random_problem(&mut rng, n, len, case % 3 == 0);
        let settings =
            ColumnGeneration { gap_tolerance: 1e-3, max_rounds: 30, ..ColumnGeneration::default() };
        let solution = settings.solve(&problem).unwrap().certified.into_parts().0;
        let options = Options { exact: Some(limits()), ..Options::default() };
        let certified = certify(&problem, solution, &Witness::none(), &options).unwrap();
        let lower = certified.certificate().lower_bound().get();
        // A bound of any dual point: also of a perturbed one.
        let subject = Subject::of(&problem, certified.solution()).unwrap();
        let mut other = subject.residuals().clone().into_matrix();
        other.as_mut_slice().iter_mut().for_each(|v| *v *= 1.0 + 0.1 * rng.random_range(-1.0..1.0));
        let second = bounds::exact(&subject, &other, &limits(), &()).map_or(0.0, |b| b.lower.get());
        let finer = ColumnGeneration { gap_tolerance: 1e-7, max_rounds: 100, ..ColumnGeneration::default() };
        let better = finer.solve(&problem).unwrap().certified.into_parts().0;
        never_crosses(&problem, max(lower, second), &[certified.into_parts().0, better]);
    }
}

#[test]
fn planted_optima_are_certified() {
    let mut rng = ChaCha8Rng::seed_from_u64(16);
    let mut seen = 0;
    for _ in 0..60 {
        let (len, atoms) = (rng.random_range(2..10), rng.random_range(1..4));
        let rows = (0..atoms)
            .map(|_| {
                (0..len)
                    .map(|_| if rng.random_range(0..2) == 0 { 0.0 } else { rng.random_range(0.2..1.0) })
                    .collect()
            })
            .collect();
        let recipe = planted::Recipe {
            weights: (0..len).map(|_| rng.random_range(0.2..1.0)).collect(),
            lambda: rng.random_range(0.05..0.5),
            gamma: rng.random_range(0.1..0.5),
            rows,
            amounts: (0..atoms).map(|_| rng.random_range(0.2..1.0)).collect(),
            semidefinite: rng.random_range(0.0..0.9),
            nonnegative: rng.random_range(0.0..0.9),
        };
        let Some(planted) = planted::pair(&recipe) else { continue };
        seen += 1;
        let options = Options { exact: Some(limits()), ..Options::default() };
        let certified = certify(&planted.problem, planted.factorization, &Witness::none(), &options).unwrap();
        let certificate = certified.certificate();
        assert!(certificate.lower_bound().get() <= planted.value * (1.0 + 1e-12));
        assert!(certificate.relative_gap() <= 1e-7, "{certificate}");
    }
    assert!(seen >= 20);
}

#[test]
fn relaxations_are_below_it() {
    // The bound of a split of the same dual point is never better; T = 0 is one.
    let mut rng = ChaCha8Rng::seed_from_u64(17);
    for case in 0..60 {
        let (problem, dual) = random_problem(&mut rng, 1 + case % 4, 4 + case % 10, false);
        let zero = Matrix::zeros(problem.len(), problem.len());
        if let Some(split) = widedict::trusted::copositive::polar(&problem, &dual, &zero) {
            assert!(of(&problem, &dual).upper.get() <= split.get() * (1.0 + 2.0 * TOLERANCE));
        }
    }
}

#[test]
fn scales_do_not_matter() {
    let mut rng = ChaCha8Rng::seed_from_u64(18);
    for size in [1e-130, 1e-6, 1e6, 1e130] {
        let (problem, dual) = random_problem(&mut rng, 3, 15, false);
        let scaled = Matrix::from_fn(3, 15, |j, i| dual.get(j, i) * size);
        let (one, other) = (of(&problem, &dual).upper.get(), of(&problem, &scaled).upper.get());
        assert!((other / size - one).abs() <= 3.0 * TOLERANCE * one);
        let same = problem.with_penalty(problem.lambda() * size, problem.gamma() * size).unwrap();
        let back = of(&same, &scaled).upper.get();
        assert!((back - one).abs() <= 3.0 * TOLERANCE * one);
    }
}

#[test]
fn what_cannot_be_proved_is_none_and_limits_loosen() {
    let x =
        Matrix::from_fn(3, 30, |j, i| f64::from(u8::try_from((7 * i + 3 * j + i * j) % 11).unwrap()) - 5.0);
    let problem = |gamma: f64| Problem::builder(x.clone()).lambda(0.3).gamma(gamma).build().unwrap();
    assert!(polar(&problem(0.0), &x, &limits(), &()).is_none());
    let some = problem(0.2);
    assert!(polar(&some, &Matrix::zeros(3, 2), &limits(), &()).is_none());
    assert!(polar(&some, &Matrix::from_fn(3, 30, |_, _| f64::NAN), &limits(), &()).is_none());
    assert!(of(&some, &Matrix::zeros(3, 30)).upper.get().abs() < f64::MIN_POSITIVE);
    let full = of(&some, &x);
    for steps in [0, 1, 5, 20] {
        let few = polar(&some, &x, &Limits { max_steps: steps, ..limits() }, &()).unwrap();
        assert!(few.steps <= steps && few.upper.get() >= full.attained);
    }
    struct Stopper;
    impl Observer for Stopper {
        fn poll(&self) -> ControlFlow<Interrupt> {
            ControlFlow::Break(Interrupt::Cancelled)
        }
    }
    let stopped = polar(&some, &x, &limits(), &Stopper).unwrap();
    assert!(stopped.steps == 0 && stopped.upper.get() >= full.attained);
    // Many points in many dimensions: not this bound's business.
    let wide = Matrix::from_fn(5, 21, |j, i| x.get(j % 3, i) + f64::from(u8::try_from(j).unwrap()));
    let wide_problem = Problem::builder(wide.clone()).gamma(0.2).build().unwrap();
    assert!(polar(&wide_problem, &wide, &limits(), &()).is_none());
    let point = ColumnGeneration::default().solve(&some).unwrap().certified.into_parts().0;
    let options = Options { exact: Some(limits()), ..Options::default() };
    certify_observed(&some, point, &Witness::none(), &options, &Stopper).unwrap();
}

/// The certified gap of the solver's point with the exact polar and without, and
/// how the first was proved.
fn solved(problem: &Problem) -> (f64, f64, BoundKind) {
    let settings = ColumnGeneration { gap_tolerance: 1e-8, ..ColumnGeneration::default() };
    let solution = settings.solve(problem).expect("valid settings");
    let relaxed = solution.certified.certificate().relative_gap();
    let options = Options { exact: Some(limits()), ..Options::default() };
    let point = solution.certified.into_parts().0;
    let certified = certify(problem, point, &solution.witness, &options).expect("a point of this problem");
    let certificate = certified.certificate();
    (certificate.relative_gap(), relaxed, certificate.bound_kind())
}

#[test]
fn slow_small_instances_are_solved_to_a_millionth() {
    let mut rng = ChaCha8Rng::seed_from_u64(19);
    for case in 0..60_u64 {
        let (n, len) = (2 + usize::try_from(case % 2).unwrap(), rng.random_range(6..=30));
        let problem = Problem::builder(planted::gaussian(n, len, case))
            .lambda(rng.random_range(0.05..0.4))
            .gamma(rng.random_range(0.05..0.3))
            .centered(case % 4 == 3)
            .build()
            .unwrap();
        let (gap, others, kind) = solved(&problem);
        assert!(gap <= 1e-6, "case {case}: {gap:e}");
        assert!(kind == BoundKind::Exact && others > 1e-3);
    }
}

#[test]
fn the_relaxation_leaves_a_gap_that_this_closes_and_none_for_four_points() {
    let search = Relaxation { max_iterations: 3_000, polar_tolerance: 1e-8, ..Relaxation::default() };
    let (mut closed, mut seen) = (0, 0);
    for case in 0..12_u64 {
        let few = case < 6;
        let (n, len) = if few { (3, 4) } else { (3, 12) };
        let problem =
            Problem::builder(planted::gaussian(n, len, 100 + case)).lambda(0.15).gamma(0.1).build().unwrap();
        let settings = ColumnGeneration { gap_tolerance: 1e-8, ..ColumnGeneration::default() };
        let point = settings.solve(&problem).unwrap().certified.into_parts().0;
        let split = search.search(&problem, &point, &()).map(|found| found.split);
        let witness = Witness { split, ..Witness::none() };
        let without = certify(&problem, point.clone(), &witness, &Options::default()).unwrap();
        let options = Options { exact: Some(limits()), ..Options::default() };
        let with = certify(&problem, point, &witness, &options).unwrap();
        let (loose, tight) = (without.certificate().relative_gap(), with.certificate().relative_gap());
        assert!(tight <= 1e-6 && tight <= loose);
        if few {
            // Exact by theorem dnn-bound; what is left is the search's.
            assert!(loose <= 1e-3, "{loose:e}");
        } else {
            seen += 1;
            closed += usize::from(loose > 1e-5);
        }
    }
    assert!(closed > 0 && seen == 6);
}

#[test]
fn slow_the_default_limits_suffice_near_an_optimum() {
    // Cones for n = 3 and 4, faces for n = 8: many directions are nearly maximal.
    for (n, len) in [(2, 1_000), (3, 100), (3, 300), (4, 30), (4, 100), (8, 16)] {
        let problem = Problem::builder(planted::gaussian(n, len, 5)).lambda(0.2).gamma(0.1).build().unwrap();
        let point =
            ColumnGeneration { gap_tolerance: 1e-4, ..ColumnGeneration::default() }.solve(&problem).unwrap();
        let residuals = Residuals::of(&problem, point.certified.solution()).unwrap().into_matrix();
        let found = of(&problem, &residuals);
        assert!(found.accuracy() <= 1.01 * TOLERANCE, "n {n}, N {len}: {found:?}");
    }
}
