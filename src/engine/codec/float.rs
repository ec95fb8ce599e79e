//! Plain numbers: floats of four widths, integers of four, both little-endian.
//!
//! Decoding is a widening (or for 64-bit types a rounding to nearest) of each element alone. Encoding exists for the
//! types that tensors which stay are written in. The search for NaN and infinities works on bit patterns, so that a
//! scan needs no decoded copy.

use half::f16;
use half::slice::HalfFloatSliceExt;

use super::DType;

/// Elements converted at a time where a conversion needs a typed buffer: 512 bytes, well inside L1.
const CHUNK: usize = 256;

/// Applies `to_f32` to each `N`-byte element.
#[inline]
pub(super) fn widen<const N: usize>(bytes: &[u8], out: &mut [f32], to_f32: impl Fn([u8; N]) -> f32) {
    debug_assert_eq!(bytes.len(), out.len() * N);
    for (raw, y) in bytes.as_chunks::<N>().0.iter().zip(out) {
        *y = to_f32(*raw);
    }
}

pub(super) fn decode_f32(bytes: &[u8], out: &mut [f32]) {
    widen(bytes, out, f32::from_le_bytes);
}

/// Through `half`'s slice conversion, which finds F16C (or its like) at run time; it wants typed halves, so the bytes
/// pass through a small buffer.
pub(super) fn decode_f16(bytes: &[u8], out: &mut [f32]) {
    debug_assert_eq!(bytes.len(), out.len() * 2);
    let mut typed = [f16::ZERO; CHUNK];
    for (raw, y) in bytes.chunks(2 * CHUNK).zip(out.chunks_mut(CHUNK)) {
        for (h, b) in typed.iter_mut().zip(raw.as_chunks::<2>().0) {
            *h = f16::from_le_bytes(*b);
        }
        typed[..y.len()].convert_to_f32_slice(y);
    }
}

pub(super) fn decode_bf16(bytes: &[u8], out: &mut [f32]) {
    widen(bytes, out, |b| f32::from_bits(u32::from(u16::from_le_bytes(b)) << 16));
}

pub(super) fn decode_f64(bytes: &[u8], out: &mut [f32]) {
    widen(bytes, out, |b| f64::from_le_bytes(b) as f32);
}

pub(super) fn decode_i8(bytes: &[u8], out: &mut [f32]) {
    widen(bytes, out, |b| f32::from(i8::from_le_bytes(b)));
}

pub(super) fn decode_i16(bytes: &[u8], out: &mut [f32]) {
    widen(bytes, out, |b| f32::from(i16::from_le_bytes(b)));
}

pub(super) fn decode_i32(bytes: &[u8], out: &mut [f32]) {
    widen(bytes, out, |b| i32::from_le_bytes(b) as f32);
}

pub(super) fn decode_i64(bytes: &[u8], out: &mut [f32]) {
    widen(bytes, out, |b| i64::from_le_bytes(b) as f32);
}

/// Writes `values` as F32, F16 or BF16, rounding to nearest, ties to even. NaN and infinities pass through.
///
/// `out` must hold exactly as many elements as `values`. `Err(i)`: finite value `i` has no finite neighbour in the
/// type (of several, the first), and what `out` then holds is not to be used. Any other type is refused with `Err(0)`.
pub fn encode_float(dtype: DType, values: &[f32], out: &mut [u8]) -> Result<(), usize> {
    match dtype {
        DType::F32 => {
            debug_assert_eq!(out.len(), values.len() * 4);
            for (b, v) in out.as_chunks_mut::<4>().0.iter_mut().zip(values) {
                *b = v.to_le_bytes();
            }
            Ok(())
        }
        DType::F16 => encode_f16(values, out),
        DType::BF16 => encode_bf16(values, out),
        _ => Err(0),
    }
}

fn encode_f16(values: &[f32], out: &mut [u8]) -> Result<(), usize> {
    debug_assert_eq!(out.len(), values.len() * 2);
    let mut typed = [f16::ZERO; CHUNK];
    for (i, (v, raw)) in values.chunks(CHUNK).zip(out.chunks_mut(2 * CHUNK)).enumerate() {
        let typed = &mut typed[..v.len()];
        typed.convert_from_f32_slice(v);
        if let Some(j) = typed.iter().zip(v).position(|(h, v)| h.is_infinite() && v.is_finite()) {
            return Err(i * CHUNK + j);
        }
        for (b, h) in raw.as_chunks_mut::<2>().0.iter_mut().zip(typed.iter()) {
            *b = h.to_le_bytes();
        }
    }
    Ok(())
}

fn encode_bf16(values: &[f32], out: &mut [u8]) -> Result<(), usize> {
    debug_assert_eq!(out.len(), values.len() * 2);
    for (b, v) in out.as_chunks_mut::<2>().0.iter_mut().zip(values) {
        *b = bf16_bits(*v).to_le_bytes();
    }
    // BF16 has f32's exponent range: only the last half step below 2^128 can round away, so a second look is cheap.
    let largest = 0x7f7f_8000;
    match values.iter().position(|v| (largest..F32_INFINITE).contains(&(v.to_bits() & F32_MAGNITUDE))) {
        Some(i) => Err(i),
        None => Ok(()),
    }
}

const F32_MAGNITUDE: u32 = 0x7fff_ffff;
const F32_INFINITE: u32 = 0x7f80_0000;

/// The upper half of the pattern, rounded to even. A NaN keeps its sign and gets the quiet bit, so that rounding
/// can neither carry it into the sign nor clear its payload to an infinity.
#[inline]
fn bf16_bits(v: f32) -> u16 {
    let bits = v.to_bits();
    let rounded = bits.wrapping_add(0x7fff + ((bits >> 16) & 1)) >> 16;
    let quiet = (bits >> 16) | 0x40;
    (if bits & F32_MAGNITUDE > F32_INFINITE { quiet } else { rounded }) as u16
}

/// Index of the first NaN or infinity among raw F32, F16, BF16 or F64 elements; `None` where all are finite, and for
/// every other type.
pub fn first_non_finite(dtype: DType, bytes: &[u8]) -> Option<usize> {
    match dtype {
        DType::F32 => find(bytes, |b| u32::from_le_bytes(b) & F32_INFINITE == F32_INFINITE),
        DType::F16 => find(bytes, |b| u16::from_le_bytes(b) & 0x7c00 == 0x7c00),
        DType::BF16 => find(bytes, |b| u16::from_le_bytes(b) & 0x7f80 == 0x7f80),
        DType::F64 => find(bytes, |b| u64::from_le_bytes(b) & 0x7ff0_0000_0000_0000 == 0x7ff0_0000_0000_0000),
        _ => None,
    }
}

/// First element that `bad` holds of. Whole chunks are folded without a branch, which compilers turn into vector code;
/// only a chunk with a hit is searched.
#[inline]
fn find<const N: usize>(bytes: &[u8], bad: impl Fn([u8; N]) -> bool) -> Option<usize> {
    let elements = bytes.as_chunks::<N>().0;
    let chunk = elements.chunks(CHUNK).position(|c| c.iter().fold(false, |any, b| any | bad(*b)))?;
    let start = chunk * CHUNK;
    elements[start..].iter().position(|b| bad(*b)).map(|i| start + i)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn integers_and_doubles_decode_to_their_value() {
        let mut out = [0.0; 2];
        decode_i8(&[0x80, 5], &mut out);
        assert_eq!(out, [-128.0, 5.0]);
        decode_i16(&[0, 0x80, 1, 0], &mut out);
        assert_eq!(out, [-32768.0, 1.0]);
        decode_i32(&[0xff, 0xff, 0xff, 0xff, 0, 0, 0, 1], &mut out);
        assert_eq!(out, [-1.0, 16_777_216.0]);
        let longs: Vec<u8> = [i64::MIN, 3].iter().flat_map(|v| v.to_le_bytes()).collect();
        decode_i64(&longs, &mut out);
        assert_eq!(out, [i64::MIN as f32, 3.0]);
        let doubles: Vec<u8> = [0.1f64, -2.0].iter().flat_map(|v| v.to_le_bytes()).collect();
        decode_f64(&doubles, &mut out);
        assert_eq!(out, [0.1, -2.0]);
    }

    #[test]
    fn bf16_rounds_to_even_and_agrees_with_half() {
        let mut bits = 0u32;
        for _ in 0..200_000 {
            bits = bits.wrapping_mul(1_664_525).wrapping_add(1_013_904_223);
            let v = f32::from_bits(bits);
            let want = half::bf16::from_f32(v);
            let got = half::bf16::from_bits(bf16_bits(v));
            assert!(got == want || (got.is_nan() && want.is_nan()), "{v} {got} {want}");
        }
        assert_eq!(bf16_bits(f32::from_bits(0x3f80_8000)), 0x3f80);
        assert_eq!(bf16_bits(f32::from_bits(0x3f81_8000)), 0x3f82);
        assert_eq!(bf16_bits(f32::from_bits(0xffff_ffff)), 0xffff);
    }

    #[test]
    fn a_finite_value_that_would_become_infinite_is_refused_by_index() {
        let mut values = vec![1.0f32; 700];
        values[600] = 65520.0;
        values[3] = f32::INFINITY;
        values[4] = f32::NAN;
        assert_eq!(encode_float(DType::F16, &values, &mut vec![0; 1400]), Err(600));
        values[600] = 65519.9;
        let mut out = vec![0; 1400];
        assert_eq!(encode_float(DType::F16, &values, &mut out), Ok(()));
        assert_eq!(out[1200..1202], f16::MAX.to_le_bytes());
        assert_eq!(first_non_finite(DType::F16, &out), Some(3));
        values[300] = -f32::MAX;
        assert_eq!(encode_float(DType::BF16, &values, &mut out), Err(300));
        values[300] = f32::from_bits(0x7f7f_7fff);
        assert_eq!(encode_float(DType::BF16, &values, &mut out), Ok(()));
        assert_eq!(out[600..602], half::bf16::MAX.to_le_bytes());
        assert_eq!(encode_float(DType::F32, &values, &mut vec![0; 2800]), Ok(()));
        assert_eq!(encode_float(DType::I8, &values, &mut vec![0; 700]), Err(0));
    }

    #[test]
    fn the_first_non_finite_element_is_found_at_every_place() {
        for n in [1usize, 255, 256, 257, 600] {
            for at in [0, n / 2, n - 1] {
                let mut f = vec![1e30f32; n];
                let clean: Vec<u8> = f.iter().flat_map(|v| v.to_le_bytes()).collect();
                assert_eq!(first_non_finite(DType::F32, &clean), None);
                f[at] = f32::NEG_INFINITY;
                f[n - 1] = f32::NAN;
                let raw: Vec<u8> = f.iter().flat_map(|v| v.to_le_bytes()).collect();
                assert_eq!(first_non_finite(DType::F32, &raw), Some(at));
                let raw: Vec<u8> = f.iter().flat_map(|v| f64::from(*v).to_le_bytes()).collect();
                assert_eq!(first_non_finite(DType::F64, &raw), Some(at));
                let raw: Vec<u8> = f.iter().flat_map(|v| half::bf16::from_f32(*v).to_le_bytes()).collect();
                assert_eq!(first_non_finite(DType::BF16, &raw), Some(at));
            }
        }
        assert_eq!(first_non_finite(DType::I16, &[0xff; 64]), None);
    }
}
