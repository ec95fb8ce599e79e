//! Sums of powers of weights, and how many are zero: what is known of weights besides their codes.

use half::{bf16, f16};

use super::lanes::{Lanes, Source};
use super::{Kernel, Weights};
use crate::engine::stats::in_halves;

/// Interleaved sums: one would wait for each addition.
const LANES: usize = 16;

/// Sums over weights. If a weight is NaN or infinite so is `abs`, and nothing else means anything.
#[derive(Debug, Clone, Copy, Default, PartialEq)]
pub struct Powers {
    /// Σw.
    pub sum: f64,
    /// Σ|w|.
    pub abs: f64,
    /// Σw².
    pub square: f64,
    /// Σw³.
    pub cube: f64,
    /// Σw⁴.
    pub fourth: f64,
    /// Greatest |w|.
    pub greatest: f32,
    /// Weights that are zero.
    pub zeros: u64,
}

impl Powers {
    /// One weight more.
    #[inline]
    pub fn add(&mut self, weight: f32) {
        let w = f64::from(weight);
        let square = w * w;
        self.sum += w;
        self.abs += w.abs();
        self.square += square;
        self.cube += square * w;
        self.fourth += square * square;
        // A comparison, not `f32::max`, whose rule for NaN costs more than the rest.
        self.greatest = if weight.abs() > self.greatest { weight.abs() } else { self.greatest };
        self.zeros += u64::from(weight == 0.0);
    }

    /// Sums in interleaved lanes as one.
    fn of_lanes(lanes: &[Self; LANES]) -> Self {
        let total = |part: fn(&Self) -> f64| in_halves(lanes.each_ref().map(part));
        Self {
            sum: total(|l| l.sum),
            abs: total(|l| l.abs),
            square: total(|l| l.square),
            cube: total(|l| l.cube),
            fourth: total(|l| l.fourth),
            greatest: lanes.iter().fold(0.0, |a, l| if l.greatest > a { l.greatest } else { a }),
            zeros: lanes.iter().map(|l| l.zeros).sum(),
        }
    }
}

impl Kernel {
    /// Sums over weights in f64: in sixteen lanes, then one after the other those that fill no lanes.
    pub fn powers(self, weights: Weights<'_>) -> Powers {
        let whole = weights.len() / LANES * LANES;
        let mut powers = self.powers_of_whole(weights.part(0, whole)).unwrap_or_else(|| scalar(weights.part(0, whole)));
        each(weights.part(whole, LANES), |_, w| powers.add(w));
        powers
    }
}

/// The readable truth, for a multiple of sixteen weights.
fn scalar(weights: Weights<'_>) -> Powers {
    let mut lanes = [Powers::default(); LANES];
    each(weights, |i, w| lanes[i % LANES].add(w));
    Powers::of_lanes(&lanes)
}

#[inline]
fn each(weights: Weights<'_>, mut f: impl FnMut(usize, f32)) {
    match weights {
        Weights::F16(w) => w.iter().enumerate().for_each(|(i, w)| f(i, f16::from_le_bytes(*w).to_f32())),
        Weights::BF16(w) => w.iter().enumerate().for_each(|(i, w)| f(i, bf16::from_le_bytes(*w).to_f32())),
        Weights::F32(w) => w.iter().enumerate().for_each(|(i, w)| f(i, *w)),
    }
}

/// The same over lanes.
#[inline(always)]
pub(super) fn over<L: Lanes, S: Source>(l: L, weights: &[S::Raw]) -> Powers {
    let (zero, none) = (l.splat(0.0), l.wide_splat(0.0));
    let (mut sum, mut abs, mut square, mut cube, mut fourth) = (none, none, none, none, none);
    let (mut greatest, mut zeros) = (zero, 0);
    for sixteen in weights.as_chunks::<LANES>().0 {
        let x = S::load(l, sixteen);
        let a = l.abs(x);
        greatest = l.max(greatest, a);
        zeros += u64::from(l.bits(l.at_least(zero, a)).count_ones());
        let w = l.wide(x);
        let w2 = l.wide_mul(w, w);
        sum = l.wide_add(sum, w);
        abs = l.wide_add(abs, l.wide(a));
        square = l.wide_add(square, w2);
        cube = l.wide_add(cube, l.wide_mul(w2, w));
        fourth = l.wide_add(fourth, l.wide_mul(w2, w2));
    }
    Powers {
        sum: l.total_of_wide(sum),
        abs: l.total_of_wide(abs),
        square: l.total_of_wide(square),
        cube: l.total_of_wide(cube),
        fourth: l.total_of_wide(fourth),
        greatest: l.greatest(greatest),
        zeros,
    }
}
