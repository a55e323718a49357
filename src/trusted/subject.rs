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
    residuals: Residuals<'a>,
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
    pub fn residuals(&self) -> &Residuals<'a> {
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

#[cfg(test)]
mod tests {
    use super::*;
    use crate::atoms::{Codes, Dictionary};
    use crate::linalg::Matrix;
    use crate::trusted::{Witness, bounds, first_order};

    /// Residuals that are computed wherever they are read prove what those prove that are held.
    #[test]
    #[expect(clippy::cast_precision_loss, reason = "small numbers that fit")]
    fn residuals_need_not_be_held() {
        let wave = |j: usize, i: usize| ((37 * j + 101 * i + 1) as f64 * 0.618).sin();
        let points = Matrix::from_fn(4, 300, |j, i| wave(j, i % 17) + 0.1 * wave(j + 5, i) + 0.2);
        for (gamma, centered) in [(0.1, false), (0.2, true), (0.0, false)] {
            let builder = Problem::builder(points.clone()).lambda(0.3).gamma(gamma);
            let problem = builder.centered(centered).build().unwrap();
            let (dictionary, _) = Dictionary::normalize(points.select_columns(&[0, 3, 9, 27, 81])).unwrap();
            // The last atom has no code.
            let codes = Matrix::from_fn(5, 300, |k, i| {
                if k < 4 && (3 * i + k) % 4 == 0 { 0.1 + 0.05 * ((i + k) % 9) as f64 } else { 0.0 }
            });
            let center = centered.then(|| vec![0.1; 4]);
            let point = Factorization::new(dictionary, Codes::from_dense(&codes).unwrap(), center).unwrap();
            let held = Subject::of(&problem, &point).unwrap();
            let residuals = Residuals::holding(0, &problem, &point).unwrap();
            let primal = objective::primal(&problem, &point, &residuals, &held.uses, &held.moments);
            let read = Subject { residuals, primal, ..held.clone() };
            assert_eq!(read.primal, held.primal);
            assert_eq!(first_order::residuals(&read), first_order::residuals(&held));
            let dual = Some(points.clone());
            for witness in [Witness::none(), Witness { dual, ..Witness::none() }] {
                assert_eq!(bounds::best(&read, &witness), bounds::best(&held, &witness));
            }
        }
    }
}
