//! Codes over a fixed dictionary: a few active atoms a datapoint, M from n to 8n.

use std::hint::black_box;

use criterion::{BenchmarkId, Criterion, Throughput, criterion_group, criterion_main};
use widedict::Dictionary;
use widedict::coder::Coder;
use widedict::testing::planted;

/// Dimension and datapoints: the largest size takes a tenth of a second.
const SHAPE: (usize, usize) = (32, 500);

/// Atoms active in a datapoint.
const ACTIVE: usize = 4;

fn encode(criterion: &mut Criterion) {
    let (dim, len) = SHAPE;
    let mut group = criterion.benchmark_group("encode");
    group.sample_size(10);
    group.throughput(Throughput::Elements(len as u64));
    for atoms in [dim, 4 * dim, 8 * dim] {
        let points = planted::mixture(dim, len, atoms, ACTIVE, 0.02, 1);
        // Once with the atoms of the data, once with atoms that explain them badly.
        for (name, seed) in [("own", 1), ("other", 2)] {
            let (dictionary, _) =
                Dictionary::normalize(planted::gaussian(dim, atoms, seed)).expect("Gaussian atoms are not 0");
            group.bench_function(BenchmarkId::new(name, atoms), |bench| {
                bench.iter(|| Coder::default().encode(black_box(&points), &dictionary, 0.1, &()));
            });
        }
    }
    group.finish();
}

criterion_group!(benches, encode);
criterion_main!(benches);
