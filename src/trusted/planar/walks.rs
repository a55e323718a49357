//! Closed walks of arcs.
//!
//! The atoms of a dictionary, counterclockwise from the one of least place, lie in arcs
//! `i₁ ≤ … ≤ i_M`: a walk of M − 1 steps and a closing one. Its cost is at least the sum of the
//! costs of its steps, so that the least sum over walks bounds every dictionary
//! (theorem `planar-optimum`, item 5). Sums are found by dynamic programming from every first
//! arc, forwards and backwards, which gives the least walk through every step too.

use std::ops::ControlFlow;

use rayon::prelude::*;

use super::gap::Cost;
use crate::num::{max, min, rounding};
use crate::observer::{Interrupt, Observer};

/// From an arc to the next.
#[derive(Clone, Copy, Debug)]
pub(super) struct Step {
    pub(super) from: usize,
    pub(super) to: usize,
    pub(super) cost: Cost,
}

/// What may follow what.
pub(super) struct Steps {
    /// Not downwards, sorted by where they start; an arc may be stayed in.
    pub(super) forward: Vec<Step>,
    /// The last step of a walk, not upwards, sorted by where they end.
    pub(super) closing: Vec<Step>,
}

/// The least sums of walks through every step, from below.
pub(super) struct Through {
    pub(super) forward: Vec<f64>,
    pub(super) closing: Vec<f64>,
}

impl Through {
    /// The least of all walks.
    pub(super) fn least(&self) -> f64 {
        self.closing.iter().copied().fold(f64::INFINITY, min)
    }
}

/// Costs of steps over `arcs` arcs, for walks of `width` atoms.
pub(super) struct Walks<'a> {
    pub(super) steps: &'a Steps,
    pub(super) arcs: usize,
    pub(super) width: usize,
    /// Costs of forward and of closing steps, from below.
    pub(super) costs: [Vec<f64>; 2],
}

impl<'a> Walks<'a> {
    /// With the costs of steps after a shift of `q[to]·x' − q[from]·x`, which no closed walk feels.
    pub(super) fn new(steps: &'a Steps, width: usize, half: f64, q: &[f64]) -> Self {
        let cost = |step: &Step| step.cost.least(half, [q[step.from], q[step.to]]);
        let costs =
            [&steps.forward, &steps.closing].map(|steps| steps.par_iter().map(cost).collect::<Vec<f64>>());
        Self { steps, arcs: q.len(), width, costs }
    }

    /// What rounding of a walk's sum may hide.
    fn slack(&self) -> f64 {
        let largest = self.costs.iter().flatten().map(|c| c.abs()).fold(0.0, max);
        #[expect(clippy::cast_precision_loss, reason = "a number of atoms")]
        let terms = (self.width + 2) as f64;
        2.0 * rounding::gamma(self.width + 2) * terms * largest + f64::MIN_POSITIVE
    }

    /// Sums of the cheapest ways from a first arc: `[m·arcs + j]` with m steps made, at arc j.
    fn sums(&self, first: usize) -> Vec<f64> {
        let n = self.arcs;
        let mut sums = vec![f64::INFINITY; self.width * n];
        sums[first] = 0.0;
        let begin = self.steps.forward.partition_point(|step| step.from < first);
        for m in 1..self.width {
            let (made, next) = sums.split_at_mut(m * n);
            let made = &made[(m - 1) * n..];
            for (step, cost) in self.steps.forward[begin..].iter().zip(&self.costs[0][begin..]) {
                let sum = made[step.from] + cost;
                if sum < next[step.to] {
                    next[step.to] = sum;
                }
            }
        }
        sums
    }

    /// The least walks through every step; an interrupt where the observer breaks.
    pub(super) fn through(&self, observer: &dyn Observer) -> ControlFlow<Interrupt, Through> {
        let n = self.arcs;
        let slack = self.slack();
        let closing = |first: usize| {
            let steps = &self.steps.closing;
            steps.partition_point(|step| step.to < first)..steps.partition_point(|step| step.to <= first)
        };
        let one = |mut found: Vec<f64>, first: usize| -> ControlFlow<Interrupt, Vec<f64>> {
            observer.poll()?;
            let range = closing(first);
            if range.is_empty() {
                return ControlFlow::Continue(found);
            }
            let sums = self.sums(first);
            let forward = self.steps.forward.len();
            let mut back = vec![f64::INFINITY; n];
            for k in range {
                let (step, cost) = (&self.steps.closing[k], self.costs[1][k]);
                back[step.from] = min(back[step.from], cost);
                let sum = sums[(self.width - 1) * n + step.from] + cost;
                found[forward + k] = min(found[forward + k], sum);
            }
            let begin = self.steps.forward.partition_point(|step| step.from < first);
            for m in (0..self.width - 1).rev() {
                let mut earlier = vec![f64::INFINITY; n];
                let made = &sums[m * n..(m + 1) * n];
                let steps = self.steps.forward[begin..].iter().zip(&self.costs[0][begin..]);
                for ((step, cost), found) in steps.zip(&mut found[begin..forward]) {
                    let rest = cost + back[step.to];
                    if rest < earlier[step.from] {
                        earlier[step.from] = rest;
                    }
                    let sum = made[step.from] + rest;
                    if sum < *found {
                        *found = sum;
                    }
                }
                back = earlier;
            }
            ControlFlow::Continue(found)
        };
        let total = self.steps.forward.len() + self.steps.closing.len();
        let none = || vec![f64::INFINITY; total];
        // Few lists, each as long as the steps; the least of them does not depend on their number.
        let parts: Vec<ControlFlow<Interrupt, Vec<f64>>> = (0..n)
            .collect::<Vec<_>>()
            .par_chunks(n.div_ceil(CHUNKS).max(1))
            .map(|chunk| chunk.iter().try_fold(none(), |found, &first| one(found, first)))
            .collect();
        let mut found = none();
        for part in parts {
            for (least, sum) in found.iter_mut().zip(part?) {
                *least = min(*least, sum);
            }
        }
        found.iter_mut().for_each(|sum| *sum -= slack);
        let closing = found.split_off(self.steps.forward.len());
        ControlFlow::Continue(Through { forward: found, closing })
    }

    /// The arcs of a walk of least sum.
    pub(super) fn best(&self, through: &Through) -> Vec<usize> {
        let least =
            (0..through.closing.len()).min_by(|&k, &l| through.closing[k].total_cmp(&through.closing[l]));
        let Some(last) = least.map(|k| self.steps.closing[k]) else { return Vec::new() };
        let sums = self.sums(last.to);
        let mut walk = vec![last.from];
        for m in (1..self.width).rev() {
            let here = walk[walk.len() - 1];
            let sum = |k: &usize| sums[(m - 1) * self.arcs + self.steps.forward[*k].from] + self.costs[0][*k];
            let into = (0..self.steps.forward.len()).filter(|&k| self.steps.forward[k].to == here);
            let Some(k) = into.min_by(|k, l| sum(k).total_cmp(&sum(l))) else { break };
            walk.push(self.steps.forward[k].from);
        }
        walk.reverse();
        walk
    }
}

/// Parts that first arcs are divided in, at most.
const CHUNKS: usize = 16;
