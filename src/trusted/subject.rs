//! The subject of an audit: what every check reads, computed once and handed around.

use super::objective::{self, Objective};
use super::residuals::Residuals;
use super::witness::WitnessError;
use crate::atoms::{AtomsError, Factorization};
use crate::gauge::Moments;
use crate::linalg::Row;
use crate::problem::Problem;

/// A factorization of a problem's data with its residuals, code rows, their moments and
/// its objective.
///
/// # Examples
/// ```
/// use widedict::trusted::{Subject, first_order};
/// use widedict::{Matrix, Problem, wide};
/// let problem = Problem::builder(Matrix::from_columns(2, &[[3.0, 0.0], [0.0, 1.0]])).lambda(0.5).build()?;
/// let solution = wide::closed_form(&problem)?;
/// let subject = Subject::of(&problem, solution.certified.solution())?;
/// assert!(subject.primal().lower.get() <= subject.primal().upper.get());
/// assert!(first_order::residuals(&subject).relative() < 1e-12);
/// # Ok::<(), Box<dyn std::error::Error>>(())
/// ```
#[derive(Clone, Debug)]
pub struct Subject<'a> {
    problem: &'a Problem,
    factorization: &'a Factorization,
    residuals: Residuals,
    rows: Vec<Row>,
    moments: Vec<Moments>,
    uses: Vec<usize>,
    primal: Objective,
}

/// Why a factorization cannot be audited: it does not belong to the problem.
#[derive(Debug, Clone, PartialEq, thiserror::Error)]
#[non_exhaustive]
pub enum CertifyError {
    /// Shapes or entries that do not fit the problem.
    #[error(transparent)]
    Atoms(#[from] AtomsError),
    /// A witness of another shape.
    #[error(transparent)]
    Witness(#[from] WitnessError),
    /// The factorization is so large that its objective overflows.
    #[error("the objective of the factorization is not finite")]
    Overflow,
}

impl<'a> Subject<'a> {
    /// Computes what the checks share. O(n·nnz + nN) time, O(nN + nnz) memory.
    ///
    /// # Errors
    /// [`CertifyError::Atoms`] where shapes do not fit, [`CertifyError::Overflow`] where
    /// the objective is not finite.
    pub fn of(problem: &'a Problem, factorization: &'a Factorization) -> Result<Self, CertifyError> {
        let residuals = Residuals::of(problem, factorization)?;
        let rows = factorization.codes().rows();
        let moments = Moments::of_rows(problem.share(), problem.data().weights(), &rows);
        let uses = objective::uses(problem, &rows);
        let primal = objective::primal(problem, factorization, &residuals, &uses, &moments);
        if !primal.upper.get().is_finite() {
            return Err(CertifyError::Overflow);
        }
        Ok(Self { problem, factorization, residuals, rows, moments, uses, primal })
    }

    /// The problem.
    #[must_use]
    pub fn problem(&self) -> &'a Problem {
        self.problem
    }

    /// The factorization (D, Z, b).
    #[must_use]
    pub fn factorization(&self) -> &'a Factorization {
        self.factorization
    }

    /// Its residuals.
    #[must_use]
    pub fn residuals(&self) -> &Residuals {
        &self.residuals
    }

    /// One code row an atom.
    #[must_use]
    pub fn rows(&self) -> &[Row] {
        &self.rows
    }

    /// Mass and energy of every code row.
    #[must_use]
    pub fn moments(&self) -> &[Moments] {
        &self.moments
    }

    /// How many datapoints use each atom, of all ranks where these are one rank's.
    #[must_use]
    pub fn uses(&self) -> &[usize] {
        &self.uses
    }

    /// `g(z_k)` of atom `k`, as computed.
    #[must_use]
    pub fn price(&self, k: usize) -> f64 {
        self.problem.penalty().price(self.moments[k])
    }

    /// Whether another factorization's objective is *proved* lower, every rounding
    /// included. False where it does not belong to the problem.
    #[must_use]
    pub fn is_above(&self, other: &Factorization) -> bool {
        Subject::of(self.problem, other).is_ok_and(|other| other.primal.upper.get() < self.primal.lower.get())
    }

    /// The objective, enclosed.
    #[must_use]
    pub fn primal(&self) -> Objective {
        self.primal
    }
}
