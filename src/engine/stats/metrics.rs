//! Sums from which every error figure follows, and the same for scales.
//!
//! Sums are in a fixed order: interleaved lanes inside a block (see [`super::lanes`]; four of f64 where magnitudes are beyond
//! f16, and of decoded weights), blocks one after the other in f64, parts merged by the caller in file order. Derived
//! figures are computed from the sums when asked for, never stored.

use super::lanes::{Lanes, fits_f32, weighted_fit_f32, wide_sum};

/// Lanes of the f64 accumulators inside a block.
const LANES: usize = 4;

/// What a comparison of weights w with their reconstruction q adds up to.
#[derive(Debug, Clone, Copy, PartialEq, Default)]
pub struct ErrorSums {
    /// Weights compared.
    pub n: u64,
    /// Σ w².
    pub sum_w2: f64,
    /// Σ (w − q)².
    pub sum_e2: f64,
    /// Σ w·q.
    pub sum_wq: f64,
    /// Σ q².
    pub sum_q2: f64,
    /// Σ |w − q|.
    pub sum_abs_err: f64,
    /// Greatest |w − q|.
    pub max_abs_err: f64,
    /// Trits (or decoded values) that are zero.
    pub zeros: u64,
    /// Σ q·w², weighted by importance q; 0 where there was none.
    pub sum_qw2: f64,
    /// Σ q·(w − ŵ)².
    pub sum_qe2: f64,
}

/// The five sums and the maximum of one lane.
#[derive(Clone, Copy, Default)]
struct Lane {
    w2: f64,
    e2: f64,
    wq: f64,
    q2: f64,
    abs: f64,
    max: f64,
}

impl Lane {
    #[inline]
    fn add(&mut self, w: f64, q: f64) {
        let abs = (w - q).abs();
        self.w2 += w * w;
        self.e2 += abs * abs;
        self.wq += w * q;
        self.q2 += q * q;
        self.abs += abs;
        // A comparison, not `f64::max`, whose rule for NaN costs more than everything else here.
        self.max = if abs > self.max { abs } else { self.max };
    }
}

/// What is added up of a block in f32.
#[derive(Debug, Clone, Copy)]
pub(crate) struct NarrowSums {
    /// Weights.
    pub n: u64,
    /// Σ w².
    pub w2: f32,
    /// Σ (w − q)².
    pub e2: f32,
    /// Σ |w − q|.
    pub abs: f32,
    /// Greatest |w − q|.
    pub max: f32,
    /// Trits that are zero.
    pub zeros: u64,
}

impl ErrorSums {
    /// Adds a block whose weight i is coded as `scale` × `trits[i]`. A zero is a zero trit, whatever the scale.
    pub fn add_block(&mut self, weights: &[f32], scale: f32, trits: &[i8]) {
        let zeros = trits.iter().map(|t| u64::from(*t == 0)).sum::<u64>();
        let greatest = weights.iter().fold(0.0f32, |greatest, w| if w.abs() > greatest { w.abs() } else { greatest });
        if !fits_f32(greatest, scale) {
            let scale = f64::from(scale);
            self.add_pairs(weights, trits, |t| scale * f64::from(t));
            self.zeros += zeros;
            return;
        }
        let error = |w: f32, t: i8| (w - scale * f32::from(t)).abs();
        let max = weights.iter().zip(trits).map(|(w, t)| error(*w, *t));
        let sums = NarrowSums {
            n: weights.len() as u64,
            w2: Lanes::of(weights, |w| w * w).total(),
            e2: Lanes::of_pairs(weights, trits, |w, t| error(w, t) * error(w, t)).total(),
            abs: Lanes::of_pairs(weights, trits, error).total(),
            max: max.fold(0.0, |max, e| if e > max { e } else { max }),
            zeros,
        };
        self.add_narrow(&sums, scale);
    }

    /// Adds a block that was summed in f32. What follows from the rest is not summed: Σq² is d² for every trit that is not
    /// zero, and Σwq is half of Σw² + Σq² − Σ(w − q)².
    pub(crate) fn add_narrow(&mut self, sums: &NarrowSums, scale: f32) {
        let scale = f64::from(scale);
        let (w2, e2) = (f64::from(sums.w2), f64::from(sums.e2));
        let q2 = scale * scale * (sums.n - sums.zeros) as f64;
        self.n += sums.n;
        self.sum_w2 += w2;
        self.sum_e2 += e2;
        self.sum_wq += (w2 + q2 - e2) / 2.0;
        self.sum_q2 += q2;
        self.sum_abs_err += f64::from(sums.abs);
        self.max_abs_err = self.max_abs_err.max(f64::from(sums.max));
        self.zeros += sums.zeros;
    }

    /// Adds weights beside what they decode to.
    pub fn add_decoded(&mut self, weights: &[f32], decoded: &[f32]) {
        self.add_pairs(weights, decoded, f64::from);
        self.zeros += decoded.iter().map(|q| u64::from(*q == 0.0)).sum::<u64>();
    }

    /// Adds the importance-weighted sums of a block's weights whose reconstruction is `value(i)`; all three are as long. They
    /// are in f32, in f64 where that is not enough.
    pub fn add_weighted(&mut self, weights: &[f32], importance: &[f32], value: impl Fn(usize) -> f32) {
        debug_assert_eq!(weights.len(), importance.len());
        let n = weights.len().min(importance.len());
        // `max` also turns NaN into 0.
        let narrow = |i: usize, x: f32| importance[i].max(0.0) * (x * x);
        let w2 = Lanes::of_each(n, |i| narrow(i, weights[i])).total();
        let e2 = Lanes::of_each(n, |i| narrow(i, weights[i] - value(i))).total();
        if weighted_fit_f32(w2, e2) {
            self.add_weighted_sums(f64::from(w2), f64::from(e2));
            return;
        }
        let weighted = |i: usize, x: f32| f64::from(importance[i].max(0.0)) * (f64::from(x) * f64::from(x));
        self.add_weighted_sums(
            wide_sum(n, |i| weighted(i, weights[i])),
            wide_sum(n, |i| weighted(i, weights[i] - value(i))),
        );
    }

    /// Adds a block's Σ q·w² and Σ q·(w − ŵ)².
    pub(crate) fn add_weighted_sums(&mut self, w2: f64, e2: f64) {
        self.sum_qw2 += w2;
        self.sum_qe2 += e2;
    }

    #[inline]
    fn add_pairs<T: Copy>(&mut self, weights: &[f32], coded: &[T], value: impl Fn(T) -> f64) {
        debug_assert_eq!(weights.len(), coded.len());
        let mut lanes = [Lane::default(); LANES];
        let (w_fours, w_rest) = weights.as_chunks::<LANES>();
        let (q_fours, q_rest) = coded.as_chunks::<LANES>();
        for (w, q) in w_fours.iter().zip(q_fours) {
            for ((lane, w), q) in lanes.iter_mut().zip(w).zip(q) {
                lane.add(f64::from(*w), value(*q));
            }
        }
        for ((lane, w), q) in lanes.iter_mut().zip(w_rest).zip(q_rest) {
            lane.add(f64::from(*w), value(*q));
        }
        let sum = |part: fn(&Lane) -> f64| (part(&lanes[0]) + part(&lanes[1])) + (part(&lanes[2]) + part(&lanes[3]));
        self.n += weights.len() as u64;
        self.sum_w2 += sum(|l| l.w2);
        self.sum_e2 += sum(|l| l.e2);
        self.sum_wq += sum(|l| l.wq);
        self.sum_q2 += sum(|l| l.q2);
        self.sum_abs_err += sum(|l| l.abs);
        self.max_abs_err = lanes.iter().fold(self.max_abs_err, |max, l| max.max(l.max));
    }

    /// Adds another part's sums.
    pub fn merge(&mut self, other: &Self) {
        self.n += other.n;
        self.sum_w2 += other.sum_w2;
        self.sum_e2 += other.sum_e2;
        self.sum_wq += other.sum_wq;
        self.sum_q2 += other.sum_q2;
        self.sum_abs_err += other.sum_abs_err;
        self.max_abs_err = self.max_abs_err.max(other.max_abs_err);
        self.zeros += other.zeros;
        self.sum_qw2 += other.sum_qw2;
        self.sum_qe2 += other.sum_qe2;
    }

    /// Importance-weighted relative error Σq(w − ŵ)² ÷ Σqw²; `None` where nothing was weighted.
    pub fn weighted_rel_mse(&self) -> Option<f64> {
        (self.sum_qw2 > 0.0).then(|| self.sum_qe2 / self.sum_qw2)
    }

    /// Relative mean squared error Σ(w − q)² ÷ Σw². All zeros rightly coded have 0; all zeros wrongly coded, infinity.
    pub fn rel_mse(&self) -> f64 {
        if self.sum_e2 == 0.0 { 0.0 } else { self.sum_e2 / self.sum_w2 }
    }

    /// Signal to quantization noise, −10·log₁₀(rel_mse), in dB; +∞ without error.
    pub fn sqnr_db(&self) -> f64 {
        -10.0 * self.rel_mse().log10()
    }

    /// Cosine of the angle between w and q. Where one of them is all zero: 1 if the other is too, else 0.
    pub fn cosine(&self) -> f64 {
        let norms = self.sum_w2.sqrt() * self.sum_q2.sqrt();
        if norms > 0.0 { (self.sum_wq / norms).clamp(-1.0, 1.0) } else { f64::from(u8::from(self.sum_e2 == 0.0)) }
    }

    /// Mean |w − q|; 0 of nothing.
    pub fn mean_abs_err(&self) -> f64 {
        self.sum_abs_err / self.n.max(1) as f64
    }

    /// Share of zeros, 0 to 1; 0 of nothing.
    pub fn zero_share(&self) -> f64 {
        self.zeros as f64 / self.n.max(1) as f64
    }
}

/// What the scales of blocks add up to.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct ScaleSums {
    /// Blocks counted.
    pub blocks: u64,
    /// Σ scale.
    pub sum: f64,
    /// Σ scale².
    pub sum_sq: f64,
    /// Least scale; +∞ of none.
    pub min: f64,
    /// Greatest scale; −∞ of none.
    pub max: f64,
    /// Blocks with weights but a scale that f16 holds only as 0 or subnormal.
    pub underflow: u64,
    /// Blocks that were not coded because their scale is beyond f16; in none of the other sums.
    pub overflow: u64,
    /// Blocks that were ternary before they were coded.
    pub native: u64,
}

impl Default for ScaleSums {
    fn default() -> Self {
        Self {
            blocks: 0,
            sum: 0.0,
            sum_sq: 0.0,
            min: f64::INFINITY,
            max: f64::NEG_INFINITY,
            underflow: 0,
            overflow: 0,
            native: 0,
        }
    }
}

impl ScaleSums {
    /// Adds one block's scale and flags (those of `BlockCode`).
    pub fn add(&mut self, scale: f32, underflow: bool, native: bool) {
        let scale = f64::from(scale);
        self.blocks += 1;
        self.sum += scale;
        self.sum_sq += scale * scale;
        self.min = self.min.min(scale);
        self.max = self.max.max(scale);
        self.underflow += u64::from(underflow);
        self.native += u64::from(native);
    }

    /// Adds another part's sums.
    pub fn merge(&mut self, other: &Self) {
        self.blocks += other.blocks;
        self.sum += other.sum;
        self.sum_sq += other.sum_sq;
        self.min = self.min.min(other.min);
        self.max = self.max.max(other.max);
        self.underflow += other.underflow;
        self.overflow += other.overflow;
        self.native += other.native;
    }

    /// Mean scale; 0 of none.
    pub fn mean(&self) -> f64 {
        self.sum / self.blocks.max(1) as f64
    }

    /// Standard deviation of the scales (of all blocks, so divided by their number); 0 of none.
    pub fn std(&self) -> f64 {
        let mean = self.mean();
        // Equal scales may leave a negative rest of rounding.
        (self.sum_sq / self.blocks.max(1) as f64 - mean * mean).max(0.0).sqrt()
    }
}

/// Error and scales of the same blocks.
#[derive(Debug, Clone, Copy, PartialEq, Default)]
pub struct BlockStats {
    /// Weights against their codes.
    pub errors: ErrorSums,
    /// Scales of the blocks.
    pub scales: ScaleSums,
}

impl BlockStats {
    /// Adds a block and its code: `scale` times `trits`, both lists as long as `weights`; with importance its weighted errors too.
    /// `underflow` and `native` are counted of its scale.
    pub fn add(
        &mut self,
        (weights, importance): (&[f32], Option<&[f32]>),
        (scale, trits): (f32, &[i8]),
        underflow: bool,
        native: bool,
    ) {
        self.errors.add_block(weights, scale, trits);
        if let Some(importance) = importance {
            self.errors.add_weighted(weights, importance, |i| scale * f32::from(trits[i]));
        }
        self.scales.add(scale, underflow, native);
    }

    /// Adds another part's sums.
    pub fn merge(&mut self, other: &Self) {
        self.errors.merge(&other.errors);
        self.scales.merge(&other.scales);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn figures_follow_from_a_small_example() {
        let mut sums = ErrorSums::default();
        sums.add_block(&[1.0, -2.0, 0.5, 0.0, 3.0], 2.0, &[0, -1, 0, 0, 1]);
        assert_eq!((sums.n, sums.zeros), (5, 3));
        assert_eq!((sums.sum_w2, sums.sum_e2), (14.25, 2.25));
        assert_eq!((sums.sum_wq, sums.sum_q2), (10.0, 8.0));
        assert_eq!((sums.max_abs_err, sums.mean_abs_err()), (1.0, 0.5));
        assert_eq!(sums.rel_mse(), 2.25 / 14.25);
        assert!((sums.sqnr_db() - 10.0 * (14.25f64 / 2.25).log10()).abs() < 1e-12);
        assert!((sums.cosine() - 10.0 / (14.25f64 * 8.0).sqrt()).abs() < 1e-15);
        assert_eq!(sums.zero_share(), 0.6);
    }

    #[test]
    fn weighted_sums_are_narrow_where_that_is_enough() {
        let weights: Vec<f32> = (0..259).map(|i| ((i * 37 % 101) as f32 - 50.0) / 31.0).collect();
        let trits = |i: usize| f32::from(i8::from(weights[i] > 0.4) - i8::from(weights[i] < -0.4));
        for factor in [1e-35f32, 1e-8, 1.0, 1e8, 1e34] {
            let importance: Vec<f32> = (0..259).map(|i| factor * ((i * 53 % 97) as f32 - 5.0)).collect();
            let mut sums = ErrorSums::default();
            sums.add_weighted(&weights, &importance, trits);
            let wide = |x: &dyn Fn(usize) -> f32| {
                let term = |i: usize| f64::from(importance[i].max(0.0)) * f64::from(x(i)) * f64::from(x(i));
                (0..259).map(term).sum::<f64>()
            };
            let (w2, e2) = (wide(&|i| weights[i]), wide(&|i| weights[i] - trits(i)));
            assert!((sums.sum_qw2 / w2 - 1.0).abs() < 1e-6, "{factor}: {} for {w2}", sums.sum_qw2);
            assert!((sums.sum_qe2 / e2 - 1.0).abs() < 1e-6, "{factor}: {} for {e2}", sums.sum_qe2);
            // A sum of f32 is one; 53 bits of an f64 are not.
            let narrow = f64::from(sums.sum_qw2 as f32) == sums.sum_qw2;
            assert_eq!(narrow, (1e-8..=1e8).contains(&factor), "{factor}");
        }
    }

    #[test]
    fn a_coded_block_and_its_decoded_values_give_the_same_sums() {
        let weights: Vec<f32> = (0..259).map(|i| ((i * 37 % 101) as f32 - 50.0) / 31.0).collect();
        let trits: Vec<i8> = weights.iter().map(|w| i8::from(*w > 0.4) - i8::from(*w < -0.4)).collect();
        let decoded: Vec<f32> = trits.iter().map(|t| 0.75 * f32::from(*t)).collect();
        let (mut a, mut b) = (ErrorSums::default(), ErrorSums::default());
        a.add_block(&weights, 0.75, &trits);
        b.add_decoded(&weights, &decoded);
        assert_eq!((a.n, a.zeros), (b.n, b.zeros));
        let pairs = [
            (a.sum_w2, b.sum_w2),
            (a.sum_e2, b.sum_e2),
            (a.sum_wq, b.sum_wq),
            (a.sum_q2, b.sum_q2),
            (a.sum_abs_err, b.sum_abs_err),
            (a.max_abs_err, b.max_abs_err),
        ];
        assert!(pairs.iter().all(|(a, b)| (a - b).abs() < 5e-7 * b.abs()), "{a:?} {b:?}");
    }

    #[test]
    fn blocks_beyond_f16_are_summed_in_f64() {
        for size in [1e-30f32, 1e30] {
            let weights: Vec<f32> = (0..64).map(|i| size * ((i * 37 % 101) as f32 - 50.0)).collect();
            let trits: Vec<i8> =
                weights.iter().map(|w| i8::from(*w > 20.0 * size) - i8::from(*w < -20.0 * size)).collect();
            let decoded: Vec<f32> = trits.iter().map(|t| 32.0 * size * f32::from(*t)).collect();
            let (mut a, mut b) = (ErrorSums::default(), ErrorSums::default());
            a.add_block(&weights, 32.0 * size, &trits);
            b.add_decoded(&weights, &decoded);
            assert_eq!(a, b);
            assert!(a.rel_mse() > 0.0 && a.rel_mse() < 1.0);
        }
    }

    #[test]
    fn edge_cases_have_defined_figures() {
        let mut zero = ErrorSums::default();
        assert_eq!((zero.rel_mse(), zero.cosine(), zero.zero_share()), (0.0, 1.0, 0.0));
        zero.add_block(&[0.0; 4], 0.0, &[0; 4]);
        assert_eq!((zero.rel_mse(), zero.sqnr_db(), zero.cosine()), (0.0, f64::INFINITY, 1.0));
        let mut wrong = ErrorSums::default();
        wrong.add_block(&[0.0; 4], 1.0, &[1; 4]);
        assert_eq!((wrong.rel_mse(), wrong.sqnr_db(), wrong.cosine()), (f64::INFINITY, f64::NEG_INFINITY, 0.0));
    }

    #[test]
    fn parts_merge_to_the_whole() {
        let mut parts = BlockStats::default();
        let mut whole = BlockStats::default();
        for i in 0..10u8 {
            let weights = [f32::from(i), -1.0, 0.25];
            let scale = f32::from(i) / 2.0;
            let mut part = BlockStats::default();
            part.errors.add_block(&weights, scale, &[1, 0, -1]);
            part.scales.add(scale, i == 0, i % 2 == 0);
            parts.merge(&part);
            whole.errors.add_block(&weights, scale, &[1, 0, -1]);
            whole.scales.add(scale, i == 0, i % 2 == 0);
        }
        assert_eq!(parts, whole);
        let s = whole.scales;
        assert_eq!((s.blocks, s.min, s.max, s.underflow, s.native), (10, 0.0, 4.5, 1, 5));
        assert_eq!(s.mean(), 2.25);
        assert!((s.std() - (8.25f64 / 4.0).sqrt()).abs() < 1e-12);
        assert_eq!(ScaleSums::default().std(), 0.0);
    }
}
