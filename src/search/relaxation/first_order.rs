//! Davis–Yin three-operator splitting on the doubly nonnegative problem
//!
//! ```math
//! \min_{Q\succeq0,\ Q\ge0}\ f(Q)=\min_b\tfrac12\operatorname{tr}(\tilde X-ba^\top)(I+Q)^{-1}(\tilde X-ba^\top)^\top
//!   +\tfrac12\langle A,Q\rangle,\qquad
//! \nabla f=\tfrac12(A-R^\top R),\quad R=(\tilde X-ba^\top)(I+Q)^{-1}.
//! ```
//!
//! Each iteration proposes a dual point R and a nonnegative T for theorem
//! `split-certificate`; any of them certifies a bound, the limit that of
//! `dnn-bound`. The start is `Q = Σ_k z_kz_kᵀ/g(z_k)` from the codes of a primal
//! point, whose supports also say where T vanishes.

use std::ops::ControlFlow;

use rayon::prelude::*;

use super::fixed;
use super::subspace::{FULL_SHARE, PositivePart};
use crate::atoms::Factorization;
use crate::certificate::dual_value;
use crate::linalg::{Cholesky, Matrix, axpy, correlate, dot, lanczos_largest};
use crate::num::{max, min};
use crate::observer::{Interrupt, Observer, Progress};
use crate::problem::Problem;
use crate::trusted::Subject;
use crate::trusted::{Origin, Split};

/// Step length in units of 1/λ_max(A), an upper estimate of the inverse
/// curvature 1/λ_max(RᵀR) near the optimum. The method converges for less than
/// 2; ten times less is ten times slower.
const STEP: f64 = 1.95;

/// Iterations between two evaluations of a proposal: one costs some fifty
/// products with an N × N matrix, a twentieth of an eigendecomposition.
const EVALUATE_EVERY: usize = 5;

/// Lanczos steps of an evaluation: the extreme eigenvalue settles to 1e-6 in 20
/// to 50, and the certificate computes its own.
const LANCZOS_STEPS: usize = 50;

/// Share of the gap that counts as progress: see [`Relaxation::patience`].
const NOTICEABLE: f64 = 0.02;

/// Datapoints up to which both ways are tried: a step is a tenth of a second.
const BOTH: usize = 600;

/// The search with its limits.
///
/// # Guarantees
/// Any proposal certifies a bound ([`split-certificate`](crate::proofs::split_certificate)),
/// the limit that of the relaxation ([`dnn-bound`](crate::proofs::dnn_bound)),
/// which in general is below the optimum. Nothing is proved here: the certificate
/// computes its own bound from the witness.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Relaxation {
    /// Most iterations: each a few products with an N × N matrix, or its
    /// eigendecomposition where a quarter of N eigenvalues or more are positive.
    pub max_iterations: usize,
    /// Stop when the proposed polar κ is within this of 1.
    pub polar_tolerance: f64,
    /// Stop when an estimate of the relative gap is at most this.
    pub gap_tolerance: f64,
    /// Stop when this many iterations took less than a fiftieth off the gap.
    pub patience: usize,
    /// Largest N accepted: memory is some ten N × N matrices.
    pub max_datapoints: usize,
}

impl Default for Relaxation {
    /// 300 iterations reach the relaxation's value to 1e-4 or so; 4000 points
    /// need 1.3 GB.
    fn default() -> Self {
        Self {
            max_iterations: 300,
            polar_tolerance: 1e-6,
            gap_tolerance: 0.0,
            patience: 50,
            max_datapoints: 4000,
        }
    }
}

/// The best proposal of a search.
#[derive(Clone, Debug, PartialEq)]
pub struct Found {
    /// The witness for [`certify`](crate::certificate::certify).
    pub split: Split,
    /// The bound it promises, as computed; the certificate proves its own.
    pub promised: f64,
    /// Iterations made.
    pub iterations: usize,
    /// Why the search was stopped from outside, if it was.
    pub interrupt: Option<Interrupt>,
}

impl Relaxation {
    /// Searches from a primal point of the problem, γ > 0.
    ///
    /// The dual point moves (Davis–Yin) where the point has few atoms for its
    /// datapoints, stays at the residuals (Douglas–Rachford on T alone) where it has
    /// many, and for up to 600 datapoints both are tried.
    ///
    /// `None` where the method does not apply: γ = 0 (the polar is then known
    /// exactly), more than `max_datapoints` datapoints, or a failed factorization
    /// before the first proposal. O(N³) an iteration, O(N²) memory.
    #[must_use]
    pub fn search(&self, problem: &Problem, start: &Factorization, observer: &dyn Observer) -> Option<Found> {
        let len = problem.len();
        if problem.gamma() == 0.0 || len > self.max_datapoints {
            return None;
        }
        let crowded = start.width() * FULL_SHARE >= len;
        let fixed = (crowded || len <= BOTH)
            .then(|| fixed::search(problem, start, self.max_iterations, self.gap_tolerance, observer))
            .flatten();
        if crowded && len > BOTH {
            return fixed;
        }
        let enough = |found: &Found| found.interrupt.is_some() || self.closes(problem, start, found);
        if fixed.as_ref().is_some_and(enough) {
            return fixed;
        }
        let moving = self.moving(problem, start, observer);
        match (fixed, moving) {
            (Some(fixed), Some(moving)) if fixed.promised > moving.promised => {
                Some(Found { interrupt: moving.interrupt, ..fixed })
            }
            (fixed, None) => fixed,
            (_, moving) => moving,
        }
    }

    /// Whether a proposal promises the gap asked for.
    fn closes(&self, problem: &Problem, start: &Factorization, found: &Found) -> bool {
        let Ok(subject) = Subject::of(problem, start) else { return false };
        let value = subject.primal().value();
        value - found.promised <= self.gap_tolerance * value
    }

    /// Davis–Yin on Q, started from the point's codes.
    fn moving(&self, problem: &Problem, start: &Factorization, observer: &dyn Observer) -> Option<Found> {
        let metric = Metric::new(problem);
        let objective = Subject::of(problem, start).ok()?.primal().value();
        let (mut state, len) = (metric.warm_start(start)?, problem.len());
        let step = STEP / metric.largest;
        let mut best: Option<Found> = None;
        let mut interrupt = None;
        let mut cone = PositivePart::new();
        // The gap left, with the iteration it was last noticeably smaller at.
        let mut mark = (0, f64::INFINITY);
        for iteration in 0..self.max_iterations {
            if let ControlFlow::Break(stop) = observer.poll() {
                interrupt = Some(stop);
                break;
            }
            let Some((factor, psd)) = cone.project(&state) else { break };
            let Some(dual) = metric.dual(&factor) else { break };
            let mut slack = metric.slack(&dual);
            // T and the next state, entry by entry; `slack` becomes T.
            slack
                .as_mut_slice()
                .par_chunks_mut(len)
                .zip(state.as_mut_slice().par_chunks_mut(len))
                .zip(psd.as_slice().par_chunks(len))
                .enumerate()
                .for_each(|(j, ((slack, state), psd))| {
                    for ((g, z), &q) in slack.iter_mut().zip(state).zip(psd) {
                        let u = 2.0 * q - *z - 0.5 * step * *g;
                        *z += max(u, 0.0) - q;
                        *g = max(-u, 0.0) * 2.0 / step;
                    }
                    slack[j] = 0.0;
                });
            if iteration % EVALUATE_EVERY != 0 && iteration + 1 != self.max_iterations {
                continue;
            }
            let (polar, promised) = metric.promise(&dual, &slack);
            if best.as_ref().is_none_or(|b| promised > b.promised) {
                let (dual, slack) = (metric.unwhitened(dual), metric.root_free(slack));
                let split = Split { dual, slack, origin: Origin::FirstOrder };
                best = Some(Found { split, promised, iterations: iteration + 1, interrupt: None });
            }
            let lower_bound = best.as_ref().map_or(0.0, |b| b.promised);
            observer.progress(&Progress {
                phase: "relaxation",
                iteration: iteration + 1,
                objective,
                lower_bound: f64::NAN,
                estimated_lower_bound: lower_bound,
                atoms: start.width(),
            });
            let left = objective - lower_bound;
            if left < mark.1 * (1.0 - NOTICEABLE) {
                mark = (iteration, left);
            }
            if polar <= 1.0 + self.polar_tolerance
                || iteration - mark.0 >= self.patience
                || objective - lower_bound <= self.gap_tolerance * objective
            {
                break;
            }
        }
        best.map(|found| Found { interrupt, ..found })
    }
}

/// The whitened data and `A = λ²aaᵀ + γ²I`.
pub(super) struct Metric<'p> {
    problem: &'p Problem,
    whitened: Matrix,
    a: &'p [f64],
    lambda_sq: f64,
    gamma_sq: f64,
    /// λ_max(A).
    largest: f64,
    /// `A^{-1/2} = (I − root·aaᵀ)/γ`.
    root: f64,
}

impl<'p> Metric<'p> {
    pub(super) fn new(problem: &'p Problem) -> Self {
        let a = problem.data().sqrt_weights();
        let (lambda_sq, gamma_sq) = (problem.lambda().powi(2), problem.gamma().powi(2));
        let total = dot(a, a);
        let largest = gamma_sq + lambda_sq * total;
        let root = (1.0 - (gamma_sq / largest).sqrt()) / total;
        Self { problem, whitened: problem.data().whitened(), a, lambda_sq, gamma_sq, largest, root }
    }

    /// `Q − ½η S` with Q from the codes and S ≈ A − K where two datapoints share
    /// an atom, its negative part elsewhere.
    fn warm_start(&self, start: &Factorization) -> Option<Matrix> {
        let len = self.a.len();
        let gauge = self.problem.gauge();
        let mut rows = start.codes().rows();
        rows.retain(|row| !row.is_empty());
        let mut factor = Matrix::zeros(len, rows.len());
        for (k, row) in rows.iter_mut().enumerate() {
            row.values.iter_mut().zip(&row.indices).for_each(|(v, &i)| *v *= self.a[i]);
            let scale = 1.0 / gauge.value_of_row(row).sqrt();
            row.iter().for_each(|(i, v)| factor.col_mut(k)[i] = v * scale);
        }
        let dual = self.dual(&factor)?;
        let mut state = parallel_product(&factor);
        let slack = self.slack(&dual);
        let half = 0.5 * STEP / self.largest;
        state.as_mut_slice().par_chunks_mut(len).zip(slack.as_slice().par_chunks(len)).enumerate().for_each(
            |(j, (state, slack))| {
                for (i, (z, &s)) in state.iter_mut().zip(slack).enumerate() {
                    *z -= half * if i == j || *z > 0.0 { s } else { min(s, 0.0) };
                }
            },
        );
        Some(state)
    }

    /// `R = (X̃ − b aᵀ)(I + UUᵀ)⁻¹` by the Woodbury identity, b optimal where a
    /// center is learnt (then `Ra = 0`). O(nNk + k³).
    fn dual(&self, factor: &Matrix) -> Option<Matrix> {
        let (k, len) = (factor.ncols(), self.a.len());
        let mut gram = factor.transpose_times(factor);
        (0..k).for_each(|j| gram.col_mut(j)[j] += 1.0);
        let cholesky = Cholesky::new(gram)?;
        // (I + UUᵀ)⁻¹ v = v − U (I + UᵀU)⁻¹ Uᵀ v, for all rows of X̃ at once.
        let apply = |rows: &Matrix| {
            let projected = rows.times(factor);
            let mut small = Matrix::from_fn(k, rows.nrows(), |j, i| projected.get(i, j));
            cholesky.solve(&mut small);
            let back = Matrix::from_fn(rows.nrows(), k, |i, j| small.get(j, i)).times_transpose(factor);
            let mut out = rows.clone();
            axpy(-1.0, back.as_slice(), out.as_mut_slice());
            out
        };
        let mut dual = apply(&self.whitened);
        if self.problem.centered() {
            let unit = Matrix::from_fn(1, len, |_, i| self.a[i]);
            let image = apply(&unit);
            let share = dot(image.as_slice(), self.a);
            let mut mean = vec![0.0; dual.nrows()];
            crate::linalg::combine(&dual, self.a, &mut mean);
            mean.iter_mut().for_each(|v| *v /= share);
            for i in 0..len {
                axpy(-image.as_slice()[i], &mean, dual.col_mut(i));
            }
        }
        Some(dual)
    }

    /// `A − RᵀR`.
    pub(super) fn slack(&self, dual: &Matrix) -> Matrix {
        let mut out = parallel_gram(dual);
        out.as_mut_slice().par_chunks_mut(self.a.len()).enumerate().for_each(|(j, column)| {
            let scale = self.lambda_sq * self.a[j];
            for (v, a) in column.iter_mut().zip(self.a) {
                *v = scale * a - *v;
            }
            column[j] += self.gamma_sq;
        });
        out
    }

    /// Whitens residual columns; with a center projects them on `Ra = 0`. `None` if
    /// they are not finite.
    pub(super) fn feasible(&self, mut residuals: Matrix) -> Option<Matrix> {
        for (i, &a) in self.a.iter().enumerate() {
            residuals.col_mut(i).iter_mut().for_each(|v| *v *= a);
        }
        if self.problem.centered() {
            let mut mean = vec![0.0; residuals.nrows()];
            crate::linalg::combine(&residuals, self.a, &mut mean);
            let total = dot(self.a, self.a);
            for (i, &a) in self.a.iter().enumerate() {
                axpy(-a / total, &mean, residuals.col_mut(i));
            }
        }
        residuals.as_slice().iter().all(|v| v.is_finite()).then_some(residuals)
    }

    /// `matrix + share·A`.
    pub(super) fn raised(&self, matrix: &Matrix, share: f64) -> Matrix {
        let mut out = matrix.clone();
        self.raise(&mut out, share);
        out
    }

    /// `matrix ← matrix + share·A`.
    pub(super) fn raise(&self, matrix: &mut Matrix, share: f64) {
        matrix.as_mut_slice().par_chunks_mut(self.a.len()).enumerate().for_each(|(j, column)| {
            axpy(share * self.lambda_sq * self.a[j], self.a, column);
            column[j] += share * self.gamma_sq;
        });
    }

    /// `v ← A^{-1/2}v`.
    fn half_inverse(&self, v: &mut [f64]) {
        let c = self.root * dot(self.a, v);
        axpy(-c, self.a, v);
        let scale = 1.0 / self.gamma_sq.sqrt();
        v.iter_mut().for_each(|v| *v *= scale);
    }

    /// κ with κ² the largest eigenvalue of `(RᵀR + T, A)`, and the bound it
    /// promises for R.
    pub(super) fn promise(&self, dual: &Matrix, split: &Matrix) -> (f64, f64) {
        let (polar_sq, _) = lanczos_largest(self.a.len(), LANCZOS_STEPS, |v| {
            let mut u = v.to_vec();
            self.half_inverse(&mut u);
            let mut image = vec![0.0; u.len()];
            correlate(split, &u, &mut image);
            let mut low = vec![0.0; dual.nrows()];
            crate::linalg::combine(dual, &u, &mut low);
            let mut high = vec![0.0; u.len()];
            correlate(dual, &low, &mut high);
            axpy(1.0, &high, &mut image);
            self.half_inverse(&mut image);
            image
        });
        let polar = max(polar_sq, 0.0).sqrt();
        let inner = dot(self.whitened.as_slice(), dual.as_slice());
        let square = dot(dual.as_slice(), dual.as_slice());
        (polar, dual_value(inner, square, polar))
    }

    pub(super) fn unwhitened(&self, mut dual: Matrix) -> Matrix {
        for (i, &a) in self.a.iter().enumerate() {
            dual.col_mut(i).iter_mut().for_each(|v| *v /= a);
        }
        dual
    }

    /// `diag(1/a) T diag(1/a)`: the form in which the certificate checks T without roots.
    pub(super) fn root_free(&self, mut split: Matrix) -> Matrix {
        let len = self.a.len();
        split.as_mut_slice().par_chunks_mut(len).enumerate().for_each(|(j, column)| {
            for (t, a) in column.iter_mut().zip(self.a) {
                *t /= a * self.a[j];
            }
        });
        split
    }
}

/// Columns of an N × N product one task computes: fixed, so the result does not
/// depend on the number of threads.
const PRODUCT_COLUMNS: usize = 128;

/// `UUᵀ`, in parallel blocks of columns.
pub(super) fn parallel_product(factor: &Matrix) -> Matrix {
    let len = factor.nrows();
    let transposed = Matrix::from_fn(factor.ncols(), len, |k, i| factor.get(i, k));
    parallel_gram(&transposed)
}

/// `RᵀR`, in parallel blocks of columns.
fn parallel_gram(columns: &Matrix) -> Matrix {
    let len = columns.ncols();
    let mut out = Matrix::zeros(len, len);
    out.as_mut_slice().par_chunks_mut(PRODUCT_COLUMNS * len).enumerate().for_each(|(c, block)| {
        let range: Vec<usize> = (c * PRODUCT_COLUMNS..((c + 1) * PRODUCT_COLUMNS).min(len)).collect();
        block.copy_from_slice(columns.transpose_times(&columns.select_columns(&range)).as_slice());
    });
    out
}
