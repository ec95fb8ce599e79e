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
/// By what part of what it adds to the certain ones a prefix's gain in f32 may be wrong beside another's, see [`best_scale`].
const ADDED: f32 = 80.0 / (1 << 24) as f32;
/// By what part a scale in f32 may be wrong: N + 4 roundings in both sums, and three.
const WRONG: f32 = 48.0 / (1 << 24) as f32;

/// A block as its search wants it: magnitudes, and their products with normalised importance.
#[derive(Clone, Copy)]
pub(super) struct Room<const N: usize> {
    a: [[f32; 16]; N],
    qa: [[f32; 16]; N],
    /// Places of what is open.
    places: Places,
}

impl<const N: usize> Room<N> {
    pub const EMPTY: Self = {
        let none = [[0.0; 16]; N];
        Self { a: none, qa: none, places: [0.0; 16 * (N_MOST + 1)] }
    };
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
    fn gain(self) -> f64 {
        if self.q > 0.0 { self.qa * self.qa / self.q } else { 0.0 }
    }

    fn with(self, other: Self) -> Self {
        Self { q: self.q + other.q, qa: self.qa + other.qa }
    }

    /// The one of greater gain; of equal ones the shorter.
    fn better(self, other: Self) -> Self {
        let (mine, others) = (self.gain(), other.gain());
        if others > mine || others == mine && other.q < self.q { other } else { self }
    }
}

/// Sums of what is certainly in the support in f32, and how many are open.
#[derive(Clone, Copy)]
struct Part {
    q: f32,
    qa: f32,
    found: usize,
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
    q: &[&[[f32; 16]; N]; B],
    greatest: &[f32; B],
    rooms: &mut [Room<N>; B],
) -> [f64; B] {
    let mut known = [Known { q: 0.0, qa: 0.0, square: 0.0, greatest: 0.0 }; B];
    for i in 0..B {
        known[i] = regard(l, &a[i], q[i], &mut rooms[i], greatest[i]);
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
        h[i] = excess(l, [&a[i], &a[i + 1]], [q[i], q[i + 1]], t[i], [known[i], known[i + 1]]);
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
    let mut parts = [Part { q: 0.0, qa: 0.0, found: 0 }; B];
    for i in 0..B {
        parts[i] = settle(l, (&a[i], q[i]), &mut rooms[i], known[i], &mut searches[i]);
    }
    let mut scales = [0.0; B];
    for i in 0..B {
        scales[i] = best_scale(l, (&a[i], q[i]), &rooms[i], parts[i], searches[i].1.1);
    }
    scales
}

/// Importance ÷ mean + 10⁻⁶ of each block.
#[inline(always)]
pub(super) fn normalise<'a, L: Lanes, const N: usize>(
    l: L,
    importance: &[[[f32; 16]; N]],
    to: &'a mut Vec<f32>,
) -> &'a [[[f32; 16]; N]] {
    let (zero, one, floor) = (l.splat(0.0), l.splat(1.0), l.splat(FLOOR));
    to.resize(importance.as_flattened().as_flattened().len(), 0.0);
    let to = to.as_chunks_mut::<16>().0.as_chunks_mut::<N>().0;
    for (importance, to) in importance.iter().zip(&mut *to) {
        let mut sums = (zero, zero);
        for j in 0..N / 2 {
            let (x, y) = (l.singles(&importance[2 * j]), l.singles(&importance[2 * j + 1]));
            sums = (l.add(sums.0, l.max(x, zero)), l.add(sums.1, l.max(y, zero)));
        }
        let mean = fold(l, sums) / (16 * N) as f32;
        let inverse = 1.0 / mean;
        let informative = mean > 0.0 && mean.is_finite() && inverse.is_finite();
        let factor = l.splat(inverse);
        for (importance, to) in importance.iter().zip(to) {
            let q = if informative { l.add(l.mul(l.max(l.singles(importance), zero), factor), floor) } else { one };
            l.store(q, to);
        }
    }
    to
}

/// Products of importance and magnitudes, and sums.
#[inline(always)]
fn regard<L: Lanes, const N: usize>(
    l: L,
    a: &[L::V; N],
    q: &[[f32; 16]; N],
    room: &mut Room<N>,
    greatest: f32,
) -> Known {
    let zero = l.splat(0.0);
    let (mut sum_q, mut sum_qa, mut squares) = (zero, zero, zero);
    for i in 0..N {
        let q = l.singles(&q[i]);
        let qa = l.mul(q, a[i]);
        l.store(a[i], &mut room.a[i]);
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
    (a, q): (&[L::V; N], &[[f32; 16]; N]),
    room: &mut Room<N>,
    known: Known,
    (bound, limits): &mut (f32, (f32, f32)),
) -> Part {
    let mut rounds = 0;
    loop {
        let parted = part(l, (a, q), room, *limits);
        if parted.found <= FEW || rounds == ROUNDS {
            return parted;
        }
        let t = narrower(l, *limits);
        let h = excess(l, [a; 2], [q; 2], t, [known; 2]);
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

/// What is above the second limit; and how many are between: their places are put down.
#[inline(always)]
fn part<L: Lanes, const N: usize>(
    l: L,
    (a, importance): (&[L::V; N], &[[f32; 16]; N]),
    room: &mut Room<N>,
    (low, high): (f32, f32),
) -> Part {
    let (low, high) = (l.splat(low), l.splat(high));
    let (mut q, mut qa) = (l.splat(0.0), l.splat(0.0));
    let mut found = 0;
    for i in 0..N {
        let certain = l.above(a[i], high);
        qa = l.add_where(qa, certain, l.singles(&room.qa[i]));
        q = l.add_where(q, certain, l.singles(&importance[i]));
        let open = l.at_least_of(l.above(a[i], low), high, a[i]);
        if let Some(to) = room.places.get_mut(found..).and_then(|to| to.first_chunk_mut::<16>()) {
            l.compress(open, l.singles(&PLACES[i]), to);
        }
        found += l.many(open);
    }
    Part { q: l.total(q), qa: l.total(qa), found }
}

/// The sums of what is above a limit, exactly.
#[inline(always)]
fn wide_part<L: Lanes, const N: usize>(
    l: L,
    (a, importance): (&[L::V; N], &[[f32; 16]; N]),
    room: &Room<N>,
    high: f32,
) -> Prefix {
    let high = l.splat(high);
    let (mut q, mut qa) = (l.wide_splat(0.0), l.wide_splat(0.0));
    for i in 0..N {
        let certain = l.above(a[i], high);
        qa = l.wide_add_where(qa, certain, l.singles(&room.qa[i]));
        q = l.wide_add_where(q, certain, l.singles(&importance[i]));
    }
    Prefix { q: l.total_of_wide(q), qa: l.total_of_wide(qa) }
}

/// The scale of the best prefix that ends with one of the open magnitudes, or before them, where all above `high` is certain.
/// Equal ones belong to all of them. Sums are in f32 first, which is enough for at most fifteen if one prefix is better than
/// the others for certain, and its scale rounds to the same f16 whatever the sums lack. Else they are exact.
///
/// A prefix that adds s and m to the certain C = Σqa and D = Σq gains C·h more than they, h = (s(2 + s/C) − m·C/D)/(D + m).
/// With u = 2⁻²⁴, C and D are wrong by N + 3 ≤ 19 u of them, s and m by 8 u; let s ≤ C/2 and m ≤ D/2. What is wrong in h on its
/// own is then less than 48 u of s and 17 u of m·C/D, over D + m, with eight roundings. What all prefixes have wrong alike, by
/// C/D, 1/C and 1/D, differs between two whose h are about equal by less than 26 u of s and 46 u of m·C/D, of both together.
#[inline(always)]
fn best_scale<L: Lanes, const N: usize>(
    l: L,
    block: (&[L::V; N], &[[f32; 16]; N]),
    room: &Room<N>,
    certain: Part,
    high: f32,
) -> f64 {
    let Part { q: certain_q, qa: certain_qa, found } = certain;
    if found > FEW || certain_qa == 0.0 {
        return best_of_many(wide_part(l, block, room, high), found, room, block.1);
    }
    let places = l.singles(&room.places.as_chunks::<16>().0[0]);
    let (zero, there) = (l.splat(0.0), l.above(l.splat(found as f32), l.singles(&ORDER)));
    let x = l.choose(there, l.gather(&room.a, places), l.splat(f32::INFINITY));
    let vector_q = l.choose(there, l.gather(block.1, places), zero);
    let vector_qa = l.choose(there, l.gather(&room.qa, places), zero);
    let (mut a, mut q, mut qa) = ([0.0; 16], [0.0; 16], [0.0; 16]);
    l.store(x, &mut a);
    l.store(vector_q, &mut q);
    l.store(vector_qa, &mut qa);
    // Sixteen of them however many there are: their number cannot be guessed.
    let (mut sums_q, mut sums_qa) = ((zero, zero), (zero, zero));
    for i in 0..8 {
        let within = (l.at_least(l.splat(a[2 * i]), x), l.at_least(l.splat(a[2 * i + 1]), x));
        sums_q.0 = l.add_where(sums_q.0, within.0, l.splat(q[2 * i]));
        sums_q.1 = l.add_where(sums_q.1, within.1, l.splat(q[2 * i + 1]));
        sums_qa.0 = l.add_where(sums_qa.0, within.0, l.splat(qa[2 * i]));
        sums_qa.1 = l.add_where(sums_qa.1, within.1, l.splat(qa[2 * i + 1]));
    }
    let (s, m) = (l.add(sums_qa.0, sums_qa.1), l.add(sums_q.0, sums_q.1));
    let (all_s, all_m) = (l.splat(certain_qa), l.splat(certain_q));
    let modest = l.at_least_of(l.at_least(all_s, l.add(s, s)), all_m, l.add(m, m));
    let inverse = l.div(l.splat(1.0), l.add(all_m, m));
    let scales = l.mul(l.add(all_s, s), inverse);
    let gained = l.mul(s, l.mul_add(s, l.splat(1.0 / certain_qa), l.splat(2.0)));
    let lost = l.mul(m, l.splat(certain_qa / certain_q));
    let (gain, wrong) = (l.sub(gained, lost), l.mul(l.add(s, lost), l.splat(ADDED)));
    let least = l.crest(l.mul(l.sub(gain, wrong), inverse));
    let mut ends = l.bits(l.at_least(l.mul(l.add(gain, wrong), inverse), least)) & ((2 << found) - 1);
    if l.bits(modest) != 0xffff {
        return best_of_many(wide_part(l, block, room, high), found, room, block.1);
    }
    let mut of = [0.0; 16];
    l.store(scales, &mut of);
    let scale = of[ends.trailing_zeros() as usize & 15];
    let same = l.bits(l.at_least_of(l.at_least(scales, l.splat(scale)), l.splat(scale), scales));
    let halves = [l.to_half(scale * (1.0 - WRONG)), l.to_half(scale * (1.0 + WRONG))];
    if ends & !same == 0 && halves[0] == halves[1] {
        return f64::from(scale);
    }
    let certain = wide_part(l, block, room, high);
    let (wide, mut best) = (l.wide_splat(0.0), Prefix { q: 0.0, qa: 0.0 });
    while ends != 0 {
        let within = l.at_least(x, l.splat(a[ends.trailing_zeros() as usize & 15]));
        let q = l.total_of_wide(l.wide_add_where(wide, within, vector_q));
        let qa = l.total_of_wide(l.wide_add_where(wide, within, vector_qa));
        best = best.better(certain.with(Prefix { q, qa }));
        ends &= ends - 1;
    }
    best.qa / best.q
}

/// The scale of the best prefix, by the scalar code.
#[cold]
fn best_of_many<const N: usize>(certain: Prefix, found: usize, room: &Room<N>, q: &[[f32; 16]; N]) -> f64 {
    let places = &room.places[..found];
    let (a, q, qa) = (room.a.as_flattened(), q.as_flattened(), room.qa.as_flattened());
    let mut keys = [0u64; 16 * N_MOST];
    for (to, place) in keys.iter_mut().zip(places) {
        let i = place.to_bits() as usize & (16 * N - 1);
        *to = key(a[i], i as u32);
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
