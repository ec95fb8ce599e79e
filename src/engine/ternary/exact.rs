//! The exact optimum: the scale and support with the least squared error that any ternary code of a block can have.
//!
//! Only the optimum in full precision lives here. Rounding the scale to f16, and choosing the trits anew for the
//! rounded scale, is the caller's part (`block.rs`).

use crate::engine::stats::{Lanes, fits_f32, wide_sum};

/// Buffers that one worker reuses from block to block, so that coding allocates nothing once they have grown.
#[derive(Debug, Default)]
pub struct Scratch {
    /// |w| as bit patterns: they order like the numbers, and integers sort faster than floats.
    patterns: Vec<u32>,
    /// The same above the weight's index, complemented: descending order then breaks ties by the lower index.
    keyed: Vec<u64>,
    /// Normalised importance, by index, and its product with |w|.
    q: Vec<f32>,
    qa: Vec<f32>,
}

/// The best ternary code of a block: trit sign(w) on the `support` largest |w|, 0 elsewhere.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Optimum {
    /// The scale d that minimises the error, before any rounding: the (weighted) mean of |w| over the support.
    pub scale: f64,
    /// How many weights are not zeroed.
    pub support: usize,
    /// By how much the (weighted) squared error is less than that of all zeros.
    pub gain: f64,
}

/// Minimises Σ qᵢ (wᵢ − d·tᵢ)² over trits t and d ≥ 0 for finite `weights`.
///
/// qᵢ is 1, or with `importance` (as long as `weights`) importance over its mean in the block plus 10⁻⁶, so that no
/// weight counts for nothing. Negative or NaN importance counts as 0; where the mean, or one over it, is 0 or infinite in f32
/// all qᵢ are 1.
///
/// **Why sorting suffices.** Fix the support A. The best signs are those of w, the error is
/// Σ q w² − 2d Σ_A q|w| + d² Σ_A q, least at d = Σ_A q|w| / Σ_A q, where it lies (Σ_A q|w|)² / Σ_A q below that of all
/// zeros: this is the gain. Now fix d > 0. Keeping weight i instead of zeroing it changes the error by
/// qᵢ((|wᵢ| − d)² − wᵢ²) = qᵢ·d·(d − 2|wᵢ|), negative exactly where |wᵢ| > d/2, whatever qᵢ > 0 is. So for the optimal
/// d the set {i : |wᵢ| > d/2} is an optimal support, and it is a prefix of |w| in descending order. Comparing the gains
/// of all n prefixes therefore finds the optimum. Within a run of equal |w| = a the gain (S + ja)²/(Q + j) is convex in
/// j, so the best prefix never needs to cut one.
///
/// Sums are in f64, first of what is certainly in the support (see [`bracket`]), then of the rest in descending order of
/// |w| (ties by index). Of several prefixes with the greatest gain the shortest is taken. A block of zeros has scale,
/// support and gain 0.
pub fn optimum(weights: &[f32], importance: Option<&[f32]>, scratch: &mut Scratch) -> Optimum {
    match importance {
        Some(importance) => weighted(weights, importance, scratch),
        None => unweighted(weights, &mut scratch.patterns),
    }
}

/// Sorts only what the bracket leaves open. A prefix that ends outside it cannot be the best one.
fn unweighted(weights: &[f32], patterns: &mut Vec<u32>) -> Optimum {
    let (low, high) = bracket(weights);
    let (mut sum, mut count) = sum_above(weights, high);
    let mut best = Optimum { scale: 0.0, support: 0, gain: 0.0 };
    if count > 0 {
        best = Optimum { scale: sum / count as f64, support: count, gain: sum * sum / count as f64 };
    }
    // Every weight is written, and kept by moving on behind it: a branch here would be guessed wrong half of the time.
    patterns.resize(weights.len(), 0);
    let mut open = 0;
    for w in weights {
        let magnitude = w.abs();
        patterns[open] = magnitude.to_bits();
        open += usize::from(magnitude > low && magnitude <= high);
    }
    let open = &mut patterns[..open];
    open.sort_unstable_by(|a, b| b.cmp(a));
    for pattern in open {
        sum += f64::from(f32::from_bits(*pattern));
        count += 1;
        let gain = sum * sum / count as f64;
        if gain > best.gain {
            best = Optimum { scale: sum / count as f64, support: count, gain };
        }
    }
    best
}

/// Rounds of the iteration from each side: on normal weights three leave about one weight in twelve open.
pub(super) const ROUNDS: usize = 3;

/// Two thresholds: what lies above the second is in the optimal support for certain, what does not lie above the first
/// is not.
///
/// Let T(d) be the mean of the |w| above d/2. It never falls as d grows, since raising the threshold drops the smallest
/// terms of a mean. The optimal d* is the mean over its own support {|w| > d*/2}, so T(d*) = d*. From 0 ≤ d* follows
/// T(0) ≤ T(d*) = d*, and so on for every further round; from max|w| ≥ d* likewise, from above. Sums are in f32 here, and
/// all terms are positive: their relative error is below n·2⁻²⁴, by which the thresholds are moved apart, twice over.
fn bracket(weights: &[f32]) -> (f32, f32) {
    let greatest = weights.iter().fold(0.0f32, |greatest, w| greatest.max(w.abs()));
    let margin = weights.len() as f32 * f32::EPSILON;
    let (mut low, mut high) = (0.0f32, greatest);
    for _ in 0..ROUNDS {
        low = mean_above(weights, low / 2.0) * (1.0 - margin);
        high = mean_above(weights, high / 2.0) * (1.0 + margin);
    }
    // Sums beyond f32, or blocks so long that the margin eats everything, bracket nothing.
    if low.is_finite() && high.is_finite() && margin < 0.5 { (low / 2.0, high / 2.0) } else { (0.0, f32::MAX) }
}

/// Mean of the |w| above a threshold, in f32; 0 where there is none.
fn mean_above(weights: &[f32], threshold: f32) -> f32 {
    let (mut sums, mut counts) = ([0.0f32; 8], [0.0f32; 8]);
    let (eights, rest) = weights.as_chunks::<8>();
    for eight in eights {
        for ((sum, count), w) in sums.iter_mut().zip(&mut counts).zip(eight) {
            let above = w.abs() > threshold;
            *sum += if above { w.abs() } else { 0.0 };
            *count += if above { 1.0 } else { 0.0 };
        }
    }
    let (mut sum, mut count) = (sums.iter().sum::<f32>(), counts.iter().sum::<f32>());
    for w in rest.iter().filter(|w| w.abs() > threshold) {
        sum += w.abs();
        count += 1.0;
    }
    if count == 0.0 { 0.0 } else { sum / count }
}

/// Σ|w| above a threshold in f64, in eight interleaved sums, and how many there are.
fn sum_above(weights: &[f32], threshold: f32) -> (f64, usize) {
    let (mut sums, mut counts) = ([0.0f64; 8], [0u32; 8]);
    let (eights, rest) = weights.as_chunks::<8>();
    for eight in eights {
        for ((sum, count), w) in sums.iter_mut().zip(&mut counts).zip(eight) {
            let above = w.abs() > threshold;
            *sum += f64::from(if above { w.abs() } else { 0.0 });
            *count += u32::from(above);
        }
    }
    let (mut sum, mut count) = (sums.iter().sum::<f64>(), counts.iter().sum::<u32>() as usize);
    for w in rest.iter().filter(|w| w.abs() > threshold) {
        sum += f64::from(w.abs());
        count += 1;
    }
    (sum, count)
}

fn weighted(weights: &[f32], importance: &[f32], scratch: &mut Scratch) -> Optimum {
    debug_assert_eq!(weights.len(), importance.len());
    let greatest = weights.iter().fold(0.0f32, |greatest, w| greatest.max(w.abs()));
    // Products of weights beyond f16 may be beyond f32: their magnitude is taken off first, which changes no support.
    let unit = if fits_f32(greatest, 0.0) || greatest == 0.0 { 1.0 } else { f64::from(greatest) };
    let Scratch { keyed, q, qa, .. } = scratch;
    normalise(importance, q);
    qa.clear();
    qa.extend(weights.iter().zip(&*q).map(|(w, q)| q * (f64::from(w.abs()) / unit) as f32));
    let (low, high) = if unit == 1.0 { weighted_bracket(weights, q, qa, greatest) } else { (0.0, f32::MAX) };
    let n = weights.len();
    let certain = Sums {
        qa: wide_sum(n, |i| if weights[i].abs() > high { f64::from(qa[i]) } else { 0.0 }),
        q: wide_sum(n, |i| if weights[i].abs() > high { f64::from(q[i]) } else { 0.0 }),
        support: weights.iter().filter(|w| w.abs() > high).count(),
    };
    let open = weights.iter().enumerate().filter(|(_, w)| w.abs() > low && w.abs() <= high);
    keyed.clear();
    keyed.extend(open.map(|(i, w)| key(*w, i as u32)));
    let best = best_prefix(certain, keyed, q, qa);
    Optimum { scale: best.scale * unit, gain: best.gain * unit * unit, ..best }
}

/// Weighted sums over a prefix, and its length.
#[derive(Debug, Clone, Copy)]
pub(super) struct Sums {
    pub qa: f64,
    pub q: f64,
    pub support: usize,
}

/// What sorts by |w| downward and then by index upward, if sorted downward.
#[inline]
pub(super) fn key(w: f32, index: u32) -> u64 {
    u64::from(w.to_bits() & 0x7fff_ffff) << 32 | u64::from(!index)
}

/// The best of the prefixes that `certain` begins and open weights end; `q` and `qa` are by the index in their keys.
#[inline]
pub(super) fn best_prefix(certain: Sums, open: &mut [u64], q: &[f32], qa: &[f32]) -> Optimum {
    open.sort_unstable_by(|a, b| b.cmp(a));
    let Sums { qa: mut sum, q: mut mass, mut support } = certain;
    let mut best = Optimum { scale: 0.0, support: 0, gain: 0.0 };
    if support > 0 {
        best = Optimum { scale: sum / mass, support, gain: sum * sum / mass };
    }
    for at in 0..open.len() {
        let i = !(open[at] as u32) as usize;
        sum += f64::from(qa[i]);
        mass += f64::from(q[i]);
        support += 1;
        // The best prefix cuts no run of equal magnitudes; rounding is not to find one that does.
        if open.get(at + 1).is_some_and(|next| next >> 32 == open[at] >> 32) {
            continue;
        }
        let gain = sum * sum / mass;
        if gain > best.gain {
            best = Optimum { scale: sum / mass, support, gain };
        }
    }
    best
}

/// Fills `q` with importance ÷ mean + 10⁻⁶.
fn normalise(importance: &[f32], q: &mut Vec<f32>) {
    q.clear();
    // `max` also turns NaN into 0.
    let mean = Lanes::of(importance, |v| v.max(0.0)).total() / importance.len().max(1) as f32;
    let inverse = 1.0 / mean;
    let informative = mean > 0.0 && mean.is_finite() && inverse.is_finite();
    q.extend(importance.iter().map(|v| if informative { v.max(0.0) * inverse + FLOOR } else { 1.0 }));
}

/// Share of the mean importance that every weight has at least.
pub(super) const FLOOR: f32 = 1e-6;

/// [`bracket`] for weighted means: T(d) is the mean of the |w| above d/2 with weights q, and never falls either. Sums and
/// products are in f32, their relative error is below (n + 32)·2⁻²⁴ each.
fn weighted_bracket(weights: &[f32], q: &[f32], qa: &[f32], greatest: f32) -> (f32, f32) {
    let margin = weighted_margin(weights.len());
    let mean_above = |threshold: f32| {
        let above = |w: f32, x: f32| if w.abs() > threshold { x } else { 0.0 };
        Lanes::of_pairs(weights, qa, above).total() / Lanes::of_pairs(weights, q, above).total()
    };
    let mut low = Lanes::of(qa, |x| x).total() / Lanes::of(q, |x| x).total() * (1.0 - margin);
    let mut high = greatest;
    for _ in 0..ROUNDS {
        low = mean_above(low / 2.0) * (1.0 - margin);
        high = mean_above(high / 2.0) * (1.0 + margin);
    }
    if low.is_finite() && high.is_finite() && margin < 0.5 { (low / 2.0, high / 2.0) } else { (0.0, f32::MAX) }
}

/// By how much thresholds of weighted means are moved apart.
pub(super) fn weighted_margin(n: usize) -> f32 {
    (n + 32) as f32 * f32::EPSILON
}
