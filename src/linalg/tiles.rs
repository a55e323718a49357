//! All inner products between the columns of two matrices, a tile at a time.
//!
//! M² products of a wide dictionary do not fit in memory. A caller folds each tile into
//! what it needs of it (a largest value, a list of pairs), and the products are dropped.
//! Where the products themselves are wanted, form a matrix.

use faer::{MatMut, MatRef, Par};
use rayon::prelude::*;

use super::Matrix;

/// Right columns of a tile, those of a parallel task.
const RIGHT: usize = 128;

/// Left columns of a tile. With 128 right columns a tile is 1 MB: it stays in the
/// second cache while a product of this size runs at full speed.
const LEFT: usize = 1024;

/// The products of some columns of `left` with some of `right`.
pub(crate) struct Tile<'a> {
    first_left: usize,
    first_right: usize,
    left: usize,
    values: &'a [f64],
}

impl<'a> Tile<'a> {
    /// The left columns of this tile.
    pub(crate) fn left(&self) -> std::ops::Range<usize> {
        self.first_left..self.first_left + self.left
    }

    /// Every right column with its products with the left columns, in order.
    pub(crate) fn columns(&self) -> impl Iterator<Item = (usize, &'a [f64])> + use<'a> {
        let first = self.first_right;
        self.values.chunks_exact(self.left).enumerate().map(move |(at, products)| (first + at, products))
    }
}

/// Visits `leftᵀ · right` in tiles and folds them. For the block of right columns that
/// starts at `j`, only left columns below `until(j)` are visited. Blocks are merged
/// in any order, so `merge` must be associative and commutative.
/// O(rows · pairs) time, a tile of memory a thread.
pub(crate) fn fold_tiles<S: Send>(
    left: &Matrix,
    right: &Matrix,
    until: impl Fn(usize) -> usize + Sync,
    new: impl Fn() -> S + Sync + Send,
    visit: impl Fn(&mut S, &Tile<'_>) + Sync,
    merge: impl Fn(S, S) -> S + Sync + Send,
) -> S {
    let rows = left.nrows();
    assert_eq!(rows, right.nrows(), "both have columns of one length");
    (0..right.ncols().div_ceil(RIGHT))
        .into_par_iter()
        .map_init(Vec::new, |buffer: &mut Vec<f64>, block| {
            let (from, to) = (block * RIGHT, ((block + 1) * RIGHT).min(right.ncols()));
            let width = to - from;
            let columns = columns(right, from, to);
            let mut state = new();
            let end = until(from).min(left.ncols());
            for start in (0..end).step_by(LEFT) {
                let stop = (start + LEFT).min(end);
                let height = stop - start;
                buffer.resize(height * width, 0.0);
                faer::linalg::matmul::matmul(
                    MatMut::from_column_major_slice_mut(buffer, height, width),
                    faer::Accum::Replace,
                    self::columns(left, start, stop).transpose(),
                    columns,
                    1.0,
                    Par::Seq,
                );
                let tile = Tile { first_left: start, first_right: from, left: height, values: buffer };
                visit(&mut state, &tile);
            }
            state
        })
        .reduce(&new, &merge)
}

fn columns(matrix: &Matrix, from: usize, to: usize) -> MatRef<'_, f64> {
    let rows = matrix.nrows();
    MatRef::from_column_major_slice(&matrix.as_slice()[from * rows..to * rows], rows, to - from)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::linalg::dot;

    /// Sizes beyond a block on both sides, and products that are exact.
    #[test]
    fn every_pair_is_visited_once() {
        for (m, n) in [(1, 1), (1030, 3), (5, 260), (1025, 129)] {
            #[expect(clippy::cast_precision_loss, reason = "small integers")]
            let small = |i: usize, j: usize| ((i * 7 + j * 13) % 11) as f64 - 5.0;
            let (a, b) = (Matrix::from_fn(3, m, small), Matrix::from_fn(3, n, |i, j| small(i + 2, j)));
            let found = fold_tiles(
                &a,
                &b,
                |_| m,
                Vec::new,
                |all, tile| {
                    for (j, products) in tile.columns() {
                        all.extend(tile.left().zip(products).map(|(i, p)| (i, j, p.to_bits())));
                    }
                },
                |mut l, r| {
                    l.extend(r);
                    l
                },
            );
            let mut sorted = found;
            sorted.sort_unstable();
            let expected: Vec<_> = (0..m)
                .flat_map(|i| (0..n).map(move |j| (i, j)))
                .map(|(i, j)| (i, j, (dot(a.col(i), b.col(j)) + 0.0).to_bits()))
                .collect();
            assert_eq!(sorted.len(), expected.len());
            for (l, r) in sorted.iter().zip(&expected) {
                assert_eq!((l.0, l.1), (r.0, r.1));
                assert!((f64::from_bits(l.2) - f64::from_bits(r.2)).abs() < 1e-300);
            }
        }
    }
}
