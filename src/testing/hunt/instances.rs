//! The instances of the hunt, each meant to be trouble of its own kind: small ones, and many
//! datapoints.

use rand::{RngExt, SeedableRng};
use rand_chacha::ChaCha8Rng;

use super::Strategy;
use crate::linalg::Matrix;
use crate::problem::Problem;
use crate::testing::naive::length;
use crate::testing::planted;

/// A problem with the number of atoms that solvers of a given width are asked for.
#[derive(Clone, Debug)]
pub struct Instance {
    /// What it is made to be.
    pub strategy: Strategy,
    /// Its seed: (strategy, seed) gives the same instance again.
    pub seed: u64,
    /// The problem.
    pub problem: Problem,
    /// A width.
    pub width: usize,
}

/// Data and parameters before they are validated.
struct Draft {
    points: Vec<Vec<f64>>,
    weights: Vec<f64>,
    lambda: f64,
    gamma: f64,
    centered: bool,
}

/// Fewest datapoints of [`Instance::many`].
const FEWEST: usize = 300;

/// Share of the instances at γ = 0, and of those with a learnt center.
const PLAIN: f64 = 0.4;
const CENTERED: f64 = 0.25;

impl Instance {
    /// The instance of a strategy of few datapoints and a seed. [`Strategy::Many`] adds nothing here.
    ///
    /// # Panics
    /// If a strategy makes a problem that is refused.
    #[must_use]
    pub fn draw(strategy: Strategy, seed: u64) -> Self {
        let mut rng = Self::generator(strategy, seed);
        let (dim, len) = (rng.random_range(1..=4), rng.random_range(1..=8));
        let mut draft = Draft {
            points: (0..len).map(|_| vector(dim, &mut rng)).collect(),
            weights: vec![1.0; len],
            lambda: rng.random_range(0.02..0.8),
            gamma: if rng.random_bool(PLAIN) { 0.0 } else { 10.0_f64.powf(rng.random_range(-2.5..0.0)) },
            centered: rng.random_bool(CENTERED),
        };
        draft.trouble(strategy, &mut rng);
        Self { strategy, seed, problem: draft.problem(), width: rng.random_range(1..=3) }
    }

    /// From [`FEWEST`] to `most` datapoints (more on average the more there may be): sparse mixtures
    /// of more atoms than dimensions, at γ > 0. Some are copied, negated or much longer than others;
    /// weights and sizes are far apart.
    ///
    /// # Panics
    /// If `most` is too few.
    #[must_use]
    pub fn many(seed: u64, most: usize) -> Self {
        assert!(most > FEWEST, "more than {FEWEST} datapoints, found {most}");
        let mut rng = Self::generator(Strategy::Many, seed);
        let dim = rng.random_range(1..=8);
        #[expect(clippy::cast_precision_loss, reason = "below 2^53")]
        let share = (most as f64 / FEWEST as f64).powf(rng.random_range(0.0..1.0));
        #[expect(
            clippy::cast_possible_truncation,
            clippy::cast_sign_loss,
            reason = "positive, at most `most`"
        )]
        let len = (share * FEWEST as f64) as usize;
        let (atoms, active) = (rng.random_range(dim..=4 * dim), rng.random_range(1..=dim.min(3)));
        let noise = if rng.random_bool(0.3) { 0.0 } else { decades(-6.0, -0.5, &mut rng) };
        let x = planted::mixture(dim, len, atoms, active, noise, rng.random());
        let reach = if rng.random_bool(0.5) { 0.5 } else { rng.random_range(1.0..12.0) };
        let mut draft = Draft {
            points: x.columns().map(<[f64]>::to_vec).collect(),
            weights: (0..len).map(|_| decades(-reach, reach, &mut rng)).collect(),
            lambda: rng.random_range(0.02..0.8),
            gamma: decades(-2.5, 0.0, &mut rng),
            centered: rng.random_bool(CENTERED),
        };
        if rng.random_bool(0.5) {
            let share = rng.random_range(0.0..1.0);
            draft.echoes(share, &mut rng);
        }
        if rng.random_bool(0.3) {
            let size = decades(0.0, 4.0, &mut rng);
            let at = rng.random_range(0..len);
            draft.points[at].iter_mut().for_each(|x| *x *= size);
        }
        if rng.random_bool(0.3) {
            let factor = decades(-30.0, 30.0, &mut rng);
            draft.scale(factor);
        }
        Self { strategy: Strategy::Many, seed, width: atoms, problem: draft.problem() }
    }

    /// The random choices of a strategy and a seed.
    pub(super) fn generator(strategy: Strategy, seed: u64) -> ChaCha8Rng {
        let mut rng = ChaCha8Rng::seed_from_u64(seed);
        rng.set_stream(strategy as u64);
        rng
    }
}

pub(super) fn vector(dim: usize, rng: &mut ChaCha8Rng) -> Vec<f64> {
    (0..dim).map(|_| rng.random_range(-1.0..1.0)).collect()
}

fn decades(from: f64, to: f64, rng: &mut ChaCha8Rng) -> f64 {
    10.0_f64.powf(rng.random_range(from..to))
}

/// A number moved by `ulps` representable numbers.
fn nudged(x: f64, ulps: i32) -> f64 {
    (0..ulps.abs()).fold(x, |x, _| if ulps > 0 { x.next_up() } else { x.next_down() })
}

impl Draft {
    fn trouble(&mut self, strategy: Strategy, rng: &mut ChaCha8Rng) {
        match strategy {
            Strategy::Plain | Strategy::Many => {}
            Strategy::Hierarchy => self.hierarchy(rng),
            Strategy::Copies => self.copies(rng),
            Strategy::Neighbors => self.neighbors(rng),
            Strategy::Threshold => self.threshold(rng),
            Strategy::Weights => self.uneven(rng),
            Strategy::Prices => self.prices(rng),
            Strategy::Scales => {
                let ends = [1e-140, 1e-100, 1e-30, 1e30, 1e100, 1e135];
                self.scale(ends[rng.random_range(0..ends.len())]);
            }
            Strategy::Subnormal => self.subnormal(rng),
            Strategy::Center => self.far_center(rng),
        }
    }

    fn dim(&self) -> usize {
        self.points[0].len()
    }

    fn problem(self) -> Problem {
        Problem::builder(Matrix::from_columns(self.dim(), &self.points))
            .weights(self.weights)
            .lambda(self.lambda)
            .gamma(self.gamma)
            .centered(self.centered)
            .build()
            .expect("a valid problem")
    }

    /// A share of the points is another one, or its opposite.
    fn echoes(&mut self, share: f64, rng: &mut ChaCha8Rng) {
        for i in 1..self.points.len() {
            if rng.random_bool(share) {
                let sign = if rng.random_bool(0.5) { 1.0 } else { -1.0 };
                let of = rng.random_range(0..i);
                self.points[i] = self.points[of].iter().map(|x| sign * x).collect();
            }
        }
    }

    /// A parent, children that never fire without it, and their mixtures.
    fn hierarchy(&mut self, rng: &mut ChaCha8Rng) {
        let (parent, children) =
            (vector(self.dim(), rng), [vector(self.dim(), rng), vector(self.dim(), rng)]);
        for point in &mut self.points {
            let noise = if rng.random_bool(0.5) { 0.0 } else { decades(-9.0, -1.0, rng) };
            let amount = if rng.random_bool(0.5) { 1.0 } else { rng.random_range(0.3..1.5) };
            let child = rng.random_range(0..3);
            for (j, x) in point.iter_mut().enumerate() {
                let own = children.get(child).map_or(0.0, |c| 0.7 * amount * c[j]);
                *x = amount * parent[j] + own + noise * *x;
            }
        }
    }

    /// Copies, multiples and antipodes of few directions, and points that are 0.
    fn copies(&mut self, rng: &mut ChaCha8Rng) {
        for i in 1..self.points.len() {
            let of = self.points[rng.random_range(0..i)].clone();
            let factor = match rng.random_range(0..6) {
                0 | 1 => 1.0,
                2 => -1.0,
                3 => rng.random_range(0.1..3.0),
                4 => 0.0,
                _ => continue,
            };
            self.points[i] = of.iter().map(|x| factor * x).collect();
        }
    }

    /// Points a few units in the last place, or a small share, from one another.
    fn neighbors(&mut self, rng: &mut ChaCha8Rng) {
        for i in 1..self.points.len() {
            let of = self.points[rng.random_range(0..i)].clone();
            let share = if rng.random_bool(0.5) { 0.0 } else { decades(-16.0, -2.0, rng) };
            let sign = if rng.random_bool(0.2) { -1.0 } else { 1.0 };
            for (x, of) in self.points[i].iter_mut().zip(of) {
                *x = sign * nudged(of + share * *x, rng.random_range(-2..=2));
            }
        }
    }

    /// λ is a length, exactly or one unit in the last place off.
    fn threshold(&mut self, rng: &mut ChaCha8Rng) {
        let size = rng.random_range(0.1..2.0);
        if self.dim() > 1 && rng.random_bool(0.5) {
            let (a, b) = [(3.0, 4.0), (5.0, 12.0), (-8.0, 15.0), (0.0, 1.0)][rng.random_range(0..4)];
            self.points[0] = vec![0.0; self.dim()];
            (self.points[0][0], self.points[0][1]) = (a * size, b * size);
        }
        for i in 1..self.points.len() {
            if rng.random_bool(0.4) {
                // Of the same length in another direction.
                let (target, now) = (length(&self.points[0]), length(&self.points[i]));
                self.points[i].iter_mut().for_each(|x| *x *= target / now);
            }
        }
        self.lambda = nudged(length(&self.points[0]), rng.random_range(-1..=1));
        if rng.random_bool(0.3) {
            // The same for the price of a datapoint on its own: √(λ² + γ²N) is its length.
            let count = f64::from(u32::try_from(self.points.len()).expect("few"));
            (self.lambda, self.gamma) = (0.6 * self.lambda, 0.8 * self.lambda / count.sqrt());
        }
    }

    /// Weights up to three hundred decades apart.
    fn uneven(&mut self, rng: &mut ChaCha8Rng) {
        let reach = [1.0, 8.0, 16.0, 60.0, 150.0][rng.random_range(0..5)];
        self.weights.iter_mut().for_each(|w| *w = decades(-reach, reach, rng));
    }

    /// Penalties far apart from each other, or one of them 0.
    fn prices(&mut self, rng: &mut ChaCha8Rng) {
        let reach = [3.0, 8.0, 14.0, 40.0, 150.0][rng.random_range(0..5)];
        let ratio = decades(-reach, reach, rng);
        match rng.random_range(0..5) {
            0 => (self.lambda, self.gamma) = (0.0, self.lambda),
            1 => self.gamma = 0.0,
            2 => self.gamma = self.lambda * ratio,
            3 => (self.lambda, self.gamma) = (self.lambda * ratio, self.lambda),
            _ => (self.lambda, self.gamma) = (self.lambda * ratio, self.lambda * ratio),
        }
    }

    fn scale(&mut self, factor: f64) {
        self.points.iter_mut().flatten().for_each(|x| *x *= factor);
        self.lambda *= factor;
        self.gamma *= factor;
    }

    /// Everything near the smallest numbers, or only some points.
    fn subnormal(&mut self, rng: &mut ChaCha8Rng) {
        if rng.random_bool(0.6) {
            let size = decades(-318.0, -150.0, rng);
            self.scale(size);
            // Not both penalties are 0.
            self.lambda = crate::num::max(self.lambda, f64::from_bits(1));
        } else {
            for point in &mut self.points {
                if rng.random_bool(0.5) {
                    let size = decades(-322.0, -150.0, rng);
                    point.iter_mut().for_each(|x| *x *= size);
                }
            }
        }
    }

    /// Data far from the origin, about a center that is learnt.
    fn far_center(&mut self, rng: &mut ChaCha8Rng) {
        self.centered = true;
        let away = decades(-1.0, 8.0, rng);
        let center = vector(self.dim(), rng);
        for point in &mut self.points {
            point.iter_mut().zip(&center).for_each(|(x, b)| *x += away * b);
        }
    }
}
