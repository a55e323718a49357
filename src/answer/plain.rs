//! Dictionaries from elsewhere: atoms of any length, some of length 0.

use crate::atoms::{AtomsError, Codes, Dictionary};
use crate::io::sae::{FoldError, Folding};
use crate::linalg::Matrix;

/// Why atoms are no dictionary.
#[derive(Debug, thiserror::Error)]
pub enum PlainError {
    #[error(transparent)]
    Atoms(#[from] AtomsError),
    #[error(transparent)]
    NoAtoms(#[from] FoldError),
}

/// A plain dictionary without its atoms of length 0.
pub struct Plain {
    pub dictionary: Dictionary,
    /// Lengths the atoms had.
    pub lengths: Vec<f64>,
    /// Their numbers in the file.
    pub kept: Vec<usize>,
    /// The numbers of the others.
    pub dropped: Vec<usize>,
    /// Number of atoms in the file.
    pub stored: usize,
}

impl Plain {
    /// Normalizes atoms.
    ///
    /// # Errors
    /// Atoms that are not finite or too large, or all of length 0.
    pub fn of(atoms: Matrix) -> Result<Self, PlainError> {
        let stored = atoms.ncols();
        let (dictionary, lengths, kept) = Dictionary::normalize_nonzero(atoms)?;
        let dropped: Vec<usize> = (0..stored).filter(|k| kept.binary_search(k).is_err()).collect();
        if dictionary.is_empty() && stored > 0 {
            return Err(FoldError::NoAtoms { count: stored }.into());
        }
        Ok(Self { dictionary, lengths, kept, dropped, stored })
    }

    /// Codes of all stored atoms as codes of the unit atoms that are left.
    pub fn to_unit(&self, codes: &Codes) -> Result<Codes, AtomsError> {
        codes.renumbered(self.kept.len(), |atom, z| {
            let k = self.kept.binary_search(&atom).ok()?;
            Some((k, z * self.lengths[k]))
        })
    }

    /// Codes of the unit atoms as codes of all stored ones: what is `z` of a unit atom is
    /// `z/‖d‖` of an atom `d`, and the product stays.
    pub fn to_stored(&self, codes: &Codes) -> Result<Codes, AtomsError> {
        codes.renumbered(self.stored, |k, z| Some((self.kept[k], z / self.lengths[k])))
    }

    /// What was done, for the record.
    pub fn folding(&self, center: Option<&[f64]>) -> Folding {
        let fold = |start: f64, f: fn(f64, f64) -> f64| self.lengths.iter().copied().fold(start, f);
        Folding {
            rescaled_atoms: self.lengths.iter().filter(|l| (**l - 1.0).abs() > 0.0).count(),
            shortest_atom: fold(f64::INFINITY, |l, r| if r < l { r } else { l }),
            longest_atom: fold(0.0, |l, r| if r > l { r } else { l }),
            decoder_bias: center.map(crate::linalg::norm),
            encoder_subtracts_bias: None,
            dropped_atoms: self.dropped.clone(),
            scale: 1.0,
            units: None,
            skip_subtracted: false,
        }
    }
}

/// Atoms and codes without atoms of length 0, and the numbers of these; all of them where
/// there is no other.
#[must_use]
pub fn without_zeros(atoms: Matrix, codes: Codes) -> (Matrix, Codes, Vec<usize>) {
    let count = atoms.ncols();
    let zero: Vec<usize> = (0..count).filter(|&k| atoms.col(k).iter().all(|v| *v == 0.0)).collect();
    if zero.is_empty() || zero.len() == count {
        return (atoms, codes, Vec::new());
    }
    let (atoms, codes) = without(&zero, &atoms, &codes);
    (atoms, codes, zero)
}

/// Atoms and codes without those of length 0, which reconstruct nothing at no price.
fn without(zero: &[usize], atoms: &Matrix, codes: &Codes) -> (Matrix, Codes) {
    let kept: Vec<usize> = (0..atoms.ncols()).filter(|k| zero.binary_search(k).is_err()).collect();
    let codes = codes.renumbered(kept.len(), |atom, z| Some((kept.binary_search(&atom).ok()?, z)));
    (atoms.select_columns(&kept), codes.expect("codes that were valid are valid without some atoms"))
}
