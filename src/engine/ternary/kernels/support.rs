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

/// Rounds of the iteration from each side, then further ones while more than [`OPEN`] magnitudes are left between.
const ROUNDS: [usize; 4] = [3, 1, 1, 2];
/// Most magnitudes that are compared with each other here.
const OPEN: usize = 32;

/// A support that may be the best.
#[derive(Clone, Copy)]
struct Prefix {
    sum: f64,
    count: f64,
}

/// The scale, or `None` where too many magnitudes are left to be compared here. `mean` and `greatest` are those of `a`,
/// which are finite and not all zero.
#[inline(always)]
pub(super) fn best_scale<L: Lanes, S: Source, const N: usize>(
    l: L,
    a: &[L::V; N],
    mean: f32,
    greatest: f32,
) -> Option<f64> {
    let margin = (16 * N) as f32 * f32::EPSILON;
    let (mut below, mut above) = (mean * (1.0 - margin), greatest);
    let mut open = [0.0f32; 16 * (N_MOST + 1)];
    let (mut certain, mut found) = (Prefix { sum: 0.0, count: 0.0 }, usize::MAX);
    for rounds in ROUNDS {
        for _ in 0..rounds {
            let means = means_above(l, a, below / 2.0, above / 2.0);
            (below, above) = (means.0 * (1.0 - margin), means.1 * (1.0 + margin));
        }
        (certain, found) = part::<L, S, N>(l, a, (below / 2.0, above / 2.0, greatest), &mut open);
        if found <= OPEN {
            break;
        }
    }
    if found > OPEN {
        return None;
    }
    let (low, high) = (below / 2.0, above / 2.0);
    // What was written behind the last is nothing: 0 is in no prefix, since it is above no magnitude.
    open[found..OPEN].fill(0.0);
    let best = if S::SHORT && high <= SPAN * low {
        best_of_short(l, certain, &open, found)
    } else {
        best_in_order(certain, &mut open[..found])
    };
    Some(best.sum / best.count)
}

/// Most vectors of a block.
const N_MOST: usize = 16;

/// The prefix of greatest gain that ends with one of the open magnitudes, or before them. All at once: each lane has a
/// magnitude and adds up those that are not below it. Equal ones belong to all of them: the best prefix cuts no run of
/// equal magnitudes. Sums of 32 within [`SPAN`] of each other are exact.
#[inline(always)]
fn best_of_short<L: Lanes>(l: L, certain: Prefix, open: &[f32; 16 * (N_MOST + 1)], found: usize) -> Prefix {
    let Some((first, second)) = open.first_chunk::<16>().zip(open[16..].first_chunk::<16>()) else { return certain };
    let (zero, one) = (l.splat(0.0), l.splat(1.0));
    let (x, y) = (l.singles(first), l.singles(second));
    let (mut x_sums, mut x_counts, mut y_sums, mut y_counts) = (zero, zero, zero, zero);
    for magnitude in &open[..found] {
        let magnitude = l.splat(*magnitude);
        let (in_x, in_y) = (l.at_least(magnitude, x), l.at_least(magnitude, y));
        x_sums = l.add_where(x_sums, in_x, magnitude);
        x_counts = l.add_where(x_counts, in_x, one);
        y_sums = l.add_where(y_sums, in_y, magnitude);
        y_counts = l.add_where(y_counts, in_y, one);
    }
    let (sum, count) = (l.wide_splat(certain.sum), l.wide_splat(certain.count));
    let gains = |sums, counts| {
        let (sum, count) = (l.wide_add(sum, l.wide(sums)), l.wide_add(count, l.wide(counts)));
        l.wide_div(l.wide_mul(sum, sum), count)
    };
    let x_gains = gains(x_sums, x_counts);
    let y_gains = if found > 16 { gains(y_sums, y_counts) } else { l.wide_splat(0.0) };
    let gain = l.wide_greatest(l.wide_max(x_gains, y_gains));
    if certain.count > 0.0 && certain.sum * certain.sum / certain.count >= gain {
        return certain;
    }
    let mut ends = l.wide_equal(x_gains, gain) | l.wide_equal(y_gains, gain) << 16;
    let mut best = Prefix { sum: f64::INFINITY, count: f64::INFINITY };
    let (mut sums, mut counts) = ([[0.0; 16]; 2], [[0.0; 16]; 2]);
    l.store(x_sums, &mut sums[0]);
    l.store(x_counts, &mut counts[0]);
    l.store(y_sums, &mut sums[1]);
    l.store(y_counts, &mut counts[1]);
    while ends != 0 {
        let at = ends.trailing_zeros() as usize;
        let count = certain.count + f64::from(counts[at / 16][at % 16]);
        if at < found && count < best.count {
            best = Prefix { sum: certain.sum + f64::from(sums[at / 16][at % 16]), count };
        }
        ends &= ends - 1;
    }
    best
}

/// The same one after the other, for sums that f32 does not hold.
#[inline(always)]
fn best_in_order(certain: Prefix, open: &mut [f32]) -> Prefix {
    for i in 1..open.len() {
        let x = open[i];
        let mut at = i;
        while at > 0 && open[at - 1] < x {
            open[at] = open[at - 1];
            at -= 1;
        }
        open[at] = x;
    }
    let (mut now, mut best) = (certain, certain);
    let mut gain = if certain.count > 0.0 { certain.sum * certain.sum / certain.count } else { 0.0 };
    for x in open {
        now = Prefix { sum: now.sum + f64::from(*x), count: now.count + 1.0 };
        let with = now.sum * now.sum / now.count;
        if with > gain {
            (gain, best) = (with, now);
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
