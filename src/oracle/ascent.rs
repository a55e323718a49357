//! Multi-start ascent on `d ↦ g°(R̃ᵀd)` (theorem `gauge-calculus`).
//!
//! `z ← argmax` of the polar at `R̃ᵀd`, `d ← R̃z/‖R̃z‖`: the value never falls.
//! A local method: its largest value bounds Ω°(R̃) from *below*, so it yields new
//! atoms and estimates, never a certificate.

use rand::SeedableRng;
use rand::seq::index;
use rand_chacha::ChaCha8Rng;
use rayon::prelude::*;

use crate::gauge::Gauge;
use crate::linalg::{Matrix, axpy, combine, correlate, dot, norm};
use crate::observer::Observer;

/// A direction with the polar's value there.
#[derive(Clone, Debug, PartialEq)]
pub struct Candidate {
    /// Unit direction d.
    pub direction: Vec<f64>,
    /// `g°(R̃ᵀd)`: above 1, an atom along d lowers the objective.
    pub value: f64,
}

/// Multi-start ascent with its limits.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Ascent {
    /// Starts from residuals; where there are fewer residuals, the other starts are
    /// sums of two to four of them.
    pub starts: usize,
    /// Ascent steps a start: the value settles to the tolerance in 10 to 50.
    pub steps: usize,
    /// Relative increase below which an ascent stops.
    pub tolerance: f64,
    /// Seed of the choice of starts.
    pub seed: u64,
}

impl Default for Ascent {
    /// 60 starts of at most 60 steps: on data of some thousand points they find
    /// the maximisers that matter; ten times as many cost ten times as much and
    /// lower the estimated bound by less than its tolerance.
    fn default() -> Self {
        Self { starts: 60, steps: 60, tolerance: 1e-10, seed: 0 }
    }
}

impl Ascent {
    /// Ascends from residual directions and from `extra` ones; best first.
    ///
    /// `residual` is whitened (n × N). Ties are broken by start order, so the
    /// answer depends on the seed alone, not on the number of threads. A stop by the
    /// observer ends every ascent where it is.
    #[must_use]
    pub fn search(
        &self,
        gauge: &Gauge<'_>,
        residual: &Matrix,
        extra: &[Vec<f64>],
        observer: &dyn Observer,
    ) -> Vec<Candidate> {
        let len = residual.ncols();
        let mut rng = ChaCha8Rng::seed_from_u64(self.seed);
        let chosen: Vec<usize> = if len <= self.starts {
            (0..len).collect()
        } else {
            index::sample(&mut rng, len, self.starts).into_vec()
        };
        // A maximum may lie between residuals, out of reach of each of them alone.
        let sums: Vec<Vec<f64>> = (chosen.len()..if len < 3 { 0 } else { self.starts })
            .map(|s| {
                let mut sum = vec![0.0; residual.nrows()];
                for i in index::sample(&mut rng, len, (2 + s % 3).min(len)) {
                    axpy(1.0, residual.col(i), &mut sum);
                }
                sum
            })
            .collect();
        let starts: Vec<&[f64]> = extra
            .iter()
            .map(Vec::as_slice)
            .chain(chosen.iter().map(|&i| residual.col(i)))
            .chain(sums.iter().map(Vec::as_slice))
            .collect();
        let mut found: Vec<Candidate> =
            starts.par_iter().filter_map(|start| self.climb(gauge, residual, start, observer)).collect();
        found.sort_by(|l, r| r.value.total_cmp(&l.value));
        found
    }

    /// One ascent; `None` from a start without direction or value.
    fn climb(
        &self,
        gauge: &Gauge<'_>,
        residual: &Matrix,
        start: &[f64],
        observer: &dyn Observer,
    ) -> Option<Candidate> {
        let length = norm(start);
        if !(length > 0.0) {
            return None;
        }
        let mut direction: Vec<f64> = start.iter().map(|v| v / length).collect();
        let mut v = vec![0.0; residual.ncols()];
        let mut z = vec![0.0; residual.ncols()];
        let mut image = vec![0.0; residual.nrows()];
        let mut value = 0.0;
        for _ in 0..self.steps {
            if observer.poll().is_break() {
                break;
            }
            correlate(residual, &direction, &mut v);
            let polar = gauge.polar(&v, &mut z).value;
            if polar <= 0.0 {
                break;
            }
            let risen = polar - value;
            value = polar;
            if risen <= self.tolerance * value {
                break;
            }
            combine(residual, &z, &mut image);
            let length = norm(&image);
            if !(length > 0.0) {
                break;
            }
            direction.iter_mut().zip(&image).for_each(|(d, y)| *d = y / length);
            // ‖R̃z‖ ≥ g°(R̃ᵀd): the value at the next step, which may be the last.
        }
        (value > 0.0).then_some(Candidate { direction, value })
    }
}

/// The best candidates that differ from one another: cosine below `coherence`.
#[must_use]
pub(crate) fn distinct(candidates: Vec<Candidate>, coherence: f64, limit: usize) -> Vec<Candidate> {
    let mut kept: Vec<Candidate> = Vec::new();
    for candidate in candidates {
        if kept.len() == limit {
            break;
        }
        if kept.iter().all(|k| dot(&k.direction, &candidate.direction) < coherence) {
            kept.push(candidate);
        }
    }
    kept
}
