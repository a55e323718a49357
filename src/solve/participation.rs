//! What the atom price says about ordinary autoencoders: a lower bound for every
//! dictionary whose atoms are common (theorem `participation-bound`).

use crate::atoms::{Codes, Dictionary, Factorization};
use crate::bounding::Bounding;
use crate::certificate::{Options, Witness, certify_observed};
use crate::gauge::Moments;
use crate::num::min;
use crate::problem::Problem;
use crate::search::nuclear::{Axes, Nuclear};
use crate::search::relaxation::Relaxation;
use crate::solution::{Run, SolveError};
use crate::solve::column_generation::ColumnGeneration;
use crate::trusted::bounds::Bound;
use crate::trusted::participation::price;
use crate::trusted::{BoundKind, Lower, Subject, bounds};

/// Ratios λ'/λ. Toward 1 they are closer: there γ falls like √(1 − ratio²). Between 0.9 and 0.95
/// the bound is flat: a finer grid gains less than the certificate's own gap.
const RATIOS: [f64; 9] = [0.0, 0.3, 0.5, 0.7, 0.8, 0.85, 0.9, 0.95, 0.98];

/// Where the search begins if the nuclear bound is below `F_∞` at all ratios: in RATIOS.
const FIRST: usize = 6;

/// Ratios at which a split is searched for. They begin at a good guess and go uphill, so a third
/// one ends the search in most cases.
const SPLITS: usize = 3;

/// Steps that raise a split without a dictionary. The first one gains nearly everything.
const RISING_STEPS: usize = 1;

/// Steps of the split at a dictionary's residuals for many datapoints: an eigendecomposition of
/// N × N each. On the digits five prove 1.206 for p = 0.012, twelve 1.228.
const RESIDUAL_STEPS: usize = 12;

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
/// the optimum of the convex problem at (λ', γ). So every lower bound of that problem is one
/// for them. The cheap ones come first: the nuclear bound at several λ', which needs no
/// dictionary; a split raised from there at the best of them, which needs none either; at the
/// best λ' of all the convex problem is solved and a split searched for at its residuals.
///
/// # Guarantees
/// [`participation-bound`](crate::proofs::participation_bound): the bound is
/// certified at every λ', whether or not the convex problem was solved well. It
/// is never below `F_∞` where no center is learnt. Not claimed: that some
/// dictionary attains it, or that the λ' found is the best.
///
/// # Cost
/// Each nuclear bound O(n²N + n³); some steps of O(N³) at three λ'; one run of column generation
/// with a search for a split (up to 600 datapoints, at three λ'). Where [`Bounding`] searches for
/// no split ([`Bounding::Auto`] beyond 2000 datapoints) the bound is the nuclear one: for small p
/// no better than `F_∞`.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Participation {
    /// How the convex problem is solved: roughly, it only has to propose a dual point.
    pub column_generation: ColumnGeneration,
    /// How far the search for bounds goes.
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

impl ParticipationBound {
    /// Whether p says more than that no dictionary at all is below the wide limit `F_∞`. Where it
    /// does not, p is too small, or the search too short.
    #[must_use]
    pub fn beats_wide_limit(&self) -> bool {
        self.gamma.get() > 0.0
    }
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
        let best = ParticipationBound {
            p,
            lambda: problem.lambda(),
            gamma: Lower::ZERO,
            lower: if problem.centered() { Lower::ZERO } else { bounds::wide_limit(problem).lower },
            kind: if problem.centered() { BoundKind::WideLimit } else { BoundKind::ClosedForm },
        };
        if self.bounding == Bounding::None || attains_wide_limit(problem, p) {
            return Ok(best);
        }
        let mut search = Search { problem, p, best, run };
        let guess = search.nuclear().unwrap_or(FIRST);
        let (splits, thorough) = self.bounding.splits(problem);
        if splits {
            let at = climb(guess, SPLITS, |at| Ok(search.rising(at)))?;
            let mut near = run.start.cloned();
            let most = if thorough { SPLITS } else { 1 };
            climb(at, most, |at| self.convex(&mut search, at, thorough, &mut near))?;
        }
        Ok(search.best)
    }

    /// A certified bound of the convex problem, solved from a factorization `near` its
    /// solution, which is left there. `None` where the observer broke before.
    fn convex(
        &self,
        search: &mut Search<'_>,
        at: usize,
        thorough: bool,
        near: &mut Option<Factorization>,
    ) -> Result<Option<f64>, SolveError> {
        let run = search.run;
        let Some((problem, gamma)) = search.priced(at).filter(|_| run.observer.poll().is_continue()) else {
            return Ok(None);
        };
        let start = near.as_ref();
        let solution = self.column_generation.solve_with(&problem, &Run { start, ..*run })?;
        let factorization = near.insert(solution.certified.solution().clone());
        if solution.certified.certificate().objective() <= search.best.lower.get() {
            // Its optimum is below a bound that is proved already.
            return Ok(None);
        }
        let witness = if thorough {
            // No gap is small enough: every bit of the bound counts.
            self.bounding.extend(&problem, factorization, solution.witness, 0.0, run.observer)?.witness
        } else {
            let few = Relaxation { max_iterations: RESIDUAL_STEPS, ..Relaxation::default() };
            let split = few.at_residuals(&problem, factorization, run.observer).map(|found| found.split);
            Witness { split, ..solution.witness }
        };
        let options = self.bounding.options(&problem, Options::default());
        let certified = certify_observed(&problem, factorization.clone(), &witness, &options, run.observer)?;
        let certificate = certified.certificate();
        let bound = Bound { lower: certificate.lower_bound(), kind: certificate.bound_kind() };
        search.keep(&problem, gamma, Some(bound));
        Ok(Some(bound.lower.get()))
    }
}

/// The best bound so far and what it is for.
struct Search<'a> {
    problem: &'a Problem,
    p: f64,
    best: ParticipationBound,
    run: &'a Run<'a>,
}

impl Search<'_> {
    /// The convex problem at a ratio of [`RATIOS`] with its proved γ; `None` where that is 0 or
    /// beyond the range of the arithmetic.
    fn priced(&self, at: usize) -> Option<(Problem, Lower)> {
        let lambda = RATIOS[at] * self.problem.lambda();
        let gamma = price(self.problem.lambda(), lambda, self.p);
        let priced = self.problem.with_penalty(lambda, gamma.get()).ok()?;
        (gamma.get() > 0.0).then_some((priced, gamma))
    }

    /// Keeps a bound of the problem of [`Search::priced`] if it is the best.
    fn keep(&mut self, priced: &Problem, gamma: Lower, bound: Option<Bound>) {
        let Some(Bound { lower, kind }) = bound else { return };
        if lower.get() > self.best.lower.get() {
            self.best = ParticipationBound { p: self.p, lambda: priced.lambda(), gamma, lower, kind };
        }
    }

    /// The nuclear bound at every ratio: the best of them, where it is above `F_∞`.
    fn nuclear(&mut self) -> Option<usize> {
        let axes = Axes::of(self.problem.data())?;
        let mut best = None;
        for at in 0..RATIOS.len() {
            let Some((priced, gamma)) = self.priced(at) else { continue };
            let Some(found) = Nuclear::default().search_along(&axes, &priced, self.run.observer) else {
                continue;
            };
            let before = self.best.lower.get();
            let bound = zero(&priced)
                .and_then(|point| bounds::nuclear(&Subject::of(&priced, &point).ok()?, &found.map));
            self.keep(&priced, gamma, bound);
            if self.best.lower.get() > before {
                best = Some(at);
            }
            if found.interrupt.is_some() {
                break;
            }
        }
        best
    }

    /// The bound of a split that rises from the nuclear bound or the wide limit.
    fn rising(&mut self, at: usize) -> Option<f64> {
        let (priced, gamma) = self.priced(at)?;
        let few = Relaxation { max_iterations: RISING_STEPS, ..Relaxation::default() };
        let found = few.rise(&priced, self.run.observer)?;
        // A proof takes as long as a step: only of what promises to be the best.
        if found.promised > self.best.lower.get() {
            let bound = zero(&priced)
                .and_then(|point| bounds::split(&Subject::of(&priced, &point).ok()?, &found.split));
            self.keep(&priced, gamma, bound);
        }
        Some(found.promised)
    }
}

/// No atoms: what a bound that needs no dictionary is proved beside.
fn zero(problem: &Problem) -> Option<Factorization> {
    let center = problem.centered().then(|| problem.data().mean().to_vec());
    Factorization::new(Dictionary::empty(problem.dim()), Codes::zeros(0, problem.len()), center).ok()
}

/// Whether an atom a datapoint is common enough: its participation is the weight of its datapoint,
/// and such a dictionary attains `F_∞`.
fn attains_wide_limit(problem: &Problem, p: f64) -> bool {
    let least = problem.data().weights().iter().copied().fold(f64::INFINITY, min);
    !problem.centered() && p <= least
}

/// Goes uphill over [`RATIOS`] from a guess, at most so many of them: the best one. The end where
/// one has no value.
fn climb(
    guess: usize,
    most: usize,
    mut value: impl FnMut(usize) -> Result<Option<f64>, SolveError>,
) -> Result<usize, SolveError> {
    let (mut best, mut left) = (guess, most - 1);
    let Some(mut highest) = value(guess)? else { return Ok(best) };
    for up in [true, false] {
        // The other side only where this one does not rise.
        while left > 0 && (up || best <= guess) {
            let next = if up { best + 1 } else { best.wrapping_sub(1) };
            if next >= RATIOS.len() {
                break;
            }
            left -= 1;
            match value(next)? {
                Some(value) if value > highest => (best, highest) = (next, value),
                _ => break,
            }
        }
    }
    Ok(best)
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
