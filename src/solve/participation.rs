//! What the atom price says about ordinary autoencoders: a lower bound for every
//! dictionary whose atoms are common (theorem `participation-bound`).

use crate::atoms::Factorization;
use crate::bounding::{Bounding, Evidence};
use crate::certificate::{Certified, Options, certify_observed};
use crate::gauge::Moments;
use crate::num::{max, min};
use crate::problem::Problem;
use crate::solution::{Run, SolveError};
use crate::solve::column_generation::ColumnGeneration;
use crate::trusted::participation::price;
use crate::trusted::{BoundKind, Lower, bounds};

/// First ratio λ'/λ that is tried. Between 0.9 and 0.99 the bound is mostly flat.
const FIRST_RATIO: f64 = 0.95;

/// Ratios that may follow.
const RATIOS: [f64; 5] = [0.5, 0.8, 0.9, 0.98, 0.995];

/// A ratio is tried only where tangents leave room for so much more, as a part of the value:
/// less is lost by certifying.
const WORTHWHILE: f64 = 4e-3;

/// The participation of every atom,
///
/// ```math
/// p_k=\frac{(\sum_iw_iz_{ki})^2}{\sum_iw_iz_{ki}^2}\in(0,1],
/// ```
///
/// at most the share of the data it fires on, and equal to it where its codes
/// are equal; `None` for an atom that never fires.
#[must_use]
pub fn participations(problem: &Problem, factorization: &Factorization) -> Vec<Option<f64>> {
    let weights = problem.data().weights();
    factorization.codes().rows().iter().map(|row| Moments::of(weights, row).participation()).collect()
}

/// The search for the best bound of theorem `participation-bound`.
///
/// For λ' ≤ λ and `γ² ≤ p(λ² − λ'²)` the γ = 0 objective at λ of **any** dictionary,
/// of any width, whose atoms in use all have participation at least p is at least
/// the optimum of the convex problem at (λ', γ). That problem is solved for a few
/// λ' and bounded as any other.
///
/// # Guarantees
/// [`participation-bound`](crate::proofs::participation_bound): the bound is
/// certified at every λ', whether or not the convex problem was solved well. It
/// is never below `F_∞` where no center is learnt. Not claimed: that some
/// dictionary attains it, or that the λ' found is the best.
///
/// # Cost
/// A run of column generation and a search for a split, O(N³) a step, for each λ'.
/// Where [`Bounding`] searches for no split the bound is that of one eigenvalue and
/// hardly better than `F_∞`: [`Bounding::Auto`] searches up to 2000 datapoints.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Participation {
    /// How the convex problems are solved: roughly, they only have to propose a
    /// dual point.
    pub column_generation: ColumnGeneration,
    /// How their bounds are searched for.
    pub bounding: Bounding,
}

impl Default for Participation {
    fn default() -> Self {
        Self {
            column_generation: ColumnGeneration { gap_tolerance: 2e-2, ..ColumnGeneration::default() },
            bounding: Bounding::Auto,
        }
    }
}

/// A certified bound for all dictionaries with participations at least `p`.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct ParticipationBound {
    /// Least participation the bound is for.
    pub p: f64,
    /// λ' of the convex problem that gave it.
    pub lambda: f64,
    /// γ of that problem: proved to satisfy `γ² ≤ p(λ² − λ'²)`.
    pub gamma: Lower,
    /// The bound.
    pub lower: Lower,
    /// How the convex problem's bound was proved.
    pub kind: BoundKind,
}

impl Participation {
    /// The best bound found for participations at least `p`.
    ///
    /// # Errors
    /// [`SolveError::NotApplicable`] unless γ = 0 and λ > 0,
    /// [`SolveError::Setting`] unless 0 < p ≤ 1; those of
    /// [`ColumnGeneration::solve`].
    pub fn bound(&self, problem: &Problem, p: f64) -> Result<ParticipationBound, SolveError> {
        self.bound_with(problem, p, &Run::default())
    }

    /// [`Participation::bound`] from a start, which saves time where it is a solution of
    /// the problem, and with an observer, who may end the search: the best bound so far
    /// is returned, at least `F_∞` where no center is learnt.
    ///
    /// # Errors
    /// As [`Participation::bound`]; a start of another dimension or with another number
    /// of datapoints.
    pub fn bound_with(
        &self,
        problem: &Problem,
        p: f64,
        run: &Run<'_>,
    ) -> Result<ParticipationBound, SolveError> {
        check(problem, p)?;
        let mut best = ParticipationBound {
            p,
            lambda: problem.lambda(),
            gamma: Lower::ZERO,
            lower: if problem.centered() { Lower::ZERO } else { bounds::wide_limit(problem).lower },
            kind: if problem.centered() { BoundKind::WideLimit } else { BoundKind::ClosedForm },
        };
        let mut tried: Vec<Tangent> = Vec::new();
        let mut near = run.start.cloned();
        while let Some(ratio) = next_ratio(&tried) {
            if run.observer.poll().is_break() {
                break;
            }
            let lambda = ratio * problem.lambda();
            let gamma = price(problem.lambda(), lambda, p);
            if !(gamma.get() > 0.0) {
                break;
            }
            let priced = problem.with_penalty(lambda, gamma.get()).map_err(|_| SolveError::Setting {
                name: "p",
                needs: "large enough",
                value: p,
            })?;
            let certified = self.convex(&priced, &mut near, run)?;
            tried.push(Tangent::at(&priced, &certified, (ratio, problem.lambda(), p)));
            let certificate = certified.certificate();
            let (lower, kind) = (certificate.lower_bound(), certificate.bound_kind());
            if lower.get() > best.lower.get() {
                best = ParticipationBound { p, lambda, gamma, lower, kind };
            }
        }
        Ok(best)
    }

    /// The convex problem, bounded and solved from a factorization `near` its solution, which
    /// is left there.
    fn convex(
        &self,
        problem: &Problem,
        near: &mut Option<Factorization>,
        run: &Run<'_>,
    ) -> Result<Certified, SolveError> {
        let start = near.as_ref();
        let solution = self.column_generation.solve_with(problem, &Run { start, ..*run })?;
        let factorization = near.insert(solution.certified.solution().clone());
        // No gap is small enough: every bit of the bound counts.
        let Evidence { witness, .. } =
            self.bounding.extend(problem, factorization, solution.witness, 0.0, run.observer)?;
        let options = self.bounding.options(problem, Options::default());
        Ok(certify_observed(problem, factorization.clone(), &witness, &options, run.observer)?)
    }
}

fn check(problem: &Problem, p: f64) -> Result<(), SolveError> {
    if problem.gamma() > 0.0 || problem.lambda() == 0.0 {
        return Err(SolveError::NotApplicable {
            method: "the participation bound",
            needs: "gamma = 0 and lambda > 0",
            found: format!("gamma = {}, lambda = {}", problem.gamma(), problem.lambda()),
        });
    }
    if !(p > 0.0 && p <= 1.0) {
        return Err(SolveError::Setting { name: "p", needs: "above 0 and at most 1", value: p });
    }
    Ok(())
}

/// The optimum of the convex problem as a function of `μ = (λ'/λ)²`, about as it is at one.
///
/// The square of an atom's price, `λ'²s² + p(λ² − λ'²)q`, is linear in μ, so its price and the
/// optimum, a minimum of sums of prices, are concave in μ: they lie below their tangents.
#[derive(Clone, Copy, Debug)]
struct Tangent {
    at: f64,
    value: f64,
    slope: f64,
}

impl Tangent {
    /// At a solution of the problem for a ratio λ'/λ.
    fn at(priced: &Problem, solved: &Certified, (ratio, lambda, p): (f64, f64, f64)) -> Self {
        let weights = priced.data().weights();
        let slope = solved
            .solution()
            .codes()
            .rows()
            .iter()
            .map(|row| Moments::of(weights, row))
            .filter(|moments| moments.energy > 0.0)
            .map(|moments| {
                let square = moments.mass * moments.mass - p * moments.energy;
                0.5 * lambda * lambda * square / priced.penalty().price(moments)
            })
            .sum();
        Self { at: ratio * ratio, value: solved.certificate().objective(), slope }
    }

    fn height(&self, mu: f64) -> f64 {
        self.value + self.slope * (mu - self.at)
    }
}

/// The next λ'/λ to try: where the lowest of the tangents is highest, unless that is hardly
/// above what was found.
fn next_ratio(tried: &[Tangent]) -> Option<f64> {
    if tried.is_empty() {
        return Some(FIRST_RATIO);
    }
    let best = tried.iter().map(|t| t.value).fold(0.0, max);
    let roof = |ratio: f64| tried.iter().map(|t| t.height(ratio * ratio)).fold(f64::INFINITY, min);
    let new = |ratio: &f64| tried.iter().all(|t| (t.at - ratio * ratio).abs() > 1e-9);
    let next = RATIOS.into_iter().filter(new).max_by(|l, r| roof(*l).total_cmp(&roof(*r)))?;
    (roof(next) > (1.0 + WORTHWHILE) * best).then_some(next)
}
