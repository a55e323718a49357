//! Correlations of atoms with residuals in single precision: twice the speed, and
//! enough to tell which few atoms an exact inner product is worth.

use faer::reborrow::ReborrowMut;
use faer::{MatMut, MatRef, Par};
use rayon::prelude::*;

use crate::linalg::{Matrix, norm, simd};

/// Unit roundoff of single precision.
const ROUNDOFF: f64 = 1.0 / (1_u64 << 24) as f64;

/// Roundings besides those of an inner product's n terms: of both factors, and of the
/// bounds that correlations are compared with.
const OTHER_ROUNDINGS: usize = 8;

/// Atoms of a panel: a multiple of the rows that products of single precision take at once
/// (96 with AVX-512), few enough for a panel of a few hundred dimensions to stay in the second
/// cache. Between half and twice as many the times do not differ.
const PANEL: usize = 480;

/// The nearest number in single precision.
#[inline(always)]
#[expect(clippy::cast_possible_truncation, reason = "rounding is the purpose")]
pub(super) fn single(value: f64) -> f32 {
    value as f32
}

/// A dictionary in single precision.
pub(super) struct Screen {
    dim: usize,
    len: usize,
    /// Panels of [`PANEL`] unit atoms: within one, the first coordinates of its atoms, then the
    /// second ones. So a product reads them as they lie, where it would copy each block of whole
    /// atoms into this order, at a third of its price.
    atoms: Vec<f32>,
    error: f64,
}

impl Screen {
    /// The unit columns of `atoms`.
    pub(super) fn new(atoms: &Matrix) -> Self {
        let (dim, len) = (atoms.nrows(), atoms.ncols());
        let rounded = (dim + OTHER_ROUNDINGS) as f64 * ROUNDOFF;
        let mut panels = vec![0.0; dim * len];
        if dim > 0 {
            panels.par_chunks_mut(dim * PANEL).zip(atoms.as_slice().par_chunks(dim * PANEL)).for_each(
                |(panel, atoms)| {
                    let width = atoms.len() / dim;
                    for (k, atom) in atoms.chunks_exact(dim).enumerate() {
                        for (row, &value) in panel.chunks_exact_mut(width).zip(atom) {
                            row[k] = single(value);
                        }
                    }
                },
            );
        }
        Self {
            dim,
            len,
            atoms: panels,
            // Beyond any use of single precision nothing is screened.
            error: if rounded < 0.5 { rounded / (1.0 - rounded) } else { f64::INFINITY },
        }
    }

    /// What a correlation with a unit residual differs from the exact one by at most:
    /// `ku/(1 − ku)`, k = n + 8 (theorem `rounding`, item 10).
    pub(super) fn error(&self) -> f64 {
        self.error
    }

    /// Writes `Dᵀr/‖r‖` (0 for `r = 0`) for the residuals end to end in `residuals`, and
    /// the residuals at length 1.
    pub(super) fn correlate(&self, residuals: &[f64], units: &mut Vec<f32>, correlations: &mut Vec<f32>) {
        units.clear();
        for r in residuals.chunks_exact(self.dim) {
            simd(
                #[inline(always)]
                || {
                    let length = norm(r);
                    let length = if length > 0.0 { length } else { 1.0 };
                    units.extend(r.iter().map(|v| single(v / length)));
                },
            );
        }
        let count = units.len() / self.dim;
        correlations.resize(self.len * count, 0.0);
        let units = MatRef::from_column_major_slice(units, self.dim, count);
        let mut out = MatMut::from_column_major_slice_mut(correlations, self.len, count);
        for (p, panel) in self.atoms.chunks(PANEL * self.dim.max(1)).enumerate() {
            let width = panel.len() / self.dim;
            faer::linalg::matmul::matmul(
                out.rb_mut().subrows_mut(p * PANEL, width),
                faer::Accum::Replace,
                MatRef::from_column_major_slice(panel, width, self.dim),
                units,
                1.0,
                Par::Seq,
            );
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::linalg::dot;

    #[test]
    fn the_error_covers_what_single_precision_loses() {
        for (n, m) in [(1, 3), (7, 20), (64, 50), (500, 40)] {
            // Of one sign, so that nothing cancels and roundings add up, and of both.
            for signs in [1.0, -1.0] {
                let entry = |i: usize, k: usize| {
                    let v = 1.0 + ((i * 37 + k * 101) % 89) as f64 / 97.0;
                    if (i * k) % 3 == 1 { signs * v } else { v }
                };
                let mut atoms = Matrix::from_fn(n, m, entry);
                for k in 0..m {
                    let length = norm(atoms.col(k));
                    atoms.col_mut(k).iter_mut().for_each(|v| *v /= length);
                }
                let screen = Screen::new(&atoms);
                for scale in [1e-200, 1.0, 1e100] {
                    let residuals: Vec<f64> = (0..3 * n).map(|j| scale * entry(j % n, j / n + 5)).collect();
                    let (mut units, mut found) = (Vec::new(), Vec::new());
                    screen.correlate(&residuals, &mut units, &mut found);
                    for (j, r) in residuals.chunks_exact(n).enumerate() {
                        let length = r.iter().fold(0.0, |s: f64, v| s.hypot(*v));
                        for k in 0..m {
                            let exact = dot(atoms.col(k), r) / length;
                            let error = (f64::from(found[j * m + k]) - exact).abs();
                            assert!(error <= screen.error() || norm(r) == 0.0, "{error}");
                        }
                    }
                }
            }
        }
    }
}
