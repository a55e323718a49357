//! How good codes are for a dictionary that stays as it is (theorem `coding-gap`).
//!
//! With the atoms fixed, codes and center solve a convex problem, and any R with
//! `g°(R̃ᵀd_k) ≤ ‖d_k‖` for every atom (and `Ra = 0` where a center is learnt)
//! bounds it from below. A dual point of any origin is scaled to that.

use rayon::prelude::*;

use super::bounds::DualPoint;
use super::{CertifyError, Lower, Subject, Upper, Witness, gap};
use crate::atoms::Factorization;
use crate::linalg::{Columns, Matrix, dot, norm_sq};
use crate::num::{Interval, max, min, rounding};
use crate::problem::Problem;

/// The value of codes over a fixed dictionary between proved bounds.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Coding {
    /// The objective of the point, rounded up.
    pub upper: Upper,
    /// A proved lower bound over all codes (and centers) with the same atoms.
    pub lower: Lower,
}

impl Coding {
    /// Certifies codes for the dictionary they come with.
    ///
    /// The point's own residuals are tried as the dual point, and `dual` (unwhitened
    /// columns, n × N) where a solver has one. O(nMN), plus a polar an atom.
    ///
    /// # Guarantees
    /// `lower ≤ min over codes and center of the objective at these atoms ≤ upper`,
    /// every rounding included: [`coding-gap`](crate::proofs::coding_gap),
    /// [`centre`](crate::proofs::centre), [`rounding`](crate::proofs::rounding).
    /// Nothing is said of other atoms.
    ///
    /// # Errors
    /// [`CertifyError`] when shapes do not fit or the objective overflows.
    pub fn new(
        problem: &Problem,
        factorization: &Factorization,
        dual: Option<&Matrix>,
    ) -> Result<Self, CertifyError> {
        Witness { dual: dual.cloned(), ..Witness::none() }.check(problem)?;
        let subject = Subject::of(problem, factorization)?;
        let mut lower = Lower::ZERO;
        let given: Option<&dyn Columns> = dual.map(|dual| dual as _);
        for candidate in [Some(subject.residuals() as _), given].into_iter().flatten() {
            let Some(dual) = DualPoint::new(&subject, candidate) else { continue };
            let Some(polar) = polar(problem, factorization, &dual.dual.as_matrix()) else { continue };
            lower = lower.best(dual.value(polar));
        }
        Ok(Self { upper: subject.primal().upper, lower })
    }

    /// The certified gap: no codes for these atoms are better by more.
    #[must_use]
    pub fn gap(&self) -> f64 {
        gap(self.upper, self.lower)
    }

    /// The gap as a share of the objective; 0 for an objective of 0.
    #[must_use]
    pub fn relative_gap(&self) -> f64 {
        if self.upper.get() > 0.0 { self.gap() / self.upper.get() } else { 0.0 }
    }
}

/// A proved upper bound of `max_k g°(R̃ᵀd_k)/‖d_k‖` for unwhitened columns of R.
/// `None` where it overflows.
fn polar(problem: &Problem, factorization: &Factorization, dual: &Matrix) -> Option<Upper> {
    let data = problem.data();
    let (lambda, gamma) = (Interval::point(problem.lambda()), Interval::point(problem.gamma()));
    let gauge = problem.gauge();
    let zero = Interval::point(0.0);
    let positive = |x: f64| max(x, 0.0);
    let of_atom = |atom: &[f64]| {
        let products: Vec<Interval> = dual
            .columns()
            .map(|r| {
                let absolute: f64 = r.iter().zip(atom).map(|(r, d)| (r * d).abs()).sum();
                Interval::around(dot(r, atom), rounding::radius(r.len(), absolute))
            })
            .collect();
        // γ = 0, and an upper bound for every γ because the gauge grows with it.
        let largest = products.iter().map(|c| c.hi).fold(0.0, max);
        let radial = if lambda.lo > 0.0 { Interval::point(largest).div(lambda).hi } else { f64::INFINITY };
        let priced = if gamma.lo > 0.0 {
            // The dual form of the polar bounds it at every τ ≥ 0.
            let whitened: Vec<f64> =
                products.iter().zip(data.sqrt_weights()).map(|(c, a)| 0.5 * (c.lo + c.hi) * a).collect();
            let found = gauge.polar(&whitened, 0.0, &mut vec![0.0; whitened.len()]).tau;
            let tau = if lambda.lo > 0.0 && found > 0.0 { found } else { 0.0 };
            let mut sum = zero;
            for (c, &w) in products.iter().zip(data.weights()) {
                let above = positive(Interval::point(c.hi).sub(Interval::point(tau)).hi);
                if above > 0.0 {
                    sum = sum.add(Interval::point(w).mul(Interval::point(above).div(gamma).square()));
                }
            }
            if tau > 0.0 {
                sum = sum.add(Interval::point(tau).div(lambda).square());
            }
            Interval { lo: 0.0, hi: sum.hi }.sqrt().hi
        } else {
            f64::INFINITY
        };
        let square = norm_sq(atom);
        let length = Interval::around(square, rounding::radius(atom.len(), square)).sqrt();
        Interval::point(min(radial, priced)).div(Interval::point(length.lo)).hi
    };
    let atoms: Vec<&[f64]> = factorization.dictionary().atoms().collect();
    let largest = atoms.par_iter().map(|atom| of_atom(atom)).reduce(|| 0.0, max);
    largest.is_finite().then(|| Upper::proved(largest))
}
