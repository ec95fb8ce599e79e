//! ggml's first block types: 32 elements, one f16 scale, at most one f16 minimum (Q4_0, Q4_1, Q5_0, Q5_1, Q8_0).
//!
//! In the nibble types byte `j` holds element `j` (low) and `j + 16` (high). Decoding only; the order of the f32
//! operations is ggml's, so that results agree in every bit.

use half::f16;

use super::blocks::blocks;

/// Elements of a block of every type here.
const LEN: usize = 32;

/// The f16 at byte `at`, widened.
#[inline(always)]
pub(super) fn half_at(block: &[u8], at: usize) -> f32 {
    f16::from_le_bytes([block[at], block[at + 1]]).to_f32()
}

#[inline(always)]
pub(super) fn decode_q4_0(bytes: &[u8], out: &mut [f32]) {
    for (b, y) in blocks::<18, LEN>(bytes, out) {
        let d = half_at(b, 0);
        let (low, high) = y.split_at_mut(LEN / 2);
        for ((q, low), high) in b[2..].iter().zip(low).zip(high) {
            *low = f32::from((q & 15) as i8 - 8) * d;
            *high = f32::from((q >> 4) as i8 - 8) * d;
        }
    }
}

#[inline(always)]
pub(super) fn decode_q4_1(bytes: &[u8], out: &mut [f32]) {
    for (b, y) in blocks::<20, LEN>(bytes, out) {
        let (d, m) = (half_at(b, 0), half_at(b, 2));
        let (low, high) = y.split_at_mut(LEN / 2);
        for ((q, low), high) in b[4..].iter().zip(low).zip(high) {
            *low = f32::from(q & 15) * d + m;
            *high = f32::from(q >> 4) * d + m;
        }
    }
}

/// The five-bit codes (0..32) of a block whose fifth bits start at byte `at`: bit `j` of the u32 belongs to element `j`.
#[inline(always)]
fn five_bits(block: &[u8], at: usize) -> [u8; LEN] {
    let fifth = u32::from_le_bytes([block[at], block[at + 1], block[at + 2], block[at + 3]]);
    let mut codes = [0; LEN];
    for (j, q) in block[at + 4..].iter().enumerate() {
        codes[j] = q & 15 | ((fifth >> j) as u8 & 1) << 4;
        codes[j + 16] = q >> 4 | ((fifth >> (j + 16)) as u8 & 1) << 4;
    }
    codes
}

#[inline(always)]
pub(super) fn decode_q5_0(bytes: &[u8], out: &mut [f32]) {
    for (b, y) in blocks::<22, LEN>(bytes, out) {
        let d = half_at(b, 0);
        for (y, q) in y.iter_mut().zip(five_bits(b, 2)) {
            *y = f32::from(q as i8 - 16) * d;
        }
    }
}

#[inline(always)]
pub(super) fn decode_q5_1(bytes: &[u8], out: &mut [f32]) {
    for (b, y) in blocks::<24, LEN>(bytes, out) {
        let (d, m) = (half_at(b, 0), half_at(b, 2));
        for (y, q) in y.iter_mut().zip(five_bits(b, 4)) {
            *y = f32::from(q) * d + m;
        }
    }
}

#[inline(always)]
pub(super) fn decode_q8_0(bytes: &[u8], out: &mut [f32]) {
    for (b, y) in blocks::<34, LEN>(bytes, out) {
        let d = half_at(b, 0);
        for (y, q) in y.iter_mut().zip(&b[2..]) {
            *y = f32::from(*q as i8) * d;
        }
    }
}
