//! Absorption and hierarchy (theorem `no-nesting`).

use rayon::prelude::*;
use serde::Serialize;

use super::Thresholds;
use super::cosines::Pair;
use super::scene::{Scene, ratio};
use crate::atoms::Codes;
use crate::linalg::{Row, axpy, distance_sq, dot, norm};
use crate::num::{max, min};

/// A child that fires (nearly) only where its parent does.
///
/// Theorem `no-nesting`: where it fires *only* there (`share` 1) the dictionary is not
/// optimal, and un-nesting lowers the objective by `λ s_l(1 + ε − ‖d_l + εd_j‖)`. Where
/// it fires nearly only there, `gain` is that of the same exchange, with the child
/// coded anew, alone, at the datapoints where the parent is silent. It is a change of the
/// objective as computed, negative where the exchange does not pay.
#[derive(Clone, Copy, Debug, PartialEq, Serialize)]
pub struct Nested {
    /// The atom l that fires less often.
    pub child: usize,
    /// The atom j that fires where the child does.
    pub parent: usize,
    /// Datapoints at which the child fires.
    pub child_uses: usize,
    /// Datapoints at which the parent fires.
    pub parent_uses: usize,
    /// Datapoints at which both fire.
    pub together: usize,
    /// `together / child_uses`.
    pub share: f64,
    /// Share of the child's datapoints at which the parent is silent.
    pub child_solo: f64,
    /// Share of the parent's datapoints at which the child is silent.
    pub parent_solo: f64,
    /// `d_lᵀd_j`.
    pub cosine: f64,
    /// Slack `ε = min z_j/z_l` over the datapoints of both.
    pub slack: f64,
    /// By how much un-nesting lowers the objective.
    pub gain: f64,
}

/// A child that fires where its parent is silent although it points the parent's way:
/// without the child the parent would fire there. The mark of absorption.
#[derive(Clone, Copy, Debug, PartialEq, Serialize)]
pub struct Absorbed {
    /// The rarer atom.
    pub child: usize,
    /// The more frequent atom.
    pub parent: usize,
    /// Datapoints at which the child fires.
    pub child_uses: usize,
    /// Datapoints at which the parent fires.
    pub parent_uses: usize,
    /// `d_lᵀd_j`.
    pub cosine: f64,
    /// Share of the child's datapoints at which the parent fires too.
    pub together: f64,
    /// Share of the child's datapoints at which the parent is silent, and would fire if the
    /// child's part were in the residual: `d_jᵀ(rᵢ + d_lz_li) > λ`.
    pub would_fire: f64,
}

/// Absorption and hierarchy.
#[derive(Clone, Debug, PartialEq, Serialize)]
pub struct Hierarchy {
    /// Ordered pairs with nested supports, with at least `min_uses` datapoints each.
    pub exactly_nested: usize,
    /// The same among the codes given.
    pub exactly_nested_given: Option<usize>,
    /// Nested and nearly nested pairs, the largest share first, then the most datapoints.
    pub nested: Vec<Nested>,
    /// Pairs of close atoms with the mark of absorption, the most certain first.
    pub absorbed: Vec<Absorbed>,
}

pub(super) fn hierarchy(
    scene: &Scene<'_>,
    given: Option<&Codes>,
    close: &[Pair],
    thresholds: &Thresholds,
) -> Hierarchy {
    let codes = scene.factorization.codes();
    let pairs = pairs(scene, codes, scene.rows, thresholds.min_uses, thresholds.nested);
    let mut nested: Vec<Nested> = pairs
        .par_iter()
        .filter(|_| scene.goes_on())
        .map(|&(l, j, together)| judge(scene, l, j, together))
        .collect();
    nested.sort_by(|l, r| {
        r.share
            .total_cmp(&l.share)
            .then(r.child_uses.cmp(&l.child_uses))
            .then((l.child, l.parent).cmp(&(r.child, r.parent)))
    });
    let mut absorbed: Vec<Absorbed> = close
        .par_iter()
        .filter(|pair| pair.cosine >= thresholds.absorption && scene.goes_on())
        .filter_map(|pair| absorption(scene, pair, thresholds))
        .collect();
    absorbed.sort_by(|l, r| {
        r.would_fire
            .total_cmp(&l.would_fire)
            .then(r.child_uses.cmp(&l.child_uses))
            .then((l.child, l.parent).cmp(&(r.child, r.parent)))
    });
    let exact = |codes: &Codes, rows: &[Row]| self::pairs(scene, codes, rows, thresholds.min_uses, 1.0).len();
    Hierarchy {
        exactly_nested: exact(codes, scene.rows),
        exactly_nested_given: given.map(|codes| exact(codes, &codes.rows())),
        nested,
        absorbed,
    }
}

/// Atoms of a parallel task: each task has a count an atom.
const TASK: usize = 16;

/// Ordered pairs (child, parent, datapoints of both). Both are used at least `least` times,
/// the parent at least as often as the child, and it fires at a share of at least `share` of
/// the child's datapoints. Only pairs that meet in some code are looked at: O(Σᵢ|Sᵢ|²) time,
/// O(M) memory a thread.
fn pairs(
    scene: &Scene<'_>,
    codes: &Codes,
    rows: &[Row],
    least: usize,
    share: f64,
) -> Vec<(usize, usize, usize)> {
    (0..rows.len())
        .into_par_iter()
        .with_min_len(TASK)
        .map_init(
            || vec![0_usize; rows.len()],
            |counts, child| {
                let uses = rows[child].len();
                if uses < least.max(1) || !scene.goes_on() {
                    return Vec::new();
                }
                let mut met = Vec::new();
                for &i in &rows[child].indices {
                    for &k in codes.column(i).indices() {
                        if counts[k] == 0 {
                            met.push(k);
                        }
                        counts[k] += 1;
                    }
                }
                met.sort_unstable();
                let mut out = Vec::new();
                for k in met {
                    let together = std::mem::take(&mut counts[k]);
                    // Equal supports nest both ways; one row is enough.
                    let larger = rows[k].len() > uses || (rows[k].len() == uses && child < k);
                    if k != child && larger && ratio(together, uses) >= share {
                        out.push((child, k, together));
                    }
                }
                out
            },
        )
        .flatten_iter()
        .collect()
}

fn judge(scene: &Scene<'_>, child: usize, parent: usize, together: usize) -> Nested {
    let (dl, dj) = (scene.atom(child), scene.atom(parent));
    let (rows, lambda, weights) = (scene.rows, scene.lambda, scene.weights());
    let other = lookup(&rows[child], &rows[parent]);
    let slack =
        other.iter().zip(&rows[child].values).filter_map(|(o, z)| o.map(|o| o / z)).fold(f64::INFINITY, min);
    let slack = if slack.is_finite() { slack } else { 0.0 };
    let mut moved = dl.to_vec();
    axpy(slack, dj, &mut moved);
    let length = norm(&moved);
    // 1 + ε − ‖d_l + εd_j‖ without cancellation.
    let saved = slack * distance_sq(dl, dj) / (1.0 + slack + length);
    let mut gain = 0.0;
    let mut carried = vec![0.0; dl.len()];
    for ((i, z), o) in rows[child].iter().zip(&other) {
        if o.is_some() {
            gain += weights[i] * lambda * z * saved;
        } else if length > 0.0 {
            carried.copy_from_slice(scene.residuals.col(i));
            axpy(z, dl, &mut carried);
            let before = z * (lambda + 0.5 * z - dot(dl, &carried));
            let after = max(dot(&moved, &carried) / length - lambda, 0.0);
            gain += weights[i] * (before + 0.5 * after * after);
        }
    }
    let (child_uses, parent_uses) = (rows[child].len(), rows[parent].len());
    Nested {
        child,
        parent,
        child_uses,
        parent_uses,
        together,
        share: ratio(together, child_uses),
        child_solo: 1.0 - ratio(together, child_uses),
        parent_solo: 1.0 - ratio(together, parent_uses),
        cosine: dot(dl, dj),
        slack,
        gain,
    }
}

/// The other row's code at each datapoint of a row.
fn lookup(row: &Row, other: &Row) -> Vec<Option<f64>> {
    row.indices.iter().map(|i| other.indices.binary_search(i).ok().map(|at| other.values[at])).collect()
}

fn absorption(scene: &Scene<'_>, pair: &Pair, thresholds: &Thresholds) -> Option<Absorbed> {
    let (a, b) = (scene.rows[pair.first].len(), scene.rows[pair.second].len());
    let (child, parent) = if a <= b { (pair.first, pair.second) } else { (pair.second, pair.first) };
    let (row, more) = (&scene.rows[child], &scene.rows[parent]);
    if row.len() < thresholds.min_uses.max(1) || row.len() == more.len() {
        return None;
    }
    let other = lookup(row, more);
    let mut would = 0;
    for ((i, z), o) in row.iter().zip(&other) {
        let correlation = dot(scene.atom(parent), scene.residuals.col(i)) + pair.cosine * z;
        would += usize::from(o.is_none() && correlation > scene.lambda);
    }
    let together = ratio(other.iter().flatten().count(), row.len());
    let would_fire = ratio(would, row.len());
    (would_fire >= thresholds.nested).then_some(Absorbed {
        child,
        parent,
        child_uses: row.len(),
        parent_uses: more.len(),
        cosine: pair.cosine,
        together,
        would_fire,
    })
}
