//! The nuclear bound (theorem `nuclear-bound`): the best dual point that a split with T = 0
//! proves, for any number of datapoints.
//!
//! Without codes' signs the price of an atom is a norm, and the convex problem becomes one of
//! nuclear norms, whose dual is
//!
//! ```math
//! \max_R\ \langle\tilde X,R\rangle-\tfrac12\lVert R\rVert^2\quad\text{subject to}\quad RA^{-1}R^\top\preceq I .
//! ```
//!
//! It needs no dictionary. Its solution is an affine map of the data, `rᵢ = B xᵢ + q`, so the
//! search runs on the mean and the principal axes of the data: n + 1 columns instead of N. Of
//! the datapoints it makes one pass. With a learnt center it is one decomposition and no
//! iteration.
//!
//! The bound ignores that codes are nonnegative. Where N × N matrices are affordable,
//! [`relaxation`](super::relaxation) goes on from here.

use std::ops::{ControlFlow, Range};

use crate::linalg::{
    Columns, Matrix, axpy, dot, dot_all, largest_magnitude, norm, norm_sq, orthonormal_columns,
    symmetric_eigen,
};
use crate::num::{max, min, power_of_two};
use crate::observer::{Interrupt, Observer, Progress};
use crate::problem::{Data, Problem};
use crate::reduce::Share;

/// Axes shorter than this share of the longest are left out: their second moments are rounding.
const SHORT: f64 = 1e-7;

/// Columns of a partial sum of second moments, at least; the sums hold n² numbers each.
const FEWEST_COLUMNS: usize = 256;

/// Steps between two looks at the progress. Momentum makes single steps misleading.
const LOOK_EVERY: usize = 5;

/// The search for the nuclear bound with its limits.
///
/// # Guarantees
/// The result is a witness: the certificate proves a bound from it
/// ([`nuclear-bound`](crate::proofs::nuclear_bound)), which is at most the optimum whatever the
/// search did. Not claimed: that the bound is close to the optimum.
///
/// # Cost
/// O(n²N + n³), and O(k³) a step where k is the smallest of n, N and `max_axes`; O(nN + n²)
/// memory. The same result for any number of threads.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Nuclear {
    /// Most steps. Their number grows like √(1 + λ²/γ²).
    pub max_iterations: usize,
    /// The search stops where five steps raise the bound by less than this share of it.
    pub progress: f64,
    /// Longest axes that are moved together; a step decomposes a square matrix of this order.
    /// Along the others the dual point has a closed form, which neglects their mean.
    pub max_axes: usize,
}

impl Default for Nuclear {
    /// A step takes a millisecond at 64 axes and a quarter of a second at 512.
    fn default() -> Self {
        Self { max_iterations: 500, progress: 1e-5, max_axes: 512 }
    }
}

/// A dual point that is an affine map of the data, with the bound it promises.
#[derive(Clone, Debug, PartialEq)]
pub struct NuclearDual {
    /// `[B | q]` with `rᵢ = B xᵢ + q`: n × (n + 1), for
    /// [`Witness::nuclear`](crate::certificate::Witness::nuclear).
    pub map: Matrix,
    /// The bound computed by the search. The certificate computes and proves its own.
    pub promised: f64,
    /// Steps made.
    pub iterations: usize,
    /// Why the observer stopped the search, if it did.
    pub interrupt: Option<Interrupt>,
}

impl Nuclear {
    /// Searches for the best dual point of a problem.
    ///
    /// `None` where γ = 0 (the polar is then known exactly), where all data are 0 or beyond the
    /// range of the arithmetic, and where the observer breaks before the first step.
    #[must_use]
    pub fn search(&self, problem: &Problem, observer: &dyn Observer) -> Option<NuclearDual> {
        if problem.gamma() == 0.0 || observer.poll().is_break() {
            return None;
        }
        self.search_along(&Axes::of(problem.data())?, problem, observer)
    }

    /// The same for data whose axes are known: they do not depend on the penalties.
    #[must_use]
    pub fn search_along(
        &self,
        axes: &Axes,
        problem: &Problem,
        observer: &dyn Observer,
    ) -> Option<NuclearDual> {
        let block = Block::new(axes, problem, self.max_axes)?;
        let mut state = Momentum::start(&block)?;
        let (mut iterations, mut interrupt) = (0, None);
        let mut last = state.best.0;
        while iterations < self.max_iterations && !problem.centered() {
            if let ControlFlow::Break(stop) = observer.poll() {
                interrupt = Some(stop);
                break;
            }
            if state.step(&block).is_none() {
                break;
            }
            iterations += 1;
            if iterations % LOOK_EVERY == 0 {
                let promised = block.units(state.best.0);
                observer.progress(&Progress {
                    phase: "nuclear bound",
                    iteration: iterations,
                    estimated_lower_bound: promised,
                    ..Progress::unknown()
                });
                if state.best.0 - last <= self.progress * state.best.0 {
                    break;
                }
                last = state.best.0;
            }
        }
        let (value, scaled) = state.best;
        Some(NuclearDual {
            map: block.map(axes, &scaled),
            promised: block.units(value),
            iterations,
            interrupt,
        })
    }
}

/// The mean and the principal axes of whitened data.
#[derive(Clone, Debug, PartialEq)]
pub struct Axes {
    /// The unit of all lengths here, a power of two, so that squares neither overflow nor
    /// underflow.
    unit: f64,
    /// The mean of the data.
    mean: Vec<f64>,
    /// Unit vectors, the longest axis first: n × min(n, N).
    directions: Matrix,
    /// Singular values of the whitened data about the mean.
    lengths: Vec<f64>,
    /// `√(Σw)`.
    root: f64,
}

impl Axes {
    /// Of data. O(n²N + n³), or O(nN²) where there are fewer datapoints than dimensions. `None`
    /// where all data are 0 or the decomposition fails.
    #[must_use]
    pub fn of(data: &Data) -> Option<Self> {
        let (n, a, share, points) = (data.dim(), data.sqrt_weights(), data.share(), data.datapoints());
        let [largest] = share.largest(|run| [largest_magnitude(&points.run(run))]);
        if !(largest > 0.0) {
            return None;
        }
        let unit = power_of_two(largest);
        let scale = 1.0 / unit;
        let mean: Vec<f64> = data.mean().iter().map(|m| scale * m).collect();
        let centered = |run: Range<usize>| {
            let mut columns = points.run(run.clone()).into_owned();
            columns.chunks_exact_mut(n).zip(&a[run.clone()]).for_each(|(x, a)| {
                x.iter_mut().zip(&mean).for_each(|(x, m)| *x = a * (scale * *x - m));
            });
            Matrix::from_column_major(n, run.len(), columns).expect("whole columns")
        };
        // In few datapoints the mean is one more direction.
        let basis = (n > data.total() && !share.is_spread()).then(|| {
            let mut span = centered(0..data.len());
            span.col_mut(0).copy_from_slice(&mean);
            orthonormal_columns(&span)
        });
        let second = match &basis {
            Some(q) => q.transpose_times(&centered(0..data.len())).times_own_transpose(),
            None => second_moment(share, n, centered),
        };
        let (values, vectors) = symmetric_eigen(&second)?;
        let order: Vec<usize> = (0..values.len()).rev().collect();
        let rotation = vectors.select_columns(&order);
        let directions = basis.map_or_else(|| rotation.clone(), |q| q.times(&rotation));
        let lengths = order.iter().map(|&k| max(values[k], 0.0).sqrt()).collect();
        Some(Self { unit, mean, directions, lengths, root: dot_all(share, a, a).sqrt() })
    }
}

/// `XXᵀ` for the columns of X, n numbers each, in ordered chunks.
fn second_moment(share: &Share, n: usize, columns: impl Fn(Range<usize>) -> Matrix + Sync) -> Matrix {
    let part = |run: Range<usize>| columns(run).times_own_transpose().into_vec();
    let sum = share.sum(n * n, (4 * n).max(FEWEST_COLUMNS), part);
    Matrix::from_column_major(n, n, sum).expect("an entry a place")
}

/// The problem along the longest axes, k rows and k + 1 columns: a column an axis and the mean.
struct Block {
    /// `[diag(lengths) | mean]`.
    data: Matrix,
    /// Square roots of the eigenvalues of A: γ, and √(γ² + λ²Σw) for the mean.
    prices: Vec<f64>,
    /// γ in these units.
    gamma: f64,
    unit: f64,
    /// What the other axes add to the bound.
    rest: f64,
}

impl Block {
    fn new(axes: &Axes, problem: &Problem, most: usize) -> Option<Self> {
        let (lambda, gamma) = (problem.lambda() / axes.unit, problem.gamma() / axes.unit);
        let along = (gamma * gamma + (lambda * axes.root).powi(2)).sqrt();
        if !(gamma * gamma > 0.0 && along.is_finite() && most > 0) {
            return None;
        }
        let k = most.min(axes.lengths.len());
        let longest = axes.lengths[0];
        let mut data = Matrix::zeros(k, k + 1);
        for (j, &length) in axes.lengths[..k].iter().enumerate() {
            data.col_mut(j)[j] = if length > SHORT * longest { length } else { 0.0 };
            if !problem.centered() {
                data.col_mut(k)[j] = axes.root * dot(axes.directions.col(j), &axes.mean);
            }
        }
        let mut prices = vec![gamma; k + 1];
        prices[k] = along;
        let huber =
            |length: f64| if length > gamma { gamma * (length - 0.5 * gamma) } else { 0.5 * length * length };
        let rest = axes.lengths[k..].iter().map(|&length| huber(length)).sum();
        Some(Self { data, prices, gamma, unit: axes.unit, rest })
    }

    /// The dual value of `R = S A^{1/2}`.
    fn value(&self, scaled: &Matrix) -> f64 {
        let columns = scaled.columns().zip(self.data.columns()).zip(&self.prices);
        self.rest + columns.map(|((s, x), d)| d * dot(x, s) - 0.5 * d * d * norm_sq(s)).sum::<f64>()
    }

    /// A value in the units of the problem.
    fn units(&self, value: f64) -> f64 {
        value * self.unit * self.unit
    }

    /// `[B | q]` for the dual point `S A^{1/2}` along the longest axes and `min(1, γ/σ)` of the
    /// data along the others.
    fn map(&self, axes: &Axes, scaled: &Matrix) -> Matrix {
        let (n, k) = (axes.directions.nrows(), scaled.nrows());
        let mut shares = Matrix::zeros(k, k);
        for j in 0..k {
            let length = self.data.get(j, j);
            if length > 0.0 {
                axpy(self.gamma / length, scaled.col(j), shares.col_mut(j));
            }
        }
        let leading = axes.directions.select_columns(&(0..k).collect::<Vec<_>>());
        let mut linear = leading.times(&shares).times_transpose(&leading);
        let others = axes.directions.select_columns(&(k..axes.lengths.len()).collect::<Vec<_>>());
        let mut shrunk = others.clone();
        for (j, &length) in axes.lengths[k..].iter().enumerate() {
            let share = if length > self.gamma { self.gamma / length } else { 1.0 };
            shrunk.col_mut(j).iter_mut().for_each(|v| *v *= share);
        }
        axpy(1.0, shrunk.times_transpose(&others).as_slice(), linear.as_mut_slice());
        // R̃ = B(X̃ − x̄aᵀ) + r aᵀ/√Σw.
        let mut offset = vec![0.0; n];
        for (j, direction) in leading.columns().enumerate() {
            axpy(self.prices[k] * scaled.get(j, k) / axes.root, direction, &mut offset);
        }
        for (column, m) in linear.columns().zip(&axes.mean) {
            axpy(-m, column, &mut offset);
        }
        offset.iter_mut().for_each(|v| *v *= self.unit);
        linear.push_column(&offset);
        linear
    }
}

/// Projected gradient with Nesterov's momentum for a strongly concave function.
struct Momentum {
    now: Matrix,
    ahead: Matrix,
    /// Share of the last move that is repeated: (1 − √(γ²/L)) / (1 + √(γ²/L)).
    repeat: f64,
    best: (f64, Matrix),
}

impl Momentum {
    /// From `X̃A^{-1/2}`, the solution where it has no singular value above 1; with a center the
    /// projection is the solution everywhere.
    fn start(block: &Block) -> Option<Self> {
        let mut scaled = block.data.clone();
        for (j, price) in block.prices.iter().enumerate() {
            scaled.col_mut(j).iter_mut().for_each(|v| *v /= price);
        }
        let now = project(scaled)?;
        let share = min(block.gamma / block.largest(), 1.0);
        let repeat = (1.0 - share) / (1.0 + share);
        let best = (block.value(&now), now.clone());
        best.0.is_finite().then_some(Self { ahead: now.clone(), now, repeat, best })
    }

    /// One step. `None` where the decomposition fails or nothing moves.
    fn step(&mut self, block: &Block) -> Option<()> {
        let length = 1.0 / block.largest().powi(2);
        let mut moved = self.ahead.clone();
        for (j, price) in block.prices.iter().enumerate() {
            axpy(length * price, block.data.col(j), moved.col_mut(j));
            axpy(-length * price * price, self.ahead.col(j), moved.col_mut(j));
        }
        let next = project(moved)?;
        let mut ahead = next.clone();
        axpy(self.repeat, next.as_slice(), ahead.as_mut_slice());
        axpy(-self.repeat, self.now.as_slice(), ahead.as_mut_slice());
        let still = next == self.now;
        (self.now, self.ahead) = (next, ahead);
        let value = block.value(&self.now);
        if value > self.best.0 {
            self.best = (value, self.now.clone());
        }
        (!still).then_some(())
    }
}

impl Block {
    /// √λ_max(A), of the columns that are there.
    fn largest(&self) -> f64 {
        let last = self.prices.len() - 1;
        if norm(self.data.col(last)) > 0.0 { self.prices[last] } else { self.gamma }
    }
}

/// The nearest matrix whose singular values are at most 1. O(k³).
fn project(matrix: Matrix) -> Option<Matrix> {
    let (values, vectors) = symmetric_eigen(&matrix.times_own_transpose())?;
    let first = values.partition_point(|&v| v <= 1.0);
    if first == values.len() {
        return Some(matrix);
    }
    // S − U diag(1 − 1/σ) UᵀS over the singular values above 1.
    let large = vectors.select_columns(&(first..values.len()).collect::<Vec<_>>());
    let mut parts = large.transpose_times(&matrix);
    for j in 0..parts.ncols() {
        for (v, value) in parts.col_mut(j).iter_mut().zip(&values[first..]) {
            *v *= 1.0 - 1.0 / value.sqrt();
        }
    }
    let mut out = matrix;
    axpy(-1.0, large.times(&parts).as_slice(), out.as_mut_slice());
    Some(out)
}
