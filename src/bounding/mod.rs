//! Which lower bound is searched for, and the search itself.
//!
//! The evidence that a solver leaves behind often proves a bound far below the
//! objective: for γ > 0 one eigenvalue proves it to tens of percent. A better bound
//! needs a search of its own, and the best search depends on the size of the problem.
//! [`Bounding`] names the choices and hands what was found to the checker as a
//! [`Witness`]. Nothing found here is believed: [`certify`](crate::certify) turns the
//! witness into a number.
//!
//! At γ = 0 without a center no search is needed: the closed form is the bound.

mod witness;

use std::fmt;
use std::str::FromStr;

use serde::{Deserialize, Serialize};

use crate::atoms::Factorization;
use crate::certificate::{Certified, Options, Verdict, Witness, certify_observed};
use crate::num::min;
use crate::observer::{Observer, Stop};
use crate::problem::Problem;
use crate::search::escape;
use crate::search::nuclear::Nuclear;
use crate::search::quartic::Quartic;
#[cfg(feature = "sdp")]
use crate::search::relaxation::Semidefinite;
use crate::search::relaxation::{FoundSquares, Proposal, Relaxation, SquareSearch};
use crate::solution::{Solution, SolveError};
use crate::trusted::{BoundKind, Subject, bounds, exact};

pub use witness::location_dual;

/// Most datapoints at which [`Bounding::Auto`] searches for a split: some 15 seconds
/// on two cores. At twice as many a step takes four to eight times as long.
const AUTO_SPLIT_DATAPOINTS: usize = 2000;

/// Most datapoints at which [`Bounding::Auto`] bounds the number of atoms: a minute or two. Beyond
/// [`AUTO_SPLIT_DATAPOINTS`] they are cut into parts.
const AUTO_WIDTH_DATAPOINTS: usize = 10_000;

/// Most datapoints at which [`Bounding::Auto`] takes all steps of a search; a step
/// costs O(N³), a tenth of a second there.
const AUTO_ALL_STEPS: usize = 600;

/// Most datapoints at which [`Bounding::Auto`] takes [`AUTO_SHARE`] of the steps.
const AUTO_SOME_STEPS: usize = 1200;

/// The divisor of the steps between [`AUTO_ALL_STEPS`] and [`AUTO_SOME_STEPS`].
const AUTO_SHARE: usize = 4;

/// Steps beyond [`AUTO_SOME_STEPS`]. The first 30 close most of the gap; ten times as
/// many take minutes.
const AUTO_FEW_STEPS: usize = 30;

/// Most datapoints at which any split is kept that was found when the observer broke: its proof
/// takes a Cholesky factor of N × N or a few, a third of a second there.
const PROVED_LATE: usize = 1000;

/// Most products of fourth moments, N·(n(n+1)/2)², at which [`Bounding::Auto`] tries a quartic form:
/// 10⁵ datapoints in 64 dimensions, half a minute on two cores to sum them twice.
const AUTO_QUARTIC_PRODUCTS: f64 = 5e11;

/// Most products, N m² for m columns, of the proof of a split of squares that was found when the
/// observer broke: a second or two.
const PROVED_SQUARES_LATE: usize = 20_000_000_000;

/// Features of a split of squares for [`Bounding::Relaxation`]: several times the time of what
/// [`Bounding::Auto`] takes, for a tenth less of the gap.
const MANY_FEATURES: usize = 48;

/// Largest dimension at which [`Bounding::Auto`] computes the polar exactly. Each
/// further dimension multiplies the time by the number of cells an axis is cut into.
const AUTO_EXACT_DIM: usize = 3;

/// Most datapoints at which [`Bounding::Auto`] computes the polar exactly: seconds.
const AUTO_EXACT_DATAPOINTS: usize = 200;

/// A larger split is proved after the observer broke too, seconds late, where it promises more by
/// this share of the objective than what is proved already.
const WORTH_PROVING: f64 = 0.01;

/// Most datapoints whose number of atoms is bounded at all.
pub(crate) const MOST_WIDTH_DATAPOINTS: usize = 100_000;

/// How a factorization is bounded from below.
///
/// Every choice bounds the convex problem
///
/// ```math
/// F=\min_{M,\,D,\,Z\ge0,\,b}\ \sum_iw_i\tfrac12\lVert x_i-b-Dz_i\rVert^2
///   +\sum_k\sqrt{\lambda^2\Big(\sum_iw_iz_{ki}\Big)^2+\gamma^2\sum_iw_iz_{ki}^2},
/// ```
///
/// so each number holds for any number of unit atoms.
///
/// # Guarantees
/// The certified bound is at most F, every rounding included, whatever the search
/// found: [`copositive-duality`](crate::proofs::copositive_duality),
/// [`nuclear-bound`](crate::proofs::nuclear_bound),
/// [`quartic-bound`](crate::proofs::quartic_bound),
/// [`square-split`](crate::proofs::square_split) for a split of squares,
/// [`split-certificate`](crate::proofs::split_certificate) for another (its limit is
/// that of [`dnn-bound`](crate::proofs::dnn_bound)),
/// [`cone-branching`](crate::proofs::cone_branching) for the exact polar,
/// [`wide-limit`](crate::proofs::wide_limit) at γ = 0. A larger choice never certifies
/// less than [`Bounding::Fast`]. Not claimed: that a bound is attained, or anything
/// about the best dictionary of a given width beyond `F ≤ F_M`.
///
/// # Cost
/// [`Fast`](Self::Fast) and [`Nuclear`](Self::Nuclear): O(n²N + n³). [`Quartic`](Self::Quartic):
/// O(n⁴N + n⁶), a minute or so at 64 dimensions and 10⁵ datapoints.
/// [`Relaxation`](Self::Relaxation): O(N³) a step, O(N²) memory; for more datapoints than it takes,
/// and in [`Auto`](Self::Auto) beyond 2000, O(N m² + m³) for a split of squares with some hundred
/// products m. [`Exact`](Self::Exact): exponential in the dimension. [`Auto`](Self::Auto): seconds to
/// a minute or two.
///
/// # Examples
/// What the command's `certify` does, from a dictionary and codes made elsewhere:
/// ```
/// use widedict::certificate::Options;
/// use widedict::{Bounding, Codes, Factorization, Matrix, Problem};
/// let x = Matrix::from_columns(2, &[[1.0, 0.0], [0.9, 0.3], [0.1, 1.0]]);
/// let problem = Problem::builder(x).lambda(0.1).gamma(0.1).build()?;
/// let atoms = Matrix::from_columns(2, &[[2.0, 0.2], [0.1, 1.0]]);
/// let (factorization, _) = Factorization::from_foreign(atoms, Codes::zeros(2, 3), None)?;
/// let fast = Bounding::Fast.certify(&problem, factorization.clone(), &Options::default(), &())?;
/// let best = Bounding::Auto.certify(&problem, factorization, &Options::default(), &())?;
/// let (fast, best) = (fast.certified.certificate(), best.certified.certificate());
/// assert!(fast.lower_bound().get() <= best.lower_bound().get());
/// assert!(best.lower_bound().get() <= best.objective());
/// # Ok::<(), Box<dyn std::error::Error>>(())
/// ```
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
#[non_exhaustive]
pub enum Bounding {
    /// No bound.
    None,
    /// One eigenvalue, for any number of datapoints. A solver's nuclear bound stays where a gap is within
    /// the tolerance only with it.
    Fast,
    /// One eigenvalue at the dual point for which it says most, for any number of datapoints.
    Nuclear,
    /// A quartic form beside it, for up to 64 dimensions and any number of datapoints.
    Quartic,
    /// A split found by a first-order search, for up to 4000 datapoints; a split of squares beyond.
    Relaxation,
    /// A split found by a semidefinite program, for up to some 65 datapoints.
    #[cfg(feature = "sdp")]
    Sdp,
    /// The polar itself, for dimensions up to 4 or few datapoints.
    Exact,
    /// The best that takes seconds to a minute or two: the exact polar up to 200 datapoints in three
    /// dimensions, a split up to 2000 datapoints, beyond a split of squares and
    /// [`Quartic`](Self::Quartic) (up to 10⁵ datapoints in 64 dimensions).
    #[default]
    Auto,
}

/// A name that is none of [`Bounding`]'s.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("expected one of {}; found '{found}'", Bounding::ALL.iter().map(|b| b.as_str()).collect::<Vec<_>>().join(", "))]
pub struct UnknownBounding {
    /// The name.
    pub found: String,
}

impl fmt::Display for Bounding {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.as_str())
    }
}

impl FromStr for Bounding {
    type Err = UnknownBounding;

    fn from_str(name: &str) -> Result<Self, Self::Err> {
        let found = Self::ALL.iter().find(|bounding| bounding.as_str() == name).copied();
        found.ok_or_else(|| UnknownBounding { found: name.to_owned() })
    }
}

/// A witness, and why its search fell short of what was asked, if it did.
#[derive(Clone, Debug, PartialEq)]
pub struct Evidence {
    /// What the checker gets.
    pub witness: Witness,
    /// Why the search is not what was asked for.
    pub shortfall: Option<Shortfall>,
}

/// Why a search did less than it was asked for. It is no error: a weaker bound is proved.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub enum Shortfall {
    /// The relaxation takes fewer datapoints: another bound is given, of squares where that is best.
    TooManyDatapoints {
        /// Datapoints of the problem.
        found: usize,
        /// Most datapoints it takes.
        limit: usize,
    },
    /// The quartic bound takes fewer dimensions: the nuclear bound is given.
    TooManyDimensions {
        /// Dimension of the problem.
        found: usize,
        /// Largest it takes.
        limit: usize,
    },
    /// The observer ended the search: what was found by then is given.
    Ended,
    /// The semidefinite program ended before it met its tolerance.
    SemidefiniteStopped(Stop),
}

impl fmt::Display for Shortfall {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::TooManyDatapoints { found, limit } => write!(
                f,
                "the relaxation takes at most {limit} points, found {found}: another bound is given"
            ),
            Self::TooManyDimensions { found, limit } => write!(
                f,
                "the quartic bound takes at most {limit} dimensions, found {found}: the nuclear bound is given"
            ),
            Self::Ended => write!(f, "the search for a bound was ended: what was found by then is given"),
            Self::SemidefiniteStopped(stop) => {
                write!(f, "the semidefinite program ended with {}: its bound is not its best", stop.as_str())
            }
        }
    }
}

/// A factorization with what is proved of it, and from what.
#[derive(Clone, Debug, PartialEq)]
pub struct Bounded {
    /// The factorization with its certificate.
    pub certified: Certified,
    /// What the certificate was made from.
    pub witness: Witness,
    /// Why the search did less than it was asked for.
    pub shortfall: Option<Shortfall>,
}

impl Bounded {
    /// What was proved before, where a gap is within the tolerance only there.
    fn or(self, before: Option<Self>, options: &Options) -> Self {
        let certificate = self.certified.certificate();
        let gap =
            min(certificate.relative_gap(), certificate.estimated_relative_gap().unwrap_or(f64::INFINITY));
        match before.filter(|_| !(gap <= options.gap_tolerance)) {
            Some(before) => Self { certified: before.certified.judged_by(options), ..before },
            None => self,
        }
    }
}

impl Bounding {
    /// Every choice of this build.
    pub const ALL: &'static [Self] = &[
        Self::Auto,
        Self::None,
        Self::Fast,
        Self::Nuclear,
        Self::Quartic,
        Self::Relaxation,
        #[cfg(feature = "sdp")]
        Self::Sdp,
        Self::Exact,
    ];

    /// The name used on the command line and in JSON.
    #[must_use]
    pub fn as_str(self) -> &'static str {
        match self {
            Self::None => "none",
            Self::Fast => "fast",
            Self::Nuclear => "nuclear",
            Self::Quartic => "quartic",
            Self::Relaxation => "relaxation",
            #[cfg(feature = "sdp")]
            Self::Sdp => "sdp",
            Self::Exact => "exact",
            Self::Auto => "auto",
        }
    }

    /// What it is, in a line.
    #[must_use]
    pub fn about(self) -> &'static str {
        match self {
            Self::None => "No bound",
            Self::Fast => "One eigenvalue, any number of datapoints",
            Self::Nuclear => "One eigenvalue at the best dual point, any number of datapoints",
            Self::Quartic => "Fourth moments, up to 64 dimensions, any number of datapoints: for sparse data",
            Self::Relaxation => {
                "A split found by a first-order search: N × N matrices up to 4000 datapoints, squares of features beyond"
            }
            #[cfg(feature = "sdp")]
            Self::Sdp => "A split found by a semidefinite program: up to some 65 datapoints",
            Self::Exact => "The polar itself: dimension up to 4 or few datapoints",
            Self::Auto => "The best that takes seconds to a minute or two",
        }
    }

    /// Whether this choice also searches for a bound of the number of atoms
    /// ([`WidthBound`](crate::solve::width_bound::WidthBound)): `Auto` up to 10 000 datapoints, a
    /// minute or two there; `None`, `Fast`, `Nuclear` and `Quartic` never; the others up to 100 000.
    #[must_use]
    pub fn bounds_width(self, problem: &Problem) -> bool {
        match self {
            Self::None | Self::Fast | Self::Nuclear | Self::Quartic => false,
            Self::Auto => problem.total() <= AUTO_WIDTH_DATAPOINTS,
            #[cfg(feature = "sdp")]
            Self::Sdp => problem.total() <= MOST_WIDTH_DATAPOINTS,
            Self::Relaxation | Self::Exact => problem.total() <= MOST_WIDTH_DATAPOINTS,
        }
    }

    /// Most datapoints that one split of that search holds together, where it is this choice's to say.
    #[must_use]
    pub fn width_whole(self) -> Option<usize> {
        (self == Self::Auto).then_some(AUTO_SPLIT_DATAPOINTS)
    }

    /// Sets what the checker needs to know of this choice: whether there are bounds,
    /// and the limits of the exact polar where it is computed.
    #[must_use]
    pub fn options(self, problem: &Problem, options: Options) -> Options {
        Options { bounds: self != Self::None, exact: self.exact_limits(problem), ..options }
    }

    /// Refuses what cannot be computed, before anything is solved.
    ///
    /// # Errors
    /// [`SolveError::TooLarge`] for a semidefinite program beyond its memory limit.
    pub fn check(self, problem: &Problem) -> Result<(), SolveError> {
        #[cfg(feature = "sdp")]
        if self == Self::Sdp && problem.gamma() > 0.0 {
            return Semidefinite::default().check_size(problem);
        }
        let _ = problem;
        Ok(())
    }

    /// Searches for evidence about a factorization that comes without any: the dual of
    /// the Huber location where a center is learnt, directions of a large polar for the
    /// estimate, and a split where this choice asks for one. The search for a split
    /// stops where the gap it promises is at most `gap_tolerance`, relative to the
    /// objective. An observer may end it; what was found by then counts.
    ///
    /// # Errors
    /// Those of the semidefinite program: [`SolveError::TooLarge`], [`SolveError::Conic`].
    pub fn witness(
        self,
        problem: &Problem,
        factorization: &Factorization,
        gap_tolerance: f64,
        observer: &dyn Observer,
    ) -> Result<Evidence, SolveError> {
        if self == Self::None {
            return Ok(Evidence { witness: Witness::none(), shortfall: None });
        }
        let plain = Witness {
            dual: location_dual(problem, observer),
            directions: Some(witness::directions(problem, factorization, observer)?),
            ..Witness::none()
        };
        self.extend(problem, factorization, plain, gap_tolerance, observer)
    }

    /// Adds the nuclear dual point and a split to a witness, where this choice asks for them and
    /// γ > 0; the witness comes back as it was where none is found. Otherwise as
    /// [`Bounding::witness`].
    ///
    /// # Errors
    /// As [`Bounding::witness`].
    pub fn extend(
        self,
        problem: &Problem,
        factorization: &Factorization,
        witness: Witness,
        gap_tolerance: f64,
        observer: &dyn Observer,
    ) -> Result<Evidence, SolveError> {
        let witness = self.with_nuclear(problem, witness, observer);
        #[cfg(feature = "sdp")]
        if self == Self::Sdp {
            return witness::semidefinite(problem, witness, observer);
        }
        let witness = self.with_squares(problem, factorization, witness, gap_tolerance, observer);
        let witness = self.with_quartic(problem, factorization, witness, observer);
        let Some(relaxation) = self.relaxation(problem, gap_tolerance) else {
            let ended = (self != Self::Fast && observer.poll().is_break()).then_some(Shortfall::Ended);
            return Ok(Evidence { witness, shortfall: self.too_large(problem).or(ended) });
        };
        let limit = relaxation.max_datapoints;
        let shortfall =
            (problem.len() > limit).then_some(Shortfall::TooManyDatapoints { found: problem.len(), limit });
        let found = relaxation.search(problem, factorization, observer);
        // Its proof would begin after the end, with matrices of N × N.
        let late = |found: &Proposal| {
            found.interrupt.is_some()
                && problem.len() > PROVED_LATE
                && !gains(problem, factorization, &witness, found.promised)
        };
        let split = found.filter(|found| !late(found)).map(|found| found.split).or(witness.split);
        let ended = || observer.poll().is_break().then_some(Shortfall::Ended);
        Ok(Evidence { witness: Witness { split, ..witness }, shortfall: shortfall.or_else(ended) })
    }

    /// Whether this choice goes as far as the nuclear dual point or beyond.
    fn searches(self) -> bool {
        !matches!(self, Self::None | Self::Fast)
    }

    /// Drops the nuclear dual point, where a choice does not go as far.
    fn without_nuclear(self, witness: Witness) -> Witness {
        if self.searches() { witness } else { Witness { nuclear: None, ..witness } }
    }

    /// Adds the nuclear dual point, where a choice beyond [`Bounding::Fast`] lacks it.
    fn with_nuclear(self, problem: &Problem, witness: Witness, observer: &dyn Observer) -> Witness {
        if !self.searches() || witness.nuclear.is_some() {
            return witness;
        }
        let nuclear = Nuclear::default().search(problem, observer).map(|found| found.map);
        Witness { nuclear, ..witness }
    }

    /// Adds the quartic form, where a choice asks for one: [`Bounding::Auto`] beyond the datapoints
    /// that it searches a split for. It costs seconds to find and seconds to prove, so one
    /// that the observer cut short, or that promises less than the other bounds, is left out.
    fn with_quartic(
        self,
        problem: &Problem,
        factorization: &Factorization,
        witness: Witness,
        observer: &dyn Observer,
    ) -> Witness {
        #[expect(clippy::cast_precision_loss, reason = "an estimate of work")]
        let (pairs, len) = ((problem.dim() * (problem.dim() + 1) / 2) as f64, problem.total() as f64);
        let few = len * pairs * pairs <= AUTO_QUARTIC_PRODUCTS;
        let auto = self == Self::Auto && problem.total() > AUTO_SPLIT_DATAPOINTS && few;
        let asked = auto || self == Self::Quartic;
        if !asked || witness.quartic.is_some() {
            return witness;
        }
        let known = Subject::of(problem, factorization).map(|subject| bounds::best(&subject, &witness));
        let known = known.map_or(0.0, |bound| bound.lower.get());
        let atoms = factorization.dictionary().matrix();
        let found = Quartic::default().search(problem, atoms, known, observer);
        let worth = found.filter(|found| found.interrupt.is_none() && found.promised > known);
        Witness { quartic: worth.map(|found| found.witness), ..witness }
    }

    /// What this choice asks for and the problem's size does not allow.
    fn too_large(self, problem: &Problem) -> Option<Shortfall> {
        let (found, limit) = (problem.dim(), Quartic::default().max_dim);
        let quartic = self == Self::Quartic && problem.gamma() > 0.0 && found > limit;
        quartic.then_some(Shortfall::TooManyDimensions { found, limit })
    }

    /// Adds a split of squares, where this choice asks for a split and there are more datapoints
    /// than it takes for one of N × N.
    fn with_squares(
        self,
        problem: &Problem,
        factorization: &Factorization,
        witness: Witness,
        gap_tolerance: f64,
        observer: &dyn Observer,
    ) -> Witness {
        let beyond = match self {
            Self::Auto => problem.total() > AUTO_SPLIT_DATAPOINTS,
            Self::Relaxation => problem.total() > Relaxation::default().max_datapoints,
            #[cfg(feature = "sdp")]
            Self::Sdp => false,
            Self::None | Self::Fast | Self::Nuclear | Self::Quartic | Self::Exact => false,
        };
        let (Some(nuclear), true) = (&witness.nuclear, beyond && problem.gamma() > 0.0) else {
            return witness;
        };
        let Ok(subject) = Subject::of(problem, factorization) else { return witness };
        let (objective, have) = (subject.primal().value(), bounds::nuclear(&subject, nuclear));
        if have.is_some_and(|bound| objective - bound.lower.get() <= gap_tolerance * objective) {
            return witness;
        }
        let all = SquareSearch::default();
        let max_features = if self == Self::Auto { all.max_features } else { MANY_FEATURES };
        let search = SquareSearch { gap_tolerance, max_features, ..all };
        let found = search.search(problem, nuclear, objective, observer);
        // Its proof would begin after the end.
        let late = |found: &FoundSquares| {
            let columns = found.squares.dual.ncols();
            found.interrupt.is_some() && problem.total() * columns * columns > PROVED_SQUARES_LATE
        };
        let squares = found.filter(|found| !late(found)).map(|found| found.squares);
        let squares = squares.or_else(|| witness.squares.clone());
        Witness { squares, ..witness }
    }

    /// Searches for evidence and certifies: `options` with what this choice sets.
    ///
    /// # Errors
    /// As [`Bounding::witness`]; [`SolveError::Certify`] where the factorization does not
    /// belong to the problem.
    pub fn certify(
        self,
        problem: &Problem,
        factorization: Factorization,
        options: &Options,
        observer: &dyn Observer,
    ) -> Result<Bounded, SolveError> {
        let options = self.options(problem, *options);
        let Evidence { mut witness, shortfall } =
            self.witness(problem, &factorization, options.gap_tolerance, observer)?;
        witness.curvature =
            options.local.and_then(|limits| escape::curvature(problem, &factorization, &limits, observer));
        let certified = certify_observed(problem, factorization, &witness, &options, observer)?;
        Ok(Bounded { certified, witness, shortfall })
    }

    /// Certifies a solver's factorization again: from the solver's witness and from what this
    /// choice searches for, where the gap is above the tolerance or the solver has only the
    /// nuclear bound and this choice goes beyond it.
    ///
    /// Where the observer has broken, or there is nothing to search for, the solver's certificate is
    /// judged by the options, and nothing is computed but the bound, where this choice leaves the nuclear
    /// dual point out. Where a gap is within the tolerance only with that, it stays: it is what ended the
    /// run. A solution of γ = 0 that is proved optimal comes back as it is: certifying it again would
    /// cost more than solving did and change nothing.
    ///
    /// # Errors
    /// As [`Bounding::certify`].
    pub fn bound(
        self,
        problem: &Problem,
        solution: Solution,
        options: &Options,
        observer: &dyn Observer,
    ) -> Result<Bounded, SolveError> {
        let Solution { certified, witness, stop, .. } = solution;
        let options = self.options(problem, Options { stop: Some(stop), ..*options });
        let gap = certified.certificate().relative_gap();
        let proved = *certified.certificate().verdict() == Verdict::Global && gap <= options.gap_tolerance;
        if observer.poll().is_break() {
            return Ok(Bounded { certified: certified.judged_by(&options), witness, shortfall: None });
        }
        if problem.gamma() == 0.0 && proved && options.bounds && options.local.is_none() {
            return Ok(Bounded { certified, witness, shortfall: None });
        }
        // A solver brings the nuclear dual point with it: what goes beyond it searches all the same.
        let beyond = certified.certificate().bound_kind() == BoundKind::Nuclear && self != Self::Nuclear;
        let given = certified.certificate();
        // There is no estimate where a certificate was cut short, or beside a better bound.
        let (bounded, estimated) = (given.bound_kind() != BoundKind::None, given.estimate().is_some());
        let nuclear = self == Self::Nuclear && given.bound_kind() == BoundKind::Nuclear && estimated;
        let search = self.searches() && !nuclear && (gap > options.gap_tolerance || beyond);
        let dropped = !self.searches() && witness.nuclear.is_some();
        let more = options.local.is_some() || options.exact.is_some() || options.planar.is_some();
        // The nuclear bound may be what ended the run.
        let ended = given.bound_kind() == BoundKind::Nuclear && gap <= options.gap_tolerance;
        let before = (dropped && ended && options.bounds && !more).then(|| Bounded {
            certified: certified.clone(),
            witness: witness.clone(),
            shortfall: None,
        });
        let witness = self.without_nuclear(witness);
        // Nothing is asked for but bounds from evidence that the solver had: all else would be the same.
        if !search && !more {
            if !options.bounds || (bounded && !dropped) {
                return Ok(Bounded { certified: certified.judged_by(&options), witness, shortfall: None });
            }
            if bounded && estimated {
                let certified = certified.bounded_by(problem, &witness, &options)?;
                return Ok(Bounded { certified, witness, shortfall: None }.or(before, &options));
            }
        }
        let Evidence { mut witness, shortfall } = if search {
            self.extend(problem, certified.solution(), witness, options.gap_tolerance, observer)?
        } else {
            Evidence { witness, shortfall: None }
        };
        let factorization = certified.into_parts().0;
        if let Some(limits) = options.local {
            witness.curvature = escape::curvature(problem, &factorization, &limits, observer);
        }
        let certified = certify_observed(problem, factorization, &witness, &options, observer)?;
        Ok(Bounded { certified, witness, shortfall }.or(before, &options))
    }

    /// Whether this choice searches for a split of the problem, γ aside, and where it does, whether
    /// it takes all steps of the search.
    pub(crate) fn splits(self, problem: &Problem) -> (bool, bool) {
        let (len, limits) = (problem.total(), Relaxation::default());
        match self {
            Self::None | Self::Fast | Self::Nuclear | Self::Quartic => (false, false),
            Self::Auto => (len <= AUTO_SPLIT_DATAPOINTS, len <= AUTO_ALL_STEPS),
            Self::Relaxation => (len <= limits.max_datapoints, len <= AUTO_ALL_STEPS),
            #[cfg(feature = "sdp")]
            Self::Sdp => (true, true),
            Self::Exact => (true, true),
        }
    }

    /// The limits of the exact polar, where it is asked for or cheap.
    fn exact_limits(self, problem: &Problem) -> Option<exact::Limits> {
        let few = problem.total() <= AUTO_EXACT_DATAPOINTS && !problem.share().is_spread();
        let cheap = problem.dim() <= AUTO_EXACT_DIM && few;
        (self == Self::Exact || (self == Self::Auto && cheap)).then(exact::Limits::default)
    }

    /// The first-order search for a split, where this choice asks for one.
    fn relaxation(self, problem: &Problem, gap_tolerance: f64) -> Option<Relaxation> {
        let all = Relaxation { gap_tolerance, ..Relaxation::default() };
        let few = problem.total() <= AUTO_SPLIT_DATAPOINTS && !problem.share().is_spread();
        let auto = self == Self::Auto && few;
        if problem.gamma() == 0.0 || !(auto || self == Self::Relaxation) {
            return None;
        }
        Some(if auto {
            Relaxation { max_iterations: auto_steps(problem.len(), all.max_iterations), ..all }
        } else {
            all
        })
    }
}

/// Steps of [`Bounding::Auto`]'s search, of `all`.
fn auto_steps(datapoints: usize, all: usize) -> usize {
    if datapoints <= AUTO_ALL_STEPS {
        all
    } else if datapoints <= AUTO_SOME_STEPS {
        all / AUTO_SHARE
    } else {
        AUTO_FEW_STEPS
    }
}

/// Whether a promised bound is above what a witness proves by [`WORTH_PROVING`].
fn gains(problem: &Problem, factorization: &Factorization, witness: &Witness, promised: f64) -> bool {
    Subject::of(problem, factorization).is_ok_and(|subject| {
        let proved = bounds::best(&subject, witness).lower.get();
        promised - proved > WORTH_PROVING * subject.primal().value()
    })
}
