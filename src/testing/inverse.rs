//! The inverse problem (theorem `inverse-problem`): data for which a dictionary and codes that
//! somebody chose are a stationary point, γ = 0.
//!
//! Data of a generator `x = Dz + noise` have their generating pair nowhere near stationary.
//! Here the residuals are found instead of drawn: the pair is stationary for
//! `X = b1ᵀ + DZ + R`, so that a solver which ends elsewhere has either found better or failed.
//!
//! Everything is computed with λ = 1 and code rows of largest entry 1, which the conditions do not
//! depend on.

use rand::SeedableRng;
use rand_chacha::ChaCha8Rng;
use rand_distr::{Distribution, StandardNormal, Uniform};

use super::naive::{self, inner, times, transpose};
use crate::atoms::{Codes, Dictionary, Factorization};
use crate::linalg::{Matrix, axpy};
use crate::num::{max, min};
use crate::problem::Problem;

/// A dictionary with codes, to be planted.
#[derive(Clone, Debug)]
pub struct Structure {
    /// Unit atoms D.
    pub dictionary: Dictionary,
    /// Codes Z ≥ 0, M × N, dense.
    pub codes: Matrix,
    /// Positive weights of sum 1.
    pub weights: Vec<f64>,
    /// λ > 0.
    pub lambda: f64,
    /// The center, where it is a variable.
    pub center: Option<Vec<f64>>,
}

/// A problem with a stationary point.
#[derive(Clone, Debug)]
pub struct Stationary {
    /// The problem, γ = 0.
    pub problem: Problem,
    /// Stationary for it, up to rounding.
    pub factorization: Factorization,
}

/// What a support that is rank-deficient, or code rows that are dependent, have left of a pivot.
const DEPENDENT: f64 = 1e-10;

/// Largest defect of planted equations, in units of λ.
const PLANTED: f64 = 1e-12;

/// What Σ wᵢ‖rᵢ‖² counts against the margin. At ten times as much, margins of the structures here
/// move in the fifth digit.
#[cfg(feature = "conic")]
const BOUNDING: f64 = 1e-6;

/// Steps between the two sets of equations; the last ones of slow structures gain a digit in
/// a thousand.
const MAX_POLISH: usize = 50_000;

impl Structure {
    /// Code rows from supports, a set of atoms a datapoint, with values between `least`
    /// and 1 + `least`, and equal weights.
    #[must_use]
    pub fn of_supports(
        dictionary: Dictionary,
        supports: &[Vec<usize>],
        lambda: f64,
        least: f64,
        seed: u64,
    ) -> Self {
        let mut rng = ChaCha8Rng::seed_from_u64(seed);
        let amount = Uniform::new(least, 1.0 + least).expect("a proper range");
        let mut codes = Matrix::zeros(dictionary.len(), supports.len());
        for (i, support) in supports.iter().enumerate() {
            support.iter().for_each(|&k| codes.col_mut(i)[k] = amount.sample(&mut rng));
        }
        let weights = equal_weights(supports.len());
        Self { dictionary, codes, weights, lambda, center: None }
    }

    /// `(n, M, N)`.
    fn sizes(&self) -> (usize, usize, usize) {
        (self.dictionary.dim(), self.dictionary.len(), self.codes.ncols())
    }

    /// Code rows of live atoms, each with largest entry 1, and the number of its atom.
    fn live_rows(&self) -> Vec<(usize, Vec<f64>)> {
        let rows = (0..self.codes.nrows()).map(|k| (k, naive::row(&self.codes, k)));
        rows.filter_map(|(k, mut row)| {
            let most = row.iter().copied().fold(0.0, max);
            row.iter_mut().for_each(|z| *z /= most);
            (most > 0.0).then_some((k, row))
        })
        .collect()
    }

    /// A margin t ≤ 1 close to the largest with which residuals exist, and such residuals in
    /// units of λ, by the program
    ///
    /// ```math
    /// \max\ t-\tfrac\varepsilon2\sum_iw_i\lVert r_i\rVert^2\quad\text{subject to}\quad
    /// d_k^\top r_i=1\ (z_{ki}>0),\quad d_k^\top r_i\le1-t\ (z_{ki}=0),\quad
    /// \sum_iw_iz_{ki}r_i=s_kd_k,\quad\sum_iw_ir_i=0\text{ with a center}.
    /// ```
    ///
    /// It is linear but for ε = 10⁻⁶, which keeps residuals from running to infinity.
    /// A margin below 0 beyond the program's accuracy (1e-8) means that (D, Z) is stationary for
    /// no data, as far as floating point can tell. `None` where no residuals satisfy the
    /// equations or the program broke down. For small sizes, of some hundred datapoints: N(n + M) rows.
    #[cfg(feature = "conic")]
    #[must_use]
    pub fn largest_margin(&self) -> Option<(f64, Matrix)> {
        use crate::clarabel::program::{Accuracy, Columns, Factors, Program};
        use clarabel::solver::SupportedConeT;

        let (n, m, points) = self.sizes();
        let live = self.live_rows();
        let on = |k: usize, i: usize| self.codes.get(k, i) > 0.0;
        // Rows: equations of supports, of atoms, of the center; then the inequalities.
        let mut place = vec![0; m * points];
        let mut equations = 0;
        for i in 0..points {
            for k in (0..m).filter(|&k| on(k, i)) {
                place[i * m + k] = equations;
                equations += 1;
            }
        }
        let of_atoms = equations;
        // An atom's equation along itself follows from those of the supports.
        let across: Vec<Vec<Vec<f64>>> =
            live.iter().map(|(k, _)| basis_across(self.dictionary.atom(*k))).collect();
        let of_center = of_atoms + (n - 1) * live.len();
        equations = of_center + if self.center.is_some() { n } else { 0 };
        let mut rows = equations;
        for i in 0..points {
            for k in (0..m).filter(|&k| !on(k, i)) {
                place[i * m + k] = rows;
                rows += 1;
            }
        }
        let cap = rows;
        rows += 1;

        let mut offsets = vec![1.0; rows];
        offsets[of_atoms..equations].fill(0.0);
        let (mut quadratic, mut constraints) = (Columns::new(), Columns::new());
        for i in 0..points {
            for q in 0..n {
                let mut column: Vec<(usize, f64)> =
                    (0..m).map(|k| (place[i * m + k], self.dictionary.atom(k)[q])).collect();
                for (j, (_, row)) in live.iter().enumerate() {
                    let first = of_atoms + j * (n - 1);
                    let entry = |(p, v): (usize, &Vec<f64>)| (first + p, self.weights[i] * row[i] * v[q]);
                    column.extend(across[j].iter().enumerate().map(entry));
                }
                if self.center.is_some() {
                    column.push((of_center + q, self.weights[i]));
                }
                column.sort_by_key(|entry| entry.0);
                column.into_iter().for_each(|(row, value)| constraints.push(row, value));
                constraints.end();
                quadratic.push(i * n + q, BOUNDING * self.weights[i]);
                quadratic.end();
            }
        }
        (equations..rows).for_each(|row| constraints.push(row, 1.0));
        constraints.end();
        quadratic.end();
        let columns = n * points + 1;
        let mut linear = vec![0.0; columns];
        linear[columns - 1] = -1.0;
        let program = Program {
            quadratic: quadratic.finish(columns),
            linear,
            constraints: constraints.finish(rows),
            offsets,
            cones: vec![
                SupportedConeT::ZeroConeT(equations),
                SupportedConeT::NonnegativeConeT(cap + 1 - equations),
            ],
        };
        let accuracy = Accuracy { gap_tolerance: 1e-9, max_iterations: 200, factors: Factors::Sparse };
        let raw = program.solve(accuracy, &()).ok()?;
        let margin = *raw.x.last()?;
        let residuals = Matrix::from_column_major(n, points, raw.x[..n * points].to_vec()).ok()?;
        (self.violation(&residuals, f64::NEG_INFINITY) < 1e-6).then_some((margin, residuals))
    }

    /// Residuals in units of λ closest to `start` that keep the margin, by projections: dual
    /// ascent over the inequalities and the equations of a datapoint one by one, and over
    /// those that join datapoints at once. O(nNM) a round.
    ///
    /// `None` where `max_rounds` do not reach them.
    #[must_use]
    pub fn project(&self, start: &Matrix, margin: f64, max_rounds: usize) -> Option<Matrix> {
        let (_, m, points) = self.sizes();
        let joint = self.joint()?;
        let mut residuals = start.clone();
        let mut multipliers = Matrix::zeros(m, points);
        for _ in 0..max_rounds {
            joint.project(&mut residuals);
            for i in 0..points {
                let r = residuals.col_mut(i);
                for (k, y) in multipliers.col_mut(i).iter_mut().enumerate() {
                    let atom = self.dictionary.atom(k);
                    let on = self.codes.get(k, i) > 0.0;
                    let excess = inner(atom, r) - if on { 1.0 } else { 1.0 - margin };
                    let next = if on { *y + excess } else { max(*y + excess, 0.0) };
                    axpy(*y - next, atom, r);
                    *y = next;
                }
            }
            // Equations are made exact afterwards; the margin absorbs what that moves.
            if self.violation(&residuals, margin) <= 0.05 * min(margin, 1e-3) {
                let polished = self.polish(&residuals)?;
                if self.violation(&polished, 0.5 * margin) <= PLANTED {
                    return Some(polished);
                }
            }
        }
        None
    }

    /// Makes the equations exact by projections between those of datapoints and those that
    /// join them. `None` where a support is dependent, or they do not meet.
    #[must_use]
    pub fn polish(&self, residuals: &Matrix) -> Option<Matrix> {
        let joint = self.joint()?;
        let supports = self.supports()?;
        let mut out = residuals.clone();
        for round in 0..MAX_POLISH {
            joint.project(&mut out);
            supports.iter().enumerate().for_each(|(i, support)| support.project(self, out.col_mut(i)));
            if round % 8 == 0 && joint.defect(self, &out) <= 0.01 * PLANTED {
                return Some(out);
            }
        }
        (joint.defect(self, &out) <= PLANTED).then_some(out)
    }

    /// The data `b1ᵀ + DZ + λR`, for which the structure is stationary where the residuals
    /// satisfy the conditions.
    #[must_use]
    pub fn plant(&self, residuals: &Matrix) -> Option<Stationary> {
        let codes = Codes::from_dense(&self.codes).ok()?;
        let mut data = times(self.dictionary.matrix(), &self.codes);
        axpy(self.lambda, residuals.as_slice(), data.as_mut_slice());
        if let Some(center) = &self.center {
            (0..data.ncols()).for_each(|i| axpy(1.0, center, data.col_mut(i)));
        }
        let problem = Problem::builder(data)
            .weights(self.weights.clone())
            .lambda(self.lambda)
            .centered(self.center.is_some())
            .build()
            .ok()?;
        let factorization = Factorization::new(self.dictionary.clone(), codes, self.center.clone()).ok()?;
        Some(Stationary { problem, factorization })
    }

    /// The largest violation of the conditions on residuals in units of λ, with a margin.
    #[must_use]
    pub fn violation(&self, residuals: &Matrix, margin: f64) -> f64 {
        let mut worst = 0.0;
        for (i, r) in residuals.columns().enumerate() {
            for (k, atom) in self.dictionary.atoms().enumerate() {
                let product = inner(atom, r);
                let on = self.codes.get(k, i) > 0.0;
                worst = max(worst, if on { (product - 1.0).abs() } else { product - 1.0 + margin });
            }
        }
        for (k, row) in self.live_rows() {
            let mass = inner(&row, &self.weights);
            let mut sum = self.dictionary.atom(k).iter().map(|d| -mass * d).collect::<Vec<f64>>();
            residuals.columns().enumerate().for_each(|(i, r)| axpy(self.weights[i] * row[i], r, &mut sum));
            worst = max(worst, naive::length(&sum) / mass);
        }
        if self.center.is_some() {
            let mut sum = vec![0.0; self.dictionary.dim()];
            residuals.columns().zip(&self.weights).for_each(|(r, w)| axpy(*w, r, &mut sum));
            worst = max(worst, naive::length(&sum));
        }
        worst
    }

    /// The equations that join datapoints; `None` for dependent ones.
    fn joint(&self) -> Option<Joint> {
        let live = self.live_rows();
        let points = self.codes.ncols();
        let count = live.len() + usize::from(self.center.is_some());
        let rows = Matrix::from_fn(count, points, |j, i| live.get(j).map_or(1.0, |(_, row)| row[i]));
        let weighted = Matrix::from_fn(count, points, |j, i| self.weights[i] * rows.get(j, i));
        let moment = times(&weighted, &transpose(&rows));
        let factor = independent(&moment)?;
        let targets = Matrix::from_fn(self.dictionary.dim(), count, |q, j| {
            live.get(j).map_or(0.0, |(k, row)| inner(row, &self.weights) * self.dictionary.atom(*k)[q])
        });
        Some(Joint { rows, weighted, factor, targets })
    }

    fn supports(&self) -> Option<Vec<Support>> {
        (0..self.codes.ncols())
            .map(|i| {
                let atoms: Vec<usize> =
                    (0..self.dictionary.len()).filter(|&k| self.codes.get(k, i) > 0.0).collect();
                let d = |j: usize| self.dictionary.atom(atoms[j]);
                let gram = Matrix::from_fn(atoms.len(), atoms.len(), |j, l| inner(d(j), d(l)));
                independent(&gram).map(|factor| Support { factor, atoms: atoms.clone() })
            })
            .collect()
    }
}

/// The Cholesky factor of a moment of independent rows.
fn independent(moment: &Matrix) -> Option<Matrix> {
    let factor = naive::cholesky(moment)?;
    let firm = |k: usize| factor.get(k, k) * factor.get(k, k) > DEPENDENT * moment.get(k, k);
    (0..moment.nrows()).all(firm).then_some(factor)
}

/// An orthonormal basis of what is across a unit vector: the columns but one of the
/// reflection that takes it to an axis.
#[cfg(feature = "conic")]
fn basis_across(atom: &[f64]) -> Vec<Vec<f64>> {
    let mut largest = 0;
    (1..atom.len()).for_each(|q| {
        if atom[q].abs() > atom[largest].abs() {
            largest = q
        }
    });
    let mut normal = atom.to_vec();
    normal[largest] += atom[largest].signum();
    let square = inner(&normal, &normal);
    (0..atom.len())
        .filter(|&q| q != largest)
        .map(|q| {
            let mut v: Vec<f64> = normal.iter().map(|u| -2.0 * normal[q] / square * u).collect();
            v[q] += 1.0;
            v
        })
        .collect()
}

/// Solves `LLᵀx = b`.
fn solve(factor: &Matrix, side: &Matrix) -> Matrix {
    let half = naive::solve_lower(factor, side);
    // Lᵀx = y from the last row up.
    let (m, columns) = (factor.nrows(), half.ncols());
    let mut out = Matrix::zeros(m, columns);
    for c in 0..columns {
        for k in (0..m).rev() {
            let known: f64 = (k + 1..m).map(|l| factor.get(l, k) * out.get(l, c)).sum();
            out.col_mut(c)[k] = (half.get(k, c) - known) / factor.get(k, k);
        }
    }
    out
}

/// `Σᵢ wᵢ y_ji rᵢ = t_j` for code rows y_j, and the row of ones.
struct Joint {
    rows: Matrix,
    weighted: Matrix,
    /// Of `Σᵢ wᵢyᵢyᵢᵀ`.
    factor: Matrix,
    targets: Matrix,
}

impl Joint {
    /// `T − R·diag(w)·Yᵀ`, n × rows.
    fn missing(&self, residuals: &Matrix) -> Matrix {
        let mut out = times(residuals, &transpose(&self.weighted));
        out.as_mut_slice().iter_mut().zip(self.targets.as_slice()).for_each(|(v, t)| *v = t - *v);
        out
    }

    fn project(&self, residuals: &mut Matrix) {
        let multipliers = solve(&self.factor, &transpose(&self.missing(residuals)));
        let step = times(&transpose(&multipliers), &self.rows);
        axpy(1.0, step.as_slice(), residuals.as_mut_slice());
    }

    fn defect(&self, structure: &Structure, residuals: &Matrix) -> f64 {
        let scale = |j: usize| inner(&naive::row(&self.rows, j), &structure.weights);
        let missing = self.missing(residuals);
        missing.columns().enumerate().map(|(j, v)| naive::length(v) / scale(j)).fold(0.0, max)
    }
}

/// `d_kᵀr = 1` for the atoms of a datapoint.
struct Support {
    atoms: Vec<usize>,
    factor: Matrix,
}

impl Support {
    fn project(&self, structure: &Structure, r: &mut [f64]) {
        let missing = Matrix::from_fn(self.atoms.len(), 1, |j, _| {
            1.0 - inner(structure.dictionary.atom(self.atoms[j]), r)
        });
        let step = solve(&self.factor, &missing);
        for (j, &k) in self.atoms.iter().enumerate() {
            axpy(step.get(j, 0), structure.dictionary.atom(k), r);
        }
    }
}

#[expect(clippy::cast_precision_loss, reason = "counts are small")]
fn equal_weights(points: usize) -> Vec<f64> {
    vec![1.0 / points as f64; points]
}

/// Kinds of structure that people look for in autoencoders.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Kind {
    /// Pairs of a parent and a child, which fires twice as often with its parent as without.
    Hierarchy,
    /// Pairs of opposite atoms, never active together.
    Antipodal,
    /// Groups of three atoms that mostly fire together.
    Cliques,
    /// Atoms that fire independently.
    Independent,
}

impl Kind {
    /// All of them.
    pub const ALL: [Self; 4] = [Self::Hierarchy, Self::Antipodal, Self::Cliques, Self::Independent];

    /// A structure of this kind with six random atoms, equal weights and no center.
    ///
    /// # Panics
    /// Never: random atoms are not 0.
    #[must_use]
    pub fn structure(self, dim: usize, points: usize, lambda: f64, seed: u64) -> Structure {
        const ATOMS: usize = 6;
        let mut rng = ChaCha8Rng::seed_from_u64(seed);
        let mut atoms: Vec<Vec<f64>> =
            (0..ATOMS).map(|_| (0..dim).map(|_| StandardNormal.sample(&mut rng)).collect()).collect();
        if self == Self::Antipodal {
            (0..ATOMS).step_by(2).for_each(|k| atoms[k + 1] = atoms[k].iter().map(|d| -d).collect());
        }
        let (dictionary, _) =
            Dictionary::normalize(Matrix::from_columns(dim, &atoms)).expect("random atoms are not 0");
        let unit = Uniform::new(0.0, 1.0).expect("a proper range");
        let supports: Vec<Vec<usize>> = (0..points)
            .map(|i| {
                let mut chance = |p: f64| unit.sample(&mut rng) < p;
                // Every atom fires alone at some datapoints: a third of them, the first ones.
                if i < (points / 3).max(ATOMS) {
                    return vec![i % ATOMS];
                }
                let mut support = Vec::new();
                for k in (0..ATOMS).step_by(2) {
                    match self {
                        Self::Hierarchy if chance(0.4) => {
                            support.push(k);
                            if chance(0.5) {
                                support.push(k + 1);
                            }
                        }
                        Self::Hierarchy if chance(0.2) => support.push(k + 1),
                        Self::Antipodal if chance(0.5) => support.push(k + usize::from(chance(0.5))),
                        Self::Cliques if k % 4 == 0 && chance(0.5) => {
                            let clique = [0, 1, 2].map(|j| 3 * (k / 4) + j);
                            support.extend(clique.into_iter().filter(|_| chance(0.7)));
                        }
                        Self::Independent => {
                            support.extend([k, k + 1].into_iter().filter(|_| chance(0.3)));
                        }
                        Self::Hierarchy | Self::Antipodal | Self::Cliques => {}
                    }
                }
                support.truncate(dim);
                support
            })
            .collect();
        Structure::of_supports(dictionary, &supports, lambda, 0.3, seed)
    }
}
