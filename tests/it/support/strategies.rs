//! Proptest strategies, biased to trouble. Free functions; every random choice
//! is the strategy's, so that a failure replays and shrinks.

use proptest::collection::vec;
use proptest::prelude::*;
use widedict::testing;
use widedict::{Factorization, Matrix, Problem};

/// Units in the last place between a number and its near neighbor.
const NEIGHBOR: i64 = 32;

/// `x` moved by `ulps` representable numbers; zeros and infinities stay.
pub(crate) fn nudged(x: f64, ulps: i64) -> f64 {
    let mut out = x;
    for _ in 0..ulps.unsigned_abs() {
        if out != 0.0 && out.is_finite() {
            out = if ulps > 0 { out.next_up() } else { out.next_down() };
        }
    }
    out
}

/// A power of ten, with an exponent spread evenly over a range.
pub(crate) fn decades(from: f64, to: f64) -> impl Strategy<Value = f64> {
    (from..to).prop_map(|e| 10.0_f64.powf(e))
}

/// Positive weights: equal, similar, or twelve decades apart.
pub(crate) fn weights(len: usize) -> BoxedStrategy<Vec<f64>> {
    prop_oneof![
        2 => Just(vec![1.0; len]),
        2 => vec(0.1..1.0, len),
        1 => vec(decades(-12.0, 0.0), len),
    ]
    .boxed()
}

/// λ and γ for data of size 1: moderate, one of them 0, or with a ratio of up to
/// twelve decades either way.
pub(crate) fn penalties() -> BoxedStrategy<(f64, f64)> {
    prop_oneof![
        4 => (0.01..1.0, 0.01..1.0),
        1 => (0.01..1.0_f64).prop_map(|l| (l, 0.0)),
        1 => (0.01..1.0_f64).prop_map(|g| (0.0, g)),
        1 => (0.01..1.0, decades(-12.0, 0.0)).prop_map(|(l, r)| (l, l * r)),
        1 => (0.01..1.0, decades(-12.0, 0.0)).prop_map(|(g, r)| (g * r, g)),
        1 => (0.01..1.0, prop_oneof![Just(1e-8), Just(1e8)]).prop_map(|(l, r)| (l, l * r)),
    ]
    .boxed()
}

/// Penalties at which plain arithmetic is accurate.
pub(crate) fn moderate_penalties() -> BoxedStrategy<(f64, f64)> {
    prop_oneof![
        3 => (0.05..1.0, 0.05..1.0),
        1 => (0.05..1.0, decades(-3.0, 0.0)).prop_map(|(l, r)| (l, l * r)),
        1 => (0.05..1.0, decades(-3.0, 0.0)).prop_map(|(g, r)| (g * r, g)),
    ]
    .boxed()
}

/// One vector for the gauge, with its square-root weights and penalties.
#[derive(Clone, Debug)]
pub(crate) struct GaugeCase {
    pub(crate) a: Vec<f64>,
    pub(crate) v: Vec<f64>,
    pub(crate) lambda: f64,
    pub(crate) gamma: f64,
}

/// What an entry of `v` is made of: how its ratio `vᵢ/aᵢ` relates to the others.
#[derive(Clone, Debug)]
enum Ratio {
    Fresh(f64),
    Tie(usize),
    Neighbor(usize, i64),
    Close(usize, f64),
    Zero,
    Negative(f64),
    Tiny(f64),
}

fn ratio() -> impl Strategy<Value = Ratio> {
    prop_oneof![
        6 => (0.0..1.0).prop_map(Ratio::Fresh),
        2 => any::<prop::sample::Index>().prop_map(|i| Ratio::Tie(i.index(64))),
        2 => (0..64_usize, -NEIGHBOR..=NEIGHBOR).prop_map(|(i, u)| Ratio::Neighbor(i, u)),
        2 => (0..64_usize, decades(-12.0, -1.0)).prop_map(|(i, e)| Ratio::Close(i, e)),
        1 => Just(Ratio::Zero),
        2 => (0.0..1.0).prop_map(Ratio::Negative),
        1 => decades(-140.0, -3.0).prop_map(Ratio::Tiny),
    ]
}

/// Vectors whose ratios `vᵢ/aᵢ` are spread, tied, 32 ulps or a small relative
/// distance apart, zero, negative or tiny.
pub(crate) fn vectors(a: Vec<f64>) -> BoxedStrategy<Vec<f64>> {
    vec(ratio(), a.len())
        .prop_map(move |kinds| {
            let mut ratios: Vec<f64> = Vec::with_capacity(kinds.len());
            for kind in kinds {
                let earlier = |i: usize| {
                    if ratios.is_empty() { 0.5 } else { ratios[i % ratios.len()] }
                };
                let value = match kind {
                    Ratio::Fresh(q) | Ratio::Tiny(q) => q,
                    Ratio::Tie(i) => earlier(i),
                    Ratio::Neighbor(i, ulps) => nudged(earlier(i), ulps),
                    Ratio::Close(i, e) => earlier(i) * (1.0 - e),
                    Ratio::Zero => 0.0,
                    Ratio::Negative(q) => -q,
                };
                ratios.push(value);
            }
            ratios.iter().zip(&a).map(|(q, a)| q * a).collect()
        })
        .boxed()
}

/// Square-root weights of `1..=largest` datapoints.
pub(crate) fn sqrt_weights(largest: usize) -> BoxedStrategy<Vec<f64>> {
    (1..=largest)
        .prop_flat_map(weights)
        .prop_map(|w| {
            let total: f64 = w.iter().sum();
            w.iter().map(|w| (w / total).sqrt()).collect()
        })
        .boxed()
}

/// A vector for the gauge under the given penalties.
pub(crate) fn gauge_cases(largest: usize, penalties: BoxedStrategy<(f64, f64)>) -> BoxedStrategy<GaugeCase> {
    (sqrt_weights(largest), penalties)
        .prop_flat_map(|(a, (lambda, gamma))| {
            vectors(a.clone()).prop_map(move |v| GaugeCase { a: a.clone(), v, lambda, gamma })
        })
        .boxed()
}

/// How a datapoint or an atom relates to the earlier ones.
#[derive(Clone, Debug)]
enum Kind {
    Fresh,
    Copy(usize),
    Neighbor(usize, i64),
    Near(usize, f64),
    Antipode(usize),
    Collinear(usize, f64),
    Zero,
    Small(f64),
}

fn kind() -> impl Strategy<Value = Kind> {
    prop_oneof![
        8 => Just(Kind::Fresh),
        1 => (0..64_usize).prop_map(Kind::Copy),
        1 => (0..64_usize, -NEIGHBOR..=NEIGHBOR).prop_map(|(i, u)| Kind::Neighbor(i, u)),
        1 => (0..64_usize, decades(-10.0, -2.0)).prop_map(|(i, e)| Kind::Near(i, e)),
        1 => (0..64_usize).prop_map(Kind::Antipode),
        1 => (0..64_usize, 0.1..3.0).prop_map(|(i, c)| Kind::Collinear(i, c)),
        1 => Just(Kind::Zero),
        1 => decades(-12.0, -1.0).prop_map(Kind::Small),
    ]
}

fn columns(dim: usize, len: usize) -> impl Strategy<Value = Vec<Vec<f64>>> {
    vec((kind(), vec(-1.0..1.0, dim)), len).prop_map(|specification| {
        let mut out: Vec<Vec<f64>> = Vec::with_capacity(specification.len());
        for (kind, fresh) in specification {
            let earlier = |i: usize| if out.is_empty() { &fresh } else { &out[i % out.len()] };
            let column = match kind {
                Kind::Fresh => fresh,
                Kind::Copy(i) => earlier(i).clone(),
                Kind::Neighbor(i, ulps) => earlier(i).iter().map(|x| nudged(*x, ulps)).collect(),
                Kind::Near(i, e) => earlier(i).iter().zip(&fresh).map(|(x, f)| x + e * f).collect(),
                Kind::Antipode(i) => earlier(i).iter().map(|x| -x).collect(),
                Kind::Collinear(i, c) => earlier(i).iter().map(|x| c * x).collect(),
                Kind::Zero => vec![0.0; fresh.len()],
                Kind::Small(e) => fresh.iter().map(|f| e * f).collect(),
            };
            out.push(column);
        }
        out
    })
}

/// Sizes of the data: mostly 1, sometimes a hundred decades away.
fn sizes() -> impl Strategy<Value = f64> {
    prop_oneof![6 => Just(1.0), 2 => decades(-6.0, 6.0), 1 => Just(1e-100), 1 => Just(1e100)]
}

/// What sizes a generated problem may have.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Limits {
    pub(crate) dim: usize,
    pub(crate) points: usize,
    pub(crate) atoms: usize,
}

impl Default for Limits {
    fn default() -> Self {
        Self { dim: 4, points: 8, atoms: 4 }
    }
}

/// Problems with and without a center, with data and penalties of any size.
pub(crate) fn problems(limits: Limits, penalties: BoxedStrategy<(f64, f64)>) -> BoxedStrategy<Problem> {
    (1..=limits.dim, 1..=limits.points)
        .prop_flat_map(move |(dim, len)| {
            (columns(dim, len), weights(len), penalties.clone(), sizes(), prop::bool::weighted(0.3))
        })
        .prop_map(|(points, weights, (lambda, gamma), size, centered)| {
            let mut x = Matrix::from_columns(points[0].len(), &points);
            x.as_mut_slice().iter_mut().for_each(|v| *v *= size);
            Problem::builder(x)
                .weights(weights)
                .lambda(lambda * size)
                .gamma(gamma * size)
                .centered(centered)
                .build()
                .expect("a valid problem")
        })
        .boxed()
}

/// The largest magnitude of the data, 1 if all are 0.
pub(crate) fn data_size(problem: &Problem) -> f64 {
    let largest = problem
        .data()
        .datapoints()
        .as_matrix()
        .as_slice()
        .iter()
        .fold(0.0, |m, v| widedict::num::max(m, v.abs()));
    if largest > 0.0 { largest } else { 1.0 }
}

/// A feasible point: atoms that repeat, nearly repeat or oppose each other and
/// the data; codes with many zeros, nested supports and dead atoms; a center
/// where the problem has one.
pub(crate) fn feasible(problem: Problem, limits: Limits) -> BoxedStrategy<(Problem, Factorization)> {
    let (dim, len) = (problem.dim(), problem.len());
    let entry = prop_oneof![
        3 => Just(0.0),
        4 => 0.0..1.0_f64,
        1 => decades(-14.0, -2.0),
    ];
    (0..=limits.atoms)
        .prop_flat_map(move |atoms| {
            (
                columns(dim, len + atoms),
                vec(any::<Option<prop::sample::Index>>(), atoms),
                vec(vec(entry.clone(), len), atoms),
                vec(prop::option::weighted(0.3, 0..64_usize), atoms),
                prop::option::of(vec(-1.0..1.0, dim)),
            )
        })
        .prop_map(move |(directions, from_data, mut rows, nested, center)| {
            let size = data_size(&problem);
            let fallback = |j: usize| if j == 0 { 1.0 } else { 0.0 };
            let mut atoms = Vec::with_capacity(rows.len());
            for (k, from) in from_data.iter().enumerate() {
                let wanted = match from {
                    Some(index) => problem.data().datapoint(index.index(len)).to_vec(),
                    None => directions[len + k].clone(),
                };
                let nonzero = wanted.iter().any(|v| v.abs() > 0.0);
                atoms.push(if nonzero { wanted } else { (0..dim).map(fallback).collect() });
            }
            for k in 1..rows.len() {
                if let Some(other) = nested[k] {
                    let keep: Vec<bool> = rows[other % k].iter().map(|z| *z > 0.0).collect();
                    rows[k].iter_mut().zip(keep).for_each(|(z, keep)| {
                        if !keep {
                            *z = 0.0;
                        }
                    });
                }
            }
            let codes = Matrix::from_fn(rows.len(), len, |k, i| rows[k][i] * size);
            let center = center
                .filter(|_| problem.centered())
                .map(|b| b.iter().map(|v| v * size).collect::<Vec<f64>>());
            let point = testing::factorization(Matrix::from_columns(dim, &atoms), &codes, center)
                .expect("a feasible point");
            (problem.clone(), point)
        })
        .boxed()
}

/// A problem with a feasible point.
pub(crate) fn feasible_points(
    limits: Limits,
    penalties: BoxedStrategy<(f64, f64)>,
) -> BoxedStrategy<(Problem, Factorization)> {
    problems(limits, penalties).prop_flat_map(move |problem| feasible(problem, limits)).boxed()
}

/// Small symmetric matrices with entries that are multiples of 1/8, some of them
/// singular or nearly so.
pub(crate) fn symmetric(largest: usize) -> BoxedStrategy<Matrix> {
    (1..=largest)
        .prop_flat_map(|n| (Just(n), vec(-16_i32..=16, n * n), 0..3_u8, decades(-18.0, 0.0)))
        .prop_map(|(n, entries, form, shift)| {
            let g = |i: usize, j: usize| f64::from(entries[i * n + j]) / 8.0;
            Matrix::from_fn(n, n, |i, j| {
                let rank = if form == 1 { n.div_ceil(2) } else { n };
                let gram: f64 = (0..rank).map(|k| g(k, i) * g(k, j)).sum();
                match form {
                    2 => 0.5 * (g(i, j) + g(j, i)),
                    _ if i == j => gram + shift,
                    _ => gram,
                }
            })
        })
        .boxed()
}

mod tests {
    //! The generators produce the trouble they are there for.

    use proptest::strategy::ValueTree;
    use proptest::test_runner::TestRunner;

    use super::*;

    fn sample<S: Strategy>(strategy: &S, count: usize) -> Vec<S::Value> {
        let mut runner = TestRunner::deterministic();
        (0..count).map(|_| strategy.new_tree(&mut runner).expect("a value").current()).collect()
    }

    fn seen<T>(what: &str, values: &[T], test: impl Fn(&T) -> bool) {
        let count = values.iter().filter(|v| test(v)).count();
        assert!(count * 100 >= values.len(), "{what}: {count} of {}", values.len());
    }

    #[test]
    fn vectors_for_the_gauge_have_their_trouble() {
        let cases = sample(&gauge_cases(8, penalties()), 3000);
        let ratios = |c: &GaugeCase| -> Vec<f64> { c.v.iter().zip(&c.a).map(|(v, a)| v / a).collect() };
        let pair = |c: &GaugeCase, test: fn(f64, f64) -> bool| {
            let q = ratios(c);
            (0..q.len()).any(|j| (0..j).any(|i| q[i] > 0.0 && q[j] > 0.0 && test(q[i], q[j])))
        };
        seen("ties", &cases, |c| pair(c, |p, q| p == q));
        seen("neighbors", &cases, |c| pair(c, |p, q| p != q && (p - q).abs() <= 64.0 * f64::EPSILON * p));
        seen("close", &cases, |c| pair(c, |p, q| p != q && (p - q).abs() <= 1e-6 * p));
        seen("nothing positive", &cases, |c| c.v.iter().all(|v| *v <= 0.0));
        seen("a zero", &cases, |c| c.v.contains(&0.0));
        seen("tiny entries", &cases, |c| c.v.iter().any(|v| *v > 0.0 && *v < 1e-50));
        seen("lambda 0", &cases, |c| c.lambda == 0.0);
        seen("gamma 0", &cases, |c| c.gamma == 0.0);
        seen("gamma far below", &cases, |c| c.gamma > 0.0 && c.gamma < 1e-7 * c.lambda);
        seen("lambda far below", &cases, |c| c.lambda > 0.0 && c.lambda < 1e-7 * c.gamma);
        seen("weights far apart", &cases, |c| c.a.iter().any(|a| c.a.iter().any(|b| *a < 1e-4 * b)));
        seen("one point", &cases, |c| c.a.len() == 1);
        assert!(cases.iter().all(|c| c.a.iter().all(|a| *a > 0.0) && c.lambda + c.gamma > 0.0));
    }

    #[test]
    fn problems_have_their_trouble() {
        let problems = sample(&problems(Limits::default(), penalties()), 3000);
        let pair = |p: &Problem, test: &dyn Fn(&[f64], &[f64]) -> bool| {
            let x = p.data().datapoints();
            let zero = |c: &[f64]| c.iter().all(|v| *v == 0.0);
            (0..x.ncols())
                .any(|j| (0..j).any(|i| !zero(&x.col(i)) && !zero(&x.col(j)) && test(&x.col(i), &x.col(j))))
        };
        seen("duplicates", &problems, |p| pair(p, &|x, y| x == y));
        seen("antipodes", &problems, |p| pair(p, &|x, y| x.iter().zip(y).all(|(x, y)| *x == -*y)));
        seen("near duplicates", &problems, |p| {
            pair(p, &|x, y| x != y && x.iter().zip(y).all(|(x, y)| (x - y).abs() <= 1e-12 * x.abs()))
        });
        seen("zero points", &problems, |p| {
            p.data().datapoints().columns().any(|x| x.iter().all(|v| *v == 0.0))
        });
        seen("huge", &problems, |p| data_size(p) > 1e90);
        seen("small", &problems, |p| data_size(p) < 1e-90);
        seen("a center", &problems, Problem::centered);
        seen("one point", &problems, |p| p.len() == 1);
        seen("one dimension", &problems, |p| p.dim() == 1);
        seen("short points", &problems, |p| {
            p.data().datapoints().columns().any(|x| testing::naive::length(&x) < p.lambda())
        });
    }

    #[test]
    fn feasible_points_have_their_trouble() {
        let points = sample(&feasible_points(Limits::default(), penalties()), 3000);
        let rows = |p: &Factorization| p.codes().rows();
        seen("dead atoms", &points, |(_, p)| rows(p).iter().any(widedict::linalg::Row::is_empty));
        seen("no atoms", &points, |(_, p)| p.width() == 0);
        seen("a center", &points, |(_, p)| p.center().is_some());
        seen("a center left out", &points, |(q, p)| q.centered() && p.center().is_none());
        seen("repeated atoms", &points, |(_, p)| {
            (0..p.width()).any(|j| (0..j).any(|i| p.dictionary().atom(i) == p.dictionary().atom(j)))
        });
        seen("nested supports", &points, |(_, p)| {
            let rows = rows(p);
            (0..rows.len()).any(|j| {
                (0..rows.len()).any(|i| {
                    i != j
                        && !rows[i].is_empty()
                        && rows[i].len() < rows[j].len()
                        && rows[i].indices.iter().all(|at| rows[j].indices.contains(at))
                })
            })
        });
    }

    #[test]
    fn nudging_moves_by_representable_numbers() {
        assert_eq!(nudged(1.0, 1), 1.0 + f64::EPSILON);
        assert_eq!(nudged(nudged(0.3, 32), -32), 0.3);
        assert_eq!(nudged(0.0, 32), 0.0);
    }
}
