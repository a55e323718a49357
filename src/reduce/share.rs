//! Which datapoints this rank holds, and sums over those of all ranks.

use std::borrow::Cow;
use std::ops::Range;
use std::sync::Arc;

use rand::SeedableRng;
use rand::seq::index;
use rand_chacha::ChaCha8Rng;
use rayon::prelude::*;

use super::agreed::Pulse;
use super::forest::Forest;
use super::{Alone, Reduce};
use crate::num::max;

/// Datapoints of a grain. Fewer would leave kernels short of work, more would leave ranks
/// without: a rank holds whole grains. Up to this many datapoints, sums are what they would be
/// without grains; changing it changes the last bits of every result beyond.
pub const GRAIN: usize = 1 << 12;

/// How many times larger a sample is than the next smaller one.
pub const RATIO: usize = 4;

/// The datapoints of one rank, a run of all datapoints, and the way to the other ranks.
///
/// Positions are those of this rank's datapoints, from 0. Every function that sums is called by
/// all ranks alike.
///
/// # Examples
/// ```
/// use widedict::reduce::Share;
/// let share = Share::alone(3);
/// let values = [1.0, 2.0, 4.0];
/// assert_eq!(share.sums(|part| [values[part].iter().sum()]), [7.0]);
/// ```
#[derive(Clone, Debug)]
pub struct Share {
    ranks: Arc<dyn Reduce>,
    grain: usize,
    total: usize,
    first: usize,
    len: usize,
    /// Whether datapoints are spread over ranks, be it one rank.
    spread: bool,
    pulse: Arc<Pulse>,
}

/// Two shares are equal where they cut as many datapoints alike.
impl PartialEq for Share {
    fn eq(&self, other: &Self) -> bool {
        (self.grain, self.total, self.first, self.len) == (other.grain, other.total, other.first, other.len)
    }
}

impl Share {
    /// All of `len` datapoints.
    #[must_use]
    pub fn alone(len: usize) -> Self {
        Self { spread: false, ..Self::of(Arc::new(Alone), len) }
    }

    /// This rank's part of `total` datapoints.
    #[must_use]
    pub fn of(ranks: Arc<dyn Reduce>, total: usize) -> Self {
        Self::with_grain(ranks, total, GRAIN)
    }

    /// The same with other grains than [`GRAIN`]: tests have fewer datapoints.
    ///
    /// # Panics
    /// If `grain` is 0.
    #[must_use]
    pub fn with_grain(ranks: Arc<dyn Reduce>, total: usize, grain: usize) -> Self {
        assert!(grain > 0, "a grain holds a datapoint");
        let (rank, size) = (ranks.rank(), ranks.size());
        let (first, end) = (first_of(rank, size, total, grain), first_of(rank + 1, size, total, grain));
        Self { ranks, grain, total, first, len: end - first, spread: true, pulse: Arc::default() }
    }

    /// Number of the first datapoint of a rank; of all datapoints for the rank after the last.
    #[must_use]
    pub fn first_of(&self, rank: usize) -> usize {
        first_of(rank, self.size(), self.total, self.grain)
    }

    /// The same ranks with other datapoints.
    #[must_use]
    pub fn with_total(&self, total: usize) -> Self {
        Self { spread: self.spread, ..Self::with_grain(Arc::clone(&self.ranks), total, self.grain) }
    }

    /// The share of one in `every` datapoints, as many of every grain (rounded up), which are
    /// the thinned share's grains; `None` where a grain does not divide so.
    #[must_use]
    pub fn thinned(&self, every: usize) -> Option<Self> {
        if every == 0 || !self.grain.is_multiple_of(every) {
            return None;
        }
        let (whole, rest) = (self.total / self.grain, self.total % self.grain);
        let (grain, total) = (self.grain / every, whole * (self.grain / every) + rest.div_ceil(every));
        let share = Self::with_grain(Arc::clone(&self.ranks), total, grain);
        Some(Self { spread: self.spread, pulse: Arc::clone(&self.pulse), ..share })
    }

    /// Every how manieth datapoint makes the smallest sample of at least `fewest`, a power of four
    /// of which a grain gives one; `None` where datapoints are fewer than four times as many.
    #[must_use]
    pub fn thinning(&self, fewest: usize) -> Option<usize> {
        let powers = std::iter::successors(Some(RATIO), |every| every.checked_mul(RATIO));
        powers.take_while(|every| *every <= self.grain && self.total / every >= fewest).last()
    }

    /// Positions of one in `every` datapoints, as many of every grain, drawn by the seed and the
    /// grain's number alone, with their share: the same for any number of ranks.
    #[must_use]
    pub fn sample(&self, every: usize, seed: u64) -> Option<(Self, Vec<usize>)> {
        let thinned = self.thinned(every)?;
        let mut positions = Vec::with_capacity(thinned.len);
        for (at, grain) in self.grains().enumerate() {
            let mut rng = ChaCha8Rng::seed_from_u64(seed);
            rng.set_stream((self.first / self.grain + at) as u64);
            let mut drawn = index::sample(&mut rng, grain.len(), grain.len().div_ceil(every)).into_vec();
            drawn.sort_unstable();
            positions.extend(drawn.into_iter().map(|i| grain.start + i));
        }
        Some((thinned, positions))
    }

    /// Whether datapoints are spread over ranks, be it one: what needs all datapoints in one
    /// place is left out then, for any number of ranks.
    #[must_use]
    pub fn is_spread(&self) -> bool {
        self.spread
    }

    /// Datapoints of all ranks.
    #[must_use]
    pub fn total(&self) -> usize {
        self.total
    }

    /// Datapoints of a grain.
    #[must_use]
    pub fn grain(&self) -> usize {
        self.grain
    }

    /// Number of the first datapoint here among all.
    #[must_use]
    pub fn first(&self) -> usize {
        self.first
    }

    /// Datapoints here.
    #[must_use]
    pub fn len(&self) -> usize {
        self.len
    }

    /// Whether a datapoint is here, by its number among all.
    #[must_use]
    pub fn holds(&self, number: usize) -> bool {
        (self.first..self.first + self.len).contains(&number)
    }

    /// Whether this rank holds none: there are more ranks than grains.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.len == 0
    }

    /// How many ranks there are.
    #[must_use]
    pub fn size(&self) -> usize {
        self.ranks.size()
    }

    /// Whether this rank is the one that prints and writes.
    #[must_use]
    pub fn is_root(&self) -> bool {
        self.ranks.rank() == 0
    }

    /// Whether all datapoints are here.
    #[must_use]
    pub fn is_whole(&self) -> bool {
        self.size() == 1
    }

    pub(super) fn pulse(&self) -> &Pulse {
        &self.pulse
    }

    /// The grains here, as runs of positions.
    pub fn grains(&self) -> impl ExactSizeIterator<Item = Range<usize>> + Clone + use<> {
        let (grain, len) = (self.grain, self.len);
        (0..len.div_ceil(grain)).map(move |g| g * grain..((g + 1) * grain).min(len))
    }

    /// The runs of positions whose parts [`Share::sums`] adds, in order: the grains, or all positions
    /// where one rank holds no more than a grain.
    pub(crate) fn parts(&self) -> Vec<Range<usize>> {
        if self.is_one_grain() { std::iter::once(0..self.len).collect() } else { self.grains().collect() }
    }

    fn is_one_grain(&self) -> bool {
        self.is_whole() && self.len <= self.grain
    }

    /// Runs of at most `chunk` positions, none across two grains: what parallel tasks work on.
    /// The same cuts for any number of ranks.
    #[must_use]
    pub fn chunks(&self, chunk: usize) -> Vec<Range<usize>> {
        let chunk = chunk.clamp(1, self.grain);
        let within = |grain: Range<usize>| {
            grain.clone().step_by(chunk).map(move |from| from..(from + chunk).min(grain.end))
        };
        self.grains().flat_map(within).collect()
    }

    /// The sum over all datapoints of what `part` makes of a grain. One grain after another:
    /// for sums that cost less than waking a thread.
    pub fn sums<const K: usize>(&self, part: impl FnMut(Range<usize>) -> [f64; K]) -> [f64; K] {
        self.folded(part, add)
    }

    /// The largest numbers, each for itself, of what `part` makes of the grains. A rank without
    /// grains has none.
    pub fn largest<const K: usize>(&self, part: impl FnMut(Range<usize>) -> [f64; K]) -> [f64; K] {
        self.folded(part, |all, part| all.iter_mut().zip(part).for_each(|(a, p)| *a = max(*a, *p)))
    }

    /// What `part` makes of the grains, combined along the tree.
    pub fn folded<const K: usize>(
        &self,
        mut part: impl FnMut(Range<usize>) -> [f64; K],
        combine: impl Fn(&mut [f64], &[f64]) + Copy,
    ) -> [f64; K] {
        if self.is_one_grain() {
            return part(0..self.len);
        }
        let mut forest = Forest::new(K);
        let first = self.first / self.grain;
        for (g, grain) in self.grains().enumerate() {
            forest.push_grain(first + g, &part(grain), combine);
        }
        let root = self.root(forest, combine);
        std::array::from_fn(|k| root[k])
    }

    /// The sum over all datapoints of the arrays of `width` numbers that `part` makes of runs of
    /// at most `chunk` positions, in parallel. The parts of a grain are added in order.
    pub fn sum(
        &self,
        width: usize,
        chunk: usize,
        part: impl Fn(Range<usize>) -> Vec<f64> + Sync,
    ) -> Vec<f64> {
        self.fold(width, chunk, part, add)
    }

    /// The sum over all datapoints of the arrays of `width` numbers that `part` makes of the grains, one
    /// grain after another: for arrays of which few are to be held at once, and parts that are parallel
    /// within.
    pub(crate) fn sum_of_grains(
        &self,
        width: usize,
        mut part: impl FnMut(Range<usize>) -> Vec<f64>,
    ) -> Vec<f64> {
        let mut forest = Forest::new(width);
        let first = self.first / self.grain;
        for (g, grain) in self.grains().enumerate() {
            forest.push_grain(first + g, &part(grain), add);
        }
        self.root(forest, add)
    }

    /// The same as [`Share::sum`], combined otherwise.
    pub fn fold(
        &self,
        width: usize,
        chunk: usize,
        part: impl Fn(Range<usize>) -> Vec<f64> + Sync,
        combine: impl Fn(&mut [f64], &[f64]) + Copy + Sync,
    ) -> Vec<f64> {
        let chunks = self.chunks(chunk);
        let grain_of = |chunk: &Range<usize>| chunk.start / self.grain;
        let mut forest = Forest::new(width);
        let mut pending: Option<(usize, Vec<f64>)> = None;
        let first = self.first / self.grain;
        // A wave of parts at a time: all at once may be larger than the data.
        for wave in chunks.chunks(WAVE) {
            let parts: Vec<Vec<f64>> = wave.par_iter().map(|chunk| part(chunk.clone())).collect();
            for (chunk, part) in wave.iter().zip(parts) {
                match &mut pending {
                    Some((grain, sum)) if *grain == grain_of(chunk) => combine(sum, &part),
                    _ => {
                        if let Some((grain, sum)) = pending.replace((grain_of(chunk), part)) {
                            forest.push_grain(first + grain, &sum, combine);
                        }
                    }
                }
            }
        }
        if let Some((grain, sum)) = pending {
            forest.push_grain(first + grain, &sum, combine);
        }
        self.root(forest, combine)
    }

    /// Lets all ranks know whether one of them is asked to end, as every sum does: for long work between
    /// sums.
    pub(crate) fn beat(&self) {
        if !self.is_whole() {
            let [_] = self.counts([0]);
        }
    }

    /// The sum over all ranks of some counts of each.
    #[must_use]
    #[expect(
        clippy::cast_precision_loss,
        clippy::cast_possible_truncation,
        clippy::cast_sign_loss,
        reason = "counts are far below 2^53, so that their sums are exact in any order"
    )]
    pub fn counts<const K: usize>(&self, mine: [usize; K]) -> [usize; K] {
        let mut forest = Forest::new(K);
        // A node a rank.
        forest.push_grain(self.ranks.rank(), &mine.map(|count| count as f64), add);
        let root = self.root(forest, add);
        std::array::from_fn(|k| root[k] as usize)
    }

    /// The root of the tree, from the nodes of all ranks: up a binomial tree of ranks to rank 0,
    /// which keeps runs of grains together, and down again. 2(P − 1) messages.
    ///
    /// # Panics
    /// Where rank 0 has no node.
    pub fn root(&self, mut forest: Forest, combine: impl Fn(&mut [f64], &[f64]) + Copy) -> Vec<f64> {
        let (rank, size, width) = (self.ranks.rank(), self.size(), forest.width());
        if size == 1 {
            return forest.root(combine);
        }
        let mut wish = self.pulse.wish();
        let mut step = 1;
        while step < size && rank.is_multiple_of(2 * step) {
            if rank + step < size {
                let words = self.ranks.receive(rank + step);
                wish = wish.max(words[0]);
                forest.append(&words[1..], combine);
            }
            step *= 2;
        }
        let words = if rank == 0 {
            let root = forest.root(combine);
            assert_eq!(root.len(), width, "all grains are there");
            std::iter::once(wish).chain(root.iter().map(|v| v.to_bits())).collect()
        } else {
            let mut words = vec![wish];
            forest.write(&mut words);
            self.ranks.send(rank - step, &words);
            Vec::new()
        };
        let words = self.broadcast(words);
        self.pulse.agree(words[0]);
        words[1..].iter().copied().map(f64::from_bits).collect()
    }

    /// Gives all ranks the words of rank 0; those of others are not read. P − 1 messages.
    #[must_use]
    pub fn broadcast(&self, words: Vec<u64>) -> Vec<u64> {
        let (rank, size) = (self.ranks.rank(), self.size());
        // The lowest bit of a rank is the step at which it is told.
        let told = if rank == 0 { size.next_power_of_two() } else { rank & rank.wrapping_neg() };
        let words = if rank == 0 { words } else { self.ranks.receive(rank - told) };
        let mut step = told / 2;
        while step > 0 {
            if rank + step < size {
                self.ranks.send(rank + step, &words);
            }
            step /= 2;
        }
        words
    }

    /// Gives rank 0 the words of all ranks, in order; others get none. P − 1 messages.
    #[must_use]
    pub fn gather(&self, words: Vec<u64>) -> Vec<Vec<u64>> {
        if !self.is_root() {
            self.ranks.send(0, &words);
            return Vec::new();
        }
        std::iter::once(words).chain((1..self.size()).map(|rank| self.ranks.receive(rank))).collect()
    }

    /// Gives all ranks some columns of `rows` numbers, by their numbers among all datapoints; `here`
    /// gives those of this rank by their place in it. All ranks ask for the same.
    #[must_use]
    pub fn columns<'c>(
        &self,
        here: impl Fn(usize) -> Cow<'c, [f64]>,
        rows: usize,
        numbers: &[usize],
    ) -> Vec<f64> {
        if self.is_whole() {
            return numbers.iter().flat_map(|&number| here(number).into_owned()).collect();
        }
        let held = numbers.iter().filter(|number| self.holds(**number));
        let held = held.flat_map(|number| here(number - self.first).into_owned());
        let parts = self.gather(held.map(|v| v.to_bits()).collect());
        let mut all = Vec::new();
        if self.is_root() {
            let ends: Vec<usize> = (0..self.size()).map(|rank| self.first_of(rank + 1)).collect();
            let mut next: Vec<_> = parts.iter().map(|part| part.chunks_exact(rows)).collect();
            for number in numbers {
                let rank = ends.partition_point(|end| end <= number);
                all.extend_from_slice(next[rank].next().expect("its rank sent it"));
            }
        }
        self.broadcast(all).into_iter().map(f64::from_bits).collect()
    }

    /// The numbers, among all datapoints, of those with the largest sizes, the largest first, the first of
    /// equals before the others; of this rank's, sizes and places in it are given.
    pub(crate) fn foremost(&self, mut mine: Vec<(f64, usize)>, most: usize) -> Vec<usize> {
        mine.sort_by(|l, r| r.0.total_cmp(&l.0).then(l.1.cmp(&r.1)));
        mine.truncate(most);
        let words = mine.iter().flat_map(|(size, i)| [size.to_bits(), (self.first + i) as u64]).collect();
        let told = self.gather(words).concat();
        let mut all: Vec<(f64, u64)> =
            told.chunks_exact(2).map(|word| (f64::from_bits(word[0]), word[1])).collect();
        all.sort_by(|l, r| r.0.total_cmp(&l.0).then(l.1.cmp(&r.1)));
        all.truncate(most);
        let number = |word: u64| usize::try_from(word).unwrap_or(usize::MAX);
        self.broadcast(all.into_iter().map(|(_, i)| i).collect()).into_iter().map(number).collect()
    }

    /// Gives all ranks a number a datapoint, in order.
    #[must_use]
    pub fn gather_all(&self, values: &[f64]) -> Vec<f64> {
        if self.is_whole() {
            return values.to_vec();
        }
        let parts = self.gather(values.iter().map(|v| v.to_bits()).collect());
        self.broadcast(parts.concat()).into_iter().map(f64::from_bits).collect()
    }

    /// Carries words from rank to rank, in order: each makes its own of those of the rank
    /// before, and all get what the last one made. For what has an order, such as a digest.
    #[must_use]
    pub fn pass(&self, start: Vec<u64>, step: impl FnOnce(Vec<u64>) -> Vec<u64>) -> Vec<u64> {
        let (rank, size) = (self.ranks.rank(), self.size());
        let before = if rank == 0 { start } else { self.ranks.receive(rank - 1) };
        let after = step(before);
        if size == 1 {
            return after;
        }
        if rank + 1 < size {
            self.ranks.send(rank + 1, &after);
        } else {
            self.ranks.send(0, &after);
        }
        let last = if rank == 0 { self.ranks.receive(size - 1) } else { Vec::new() };
        self.broadcast(last)
    }
}

/// Where the datapoints of a rank begin. Rank 0 holds the first grain whatever their number.
fn first_of(rank: usize, size: usize, total: usize, grain: usize) -> usize {
    ((total.div_ceil(grain) * rank).div_ceil(size) * grain).min(total)
}

/// Parts that are made at once, and so held at once.
const WAVE: usize = 256;

fn add(all: &mut [f64], part: &[f64]) {
    all.iter_mut().zip(part).for_each(|(a, p)| *a += p);
}
