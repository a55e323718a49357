//! Data spread over ranks: what is computed of them has the same bytes for any number of ranks.

use std::ops::ControlFlow;
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};

use widedict::certificate::Options;
use widedict::coder::{Coder, CoderRun};
use widedict::gauge::Moments;
use widedict::linalg::{Row, dot};
use widedict::num::max;
use widedict::observer::{Interrupt, Observer};
use widedict::problem::DataError;
use widedict::reduce::{Agreed, Alone, Reduce, Share};
use widedict::search::nuclear::Nuclear;
use widedict::search::quartic::Quartic;
use widedict::search::relaxation::SquareSearch;
use widedict::testing::ranks::on_ranks;
use widedict::testing::{factorization, kernels};
use widedict::trusted::{Bound, QuarticForm, Squares, Subject, bounds, copositive, exact, local, planar};
use widedict::{
    Certificate, ColumnGeneration, Dictionary, Factorization, Finite, Matrix, Problem, ProblemError,
    Solution, Witness, certify, wide,
};

/// Datapoints of a grain: blocks of codes are 64 of them.
const GRAIN: usize = 64;

/// A problem that can be cut.
#[derive(Clone, Debug)]
struct Whole {
    points: Matrix,
    weights: Option<Vec<f64>>,
    lambda: f64,
    gamma: f64,
    centered: bool,
}

impl Whole {
    /// Noisy sums of a few directions, far enough from the origin for a center to matter.
    fn new(dim: usize, len: usize) -> Self {
        let wave = |k: usize, i: usize| ((k * 37 + i * 101) as f64 * 0.618).sin();
        let point = |j: usize, i: usize| {
            let (one, other) = (i % 7, (i * 5 + 3) % 11);
            let main = (1.0 + wave(i, 1)) * wave(one, j) + (1.0 + wave(i, 2)) * 0.7 * wave(other + 20, j);
            main + 0.05 * wave(i, j + 9) + 0.3
        };
        let points = Matrix::from_fn(dim, len, point);
        Self { points, weights: None, lambda: 0.2, gamma: 0.1, centered: false }
    }

    fn weighted(self) -> Self {
        let weights = (0..self.points.ncols()).map(|i| 1.0 + ((i * 13) % 5) as f64).collect();
        Self { weights: Some(weights), ..self }
    }

    /// The part of a rank.
    fn part(&self, ranks: Arc<dyn Reduce>) -> Problem {
        let share = Share::with_grain(ranks, self.points.ncols(), GRAIN);
        let mine: Vec<usize> = (share.first()..share.first() + share.len()).collect();
        let mut builder = Problem::builder(self.points.select_columns(&mine))
            .lambda(self.lambda)
            .gamma(self.gamma)
            .centered(self.centered);
        if let Some(weights) = &self.weights {
            builder = builder.weights(mine.iter().map(|&i| weights[i]).collect());
        }
        builder.spread(share).build().unwrap()
    }

    /// That every rank of 1, 2, 3, 4 and 7 answers alike.
    fn same_on_all_ranks<T: PartialEq + std::fmt::Debug + Send>(
        &self,
        answer: impl Fn(&Problem) -> T + Sync,
    ) {
        let expected = answer(&self.part(Arc::new(Alone)));
        for count in [2, 3, 4, 7] {
            for found in on_ranks(count, |rank| answer(&self.part(rank))) {
                assert_eq!(found, expected, "{count} ranks");
            }
        }
    }

    fn cases(dim: usize, len: usize) -> Vec<Self> {
        let plain = Self::new(dim, len);
        vec![
            plain.clone(),
            Self { centered: true, ..plain.clone().weighted() },
            Self { gamma: 0.0, centered: true, ..plain.clone() },
            Self { lambda: 0.0, gamma: 0.3, ..plain.clone() },
            Self { gamma: 0.0, ..plain.weighted() },
        ]
    }
}

fn bits(values: impl IntoIterator<Item = f64>) -> Vec<u64> {
    values.into_iter().map(f64::to_bits).collect()
}

/// What a certificate says, to the last bit.
fn said(certificate: &Certificate) -> (Vec<u64>, String) {
    let kkt = certificate.kkt();
    let of = [kkt.codes, kkt.dictionary, kkt.center];
    let mut numbers =
        vec![certificate.objective(), certificate.upper().get(), certificate.lower_bound().get()];
    numbers.extend(of.iter().flat_map(|residual| [residual.value, residual.scale, residual.noise]));
    numbers.extend(certificate.estimate().iter().flat_map(|estimate| [estimate.polar, estimate.lower_bound]));
    (bits(numbers), format!("{:?} {:?}", certificate.statistics(), certificate.verdict()))
}

/// Atoms, center, and the codes of all ranks.
fn everywhere(problem: &Problem, point: &Factorization) -> Vec<u64> {
    let mut numbers = point.dictionary().matrix().as_slice().to_vec();
    numbers.extend(point.center().unwrap_or_default());
    let codes: Vec<f64> = (0..problem.len())
        .flat_map(|i| point.codes().column(i).iter().flat_map(|(k, z)| [k as f64, *z]).collect::<Vec<_>>())
        .collect();
    numbers.extend(problem.share().gather_all(&codes));
    bits(numbers)
}

fn solved(problem: &Problem, solution: &Solution) -> ((Vec<u64>, String), Vec<u64>, String) {
    let certified = &solution.certified;
    let ended = format!("{:?} {}", solution.stop, solution.iterations);
    (said(certified.certificate()), everywhere(problem, certified.solution()), ended)
}

#[test]
fn population_and_location() {
    for case in Whole::cases(3, 500) {
        if case.lambda > 0.0 {
            case.same_on_all_ranks(|problem| {
                let location = wide::location(problem.data(), problem.lambda(), &());
                let found = wide::population(problem, Some(&location));
                let means = bits(problem.data().mean());
                (bits(location.center), location.iterations, format!("{found:?}"), means)
            });
        }
    }
}

/// Atoms of the data themselves and codes made up: nothing is stationary.
#[test]
fn certificates_of_any_point() {
    for case in Whole::cases(4, 600) {
        case.same_on_all_ranks(|problem| {
            let first = problem.share().first();
            let atoms = case.points.select_columns(&[0, 5, 11, 100, 333]);
            let codes = Matrix::from_fn(5, problem.len(), |k, i| {
                let i = first + i;
                if (i * 3 + k) % 4 == 0 && k < 4 { 0.1 + ((i + k) % 9) as f64 * 0.05 } else { 0.0 }
            });
            let center = case.centered.then(|| vec![0.1; 4]);
            let point = widedict::testing::factorization(atoms, &codes, center).unwrap();
            let directions = Some(case.points.select_columns(&[1, 2, 3]));
            let witness = Witness { directions, ..Witness::none() };
            let certified = certify(problem, point, &witness, &Options::default()).unwrap();
            said(certified.certificate())
        });
    }
}

#[test]
fn slow_column_generation_is_the_same_on_all_ranks() {
    for case in Whole::cases(4, 300) {
        if case.gamma > 0.0 {
            let solver = ColumnGeneration { gap_tolerance: 0.02, max_rounds: 12, ..Default::default() };
            case.same_on_all_ranks(|problem| solved(problem, &solver.solve(problem).unwrap()));
        }
    }
}

/// Searches and proofs from fourth moments and from squares of features, on samples too: alike on all
/// ranks, and as without grains.
#[test]
fn bounds_from_moments_are_the_same_on_all_ranks() {
    // Of few datapoints some ranks hold none.
    for case in [Whole::cases(3, 400), Whole::cases(3, GRAIN + 10)].concat() {
        if case.gamma == 0.0 {
            continue;
        }
        let proved = |problem: &Problem, max_sample: usize| {
            let solver = ColumnGeneration { gap_tolerance: 0.1, max_rounds: 3, ..Default::default() };
            let point = solver.solve(problem).unwrap().certified.into_parts().0;
            let subject = Subject::of(problem, &point).unwrap();
            let fourth = Quartic { max_sample, steps: 4, ..Quartic::default() };
            let fourth = fourth.search(problem, point.dictionary().matrix(), 0.0, &());
            let fourth = fourth.map(|found| bounds::quartic(&subject, &found.witness).unwrap().lower.get());
            let nuclear = Nuclear::default().search(problem, &()).unwrap().map;
            let squares = SquareSearch { max_features: 3, max_sample, ..SquareSearch::default() };
            let squares = squares.search(problem, &nuclear, subject.primal().value(), &());
            let squares = squares.map(|found| bounds::squares(&subject, &found.squares).unwrap().lower.get());
            [fourth, squares]
        };
        for max_sample in [150, 400] {
            case.same_on_all_ranks(|problem| {
                proved(problem, max_sample).map(|bound| bound.map(f64::to_bits))
            });
        }
        let spread = proved(&case.part(Arc::new(Alone)), 400);
        assert_eq!(spread.map(|bound| bound.is_some()), [case.lambda > 0.0, true]);
        let mut builder = Problem::builder(case.points.clone())
            .lambda(case.lambda)
            .gamma(case.gamma)
            .centered(case.centered);
        if let Some(weights) = &case.weights {
            builder = builder.weights(weights.clone());
        }
        for (spread, alone) in spread.into_iter().zip(proved(&builder.build().unwrap(), 400)) {
            let (spread, alone) = (spread.unwrap_or_default(), alone.unwrap_or_default());
            assert!((spread - alone).abs() <= 1e-6 * alone, "{spread} {alone}");
        }
    }
}

/// A rank that is asked to end while a bound is searched for ends the search on all, those without
/// datapoints too.
#[test]
fn a_stop_on_one_rank_ends_searches_on_all() {
    let case = Whole::new(3, GRAIN + 10);
    let mut ended = [0, 0];
    for patience in [0, 2, 5, 10, 16, 20] {
        let found = on_ranks(4, |rank| {
            let asked = rank.rank() == 3;
            let problem = case.part(rank);
            let nuclear = Nuclear::default().search(&problem, &()).unwrap().map;
            let polls = AtomicUsize::new(0);
            let observer = Asked(|| asked && polls.fetch_add(1, Ordering::Relaxed) >= patience);
            let agreed = Agreed::new(problem.share(), &observer);
            let quartic =
                Quartic::default().search(&problem, &case.points.select_columns(&[0, 5]), 0.0, &agreed);
            polls.store(0, Ordering::Relaxed);
            let agreed = Agreed::new(problem.share(), &observer);
            let squares = SquareSearch::default().search(&problem, &nuclear, f64::MAX, &agreed);
            (quartic, squares)
        });
        assert!(found.iter().all(|one| *one == found[0]), "{patience}");
        let (quartic, squares) = &found[0];
        ended[0] += usize::from(quartic.as_ref().is_none_or(|found| found.interrupt.is_some()));
        ended[1] += usize::from(squares.as_ref().is_none_or(|found| found.interrupt.is_some()));
    }
    assert!(ended[0] >= 4 && ended[1] >= 2, "{ended:?}");
}

/// Breaks when it is told to.
struct Asked<F>(F);

impl<F: Fn() -> bool + Sync> Observer for Asked<F> {
    fn poll(&self) -> ControlFlow<Interrupt> {
        if (self.0)() { ControlFlow::Break(Interrupt::Cancelled) } else { ControlFlow::Continue(()) }
    }
}

/// A given width at γ = 0: starts, moves and descent.
#[test]
fn a_given_width() {
    for case in Whole::cases(4, 400) {
        if case.gamma == 0.0 {
            let solver = Finite { max_iterations: 60, local: None, restarts: 2, ..Finite::new(9) };
            case.same_on_all_ranks(|problem| solved(problem, &solver.solve(problem).unwrap()));
        }
    }
}

/// What needs all datapoints in one place proves nothing of a part, and nobody waits for another.
#[test]
fn a_part_proves_nothing_of_the_whole() {
    let case = Whole { gamma: 0.1, ..Whole::new(2, 130) };
    let asked = Options {
        exact: Some(exact::Limits::default()),
        local: Some(local::Limits::default()),
        ..Options::default()
    };
    case.same_on_all_ranks(|problem| {
        let solver = ColumnGeneration { gap_tolerance: 0.05, max_rounds: 4, ..Default::default() };
        let point = solver.solve(problem).unwrap().certified.into_parts().0;
        let certificate = certify(problem, point, &Witness::none(), &asked).unwrap();
        let certificate = certificate.certificate();
        assert!(certificate.local().is_none());
        assert!(
            exact::polar(problem, &problem.data().datapoints().as_matrix(), &exact::Limits::default(), &())
                .is_none()
        );
        let slack = Matrix::zeros(problem.len(), problem.len());
        assert!(copositive::polar(problem, &problem.data().datapoints().as_matrix(), &slack).is_none());
        said(certificate)
    });
    let case = Whole { gamma: 0.0, ..case };
    case.same_on_all_ranks(|problem| {
        assert!(!planar::applies(problem) && wide::boundary(problem, &()).is_err());
        // The default settings ask for the local test.
        let solution = Finite { max_iterations: 20, ..Finite::new(3) }.solve(problem).unwrap();
        assert!(solution.certified.certificate().local().is_none());
        said(solution.certified.certificate())
    });
}

/// Codes of all ranks at rank 0, in order.
#[test]
fn codes_are_gathered() {
    let case = Whole::new(3, 300);
    let (dictionary, _) = Dictionary::normalize(case.points.select_columns(&[0, 4, 9, 20])).unwrap();
    let whole = Coder::default().encode(&case.points, &dictionary, 0.2, &()).unwrap().codes;
    for (rank, found) in on_ranks(3, |rank| {
        let problem = case.part(rank);
        let run = CoderRun { of: Some(problem.total()), ..CoderRun::default() };
        let coded = Coder::default().encode_with(problem.data().datapoints(), &dictionary, 0.2, &run);
        coded.unwrap().codes.gathered(problem.share())
    })
    .into_iter()
    .enumerate()
    {
        assert_eq!(found.is_some(), rank == 0);
        assert!(found.is_none_or(|found| found == whole));
    }
}

/// A rank that refuses its datapoints ends the others.
#[test]
fn all_ranks_refuse_together() {
    let mut case = Whole::new(2, 300);
    case.points.col_mut(200)[1] = f64::NAN;
    let refused = on_ranks(3, |rank| {
        let share = Share::with_grain(rank, 300, GRAIN);
        let mine: Vec<usize> = (share.first()..share.first() + share.len()).collect();
        let at = share.first();
        let built = Problem::builder(case.points.select_columns(&mine)).lambda(1.0).spread(share).build();
        (at, built.unwrap_err())
    });
    let own =
        refused.iter().filter(|(_, error)| matches!(error, ProblemError::Data(DataError::NotFinite { .. })));
    assert_eq!(own.map(|(at, _)| *at).collect::<Vec<_>>(), [128]);
    let others = refused.iter().filter(|(_, error)| *error == ProblemError::Data(DataError::Elsewhere));
    assert_eq!(others.count(), 2);
}

/// Messages and words that all ranks send in a job, where each holds the same power of two of
/// grains.
fn sent<T: Send>(count: usize, case: &Whole, job: impl Fn(&Problem) -> T + Sync) -> (usize, usize) {
    let sent = on_ranks(count, |rank| {
        let problem = case.part(rank.clone());
        let before = rank.sent();
        let _ = job(&problem);
        let after = rank.sent();
        (after.0 - before.0, after.1 - before.1)
    });
    sent.into_iter().fold((0, 0), |all, one| (all.0 + one.0, all.1 + one.1))
}

/// What `docs/scale.md` says of sums of these widths: messages, and words.
fn said_of(count: usize, widths: &[usize]) -> (usize, usize) {
    let down: usize = widths.iter().map(|width| 1 + width).sum();
    let up: usize = widths.iter().map(|width| 1 + (1 + width)).sum();
    (2 * (count - 1) * widths.len(), (count - 1) * (up + down))
}

/// A residual that is given back and made again: ranks without datapoints take part in its sums.
#[test]
fn a_residual_is_regained_on_all_ranks() {
    let direction = [0.6, 0.0, 0.8];
    // Seven ranks for two grains: some hold nothing.
    let case = Whole { centered: true, ..Whole::new(3, GRAIN + 10) };
    case.same_on_all_ranks(|problem| {
        let code = |i: usize| max(0.0, dot(&problem.data().datapoint(i), &direction));
        let codes = Matrix::from_fn(1, problem.len(), |_, i| code(i));
        let center = Some(vec![0.1, 0.2, 0.3]);
        let start = factorization(Matrix::from_columns(3, &[direction]), &codes, center).unwrap();
        let (residual, moved) = kernels::residual_regained(problem, &start);
        assert_eq!(residual.ncols(), problem.len());
        moved
    });
}

/// The table of `docs/scale.md`.
#[test]
fn messages_and_volume_are_those_of_the_model() {
    let case = Whole::new(3, 16 * GRAIN);
    let direction = [0.6, 0.0, 0.8];
    for count in [2, 4, 8] {
        let fixed = |widths: &[usize], job: &(dyn Fn(&Problem) + Sync)| {
            assert_eq!(sent(count, &case, job), said_of(count, widths), "{widths:?}");
        };
        fixed(&[1], &|problem| {
            let _ = bounds::wide_limit(problem);
        });
        fixed(&[4], &|problem| {
            let _ = wide::population(problem, None);
        });
        fixed(&[2], &|problem| {
            let _ = problem.gauge().value(&vec![0.5; problem.len()]);
        });
        fixed(&[6], &|problem| {
            let rows = vec![Row { indices: vec![0, 1], values: vec![1.0, 2.0] }; 3];
            let _ = Moments::of_rows(problem.share(), problem.data().weights(), &rows);
        });
        // What a proof sends beyond what its subject does: the products of the dual point come first.
        let proof = |widths: &[usize], prove: &(dyn Fn(&Subject<'_>) -> Option<Bound> + Sync)| {
            let of = |prove: &(dyn Fn(&Subject<'_>) -> Option<Bound> + Sync)| {
                sent(count, &case, |problem| {
                    let code = |i: usize| max(0.0, dot(&problem.data().datapoint(i), &direction));
                    let codes = Matrix::from_fn(1, problem.len(), |_, i| code(i));
                    let point = factorization(Matrix::from_columns(3, &[direction]), &codes, None).unwrap();
                    prove(&Subject::of(problem, &point).unwrap())
                })
            };
            let (all, before) = (of(prove), of(&|_| None));
            assert_eq!((all.0 - before.0, all.1 - before.1), said_of(count, widths), "{widths:?}");
        };
        proof(&[4, 1, 21, 1], &|subject| {
            let map = Matrix::from_columns(4, &[[0.0; 4], [0.6, 0.0, 0.8, 1.0]]);
            bounds::quartic(subject, &QuarticForm { map, form: Matrix::zeros(6, 6) })
        });
        proof(&[4, 1, 1, 37], &|subject| {
            let features = Matrix::from_fn(1, 4, |_, j| f64::from(u8::from(j == 0)));
            let dual = Matrix::from_fn(3, 6, |i, j| if j == i + 3 { 0.2 } else { 0.0 });
            bounds::squares(subject, &Squares { features, forms: Matrix::from_fn(2, 2, |_, _| 0.01), dual })
        });
        // Newton's passes are counted by the messages; the volume follows from their number.
        let newton = |first: usize, last: usize, job: &(dyn Fn(&Problem) + Sync)| {
            let (messages, words) = sent(count, &case, job);
            let passes = messages / (2 * (count - 1)) - 2;
            assert!(passes > 0);
            let widths: Vec<usize> =
                [first].into_iter().chain(std::iter::repeat_n(3, passes)).chain([last]).collect();
            assert_eq!((messages, words), said_of(count, &widths));
        };
        newton(1, 2, &|problem| {
            let _ = problem.gauge().polar_along(
                problem.data().datapoints(),
                &direction,
                &mut vec![0.0; problem.len()],
            );
        });
        // An atom with a code: its gauge, its image, its map.
        let (messages, words) = sent(count, &case, |problem| {
            let code = |i: usize| max(0.0, dot(&problem.data().datapoint(i), &direction));
            let codes = Matrix::from_fn(1, problem.len(), |_, i| code(i));
            let start = factorization(Matrix::from_columns(3, &[direction]), &codes, None).unwrap();
            let _ = kernels::short_steps(problem, &start);
        });
        let passes = vec![3; messages / (2 * (count - 1)) - 4];
        assert!(!passes.is_empty());
        assert_eq!((messages, words), said_of(count, &[&[2, 5, 1, 2], &passes[..]].concat()));
        newton(1, 2, &|problem| {
            let a = problem.data().sqrt_weights();
            let v: Vec<f64> =
                (0..problem.len()).map(|i| 2.0 * a[i] * problem.data().datapoint(i)[0].abs()).collect();
            assert!(problem.gauge().prox(&v, 1.0, 0.0, &mut vec![0.0; problem.len()]).gauge > 0.0);
        });
    }
}

/// A whole run sends P − 1 times as many messages as with two ranks.
#[test]
fn messages_of_a_run_grow_as_the_model_says() {
    let case = Whole { centered: true, ..Whole::new(3, 8 * GRAIN) };
    let solver = ColumnGeneration { gap_tolerance: 0.05, max_rounds: 4, ..Default::default() };
    let messages = |count: usize| sent(count, &case, |problem| solver.solve(problem).unwrap()).0;
    let two = messages(2);
    assert!(two > 100);
    for count in [3, 4, 8] {
        assert_eq!(messages(count), (count - 1) * two);
    }
}

/// Many datapoints: samples first.
#[test]
fn slow_samples_are_the_same_on_all_ranks() {
    let case = Whole { points: Whole::new(3, 17_000).points, ..Whole::new(3, 1) };
    let solver = ColumnGeneration { gap_tolerance: 0.05, max_rounds: 20, ..Default::default() };
    let answer = |ranks: Arc<dyn Reduce>| {
        let share = Share::of(ranks, 17_000);
        let mine: Vec<usize> = (share.first()..share.first() + share.len()).collect();
        let builder = Problem::builder(case.points.select_columns(&mine)).lambda(0.2).gamma(0.1);
        let problem = builder.spread(share).build().unwrap();
        solved(&problem, &solver.solve(&problem).unwrap())
    };
    let expected = answer(Arc::new(Alone));
    for count in [2, 3] {
        for found in on_ranks(count, |rank| answer(rank)) {
            assert_eq!(found, expected, "{count} ranks");
        }
    }
}
