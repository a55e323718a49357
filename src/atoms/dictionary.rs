//! A dictionary of unit atoms.

use serde::{Deserialize, Serialize};

use super::{AtomsError, MAX_MAGNITUDE};
use crate::linalg::{Matrix, fold_tiles, largest_magnitude, norm, simd};
use crate::observer::{Latch, Observer};

/// Unit atoms `d₁ … d_M`, n × M with an atom a column; M may be 0.
///
/// "Unit" is up to rounding: the computed length is within a few units in the
/// last place of 1, and certificates account for the difference.
///
/// As a serde type it is its [`Matrix`]; an atom of another length is refused on the
/// way in, not rescaled, because its codes would have to be rescaled with it.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(try_from = "Matrix", into = "Matrix")]
#[doc(alias = "W_dec")]
pub struct Dictionary(Matrix);

impl Dictionary {
    /// A dictionary without atoms in dimension `dim`.
    #[must_use]
    pub fn empty(dim: usize) -> Self {
        Self(Matrix::zeros(dim, 0))
    }

    /// Divides every atom by its length and gives the lengths too. An atom whose
    /// computed length is 1 up to rounding is left as it is, with the length 1.
    ///
    /// `atoms` is a [`Matrix`], n × M with an atom a column, or what becomes one: an
    /// array or a view of ndarray or nalgebra behind their features.
    ///
    /// # Errors
    /// [`AtomsError::AtomEntry`] and [`AtomsError::ZeroAtom`], naming the atom.
    pub fn normalize(atoms: impl Into<Matrix>) -> Result<(Self, Vec<f64>), AtomsError> {
        let mut atoms = atoms.into();
        let mut lengths = Vec::new();
        for atom in 0..atoms.ncols() {
            let column = atoms.col_mut(atom);
            if let Some(coordinate) = column.iter().position(|v| !(v.abs() <= MAX_MAGNITUDE)) {
                return Err(AtomsError::AtomEntry { atom, coordinate, value: column[coordinate] });
            }
            // Scaling by the largest entry first keeps tiny atoms from underflowing.
            let largest = column.iter().fold(0.0, |m, v| crate::num::max(m, v.abs()));
            if largest == 0.0 {
                return Err(AtomsError::ZeroAtom { atom });
            }
            if (norm(column) - 1.0).abs() <= UNIT_TOLERANCE {
                lengths.push(1.0);
                continue;
            }
            column.iter_mut().for_each(|v| *v /= largest);
            let length = norm(column);
            column.iter_mut().for_each(|v| *v /= length);
            lengths.push(largest * length);
        }
        Ok((Self(atoms), lengths))
    }

    /// [`normalize`](Self::normalize) without the atoms of length 0: unit atoms, the lengths
    /// they had, and their numbers among the columns given.
    ///
    /// # Errors
    /// [`AtomsError`] for an entry that is not finite or too large, by the number of its column.
    pub fn normalize_nonzero(atoms: impl Into<Matrix>) -> Result<(Self, Vec<f64>, Vec<usize>), AtomsError> {
        let atoms = atoms.into();
        let kept: Vec<usize> =
            (0..atoms.ncols()).filter(|&k| atoms.col(k).iter().any(|v| *v != 0.0)).collect();
        let chosen = if kept.len() == atoms.ncols() { atoms } else { atoms.select_columns(&kept) };
        let (dictionary, lengths) = Self::normalize(chosen).map_err(|mut error| {
            if let AtomsError::AtomEntry { atom, .. } = &mut error {
                *atom = kept[*atom];
            }
            error
        })?;
        Ok((dictionary, lengths, kept))
    }

    /// Number of atoms M.
    #[must_use]
    #[doc(alias = "d_sae")]
    #[doc(alias = "n_components")]
    pub fn len(&self) -> usize {
        self.0.ncols()
    }

    /// Whether there is no atom.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.0.ncols() == 0
    }

    /// Dimension n.
    #[must_use]
    pub fn dim(&self) -> usize {
        self.0.nrows()
    }

    /// Atom `k`.
    #[must_use]
    pub fn atom(&self, k: usize) -> &[f64] {
        self.0.col(k)
    }

    /// The atoms in order.
    pub fn atoms(&self) -> impl ExactSizeIterator<Item = &[f64]> {
        self.0.columns()
    }

    /// The atoms as an n × M matrix.
    #[must_use]
    pub fn matrix(&self) -> &Matrix {
        &self.0
    }

    /// Largest `|d_jᵀd_l|` over pairs `j ≠ l`; 0 with fewer than two atoms. O(nM²)
    /// time, a block of memory.
    #[must_use]
    pub fn max_coherence(&self) -> f64 {
        self.coherence_until(&()).unwrap_or_default()
    }

    /// [`Dictionary::max_coherence`]; `None` where the observer breaks.
    pub(crate) fn coherence_until(&self, observer: &dyn Observer) -> Option<f64> {
        let latch = Latch::new(observer);
        let largest = fold_tiles(
            &self.0,
            &self.0,
            // Every pair once: atoms before this one, and so up to the end of its block.
            |first| if latch.poll().is_break() { 0 } else { first + COHERENCE_BLOCK },
            || 0.0,
            |largest, tile| {
                for (j, products) in tile.columns() {
                    let before = j.saturating_sub(tile.left().start).min(products.len());
                    let here = simd(
                        #[inline(always)]
                        || largest_magnitude(&products[..before]),
                    );
                    *largest = crate::num::max(*largest, here);
                }
            },
            crate::num::max,
        );
        latch.interrupt().is_none().then_some(largest)
    }
}

impl TryFrom<Matrix> for Dictionary {
    type Error = AtomsError;

    /// Takes atoms that have length 1 already, up to rounding.
    fn try_from(atoms: Matrix) -> Result<Self, AtomsError> {
        let (dictionary, lengths) = Self::normalize(atoms)?;
        match lengths.iter().position(|l| (l - 1.0).abs() > 0.0) {
            Some(atom) => Err(AtomsError::NotUnit { atom, length: lengths[atom] }),
            None => Ok(dictionary),
        }
    }
}

impl From<Dictionary> for Matrix {
    fn from(dictionary: Dictionary) -> Self {
        dictionary.0
    }
}

/// At least the number of atoms in a block of products.
const COHERENCE_BLOCK: usize = 1024;

/// How far from 1 a computed length may be for the atom to be left as it is:
/// a few roundings of a sum, so that re-reading a written dictionary changes nothing.
const UNIT_TOLERANCE: f64 = 16.0 * f64::EPSILON;
