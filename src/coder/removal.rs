//! What an atom is worth to a datapoint: the best code without it, found from the code with it.
//!
//! A datapoint has as many such problems as it uses atoms, all alike: they share one working set,
//! in which one atom at a time is forbidden. Correlations come from the Gram matrix of the
//! dictionary, so that residuals are not formed at all.

use super::block::{MAX_ROUNDS, later};
use super::candidates::{Candidate, keep_largest};
use super::screen::single;
use super::working_set::{Scratch, WorkingSet};
use super::{Demand, Work};
use crate::linalg::{LANES, Matrix, axpys, simd};

/// Buffers for one datapoint after another.
pub(super) struct Removal<'d> {
    atoms: &'d Matrix,
    /// `DᵀD`.
    gram: &'d Matrix,
    set: WorkingSet,
    /// `Dᵀr` at the present codes.
    correlations: Vec<f64>,
    candidates: Vec<Candidate>,
    terms: Vec<(usize, f64)>,
    scratch: Scratch,
}

impl<'d> Removal<'d> {
    /// Buffers for the unit columns of `atoms`.
    pub(super) fn new(atoms: &'d Matrix, gram: &'d Matrix) -> Self {
        Self {
            atoms,
            gram,
            set: WorkingSet::default(),
            correlations: Vec::new(),
            candidates: Vec::new(),
            terms: Vec::new(),
            scratch: Scratch::default(),
        }
    }

    /// Takes up a datapoint and its code.
    pub(super) fn begin(&mut self, x: &[f64], code: &[(usize, f64)]) {
        self.set.begin(x);
        self.set.extend(code.iter().copied(), x, self.atoms, Some(self.gram));
    }

    /// The objective of the best code of the datapoint x without the atom of entry `out` of its
    /// code. `products` are `Dᵀx`. `None` where atoms in use are dependent, or the search is long.
    pub(super) fn value_without(
        &mut self,
        out: usize,
        x: &[f64],
        code: &[(usize, f64)],
        products: &[f64],
        demand: &Demand,
    ) -> Option<f64> {
        self.set.start_without(out, code);
        let mut value = None;
        for _ in 0..MAX_ROUNDS {
            let (set, scratch) = (&mut self.set, &mut self.scratch);
            let settled = simd(
                #[inline(always)]
                || set.settle(demand.lambda, scratch, &mut Work::default()),
            );
            if !settled {
                break;
            }
            self.violators(products, demand.lambda);
            if self.candidates.is_empty() {
                value = Some(self.set.settled_value(demand.lambda));
                break;
            }
            let new = self.candidates.iter().map(|c| (c.atom(), 0.0));
            self.set.extend(new, x, self.atoms, Some(self.gram));
        }
        self.set.end_without(out);
        value
    }

    /// Writes the atoms outside the set that violate most.
    fn violators(&mut self, products: &[f64], lambda: f64) {
        let Self { gram, set, correlations, candidates, terms, .. } = self;
        let bound = set.entering_bound(lambda);
        terms.clear();
        terms.extend(set.entries().map(|(k, z)| (k, -z)));
        correlations.clear();
        correlations.extend_from_slice(products);
        candidates.clear();
        simd(
            #[inline(always)]
            || {
                axpys(terms, gram, correlations);
                for (c, chunk) in correlations.chunks(LANES).enumerate() {
                    let mut any = false;
                    for value in chunk {
                        any |= *value > bound;
                    }
                    if any {
                        for (l, value) in chunk.iter().enumerate() {
                            let k = c * LANES + l;
                            if *value > bound && !set.atoms.contains(&k) {
                                candidates.push(Candidate::new(single(value / bound), k));
                            }
                        }
                    }
                }
            },
        );
        keep_largest(candidates, later(products.len(), set.used()));
    }
}

#[cfg(test)]
mod tests {
    use crate::Dictionary;
    use crate::coder::{Coder, Lasso};
    use crate::linalg::Matrix;

    /// The rise of every removal is that of coding over a dictionary without the atom, with the
    /// Gram matrix and without; also where atoms come twice.
    #[test]
    fn rises_are_those_of_dictionaries_without_the_atom() {
        let mut state = 7_u64;
        let mut next = || {
            state = state.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1_442_695_040_888_963_407);
            f64::from(u32::try_from(state >> 33).unwrap()) / f64::from(1_u32 << 30) - 1.0
        };
        let (n, m, lambda) = (12, 30, 0.2);
        let mut atoms = Matrix::from_fn(n, m, |_, _| next());
        let twin = atoms.col(0).to_vec();
        atoms.col_mut(m - 1).copy_from_slice(&twin);
        let x = Matrix::from_fn(n, 40, |_, _| next());
        let (dictionary, _) = Dictionary::normalize(atoms).unwrap();
        let encoded = Coder::default().encode(&x, &dictionary, lambda, &()).unwrap();
        let codes: Vec<Vec<(usize, f64)>> =
            (0..40).map(|i| encoded.codes.column(i).iter().map(|(k, &z)| (k, z)).collect()).collect();
        let gram = dictionary.matrix().gram();
        let found: Vec<_> = [Some(&gram), None]
            .into_iter()
            .map(|gram| {
                let lasso = Lasso { datapoints: &x, atoms: dictionary.matrix(), gram, lambda };
                lasso.removal_rises(&[1.0; 40], &codes, &encoded.objectives, &())
            })
            .collect();
        assert!(found[0].len() == encoded.codes.nnz() && found[1].len() == found[0].len());
        for (l, r) in found[0].iter().zip(&found[1]) {
            assert!((l.0, l.1) == (r.0, r.1) && (l.2 - r.2).abs() <= 1e-9, "{l:?} {r:?}");
        }
        for out in [0, 3, m - 1] {
            let rest: Vec<usize> = (0..m).filter(|k| *k != out).collect();
            let (less, _) = Dictionary::normalize(dictionary.matrix().select_columns(&rest)).unwrap();
            let without = Coder::default().encode(&x, &less, lambda, &()).unwrap();
            for &(i, _, rise) in found[0].iter().filter(|(_, k, _)| *k == out) {
                let expected = without.objectives[i] - encoded.objectives[i];
                assert!((rise - expected).abs() <= 1e-9, "{i} {out}: {rise} and {expected}");
            }
        }
    }
}
