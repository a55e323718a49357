//! Hypothesis H1 with the codes eliminated, a datapoint at a time (`proofs/rounding.md`,
//! item 11): left are the moves of atoms and center, and at γ > 0 one number `c_k` an atom, by
//! `y_kᵀΓ_ky_k ≥ min_c (γ²/g_k) Σ wᵢ(y_ki − c z_ki)²`.
//!
//! A datapoint's part is never formed as a whole. With `K = LLᵀ` the block of its codes,
//! `B = L⁻¹Dᵀ`, `e_j` the columns of `L⁻¹`, and for every atom that it uses the coefficient
//! `z_j` of its move and `s_j` of the residual r, the part of a pair of atoms is
//!
//! ```math
//! (1-\eta)z_jz_kI-\big((1-\eta)z_jB^\top-s_jr\thinspace e_j^\top\big)\big((1-\eta)z_kB-s_ke_kr^\top\big),
//! ```
//!
//! a multiple of one n × n matrix and two of rank one.

use std::ops::{ControlFlow, Range};

use rayon::prelude::*;

use super::elimination::{ENTRY, Proof, RADIAL, bends};
use super::form::Form;
use super::sets::{Column, Measures, Neighborhood, Pair, down, up};
use crate::linalg::{Factored, Matrix, Strip, Triangle, dot, norm, norm_sq, simd};
use crate::num::{max, rounding};
use crate::observer::Observer;

/// Part of `ν` that covers the rounding of a datapoint's elimination: large enough that what
/// it leaves to the dense part is nothing, small enough to cost nothing.
const ROUNDED_SHARE: f64 = 1e-3;

/// Numbers in the n × n matrices of the datapoints that are added side by side: 16 MB, which
/// the last cache holds. Every such round passes over the whole triangle once.
const TOGETHER: usize = 1 << 21;

/// Sums of an entry that one datapoint adds to.
const ADDED: usize = 3;

/// Inverse iterations that bring an upper bound of the smallest eigenvalue from the least
/// diagonal entry close to it. Twice as many would gain some percent.
const INVERSE_ITERATIONS: usize = 8;

/// Order of the matrix that is left, for so many moves and atoms in use.
pub(super) fn order(moves: usize, atoms: usize, gamma: f64) -> usize {
    moves + if gamma > 0.0 { atoms } else { 0 }
}

/// `R_k` for every atom in use.
pub(super) fn radial(form: &Form<'_>) -> Vec<f64> {
    form.atoms.iter().map(|atom| RADIAL * (atom.gauge + atom.energy)).collect()
}

/// Tries to prove H1 with `mu` over a neighborhood.
/// O(Σᵢ n²|E_i|² + p³) time, O(p²) memory for p dense variables.
pub(super) fn prove(neighborhood: &Neighborhood<'_>, mu: f64, observer: &dyn Observer) -> Proof {
    match Schur::assemble(neighborhood, mu, observer) {
        Ok(schur) => Proof::of(&schur.factor(observer)),
        Err(proof) => proof,
    }
}

/// An upper bound, as computed, of the form's smallest eigenvalue at the factorization
/// itself: inverse iteration from the smallest diagonal entry.
pub(super) fn smallest_eigenvalue(at: &Neighborhood<'_>, observer: &dyn Observer) -> Result<f64, Proof> {
    let schur = Schur::assemble(at, 0.0, observer)?;
    let (size, base) = (schur.matrix.order(), at.form.size());
    let diagonal = |a: &usize| schur.matrix.get(*a, *a);
    let start = (0..base).min_by(|a, b| diagonal(a).total_cmp(&diagonal(b))).ok_or(Proof::Fails)?;
    let factored = schur.factor(observer);
    let Factored::Done(factor) = factored else { return Err(Proof::of(&factored)) };
    let mut vector = vec![0.0; size];
    vector[start] = 1.0;
    let mut estimate = f64::INFINITY;
    for _ in 0..INVERSE_ITERATIONS {
        let mut image = vector.clone();
        factor.solve(&mut image);
        let image = &image[..base];
        let square = norm_sq(image);
        // xᵀSx/xᵀx for x = S⁻¹v.
        estimate = dot(image, &vector[..base]) / square;
        let length = square.sqrt();
        vector[..base].iter_mut().zip(image).for_each(|(v, x)| *v = x / length);
    }
    Ok(estimate)
}

/// The form with the codes eliminated, and what its rounding may be.
struct Schur {
    matrix: Triangle,
    /// Sum of the traces of everything added up.
    trace: f64,
    /// `Σ (E^C_i)²/(δ_i − E^Y_i)`: what the eliminations' rounding costs.
    eliminated: f64,
    /// Roundings of a leaf of an entry's sum, at most.
    terms: usize,
    atom_error: f64,
}

impl Schur {
    fn assemble(neighborhood: &Neighborhood<'_>, mu: f64, observer: &dyn Observer) -> Result<Self, Proof> {
        let (form, measures) = (neighborhood.form, neighborhood.measures);
        let bends = bends(neighborhood);
        let mut schur = Self::dense(neighborhood, &bends, mu);
        let together = (TOGETHER / (form.dim() * form.dim())).max(1);
        let mut most = 0;
        for (chunk, columns) in neighborhood.columns.chunks(together).enumerate() {
            if let ControlFlow::Break(_) = observer.poll() {
                return Err(Proof::Stopped);
            }
            let first = chunk * together;
            let parts: Option<Vec<Part>> = columns
                .par_iter()
                .enumerate()
                .map(|(at, column)| {
                    Block { form, measures, bends: &bends, i: first + at, column }.eliminate()
                })
                .collect();
            let parts = parts.ok_or(Proof::Dependent)?;
            for (part, column) in parts.iter().zip(columns) {
                most = most.max(column.pairs.len());
                schur.trace += part.trace;
                schur.eliminated += part.eliminated;
            }
            let users = users(form, &parts);
            let adding = Adding { form, parts: &parts, users: &users };
            schur.matrix.strips_mut().par_iter_mut().for_each(|strip| adding.fill(strip));
        }
        schur.terms = ADDED * neighborhood.columns.len() + most;
        Ok(schur)
    }

    /// What no datapoint is part of: the atoms' own curvature, their radial terms, and μ.
    fn dense(neighborhood: &Neighborhood<'_>, bends: &[f64], mu: f64) -> Self {
        let (form, measures, rho) = (neighborhood.form, neighborhood.measures, neighborhood.rho);
        let (n, base) = (form.dim(), form.size());
        let size = order(base, form.atoms.len(), form.gamma);
        let mut matrix = Triangle::zeros(size);
        #[expect(clippy::cast_precision_loss, reason = "dimensions are far below 2^53")]
        let (mut trace, dim) = (mu * base as f64, n as f64);
        // Curvature of an atom in all directions, and along itself.
        let mut own = Vec::new();
        for (p, (atom, radial)) in form.atoms.iter().zip(radial(form)).enumerate() {
            let c = atom.root * atom.root;
            let lost = up(radial * (rho / atom.root) * (rho / atom.root) / 4.0, ENTRY);
            own.push(((measures.alphas[p] - lost) / c - mu, radial / c));
            trace += dim * (measures.alphas[p].abs() + lost) / c + 2.0 * radial / c;
        }
        trace += bends.iter().take(size - base).sum::<f64>();
        matrix.strips_mut().par_iter_mut().for_each(|strip| {
            for a in strip.columns() {
                let (p, c) = (a / n, a % n);
                if a >= base {
                    // √ℰ, as computed, is the unit of c: Σ wᵢz²/ℰ is 1 up to the rounding of
                    // that sum.
                    let (atom, bend) = (&form.atoms[a - base], bends[a - base]);
                    strip.pieces(a..a + 1, a..a + 1, |_, _, d| d[0] = down(bend, atom.uses + ENTRY));
                } else if let Some(&(own, radial)) = own.get(p) {
                    let d = form.atom(p);
                    strip.pieces(a..a + 1, a..(p + 1) * n, |offset, _, piece| {
                        let rest = &d[c + offset..];
                        piece.iter_mut().zip(rest).for_each(|(s, e)| *s = radial * e * d[c]);
                    });
                    strip.pieces(a..a + 1, a..a + 1, |_, _, s| s[0] += own);
                } else {
                    strip.pieces(a..a + 1, a..a + 1, |_, _, s| s[0] = -mu);
                }
            }
        });
        Self { matrix, trace, eliminated: 0.0, terms: 0, atom_error: measures.atom_error }
    }

    /// Cholesky of the matrix minus what rounding may have added to it.
    fn factor(self, observer: &dyn Observer) -> Factored {
        let Self { mut matrix, trace, eliminated, terms, atom_error } = self;
        let size = matrix.order();
        let relative = 2.0 * rounding::gamma(terms + size + ENTRY + ENTRY) + 4.0 * atom_error;
        let loss = up(relative * trace + eliminated, terms + size + ENTRY);
        matrix.add_to_diagonal(-loss);
        matrix.factor(observer)
    }
}

/// What a datapoint does with one block of n moves.
struct Move {
    /// Place among the atoms in use; their number for the center.
    block: usize,
    /// Coefficient of the move in the datapoint's image.
    image: f64,
    /// Coefficient of the residual in the row of the pair's code; 0 for the center.
    pull: f64,
    /// Place among the datapoint's pairs.
    place: Option<usize>,
}

/// A datapoint's part of the form once its codes are eliminated.
struct Part {
    i: usize,
    /// `1 − η`.
    kept: f64,
    moves: Vec<Move>,
    /// `(1 − η)I − (1 − η)²BᵀB`.
    image: Matrix,
    /// `Bᵀe_j`, a column a pair.
    answers: Matrix,
    /// `e_jᵀe_l`.
    inverse: Matrix,
    /// `h_k√w z_k/√ℰ_k` for every pair (γ > 0).
    along: Vec<f64>,
    trace: f64,
    eliminated: f64,
}

/// For every block the parts that move it: the part, and which of its moves.
fn users(form: &Form<'_>, parts: &[Part]) -> Vec<Vec<(usize, usize)>> {
    let mut users = vec![Vec::new(); form.atoms.len() + 1];
    for (at, part) in parts.iter().enumerate() {
        part.moves.iter().enumerate().for_each(|(m, moved)| users[moved.block].push((at, m)));
    }
    users
}

/// Parts that are added to the triangle.
struct Adding<'a> {
    form: &'a Form<'a>,
    parts: &'a [Part],
    users: &'a [Vec<(usize, usize)>],
}

impl Adding<'_> {
    /// Adds all parts to the columns of a strip, datapoints in order.
    fn fill(&self, strip: &mut Strip) {
        let (n, base) = (self.form.dim(), self.form.size());
        let columns = strip.columns();
        let moves = columns.start..columns.end.min(base).max(columns.start);
        if !moves.is_empty() {
            for block in moves.start / n..=(moves.end - 1) / n {
                let own = moves.start.max(block * n)..moves.end.min((block + 1) * n);
                for &(part, m) in &self.users[block] {
                    simd(
                        #[inline(always)]
                        || self.move_columns(strip, own.clone(), &self.parts[part], m),
                    );
                }
            }
        }
        for a in columns.start.max(base)..columns.end {
            for &(part, m) in &self.users[a - base] {
                self.bend_column(strip, a, &self.parts[part], m);
            }
        }
    }

    /// One part in the columns of its move `m`.
    #[inline(always)]
    fn move_columns(&self, strip: &mut Strip, columns: Range<usize>, part: &Part, m: usize) {
        let (n, base) = (self.form.dim(), self.form.size());
        let r = self.form.residuals.col(part.i);
        let right = &part.moves[m];
        let first = right.block * n;
        let (mut up, mut down) = (vec![0.0; n], vec![0.0; n]);
        for left in part.moves.iter().filter(|left| left.block >= right.block) {
            let inverse = match (left.place, right.place) {
                (Some(l), Some(r)) => part.inverse.get(l, r),
                (None, _) | (_, None) => 0.0,
            };
            let half = 0.5 * left.pull * right.pull * inverse;
            ranked(&mut up, part, left.image * right.pull, right.place, half, r);
            ranked(&mut down, part, right.image * left.pull, left.place, half, r);
            let both = left.image * right.image;
            let rows = left.block * n..(left.block + 1) * n;
            strip.pieces(columns.clone(), rows, |offset, column, piece| {
                let c = column - first;
                let (x, y) = (r[c], down[c]);
                let length = piece.len();
                let image = &part.image.col(c)[offset..offset + length];
                let (up, r) = (&up[offset..offset + length], &r[offset..offset + length]);
                for (((s, image), up), r) in piece.iter_mut().zip(image).zip(up).zip(r) {
                    *s += (both * image + up * x) + r * y;
                }
            });
        }
        if self.form.gamma > 0.0 {
            for left in part.moves.iter() {
                let Some(l) = left.place else { continue };
                let inverse = right.place.map_or(0.0, |r| part.inverse.get(l, r));
                let (image, pull) = (part.kept * right.image, right.pull * inverse);
                let (answer, along) = (part.answers.col(l), part.along[l]);
                let row = base + left.block;
                strip.pieces(columns.clone(), row..row + 1, |_, column, s| {
                    let c = column - first;
                    s[0] += along * (image * answer[c] - pull * r[c]);
                });
            }
        }
    }

    /// One part in the column of the number `c` of its move `m` (γ > 0).
    fn bend_column(&self, strip: &mut Strip, column: usize, part: &Part, m: usize) {
        let right = &part.moves[m];
        let Some(r) = right.place else { return };
        for left in part.moves.iter().filter(|left| left.block >= right.block) {
            let Some(l) = left.place else { continue };
            let row = self.form.size() + left.block;
            let product = part.along[l] * part.along[r] * part.inverse.get(l, r);
            strip.pieces(column..column + 1, row..row + 1, |_, _, s| s[0] -= product);
        }
    }
}

/// `(1 − η)·coefficient·Bᵀe_place − half·r`.
#[inline(always)]
fn ranked(out: &mut [f64], part: &Part, coefficient: f64, place: Option<usize>, half: f64, r: &[f64]) {
    let Some(place) = place else { return out.fill(0.0) };
    let coefficient = part.kept * coefficient;
    for ((o, a), r) in out.iter_mut().zip(part.answers.col(place)).zip(r) {
        *o = coefficient * a - half * r;
    }
}

/// A datapoint's block before its codes are eliminated.
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
        let (form, pairs) = (self.form, &self.column.pairs);
        let (n, m, kept) = (form.dim(), pairs.len(), 1.0 - self.column.eta);
        let moves = self.moves();
        let images: f64 = moves.iter().map(|moved| moved.image * moved.image).sum();
        // The largest diagonal entry of the codes' block.
        let curvature = |pair: &Pair| 1.0 + self.bends[pair.atom] + pair.curvature;
        let largest = pairs.iter().map(curvature).fold(0.0, max);
        let relative = rounding::gamma(n + m + ENTRY) + 4.0 * self.measures.atom_error;
        #[expect(clippy::cast_precision_loss, reason = "dimensions are far below 2^53")]
        let (order, dim) = (m as f64, n as f64);
        let rounded = up(4.0 * relative * order * largest, ENTRY);
        let shift = 2.0 * rounded + ROUNDED_SHARE * self.column.nu;
        let factor = shifted_block(form, self.bends, self.column, shift)?;
        let half = self.half(&factor);
        let inner = identity_over(&factor);
        let along = self.along();
        let squares = self.squares(&moves, &half, &inner, &along);
        let cross = relative * (2.0 * (order * largest * squares).sqrt() + self.cross_size(order, &along));
        let cross = up(cross + self.cross_error(), n * moves.len() + ENTRY);
        let eliminated = if m == 0 { 0.0 } else { up(cross * cross / (shift - rounded).next_down(), ENTRY) };
        let mut image = half.gram();
        image.as_mut_slice().iter_mut().for_each(|x| *x *= -kept * kept);
        (0..n).for_each(|c| image.col_mut(c)[c] += kept);
        let answers = half.transpose_times(&inner);
        let inverse = inner.gram();
        let trace = dim * kept * images + squares;
        Some(Part { i: self.i, kept, moves, image, answers, inverse, along, trace, eliminated })
    }

    fn root_weight(&self) -> f64 {
        self.form.weights()[self.i].sqrt()
    }

    fn moves(&self) -> Vec<Move> {
        let (form, a) = (self.form, self.root_weight());
        let of = |(place, pair): (usize, &Pair)| {
            let root = form.atoms[pair.atom].root;
            Move { block: pair.atom, image: a * pair.code / root, pull: a / root, place: Some(place) }
        };
        let block = form.atoms.len();
        let center = Move { block, image: a / form.center_root, pull: 0.0, place: None };
        let center = form.centered().then_some(center);
        self.column.pairs.iter().enumerate().map(of).chain(center).collect()
    }

    /// `h_k√w z_k/√ℰ_k`.
    fn along(&self) -> Vec<f64> {
        let a = self.root_weight();
        let of =
            |pair: &Pair| self.bends[pair.atom] * (a * pair.code / self.form.atoms[pair.atom].energy.sqrt());
        self.column.pairs.iter().map(of).collect()
    }

    /// `B`: the inverse of the factor times the atoms, a row a pair.
    fn half(&self, factor: &[Vec<f64>]) -> Matrix {
        let pairs = &self.column.pairs;
        let mut half = Matrix::from_fn(pairs.len(), self.form.dim(), |j, c| self.form.atom(pairs[j].atom)[c]);
        (0..half.ncols()).for_each(|c| substitute(factor, half.col_mut(c)));
        half
    }

    /// A bound of the trace of `HᵀH`, `H` the inverse of the factor times the cross block of
    /// codes and dense variables, and of everything that is added up to it.
    fn squares(&self, moves: &[Move], half: &Matrix, inner: &Matrix, along: &[f64]) -> f64 {
        let size = norm(half.as_slice());
        let length = norm(self.form.residuals.col(self.i));
        let of = |moved: &Move| {
            let own = moved.place.map_or(0.0, |place| norm(inner.col(place)));
            let bent = moved.place.map_or(0.0, |place| along[place] * own);
            let both = (1.0 - self.column.eta) * moved.image * size + moved.pull * own * length;
            both * both + bent * bent
        };
        moves.iter().map(of).sum()
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
    fn cross_size(&self, order: f64, along: &[f64]) -> f64 {
        let moves =
            order.sqrt() * self.measures.spans[self.i] + self.measures.lengths[self.i] * self.spread();
        self.root_weight() * moves + norm(along)
    }

    /// What the error of the computed residual does to the cross block.
    fn cross_error(&self) -> f64 {
        self.root_weight() * self.measures.radii[self.i] * self.spread()
    }
}

/// The rows of the factor of a datapoint's block `(1 − η)G + diag(h + curvature) − (κ + ν + shift)I`.
fn shifted_block(form: &Form<'_>, bends: &[f64], column: &Column, shift: f64) -> Option<Vec<Vec<f64>>> {
    let m = column.pairs.len();
    let loss = column.kappa + column.nu + shift;
    let mut factor = vec![vec![0.0; m]; m];
    for a in 0..m {
        for b in 0..=a {
            let (pa, pb) = (&column.pairs[a], &column.pairs[b]);
            let mut s = (1.0 - column.eta) * dot(form.atom(pa.atom), form.atom(pb.atom));
            if a == b {
                s += bends[pa.atom] + pa.curvature - loss;
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

/// `L⁻¹` for the rows of a factor, column by column.
fn identity_over(factor: &[Vec<f64>]) -> Matrix {
    let m = factor.len();
    let mut inner = Matrix::from_fn(m, m, |a, b| f64::from(u8::from(a == b)));
    (0..m).for_each(|b| substitute(factor, inner.col_mut(b)));
    inner
}

/// `column ← L⁻¹ column`.
fn substitute(factor: &[Vec<f64>], column: &mut [f64]) {
    for (a, row) in factor.iter().enumerate() {
        let s = column[a] - dot(&row[..a], &column[..a]);
        column[a] = s / row[a];
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::atoms::{Codes, Dictionary, Factorization};
    use crate::problem::Problem;
    use crate::trusted::Subject;
    use crate::trusted::local::form::Live;

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
