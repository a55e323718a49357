//! The iterate of a descent at γ = 0: a dictionary, the exact codes of every datapoint, and the
//! residuals.

use rayon::prelude::*;

use crate::atoms::{AtomsError, Codes, Dictionary, Factorization};
use crate::coder::Lasso;
use crate::linalg::{Matrix, axpy, chunk_columns, norm, norm_sq, simd};
use crate::num::max;
use crate::observer::Observer;
use crate::problem::Problem;
use crate::solution::Keeper;

/// Most entries of `DᵀD` held (128 MB). Beyond this number, correlations are formed from residuals,
/// which multiplies the work of a step by n/|S|.
const GRAM_ENTRIES: usize = 1 << 24;

/// Atoms in one block, whose steps share their passes over the residual. More atoms share the
/// passes better, but need more inner products of rows.
const TURNED: usize = 32;

/// Steps on a block are shared among threads from this many touched entries of the residual on.
const PARALLEL: usize = 1 << 16;

/// The code of one datapoint: (atom, positive code), ascending in the atom.
pub(super) type Code = Vec<(usize, f64)>;

/// One atom a row: the datapoints that use it, with their codes.
pub(super) type Rows = Vec<Vec<(usize, f64)>>;

/// An iterate `(D, Z, b)` of the joint problem at γ = 0.
#[derive(Clone)]
pub(super) struct LassoIterate<'p> {
    pub(super) problem: &'p Problem,
    /// Unit atoms, n × M.
    pub(super) atoms: Matrix,
    pub(super) center: Vec<f64>,
    pub(super) codes: Vec<Code>,
    /// `xᵢ − b − Dzᵢ`.
    pub(super) residual: Matrix,
    /// The joint objective at this iterate.
    pub(super) objective: f64,
    /// `½‖rᵢ‖² + λ1ᵀzᵢ`, as of the last [`LassoIterate::encode`].
    pub(super) values: Vec<f64>,
    /// The keeper that is offered this iterate, see [`LassoIterate::offer`].
    pub(super) keeper: Option<&'p dyn Keeper>,
}

/// A past iterate, without its residual.
#[derive(Clone)]
pub(super) struct Snapshot {
    pub(super) atoms: Matrix,
    pub(super) center: Vec<f64>,
    pub(super) codes: Vec<Code>,
    values: Vec<f64>,
}

impl<'p> LassoIterate<'p> {
    /// The iterate of a dictionary with exact codes, or what of them the observer allows. The
    /// columns of `atoms` have unit length.
    pub(super) fn new(
        problem: &'p Problem,
        atoms: Matrix,
        center: Vec<f64>,
        observer: &dyn Observer,
    ) -> Self {
        let mut iterate = Self {
            problem,
            atoms,
            center,
            codes: vec![Vec::new(); problem.len()],
            residual: Matrix::zeros(problem.dim(), problem.len()),
            objective: 0.0,
            values: Vec::new(),
            keeper: None,
        };
        iterate.encode(observer);
        iterate
    }

    /// The first `width` atoms of a factorization, with exact codes. Where the observer breaks,
    /// every datapoint has the better of the code found and that of the factorization.
    pub(super) fn from_factorization(
        problem: &'p Problem,
        start: &Factorization,
        width: usize,
        observer: &dyn Observer,
    ) -> Self {
        let width = start.width().min(width);
        let atoms = start.dictionary().matrix().select_columns(&(0..width).collect::<Vec<_>>());
        let center = start.center().map_or_else(|| vec![0.0; problem.dim()], <[f64]>::to_vec);
        let mut iterate = Self::new(problem, atoms, center, observer);
        if observer.poll().is_break() {
            iterate.take_better(start.codes());
        }
        iterate
    }

    /// Takes the given code of every datapoint whose value it lowers.
    pub(super) fn take_better(&mut self, codes: &Codes) {
        let (width, lambda, n) = (self.atoms.ncols(), self.problem.lambda(), self.atoms.nrows());
        let atoms = &self.atoms;
        let shifted = self.shifted();
        self.residual
            .as_mut_slice()
            .par_chunks_mut(n)
            .zip(shifted.as_slice().par_chunks(n))
            .zip(self.codes.par_iter_mut().zip(&mut self.values))
            .enumerate()
            .for_each(|(i, ((residual, x), (code, value)))| {
                let given: Code =
                    codes.column(i).iter().map(|(k, &z)| (k, z)).filter(|p| p.0 < width).collect();
                let mut left = x.to_vec();
                given.iter().for_each(|&(k, z)| axpy(-z, atoms.col(k), &mut left));
                let better = 0.5 * norm_sq(&left) + lambda * given.iter().map(|p| p.1).sum::<f64>();
                if better < *value {
                    (*code, *value) = (given, better);
                    residual.copy_from_slice(&left);
                }
            });
        self.objective = self.value();
    }

    /// The data minus the center.
    pub(super) fn shifted(&self) -> Matrix {
        let mut datapoints = self.problem.data().datapoints().clone();
        if self.problem.centered() {
            let n = datapoints.nrows();
            datapoints.as_mut_slice().par_chunks_mut(n).for_each(|x| axpy(-1.0, &self.center, x));
        }
        datapoints
    }

    /// Computes exact codes for the present dictionary. Each starts from the present code, which
    /// a datapoint keeps where the observer breaks before its turn.
    pub(super) fn encode(&mut self, observer: &dyn Observer) {
        let shifted = self.shifted();
        let gram = if observer.poll().is_continue() { self.gram() } else { None };
        let lambda = self.problem.lambda();
        let lasso = Lasso { datapoints: &shifted, atoms: &self.atoms, gram: gram.as_ref(), lambda };
        self.values = lasso.recode(&mut self.codes, observer);
        self.residual = shifted;
        self.subtract_codes();
        self.objective = self.value();
    }

    /// `DᵀD` where it is small enough to hold.
    fn gram(&self) -> Option<Matrix> {
        let width = self.atoms.ncols();
        (width.saturating_mul(width) <= GRAM_ENTRIES).then(|| self.atoms.gram())
    }

    /// How far the objective rises if one atom alone is removed, for each atom. The codes must be
    /// exact. Infinite for atoms that were not tried when the observer broke.
    pub(super) fn removal_costs(&self, observer: &dyn Observer) -> Vec<f64> {
        let (shifted, gram) = (self.shifted(), self.gram());
        let lambda = self.problem.lambda();
        let lasso = Lasso { datapoints: &shifted, atoms: &self.atoms, gram: gram.as_ref(), lambda };
        lasso.removal_costs(self.problem.data().weights(), &self.codes, &self.values, observer)
    }

    /// `residual ← residual − DZ`.
    fn subtract_codes(&mut self) {
        let n = self.residual.nrows();
        let chunk = chunk_columns(n);
        let (atoms, codes) = (&self.atoms, &self.codes);
        self.residual.as_mut_slice().par_chunks_mut(chunk * n).zip(codes.par_chunks(chunk)).for_each(
            |(block, codes)| {
                for (r, code) in block.chunks_exact_mut(n).zip(codes) {
                    for &(k, z) in code {
                        axpy(-z, atoms.col(k), r);
                    }
                }
            },
        );
    }

    /// `Σ wᵢ(½‖rᵢ‖² + λ1ᵀzᵢ)` of the iterate as it stands.
    pub(super) fn value(&self) -> f64 {
        let lambda = self.problem.lambda();
        let mut total = 0.0;
        for ((r, code), &w) in self.residual.columns().zip(&self.codes).zip(self.problem.data().weights()) {
            let l1: f64 = code.iter().map(|(_, z)| z).sum();
            total += w * (0.5 * norm_sq(r) + lambda * l1);
        }
        total
    }

    /// The datapoints of every atom, with their codes.
    pub(super) fn rows(&self) -> Rows {
        let mut rows = vec![Vec::new(); self.atoms.ncols()];
        for (i, code) in self.codes.iter().enumerate() {
            for &(k, z) in code {
                rows[k].push((i, z));
            }
        }
        rows
    }

    /// Makes `passes` passes of block descent on the dictionary (and the center) for fixed codes. A
    /// step `d_k ← Σᵢ wᵢz_ki(rᵢ + z_kid_k)`, normalized, is the exact minimizer in one atom. Never
    /// raises the objective; atoms that an observer breaks before stay. Takes O(n·nnz) a pass.
    pub(super) fn turn_atoms(&mut self, rows: &Rows, passes: usize, observer: &dyn Observer) {
        let mut dense = vec![0.0; self.codes.len()];
        for _ in 0..passes {
            for from in (0..rows.len()).step_by(TURNED) {
                if observer.poll().is_break() {
                    break;
                }
                self.turn_block(from, &rows[from..(from + TURNED).min(rows.len())], &mut dense);
            }
            self.recenter();
        }
        self.objective = self.value();
    }

    /// Steps on the atoms from `from` on, one for each of `rows`, in order. The images
    /// `Σᵢ wᵢz_kirᵢ` are formed together from the residual before the block. Inner products of
    /// rows then correct each image for the earlier steps.
    fn turn_block(&mut self, from: usize, rows: &[Vec<(usize, f64)>], dense: &mut [f64]) {
        let (n, count) = (self.atoms.nrows(), rows.len());
        let weights = self.problem.data().weights();
        let parallel = n * rows.iter().map(Vec::len).sum::<usize>() >= PARALLEL;
        let residual = &self.residual;
        let image = |row: &Vec<(usize, f64)>| {
            let mut image = vec![0.0; n];
            simd(
                #[inline(always)]
                || row.iter().for_each(|&(i, z)| axpy(weights[i] * z, residual.col(i), &mut image)),
            );
            image
        };
        let images: Vec<Vec<f64>> =
            if parallel { rows.par_iter().map(image).collect() } else { rows.iter().map(image).collect() };
        let mut changes = Matrix::zeros(n, count);
        for (k, mut image) in images.into_iter().enumerate() {
            rows[k].iter().for_each(|&(i, z)| dense[i] = weights[i] * z);
            let inner = |row: &[(usize, f64)]| row.iter().map(|&(i, z)| dense[i] * z).sum::<f64>();
            axpy(inner(&rows[k]), self.atoms.col(from + k), &mut image);
            for (j, row) in rows[..k].iter().enumerate() {
                let shared = inner(row);
                if shared > 0.0 {
                    axpy(shared, changes.col(j), &mut image);
                }
            }
            rows[k].iter().for_each(|&(i, _)| dense[i] = 0.0);
            let length = norm(&image);
            if rows[k].is_empty() || !(length > 0.0 && length.is_finite()) {
                continue;
            }
            image.iter_mut().for_each(|v| *v /= length);
            let again = norm(&image);
            for ((c, d), v) in changes.col_mut(k).iter_mut().zip(self.atoms.col_mut(from + k)).zip(&image) {
                let v = v / again;
                *c = *d - v;
                *d = v;
            }
        }
        let chunk = if parallel { chunk_columns(n) } else { residual.ncols() };
        let update = |(c, block): (usize, &mut [f64])| {
            let first = c * chunk;
            simd(
                #[inline(always)]
                || {
                    for (k, row) in rows.iter().enumerate() {
                        let start = row.partition_point(|(i, _)| *i < first);
                        for &(i, z) in row[start..].iter().take_while(|(i, _)| *i < first + chunk) {
                            let at = (i - first) * n;
                            axpy(z, changes.col(k), &mut block[at..at + n]);
                        }
                    }
                },
            );
        };
        if parallel {
            self.residual.as_mut_slice().par_chunks_mut(chunk * n).enumerate().for_each(update);
        } else {
            update((0, self.residual.as_mut_slice()));
        }
    }

    /// Moves the center to its optimum for fixed atoms and codes.
    fn recenter(&mut self) {
        if !self.problem.centered() {
            return;
        }
        let weights = self.problem.data().weights();
        let mut mean = vec![0.0; self.center.len()];
        for (r, &w) in self.residual.columns().zip(weights) {
            axpy(w, r, &mut mean);
        }
        let total: f64 = weights.iter().sum();
        mean.iter_mut().for_each(|v| *v /= total);
        axpy(1.0, &mean, &mut self.center);
        let n = mean.len();
        self.residual.as_mut_slice().chunks_exact_mut(n).for_each(|r| axpy(-1.0, &mean, r));
    }

    /// Relative stationarity of atoms and center for exact codes (theorem
    /// `stationarity`): `max_k ‖Σᵢ wᵢz_kirᵢ − λs_kd_k‖ / max_k λs_k`, and
    /// `‖Σ wᵢrᵢ‖ / Σ wᵢ‖rᵢ‖` with a center.
    pub(super) fn stationarity(&self, rows: &Rows) -> f64 {
        let weights = self.problem.data().weights();
        let lambda = self.problem.lambda();
        let of_atom = |(k, row): (usize, &Vec<(usize, f64)>)| {
            let mut gradient = vec![0.0; self.atoms.nrows()];
            let mut mass = 0.0;
            simd(
                #[inline(always)]
                || {
                    for &(i, z) in row {
                        axpy(weights[i] * z, self.residual.col(i), &mut gradient);
                        mass += weights[i] * z;
                    }
                },
            );
            axpy(-lambda * mass, self.atoms.col(k), &mut gradient);
            (norm(&gradient), lambda * mass)
        };
        let (worst, scale) = rows
            .par_iter()
            .enumerate()
            .map(of_atom)
            .reduce(|| (0.0, 0.0), |l, r| (max(l.0, r.0), max(l.1, r.1)));
        let atoms = if worst > 0.0 { worst / scale } else { 0.0 };
        if !self.problem.centered() {
            return atoms;
        }
        let mut mean = vec![0.0; self.center.len()];
        let mut size = 0.0;
        for (r, &w) in self.residual.columns().zip(weights) {
            axpy(w, r, &mut mean);
            size += w * norm(r);
        }
        let length = norm(&mean);
        max(atoms, if length > 0.0 { length / size } else { 0.0 })
    }

    pub(super) fn snapshot(&self) -> Snapshot {
        Snapshot {
            atoms: self.atoms.clone(),
            center: self.center.clone(),
            codes: self.codes.clone(),
            values: self.values.clone(),
        }
    }

    /// Goes back to a past iterate.
    pub(super) fn restore(&mut self, past: &Snapshot) {
        self.atoms.clone_from(&past.atoms);
        self.center.clone_from(&past.center);
        self.codes.clone_from(&past.codes);
        self.values.clone_from(&past.values);
        self.residual = self.shifted();
        self.subtract_codes();
        self.objective = self.value();
    }

    /// Extrapolates atoms and center by `beta` times their step from `past`. The codes do not
    /// change until [`LassoIterate::encode`].
    pub(super) fn extrapolate(&mut self, past: &Snapshot, beta: f64) {
        for k in 0..self.atoms.ncols() {
            let before = past.atoms.col(k);
            let atom = self.atoms.col_mut(k);
            let kept = atom.to_vec();
            for (d, o) in atom.iter_mut().zip(before) {
                *d += beta * (*d - o);
            }
            let length = norm(atom);
            if length > 0.0 {
                atom.iter_mut().for_each(|v| *v /= length);
            } else {
                atom.copy_from_slice(&kept);
            }
        }
        for (c, o) in self.center.iter_mut().zip(&past.center) {
            *c += beta * (*c - o);
        }
    }

    /// Drops atoms no datapoint uses.
    pub(super) fn prune(&mut self) {
        let rows = self.rows();
        let kept: Vec<usize> = (0..rows.len()).filter(|&k| !rows[k].is_empty()).collect();
        let mut number = vec![0; rows.len()];
        kept.iter().enumerate().for_each(|(new, &old)| number[old] = new);
        self.atoms = self.atoms.select_columns(&kept);
        self.codes.iter_mut().flatten().for_each(|(k, _)| *k = number[*k]);
    }

    /// Offers the iterate to the keeper of the run. The codes must be exact.
    pub(super) fn offer(&self) {
        if let Some(keeper) = self.keeper.filter(|keeper| keeper.wants())
            && let Ok(factorization) = self.factorization()
        {
            keeper.keep(&factorization, self.objective);
        }
    }

    /// The iterate with its present codes.
    pub(super) fn factorization(&self) -> Result<Factorization, AtomsError> {
        let (dictionary, _) = Dictionary::normalize(self.atoms.clone())?;
        let codes = Codes::from_columns(dictionary.len(), &self.codes);
        Factorization::new(dictionary, codes, self.problem.centered().then(|| self.center.clone()))
    }
}
