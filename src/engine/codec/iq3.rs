//! ggml's three-bit codebook types, super-blocks of 256: IQ3_XXS and IQ3_S.
//!
//! Entries are four magnitudes; two of them share a byte of signs. Decoding only, the f32 operations in ggml's order.

use super::blocks::blocks;
use super::codebook::{IQ3_S, IQ3_XXS, joined, seven_bit_signs, signed_octet};
use super::legacy::half_at;

/// `d qs[64] words(u32)[8]`: per group of 32 eight indices, and a word of four times seven bits of sign with four bits
/// of scale at the top, read as (½ + s)/2.
pub(super) fn decode_iq3_xxs(bytes: &[u8], out: &mut [f32]) {
    for (b, y) in blocks::<98, 256>(bytes, out) {
        let d = half_at(b, 0);
        let groups = b[2..66].as_chunks::<8>().0.iter().zip(b[66..].as_chunks::<4>().0);
        for ((indices, word), y) in groups.zip(y.as_chunks_mut::<32>().0) {
            let word = u32::from_le_bytes(*word);
            let scale = d * (0.5 + f32::from((word >> 28) as u8)) * 0.5;
            for (l, (pair, y)) in indices.as_chunks::<2>().0.iter().zip(y.as_chunks_mut::<8>().0).enumerate() {
                let [first, second] = pair.map(|index| IQ3_XXS[usize::from(index)]);
                signed_octet(scale, joined(first, second), seven_bit_signs(word >> (7 * l)), y);
            }
        }
    }
}

/// `d qs[64] qh[8] signs[32] scales[4]`: bit `e` of a group's byte of `qh` is bit 8 of its index `e`; a nibble of scale
/// a group of 32, the low one first, read as 1 + 2s.
pub(super) fn decode_iq3_s(bytes: &[u8], out: &mut [f32]) {
    for (b, y) in blocks::<110, 256>(bytes, out) {
        let d = half_at(b, 0);
        let (low, signs) = (b[2..66].as_chunks::<8>().0, b[74..106].as_chunks::<4>().0);
        let groups = low.iter().zip(&b[66..74]).zip(signs);
        for (g, (((low, high), signs), y)) in groups.zip(y.as_chunks_mut::<32>().0).enumerate() {
            let nibble = b[106 + g / 2] >> (4 * (g % 2)) & 15;
            let scale = d * f32::from(1 + 2 * nibble);
            let entry = |e: usize| IQ3_S[usize::from(low[e]) | usize::from(high >> e & 1) << 8];
            for (l, (signs, y)) in signs.iter().zip(y.as_chunks_mut::<8>().0).enumerate() {
                signed_octet(scale, joined(entry(2 * l), entry(2 * l + 1)), *signs, y);
            }
        }
    }
}
