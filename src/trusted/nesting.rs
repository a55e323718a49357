//! Nested supports (theorem `no-nesting`): pairs whose exchange lowers the objective.

use super::Subject;
use crate::atoms::{Codes, Dictionary, Factorization};
use crate::gauge::Moments;
use crate::linalg::{Row, axpy, distance_sq, norm};
use crate::observer::Observer;

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

/// All ordered pairs with nested supports, both in use; `None` where the observer breaks, and
/// where the datapoints are a part of all.
/// O(Σᵢ|Sᵢ|²) time and memory for co-occurrences.
///
/// At γ = 0 every pair with different atoms refutes the point (theorem
/// `no-nesting`); at γ > 0 only a negative change does.
#[must_use]
pub fn pairs(subject: &Subject<'_>, observer: &dyn Observer) -> Option<Vec<NestedPair>> {
    if subject.problem().share().is_spread() {
        return None;
    }
    let (rows, codes) = (subject.rows(), subject.factorization().codes());
    let mut together = std::collections::BTreeMap::<(usize, usize), usize>::new();
    for i in 0..codes.datapoints() {
        if observer.poll().is_break() {
            return None;
        }
        let code = codes.column(i);
        for &l in code.indices() {
            for &j in code.indices() {
                if l != j {
                    *together.entry((l, j)).or_default() += 1;
                }
            }
        }
    }
    let nested = together.into_iter().filter(|((l, _), count)| *count == rows[*l].len());
    let pairs = nested.filter_map(|((inner, outer), _)| {
        let slack = slack(&rows[inner], &rows[outer])?;
        let change = change(subject, inner, outer, slack);
        Some(NestedPair { inner, outer, slack, change })
    });
    Some(pairs.collect())
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

/// What the exchange changes, see [`NestedPair::change`].
fn change(subject: &Subject<'_>, l: usize, j: usize, slack: f64) -> f64 {
    let dictionary = subject.factorization().dictionary();
    let (dl, dj) = (dictionary.atom(l), dictionary.atom(j));
    let mut sum = dl.to_vec();
    axpy(slack, dj, &mut sum);
    let length = norm(&sum);
    let gl = subject.price(l);
    if subject.problem().gamma() == 0.0 {
        // 1 + ε − ‖d_l + εd_j‖ = ε‖d_l − d_j‖²/(1 + ε + ‖d_l + εd_j‖), without cancellation.
        return -gl * slack * distance_sq(dl, dj) / (1.0 + slack + length);
    }
    let reduced = reduce(&subject.rows()[l], &subject.rows()[j], slack);
    let reduced = Moments::of(subject.problem().data().weights(), &reduced);
    length * gl + subject.problem().penalty().price(reduced) - gl - subject.price(j)
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

/// The factorization after un-nesting one pair, if its objective is *proved* lower.
#[must_use]
pub fn unnest(subject: &Subject<'_>, pair: &NestedPair) -> Option<Factorization> {
    let factorization = subject.factorization();
    let mut rows = subject.rows().to_vec();
    let mut atoms = factorization.dictionary().matrix().clone();
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
    let codes = Codes::from_rows(subject.problem().len(), &rows);
    let better = Factorization::new(dictionary, codes, factorization.center().map(<[f64]>::to_vec)).ok()?;
    subject.is_above(&better).then_some(better)
}
