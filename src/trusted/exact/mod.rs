//! The polar of a dual point to any accuracy, proved: small dimension or few
//! datapoints, γ > 0 (theorem `cone-branching`).
//!
//! The other bounds of this module prove `Ω°(R) ≤ κ` through a relaxation, so
//! that some gap stays whatever R is. Here κ comes within a stated accuracy of
//! `Ω°(R) = max_{‖d‖=1} g°(R̃ᵀd)`, in one of two ways:
//!
//! - **cones** (n ≤ [`CONE_DIMENSION`], any N): branch and bound over cones of
//!   directions that cover the space, `cones.rs`;
//! - **faces** (N ≤ [`FACE_POINTS`], any n): copositivity of `κ²A − R̃ᵀR̃` face by
//!   face of the orthant, `faces.rs`.
//!
//! # How a proof comes about
//! An ascent finds a value L of `g°(R̃ᵀd)`, as large as it can; `κ = L(1 + ε)` is
//! then *proved*, and where a proof shows that L was not the maximum, L rises.
//! Nothing rests on L: it only says what is worth trying to prove. Every number
//! that a proof uses is rounded in the safe direction.
//!
//! # Cost
//! Cones: O(n²N) a cone, memory O(N) a cone held. At the optimum of Gaussian data,
//! where many directions are nearly maximal, ε = 1e-9 took 100 cones for n = 2,
//! N = 1000; 2 000 for n = 3, N = 300; 22 000 (a second) for n = 4, N = 100. Faces:
//! `2^N` bit operations, and O(N³) for each face that needs a proof of its own:
//! 30 000 of them (50 ms) for n = 8, N = 16.

mod cones;
mod faces;

use crate::gauge::Gauge;
use crate::gauge::Penalty;
use crate::linalg::{Matrix, norm};
use crate::num::{Interval, max, power_of_two};
use crate::observer::Observer;
use crate::problem::Problem;
use crate::trusted::Upper;

/// Largest dimension for which cones are tried: `2ⁿ` of them to begin with, and
/// `2^{n−1}` times as many for each halving of their width.
pub const CONE_DIMENSION: usize = 4;

/// Most datapoints for which faces are tried: 65 thousand of them, half of which
/// need arithmetic near an optimum. Each datapoint more doubles that.
pub const FACE_POINTS: usize = 16;

/// Datapoints up to which faces are tried before cones: a thousand faces cost
/// less than the cones of three dimensions.
const FACES_FIRST: usize = 10;

/// Starts of the ascent: evenly spaced columns of R. Missing the maximum costs
/// a restart of the proof, nothing else.
const STARTS: usize = 64;

/// Steps of one ascent; it converges linearly, and what it leaves the proof
/// finds. Ten times more help only where two eigenvalues nearly agree.
const ASCENT_STEPS: usize = 500;

/// Relative increase at which an ascent stops: a few roundings.
const ASCENT_TOLERANCE: f64 = 1e-15;

/// Finest accuracy that is tried: below, rounding decides.
const FINEST: f64 = 1e-12;

/// How accurate the polar shall be and how much work that may take.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Limits {
    /// Relative accuracy ε: κ is at most `(1 + ε)` times a value that is
    /// attained, where the steps suffice. The certified gap of an optimal point
    /// is about 2ε of its objective. Values below 1e-12 mean 1e-12.
    pub polar_tolerance: f64,
    /// Most steps: a cone that is split or a face that is proved, O(n²N) or O(N³) each.
    pub max_steps: usize,
}

impl Default for Limits {
    /// 1e-9, because a proof needs little more work than at 1e-6, and 100 000
    /// steps: seconds.
    fn default() -> Self {
        Self { polar_tolerance: 1e-9, max_steps: 100_000 }
    }
}

/// A polar enclosed.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct ProvedPolar {
    /// Proved: `Ω°(R) ≤ upper`.
    pub upper: Upper,
    /// The largest value of `g°(R̃ᵀd)` that was seen, as computed: not proved.
    pub attained: f64,
    /// Steps made.
    pub steps: usize,
}

impl ProvedPolar {
    /// `upper/attained − 1`: what is left of the accuracy asked for.
    #[must_use]
    pub fn accuracy(&self) -> f64 {
        if self.attained > 0.0 { self.upper.get() / self.attained - 1.0 } else { 0.0 }
    }
}

/// A proved `κ ≥ Ω°(R)` for the dual point with unwhitened columns `dual`.
///
/// Within `limits.polar_tolerance` of the polar where the steps suffice; else, and
/// where the observer stops it, the best that was proved by then, which the
/// accuracy of the answer shows. `None` for γ = 0 (the polar is
/// `maxᵢ‖rᵢ‖/λ` there), where neither dimension nor datapoints are few, where
/// nothing is proved yet, where the dual point is not finite or has another
/// shape, or where the datapoints are a part of all. Deterministic, sequential.
///
/// With a center the dual point must satisfy `Σ wᵢrᵢ = 0` up to a defect that the
/// caller prices: [`bounds::exact`](super::bounds::exact) does.
#[must_use]
pub fn polar(
    problem: &Problem,
    dual: &Matrix,
    limits: &Limits,
    observer: &dyn Observer,
) -> Option<ProvedPolar> {
    if problem.share().is_spread() {
        return None;
    }
    let scaled = Scaled::new(problem, dual)?;
    let Some((scaled, back)) = scaled else {
        return Some(ProvedPolar { upper: Upper::proved(0.0), attained: 0.0, steps: 0 });
    };
    let tolerance = if limits.polar_tolerance > FINEST { limits.polar_tolerance } else { FINEST };
    let (by_cones, by_faces) = (problem.dim() <= CONE_DIMENSION, problem.len() <= FACE_POINTS);
    let faces_first = by_faces && (!by_cones || problem.len() <= FACES_FIRST);
    let order = if faces_first { [false, true] } else { [true, false] };
    let mut search = Search::new(&scaled, tolerance, limits.max_steps, observer);
    let mut best = f64::INFINITY;
    for cones in order {
        if (cones && !by_cones) || (!cones && !by_faces) || best <= search.goal() {
            continue;
        }
        let proved = if cones { cones::prove(&mut search) } else { faces::prove(&mut search) };
        if let Some(proved) = proved {
            best = crate::num::min(best, proved);
        }
    }
    let upper = (best * back).next_up();
    (upper.is_finite() && upper > 0.0).then_some(ProvedPolar {
        upper: Upper::proved(upper),
        attained: search.attained * back,
        steps: search.steps,
    })
}

/// The dual point and the penalties in units (powers of two) in which nothing
/// overflows.
struct Scaled<'a> {
    /// Columns rᵢ, largest entry about 1. An entry is off by less than
    /// the smallest subnormal number.
    dual: Matrix,
    weights: &'a [f64],
    sqrt_weights: &'a [f64],
    gauge: Gauge<'a>,
    lambda_sq: Interval,
    gamma_sq: Interval,
}

impl<'a> Scaled<'a> {
    /// With the unit that a polar is multiplied by; `Some(None)` for R = 0.
    fn new(problem: &'a Problem, dual: &Matrix) -> Option<Option<(Self, f64)>> {
        let fits = dual.nrows() == problem.dim() && dual.ncols() == problem.len();
        if !fits || !(problem.gamma() > 0.0) || !dual.as_slice().iter().all(|v| v.is_finite()) {
            return None;
        }
        let largest = dual.as_slice().iter().map(|v| v.abs()).fold(0.0, max);
        if largest == 0.0 {
            return Some(None);
        }
        let (size, price) = (power_of_two(largest), power_of_two(max(problem.lambda(), problem.gamma())));
        let mut dual = dual.clone();
        dual.as_mut_slice().iter_mut().for_each(|v| *v /= size);
        // A penalty that is too small for its unit becomes 0: the polar rises.
        let unit = |penalty: f64| {
            let p = penalty / price;
            if p >= f64::MIN_POSITIVE { p } else { 0.0 }
        };
        let (lambda, gamma) = (unit(problem.lambda()), unit(problem.gamma()));
        let gamma_sq = Interval::point(gamma).square();
        if !(gamma_sq.lo > 0.0) {
            return None;
        }
        let data = problem.data();
        let scaled = Self {
            dual,
            weights: data.weights(),
            sqrt_weights: data.sqrt_weights(),
            gauge: Gauge::new(data.sqrt_weights(), Penalty::new(lambda, gamma).ok()?),
            lambda_sq: Interval::point(lambda).square(),
            gamma_sq,
        };
        let back = size / price;
        (back.is_finite() && back > 0.0).then_some(Some((scaled, back)))
    }

    /// `(g°(R̃ᵀd)/‖d‖, τ)` as computed, for `d ≠ 0`; `z` receives the maximizer.
    fn value(&self, direction: &[f64], z: &mut [f64]) -> (f64, f64) {
        let polar = self.gauge.polar_along(&self.dual, direction, z);
        (polar.value / norm(direction), polar.tau)
    }

    /// The largest value that the ascent of theorem `gauge-calculus` reaches before the
    /// observer stops it.
    fn climb(&self, start: &[f64], observer: &dyn Observer) -> f64 {
        let mut direction = start.to_vec();
        let mut z = vec![0.0; self.weights.len()];
        let mut best = 0.0;
        for _ in 0..ASCENT_STEPS {
            if !(norm(&direction) > 0.0) || observer.poll().is_break() {
                break;
            }
            let value = self.value(&direction, &mut z).0;
            if !(value > best * (1.0 + ASCENT_TOLERANCE)) {
                break;
            }
            best = value;
            direction = self.image(&z);
        }
        best
    }

    /// `R̃z`.
    fn image(&self, z: &[f64]) -> Vec<f64> {
        let mut image = vec![0.0; self.dual.nrows()];
        for ((r, a), z) in self.dual.columns().zip(self.sqrt_weights).zip(z) {
            crate::linalg::axpy(a * z, r, &mut image);
        }
        image
    }
}

/// What the proofs share: the value to beat and the work left.
struct Search<'a> {
    scaled: &'a Scaled<'a>,
    tolerance: f64,
    /// The largest value seen.
    attained: f64,
    steps: usize,
    limit: usize,
    observer: &'a dyn Observer,
}

impl<'a> Search<'a> {
    fn new(scaled: &'a Scaled<'a>, tolerance: f64, limit: usize, observer: &'a dyn Observer) -> Self {
        let mut search = Self { scaled, tolerance, attained: 0.0, steps: 0, limit, observer };
        let len = scaled.dual.ncols();
        let count = len.min(STARTS);
        for k in 0..count {
            search.climb_from(scaled.dual.col(k * len / count));
        }
        search
    }

    /// What is to be proved: a little above the largest value seen.
    fn goal(&self) -> f64 {
        self.attained * (1.0 + self.tolerance)
    }

    /// Ascends from a direction; tells whether the value to beat rose.
    fn climb_from(&mut self, direction: &[f64]) -> bool {
        let value = self.scaled.climb(direction, self.observer);
        let rose = value > self.attained;
        if rose {
            self.attained = value;
        }
        rose
    }

    /// Takes in a direction that may be better; ascends only if it is.
    fn look_at(&mut self, direction: &[f64]) -> bool {
        let mut z = vec![0.0; self.scaled.weights.len()];
        norm(direction) > 0.0
            && self.scaled.value(direction, &mut z).0 > self.attained
            && self.climb_from(direction)
    }

    /// Counts a step; whether there was one left.
    fn step(&mut self) -> bool {
        let go = self.steps < self.limit && self.observer.poll().is_continue();
        self.steps += usize::from(go);
        go
    }
}
