//! Eight-bit floats of safetensors files: F8_E4M3 and F8_E5M2, a byte an element.
//!
//! Decoding only. There are 256 values, so each type is a table, made while compiling.

/// One sign, four exponent and three mantissa bits (the FN variant: bias 7, no infinities, largest 448).
static E4M3: [f32; 256] = table(3, 0x7f, false);
/// One sign, five exponent and two mantissa bits: a half float's upper byte, with its infinities and NaN.
static E5M2: [f32; 256] = table(2, 0x7d, true);

/// Values of all bytes of a format with `mantissa_bits`. Magnitudes from `first_nan` on are NaN; `infinite`: the one
/// below is infinity.
const fn table(mantissa_bits: u32, first_nan: u32, infinite: bool) -> [f32; 256] {
    let mut values = [0.0; 256];
    let mut byte = 0;
    while byte < values.len() {
        let magnitude = byte as u32 & 0x7f;
        let bits = if magnitude >= first_nan {
            f32::NAN.to_bits()
        } else if infinite && magnitude == first_nan - 1 {
            f32::INFINITY.to_bits()
        } else {
            finite(mantissa_bits, magnitude).to_bits()
        };
        values[byte] = f32::from_bits(bits | (byte as u32 >> 7) << 31);
        byte += 1;
    }
    values
}

/// The finite value of seven bits; a zero exponent field is subnormal.
const fn finite(mantissa_bits: u32, magnitude: u32) -> f32 {
    // An exponent of n bits has the bias 2^(n − 1) − 1.
    let bias = (1 << (6 - mantissa_bits)) - 1;
    let exponent = magnitude >> mantissa_bits;
    let mantissa = magnitude & ((1 << mantissa_bits) - 1);
    if exponent == 0 {
        mantissa as f32 * f32::from_bits((128 - bias - mantissa_bits) << 23)
    } else {
        f32::from_bits((exponent + 127 - bias) << 23 | mantissa << (23 - mantissa_bits))
    }
}

#[inline]
fn look_up(table: &[f32; 256], bytes: &[u8], out: &mut [f32]) {
    debug_assert_eq!(bytes.len(), out.len());
    for (b, y) in bytes.iter().zip(out) {
        *y = table[usize::from(*b)];
    }
}

pub(super) fn decode_f8_e4m3(bytes: &[u8], out: &mut [f32]) {
    look_up(&E4M3, bytes, out);
}

pub(super) fn decode_f8_e5m2(bytes: &[u8], out: &mut [f32]) {
    look_up(&E5M2, bytes, out);
}

#[cfg(test)]
mod tests {
    use super::*;

    fn decoded(decode: fn(&[u8], &mut [f32])) -> [f32; 256] {
        let mut y = [1.5; 256];
        decode(&std::array::from_fn::<u8, 256, _>(|i| i as u8), &mut y);
        y
    }

    #[test]
    fn e4m3_is_its_formula_and_has_two_nans_and_no_infinity() {
        for (byte, value) in decoded(decode_f8_e4m3).iter().enumerate() {
            let (exponent, mantissa) = ((byte >> 3 & 15) as i32, (byte & 7) as f32);
            let magnitude = match exponent {
                0 => mantissa / 8.0 * 2f32.powi(-6),
                _ => (1.0 + mantissa / 8.0) * 2f32.powi(exponent - 7),
            };
            let want = if byte < 128 { magnitude } else { -magnitude };
            if byte & 0x7f == 0x7f {
                assert!(value.is_nan(), "{byte:#x}");
            } else {
                assert_eq!(value.to_bits(), want.to_bits(), "{byte:#x}");
            }
        }
        assert_eq!(E4M3[0x7e], 448.0);
    }

    #[test]
    fn e5m2_is_the_upper_byte_of_a_half_float() {
        for (byte, value) in decoded(decode_f8_e5m2).iter().enumerate() {
            let want = half::f16::from_le_bytes([0, byte as u8]).to_f32();
            assert!(value.to_bits() == want.to_bits() || (value.is_nan() && want.is_nan()), "{byte:#x}");
        }
        assert_eq!((E5M2[0x7b], E5M2[0xfc]), (57344.0, f32::NEG_INFINITY));
    }
}
