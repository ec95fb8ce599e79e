//! Blocks that are there more than once, counted in bounded memory.

use std::collections::HashMap;

use xxhash_rust::xxh3::xxh3_64_with_seed;

/// Different blocks that are remembered; about two megabytes.
const CAP: usize = 1 << 16;

/// How often a block repeats an earlier one, codes and scale alike.
///
/// Blocks are remembered by a 64-bit hash. Up to 65 536 different ones all are, and the count is exact (but for
/// collisions of hashes, one in 10⁹ then). Beyond, only those stay whose hash is a multiple of 2, then of 4, and so on:
/// a random part of all blocks, each with all its copies, from which the rest is estimated. Which blocks stay depends
/// on the blocks alone, not on their order or on how they were merged.
#[derive(Debug, Clone, PartialEq, Default)]
pub struct Duplicates {
    /// How often each remembered block was there.
    counts: HashMap<u64, u64>,
    /// Hashes with this many zero bits at the end are remembered.
    level: u32,
}

impl Duplicates {
    /// Adds a block.
    pub(super) fn add(&mut self, codes: &[u8], scale: f32) {
        self.add_hash(xxh3_64_with_seed(codes, u64::from(scale.to_bits())), 1);
        self.shrink();
    }

    fn add_hash(&mut self, hash: u64, times: u64) {
        if hash.trailing_zeros() >= self.level {
            *self.counts.entry(hash).or_insert(0) += times;
        }
    }

    /// Halves what is remembered until it is within bounds.
    fn shrink(&mut self) {
        while self.counts.len() > CAP && self.level < 64 {
            self.level += 1;
            let level = self.level;
            self.counts.retain(|hash, _| hash.trailing_zeros() >= level);
        }
    }

    /// Adds the blocks of another part.
    pub(super) fn merge(&mut self, other: &Self) {
        if other.level > self.level {
            self.level = other.level;
            let level = self.level;
            self.counts.retain(|hash, _| hash.trailing_zeros() >= level);
        }
        for (hash, times) in &other.counts {
            self.add_hash(*hash, *times);
        }
        self.shrink();
    }

    /// Blocks that repeat another: all but the first of each kind. An estimate where [`Self::is_estimate`] says so.
    pub fn repeated(&self) -> u64 {
        let repeated: u64 = self.counts.values().map(|times| times - 1).sum();
        repeated.saturating_mul(1u64.checked_shl(self.level).unwrap_or(u64::MAX))
    }

    /// Whether more different blocks were seen than are remembered.
    pub fn is_estimate(&self) -> bool {
        self.level > 0
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn copies_need_the_same_codes_and_the_same_scale() {
        let mut d = Duplicates::default();
        for (codes, scale) in [([0, 1, 2], 1.0), ([0, 1, 2], 2.0), ([2, 1, 0], 1.0), ([0, 1, 2], 1.0), ([0, 1, 2], 1.0)]
        {
            d.add(&codes, scale);
        }
        assert_eq!((d.repeated(), d.is_estimate()), (2, false));
    }

    #[test]
    fn beyond_the_cap_the_count_is_estimated_and_the_same_in_any_order() {
        // 200 000 different blocks, every tenth of them there four times: 60 000 repetitions.
        let block = |i: u32| (i.to_le_bytes(), if i.is_multiple_of(10) { 4 } else { 1 });
        let (mut forth, mut back) = (Duplicates::default(), Duplicates::default());
        let mut parts = [Duplicates::default(), Duplicates::default(), Duplicates::default()];
        for i in 0..200_000 {
            let (codes, times) = block(i);
            (0..times).for_each(|_| forth.add(&codes, 1.0));
            (0..times).for_each(|n| parts[(i as usize + n) % 3].add(&codes, 1.0));
            let (codes, times) = block(199_999 - i);
            (0..times).for_each(|_| back.add(&codes, 1.0));
        }
        let mut merged = Duplicates::default();
        parts.iter().for_each(|part| merged.merge(part));
        assert_eq!(forth, back);
        assert_eq!(forth, merged);
        assert!(forth.is_estimate() && forth.counts.len() <= CAP);
        // 5000 of 20 000 kinds are sampled: the standard error is 3·√(5000·¾)·4 ≈ 730.
        assert!(forth.repeated().abs_diff(60_000) < 3000, "{}", forth.repeated());
    }
}
