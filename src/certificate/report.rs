//! The certificate: every number recomputed, each tied to what proves it.

use std::fmt;

use serde::{Deserialize, Serialize};

use super::{Concentration, Estimate, Options, Verdict};
use crate::linalg::{Columns, distance_sq, norm_sq};
use crate::num::{at_most, max, min};
use crate::observer::{Observer, Stop};
use crate::trusted::{Bound, BoundKind, Kkt, Lower, Objective, PlanarBound, Subject, Upper, WidthLine, gap};

/// Descriptive figures of a point; nothing is claimed by them.
#[derive(Clone, Copy, Debug, PartialEq, Serialize, Deserialize)]
pub struct Statistics {
    /// Number of atoms.
    pub atoms: usize,
    /// Mean number of nonzero codes a datapoint.
    pub mean_l0: f64,
    /// `1 − Σ wᵢ‖rᵢ‖² / Σ wᵢ‖xᵢ − x̄‖²` with the weighted mean x̄; `None` when the
    /// data do not vary.
    pub explained_variance: Option<f64>,
    /// Largest `|d_jᵀd_l|` over pairs; `None` where the observer broke, and beyond 16 384 atoms:
    /// [`Dictionary::max_coherence`](crate::Dictionary::max_coherence) computes it for any number.
    pub max_coherence: Option<f64>,
    /// What the datapoints that cost most hold of the objective; `None` where it is 0.
    pub concentration: Option<Concentration>,
}

/// Most atoms whose pairs are compared for a figure that nothing is claimed by: some seconds. A
/// closed form has an atom a datapoint.
const COMPARED_ATOMS: usize = 1 << 14;

impl Statistics {
    pub(super) fn of(subject: &Subject<'_>, observer: &dyn Observer) -> Self {
        let (data, factorization) = (subject.problem().data(), subject.factorization());
        let mean = data.mean();
        let [left, total] = data.share().sums(|run| {
            let (mut left, mut total) = (0.0, 0.0);
            for (i, (x, w)) in run.clone().zip(data.weighted(run)) {
                left += w * norm_sq(&subject.residuals().column(i));
                total += w * distance_sq(&x, &mean);
            }
            [left, total]
        });
        #[expect(clippy::cast_precision_loss, reason = "counts are far below 2^53")]
        let mean_l0 = subject.uses().iter().sum::<usize>() as f64 / data.total() as f64;
        Self {
            atoms: factorization.width(),
            mean_l0,
            explained_variance: (total > 0.0).then(|| 1.0 - left / total),
            max_coherence: (factorization.width() <= COMPARED_ATOMS)
                .then(|| factorization.dictionary().coherence_until(observer))
                .flatten(),
            concentration: Concentration::of_subject(subject),
        }
    }
}

/// What the test of local optimality found (theorems `local-radius`, `no-nesting`). Numbers
/// are without units, see [`local::Local`](crate::trusted::local::Local).
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct LocalSummary {
    /// An estimate, from above, of the smallest eigenvalue of the second-order form.
    pub smallest_eigenvalue: Option<f64>,
    /// The growth proved over the radius, positive.
    pub eigenvalue_lower: Option<f64>,
    /// The radius within which a local minimum is proved, relative to the size of the data.
    #[serde(default)]
    pub radius: Option<f64>,
    /// Whether an idle code is at the point of being used, or may come into use within
    /// the radius.
    pub degenerate: bool,
    /// Ordered pairs of atoms with nested supports.
    pub nested_pairs: usize,
    /// Whether a local minimum is proved within the radius.
    #[serde(skip)]
    pub certified: bool,
    /// Whether a point with a lower objective is proved and handed back.
    #[serde(skip)]
    pub refuted: bool,
    /// Why.
    pub reason: String,
}

/// What is proved of a point of a problem. Made by [`certify`](super::certify).
#[derive(Clone, Debug, PartialEq)]
pub struct Certificate {
    /// Objective of the point, as computed.
    objective: f64,
    /// Proved upper bound of the same.
    upper: Upper,
    bound: Bound,
    estimate: Option<Estimate>,
    kkt: Kkt,
    statistics: Statistics,
    local: Option<LocalSummary>,
    /// Whether the exact polar was tried.
    exact: bool,
    width: Option<WidthLine>,
    planar: Option<PlanarBound>,
    verdict: Verdict,
}

/// What was computed of a factorization, before it is judged.
pub(super) struct Findings {
    pub(super) primal: Objective,
    pub(super) bound: Bound,
    pub(super) estimate: Option<Estimate>,
    pub(super) kkt: Kkt,
    pub(super) statistics: Statistics,
    pub(super) local: Option<LocalSummary>,
    pub(super) exact: bool,
    pub(super) width: Option<WidthLine>,
    pub(super) planar: Option<PlanarBound>,
}

impl Certificate {
    pub(super) fn new(found: Findings, options: &Options) -> Self {
        let Findings { primal, bound, estimate, kkt, statistics, local, exact, width, planar } = found;
        // An estimate that says no more than the bound, or more than can be, says nothing.
        let estimate =
            estimate.filter(|e| e.lower_bound > bound.lower.get() && e.lower_bound <= primal.upper.get());
        let mut certificate = Self {
            objective: primal.value(),
            upper: primal.upper,
            bound,
            estimate,
            kkt,
            statistics,
            local,
            exact,
            width,
            planar,
            verdict: Verdict::Feasible,
        };
        certificate.verdict = certificate.judge(options);
        certificate
    }

    /// The same with another bound, not judged.
    pub(super) fn with_bound(self, bound: Bound) -> Self {
        Self { bound, estimate: self.estimate.filter(|e| e.lower_bound > bound.lower.get()), ..self }
    }

    /// See [`Certified::judged_by`](super::Certified).
    pub(super) fn judged_by(self, options: &Options) -> Self {
        let (bound, estimate) = if options.bounds {
            (self.bound, self.estimate)
        } else {
            (Bound { lower: Lower::ZERO, kind: BoundKind::None }, None)
        };
        let local = self.local.filter(|_| options.local.is_some());
        let width = self.width.filter(|_| options.bounds);
        let mut certificate = Self { bound, estimate, local, width, ..self };
        certificate.verdict = certificate.judge(options);
        certificate
    }

    /// In the order of precedence: a better factorization in hand, a gap within the
    /// tolerance, a violation of stationarity, a proved local minimum.
    fn judge(&self, options: &Options) -> Verdict {
        if let Some(local) = self.local.as_ref().filter(|local| local.refuted) {
            return Verdict::Refuted { reason: local.reason.clone() };
        }
        if options.bounds && self.relative_gap() <= options.gap_tolerance {
            return Verdict::Global;
        }
        if self.width_gap().is_some_and(|gap| gap <= options.gap_tolerance) {
            return Verdict::GlobalWidth;
        }
        if let Some(verdict) = self.not_stationary(options) {
            return verdict;
        }
        match &self.local {
            Some(local) if local.certified => Verdict::Local,
            Some(local) => Verdict::Undecided { reason: local.reason.clone() },
            None if options.bounds => Verdict::Undecided {
                reason: format!(
                    "stationary, but the certified relative gap {:.2e} is above the tolerance {:.1e}",
                    self.relative_gap(),
                    options.gap_tolerance
                ),
            },
            None => Verdict::Feasible,
        }
    }

    /// What a violation of stationarity amounts to; `None` where there is none.
    ///
    /// A run that was stopped has not converged, which is no refutation of anything.
    fn not_stationary(&self, options: &Options) -> Option<Verdict> {
        let (name, residual) =
            [("codes", self.kkt.codes), ("dictionary", self.kkt.dictionary), ("center", self.kkt.center)]
                .into_iter()
                .max_by(|l, r| l.1.relative().total_cmp(&r.1.relative()))?;
        if residual.relative() <= options.stationarity_tolerance {
            return None;
        }
        let violation = format!(
            "{name} violate theorem stationarity by {:.2e} of their scale (allowed {:.1e})",
            residual.relative(),
            options.stationarity_tolerance
        );
        Some(match options.stop {
            Some(stop) if stop != Stop::ToleranceMet => {
                Verdict::Undecided { reason: format!("not converged ({}): {violation}", stop.as_str()) }
            }
            _ if residual.violates(options.stationarity_tolerance) => {
                Verdict::Refuted { reason: format!("not stationary: {violation}") }
            }
            _ => Verdict::Undecided { reason: format!("within rounding of stationary: {violation}") },
        })
    }

    /// Whether the exact polar was tried.
    pub(super) fn tried_exact(&self) -> bool {
        self.exact
    }

    /// With a line in place of its own.
    pub(super) fn with_width(self, line: WidthLine) -> Self {
        Self { width: Some(line), ..self }
    }

    /// With a bound of theorem `planar-optimum`, judged again.
    pub(super) fn with_planar(self, bound: PlanarBound, options: &Options) -> Self {
        let mut certificate = Self { planar: Some(bound), ..self };
        certificate.verdict = certificate.judge(options);
        certificate
    }

    /// What is proved of every number of atoms by evidence of theorem `width-bound`.
    #[must_use]
    pub fn width_line(&self) -> Option<WidthLine> {
        self.width
    }

    /// What is proved of a number of atoms where the data lie in a plane.
    #[must_use]
    pub fn planar(&self) -> Option<&PlanarBound> {
        self.planar.as_ref()
    }

    /// A lower bound of the objective of every dictionary of at most `atoms` unit atoms, with
    /// any codes, in the data's units squared: the larger of a line's
    /// ([`WidthLine::base`] less `atoms` times [`WidthLine::price`], where that says more than
    /// [`Certificate::lower_bound`], which is for every number) and of a planar bound of at least
    /// so many atoms. `None` without either.
    ///
    /// # Guarantees
    /// [`width-bound`](crate::proofs::width_bound),
    /// [`planar-optimum`](crate::proofs::planar_optimum), every rounding counted. Not claimed:
    /// that some dictionary comes near it.
    #[must_use]
    pub fn width_bound(&self, atoms: usize) -> Option<Lower> {
        self.bound_of_width(atoms).map(|(lower, _)| lower)
    }

    /// The name of what proves [`Certificate::width_bound`]: `width` or `planar`.
    #[must_use]
    pub fn width_bound_kind(&self, atoms: usize) -> Option<&'static str> {
        self.bound_of_width(atoms).map(|(_, kind)| kind)
    }

    fn bound_of_width(&self, atoms: usize) -> Option<(Lower, &'static str)> {
        let every = self.bound.lower;
        let line = self.width.map(|line| line.at(atoms)).filter(|bound| bound.get() > every.get());
        let planar = self.planar.as_ref().filter(|bound| atoms <= bound.goal.width);
        match (line, planar.map(|bound| bound.lower.best(every))) {
            (Some(line), Some(planar)) if line > planar => Some((line, "width")),
            (_, Some(planar)) => Some((planar, "planar")),
            (line, None) => line.map(|line| (line, "width")),
        }
    }

    /// The relative gap to the planar bound, where that speaks of the point's number of atoms.
    fn width_gap(&self) -> Option<f64> {
        let planar = self.planar.as_ref().filter(|bound| self.statistics.atoms <= bound.goal.width)?;
        Some(relative(gap(self.upper, planar.lower), self.upper.get()))
    }

    /// Objective of the point, as computed.
    #[must_use]
    pub fn objective(&self) -> f64 {
        self.objective
    }

    /// A proved upper bound of the objective of the point.
    #[must_use]
    pub fn upper(&self) -> Upper {
        self.upper
    }

    /// The best certified lower bound of the convex optimum (any width).
    #[must_use]
    pub fn lower_bound(&self) -> Lower {
        self.bound.lower
    }

    /// How the lower bound was proved.
    #[must_use]
    pub fn bound_kind(&self) -> BoundKind {
        self.bound.kind
    }

    /// Certified gap `upper − lower`.
    #[must_use]
    pub fn gap(&self) -> f64 {
        gap(self.upper, self.bound.lower)
    }

    /// Certified relative gap, in units of the proved upper bound: from 0 to 1; 0 when
    /// the objective is exactly 0, not where it underflows.
    #[must_use]
    pub fn relative_gap(&self) -> f64 {
        relative(self.gap(), self.upper.get())
    }

    /// The bound estimated with a heuristic polar: never certified.
    #[must_use]
    pub fn estimate(&self) -> Option<Estimate> {
        self.estimate
    }

    /// Relative gap to the estimated bound; not certified.
    #[must_use]
    pub fn estimated_relative_gap(&self) -> Option<f64> {
        self.estimate.map(|e| relative(max(self.upper.get() - e.lower_bound, 0.0), self.upper.get()))
    }

    /// Stationarity residuals.
    #[must_use]
    pub fn kkt(&self) -> &Kkt {
        &self.kkt
    }

    /// Descriptive figures.
    #[must_use]
    pub fn statistics(&self) -> &Statistics {
        &self.statistics
    }

    /// The test of local optimality, where it was asked for.
    #[must_use]
    pub fn local(&self) -> Option<&LocalSummary> {
        self.local.as_ref()
    }

    /// What is proved, in a word.
    #[must_use]
    pub fn verdict(&self) -> &Verdict {
        &self.verdict
    }
}

/// `gap/upper` for `0 ≤ gap ≤ upper` but for rounding.
fn relative(gap: f64, upper: f64) -> f64 {
    if upper > 0.0 { min(gap / upper, 1.0) } else { 0.0 }
}

impl fmt::Display for Certificate {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        writeln!(f, "verdict              {}", self.verdict)?;
        writeln!(f, "objective            {:.9}", self.objective)?;
        writeln!(
            f,
            "certified bound      {}  ({}; relative gap {:.2e})",
            at_most(self.bound.lower.get(), 9),
            self.bound.kind.as_str(),
            self.relative_gap()
        )?;
        if let (Some(estimate), Some(gap)) = (self.estimate, self.estimated_relative_gap()) {
            writeln!(
                f,
                "estimated bound      {:.9}  (not certified; relative gap {gap:.2e})",
                estimate.lower_bound
            )?;
        }
        writeln!(
            f,
            "stationarity         codes {:.1e}, dictionary {:.1e}, center {:.1e} (relative)",
            self.kkt.codes.relative(),
            self.kkt.dictionary.relative(),
            self.kkt.center.relative()
        )?;
        if let Some(local) = &self.local {
            writeln!(f, "local                {} nested pairs; {}", local.nested_pairs, local.reason)?;
        }
        let s = &self.statistics;
        write!(f, "atoms {}, mean L0 {:.2}", s.atoms, s.mean_l0)?;
        if let Some(coherence) = s.max_coherence {
            write!(f, ", max coherence {coherence:.4}")?;
        }
        if let Some(variance) = s.explained_variance {
            write!(f, ", explained variance {variance:.4}")?;
        }
        writeln!(f)?;
        if let Some(concentration) = s.concentration.filter(Concentration::is_striking) {
            writeln!(f, "{concentration}")?;
        }
        if let Some(planar) = &self.planar {
            let (lower, width) = (planar.lower.get(), planar.goal.width);
            writeln!(
                f,
                "planar bound         {}  (no dictionary of {width} unit atoms does better)",
                at_most(lower, 9)
            )?;
        }
        let claim = match self.verdict {
            Verdict::GlobalWidth => "optimality for other numbers of atoms",
            Verdict::Local => "global optimality for this number of atoms",
            Verdict::Global => "optimality beyond the tolerance",
            Verdict::Rejected { .. }
            | Verdict::Refuted { .. }
            | Verdict::Undecided { .. }
            | Verdict::Feasible => "optimality for this number of atoms",
        };
        write!(f, "not claimed: {claim}")?;
        if self.estimate.is_some() {
            write!(f, "; the estimated bound proves nothing")?;
        }
        Ok(())
    }
}
