//! The least that dictionaries of a given number of atoms cost in the plane (theorem
//! `planar-optimum`).
//!
//! At γ = 0 and about a fixed center, for data of rank two at most,
//!
//! ```math
//! F_M=\min_{d_1,\dots,d_M\in S^1}\ \sum_iw_ic(x_i;D),\qquad
//! c(x;D)=\min_{z\ge0}\tfrac12\lVert x-Dz\rVert^2+\lambda\mathbf 1^\top z .
//! ```
//!
//! A datapoint is coded by the two atoms between which it lies, so the objective is a sum over
//! pairs of neighboring atoms. The circle is divided in arcs; what a pair costs is bounded from
//! below over pairs of arcs (`gap`); the cheapest closed walk of M arcs bounds every dictionary
//! (`walks`). Steps through which every walk costs at least the goal are dropped, the arcs that
//! are left are halved, and so on.
//!
//! # Why the effort does not explode
//! A box of M arcs need not be looked at: dynamic programming over pairs takes `O(K³M)` for K arcs.
//! What the bound of a pair loses is squared in the arcs' lengths, as slopes cancel at an optimum
//! where a multiple of the place is passed from one pair to the next. So a few arcs about every
//! atom of the best dictionaries are left at each level.

mod circle;
mod gap;
mod walks;

use std::ops::ControlFlow;

use rayon::prelude::*;

use super::{Lower, bounds};
use crate::linalg::Matrix;
use crate::num::{max, min, power_of_two};
use crate::observer::{Interrupt, Observer, Progress};
use crate::problem::Problem;
use circle::{Plane, Point};
use gap::{Arc, Cost};
use walks::{Step, Steps, Through, Walks};

/// Level of the first arcs: 32 of them.
const FIRST_LEVEL: u32 = 3;

/// Finest level: arcs of some 4e-9, whose squares are below rounding.
const LAST_LEVEL: u32 = 28;

/// Most steps held: some 300 MB.
const MOST_STEPS: usize = 2_000_000;

/// Slopes that are tried at a level. Each suits the walks that were cheapest with the last.
const SLOPES: usize = 6;

/// What is to be proved, and how long arcs are halved.
#[derive(Clone, Copy, Debug, PartialEq, serde::Serialize, serde::Deserialize)]
pub struct Goal {
    /// Number of atoms M.
    pub width: usize,
    /// The bound to prove. What is cheaper is looked at until it is proved not to be; what is
    /// not need not be looked at.
    pub value: f64,
    /// The last number of halvings of a quarter of the circle, 28 at most. It is not recorded.
    #[serde(skip, default = "last_level")]
    pub levels: u32,
}

/// As many as there are.
fn last_level() -> u32 {
    LAST_LEVEL
}

impl Goal {
    /// With arcs as small as need be.
    #[must_use]
    pub fn new(width: usize, value: f64) -> Self {
        Self { width, value, levels: LAST_LEVEL }
    }
}

/// What is proved of the dictionaries of M unit atoms, for data in a plane.
#[derive(Clone, Debug, PartialEq)]
pub struct PlanarBound {
    /// A lower bound of the objective of each.
    pub lower: Lower,
    /// What was to be proved.
    pub goal: Goal,
    /// Arcs `[from, to]`, angles as computed, counterclockwise: a dictionary of M atoms in the
    /// plane whose objective is below the goal has all its atoms there. Angles are those of two
    /// coordinates where n = 2, of a basis of the plane otherwise. Empty where the goal is proved.
    pub arcs: Vec<[f64; 2]>,
    /// A dictionary (n × M) whose objective is below the goal, as computed, where one was met:
    /// then the goal cannot be proved, and the search ended.
    pub better: Option<Matrix>,
    /// Halvings of a quarter of the circle made.
    pub levels: u32,
    /// Why it ended early, if it did.
    pub interrupt: Option<Interrupt>,
}

/// How far data are from a plane, as computed.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Flatness {
    /// `Σ wᵢ‖xᵢ − QQᵀxᵢ‖‖xᵢ‖`: at most what leaving the plane saves of an objective.
    pub left: f64,
    /// `√(Σ wᵢ‖xᵢ − QQᵀxᵢ‖²)`, at least the third singular value.
    pub distance: f64,
}

impl Flatness {
    /// Of the data of a problem. O(nN).
    #[must_use]
    pub fn of(problem: &Problem) -> Self {
        let Plane { left, distance, .. } = Plane::of(problem);
        Self { left, distance }
    }
}

/// Whether the theorem speaks of a problem: γ = 0, λ > 0, no center that is learnt, all
/// datapoints in one place.
#[must_use]
pub fn applies(problem: &Problem) -> bool {
    problem.gamma() == 0.0 && problem.lambda() > 0.0 && !problem.centered() && !problem.share().is_spread()
}

/// A lower bound for dictionaries of `goal.width` unit atoms, up to `goal.value`.
///
/// Data of any rank are bounded through their projection on a plane, so for rank three and more
/// it is a bound that is hardly worth anything. `None` where the theorem does not apply (γ > 0,
/// λ = 0, a learnt center), for no atoms, and where numbers overflow.
///
/// # Guarantees
/// [`planar-optimum`](crate::proofs::planar_optimum), [`rounding`](crate::proofs::rounding): the
/// objective of every dictionary of at most M unit atoms, with any codes, is at least
/// [`lower`](PlanarBound::lower), also where the observer broke. The same goal gives the same
/// bound for any number of threads; one that was stopped is not above it. Not claimed: that the
/// goal is met; that `better` is feasible in numbers.
///
/// # Cost
/// With K arcs at a level O(K²N + K³M) time and O(K²) memory. K is 32 at first and some five an
/// atom later, more where the objective is flat.
#[must_use]
pub fn prove(problem: &Problem, goal: &Goal, observer: &dyn Observer) -> Option<PlanarBound> {
    if !applies(problem) || goal.width == 0 || goal.value.is_nan() {
        return None;
    }
    let wide = bounds::wide_limit(problem).lower;
    let plane = Plane::of(problem);
    let instance = Instance::new(problem, &plane)?;
    // An atom a datapoint attains the wide limit.
    if goal.width >= instance.points.len() {
        let arcs = vec![[0.0, std::f64::consts::TAU]];
        return Some(PlanarBound {
            lower: wide,
            goal: *goal,
            arcs,
            better: None,
            levels: 0,
            interrupt: None,
        });
    }
    let mut search = Search::new(&instance, goal, plane.correction, observer);
    let interrupt = search.run().break_value();
    let lower = instance.in_data_units(search.proved, plane.correction);
    let lower = if lower.is_finite() { Lower::proved(lower).best(wide) } else { wide };
    let angle = |place: f64| {
        let fraction = place.fract();
        let quarter = std::f64::consts::FRAC_PI_2;
        quarter * place.floor() + fraction.atan2(1.0 - fraction)
    };
    Some(PlanarBound {
        lower,
        goal: *goal,
        arcs: search.left().into_iter().map(|arc| arc.map(angle)).collect(),
        better: search.better.map(|atoms| lifted(&plane, &atoms)),
        levels: search.level,
        interrupt,
    })
}

/// Atoms of the plane in n dimensions.
fn lifted(plane: &Plane, atoms: &[[f64; 2]]) -> Matrix {
    let n = plane.basis[0].len();
    let along = |d: &[f64; 2], j: usize| plane.basis.iter().zip(d).map(|(q, d)| q[j] * d).sum::<f64>();
    Matrix::from_fn(n, atoms.len(), |j, k| along(&atoms[k], j))
}

/// The data in the plane, in units.
struct Instance {
    /// Longer than λ, counterclockwise.
    points: Vec<Point>,
    /// `Σ ½wᵢ‖yᵢ‖²` of the others, from below.
    idle: f64,
    lambda: f64,
    unit: f64,
}

impl Instance {
    fn new(problem: &Problem, plane: &Plane) -> Option<Self> {
        let largest = plane.points.iter().flatten().map(|v| v.abs()).fold(problem.lambda(), max);
        if !largest.is_finite() {
            return None;
        }
        let unit = power_of_two(largest);
        let lambda = problem.lambda() / unit;
        let (mut points, mut idle) = (Vec::new(), 0.0_f64);
        for (y, &w) in plane.points.iter().zip(problem.data().weights()) {
            match Point::new(y.map(|v| v / unit), w, lambda) {
                Ok(point) => points.push(point),
                Err(cost) => idle = (idle + (w * cost).next_down()).next_down(),
            }
        }
        points.sort_by(|one, two| one.place[0].total_cmp(&two.place[0]));
        Some(Self { points, idle: max(idle, 0.0), lambda, unit })
    }

    /// What walks have to cost for an objective.
    fn in_units(&self, value: f64, correction: f64) -> f64 {
        ((value + correction).next_up() / self.unit / self.unit - self.idle).next_up()
    }

    /// A bound of the objective from one of walks.
    fn in_data_units(&self, value: f64, correction: f64) -> f64 {
        let sum = (value + self.idle).next_down();
        let value = ((sum * self.unit).next_down() * self.unit).next_down();
        max((value - correction).next_down(), 0.0)
    }
}

/// Arcs that may hold atoms of a dictionary below the goal, halved again and again.
struct Search<'a> {
    instance: &'a Instance,
    observer: &'a dyn Observer,
    width: usize,
    /// What walks must cost.
    goal: f64,
    levels: u32,
    level: u32,
    arcs: Vec<Arc>,
    /// Pairs of arcs that may hold neighbors: forward ones, then closing ones.
    pairs: [Vec<(usize, usize)>; 2],
    /// What walks are proved to cost.
    proved: f64,
    better: Option<Vec<[f64; 2]>>,
}

impl<'a> Search<'a> {
    fn new(instance: &'a Instance, goal: &Goal, correction: f64, observer: &'a dyn Observer) -> Self {
        let cells = 4_usize << FIRST_LEVEL;
        let forward = (0..cells).flat_map(|i| (i..cells).map(move |j| (i, j))).collect();
        let closing = (0..cells).flat_map(|j| (j..cells).map(move |i| (i, j))).collect();
        Self {
            instance,
            observer,
            width: goal.width,
            goal: instance.in_units(goal.value, correction),
            levels: goal.levels.min(LAST_LEVEL),
            level: FIRST_LEVEL,
            arcs: (0..cells).map(|cell| Arc::new(cell, FIRST_LEVEL)).collect(),
            pairs: [forward, closing],
            proved: 0.0,
            better: None,
        }
    }

    fn run(&mut self) -> ControlFlow<Interrupt> {
        loop {
            self.bound()?;
            self.observer.progress(&Progress {
                phase: "planar bound",
                iteration: self.level as usize,
                lower_bound: self.instance.in_data_units(self.proved, 0.0),
                atoms: self.width,
                ..Progress::unknown()
            });
            let done = self.pairs[1].is_empty() || self.better.is_some() || self.level >= self.levels;
            let steps = self.pairs[0].len() + self.pairs[1].len();
            if done || 4 * steps > MOST_STEPS {
                return ControlFlow::Continue(());
            }
            self.halve();
        }
    }

    /// Places of the arcs that are left, joined.
    fn left(&self) -> Vec<[f64; 2]> {
        let mut joined: Vec<[f64; 2]> = Vec::new();
        for [from, to] in self.arcs.iter().map(Arc::places) {
            match joined.last_mut() {
                Some(last) if last[1] >= from => last[1] = to,
                _ => joined.push([from, to]),
            }
        }
        joined
    }

    /// Bounds all walks at a level, and drops steps.
    fn bound(&mut self) -> ControlFlow<Interrupt> {
        let mut steps = self.steps()?;
        let mut q = vec![0.0; self.arcs.len()];
        let mut rise = f64::NEG_INFINITY;
        for round in 0..SLOPES {
            let walks = Walks::new(&steps, self.width, self.half(), &q);
            let through = walks.through(self.observer)?;
            rise = max(rise, min(through.least(), self.goal));
            self.proved = max(self.proved, rise);
            let walk = walks.best(&through);
            self.look_at(&walk);
            if self.better.is_some() {
                break;
            }
            let next = slopes(&steps, &through, self.arcs.len());
            let before = steps.forward.len() + steps.closing.len();
            steps = self.kept(steps, &through);
            let after = steps.forward.len() + steps.closing.len();
            // What is left costs less than the goal by these slopes; others may do better.
            if steps.closing.is_empty() || (round > 1 && after == before) {
                break;
            }
            q = next;
        }
        let pairs = |steps: &[Step]| steps.iter().map(|step| (step.from, step.to)).collect();
        self.pairs = [pairs(&steps.forward), pairs(&steps.closing)];
        if self.pairs[1].is_empty() {
            self.proved = max(self.proved, self.goal);
        }
        self.prune();
        ControlFlow::Continue(())
    }

    /// Half an arc, in places.
    fn half(&self) -> f64 {
        0.5 / f64::from(1_u32 << self.level)
    }

    /// The costs of all pairs.
    fn steps(&self) -> ControlFlow<Interrupt, Steps> {
        let points = &self.instance.points;
        let homes: Vec<usize> = points.iter().map(|point| point.home(self.level)).collect();
        let cells = 4_usize << self.level;
        let cost = |from: usize, to: usize, closes: bool| {
            let arcs = [&self.arcs[from], &self.arcs[to]];
            let apart = (arcs[1].cell + cells - arcs[0].cell) % cells;
            let apart = match (apart, closes) {
                (0, false) => return Cost::NONE,
                (0, true) => cells,
                (apart, _) => apart,
            };
            gap::between((points, &homes), self.instance.lambda, arcs, apart, cells)
        };
        let steps = |pairs: &[(usize, usize)], closes: bool| {
            let parts: Vec<ControlFlow<Interrupt, Vec<Step>>> = pairs
                .par_chunks(PAIRS)
                .map(|pairs| {
                    self.observer.poll()?;
                    let step = |&(from, to): &(usize, usize)| Step { from, to, cost: cost(from, to, closes) };
                    ControlFlow::Continue(pairs.iter().map(step).collect())
                })
                .collect();
            let mut all = Vec::with_capacity(pairs.len());
            for part in parts {
                all.extend(part?);
            }
            ControlFlow::Continue(all)
        };
        let [forward, closing] = &self.pairs;
        ControlFlow::Continue(Steps { forward: steps(forward, false)?, closing: steps(closing, true)? })
    }

    /// The steps through which a walk may cost less than the goal.
    fn kept(&self, steps: Steps, through: &Through) -> Steps {
        let keep = |steps: Vec<Step>, sums: &[f64]| {
            steps.into_iter().zip(sums).filter(|(_, sum)| **sum < self.goal).map(|(step, _)| step).collect()
        };
        Steps {
            forward: keep(steps.forward, &through.forward),
            closing: keep(steps.closing, &through.closing),
        }
    }

    /// Whether the middles of a walk cost less than the goal.
    fn look_at(&mut self, walk: &[usize]) {
        let atoms: Vec<[f64; 2]> = walk.iter().map(|&arc| self.arcs[arc].direction()).collect();
        if !atoms.is_empty() && gap::value(&self.instance.points, self.instance.lambda, &atoms) < self.goal {
            self.better = Some(atoms);
        }
    }

    /// Forgets arcs that no step touches.
    fn prune(&mut self) {
        let mut used = vec![false; self.arcs.len()];
        for &(from, to) in self.pairs.iter().flatten() {
            (used[from], used[to]) = (true, true);
        }
        let mut number = 0;
        let numbers: Vec<usize> = used
            .iter()
            .map(|&used| {
                number += usize::from(used);
                number.saturating_sub(1)
            })
            .collect();
        self.arcs = self.arcs.iter().zip(&used).filter(|(_, used)| **used).map(|(arc, _)| *arc).collect();
        for pair in self.pairs.iter_mut().flatten() {
            *pair = (numbers[pair.0], numbers[pair.1]);
        }
    }

    /// Halves every arc: halves of arcs that may hold neighbors may.
    fn halve(&mut self) {
        self.level += 1;
        let halves = |arc: &Arc| [2 * arc.cell, 2 * arc.cell + 1].map(|cell| Arc::new(cell, self.level));
        self.arcs = self.arcs.iter().flat_map(halves).collect();
        let [forward, closing] = &mut self.pairs;
        let pairs = |&(from, to): &(usize, usize)| {
            let pair = move |k: usize| (2 * from + k / 2, 2 * to + k % 2);
            (0..4).map(pair)
        };
        *forward = forward.iter().flat_map(pairs).filter(|(from, to)| from <= to).collect();
        *closing = closing.iter().flat_map(pairs).filter(|(from, to)| from >= to).collect();
        forward.sort_unstable();
        closing.sort_unstable_by_key(|&(from, to)| (to, from));
    }
}

/// Pairs of arcs between two questions to the observer.
const PAIRS: usize = 256;

/// A slope for every arc that lets those of its cheapest steps cancel.
fn slopes(steps: &Steps, through: &Through, arcs: usize) -> Vec<f64> {
    let mut cheapest = vec![[(f64::INFINITY, 0.0); 2]; arcs];
    let all = steps.forward.iter().zip(&through.forward).chain(steps.closing.iter().zip(&through.closing));
    for (step, &sum) in all {
        let [out, into] = step.cost.slopes.map(|[lo, hi]| 0.5 * (lo + hi));
        for (arc, side, slope) in [(step.from, 0, out), (step.to, 1, into)] {
            if sum < cheapest[arc][side].0 {
                cheapest[arc][side] = (sum, slope);
            }
        }
    }
    cheapest.into_iter().map(|[out, into]| 0.5 * (out.1 - into.1)).collect()
}
