//! The scales of a tensor's blocks: how they are spread, how many different ones there are, where they change.

use half::f16;

use crate::engine::stats::F16Histogram;

/// Words of a bit set over all f16 patterns.
const WORDS: usize = (1 << 16) / 64;

/// Everything counted about scales. Each is looked at as the f16 nearest to it, which it is in every format with a
/// scale per block.
#[derive(Debug, Clone, PartialEq)]
pub struct ScaleForensics {
    /// Scales that are 0.
    pub zero: u64,
    /// Scales below 0.
    pub negative: u64,
    /// Scales that are subnormal in f16 (below 2⁻¹⁴): some runtimes take them for 0.
    pub subnormal: u64,
    /// Infinite scales, and those beyond f16.
    pub infinite: u64,
    /// Scales that are no number.
    pub nan: u64,
    /// Scales that are finite and not 0: what the moments, the range and the histogram are of.
    pub usable: u64,
    /// Least of them; infinite where there are none.
    pub min: f64,
    /// Greatest of them; minus infinity where there are none.
    pub max: f64,
    /// Their magnitudes.
    pub histogram: F16Histogram,
    sum: f64,
    sum_squares: f64,
    /// A bit for every f16 there is: how many are set is how many different scales there are, whatever the tensor's
    /// size.
    seen: Vec<u64>,
    runs: Runs,
}

/// Neighbouring blocks with one scale, among blocks that have a usable one and nonzero trits.
#[derive(Debug, Clone, Copy, PartialEq, Default)]
struct Runs {
    blocks: u64,
    changes: u64,
    first: Option<f16>,
    last: Option<f16>,
}

/// Whether two scales are one within the rounding to f16: equal, or neighbours.
fn alike(a: f16, b: f16) -> bool {
    // Patterns of one sign order like the numbers; across signs, two scales are never alike.
    a.is_sign_negative() == b.is_sign_negative() && a.to_bits().abs_diff(b.to_bits()) <= 1
}

impl Runs {
    fn merge(&mut self, next: Self) {
        if let (Some(a), Some(b)) = (self.last, next.first) {
            self.changes += u64::from(!alike(a, b));
        }
        self.blocks += next.blocks;
        self.changes += next.changes;
        self.first = self.first.or(next.first);
        self.last = next.last.or(self.last);
    }
}

impl Default for ScaleForensics {
    fn default() -> Self {
        Self {
            zero: 0,
            negative: 0,
            subnormal: 0,
            infinite: 0,
            nan: 0,
            usable: 0,
            min: f64::INFINITY,
            max: f64::NEG_INFINITY,
            histogram: F16Histogram::new(),
            sum: 0.0,
            sum_squares: 0.0,
            seen: vec![0; WORDS],
            runs: Runs::default(),
        }
    }
}

impl ScaleForensics {
    /// Adds the next block's scale; `live` where the block has nonzero trits.
    pub(super) fn add(&mut self, scale: f32, live: bool) {
        let rounded = f16::from_f32(scale);
        if rounded.is_nan() {
            self.nan += 1;
            return;
        }
        self.negative += u64::from(scale < 0.0);
        if rounded.is_infinite() {
            self.infinite += 1;
            return;
        }
        let bits = usize::from(rounded.to_bits());
        if rounded == f16::ZERO {
            // One bit for 0 and −0; an f32 scale too small for f16 is here as well.
            self.zero += 1;
            self.seen[0] |= 1;
            return;
        }
        self.seen[bits / 64] |= 1 << (bits % 64);
        self.subnormal += u64::from(!rounded.is_normal());
        self.usable += 1;
        let value = f64::from(scale);
        self.sum += value;
        self.sum_squares += value * value;
        self.min = self.min.min(value);
        self.max = self.max.max(value);
        self.histogram.add(rounded);
        if live {
            self.runs.merge(Runs { blocks: 1, changes: 0, first: Some(rounded), last: Some(rounded) });
        }
    }

    /// Adds the scales of the blocks that follow.
    pub(super) fn merge(&mut self, next: &Self) {
        self.zero += next.zero;
        self.negative += next.negative;
        self.subnormal += next.subnormal;
        self.infinite += next.infinite;
        self.nan += next.nan;
        self.usable += next.usable;
        self.sum += next.sum;
        self.sum_squares += next.sum_squares;
        self.min = self.min.min(next.min);
        self.max = self.max.max(next.max);
        self.histogram.merge(&next.histogram);
        for (a, b) in self.seen.iter_mut().zip(&next.seen) {
            *a |= b;
        }
        self.runs.merge(next.runs);
    }

    /// Mean of the usable scales; 0 where there are none.
    pub fn mean(&self) -> f64 {
        self.sum / self.usable.max(1) as f64
    }

    /// Standard deviation of the usable scales (÷ n).
    pub fn std(&self) -> f64 {
        if self.min >= self.max {
            return 0.0;
        }
        let mean = self.mean();
        let variance = self.sum_squares / self.usable.max(1) as f64 - mean * mean;
        // Scales that hardly differ leave the rounding of the two sums; a spread of 10⁻⁷ is none either way.
        if variance > 1e-14 * mean * mean { variance.sqrt() } else { 0.0 }
    }

    /// Different f16 scales that are finite and not 0.
    pub fn distinct(&self) -> u64 {
        let all: u64 = self.seen.iter().map(|word| u64::from(word.count_ones())).sum();
        all - u64::from(self.zero > 0)
    }

    /// Blocks with nonzero trits and a usable scale.
    pub fn live_blocks(&self) -> u64 {
        self.runs.blocks
    }

    /// How often the scale is another than that of the last such block, by more than one step of f16.
    pub fn changes(&self) -> u64 {
        self.runs.changes
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn of(scales: &[f32]) -> ScaleForensics {
        let mut s = ScaleForensics::default();
        scales.iter().for_each(|x| s.add(*x, true));
        s
    }

    #[test]
    fn scales_are_sorted_by_what_is_wrong_with_them() {
        let tiny = f16::from_bits(3).to_f32();
        let s = of(&[1.0, -2.0, 0.0, -0.0, tiny, f32::INFINITY, f32::NEG_INFINITY, f32::NAN, 3.0, 1.0]);
        assert_eq!((s.zero, s.negative, s.subnormal, s.infinite, s.nan, s.usable), (2, 2, 1, 2, 1, 5));
        assert_eq!((s.min, s.max, s.distinct(), s.histogram.total()), (-2.0, 3.0, 4, 5));
        let s = of(&[1.0, 3.0]);
        assert_eq!((s.mean(), s.std()), (2.0, 1.0));
        assert_eq!((ScaleForensics::default().mean(), ScaleForensics::default().std()), (0.0, 0.0));
    }

    #[test]
    fn equal_scales_have_no_spread_at_all() {
        let s = of(&vec![f16::from_f32(0.0123).to_f32(); 100_000]);
        assert_eq!((s.std(), s.distinct(), s.changes(), s.live_blocks()), (0.0, 1, 0, 100_000));
    }

    #[test]
    fn changes_are_counted_between_live_blocks_and_above_one_step() {
        let step = |n: u16| f16::from_bits(0x3000 + n).to_f32();
        let mut s = of(&[step(0), step(1), step(0), step(2), step(2)]);
        assert_eq!((s.changes(), s.live_blocks(), s.distinct()), (1, 5, 3));
        s.add(9.0, false);
        s.add(0.0, true);
        s.add(step(3), true);
        assert_eq!((s.changes(), s.live_blocks()), (1, 6));
        // The least positive and the least negative subnormal are two steps apart in value, not alike in sign.
        assert_eq!(of(&[f16::from_bits(1).to_f32(), f16::from_bits(0x8001).to_f32()]).changes(), 1);
    }
}
