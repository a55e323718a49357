//! The polar `g°(v) = max_{z ≥ 0} vᵀz / g(z)` and its maximiser.

use super::Gauge;
use crate::linalg::simd;

/// Newton passes before the breakpoints are sorted instead. The iteration is
/// finite and takes 5 to 10 passes on data; sorting bounds the worst case by
/// O(N log N). Ten times this would make that worst case ten times slower.
const NEWTON_PASSES: usize = 40;

/// What the polar of one vector comes with.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Polar {
    /// `g°(v) ≥ 0`.
    pub value: f64,
    /// The minimising τ of `‖(v − τa)₊‖²/γ² + τ²/λ²` (0 where λ = 0 or `v ≤ 0`).
    pub tau: f64,
}

impl Gauge<'_> {
    /// `g°(v)`; writes into `z` a maximiser with `g(z) = 1`, or zeros if `v ≤ 0`.
    ///
    /// ```math
    /// g^\circ(v)^2=\min_{\tau\ge 0}\ \lVert (v-\tau a)_+\rVert^2/\gamma^2+\tau^2/\lambda^2,
    /// \qquad z\propto (v-\tau a)_+ .
    /// ```
    ///
    /// γ = 0: `maxᵢ vᵢ⁺/(λaᵢ)` with `z` on the first maximal datapoint.
    /// λ = 0: `‖v₊‖/γ`. Guarantees: `gauge-calculus`; accurate to a few units in
    /// the last place for any ratio γ/λ, because the root is sought as a distance
    /// from the largest ratio `vᵢ/aᵢ`. O(N) a pass, O(N log N) at worst.
    ///
    /// `z` needs the length of `v`, N.
    pub fn polar(&self, v: &[f64], z: &mut [f64]) -> Polar {
        z.fill(0.0);
        let mut best = 0;
        let mut largest = 0.0;
        for (i, (&x, &a)) in v.iter().zip(self.a).enumerate() {
            if x > largest * a {
                let ratio = x / a;
                if ratio > largest {
                    (best, largest) = (i, ratio);
                }
            }
        }
        if largest <= 0.0 {
            return Polar { value: 0.0, tau: 0.0 };
        }
        let sigma = if self.gamma_sq == 0.0 { 0.0 } else { self.polar_root(v, largest) };
        if sigma == 0.0 {
            let lambda = self.scale * self.lambda_sq.sqrt();
            z[best] = 1.0 / (lambda * self.a[best]);
            return Polar { value: largest / lambda, tau: largest };
        }
        let (mut mass, mut energy) = (0.0, 0.0);
        simd(
            #[inline(always)]
            || {
                for ((z, &x), &a) in z.iter_mut().zip(v).zip(self.a) {
                    // p/σ, so that a tiny σ does not underflow when squared.
                    let p = a * (1.0 - (largest - x / a) / sigma);
                    *z = if p > 0.0 { p } else { 0.0 };
                }
                mass = crate::linalg::dot(self.a, z);
                energy = crate::linalg::norm_sq(z);
            },
        );
        let g = self.relative(mass, energy);
        let unit = 1.0 / (g * self.scale);
        z.iter_mut().for_each(|z| *z *= unit);
        // At the root λ²aᵀp = γ²τ, so that g°(v) = g(p)/γ² (in units of the scale).
        Polar { value: g * (sigma / self.gamma_sq) / self.scale, tau: largest - sigma }
    }

    /// σ = maxᵢ(vᵢ/aᵢ) − τ for the minimising τ: the root of the convex,
    /// increasing, piecewise linear `λ²Σ aᵢ²(uᵢ + σ)₊ − γ²(q − σ)` with
    /// `uᵢ = vᵢ/aᵢ − q ≤ 0`. Newton from the right decreases to it in finitely
    /// many steps; no difference of nearby numbers occurs.
    fn polar_root(&self, v: &[f64], q: f64) -> f64 {
        if self.lambda_sq == 0.0 {
            return q;
        }
        let mut sigma = q;
        for _ in 0..NEWTON_PASSES {
            let (square, shift) = simd(
                #[inline(always)]
                || segment_sums(v, self.a, q, sigma),
            );
            let next = self.segment_root(q, square, shift);
            if next >= sigma {
                return sigma;
            }
            sigma = next;
        }
        self.polar_root_sorted(v, q)
    }

    /// The root of the linear piece with `Σ_S a²` and `−Σ_S a²u`.
    fn segment_root(&self, q: f64, square: f64, shift: f64) -> f64 {
        (self.gamma_sq * q + self.lambda_sq * shift) / (self.lambda_sq * square + self.gamma_sq)
    }

    /// The same root by sorting the breakpoints. O(N log N).
    fn polar_root_sorted(&self, v: &[f64], q: f64) -> f64 {
        let mut order: Vec<(f64, f64)> =
            v.iter().zip(self.a).filter(|(x, _)| **x > 0.0).map(|(&x, &a)| (q - x / a, a * a)).collect();
        order.sort_unstable_by(|l, r| l.0.total_cmp(&r.0));
        let (mut square, mut shift) = (0.0, 0.0);
        for (k, &(distance, a2)) in order.iter().enumerate() {
            square += a2;
            shift += a2 * distance;
            let sigma = self.segment_root(q, square, shift);
            if order.get(k + 1).is_none_or(|next| sigma <= next.0) {
                return sigma;
            }
        }
        q
    }
}

/// `Σ_S a²` and `−Σ_S a²u` over `S = {u > −σ}`, in eight lanes.
#[inline(always)]
fn segment_sums(v: &[f64], a: &[f64], q: f64, sigma: f64) -> (f64, f64) {
    let mut square = [0.0; 8];
    let mut shift = [0.0; 8];
    let mut add = |l: usize, x: f64, a: f64| {
        let distance = q - x / a;
        let a2 = if distance < sigma { a * a } else { 0.0 };
        square[l] += a2;
        shift[l] += if distance < sigma { a2 * distance } else { 0.0 };
    };
    let (v8, v_rest) = v.as_chunks::<8>();
    let (a8, a_rest) = a.as_chunks::<8>();
    for (x, y) in v8.iter().zip(a8) {
        for l in 0..8 {
            add(l, x[l], y[l]);
        }
    }
    for (l, (x, y)) in v_rest.iter().zip(a_rest).enumerate() {
        add(l, *x, *y);
    }
    (square.iter().sum(), shift.iter().sum())
}
