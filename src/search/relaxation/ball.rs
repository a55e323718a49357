//! The dual points that a matrix of prices allows, and the nearest of them.

use rayon::prelude::*;

use super::products::parallel_times;
use crate::linalg::{Cholesky, Matrix, axpy, combine, correlate, dot, symmetric_eigen};
use crate::num::min;
use crate::observer::Observer;

/// Columns of a system that one task solves. The number is fixed, so that the result does not
/// depend on the number of threads.
const SOLVED_COLUMNS: usize = 16;

/// The dual points with `RB⁻¹Rᵀ ⪯ I`, and `Ra = 0` where a center is learnt.
pub(super) struct Ball {
    factor: Cholesky,
    center: Option<Center>,
}

/// What keeps `Ra = 0`.
struct Center {
    a: Vec<f64>,
    /// `Ba`.
    image: Vec<f64>,
    /// `1/(aᵀBa)`.
    share: f64,
}

/// A concave function of R to maximize.
pub(super) struct Aim<'a> {
    pub(super) value: &'a dyn Fn(&Matrix) -> f64,
    /// Its gradient.
    pub(super) gradient: &'a dyn Fn(&Matrix) -> Matrix,
    /// Bounds of its curvature in the metric of B⁻¹.
    pub(super) least: f64,
    pub(super) most: f64,
}

impl Ball {
    /// From B, and from a where a center is learnt. `None` where B is not positive definite.
    pub(super) fn new(price: &Matrix, a: Option<&[f64]>) -> Option<Self> {
        let center = a.map(|a| {
            let image = image(price, a);
            let share = 1.0 / dot(&image, a);
            Center { a: a.to_vec(), image, share }
        });
        Some(Self { factor: Cholesky::new(price.clone())?, center })
    }

    /// Accelerated projected ascent from a point of any kind: the best value met and its point. O(nN²)
    /// a step; an observer ends it early. `None` where an eigendecomposition fails.
    pub(super) fn ascend(
        &self,
        price: &Matrix,
        start: Matrix,
        steps: usize,
        aim: &Aim<'_>,
        observer: &dyn Observer,
    ) -> Option<(f64, Matrix)> {
        let share = min((aim.least / aim.most).sqrt(), 1.0);
        let repeat = (1.0 - share) / (1.0 + share);
        let mut now = self.project(start)?;
        let mut ahead = now.clone();
        let mut best = ((aim.value)(&now), now.clone());
        for _ in 0..steps {
            if observer.poll().is_break() {
                break;
            }
            // In S = R B^{-1/2} the gradient is that in R, times B^{1/2}.
            let gradient = parallel_times(&(aim.gradient)(&ahead), price);
            axpy(1.0 / aim.most, gradient.as_slice(), ahead.as_mut_slice());
            let next = self.project(ahead)?;
            ahead = next.clone();
            axpy(repeat, next.as_slice(), ahead.as_mut_slice());
            axpy(-repeat, now.as_slice(), ahead.as_mut_slice());
            now = next;
            let value = (aim.value)(&now);
            if value > best.0 {
                best = (value, now.clone());
            }
        }
        Some(best)
    }

    /// The nearest point in the metric of B⁻¹.
    pub(super) fn project(&self, mut dual: Matrix) -> Option<Matrix> {
        if let Some(Center { a, image, share }) = &self.center {
            let mut sum = vec![0.0; dual.nrows()];
            combine(&dual, a, &mut sum);
            for (i, v) in image.iter().enumerate() {
                axpy(-share * v, &sum, dual.col_mut(i));
            }
        }
        let solved = self.solve(&dual);
        let (values, vectors) = symmetric_eigen(&dual.times(&solved))?;
        let first = values.partition_point(|&v| v <= 1.0);
        let large = vectors.select_columns(&(first..values.len()).collect::<Vec<_>>());
        let mut parts = large.transpose_times(&dual);
        for i in 0..parts.ncols() {
            for (v, value) in parts.col_mut(i).iter_mut().zip(&values[first..]) {
                *v *= 1.0 - 1.0 / value.sqrt();
            }
        }
        axpy(-1.0, large.times(&parts).as_slice(), dual.as_mut_slice());
        Some(dual)
    }

    /// `B⁻¹Rᵀ`, blocks of columns in parallel.
    fn solve(&self, dual: &Matrix) -> Matrix {
        let (n, len) = (dual.nrows(), dual.ncols());
        let mut out = Matrix::zeros(len, n);
        out.as_mut_slice().par_chunks_mut(SOLVED_COLUMNS * len).enumerate().for_each(|(c, block)| {
            let from = c * SOLVED_COLUMNS;
            let mut rhs = Matrix::from_fn(len, block.len() / len, |i, k| dual.get(from + k, i));
            self.factor.solve(&mut rhs);
            block.copy_from_slice(rhs.as_slice());
        });
        out
    }
}

/// `matrix · v` for a symmetric matrix.
pub(super) fn image(matrix: &Matrix, v: &[f64]) -> Vec<f64> {
    let mut out = vec![0.0; v.len()];
    correlate(matrix, v, &mut out);
    out
}
