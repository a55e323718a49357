//! Laws of the gauge, its polar and its prox (theorem `gauge-calculus`).

use proptest::prelude::*;
use widedict::gauge::Gauge;
use widedict::gauge::Penalty;
use widedict::linalg::{Row, dot};
use widedict::testing::naive;

use crate::support::checks::close;
use crate::support::exact::{self, Exact, ExactGauge, ex};
use crate::support::strategies::{
    GaugeCase, decades, gauge_cases, moderate_penalties, nudged, penalties, vectors,
};

/// Datapoints in a random case: small, so that exact arithmetic is quick.
const POINTS: usize = 8;

/// Roundings in a result, in units of its natural size: sums over eight lanes
/// and a dozen operations. At ten times this a wrong segment could pass.
const ULPS: f64 = 48.0 * f64::EPSILON;

impl GaugeCase {
    fn fast(&self) -> Gauge<'_> {
        Gauge::new(&self.a, Penalty::new(self.lambda, self.gamma).unwrap())
    }

    fn naive(&self) -> naive::Gauge {
        naive::Gauge { a: self.a.clone(), lambda: self.lambda, gamma: self.gamma }
    }

    fn exact(&self) -> ExactGauge {
        ExactGauge::new(&self.a, self.lambda, self.gamma)
    }

    fn polar(&self) -> (f64, Vec<f64>) {
        let mut z = vec![f64::NAN; self.v.len()];
        let polar = self.fast().polar(&self.v, 0.0, &mut z);
        (polar.value, z)
    }

    /// What rounding τ may change of the maximizer, relatively: `v − τa` is known to a few units
    /// in the last place of τa, and no better where it cancels. The value loses the square.
    fn rounding_of_maximizer(&self) -> f64 {
        let mut z = vec![f64::NAN; self.v.len()];
        let tau = self.fast().polar(&self.v, 0.0, &mut z).tau;
        let rest = |(v, a): (&f64, &f64)| widedict::num::max(v - tau * a, 0.0);
        let rest: Vec<f64> = self.v.iter().zip(&self.a).map(rest).collect();
        let used: f64 = self.a.iter().zip(&rest).filter(|(_, r)| **r > 0.0).map(|(a, _)| a * a).sum();
        let off = self.lambda * used + self.gamma * used.sqrt();
        // At γ = 0 the maximizer is one datapoint, and nothing cancels.
        let size = self.naive().value(&rest);
        if size > 0.0 { 2.0 * f64::EPSILON * tau * off / size } else { 0.0 }
    }

    fn prox(&self, v: &[f64], t: f64, hint: f64) -> (f64, Vec<f64>) {
        let mut z = vec![f64::NAN; v.len()];
        let prox = self.fast().prox(v, t, hint, &mut z);
        (prox.gauge, z)
    }
}

fn scaled(v: &[f64], c: f64) -> Vec<f64> {
    v.iter().map(|x| c * x).collect()
}

fn minus(a: &[f64], b: &[f64]) -> Vec<f64> {
    a.iter().zip(b).map(|(a, b)| a - b).collect()
}

fn any_case() -> BoxedStrategy<GaugeCase> {
    gauge_cases(POINTS, penalties())
}

fn moderate_case() -> BoxedStrategy<GaugeCase> {
    gauge_cases(POINTS, moderate_penalties())
}

/// A case with a second vector of its length.
fn pair_of_vectors(cases: BoxedStrategy<GaugeCase>) -> BoxedStrategy<(GaugeCase, Vec<f64>)> {
    cases.prop_flat_map(|case| (Just(case.clone()), vectors(case.a))).boxed()
}

/// A step for the prox of `v`: far from or close to the polar, where the result
/// stops being 0.
fn steps() -> BoxedStrategy<f64> {
    prop_oneof![
        4 => 0.01..1.5_f64,
        1 => (decades(-14.0, -1.0), any::<bool>()).prop_map(|(e, up)| if up { 1.0 + e } else { 1.0 - e }),
        1 => Just(1.0),
        1 => decades(-12.0, -2.0),
    ]
    .boxed()
}

/// A case with a step in units of its polar (1 where that is 0).
fn prox_cases(cases: BoxedStrategy<GaugeCase>) -> BoxedStrategy<(GaugeCase, f64)> {
    (cases, steps())
        .prop_map(|(case, share)| {
            let polar = case.exact().polar(&case.v).approx();
            (case, if polar > 0.0 { share * polar } else { share })
        })
        .boxed()
}

proptest! {
    #[test]
    fn value_is_the_exact_one(case in any_case()) {
        let z: Vec<f64> = case.v.iter().map(|v| v.abs()).collect();
        let exact = case.exact().value(&z).approx();
        close("dense", case.fast().value(&z), exact, 1e-160, ULPS);
        close("sparse", case.fast().value_of_row(&Row::from_dense(&z)), exact, 1e-160, ULPS);
        close("naive", case.naive().value(&z), exact, 1e-160, ULPS);
    }

    #[test]
    fn value_is_homogeneous_convex_and_monotone((case, other) in pair_of_vectors(any_case()), c in decades(-6.0, 6.0)) {
        let g = case.fast();
        let x: Vec<f64> = case.v.iter().map(|v| v.abs()).collect();
        let y: Vec<f64> = other.iter().map(|v| v.abs()).collect();
        let sum: Vec<f64> = x.iter().zip(&y).map(|(x, y)| x + y).collect();
        close("homogeneous", g.value(&scaled(&x, c)), c * g.value(&x), 1e-160, ULPS);
        prop_assert!(g.value(&sum) <= (g.value(&x) + g.value(&y)) * (1.0 + ULPS));
        prop_assert!(g.value(&sum) * (1.0 + ULPS) >= g.value(&x));
    }

    #[test]
    fn polar_is_the_exact_one(case in any_case()) {
        let exact = case.exact().polar(&case.v).approx();
        close("polar", case.polar().0, exact, 0.0, ULPS);
    }

    #[test]
    fn the_polars_hint_changes_rounding_at_most(case in any_case(), share in -0.5..1.5_f64) {
        let (value, row) = case.polar();
        let mut z = vec![f64::NAN; case.v.len()];
        let tau = case.fast().polar(&case.v, 0.0, &mut z).tau;
        let hints = [share * tau, tau, tau.next_up(), tau.next_down(), f64::NAN, f64::INFINITY, -1.0, 5e-324, 1e300];
        for hint in hints {
            let hinted = case.fast().polar(&case.v, hint, &mut z);
            close("hinted value", hinted.value, value, 0.0, ULPS);
            // As rows: the maximizer itself may turn by the root of what the value loses.
            let attained = naive::inner(&case.v, &z);
            close("hinted row", attained, value, 0.0, ULPS);
            prop_assert!(z.iter().all(|z| z.is_finite() && *z >= 0.0) && row.len() == z.len());
        }
    }

    #[test]
    fn polar_attains_its_value(case in any_case()) {
        let (value, z) = case.polar();
        prop_assert!(z.iter().all(|z| z.is_finite() && *z >= 0.0));
        if value == 0.0 {
            prop_assert!(case.v.iter().all(|v| *v <= 0.0) && z.iter().all(|z| *z == 0.0));
        } else {
            let gauge = case.exact().value(&z);
            close("gauge of the maximizer", gauge.approx(), 1.0, 0.0, ULPS);
            let attained = exact::inner(&case.v, &z).over(&gauge).approx();
            close("attained", attained, value, 0.0, ULPS + case.rounding_of_maximizer().powi(2));
        }
    }

    /// Rows of small weight beside rows that are hardly above τ: the maximizer is known to some
    /// 1e-6, its value to 1e-13.
    #[test]
    fn a_maximizer_that_cancels_is_a_maximizer_nearly(
        small in prop::collection::vec((1e-7..1e-5_f64, 0.1..1.0_f64), 1..4), v in 0.1..0.3_f64,
        lambda in 0.1..1.0_f64, gamma in 1e-7..1e-4_f64,
    ) {
        let (weights, ratios): (Vec<f64>, Vec<f64>) = small.into_iter().unzip();
        let a: Vec<f64> = [0.5; 4].into_iter().chain(weights.iter().copied()).collect();
        let v = [v, 0.0, 0.0, 0.0].into_iter().chain(weights.iter().zip(ratios).map(|(a, u)| a * u)).collect();
        let case = GaugeCase { a, v, lambda, gamma };
        let (value, z) = case.polar();
        let attained = exact::inner(&case.v, &z).over(&case.exact().value(&z)).approx();
        close("attained", attained, value, 0.0, ULPS + case.rounding_of_maximizer().powi(2));
    }

    #[test]
    fn polar_bounds_every_row((case, other) in pair_of_vectors(any_case())) {
        let polar = ex(case.polar().0) * ex(1.0 + ULPS);
        for z in [other.iter().map(|z| z.abs()).collect(), case.polar().1] {
            prop_assert!(exact::inner(&case.v, &z) <= polar.clone() * case.exact().value(&z));
        }
    }

    #[test]
    fn polar_agrees_with_its_twins(case in moderate_case()) {
        let (value, z) = case.polar();
        let naive = case.naive();
        close("bisection", value, naive.polar(&case.v), 0.0, 1e-9);
        let (best, row) = naive.polar_by_supports(&case.v);
        close("supports", value, best, 0.0, 1e-9);
        if best > 0.0 {
            // The maximizer is unique for γ > 0.
            let size = naive.value(&row);
            for (z, y) in z.iter().zip(&row) {
                close("maximizer", *z, y / size, 1e-7 / case.gamma, 1e-7);
            }
        }
    }

    #[test]
    fn polar_agrees_with_ascent(case in gauge_cases(POINTS, (0.1..1.0, 0.1..1.0).boxed())) {
        close("ascent", case.polar().0, case.naive().polar_by_ascent(&case.v, 4_000), 1e-300, 1e-8);
    }

    #[test]
    fn polar_and_prox_are_homogeneous((case, t) in prox_cases(any_case()), k in -300..300_i32) {
        let c = 2.0_f64.powi(k);
        let v: Vec<f64> = case.v.iter().map(|v| if v.abs() < 1e-30 { 0.0 } else { *v }).collect();
        let t = widedict::num::max(t, 1e-30);
        let (plain, large) = (GaugeCase { v: v.clone(), ..case.clone() }, GaugeCase { v: scaled(&v, c), ..case });
        close("polar", large.polar().0, c * plain.polar().0, 0.0, ULPS);
        let (gauge, z) = plain.prox(&v, t, 0.0);
        let (large_gauge, large_z) = large.prox(&large.v, c * t, 0.0);
        let size = naive::length(&v) * c;
        close("gauge of the prox", large_gauge, c * gauge, ULPS * size * (case_size(&plain)), ULPS);
        for (z, y) in z.iter().zip(&large_z) {
            close("prox", c * z, *y, ULPS * size, 0.0);
        }
    }

    #[test]
    fn prox_is_the_exact_one((case, t) in prox_cases(any_case())) {
        let (gauge, z) = case.prox(&case.v, t, 0.0);
        let exact = case.exact().prox(&case.v, t, 200);
        let size = naive::length(&case.v);
        for (z, y) in z.iter().zip(&exact) {
            close("prox", *z, y.approx(), ULPS * size, 0.0);
        }
        close("gauge", gauge, case.exact().value(&z).approx(), 1e-160, ULPS);
        prop_assert_eq!(gauge == 0.0, z.iter().all(|z| *z == 0.0));
    }

    #[test]
    fn prox_is_zero_exactly_when_the_polar_is_at_most_the_step(case in any_case(), e in decades(-13.0, 0.0)) {
        let polar = case.exact().polar(&case.v).approx();
        let zero = |t: f64| case.prox(&case.v, t, 0.0).1.iter().all(|z| *z == 0.0);
        prop_assert!(zero(polar * (1.0 + e) + f64::MIN_POSITIVE));
        if polar > 0.0 {
            prop_assert!(!zero(polar * (1.0 - e)));
        }
    }

    #[test]
    fn prox_agrees_with_its_twins((case, t) in prox_cases(moderate_case())) {
        let naive = case.naive();
        let size = naive::length(&case.v);
        let (_, z) = case.prox(&case.v, t, 0.0);
        for (z, y) in z.iter().zip(naive.prox(&case.v, t)) {
            close("bisection", *z, y, 1e-10 * size, 0.0);
        }
        let other = naive.prox_objective(&case.v, t, &naive.prox_by_descent(&case.v, t, 400));
        prop_assert!(naive.prox_objective(&case.v, t, &z) <= other + ULPS * size * size);
    }

    #[test]
    fn prox_satisfies_its_variational_inequality(
        ((case, t), other) in prox_cases(any_case()).prop_flat_map(|(case, t)| {
            let a = case.a.clone();
            (Just((case, t)), vectors(a))
        })
    ) {
        // ⟨v − z, y − z⟩ ≤ t(g(y) − g(z)) for every y ≥ 0 characterizes the prox.
        let (_, z) = case.prox(&case.v, t, 0.0);
        let exact = case.exact();
        let candidates = [
            other.iter().map(|y| y.abs()).collect::<Vec<f64>>(),
            vec![0.0; z.len()],
            scaled(&z, 0.5),
            scaled(&z, 2.0),
            case.v.iter().map(|v| v.abs()).collect(),
        ];
        for y in candidates {
            let left = Exact::sum((0..z.len()).map(|i| (ex(case.v[i]) - ex(z[i])) * (ex(y[i]) - ex(z[i]))));
            let right = ex(t) * (exact.value(&y) - exact.value(&z));
            let slack = ULPS * (naive::length(&case.v) + naive::length(&y)).powi(2);
            prop_assert!(left <= right + ex(slack));
        }
    }

    #[test]
    fn prox_is_firmly_nonexpansive(
        ((case, t), other) in prox_cases(any_case()).prop_flat_map(|(case, t)| {
            let a = case.a.clone();
            (Just((case, t)), vectors(a))
        }),
        ulps in -32..32_i64,
    ) {
        for u in [other, case.v.iter().map(|v| nudged(*v, ulps)).collect()] {
            let (_, x) = case.prox(&case.v, t, 0.0);
            let (_, y) = case.prox(&u, t, 0.0);
            let (dx, dv) = (minus(&x, &y), minus(&case.v, &u));
            let slack = ULPS * (naive::length(&case.v) + naive::length(&u));
            let (moved, inner) = (naive::length(&dx), naive::inner(&dx, &dv));
            prop_assert!(moved * moved <= inner + slack * (moved + naive::length(&dv) + slack));
        }
    }

    #[test]
    fn moreau_decomposition((case, t) in prox_cases(any_case())) {
        // v = z + y with g°(y) ≤ t and yᵀz = t·g(z).
        let (_, z) = case.prox(&case.v, t, 0.0);
        let y = minus(&case.v, &z);
        let size = naive::length(&case.v);
        let exact = case.exact();
        // A change e of y changes the polar by at most e/g of a unit vector.
        let smallest = case.a.iter().fold(1.0, |m, a| widedict::num::min(m, *a));
        let steepest = 1.0 / (case.lambda * smallest).hypot(case.gamma);
        let polar = exact.polar(&y).approx();
        prop_assert!(polar <= t * (1.0 + ULPS) + ULPS * size * steepest, "{} above {}", polar, t);
        let cross = exact::inner(&y, &z).approx();
        let slack = ULPS * size * (size + t * case_size(&case));
        close("complementarity", cross, t * exact.value(&z).approx(), slack, 0.0);
    }

    #[test]
    fn the_hint_changes_rounding_at_most((case, t) in prox_cases(any_case()), hint in -2.0..2.0_f64) {
        let (_, z) = case.prox(&case.v, t, 0.0);
        let mut row = vec![0.0; z.len()];
        let tau = case.fast().prox(&case.v, t, 0.0, &mut row).tau;
        let size = naive::length(&case.v);
        let hints = [hint, tau, tau.next_up(), tau.next_down(), f64::NAN, f64::INFINITY, -1.0, 5e-324, 1e300];
        for hint in hints {
            let (_, y) = case.prox(&case.v, t, hint);
            for (z, y) in z.iter().zip(&y) {
                close("hint", *z, *y, ULPS * size, 0.0);
            }
        }
    }

    #[test]
    fn a_small_gamma_is_nearly_none(case in moderate_case(), t in 0.1..1.0_f64, e in decades(-14.0, -6.0)) {
        let none = GaugeCase { gamma: 0.0, ..case.clone() };
        let small = GaugeCase { gamma: e * case.lambda, ..case };
        // g_γ(eᵢ)/g₀(eᵢ) = √(1 + (γ/λaᵢ)²) bounds the polar's fall.
        let smallest = small.a.iter().fold(1.0, |m, a| widedict::num::min(m, *a));
        let (with, without) = (small.polar().0, none.polar().0);
        prop_assert!(with <= without * (1.0 + ULPS));
        prop_assert!(without <= with * (1.0 + ULPS) * (1.0_f64).hypot(e / smallest));
        // The objectives differ by tγ‖z‖ at most, and both are 1-strongly convex.
        let size = naive::length(&small.v);
        let slack = (2.0 * t * small.gamma * size).sqrt() + ULPS * size;
        let (_, x) = small.prox(&small.v, t, 0.0);
        let (_, y) = none.prox(&small.v, t, 0.0);
        prop_assert!(naive::length(&minus(&x, &y)) <= slack);
    }

    #[test]
    fn a_small_lambda_is_nearly_none(case in moderate_case(), t in 0.1..1.0_f64, e in decades(-14.0, -6.0)) {
        let none = GaugeCase { lambda: 0.0, ..case.clone() };
        let small = GaugeCase { lambda: e * case.gamma, ..case };
        let (with, without) = (small.polar().0, none.polar().0);
        prop_assert!(with <= without * (1.0 + ULPS) && without <= with * (1.0 + ULPS) * (1.0_f64).hypot(e));
        let size = naive::length(&small.v);
        let slack = (2.0 * t * small.lambda * size).sqrt() + ULPS * size;
        let (_, x) = small.prox(&small.v, t, 0.0);
        let (_, y) = none.prox(&small.v, t, 0.0);
        prop_assert!(naive::length(&minus(&x, &y)) <= slack);
    }
}

/// `g` of a vector of length 1 is at most this.
fn case_size(case: &GaugeCase) -> f64 {
    (case.lambda * naive::length(&case.a)).hypot(case.gamma)
}

#[test]
fn closed_forms_at_the_ends() {
    let a = [0.6, 0.8];
    let v = [0.3, -0.2];
    let mut z = [f64::NAN; 2];
    let l1 = Gauge::new(&a, Penalty::new(0.5, 0.0).unwrap());
    close("gamma 0", l1.polar(&v, 0.0, &mut z).value, 1.0, 0.0, ULPS);
    close("its maximizer", z[0], 1.0 / 0.3, 0.0, ULPS);
    l1.prox(&v, 0.5, 0.0, &mut z);
    close("soft threshold", z[0], 0.3 - 0.5 * 0.5 * 0.6, ULPS, 0.0);
    let l2 = Gauge::new(&a, Penalty::new(0.0, 0.5).unwrap());
    close("lambda 0", l2.polar(&v, 0.0, &mut z).value, 0.6, 0.0, ULPS);
    l2.prox(&v, 0.2, 0.0, &mut z);
    close("block threshold", z[0], 0.2, ULPS, 0.0);
    assert_eq!(z[1], 0.0);
}

#[test]
fn vectors_without_a_positive_entry_give_zero() {
    let a = [0.5; 4];
    for (lambda, gamma) in [(1.0, 0.0), (0.0, 1.0), (0.3, 0.2), (1.0, 1e-12), (1e-12, 1.0)] {
        let g = Gauge::new(&a, Penalty::new(lambda, gamma).unwrap());
        for v in [[0.0; 4], [-1.0, -0.0, 0.0, -5e-324], [f64::MIN; 4]] {
            let mut z = [f64::NAN; 4];
            assert_eq!(g.polar(&v, 0.0, &mut z).value, 0.0);
            assert_eq!(z, [0.0; 4]);
            let mut z = [f64::NAN; 4];
            assert_eq!(g.prox(&v, 0.5, 0.0, &mut z).gauge, 0.0);
            assert_eq!(z, [0.0; 4]);
        }
    }
}

/// Breakpoints that take the Newton passes one segment at a time: a geometric
/// sequence of distances with weights that grow as fast.
fn adversarial(points: usize, ratio: f64) -> GaugeCase {
    let mut a = Vec::with_capacity(points);
    let mut v = Vec::with_capacity(points);
    for i in 0..points {
        // Wrapped, so that weights stay within twelve decades.
        let k = f64::from(u32::try_from(i % 40).unwrap());
        let weight = ratio.powf(k);
        let distance = ratio.powf(-k);
        a.push(weight.sqrt());
        v.push((1.0 - 0.999 * distance) * weight.sqrt());
    }
    let total: f64 = a.iter().map(|a| a * a).sum();
    a.iter_mut().for_each(|a| *a /= total.sqrt());
    v.iter_mut().for_each(|v| *v /= total.sqrt());
    GaugeCase { a, v, lambda: 1.0, gamma: 1e-6 }
}

#[test]
fn the_worst_case_of_the_newton_passes_is_exact_too() {
    for ratio in [0.5, 1.3, 2.0] {
        for points in [40, 400] {
            for gamma in [1e-8, 1e-4, 1.0, 1e4] {
                let case = GaugeCase { gamma, ..adversarial(points, ratio) };
                let exact = case.exact();
                close("polar", case.polar().0, exact.polar(&case.v).approx(), 0.0, 1e-14);
                let t = 0.3 * case.polar().0;
                let (_, z) = case.prox(&case.v, t, 0.0);
                let size = naive::length(&case.v);
                for (z, y) in z.iter().zip(exact.prox(&case.v, t, 120)) {
                    close("prox", *z, y.approx(), ULPS * size, 0.0);
                }
            }
        }
    }
}

#[test]
fn many_datapoints_agree_with_the_twins() {
    for gamma in [1e-3, 0.1, 10.0] {
        let case = GaugeCase { gamma, ..adversarial(20_000, 1.2) };
        let (value, naive) = (case.polar().0, case.naive());
        close("polar", value, naive.polar(&case.v), 0.0, 1e-10);
        let (_, z) = case.prox(&case.v, 0.5 * value, 0.0);
        let size = naive::length(&case.v);
        for (z, y) in z.iter().zip(naive.prox(&case.v, 0.5 * value)) {
            close("prox", *z, y, 1e-11 * size, 0.0);
        }
    }
}

/// From 512 datapoints on those that a polar depends on are listed: few or many, at the ends of the
/// lanes and beyond, with any guess, the maximizer is one.
#[test]
fn few_of_many_datapoints_are_listed() {
    for points in [511, 512, 513, 5000] {
        for every in [1, 3, 50, 400] {
            let size = |i: usize| if i % every == every / 2 { 1.0 } else { 0.01 };
            let v = (0..points).map(|i| size(i) * (0.1 + ((i * 29) as f64 * 0.618).sin())).collect();
            let a = (0..points).map(|i| 0.02 * (1.0 + 0.5 * ((i * 17) as f64).cos())).collect();
            let case = GaugeCase { a, v, lambda: 0.5, gamma: 0.1 };
            let expected = case.naive().polar(&case.v);
            let tau = case.fast().polar(&case.v, 0.0, &mut vec![0.0; points]).tau;
            for hint in [0.0, 0.5 * tau, tau, 1.5 * tau] {
                let mut z = vec![f64::NAN; points];
                let polar = case.fast().polar(&case.v, hint, &mut z);
                close("polar", polar.value, expected, 0.0, 1e-10);
                assert!(z.iter().all(|z| *z >= 0.0));
                close("gauge of the maximizer", case.fast().value(&z), 1.0, 0.0, 1e-12);
                close("attained", dot(&case.v, &z), expected, 0.0, 1e-10);
            }
        }
    }
}

/// Cases that were wrong once.
#[test]
fn regressions() {
    let check = |case: GaugeCase, steps: &[f64]| {
        let exact = case.exact();
        let polar = exact.polar(&case.v).approx();
        close("polar", case.polar().0, polar, 0.0, ULPS);
        for step in steps {
            let t = step * polar;
            let (_, z) = case.prox(&case.v, t, 0.0);
            for (z, y) in z.iter().zip(exact.prox(&case.v, t, 200)) {
                close("prox", *z, y.approx(), ULPS * naive::length(&case.v), 0.0);
            }
            assert_eq!(z.iter().all(|z| *z == 0.0), *step >= 1.0, "step {step}");
        }
    };
    // Ratios one unit in the last place apart, the largest not the largest product.
    check(
        GaugeCase {
            a: vec![0.17267283376277062, 0.3505946110646871, 0.5131588853642541, 0.3880135423254911],
            v: vec![0.06661236563915965, 0.1352496273701345, 0.19796239256622036, 0.14968480791738667],
            lambda: 0.06066083452669873,
            gamma: 1.4396500506e-13,
        },
        &[0.5, 0.9, 1.0 + 1e-12],
    );
    // Weights twelve decades apart.
    check(
        GaugeCase {
            a: vec![0.6706409841157033, 3.17333071098085e-6, 0.00267054899915523],
            v: vec![0.03516729140739303, 1.8113241222758329e-6, 0.00014003912193699292],
            lambda: 0.24929158550437527,
            gamma: 0.0017462621577814137,
        },
        &[0.5, 1.0 - 1e-9, 1.0 + 1e-12],
    );
    // γ/λ = 1e-8: P ≤ tγ² is noise near the polar.
    check(
        GaugeCase { a: vec![1.0], v: vec![0.7946342869958035], lambda: 0.01, gamma: 1e-10 },
        &[0.5, 1.0 + 3e-12],
    );
    // A root between two neighboring numbers, magnified by the light datapoints.
    check(
        GaugeCase {
            a: vec![0.5773499797372972, 0.5773499797372972, 1.2246224530806856e-5, 0.0010012643406435908],
            v: vec![0.054041922594669854, 0.054041922594669695, 1.1830505673662006e-5, 0.0009672747247954465],
            lambda: 0.8735073186652081,
            gamma: 0.006436066534909393,
        },
        &[0.9, 0.999, 1.0 - 1e-9],
    );
    // Small data, whose cubes underflow.
    check(GaugeCase { a: vec![1.0], v: vec![5.4e-128], lambda: 0.01, gamma: 0.01 }, &[0.01, 0.5, 0.99]);
}
