//! What the datapoints between two neighboring atoms cost.
//!
//! Let a and b be unit vectors, b counterclockwise of a by an angle Δ, and no atom between
//! them. With `p = aᵀy` and `s` the component of y across a, counterclockwise, a datapoint y costs
//! at least
//!
//! ```math
//! \lambda p-\tfrac12\lambda^2+\tau s-\tfrac12\tau^2,\qquad0\le\tau\le\lambda\tan(\Delta/2)
//! ```
//!
//! (any τ ≥ 0 where Δ ≥ π); the same from b; and, if y lies between them and neither sees
//! more than λ of it, `½‖y‖²`. The largest of these is the cost where y lies between a and b and
//! they are its neighbors (theorem `planar-optimum`, items 1 and 2).
//!
//! For a anywhere in one arc and b in another, the cost is bounded twice: by the ends that
//! face each other, and by the value at the middles less what the gradient over the arcs allows
//! (items 3 and 4).

use super::circle::{Direction, GROWN, Point, SHRUNK};
use crate::num::{Interval, max, min, rounding};

/// A cell of the circle at a level.
#[derive(Clone, Copy, Debug)]
pub(super) struct Arc {
    /// Its number among `4·2^level`, counterclockwise.
    pub(super) cell: usize,
    start: Direction,
    middle: Direction,
    end: Direction,
    /// `dφ/dt` over the arc lies between these.
    speed: [f64; 2],
    from: f64,
    to: f64,
}

impl Arc {
    pub(super) fn new(cell: usize, level: u32) -> Self {
        let (start, end) = (Direction::at(cell, level), Direction::at(cell + 1, level));
        let squares = [start.square(), end.square()];
        #[expect(clippy::cast_precision_loss, reason = "at most 2^30")]
        let place = |cell: usize| cell as f64 / f64::from(1_u32 << level);
        Self {
            cell,
            start,
            middle: Direction::at(2 * cell + 1, level + 1),
            end,
            speed: [SHRUNK / max(squares[0], squares[1]), GROWN / min(squares[0], squares[1])],
            from: place(cell),
            to: place(cell + 1),
        }
    }

    /// The unit vector in the middle, as computed.
    pub(super) fn direction(&self) -> [f64; 2] {
        self.middle.unit()
    }

    /// Places of its ends.
    pub(super) fn places(&self) -> [f64; 2] {
        [self.from, self.to]
    }

    fn may_hold(&self, point: &Point) -> bool {
        point.may_touch(self.from, self.to)
    }
}

/// `tan(Δ/2)` from below and above, infinite where Δ ≥ π, and `cot Δ`.
struct Opening {
    tangent: [f64; 2],
    cotangent: Interval,
}

impl Opening {
    fn between(a: &Direction, b: &Direction) -> Self {
        let [cos, sin] = a.to(b);
        let one = Interval::point(1.0);
        // Two forms, neither of which cancels where it is used.
        let tangent = if cos.lo > 0.0 { sin.div(one.add(cos)) } else { one.sub(cos).div(sin) };
        let lo = max(tangent.lo, 0.0);
        let hi = if tangent.hi > 0.0 { tangent.hi } else { f64::INFINITY };
        Self { tangent: [lo, hi], cotangent: cos.div(sin) }
    }
}

/// How far apart arcs are: the closest ends, the middles, the farthest ends.
enum Span {
    /// Always less than half a turn.
    Narrow,
    /// Half a turn or more at the middles or the farthest ends only.
    Straddling,
    /// Always half a turn or more.
    Wide,
}

/// The cost of a point, from below, between neighbors of which one sees components `[p, s]` (s
/// towards the other), the other `[p', s']`, with `tan(Δ/2)` from below. `between` where the
/// point is proved to lie between them.
fn cost(point: &Point, lambda: f64, sides: [[f64; 2]; 2], tangent: f64, between: bool) -> f64 {
    let unseen = |[p, s]: [f64; 2]| p + point.off <= lambda || s + point.off < 0.0;
    if between && sides.iter().all(|&side| unseen(side)) {
        return point.idle;
    }
    sides.into_iter().fold(point.radial, |best, [p, s]| {
        let along = p - point.off - 0.5 * lambda;
        if !(along > 0.0) {
            return best;
        }
        let s = max(s - point.off, 0.0);
        let tau = min(s, lambda * tangent * SHRUNK);
        max(best, (lambda * along + tau * (s - 0.5 * tau)) * SHRUNK)
    })
}

/// An arc's ends seen from a point on the side of the other arc: components of the closest end
/// and of the farthest.
struct Reach {
    near: [f64; 2],
    far: [f64; 2],
}

/// Between which numbers `zτ` lies for an atom in an arc: z the code of the point on it, τ the
/// component of the residual across it (item 4). `None` where nothing is proved.
fn pull(point: &Point, lambda: f64, reach: &Reach, span: &Span, opening: &Opening) -> Option<[f64; 2]> {
    let off = point.off;
    let near = reach.near.map(|c| c + off);
    let far = reach.far.map(|c| c - off);
    let sees = near[0] > lambda && near[1] >= 0.0;
    if matches!(span, Span::Wide) && !sees {
        return Some([0.0; 2]);
    }
    // The angle between point and atom grows from the closest end to the farthest.
    let across = if far[0] >= 0.0 {
        reach.far[1] + off
    } else if near[0] <= 0.0 {
        near[1]
    } else {
        point.length
    };
    let s = [max(min(reach.near[1] - off, far[1]), 0.0), max(across, 0.0)];
    let limit = match span {
        Span::Wide => [f64::INFINITY; 2],
        Span::Narrow | Span::Straddling => {
            [lambda * opening.tangent[0] * SHRUNK, lambda * opening.tangent[1] * GROWN]
        }
    };
    let beyond = [max(s[0] - limit[1], 0.0) * SHRUNK, max(s[1] - limit[0], 0.0) * GROWN];
    let shared = match span {
        _ if !(beyond[1] > 0.0) => [0.0; 2],
        Span::Narrow => {
            let cot = opening.cotangent;
            if !(cot.lo.is_finite() && cot.hi.is_finite()) {
                return None;
            }
            let pick = |c: f64, least: bool| c * beyond[usize::from((c >= 0.0) != least)];
            [pick(cot.lo, true), pick(cot.hi, false)]
        }
        Span::Straddling | Span::Wide => return None,
    };
    if matches!(span, Span::Straddling) && !sees {
        return Some([0.0; 2]);
    }
    let size = point.length + lambda + max(shared[0].abs(), shared[1].abs());
    let slack = 16.0 * rounding::UNIT * size;
    let z = [max(far[0] - lambda - shared[1] - slack, 0.0), max(near[0] - lambda - shared[0] + slack, 0.0)];
    let tau = [min(s[0], limit[0]), min(s[1], limit[1])];
    Some([z[0] * tau[0] * SHRUNK, z[1] * tau[1] * GROWN])
}

/// What datapoints between two arcs that hold neighboring atoms cost, with those in the second.
#[derive(Clone, Copy, Debug)]
pub(super) struct Cost {
    /// By the ends that face each other.
    first: f64,
    /// At the middles; `−∞` where no gradient is proved.
    middle: f64,
    /// The derivative along the places of the first atom lies between these, and of the second.
    pub(super) slopes: [[f64; 2]; 2],
}

impl Cost {
    /// Nothing lies between: two atoms in one arc.
    pub(super) const NONE: Self = Self { first: 0.0, middle: 0.0, slopes: [[0.0; 2]; 2] };

    /// From below, of atoms anywhere in their arcs, after adding `q'x' − qx` with x and x' their
    /// places from the middles, each at most `half` in size.
    pub(super) fn least(&self, half: f64, q: [f64; 2]) -> f64 {
        let [one, two] = self.slopes;
        let most = |ends: [f64; 2], shift: f64| max((ends[0] + shift).abs(), (ends[1] + shift).abs());
        let share = |size: f64| (half * size * GROWN).next_up();
        let first = self.first - share(q[0].abs()) - share(q[1].abs());
        let second = self.middle - share(most(one, -q[0])) - share(most(two, q[1]));
        // Differences are rounded once each; what they are of is larger.
        let loss = 8.0 * rounding::UNIT;
        let size = self.first.abs() + if self.middle.is_finite() { self.middle.abs() } else { 0.0 };
        let size = size + half * (q[0].abs() + q[1].abs());
        let best = if second > first { second } else { first };
        best - loss * size
    }
}

/// The cost of the points whose homes lie strictly between the cells of two arcs, and in that
/// of the second. `points` are sorted by home, `homes` the same for each; `cells` is the number
/// of cells of the level, `apart` that from the first arc to the second (all of them for an arc
/// with itself, once around).
pub(super) fn between(
    (points, homes): (&[Point], &[usize]),
    lambda: f64,
    arcs: [&Arc; 2],
    apart: usize,
    cells: usize,
) -> Cost {
    let [one, two] = arcs;
    let half_turn = cells / 2;
    let span = if apart > half_turn {
        Span::Wide
    } else if apart + 1 < half_turn {
        Span::Narrow
    } else {
        Span::Straddling
    };
    let infinite = f64::INFINITY;
    let closest = if apart > half_turn { infinite } else { tangent(&one.end, &two.start) };
    let at_middles = if apart >= half_turn { infinite } else { tangent(&one.middle, &two.middle) };
    let opening = match span {
        Span::Wide => Opening { tangent: [infinite; 2], cotangent: Interval::point(0.0) },
        Span::Straddling => Opening { tangent: [closest, infinite], cotangent: Interval::point(0.0) },
        Span::Narrow => {
            let (near, far) =
                (Opening::between(&one.end, &two.start), Opening::between(&one.start, &two.end));
            let cotangent = Interval { lo: far.cotangent.lo, hi: near.cotangent.hi };
            Opening { tangent: [near.tangent[0], far.tangent[1]], cotangent }
        }
    };
    let (mut first, mut middle, mut held) = (0.0, 0.0, 0.0);
    let mut pulls = [[0.0_f64; 2]; 2];
    let mut proved = true;
    let mut count = 0;
    let mut take = |point: &Point, home: usize| {
        count += 1;
        let w = point.weight;
        if home == two.cell {
            held += w * point.radial;
            return;
        }
        if one.may_hold(point) || two.may_hold(point) {
            first += w * point.radial;
            middle += w * point.radial;
            return;
        }
        let seen = |a: &Direction, b: &Direction| {
            let [p, s] = b.components(point.y);
            [a.components(point.y), [p, -s]]
        };
        let [near, other_near] = seen(&one.end, &two.start);
        first += w * cost(point, lambda, [near, other_near], closest, true);
        if !proved {
            return;
        }
        middle += w * cost(point, lambda, seen(&one.middle, &two.middle), at_middles, true);
        let [far, other_far] = seen(&one.start, &two.end);
        let reaches = [Reach { near, far }, Reach { near: other_near, far: other_far }];
        for (reach, sum) in reaches.iter().zip(&mut pulls) {
            match pull(point, lambda, reach, &span, &opening) {
                Some(pull) => {
                    sum[0] += w * pull[0];
                    sum[1] += w * pull[1];
                }
                None => proved = false,
            }
        }
    };
    // Homes run from after the first cell to the second, around the circle.
    let low = one.cell + 1;
    let high = one.cell + apart;
    let range = |from: usize, to: usize| {
        homes.partition_point(|&home| home < from)..homes.partition_point(|&home| home <= to)
    };
    let ranges =
        if high < cells { [range(low, high), 0..0] } else { [range(low, cells), range(0, high - cells)] };
    for k in ranges.into_iter().flatten() {
        take(&points[k], homes[k]);
    }
    let sum = |value: f64| {
        let shrunk = value * (1.0 - 2.0 * rounding::gamma(count + rounding::FEW));
        max(shrunk - f64::MIN_POSITIVE, 0.0)
    };
    let grown =
        |value: f64| value * (1.0 + 2.0 * rounding::gamma(count + rounding::FEW)) * GROWN + f64::MIN_POSITIVE;
    let slopes = |pull: [f64; 2], speed: [f64; 2]| {
        [sum(pull[0]) * speed[0] * SHRUNK, grown(pull[1]) * speed[1] * GROWN]
    };
    let (out, into) = (slopes(pulls[0], one.speed), slopes(pulls[1], two.speed));
    let held = sum(held);
    Cost {
        first: sum(first) + held,
        middle: if proved { sum(middle) + held } else { f64::NEG_INFINITY },
        slopes: if proved { [[-out[1], -out[0]], into] } else { [[0.0; 2]; 2] },
    }
}

/// `tan(Δ/2)` from below.
fn tangent(a: &Direction, b: &Direction) -> f64 {
    Opening::between(a, b).tangent[0]
}

/// What a dictionary costs, as computed: unit atoms sorted counterclockwise.
pub(super) fn value(points: &[Point], lambda: f64, atoms: &[[f64; 2]]) -> f64 {
    points
        .iter()
        .map(|point| {
            let y = point.y;
            let along = |d: [f64; 2]| d[0] * y[0] + d[1] * y[1];
            let across = |d: [f64; 2]| d[0] * y[1] - d[1] * y[0];
            // The angle from the atom to the point, counterclockwise, from 0 to a whole turn.
            let turn = |d: [f64; 2]| {
                let angle = across(d).atan2(along(d));
                if angle < 0.0 { angle + std::f64::consts::TAU } else { angle }
            };
            let before = atoms.iter().copied().min_by(|d, e| turn(*d).total_cmp(&turn(*e)));
            let after = atoms.iter().copied().max_by(|d, e| turn(*d).total_cmp(&turn(*e)));
            let (Some(a), Some(b)) = (before, after) else {
                return point.weight * point.idle;
            };
            let gap = turn(a) + std::f64::consts::TAU - turn(b);
            let tangent = if gap < std::f64::consts::PI { (0.5 * gap).tan() } else { f64::INFINITY };
            let sides = [[along(a), across(a)], [along(b), -across(b)]];
            point.weight * cost(point, lambda, sides, tangent, true)
        })
        .sum()
}
