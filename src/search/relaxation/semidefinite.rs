//! The doubly nonnegative relaxation as one semidefinite program, solved by clarabel. It is the
//! reference for lower bounds (theorem `dnn-bound`).
//!
//! Let `κᵢ = √(λ²wᵢ + γ²)`. A rotation reduces the rows of X̃ to its rank r. The columns of R and
//! the rows and columns of A and T are divided by κ, so that every matrix below has a diagonal of
//! ones. The program is
//!
//! ```math
//! \max_{R,\,T}\ \sum_i\kappa_i\tilde x_i^\top r_i-\tfrac12\kappa_i^2\lVert r_i\rVert^2
//! \quad\text{subject to}\quad
//! \begin{pmatrix}I&R\\R^\top&A-T\end{pmatrix}\succeq0,\qquad T_{ij}\ge0\ (i\ne j),
//! ```
//!
//! and `Ra = 0` where a center is learnt. T has no diagonal, because a diagonal would only shrink
//! the feasible set. The variables are R (rN of them) and the strict triangle of T. The quadratic
//! term stays in the objective, so that one semidefinite cone of order r + N suffices.

use clarabel::algebra::CscMatrix;
use clarabel::solver::SupportedConeT;

use crate::clarabel::program::{Accuracy, Columns, Factors, Program, check_size};
use crate::linalg::{Matrix, dot, norm, orthonormal_columns, symmetric_eigen};
use crate::num::max;
use crate::observer::{Observer, Stop};
use crate::problem::Problem;
use crate::solution::SolveError;
use crate::trusted::{Origin, Split};

/// Eigenvalues of `X̃X̃ᵀ` below this share of the largest one count as 0. Dropping them changes the
/// bound by less than this share of the bound. A share ten times smaller would be below the
/// rounding of the eigenvalues.
const RANK: f64 = 1e-15;

/// The semidefinite relaxation with its limits.
///
/// # Guarantees
/// The result is a witness. The certificate proves the bound from the witness, without clarabel
/// ([`split-certificate`](crate::proofs::split_certificate)). Up to the accuracy asked for, the
/// proved bound is the value of the relaxation. This value equals the optimum for at most four
/// datapoints and may be below the optimum for more ([`dnn-bound`](crate::proofs::dnn_bound)).
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Semidefinite {
    /// Accuracy asked of clarabel, relative to the size of the program. The proved bound is below
    /// the value of the relaxation by about this accuracy.
    pub gap_tolerance: f64,
    /// Most interior-point iterations.
    pub max_iterations: u32,
    /// Most memory, by estimate, that the factorization may take. The memory grows with the fourth
    /// power of the order of the cone.
    pub max_mib: u64,
}

impl Default for Semidefinite {
    /// 2048 MiB hold about 65 datapoints in 65 or more dimensions, and 85 in a few dimensions.
    fn default() -> Self {
        Self { gap_tolerance: 1e-9, max_iterations: 100, max_mib: 2048 }
    }
}

/// The witness a run found, and how the run ended.
#[derive(Clone, Debug, PartialEq)]
pub struct Relaxed {
    /// The witness for [`certify`](crate::certificate::certify).
    pub split: Split,
    /// The bound computed from the split. The certificate computes and proves its own.
    pub promised: f64,
    /// Why the run ended.
    pub stop: Stop,
    /// Interior-point iterations made.
    pub iterations: usize,
}

impl Semidefinite {
    /// Solves the relaxation of a problem with γ > 0.
    ///
    /// Takes O((r + N)⁴) memory and O((r + N)⁶) time an iteration, r ≤ min(n, N). The observer is
    /// asked before every iteration and cannot interrupt a factorization.
    ///
    /// # Errors
    /// [`SolveError::NotApplicable`] for γ = 0, where the polar is known exactly;
    /// [`SolveError::Setting`] for a tolerance that is not positive; [`SolveError::TooLarge`]
    /// before any memory is allocated; [`SolveError::Conic`] where clarabel returns no solution.
    pub fn solve(&self, problem: &Problem, observer: &dyn Observer) -> Result<Relaxed, SolveError> {
        if !(self.gap_tolerance.is_finite() && self.gap_tolerance > 0.0) {
            return Err(SolveError::Setting {
                name: "the semidefinite tolerance",
                needs: "a positive number",
                value: self.gap_tolerance,
            });
        }
        if problem.gamma() == 0.0 {
            return Err(SolveError::NotApplicable {
                method: "the semidefinite relaxation",
                needs: "gamma > 0",
                found: "gamma = 0, where the bound is exact without it".to_owned(),
            });
        }
        self.check_size(problem)?;
        let Some(form) = Form::new(problem) else {
            // Where all data are 0, so are the optimum and its dual point. Where the data cannot be
            // decomposed, R = T = 0 is still a feasible witness.
            let (dim, len) = (problem.dim(), problem.len());
            let (dual, slack) = (Matrix::zeros(dim, len), Matrix::zeros(len, len));
            let split = Split { dual, slack, origin: Origin::Semidefinite };
            return Ok(Relaxed { split, promised: 0.0, stop: Stop::ToleranceMet, iterations: 0 });
        };
        let accuracy = Accuracy {
            gap_tolerance: self.gap_tolerance,
            max_iterations: self.max_iterations,
            factors: Factors::Blocked,
        };
        let raw = form.program().solve(accuracy, observer)?;
        let (split, promised) = form.lift(&raw.x);
        Ok(Relaxed { split, promised, stop: raw.stop, iterations: raw.iterations })
    }

    /// Checks that a problem fits into the memory allowed.
    ///
    /// # Errors
    /// [`SolveError::TooLarge`] where it does not fit.
    pub fn check_size(&self, problem: &Problem) -> Result<(), SolveError> {
        let order = problem.len() + problem.dim().min(problem.len());
        check_size(
            self.max_mib,
            bytes(order),
            "semidefinite program",
            "first-order relaxation, after the proximal method",
        )
    }
}

/// Estimated bytes for a cone of this order. The cone's block of the linear system is dense, and
/// clarabel holds the block twice: assembled and factored.
#[expect(clippy::cast_precision_loss, reason = "an estimate")]
fn bytes(order: usize) -> f64 {
    let triangle = 0.5 * order as f64 * (order as f64 + 1.0);
    BLOCK_BYTES * 0.5 * triangle * triangle
}

/// Bytes that one entry of the cone's block takes in all its copies.
const BLOCK_BYTES: f64 = 48.0;

/// Index of entry `(i, j)`, i ≤ j, of a symmetric matrix in clarabel's vector, which holds the
/// upper triangle by columns. Entries off the diagonal carry a factor √2.
fn place(i: usize, j: usize) -> usize {
    j * (j + 1) / 2 + i
}

/// The numbers from which the program is written.
struct Form<'p> {
    problem: &'p Problem,
    /// Orthonormal columns that span the data, n × r.
    basis: Matrix,
    /// `basisᵀX̃`, r × N.
    reduced: Matrix,
    /// κ.
    sizes: Vec<f64>,
    /// `Σ κᵢ‖x̃ᵢ‖`, an upper bound of the optimum and the unit of the objective.
    unit: f64,
}

impl<'p> Form<'p> {
    /// `None` where all data are 0, their size overflows, or the eigendecomposition fails.
    fn new(problem: &'p Problem) -> Option<Self> {
        let whitened = problem.data().whitened();
        let sizes: Vec<f64> = problem
            .data()
            .sqrt_weights()
            .iter()
            .map(|a| (problem.lambda() * a).hypot(problem.gamma()))
            .collect();
        let unit: f64 = whitened.columns().zip(&sizes).map(|(x, k)| k * norm(x)).sum();
        if !(unit > 0.0 && unit.is_finite()) {
            return None;
        }
        // The data are divided by their norm, so that their squares neither overflow nor underflow.
        let size = 1.0 / norm(whitened.as_slice());
        let tall = whitened.nrows() > whitened.ncols();
        let outer = tall.then(|| orthonormal_columns(&whitened));
        let inner = outer.as_ref().map_or_else(|| whitened.clone(), |q| q.transpose_times(&whitened));
        let scaled = Matrix::from_fn(inner.nrows(), inner.ncols(), |j, i| size * inner.get(j, i));
        let (values, vectors) = symmetric_eigen(&scaled.times_own_transpose())?;
        let largest = values.last().copied()?;
        let kept: Vec<usize> = (0..values.len()).filter(|&k| values[k] > RANK * largest).collect();
        let rotation = vectors.select_columns(&kept);
        let basis = outer.map_or_else(|| rotation.clone(), |q| q.times(&rotation));
        let reduced = rotation.transpose_times(&inner);
        Some(Self { problem, basis, reduced, sizes, unit })
    }

    /// Entry `(i, j)` of the scaled matrix `A/(κκᵀ)`, off the diagonal.
    fn metric(&self, i: usize, j: usize) -> f64 {
        let a = self.problem.data().sqrt_weights();
        let lambda = self.problem.lambda();
        (lambda * a[i] / self.sizes[i]) * (lambda * a[j] / self.sizes[j])
    }

    /// Writes the program. The variables are R by columns, then the strict triangle of T by
    /// columns. The constraints are `Ra = 0`, then `T ≥ 0`, then the cone.
    fn program(&self) -> Program {
        let (rank, len) = (self.reduced.nrows(), self.reduced.ncols());
        let a = self.problem.data().sqrt_weights();
        let equations = if self.problem.centered() { rank } else { 0 };
        let signs = len * (len - 1) / 2;
        let cone = equations + signs;
        let root = std::f64::consts::SQRT_2;
        let (mut quadratic, mut constraints) = (Columns::new(), Columns::new());
        let mut linear = Vec::with_capacity(rank * len + signs);
        // The equations are divided by the largest weight, so that their coefficients are at most 1.
        let heaviest = a.iter().zip(&self.sizes).map(|(a, k)| a * k).fold(0.0, max);
        for (i, (x, &size)) in self.reduced.columns().zip(&self.sizes).enumerate() {
            for (p, x) in x.iter().enumerate() {
                quadratic.push(i * rank + p, size * size / self.unit);
                quadratic.end();
                linear.push(-size * x / self.unit);
                if self.problem.centered() {
                    constraints.push(p, a[i] * size / heaviest);
                }
                constraints.push(cone + place(p, rank + i), -root);
                constraints.end();
            }
        }
        let mut sign = 0;
        for j in 0..len {
            for i in 0..j {
                quadratic.end();
                linear.push(0.0);
                constraints.push(equations + sign, -1.0);
                constraints.push(cone + place(rank + i, rank + j), root);
                constraints.end();
                sign += 1;
            }
        }
        let order = rank + len;
        let mut offsets = vec![0.0; cone + place(0, order)];
        for k in 0..order {
            offsets[cone + place(k, k)] = 1.0;
        }
        for j in 0..len {
            for i in 0..j {
                offsets[cone + place(rank + i, rank + j)] = root * self.metric(i, j);
            }
        }
        let mut cones = Vec::new();
        if equations > 0 {
            cones.push(SupportedConeT::ZeroConeT(equations));
        }
        if signs > 0 {
            cones.push(SupportedConeT::NonnegativeConeT(signs));
        }
        cones.push(SupportedConeT::PSDTriangleConeT(order));
        let columns = linear.len();
        let quadratic: CscMatrix<f64> = quadratic.finish(columns);
        Program { quadratic, linear, constraints: constraints.finish(offsets.len()), offsets, cones }
    }

    /// The witness in the units of the data, and the dual objective at its dual point.
    fn lift(&self, x: &[f64]) -> (Split, f64) {
        let (rank, len) = (self.reduced.nrows(), self.reduced.ncols());
        let a = self.problem.data().sqrt_weights();
        let small = Matrix::from_fn(rank, len, |p, i| x[i * rank + p] * self.sizes[i]);
        let value =
            dot(self.reduced.as_slice(), small.as_slice()) - 0.5 * dot(small.as_slice(), small.as_slice());
        let mut dual = self.basis.times(&small);
        for (i, a) in a.iter().enumerate() {
            dual.col_mut(i).iter_mut().for_each(|v| *v /= a);
        }
        let mut slack = Matrix::zeros(len, len);
        let mut at = rank * len;
        for j in 0..len {
            for i in 0..j {
                let t = max(x[at], 0.0) * (self.sizes[i] / a[i]) * (self.sizes[j] / a[j]);
                slack.col_mut(i)[j] = t;
                slack.col_mut(j)[i] = t;
                at += 1;
            }
        }
        (Split { dual, slack, origin: Origin::Semidefinite }, value)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn symmetric(order: usize, seed: u64) -> Matrix {
        use rand::{RngExt, SeedableRng};
        let mut rng = rand_chacha::ChaCha8Rng::seed_from_u64(seed);
        let half = Matrix::from_fn(order, order, |_, _| rng.random_range(-1.0..1.0));
        Matrix::from_fn(order, order, |i, j| half.get(i, j) + half.get(j, i))
    }

    /// Clarabel's projection of a random symmetric matrix on the cone equals that of an
    /// eigendecomposition. It would not if [`place`] ordered the entries in another way.
    #[test]
    fn the_cone_reads_a_matrix_in_this_order() {
        let order = 5;
        let matrix = symmetric(order, 3);
        let size = place(0, order);
        let factor = |i: usize, j: usize| if i == j { 1.0 } else { std::f64::consts::SQRT_2 };
        // min ½‖x − svec(M)‖² over x in the cone.
        let (mut quadratic, mut constraints) = (Columns::new(), Columns::new());
        let mut linear = vec![0.0; size];
        for j in 0..order {
            for i in 0..=j {
                let at = place(i, j);
                quadratic.push(at, 1.0);
                quadratic.end();
                constraints.push(at, -1.0);
                constraints.end();
                linear[at] = -factor(i, j) * matrix.get(i, j);
            }
        }
        let program = Program {
            quadratic: quadratic.finish(size),
            linear,
            constraints: constraints.finish(size),
            offsets: vec![0.0; size],
            cones: vec![SupportedConeT::PSDTriangleConeT(order)],
        };
        let raw = program
            .solve(Accuracy { gap_tolerance: 1e-10, max_iterations: 100, factors: Factors::Blocked }, &())
            .unwrap();
        let (values, vectors) = symmetric_eigen(&matrix).unwrap();
        for j in 0..order {
            for i in 0..=j {
                let projected: f64 =
                    (0..order).map(|k| max(values[k], 0.0) * vectors.get(i, k) * vectors.get(j, k)).sum();
                let found = raw.x[place(i, j)] / factor(i, j);
                assert!((found - projected).abs() < 1e-6, "({i}, {j}): {found} {projected}");
            }
        }
    }

    #[test]
    fn the_rank_is_that_of_the_data() {
        // Three directions in dimension 6, eight points; and eight in dimension 12.
        let low = symmetric(6, 1).select_columns(&[0, 1, 2]);
        let mixed = |rows: usize| {
            let base = symmetric(rows, 1).select_columns(&[0, 1, 2]);
            base.times(&Matrix::from_fn(3, 8, |i, j| symmetric(8, 7).get(i, j)))
        };
        assert_eq!(low.ncols(), 3);
        for rows in [6, 12] {
            let x = mixed(rows);
            let problem = Problem::builder(x.clone()).lambda(0.1).gamma(0.1).build().unwrap();
            let form = Form::new(&problem).unwrap();
            assert_eq!((form.reduced.nrows(), form.basis.ncols()), (3, 3));
            // Nothing of the data is lost.
            let whitened = problem.data().whitened();
            let back = form.basis.times(&form.reduced);
            let off = back.as_slice().iter().zip(whitened.as_slice()).map(|(b, x)| (b - x).abs());
            assert!(off.fold(0.0, max) < 1e-12);
        }
    }
}
