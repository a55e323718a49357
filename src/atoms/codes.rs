//! Sparse nonnegative codes.

use sprs::{CsMat, CsMatView, CsVecView};

use super::AtomsError;
use crate::linalg::{Row, rows_of};

/// Codes `Z ≥ 0`, M × N, sparse by columns: column i holds the code of datapoint i.
///
/// Stored entries are finite and positive.
#[derive(Clone, Debug, PartialEq)]
pub struct Codes(CsMat<f64>);

impl Codes {
    /// No code anywhere.
    #[must_use]
    pub fn zeros(atoms: usize, datapoints: usize) -> Self {
        Self(CsMat::zero((atoms, datapoints)).into_csc())
    }

    /// Takes an M × N matrix; stored zeros are dropped.
    ///
    /// # Errors
    /// [`AtomsError::Code`] for the first negative or non-finite entry.
    pub fn new(codes: CsMat<f64>) -> Result<Self, AtomsError> {
        let codes = codes.into_csc();
        for (datapoint, column) in codes.outer_iterator().enumerate() {
            for (atom, &value) in column.iter() {
                if !(value.is_finite() && value >= 0.0) {
                    return Err(AtomsError::Code { atom, datapoint, value });
                }
            }
        }
        let (atoms, datapoints) = codes.shape();
        let columns: Vec<Vec<(usize, f64)>> = (0..datapoints)
            .map(|i| {
                codes.outer_view(i).map_or_else(Vec::new, |c| {
                    c.iter().filter(|(_, v)| **v > 0.0).map(|(k, v)| (k, *v)).collect()
                })
            })
            .collect();
        Ok(Self::from_columns(atoms, &columns))
    }

    /// From a compressed matrix by columns: where every datapoint starts (and the
    /// end), atoms ascending within one, all codes positive and finite.
    pub(crate) fn from_csc(atoms: usize, starts: Vec<usize>, indices: Vec<usize>, values: Vec<f64>) -> Self {
        Self(CsMat::new_csc((atoms, starts.len() - 1), starts, indices, values))
    }

    /// From one list of (atom, code) a datapoint, ascending in the atom, all
    /// codes positive and finite.
    pub(crate) fn from_columns(atoms: usize, columns: &[Vec<(usize, f64)>]) -> Self {
        let nnz = columns.iter().map(Vec::len).sum();
        let (mut starts, mut indices, mut values) =
            (Vec::with_capacity(columns.len() + 1), Vec::with_capacity(nnz), Vec::with_capacity(nnz));
        starts.push(0);
        for column in columns {
            for &(k, v) in column {
                indices.push(k);
                values.push(v);
            }
            starts.push(indices.len());
        }
        Self(CsMat::new_csc((atoms, columns.len()), starts, indices, values))
    }

    /// From one row an atom, over N datapoints.
    pub(crate) fn from_rows(datapoints: usize, rows: &[Row]) -> Self {
        let mut columns = vec![Vec::new(); datapoints];
        for (k, row) in rows.iter().enumerate() {
            for (i, v) in row.iter() {
                if v > 0.0 {
                    columns[i].push((k, v));
                }
            }
        }
        Self::from_columns(rows.len(), &columns)
    }

    /// Number of atoms M.
    #[must_use]
    pub fn atoms(&self) -> usize {
        self.0.rows()
    }

    /// Number of datapoints N.
    #[must_use]
    pub fn datapoints(&self) -> usize {
        self.0.cols()
    }

    /// Number of nonzero codes.
    #[must_use]
    pub fn nnz(&self) -> usize {
        self.0.nnz()
    }

    /// The code of datapoint `i`.
    #[must_use]
    pub fn column(&self, i: usize) -> CsVecView<'_, f64> {
        self.0.outer_view(i).expect("a datapoint index below `datapoints`")
    }

    /// The M × N matrix (CSC).
    #[must_use]
    pub fn view(&self) -> CsMatView<'_, f64> {
        self.0.view()
    }

    /// One row an atom: the datapoints that use it. O(nnz).
    #[must_use]
    pub fn rows(&self) -> Vec<Row> {
        rows_of(self.0.view())
    }

    /// Mean number of nonzero codes a datapoint.
    #[must_use]
    #[expect(clippy::cast_precision_loss, reason = "counts are far below 2^53")]
    pub fn mean_l0(&self) -> f64 {
        if self.datapoints() == 0 { 0.0 } else { self.nnz() as f64 / self.datapoints() as f64 }
    }
}
