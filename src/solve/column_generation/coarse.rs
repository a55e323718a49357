//! A start for many datapoints: rounds of column generation on samples of them
//! ([`samples`](crate::solve::samples)).

use rayon::prelude::*;

use super::{ColumnGeneration, Rounds};
use crate::atoms::{Codes, Dictionary, Factorization};
use crate::gauge::Moments;
use crate::linalg::{Columns, axpy, dot, simd};
use crate::master::Method;
use crate::num::max;
use crate::observer::{Latch, Observer};
use crate::problem::Problem;
use crate::solution::{Run, SolveError};
use crate::solve::samples::{sample, thinnings};

/// Datapoints of the smallest sample, at least. With a quarter of them the next stage begins
/// with atoms that fit the sample more than the data.
const FEWEST: usize = 1 << 12;

/// Sweeps over all atoms, and over those in use after each, for the code of a datapoint. The
/// descent goes on with codes and atoms together.
const SWEEPS: usize = 4;
const SWEEPS_IN_USE: usize = 8;

/// Largest change of a code, relative to the largest code, that ends the sweeps over atoms in use.
const SETTLED: f64 = 1e-3;

/// Datapoints of a parallel task, between two polls of the observer.
const TASK: usize = 256;

/// A start from samples; `None` where datapoints are few, for another master, or where the
/// observer has broken.
pub(super) fn start(
    settings: &ColumnGeneration,
    problem: &Problem,
    run: &Run<'_>,
) -> Result<Option<Factorization>, SolveError> {
    if settings.master != Method::Proximal {
        return Ok(None);
    }
    let mut last: Option<Priced> = None;
    for every in thinnings(problem.share(), FEWEST) {
        if run.observer.poll().is_break() {
            break;
        }
        let Some(sample) = sample(problem, every, settings.seed) else { return Ok(None) };
        let begin = last.map(|last| last.code(&sample, run.observer)).transpose()?;
        let mut rounds =
            Rounds::new(*settings, &sample, &Run::observed(run.observer), begin.as_ref()).unconfirmed();
        rounds.by_ref().for_each(|round| run.observer.progress(&round.progress()));
        last = Some(Priced::new(&sample, &rounds.factorization()?));
    }
    last.map(|last| last.code(problem, run.observer)).transpose()
}

/// Atoms, and the center, of a sample, with what a datapoint pays for each.
///
/// Where `s` and `g` are the mass and the price of an atom, a code that grows from `z` to `z + dz`
/// at one datapoint of weight w raises the price by `w (λ²s + γ²z)/g dz` to first order. Another
/// sample has about the same s and g. Taken as given, they leave a problem for every datapoint alone:
/// `min_{z≥0} ½‖x − b − Dz‖² + Σ pₖzₖ + ½ρₖzₖ²` with `pₖ = λ²sₖ/gₖ` and `ρₖ = γ²/gₖ`. Twin atoms
/// share a datapoint as in the sample: sweeps from zero over single rows would leave all to the first.
struct Priced {
    dictionary: Dictionary,
    center: Option<Vec<f64>>,
    /// `(pₖ, ρₖ)`.
    prices: Vec<(f64, f64)>,
}

impl Priced {
    fn new(sample: &Problem, solved: &Factorization) -> Self {
        let (lambda, gamma) = (sample.lambda(), sample.gamma());
        let moments = Moments::of_rows(sample.share(), sample.data().weights(), &solved.codes().rows());
        let of_atom = |moments: Moments| {
            let price = sample.penalty().price(moments);
            if !(price > 0.0) {
                // Nobody uses it.
                return (f64::INFINITY, 0.0);
            }
            (lambda * (lambda * moments.mass / price), gamma * (gamma / price))
        };
        Self {
            dictionary: solved.dictionary().clone(),
            center: solved.center().map(<[f64]>::to_vec),
            prices: moments.into_iter().map(of_atom).collect(),
        }
    }

    /// Codes of other datapoints. O(nNM). A run that is to stop still has one sweep over all atoms
    /// for each datapoint: without codes, what it found would be lost.
    fn code(&self, problem: &Problem, observer: &dyn Observer) -> Result<Factorization, SolveError> {
        let latch = Latch::new(observer);
        let datapoints = problem.data().datapoints();
        let tasks = (0..problem.len()).into_par_iter().step_by(TASK).map(|from| {
            let mut codes = Vec::new();
            let sweeps = if latch.poll().is_break() { 1 } else { SWEEPS };
            for x in datapoints.run(from..(from + TASK).min(problem.len())).chunks_exact(problem.dim()) {
                codes.push(self.code_of(x, sweeps));
            }
            codes
        });
        let codes: Vec<Vec<(usize, f64)>> = tasks.collect::<Vec<_>>().into_iter().flatten().collect();
        let codes = Codes::from_columns(self.dictionary.len(), &codes);
        Ok(Factorization::new(self.dictionary.clone(), codes, self.center.clone())?)
    }

    /// The code of one datapoint by coordinate descent.
    fn code_of(&self, x: &[f64], sweeps: usize) -> Vec<(usize, f64)> {
        let mut residual = x.to_vec();
        if let Some(center) = &self.center {
            axpy(-1.0, center, &mut residual);
        }
        let mut code = vec![0.0; self.dictionary.len()];
        let mut used: Vec<usize> = Vec::new();
        for _ in 0..sweeps {
            simd(
                #[inline(always)]
                || self.sweep(0..code.len(), &mut code, &mut residual),
            );
            used.clear();
            used.extend((0..code.len()).filter(|&k| code[k] > 0.0));
            for _ in 0..SWEEPS_IN_USE {
                let (change, largest) = simd(
                    #[inline(always)]
                    || self.sweep(used.iter().copied(), &mut code, &mut residual),
                );
                if change <= SETTLED * largest {
                    break;
                }
            }
        }
        code.into_iter().enumerate().filter(|(_, z)| *z > 0.0).collect()
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

#[cfg(test)]
mod tests {
    use std::ops::ControlFlow;

    use super::*;
    use crate::linalg::Matrix;
    use crate::observer::{Interrupt, Progress};

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
