//! The scale of the importance-weighted optimum over [`Lanes`], and the weighted error sums.
//!
//! As in [`support`](super::support) the optimum is enclosed by bounds: with H(t) = Σ q·max(a − t, 0) its gain is the greatest
//! 4t·H(t) here too. **And here too the result does not depend on how it is enclosed, because sums are exact:** q is 1, or
//! at least 10⁻⁶ with Σq ≤ n(1 + 2⁻¹⁵). Magnitudes that matter are above half of the weighted mean m but for rounding, and
//! products qa have 24 bits: all are multiples of 2⁻²⁴·10⁻⁶·m/2, of which Σqa = m·Σq are no more than 2⁵³ for n ≤ 256. In
//! the same way q are multiples of 2⁻⁴³, and sum up to less than 2⁹. So f64 holds every sum, in whatever order it is added
//! up, and the gains of prefixes are the same f64 as in [`optimum`](crate::engine::ternary::optimum).

use super::fold;
use super::lanes::Lanes;
use super::support::{ORDER, POINTS, enclose, first_thresholds, narrower, per_lane};
use crate::engine::ternary::exact::{FLOOR, Sums, best_prefix, key, weighted_margin};

/// Most vectors of a block.
const N_MOST: usize = 16;
/// Further rounds, while more than [`FEW`] magnitudes are left between the limits.
const ROUNDS: usize = 2;
const FEW: usize = 15;

/// By what part of the bound t·H(t) may be wrong for each mean in t, and each in t + 1. H is Σ q·max(a, t) less t·Σq: N fused
/// steps and a fold, 20 roundings, each of at most (t + 1) means; the products qa that count are rounded once more. As the
/// bound is at least a quarter of a mean this is 176·2⁻²⁴; solving takes less than the rest.
const UNIT: f32 = 256.0 / (1 << 24) as f32;
/// What a gain in f32 is at least of the greatest if its prefix may be the best, and what the sums of all may be of those of
/// the prefix before the open ones: nine roundings of no more than half of it, and some of the whole, for sums and counts.
const NEAR: f32 = 1.0 - 64.0 / (1 << 24) as f32;
const ALL: f64 = 1.5;

/// A block as its search wants it: magnitudes, normalised importance, their products.
#[derive(Clone, Copy)]
pub(super) struct Room<const N: usize> {
    a: [[f32; 16]; N],
    q: [[f32; 16]; N],
    qa: [[f32; 16]; N],
}

impl<const N: usize> Room<N> {
    pub const EMPTY: Self = Self { a: [[0.0; 16]; N], q: [[0.0; 16]; N], qa: [[0.0; 16]; N] };
}

/// Sums of a block in f32: q, qa, qa²; and its greatest magnitude.
#[derive(Clone, Copy)]
struct Known {
    q: f32,
    qa: f32,
    square: f32,
    greatest: f32,
}

/// A prefix of magnitudes in descending order, by sums.
#[derive(Clone, Copy)]
struct Prefix {
    q: f64,
    qa: f64,
}

impl Prefix {
    const NONE: Self = Self { q: 0.0, qa: 0.0 };

    fn gain(self) -> f64 {
        if self.q > 0.0 { self.qa * self.qa / self.q } else { 0.0 }
    }

    fn without(self, other: Self) -> Self {
        Self { q: self.q - other.q, qa: self.qa - other.qa }
    }

    /// The one of greater gain; of equal ones the shorter.
    fn better(self, other: Self) -> Self {
        let (mine, others) = (self.gain(), other.gain());
        if others > mine || others == mine && other.q < self.q { other } else { self }
    }
}

/// Places of the magnitudes between the limits, as bits of f32, with room for a vector behind the last.
type Places = [f32; 16 * (N_MOST + 1)];

/// The place of each magnitude.
const PLACES: [[f32; 16]; N_MOST] = {
    let mut places = [[0.0; 16]; N_MOST];
    let mut i = 0;
    while i < 16 * N_MOST {
        places[i / 16][i % 16] = f32::from_bits(i as u32);
        i += 1;
    }
    places
};

/// The scales of an even number of blocks, before rounding, each step for all of them before the next one.
#[inline(always)]
pub(super) fn best_scales<L: Lanes, const N: usize, const B: usize>(
    l: L,
    a: &[[L::V; N]; B],
    importance: &[&[[f32; 16]; N]; B],
    greatest: &[f32; B],
    rooms: &mut [Room<N>; B],
) -> [f64; B] {
    let mut known = [Known { q: 0.0, qa: 0.0, square: 0.0, greatest: 0.0 }; B];
    for i in 0..B {
        known[i] = normalise(l, &a[i], importance[i], &mut rooms[i], greatest[i]);
    }
    let zero = l.splat(0.0);
    let (mut t, mut h) = ([zero; B], [zero; B]);
    for i in (0..B).step_by(2) {
        t[i] = first_thresholds(
            l,
            [0, 1].map(|j| {
                let Known { qa, square, greatest, .. } = known[i + j];
                (square / qa, greatest)
            }),
        );
        h[i] = excess(l, [&a[i], &a[i + 1]], [&rooms[i].q, &rooms[i + 1].q], t[i], [known[i], known[i + 1]]);
        // H(0) is the sum of all.
        h[i] = l.add_where(h[i], l.above(l.splat(1.0), per_lane(l)), l.eights(known[i].qa, known[i + 1].qa));
    }
    let mut searches = [(0.0, (0.0, 0.0)); B];
    for i in (0..B).step_by(2) {
        let mut bounds = [0.0; 2];
        let means = [known[i].qa / known[i].q, known[i + 1].qa / known[i + 1].q];
        let limits = enclose(l, (t[i], h[i]), &mut bounds, (UNIT, means));
        for j in 0..2 {
            let least = means[j] * 0.5 * (1.0 - weighted_margin(16 * N));
            let low = if limits[j].0 > least { limits[j].0 } else { least };
            searches[i + j] = (bounds[j], (low, limits[j].1));
        }
    }
    let (mut parts, mut places) = ([(Prefix::NONE, 0); B], [[0.0; 16 * (N_MOST + 1)]; B]);
    for i in 0..B {
        parts[i] = settle(l, &a[i], &rooms[i], known[i], &mut searches[i], &mut places[i]);
    }
    let mut scales = [0.0; B];
    for i in 0..B {
        let ((all, found), places) = (parts[i], &places[i]);
        let best = if found <= FEW { best_of_few(l, all, (places, found), &rooms[i]) } else { None };
        scales[i] = match best {
            Some(best) => best.qa / best.q,
            None => best_of_many(all, &places[..found], &rooms[i]),
        };
    }
    scales
}

/// Importance ÷ mean + 10⁻⁶, its product with the magnitudes, and sums.
#[inline(always)]
fn normalise<L: Lanes, const N: usize>(
    l: L,
    a: &[L::V; N],
    importance: &[[f32; 16]; N],
    room: &mut Room<N>,
    greatest: f32,
) -> Known {
    let (zero, one, floor) = (l.splat(0.0), l.splat(1.0), l.splat(FLOOR));
    let mut sums = (zero, zero);
    for j in 0..N / 2 {
        let (x, y) = (l.singles(&importance[2 * j]), l.singles(&importance[2 * j + 1]));
        sums = (l.add(sums.0, l.max(x, zero)), l.add(sums.1, l.max(y, zero)));
    }
    let mean = fold(l, sums) / (16 * N) as f32;
    let inverse = 1.0 / mean;
    let informative = mean > 0.0 && mean.is_finite() && inverse.is_finite();
    let factor = l.splat(inverse);
    let (mut sum_q, mut sum_qa, mut squares) = (zero, zero, zero);
    for i in 0..N {
        let q = if informative { l.add(l.mul(l.max(l.singles(&importance[i]), zero), factor), floor) } else { one };
        let qa = l.mul(q, a[i]);
        l.store(a[i], &mut room.a[i]);
        l.store(q, &mut room.q[i]);
        l.store(qa, &mut room.qa[i]);
        (sum_q, sum_qa) = (l.add(sum_q, q), l.add(sum_qa, qa));
        squares = l.mul_add(qa, a[i], squares);
    }
    Known { q: l.total(sum_q), qa: l.total(sum_qa), square: l.total(squares), greatest }
}

/// H of two blocks at eight thresholds of each but the first and the last, where it is 0 here.
#[inline(always)]
fn excess<L: Lanes, const N: usize>(
    l: L,
    a: [&[L::V; N]; 2],
    q: [&[[f32; 16]; N]; 2],
    t: L::V,
    known: [Known; 2],
) -> L::V {
    let mut lanes = [0.0; 16];
    l.store(t, &mut lanes);
    let mut sums = [[l.splat(0.0); 8]; 2];
    for j in 0..2 {
        let mut thresholds = [l.splat(0.0); POINTS];
        for (to, t) in thresholds.iter_mut().zip(&lanes[8 * j + 1..]) {
            *to = l.splat(*t);
        }
        for (x, q) in a[j].iter().zip(q[j]) {
            let q = l.singles(q);
            for i in 0..POINTS {
                sums[j][i + 1] = l.mul_add(q, l.max(*x, thresholds[i]), sums[j][i + 1]);
            }
        }
    }
    let below = l.mul(t, l.eights(known[0].q, known[1].q));
    l.max(l.sub(l.totals(sums), below), l.splat(0.0))
}

/// Parts a block by what a search knows, after further rounds where much is open.
#[inline(always)]
fn settle<L: Lanes, const N: usize>(
    l: L,
    a: &[L::V; N],
    room: &Room<N>,
    known: Known,
    (bound, limits): &mut (f32, (f32, f32)),
    places: &mut Places,
) -> (Prefix, usize) {
    let mut rounds = 0;
    loop {
        let parts = part(l, a, room, *limits, places);
        if parts.1 <= FEW || rounds == ROUNDS {
            return parts;
        }
        let t = narrower(l, *limits);
        let h = excess(l, [a; 2], [&room.q; 2], t, [known; 2]);
        let mut lanes = [0.0; 16];
        l.store(h, &mut lanes);
        for half in lanes.chunks_mut(8) {
            (half[0], half[7]) = (half[1], half[6]);
        }
        let mut bounds = [*bound; 2];
        let [found, _] = enclose(l, (t, l.singles(&lanes)), &mut bounds, (UNIT, [known.qa / known.q; 2]));
        *bound = bounds[0];
        *limits = (found.0.max(limits.0), found.1.min(limits.1));
        rounds += 1;
    }
}

/// What is above the first limit; and how many of it are not above the second: their places are put down.
#[inline(always)]
fn part<L: Lanes, const N: usize>(
    l: L,
    a: &[L::V; N],
    room: &Room<N>,
    (low, high): (f32, f32),
    places: &mut Places,
) -> (Prefix, usize) {
    let (low, high) = (l.splat(low), l.splat(high));
    let (mut q, mut qa) = (l.wide_splat(0.0), l.wide_splat(0.0));
    let mut found = 0;
    for i in 0..N {
        let above = l.above(a[i], low);
        qa = l.wide_add_where(qa, above, l.singles(&room.qa[i]));
        q = l.wide_add_where(q, above, l.singles(&room.q[i]));
        let open = l.at_least_of(above, high, a[i]);
        if let Some(to) = places.get_mut(found..).and_then(|to| to.first_chunk_mut::<16>()) {
            l.compress(open, l.singles(&PLACES[i]), to);
        }
        found += l.many(open);
    }
    (Prefix { q: l.total_of_wide(q), qa: l.total_of_wide(qa) }, found)
}

/// The best prefix that ends with one of at most fifteen open magnitudes, or before them; `all` is the longest. Equal ones
/// belong to all of them. Gains are in f32 first; those that may be the best then in f64. `None`: f32 may be too coarse.
#[inline(always)]
fn best_of_few<L: Lanes, const N: usize>(
    l: L,
    all: Prefix,
    (places, found): (&Places, usize),
    room: &Room<N>,
) -> Option<Prefix> {
    let (flat_a, flat_q, flat_qa) = (room.a.as_flattened(), room.q.as_flattened(), room.qa.as_flattened());
    let (mut a, mut q, mut qa) = ([0.0; 16], [0.0; 16], [0.0; 16]);
    // Sixteen of them however many there are: their number cannot be guessed.
    for i in 0..16 {
        let from = places[i].to_bits() as usize & (16 * N - 1);
        (a[i], q[i], qa[i]) = (flat_a[from], flat_q[from], flat_qa[from]);
    }
    let (zero, there) = (l.splat(0.0), l.above(l.splat(found as f32), l.singles(&ORDER)));
    let x = l.choose(there, l.singles(&a), l.splat(f32::INFINITY));
    l.store(x, &mut a);
    let wide = l.wide_splat(0.0);
    let open = Prefix {
        q: l.total_of_wide(l.wide_add_where(wide, there, l.singles(&q))),
        qa: l.total_of_wide(l.wide_add_where(wide, there, l.singles(&qa))),
    };
    let certain = all.without(open);
    if all.qa > ALL * certain.qa || all.q > ALL * certain.q {
        return None;
    }
    let (mut sums_q, mut sums_qa) = ((zero, zero), (zero, zero));
    for i in 0..8 {
        let below = (l.above(x, l.splat(a[2 * i])), l.above(x, l.splat(a[2 * i + 1])));
        sums_q.0 = l.add_where(sums_q.0, below.0, l.splat(q[2 * i]));
        sums_q.1 = l.add_where(sums_q.1, below.1, l.splat(q[2 * i + 1]));
        sums_qa.0 = l.add_where(sums_qa.0, below.0, l.splat(qa[2 * i]));
        sums_qa.1 = l.add_where(sums_qa.1, below.1, l.splat(qa[2 * i + 1]));
    }
    let sum = l.sub(l.splat(all.qa as f32), l.add(sums_qa.0, sums_qa.1));
    let mass = l.sub(l.splat(all.q as f32), l.add(sums_q.0, sums_q.1));
    let gains = l.div(l.mul(sum, sum), mass);
    let near = l.mul(l.crest(gains), l.splat(NEAR));
    let mut ends = l.bits(l.at_least(gains, near)) & ((2 << found) - 1);
    let mut best = Prefix::NONE;
    while ends != 0 {
        let below = l.above(l.splat(a[ends.trailing_zeros() as usize & 15]), x);
        let q = l.total_of_wide(l.wide_add_where(wide, below, l.singles(&q)));
        let qa = l.total_of_wide(l.wide_add_where(wide, below, l.singles(&qa)));
        best = best.better(all.without(Prefix { q, qa }));
        ends &= ends - 1;
    }
    Some(best)
}

/// The scale of the best prefix, by the scalar code.
#[cold]
fn best_of_many<const N: usize>(all: Prefix, places: &[f32], room: &Room<N>) -> f64 {
    let (a, q, qa) = (room.a.as_flattened(), room.q.as_flattened(), room.qa.as_flattened());
    let (mut keys, mut certain) = ([0u64; 16 * N_MOST], all);
    for (to, place) in keys.iter_mut().zip(places) {
        let i = place.to_bits() as usize & (16 * N - 1);
        *to = key(a[i], i as u32);
        certain = certain.without(Prefix { q: f64::from(q[i]), qa: f64::from(qa[i]) });
    }
    let certain = Sums { qa: certain.qa, q: certain.q, support: usize::from(certain.q > 0.0) };
    best_prefix(certain, &mut keys[..places.len()], q, qa).scale
}

/// Σ q·w² and Σ q·(w − ŵ)² in f64, as `ErrorSums::add_weighted` adds them where f32 is not enough.
#[inline(always)]
pub(super) fn wide_errors<L: Lanes, const N: usize>(
    l: L,
    a: &[L::V; N],
    importance: &[[f32; 16]; N],
    (above, scale): (f32, f32),
) -> (f64, f64) {
    let (zero, threshold, d) = (l.splat(0.0), l.splat(above), l.splat(scale));
    let (mut w2, mut e2) = (l.wide_splat(0.0), l.wide_splat(0.0));
    for i in 0..N {
        let q = l.wide(l.max(l.singles(&importance[i]), zero));
        let x = a[i];
        let e = l.wide(l.sub_where(x, l.above(x, threshold), d));
        let x = l.wide(x);
        w2 = l.wide_add(w2, l.wide_mul(q, l.wide_mul(x, x)));
        e2 = l.wide_add(e2, l.wide_mul(q, l.wide_mul(e, e)));
    }
    (l.total_of_wide(w2), l.total_of_wide(e2))
}
