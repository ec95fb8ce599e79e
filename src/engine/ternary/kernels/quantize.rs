//! Blocks coded over [`Lanes`]: the scale by a method, the codes, the error sums, the bytes.
//!
//! What is done here is what `code_block`, `ErrorSums::add_block` and `encode_block` do, operation for operation, for
//! ordinary blocks: finite, no more than f16 holds, with a scale that is a normal f16. Any other is left to them.

use super::codes::pack;
use super::lanes::{Codes, Lanes, Source};
use super::support::{Known, NONE_OPEN};
use super::weighted::Room;
use super::{Regard, Task, Whole, fold, support, weighted};
use crate::engine::stats::{BlockStats, NarrowSums, fits_f32, weighted_fit_f32};
use crate::engine::ternary::Method;
use crate::engine::ternary::block::kept_from;

/// How many sixteens of weights further on memory is asked.
const AHEAD: usize = 128;

/// Least f16 bits of a normal scale, and of infinity.
const NORMAL: u16 = 0x0400;
const INFINITE: u16 = 0x7c00;

/// Codes blocks of 16·N weights one after the other until one is not ordinary; returns how many were coded. `stats` has
/// theirs and nothing of the next. B blocks are looked at together: a scale takes long to follow from a block, and meanwhile
/// others can be summed.
#[inline(always)]
pub(super) fn blocks<L: Lanes, S: Source, const N: usize, const B: usize>(
    l: L,
    task: Task,
    weights: &[S::Raw],
    out: &mut [u8],
    stats: &mut BlockStats,
) -> usize {
    let bytes = task.format.block_bytes();
    let exact = task.method == Method::Exact && task.whole.is_none();
    let mut codes = Codes([0; 256]);
    let mut a = [[l.splat(0.0); N]; B];
    let mut open = [NONE_OPEN; B];
    let mut done = 0;
    let all = weights.as_chunks::<16>().0.as_chunks::<N>().0;
    for (blocks, out) in all.chunks(B).zip(out.chunks_mut(B * bytes)) {
        let mut looks = [Look { known: Known::NOTHING, native: None }; B];
        let mut ordinary = 0;
        for (block, a) in blocks.iter().zip(&mut a) {
            let Some(look) = look::<L, S, N>(l, task, block, a) else { break };
            looks[ordinary] = look;
            ordinary += 1;
        }
        let mut scales = [0.0; B];
        if exact && ordinary > 0 {
            // Where there are fewer, the first stands for the others.
            for i in ordinary..B {
                (a[i], looks[i]) = (a[0], looks[0]);
            }
            scales = support::best_scales::<L, S, N, B>(l, &a, &looks.map(|look| look.known), &mut open);
        }
        let mut heads = [None; B];
        for i in 0..ordinary {
            heads[i] = head(l, task, &looks[i], scales[i], &a[i]);
        }
        for (i, (block, out)) in blocks[..ordinary].iter().zip(out.chunks_mut(bytes)).enumerate() {
            let Some(head) = heads[i] else { return done };
            finish::<L, S, N>(l, block, None, &a[i], &head, &mut codes, stats);
            pack(l, task.format, head.bits, &codes.0[..16 * N], out);
            done += 1;
        }
        if ordinary < blocks.len() {
            return done;
        }
    }
    done
}

/// Codes blocks of 16·N weights whose errors are weighted by importance, and their scales too unless the coder is blind, one
/// after the other until one is not ordinary; returns how many were coded. Importance is laid over them again and again.
#[inline(always)]
pub(super) fn weighted_blocks<L: Lanes, S: Source, const N: usize, const B: usize>(
    l: L,
    (task, blind): (Task, bool),
    (weights, regard): (&[S::Raw], Regard<'_>),
    out: &mut [u8],
    stats: &mut BlockStats,
) -> usize {
    let bytes = task.format.block_bytes();
    let exact = task.method == Method::Exact && task.whole.is_none();
    let mut codes = Codes([0; 256]);
    let mut a = [[l.splat(0.0); N]; B];
    let (mut open, mut rooms) = ([NONE_OPEN; B], [Room::EMPTY; B]);
    let mut done = 0;
    let all = weights.as_chunks::<16>().0.as_chunks::<N>().0;
    let importance = regard.importance.as_chunks::<16>().0.as_chunks::<N>().0;
    let q = if exact && !blind { weighted::normalise::<L, N>(l, importance, regard.normalised) } else { importance };
    let mut columns = importance.iter().zip(q).cycle();
    let Some(first) = columns.clone().next() else { return 0 };
    for (blocks, out) in all.chunks(B).zip(out.chunks_mut(B * bytes)) {
        let mut looks = [Look { known: Known::NOTHING, native: None }; B];
        let (mut regarded, mut q) = ([first.0; B], [first.1; B]);
        let mut ordinary = 0;
        for ((block, columns), a) in blocks.iter().zip(&mut columns).zip(&mut a) {
            let Some(look) = look::<L, S, N>(l, task, block, a) else { break };
            (looks[ordinary], (regarded[ordinary], q[ordinary])) = (look, columns);
            ordinary += 1;
        }
        let mut scales = [0.0; B];
        if exact && ordinary > 0 {
            for i in ordinary..B {
                (a[i], looks[i], q[i]) = (a[0], looks[0], q[0]);
            }
            scales = if blind {
                support::best_scales::<L, S, N, B>(l, &a, &looks.map(|look| look.known), &mut open)
            } else {
                weighted::best_scales(l, &a, &q, &looks.map(|look| look.known.greatest), &mut rooms)
            };
        }
        for (i, (block, out)) in blocks[..ordinary].iter().zip(out.chunks_mut(bytes)).enumerate() {
            let Some(head) = head(l, task, &looks[i], scales[i], &a[i]) else { return done };
            finish::<L, S, N>(l, block, Some(regarded[i]), &a[i], &head, &mut codes, stats);
            pack(l, task.format, head.bits, &codes.0[..16 * N], out);
            done += 1;
        }
        if ordinary < blocks.len() {
            return done;
        }
    }
    done
}

/// A threshold above which weights are kept, and the scale.
struct Rule {
    above: f32,
    scale: f64,
}

/// How a block is to be coded, and what is known of it.
#[derive(Clone, Copy)]
struct Head {
    /// Bits of the scale, and the scale.
    bits: u16,
    scale: f32,
    /// Weights above are kept.
    above: f32,
    greatest: f32,
    /// Σ w².
    square: f32,
    native: bool,
}

/// What is seen of a block before a method.
#[derive(Clone, Copy)]
struct Look {
    known: Known,
    /// Its scale if it is ternary already.
    native: Option<f32>,
}

/// Looks a block over and puts its magnitudes into `a`. `None`: it is not ordinary.
#[inline(always)]
fn look<L: Lanes, S: Source, const N: usize>(
    l: L,
    task: Task,
    weights: &[[S::Raw; 16]; N],
    a: &mut [L::V; N],
) -> Option<Look> {
    let zero = l.splat(0.0);
    let (mut sums, mut squares, mut tops) = ((zero, zero), (zero, zero), zero);
    for j in 0..N / 2 {
        let (x, y) = (l.abs(S::load(l, &weights[2 * j])), l.abs(S::load(l, &weights[2 * j + 1])));
        (a[2 * j], a[2 * j + 1]) = (x, y);
        l.ahead(&weights[2 * j], AHEAD);
        sums = (l.add(sums.0, x), l.add(sums.1, y));
        squares = (l.add(squares.0, l.mul(x, x)), l.add(squares.1, l.mul(y, y)));
        tops = l.max(tops, l.max(x, y));
    }
    let (total, square) = (fold(l, sums), fold(l, squares));
    let greatest = l.greatest(tops);
    // The total is NaN or infinite if a weight is.
    if !total.is_finite() || !fits_f32(greatest, 0.0) {
        return None;
    }
    // Of a block {−s, 0, +s} greatest · Σ|w| = Σw², and with magnitudes that round to one f16 nearly.
    let alike = task.whole.is_none() && greatest * total - square <= square * (1.0 / 512.0);
    let native = if alike { native_scale(l, a, greatest) } else { None };
    Some(Look { known: Known { total, square, greatest }, native })
}

/// Chooses the scale of a block; `exact` is that of the exact optimum where it is wanted. `None`: it is not ordinary.
#[inline(always)]
fn head<L: Lanes, const N: usize>(l: L, task: Task, look: &Look, exact: f64, a: &[L::V; N]) -> Option<Head> {
    let Look { known: Known { total, square, greatest }, native } = *look;
    if let Some(whole) = task.whole {
        let Whole { above, scale, native } = whole;
        return fits_f32(greatest, scale).then_some(Head { bits: 0, scale, above, greatest, square, native });
    }
    let method = task.method;
    let mean = total / (16 * N) as f32;
    let rule = match method {
        Method::Refit | Method::Twn | Method::Exact if native.is_some() => {
            Rule { above: 0.0, scale: f64::from(native?) }
        }
        Method::Absmean => {
            let gamma = mean + 1e-8;
            Rule { above: (gamma * 0.5).next_down(), scale: f64::from(gamma) }
        }
        Method::Refit => refit(l, a, ((mean + 1e-8) * 0.5).next_down()),
        Method::Twn => refit(l, a, mean * 0.75),
        Method::Max => Rule { above: kept_from(1.0 / greatest).next_down(), scale: f64::from(greatest) },
        // The threshold follows from the rounded scale.
        Method::Exact => Rule { above: 0.0, scale: exact },
        Method::Lossless | Method::Calibrated => return None,
    };
    let bits = l.to_half(rule.scale as f32);
    if !(NORMAL..INFINITE).contains(&bits) {
        return None;
    }
    let scale = l.of_half(bits);
    let above = if method == Method::Exact && native.is_none() { scale / 2.0 } else { rule.above };
    Some(Head { bits, scale, above, greatest, square, native: native.is_some() })
}

/// The scale of a block that is ternary already, as [`native_scale`](crate::engine::ternary::native_scale) has it; rare.
#[inline(always)]
fn native_scale<L: Lanes, const N: usize>(l: L, a: &[L::V; N], greatest: f32) -> Option<f32> {
    // How far the least that is not 0 lies below the greatest; by half or less the difference is exact both ways.
    let (zero, top) = (l.splat(0.0), l.splat(greatest));
    let mut below = zero;
    for x in a {
        let some = l.above(*x, zero);
        below = l.max(below, l.add_where(zero, some, l.sub_where(top, some, *x)));
    }
    let below = l.greatest(below);
    let (least, most) = (l.to_half(greatest - below), l.to_half(greatest));
    (below <= greatest / 2.0 && least == most && most < INFINITE).then(|| l.of_half(most))
}

/// Chooses the codes and adds what they cost.
#[inline(always)]
fn finish<L: Lanes, S: Source, const N: usize>(
    l: L,
    weights: &[[S::Raw; 16]; N],
    importance: Option<&[[f32; 16]; N]>,
    a: &[L::V; N],
    head: &Head,
    codes: &mut Codes,
    stats: &mut BlockStats,
) {
    let Head { scale, above, greatest, square, .. } = *head;
    let zero = l.splat(0.0);
    let (threshold, d) = (l.splat(above), l.splat(scale));
    let (mut squares, mut sums) = ((zero, zero), (zero, zero));
    let (mut weighted_w2, mut weighted_e2) = ((zero, zero), (zero, zero));
    let mut zeros = 0;
    let (quads, to) = (weights.as_chunks::<4>().0, codes.0.as_chunks_mut::<64>().0);
    for j in 0..N / 4 {
        let x = [a[4 * j], a[4 * j + 1], a[4 * j + 2], a[4 * j + 3]];
        let kept =
            [l.above(x[0], threshold), l.above(x[1], threshold), l.above(x[2], threshold), l.above(x[3], threshold)];
        let e = [
            l.abs(l.sub_where(x[0], kept[0], d)),
            l.abs(l.sub_where(x[1], kept[1], d)),
            l.abs(l.sub_where(x[2], kept[2], d)),
            l.abs(l.sub_where(x[3], kept[3], d)),
        ];
        let e2 = [l.mul(e[0], e[0]), l.mul(e[1], e[1]), l.mul(e[2], e[2]), l.mul(e[3], e[3])];
        squares = (l.add(squares.0, e2[0]), l.add(squares.1, e2[1]));
        squares = (l.add(squares.0, e2[2]), l.add(squares.1, e2[3]));
        if let Some(importance) = importance {
            for i in [0, 2] {
                let q = [&importance[4 * j + i], &importance[4 * j + i + 1]].map(|q| l.max(l.singles(q), zero));
                let w2 = [l.mul(q[0], l.mul(x[i], x[i])), l.mul(q[1], l.mul(x[i + 1], x[i + 1]))];
                let e2 = [l.mul(q[0], e2[i]), l.mul(q[1], e2[i + 1])];
                weighted_w2 = (l.add(weighted_w2.0, w2[0]), l.add(weighted_w2.1, w2[1]));
                weighted_e2 = (l.add(weighted_e2.0, e2[0]), l.add(weighted_e2.1, e2[1]));
            }
        }
        sums = (l.add(l.add(sums.0, e[0]), e[2]), l.add(l.add(sums.1, e[1]), e[3]));
        zeros += l.codes(S::signs(l, &quads[j]), kept, &mut to[j]);
    }
    // No weight that is dropped is above the threshold, and of those kept none is further below d than it: the greatest
    // error is mostly that of the greatest weight. Rounding keeps order, so it needs not be looked for among all.
    let mut max = greatest - scale;
    if max < above.max(scale - above) {
        let mut tops = zero;
        for x in a {
            tops = l.max(tops, l.abs(l.sub_where(*x, l.above(*x, threshold), d)));
        }
        max = l.greatest(tops);
    }
    let (e2, abs, zeros) = (fold(l, squares), fold(l, sums), u64::from(zeros));
    stats.errors.add_narrow(&NarrowSums { n: 16 * N as u64, w2: square, e2, abs, max, zeros }, scale);
    if let Some(importance) = importance {
        let (w2, e2) = (fold(l, weighted_w2), fold(l, weighted_e2));
        let sums = if weighted_fit_f32(w2, e2) {
            (f64::from(w2), f64::from(e2))
        } else {
            weighted::wide_errors(l, a, importance, (above, scale))
        };
        stats.errors.add_weighted_sums(sums.0, sums.1);
    }
    stats.scales.add(scale, false, head.native);
}

/// The mean of what a threshold keeps.
#[inline(always)]
fn refit<L: Lanes, const N: usize>(l: L, a: &[L::V; N], above: f32) -> Rule {
    let zero = l.splat(0.0);
    let threshold = l.splat(above);
    let one = l.splat(1.0);
    let (mut sums, mut counts) = ((zero, zero), (zero, zero));
    for j in 0..N / 2 {
        let (x, y) = (a[2 * j], a[2 * j + 1]);
        let (in_x, in_y) = (l.above(x, threshold), l.above(y, threshold));
        sums = (l.add_where(sums.0, in_x, x), l.add_where(sums.1, in_y, y));
        counts = (l.add_where(counts.0, in_x, one), l.add_where(counts.1, in_y, one));
    }
    let (sum, count) = (l.wide_total(l.add(sums.0, sums.1)), fold(l, counts));
    Rule { above, scale: if count == 0.0 { 0.0 } else { sum / f64::from(count) } }
}
