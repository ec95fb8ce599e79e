//! Plain numbers that only safetensors files have: unsigned integers of four widths and booleans, little-endian.
//!
//! Decoding only: each element is converted alone, 32 and 64 bits with rounding to nearest.

use super::float::widen;

pub(super) fn decode_u8(bytes: &[u8], out: &mut [f32]) {
    widen(bytes, out, |b| f32::from(u8::from_le_bytes(b)));
}

pub(super) fn decode_u16(bytes: &[u8], out: &mut [f32]) {
    widen(bytes, out, |b| f32::from(u16::from_le_bytes(b)));
}

pub(super) fn decode_u32(bytes: &[u8], out: &mut [f32]) {
    widen(bytes, out, |b| u32::from_le_bytes(b) as f32);
}

pub(super) fn decode_u64(bytes: &[u8], out: &mut [f32]) {
    widen(bytes, out, |b| u64::from_le_bytes(b) as f32);
}

/// A byte an element; every byte but zero is true (1.0), as in C.
pub(super) fn decode_bool(bytes: &[u8], out: &mut [f32]) {
    widen(bytes, out, |[b]: [u8; 1]| f32::from(b != 0));
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_top_bit_is_no_sign() {
        let mut out = [0.0; 2];
        decode_u8(&[0x80, 5], &mut out);
        assert_eq!(out, [128.0, 5.0]);
        decode_u16(&[0, 0x80, 1, 0], &mut out);
        assert_eq!(out, [32768.0, 1.0]);
        decode_u32(&[0xff, 0xff, 0xff, 0xff, 0, 0, 0, 1], &mut out);
        assert_eq!(out, [4_294_967_296.0, 16_777_216.0]);
        let longs: Vec<u8> = [u64::MAX, 3].iter().flat_map(|v| v.to_le_bytes()).collect();
        decode_u64(&longs, &mut out);
        assert_eq!(out, [18_446_744_073_709_551_616.0, 3.0]);
        decode_bool(&[0, 2], &mut out);
        assert_eq!(out, [0.0, 1.0]);
    }
}
