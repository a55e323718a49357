//! Certified lower bounds of the convex problem, and the estimate that is not one.
//!
//! Every bound is the dual value of some matrix R at a scale allowed by a
//! *proved* upper bound κ of its polar (theorem `copositive-duality`). The ways
//! to prove κ differ in cost and tightness; see [`BoundKind`].

use std::borrow::Cow;
use std::ops::Range;

use serde::{Deserialize, Serialize};

use super::copositive::{self, Origin, Split};
use super::exact;
use super::quartic::{self, QuarticForm};
use super::squares::{self, Squares};
use super::{Subject, Witness};
use crate::linalg::{
    Columns, Matrix, axpy, chunk_columns, norm, norm_sq, psd, simd, symmetric_eigen, weighted_mean,
};
use crate::num::{Interval, max, rounding};
use crate::observer::Observer;
use crate::problem::{Data, Problem};
use crate::trusted::objective;
use crate::trusted::{Lower, Upper};

/// How a certified lower bound was obtained.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum BoundKind {
    /// No bound was asked for: 0 is reported.
    None,
    /// γ = 0 without a center: `F_∞`, the exact optimum (theorem `wide-limit`).
    ClosedForm,
    /// `F ≥ F_∞` for every γ, or a radial dual point where a center is learnt.
    WideLimit,
    /// T = 0 in theorem `split-certificate`: one n × n eigenvalue. Any N.
    Fast,
    /// T = 0 again, at the dual point for which it says most (theorem `nuclear-bound`).
    Nuclear,
    /// A quartic form at a dual point of its own, few dimensions (theorem `quartic-bound`).
    Quartic,
    /// A split S + T whose T is made of squares (theorem `square-split`). Any N.
    Squares,
    /// A split S + T found by a first-order search (theorem `split-certificate`).
    Relaxation,
    /// A split S + T, and its dual point, found by a semidefinite program
    /// (theorem `dnn-bound`).
    Sdp,
    /// The polar itself to a stated accuracy: small dimension or few datapoints
    /// (theorem `cone-branching`).
    Exact,
}

impl BoundKind {
    /// The name used in JSON, such as `wide-limit`.
    #[must_use]
    pub fn as_str(self) -> &'static str {
        match self {
            Self::None => "none",
            Self::ClosedForm => "closed-form",
            Self::WideLimit => "wide-limit",
            Self::Fast => "fast",
            Self::Nuclear => "nuclear",
            Self::Quartic => "quartic",
            Self::Squares => "squares",
            Self::Relaxation => "relaxation",
            Self::Sdp => "sdp",
            Self::Exact => "exact",
        }
    }

    /// Slugs of the theorems the bound rests on.
    #[must_use]
    pub fn theorems(self) -> &'static [&'static str] {
        match self {
            Self::None => &[],
            Self::ClosedForm | Self::WideLimit => &["wide-limit", "rounding"],
            Self::Fast | Self::Relaxation => &["copositive-duality", "split-certificate", "rounding"],
            Self::Nuclear => &["copositive-duality", "nuclear-bound", "rounding"],
            Self::Quartic => &["copositive-duality", "quartic-bound", "rounding"],
            Self::Squares => &["copositive-duality", "square-split", "rounding"],
            Self::Sdp => &["copositive-duality", "dnn-bound", "split-certificate", "rounding"],
            Self::Exact => &["copositive-duality", "cone-branching", "rounding"],
        }
    }
}

/// A certified lower bound of the optimum, for every number of atoms.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Bound {
    /// The bound.
    pub lower: Lower,
    /// How it was proved.
    pub kind: BoundKind,
}

impl Bound {
    /// The larger of two bounds, this one where they are equal.
    #[must_use]
    pub fn best(self, other: Option<Self>) -> Self {
        match other {
            Some(other) if other.lower.get() > self.lower.get() => other,
            _ => self,
        }
    }
}

/// The best of the bounds that take no search: O(n²N + n³), and with a split in the
/// witness O(N³) more, with squares O(N m² + m³) for m products, with a quartic form O(n⁴N + n⁶).
///
/// The witness's dual point is tried beside the subject's own residuals. Where a center
/// is learnt the subject's objective bounds how far the optimal center may lie.
#[must_use]
pub fn best(subject: &Subject<'_>, witness: &Witness) -> Bound {
    let problem = subject.problem();
    let mut bound = Bound { lower: Lower::ZERO, kind: BoundKind::WideLimit };
    if !problem.centered() {
        bound = wide_limit(problem);
    }
    let given: Option<&dyn Columns> = witness.dual.as_ref().map(|dual| dual as _);
    for candidate in [Some(subject.residuals() as _), given].into_iter().flatten() {
        let Some(dual) = DualPoint::new(subject, candidate) else { continue };
        bound = bound.best(Some(dual.radial()));
        bound = bound.best(dual.spectral());
    }
    bound = bound.best(witness.nuclear.as_ref().and_then(|map| nuclear(subject, map)));
    bound = bound.best(witness.quartic.as_ref().and_then(|found| self::quartic(subject, found)));
    bound = bound.best(witness.squares.as_ref().and_then(|squares| self::squares(subject, squares)));
    bound.best(witness.split.as_ref().and_then(|split| self::split(subject, split)))
}

/// The bound of the dual point `rᵢ = B xᵢ + q` for `map = [B | q]`, n × (n + 1), projected on the
/// center's constraint where there is one, at the polar
///
/// ```math
/// \Omega^\circ(R)\le\kappa,\qquad\kappa^2=\lambda_{\max}\big(RA^{-1}R^\top\big) ,
/// ```
///
/// from above. `None` for γ = 0, another shape or entries that are not finite. O(n²N + n³).
///
/// # Guarantees
/// [`nuclear-bound`](crate::proofs::nuclear_bound), [`rounding`](crate::proofs::rounding): at most
/// the optimum whatever the map is. What rounding makes of `B xᵢ + q`, to single precision where that
/// is more than 16 777 216 numbers, the largest between 1e-15 and 1e15, is a dual point like any
/// other. Not claimed: that no map proves more.
#[must_use]
pub fn nuclear(subject: &Subject<'_>, map: &Matrix) -> Option<Bound> {
    let problem = subject.problem();
    let n = problem.dim();
    if problem.gamma() == 0.0 || (map.nrows(), map.ncols()) != (n, n + 1) {
        return None;
    }
    let dual = squares::affine_dual(problem, map);
    let bound = spectral(subject, &dual)?;
    Some(Bound { kind: BoundKind::Nuclear, ..bound })
}

/// The bound of a dual point by its second moments.
pub(super) fn spectral(subject: &Subject<'_>, dual: &dyn Columns) -> Option<Bound> {
    DualPoint::new(subject, dual)?.spectral()
}

/// The bound of a quartic witness (theorem `quartic-bound`): the dual point of its map, projected
/// on the center's constraint where there is one, at the polar that its form proves. `None` where
/// λ or γ is 0, shapes differ or entries are not finite. O(n⁴N + n⁶), n⁴/2 numbers of memory and
/// n⁴/8 for each doubling of the datapoints beyond 4096.
///
/// # Guarantees
/// [`quartic-bound`](crate::proofs::quartic_bound), [`rounding`](crate::proofs::rounding): at most
/// the optimum whatever map and form are. Not claimed: that no witness proves more.
#[must_use]
pub fn quartic(subject: &Subject<'_>, found: &QuarticForm) -> Option<Bound> {
    let dual = quartic::dual_point(subject.problem().data(), &found.map, &())?;
    let dual = DualPoint::new(subject, &dual)?;
    let polar = quartic::polar(subject.problem(), &dual.dual.as_matrix(), &found.form)?;
    Some(Bound { lower: dual.value(polar), kind: BoundKind::Quartic })
}

/// The bound of a split witness (theorem `split-certificate`): its dual point,
/// projected on the center's constraint where there is one, at the polar that
/// [`copositive::polar`] proves for it. O(nN² + N³); `None` where that proves none
/// (γ = 0, or entries that are not finite).
#[must_use]
pub fn split(subject: &Subject<'_>, split: &Split) -> Option<Bound> {
    let dual = DualPoint::new(subject, &split.dual)?;
    let polar = copositive::polar(subject.problem(), &dual.dual.as_matrix(), &split.slack)?;
    let kind = match split.origin {
        Origin::FirstOrder => BoundKind::Relaxation,
        Origin::Semidefinite => BoundKind::Sdp,
    };
    Some(Bound { lower: dual.value(polar), kind })
}

/// The bound of a split of squares (theorem `square-split`): its dual point, projected on the
/// center's constraint where there is one, at the polar that is proved for it. `None` where that
/// proves none: γ = 0, shapes that do not fit, entries that are not finite. O(N m² + m³) for m
/// products of features and coordinates.
///
/// # Guarantees
/// [`square-split`](crate::proofs::square_split), [`rounding`](crate::proofs::rounding): at most the
/// optimum, whatever the features, the forms and the dual point are.
#[must_use]
pub fn squares(subject: &Subject<'_>, squares: &Squares) -> Option<Bound> {
    let problem = subject.problem();
    let (dual, features) = squares.columns(problem)?;
    let dual = DualPoint::new(subject, &dual)?;
    let polar = squares::polar(problem, &dual.dual.as_matrix(), &features, &squares.matrices())?;
    Some(Bound { lower: dual.value(polar), kind: BoundKind::Squares })
}

/// The bound of a dual point, projected on the center's constraint where there is
/// one, at the polar that [`exact::polar`] proves for it (theorem
/// `cone-branching`). `None` where that proves none: γ = 0, or neither the
/// dimension nor the datapoints are few.
#[must_use]
pub fn exact(
    subject: &Subject<'_>,
    dual: &dyn Columns,
    limits: &exact::Limits,
    observer: &dyn Observer,
) -> Option<Bound> {
    let dual = DualPoint::new(subject, dual)?;
    let polar = exact::polar(subject.problem(), &dual.dual.as_matrix(), limits, observer)?;
    Some(Bound { lower: dual.value(polar.upper), kind: BoundKind::Exact })
}

/// `F_∞ = Σ wᵢ h_λ(‖xᵢ‖)`, rounded down (theorem `wide-limit`). O(nN).
///
/// It bounds the problem without a center only.
#[must_use]
pub fn wide_limit(problem: &Problem) -> Bound {
    let data = problem.data();
    let huber = HuberBelow::new(data.dim(), problem.lambda());
    let (n, chunk) = (data.dim(), chunk_columns(data.dim()));
    let part = |run: Range<usize>| {
        let points = data.datapoints().run(run.clone());
        let weights = &data.weights()[run];
        simd(
            #[inline(always)]
            || {
                let values = points.chunks_exact(n).zip(weights).map(|(x, &w)| huber.at(norm_sq(x), w));
                vec![values.fold(0.0, |sum: f64, value| (sum + value).next_down())]
            },
        )
    };
    let total = data.share().fold(1, chunk, part, |all, part| all[0] = (all[0] + part[0]).next_down())[0];
    let kind = if problem.gamma() == 0.0 { BoundKind::ClosedForm } else { BoundKind::WideLimit };
    Bound { lower: Lower::proved(max(total, 0.0)), kind }
}

/// The second moment's error in units of γ_N times the energy: one for its sums of triple
/// products (`proofs/rounding.md`, item 1), four for the products of means, and as much
/// again to spare.
const SECOND_MOMENT_SHARE: f64 = 12.0;

/// `h_λ` from below, from a computed `‖x‖²`: every operation is rounded down, one
/// unit in the last place, as [`Interval`] does, without its upper ends.
struct HuberBelow {
    lambda: f64,
    /// `λ/2`, rounded up.
    half: f64,
    /// Roundings of a sum of n squares are at most this share of it, and `tiny`.
    share: f64,
    tiny: f64,
}

impl HuberBelow {
    fn new(dim: usize, lambda: f64) -> Self {
        // `radius` is affine in the sum: its slope and its value at 0, rounded up.
        let (tiny, at_one) = (rounding::radius(dim, 0.0), rounding::radius(dim, 1.0));
        Self { lambda, half: (0.5 * lambda).next_up(), share: at_one.next_up(), tiny }
    }

    /// At most `w·h_λ(‖x‖)`, at least 0.
    #[inline(always)]
    fn at(&self, square: f64, w: f64) -> f64 {
        let radius = ((square * self.share).next_up() + self.tiny).next_up();
        let square = (square - radius).next_down();
        let r = (if square > 0.0 { square } else { 0.0 }).sqrt().next_down();
        // h is nondecreasing, so a lower end of r gives a lower end of h(r).
        let value = if r > self.lambda {
            self.lambda * (r - self.half).next_down()
        } else {
            0.5 * (r * r).next_down()
        };
        let value = (w * value.next_down()).next_down();
        if value > 0.0 { value } else { 0.0 }
    }
}

/// A dual point made feasible for the center's constraint, with the numbers
/// every bound of it shares.
pub(super) struct DualPoint<'a> {
    problem: &'a Problem,
    /// Unwhitened columns, as projected.
    pub(super) dual: Projected<'a>,
    products: (Interval, Interval),
    /// What the defect `Σ wᵢrᵢ ≠ 0` costs per unit of scale (theorem `centre`).
    defect: f64,
}

impl<'a> DualPoint<'a> {
    /// `None` if the dual point is not finite. The subject's objective is the value U of
    /// theorem `centre`.
    pub(super) fn new(subject: &'a Subject<'_>, dual: &'a dyn Columns) -> Option<Self> {
        let (problem, upper) = (subject.problem(), subject.primal().upper);
        let data = problem.data();
        let dual = Projected::of(dual, data, problem.centered());
        let defect = if problem.centered() { center_defect(problem, &dual, upper) } else { 0.0 };
        let products = objective::dual_products(data, &dual);
        (products.0.lo.is_finite() && products.1.hi.is_finite() && defect.is_finite()).then_some(Self {
            problem,
            dual,
            products,
            defect,
        })
    }

    /// The dual value at the best scale that a proved polar allows.
    pub(super) fn value(&self, polar: Upper) -> Lower {
        let value = objective::dual_value(self.products, polar);
        let t = objective::best_scale(self.products, polar.get());
        let corrected = value.get() - (t * self.defect).next_up();
        Lower::proved(if self.defect > 0.0 { max(corrected.next_down(), 0.0) } else { value.get() })
    }

    /// κ = maxᵢ ‖rᵢ‖/λ: exact at γ = 0, and an upper bound of the polar at every
    /// γ because the gauge grows with γ. O(nN).
    fn radial(&self) -> Bound {
        let lambda = self.problem.lambda();
        let of = |run: Range<usize>| [run.map(|i| norm_sq(&self.dual.column(i))).fold(0.0, max)];
        let [largest] = self.problem.share().largest(of);
        let largest = Interval::around(largest, rounding::radius(self.problem.dim(), largest)).sqrt();
        let lower = if lambda > 0.0 {
            self.value(Upper::proved(largest.div(Interval::point(lambda)).hi))
        } else {
            Lower::ZERO
        };
        Bound { lower, kind: BoundKind::WideLimit }
    }

    /// κ² = λ_max(R̃A⁻¹R̃ᵀ) by Sherman–Morrison, in the root-free form
    /// `(Σ wᵢrᵢrᵢᵀ − c mmᵀ)/γ²`, `m = Σ wᵢrᵢ`, `c = λ²/(γ² + λ²Σwᵢ)`.
    fn spectral(&self) -> Option<Bound> {
        let (lambda, gamma) = (self.problem.lambda(), self.problem.gamma());
        if gamma == 0.0 {
            return None;
        }
        let polar = spectral_polar(&self.dual, self.problem.data(), lambda, gamma)?;
        Some(Bound { lower: self.value(polar), kind: BoundKind::Fast })
    }
}

/// Columns as they are, or projected on the center's constraint: `rᵢ − Σ w_j r_j / Σ w_j`.
pub(super) struct Projected<'a> {
    columns: &'a dyn Columns,
    /// What is subtracted.
    mean: Option<Vec<f64>>,
}

impl<'a> Projected<'a> {
    fn of(columns: &'a dyn Columns, data: &Data, centered: bool) -> Self {
        let mean = centered.then(|| {
            let (mut mean, _) = weighted_mean(data.share(), columns, data.weights());
            mean.iter_mut().for_each(|v| *v /= data.total_weight());
            mean
        });
        Self { columns, mean }
    }
}

impl Columns for Projected<'_> {
    fn nrows(&self) -> usize {
        self.columns.nrows()
    }

    fn ncols(&self) -> usize {
        self.columns.ncols()
    }

    fn held(&self) -> Option<&Matrix> {
        if self.mean.is_none() { self.columns.held() } else { None }
    }

    fn run(&self, run: Range<usize>) -> Cow<'_, [f64]> {
        let columns = self.columns.run(run);
        let Some(mean) = &self.mean else { return columns };
        let mut columns = columns.into_owned();
        columns.chunks_exact_mut(mean.len()).for_each(|r| axpy(-1.0, mean, r));
        Cow::Owned(columns)
    }
}

/// `B‖Σ wᵢrᵢ‖` rounded up, with `B = ‖x̄‖ + U/√(λ² + γ²)`: some optimal center
/// is no longer than B (theorem `centre`).
fn center_defect(problem: &Problem, dual: &dyn Columns, upper: Upper) -> f64 {
    let n = problem.dim();
    // The sum, the sum of magnitudes, and Σ wᵢ‖xᵢ‖.
    let sums = problem.share().sum(2 * n + 1, usize::MAX, |run| {
        let mut sums = vec![0.0; 2 * n + 1];
        for (i, (x, w)) in run.clone().zip(problem.data().weighted(run)) {
            for (j, v) in dual.column(i).iter().enumerate() {
                sums[j] += w * v;
                sums[n + j] += (w * v).abs();
            }
            sums[2 * n] += w * norm(&x);
        }
        sums
    });
    let (sum, absolute, mean_norm) = (&sums[..n], &sums[n..2 * n], sums[2 * n]);
    let square = sum.iter().zip(absolute).fold(Interval::point(0.0), |total, (&s, &a)| {
        total.add(Interval::around(s, rounding::radius(problem.total(), a)).square())
    });
    // ‖x̄‖ ≤ Σ wᵢ‖xᵢ‖ / Σ wᵢ; the factor covers N + n roundings of nonnegative sums.
    let slack = 1.0 + 4.0 * rounding::gamma(2 * (problem.total() + n) + rounding::FEW);
    let (lambda, gamma) = (Interval::point(problem.lambda()), Interval::point(problem.gamma()));
    let price = lambda.square().add(gamma.square()).sqrt();
    // U/√(λ² + γ²) is for Σw = 1, which holds to as many roundings.
    let price = Interval::point(slack).mul(Interval::point(upper.get())).div(price);
    let radius = Interval::point((mean_norm * slack).next_up()).add(price);
    radius.mul(square.sqrt()).hi
}

/// The proved κ of [`DualPoint::spectral`], for unwhitened columns. O(n²N + n³).
fn spectral_polar(dual: &dyn Columns, data: &Data, lambda: f64, gamma: f64) -> Option<Upper> {
    let n = dual.nrows();
    let (second, mean, energy) = second_moment(dual, data);
    let weights = |run: Range<usize>| {
        let sum = data.weights()[run].iter().fold(Interval::point(0.0), |t, &w| t.add(Interval::point(w)));
        [sum.lo, sum.hi]
    };
    let [lo, hi] = data.share().folded(weights, |all, part| {
        let sum = Interval { lo: all[0], hi: all[1] }.add(Interval { lo: part[0], hi: part[1] });
        (all[0], all[1]) = (sum.lo, sum.hi);
    });
    let total = Interval { lo, hi };
    let (l2, g2) = (Interval::point(lambda).square(), Interval::point(gamma).square());
    // Any c at or below the exact one gives a larger matrix, hence a valid bound.
    let c = l2.div(g2.add(l2.mul(total))).lo;
    let matrix = Matrix::from_fn(n, n, |i, j| second.get(i, j) - c * mean[i] * mean[j]);
    let (values, _) = symmetric_eigen(&matrix)?;
    let largest = psd::largest_eigenvalue_upper(&matrix, *values.last()?)?;
    // Entries are sums of N triple products, |Σ w r rᵀ| ≤ Σ w |r||r|ᵀ whose norm is
    // at most `energy`; m is off by γ_N Σ w|r|, ‖m‖² ≤ Σw · energy ≤ 2 energy, c·Σw ≤ 1.
    let error =
        SECOND_MOMENT_SHARE * rounding::gamma(data.total() + rounding::FEW) * energy + f64::MIN_POSITIVE;
    let polar = Interval::point(0.0).add(Interval { lo: 0.0, hi: (max(largest, 0.0) + error).next_up() });
    Some(Upper::proved(polar.div(g2).sqrt().hi))
}

/// `Σ wᵢrᵢrᵢᵀ`, `Σ wᵢrᵢ` and `Σ wᵢ‖rᵢ‖²` (rounded up), in ordered chunks.
fn second_moment(dual: &dyn Columns, data: &Data) -> (Matrix, Vec<f64>, f64) {
    let n = dual.nrows();
    // Columns a partial sum takes in: the partial sums hold n² numbers each.
    let chunk = (4 * n).max(256);
    let part = |run: Range<usize>| {
        let mut mean = vec![0.0; n + 1];
        let mut columns = dual.run(run.clone()).into_owned();
        for (r, &w) in columns.chunks_exact_mut(n).zip(&data.weights()[run.clone()]) {
            axpy(w, r, &mut mean[..n]);
            mean[n] += w * norm_sq(r);
            let a = w.sqrt();
            r.iter_mut().for_each(|v| *v *= a);
        }
        let columns = Matrix::from_column_major(n, run.len(), columns).expect("whole columns");
        let mut sums = columns.times_own_transpose().into_vec();
        sums.append(&mut mean);
        sums
    };
    let mut sums = data.share().sum(n * n + n + 1, chunk, part);
    let energy = sums.pop().unwrap_or_default();
    let mean = sums.split_off(n * n);
    let second = Matrix::from_column_major(n, n, sums).expect("an entry a place");
    (second, mean, energy * (1.0 + rounding::gamma(data.total() + n + rounding::FEW)))
}

#[cfg(test)]
mod tests {
    use super::*;
    use num_rational::BigRational;
    use proptest::prelude::*;

    /// The same by intervals.
    fn huber_interval(dim: usize, lambda: f64, square: f64, w: f64) -> Interval {
        let lambda = Interval::point(lambda);
        let half = Interval::point(0.5);
        let r = Interval::around(square, rounding::radius(dim, square)).sqrt();
        let value = if r.lo > lambda.hi {
            lambda.mul(r.sub(half.mul(lambda)))
        } else if r.hi <= lambda.lo {
            half.mul(r.square())
        } else {
            let (low, high) = (Interval::point(r.lo), Interval::point(r.hi));
            let rise = lambda.mul(high.sub(half.mul(lambda)));
            Interval { lo: half.mul(low.square()).lo, hi: rise.hi }
        };
        Interval::point(w).mul(value)
    }

    /// `B‖Σ wᵢrᵢ‖` in exact arithmetic, squared, with B's two terms one after another:
    /// `(p + q)² ≥ p² + q²`.
    fn exact_defect_sq(problem: &Problem, dual: &Matrix, upper: f64) -> BigRational {
        let exact = |v: f64| BigRational::from_float(v).expect("finite");
        let square = |v: BigRational| v.clone() * v;
        let zero = || exact(0.0);
        let weights: Vec<BigRational> = problem.data().weights().iter().map(|w| exact(*w)).collect();
        let sum_sq = |columns: &Matrix| {
            (0..columns.nrows())
                .map(|j| {
                    let terms = columns.columns().zip(&weights).map(|(c, w)| w.clone() * exact(c[j]));
                    square(terms.fold(zero(), |sum, term| sum + term))
                })
                .fold(zero(), |sum, term| sum + term)
        };
        let total = square(weights.iter().cloned().fold(zero(), |sum, w| sum + w));
        let mean_sq = sum_sq(&problem.data().datapoints().as_matrix()) / total;
        let price_sq = square(exact(problem.lambda())) + square(exact(problem.gamma()));
        (mean_sq + square(exact(upper)) / price_sq) * sum_sq(dual)
    }

    proptest! {
        /// Of a dual point whose sum is all rounding, as after its projection, and of others.
        #[test]
        fn the_defect_of_a_center_covers_rounding(
            (dim, len) in (1_usize..4, 1_usize..9),
            entries in proptest::collection::vec(-1.0..1.0_f64, 64),
            weights in proptest::collection::vec(0.01..1.0_f64, 8),
            away in 0.0..1e9_f64,
            (lambda, gamma, upper) in (0.1..1.0_f64, 0.0..1.0_f64, 0.0..2.0_f64),
            projected in any::<bool>(),
        ) {
            let x = Matrix::from_fn(dim, len, |j, i| entries[j * len + i] + away);
            let problem = Problem::builder(x)
                .weights(weights[..len].to_vec())
                .lambda(lambda)
                .gamma(gamma)
                .centered(true)
                .build()
                .expect("valid");
            let mut dual = Matrix::from_fn(dim, len, |j, i| entries[32 + j * len + i]);
            if projected {
                dual = Projected::of(&dual, problem.data(), true).to_matrix();
            }
            let defect = center_defect(&problem, &dual, Upper::proved(upper));
            let exact = |v: f64| BigRational::from_float(v).expect("finite");
            prop_assert!(exact(defect) * exact(defect) >= exact_defect_sq(&problem, &dual, upper));
        }

        /// Where the length is a stored number, in exact arithmetic.
        #[test]
        fn huber_from_below_is_below_in_exact_arithmetic(
            dim in 1_usize..500, r in 0_u32..1 << 26, l in 0_u32..1 << 26, w in 1e-6..1.0_f64,
        ) {
            let exact = |v: f64| BigRational::from_float(v).expect("finite");
            let (r, lambda) = (f64::from(r), f64::from(l));
            // r² has 52 bits: no rounding.
            let below = HuberBelow::new(dim, lambda).at(r * r, w);
            let half = exact(0.5);
            let huber = if r > lambda {
                exact(lambda) * (exact(r) - half * exact(lambda))
            } else {
                half * exact(r) * exact(r)
            };
            let value = exact(w) * huber;
            prop_assert!(exact(below) <= value);
            prop_assert!(exact(below) + exact(1e-300) >= value * exact(1.0 - 1e-12));
        }

        #[test]
        fn huber_from_below_is_below_and_close(
            dim in 1_usize..2000, lambda in 0.0..3.0_f64, r in 0.0..5.0_f64, w in 1e-6..1.0_f64, scale in -150..150_i32,
        ) {
            let scale = 10.0_f64.powi(scale);
            for r in [r, lambda, lambda * (1.0 + 1e-15)] {
                let (lambda, square) = (lambda * scale, (r * scale) * (r * scale));
                let below = HuberBelow::new(dim, lambda).at(square, w);
                let enclosed = huber_interval(dim, lambda, square, w);
                // Below the lower end of an enclosure: below whatever it encloses.
                prop_assert!(below <= max(enclosed.hi, 0.0));
                prop_assert!(below <= max(enclosed.lo, 0.0) * (1.0 + 1e-15));
                prop_assert!(below >= enclosed.lo * (1.0 - 1e-14) - 1e-300);
            }
        }
    }
}
