//! The joint problem of a given width M. The problem is not convex. From several starts, exact
//! coding alternates with descent on the dictionary, and moves leave poor local minima. No move
//! raises the objective.

mod descent;
mod lasso_iterate;
mod moves;
mod polish;
mod priced;
mod starts;

pub use starts::Start;

use rand::SeedableRng;
use rand::seq::index;
use rand_chacha::ChaCha8Rng;

use crate::atoms::{Dictionary, Factorization};
use crate::certificate::{self, Certified, Witness, certify_observed};
use crate::linalg::{Matrix, axpy};
use crate::observer::{Latch, Observer, Progress, Stop};
use crate::problem::Problem;
use crate::search::escape;
use crate::solution::{Keeper, Run, Solution, SolveError};
use crate::solve::samples::{OnSample, sample, thinnings};
use crate::solve::trivial::or_without_atoms;
use crate::trusted::{Subject, bounds, check_shapes, local};
use crate::wide::{self, Location};
use descent::{DescentLimits, End, descend};
use lasso_iterate::LassoIterate;
use starts::Ground;

/// The first descent of a start ends, and the moves begin, when ten iterations gain less than this
/// share of the objective. The descent to the tolerance comes after the moves.
const COARSE: f64 = 1e-4;

/// Most rounds of moves for a start. On data only the first one or two change anything.
const MOVE_ROUNDS: usize = 10;

/// Most descents from points of lower objective that the local test hands back.
const MAX_ESCAPES: usize = 8;

/// Where a proof is out of reach, another escape is tried only after one that lowered the objective
/// by this share.
const WORTHWHILE: f64 = 1e-6;

/// Where a proof is out of reach, the search for a lower point takes at most this multiple of the
/// iterations of the run. Digits and word representations need two to three times as many until no
/// escape is left. With one times as many they end at saddles.
const SEARCHED: usize = 3;

/// A relative decrease below this over ten iterations counts as none: it is the resolution of the
/// objective.
const STILL: f64 = 1e-14;

/// Solves the joint problem of width M,
///
/// ```math
/// F_M=\min_{D\in(S^{n-1})^M,\ Z\ge 0,\ b}\ \sum_i w_i\tfrac12\lVert x_i-b-Dz_i\rVert^2+\sum_k g(z_k),
/// ```
///
/// and returns the best of `restarts` starts. At γ = 0, every datapoint gets its exact code by the
/// method of [`Coder`](crate::coder::Coder), started from its present code. Atoms and center make
/// exact block steps, with momentum between iterations. Dead atoms return at the worst residuals.
/// An atom worth less than the split of another atom or a new direction is exchanged for it. Nested
/// features are exchanged. At γ > 0, block descent by the proximal map of the gauge runs from the
/// same starts; where starts are cheap, a restart tries up to twelve. At γ = 0, four times 4096 or 16M
/// datapoints and more are begun on samples of them, each four times as large as the one before.
///
/// # Guarantees
/// The solution is feasible with at most M atoms, and its codes are exact at γ = 0. No move raises
/// the objective. [`Stop::ToleranceMet`] says that the largest relative stationarity residual is at
/// most `stationarity_tolerance` (`stationarity`). At γ = 0, where M is at least the number of
/// distinct active directions, the closed form is returned, which is a global minimum
/// (`wide-limit`). The bound of the certificate holds for every width; at γ = 0 it is `F_∞`. The
/// same seed gives the same answer for any number of threads.
///
/// Not claimed: a global minimum of this width, or a local one unless the verdict
/// says so.
///
/// # Cost
/// Takes O(nM + M² + nN + nnz) memory (without the M² beyond M = 4096). An iteration at γ = 0 takes
/// O(nMN) time in one matrix product and O(M·nnz) for the codes.
///
/// # Examples
/// ```
/// use widedict::{Finite, Matrix, Problem};
/// let x = Matrix::from_columns(2, &[[1.0, 0.0], [0.9, 0.1], [0.0, 1.0], [0.1, 0.9]]);
/// let problem = Problem::builder(x).lambda(0.2).build()?;
/// let solution = Finite::new(2).solve(&problem)?;
/// let certificate = solution.certified.certificate();
/// assert!(certificate.lower_bound().get() <= certificate.objective());
/// assert!(certificate.kkt().relative() <= 5e-3);
/// # Ok::<(), Box<dyn std::error::Error>>(())
/// ```
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Finite {
    /// Number of atoms M.
    pub width: usize,
    /// Largest relative stationarity residual at which the run stops.
    pub stationarity_tolerance: f64,
    /// Most iterations of a descent.
    pub max_iterations: usize,
    /// Starts, of which the best solution is kept.
    pub restarts: usize,
    /// The kind of every start. `None` takes them in turn: at γ = 0 spread, rounded,
    /// random; at γ > 0 rounded first, then the others.
    pub start: Option<Start>,
    /// Seed of every random choice.
    pub seed: u64,
    /// Whether the solution is tested as a local optimum of its width, see
    /// [`Finite::settle`], and what that may cost.
    pub local: Option<local::Limits>,
}

/// What all starts of a run share.
struct Task<'a> {
    problem: &'a Problem,
    observer: &'a dyn Observer,
    /// The center of the wide limit, where a center is learnt.
    location: Option<&'a Location>,
    /// The keeper that is offered the solutions so far.
    keeper: Option<&'a dyn Keeper>,
}

impl Task<'_> {
    /// The data minus a center.
    fn about(&self, center: &[f64]) -> Matrix {
        let mut datapoints = self.problem.data().datapoints().to_matrix();
        if self.problem.centered() {
            (0..datapoints.ncols()).for_each(|i| axpy(-1.0, center, datapoints.col_mut(i)));
        }
        datapoints
    }
}

impl Task<'_> {
    /// What a start is made from: the data minus a center, or a sample of them on every rank
    /// where they are spread.
    fn ground(&self, center: &[f64], width: usize, seed: u64) -> (Matrix, Vec<f64>) {
        let (about, weights) = (self.about(center), self.problem.data().weights());
        let (share, n) = (self.problem.share(), self.problem.dim());
        if !share.is_spread() {
            return (about, weights.to_vec());
        }
        let count = (SAMPLED * width).max(FEWEST_SAMPLED).min(share.total());
        let mut rng = ChaCha8Rng::seed_from_u64(seed);
        let mut numbers = index::sample(&mut rng, share.total(), count).into_vec();
        numbers.sort_unstable();
        let points = share.columns(|i| about.col(i).into(), n, &numbers);
        let points = Matrix::from_column_major(n, count, points).expect("whole columns");
        (points, share.columns(|i| weights[i..=i].into(), 1, &numbers))
    }
}

/// Datapoints a wanted atom, and at least, of the smallest sample that a run begins on; and of what
/// a start is made from where all are spread over ranks, which a rank holds beside its own.
const SAMPLED: usize = 16;
const FEWEST_SAMPLED: usize = 4096;

/// Where a descent ended.
struct Descended {
    factorization: Factorization,
    stop: Stop,
    iterations: usize,
}

impl Finite {
    /// Settings with width `width`, one start, a relative stationarity of 5e-3 and the local test
    /// on.
    #[must_use]
    pub fn new(width: usize) -> Self {
        Self {
            width,
            stationarity_tolerance: 5e-3,
            max_iterations: 2000,
            restarts: 1,
            start: None,
            seed: 0,
            local: Some(local::Limits::default()),
        }
    }

    /// Solves `problem`.
    ///
    /// # Errors
    /// [`SolveError`] for settings out of range or a numerical breakdown.
    pub fn solve(&self, problem: &Problem) -> Result<Solution, SolveError> {
        self.solve_with(problem, &Run::default())
    }

    /// Solves `problem` with an observer, who is told of every start and round of moves
    /// and may stop the run.
    ///
    /// From a given start, the run descends from the dictionary alone: the first `width` atoms of
    /// the start, with directions at the worst residuals added where there are fewer. The objective
    /// is never above that of the dictionary with its best codes. At γ > 0 it is never above that
    /// of the start either.
    ///
    /// # Errors
    /// As [`Finite::solve`]; a start of another dimension or with another number
    /// of datapoints.
    pub fn solve_with(&self, problem: &Problem, run: &Run<'_>) -> Result<Solution, SolveError> {
        self.check()?;
        if let Some(start) = run.start {
            check_shapes(problem, start).map_err(certificate::CertifyError::from)?;
        }
        let latch = Latch::new(run.observer);
        let observer: &dyn Observer = &latch;
        let location = problem.centered().then(|| wide::location(problem.data(), problem.lambda(), observer));
        let task = Task { problem, observer, location: location.as_ref(), keeper: run.keeper };
        if problem.gamma() > 0.0 {
            let descended = match run.start {
                Some(start) => priced::descend(self, &task, start, self.max_iterations)?,
                None => self.best_of(|restart| priced::solve(self, &task, restart))?,
            };
            return self.judged(&task, descended);
        }
        if let Some(solution) = self.wide(&task)? {
            return Ok(solution);
        }
        let (mut iterate, stop, iterations) = match run.start {
            Some(start) => {
                let mut iterate = LassoIterate::from_factorization(problem, start, self.width, observer);
                iterate.keeper = run.keeper;
                moves::grow(&mut iterate, self.width, observer);
                let (stop, iterations) = self.improve(&mut iterate, observer);
                (iterate, stop, iterations)
            }
            None => self.best_of(|restart| {
                let (iterate, stop, iterations) = self.first_descent(&task, restart);
                Ok((iterate.objective, (iterate, stop, iterations)))
            })?,
        };
        let descended = self.finish(&mut iterate, stop, iterations, observer)?;
        self.judged(&task, descended)
    }

    /// Brings a solution to a local verdict (theorem `local-radius`). At γ = 0, first descends to
    /// the `stationarity_tolerance` of the limits. Where the solution has more variables than the
    /// limits allow a proof, the descent takes at most three times the iterations of `solution`.
    /// Where a proof can follow, Newton steps then polish codes and atoms. Then tests the result.
    /// Where the test hands back a point of lower objective (an escape from a saddle, an exchange
    /// of nested atoms), descends from that point and tests again. The objective never rises.
    /// `stop` becomes [`Stop::ToleranceMet`] where the descent met the tolerance of these settings.
    /// A solution whose certified gap is within the tolerance is tested as it is. Where the observer
    /// has broken, the solution comes back without the test. `options` are the
    /// options of the certificate. Where they name no limits for the local test, the default limits
    /// apply.
    ///
    /// # Errors
    /// As [`Finite::solve`].
    pub fn settle(
        &self,
        problem: &Problem,
        solution: Solution,
        options: &certificate::Options,
        observer: &dyn Observer,
    ) -> Result<Solution, SolveError> {
        let Solution { certified, mut witness, stop, mut iterations } = solution;
        let latch = Latch::new(observer);
        let observer: &dyn Observer = &latch;
        let limits = options.local.unwrap_or_default();
        let options = certificate::Options { local: Some(limits), stop: Some(stop), ..*options };
        // A split that was found since is proved first.
        if witness.split.is_none() && observer.poll().is_break() {
            let certified = certified.judged_by(&options);
            let stop = self.stop(&certified, stop);
            return Ok(Solution { certified, witness, stop, iterations });
        }
        let optimal = certified.certificate().relative_gap() <= options.gap_tolerance;
        let mut factorization = certified.into_parts().0;
        // Where no proof can follow, the search for a lower point is limited, and small escapes are
        // not followed.
        let provable =
            local::least_order(&Subject::of(problem, &factorization)?) <= limits.max_dense_variables;
        let mut left =
            if provable { self.max_iterations } else { self.max_iterations.min(SEARCHED * iterations) };
        let worthwhile = if provable { 0.0 } else { WORTHWHILE };
        let (mut escapes, mut before) = (0, f64::INFINITY);
        let mut cut = None;
        loop {
            let descends = problem.gamma() == 0.0 && !optimal;
            if descends {
                cut = observer.poll().break_value();
            }
            if descends && cut.is_none() {
                let mut plain =
                    LassoIterate::from_factorization(problem, &factorization, self.width, observer);
                let fine = DescentLimits {
                    stationarity_tolerance: limits.stationarity_tolerance,
                    decrease_tolerance: STILL,
                    max_iterations: left,
                };
                let (made, end) = descend(&mut plain, fine, observer);
                iterations += made;
                if let End::Interrupted(interrupt) = end {
                    cut = Some(interrupt);
                }
                if !provable {
                    left -= made;
                }
                plain.prune();
                factorization = plain.factorization()?;
                if provable {
                    factorization = polish::polish(problem, factorization, observer);
                }
            }
            witness.curvature = escape::curvature(problem, &factorization, &limits, observer);
            let certified = certify_observed(problem, factorization, &witness, &options, observer)?;
            let objective = certified.certificate().objective();
            let gained = before - objective > worthwhile * objective;
            match certified.improvement() {
                Some(better) if gained && escapes < MAX_ESCAPES && observer.poll().is_continue() => {
                    escapes += 1;
                    before = objective;
                    factorization = better.clone();
                }
                _ => {
                    // A descent that was cut short did not stall, nor one that could go on.
                    let untried = certified.improvement().and_then(|_| observer.poll().break_value());
                    let stop = match (self.stop(&certified, stop), cut.or(untried)) {
                        (Stop::Stalled, Some(interrupt)) => interrupt.into(),
                        (stop, _) => stop,
                    };
                    return Ok(Solution { certified, witness, stop, iterations });
                }
            }
        }
    }

    fn check(&self) -> Result<(), SolveError> {
        let refuse = |name, needs, value| Err(SolveError::Setting { name, needs, value });
        if !(self.stationarity_tolerance.is_finite() && self.stationarity_tolerance > 0.0) {
            return refuse("stationarity_tolerance", "a positive number", self.stationarity_tolerance);
        }
        if self.width == 0 {
            return refuse("width", "at least 1", 0.0);
        }
        if self.restarts == 0 {
            return refuse("restarts", "at least 1", 0.0);
        }
        Ok(())
    }

    /// The start of number `restart`, and its seed.
    fn start(&self, restart: usize, order: [Start; 3]) -> (Start, u64) {
        (self.start.unwrap_or(order[restart % order.len()]), self.seed.wrapping_add(restart as u64))
    }

    /// The solution of lowest objective over all starts (the first of equals). No start follows an
    /// interrupted one.
    fn best_of<T: Stopped>(
        &self,
        mut solve: impl FnMut(usize) -> Result<(f64, T), SolveError>,
    ) -> Result<T, SolveError> {
        let (mut least, mut best) = solve(0)?;
        for restart in 1..self.restarts {
            if best.interrupted() {
                break;
            }
            let (objective, run) = solve(restart)?;
            let interrupted = run.interrupted();
            if objective < least {
                (least, best) = (objective, run);
            }
            if interrupted {
                break;
            }
        }
        Ok(best)
    }

    /// The closed form, where the width holds all of its atoms (theorem `wide-limit`).
    fn wide(&self, task: &Task<'_>) -> Result<Option<Solution>, SolveError> {
        // The closed form is of datapoints in one place.
        if task.problem.share().is_spread() {
            return Ok(None);
        }
        // Collinear datapoints share an atom: directions count, not datapoints.
        let found = wide::population_observed(task.problem, task.location, task.observer);
        if found.distinct_directions > self.width {
            return Ok(None);
        }
        let solution = match task.location {
            Some(location) => wide::closed_form_at(task.problem, location, task.observer)?,
            None => wide::closed_form_with(task.problem, &Run::observed(task.observer))?,
        };
        Ok((solution.certified.solution().width() <= self.width).then_some(solution))
    }

    /// Runs one start at γ = 0 up to the end of its moves, of many datapoints on samples first.
    fn first_descent<'p>(&self, task: &Task<'p>, restart: usize) -> (LassoIterate<'p>, Option<Stop>, usize) {
        let observer = task.observer;
        let (mut iterate, before) = match self.sampled(task, restart) {
            // Nobody is asked: without codes, what a stopped run has would be lost.
            Some((atoms, center, made)) => (LassoIterate::new(task.problem, atoms, center, &()), made),
            None => (self.begun(task, restart), 0),
        };
        iterate.keeper = task.keeper;
        moves::grow(&mut iterate, self.width, observer);
        let (stop, iterations) = self.improve(&mut iterate, observer);
        (iterate, stop, before + iterations)
    }

    /// The atoms and the center that samples lead to, and the iterations they took; `None` where
    /// datapoints are few for the atoms, and where the observer has broken.
    fn sampled(&self, task: &Task<'_>, restart: usize) -> Option<(Matrix, Vec<f64>, usize)> {
        let Task { problem, .. } = *task;
        let observer = &OnSample(task.observer);
        let (mut last, mut iterations) = (None, 0);
        for every in thinnings(problem.share(), FEWEST_SAMPLED.max(SAMPLED * self.width)) {
            if observer.poll().is_break() {
                break;
            }
            let sample = sample(problem, every, self.seed.wrapping_add(restart as u64))?;
            let location =
                problem.centered().then(|| wide::location(sample.data(), problem.lambda(), observer));
            let part = Task { problem: &sample, observer, location: location.as_ref(), keeper: None };
            let mut iterate = match last {
                Some((atoms, center)) => LassoIterate::new(&sample, atoms, center, observer),
                None => self.begun(&part, restart),
            };
            moves::grow(&mut iterate, self.width, observer);
            iterations += self.improve(&mut iterate, observer).1;
            last = Some((iterate.atoms, iterate.center));
        }
        last.map(|(atoms, center)| (atoms, center, iterations))
    }

    /// The directions of one start, with their codes.
    fn begun<'p>(&self, task: &Task<'p>, restart: usize) -> LassoIterate<'p> {
        let (problem, observer) = (task.problem, task.observer);
        let center = task.location.map_or_else(|| vec![0.0; problem.dim()], |found| found.center.clone());
        let (kind, seed) = self.start(restart, [Start::Spread, Start::Rounded, Start::Random]);
        let (lambda, width) = (problem.lambda(), self.width);
        let (datapoints, weights) = task.ground(&center, width, seed);
        let ground = Ground { datapoints: &datapoints, weights: &weights, lambda, width };
        let found = ground.directions(kind, seed, observer);
        let mut iterate = LassoIterate::new(problem, found.atoms.clone(), center, observer);
        if observer.poll().is_break() && !problem.share().is_spread() {
            iterate.take_better(&found.single_codes(&ground));
        }
        iterate
    }

    /// Alternates coarse descent and moves until the moves change nothing.
    fn improve(&self, iterate: &mut LassoIterate<'_>, observer: &dyn Observer) -> (Option<Stop>, usize) {
        let coarse = DescentLimits {
            stationarity_tolerance: self.stationarity_tolerance,
            decrease_tolerance: COARSE,
            max_iterations: self.max_iterations,
        };
        let lower_bound =
            if iterate.problem.centered() { 0.0 } else { bounds::wide_limit(iterate.problem).lower.get() };
        let mut iterations = 0;
        for _ in 0..MOVE_ROUNDS {
            let (made, end) = descend(iterate, coarse, observer);
            iterations += made;
            observer.progress(&Progress {
                phase: "descent",
                iteration: iterations,
                objective: iterate.objective,
                lower_bound,
                estimated_lower_bound: f64::NAN,
                atoms: iterate.atoms.ncols(),
            });
            if let End::Interrupted(interrupt) = end {
                return (Some(interrupt.into()), iterations);
            }
            let nested = moves::unnest(iterate, observer);
            let revived = moves::revive(iterate, observer);
            let exchanged = moves::exchange(iterate, observer);
            if !(nested || revived || exchanged) {
                break;
            }
        }
        (None, iterations)
    }

    /// Descent to the tolerance.
    fn finish(
        &self,
        iterate: &mut LassoIterate<'_>,
        stop: Option<Stop>,
        iterations: usize,
        observer: &dyn Observer,
    ) -> Result<Descended, SolveError> {
        let (stop, made) = match stop {
            Some(stop) => (stop, 0),
            None => {
                let fine = DescentLimits {
                    stationarity_tolerance: self.stationarity_tolerance,
                    decrease_tolerance: STILL,
                    max_iterations: self.max_iterations,
                };
                let (made, end) = descend(iterate, fine, observer);
                let stop = match end {
                    End::Stationary => Stop::ToleranceMet,
                    End::Slow => Stop::Stalled,
                    End::Limit => Stop::IterationLimit,
                    End::Interrupted(interrupt) => interrupt.into(),
                };
                (stop, made)
            }
        };
        iterate.prune();
        Ok(Descended { factorization: iterate.factorization()?, stop, iterations: iterations + made })
    }

    /// Certifies the result of a descent, and settles it where the settings ask for that.
    fn judged(&self, task: &Task<'_>, descended: Descended) -> Result<Solution, SolveError> {
        let solution = self.certified(task, descended)?;
        // A part of the datapoints cannot be tested.
        match self.local.filter(|_| !task.problem.share().is_spread()) {
            Some(limits) => {
                let options = certificate::Options {
                    gap_tolerance: self.stationarity_tolerance,
                    local: Some(limits),
                    ..Default::default()
                };
                self.settle(task.problem, solution, &options, task.observer)
            }
            None => Ok(solution),
        }
    }

    /// Certifies the result of a descent.
    fn certified(&self, task: &Task<'_>, descended: Descended) -> Result<Solution, SolveError> {
        let options =
            certificate::Options { gap_tolerance: self.stationarity_tolerance, ..Default::default() };
        // With a center the wide limit's bound needs its own dual point (theorem `centre`).
        let dual = task.location.map(|location| location.dual.clone());
        let witness = Witness { dual, ..Witness::none() };
        let factorization = or_without_atoms(task.problem, descended.factorization);
        let certified = certify_observed(task.problem, factorization, &witness, &options, task.observer)?;
        let stop = self.stop(&certified, descended.stop);
        Ok(Solution { certified, witness, stop, iterations: descended.iterations })
    }

    /// How the run ended: the certificate's stationarity decides whether the tolerance is
    /// met, unless the observer ended the run.
    fn stop(&self, certified: &Certified, stop: Stop) -> Stop {
        let met = certified.certificate().kkt().relative() <= self.stationarity_tolerance;
        match (met, stop) {
            (true, Stop::Stalled | Stop::IterationLimit) => Stop::ToleranceMet,
            (false, Stop::ToleranceMet) => Stop::Stalled,
            (_, stop) => stop,
        }
    }

    /// Directions to start from as a dictionary (γ > 0).
    fn dictionary(
        &self,
        kind: Start,
        task: &Task<'_>,
        center: &[f64],
        seed: u64,
    ) -> Result<Dictionary, SolveError> {
        let ground = Ground {
            datapoints: &task.about(center),
            weights: task.problem.data().weights(),
            lambda: task.problem.lambda().hypot(task.problem.gamma()),
            width: self.width,
        };
        Ok(Dictionary::normalize(ground.directions(kind, seed, task.observer).atoms)?.0)
    }
}

/// A run that tells whether the observer ended it.
trait Stopped {
    fn interrupted(&self) -> bool;
}

impl Stopped for Descended {
    fn interrupted(&self) -> bool {
        matches!(self.stop, Stop::TimeLimit | Stop::Cancelled)
    }
}

impl Stopped for (LassoIterate<'_>, Option<Stop>, usize) {
    fn interrupted(&self) -> bool {
        self.1.is_some()
    }
}
