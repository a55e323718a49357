//! Atoms per datapoint from 1/32 to 2: the joint problem at γ = 0 (finite) and at
//! γ > 0 (block descent by the proximal map), on digits and on planted data.

use std::hint::black_box;

use criterion::{BenchmarkId, Criterion, criterion_group, criterion_main};
use widedict::testing::planted;
use widedict::{Finite, Matrix, Problem, datasets};

/// Datapoints: an eighth of the digits, so that all ratios take seconds.
const POINTS: usize = 224;

/// Ratios as (name, numerator, denominator).
const RATIOS: [(&str, usize, usize); 7] =
    [("1_32", 1, 32), ("1_16", 1, 16), ("1_8", 1, 8), ("1_4", 1, 4), ("1_2", 1, 2), ("1", 1, 1), ("2", 2, 1)];

/// The sets, each with its penalty.
fn data() -> [(&'static str, Matrix, f64); 2] {
    let digits = datasets::digits();
    let first = Matrix::from_fn(digits.nrows(), POINTS, |row, i| digits.get(row, i));
    [("digits", first, 0.3), ("planted", planted::mixture(32, POINTS, 48, 3, 0.05, 1), 0.1)]
}

fn ratios(criterion: &mut Criterion) {
    for (method, price) in [("finite", 0.0), ("proximal", 0.3)] {
        let mut group = criterion.benchmark_group(method);
        group.sample_size(10);
        for (set, points, lambda) in data() {
            let problem = Problem::builder(points)
                .lambda(lambda)
                .gamma(price * lambda)
                .build()
                .expect("finite data and positive penalties");
            for (name, numerator, denominator) in RATIOS {
                let width = (POINTS * numerator / denominator).max(1);
                // The local test has its own costs: see the certificate's benches.
                let finite = Finite { local: None, ..Finite::new(width) };
                group.bench_function(BenchmarkId::new(set, name), |bench| {
                    bench.iter(|| finite.solve(black_box(&problem)));
                });
            }
        }
        group.finish();
    }
}

criterion_group!(benches, ratios);
criterion_main!(benches);
