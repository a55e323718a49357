//! Antipodal pairs (theorem `antipodal-pairs`).

use rayon::prelude::*;
use serde::Serialize;

use super::{Scene, cosines::Pair, ratio};
use crate::linalg::dot;
use crate::num::max;

/// Two nearly opposite atoms.
///
/// Exactly opposite atoms are never active together at an optimum (theorem
/// `antipodal-pairs`). Dense pairs can stand in for a center that is off: `shift_excess`
/// is what the objective rises by when one of the two is given up and the center is
/// moved along it instead, the other coded anew at every point and all else as it is.
/// Where it is not positive, a center shift would do.
#[derive(Clone, Copy, Debug, PartialEq, Serialize)]
pub struct Antipodal {
    /// The smaller index.
    pub first: usize,
    /// The larger index.
    pub second: usize,
    /// `d_firstᵀd_second`.
    pub cosine: f64,
    /// Share of the datapoints at which the first fires.
    pub density_first: f64,
    /// Share of the datapoints at which the second fires.
    pub density_second: f64,
    /// Datapoints at which both fire.
    pub together: usize,
    /// The atom of the pair that a center shift replaces at the lower cost.
    pub given_up: usize,
    /// Length of that shift.
    pub shift: f64,
    /// Change of the objective, as computed; a feasible point, not an optimum of all.
    pub shift_excess: f64,
    /// `shift_excess` over what the pair lowers the objective by.
    pub shift_excess_relative: f64,
}

/// Pairs for which the shift is computed: each is a pass over the data.
const JUDGED: usize = 64;

/// Steps of the search for the shift: golden section to a relative 1e-6 of the range.
const STEPS: usize = 40;

pub(super) fn antipodal(scene: &Scene<'_>, pairs: &[Pair]) -> Vec<Antipodal> {
    pairs.par_iter().take(JUDGED).map(|pair| judge(scene, pair)).collect()
}

fn judge(scene: &Scene<'_>, pair: &Pair) -> Antipodal {
    let (a, b) = (&scene.rows[pair.first], &scene.rows[pair.second]);
    let codes = |row: &crate::linalg::Row| {
        let mut dense = vec![0.0; scene.len()];
        row.iter().for_each(|(i, z)| dense[i] = z);
        dense
    };
    let (za, zb) = (codes(a), codes(b));
    let (da, db) = (scene.atom(pair.first), scene.atom(pair.second));
    // Correlations with the part of the data that neither atom takes.
    let carried: Vec<(f64, f64)> = (0..scene.len())
        .map(|i| {
            let r = scene.residuals.col(i);
            (dot(da, r) + za[i] + pair.cosine * zb[i], dot(db, r) + pair.cosine * za[i] + zb[i])
        })
        .collect();
    // ½‖t‖² less what the pair reaches, at every point.
    let worth: f64 = carried
        .iter()
        .enumerate()
        .map(|(i, (p, q))| {
            let (x, y) = (za[i], zb[i]);
            let square = x * x + 2.0 * pair.cosine * x * y + y * y;
            scene.weights()[i] * (x * p + y * q - 0.5 * square - scene.lambda * (x + y))
        })
        .sum();
    // With the shift c along the atom given up, at the same points.
    let kept_worth = |c: f64, keep_first: bool| -> f64 {
        carried
            .iter()
            .zip(scene.weights())
            .map(|((p, q), w)| {
                let (kept, lost) = if keep_first { (p, q) } else { (q, p) };
                let code = max(kept - c * pair.cosine - scene.lambda, 0.0);
                w * (c * lost - 0.5 * c * c + 0.5 * code * code)
            })
            .sum()
    };
    let reach = carried.iter().fold(0.0, |m, (p, q)| max(m, max(p.abs(), q.abs())));
    let best = |keep_first: bool| golden(-reach, reach, |c| kept_worth(c, keep_first));
    let (first, second) = (best(true), best(false));
    let (given_up, (shift, found)) =
        if first.1 >= second.1 { (pair.second, first) } else { (pair.first, second) };
    let excess = worth - found;
    Antipodal {
        first: pair.first,
        second: pair.second,
        cosine: pair.cosine,
        density_first: ratio(a.len(), scene.len()),
        density_second: ratio(b.len(), scene.len()),
        together: a.indices.iter().filter(|i| b.indices.binary_search(i).is_ok()).count(),
        given_up,
        shift,
        shift_excess: excess,
        shift_excess_relative: super::coding::share(excess, worth),
    }
}

/// The maximum of a concave function on an interval. (In the shift and the codes
/// together the objective is convex, so its minimum over the codes is.)
fn golden(mut lo: f64, mut hi: f64, f: impl Fn(f64) -> f64) -> (f64, f64) {
    let section = 0.5 * (5.0_f64.sqrt() - 1.0);
    let (mut a, mut b) = (hi - section * (hi - lo), lo + section * (hi - lo));
    let (mut fa, mut fb) = (f(a), f(b));
    for _ in 0..STEPS {
        if fa >= fb {
            (hi, b, fb) = (b, a, fa);
            a = hi - section * (hi - lo);
            fa = f(a);
        } else {
            (lo, a, fa) = (a, b, fb);
            b = lo + section * (hi - lo);
            fb = f(b);
        }
    }
    if fa >= fb { (a, fa) } else { (b, fb) }
}
