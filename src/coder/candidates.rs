//! Which atoms of a column of correlations are worth a closer look: found without branches,
//! since every round passes over all atoms.

use super::screen::single;

/// Entries compared side by side: one vector of single precision.
const LANES: usize = 8;

/// The largest entry, at least 0.
#[inline(always)]
pub(super) fn largest(values: &[f32]) -> f64 {
    let mut lanes = [0.0; LANES];
    let (chunks, rest) = values.as_chunks::<LANES>();
    for chunk in chunks {
        for l in 0..LANES {
            lanes[l] = if chunk[l] > lanes[l] { chunk[l] } else { lanes[l] };
        }
    }
    f64::from(lanes.iter().chain(rest).fold(0.0, |l, &v| if v > l { v } else { l }))
}

/// An atom and its correlation, in the order of falling correlations, then atoms: one
/// integer, which sorts without branches.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub(super) struct Candidate(u64);

impl Candidate {
    #[inline(always)]
    pub(super) fn new(correlation: f32, atom: usize) -> Self {
        let bits = correlation.to_bits();
        // Of negative numbers the larger have the smaller bits.
        let falling = if bits >> 31 == 0 { !bits ^ (1 << 31) } else { bits };
        Self((u64::from(falling) << 32) | atom as u64)
    }

    #[inline(always)]
    #[expect(clippy::cast_possible_truncation, reason = "the lower half is the atom")]
    pub(super) fn atom(self) -> usize {
        self.0 as u32 as usize
    }
}

/// The entries of at least `bound`, with their places.
#[inline(always)]
pub(super) fn above(values: &[f32], bound: f64, found: &mut Vec<Candidate>) {
    let bound = single(bound);
    found.clear();
    let (chunks, rest) = values.as_chunks::<LANES>();
    let mut last = [f32::NEG_INFINITY; LANES];
    last[..rest.len()].copy_from_slice(rest);
    for (c, chunk) in chunks.iter().chain([&last]).enumerate() {
        // Most chunks have none.
        let mut any = false;
        for value in chunk {
            any |= *value >= bound;
        }
        if any {
            // Each entry is written, and kept by counting it: no branch to be guessed wrong.
            let (mut some, mut count) = ([Candidate(0); LANES], 0);
            for (l, value) in chunk.iter().enumerate() {
                some[count] = Candidate::new(*value, c * LANES + l);
                count += usize::from(*value >= bound);
            }
            let length = found.len() + count;
            found.extend_from_slice(&some);
            found.truncate(length);
        }
    }
}

/// Keeps the `count` candidates of the largest correlation, those first; ties by the
/// atom.
pub(super) fn keep_largest(candidates: &mut Vec<Candidate>, count: usize) {
    if candidates.len() > count {
        candidates.select_nth_unstable(count);
        candidates.truncate(count);
    }
    candidates.sort_unstable();
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn candidates_are_in_falling_order() {
        let falling = [(3.0, 7), (1.0, 2), (1.0, 9), (1e-30, 0), (0.0, 1), (-1e-30, 5), (-2.0, 4)];
        let mut candidates: Vec<Candidate> =
            falling.iter().rev().map(|&(c, k)| Candidate::new(c, k)).collect();
        keep_largest(&mut candidates, falling.len());
        let atoms: Vec<usize> = candidates.iter().map(|c| c.atom()).collect();
        assert_eq!(atoms, falling.map(|(_, k)| k));
    }
}
