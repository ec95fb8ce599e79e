//! ggml's two-bit codebook types, super-blocks of 256: IQ2_XXS, IQ2_XS and IQ2_S.
//!
//! A group of eight weights is an entry of magnitudes and eight signs; scales are four bits on top of the block's own,
//! read as (½ + s)/4. Decoding only, the f32 operations in ggml's order.

use super::blocks::blocks;
use super::codebook::{IQ2_S, IQ2_XS, IQ2_XXS, seven_bit_signs, signed_octet};
use super::legacy::half_at;

/// A group's scale from the block's and four bits.
#[inline]
fn scaled(d: f32, four_bits: u8) -> f32 {
    d * (0.5 + f32::from(four_bits)) * 0.25
}

/// `d`, then per group of 32 four indices and a u32: four times seven bits of sign, four bits of scale at the top.
pub(super) fn decode_iq2_xxs(bytes: &[u8], out: &mut [f32]) {
    for (b, y) in blocks::<66, 256>(bytes, out) {
        let d = half_at(b, 0);
        for (group, y) in b[2..].as_chunks::<8>().0.iter().zip(y.as_chunks_mut::<32>().0) {
            let word = u32::from_le_bytes([group[4], group[5], group[6], group[7]]);
            let scale = scaled(d, (word >> 28) as u8);
            for (l, y) in y.as_chunks_mut::<8>().0.iter_mut().enumerate() {
                signed_octet(scale, IQ2_XXS[usize::from(group[l])], seven_bit_signs(word >> (7 * l)), y);
            }
        }
    }
}

/// `d qs(u16)[32] scales[8]`: a word a group of eight, nine bits of index and seven of sign; a nibble of scale, the low
/// one first, a group of 16.
pub(super) fn decode_iq2_xs(bytes: &[u8], out: &mut [f32]) {
    for (b, y) in blocks::<74, 256>(bytes, out) {
        let d = half_at(b, 0);
        let groups = b[2..66].as_chunks::<8>().0.iter().zip(&b[66..]);
        for ((words, scales), y) in groups.zip(y.as_chunks_mut::<32>().0) {
            let scales = [scaled(d, scales & 15), scaled(d, scales >> 4)];
            for (l, (word, y)) in words.as_chunks::<2>().0.iter().zip(y.as_chunks_mut::<8>().0).enumerate() {
                let word = u16::from_le_bytes(*word);
                let entry = IQ2_XS[usize::from(word & 511)];
                signed_octet(scales[l / 2], entry, seven_bit_signs(u32::from(word >> 9)), y);
            }
        }
    }
}

/// `d qs[32] signs[32] qh[8] scales[8]`: a byte of `qh` holds bits 8 and 9 of the indices of its group of 32; signs as
/// they are; scales as in IQ2_XS.
pub(super) fn decode_iq2_s(bytes: &[u8], out: &mut [f32]) {
    for (b, y) in blocks::<82, 256>(bytes, out) {
        let d = half_at(b, 0);
        let (low, signs) = (b[2..34].as_chunks::<4>().0, b[34..66].as_chunks::<4>().0);
        let groups = low.iter().zip(signs).zip(b[66..74].iter().zip(&b[74..]));
        for (((low, signs), (high, scales)), y) in groups.zip(y.as_chunks_mut::<32>().0) {
            let scales = [scaled(d, scales & 15), scaled(d, scales >> 4)];
            for (l, y) in y.as_chunks_mut::<8>().0.iter_mut().enumerate() {
                let index = usize::from(low[l]) | usize::from(high >> (2 * l) & 3) << 8;
                signed_octet(scales[l / 2], IQ2_S[index], signs[l], y);
            }
        }
    }
}
