//! A dictionary, its codes and a center: what the joint problem is solved by.

use serde::{Deserialize, Serialize};

use super::{AtomsError, Codes, Dictionary, MAX_MAGNITUDE};
use crate::linalg::Matrix;

/// `(D, Z, b)`: unit atoms, their nonnegative codes and a center, feasible for the
/// joint problem of every data of that shape.
///
/// As a serde type it is `{dictionary, codes, center}`, checked part by part and then
/// together. It carries no certificate: [`certify`](crate::certify) makes one.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(try_from = "Parts")]
pub struct Factorization {
    dictionary: Dictionary,
    codes: Codes,
    center: Option<Vec<f64>>,
}

/// The parts as they are written, before they are known to fit.
#[derive(Deserialize)]
struct Parts {
    dictionary: Dictionary,
    codes: Codes,
    center: Option<Vec<f64>>,
}

impl TryFrom<Parts> for Factorization {
    type Error = AtomsError;

    fn try_from(parts: Parts) -> Result<Self, AtomsError> {
        Self::new(parts.dictionary, parts.codes, parts.center)
    }
}

/// What was done to atoms that were not of unit length.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Rescaled {
    /// Atoms whose length was not 1.
    pub atoms: usize,
    /// Shortest length found.
    pub shortest: f64,
    /// Longest length found.
    pub longest: f64,
}

impl Factorization {
    /// Joins the parts.
    ///
    /// # Errors
    /// [`AtomsError::Shape`] if the numbers of atoms differ or the center has
    /// another dimension; [`AtomsError::Center`] if it is not finite or too large
    /// to square.
    pub fn new(dictionary: Dictionary, codes: Codes, center: Option<Vec<f64>>) -> Result<Self, AtomsError> {
        if dictionary.len() != codes.atoms() {
            return Err(AtomsError::Shape {
                what: "atoms in the codes",
                expected: dictionary.len(),
                found: codes.atoms(),
            });
        }
        center.as_deref().map_or(Ok(()), |center| check_center(center, dictionary.dim()))?;
        Ok(Self { dictionary, codes, center })
    }

    /// Joins foreign parts: atoms of any positive length are divided by it and
    /// their codes multiplied, so that every product `d_k z_k` stays.
    ///
    /// # Errors
    /// As [`Dictionary::normalize`], [`Codes::new`] and [`Factorization::new`];
    /// an atom of length 0 is refused.
    pub fn from_foreign(
        atoms: impl Into<Matrix>,
        codes: Codes,
        center: Option<Vec<f64>>,
    ) -> Result<(Self, Option<Rescaled>), AtomsError> {
        let (dictionary, lengths) = Dictionary::normalize(atoms)?;
        if dictionary.len() != codes.atoms() {
            return Self::new(dictionary, codes, center).map(|f| (f, None));
        }
        let changed = lengths.iter().filter(|l| (**l - 1.0).abs() > 0.0).count();
        if changed == 0 {
            return Ok((Self::new(dictionary, codes, center)?, None));
        }
        let columns: Vec<Vec<(usize, f64)>> = (0..codes.datapoints())
            .map(|i| {
                codes.column(i).iter().map(|(k, v)| (k, v * lengths[k])).filter(|(_, v)| *v > 0.0).collect()
            })
            .collect();
        for (datapoint, column) in columns.iter().enumerate() {
            if let Some(&(atom, value)) = column.iter().find(|(_, v)| !v.is_finite()) {
                return Err(AtomsError::Code { atom, datapoint, value });
            }
        }
        let record = Rescaled {
            atoms: changed,
            shortest: lengths.iter().copied().fold(f64::INFINITY, crate::num::min),
            longest: lengths.iter().copied().fold(0.0, crate::num::max),
        };
        let codes = Codes::from_columns(codes.atoms(), &columns);
        Ok((Self::new(dictionary, codes, center)?, Some(record)))
    }

    /// The atoms D.
    #[must_use]
    pub fn dictionary(&self) -> &Dictionary {
        &self.dictionary
    }

    /// The codes Z.
    #[must_use]
    pub fn codes(&self) -> &Codes {
        &self.codes
    }

    /// The center b; `None` stands for 0.
    #[must_use]
    pub fn center(&self) -> Option<&[f64]> {
        self.center.as_deref()
    }

    /// Number of atoms M.
    #[must_use]
    pub fn width(&self) -> usize {
        self.dictionary.len()
    }

    /// The parts.
    #[must_use]
    pub fn into_parts(self) -> (Dictionary, Codes, Option<Vec<f64>>) {
        (self.dictionary, self.codes, self.center)
    }
}

/// Checks that a center has the dimension `dim` and entries that data may have.
pub(crate) fn check_center(center: &[f64], dim: usize) -> Result<(), AtomsError> {
    if center.len() != dim {
        return Err(AtomsError::Shape {
            what: "dimension of the center",
            expected: dim,
            found: center.len(),
        });
    }
    match center.iter().position(|v| !(v.abs() <= MAX_MAGNITUDE)) {
        Some(coordinate) => Err(AtomsError::Center { coordinate, value: center[coordinate] }),
        None => Ok(()),
    }
}
