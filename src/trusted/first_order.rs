//! Stationarity residuals (theorem `stationarity`).
//!
//! ```math
//! \text{codes: } d_k^\top r_i \le \frac{\lambda^2 s_k+\gamma^2 z_{ki}}{g(z_k)},\ \text{equality where } z_{ki}>0;\qquad
//! \text{atoms: } \sum_i w_iz_{ki}r_i=g(z_k)\,d_k;\qquad
//! \text{center: } \sum_i w_ir_i=0 .
//! ```
//!
//! At γ = 0 the right-hand side of the first is λ. An atom without codes asks
//! for `g°(R̃ᵀd_k) ≤ 1` instead. `DᵀR` is formed a tile at a time.

use std::borrow::Cow;
use std::ops::Range;

use rayon::prelude::*;
use serde::{Deserialize, Serialize};

use super::Subject;
use crate::gauge::Moments;
use crate::linalg::{Columns, Row, axpy, dot, fold_tiles, norm, weighted_mean};
use crate::num::{max, rounding};

/// A violation and the size it is compared with, both in units of the gradient.
#[derive(Clone, Copy, Debug, PartialEq, Serialize, Deserialize)]
pub struct Residual {
    /// Largest violation.
    pub value: f64,
    /// Natural size: `value / scale` is relative.
    pub scale: f64,
    /// What rounding alone may make of an exact 0, from above: below it `value` says
    /// nothing.
    #[serde(skip)]
    pub noise: f64,
}

impl Residual {
    /// `value / scale`, and 0 where rounding explains the value; infinite where both
    /// overflow, which says nothing.
    #[must_use]
    pub fn relative(self) -> f64 {
        let relative = self.value / self.scale;
        if self.value <= self.noise {
            0.0
        } else if relative.is_nan() {
            f64::INFINITY
        } else {
            relative
        }
    }

    /// Whether the relative residual is above a tolerance beyond what rounding explains.
    #[must_use]
    pub fn violates(self, tolerance: f64) -> bool {
        self.value - self.noise > tolerance * self.scale
    }
}

/// Stationarity of a point in its three groups of variables.
#[derive(Clone, Copy, Debug, PartialEq, Serialize, Deserialize)]
pub struct Kkt {
    /// Per unit weight; the scale is the largest mean slope `g(z_k)/s_k` (λ at γ = 0).
    pub codes: Residual,
    /// The scale is the largest `g(z_k)`.
    pub dictionary: Residual,
    /// `‖Σ wᵢrᵢ‖` against `Σ wᵢ‖rᵢ‖`; zero when no center is learnt.
    pub center: Residual,
}

impl Kkt {
    /// The largest of the three relative residuals.
    #[must_use]
    pub fn relative(&self) -> f64 {
        max(self.codes.relative(), max(self.dictionary.relative(), self.center.relative()))
    }
}

/// Slack on `‖rᵢ‖ ≤ λ` within which atoms that a datapoint does not use cannot be violated
/// beyond rounding, relative to λ and the lengths of datapoint and center. What is within
/// it is reported as violated by that rounding. Ten times more would report more than
/// there is, ten times less would send rounded optima to the slow path.
const SHORT: f64 = 64.0 * f64::EPSILON;

/// The stationarity residuals of a subject. O(nMN) time, O(nN + nnz) where γ = 0 and no
/// residual is longer than λ; memory of the input's size.
#[must_use]
pub fn residuals(subject: &Subject<'_>) -> Kkt {
    let problem = subject.problem();
    let prices: Vec<f64> = (0..subject.rows().len()).map(|k| subject.price(k)).collect();
    let slopes = prices.iter().zip(subject.moments()).filter(|(_, m)| m.mass > 0.0).map(|(g, m)| g / m.mass);
    let largest_slope = slopes.fold(0.0, max);
    let scale = if largest_slope > 0.0 { largest_slope } else { problem.lambda().hypot(problem.gamma()) };
    let noise = Noise::of(subject, &prices);
    Kkt {
        codes: Residual {
            value: max(codes(subject, &prices), dead_atoms(subject) * scale),
            scale,
            noise: noise.codes + rounding::gamma(rounding::FEW) * scale,
        },
        dictionary: Residual {
            value: dictionary(subject, &prices),
            scale: prices.iter().copied().fold(0.0, max),
            noise: noise.dictionary,
        },
        center: if problem.centered() {
            Residual { noise: noise.center, ..center(subject) }
        } else {
            Residual { value: 0.0, scale: 0.0, noise: 0.0 }
        },
    }
}

/// What rounding may make of residuals that are exactly 0, from above
/// (`proofs/rounding.md`: inner products and sums of them).
struct Noise {
    codes: f64,
    dictionary: f64,
    center: f64,
}

impl Noise {
    /// A computed residual is off by at most γ times `‖xᵢ‖ + ‖b‖ + Σ_k z_ki`, what it was
    /// summed from; sums over datapoints add their own γ. O(nN + nnz).
    fn of(subject: &Subject<'_>, prices: &[f64]) -> Self {
        let (problem, factorization) = (subject.problem(), subject.factorization());
        let (weights, codes) = (problem.data().weights(), factorization.codes());
        let from_center = factorization.center().map_or(0.0, norm);
        let sizes: Vec<f64> = (0..problem.len())
            .map(|i| {
                let mass: f64 = codes.column(i).iter().map(|(_, z)| z).sum();
                norm(&problem.data().datapoints().col(i)) + from_center + mass
            })
            .collect();
        let share = problem.share();
        #[expect(clippy::cast_precision_loss, reason = "counts are far below 2^53")]
        let [most, longest] = share.largest(|run| {
            let most = run.clone().map(|i| codes.column(i).nnz()).fold(0, usize::max);
            [most as f64, sizes[run].iter().copied().fold(0.0, max)]
        });
        #[expect(clippy::cast_possible_truncation, clippy::cast_sign_loss, reason = "a count again")]
        let terms = problem.dim() + most as usize + rounding::FEW;
        let sums = share.sum(subject.rows().len() + 1, usize::MAX, |run| {
            let of_row = |row: &Row| row.within(run.clone()).map(|(i, z)| weights[i] * z * sizes[i]).sum();
            let all = run.clone().map(|i| weights[i] * sizes[i]).sum();
            subject.rows().iter().map(of_row).chain(std::iter::once(all)).collect()
        });
        let dictionary = sums
            .iter()
            .zip(prices)
            .zip(subject.uses())
            .map(|((size, price), uses)| 2.0 * rounding::gamma(terms + uses) * (size + price));
        Self {
            codes: rounding::gamma(terms) * longest,
            dictionary: dictionary.fold(0.0, max),
            center: 2.0 * rounding::gamma(terms + problem.total()) * sums[subject.rows().len()],
        }
    }
}

/// Largest `‖Σᵢ wᵢz_ki rᵢ − g(z_k)d_k‖`.
fn dictionary(subject: &Subject<'_>, prices: &[f64]) -> f64 {
    let problem = subject.problem();
    let (n, weights) = (problem.dim(), problem.data().weights());
    let part = |row: &Row, run: Range<usize>, residuals: &[f64]| {
        let mut gradient = vec![0.0; n];
        let first = run.start;
        for (i, z) in row.within(run) {
            axpy(weights[i] * z, &residuals[(i - first) * n..(i - first + 1) * n], &mut gradient);
        }
        gradient
    };
    let norm_of = |k: usize, mut gradient: Vec<f64>| {
        axpy(-prices[k], subject.factorization().dictionary().atom(k), &mut gradient);
        length(&gradient)
    };
    // Atoms in parallel, a few at a time: their gradients may be larger than the data.
    let share = problem.share();
    (0..prices.len()).step_by(GRADIENTS).fold(0.0, |worst, from| {
        let rows = &subject.rows()[from..(from + GRADIENTS).min(prices.len())];
        let sums = share.sum(n * rows.len(), usize::MAX, |run| {
            let residuals = subject.residuals().run(run.clone());
            let parts: Vec<Vec<f64>> =
                rows.par_iter().map(|row| part(row, run.clone(), &residuals)).collect();
            parts.concat()
        });
        let sums = sums.chunks_exact(n).enumerate();
        sums.fold(worst, |worst, (j, gradient)| max(worst, norm_of(from + j, gradient.to_vec())))
    })
}

/// Atoms whose gradients are summed together: with fewer there are more sums, with more the
/// gradients take more memory.
const GRADIENTS: usize = 1024;

/// `‖v‖` without overflow or underflow: gradients have the size of squared data.
fn length(v: &[f64]) -> f64 {
    let largest = v.iter().fold(0.0, |m, x| max(m, x.abs()));
    if largest == 0.0 {
        return 0.0;
    }
    largest * norm(&v.iter().map(|x| x / largest).collect::<Vec<f64>>())
}

/// Right-hand sides of the codes' conditions: the slope of an atom's price in one code.
struct Slopes<'a> {
    lambda: f64,
    gamma: f64,
    prices: &'a [f64],
    moments: &'a [Moments],
}

impl Slopes<'_> {
    /// `(λ²s_k + γ²z)/g(z_k)`; infinite for an atom without codes at γ > 0, which is judged
    /// by its polar instead.
    fn at(&self, k: usize, z: f64) -> f64 {
        let (lambda, gamma, price) = (self.lambda, self.gamma, self.prices[k]);
        if gamma == 0.0 {
            lambda
        } else if price > 0.0 {
            // Quotients first: λ²s overflows where the slope does not.
            lambda * (lambda * self.moments[k].mass / price) + gamma * (gamma * z / price)
        } else {
            f64::INFINITY
        }
    }
}

/// Largest violation of the codes' conditions.
fn codes(subject: &Subject<'_>, prices: &[f64]) -> f64 {
    let (problem, factorization) = (subject.problem(), subject.factorization());
    if factorization.width() == 0 {
        return 0.0;
    }
    let (lambda, gamma) = (problem.lambda(), problem.gamma());
    let slopes = Slopes { lambda, gamma, prices, moments: subject.moments() };
    // At γ = 0 a datapoint with a residual no longer than λ violates nothing at the atoms
    // it does not use, by Cauchy–Schwarz: that leaves those it uses. Where every
    // datapoint has its own atom, all are such, and products with all atoms would take
    // quadratic time.
    let from_center = factorization.center().map_or(0.0, norm);
    let short = |i: usize| {
        let size = lambda + from_center + norm(&problem.data().datapoints().col(i));
        gamma == 0.0 && norm(&subject.residuals().column(i)) <= lambda + SHORT * size
    };
    let (near, far): (Vec<usize>, Vec<usize>) = (0..problem.len()).partition(|&i| short(i));
    let worst_near = near
        .par_iter()
        .map(|&i| {
            let r = subject.residuals().column(i);
            let code = factorization.codes().column(i);
            let used = code.iter().map(|(k, _)| (dot(factorization.dictionary().atom(k), &r) - lambda).abs());
            used.fold(max(norm(&r) - lambda, 0.0), max)
        })
        .reduce(|| 0.0, max);
    // A grain at a time: what rounding makes of a product may depend on its shape.
    let [worst_far] = problem.share().largest(|grain| {
        let from = far.partition_point(|i| *i < grain.start);
        let to = far.partition_point(|i| *i < grain.end);
        if from == to { [0.0] } else { [by_products(subject, &far[from..to], &slopes)] }
    });
    let [worst_near] = problem.share().largest(|_| [worst_near]);
    max(worst_near, worst_far)
}

/// The same for some datapoints, by their products with all atoms.
fn by_products(subject: &Subject<'_>, datapoints: &[usize], slopes: &Slopes<'_>) -> f64 {
    let factorization = subject.factorization();
    let atoms = factorization.width();
    let residuals = if datapoints.len() == subject.problem().len() {
        subject.residuals().as_matrix()
    } else {
        Cow::Owned(subject.residuals().select_columns(datapoints))
    };
    let unused: Vec<f64> = (0..atoms).map(|k| slopes.at(k, 0.0)).collect();
    fold_tiles(
        factorization.dictionary().matrix(),
        &residuals,
        |_| atoms,
        || 0.0,
        |worst, tile| {
            let left = tile.left();
            for (at, correlations) in tile.columns() {
                // Between two atoms in use lie atoms that are not.
                let (mut from, code) = (left.start, factorization.codes().column(datapoints[at]));
                let used = code.iter().filter(|(k, _)| left.contains(k)).map(|(k, &z)| (k, Some(z)));
                for (k, z) in used.chain(std::iter::once((left.end, None))) {
                    let between =
                        correlations[from - left.start..k - left.start].iter().zip(&unused[from..k]);
                    *worst = between.fold(*worst, |worst, (c, slope)| max(worst, c - slope));
                    if let Some(z) = z {
                        *worst = max(*worst, (correlations[k - left.start] - slopes.at(k, z)).abs());
                    }
                    from = k + 1;
                }
            }
        },
        max,
    )
}

/// Largest `g°(R̃ᵀd_k) − 1` over atoms without codes, at γ > 0; 0 if none violates.
fn dead_atoms(subject: &Subject<'_>) -> f64 {
    let problem = subject.problem();
    if problem.gamma() == 0.0 {
        return 0.0;
    }
    let gauge = problem.gauge();
    let dead = (0..subject.rows().len()).filter(|&k| subject.uses()[k] == 0);
    let excess = |k: usize| {
        let atom = subject.factorization().dictionary().atom(k);
        gauge.polar_along(subject.residuals(), atom, &mut vec![0.0; problem.len()]).value - 1.0
    };
    // Sums that ask other ranks are made one after another.
    if gauge.asks() {
        return dead.map(excess).fold(0.0, max);
    }
    dead.collect::<Vec<_>>().into_par_iter().map(excess).reduce(|| 0.0, max)
}

/// `‖Σ wᵢrᵢ‖` against `Σ wᵢ‖rᵢ‖`.
fn center(subject: &Subject<'_>) -> Residual {
    let problem = subject.problem();
    let (sum, scale) = weighted_mean(problem.share(), subject.residuals(), problem.data().weights());
    Residual { value: norm(&sum), scale, noise: 0.0 }
}
