//! Stationarity of every atom (theorem `stationarity`).

use rayon::prelude::*;
use serde::Serialize;

use super::{Scene, splitting::across};
use crate::linalg::{axpy, dot, norm};
use crate::num::max;

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

/// For every atom that fires, in the order of atoms. O(n·nnz).
pub(super) fn states(scene: &Scene<'_>) -> Vec<AtomState> {
    (0..scene.rows.len())
        .into_par_iter()
        .filter(|&k| !scene.rows[k].is_empty())
        .map(|k| {
            let atom = scene.atom(k);
            let (mut sum, mut mass, mut energy) = (vec![0.0; atom.len()], 0.0, 0.0);
            for (i, z) in scene.rows[k].iter() {
                let w = scene.weights()[i] * z;
                axpy(w, scene.residuals.col(i), &mut sum);
                mass += w;
                energy += w * z;
            }
            let mut off = sum.clone();
            axpy(-scene.lambda * mass, atom, &mut off);
            let scale = scene.lambda * mass;
            let mut target = sum.clone();
            axpy(energy, atom, &mut target);
            let (length, along) = (norm(&target), dot(atom, &target));
            let mut off_axis = target;
            axpy(-along, atom, &mut off_axis);
            let sideways = norm(&off_axis);
            AtomState {
                atom: k,
                violation: norm(&off) / scale,
                mean_length: norm(&sum) / scale,
                turn: sideways.atan2(along).to_degrees(),
                // length − along, without cancellation where they are close.
                gain: if along > 0.0 {
                    sideways * sideways / (length + along)
                } else {
                    max(length - along, 0.0)
                },
                towards: None,
            }
        })
        .collect()
}

/// Names the atom that the move of each of the first `count` of `order` is towards. O(nM) each.
pub(super) fn name_moves(scene: &Scene<'_>, states: &mut [AtomState], order: &[usize]) {
    let named: Vec<(usize, Option<(usize, f64)>)> = order
        .par_iter()
        .map(|&at| {
            let k = states[at].atom;
            let atom = scene.atom(k);
            let mut step = vec![0.0; atom.len()];
            for (i, z) in scene.rows[k].iter() {
                axpy(scene.weights()[i] * z, scene.residuals.col(i), &mut step);
            }
            let Some(step) = across(step, atom) else { return (at, None) };
            let best = (0..scene.rows.len())
                .filter(|&l| l != k)
                .map(|l| (l, dot(scene.atom(l), &step)))
                .fold(None, |best: Option<(usize, f64)>, (l, c)| match best {
                    Some((_, b)) if c <= b => best,
                    _ => Some((l, c)),
                });
            (at, best.filter(|(_, c)| c.is_finite()))
        })
        .collect();
    for (at, towards) in named {
        states[at].towards = towards;
    }
}
