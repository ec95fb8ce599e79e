//! Ternary blocks: TQ1_0, TQ2_0 and Q2_0, both ways.
//!
//! A trit `t` is stored as the code `t + 1`; a weight is scale × (code − 1). Encoders write one block from a scale and
//! its trits and know nothing of how those were chosen. Layouts are ggml's; the pictures are in each pair's comment.

use half::f16;

use super::legacy::half_at;

/// Weights of a TQ1_0 or TQ2_0 block.
const TQ_LEN: usize = 256;
/// Weights of a Q2_0 block.
const Q2_LEN: usize = 64;
/// Value of a two-bit code, before the scale. Ternary writers never use the last; Q2_0 readers must know it.
const LEVEL: [f32; 4] = [-1.0, 0.0, 1.0, 2.0];

/// Code of a trit. Trits come from this crate's quantizers; others are a bug that debug builds stop at.
#[inline]
pub(super) fn code(trit: i8) -> u8 {
    debug_assert!((-1..=1).contains(&trit), "trit {trit}");
    trit.wrapping_add(1) as u8
}

/// TQ2_0: `qs[64] d`. In half `h` (128 weights) byte `32h + m` holds weights `128h + m + 32n` at bits `2n`.
#[inline(always)]
pub(super) fn decode_tq2_0(bytes: &[u8], out: &mut [f32]) {
    debug_assert_eq!(bytes.len() * TQ_LEN, out.len() * 66);
    for (block, y) in bytes.as_chunks::<66>().0.iter().zip(out.as_chunks_mut::<TQ_LEN>().0) {
        let d = half_at(block, 64);
        for (run, y) in y.as_chunks_mut::<32>().0.iter_mut().enumerate() {
            for (y, q) in y.iter_mut().zip(&block[run / 4 * 32..]) {
                *y = d * f32::from((q >> (2 * (run % 4)) & 3) as i8 - 1);
            }
        }
    }
}

/// Writes one TQ2_0 block: 256 trits into 66 bytes.
pub fn encode_tq2_0(scale: f16, trits: &[i8], out: &mut [u8]) {
    debug_assert_eq!((trits.len(), out.len()), (TQ_LEN, 66));
    let (qs, d) = out.split_at_mut(64);
    for (qs, t) in qs.as_chunks_mut::<32>().0.iter_mut().zip(trits.as_chunks::<128>().0) {
        for (m, q) in qs.iter_mut().enumerate() {
            *q = code(t[m]) | code(t[m + 32]) << 2 | code(t[m + 64]) << 4 | code(t[m + 96]) << 6;
        }
    }
    d.copy_from_slice(&scale.to_le_bytes());
}

/// The three stretches of a TQ1_0 block: first byte, bytes, first weight, trits a byte. In each, byte `m` takes weights
/// `first + m + bytes·n`, `n` counting digits from the most significant.
const TQ1_STRETCHES: [(usize, usize, usize, usize); 3] = [(0, 32, 0, 5), (32, 16, 160, 5), (48, 4, 240, 4)];

/// Powers of three that bring digit `n` to the top of a byte (modulo 256).
const POW3: [u8; 5] = [1, 3, 9, 27, 81];

/// TQ1_0: `qs[48] qh[4] d`, five base-3 digits a byte as the fraction `⌈q·256/243⌉`: times 3ⁿ modulo 256 drops the
/// digits above `n`, and three times what is left carries digit `n` into the next byte.
#[inline(always)]
pub(super) fn decode_tq1_0(bytes: &[u8], out: &mut [f32]) {
    debug_assert_eq!(bytes.len() * TQ_LEN, out.len() * 54);
    for (block, y) in bytes.as_chunks::<54>().0.iter().zip(out.as_chunks_mut::<TQ_LEN>().0) {
        let d = half_at(block, 52);
        for (start, count, first, digits) in TQ1_STRETCHES {
            let qs = &block[start..start + count];
            for (y, pow) in y[first..first + count * digits].chunks_exact_mut(count).zip(POW3) {
                for (y, q) in y.iter_mut().zip(qs) {
                    let digit = (u16::from(q.wrapping_mul(pow)) * 3) >> 8;
                    *y = d * f32::from(digit as i8 - 1);
                }
            }
        }
    }
}

/// Writes one TQ1_0 block: 256 trits into 54 bytes.
pub fn encode_tq1_0(scale: f16, trits: &[i8], out: &mut [u8]) {
    debug_assert_eq!((trits.len(), out.len()), (TQ_LEN, 54));
    for (start, count, first, digits) in TQ1_STRETCHES {
        let mut values = [0u8; 32];
        for t in trits[first..first + count * digits].chunks_exact(count) {
            for (v, t) in values.iter_mut().zip(t) {
                *v = v.wrapping_mul(3).wrapping_add(code(*t));
            }
        }
        // A stretch of four digits is written as if a fifth, zero, followed.
        let shift = if digits == 4 { 3 } else { 1 };
        for (q, v) in out[start..start + count].iter_mut().zip(values) {
            *q = (u16::from(v) * shift * 256).div_ceil(243) as u8;
        }
    }
    out[52..54].copy_from_slice(&scale.to_le_bytes());
}

/// Q2_0: `d qs[16]`, weight `j` in byte `j / 4` at bits `2·(j mod 4)`. Code 3 means +2.
#[inline(always)]
pub(super) fn decode_q2_0(bytes: &[u8], out: &mut [f32]) {
    debug_assert_eq!(bytes.len() * Q2_LEN, out.len() * 18);
    for (block, y) in bytes.as_chunks::<18>().0.iter().zip(out.as_chunks_mut::<Q2_LEN>().0) {
        let d = half_at(block, 0);
        let values = LEVEL.map(|level| d * level);
        for (y, q) in y.as_chunks_mut::<4>().0.iter_mut().zip(&block[2..]) {
            for (n, y) in y.iter_mut().enumerate() {
                *y = values[usize::from(q >> (2 * n) & 3)];
            }
        }
    }
}

/// Writes one Q2_0 block: 64 trits into 18 bytes.
pub fn encode_q2_0(scale: f16, trits: &[i8], out: &mut [u8]) {
    debug_assert_eq!((trits.len(), out.len()), (Q2_LEN, 18));
    let (d, qs) = out.split_at_mut(2);
    d.copy_from_slice(&scale.to_le_bytes());
    for (q, t) in qs.iter_mut().zip(trits.as_chunks::<4>().0) {
        *q = code(t[0]) | code(t[1]) << 2 | code(t[2]) << 4 | code(t[3]) << 6;
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn tq1_0_digits_come_back_for_every_byte_a_writer_can_produce() {
        for q in 0..243u16 {
            let byte = (q * 256).div_ceil(243) as u8;
            let mut rest = q;
            let mut want = [0; 5];
            for digit in want.iter_mut().rev() {
                *digit = rest % 3;
                rest /= 3;
            }
            assert_eq!(POW3.map(|pow| (u16::from(byte.wrapping_mul(pow)) * 3) >> 8), want, "{q}");
        }
    }

    #[test]
    fn code_three_of_q2_0_is_plus_two() {
        let mut block = [0u8; 18];
        block[..2].copy_from_slice(&f16::from_f32(0.5).to_le_bytes());
        block[2] = 0b11_10_01_00;
        let mut out = [0.0; 64];
        decode_q2_0(&block, &mut out);
        assert_eq!(out[..5], [-0.5, 0.0, 0.5, 1.0, -0.5]);
    }
}
