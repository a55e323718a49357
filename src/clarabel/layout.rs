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
    /// The place of each atom among those that some datapoint may use.
    pub(super) places: Vec<Option<usize>>,
    /// The number of these atoms.
    pub(super) used: usize,
}

impl ProgramLayout {
    /// The program over the codes that are `allowed`.
    pub(crate) fn new(problem: &Problem, atoms: usize, allowed: Vec<Vec<usize>>) -> Self {
        let (dim, centered) = (problem.dim(), problem.centered());
        let (priced, massed) = (problem.gamma() > 0.0, problem.lambda() > 0.0);
        let mut first = vec![0];
        let mut places = vec![None; atoms];
        for list in &allowed {
            first.push(first[first.len() - 1] + list.len());
            list.iter().for_each(|&k| places[k] = Some(0));
        }
        let mut used = 0;
        for place in places.iter_mut().flatten() {
            *place = used;
            used += 1;
        }
        let most = allowed.iter().map(Vec::len).max().unwrap_or(0);
        let residual = centered || most > dim;
        Self {
            dim,
            len: problem.len(),
            atoms,
            residual,
            priced,
            massed,
            centered,
            allowed,
            first,
            places,
            used,
        }
    }

    /// Codes that are variables.
    pub(crate) fn codes(&self) -> usize {
        self.first[self.len]
    }

    /// The variable of the first code of datapoint `i`.
    pub(crate) fn first(&self, i: usize) -> usize {
        self.first[i]
    }

    /// The place of atom `k` among those that have a price η: some datapoint may use it.
    pub(super) fn place(&self, k: usize) -> Option<usize> {
        self.places[k].filter(|_| self.priced)
    }

    /// Prices η.
    pub(super) fn prices(&self) -> usize {
        if self.priced { self.used } else { 0 }
    }

    /// Cones: one a code, then, where λ > 0, one an atom.
    pub(super) fn cones(&self) -> usize {
        match (self.priced, self.massed) {
            (false, _) => 0,
            (true, false) => self.codes(),
            (true, true) => self.codes() + self.used,
        }
    }

    /// First variable η; the codes and a variable a cone come before.
    pub(super) fn first_price(&self) -> usize {
        self.codes() + self.cones()
    }

    /// First variable of the residual.
    pub(crate) fn residuals(&self) -> usize {
        self.first_price() + self.prices()
    }

    /// First variable of the center.
    pub(super) fn center(&self) -> usize {
        self.residuals() + if self.residual { self.dim * self.len } else { 0 }
    }

    /// First row of `Z̃ ≥ 0`; the equations come before.
    pub(crate) fn signs(&self) -> usize {
        if self.residual { self.dim * self.len } else { 0 }
    }

    /// First of the three rows of a cone, or the row after the last one.
    pub(super) fn cone(&self, cone: usize) -> usize {
        self.signs() + self.codes() + 3 * cone
    }

    pub(super) fn rows(&self) -> usize {
        self.cone(self.cones())
    }

    /// Whether what all datapoints share is eliminated last, see
    /// [`lower`](super::lower#elimination): it must be less than the codes, or it is the larger system.
    pub(super) fn tied(&self) -> bool {
        self.priced && self.border() <= self.codes() / 2
    }

    /// Rows and columns that datapoints share: two an atom, and the center.
    fn border(&self) -> usize {
        2 * self.prices() + if self.centered { self.dim } else { 0 }
    }

    /// Estimated memory of clarabel's factorization, in bytes.
    ///
    /// A datapoint's variables eliminate to a dense block, of its number of codes or
    /// of n over the residual, and the prices and the center couple the datapoints
    /// through a border. Where this is not eliminated last, all codes may be coupled.
    #[expect(clippy::cast_precision_loss, reason = "an estimate")]
    pub(crate) fn bytes(&self) -> f64 {
        let (n, len, codes) = (self.dim as f64, self.len as f64, self.codes() as f64);
        let border = self.border() as f64;
        let mean = codes / len;
        let (fit, block) = if self.residual { (n * mean + 2.0 * n, n) } else { (0.5 * mean * mean, mean) };
        let local =
            len * (fit + 0.5 * block * block + block * border + CONE_ENTRIES * mean) + 0.5 * border * border;
        let factor = if self.priced && !self.tied() { max(local, 0.5 * codes * codes) } else { local };
        FACTOR_BYTES * factor + ENTRY_BYTES * len * (fit + CONE_ENTRIES * mean)
    }
}

/// Entries that the sign and the cone of a code bring.
const CONE_ENTRIES: f64 = 16.0;

/// Bytes of an entry of the factor: a number and an index.
const FACTOR_BYTES: f64 = 16.0;

/// Bytes of an entry of the program over its copies: ours, clarabel's, the
/// assembled system's and its permutation, and the maps between them.
const ENTRY_BYTES: f64 = 96.0;
