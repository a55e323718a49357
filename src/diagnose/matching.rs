//! Two dictionaries compared by optimal assignment.

use serde::Serialize;

use crate::atoms::Dictionary;
use crate::linalg::{Matrix, dot, fold_tiles};
use crate::observer::{Latch, Observer, Stop};

/// By what two atoms are alike.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize)]
#[serde(rename_all = "kebab-case")]
pub enum Similarity {
    /// The cosine, as codes are nonnegative.
    Cosine,
    /// Its absolute value: an atom and its opposite are the same direction.
    AbsoluteCosine,
}

impl Similarity {
    fn of(self, cosine: f64) -> f64 {
        match self {
            Self::Cosine => cosine,
            Self::AbsoluteCosine => cosine.abs(),
        }
    }
}

/// Atoms of one dictionary assigned to atoms of another, one to one, so that the sum
/// of their cosines, or of their absolute values, is largest.
///
/// # Examples
/// ```
/// use widedict::{Dictionary, Matrix, diagnose::{Similarity, compare}};
/// let (left, _) = Dictionary::normalize(Matrix::from_columns(2, &[[1.0, 0.0], [0.0, 1.0]]))?;
/// let (right, _) = Dictionary::normalize(Matrix::from_columns(2, &[[0.6, 0.8], [1.0, 0.1], [-1.0, 0.0]]))?;
/// let matched = compare(&left, &right, Similarity::Cosine, 0.9, 1_000_000, &())?;
/// assert_eq!(matched.pairs.iter().map(|p| (p.left, p.right)).collect::<Vec<_>>(), [(0, 1), (1, 0)]);
/// assert_eq!(matched.recovered, 1);
/// # Ok::<(), Box<dyn std::error::Error>>(())
/// ```
#[derive(Clone, Debug, PartialEq, Serialize)]
pub struct Matching {
    /// The assigned pairs, in the order of the left atoms; as many as the smaller
    /// dictionary has atoms.
    pub pairs: Vec<Matched>,
    /// What is largest in sum, and what the numbers below are of.
    pub by: Similarity,
    /// Mean of their cosines.
    pub mean_cosine: f64,
    /// Their median.
    pub median_cosine: f64,
    /// Pairs with a cosine of at least `threshold`.
    pub recovered: usize,
    /// That cosine.
    pub threshold: f64,
}

/// A pair of the assignment.
#[derive(Clone, Copy, Debug, PartialEq, Serialize)]
pub struct Matched {
    /// Atom of the left dictionary.
    pub left: usize,
    /// Atom of the right dictionary.
    pub right: usize,
    /// `d_leftᵀd_right`.
    pub cosine: f64,
}

/// Why two dictionaries are not compared.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum CompareError {
    /// Atoms of different dimensions.
    #[error("atoms have dimension {left} and {right}")]
    Dimension {
        /// Dimension on the left.
        left: usize,
        /// Dimension on the right.
        right: usize,
    },
    /// The assignment holds all cosines, and there are more than allowed.
    #[error(
        "{left} × {right} cosines are more than the {limit} allowed: raise the limit if the memory is there"
    )]
    TooMany {
        /// Atoms on the left.
        left: usize,
        /// Atoms on the right.
        right: usize,
        /// Most pairs allowed.
        limit: usize,
    },
    /// The observer stopped it: a part of an assignment is none.
    #[error("the comparison was stopped: {}", .0.as_str())]
    Stopped(Stop),
}

/// Assigns the atoms of one dictionary to those of another; `threshold` is the cosine from
/// which on an atom counts as recovered. The assignment is the best one up to rounding.
///
/// It takes shortest augmenting paths with potentials: O(m²M) time for m ≤ M atoms, and
/// memory for the m × M cosines, at most `max_pairs` of them.
///
/// # Errors
/// [`CompareError`].
pub fn compare(
    left: &Dictionary,
    right: &Dictionary,
    by: Similarity,
    threshold: f64,
    max_pairs: usize,
    observer: &dyn Observer,
) -> Result<Matching, CompareError> {
    if left.dim() != right.dim() {
        return Err(CompareError::Dimension { left: left.dim(), right: right.dim() });
    }
    if left.len().checked_mul(right.len()).is_none_or(|pairs| pairs > max_pairs) {
        return Err(CompareError::TooMany { left: left.len(), right: right.len(), limit: max_pairs });
    }
    let swapped = left.len() > right.len();
    let (few, many) = if swapped { (right, left) } else { (left, right) };
    // A column an atom of the smaller dictionary.
    let latch = Latch::new(observer);
    let mut alike = products(many, few, &latch);
    alike.as_mut_slice().iter_mut().for_each(|cosine| *cosine = by.of(*cosine));
    let assigned = assign(&alike, &latch);
    if let Some(interrupt) = latch.interrupt() {
        return Err(CompareError::Stopped(interrupt.into()));
    }
    let mut pairs: Vec<Matched> = assigned
        .into_iter()
        .enumerate()
        .map(|(few, many)| {
            // The pair has its sign.
            let other = if swapped { left.atom(many) } else { right.atom(many) };
            let atom = if swapped { right.atom(few) } else { left.atom(few) };
            let cosine = alike.get(many, few).copysign(match by {
                Similarity::Cosine => alike.get(many, few),
                Similarity::AbsoluteCosine => dot(atom, other),
            });
            if swapped {
                Matched { left: many, right: few, cosine }
            } else {
                Matched { left: few, right: many, cosine }
            }
        })
        .collect();
    pairs.sort_by_key(|p| p.left);
    let mut sorted: Vec<f64> = pairs.iter().map(|p| by.of(p.cosine)).collect();
    sorted.sort_by(f64::total_cmp);
    #[expect(clippy::cast_precision_loss, reason = "counts are far below 2^53")]
    let mean_cosine = if sorted.is_empty() { 0.0 } else { sorted.iter().sum::<f64>() / sorted.len() as f64 };
    Ok(Matching {
        by,
        mean_cosine,
        median_cosine: sorted.get(sorted.len() / 2).copied().unwrap_or(0.0),
        recovered: pairs.iter().filter(|p| by.of(p.cosine) >= threshold).count(),
        threshold,
        pairs,
    })
}

/// All cosines; those not reached before an interrupt are 0.
fn products(rows: &Dictionary, columns: &Dictionary, latch: &Latch<'_>) -> Matrix {
    let parts = fold_tiles(
        rows.matrix(),
        columns.matrix(),
        |_| if latch.poll().is_break() { 0 } else { rows.len() },
        Vec::new,
        |all: &mut Vec<(usize, usize, Vec<f64>)>, tile| {
            all.extend(tile.columns().map(|(j, products)| (j, tile.left().start, products.to_vec())));
        },
        |mut l, mut r| {
            l.append(&mut r);
            l
        },
    );
    let mut out = Matrix::zeros(rows.len(), columns.len());
    for (j, from, values) in parts {
        out.col_mut(j)[from..from + values.len()].copy_from_slice(&values);
    }
    out
}

/// For every column a row of its own, of the largest total; what is assigned of it before an
/// interrupt. At least as many rows as columns. (Jonker and Volgenant 1987; Crouse 2016.)
fn assign(gains: &Matrix, latch: &Latch<'_>) -> Vec<usize> {
    let mut assignment = Assignment::new(gains);
    for column in 0..gains.ncols() {
        if latch.poll().is_break() {
            break;
        }
        assignment.add(column);
    }
    assignment.row_of.into_iter().flatten().collect()
}

/// An assignment of some columns, with the potentials that prove it the best.
struct Assignment<'a> {
    gains: &'a Matrix,
    /// Potentials of the columns.
    u: Vec<f64>,
    /// Potentials of the rows.
    v: Vec<f64>,
    row_of: Vec<Option<usize>>,
    column_of: Vec<Option<usize>>,
    /// Shortest reduced length of a path to each row.
    shortest: Vec<f64>,
    /// The column before each row on that path.
    previous: Vec<usize>,
}

impl<'a> Assignment<'a> {
    fn new(gains: &'a Matrix) -> Self {
        let (rows, columns) = (gains.nrows(), gains.ncols());
        Self {
            gains,
            u: vec![0.0; columns],
            v: vec![0.0; rows],
            row_of: vec![None; columns],
            column_of: vec![None; rows],
            shortest: vec![f64::INFINITY; rows],
            previous: vec![0; rows],
        }
    }

    /// Assigns one more column along a shortest path to a free row.
    fn add(&mut self, start: usize) {
        let (end, length, passed) = self.path(start);
        self.u[start] += length;
        for &row in &passed {
            if let Some(column) = self.column_of[row].filter(|_| row != end) {
                self.u[column] += length - self.shortest[row];
            }
            self.v[row] -= length - self.shortest[row];
        }
        let mut row = end;
        loop {
            let column = self.previous[row];
            self.column_of[row] = Some(column);
            let next = self.row_of[column].replace(row);
            match next {
                Some(next) if column != start => row = next,
                _ => break,
            }
        }
    }

    /// The free row at the end of a shortest path from a column, its reduced length, and the
    /// rows passed (Dijkstra).
    fn path(&mut self, start: usize) -> (usize, f64, Vec<usize>) {
        self.shortest.fill(f64::INFINITY);
        let (mut passed, mut left): (Vec<usize>, Vec<usize>) = (Vec::new(), (0..self.v.len()).collect());
        let (mut column, mut length) = (start, 0.0);
        loop {
            let mut best: Option<(usize, f64)> = None;
            for (at, &row) in left.iter().enumerate() {
                let through = length - self.gains.get(row, column) - self.u[column] - self.v[row];
                if through < self.shortest[row] {
                    self.shortest[row] = through;
                    self.previous[row] = column;
                }
                let reached = self.shortest[row];
                // Among equals a free row ends the path.
                let closer = match best {
                    None => true,
                    Some((_, b)) => reached < b || (reached <= b && self.column_of[row].is_none()),
                };
                if closer {
                    best = Some((at, reached));
                }
            }
            let (at, reached) = best.expect("fewer columns than rows: one is left");
            length = reached;
            let row = left.swap_remove(at);
            passed.push(row);
            match self.column_of[row] {
                Some(next) => column = next,
                None => return (row, length, passed),
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Against all permutations, ties included.
    #[test]
    fn the_assignment_is_the_best() {
        fn best(gains: &Matrix, column: usize, used: &mut Vec<bool>) -> f64 {
            if column == gains.ncols() {
                return 0.0;
            }
            let mut most = f64::NEG_INFINITY;
            for row in 0..gains.nrows() {
                if !used[row] {
                    used[row] = true;
                    most = crate::num::max(most, gains.get(row, column) + best(gains, column + 1, used));
                    used[row] = false;
                }
            }
            most
        }
        let mut state = 7_u64;
        for (rows, columns) in [(1, 1), (3, 2), (4, 4), (6, 5), (6, 6), (7, 3)] {
            for levels in [2, 5, 1000] {
                for _ in 0..20 {
                    let gains = Matrix::from_fn(rows, columns, |_, _| {
                        state = state
                            .wrapping_mul(6_364_136_223_846_793_005)
                            .wrapping_add(1_442_695_040_888_963_407);
                        let level = u32::try_from((state >> 33) % levels).expect("small");
                        f64::from(level) - 1.0
                    });
                    let found = assign(&gains, &Latch::new(&()));
                    let mut distinct = found.clone();
                    distinct.sort_unstable();
                    distinct.dedup();
                    assert_eq!(distinct.len(), columns);
                    let total: f64 = found.iter().enumerate().map(|(j, &i)| gains.get(i, j)).sum();
                    assert!((total - best(&gains, 0, &mut vec![false; rows])).abs() < 1e-9);
                }
            }
        }
    }
}
