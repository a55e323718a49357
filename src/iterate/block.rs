//! The block step: exact steps on b atoms, one after another, first on their directions,
//! then on their codes.
//!
//! A step on a single atom passes over the whole residual. A block makes these passes
//! together, as one product of matrices, and corrects the products for the steps already
//! made by b × b matrices. With D, Z the block's directions and whitened code rows before
//! the step, D', Z' after it, and R̃ the residual before it:
//!
//! - directions: `dₖ ∝ R̃zₖ + ‖zₖ‖²dₖ − Σ_{j<k} (zⱼᵀzₖ)(d'ⱼ − dⱼ)` from `R̃Zᵀ` and `ZZᵀ`;
//! - codes: `z'ₖ = prox_g(vₖ − Σ_{j<k} (d'ⱼᵀd'ₖ) z'ⱼ)` from `V = D'ᵀR̃ + CᵀZ`, where C
//!   takes the old rows out of the residual, but for those of later atoms, which stay with
//!   their new directions:
//!   `Cⱼₖ = dⱼᵀd'ₖ` for `j ≤ k` and `(dⱼ − d'ⱼ)ᵀd'ₖ` for `j > k`;
//! - residual: `R̃ + DZ − D'Z'`.

use std::sync::Arc;

use super::{Iterate, to_unit};
use crate::linalg::{
    Matrix, Row, add_rows, axpy, correlate_rows, dot, products_of_rows, rows_together, simd, times_rows,
};

/// What a block step moves.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Moves {
    /// Codes alone.
    Codes,
    /// Directions for the codes as they are.
    Directions,
    /// Directions, then codes.
    Both,
}

/// Most atoms in a block. Products of 16 rows run at half the speed of those of 32; a
/// block of 64 spends twice the time on the corrections between its atoms.
const ATOMS: usize = 32;

impl Iterate<'_> {
    /// Atoms in a block. Each has two dense rows in the panel.
    pub(crate) fn block(&self) -> usize {
        rows_together(self.problem.dim(), 1..=ATOMS, self.problem.total())
    }

    /// One exact step on each of the atoms `from..to`, then the center. Never raises
    /// the objective (theorem `gauge-calculus`). O(nN) an atom.
    pub(crate) fn update(&mut self, from: usize, to: usize, moves: Moves) {
        let (len, b, share) = (self.problem.len(), to - from, self.problem.share());
        let a = self.problem.data().sqrt_weights();
        self.materialize();
        self.panel.reshape(len, 2 * b);
        for j in 0..b {
            let row = self.panel.row_mut(j);
            row.fill(0.0);
            self.atoms[from + j].row.scatter(row);
        }
        let old = self.directions(from, to);
        let new = match moves {
            Moves::Codes => old.clone(),
            Moves::Directions | Moves::Both => self.turned(from, &old),
        };
        if moves == Moves::Directions {
            let mut turn = old.clone();
            axpy(-1.0, new.as_slice(), turn.as_mut_slice());
            add_rows(share, &mut self.residual, 1.0, &turn, &self.panel, 0);
        } else {
            let mix = Matrix::from_fn(b, b, |j, k| {
                let kept = dot(old.col(j), new.col(k));
                if j <= k { kept } else { kept - dot(new.col(j), new.col(k)) }
            });
            correlate_rows(share, &self.residual, &new, Some(&mix), &mut self.panel);
            for k in 0..b {
                let (before, v) = self.panel.split_row_mut(b + k);
                for j in 0..k {
                    if self.atoms[from + j].is_used() {
                        let cosine = dot(new.col(j), new.col(k));
                        simd(
                            #[inline(always)]
                            || axpy(-cosine, before.row(b + j), v),
                        );
                    }
                }
                let atom = &mut self.atoms[from + k];
                let prox = self.gauge.prox(v, 1.0, atom.tau, &mut self.new);
                v.copy_from_slice(&self.new);
                atom.row = Arc::new(Row::from_dense(v));
                (atom.gauge, atom.tau) = (prox.gauge, prox.tau);
            }
            self.new.fill(0.0);
            add_rows(share, &mut self.residual, 1.0, &old, &self.panel, 0);
            add_rows(share, &mut self.residual, -1.0, &new, &self.panel, b);
        }
        if self.problem.centered() {
            let first = if moves == Moves::Directions { 0 } else { b };
            let masses = share.sum(2 * b, usize::MAX, |run| {
                let mass = |j: usize| dot(&a[run.clone()], &self.panel.row(j)[run.clone()]);
                (0..b).map(mass).chain((first..first + b).map(mass)).collect()
            });
            for j in 0..b {
                axpy(masses[j], old.col(j), &mut self.mean);
                axpy(-masses[b + j], new.col(j), &mut self.mean);
            }
        }
        for j in 0..b {
            self.atoms[from + j].direction.copy_from_slice(new.col(j));
        }
        self.recenter();
    }

    /// The directions of the atoms `from..to`.
    pub(super) fn directions(&self, from: usize, to: usize) -> Matrix {
        let directions: Vec<&[f64]> = self.atoms[from..to].iter().map(|a| a.direction.as_slice()).collect();
        Matrix::from_columns(self.problem.dim(), &directions)
    }

    /// The best direction of each atom of the block for its codes, which the first rows of the
    /// panel hold. The direction of an unused atom stays.
    fn turned(&self, from: usize, old: &Matrix) -> Matrix {
        let b = old.ncols();
        let share = self.problem.share();
        let images = times_rows(share, &self.residual, &self.panel, b);
        let products = products_of_rows(share, &self.panel, b);
        let mut new = old.clone();
        let mut image = vec![0.0; old.nrows()];
        for k in 0..b {
            if !self.atoms[from + k].is_used() {
                continue;
            }
            image.copy_from_slice(images.col(k));
            axpy(products.get(k, k), old.col(k), &mut image);
            for j in 0..k {
                axpy(products.get(j, k), old.col(j), &mut image);
                axpy(-products.get(j, k), new.col(j), &mut image);
            }
            if to_unit(&mut image) {
                new.col_mut(k).copy_from_slice(&image);
            }
        }
        new
    }
}
