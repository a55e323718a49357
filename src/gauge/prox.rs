//! The proximal map of `t·g` plus the constraint `z ≥ 0`.

use super::Gauge;
use crate::linalg::{LANES, opaque, simd};
use crate::num::min;

/// Most passes of the safeguarded Newton iteration. Newton takes 3 to 6, bisection
/// alone about 60; twice as many leave room for both in turn.
const MAX_PASSES: usize = 120;

/// Relative size below which ψ is rounding of its two terms. Long sums never get ten
/// times closer; at ten times this, the last Newton step leaves a visible error.
const CONVERGED: f64 = 8.0 * f64::EPSILON;

/// Factor that covers the rounding of a bound on τ. It also keeps a Newton step of slope
/// −1, which lands on the bound, inside the bracket. A wider one costs nothing.
const WIDENED: f64 = 1.0 + 8.0 * f64::EPSILON;

/// Where `‖v − τa‖²` over its support is below this share of `‖τa‖²`, the difference has
/// lost 20 of its 53 bits and must not decide whether the result is zero: tiny codes
/// would survive where the polar is below t.
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
        simd(
            #[inline(always)]
            || {
                for ((z, &x), &a) in z.iter_mut().zip(v).zip(self.a) {
                    let p = (x - tau * a) - rest * a;
                    *z = if p > 0.0 { p } else { 0.0 };
                }
            },
        );
        let of_row = self.moments(z);
        let p = self.relative(of_row.mass, of_row.energy);
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
        let mut bracket = Bracket { lo: 0.0, rest: 0.0, hi: self.largest_root(t) };
        let mut asked = false;
        let mut tau = if hint > 0.0 && hint < bracket.hi { hint } else { 0.0 };
        for _ in 0..MAX_PASSES {
            let [mass, energy, square] = self.sums(|part| {
                let (v, a) = (&v[part.clone()], &self.a[part]);
                simd(
                    #[inline(always)]
                    || moments(v, a, tau),
                )
            });
            let moments = Moments { mass, energy, square };
            match self.newton_step(t, tau, &moments, &mut bracket) {
                Step::Zero => return None,
                Step::Converged { rest, doubtful } => {
                    let zero = doubtful && !asked && self.vanishes(v, t, z).is_none();
                    return (!zero).then_some(Root { tau, rest });
                }
                Step::Inside(next) => tau = next,
                Step::Outside => {
                    let Bracket { lo, hi, .. } = bracket;
                    let middle = lo + 0.5 * (hi - lo);
                    if !(lo < middle && middle < hi) {
                        break;
                    }
                    tau = middle;
                    if !asked {
                        asked = true;
                        let right = self.vanishes(v, t, z)?;
                        if lo < right && right < hi {
                            (tau, bracket.hi) = (right, right);
                        }
                    }
                }
            }
        }
        let root = Root { tau: bracket.lo, rest: bracket.rest };
        (asked || self.vanishes(v, t, z).is_some()).then_some(root)
    }

    /// A number above every root: `u² ≤ (Σa²)‖p‖²` by Cauchy–Schwarz, so that `tλ²u/P`
    /// is at most this.
    fn largest_root(&self, t: f64) -> f64 {
        let [total] = self.sums(|part| {
            let a = &self.a[part];
            simd(
                #[inline(always)]
                || [crate::linalg::norm_sq(a)],
            )
        });
        t * self.lambda_sq / (self.lambda_sq + self.gamma_sq / total).sqrt() * WIDENED
    }

    /// Narrows the bracket by the sums at τ, and says where Newton's step from τ leads.
    #[inline]
    fn newton_step(&self, t: f64, tau: f64, moments: &Moments, bracket: &mut Bracket) -> Step {
        let Moments { mass, energy, square } = *moments;
        if mass <= 0.0 {
            // τ is at or beyond the largest ratio: the root, if any, lies left.
            bracket.hi = tau;
            return Step::Outside;
        }
        let p = self.relative(mass, energy);
        let psi = t * self.lambda_sq * mass / p - tau;
        // Quotients of like powers: a cube of small data would underflow.
        let bend = self.gamma_sq * (mass * mass - square * energy) / (p * p);
        let slope = t * self.lambda_sq * (bend / p) - 1.0;
        let step = -psi / min(slope, -1.0);
        // P decreases in τ, so that left of the root (and at it) this decides for 0.
        let vanished = p <= t * self.gamma_sq;
        if psi.abs() <= CONVERGED * tau {
            let doubtful = energy <= CANCELLED * tau * tau * square;
            return if vanished { Step::Zero } else { Step::Converged { rest: step, doubtful } };
        }
        if psi > 0.0 {
            if vanished {
                return Step::Zero;
            }
            (bracket.lo, bracket.rest) = (tau, step);
            bracket.hi = min(bracket.hi, (tau + psi) * WIDENED);
        } else {
            bracket.hi = tau;
            let bound = (tau + psi) * (2.0 - WIDENED);
            if bound > bracket.lo {
                (bracket.lo, bracket.rest) = (bound, 0.0);
            }
        }
        let moved = tau + step;
        let next = if (moved - tau).abs() > 0.0 {
            moved
        } else if psi > 0.0 {
            // A step below one unit in the last place: look at the neighbor.
            tau.next_up()
        } else {
            tau.next_down()
        };
        if bracket.lo < next && next < bracket.hi { Step::Inside(next) } else { Step::Outside }
    }

    /// `None` if `g°(v) ≤ t` (in units of the scale); else a number right of the prox's
    /// root.
    fn vanishes(&self, v: &[f64], t: f64, z: &mut [f64]) -> Option<f64> {
        let polar = self.polar(v, 0.0, z);
        (polar.value * self.scale > t).then_some(polar.tau * WIDENED)
    }
}

/// The root `tau + rest`. `rest` may be less than one unit in the last place of `tau`,
/// which the factor `1 − tγ²/P` makes visible at small γ/λ.
struct Root {
    tau: f64,
    rest: f64,
}

/// Where the root of ψ lies: at `lo + rest` or right of it, and left of `hi`.
#[derive(Clone, Copy)]
struct Bracket {
    lo: f64,
    rest: f64,
    hi: f64,
}

/// What one pass found.
enum Step {
    /// The result is zero.
    Zero,
    /// τ is the root up to `rest`; `doubtful` where cancellation hides whether the
    /// result is zero.
    Converged { rest: f64, doubtful: bool },
    /// Newton's next τ, inside the bracket.
    Inside(f64),
    /// Newton leaves the bracket.
    Outside,
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
fn moments(v: &[f64], a: &[f64], tau: f64) -> [f64; 3] {
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
    [sum(mass), sum(energy), sum(square)]
}
