//! Cosines of pairs of atoms in one pass over `DᵀD`, of which little is kept.

use std::cmp::Ordering;

use crate::atoms::Dictionary;
use crate::linalg::fold_tiles;
use crate::observer::{Latch, Observer};

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

/// What is known of the pairs seen so far.
struct Seen {
    nearest: Vec<Option<Neighbor>>,
    opposite: Vec<Option<Neighbor>>,
    close: First,
    antipodal: First,
}

/// The first pairs of an order, and how many came after them. The same in whatever order the
/// pairs are seen.
struct First {
    /// The key of the order: the smallest come first.
    key: fn(f64) -> f64,
    most: usize,
    pairs: Vec<Pair>,
    left_out: usize,
}

impl First {
    fn new(most: usize, key: fn(f64) -> f64) -> Self {
        Self { key, most, pairs: Vec::new(), left_out: 0 }
    }

    fn order(&self) -> impl Fn(&Pair, &Pair) -> Ordering + use<> {
        let key = self.key;
        move |l, r| {
            key(l.cosine).total_cmp(&key(r.cosine)).then((l.first, l.second).cmp(&(r.first, r.second)))
        }
    }

    fn push(&mut self, pair: Pair) {
        self.pairs.push(pair);
        // One selection for `most` pushes: constant time a push.
        if self.pairs.len() >= 2 * self.most {
            self.cut();
        }
    }

    /// Keeps the first `most`.
    fn cut(&mut self) {
        if self.pairs.len() > self.most {
            let order = self.order();
            self.pairs.select_nth_unstable_by(self.most, order);
            self.left_out += self.pairs.len() - self.most;
            self.pairs.truncate(self.most);
        }
    }

    fn merge(&mut self, other: Self) {
        self.pairs.extend(other.pairs);
        self.left_out += other.left_out;
        self.cut();
    }

    /// The pairs in order, with the number left out.
    fn sorted(mut self) -> (Vec<Pair>, usize) {
        self.cut();
        let order = self.order();
        self.pairs.sort_by(order);
        (self.pairs, self.left_out)
    }
}

impl Seen {
    fn none(atoms: usize) -> Self {
        let most = KEPT * atoms;
        Self {
            nearest: vec![None; atoms],
            opposite: vec![None; atoms],
            close: First::new(most, |cosine| -cosine),
            antipodal: First::new(most, |cosine| cosine),
        }
    }

    fn see(&mut self, pair: Pair, close: f64, antipodal: f64) {
        let Pair { first, second, cosine } = pair;
        for (atom, other) in [(first, second), (second, first)] {
            let found = Neighbor { atom: other, cosine };
            keep(&mut self.nearest[atom], found, nearer);
            keep(&mut self.opposite[atom], found, farther);
        }
        if cosine >= close {
            self.close.push(pair);
        }
        if cosine <= antipodal {
            self.antipodal.push(pair);
        }
    }

    fn merge(mut self, other: Self) -> Self {
        for (own, other) in self.nearest.iter_mut().zip(other.nearest) {
            other.into_iter().for_each(|o| keep(own, o, nearer));
        }
        for (own, other) in self.opposite.iter_mut().zip(other.opposite) {
            other.into_iter().for_each(|o| keep(own, o, farther));
        }
        self.close.merge(other.close);
        self.antipodal.merge(other.antipodal);
        self
    }
}

/// Looks at all pairs once. Where the observer stops it, some pairs are missing.
///
/// O(nM²) time, O(M) memory for each block of atoms: eight times as many pairs of each kind as
/// there are atoms are kept.
#[must_use]
pub fn cosines(dictionary: &Dictionary, close: f64, antipodal: f64, observer: &dyn Observer) -> Cosines {
    let atoms = dictionary.len();
    let latch = Latch::new(observer);
    let seen = fold_tiles(
        dictionary.matrix(),
        dictionary.matrix(),
        // Every pair once: the atoms before this one.
        |first| if latch.poll().is_break() { 0 } else { first + BLOCK },
        || Seen::none(atoms),
        |seen, tile| {
            for (second, products) in tile.columns() {
                for (first, &cosine) in tile.left().zip(products).take_while(|(first, _)| *first < second) {
                    seen.see(Pair { first, second, cosine }, close, antipodal);
                }
            }
        },
        Seen::merge,
    );
    let Seen { nearest, opposite, close, antipodal } = seen;
    let ((close, more_close), (antipodal, more_antipodal)) = (close.sorted(), antipodal.sorted());
    Cosines { nearest, opposite, close, antipodal, left_out: more_close + more_antipodal }
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
