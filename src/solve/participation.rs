//! What the atom price says about ordinary autoencoders: a lower bound for every
//! dictionary whose atoms are common (theorem `participation-bound`).

use crate::atoms::Factorization;
use crate::bounding::{Bounding, Evidence};
use crate::certificate::{Options, certify_observed};
use crate::gauge::Moments;
use crate::problem::Problem;
use crate::solution::{Run, SolveError};
use crate::solve::column_generation::ColumnGeneration;
use crate::trusted::Lower;
use crate::trusted::participation::price;
use crate::trusted::{BoundKind, bounds};

/// First ratios λ'/λ tried, the likely best first. Between 0.9 and 0.99 the bound
/// is flat: a finer grid gains less than the certificate's own gap.
const RATIOS: [f64; 3] = [0.95, 0.9, 0.98];

/// Ratios tried beyond the first ones, each on the side where the bound rose.
const MORE_RATIOS: usize = 2;

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
        let mut tried: Vec<(f64, f64)> = Vec::new();
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
            let bound = self.convex(&priced, &mut near, run)?;
            tried.push((ratio, bound.0.get()));
            if bound.0.get() > best.lower.get() {
                best = ParticipationBound { p, lambda, gamma, lower: bound.0, kind: bound.1 };
            }
        }
        Ok(best)
    }

    /// A certified bound of the convex problem, solved from a factorization `near` its
    /// solution, which is left there.
    fn convex(
        &self,
        problem: &Problem,
        near: &mut Option<Factorization>,
        run: &Run<'_>,
    ) -> Result<(Lower, BoundKind), SolveError> {
        let start = near.as_ref();
        let solution = self.column_generation.solve_with(problem, &Run { start, ..*run })?;
        let factorization = near.insert(solution.certified.solution().clone());
        // No gap is small enough: every bit of the bound counts.
        let Evidence { witness, .. } =
            self.bounding.extend(problem, factorization, solution.witness, 0.0, run.observer)?;
        let options = self.bounding.options(problem, Options::default());
        let certified = certify_observed(problem, factorization.clone(), &witness, &options, run.observer)?;
        let certificate = certified.certificate();
        Ok((certificate.lower_bound(), certificate.bound_kind()))
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

/// The next λ'/λ to try: the first ones in turn, then halfway between the best
/// and its neighbor on the better side. `None` at the end.
fn next_ratio(tried: &[(f64, f64)]) -> Option<f64> {
    if let Some(&ratio) = RATIOS.get(tried.len()) {
        return Some(ratio);
    }
    if tried.len() >= RATIOS.len() + MORE_RATIOS {
        return None;
    }
    let best = tried.iter().max_by(|l, r| l.1.total_cmp(&r.1))?;
    let mut sorted: Vec<(f64, f64)> = tried.to_vec();
    sorted.sort_by(|l, r| l.0.total_cmp(&r.0));
    let at = sorted.iter().position(|t| t.0.total_cmp(&best.0).is_eq())?;
    let below = if at == 0 { (0.5 * best.0, f64::NEG_INFINITY) } else { sorted[at - 1] };
    let above = sorted.get(at + 1).copied().unwrap_or((1.0, f64::NEG_INFINITY));
    // At an end of what was tried the bound may still rise outward.
    let outward = below.1 == f64::NEG_INFINITY || above.1 == f64::NEG_INFINITY;
    let neighbor = match (outward, below.1 > above.1) {
        (true, _) => {
            if at == 0 {
                below
            } else {
                above
            }
        }
        (false, true) => below,
        (false, false) => above,
    };
    Some(0.5 * (best.0 + neighbor.0))
}
