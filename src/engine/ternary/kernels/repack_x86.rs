//! Repacking with AVX2. With AVX-512 the same code has more registers and three-way logic.

use std::arch::x86_64::*;

use super::avx2::Avx2;
use super::avx512::Avx512;
use super::repack::{self, Fields};
use crate::engine::ternary::Format;

/// Evaluates intrinsics inside a method of a value of [`Avx2`].
macro_rules! op {
    ($e:expr) => {
        // SAFETY: `self` is an `Avx2`, which exists only where the CPU was asked for these instructions; what is read or
        // written through a pointer is an array borrowed for as long as the intrinsic says.
        unsafe { $e }
    };
}

/// For two codes of two bits, the first in the lower ones: what each adds to a number of base-3 digits.
const fn worth(first: u8, second: u8) -> [u8; 16] {
    let mut table = [0; 16];
    let mut pair = 0;
    while pair < 16 {
        table[pair] = first.wrapping_mul(pair as u8 & 3).wrapping_add(second.wrapping_mul(pair as u8 >> 2));
        pair += 1;
    }
    table
}

/// Two base-3 digits, 3·first + second, as two codes of two bits, the first in the lower ones, `shift` bits up.
const fn codes_of_pair(shift: u32) -> [u8; 16] {
    let mut table = [0; 16];
    let mut pair = 0;
    while pair < 9 {
        table[pair] = ((pair / 3) as u8 | ((pair % 3) as u8) << 2) << shift;
        pair += 1;
    }
    table
}

impl Avx2 {
    pub(super) fn repack(self, formats: (Format, Format), blocks: (&[u8], u16), out: &mut [u8]) -> usize {
        // SAFETY: `self` proves that the CPU has the instructions.
        unsafe { on_avx2(self, formats, blocks, out) }
    }

    pub(super) fn ordinary_groups(self, from: Format, blocks: &[u8], only: Option<u16>) -> usize {
        // SAFETY: as above.
        unsafe { ordinary_on_avx2(self, from, blocks, only) }
    }

    #[inline(always)]
    fn table(self, table: &[u8; 16]) -> __m256i {
        op!(_mm256_broadcastsi128_si256(_mm_loadu_si128(table.as_ptr().cast())))
    }

    /// Exchanges the fields of `mask` in each 32 bits with those `BY` bits higher.
    #[inline(always)]
    fn exchange<const BY: i32>(self, x: __m256i, mask: i32) -> __m256i {
        op!({
            let differ = _mm256_and_si256(_mm256_xor_si256(x, _mm256_srli_epi32::<BY>(x)), _mm256_set1_epi32(mask));
            _mm256_xor_si256(x, _mm256_xor_si256(differ, _mm256_slli_epi32::<BY>(differ)))
        })
    }

    /// Exchanges, in each 32 bits, code n of byte i with code i of byte n.
    #[inline(always)]
    fn transposed(self, x: __m256i) -> __m256i {
        self.exchange::<12>(self.exchange::<6>(x, 0x00cc_00cc), 0x0000_f0f0)
    }

    /// In each sixteen bytes, byte n of 32 bits k to byte k of 32 bits n.
    #[inline(always)]
    fn bytes_transposed(self, x: __m256i) -> __m256i {
        let order = self.table(&[0, 4, 8, 12, 1, 5, 9, 13, 2, 6, 10, 14, 3, 7, 11, 15]);
        op!(_mm256_shuffle_epi8(x, order))
    }

    /// The next two digits of fractions r/256, ⌊9r/256⌋, and what is left of them.
    #[inline(always)]
    fn two_digits(self, rest: __m256i) -> (__m256i, __m256i) {
        op!({
            let (low, high) = (_mm256_set1_epi16(0xff), _mm256_set1_epi16(0xff00_u16 as i16));
            let even = _mm256_maddubs_epi16(rest, _mm256_set1_epi16(9));
            let odd = _mm256_maddubs_epi16(rest, _mm256_set1_epi16(9 << 8));
            let digits = _mm256_or_si256(_mm256_srli_epi16::<8>(even), _mm256_and_si256(odd, high));
            let rest = _mm256_or_si256(_mm256_and_si256(even, low), _mm256_slli_epi16::<8>(odd));
            (digits, rest)
        })
    }

    /// The first four digits of 32 bytes of TQ1_0 as codes of two bits, and the fifth.
    #[inline(always)]
    fn five_digits(self, bytes: __m256i) -> (__m256i, __m256i) {
        let (first, rest) = self.two_digits(bytes);
        let (second, rest) = self.two_digits(rest);
        op!({
            let first = _mm256_shuffle_epi8(self.table(&const { codes_of_pair(0) }), first);
            let second = _mm256_shuffle_epi8(self.table(&const { codes_of_pair(4) }), second);
            (_mm256_or_si256(first, second), self.digit(rest).0)
        })
    }

    /// Four codes a byte and a fifth beside them as 32 bytes of TQ1_0.
    #[inline(always)]
    fn digits_of_five(self, codes: __m256i, fifth: __m256i) -> __m256i {
        op!({
            let nibble = _mm256_set1_epi8(15);
            let first = _mm256_and_si256(codes, nibble);
            let second = _mm256_and_si256(_mm256_srli_epi16::<4>(codes), nibble);
            let first = _mm256_shuffle_epi8(self.table(&const { worth(81, 27) }), first);
            let second = _mm256_shuffle_epi8(self.table(&const { worth(9, 3) }), second);
            let value = _mm256_add_epi8(_mm256_add_epi8(first, second), fifth);
            // ⌈256v/243⌉: 34 521/2²³ is 1/243 less 2.5·10⁻⁹, which 256v + 243 makes up for.
            let (more, factor) = (_mm256_set1_epi8(243_u8 as i8), _mm256_set1_epi16(34_521_u16 as i16));
            let low = _mm256_mulhi_epu16(_mm256_unpacklo_epi8(more, value), factor);
            let high = _mm256_mulhi_epu16(_mm256_unpackhi_epi8(more, value), factor);
            _mm256_packus_epi16(_mm256_srli_epi16::<7>(low), _mm256_srli_epi16::<7>(high))
        })
    }
}

impl Avx512 {
    pub(super) fn repack(self, formats: (Format, Format), blocks: (&[u8], u16), out: &mut [u8]) -> usize {
        // SAFETY: `self` proves that the CPU has the instructions.
        unsafe { on_avx512(self.narrow(), formats, blocks, out) }
    }

    pub(super) fn ordinary_groups(self, from: Format, blocks: &[u8], only: Option<u16>) -> usize {
        // SAFETY: as above.
        unsafe { ordinary_on_avx512(self.narrow(), from, blocks, only) }
    }
}

#[target_feature(enable = "avx2,fma,f16c,bmi1,bmi2,lzcnt,popcnt")]
fn on_avx2(f: Avx2, formats: (Format, Format), blocks: (&[u8], u16), out: &mut [u8]) -> usize {
    repack::repack(f, formats, blocks, out)
}

#[target_feature(enable = "avx2,fma,f16c,bmi1,bmi2,lzcnt,popcnt")]
fn ordinary_on_avx2(f: Avx2, from: Format, blocks: &[u8], only: Option<u16>) -> usize {
    repack::ordinary_groups(f, from, blocks, only)
}

#[target_feature(enable = "avx512f,avx512bw,avx512dq,avx512vl,avx2,fma,f16c,bmi1,bmi2,lzcnt,popcnt")]
fn on_avx512(f: Avx2, formats: (Format, Format), blocks: (&[u8], u16), out: &mut [u8]) -> usize {
    repack::repack(f, formats, blocks, out)
}

#[target_feature(enable = "avx512f,avx512bw,avx512dq,avx512vl,avx2,fma,f16c,bmi1,bmi2,lzcnt,popcnt")]
fn ordinary_on_avx512(f: Avx2, from: Format, blocks: &[u8], only: Option<u16>) -> usize {
    repack::ordinary_groups(f, from, blocks, only)
}

impl Fields for Avx2 {
    type H = __m256i;

    #[inline(always)]
    fn load(self, from: &[u8; 32]) -> __m256i {
        op!(_mm256_loadu_si256(from.as_ptr().cast()))
    }
    #[inline(always)]
    fn load_two(self, low: &[u8; 16], high: &[u8; 16]) -> __m256i {
        op!(_mm256_set_m128i(_mm_loadu_si128(high.as_ptr().cast()), _mm_loadu_si128(low.as_ptr().cast())))
    }
    #[inline(always)]
    fn store(self, x: __m256i, to: &mut [u8; 32]) {
        op!(_mm256_storeu_si256(to.as_mut_ptr().cast(), x));
    }
    #[inline(always)]
    fn store_two(self, x: __m256i, low: &mut [u8; 16], high: &mut [u8; 16]) {
        op!({
            _mm_storeu_si128(low.as_mut_ptr().cast(), _mm256_castsi256_si128(x));
            _mm_storeu_si128(high.as_mut_ptr().cast(), _mm256_extracti128_si256::<1>(x));
        });
    }
    #[inline(always)]
    fn in_order(self, x: __m256i) -> __m256i {
        let x = self.bytes_transposed(self.transposed(x));
        op!(_mm256_permutevar8x32_epi32(x, _mm256_setr_epi32(0, 4, 1, 5, 2, 6, 3, 7)))
    }
    #[inline(always)]
    fn strided(self, x: __m256i) -> __m256i {
        let x = op!(_mm256_permutevar8x32_epi32(x, _mm256_setr_epi32(0, 2, 4, 6, 1, 3, 5, 7)));
        self.transposed(self.bytes_transposed(x))
    }
    #[inline(always)]
    fn reversed(self, x: __m256i) -> __m256i {
        self.exchange::<2>(self.exchange::<4>(x, 0x0f0f_0f0f), 0x3333_3333)
    }
    #[inline(always)]
    fn has_three(self, x: [__m256i; 2]) -> bool {
        op!({
            let both = |x| _mm256_and_si256(x, _mm256_srli_epi16::<1>(x));
            _mm256_testz_si256(_mm256_or_si256(both(x[0]), both(x[1])), _mm256_set1_epi8(0x55)) == 0
        })
    }
    #[inline(always)]
    fn of_digits(self, from: &[u8; 52]) -> [__m256i; 2] {
        op!({
            let (low, fifth) = self.five_digits(_mm256_loadu_si256(from.as_ptr().cast()));
            // Sixteen bytes of five digits, beside four of four.
            let four = _mm_cvtsi32_si128(i32::from_le_bytes([from[48], from[49], from[50], from[51]]));
            let rest = _mm256_set_m128i(four, _mm_loadu_si128(from[32..48].as_ptr().cast()));
            let (codes, last) = self.five_digits(rest);
            // Of the upper half, codes m at bits 0 are the fifth digits of the first 32 bytes; at bits 2 and 4 of the lower
            // sixteen bytes are the first and third digits of the next, of the upper ones the second and fourth.
            let both = _mm256_permute2x128_si256::<0>(codes, codes);
            let both = _mm256_srlv_epi32(both, _mm256_setr_epi32(0, 0, 0, 0, 2, 2, 2, 2));
            let second = _mm256_and_si256(_mm256_slli_epi32::<2>(both), _mm256_set1_epi8(0x0c));
            let third = _mm256_and_si256(both, _mm256_set1_epi8(0x30));
            // At bits 6 their fifth digits, then four by four the digits of the last four bytes.
            let top = _mm256_blend_epi32::<0xf0>(last, _mm256_shuffle_epi32::<0>(codes));
            let top = _mm256_sllv_epi32(top, _mm256_setr_epi32(6, 6, 6, 6, 6, 4, 2, 0));
            let top = _mm256_and_si256(top, _mm256_set1_epi8(0xc0_u8 as i8));
            [low, _mm256_or_si256(_mm256_or_si256(fifth, second), _mm256_or_si256(third, top))]
        })
    }
    #[inline(always)]
    fn to_digits(self, x: [__m256i; 2], to: &mut [u8; 52]) {
        op!({
            let first = self.digits_of_five(x[0], _mm256_and_si256(x[1], _mm256_set1_epi8(3)));
            let (low, high) = (_mm256_castsi256_si128(x[1]), _mm256_extracti128_si256::<1>(x[1]));
            let mask = |x, mask: u8| _mm_and_si128(x, _mm_set1_epi8(mask as i8));
            // The inverse of what `of_digits` does with the upper half.
            let odd = _mm_or_si128(mask(high, 0x0c), mask(_mm_slli_epi32::<2>(high), 0xc0));
            let even = _mm_or_si128(mask(_mm_srli_epi32::<2>(low), 0x03), mask(low, 0x30));
            let four = _mm_srlv_epi32(mask(high, 0xc0), _mm_setr_epi32(6, 4, 2, 0));
            let four = _mm_or_si128(four, _mm_shuffle_epi32::<0b00_00_11_10>(four));
            let four = _mm_or_si128(four, _mm_shuffle_epi32::<0b00_00_00_01>(four));
            let codes = _mm256_set_m128i(four, _mm_or_si128(even, odd));
            let last = _mm256_zextsi128_si256(mask(_mm_srli_epi32::<6>(low), 0x03));
            let second = self.digits_of_five(codes, last);
            _mm256_storeu_si256(to.as_mut_ptr().cast(), first);
            _mm_storeu_si128(to[32..48].as_mut_ptr().cast(), _mm256_castsi256_si128(second));
            to[48..].copy_from_slice(&_mm_cvtsi128_si32(_mm256_extracti128_si256::<1>(second)).to_le_bytes());
        });
    }
}
