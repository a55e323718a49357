//! Small data sets that travel with the crate (`data/README.md`), so that examples and
//! tests need no download.

use crate::linalg::Matrix;

/// Images in the digits set.
const DIGITS: usize = 1797;

/// Pixels an image: 8 × 8.
const PIXELS: usize = 64;

/// Grey levels are 0..=16.
const LEVELS: f64 = 16.0;

/// One byte a pixel, image after image.
static DIGITS_BYTES: &[u8; DIGITS * PIXELS] = include_bytes!("../data/digits.u8");

/// The 1797 handwritten digits of 8 × 8 pixels, 64 × 1797 with an image a column
/// and pixels divided by 16, so from 0 to 1 (all exact in `f64`).
///
/// Optical Recognition of Handwritten Digits, E. Alpaydin and C. Kaynak, 1998,
/// UCI Machine Learning Repository (CC BY 4.0), in the order of scikit-learn's copy.
///
/// # Examples
/// ```
/// let digits = widedict::datasets::digits();
/// assert_eq!((digits.nrows(), digits.ncols()), (64, 1797));
/// assert!(digits.as_slice().iter().all(|v| (0.0..=1.0).contains(v)));
/// ```
#[must_use]
pub fn digits() -> Matrix {
    Matrix::from_fn(PIXELS, DIGITS, |pixel, image| f64::from(DIGITS_BYTES[image * PIXELS + pixel]) / LEVELS)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn digits_are_the_published_ones() {
        assert!(DIGITS_BYTES.iter().all(|&level| level <= 16));
        let total: u64 = DIGITS_BYTES.iter().map(|&level| u64::from(level)).sum();
        assert_eq!(total, 561_718);
        // The first row of the first image, a zero.
        assert_eq!(DIGITS_BYTES[..8], [0, 0, 5, 13, 9, 1, 0, 0]);
        let constant = (0..PIXELS)
            .filter(|p| (1..DIGITS).all(|i| DIGITS_BYTES[i * PIXELS + p] == DIGITS_BYTES[*p]))
            .count();
        assert_eq!(constant, 3);
    }
}
