//! Sparse nonnegative codes.

use serde::{Deserialize, Serialize};
use sprs::{CsMat, CsMatView, CsVecView};

use super::AtomsError;
use crate::linalg::{Matrix, Row, rows_of};
use crate::reduce::Share;

/// Codes `Z ≥ 0`, M × N, sparse by columns: column i holds the code of datapoint i.
///
/// Stored entries are finite and positive; a datapoint's atoms ascend.
///
/// Made from triplets, a dense matrix, the vectors of a CSR matrix, or a matrix of
/// [sprs](crate::sprs). As a serde type it is [`Csr`], checked on the way in.
///
/// # Examples
/// ```
/// use widedict::Codes;
/// use widedict::atoms::{AtomsError, Csr};
/// // Three atoms, two datapoints: the first uses atoms 0 and 2, the second atom 1.
/// let codes = Codes::from_triplets(3, 2, [(2, 0, 0.5), (0, 0, 1.0), (1, 1, 2.0)])?;
/// assert_eq!((codes.atoms(), codes.datapoints(), codes.nnz()), (3, 2, 3));
/// let csr = codes.to_csr();
/// assert_eq!((csr.indptr.as_slice(), csr.indices.as_slice()), ([0, 2, 3].as_slice(), [0, 2, 1].as_slice()));
/// assert_eq!(Codes::from_csr(csr)?, codes);
/// // A negative code is refused by its place and value.
/// let refused = Codes::from_triplets(3, 2, [(1, 0, -0.5)]);
/// assert_eq!(refused, Err(AtomsError::Code { atom: 1, datapoint: 0, value: -0.5 }));
/// # Ok::<(), AtomsError>(())
/// ```
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(try_from = "Csr", into = "Csr")]
pub struct Codes(CsMat<f64>);

/// Codes as plain vectors: the CSR matrix N × M, **a datapoint a row**, which is what
/// scipy's `csr_matrix` holds (`indptr`, `indices`, `data`).
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Csr {
    /// Number of atoms M.
    pub atoms: usize,
    /// Where the codes of each datapoint start, and where the last ones end: N + 1
    /// numbers from 0 to the number of codes, none below the one before it.
    pub indptr: Vec<usize>,
    /// The atom of each code.
    pub indices: Vec<usize>,
    /// The codes, one an index.
    pub values: Vec<f64>,
}

impl Codes {
    /// No code anywhere.
    #[must_use]
    pub fn zeros(atoms: usize, datapoints: usize) -> Self {
        Self(CsMat::zero((atoms, datapoints)).into_csc())
    }

    /// Takes an M × N matrix of [sprs](crate::sprs); stored zeros are dropped.
    ///
    /// # Errors
    /// [`AtomsError::Code`] for the first negative or non-finite entry.
    pub fn new(codes: CsMat<f64>) -> Result<Self, AtomsError> {
        let codes = codes.into_csc();
        let atoms = codes.rows();
        let (indptr, indices, values) = codes.into_raw_storage();
        Self::from_csr(Csr { atoms, indptr, indices, values })
    }

    /// Takes (atom, datapoint, code) in any order; zeros are dropped.
    ///
    /// # Errors
    /// [`AtomsError::Index`] for an atom or a datapoint beyond the sizes,
    /// [`AtomsError::Duplicate`] for a pair given twice, [`AtomsError::Code`] for a
    /// negative or non-finite code.
    pub fn from_triplets(
        atoms: usize,
        datapoints: usize,
        triplets: impl IntoIterator<Item = (usize, usize, f64)>,
    ) -> Result<Self, AtomsError> {
        let mut columns = vec![Vec::new(); datapoints];
        for (entry, (atom, datapoint, value)) in triplets.into_iter().enumerate() {
            for (what, index, len) in [("atom", atom, atoms), ("datapoint", datapoint, datapoints)] {
                if index >= len {
                    return Err(AtomsError::Index { entry, what, index, len });
                }
            }
            columns[datapoint].push((atom, value));
        }
        let csr = Csr::of_columns(atoms, &columns);
        Self::from_csr(csr)
    }

    /// Takes a dense M × N matrix; zeros are dropped.
    ///
    /// # Errors
    /// [`AtomsError::Code`] for the first negative or non-finite entry.
    pub fn from_dense(codes: &Matrix) -> Result<Self, AtomsError> {
        let columns: Vec<Vec<(usize, f64)>> = codes
            .columns()
            .map(|c| c.iter().copied().enumerate().filter(|(_, v)| *v != 0.0).collect())
            .collect();
        Self::from_csr(Csr::of_columns(codes.nrows(), &columns))
    }

    /// Takes a CSR matrix, **a datapoint a row**; a row's atoms may come in any order,
    /// and zeros are dropped. O(nnz), and O(k log k) for a row of k codes out of order.
    ///
    /// # Errors
    /// [`AtomsError::Shape`] if `indptr` is empty or `values` and `indices` differ in
    /// length; [`AtomsError::Indptr`] where `indptr` does not go up from 0 to the number
    /// of codes; [`AtomsError::Index`], [`AtomsError::Duplicate`] and
    /// [`AtomsError::Code`] for a code, naming atom, datapoint and value.
    pub fn from_csr(csr: Csr) -> Result<Self, AtomsError> {
        csr.check_lengths()?;
        let Csr { atoms, indptr, mut indices, mut values } = csr;
        if let Some((entry, &index)) = indices.iter().enumerate().find(|(_, k)| **k >= atoms) {
            return Err(AtomsError::Index { entry, what: "atom", index, len: atoms });
        }
        for (datapoint, range) in indptr.windows(2).enumerate() {
            let (indices, values) = (&mut indices[range[0]..range[1]], &mut values[range[0]..range[1]]);
            if !indices.is_sorted() {
                sort_together(indices, values);
            }
            if let Some(pair) = indices.windows(2).find(|pair| pair[0] == pair[1]) {
                return Err(AtomsError::Duplicate { atom: pair[0], datapoint });
            }
            for (&atom, &value) in indices.iter().zip(&*values) {
                if !(value.is_finite() && value >= 0.0) {
                    return Err(AtomsError::Code { atom, datapoint, value });
                }
            }
        }
        let (indptr, indices, values) = without_zeros(indptr, indices, values);
        Ok(Self::from_csc(atoms, indptr, indices, values))
    }

    /// Codes over other atoms: `code` takes an atom and its code to the atom's number among `atoms`
    /// others and its code there, or leaves it out. O(N + nnz) where numbers keep their order; one
    /// copy of the codes.
    ///
    /// # Errors
    /// As [`Codes::from_csr`], for what `code` gives.
    #[cfg(feature = "io")]
    pub(crate) fn renumbered(
        &self,
        atoms: usize,
        code: impl Fn(usize, f64) -> Option<(usize, f64)>,
    ) -> Result<Self, AtomsError> {
        let (mut indices, mut values) = (Vec::with_capacity(self.nnz()), Vec::with_capacity(self.nnz()));
        let mut indptr = Vec::with_capacity(self.datapoints() + 1);
        indptr.push(0);
        for i in 0..self.datapoints() {
            for (atom, value) in self.column(i).iter().filter_map(|(k, &z)| code(k, z)) {
                indices.push(atom);
                values.push(value);
            }
            indptr.push(indices.len());
        }
        Self::from_csr(Csr { atoms, indptr, indices, values })
    }

    /// The codes as a CSR matrix, a datapoint a row, atoms ascending in each. O(N + nnz).
    #[must_use]
    pub fn to_csr(&self) -> Csr {
        Csr {
            atoms: self.atoms(),
            indptr: self.0.proper_indptr().into_owned(),
            indices: self.0.indices().to_vec(),
            values: self.0.data().to_vec(),
        }
    }

    /// From a compressed matrix by columns: where every datapoint starts (and the
    /// end), atoms ascending within one, all codes positive and finite.
    pub(crate) fn from_csc(atoms: usize, starts: Vec<usize>, indices: Vec<usize>, values: Vec<f64>) -> Self {
        Self(CsMat::new_csc((atoms, starts.len() - 1), starts, indices, values))
    }

    /// From one list of (atom, code) a datapoint, ascending in the atom, all
    /// codes positive and finite.
    pub(crate) fn from_columns(atoms: usize, columns: &[Vec<(usize, f64)>]) -> Self {
        let Csr { indptr, indices, values, .. } = Csr::of_columns(atoms, columns);
        Self::from_csc(atoms, indptr, indices, values)
    }

    /// From one row an atom, over N datapoints.
    pub(crate) fn from_rows(datapoints: usize, rows: &[Row]) -> Self {
        Self::from_scaled_rows(datapoints, rows.iter(), |_, code| code)
    }

    /// From one row an atom, over N datapoints, each code as `code` makes it of datapoint and
    /// number. O(N + nnz), without a copy of the rows.
    pub(crate) fn from_scaled_rows<'r>(
        datapoints: usize,
        rows: impl ExactSizeIterator<Item = &'r Row> + Clone,
        code: impl Fn(usize, f64) -> f64,
    ) -> Self {
        let atoms = rows.len();
        let used = |row: &'r Row| row.iter().map(|(i, v)| (i, code(i, v))).filter(|(_, v)| *v > 0.0);
        let mut starts = vec![0; datapoints + 1];
        rows.clone().flat_map(used).for_each(|(i, _)| starts[i + 1] += 1);
        (0..datapoints).for_each(|i| starts[i + 1] += starts[i]);
        let mut next = starts.clone();
        let (mut indices, mut values) = (vec![0; starts[datapoints]], vec![0.0; starts[datapoints]]);
        for (k, row) in rows.enumerate() {
            for (i, v) in used(row) {
                (indices[next[i]], values[next[i]]) = (k, v);
                next[i] += 1;
            }
        }
        Self::from_csc(atoms, starts, indices, values)
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
    ///
    /// # Panics
    /// If there is no datapoint `i`.
    #[must_use]
    pub fn column(&self, i: usize) -> CsVecView<'_, f64> {
        self.0.outer_view(i).expect("a datapoint index below `datapoints`")
    }

    /// The M × N matrix (CSC) of [sprs](crate::sprs).
    #[must_use]
    pub fn view(&self) -> CsMatView<'_, f64> {
        self.0.view()
    }

    /// One row an atom: the datapoints that use it. O(nnz).
    #[must_use]
    pub fn rows(&self) -> Vec<Row> {
        rows_of(self.0.view())
    }

    /// The codes of all ranks, in order, at rank 0; `None` at the others. A number a code, and
    /// one a datapoint, is sent.
    #[must_use]
    pub fn gathered(&self, share: &Share) -> Option<Self> {
        if share.size() == 1 {
            return Some(self.clone());
        }
        let mut words = Vec::with_capacity(self.datapoints() + 2 * self.nnz());
        for i in 0..self.datapoints() {
            let column = self.column(i);
            words.push(column.nnz() as u64);
            words.extend(column.iter().flat_map(|(k, z)| [k as u64, z.to_bits()]));
        }
        let parts = share.gather(words);
        if !share.is_root() {
            return None;
        }
        let number = |word: u64| usize::try_from(word).unwrap_or(usize::MAX);
        let (mut starts, mut atoms, mut values) = (vec![0], Vec::new(), Vec::new());
        for mut part in parts.iter().map(Vec::as_slice) {
            while let Some((&count, rest)) = part.split_first() {
                let (codes, next) = rest.split_at(2 * number(count));
                atoms.extend(codes.iter().step_by(2).map(|word| number(*word)));
                values.extend(codes.iter().skip(1).step_by(2).map(|word| f64::from_bits(*word)));
                starts.push(atoms.len());
                part = next;
            }
        }
        Some(Self::from_csc(self.atoms(), starts, atoms, values))
    }

    /// Mean number of nonzero codes a datapoint; 0 without datapoints.
    #[must_use]
    #[expect(clippy::cast_precision_loss, reason = "counts are far below 2^53")]
    pub fn mean_l0(&self) -> f64 {
        if self.datapoints() == 0 { 0.0 } else { self.nnz() as f64 / self.datapoints() as f64 }
    }
}

impl TryFrom<Csr> for Codes {
    type Error = AtomsError;

    fn try_from(csr: Csr) -> Result<Self, AtomsError> {
        Self::from_csr(csr)
    }
}

impl From<Codes> for Csr {
    fn from(codes: Codes) -> Self {
        let atoms = codes.atoms();
        let (indptr, indices, values) = codes.0.into_raw_storage();
        Self { atoms, indptr, indices, values }
    }
}

impl Csr {
    /// The columns end to end, entries as they come.
    fn of_columns(atoms: usize, columns: &[Vec<(usize, f64)>]) -> Self {
        let nnz = columns.iter().map(Vec::len).sum();
        let mut indptr = Vec::with_capacity(columns.len() + 1);
        let (mut indices, mut values) = (Vec::with_capacity(nnz), Vec::with_capacity(nnz));
        indptr.push(0);
        for column in columns {
            for &(k, v) in column {
                indices.push(k);
                values.push(v);
            }
            indptr.push(indices.len());
        }
        Self { atoms, indptr, indices, values }
    }

    /// Whether every datapoint has a range of codes, one after the other.
    fn check_lengths(&self) -> Result<(), AtomsError> {
        let nnz = self.indices.len();
        if self.values.len() != nnz {
            return Err(AtomsError::Shape {
                what: "values, one an index",
                expected: nnz,
                found: self.values.len(),
            });
        }
        let Some(last) = self.indptr.len().checked_sub(1) else {
            return Err(AtomsError::Shape { what: "numbers in indptr, at least one", expected: 1, found: 0 });
        };
        let mut before = 0;
        for (position, &found) in self.indptr.iter().enumerate() {
            let least = if position == last { nnz } else { before };
            let most = if position == 0 { 0 } else { nnz };
            if !(least <= found && found <= most) {
                return Err(AtomsError::Indptr { position, least, most, found });
            }
            before = found;
        }
        Ok(())
    }
}

/// Sorts the indices and moves the values with them.
fn sort_together(indices: &mut [usize], values: &mut [f64]) {
    let mut pairs: Vec<(usize, f64)> = indices.iter().copied().zip(values.iter().copied()).collect();
    pairs.sort_by_key(|(k, _)| *k);
    for ((index, value), (k, v)) in indices.iter_mut().zip(values).zip(pairs) {
        (*index, *value) = (k, v);
    }
}

/// The same compressed matrix without its stored zeros, in place.
fn without_zeros(
    mut indptr: Vec<usize>,
    mut indices: Vec<usize>,
    mut values: Vec<f64>,
) -> (Vec<usize>, Vec<usize>, Vec<f64>) {
    if values.iter().all(|v| *v > 0.0) {
        return (indptr, indices, values);
    }
    let (mut kept, mut from) = (0, 0);
    for end in indptr.iter_mut().skip(1) {
        for at in from..*end {
            if values[at] > 0.0 {
                (indices[kept], values[kept]) = (indices[at], values[at]);
                kept += 1;
            }
        }
        from = *end;
        *end = kept;
    }
    indices.truncate(kept);
    values.truncate(kept);
    (indptr, indices, values)
}
