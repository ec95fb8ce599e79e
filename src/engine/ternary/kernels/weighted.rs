//! The scale of the importance-weighted optimum over [`Lanes`], and the weighted error sums.
//!
//! Weighted sums are not exact, so what [`optimum`](crate::engine::ternary::optimum) does is done here operation for
//! operation: the same importance, the same rounds, the same order of adding. Only what lies between the thresholds is
//! handed to the same scalar code.

use std::hint::black_box;

use super::fold;
use super::lanes::Lanes;
use crate::engine::ternary::exact::{FLOOR, ROUNDS, Sums, best_prefix, key, weighted_margin};

/// Most vectors of a block.
const N_MOST: usize = 16;

/// The scale, before rounding.
#[inline(always)]
pub(super) fn best_scale<L: Lanes, const N: usize>(
    l: L,
    a: &[L::V; N],
    importance: &[[f32; 16]; N],
    greatest: f32,
) -> f64 {
    let (q, qa) = normalise(l, a, importance);
    let margin = weighted_margin(16 * N);
    let mut below = total(l, &qa) / total(l, &q) * (1.0 - margin);
    let mut above = greatest;
    for _ in 0..ROUNDS {
        let means = means_above(l, a, (&q, &qa), below / 2.0, above / 2.0);
        (below, above) = (means.0 * (1.0 - margin), means.1 * (1.0 + margin));
    }
    let bracket = if below.is_finite() && above.is_finite() { (below / 2.0, above / 2.0) } else { (0.0, f32::MAX) };
    let mut open = Open { a: [0.0; 16 * (N_MOST + 1)], q: [0.0; 16 * (N_MOST + 1)], qa: [0.0; 16 * (N_MOST + 1)] };
    let (certain, found) = part(l, a, (&q, &qa), bracket, &mut open);
    let mut keys = [0u64; 16 * N_MOST];
    for (i, (to, w)) in keys.iter_mut().zip(&open.a[..found]).enumerate() {
        *to = key(*w, i as u32);
    }
    best_prefix(certain, &mut keys[..found], &open.q, &open.qa).scale
}

/// What lies between two thresholds, in order; room for a vector behind the last.
struct Open {
    a: [f32; 16 * (N_MOST + 1)],
    q: [f32; 16 * (N_MOST + 1)],
    qa: [f32; 16 * (N_MOST + 1)],
}

/// Importance ÷ mean + 10⁻⁶, and its product with the magnitudes.
#[inline(always)]
fn normalise<L: Lanes, const N: usize>(l: L, a: &[L::V; N], importance: &[[f32; 16]; N]) -> ([L::V; N], [L::V; N]) {
    let (zero, one, floor) = (l.splat(0.0), l.splat(1.0), l.splat(FLOOR));
    let (mut q, mut qa) = ([zero; N], [zero; N]);
    for i in 0..N {
        q[i] = l.max(l.singles(&importance[i]), zero);
    }
    let mean = total(l, &q) / (16 * N) as f32;
    let inverse = 1.0 / mean;
    let informative = mean > 0.0 && mean.is_finite() && inverse.is_finite();
    let factor = l.splat(inverse);
    for i in 0..N {
        q[i] = if informative { l.add(l.mul(q[i], factor), floor) } else { one };
        qa[i] = l.mul(q[i], a[i]);
    }
    (q, qa)
}

/// The sum of a block.
#[inline(always)]
fn total<L: Lanes, const N: usize>(l: L, x: &[L::V; N]) -> f32 {
    let zero = l.splat(0.0);
    let mut sums = (zero, zero);
    for j in 0..N / 2 {
        sums = (l.add(sums.0, x[2 * j]), l.add(sums.1, x[2 * j + 1]));
    }
    fold(l, sums)
}

/// Weighted means of what is above each of two thresholds.
#[inline(always)]
fn means_above<L: Lanes, const N: usize>(
    l: L,
    a: &[L::V; N],
    (q, qa): (&[L::V; N], &[L::V; N]),
    low: f32,
    high: f32,
) -> (f32, f32) {
    let zero = l.splat(0.0);
    let (low, high) = (l.splat(low), l.splat(high));
    let (mut low_qa, mut low_q, mut high_qa, mut high_q) = ((zero, zero), (zero, zero), (zero, zero), (zero, zero));
    for j in 0..N / 2 {
        let (x, y) = (2 * j, 2 * j + 1);
        let kept = (l.above(a[x], low), l.above(a[y], low));
        low_qa = (l.add_where(low_qa.0, kept.0, qa[x]), l.add_where(low_qa.1, kept.1, qa[y]));
        low_q = (l.add_where(low_q.0, kept.0, q[x]), l.add_where(low_q.1, kept.1, q[y]));
        let kept = (l.above(a[x], high), l.above(a[y], high));
        high_qa = (l.add_where(high_qa.0, kept.0, qa[x]), l.add_where(high_qa.1, kept.1, qa[y]));
        high_q = (l.add_where(high_q.0, kept.0, q[x]), l.add_where(high_q.1, kept.1, q[y]));
    }
    (fold(l, low_qa) / fold(l, low_q), fold(l, high_qa) / fold(l, high_q))
}

/// What is above the second threshold; and what is between, put into `open`, with how many they are.
#[inline(always)]
fn part<L: Lanes, const N: usize>(
    l: L,
    a: &[L::V; N],
    (q, qa): (&[L::V; N], &[L::V; N]),
    (low, high): (f32, f32),
    open: &mut Open,
) -> (Sums, usize) {
    let (low, high) = (l.splat(low), l.splat(high));
    let (mut sum_qa, mut sum_q) = (l.wide_splat(0.0), l.wide_splat(0.0));
    let (mut support, mut found) = (0, 0);
    // Not unrolled, for the reason that `support` tells.
    for ((x, q), qa) in a[..black_box(N)].iter().zip(q).zip(qa) {
        let (x, q, qa) = (*x, *q, *qa);
        let (in_low, in_high) = (l.above(x, low), l.above(x, high));
        sum_qa = l.wide_add_where(sum_qa, in_high, qa);
        sum_q = l.wide_add_where(sum_q, in_high, q);
        support += l.bits(in_high).count_ones() as usize;
        let between = l.without(in_low, in_high);
        for (x, to) in [(x, &mut open.a), (q, &mut open.q), (qa, &mut open.qa)] {
            if let Some(to) = to.get_mut(found..).and_then(|to| to.first_chunk_mut::<16>()) {
                l.compress(between, x, to);
            }
        }
        found += l.bits(between).count_ones() as usize;
    }
    (Sums { qa: l.total_of_wide(sum_qa), q: l.total_of_wide(sum_q), support }, found)
}

/// Σ q·w² and Σ q·(w − ŵ)², as `ErrorSums::add_weighted` adds them.
#[inline(always)]
pub(super) fn errors<L: Lanes, const N: usize>(
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
