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

use super::lanes::{Lanes, SPAN, Source};
use super::fold;

/// Rounds of the iteration from each side.
const ROUNDS: usize = 3;
/// Further rounds where they leave more than [`OPEN`] magnitudes between them.
const MORE_ROUNDS: usize = 5;
/// Most magnitudes that are sorted here.
const OPEN: usize = 48;

/// The scale, or `None` where too many magnitudes are left to be sorted here. `mean` and `greatest` are those of `a`, which
/// are finite and not all zero.
#[inline(always)]
pub(super) fn best_scale<L: Lanes, S: Source, const N: usize>(
    l: L,
    a: &[L::V; N],
    mean: f32,
    greatest: f32,
) -> Option<f64> {
    let margin = (16 * N) as f32 * f32::EPSILON;
    let (mut low, mut high) = (mean * (1.0 - margin), greatest);
    for round in 0..ROUNDS + MORE_ROUNDS {
        if round >= ROUNDS && count_between(l, a, low / 2.0, high / 2.0) <= OPEN {
            break;
        }
        let (from_below, from_above) = means_above(l, a, low / 2.0, high / 2.0);
        low = from_below * (1.0 - margin);
        high = from_above * (1.0 + margin);
    }
    let (low, high) = (low / 2.0, high / 2.0);
    let mut open = [0.0f32; 16 * 17];
    let (sum, count, found) = part::<L, S, N>(l, a, (low, high, greatest), &mut open);
    let open = open.get_mut(..found).filter(|_| found <= OPEN)?;
    sort(open);
    let (mut sum, mut count) = (sum, count);
    let (mut gain, mut scale) = (0.0, 0.0);
    if count > 0 {
        (gain, scale) = (sum * sum / f64::from(count), sum / f64::from(count));
    }
    for x in open {
        sum += f64::from(*x);
        count += 1;
        let with = sum * sum / f64::from(count);
        if with > gain {
            (gain, scale) = (with, sum / f64::from(count));
        }
    }
    Some(scale)
}

/// Descending; few, and more or less at random.
#[inline(always)]
fn sort(open: &mut [f32]) {
    for i in 1..open.len() {
        let x = open[i];
        let mut at = i;
        while at > 0 && open[at - 1] < x {
            open[at] = open[at - 1];
            at -= 1;
        }
        open[at] = x;
    }
}

/// Means of what is above each of two thresholds; 0 where nothing is.
#[inline(always)]
fn means_above<L: Lanes, const N: usize>(l: L, a: &[L::V; N], low: f32, high: f32) -> (f32, f32) {
    let (zero, one) = (l.splat(0.0), l.splat(1.0));
    let (low, high) = (l.splat(low), l.splat(high));
    let (mut low_sums, mut low_counts) = ([zero; 2], [zero; 2]);
    let (mut high_sums, mut high_counts) = ([zero; 2], [zero; 2]);
    for i in 0..N {
        let x = a[i];
        let (in_low, in_high) = (l.above(x, low), l.above(x, high));
        low_sums[i & 1] = l.add_where(low_sums[i & 1], in_low, x);
        low_counts[i & 1] = l.add_where(low_counts[i & 1], in_low, one);
        high_sums[i & 1] = l.add_where(high_sums[i & 1], in_high, x);
        high_counts[i & 1] = l.add_where(high_counts[i & 1], in_high, one);
    }
    (
        fold(l, low_sums) / fold(l, low_counts).max(1.0),
        fold(l, high_sums) / fold(l, high_counts).max(1.0),
    )
}

#[inline(always)]
fn count_between<L: Lanes, const N: usize>(l: L, a: &[L::V; N], low: f32, high: f32) -> usize {
    let (low, high) = (l.splat(low), l.splat(high));
    let mut count = 0;
    for x in a {
        count += (l.bits(l.above(*x, low)) & !l.bits(l.above(*x, high))).count_ones();
    }
    count as usize
}

/// Sum and count of what is above `high`, and what is between, put into `open`, with how many they are.
#[inline(always)]
fn part<L: Lanes, S: Source, const N: usize>(
    l: L,
    a: &[L::V; N],
    (low, high, greatest): (f32, f32, f32),
    open: &mut [f32; 16 * 17],
) -> (f64, u32, usize) {
    let zero = l.splat(0.0);
    let short = S::SHORT && greatest <= SPAN * high;
    let (low, high) = (l.splat(low), l.splat(high));
    let mut sums = [zero; 2];
    let mut wide = l.wide_zero();
    let (mut count, mut found) = (0, 0);
    for i in 0..N {
        let x = a[i];
        let (in_low, in_high) = (l.above(x, low), l.above(x, high));
        if short {
            sums[i & 1] = l.add_where(sums[i & 1], in_high, x);
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
    let sum = if short { l.wide_total(l.add(sums[0], sums[1])) } else { l.total_of_wide(wide) };
    (sum, count, found)
}
