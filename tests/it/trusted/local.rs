//! Local minima within a radius: none is claimed where codes switch within it, and the
//! units of the data do not matter.

use std::ops::ControlFlow;
use std::sync::atomic::{AtomicUsize, Ordering};

use proptest::collection::vec;
use proptest::prelude::*;
use proptest::strategy::ValueTree;
use proptest::test_runner::TestRunner;
use widedict::certificate::{LocalSummary, Options};
use widedict::num::max;
use widedict::search::escape;
use widedict::testing::{dense_codes, factorization, naive, planted};
use widedict::trusted::{Subject, local};
use widedict::{
    Certified, Factorization, Finite, Interrupt, Matrix, Observer, Problem, Verdict, Witness, certify,
};

use crate::support::strategies::decades;

fn tested(problem: &Problem, point: &Factorization) -> Certified {
    let limits = local::Limits::default();
    let curvature = escape::curvature(problem, point, &limits, &());
    let options = Options { local: Some(limits), ..Options::default() };
    certify(problem, point.clone(), &Witness { curvature, ..Witness::none() }, &options).unwrap()
}

fn is_local(certified: &Certified) -> bool {
    certified.certificate().local().is_some_and(|local| local.certified)
}

/// Two datapoints share an atom; a third, of weight 20, has the angle `phi` to the axis and
/// a length that lets its code switch on where the atom turns half of `turn` back. The atom
/// is turned off the axis by `turn`: the factorization is stationary to about 1e-6 and its
/// form positive definite, but the third datapoint pulls the atom away for good.
fn switching(turn: f64, third: bool) -> (Problem, Factorization) {
    let (lambda, alpha, phi) = (0.5, 0.45_f64, 0.9_f64);
    let r = lambda / (phi - turn / 2.0).cos();
    let mut x = vec![vec![alpha.cos(), alpha.sin()], vec![alpha.cos(), -alpha.sin()]];
    let mut weights = vec![1.0, 1.0];
    if third {
        x.push(vec![r * phi.cos(), r * phi.sin()]);
        weights.push(20.0);
    }
    let atom = vec![turn.cos(), turn.sin()];
    let mut codes: Vec<f64> = x.iter().map(|x| max(naive::inner(x, &atom) - lambda, 0.0)).collect();
    codes[2..].fill(0.0);
    let problem =
        Problem::builder(Matrix::from_columns(2, &x)).lambda(lambda).weights(weights).build().unwrap();
    let codes = Matrix::from_fn(1, codes.len(), |_, i| codes[i]);
    (problem, factorization(Matrix::from_columns(2, &[atom]), &codes, None).unwrap())
}

#[test]
fn codes_that_switch_within_the_radius_forbid_the_verdict() {
    for turn in [-2e-6, -5e-7, -8e-6] {
        let (problem, point) = switching(turn, true);
        let done = tested(&problem, &point);
        assert!(!is_local(&done), "{turn}: {}", done.certificate());
        assert_ne!(done.certificate().verdict(), &Verdict::Local);
        // Without the third datapoint there is a minimum, as far off as the atom is turned.
        let (problem, point) = switching(turn, false);
        let done = tested(&problem, &point);
        let local = done.certificate().local().unwrap();
        assert!(local.certified, "{turn}: {}", local.reason);
        let radius = local.radius.unwrap();
        assert!(radius > 0.1 * turn.abs() && radius < 1e3 * turn.abs(), "{turn}: {radius}");
    }
}

/// A factorization at rest with idle datapoints beside it, each within a margin of 1e-9 to
/// 1e-1 of using an atom; turned a little, codes made optimal again.
#[derive(Clone, Debug)]
struct Draw {
    x: Vec<Vec<f64>>,
    directions: Vec<Vec<f64>>,
    gamma: f64,
    centered: bool,
    idle: Vec<Idle>,
    turn: f64,
    turns: Vec<f64>,
}

#[derive(Clone, Debug)]
struct Idle {
    atom: usize,
    margin: f64,
    across: Vec<f64>,
    length: f64,
    weight: f64,
}

fn draws() -> BoxedStrategy<Draw> {
    let shape = (2..4_usize, 2..6_usize, 1..3_usize);
    let penalties =
        (prop_oneof![2 => Just(0.0), 1 => 0.05..0.3_f64], prop_oneof![3 => Just(false), 1 => Just(true)]);
    let turn = prop_oneof![1 => Just(0.0), 3 => decades(-9.0, -3.0)];
    (shape, penalties, turn)
        .prop_flat_map(|((dim, points, atoms), (gamma, centered), turn)| {
            let idle =
                (0..atoms, decades(-9.0, -1.0), vec(-1.0..1.0_f64, dim), 0.1..1.5_f64, decades(-1.0, 1.5));
            let idle = idle.prop_map(|(atom, margin, across, length, weight)| Idle {
                atom,
                margin,
                across,
                length,
                weight,
            });
            (
                vec(vec(-1.0..1.0_f64, dim), points),
                vec(vec(-1.0..1.0_f64, dim), atoms),
                vec(idle, 1..4),
                vec(-1.0..1.0_f64, 40),
                Just((gamma, centered, turn)),
            )
        })
        .prop_filter("directions", |(_, d, ..)| d.iter().all(|d| naive::length(d) > 0.1))
        .prop_map(|(x, directions, idle, turns, (gamma, centered, turn))| Draw {
            x,
            directions,
            gamma,
            centered,
            idle,
            turn,
            turns,
        })
        .boxed()
}

const LAMBDA: f64 = 0.15;

fn built(draw: &Draw) -> (Problem, Factorization) {
    let dim = draw.x[0].len();
    let problem = |x: &[Vec<f64>], weights: Vec<f64>, gamma: f64| {
        let builder = Problem::builder(Matrix::from_columns(dim, x)).lambda(LAMBDA).gamma(gamma);
        builder.weights(weights).centered(draw.centered).build().unwrap()
    };
    let mut weights = vec![1.0; draw.x.len()];
    // More weight in all lowers every normalized one; γ follows, so that what is at rest
    // stays so.
    let idle_weight: f64 = draw.idle.iter().map(|idle| idle.weight).sum();
    #[expect(clippy::cast_precision_loss, reason = "a handful of datapoints")]
    let before = draw.x.len() as f64;
    let gamma = draw.gamma * (before / (before + idle_weight)).sqrt();
    let base = problem(&draw.x, weights.clone(), draw.gamma);
    let mut descent = naive::Descent::new(&base, &draw.directions);
    descent.run(20_000, 0.0);
    let rest = descent.factorization();
    let codes = dense_codes(&rest);
    let mut x = draw.x.clone();
    for idle in &draw.idle {
        let atom = rest.dictionary().atom(idle.atom);
        let z = naive::row(&codes, idle.atom);
        let gauge = naive::row_gauge(&base, &z);
        let slope = if gauge > 0.0 {
            LAMBDA * LAMBDA * naive::inner(base.data().weights(), &z) / gauge
        } else {
            LAMBDA
        };
        let along = naive::inner(&idle.across, atom);
        let across: Vec<f64> = idle.across.iter().zip(atom).map(|(a, d)| a - along * d).collect();
        let size = max(naive::length(&across), 1e-3);
        let r = atom.iter().zip(&across).map(|(d, a)| (slope - idle.margin) * d + idle.length / size * a);
        let center = rest.center().map_or_else(|| vec![0.0; dim], <[f64]>::to_vec);
        x.push(r.zip(center).map(|(r, b)| r + b).collect());
        weights.push(idle.weight);
    }
    let full = problem(&x, weights, gamma);
    let atoms: Vec<Vec<f64>> = rest
        .dictionary()
        .atoms()
        .enumerate()
        .map(|(k, d)| {
            d.iter().enumerate().map(|(j, v)| v + draw.turn * draw.turns[(5 * k + j) % 40]).collect()
        })
        .collect();
    let padded =
        Matrix::from_fn(rest.width(), x.len(), |k, i| if i < codes.ncols() { codes.get(k, i) } else { 0.0 });
    let start = factorization(Matrix::from_columns(dim, &atoms), &padded, rest.center().map(<[f64]>::to_vec))
        .unwrap();
    let mut descent = naive::Descent::from_factorization(&full, &start);
    descent.learn_atoms = draw.centered;
    descent.run(5_000, 0.0);
    descent.prune();
    (full.clone(), descent.factorization())
}

/// What the metric is relative to.
fn data_size(problem: &Problem, point: &Factorization) -> f64 {
    let x = problem.data().datapoints();
    let square = |i: usize| -> f64 {
        x.col(i).iter().enumerate().map(|(j, x)| (x - point.center().map_or(0.0, |b| b[j])).powi(2)).sum()
    };
    problem.data().weights().iter().enumerate().map(|(i, w)| w * square(i)).sum::<f64>().sqrt()
}

/// The factorization with atoms and center moved by at most `distance` in the metric of the
/// radius, codes made optimal again.
fn moved(problem: &Problem, point: &Factorization, distance: f64, by: &[f64]) -> naive::Descent {
    let codes = dense_codes(point);
    let w = problem.data().weights();
    let square = data_size(problem, point).powi(2);
    let mut k = 0;
    let mut next = || {
        k += 1;
        by[k % by.len()]
    };
    let mut total = 0.0;
    let mut moves = Vec::new();
    for p in 0..point.width() {
        let z = naive::row(&codes, p);
        let energy: f64 = w.iter().zip(&z).map(|(w, z)| w * z * z).sum();
        let metric = (naive::row_gauge(problem, &z) + energy) / square;
        let metric = 4.0_f64.powf((metric.log2() / 2.0).round());
        let step: Vec<f64> = (0..problem.dim()).map(|_| next()).collect();
        total += metric * naive::inner(&step, &step);
        moves.push(step);
    }
    let shift: Vec<f64> = (0..problem.dim()).map(|_| if problem.centered() { next() } else { 0.0 }).collect();
    total += naive::inner(&shift, &shift) / square;
    let scale = distance / total.sqrt();
    let atoms: Vec<Vec<f64>> = point
        .dictionary()
        .atoms()
        .zip(&moves)
        .map(|(d, m)| d.iter().zip(m).map(|(d, m)| d + scale * m).collect())
        .collect();
    let center = point.center().map(|b| b.iter().zip(&shift).map(|(b, s)| b + scale * s).collect());
    let start = factorization(Matrix::from_columns(problem.dim(), &atoms), &codes, center).unwrap();
    let mut descent = naive::Descent::from_factorization(problem, &start);
    descent.learn_atoms = false;
    descent.run(500, 0.0);
    descent.learn_atoms = true;
    descent
}

/// Descends from a factorization and from around it; none may end lower than the growth of
/// the theorem allows within the radius.
fn check_minimum(
    problem: &Problem,
    point: &Factorization,
    done: &Certified,
    moves: &[Vec<f64>],
) -> Result<(), String> {
    let local = done.certificate().local().unwrap();
    let radius = local.radius.unwrap();
    let growth = local.eigenvalue_lower.unwrap() * data_size(problem, point).powi(2);
    let before = naive::objective(problem, point);
    // ½μd² − ε₁d − ε₀ is at least −½μρ² everywhere.
    let floor = before - 0.5 * growth * radius * radius - 1e-11 * before;
    let mut starts = vec![naive::Descent::from_factorization(problem, point)];
    for (by, share) in moves.iter().zip([0.2, 0.5, 0.9].iter().cycle()) {
        let start = moved(problem, point, share * radius, by);
        // One above the factorization may lie beyond the ridge.
        if start.objective() <= before {
            starts.push(start);
        }
    }
    for mut start in starts {
        start.run(300, 0.0);
        if !(start.objective() >= floor) {
            return Err(format!("{} is below {before} by more than {:e}", start.objective(), before - floor));
        }
    }
    Ok(())
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(96))]
    #[test]
    fn a_local_verdict_is_never_refuted_by_descent(draw in draws(), moves in vec(vec(-1.0..1.0_f64, 40), 6)) {
        let (problem, point) = built(&draw);
        let done = tested(&problem, &point);
        if is_local(&done) {
            let found = check_minimum(&problem, &point, &done, &moves);
            prop_assert!(found.is_ok(), "{}: {}", found.unwrap_err(), done.certificate());
        }
    }
}

/// The same data and factorization among more coordinates, all 0.
fn padded(problem: &Problem, point: &Factorization, zeros: usize) -> (Problem, Factorization) {
    let pad = |m: &Matrix| {
        Matrix::from_fn(m.nrows() + zeros, m.ncols(), |j, i| if j < m.nrows() { m.get(j, i) } else { 0.0 })
    };
    let builder = Problem::builder(pad(&problem.data().datapoints().as_matrix()))
        .weights(problem.data().weights().to_vec());
    let builder = builder.lambda(problem.lambda()).gamma(problem.gamma()).centered(problem.centered());
    let center = point.center().map(|b| b.iter().copied().chain(vec![0.0; zeros]).collect());
    let point = factorization(pad(point.dictionary().matrix()), &dense_codes(point), center).unwrap();
    (builder.build().unwrap(), point)
}

/// Coordinates of zeros, enough for the proof to eliminate the moves: these draws have fewer pairs.
const ZEROS: usize = 40;

/// A radius below this is what the proof allows for rounding, relative to the data's size.
const ROUNDING: f64 = 1e-11;

proptest! {
    #![proptest_config(ProptestConfig::with_cases(48))]
    #[test]
    fn a_verdict_by_pairs_is_never_refuted_by_descent(draw in draws(), moves in vec(vec(-1.0..1.0_f64, 40), 4)) {
        let (problem, point) = built(&draw);
        let (problem, point) = padded(&problem, &point, ZEROS);
        let done = tested(&problem, &point);
        if is_local(&done) {
            let found = check_minimum(&problem, &point, &done, &moves);
            prop_assert!(found.is_ok(), "{}: {}", found.unwrap_err(), done.certificate());
        }
    }
}

/// More coordinates make the proof eliminate moves where it eliminated codes. The growth that is
/// proved stays the same share of the estimate, and the radius what it was, but for what more
/// coordinates allow for rounding: at a point at rest that is the radius.
#[test]
fn coordinates_of_zeros_change_nothing() {
    let mut runner = TestRunner::deterministic();
    let strategy = draws();
    let mut local = 0;
    for case in 0..40 {
        let (problem, point) = built(&strategy.new_tree(&mut runner).unwrap().current());
        let plain = tested(&problem, &point);
        let (problem, point) = padded(&problem, &point, ZEROS);
        let tall = tested(&problem, &point);
        assert_eq!(
            is_local(&plain),
            is_local(&tall),
            "{case}: {} and {}",
            plain.certificate(),
            tall.certificate()
        );
        if is_local(&plain) {
            local += 1;
            let (l, r) = (plain.certificate().local().unwrap(), tall.certificate().local().unwrap());
            // The share of the estimate that is proved; the estimate is good to some per cent.
            let share = |of: &LocalSummary| of.eigenvalue_lower.unwrap() / of.smallest_eigenvalue.unwrap();
            assert!((share(l) - share(r)).abs() <= 1e-3, "{case}: {l:?} and {r:?}");
            let close = |l: Option<f64>, r: Option<f64>| {
                (l.unwrap() - r.unwrap()).abs() <= 0.05 * l.unwrap() + ROUNDING
            };
            assert!(close(l.smallest_eigenvalue, r.smallest_eigenvalue), "{case}: {l:?} and {r:?}");
            assert!(close(l.radius, r.radius), "{case}: {l:?} and {r:?}");
        }
    }
    assert!(local > 10, "{local} of 40");
}

/// The variables are 20 480, the pairs some hundred: the limit is about the smaller number.
#[test]
fn tall_data_are_proved_by_their_pairs() {
    let x = planted::mixture(512, 80, 60, 2, 0.02, 0);
    let problem = Problem::builder(x).lambda(0.2).build().unwrap();
    let solved = Finite::new(40).solve(&problem).unwrap().certified.into_parts().0;
    assert!(problem.dim() * solved.width() > 16_384, "{} atoms", solved.width());
    let verdict = |max_dense_variables: usize| {
        let limits = local::Limits { max_dense_variables, ..local::Limits::default() };
        let curvature = escape::curvature(&problem, &solved, &limits, &());
        let options = Options { local: Some(limits), ..Options::default() };
        certify(&problem, solved.clone(), &Witness { curvature, ..Witness::none() }, &options).unwrap()
    };
    let (within, above) = (verdict(400), verdict(100));
    assert_eq!(within.certificate().verdict(), &Verdict::Local, "{}", within.certificate());
    let reason = &above.certificate().local().unwrap().reason;
    assert!(!is_local(&above) && reason.contains("above the limit of 100"), "{reason}");
}

/// A stop reaches the proof, wherever it is: what is left is a verdict without one.
#[test]
fn a_stopped_proof_is_undecided() {
    struct Breaks(AtomicUsize);
    impl Observer for Breaks {
        fn poll(&self) -> ControlFlow<Interrupt> {
            match self.0.fetch_update(Ordering::Relaxed, Ordering::Relaxed, |left| left.checked_sub(1)) {
                Ok(_) => ControlFlow::Continue(()),
                Err(_) => ControlFlow::Break(Interrupt::Cancelled),
            }
        }
    }
    for (dim, points) in [(4, 300), (96, 150)] {
        let x = planted::mixture(dim, points, 24, 2, 0.02, 0);
        let problem = Problem::builder(x).lambda(0.2).build().unwrap();
        let solved = Finite::new(12).solve(&problem).unwrap().certified.into_parts().0;
        let subject = Subject::of(&problem, &solved).unwrap();
        let limits = local::Limits::default();
        let curvature = escape::curvature(&problem, &solved, &limits, &());
        let (mut stopped, mut moment) = (0, 0);
        loop {
            let observer = Breaks(AtomicUsize::new(moment));
            let found = local::test(&subject, curvature.as_ref(), &limits, &observer);
            if found.outcome == local::Outcome::Certified {
                break;
            }
            assert!(found.reason.contains("stopped"), "{}", found.reason);
            (stopped, moment) = (stopped + 1, moment + 1);
            assert!(moment < 1000, "{}", found.reason);
        }
        assert!(stopped >= 2, "{stopped} stops of {dim} dimensions");
    }
}

/// The draws above are not vacuous.
#[test]
fn some_factorizations_beside_a_switch_are_local() {
    let mut runner = TestRunner::deterministic();
    let strategy = draws();
    // Without a witness the proof finds an estimate of its own to begin below.
    let options = Options { local: Some(local::Limits::default()), ..Options::default() };
    let (mut local, mut bare) = (0, 0);
    for _ in 0..40 {
        let (problem, point) = built(&strategy.new_tree(&mut runner).unwrap().current());
        local += usize::from(is_local(&tested(&problem, &point)));
        bare += usize::from(is_local(&certify(&problem, point, &Witness::none(), &options).unwrap()));
    }
    assert!(local > 10 && bare > 10, "{local} and {bare} of 40");
}

fn in_units(problem: &Problem, point: &Factorization, unit: f64) -> (Problem, Factorization) {
    let x = problem.data().datapoints();
    let scaled = Problem::builder(Matrix::from_fn(x.nrows(), x.ncols(), |j, i| unit * x.get(j, i)))
        .lambda(unit * problem.lambda())
        .gamma(unit * problem.gamma())
        .weights(problem.data().weights().to_vec())
        .centered(problem.centered())
        .build()
        .unwrap();
    let codes = dense_codes(point);
    let codes = Matrix::from_fn(codes.nrows(), codes.ncols(), |k, i| unit * codes.get(k, i));
    let center = point.center().map(|b| b.iter().map(|b| unit * b).collect());
    (scaled, factorization(point.dictionary().matrix().clone(), &codes, center).unwrap())
}

#[test]
fn verdicts_do_not_depend_on_units() {
    let mut runner = TestRunner::deterministic();
    let strategy = draws();
    for case in 0..24 {
        let (problem, point) = built(&strategy.new_tree(&mut runner).unwrap().current());
        // Weights that are normalized again may change in the last bit, until they sum to 1.
        let (mut problem, mut point) = (problem, point);
        loop {
            let (again, same) = in_units(&problem, &point, 1.0);
            let settled = again.data().weights() == problem.data().weights();
            (problem, point) = (again, same);
            if settled {
                break;
            }
        }
        let plain = tested(&problem, &point);
        let (verdict, local) = (plain.certificate().verdict(), plain.certificate().local().unwrap());
        for exponent in [-60, -33, -7, 1, 20, 60] {
            let (problem, point) = in_units(&problem, &point, 2.0_f64.powi(exponent));
            let done = tested(&problem, &point);
            let found = done.certificate();
            assert_eq!(found.verdict().as_str(), verdict.as_str(), "{case}, 2^{exponent}");
            let other = found.local().unwrap();
            assert_eq!(other.smallest_eigenvalue, local.smallest_eigenvalue, "{case}, 2^{exponent}");
            assert_eq!(other.eigenvalue_lower, local.eigenvalue_lower, "{case}, 2^{exponent}");
            assert_eq!(other.radius, local.radius, "{case}, 2^{exponent}");
            assert_eq!(found.relative_gap(), plain.certificate().relative_gap(), "{case}, 2^{exponent}");
        }
        for exponent in [-8, -3, 2, 6] {
            let (problem, point) = in_units(&problem, &point, 10.0_f64.powi(exponent));
            let done = tested(&problem, &point);
            let found = done.certificate().local().unwrap();
            if let (Some(l), Some(r)) = (found.eigenvalue_lower, local.eigenvalue_lower) {
                assert!((l - r).abs() <= 1e-6 * r, "{case}, 10^{exponent}: {l} and {r}");
            }
            assert_eq!(done.certificate().verdict().as_str(), verdict.as_str(), "{case}, 10^{exponent}");
        }
    }
}

#[test]
fn planted_data_are_local_in_every_unit() {
    let x = planted::mixture(16, 200, 48, 2, 0.02, 0);
    for unit in [1e-8, 1e-4, 1.0, 1e2, 1e3, 1e4] {
        let scaled = Matrix::from_fn(x.nrows(), x.ncols(), |j, i| unit * x.get(j, i));
        let problem = Problem::builder(scaled).lambda(0.2 * unit).build().unwrap();
        let done = Finite::new(24).solve(&problem).unwrap();
        let certificate = done.certified.certificate();
        assert_eq!(certificate.verdict(), &Verdict::Local, "{unit}: {certificate}");
    }
}
