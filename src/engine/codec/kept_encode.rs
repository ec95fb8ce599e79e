//! Encoders of the types that tensors which stay are reduced to: Q8_0, Q4_0 and Q6_K, one block at a time.
//!
//! The bytes are those of ggml's reference quantizers (without an importance matrix): the same f32 operations in the
//! same order, so that a tensor kept by this program is the tensor that llama-quantize would have kept. Layouts are in
//! the decoders' comments ([`super::legacy`], [`super::k`]).

use half::f16;

use super::EncodeError;
use super::encode_error::largest_magnitude;

/// Weights of a Q8_0 or Q4_0 block.
const LEN: usize = 32;
/// Weights of a Q6_K block.
const K_LEN: usize = 256;
/// Weights that share a scale in a Q6_K block.
const RUN: usize = 16;
/// Runs of a Q6_K block.
const RUNS: usize = K_LEN / RUN;
/// Below this magnitude a Q6_K run, and a block's largest scale, counts as zero (ggml's `GROUP_MAX_EPS`).
const NEGLIGIBLE: f32 = 1e-15;

/// The scale as f16, which must be finite.
fn half_scale(d: f32, largest: f32) -> Result<f16, EncodeError> {
    let half = f16::from_f32(d);
    if half.is_finite() { Ok(half) } else { Err(EncodeError::ScaleOverflow { largest }) }
}

/// `1 / d`, or 0 where that is beyond f32: the block is zeros, or will be once `d` is a half.
fn inverse(d: f32) -> f32 {
    let inverse = 1.0 / d;
    if inverse.is_finite() { inverse } else { 0.0 }
}

/// To the nearest integer, halves away from zero, for magnitudes within i32.
#[inline]
fn round_away(x: f32) -> i32 {
    let whole = x as i32;
    let rest = x - whole as f32;
    whole + i32::from(rest >= 0.5) - i32::from(rest <= -0.5)
}

/// To the nearest integer, halves to even, for magnitudes up to 2²²: above 1.5·2²³ floats are whole numbers, so the sum
/// is rounded there.
#[inline]
fn round_even(x: f32) -> f32 {
    const SHIFT: f32 = 12_582_912.0;
    (x + SHIFT) - SHIFT
}

/// The first weight of the largest magnitude, with its sign.
fn extreme(weights: &[f32]) -> f32 {
    weights.iter().fold(0.0f32, |max, w| if w.abs() > max.abs() { *w } else { max })
}

/// Writes 32 weights as one Q8_0 block (`d qs[32]`, 34 bytes): d = largest magnitude / 127, codes rounded to nearest.
pub fn encode_q8_0(weights: &[f32], out: &mut [u8]) -> Result<(), EncodeError> {
    debug_assert_eq!((weights.len(), out.len()), (LEN, 34));
    let largest = largest_magnitude(weights)?;
    let d = largest / 127.0;
    let (scale, codes) = out.split_at_mut(2);
    scale.copy_from_slice(&half_scale(d, largest)?.to_le_bytes());
    let inverse = inverse(d);
    for (q, w) in codes.iter_mut().zip(weights) {
        *q = round_away(w * inverse) as i8 as u8;
    }
    Ok(())
}

/// Writes 32 weights as one Q4_0 block (`d qs[16]`, 18 bytes): d makes the weight of the largest magnitude code −8.
pub fn encode_q4_0(weights: &[f32], out: &mut [u8]) -> Result<(), EncodeError> {
    debug_assert_eq!((weights.len(), out.len()), (LEN, 18));
    let largest = largest_magnitude(weights)?;
    let d = extreme(weights) / -8.0;
    let (scale, codes) = out.split_at_mut(2);
    scale.copy_from_slice(&half_scale(d, largest)?.to_le_bytes());
    let inverse = inverse(d);
    let code = |w: &f32| ((w * inverse + 8.5) as u8).min(15);
    let (low, high) = weights.split_at(LEN / 2);
    for ((q, low), high) in codes.iter_mut().zip(low).zip(high) {
        *q = code(low) | code(high) << 4;
    }
    Ok(())
}

/// Writes 256 weights as one Q6_K block (`ql[128] qh[64] scales[16] d`, 210 bytes): for each run of 16 the scale with
/// the least error among 19, then d from the largest of these, then the codes for the scales as rounded.
pub fn encode_q6_k(weights: &[f32], out: &mut [u8]) -> Result<(), EncodeError> {
    debug_assert_eq!((weights.len(), out.len()), (K_LEN, 210));
    let largest = largest_magnitude(weights)?;
    out.fill(0);
    // Cubes of weights are summed; what would overflow there overflows the scale by far.
    if largest > 1e9 {
        return Err(EncodeError::ScaleOverflow { largest });
    }
    let runs = weights.as_chunks::<RUN>().0;
    let mut codes = [[0i8; RUN]; RUNS];
    let mut scales = [0.0f32; RUNS];
    for ((scale, codes), run) in scales.iter_mut().zip(&mut codes).zip(runs) {
        (*scale, *codes) = run_scale(run);
    }
    let top = extreme(&scales);
    if top.abs() < NEGLIGIBLE {
        return Ok(());
    }
    let inverse = -128.0 / top;
    let d = half_scale(1.0 / inverse, largest)?;
    out[208..].copy_from_slice(&d.to_le_bytes());
    for (i, (codes, run)) in codes.iter_mut().zip(runs).enumerate() {
        let scale = round_even(inverse * scales[i]).min(127.0);
        out[192 + i] = scale as i8 as u8;
        let step = d.to_f32() * scale;
        if step != 0.0 {
            *codes = run.map(|w| clamp6(round_even(w / step)) as i8 + 32);
        }
    }
    pack_q6_k(codes.as_flattened(), out);
    Ok(())
}

/// A six-bit code, still signed.
#[inline]
fn clamp6(x: f32) -> f32 {
    x.clamp(-32.0, 31.0)
}

/// Scales tried for a run: the extreme weight becomes code −(32 + k/10), k from −9 to 9. One more fills the vectors.
const TRIALS: usize = 20;

/// The scale of a run that leaves the least error, each weight counting its square, and the codes (0..64) that go with
/// it. The sums of all trials run side by side, each in the order of the weights.
fn run_scale(run: &[f32; RUN]) -> (f32, [i8; RUN]) {
    let extreme = extreme(run);
    if extreme.abs() < NEGLIGIBLE {
        return (0.0, [0; RUN]);
    }
    // Trial 0 is k = 0: it wins ties.
    let inverses: [f32; TRIALS] = std::array::from_fn(|trial| {
        let k = if trial == 0 { 0 } else { trial as i32 - 10 + i32::from(trial > 9) };
        -(32.0 + 0.1 * k as f32) / extreme
    });
    let (mut wx, mut xx) = ([0.0f32; TRIALS], [0.0f32; TRIALS]);
    for w in run {
        let counts = w * w;
        for trial in 0..TRIALS {
            let code = clamp6(round_even(inverses[trial] * w));
            wx[trial] += counts * w * code;
            xx[trial] += counts * code * code;
        }
    }
    let mut best = 0;
    let mut scale = if xx[0] == 0.0 { 0.0 } else { wx[0] / xx[0] };
    let mut gain = scale * wx[0];
    for trial in 1..TRIALS - 1 {
        if xx[trial] > 0.0 && wx[trial] * wx[trial] > gain * xx[trial] {
            best = trial;
            scale = wx[trial] / xx[trial];
            gain = scale * wx[trial];
        }
    }
    (scale, run.map(|w| clamp6(round_even(inverses[best] * w)) as i8 + 32))
}

/// Spreads 256 six-bit codes over `ql` and `qh`: weight `128h + 32k + l` has its low bits in a nibble of
/// `ql[64h + 32·(k mod 2) + l]`, its high bits at bits `2k` of `qh[32h + l]`.
fn pack_q6_k(codes: &[i8], out: &mut [u8]) {
    for (i, code) in codes.iter().enumerate() {
        let (h, k, l) = (i / 128, i % 128 / 32, i % 32);
        let code = *code as u8;
        out[64 * h + 32 * (k % 2) + l] |= (code & 15) << (4 * (k / 2));
        out[128 + 32 * h + l] |= code >> 4 << (2 * k);
    }
}

#[cfg(test)]
mod tests {
    use super::super::k::decode_q6_k;
    use super::super::legacy::{decode_q4_0, decode_q8_0};
    use super::*;

    type Encode = fn(&[f32], &mut [u8]) -> Result<(), EncodeError>;
    type Decode = fn(&[u8], &mut [f32]);

    struct Kept {
        encode: Encode,
        decode: Decode,
        len: usize,
        bytes: usize,
        /// Steps of a code between the largest weight and zero.
        steps: f32,
    }

    const KEPT: [Kept; 3] = [
        Kept { encode: encode_q8_0, decode: decode_q8_0, len: 32, bytes: 34, steps: 127.0 },
        Kept { encode: encode_q4_0, decode: decode_q4_0, len: 32, bytes: 18, steps: 8.0 },
        Kept { encode: encode_q6_k, decode: decode_q6_k, len: 256, bytes: 210, steps: 32.0 },
    ];

    /// Pseudo-random, even in [-1, 1).
    fn noise(state: &mut u64) -> f32 {
        *state = state.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1_442_695_040_888_963_407);
        ((*state >> 40) as f32 / (1u64 << 23) as f32) - 1.0
    }

    impl Kept {
        fn round_trip(&self, weights: &[f32]) -> Vec<f32> {
            let (mut block, mut y) = (vec![0xa5; self.bytes], vec![f32::NAN; self.len]);
            (self.encode)(weights, &mut block).unwrap();
            (self.decode)(&block, &mut y);
            y
        }
    }

    #[test]
    fn every_weight_comes_back_within_a_step() {
        let mut state = 1;
        for kept in &KEPT {
            for size in [1e-2f32, 1.0, 1e4] {
                for _ in 0..50 {
                    let weights: Vec<f32> = (0..kept.len).map(|_| size * noise(&mut state)).collect();
                    let largest = weights.iter().fold(0.0f32, |m, w| m.max(w.abs()));
                    // Half a step of rounding; Q4_0's last code on the far side and Q6_K's rounded scales add to it.
                    let most = largest / kept.steps * if kept.steps > 100.0 { 0.6 } else { 1.05 };
                    for (w, y) in weights.iter().zip(kept.round_trip(&weights)) {
                        assert!((w - y).abs() <= most, "{} steps: {w} {y}", kept.steps);
                    }
                }
            }
        }
    }

    #[test]
    fn weights_on_the_grid_come_back_exactly() {
        // Codes times a power of two, the extreme code among them where the block's scale is read off it.
        let ramp = |len: usize, from: i32, to: i32| -> Vec<f32> {
            (0..len).map(|i| 0.25 * (from + i as i32 % (to - from + 1)) as f32).collect()
        };
        let runs = [ramp(16, -32, -17), ramp(15, -16, -2), ramp(1, -32, -32), ramp(15, 17, 31), ramp(1, -32, -32)];
        let cases = [ramp(32, -127, -96), ramp(32, -8, 7), [runs.concat(), ramp(16, -32, -17)].concat().repeat(4)];
        for (kept, weights) in KEPT.iter().zip(cases) {
            let y = kept.round_trip(&weights);
            let error: f32 = weights.iter().zip(&y).map(|(w, y)| (w - y).powi(2)).sum();
            let energy: f32 = weights.iter().map(|w| w * w).sum();
            assert!(error <= 1e-7 * energy, "{} steps: {weights:?} {y:?}", kept.steps);
        }
    }

    #[test]
    fn zeros_and_vanishing_weights_decode_to_zero() {
        for kept in &KEPT {
            for tiny in [0.0, -0.0, 1e-40, -1e-16, 1e-12] {
                assert!(kept.round_trip(&vec![tiny; kept.len]).iter().all(|y| *y == 0.0), "{} {tiny}", kept.steps);
            }
        }
    }

    #[test]
    fn an_outlier_survives() {
        for kept in &KEPT {
            for outlier in [-6.0f32, 6.0] {
                let mut weights = vec![1e-3; kept.len];
                weights[kept.len - 5] = outlier;
                let y = kept.round_trip(&weights);
                assert!((y[kept.len - 5] - outlier).abs() < 0.01, "{} steps: {}", kept.steps, y[kept.len - 5]);
            }
        }
    }

    #[test]
    fn what_cannot_be_written_is_refused_by_name() {
        for kept in &KEPT {
            let mut block = vec![0; kept.bytes];
            let mut weights = vec![1.0; kept.len];
            weights[30] = f32::NEG_INFINITY;
            assert_eq!((kept.encode)(&weights, &mut block), Err(EncodeError::NonFinite(30)));
            weights[2] = f32::NAN;
            assert_eq!((kept.encode)(&weights, &mut block), Err(EncodeError::NonFinite(2)));
            for largest in [f32::MAX, 1e9, 66000.0 * 4096.0] {
                weights.fill(-largest);
                let refused = Err(EncodeError::ScaleOverflow { largest });
                assert_eq!((kept.encode)(&weights, &mut block), refused, "{} steps", kept.steps);
            }
            weights.fill(-65504.0);
            assert_eq!((kept.encode)(&weights, &mut block), Ok(()));
        }
    }

    #[test]
    fn rounding_goes_away_from_zero_or_to_even() {
        assert_eq!([0.5, -0.5, 1.5, 0.499_999_97, -126.5, 2.4].map(round_away), [1, -1, 2, 0, -127, 2]);
        assert_eq!([0.5, 1.5, -2.5, 31.4, 1e-20].map(round_even), [0.0, 2.0, -2.0, 31.0, 0.0]);
    }

    #[test]
    fn six_bit_codes_are_spread_over_both_bit_fields_as_the_decoder_reads_them() {
        let mut state = 2;
        let codes: Vec<i8> = (0..K_LEN).map(|_| (32.0 + 31.9 * noise(&mut state)) as i8).collect();
        let mut block = [0; 210];
        pack_q6_k(&codes, &mut block);
        block[192..208].fill(1);
        block[208..].copy_from_slice(&f16::ONE.to_le_bytes());
        let mut y = [0.0; K_LEN];
        decode_q6_k(&block, &mut y);
        assert!(codes.iter().zip(y).all(|(c, y)| f32::from(*c) - 32.0 == y));
    }
}
