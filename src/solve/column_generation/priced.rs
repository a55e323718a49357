//! Codes of single datapoints at the prices that all others make.
//!
//! Where `s` and `g` are the mass and the price of an atom, a code that grows from `z` to `z + dz`
//! at one datapoint of weight w raises the price by `w (λ²s + γ²z)/g dz` to first order. Another
//! sample has about the same s and g. Taken as given, they leave a problem for every datapoint alone:
//! `min_{z≥0} ½‖x − b − Dz‖² + Σ pₖzₖ + ½ρₖzₖ²` with `pₖ = λ²sₖ/gₖ` and `ρₖ = γ²/gₖ`. Twin atoms
//! share a datapoint as in the sample: sweeps from zero over single rows would leave all to the first.

use std::ops::Range;

use rayon::prelude::*;
use sprs::CsVecView;

use crate::atoms::{Codes, Dictionary, Factorization};
use crate::gauge::Moments;
use crate::linalg::{Columns, Matrix, axpy, dot, simd};
use crate::num::max;
use crate::observer::{Latch, Observer};
use crate::problem::Problem;
use crate::solution::SolveError;

/// Sweeps over all atoms that may be used, and over those in use after each, for the code of a
/// datapoint. A descent goes on with codes and atoms together.
const SWEEPS: usize = 2;
const SWEEPS_IN_USE: usize = 4;

/// Share of its price that an atom's inner product with a datapoint must exceed to be tried there.
/// Beside the atoms in use others may gain: the descent looks at all.
const ABLE: f64 = 0.5;

/// Largest change of a code, relative to the largest code, that ends the sweeps over atoms in use.
const SETTLED: f64 = 1e-3;

/// Datapoints of a parallel task, between two polls of the observer, at most and at least, and inner
/// products with atoms that it holds.
const TASK: usize = 256;
const LEAST_TASK: usize = 16;
const CORRELATIONS: usize = 1 << 20;

/// Parallel tasks whose codes are held beside those of all datapoints.
const WAVE: usize = 1 << 8;

/// Atoms, and the center, of a solution, with what a datapoint pays for each.
pub(super) struct Priced {
    dictionary: Dictionary,
    center: Option<Vec<f64>>,
    /// `(pₖ, ρₖ)`.
    prices: Vec<(f64, f64)>,
    /// Codes a datapoint, in the mean: how much room those of others take.
    codes: f64,
}

impl Priced {
    pub(super) fn new(problem: &Problem, solved: &Factorization) -> Self {
        let (lambda, gamma) = (problem.lambda(), problem.gamma());
        let moments = Moments::of_rows(problem.share(), problem.data().weights(), &solved.codes().rows());
        let of_atom = |moments: Moments| {
            let price = problem.penalty().price(moments);
            if !(price > 0.0) {
                // Nobody uses it.
                return (f64::INFINITY, 0.0);
            }
            (lambda * (lambda * moments.mass / price), gamma * (gamma / price))
        };
        #[expect(clippy::cast_precision_loss, reason = "counts are far below 2^53")]
        let codes = solved.codes().nnz() as f64 / solved.codes().datapoints().max(1) as f64;
        Self {
            dictionary: solved.dictionary().clone(),
            codes,
            center: solved.center().map(<[f64]>::to_vec),
            prices: moments.into_iter().map(of_atom).collect(),
        }
    }

    /// Codes of other datapoints. O(nNM). A run that is to stop still has one sweep over all atoms
    /// for each datapoint: without codes, what it found would be lost.
    pub(super) fn code(
        &self,
        problem: &Problem,
        observer: &dyn Observer,
    ) -> Result<Factorization, SolveError> {
        let latch = Latch::new(observer);
        self.each(problem, None, |_, residual, correlations, code| {
            let sweeps = if latch.poll().is_break() { 1 } else { SWEEPS };
            let able = (0..code.len()).filter(|&k| correlations[k] > ABLE * self.prices[k].0).collect();
            self.descend(able, sweeps, code, residual);
        })
    }

    /// The factorization with other codes where they violate their conditions by more than a
    /// `tolerance`, in units of the gradient. O(nNM).
    pub(super) fn settled(
        &self,
        problem: &Problem,
        factorization: &Factorization,
        tolerance: f64,
        observer: &dyn Observer,
    ) -> Result<Factorization, SolveError> {
        let latch = Latch::new(observer);
        self.each(problem, Some(factorization.codes()), |used, residual, correlations, code| {
            if latch.poll().is_break() {
                return;
            }
            let slope = |k: usize| correlations[k] - self.prices[k].0 - self.prices[k].1 * code[k];
            let within = |k: usize| slope(k).abs() <= tolerance;
            let gaining: Vec<usize> = (0..code.len()).filter(|&k| slope(k) > tolerance).collect();
            if gaining.is_empty() && used.iter().all(|&k| within(k)) {
                return;
            }
            let mut able = [used, &gaining].concat();
            able.sort_unstable();
            able.dedup();
            self.descend(able, SWEEPS, code, residual);
        })
    }

    /// Lets `find` change the dense code of each datapoint, from where `start` has it. It gets the
    /// atoms in use, the residual and its inner products with all atoms.
    fn each(
        &self,
        problem: &Problem,
        start: Option<&Codes>,
        find: impl Fn(&[usize], &mut [f64], &[f64], &mut [f64]) + Sync,
    ) -> Result<Factorization, SolveError> {
        let (n, atoms, datapoints) = (problem.dim(), self.dictionary.len(), problem.data().datapoints());
        let task = (CORRELATIONS / atoms.max(1)).clamp(LEAST_TASK, TASK);
        let code = |run: Range<usize>| {
            let mut residuals = datapoints.run(run.clone()).into_owned();
            for (i, r) in run.clone().zip(residuals.chunks_exact_mut(n)) {
                if let Some(center) = &self.center {
                    axpy(-1.0, center, r);
                }
                let code = start.map(|codes| codes.column(i));
                for (k, &z) in code.iter().flat_map(CsVecView::iter) {
                    axpy(-z, self.dictionary.atom(k), r);
                }
            }
            let mut residuals = Matrix::from_column_major(n, run.len(), residuals).expect("whole columns");
            let correlations = self.dictionary.matrix().transpose_times(&residuals);
            let (mut part, mut code) = (Part::default(), vec![0.0; atoms]);
            for (at, i) in run.enumerate() {
                code.fill(0.0);
                let given = start.map(|codes| codes.column(i));
                let used = given.as_ref().map_or(&[][..], |given| given.indices());
                given.iter().flat_map(CsVecView::iter).for_each(|(k, &z)| code[k] = z);
                find(used, residuals.col_mut(at), correlations.col(at), &mut code);
                part.push(&code);
            }
            part
        };
        // The room of all at once: what grows piece by piece leaves its places empty.
        #[expect(clippy::cast_precision_loss, reason = "counts are far below 2^53")]
        #[expect(clippy::cast_possible_truncation, clippy::cast_sign_loss, reason = "a number of codes")]
        let expected = start.map_or((self.codes * problem.len() as f64) as usize, Codes::nnz);
        let mut codes = Part::with_room(problem.len(), expected + expected / 8);
        // Within grains: what rounding makes of a product may depend on its shape.
        for wave in problem.share().chunks(1 << task.ilog2()).chunks(WAVE) {
            let parts: Vec<Part> = wave.par_iter().map(|run| code(run.clone())).collect();
            parts.into_iter().for_each(|part| codes.append(part));
        }
        Ok(Factorization::new(self.dictionary.clone(), codes.into_codes(atoms), self.center.clone())?)
    }

    /// Coordinate descent over some atoms, ascending, and over those of them in use after each sweep.
    fn descend(&self, able: Vec<usize>, sweeps: usize, code: &mut [f64], residual: &mut [f64]) {
        let mut used: Vec<usize> = Vec::new();
        for _ in 0..sweeps {
            simd(
                #[inline(always)]
                || self.sweep(able.iter().copied(), code, residual),
            );
            used.clear();
            used.extend(able.iter().copied().filter(|&k| code[k] > 0.0));
            for _ in 0..SWEEPS_IN_USE {
                let (change, largest) = simd(
                    #[inline(always)]
                    || self.sweep(used.iter().copied(), code, residual),
                );
                if change <= SETTLED * largest {
                    break;
                }
            }
        }
    }

    /// Exact steps on the codes of `atoms`, one after another; gives the largest change and the
    /// largest code.
    #[inline(always)]
    fn sweep(
        &self,
        atoms: impl Iterator<Item = usize>,
        code: &mut [f64],
        residual: &mut [f64],
    ) -> (f64, f64) {
        let (mut change, mut largest) = (0.0, 0.0);
        for k in atoms {
            let (atom, (price, ridge)) = (self.dictionary.atom(k), self.prices[k]);
            let new = max((code[k] + dot(atom, residual) - price) / (1.0 + ridge), 0.0);
            let delta = new - code[k];
            if delta != 0.0 {
                axpy(-delta, atom, residual);
                code[k] = new;
                change = max(change, delta.abs());
            }
            largest = max(largest, new);
        }
        (change, largest)
    }
}

/// Codes of some datapoints in a row, end to end: a list a datapoint would take a third more memory,
/// in pieces that nothing else fits in afterwards.
#[derive(Default)]
struct Part {
    /// How many codes each datapoint has.
    counts: Vec<usize>,
    atoms: Vec<usize>,
    values: Vec<f64>,
}

impl Part {
    fn with_room(datapoints: usize, codes: usize) -> Self {
        Self {
            counts: Vec::with_capacity(datapoints),
            atoms: Vec::with_capacity(codes),
            values: Vec::with_capacity(codes),
        }
    }

    /// Takes the dense code of the next datapoint.
    fn push(&mut self, code: &[f64]) {
        let before = self.atoms.len();
        for (k, &z) in code.iter().enumerate().filter(|(_, z)| **z > 0.0) {
            self.atoms.push(k);
            self.values.push(z);
        }
        self.counts.push(self.atoms.len() - before);
    }

    /// Takes the codes of the datapoints that come next.
    fn append(&mut self, next: Self) {
        self.counts.extend(next.counts);
        self.atoms.extend(next.atoms);
        self.values.extend(next.values);
    }

    fn into_codes(self, atoms: usize) -> Codes {
        let mut starts = vec![0; self.counts.len() + 1];
        for (i, count) in self.counts.into_iter().enumerate() {
            starts[i + 1] = starts[i] + count;
        }
        Codes::from_csc(atoms, starts, self.atoms, self.values)
    }
}

#[cfg(test)]
mod tests {
    use std::ops::ControlFlow;

    use super::*;
    use crate::observer::{Interrupt, Progress};
    use crate::solve::column_generation::ColumnGeneration;
    use crate::trusted::{Subject, first_order};

    fn problem() -> Problem {
        let entry = |j: usize, i: usize| ((i * (2 * j + 3)) as f64).sin() + 0.7 * ((i % (j + 2)) as f64);
        let data = Matrix::from_fn(5, 200, entry);
        Problem::builder(data).lambda(0.4).gamma(0.2).centered(true).build().unwrap()
    }

    fn objective(problem: &Problem, point: &Factorization) -> f64 {
        crate::iterate::Iterate::from_factorization(problem, point).objective()
    }

    /// At a solution its prices ask for its codes.
    #[test]
    fn a_sample_prices_its_own_codes() {
        let problem = problem();
        let settings = ColumnGeneration { gap_tolerance: 1e-5, ..Default::default() };
        let solution = settings.solve(&problem).unwrap();
        let solved = solution.certified.solution();
        let found = Priced::new(&problem, solved).code(&problem, &()).unwrap();
        let (again, best) = (objective(&problem, &found), objective(&problem, solved));
        assert!((again - best).abs() < 1e-3 * best, "{again} {best}");
        // Twins included.
        let used = |point: &Factorization| point.codes().rows().iter().filter(|row| !row.is_empty()).count();
        assert_eq!(used(&found), used(solved));
    }

    /// Codes that single datapoints have wrong are found again; those of the others stay, to the bit.
    #[test]
    fn single_codes_are_settled() {
        let problem = problem();
        let settings = ColumnGeneration { gap_tolerance: 1e-6, ..Default::default() };
        let solution = settings.solve(&problem).unwrap();
        let solved = solution.certified.solution();
        let codes_of = |point: &Factorization| {
            let subject = Subject::of(&problem, point).unwrap();
            first_order::residuals(&subject).codes
        };
        let settle = |point: &Factorization, tolerance: f64| {
            Priced::new(&problem, point).settled(&problem, point, tolerance, &()).unwrap()
        };
        assert_eq!(&settle(solved, 2.0 * codes_of(solved).value), solved);
        let mut csr = solved.codes().to_csr();
        let wrong = [10, 100];
        for i in wrong {
            csr.values[csr.indptr[i]..csr.indptr[i + 1]].iter_mut().for_each(|z| *z *= 1.5);
        }
        let changed = Factorization::new(
            solved.dictionary().clone(),
            Codes::from_csr(csr).unwrap(),
            solved.center().map(<[f64]>::to_vec),
        );
        let changed = changed.unwrap();
        assert!(codes_of(&changed).relative() > 0.2);
        // The prices are those of the changed codes: a hundredth of the datapoints has moved them.
        let found = settle(&changed, 0.1 * codes_of(solved).scale);
        assert!(codes_of(&found).relative() < 0.1, "{:?}", codes_of(&found));
        assert!(objective(&problem, &found) < objective(&problem, &changed));
        for i in (0..problem.len()).filter(|i| !wrong.contains(i)) {
            assert_eq!(found.codes().column(i), solved.codes().column(i));
        }
    }

    /// A run that is to stop loses no atoms: one sweep leaves less than no code.
    #[test]
    fn codes_are_found_in_any_case() {
        let problem = problem();
        let solution = ColumnGeneration::default().solve(&problem).unwrap();
        let solved = solution.certified.solution();
        let stopped = |_: &Progress| ControlFlow::Break(Interrupt::Cancelled);
        let found = Priced::new(&problem, solved).code(&problem, &stopped).unwrap();
        let bare = Factorization::new(
            Dictionary::empty(problem.dim()),
            Codes::zeros(0, problem.len()),
            solved.center().map(<[f64]>::to_vec),
        );
        assert!(objective(&problem, &found) < 0.8 * objective(&problem, &bare.unwrap()));
    }
}
