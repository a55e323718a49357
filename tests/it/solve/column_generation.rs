//! Column generation: optimal on small instances, monotone, reproducible.

use std::ops::ControlFlow;
use std::sync::Mutex;

use widedict::certificate::{Options, certify};
use widedict::reduce::Share;
use widedict::search::oracle::Ascent;
use widedict::testing::{kernels, naive, planted};
use widedict::trusted::exact;
use widedict::{ColumnGeneration, Factorization, Matrix, Problem, Progress, Solution, Witness, wide};

fn problem(x: Matrix, lambda: f64, gamma: f64) -> Problem {
    Problem::builder(x).lambda(lambda).gamma(gamma).build().unwrap()
}

fn solve(problem: &Problem, seed: u64) -> Solution {
    ColumnGeneration { gap_tolerance: 1e-8, seed, ..Default::default() }.solve(problem).unwrap()
}

/// The certified relative gap with the polar computed exactly.
fn proved_gap(problem: &Problem, point: &Factorization) -> f64 {
    let options = Options { exact: Some(exact::Limits::default()), ..Options::default() };
    let done = certify(problem, point.clone(), &Witness::none(), &options).unwrap();
    done.certificate().relative_gap()
}

#[test]
fn four_points_in_the_plane_do_not_trap_it() {
    for instance in 0..12 {
        let problem = problem(planted::gaussian(2, 4, 100 + instance), 0.3, 0.2);
        for seed in 0..3 {
            let gap = proved_gap(&problem, solve(&problem, seed).certified.solution());
            assert!(gap <= 1e-6, "instance {instance}, seed {seed}: gap {gap:.1e}");
        }
    }
}

#[test]
fn two_and_three_points_are_solved() {
    for instance in 0..20 {
        let len = 2 + usize::try_from(instance % 2).unwrap();
        let problem = problem(planted::gaussian(3, len, instance), 0.2, 0.1);
        let gap = proved_gap(&problem, solve(&problem, 0).certified.solution());
        assert!(gap <= 1e-6, "instance {instance}: gap {gap:.1e}");
    }
}

#[test]
fn the_objective_never_rises_between_rounds() {
    for instance in 0..6 {
        let problem = problem(planted::gaussian(5, 40, instance), 0.2, 0.1);
        let mut rounds = ColumnGeneration::default().rounds(&problem, &widedict::Run::default()).unwrap();
        let objectives: Vec<f64> = rounds.by_ref().map(|round| round.objective).collect();
        for pair in objectives.windows(2) {
            assert!(pair[1] <= pair[0] * (1.0 + 1e-12), "{pair:?}");
        }
        assert!(rounds.finish().unwrap().certified.certificate().objective() <= objectives[0]);
    }
}

/// T5 for two points of weight ½: one atom each is optimal up to
/// `γ* = λ√w·√(1/c − 1)` and not beyond.
#[test]
fn one_atom_a_point_is_optimal_up_to_the_boundary() {
    let (lambda, c) = (0.3_f64, 0.8_f64);
    let x = || Matrix::from_columns(2, &[[2.0, 0.0], [2.0 * c, 2.0 * (1.0 - c * c).sqrt()]]);
    let boundary = lambda * 0.5_f64.sqrt() * (1.0 / c - 1.0).sqrt();
    let closed = |gamma: f64| {
        let kappa = (0.5 * lambda * lambda + gamma * gamma).sqrt();
        2.0 * (kappa * 2.0 * 0.5_f64.sqrt() - 0.5 * kappa * kappa)
    };
    for (share, optimal) in [(0.5, true), (0.9, true), (1.5, false), (3.0, false)] {
        let gamma = share * boundary;
        let found = solve(&problem(x(), lambda, gamma), 0).certified.certificate().objective();
        let relative = (found - closed(gamma)) / closed(gamma);
        assert_eq!(relative.abs() <= 1e-8, optimal, "{share}: {relative:.1e}");
        assert!(relative <= 1e-8);
    }
}

#[test]
fn without_an_atom_price_it_agrees_with_the_closed_form() {
    for instance in 0..6 {
        let problem = problem(planted::gaussian(4, 15, instance), 0.4, 0.0);
        let closed = wide::closed_form(&problem).unwrap().certified.certificate().objective();
        let found = solve(&problem, 0).certified;
        let allowed = found.certificate().gap() + 1e-12 * closed;
        assert!((found.certificate().objective() - closed).abs() <= allowed);
        assert!(found.certificate().relative_gap() <= 1e-6, "{}", found.certificate());
    }
}

#[test]
fn the_answer_does_not_depend_on_the_number_of_threads() {
    let problem = problem(planted::gaussian(6, 60, 3), 0.2, 0.1);
    let answer = |threads| {
        let pool = rayon::ThreadPoolBuilder::new().num_threads(threads).build().unwrap();
        pool.install(|| ColumnGeneration::default().solve(&problem).unwrap().certified)
    };
    let one = answer(1);
    assert!(one == answer(2) && one == answer(7));
}

/// Points of a problem with atoms in any state: used, unused, alike.
fn rough_point(problem: &Problem, atoms: usize) -> Factorization {
    let mut directions: Vec<Vec<f64>> =
        planted::gaussian(problem.dim(), atoms, 5).columns().map(<[f64]>::to_vec).collect();
    directions[atoms - 1] = directions[0].clone();
    let mut descent = naive::Descent::new(problem, &directions);
    descent.sweep();
    descent.factorization()
}

#[test]
fn a_block_step_is_its_single_steps() {
    for (instance, center) in [(0, false), (1, true), (2, false)] {
        let x = planted::gaussian(6, 30, 40 + instance);
        let problem = Problem::builder(x).lambda(0.2).gamma(0.1).centered(center).build().unwrap();
        let start = rough_point(&problem, 7);
        for (from, to) in [(0, 7), (2, 5), (6, 7)] {
            let fast = kernels::block_step(&problem, &start, Some(from..to));
            let mut slow = naive::Descent::from_factorization(&problem, &start);
            slow.block_step(from, to);
            let slow = slow.factorization();
            assert_alike(&fast, &slow);
        }
    }
}

fn assert_alike(fast: &Factorization, slow: &Factorization) {
    let len = fast.codes().datapoints();
    for k in 0..fast.width() {
        for (f, s) in fast.dictionary().atom(k).iter().zip(slow.dictionary().atom(k)) {
            assert!((f - s).abs() <= 1e-9, "atom {k}: {f} {s}");
        }
    }
    for (f, s) in fast.codes().rows().iter().zip(slow.codes().rows()) {
        let (f, s) = (dense(f, len), dense(&s, len));
        assert!(f.iter().zip(&s).all(|(f, s)| (f - s).abs() <= 1e-9));
    }
    for (f, s) in fast.center().iter().flat_map(|c| c.iter()).zip(slow.center().iter().flat_map(|c| c.iter()))
    {
        assert!((f - s).abs() <= 1e-9, "center: {f} {s}");
    }
}

/// A short step is the step of the problem in which codes that are 0 stay so; it never rises.
#[test]
fn a_short_step_leaves_codes_that_are_zero() {
    for (instance, center) in [(0, false), (1, true), (2, true)] {
        let x = planted::gaussian(6, 30, 60 + instance);
        let problem = Problem::builder(x).lambda(0.2).gamma(0.1).centered(center).build().unwrap();
        let start = rough_point(&problem, 7);
        let fast = kernels::short_steps(&problem, &start);
        let mut slow = naive::Descent::from_factorization(&problem, &start);
        slow.used_only = true;
        (0..7).for_each(|k| slow.block_step(k, k + 1));
        assert_alike(&fast, &slow.factorization());
        assert!(fast.codes().nnz() <= start.codes().nnz());
        assert!(naive::objective(&problem, &fast) <= naive::objective(&problem, &start));
    }
}

fn dense(row: &widedict::linalg::Row, len: usize) -> Vec<f64> {
    let mut out = vec![0.0; len];
    row.iter().for_each(|(i, z)| out[i] = z);
    out
}

/// More datapoints than a chunk, more atoms than a block: the same for any number of
/// threads, and never higher.
#[test]
fn a_sweep_never_rises_and_does_not_depend_on_threads() {
    let x = planted::mixture(16, 1500, 20, 3, 0.1, 2);
    let problem = problem(x, 0.05, 0.02);
    let directions: Vec<Vec<f64>> = planted::gaussian(16, 40, 3).columns().map(<[f64]>::to_vec).collect();
    let mut point = naive::Descent::new(&problem, &directions).factorization();
    let mut last = naive::objective(&problem, &point);
    for _ in 0..4 {
        let step = |threads: usize| {
            let pool = rayon::ThreadPoolBuilder::new().num_threads(threads).build().unwrap();
            pool.install(|| kernels::block_step(&problem, &point, None))
        };
        let next = step(1);
        assert!(next == step(2) && next == step(7));
        let objective = naive::objective(&problem, &next);
        assert!(objective <= last * (1.0 + 1e-12), "{objective} {last}");
        (point, last) = (next, objective);
    }
}

/// What the oracle claims of a direction is at most the polar there, and no ascent
/// ends below its start.
#[test]
fn ascents_claim_no_more_than_the_polar() {
    for instance in 0..6 {
        let problem = problem(planted::gaussian(5, 50, 70 + instance), 0.2, 0.1);
        let residual = problem.data().whitened();
        let gauge = naive::Gauge::of(&problem);
        let polar = |d: &[f64]| {
            let v: Vec<f64> = residual.columns().map(|r| naive::inner(r, d)).collect();
            gauge.polar(&v)
        };
        let start = naive::unit(residual.col(3));
        for steps in [1, 2, 3, 60] {
            let oracle = Ascent { max_steps: steps, ..Ascent::default() };
            let found = oracle.search(&problem.gauge(), &residual, std::slice::from_ref(&start), &());
            for candidate in &found {
                let there = polar(&candidate.direction);
                assert!(candidate.value <= there * (1.0 + 1e-9), "{} {there}", candidate.value);
            }
            assert!(found[0].value >= polar(&start) * (1.0 - 1e-9));
            assert!(found.windows(2).all(|pair| pair[0].value >= pair[1].value));
        }
    }
}

/// Work, not time: rounds of the whole digits at the README's penalties. Twice as many
/// would show in the time of every convex problem.
#[test]
fn slow_the_digits_take_few_rounds() {
    let problem = problem(widedict::datasets::digits(), 0.3, 0.15);
    let solution = ColumnGeneration::default().solve(&problem).unwrap();
    assert!(solution.iterations <= 16, "{} rounds", solution.iterations);
    let objective = solution.certified.certificate().objective();
    // Runs to a fifth of the gap end at 2.3440.
    assert!(objective <= 2.3440 * 1.001, "{objective}");
}

/// The center starts at the mean, which datapoints far away drag along; residuals are far
/// shorter than the way it has to go.
#[test]
fn a_center_far_from_the_mean_is_found() {
    let cases = [
        (vec![vec![0.0, 0.0], vec![0.0, 20_000.0], vec![1.0, 0.0]], 0.02, 0.006),
        (vec![vec![1e6, 0.0], vec![0.0, 1.0], vec![1.0, 0.0], vec![0.0, -1.0]], 0.1, 0.01),
        (vec![vec![1e6], vec![0.0], vec![1.0], vec![2.0]], 0.1, 0.01),
        (vec![vec![-5.0], vec![6.0]], 0.0, 1e-7),
    ];
    for (rows, lambda, gamma) in cases {
        let x = Matrix::from_columns(rows[0].len(), &rows);
        let problem = Problem::builder(x).lambda(lambda).gamma(gamma).centered(true).build().unwrap();
        let solution = ColumnGeneration::default().solve(&problem).unwrap();
        let options = Options { exact: Some(exact::Limits::default()), ..Options::default() };
        let point = solution.certified.solution().clone();
        let gap = certify(&problem, point, &solution.witness, &options).unwrap().certificate().relative_gap();
        assert!(gap <= 5e-3, "{rows:?}: gap {gap:.1e} after {} rounds", solution.iterations);
    }
}

/// Prices of a millionth of the data: a sweep moves center and codes by about a price.
#[cfg(feature = "conic")]
#[test]
fn slow_rows_of_very_different_lengths_are_no_hindrance() {
    use widedict::master::{Conic, Method};
    for (instance, centered) in (0..8).flat_map(|i| [(i, false), (i, true)]) {
        let x = planted::gaussian(2, 6, 900 + instance);
        let lengths = [1e6, 3e5, 8e4, 1e2, 1e-2, 1e-6];
        let x = Matrix::from_fn(2, 6, |j, i| lengths[i] * x.get(j, i));
        let problem = Problem::builder(x).lambda(0.5).gamma(0.05).centered(centered).build().unwrap();
        let objective = |settings: ColumnGeneration| {
            settings.solve(&problem).unwrap().certified.certificate().objective()
        };
        let proximal = objective(ColumnGeneration::default());
        let conic =
            objective(ColumnGeneration { master: Method::Conic(Conic::default()), ..Default::default() });
        assert!(proximal <= 1.01 * conic, "{instance}, {centered}: {proximal} and {conic}");
    }
}

/// Data of one datapoint many times: without atoms and about it, the objective is 0.
#[test]
fn equal_datapoints_with_a_center_cost_nothing() {
    for (count, scale) in [(1, 1.0), (2, 1.0), (3, 1.0), (7, 1e-90), (200, 1e90)] {
        let x = Matrix::from_fn(3, count, |j, _| scale * [0.1, 0.2, 0.3][j]);
        let problem =
            Problem::builder(x).lambda(0.2 * scale).gamma(0.1 * scale).centered(true).build().unwrap();
        let solution = ColumnGeneration::default().solve(&problem).unwrap();
        assert!(solution.certified.certificate().objective() == 0.0, "{count} datapoints");
        let narrow = widedict::Finite::new(1).solve(&problem).unwrap();
        assert!(narrow.certified.certificate().objective() == 0.0, "{count} datapoints");
    }
}

/// A penalty far below the data's: the polar's maximizer overflows, no atom of length 0
/// comes of it.
#[test]
fn tiny_penalties_find_their_atom() {
    let problem = problem(Matrix::from_columns(1, &[[1.0]]), 2e-161, 4e-174);
    let objective = solve(&problem, 0).certified.certificate().objective();
    assert!((objective / 2e-161 - 1.0).abs() < 1e-9, "{objective:e}");
}

/// A run on a sample says so, and its bound is none of all datapoints. Of these nothing is told before
/// the codes of the sample's prices have been swept: what is left to gain then is little.
#[test]
fn samples_lead_near_the_optimum() {
    let problem = problem(planted::mixture(4, 16_384, 6, 2, 0.1, 5), 0.3, 0.1);
    let solver = ColumnGeneration { bounded: false, ..ColumnGeneration::default() };
    let told = Mutex::new(Vec::new());
    let hear = |progress: &Progress| {
        told.lock().unwrap().push(*progress);
        ControlFlow::Continue(())
    };
    let mut rounds = solver.rounds(&problem, &widedict::Run::observed(&hear)).unwrap();
    let told: Vec<Progress> = std::mem::take(&mut *told.lock().unwrap());
    let mut told = told.into_iter().filter(|progress| !progress.phase.is_empty()).peekable();
    assert!(told.peek().is_some());
    assert!(told.all(|progress| progress.phase == "on a sample" && progress.lower_bound.is_nan()));
    let first = rounds.next().unwrap();
    rounds.by_ref().for_each(drop);
    let last = rounds.finish().unwrap().certified.certificate().objective();
    assert!(first.atoms > 0 && first.objective <= 1.01 * last, "{} {last}", first.objective);
    assert!(first.relative_gap() <= 2.0 * solver.gap_tolerance, "{}", first.relative_gap());
}

/// Where few datapoints have a direction to themselves, and all others nothing of it, the optimum is
/// that of the two parts apart: k datapoints of length l on one atom cost `½kw(l − z)² + cz` with
/// `c² = λ²k²w² + γ²kw`.
#[test]
fn few_datapoints_with_a_direction_of_their_own_are_found() {
    let (lambda, gamma) = (0.1, 0.1);
    for (len, few, zeros) in [(2000, 1, false), (16_384, 5, false), (2000, 1, true), (16_384, 3, true)] {
        let part = if zeros { Matrix::zeros(4, len) } else { planted::mixture(4, len, 6, 2, 0.1, 1) };
        let length = (0.2 * len as f64 / few as f64).sqrt();
        let own = |i: usize| (i + 1).is_multiple_of(len / few);
        let rest = Matrix::from_fn(4, len, |j, i| if own(i) { 0.0 } else { part.get(j, i) });
        let along = [0.8 * length, 0.6 * length];
        let entry = |j: usize, i: usize| {
            if j < 4 { rest.get(j, i) } else { f64::from(u8::from(own(i))) * along[j - 4] }
        };
        let objective = |x: Matrix| {
            let solution = ColumnGeneration::default().solve(&problem(x, lambda, gamma)).unwrap();
            solution.certified.certificate().objective()
        };
        let mass = few as f64 / len as f64;
        let price = ((lambda * mass).powi(2) + gamma * gamma * mass).sqrt();
        let code = length - price / mass;
        let apart = objective(rest.clone()) + 0.5 * mass * (length - code).powi(2) + price * code;
        let together = objective(Matrix::from_fn(6, len, entry));
        assert!(together <= 1.01 * apart, "{len} {few} {zeros}: {together} {apart}");
    }
}

/// Ascents on a sample first, then on all datapoints: the same maximum, and values that are those of
/// all datapoints.
#[test]
fn ascents_on_a_sample_end_at_maxima_of_all() {
    let data = planted::mixture(6, 20_000, 10, 2, 0.1, 3);
    let problem = problem(data, 0.3, 0.1);
    let residual = problem.data().whitened();
    let gauge = problem.gauge();
    let found = Ascent::default().search(&gauge, &residual, &[], &());
    let mut row = vec![0.0; problem.len()];
    for candidate in &found {
        let polar = gauge.polar_along(problem.data().datapoints(), &candidate.direction, &mut row);
        assert!(candidate.value <= polar.value * (1.0 + 1e-12), "{} {}", candidate.value, polar.value);
    }
    // Where datapoints are few there is no sample: each of these starts has all of them.
    let few: Vec<usize> = (0..16_000).collect();
    let part = residual.select_columns(&few);
    let all = widedict::gauge::Gauge::new(&problem.data().sqrt_weights()[..16_000], problem.penalty());
    let plain = Ascent::default().search(&all, &part, &[], &());
    let best =
        plain.iter().map(|c| gauge.polar_along(problem.data().datapoints(), &c.direction, &mut row).value);
    let best = best.fold(0.0, widedict::num::max);
    assert!(found[0].value >= best * (1.0 - 1e-3), "{} {best}", found[0].value);
}

/// What few datapoints have no sample sees; an ascent from one of them finds it all the same.
#[test]
fn ascents_find_what_few_datapoints_have() {
    let mut data = planted::mixture(6, 20_000, 10, 2, 0.1, 4);
    let (_, sampled) = Share::alone(20_000).sample(4, 0).unwrap();
    let far = (0..20_000).find(|i| !sampled.contains(i)).unwrap();
    data.col_mut(far).copy_from_slice(&[0.0, 0.0, 0.0, 0.0, 0.0, -3000.0]);
    let problem = problem(data, 0.3, 0.1);
    let residual = problem.data().whitened();
    let start = residual.col(far).to_vec();
    let found = Ascent::default().search(&problem.gauge(), &residual, &[start], &());
    assert!(found[0].direction[5] < -0.999 && found[0].value > 100.0, "{:?}", found[0]);
}
