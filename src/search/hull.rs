//! How far codes are from what the atoms of a stationary point demand (theorem
//! `hull-condition`): the point of a hull, or of a cone, that is nearest to a target.
//!
//! An active-set method (Lawson and Hanson's): the datapoint that separates most is added, the
//! best combination of the active ones is computed by QR, and those it wants with a negative
//! weight are dropped. What is left of the target is the separating
//! vector; [`trusted::hull`](crate::trusted::hull) bounds the distance by it.

use crate::linalg::{axpy, dot, norm};
use crate::num::{max, min};
use crate::observer::Observer;
use crate::trusted::hull::Demands;

/// When the search for one atom ends.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Limits {
    /// Steps, each a pass over the codes of the atoms looked at.
    pub steps: usize,
    /// Distance, over `‖s‖`, at which a target counts as inside.
    pub inside: f64,
    /// Relative distance from the best lower end at which a step no longer pays.
    pub accuracy: f64,
}

impl Default for Limits {
    /// 300 steps, 1e-9, 1e-3.
    fn default() -> Self {
        Self { steps: 300, inside: 1e-9, accuracy: 1e-3 }
    }
}

/// The nearest point that was found.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Nearest {
    /// Its distance over the coordinates looked at, in units of `‖s‖`, as computed: that of the
    /// nearest point, or more where steps ran out. Over all coordinates a distance is not smaller.
    pub distance: f64,
    /// The separating vector: atoms and values.
    pub direction: Vec<(usize, f64)>,
    /// The datapoints it is a combination of, with their weights.
    pub points: Vec<(usize, f64)>,
    /// Numbers touched: what it cost.
    pub work: usize,
}

/// Finds the nearest point for atom j over the coordinates of these atoms. O(steps · (nnz of
/// their rows + N + K·S)) time for K atoms and S active points, O(N + K·S) memory. `None` where the
/// observer, who is asked at every step, breaks.
#[must_use]
pub fn nearest(
    demands: &Demands<'_>,
    j: usize,
    atoms: &[usize],
    limits: &Limits,
    observer: &dyn Observer,
) -> Option<Nearest> {
    let mut search = Search::new(demands, j, atoms);
    let unit = demands.unit();
    let mut best = f64::NEG_INFINITY;
    for _ in 0..limits.steps {
        if observer.poll().is_break() {
            return None;
        }
        let length = norm(&search.rest);
        // A hull has no point before the first is active.
        let begun = search.lift.is_none() || !search.active.is_empty();
        if begun && !(length > limits.inside * unit) {
            break;
        }
        let (found, lower) = search.most_separating(length);
        best = max(best, lower);
        // What separates bounds the distance: at its end both agree.
        let done = begun && best >= (1.0 - limits.accuracy) * length;
        if done || !search.improve(found) {
            break;
        }
    }
    Some(search.end(unit))
}

/// The active points and what is left of the target.
///
/// The nearest point of a hull is one of a cone: that of the columns `(zᵢ − t, η)`, with the
/// target `(0, η)`. Of a combination with weights of sum σ it is `σ²‖t − p‖² + η²(1 − σ)²` away,
/// p being the point of the hull with the weights over σ, so the nearest one has the nearest p.
struct Search<'a> {
    demands: &'a Demands<'a>,
    atoms: &'a [usize],
    target: Vec<f64>,
    /// Whether a datapoint may be used: j is off.
    off: Vec<bool>,
    /// η; none for a cone.
    lift: Option<f64>,
    /// The target less the nearest point so far.
    rest: Vec<f64>,
    active: Vec<usize>,
    weights: Vec<f64>,
    /// Codes of the active points, a column a point.
    columns: Vec<Vec<f64>>,
    factor: Factor,
    work: usize,
}

impl<'a> Search<'a> {
    fn new(demands: &'a Demands<'a>, j: usize, atoms: &'a [usize]) -> Self {
        let middle = |k: &usize| {
            let target = demands.target(j, *k);
            0.5 * (target.lo + target.hi)
        };
        let target: Vec<f64> = atoms.iter().map(middle).collect();
        let mut off = vec![true; demands.datapoints()];
        demands.row(j).indices.iter().for_each(|&i| off[i] = false);
        Self {
            demands,
            atoms,
            rest: target.clone(),
            target,
            work: off.len(),
            off,
            // The largest code is near 1.
            lift: demands.centered().then_some(1.0),
            active: Vec::new(),
            weights: Vec::new(),
            columns: Vec::new(),
            factor: Factor::default(),
        }
    }

    /// The datapoint furthest along what is left, and the lower end of the distance that this
    /// proves but for rounding.
    fn most_separating(&mut self, length: f64) -> (Option<usize>, f64) {
        let mut scores = vec![0.0; self.off.len()];
        for (&k, y) in self.atoms.iter().zip(&self.rest) {
            let row = self.demands.row(k);
            self.work += row.len();
            row.iter().for_each(|(i, z)| scores[i] += y * z);
        }
        let (mut found, mut most) = (None, f64::NEG_INFINITY);
        for (i, score) in scores.into_iter().enumerate().filter(|(i, _)| self.off[*i]) {
            if score > most {
                (found, most) = (Some(i), score);
            }
        }
        if self.lift.is_some() {
            return (found, (dot(&self.rest, &self.target) - most) / length);
        }
        // A cone is separated by what lies along none of its codes, of which the largest is near 1.
        (found, if most <= ROUNDING * length { length } else { f64::NEG_INFINITY })
    }

    /// Adds a datapoint and moves to the best combination; false where nothing is gained.
    fn improve(&mut self, found: Option<usize>) -> bool {
        let Some(i) = found.filter(|i| !self.active.contains(i)) else { return false };
        let before = norm(&self.rest);
        if !self.join(i) {
            return false;
        }
        // Every round but the last drops a point.
        for _ in 0..=self.active.len() {
            let wanted = self.factor.solve();
            let reach = |(have, want): (&f64, &f64)| match (*want > 0.0, *have > 0.0) {
                (true, _) => 1.0,
                (false, true) => have / (have - want),
                (false, false) => 0.0,
            };
            let step = self.weights.iter().zip(&wanted).map(reach).fold(1.0, min);
            self.weights.iter_mut().zip(&wanted).for_each(|(have, want)| *have += step * (want - *have));
            if step >= 1.0 {
                break;
            }
            self.drop_least(&wanted);
        }
        let first = self.active.len() == 1;
        self.leave();
        first || norm(&self.rest) < before
    }

    /// Makes a datapoint active, with weight 0; false where it depends on the others.
    fn join(&mut self, i: usize) -> bool {
        let entry = |&k: &usize| {
            let row = self.demands.row(k);
            row.indices.binary_search(&i).map_or(0.0, |at| row.values[at])
        };
        let column: Vec<f64> = self.atoms.iter().map(entry).collect();
        self.work += self.atoms.len() * (1 + self.active.len());
        let (lifted, goal) = self.lifted(&column);
        if !self.factor.push(lifted, &goal) {
            return false;
        }
        self.columns.push(column);
        self.active.push(i);
        self.weights.push(0.0);
        true
    }

    /// A column of the cone, and its target.
    fn lifted(&self, column: &[f64]) -> (Vec<f64>, Vec<f64>) {
        let Some(lift) = self.lift else { return (column.to_vec(), self.target.clone()) };
        let less = column.iter().zip(&self.target).map(|(z, t)| z - t).chain([lift]);
        let goal = std::iter::repeat_n(0.0, column.len()).chain([lift]);
        (less.collect(), goal.collect())
    }

    /// Drops the points that blocked the step.
    fn drop_least(&mut self, wanted: &[f64]) {
        let blocked: Vec<usize> = (0..self.active.len()).filter(|at| wanted[*at] <= 0.0).collect();
        let least = blocked.iter().map(|at| self.weights[*at]).fold(f64::INFINITY, min);
        let dropped: Vec<usize> = blocked.into_iter().filter(|at| self.weights[*at] <= least).collect();
        let Some(&first) = dropped.first() else { return };
        for &at in dropped.iter().rev() {
            self.active.remove(at);
            self.weights.remove(at);
            self.columns.remove(at);
        }
        self.factor.truncate(first);
        let mut at = first;
        while at < self.columns.len() {
            let (lifted, goal) = self.lifted(&self.columns[at]);
            self.work += self.atoms.len() * (1 + at);
            if self.factor.push(lifted, &goal) {
                at += 1;
            } else {
                // Independent before, to rounding.
                self.active.remove(at);
                self.weights.remove(at);
                self.columns.remove(at);
            }
        }
    }

    /// Computes what is left.
    fn leave(&mut self) {
        let sum: f64 = self.weights.iter().sum();
        let share = if self.lift.is_some() { sum } else { 1.0 };
        self.rest.clone_from(&self.target);
        for (column, weight) in self.columns.iter().zip(&self.weights) {
            axpy(-weight / share, column, &mut self.rest);
        }
    }

    fn end(self, unit: f64) -> Nearest {
        let direction = self.atoms.iter().copied().zip(self.rest.iter().copied());
        Nearest {
            distance: norm(&self.rest) / unit,
            direction: direction.filter(|(_, y)| *y != 0.0).collect(),
            points: self.active.into_iter().zip(self.weights).filter(|(_, weight)| *weight > 0.0).collect(),
            work: self.work,
        }
    }
}

/// Columns as an orthonormal basis times a triangle, by Gram and Schmidt, twice.
#[derive(Default)]
struct Factor {
    basis: Vec<Vec<f64>>,
    /// A column of the triangle each.
    triangle: Vec<Vec<f64>>,
    /// The target's coordinates in the basis.
    goal: Vec<f64>,
}

impl Factor {
    /// Adds a column; false, and nothing is done, where it depends on the others.
    fn push(&mut self, mut column: Vec<f64>, goal: &[f64]) -> bool {
        let whole = norm(&column);
        let mut entries = vec![0.0; self.basis.len()];
        for _ in 0..2 {
            for (q, entry) in self.basis.iter().zip(&mut entries) {
                let along = dot(q, &column);
                axpy(-along, q, &mut column);
                *entry += along;
            }
        }
        let length = norm(&column);
        if !(length > DEPENDENT * whole) {
            return false;
        }
        column.iter_mut().for_each(|v| *v /= length);
        entries.push(length);
        self.goal.push(dot(&column, goal));
        self.basis.push(column);
        self.triangle.push(entries);
        true
    }

    fn truncate(&mut self, columns: usize) {
        self.basis.truncate(columns);
        self.triangle.truncate(columns);
        self.goal.truncate(columns);
    }

    /// The combination of the columns that is nearest to the target.
    fn solve(&self) -> Vec<f64> {
        let mut solved = self.goal.clone();
        for c in (0..solved.len()).rev() {
            solved[c] /= self.triangle[c][c];
            let value = solved[c];
            solved[..c].iter_mut().zip(&self.triangle[c]).for_each(|(s, entry)| *s -= value * entry);
        }
        solved
    }
}

/// Product of a code with the unit vector along what is left that is rounding.
const ROUNDING: f64 = 1e-12;

/// Share of a column that is left by the others below which it depends on them.
const DEPENDENT: f64 = 1e-12;
