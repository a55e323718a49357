//! The closed form with an atom a datapoint, in bytes of data a second, beside a copy
//! of the same data by as many threads.

use std::hint::black_box;

use criterion::{BenchmarkId, Criterion, Throughput, criterion_group, criterion_main};
use rayon::prelude::*;
use widedict::testing::planted;
use widedict::trusted::bounds;
use widedict::{Problem, wide};

/// Entries of the data: 128 MB, beyond any cache.
const ENTRIES: usize = 1 << 24;

/// Entries a thread copies at a time.
const COPIED: usize = 1 << 16;

/// `copy` reads the data and writes as much. `value` is the certified `F_∞`;
/// `population` also finds the active datapoints and their distinct directions;
/// `closed form` is the solution, its dictionary as large as the data, with its
/// certificate (fewer datapoints: it is bound by other things).
fn bandwidth(criterion: &mut Criterion) {
    let mut group = criterion.benchmark_group("wide");
    group.sample_size(10);
    for dim in [16, 64, 384] {
        let points = planted::gaussian(dim, ENTRIES / dim, 1);
        let mut copied = points.clone();
        let problem = Problem::builder(points).lambda(0.1).build().expect("finite data");
        let held = problem.data().datapoints().as_matrix();
        group.throughput(Throughput::Bytes(8 * ENTRIES as u64));
        group.bench_function(BenchmarkId::new("copy", dim), |bench| {
            bench.iter(|| {
                let from = held.as_slice().par_chunks(COPIED);
                let to = copied.as_mut_slice().par_chunks_mut(COPIED);
                from.zip(to).for_each(|(from, to)| to.copy_from_slice(black_box(from)));
            });
        });
        group.bench_function(BenchmarkId::new("value", dim), |bench| {
            bench.iter(|| bounds::wide_limit(black_box(&problem)));
        });
        group.bench_function(BenchmarkId::new("population", dim), |bench| {
            bench.iter(|| wide::population(black_box(&problem), None));
        });
    }
    group.finish();
    let mut group = criterion.benchmark_group("closed form");
    group.sample_size(10);
    for len in [1000, 2000, 4000, 8000] {
        let problem =
            Problem::builder(planted::gaussian(64, len, 1)).lambda(0.1).build().expect("finite data");
        group.throughput(Throughput::Bytes(8 * 64 * len as u64));
        group.bench_function(BenchmarkId::from_parameter(len), |bench| {
            bench.iter(|| wide::closed_form(black_box(&problem)));
        });
    }
    group.finish();
}

criterion_group!(benches, bandwidth);
criterion_main!(benches);
