//! ggml's one-bit codebook types, super-blocks of 256: IQ1_S and IQ1_M.
//!
//! A group of eight weights is an entry of trits; all eight are shifted by ±1/8 before they are scaled, so that the
//! values are no ternary weights. Decoding only, the f32 operations in ggml's order.

use half::f16;

use super::blocks::blocks;
use super::codebook::IQ1;
use super::legacy::half_at;

/// How far a group's trits are shifted.
const DELTA: f32 = 0.125;

/// One group of eight: `high` holds bits 8 to 10 of the index in its lowest bits.
#[inline]
fn octet(scale: f32, low: u8, high: u16, negative_delta: bool, y: &mut [f32; 8]) {
    let delta = if negative_delta { -DELTA } else { DELTA };
    let entry = &IQ1[usize::from(low) | usize::from(high & 7) << 8];
    for (y, trit) in y.iter_mut().zip(entry) {
        *y = scale * (f32::from(*trit as i8) + delta);
    }
}

/// The factor on the block's scale that three bits stand for: 1, 3, … 15.
#[inline]
fn odd(three_bits: u16) -> f32 {
    f32::from(2 * (three_bits & 7) + 1)
}

/// `d qs[32] qh(u16)[8]`: the word of a group of 32 holds three high index bits for each of four groups of eight, then
/// three bits of scale and the sign of the shift.
pub(super) fn decode_iq1_s(bytes: &[u8], out: &mut [f32]) {
    for (b, y) in blocks::<50, 256>(bytes, out) {
        let d = half_at(b, 0);
        let (low, words) = (b[2..34].as_chunks::<4>().0, b[34..].as_chunks::<2>().0);
        for ((low, word), y) in low.iter().zip(words).zip(y.as_chunks_mut::<32>().0) {
            let word = u16::from_le_bytes(*word);
            let scale = d * odd(word >> 12);
            for (l, (low, y)) in low.iter().zip(y.as_chunks_mut::<8>().0).enumerate() {
                octet(scale, *low, word >> (3 * l), word & 0x8000 != 0, y);
            }
        }
    }
}

/// `qs[32] qh[16] scales(u16)[4]`: a nibble of `qh` a group of eight, three high index bits and the sign of the shift.
/// A word of `scales` holds three bits for each of four groups of 16; the words' top nibbles, the first lowest, are `d`.
pub(super) fn decode_iq1_m(bytes: &[u8], out: &mut [f32]) {
    for (b, y) in blocks::<56, 256>(bytes, out) {
        let words: [u16; 4] = std::array::from_fn(|i| u16::from_le_bytes([b[48 + 2 * i], b[49 + 2 * i]]));
        let d = f16::from_bits(words.iter().rev().fold(0, |bits, word| bits << 4 | word >> 12)).to_f32();
        let (low, high) = (b[..32].as_chunks::<2>().0, &b[32..48]);
        for (k, ((low, high), y)) in low.iter().zip(high).zip(y.as_chunks_mut::<16>().0).enumerate() {
            let scale = d * odd(words[k / 4] >> (3 * (k % 4)));
            for (g, (low, y)) in low.iter().zip(y.as_chunks_mut::<8>().0).enumerate() {
                let nibble = high >> (4 * g);
                octet(scale, *low, u16::from(nibble), nibble & 8 != 0, y);
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_nibbles_of_an_iq1_m_scale_are_put_together_lowest_first() {
        // 0.75 is 0x3a00: nibbles 0, 0, 10, 3 from the lowest. Scale bits 0 give the factor 1.
        let mut block = [0u8; 56];
        block[48..].copy_from_slice(&[0, 0x00, 0, 0x00, 0, 0xa0, 0, 0x30]);
        let mut y = [0.0; 256];
        decode_iq1_m(&block, &mut y);
        let want = IQ1[0].map(|trit| 0.75 * (f32::from(trit as i8) + 0.125));
        assert!(y.as_chunks::<8>().0.iter().all(|octet| *octet == want));
    }

    #[test]
    fn bits_outside_an_index_change_nothing() {
        let (mut a, mut b) = ([0.0; 8], [0.0; 8]);
        octet(1.0, 0xff, 7, false, &mut a);
        octet(1.0, 0xff, 0xffff, false, &mut b);
        assert_eq!(a, b);
    }
}
