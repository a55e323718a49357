//! What splitting an atom gains (theorem `splitting-pressure`), and atoms that are
//! already split.

use rayon::prelude::*;
use serde::Serialize;

use super::Thresholds;
use super::cosines::Pair;
use super::scene::{Scene, share};
use crate::linalg::{Row, axpy, dot, norm};
use crate::num::max;

/// Steps of the direction of a split, and of the two atoms it makes. Each raises the gain, the
/// first few the most; at ten times as many the gains printed stay the same.
const MAX_STEPS: usize = 12;

/// Openings tried, as the tangent of half the angle between the two atoms.
const OPENINGS: [f64; 5] = [0.05, 0.1, 0.2, 0.4, 0.8];

/// The splitting pressure of an atom.
///
/// ```math
/// \max_{v\perp d_k,\ \lVert v\rVert=1}\ \sum_iw_iz_{ki}\lvert v^\top r_i\rvert
/// ```
///
/// Splitting the atom by ±εv gains ε times this, to first order (theorem
/// `splitting-pressure`). A monotone iteration approaches the maximum from below, so the
/// number given is a lower bound, as computed.
#[derive(Clone, Debug, PartialEq, Serialize)]
pub struct AtomSplit {
    /// The atom.
    pub atom: usize,
    /// Datapoints at which it fires.
    pub uses: usize,
    /// The pressure, in units of the data squared.
    pub pressure: f64,
    /// The pressure over `λ s_k`, the atom's penalty.
    pub relative: f64,
    /// By how much an actual split lowers the objective: two atoms in place of one,
    /// each datapoint coded by the better of them, all other codes as they are. It is the
    /// computed change of the objective at a dictionary with one more atom.
    pub gain: f64,
    /// Cosine between the two atoms of that split.
    pub opening: f64,
    /// The direction v.
    #[serde(skip)]
    pub direction: Vec<f64>,
}

/// Splitting.
#[derive(Clone, Debug, PartialEq, Serialize)]
pub struct Splitting {
    /// `Σ_k` of the pressures over `Σ_k λs_k`: 0 at the wide limit and only there.
    pub mean_relative: f64,
    /// The atoms that fire, the largest gain first.
    pub atoms: Vec<AtomSplit>,
    /// Atoms joined by cosines of at least `duplicate`, the largest group first.
    pub clusters: Vec<Vec<usize>>,
}

pub(super) fn splitting(scene: &Scene<'_>, close: &[Pair], thresholds: &Thresholds) -> Splitting {
    let mut atoms: Vec<AtomSplit> = (0..scene.rows.len())
        .into_par_iter()
        .filter(|&k| !scene.rows[k].is_empty() && scene.goes_on())
        .map(|k| split(scene, k))
        .collect();
    let price: f64 = atoms.iter().map(|s| scene.lambda * scene.mass(s.atom)).sum();
    let mean_relative = share(atoms.iter().map(|s| s.pressure).sum(), price);
    atoms.sort_by(|l, r| r.gain.total_cmp(&l.gain).then(l.atom.cmp(&r.atom)));
    let duplicates = close.iter().filter(|pair| pair.cosine >= thresholds.duplicate);
    Splitting { mean_relative, atoms, clusters: clusters(scene.rows.len(), duplicates) }
}

fn split(scene: &Scene<'_>, k: usize) -> AtomSplit {
    let (row, atom) = (&scene.rows[k], scene.atom(k));
    let direction = direction(scene, row, atom);
    let pressure: f64 =
        row.iter().map(|(i, z)| scene.weights()[i] * z * dot(&direction, scene.residuals.col(i)).abs()).sum();
    // What the atom lowers the objective by at its datapoints.
    let now: f64 = row
        .iter()
        .map(|(i, z)| scene.weights()[i] * z * (dot(atom, scene.residuals.col(i)) + 0.5 * z - scene.lambda))
        .sum();
    let (gain, opening) = match best_pair(scene, row, atom, &direction, now) {
        Some((worth, [first, second])) => (max(worth - now, 0.0), dot(&first, &second)),
        None => (0.0, 1.0),
    };
    AtomSplit {
        atom: k,
        uses: row.len(),
        pressure,
        relative: share(pressure, scene.lambda * scene.mass(k)),
        gain,
        opening,
        direction,
    }
}

/// The best pair found in place of an atom with what it lowers the objective by; `None` where
/// no opening along the direction is worth more than `now`.
fn best_pair(
    scene: &Scene<'_>,
    row: &Row,
    atom: &[f64],
    direction: &[f64],
    now: f64,
) -> Option<(f64, [Vec<f64>; 2])> {
    let (mut worth, mut best) = (now, None);
    for opening in OPENINGS {
        let pair = [opening, -opening].map(|e| {
            let mut d = atom.to_vec();
            axpy(e, direction, &mut d);
            unit(d).unwrap_or_else(|| atom.to_vec())
        });
        let found = pair_worth(scene, row, atom, &pair);
        if found > worth {
            (worth, best) = (found, Some(pair));
        }
    }
    let mut pair = best?;
    for _ in 0..MAX_STEPS {
        let next = step(scene, row, atom, &pair);
        let found = pair_worth(scene, row, atom, &next);
        if !(found > worth) {
            break;
        }
        (worth, pair) = (found, next);
    }
    Some((worth, pair))
}

/// What a pair in place of an atom lowers the objective by at the atom's datapoints, each
/// coded by the better of the two.
fn pair_worth(scene: &Scene<'_>, row: &Row, atom: &[f64], pair: &[Vec<f64>; 2]) -> f64 {
    let along = [dot(&pair[0], atom), dot(&pair[1], atom)];
    row.iter()
        .map(|(i, z)| {
            let r = scene.residuals.col(i);
            let best = max(dot(&pair[0], r) + z * along[0], dot(&pair[1], r) + z * along[1]);
            let code = max(best - scene.lambda, 0.0);
            scene.weights()[i] * 0.5 * code * code
        })
        .sum()
}

/// Moves each of the two atoms to the best one for the datapoints it serves.
fn step(scene: &Scene<'_>, row: &Row, atom: &[f64], pair: &[Vec<f64>; 2]) -> [Vec<f64>; 2] {
    let along = [dot(&pair[0], atom), dot(&pair[1], atom)];
    let mut sums = [vec![0.0; pair[0].len()], vec![0.0; pair[0].len()]];
    for (i, z) in row.iter() {
        let r = scene.residuals.col(i);
        let both = [dot(&pair[0], r) + z * along[0], dot(&pair[1], r) + z * along[1]];
        let side = usize::from(both[1] > both[0]);
        let code = scene.weights()[i] * max(both[side] - scene.lambda, 0.0);
        axpy(code, r, &mut sums[side]);
        axpy(code * z, atom, &mut sums[side]);
    }
    let mut at = 0;
    sums.map(|sum| {
        let atom = unit(sum).unwrap_or_else(|| pair[at].clone());
        at += 1;
        atom
    })
}

fn unit(mut v: Vec<f64>) -> Option<Vec<f64>> {
    let length = norm(&v);
    (length > 0.0 && length.is_finite()).then(|| {
        v.iter_mut().for_each(|x| *x /= length);
        v
    })
}

/// Length across an atom, as a share of the whole, below which there is only rounding.
const ROUNDING: f64 = 1e-12;

/// The unit vector along the part of `v` across the atom; `None` where that is rounding.
/// It is projected twice, since the first projection of a long vector leaves rounding along
/// the atom.
pub(super) fn across(mut v: Vec<f64>, atom: &[f64]) -> Option<Vec<f64>> {
    let whole = norm(&v);
    for _ in 0..2 {
        let along = dot(atom, &v);
        axpy(-along, atom, &mut v);
    }
    if norm(&v) > ROUNDING * whole { unit(v) } else { None }
}

/// A direction of large pressure. It starts along the residual with the largest part across
/// the atom; each step `v ← Σ w z sign(vᵀr) r`, projected, raises the pressure.
fn direction(scene: &Scene<'_>, row: &Row, atom: &[f64]) -> Vec<f64> {
    let none = || vec![0.0; atom.len()];
    let mut largest = (0.0, None);
    for (i, z) in row.iter() {
        let r = scene.residuals.col(i);
        let along = dot(atom, r);
        let size = scene.weights()[i] * z * max(norm(r) * norm(r) - along * along, 0.0).sqrt();
        if size > largest.0 {
            largest = (size, Some(i));
        }
    }
    let Some(start) = largest.1 else { return none() };
    let Some(mut v) = across(scene.residuals.col(start).to_vec(), atom) else { return none() };
    let mut last = 0.0;
    for _ in 0..MAX_STEPS {
        let mut sum = none();
        let mut pressure = 0.0;
        for (i, z) in row.iter() {
            let r = scene.residuals.col(i);
            let c = dot(&v, r);
            let weight = scene.weights()[i] * z;
            pressure += weight * c.abs();
            axpy(if c < 0.0 { -weight } else { weight }, r, &mut sum);
        }
        match across(sum, atom) {
            Some(next) if pressure > last => {
                last = pressure;
                v = next;
            }
            _ => break,
        }
    }
    v
}

/// Groups of at least two atoms joined by the pairs.
fn clusters<'a>(atoms: usize, pairs: impl Iterator<Item = &'a Pair>) -> Vec<Vec<usize>> {
    let mut root: Vec<usize> = (0..atoms).collect();
    fn find(root: &mut [usize], mut k: usize) -> usize {
        while root[k] != k {
            root[k] = root[root[k]];
            k = root[k];
        }
        k
    }
    for pair in pairs {
        let (a, b) = (find(&mut root, pair.first), find(&mut root, pair.second));
        root[a.max(b)] = a.min(b);
    }
    let mut groups = std::collections::BTreeMap::<usize, Vec<usize>>::new();
    for k in 0..atoms {
        groups.entry(find(&mut root, k)).or_default().push(k);
    }
    let mut groups: Vec<Vec<usize>> = groups.into_values().filter(|group| group.len() > 1).collect();
    groups.sort_by(|l, r| r.len().cmp(&l.len()).then(l[0].cmp(&r[0])));
    groups
}
