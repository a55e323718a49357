//! The lower triangle of a large symmetric matrix, a tile at a time, and its Cholesky factor.
//!
//! A proof that rests on a factorization of some thousand columns spends its time here. Half
//! the square is kept, 4·n² bytes; tiles are filled and factored in parallel, each by
//! sequential products in a fixed order, so the factor is the same for any number of
//! threads. For small matrices [`Cholesky`](super::Cholesky) is simpler.

use std::ops::Range;

use faer::linalg::matmul::matmul;
use faer::linalg::triangular_solve::{solve_lower_triangular_in_place, solve_upper_triangular_in_place};
use faer::{Accum, MatMut, MatRef, Par};
use rayon::prelude::*;

use super::{Cholesky, Matrix, axpy, dot, simd};
use crate::observer::Observer;

/// Rows and columns of a tile, 512 kB: two of them fit the second cache. Half as many would
/// cost a fifth of the products' speed, twice as many leave threads idle at the ends.
pub(crate) const TILE: usize = 256;

/// A symmetric matrix's lower triangle.
pub(crate) struct Triangle {
    order: usize,
    strips: Vec<Strip>,
}

/// Up to [`TILE`] columns, from their diagonal down.
pub(crate) struct Strip {
    /// The first column, and the first row.
    from: usize,
    width: usize,
    /// Tiles from the diagonal down, each column by column.
    tiles: Vec<Vec<f64>>,
    order: usize,
}

/// A tile to be filled.
pub(crate) struct Square<'a> {
    pub(crate) rows: Range<usize>,
    pub(crate) columns: Range<usize>,
    /// Column by column.
    pub(crate) values: &'a mut [f64],
}

/// What became of a factorization.
pub(crate) enum Factored {
    Done(Factor),
    /// A pivot is not positive: the matrix is not positive definite to working precision.
    Indefinite,
    Stopped,
}

impl Strip {
    fn new(order: usize, from: usize) -> Self {
        let width = TILE.min(order - from);
        let tiles = (from..order).step_by(TILE).map(|row| vec![0.0; TILE.min(order - row) * width]);
        Self { from, width, tiles: tiles.collect(), order }
    }

    pub(crate) fn columns(&self) -> Range<usize> {
        self.from..self.from + self.width
    }

    fn rows_of(&self, tile: usize) -> Range<usize> {
        let first = self.from + tile * TILE;
        first..(first + TILE).min(self.order)
    }

    /// Visits the stored entries of a block, whose columns are the strip's, piece by piece: the
    /// offset of a piece among `rows`, its column, its entries. Rows above the strip are not
    /// stored.
    #[inline(always)]
    pub(crate) fn pieces(
        &mut self,
        columns: Range<usize>,
        rows: Range<usize>,
        mut visit: impl FnMut(usize, usize, &mut [f64]),
    ) {
        let mut row = rows.start.max(self.from);
        while row < rows.end {
            let at = (row - self.from) / TILE;
            let tile = self.rows_of(at);
            let end = tile.end.min(rows.end);
            for column in columns.clone() {
                let first = (column - self.from) * tile.len();
                let piece = first + row - tile.start..first + end - tile.start;
                visit(row - rows.start, column, &mut self.tiles[at][piece]);
            }
            row = end;
        }
    }
}

impl Triangle {
    pub(crate) fn zeros(order: usize) -> Self {
        let strips = (0..order).step_by(TILE).map(|from| Strip::new(order, from)).collect();
        Self { order, strips }
    }

    pub(crate) fn order(&self) -> usize {
        self.order
    }

    pub(crate) fn strips_mut(&mut self) -> &mut [Strip] {
        &mut self.strips
    }

    /// All tiles, those on the diagonal with both of their halves.
    pub(crate) fn squares(&mut self) -> Vec<Square<'_>> {
        let mut squares = Vec::new();
        for strip in &mut self.strips {
            let (order, from, columns) = (strip.order, strip.from, strip.columns());
            for (at, values) in strip.tiles.iter_mut().enumerate() {
                let first = from + at * TILE;
                let rows = first..(first + TILE).min(order);
                squares.push(Square { rows, columns: columns.clone(), values });
            }
        }
        squares
    }

    /// Entry (a, b) of the lower half, `a ≥ b`.
    pub(crate) fn get(&self, a: usize, b: usize) -> f64 {
        let strip = &self.strips[b / TILE];
        let tile = strip.rows_of(a / TILE - b / TILE);
        strip.tiles[a / TILE - b / TILE][(b - strip.from) * tile.len() + a - tile.start]
    }

    pub(crate) fn add_to_diagonal(&mut self, value: f64) {
        for strip in &mut self.strips {
            (0..strip.width).for_each(|a| strip.tiles[0][a * strip.width + a] += value);
        }
    }

    /// The Cholesky factor, tile by tile from the left. Every entry is one sum in a fixed
    /// order over the products of its definition. O(n³/3), parallel over tiles; asks the
    /// observer at every strip.
    pub(crate) fn factor(self, observer: &dyn Observer) -> Factored {
        let Self { order, mut strips } = self;
        for at in 0..strips.len() {
            if observer.poll().is_break() {
                return Factored::Stopped;
            }
            let (left, rest) = strips.split_at_mut(at);
            let strip = &mut rest[0];
            strip.tiles.par_iter_mut().enumerate().for_each(|(down, tile)| update(tile, left, at, at + down));
            let width = strip.width;
            let corner = Matrix::from_column_major(width, width, std::mem::take(&mut strip.tiles[0]));
            let Some(factor) = corner.ok().and_then(Cholesky::new) else { return Factored::Indefinite };
            strip.tiles[0] = factor.into_lower().into_vec();
            let (corner, below) = strip.tiles.split_at_mut(1);
            let corner = MatRef::from_column_major_slice(&corner[0], width, width);
            below.par_iter_mut().for_each(|tile| {
                let rows = tile.len() / width;
                let tile = MatMut::from_column_major_slice_mut(tile, rows, width);
                solve_lower_triangular_in_place(corner, tile.transpose_mut(), Par::Seq);
            });
        }
        Factored::Done(Factor { order, strips })
    }
}

/// Takes the products of the finished strips off tile (row, column) of the tiles.
fn update(tile: &mut [f64], left: &[Strip], column: usize, row: usize) {
    for (k, strip) in left.iter().enumerate() {
        let (l, r) = (strip.tile(row - k), strip.tile(column - k));
        let target = MatMut::from_column_major_slice_mut(tile, l.nrows(), r.nrows());
        matmul(target, Accum::Add, l, r.transpose(), -1.0, Par::Seq);
    }
}

impl Strip {
    fn tile(&self, at: usize) -> MatRef<'_, f64> {
        MatRef::from_column_major_slice(&self.tiles[at], self.rows_of(at).len(), self.width)
    }
}

/// A Cholesky factor by tiles.
pub(crate) struct Factor {
    order: usize,
    strips: Vec<Strip>,
}

impl Factor {
    /// `vector ← matrix⁻¹ vector`. O(n²).
    pub(crate) fn solve(&self, vector: &mut [f64]) {
        assert_eq!(vector.len(), self.order, "a number a row");
        for strip in &self.strips {
            let columns = strip.columns();
            let part = MatMut::from_column_major_slice_mut(&mut vector[columns.clone()], strip.width, 1);
            solve_lower_triangular_in_place(strip.tile(0), part, Par::Seq);
            let (done, rest) = vector[columns.start..].split_at_mut(strip.width);
            for (at, x) in strip.tiles.iter().enumerate().skip(1) {
                let rows = strip.rows_of(at);
                let into = &mut rest[rows.start - columns.end..rows.end - columns.end];
                simd(
                    #[inline(always)]
                    || x.chunks_exact(rows.len()).zip(done.iter()).for_each(|(x, y)| axpy(-y, x, into)),
                );
            }
        }
        for strip in self.strips.iter().rev() {
            let columns = strip.columns();
            let (part, rest) = vector[columns.start..].split_at_mut(strip.width);
            for (at, x) in strip.tiles.iter().enumerate().skip(1) {
                let rows = strip.rows_of(at);
                let from = &rest[rows.start - columns.end..rows.end - columns.end];
                simd(
                    #[inline(always)]
                    || x.chunks_exact(rows.len()).zip(part.iter_mut()).for_each(|(x, y)| *y -= dot(x, from)),
                );
            }
            let part = MatMut::from_column_major_slice_mut(part, strip.width, 1);
            solve_upper_triangular_in_place(strip.tile(0).transpose(), part, Par::Seq);
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// A positive definite matrix of some order with a smallest eigenvalue of about 1.
    fn positive(order: usize) -> Matrix {
        #[expect(clippy::cast_precision_loss, reason = "small integers")]
        let entry = |a: usize, b: usize| ((a * 31 + b * 17) % 23) as f64 / 23.0 - 0.5;
        let x = Matrix::from_fn(24, order, entry);
        let mut gram = x.transpose_times(&x);
        (0..order).for_each(|a| gram.col_mut(a)[a] += 1.0);
        gram
    }

    fn filled(matrix: &Matrix) -> Triangle {
        let mut triangle = Triangle::zeros(matrix.nrows());
        for square in triangle.squares() {
            let height = square.rows.len();
            for (c, b) in square.columns.enumerate() {
                square.values[c * height..(c + 1) * height]
                    .copy_from_slice(&matrix.col(b)[square.rows.clone()]);
            }
        }
        triangle
    }

    #[test]
    fn a_factor_solves_what_the_untiled_one_solves() {
        for order in [1, 5, TILE - 1, TILE, TILE + 1, 2 * TILE + 77] {
            let matrix = positive(order);
            let Factored::Done(factor) = filled(&matrix).factor(&()) else { panic!("{order}") };
            #[expect(clippy::cast_precision_loss, reason = "small integers")]
            let rhs: Vec<f64> = (0..order).map(|a| ((a * 7) % 5) as f64 - 2.0).collect();
            let mut found = rhs.clone();
            factor.solve(&mut found);
            let mut expected = Matrix::from_columns(order, &[&rhs]);
            Cholesky::new(matrix).unwrap().solve(&mut expected);
            let error = found.iter().zip(expected.as_slice()).map(|(l, r)| (l - r).abs());
            assert!(error.fold(0.0, crate::num::max) < 1e-12, "{order}");
        }
    }

    /// A proof may not depend on the number of threads: every entry of the factor is the same.
    #[test]
    fn a_factor_is_the_same_for_any_threads() {
        let matrix = positive(3 * TILE + 5);
        let factor = |threads: usize| {
            let pool = rayon::ThreadPoolBuilder::new().num_threads(threads).build().unwrap();
            let factored = pool.install(|| filled(&matrix).factor(&()));
            let Factored::Done(factor) = factored else { panic!("{threads} threads") };
            let entries = factor.strips.into_iter().flat_map(|strip| strip.tiles).flatten();
            entries.map(f64::to_bits).collect::<Vec<_>>()
        };
        let one = factor(1);
        assert!(one == factor(2) && one == factor(7));
    }

    /// Taking more than the smallest eigenvalue off the diagonal is noticed, in the first tile
    /// and in the last.
    #[test]
    fn an_indefinite_matrix_has_no_factor() {
        let order = 2 * TILE + 9;
        for at in [0, order - 1] {
            let mut matrix = positive(order);
            matrix.col_mut(at)[at] -= 40.0;
            assert!(matches!(filled(&matrix).factor(&()), Factored::Indefinite));
        }
        let mut triangle = filled(&positive(order));
        triangle.add_to_diagonal(-1.5);
        assert!(matches!(triangle.factor(&()), Factored::Indefinite));
    }

    #[test]
    fn pieces_of_a_column_are_its_stored_rows() {
        let order = 2 * TILE + 9;
        let matrix = positive(order);
        let mut triangle = Triangle::zeros(order);
        for strip in triangle.strips_mut() {
            strip.pieces(strip.columns(), 3..order, |offset, b, piece| {
                let rows = 3 + offset..3 + offset + piece.len();
                piece.copy_from_slice(&matrix.col(b)[rows]);
            });
        }
        for b in 0..order {
            for a in b.max(3)..order {
                assert_eq!(triangle.get(a, b).to_bits(), matrix.get(a, b).to_bits(), "{a}, {b}");
            }
        }
    }
}
