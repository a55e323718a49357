//! How far the dictionary is from optimal: the certified bound, and the stationarity of every
//! atom (theorem `stationarity`).

use rayon::prelude::*;
use serde::Serialize;

use super::DiagnoseError;
use super::codes::CodeSummary;
use super::cosines::{Cosines, Neighbor};
use super::scene::{Scene, share};
use super::splitting::across;
use crate::bounding::location_dual;
use crate::gauge::huber;
use crate::linalg::{Matrix, axpy, dot, norm};
use crate::num::max;
use crate::trusted::{Bound, Lower, Subject, Witness, bounds, gap};

/// The part about the dictionary, at exact codes.
#[derive(Clone, Debug, PartialEq, Serialize)]
pub struct DictionaryReport {
    /// Certified lower bound of the objective of every dictionary of any width.
    pub lower_bound: Lower,
    /// How it was proved.
    pub bound_kind: &'static str,
    /// `(objective − lower bound)/objective`, certified, of exact codes.
    pub relative_gap: f64,
    /// The wide limit of the data less the center as it is: an atom a datapoint.
    pub wide_limit: f64,
    /// Objective of exact codes less that.
    pub excess: f64,
    /// Median of the atoms' violations of theorem `stationarity`.
    pub median_violation: f64,
    /// Largest of them.
    pub largest_violation: f64,
    /// Median angle in degrees by which an atom would turn.
    pub median_turn: f64,
    /// Largest `|d_jᵀd_l|`.
    pub max_coherence: f64,
    /// Every atom that fires, the largest gain first.
    pub atoms: Vec<AtomState>,
}

/// How far an atom is from where its datapoints want it.
///
/// Theorem `stationarity`: at an optimum the code-weighted mean residual
/// `m_k = Σᵢ wᵢz_ki rᵢ / s_k` is `λd_k`.
#[derive(Clone, Debug, PartialEq, Serialize)]
pub struct AtomState {
    /// The atom.
    pub atom: usize,
    /// `‖m_k − λd_k‖/λ`.
    pub violation: f64,
    /// `‖m_k‖/λ`, 1 at an optimum.
    pub mean_length: f64,
    /// Angle in degrees between the atom and the best one for the codes as they are,
    /// the direction of `Σᵢ wᵢz_ki(rᵢ + z_kid_k)`.
    pub turn: f64,
    /// By how much moving there alone lowers the objective, the codes as they are.
    pub gain: f64,
    /// The atom the move is most towards, and the cosine of the move with it; for the
    /// atoms of largest gain.
    pub towards: Option<(usize, f64)>,
}

/// The part about the dictionary.
///
/// # Errors
/// [`DiagnoseError::Certify`] where the objective overflows.
pub(super) fn dictionary(
    scene: &Scene<'_>,
    exact: &CodeSummary,
    inputs: &Matrix,
    cosines: &Cosines,
    max_listed: usize,
) -> Result<DictionaryReport, DiagnoseError> {
    let (bound, relative_gap) = bound(scene)?;
    let mut atoms = states(scene);
    atoms.sort_by(|l, r| r.gain.total_cmp(&l.gain).then(l.atom.cmp(&r.atom)));
    name_moves(scene, &mut atoms, max_listed);
    let wide_limit: f64 =
        inputs.columns().zip(scene.weights()).map(|(x, w)| w * huber(scene.lambda, norm(x))).sum();
    let cosine = |n: &Option<Neighbor>| n.map_or(0.0, |n| n.cosine.abs());
    Ok(DictionaryReport {
        lower_bound: bound.lower,
        bound_kind: bound.kind.as_str(),
        relative_gap,
        wide_limit,
        excess: exact.objective - wide_limit,
        median_violation: median(&atoms, |a| a.violation),
        largest_violation: atoms.iter().map(|a| a.violation).fold(0.0, max),
        median_turn: median(&atoms, |a| a.turn),
        max_coherence: cosines.nearest.iter().chain(&cosines.opposite).map(cosine).fold(0.0, max),
        atoms,
    })
}

/// The best lower bound, with the certified gap of the exact codes relative to their
/// objective; with a center, by a dual point of the wide limit.
fn bound(scene: &Scene<'_>) -> Result<(Bound, f64), DiagnoseError> {
    let problem = scene.problem;
    let witness = Witness { dual: location_dual(problem, scene.latch), ..Witness::none() };
    let subject = Subject::of(problem, scene.factorization)?;
    let bound = bounds::best(&subject, &witness);
    let primal = subject.primal();
    Ok((bound, share(gap(primal.upper, bound.lower), primal.value())))
}

fn median(atoms: &[AtomState], value: fn(&AtomState) -> f64) -> f64 {
    let mut values: Vec<f64> = atoms.iter().map(value).collect();
    values.sort_by(f64::total_cmp);
    values.get(values.len() / 2).copied().unwrap_or(0.0)
}

/// States of the atoms that fire, in the order of atoms. O(n·nnz).
fn states(scene: &Scene<'_>) -> Vec<AtomState> {
    (0..scene.rows.len())
        .into_par_iter()
        .filter(|&k| !scene.rows[k].is_empty() && scene.goes_on())
        .map(|k| state(scene, k))
        .collect()
}

fn state(scene: &Scene<'_>, k: usize) -> AtomState {
    let atom = scene.atom(k);
    let (mut sum, mut mass, mut energy) = (vec![0.0; atom.len()], 0.0, 0.0);
    for (i, z) in scene.rows[k].iter() {
        let w = scene.weights()[i] * z;
        axpy(w, scene.residuals.col(i), &mut sum);
        mass += w;
        energy += w * z;
    }
    let scale = scene.lambda * mass;
    let mut off = sum.clone();
    axpy(-scale, atom, &mut off);
    // The best atom for the codes as they are points along this.
    let mut target = sum.clone();
    axpy(energy, atom, &mut target);
    let (length, along) = (norm(&target), dot(atom, &target));
    axpy(-along, atom, &mut target);
    let sideways = norm(&target);
    AtomState {
        atom: k,
        violation: norm(&off) / scale,
        mean_length: norm(&sum) / scale,
        turn: sideways.atan2(along).to_degrees(),
        // length − along, without cancellation where they are close.
        gain: if along > 0.0 { sideways * sideways / (length + along) } else { max(length - along, 0.0) },
        towards: None,
    }
}

/// Names the atom that each of the first `count` moves is most towards. O(nM) each.
fn name_moves(scene: &Scene<'_>, states: &mut [AtomState], count: usize) {
    let count = count.min(states.len());
    states[..count].par_iter_mut().filter(|_| scene.goes_on()).for_each(|state| {
        let atom = scene.atom(state.atom);
        let mut step = vec![0.0; atom.len()];
        for (i, z) in scene.rows[state.atom].iter() {
            axpy(scene.weights()[i] * z, scene.residuals.col(i), &mut step);
        }
        let Some(step) = across(step, atom) else { return };
        let mut best: Option<(usize, f64)> = None;
        for l in (0..scene.rows.len()).filter(|&l| l != state.atom) {
            let cosine = dot(scene.atom(l), &step);
            if best.is_none_or(|(_, b)| cosine > b) {
                best = Some((l, cosine));
            }
        }
        state.towards = best.filter(|(_, cosine)| cosine.is_finite());
    });
}
