//! Cosines of pairs of atoms in one pass over `DᵀD`, of which little is kept.

use crate::atoms::Dictionary;
use crate::linalg::fold_tiles;

/// Another atom and the cosine with it.
#[derive(Clone, Copy, Debug, PartialEq, serde::Serialize)]
pub struct Neighbor {
    /// Index of the other atom.
    pub atom: usize,
    /// `d_jᵀd_l`.
    pub cosine: f64,
}

/// A pair of atoms, the smaller index first.
#[derive(Clone, Copy, Debug, PartialEq, serde::Serialize)]
pub struct Pair {
    /// The smaller index.
    pub first: usize,
    /// The larger index.
    pub second: usize,
    /// `d_firstᵀd_second`.
    pub cosine: f64,
}

/// What is kept of the cosines of all pairs.
#[derive(Clone, Debug, PartialEq)]
pub struct Cosines {
    /// The atom with the largest cosine, an atom; `None` where there is no other.
    pub nearest: Vec<Option<Neighbor>>,
    /// The atom with the smallest cosine, an atom.
    pub opposite: Vec<Option<Neighbor>>,
    /// Pairs with a cosine of at least `close`, the largest first.
    pub close: Vec<Pair>,
    /// Pairs with a cosine of at most `antipodal`, the smallest first.
    pub antipodal: Vec<Pair>,
    /// Pairs beyond the number kept of either kind.
    pub left_out: usize,
}

/// Pairs kept of each kind, as a multiple of the number of atoms.
const KEPT: usize = 8;

#[derive(Clone)]
struct State {
    nearest: Vec<Option<Neighbor>>,
    opposite: Vec<Option<Neighbor>>,
    close: Vec<Pair>,
    antipodal: Vec<Pair>,
}

/// One pass over all pairs. O(nM²) time, O(M) memory for each block of atoms, and
/// the pairs kept.
#[must_use]
pub fn cosines(dictionary: &Dictionary, close: f64, antipodal: f64) -> Cosines {
    let atoms = dictionary.len();
    let none = || State {
        nearest: vec![None; atoms],
        opposite: vec![None; atoms],
        close: Vec::new(),
        antipodal: Vec::new(),
    };
    let state = fold_tiles(
        dictionary.matrix(),
        dictionary.matrix(),
        // Every pair once: the atoms before this one.
        |first| first + BLOCK,
        none,
        |state, tile| {
            for (second, products) in tile.columns() {
                for (first, &cosine) in tile.left().zip(products).take_while(|(first, _)| *first < second) {
                    for (atom, other) in [(first, second), (second, first)] {
                        let found = Neighbor { atom: other, cosine };
                        keep(&mut state.nearest[atom], found, nearer);
                        keep(&mut state.opposite[atom], found, farther);
                    }
                    let pair = Pair { first, second, cosine };
                    if cosine >= close {
                        state.close.push(pair);
                    }
                    if cosine <= antipodal {
                        state.antipodal.push(pair);
                    }
                }
            }
        },
        |mut l, r| {
            for (own, other) in l.nearest.iter_mut().zip(r.nearest) {
                other.into_iter().for_each(|o| keep(own, o, nearer));
            }
            for (own, other) in l.opposite.iter_mut().zip(r.opposite) {
                other.into_iter().for_each(|o| keep(own, o, farther));
            }
            l.close.extend(r.close);
            l.antipodal.extend(r.antipodal);
            l
        },
    );
    let State { nearest, opposite, mut close, mut antipodal } = state;
    let order = |sign: f64| {
        move |l: &Pair, r: &Pair| {
            (sign * r.cosine)
                .total_cmp(&(sign * l.cosine))
                .then((l.first, l.second).cmp(&(r.first, r.second)))
        }
    };
    close.sort_by(order(1.0));
    antipodal.sort_by(order(-1.0));
    let most = KEPT * atoms;
    let left_out = close.len().saturating_sub(most) + antipodal.len().saturating_sub(most);
    close.truncate(most);
    antipodal.truncate(most);
    Cosines { nearest, opposite, close, antipodal, left_out }
}

/// At least the number of atoms in a block of products.
const BLOCK: usize = 1024;

fn nearer(new: Neighbor, old: Neighbor) -> bool {
    new.cosine > old.cosine || (new.cosine >= old.cosine && new.atom < old.atom)
}

fn farther(new: Neighbor, old: Neighbor) -> bool {
    new.cosine < old.cosine || (new.cosine <= old.cosine && new.atom < old.atom)
}

fn keep(own: &mut Option<Neighbor>, other: Neighbor, better: fn(Neighbor, Neighbor) -> bool) {
    if own.is_none_or(|own| better(other, own)) {
        *own = Some(other);
    }
}
