//! The scale of the exact optimum over [`Lanes`].
//!
//! [`optimum`](crate::engine::ternary::optimum) proves that the best support is a prefix of the magnitudes in descending
//! order, those above d/2. A prefix of k magnitudes that sum up to S gains S²/k, which is the greatest 4t(S − tk) of any t,
//! that of t = S/2k. And S − tk is never more than H(t) = Σ max(a − t, 0), which it is for those above t. So **the gain of
//! the optimum is the greatest 4t·H(t)**, and H is convex: it lies below its chords. With H at a few thresholds, t·H(t) of
//! the best of them bounds the optimum from below, t times the chord from above: a parabola in t. Only where it is not less
//! may the optimum lie; what lies above is in the support for certain, what lies below is not, and only prefixes that end
//! between are compared. **The result does not depend on the thresholds:**
//!
//! - Sums are exact. d* ≥ mean, so what matters is above mean/2: of n ≤ 256 magnitudes the greatest is at most 2⁹ times
//!   that, an f32 has 24 bits, and sums of 256 take 8 more: 41 bits of the 53 of an f64, in whatever order they are added.
//! - The gain S²/k of a prefix is then one and the same f64 wherever it is computed, and of equal ones the shortest prefix
//!   is taken.
//! - What is shut out is beaten by more than rounding: the lower bound is taken less by more than all errors of both. A
//!   prefix whose gain is the best one but for rounding has its t = S/2k where the parabola reaches the bound, and keeps all
//!   above t but for what is as near to t as rounding, by less than the limits are moved apart.

use std::hint::black_box;

use super::lanes::{Lanes, SPAN, Source};

/// Thresholds of a round.
const POINTS: usize = 6;
/// Those of the first round, in units of [`GUESS`]·Σa²/Σa.
const AROUND: [f32; POINTS] = [0.7, 0.9, 1.0, 1.1, 1.4, 2.4];
/// The best threshold of normal weights in units of Σa²/Σa; of weights with heavier tails it is not far from there.
const GUESS: f32 = 0.489;
/// Further rounds, while more than [`MANY`] magnitudes are left between the limits.
const ROUNDS: usize = 2;
const MANY: usize = 32;
/// By what part limits are moved apart, for rounding.
const APART: f32 = 1.0 / (1 << 20) as f32;
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

/// What is known of a block: Σa, Σa², the greatest a; finite and not 0.
#[derive(Clone, Copy)]
pub(super) struct Known {
    pub total: f32,
    pub square: f32,
    pub greatest: f32,
}

impl Known {
    /// The mean, and half of it or a little less: as d* is no less than the mean, what is not above is in no best support.
    #[inline(always)]
    fn least<const N: usize>(self) -> (f32, f32) {
        let mean = self.total / (16 * N) as f32;
        (mean, mean * 0.5 * (1.0 - (16 * N) as f32 * f32::EPSILON))
    }
}

/// What is known of where the optimum of a block lies.
#[derive(Clone, Copy)]
struct Search {
    /// t·H(t) is at least this somewhere.
    bound: f32,
    /// What is above the second is in the support, what is not above the first is not.
    limits: (f32, f32),
}

/// Room for the magnitudes that a search leaves open, and for a vector behind the last.
pub(super) type Open = [f32; 16 * (N_MOST + 1)];

/// No magnitudes.
pub(super) const NONE_OPEN: Open = [0.0; 16 * (N_MOST + 1)];

/// The scales of the magnitudes of two blocks. Each step is done for both before the next one: a step takes long to follow
/// from the one before it, and meanwhile the other block's can be done.
#[inline(always)]
pub(super) fn best_scales<L: Lanes, S: Source, const N: usize>(
    l: L,
    a: [&[L::V; N]; 2],
    known: [Known; 2],
    open: &mut [Open; 2],
) -> [f64; 2] {
    let (mut t, mut h) = ([[0.0; 17]; 2], [[0.0; 17]; 2]);
    for i in 0..2 {
        let Known { total, square, greatest } = known[i];
        let guess = GUESS * square / total;
        t[i] = [greatest; 17];
        (t[i][0], h[i][0]) = (0.0, total);
        for (to, around) in t[i][1..=POINTS].iter_mut().zip(AROUND) {
            *to = lesser(around * guess, greatest);
        }
        excess::<L, N>(l, a[i], &t[i], &mut h[i]);
    }
    let mut searches = [Search { bound: 0.0, limits: (0.0, 0.0) }; 2];
    for i in 0..2 {
        let (mean, least) = known[i].least::<N>();
        let reach = greater(t[i][POINTS], 0.5 * known[i].greatest);
        let Search { bound, limits } = &mut searches[i];
        *limits = enclose(l, &t[i], &h[i], bound, margin(reach / mean));
        limits.0 = greater(limits.0, least);
    }
    let mut parts = [(Prefix { sum: 0.0, count: 0.0 }, 0); 2];
    for i in 0..2 {
        parts[i] = settle::<L, S, N>(l, a[i], known[i], &mut searches[i], &mut open[i]);
    }
    let mut scales = [0.0; 2];
    for i in 0..2 {
        let ((certain, found), (low, high)) = (parts[i], searches[i].limits);
        let best = if S::SHORT && found as f32 * high <= EXACT * low {
            best_of_short(l, certain, &mut open[i], found)
        } else {
            best_in_order(certain, &mut open[i][..found])
        };
        scales[i] = best.sum / best.count;
    }
    scales
}

/// Parts a block by what a search knows, after further rounds where much is open.
#[inline(always)]
fn settle<L: Lanes, S: Source, const N: usize>(
    l: L,
    a: &[L::V; N],
    known: Known,
    search: &mut Search,
    open: &mut Open,
) -> (Prefix, usize) {
    let mut rounds = 0;
    loop {
        let (low, high) = search.limits;
        let parts = part::<L, S, N>(l, a, (low, high, known.greatest), open);
        if parts.1 <= MANY || rounds == ROUNDS {
            return parts;
        }
        narrow(l, a, known.least::<N>().0, search);
        rounds += 1;
    }
}

/// Moves limits that leave much open nearer to each other.
#[inline(always)]
fn narrow<L: Lanes, const N: usize>(l: L, a: &[L::V; N], mean: f32, search: &mut Search) {
    let (low, high) = search.limits;
    let (mut t, mut h) = ([high; 17], [0.0; 17]);
    for i in 0..POINTS - 1 {
        t[i + 1] = low + i as f32 / (POINTS - 1) as f32 * (high - low);
    }
    excess::<L, N>(l, a, &t, &mut h);
    (t[0], h[0]) = (t[1], h[1]);
    let last = h[POINTS];
    h[POINTS + 1..].fill(last);
    let limits = enclose(l, &t, &h, &mut search.bound, margin(high / mean));
    search.limits = (greater(limits.0, low), lesser(limits.1, high));
}

/// H at the thresholds from the second on.
#[inline(always)]
fn excess<L: Lanes, const N: usize>(l: L, a: &[L::V; N], t: &[f32; 17], h: &mut [f32; 17]) {
    let (mut thresholds, mut sums) = ([l.splat(0.0); POINTS], [l.splat(0.0); POINTS]);
    for i in 0..POINTS {
        thresholds[i] = l.splat(t[i + 1]);
    }
    for x in a {
        for i in 0..POINTS {
            sums[i] = l.add(sums[i], l.max(*x, thresholds[i]));
        }
    }
    for i in 0..POINTS {
        h[i + 1] = greater(l.total(sums[i]) - (16 * N) as f32 * t[i + 1], 0.0);
    }
}

/// By what part of the bound t·H(t), and t times a chord, may be wrong, if t and the thresholds are no more than `reach`
/// means. H comes from a sum of n terms max(a, t), with a relative error of less than 23·2⁻²⁴ after N ≤ 16 additions, a
/// fold of a register, and what is subtracted; that sum is at most n·mean·(reach + 1), the bound at least n·mean²/4: 92.
/// Solving the square equation takes less than the rest.
///
/// Of the last chord, to 0 at the greatest magnitude g, t times the error is at most that of its first end, or where g is
/// far that error times g²/4(g − t) ≤ g/2.
#[inline(always)]
fn margin(reach: f32) -> f32 {
    const UNIT: f32 = 128.0 / (1 << 24) as f32;
    UNIT * reach * (reach + 1.0)
}

/// Between which thresholds the greatest t·H(t) may lie, given thresholds in ascending order, the first and last of which
/// enclose it already, and H at each. Raises `bound` to what the greatest is at least.
#[inline(always)]
fn enclose<L: Lanes>(l: L, t: &[f32; 17], h: &[f32; 17], bound: &mut f32, margin: f32) -> (f32, f32) {
    // A lane for each pair of neighbours.
    let pairs = |x: &[f32; 17]| {
        let (first, second) = (x.first_chunk(), x.last_chunk());
        (first.map_or(l.splat(0.0), |x| l.singles(x)), second.map_or(l.splat(0.0), |x| l.singles(x)))
    };
    let ((t1, t2), (h1, h2)) = (pairs(t), pairs(h));
    let zero = l.splat(0.0);
    let all = l.at_least(zero, zero);
    *bound = greater(*bound, l.greatest(l.mul(t2, h2)) * (1.0 - margin));
    let least = *bound * (1.0 - margin);
    // t·(p − t·fall)/width ≥ least, where p² ≥ 4·fall·least·width, between the solutions low = 2·least·width/s and
    // high = s/(2·fall).
    let h1 = l.max(h1, h2);
    let (width, fall) = (l.sub_where(t2, all, t1), l.sub_where(h1, all, h2));
    let p = l.add(l.mul(h1, width), l.mul(fall, t1));
    let (twice, wanted) = (l.add(fall, fall), l.mul(width, l.splat(2.0 * least)));
    let rest = l.sub_where(l.mul(p, p), all, l.mul(twice, wanted));
    let s = l.add(p, l.sqrt(l.max(rest, zero)));
    let low = l.max(l.div(wanted, s), t1);
    // Highs are negative here.
    let high = l.max(l.sub_where(zero, all, l.div(s, twice)), l.sub_where(zero, all, t2));
    let there = l.without(l.without(l.above(p, zero), l.above(zero, rest)), l.above(l.add(low, high), zero));
    let not_there = l.without(all, there);
    let lows = l.sub_where(l.sub_where(zero, there, low), not_there, l.splat(f32::MAX));
    let low = -l.greatest(lows);
    let high = l.greatest(l.sub_where(zero, there, high));
    (low * (1.0 - APART), high * (1.0 + APART))
}

/// The greater; of NaN the second.
#[inline(always)]
fn greater(a: f32, b: f32) -> f32 {
    if a > b { a } else { b }
}

/// The lesser; of NaN the second.
#[inline(always)]
fn lesser(a: f32, b: f32) -> f32 {
    if a < b { a } else { b }
}

/// The prefix of greatest gain that ends with one of the open magnitudes, or before them. Sixteen at once: each lane has a
/// magnitude and adds up those that are not below it. Equal ones belong to all of them: the best prefix cuts no run of
/// equal magnitudes. Their sums must be exact in f32. Gains are in f32 first; those that may be the best then in f64.
#[inline(always)]
fn best_of_short<L: Lanes>(l: L, certain: Prefix, open: &mut Open, found: usize) -> Prefix {
    // What was written behind the last is not one of them; zeros count nowhere but with each other.
    open[found..found + 16].fill(0.0);
    let open = &open.as_chunks::<16>().0[..found.div_ceil(16)];
    let (zero, one) = (l.splat(0.0), l.splat(1.0));
    let (certain_sum, certain_count) = (l.splat(certain.sum as f32), l.splat(certain.count as f32));
    let (mut best, mut gain) = (certain, certain.gain());
    for lanes in open {
        let x = l.singles(lanes);
        let (mut sums, mut counts) = ((zero, zero), (zero, zero));
        for magnitudes in open {
            for i in 0..8 {
                let (even, odd) = (l.splat(magnitudes[2 * i]), l.splat(magnitudes[2 * i + 1]));
                let counted = (l.at_least(even, x), l.at_least(odd, x));
                sums = (l.add_where(sums.0, counted.0, even), l.add_where(sums.1, counted.1, odd));
                counts = (l.add_where(counts.0, counted.0, one), l.add_where(counts.1, counted.1, one));
            }
        }
        let (sums, counts) = (l.add(sums.0, sums.1), l.add(counts.0, counts.1));
        let (sum, count) = (l.add(certain_sum, sums), l.add(certain_count, counts));
        let gains = l.div(l.mul(sum, sum), count);
        // Six roundings each of these gains.
        let near = l.greatest(gains).max(gain as f32) * (1.0 - 32.0 / (1 << 24) as f32);
        let mut ends = l.bits(l.at_least(gains, l.splat(near)));
        let (mut all_sums, mut all_counts) = ([0.0; 16], [0.0; 16]);
        l.store(sums, &mut all_sums);
        l.store(counts, &mut all_counts);
        while ends != 0 {
            let at = ends.trailing_zeros() as usize & 15;
            let sum = certain.sum + f64::from(all_sums[at]);
            let prefix = Prefix { sum, count: certain.count + f64::from(all_counts[at]) };
            let new = prefix.gain();
            if new > gain || new == gain && prefix.count < best.count {
                (best, gain) = (prefix, new);
            }
            ends &= ends - 1;
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

/// What is above `high`; and what is between, put into `open`, with how many they are.
#[inline(always)]
fn part<L: Lanes, S: Source, const N: usize>(
    l: L,
    a: &[L::V; N],
    (low, high, greatest): (f32, f32, f32),
    open: &mut Open,
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
