//! Hypothesis H1 of theorem `local-radius`: the pessimistic form over a neighborhood is
//! positive definite, proved by one block elimination and one Cholesky factorization with
//! every rounding counted (`proofs/rounding.md`, item 11).
//!
//! In the metric's variables `√c_k δ_k`, `√c_b β`, `√w_i ζ_i` every entry is without units.
//! The codes are eliminated a datapoint at a time; what is left are the moves of atoms and
//! center, and at γ > 0 one number `c_k` an atom, by
//! `y_kᵀΓ_ky_k ≥ min_c (γ²/g_k) Σ wᵢ(y_ki − c z_ki)²`.

use std::ops::ControlFlow;

use rayon::prelude::*;

use super::form::{Form, Live};
use super::sets::{Column, Measures, Neighborhood, Pair, down, up};
use crate::linalg::{Cholesky, Matrix, dot};
use crate::num::{max, rounding};
use crate::observer::Observer;

/// Weight of `(d_kᵀδ_k)²` in units of `g_k + ℰ_k`: it keeps radial directions, which unit
/// atoms cannot move along, from hiding definiteness. Any positive number is valid; ten
/// times more costs a digit of rounding, ten times less some certificates.
const RADIAL: f64 = 20.0;

/// Part of `ν` that covers the rounding of a datapoint's elimination: large enough that what
/// it leaves to the dense part is nothing, small enough to cost nothing.
const ROUNDED_SHARE: f64 = 1e-3;

/// Roundings of one entry beside those of its sums, at most.
const ENTRY: usize = 24;

/// Datapoints eliminated side by side before their parts are added up in order: each part
/// is a matrix of n times the datapoint's atoms.
const TOGETHER: usize = 8;

/// Inverse iterations that bring an upper bound of the smallest eigenvalue from the least
/// diagonal entry close to it. Twice as many would gain some percent.
const INVERSE_ITERATIONS: usize = 8;

/// How an attempt ended.
pub(super) enum Proof {
    Holds,
    /// A datapoint's block is not positive definite.
    Dependent,
    Fails,
    Stopped,
}

/// Tries to prove H1 with `mu` over a neighborhood.
/// O(Σᵢ (n|E_i|)²|E_i| + p³) time, O(p²) memory for p dense variables.
pub(super) fn prove(neighborhood: &Neighborhood<'_>, mu: f64, observer: &dyn Observer) -> Proof {
    match Schur::assemble(neighborhood, mu, observer) {
        Ok(schur) => match schur.factor() {
            Some(_) => Proof::Holds,
            None => Proof::Fails,
        },
        Err(proof) => proof,
    }
}

/// An upper bound, as computed, of the form's smallest eigenvalue at the factorization
/// itself: inverse iteration from the smallest diagonal entry.
pub(super) fn smallest_eigenvalue(at: &Neighborhood<'_>, observer: &dyn Observer) -> Result<f64, Proof> {
    let schur = Schur::assemble(at, 0.0, observer)?;
    let (size, base) = (schur.matrix.nrows(), at.form.size());
    let diagonal = |a: &usize| schur.matrix.get(*a, *a);
    let start = (0..base).min_by(|a, b| diagonal(a).total_cmp(&diagonal(b))).ok_or(Proof::Fails)?;
    let factor = schur.factor().ok_or(Proof::Fails)?;
    let mut vector = vec![0.0; size];
    vector[start] = 1.0;
    let mut estimate = f64::INFINITY;
    for _ in 0..INVERSE_ITERATIONS {
        let mut image = Matrix::from_columns(size, &[&vector]);
        factor.solve(&mut image);
        let image = &image.as_slice()[..base];
        let square = dot(image, image);
        // xᵀSx/xᵀx for x = S⁻¹v.
        estimate = dot(image, &vector[..base]) / square;
        let length = square.sqrt();
        vector[..base].iter_mut().zip(image).for_each(|(v, x)| *v = x / length);
    }
    Ok(estimate)
}

/// The form with the codes eliminated, and what its rounding may be.
struct Schur {
    /// Its lower triangle.
    matrix: Matrix,
    /// Sum of the traces of everything added up.
    trace: f64,
    /// `Σ (E^C_i)²/(δ_i − E^Y_i)`: what the eliminations' rounding costs.
    eliminated: f64,
    /// Leaves of an entry's sum, at most.
    terms: usize,
    atom_error: f64,
}

impl Schur {
    fn assemble(neighborhood: &Neighborhood<'_>, mu: f64, observer: &dyn Observer) -> Result<Self, Proof> {
        let (form, measures) = (neighborhood.form, neighborhood.measures);
        let bends = bends(neighborhood);
        let mut schur = Self::dense(neighborhood, &bends, mu);
        let mut most = 0;
        for (chunk, columns) in neighborhood.columns.chunks(TOGETHER).enumerate() {
            if let ControlFlow::Break(_) = observer.poll() {
                return Err(Proof::Stopped);
            }
            let parts: Vec<Option<Part>> = columns
                .par_iter()
                .enumerate()
                .map(|(at, column)| {
                    let block = Block { form, measures, bends: &bends, i: chunk * TOGETHER + at, column };
                    block.eliminate()
                })
                .collect();
            for (part, column) in parts.into_iter().zip(columns) {
                let part = part.ok_or(Proof::Dependent)?;
                most = most.max(column.pairs.len());
                schur.trace += part.trace;
                schur.eliminated += part.eliminated;
                schur.add(&part);
            }
        }
        schur.terms = neighborhood.columns.len() + most;
        Ok(schur)
    }

    /// What no datapoint is part of: the atoms' own curvature, their radial terms, and μ.
    fn dense(neighborhood: &Neighborhood<'_>, bends: &[f64], mu: f64) -> Self {
        let (form, measures, rho) = (neighborhood.form, neighborhood.measures, neighborhood.rho);
        let (n, base) = (form.dim(), form.size());
        let size = base + if form.gamma > 0.0 { form.atoms.len() } else { 0 };
        let mut matrix = Matrix::zeros(size, size);
        #[expect(clippy::cast_precision_loss, reason = "dimensions are far below 2^53")]
        let mut trace = mu * base as f64;
        for (p, atom) in form.atoms.iter().enumerate() {
            let c = atom.root * atom.root;
            let radial = RADIAL * (atom.gauge + atom.energy);
            let lost = up(radial * (rho / atom.root) * (rho / atom.root) / 4.0, ENTRY);
            let own = (measures.alphas[p] - lost) / c - mu;
            let d = form.atom(p);
            for b in 0..n {
                let column = matrix.col_mut(p * n + b);
                for a in b..n {
                    column[p * n + a] = radial / c * d[a] * d[b];
                }
                column[p * n + b] += own;
            }
            #[expect(clippy::cast_precision_loss, reason = "dimensions are far below 2^53")]
            let order = n as f64;
            trace += order * (measures.alphas[p].abs() + lost) / c + 2.0 * radial / c;
        }
        if form.centered() {
            (form.atoms.len() * n..base).for_each(|a| matrix.col_mut(a)[a] -= mu);
        }
        // √ℰ, as computed, is the unit of c: Σ wᵢz²/ℰ is 1 up to the rounding of that sum.
        for (p, bend) in bends.iter().enumerate().take(size - base) {
            matrix.col_mut(base + p)[base + p] += down(*bend, form.atoms[p].uses + ENTRY);
            trace += bend;
        }
        Self { matrix, trace, eliminated: 0.0, terms: 0, atom_error: measures.atom_error }
    }

    /// Adds a datapoint's part to the lower triangle.
    fn add(&mut self, part: &Part) {
        for (v, &to) in part.places.iter().enumerate() {
            for (u, &at) in part.places.iter().enumerate().skip(v) {
                self.matrix.col_mut(to.min(at))[to.max(at)] += part.block.get(u, v);
            }
        }
    }

    /// Cholesky of the matrix minus what rounding may have added to it.
    fn factor(self) -> Option<Cholesky> {
        let Self { mut matrix, trace, eliminated, terms, atom_error } = self;
        let size = matrix.nrows();
        let relative = 2.0 * rounding::gamma(terms + size + ENTRY + ENTRY) + 4.0 * atom_error;
        let loss = up(relative * trace + eliminated, terms + size + ENTRY);
        (0..size).for_each(|a| matrix.col_mut(a)[a] -= loss);
        Cholesky::new(matrix)
    }
}

/// `γ²/((1 + ω_k)g_k)` from below for every atom; zeros at γ = 0. Any smaller number is valid.
fn bends(neighborhood: &Neighborhood<'_>) -> Vec<f64> {
    let form = neighborhood.form;
    let square = form.gamma * form.gamma;
    let bend =
        |(atom, omega): (&Live, &f64)| down(square / ((1.0 + omega) * atom.gauge), 2 * atom.uses + ENTRY);
    form.atoms.iter().zip(&neighborhood.omega).map(bend).collect()
}

/// A datapoint's block, its codes eliminated.
struct Part {
    /// Dense variables of the block's rows.
    places: Vec<usize>,
    block: Matrix,
    trace: f64,
    eliminated: f64,
}

/// A datapoint's block before that.
struct Block<'a> {
    form: &'a Form<'a>,
    measures: &'a Measures,
    bends: &'a [f64],
    i: usize,
    column: &'a Column,
}

impl Block<'_> {
    /// `None` if the codes' block is not positive definite.
    fn eliminate(&self) -> Option<Part> {
        let form = self.form;
        let (n, pairs) = (form.dim(), &self.column.pairs);
        let m = pairs.len();
        let blocks = m + usize::from(form.centered());
        let size = blocks * n + if form.gamma > 0.0 { m } else { 0 };
        let mut block = self.own(size);
        let trace: f64 = (0..size).map(|v| block.get(v, v)).sum();
        let places = self.places(size);
        if m == 0 {
            return Some(Part { places, block, trace, eliminated: 0.0 });
        }
        // The largest diagonal entry of the codes' block.
        let curvature = |pair: &Pair| 1.0 + self.bends[pair.atom] + pair.curvature;
        let largest = pairs.iter().map(curvature).fold(0.0, max);
        let relative = rounding::gamma(n + m + ENTRY) + 4.0 * self.measures.atom_error;
        #[expect(clippy::cast_precision_loss, reason = "a datapoint's atoms are few")]
        let order = m as f64;
        let rounded = up(4.0 * relative * order * largest, ENTRY);
        let shift = 2.0 * rounded + ROUNDED_SHARE * self.column.nu;
        let factor = self.factor(shift)?;
        let half = self.half(size, &factor);
        let update = half.transpose_times(&half);
        for v in 0..size {
            let column = block.col_mut(v);
            column.iter_mut().zip(update.col(v)).for_each(|(b, u)| *b -= u);
        }
        let squares: f64 = (0..size).map(|v| update.get(v, v)).sum();
        let cross = relative * (2.0 * (order * largest * squares).sqrt() + self.cross_size(order));
        let cross = up(cross + self.cross_error(), size + ENTRY);
        let eliminated = up(cross * cross / (shift - rounded).next_down(), ENTRY);
        Some(Part { places, block, trace: trace + squares, eliminated })
    }

    fn root_weight(&self) -> f64 {
        self.form.weights()[self.i].sqrt()
    }

    /// Dense variables of the block's rows: n an atom, n for the center, one `c` an atom.
    fn places(&self, size: usize) -> Vec<usize> {
        let (n, pairs) = (self.form.dim(), &self.column.pairs);
        let moves = pairs.iter().flat_map(|pair| (0..n).map(|c| pair.atom * n + c));
        let center = (0..n).map(|c| self.form.atoms.len() * n + c);
        let base = self.form.size();
        let factors = pairs.iter().map(|pair| base + pair.atom);
        let center = center.take(if self.form.centered() { n } else { 0 });
        moves.chain(center).chain(factors).take(size).collect()
    }

    /// Coefficient of each move of n numbers in the datapoint's image.
    fn coefficients(&self) -> Vec<f64> {
        let (form, a) = (self.form, self.root_weight());
        let of = |pair: &Pair| a * pair.code / form.atoms[pair.atom].root;
        let center = form.centered().then_some(a / form.center_root);
        self.column.pairs.iter().map(of).chain(center).collect()
    }

    /// `(1 − η)‖Vz + β‖²`; the dense variables `c` have their part in [`Schur::dense`].
    fn own(&self, size: usize) -> Matrix {
        let n = self.form.dim();
        let coefficients = self.coefficients();
        let mut block = Matrix::zeros(size, size);
        for (b, right) in coefficients.iter().enumerate() {
            for (a, left) in coefficients.iter().enumerate() {
                let value = (1.0 - self.column.eta) * left * right;
                (0..n).for_each(|c| block.col_mut(b * n + c)[a * n + c] = value);
            }
        }
        block
    }

    /// The rows of the factor of `(1 − η)G + diag(h + curvature) − (κ + ν + shift)I`.
    fn factor(&self, shift: f64) -> Option<Vec<Vec<f64>>> {
        let (form, column) = (self.form, self.column);
        let m = column.pairs.len();
        let loss = column.kappa + column.nu + shift;
        let mut factor = vec![vec![0.0; m]; m];
        for a in 0..m {
            for b in 0..=a {
                let (pa, pb) = (&column.pairs[a], &column.pairs[b]);
                let mut s = (1.0 - column.eta) * dot(form.atom(pa.atom), form.atom(pb.atom));
                if a == b {
                    s += self.bends[pa.atom] + pa.curvature - loss;
                }
                s -= dot(&factor[a][..b], &factor[b][..b]);
                if a != b {
                    factor[a][b] = s / factor[b][b];
                } else if s > 0.0 {
                    factor[a][a] = s.sqrt();
                } else {
                    return None;
                }
            }
        }
        Some(factor)
    }

    /// The inverse of the factor times the cross block of codes and dense variables:
    /// `(1 − η)√w z_k d_j − [j = k]√w r` over the metric's root, and for `c_k`
    /// `−h_k√w z_k/√ℰ_k [j = k]`.
    fn half(&self, size: usize, factor: &[Vec<f64>]) -> Matrix {
        let (form, pairs, a) = (self.form, &self.column.pairs, self.root_weight());
        let (n, m) = (form.dim(), pairs.len());
        let r = form.residuals.col(self.i);
        let coefficients = self.coefficients();
        let mut half = Matrix::zeros(m, size);
        for (j, pair) in pairs.iter().enumerate() {
            let d = form.atom(pair.atom);
            for (k, coefficient) in coefficients.iter().enumerate() {
                for c in 0..n {
                    let own = if j == k { a / form.atoms[pair.atom].root * r[c] } else { 0.0 };
                    half.col_mut(k * n + c)[j] = (1.0 - self.column.eta) * coefficient * d[c] - own;
                }
            }
            if form.gamma > 0.0 {
                let along = a * pair.code / form.atoms[pair.atom].energy.sqrt();
                half.col_mut(coefficients.len() * n + j)[j] = -self.bends[pair.atom] * along;
            }
        }
        for v in 0..size {
            let column = half.col_mut(v);
            for a in 0..m {
                let s = column[a] - dot(&factor[a][..a], &column[..a]);
                column[a] = s / factor[a][a];
            }
        }
        half
    }

    /// `√(Σ 1/c)` over the datapoint's atoms.
    fn spread(&self) -> f64 {
        let square = |pair: &Pair| {
            let root = self.form.atoms[pair.atom].root;
            1.0 / (root * root)
        };
        self.column.pairs.iter().map(square).sum::<f64>().sqrt()
    }

    /// A bound of the size of the cross block, which its rounding is relative to.
    fn cross_size(&self, order: f64) -> f64 {
        let (form, a) = (self.form, self.root_weight());
        let factors = self.column.pairs.iter().map(|pair| {
            let along = a * pair.code / form.atoms[pair.atom].energy.sqrt();
            let entry = self.bends[pair.atom] * along;
            entry * entry
        });
        let moves =
            order.sqrt() * self.measures.spans[self.i] + self.measures.lengths[self.i] * self.spread();
        a * moves + factors.sum::<f64>().sqrt()
    }

    /// What the error of the computed residual does to the cross block.
    fn cross_error(&self) -> f64 {
        self.root_weight() * self.measures.radii[self.i] * self.spread()
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::atoms::{Codes, Dictionary, Factorization};
    use crate::problem::Problem;
    use crate::trusted::Subject;

    /// Within a radius ρ a unit atom turns, and its radial term loses a quarter of the squared
    /// angle: the diagonal of its block must fall by that, here with ρ over the root of the
    /// metric as the angle.
    #[test]
    fn the_curvature_of_an_atom_falls_with_the_radius() {
        let problem = Problem::builder(Matrix::from_columns(2, &[&[2.0, 0.1], &[0.2, 1.0]]));
        let problem = problem.lambda(0.3).build().unwrap();
        let axes = Matrix::from_columns(2, &[&[1.0, 0.0], &[0.0, 1.0]]);
        let (dictionary, _) = Dictionary::normalize(axes).unwrap();
        let codes = Codes::from_columns(2, &[vec![(0, 1.7)], vec![(1, 0.7)]]);
        let factorization = Factorization::new(dictionary, codes, None).unwrap();
        let subject = Subject::of(&problem, &factorization).unwrap();
        let form = Form::of(&subject);
        let measures = Measures::of(&form).unwrap();
        for rho in [1e-3, 0.1, 1.0] {
            let diagonal = |rho: f64| {
                let mut at = Neighborhood::at(&form, &measures);
                at.rho = rho;
                Schur::dense(&at, &[], 0.0).matrix.get(0, 0)
            };
            let Live { gauge, energy, root, .. } = form.atoms[0];
            let angle = rho / root;
            let lost = RADIAL * (gauge + energy) * angle * angle / 4.0 / (root * root);
            let fall = (diagonal(0.0) - diagonal(rho)) / lost;
            assert!((1.0 - 1e-9..1.0 + 1e-6).contains(&fall), "{rho}: {fall} of what may be lost");
        }
    }
}
