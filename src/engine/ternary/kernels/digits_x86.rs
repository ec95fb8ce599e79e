//! Base-3 digits of TQ1_0 by AVX2: packed, and taken out again.

use std::arch::x86_64::*;

use super::avx2::Avx2;

/// Evaluates intrinsics inside a method of a value of [`Avx2`].
macro_rules! op {
    ($e:expr) => {
        // SAFETY: `self` is an `Avx2`, which exists only where the CPU was asked for these instructions; what is read or
        // written through a pointer is an array borrowed for as long as the intrinsic says.
        unsafe { $e }
    };
}

impl Avx2 {
    /// ⌈256v/243⌉ of sixteen numbers up to 242: v + ⌈13v/243⌉, and x/243 is 270x/2¹⁶ for what 13v + 242 can be.
    #[inline(always)]
    fn as_fraction(self, v: __m256i) -> __m256i {
        op!({
            let x = _mm256_add_epi16(_mm256_mullo_epi16(v, _mm256_set1_epi16(13)), _mm256_set1_epi16(242));
            _mm256_add_epi16(v, _mm256_mulhi_epu16(x, _mm256_set1_epi16(270)))
        })
    }

    /// 32 numbers of five base-3 digits as bytes of TQ1_0.
    #[inline(always)]
    fn fractions(self, v: __m256i) -> __m256i {
        op!({
            let low = self.as_fraction(_mm256_unpacklo_epi8(v, _mm256_setzero_si256()));
            let high = self.as_fraction(_mm256_unpackhi_epi8(v, _mm256_setzero_si256()));
            _mm256_packus_epi16(low, high)
        })
    }

    /// The next digits of 32 fractions r/256, ⌊3r/256⌋, and what is left of them.
    #[inline(always)]
    pub(super) fn digit(self, rest: __m256i) -> (__m256i, __m256i) {
        op!({
            // All ones where 3r reaches 256, and 512.
            let one = _mm256_cmpeq_epi8(_mm256_max_epu8(rest, _mm256_set1_epi8(86)), rest);
            let two = _mm256_cmpeq_epi8(_mm256_max_epu8(rest, _mm256_set1_epi8(171u8 as i8)), rest);
            let digit = _mm256_sub_epi8(_mm256_setzero_si256(), _mm256_add_epi8(one, two));
            (digit, _mm256_add_epi8(_mm256_add_epi8(rest, rest), rest))
        })
    }

    /// 3v + digit.
    #[inline(always)]
    fn append(self, v: __m256i, digit: __m256i) -> __m256i {
        op!(_mm256_add_epi8(_mm256_add_epi8(v, v), _mm256_add_epi8(v, digit)))
    }

    /// How many bytes differ.
    #[inline(always)]
    pub(super) fn unequal(self, a: __m256i, b: __m256i) -> u32 {
        op!((_mm256_movemask_epi8(_mm256_cmpeq_epi8(a, b)) as u32).count_zeros())
    }

    /// See `Lanes::pack_digits`.
    #[inline(always)]
    pub(super) fn digits_packed(self, codes: &[u8; 256], to: &mut [u8; 52]) {
        op!({
            let wide: *const __m256i = codes.as_ptr().cast();
            let mut v = _mm256_setzero_si256();
            for n in 0..5 {
                v = self.append(v, _mm256_loadu_si256(wide.add(n)));
            }
            _mm256_storeu_si256(to.as_mut_ptr().cast(), self.fractions(v));
            // Sixteen bytes of five digits each beside four of four, which have a zero for the fifth.
            let mut v = _mm256_setzero_si256();
            for n in 0..5 {
                let first = _mm_loadu_si128(codes[160 + 16 * n..176 + 16 * n].as_ptr().cast());
                let four = codes.get(240 + 4 * n..244 + 4 * n).and_then(|four| four.first_chunk::<4>());
                let last = _mm_cvtsi32_si128(four.map_or(0, |four| i32::from_le_bytes(*four)));
                v = self.append(v, _mm256_set_m128i(last, first));
            }
            let rest = self.fractions(v);
            _mm_storeu_si128(to[32..48].as_mut_ptr().cast(), _mm256_castsi256_si128(rest));
            to[48..].copy_from_slice(&_mm_cvtsi128_si32(_mm256_extracti128_si256::<1>(rest)).to_le_bytes());
        });
    }

    /// See `Lanes::unpack_digits`.
    #[inline(always)]
    pub(super) fn digits_unpacked(self, from: &[u8; 52], codes: &mut [u8; 256]) -> u32 {
        op!({
            let first = _mm256_loadu_si256(from.as_ptr().cast());
            let to: *mut __m256i = codes.as_mut_ptr().cast();
            let (mut rest, mut value) = (first, _mm256_setzero_si256());
            for n in 0..5 {
                let digit;
                (digit, rest) = self.digit(rest);
                _mm256_storeu_si256(to.add(n), digit);
                value = self.append(value, digit);
            }
            let mut illegal = self.unequal(self.fractions(value), first);
            // Sixteen bytes of five digits beside four of four: of those the fifth digit is to be zero.
            let four = _mm_cvtsi32_si128(i32::from_le_bytes([from[48], from[49], from[50], from[51]]));
            let second = _mm256_set_m128i(four, _mm_loadu_si128(from[32..48].as_ptr().cast()));
            let (mut rest, mut value) = (second, _mm256_setzero_si256());
            let last = _mm256_setr_epi32(-1, -1, -1, -1, 0, 0, 0, 0);
            for n in 0..5 {
                let mut digit;
                (digit, rest) = self.digit(rest);
                let to: *mut __m128i = codes[160 + 16 * n..176 + 16 * n].as_mut_ptr().cast();
                _mm_storeu_si128(to, _mm256_castsi256_si128(digit));
                match codes.get_mut(240 + 4 * n..244 + 4 * n) {
                    Some(to) => {
                        let four = _mm_cvtsi128_si32(_mm256_extracti128_si256::<1>(digit));
                        to.copy_from_slice(&four.to_le_bytes());
                    }
                    None => digit = _mm256_and_si256(digit, last),
                }
                value = self.append(value, digit);
            }
            illegal += self.unequal(self.fractions(value), second);
            illegal
        })
    }
}
