//! The most that an atom can take over all directions (theorem `width-bound`, item 6): few
//! dimensions.
//!
//! With residuals rᵢ and gains Eᵢ an atom d takes `Σ wᵢEᵢsᵢ(d)`, where for any e of the
//! datapoint's lens
//!
//! ```math
//! s_i(d)\ \le\ \frac{d^\top r_i-\lambda}{d^\top(r_i-e)}
//! ```
//!
//! if `dᵀrᵢ > λ`, and 0 elsewhere. Directions are covered by cones; a cone is cut across its
//! longest edge where the bound over it is largest.
//!
//! # The bound of a cone
//! Let `d = Σ βₖvₖ` with generators vₖ, `β ≥ 0` of sum 1 (scaling d changes nothing where λ is
//! written `λ‖d‖`), and `‖c‖ ≤ 1`: then `λ‖d‖ ≥ λcᵀd`, so the quotient is at most
//! `Σβₖνₖ/Σβₖδₖ` with `νₖ = vₖᵀ(r − λc)` and `δₖ = vₖᵀ(r − e)`. If all `δₖ > 0`, then for any
//! `σ ≥ 0` it is at most
//!
//! ```math
//! \sum_k\beta_k f_k,\qquad f_k=\Big(\sigma+\max\Big(\frac{\nu_k-\sigma\delta_k}{\min\delta},
//! \frac{\nu_k-\sigma\delta_k}{\max\delta}\Big)\Big)^+ ,
//! ```
//!
//! and `Σ wᵢEᵢsᵢ(d)` at most the largest of the generators' `Σ wᵢEᵢfᵢₖ`. With c and σ those of
//! the middle, what this loses falls with the square of the cone's size.

use std::cmp::Ordering;
use std::collections::BinaryHeap;
use std::rc::Rc;

use crate::linalg::{distance_sq, dot, exact_midpoint, norm, norm_sq};
use crate::num::{Interval, max, min, rounding};

/// Largest dimension in which cones are cut: `2ⁿ` of them to begin with, and `2^{n−1}` times
/// as many for each halving of their size.
pub(super) const CONE_DIMENSION: usize = 4;

/// How long cones are cut. Whatever ends it, what is proved by then is returned.
#[derive(Clone, Copy, Debug)]
pub(super) struct Effort {
    /// Relative accuracy at which the cutting stops.
    pub(super) accuracy: f64,
    /// Most inner products of a direction with points of lenses.
    pub(super) products: usize,
}

/// What a cone takes beside its datapoints, in products.
const CONE: usize = 64;

/// Shorter than its computed length by this part, so that the exact one is at most 1.
const SHORTENED: f64 = 1.0 - 1e-14;

/// Directions across r towards which points of the lens are taken, by dimension.
const AROUND: [usize; CONE_DIMENSION + 1] = [0, 0, 2, 16, 40];

/// How far towards the rim of the ball, seen from r.
const TILTS: [f64; 3] = [0.25, 0.5, 1.0];

/// The golden angle: its multiples are spread evenly around a circle.
const GOLDEN_ANGLE: f64 = 2.399_963_229_728_653;

/// A datapoint that gains.
pub(super) struct Payer {
    r: Vec<f64>,
    /// `w·E`, from above.
    stake: f64,
    /// Points `e = r − αg` of the lens.
    points: Vec<Chord>,
    /// What rounding may take off an inner product of a vector of entries at most 1 with r,
    /// `r − λc` or g.
    radius: f64,
}

/// `e = r − αg` with `‖r − g‖ ≤ λ` and `0 ≤ α ≤ 1`.
struct Chord {
    g: Vec<f64>,
    alpha: f64,
}

impl Payer {
    /// From a datapoint, its residual, `E` from below (positive) and its weight.
    pub(super) fn new(x: &[f64], r: &[f64], lambda: f64, excess: f64, weight: f64) -> Self {
        let n = x.len();
        #[expect(clippy::cast_precision_loss, reason = "at most four")]
        let absolute = r.iter().map(|v| v.abs()).sum::<f64>() + n as f64 * lambda;
        let points = tips(x, r, lambda).into_iter().filter_map(|b| Chord::towards(&b, x, r, lambda, excess));
        Self {
            r: r.to_vec(),
            stake: (weight * excess).next_up(),
            points: points.collect(),
            radius: 2.0 * rounding::radius(n + rounding::FEW, absolute),
        }
    }

    /// The point of the lens that is farthest from r in a direction.
    fn farthest(&self, direction: &[f64]) -> Option<&Chord> {
        let along = |chord: &Chord| chord.alpha * dot(&chord.g, direction);
        self.points.iter().max_by(|one, two| along(one).total_cmp(&along(two)))
    }

    /// `s` in a unit direction, as computed.
    fn share(&self, direction: &[f64], lambda: f64) -> f64 {
        let beyond = dot(&self.r, direction) - lambda;
        if beyond <= 0.0 {
            return 0.0;
        }
        let width = self.farthest(direction).map_or(0.0, |chord| chord.alpha * dot(&chord.g, direction));
        min(beyond / width, 1.0)
    }
}

impl Chord {
    /// From r towards `λb`, as far as the lens reaches: `αm + ½α²ℓ² ≤ E` with `m = gᵀ(x − r)`
    /// and `ℓ² = ‖g‖²`.
    fn towards(b: &[f64], x: &[f64], r: &[f64], lambda: f64, excess: f64) -> Option<Self> {
        let g: Vec<f64> = r.iter().zip(b).map(|(r, b)| r - lambda * b).collect();
        let point = Interval::point;
        let mut inside = point(0.0);
        let (mut m, mut square) = (point(0.0), point(0.0));
        for ((&g, &x), &r) in g.iter().zip(x).zip(r) {
            inside = inside.add(point(r).sub(point(g)).square());
            m = m.add(point(g).mul(point(x).sub(point(r))));
            square = square.add(point(g).square());
        }
        if !(inside.hi <= point(lambda).square().lo) {
            return None;
        }
        let twice = point(2.0 * excess);
        let m = point(m.hi);
        let root = m.square().add(twice.mul(point(square.hi))).sqrt();
        let alpha = min(twice.div(point(m.add(root).hi)).lo, 1.0);
        (alpha > 0.0).then_some(Self { g, alpha })
    }
}

/// Where chords aim: x's direction, points of the rim of what r sees of the unit ball, and
/// points between. Any choice is valid; [`SHORTENED`] keeps them in the ball.
fn tips(x: &[f64], r: &[f64], lambda: f64) -> Vec<Vec<f64>> {
    let unit = |v: &[f64]| {
        let length = norm(v);
        v.iter().map(|v| SHORTENED * v / length).collect::<Vec<f64>>()
    };
    let (center, axis) = (unit(x), unit(r));
    let cosine = min(lambda / norm(r), 1.0);
    let sine = (1.0 - cosine * cosine).sqrt();
    let mut tips = vec![center.clone()];
    for across in across(&axis) {
        for tilt in TILTS {
            let rim = axis.iter().zip(&across).map(|(a, w)| cosine * a + sine * w);
            let aimed: Vec<f64> = center.iter().zip(rim).map(|(c, rim)| c + tilt * (rim - c)).collect();
            tips.push(unit(&aimed));
        }
    }
    tips
}

/// Unit vectors across an axis, spread evenly: the images of those across the first unit
/// vector under the reflection that takes it to the axis or its negative.
fn across(axis: &[f64]) -> Vec<Vec<f64>> {
    let n = axis.len();
    let sign = if axis[0] < 0.0 { -1.0 } else { 1.0 };
    let mut normal = axis.to_vec();
    normal[0] += sign;
    let square = norm_sq(&normal);
    let reflect = |v: Vec<f64>| {
        let along = 2.0 * dot(&normal, &v) / square;
        v.iter().zip(&normal).map(|(v, m)| v - along * m).collect()
    };
    let count = AROUND.get(n).copied().unwrap_or(0);
    (0..count)
        .map(|k| {
            #[expect(clippy::cast_precision_loss, reason = "few")]
            let (k, count) = (k as f64, count as f64);
            let mut v = vec![0.0; n];
            match n {
                2 => v[1] = 2.0 * k - 1.0,
                3 => (v[1], v[2]) = (std::f64::consts::TAU * k / count).sin_cos(),
                _ => {
                    let height = (2.0 * k + 1.0) / count - 1.0;
                    let (sin, cos) = (GOLDEN_ANGLE * k).sin_cos();
                    let flat = (1.0 - height * height).sqrt();
                    (v[1], v[2], v[3]) = (height, flat * cos, flat * sin);
                }
            }
            reflect(v)
        })
        .collect()
}

/// An upper bound of `max Σ wᵢEᵢsᵢ(d)` over unit directions; `None` in more dimensions than
/// [`CONE_DIMENSION`], or where nothing finite is proved.
pub(super) fn largest(payers: &[Payer], dim: usize, lambda: f64, effort: Effort) -> Option<f64> {
    if dim == 0 || dim > CONE_DIMENSION {
        return None;
    }
    let mut cover = Cover::orthants(payers, dim, lambda);
    while cover.products < effort.products {
        let Some(cone) = cover.open.peek() else { break };
        if cone.seen.is_empty() || cone.bound <= (1.0 + effort.accuracy) * cover.met {
            break;
        }
        let Some(cone) = cover.open.pop() else { break };
        cover.halve(&cone);
    }
    let rest = max(cover.stuck, cover.open.peek().map_or(0.0, |cone| cone.bound));
    rest.is_finite().then_some(rest)
}

/// `Σ wᵢEᵢsᵢ(d)` in a unit direction, as computed.
pub(super) fn taken(payers: &[Payer], direction: &[f64], lambda: f64) -> f64 {
    payers.iter().map(|payer| payer.stake * payer.share(direction, lambda)).sum()
}

/// A generator of cones: never rounded, so that cones cover what they were cut from.
struct Generator {
    v: Vec<f64>,
    /// One over its length, about.
    scale: f64,
}

impl Generator {
    fn new(v: Vec<f64>) -> Self {
        let scale = 1.0 / norm(&v);
        Self { v, scale }
    }
}

/// A cone with a bound of what its directions take.
struct Cone {
    generators: Vec<Rc<Generator>>,
    /// The payers that some direction of it may see.
    seen: Vec<usize>,
    bound: f64,
    /// Order of birth: ties go to the older.
    age: usize,
}

/// Cones that cover all directions.
struct Cover<'a> {
    payers: &'a [Payer],
    lambda: f64,
    open: BinaryHeap<Cone>,
    /// Largest bound among cones that could not be cut any more.
    stuck: f64,
    /// The largest sum seen in the middle of a cone, as computed.
    met: f64,
    born: usize,
    products: usize,
}

impl<'a> Cover<'a> {
    fn orthants(payers: &'a [Payer], dim: usize, lambda: f64) -> Self {
        let axis = |j: usize, sign: f64| {
            let mut v = vec![0.0; dim];
            v[j] = sign;
            Rc::new(Generator::new(v))
        };
        let axes: Vec<[Rc<Generator>; 2]> = (0..dim).map(|j| [axis(j, 1.0), axis(j, -1.0)]).collect();
        let mut cover =
            Self { payers, lambda, open: BinaryHeap::new(), stuck: 0.0, met: 0.0, born: 0, products: 0 };
        let all: Vec<usize> = (0..payers.len()).collect();
        for signs in 0..1_usize << dim {
            cover.push((0..dim).map(|j| Rc::clone(&axes[j][signs >> j & 1])).collect(), &all);
        }
        cover
    }

    /// Adds a cone; `candidates` are the payers that it may see.
    fn push(&mut self, generators: Vec<Rc<Generator>>, candidates: &[usize]) {
        let middle = middle(&generators);
        let mut sums = vec![0.0; generators.len()];
        let mut seen = Vec::new();
        let mut met = 0.0;
        self.products += CONE;
        for &i in candidates {
            let payer = &self.payers[i];
            self.products += payer.points.len();
            let Some(shares) = shares(payer, &generators, &middle, self.lambda) else { continue };
            seen.push(i);
            sums.iter_mut().zip(&shares).for_each(|(sum, f)| *sum += payer.stake * f);
            met += payer.stake * payer.share(&middle, self.lambda);
        }
        // Sums of products of nonnegative numbers.
        let up = 1.0 + 2.0 * rounding::gamma(seen.len() + rounding::FEW);
        let lost = rounding::radius(seen.len(), 0.0);
        let bound = (sums.into_iter().fold(0.0, max) * up + lost).next_up();
        self.met = max(self.met, met);
        self.open.push(Cone { generators, seen, bound, age: self.born });
        self.born += 1;
    }

    /// Cuts a cone across its longest edge, where that has a midpoint.
    fn halve(&mut self, cone: &Cone) {
        let halves = cone.longest_edge().and_then(|(j, l)| {
            let middle = exact_midpoint(&cone.generators[j].v, &cone.generators[l].v)?;
            Some((j, l, Rc::new(Generator::new(middle))))
        });
        let Some((j, l, middle)) = halves else {
            self.stuck = max(self.stuck, cone.bound);
            return;
        };
        for side in [j, l] {
            let mut generators = cone.generators.clone();
            generators[side] = Rc::clone(&middle);
            self.push(generators, &cone.seen);
        }
    }
}

/// The direction in the middle of a cone, of length at most 1.
fn middle(generators: &[Rc<Generator>]) -> Vec<f64> {
    let mut sum = vec![0.0; generators[0].v.len()];
    for generator in generators {
        sum.iter_mut().zip(&generator.v).for_each(|(s, v)| *s += generator.scale * v);
    }
    let length = norm(&sum);
    sum.iter_mut().for_each(|s| *s *= SHORTENED / length);
    sum
}

/// `f` of every generator, from above; `None` where no direction of the cone sees the payer.
fn shares(payer: &Payer, generators: &[Rc<Generator>], middle: &[f64], lambda: f64) -> Option<Vec<f64>> {
    let across: Vec<f64> = payer.r.iter().zip(middle).map(|(r, c)| r - lambda * c).collect();
    // Generators have entries of at most 1.
    let above = |g: &Rc<Generator>| ((dot(&g.v, &across) + payer.radius).next_up() * g.scale).next_up();
    let beyond: Vec<f64> = generators.iter().map(above).collect();
    if beyond.iter().all(|&b| b <= 0.0) {
        return None;
    }
    let whole = vec![1.0; generators.len()];
    let Some(chord) = payer.farthest(middle) else { return Some(whole) };
    let width = |g: &Rc<Generator>, radius: f64| chord.alpha * (dot(&g.v, &chord.g) + radius) * g.scale;
    // Four roundings of numbers that are positive.
    let (down, up) = (1.0 - 8.0 * rounding::UNIT, 1.0 + 8.0 * rounding::UNIT);
    let below: Vec<f64> = generators.iter().map(|g| width(g, -payer.radius) * down).collect();
    let least = below.iter().copied().fold(f64::INFINITY, min);
    let largest = generators.iter().map(|g| width(g, payer.radius) * up).fold(0.0, max);
    if !(least > 0.0) {
        return Some(whole);
    }
    let level = |sigma: f64| {
        beyond.iter().zip(&below).map(move |(nu, delta)| {
            let rest = (nu - (sigma * delta).next_down()).next_up();
            let quotient = if rest > 0.0 { rest / least } else { rest / largest };
            max((sigma + quotient.next_up()).next_up(), 0.0)
        })
    };
    let sum = |values: &[f64]| values.iter().sum::<f64>();
    let sigma = sum(&beyond) / sum(&below);
    let tilted: Vec<f64> = level(min(max(sigma, 0.0), 1.0)).collect();
    let plain: Vec<f64> = level(0.0).collect();
    let best = [tilted, plain].into_iter().fold(whole, |best, f| if sum(&f) < sum(&best) { f } else { best });
    Some(best)
}

impl Cone {
    /// The ends of the longest edge.
    fn longest_edge(&self) -> Option<(usize, usize)> {
        let unit = |j: usize| {
            let Generator { v, scale } = &*self.generators[j];
            v.iter().map(|v| scale * v).collect::<Vec<f64>>()
        };
        let edges = (1..self.generators.len()).flat_map(|l| (0..l).map(move |j| (j, l)));
        let length = |&(j, l): &(usize, usize)| distance_sq(&unit(j), &unit(l));
        edges.max_by(|one, two| length(one).total_cmp(&length(two)))
    }
}

impl PartialEq for Cone {
    fn eq(&self, other: &Self) -> bool {
        self.cmp(other) == Ordering::Equal
    }
}

impl Eq for Cone {}

impl PartialOrd for Cone {
    fn partial_cmp(&self, other: &Self) -> Option<Ordering> {
        Some(self.cmp(other))
    }
}

impl Ord for Cone {
    fn cmp(&self, other: &Self) -> Ordering {
        self.bound.total_cmp(&other.bound).then(other.age.cmp(&self.age))
    }
}
