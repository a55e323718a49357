//! Where the parts of the program of `lower` are, and how much memory it takes.

use crate::num::max;
use crate::problem::Problem;

/// Which codes are variables, and where the parts of the program are.
#[derive(Clone, Debug, PartialEq)]
pub(crate) struct ProgramLayout {
    /// n, N, M.
    pub(crate) dim: usize,
    pub(crate) len: usize,
    pub(crate) atoms: usize,
    /// Whether the residual is a variable.
    pub(crate) residual: bool,
    /// Whether there are cones: γ > 0.
    pub(crate) priced: bool,
    /// Whether λ > 0.
    pub(crate) massed: bool,
    /// Whether b is a variable.
    pub(crate) centered: bool,
    /// The atoms each datapoint may use, ascending; other codes are 0.
    pub(crate) allowed: Vec<Vec<usize>>,
    /// First variable of each datapoint, and their number.
    pub(super) first: Vec<usize>,
    /// First row of each atom's cone within the cones, and their end.
    pub(super) cones: Vec<usize>,
}

impl ProgramLayout {
    /// The program over the codes that are `allowed`.
    pub(crate) fn new(problem: &Problem, atoms: usize, allowed: Vec<Vec<usize>>) -> Self {
        let (dim, centered) = (problem.dim(), problem.centered());
        let (priced, massed) = (problem.gamma() > 0.0, problem.lambda() > 0.0);
        let mut first = vec![0];
        let mut sizes = vec![0; atoms];
        for list in &allowed {
            first.push(first[first.len() - 1] + list.len());
            list.iter().for_each(|&k| sizes[k] += 1);
        }
        let head = 1 + usize::from(massed);
        let mut cones = vec![0];
        for size in sizes {
            let rows = if priced && size > 0 { head + size } else { 0 };
            cones.push(cones[cones.len() - 1] + rows);
        }
        let most = allowed.iter().map(Vec::len).max().unwrap_or(0);
        let residual = centered || most > dim;
        Self { dim, len: problem.len(), atoms, residual, priced, massed, centered, allowed, first, cones }
    }

    /// Codes that are variables.
    pub(crate) fn codes(&self) -> usize {
        self.first[self.len]
    }

    /// The variable of the first code of datapoint `i`.
    pub(crate) fn first(&self, i: usize) -> usize {
        self.first[i]
    }

    /// Atoms that some datapoint may use: those with a cone, where there are cones.
    pub(super) fn has_cone(&self, k: usize) -> bool {
        self.cones[k + 1] > self.cones[k]
    }

    fn prices(&self) -> usize {
        (0..self.atoms).filter(|&k| self.has_cone(k)).count()
    }

    /// First variable of the residual; those of the prices t come before.
    pub(crate) fn residuals(&self) -> usize {
        self.codes() + self.prices()
    }

    /// First row of `Z̃ ≥ 0`; the equations come before.
    pub(crate) fn signs(&self) -> usize {
        if self.residual { self.dim * self.len } else { 0 }
    }

    /// First row of the cone of atom `k`; for `k = M` the row after the last one.
    pub(super) fn cone(&self, k: usize) -> usize {
        self.signs() + self.codes() + self.cones[k]
    }

    pub(super) fn rows(&self) -> usize {
        self.cone(self.atoms)
    }

    /// Estimated memory of clarabel's factorization, in bytes.
    ///
    /// A datapoint's variables eliminate to a dense block, of its number of codes or
    /// of n over the residual, and the cones and the center couple the datapoints
    /// through a border of some three columns an atom and one a coordinate. Where
    /// datapoints are fewer than the order of a block, the ordering couples all codes
    /// instead.
    #[expect(clippy::cast_precision_loss, reason = "an estimate")]
    pub(crate) fn bytes(&self) -> f64 {
        let (n, len, codes) = (self.dim as f64, self.len as f64, self.codes() as f64);
        let border = 3.0 * self.prices() as f64 + if self.centered { n } else { 0.0 };
        let mean = codes / len;
        let (fit, block) = if self.residual { (n * mean + 2.0 * n, n) } else { (0.5 * mean * mean, mean) };
        let local = len * (fit + 0.5 * block * block + block * border + 4.0 * mean) + 0.5 * border * border;
        let factor = if self.priced && block >= len { max(local, 0.5 * codes * codes) } else { local };
        FACTOR_BYTES * factor + ENTRY_BYTES * len * (fit + 4.0 * mean)
    }
}

/// Bytes of an entry of the factor: a number and an index.
const FACTOR_BYTES: f64 = 16.0;

/// Bytes of an entry of the program over its copies: ours, clarabel's, the
/// assembled system's and its permutation, and the maps between them.
const ENTRY_BYTES: f64 = 96.0;
