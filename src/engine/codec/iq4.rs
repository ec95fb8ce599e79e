//! Sixteen fixed levels by a nibble: ggml's IQ4_NL and IQ4_XS, and the FP4 types MXFP4 and NVFP4.
//!
//! A run of weights that share a scale is a run of bytes: the low nibbles are its first half, the high ones its second.
//! Decoding only; scale × level is taken once a level, which gives the bits of taking it once a weight.

use super::blocks::blocks;
use super::legacy::half_at;

/// Levels of IQ4_NL and IQ4_XS, denser near zero.
const IQ4: [i8; 16] = [-127, -104, -83, -65, -49, -35, -22, -10, 1, 13, 25, 38, 53, 69, 89, 113];
/// Twice the values of FP4 (E2M1). Code 8 is +0, as in ggml, which has the levels as integers.
const FP4: [i8; 16] = [0, 1, 2, 3, 4, 6, 8, 12, 0, -1, -2, -3, -4, -6, -8, -12];

/// One run: `y` is twice as long as `nibbles`.
#[inline]
fn run(scale: f32, levels: [i8; 16], nibbles: &[u8], y: &mut [f32]) {
    let values = levels.map(|level| scale * f32::from(level));
    let (low, high) = y.split_at_mut(nibbles.len());
    for ((q, low), high) in nibbles.iter().zip(low).zip(high) {
        *low = values[usize::from(q & 15)];
        *high = values[usize::from(q >> 4)];
    }
}

/// `d qs[16]`, blocks of 32.
pub(super) fn decode_iq4_nl(bytes: &[u8], out: &mut [f32]) {
    for (b, y) in blocks::<18, 32>(bytes, out) {
        run(half_at(b, 0), IQ4, &b[2..], y);
    }
}

/// `d scales_h(u16) scales_l[4] qs[128]`, super-blocks of 256: a scale of six bits, 32 less than stored, a run of 32;
/// four low bits in a nibble of `scales_l`, two high in `scales_h`.
pub(super) fn decode_iq4_xs(bytes: &[u8], out: &mut [f32]) {
    for (b, y) in blocks::<136, 256>(bytes, out) {
        let d = half_at(b, 0);
        let high = u16::from_le_bytes([b[2], b[3]]);
        for (i, (qs, y)) in b[8..].as_chunks::<16>().0.iter().zip(y.as_chunks_mut::<32>().0).enumerate() {
            let low = b[4 + i / 2] >> (4 * (i % 2)) & 15;
            let six_bits = low | ((high >> (2 * i)) as u8 & 3) << 4;
            run(d * f32::from(six_bits as i8 - 32), IQ4, qs, y);
        }
    }
}

/// 2^(e − 128) from the byte of an E8M0 exponent: half of what the format says, because the levels are doubled. The
/// first two are subnormal. ggml knows no NaN here: 255 is 2¹²⁷.
#[inline]
fn half_e8m0(e: u8) -> f32 {
    match e {
        0 => f32::from_bits(1 << 21),
        _ if e == 1 => f32::from_bits(1 << 22),
        _ => f32::from_bits(u32::from(e - 1) << 23),
    }
}

/// `e qs[16]`, blocks of 32 with a power of two as scale.
pub(super) fn decode_mxfp4(bytes: &[u8], out: &mut [f32]) {
    for (b, y) in blocks::<17, 32>(bytes, out) {
        run(half_e8m0(b[0]), FP4, &b[1..], y);
    }
}

/// Half the value of a UE4M3 byte (the levels are doubled): bias 7, the top bit ignored. 0x7f is NaN by the format and
/// zero in ggml; 0xff is neither, and read as a number.
#[inline]
fn half_ue4m3(e: u8) -> f32 {
    let (exponent, mantissa) = (u32::from(e >> 3 & 15), u32::from(e & 7));
    match exponent {
        _ if e == 0x7f => 0.0,
        0 => mantissa as f32 * (1.0 / 1024.0),
        _ => f32::from_bits((exponent + 119) << 23 | mantissa << 20),
    }
}

/// `d[4] qs[32]`, blocks of 64: a UE4M3 scale and eight bytes a run of 16.
pub(super) fn decode_nvfp4(bytes: &[u8], out: &mut [f32]) {
    for (b, y) in blocks::<36, 64>(bytes, out) {
        let runs = b[..4].iter().zip(b[4..].as_chunks::<8>().0);
        for ((e, qs), y) in runs.zip(y.as_chunks_mut::<16>().0) {
            run(half_ue4m3(*e), FP4, qs, y);
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn e8m0_is_a_power_of_two_for_every_byte() {
        for e in 0..=255u8 {
            assert_eq!(f64::from(half_e8m0(e)), 2f64.powi(i32::from(e) - 128), "{e}");
        }
    }

    #[test]
    fn ue4m3_is_its_formula_for_every_byte() {
        for e in 0..=255u8 {
            let (exponent, mantissa) = (i32::from(e >> 3 & 15), f64::from(e & 7));
            let value = match exponent {
                0 => mantissa * 2f64.powi(-9),
                _ => (1.0 + mantissa / 8.0) * 2f64.powi(exponent - 7),
            };
            let want = if e == 0x7f { 0.0 } else { value / 2.0 };
            assert_eq!(f64::from(half_ue4m3(e)), want, "{e:#x}");
        }
    }

    #[test]
    fn the_negative_zero_of_fp4_is_plus_zero() {
        let mut block = [0x88u8; 17];
        block[0] = 200;
        let mut y = [1.0; 32];
        decode_mxfp4(&block, &mut y);
        assert!(y.iter().all(|v| v.to_bits() == 0));
    }
}
