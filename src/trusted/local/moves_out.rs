//! Hypothesis H1 with the moves of atoms and center eliminated (theorem `local-radius`,
//! "Moves first"; `proofs/rounding.md`, item 12): left is one number for every pair of E,
//! however many coordinates an atom has.
//!
//! On the moves alone the form is `H ⊗ I`, H of the order of the atoms and I of the dimension,
//! once radial moves are decoupled: `R_k(d_kᵀδ_k)² ≥ 2ξ_k√R_k d_kᵀδ_k − ξ_k²` with
//! `ξ_k√R_k = Σ √wᵢρ_ki y_ki` turns the residual `rᵢ` in the row of a pair into
//! `r̄_ki = √wᵢ(rᵢ − ρ_kid_k)`. With `H = LLᵀ` an entry of what is left is a sum of four products
//! of inner products,
//!
//! ```math
//! -(a_i^\top a_j)(d_k^\top d_l)+(a_i^\top e_l)(d_k^\top\bar r_{lj})+(e_k^\top a_j)(\bar r_{ki}^\top d_l)-(e_k^\top e_l)(\bar r_{ki}^\top\bar r_{lj}),
//! ```
//!
//! `a_i = L⁻¹ẑ_i` for the scaled codes of datapoint i and `e_k` the scaled columns of `L⁻¹`.

use std::ops::Range;

use rayon::prelude::*;

use super::elimination::{self, ENTRY, Proof, bends};
use super::form::{Form, Live};
use super::sets::{Neighborhood, up};
use crate::linalg::{Cholesky, Matrix, Square, Triangle, axpy, dot, norm, simd};
use crate::num::{max, min, rounding};
use crate::observer::{Latch, Observer};

/// Least and largest weight of `(d_kᵀδ_k)²` in units of `g_k + ℰ_k`. A larger one decouples
/// radial moves better, and costs more of an atom's curvature at a large radius.
const RADIAL: (f64, f64) = (elimination::RADIAL, 1e6);

/// Part of μ that this weight may cost. Ten times more would be felt in μ; ten times less
/// would decouple radial moves less well at radii above a thousandth.
const RADIAL_LOSS: f64 = 1e-3;

/// Part of μ that covers the rounding of the elimination: what it leaves to the dense part
/// is nothing.
const ROUNDED_SHARE: f64 = 1e-3;

/// Order of the matrix that is left, for so many pairs; or that of two triangles of inner
/// products between datapoints with codes and blocks of moves, where these are more.
pub(super) fn order(pairs: usize, coded: usize, blocks: usize) -> usize {
    pairs.max(2 * (coded + blocks))
}

/// Whether every atom has more curvature of its own than `mu`: decoupled, its radial move has
/// nothing else, so that the proof fails where it has less.
pub(super) fn has_room(neighborhood: &Neighborhood<'_>, mu: f64) -> bool {
    let mut atoms = neighborhood.form.atoms.iter().zip(&neighborhood.measures.alphas);
    atoms.all(|(atom, alpha)| alpha / (atom.root * atom.root) > mu)
}

/// Tries to prove H1 with `mu` over a neighborhood.
/// O(q²(q + n) + B²(N + B) + N²B) time, O(q² + (N + B)²) memory for q pairs and B atoms in use.
pub(super) fn prove(neighborhood: &Neighborhood<'_>, mu: f64, observer: &dyn Observer) -> Proof {
    let latch = Latch::new(observer);
    let bends = bends(neighborhood);
    let Some(moves) = Moves::eliminate(neighborhood, mu) else { return Proof::Fails };
    let Some(rest) = Rest::of(neighborhood, &bends, moves) else { return Proof::Fails };
    let mut matrix = Triangle::zeros(rest.pairs.len());
    matrix.squares().into_par_iter().for_each(|square| {
        if latch.poll().is_continue() {
            rest.fill(square);
        }
    });
    if latch.interrupt().is_some() {
        return Proof::Stopped;
    }
    matrix.add_to_diagonal(-rest.loss);
    drop(rest);
    Proof::of(&matrix.factor(&latch))
}

/// The block of the moves, `H − δI`, factored.
struct Moves {
    factor: Cholesky,
    /// Sum of everything on its diagonal, without signs.
    trace: f64,
    /// `δ`, and `E^Y`.
    shift: f64,
    rounded: f64,
    /// `R_k` for every atom in use.
    radial: Vec<f64>,
}

impl Moves {
    fn eliminate(neighborhood: &Neighborhood<'_>, mu: f64) -> Option<Self> {
        let (form, measures, rho) = (neighborhood.form, neighborhood.measures, neighborhood.rho);
        let blocks = blocks(form);
        let mut matrix = Matrix::zeros(blocks, blocks);
        #[expect(clippy::cast_precision_loss, reason = "atoms are far fewer than 2^53")]
        let mut trace = 2.0 * mu * blocks as f64;
        for (i, column) in neighborhood.columns.iter().enumerate() {
            let image = image(form, i);
            let kept = 1.0 - column.eta;
            for (at, &(l, right)) in image.iter().enumerate() {
                image[at..].iter().for_each(|&(k, left)| matrix.col_mut(l)[k] += kept * left * right);
                trace += kept * right * right;
            }
        }
        let radial = radial(form, rho, mu);
        for (p, (atom, weight)) in form.atoms.iter().zip(&radial).enumerate() {
            let c = atom.root * atom.root;
            let angle = rho / atom.root;
            let lost = up(weight * angle * angle / 4.0, ENTRY);
            matrix.col_mut(p)[p] += (measures.alphas[p] - lost) / c;
            trace += (measures.alphas[p].abs() + lost) / c;
        }
        let roundings = neighborhood.columns.len() + blocks + 2 * ENTRY;
        let rounded = up(2.0 * rounding::gamma(roundings) * trace, roundings);
        let shift = 2.0 * rounded + ROUNDED_SHARE * mu;
        (0..blocks).for_each(|k| matrix.col_mut(k)[k] -= mu + shift);
        Some(Self { factor: Cholesky::new(matrix)?, trace, shift, rounded, radial })
    }
}

/// `R_k` for every atom in use.
pub(super) fn radial(form: &Form<'_>, rho: f64, mu: f64) -> Vec<f64> {
    let of = |atom: &Live| {
        let angle = rho / atom.root;
        let unit = atom.gauge + atom.energy;
        let weight = 4.0 * RADIAL_LOSS * mu * atom.root * atom.root / (angle * angle * unit);
        unit * min(max(weight, RADIAL.0), RADIAL.1)
    };
    form.atoms.iter().map(of).collect()
}

/// Blocks of n moves: the atoms in use, and the center where it is learnt.
fn blocks(form: &Form<'_>) -> usize {
    form.atoms.len() + usize::from(form.centered())
}

/// Coefficients of a datapoint's image in the scaled moves, blocks in order.
fn image(form: &Form<'_>, i: usize) -> Vec<(usize, f64)> {
    let a = form.weights()[i].sqrt();
    let center = form.centered().then_some((form.atoms.len(), a / form.center_root));
    form.codes[i].iter().map(|&(p, z)| (p, a * z / form.atoms[p].root)).chain(center).collect()
}

/// One variable of what is left.
struct Variable {
    /// Its datapoint, among those with pairs, and its atom.
    point: usize,
    atom: usize,
    /// What the diagonal has beside the products, and the size of its terms.
    own: f64,
    size: f64,
    /// `√wᵢρ_ki/√R_k`.
    radial: f64,
    /// `√wᵢz_ki/√ℰ_k` (γ > 0).
    along: f64,
}

/// The matrix that is left, ready to be filled.
struct Rest<'a> {
    form: &'a Form<'a>,
    bends: &'a [f64],
    /// By datapoint.
    pairs: Vec<Variable>,
    /// `1 − η` of the datapoints with pairs.
    kept: Vec<f64>,
    /// For every atom its variables, in order.
    of_atom: Vec<Vec<usize>>,
    /// Inner products of `a_i` (datapoints with pairs) and `e_k`.
    products: Matrix,
    /// `r̄_ki`, a column a variable.
    residuals: Matrix,
    /// What rounding may have added to the smallest eigenvalue.
    loss: f64,
}

impl<'a> Rest<'a> {
    fn of(neighborhood: &Neighborhood<'a>, bends: &'a [f64], moves: Moves) -> Option<Self> {
        let form = neighborhood.form;
        let (n, blocks) = (form.dim(), blocks(form));
        let used = || neighborhood.columns.iter().enumerate().filter(|(_, c)| !c.pairs.is_empty());
        let points = used().count();
        // Right sides: the scaled codes of the datapoints, then the scaled unit vectors.
        let mut sides = Matrix::zeros(blocks, points + blocks);
        let (mut pairs, mut kept, mut at) = (Vec::new(), Vec::new(), Vec::new());
        let mut of_atom = vec![Vec::new(); form.atoms.len()];
        let mut residuals = Vec::new();
        for (point, (i, column)) in used().enumerate() {
            kept.push(1.0 - column.eta);
            at.push(i);
            let side = sides.col_mut(point);
            image(form, i).into_iter().for_each(|(k, z)| side[k] = kept[point] * z);
            let (a, r) = (form.weights()[i].sqrt(), form.residuals.col(i));
            for pair in &column.pairs {
                let (atom, d) = (&form.atoms[pair.atom], form.atom(pair.atom));
                let pull = dot(d, r);
                let start = residuals.len();
                residuals.extend(r.iter().map(|r| a * r));
                axpy(-(a * pull), d, &mut residuals[start..]);
                of_atom[pair.atom].push(pairs.len());
                pairs.push(Variable {
                    point,
                    atom: pair.atom,
                    own: bends[pair.atom] + pair.curvature - (column.kappa + column.nu),
                    size: bends[pair.atom] + pair.curvature + (column.kappa + column.nu),
                    radial: a * pull / moves.radial[pair.atom].sqrt(),
                    along: a * pair.code / atom.energy.sqrt(),
                });
            }
        }
        for k in 0..blocks {
            let root = form.atoms.get(k).map_or(form.center_root, |atom| atom.root);
            sides.col_mut(points + k)[k] = 1.0 / root;
        }
        let scaled: Vec<f64> = sides.columns().map(norm).collect();
        moves.factor.halve(&mut sides);
        let lengths: Vec<f64> = sides.columns().map(norm).collect();
        let products = sides.gram();
        let residuals = Matrix::from_column_major(n, pairs.len(), residuals).ok()?;
        let mut rest = Self { form, bends, pairs, kept, of_atom, products, residuals, loss: 0.0 };
        rest.loss = rest.rounding(neighborhood, &moves, &at, &scaled, &lengths);
        rest.loss.is_finite().then_some(rest)
    }

    /// `δ_V` of `rounding` 12: what has to be taken off the diagonal. `at` are the places of the
    /// datapoints with pairs, `scaled` and `lengths` the lengths of the right sides and of what
    /// they became.
    fn rounding(
        &self,
        neighborhood: &Neighborhood<'_>,
        moves: &Moves,
        at: &[usize],
        scaled: &[f64],
        lengths: &[f64],
    ) -> f64 {
        let (form, measures) = (self.form, neighborhood.measures);
        let (blocks, points) = (blocks(form), at.len());
        let terms = blocks + form.dim() + neighborhood.columns.len() + 2 * ENTRY;
        let (gamma, atom_error) = (rounding::gamma(terms), 4.0 * measures.atom_error);
        let factor = (2.0 * moves.trace).sqrt();
        let (mut trace, mut cross) = (0.0, 0.0);
        for (a, pair) in self.pairs.iter().enumerate() {
            let i = at[pair.point];
            let root = scaled[points + pair.atom];
            let residual = norm(self.residuals.col(a));
            // √w‖r‖ and √w|ρ|, both at most this.
            let weight = form.weights()[i].sqrt();
            let size = weight * measures.lengths[i];
            let solved = lengths[pair.point] + lengths[points + pair.atom] * residual;
            let data = scaled[pair.point] + root * size;
            let error = gamma * (factor * solved + 2.0 * data)
                + atom_error * data
                + root * (weight * measures.radii[i]);
            cross += error * error;
            let bend = self.bends[pair.atom];
            trace += 2.0 + pair.size + solved * solved;
            trace += pair.radial * pair.radial + bend * (pair.along * pair.along);
        }
        let cross = up(cross, self.pairs.len() + 2 * terms);
        let relative = 2.0 * rounding::gamma(terms + self.pairs.len()) + atom_error;
        let eliminated = cross / (moves.shift - moves.rounded).next_down();
        up(relative * trace + eliminated, self.pairs.len() + 2 * terms)
    }

    /// Fills a tile.
    fn fill(&self, square: Square<'_>) {
        let Square { rows, columns, values } = square;
        let inner = self.vectors(&rows).transpose_times(&self.vectors(&columns));
        let height = rows.len();
        let left = &self.pairs[rows.clone()];
        for (c, b) in columns.clone().enumerate() {
            let column = &mut values[c * height..(c + 1) * height];
            let plain = inner.col(c);
            let turned = inner.col(columns.len() + c);
            simd(
                #[inline(always)]
                || self.products(b, left, plain, turned, column),
            );
            self.own(b, &rows, &plain[..height], column);
        }
    }

    /// Atoms and residuals of some variables, a column each.
    fn vectors(&self, range: &Range<usize>) -> Matrix {
        let n = self.form.dim();
        let mut vectors = Vec::with_capacity(2 * n * range.len());
        self.pairs[range.clone()].iter().for_each(|pair| vectors.extend(self.form.atom(pair.atom)));
        vectors.extend(&self.residuals.as_slice()[range.start * n..range.end * n]);
        Matrix::from_column_major(n, 2 * range.len(), vectors).expect("n numbers a column")
    }

    /// What the elimination takes off a part of column `b`. `plain` and `turned` are the inner
    /// products of atoms and residuals with the column's atom and with its residual.
    #[inline(always)]
    fn products(&self, b: usize, left: &[Variable], plain: &[f64], turned: &[f64], out: &mut [f64]) {
        let (points, right) = (self.kept.len(), &self.pairs[b]);
        let (by_point, by_atom) = (self.products.col(right.point), self.products.col(points + right.atom));
        let (plain, back) = plain.split_at(left.len());
        let (turned, both) = turned.split_at(left.len());
        for (a, (pair, out)) in left.iter().zip(out).enumerate() {
            let (i, k) = (pair.point, points + pair.atom);
            let straight = by_point[i] * plain[a] + by_atom[k] * both[a];
            let crossed = by_atom[i] * turned[a] + by_point[k] * back[a];
            *out = crossed - straight;
        }
    }

    /// What pairs of one datapoint and pairs of one atom have of their own.
    fn own(&self, b: usize, rows: &Range<usize>, atoms: &[f64], column: &mut [f64]) {
        let right = &self.pairs[b];
        let kept = self.kept[right.point];
        let first = rows.start + self.pairs[rows.clone()].partition_point(|pair| pair.point < right.point);
        for a in (first..rows.end).take_while(|a| self.pairs[*a].point == right.point) {
            column[a - rows.start] += kept * atoms[a - rows.start];
        }
        let same = &self.of_atom[right.atom];
        let first = same.partition_point(|a| *a < rows.start);
        for &a in same[first..].iter().take_while(|a| **a < rows.end) {
            let left = &self.pairs[a];
            let along = self.bends[right.atom] * (left.along * right.along);
            column[a - rows.start] -= left.radial * right.radial + along;
        }
        if rows.contains(&b) {
            column[b - rows.start] += right.own;
        }
    }
}
