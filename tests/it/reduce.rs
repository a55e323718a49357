//! Sums over ranks: the same bytes for any number of them.

use std::ops::ControlFlow;
use std::sync::Arc;

use proptest::prelude::*;
use widedict::observer::{Interrupt, Observer};
use widedict::reduce::{Agreed, Alone, Forest, Reduce, Share};
use widedict::testing::ranks::on_ranks;

/// What every rank of `count` makes of its share.
fn each<T: Send>(count: usize, total: usize, grain: usize, job: impl Fn(&Share) -> T + Sync) -> Vec<T> {
    on_ranks(count, |rank| {
        let share = Share::with_grain(rank, total, grain);
        job(&share)
    })
}

fn alone(total: usize, grain: usize) -> Share {
    Share::with_grain(Arc::new(Alone), total, grain)
}

fn bits(values: &[f64]) -> Vec<u64> {
    values.iter().map(|v| v.to_bits()).collect()
}

/// Runs of datapoints from share to share, and the numbers of those of a rank.
fn here<'a>(share: &Share, all: &'a [f64]) -> &'a [f64] {
    &all[share.first()..share.first() + share.len()]
}

/// The tree, from its definition: node by node from the top.
fn by_definition(values: &[f64], grain: usize) -> f64 {
    let grains = values.len().div_ceil(grain);
    fn node(values: &[f64], grain: usize, from: usize, span: usize) -> Option<f64> {
        let grains = values.len().div_ceil(grain);
        if from >= grains {
            return None;
        }
        if span == 1 {
            return Some(values[from * grain..((from + 1) * grain).min(values.len())].iter().sum());
        }
        let left = node(values, grain, from, span / 2)?;
        Some(node(values, grain, from + span / 2, span / 2).map_or(left, |right| left + right))
    }
    node(values, grain, 0, grains.next_power_of_two()).expect("a grain")
}

proptest! {
    #[test]
    fn ranks_hold_all_datapoints_once(total in 1_usize..200, grain in 1_usize..20, count in 1_usize..9) {
        let parts = each(count, total, grain, |share| (share.first(), share.len(), share.chunks(3)));
        let mut next = 0;
        for (first, len, chunks) in parts {
            prop_assert!(len == 0 || first == next);
            prop_assert!(len == 0 || first % grain == 0);
            let covered: usize = chunks.iter().map(ExactSizeIterator::len).sum();
            prop_assert_eq!(covered, len);
            prop_assert!(chunks.iter().all(|c| c.start / grain == (c.end - 1) / grain));
            next += len;
        }
        prop_assert_eq!(next, total);
    }

    #[test]
    fn sums_have_the_same_bytes_for_any_number_of_ranks(
        values in proptest::collection::vec(-1e3..1e3_f64, 1..300),
        grain in 1_usize..40,
        chunk in 1_usize..50,
        count in 1_usize..6,
    ) {
        let sums = |share: &Share| {
            let mine = here(share, &values);
            let [plain] = share.sums(|part| [mine[part].iter().sum()]);
            let wide = share.sum(2, chunk, |part| {
                vec![mine[part.clone()].iter().sum(), mine[part].iter().map(|v| v * v).sum()]
            });
            let [largest] = share.largest(|part| [mine[part].iter().copied().fold(f64::NEG_INFINITY, |l, r| if r > l { r } else { l })]);
            bits(&[plain, wide[0], wide[1], largest])
        };
        let expected = sums(&alone(values.len(), grain));
        prop_assert_eq!(expected[0], by_definition(&values, grain).to_bits());
        for found in each(count, values.len(), grain, sums) {
            prop_assert_eq!(&found, &expected);
        }
    }

    /// Grains one after the other, and in between from the numbers of their nodes.
    #[test]
    fn grains_that_come_one_by_one_have_the_same_sum(
        values in proptest::collection::vec(-1e3..1e3_f64, 1..100),
        until in 0_usize..100,
        count in 1_usize..6,
    ) {
        let add = |all: &mut [f64], part: &[f64]| all[0] += part[0];
        let pushed = |share: &Share, forest: &mut Forest, from: usize, to: usize| {
            (from..to).for_each(|i| forest.push_grain(share.first() + i, &here(share, &values)[i..=i], add));
        };
        let until = until.min(values.len());
        for (root, [len, ranks]) in each(count, values.len(), 1, |share| {
            let mut forest = Forest::new(1);
            if share.is_whole() {
                pushed(share, &mut forest, 0, until);
                let nodes = forest.values().to_vec();
                let mut one_more = nodes.clone();
                one_more.push(0.0);
                assert_eq!(Forest::of_first(until, 1, one_more), None);
                assert_eq!(Forest::of_first(until, 1, nodes), Some(forest.clone()));
                pushed(share, &mut forest, until, share.len());
            } else {
                pushed(share, &mut forest, 0, share.len());
            }
            (share.root(forest, add), share.counts([share.len(), 1]))
        }) {
            prop_assert_eq!(root[0].to_bits(), by_definition(&values, 1).to_bits());
            prop_assert_eq!((len, ranks), (values.len(), count));
        }
    }

    #[test]
    fn datapoints_arrive_in_their_order(
        values in proptest::collection::vec(-1e3..1e3_f64, 1..100),
        grain in 1_usize..20,
        count in 1_usize..6,
    ) {
        for (all, passed) in each(count, values.len(), grain, |share| {
            let mine = here(share, &values);
            let passed = share.pass(Vec::new(), |mut before| {
                before.extend(bits(mine));
                before
            });
            (share.gather_all(mine), passed)
        }) {
            prop_assert_eq!(&all, &values);
            prop_assert_eq!(passed, bits(&values));
        }
    }

    /// 2(P − 1) messages a sum; up go the place and the numbers of each node, down the numbers.
    #[test]
    fn messages_are_counted(grains in 1_usize..70, count in 1_usize..9, width in 1_usize..5) {
        let sent = on_ranks(count, |rank| {
            let share = Share::with_grain(rank.clone(), grains, 1);
            let _ = share.sum(width, 1, |_| vec![1.0; width]);
            rank.sent()
        });
        let (messages, words) = sent.iter().fold((0, 0), |all, one| (all.0 + one.0, all.1 + one.1));
        prop_assert_eq!(messages, 2 * (count - 1));
        let down = (count - 1) * (1 + width);
        let up = words - down;
        // A word for the wish, and for each node its place and its numbers.
        let nodes = (up - (count - 1)) / (1 + width);
        prop_assert_eq!((up - (count - 1)) % (1 + width), 0);
        let most = 2 * grains.next_power_of_two().ilog2().max(1) as usize;
        prop_assert!(nodes <= (count - 1) * most);
    }
}

/// A thinned share is cut where the whole is.
#[test]
fn thinned_shares_keep_their_grains() {
    for (total, count) in [(100, 3), (64, 4), (65, 2), (33, 7)] {
        for lens in each(count, total, 16, |share| {
            let thinned = share.thinned(4).expect("16 divides");
            let of_grains: usize = share.grains().map(|grain| grain.len().div_ceil(4)).sum();
            (thinned.len(), of_grains, thinned.grains().len(), share.grains().len())
        }) {
            assert_eq!((lens.0, lens.2), (lens.1, lens.3));
        }
    }
    assert!(alone(10, 6).thinned(4).is_none());
}

/// Where each rank holds a power of two of grains, a rank sends one node.
#[test]
fn an_even_cut_sends_one_node_a_rank() {
    for count in [2, 4, 8] {
        let sent = on_ranks(count, |rank| {
            let share = Share::with_grain(rank.clone(), 4 * count, 1);
            let _ = share.sums(|_| [1.0]);
            rank.sent()
        });
        let words: usize = sent.iter().map(|(_, words)| words).sum();
        assert_eq!(words, (count - 1) * (3 + 2));
    }
}

/// Rank 1 breaks; all break after the next sum, and none before.
#[test]
fn all_ranks_break_at_one_place() {
    struct Breaks(bool);
    impl Observer for Breaks {
        fn poll(&self) -> ControlFlow<Interrupt> {
            if self.0 { ControlFlow::Break(Interrupt::TimeLimit) } else { ControlFlow::Continue(()) }
        }
    }
    for places in each(3, 3, 1, |share| {
        let observer = Breaks(share.first() == 1);
        let agreed = Agreed::new(share, &observer);
        let before = agreed.poll();
        let _ = share.sums(|_| [1.0]);
        let after = agreed.poll();
        // The next run of the same share knows nothing of it.
        let next = Agreed::new(share, &());
        let _ = share.sums(|_| [1.0]);
        (before, after, next.poll())
    }) {
        let (goes_on, breaks) = (ControlFlow::Continue(()), ControlFlow::Break(Interrupt::TimeLimit));
        assert_eq!(places, (goes_on, breaks, goes_on));
    }
    assert_eq!(Alone.size(), 1);
}
