//! A hunt for false claims: adversarial instances, feasible points from another optimizer,
//! and every claim of a certificate held against them in exact arithmetic.
//!
//! What judges shares nothing with [`trusted`](crate::trusted): objectives are evaluated in
//! [`exact`](super::exact), and the points come from the plain block descent of
//! [`naive`](super::naive), from known shapes and from small changes of the point under
//! attack. A descent that stalls makes the attack weaker, never wrong: a claim fails only
//! where a feasible point contradicts it exactly.

mod claims;
mod instances;
mod judge;
mod local;
mod rivals;
mod shared;

use std::collections::BTreeMap;
use std::fmt;
use std::panic::{AssertUnwindSafe, catch_unwind};

use super::exact::Exact;
pub use instances::Instance;
pub use judge::Claims;
pub use local::{distance, outside};

/// What an instance is made to be.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum Strategy {
    /// Nothing special.
    Plain,
    /// Children that never fire without their parent.
    Hierarchy,
    /// Copies, multiples, antipodes, zeros.
    Copies,
    /// Points a few units in the last place from one another.
    Neighbors,
    /// λ, or the price of a datapoint, is a length to one unit in the last place.
    Threshold,
    /// Weights up to three hundred decades apart.
    Weights,
    /// λ and γ far apart, far from the data, or one of them 0.
    Prices,
    /// Data of sizes from 1e-140 to 1e135.
    Scales,
    /// Data that underflow.
    Subnormal,
    /// Data far from the origin about a learnt center.
    Center,
    /// Hundreds to thousands of sparse mixtures, see [`Instance::many`].
    Many,
}

impl Strategy {
    /// Those of few datapoints, see [`Instance::draw`].
    pub const SMALL: [Self; 10] = [
        Self::Plain,
        Self::Hierarchy,
        Self::Copies,
        Self::Neighbors,
        Self::Threshold,
        Self::Weights,
        Self::Prices,
        Self::Scales,
        Self::Subnormal,
        Self::Center,
    ];
}

/// What is claimed.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum Claim {
    /// The computation ends without a panic.
    Ends,
    /// The enclosure of an objective holds it.
    Enclosure,
    /// A certified lower bound is at or below every feasible objective.
    LowerBound,
    /// No feasible point is better by more than the gap.
    Gap,
    /// Nor by more than the relative gap, which is between 0 and 1.
    RelativeGap,
    /// No feasible point is better than a `global` one by more than the tolerance.
    Global,
    /// Nothing as low lies just outside the radius of a `local` verdict.
    Local,
    /// The point that refutes is lower, and not wider.
    Improvement,
    /// What is refuted as not stationary can be lowered.
    NotStationary,
    /// A participation bound is below every point whose atoms are as common.
    Participation,
    /// The bound for a number of atoms is below every point of at most as many.
    Width,
    /// A bound over fixed atoms is below every point with these atoms.
    Coding,
    /// Codes are within their gap of the best codes, but for the stated rounding.
    EncodeGap,
    /// The boundary of one atom a datapoint lies where every pair allows it, and some
    /// pair nothing above.
    Boundary,
    /// What is decided at a single price.
    Regime,
}

/// How hard points are searched for.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Effort {
    /// Random starts of each kind.
    pub restarts: usize,
    /// Most sweeps of a descent.
    pub sweeps: usize,
    /// Directions in which the neighborhood of a `local` point is left.
    pub directions: usize,
}

impl Default for Effort {
    /// Some tens of milliseconds an instance.
    fn default() -> Self {
        Self { restarts: 2, sweeps: 200, directions: 3 }
    }
}

/// What was seen of one claim on one strategy.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Tally {
    /// Comparisons made.
    pub attacked: usize,
    /// The smallest slack, as a share of the larger side; infinite where nothing was
    /// compared.
    pub slack: f64,
    /// Comparisons that failed.
    pub failures: usize,
}

/// What a hunt saw.
#[derive(Clone, Debug, Default)]
pub struct Report {
    /// Instances a strategy.
    pub instances: BTreeMap<Strategy, usize>,
    /// What was seen of each claim.
    pub tallies: BTreeMap<(Strategy, Claim), Tally>,
    /// The first failures, each with what repeats it.
    pub failures: Vec<String>,
}

/// Failures described in full; the others are only counted.
const DESCRIBED: usize = 50;

impl Report {
    /// Comparisons of a claim over all strategies.
    #[must_use]
    pub fn attacked(&self, claim: Claim) -> usize {
        self.tallies.iter().filter(|((_, c), _)| *c == claim).map(|(_, tally)| tally.attacked).sum()
    }

    /// Comparisons that failed.
    #[must_use]
    pub fn failed(&self) -> usize {
        self.tallies.values().map(|tally| tally.failures).sum()
    }

    /// `small ≤ large`, exactly, or a failure.
    fn at_most(&mut self, at: &Instance, claim: Claim, small: &Exact, large: &Exact, what: &str) {
        let larger = std::cmp::max(small.abs(), large.abs());
        let difference = large.clone() - small.clone();
        let slack = if larger.is_positive() { difference.over(&larger).approx() } else { 0.0 };
        self.note(at, claim, small <= large, slack, || {
            format!("{what}: {:e} should be at most {:e}", small.approx(), large.approx())
        });
    }

    fn note(&mut self, at: &Instance, claim: Claim, holds: bool, slack: f64, what: impl FnOnce() -> String) {
        let fresh = Tally { attacked: 0, slack: f64::INFINITY, failures: 0 };
        let tally = self.tallies.entry((at.strategy, claim)).or_insert(fresh);
        tally.attacked += 1;
        tally.slack = crate::num::min(tally.slack, slack);
        if !holds {
            tally.failures += 1;
            if self.failures.len() < DESCRIBED {
                self.failures.push(format!("{claim:?} ({:?}, seed {}): {}", at.strategy, at.seed, what()));
            }
        }
    }
}

impl fmt::Display for Report {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        writeln!(
            f,
            "{:<10} {:>9}  {:<14} {:>9} {:>14} {:>8}",
            "strategy", "instances", "claim", "attacked", "smallest slack", "failures"
        )?;
        for ((strategy, claim), tally) in &self.tallies {
            let instances = self.instances.get(strategy).copied().unwrap_or(0);
            let (strategy, claim) = (format!("{strategy:?}"), format!("{claim:?}"));
            writeln!(
                f,
                "{strategy:<10} {instances:>9}  {claim:<14} {:>9} {:>14.1e} {:>8}",
                tally.attacked, tally.slack, tally.failures
            )?;
        }
        for failure in &self.failures {
            writeln!(f, "{failure}")?;
        }
        let total: usize = self.instances.values().sum();
        let attacked: usize = self.tallies.values().map(|tally| tally.attacked).sum();
        write!(f, "{total} instances, {attacked} comparisons, {} failures", self.failed())
    }
}

/// Attacks the claims made of one instance.
pub fn attack(instance: &Instance, effort: &Effort, report: &mut Report) {
    *report.instances.entry(instance.strategy).or_insert(0) += 1;
    let mut rng = Instance::generator(instance.strategy, instance.seed ^ ATTACKERS);
    let outcome = catch_unwind(AssertUnwindSafe(|| match instance.strategy {
        Strategy::Many => claims::attack_bounds(instance, &mut rng, report),
        Strategy::Plain
        | Strategy::Hierarchy
        | Strategy::Copies
        | Strategy::Neighbors
        | Strategy::Threshold
        | Strategy::Weights
        | Strategy::Prices
        | Strategy::Scales
        | Strategy::Subnormal
        | Strategy::Center => claims::attack(instance, effort, &mut rng, report),
    }));
    report.note(instance, Claim::Ends, outcome.is_ok(), 0.0, || "a panic".to_owned());
}

/// Keeps the attackers' choices apart from those of the instance.
const ATTACKERS: u64 = 0x5eed;

/// Attacks `instances` small instances, the strategies in turn, from `seed` on.
#[must_use]
pub fn hunt(instances: usize, seed: u64, effort: &Effort) -> Report {
    let mut report = Report::default();
    for (index, strategy) in (0..instances).zip(Strategy::SMALL.iter().cycle()) {
        let seed = seed + (index / Strategy::SMALL.len()) as u64;
        attack(&Instance::draw(*strategy, seed), effort, &mut report);
    }
    report
}

/// Attacks the bounds of `instances` instances of up to `most` datapoints, from `seed` on.
#[must_use]
pub fn hunt_many(instances: usize, seed: u64, most: usize) -> Report {
    let mut report = Report::default();
    for seed in (seed..).take(instances) {
        attack(&Instance::many(seed, most), &Effort::default(), &mut report);
    }
    report
}
