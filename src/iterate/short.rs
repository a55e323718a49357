//! The short step: one atom over the datapoints that use it already.
//!
//! Where few datapoints use an atom, most of a block step looks for new ones and finds none.
//! A short step keeps the other codes at 0. It is the exact step of the problem so
//! restricted, so that it never raises the objective either; what it leaves out is for the next
//! sweep over all datapoints. O(n) a code in use, and O(N) without n for the proximal map.

use std::sync::Arc;

use super::{Iterate, to_unit};
use crate::linalg::{Row, axpy, dot, simd};

impl Iterate<'_> {
    /// The share of codes that are not 0, among those of all atoms and datapoints.
    pub(crate) fn density(&self) -> f64 {
        let [used] = self.share().sums(|run| {
            let within = |atom: &super::Atom| atom.row.within(run.clone()).len() as f64;
            [self.atoms.iter().map(within).sum()]
        });
        used / (self.atoms.len().max(1) as f64 * self.share().total() as f64)
    }

    /// An exact step on the direction of atom `k`, then on those of its codes that are not 0, then
    /// on the center. Never raises the objective (theorem `gauge-calculus`).
    pub(crate) fn shorten(&mut self, k: usize) {
        let row = std::mem::take(&mut self.atoms[k].row);
        let old = std::mem::take(&mut self.atoms[k].direction);
        let a = self.problem.data().sqrt_weights();
        let new = self.turned_alone(&old, &row);
        let mut wide = vec![0.0; old.len()];
        // v = d'ᵀ(r + z d) over the row, with what the pending move of the center takes.
        let (kept, moved) = (dot(&old, &new), dot(&self.offset, &new));
        simd(
            #[inline(always)]
            || {
                for (i, z) in row.iter() {
                    self.old[i] = dot(self.residual.column_in(i, &mut wide), &new) - moved * a[i] + kept * z;
                }
            },
        );
        let prox = self.gauge.prox(&self.old, 1.0, self.atoms[k].tau, &mut self.new);
        if self.problem.centered() {
            let [before, after] = self.share().sums(|run| {
                let mut mass = [0.0, 0.0];
                for (i, z) in row.within(run) {
                    mass[0] += a[i] * z;
                    mass[1] += a[i] * self.new[i];
                }
                mass
            });
            axpy(before, &old, &mut self.mean);
            axpy(-after, &new, &mut self.mean);
        }
        let mut short = Row::with_room(row.len());
        simd(
            #[inline(always)]
            || {
                for (i, z) in row.iter() {
                    let next = std::mem::take(&mut self.new[i]);
                    self.old[i] = 0.0;
                    self.residual.change_column(i, &mut wide, |column| {
                        for ((r, o), n) in column.iter_mut().zip(&old).zip(&new) {
                            *r += z * o - next * n;
                        }
                    });
                    if next != 0.0 {
                        short.indices.push(i);
                        short.values.push(next);
                    }
                }
            },
        );
        let atom = &mut self.atoms[k];
        (atom.row, atom.direction, atom.gauge, atom.tau) = (Arc::new(short), new, prox.gauge, prox.tau);
        self.recenter();
    }

    /// The best unit direction for a row in place of that of direction `old`: along
    /// `R̃z + ‖z‖² d`.
    fn turned_alone(&self, old: &[f64], row: &Row) -> Vec<f64> {
        let (n, a) = (old.len(), self.problem.data().sqrt_weights());
        let mut image = self.share().sum(n + 2, usize::MAX, |run| {
            let (mut sums, mut wide) = (vec![0.0; n + 2], vec![0.0; n]);
            let (image, rest) = sums.split_at_mut(n);
            simd(
                #[inline(always)]
                || {
                    for (i, z) in row.within(run) {
                        axpy(z, self.residual.column_in(i, &mut wide), image);
                        rest[0] += z * z;
                        rest[1] += a[i] * z;
                    }
                },
            );
            sums
        });
        let (mass, energy) = (image.pop().unwrap_or_default(), image.pop().unwrap_or_default());
        axpy(energy, old, &mut image);
        axpy(-mass, &self.offset, &mut image);
        if to_unit(&mut image) { image } else { old.to_vec() }
    }
}
