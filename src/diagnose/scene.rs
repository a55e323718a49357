//! What every part of a diagnosis looks at: a factorization with its residuals.

use super::DiagnoseError;
use crate::atoms::{AtomsError, Dictionary, Factorization, check_center};
use crate::linalg::{Columns, Matrix, Row, axpy, fold_tiles};
use crate::num::max;
use crate::observer::{Latch, Observer};
use crate::problem::Problem;

/// A factorization of the problem's data, with what all parts need of it.
#[derive(Clone, Copy)]
pub(super) struct Scene<'a> {
    pub(super) problem: &'a Problem,
    pub(super) factorization: &'a Factorization,
    /// `xᵢ − b − Dzᵢ`.
    pub(super) residuals: &'a Matrix,
    /// Rows of the codes: the datapoints that use an atom.
    pub(super) rows: &'a [Row],
    pub(super) lambda: f64,
    /// Stops every part once the caller asks for it.
    pub(super) latch: &'a Latch<'a>,
}

impl Scene<'_> {
    pub(super) fn atom(&self, k: usize) -> &[f64] {
        self.factorization.dictionary().atom(k)
    }

    pub(super) fn weights(&self) -> &[f64] {
        self.problem.data().weights()
    }

    /// Number of datapoints.
    pub(super) fn len(&self) -> usize {
        self.problem.len()
    }

    /// `s_k = Σᵢ wᵢz_ki`.
    pub(super) fn mass(&self, k: usize) -> f64 {
        self.rows[k].iter().map(|(i, z)| self.weights()[i] * z).sum()
    }

    /// Whether the caller lets the run go on.
    pub(super) fn goes_on(&self) -> bool {
        self.latch.poll().is_continue()
    }
}

/// The problem of the data less a fixed center.
pub(super) fn shifted(problem: &Problem, center: &[f64]) -> Result<Problem, DiagnoseError> {
    let datapoints = less(problem.data().datapoints(), Some(center))?;
    let shifted = Problem::builder(datapoints)
        .lambda(problem.lambda())
        .weights(problem.data().weights().to_vec())
        .build();
    Ok(shifted?)
}

/// Datapoints less a center.
pub(super) fn less(datapoints: &dyn Columns, center: Option<&[f64]>) -> Result<Matrix, AtomsError> {
    let mut datapoints = datapoints.to_matrix();
    if let Some(center) = center {
        check_center(center, datapoints.nrows())?;
        (0..datapoints.ncols()).for_each(|i| axpy(-1.0, center, datapoints.col_mut(i)));
    }
    Ok(datapoints)
}

/// A count as a share of another.
#[expect(clippy::cast_precision_loss, reason = "counts are far below 2^53")]
pub(super) fn ratio(part: usize, whole: usize) -> f64 {
    if whole == 0 { 0.0 } else { part as f64 / whole as f64 }
}

/// Largest correlations of residuals with atoms.
#[derive(Clone, Debug, PartialEq)]
pub(super) struct Extremes {
    /// `max_k d_kᵀrᵢ`, a datapoint.
    pub(super) of_datapoints: Vec<f64>,
    /// `max_i d_kᵀrᵢ`, an atom, and the first datapoint that attains it.
    pub(super) of_atoms: Vec<(f64, usize)>,
}

/// Datapoints with their largest product, and atoms with theirs and its datapoint.
type Found = (Vec<(usize, f64)>, Vec<(f64, usize)>);

/// Finds them in one pass over `DᵀR`; `None` where the observer stops it. O(nMN) time.
pub(super) fn extremes(dictionary: &Dictionary, residuals: &Matrix, latch: &Latch<'_>) -> Option<Extremes> {
    let atoms = dictionary.len();
    let (largest, of_atoms) = fold_tiles(
        dictionary.matrix(),
        residuals,
        |_| if latch.poll().is_break() { 0 } else { atoms },
        || (Vec::new(), vec![(f64::NEG_INFINITY, usize::MAX); atoms]),
        |(datapoints, of_atoms): &mut Found, tile| {
            for (i, products) in tile.columns() {
                let mut largest = f64::NEG_INFINITY;
                for (best, &c) in of_atoms[tile.left()].iter_mut().zip(products) {
                    largest = max(largest, c);
                    if c > best.0 {
                        *best = (c, i);
                    }
                }
                datapoints.push((i, largest));
            }
        },
        |(mut datapoints, mut atoms), (mut more, others)| {
            datapoints.append(&mut more);
            for (best, other) in atoms.iter_mut().zip(others) {
                if other.0 > best.0 || (other.0 >= best.0 && other.1 < best.1) {
                    *best = other;
                }
            }
            (datapoints, atoms)
        },
    );
    let mut of_datapoints = vec![f64::NEG_INFINITY; residuals.ncols()];
    for (i, c) in largest {
        of_datapoints[i] = max(of_datapoints[i], c);
    }
    latch.interrupt().is_none().then_some(Extremes { of_datapoints, of_atoms })
}

/// A part of a total that may be 0.
pub(super) fn share(part: f64, whole: f64) -> f64 {
    if whole > 0.0 { part / whole } else { 0.0 }
}
