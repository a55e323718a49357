//! The checker of a split: a dual point R with an entrywise nonnegative T proves
//! a bound of the polar (theorem `split-certificate`).
//!
//! For γ > 0 and symmetric `T ≥ 0`, `κ²A − RᵀR − T ⪰ 0` gives `Ω°(R) ≤ κ`,
//! whoever proposed R and T: a semidefinite program, a first-order search, a
//! file. Everything here is in the data's own units, so that no square root of a
//! weight appears. With `E = diag(w)^{-1/2}`, `R₀ = R E` (columns rᵢ) and
//! `T₀ = E T E` the test is
//!
//! ```math
//! C = \kappa^2\big(\lambda^2\mathbf 1\mathbf 1^\top+\gamma^2\,\mathrm{diag}(1/w)\big)
//!     - R_0^\top R_0 - T_0 \succeq 0 .
//! ```
//!
//! # How it is proved
//! A trial κ² just above the generalized eigenvalue of `(R₀ᵀR₀ + T₀, A₀)` is
//! tested by Cholesky of the assembled C. If it completes, the exact C is at
//! least `−(δ + η)·diag(1/w)`, δ the error of the factorization and η that of the
//! assembly, and `A₀ ⪰ γ² diag(1/w)` turns both into a larger κ
//! (`proofs/rounding.md`, items 6, 7, 9):
//!
//! ```math
//! \kappa^2 + (\delta+\eta)/\gamma^2 ,\qquad
//! \delta+\eta \approx N u\,\kappa^2(\lambda^2+N\gamma^2),\quad u=2^{-53} .
//! ```
//!
//! So the certified polar is within about `N u (N + λ²/γ²)` (relative) of the best
//! for this T: 1e-13 at N = 40, and useless only where γ is some 1e-7 of λ.

use rayon::prelude::*;
use serde::{Deserialize, Serialize};

use crate::linalg::{Matrix, axpy, dot, lanczos_largest, norm_sq, psd, symmetric_eigenvalues};
use crate::num::{Interval, max, rounding};
use crate::problem::Problem;
use crate::trusted::Upper;

/// Who proposed a split. It names the bound; it proves nothing.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Origin {
    /// A first-order search.
    FirstOrder,
    /// A semidefinite program.
    Semidefinite,
}

/// A witness of a polar bound (theorem `split-certificate`).
#[derive(Clone, Debug, PartialEq)]
pub struct Split {
    /// The dual point R₀, unwhitened columns rᵢ (n × N).
    pub dual: Matrix,
    /// T₀ = `diag(w)^{-1/2} T diag(w)^{-1/2}`, N × N. The strict lower triangle is
    /// read, negative (and NaN) entries as 0, the diagonal as 0: what is left is
    /// symmetric and nonnegative, which is all the theorem asks.
    pub slack: Matrix,
    /// Who proposed it.
    pub origin: Origin,
}

/// Share of the error bound that the first trial adds to the eigenvalue. Actual
/// errors are far smaller than their bound; each further trial is four times looser.
const FIRST_SLACK: f64 = 1.0 / 16.0;

/// Trials before giving up: 4^40 spans from rounding to any f64 estimate error.
const TRIALS: usize = 40;

/// Additions and products an entry of C goes through beside the inner product of
/// its two residuals (`proofs/rounding.md`, item 6, has 10).
const ASSEMBLY_ROUNDINGS: usize = 12;

/// Datapoints up to which the trial comes from a full decomposition; beyond, it would
/// take longer than the proof.
const DECOMPOSED: usize = 256;

/// Lanczos steps for the trial beyond that.
const LANCZOS_STEPS: usize = 150;

/// A proved κ ≥ Ω°(R) for the dual point with unwhitened columns `dual`, from the
/// slack T₀ (see [`Split::slack`]). `None` for γ = 0 (A is singular; the polar is
/// exact there without a split), for shapes that differ, or where nothing finite
/// can be proved. O(nN² + N³), memory 3N².
///
/// With a center the dual point must satisfy `Σ wᵢrᵢ = 0` up to a defect that
/// the caller prices: [`bounds::split`](super::bounds::split) does.
#[must_use]
pub fn polar(problem: &Problem, dual: &Matrix, slack: &Matrix) -> Option<Upper> {
    let len = problem.len();
    let fits = dual.ncols() == len && slack.nrows() == len && slack.ncols() == len;
    if !(problem.gamma() > 0.0) || !fits || problem.share().is_spread() {
        return None;
    }
    let weights = problem.data().weights();
    let test = Test::new(weights, (problem.lambda(), problem.gamma()), dual, slack)?;
    let estimate = max(test.generalized_eigenvalue()?, f64::MIN_POSITIVE);
    let proved = first_proof(estimate, test.relative_error(), |square| test.prove_polar(square))?;
    Some(Upper::proved(Interval::point(proved).sqrt().hi))
}

/// A proved γ² at which
///
/// ```math
/// \lambda^2\mathbf 1\mathbf 1^\top+\gamma^2\,\mathrm{diag}(1/w)-R_0^\top R_0-T_0\succeq0
/// ```
///
/// for columns and slack as in [`polar`], and any positive weights: what theorem
/// `width-bound` asks of them. `None` where nothing finite can be proved.
/// O(nN² + N³), memory 3N².
#[must_use]
pub(super) fn square_of_price(lambda: f64, weights: &[f64], dual: &Matrix, slack: &Matrix) -> Option<Upper> {
    let test = Test::new(weights, (lambda, 1.0), dual, slack)?;
    let estimate = max(test.priced_eigenvalue()?, f64::MIN_POSITIVE);
    let error =
        rounding::gamma(weights.len() + test.rounded) * test.parts((1.0, estimate / test.gamma_sq.lo));
    first_proof(estimate, error / estimate, |square| test.prove_price(square)).map(Upper::proved)
}

/// Tries ever looser multiples of an estimate, the first a little above it.
fn first_proof(estimate: f64, error: f64, prove: impl Fn(f64) -> Option<f64>) -> Option<f64> {
    let mut room = FIRST_SLACK * error;
    for _ in 0..TRIALS {
        let proved = prove(estimate * (1.0 + room));
        if proved.is_some() {
            return proved;
        }
        room *= 4.0;
    }
    None
}

/// The fixed parts of C.
struct Test<'a> {
    weights: &'a [f64],
    lambda_sq: Interval,
    gamma_sq: Interval,
    /// λ² and γ² as stored in the assembled matrix.
    stored: (f64, f64),
    /// `R₀ᵀR₀`, as computed.
    gram: Matrix,
    /// T₀ with its diagonal at 0, clipped.
    slack: Matrix,
    /// Roundings an entry of C went through.
    rounded: usize,
    /// Bounds of `Σ wᵢ`, `Σ wᵢ‖rᵢ‖²` and `maxᵢ Σⱼ T₀ᵢⱼwⱼ` from above.
    total: f64,
    energy: f64,
    row_sum: f64,
}

impl<'a> Test<'a> {
    fn new(weights: &'a [f64], (lambda, gamma): (f64, f64), dual: &Matrix, slack: &Matrix) -> Option<Self> {
        let len = weights.len();
        let mut clipped = Matrix::zeros(len, len);
        for j in 0..len {
            for i in j + 1..len {
                let t = slack.get(i, j);
                if t > 0.0 {
                    clipped.col_mut(j)[i] = t;
                    clipped.col_mut(i)[j] = t;
                }
            }
        }
        // All terms are nonnegative: one factor covers every rounding of a sum.
        let up = 1.0 + 2.0 * rounding::gamma(len + dual.nrows() + rounding::FEW);
        let energy: f64 = dual.columns().zip(weights).map(|(r, w)| w * norm_sq(r)).sum();
        let row_sum = clipped
            .columns()
            .map(|column| column.iter().zip(weights).map(|(t, w)| t * w).sum::<f64>())
            .fold(0.0, max);
        let test = Self {
            weights,
            lambda_sq: Interval::point(lambda).square(),
            gamma_sq: Interval::point(gamma).square(),
            stored: (lambda * lambda, gamma * gamma),
            gram: dual.transpose_times(dual),
            slack: clipped,
            rounded: dual.nrows() + ASSEMBLY_ROUNDINGS,
            total: weights.iter().sum::<f64>() * up,
            energy: energy * up + f64::MIN_POSITIVE,
            row_sum: row_sum * up + f64::MIN_POSITIVE,
        };
        let finite = test.energy.is_finite() && test.row_sum.is_finite() && test.gamma_sq.lo > 0.0;
        (finite && test.total.is_finite() && test.lambda_sq.hi.is_finite() && test.gamma_sq.hi.is_finite())
            .then_some(test)
    }

    /// `N + λ²/γ²` times the rounding of one inner product: the relative error of κ².
    #[expect(clippy::cast_precision_loss, reason = "N is far below 2^53")]
    fn relative_error(&self) -> f64 {
        let len = self.weights.len();
        rounding::gamma(len + self.rounded) * (len as f64 + self.stored.0 / self.stored.1)
    }

    /// The largest eigenvalue of `A^{-1/2}(K + T)A^{-1/2}` in whitened units, in
    /// floating point: where to start, not a bound.
    ///
    /// `A^{-1/2} = (I − c ââᵀ)/γ` with `â = a/‖a‖`, `c = 1 − γ/√(γ² + λ²‖a‖²)`.
    fn generalized_eigenvalue(&self) -> Option<f64> {
        let total: f64 = self.weights.iter().sum();
        let unit: Vec<f64> = self.weights.iter().map(|w| (w / total).sqrt()).collect();
        let (lambda_sq, gamma_sq) = self.stored;
        let c = 1.0 - (gamma_sq / (gamma_sq + lambda_sq * total)).sqrt();
        let narrowed = |v: &[f64]| {
            let along = c * dot(v, &unit);
            v.iter().zip(&unit).map(|(v, u)| v - along * u).collect::<Vec<f64>>()
        };
        let largest = self.largest_eigenvalue(|v, times| narrowed(&times(&narrowed(v))))?;
        Some(largest / gamma_sq)
    }

    /// The largest eigenvalue of `K + T − λ²aaᵀ` in whitened units, in floating point:
    /// where to start, not a bound.
    fn priced_eigenvalue(&self) -> Option<f64> {
        let a: Vec<f64> = self.weights.iter().map(|w| w.sqrt()).collect();
        self.largest_eigenvalue(|v, times| {
            let mut image = times(v);
            axpy(-self.stored.0 * dot(&a, v), &a, &mut image);
            image
        })
    }

    /// The largest eigenvalue of what `form` makes of products with K + T, whitened, in
    /// floating point. From below.
    fn largest_eigenvalue(
        &self,
        form: impl Fn(&[f64], &dyn Fn(&[f64]) -> Vec<f64>) -> Vec<f64>,
    ) -> Option<f64> {
        let len = self.weights.len();
        if len == 0 {
            return Some(0.0);
        }
        let a: Vec<f64> = self.weights.iter().map(|w| w.sqrt()).collect();
        let times = |v: &[f64]| {
            let scaled: Vec<f64> = v.iter().zip(&a).map(|(v, a)| v * a).collect();
            let row = |j: usize| a[j] * (dot(self.gram.col(j), &scaled) + dot(self.slack.col(j), &scaled));
            (0..len).into_par_iter().map(row).collect::<Vec<f64>>()
        };
        let largest = if len <= DECOMPOSED {
            let mut matrix = Matrix::zeros(len, len);
            for j in 0..len {
                let mut axis = vec![0.0; len];
                axis[j] = 1.0;
                matrix.col_mut(j).copy_from_slice(&form(&axis, &times));
            }
            symmetric_eigenvalues(&matrix)?.last().copied()?
        } else {
            lanczos_largest(len, LANCZOS_STEPS, |v| form(v, &times)).0
        };
        largest.is_finite().then_some(largest)
    }

    /// A proved bound of κ² at or above the trial `square`, if Cholesky completes.
    fn prove_polar(&self, square: f64) -> Option<f64> {
        let defect = self.defect((square, square))?;
        let proved = Interval::point(square).add(defect.div(self.gamma_sq)).hi;
        proved.is_finite().then_some(proved)
    }

    /// A proved bound of γ² at or above the trial `square`, if Cholesky completes.
    fn prove_price(&self, square: f64) -> Option<f64> {
        // γ is 1 here, so that the factor is the square itself.
        let proved = Interval::point(square).add(self.defect((1.0, square))?).hi;
        proved.is_finite().then_some(proved)
    }

    /// The sum of the sizes of what C is made of, for factors of λ² and γ²: its quadratic
    /// forms are bounded by it in units of Σ yᵢ²/wᵢ (Cauchy–Schwarz).
    fn parts(&self, (l, g): (f64, f64)) -> f64 {
        g * self.gamma_sq.hi + l * self.lambda_sq.hi * self.total + self.energy + self.row_sum
    }

    /// `δ + η` with `C + (δ + η)diag(1/w) ⪰ 0` for λ² and γ² times the two factors, if
    /// Cholesky completes.
    fn defect(&self, factors: (f64, f64)) -> Option<Interval> {
        let len = self.weights.len();
        let (l2, g2) = (factors.0 * self.stored.0, factors.1 * self.stored.1);
        let matrix = Matrix::from_fn(len, len, |i, j| {
            if i == j {
                l2 + g2 / self.weights[i] - self.gram.get(i, i)
            } else {
                l2 - self.gram.get(i, j) - self.slack.get(i, j)
            }
        });
        let factor = psd::weighted_negative_part_bound(&matrix, self.weights)?;
        // η: |ΔC| is at most γ_k times the entries' absolute parts.
        let g = rounding::gamma(self.rounded);
        #[expect(clippy::cast_precision_loss, reason = "n is far below 2^53")]
        let underflow = self.rounded as f64
            * max(1.0, max(factors.0, factors.1))
            * max(1.0, max(self.lambda_sq.hi, self.gamma_sq.hi))
            * (1.0 + self.total)
            * f64::MIN_POSITIVE;
        let assembly = (self.parts(factors) * g + underflow) * rounding::SLACK;
        Some(Interval::point(factor).add(Interval::point(assembly)))
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::num::rational::{exact, is_psd};
    use crate::problem::Problem;
    use num_rational::BigRational;
    use proptest::prelude::*;

    /// `κ²A₀ − R₀ᵀR₀ − T₀` in exact arithmetic on the stored numbers.
    fn exact_test_matrix(
        problem: &Problem,
        dual: &Matrix,
        slack: &Matrix,
        kappa: f64,
    ) -> Vec<Vec<BigRational>> {
        let square = exact(kappa) * exact(kappa);
        let (l, g) = (exact(problem.lambda()), exact(problem.gamma()));
        let len = problem.len();
        (0..len)
            .map(|i| {
                (0..len)
                    .map(|j| {
                        let mut entry = square.clone() * l.clone() * l.clone();
                        for (x, y) in dual.col(i).iter().zip(dual.col(j)) {
                            entry -= exact(*x) * exact(*y);
                        }
                        if i == j {
                            entry +=
                                square.clone() * g.clone() * g.clone() / exact(problem.data().weights()[i]);
                        } else {
                            let (low, high) = (i.min(j), i.max(j));
                            let t = slack.get(high, low);
                            entry -= exact(if t > 0.0 { t } else { 0.0 });
                        }
                        entry
                    })
                    .collect()
            })
            .collect()
    }

    fn instance() -> impl Strategy<Value = (Problem, Matrix, Matrix)> {
        (1..=3usize, 1..=5usize).prop_flat_map(|(n, len)| {
            (
                prop::collection::vec(-2.0..2.0f64, n * len),
                prop::collection::vec(-1.0..1.0f64, len * len),
                prop::collection::vec(prop_oneof![0.01..1.0f64, 1e-9..1e-6f64], len),
                prop_oneof![Just(0.0), 0.01..3.0f64],
                prop_oneof![1e-3..1.0f64, 1.0..10.0f64],
            )
                .prop_map(move |(r, t, w, lambda, gamma)| {
                    let dual = Matrix::from_column_major(n, len, r).expect("the length asked for");
                    let slack = Matrix::from_column_major(len, len, t).expect("the length asked for");
                    let problem = Problem::builder(dual.clone())
                        .lambda(lambda)
                        .gamma(gamma)
                        .weights(w)
                        .build()
                        .expect("valid");
                    (problem, dual, slack)
                })
        })
    }

    proptest! {
        #[test]
        fn the_polar_is_proved_in_exact_arithmetic((problem, dual, slack) in instance()) {
            let kappa = polar(&problem, &dual, &slack).expect("finite data").get();
            prop_assert!(is_psd(exact_test_matrix(&problem, &dual, &slack, kappa)));
            // And it is tight: a millionth lower no longer is, beyond underflow.
            let lower = kappa * (1.0 - 1e-6);
            prop_assert!(!is_psd(exact_test_matrix(&problem, &dual, &slack, lower)) || kappa < 1e-6);
        }
    }

    proptest! {
        /// At λ/γ up to 1e8 a rounding of λ² is beyond γ²: it must be covered all the same.
        #[test]
        fn the_polar_is_proved_for_tiny_gamma(
            (problem, dual, slack) in instance(), lambda in 0.1..3.0_f64, exponent in -8.0..-2.0_f64,
        ) {
            let problem = problem.with_penalty(lambda, lambda * 10.0_f64.powf(exponent)).expect("valid");
            if let Some(kappa) = polar(&problem, &dual, &slack) {
                prop_assert!(is_psd(exact_test_matrix(&problem, &dual, &slack, kappa.get())));
            }
        }
    }

    #[test]
    fn two_points_by_hand() {
        // Orthogonal residuals, T = 0, λ = 0: κ² = max wᵢ‖rᵢ‖²/γ².
        let x = Matrix::from_columns(2, &[[1.0, 0.0], [0.0, 3.0]]);
        let problem = Problem::builder(x.clone()).gamma(0.5).build().unwrap();
        let kappa = polar(&problem, &x, &Matrix::zeros(2, 2)).unwrap().get();
        let by_hand = (0.5f64 * 9.0 / 0.25).sqrt();
        assert!(kappa >= by_hand && kappa <= by_hand * (1.0 + 1e-13));
    }

    #[test]
    fn what_cannot_be_proved_is_none() {
        let x = Matrix::from_columns(1, &[[1.0], [2.0]]);
        let problem = |gamma: f64| Problem::builder(x.clone()).lambda(1.0).gamma(gamma).build().unwrap();
        let none = Matrix::zeros(2, 2);
        assert!(polar(&problem(0.0), &x, &none).is_none());
        assert!(polar(&problem(1.0), &x, &Matrix::zeros(1, 1)).is_none());
        let infinite = Matrix::from_fn(2, 2, |_, _| f64::INFINITY);
        assert!(polar(&problem(1.0), &x, &infinite).is_none());
        let not_numbers = Matrix::from_fn(2, 2, |_, _| f64::NAN);
        assert_eq!(polar(&problem(1.0), &x, &not_numbers), polar(&problem(1.0), &x, &none));
        let bad_dual = Matrix::from_columns(1, &[[1.0], [f64::NAN]]);
        assert!(polar(&problem(1.0), &bad_dual, &none).is_none());
    }
}
