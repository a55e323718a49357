//! Nested supports (theorem `no-nesting`): pairs whose exchange lowers the objective.

use crate::atoms::{Codes, Dictionary, Factorization};
use crate::linalg::{Matrix, Row, axpy, norm};
use crate::problem::Problem;
use crate::trusted::objective;

/// A pair with `supp(inner) ⊆ supp(outer)`.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct NestedPair {
    /// The atom l whose support is contained.
    pub inner: usize,
    /// The atom j whose support contains it.
    pub outer: usize,
    /// Slack `ε = min z_j/z_l` over supp(l).
    pub slack: f64,
    /// Change of the objective when l is replaced by the direction of
    /// `d_l + ε d_j` and j gives up ε z_l; negative where un-nesting gains.
    /// γ = 0: `−λ s_l (1 + ε − ‖d_l + εd_j‖)`. As computed.
    pub change: f64,
}

/// All ordered pairs with nested supports, both in use. O(Σᵢ|Sᵢ|²) time and
/// memory for co-occurrences.
///
/// At γ = 0 every pair with different atoms refutes the point (theorem
/// `no-nesting`); at γ > 0 only a negative change does.
#[must_use]
pub fn pairs(problem: &Problem, point: &Factorization) -> Vec<NestedPair> {
    let rows = point.codes().rows();
    let mut together = std::collections::BTreeMap::<(usize, usize), usize>::new();
    for i in 0..point.codes().points() {
        let code = point.codes().column(i);
        for &l in code.indices() {
            for &j in code.indices() {
                if l != j {
                    *together.entry((l, j)).or_default() += 1;
                }
            }
        }
    }
    together
        .into_iter()
        .filter(|((l, _), count)| *count == rows[*l].len())
        .filter_map(|((inner, outer), _)| {
            let slack = slack(&rows[inner], &rows[outer])?;
            let change = change(problem, point, &rows, inner, outer, slack);
            Some(NestedPair { inner, outer, slack, change })
        })
        .collect()
}

/// `min z_j/z_l` over the support of l.
fn slack(inner: &Row, outer: &Row) -> Option<f64> {
    let mut slack = f64::INFINITY;
    let mut others = outer.iter();
    for (i, z) in inner.iter() {
        let (_, o) = others.by_ref().find(|(j, _)| *j == i)?;
        slack = crate::num::min(slack, o / z);
    }
    slack.is_finite().then_some(slack)
}

fn moments(problem: &Problem, row: impl Iterator<Item = (usize, f64)>) -> f64 {
    let weights = problem.data().weights();
    let (mut mass, mut energy) = (0.0, 0.0);
    for (i, z) in row {
        mass += weights[i] * z;
        energy += weights[i] * z * z;
    }
    (problem.lambda() * mass).hypot(problem.gamma() * energy.sqrt())
}

fn change(problem: &Problem, point: &Factorization, rows: &[Row], l: usize, j: usize, slack: f64) -> f64 {
    let (dl, dj) = (point.dictionary().atom(l), point.dictionary().atom(j));
    let mut sum = dl.to_vec();
    axpy(slack, dj, &mut sum);
    let length = norm(&sum);
    let gl = moments(problem, rows[l].iter());
    if problem.gamma() == 0.0 {
        // 1 + ε − ‖d_l + εd_j‖ = ε‖d_l − d_j‖²/(1 + ε + ‖d_l + εd_j‖), without cancellation.
        let apart = crate::linalg::distance_sq(dl, dj);
        return -gl * slack * apart / (1.0 + slack + length);
    }
    let reduced = reduce(&rows[l], &rows[j], slack);
    length * gl + moments(problem, reduced.iter()) - gl - moments(problem, rows[j].iter())
}

/// `z_j − ε z_l`, clipped at 0.
fn reduce(inner: &Row, outer: &Row, slack: f64) -> Row {
    let mut less = inner.iter().peekable();
    let mut out = Row::default();
    for (i, z) in outer.iter() {
        let taken = match less.peek() {
            Some(&(k, l)) if k == i => {
                less.next();
                slack * l
            }
            _ => 0.0,
        };
        if z > taken {
            out.indices.push(i);
            out.values.push(z - taken);
        }
    }
    out
}

/// The point after un-nesting one pair, if its objective is *proved* lower.
#[must_use]
pub fn unnest(
    problem: &Problem,
    point: &Factorization,
    residuals: &Matrix,
    pair: &NestedPair,
) -> Option<Factorization> {
    let mut rows = point.codes().rows();
    let mut atoms = point.dictionary().matrix().clone();
    let mut sum = atoms.col(pair.inner).to_vec();
    axpy(pair.slack, atoms.col(pair.outer), &mut sum);
    let length = norm(&sum);
    rows[pair.outer] = reduce(&rows[pair.inner], &rows[pair.outer], pair.slack);
    if length > 0.0 {
        atoms.col_mut(pair.inner).copy_from_slice(&sum);
        rows[pair.inner].values.iter_mut().for_each(|z| *z *= length);
    } else {
        rows[pair.inner] = Row::default();
    }
    let (dictionary, _) = Dictionary::normalize(atoms).ok()?;
    let codes = Codes::from_rows(problem.len(), &rows);
    let better = Factorization::new(dictionary, codes, point.center().map(<[f64]>::to_vec)).ok()?;
    let before = objective::primal(problem, point, residuals).lower;
    let after = objective::primal(problem, &better, &objective::residuals(problem.data(), &better)).upper;
    (after.get() < before.get()).then_some(better)
}
