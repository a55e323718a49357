//! A split made of squares, for any number of datapoints (theorem `square-split`).
//!
//! [`rising`](super::rising) holds T itself. Here
//!
//! ```math
//! T_{ij}=\sum_l\big(y_i^\top J_ly_j\big)^2
//! ```
//!
//! with a few features y of the datapoints, the first of which is 1. Everything is linear in the
//! products of features, so that the datapoints enter by one matrix of second moments; after that
//! the search is that of `rising` on as many columns as there are products and dimensions.
//!
//! T must be large where the multiplier Q of `rising` is negative. `Q_{ij} = p_iᵀp_j` with an affine
//! map p of the datapoints, so the features are the longest axes of p, and J is the direction in
//! which `Σ Q_{ij}(yᵢᵀJyⱼ)²` falls fastest: an eigenvector. Near it, `(c − yᵢᵀGyⱼ)²` is small for
//! datapoints that are alike, and large for opposite ones.
//!
//! Not for few datapoints: up to some thousands, T itself is affordable and says more.

use super::metric::Metric;
use super::rising::{Stage, largest};
use crate::linalg::{
    Cholesky, Matrix, axpy, dot, lanczos_smallest, largest_magnitude, norm_sq, symmetric_eigen, weighted_mean,
};
use crate::num::{max, min, power_of_two};
use crate::observer::{Interrupt, Observer, Progress};
use crate::problem::Problem;
use crate::trusted::Squares;
use crate::trusted::squares::{affine, form_of, products, second_moments, unfolded};

/// The search for a split of squares with its limits.
///
/// # Guarantees
/// The result is a witness: the certificate proves a bound from it
/// ([`square-split`](crate::proofs::square_split)), which is at most the optimum whatever the search
/// did. Not claimed: that it is the best split of squares, or close to the optimum.
///
/// # Cost
/// With k features, m = (k + 1)(k + 2)/2 + n: O(min(N, `max_sample`) m²) once, O(m³) a step; O(m² + nN)
/// memory. The same result for any number of threads.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct SquareSearch {
    /// Most features. Twice as many make a step 64 times as expensive.
    pub max_features: usize,
    /// Most matrices J.
    pub max_steps: usize,
    /// Most datapoints the second moments are taken of, as many of every grain, and at least one. The
    /// proof takes all.
    pub max_sample: usize,
    /// The search stops when the gap it promises is at most this share of the objective.
    pub gap_tolerance: f64,
}

impl Default for SquareSearch {
    /// 32 features: 561 products, a step takes half a second on two cores.
    fn default() -> Self {
        Self { max_features: 32, max_steps: 6, max_sample: 1 << 17, gap_tolerance: 0.0 }
    }
}

/// What the search found.
#[derive(Clone, Debug, PartialEq)]
pub struct FoundSquares {
    /// The witness for [`certify`](crate::certificate::certify).
    pub squares: Squares,
    /// The bound computed from it. The certificate computes and proves its own, which may be a little
    /// larger where datapoints are fewer than products.
    pub promised: f64,
    /// Matrices J.
    pub iterations: usize,
    /// Why the observer stopped the search, if it did.
    pub interrupt: Option<Interrupt>,
}

/// Axes of p shorter than this share of the longest are left out, as squares of lengths.
const SHORT: f64 = 1e-9;

/// What is added to the diagonal of the second moments, as a share of their trace: directions in
/// which there is less are rounding.
const RIDGE: f64 = 1e-12;

/// Lanczos steps for a new J, and the residual at which they end.
const LANCZOS_STEPS: usize = 60;
const LANCZOS_TOLERANCE: f64 = 1e-2;

/// Factors tried on the constant part of a new J. The constant of T is cheap, as A has λ²aaᵀ for
/// it, which the eigenvector does not know.
const STRETCHES: [f64; 4] = [1.0, 2.0, 3.5, 6.0];

/// How many of them are tried after the first step.
const LATER_STRETCHES: usize = 2;

/// The largest eigenvalue of (T, A) allowed at the first step, as a distance from 1, and how it falls.
const FIRST_DISTANCE: f64 = 0.1;
const NEXT_DISTANCE: f64 = 0.3;

/// Factor on the length of a step that does not gain, and most tries.
const SHORTER: f64 = 0.35;
const TRIES: usize = 7;

/// Share of γ² that rounding may cost the proof of T. A J of which the datapoints see nearly nothing
/// grows until it costs more than it promises.
const NOISE: f64 = 1e-4;

/// A step that closes less than this share of the gap is the last.
const NOTICEABLE: f64 = 0.01;

impl SquareSearch {
    /// Searches from the nuclear dual point `[B | q]` of a problem with γ > 0, for a point with the
    /// given objective.
    ///
    /// `None` where γ = 0, where a factorization fails, and where nothing was gained before the observer
    /// broke.
    #[must_use]
    pub fn search(
        &self,
        problem: &Problem,
        nuclear: &Matrix,
        objective: f64,
        observer: &dyn Observer,
    ) -> Option<FoundSquares> {
        let n = problem.dim();
        let fits = (nuclear.nrows(), nuclear.ncols()) == (n, n + 1);
        if problem.gamma() == 0.0 || !fits || observer.poll().is_break() {
            return None;
        }
        let features = features(problem, nuclear, self.max_features)?;
        let frame = Frame::new(problem, &features, self.max_sample, observer)?;
        let a = frame.ones();
        let metric = Metric::along(problem, frame.points(), &a);
        let start = frame.image_of(nuclear);
        let empty = Matrix::zeros(frame.len(), frame.len());
        let stage = Stage::new(&metric, empty, start, observer)?;
        let noise = frame.noise(problem.total());
        let mut rise = Rise { frame: &frame, metric: &metric, observer, noise, stage, matrices: Vec::new() };
        let mut interrupt = None;
        while rise.matrices.len() < self.max_steps {
            let before = rise.stage.value;
            let gained = rise.step();
            if let std::ops::ControlFlow::Break(stop) = observer.poll() {
                interrupt = Some(stop);
                break;
            }
            if gained.is_none() {
                break;
            }
            let value = rise.stage.value;
            observer.progress(&Progress {
                phase: "split of squares",
                iteration: rise.matrices.len(),
                objective,
                estimated_lower_bound: value,
                ..Progress::unknown()
            });
            let left = objective - before;
            if objective - value <= self.gap_tolerance * objective || value - before < NOTICEABLE * left {
                break;
            }
        }
        let Rise { stage, matrices, .. } = rise;
        // The dual point may be longer than is best, and nothing is proved at a polar below 1.
        let (polar, _) = metric.promise(&stage.dual, &stage.split);
        let promised = metric.value_at(&stage.dual, max(polar, 1.0));
        let iterations = matrices.len();
        let squares = frame.witness(features, &matrices, stage.dual)?;
        Some(FoundSquares { squares, promised, iterations, interrupt })
    }
}

/// `[C | c]` for the longest axes of `p`, about its mean, each of unit mean square.
fn features(problem: &Problem, nuclear: &Matrix, most: usize) -> Option<Matrix> {
    let (n, data) = (problem.dim(), problem.data());
    let (mut mean, total) = weighted_mean(data.share(), data.datapoints(), data.weights());
    mean.iter_mut().for_each(|v| *v /= total);
    let covariance = covariance(problem, &mean);
    // The part of the data that the dual point leaves: w = (I − B)x − q.
    let rest = Matrix::from_fn(n, n, |i, j| f64::from(u8::from(i == j)) - nuclear.get(i, j));
    let spread = rest.times(&covariance).times_transpose(&rest);
    let mut left = rest.times(&Matrix::from_columns(n, &[&mean[..]])).into_vec();
    axpy(-1.0, nuclear.col(n), &mut left);
    let (g2, l2) = (problem.gamma().powi(2), problem.lambda().powi(2));
    let along = if problem.centered() { 0.0 } else { g2 + l2 };
    let priced = Matrix::from_fn(n, n, |i, j| g2 * spread.get(i, j) + along * left[i] * left[j]);
    let (values, vectors) = symmetric_eigen(&priced)?;
    let kept = longest(&values, n);
    if kept.is_empty() {
        return None;
    }
    let root = scaled(&vectors, &values, &kept, -0.25);
    // Of p = Hᵀw.
    let map = root.transpose_times(&rest);
    let (values, vectors) = symmetric_eigen(&map.times(&covariance).times_transpose(&map))?;
    let kept = longest(&values, most);
    let mut out = scaled(&vectors, &values, &kept, -0.5).transpose_times(&map);
    let mut offset = out.times(&Matrix::from_columns(n, &[mean])).into_vec();
    offset.iter_mut().for_each(|v| *v = -*v);
    out.push_column(&offset);
    (out.nrows() > 0 && out.as_slice().iter().all(|v| v.is_finite())).then_some(out)
}

/// Which eigenvalues, in nondecreasing order, are the largest and not rounding: the largest first.
fn longest(values: &[f64], most: usize) -> Vec<usize> {
    let top = values.last().copied().unwrap_or(0.0);
    (0..values.len()).rev().filter(|&k| values[k] > SHORT * top).take(most).collect()
}

/// Some eigenvectors, each times a power of its eigenvalue.
fn scaled(vectors: &Matrix, values: &[f64], kept: &[usize], power: f64) -> Matrix {
    let mut out = vectors.select_columns(kept);
    for (column, &k) in kept.iter().enumerate() {
        let scale = values[k].powf(power);
        out.col_mut(column).iter_mut().for_each(|v| *v *= scale);
    }
    out
}

/// `Σ wᵢ(xᵢ − x̄)(xᵢ − x̄)ᵀ`.
fn covariance(problem: &Problem, mean: &[f64]) -> Matrix {
    let (n, data) = (problem.dim(), problem.data());
    let part = |run: std::ops::Range<usize>| {
        let mut columns = Matrix::zeros(n, run.len());
        for (at, i) in run.enumerate() {
            let (x, a) = (data.datapoint(i), data.sqrt_weights()[i]);
            let column = columns.col_mut(at).iter_mut();
            column.zip(&*x).zip(mean).for_each(|((v, x), m)| *v = a * (x - m));
        }
        columns.times_own_transpose().into_vec()
    };
    let sum = data.share().sum(n * n, (4 * n).max(256), part);
    Matrix::from_column_major(n, n, sum).expect("an entry a place")
}

/// Orthonormal coordinates of the datapoints in the span of the products of features and of the
/// data: column i of `(products; X)` is L times the coordinates of datapoint i.
struct Frame {
    factor: Cholesky,
    /// L.
    lower: Matrix,
    products: usize,
    /// Unit of the data in `lower`.
    unit: f64,
}

impl Frame {
    fn new(problem: &Problem, features: &Matrix, most: usize, observer: &dyn Observer) -> Option<Self> {
        let (share, weights, all) = (problem.share(), problem.data().weights(), problem.total());
        // What a grain can be thinned by.
        let most_thinned = 1 << share.grain().trailing_zeros();
        let every = all.div_ceil(most.max(1)).next_power_of_two().min(most_thinned);
        let (share, some) =
            if every > 1 { share.sample(every, 0)? } else { (share.clone(), (0..problem.len()).collect()) };
        let [total] = share.sums(|run| [some[run].iter().map(|&i| weights[i]).sum()]);
        let roots: Vec<f64> = some.iter().map(|&i| (weights[i] / total).sqrt()).collect();
        let features = affine(problem, features).select_columns(&some);
        let mut points = problem.data().datapoints().select_columns(&some);
        let n = points.nrows();
        let [largest] =
            share.largest(|run| [largest_magnitude(&points.as_slice()[run.start * n..run.end * n])]);
        let unit = power_of_two(largest);
        points.as_mut_slice().iter_mut().for_each(|v| *v /= unit);
        let (mut moments, energy) = second_moments(&share, &roots, &features, &points, observer)?;
        let ridge = RIDGE * energy;
        (0..moments.nrows()).for_each(|i| moments.col_mut(i)[i] += ridge);
        let factor = Cholesky::new(moments.clone())?;
        let mut lower = Cholesky::new(moments)?.into_lower();
        (0..lower.ncols()).for_each(|j| lower.col_mut(j)[..j].fill(0.0));
        Some(Self { factor, lower, products: products(features.nrows() + 1), unit })
    }

    fn len(&self) -> usize {
        self.lower.ncols()
    }

    fn rows(&self, from: usize, to: usize) -> Matrix {
        Matrix::from_fn(to - from, self.len(), |i, j| self.lower.get(from + i, j))
    }

    /// What rounding may cost the proof of T from so many datapoints, for each unit of `Σ‖J‖²`: the
    /// moments, their factor and the products with J are summed with an error of their size.
    #[expect(clippy::cast_precision_loss, reason = "counts are far below 2^53")]
    fn noise(&self, points: usize) -> f64 {
        let energy = norm_sq(self.rows(0, self.products).as_slice());
        4.0 * f64::EPSILON * (points + 2 * self.len()) as f64 * energy
    }

    /// a in these coordinates.
    fn ones(&self) -> Vec<f64> {
        (0..self.len()).map(|j| self.lower.get(0, j)).collect()
    }

    /// X̃.
    fn points(&self) -> Matrix {
        let mut out = self.rows(self.products, self.lower.nrows());
        out.as_mut_slice().iter_mut().for_each(|v| *v *= self.unit);
        out
    }

    /// `B X̃ + q aᵀ` for `map = [B | q]`.
    fn image_of(&self, map: &Matrix) -> Matrix {
        let n = map.nrows();
        let mut out = map.select_columns(&(0..n).collect::<Vec<_>>()).times(&self.points());
        for (j, a) in self.ones().iter().enumerate() {
            axpy(*a, map.col(n), out.col_mut(j));
        }
        out
    }

    /// The witness of a dual point in these coordinates.
    fn witness(&self, features: Matrix, matrices: &[Matrix], dual: Matrix) -> Option<Squares> {
        let width = features.nrows() + 1;
        let mut forms = Matrix::zeros(width, 0);
        matrices.iter().for_each(|j| forms.append(j));
        let mut turned = transposed(&dual);
        self.factor.halve_transposed(&mut turned);
        let mut dual = transposed(&turned);
        for j in self.products..dual.ncols() {
            dual.col_mut(j).iter_mut().for_each(|v| *v /= self.unit);
        }
        let finite = |matrix: &Matrix| matrix.as_slice().iter().all(|v| v.is_finite());
        (!matrices.is_empty() && finite(&dual) && finite(&forms)).then_some(Squares { features, forms, dual })
    }
}

fn transposed(matrix: &Matrix) -> Matrix {
    Matrix::from_fn(matrix.ncols(), matrix.nrows(), |i, j| matrix.get(j, i))
}

/// T rising square by square.
struct Rise<'a> {
    frame: &'a Frame,
    metric: &'a Metric<'a>,
    observer: &'a dyn Observer,
    /// [`Frame::noise`].
    noise: f64,
    stage: Stage,
    /// The matrices J of T.
    matrices: Vec<Matrix>,
}

impl Rise<'_> {
    /// Adds a square. `None` where none gains.
    fn step(&mut self) -> Option<()> {
        let direction = self.direction()?;
        let made = i32::try_from(self.matrices.len()).unwrap_or(i32::MAX);
        let limit = 1.0 - FIRST_DISTANCE * NEXT_DISTANCE.powi(made);
        let products = self.frame.rows(0, self.frame.products);
        let mut best: Option<(Stage, Vec<Matrix>)> = None;
        let some = if self.matrices.is_empty() { STRETCHES.len() } else { LATER_STRETCHES };
        for &stretch in &STRETCHES[..some] {
            let form = stretched(&direction, stretch);
            let square = form_of(&products, std::slice::from_ref(&form));
            let mut length = limit / max(largest(self.metric, &square), f64::MIN_POSITIVE);
            let (mut tries, mut last) = (0, f64::NEG_INFINITY);
            // φ is concave along the square: beyond its top shorter steps gain, then less again.
            while tries < TRIES {
                self.metric.problem.share().beat();
                if self.observer.poll().is_break() {
                    break;
                }
                let Some((stage, matrices)) = self.tried(&form, &square, length, limit) else {
                    length *= SHORTER;
                    tries += 1;
                    continue;
                };
                let value = stage.value;
                if value > best.as_ref().map_or(self.stage.value, |(stage, _)| stage.value) {
                    best = Some((stage, matrices));
                }
                if value < last || (tries > 0 && best.is_none() && stretch > 1.0) {
                    break;
                }
                last = value;
                length *= SHORTER;
                tries += 1;
            }
        }
        (self.stage, self.matrices) = best?;
        Some(())
    }

    /// `T + length·square`, scaled to the limit, with the best dual point. `None` where rounding
    /// would take too much of its proof.
    fn tried(&self, form: &Matrix, square: &Matrix, length: f64, limit: f64) -> Option<(Stage, Vec<Matrix>)> {
        let mut split = self.stage.split.clone();
        axpy(length, square.as_slice(), split.as_mut_slice());
        let share = min(limit / max(largest(self.metric, &split), f64::MIN_POSITIVE), 1.0);
        split.as_mut_slice().iter_mut().for_each(|t| *t *= share);
        let mut matrices = self.matrices.clone();
        let mut last = form.clone();
        last.as_mut_slice().iter_mut().for_each(|v| *v *= length.sqrt());
        matrices.push(last);
        for matrix in &mut matrices {
            matrix.as_mut_slice().iter_mut().for_each(|v| *v *= share.sqrt());
        }
        let price: f64 = matrices.iter().map(|j| norm_sq(j.as_slice())).sum();
        if !(self.noise * price <= NOISE * self.metric.gamma_sq) {
            return None;
        }
        let stage = Stage::new(self.metric, split, self.stage.dual.clone(), self.observer)?;
        Some((stage, matrices))
    }

    /// The unit J for which `Σ Q_{ij}(yᵢᵀJyⱼ)² = Σ_s tr(J M_s J M_s)` is smallest, `Q = PᵀP`,
    /// `M_s = Σᵢ P_{si} yᵢyᵢᵀ`. `None` where it is not negative.
    fn direction(&self) -> Option<Matrix> {
        let root = self.stage.root(self.metric)?;
        let products = self.frame.rows(0, self.frame.products);
        let folded = products.times_transpose(&root);
        let width = (0..).find(|&w| self::products(w) == self.frame.products)?;
        let moments: Vec<Matrix> = folded.columns().map(|column| unfolded(column, width)).collect();
        let symmetric = |v: &mut [f64]| {
            for b in 0..width {
                for a in 0..b {
                    let middle = 0.5 * (v[b * width + a] + v[a * width + b]);
                    (v[b * width + a], v[a * width + b]) = (middle, middle);
                }
            }
        };
        let apply = |v: &[f64]| {
            let j = Matrix::from_column_major(width, width, v.to_vec()).expect("a square");
            let mut out = vec![0.0; width * width];
            for m in &moments {
                axpy(1.0, m.times(&j).times(m).as_slice(), &mut out);
            }
            out
        };
        let size = width * width;
        let (value, vector) = lanczos_smallest(size, LANCZOS_STEPS, LANCZOS_TOLERANCE, symmetric, apply);
        let scale = norm_sq(&vector).sqrt();
        let found = Matrix::from_column_major(width, width, vector).expect("a square");
        (value < 0.0 && scale > 0.0 && dot(found.as_slice(), found.as_slice()).is_finite()).then_some(found)
    }
}

/// J with its constant part multiplied, and its linear part by the root.
fn stretched(form: &Matrix, factor: f64) -> Matrix {
    Matrix::from_fn(form.nrows(), form.ncols(), |i, j| {
        let constants = i32::from(i == 0) + i32::from(j == 0);
        form.get(i, j) * factor.sqrt().powi(constants)
    })
}
