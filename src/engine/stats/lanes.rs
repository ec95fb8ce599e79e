//! Sums over a block in 32 interleaved f32 lanes: an order of adding that vectors of any width keep.
//!
//! Value i is added to lane i mod 32. The lanes are then added in halves: lane l and l + 16, l and l + 8, and so on down
//! to one. A block has a few hundred weights, so a lane takes about eight values and what rounding loses is in the seventh
//! digit. Every kernel adds in this order, so that figures are the same on every CPU.

use std::ops::AddAssign;

/// Lanes.
const LANES: usize = 32;

/// Sums in 32 lanes.
#[derive(Clone, Copy)]
pub(crate) struct Lanes([f32; LANES]);

impl Lanes {
    /// Adds `value(w)` of every weight.
    #[inline]
    pub fn of(weights: &[f32], value: impl Fn(f32) -> f32) -> Self {
        let mut lanes = [0.0; LANES];
        let (whole, rest) = weights.as_chunks::<LANES>();
        for weights in whole {
            for (lane, w) in lanes.iter_mut().zip(weights) {
                *lane += value(*w);
            }
        }
        for (lane, w) in lanes.iter_mut().zip(rest) {
            *lane += value(*w);
        }
        Self(lanes)
    }

    /// Adds `value(w, x)` of every weight and what stands beside it; both are as long.
    #[inline]
    pub fn of_pairs<T: Copy>(weights: &[f32], beside: &[T], value: impl Fn(f32, T) -> f32) -> Self {
        debug_assert_eq!(weights.len(), beside.len());
        let mut lanes = [0.0; LANES];
        let (whole, rest) = weights.as_chunks::<LANES>();
        let (beside_whole, beside_rest) = beside.as_chunks::<LANES>();
        for (weights, beside) in whole.iter().zip(beside_whole) {
            for ((lane, w), x) in lanes.iter_mut().zip(weights).zip(beside) {
                *lane += value(*w, *x);
            }
        }
        for ((lane, w), x) in lanes.iter_mut().zip(rest).zip(beside_rest) {
            *lane += value(*w, *x);
        }
        Self(lanes)
    }

    /// Adds `value(0)` … `value(n − 1)`.
    #[inline]
    pub fn of_each(n: usize, value: impl Fn(usize) -> f32) -> Self {
        let mut lanes = [0.0; LANES];
        let whole = n / LANES * LANES;
        for first in (0..whole).step_by(LANES) {
            for (l, lane) in lanes.iter_mut().enumerate() {
                *lane += value(first + l);
            }
        }
        for (lane, i) in lanes.iter_mut().zip(whole..n) {
            *lane += value(i);
        }
        Self(lanes)
    }

    /// Adds the lanes up in f32.
    pub fn total(self) -> f32 {
        in_halves(self.0)
    }

    /// Adds lanes l and l + 16 in f32 and the rest in f64: exact where the lanes are, which sums of f16 mostly are.
    pub fn wide_total(self) -> f64 {
        let pairs: [f64; LANES / 2] = std::array::from_fn(|l| f64::from(self.0[l] + self.0[l + LANES / 2]));
        in_halves(pairs)
    }
}

/// Adds `value(0)` … `value(n − 1)` in sixteen interleaved f64 lanes, which are then added in halves.
#[inline]
pub(crate) fn wide_sum(n: usize, value: impl Fn(usize) -> f64) -> f64 {
    const WIDE: usize = 16;
    let mut lanes = [0.0f64; WIDE];
    let whole = n / WIDE * WIDE;
    for first in (0..whole).step_by(WIDE) {
        for (l, lane) in lanes.iter_mut().enumerate() {
            *lane += value(first + l);
        }
    }
    for (lane, i) in lanes.iter_mut().zip(whole..n) {
        *lane += value(i);
    }
    in_halves(lanes)
}

/// Adds a power of two of lanes: the upper half to the lower one, and so on down to one.
#[inline]
pub(crate) fn in_halves<T: Copy + AddAssign, const N: usize>(mut lanes: [T; N]) -> T {
    let mut half = N / 2;
    while half > 0 {
        for l in 0..half {
            let upper = lanes[l + half];
            lanes[l] += upper;
        }
        half /= 2;
    }
    lanes[0]
}

/// Whether figures of a block may be summed in f32: squares of magnitudes up to `greatest` neither overflow nor vanish.
/// Blocks that are all zero, or beyond f16, are summed in f64.
#[inline]
pub(crate) fn fits_f32(greatest: f32, scale: f32) -> bool {
    const LEAST: f32 = 1.0 / (1u32 << 24) as f32;
    (LEAST..=65504.0).contains(&greatest) && scale.abs() <= 65504.0
}

/// Whether sums Σ q·w² and Σ q·(w − ŵ)² that were added up in f32 may be taken: none of their terms was infinite, and what
/// vanished counts for nothing. Else they are added up in f64.
#[inline]
pub(crate) fn weighted_fit_f32(w2: f32, e2: f32) -> bool {
    const LEAST: f32 = 1.0 / (1u64 << 60) as f32;
    const MOST: f32 = (1u64 << 60) as f32;
    (LEAST..=MOST).contains(&w2) && e2 <= MOST
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn lanes_add_up_to_what_is_in_them() {
        for n in [0usize, 1, 31, 32, 33, 64, 100, 256] {
            let values: Vec<f32> = (0..n).map(|i| (i * i % 97) as f32).collect();
            let sum: f32 = values.iter().sum();
            let lanes = Lanes::of(&values, |w| w);
            assert_eq!((lanes.total(), lanes.wide_total()), (sum, f64::from(sum)), "{n}");
            let twice = Lanes::of_pairs(&values, &values, |w, x| w + x);
            assert_eq!(twice.total(), 2.0 * sum);
            assert_eq!(Lanes::of_each(n, |i| values[i]).total(), sum);
        }
    }

    #[test]
    fn a_wide_sum_takes_every_value_once() {
        for n in [0usize, 1, 15, 16, 17, 50, 256] {
            assert_eq!(wide_sum(n, |i| i as f64), (0..n).sum::<usize>() as f64);
        }
        // 2⁵³ + 1 is no f64: the ones survive only where they meet each other first.
        let values =
            |i: usize| [9_007_199_254_740_992.0, 0.0, 0.0, 0.0, 1.0, 0.0, 0.0, 0.0, 0.0, 0.0, 0.0, 0.0, 1.0][i];
        assert_eq!(wide_sum(13, values), 9_007_199_254_740_994.0);
    }

    #[test]
    fn lanes_are_added_in_halves() {
        // 2²⁴ + 1 is no f32: the ones survive only where they meet each other first.
        let mut values = [0.0f32; 32];
        (values[0], values[8], values[24]) = (16_777_216.0, 1.0, 1.0);
        assert_eq!(Lanes::of(&values, |w| w).total(), 16_777_218.0);
        values[24] = 0.0;
        values[16] = 1.0;
        assert_eq!(Lanes::of(&values, |w| w).total(), 16_777_216.0);
    }

    #[test]
    fn only_magnitudes_of_f16_fit() {
        assert!(fits_f32(1.0, 1.0) && fits_f32(65504.0, 0.0));
        assert!(!fits_f32(0.0, 0.0) && !fits_f32(1e-9, 0.0) && !fits_f32(1.0, 1e9) && !fits_f32(f32::NAN, 1.0));
    }
}
