//! The second-order form at a factorization (theorems `local-second-order`,
//! `second-order-gauge`): what the proof and the search both read.
//!
//! The form is kept in units of its own, so that a verdict does not depend on those of the
//! data. Residuals, codes, λ and γ are copies divided by a power of two, which is exact;
//! lengths of moves are measured relative to the size of the data, those of atoms by a
//! metric of powers of four, so that multiplying by their roots is exact too.

use rayon::prelude::*;

use crate::linalg::{Columns, Matrix, axpy, dot, norm_sq};
use crate::num::{max, power_of_two};
use crate::trusted::Subject;

/// Off-support pairs whose margin is at most this part of their slope count as degenerate:
/// what [`Local::degenerate`](super::Local) tells and [`Sets::Largest`] holds. Nothing is
/// proved by it. Ten times more would call ordinary pairs degenerate, ten times less would
/// miss those of a factorization stationary to 1e-8.
const DEGENERATE: f64 = 1e-7;

/// Which pairs (atom, datapoint) a form uses.
#[derive(Clone, Copy, PartialEq, Eq)]
pub(crate) enum Sets {
    /// Pairs with a positive code.
    Active,
    /// Those and the degenerate pairs.
    #[cfg_attr(not(feature = "testing"), expect(dead_code, reason = "checks compare both sides"))]
    Largest,
}

/// An atom in use, with the numbers of its code row in the form's units.
pub(crate) struct Live {
    /// Its place in the dictionary.
    pub(crate) index: usize,
    /// `s = Σ wᵢzᵢ`.
    pub(crate) mass: f64,
    /// `ℰ = Σ wᵢzᵢ²`.
    pub(crate) energy: f64,
    /// `g(z)`.
    pub(crate) gauge: f64,
    /// `h = Σ wᵢzᵢrᵢ`; at a stationary factorization `g(z)·d`.
    pub(crate) pull: Vec<f64>,
    /// `α = dᵀh`.
    pub(crate) alpha: f64,
    /// The root `√c` of the metric: the power of two nearest `√(g + ℰ)` over the size of the
    /// data.
    pub(crate) root: f64,
    /// Codes that are not 0.
    pub(crate) uses: usize,
}

/// The quadratic form at a factorization.
pub(crate) struct Form<'a> {
    pub(crate) subject: &'a Subject<'a>,
    /// The power of two that data, codes, λ and γ are divided by.
    pub(crate) unit: f64,
    pub(crate) lambda: f64,
    pub(crate) gamma: f64,
    /// `rᵢ`, a column a datapoint.
    pub(crate) residuals: Matrix,
    /// The size of the data, `√(Σ wᵢ‖xᵢ − b‖²)` as computed. Eigenvalues are relative to its
    /// square.
    pub(crate) size_of_data: f64,
    /// The atoms in use.
    pub(crate) atoms: Vec<Live>,
    /// For every datapoint the codes that are not 0: place among the atoms in use, code.
    pub(crate) codes: Vec<Vec<(usize, f64)>>,
    /// The root `√c_b` of the metric for the center: the power of two nearest `√(Σ wᵢ)`, over
    /// the size of the data. A center has the units of the data, so this is the one root
    /// that is no power of two.
    pub(crate) center_root: f64,
}

impl<'a> Form<'a> {
    /// O(nN + n·nnz) time, O(nN + nnz) memory.
    pub(crate) fn of(subject: &'a Subject<'a>) -> Self {
        let (problem, factorization) = (subject.problem(), subject.factorization());
        let weights = problem.data().weights();
        let unit = unit(subject);
        let scaled = |x: f64| x / unit;
        let mut residuals = subject.residuals().to_matrix();
        residuals.as_mut_slice().par_iter_mut().for_each(|r| *r = scaled(*r));
        let (lambda, gamma) = (scaled(problem.lambda()), scaled(problem.gamma()));
        let size_of_data = size_of_data(subject, unit);
        let rows = subject.rows().iter().enumerate().filter(|(_, row)| !row.is_empty());
        let rows: Vec<_> = rows.collect();
        let atoms: Vec<Live> = rows
            .into_par_iter()
            .map(|(index, row)| {
                let (mut mass, mut energy) = (0.0, 0.0);
                let mut pull = vec![0.0; problem.dim()];
                for (i, z) in row.iter() {
                    let (w, z) = (weights[i], scaled(z));
                    mass += w * z;
                    energy += w * z * z;
                    axpy(w * z, residuals.col(i), &mut pull);
                }
                // The square of a sum of weighted codes cannot overflow in these units.
                let gauge = (lambda * mass * (lambda * mass) + gamma * gamma * energy).sqrt();
                let alpha = dot(factorization.dictionary().atom(index), &pull);
                Live {
                    index,
                    mass,
                    energy,
                    gauge,
                    pull,
                    alpha,
                    root: nearest_power((gauge + energy).sqrt() / size_of_data),
                    uses: row.len(),
                }
            })
            .collect();
        let mut place = vec![usize::MAX; factorization.width()];
        atoms.iter().enumerate().for_each(|(p, atom)| place[atom.index] = p);
        let codes = (0..problem.len())
            .map(|i| factorization.codes().column(i).iter().map(|(k, z)| (place[k], scaled(*z))).collect())
            .collect();
        let center_root = nearest_power(weights.iter().sum::<f64>().sqrt()) / size_of_data;
        Self { subject, unit, lambda, gamma, residuals, size_of_data, atoms, codes, center_root }
    }

    /// Coordinates of an atom in use.
    pub(crate) fn atom(&self, p: usize) -> &[f64] {
        self.subject.factorization().dictionary().atom(self.atoms[p].index)
    }

    pub(crate) fn dim(&self) -> usize {
        self.subject.problem().dim()
    }

    pub(crate) fn weights(&self) -> &[f64] {
        self.subject.problem().data().weights()
    }

    pub(crate) fn centered(&self) -> bool {
        self.subject.problem().centered()
    }

    /// Dense variables: a move of every atom in use, and of the center where it is learnt.
    pub(crate) fn size(&self) -> usize {
        self.dim() * (self.atoms.len() + usize::from(self.centered()))
    }

    /// `(λ²s + γ²z)/g`, the slope of an atom's price in one code; λ at γ = 0.
    pub(crate) fn slope(&self, p: usize, z: f64) -> f64 {
        if self.gamma == 0.0 {
            return self.lambda;
        }
        let atom = &self.atoms[p];
        (self.lambda * self.lambda * atom.mass + self.gamma * self.gamma * z) / atom.gauge
    }

    /// The pairs of every datapoint, active ones first; degenerate ones with code 0.
    pub(crate) fn pairs(&self, sets: Sets) -> Vec<Vec<(usize, f64)>> {
        match sets {
            Sets::Active => self.codes.clone(),
            Sets::Largest => (0..self.codes.len())
                .into_par_iter()
                .map(|i| {
                    let r = self.residuals.col(i);
                    let mut pairs = self.codes[i].clone();
                    let used: Vec<usize> = pairs.iter().map(|(p, _)| *p).collect();
                    let idle = (0..self.atoms.len()).filter(|p| used.binary_search(p).is_err());
                    let near = idle.filter(|&p| is_degenerate(self.slope(p, 0.0), dot(self.atom(p), r)));
                    pairs.extend(near.map(|p| (p, 0.0)));
                    pairs
                })
                .collect(),
        }
    }

    /// `D_EᵀD_E + diag(γ²/g)` for the atoms of one datapoint.
    pub(crate) fn gram(&self, pairs: &[(usize, f64)]) -> Matrix {
        Matrix::from_fn(pairs.len(), pairs.len(), |a, b| {
            let g = dot(self.atom(pairs[a].0), self.atom(pairs[b].0));
            if a == b { g + self.gamma * self.gamma / self.atoms[pairs[a].0].gauge } else { g }
        })
    }
}

/// Whether a pair off the support has next to no margin.
pub(super) fn is_degenerate(slope: f64, correlation: f64) -> bool {
    correlation >= slope * (1.0 - DEGENERATE)
}

/// The power of two at or below the largest entry of the data, their center taken off.
fn unit(subject: &Subject<'_>) -> f64 {
    let data = subject.problem().data();
    let center = subject.factorization().center();
    let largest = (0..data.len())
        .into_par_iter()
        .map(|i| {
            let away = |(c, x): (usize, &f64)| (x - center.map_or(0.0, |b| b[c])).abs();
            data.datapoint(i).iter().enumerate().map(away).fold(0.0, max)
        })
        .reduce(|| 0.0, max);
    if largest > 0.0 { power_of_two(largest) } else { 1.0 }
}

/// `√(Σ wᵢ‖xᵢ − b‖²)` in units of `unit`; 1 where that is 0.
fn size_of_data(subject: &Subject<'_>, unit: f64) -> f64 {
    let data = subject.problem().data();
    let center = subject.factorization().center();
    let square = |i: usize| {
        let away = |(c, x): (usize, &f64)| (x - center.map_or(0.0, |b| b[c])) / unit;
        data.weights()[i] * norm_sq(&data.datapoint(i).iter().enumerate().map(away).collect::<Vec<f64>>())
    };
    let size = (0..data.len()).map(square).sum::<f64>().sqrt();
    if size > 0.0 { size } else { 1.0 }
}

/// The power of two nearest, in ratio, a positive number.
fn nearest_power(x: f64) -> f64 {
    power_of_two(x * std::f64::consts::SQRT_2)
}
