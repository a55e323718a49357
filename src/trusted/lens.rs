//! How much of a datapoint's excess one atom can take (theorem `lens-bound`).
//!
//! For a datapoint x with a residual r, let `B = conv(λ-ball ∪ {r})` and let L be the lens of
//! the points e of B whose dual value `xᵀe − ½‖e‖²` is at least `h_λ(‖x‖)`. An atom d with
//! `dᵀr > λ` takes at most `E(dᵀr − λ)/max_{e ∈ L} dᵀ(r − e)`, so
//!
//! ```math
//! u=\frac{E}{\sigma},\qquad \sigma=\min_{\lVert d\rVert=1,\ d^\top r\ge\lambda}\ \max_{e\in L}\ d^\top(r-e) .
//! ```
//!
//! Only the parts of d along r, along x beyond r, and across both matter: d is a point
//! `(1, p, s)` of a half plane, over its length. That half disc is cut into rectangles. A
//! point e that is good in the middle of a rectangle bounds σ over all of it: d is a
//! combination of the corners' unit vectors with coefficients of sum at least 1, so
//! `dᵀ(r − e)` is at least the smallest of the corners', where that is positive.

use std::cmp::Ordering;
use std::collections::BinaryHeap;

use crate::num::{Interval, max, min};

/// Relative accuracy of σ at which the cutting stops: a percent of u is a percent of what
/// atoms pay.
const ACCURACY: f64 = 0.01;

/// Most cuts made for a datapoint. Most need some fifty.
const MOST_CUTS: usize = 2000;

/// Points of the lens's rim tried in the middle of a rectangle: twice as many gain a
/// thousandth.
const RIM: usize = 24;

/// The numbers of a datapoint and its residual, enclosed, in units of a power of two near λ.
pub(super) struct Lens {
    lambda: f64,
    /// `‖r‖`.
    length: Interval,
    /// `rᵀ(x − r)`.
    outward: Interval,
    /// The parts of `x − r` along r and across it.
    along: Interval,
    across: Interval,
    /// Those of `x/‖x‖`.
    toward: (Interval, Interval),
    excess: Interval,
    dim: usize,
}

/// A point of the lens: `(1 − α)r + αλb`, or `λx/‖x‖`.
#[derive(Clone, Copy)]
enum Candidate {
    /// b, of length at most 1, in the coordinates of the lens.
    Rim {
        b: [f64; 3],
        alpha: f64,
    },
    Radial,
}

impl Lens {
    /// From `‖x‖²`, `‖r‖²` and `xᵀr`; `None` unless `‖x‖ > λ`, `‖r‖ > λ` and `E > 0` are proved.
    pub(super) fn new(lambda: f64, xx: Interval, rr: Interval, xr: Interval, dim: usize) -> Option<Self> {
        let l = Interval::point(lambda);
        let half = Interval::point(0.5);
        let (size, length) = (xx.sqrt(), rr.sqrt());
        if !(size.lo > lambda && length.lo > lambda && size.hi.is_finite() && length.hi.is_finite()) {
            return None;
        }
        let huber = l.mul(size.sub(half.mul(l)));
        let excess = xr.sub(half.mul(rr)).sub(huber);
        if !(excess.lo > 0.0) {
            return None;
        }
        let outward = xr.sub(rr);
        let projection = xr.div(length);
        let across = xx.sub(projection.square()).sqrt();
        Some(Self {
            lambda,
            length,
            outward,
            along: outward.div(length),
            across,
            toward: (projection.div(size), across.div(size)),
            excess,
            dim,
        })
    }

    /// E from below.
    pub(super) fn excess(&self) -> f64 {
        self.excess.lo
    }

    /// u from above.
    pub(super) fn reach(&self) -> f64 {
        let closed = self.closed_form();
        let sigma = self.least_width();
        let cut = if sigma > 0.0 { (self.excess.hi / sigma).next_up() } else { f64::INFINITY };
        min(closed, cut)
    }

    /// `(m + √(m² + 2E‖r‖²))/(2λ)` with `m = rᵀ(x − r)`: from `e = (1 − α)r`.
    fn closed_form(&self) -> f64 {
        let two = Interval::point(2.0);
        let (m, l) = (self.outward, Interval::point(self.lambda));
        let root = m.square().add(two.mul(self.excess).mul(self.length.square())).sqrt();
        m.add(root).div(two.mul(l)).hi
    }

    /// σ from below, as far as [`MOST_CUTS`] allow.
    fn least_width(&self) -> f64 {
        // The half disc p² + s² ≤ (‖r‖/λ)² − 1, in its rectangle.
        let ratio = self.length.div(Interval::point(self.lambda));
        let rim = ratio.square().sub(Interval::point(1.0)).sqrt().hi;
        let above = if self.dim >= 3 { rim } else { 0.0 };
        let sides = if self.dim >= 2 { rim } else { 0.0 };
        let square = (rim * rim).next_up();
        let mut cells = BinaryHeap::new();
        let mut met = f64::INFINITY;
        let mut look = |cells: &mut BinaryHeap<Cell>, p: (f64, f64), s: (f64, f64)| {
            if let Some((cell, middle)) = self.cell(p, s, square) {
                met = min(met, middle);
                cells.push(cell);
            }
            met
        };
        look(&mut cells, (-sides, 0.0), (0.0, above));
        let mut best = look(&mut cells, (0.0, sides), (0.0, above));
        for _ in 0..MOST_CUTS {
            let Some(worst) = cells.peek() else { break };
            if worst.bound >= (1.0 - ACCURACY) * best {
                break;
            }
            let Some(Cell { p, s, .. }) = cells.pop() else { break };
            let (halves_p, halves_s) = if p.1 - p.0 >= s.1 - s.0 {
                let middle = 0.5 * (p.0 + p.1);
                ([(p.0, middle), (middle, p.1)], [s, s])
            } else {
                let middle = 0.5 * (s.0 + s.1);
                ([p, p], [(s.0, middle), (middle, s.1)])
            };
            for (p, s) in halves_p.into_iter().zip(halves_s) {
                best = look(&mut cells, p, s);
            }
        }
        cells.peek().map_or(0.0, |worst| worst.bound)
    }

    /// A rectangle with the bound over it, and the width in its middle as computed; `None`
    /// if it lies beyond the rim.
    fn cell(&self, p: (f64, f64), s: (f64, f64), square: f64) -> Option<(Cell, f64)> {
        let nearest = |(lo, hi): (f64, f64)| if lo > 0.0 { lo } else { max(-hi, 0.0) };
        let (np, ns) = (nearest(p), nearest(s));
        if (np * np).next_down() + (ns * ns).next_down() > square.next_up() {
            return None;
        }
        let middle = (0.5 * (p.0 + p.1), 0.5 * (s.0 + s.1));
        let (candidate, width) = self.best(middle);
        let corners = [(p.0, s.0), (p.0, s.1), (p.1, s.0), (p.1, s.1)];
        let bound = corners.into_iter().map(|at| self.width(candidate, at)).fold(f64::INFINITY, min);
        Some((Cell { bound, p, s }, width))
    }

    /// The candidate that is best at a direction, and its width there.
    fn best(&self, at: (f64, f64)) -> (Candidate, f64) {
        let mut best = (Candidate::Radial, self.width(Candidate::Radial, at));
        let cosine = self.lambda / self.length.lo;
        let sine = max(1.0 - cosine * cosine, 0.0).sqrt();
        for k in 0..RIM {
            #[expect(clippy::cast_precision_loss, reason = "few")]
            let angle = std::f64::consts::TAU * k as f64 / RIM as f64;
            let (sin, cos) = angle.sin_cos();
            // In a plane there is nothing across.
            if self.dim < 3 && !(sin.abs() < 1e-9) {
                continue;
            }
            let b = match self.dim {
                1 => [cosine, 0.0, 0.0],
                2 => [cosine, sine * cos, 0.0],
                _ => [cosine, sine * cos, sine * sin],
            };
            let candidate = self.rim(b);
            let width = self.width(candidate, at);
            if width > best.1 {
                best = (candidate, width);
            }
        }
        best
    }

    /// The farthest point of the lens from r towards `λb`: `αm + ½α²ℓ² ≤ E` with
    /// `m = (r − λb)ᵀ(x − r)`, `ℓ² = ‖r − λb‖²`, and `α ≤ 1`.
    fn rim(&self, b: [f64; 3]) -> Candidate {
        // Shorter than 1 whatever the rounding of its parts.
        let b = b.map(|v| v * (1.0 - 1e-14));
        let point = Interval::point;
        let l = point(self.lambda);
        let inner = point(b[0]).mul(self.along).add(point(b[1]).mul(self.across));
        let m = self.outward.sub(l.mul(inner)).hi;
        let size = b.iter().fold(point(0.0), |sum, &v| sum.add(point(v).square()));
        let square = self.length.square().sub(point(2.0).mul(l).mul(point(b[0])).mul(self.length));
        let square = square.add(l.square().mul(size)).hi;
        let m = point(m);
        let twice = point(2.0 * self.excess.lo);
        let root = m.square().add(twice.mul(point(max(square, 0.0)))).sqrt();
        let alpha = min(twice.div(point(m.add(root).hi)).lo, 1.0);
        Candidate::Rim { b, alpha: max(alpha, 0.0) }
    }

    /// `dᵀ(r − e)` from below, d along `(1, p, s)`.
    fn width(&self, candidate: Candidate, (p, s): (f64, f64)) -> f64 {
        let point = Interval::point;
        let length = point(1.0).add(point(p).square()).add(point(s).square()).sqrt();
        let l = point(self.lambda);
        match candidate {
            Candidate::Rim { b, alpha } => {
                let inner = point(b[0]).add(point(p).mul(point(b[1]))).add(point(s).mul(point(b[2])));
                let gap = self.length.sub(l.mul(inner)).div(length).lo;
                if gap > 0.0 { max((alpha * gap).next_down(), 0.0) } else { gap }
            }
            Candidate::Radial => {
                let inner = self.toward.0.add(point(p).mul(self.toward.1));
                self.length.sub(l.mul(inner)).div(length).lo
            }
        }
    }
}

/// A rectangle of directions and a lower bound of σ over it.
struct Cell {
    bound: f64,
    p: (f64, f64),
    s: (f64, f64),
}

/// The smallest bound comes first; ties in the order of the rectangles.
impl Ord for Cell {
    fn cmp(&self, other: &Self) -> Ordering {
        let places = |c: &Self| (c.p.0, c.s.0);
        let (one, two) = (places(self), places(other));
        other.bound.total_cmp(&self.bound).then(one.0.total_cmp(&two.0)).then(one.1.total_cmp(&two.1))
    }
}

impl PartialOrd for Cell {
    fn partial_cmp(&self, other: &Self) -> Option<Ordering> {
        Some(self.cmp(other))
    }
}

impl PartialEq for Cell {
    fn eq(&self, other: &Self) -> bool {
        self.cmp(other) == Ordering::Equal
    }
}

impl Eq for Cell {}
