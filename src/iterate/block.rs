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

use super::{Iterate, directions, to_unit};
use crate::linalg::{
    CodeRows, Matrix, Row, Term, add_terms, axpy, correlate_rows, dot, is_sparse, products_of_rows,
    rows_together, simd, times_rows,
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
pub(super) const ATOMS: usize = 32;

impl Iterate<'_> {
    /// Atoms in a block. Each has a dense row in the panel.
    pub(crate) fn block(&self) -> usize {
        rows_together(self.problem.dim(), 1..=ATOMS, self.problem.total())
    }

    /// One exact step on each of the atoms `from..to`, then the center. Never raises
    /// the objective (theorem `gauge-calculus`). O(nN) an atom.
    pub(crate) fn update(&mut self, from: usize, to: usize, moves: Moves) {
        let (len, b, share) = (self.problem.len(), to - from, self.problem.share());
        let a = self.problem.data().sqrt_weights();
        self.materialize();
        let n = self.problem.dim();
        let rows = self.rows(from, to);
        let held = &CodeRows::new(share, n, rows.iter().map(|row| &**row));
        let old = directions(n, &self.atoms[from..to]);
        let new = match moves {
            Moves::Codes => old.clone(),
            Moves::Directions | Moves::Both => self.turned(from, &old, held),
        };
        if moves == Moves::Directions {
            let mut turn = old.clone();
            axpy(-1.0, new.as_slice(), turn.as_mut_slice());
            let turned = Term { scale: 1.0, directions: &turn, rows: held };
            add_terms(share, &mut self.residual, &[turned]);
        } else {
            let mix = Matrix::from_fn(b, b, |j, k| {
                let kept = dot(old.col(j), new.col(k));
                if j <= k { kept } else { kept - dot(new.col(j), new.col(k)) }
            });
            self.panel.reshape(len, b);
            correlate_rows(share, &self.residual, &new, Some((&mix, held)), &mut self.panel);
            for k in 0..b {
                let (before, v) = self.panel.split_row_mut(k);
                for (j, atom) in self.atoms[from..from + k].iter().enumerate() {
                    if atom.row.is_empty() {
                        continue;
                    }
                    let cosine = dot(new.col(j), new.col(k));
                    if is_sparse(atom.row.len(), len) {
                        atom.row.iter().for_each(|(i, z)| v[i] -= cosine * z);
                    } else {
                        simd(
                            #[inline(always)]
                            || axpy(-cosine, before.row(j), v),
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
            let made = &CodeRows::new(share, n, self.atoms[from..to].iter().map(|atom| &*atom.row));
            let before = Term { scale: 1.0, directions: &old, rows: held };
            let after = Term { scale: -1.0, directions: &new, rows: made };
            add_terms(share, &mut self.residual, &[before, after]);
        }
        if self.problem.centered() {
            let masses = share.sum(2 * b, usize::MAX, |run| {
                let mass = |row: &Row| row.within(run.clone()).map(|(i, z)| a[i] * z).sum();
                let after = self.atoms[from..to].iter().map(|atom| &atom.row);
                rows.iter().chain(after).map(|row| mass(row)).collect()
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

    /// The rows of the atoms `from..to`.
    fn rows(&self, from: usize, to: usize) -> Vec<Arc<Row>> {
        self.atoms[from..to].iter().map(|atom| Arc::clone(&atom.row)).collect()
    }

    /// The best direction of each atom of the block for its codes. The direction of an unused atom
    /// stays.
    fn turned(&self, from: usize, old: &Matrix, rows: &CodeRows<'_>) -> Matrix {
        let b = old.ncols();
        let share = self.problem.share();
        let images = times_rows(share, &self.residual, rows);
        let products = products_of_rows(share, old.nrows(), rows);
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
