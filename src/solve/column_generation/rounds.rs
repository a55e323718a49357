//! The outer loop as an iterator of states.

use std::ops::ControlFlow;

use super::ColumnGeneration;
use super::priced::Priced;
use crate::atoms::Factorization;
use crate::certificate::{self, Witness, certify_observed};
use crate::iterate::{Atom, Iterate, Moves};
use crate::linalg::{Columns, HELD, Matrix, Precision, dot, fits_single, largest_magnitude, norm_sq};
use crate::master::{Effort, Master, Method, Proximal, sweep_once};
use crate::num::{max, min};
use crate::observer::{Interrupt, Observer, Progress, Stop};
use crate::problem::Problem;
use crate::search::nuclear::Nuclear;
use crate::search::oracle::{Ascent, Candidate, distinct};
use crate::solution::{Keeper, Run, Solution, SolveError};
use crate::solve::trivial::{or_without_atoms, without_atoms};
use crate::trusted::Subject;
use crate::trusted::bounds;
use crate::trusted::first_order;
use crate::wide;

/// Two new atoms of one round differ by at least this cosine: closer ones would
/// be merged again. At 0.8 rounds add too few atoms, at 0.999 near-copies.
const NEW_COHERENCE: f64 = 0.98;

/// Pairs of atoms closer than this are tried as one. The trial is exact, so the
/// threshold only saves time.
const MERGE_COHERENCE: f64 = 0.95;

/// A polar within this of 1 offers nothing: rounding of the residual moves it so much.
const POLAR_SLACK: f64 = 1e-12;

/// Share of the gap's tolerance a sweep must gain to be followed by another.
/// Twice as much starves the atoms of descent where the tolerance is near, a tenth
/// wastes sweeps.
const SWEEP_SHARE: f64 = 5e-4;

/// Relative gap below which the share falls too. Near the optimum the error of the objective
/// is about the square of the gap, so a fixed share of the gap would stop every descent at
/// once. At 1e-2 runs to half a percent sweep more than they need, at 1e-4 runs to 1e-8 take
/// ten times the rounds.
const QUADRATIC_GAP: f64 = 3e-3;

/// A stop is confirmed with this many times the usual starts of the oracle, since the
/// estimate of the gap rests on what the oracle finds.
const CONFIRM_FACTOR: usize = 4;

/// Longest residuals that a search which confirms a stop starts from too.
const LONGEST: usize = 8;

/// The relative gap that codes of a sample's prices are taken to have, and most sweeps from them before
/// the oracle is asked: a few bring most of what many would.
const CODED_GAP: f64 = 0.05;
const SWEEPS_OF_CODED: usize = 6;

/// On a sample, from whose atoms another run begins, a sweep must gain so many times as much.
const STAGE_SHARE: f64 = 3.0;

/// On a sample an ascent of the oracle stops at an increase so many times as large.
const STAGE_ASCENT: f64 = 10.0;

/// Without a start the center is held at the Huber location of the data until atoms and
/// codes fit it: to this relative gap, or for so many rounds. From the mean, a center that
/// datapoints far away have dragged along would have to travel back, with atoms and codes
/// that fit every place on its way.
const HELD_GAP: f64 = 0.05;
const HELD_ROUNDS: usize = 10;

/// Relative increase, as a share of the gap's tolerance, below which an ascent of the
/// oracle stops: what it may still rise by is a small multiple of that.
const ASCENT_SHARE: f64 = 1e-4;

/// What an ascent may still rise by, at most, in units of the increase it stops at: an estimated bound
/// that is above the objective by no more is believed.
const UNRISEN: f64 = 10.0;

/// Relative rounding that an estimated bound may have: ten times that of sums over a million
/// datapoints.
const ESTIMATE_ROUNDING: f64 = 1e-9;

/// Relative stationarity a finished run is polished to, inside what the verdict asks
/// ([`certificate::Options::stationarity_tolerance`]).
const STATIONARITY: f64 = 0.02;

/// Most checks of the stationarity while polishing, and the sweeps between two: where they do not
/// suffice, the certificate says so.
const POLISH_ROUNDS: usize = 20;
const POLISH_SWEEPS: usize = 10;

/// Datapoints from which codes of single ones are settled before anything is swept: of few, a single
/// one moves the prices that are taken as given. The stationarity is the worst of all codes, and at as
/// many datapoints a sweep costs what a check does: these runs are polished to less, and checked more
/// often.
const MANY: usize = 1 << 14;
const STATIONARITY_OF_MANY: f64 = 0.04;
const POLISH_SWEEPS_OF_MANY: usize = 5;

/// Share of the stationarity within which a code is left as it is.
const SETTLED: f64 = 0.5;

/// Beyond [`HELD`] numbers the residual of the iterate is held in single precision, where the gap
/// asked for is no smaller than this: a sweep that is worth going on then lowers the objective by
/// a millionth at least, which is some hundred times what such a residual can hide.
const LEAST_GAP_IN_SINGLE: f64 = 1e-3;

/// The precision of the iterate's residual: a quarter of the memory of the run is saved where
/// datapoints are many.
fn precision(settings: &ColumnGeneration, problem: &Problem) -> Precision {
    let many = problem.dim() * problem.total() > HELD;
    if !many || settings.master != Method::Proximal || settings.gap_tolerance < LEAST_GAP_IN_SINGLE {
        return Precision::Double;
    }
    let (n, a, datapoints) = (problem.dim(), problem.data().sqrt_weights(), problem.data().datapoints());
    let [largest] = problem.share().largest(|run| {
        let columns = datapoints.run(run.clone());
        let whitened = columns.chunks_exact(n).zip(&a[run]).map(|(x, a)| a * largest_magnitude(x));
        [whitened.fold(0.0, max)]
    });
    if fits_single(largest) { Precision::Single } else { Precision::Double }
}

/// One state of the run.
#[derive(Clone, Debug, PartialEq)]
pub struct Round {
    /// Rounds so far.
    pub round: usize,
    /// Objective of the current iterate.
    pub objective: f64,
    /// Atoms in use.
    pub atoms: usize,
    /// Largest polar found: an estimate of Ω°(R̃) from below.
    pub polar: f64,
    /// The lower bound that polar would give; not certified. Where it is above the objective by no
    /// more than the oracle's ascents may still have risen, it is the objective.
    pub estimated_lower_bound: f64,
    /// Best certified lower bound so far.
    pub lower_bound: f64,
}

impl Round {
    pub(super) fn progress(&self) -> Progress {
        Progress {
            phase: "column generation",
            iteration: self.round,
            objective: self.objective,
            lower_bound: self.lower_bound,
            estimated_lower_bound: self.believable(),
            atoms: self.atoms,
        }
    }

    /// The estimated bound; NaN where it is above the objective, and so wrong unless by rounding.
    fn believable(&self) -> f64 {
        let wrong = self.estimated_lower_bound > self.objective * (1.0 + ESTIMATE_ROUNDING);
        if wrong { f64::NAN } else { self.estimated_lower_bound }
    }

    /// The smaller of the certified and the estimated relative gap.
    #[must_use]
    pub fn relative_gap(&self) -> f64 {
        if self.objective > 0.0 {
            let estimate = self.believable();
            let best = if estimate > self.lower_bound { estimate } else { self.lower_bound };
            max(self.objective - best, 0.0) / self.objective
        } else {
            0.0
        }
    }
}

/// The nuclear bound with its evidence.
pub(super) struct NuclearBound {
    map: Matrix,
    value: f64,
}

impl NuclearBound {
    /// Certified, where γ > 0. O(n²N), less than the first call of the oracle, and some ten to a few
    /// hundred decompositions of n × n: at n = 512 a quarter of a second each. It takes memory of
    /// the size of the data in doubles, so that it comes before there is an iterate.
    pub(super) fn of(problem: &Problem, observer: &dyn Observer) -> Option<Self> {
        let map = Nuclear::default().search(problem, observer)?.map;
        let bare = without_atoms(problem);
        let bound = bare.ok().and_then(|bare| {
            let subject = Subject::of(problem, &bare).ok()?;
            bounds::nuclear(&subject, &map)
        });
        Some(Self { map, value: bound.map_or(0.0, |bound| bound.lower.get()) })
    }
}

/// What polishing has come to.
enum Polished {
    Stationary,
    /// Not as measured, but codes have been settled since.
    Settled,
    Unsettled,
}

/// A run of column generation, one round a step.
pub struct Rounds<'p> {
    settings: ColumnGeneration,
    problem: &'p Problem,
    observer: &'p dyn Observer,
    keeper: Option<&'p dyn Keeper>,
    iterate: Iterate<'p>,
    /// Certified before the first round: `F_∞` where no center is learnt, or the nuclear bound.
    /// Neither depends on the iterate.
    lower_bound: f64,
    /// The evidence of the nuclear bound.
    nuclear: Option<Matrix>,
    /// Whether another run begins from the end of this one, see [`Rounds::stage`].
    stage: bool,
    /// Whether the iterate has the codes of a sample's prices as they came, see [`Rounds::coded`].
    coded: bool,
    /// The directions the last oracle call ended at.
    directions: Vec<Vec<f64>>,
    round: usize,
    stop: Option<Stop>,
    /// Why a master failed: the end of the run.
    failure: Option<SolveError>,
}

impl<'p> Rounds<'p> {
    /// A run from `start`, which comes before that of `run`.
    pub(super) fn new(
        settings: ColumnGeneration,
        problem: &'p Problem,
        run: &Run<'p>,
        start: Option<&Factorization>,
    ) -> Self {
        let bare = Iterate::holding(problem, precision(&settings, problem));
        let mut iterate = match start {
            Some(start) => bare.at(start),
            None => bare,
        };
        iterate.prune();
        if problem.centered() && start.is_none() {
            let price = problem.lambda().hypot(problem.gamma());
            iterate.hold_center(&wide::location(problem.data(), price, run.observer).center);
        }
        let lower_bound = if problem.centered() { 0.0 } else { bounds::wide_limit(problem).lower.get() };
        Self {
            settings,
            problem,
            observer: run.observer,
            keeper: run.keeper,
            iterate,
            lower_bound,
            nuclear: None,
            stage: false,
            coded: false,
            directions: Vec::new(),
            round: 0,
            stop: None,
            failure: None,
        }
    }

    /// The run with a bound that was certified beforehand.
    pub(super) fn bounded(self, NuclearBound { map, value }: NuclearBound) -> Self {
        Self { lower_bound: max(self.lower_bound, value), nuclear: Some(map), ..self }
    }

    /// A run on a sample, whose end only another run begins from: its gap is not searched again, and its
    /// descents end sooner.
    pub(super) fn stage(self) -> Self {
        Self { stage: true, ..self }
    }

    /// Whether the run starts at the codes of a sample's prices: it descends before it asks the oracle,
    /// which would find what they lack, and asks as if to confirm a stop, which it mostly does.
    pub(super) fn coded(self, coded: bool) -> Self {
        Self { coded, ..self }
    }

    /// Relative increase below which an ascent of the oracle stops.
    fn increase_tolerance(&self) -> f64 {
        let share = if self.stage { STAGE_ASCENT * ASCENT_SHARE } else { ASCENT_SHARE };
        share * min(self.settings.gap_tolerance, 1.0)
    }

    /// Asks the oracle, with `starts` starts, from where the last call ended and from `extra` directions.
    fn search(&mut self, starts: usize, extra: Vec<Vec<f64>>) -> Vec<Candidate> {
        let oracle = Ascent {
            starts,
            increase_tolerance: self.increase_tolerance(),
            seed: self.settings.seed.wrapping_add(self.round as u64),
            ..Ascent::default()
        };
        let gauge = self.iterate.gauge;
        let mut warm = std::mem::take(&mut self.directions);
        warm.extend(extra);
        // Ascents have rows of their own.
        self.iterate.release_panel();
        let found = oracle.search(&gauge, self.iterate.residual(), &warm, self.observer);
        self.directions = found.iter().take(8).map(|c| c.direction.clone()).collect();
        found
    }

    /// Asks the oracle as a stop does: with more starts, from every atom in use, because a maximum that
    /// splits from an atom's own is easily missed from afar, and from the longest residuals, because few
    /// datapoints with a direction of their own are seldom drawn.
    fn confirm(&mut self) -> Vec<Candidate> {
        let mut extra: Vec<Vec<f64>> = self.iterate.atoms.iter().map(|atom| atom.direction.clone()).collect();
        extra.extend(self.longest());
        self.search(Ascent::default().starts * CONFIRM_FACTOR, extra)
    }

    /// The longest residuals of all datapoints.
    fn longest(&mut self) -> Vec<Vec<f64>> {
        let (share, n) = (self.problem.share(), self.problem.dim());
        let residual = self.iterate.residual();
        let mut longest = Vec::new();
        for run in share.grains() {
            let residuals = residual.run(run.clone());
            longest.extend(run.zip(residuals.chunks_exact(n)).map(|(i, r)| (norm_sq(r), i)));
            longest.sort_by(|l: &(f64, usize), r| r.0.total_cmp(&l.0).then(l.1.cmp(&r.1)));
            longest.truncate(LONGEST);
        }
        let numbers = share.foremost(longest, LONGEST);
        share.columns(|i| residual.column(i), n, &numbers).chunks_exact(n).map(<[f64]>::to_vec).collect()
    }

    /// The state at the current iterate if the polar were `polar`.
    fn state(&mut self, polar: f64) -> Round {
        let objective = self.iterate.objective();
        let a = self.problem.data().sqrt_weights();
        let datapoints = self.problem.data().datapoints();
        let residual = self.iterate.residual();
        let [inner, square] = self.problem.share().sums(|run| {
            let (mut inner, mut square) = (0.0, 0.0);
            let residuals = residual.run(run.clone());
            for (i, r) in run.zip(residuals.chunks_exact(datapoints.nrows())) {
                inner += a[i] * dot(&datapoints.col(i), r);
                square += dot(r, r);
            }
            [inner, square]
        });
        let mut estimate = certificate::dual_value(inner, square, polar);
        // At an optimum the estimate is above the objective by what the ascents did not rise.
        if estimate > objective && estimate <= objective * (1.0 + UNRISEN * self.increase_tolerance()) {
            estimate = objective;
        }
        Round {
            round: self.round,
            objective,
            atoms: self.iterate.atoms.len(),
            polar,
            estimated_lower_bound: estimate,
            lower_bound: self.lower_bound,
        }
    }

    /// What a sweep must gain to be followed by another, at a relative gap.
    fn decrease_tolerance(&self, gap: f64, objective: f64) -> f64 {
        let gap = max(gap, self.settings.gap_tolerance);
        let share = if self.stage { STAGE_SHARE * SWEEP_SHARE } else { SWEEP_SHARE };
        share * min(gap / QUADRATIC_GAP, 1.0) * gap * objective
    }

    /// Sweeps from the codes of a sample's prices.
    fn arrive(&mut self) -> ControlFlow<()> {
        let objective = self.iterate.objective();
        let decrease_tolerance = self.decrease_tolerance(CODED_GAP, objective);
        self.descend(Effort { max_sweeps: SWEEPS_OF_CODED, decrease_tolerance })?;
        self.iterate.prune();
        let objective = self.iterate.objective();
        self.offer(objective);
        ControlFlow::Continue(())
    }

    fn descend(&mut self, effort: Effort) -> ControlFlow<()> {
        let descended: Result<(usize, ControlFlow<Interrupt>), SolveError> = match &self.settings.master {
            Method::Proximal => Ok(Proximal.descend(&mut self.iterate, effort, self.observer)),
            #[cfg(feature = "conic")]
            Method::Conic(conic) => match conic.descend(&mut self.iterate, effort, self.observer) {
                // A round whose program breaks down is left to the first-order master.
                Err(SolveError::Conic { .. }) => {
                    Ok(Proximal.descend(&mut self.iterate, effort, self.observer))
                }
                descended => descended,
            },
        };
        match descended {
            Ok((_, ControlFlow::Continue(()))) => ControlFlow::Continue(()),
            Ok((_, ControlFlow::Break(interrupt))) => {
                self.stop = Some(interrupt.into());
                ControlFlow::Break(())
            }
            Err(error) => {
                self.stop = Some(Stop::Stalled);
                self.failure = Some(error);
                ControlFlow::Break(())
            }
        }
    }

    /// Offers the iterate to the run's keeper. One that has no form yet is no loss: the
    /// next may have one.
    fn offer(&self, objective: f64) {
        if let Some(keeper) = self.keeper.filter(|keeper| keeper.wants())
            && let Ok(factorization) = self.iterate.factorization()
        {
            keeper.keep(&factorization, objective);
        }
    }

    /// Merges near-duplicate atoms where that does not raise the objective.
    fn merge(&mut self, objective: f64) {
        let mut pairs = Vec::new();
        for (j, one) in self.iterate.atoms.iter().enumerate() {
            if self.observer.poll().is_break() {
                break;
            }
            for (l, other) in self.iterate.atoms.iter().enumerate().skip(j + 1) {
                let cosine = dot(&one.direction, &other.direction);
                if cosine > MERGE_COHERENCE {
                    pairs.push((cosine, j, l));
                }
            }
        }
        pairs.sort_by(|l, r| r.0.total_cmp(&l.0));
        pairs.truncate(self.iterate.atoms.len());
        for (_, j, l) in pairs {
            if self.observer.poll().is_break() {
                break;
            }
            if self.iterate.atoms[j].is_used() && self.iterate.atoms[l].is_used() {
                self.iterate.try_merge(j, l, f64::EPSILON * objective);
            }
        }
        self.iterate.prune();
    }

    /// Codes of single datapoints alone, and sweeps without momentum, or the conic master's
    /// alternations, until the iterate is stationary to [`STATIONARITY`] (of many datapoints
    /// [`STATIONARITY_OF_MANY`]): the gap closes before the single codes settle. Whether there was
    /// anything to do.
    fn polish(&mut self) -> Result<bool, SolveError> {
        let many = self.problem.total() >= MANY;
        let sweeps = if many { POLISH_SWEEPS_OF_MANY } else { POLISH_SWEEPS };
        let mut settled = false;
        for round in 0..POLISH_ROUNDS {
            match self.settle(many && !settled)? {
                Polished::Stationary => return Ok(round > 0),
                Polished::Settled => {
                    settled = true;
                    continue;
                }
                Polished::Unsettled => settled = false,
            }
            match self.settings.master {
                Method::Proximal => {
                    for _ in 0..sweeps {
                        if sweep_once(&mut self.iterate, Moves::Both, self.observer).is_break() {
                            return Ok(true);
                        }
                    }
                }
                #[cfg(feature = "conic")]
                Method::Conic(_) => {
                    let stop = self.stop;
                    let flow = self.descend(Effort { max_sweeps: sweeps, decrease_tolerance: 0.0 });
                    self.stop = stop;
                    if flow.is_break() {
                        return self.failure.take().map_or(Ok(true), Err);
                    }
                }
            }
        }
        Ok(true)
    }

    /// Measures the iterate and, if it `may` and codes are what is not stationary, settles those that
    /// are not, each datapoint alone at the prices of all, where that lowers the objective. All this
    /// takes memory of its own, while the iterate has given back what it can.
    fn settle(&mut self, may: bool) -> Result<Polished, SolveError> {
        let problem = self.problem;
        let factorization = self.iterate.release()?;
        let measured = Subject::of(problem, &factorization)
            .map(|subject| (first_order::residuals(&subject), subject.primal().value()));
        let Ok((kkt, objective)) = measured else {
            self.iterate.regain(factorization);
            return Ok(Polished::Unsettled);
        };
        let stationarity = if problem.total() >= MANY { STATIONARITY_OF_MANY } else { STATIONARITY };
        if kkt.relative() <= stationarity {
            self.iterate.regain(factorization);
            return Ok(Polished::Stationary);
        }
        if may && self.settings.master == Method::Proximal && kkt.codes.relative() > stationarity {
            let tolerance = SETTLED * stationarity * kkt.codes.scale;
            let priced = Priced::new(problem, &factorization);
            let found = priced.settled(problem, &factorization, tolerance, self.observer)?;
            if Subject::of(problem, &found).is_ok_and(|subject| subject.primal().value() < objective) {
                drop(factorization);
                self.iterate.place(&found);
                drop(found);
                self.iterate.refresh();
                self.iterate.recenter();
                self.iterate.prune();
                return Ok(Polished::Settled);
            }
        }
        self.iterate.regain(factorization);
        Ok(Polished::Unsettled)
    }

    /// The current residual as the columns of a dual point; `None` where it is of more than [`HELD`]
    /// numbers.
    fn dual(&mut self) -> Option<Matrix> {
        if self.problem.dim() * self.problem.total() > HELD {
            return None;
        }
        let mut dual = self.iterate.residual().to_matrix();
        for (i, a) in self.problem.data().sqrt_weights().iter().enumerate() {
            dual.col_mut(i).iter_mut().for_each(|r| *r /= a);
        }
        Some(dual)
    }

    /// The current iterate as it is.
    pub(super) fn factorization(&self) -> Result<Factorization, SolveError> {
        Ok(self.iterate.factorization()?)
    }

    /// Certifies the current iterate: the end of every run.
    ///
    /// # Errors
    /// [`SolveError`] when the iterate is not finite, or the master refused or failed.
    pub fn finish(mut self) -> Result<Solution, SolveError> {
        if let Some(failure) = self.failure.take() {
            return Err(failure);
        }
        if self.iterate.holds_center() {
            self.iterate.release_center();
        }
        // Where prices are small beside the data, sweeps that no longer change the objective may
        // still change the residual, and what it proves.
        let mut dual = None;
        if matches!(self.stop, Some(Stop::ToleranceMet | Stop::Stalled)) {
            let before = self.dual();
            if self.polish()? {
                dual = before;
            }
        }
        let Self { problem, mut iterate, .. } = self;
        iterate.prune();
        // The certificate takes as much memory again.
        let factorization = or_without_atoms(problem, iterate.into_factorization()?);
        let witness = Witness {
            dual,
            directions: Some(Matrix::from_columns(problem.dim(), &self.directions)),
            nuclear: self.nuclear,
            ..Witness::none()
        };
        let stop = self.stop.unwrap_or(Stop::IterationLimit);
        let options = certificate::Options {
            gap_tolerance: self.settings.gap_tolerance,
            stop: Some(stop),
            ..Default::default()
        };
        Ok(Solution {
            certified: certify_observed(problem, factorization, &witness, &options, self.observer)?,
            witness,
            stop,
            iterations: self.round,
        })
    }
}

impl Iterator for Rounds<'_> {
    type Item = Round;

    /// One round: oracle, new atoms, descent, merging. `None` after the last.
    fn next(&mut self) -> Option<Round> {
        if self.stop.is_some() || self.round >= self.settings.max_rounds {
            return None;
        }
        let coded = std::mem::take(&mut self.coded);
        if coded && self.arrive().is_break() {
            return None;
        }
        let confirmed = coded && !self.stage;
        let mut found =
            if confirmed { self.confirm() } else { self.search(Ascent::default().starts, Vec::new()) };
        let mut state = self.state(found.first().map_or(0.0, |c| c.value));
        if let ControlFlow::Break(interrupt) = self.observer.poll() {
            // A search cut short says nothing of the polar.
            self.stop = Some(interrupt.into());
            return Some(state);
        }
        let mut gap = state.relative_gap();
        let held = self.iterate.holds_center();
        if held {
            if gap <= max(HELD_GAP, self.settings.gap_tolerance) || self.round >= HELD_ROUNDS {
                self.iterate.release_center();
                return self.next();
            }
            // Nothing is known yet of the problem with a free center.
            state.estimated_lower_bound = 0.0;
        } else if gap <= self.settings.gap_tolerance {
            if !(self.stage || confirmed) {
                found = self.confirm();
                state = self.state(found.first().map_or(0.0, |c| c.value));
            }
            if let ControlFlow::Break(interrupt) = self.observer.poll() {
                self.stop = Some(interrupt.into());
                return Some(state);
            }
            gap = state.relative_gap();
            if gap <= self.settings.gap_tolerance {
                self.stop = Some(Stop::ToleranceMet);
                return Some(state);
            }
        }
        self.round += 1;
        let useful = found.into_iter().filter(|c| c.value > 1.0 + POLAR_SLACK).collect();
        for candidate in distinct(useful, NEW_COHERENCE, self.settings.max_new_atoms) {
            self.iterate.atoms.push(Atom::unused(candidate.direction));
        }
        let effort = Effort {
            max_sweeps: self.settings.max_sweeps,
            decrease_tolerance: self.decrease_tolerance(gap, state.objective),
        };
        if self.descend(effort).is_continue() {
            self.iterate.prune();
            let objective = self.iterate.objective();
            self.merge(objective);
            self.iterate.refresh();
            let objective = self.iterate.objective();
            match (objective < state.objective * (1.0 - f64::EPSILON), held) {
                (true, _) => {}
                (false, true) => self.iterate.release_center(),
                (false, false) => self.stop = Some(Stop::Stalled),
            }
            self.offer(objective);
        }
        Some(state)
    }
}

#[cfg(test)]
mod tests {
    use super::Round;

    /// An estimate above the objective neither ends a run nor is told.
    #[test]
    fn estimates_above_the_objective_are_not_believed() {
        let round = |estimated_lower_bound| Round {
            round: 0,
            objective: 2.0,
            atoms: 3,
            polar: 0.5,
            estimated_lower_bound,
            lower_bound: 1.0,
        };
        let wrong = round(3.0);
        assert!(wrong.progress().estimated_lower_bound.is_nan());
        assert!((wrong.relative_gap() - 0.5).abs() < 1e-15);
        let good = round(1.5);
        assert!((good.progress().estimated_lower_bound - 1.5).abs() < 1e-15);
        assert!((good.relative_gap() - 0.25).abs() < 1e-15);
    }
}
