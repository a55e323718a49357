//! The polar `g°(v) = max_{z ≥ 0} vᵀz / g(z)` and its maximizer.

use std::ops::Range;

use rayon::prelude::*;

use super::{Gauge, Moments};
use crate::linalg::{LANES, Panel, opaque, simd};
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
        z.copy_from_slice(v);
        self.polar_in_place(z, hint)
    }

    /// The same, with the maximizer in place of v.
    fn polar_in_place(&self, v: &mut [f64], hint: f64) -> Polar {
        // The largest of the *rounded* ratios, so that no distance from it is negative.
        let largest = self.largest_ratio(v);
        if largest <= 0.0 {
            v.fill(0.0);
            return Polar { value: 0.0, tau: 0.0 };
        }
        let mut inside = Inside::default();
        let (sigma, tau) = if self.gamma_sq == 0.0 {
            (0.0, largest)
        } else {
            self.polar_root(v, largest, hint, &mut inside)
        };
        if sigma == 0.0 {
            let first = self.first_at(v, largest);
            v.fill(0.0);
            let lambda = self.scale * self.lambda_sq.sqrt();
            if let Some(best) = first {
                v[best] = 1.0 / (lambda * self.a[best]);
            }
            return Polar { value: largest / lambda, tau: largest };
        }
        let shape = Shape { far: sigma > tau, slope: tau / sigma, sigma, largest };
        if inside.parts.is_empty() {
            shape.write(v, self.a, None);
        }
        for (part, listed) in &inside.parts {
            let listed = listed.clone().map(|listed| &inside.positions[listed]);
            shape.write(&mut v[part.clone()], &self.a[part.clone()], listed);
        }
        let Moments { mass, energy } = self.moments(v);
        let unit = 1.0 / (self.relative(mass, energy) * self.scale);
        v.iter_mut().for_each(|z| *z *= unit);
        // The minimized form: an error in τ enters it squared.
        let block = energy * (sigma * sigma / self.gamma_sq);
        let price = if self.lambda_sq > 0.0 { tau * tau / self.lambda_sq } else { 0.0 };
        Polar { value: (block + price).sqrt() / self.scale, tau }
    }

    /// The polars of the first rows of a panel, with a guess for each; the maximizers take their place.
    /// In parallel, but where sums ask other ranks: all ranks ask in one order.
    pub(crate) fn polars(&self, panel: &mut Panel, hints: &[f64]) -> Vec<Polar> {
        let rows = panel.rows_mut(hints.len()).zip(hints);
        let polar = |(v, &hint): (&mut [f64], &f64)| self.polar_in_place(v, hint);
        if self.asks() {
            let rows: Vec<_> = rows.collect();
            return rows.into_iter().map(polar).collect();
        }
        rows.map(polar).collect()
    }

    /// σ = maxᵢ(vᵢ/aᵢ) − τ for the minimizing τ: the root of the convex,
    /// increasing, piecewise linear `λ²Σ aᵢ²(uᵢ + σ)₊ − γ²(q − σ)` with
    /// `uᵢ = vᵢ/aᵢ − q ≤ 0`. Newton from the right decreases to it in finitely
    /// many steps; from a guess on the left its first step lands on the right. No
    /// difference of nearby numbers occurs.
    ///
    /// Gives σ and τ, each as a quotient of sums of positive terms, because the
    /// difference `q − σ` would cancel where τ is small.
    ///
    /// Once σ is right of the root, S only shrinks, and `inside` lists what is in it.
    fn polar_root(&self, v: &[f64], q: f64, hint: f64, inside: &mut Inside) -> (f64, f64) {
        if self.lambda_sq == 0.0 {
            return (q, 0.0);
        }
        let mut sigma = q;
        let mut guessed = 0.0 < hint && hint < q;
        if guessed {
            sigma = q - hint;
        }
        for pass in 0..NEWTON_PASSES {
            // At σ = q nearly half of all are in S.
            if pass > 0 && inside.parts.is_empty() && self.total() >= LISTED {
                inside.list(self, v, q, sigma);
            }
            let sums = self.segment_sums(v, q, sigma, inside);
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

    /// The sums of a segment over all datapoints, of which those outside a list are not in it.
    fn segment_sums(&self, v: &[f64], q: f64, sigma: f64, inside: &Inside) -> Sums {
        let mut at = 0;
        let [square, shift, pull] = self.sums(|part| {
            let listed = inside.parts.get(at).and_then(|(_, listed)| listed.clone());
            at += 1;
            let (v, a) = (&v[part.clone()], &self.a[part]);
            match listed {
                Some(listed) => listed_sums(&inside.positions[listed], v, a, q, sigma),
                None => simd(
                    #[inline(always)]
                    || segment_sums(v, a, q, sigma),
                ),
            }
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

/// Lists of the datapoints that may be in S, a list a part of the datapoints.
#[derive(Default)]
struct Inside {
    /// The position of each within its part, ascending; list after list.
    positions: Vec<u32>,
    /// The parts with the places of their lists; `None` where a list would be long.
    parts: Vec<(Range<usize>, Option<Range<usize>>)>,
}

impl Inside {
    /// Lists S.
    fn list(&mut self, gauge: &Gauge<'_>, v: &[f64], q: f64, sigma: f64) {
        // Products are cheaper than the ratios they stand for; what they let through is looked at.
        let near = (q - sigma) - 8.0 * f64::EPSILON * q;
        let mut found = Vec::new();
        for part in gauge.parts() {
            let (v, a) = (&v[part.clone()], &gauge.a[part.clone()]);
            if u32::try_from(v.len()).is_err() {
                self.parts.push((part, None));
                continue;
            }
            found.resize(v.len(), 0);
            let count = simd(
                #[inline(always)]
                || list(&mut found, v, a, near, |x, a| q - x / a < sigma),
            );
            let listed = (count <= v.len() / LEAST_OUT).then(|| {
                let from = self.positions.len();
                self.positions.extend_from_slice(&found[..count]);
                from..self.positions.len()
            });
            self.parts.push((part, listed));
        }
    }
}

/// Datapoints from which S is listed: for fewer, passes over all cost as little.
const LISTED: usize = 512;

/// Lists of more than one datapoint in so many are no faster than all in order.
const LEAST_OUT: usize = 4;

#[inline(always)]
fn list(found: &mut [u32], v: &[f64], a: &[f64], near: f64, inside: impl Fn(f64, f64) -> bool) -> usize {
    let mut count = 0;
    for ((x, a), first) in v.chunks(LANES).zip(a.chunks(LANES)).zip((0..).step_by(LANES)) {
        let close = x.iter().zip(a).fold(false, |close, (x, a)| close | (*x > near * a));
        if close {
            for ((&x, &a), i) in x.iter().zip(a).zip(first..) {
                found[count] = i;
                count += usize::from(inside(x, a));
            }
        }
    }
    count
}

/// The maximizer `∝ (v − τa)₊`, as p/σ, so that a tiny σ does not underflow when squared; from the
/// smaller of σ and τ, so that what cancels is small.
#[derive(Clone, Copy)]
struct Shape {
    far: bool,
    /// τ/σ.
    slope: f64,
    sigma: f64,
    largest: f64,
}

impl Shape {
    #[inline(always)]
    fn at(self, x: f64, a: f64) -> f64 {
        let Self { far, slope, sigma, largest } = self;
        let p = if far { x / sigma - slope * a } else { a * (1.0 - (largest - x / a) / sigma) };
        if p > 0.0 { p } else { 0.0 }
    }

    /// Puts it in place of a part of v, of which it is 0 outside a list.
    fn write(self, v: &mut [f64], a: &[f64], listed: Option<&[u32]>) {
        let Some(listed) = listed else {
            return simd(
                #[inline(always)]
                || v.iter_mut().zip(a).for_each(|(v, &a)| *v = self.at(*v, a)),
            );
        };
        let mut end = 0;
        for &i in listed {
            let i = i as usize;
            v[end..i].fill(0.0);
            v[i] = self.at(v[i], a[i]);
            end = i + 1;
        }
        v[end..].fill(0.0);
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

/// The sums of a segment over a list, in eight lanes.
fn listed_sums(list: &[u32], v: &[f64], a: &[f64], q: f64, sigma: f64) -> [f64; 3] {
    let mut sums = [[0.0; LANES]; 3];
    for chunk in list.chunks(LANES) {
        for (l, &i) in chunk.iter().enumerate() {
            let i = i as usize;
            let (x, a) = (v[i], a[i]);
            let distance = q - x / a;
            if distance < sigma {
                sums[0][l] += a * a;
                sums[1][l] += a * a * distance;
                sums[2][l] += a * x;
            }
        }
    }
    sums.map(|lanes| lanes.iter().sum())
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
