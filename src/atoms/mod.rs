//! What a solution is made of: unit atoms, sparse nonnegative codes, a center.
//!
//! Each part is checked once, when it is made, and carries its check in its type: a
//! [`Dictionary`] has unit atoms, [`Codes`] are finite and positive, the parts of a
//! [`Factorization`] fit. Dense codes of most datapoints do not belong here: at more
//! than about a third of nonzeros a [`Matrix`](crate::Matrix) is smaller.

mod codes;
mod dictionary;
mod factorization;

pub use codes::{Codes, Csr};
pub use dictionary::Dictionary;
pub(crate) use factorization::check_center;
pub use factorization::{Factorization, Rescaled};

/// Entries of atoms and centers beyond this are refused. Sums of their squares overflow from
/// 1e154 on; the room between is for what multiplies them.
const MAX_MAGNITUDE: f64 = 1e140;

/// Why atoms, codes or a center are refused.
#[derive(Debug, Clone, PartialEq, thiserror::Error)]
#[non_exhaustive]
pub enum AtomsError {
    /// An entry of the dictionary is NaN, infinite, or too large to square.
    #[error("atom {atom}, coordinate {coordinate}: expected a finite number of moderate size, found {value}")]
    AtomEntry {
        /// Index of the atom.
        atom: usize,
        /// Index of the coordinate.
        coordinate: usize,
        /// What was found.
        value: f64,
    },
    /// Where unit atoms are expected, an atom of another length.
    #[error("atom {atom}: expected length 1, found {length}")]
    NotUnit {
        /// Index of the atom.
        atom: usize,
        /// Its length.
        length: f64,
    },
    /// An atom of length zero has no direction.
    #[error("atom {atom} has length 0")]
    ZeroAtom {
        /// Index of the atom.
        atom: usize,
    },
    /// A code is NaN, infinite or negative.
    #[error(
        "code of atom {atom} at datapoint {datapoint}: expected a finite number at least 0, found {value}"
    )]
    Code {
        /// Index of the atom.
        atom: usize,
        /// Index of the datapoint.
        datapoint: usize,
        /// What was found.
        value: f64,
    },
    /// An atom or a datapoint that does not exist.
    #[error("code {entry}: {what} {index} of {len}")]
    Index {
        /// Index of the code among those given.
        entry: usize,
        /// `atom` or `datapoint`.
        what: &'static str,
        /// What was found.
        index: usize,
        /// How many there are.
        len: usize,
    },
    /// Two codes for one atom and datapoint.
    #[error("atom {atom} has two codes at datapoint {datapoint}")]
    Duplicate {
        /// Index of the atom.
        atom: usize,
        /// Index of the datapoint.
        datapoint: usize,
    },
    /// A start of a datapoint's codes that is not between those around it.
    #[error("indptr[{position}]: expected {least} to {most}, found {found}")]
    Indptr {
        /// Index of the start.
        position: usize,
        /// The start before it; the number of codes for the last one.
        least: usize,
        /// The number of codes; 0 for the first one.
        most: usize,
        /// What was found.
        found: usize,
    },
    /// Shapes that do not fit together.
    #[error("{what}: expected {expected}, found {found}")]
    Shape {
        /// Which size.
        what: &'static str,
        /// The size the other part asks for.
        expected: usize,
        /// The size found.
        found: usize,
    },
    /// An entry of the center is NaN, infinite, or too large to square.
    #[error("center, coordinate {coordinate}: expected a finite number of moderate size, found {value}")]
    Center {
        /// Index of the coordinate.
        coordinate: usize,
        /// What was found.
        value: f64,
    },
}
