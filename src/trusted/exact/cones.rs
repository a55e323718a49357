//! Branch and bound over cones of directions.
//!
//! # The bound of a cone (theorem `cone-branching`, item 6)
//! For a generator `c_j` take any `τ_j ≥ 0` (0 where λ = 0) and any
//! `p_j ≥ (R₀ᵀc_j − τ_j1)₊`. For `d = Σα_jc_j`, `α ≥ 0`, the choice `τ = Σα_jτ_j` in
//! the dual form of the polar and convexity of the positive part give
//!
//! ```math
//! g^\circ(\tilde R^\top d)^2\ \le\ \alpha^\top M\alpha,\quad
//! M_{jl}=\frac1{\gamma^2}\sum_iw_i\,p_{ji}p_{li}+\frac{\tau_j\tau_l}{\lambda^2},
//! \qquad \lVert d\rVert^2=\alpha^\top G\alpha,\quad G=C^\top C .
//! ```
//!
//! So `g°(R̃ᵀd) ≤ κ‖d‖` on the cone if `κ²G − M` is copositive, a question of order
//! n that [`faces`](super::faces) decides. Where the same datapoints are active
//! on the whole cone the first inequality is an equality: cones need not
//! become small, only small enough for that.
//!
//! # Covering
//! The generators are not normalized: they start as ±e_j, and an edge is cut at its
//! exact midpoint (a cone whose midpoint is not a floating-point vector is not
//! cut, which happens after some fifty cuts). So the cones cover the space exactly.

use std::cmp::Ordering;
use std::collections::BinaryHeap;
use std::rc::Rc;

use super::faces::{self, Answer};
use super::{Scaled, Search};
use crate::linalg::{Matrix, distance_sq, dot, exact_midpoint};
use crate::num::{Interval, max, min, rounding};

/// Numbers that the cones may hold together (1 GB): beyond, the search stops as if
/// its steps had run out.
const MAX_ENTRIES: usize = 1 << 27;

/// A direction with its part of the bound.
struct Generator {
    direction: Vec<f64>,
    /// `p ≥ (R₀ᵀc − τ1)₊`, and `w∘p` rounded up.
    positive: Vec<f64>,
    weighted: Vec<f64>,
    tau: f64,
}

impl Generator {
    fn new(scaled: &Scaled<'_>, direction: Vec<f64>) -> Self {
        let mut z = vec![0.0; scaled.weights.len()];
        let tau = scaled.value(&direction, &mut z).1;
        // Anything at least 0 serves; a NaN becomes 0.
        let tau = if tau > 0.0 && scaled.lambda_sq.lo > 0.0 { tau } else { 0.0 };
        let positive: Vec<f64> = scaled
            .dual
            .columns()
            .map(|r| {
                let absolute: f64 = r.iter().zip(&direction).map(|(x, y)| (x * y).abs()).sum();
                // The last term covers entries that lost bits to underflow.
                let radius = rounding::radius(r.len(), absolute) + f64::MIN_POSITIVE;
                let reach = ((dot(r, &direction) + radius).next_up() - tau).next_up();
                if reach > 0.0 { reach } else { 0.0 }
            })
            .collect();
        let weighted = positive
            .iter()
            .zip(scaled.weights)
            .map(|(p, w)| if *p > 0.0 { (p * w).next_up() } else { 0.0 })
            .collect();
        Self { direction, positive, weighted, tau }
    }
}

/// A cone with an upper bound of the squared polar over it.
struct Cone {
    generators: Vec<Rc<Generator>>,
    /// Upper bounds of M and lower bounds of G.
    quadratic: Matrix,
    metric: Matrix,
    square: f64,
    /// Order of birth: ties go to the older.
    age: usize,
}

impl Cone {
    fn new(scaled: &Scaled<'_>, generators: Vec<Rc<Generator>>, age: usize) -> Self {
        let m = generators.len();
        let quadratic = Matrix::from_fn(m, m, |j, l| {
            let (c, d) = (&generators[j.min(l)], &generators[j.max(l)]);
            let sum = dot(&c.weighted, &d.positive);
            let mut entry = Interval { lo: 0.0, hi: sum + rounding::radius(c.weighted.len(), sum) }
                .add(Interval::point(0.0))
                .div(scaled.gamma_sq);
            if c.tau > 0.0 && d.tau > 0.0 {
                entry = entry.add(Interval::point(c.tau).mul(Interval::point(d.tau)).div(scaled.lambda_sq));
            }
            entry.hi
        });
        let metric = Matrix::from_fn(m, m, |j, l| {
            let (c, d) = (&generators[j.min(l)].direction, &generators[j.max(l)].direction);
            let inner = dot(c, d);
            let absolute: f64 = c.iter().zip(d).map(|(x, y)| (x * y).abs()).sum();
            // Generators of a cone lie in one orthant: no inner product is negative.
            max(Interval::around(inner, rounding::radius(c.len(), absolute)).lo, 0.0)
        });
        let square = plain_bound(&quadratic, &metric);
        Self { generators, quadratic, metric, square, age }
    }

    /// A stored matrix at or below `κ²G − M` entry by entry.
    fn test_matrix(&self, kappa: f64) -> Matrix {
        let square = Interval::point(kappa).square();
        Matrix::from_fn(self.generators.len(), self.generators.len(), |j, l| {
            square
                .mul(Interval::point(self.metric.get(j, l)))
                .sub(Interval::point(self.quadratic.get(j, l)))
                .lo
        })
    }

    /// The ends of the longest edge.
    fn longest_edge(&self) -> Option<(usize, usize)> {
        let mut longest = (0.0, None);
        for l in 1..self.generators.len() {
            for j in 0..l {
                let length = distance_sq(&self.generators[j].direction, &self.generators[l].direction);
                if length > longest.0 {
                    longest = (length, Some((j, l)));
                }
            }
        }
        longest.1
    }
}

/// An upper bound of `max αᵀMα/αᵀGα` over `α ≥ 0` without a search, `M, G ≥ 0`:
/// the largest quotient of entries, or of row sums of M by the diagonal of G
/// (`2α_jα_l ≤ α_j² + α_l²`), whichever is smaller.
fn plain_bound(quadratic: &Matrix, metric: &Matrix) -> f64 {
    let m = metric.nrows();
    let quotient = |a: f64, b: f64| if a == 0.0 { 0.0 } else { (a / b).next_up() };
    let (mut entries, mut rows) = (0.0, 0.0);
    for j in 0..m {
        let mut sum = Interval::point(0.0);
        for l in 0..m {
            entries = max(entries, quotient(quadratic.get(j, l), metric.get(j, l)));
            sum = sum.add(Interval::point(quadratic.get(j, l)));
        }
        rows = max(rows, quotient(sum.hi, metric.get(j, j)));
    }
    min(entries, rows)
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
        self.square.total_cmp(&other.square).then(other.age.cmp(&self.age))
    }
}

/// The polar bound over cones. `None` where the numbers overflow.
pub(super) fn prove(search: &mut Search<'_>) -> Option<f64> {
    let n = search.scaled.dual.nrows();
    let mut cover = Cover::orthants(search);
    let entries = 2 * search.scaled.weights.len() + n + n * n;
    while let Some(cone) = cover.open.pop() {
        let goal = search.goal();
        let done = cone.square <= Interval::point(goal).square().lo;
        if done || cover.born * entries > MAX_ENTRIES || !search.step() {
            cover.open.push(cone);
            break;
        }
        match faces::copositive(&cone.test_matrix(goal), &mut || true) {
            // A later goal is at least this one.
            Answer::Copositive => continue,
            Answer::Open(alpha) => {
                let mut direction = vec![0.0; n];
                for (c, a) in cone.generators.iter().zip(&alpha) {
                    crate::linalg::axpy(*a, &c.direction, &mut direction);
                }
                search.look_at(&direction);
            }
            Answer::Stopped => {}
        }
        cover.halve(cone, search);
    }
    let rest = max(cover.stuck, cover.open.peek().map_or(0.0, |cone| cone.square));
    let kappa = max(search.goal(), Interval { lo: 0.0, hi: rest }.sqrt().hi);
    kappa.is_finite().then_some(kappa)
}

/// Cones that cover all directions for which nothing is proved yet.
struct Cover {
    open: BinaryHeap<Cone>,
    /// Largest bound among cones that could not be cut any more.
    stuck: f64,
    /// Cones made so far.
    born: usize,
}

impl Cover {
    /// The 2ⁿ orthants.
    fn orthants(search: &mut Search<'_>) -> Self {
        let scaled = search.scaled;
        let n = scaled.dual.nrows();
        let unit = |j: usize, sign: f64| {
            let mut direction = vec![0.0; n];
            direction[j] = sign;
            Rc::new(Generator::new(scaled, direction))
        };
        let axes: Vec<[Rc<Generator>; 2]> = (0..n).map(|j| [unit(j, 1.0), unit(j, -1.0)]).collect();
        let mut cover = Self { open: BinaryHeap::new(), stuck: 0.0, born: 0 };
        for signs in 0..1_usize << n {
            let generators = (0..n).map(|j| Rc::clone(&axes[j][signs >> j & 1])).collect();
            cover.push(search, generators);
        }
        for axis in axes.iter().flatten() {
            search.look_at(&axis.direction);
        }
        cover
    }

    fn push(&mut self, search: &Search<'_>, generators: Vec<Rc<Generator>>) {
        self.open.push(Cone::new(search.scaled, generators, self.born));
        self.born += 1;
    }

    /// Cuts a cone across its longest edge, where that has a midpoint.
    fn halve(&mut self, cone: Cone, search: &mut Search<'_>) {
        let halves = cone.longest_edge().and_then(|(j, l)| {
            let middle = exact_midpoint(&cone.generators[j].direction, &cone.generators[l].direction)?;
            Some((j, l, Rc::new(Generator::new(search.scaled, middle))))
        });
        let Some((j, l, middle)) = halves else {
            self.stuck = max(self.stuck, cone.square);
            return;
        };
        search.look_at(&middle.direction);
        for side in [j, l] {
            let mut generators = cone.generators.clone();
            generators[side] = Rc::clone(&middle);
            self.push(search, generators);
        }
    }
}
