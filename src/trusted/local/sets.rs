//! The numbers of theorem `local-radius` at a factorization, and for a radius the pairs E
//! whose codes may be in use within it (hypotheses H2 to H5).
//!
//! Everything is in the form's units. Every number that must not be too small is an
//! expression of nonnegative numbers, evaluated as written and raised once by [`up`]; what
//! must not be too large goes through [`down`] (`proofs/rounding.md`, item 2). The theorem
//! is applied at the stored codes and the atoms divided by their exact lengths.

use rayon::prelude::*;

use super::form::{Form, is_degenerate};
use crate::gauge::{Gauge, Penalty};
use crate::linalg::{Matrix, axpy, dot, norm, norm_sq, psd, symmetric_eigenvalues};
use crate::num::{max, min, rounding};

/// What underflow may take off any number here: all are sums of products of numbers
/// between 2^-200 and 2^200 with entries of size 1, so nothing above 2^-900 is lost.
const UNDERFLOW: f64 = 3.1e-151; // 2^-500

/// Numbers outside `[1/ORDINARY, ORDINARY]` are left undecided: their products might
/// underflow by more than [`UNDERFLOW`]. 2^200.
const ORDINARY: f64 = 1.6e60;

/// The same for the unit that the data are divided by: 2^400.
const ORDINARY_UNIT: f64 = 2.5e120;

/// Pairs with a margin above this part of their slope are not kept as candidates for E; a
/// radius that reaches them is given up. Ten times less would give up provable radii, three
/// times more would keep nearly all pairs in memory.
const CANDIDATE: f64 = 0.25;

/// Part of μ that the codes' block of the form may keep for itself. Half of it would double
/// the radius that inexact codes cost, twice as much would cost a fifth more of μ.
const CODE_SHARE: f64 = 0.2;

/// Least `η`, so that the loss `(1/η − 1)θ²` stays finite. Any positive number is valid.
const LEAST_ETA: f64 = 1e-12;

/// Largest `η`: half the form must be left.
const LARGEST_ETA: f64 = 0.5;

/// Largest coefficient taken for an idle code's margin; more would only cost rounding.
const MAX_MARGIN_CURVATURE: f64 = 1e3;

/// Most that a code row's gauge may change, relatively, within the radius (γ > 0).
const MAX_GAUGE_CHANGE: f64 = 0.5;

/// Roundings of a fixed expression below, at most, beside those of its sums.
const FIXED: usize = 16;

/// An upper bound of an expression of nonnegative numbers: no leaf of the computed value
/// passed through more than `roundings` roundings.
pub(super) fn up(computed: f64, roundings: usize) -> f64 {
    (computed * (1.0 + 2.0 * rounding::gamma(roundings + 2)) + UNDERFLOW).next_up()
}

/// The same downwards; at least 0.
pub(super) fn down(computed: f64, roundings: usize) -> f64 {
    max((computed * (1.0 - 2.0 * rounding::gamma(roundings + 2)) - UNDERFLOW).next_down(), 0.0)
}

/// What the theorem asks of the factorization itself, each number on its safe side.
pub(super) struct Measures {
    /// How far an atom's stored length is from 1, at most.
    pub(super) atom_error: f64,
    /// How far the computed residuals are from the exact ones, at most.
    pub(super) radii: Vec<f64>,
    /// `‖rᵢ‖` from above.
    pub(super) lengths: Vec<f64>,
    /// `τᵢ` from above: the most that datapoint i's image moves a unit of distance.
    pub(super) spans: Vec<f64>,
    /// `α_k` from below.
    pub(super) alphas: Vec<f64>,
    /// `g(z_k)` from below and from above.
    gauges: Vec<(f64, f64)>,
    /// `ε₁` from above: the first-order residuals of atoms and center.
    first_order: f64,
    /// `T₁` and `T` from above.
    gram: f64,
    pub(super) top: f64,
    /// `√J` over the size of the data, as computed.
    root_objective: f64,
}

impl Measures {
    /// O(nN + n·nnz) time. `None` where the numbers are too far apart.
    pub(super) fn of(form: &Form<'_>) -> Option<Self> {
        let ordinary = |x: f64| (1.0 / ORDINARY..=ORDINARY).contains(&x);
        let scaled = (1.0 / ORDINARY_UNIT..=ORDINARY_UNIT).contains(&form.unit);
        let roots = form.atoms.iter().all(|atom| ordinary(atom.root));
        let prices = [form.lambda, form.gamma].iter().all(|&p| p == 0.0 || ordinary(p));
        if !(scaled && roots && prices && form.weights().iter().all(|&w| ordinary(w))) {
            return None;
        }
        let atom_error = atom_error(form);
        let (radii, lengths) = residual_errors(form, atom_error);
        let spans = spans(form);
        let (mut alphas, mut largest, mut first_order) = (Vec::new(), 0.0, 0.0);
        for (p, tangent) in tangents(form, atom_error, &radii, &lengths).into_iter().enumerate() {
            let c = form.atoms[p].root * form.atoms[p].root;
            first_order += tangent.length * tangent.length / c;
            largest = max(largest, (form.atoms[p].alpha.abs() + tangent.alpha_error) / c);
            alphas.push((form.atoms[p].alpha - tangent.alpha_error).next_down());
        }
        if form.centered() {
            let e = center_residual(form, &radii, &lengths) / form.center_root;
            first_order += e * e;
        }
        let gram = largest_row_sum(form);
        let gauges = form.atoms.iter().map(|a| (down(a.gauge, a.uses + FIXED), up(a.gauge, a.uses + FIXED)));
        let squares: f64 = form.residuals.columns().zip(form.weights()).map(|(r, w)| w * norm_sq(r)).sum();
        let prices: f64 = form.atoms.iter().map(|a| a.gauge).sum();
        Some(Self {
            gauges: gauges.collect(),
            first_order: up(first_order.sqrt(), form.atoms.len() + FIXED),
            top: up(gram + largest, FIXED),
            root_objective: (squares / 2.0 + prices).sqrt() / form.size_of_data,
            atom_error,
            radii,
            lengths,
            spans,
            alphas,
            gram,
        })
    }

    /// `ρ_min(μ)`: where the growth `½μd² − ε₁d − ε₀` begins to be positive.
    pub(super) fn least_radius(&self, mu: f64, second_order: f64) -> f64 {
        let e = self.first_order;
        up((e + (e * e + 2.0 * mu * second_order).sqrt()) / mu, FIXED)
    }

    /// Where a try with `mu` begins.
    pub(super) fn first_radius(&self, mu: f64) -> f64 {
        max(super::LEAST_RADIUS * self.root_objective, 2.0 * super::SLACK * self.first_order / mu)
    }
}

/// `|‖d‖ − 1| ≤ |‖d‖² − 1|`, over all stored atoms.
fn atom_error(form: &Form<'_>) -> f64 {
    let n = form.dim();
    let dictionary = form.subject.factorization().dictionary();
    let off = dictionary.atoms().map(|d| (norm_sq(d) - 1.0).abs()).fold(0.0, max);
    up(off + 2.0 * rounding::gamma(n + 2), FIXED)
}

/// Radii of the computed residuals, and lengths of the exact ones from above.
fn residual_errors(form: &Form<'_>, atom_error: f64) -> (Vec<f64>, Vec<f64>) {
    let n = form.dim();
    let scaled_norm = |v: &[f64]| norm(&v.iter().map(|x| x / form.unit).collect::<Vec<f64>>());
    let center = form.subject.factorization().center().map_or(0.0, scaled_norm);
    let of = |i: usize| {
        let used = form.codes[i].len();
        let sum: f64 = form.codes[i].iter().map(|(_, z)| z).sum();
        let terms = scaled_norm(&form.subject.problem().data().datapoint(i)) + center + 2.0 * sum;
        let radius = up(rounding::gamma(used + 4) * terms + atom_error * sum, n + used + FIXED);
        (radius, up(norm(form.residuals.col(i)) + radius, n + FIXED))
    };
    (0..form.codes.len()).into_par_iter().map(of).unzip()
}

fn spans(form: &Form<'_>) -> Vec<f64> {
    let center = if form.centered() { 1.0 / (form.center_root * form.center_root) } else { 0.0 };
    let of = |code: &Vec<(usize, f64)>| {
        let square = |&(p, z): &(usize, f64)| (z / form.atoms[p].root) * (z / form.atoms[p].root);
        up((code.iter().map(square).sum::<f64>() + center).sqrt(), code.len() + FIXED)
    };
    form.codes.iter().map(of).collect()
}

/// First-order residual of an atom: its length, and how far α may be from the computed one.
struct Tangent {
    length: f64,
    alpha_error: f64,
}

fn tangents(form: &Form<'_>, atom_error: f64, radii: &[f64], lengths: &[f64]) -> Vec<Tangent> {
    let n = form.dim();
    let mut errors = vec![0.0; form.atoms.len()];
    for (i, (code, w)) in form.codes.iter().zip(form.weights()).enumerate() {
        for &(p, z) in code {
            errors[p] += w * z * (radii[i] + rounding::gamma(form.atoms[p].uses + 4) * lengths[i]);
        }
    }
    let of = |(p, error): (usize, f64)| {
        let atom = &form.atoms[p];
        let error = up(error, atom.uses + FIXED);
        let pull = up(norm(&atom.pull), n + FIXED);
        let mut tangent = atom.pull.clone();
        axpy(-atom.alpha, form.atom(p), &mut tangent);
        // Projections along the stored and the exact atom differ by 2·atom_error; each of
        // the n + 1 terms of the computed one is rounded a few times.
        let bent = (3.0 * atom_error + 2.0 * rounding::gamma(n + FIXED)) * pull;
        Tangent { length: up(norm(&tangent) + error + bent, n + FIXED), alpha_error: up(error + bent, FIXED) }
    };
    errors.into_iter().enumerate().map(of).collect()
}

fn center_residual(form: &Form<'_>, radii: &[f64], lengths: &[f64]) -> f64 {
    let len = form.codes.len();
    let mut sum = vec![0.0; form.dim()];
    let mut error = 0.0;
    for (i, (r, &w)) in form.residuals.columns().zip(form.weights()).enumerate() {
        axpy(w, r, &mut sum);
        error += w * (radii[i] + rounding::gamma(len + 4) * lengths[i]);
    }
    up(norm(&sum) + error, form.dim() + len + FIXED)
}

/// `T₁`: the largest row sum of the Gram matrix of the scaled code rows, the center's among
/// them.
fn largest_row_sum(form: &Form<'_>) -> f64 {
    let center = if form.centered() { 1.0 / form.center_root } else { 0.0 };
    let mut sums = vec![0.0; form.atoms.len()];
    let (mut of_center, mut most) = (0.0, 0);
    for (code, w) in form.codes.iter().zip(form.weights()) {
        let column = code.iter().map(|&(p, z)| z / form.atoms[p].root).sum::<f64>() + center;
        code.iter().for_each(|&(p, z)| sums[p] += w * (z / form.atoms[p].root) * column);
        of_center += w * center * column;
        most = most.max(code.len());
    }
    up(sums.into_iter().fold(of_center, max), form.codes.len() + most + FIXED)
}

/// Margins of one datapoint: misses, candidates, whether one is degenerate, the least margin
/// of an unused atom.
type MarginParts = (Vec<f64>, Vec<(usize, f64)>, bool, f64);

/// Margins `m_ki` of all pairs and of the atoms out of use.
struct Margins {
    /// `|m_ki|` from above for the pairs of the supports, in the order of the codes.
    misses: Vec<Vec<f64>>,
    /// For every datapoint the idle pairs of small margin (atom in use, margin from below),
    /// by margin.
    candidates: Vec<Vec<(usize, f64)>>,
    degenerate: bool,
    /// γ = 0: the least margin of an unused atom at each datapoint, from below.
    unused: Vec<f64>,
    /// γ > 0: the largest polar of an unused atom, from above.
    polar: f64,
}

impl Margins {
    /// O(nMN) time.
    fn of(form: &Form<'_>, measures: &Measures) -> Self {
        let n = form.dim();
        let dictionary = form.subject.factorization().dictionary();
        let mut in_use = vec![false; dictionary.len()];
        form.atoms.iter().for_each(|atom| in_use[atom.index] = true);
        let unused: Vec<usize> = (0..dictionary.len()).filter(|k| !in_use[*k]).collect();
        let error = |i: usize| {
            let product = rounding::gamma(n + FIXED) + 2.0 * measures.atom_error;
            measures.radii[i] + product * measures.lengths[i]
        };
        let of = |i: usize| {
            let r = form.residuals.col(i);
            // The margin and how far the exact one may be from it.
            let margin = |p: usize, z: f64| {
                let slope = form.slope(p, z);
                let priced = if form.gamma == 0.0 { 0 } else { 2 * form.atoms[p].uses };
                let radius = up(error(i) + rounding::gamma(priced + FIXED) * slope, FIXED);
                (slope - dot(form.atom(p), r), radius)
            };
            let code = &form.codes[i];
            let misses = code.iter().map(|&(p, z)| {
                let (m, radius) = margin(p, z);
                up(m.abs() + radius, FIXED)
            });
            let mut candidates = Vec::new();
            let (mut next, mut degenerate) = (0, false);
            for p in 0..form.atoms.len() {
                if code.get(next).is_some_and(|(q, _)| *q == p) {
                    next += 1;
                    continue;
                }
                let ((m, radius), slope) = (margin(p, 0.0), form.slope(p, 0.0));
                degenerate |= is_degenerate(slope, slope - m);
                let least = (m - radius).next_down();
                if !(least > CANDIDATE * slope) {
                    candidates.push((p, least));
                }
            }
            candidates.sort_unstable_by(|l, r| l.1.total_cmp(&r.1));
            let idle = |k: &usize| form.lambda - dot(dictionary.atom(*k), r);
            let least =
                if form.gamma == 0.0 { unused.iter().map(idle).fold(f64::INFINITY, min) } else { 0.0 };
            let radius = up(error(i) + rounding::gamma(FIXED) * form.lambda, FIXED);
            (misses.collect(), candidates, degenerate, (least - radius).next_down())
        };
        let parts: Vec<MarginParts> = (0..form.codes.len()).into_par_iter().map(of).collect();
        let errors: Vec<f64> = (0..form.codes.len()).map(error).collect();
        let polar = if form.gamma > 0.0 { largest_polar(form, &unused, &errors) } else { 0.0 };
        let degenerate = parts.iter().any(|part| part.2);
        let (mut misses, mut candidates, mut least) = (Vec::new(), Vec::new(), Vec::new());
        for part in parts {
            misses.push(part.0);
            candidates.push(part.1);
            least.push(part.3);
        }
        Self { misses, candidates, degenerate, unused: least, polar }
    }
}

/// The largest `g°(R̃ᵀd)` of the unused atoms, from above: any τ gives a bound
/// (`gauge-calculus`), and an error `δ` in the whitened correlations adds `‖δ‖/γ`.
/// Infinite where the penalties cannot be compared.
fn largest_polar(form: &Form<'_>, unused: &[usize], errors: &[f64]) -> f64 {
    let data = form.subject.problem().data();
    let (len, n) = (data.len(), data.dim());
    let a = data.sqrt_weights();
    let Ok(penalty) = Penalty::new(form.lambda, form.gamma) else { return f64::INFINITY };
    let gauge = Gauge::new(a, penalty);
    let error: f64 = errors.iter().zip(a).map(|(e, a)| (e * a) * (e * a)).sum::<f64>().sqrt();
    let total: f64 = data.weights().iter().sum::<f64>().sqrt();
    let of = |&k: &usize| {
        let atom = form.subject.factorization().dictionary().atom(k);
        let v: Vec<f64> = form.residuals.columns().zip(a).map(|(r, a)| a * dot(r, atom)).collect();
        let tau = if form.lambda > 0.0 { gauge.polar(&v, 0.0, &mut vec![0.0; len]).tau } else { 0.0 };
        let above = |(v, a): (&f64, &f64)| {
            let over = max(v - tau * a, 0.0);
            over * over
        };
        let block = v.iter().zip(a).map(above).sum::<f64>() / (form.gamma * form.gamma);
        let price = if form.lambda > 0.0 { (tau / form.lambda) * (tau / form.lambda) } else { 0.0 };
        // √w, the products and the difference are rounded: a few units of both terms.
        let rounded = rounding::gamma(FIXED) * (norm(&v) + tau * total);
        up((block + price).sqrt() + (error + rounded) / form.gamma, len + n + FIXED)
    };
    unused.par_iter().map(of).reduce(|| 0.0, max)
}

/// A pair of E.
#[derive(Clone, Copy)]
pub(super) struct Pair {
    /// Place among the atoms in use.
    pub(super) atom: usize,
    /// Its code, 0 off the support.
    pub(super) code: f64,
    /// `m̄`: `|m|` on the support, `(−m)₊` off it, from above.
    miss: f64,
    /// The margin from below, off the support; 0 on it.
    margin: f64,
    /// Coefficient of `ζ²` that the margin pays for within the radius (item 4).
    pub(super) curvature: f64,
}

/// A datapoint's part of E with its numbers.
pub(super) struct Column {
    /// `E_i`, the support first.
    pub(super) pairs: Vec<Pair>,
    /// Candidates taken so far.
    taken: usize,
    /// Lower bounds of the smallest eigenvalues of `D_EᵀD_E` and of `D_EᵀD_E + diag(γ²/g)`;
    /// `None` after E changed.
    eigenvalues: Option<(f64, f64)>,
    /// `θ`, `η`, `ν` and `A` of the theorem, and `κ`.
    theta: f64,
    pub(super) eta: f64,
    pub(super) nu: f64,
    pub(super) kappa: f64,
    reach: f64,
}

/// The neighborhood of a radius: E and all numbers of H1.
pub(super) struct Neighborhood<'a> {
    pub(super) form: &'a Form<'a>,
    pub(super) measures: &'a Measures,
    margins: Margins,
    pub(super) columns: Vec<Column>,
    /// `ω_k`: how much a gauge may change, relatively (γ > 0).
    pub(super) omega: Vec<f64>,
    pub(super) rho: f64,
    /// `ε₀` from above.
    pub(super) second_order: f64,
}

/// Why no radius of these numbers can be proved.
pub(super) enum Refusal {
    /// Some `D_{E_i}` is rank-deficient to working precision.
    Dependent,
    /// It may be so within the radius.
    DependentWithin,
    /// An idle pair of large margin is reached, or a gauge changes too much.
    TooFar,
    /// An unused atom may come into use.
    Unused,
    /// The radius grows without end.
    Unsettled,
}

impl<'a> Neighborhood<'a> {
    /// The supports alone, radius 0.
    pub(super) fn at(form: &'a Form<'a>, measures: &'a Measures) -> Self {
        let margins = Margins::of(form, measures);
        let columns = form
            .codes
            .iter()
            .zip(&margins.misses)
            .map(|(code, misses)| Column {
                pairs: code
                    .iter()
                    .zip(misses)
                    .map(|(&(atom, code), &miss)| Pair { atom, code, miss, margin: 0.0, curvature: 0.0 })
                    .collect(),
                taken: 0,
                eigenvalues: None,
                theta: 0.0,
                eta: 0.0,
                nu: 0.0,
                kappa: 0.0,
                reach: 0.0,
            })
            .collect();
        let omega = vec![0.0; form.atoms.len()];
        Self { form, measures, margins, columns, omega, rho: 0.0, second_order: 0.0 }
    }

    pub(super) fn is_degenerate(&self) -> bool {
        self.margins.degenerate
    }

    /// Pairs of E off the support.
    pub(super) fn added(&self) -> usize {
        self.columns.iter().map(|column| column.taken).sum()
    }

    /// The radius that is proved: `ρ_min`, and what stored atoms are off their exact
    /// directions.
    pub(super) fn radius(&self, mu: f64) -> f64 {
        let square: f64 = self.form.atoms.iter().map(|atom| atom.root * atom.root).sum();
        let off = up(self.measures.atom_error * square.sqrt(), self.form.atoms.len() + FIXED);
        up(self.measures.least_radius(mu, self.second_order) + off, 1)
    }

    /// The least radius with room for `ρ_min(mu)`, its sets and numbers.
    pub(super) fn settle(&mut self, mu: f64) -> Result<(), Refusal> {
        self.rho = max(self.rho, self.measures.first_radius(mu));
        for _ in 0..super::MAX_ROUNDS {
            self.grow(mu)?;
            let need = self.measures.least_radius(mu, self.second_order);
            if super::SLACK * need <= self.rho {
                return self.finish();
            }
            // A little more, so that the next round can be the last.
            self.rho = super::SLACK * super::SLACK * need;
        }
        Err(Refusal::Unsettled)
    }

    /// Adds to E what H3 forbids to leave out, until nothing is added.
    fn grow(&mut self, mu: f64) -> Result<(), Refusal> {
        loop {
            self.block_numbers(mu)?;
            let drift = self.drift(mu)?;
            if !self.add(&drift)? {
                return Ok(());
            }
        }
    }

    /// `θ`, `ν` and the eigenvalues of every datapoint, and `ε₀`.
    fn block_numbers(&mut self, mu: f64) -> Result<(), Refusal> {
        let (form, measures, rho) = (self.form, self.measures, self.rho);
        self.columns.par_iter_mut().for_each(|column| {
            let least = column.pairs.iter().map(|pair| form.atoms[pair.atom].root).fold(f64::INFINITY, min);
            column.theta = if column.pairs.is_empty() { 0.0 } else { up(rho / least, 1) };
            let eigenvalues = *column
                .eigenvalues
                .get_or_insert_with(|| eigenvalues(form, &column.pairs, measures.atom_error));
            column.nu = CODE_SHARE * mu / measures.top * eigenvalues.1;
        });
        let mut second_order = 0.0;
        let (mut most, mut dependent) = (0, false);
        for (column, w) in self.columns.iter().zip(form.weights()).filter(|(c, _)| !c.pairs.is_empty()) {
            dependent |= !(column.nu > 0.0);
            let miss = column.miss();
            second_order += w / column.nu * miss * miss;
            most = most.max(column.pairs.len());
        }
        if dependent {
            return Err(Refusal::Dependent);
        }
        self.second_order = up(second_order / 2.0, self.columns.len() + most + FIXED);
        Ok(())
    }

    /// Lemma 3: how far slopes move because code rows do (γ > 0).
    fn drift(&mut self, mu: f64) -> Result<Drift, Refusal> {
        let (form, measures) = (self.form, self.measures);
        let count = form.atoms.len();
        if form.gamma == 0.0 {
            return Ok(Drift::none(count));
        }
        let moves = self.row_moves(mu);
        let mut weights = vec![0.0; count];
        for (column, w) in self.columns.iter().zip(form.weights()) {
            column.pairs.iter().for_each(|pair| weights[pair.atom] += w);
        }
        let l2 = form.lambda * form.lambda;
        let mut drift = Drift::none(count);
        for p in 0..count {
            let weight = up(weights[p], self.columns.len());
            let gauge = measures.gauges[p].0;
            let omega = up((l2 * weight + form.gamma * form.gamma).sqrt() * moves[p] / gauge, FIXED);
            if !(omega < MAX_GAUGE_CHANGE) {
                return Err(Refusal::TooFar);
            }
            let slope = up(l2 * weight.sqrt() * moves[p] / gauge, FIXED);
            let price = up(form.slope(p, 0.0), 2 * form.atoms[p].uses + FIXED);
            drift.idle[p] = up((slope + omega * price) / (1.0 - omega), FIXED);
            drift.slopes[p] = slope;
            drift.omega[p] = omega;
            drift.most = max(drift.most, omega);
        }
        self.omega.copy_from_slice(&drift.omega);
        Ok(drift)
    }

    /// `Y_k`: how far a code row moves, at most. By the convexity of the gauge alone where
    /// atoms used together stay independent (3a), else by the form's own share ν (3b).
    fn row_moves(&self, mu: f64) -> Vec<f64> {
        let (form, measures, rho) = (self.form, self.measures, self.rho);
        let len = self.columns.len();
        let mut least = vec![f64::INFINITY; form.atoms.len()];
        let plain = |column: &Column| {
            let root = column.eigenvalues.map_or(0.0, |(plain, _)| down(max(plain, 0.0).sqrt(), 1));
            (root - column.theta).next_down()
        };
        let used = || self.columns.iter().enumerate().filter(|(_, column)| !column.pairs.is_empty());
        let mut lower = |column: &Column, value: f64| {
            column.pairs.iter().for_each(|pair| least[pair.atom] = min(least[pair.atom], value));
        };
        if used().all(|(_, column)| plain(column) > 0.0) {
            let mut sum = 0.0;
            for (i, column) in used() {
                let sigma = plain(column);
                let part = (column.miss() + measures.lengths[i] * column.theta) / sigma;
                sum += form.weights()[i] * part * part;
                lower(column, sigma);
            }
            let q = up(rho * measures.gram.sqrt() + sum.sqrt(), len + FIXED);
            return least.into_iter().map(|sigma| up(2.0 * q / sigma, FIXED)).collect();
        }
        used().for_each(|(_, column)| lower(column, column.nu));
        let room = max(measures.top - mu, 0.0) * rho * rho;
        let slack = 2.0 * self.second_order;
        let y = up(slack.sqrt() + (slack + room).sqrt(), FIXED);
        // Strictly more than lemma 3's Y⁰.
        least.into_iter().map(|nu| up(super::SLACK * y / nu.sqrt(), FIXED)).collect()
    }

    /// `A_i`, and the pairs that H3 does not allow to leave out; whether there were any.
    fn add(&mut self, drift: &Drift) -> Result<bool, Refusal> {
        let (form, measures, rho, margins) = (self.form, self.measures, self.rho, &self.margins);
        let outcomes: Vec<Result<bool, Refusal>> = self
            .columns
            .par_iter_mut()
            .enumerate()
            .map(|(i, column)| {
                let sigma = column.sigma(drift.most);
                if !(sigma > 0.0) {
                    return Err(Refusal::DependentWithin);
                }
                let pull = column.pull(form, measures.lengths[i], drift) / sigma;
                let image = rho * measures.spans[i];
                column.reach = up((image * image + pull * pull).sqrt(), column.pairs.len() + FIXED);
                let need = |p: usize| {
                    let moved = measures.lengths[i] * (rho / form.atoms[p].root);
                    up(moved + column.reach + drift.idle[p], FIXED)
                };
                let candidates = &margins.candidates[i];
                // The margin of a pair that is no candidate is above this part of its slope.
                let beyond = |p: usize| {
                    !(need(p) <= CANDIDATE * form.slope(p, 0.0))
                        && form.codes[i].iter().all(|(q, _)| *q != p)
                        && candidates.iter().all(|(q, _)| *q != p)
                };
                if (0..form.atoms.len()).any(beyond) {
                    return Err(Refusal::TooFar);
                }
                let taken: Vec<usize> = column.pairs.iter().map(|pair| pair.atom).collect();
                let fresh = candidates.iter().filter(|(p, _)| !taken.contains(p));
                let added: Vec<(usize, f64)> =
                    fresh.copied().filter(|&(p, margin)| !(margin >= need(p))).collect();
                for &(atom, margin) in &added {
                    column.pairs.push(Pair {
                        atom,
                        code: 0.0,
                        miss: max(-margin, 0.0),
                        margin,
                        curvature: 0.0,
                    });
                }
                column.taken += added.len();
                if !added.is_empty() {
                    column.eigenvalues = None;
                }
                Ok(!added.is_empty())
            })
            .collect();
        let mut any = false;
        for outcome in outcomes {
            any |= outcome?;
        }
        Ok(any)
    }

    /// The atoms out of use (H4), and the numbers that only H1 reads.
    fn finish(&mut self) -> Result<(), Refusal> {
        let (form, measures, rho) = (self.form, self.measures, self.rho);
        let in_use = form.atoms.len() == form.subject.factorization().width();
        if !in_use && form.gamma == 0.0 {
            let reached =
                self.columns.iter().zip(&self.margins.unused).any(|(c, margin)| !(*margin > c.reach));
            if reached {
                return Err(Refusal::Unused);
            }
        }
        if !in_use && form.gamma > 0.0 {
            let square: f64 =
                self.columns.iter().zip(form.weights()).map(|(c, w)| w * c.reach * c.reach).sum();
            let moved = up(square.sqrt() / form.gamma, self.columns.len() + FIXED);
            if !(up(self.margins.polar + moved, 1) < 1.0) {
                return Err(Refusal::Unused);
            }
        }
        let drift = Drift::none(form.atoms.len());
        self.columns.par_iter_mut().enumerate().filter(|(_, c)| !c.pairs.is_empty()).for_each(
            |(i, column)| {
                let root = column.eigenvalues.map_or(0.0, |(_, priced)| priced.sqrt());
                column.eta = min(max(column.theta / root, LEAST_ETA), LARGEST_ETA);
                column.kappa = up((1.0 / column.eta - 1.0) * column.theta * column.theta, FIXED);
                if form.gamma > 0.0 {
                    return;
                }
                let sigma = column.sigma(0.0);
                let pull = column.pull(form, measures.lengths[i], &drift) / sigma;
                let most = up((rho * measures.spans[i] + pull) / sigma, FIXED);
                for pair in column.pairs.iter_mut().filter(|pair| pair.margin > 0.0) {
                    pair.curvature = down(min(2.0 * pair.margin / most, MAX_MARGIN_CURVATURE), FIXED);
                }
            },
        );
        Ok(())
    }
}

impl Column {
    /// `‖m̄‖` from above.
    fn miss(&self) -> f64 {
        let square: f64 = self.pairs.iter().map(|pair| pair.miss * pair.miss).sum();
        up(square.sqrt(), self.pairs.len() + FIXED)
    }

    /// `σ̂` from below; infinite where E is empty. Where gauges grow by a factor of at most
    /// `1 + omega`, the smallest eigenvalue of the priced block falls by no more.
    fn sigma(&self, omega: f64) -> f64 {
        if self.pairs.is_empty() {
            return f64::INFINITY;
        }
        let priced = self.eigenvalues.map_or(0.0, |(_, priced)| priced);
        (down((priced / (1.0 + omega)).sqrt(), 3) - self.theta).next_down()
    }

    /// `a` from above.
    fn pull(&self, form: &Form<'_>, length: f64, drift: &Drift) -> f64 {
        if self.pairs.is_empty() {
            return 0.0;
        }
        let square = |pair: &Pair| {
            let priced = up(form.slope(pair.atom, pair.code), 2 * form.atoms[pair.atom].uses + FIXED);
            let omega = drift.omega[pair.atom];
            let moved = (drift.slopes[pair.atom] + omega * priced) / (1.0 - omega);
            moved * moved
        };
        let drifted = if form.gamma > 0.0 { self.pairs.iter().map(square).sum::<f64>().sqrt() } else { 0.0 };
        up(self.miss() + length * self.theta + drifted, self.pairs.len() + FIXED)
    }
}

/// How far slopes move within the radius because code rows do; 0 at γ = 0.
struct Drift {
    /// `ω_k`, and the largest of them.
    omega: Vec<f64>,
    most: f64,
    /// `λ²|s'_k − s_k|/g_k`.
    slopes: Vec<f64>,
    /// `P⁰_k`: what an idle pair's slope may lose.
    idle: Vec<f64>,
}

impl Drift {
    fn none(count: usize) -> Self {
        let zeros = || vec![0.0; count];
        Self { omega: zeros(), most: 0.0, slopes: zeros(), idle: zeros() }
    }
}

/// Share of an estimated eigenvalue that is proved first, and where that fails.
const PROVED_SHARES: [f64; 2] = [0.99, 0.5];

/// Lower bounds of the smallest eigenvalues of `D_EᵀD_E` (γ > 0 only) and of
/// `D_EᵀD_E + diag(γ²/g)`, for exact unit atoms; 0 where none is proved.
fn eigenvalues(form: &Form<'_>, pairs: &[Pair], atom_error: f64) -> (f64, f64) {
    if pairs.is_empty() {
        return (f64::INFINITY, f64::INFINITY);
    }
    let plain = |a: usize, b: usize| dot(form.atom(pairs[a].atom), form.atom(pairs[b].atom));
    let price = |a: usize| form.gamma * form.gamma / form.atoms[pairs[a].atom].gauge;
    let uses = pairs.iter().map(|pair| form.atoms[pair.atom].uses).max().unwrap_or(0);
    let entry = rounding::gamma(form.dim() + FIXED) + 4.0 * atom_error;
    let size = pairs.len();
    if form.gamma == 0.0 {
        let least = smallest_eigenvalue(&Matrix::from_fn(size, size, plain), entry, 0.0);
        return (least, least);
    }
    let largest = (0..size).map(price).fold(0.0, max);
    let priced = Matrix::from_fn(size, size, |a, b| plain(a, b) + if a == b { price(a) } else { 0.0 });
    let diagonal = up(largest * rounding::gamma(2 * uses + FIXED), FIXED);
    let plain = smallest_eigenvalue(&Matrix::from_fn(size, size, plain), entry, 0.0);
    (plain, smallest_eigenvalue(&priced, entry, diagonal))
}

/// A lower bound of the smallest eigenvalue of a matrix whose stored entries are within
/// `entry` of the exact ones, and within `diagonal` more on the diagonal.
fn smallest_eigenvalue(matrix: &Matrix, entry: f64, diagonal: f64) -> f64 {
    let size = matrix.nrows();
    let Some(values) = symmetric_eigenvalues(matrix) else { return 0.0 };
    let estimate = values[0];
    if !(estimate > 0.0) {
        return 0.0;
    }
    let trace: f64 = (0..size).map(|a| matrix.get(a, a)).sum();
    #[expect(clippy::cast_precision_loss, reason = "a datapoint's atoms are few")]
    let error = up(size as f64 * entry + diagonal + 2.0 * f64::EPSILON * trace, size + FIXED);
    for share in PROVED_SHARES {
        let shift = share * estimate;
        let mut shifted = matrix.clone();
        (0..size).for_each(|a| shifted.col_mut(a)[a] -= shift);
        if let Some(negative) = psd::negative_part_bound(&shifted) {
            return down(max(shift - up(negative + error, 1), 0.0), 1);
        }
    }
    0.0
}

#[cfg(test)]
impl Pair {
    /// A pair off the support.
    pub(super) fn idle(atom: usize) -> Self {
        Self { atom, code: 0.0, miss: 0.0, margin: 0.0, curvature: 0.0 }
    }
}
