//! Codes of a dictionary that moves a little at a time: each datapoint starts from the code
//! it has, and what an atom is worth is found by coding without it.

use rayon::prelude::*;

use super::active_set::{ActiveSet, Datapoint};
use super::block::{Block, Solver};
use super::removal::Removal;
use super::screen::Screen;
use super::{Coder, Demand, datapoints_of_block};
use crate::linalg::Matrix;
use crate::observer::{Latch, Observer};

/// Relative duality gap at which a datapoint with a code is done: the next move of the
/// dictionary changes the objective by far more.
const GAP_TOLERANCE: f64 = 1e-11;

/// Datapoints of a parallel task that codes without an atom.
const TASK: usize = 32;

/// Datapoints (less their center) over the unit columns of a matrix, at a price.
#[derive(Clone, Copy)]
pub(crate) struct Lasso<'a> {
    /// The datapoints, n × N.
    pub(crate) datapoints: &'a Matrix,
    /// Unit atoms, n × M.
    pub(crate) atoms: &'a Matrix,
    /// `DᵀD`, where it is held: it saves the inner products of the atoms in use.
    pub(crate) gram: Option<&'a Matrix>,
    /// λ.
    pub(crate) lambda: f64,
}

impl Lasso<'_> {
    fn demand(&self) -> Demand {
        let max_steps = Coder::default().max_steps(self.datapoints.nrows());
        Demand { lambda: self.lambda, gap_tolerance: GAP_TOLERANCE, max_steps, stale: true }
    }

    /// Codes every datapoint from the code it has; gives `½‖x − Dz‖² + λ1ᵀz` a datapoint.
    /// Where the observer stops it, datapoints not reached keep their codes.
    ///
    /// O(nM) a round and datapoint, at the speed of products.
    pub(crate) fn recode(&self, codes: &mut [Vec<(usize, f64)>], observer: &dyn Observer) -> Vec<f64> {
        let n = self.datapoints.nrows();
        let demand = self.demand();
        let screen = Screen::new(self.atoms);
        let latch = Latch::new(observer);
        let together = datapoints_of_block(self.atoms);
        let values: Vec<Vec<f64>> = codes
            .par_chunks_mut(together)
            .zip(self.datapoints.as_slice().par_chunks(together * n.max(1)))
            .map_init(
                || Solver::new(self.atoms, &screen, self.gram),
                |solver, (codes, datapoints)| {
                    let block = Block { datapoints, count: codes.len(), starts: codes };
                    let coded = solver.solve(&block, &demand, &latch);
                    let mut entries = coded.entries.into_iter();
                    for (code, length) in codes.iter_mut().zip(coded.lengths) {
                        code.clear();
                        code.extend(entries.by_ref().take(length));
                    }
                    coded.objectives
                },
            )
            .collect();
        values.into_iter().flatten().collect()
    }

    /// What every atom is worth to every datapoint that uses it: the rise of
    /// `wᵢ(½‖xᵢ − Dzᵢ‖² + λ1ᵀzᵢ)` when the datapoint is coded without it, as (datapoint, atom,
    /// rise) in order. `values` are the datapoints' own objectives at `codes`. Where the observer
    /// stops it, an atom not tried is worth everything.
    pub(crate) fn removal_rises(
        &self,
        weights: &[f64],
        codes: &[Vec<(usize, f64)>],
        values: &[f64],
        observer: &dyn Observer,
    ) -> Vec<(usize, usize, f64)> {
        let demand = self.demand();
        let latch = Latch::new(observer);
        let rises: Vec<Vec<(usize, usize, f64)>> = codes
            .par_chunks(TASK)
            .enumerate()
            .map_init(
                || (ActiveSet::new(self.atoms, self.gram), self.gram.map(|g| Removal::new(self.atoms, g))),
                |(slow, fast), (task, codes)| {
                    let range: Vec<usize> = (task * TASK..task * TASK + codes.len()).collect();
                    let products = self
                        .gram
                        .map(|_| self.atoms.transpose_times(&self.datapoints.select_columns(&range)));
                    let mut rises = Vec::new();
                    for (offset, (&i, code)) in range.iter().zip(codes).enumerate() {
                        let products = products.as_ref().map(|p| p.col(offset));
                        let x = self.datapoints.col(i);
                        if let Some(fast) = fast.as_mut() {
                            fast.begin(x, code);
                        }
                        for (at, &(out, _)) in code.iter().enumerate() {
                            if latch.poll().is_break() {
                                rises.push((i, out, f64::INFINITY));
                                continue;
                            }
                            let value = fast
                                .as_mut()
                                .zip(products)
                                .and_then(|(fast, p)| fast.value_without(at, x, code, p, &demand));
                            let value = value.unwrap_or_else(|| {
                                let rest: Vec<(usize, f64)> =
                                    code.iter().copied().filter(|(k, _)| *k != out).collect();
                                let datapoint = Datapoint { x, products };
                                slow.solve_without(out, &datapoint, &rest, &demand, &latch).objective
                            });
                            rises.push((i, out, weights[i] * (value - values[i])));
                        }
                    }
                    rises
                },
            )
            .collect();
        rises.into_iter().flatten().collect()
    }
}
