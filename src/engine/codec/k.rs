//! ggml's k-quants: super-blocks of 256 with scales of their sub-blocks packed in a few bits (Q2_K to Q6_K).
//!
//! Decoding only. Each product is taken in ggml's order (super-block scale × sub-block scale first, then the code),
//! so that results agree in every bit.

use super::blocks::blocks;
use super::legacy::half_at;

/// Elements of a super-block.
const LEN: usize = 256;

/// `scales[16] qs[64] d dmin`: elements in runs of 16 that share a scale and a minimum of four bits each.
#[inline(always)]
pub(super) fn decode_q2_k(bytes: &[u8], out: &mut [f32]) {
    for (b, y) in blocks::<84, LEN>(bytes, out) {
        let (scales, qs) = (&b[..16], &b[16..80]);
        let (d, dmin) = (half_at(b, 80), half_at(b, 82));
        for (run, y) in y.as_chunks_mut::<16>().0.iter_mut().enumerate() {
            let (half, j) = (run / 8, run % 8 / 2);
            let scale = d * f32::from(scales[run] & 15);
            let min = dmin * f32::from(scales[run] >> 4);
            let codes = &qs[32 * half + 16 * (run % 2)..];
            for (y, q) in y.iter_mut().zip(codes) {
                *y = scale * f32::from(q >> (2 * j) & 3) - min;
            }
        }
    }
}

/// The sixteen signed six-bit scales of a Q3_K block: low nibbles in bytes 0..8, upper pairs of bits in bytes 8..12.
#[inline(always)]
fn q3_scales(packed: &[u8]) -> [i8; 16] {
    std::array::from_fn(|i| {
        let low = packed[i % 8] >> (4 * (i / 8)) & 15;
        let high = packed[8 + i % 4] >> (2 * (i / 4)) & 3;
        (low | high << 4) as i8 - 32
    })
}

/// `hmask[32] qs[64] scales[12] d`: two low bits in `qs`; a clear bit in `hmask` means four less.
#[inline(always)]
pub(super) fn decode_q3_k(bytes: &[u8], out: &mut [f32]) {
    for (b, y) in blocks::<110, LEN>(bytes, out) {
        let (hmask, qs) = (&b[..32], &b[32..96]);
        let scales = q3_scales(&b[96..108]);
        let d = half_at(b, 108);
        for (run, y) in y.as_chunks_mut::<16>().0.iter_mut().enumerate() {
            let (half, j, start) = (run / 8, run % 8 / 2, 16 * (run % 2));
            let scale = d * f32::from(scales[run]);
            for ((y, q), h) in y.iter_mut().zip(&qs[32 * half + start..]).zip(&hmask[start..]) {
                let below = 4 * (1 - (h >> (4 * half + j) & 1)) as i8;
                *y = scale * f32::from((q >> (2 * j) & 3) as i8 - below);
            }
        }
    }
}

/// Scale and minimum (six bits each) of sub-block `i` of a Q4_K or Q5_K block, from its twelve packed bytes.
#[inline(always)]
fn scale_min(packed: &[u8], i: usize) -> (f32, f32) {
    let (scale, min) = if i < 4 {
        (packed[i] & 63, packed[i + 4] & 63)
    } else {
        (packed[i + 4] & 15 | packed[i - 4] >> 6 << 4, packed[i + 4] >> 4 | packed[i] >> 6 << 4)
    };
    (f32::from(scale), f32::from(min))
}

/// `d dmin scales[12] qs[128]`: sub-blocks of 32, two of them in the nibbles of 32 bytes.
#[inline(always)]
pub(super) fn decode_q4_k(bytes: &[u8], out: &mut [f32]) {
    for (b, y) in blocks::<144, LEN>(bytes, out) {
        let (d, dmin) = (half_at(b, 0), half_at(b, 2));
        for (i, y) in y.as_chunks_mut::<32>().0.iter_mut().enumerate() {
            let (scale, min) = scale_min(&b[4..16], i);
            let (scale, min) = (d * scale, dmin * min);
            for (y, q) in y.iter_mut().zip(&b[16 + 32 * (i / 2)..]) {
                *y = scale * f32::from(q >> (4 * (i % 2)) & 15) - min;
            }
        }
    }
}

/// `d dmin scales[12] qh[32] qs[128]`: as Q4_K, the fifth bit of sub-block `i` being bit `i` of `qh`.
#[inline(always)]
pub(super) fn decode_q5_k(bytes: &[u8], out: &mut [f32]) {
    for (b, y) in blocks::<176, LEN>(bytes, out) {
        let (d, dmin) = (half_at(b, 0), half_at(b, 2));
        let qh = &b[16..48];
        for (i, y) in y.as_chunks_mut::<32>().0.iter_mut().enumerate() {
            let (scale, min) = scale_min(&b[4..16], i);
            let (scale, min) = (d * scale, dmin * min);
            for ((y, q), h) in y.iter_mut().zip(&b[48 + 32 * (i / 2)..]).zip(qh) {
                *y = scale * f32::from(q >> (4 * (i % 2)) & 15 | (h >> i & 1) << 4) - min;
            }
        }
    }
}

/// `ql[128] qh[64] scales[16](i8) d`: four low bits in `ql`, two high in `qh`, 32 less than stored.
#[inline(always)]
pub(super) fn decode_q6_k(bytes: &[u8], out: &mut [f32]) {
    for (b, y) in blocks::<210, LEN>(bytes, out) {
        let (ql, qh, scales) = (&b[..128], &b[128..192], &b[192..208]);
        let d = half_at(b, 208);
        for (run, y) in y.as_chunks_mut::<16>().0.iter_mut().enumerate() {
            let (half, k, start) = (run / 8, run % 8 / 2, 16 * (run % 2));
            let scale = d * f32::from(scales[run] as i8);
            let low = &ql[64 * half + 32 * (k % 2) + start..];
            for ((y, l), h) in y.iter_mut().zip(low).zip(&qh[32 * half + start..]) {
                let code = l >> (4 * (k / 2)) & 15 | (h >> (2 * k) & 3) << 4;
                *y = scale * f32::from(code as i8 - 32);
            }
        }
    }
}
