//! One block of weights → trits and an f16 scale, by any [`Method`]; and back.
//!
//! This is the readable scalar code that defines the result: faster kernels must agree with it in every bit. It sees
//! weights and nothing else: a caller adds the tensor's name and the block's place to an error.

use half::f16;

use super::exact::{Scratch, optimum};
use super::{Format, Method};
use crate::engine::codec::{
    encode_i2_s_a, encode_i2_s_b, encode_q2_0, encode_q2_0_g128, encode_t158, encode_tq1_0, encode_tq2_0,
};
use crate::engine::stats::Lanes;

/// A coded block's scale and what is worth counting about it; the trits are in the caller's buffer.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct BlockCode {
    /// What a trit of +1 decodes to.
    pub scale: f16,
    /// The block was {−s, 0, +s} within f16 rounding (or all zero) before it was coded, whatever the method.
    pub native: bool,
    /// The scale is 0 or subnormal in f16 though the block has nonzero weights: runtimes may decode it to zeros.
    pub underflow: bool,
}

/// Why a block cannot be coded. Indices count from the block's first weight.
#[derive(Debug, Clone, Copy, PartialEq, thiserror::Error)]
pub enum BlockError {
    /// A weight is NaN or infinite.
    #[error("weight {index} of the block is {value}")]
    NonFinite {
        /// First such weight.
        index: usize,
        /// Its value.
        value: f32,
    },
    /// The scale rounds to infinity in f16.
    #[error("scale {scale} is beyond f16 (largest 65504)")]
    ScaleOverflow {
        /// The scale before rounding.
        scale: f32,
    },
    /// `lossless`: the nonzero weights do not all have one magnitude.
    #[error("not ternary: weight {index} of the block has another magnitude than those before it")]
    NotTernary {
        /// First weight that differs.
        index: usize,
    },
    /// `calibrated`: a row is coded as a whole, not its blocks one by one.
    #[error("coded with the moments of its input, by quantize --moments alone")]
    NeedsMoments,
    /// `lossless`: the format shifts every value.
    #[error("IQ1_S holds no block without loss")]
    NotLossless,
    /// `lossless`: the block is ternary but f16 does not hold its scale exactly.
    #[error("ternary, but f16 does not hold the scale {scale} exactly")]
    ScaleNotF16 {
        /// The magnitude of the nonzero weights.
        scale: f32,
    },
}

const MAGNITUDE: u32 = 0x7fff_ffff;
const INFINITE: u32 = 0x7f80_0000;

/// Least nonzero and greatest |w| of a block, as bit patterns. NaN counts above infinity.
struct Span {
    /// `None`: no weight is nonzero.
    least: Option<u32>,
    greatest: u32,
}

impl Span {
    fn of(weights: &[f32]) -> Self {
        // Zero minus one wraps to the largest pattern, so zeros lose the minimum without a branch.
        let (least, greatest) = weights.iter().fold((u32::MAX, 0), |(least, greatest), w| {
            let magnitude = w.to_bits() & MAGNITUDE;
            (magnitude.wrapping_sub(1).min(least), magnitude.max(greatest))
        });
        Self { least: (least != u32::MAX).then(|| least + 1), greatest }
    }

    fn all_finite(&self) -> bool {
        self.greatest < INFINITE
    }

    /// Rounding is monotone, so all nonzero magnitudes round alike if the least and the greatest do.
    fn native_scale(&self) -> Option<f16> {
        let Some(least) = self.least else { return Some(f16::ZERO) };
        let [low, high] = [least, self.greatest].map(|bits| f16::from_f32(f32::from_bits(bits)));
        (low == high && high.is_finite() && high != f16::ZERO).then_some(high)
    }
}

/// The scale of a block that is ternary already: all nonzero |w| round to the same f16, finite and not 0. `Some(0)`
/// where all weights are zero (or there are none); `None` for every other block.
pub fn native_scale(weights: &[f32]) -> Option<f16> {
    Span::of(weights).native_scale()
}

/// Rounds a scale to f16, ties to even, by way of f32.
///
/// The detour is deliberate: `half` takes it for f64 on CPUs with F16C and not on others, and the same input must give
/// the same bytes everywhere.
pub fn to_f16(scale: f64) -> Result<f16, BlockError> {
    let scale = scale as f32;
    let rounded = f16::from_f32(scale);
    if rounded.is_finite() { Ok(rounded) } else { Err(BlockError::ScaleOverflow { scale }) }
}

/// Whether a scale is 0 or subnormal in f16 though there are weights that are not zero: runtimes may decode the block to zeros.
pub fn underflows(scale: f32, weights: &[f32]) -> bool {
    scale < f16::MIN_POSITIVE.to_f32() && weights.iter().any(|w| *w != 0.0)
}

/// Codes one block: fills `trits` (as long as `weights`) and returns the scale.
///
/// A block that is ternary already within f16 rounding ([`native_scale`]) keeps its trits and that scale under every
/// method but `absmean`, whose result is fixed to the seed's. `importance` (as long as `weights`) matters to `exact`
/// only. Any length is coded; formats fix theirs with [`Format::block_len`].
pub fn code_block(
    method: Method,
    weights: &[f32],
    importance: Option<&[f32]>,
    trits: &mut [i8],
    scratch: &mut Scratch,
) -> Result<BlockCode, BlockError> {
    debug_assert_eq!(weights.len(), trits.len());
    let span = Span::of(weights);
    if !span.all_finite() {
        let bad = weights.iter().enumerate().find(|(_, w)| !w.is_finite());
        return bad.map_or(Err(BlockError::NonFinite { index: 0, value: f32::NAN }), |(index, value)| {
            Err(BlockError::NonFinite { index, value: *value })
        });
    }
    let native = span.native_scale();
    let scale = match (method, native) {
        (Method::Absmean, _) => to_f16(f64::from(absmean(weights, trits)))?,
        // llama.cpp's arithmetic keeps a native block's trits by itself wherever f16 is normal; below, its bytes win.
        (Method::Max, _) => max(weights, span.greatest, trits)?,
        (Method::Lossless, _) => lossless(weights, &span, trits)?,
        (Method::Calibrated, _) => return Err(BlockError::NeedsMoments),
        (_, Some(scale)) => {
            signs(weights, trits);
            scale
        }
        (Method::Refit, None) => refit(weights, trits)?,
        (Method::Twn, None) => twn(weights, trits)?,
        (Method::Exact, None) => exact(weights, importance, trits, scratch)?,
    };
    let underflow = span.least.is_some() && scale < f16::MIN_POSITIVE;
    Ok(BlockCode { scale, native: native.is_some(), underflow })
}

/// Trits where a nonzero weight keeps its sign.
fn signs(weights: &[f32], trits: &mut [i8]) {
    above(weights, 0.0, trits);
}

/// Trit sign(w) where |w| > `threshold`, else 0.
#[inline]
fn above(weights: &[f32], threshold: f32, trits: &mut [i8]) {
    for (t, w) in trits.iter_mut().zip(weights) {
        *t = i8::from(*w > threshold) - i8::from(*w < -threshold);
    }
}

/// γ of a block: mean|w| + 10⁻⁸, summed in lanes. The seed sums one after the other, which [`super::pt_bitnet`] keeps to; the
/// two differ in the last digits of an f32.
fn absmean_scale(weights: &[f32]) -> f32 {
    mean_abs(weights) + 1e-8
}

/// Mean of |w|; 0 of nothing.
fn mean_abs(weights: &[f32]) -> f32 {
    Lanes::of(weights, f32::abs).total() / weights.len().max(1) as f32
}

/// Trits round(clamp(w/γ, −1, 1)), half away from zero: that is ±1 from |w/γ| = ½ up. The quotient is taken as the seed
/// takes it, since w ≥ γ/2 can differ from it in the last bit.
#[inline]
pub(super) fn absmean_trits(weights: &[f32], gamma: f32, trits: &mut [i8]) {
    for (t, w) in trits.iter_mut().zip(weights) {
        let ratio = w / gamma;
        *t = i8::from(ratio >= 0.5) - i8::from(ratio <= -0.5);
    }
}

/// BitNet b1.58's rule (arXiv 2402.17764): returns γ.
fn absmean(weights: &[f32], trits: &mut [i8]) -> f32 {
    let gamma = absmean_scale(weights);
    absmean_trits(weights, gamma, trits);
    gamma
}

/// Mean of |w| where the trit is not 0, summed in lanes; 0 where there is none.
fn support_mean(weights: &[f32], trits: &[i8]) -> f64 {
    let sum = Lanes::of_pairs(weights, trits, |w, t| w * f32::from(t)).wide_total();
    let count = trits.iter().map(|t| u32::from(*t != 0)).sum::<u32>();
    if count == 0 { 0.0 } else { sum / f64::from(count) }
}

fn refit(weights: &[f32], trits: &mut [i8]) -> Result<f16, BlockError> {
    absmean(weights, trits);
    to_f16(support_mean(weights, trits))
}

/// Ternary weight networks' rule (arXiv 1605.04711, with 0.75 for its 0.7).
fn twn(weights: &[f32], trits: &mut [i8]) -> Result<f16, BlockError> {
    above(weights, 0.75 * mean_abs(weights), trits);
    to_f16(support_mean(weights, trits))
}

/// The optimum, its scale rounded, and the trits that are best for the rounded scale: |w| > d/2 (see [`optimum`]).
fn exact(
    weights: &[f32],
    importance: Option<&[f32]>,
    trits: &mut [i8],
    scratch: &mut Scratch,
) -> Result<f16, BlockError> {
    let scale = to_f16(optimum(weights, importance, scratch).scale)?;
    if scale == f16::ZERO {
        // With d = 0 every code has the same error; zeros say so.
        trits.fill(0);
    } else {
        above(weights, scale.to_f32() / 2.0, trits);
    }
    Ok(scale)
}

/// llama.cpp's rule for TQ1_0, TQ2_0 and Q2_0: d = max|w|, t = lroundf(w · (1/d)) with the reciprocal and the product in
/// f32. Where 1/d overflows (d < 2⁻¹²⁸) the rounding of infinities is undefined there; here they are ±1.
fn max(weights: &[f32], greatest: u32, trits: &mut [i8]) -> Result<f16, BlockError> {
    let d = f32::from_bits(greatest);
    let inverse = if d == 0.0 { 0.0 } else { 1.0 / d };
    for (t, w) in trits.iter_mut().zip(weights) {
        let ratio = w * inverse;
        *t = i8::from(ratio >= 0.5) - i8::from(ratio <= -0.5);
    }
    to_f16(f64::from(d))
}

/// The least magnitude whose product with `inverse` in f32 is ½ or more, which [`max`] keeps. `inverse` is 1/d of a d that f16
/// holds: then it is d/2 or a neighbour.
pub(super) fn kept_from(inverse: f32) -> f32 {
    let mut least = 0.5 / inverse;
    while least.next_down() * inverse >= 0.5 {
        least = least.next_down();
    }
    while least * inverse < 0.5 {
        least = least.next_up();
    }
    least
}

/// Keeps a block that is exactly {−s, 0, +s} with s an f16; refuses every other.
fn lossless(weights: &[f32], span: &Span, trits: &mut [i8]) -> Result<f16, BlockError> {
    let s = f32::from_bits(span.least.unwrap_or(0));
    if span.least.is_some_and(|least| least != span.greatest) {
        let mut magnitudes = weights.iter().map(|w| w.abs()).enumerate().filter(|(_, w)| *w != 0.0);
        let first = magnitudes.next().map_or(0.0, |(_, w)| w);
        let index = magnitudes.find(|(_, w)| *w != first).map_or(0, |(i, _)| i);
        return Err(BlockError::NotTernary { index });
    }
    let scale = f16::from_f32(s);
    if scale.to_f32() != s {
        return Err(BlockError::ScaleNotF16 { scale: s });
    }
    signs(weights, trits);
    Ok(scale)
}

/// What a decoder will read back: `out[i]` = scale · trit.
pub fn dequantize_block(scale: f16, trits: &[i8], out: &mut [f32]) {
    debug_assert_eq!(trits.len(), out.len());
    let scale = scale.to_f32();
    for (y, t) in out.iter_mut().zip(trits) {
        *y = scale * f32::from(*t);
    }
}

/// Writes one block of `format`: [`Format::block_len`] trits into [`Format::block_bytes`] bytes. Where the tensor has one
/// scale it stands behind the blocks, and `scale` is not written.
pub fn encode_block(format: Format, scale: f16, trits: &[i8], out: &mut [u8]) {
    match format {
        Format::Tq2_0 => encode_tq2_0(scale, trits, out),
        Format::Tq1_0 => encode_tq1_0(scale, trits, out),
        Format::Q2_0 => encode_q2_0(scale, trits, out),
        Format::Q2_0G128 => encode_q2_0_g128(scale, trits, out),
        Format::T158 => encode_t158(scale, trits, out),
        Format::I2S => encode_i2_s_a(trits, out),
        Format::I2SArm => encode_i2_s_b(trits, out),
        // Not made of trits and a scale: `Coder` has its bytes already.
        Format::Iq1S => {}
    }
}
