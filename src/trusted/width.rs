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

use rayon::prelude::*;

use super::copositive::square_of_price;
use super::lens::Lens;
use super::{Lower, Upper, WidthSplit, bounds};
use crate::linalg::{Matrix, dot, norm_sq};
use crate::num::{Interval, max, power_of_two, rounding};
use crate::problem::Problem;

/// A lower bound for every number of atoms: a line in it.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct WidthLine {
    /// `F_∞ + Σ wᵢEᵢ`, from below: the bound for no atom at all.
    pub base: Lower,
    /// `γ²/(2λ)` from above: what an atom may save.
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

/// The line that a split proves; `None` where the theorem does not apply (γ > 0, λ = 0, a
/// learnt center), and where it proves nothing finite.
///
/// # Guarantees
/// [`width-bound`](crate::proofs::width_bound), [`rounding`](crate::proofs::rounding): the
/// objective of every dictionary of M unit atoms, with any codes, is at least
/// [`at(M)`](WidthLine::at). Not claimed: that some dictionary comes near it.
///
/// # Cost
/// O(nN² + N³) time, 4N² numbers.
#[must_use]
pub fn line(problem: &Problem, split: &WidthSplit) -> Option<WidthLine> {
    let (lambda, len) = (problem.lambda(), problem.len());
    let fits = split.dual.ncols() == len && split.dual.nrows() == problem.dim();
    if problem.gamma() > 0.0
        || !(lambda > 0.0)
        || problem.centered()
        || !(fits && split.slack.nrows() == len && split.slack.ncols() == len)
    {
        return None;
    }
    // In units of a power of two near λ: γ² has those of the data's cube, the price of its
    // square.
    let unit = power_of_two(lambda);
    let weights = problem.data().weights();
    let gains: Vec<Option<Gain>> = (0..len)
        .into_par_iter()
        .map(|i| Gain::of(problem.data().datapoint(i), split.dual.col(i), lambda, unit))
        .collect();
    let paid: Vec<usize> = (0..len).filter(|&i| gains[i].is_some()).collect();
    let gain = |i: usize| gains[i].expect("filtered");
    let mut gross = 0.0_f64;
    for &i in &paid {
        gross = (gross + (weights[i] * gain(i).excess).next_down()).next_down();
    }
    let reach: Vec<f64> = paid.iter().map(|&i| (weights[i] * gain(i).reach).next_up()).collect();
    let dual = Matrix::from_fn(problem.dim(), paid.len(), |j, k| split.dual.get(j, paid[k]) / unit);
    // The strict lower triangle is what is read; the order of the datapoints is kept.
    let slack = Matrix::from_fn(paid.len(), paid.len(), |k, l| {
        if k > l { split.slack.get(paid[k], paid[l]) / unit / unit } else { 0.0 }
    });
    let square = square_of_price(lambda / unit, &reach, &dual, &slack)?;
    let price = Interval::point(square.get()).div(Interval::point(2.0 * (lambda / unit))).hi;
    let in_units = |value: f64| value * unit * unit;
    let base = (bounds::wide_limit(problem).lower.get() + in_units(gross).next_down()).next_down();
    let price = in_units(price).next_up();
    (base.is_finite() && price.is_finite())
        .then(|| WidthLine { base: Lower::proved(max(base, 0.0)), price: Upper::proved(price) })
}

/// `Eᵢ` and `uᵢ` of a datapoint, for a search that weighs them: as the checker computes them,
/// in the data's own units. `None` where `Eᵢ` is not positive.
#[must_use]
pub fn gain(problem: &Problem, i: usize, r: &[f64]) -> Option<(f64, f64)> {
    let unit = power_of_two(problem.lambda());
    let gain = Gain::of(problem.data().datapoint(i), r, problem.lambda(), unit)?;
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
        let scaled = |v: &[f64]| v.iter().map(|v| v / unit).collect::<Vec<f64>>();
        let (x, r) = (scaled(x), scaled(r));
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
