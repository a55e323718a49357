//! The proximal map of `t·g` plus the constraint `z ≥ 0`.

use super::Gauge;
use crate::linalg::{LANES, opaque, simd};
use crate::num::min;

/// Passes of the safeguarded Newton iteration. Bisection alone would need about
/// 60 for a bracket of any size; Newton takes 3 to 6.
const MAX_PASSES: usize = 120;

/// Relative size of ψ that is rounding of its two terms. Ten times less is never
/// met by long sums; ten times more leaves the last Newton step a visible error.
const CONVERGED: f64 = 8.0 * f64::EPSILON;

/// Covers the rounding of a bound on τ, and keeps a Newton step of slope −1,
/// which lands on the bound, inside the bracket. Any wider costs nothing.
const WIDENED: f64 = 1.0 + 8.0 * f64::EPSILON;

/// `‖v − τa‖²` over its support relative to `‖τa‖²` below which the difference
/// has lost 20 of its 53 bits and does not decide whether the result is zero.
/// At a tenth of the bits more, tiny codes survive where the polar is below t.
const CANCELLED: f64 = 1.0 / (1_u64 << 40) as f64;

/// What the proximal map of one vector comes with.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Prox {
    /// `g(result)`: 0 exactly when the result is 0.
    pub gauge: f64,
    /// The root τ: the result is proportional to `(v − τa)₊`. A good `hint` for
    /// a nearby vector.
    pub tau: f64,
}

impl Gauge<'_> {
    /// `argmin_{z ≥ 0} ½‖z − v‖² + t·g(z)`, written into `z`.
    ///
    /// With `p = (v − τa)₊`, `u = aᵀp`, `P = √(λ²u² + γ²‖p‖²)` and τ the root of
    /// `τ = tλ²u/P`, the result is `p·(1 − tγ²/P)`, or 0 if `P ≤ tγ²`. It is 0
    /// exactly when `g°(v) ≤ t`. γ = 0: `(v − tλa)₊`. λ = 0: `v₊·(1 − tγ/‖v₊‖)₊`.
    ///
    /// `z` needs the length of `v`, N; `hint` is a guess of τ (any number) and
    /// changes the result by rounding at most. Guarantees:
    /// [`gauge-calculus`](crate::proofs::gauge_calculus).
    /// O(N) a pass, a bounded number of passes.
    pub fn prox(&self, v: &[f64], t: f64, hint: f64, z: &mut [f64]) -> Prox {
        let t = t * self.scale;
        let zero = |z: &mut [f64]| {
            z.fill(0.0);
            Prox { gauge: 0.0, tau: 0.0 }
        };
        let Root { tau, rest } = if self.lambda_sq == 0.0 {
            Root { tau: 0.0, rest: 0.0 }
        } else if self.gamma_sq == 0.0 {
            Root { tau: t * self.lambda_sq.sqrt(), rest: 0.0 }
        } else {
            match self.prox_root(v, t, hint, z) {
                Some(root) => root,
                None => return zero(z),
            }
        };
        let p = simd(
            #[inline(always)]
            || {
                for ((z, &x), &a) in z.iter_mut().zip(v).zip(self.a) {
                    let p = (x - tau * a) - rest * a;
                    *z = if p > 0.0 { p } else { 0.0 };
                }
                self.relative(crate::linalg::dot(self.a, z), crate::linalg::norm_sq(z))
            },
        );
        let shrunk = p - t * self.gamma_sq;
        if !(shrunk > 0.0) {
            return zero(z);
        }
        if self.gamma_sq > 0.0 {
            let factor = shrunk / p;
            simd(
                #[inline(always)]
                || z.iter_mut().for_each(|z| *z *= factor),
            );
        }
        Prox { gauge: shrunk * self.scale, tau }
    }

    /// The root of the decreasing `ψ(τ) = tλ²u/P − τ`, or `None` when the
    /// result is zero. ψ' ≤ −1, so |ψ| bounds the distance from the root.
    ///
    /// The polar is asked once, where Newton leaves its bracket or where the
    /// differences `v − τa` cancel, so that `P ≤ tγ²` is rounding noise: the
    /// result is zero iff `g°(v) ≤ t`, and the polar's τ lies right of the root
    /// (they meet at `t = g°(v)`). `z` is its scratch.
    fn prox_root(&self, v: &[f64], t: f64, hint: f64, z: &mut [f64]) -> Option<Root> {
        // By Cauchy–Schwarz u² ≤ (Σa²)‖p‖², so that tλ²u/P is at most this.
        let total = simd(
            #[inline(always)]
            || crate::linalg::norm_sq(self.a),
        );
        let mut hi = t * self.lambda_sq / (self.lambda_sq + self.gamma_sq / total).sqrt() * WIDENED;
        let (mut lo, mut rest) = (0.0, 0.0);
        let mut asked = false;
        let mut tau = if hint > 0.0 && hint < hi { hint } else { 0.0 };
        for _ in 0..MAX_PASSES {
            let Moments { mass, energy, square } = simd(
                #[inline(always)]
                || moments(v, self.a, tau),
            );
            let p = self.relative(mass, energy);
            if mass <= 0.0 {
                // τ is at or beyond the largest ratio: the root, if any, lies left.
                hi = tau;
            } else {
                // P decreases in τ: left of the root, P ≤ tγ² already decides for 0.
                let psi = t * self.lambda_sq * mass / p - tau;
                // Quotients of like powers: a cube of small data would underflow.
                let bend = self.gamma_sq * (mass * mass - square * energy) / (p * p);
                let slope = t * self.lambda_sq * (bend / p) - 1.0;
                let step = -psi / min(slope, -1.0);
                if psi.abs() <= CONVERGED * tau {
                    let doubtful = !asked && energy <= CANCELLED * tau * tau * square;
                    let zero = p <= t * self.gamma_sq || (doubtful && self.vanishes(v, t, z).is_none());
                    return (!zero).then_some(Root { tau, rest: step });
                }
                if psi > 0.0 {
                    if p <= t * self.gamma_sq {
                        return None;
                    }
                    (lo, rest) = (tau, step);
                    hi = min(hi, (tau + psi) * WIDENED);
                } else {
                    hi = tau;
                    let bound = (tau + psi) * (2.0 - WIDENED);
                    if bound > lo {
                        (lo, rest) = (bound, 0.0);
                    }
                }
                let moved = tau + step;
                let newton = if (moved - tau).abs() > 0.0 {
                    moved
                } else if psi > 0.0 {
                    // A step below one unit in the last place: look at the neighbor.
                    tau.next_up()
                } else {
                    tau.next_down()
                };
                if lo < newton && newton < hi {
                    tau = newton;
                    continue;
                }
            }
            let middle = lo + 0.5 * (hi - lo);
            if !(lo < middle && middle < hi) {
                break;
            }
            tau = middle;
            if !asked {
                asked = true;
                let right = self.vanishes(v, t, z)?;
                if lo < right && right < hi {
                    (tau, hi) = (right, right);
                }
            }
        }
        (asked || self.vanishes(v, t, z).is_some()).then_some(Root { tau: lo, rest })
    }

    /// `None` if `g°(v) ≤ t` (in units of the scale); else a point right of the
    /// prox's root.
    fn vanishes(&self, v: &[f64], t: f64, z: &mut [f64]) -> Option<f64> {
        let polar = self.polar(v, 0.0, z);
        (polar.value * self.scale > t).then_some(polar.tau * WIDENED)
    }
}

/// The root `tau + rest`, where `rest` may be less than one unit in the last
/// place of `tau`: at small γ/λ the factor `1 − tγ²/P` magnifies that much.
struct Root {
    tau: f64,
    rest: f64,
}

/// Sums over `S = {v > τa}` with `p = v − τa`.
struct Moments {
    /// `u = Σ_S a p`.
    mass: f64,
    /// `Σ_S p²`.
    energy: f64,
    /// `Σ_S a²`.
    square: f64,
}

#[inline(always)]
fn moments(v: &[f64], a: &[f64], tau: f64) -> Moments {
    let (mut mass, mut energy, mut square) = ([0.0; LANES], [0.0; LANES], [0.0; LANES]);
    let (v_lanes, v_rest) = v.as_chunks::<LANES>();
    let (a_lanes, a_rest) = a.as_chunks::<LANES>();
    for (x, a) in v_lanes.iter().zip(a_lanes) {
        for l in 0..LANES {
            let p = x[l] - tau * a[l];
            let p = if p > 0.0 { p } else { 0.0 };
            let a = if p > 0.0 { a[l] } else { 0.0 };
            mass[l] += a * p;
            energy[l] += p * p;
            square[l] += a * a;
        }
    }
    for (l, (x, a)) in v_rest.iter().zip(a_rest).enumerate() {
        let p = x - tau * a;
        if p > 0.0 {
            mass[l] += a * p;
            energy[l] += p * p;
            square[l] += a * a;
        }
    }
    let sum = |lanes: [f64; LANES]| opaque(lanes).iter().sum();
    Moments { mass: sum(mass), energy: sum(energy), square: sum(square) }
}
