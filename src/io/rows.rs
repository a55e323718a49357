//! Which rows of a file are datapoints.
//!
//! A row that is masked is no datapoint: the problem, and every certificate of it, is that
//! of the rows that are kept. Row numbers stay those of the file, in codes and weights as
//! in messages.

use std::borrow::Cow;
use std::ops::Range;

use rand::SeedableRng;
use rand::seq::index;
use rand_chacha::ChaCha8Rng;

use crate::atoms::{Codes, Csr};

/// The rows of a file, of which some may be masked.
///
/// # Examples
/// ```
/// use widedict::Codes;
/// use widedict::io::Rows;
/// // The third of four rows is masked.
/// let rows = Rows::kept(4, vec![0, 1, 3]);
/// assert_eq!((rows.len(), rows.of(), rows.row(2), rows.masked().collect::<Vec<_>>()), (3, 4, 3, vec![2]));
/// let codes = Codes::from_triplets(1, 3, [(0, 2, 0.5)])?;
/// let file = rows.spread(&codes);
/// assert_eq!((file.datapoints(), file.column(2).nnz(), file.column(3).nnz()), (4, 0, 1));
/// assert_eq!(rows.restrict(&file), codes);
/// # Ok::<(), widedict::atoms::AtomsError>(())
/// ```
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Rows {
    of: usize,
    /// Ascending; `None` where every row is kept.
    kept: Option<Vec<usize>>,
}

impl Rows {
    /// Every row of `of`.
    #[must_use]
    pub fn all(of: usize) -> Self {
        Self { of, kept: None }
    }

    /// These rows of `of`.
    ///
    /// # Panics
    /// Unless they ascend and are below `of`.
    #[must_use]
    pub fn kept(of: usize, kept: Vec<usize>) -> Self {
        assert!(kept.is_sorted_by(|a, b| a < b) && kept.last().is_none_or(|last| *last < of), "rows ascend");
        Self { of, kept: (kept.len() < of).then_some(kept) }
    }

    /// All but these rows of `of`.
    ///
    /// # Panics
    /// As [`Rows::kept`].
    #[must_use]
    pub fn without(of: usize, masked: &[usize]) -> Self {
        let ascends = masked.is_sorted_by(|a, b| a < b) && masked.last().is_none_or(|last| *last < of);
        assert!(ascends, "rows ascend");
        let mut masked = masked.iter().peekable();
        Self::kept(of, (0..of).filter(|row| masked.next_if_eq(&row).is_none()).collect())
    }

    /// Some of the rows kept, at most `count`, each with the same chance: by the seed alone.
    #[must_use]
    pub fn sample(&self, count: usize, seed: u64) -> Self {
        let count = count.min(self.len());
        let mut points = index::sample(&mut ChaCha8Rng::seed_from_u64(seed), self.len(), count).into_vec();
        points.sort_unstable();
        Self::kept(self.of, points.into_iter().map(|point| self.row(point)).collect())
    }

    /// Some datapoints after one another, as rows of the same file.
    ///
    /// # Panics
    /// If there are not so many.
    #[must_use]
    pub fn part(&self, points: Range<usize>) -> Self {
        match &self.kept {
            Some(kept) => Self::kept(self.of, kept[points].to_vec()),
            None => Self::kept(self.of, points.collect()),
        }
    }

    /// The datapoint that is a row of the file; `None` for one that is masked.
    #[must_use]
    pub fn point(&self, row: usize) -> Option<usize> {
        match &self.kept {
            Some(kept) => kept.binary_search(&row).ok(),
            None => (row < self.of).then_some(row),
        }
    }

    /// Number of rows kept.
    #[must_use]
    #[expect(clippy::len_without_is_empty, reason = "it counts datapoints, of which there is one at least")]
    pub fn len(&self) -> usize {
        self.kept.as_ref().map_or(self.of, Vec::len)
    }

    /// Number of rows of the file.
    #[must_use]
    pub fn of(&self) -> usize {
        self.of
    }

    /// The row of the file that is datapoint `point`.
    #[must_use]
    pub fn row(&self, point: usize) -> usize {
        self.kept.as_ref().map_or(point, |kept| kept[point])
    }

    /// The rows that are masked.
    pub fn masked(&self) -> impl Iterator<Item = usize> {
        let mut kept = self.kept.iter().flatten().peekable();
        let some = if self.kept.is_some() { self.of } else { 0 };
        (0..some).filter(move |row| kept.next_if_eq(&row).is_none())
    }

    /// Codes of the datapoints as codes of the file's rows: a masked row has none. Lent where none
    /// is masked.
    ///
    /// # Panics
    /// Unless there are as many datapoints as rows are kept.
    #[must_use]
    pub fn spread<'c>(&self, codes: &'c Codes) -> Cow<'c, Codes> {
        assert_eq!(codes.datapoints(), self.len(), "a datapoint a row");
        let Some(kept) = &self.kept else { return Cow::Borrowed(codes) };
        let mut csr = codes.to_csr();
        let mut indptr = Vec::with_capacity(self.of + 1);
        for (point, row) in kept.iter().enumerate() {
            // The rows before this one, up to the last datapoint's, end where it begins.
            indptr.resize(row + 1, csr.indptr[point]);
        }
        indptr.resize(self.of + 1, csr.indptr[kept.len()]);
        csr.indptr = indptr;
        Cow::Owned(Codes::from_csr(csr).expect("codes of the same rows"))
    }

    /// Codes of the file's rows as codes of the datapoints; those of masked rows are left
    /// out, see [`Rows::stray`].
    ///
    /// # Panics
    /// Unless there are as many datapoints as the file has rows.
    #[must_use]
    pub fn restrict(&self, codes: &Codes) -> Codes {
        assert_eq!(codes.datapoints(), self.of, "a row of codes a row of the file");
        let Some(kept) = &self.kept else { return codes.clone() };
        let Csr { atoms, indptr, indices, values } = codes.to_csr();
        let mut few = Csr { atoms, indptr: vec![0], indices: Vec::new(), values: Vec::new() };
        for &row in kept {
            let range = indptr[row]..indptr[row + 1];
            few.indices.extend_from_slice(&indices[range.clone()]);
            few.values.extend_from_slice(&values[range]);
            few.indptr.push(few.indices.len());
        }
        Codes::from_csr(few).expect("codes of the same rows")
    }

    /// The first masked row that has codes.
    #[must_use]
    pub fn stray(&self, codes: &Codes) -> Option<usize> {
        self.masked().find(|row| codes.column(*row).nnz() > 0)
    }
}
