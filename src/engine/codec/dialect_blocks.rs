//! Ternary layouts that other programs write under numbers of ggml's: PrismML's Q2_0 in groups of 128, ruvllm's
//! BITNET_T158, and the three packings of bitnet.cpp's I2_S.
//!
//! Decoders and, where this program writes the layout, encoders of one block. Which of them a tensor's number means, and
//! where the one scale of an I2_S tensor comes from, is decided elsewhere. A trit `t` is stored as the code `t + 1`; a
//! weight is scale × trit, so that a zero has the scale's sign. Nothing in ggml decodes these: the layouts are those of
//! the programs that write them.

use half::f16;

use super::blocks::blocks;
use super::legacy::half_at;
use super::tq::code;

/// Values of PrismML's codes: the fourth is a level of its own, as in ggml's Q2_0.
const FOUR_LEVELS: [f32; 4] = [-1.0, 0.0, 1.0, 2.0];
/// Values of codes that are trits: the fourth is reserved (T158) or illegal (I2_S) and read as zero.
const TRITS: [f32; 4] = [-1.0, 0.0, 1.0, 0.0];

/// Four codes a byte, the first lowest.
#[inline]
fn low_first(values: [f32; 4], bytes: &[u8], y: &mut [f32]) {
    for (q, y) in bytes.iter().zip(y.as_chunks_mut::<4>().0) {
        for (n, y) in y.iter_mut().enumerate() {
            *y = values[usize::from(q >> (2 * n) & 3)];
        }
    }
}

/// The inverse of [`low_first`] for trits.
fn pack_low_first(trits: &[i8], bytes: &mut [u8]) {
    for (q, t) in bytes.iter_mut().zip(trits.as_chunks::<4>().0) {
        *q = code(t[0]) | code(t[1]) << 2 | code(t[2]) << 4 | code(t[3]) << 6;
    }
}

/// PrismML's Q2_0: `d qs[32]`, blocks of 128, weight `j` in byte `j / 4` at bits `2·(j mod 4)`. Code 3 means +2.
pub(super) fn decode_q2_0_g128(bytes: &[u8], out: &mut [f32]) {
    for (b, y) in blocks::<34, 128>(bytes, out) {
        let d = half_at(b, 0);
        low_first(FOUR_LEVELS.map(|level| d * level), &b[2..], y);
    }
}

/// Writes one block of PrismML's Q2_0: 128 trits into 34 bytes.
pub fn encode_q2_0_g128(scale: f16, trits: &[i8], out: &mut [u8]) {
    debug_assert_eq!((trits.len(), out.len()), (128, 34));
    let (d, qs) = out.split_at_mut(2);
    d.copy_from_slice(&scale.to_le_bytes());
    pack_low_first(trits, qs);
}

/// BITNET_T158: `qs[64] d`, blocks of 256, weights as in Q2_0. Code 3 is reserved.
pub(super) fn decode_t158(bytes: &[u8], out: &mut [f32]) {
    for (b, y) in blocks::<66, 256>(bytes, out) {
        let d = half_at(b, 64);
        low_first(TRITS.map(|trit| d * trit), &b[..64], y);
    }
}

/// Writes one BITNET_T158 block: 256 trits into 66 bytes.
pub fn encode_t158(scale: f16, trits: &[i8], out: &mut [u8]) {
    debug_assert_eq!((trits.len(), out.len()), (256, 66));
    let (qs, d) = out.split_at_mut(64);
    pack_low_first(trits, qs);
    d.copy_from_slice(&scale.to_le_bytes());
}

/// I2_S in blocks of `BYTES` bytes: weight `BYTES·n + m` in byte `m` at bits `6 − 2n`.
#[inline]
fn decode_i2_s<const BYTES: usize>(bytes: &[u8], scale: f32, out: &mut [f32]) {
    debug_assert_eq!(bytes.len() * 4, out.len());
    let values = TRITS.map(|trit| scale * trit);
    let quarters = out.as_chunks_mut::<BYTES>().0;
    for (block, quarters) in bytes.as_chunks::<BYTES>().0.iter().zip(quarters.as_chunks_mut::<4>().0) {
        for (y, shift) in quarters.iter_mut().zip([6, 4, 2, 0]) {
            for (y, q) in y.iter_mut().zip(block) {
                *y = values[usize::from(q >> shift & 3)];
            }
        }
    }
}

/// I2_S as bitnet.cpp's converter and its x86 build write it: 128 weights in 32 bytes.
pub(super) fn decode_i2_s_a(bytes: &[u8], scale: f32, out: &mut [f32]) {
    decode_i2_s::<32>(bytes, scale, out);
}

/// I2_S as bitnet.cpp's ARM build writes it: 64 weights in 16 bytes.
pub(super) fn decode_i2_s_b(bytes: &[u8], scale: f32, out: &mut [f32]) {
    decode_i2_s::<16>(bytes, scale, out);
}

/// I2_S as bitnet.cpp's x86 build without `ACT_PARALLEL` writes it: one byte holds a column of four rows, the first at
/// the top. Decodes a stretch of row `r` from the stretch's bytes, which begin at `(r div 4)·cols + first column`;
/// `row_in_four` is `r mod 4`.
pub(super) fn decode_i2_s_rows(byte_run: &[u8], row_in_four: usize, scale: f32, out: &mut [f32]) {
    debug_assert_eq!(byte_run.len(), out.len());
    debug_assert!(row_in_four < 4, "{row_in_four}");
    let values = TRITS.map(|trit| scale * trit);
    let shift = 6 - 2 * (row_in_four & 3) as u32;
    for (y, q) in out.iter_mut().zip(byte_run) {
        *y = values[usize::from(q >> shift & 3)];
    }
}

/// The inverse of [`decode_i2_s`] for one block.
fn encode_i2_s(trits: &[i8], out: &mut [u8]) {
    debug_assert_eq!(trits.len(), out.len() * 4);
    out.fill(0);
    for (t, shift) in trits.chunks_exact(out.len().max(1)).zip([6, 4, 2, 0]) {
        for (q, t) in out.iter_mut().zip(t) {
            *q |= code(*t) << shift;
        }
    }
}

/// Writes one block of [`decode_i2_s_a`]'s packing: 128 trits into 32 bytes.
pub fn encode_i2_s_a(trits: &[i8], out: &mut [u8]) {
    debug_assert_eq!(out.len(), 32);
    encode_i2_s(trits, out);
}

/// Writes one block of [`decode_i2_s_b`]'s packing: 64 trits into 16 bytes.
pub fn encode_i2_s_b(trits: &[i8], out: &mut [u8]) {
    debug_assert_eq!(out.len(), 16);
    encode_i2_s(trits, out);
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Trits without a pattern that a wrong layout could share.
    fn some_trits(n: usize) -> Vec<i8> {
        let mut state = 1u32;
        let mut next = || {
            state = state.wrapping_mul(1_664_525).wrapping_add(1_013_904_223);
            (state >> 24) % 3
        };
        (0..n).map(|_| next() as i8 - 1).collect()
    }

    fn scaled(trits: &[i8], scale: f32) -> Vec<f32> {
        trits.iter().map(|t| scale * f32::from(*t)).collect()
    }

    #[test]
    fn what_is_written_reads_back() {
        let scale = f16::from_f32(0.375);
        let trits = some_trits(256);
        let mut y = [f32::NAN; 256];

        let mut t158 = [0xaa; 66];
        encode_t158(scale, &trits, &mut t158);
        decode_t158(&t158, &mut y);
        assert_eq!(y[..], scaled(&trits, 0.375));

        let mut g128 = [0xaa; 34];
        encode_q2_0_g128(scale, &trits[..128], &mut g128);
        decode_q2_0_g128(&g128, &mut y[..128]);
        assert_eq!(y[..128], scaled(&trits[..128], 0.375));

        // Two blocks each, so that the second's place matters too.
        let mut a = [0xaa; 64];
        for (t, out) in trits.chunks_exact(128).zip(a.chunks_exact_mut(32)) {
            encode_i2_s_a(t, out);
        }
        decode_i2_s_a(&a, -0.7, &mut y);
        assert_eq!(y[..], scaled(&trits, -0.7));

        let mut b = [0xaa; 32];
        for (t, out) in trits[..128].chunks_exact(64).zip(b.chunks_exact_mut(16)) {
            encode_i2_s_b(t, out);
        }
        decode_i2_s_b(&b, -0.7, &mut y[..128]);
        assert_eq!(y[..128], scaled(&trits[..128], -0.7));
    }

    #[test]
    fn every_weight_is_where_the_layout_says() {
        let mut state = 7u32;
        let bytes: Vec<u8> = std::iter::repeat_with(|| {
            state = state.wrapping_mul(1_664_525).wrapping_add(1_013_904_223);
            (state >> 24) as u8
        })
        .take(66)
        .collect();
        let trit = |code: u8| f32::from([-1i8, 0, 1, 0][usize::from(code & 3)]);
        let mut y = [f32::NAN; 256];

        decode_i2_s_a(&bytes[..32], 0.3, &mut y[..128]);
        for (j, y) in y[..128].iter().enumerate() {
            assert_eq!(*y, 0.3 * trit(bytes[j % 32] >> (6 - 2 * (j / 32))), "a {j}");
        }
        decode_i2_s_b(&bytes[..16], 0.3, &mut y[..64]);
        for (j, y) in y[..64].iter().enumerate() {
            assert_eq!(*y, 0.3 * trit(bytes[j % 16] >> (6 - 2 * (j / 16))), "b {j}");
        }
        for row in 0..4 {
            decode_i2_s_rows(&bytes, row, 0.3, &mut y[..66]);
            for (j, y) in y[..66].iter().enumerate() {
                assert_eq!(*y, 0.3 * trit(bytes[j] >> [6, 4, 2, 0][row]), "row {row}, {j}");
            }
        }
        let mut block: [u8; 66] = std::array::from_fn(|i| bytes[i]);
        block[64..].copy_from_slice(&f16::from_f32(2.5).to_le_bytes());
        decode_t158(&block, &mut y);
        for (j, y) in y.iter().enumerate() {
            assert_eq!(*y, 2.5 * trit(block[j / 4] >> (2 * (j % 4))), "t158 {j}");
        }
    }

    #[test]
    fn the_fourth_code_is_two_to_prismml_and_nothing_to_the_others() {
        let d = f16::from_f32(0.5).to_le_bytes();
        let (mut y, mut g128, mut t158) = ([1.0; 256], [0xff; 34], [0xff; 66]);
        g128[..2].copy_from_slice(&d);
        decode_q2_0_g128(&g128, &mut y[..128]);
        assert_eq!(y[..128], [1.0; 128]);
        t158[64..].copy_from_slice(&d);
        decode_t158(&t158, &mut y);
        assert_eq!(y, [0.0; 256]);
        y.fill(1.0);
        decode_i2_s_a(&[0xff; 32], 0.5, &mut y[..128]);
        decode_i2_s_b(&[0xff; 32], 0.5, &mut y[128..]);
        assert_eq!(y, [0.0; 256]);
    }
}
