//! What dead atoms could do instead (theorem `no-dead-atoms`).

use std::collections::HashMap;

use serde::Serialize;

use super::DiagnoseError;
use super::scene::Scene;
use crate::atoms::{Codes, Dictionary, Factorization};
use crate::gauge::huber;
use crate::linalg::{Matrix, dot, norm, norm_sq};
use crate::trusted::{Subject, proved_drop};

/// The dictionary with its dead atoms moved to the datapoints that are served worst, an atom a
/// direction, each coded by that atom alone; all other codes as they are.
///
/// A datapoint with an atom of its own costs `h_λ(‖xᵢ‖)`, the least that any dictionary leaves
/// (theorem `wide-limit`); the worst served are those with the largest `wᵢ(cᵢ − h_λ(‖xᵢ‖))`.
#[derive(Clone, Debug, PartialEq, Serialize)]
pub struct Revival {
    /// Dead atoms with the datapoint that each is moved to, the largest gain first.
    pub moved: Vec<Moved>,
    /// Objective of that dictionary at those codes.
    pub objective: f64,
    /// Objective of exact codes less that.
    pub gain: f64,
    /// What of it is proved, every rounding included: no dictionary of this width whose
    /// objective is within this of the present one is optimal.
    pub proved_gain: f64,
}

/// A dead atom and what it would serve.
#[derive(Clone, Copy, Debug, PartialEq, Serialize)]
pub struct Moved {
    /// The atom.
    pub atom: usize,
    /// The datapoint whose direction it takes.
    pub point: usize,
    /// `wᵢ(cᵢ − h_λ(‖xᵢ‖))` of that datapoint.
    pub gain: f64,
}

/// Gains below this share of a datapoint's cost are the coder's tolerance.
const CODED: f64 = 1e-9;

/// Directions that agree to this many units of their length count as one.
const SAME_DIRECTION: f64 = 1e-9;

/// Moves the dead atoms; `None` where there are none, or nothing for them to serve. O(nN) time.
///
/// # Errors
/// [`DiagnoseError::Certify`] where the objective overflows.
pub(super) fn revival(
    scene: &Scene<'_>,
    inputs: &Matrix,
    costs: &[f64],
    dead: &[usize],
) -> Result<Option<Revival>, DiagnoseError> {
    let mut free = dead.to_vec();
    free.sort_unstable_by(|l, r| r.cmp(l));
    if free.is_empty() {
        return Ok(None);
    }
    let lambda = scene.lambda;
    let mut gains: Vec<(f64, usize)> = (0..scene.len())
        .filter(|&i| norm(inputs.col(i)) > lambda)
        .map(|i| (costs[i] - huber(lambda, norm(inputs.col(i))), i))
        .filter(|&(gain, i)| gain > CODED * costs[i])
        .map(|(gain, i)| (scene.weights()[i] * gain, i))
        .collect();
    gains.sort_by(|l, r| r.0.total_cmp(&l.0).then(l.1.cmp(&r.1)));

    let mut atoms = scene.factorization.dictionary().matrix().clone();
    let mut taken: HashMap<Vec<u64>, usize> = HashMap::new();
    let mut own: HashMap<usize, (usize, f64)> = HashMap::new();
    let mut moved = Vec::new();
    for (gain, i) in gains {
        let (x, length) = (inputs.col(i), norm(inputs.col(i)));
        let key = direction_key(x, length);
        if let Some(&atom) = taken.get(&key) {
            // Coded by an atom that is there already, where that is better.
            let along = dot(atoms.col(atom), x);
            if 0.5 * (norm_sq(x) - (along - lambda).powi(2)) < costs[i] && along > lambda {
                own.insert(i, (atom, along - lambda));
            }
        } else if let Some(atom) = free.pop() {
            atoms.col_mut(atom).iter_mut().zip(x).for_each(|(d, x)| *d = x / length);
            taken.insert(key, atom);
            own.insert(i, (atom, length - lambda));
            moved.push(Moved { atom, point: i, gain });
        }
    }
    if moved.is_empty() {
        return Ok(None);
    }
    let codes = scene.factorization.codes();
    let mut entries = sprs::TriMat::new((codes.atoms(), codes.datapoints()));
    for i in 0..codes.datapoints() {
        match own.get(&i) {
            Some(&(atom, code)) => entries.add_triplet(atom, i, code),
            None => codes.column(i).iter().for_each(|(k, z)| entries.add_triplet(k, i, *z)),
        }
    }
    let (dictionary, _) = Dictionary::normalize(atoms)?;
    let center = scene.factorization.center().map(<[f64]>::to_vec);
    let revived = Factorization::new(dictionary, Codes::new(entries.to_csc())?, center)?;
    let before = Subject::of(scene.problem, scene.factorization)?.primal();
    let after = Subject::of(scene.problem, &revived)?.primal();
    Ok(Some(Revival {
        moved,
        objective: after.value(),
        gain: before.value() - after.value(),
        proved_gain: proved_drop(before.lower, after.upper),
    }))
}

/// A direction rounded to [`SAME_DIRECTION`], as bits that can be compared.
fn direction_key(x: &[f64], length: f64) -> Vec<u64> {
    // Adding 0 turns −0 into 0.
    x.iter().map(|x| ((x / length / SAME_DIRECTION).round() + 0.0).to_bits()).collect()
}
