//! Directions of the plane, arcs of them, and datapoints between arcs.
//!
//! A place on the circle is a number `t` from 0 to 4: the direction of
//! `(1 − f)e_q + f e_{q+1}` with `q` the whole part of `t`, `f` the rest, and
//! `e₀ = (1, 0)`, `e₁ = (0, 1)`, `e₂ = −e₀`, `e₃ = −e₁`. For dyadic `t` its two coordinates are
//! exact, so arcs between such places cover the circle without rounding. A quarter turn adds 1,
//! and the angle grows by `1/‖v(t)‖²`, at least 1 and at most 2, for each unit of `t`.

use crate::linalg::{axpy, dot, norm};
use crate::num::{Interval, max, min, rounding};
use crate::problem::Problem;

/// A number that is rounded less than sixteen times is at least this part of what it should be.
pub(super) const SHRUNK: f64 = 1.0 - 16.0 * rounding::UNIT;

/// The same from above.
pub(super) const GROWN: f64 = 1.0 + 20.0 * rounding::UNIT;

/// Share of `|y₁| + |y₂|` by which a component along or across a direction is off at most
/// (`planar-optimum`, floating point).
const COMPONENT: f64 = 8.0 * rounding::UNIT;

/// A sum of two squares above this is not spoiled by underflow of one.
const SAFE_SQUARE: f64 = 1e-290;

/// Rounds of orthogonal iteration for the plane of data in more dimensions. Data of rank two
/// need one.
const ITERATIONS: usize = 6;

/// Data in the coordinates of a plane: for every dictionary of unit atoms in n dimensions there
/// is one of unit atoms in the plane that codes the coordinates at no more than what the
/// datapoints cost, but for `correction`.
pub(super) struct Plane {
    /// Coordinates, a datapoint each.
    pub(super) points: Vec<[f64; 2]>,
    /// `Σ wᵢεᵢ‖yᵢ‖` from above, with εᵢ what rounding makes of coordinates.
    pub(super) correction: f64,
    /// Two directions in n dimensions, about orthonormal; one where n = 1.
    pub(super) basis: Vec<Vec<f64>>,
    /// `Σ wᵢ‖xᵢ − QQᵀxᵢ‖‖xᵢ‖`, as computed: what leaving the plane may change at most.
    pub(super) left: f64,
    /// `√(Σ wᵢ‖xᵢ − QQᵀxᵢ‖²)`, as computed.
    pub(super) distance: f64,
}

impl Plane {
    pub(super) fn of(problem: &Problem) -> Self {
        let data = problem.data();
        let columns = data.datapoints().columns();
        match problem.dim() {
            1 => Self {
                points: columns.map(|x| [x[0], 0.0]).collect(),
                correction: 0.0,
                basis: vec![vec![1.0]],
                left: 0.0,
                distance: 0.0,
            },
            2 => Self {
                points: columns.map(|x| [x[0], x[1]]).collect(),
                correction: 0.0,
                basis: vec![vec![1.0, 0.0], vec![0.0, 1.0]],
                left: 0.0,
                distance: 0.0,
            },
            _ => Self::spanned(problem, leading(problem)),
        }
    }

    /// The plane of two directions q, shortened until `‖Q‖ ≤ 1` is proved.
    fn spanned(problem: &Problem, basis: [Vec<f64>; 2]) -> Self {
        let (data, n) = (problem.data(), problem.dim());
        let inner = |x: &[f64], y: &[f64]| {
            let absolute: f64 = x.iter().zip(y).map(|(x, y)| (x * y).abs()).sum();
            Interval::around(dot(x, y), rounding::radius(n, absolute))
        };
        let [q, p] = &basis;
        let cross = inner(q, p);
        let across = Interval::point(max(cross.hi.abs(), cross.lo.abs()));
        let square = Interval::point(max(inner(q, q).hi, inner(p, p).hi)).add(across);
        let short = Interval::point(1.0).div(Interval::point(square.sqrt().hi)).lo;
        let (mut points, mut correction, mut left) = (Vec::new(), 0.0_f64, 0.0);
        let mut distance = 0.0_f64;
        for (x, &w) in data.datapoints().columns().zip(data.weights()) {
            let exact = [q, p].map(|q| Interval::point(short).mul(inner(q, &x)));
            let y = exact.map(|y| 0.5 * (y.lo + y.hi));
            let off = |k: usize| max((exact[k].hi - y[k]).next_up(), (y[k] - exact[k].lo).next_up());
            let size = (y[0].abs() + y[1].abs()).next_up();
            let term = (w * ((off(0) + off(1)).next_up() * size).next_up()).next_up();
            correction = (correction + term).next_up();
            let mut rest = x.to_vec();
            axpy(-dot(q, &x), q, &mut rest);
            axpy(-dot(p, &x), p, &mut rest);
            left += w * norm(&rest) * norm(&x);
            distance = distance.hypot(w.sqrt() * norm(&rest));
            points.push(y);
        }
        Self { points, correction, basis: basis.into(), left, distance }
    }
}

/// About the two leading directions of the data: the longest datapoint and what is left of the
/// others, then orthogonal iteration.
fn leading(problem: &Problem) -> [Vec<f64>; 2] {
    let data = problem.data();
    let farthest = |from: &[Vec<f64>]| {
        let rest = |x: &[f64]| {
            let mut rest = x.to_vec();
            from.iter().for_each(|q| axpy(-dot(q, x), q, &mut rest));
            rest
        };
        let rests = data.datapoints().columns().map(|x| rest(&x));
        rests.fold((vec![0.0; problem.dim()], 0.0), |best, rest| {
            let length = norm(&rest);
            if length > best.1 { (rest, length) } else { best }
        })
    };
    let normal = |(v, length): (Vec<f64>, f64), other: Option<&Vec<f64>>| -> Vec<f64> {
        if length > 0.0 {
            return v.iter().map(|v| v / length).collect();
        }
        // Nothing is left: any direction across the other.
        let place = |j: usize| other.map_or(0.0, |q| q[j].abs());
        let least = (0..problem.dim()).min_by(|&i, &j| place(i).total_cmp(&place(j))).unwrap_or(0);
        let mut v = vec![0.0; problem.dim()];
        v[least] = 1.0;
        orthonormal(v, other)
    };
    let first = normal(farthest(&[]), None);
    let second = normal(farthest(std::slice::from_ref(&first)), Some(&first));
    let mut basis = [first, second];
    let largest = data.datapoints().columns().map(|x| norm(&x)).fold(0.0, max);
    for _ in 0..ITERATIONS {
        let mut next = [vec![0.0; problem.dim()], vec![0.0; problem.dim()]];
        for (x, &w) in data.datapoints().columns().zip(data.weights()) {
            for (q, next) in basis.iter().zip(&mut next) {
                axpy(w * (dot(q, &x) / largest), &x, next);
            }
        }
        let [one, two] = next;
        if !(norm(&one) > 0.0) {
            break;
        }
        let one = orthonormal(one, None);
        let length = norm(&two);
        let two = orthonormal(two, Some(&one));
        // What is across the first is rounding where the data are on a line.
        basis = if length > 0.0 && norm(&two) > 0.5 { [one, two] } else { break };
    }
    let [one, two] = basis;
    let two = orthonormal(two, Some(&one));
    [one, two]
}

/// A unit vector along v, across another; 0 where v is along it.
fn orthonormal(mut v: Vec<f64>, other: Option<&Vec<f64>>) -> Vec<f64> {
    for _ in 0..2 {
        let length = norm(&v);
        if length > 0.0 {
            v.iter_mut().for_each(|v| *v /= length);
        }
        if let Some(q) = other {
            axpy(-dot(q, &v), q, &mut v);
        }
    }
    let length = norm(&v);
    if length > 0.0 {
        v.iter_mut().for_each(|v| *v /= length);
    }
    v
}

/// A datapoint longer than λ, in units.
#[derive(Clone, Copy, Debug)]
pub(super) struct Point {
    pub(super) y: [f64; 2],
    pub(super) weight: f64,
    /// Its place on the circle lies between these.
    pub(super) place: [f64; 2],
    /// What a component along or across a direction may be off.
    pub(super) off: f64,
    /// Its length, from above.
    pub(super) length: f64,
    /// `½‖y‖²` and `h_λ(‖y‖)`, from below.
    pub(super) idle: f64,
    pub(super) radial: f64,
}

impl Point {
    /// With `½‖y‖²` alone, from below, where y is proved not to be longer than λ.
    pub(super) fn new(y: [f64; 2], weight: f64, lambda: f64) -> Result<Self, f64> {
        let square = y[0] * y[0] + y[1] * y[1];
        let size = y[0].abs() + y[1].abs();
        let length = if square > SAFE_SQUARE { square.sqrt() } else { size } * GROWN;
        let idle = 0.5 * square * SHRUNK;
        if length <= lambda || !(size > 0.0) {
            return Err(idle);
        }
        let below = square.sqrt() * SHRUNK;
        let radial = if below > lambda { lambda * (below - 0.5 * lambda) * SHRUNK } else { idle };
        let off = COMPONENT * size + f64::MIN_POSITIVE;
        Ok(Self { y, weight, place: place(y), off, length, idle, radial })
    }

    /// Whether the point may lie in the closed arc between two places.
    pub(super) fn may_touch(&self, from: f64, to: f64) -> bool {
        [-4.0, 0.0, 4.0].iter().any(|turn| self.place[0] + turn <= to && self.place[1] + turn >= from)
    }

    /// The cell that counts as the one it lies in.
    pub(super) fn home(&self, level: u32) -> usize {
        let cells = 4_usize << level;
        #[expect(clippy::cast_possible_truncation, clippy::cast_sign_loss, reason = "at most the cells")]
        let cell = (self.place[0] * f64::from(1_u32 << level)).floor() as usize;
        cell.min(cells - 1)
    }
}

/// Between which places a point other than 0 lies.
fn place(y: [f64; 2]) -> [f64; 2] {
    let (across, along) = (y[1].abs(), y[0].abs());
    let (quadrant, part) = match (y[0] > 0.0, y[1] > 0.0) {
        (true, true) => (0.0, across),
        (false, true) => (1.0, along),
        (false, false) if y[0] < 0.0 => (2.0, across),
        // y₂ < 0, or y₁ > 0 = y₂.
        _ if y[1] < 0.0 => (3.0, along),
        _ => (0.0, 0.0),
    };
    let f = part / (across + along);
    let (lo, hi) = (quadrant + f * SHRUNK, quadrant + min(f * GROWN, 1.0));
    [max(lo.next_down(), 0.0), hi.next_up()]
}

/// A direction at a dyadic place.
#[derive(Clone, Copy, Debug)]
pub(super) struct Direction {
    /// Exact, of length between `√½` and 1.
    pub(super) v: [f64; 2],
    /// Its length, as computed.
    length: f64,
}

impl Direction {
    /// At `number/2^level`.
    pub(super) fn at(number: usize, level: u32) -> Self {
        let whole = 1_usize << level;
        #[expect(clippy::cast_precision_loss, reason = "at most 2^30")]
        let f = (number % whole) as f64 / whole as f64;
        let v = match (number / whole) % 4 {
            0 => [1.0 - f, f],
            1 => [-f, 1.0 - f],
            2 => [f - 1.0, -f],
            _ => [f, f - 1.0],
        };
        Self { v, length: (v[0] * v[0] + v[1] * v[1]).sqrt() }
    }

    /// `‖v‖²`, as computed.
    pub(super) fn square(&self) -> f64 {
        self.v[0] * self.v[0] + self.v[1] * self.v[1]
    }

    /// The unit vector, as computed.
    pub(super) fn unit(&self) -> [f64; 2] {
        [self.v[0] / self.length, self.v[1] / self.length]
    }

    /// Components of a vector along the direction and across it, counterclockwise.
    pub(super) fn components(&self, y: [f64; 2]) -> [f64; 2] {
        [
            (self.v[0] * y[0] + self.v[1] * y[1]) / self.length,
            (self.v[0] * y[1] - self.v[1] * y[0]) / self.length,
        ]
    }

    /// Cosine and sine of the angle to another direction.
    pub(super) fn to(&self, other: &Self) -> [Interval; 2] {
        let off = 16.0 * rounding::UNIT;
        self.components(other.v).map(|c| Interval::around(c / other.length, off))
    }
}
