//! Histograms over f16's own bins: no range to choose beforehand, exact merging, redrawn on any axis afterwards.
//!
//! A bin is sixteen neighbouring f16 patterns, so an octave has 64 bins and every finite magnitude has a place. Drawing
//! axes (linear, logarithmic) are made by spreading each bin's count evenly over its width.

use half::f16;
use half::slice::HalfFloatSliceExt;

use crate::engine::ternary::kernels::Weights;

/// Bins of finite magnitudes; patterns from 0x7c00 up are infinity and NaN.
const BINS: usize = 0x7c00 >> 4;
/// Bins stored: all that 15 bits of pattern have, so that no index needs a check.
const STORED: usize = 2048;

/// Lower edge of a bin (the upper one of the bin before).
fn edge(bin: usize) -> f64 {
    // What follows the largest finite f16 would be 2^16; `f16` calls it infinity.
    if bin >= BINS { 65536.0 } else { f64::from(f16::from_bits((bin << 4) as u16).to_f32()) }
}

/// Counts of magnitudes.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct F16Histogram {
    counts: Vec<u64>,
}

impl Default for F16Histogram {
    fn default() -> Self {
        Self::new()
    }
}

/// Values far outside the bulk of a histogram.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Outliers {
    /// The fence below the bulk, never below 0.
    pub low: f64,
    /// The fence above it.
    pub high: f64,
    /// Values below.
    pub below: u64,
    /// Values above.
    pub above: u64,
}

impl F16Histogram {
    /// An empty histogram.
    pub fn new() -> Self {
        Self { counts: vec![0; STORED] }
    }

    /// Counts |x|. An infinity goes to the last finite bin, NaN is ignored.
    #[inline]
    pub fn add(&mut self, x: f16) {
        let pattern = x.to_bits() & 0x7fff;
        if pattern <= 0x7c00 {
            self.counts[usize::from(pattern >> 4).min(BINS - 1)] += 1;
        }
    }

    /// Counts |x| rounded to f16. What rounds to infinity goes to the last finite bin, NaN is ignored.
    #[inline]
    pub fn add_f32(&mut self, x: f32) {
        let bits = x.to_bits() & 0x7fff_ffff;
        // Between the least normal f16 and 2^16 rounding is integer arithmetic on the pattern; elsewhere ask `half`.
        if (0x3880_0000..0x4780_0000).contains(&bits) {
            let pattern = (bits - 0x3800_0000 + 0xfff + ((bits >> 13) & 1)) >> 13;
            self.counts[((pattern >> 4) as usize).min(BINS - 1)] += 1;
        } else {
            self.add(f16::from_f32(x));
        }
    }

    /// Adds another histogram's counts.
    pub fn merge(&mut self, other: &Self) {
        for (a, b) in self.counts.iter_mut().zip(&other.counts) {
            *a += b;
        }
    }

    /// Values counted.
    pub fn total(&self) -> u64 {
        self.counts.iter().sum()
    }

    /// Lower edge of the first occupied bin.
    pub fn min_value(&self) -> Option<f64> {
        self.counts.iter().position(|c| *c > 0).map(edge)
    }

    /// Upper edge of the last occupied bin.
    pub fn max_value(&self) -> Option<f64> {
        self.counts.iter().rposition(|c| *c > 0).map(|bin| edge(bin + 1))
    }

    /// Counts on `bins` equal bins from `lo` to `hi`; what lies outside is left out. All zero for an empty range.
    pub fn rebin_linear(&self, lo: f64, hi: f64, bins: usize) -> Vec<f64> {
        let mut out = vec![0.0; bins];
        self.spread(&linear_edges(lo, hi, bins), 1.0, &mut out);
        out
    }

    /// The same on bins of equal ratio from `lo` > 0 to `hi`. A bin of the source still spreads evenly over its width,
    /// not its logarithm.
    pub fn rebin_log(&self, lo: f64, hi: f64, bins: usize) -> Vec<f64> {
        let mut out = vec![0.0; bins];
        if lo > 0.0 && hi > lo && hi.is_finite() {
            let mut edges: Vec<f64> = linear_edges(lo.ln(), hi.ln(), bins).into_iter().map(f64::exp).collect();
            // The ends as asked for, so that a value at an edge is not lost to rounding.
            if let [first, .., last] = edges.as_mut_slice() {
                (*first, *last) = (lo, hi);
            }
            self.spread(&edges, 1.0, &mut out);
        }
        out
    }

    /// The value below which a share `q` (0 to 1) of the counts lies, taken as even within a bin; `None` when empty.
    pub fn quantile(&self, q: f64) -> Option<f64> {
        let wanted = q.clamp(0.0, 1.0) * self.total() as f64;
        let mut below = 0.0;
        for (bin, count) in self.counts.iter().enumerate().filter(|(_, c)| **c > 0) {
            let count = *count as f64;
            if below + count >= wanted {
                return Some(edge(bin) + (edge(bin + 1) - edge(bin)) * (wanted - below) / count);
            }
            below += count;
        }
        self.max_value()
    }

    /// How many values lie far outside the bulk, by Tukey's outer fences: three interquartile ranges beyond the
    /// quartiles. `None` when empty.
    pub fn outliers(&self) -> Option<Outliers> {
        let (q1, q3) = (self.quantile(0.25)?, self.quantile(0.75)?);
        let reach = 3.0 * (q3 - q1);
        let (low, high) = ((q1 - reach).max(0.0), q3 + reach);
        // Whole bins only: a fence inside a bin must not make outliers of part of the bulk.
        let count = |keep: &dyn Fn(usize) -> bool| {
            self.counts.iter().enumerate().filter(|(bin, _)| keep(*bin)).map(|(_, n)| n).sum::<u64>()
        };
        Some(Outliers {
            low,
            high,
            below: count(&|bin| bin < BINS && edge(bin + 1) <= low),
            above: count(&|bin| edge(bin) >= high),
        })
    }

    /// Adds each bin's count, mirrored if `sign` is −1, to the destination bins between ascending `edges` in proportion
    /// to how much of the bin's width each covers.
    fn spread(&self, edges: &[f64], sign: f64, out: &mut [f64]) {
        if edges.len() < 2 || out.len() + 1 != edges.len() {
            return;
        }
        for (bin, count) in self.counts.iter().enumerate().filter(|(_, c)| **c > 0) {
            let (near, far) = (sign * edge(bin), sign * edge(bin + 1));
            let (a, b) = (near.min(far), near.max(far));
            let first = edges.partition_point(|e| *e <= a).saturating_sub(1);
            for (out, ends) in out[first.min(edges.len() - 1)..].iter_mut().zip(edges[first..].windows(2)) {
                if ends[0] >= b {
                    break;
                }
                let overlap = ends[1].min(b) - ends[0].max(a);
                *out += *count as f64 * (overlap / (b - a)).max(0.0);
            }
        }
    }
}

/// `bins + 1` ascending edges; none for an empty or endless range.
fn linear_edges(lo: f64, hi: f64, bins: usize) -> Vec<f64> {
    if bins == 0 || lo >= hi || !lo.is_finite() || !hi.is_finite() {
        return Vec::new();
    }
    (0..=bins).map(|i| if i == bins { hi } else { lo + (hi - lo) * (i as f64 / bins as f64) }).collect()
}

/// Counts of signed values: magnitudes on either side and zeros by themselves.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct SignedF16Histogram {
    /// Magnitudes of the values below zero.
    pub negative: F16Histogram,
    /// Values above zero.
    pub positive: F16Histogram,
    /// Values that are 0 or −0.
    pub zeros: u64,
}

impl SignedF16Histogram {
    /// An empty histogram.
    pub fn new() -> Self {
        Self::default()
    }

    /// Counts one value; NaN is ignored.
    #[inline]
    pub fn add_f32(&mut self, x: f32) {
        if x == 0.0 {
            self.zeros += 1;
        } else {
            // Signs are as good as random: a place is chosen, not a branch.
            let side = if x < 0.0 { &mut self.negative } else { &mut self.positive };
            side.add_f32(x);
        }
    }

    /// Adds another histogram's counts.
    pub fn merge(&mut self, other: &Self) {
        self.negative.merge(&other.negative);
        self.positive.merge(&other.positive);
        self.zeros += other.zeros;
    }

    /// Values counted.
    pub fn total(&self) -> u64 {
        self.negative.total() + self.positive.total() + self.zeros
    }

    /// Lower edge of the range that is occupied; `None` when empty.
    pub fn min_value(&self) -> Option<f64> {
        let zero = (self.zeros > 0).then_some(0.0);
        self.negative.max_value().map(|v| -v).or(zero).or_else(|| self.positive.min_value())
    }

    /// Upper edge of the range that is occupied; `None` when empty.
    pub fn max_value(&self) -> Option<f64> {
        let zero = (self.zeros > 0).then_some(0.0);
        self.positive.max_value().or(zero).or_else(|| self.negative.min_value().map(|v| -v))
    }

    /// Counts on `bins` equal bins from `lo` to `hi`; zeros go whole to the bin that holds 0 (the upper one, if 0 is an
    /// edge), what lies outside is left out.
    pub fn rebin_linear(&self, lo: f64, hi: f64, bins: usize) -> Vec<f64> {
        let mut out = vec![0.0; bins];
        let edges = linear_edges(lo, hi, bins);
        self.negative.spread(&edges, -1.0, &mut out);
        self.positive.spread(&edges, 1.0, &mut out);
        if edges.first().is_some_and(|e| *e <= 0.0) && edges.last().is_some_and(|e| *e >= 0.0) {
            let bin = edges.partition_point(|e| *e <= 0.0).saturating_sub(1).min(bins - 1);
            out[bin] += self.zeros as f64;
        }
        out
    }
}

/// Counts of signed values on the way to a [`SignedF16Histogram`]: one table for both signs, to which patterns are added
/// without a branch.
#[derive(Debug, Clone)]
pub(crate) struct SignedCounts {
    /// By sign and bin.
    bins: Vec<u64>,
    /// Values among them that are 0, and −0.
    zeros: [u64; 2],
}

impl Default for SignedCounts {
    fn default() -> Self {
        Self { bins: vec![0; 2 * STORED], zeros: [0; 2] }
    }
}

impl SignedCounts {
    /// Counts weights that are not NaN, rounded to f16; so many of them are zero.
    pub fn add(&mut self, weights: Weights<'_>, zeros: u64) {
        const CHUNK: usize = 256;
        if let Weights::F16(w) = weights {
            w.iter().for_each(|bits| self.bins[usize::from(u16::from_le_bytes(*bits) >> 4)] += 1);
        } else {
            let (mut buffer, mut patterns) = (Vec::new(), [f16::ZERO; CHUNK]);
            for first in (0..weights.len()).step_by(CHUNK) {
                let values = weights.part(first, CHUNK).singles(&mut buffer);
                let patterns = &mut patterns[..values.len()];
                patterns.convert_from_f32_slice(values);
                patterns.iter().for_each(|x| self.bins[usize::from(x.to_bits() >> 4)] += 1);
            }
        }
        if zeros > 0 {
            let negative = match weights {
                Weights::F16(w) | Weights::BF16(w) => w.iter().filter(|bits| **bits == [0, 0x80]).count(),
                Weights::F32(w) => w.iter().filter(|x| x.to_bits() == (-0.0f32).to_bits()).count(),
            };
            self.zeros[0] += zeros - negative as u64;
            self.zeros[1] += negative as u64;
        }
    }

    /// Adds another's counts.
    pub fn merge(&mut self, other: &Self) {
        for (a, b) in self.bins.iter_mut().chain(&mut self.zeros).zip(other.bins.iter().chain(&other.zeros)) {
            *a += b;
        }
    }

    /// The histogram of what was counted.
    pub fn histogram(&self) -> SignedF16Histogram {
        let [positive, negative] = [0, 1].map(|sign| {
            let mut counts = self.bins[sign * STORED..][..STORED].to_vec();
            counts[0] -= self.zeros[sign];
            // What rounds to infinity goes to the last finite bin.
            counts[BINS - 1] += std::mem::take(&mut counts[BINS]);
            F16Histogram { counts }
        });
        SignedF16Histogram { negative, positive, zeros: self.zeros.iter().sum() }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn counts_by_pattern_become_the_histogram_of_the_values() {
        let mut values: Vec<f32> = (0..3000).map(|i| (i as f32 - 1500.0) * 10f32.powi(i % 9 - 6)).collect();
        values.extend([0.0, -0.0, 0.0, 1e-12, -1e-12, 6e-8, 65504.0, -65519.0, 65520.0, 1e30, -1e30]);
        let mut by_value = SignedF16Histogram::new();
        values.iter().for_each(|x| by_value.add_f32(*x));
        let (mut first, mut second) = (SignedCounts::default(), SignedCounts::default());
        let zeros = |values: &[f32]| values.iter().filter(|x| **x == 0.0).count() as u64;
        first.add(Weights::F32(&values[..777]), zeros(&values[..777]));
        second.add(Weights::F32(&values[777..]), zeros(&values[777..]));
        first.merge(&second);
        assert_eq!(first.histogram(), by_value);

        let halves: Vec<f16> = values.iter().map(|x| f16::from_f32(*x)).collect();
        let mut by_value = SignedF16Histogram::new();
        halves.iter().for_each(|x| by_value.add_f32(x.to_f32()));
        let bytes: Vec<[u8; 2]> = halves.iter().map(|x| x.to_le_bytes()).collect();
        let mut by_pattern = SignedCounts::default();
        by_pattern.add(Weights::F16(&bytes), halves.iter().filter(|x| **x == f16::ZERO).count() as u64);
        assert_eq!(by_pattern.histogram(), by_value);
    }

    fn filled(values: impl IntoIterator<Item = f32>) -> F16Histogram {
        let mut h = F16Histogram::new();
        for v in values {
            h.add_f32(v);
        }
        h
    }

    #[test]
    fn the_fast_path_of_f32_agrees_with_rounding_to_f16_first() {
        let mut bits = 7u32;
        for _ in 0..200_000 {
            bits = bits.wrapping_mul(1_664_525).wrapping_add(1_013_904_223);
            // Exponents around and beyond f16's range.
            let x = f32::from_bits(bits & 0x8fff_ffff | 0x3000_0000 | bits.rotate_left(7) & 0x4000_0000);
            let (a, mut b) = (filled([x]), F16Histogram::new());
            b.add(f16::from_f32(x));
            assert_eq!(a, b, "{x}");
        }
    }

    #[test]
    fn overflow_goes_to_the_last_bin_and_nan_nowhere() {
        let h = filled([65504.0, -65520.0, f32::INFINITY, 1e30, f32::NAN]);
        assert_eq!(h.total(), 4);
        assert_eq!((h.min_value(), h.max_value()), (Some(edge(BINS - 1)), Some(65536.0)));
    }

    #[test]
    fn rebinning_keeps_the_total_within_the_range() {
        let h = filled((1..=1000u16).map(|i| f32::from(i) / 250.0));
        let (lo, hi) = (h.min_value().unwrap(), h.max_value().unwrap());
        for bins in [1, 7, 100, 5000] {
            assert!((h.rebin_linear(lo, hi, bins).iter().sum::<f64>() - 1000.0).abs() < 1e-6);
            assert!((h.rebin_log(lo, hi, bins).iter().sum::<f64>() - 1000.0).abs() < 1e-6);
        }
        let quarter = h.rebin_linear(1.0, 2.0, 10);
        assert!((quarter.iter().sum::<f64>() - 250.0).abs() < 6.0, "{quarter:?}");
        assert!(quarter.iter().all(|c| (c - 25.0).abs() < 6.0), "{quarter:?}");
        assert_eq!(h.rebin_linear(10.0, 20.0, 3), [0.0; 3]);
        assert_eq!(h.rebin_linear(1.0, 1.0, 2), [0.0; 2]);
        assert_eq!(h.rebin_log(0.0, 1.0, 2), [0.0; 2]);
        assert!(h.rebin_linear(0.0, 1.0, 0).is_empty());
    }

    #[test]
    fn quantiles_lie_within_a_bin_of_the_truth() {
        let h = filled((1..=1000u16).map(f32::from));
        for (q, want) in [(0.0, 1.0), (0.25, 250.0), (0.5, 500.0), (0.99, 990.0), (1.0, 1000.0)] {
            let got = h.quantile(q).unwrap();
            assert!((got - want).abs() <= want / 32.0, "{q}: {got}");
        }
        assert_eq!(F16Histogram::new().quantile(0.5), None);
    }

    #[test]
    fn outliers_are_beyond_the_outer_fences() {
        let mut h = filled((1..=1000u16).map(|i| 1.0 + f32::from(i) / 1000.0));
        assert_eq!(h.outliers().map(|o| (o.below, o.above)), Some((0, 0)));
        h.merge(&filled([9.0, 8.0, 100.0]));
        let found = h.outliers().unwrap();
        assert_eq!((found.below, found.above, found.low), (0, 3, 0.0));
        assert!((found.high - 3.25).abs() < 0.1, "{found:?}");
        let mut even = filled([1.0; 50]);
        assert_eq!(even.outliers().map(|o| o.above + o.below), Some(0));
        even.merge(&filled([0.0, 3.0]));
        assert_eq!(even.outliers().map(|o| (o.below, o.above)), Some((1, 1)));
        assert_eq!(F16Histogram::new().outliers(), None);
    }

    #[test]
    fn merging_is_adding() {
        let (mut a, b) = (filled([1.0, 2.0]), filled([2.0, 0.0]));
        a.merge(&b);
        assert_eq!(a, filled([0.0, 2.0, 2.0, 1.0]));
    }

    #[test]
    fn signed_values_land_on_their_side_and_zeros_in_the_middle() {
        let mut h = SignedF16Histogram::new();
        for x in [-1.5, -0.5, -0.5, 0.0, -0.0, 0.25, 1.5, 1.5, 1.5, f32::NAN] {
            h.add_f32(x);
        }
        assert_eq!((h.total(), h.zeros), (9, 2));
        assert_eq!(h.rebin_linear(-2.0, 2.0, 4), [1.0, 2.0, 3.0, 3.0]);
        assert_eq!(h.rebin_linear(-3.0, 0.0, 1), [5.0]);
        assert!(h.min_value().unwrap() < -1.5 && h.max_value().unwrap() > 1.5);
        let mut twice = h.clone();
        twice.merge(&h);
        assert_eq!(twice.rebin_linear(-2.0, 2.0, 4), [2.0, 4.0, 6.0, 6.0]);
    }
}
