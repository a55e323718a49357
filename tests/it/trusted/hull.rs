//! What the atoms of a stationary point demand of its codes (theorem `hull-condition`).

use std::ops::ControlFlow;

use proptest::prelude::*;
use widedict::diagnose::{HullOptions, HullReport, hull};
use widedict::gauge::Penalty;
use widedict::linalg::{axpy, dot, norm};
use widedict::search::hull::{Limits, Nearest, nearest};
use widedict::trusted::hull::Demands;
use widedict::{Codes, Dictionary, Finite, Interrupt, Matrix, Observer, Problem};

/// Atoms with codes and weights of sum 1, all of random signs and supports.
#[derive(Debug)]
struct Point {
    weights: Vec<f64>,
    dictionary: Dictionary,
    codes: Codes,
    penalty: Penalty,
    centered: bool,
}

impl Point {
    fn new(atoms: &[&[f64]], codes: &[&[f64]], centered: bool) -> Self {
        let (dictionary, _) = Dictionary::normalize(Matrix::from_columns(atoms[0].len(), atoms)).unwrap();
        let codes =
            Codes::from_dense(&Matrix::from_fn(codes.len(), codes[0].len(), |k, i| codes[k][i])).unwrap();
        #[expect(clippy::cast_precision_loss, reason = "few datapoints")]
        let weights = vec![1.0 / codes.datapoints() as f64; codes.datapoints()];
        Self { weights, dictionary, codes, penalty: Penalty::new(0.3, 0.0).unwrap(), centered }
    }

    fn demands(&self) -> Demands<'_> {
        Demands::new(&self.weights, self.penalty, self.centered, &self.dictionary, &self.codes)
    }

    fn report(&self) -> HullReport {
        hull(&self.demands(), &self.codes, &HullOptions::default(), &()).expect("looked at")
    }
}

fn points() -> impl Strategy<Value = Point> {
    (2..=4_usize, 2..=6_usize, 2..=20_usize).prop_flat_map(|(n, m, len)| {
        let entries = |count: usize| prop::collection::vec(-1.0..1.0_f64, count);
        let weights = prop::collection::vec(prop_oneof![3 => 0.1..1.0_f64, 1 => 1e-6..1e-3_f64], len);
        let prices = (0.0..1.0_f64, prop_oneof![Just(0.0), 0.05..1.0_f64]);
        (entries(n * m), entries(m * len), weights, prices, any::<bool>(), -120..120_i32).prop_map(
            move |(atoms, codes, weights, (lambda, gamma), centered, exponent)| {
                let unit = 10.0_f64.powi(exponent);
                let total: f64 = weights.iter().sum();
                let atoms = atoms.into_iter().map(|v| if v.abs() < 1e-3 { 1e-3 } else { v }).collect();
                let (dictionary, _) =
                    Dictionary::normalize(Matrix::from_column_major(n, m, atoms).unwrap()).unwrap();
                // Three codes in five are 0.
                let code = |k: usize, i: usize| {
                    let v = codes[k * len + i];
                    if v > 0.2 { unit * v } else { 0.0 }
                };
                Point {
                    weights: weights.iter().map(|w| w / total).collect(),
                    dictionary,
                    codes: Codes::from_dense(&Matrix::from_fn(m, len, code)).unwrap(),
                    penalty: Penalty::new(unit * (lambda + 0.01), unit * gamma).unwrap(),
                    centered,
                }
            },
        )
    })
}

/// `t_j` and the codes where j is off, dense, by the formulas as they are written.
fn by_hand(point: &Point, j: usize) -> (Vec<f64>, Vec<Vec<f64>>, f64) {
    let m = point.codes.atoms();
    let z = |k: usize, i: usize| point.codes.column(i).get(k).copied().unwrap_or(0.0);
    let largest = (0..m)
        .flat_map(|k| (0..point.weights.len()).map(move |i| (k, i)))
        .fold(0.0, |most: f64, (k, i)| widedict::num::max(most, z(k, i)));
    let z = |k: usize, i: usize| z(k, i) / largest;
    let (lambda, gamma) = (point.penalty.lambda(), point.penalty.gamma());
    let (lambda, gamma) = (lambda / (lambda + gamma), gamma / (lambda + gamma));
    let sum =
        |f: &dyn Fn(usize) -> f64| (0..point.weights.len()).map(|i| point.weights[i] * f(i)).sum::<f64>();
    let mass = |k: usize| sum(&|i| z(k, i));
    let both = |k: usize, l: usize| {
        lambda * lambda * mass(k) * mass(l) + gamma * gamma * sum(&|i| z(k, i) * z(l, i))
    };
    let cosine = |k: usize| dot(point.dictionary.atom(j), point.dictionary.atom(k));
    let target = |k: usize| {
        let prices = both(k, k).sqrt() * both(j, j).sqrt();
        (both(k, j) - prices * cosine(k)) / ((lambda * lambda + gamma * gamma) * mass(j))
    };
    let others: Vec<usize> = (0..m).filter(|k| *k != j && mass(*k) > 0.0).collect();
    let off = (0..point.weights.len()).filter(|i| z(j, *i) <= 0.0);
    let unit = (0..m).map(|k| mass(k) * mass(k)).sum::<f64>().sqrt();
    (
        others.iter().map(|k| target(*k)).collect(),
        off.map(|i| others.iter().map(|k| z(*k, i)).collect()).collect(),
        unit,
    )
}

fn live(point: &Point, j: usize) -> bool {
    !point.codes.rows()[j].is_empty()
}

fn difference(a: &[f64], b: &[f64]) -> Vec<f64> {
    a.iter().zip(b).map(|(a, b)| a - b).collect()
}

/// Stops at once.
struct Cancelled;

impl Observer for Cancelled {
    fn poll(&self) -> ControlFlow<Interrupt> {
        ControlFlow::Break(Interrupt::Cancelled)
    }
}

proptest! {
    /// The point that is found is a combination of codes where the atom is off, and no such code
    /// lies further along what is left: the conditions that the nearest point, and it alone, meets.
    #[test]
    fn the_nearest_point_is_the_nearest(point in points()) {
        let demands = point.demands();
        for j in (0..point.codes.atoms()).filter(|j| live(&point, *j)) {
            let (target, off, unit) = by_hand(&point, j);
            if point.centered && off.is_empty() {
                prop_assert_eq!(demands.distance(j, &[]).get(), 1.0);
                continue;
            }
            let others: Vec<usize> = (0..point.codes.atoms()).filter(|k| *k != j && live(&point, *k)).collect();
            let limits = Limits { accuracy: 1e-12, ..Limits::default() };
            prop_assert_eq!(nearest(&demands, j, &others, &limits, &Cancelled), None);
            let Nearest { distance, direction, points, .. } = nearest(&demands, j, &others, &limits, &()).unwrap();
            // Made again from the weights that are told.
            let places: Vec<usize> = (0..point.weights.len()).filter(|i| point.codes.column(*i).get(j).is_none()).collect();
            let share = if point.centered { points.iter().map(|(_, weight)| weight).sum::<f64>() } else { 1.0 };
            let mut found = vec![0.0; target.len()];
            for (i, weight) in &points {
                let at = places.iter().position(|place| place == i).expect("the atom is off");
                axpy(weight / share, &off[at], &mut found);
            }
            let rest = difference(&target, &found);
            let made = norm(&rest) / unit;
            prop_assert!((made - distance).abs() <= 1e-8 * (1.0 + distance), "{} for {}", distance, made);
            for code in &off {
                let along = dot(&rest, &difference(code, &if point.centered { found.clone() } else { vec![0.0; found.len()] }));
                // The largest code is 1.
                prop_assert!(along <= 1e-8, "{along}");
            }
            let certified = demands.distance(j, &direction).get();
            prop_assert!(certified <= distance * (1.0 + 1e-9), "{} above {}", certified, distance);
            prop_assert!(certified >= 0.98 * distance || distance < 1e-5, "{} far below {}", certified, distance);
        }
    }

    /// Whatever vector separates, and whatever combination: the proved distance is below.
    #[test]
    fn a_certified_distance_is_below_every_combination(
        point in points(),
        y in prop::collection::vec(-1.0..1.0_f64, 6),
        mix in prop::collection::vec(0.0..1.0_f64, 20),
    ) {
        let demands = point.demands();
        for j in (0..point.codes.atoms()).filter(|j| live(&point, *j)) {
            let (target, off, unit) = by_hand(&point, j);
            let others = (0..point.codes.atoms()).filter(|k| *k != j && live(&point, *k));
            // One that looks at the target too, so that it sometimes separates.
            let direction: Vec<(usize, f64)> =
                others.zip(&y).zip(&target).map(|((k, y), t)| (k, 0.2 * y + t / unit)).collect();
            let certified = demands.distance(j, &direction).get();
            if point.centered && off.is_empty() {
                continue;
            }
            let sum: f64 = off.iter().zip(&mix).map(|(_, weight)| weight).sum();
            for sharp in [1.0, 40.0] {
                let share = |weight: f64| (weight / widedict::num::max(sum, 1e-300)).powf(sharp);
                let total: f64 = off.iter().zip(&mix).map(|(_, weight)| share(*weight)).sum();
                let mut found = vec![0.0; target.len()];
                for (code, weight) in off.iter().zip(&mix) {
                    axpy(share(*weight) / total, code, &mut found);
                }
                let distance = norm(&difference(&target, &found)) / unit;
                prop_assert!(certified <= distance * (1.0 + 1e-9) + 1e-12, "{} above {}", certified, distance);
            }
        }
    }
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 48, ..ProptestConfig::default() })]

    /// At every stationary point the demands are met.
    #[test]
    fn windows_are_those_of_every_pair(point in points()) {
        let point = Point { penalty: Penalty::new(0.3, 0.0).unwrap(), centered: true, ..point };
        prop_assert_eq!(point.report().windows_outside, windows_by_hand(&point));
    }

    #[test]
    fn stationary_points_are_inside(
        x in prop::collection::vec(-1.0..1.0_f64, 3 * 24),
        seed in any::<u64>(),
        width in 1..=5_usize,
        centered in any::<bool>(),
        gamma in prop_oneof![Just(0.0), Just(0.05), 0.01..0.3_f64],
    ) {
        let x = Matrix::from_column_major(3, 24, x).unwrap();
        let problem = Problem::builder(x).lambda(0.1).gamma(gamma).centered(centered).build().unwrap();
        let finite = Finite { stationarity_tolerance: 1e-9, seed, max_iterations: 20_000, ..Finite::new(width) };
        let solution = finite.solve(&problem).unwrap().certified;
        prop_assume!(solution.certificate().kkt().relative() <= 1e-8);
        let point = solution.solution();
        let demands = Demands::new(
            problem.data().weights(), problem.penalty(), centered, point.dictionary(), point.codes(),
        );
        let found = hull(&demands, point.codes(), &HullOptions::default(), &()).expect("looked at");
        prop_assert!(found.worst <= 1e-6, "{found:?}");
        prop_assert_eq!(found.refuted, 0);
        prop_assert_eq!(found.windows.iter().filter(|w| w.outside > 1e-6).count(), 0);
    }
}

/// Hierarchies, always-on atoms and flat antipodal pairs are refuted; what is peaked enough, or
/// has the center fixed, is not.
#[test]
fn what_cannot_be_stationary_is_refuted() {
    // A child that fires only with its parent, at an angle.
    let hierarchy: [&[f64]; 2] = [&[2.0, 1.0, 3.0, 0.0, 0.0], &[1.0, 0.0, 0.5, 0.0, 0.0]];
    for centered in [false, true] {
        for angle in [0.1_f64, 1.0, 2.0] {
            let atoms: [&[f64]; 2] = [&[1.0, 0.0], &[angle.cos(), angle.sin()]];
            let found = Point::new(&atoms, &hierarchy, centered).report();
            assert!(found.worst_certified > 1e-4, "{centered}, {angle}: {found:?}");
            assert!(found.atoms.iter().any(|a| a.atom == 0 && a.certified_lower > 1e-4), "{found:?}");
            assert!(found.text().contains("no data set makes"), "{}", found.text());
            assert_eq!(found.windows_outside > 0, centered);
        }
        let same: [&[f64]; 2] = [&[1.0, 0.0], &[1.0, 0.0]];
        let found = Point::new(&same, &[hierarchy[0], hierarchy[1]], centered).report();
        assert!(found.atoms.iter().all(|a| a.atom == 1 || a.certified_lower == 0.0), "{found:?}");
    }
    // An atom that is never off.
    let always: [&[f64]; 2] = [&[1.0, 2.0, 1.0, 3.0], &[0.0, 1.0, 0.0, 0.0]];
    let right: [&[f64]; 2] = [&[1.0, 0.0], &[0.0, 1.0]];
    let found = Point::new(&right, &always, true).report();
    assert!(found.atoms[0].always_on && found.worst_certified == 1.0, "{found:?}");
    let cone = Point::new(&[right[0]], &[always[0]], false).report();
    assert_eq!((cone.refuted, cone.worst), (0, 0.0));
    // An antipodal pair: its codes must reach twice their mean where the other is off.
    let opposite: [&[f64]; 2] = [&[1.0, 0.0], &[-1.0, 0.0]];
    let flat: [&[f64]; 2] = [&[1.0, 1.0, 1.0, 0.0], &[0.0, 0.0, 0.0, 1.0]];
    let found = Point::new(&opposite, &flat, true).report();
    assert!(found.worst_certified > 0.1, "{found:?}");
    let peaked: [&[f64]; 2] = [&[1.0, 1.0, 0.0, 0.0], &[0.0, 0.0, 1.0, 1.0]];
    assert_eq!(Point::new(&opposite, &peaked, true).report().refuted, 0);
    assert_eq!(Point::new(&opposite, &flat, false).report().refuted, 0);
}

/// The windows are those of every pair, by their definition.
fn windows_by_hand(point: &Point) -> usize {
    let (m, len) = (point.dictionary.len(), point.codes.datapoints());
    let code =
        |k: usize, i: usize| point.codes.column(i).iter().find(|(at, _)| *at == k).map_or(0.0, |(_, z)| *z);
    let mass = |k: usize| (0..len).map(|i| point.weights[i] * code(k, i)).sum::<f64>();
    let mut outside = 0;
    for (j, k) in (0..m).flat_map(|j| (0..m).map(move |k| (j, k))).filter(|(j, k)| j != k) {
        let there: Vec<f64> = (0..len).filter(|i| code(j, *i) == 0.0).map(|i| code(k, i) / mass(k)).collect();
        if there.is_empty() || !(mass(j) > 0.0 && mass(k) > 0.0) {
            continue;
        }
        let cosine = dot(point.dictionary.atom(j), point.dictionary.atom(k));
        let most = there.iter().copied().fold(0.0, widedict::num::max);
        let least = there.iter().copied().fold(f64::INFINITY, widedict::num::min);
        outside += usize::from(cosine < 1.0 - most - 1e-9 || cosine > 1.0 - least + 1e-9);
    }
    outside
}

/// An atom that never fires with another, and always where it is off.
#[test]
fn a_window_needs_no_common_datapoint() {
    let right: [&[f64]; 2] = [&[1.0, 0.0], &[0.0, 1.0]];
    let point = Point::new(&right, &[&[1.0, 1.0, 1.0, 0.0], &[0.0, 0.0, 0.0, 1.0]], true);
    let found = point.report();
    assert_eq!((found.windows_outside, windows_by_hand(&point)), (2, 2), "{found:?}");
    let worst = found.windows[0];
    assert_eq!((worst.off, worst.other, worst.low, worst.high), (0, 1, -3.0, -3.0));
    let first =
        hull(&point.demands(), &point.codes, &HullOptions { max_atoms: 1, ..HullOptions::default() }, &());
    let first = first.expect("one atom");
    assert_eq!((first.checked, first.live, first.atoms[0].atom), (1, 2, 0));
}

/// With few datapoints a random dictionary is refuted in most of its atoms.
#[test]
fn random_dictionaries_are_refuted_where_datapoints_are_few() {
    let (mut refuted, mut live) = (0, 0);
    for seed in 0..10_u32 {
        let value = |k: u32| {
            f64::from((k.wrapping_mul(2_654_435_761) ^ seed.wrapping_mul(40_503)) % 1009) / 504.5 - 1.0
        };
        let (dictionary, _) = Dictionary::normalize(Matrix::from_fn(5, 8, |j, k| {
            value(u32::try_from(j * 31 + k * 7 + 3).unwrap())
        }))
        .unwrap();
        let x = Matrix::from_fn(5, 16, |j, i| value(u32::try_from(j * 17 + i * 53 + 900).unwrap()));
        let coder = widedict::coder::Coder::default();
        let codes = coder.encode(&x, &dictionary, 0.1, &()).unwrap().codes;
        let point = Point {
            weights: vec![1.0 / 16.0; 16],
            dictionary,
            codes,
            penalty: Penalty::new(0.1, 0.0).unwrap(),
            centered: true,
        };
        let found = point.report();
        refuted += found.refuted;
        live += found.live;
    }
    assert!(2 * refuted > live, "{refuted} of {live}");
}

/// The examples of the theorem's page: both ends of a window are cosines of stationary points.
#[test]
fn windows_are_attained() {
    let opposite: [&[f64]; 2] = [&[1.0, 0.0], &[-1.0, 0.0]];
    let right: [&[f64]; 2] = [&[1.0, 0.0], &[0.0, 1.0]];
    let pair: [&[f64]; 2] = [&[2.0, 0.0], &[0.0, 2.0]];
    let four: [&[f64]; 2] = [&[1.0, 3.0, 0.0, 0.0], &[0.0, 2.0, 1.0, 1.0]];
    let lambda = 0.3;
    let residuals: [&[[f64; 2]]; 2] =
        [&[[1.0, 0.0], [-1.0, 0.0]], &[[1.0, -3.0], [1.0, 1.0], [-1.0, 1.0], [-1.0, 1.0]]];
    for ((atoms, codes), residuals) in [(opposite, pair), (right, four)].into_iter().zip(residuals) {
        let point = Point::new(&atoms, &codes, true);
        let found = point.report();
        assert!(found.worst <= 1e-9 && found.refuted == 0 && found.windows_outside == 0, "{found:?}");
        assert_eq!(found.windows_at_edge, 2, "{found:?}");
        // And it is stationary for data.
        let x = Matrix::from_fn(2, codes[0].len(), |j, i| {
            lambda * residuals[i][j] + atoms[0][j] * codes[0][i] + atoms[1][j] * codes[1][i]
        });
        let problem = Problem::builder(x).lambda(lambda).centered(true).build().unwrap();
        let factorization =
            widedict::Factorization::new(point.dictionary.clone(), point.codes.clone(), Some(vec![0.0; 2]))
                .unwrap();
        let subject = widedict::trusted::Subject::of(&problem, &factorization).unwrap();
        assert!(widedict::trusted::first_order::residuals(&subject).relative() < 1e-12);
        // A hundredth of a radian further it is none.
        let turned =
            [atoms[0].to_vec(), vec![atoms[1][0] - 0.01 * atoms[1][1], atoms[1][1] + 0.01 * atoms[1][0]]];
        let turned: Vec<&[f64]> = turned.iter().map(Vec::as_slice).collect();
        let found = Point::new(&turned, &codes, true).report();
        assert!(codes.len() == 2 && (found.refuted > 0 || atoms == opposite), "{found:?}");
    }
}

/// More atoms than are looked at one by one: the lower ends are still proved, and an antipodal
/// pair that never fires together is found by its window.
#[test]
fn few_coordinates_prove_less_but_prove() {
    let opposite: [&[f64]; 3] = [&[1.0, 0.0], &[-1.0, 0.0], &[0.0, 1.0]];
    let codes: [&[f64]; 3] =
        [&[1.0, 1.0, 1.0, 0.0, 0.0], &[0.0, 0.0, 0.0, 1.0, 1.0], &[0.0, 4.0, 0.0, 0.0, 0.5]];
    let point = Point::new(&opposite, &codes, true);
    let all = point.report();
    let few = HullOptions { max_coordinates: 1, ..HullOptions::default() };
    let few = hull(&point.demands(), &point.codes, &few, &()).expect("looked at");
    assert!(few.worst_certified > 0.0 && few.worst_certified <= all.worst * (1.0 + 1e-9), "{few:?}, {all:?}");
    assert_eq!(few.windows, all.windows);
    // No work, no atoms; a stop, no answer.
    let none = HullOptions { max_work: 0, ..HullOptions::default() };
    assert!(hull(&point.demands(), &point.codes, &none, &()).is_none());
}
