//! Partial sums as nodes of one binary tree over all grains.
//!
//! Node `(level, index)` covers the grains from `index · 2^level` on, `2^level` of them or as
//! many as there are. Its value is that of its left half combined with that of its right half.
//! Nodes are pushed from left to right, and combined as soon as both halves are there: what is
//! left of a run of grains is at most two nodes a level.

/// Bits of a word that hold the index of a node; those above hold its level.
const INDEX_BITS: u32 = 56;

/// The place of a node in the tree.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
struct Place {
    level: u32,
    index: u64,
}

/// Nodes of a run of grains, none of which has its sibling beside it.
///
/// For sums whose grains are not at hand together, such as those of a pass over files:
/// [`Share::root`](super::Share::root) ends it.
#[derive(Clone, Debug, PartialEq)]
pub struct Forest {
    width: usize,
    places: Vec<Place>,
    values: Vec<f64>,
}

impl Forest {
    /// No grain yet; a node holds `width` numbers.
    #[must_use]
    pub fn new(width: usize) -> Self {
        Self { width, places: Vec::new(), values: Vec::new() }
    }

    /// The nodes of the first grains there are, from their [`values`](Self::values); `None` where
    /// there are more or fewer.
    #[must_use]
    pub fn of_first(grains: usize, width: usize, values: Vec<f64>) -> Option<Self> {
        let mut places = Vec::new();
        let mut first = 0;
        for level in (0..usize::BITS).rev().filter(|level| (grains >> level) & 1 == 1) {
            places.push(Place { level, index: (first >> level) as u64 });
            first += 1 << level;
        }
        (places.len().checked_mul(width) == Some(values.len())).then_some(Self { width, places, values })
    }

    /// The numbers of its nodes, one node after the other.
    #[must_use]
    pub fn values(&self) -> &[f64] {
        &self.values
    }

    /// Numbers of a node.
    pub(super) fn width(&self) -> usize {
        self.width
    }

    /// Puts a grain to the right of all others.
    pub fn push_grain(&mut self, grain: usize, value: &[f64], combine: impl Fn(&mut [f64], &[f64])) {
        self.push(Place { level: 0, index: grain as u64 }, value, &combine);
    }

    fn push(&mut self, mut place: Place, value: &[f64], combine: &impl Fn(&mut [f64], &[f64])) {
        self.values.extend_from_slice(value);
        while let Some(left) = self.places.last() {
            if !(left.level == place.level && place.index % 2 == 1 && left.index + 1 == place.index) {
                break;
            }
            self.join(combine);
            place = Place { level: place.level + 1, index: place.index / 2 };
            self.places.pop();
        }
        self.places.push(place);
    }

    /// Combines the values of the last two nodes.
    fn join(&mut self, combine: &impl Fn(&mut [f64], &[f64])) {
        let right = self.values.len() - self.width;
        let (before, right) = self.values.split_at_mut(right);
        let left = before.len() - self.width;
        combine(&mut before[left..], right);
        self.values.truncate(self.values.len() - self.width);
    }

    /// Puts the nodes of a message to the right of all others.
    pub(super) fn append(&mut self, words: &[u64], combine: impl Fn(&mut [f64], &[f64])) {
        for node in words.chunks_exact(1 + self.width) {
            let level = (node[0] >> INDEX_BITS) as u32;
            let place = Place { level, index: node[0] & ((1 << INDEX_BITS) - 1) };
            let value: Vec<f64> = node[1..].iter().copied().map(f64::from_bits).collect();
            self.push(place, &value, &combine);
        }
    }

    /// Appends the nodes to a message: each its place and its numbers.
    pub(super) fn write(&self, words: &mut Vec<u64>) {
        for (place, value) in self.places.iter().zip(self.values.chunks(self.width.max(1))) {
            words.push(u64::from(place.level) << INDEX_BITS | place.index);
            words.extend(value.iter().map(|v| v.to_bits()));
        }
    }

    /// The value of the whole tree, once all grains are there. Where the right edge, or the grains
    /// of a rank, are incomplete, nodes are combined from the right.
    pub(super) fn root(mut self, combine: impl Fn(&mut [f64], &[f64])) -> Vec<f64> {
        while self.places.len() > 1 {
            self.join(&combine);
            self.places.pop();
        }
        self.values
    }
}
