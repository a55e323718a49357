//! The working iterate of a solver, in whitened variables: atoms with their code rows, the center,
//! and the residual, which every update keeps current.

mod block;
mod short;

pub(crate) use block::Moves;

use std::sync::Arc;

use crate::atoms::{AtomsError, Codes, Dictionary, Factorization};
use crate::gauge::Gauge;
use crate::linalg::{
    CodeRows, Matrix, Panel, Precision, Residual, Row, Term, add_terms, axpy, combine_all, correlate, dot,
    dot_all, norm, replace_outer, sum_of_squares,
};
use crate::problem::Problem;
use crate::reduce::Share;

/// Blocks of atoms whose products are taken off the residual in one pass: with all of them, where their
/// rows are cut would take more memory than the rows.
const TOGETHER: usize = 8;

/// One atom with its whitened code row.
#[derive(Clone, Debug)]
pub(crate) struct Atom {
    /// Unit direction.
    pub(crate) direction: Vec<f64>,
    /// Whitened codes `z̃ᵢ = √wᵢ zᵢ`, shared with past iterates that have the same.
    pub(crate) row: Arc<Row>,
    /// `g(z̃)`.
    pub(crate) gauge: f64,
    /// Root of the last proximal map: a guess for the next.
    pub(crate) tau: f64,
}

impl Atom {
    /// Whether a datapoint of any rank uses it: the gauge is 0 where no code is.
    pub(crate) fn is_used(&self) -> bool {
        self.gauge > 0.0 || !self.row.is_empty()
    }

    /// An atom nobody uses yet.
    pub(crate) fn unused(direction: Vec<f64>) -> Self {
        Self { direction, row: Arc::default(), gauge: 0.0, tau: 0.0 }
    }
}

/// A past iterate.
#[derive(Clone, Debug)]
pub(crate) struct Snapshot {
    atoms: Vec<Atom>,
    center: Vec<f64>,
}

/// A feasible iterate in whitened variables.
#[derive(Clone, Debug)]
pub(crate) struct Iterate<'p> {
    pub(crate) problem: &'p Problem,
    pub(crate) gauge: Gauge<'p>,
    pub(crate) atoms: Vec<Atom>,
    /// b, all zero when the problem has no center.
    pub(crate) center: Vec<f64>,
    /// Whether the center stays where it is, see [`Iterate::hold_center`].
    held: bool,
    /// `R̃ + offset·aᵀ`, with `R̃ = X̃ − b aᵀ − D Z̃` the residual: moving the
    /// center changes `offset` alone, see [`Iterate::recenter`].
    residual: Residual,
    offset: Vec<f64>,
    /// Whether residual and atoms were given back: all ranks know alike, those without datapoints too.
    released: bool,
    /// `R̃ a`, kept current while a center is learnt.
    mean: Vec<f64>,
    /// `Σ aᵢ²`.
    total: f64,
    /// Two dense code rows, all zero between updates.
    old: Vec<f64>,
    new: Vec<f64>,
    /// The dense rows of a block of atoms.
    panel: Panel,
}

impl<'p> Iterate<'p> {
    /// The iterate without atoms (and with the mean as center, where one is learnt).
    pub(crate) fn new(problem: &'p Problem) -> Self {
        Self::holding(problem, Precision::Double)
    }

    /// The same, with its residual in a precision.
    pub(crate) fn holding(problem: &'p Problem, precision: Precision) -> Self {
        let (n, len) = (problem.dim(), problem.len());
        let mut iterate = Self {
            problem,
            gauge: problem.gauge(),
            atoms: Vec::new(),
            center: if problem.centered() { problem.data().mean() } else { vec![0.0; n] },
            held: false,
            residual: Residual::zeros(n, len, precision),
            offset: vec![0.0; n],
            released: false,
            mean: vec![0.0; n],
            total: problem.data().total_weight(),
            old: vec![0.0; len],
            new: vec![0.0; len],
            panel: Panel::default(),
        };
        iterate.refresh();
        iterate
    }

    /// The iterate with a dictionary that nobody uses yet.
    pub(crate) fn with_dictionary(problem: &'p Problem, dictionary: &Dictionary) -> Result<Self, AtomsError> {
        if dictionary.dim() != problem.dim() {
            return Err(AtomsError::Shape {
                what: "dimension of the atoms",
                expected: problem.dim(),
                found: dictionary.dim(),
            });
        }
        let mut iterate = Self::new(problem);
        iterate.atoms = dictionary.atoms().map(|atom| Atom::unused(atom.to_vec())).collect();
        Ok(iterate)
    }

    /// The iterate of a factorization.
    pub(crate) fn from_factorization(problem: &'p Problem, start: &Factorization) -> Self {
        Self::new(problem).at(start)
    }

    /// The iterate at a factorization.
    pub(crate) fn at(mut self, start: &Factorization) -> Self {
        self.place(start);
        self.refresh();
        self
    }

    /// Takes atoms, codes and center of a factorization. The residual, which [`Iterate::refresh`]
    /// makes, is still that of before.
    pub(crate) fn place(&mut self, start: &Factorization) {
        let problem = self.problem;
        self.atoms.clear();
        if problem.centered() {
            self.center = start.center().map_or_else(|| vec![0.0; problem.dim()], <[f64]>::to_vec);
        }
        let a = problem.data().sqrt_weights();
        self.atoms = start
            .codes()
            .rows()
            .into_iter()
            .enumerate()
            .map(|(k, mut row)| {
                for (v, &i) in row.values.iter_mut().zip(&row.indices) {
                    *v *= a[i];
                }
                let gauge = self.gauge.value_of_row(&row);
                Atom { direction: start.dictionary().atom(k).to_vec(), row: Arc::new(row), gauge, tau: 0.0 }
            })
            .collect();
    }

    /// Sums over the datapoints of all ranks.
    fn share(&self) -> &'p Share {
        self.problem.share()
    }

    /// Recomputes the residual from atoms, codes and center, which removes the drift of many
    /// updates.
    pub(crate) fn refresh(&mut self) {
        if std::mem::take(&mut self.released) {
            self.residual = Residual::zeros(self.problem.dim(), self.problem.len(), Precision::Single);
        }
        let a = self.problem.data().sqrt_weights();
        // In doubles the center is taken off last. In single precision data far from 0 would lose
        // what is left without it.
        let first = match self.residual {
            Residual::Double(_) => None,
            Residual::Single { .. } => Some(self.center.as_slice()),
        };
        self.problem.data().whiten_into(self.problem.share(), first, &mut self.residual);
        match first {
            None => self.offset.copy_from_slice(&self.center),
            Some(_) => self.offset.fill(0.0),
        }
        let (share, n, len) = (self.problem.share(), self.problem.dim(), self.atoms.len());
        for group in (0..len).step_by(TOGETHER * block::ATOMS) {
            let blocks: Vec<(Matrix, CodeRows<'_>)> = (group..len)
                .step_by(block::ATOMS)
                .take(TOGETHER)
                .map(|from| {
                    let to = (from + block::ATOMS).min(len);
                    let atoms = &self.atoms[from..to];
                    let rows = CodeRows::new(share, n, atoms.iter().map(|atom| &*atom.row));
                    (directions(n, atoms), rows)
                })
                .collect();
            let terms = blocks.iter().map(|(directions, rows)| Term { scale: -1.0, directions, rows });
            let terms: Vec<Term<'_>> = terms.collect();
            add_terms(share, &mut self.residual, &terms);
        }
        self.materialize();
        if self.problem.centered() {
            self.mean = combine_all(self.problem.share(), &self.residual, a);
        }
    }

    /// Folds the pending move of the center into the residual.
    fn materialize(&mut self) {
        if self.offset.iter().all(|v| *v == 0.0) {
            return;
        }
        let a = self.problem.data().sqrt_weights();
        let none = vec![0.0; a.len()];
        let offset = std::mem::replace(&mut self.offset, vec![0.0; self.problem.dim()]);
        replace_outer(self.problem.share(), &mut self.residual, &offset, &none, &offset, a);
    }

    /// Moves the center to its optimum for the current atoms and codes, in O(n).
    pub(crate) fn recenter(&mut self) {
        if !self.problem.centered() || self.held {
            return;
        }
        for ((c, o), m) in self.center.iter_mut().zip(&mut self.offset).zip(&mut self.mean) {
            let step = *m / self.total;
            *c += step;
            *o += step;
            *m = 0.0;
        }
    }

    /// Moves the center to `center`, where it stays until [`Iterate::release_center`].
    pub(crate) fn hold_center(&mut self, center: &[f64]) {
        self.center.copy_from_slice(center);
        self.held = true;
        self.refresh();
    }

    /// Whether the center is held.
    pub(crate) fn holds_center(&self) -> bool {
        self.held
    }

    /// Ends [`Iterate::hold_center`]: the center moves to its optimum.
    pub(crate) fn release_center(&mut self) {
        self.held = false;
        self.recenter();
    }

    /// The whitened residual R̃.
    pub(crate) fn residual(&mut self) -> &Residual {
        self.materialize();
        &self.residual
    }

    /// Gives back the memory of the panel, which the next block step takes again.
    pub(crate) fn release_panel(&mut self) {
        self.panel = Panel::default();
    }

    /// The factorization. Gives back the memory of the panel and, with a residual in single precision, of
    /// this and the atoms, until [`Iterate::regain`].
    pub(crate) fn release(&mut self) -> Result<Factorization, AtomsError> {
        self.release_panel();
        if let Residual::Single { .. } = self.residual {
            self.residual = Residual::zeros(self.problem.dim(), 0, Precision::Single);
            self.released = true;
        }
        let factorization = self.factorization();
        if self.released {
            self.atoms.clear();
        }
        factorization
    }

    /// Makes atoms and residual anew where they were given back, from the iterate's factorization.
    pub(crate) fn regain(&mut self, factorization: Factorization) {
        if self.released {
            self.place(&factorization);
            drop(factorization);
            self.refresh();
        }
    }

    /// The atoms, rows and center, which [`Iterate::restore`] and [`Iterate::extrapolate`] need.
    pub(crate) fn snapshot(&self) -> Snapshot {
        Snapshot { atoms: self.atoms.clone(), center: self.center.clone() }
    }

    /// Goes back to a past iterate.
    pub(crate) fn restore(&mut self, past: &Snapshot) {
        self.atoms.clone_from(&past.atoms);
        self.center.clone_from(&past.center);
        self.refresh();
    }

    /// Extrapolates by `beta` times the step from `past`. Codes stay nonnegative and directions
    /// unit. Atoms that `past` does not have stay where they are.
    pub(crate) fn extrapolate(&mut self, past: Snapshot, beta: f64) {
        if beta == 0.0 {
            return;
        }
        // A row of `past` ends before the next one is made.
        for (atom, before) in self.atoms.iter_mut().zip(past.atoms) {
            // A code that is 0 now has fallen there, and would go on below.
            atom.row = Arc::new(atom.row.extrapolated(&before.row, beta));
            atom.gauge = self.gauge.value_of_row(&atom.row);
            let moved: Vec<f64> =
                atom.direction.iter().zip(&before.direction).map(|(d, o)| d + beta * (d - o)).collect();
            let length = norm(&moved);
            if length > 0.0 {
                atom.direction = moved.into_iter().map(|v| v / length).collect();
            }
        }
        for (c, old) in self.center.iter_mut().zip(&past.center) {
            *c += beta * (*c - old);
        }
        self.refresh();
    }

    /// `½‖R̃‖² + Σ g(z_k)`.
    pub(crate) fn objective(&mut self) -> f64 {
        let penalty: f64 = self.atoms.iter().map(|a| a.gauge).sum();
        let share = self.share();
        0.5 * sum_of_squares(share, self.residual()) + penalty
    }

    /// Puts `direction` and the dense row in `new` in place of atom `k`, whose
    /// row is scattered in `old`; clears both buffers.
    fn replace(&mut self, k: usize, direction: Vec<f64>, gauge: f64, tau: f64) {
        let atom = &mut self.atoms[k];
        let share = self.problem.share();
        replace_outer(share, &mut self.residual, &atom.direction, &self.old, &direction, &self.new);
        if self.problem.centered() {
            let a = self.problem.data().sqrt_weights();
            axpy(dot_all(share, a, &self.old), &atom.direction, &mut self.mean);
            axpy(-dot_all(share, a, &self.new), &direction, &mut self.mean);
        }
        atom.row.indices.iter().for_each(|&i| self.old[i] = 0.0);
        atom.row = Arc::new(Row::from_dense(&self.new));
        atom.row.indices.iter().for_each(|&i| self.new[i] = 0.0);
        (atom.direction, atom.gauge, atom.tau) = (direction, gauge, tau);
        self.recenter();
    }

    /// Gives every atom the whitened code row of the same place, and the center its
    /// optimum for them.
    #[cfg(feature = "conic")]
    pub(crate) fn set_rows(&mut self, rows: Vec<Row>) {
        for (atom, row) in self.atoms.iter_mut().zip(rows) {
            atom.gauge = self.gauge.value_of_row(&row);
            (atom.row, atom.tau) = (Arc::new(row), 0.0);
        }
        self.refresh();
        self.recenter();
    }

    /// Drops atoms that no datapoint uses. Returns the number of dropped atoms.
    pub(crate) fn prune(&mut self) -> usize {
        let before = self.atoms.len();
        self.atoms.retain(Atom::is_used);
        before - self.atoms.len()
    }

    /// Tries to replace atoms `j`, `l` by one: kept if the objective does not
    /// rise. Atom `l` is left unused on success.
    ///
    /// With `E = R̃ + d_j z_jᵀ + d_l z_lᵀ` the candidate is `z = z_j + z_l`,
    /// `d = Ez/‖Ez‖`, `z ← prox_g(Eᵀd)`; the change is evaluated exactly.
    pub(crate) fn try_merge(&mut self, j: usize, l: usize, slack: f64) -> bool {
        self.materialize();
        let (share, len) = (self.share(), self.problem.len());
        let (mut zj, mut zl) = (vec![0.0; len], vec![0.0; len]);
        self.atoms[j].row.scatter(&mut zj);
        self.atoms[l].row.scatter(&mut zl);
        let rj = combine_all(share, &self.residual, &zj);
        let rl = combine_all(share, &self.residual, &zl);
        let (dj, dl) = (&self.atoms[j].direction, &self.atoms[l].direction);
        let [ej, el, cross] = share.sums(|run| {
            let (j, l) = (&zj[run.clone()], &zl[run]);
            [dot(j, j), dot(l, l), dot(j, l)]
        });
        let cosine = dot(dj, dl);
        // ½‖E‖² − ½‖R̃‖².
        let added = dot(dj, &rj) + dot(dl, &rl) + 0.5 * (ej + el + 2.0 * cosine * cross);
        // E(z_j + z_l).
        let mut image: Vec<f64> = rj.iter().zip(&rl).map(|(x, y)| x + y).collect();
        axpy(ej + cross, dj, &mut image);
        axpy(el + cross, dl, &mut image);
        let length = norm(&image);
        if !(length > 0.0) {
            return false;
        }
        image.iter_mut().for_each(|v| *v /= length);
        let mut v = vec![0.0; len];
        correlate(&self.residual, &image, &mut v);
        axpy(dot(&image, dj), &zj, &mut v);
        axpy(dot(&image, dl), &zl, &mut v);
        let prox = self.gauge.prox(&v, 1.0, self.atoms[j].tau, &mut self.new);
        // ½‖E − dzᵀ‖² = ½‖E‖² − (Eᵀd)ᵀz + ½‖z‖².
        let [gain, energy] = share.sums(|run| {
            let (v, new) = (&v[run.clone()], &self.new[run]);
            [dot(v, new), dot(new, new)]
        });
        let change = added - gain + 0.5 * energy + prox.gauge - self.atoms[j].gauge - self.atoms[l].gauge;
        if !(change <= slack) {
            self.new.fill(0.0);
            return false;
        }
        let candidate = std::mem::replace(&mut self.new, vec![0.0; len]);
        self.atoms[l].row.scatter(&mut self.old);
        let direction = self.atoms[l].direction.clone();
        self.replace(l, direction, 0.0, 0.0);
        self.atoms[j].row.scatter(&mut self.old);
        self.new = candidate;
        self.replace(j, image, prox.gauge, prox.tau);
        true
    }

    /// [`Iterate::factorization`], without the residual beside it.
    pub(crate) fn into_factorization(mut self) -> Result<Factorization, AtomsError> {
        self.release_panel();
        self.residual = Residual::zeros(0, 0, Precision::Double);
        self.factorization()
    }

    /// The iterate as unit atoms and unwhitened codes `zᵢ = z̃ᵢ/√wᵢ`.
    pub(crate) fn factorization(&self) -> Result<Factorization, AtomsError> {
        let a = self.problem.data().sqrt_weights();
        let directions: Vec<&[f64]> = self.atoms.iter().map(|a| a.direction.as_slice()).collect();
        let (dictionary, _) = Dictionary::normalize(Matrix::from_columns(self.problem.dim(), &directions))?;
        let rows = self.atoms.iter().map(|atom| &*atom.row);
        let codes = Codes::from_scaled_rows(self.problem.len(), rows, |i, z| z / a[i]);
        Factorization::new(dictionary, codes, self.problem.centered().then(|| self.center.clone()))
    }
}

/// The directions of atoms, n × k.
fn directions(n: usize, atoms: &[Atom]) -> Matrix {
    let directions: Vec<&[f64]> = atoms.iter().map(|atom| atom.direction.as_slice()).collect();
    Matrix::from_columns(n, &directions)
}

/// Divides a vector by its length, so that this is 1 to the last place; false where there is
/// none, or none that is finite.
pub(crate) fn to_unit(vector: &mut [f64]) -> bool {
    let length = norm(vector);
    if !(length > 0.0 && length.is_finite()) {
        return false;
    }
    vector.iter_mut().for_each(|v| *v /= length);
    // Once more, for what the first division rounded.
    let length = norm(vector);
    vector.iter_mut().for_each(|v| *v /= length);
    true
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Sweeps whose residual is in single precision find what those in doubles find.
    #[test]
    fn single_precision_costs_a_millionth() {
        let entry = |j: usize, i: usize| ((i * (2 * j + 3)) as f64).sin() + 0.7 * ((i % (j + 2)) as f64);
        for (centered, offset) in [(false, 0.0), (true, 0.0), (true, 1e4)] {
            let data = Matrix::from_fn(6, 300, |j, i| offset + entry(j, i));
            let problem = Problem::builder(data).lambda(0.4).gamma(0.2).centered(centered).build().unwrap();
            let swept = |precision: Precision| {
                let mut iterate = Iterate::holding(&problem, precision);
                for i in 0..8 {
                    let mut direction: Vec<f64> = (0..6).map(|j| entry(j, 7 * i + 1)).collect();
                    assert!(to_unit(&mut direction));
                    iterate.atoms.push(Atom::unused(direction));
                }
                for _ in 0..3 {
                    iterate.update(0, 8, Moves::Both);
                    (0..8).for_each(|k| iterate.shorten(k));
                }
                iterate.try_merge(0, 1, f64::INFINITY);
                let kept = iterate.objective();
                iterate.refresh();
                (kept, iterate.objective())
            };
            let (kept, made) = swept(Precision::Single);
            let (_, expected) = swept(Precision::Double);
            assert!((kept - made).abs() < 1e-6 * made, "{kept} {made}");
            assert!((made - expected).abs() < 1e-6 * expected, "{made} {expected}");
        }
    }
}
