//! Antipodal pairs (theorem `antipodal-pairs`).

use rayon::prelude::*;
use serde::Serialize;

use super::cosines::Pair;
use super::scene::{Scene, ratio, share};
use crate::linalg::{Row, dot};
use crate::num::max;

/// Two nearly opposite atoms.
///
/// Exactly opposite atoms are never active together at an optimum (theorem
/// `antipodal-pairs`). A dense pair can stand in for a center that is off. So one of the two
/// is given up, the center is moved along it instead, and the other is coded anew at every
/// datapoint: `shift_excess` is what the objective rises by. Where it is not positive, a
/// center shift would do.
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
    /// `max z_k/s_k` of the first over the datapoints at which the second is off; 0 without one.
    /// At a stationary point it is at least 1 less the cosine, 2 for opposite atoms (theorem
    /// `hull-condition`), where the center is a variable: a dense pair must be peaked.
    pub peak_first: f64,
    /// The same of the second, where the first is off.
    pub peak_second: f64,
    /// The atom of the pair that a center shift replaces at the lower cost.
    pub given_up: usize,
    /// Length of that shift.
    pub shift: f64,
    /// Change of the objective, as computed, with all other atoms and codes as they are.
    pub shift_excess: f64,
    /// `shift_excess` over what the pair lowers the objective by.
    pub shift_excess_relative: f64,
}

/// Pairs for which the shift is computed: each is a pass over the data.
const JUDGED: usize = 64;

/// Steps of the search for the shift: golden section to a relative 1e-6 of the range.
const GOLDEN_STEPS: usize = 40;

pub(super) fn antipodal(scene: &Scene<'_>, pairs: &[Pair]) -> Vec<Antipodal> {
    pairs.par_iter().take(JUDGED).filter(|_| scene.goes_on()).map(|pair| judge(scene, pair)).collect()
}

/// A pair of atoms with what both take of every datapoint.
struct Carried<'a> {
    scene: &'a Scene<'a>,
    cosine: f64,
    /// Codes of the first and of the second.
    codes: [Vec<f64>; 2],
    /// Correlations of both with the part of the data that the other atoms leave.
    correlations: Vec<[f64; 2]>,
}

impl<'a> Carried<'a> {
    fn new(scene: &'a Scene<'a>, pair: &Pair) -> Self {
        let codes = [pair.first, pair.second].map(|k| {
            let mut dense = vec![0.0; scene.len()];
            scene.rows[k].iter().for_each(|(i, z)| dense[i] = z);
            dense
        });
        let atoms = [pair.first, pair.second].map(|k| scene.atom(k));
        let correlations = (0..scene.len())
            .map(|i| {
                let (r, x, y) = (scene.residuals.col(i), codes[0][i], codes[1][i]);
                [dot(atoms[0], r) + x + pair.cosine * y, dot(atoms[1], r) + pair.cosine * x + y]
            })
            .collect();
        Self { scene, cosine: pair.cosine, codes, correlations }
    }

    /// What the pair lowers the objective by.
    fn worth(&self) -> f64 {
        self.correlations
            .iter()
            .enumerate()
            .map(|(i, [p, q])| {
                let (x, y) = (self.codes[0][i], self.codes[1][i]);
                let square = x * x + 2.0 * self.cosine * x * y + y * y;
                let gain = x * p + y * q - 0.5 * square - self.scene.lambda * (x + y);
                self.scene.weights()[i] * gain
            })
            .sum()
    }

    /// What one of the two lowers the objective by, coded anew, with the center moved by
    /// `shift` along the other.
    fn worth_shifted(&self, kept: usize, shift: f64) -> f64 {
        self.correlations
            .iter()
            .zip(self.scene.weights())
            .map(|(both, w)| {
                let code = max(both[kept] - shift * self.cosine - self.scene.lambda, 0.0);
                w * (shift * both[1 - kept] - 0.5 * shift * shift + 0.5 * code * code)
            })
            .sum()
    }

    /// The best shift for one atom kept, and what that lowers the objective by.
    fn best_shift(&self, kept: usize) -> (f64, f64) {
        let reach = self.correlations.iter().flatten().fold(0.0, |m, c| max(m, c.abs()));
        golden(-reach, reach, |shift| self.worth_shifted(kept, shift))
    }
}

fn judge(scene: &Scene<'_>, pair: &Pair) -> Antipodal {
    let (first, second) = (&scene.rows[pair.first], &scene.rows[pair.second]);
    let carried = Carried::new(scene, pair);
    let worth = carried.worth();
    let (without_second, without_first) = (carried.best_shift(0), carried.best_shift(1));
    let (given_up, (shift, shifted_worth)) = if without_second.1 >= without_first.1 {
        (pair.second, without_second)
    } else {
        (pair.first, without_first)
    };
    let excess = worth - shifted_worth;
    let peak = |k: usize, other: &Row| {
        let off = scene.rows[k].iter().filter(|(i, _)| other.indices.binary_search(i).is_err());
        share(off.map(|(_, z)| z).fold(0.0, max), scene.mass(k))
    };
    Antipodal {
        first: pair.first,
        second: pair.second,
        cosine: pair.cosine,
        density_first: ratio(first.len(), scene.len()),
        density_second: ratio(second.len(), scene.len()),
        together: first.indices.iter().filter(|i| second.indices.binary_search(i).is_ok()).count(),
        peak_first: peak(pair.first, second),
        peak_second: peak(pair.second, first),
        given_up,
        shift,
        shift_excess: excess,
        shift_excess_relative: share(excess, worth),
    }
}

/// The maximum of a concave function on an interval, with its place. (The objective is convex
/// in shift and codes together, so its minimum over the codes is convex in the shift.)
fn golden(mut lo: f64, mut hi: f64, f: impl Fn(f64) -> f64) -> (f64, f64) {
    let section = 0.5 * (5.0_f64.sqrt() - 1.0);
    let (mut a, mut b) = (hi - section * (hi - lo), lo + section * (hi - lo));
    let (mut fa, mut fb) = (f(a), f(b));
    for _ in 0..GOLDEN_STEPS {
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
