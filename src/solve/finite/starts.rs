//! Starting dictionaries.

use std::collections::BinaryHeap;

use rand::seq::index;
use rand::{RngExt, SeedableRng};
use rand_chacha::ChaCha8Rng;
use rayon::prelude::*;
use serde::{Deserialize, Serialize};

use crate::atoms::Codes;
use crate::linalg::{Matrix, dot, norm};
use crate::num::{max, min};
use crate::observer::Observer;

/// Where a descent starts.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Start {
    /// Directions of datapoints, drawn one after another with the chance of what
    /// each still loses against an atom of its own (k-means++ with the price of
    /// a datapoint for its distance).
    Spread,
    /// The convex solution cut down to the width: at γ = 0 the closed form's
    /// atoms chosen greedily, at γ > 0 the atoms of largest gauge of a column
    /// generation.
    Rounded,
    /// Random mixtures of two datapoints.
    Random,
}

/// What a starting dictionary is made from.
#[derive(Clone, Copy)]
pub(super) struct Ground<'a> {
    /// The data about the center, n × N.
    pub(super) datapoints: &'a Matrix,
    pub(super) weights: &'a [f64],
    /// What a unit of code costs.
    pub(super) lambda: f64,
    /// Atoms wanted.
    pub(super) width: usize,
}

/// Unit directions, and which of them serves every datapoint best, where the start knows it. A
/// run that stops before its first coding has that in hand.
pub(super) struct Chosen {
    pub(super) atoms: Matrix,
    /// The direction of each datapoint; empty where none is known.
    owners: Vec<Option<usize>>,
}

impl Chosen {
    /// A code a datapoint, over the direction that serves it best.
    pub(super) fn single_codes(&self, ground: &Ground<'_>) -> Codes {
        let code = |(i, owner): (usize, &Option<usize>)| -> Vec<(usize, f64)> {
            let reached =
                owner.map(|k| (k, dot(ground.datapoints.col(i), self.atoms.col(k)) - ground.lambda));
            reached.filter(|(_, z)| *z > 0.0).into_iter().collect()
        };
        let mut columns: Vec<_> = self.owners.iter().enumerate().map(code).collect();
        columns.resize(ground.datapoints.ncols(), Vec::new());
        Codes::from_columns(self.atoms.ncols(), &columns)
    }
}

impl Ground<'_> {
    /// Up to `width` unit directions of a kind, fewer where the observer breaks;
    /// [`Start::Rounded`] is that of γ = 0.
    pub(super) fn directions(&self, kind: Start, seed: u64, observer: &dyn Observer) -> Chosen {
        match kind {
            Start::Spread => spread(self, seed, observer),
            Start::Rounded => greedy(self, seed, observer),
            Start::Random => Chosen { atoms: random(self, seed), owners: Vec::new() },
        }
    }
}

/// Most candidates of [`greedy`]. A candidate costs O(nN), and more candidates change the start
/// little.
const MAX_CANDIDATES: usize = 2048;

/// Datapoints that one parallel task of these loops handles.
const CHUNK: usize = 256;

/// What every datapoint loses against an atom of its own: `½w(r − λ)₊²` without
/// an atom, and `½w((r − λ)₊² − (dᵀx − λ)₊²)` with the atom d alone.
struct Losses<'a> {
    datapoints: &'a Matrix,
    weights: &'a [f64],
    lambda: f64,
    /// Lengths of the points.
    norms: Vec<f64>,
    /// Loss of each without any atom.
    own: Vec<f64>,
    /// Loss of each with the atoms chosen.
    now: Vec<f64>,
    /// The atoms chosen, and the one of the least loss for each datapoint.
    chosen: Chosen,
}

impl<'a> Losses<'a> {
    fn new(ground: &Ground<'a>) -> Self {
        let Ground { datapoints, weights, lambda, .. } = *ground;
        let norms: Vec<f64> = datapoints.columns().map(norm).collect();
        let own: Vec<f64> = norms
            .iter()
            .zip(weights)
            .map(|(r, w)| {
                let s = max(r - lambda, 0.0);
                0.5 * w * s * s
            })
            .collect();
        let chosen = Chosen { atoms: Matrix::zeros(datapoints.nrows(), 0), owners: vec![None; norms.len()] };
        Self { datapoints, weights, lambda, norms, now: own.clone(), own, chosen }
    }

    fn direction(&self, i: usize) -> Vec<f64> {
        self.datapoints.col(i).iter().map(|v| v / self.norms[i]).collect()
    }

    /// The losses after the direction of datapoint `pick` becomes an atom too.
    fn with(&self, pick: usize) -> Vec<f64> {
        let direction = self.direction(pick);
        let mut next = vec![0.0; self.now.len()];
        next.par_chunks_mut(CHUNK).enumerate().for_each(|(c, chunk)| {
            for (offset, next) in chunk.iter_mut().enumerate() {
                let i = c * CHUNK + offset;
                let s = max(dot(self.datapoints.col(i), &direction) - self.lambda, 0.0);
                *next = min(self.now[i], max(self.own[i] - 0.5 * self.weights[i] * s * s, 0.0));
            }
        });
        next[pick] = 0.0;
        next
    }

    /// Makes the direction of datapoint `pick` an atom.
    fn choose(&mut self, pick: usize) {
        let next = self.with(pick);
        let atom = self.chosen.atoms.ncols();
        for ((owner, now), next) in self.chosen.owners.iter_mut().zip(&self.now).zip(&next) {
            if next < now {
                *owner = Some(atom);
            }
        }
        self.now = next;
        self.chosen.atoms.push_column(&self.direction(pick));
    }

    /// Draws a datapoint with probability proportional to its loss; `None` when all losses are 0.
    fn draw(&self, rng: &mut ChaCha8Rng) -> Option<usize> {
        let total: f64 = self.now.iter().sum();
        let mut left = rng.random::<f64>() * total;
        let mut last = None;
        for (i, &loss) in self.now.iter().enumerate() {
            if loss > 0.0 {
                last = Some(i);
                left -= loss;
                if left <= 0.0 {
                    break;
                }
            }
        }
        last
    }
}

/// Up to `width` unit directions of datapoints by [`Start::Spread`]. O(nN) each.
fn spread(ground: &Ground<'_>, seed: u64, observer: &dyn Observer) -> Chosen {
    let mut rng = ChaCha8Rng::seed_from_u64(seed);
    let mut losses = Losses::new(ground);
    while losses.chosen.atoms.ncols() < ground.width && observer.poll().is_continue() {
        let Some(pick) = losses.draw(&mut rng) else { break };
        losses.choose(pick);
    }
    losses.chosen
}

/// Up to `width` unit directions of datapoints, each the one that lowers the sum
/// of losses the most (lazily: the gain of a candidate only falls as others are
/// chosen, so an old gain is an upper bound of the present one).
fn greedy(ground: &Ground<'_>, seed: u64, observer: &dyn Observer) -> Chosen {
    let Ground { datapoints, width, .. } = *ground;
    let mut losses = Losses::new(ground);
    let active: Vec<usize> = (0..datapoints.ncols()).filter(|&i| losses.own[i] > 0.0).collect();
    let candidates: Vec<usize> = if active.len() <= MAX_CANDIDATES.max(width) {
        active
    } else {
        let mut rng = ChaCha8Rng::seed_from_u64(seed);
        let chosen = index::sample(&mut rng, active.len(), MAX_CANDIDATES.max(width));
        chosen.into_iter().map(|at| active[at]).collect()
    };
    let mut heap: BinaryHeap<Gain> =
        candidates.into_iter().map(|pick| Gain { value: f64::INFINITY, pick, age: 0 }).collect();
    let mut total: f64 = losses.now.iter().sum();
    while losses.chosen.atoms.ncols() < width && observer.poll().is_continue() {
        let Some(best) = heap.pop() else { break };
        let age = losses.chosen.atoms.ncols();
        if best.value.is_finite() && best.age == age {
            losses.choose(best.pick);
            total = losses.now.iter().sum();
            continue;
        }
        let value = total - losses.with(best.pick).iter().sum::<f64>();
        heap.push(Gain { value, pick: best.pick, age });
    }
    losses.chosen
}

/// The gain of a candidate, computed when there were `age` atoms.
#[derive(PartialEq)]
struct Gain {
    value: f64,
    pick: usize,
    age: usize,
}

impl Eq for Gain {}

impl PartialOrd for Gain {
    fn partial_cmp(&self, other: &Self) -> Option<std::cmp::Ordering> {
        Some(self.cmp(other))
    }
}

impl Ord for Gain {
    fn cmp(&self, other: &Self) -> std::cmp::Ordering {
        self.value.total_cmp(&other.value).then(other.pick.cmp(&self.pick))
    }
}

/// Draws beyond twice the width. The spare draws replace mixtures that cancel and datapoints at the
/// center, which have no direction.
const SPARE_DRAWS: usize = 16;

/// Length below which a mixture of two unit vectors is left out: its direction would be
/// rounding.
const CANCELLED: f64 = 1e-6;

/// `width` unit directions by [`Start::Random`]; fewer where no datapoint has a length.
fn random(ground: &Ground<'_>, seed: u64) -> Matrix {
    let Ground { datapoints, width, .. } = *ground;
    let mut rng = ChaCha8Rng::seed_from_u64(seed);
    let mut atoms = Matrix::zeros(datapoints.nrows(), 0);
    for _ in 0..2 * width + SPARE_DRAWS {
        if atoms.ncols() == width {
            break;
        }
        let (i, j) = (rng.random_range(0..datapoints.ncols()), rng.random_range(0..datapoints.ncols()));
        let share: f64 = rng.random();
        let (ri, rj) = (norm(datapoints.col(i)), norm(datapoints.col(j)));
        if !(ri > 0.0 && rj > 0.0) {
            continue;
        }
        let mixture: Vec<f64> = datapoints
            .col(i)
            .iter()
            .zip(datapoints.col(j))
            .map(|(x, y)| share * x / ri + (1.0 - share) * y / rj)
            .collect();
        let length = norm(&mixture);
        if length > CANCELLED {
            let unit: Vec<f64> = mixture.iter().map(|v| v / length).collect();
            atoms.push_column(&unit);
        }
    }
    atoms
}
