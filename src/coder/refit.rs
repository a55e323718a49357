//! The best values of codes whose supports stay: what is lost by values, and what by the
//! choice of atoms.

use rayon::prelude::*;

use super::active_set::{ActiveSet, Datapoint};
use super::block::Coded;
use super::{Coder, CoderError, CoderRun, DATAPOINTS, Demand, Encoded, Gathered, WAVE, check};
use crate::atoms::{Codes, Dictionary};
use crate::linalg::{Columns, Matrix, axpy};
use crate::observer::{Latch, Observer};

impl Coder {
    /// Finds the best codes that use no other atoms than `codes` do, a datapoint:
    /// least squares with z ≥ 0 on their supports at λ = 0.
    ///
    /// It is the active-set method on the atoms of a support; a value may become 0. Gaps
    /// are those among codes of the same support. O(n·s² + s³) time for a support of s atoms,
    /// O(ns) memory a thread.
    ///
    /// # Guarantees
    /// The objective of a datapoint is at most its gap above the least one among codes of its
    /// support, in floating point: [`coding-gap`](crate::proofs::coding_gap).
    ///
    /// # Errors
    /// As [`Coder::encode_with`].
    ///
    /// # Examples
    /// ```
    /// use widedict::{Codes, Dictionary, Matrix, coder::Coder};
    /// let atoms = Matrix::from_columns(2, &[[1.0, 0.0], [0.0, 1.0]]);
    /// let (dictionary, _) = Dictionary::normalize(atoms)?;
    /// let x = Matrix::from_columns(2, &[[3.0, 2.0]]);
    /// let codes = Codes::from_triplets(2, 1, [(0, 0, 7.0)])?;
    /// let refitted = Coder::default().refit(&x, &dictionary, 0.5, &codes, &())?;
    /// assert_eq!((refitted.codes.column(0).get(0), refitted.codes.nnz()), (Some(&2.5), 1));
    /// # Ok::<(), Box<dyn std::error::Error>>(())
    /// ```
    pub fn refit(
        &self,
        datapoints: &dyn Columns,
        dictionary: &Dictionary,
        lambda: f64,
        codes: &Codes,
        observer: &dyn Observer,
    ) -> Result<Encoded, CoderError> {
        let run = CoderRun { start: Some(codes), observer, ..CoderRun::default() };
        check(datapoints, dictionary, lambda, &run)?;
        let max_steps = self.max_steps(datapoints.nrows());
        let demand = Demand { lambda, gap_tolerance: self.gap_tolerance, max_steps, stale: false };
        let latch = Latch::new(observer);
        let mut gathered = Gathered::default();
        let count = datapoints.ncols();
        for from in (0..count).step_by(WAVE) {
            let to = (from + WAVE).min(count);
            let tasks = (from..to).into_par_iter().step_by(DATAPOINTS);
            let coded: Vec<Coded> = tasks
                .map(|from| {
                    let mut coded = Coded::default();
                    for i in from..(from + DATAPOINTS).min(to) {
                        let code: Vec<(usize, f64)> = codes.column(i).iter().map(|(k, &z)| (k, z)).collect();
                        refit(&datapoints.column(i), dictionary.matrix(), &code, &demand, &latch, &mut coded);
                    }
                    coded
                })
                .collect();
            coded.into_iter().for_each(|coded| gathered.push(coded));
            observer.progress(&gathered.progress(dictionary.len()));
        }
        Ok(gathered.finish(dictionary.len(), self.gap_tolerance, &latch))
    }
}

/// Refits one datapoint. Once the observer has stopped the run, the code stays, with its
/// objective as its gap: 0 is a lower bound.
fn refit(
    x: &[f64],
    atoms: &Matrix,
    code: &[(usize, f64)],
    demand: &Demand,
    latch: &Latch<'_>,
    coded: &mut Coded,
) {
    if latch.poll().is_break() {
        let mut residual = x.to_vec();
        code.iter().for_each(|&(k, z)| axpy(-z, atoms.col(k), &mut residual));
        let value = super::objective(&residual, code.iter().map(|(_, z)| z).sum(), demand.lambda);
        coded.push(code.iter().copied(), value, value);
        return;
    }
    let support: Vec<usize> = code.iter().map(|(k, _)| *k).collect();
    let warm: Vec<(usize, f64)> = code.iter().map(|(_, z)| *z).enumerate().collect();
    let few = atoms.select_columns(&support);
    let datapoint = Datapoint { x, products: None };
    let best = ActiveSet::new(&few, None).solve(&datapoint, &warm, demand, latch);
    let entries = best.entries.iter().map(|&(j, z)| (support[j], z));
    coded.push(entries, best.objective, best.gap);
    coded.at_rounding += usize::from(best.at_rounding);
    coded.work.handed_over += 1;
}
