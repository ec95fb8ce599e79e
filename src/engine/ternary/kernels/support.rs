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

use super::lanes::{Lanes, SPAN, Source};

/// Thresholds of a round.
pub(super) const POINTS: usize = 6;
/// Those of the first round, in units of [`GUESS`]·Σa²/Σa, after 0 and before the greatest magnitude; for two blocks.
const AROUND: [f32; 16] = {
    let infinite = f32::INFINITY;
    [0.0, 0.7, 0.9, 1.0, 1.1, 1.4, 2.4, infinite, 0.0, 0.7, 0.9, 1.0, 1.1, 1.4, 2.4, infinite]
};
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
    const NONE: Self = Self { sum: 0.0, count: 0.0 };

    fn gain(self) -> f64 {
        if self.count > 0.0 { self.sum * self.sum / self.count } else { 0.0 }
    }

    /// What is left of it without what is below the magnitude of a lane, the lowest of `ends`.
    #[inline(always)]
    fn without(self, sums: &[f32; 16], counts: &[f32; 16], ends: u32) -> Self {
        let at = ends.trailing_zeros() as usize & 15;
        Self { sum: self.sum - f64::from(sums[at]), count: self.count - f64::from(counts[at]) }
    }

    /// The one of greater gain; of equal ones the shorter.
    fn better(self, other: Self) -> Self {
        let (mine, others) = (self.gain(), other.gain());
        if others > mine || others == mine && other.count < self.count { other } else { self }
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
    pub const NOTHING: Self = Self { total: 0.0, square: 0.0, greatest: 0.0 };

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

/// The scales of the magnitudes of an even number of blocks. Each step is done for all of them before the next one: a step
/// takes long to follow from the one before it, and meanwhile those of other blocks can be done.
#[inline(always)]
pub(super) fn best_scales<L: Lanes, S: Source, const N: usize, const B: usize>(
    l: L,
    a: &[[L::V; N]; B],
    known: &[Known; B],
    open: &mut [Open; B],
) -> [f64; B] {
    let zero = l.splat(0.0);
    let (mut t, mut h) = ([zero; B], [zero; B]);
    for i in (0..B).step_by(2) {
        (t[i], h[i]) = first_round::<L, N>(l, [&a[i], &a[i + 1]], [known[i], known[i + 1]]);
    }
    let mut searches = [Search { bound: 0.0, limits: (0.0, 0.0) }; B];
    for i in (0..B).step_by(2) {
        let mut bounds = [0.0; 2];
        let means = [known[i].least::<N>().0, known[i + 1].least::<N>().0];
        let limits = enclose(l, (t[i], h[i]), &mut bounds, (UNIT, means));
        for j in 0..2 {
            let (low, high) = limits[j];
            searches[i + j] = Search { bound: bounds[j], limits: (greater(low, known[i + j].least::<N>().1), high) };
        }
    }
    let mut parts = [(Prefix::NONE, 0); B];
    for i in 0..B {
        parts[i] = settle::<L, S, N>(l, &a[i], known[i], &mut searches[i], &mut open[i]);
    }
    let mut scales = [0.0; B];
    for i in 0..B {
        let ((all, found), (low, high)) = (parts[i], searches[i].limits);
        let best = if !S::SHORT || found as f32 * high > EXACT * low {
            best_in_order(all, &mut open[i][..found])
        } else if found < 16 {
            best_of_few(l, all, &mut open[i], found)
        } else {
            best_of_short(l, all, &mut open[i], found)
        };
        scales[i] = best.sum / best.count;
    }
    scales
}

/// The thresholds of the first round of two blocks, and H there: eight lanes for each.
#[inline(always)]
fn first_round<L: Lanes, const N: usize>(l: L, a: [&[L::V; N]; 2], known: [Known; 2]) -> (L::V, L::V) {
    let t = first_thresholds(l, known.map(|known| (known.square / known.total, known.greatest)));
    let mut thresholds = [0.0; 16];
    l.store(t, &mut thresholds);
    let (first, second) = thresholds.split_at(8);
    let sums = l.totals([excess::<L, N>(l, a[0], first), excess::<L, N>(l, a[1], second)]);
    let h = l.max(l.sub(sums, l.mul(t, l.splat((16 * N) as f32))), l.splat(0.0));
    // H(0) is the total, and above the greatest magnitude there is nothing.
    (t, l.add_where(h, l.above(l.splat(1.0), per_lane(l)), l.eights(known[0].total, known[1].total)))
}

/// The thresholds of the first round of two blocks, of which Σa²/Σa and the greatest magnitude are known.
#[inline(always)]
pub(super) fn first_thresholds<L: Lanes>(l: L, known: [(f32, f32); 2]) -> L::V {
    let guess = l.eights(GUESS * known[0].0, GUESS * known[1].0);
    l.min(l.mul(l.singles(&AROUND), guess), l.eights(known[0].1, known[1].1))
}

/// The thresholds of a further round between two limits, twice: the first and the last stand beside themselves.
#[inline(always)]
pub(super) fn narrower<L: Lanes>(l: L, (low, high): (f32, f32)) -> L::V {
    let mut t = ORDINALS;
    for t in &mut t {
        *t = low + (high - low) * lesser(greater(*t - 1.0, 0.0) / (POINTS - 1) as f32, 1.0);
    }
    l.singles(&t)
}

/// The number of each lane among its eight.
#[inline(always)]
pub(super) fn per_lane<L: Lanes>(l: L) -> L::V {
    l.singles(&ORDINALS)
}

/// See [`per_lane`].
const ORDINALS: [f32; 16] = [0.0, 1.0, 2.0, 3.0, 4.0, 5.0, 6.0, 7.0, 0.0, 1.0, 2.0, 3.0, 4.0, 5.0, 6.0, 7.0];

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
    let (lanes, mut t) = (narrower(l, (low, high)), [0.0; 16]);
    l.store(lanes, &mut t);
    let sums = excess::<L, N>(l, a, &t);
    let mut h = [0.0; 16];
    l.store(l.totals([sums, sums]), &mut h);
    for (h, t) in h.iter_mut().zip(t) {
        *h = greater(*h - (16 * N) as f32 * t, 0.0);
    }
    for half in h.chunks_mut(8) {
        (half[0], half[7]) = (half[1], half[6]);
    }
    let mut bounds = [search.bound; 2];
    let [limits, _] = enclose(l, (lanes, l.singles(&h)), &mut bounds, (UNIT, [mean; 2]));
    search.bound = bounds[0];
    search.limits = (greater(limits.0, low), lesser(limits.1, high));
}

/// Sums of max(a, t) in lanes, for eight thresholds but the first and the last.
#[inline(always)]
fn excess<L: Lanes, const N: usize>(l: L, a: &[L::V; N], t: &[f32]) -> [L::V; 8] {
    let (mut thresholds, mut sums) = ([l.splat(0.0); POINTS], [l.splat(0.0); 8]);
    for (to, t) in thresholds.iter_mut().zip(&t[1..]) {
        *to = l.splat(*t);
    }
    for x in a {
        for i in 0..POINTS {
            sums[i + 1] = l.add(sums[i + 1], l.max(*x, thresholds[i]));
        }
    }
    sums
}

/// By what part of the bound t·H(t), and t times a chord, may be wrong, for each mean that t and the thresholds are at most,
/// and each in one more. H comes from a sum of n terms max(a, t), with a relative error of less than 23·2⁻²⁴ after N ≤ 16
/// additions, a fold of a register, and what is subtracted; if t is at most so many means, the sum is at most n·mean·(t + 1),
/// the bound at least n·mean²/4: 92. Solving the square equation takes less than the rest.
const UNIT: f32 = 128.0 / (1 << 24) as f32;

/// Between which thresholds the greatest t·H(t) of each of two blocks may lie, given eight thresholds of each in ascending
/// order, the first and last of which enclose it already, and H at each. Raises the bounds to what the greatest is at least.
///
/// By what part it may be wrong is `unit` for each mean in the greater threshold of a chord and each in one more. Of the last
/// chord, to 0 at the greatest magnitude g, t times the error is at most that of its first end, or where g is far that error
/// times g²/4(g − t) ≤ g/2.
#[inline(always)]
pub(super) fn enclose<L: Lanes>(
    l: L,
    (t1, h1): (L::V, L::V),
    bounds: &mut [f32; 2],
    (unit, means): (f32, [f32; 2]),
) -> [(f32, f32); 2] {
    // A lane for each pair of neighbours; the last of eight is no pair.
    let (t2, h2) = (l.next(t1), l.next(h1));
    let (zero, one) = (l.splat(0.0), l.splat(1.0));
    let last = l.above(per_lane(l), l.splat((POINTS - 1) as f32));
    let far = l.choose(last, l.max(t1, l.mul(t2, l.splat(0.5))), t2);
    let reach = l.mul(far, l.eights(1.0 / means[0], 1.0 / means[1]));
    let less = l.sub(one, l.mul(l.mul(reach, l.splat(unit)), l.add(reach, one)));
    let bound = l.greatest_of_eights(l.mul(l.mul(t2, h2), less));
    let bound = l.max(bound, l.eights(bounds[0], bounds[1]));
    *bounds = l.firsts(bound);
    let least = l.mul(bound, less);
    // t·(p − t·fall)/width ≥ least, where p² ≥ 4·fall·least·width, between the solutions low = 2·least·width/s and
    // high = s/(2·fall).
    let h1 = l.max(h1, h2);
    let (width, fall) = (l.sub(t2, t1), l.sub(h1, h2));
    let p = l.add(l.mul(h1, width), l.mul(fall, t1));
    let (twice, wanted) = (l.add(fall, fall), l.mul(width, l.add(least, least)));
    let rest = l.sub(l.mul(p, p), l.mul(twice, wanted));
    let s = l.add(p, l.sqrt(l.max(rest, zero)));
    let low = l.max(l.div(wanted, s), t1);
    let high = l.min(l.div(s, twice), t2);
    let there = l.without(l.without(l.above(p, zero), l.above(zero, rest)), l.above(low, high));
    // Nothing is known of a chord that may be wrong by half.
    let unknown = l.at_least_of(l.above(width, zero), l.splat(0.5), less);
    // The least low as the greatest of their negatives.
    let lows = l.choose(unknown, l.sub(zero, t1), l.choose(there, l.sub(zero, low), l.splat(f32::MIN)));
    let highs = l.choose(unknown, t2, l.choose(there, high, zero));
    let low = l.firsts(l.mul(l.greatest_of_eights(lows), l.splat(APART - 1.0)));
    let high = l.firsts(l.mul(l.greatest_of_eights(highs), l.splat(1.0 + APART)));
    [(low[0], high[0]), (low[1], high[1])]
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

/// What [`best_of_short`] finds, of at most fifteen open magnitudes, without a branch unless two prefixes are about as good.
#[inline(always)]
fn best_of_few<L: Lanes>(l: L, all: Prefix, open: &mut Open, found: usize) -> Prefix {
    let there = l.above(l.splat(found as f32), l.singles(&ORDER));
    let x = l.singles(&open.as_chunks::<16>().0[0]);
    let mut few = [0.0; 16];
    l.store(l.choose(there, x, l.splat(f32::INFINITY)), &mut few);
    let gains = Gains::of(l, all, l.choose(there, x, l.splat(behind(all, found))), &[few]);
    let near = l.mul(l.crest(gains.all), l.splat(NEAR));
    let mut ends = gains.not_below(l, near) & ((2 << found) - 1);
    let (sums, counts) = gains.lanes(l);
    let mut best = all.without(&sums, &counts, ends);
    ends &= ends.wrapping_sub(1);
    while ends != 0 {
        best = best.better(all.without(&sums, &counts, ends));
        ends &= ends - 1;
    }
    best
}

/// The number of each lane.
pub(super) const ORDER: [f32; 16] =
    [0.0, 1.0, 2.0, 3.0, 4.0, 5.0, 6.0, 7.0, 8.0, 9.0, 10.0, 11.0, 12.0, 13.0, 14.0, 15.0];
/// What a gain in f32 is at least of the greatest, if its prefix may be the best: six roundings each.
const NEAR: f32 = 1.0 - 32.0 / (1 << 24) as f32;

/// The magnitude of lanes behind the last: one that none reaches, for the prefix before all, or, where there is none, 0.
#[inline(always)]
fn behind(all: Prefix, found: usize) -> f32 {
    if all.count > found as f64 { f32::INFINITY } else { 0.0 }
}

/// Prefixes that end with each of sixteen magnitudes.
struct Gains<L: Lanes> {
    /// What is left out of all: sums, and how many.
    sums: L::V,
    counts: L::V,
    /// Gains of what is left.
    all: L::V,
}

impl<L: Lanes> Gains<L> {
    /// Each lane adds up what of the open magnitudes is below its own. Their sums must be exact in f32.
    #[inline(always)]
    fn of(l: L, all: Prefix, x: L::V, open: &[[f32; 16]]) -> Self {
        let (zero, one) = (l.splat(0.0), l.splat(1.0));
        let (mut sums, mut counts) = ((zero, zero), (zero, zero));
        for magnitudes in open {
            for i in 0..8 {
                let (even, odd) = (l.splat(magnitudes[2 * i]), l.splat(magnitudes[2 * i + 1]));
                let below = (l.above(x, even), l.above(x, odd));
                sums = (l.add_where(sums.0, below.0, even), l.add_where(sums.1, below.1, odd));
                counts = (l.add_where(counts.0, below.0, one), l.add_where(counts.1, below.1, one));
            }
        }
        let (sums, counts) = (l.add(sums.0, sums.1), l.add(counts.0, counts.1));
        let (sum, count) = (l.sub(l.splat(all.sum as f32), sums), l.sub(l.splat(all.count as f32), counts));
        Self { sums, counts, all: l.div(l.mul(sum, sum), count) }
    }

    /// Bits of the lanes whose gains are not below.
    #[inline(always)]
    fn not_below(&self, l: L, least: L::V) -> u32 {
        l.bits(l.at_least(self.all, least))
    }

    #[inline(always)]
    fn lanes(&self, l: L) -> ([f32; 16], [f32; 16]) {
        let (mut sums, mut counts) = ([0.0; 16], [0.0; 16]);
        l.store(self.sums, &mut sums);
        l.store(self.counts, &mut counts);
        (sums, counts)
    }
}

/// The prefix of greatest gain that ends with one of the open magnitudes, or before them; `all` is the longest. Sixteen at
/// once. Equal ones belong to all of them: the best prefix cuts no run of equal magnitudes. Their sums must be exact in
/// f32. Gains are in f32 first; those that may be the best then in f64.
#[inline(always)]
fn best_of_short<L: Lanes>(l: L, all: Prefix, open: &mut Open, found: usize) -> Prefix {
    // What was written behind the last is not one of them.
    open[found..found + 16].fill(f32::INFINITY);
    let (mut best, open) = (all, &open.as_chunks::<16>().0[..=found / 16]);
    for lanes in open {
        let x = l.singles(lanes);
        let there = l.above(l.splat(f32::INFINITY), x);
        let gains = Gains::of(l, all, l.choose(there, x, l.splat(behind(all, found))), open);
        let near = l.greatest(gains.all).max(best.gain() as f32) * NEAR;
        let (mut ends, (sums, counts)) = (gains.not_below(l, l.splat(near)), gains.lanes(l));
        while ends != 0 {
            best = best.better(all.without(&sums, &counts, ends));
            ends &= ends - 1;
        }
    }
    best
}

/// The same one after the other, for sums that f32 does not hold.
#[inline(always)]
fn best_in_order(all: Prefix, open: &mut [f32]) -> Prefix {
    open.sort_unstable_by(f32::total_cmp);
    let (mut now, mut best) = (all, all);
    for x in open {
        now = Prefix { sum: now.sum - f64::from(*x), count: now.count - 1.0 };
        best = best.better(now);
    }
    best
}

/// What is above `low`; and how many of it are not above `high`: these are put into `open`.
#[inline(always)]
fn part<L: Lanes, S: Source, const N: usize>(
    l: L,
    a: &[L::V; N],
    (low, high, greatest): (f32, f32, f32),
    open: &mut Open,
) -> (Prefix, usize) {
    let short = S::SHORT && greatest <= SPAN * low;
    let (low, high) = (l.splat(low), l.splat(high));
    let (mut sums, mut counts) = (l.splat(0.0), l.splat(0.0));
    let mut found = 0;
    for x in a {
        let above = l.above(*x, low);
        sums = l.add_where(sums, above, *x);
        counts = l.add_where(counts, above, l.splat(1.0));
        let between = l.at_least_of(above, high, *x);
        if let Some(to) = open.get_mut(found..).and_then(|to| to.first_chunk_mut::<16>()) {
            l.compress(between, *x, to);
        }
        found += l.many(between);
    }
    let sum = if short {
        l.wide_total(sums)
    } else {
        let mut sums = l.wide_splat(0.0);
        for x in a {
            sums = l.wide_add_where(sums, l.above(*x, low), *x);
        }
        l.total_of_wide(sums)
    };
    (Prefix { sum, count: f64::from(l.total(counts)) }, found)
}
