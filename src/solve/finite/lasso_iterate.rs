//! The iterate of a descent at γ = 0: a dictionary, the exact codes of every datapoint, and the
//! residuals.

use std::ops::Range;

use rayon::prelude::*;

use crate::atoms::{AtomsError, Codes, Dictionary, Factorization};
use crate::coder::Lasso;
use crate::linalg::{Matrix, axpy, axpys, chunk_columns, norm, norm_sq, simd, weighted_mean};
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

/// Atoms whose gradients are summed together.
const GRADIENTS: usize = 1024;

/// The part of a row within a run of datapoints.
pub(super) fn within<'r>(row: &'r [(usize, f64)], run: &Range<usize>) -> &'r [(usize, f64)] {
    let from = row.partition_point(|(i, _)| *i < run.start);
    let to = from + row[from..].partition_point(|(i, _)| *i < run.end);
    &row[from..to]
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
        Self::with_codes(problem, atoms, center, vec![Vec::new(); problem.len()], observer)
    }

    /// The same, found from codes.
    fn with_codes(
        problem: &'p Problem,
        atoms: Matrix,
        center: Vec<f64>,
        codes: Vec<Code>,
        observer: &dyn Observer,
    ) -> Self {
        let mut iterate = Self {
            problem,
            atoms,
            center,
            codes,
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

    /// A factorization with exact codes, found from its own.
    pub(super) fn recoded(problem: &'p Problem, start: &Factorization, observer: &dyn Observer) -> Self {
        let center = start.center().map_or_else(|| vec![0.0; problem.dim()], <[f64]>::to_vec);
        let code = |i: usize| start.codes().column(i).iter().map(|(k, z)| (k, *z)).collect();
        let codes = (0..problem.len()).map(code).collect();
        Self::with_codes(problem, start.dictionary().matrix().clone(), center, codes, observer)
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
        let mut datapoints = self.problem.data().datapoints().to_matrix();
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
        let rises = lasso.removal_rises(self.problem.data().weights(), &self.codes, &self.values, observer);
        self.problem.share().sum(self.atoms.ncols(), usize::MAX, |run| {
            let mut costs = vec![0.0; self.atoms.ncols()];
            let from = rises.partition_point(|(i, ..)| *i < run.start);
            for &(_, k, rise) in rises[from..].iter().take_while(|(i, ..)| *i < run.end) {
                costs[k] += rise;
            }
            costs
        })
    }

    /// `residual ← residual − DZ`.
    fn subtract_codes(&mut self) {
        let n = self.residual.nrows();
        let chunk = chunk_columns(n);
        let (atoms, codes) = (&self.atoms, &self.codes);
        self.residual.as_mut_slice().par_chunks_mut(chunk * n).zip(codes.par_chunks(chunk)).for_each(
            |(block, codes)| {
                let mut terms = Vec::new();
                for (r, code) in block.chunks_exact_mut(n).zip(codes) {
                    terms.clear();
                    terms.extend(code.iter().map(|&(k, z)| (k, -z)));
                    simd(
                        #[inline(always)]
                        || axpys(&terms, atoms, r),
                    );
                }
            },
        );
    }

    /// `Σ wᵢ(½‖rᵢ‖² + λ1ᵀzᵢ)` of the iterate as it stands.
    pub(super) fn value(&self) -> f64 {
        let lambda = self.problem.lambda();
        let weights = self.problem.data().weights();
        let [total] = self.problem.share().sums(|run| {
            let mut total = 0.0;
            for i in run {
                let l1: f64 = self.codes[i].iter().map(|(_, z)| z).sum();
                total += weights[i] * (0.5 * norm_sq(self.residual.col(i)) + lambda * l1);
            }
            [total]
        });
        total
    }

    /// How many datapoints use every atom, of all ranks.
    #[expect(clippy::cast_precision_loss, reason = "counts are far below 2^53")]
    pub(super) fn uses(&self, rows: &Rows) -> Vec<f64> {
        let counts = |run: Range<usize>| rows.iter().map(|row| within(row, &run).len() as f64).collect();
        self.problem.share().sum(rows.len(), usize::MAX, counts)
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
        for _ in 0..passes {
            for from in (0..rows.len()).step_by(TURNED) {
                if observer.poll().is_break() {
                    break;
                }
                self.turn_block(from, &rows[from..(from + TURNED).min(rows.len())]);
            }
            self.recenter();
        }
        self.objective = self.value();
    }

    /// The images `Σᵢ wᵢz_kirᵢ` of some atoms, one after another: a sum over all datapoints.
    fn images(&self, rows: &[Vec<(usize, f64)>], parallel: bool) -> Vec<f64> {
        let (n, weights, residual) = (self.atoms.nrows(), self.problem.data().weights(), &self.residual);
        self.problem.share().sum(n * rows.len(), usize::MAX, |run| {
            let image = |row: &Vec<(usize, f64)>| {
                let mut image = vec![0.0; n];
                let part = within(row, &run);
                simd(
                    #[inline(always)]
                    || part.iter().for_each(|&(i, z)| axpy(weights[i] * z, residual.col(i), &mut image)),
                );
                image
            };
            let images: Vec<Vec<f64>> = if parallel {
                rows.par_iter().map(image).collect()
            } else {
                rows.iter().map(image).collect()
            };
            images.concat()
        })
    }

    /// `Σᵢ wᵢz_jiz_ki` for `j ≤ k`, row after row: sums over all datapoints.
    fn products(&self, rows: &[Vec<(usize, f64)>]) -> Vec<f64> {
        let weights = self.problem.data().weights();
        self.problem.share().sum(rows.len() * (rows.len() + 1) / 2, usize::MAX, |run| {
            let mut dense = vec![0.0; run.len()];
            let mut products = Vec::with_capacity(rows.len() * (rows.len() + 1) / 2);
            for (k, row) in rows.iter().enumerate() {
                let row = within(row, &run);
                row.iter().for_each(|&(i, z)| dense[i - run.start] = weights[i] * z);
                products.extend(rows[..=k].iter().map(|other| {
                    within(other, &run).iter().map(|&(i, z)| dense[i - run.start] * z).sum::<f64>()
                }));
                row.iter().for_each(|&(i, _)| dense[i - run.start] = 0.0);
            }
            products
        })
    }

    /// Steps on the atoms from `from` on, one for each of `rows`, in order. The images
    /// `Σᵢ wᵢz_kirᵢ` are formed together from the residual before the block. Inner products of
    /// rows then correct each image for the earlier steps.
    fn turn_block(&mut self, from: usize, rows: &[Vec<(usize, f64)>]) {
        let (n, count) = (self.atoms.nrows(), rows.len());
        let parallel = n * rows.iter().map(Vec::len).sum::<usize>() >= PARALLEL;
        let images = self.images(rows, parallel);
        let products = self.products(rows);
        let mut changes = Matrix::zeros(n, count);
        for (k, image) in images.chunks_exact(n).enumerate() {
            let mut image = image.to_vec();
            let shared = &products[k * (k + 1) / 2..(k + 1) * (k + 2) / 2];
            axpy(shared[k], self.atoms.col(from + k), &mut image);
            for (j, &shared) in shared[..k].iter().enumerate() {
                if shared > 0.0 {
                    axpy(shared, changes.col(j), &mut image);
                }
            }
            let length = norm(&image);
            // An atom that nobody uses has no energy.
            if !(shared[k] > 0.0 && length > 0.0 && length.is_finite()) {
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
        let residual = &self.residual;
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
        let data = self.problem.data();
        let (mut mean, _) = weighted_mean(data.share(), &self.residual, data.weights());
        mean.iter_mut().for_each(|v| *v /= data.total_weight());
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
        let n = self.atoms.nrows();
        let (mut worst, mut scale) = (0.0, 0.0);
        // The gradients of some atoms at a time: all together may be larger than the data.
        for from in (0..rows.len()).step_by(GRADIENTS) {
            let some = &rows[from..(from + GRADIENTS).min(rows.len())];
            let mut sums = self.problem.share().sum((n + 1) * some.len(), usize::MAX, |run| {
                let of_atom = |row: &Vec<(usize, f64)>| {
                    let mut sums = vec![0.0; n + 1];
                    let part = within(row, &run);
                    simd(
                        #[inline(always)]
                        || {
                            for &(i, z) in part {
                                axpy(weights[i] * z, self.residual.col(i), &mut sums[..n]);
                                sums[n] += weights[i] * z;
                            }
                        },
                    );
                    sums
                };
                let sums: Vec<Vec<f64>> = some.par_iter().map(of_atom).collect();
                sums.concat()
            });
            for (j, sums) in sums.chunks_exact_mut(n + 1).enumerate() {
                let mass = sums[n];
                axpy(-lambda * mass, self.atoms.col(from + j), &mut sums[..n]);
                worst = max(worst, norm(&sums[..n]));
                scale = max(scale, lambda * mass);
            }
        }
        let atoms = if worst > 0.0 { worst / scale } else { 0.0 };
        if !self.problem.centered() {
            return atoms;
        }
        let (mean, size) = weighted_mean(self.problem.share(), &self.residual, weights);
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
        let uses = self.uses(&rows);
        let kept: Vec<usize> = (0..rows.len()).filter(|&k| uses[k] > 0.0).collect();
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
