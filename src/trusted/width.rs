//! A lower bound that knows the number of atoms (theorems `lens-bound`, `width-bound`).
//!
//! At γ = 0 and about a fixed center every datapoint may take a residual rᵢ longer than λ:
//! its dual value then exceeds what a dictionary of any width pays by
//!
//! ```math
//! E_i=x_i^\top r_i-\tfrac12\lVert r_i\rVert^2-h_\lambda(\lVert x_i\rVert) ,
//! ```
//!
//! and an atom d that sees it, `dᵀrᵢ > λ`, takes at most `uᵢ(dᵀrᵢ − λ)` of that away. If
//! `λ²11ᵀ + γ²diag(1/(wᵢuᵢ)) − RᵀR` is copositive over the datapoints with `Eᵢ > 0`, one atom
//! takes at most `γ²/(2λ)`, so every dictionary of M unit atoms costs at least
//!
//! ```math
//! F_\infty+\sum_iw_iE_i-M\frac{\gamma^2}{2\lambda} .
//! ```
//!
//! The dual point R and the nonnegative part T of a split that shows the copositivity are
//! proposed ([`WidthSplit`]). `Eᵢ`, `uᵢ` and γ² are computed here, every rounding counted.
//!
//! Datapoints may be cut into parts, each with a matrix of its own: what an atom takes of all is
//! at most the sum of what it takes of each, so the prices are added (item 7 of the theorem).
//!
//! In at most four dimensions what an atom takes is also bounded over cones of directions,
//! without lines and without a split (item 6 of the theorem): the smaller price counts.

use rayon::prelude::*;

use super::copositive::square_of_price;
use super::lens::Lens;
use super::payment::{self, CONE_DIMENSION, Effort, Payer};
use super::{Lower, Upper, WidthSplit, bounds};
use crate::linalg::{Matrix, dot, norm_sq};
use crate::num::{Interval, max, min, power_of_two, rounding};
use crate::problem::Problem;

/// A lower bound for every number of atoms: a line in it.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct WidthLine {
    /// `F_∞ + Σ wᵢEᵢ`, from below: the bound for no atom at all.
    pub base: Lower,
    /// What one atom saves at most, from above: `γ²/(2λ)` by a split, or the largest payment
    /// over cones of directions, whichever is smaller.
    pub price: Upper,
}

impl WidthLine {
    /// The bound of dictionaries of at most `width` unit atoms; 0 where the line is negative.
    #[must_use]
    pub fn at(&self, width: usize) -> Lower {
        Lower::proved(value_at(self.base.get(), self.price.get(), width))
    }
}

/// `base − width·price`, rounded down, at least 0: what a record of a line says of a width.
/// It bounds something only where the line does.
#[must_use]
pub fn value_at(base: f64, price: f64, width: usize) -> f64 {
    #[expect(clippy::cast_precision_loss, reason = "rounded up")]
    let paid = ((width as f64).next_up() * price).next_up();
    max((base - paid).next_down(), 0.0)
}

/// How long cones are cut for a line: some two seconds at most, beyond the first look at every
/// datapoint.
const EFFORT: Effort = Effort { accuracy: 1e-3, products: 100_000_000 };

/// The line that a split proves; `None` where the theorem does not apply (γ > 0, λ = 0, a
/// learnt center), and where it proves nothing finite.
///
/// # Guarantees
/// [`width-bound`](crate::proofs::width_bound), [`rounding`](crate::proofs::rounding): the
/// objective of every dictionary of M unit atoms, with any codes, is at least
/// [`at(M)`](WidthLine::at). Not claimed: that some dictionary comes near it.
///
/// # Cost
/// O(nr² + r³) time, 4r² numbers for each part of r datapoints where there is a slack; in at most
/// four dimensions O(2ⁿN) and some seconds for cones, a thousandth from the largest payment where
/// they suffice.
#[must_use]
pub fn line(problem: &Problem, split: &WidthSplit) -> Option<WidthLine> {
    // A part of the datapoints says nothing of all.
    if problem.share().is_spread() {
        return None;
    }
    let gains = Gains::of(problem, &split.dual)?;
    let fits = |slack: &&Matrix| slack.nrows() > 0 && slack.ncols() == problem.len();
    let prices = [
        split.slack.as_ref().filter(fits).and_then(|slack| gains.price_by_splits(slack)),
        gains.price_by_cones(EFFORT),
    ];
    gains.line(prices.into_iter().flatten().reduce(min)?)
}

/// `Σ wᵢEᵢ`, and the largest payment `Σ wᵢEᵢsᵢ(d)` of the given directions d, for a search that
/// compares dual points: as computed, nothing is proved. `dual` is n × N, `directions` n × any
/// number of unit columns. `None` in more than four dimensions, for other shapes, and where the
/// theorem does not apply.
#[must_use]
pub fn takings(problem: &Problem, dual: &Matrix, directions: &Matrix) -> Option<(f64, f64)> {
    if !cuts_cones(problem.dim()) || directions.nrows() != problem.dim() {
        return None;
    }
    let gains = Gains::of(problem, dual)?;
    let weights = problem.data().weights();
    let gross: f64 = gains.paid.iter().map(|&(i, gain)| weights[i] * gain.excess).sum();
    let (payers, lambda) = (gains.payers(), gains.lambda());
    let taken = |k: usize| payment::taken(&payers, directions.col(k), lambda);
    let most = (0..directions.ncols()).into_par_iter().map(taken).reduce(|| 0.0, max);
    let square = gains.unit * gains.unit;
    Some((gross * square, most * square))
}

/// Whether cones are cut in so many dimensions.
#[must_use]
pub fn cuts_cones(dim: usize) -> bool {
    dim <= CONE_DIMENSION
}

/// What the datapoints that pay gain.
struct Gains<'a> {
    problem: &'a Problem,
    dual: &'a Matrix,
    /// A power of two near λ: everything below is in its units. γ² has those of the data's
    /// cube, the price of its square.
    unit: f64,
    paid: Vec<(usize, Gain)>,
}

impl<'a> Gains<'a> {
    /// `None` where the theorem does not apply.
    fn of(problem: &'a Problem, dual: &'a Matrix) -> Option<Self> {
        let fits = dual.ncols() == problem.len() && dual.nrows() == problem.dim();
        if problem.gamma() > 0.0 || !(problem.lambda() > 0.0) || problem.centered() || !fits {
            return None;
        }
        let unit = power_of_two(problem.lambda());
        let gain = |i: usize| Gain::of(&problem.data().datapoint(i), dual.col(i), problem.lambda(), unit);
        let paid = (0..problem.len()).into_par_iter().filter_map(|i| Some((i, gain(i)?))).collect();
        Some(Self { problem, dual, unit, paid })
    }

    fn lambda(&self) -> f64 {
        self.problem.lambda() / self.unit
    }

    /// What one atom takes at most, from above, by the splits of the parts.
    fn price_by_splits(&self, slack: &Matrix) -> Option<f64> {
        let parts = WidthSplit::parts(self.problem.len(), slack.nrows());
        (0..parts).try_fold(0.0_f64, |sum, part| {
            let paid: Vec<(usize, Gain)> =
                self.paid.iter().copied().filter(|(i, _)| i % parts == part).collect();
            if paid.is_empty() {
                return Some(sum);
            }
            let price = self.price_by_split(&paid, |i, j| slack.get(i / parts, j))?;
            Some((sum + price).next_up())
        })
    }

    /// The same of some datapoints alone; `slack` takes two of them, in the problem's numbers.
    fn price_by_split(&self, paid: &[(usize, Gain)], slack: impl Fn(usize, usize) -> f64) -> Option<f64> {
        let weights = self.problem.data().weights();
        let reach: Vec<f64> = paid.iter().map(|&(i, gain)| (weights[i] * gain.reach).next_up()).collect();
        let (dim, len) = (self.problem.dim(), paid.len());
        let dual = Matrix::from_fn(dim, len, |j, k| self.dual.get(j, paid[k].0) / self.unit);
        // The strict lower triangle is what is read; the order of the datapoints is kept.
        let slack = Matrix::from_fn(len, len, |k, l| {
            if k > l { slack(paid[k].0, paid[l].0) / self.unit / self.unit } else { 0.0 }
        });
        let square = square_of_price(self.lambda(), &reach, &dual, &slack)?;
        Some(Interval::point(square.get()).div(Interval::point(2.0 * self.lambda())).hi)
    }

    /// The same by cones.
    fn price_by_cones(&self, effort: Effort) -> Option<f64> {
        let dim = self.problem.dim();
        cuts_cones(dim).then(|| payment::largest(&self.payers(), dim, self.lambda(), effort))?
    }

    fn payers(&self) -> Vec<Payer> {
        let data = self.problem.data();
        let payer = |&(i, gain): &(usize, Gain)| {
            let (x, r) = (scaled(&data.datapoint(i), self.unit), scaled(self.dual.col(i), self.unit));
            Payer::new(&x, &r, self.lambda(), gain.excess, data.weights()[i])
        };
        self.paid.par_iter().map(payer).collect()
    }

    /// The line of a price in units; `None` if it is not finite.
    fn line(&self, price: f64) -> Option<WidthLine> {
        let weights = self.problem.data().weights();
        let gross = self
            .paid
            .iter()
            .fold(0.0_f64, |sum, &(i, gain)| (sum + (weights[i] * gain.excess).next_down()).next_down());
        let in_units = |value: f64| value * self.unit * self.unit;
        let base = (bounds::wide_limit(self.problem).lower.get() + in_units(gross).next_down()).next_down();
        let price = in_units(price).next_up();
        (base.is_finite() && price.is_finite())
            .then(|| WidthLine { base: Lower::proved(max(base, 0.0)), price: Upper::proved(price) })
    }
}

fn scaled(v: &[f64], unit: f64) -> Vec<f64> {
    v.iter().map(|v| v / unit).collect()
}

/// What datapoint i gains with a residual r (n numbers), and what an atom can take of it: `Eᵢ`
/// from below and a `uᵢ` from above with `Eᵢsᵢ(d) ≤ uᵢ(dᵀr − λ)`, at γ = 0 and about the origin
/// whatever the problem's γ and center are. For a search that weighs them; in the data's own
/// units. `None` where `Eᵢ` is not proved positive.
#[must_use]
pub fn gain(problem: &Problem, i: usize, r: &[f64]) -> Option<(f64, f64)> {
    let unit = power_of_two(problem.lambda());
    let gain = Gain::of(&problem.data().datapoint(i), r, problem.lambda(), unit)?;
    Some((gain.excess * unit * unit, gain.reach * unit))
}

/// What a datapoint's residual gains and what an atom can take of it, in units of `unit`.
#[derive(Clone, Copy, Debug)]
struct Gain {
    /// `E` from below; positive.
    excess: f64,
    /// `u` from above; positive and finite.
    reach: f64,
}

impl Gain {
    /// `None` where E is not proved positive, or nothing finite bounds u.
    fn of(x: &[f64], r: &[f64], lambda: f64, unit: f64) -> Option<Self> {
        let (x, r) = (scaled(x, unit), scaled(r, unit));
        let terms = x.len();
        let square = |v: &[f64]| {
            let sum = norm_sq(v);
            Interval::around(sum, rounding::radius(terms, sum))
        };
        let absolute: f64 = x.iter().zip(&r).map(|(x, r)| (x * r).abs()).sum();
        let inner = Interval::around(dot(&x, &r), rounding::radius(terms, absolute));
        let lens = Lens::new(lambda / unit, square(&x), square(&r), inner, terms)?;
        let reach = lens.reach();
        (reach.is_finite() && reach > 0.0).then_some(Self { excess: lens.excess(), reach })
    }
}
