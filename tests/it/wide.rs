//! The wide limit: its boundary against copositivity, its center against the mean
//! and the geometric median, the polar polytope's identities, the excess on the circle.

use std::ops::ControlFlow;

use proptest::prelude::*;

use super::support::checks::close;
use super::support::strategies::{Limits, moderate_penalties, problems};
use widedict::certificate::{Options, certify};
use widedict::coder::Coder;
use widedict::linalg::{dot, norm};
use widedict::num::{Interval, max};
use widedict::testing::{kernels, naive, planted};
use widedict::trusted::bounds;
use widedict::wide::{self, Regime};
use widedict::{Dictionary, Factorization, Finite, Interrupt, Matrix, Observer, Problem, Stop, Witness};

/// Kaplan's criterion (2000): a symmetric matrix is copositive iff no principal
/// submatrix has a positive eigenvector with a negative eigenvalue. The least
/// such eigenvalue, 0 where there is none. For matrices of up to four rows.
fn copositivity_defect(matrix: &Matrix) -> f64 {
    let len = matrix.nrows();
    let mut worst: f64 = 0.0;
    for set in 1_u32..(1 << len) {
        let rows: Vec<usize> = (0..len).filter(|i| set & (1 << i) != 0).collect();
        let part = Matrix::from_fn(rows.len(), rows.len(), |i, j| matrix.get(rows[i], rows[j]));
        let (values, vectors) = kernels::symmetric_eigen(&part).unwrap();
        for (value, vector) in values.iter().zip(vectors.columns()) {
            let sign = vector.iter().sum::<f64>().signum();
            if vector.iter().all(|v| sign * v > 0.0) && *value < worst {
                worst = *value;
            }
        }
    }
    worst
}

/// `A − R̃ᵀR̃` of one atom per datapoint with row and column i divided by
/// `κᵢ = √(λ²wᵢ + γ²)`: no units are left, whatever the weights are, and
/// copositivity is the same. Active points have a zero diagonal.
fn slack(problem: &Problem) -> Matrix {
    let point = wide::atom_each(problem).unwrap();
    let residuals = naive::residuals(problem, &point);
    let a = problem.data().sqrt_weights();
    let kappa: Vec<f64> = a.iter().map(|a| (problem.lambda() * a).hypot(problem.gamma())).collect();
    Matrix::from_fn(a.len(), a.len(), |i, j| {
        let (si, sj) = (a[i] / kappa[i], a[j] / kappa[j]);
        let price = (problem.lambda() * si) * (problem.lambda() * sj);
        let own = if i == j { (problem.gamma() / kappa[i]).powi(2) } else { 0.0 };
        let scaled = |i: usize, s: f64| residuals.col(i).iter().map(|r| r * s).collect::<Vec<f64>>();
        price + own - dot(&scaled(i, si), &scaled(j, sj))
    })
}

/// The two-row block of a pair in the units of [`slack`], in interval arithmetic:
/// diagonal, other diagonal, entry. A datapoint that is proved active has a diagonal
/// of exactly 0.
fn enclosed_block(problem: &Problem, i: usize, j: usize) -> [Interval; 3] {
    let point = Interval::point;
    let (xi, xj) = (problem.data().datapoint(i), problem.data().datapoint(j));
    // Near 1, products of four lengths neither overflow nor vanish; a power of two is
    // exact, and an entry that it makes subnormal is enclosed.
    let largest = xi.iter().chain(&*xj).fold(max(problem.lambda(), problem.gamma()), |m, v| max(m, v.abs()));
    let unit = point((-largest.log2().floor()).exp2());
    let scaled = |value: f64| point(value).mul(unit);
    let (l2, g2) = (scaled(problem.lambda()).square(), scaled(problem.gamma()).square());
    let inner = |x: &[f64], y: &[f64]| {
        x.iter().zip(y).fold(point(0.0), |sum, (x, y)| sum.add(scaled(*x).mul(scaled(*y))))
    };
    // κᵢ²/wᵢ, the square of a residual's longest length, and ‖xᵢ‖² over it.
    let parts = |i: usize, x: &[f64]| {
        let longest = l2.add(g2.div(point(problem.data().weights()[i])));
        (longest, inner(x, x).div(longest))
    };
    let ((ki, si), (kj, sj)) = (parts(i, &xi), parts(j, &xj));
    let one = point(1.0);
    let diagonal = |share: Interval| if share.lo > 1.0 { point(0.0) } else { one.sub(share) };
    // Of xᵢ/√(κᵢ²/wᵢ), what is left in the residual: all, or what brings its length to 1.
    let kept = |share: Interval| if share.lo > 1.0 { one.div(share.sqrt()) } else { one };
    let product = inner(&xi, &xj).mul(kept(si)).mul(kept(sj));
    [diagonal(si), diagonal(sj), l2.sub(product).div(ki.mul(kj).sqrt())]
}

/// Whether a pair alone proves that the slack is not copositive.
fn pair_refutes(problem: &Problem, i: usize, j: usize) -> bool {
    let [left, right, entry] = enclosed_block(problem, i, j);
    left.hi < 0.0
        || right.hi < 0.0
        || (entry.hi < 0.0 && entry.square().lo > left.mul(right).hi)
        || (entry.hi < 0.0 && (left.hi == 0.0 || right.hi == 0.0))
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(512))]

    /// T5 as an iff: the regime test agrees with the copositivity of `A − R̃ᵀR̃`,
    /// decided exactly for up to four points, wherever neither is within rounding
    /// of the boundary.
    #[test]
    fn the_regime_is_the_copositivity_of_the_slack(
        problem in problems(Limits { dim: 3, points: 4, ..Limits::default() }, moderate_penalties()),
    ) {
        prop_assume!(!problem.centered() && problem.lambda() > 0.0);
        let slack = slack(&problem);
        let defect = copositivity_defect(&slack);
        match wide::regime(&problem, &()).unwrap() {
            Regime::Optimal => prop_assert!(defect >= -1e-9, "defect {defect:e}"),
            Regime::Shared { pair: (i, j) } => {
                let entry = slack.get(i, j);
                prop_assert!(pair_refutes(&problem, i, j) || entry >= -1e-9, "entry {entry:e}");
            }
            Regime::Borderline { pair: (i, j) } => {
                let [left, right, entry] = enclosed_block(&problem, i, j);
                let room = |v: Interval| v.lo <= 1e-9 && v.hi >= -1e-9;
                let determinant = left.mul(right).sub(entry.square());
                prop_assert!(room(entry) || room(determinant), "entry {entry:?}");
                prop_assert!(defect >= -1e-9, "defect {defect:e}");
            }
            Regime::Undecided { inactive } => prop_assert!(inactive >= 3),
            Regime::Stopped(stop) => prop_assert!(false, "nobody stopped it: {stop:?}"),
        }
    }

    /// T5 on both sides of γ*: copositive below, not just above.
    #[test]
    fn the_boundary_separates(
        problem in problems(Limits { dim: 3, points: 4, ..Limits::default() }, moderate_penalties()),
    ) {
        separates(&problem)?;
    }
}

/// The closed form is optimal at shares of γ*, and proved not to be just above it.
fn separates(problem: &Problem) -> Result<(), TestCaseError> {
    prop_assume!(!problem.centered() && problem.lambda() > 0.0);
    let found = wide::boundary(problem, &()).unwrap();
    prop_assert!(found.lower.get() <= found.gamma && found.gamma <= found.upper.get());
    let at = |gamma: f64| problem.with_penalty(problem.lambda(), gamma).unwrap();
    let largest = problem.data().datapoints().columns().map(|x| norm(&x)).fold(problem.lambda(), max);
    let top = if found.gamma.is_finite() { found.gamma } else { 10.0 * largest };
    for share in [0.0, 0.3, 0.9, 0.999] {
        prop_assert!(copositivity_defect(&slack(&at(share * top))) >= -1e-9);
    }
    if found.gamma.is_finite() && found.gamma > 1e-3 * largest {
        let (i, j) = found.pair.unwrap();
        let above = at(1.001 * found.gamma);
        let [left, right, entry] = enclosed_block(&above, i, j);
        prop_assert!(entry.hi < 0.0, "entry {entry:?}");
        // Where both have become inactive since γ*, the pair may allow it again.
        if left.hi == 0.0 || right.hi == 0.0 {
            prop_assert!(pair_refutes(&above, i, j));
        }
    }
    Ok(())
}

/// A weight of 2.5e-12 scales an entry of −1e-10 to the rounding of a whitened
/// diagonal: γ* is known to 50 digits, and what lies above is still refuted.
#[test]
fn the_boundary_separates_points_of_tiny_weight() {
    let x = Matrix::from_columns(2, &[[0.0, 0.0], [1.2, 0.3], [0.7, 0.1]]);
    let problem =
        |weights: Vec<f64>| Problem::builder(x.clone()).lambda(0.41).weights(weights).build().unwrap();
    for exponent in 0..18 {
        let tiny = 10.0_f64.powi(-exponent);
        for weights in [vec![1.0, tiny, 1.0], vec![1.0, 1.0, tiny], vec![tiny, 1.0, 1.0]] {
            separates(&problem(weights)).unwrap();
        }
    }
}

/// Squares of lengths and of λ vanish or overflow; the boundary does not.
#[test]
fn the_boundary_has_no_scale() {
    let x = [[1.2, 0.3], [0.7, 0.1], [0.2, 0.9]];
    let at = |unit: f64| {
        let scaled: Vec<[f64; 2]> = x.iter().map(|x| x.map(|v| v * unit)).collect();
        let problem = Problem::builder(Matrix::from_columns(2, &scaled)).lambda(0.41 * unit).build().unwrap();
        wide::boundary(&problem, &()).unwrap()
    };
    let one = at(1.0);
    for unit in [1e-300, 1e-170, 1e-100, 1e100, 1e139] {
        let found = at(unit);
        assert_eq!(found.pair, one.pair);
        close("gamma", found.gamma / unit, one.gamma, 0.0, 1e-12);
        assert!(found.lower.get() <= found.gamma && found.gamma <= found.upper.get());
        assert!(found.upper.get() - found.lower.get() <= 1e-12 * found.gamma);
    }
    // A datapoint whose square vanishes beside one of the largest accepted: their inner
    // product is 1e70 times λ².
    let pair = Matrix::from_columns(2, &[[1e-170, 0.0], [0.9e140, 0.4e140]]);
    let problem = Problem::builder(pair).lambda(1e-50).build().unwrap();
    let found = wide::boundary(&problem, &()).unwrap();
    assert_eq!(found.pair, Some((0, 1)));
    assert!(found.lower.get() <= found.gamma && found.gamma <= found.upper.get() && found.gamma.is_finite());
    // θ = λ²a²/c and √(θ²/‖x₁‖² − λ²w), the root with the short one inactive.
    let cosine = 0.9 / 0.97_f64.sqrt();
    let expected = 0.5_f64.sqrt() * 1e-50 * (1e120 / cosine);
    close("gamma", found.gamma, expected, 0.0, 1e-12);
}

/// Collinear active datapoints share an atom at every γ > 0, and need not at γ = 0.
#[test]
fn collinear_datapoints_share_an_atom_at_every_positive_price() {
    let x = Matrix::from_columns(2, &[[3.0, 4.0], [6.0, 8.0], [-1.0, 5.0]]);
    let at = |gamma: f64| {
        let problem = Problem::builder(x.clone()).lambda(0.5).gamma(gamma).build().unwrap();
        wide::regime(&problem, &()).unwrap()
    };
    assert_eq!(at(0.0), Regime::Optimal);
    for gamma in [1e-3, 0.1, 0.5] {
        assert_eq!(at(gamma), Regime::Shared { pair: (0, 1) });
    }
    // Nothing is active any more.
    assert_eq!(at(1e3), Regime::Optimal);
    // So near 0 that the share of a common atom is below rounding: not decided, and not
    // claimed.
    assert_eq!(at(1e-12), Regime::Borderline { pair: (0, 1) });
}

/// Breaks at a poll of its choice.
struct Breaking {
    left: std::sync::atomic::AtomicIsize,
}

impl Observer for Breaking {
    fn poll(&self) -> ControlFlow<Interrupt> {
        if self.left.fetch_sub(1, std::sync::atomic::Ordering::Relaxed) > 0 {
            ControlFlow::Continue(())
        } else {
            ControlFlow::Break(Interrupt::Cancelled)
        }
    }
}

/// Whenever the observer breaks, the search says so and claims nothing from below.
#[test]
fn a_stopped_boundary_and_regime_claim_nothing() {
    let problem = Problem::builder(planted::gaussian(3, 300, 5)).lambda(0.4).gamma(0.01).build().unwrap();
    let whole = wide::boundary(&problem, &()).unwrap();
    for polls in 0..8 {
        let observer = Breaking { left: polls.into() };
        let found = wide::boundary(&problem, &observer).unwrap();
        if found.stop == Stop::ToleranceMet {
            assert_eq!(found, whole);
        } else {
            assert_eq!(found.stop, Stop::Cancelled);
            assert!(found.lower.get() == 0.0 && found.upper.get() >= whole.lower.get());
        }
    }
    for polls in [0, 1, 2, 10, 100, 299] {
        let observer = Breaking { left: polls.into() };
        assert_eq!(wide::regime(&problem, &observer).unwrap(), Regime::Stopped(Stop::Cancelled));
    }
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(512))]

    /// T10 on every code: `‖x‖² = ‖Dz‖² + 2λ1ᵀz + ‖r‖²`, `rᵀDz = λ1ᵀz`,
    /// `Dᵀr ≤ λ` with equality on the support, `‖r‖ ≥ λ` wherever a code is used.
    #[test]
    fn codes_satisfy_the_identities_of_the_polar_polytope(
        seed in 0_u64..10_000, dim in 1_usize..6, atoms in 1_usize..12, lambda in 0.01_f64..1.5,
    ) {
        let points = planted::gaussian(dim, 8, seed);
        let (dictionary, _) = Dictionary::normalize(planted::gaussian(dim, atoms, seed + 1)).unwrap();
        let encoded = Coder::default().encode(&points, &dictionary, lambda, &()).unwrap();
        for (i, x) in points.columns().enumerate() {
            let code = encoded.codes.column(i);
            let mut image = vec![0.0; dim];
            let mut mass = 0.0;
            for (k, z) in code.iter() {
                image.iter_mut().zip(dictionary.atom(k)).for_each(|(v, d)| *v += z * d);
                mass += z;
            }
            let residual: Vec<f64> = x.iter().zip(&image).map(|(x, v)| x - v).collect();
            // A code is optimal up to its duality gap g, and that up to the rounding of the
            // objective. Moving one code, or scaling all, gains half the square of the
            // slope: no slope is farther than √(2g) from where the optimum has it.
            let square = norm(x).powi(2);
            let slack = (2.0 * (encoded.gaps[i] + 64.0 * f64::EPSILON * (square + lambda * lambda))).sqrt();
            let length = norm(&image);
            let energy = length * length + 2.0 * lambda * mass + norm(&residual).powi(2);
            close("‖x‖²", square, energy, 2.0 * length * slack, 1e-12);
            close("rᵀDz", dot(&residual, &image), lambda * mass, length * slack, 1e-12);
            for (k, atom) in dictionary.atoms().enumerate() {
                let slope = dot(atom, &residual);
                prop_assert!(slope <= lambda + slack, "atom {k}: {slope} above {lambda}");
                if code.get(k).is_some_and(|z| *z > slack) {
                    close("active slope", slope, lambda, slack, 0.0);
                    prop_assert!(norm(&residual) >= (lambda - slack) * (1.0 - 1e-12));
                }
            }
        }
    }
}

/// T6: the mean as soon as λ reaches the farthest point from it.
#[test]
fn the_center_is_the_mean_for_a_large_penalty() {
    for seed in 0..20 {
        let data = planted::gaussian(3, 12, seed);
        let problem = Problem::builder(data).lambda(1.0).centered(true).build().unwrap();
        let mean = problem.data().mean();
        let reach = problem
            .data()
            .datapoints()
            .columns()
            .map(|x| x.iter().zip(&mean).map(|(x, m)| (x - m) * (x - m)).sum::<f64>().sqrt())
            .fold(0.0, max);
        let found = wide::location(problem.data(), 1.000_001 * reach, &());
        for (c, m) in found.center.iter().zip(&mean) {
            close("center", *c, *m, 1e-12, 1e-9);
        }
    }
}

/// T6: a geometric median as λ → 0, by Weiszfeld's iteration. The center's mean
/// distance exceeds the least one by at most λ/2.
#[test]
fn the_center_tends_to_a_geometric_median() {
    for seed in 0..20 {
        let data = planted::gaussian(3, 11, seed);
        let problem = Problem::builder(data).lambda(1.0).centered(true).build().unwrap();
        let (points, weights) = (problem.data().datapoints(), problem.data().weights());
        let distance =
            |x: &[f64], b: &[f64]| x.iter().zip(b).map(|(x, b)| (x - b).powi(2)).sum::<f64>().sqrt();
        let mean_distance =
            |b: &[f64]| points.columns().zip(weights).map(|(x, w)| w * distance(&x, b)).sum::<f64>();
        let mut median = problem.data().mean();
        for _ in 0..20_000 {
            let (mut next, mut total) = (vec![0.0; 3], 0.0);
            for (x, w) in points.columns().zip(weights) {
                let pull = w / max(distance(&x, &median), 1e-12);
                next.iter_mut().zip(&*x).for_each(|(n, x)| *n += pull * x);
                total += pull;
            }
            median = next.iter().map(|n| n / total).collect();
        }
        let least = mean_distance(&median);
        for lambda in [0.1, 1e-2, 1e-4] {
            let found = wide::location(problem.data(), lambda, &());
            let reached = mean_distance(&found.center);
            assert!(reached <= least + 0.5 * lambda + 1e-9, "λ {lambda}: {reached} against {least}");
        }
    }
}

/// Collinear data and ties: n = 1, data ±1, λ = 0.2: every center of an interval
/// is optimal, one of them is returned, with the value and its certificate.
#[test]
fn a_center_that_is_not_unique_is_still_certified() {
    let problem = Problem::builder(Matrix::from_columns(1, &[[-1.0], [1.0]]))
        .lambda(0.2)
        .centered(true)
        .build()
        .unwrap();
    let solution = wide::closed_form(&problem).unwrap();
    let certificate = solution.certified.certificate();
    close("value", certificate.objective(), 0.18, 1e-12, 0.0);
    assert!(certificate.relative_gap() < 1e-9, "{certificate}");
    let center = solution.certified.solution().center().unwrap()[0];
    assert!(center.abs() <= 0.8 + 1e-9);
    // Points on a line in space.
    let line = Matrix::from_columns(3, &[[0.0, 0.0, 0.0], [1.0, 2.0, 2.0], [3.0, 6.0, 6.0], [3.0, 6.0, 6.0]]);
    let problem = Problem::builder(line).lambda(0.1).centered(true).build().unwrap();
    let solution = wide::closed_form(&problem).unwrap();
    assert!(solution.certified.certificate().relative_gap() < 1e-9);
}

/// `count` points evenly on the circle of radius `r`, off the atoms' grid.
fn circle(count: usize, r: f64) -> Matrix {
    Matrix::from_fn(2, count, |axis, i| {
        let angle = std::f64::consts::TAU * (i as f64 + 0.5) / count as f64;
        r * if axis == 0 { angle.cos() } else { angle.sin() }
    })
}

/// T12: the exact excess of evenly spaced atoms is what exact codes give, and a
/// computed optimum of that width is neither noticeably better nor much worse.
#[test]
fn the_excess_on_the_circle_is_that_of_computed_optima() {
    let (r, lambda) = (1.0, 0.3);
    for atoms in [4_usize, 8, 16, 32, 64] {
        let problem = Problem::builder(circle(32 * atoms, r)).lambda(lambda).build().unwrap();
        let limit = bounds::wide_limit(&problem).lower.get();
        let formula = wide::circle_excess(r, lambda, atoms).unwrap().exact;
        let (even, _) = Dictionary::normalize(circle(atoms, 1.0)).unwrap();
        let encoded = Coder::default().encode(problem.data().datapoints(), &even, lambda, &()).unwrap();
        let start = Factorization::new(even, encoded.codes, None).unwrap();
        // The midpoint rule over 32 points an atom.
        close("evenly spaced", naive::objective(&problem, &start) - limit, formula, 0.0, 2e-3);
        let finite = Finite { local: None, stationarity_tolerance: 1e-6, ..Finite::new(atoms) };
        let improved = finite.solve_with(&problem, &widedict::Run::starting_at(&start)).unwrap();
        let kept = improved.certified.certificate().objective() - limit;
        assert!(
            kept >= 0.99 * formula,
            "{atoms} atoms: evenly spaced ones are improved to {kept}, {formula}"
        );
        let found = finite.solve(&problem).unwrap().certified.certificate().objective() - limit;
        assert!(found >= 0.99 * formula, "{atoms} atoms: {found} is below {formula}");
        assert!(found <= 1.15 * formula, "{atoms} atoms: {found} is far above {formula}");
        let lower = wide::sphere_excess_lower(2, r, lambda, atoms);
        assert!(lower <= formula, "{atoms} atoms: {lower} against {formula}");
    }
}

/// Stationarity is read off the lengths of residuals where those decide: the same as by
/// all products, for the optimum, for codes moved off it, and where only some decide.
#[test]
fn stationarity_of_an_atom_a_datapoint_is_that_of_all_products() {
    let problem = Problem::builder(planted::gaussian(5, 60, 11)).lambda(1.2).build().unwrap();
    let optimum = wide::closed_form(&problem).unwrap().certified.into_parts().0;
    let shrunk = |share: f64, every: usize| {
        let columns: Vec<f64> = (0..60).map(|i| if i % every == 0 { share } else { 1.0 }).collect();
        let dense = widedict::Matrix::from_fn(optimum.width(), 60, |k, i| {
            columns[i] * optimum.codes().column(i).get(k).copied().unwrap_or(0.0)
        });
        widedict::testing::factorization(optimum.dictionary().matrix().clone(), &dense, None).unwrap()
    };
    for point in [shrunk(1.0, 1), shrunk(0.9, 3), shrunk(1.1, 2), shrunk(0.0, 1)] {
        let found = certify(&problem, point.clone(), &Witness::none(), &Options::default()).unwrap();
        let (found, slow) = (found.certificate().kkt(), naive::kkt(&problem, &point));
        let slack = 1e-13;
        assert!((found.codes.value - slow.codes).abs() <= slack, "{} {}", found.codes.value, slow.codes);
        assert!((found.dictionary.value - slow.dictionary).abs() <= slack);
    }
}

#[test]
fn the_wide_limit_does_not_depend_on_threads() {
    // More datapoints than a parallel task takes.
    let problem = Problem::builder(planted::gaussian(3, 60_000, 12)).lambda(0.7).build().unwrap();
    let bound = |threads: usize| {
        let pool = rayon::ThreadPoolBuilder::new().num_threads(threads).build().unwrap();
        pool.install(|| bounds::wide_limit(&problem).lower.get())
    };
    let one = bound(1);
    assert!(one == bound(2) && one == bound(7));
    let naive = naive::wide_limit(&problem, None);
    assert!(one <= naive && naive - one <= 1e-9 * naive, "{one} {naive}");
}
