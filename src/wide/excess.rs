//! What fewer atoms cost over the wide limit at γ = 0 (theorem `excess-law`).
//!
//! These answer "how wide is wide enough?" without training: for data on a circle or a
//! sphere by formula, for a given dictionary by two-sided bounds, from a curve of
//! trained widths by a fit. All are in floating point; none is a certificate, and a
//! fitted exponent is an estimate over the widths it was fitted to.

use crate::atoms::Dictionary;
use crate::linalg::{dot, norm};
use crate::num::{max, min};
use crate::problem::{Data, Problem};

use rayon::prelude::*;

/// The excess `F_M − F_∞` of evenly spaced atoms on the circle.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct CircleExcess {
    /// The exact value, by quadrature to rounding.
    pub exact: f64,
    /// `π²λ(r − λ)(2r − λ)/(6rM²)`.
    pub leading: f64,
    /// The leading term with the next: relative error `O(M⁻⁴)`.
    pub corrected: f64,
}

/// Excess over the wide limit of data uniform on the circle of radius `r > λ` in
/// the plane, coded with `M` evenly spaced atoms, `π/M < arccos(λ/r)`:
///
/// ```math
/// F_M-F_\infty=\frac{\pi^2\lambda(r-\lambda)(2r-\lambda)}{6\,r\,M^2}
///   \Big(1+\frac{q^4+20q^2-40q+16}{20(1-q)(2-q)}\,\eta^2+O(\eta^4)\Big),
/// \qquad q=\lambda/r,\ \eta=\pi/M .
/// ```
///
/// `None` unless `0 < λ < r` and `M` is large enough. That evenly spaced atoms
/// are the best `M` is not claimed. Guarantees: `excess-law`.
///
/// # Examples
/// ```
/// let excess = widedict::wide::circle_excess(1.0, 0.3, 64).unwrap();
/// assert!((excess.exact / excess.leading - 1.0006).abs() < 5e-5);
/// ```
#[must_use]
pub fn circle_excess(radius: f64, lambda: f64, atoms: usize) -> Option<CircleExcess> {
    if !(0.0 < lambda && lambda < radius && radius.is_finite()) || atoms < 3 {
        return None;
    }
    #[expect(clippy::cast_precision_loss, reason = "numbers of atoms are far below 2^53")]
    let eta = std::f64::consts::PI / atoms as f64;
    let q = lambda / radius;
    if !(eta < q.acos()) {
        return None;
    }
    // In units of r. Beyond the facet of the nearest atom for angles below φ,
    // beyond the vertex above; both integrands without cancellation.
    let phi = (q * eta.tan()).asin();
    let facet = |t: f64| {
        let half = (0.5 * t).sin();
        2.0 * half * half * (1.0 + t.cos() - 2.0 * q)
    };
    let vertex = |t: f64| {
        let s = t.sin() - q * eta.tan();
        s * s
    };
    let exact = (integral(0.0, eta, facet) - integral(phi, eta, vertex)) / (2.0 * eta);
    let leading = q * (1.0 - q) * (2.0 - q) * eta * eta / 6.0;
    let next = (q.powi(4) + 20.0 * q * q - 40.0 * q + 16.0) / (20.0 * (1.0 - q) * (2.0 - q));
    let scale = radius * radius;
    Some(CircleExcess {
        exact: scale * exact,
        leading: scale * leading,
        corrected: scale * leading * (1.0 + next * eta * eta),
    })
}

/// Nodes of the Gauss–Legendre rule: exact for polynomials of degree 31, which
/// resolves the trigonometric integrands on less than a quarter turn to rounding.
const NODES: usize = 16;

/// Offset of the first node in Tricomi's guess `cos(π(k + ¾)/(N + ½))`.
const GUESS: f64 = 0.75;

/// Newton steps for a node. From Tricomi's guess four reach rounding, since each doubles
/// the correct digits; two are margin.
const NODE_STEPS: usize = 6;

/// Gauss–Legendre quadrature; the nodes are found by Newton's method.
fn integral(from: f64, to: f64, f: impl Fn(f64) -> f64) -> f64 {
    let (middle, half) = (0.5 * (from + to), 0.5 * (to - from));
    let mut sum = 0.0;
    for k in 0..NODES {
        #[expect(clippy::cast_precision_loss, reason = "small numbers")]
        let mut x = (std::f64::consts::PI * (k as f64 + GUESS) / (NODES as f64 + 0.5)).cos();
        let mut slope = 1.0;
        for _ in 0..NODE_STEPS {
            let (value, derivative) = legendre(x);
            slope = derivative;
            x -= value / derivative;
        }
        sum += 2.0 / ((1.0 - x * x) * slope * slope) * f(middle + half * x);
    }
    half * sum
}

/// The Legendre polynomial of degree [`NODES`] and its derivative.
fn legendre(x: f64) -> (f64, f64) {
    let (mut last, mut value) = (1.0, x);
    for j in 2..=NODES {
        #[expect(clippy::cast_precision_loss, reason = "small numbers")]
        let j = j as f64;
        (last, value) = (value, ((2.0 * j - 1.0) * x * value - (j - 1.0) * last) / j);
    }
    #[expect(clippy::cast_precision_loss, reason = "a small number")]
    let degree = NODES as f64;
    (value, degree * (x * value - last) / (x * x - 1.0))
}

/// Excess of one datapoint of norm `r > λ` whose nearest atom is at an angle of the
/// given cosine, from below and from above:
///
/// ```math
/// \tfrac12\big[(r-\lambda)^2-(r-\lambda/\cos\varphi)_+^2\big]\ \le\ f(x)-h_\lambda(r)\ \le\
/// \tfrac12\big[(r-\lambda)^2-(r\cos\varphi-\lambda)_+^2\big].
/// ```
///
/// The residual is the projection on the polar polytope, which contains
/// `(λ/cosφ)·x/r` and lies below the nearest atom's facet (`polar-polytope`).
fn excess_of_datapoint(r: f64, lambda: f64, cosine: f64) -> (f64, f64) {
    if !(r > lambda) {
        return (0.0, 0.0);
    }
    let most = r - lambda;
    let half_difference = |other: f64| 0.5 * (most - other) * (most + other);
    let inside = if cosine > 0.0 { max(r - lambda / cosine, 0.0) } else { 0.0 };
    let facet = max(r * cosine - lambda, 0.0);
    (max(half_difference(min(inside, most)), 0.0), max(half_difference(min(facet, most)), 0.0))
}

/// Two-sided bounds of the excess `F(D) − F_∞` of a dictionary with exact codes,
/// for any data, from the angle of every active datapoint to its nearest atom:
///
/// ```math
/// \sum_iw_i\tfrac12\big[(r_i-\lambda)^2-(r_i-\lambda/\cos\varphi_i)_+^2\big]\le F(D)-F_\infty\le
/// \sum_iw_i\tfrac12\big[(r_i-\lambda)^2-(r_i\cos\varphi_i-\lambda)_+^2\big],\qquad r_i=\lVert x_i\rVert .
/// ```
///
/// The data are taken about the origin; γ is not used. In floating point, up to
/// rounding. Guarantees: `polar-polytope`, `excess-law`. O(nMN).
#[must_use]
pub fn excess_bounds(problem: &Problem, dictionary: &Dictionary) -> (f64, f64) {
    let data: &Data = problem.data();
    let terms: Vec<(f64, f64)> = (0..data.len())
        .into_par_iter()
        .map(|i| {
            let x = data.datapoint(i);
            let r = norm(&x);
            if !(r > problem.lambda()) {
                return (0.0, 0.0);
            }
            let largest = dictionary.atoms().map(|d| dot(d, &x)).fold(f64::NEG_INFINITY, max);
            let (low, high) = excess_of_datapoint(r, problem.lambda(), min(largest / r, 1.0));
            (data.weights()[i] * low, data.weights()[i] * high)
        })
        .collect();
    terms.into_iter().fold((0.0, 0.0), |sum, t| (sum.0 + t.0, sum.1 + t.1))
}

/// Steps of the sums behind [`sphere_excess_lower`]: ten times as many tighten
/// the bound by less than a thousandth.
const SPHERE_STEPS: usize = 4096;

/// Halvings of the angle at which the caps may cover the sphere: beyond 53 nothing moves.
const SPHERE_HALVINGS: usize = 60;

/// A lower bound of the excess of **every** dictionary of `atoms` unit atoms, for
/// data uniform on the sphere of radius `r > λ` in dimension `dim ≥ 2`:
///
/// ```math
/// F_M-F_\infty\ \ge\ \int_0^{\arccos(\lambda/r)}\big(1-M\,\mathrm{cap}(\varphi)\big)_+\,\varepsilon'(\varphi)\,d\varphi,
/// \qquad\varepsilon(\varphi)=\tfrac12(r-\lambda)^2-\tfrac12(r-\lambda/\cos\varphi)^2,
/// ```
///
/// `cap(φ)` the share of the sphere within the angle φ of a point: at most
/// `M·cap(φ)` of it is within φ of some atom, and a datapoint at the angle φ from
/// every atom exceeds by `ε(φ)` at least (`excess-law`). A lower Riemann sum of
/// the integral is returned; 0 unless `0 < λ < r`. The rate is `M^(−2/(dim−1))`.
///
/// # Examples
/// ```
/// // On the circle evenly spaced atoms do not beat it.
/// let bound = widedict::wide::sphere_excess_lower(2, 1.0, 0.3, 64);
/// let excess = widedict::wide::circle_excess(1.0, 0.3, 64).unwrap().exact;
/// assert!(0.5 * excess < bound && bound < excess);
/// ```
#[must_use]
#[expect(clippy::cast_precision_loss, reason = "counts are far below 2^53")]
pub fn sphere_excess_lower(dim: usize, radius: f64, lambda: f64, atoms: usize) -> f64 {
    if dim < 2 || !(0.0 < lambda && lambda < radius && radius.is_finite()) {
        return 0.0;
    }
    // W_k = ∫₀^π sin^k: W_0 = π, W_1 = 2, W_k = (k − 1)/k · W_{k−2}.
    let mut whole = [std::f64::consts::PI, 2.0];
    for k in 2..=dim - 2 {
        whole[k % 2] *= (k - 1) as f64 / k as f64;
    }
    let whole = whole[dim % 2];
    let power = |t: f64| (0..dim - 2).fold(1.0, |p, _| p * t.sin());
    // Beyond this angle caps of all atoms may cover the sphere; find it first so
    // that the steps resolve it.
    let most = (lambda / radius).acos();
    let covered = |angle: f64| {
        let step = angle / SPHERE_STEPS as f64;
        (1..=SPHERE_STEPS).map(|j| power(j as f64 * step) * step).sum::<f64>() / whole
    };
    let (mut low, mut high) = (0.0, most);
    if atoms as f64 * covered(most) > 1.0 {
        for _ in 0..SPHERE_HALVINGS {
            let middle = 0.5 * (low + high);
            if atoms as f64 * covered(middle) > 1.0 { high = middle } else { low = middle }
        }
    }
    let step = high / SPHERE_STEPS as f64;
    let epsilon = |angle: f64| excess_of_datapoint(radius, lambda, angle.cos()).0;
    let (mut cap, mut sum) = (0.0, 0.0);
    for j in 1..=SPHERE_STEPS {
        let angle = j as f64 * step;
        // sin^(n−2) increases up to a quarter turn: an upper sum of the cap.
        cap += power(angle) * step / whole;
        let free = max(1.0 - atoms as f64 * cap, 0.0);
        sum += free * max(epsilon(angle) - epsilon(angle - step), 0.0);
    }
    sum
}

/// An upper bound of the excess of any data on the sphere of radius `r > λ` with
/// a dictionary whose atoms come within `angle` of every datapoint:
/// `½(r − λ)² − ½(r − λ/cos(angle))₊²`. With a maximal separated set for atoms,
/// `angle` is of order `M^(−1/(n−1))` (`excess-law`).
#[must_use]
pub fn sphere_excess_upper(radius: f64, lambda: f64, angle: f64) -> f64 {
    excess_of_datapoint(radius, lambda, angle.cos()).0
}

/// A power law fitted to an excess: an **estimate**, never a theorem.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct PowerLaw {
    /// Exponent β of `C·M^(−β)`, by least squares in the logarithms.
    pub exponent: f64,
    /// Constant C.
    pub constant: f64,
    /// Standard error of the exponent if the logarithms scatter independently;
    /// `None` with two widths. The curvature of a true excess is not scatter.
    pub exponent_error: Option<f64>,
    /// Widths used.
    pub widths: usize,
}

/// Fits `excess ≈ C·M^(−β)` to the pairs (M, excess) with both positive; `None`
/// with fewer than two different widths.
///
/// On real data the exponent changes with the range of M (and is 0 from the
/// number of distinct active directions on, where the excess is 0): report it as
/// an estimate over that range.
///
/// # Examples
/// ```
/// let law = widedict::wide::fit_power_law(&[(10, 1.0), (20, 0.25), (40, 0.0625)]).unwrap();
/// assert!((law.exponent - 2.0).abs() < 1e-12);
/// ```
#[must_use]
#[expect(clippy::cast_precision_loss, reason = "widths are far below 2^53")]
pub fn fit_power_law(curve: &[(usize, f64)]) -> Option<PowerLaw> {
    let logs: Vec<(f64, f64)> = curve
        .iter()
        .filter(|(m, e)| *m > 0 && *e > 0.0 && e.is_finite())
        .map(|&(m, e)| ((m as f64).ln(), e.ln()))
        .collect();
    let count = logs.len() as f64;
    let (mx, my) =
        (logs.iter().map(|l| l.0).sum::<f64>() / count, logs.iter().map(|l| l.1).sum::<f64>() / count);
    let spread: f64 = logs.iter().map(|l| (l.0 - mx) * (l.0 - mx)).sum();
    if !(spread > 0.0) {
        return None;
    }
    let slope = logs.iter().map(|l| (l.0 - mx) * (l.1 - my)).sum::<f64>() / spread;
    let left: f64 = logs.iter().map(|l| (l.1 - my - slope * (l.0 - mx)).powi(2)).sum();
    Some(PowerLaw {
        exponent: -slope,
        constant: (my - slope * mx).exp(),
        exponent_error: (logs.len() > 2).then(|| (left / (count - 2.0) / spread).sqrt()),
        widths: logs.len(),
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    /// The closed form of the theorem, which cancels for many atoms.
    fn closed(r: f64, lambda: f64, eta: f64) -> f64 {
        let phi = (lambda / r * eta.tan()).asin();
        let bracket = 0.5 * phi + 0.75 * (2.0 * phi).sin() - (eta - phi) * phi.sin().powi(2);
        (r * r * bracket - 2.0 * r * lambda * eta) / (2.0 * eta)
    }

    #[test]
    fn the_quadrature_is_the_closed_form() {
        for (r, lambda) in [(1.0, 0.3), (2.5, 0.1), (1.0, 0.9), (3.0, 2.0)] {
            for atoms in [8, 16, 64, 256] {
                #[expect(clippy::cast_precision_loss, reason = "small numbers")]
                let eta = std::f64::consts::PI / atoms as f64;
                let Some(found) = circle_excess(r, lambda, atoms) else { continue };
                let slow = closed(r, lambda, eta);
                assert!((found.exact - slow).abs() <= 1e-14 * r * r / eta, "{r} {lambda} {atoms}");
            }
        }
    }

    #[test]
    fn the_next_term_explains_the_error_of_the_leading_one() {
        for lambda in [0.1, 0.3, 0.6] {
            for atoms in [32, 64, 128] {
                let found = circle_excess(1.0, lambda, atoms).unwrap();
                let (first, second) =
                    ((found.exact - found.leading).abs(), (found.exact - found.corrected).abs());
                assert!(second < 0.05 * first, "{lambda} {atoms}: {first:e} {second:e}");
            }
        }
    }

    #[test]
    fn refused_outside_the_hypothesis() {
        assert_eq!(circle_excess(1.0, 0.99, 8), None);
        assert_eq!(circle_excess(1.0, 1.0, 64), None);
        assert_eq!(circle_excess(1.0, 0.0, 64), None);
        assert_eq!(circle_excess(f64::NAN, 0.3, 64), None);
    }

    #[test]
    fn the_sphere_bound_has_the_rate_of_its_dimension() {
        for dim in [2, 3, 5] {
            let at = |m| sphere_excess_lower(dim, 1.0, 0.3, m);
            let law = fit_power_law(&[(4000, at(4000)), (8000, at(8000)), (16000, at(16000))]).unwrap();
            #[expect(clippy::cast_precision_loss, reason = "a small number")]
            let rate = 2.0 / (dim - 1) as f64;
            assert!((law.exponent - rate).abs() < 0.06 * rate, "{dim}: {}", law.exponent);
        }
    }
}
