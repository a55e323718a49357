//! The conic master over a fixed dictionary at M/N of ¼, ½, 1, 2, beside the
//! first-order one, and the semidefinite relaxation over N (feature `sdp`).

use std::hint::black_box;

use criterion::{BenchmarkId, Criterion, criterion_group, criterion_main};
use widedict::master::{Conic, Effort, Proximal};
use widedict::testing::planted;
use widedict::{Dictionary, Problem};

/// Dimension and datapoints: small enough that M = 2N takes a fraction of a second.
const SHAPE: (usize, usize) = (8, 16);

fn instance(atoms: usize) -> Result<(Problem, Dictionary), Box<dyn std::error::Error>> {
    let (dim, len) = SHAPE;
    let x = planted::mixture(dim, len, len, 2, 0.05, 1);
    let problem = Problem::builder(x).lambda(0.2).gamma(0.1).build()?;
    let (dictionary, _) = Dictionary::normalize(planted::gaussian(dim, atoms, 2))?;
    Ok((problem, dictionary))
}

fn masters(criterion: &mut Criterion) {
    let mut group = criterion.benchmark_group("codes over a dictionary");
    group.sample_size(10);
    for (name, atoms) in [("1_4", SHAPE.1 / 4), ("1_2", SHAPE.1 / 2), ("1", SHAPE.1), ("2", 2 * SHAPE.1)] {
        let (problem, dictionary) = instance(atoms).expect("a valid instance");
        group.bench_function(BenchmarkId::new("conic", name), |bench| {
            bench.iter(|| Conic::default().codes(black_box(&problem), &dictionary, &()));
        });
        let effort = Effort { max_sweeps: 5_000, decrease_tolerance: 1e-12 };
        group.bench_function(BenchmarkId::new("proximal", name), |bench| {
            bench.iter(|| Proximal.codes(black_box(&problem), &dictionary, effort, &()));
        });
    }
    group.finish();
}

#[cfg(feature = "sdp")]
fn relaxation(criterion: &mut Criterion) {
    use widedict::search::relaxation::Semidefinite;
    let mut group = criterion.benchmark_group("semidefinite relaxation");
    group.sample_size(10);
    for len in [5, 10, 20] {
        let x = planted::mixture(len, len, len, 2, 0.05, 1);
        let problem = Problem::builder(x).lambda(0.2).gamma(0.1).build().expect("a valid instance");
        group.bench_function(BenchmarkId::from_parameter(len), |bench| {
            bench.iter(|| Semidefinite::default().solve(black_box(&problem), &()));
        });
    }
    group.finish();
}

#[cfg(not(feature = "sdp"))]
fn relaxation(_: &mut Criterion) {}

criterion_group!(benches, masters, relaxation);
criterion_main!(benches);
