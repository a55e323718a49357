//! What a search hands over as evidence.

use super::copositive::{Origin, Split};
use super::quartic::QuarticForm;
use super::squares::Squares;
use crate::atoms::Factorization;
use crate::linalg::Matrix;
use crate::problem::Problem;

/// Evidence for a certificate. Nothing in it is believed: the checker turns each part into
/// a number of its own, and a part that proves nothing is passed over.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Witness {
    /// A dual point, unwhitened columns rᵢ (n × N). The residuals of the factorization
    /// itself are always tried too.
    pub dual: Option<Matrix>,
    /// Directions at which the polar of the residuals may be large (n × any):
    /// they give the *estimated* bound, never a certified one.
    pub directions: Option<Matrix>,
    /// A dual point with the entrywise nonnegative part of a split
    /// (theorem `split-certificate`); used where γ > 0.
    pub split: Option<Split>,
    /// A dual point that is an affine map of the data, `[B | q]` for `rᵢ = B xᵢ + q`:
    /// n × (n + 1) (theorem `nuclear-bound`); used where γ > 0.
    pub nuclear: Option<Matrix>,
    /// A dual point in few dimensions with what proves its quartic form (theorem
    /// `quartic-bound`); used where λ and γ are positive.
    pub quartic: Option<QuarticForm>,
    /// A dual point and a split made of squares, for any number of datapoints
    /// (theorem `square-split`); used where γ > 0.
    pub squares: Option<Squares>,
    /// A dual point and a split for the bound that knows the number of atoms
    /// (theorem `width-bound`); used where γ = 0 and the center is fixed.
    pub width: Option<WidthSplit>,
    /// What a search around the factorization met: for the test of local optimality.
    pub curvature: Option<Curvature>,
}

/// A witness of [`width::line`](super::width::line).
#[derive(Clone, Debug, PartialEq)]
pub struct WidthSplit {
    /// A dual point, unwhitened columns rᵢ (n × N), some longer than λ.
    pub dual: Matrix,
    /// T₀ of each part of the datapoints, read as in [`Split::slack`]; where it is missing, only
    /// cones are cut, in few dimensions.
    ///
    /// With r rows (and N columns) there are `p = ⌈N/r⌉` parts: datapoints i and j are of the same
    /// if `i ≡ j mod p`, and their entry is in row `⌊i/p⌋` of column j. N rows make one part of all.
    pub slack: Option<Matrix>,
}

impl WidthSplit {
    /// How many parts the datapoints are cut into by a slack of so many rows.
    #[must_use]
    pub fn parts(len: usize, rows: usize) -> usize {
        len.div_ceil(rows.max(1)).max(1)
    }
}

/// What a search for directions of negative curvature met.
#[derive(Clone, Debug, PartialEq)]
pub struct Curvature {
    /// A Ritz value: the smallest eigenvalue of the second-order form, from above, in the
    /// units of [`Local`](super::local::Local). The proof is tried below it.
    pub smallest: f64,
    /// A factorization that may have a lower objective.
    pub better: Option<Factorization>,
}

/// A part of a witness of another shape than the problem's.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[error("witness {part}: expected {expected:?}, found {found:?}")]
pub struct WitnessError {
    /// `dual`, `directions`, `split dual`, `split slack`, `nuclear map`, `quartic map`, `quartic form`,
    /// `squares features`, `squares forms`, `squares dual`, `width dual` or `width slack`.
    pub part: &'static str,
    /// Rows and columns asked for (0 where any number is accepted).
    pub expected: (usize, usize),
    /// Rows and columns found.
    pub found: (usize, usize),
}

impl Witness {
    /// No evidence: an audit of the bare factorization.
    #[must_use]
    pub fn none() -> Self {
        Self::default()
    }

    /// One of its matrices.
    #[must_use]
    pub fn part(&self, part: Part) -> Option<&Matrix> {
        match part {
            Part::Dual => self.dual.as_ref(),
            Part::Directions => self.directions.as_ref(),
            Part::SplitDual => self.split.as_ref().map(|split| &split.dual),
            Part::SplitSlack => self.split.as_ref().map(|split| &split.slack),
            Part::Nuclear => self.nuclear.as_ref(),
            Part::QuarticMap => self.quartic.as_ref().map(|quartic| &quartic.map),
            Part::QuarticForm => self.quartic.as_ref().map(|quartic| &quartic.form),
            Part::SquaresFeatures => self.squares.as_ref().map(|squares| &squares.features),
            Part::SquaresForms => self.squares.as_ref().map(|squares| &squares.forms),
            Part::SquaresDual => self.squares.as_ref().map(|squares| &squares.dual),
            Part::WidthDual => self.width.as_ref().map(|split| &split.dual),
            Part::WidthSlack => self.width.as_ref().and_then(|split| split.slack.as_ref()),
        }
    }

    /// A witness from matrices that were saved; a split needs both of its own and who
    /// proposed it.
    ///
    /// # Errors
    /// Those of `read`.
    pub fn from_parts<E>(
        mut read: impl FnMut(Part) -> Result<Option<Matrix>, E>,
        origin: Option<Origin>,
    ) -> Result<Self, E> {
        let split = match (read(Part::SplitDual)?, read(Part::SplitSlack)?, origin) {
            (Some(dual), Some(slack), Some(origin)) => Some(Split { dual, slack, origin }),
            _ => None,
        };
        let (width, slack) = (read(Part::WidthDual)?, read(Part::WidthSlack)?);
        let width = width.map(|dual| WidthSplit { dual, slack });
        let (dual, directions) = (read(Part::Dual)?, read(Part::Directions)?);
        let nuclear = read(Part::Nuclear)?;
        let quartic = match (read(Part::QuarticMap)?, read(Part::QuarticForm)?) {
            (Some(map), Some(form)) => Some(QuarticForm { map, form }),
            _ => None,
        };
        let squares = [Part::SquaresFeatures, Part::SquaresForms, Part::SquaresDual];
        let squares = match (read(squares[0])?, read(squares[1])?, read(squares[2])?) {
            (Some(features), Some(forms), Some(dual)) => Some(Squares { features, forms, dual }),
            _ => None,
        };
        Ok(Self { dual, directions, split, nuclear, quartic, squares, width, curvature: None })
    }

    /// Checks the shapes of all parts.
    ///
    /// # Errors
    /// [`WitnessError`], naming the first part that does not fit.
    pub fn check(&self, problem: &Problem) -> Result<(), WitnessError> {
        for part in Part::ALL {
            let Some(matrix) = self.part(part) else { continue };
            let (expected, found) = (part.shape(problem), (matrix.nrows(), matrix.ncols()));
            let other = |expected: usize, found: usize| expected != 0 && found != expected;
            if other(expected.0, found.0) || other(expected.1, found.1) {
                return Err(WitnessError { part: part.name(), expected, found });
            }
        }
        Ok(())
    }
}

/// The matrices of a witness: checked, digested in records and saved by these names.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Part {
    /// [`Witness::dual`].
    Dual,
    /// [`Witness::directions`].
    Directions,
    /// The dual point of [`Witness::split`].
    SplitDual,
    /// The nonnegative part of [`Witness::split`].
    SplitSlack,
    /// [`Witness::nuclear`].
    Nuclear,
    /// The dual point of [`Witness::quartic`].
    QuarticMap,
    /// What [`Witness::quartic`] adds to its form.
    QuarticForm,
    /// The features of [`Witness::squares`].
    SquaresFeatures,
    /// The matrices J of [`Witness::squares`].
    SquaresForms,
    /// The dual point of [`Witness::squares`].
    SquaresDual,
    /// The dual point of [`Witness::width`].
    WidthDual,
    /// The nonnegative part of [`Witness::width`].
    WidthSlack,
}

impl Part {
    /// Every part.
    pub const ALL: [Self; 12] = [
        Self::Dual,
        Self::Directions,
        Self::SplitDual,
        Self::SplitSlack,
        Self::Nuclear,
        Self::QuarticMap,
        Self::QuarticForm,
        Self::SquaresFeatures,
        Self::SquaresForms,
        Self::SquaresDual,
        Self::WidthDual,
        Self::WidthSlack,
    ];

    /// Its name in messages.
    #[must_use]
    pub fn name(self) -> &'static str {
        match self {
            Self::Dual => "dual",
            Self::Directions => "directions",
            Self::SplitDual => "split dual",
            Self::SplitSlack => "split slack",
            Self::Nuclear => "nuclear map",
            Self::QuarticMap => "quartic map",
            Self::QuarticForm => "quartic form",
            Self::SquaresFeatures => "squares features",
            Self::SquaresForms => "squares forms",
            Self::SquaresDual => "squares dual",
            Self::WidthDual => "width dual",
            Self::WidthSlack => "width slack",
        }
    }

    /// Its name in records and files.
    #[must_use]
    pub fn key(self) -> &'static str {
        match self {
            Self::Dual => "dual",
            Self::Directions => "directions",
            Self::SplitDual => "split_dual",
            Self::SplitSlack => "split_slack",
            Self::Nuclear => "nuclear",
            Self::QuarticMap => "quartic_map",
            Self::QuarticForm => "quartic_form",
            Self::SquaresFeatures => "squares_features",
            Self::SquaresForms => "squares_forms",
            Self::SquaresDual => "squares_dual",
            Self::WidthDual => "width_dual",
            Self::WidthSlack => "width_slack",
        }
    }

    /// Its name where a record is compared.
    #[must_use]
    pub fn in_records(self) -> &'static str {
        match self {
            Self::Dual => "witness dual",
            Self::Directions => "witness directions",
            Self::SplitDual => "witness split dual",
            Self::SplitSlack => "witness split slack",
            Self::Nuclear => "witness nuclear map",
            Self::QuarticMap => "witness quartic map",
            Self::QuarticForm => "witness quartic form",
            Self::SquaresFeatures => "witness squares features",
            Self::SquaresForms => "witness squares forms",
            Self::SquaresDual => "witness squares dual",
            Self::WidthDual => "witness width dual",
            Self::WidthSlack => "witness width slack",
        }
    }

    /// Whether a certified number may rest on it. The estimate's directions prove nothing.
    #[must_use]
    pub fn proves(self) -> bool {
        self != Self::Directions
    }

    /// Rows and columns for a problem (0 where any number is accepted).
    fn shape(self, problem: &Problem) -> (usize, usize) {
        match self {
            Self::Dual | Self::SplitDual | Self::WidthDual => (problem.dim(), problem.len()),
            Self::Directions | Self::SquaresDual => (problem.dim(), 0),
            Self::SquaresFeatures => (0, problem.dim() + 1),
            Self::SquaresForms => (0, 0),
            Self::Nuclear => (problem.dim(), problem.dim() + 1),
            Self::QuarticMap => (problem.dim() + 1, 0),
            Self::QuarticForm => {
                let pairs = problem.dim() * (problem.dim() + 1) / 2;
                (pairs, pairs)
            }
            Self::SplitSlack => (problem.len(), problem.len()),
            Self::WidthSlack => (0, problem.len()),
        }
    }
}
