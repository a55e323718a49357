//! A local minimum near a factorization, proved (theorem `local-radius`).
//!
//! Around a nearly stationary factorization the value function of the joint problem, the
//! least objective over all codes, grows at least like `½μd² − ε₁d − ε₀` with the distance d
//! of atoms and center, as long as a pessimistic second-order form is positive definite and
//! no codes are used but those of a set E. `ε₁` and `ε₀` are the first-order residuals of
//! atoms, center and codes. So the lowest point within a small radius is a local minimum.
//! This folder finds E and the radius and proves the hypotheses, every rounding counted:
//!
//! | file | what it holds |
//! |---|---|
//! | `form` | the second-order form in units of its own |
//! | `sets` | the first-order residuals, and the pairs E of a radius |
//! | `proof` | the form over the radius is positive definite: the choice of an elimination |
//! | `elimination` | what both eliminations share |
//! | `codes_out` | codes eliminated, moves left |
//! | `moves_out` | moves eliminated, codes left |
//!
//! The search for lower points is [`search::escape`](crate::search::escape)'s. It hands
//! over a [`Curvature`]: a better factorization, which is believed where its objective is
//! proved lower, and an estimate of the smallest eigenvalue, where the proof begins.

mod codes_out;
mod elimination;
mod form;
mod moves_out;
mod proof;
mod sets;

pub(crate) use form::{Form, Sets};

use super::{Curvature, Subject};
use crate::atoms::Factorization;
use crate::num::{max, min};
use crate::observer::Observer;
use elimination::Proof;
use proof::Orders;
use sets::{Measures, Neighborhood, Refusal, down, up};

/// What the local test and the search before it may cost.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Limits {
    /// Relative stationarity that [`Finite::settle`](crate::Finite::settle) descends to
    /// before the test. The test itself asks for none: what is left enters its radius.
    pub stationarity_tolerance: f64,
    /// Largest order p of the dense matrix that the proof is tried with: 4·p² bytes, as much
    /// again for inner products at most, and p³/3 operations. A proof needs the smaller of two
    /// orders. One is n times the live atoms, with n more for a center and one more an atom at
    /// γ > 0. The other is the number of codes that are in use or may come into use within the
    /// radius, or twice the number of live atoms and coded datapoints where that is more.
    pub max_dense_variables: usize,
    /// Most Lanczos steps for the estimate of the smallest eigenvalue.
    pub max_lanczos_steps: usize,
}

impl Default for Limits {
    fn default() -> Self {
        Self { stationarity_tolerance: 1e-5, max_dense_variables: 16384, max_lanczos_steps: 120 }
    }
}

/// What the second-order test found. All numbers are without units: the same for data,
/// codes, λ and γ times a power of two (the radius but for rounding).
#[derive(Clone, Debug, PartialEq)]
pub struct Local {
    /// An estimate of the form's smallest eigenvalue from above, in the metric that is
    /// described at [`Outcome::Certified`], relative to `S²`.
    pub smallest_eigenvalue: Option<f64>,
    /// The growth `μ` proved over the radius, in the same units; positive.
    pub eigenvalue_lower: Option<f64>,
    /// The radius within which a local minimum is proved.
    pub radius: Option<f64>,
    /// Whether some pair off the supports has next to no margin, or may come into use
    /// within the radius.
    pub degenerate: bool,
    /// The outcome.
    pub outcome: Outcome,
    /// Why.
    pub reason: String,
}

/// How the second-order test ended.
#[derive(Clone, Debug, PartialEq)]
pub enum Outcome {
    /// A local minimum of the joint problem of this width lies within the radius, not
    /// higher than the factorization. The distance is
    /// `√(Σ c_k‖d'_k − d_k‖² + c_b‖b' − b‖²)` with `c_k` the power of four nearest
    /// `(g(z_k) + Σ wᵢz_ki²)/S²`, `c_b` that nearest `Σ wᵢ`, over `S²`, and `S² = Σ wᵢ‖xᵢ − b‖²`;
    /// atoms out of use stay where they are. Whether the minimum is strict is not claimed.
    Certified,
    /// A factorization of at most this width with a proved lower objective.
    Refuted(Box<Factorization>),
    /// Neither.
    Undecided,
}

/// Parts of the estimated smallest eigenvalue that are tried as the growth μ: a smaller
/// share leaves more to what a larger radius costs.
const SHARES: [f64; 5] = [0.5, 0.2, 0.05, 1e-2, 1e-3];

/// Least radius tried, as a part of the root of the objective: below it the growth
/// `½μρ²` is less than the rounding of the objective, true but of no use.
const LEAST_RADIUS: f64 = 1e-7;

/// Room between `ρ_min` and the radius of the hypotheses.
const SLACK: f64 = 1.05;

/// Rounds in which radius and sets are fitted to each other. They settle in two or three.
const MAX_ROUNDS: usize = 20;

/// Tests whether a local minimum of the joint problem of its width is near a factorization.
///
/// # Guarantees
/// `Certified` proves that a local minimum lies within `radius`, not higher than the stored
/// factorization, and that nothing as low lies between `radius` and a slightly larger one,
/// every rounding included ([`local-radius`](crate::proofs::local_radius),
/// [`rounding`](crate::proofs::rounding)). The factorization need not be stationary, only
/// nearly so. `Refuted` hands back a factorization whose objective is proved lower. Not
/// claimed: that the factorization itself is a minimum, or that the minimum is strict. At
/// γ > 0 the proof drops the part of the gauge's curvature along the weights, so it may be
/// undecided where the exact form is definite.
///
/// # Cost
/// `O(nMN + Σᵢ (n|E_i|)²|E_i| + p³)` time, `O(p²)` memory for p dense variables.
#[must_use]
pub fn test(
    subject: &Subject<'_>,
    curvature: Option<&Curvature>,
    limits: &Limits,
    observer: &dyn Observer,
) -> Local {
    let spread = subject.problem().share().is_spread();
    if let Some(lower) = curvature.filter(|_| !spread).and_then(|found| refutation(subject, found)) {
        return lower;
    }
    let ritz = curvature.map(|found| found.smallest);
    let undecided = |reason: String| Local {
        smallest_eigenvalue: ritz,
        eigenvalue_lower: None,
        radius: None,
        degenerate: false,
        outcome: Outcome::Undecided,
        reason,
    };
    if spread {
        return undecided("not tested: the datapoints are a part of all".to_owned());
    }
    if variables(subject) == 0 {
        return undecided("no atom is in use: the second-order form is empty".to_owned());
    }
    let (order, limit) = (least_order(subject), limits.max_dense_variables);
    if order > limit {
        return undecided(too_large(order, limit));
    }
    let form = Form::of(subject);
    let Some(measures) = Measures::of(&form) else {
        return undecided("sizes of data, weights or penalties are too far apart for the proof".to_owned());
    };
    if measures.alphas.iter().any(|&alpha| !(alpha > 0.0)) {
        return undecided("the residuals of some atom's datapoints do not point along it".to_owned());
    }
    let neighborhood = Neighborhood::at(&form, &measures);
    Attempts { measures: &measures, neighborhood, limit, observer }.run(ritz)
}

/// A better factorization handed over, if it is proved lower.
fn refutation(subject: &Subject<'_>, found: &Curvature) -> Option<Local> {
    let better = found.better.as_ref()?;
    (better.width() <= subject.factorization().width() && subject.is_above(better)).then(|| Local {
        smallest_eigenvalue: Some(found.smallest),
        eigenvalue_lower: None,
        radius: None,
        degenerate: false,
        outcome: Outcome::Refuted(Box::new(better.clone())),
        reason: format!(
            "the second-order form is negative ({:.3e}): a lower point lies along its direction",
            found.smallest
        ),
    })
}

/// Variables of the form at a factorization: the moves of its atoms in use, and that of the
/// center where it is learnt.
pub(crate) fn variables(subject: &Subject<'_>) -> usize {
    let problem = subject.problem();
    let atoms = subject.rows().iter().filter(|row| !row.is_empty()).count();
    problem.dim() * (atoms + usize::from(problem.centered()))
}

/// The least order of a dense matrix that proves a factorization to be near a local minimum, if
/// no codes but its own may come into use.
pub(crate) fn least_order(subject: &Subject<'_>) -> usize {
    let (problem, codes) = (subject.problem(), subject.factorization().codes());
    let atoms = subject.rows().iter().filter(|row| !row.is_empty()).count();
    let pairs = subject.rows().iter().map(|row| row.len()).sum();
    let points = (0..problem.len()).filter(|i| codes.column(*i).nnz() > 0).count();
    Orders::new(problem, atoms, pairs, points).least()
}

fn too_large(order: usize, limit: usize) -> String {
    format!("a proof takes a dense matrix of order {order}, above the limit of {limit}")
}

/// The tries at one factorization.
struct Attempts<'a> {
    measures: &'a Measures,
    neighborhood: Neighborhood<'a>,
    /// The largest order of a dense matrix.
    limit: usize,
    observer: &'a dyn Observer,
}

impl Attempts<'_> {
    fn run(mut self, ritz: Option<f64>) -> Local {
        // In the form's units.
        let ritz = ritz.map(|ritz| ritz * self.square_of_data());
        let estimate = match ritz
            .map_or_else(|| proof::smallest_eigenvalue(&self.neighborhood, self.limit, self.observer), Ok)
        {
            Ok(estimate) => estimate,
            Err(proof) => {
                let reason = self.failure(&proof, None);
                return self.undecided(None, reason);
            }
        };
        if !(estimate > 0.0) {
            let relative = estimate / self.square_of_data();
            let reason = format!("the smallest eigenvalue is near 0 (Ritz value {relative:.1e})");
            return self.undecided(Some(estimate), reason);
        }
        let mut first = None;
        for share in SHARES {
            let mu = share * min(estimate, self.measures.top);
            let reason = match self.neighborhood.settle(mu) {
                Err(refusal) => refusal.reason(),
                Ok(()) => match proof::prove(&self.neighborhood, mu, self.limit, self.observer) {
                    Proof::Holds => return self.certified(estimate, mu),
                    // A smaller share has a larger radius, and no fewer pairs.
                    ended @ (Proof::Stopped | Proof::TooLarge(_)) => {
                        return self.undecided(Some(estimate), self.failure(&ended, None));
                    }
                    failed @ (Proof::Dependent | Proof::Fails) => self.failure(&failed, Some(estimate)),
                },
            };
            // What the smallest radius lacks says most.
            first.get_or_insert(reason);
        }
        self.undecided(Some(estimate), first.unwrap_or_default())
    }

    /// Why a proof did not hold; without an estimate, at the factorization itself.
    fn failure(&self, proof: &Proof, estimate: Option<f64>) -> String {
        match (proof, estimate) {
            (Proof::Stopped, _) => "stopped before the proof was complete".to_owned(),
            (Proof::TooLarge(order), _) => too_large(*order, self.limit),
            (Proof::Dependent, None) => Refusal::Dependent.reason(),
            (Proof::Dependent, Some(_)) => Refusal::DependentWithin.reason(),
            (Proof::Holds | Proof::Fails, None) => {
                "the second-order form could not be proved definite".to_owned()
            }
            (Proof::Holds | Proof::Fails, Some(estimate)) => format!(
                "the form could not be proved definite within {:.1e} of the factorization (relative to the data's \
                 size), with {} degenerate pairs (Ritz value {:.1e})",
                self.neighborhood.rho,
                self.neighborhood.added(),
                estimate / self.square_of_data()
            ),
        }
    }

    fn certified(&self, estimate: f64, mu: f64) -> Local {
        let radius = self.neighborhood.radius(mu);
        let atoms = &self.neighborhood.form.atoms;
        // With no atom in use only the center moves.
        let turn = atoms.iter().map(|atom| up(radius / atom.root, 2)).fold(0.0, max);
        let eigenvalue = down(mu / self.square_of_data(), 4);
        Local {
            smallest_eigenvalue: Some(estimate / self.square_of_data()),
            eigenvalue_lower: Some(eigenvalue),
            radius: Some(radius),
            degenerate: self.is_degenerate(),
            outcome: Outcome::Certified,
            reason: format!(
                "a local minimum of this width lies within {radius:.1e} (relative to the data's size) of it, \
                 no atom turned by more than {turn:.1e}; the objective grows with curvature {eigenvalue:.1e} at least"
            ),
        }
    }

    fn undecided(&self, estimate: Option<f64>, reason: String) -> Local {
        Local {
            smallest_eigenvalue: estimate.map(|estimate| estimate / self.square_of_data()),
            eigenvalue_lower: None,
            radius: None,
            degenerate: self.is_degenerate(),
            outcome: Outcome::Undecided,
            reason,
        }
    }

    /// What eigenvalues are relative to, in the form's units.
    fn square_of_data(&self) -> f64 {
        let size = self.neighborhood.form.size_of_data;
        size * size
    }

    fn is_degenerate(&self) -> bool {
        self.neighborhood.is_degenerate() || self.neighborhood.added() > 0
    }
}

impl Refusal {
    fn reason(&self) -> String {
        match self {
            Self::Dependent => {
                "atoms used together are linearly dependent (duplicates, say): second order does \
                                not decide"
                    .to_owned()
            }
            Self::DependentWithin => {
                "atoms used together may be linearly dependent within the radius".to_owned()
            }
            Self::TooFar => "codes may change too much within the radius".to_owned(),
            Self::Unused => "unused atoms may come into use within the radius".to_owned(),
            Self::Unsettled => "no radius is large enough for its own first-order residuals".to_owned(),
        }
    }
}
