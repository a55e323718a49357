//! The quartic bound (theorem `quartic-bound`): for sparse data in up to 64 dimensions, any
//! number of datapoints.
//!
//! One eigenvalue of second moments ([`nuclear`](super::nuclear)) cannot tell many sparse
//! directions from a few dense ones; fourth moments can. The search has two halves.
//!
//! *The dual point.* With the price of an atom replaced by a norm of exponent 4/3, the best dual
//! point for given directions is what a Gauss–Seidel method over signed codes leaves of each
//! datapoint. The strengths of the directions are raised or lowered until the form
//! `Σ wᵢ(dᵀrᵢ)⁴` is equal at all of them; directions at which it is larger are climbed to
//! and added. It begins at the atoms of a factorization, on a sample of the datapoints.
//!
//! *The proof of the form's maximum.* Forms that vanish on products are moved, by an accelerated
//! gradient, until few eigenvalues of the matrix of fourth moments lie above the form's value at
//! the directions.
//!
//! Dense data gain nothing: the search then ends after its first half.

use std::borrow::Cow;
use std::ops::ControlFlow;

use rayon::prelude::*;

use crate::linalg::{
    Columns, Matrix, axpy, dot, lanczos_largest, norm, norm_sq, orthonormal_columns, simd, symmetric_eigen,
};
use crate::num::{max, min};
use crate::observer::{Interrupt, Observer, Progress};
use crate::problem::{Data, Problem};
use crate::reduce::Share;
use crate::trusted::QuarticForm;
use crate::trusted::quartic::{Pairs, dual_point, fourth_moments, matrix_times, sweep};

/// Sweeps over the sample between two changes of the strengths.
const SWEEPS: usize = 2;

/// Share of the change of a strength that its form asks for, as an exponent.
const EAGERNESS: f64 = 0.5;

/// The largest change of a strength in a round, as a factor.
const LARGEST_CHANGE: f64 = 4.0;

/// The least strength as a share of the largest: one that is needed later comes back from there.
const FAINT: f64 = 1e-4;

/// Strengths below this share of the largest are left out in the end.
const LEFT_OUT: f64 = 1e-2;

/// Rounds after which directions are added. Before the first, the form at the atoms is far from
/// even, and everything looks like a new direction.
const GROWING: [usize; 2] = [5, 9];

/// Points that climbs begin at, at most.
const CLIMBS: usize = 96;

/// Steps of a climb.
const CLIMB_STEPS: usize = 20;

/// How much larger than at the atoms the form is at a direction worth adding.
const WORTHWHILE: f64 = 1.03;

/// Directions nearer than this cosine are one.
const SAME_DIRECTION: f64 = 0.95;

/// The strength of a new direction as a share of the mean.
const FIRST_STRENGTH: f64 = 0.3;

/// Columns of a partial sum.
const CHUNK: usize = 1024;

/// What the form's largest eigenvalue is driven to, as a multiple of its value at the
/// directions. Less is often out of reach, and slower.
const TARGET: f64 = 1.08;

/// Step of the descent over vanishing forms: the gradient's Lipschitz constant is at most 1, and
/// at most 2/3 along a single eigenvector.
const STEP: f64 = 1.4;

/// Largest matrix that is decomposed as a whole in every step.
const DECOMPOSED: usize = 320;

/// Eigenvectors kept beyond the directions' own.
const SPARE: usize = 64;

/// Products with the matrix in a step's search for eigenvectors.
const POWERS: usize = 2;

/// Lanczos steps for the eigenvalue that is promised.
const LANCZOS_STEPS: usize = 80;

/// A search goes on where its sample promises at least this share of what is known: samples vary.
const HOPEFUL: f64 = 0.97;

/// The search for the quartic bound with its limits.
///
/// # Guarantees
/// The result is a witness: the certificate proves a bound from it
/// ([`quartic-bound`](crate::proofs::quartic_bound)), which is at most the optimum whatever the
/// search did. Not claimed: that the bound is close to the optimum, or better than another.
///
/// # Cost
/// With p = n(n+1)/2 and K directions: O(nK) a datapoint and sweep, p²N for the moments, O(p²K) a
/// step of the descent, some p² numbers of memory. The same result for any number of threads.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Quartic {
    /// Most dimensions: the matrices have n⁴/4 entries.
    pub max_dim: usize,
    /// Most directions.
    pub max_directions: usize,
    /// Most datapoints that strengths and directions are found on.
    pub max_sample: usize,
    /// Changes of the strengths.
    pub rounds: usize,
    /// Changes of the strengths on all datapoints, where the sample has not all of them.
    pub last_rounds: usize,
    /// Steps of the descent over vanishing forms.
    pub steps: usize,
}

impl Default for Quartic {
    /// A minute or less at 64 dimensions and 10⁵ datapoints on two cores.
    fn default() -> Self {
        Self { max_dim: 64, max_directions: 512, max_sample: 1 << 14, rounds: 13, last_rounds: 1, steps: 20 }
    }
}

/// What the search found.
#[derive(Clone, Debug, PartialEq)]
pub struct QuarticProposal {
    /// The evidence, for [`Witness::quartic`](crate::certificate::Witness::quartic).
    pub witness: QuarticForm,
    /// The bound as the search computes it. The certificate computes and proves its own.
    pub promised: f64,
    /// Rounds and steps made.
    pub iterations: usize,
    /// Why the observer stopped the descent, if it did.
    pub interrupt: Option<Interrupt>,
}

impl Quartic {
    /// Searches from the directions of `atoms` (n × any) for a bound above `known`.
    ///
    /// `None` where λ or γ is 0, where there are more than `max_dim` dimensions, where no dual point
    /// promises more than `known`, and where the observer breaks before there is a form.
    #[must_use]
    pub fn search(
        &self,
        problem: &Problem,
        atoms: &Matrix,
        known: f64,
        observer: &dyn Observer,
    ) -> Option<QuarticProposal> {
        let allowed = 4.0 * (problem.lambda() * problem.gamma()).powi(2);
        if !(allowed > 0.0 && allowed.is_finite() && problem.dim() <= self.max_dim) {
            return None;
        }
        let mut sample = Sample::of(problem, atoms, self, allowed);
        for round in 0..self.rounds {
            problem.share().beat();
            if observer.poll().is_break() {
                return None;
            }
            sample.sweeps();
            let form = sample.form();
            let promised = sample.value(form.iter().copied().fold(0.0, max));
            report(observer, "quartic bound: dual point", round + 1, promised);
            if GROWING.contains(&round) || sample.directions.ncols() == 0 {
                sample.grow(self.max_directions, &form);
            } else {
                sample.balance(&form);
            }
        }
        sample.sweeps();
        let largest = sample.form().into_iter().fold(0.0, max);
        if !(sample.value(largest) >= HOPEFUL * known) || observer.poll().is_break() {
            return None;
        }
        let whole = Whole::of(problem, sample.witness(), allowed, self.last_rounds(problem), observer)?;
        // The descent ends at its target: what that proves is the most there is to gain.
        if !(whole.value(TARGET * whole.largest) > known) {
            return None;
        }
        let mut descent = Descent::of(problem, &whole, observer)?;
        let (mut iterations, mut interrupt) = (self.rounds, None);
        for _ in 0..self.steps {
            problem.share().beat();
            if let ControlFlow::Break(stop) = observer.poll() {
                interrupt = Some(stop);
                break;
            }
            let Some(largest) = descent.step() else { break };
            iterations += 1;
            report(observer, "quartic bound: form", iterations, whole.value(largest));
            if largest <= descent.target {
                break;
            }
        }
        let promised = whole.value(descent.largest());
        let form = descent.pairs.scaled(descent.vanishing, true);
        Some(QuarticProposal {
            witness: QuarticForm { map: whole.map, form },
            promised,
            iterations,
            interrupt,
        })
    }

    fn last_rounds(&self, problem: &Problem) -> usize {
        if problem.total() > self.max_sample { self.last_rounds } else { 0 }
    }
}

fn report(observer: &dyn Observer, phase: &'static str, iteration: usize, promised: f64) {
    observer.progress(&Progress { phase, iteration, estimated_lower_bound: promised, ..Progress::unknown() });
}

/// The dual value at the best scale for `⟨X, R⟩`, `‖R‖²` and κ⁴.
fn dual_value((products, squares): (f64, f64), fourth: f64) -> f64 {
    let scale = max(min(products / squares, fourth.powf(-0.25)), 0.0);
    if scale.is_finite() { scale * (products - 0.5 * scale * squares) } else { 0.0 }
}

/// `⟨X, R⟩` and `‖R‖²`.
fn products(share: &Share, points: &dyn Columns, dual: &Matrix, weights: &[f64]) -> (f64, f64) {
    let n = dual.nrows();
    let sums = share.sum(2, CHUNK, |run| {
        let (mut products, mut squares) = (0.0, 0.0);
        let points = points.run(run.clone());
        for (i, x) in run.zip(points.chunks_exact(n)) {
            let (w, r) = (weights[i], dual.col(i));
            products += w * dot(x, r);
            squares += w * norm_sq(r);
        }
        vec![products, squares]
    });
    (sums[0], sums[1])
}

/// `Σ wᵢ(d_kᵀrᵢ)⁴` for the directions of a map.
fn form_at(share: &Share, map: &Matrix, dual: &Matrix, weights: &[f64]) -> Vec<f64> {
    let (n, count) = (dual.nrows(), map.ncols() - 1);
    share.sum(count, CHUNK, |run| {
        let mut sums = vec![0.0; count];
        simd(
            #[inline(always)]
            || {
                for i in run {
                    let r = dual.col(i);
                    for (k, sum) in sums.iter_mut().enumerate() {
                        let square = dot(&map.col(k + 1)[..n], r).powi(2);
                        *sum += weights[i] * (square * square);
                    }
                }
            },
        );
        sums
    })
}

/// New strengths for the form at the directions, as a share of what is allowed.
fn balanced(strengths: &mut [f64], form: &[f64]) {
    for (mu, q) in strengths.iter_mut().zip(form) {
        *mu *= max(min(q.powf(EAGERNESS), LARGEST_CHANGE), 1.0 / LARGEST_CHANGE);
    }
    let least = FAINT * strengths.iter().copied().fold(0.0, max);
    strengths.iter_mut().for_each(|mu| *mu = max(*mu, least));
}

/// A sample of the datapoints with its dual point and the directions it is made of: on all ranks the
/// same, of the datapoints of all of them.
struct Sample {
    share: Share,
    points: Matrix,
    weights: Vec<f64>,
    center: Vec<f64>,
    dual: Matrix,
    /// What each direction sees of a datapoint's dual point, a column a datapoint.
    seen: Vec<Vec<f64>>,
    directions: Matrix,
    strengths: Vec<f64>,
    allowed: f64,
}

impl Sample {
    fn of(problem: &Problem, atoms: &Matrix, limits: &Quartic, allowed: f64) -> Self {
        let (data, n, share) = (problem.data(), problem.dim(), problem.share());
        let every = problem.total().div_ceil(limits.max_sample.max(1));
        let chosen: Vec<usize> = (0..problem.total()).step_by(every.max(1)).collect();
        let center = if problem.centered() { data.mean().to_vec() } else { vec![0.0; n] };
        let points = share.columns(|i| data.datapoint(i), n, &chosen);
        let mut points = Matrix::from_column_major(n, chosen.len(), points).expect("whole columns");
        for i in 0..points.ncols() {
            axpy(-1.0, &center, points.col_mut(i));
        }
        let mut weights = share.columns(|i| Cow::Borrowed(&data.weights()[i..=i]), 1, &chosen);
        let total: f64 = weights.iter().sum();
        weights.iter_mut().for_each(|w| *w /= total);
        let count = atoms.ncols().min(limits.max_directions);
        let directions = atoms.select_columns(&(0..count).collect::<Vec<_>>());
        let mut sample = Self {
            share: Share::alone(points.ncols()),
            dual: points.clone(),
            seen: vec![vec![0.0; count]; points.ncols()],
            points,
            weights,
            center,
            directions,
            strengths: Vec::new(),
            allowed,
        };
        sample.strengths = vec![sample.first_strength(); count];
        sample
    }

    /// The strength at which a direction that one datapoint in K uses takes a mean datapoint.
    fn first_strength(&self) -> f64 {
        #[expect(clippy::cast_precision_loss, reason = "directions are few")]
        let count = self.directions.ncols().max(1) as f64;
        let size: f64 = self.points.columns().zip(&self.weights).map(|(x, w)| w * norm(x)).sum();
        size / (count * self.allowed).powf(0.75)
    }

    /// The witness's map: without the faint directions, which cost time and change little.
    fn witness(&self) -> Matrix {
        let n = self.points.nrows();
        let least = LEFT_OUT * self.strengths.iter().copied().fold(0.0, max);
        let all = self.map();
        let kept: Vec<usize> = (0..all.ncols()).filter(|&k| k == 0 || all.get(n, k) >= least).collect();
        all.select_columns(&kept)
    }

    /// All directions with their strengths, as [`QuarticForm::map`] has them.
    fn map(&self) -> Matrix {
        let n = self.points.nrows();
        let mut map = Matrix::zeros(n + 1, 1);
        map.col_mut(0)[..n].copy_from_slice(&self.center);
        for (d, mu) in self.directions.columns().zip(&self.strengths) {
            let mut column = d.to_vec();
            column.push(*mu);
            map.push_column(&column);
        }
        map
    }

    fn sweeps(&mut self) {
        let (map, n) = (self.map(), self.points.nrows());
        self.dual.as_mut_slice().par_chunks_mut(n).zip(&mut self.seen).for_each(|(r, u)| {
            simd(
                #[inline(always)]
                || {
                    for _ in 0..SWEEPS {
                        sweep(&map, r, u);
                    }
                },
            );
        });
    }

    /// The form at the directions as a share of what is allowed.
    fn form(&self) -> Vec<f64> {
        let mut form = form_at(&self.share, &self.map(), &self.dual, &self.weights);
        form.iter_mut().for_each(|q| *q /= self.allowed);
        form
    }

    fn value(&self, fourth: f64) -> f64 {
        dual_value(products(&self.share, &self.points, &self.dual, &self.weights), fourth)
    }

    /// Changes the strengths and keeps the codes.
    fn balance(&mut self, form: &[f64]) {
        let before = self.strengths.clone();
        balanced(&mut self.strengths, form);
        let shrunk: Vec<f64> = before.iter().zip(&self.strengths).map(|(b, s)| (b / s).cbrt()).collect();
        self.seen.par_iter_mut().for_each(|u| u.iter_mut().zip(&shrunk).for_each(|(u, s)| *u *= s));
    }

    /// Climbs the form from datapoints and adds the directions where it is larger than at those
    /// there are.
    fn grow(&mut self, most: usize, form: &[f64]) {
        let bar = WORTHWHILE * form.iter().copied().fold(0.0, max);
        let every = self.points.ncols().div_ceil(CLIMBS).max(1);
        let starts: Vec<usize> = (0..self.points.ncols()).step_by(every).collect();
        let mut found: Vec<(f64, Vec<f64>)> =
            starts.into_par_iter().filter_map(|i| self.climb(self.dual.col(i))).collect();
        found.sort_by(|a, b| b.0.total_cmp(&a.0));
        let mean = if self.strengths.is_empty() {
            self.first_strength()
        } else {
            #[expect(clippy::cast_precision_loss, reason = "directions are few")]
            let count = self.strengths.len() as f64;
            FIRST_STRENGTH * self.strengths.iter().sum::<f64>() / count
        };
        for (q, d) in found {
            let known = self.directions.columns().any(|other| dot(other, &d).abs() > SAME_DIRECTION);
            if self.directions.ncols() < most && q > bar && !known {
                self.directions.push_column(&d);
                self.strengths.push(mean);
            }
        }
        let count = self.directions.ncols();
        self.seen.iter_mut().for_each(|u| u.resize(count, 0.0));
    }

    /// The form where a climb from a point ends, and that direction.
    fn climb(&self, start: &[f64]) -> Option<(f64, Vec<f64>)> {
        let unit = |v: Vec<f64>| {
            let size = norm(&v);
            (size > 0.0 && size.is_finite()).then(|| v.iter().map(|x| x / size).collect::<Vec<f64>>())
        };
        let mut d = unit(start.to_vec())?;
        let mut value = 0.0;
        for _ in 0..CLIMB_STEPS {
            let mut slope = vec![0.0; d.len()];
            simd(
                #[inline(always)]
                || {
                    for (r, w) in self.dual.columns().zip(&self.weights) {
                        let seen = dot(&d, r);
                        axpy(w * (seen * seen * seen), r, &mut slope);
                    }
                },
            );
            value = dot(&slope, &d) / self.allowed;
            d = unit(slope)?;
        }
        Some((value, d))
    }
}

/// The dual point of all datapoints.
struct Whole {
    map: Matrix,
    dual: Matrix,
    allowed: f64,
    products: (f64, f64),
    /// The form at the directions as a share of what is allowed, the largest.
    largest: f64,
}

impl Whole {
    fn of(
        problem: &Problem,
        mut map: Matrix,
        allowed: f64,
        rounds: usize,
        observer: &dyn Observer,
    ) -> Option<Self> {
        let (data, n) = (problem.data(), problem.dim());
        for round in 0.. {
            let mut dual = dual_point(data, &map, observer)?;
            if problem.centered() {
                subtract_mean(&mut dual, data);
            }
            let mut form = form_at(data.share(), &map, &dual, data.weights());
            form.iter_mut().for_each(|q| *q /= allowed);
            if round == rounds {
                let largest = form.into_iter().fold(0.0, max);
                let products = products(data.share(), data.datapoints(), &dual, data.weights());
                return Some(Self { map, dual, allowed, products, largest });
            }
            let mut strengths: Vec<f64> = map.columns().skip(1).map(|column| column[n]).collect();
            balanced(&mut strengths, &form);
            strengths.iter().enumerate().for_each(|(k, mu)| map.col_mut(k + 1)[n] = *mu);
        }
        None
    }

    fn value(&self, fourth: f64) -> f64 {
        dual_value(self.products, fourth)
    }
}

fn subtract_mean(dual: &mut Matrix, data: &Data) {
    let (mut mean, _) = crate::linalg::weighted_mean(data.share(), dual, data.weights());
    mean.iter_mut().for_each(|v| *v /= data.total_weight());
    for i in 0..dual.ncols() {
        axpy(-1.0, &mean, dual.col_mut(i));
    }
}

/// The descent over vanishing forms Z, of half the squared sum of what F + Z has above a target.
struct Descent {
    pairs: Pairs,
    /// F, the matrix of fourth moments as a share of what is allowed.
    moments: Matrix,
    vanishing: Matrix,
    before: Matrix,
    /// Columns that span nearly the eigenvectors above the target.
    basis: Matrix,
    target: f64,
    /// Nesterov's sequence.
    momentum: f64,
}

impl Descent {
    fn of(problem: &Problem, whole: &Whole, observer: &dyn Observer) -> Option<Self> {
        let pairs = Pairs::of(problem.dim());
        let mut moments = fourth_moments(&pairs, &whole.dual, problem.data(), observer)?;
        moments.as_mut_slice().iter_mut().for_each(|v| *v /= whole.allowed);
        let moments = pairs.scaled(moments, false);
        let target = TARGET * whole.largest;
        // The identity's vanishing part takes what a Gaussian has to much below its eigenvalue.
        let len = pairs.len();
        let start = Matrix::from_fn(len, len, |p, q| if p == q { target } else { 0.0 });
        let start = pairs.scaled(pairs.vanishing(&pairs.scaled(start, true)), false);
        let basis = first_basis(&pairs, &whole.map);
        Some(Self { pairs, moments, before: start.clone(), vanishing: start, basis, target, momentum: 1.0 })
    }

    /// One step. The largest eigenvalue there was, nearly; `None` where decompositions fail.
    fn step(&mut self) -> Option<f64> {
        let next = 0.5 * (1.0 + (1.0 + 4.0 * self.momentum * self.momentum).sqrt());
        let repeat = (self.momentum - 1.0) / next;
        self.momentum = next;
        let mut ahead = self.vanishing.clone();
        add_scaled(repeat, &self.vanishing, &mut ahead);
        add_scaled(-repeat, &self.before, &mut ahead);
        let mut matrix = ahead.clone();
        add_scaled(1.0, &self.moments, &mut matrix);
        let (values, vectors) = self.eigenvectors(&matrix)?;
        let largest = *values.last()?;
        let first = values.partition_point(|&v| v <= self.target);
        let mut above = vectors.select_columns(&(first..values.len()).collect::<Vec<_>>());
        for (j, value) in values[first..].iter().enumerate() {
            let root = (value - self.target).sqrt();
            above.col_mut(j).iter_mut().for_each(|v| *v *= root);
        }
        let len = self.pairs.len();
        let mut excess = Matrix::zeros(len, len);
        excess.add_own_products(&above);
        let slope = self.pairs.vanishing(&self.pairs.scaled(excess, true));
        add_scaled(-STEP, &self.pairs.scaled(slope, false), &mut ahead);
        self.before = std::mem::replace(&mut self.vanishing, ahead);
        Some(largest)
    }

    /// Eigenvalues (nondecreasing) and eigenvectors, at least those above the target, nearly.
    fn eigenvectors(&mut self, matrix: &Matrix) -> Option<(Vec<f64>, Matrix)> {
        if self.pairs.len() <= DECOMPOSED {
            return symmetric_eigen(matrix);
        }
        for _ in 1..POWERS {
            self.basis = times(matrix, &orthonormal_columns(&self.basis));
        }
        let basis = orthonormal_columns(&self.basis);
        let images = times(matrix, &basis);
        let (values, rotation) = symmetric_eigen(&transpose_times(&basis, &images))?;
        self.basis = times(&images, &rotation);
        Some((values, times(&basis, &rotation)))
    }

    /// The largest eigenvalue of what was found, nearly.
    fn largest(&self) -> f64 {
        let mut matrix = self.vanishing.clone();
        add_scaled(1.0, &self.moments, &mut matrix);
        lanczos_largest(self.pairs.len(), LANCZOS_STEPS, |v| matrix_times(&matrix, v)).0
    }
}

/// The products of the strongest directions, and a few columns without structure.
fn first_basis(pairs: &Pairs, map: &Matrix) -> Matrix {
    let (n, len) = (map.nrows() - 1, pairs.len());
    let most = len / 2;
    let mut order: Vec<usize> = (1..map.ncols()).collect();
    order.sort_by(|&a, &b| map.col(b)[n].total_cmp(&map.col(a)[n]));
    let mut basis = Matrix::zeros(len, 0);
    for &k in order.iter().take(most.saturating_sub(SPARE)) {
        basis.push_column(&pairs.vector(&map.col(k)[..n]));
    }
    let mut state = 1_u64;
    for _ in 0..SPARE.min(most) {
        let column: Vec<f64> = (0..len)
            .map(|_| {
                // Knuth's linear congruence: any numbers without structure will do.
                state = state.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1_442_695_040_888_963_407);
                if state >> 63 == 0 { 1.0 } else { -1.0 }
            })
            .collect();
        basis.push_column(&column);
    }
    basis
}

fn add_scaled(factor: f64, from: &Matrix, to: &mut Matrix) {
    let pieces = to.as_mut_slice().par_chunks_mut(CHUNK).zip(from.as_slice().par_chunks(CHUNK));
    pieces.for_each(|(to, from)| axpy(factor, from, to));
}

/// Columns that one task multiplies.
const COLUMNS: usize = 32;

/// `left · right`, blocks of columns in parallel.
fn times(left: &Matrix, right: &Matrix) -> Matrix {
    in_blocks(right, |block| left.times(block))
}

/// `leftᵀ · right`, blocks of columns in parallel.
fn transpose_times(left: &Matrix, right: &Matrix) -> Matrix {
    in_blocks(right, |block| left.transpose_times(block))
}

fn in_blocks(right: &Matrix, product: impl Fn(&Matrix) -> Matrix + Sync) -> Matrix {
    let columns: Vec<usize> = (0..right.ncols()).collect();
    let blocks: Vec<Matrix> =
        columns.par_chunks(COLUMNS).map(|block| product(&right.select_columns(block))).collect();
    let mut all = blocks.into_iter();
    let mut out = all.next().unwrap_or_else(|| Matrix::zeros(0, 0));
    all.for_each(|block| out.append(&block));
    out
}
