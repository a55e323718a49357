//! Multi-start ascent on `d ↦ g°(R̃ᵀd)` (theorem `gauge-calculus`).
//!
//! An ascent alternates `z ← argmax` of the polar at `R̃ᵀd` with a step of d to `R̃z/‖R̃z‖` or
//! beyond. The value never falls. Many ascents share their products with the residual. The method
//! is local: its largest value bounds Ω°(R̃) from *below*. The method therefore yields new atoms
//! and estimates, never a certificate.

use rand::SeedableRng;
use rand::seq::index;
use rand_chacha::ChaCha8Rng;

use crate::gauge::{Gauge, Polar};
use crate::linalg::{
    Columns, Matrix, Panel, axpy, correlate_rows, dot, norm, norm_sq, rows_together, simd, times_panel,
};
use crate::num::{max, min};
use crate::observer::Observer;
use crate::reduce::Share;

/// Fewest and most ascents made together. Products of 32 run near full speed, those of 8 at half
/// of it.
const MIN_BATCH: usize = 8;
const MAX_BATCH: usize = 32;

/// Growth of an ascent's reach from step to step. At 1.7 as many steps fail as are saved.
const GROWTH: f64 = 1.3;

/// Cosine above which two ascents count as one: they are on the way to the same maximum,
/// and far closer than two new atoms of a round may be.
const MET: f64 = 1.0 - 1e-4;

/// When other ascents outnumber datapoints, an ascent compares its direction with theirs
/// every fourth step: the comparison then costs more than a step.
const LOOK_AROUND: usize = 4;

/// Datapoints of a sample on which ascents are made first, at least. Its maxima lie near those of
/// all datapoints, but their values scatter by the root of the datapoints that a direction explains,
/// by far more than maxima differ: one step on all datapoints tells which are the highest.
const FEWEST: usize = 1 << 12;

/// Relative increase below which an ascent on a sample stops: its maximum is only near to that of all
/// datapoints, where the ascent goes on.
const ROUGH: f64 = 1e-3;

/// Ascents that go on with all datapoints, those that stand highest there: a batch. A round takes 30
/// of them.
const FINALISTS: usize = 32;

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
    pub max_steps: usize,
    /// Relative increase below which an ascent stops.
    pub increase_tolerance: f64,
    /// Seed of the choice of starts.
    pub seed: u64,
}

impl Default for Ascent {
    /// 60 starts of at most 60 steps: on data of some thousand points they find
    /// the maximizers that matter; ten times as many cost ten times as much and
    /// lower the estimated bound by less than its tolerance.
    fn default() -> Self {
        Self { starts: 60, max_steps: 60, increase_tolerance: 1e-10, seed: 0 }
    }
}

impl Ascent {
    /// Ascends from residual directions and from `extra` ones; best first.
    ///
    /// `residual` is whitened (n × N). Ties are broken by start order, so the
    /// answer depends on the seed alone, not on the number of threads. A stop by the
    /// observer ends every ascent where it is.
    ///
    /// From 16 384 datapoints on the ascents are first made on a sample of them, drawn by the seed.
    /// Each start and each end of these then makes one step on all datapoints, and the highest go on
    /// there.
    #[must_use]
    pub fn search(
        &self,
        gauge: &Gauge<'_>,
        residual: &dyn Columns,
        extra: &[Vec<f64>],
        observer: &dyn Observer,
    ) -> Vec<Candidate> {
        let share = gauge.share();
        let len = share.total();
        let mut rng = ChaCha8Rng::seed_from_u64(self.seed);
        let chosen: Vec<usize> = if len <= self.starts {
            (0..len).collect()
        } else {
            index::sample(&mut rng, len, self.starts).into_vec()
        };
        // A maximum may lie between residuals, out of reach of each of them alone.
        let summed: Vec<Vec<usize>> = (chosen.len()..if len < 3 { 0 } else { self.starts })
            .map(|s| index::sample(&mut rng, len, (2 + s % 3).min(len)).into_vec())
            .collect();
        let numbers: Vec<usize> = chosen.iter().chain(summed.iter().flatten()).copied().collect();
        let rows = residual.nrows();
        let columns = share.columns(|i| residual.column(i), rows, &numbers);
        let mut columns = columns.chunks_exact(rows);
        let own: Vec<&[f64]> = columns.by_ref().take(chosen.len()).collect();
        let sums: Vec<Vec<f64>> = summed
            .iter()
            .map(|numbers| {
                let mut sum = vec![0.0; rows];
                columns.by_ref().take(numbers.len()).for_each(|column| axpy(1.0, column, &mut sum));
                sum
            })
            .collect();
        let starts: Vec<&[f64]> =
            extra.iter().map(Vec::as_slice).chain(own).chain(sums.iter().map(Vec::as_slice)).collect();
        match self.climb_on_sample(gauge, &share, residual, &starts, observer) {
            Some(rough) => self.climb_on(gauge, residual, &rough, &starts, observer),
            None => self.climb(gauge, residual, &starts, observer),
        }
    }

    /// The ascents on a sample of the datapoints; `None` where these are few.
    fn climb_on_sample(
        &self,
        gauge: &Gauge<'_>,
        share: &Share,
        residual: &dyn Columns,
        starts: &[&[f64]],
        observer: &dyn Observer,
    ) -> Option<Vec<Candidate>> {
        let (thinned, positions) = share.sample(share.thinning(FEWEST)?, self.seed)?;
        let mut a: Vec<f64> = positions.iter().map(|&i| gauge.sqrt_weights()[i]).collect();
        let [part] = thinned.sums(|run| [norm_sq(&a[run])]);
        if !(part > 0.0) {
            return None;
        }
        // Weights of a sample sum to 1 as those of all do.
        let factor = 1.0 / part.sqrt();
        a.iter_mut().for_each(|a| *a *= factor);
        let mut residual = residual.select_columns(&positions);
        residual.as_mut_slice().iter_mut().for_each(|r| *r *= factor);
        let rough = Self { increase_tolerance: max(self.increase_tolerance, ROUGH), ..*self };
        Some(rough.climb(&gauge.of_sample(&a, &thinned), &residual, starts, observer))
    }

    /// Goes on with all datapoints from where ascents on a sample ended, and from where they began:
    /// what few datapoints have, a sample does not see.
    fn climb_on(
        &self,
        gauge: &Gauge<'_>,
        residual: &dyn Columns,
        rough: &[Candidate],
        starts: &[&[f64]],
        observer: &dyn Observer,
    ) -> Vec<Candidate> {
        fn directions(candidates: &[Candidate]) -> impl Iterator<Item = &[f64]> {
            candidates.iter().map(|candidate| candidate.direction.as_slice())
        }
        let starts: Vec<&[f64]> = directions(rough).chain(starts.iter().copied()).collect();
        let step = Self { max_steps: self.max_steps.min(1), ..*self };
        let mut found = step.climb(gauge, residual, &starts, observer);
        let rest = found.split_off(found.len().min(FINALISTS));
        found = self.climb(gauge, residual, &directions(&found).collect::<Vec<_>>(), observer);
        found.extend(rest);
        found.sort_by(|l, r| r.value.total_cmp(&l.value));
        found
    }

    /// Runs all ascents in batches that share one product with the residual. An ascent that meets
    /// another one, under way or ended, is dropped.
    fn climb(
        &self,
        gauge: &Gauge<'_>,
        residual: &dyn Columns,
        starts: &[&[f64]],
        observer: &dyn Observer,
    ) -> Vec<Candidate> {
        let mut waiting = starts.iter().enumerate().filter_map(|(start, direction)| {
            let length = norm(direction);
            let direction: Vec<f64> = direction.iter().map(|v| v / length).collect();
            (length > 0.0).then(|| Climber::at(start, direction))
        });
        let mut ended: Vec<Climber> = Vec::new();
        let mut active: Vec<Climber> = Vec::new();
        let mut panel = Panel::default();
        let share = gauge.share();
        let together = rows_together(residual.nrows(), MIN_BATCH..=MAX_BATCH, share.total());
        // Directions have roots of one size: that of others is a better guess than none.
        let mut usual = 0.0;
        loop {
            let room = together - active.len();
            active.extend(waiting.by_ref().take(room).map(|climber| Climber { tau: usual, ..climber }));
            if active.is_empty() || self.max_steps == 0 {
                break;
            }
            if observer.poll().is_break() {
                ended.append(&mut active);
                break;
            }
            let count = active.len();
            let directions: Vec<&[f64]> = active.iter().map(|c| c.direction.as_slice()).collect();
            let directions = Matrix::from_columns(residual.nrows(), &directions);
            panel.reshape(residual.ncols(), count);
            correlate_rows(&share, residual, &directions, None, &mut panel);
            let hints: Vec<f64> = active.iter().map(|climber| climber.tau).collect();
            let polars = gauge.polars(&mut panel, &hints);
            usual = polars.iter().map(|polar| polar.tau).fold(f64::INFINITY, min);
            let images = times_panel(&share, residual, &panel, count);
            for (k, mut climber) in std::mem::take(&mut active).into_iter().enumerate() {
                climber.steps += 1;
                let more = climber.step(polars[k], images.col(k), self.increase_tolerance);
                let look = climber.steps % LOOK_AROUND == 0 || ended.len() + active.len() <= share.total();
                if !more || climber.steps >= self.max_steps {
                    climber.settle();
                    ended.push(climber);
                } else if !(look && climber.is_among(&ended, &active)) {
                    active.push(climber);
                }
            }
        }
        ended.retain(|climber| climber.value > 0.0);
        ended.sort_by(|l, r| r.value.total_cmp(&l.value).then(l.start.cmp(&r.start)));
        ended.into_iter().map(|c| Candidate { direction: c.reached, value: c.value }).collect()
    }
}

/// An ascent under way.
///
/// The step from d to `y/‖y‖`, `y = R̃z`, is sure: the value there is at least `‖y‖`, which is at
/// least the value at d. The value mostly rises further beyond `y/‖y‖`. The next direction is
/// therefore `d + α(y/‖y‖ − d)` with a growing α. Where the value falls below the sure bound, the
/// ascent returns to the sure direction.
struct Climber {
    /// Its place among the starts.
    start: usize,
    /// The best direction so far.
    reached: Vec<f64>,
    /// `g°(R̃ᵀd)` at the best direction, or its lower bound `‖y‖`; 0 before the first step.
    value: f64,
    /// Unit direction where the polar is asked next.
    direction: Vec<f64>,
    /// The sure direction, and the bound of the value there.
    sure: Vec<f64>,
    promised: f64,
    /// α.
    reach: f64,
    /// The polar's root at the last step, a guess for the next.
    tau: f64,
    steps: usize,
}

impl Climber {
    fn at(start: usize, direction: Vec<f64>) -> Self {
        Self {
            start,
            reached: direction.clone(),
            value: 0.0,
            sure: direction.clone(),
            direction,
            promised: 0.0,
            reach: 1.0,
            tau: 0.0,
            steps: 0,
        }
    }

    /// Takes the polar at `direction` and the image `y` of its maximizer. Returns whether there is
    /// more to gain.
    fn step(&mut self, polar: Polar, image: &[f64], tolerance: f64) -> bool {
        if polar.value < self.promised && self.reach > 1.0 {
            self.direction.clone_from(&self.sure);
            self.reach = 1.0;
            return true;
        }
        let risen = polar.value - self.value;
        self.tau = polar.tau;
        if polar.value > self.value {
            self.value = polar.value;
            self.reached.clone_from(&self.direction);
        }
        let length = norm(image);
        // An image that overflows has no direction.
        if !(risen > tolerance * polar.value && length > 0.0 && length.is_finite()) {
            return false;
        }
        self.sure.iter_mut().zip(image).for_each(|(s, y)| *s = y / length);
        self.promised = length;
        self.reach *= GROWTH;
        for (d, s) in self.direction.iter_mut().zip(&self.sure) {
            *d += self.reach * (s - *d);
        }
        let length = norm(&self.direction);
        if length > 0.0 {
            self.direction.iter_mut().for_each(|d| *d /= length);
        } else {
            self.direction.clone_from(&self.sure);
        }
        true
    }

    /// Ends the climb: takes the sure direction where its bound exceeds the best value.
    fn settle(&mut self) {
        if self.promised > self.value {
            (self.value, self.reached) = (self.promised, std::mem::take(&mut self.sure));
        }
    }

    /// Whether another ascent is at the same maximum or on its way to it.
    fn is_among(&self, ended: &[Self], active: &[Self]) -> bool {
        simd(
            #[inline(always)]
            || ended.iter().chain(active).any(|other| dot(&self.direction, &other.direction) > MET),
        )
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
