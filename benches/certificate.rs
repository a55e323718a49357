//! What certificates cost: the bounds against the number of datapoints, the local
//! test against the number of variables.

use std::hint::black_box;

use criterion::{BenchmarkId, Criterion, criterion_group, criterion_main};
use widedict::certificate::{Options, certify};
use widedict::search::escape;
use widedict::search::quartic::Quartic;
use widedict::search::relaxation::Relaxation;
use widedict::testing::planted;
use widedict::trusted::{exact, local};
use widedict::{ColumnGeneration, Factorization, Finite, Problem, Witness};

/// Dimension of the planted data.
const DIM: usize = 16;

fn problem(points: usize, gamma: f64) -> Problem {
    let x = planted::mixture(DIM, points, 24, 3, 0.05, 1);
    Problem::builder(x).lambda(0.1).gamma(gamma).build().expect("finite data")
}

fn solved(problem: &Problem) -> Factorization {
    let settings = ColumnGeneration { gap_tolerance: 2e-2, ..ColumnGeneration::default() };
    settings.solve(problem).expect("solved").certified.into_parts().0
}

/// `fast` is the certificate of the bare point: objective, stationarity, one
/// n × n eigenvalue. `relaxation` is ten steps of the search for a split, `quartic` the whole
/// search for a form.
fn bounds(criterion: &mut Criterion) {
    let mut group = criterion.benchmark_group("bounds");
    group.sample_size(10);
    for points in [100, 200, 400, 800] {
        let problem = problem(points, 0.05);
        let point = solved(&problem);
        group.bench_function(BenchmarkId::new("fast", points), |bench| {
            bench.iter(|| certify(&problem, point.clone(), &Witness::none(), &Options::default()));
        });
        let search = Relaxation { max_iterations: 10, ..Relaxation::default() };
        group.bench_function(BenchmarkId::new("relaxation", points), |bench| {
            bench.iter(|| search.search(black_box(&problem), &point, &()));
        });
        group.bench_function(BenchmarkId::new("quartic", points), |bench| {
            let atoms = point.dictionary().matrix();
            bench.iter(|| Quartic::default().search(black_box(&problem), atoms, 0.0, &()));
        });
        let split = search.search(&problem, &point, &()).map(|found| found.split);
        let witness = Witness { split, ..Witness::none() };
        group.bench_function(BenchmarkId::new("proof of a split", points), |bench| {
            bench.iter(|| certify(&problem, point.clone(), black_box(&witness), &Options::default()));
        });
    }
    group.finish();
}

/// The exact polar in dimension 3, against the number of datapoints.
fn exact_polar(criterion: &mut Criterion) {
    let mut group = criterion.benchmark_group("exact");
    group.sample_size(10);
    for points in [8, 16, 32] {
        let x = planted::mixture(3, points, 5, 2, 0.05, 1);
        let problem = Problem::builder(x).lambda(0.1).gamma(0.05).build().expect("finite data");
        let point = solved(&problem);
        let options = Options { exact: Some(exact::Limits::default()), ..Options::default() };
        group.bench_function(BenchmarkId::from_parameter(points), |bench| {
            bench.iter(|| certify(&problem, point.clone(), &Witness::none(), black_box(&options)));
        });
    }
    group.finish();
}

/// The local certificate at γ = 0 against nM. In more dimensions nM grows and the pairs of
/// datapoints and atoms do not: their number is what the proof costs there.
fn second_order(criterion: &mut Criterion) {
    let mut group = criterion.benchmark_group("local certificate");
    group.sample_size(10);
    for (dim, width) in [(16, 8), (16, 16), (16, 32), (16, 64), (64, 64), (256, 64), (1024, 64)] {
        let x = planted::mixture(dim, 400, 24, 3, 0.05, 1);
        let problem = Problem::builder(x).lambda(0.1).build().expect("finite data");
        let settings = Finite { stationarity_tolerance: 1e-6, local: None, ..Finite::new(width) };
        let point = settings.solve(&problem).expect("solved").certified.into_parts().0;
        let limits = local::Limits::default();
        let options = Options { local: Some(limits), ..Options::default() };
        let pairs: usize = (0..problem.len()).map(|i| point.codes().column(i).nnz()).sum();
        let variables = dim * point.width();
        group.bench_function(BenchmarkId::new("variables", format!("{variables}, pairs {pairs}")), |bench| {
            bench.iter(|| {
                let curvature = escape::curvature(&problem, &point, &limits, &());
                certify(
                    &problem,
                    point.clone(),
                    &Witness { curvature, ..Witness::none() },
                    black_box(&options),
                )
            });
        });
    }
    group.finish();
}

criterion_group!(benches, bounds, exact_polar, second_order);
criterion_main!(benches);
