//! Slow, obvious twins of the fast formulas: plain loops, bisection, exhaustive
//! search. They share no code with what they check and promise accuracy only at
//! moderate ratios of the penalties (about 1e-5 to 1e5).

#![expect(clippy::needless_range_loop, reason = "the indices of the formulas")]

use crate::Factorization;
use crate::linalg::Matrix;
use crate::problem::Problem;

use super::dense_codes;

/// Halvings of a bisection: more than the bits of an `f64`.
const HALVINGS: usize = 200;

/// The gauge of a code row in whitened units, by its definitions.
#[derive(Clone, Debug)]
pub struct Gauge {
    /// `a = √w`.
    pub a: Vec<f64>,
    /// λ.
    pub lambda: f64,
    /// γ.
    pub gamma: f64,
}

impl Gauge {
    /// The gauge of a problem's code rows.
    #[must_use]
    pub fn of(problem: &Problem) -> Self {
        let a = problem.data().weights().iter().map(|w| w.sqrt()).collect();
        Self { a, lambda: problem.lambda(), gamma: problem.gamma() }
    }

    /// `√(λ²(aᵀz)² + γ²‖z‖²)`.
    #[must_use]
    pub fn value(&self, z: &[f64]) -> f64 {
        (self.lambda * inner(&self.a, z)).hypot(self.gamma * length(z))
    }

    /// `(v − τa)₊`.
    #[must_use]
    pub fn shrunk(&self, v: &[f64], tau: f64) -> Vec<f64> {
        v.iter().zip(&self.a).map(|(v, a)| positive(v - tau * a)).collect()
    }

    /// The largest ratio `vᵢ/aᵢ`, at least 0.
    fn largest_ratio(&self, v: &[f64]) -> f64 {
        v.iter().zip(&self.a).map(|(v, a)| v / a).fold(0.0, crate::num::max)
    }

    /// `g°(v)` by bisection on the slope of `‖(v − τa)₊‖²/γ² + τ²/λ²`.
    #[must_use]
    pub fn polar(&self, v: &[f64]) -> f64 {
        let (l, g) = (self.lambda, self.gamma);
        if g == 0.0 {
            return self.largest_ratio(v) / l;
        }
        if l == 0.0 {
            return length(&self.shrunk(v, 0.0)) / g;
        }
        let (mut lo, mut hi) = (0.0, self.largest_ratio(v));
        for _ in 0..HALVINGS {
            let tau = 0.5 * (lo + hi);
            if tau / (l * l) < inner(&self.a, &self.shrunk(v, tau)) / (g * g) {
                lo = tau;
            } else {
                hi = tau;
            }
        }
        let p = self.shrunk(v, lo);
        (inner(&p, &p) / (g * g) + lo * lo / (l * l)).sqrt()
    }

    /// `g°(v)` and a maximizer, over all supports: on a support S the best row
    /// is `A_S⁻¹v_S` when that is positive. For γ > 0 and N ≤ 20.
    #[must_use]
    pub fn polar_by_supports(&self, v: &[f64]) -> (f64, Vec<f64>) {
        let (l2, g2) = (self.lambda * self.lambda, self.gamma * self.gamma);
        let mut best = (0.0, vec![0.0; v.len()]);
        for support in 1_usize..1 << v.len() {
            let inside = |i: &usize| support >> i & 1 == 1;
            let picked: Vec<usize> = (0..v.len()).filter(inside).collect();
            let square: f64 = picked.iter().map(|&i| self.a[i] * self.a[i]).sum();
            let mass: f64 = picked.iter().map(|&i| self.a[i] * v[i]).sum();
            // A_S⁻¹v = (v − λ²a (aᵀv)/(γ² + λ²aᵀa))/γ².
            let shift = l2 * mass / (g2 + l2 * square);
            let mut z = vec![0.0; v.len()];
            picked.iter().for_each(|&i| z[i] = (v[i] - shift * self.a[i]) / g2);
            if picked.iter().all(|&i| z[i] > 0.0) {
                let value = inner(v, &z) / self.value(&z);
                if value > best.0 {
                    best = (value, z);
                }
            }
        }
        best
    }

    /// `g°(v)` as the root of twice the maximum of `vᵀz − ½g(z)²`, by cyclic
    /// coordinate ascent: no τ anywhere. For γ > 0.
    #[must_use]
    pub fn polar_by_ascent(&self, v: &[f64], sweeps: usize) -> f64 {
        let (l2, g2) = (self.lambda * self.lambda, self.gamma * self.gamma);
        let mut z = vec![0.0; v.len()];
        for _ in 0..sweeps {
            for i in 0..v.len() {
                let others: f64 = (0..v.len()).filter(|&j| j != i).map(|j| self.a[j] * z[j]).sum();
                z[i] = positive(v[i] - l2 * self.a[i] * others) / (l2 * self.a[i] * self.a[i] + g2);
            }
        }
        (2.0 * inner(v, &z) - self.value(&z).powi(2)).sqrt()
    }

    /// `argmin_{z ≥ 0} ½‖z − v‖² + t·g(z)` by bisection over τ.
    #[must_use]
    pub fn prox(&self, v: &[f64], t: f64) -> Vec<f64> {
        let (l2, g2) = (self.lambda * self.lambda, self.gamma * self.gamma);
        if g2 == 0.0 {
            return self.shrunk(v, t * self.lambda);
        }
        let (mut lo, mut hi) = (0.0, self.largest_ratio(v));
        for _ in 0..HALVINGS {
            let tau = 0.5 * (lo + hi);
            let p = self.shrunk(v, tau);
            if t * l2 * inner(&self.a, &p) > tau * self.value(&p) {
                lo = tau;
            } else {
                hi = tau;
            }
        }
        let p = self.shrunk(v, lo);
        let gauge = self.value(&p);
        if gauge <= t * g2 {
            return vec![0.0; v.len()];
        }
        p.iter().map(|p| p * (1.0 - t * g2 / gauge)).collect()
    }

    /// What the prox minimizes.
    #[must_use]
    pub fn prox_objective(&self, v: &[f64], t: f64, z: &[f64]) -> f64 {
        let distance: f64 = v.iter().zip(z).map(|(v, z)| (v - z) * (v - z)).sum();
        0.5 * distance + t * self.value(z)
    }

    /// The prox by a generic convex descent: `g = min_η ½(g²/η + η)`, alternately
    /// over η and, by coordinate descent, over z. No τ anywhere. For γ > 0.
    #[must_use]
    pub fn prox_by_descent(&self, v: &[f64], t: f64, sweeps: usize) -> Vec<f64> {
        let (l2, g2) = (self.lambda * self.lambda, self.gamma * self.gamma);
        let mut z: Vec<f64> = v.iter().map(|v| positive(*v)).collect();
        for _ in 0..sweeps {
            let eta = self.value(&z);
            if eta == 0.0 {
                break;
            }
            for i in 0..v.len() {
                let others: f64 = (0..v.len()).filter(|&j| j != i).map(|j| self.a[j] * z[j]).sum();
                let curvature = 1.0 + t * (l2 * self.a[i] * self.a[i] + g2) / eta;
                z[i] = positive(v[i] - t * l2 * self.a[i] * others / eta) / curvature;
            }
        }
        z
    }
}

/// Residuals `rᵢ = xᵢ − b − Σ_k d_k z_ki`.
#[must_use]
pub fn residuals(problem: &Problem, factorization: &Factorization) -> Matrix {
    let codes = dense_codes(factorization);
    Matrix::from_fn(problem.dim(), problem.len(), |j, i| {
        let explained: f64 =
            (0..factorization.width()).map(|k| factorization.dictionary().atom(k)[j] * codes.get(k, i)).sum();
        problem.data().datapoint(i)[j] - factorization.center().map_or(0.0, |b| b[j]) - explained
    })
}

/// `Σ wᵢ ½‖rᵢ‖² + Σ_k ‖d_k‖ g(z_k)` with `g` in its weighted form.
#[must_use]
pub fn objective(problem: &Problem, factorization: &Factorization) -> f64 {
    let r = residuals(problem, factorization);
    let w = problem.data().weights();
    let fit: f64 = (0..problem.len()).map(|i| w[i] * 0.5 * inner(r.col(i), r.col(i))).sum();
    let codes = dense_codes(factorization);
    let penalty: f64 = (0..factorization.width())
        .map(|k| length(factorization.dictionary().atom(k)) * row_gauge(problem, &row(&codes, k)))
        .sum();
    fit + penalty
}

/// `√(λ²(Σ wᵢzᵢ)² + γ² Σ wᵢzᵢ²)` of an unwhitened code row.
#[must_use]
pub fn row_gauge(problem: &Problem, z: &[f64]) -> f64 {
    let w = problem.data().weights();
    let mass = inner(w, z);
    let energy: f64 = w.iter().zip(z).map(|(w, z)| w * z * z).sum();
    (problem.lambda() * mass).hypot(problem.gamma() * energy.sqrt())
}

/// The largest violations of theorem `stationarity`, not divided by anything.
#[derive(Clone, Copy, Debug)]
pub struct Kkt {
    /// Of the codes' condition, per unit weight.
    pub codes: f64,
    /// Largest `g°(R̃ᵀd_k) − 1` over atoms without codes; 0 if none violates.
    pub dead: f64,
    /// Of the atoms' condition.
    pub dictionary: f64,
    /// `‖Σ wᵢrᵢ‖`; 0 without a center.
    pub center: f64,
}

/// The violations at a factorization, each by its formula.
#[must_use]
pub fn kkt(problem: &Problem, factorization: &Factorization) -> Kkt {
    let (l, g) = (problem.lambda(), problem.gamma());
    let w = problem.data().weights();
    let r = residuals(problem, factorization);
    let codes = dense_codes(factorization);
    let gauge = Gauge::of(problem);
    let mut out = Kkt { codes: 0.0, dead: 0.0, dictionary: 0.0, center: 0.0 };
    for k in 0..factorization.width() {
        let (d, z) = (factorization.dictionary().atom(k), row(&codes, k));
        let size = row_gauge(problem, &z);
        let mass = inner(w, &z);
        for i in 0..problem.len() {
            let slope = if g == 0.0 { l } else { l * (l * mass / size) + g * (g * z[i] / size) };
            let violation = inner(d, r.col(i)) - slope;
            if z[i] > 0.0 {
                out.codes = crate::num::max(out.codes, violation.abs());
            } else if g == 0.0 || mass > 0.0 {
                out.codes = crate::num::max(out.codes, violation);
            }
        }
        if mass == 0.0 && g > 0.0 {
            let v: Vec<f64> = (0..problem.len()).map(|i| gauge.a[i] * inner(d, r.col(i))).collect();
            out.dead = crate::num::max(out.dead, gauge.polar(&v) - 1.0);
        }
        let pull: Vec<f64> = (0..problem.dim())
            .map(|j| (0..problem.len()).map(|i| w[i] * z[i] * r.get(j, i)).sum::<f64>() - size * d[j])
            .collect();
        out.dictionary = crate::num::max(out.dictionary, length(&pull));
    }
    if problem.centered() {
        out.center = length(&mean(&r, w));
    }
    out
}

/// `max t⟨X̃, R̃⟩ − ½t²‖R̃‖²` over `0 ≤ t ≤ 1/κ`, with unwhitened columns.
#[must_use]
pub fn dual_value(problem: &Problem, dual: &Matrix, kappa: f64) -> f64 {
    let (x, w) = (problem.data().datapoints(), problem.data().weights());
    let cross: f64 = (0..problem.len()).map(|i| w[i] * inner(&x.col(i), dual.col(i))).sum();
    let square: f64 = (0..problem.len()).map(|i| w[i] * inner(dual.col(i), dual.col(i))).sum();
    if square == 0.0 || cross <= 0.0 {
        return 0.0;
    }
    let t = crate::num::min(cross / square, 1.0 / kappa);
    t * cross - 0.5 * t * t * square
}

/// `1 − Σ wᵢ‖rᵢ‖² / Σ wᵢ‖xᵢ − x̄‖²`.
#[must_use]
pub fn explained_variance(problem: &Problem, factorization: &Factorization) -> f64 {
    let (x, w) = (problem.data().datapoints(), problem.data().weights());
    let r = residuals(problem, factorization);
    let total: f64 = w.iter().sum();
    let center: Vec<f64> = mean(&x.as_matrix(), w).iter().map(|v| v / total).collect();
    let left: f64 = (0..problem.len()).map(|i| w[i] * inner(r.col(i), r.col(i))).sum();
    let spread: f64 = (0..problem.len())
        .map(|i| w[i] * x.col(i).iter().zip(&center).map(|(x, c)| (x - c) * (x - c)).sum::<f64>())
        .sum();
    1.0 - left / spread
}

/// `F_∞ = Σ wᵢ h_λ(‖xᵢ − b‖)`; `b = 0` where no center is given.
#[must_use]
pub fn wide_limit(problem: &Problem, center: Option<&[f64]>) -> f64 {
    let l = problem.lambda();
    (0..problem.len())
        .map(|i| {
            let x = problem.data().datapoint(i);
            let zero = vec![0.0; x.len()];
            let difference: Vec<f64> = x.iter().zip(center.unwrap_or(&zero)).map(|(x, b)| x - b).collect();
            let r = length(&difference);
            let h = if r > l { l * r - 0.5 * l * l } else { 0.5 * r * r };
            problem.data().weights()[i] * h
        })
        .sum()
}

/// κ of theorem `split-certificate` with T = 0: the root of the largest
/// generalized eigenvalue of `(R̃ᵀR̃, A)`, dense N × N. For γ > 0.
#[must_use]
pub fn spectral_polar(problem: &Problem, dual: &Matrix) -> f64 {
    let n = problem.len();
    let a = Gauge::of(problem).a;
    let (l2, g2) = (problem.lambda().powi(2), problem.gamma().powi(2));
    let metric = Matrix::from_fn(n, n, |i, j| l2 * a[i] * a[j] + if i == j { g2 } else { 0.0 });
    let gram = Matrix::from_fn(n, n, |i, j| a[i] * a[j] * inner(dual.col(i), dual.col(j)));
    let l = cholesky(&metric).expect("the metric is positive definite for gamma > 0");
    // L⁻¹ K L⁻ᵀ: L⁻¹ is applied to the columns, then to the rows.
    let half = solve_lower(&l, &gram);
    let whitened = solve_lower(&l, &transpose(&half));
    eigenvalues(&whitened).last().copied().map_or(0.0, |v| positive(v).sqrt())
}

/// Sweeps of Jacobi rotations. Convergence is quadratic after a few; sixty end it for any
/// matrix of the tests.
const JACOBI_SWEEPS: usize = 60;

/// Eigenvalues of a symmetric matrix, nondecreasing, by Jacobi rotations.
#[must_use]
pub fn eigenvalues(matrix: &Matrix) -> Vec<f64> {
    let n = matrix.nrows();
    let mut m = Matrix::from_fn(n, n, |i, j| 0.5 * (matrix.get(i, j) + matrix.get(j, i)));
    for _ in 0..JACOBI_SWEEPS {
        for p in 0..n {
            for q in p + 1..n {
                let off = m.get(p, q);
                if off == 0.0 {
                    continue;
                }
                let theta = (m.get(q, q) - m.get(p, p)) / (2.0 * off);
                let t = theta.signum() / (theta.abs() + (theta * theta + 1.0).sqrt());
                let c = 1.0 / (t * t + 1.0).sqrt();
                let s = t * c;
                for k in 0..n {
                    let (x, y) = (m.get(k, p), m.get(k, q));
                    m.col_mut(p)[k] = c * x - s * y;
                    m.col_mut(q)[k] = s * x + c * y;
                }
                for k in 0..n {
                    let (x, y) = (m.get(p, k), m.get(q, k));
                    m.col_mut(k)[p] = c * x - s * y;
                    m.col_mut(k)[q] = s * x + c * y;
                }
            }
        }
    }
    let mut values: Vec<f64> = (0..n).map(|i| m.get(i, i)).collect();
    values.sort_by(f64::total_cmp);
    values
}

/// Lower Cholesky factor; `None` when a pivot is not positive.
#[must_use]
pub fn cholesky(matrix: &Matrix) -> Option<Matrix> {
    let n = matrix.nrows();
    let mut l = Matrix::zeros(n, n);
    for j in 0..n {
        let pivot = matrix.get(j, j) - (0..j).map(|k| l.get(j, k) * l.get(j, k)).sum::<f64>();
        if !(pivot > 0.0) {
            return None;
        }
        let root = pivot.sqrt();
        for i in j..n {
            let value = matrix.get(i, j) - (0..j).map(|k| l.get(i, k) * l.get(j, k)).sum::<f64>();
            l.col_mut(j)[i] = value / root;
        }
    }
    Some(l)
}

/// `L⁻¹B` for lower triangular L.
#[must_use]
pub fn solve_lower(l: &Matrix, b: &Matrix) -> Matrix {
    let mut out = b.clone();
    for c in 0..b.ncols() {
        for i in 0..l.nrows() {
            let known: f64 = (0..i).map(|k| l.get(i, k) * out.get(k, c)).sum();
            out.col_mut(c)[i] = (b.get(i, c) - known) / l.get(i, i);
        }
    }
    out
}

/// The transpose.
#[must_use]
pub fn transpose(matrix: &Matrix) -> Matrix {
    Matrix::from_fn(matrix.ncols(), matrix.nrows(), |i, j| matrix.get(j, i))
}

/// The product, by its definition.
#[must_use]
pub fn times(left: &Matrix, right: &Matrix) -> Matrix {
    Matrix::from_fn(left.nrows(), right.ncols(), |i, j| {
        (0..left.ncols()).map(|k| left.get(i, k) * right.get(k, j)).sum()
    })
}

/// Row `k` of a dense matrix.
#[must_use]
pub fn row(matrix: &Matrix, k: usize) -> Vec<f64> {
    (0..matrix.ncols()).map(|i| matrix.get(k, i)).collect()
}

/// `aᵀb`, term after term.
#[must_use]
pub fn inner(a: &[f64], b: &[f64]) -> f64 {
    a.iter().zip(b).map(|(a, b)| a * b).sum()
}

/// `‖a‖`, in units of the largest entry, so that no square is lost.
#[must_use]
pub fn length(a: &[f64]) -> f64 {
    let largest = a.iter().fold(0.0, |m, v| crate::num::max(m, v.abs()));
    if largest == 0.0 {
        return 0.0;
    }
    largest * a.iter().map(|v| (v / largest) * (v / largest)).sum::<f64>().sqrt()
}

/// `Σ wᵢ cᵢ` over the columns.
fn mean(matrix: &Matrix, w: &[f64]) -> Vec<f64> {
    (0..matrix.nrows()).map(|j| (0..matrix.ncols()).map(|i| w[i] * matrix.get(j, i)).sum()).collect()
}

fn positive(x: f64) -> f64 {
    if x > 0.0 { x } else { 0.0 }
}

/// A factorization with dense parts, improved by plain block
/// descent: each code row by the naive prox, each atom to its best direction,
/// the center to the mean of what is left. Not a solver: it may stall.
#[derive(Clone, Debug)]
pub struct Descent {
    problem: Problem,
    gauge: Gauge,
    atoms: Vec<Vec<f64>>,
    /// Unwhitened rows.
    codes: Vec<Vec<f64>>,
    center: Vec<f64>,
    residuals: Matrix,
    /// Whether the atoms move.
    pub learn_atoms: bool,
    /// Whether codes that are 0 stay so in [`Descent::block_step`].
    pub used_only: bool,
}

impl Descent {
    /// Starts from directions of any positive length, with zero codes and center.
    #[must_use]
    pub fn new(problem: &Problem, directions: &[Vec<f64>]) -> Self {
        let atoms: Vec<Vec<f64>> = directions.iter().map(|d| unit(d)).collect();
        Self {
            gauge: Gauge::of(problem),
            codes: vec![vec![0.0; problem.len()]; atoms.len()],
            center: vec![0.0; problem.dim()],
            residuals: problem.data().datapoints().to_matrix(),
            atoms,
            problem: problem.clone(),
            learn_atoms: true,
            used_only: false,
        }
    }

    /// Starts from a factorization.
    #[must_use]
    pub fn from_factorization(problem: &Problem, factorization: &Factorization) -> Self {
        let directions: Vec<Vec<f64>> = factorization.dictionary().atoms().map(<[f64]>::to_vec).collect();
        let codes = dense_codes(factorization);
        let mut out = Self::new(problem, &directions);
        out.codes = (0..factorization.width()).map(|k| row(&codes, k)).collect();
        out.center = factorization.center().map_or(vec![0.0; problem.dim()], <[f64]>::to_vec);
        out.residuals = residuals(problem, factorization);
        out
    }

    /// Adds an atom without codes.
    pub fn push(&mut self, direction: &[f64]) {
        self.atoms.push(unit(direction));
        self.codes.push(vec![0.0; self.problem.len()]);
    }

    /// Drops atoms without codes.
    pub fn prune(&mut self) {
        let used: Vec<bool> = self.codes.iter().map(|z| z.iter().any(|v| *v > 0.0)).collect();
        let mut keep = used.iter();
        self.atoms.retain(|_| *keep.next().unwrap_or(&true));
        let mut keep = used.iter();
        self.codes.retain(|_| *keep.next().unwrap_or(&true));
    }

    /// One pass over all atoms and the center.
    pub fn sweep(&mut self) {
        let n = self.problem.dim();
        let points = self.problem.len();
        for k in 0..self.atoms.len() {
            self.add_atom(k, 1.0);
            let v: Vec<f64> =
                (0..points).map(|i| self.gauge.a[i] * inner(&self.atoms[k], self.residuals.col(i))).collect();
            let z = self.gauge.prox(&v, 1.0);
            self.codes[k] = z.iter().zip(&self.gauge.a).map(|(z, a)| z / a).collect();
            if self.learn_atoms {
                let pull: Vec<f64> = (0..n)
                    .map(|j| (0..points).map(|i| self.gauge.a[i] * z[i] * self.residuals.get(j, i)).sum())
                    .collect();
                if length(&pull) > 0.0 {
                    self.atoms[k] = unit(&pull);
                }
            }
            self.add_atom(k, -1.0);
        }
        self.recenter();
    }

    /// The directions of the atoms `from..to` one after another, each the best for the
    /// codes as they are, then their codes one after another, then the center.
    pub fn block_step(&mut self, from: usize, to: usize) {
        let weights = self.problem.data().weights().to_vec();
        for k in from..to {
            self.add_atom(k, 1.0);
            let pull: Vec<f64> = (0..self.problem.dim())
                .map(|j| {
                    (0..weights.len()).map(|i| weights[i] * self.codes[k][i] * self.residuals.get(j, i)).sum()
                })
                .collect();
            if length(&pull) > 0.0 {
                self.atoms[k] = unit(&pull);
            }
            self.add_atom(k, -1.0);
        }
        for k in from..to {
            self.add_atom(k, 1.0);
            let v: Vec<f64> = (0..weights.len())
                .map(|i| {
                    let stays = self.used_only && self.codes[k][i] == 0.0;
                    if stays { 0.0 } else { self.gauge.a[i] * inner(&self.atoms[k], self.residuals.col(i)) }
                })
                .collect();
            let z = self.gauge.prox(&v, 1.0);
            self.codes[k] = z.iter().zip(&self.gauge.a).map(|(z, a)| z / a).collect();
            self.add_atom(k, -1.0);
        }
        self.recenter();
    }

    /// `R += sign · d_k z_kᵀ`.
    fn add_atom(&mut self, k: usize, sign: f64) {
        for i in 0..self.problem.len() {
            for j in 0..self.problem.dim() {
                self.residuals.col_mut(i)[j] += sign * self.atoms[k][j] * self.codes[k][i];
            }
        }
    }

    /// Moves the center, where one is learnt, to its best place.
    fn recenter(&mut self) {
        if self.problem.centered() {
            let w = self.problem.data().weights();
            let total: f64 = w.iter().sum();
            let step: Vec<f64> = mean(&self.residuals, w).iter().map(|v| v / total).collect();
            for j in 0..self.problem.dim() {
                self.center[j] += step[j];
                for i in 0..self.problem.len() {
                    self.residuals.col_mut(i)[j] -= step[j];
                }
            }
        }
    }

    /// Objective of the current factorization.
    #[must_use]
    pub fn objective(&self) -> f64 {
        let w = self.problem.data().weights();
        let fit: f64 =
            (0..w.len()).map(|i| 0.5 * w[i] * inner(self.residuals.col(i), self.residuals.col(i))).sum();
        fit + self.codes.iter().map(|z| row_gauge(&self.problem, z)).sum::<f64>()
    }

    /// Sweeps until the objective falls by less than `relative` of itself in ten
    /// sweeps, or `limit` sweeps were made; gives the objective.
    pub fn run(&mut self, limit: usize, relative: f64) -> f64 {
        let mut last = self.objective();
        for _ in 0..limit.div_ceil(10) {
            (0..10).for_each(|_| self.sweep());
            let now = self.objective();
            if last - now <= relative * now {
                return now;
            }
            last = now;
        }
        last
    }

    /// The current residuals.
    #[must_use]
    pub fn residuals(&self) -> &Matrix {
        &self.residuals
    }

    /// The current factorization.
    ///
    /// # Panics
    /// If the descent left the reals, which only ratios of penalties or weights beyond
    /// those of the module's promise make it do.
    #[must_use]
    pub fn factorization(&self) -> Factorization {
        self.finite_factorization().expect("unit atoms and nonnegative codes")
    }

    /// The current factorization; `None` where the descent left the reals.
    #[must_use]
    pub fn finite_factorization(&self) -> Option<Factorization> {
        let codes = Matrix::from_fn(self.codes.len(), self.problem.len(), |k, i| self.codes[k][i]);
        let center = self.problem.centered().then(|| self.center.clone());
        super::factorization(Matrix::from_columns(self.problem.dim(), &self.atoms), &codes, center).ok()
    }
}

/// The direction of a vector of positive length.
#[must_use]
pub fn unit(direction: &[f64]) -> Vec<f64> {
    let largest = direction.iter().fold(0.0, |m, v| crate::num::max(m, v.abs()));
    let scaled: Vec<f64> = direction.iter().map(|v| v / largest).collect();
    let size = length(&scaled);
    scaled.iter().map(|v| v / size).collect()
}
