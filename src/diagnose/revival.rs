//! What dead atoms could do (theorem `no-dead-atoms`): a datapoint with an atom of its own costs
//! `h_λ(‖x‖)`.

use serde::Serialize;

use super::scene::Scene;
use crate::atoms::{Codes, Dictionary, Factorization};
use crate::gauge::huber;
use crate::linalg::{Matrix, Row, dot, norm};
use crate::trusted::Subject;

/// The atoms that no exact code uses, turned to the datapoints that are served worst.
#[derive(Clone, Debug, PartialEq, Serialize)]
pub struct Revival {
    /// The atoms, each with the datapoint it is turned to: those of the largest
    /// `wᵢ(costᵢ − h_λ(‖xᵢ − b‖))`, of different directions.
    pub atoms: Vec<Revived>,
    /// What the objective falls by, as computed, with all other codes as they are.
    pub gain: f64,
    /// Objective after that.
    pub objective: f64,
    /// Whether it is *proved* to be lower, every rounding counted.
    pub proved: bool,
    /// The lower point.
    #[serde(skip)]
    pub point: Factorization,
}

/// An atom turned to a datapoint.
#[derive(Clone, Copy, Debug, PartialEq, Serialize)]
pub struct Revived {
    /// The atom.
    pub atom: usize,
    /// The datapoint that gets it for its own.
    pub point: usize,
    /// What the objective falls by.
    pub gain: f64,
}

/// Cosine from which on two datapoints have the same direction.
const SAME_DIRECTION: f64 = 1.0 - 1e-12;

/// Gain of a datapoint, over its cost, that is rounding.
const ROUNDING: f64 = 1e-9;

/// Turns the dead atoms; `None` where there is none, or nothing to gain. `costs` are the objectives
/// of the datapoints, `inputs` the data less the center. O(K²n) for K dead atoms, beside the
/// objective of the new point.
///
/// # Guarantees
/// Where [`proved`](Revival::proved) is true the dictionary is no global optimum of its width:
/// [`no-dead-atoms`](crate::proofs::no_dead_atoms), [`rounding`](crate::proofs::rounding).
pub(super) fn revive(scene: &Scene<'_>, inputs: &Matrix, costs: &[f64]) -> Option<Revival> {
    let dead: Vec<usize> = (0..scene.rows.len()).filter(|&k| scene.rows[k].is_empty()).collect();
    if dead.is_empty() || !scene.goes_on() {
        return None;
    }
    let excess = |i: usize| {
        let least = huber(scene.lambda, norm(inputs.col(i)));
        let gain = costs[i] - least;
        if gain > ROUNDING * costs[i] { scene.weights()[i] * gain } else { 0.0 }
    };
    let mut worst: Vec<(usize, f64)> =
        (0..scene.len()).map(|i| (i, excess(i))).filter(|(_, gain)| *gain > 0.0).collect();
    worst.sort_by(|a, b| b.1.total_cmp(&a.1).then(a.0.cmp(&b.0)));
    let mut chosen: Vec<(usize, f64)> = Vec::new();
    for (i, gain) in worst {
        if chosen.len() == dead.len() {
            break;
        }
        let x = inputs.col(i);
        let apart = |&(other, _): &(usize, f64)| {
            let y = inputs.col(other);
            dot(x, y) < SAME_DIRECTION * norm(x) * norm(y)
        };
        if norm(x) > scene.lambda && chosen.iter().all(apart) {
            chosen.push((i, gain));
        }
    }
    if chosen.is_empty() {
        return None;
    }
    let mut atoms = scene.factorization.dictionary().matrix().clone();
    let taken: Vec<usize> = {
        let mut taken: Vec<usize> = chosen.iter().map(|(i, _)| *i).collect();
        taken.sort_unstable();
        taken
    };
    let mut rows: Vec<Row> = scene.rows.iter().map(|row| without(row, &taken)).collect();
    for (&k, &(i, _)) in dead.iter().zip(&chosen) {
        atoms.col_mut(k).copy_from_slice(inputs.col(i));
        rows[k] = Row { indices: vec![i], values: vec![norm(inputs.col(i)) - scene.lambda] };
    }
    let (dictionary, _) = Dictionary::normalize(atoms).ok()?;
    let center = scene.factorization.center().map(<[f64]>::to_vec);
    let point = Factorization::new(dictionary, Codes::from_rows(scene.len(), &rows), center).ok()?;
    let before = Subject::of(scene.problem, scene.factorization).ok()?;
    let after = Subject::of(scene.problem, &point).ok()?;
    let revived = |(&atom, &(point, gain)): (&usize, &(usize, f64))| Revived { atom, point, gain };
    Some(Revival {
        atoms: dead.iter().zip(&chosen).map(revived).collect(),
        gain: before.primal().value() - after.primal().value(),
        objective: after.primal().value(),
        proved: before.is_above(&point),
        point,
    })
}

/// A row without some datapoints, in order.
fn without(row: &Row, taken: &[usize]) -> Row {
    let kept = row.iter().filter(|(i, _)| taken.binary_search(i).is_err());
    let (indices, values) = kept.unzip();
    Row { indices, values }
}
