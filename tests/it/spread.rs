//! Data spread over ranks: what is computed of them has the same bytes for any number of ranks.

use std::sync::Arc;

use widedict::certificate::Options;
use widedict::reduce::{Alone, Reduce, Share};
use widedict::testing::ranks::on_ranks;
use widedict::{Certificate, ColumnGeneration, Factorization, Matrix, Problem, Solution, Witness, certify, wide};

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
    fn same_on_all_ranks<T: PartialEq + std::fmt::Debug + Send>(&self, answer: impl Fn(&Problem) -> T + Sync) {
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
fn column_generation() {
    for case in Whole::cases(4, 300) {
        if case.gamma > 0.0 {
            let solver = ColumnGeneration { gap_tolerance: 0.02, max_rounds: 12, ..Default::default() };
            case.same_on_all_ranks(|problem| solved(problem, &solver.solve(problem).unwrap()));
        }
    }
}
