//! The problem: validated data with weights, the penalty, an optional center,
//! and the objective, defined here and nowhere else.

mod data;
mod lambda;

pub(crate) use data::check_entries;
pub use data::{Data, DataError};
pub use lambda::Lambda;

use crate::gauge::{Gauge, Penalty, PenaltyError};
use crate::linalg::Datapoints;
use crate::reduce::Share;

/// Why a problem could not be built.
#[derive(Debug, Clone, PartialEq, thiserror::Error)]
#[non_exhaustive]
pub enum ProblemError {
    /// The data or the weights are not usable.
    #[error(transparent)]
    Data(#[from] DataError),
    /// The penalties are not usable.
    #[error(transparent)]
    Penalty(#[from] PenaltyError),
}

/// One instance of the joint problem: data, weights, λ, γ, and whether a center
/// is learnt.
///
/// ```math
/// \min_{D,\,Z\ge 0,\,b}\ \sum_i w_i\,\tfrac12\lVert x_i-b-Dz_i\rVert^2
///   +\sum_k \lVert d_k\rVert\, g(z_k),\qquad
///   g(z)=\sqrt{\lambda^2(\textstyle\sum_i w_iz_i)^2+\gamma^2\sum_i w_iz_i^2}.
/// ```
///
/// With the number of atoms free this is convex in `W = DZ` (theorem
/// [`lift-exact`](crate::proofs::lift_exact)). At γ = 0 it is the objective of a vanilla sparse autoencoder
/// with exact codes; the atom price γ goes beyond the source paper.
///
/// # Examples
/// ```
/// use widedict::{Matrix, Problem};
/// let x = Matrix::from_columns(2, &[[1.0, 0.0], [0.0, 1.0]]);
/// let problem = Problem::builder(x).lambda(0.3).gamma(0.1).build()?;
/// assert_eq!((problem.dim(), problem.len()), (2, 2));
/// # Ok::<(), widedict::ProblemError>(())
/// ```
#[derive(Clone, Debug, PartialEq)]
pub struct Problem {
    data: Data,
    penalty: Penalty,
    centered: bool,
}

/// Collects the parts of a [`Problem`]; everything is validated in
/// [`build`](ProblemBuilder::build) and only there.
#[derive(Clone, Debug)]
#[must_use]
pub struct ProblemBuilder {
    datapoints: Datapoints,
    weights: Option<Vec<f64>>,
    share: Option<Share>,
    lambda: f64,
    gamma: f64,
    centered: bool,
}

impl Problem {
    /// Starts a problem over `datapoints`, n × N with a datapoint a column: a
    /// [`Matrix`](crate::Matrix), or [`Datapoints`] of numbers that are narrower. Those are held as
    /// they are and widened where they are computed with, which rounds nothing: the answer has the
    /// same bytes, and what is proved is proved of the numbers as stored.
    ///
    /// Defaults: weights 1/N, λ = γ = 0 (one must be set), no center.
    pub fn builder(datapoints: impl Into<Datapoints>) -> ProblemBuilder {
        ProblemBuilder {
            datapoints: datapoints.into(),
            weights: None,
            share: None,
            lambda: 0.0,
            gamma: 0.0,
            centered: false,
        }
    }

    /// The data and weights.
    #[must_use]
    pub fn data(&self) -> &Data {
        &self.data
    }

    /// λ and γ.
    #[must_use]
    pub fn penalty(&self) -> Penalty {
        self.penalty
    }

    /// The L1 penalty λ.
    #[must_use]
    #[doc(alias = "l1_coefficient")]
    #[doc(alias = "alpha")]
    pub fn lambda(&self) -> f64 {
        self.penalty.lambda()
    }

    /// The atom price γ.
    #[must_use]
    pub fn gamma(&self) -> f64 {
        self.penalty.gamma()
    }

    /// Whether the center b is a variable (else it is 0).
    #[must_use]
    pub fn centered(&self) -> bool {
        self.centered
    }

    /// Number of datapoints N; of those here, where they are spread over ranks.
    #[must_use]
    #[expect(clippy::len_without_is_empty, reason = "a problem has at least one datapoint")]
    pub fn len(&self) -> usize {
        self.data.len()
    }

    /// Number of datapoints of all ranks: N.
    #[must_use]
    pub fn total(&self) -> usize {
        self.data.total()
    }

    /// Which datapoints are here, and sums over those of all ranks.
    #[must_use]
    pub fn share(&self) -> &Share {
        self.data.share()
    }

    /// Dimension n of the data space.
    #[must_use]
    #[doc(alias = "d_in")]
    pub fn dim(&self) -> usize {
        self.data.dim()
    }

    /// The gauge of this problem's code rows, in whitened variables.
    #[must_use]
    pub fn gauge(&self) -> Gauge<'_> {
        Gauge::spread(self.data.sqrt_weights(), self.penalty, self.data.share())
    }

    /// The same problem at other penalties.
    ///
    /// # Errors
    /// [`PenaltyError`] as for [`ProblemBuilder::build`].
    pub fn with_penalty(&self, lambda: f64, gamma: f64) -> Result<Self, PenaltyError> {
        Ok(Self { penalty: Penalty::new(lambda, gamma)?, ..self.clone() })
    }

    /// A problem of some of the datapoints, with weights in the proportions they have here.
    pub(crate) fn part(&self, datapoints: &[usize]) -> ProblemBuilder {
        let weights = self.data.weights();
        Self::builder(self.data.datapoints().select_columns(datapoints))
            .weights(datapoints.iter().map(|&i| weights[i]).collect())
            .lambda(self.lambda())
            .gamma(self.gamma())
            .centered(self.centered())
    }
}

impl ProblemBuilder {
    /// Sets λ ≥ 0, the price of a unit of code (half an SAE's L1 coefficient
    /// when its loss has no ½).
    pub fn lambda(mut self, lambda: f64) -> Self {
        self.lambda = lambda;
        self
    }

    /// Sets γ ≥ 0, the price of holding an atom per unit of its RMS activation.
    pub fn gamma(mut self, gamma: f64) -> Self {
        self.gamma = gamma;
        self
    }

    /// Sets the weights, one a datapoint, positive; they are normalized to sum 1.
    pub fn weights(mut self, weights: Vec<f64>) -> Self {
        self.weights = Some(weights);
        self
    }

    /// Makes datapoints and weights those of one rank, a part of all. All ranks build alike.
    ///
    /// What speaks of a problem as a whole asks all ranks: objective, stationarity, the bounds
    /// that need no matrix of N × N, codes, [`ColumnGeneration`](crate::ColumnGeneration) and
    /// [`Finite`](crate::Finite) at γ = 0. What needs all datapoints in one place proves nothing of
    /// a part: the exact polar, a split, the bounds of a width, the boundary, the local test.
    /// Anything else must not be asked of a part, and ranks that do not build or call alike wait
    /// for each other for ever: observers are to be wrapped in [`Agreed`](crate::reduce::Agreed).
    pub fn spread(mut self, share: Share) -> Self {
        self.share = Some(share);
        self
    }

    /// Makes the center b a variable.
    pub fn centered(mut self, centered: bool) -> Self {
        self.centered = centered;
        self
    }

    /// Validates everything.
    ///
    /// # Errors
    /// [`DataError`] for empty, non-finite or overflowing data and for weights
    /// of the wrong number or not positive; [`PenaltyError`] unless λ, γ are
    /// finite, ≥ 0 and not both 0. Each names the entry and its value.
    pub fn build(self) -> Result<Problem, ProblemError> {
        let penalty = Penalty::new(self.lambda, self.gamma)?;
        let data = Data::new(self.datapoints, self.weights, self.share)?;
        Ok(Problem { data, penalty, centered: self.centered })
    }
}
