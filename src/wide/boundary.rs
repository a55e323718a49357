//! Up to which atom price one atom per datapoint stays optimal (theorem
//! `regime-boundary`).

use std::ops::ControlFlow;

use rayon::prelude::*;

use crate::atoms::{Codes, Dictionary, Factorization};
use crate::linalg::{Cholesky, Matrix, distance_sq, dot, norm, norm_sq};
use crate::num::{Interval, max, min, rounding};
use crate::observer::{Interrupt, Observer, Progress, Stop};
use crate::problem::Problem;
use crate::solution::SolveError;

/// Columns of a block of the pair search: two blocks and their products stay in
/// cache (128² cosines are 128 kB).
const BLOCK: usize = 128;

/// Block rows between two reports of progress.
const ROWS_A_REPORT: usize = 8;

/// The boundary γ* of one atom per datapoint.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Boundary {
    /// γ*, as computed; infinite where the closed form is optimal at every γ.
    pub gamma: f64,
    /// A number proved at or below γ* for the stored data, every rounding included.
    pub lower: f64,
    /// A number proved at or above γ*.
    pub upper: f64,
    /// The pair that decides, of the smallest indices among equals; `None` where γ* is infinite.
    pub pair: Option<(usize, usize)>,
    /// Largest cosine between two nonzero points, as computed; `None` with fewer
    /// than two of them.
    pub max_cosine: Option<f64>,
    /// [`Stop::ToleranceMet`], or why the search ended early: then only `upper`
    /// says anything, and `lower` is 0.
    pub stop: Stop,
}

/// The supremum γ* of the γ such that one atom per datapoint is optimal for the
/// convex problem at every price from 0 to γ; the problem's own γ is not used.
///
/// With `cᵢⱼ = cos∠(xᵢ, xⱼ)` and `ρᵢ(γ) = min(√(λ²wᵢ + γ²), √wᵢ‖xᵢ‖)`,
///
/// ```math
/// \gamma^\star=\min_{i<j}\gamma_{ij},\qquad
/// \gamma_{ij}=\sup\{\gamma : c_{ij}\,\rho_i\rho_j\le\lambda^2\sqrt{w_iw_j}\},
/// ```
///
/// infinite where `xᵢᵀxⱼ ≤ λ²`, else in closed form, for any weights and whether
/// or not points are active. Uniform weights `w` with every point active up to
/// the boundary: `γ* = λ√w·√(1/c − 1)`, `c` the largest cosine. Collinear active
/// points give 0.
///
/// # Guarantees
/// `lower ≤ γ* ≤ upper`: `regime-boundary`. Beyond γ* the closed form may be
/// optimal again ([`regime`] decides a single γ). Same answer for any number of
/// threads.
///
/// # Cost
/// O(nN²) time in blocks, O(nN) memory.
///
/// # Errors
/// [`SolveError::NotApplicable`] for λ = 0 or a learnt center.
///
/// # Examples
/// ```
/// use widedict::{Matrix, Problem, wide};
/// let x = Matrix::from_columns(2, &[[1.0, 0.0], [0.9, 0.4]]);
/// let problem = Problem::builder(x).lambda(0.3).build()?;
/// let boundary = wide::boundary(&problem, &())?;
/// assert!(boundary.lower <= boundary.gamma && boundary.gamma <= boundary.upper);
/// // λ√w·√(1/c − 1) with c = 0.9/√0.97.
/// assert!((boundary.gamma - 0.065148).abs() < 1e-6);
/// # Ok::<(), Box<dyn std::error::Error>>(())
/// ```
pub fn boundary(problem: &Problem, observer: &dyn Observer) -> Result<Boundary, SolveError> {
    applies(problem)?;
    let pairs = Pairs::new(problem);
    let rows = pairs.units.ncols().div_ceil(BLOCK);
    let mut best = Best::default();
    let mut stop = Stop::ToleranceMet;
    for start in (0..rows).step_by(ROWS_A_REPORT) {
        let end = (start + ROWS_A_REPORT).min(rows);
        let found: Vec<Result<Best, Interrupt>> =
            (start..end).into_par_iter().map(|row| pairs.block_row(row, best, observer)).collect();
        for row in found {
            match row {
                Ok(row) => best = best.join(row),
                Err(interrupt) => stop = interrupt.into(),
            }
        }
        if stop != Stop::ToleranceMet {
            best.lower = 0.0;
            break;
        }
        observer.progress(&Progress {
            phase: "pairs of datapoints",
            iteration: (end * BLOCK).min(pairs.units.ncols()),
            objective: best.value.sqrt(),
            lower_bound: 0.0,
            estimated_lower_bound: f64::NAN,
            atoms: pairs.units.ncols(),
        });
    }
    let indices = best.pair.map(|(i, j)| (pairs.index[i], pairs.index[j]));
    Ok(Boundary {
        gamma: best.value.sqrt(),
        lower: if best.lower.is_finite() {
            max(max(best.lower, 0.0).sqrt().next_down(), 0.0)
        } else {
            best.lower
        },
        upper: if best.upper.is_finite() { best.upper.sqrt().next_up() } else { best.upper },
        pair: indices,
        max_cosine: best.cosine.is_finite().then_some(best.cosine),
        stop,
    })
}

fn applies(problem: &Problem) -> Result<(), SolveError> {
    let refuse =
        |needs, found: String| Err(SolveError::NotApplicable { method: "the regime boundary", needs, found });
    if problem.centered() {
        return refuse("a fixed center", "a free center".to_owned());
    }
    if problem.lambda() == 0.0 {
        return refuse("lambda > 0", "lambda = 0".to_owned());
    }
    Ok(())
}

/// The smallest `γᵢⱼ²` over the pairs seen.
#[derive(Clone, Copy, Debug)]
struct Best {
    value: f64,
    lower: f64,
    upper: f64,
    pair: Option<(usize, usize)>,
    cosine: f64,
}

impl Default for Best {
    fn default() -> Self {
        Self {
            value: f64::INFINITY,
            lower: f64::INFINITY,
            upper: f64::INFINITY,
            pair: None,
            cosine: f64::NEG_INFINITY,
        }
    }
}

impl Best {
    fn join(self, other: Self) -> Self {
        let (value, pair) =
            if other.value < self.value { (other.value, other.pair) } else { (self.value, self.pair) };
        Self {
            value,
            pair,
            lower: min(self.lower, other.lower),
            upper: min(self.upper, other.upper),
            cosine: max(self.cosine, other.cosine),
        }
    }
}

/// The nonzero points, ready for the search.
struct Pairs {
    /// Unit directions.
    units: Matrix,
    /// Their lengths, enclosed.
    norms: Vec<Interval>,
    weights: Vec<f64>,
    /// Their datapoints.
    index: Vec<usize>,
    lambda: f64,
    /// Error of a unit direction, in Euclidean norm.
    unit_error: f64,
}

impl Pairs {
    fn new(problem: &Problem) -> Self {
        let data = problem.data();
        let n = data.dim();
        let index: Vec<usize> = (0..data.len()).filter(|&i| norm(data.datapoint(i)) > 0.0).collect();
        let mut units = data.datapoints().select_columns(&index);
        let mut norms = Vec::with_capacity(index.len());
        for k in 0..units.ncols() {
            let column = units.col_mut(k);
            // Tiny points: squares must not underflow.
            let largest = column.iter().fold(0.0, |m, v| max(m, v.abs()));
            column.iter_mut().for_each(|v| *v /= largest);
            let square = norm_sq(column);
            let square = Interval::around(square, rounding::radius(3 * n + 8, square));
            norms.push(square.sqrt().mul(Interval::point(largest)));
            let length = norm(column);
            column.iter_mut().for_each(|v| *v /= length);
        }
        let weights = index.iter().map(|&i| data.weights()[i]).collect();
        Self { units, norms, weights, index, lambda: problem.lambda(), unit_error: rounding::gamma(n + 16) }
    }

    /// All pairs of block `row` with itself and the later blocks.
    fn block_row(&self, row: usize, known: Best, observer: &dyn Observer) -> Result<Best, Interrupt> {
        let len = self.units.ncols();
        let range =
            |block: usize| -> Vec<usize> { (block * BLOCK..((block + 1) * BLOCK).min(len)).collect() };
        let mine = range(row);
        let left = self.units.select_columns(&mine);
        // Only the limit of what is known is used, so a row's own result does not
        // depend on the order in which rows are searched.
        let mut best = Best { upper: known.upper, ..Best::default() };
        for block in row..len.div_ceil(BLOCK) {
            if let ControlFlow::Break(interrupt) = observer.poll() {
                return Err(interrupt);
            }
            let theirs = range(block);
            let cosines = left.transpose_times(&self.units.select_columns(&theirs));
            for (b, &j) in theirs.iter().enumerate() {
                for (&i, &cosine) in mine.iter().zip(cosines.col(b)) {
                    if i < j {
                        best.cosine = max(best.cosine, cosine);
                        self.try_pair(i, j, cosine, &mut best);
                    }
                }
            }
        }
        Ok(best)
    }

    /// Joins the pair to `best`, exactly where it may decide, by a cheap lower
    /// bound elsewhere.
    fn try_pair(&self, i: usize, j: usize, cosine: f64, best: &mut Best) {
        // |computed − exact cosine| ≤ this; γᵢⱼ falls with the cosine.
        let reach = min(cosine + 4.0 * self.unit_error, 1.0);
        if !(reach > 0.0) {
            return;
        }
        let (ri, rj) = (self.norms[i].hi, self.norms[j].hi);
        let l2 = self.lambda * self.lambda;
        // Four roundings on either side.
        if reach * ri * rj * (1.0 + 8.0 * f64::EPSILON) <= l2 {
            return;
        }
        let cheap = self.square(i, j, reach, (1.0 - reach) * (1.0 + reach)) * (1.0 - 64.0 * f64::EPSILON);
        if cheap > best.upper {
            // Not smaller than the minimum, so it bounds nothing further.
            return;
        }
        let (value, lower, upper) = self.exact_pair(i, j);
        best.lower = min(best.lower, lower);
        best.upper = min(best.upper, upper);
        if value < best.value {
            (best.value, best.pair) = (value, Some((i, j)));
        }
    }

    /// `γᵢⱼ²` with an enclosure; the cosine comes from the distance of the units,
    /// which keeps its relative accuracy for nearly collinear points.
    fn exact_pair(&self, i: usize, j: usize) -> (f64, f64, f64) {
        let distance = distance_sq(self.units.col(i), self.units.col(j)).sqrt();
        let error = 2.0 * self.unit_error + rounding::gamma(self.units.nrows() + 8) * distance;
        let near = max((distance - error).next_down(), 0.0);
        let far = (distance + error).next_up();
        let (lower, upper) = (self.enclosed(i, j, near).0, self.enclosed(i, j, far).1);
        // Units that agree to rounding are collinear as far as can be told.
        let value = if near > 0.0 { distance } else { 0.0 };
        let cosine = 1.0 - 0.5 * value * value;
        let sine_sq = value * value * (1.0 - 0.25 * value * value);
        let middle = |v: Interval| 0.5 * (v.lo + v.hi);
        let inner = cosine * middle(self.norms[i]) * middle(self.norms[j]);
        let value = if inner <= self.lambda * self.lambda {
            f64::INFINITY
        } else {
            max(self.square(i, j, cosine, sine_sq), 0.0)
        };
        (value, lower, upper)
    }

    /// The largest of the three roots, in floating point, for a positive cosine.
    fn square(&self, i: usize, j: usize, cosine: f64, sine_sq: f64) -> f64 {
        let (wi, wj) = (self.weights[i], self.weights[j]);
        let (ri, rj) = (self.norms[i].hi, self.norms[j].hi);
        let (l2, c2) = (self.lambda * self.lambda, cosine * cosine);
        let product = wi * wj / c2;
        let both = 2.0 * product * sine_sq / (((wi - wj) * (wi - wj) + 4.0 * product).sqrt() + wi + wj);
        let j_inactive = wi * (l2 / (c2 * rj * rj) - 1.0);
        let i_inactive = wj * (l2 / (c2 * ri * ri) - 1.0);
        l2 * max(both, max(j_inactive, i_inactive))
    }

    /// The same at the distance `d` of the units, as (lower end, upper end);
    /// infinite where `xᵢᵀxⱼ ≤ λ²` is proved (lower end) or possible (upper end).
    fn enclosed(&self, i: usize, j: usize, d: f64) -> (f64, f64) {
        let one = Interval::point(1.0);
        let d2 = Interval::point(d).square();
        let cosine = one.sub(Interval::point(0.5).mul(d2));
        let l2 = Interval::point(self.lambda).square();
        let inner = cosine.mul(self.norms[i]).mul(self.norms[j]);
        if inner.hi <= l2.lo {
            return (f64::INFINITY, f64::INFINITY);
        }
        if !(cosine.lo > 0.0) {
            return (0.0, f64::INFINITY);
        }
        let c2 = cosine.square();
        let sine_sq = d2.mul(one.sub(Interval::point(0.25).mul(d2)));
        let (wi, wj) = (Interval::point(self.weights[i]), Interval::point(self.weights[j]));
        let product = wi.mul(wj).div(c2);
        let root = wi.sub(wj).square().add(Interval::point(4.0).mul(product)).sqrt();
        let both = Interval::point(2.0).mul(product).mul(sine_sq).div(root.add(wi).add(wj));
        let single = |w: Interval, r: Interval| w.mul(l2.div(c2.mul(r.square())).sub(one));
        let (left, right) = (single(wi, self.norms[j]), single(wj, self.norms[i]));
        let lo = l2.lo * max(both.lo, max(left.lo, max(right.lo, 0.0)));
        let hi = l2.hi * max(both.hi, max(left.hi, max(right.hi, 0.0)));
        (lo.next_down(), if inner.lo > l2.hi { hi.next_up() } else { f64::INFINITY })
    }
}

/// Whether one atom per datapoint is optimal at the problem's own γ.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Regime {
    /// One atom per datapoint is globally optimal.
    Optimal,
    /// It is not: these two points would do better together.
    Shared {
        /// The pair.
        pair: (usize, usize),
    },
    /// Every pair allows it, but whether the block of the inactive points is
    /// copositive is not decided.
    Undecided {
        /// Number of inactive points.
        inactive: usize,
    },
}

/// Decides theorem `regime-boundary`, item 1, at the problem's γ: optimal iff
/// `cᵢⱼρᵢρⱼ ≤ λ²√(wᵢwⱼ)` for every active `i` and every `j ≠ i`, **and** the
/// block of `A − X̃ᵀX̃` on the inactive points is copositive.
///
/// The block is copositive if it has no negative entry or is positive definite,
/// and is not if two of its points refute it alone; in between the answer is
/// [`Regime::Undecided`]. Comparisons are made in floating point: within rounding
/// of equality the answer may be either. O(nN²) time and O(nN) memory; where the
/// block has a negative entry, O(K³) and O(K²) more for up to 4096 inactive points.
///
/// # Errors
/// [`SolveError::NotApplicable`] for λ = 0 or a learnt center.
pub fn regime(problem: &Problem) -> Result<Regime, SolveError> {
    applies(problem)?;
    let pairs = Pairs::new(problem);
    // In units of the largest price: nothing underflows.
    let price = |w: f64| (problem.lambda() * w.sqrt()).hypot(problem.gamma());
    let unit = pairs.weights.iter().map(|w| price(*w)).fold(problem.lambda(), max);
    let lambda = problem.lambda() / unit;
    let a: Vec<f64> = pairs.weights.iter().map(|w| w.sqrt()).collect();
    // Whitened lengths, κᵢ, and what of the point is left.
    let lengths: Vec<f64> = pairs.norms.iter().zip(&a).map(|(r, a)| a * (r.hi / unit)).collect();
    let kappa: Vec<f64> = pairs.weights.iter().map(|w| price(*w) / unit).collect();
    let rho: Vec<f64> = lengths.iter().zip(&kappa).map(|(l, k)| min(*l, *k)).collect();
    let active = |i: usize| lengths[i] > kappa[i];
    let len = lengths.len();
    let found: Vec<(Option<usize>, bool)> = (0..len)
        .into_par_iter()
        .map(|i| {
            let mut negative = false;
            for j in i + 1..len {
                let cosine = dot(pairs.units.col(i), pairs.units.col(j));
                let entry = lambda * lambda * a[i] * a[j] - cosine * rho[i] * rho[j];
                if entry >= 0.0 {
                    continue;
                }
                let slack = |i: usize| kappa[i] * kappa[i] - rho[i] * rho[i];
                if active(i) || active(j) || entry * entry > slack(i) * slack(j) {
                    return (Some(j), negative);
                }
                negative = true;
            }
            (None, negative)
        })
        .collect();
    if let Some((i, j)) = found.iter().enumerate().find_map(|(i, (j, _))| j.map(|j| (i, j))) {
        return Ok(Regime::Shared { pair: (pairs.index[i], pairs.index[j]) });
    }
    if !found.iter().any(|(_, negative)| *negative) {
        return Ok(Regime::Optimal);
    }
    let inactive: Vec<usize> = (0..len).filter(|&i| !active(i)).collect();
    let entry = |i: usize, j: usize| {
        let (i, j) = (inactive[i], inactive[j]);
        let cosine = if i == j { 1.0 } else { dot(pairs.units.col(i), pairs.units.col(j)) };
        let price = if i == j { kappa[i] * kappa[i] } else { lambda * lambda * a[i] * a[j] };
        price - cosine * rho[i] * rho[j]
    };
    // Two points are decided by their determinant, which refuted none.
    let copositive = inactive.len() <= 2
        || (inactive.len() <= LARGEST_BLOCK
            && Cholesky::new(Matrix::from_fn(inactive.len(), inactive.len(), entry)).is_some());
    Ok(if copositive {
        Regime::Optimal
    } else {
        Regime::Undecided { inactive: problem.len() - len + inactive.len() }
    })
}

/// Largest block of inactive points whose definiteness is tried: a factorization of
/// some seconds.
const LARGEST_BLOCK: usize = 4096;

/// One atom per active datapoint at any γ: datapoint i is active iff
/// `√wᵢ‖xᵢ‖ > κᵢ = √(λ²wᵢ + γ²)`; its atom is its direction, its code
/// `‖xᵢ‖ − κᵢ/√wᵢ`. A feasible point; optimal exactly where [`regime`] says so
/// (at γ = 0 always). Collinear points do not share an atom here.
///
/// # Errors
/// [`SolveError::NotApplicable`] for a learnt center.
pub fn atom_each(problem: &Problem) -> Result<Factorization, SolveError> {
    if problem.centered() {
        return Err(SolveError::NotApplicable {
            method: "one atom per datapoint",
            needs: "a fixed center",
            found: "a free center".to_owned(),
        });
    }
    let data = problem.data();
    let mut atoms = Matrix::zeros(data.dim(), 0);
    let mut columns = vec![Vec::new(); data.len()];
    for (i, x) in data.datapoints().columns().enumerate() {
        let a = data.sqrt_weights()[i];
        let code = norm(x) - (problem.lambda() * a).hypot(problem.gamma()) / a;
        if code > 0.0 {
            columns[i].push((atoms.ncols(), code));
            atoms.push_column(x);
        }
    }
    let (dictionary, _) = Dictionary::normalize(atoms)?;
    let codes = Codes::from_columns(dictionary.len(), &columns);
    Ok(Factorization::new(dictionary, codes, None)?)
}
