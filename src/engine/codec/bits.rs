//! ggml's types whose codes are whole bits or whole bytes: Q1_0, and Q8_1 and Q8_K, which llama.cpp makes of activations
//! and no file of its own holds.
//!
//! Decoding only. The sums that Q8_1 and Q8_K carry beside the codes are for dot products and are not looked at.

use super::blocks::blocks;
use super::legacy::half_at;

/// `d qs[16]`, blocks of 128: a set bit is d, a clear one −d.
pub(super) fn decode_q1_0(bytes: &[u8], out: &mut [f32]) {
    for (b, y) in blocks::<18, 128>(bytes, out) {
        let d = half_at(b, 0);
        for (q, y) in b[2..].iter().zip(y.as_chunks_mut::<8>().0) {
            for (j, y) in y.iter_mut().enumerate() {
                *y = if q & 1 << j == 0 { -d } else { d };
            }
        }
    }
}

/// `d s qs[32]`, blocks of 32; `s` is d × the sum of the codes.
pub(super) fn decode_q8_1(bytes: &[u8], out: &mut [f32]) {
    for (b, y) in blocks::<36, 32>(bytes, out) {
        let d = half_at(b, 0);
        for (y, q) in y.iter_mut().zip(&b[4..]) {
            *y = d * f32::from(*q as i8);
        }
    }
}

/// `d(f32) qs[256] sums(i16)[16]`, super-blocks of 256.
pub(super) fn decode_q8_k(bytes: &[u8], out: &mut [f32]) {
    for (b, y) in blocks::<292, 256>(bytes, out) {
        let d = f32::from_le_bytes([b[0], b[1], b[2], b[3]]);
        for (y, q) in y.iter_mut().zip(&b[4..260]) {
            *y = d * f32::from(*q as i8);
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn sums_beside_the_codes_are_not_weights() {
        let mut block = [0xffu8; 36];
        block[..2].copy_from_slice(&half::f16::from_f32(0.5).to_le_bytes());
        block[4] = 0x80;
        let mut y = [0.0; 32];
        decode_q8_1(&block, &mut y);
        assert_eq!(y[..3], [-64.0, -0.5, -0.5]);

        let mut block = [0x7fu8; 292];
        block[..4].copy_from_slice(&(-0.1f32).to_le_bytes());
        block[259] = 1;
        let mut y = [0.0; 256];
        decode_q8_k(&block, &mut y);
        assert_eq!((y[0], y[254], y[255]), (-0.1 * 127.0, -0.1 * 127.0, -0.1));
    }
}
