//! What a solution is made of: unit atoms, sparse nonnegative codes, a center.

mod codes;
mod dictionary;
mod factorization;

pub use codes::Codes;
pub use dictionary::Dictionary;
pub(crate) use factorization::check_center;
pub use factorization::{Factorization, Rescaled};

/// Entries of atoms and centers beyond this are refused: their squares overflow.
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
