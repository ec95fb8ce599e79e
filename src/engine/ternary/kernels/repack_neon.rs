//! Repacking with NEON.

use std::arch::aarch64::*;

use super::neon::Neon;
use super::repack::{self, Fields};
use crate::engine::ternary::Format;

/// Evaluates intrinsics inside a method of a value of [`Neon`].
macro_rules! op {
    ($e:expr) => {
        // SAFETY: `self` is a `Neon`, which exists only where the CPU was asked for these instructions; what is read or
        // written through a pointer is an array borrowed for as long as the intrinsic says.
        unsafe { $e }
    };
}

impl Neon {
    pub(super) fn repack(self, formats: (Format, Format), blocks: (&[u8], u16), out: &mut [u8]) -> usize {
        repack::repack(self, formats, blocks, out)
    }

    pub(super) fn ordinary_groups(self, from: Format, blocks: &[u8], only: Option<u16>) -> usize {
        repack::ordinary_groups(self, from, blocks, only)
    }

    /// Bytes of 32 by their places.
    #[inline(always)]
    fn picked(self, x: [uint8x16_t; 2], places: &[u8; 32]) -> [uint8x16_t; 2] {
        op!({
            let from = uint8x16x2_t(x[0], x[1]);
            let (low, high) = (vld1q_u8(places.as_ptr()), vld1q_u8(places.as_ptr().add(16)));
            [vqtbl2q_u8(from, low), vqtbl2q_u8(from, high)]
        })
    }

    /// Exchanges, in each 32 bits, code n of byte i with code i of byte n.
    #[inline(always)]
    fn transposed(self, x: uint8x16_t) -> uint8x16_t {
        op!({
            let x = vreinterpretq_u32_u8(x);
            let differ = vandq_u32(veorq_u32(x, vshrq_n_u32::<6>(x)), vdupq_n_u32(0x00cc_00cc));
            let x = veorq_u32(x, veorq_u32(differ, vshlq_n_u32::<6>(differ)));
            let differ = vandq_u32(veorq_u32(x, vshrq_n_u32::<12>(x)), vdupq_n_u32(0x0000_f0f0));
            vreinterpretq_u8_u32(veorq_u32(x, veorq_u32(differ, vshlq_n_u32::<12>(differ))))
        })
    }

    /// The first four digits of sixteen bytes of TQ1_0 as codes of two bits, and the fifth.
    #[inline(always)]
    fn five_digits(self, bytes: uint8x16_t) -> (uint8x16_t, uint8x16_t) {
        let (mut codes, mut rest) = (op!(vdupq_n_u8(0)), bytes);
        for _ in 0..4 {
            let digit;
            (digit, rest) = self.digit(rest);
            codes = op!(vorrq_u8(vshrq_n_u8::<2>(codes), vshlq_n_u8::<6>(digit)));
        }
        (codes, self.digit(rest).0)
    }

    /// Four codes a byte and a fifth beside them as sixteen bytes of TQ1_0.
    #[inline(always)]
    fn digits_of_five(self, codes: uint8x16_t, fifth: uint8x16_t) -> uint8x16_t {
        op!({
            let three = vdupq_n_u8(3);
            let mut value = vandq_u8(codes, three);
            value = self.append(value, vandq_u8(vshrq_n_u8::<2>(codes), three));
            value = self.append(value, vandq_u8(vshrq_n_u8::<4>(codes), three));
            value = self.append(value, vshrq_n_u8::<6>(codes));
            self.fractions(self.append(value, fifth))
        })
    }
}

/// Place 8n + k of 32 is byte n of 32 bits k.
const GATHERED: [u8; 32] = {
    let mut places = [0; 32];
    let mut i = 0;
    while i < 32 {
        places[i] = (i % 8 * 4 + i / 8) as u8;
        i += 1;
    }
    places
};

/// The inverse.
const SPREAD: [u8; 32] = {
    let mut places = [0; 32];
    let mut i = 0;
    while i < 32 {
        places[i] = (i % 4 * 8 + i / 4) as u8;
        i += 1;
    }
    places
};

impl Fields for Neon {
    type H = [uint8x16_t; 2];

    #[inline(always)]
    fn load(self, from: &[u8; 32]) -> Self::H {
        op!([vld1q_u8(from.as_ptr()), vld1q_u8(from.as_ptr().add(16))])
    }
    #[inline(always)]
    fn load_two(self, low: &[u8; 16], high: &[u8; 16]) -> Self::H {
        op!([vld1q_u8(low.as_ptr()), vld1q_u8(high.as_ptr())])
    }
    #[inline(always)]
    fn store(self, x: Self::H, to: &mut [u8; 32]) {
        op!({
            vst1q_u8(to.as_mut_ptr(), x[0]);
            vst1q_u8(to.as_mut_ptr().add(16), x[1]);
        });
    }
    #[inline(always)]
    fn store_two(self, x: Self::H, low: &mut [u8; 16], high: &mut [u8; 16]) {
        op!({
            vst1q_u8(low.as_mut_ptr(), x[0]);
            vst1q_u8(high.as_mut_ptr(), x[1]);
        });
    }
    #[inline(always)]
    fn in_order(self, x: Self::H) -> Self::H {
        self.picked(x.map(|x| self.transposed(x)), &GATHERED)
    }
    #[inline(always)]
    fn strided(self, x: Self::H) -> Self::H {
        self.picked(x, &SPREAD).map(|x| self.transposed(x))
    }
    #[inline(always)]
    fn reversed(self, x: Self::H) -> Self::H {
        x.map(|x| {
            op!({
                let x = vorrq_u8(vshrq_n_u8::<4>(x), vshlq_n_u8::<4>(x));
                let low = vdupq_n_u8(0x33);
                vorrq_u8(vandq_u8(vshrq_n_u8::<2>(x), low), vshlq_n_u8::<2>(vandq_u8(x, low)))
            })
        })
    }
    #[inline(always)]
    fn has_three(self, x: [Self::H; 2]) -> bool {
        op!({
            let both = |x: uint8x16_t| vandq_u8(x, vshrq_n_u8::<1>(x));
            let any = vorrq_u8(vorrq_u8(both(x[0][0]), both(x[0][1])), vorrq_u8(both(x[1][0]), both(x[1][1])));
            vmaxvq_u8(vandq_u8(any, vdupq_n_u8(0x55))) != 0
        })
    }
    #[inline(always)]
    fn of_digits(self, from: &[u8; 52]) -> [Self::H; 2] {
        let mut four = [0; 16];
        four[..4].copy_from_slice(&from[48..]);
        op!({
            let (low, low_fifth) = self.five_digits(vld1q_u8(from.as_ptr()));
            let (high, high_fifth) = self.five_digits(vld1q_u8(from.as_ptr().add(16)));
            let (codes, last) = self.five_digits(vld1q_u8(from.as_ptr().add(32)));
            let (four, _) = self.five_digits(vld1q_u8(four.as_ptr()));
            // Of the upper half, codes m at bits 0 are the fifth digits of the first 32 bytes; at bits 2 and 4 of the lower
            // sixteen bytes are the first and third digits of the next, of the upper ones the second and fourth; at bits 6
            // their fifth digits, then four by four the digits of the last four bytes.
            let middle = |codes: uint8x16_t| {
                let second = vandq_u8(vshlq_n_u8::<2>(codes), vdupq_n_u8(0x0c));
                vorrq_u8(second, vandq_u8(codes, vdupq_n_u8(0x30)))
            };
            let up: [i32; 4] = [6, 4, 2, 0];
            let four = vdupq_n_u32(vgetq_lane_u32::<0>(vreinterpretq_u32_u8(four)));
            let four = vreinterpretq_u8_u32(vshlq_u32(four, vld1q_s32(up.as_ptr())));
            let four = vandq_u8(four, vdupq_n_u8(0xc0));
            let lower = vorrq_u8(vorrq_u8(low_fifth, middle(codes)), vshlq_n_u8::<6>(last));
            let upper = vorrq_u8(vorrq_u8(high_fifth, middle(vshrq_n_u8::<2>(codes))), four);
            [[low, high], [lower, upper]]
        })
    }
    #[inline(always)]
    fn to_digits(self, x: [Self::H; 2], to: &mut [u8; 52]) {
        op!({
            let [low, high] = x[1];
            let mask = |x, mask| vandq_u8(x, vdupq_n_u8(mask));
            // The inverse of what `of_digits` does with the upper half.
            let odd = vorrq_u8(mask(high, 0x0c), mask(vshlq_n_u8::<2>(high), 0xc0));
            let even = vorrq_u8(mask(vshrq_n_u8::<2>(low), 0x03), mask(low, 0x30));
            let down: [i32; 4] = [-6, -4, -2, 0];
            let four = vshlq_u32(vreinterpretq_u32_u8(mask(high, 0xc0)), vld1q_s32(down.as_ptr()));
            // Their bits do not meet: adding is joining.
            let four = vreinterpretq_u8_u32(vdupq_n_u32(vaddvq_u32(four)));
            vst1q_u8(to.as_mut_ptr(), self.digits_of_five(x[0][0], mask(low, 3)));
            vst1q_u8(to.as_mut_ptr().add(16), self.digits_of_five(x[0][1], mask(high, 3)));
            let rest = self.digits_of_five(vorrq_u8(even, odd), vshrq_n_u8::<6>(low));
            vst1q_u8(to.as_mut_ptr().add(32), rest);
            let last = vreinterpretq_u32_u8(self.digits_of_five(four, vdupq_n_u8(0)));
            to[48..].copy_from_slice(&vgetq_lane_u32::<0>(last).to_le_bytes());
        });
    }
}
