//! The scale of the exact optimum over [`Lanes`].
//!
//! [`optimum`](crate::engine::ternary::optimum) proves that the best support is a prefix of the magnitudes in descending
//! order, and that two thresholds found by iterating T(d), the mean of the magnitudes above d/2, enclose where it ends.
//! Here the same is done with other rounds. **The result does not depend on them:**
//!
//! - Sums are exact. d* ≥ mean, so what matters is above mean/2: of n ≤ 256 magnitudes the greatest is at most 2⁹ times
//!   that, an f32 has 24 bits, and sums of 256 take 8 more: 41 bits of the 53 of an f64, in whatever order they are added.
//! - The gain S²/k of a prefix is then one and the same f64 wherever it is computed, and of equal ones the shortest prefix
//!   is taken.
//! - A prefix that a threshold shuts out is beaten by another by more than rounding. From above: while thresholds fall
//!   from h to T(h)(1 + m), where m is the margin, a prefix that leaves out an a > T(h)(1 + m)/2 has a mean µ ≤ T(h), and
//!   with a > (1 + m)µ/2 the prefix with a has a gain greater by a factor of 1 + m/(2k), m/(2k) ≥ 2⁻²⁴. From below:
//!   a prefix that ends with an a ≤ µ/2 gains by a factor of 1 + 1/(4k² − 1) by leaving it out.

use std::hint::black_box;

use super::fold;
use super::lanes::{Lanes, SPAN, Source};

/// Rounds of the iteration from each side, then further ones where more than [`MANY`] magnitudes are left between.
const ROUNDS: [usize; 2] = [3, 2];
const MANY: usize = 48;
/// Most vectors of a block.
const N_MOST: usize = 16;
/// Numbers with 11 significant bits add up exactly in f32 if their number times the ratio of the greatest to the least is
/// at most this.
const EXACT: f32 = 8192.0;

/// A support that may be the best.
#[derive(Clone, Copy)]
struct Prefix {
    sum: f64,
    count: f64,
}

impl Prefix {
    fn gain(self) -> f64 {
        if self.count > 0.0 { self.sum * self.sum / self.count } else { 0.0 }
    }
}

/// The scale. `mean` and `greatest` are those of `a`, which are finite and not all zero.
#[inline(always)]
pub(super) fn best_scale<L: Lanes, S: Source, const N: usize>(l: L, a: &[L::V; N], mean: f32, greatest: f32) -> f64 {
    let margin = (16 * N) as f32 * f32::EPSILON;
    let (mut below, mut above) = (mean * (1.0 - margin), greatest);
    // Room for a vector behind the last.
    let mut open = [0.0f32; 16 * (N_MOST + 1)];
    let (mut certain, mut found) = (Prefix { sum: 0.0, count: 0.0 }, usize::MAX);
    for rounds in ROUNDS {
        for _ in 0..rounds {
            let means = means_above(l, a, below / 2.0, above / 2.0);
            (below, above) = (means.0 * (1.0 - margin), means.1 * (1.0 + margin));
        }
        (certain, found) = part::<L, S, N>(l, a, (below / 2.0, above / 2.0, greatest), &mut open);
        if found <= MANY {
            break;
        }
    }
    let best = if S::SHORT && found as f32 * above <= EXACT * below {
        best_of_short(l, certain, &mut open, found)
    } else {
        best_in_order(certain, &mut open[..found])
    };
    best.sum / best.count
}

/// The prefix of greatest gain that ends with one of the open magnitudes, or before them. All at once: each lane has a
/// magnitude and adds up those that are not below it. Equal ones belong to all of them: the best prefix cuts no run of
/// equal magnitudes. Their sums must be exact in f32.
#[inline(always)]
fn best_of_short<L: Lanes>(l: L, certain: Prefix, open: &mut [f32; 16 * (N_MOST + 1)], found: usize) -> Prefix {
    // What was written behind the last is not one of them.
    open[found..found + 16].fill(0.0);
    let open = &*open;
    let (zero, one) = (l.splat(0.0), l.splat(1.0));
    let (certain_sum, certain_count) = (l.wide_splat(certain.sum), l.wide_splat(certain.count));
    let (mut best, mut gain) = (certain, certain.gain());
    for lanes in &open.as_chunks::<16>().0[..found.div_ceil(16)] {
        let x = l.singles(lanes);
        let (mut sums, mut counts) = (zero, zero);
        for magnitude in &open[..found] {
            let magnitude = l.splat(*magnitude);
            let counted = l.at_least(magnitude, x);
            sums = l.add_where(sums, counted, magnitude);
            counts = l.add_where(counts, counted, one);
        }
        let (sum, count) = (l.wide_add(certain_sum, l.wide(sums)), l.wide_add(certain_count, l.wide(counts)));
        let gains = l.wide_div(l.wide_mul(sum, sum), count);
        let greatest = l.wide_greatest(gains);
        if greatest >= gain {
            let (mut all_sums, mut all_counts) = ([0.0; 16], [0.0; 16]);
            l.store(sums, &mut all_sums);
            l.store(counts, &mut all_counts);
            let mut ends = l.wide_equal(gains, greatest);
            while ends != 0 {
                let at = ends.trailing_zeros() as usize & 15;
                let count = certain.count + f64::from(all_counts[at]);
                if greatest > gain || count < best.count {
                    best = Prefix { sum: certain.sum + f64::from(all_sums[at]), count };
                    gain = greatest;
                }
                ends &= ends - 1;
            }
        }
    }
    best
}

/// The same one after the other, for sums that f32 does not hold.
#[inline(always)]
fn best_in_order(certain: Prefix, open: &mut [f32]) -> Prefix {
    open.sort_unstable_by(|a, b| b.total_cmp(a));
    let (mut now, mut best, mut gain) = (certain, certain, certain.gain());
    for x in open {
        now = Prefix { sum: now.sum + f64::from(*x), count: now.count + 1.0 };
        if now.gain() > gain {
            (gain, best) = (now.gain(), now);
        }
    }
    best
}

/// Means of what is above each of two thresholds; 0 where nothing is.
#[inline(always)]
fn means_above<L: Lanes, const N: usize>(l: L, a: &[L::V; N], low: f32, high: f32) -> (f32, f32) {
    let (zero, one) = (l.splat(0.0), l.splat(1.0));
    let (low, high) = (l.splat(low), l.splat(high));
    let (mut low_sums, mut low_counts) = ((zero, zero), (zero, zero));
    let (mut high_sums, mut high_counts) = ((zero, zero), (zero, zero));
    for j in 0..N / 2 {
        let (x, y) = (a[2 * j], a[2 * j + 1]);
        let kept = (l.above(x, low), l.above(y, low));
        low_sums = (l.add_where(low_sums.0, kept.0, x), l.add_where(low_sums.1, kept.1, y));
        low_counts = (l.add_where(low_counts.0, kept.0, one), l.add_where(low_counts.1, kept.1, one));
        let kept = (l.above(x, high), l.above(y, high));
        high_sums = (l.add_where(high_sums.0, kept.0, x), l.add_where(high_sums.1, kept.1, y));
        high_counts = (l.add_where(high_counts.0, kept.0, one), l.add_where(high_counts.1, kept.1, one));
    }
    (fold(l, low_sums) / fold(l, low_counts).max(1.0), fold(l, high_sums) / fold(l, high_counts).max(1.0))
}

/// What is above `high`; and what is between, put into `open`, with how many they are.
#[inline(always)]
fn part<L: Lanes, S: Source, const N: usize>(
    l: L,
    a: &[L::V; N],
    (low, high, greatest): (f32, f32, f32),
    open: &mut [f32; 16 * (N_MOST + 1)],
) -> (Prefix, usize) {
    let zero = l.splat(0.0);
    let short = S::SHORT && greatest <= SPAN * high;
    let (low, high) = (l.splat(low), l.splat(high));
    let mut sums = zero;
    let mut wide = l.wide_splat(0.0);
    let (mut count, mut found) = (0, 0);
    // Were the number of vectors known here, the loop would be unrolled and its counts be added in vectors, at twice the
    // cost.
    for x in &a[..black_box(N)] {
        let x = *x;
        let (in_low, in_high) = (l.above(x, low), l.above(x, high));
        if short {
            sums = l.add_where(sums, in_high, x);
        } else {
            wide = l.wide_add_where(wide, in_high, x);
        }
        count += l.bits(in_high).count_ones();
        let between = l.without(in_low, in_high);
        if let Some(to) = open.get_mut(found..).and_then(|to| to.first_chunk_mut::<16>()) {
            l.compress(between, x, to);
        }
        found += l.bits(between).count_ones() as usize;
    }
    let sum = if short { l.wide_total(sums) } else { l.total_of_wide(wide) };
    (Prefix { sum, count: f64::from(count) }, found)
}
