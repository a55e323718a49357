//! The polar `g°(v) = max_{z ≥ 0} vᵀz / g(z)` and its maximizer.

use super::{Gauge, Moments};
use crate::linalg::{LANES, opaque, simd};
use crate::num::min;

/// Newton passes before the breakpoints are sorted instead. The iteration is finite and
/// takes 5 to 10 passes without a hint. Sorting bounds the worst case by O(N log N); ten
/// times as many passes would make that case ten times slower.
const NEWTON_PASSES: usize = 40;

/// What the polar of one vector comes with.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Polar {
    /// `g°(v) ≥ 0`.
    pub value: f64,
    /// The minimizing τ of `‖(v − τa)₊‖²/γ² + τ²/λ²` (0 where λ = 0 or `v ≤ 0`).
    pub tau: f64,
}

impl Gauge<'_> {
    /// `g°(v)`; writes into `z` a maximizer with `g(z) = 1`, or zeros if `v ≤ 0`.
    ///
    /// ```math
    /// g^\circ(v)^2=\min_{\tau\ge 0}\ \lVert (v-\tau a)_+\rVert^2/\gamma^2+\tau^2/\lambda^2,
    /// \qquad z\propto (v-\tau a)_+ .
    /// ```
    ///
    /// γ = 0: `maxᵢ vᵢ⁺/(λaᵢ)` with `z` on the first maximal datapoint.
    /// λ = 0: `‖v₊‖/γ`. Guarantees:
    /// [`gauge-calculus`](crate::proofs::gauge_calculus); the value is accurate to a few
    /// units in the last place for any ratio γ/λ, because the root is sought as a distance
    /// from the largest ratio `vᵢ/aᵢ`. `z` is as accurate as `v − τa` is: where that cancels
    /// against small γ, `vᵀz` misses the value by the square of what rounding τ changes of
    /// z. O(N) a pass, O(N log N) at worst.
    ///
    /// `z` needs the length of `v`, N; `hint` is a guess of τ (any number, 0 for none)
    /// and changes the result by rounding at most.
    pub fn polar(&self, v: &[f64], hint: f64, z: &mut [f64]) -> Polar {
        z.fill(0.0);
        // The largest of the *rounded* ratios, so that no distance from it is negative.
        let largest = self.largest_ratio(v);
        if largest <= 0.0 {
            return Polar { value: 0.0, tau: 0.0 };
        }
        let (sigma, tau) =
            if self.gamma_sq == 0.0 { (0.0, largest) } else { self.polar_root(v, largest, hint) };
        if sigma == 0.0 {
            let lambda = self.scale * self.lambda_sq.sqrt();
            if let Some(best) = self.first_at(v, largest) {
                z[best] = 1.0 / (lambda * self.a[best]);
            }
            return Polar { value: largest / lambda, tau: largest };
        }
        simd(
            #[inline(always)]
            || {
                // p/σ, so that a tiny σ does not underflow when squared; from the
                // smaller of σ and τ, so that what cancels is small.
                let far = sigma > tau;
                let slope = tau / sigma;
                for ((z, &x), &a) in z.iter_mut().zip(v).zip(self.a) {
                    let p = if far { x / sigma - slope * a } else { a * (1.0 - (largest - x / a) / sigma) };
                    *z = if p > 0.0 { p } else { 0.0 };
                }
            },
        );
        let Moments { mass, energy } = self.moments(z);
        let unit = 1.0 / (self.relative(mass, energy) * self.scale);
        z.iter_mut().for_each(|z| *z *= unit);
        // The minimized form: an error in τ enters it squared.
        let block = energy * (sigma * sigma / self.gamma_sq);
        let price = if self.lambda_sq > 0.0 { tau * tau / self.lambda_sq } else { 0.0 };
        Polar { value: (block + price).sqrt() / self.scale, tau }
    }

    /// σ = maxᵢ(vᵢ/aᵢ) − τ for the minimizing τ: the root of the convex,
    /// increasing, piecewise linear `λ²Σ aᵢ²(uᵢ + σ)₊ − γ²(q − σ)` with
    /// `uᵢ = vᵢ/aᵢ − q ≤ 0`. Newton from the right decreases to it in finitely
    /// many steps; from a guess on the left its first step lands on the right. No
    /// difference of nearby numbers occurs.
    ///
    /// Gives σ and τ, each as a quotient of sums of positive terms, because the
    /// difference `q − σ` would cancel where τ is small.
    fn polar_root(&self, v: &[f64], q: f64, hint: f64) -> (f64, f64) {
        if self.lambda_sq == 0.0 {
            return (q, 0.0);
        }
        let mut sigma = q;
        let mut guessed = 0.0 < hint && hint < q;
        if guessed {
            sigma = q - hint;
        }
        for _ in 0..NEWTON_PASSES {
            let sums = self.segment_sums(v, q, sigma);
            let (next, tau) = self.segment_root(q, sums);
            if std::mem::take(&mut guessed) {
                sigma = min(next, q);
                continue;
            }
            if next >= sigma {
                return (sigma, tau);
            }
            sigma = next;
        }
        self.polar_root_sorted(v, q)
    }

    /// The root σ of the linear piece with the given sums, and `q − σ`.
    fn segment_root(&self, q: f64, sums: Sums) -> (f64, f64) {
        let slope = self.lambda_sq * sums.square + self.gamma_sq;
        ((self.gamma_sq * q + self.lambda_sq * sums.shift) / slope, self.lambda_sq * sums.pull / slope)
    }

    /// The largest `vᵢ/aᵢ` of all datapoints.
    fn largest_ratio(&self, v: &[f64]) -> f64 {
        let of = |v: &[f64], a: &[f64]| {
            simd(
                #[inline(always)]
                || largest_ratio(v, a),
            )
        };
        let Some(share) = self.share else { return of(v, self.a) };
        let [largest] = share.largest(|part| [of(&v[part.clone()], &self.a[part])]);
        largest
    }

    /// The position here of the first of all datapoints at which the ratio is the largest;
    /// `None` where another rank has it.
    fn first_at(&self, v: &[f64], largest: f64) -> Option<usize> {
        let found = v.iter().zip(self.a).position(|(x, a)| x / a >= largest);
        if !self.asks() {
            return Some(found.unwrap_or(0));
        }
        let share = self.share();
        // The smallest number wins: the largest of their negatives.
        #[expect(clippy::cast_precision_loss, reason = "N is far below 2^53")]
        let number = found.map_or(f64::NEG_INFINITY, |i| -((share.first() + i) as f64));
        let [first] = share.largest(|_| [number]);
        found.filter(|_| number >= first)
    }

    /// The sums of a segment over all datapoints.
    fn segment_sums(&self, v: &[f64], q: f64, sigma: f64) -> Sums {
        let [square, shift, pull] = self.sums(|part| {
            let (v, a) = (&v[part.clone()], &self.a[part]);
            simd(
                #[inline(always)]
                || segment_sums(v, a, q, sigma),
            )
        });
        Sums { square, shift, pull }
    }

    /// The same root by sorting the breakpoints, of all datapoints on every rank. O(N log N).
    fn polar_root_sorted(&self, v: &[f64], q: f64) -> (f64, f64) {
        let (all, a);
        let (v, a) = if self.asks() {
            let share = self.share();
            (all, a) = (share.gather_all(v), share.gather_all(self.a));
            (&*all, &*a)
        } else {
            (v, self.a)
        };
        let mut order: Vec<(f64, f64, f64)> =
            v.iter().zip(a).filter(|(x, _)| **x > 0.0).map(|(&x, &a)| (q - x / a, a * a, a * x)).collect();
        order.sort_unstable_by(|l, r| l.0.total_cmp(&r.0));
        let mut sums = Sums { square: 0.0, shift: 0.0, pull: 0.0 };
        let mut root = (q, 0.0);
        for (k, &(distance, a2, ax)) in order.iter().enumerate() {
            sums.square += a2;
            sums.shift += a2 * distance;
            sums.pull += ax;
            root = self.segment_root(q, sums);
            if order.get(k + 1).is_none_or(|next| root.0 <= next.0) {
                break;
            }
        }
        root
    }
}

/// Sums over `S = {u > −σ}`.
#[derive(Clone, Copy)]
struct Sums {
    /// `Σ_S a²`.
    square: f64,
    /// `−Σ_S a²u`.
    shift: f64,
    /// `Σ_S av`.
    pull: f64,
}

/// The largest `vᵢ/aᵢ`, or 0 when none is positive, in eight lanes.
#[inline(always)]
fn largest_ratio(v: &[f64], a: &[f64]) -> f64 {
    let mut largest = [0.0; LANES];
    let (v_lanes, v_rest) = v.as_chunks::<LANES>();
    let (a_lanes, a_rest) = a.as_chunks::<LANES>();
    for (x, a) in v_lanes.iter().zip(a_lanes) {
        for l in 0..LANES {
            let ratio = x[l] / a[l];
            largest[l] = if ratio > largest[l] { ratio } else { largest[l] };
        }
    }
    for (x, a) in v_rest.iter().zip(a_rest) {
        largest[0] = crate::num::max(largest[0], x / a);
    }
    opaque(largest).iter().copied().fold(0.0, crate::num::max)
}

/// The sums of a segment, in eight lanes.
#[inline(always)]
fn segment_sums(v: &[f64], a: &[f64], q: f64, sigma: f64) -> [f64; 3] {
    let (mut square, mut shift, mut pull) = ([0.0; LANES], [0.0; LANES], [0.0; LANES]);
    let (v_lanes, v_rest) = v.as_chunks::<LANES>();
    let (a_lanes, a_rest) = a.as_chunks::<LANES>();
    for (x, a) in v_lanes.iter().zip(a_lanes) {
        for l in 0..LANES {
            let distance = q - x[l] / a[l];
            let inside = distance < sigma;
            let (a, distance) = if inside { (a[l], distance) } else { (0.0, 0.0) };
            square[l] += a * a;
            shift[l] += a * a * distance;
            pull[l] += if inside { a * x[l] } else { 0.0 };
        }
    }
    for (l, (x, a)) in v_rest.iter().zip(a_rest).enumerate() {
        let distance = q - x / a;
        if distance < sigma {
            square[l] += a * a;
            shift[l] += a * a * distance;
            pull[l] += a * x;
        }
    }
    let sum = |lanes: [f64; LANES]| opaque(lanes).iter().sum();
    [sum(square), sum(shift), sum(pull)]
}
