//! A split for the bound that knows the number of atoms (theorem `width-bound`), at a fixed
//! dual point.
//!
//! Over the datapoints that pay (`Eᵢ > 0`), in the variables `√(wᵢuᵢ)`, let
//! `Bᵢⱼ = √(wᵢuᵢwⱼuⱼ)(λ² − rᵢᵀrⱼ)`. The least γ² with `B + γ²I` copositive is what the bound
//! wants. An ascent on `z ≥ 0` estimates it from below: at a maximum of `−zᵀBz` over unit
//! z the pairs in use together must not be given away, so T starts at 0 there. Then
//! Douglas–Rachford looks for S in both `{S ⪰ 0}` and `{S ≤ B + cI off the diagonal, S = B + cI
//! on it}` for a trial c above the estimate, and `T = B + cI − S ≥ 0`.
//!
//! Last, with T and c as they are, the dual point goes to where `Σ wᵢEᵢ` is largest among those
//! that T and c prove.

use std::ops::ControlFlow;

use rayon::prelude::*;

use super::ball::{Aim, Ball};
use super::fixed::step;
use super::positive::PositivePart;
use super::products::parallel_gram;
use crate::linalg::{Matrix, axpy, combine, correlate, dot, lanczos_largest, norm, norm_sq};
use crate::num::{max, min};
use crate::observer::{Observer, Progress};
use crate::problem::Problem;
use crate::trusted::{WidthSplit, bounds, width};

/// First trial `c` over the estimate, less 1, and the factor on that once a trial is met. On
/// the digits a split of 56 atoms meets 0.22 and little less, one of 898 atoms 0.09.
const FIRST_TRIAL: f64 = 0.22;
const NEXT_TRIAL: f64 = 0.4;

/// A trial `(1 + e)·least` is met when the split proves `(1 + (1 + MET)e)·least`.
const MET: f64 = 0.1;

/// Most iterations, and how many may pass without lowering γ² by [`NOTICEABLE`] of itself.
const ITERATIONS: usize = 40;
const PATIENCE: usize = 4;
const NOTICEABLE: f64 = 0.01;

/// Steps of an ascent, and datapoints that one starts from.
const ASCENT_STEPS: usize = 60;
const STARTS: usize = 400;

/// Steps of the dual point with T and c as they are: twice as many gain a thousandth of what the
/// bound adds.
const DUAL_STEPS: usize = 20;

/// What c is raised by, so that B + cI − T is positive definite as computed.
const CLEAR: f64 = 1e-3;

/// Codes below this part of the largest are not in use together.
const IN_USE: f64 = 1e-3;

/// Lanczos steps of an evaluation; the certificate computes its own eigenvalue.
const LANCZOS_STEPS: usize = 50;

/// What is known of a dual point before a split is searched for.
pub struct Prospect {
    dual: Matrix,
    paid: Paid,
    form: Form,
    /// The largest `−zᵀBz` met: γ² from below.
    least: f64,
    /// Which pairs some maximum uses together.
    shared: Vec<Vec<bool>>,
    /// `Σ wᵢEᵢ`.
    gross: f64,
    lambda: f64,
}

impl Prospect {
    /// Ascends from codes that are used together (`rows`: for every atom its datapoints with
    /// their codes) and from datapoints, for a dual point with unwhitened columns rᵢ (n × N).
    /// `None` where no datapoint pays. O(nN) a step of an ascent.
    #[must_use]
    pub fn of(
        problem: &Problem,
        dual: Matrix,
        rows: &[Vec<(usize, f64)>],
        observer: &dyn Observer,
    ) -> Option<Self> {
        let paid = Paid::of(problem, &dual);
        if paid.points.is_empty() {
            return None;
        }
        let form = paid.form(problem.lambda(), &dual);
        let (least, shared) = paid.ascents(&form, rows, observer);
        let gross = paid.gross(problem);
        Some(Self { dual, paid, form, least, shared, gross, lambda: problem.lambda() })
    }

    /// What a split that meets the first trial adds to `F_∞` for so many atoms: an estimate.
    #[must_use]
    pub fn promise(&self, atoms: usize) -> f64 {
        self.value(atoms, (1.0 + FIRST_TRIAL) * self.least)
    }

    /// What γ² adds to `F_∞` for so many atoms.
    fn value(&self, atoms: usize, square: f64) -> f64 {
        self.value_of(self.gross, atoms, square)
    }

    #[expect(clippy::cast_precision_loss, reason = "a count of atoms")]
    fn value_of(&self, gross: f64, atoms: usize, square: f64) -> f64 {
        gross - atoms as f64 * square / (2.0 * self.lambda)
    }

    /// Searches for T; `atoms` are those whose bound is told of as progress. O(N³) an iteration
    /// at worst, some six N × N matrices. `None` where what was found, when the observer broke or in
    /// the end, promises nothing for so many atoms.
    #[must_use]
    pub fn split(self, problem: &Problem, atoms: usize, observer: &dyn Observer) -> Option<WidthSplit> {
        let len = self.paid.points.len();
        let wide = bounds::wide_limit(problem).lower.get();
        let least = max(self.least, f64::MIN_POSITIVE);
        let dense = self.form.dense();
        let mut cone = PositivePart::new();
        let mut best = (self.form.price(&Matrix::zeros(len, len)), Matrix::zeros(len, len));
        let mut excess = FIRST_TRIAL;
        let mut ceiling = raised(&dense, (1.0 + excess) * least);
        let mut z = Matrix::from_fn(len, len, |i, j| {
            let g = ceiling.get(i, j);
            if i == j || self.shared[j][i] { g } else { min(g, 0.0) }
        });
        let mut mark = (0, f64::INFINITY);
        for iteration in 0..ITERATIONS {
            if let ControlFlow::Break(_) = observer.poll() {
                break;
            }
            // The projection follows the negative part of z, which B, of rank n + 1, leaves small
            // until T has many directions of its own.
            let mut psd = z.clone();
            psd.as_mut_slice().iter_mut().for_each(|v| *v = -*v);
            let Some((_, negative)) = cone.project(&psd) else { break };
            psd.as_mut_slice().copy_from_slice(z.as_slice());
            axpy(1.0, negative.as_slice(), psd.as_mut_slice());
            let mut split = ceiling.clone();
            step(&mut z, &psd, &mut split);
            let found = self.form.price(&split);
            if found < best.0 {
                best = (found, split);
            }
            observer.progress(&Progress {
                phase: "bound of the width",
                iteration: iteration + 1,
                objective: f64::NAN,
                lower_bound: f64::NAN,
                estimated_lower_bound: wide + self.value(atoms, best.0),
                atoms,
            });
            if best.0 <= (1.0 + (1.0 + MET) * excess) * least {
                // The state moves along with the ceiling.
                let lower = NEXT_TRIAL * excess;
                z = raised(&z, (lower - excess) * least);
                ceiling = raised(&dense, (1.0 + lower) * least);
                excess = lower;
                mark = (iteration, best.0);
            } else if best.0 < mark.1 * (1.0 - NOTICEABLE) {
                mark = (iteration, best.0);
            } else if iteration - mark.0 >= PATIENCE {
                break;
            }
        }
        if !(self.value(atoms, best.0) > 0.0) {
            return None;
        }
        let slack = self.paid.unwhitened(problem.len(), &best.1);
        let now = self.value(atoms, best.0);
        let moved = self.moved(problem, best, observer).filter(|dual| {
            let paid = Paid::of(problem, dual);
            let price = paid.form(self.lambda, dual).price(&paid.whitened(&slack));
            let gross = paid.gross(problem);
            self.value_of(gross, atoms, price) > now
        });
        Some(WidthSplit { slack: Some(slack), dual: moved.unwrap_or(self.dual) })
    }

    /// The dual point that maximizes `Σ wᵢ(xᵢᵀrᵢ − ½‖rᵢ‖²)` among those with `B + cI − T ⪰ 0` for
    /// this c and T, the slopes uᵢ held: accelerated projected ascent. O(nN²) a step.
    fn moved(&self, problem: &Problem, (c, slack): (f64, Matrix), observer: &dyn Observer) -> Option<Matrix> {
        let Form { columns, levels } = &self.form;
        let c = (1.0 + CLEAR) * c;
        // ℓℓᵀ + cI − T.
        let mut price = slack;
        let len = levels.len();
        price.as_mut_slice().par_chunks_mut(len.max(1)).enumerate().for_each(|(j, column)| {
            column.iter_mut().zip(levels).for_each(|(t, l)| *t = l * levels[j] - *t);
            column[j] += c;
        });
        let ball = Ball::new(&price, None)?;
        let points = &self.paid.points;
        let weights = problem.data().weights();
        let reach: Vec<f64> = points.iter().map(|p| p.root * p.root / weights[p.index]).collect();
        let data = Matrix::from_fn(columns.nrows(), len, |j, k| {
            points[k].root * problem.data().datapoints().get(j, points[k].index)
        });
        let value = |dual: &Matrix| -> f64 {
            (0..len).map(|k| (dot(data.col(k), dual.col(k)) - 0.5 * norm_sq(dual.col(k))) / reach[k]).sum()
        };
        let (least, most) = reach.iter().fold((f64::INFINITY, 0.0), |(a, b), &u| (min(a, u), max(b, u)));
        let aim = Aim {
            value: &value,
            gradient: &|dual| {
                let mut rest = data.clone();
                axpy(-1.0, dual.as_slice(), rest.as_mut_slice());
                (0..len).for_each(|k| rest.col_mut(k).iter_mut().for_each(|v| *v /= reach[k]));
                rest
            },
            least: c / most,
            most: (dot(levels, levels) + c) / least,
        };
        let (_, best) = ball.ascend(&price, columns.clone(), DUAL_STEPS, &aim, observer)?;
        let mut dual = self.dual.clone();
        for (k, point) in points.iter().enumerate() {
            let column = best.col(k).iter().map(|v| v / point.root);
            dual.col_mut(point.index).iter_mut().zip(column).for_each(|(r, v)| *r = v);
        }
        Some(dual)
    }
}

/// A datapoint that pays.
struct Point {
    index: usize,
    excess: f64,
    /// `√(w u)`.
    root: f64,
}

struct Paid {
    points: Vec<Point>,
    /// Where each datapoint is among the points.
    place: Vec<Option<usize>>,
}

impl Paid {
    fn of(problem: &Problem, dual: &Matrix) -> Self {
        let weights = problem.data().weights();
        let points: Vec<Point> = (0..problem.len())
            .into_par_iter()
            .filter_map(|index| {
                let (excess, reach) = width::gain(problem, index, dual.col(index))?;
                Some(Point { index, excess, root: (weights[index] * reach).sqrt() })
            })
            .collect();
        let mut place = vec![None; problem.len()];
        points.iter().enumerate().for_each(|(k, point)| place[point.index] = Some(k));
        Self { points, place }
    }

    fn form(&self, lambda: f64, dual: &Matrix) -> Form {
        let columns = Matrix::from_fn(dual.nrows(), self.points.len(), |j, k| {
            self.points[k].root * dual.get(j, self.points[k].index)
        });
        Form { columns, levels: self.points.iter().map(|point| lambda * point.root).collect() }
    }

    /// The largest `−zᵀBz` met over unit `z ≥ 0`, and which pairs some maximum uses together.
    fn ascents(
        &self,
        form: &Form,
        rows: &[Vec<(usize, f64)>],
        observer: &dyn Observer,
    ) -> (f64, Vec<Vec<bool>>) {
        let len = self.points.len();
        let mut starts: Vec<Vec<f64>> = rows
            .iter()
            .map(|row| {
                let mut z = vec![0.0; len];
                for &(i, v) in row {
                    if let Some(k) = self.place[i] {
                        // Whitened codes in the variables of the form.
                        z[k] = v / self.points[k].root;
                    }
                }
                z
            })
            .collect();
        let every = len.div_ceil(STARTS);
        starts.extend((0..len).step_by(every).map(|k| {
            let mut start = vec![0.0; len];
            start[k] = 1.0;
            let mut image = form.times(&start);
            image.iter_mut().for_each(|v| *v = max(-*v, 0.0));
            image[k] = max(image[k], f64::MIN_POSITIVE);
            image
        }));
        let (largest, _) = lanczos_largest(len, LANCZOS_STEPS, |v| form.times(v));
        let found: Vec<Option<(f64, Vec<f64>)>> = starts
            .into_par_iter()
            .map(|start| {
                if observer.poll().is_break() {
                    return None;
                }
                ascent(form, start, max(largest, 0.0))
            })
            .collect();
        let mut least = 0.0;
        let mut shared = vec![vec![false; len]; len];
        for (value, z) in found.into_iter().flatten() {
            least = max(least, value);
            let top = z.iter().copied().fold(0.0, max);
            let used: Vec<usize> = (0..len).filter(|&k| z[k] > IN_USE * top).collect();
            for &k in &used {
                used.iter().for_each(|&l| shared[k][l] = true);
            }
        }
        (least, shared)
    }

    /// `Σ wᵢEᵢ`.
    fn gross(&self, problem: &Problem) -> f64 {
        self.points.iter().map(|p| problem.data().weights()[p.index] * p.excess).sum()
    }

    /// T of a T₀ of all datapoints.
    fn whitened(&self, slack: &Matrix) -> Matrix {
        Matrix::from_fn(self.points.len(), self.points.len(), |k, l| {
            let (left, right) = (&self.points[k], &self.points[l]);
            slack.get(left.index, right.index) * left.root * right.root
        })
    }

    /// `T₀ = diag(1/√(wu)) T diag(1/√(wu))` of all datapoints.
    fn unwhitened(&self, len: usize, slack: &Matrix) -> Matrix {
        let mut out = Matrix::zeros(len, len);
        for (l, right) in self.points.iter().enumerate() {
            for (k, left) in self.points.iter().enumerate() {
                out.col_mut(right.index)[left.index] = slack.get(k, l) / left.root / right.root;
            }
        }
        out
    }
}

/// `B = ℓℓᵀ − CᵀC` with `ℓᵢ = λ√(wᵢuᵢ)` and the columns `√(wᵢuᵢ)rᵢ` of C.
struct Form {
    columns: Matrix,
    levels: Vec<f64>,
}

impl Form {
    /// `Bz`, O(nN).
    fn times(&self, z: &[f64]) -> Vec<f64> {
        let mut middle = vec![0.0; self.columns.nrows()];
        combine(&self.columns, z, &mut middle);
        let mut image = vec![0.0; z.len()];
        correlate(&self.columns, &middle, &mut image);
        let sum = dot(&self.levels, z);
        image.iter_mut().zip(&self.levels).for_each(|(v, l)| *v = sum * l - *v);
        image
    }

    fn dense(&self) -> Matrix {
        let mut dense = parallel_gram(&self.columns);
        let len = self.levels.len();
        dense.as_mut_slice().par_chunks_mut(len).zip(&self.levels).for_each(|(column, right)| {
            column.iter_mut().zip(&self.levels).for_each(|(v, left)| *v = left * right - *v);
        });
        dense
    }

    /// `λ_max(T − B)`, as computed: the γ² that T proves.
    fn price(&self, slack: &Matrix) -> f64 {
        let len = self.levels.len();
        let (largest, _) = lanczos_largest(len, LANCZOS_STEPS, |v| {
            let mut image = vec![0.0; len];
            correlate(slack, v, &mut image);
            axpy(-1.0, &self.times(v), &mut image);
            image
        });
        max(largest, 0.0)
    }
}

/// Ascends `−zᵀBz` over unit `z ≥ 0` by `z ← (sz − Bz)₊`, normalized, s at or above the
/// largest eigenvalue of B: the value never falls.
fn ascent(form: &Form, mut z: Vec<f64>, shift: f64) -> Option<(f64, Vec<f64>)> {
    let mut value = 0.0;
    for _ in 0..ASCENT_STEPS {
        let length = norm(&z);
        if !(length > 0.0 && length.is_finite()) {
            return None;
        }
        z.iter_mut().for_each(|v| *v /= length);
        let image = form.times(&z);
        value = -dot(&z, &image);
        z.iter_mut().zip(&image).for_each(|(z, b)| *z = max(shift * *z - b, 0.0));
    }
    let length = norm(&z);
    (length > 0.0).then(|| {
        z.iter_mut().for_each(|v| *v /= length);
        (value, z)
    })
}

/// `matrix + cI`.
fn raised(matrix: &Matrix, c: f64) -> Matrix {
    let mut out = matrix.clone();
    (0..out.nrows()).for_each(|i| out.col_mut(i)[i] += c);
    out
}
