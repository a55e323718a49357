//! Dense vector kernels and the three products a first-order sweep is made of.
//!
//! Sums run over eight fixed lanes, so the compiler vectorizes them and the
//! result does not depend on the instruction set: no fused operations.

use pulp::Arch;
use rayon::prelude::*;

use super::{Columns, Matrix, Residual};
use crate::reduce::Share;

/// Lanes of the unrolled sums: one AVX-512 register, two of AVX2. Changing it
/// changes the last bits of every result.
pub(crate) const LANES: usize = 8;

/// Matrix entries one parallel task works on. For fewer, waking a thread costs more
/// than it saves; with ten times as many, small problems leave cores unused.
const CHUNK_ENTRIES: usize = 1 << 16;

/// Runs `f` compiled for the best instruction set of this machine.
#[inline(always)]
pub(crate) fn simd<R>(f: impl FnOnce() -> R) -> R {
    Arch::new().dispatch(f)
}

/// `aᵀb`. Of slices of different lengths, the rest of the longer one is ignored.
#[inline(always)]
#[must_use]
pub fn dot(a: &[f64], b: &[f64]) -> f64 {
    let mut lanes = [0.0; LANES];
    let (a8, a_rest) = a.as_chunks::<LANES>();
    let (b8, b_rest) = b.as_chunks::<LANES>();
    for (x, y) in a8.iter().zip(b8) {
        for l in 0..LANES {
            lanes[l] += x[l] * y[l];
        }
    }
    let mut sum = fold(lanes);
    for (x, y) in a_rest.iter().zip(b_rest) {
        sum += x * y;
    }
    sum
}

/// Columns whose inner products with one vector are formed at once: their sums fill half of
/// the registers of AVX2, and the vector is read once.
const ABREAST: usize = 4;

/// Writes `a_kᵀb` for the columns k of a matrix: [`dot`] of each, to the bit.
#[inline(always)]
pub(crate) fn dots(matrix: &Matrix, columns: &[usize], b: &[f64], out: &mut [f64]) {
    let out = &mut out[..columns.len()];
    let (groups, rest) = columns.as_chunks::<ABREAST>();
    let (group_values, rest_values) = out.as_chunks_mut::<ABREAST>();
    for (group, values) in groups.iter().zip(group_values) {
        *values = dots_abreast(group.map(|k| matrix.col(k)), b);
    }
    for (&k, value) in rest.iter().zip(rest_values) {
        *value = dot(matrix.col(k), b);
    }
}

#[inline(always)]
fn dots_abreast(a: [&[f64]; ABREAST], b: &[f64]) -> [f64; ABREAST] {
    let (b8, b_rest) = b.as_chunks::<LANES>();
    let split = a.map(|a| a[..b.len()].as_chunks::<LANES>());
    let [a0, a1, a2, a3] = split.map(|(a8, _)| a8);
    let mut lanes = [[0.0; LANES]; ABREAST];
    for ((((y, x0), x1), x2), x3) in b8.iter().zip(a0).zip(a1).zip(a2).zip(a3) {
        for l in 0..LANES {
            lanes[0][l] += x0[l] * y[l];
            lanes[1][l] += x1[l] * y[l];
            lanes[2][l] += x2[l] * y[l];
            lanes[3][l] += x3[l] * y[l];
        }
    }
    let mut sums = lanes.map(fold);
    for (sum, (_, a_rest)) in sums.iter_mut().zip(split) {
        for (x, y) in a_rest.iter().zip(b_rest) {
            *sum += x * y;
        }
    }
    sums
}

/// `‖a − b‖`.
#[inline(always)]
pub(crate) fn distance(a: &[f64], b: &[f64]) -> f64 {
    let mut lanes = [0.0; LANES];
    let (a8, a_rest) = a.as_chunks::<LANES>();
    let (b8, b_rest) = b.as_chunks::<LANES>();
    for (x, y) in a8.iter().zip(b8) {
        for l in 0..LANES {
            lanes[l] += (x[l] - y[l]) * (x[l] - y[l]);
        }
    }
    let mut sum = fold(lanes);
    for (x, y) in a_rest.iter().zip(b_rest) {
        sum += (x - y) * (x - y);
    }
    sum.sqrt()
}

/// Sum of the lanes, pairwise.
#[inline(always)]
fn fold(v: [f64; LANES]) -> f64 {
    let v = opaque(v);
    ((v[0] + v[4]) + (v[2] + v[6])) + ((v[1] + v[5]) + (v[3] + v[7]))
}

/// Hides the lanes from LLVM, which would pack them in pairs at half the speed because
/// [`fold`] adds them in pairs.
#[inline(always)]
pub(crate) fn opaque(lanes: [f64; LANES]) -> [f64; LANES] {
    std::hint::black_box(lanes)
}

/// `‖a‖²`.
#[inline(always)]
#[must_use]
pub fn norm_sq(a: &[f64]) -> f64 {
    dot(a, a)
}

/// `‖a‖`.
#[inline(always)]
#[must_use]
pub fn norm(a: &[f64]) -> f64 {
    norm_sq(a).sqrt()
}

/// `‖a − b‖²`.
#[must_use]
pub fn distance_sq(a: &[f64], b: &[f64]) -> f64 {
    a.iter().zip(b).map(|(x, y)| (x - y) * (x - y)).sum()
}

/// The midpoint of two vectors, if it is one of floating-point numbers.
pub(crate) fn exact_midpoint(c: &[f64], d: &[f64]) -> Option<Vec<f64>> {
    c.iter()
        .zip(d)
        .map(|(&a, &b)| {
            let sum = a + b;
            let rest = sum - a;
            let error = (a - (sum - rest)) + (b - rest);
            let halved = 0.5 * sum;
            (error == 0.0 && 2.0 * halved - sum == 0.0).then_some(halved)
        })
        .collect()
}

/// The largest `|vᵢ|` of finite numbers; 0 of none.
#[inline(always)]
pub(crate) fn largest_magnitude(values: &[f64]) -> f64 {
    let mut lanes = [0.0; LANES];
    let (chunks, rest) = values.as_chunks::<LANES>();
    for chunk in chunks {
        for l in 0..LANES {
            let size = chunk[l].abs();
            lanes[l] = if size > lanes[l] { size } else { lanes[l] };
        }
    }
    opaque(lanes).iter().copied().chain(rest.iter().map(|v| v.abs())).fold(0.0, crate::num::max)
}

/// `y += c · x`.
#[inline(always)]
pub fn axpy(c: f64, x: &[f64], y: &mut [f64]) {
    for (y, x) in y.iter_mut().zip(x) {
        *y += c * x;
    }
}

/// [`axpy`] of vectors that are whole chunks of lanes: for short ones, whose rests would take
/// longer than they do.
#[inline(always)]
pub(crate) fn axpy_lanes(c: f64, x: &[[f64; LANES]], y: &mut [[f64; LANES]]) {
    for (y, x) in y.iter_mut().zip(x) {
        // Read before anything is written, or the compiler fears that they overlap.
        let (mut sum, x) = (*y, *x);
        for l in 0..LANES {
            sum[l] += c * x[l];
        }
        *y = sum;
    }
}

/// `y += Σ_j c_j x_j` for the columns j of a matrix: [`axpy`] of each in turn, to the bit,
/// but `y` is read and written once for four of them.
#[inline(always)]
pub(crate) fn axpys(terms: &[(usize, f64)], matrix: &Matrix, y: &mut [f64]) {
    let (groups, rest) = terms.as_chunks::<ABREAST>();
    for group in groups {
        let [a, b, c, d] = group.map(|(k, _)| matrix.col(k));
        let [p, q, r, s] = group.map(|(_, value)| value);
        for ((((y, a), b), c), d) in y.iter_mut().zip(a).zip(b).zip(c).zip(d) {
            *y = (((*y + p * a) + q * b) + r * c) + s * d;
        }
    }
    for &(k, value) in rest {
        axpy(value, matrix.col(k), y);
    }
}

/// Columns a parallel task works on, for columns of `rows` entries. It depends on the
/// shape alone, so that sums do not depend on the number of threads.
pub(crate) fn chunk_columns(rows: usize) -> usize {
    (CHUNK_ENTRIES / rows.max(1)).max(1)
}

/// `out_i = R_iᵀ d` for every column i. O(nN).
pub(crate) fn correlate(columns: &dyn Columns, direction: &[f64], out: &mut [f64]) {
    let rows = columns.nrows();
    let chunk = chunk_columns(rows);
    let work = |data: &[f64], out: &mut [f64]| {
        simd(
            #[inline(always)]
            || {
                for (column, value) in data.chunks_exact(rows).zip(out) {
                    *value = dot(column, direction);
                }
            },
        );
    };
    if columns.ncols() <= chunk {
        work(&columns.run(0..columns.ncols()), out);
    } else {
        out.par_chunks_mut(chunk).enumerate().for_each(|(c, out)| {
            work(&columns.run(c * chunk..c * chunk + out.len()), out);
        });
    }
}

/// `out = Σ_i z_i R_i`, skipping zero coefficients. O(n · nnz).
pub(crate) fn combine(matrix: &Matrix, coefficients: &[f64], out: &mut [f64]) {
    let rows = matrix.nrows();
    let chunk = chunk_columns(rows);
    let work = |data: &[f64], z: &[f64], out: &mut [f64]| {
        simd(
            #[inline(always)]
            || {
                for (column, &c) in data.chunks_exact(rows).zip(z) {
                    if c != 0.0 {
                        axpy(c, column, out);
                    }
                }
            },
        );
    };
    out.fill(0.0);
    if matrix.ncols() <= chunk {
        work(matrix.as_slice(), coefficients, out);
    } else {
        let partial: Vec<Vec<f64>> = matrix
            .as_slice()
            .par_chunks(chunk * rows)
            .zip(coefficients.par_chunks(chunk))
            .map(|(d, z)| {
                let mut sum = vec![0.0; rows];
                work(d, z, &mut sum);
                sum
            })
            .collect();
        for sum in &partial {
            axpy(1.0, sum, out);
        }
    }
}

/// `Σ_i z_i R_i` over the datapoints of all ranks, skipping zero coefficients. O(n · nnz).
pub(crate) fn combine_all(share: &Share, columns: &dyn Columns, coefficients: &[f64]) -> Vec<f64> {
    let rows = columns.nrows();
    share.sum(rows, chunk_columns(rows), |run| {
        let mut sum = vec![0.0; rows];
        let data = columns.run(run.clone());
        simd(
            #[inline(always)]
            || {
                for (column, &c) in data.chunks_exact(rows).zip(&coefficients[run]) {
                    if c != 0.0 {
                        axpy(c, column, &mut sum);
                    }
                }
            },
        );
        sum
    })
}

/// `xᵀy` over the datapoints of all ranks.
pub(crate) fn dot_all(share: &Share, x: &[f64], y: &[f64]) -> f64 {
    let [sum] = share.sums(|run| [dot(&x[run.clone()], &y[run])]);
    sum
}

/// `Σᵢ wᵢrᵢ` over the datapoints of all ranks, and `Σᵢ wᵢ‖rᵢ‖`. O(nN).
pub(crate) fn weighted_mean(share: &Share, columns: &dyn Columns, weights: &[f64]) -> (Vec<f64>, f64) {
    let n = columns.nrows();
    let mut sums = share.sum(n + 1, usize::MAX, |run| {
        let mut sums = vec![0.0; n + 1];
        for i in run {
            let column = columns.column(i);
            axpy(weights[i], &column, &mut sums[..n]);
            sums[n] += weights[i] * norm(&column);
        }
        sums
    });
    let size = sums.pop().unwrap_or_default();
    (sums, size)
}

/// `‖R‖²_F` over the datapoints of all ranks, summed a column at a time in order.
pub(crate) fn sum_of_squares(share: &Share, columns: &dyn Columns) -> f64 {
    let rows = columns.nrows();
    let [sum] = share.sums(|run| [columns.run(run).chunks_exact(rows).map(norm_sq).sum()]);
    sum
}

/// `R += old · z_oldᵀ − new · z_newᵀ`: replaces one atom in a residual. O(n · nnz).
pub(crate) fn replace_outer(
    share: &Share,
    residual: &mut Residual,
    old: &[f64],
    z_old: &[f64],
    new: &[f64],
    z_new: &[f64],
) {
    let rows = residual.nrows();
    let work = |data: &mut [f64], z_old: &[f64], z_new: &[f64]| {
        simd(
            #[inline(always)]
            || {
                for ((column, &p), &q) in data.chunks_exact_mut(rows).zip(z_old).zip(z_new) {
                    if p != 0.0 && q != 0.0 {
                        for ((r, o), n) in column.iter_mut().zip(old).zip(new) {
                            *r += p * o - q * n;
                        }
                    } else if p != 0.0 {
                        axpy(p, old, column);
                    } else if q != 0.0 {
                        axpy(-q, new, column);
                    }
                }
            },
        );
    };
    residual.change(share, chunk_columns(rows), |run, block| {
        work(block, &z_old[run.clone()], &z_new[run]);
    });
}
