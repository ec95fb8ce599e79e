//! AVX-512 (F, BW, DQ, VL): sixteen lanes in a register, masks in registers of their own.

use std::arch::x86_64::*;

use super::avx2::Avx2;
use super::codes::{self, Found};
use super::lanes::{Lanes, Source};
use super::{Powers, Regard, Task, Weights, quantize};
use crate::engine::stats::BlockStats;
use crate::engine::ternary::Format;

/// Proof that the CPU has what this kernel uses: the four parts of AVX-512, and all of [`Avx2`].
#[derive(Clone, Copy)]
pub(super) struct Avx512(Avx2);

/// Evaluates intrinsics inside a method of a value of [`Avx512`].
macro_rules! op {
    ($e:expr) => {
        // SAFETY: `self` is an `Avx512`, which exists only where the CPU was asked for these instructions; what is read
        // or written through a pointer is an array borrowed for as long as the intrinsic says.
        unsafe { $e }
    };
}

impl Avx512 {
    pub(super) fn detect() -> Option<Self> {
        let here = is_x86_feature_detected!("avx512f")
            && is_x86_feature_detected!("avx512bw")
            && is_x86_feature_detected!("avx512dq")
            && is_x86_feature_detected!("avx512vl");
        Avx2::detect().filter(|_| here).map(Self)
    }

    /// The proof of what is narrower.
    pub(super) fn narrow(self) -> Avx2 {
        self.0
    }

    pub(super) fn blocks(self, task: Task, weights: Weights<'_>, out: &mut [u8], stats: &mut BlockStats) -> usize {
        match weights {
            // SAFETY: `self` proves that the CPU has the instructions.
            Weights::F16(w) => unsafe { blocks::<super::lanes::Half>(self, task, w, out, stats) },
            // SAFETY: as above.
            Weights::BF16(w) => unsafe { blocks::<super::lanes::Brain>(self, task, w, out, stats) },
            // SAFETY: as above.
            Weights::F32(w) => unsafe { blocks::<super::lanes::Single>(self, task, w, out, stats) },
        }
    }

    pub(super) fn powers(self, weights: Weights<'_>) -> Powers {
        match weights {
            // SAFETY: `self` proves that the CPU has the instructions.
            Weights::F16(w) => unsafe { powers::<super::lanes::Half>(self, w) },
            // SAFETY: as above.
            Weights::BF16(w) => unsafe { powers::<super::lanes::Brain>(self, w) },
            // SAFETY: as above.
            Weights::F32(w) => unsafe { powers::<super::lanes::Single>(self, w) },
        }
    }

    pub(super) fn pack(self, format: Format, codes: &[u8], scales: &[u16], out: &mut [u8]) {
        // SAFETY: `self` proves that the CPU has the instructions.
        unsafe { pack(self, format, codes, scales, out) }
    }

    pub(super) fn unpack(self, format: Format, blocks: &[u8], codes: &mut [u8], found: &mut Found<'_>) {
        // SAFETY: `self` proves that the CPU has the instructions.
        unsafe { unpack(self, format, blocks, codes, found) }
    }

    pub(super) fn weighted(
        self,
        task: (Task, bool),
        (weights, regard): (Weights<'_>, Regard<'_>),
        out: &mut [u8],
        stats: &mut BlockStats,
    ) -> usize {
        match weights {
            // SAFETY: `self` proves that the CPU has the instructions.
            Weights::F16(w) => unsafe { weighted::<super::lanes::Half>(self, task, (w, regard), out, stats) },
            // SAFETY: as above.
            Weights::BF16(w) => unsafe { weighted::<super::lanes::Brain>(self, task, (w, regard), out, stats) },
            // SAFETY: as above.
            Weights::F32(w) => unsafe { weighted::<super::lanes::Single>(self, task, (w, regard), out, stats) },
        }
    }
}

#[target_feature(enable = "avx512f,avx512bw,avx512dq,avx512vl,avx2,fma,f16c,bmi1,bmi2,lzcnt,popcnt")]
fn blocks<S: Source>(l: Avx512, task: Task, w: &[S::Raw], out: &mut [u8], stats: &mut BlockStats) -> usize {
    match task.format.block_len() {
        256 => quantize::blocks::<Avx512, S, 16, 8>(l, task, w, out, stats),
        128 => quantize::blocks::<Avx512, S, 8, 4>(l, task, w, out, stats),
        64 => quantize::blocks::<Avx512, S, 4, 8>(l, task, w, out, stats),
        _ => 0,
    }
}

#[target_feature(enable = "avx512f,avx512bw,avx512dq,avx512vl,avx2,fma,f16c,bmi1,bmi2,lzcnt,popcnt")]
fn weighted<S: Source>(
    l: Avx512,
    (task, blind): (Task, bool),
    w: (&[S::Raw], Regard<'_>),
    out: &mut [u8],
    stats: &mut BlockStats,
) -> usize {
    match task.format.block_len() {
        256 => quantize::weighted_blocks::<Avx512, S, 16, 4>(l, (task, blind), w, out, stats),
        128 => quantize::weighted_blocks::<Avx512, S, 8, 4>(l, (task, blind), w, out, stats),
        64 => quantize::weighted_blocks::<Avx512, S, 4, 8>(l, (task, blind), w, out, stats),
        _ => 0,
    }
}

#[target_feature(enable = "avx512f,avx512bw,avx512dq,avx512vl,avx2,fma,f16c,bmi1,bmi2,lzcnt,popcnt")]
fn powers<S: Source>(l: Avx512, w: &[S::Raw]) -> Powers {
    super::powers::over::<Avx512, S>(l, w)
}

#[target_feature(enable = "avx512f,avx512bw,avx512dq,avx512vl,avx2,fma,f16c,bmi1,bmi2,lzcnt,popcnt")]
fn pack(l: Avx512, format: Format, codes: &[u8], scales: &[u16], out: &mut [u8]) {
    codes::pack_blocks(l, format, codes, scales, out);
}

#[target_feature(enable = "avx512f,avx512bw,avx512dq,avx512vl,avx2,fma,f16c,bmi1,bmi2,lzcnt,popcnt")]
fn unpack(l: Avx512, format: Format, blocks: &[u8], codes: &mut [u8], found: &mut Found<'_>) {
    codes::unpack_blocks(l, format, blocks, codes, found);
}

impl Lanes for Avx512 {
    type V = __m512;
    type W = [__m512d; 2];
    type M = __mmask16;
    type Signs = u64;

    #[inline(always)]
    fn ahead<T>(self, from: &T, by: usize) {
        self.0.ahead(from, by);
    }
    #[inline(always)]
    fn splat(self, x: f32) -> __m512 {
        op!(_mm512_set1_ps(x))
    }
    #[inline(always)]
    fn singles(self, from: &[f32; 16]) -> __m512 {
        op!(_mm512_loadu_ps(from.as_ptr()))
    }
    #[inline(always)]
    fn halves(self, from: &[[u8; 2]; 16]) -> __m512 {
        op!(_mm512_cvtph_ps(_mm256_loadu_si256(from.as_ptr().cast())))
    }
    #[inline(always)]
    fn brains(self, from: &[[u8; 2]; 16]) -> __m512 {
        op!(_mm512_castsi512_ps(_mm512_slli_epi32::<16>(_mm512_cvtepu16_epi32(_mm256_loadu_si256(
            from.as_ptr().cast()
        )))))
    }
    #[inline(always)]
    fn abs(self, x: __m512) -> __m512 {
        op!(_mm512_abs_ps(x))
    }
    #[inline(always)]
    fn add(self, a: __m512, b: __m512) -> __m512 {
        op!(_mm512_add_ps(a, b))
    }
    #[inline(always)]
    fn sub(self, a: __m512, b: __m512) -> __m512 {
        op!(_mm512_sub_ps(a, b))
    }
    #[inline(always)]
    fn mul(self, a: __m512, b: __m512) -> __m512 {
        op!(_mm512_mul_ps(a, b))
    }
    #[inline(always)]
    fn mul_add(self, a: __m512, b: __m512, c: __m512) -> __m512 {
        op!(_mm512_fmadd_ps(a, b, c))
    }
    #[inline(always)]
    fn div(self, a: __m512, b: __m512) -> __m512 {
        op!(_mm512_div_ps(a, b))
    }
    #[inline(always)]
    fn sqrt(self, x: __m512) -> __m512 {
        op!(_mm512_sqrt_ps(x))
    }
    #[inline(always)]
    fn max(self, a: __m512, b: __m512) -> __m512 {
        op!(_mm512_max_ps(a, b))
    }
    #[inline(always)]
    fn min(self, a: __m512, b: __m512) -> __m512 {
        op!(_mm512_min_ps(a, b))
    }
    #[inline(always)]
    fn above(self, a: __m512, b: __m512) -> __mmask16 {
        op!(_mm512_cmp_ps_mask::<_CMP_GT_OQ>(a, b))
    }
    #[inline(always)]
    fn at_least(self, a: __m512, b: __m512) -> __mmask16 {
        op!(_mm512_cmp_ps_mask::<_CMP_GE_OQ>(a, b))
    }
    #[inline(always)]
    fn without(self, m: __mmask16, out: __mmask16) -> __mmask16 {
        m & !out
    }
    #[inline(always)]
    fn at_least_of(self, m: __mmask16, a: __m512, b: __m512) -> __mmask16 {
        op!(_mm512_mask_cmp_ps_mask::<_CMP_GE_OQ>(m, a, b))
    }
    #[inline(always)]
    fn add_where(self, sum: __m512, m: __mmask16, x: __m512) -> __m512 {
        op!(_mm512_mask_add_ps(sum, m, sum, x))
    }
    #[inline(always)]
    fn sub_where(self, a: __m512, m: __mmask16, x: __m512) -> __m512 {
        op!(_mm512_mask_sub_ps(a, m, a, x))
    }
    #[inline(always)]
    fn choose(self, m: __mmask16, a: __m512, b: __m512) -> __m512 {
        op!(_mm512_mask_mov_ps(b, m, a))
    }
    #[inline(always)]
    fn bits(self, m: __mmask16) -> u32 {
        u32::from(m)
    }

    #[inline(always)]
    fn many(self, m: __mmask16) -> usize {
        self.0.ones(u32::from(m))
    }

    #[inline(always)]
    fn store(self, x: __m512, to: &mut [f32; 16]) {
        op!(_mm512_storeu_ps(to.as_mut_ptr(), x));
    }

    #[inline(always)]
    fn wide_splat(self, x: f64) -> [__m512d; 2] {
        op!([_mm512_set1_pd(x); 2])
    }
    #[inline(always)]
    fn wide(self, x: __m512) -> [__m512d; 2] {
        op!([_mm512_cvtps_pd(_mm512_castps512_ps256(x)), _mm512_cvtps_pd(_mm512_extractf32x8_ps::<1>(x))])
    }
    #[inline(always)]
    fn wide_add(self, a: [__m512d; 2], b: [__m512d; 2]) -> [__m512d; 2] {
        op!([_mm512_add_pd(a[0], b[0]), _mm512_add_pd(a[1], b[1])])
    }
    #[inline(always)]
    fn wide_mul(self, a: [__m512d; 2], b: [__m512d; 2]) -> [__m512d; 2] {
        op!([_mm512_mul_pd(a[0], b[0]), _mm512_mul_pd(a[1], b[1])])
    }
    #[inline(always)]
    fn wide_add_where(self, sum: [__m512d; 2], m: __mmask16, x: __m512) -> [__m512d; 2] {
        let x = self.wide(x);
        op!([
            _mm512_mask_add_pd(sum[0], m as u8, sum[0], x[0]),
            _mm512_mask_add_pd(sum[1], (m >> 8) as u8, sum[1], x[1]),
        ])
    }

    #[inline(always)]
    fn total(self, x: __m512) -> f32 {
        op!({
            let x = _mm256_add_ps(_mm512_castps512_ps256(x), _mm512_extractf32x8_ps::<1>(x));
            self.0.total_of_eight(x)
        })
    }
    #[inline(always)]
    fn wide_total(self, x: __m512) -> f64 {
        self.total_of_wide(self.wide(x))
    }
    #[inline(always)]
    fn total_of_wide(self, x: [__m512d; 2]) -> f64 {
        op!({
            let x = _mm512_add_pd(x[0], x[1]);
            self.0.total_of_four(_mm256_add_pd(_mm512_castpd512_pd256(x), _mm512_extractf64x4_pd::<1>(x)))
        })
    }
    #[inline(always)]
    fn greatest(self, x: __m512) -> f32 {
        op!(self.0.greatest_of_eight(_mm256_max_ps(_mm512_castps512_ps256(x), _mm512_extractf32x8_ps::<1>(x))))
    }

    #[inline(always)]
    fn eights(self, a: f32, b: f32) -> __m512 {
        op!(_mm512_insertf32x8::<1>(_mm512_set1_ps(a), _mm256_set1_ps(b)))
    }
    #[inline(always)]
    fn next(self, x: __m512) -> __m512 {
        op!({
            let order = _mm512_setr_epi32(1, 2, 3, 4, 5, 6, 7, 7, 9, 10, 11, 12, 13, 14, 15, 15);
            _mm512_permutexvar_ps(order, x)
        })
    }
    #[inline(always)]
    fn totals(self, [a, b]: [[__m512; 8]; 2]) -> __m512 {
        op!({
            // Quarters of a register: two of the one's sum, two of the other's; then one of each, for this i and i + 4;
            // then one lane of each for i, i + 1, and at last for four.
            let mut x = [_mm512_setzero_ps(); 8];
            for i in 0..8 {
                let (low, high) = (_mm512_shuffle_f32x4::<0x44>(a[i], b[i]), _mm512_shuffle_f32x4::<0xee>(a[i], b[i]));
                x[i] = _mm512_add_ps(low, high);
            }
            for i in 0..4 {
                let (even, odd) = (x[i], x[i + 4]);
                let (even, odd) = (_mm512_shuffle_f32x4::<0x88>(even, odd), _mm512_shuffle_f32x4::<0xdd>(even, odd));
                x[i] = _mm512_add_ps(even, odd);
            }
            for i in 0..2 {
                let (low, high) = (x[2 * i], x[2 * i + 1]);
                x[i] = _mm512_add_ps(_mm512_unpacklo_ps(low, high), _mm512_unpackhi_ps(low, high));
            }
            let all = _mm512_add_ps(_mm512_shuffle_ps::<0x44>(x[0], x[1]), _mm512_shuffle_ps::<0xee>(x[0], x[1]));
            _mm512_shuffle_f32x4::<0xd8>(all, all)
        })
    }
    #[inline(always)]
    fn greatest_of_eights(self, x: __m512) -> __m512 {
        op!({
            let x = _mm512_max_ps(x, _mm512_shuffle_f32x4::<0xb1>(x, x));
            let x = _mm512_max_ps(x, _mm512_permute_ps::<0x4e>(x));
            _mm512_max_ps(x, _mm512_permute_ps::<0xb1>(x))
        })
    }
    #[inline(always)]
    fn crest(self, x: __m512) -> __m512 {
        op!(self.greatest_of_eights(_mm512_max_ps(x, _mm512_shuffle_f32x4::<0x4e>(x, x))))
    }
    #[inline(always)]
    fn firsts(self, x: __m512) -> [f32; 2] {
        op!([_mm512_cvtss_f32(x), _mm_cvtss_f32(_mm512_extractf32x4_ps::<2>(x))])
    }

    #[inline(always)]
    fn compress(self, m: __mmask16, x: __m512, to: &mut [f32; 16]) {
        // To memory by way of a register: storing under a mask is slow on some CPUs.
        op!(_mm512_storeu_ps(to.as_mut_ptr(), _mm512_maskz_compress_ps(m, x)));
    }

    #[inline(always)]
    fn gather<const N: usize>(self, from: &[[f32; 16]; N], places: __m512) -> __m512 {
        const { assert!(N.is_power_of_two()) }
        op!({
            let within = _mm512_and_si512(_mm512_castps_si512(places), _mm512_set1_epi32(16 * N as i32 - 1));
            _mm512_i32gather_ps::<4>(within, from.as_ptr().cast())
        })
    }

    #[inline(always)]
    fn to_half(self, x: f32) -> u16 {
        self.0.half(x)
    }
    #[inline(always)]
    fn of_half(self, bits: u16) -> f32 {
        self.0.of_half(bits)
    }

    #[inline(always)]
    fn signs_of_pairs(self, from: &[[[u8; 2]; 16]; 4]) -> u64 {
        op!({
            let at: *const __m512i = from.as_ptr().cast();
            let (low, high) = (_mm512_loadu_si512(at), _mm512_loadu_si512(at.add(1)));
            _mm512_kunpackd(u64::from(_mm512_movepi16_mask(high)), u64::from(_mm512_movepi16_mask(low)))
        })
    }
    #[inline(always)]
    fn signs_of_singles(self, from: &[[f32; 16]; 4]) -> u64 {
        op!({
            let at: *const __m512i = from.as_ptr().cast();
            join([
                _mm512_movepi32_mask(_mm512_loadu_si512(at)),
                _mm512_movepi32_mask(_mm512_loadu_si512(at.add(1))),
                _mm512_movepi32_mask(_mm512_loadu_si512(at.add(2))),
                _mm512_movepi32_mask(_mm512_loadu_si512(at.add(3))),
            ])
        })
    }
    #[inline(always)]
    fn codes(self, signs: u64, kept: [__mmask16; 4], to: &mut [u8; 64]) -> u32 {
        op!({
            let kept = join(kept);
            let one = _mm512_set1_epi8(1);
            let codes = _mm512_mask_add_epi8(one, kept & !signs, one, one);
            let codes = _mm512_mask_sub_epi8(codes, kept & signs, codes, one);
            _mm512_storeu_si512(to.as_mut_ptr().cast(), codes);
            kept.count_zeros()
        })
    }

    #[inline(always)]
    fn pack_strided<const REVERSED: bool>(self, codes: &[u8; 128], to: &mut [u8; 32]) {
        op!({
            let at: *const __m512i = codes.as_ptr().cast();
            let (low, high) = (_mm512_loadu_si512(at), _mm512_loadu_si512(at.add(1)));
            // Runs 0 and 1 of 32 codes beside each other, 2 and 3 above them.
            let (upper, rest) = if REVERSED { (low, high) } else { (high, low) };
            let pairs = _mm512_or_si512(_mm512_slli_epi16::<4>(upper), rest);
            let (low, high) = (_mm512_castsi512_si256(pairs), _mm512_extracti64x4_epi64::<1>(pairs));
            let (upper, rest) = if REVERSED { (low, high) } else { (high, low) };
            let packed = _mm256_or_si256(_mm256_slli_epi16::<2>(upper), rest);
            _mm256_storeu_si256(to.as_mut_ptr().cast(), packed);
        });
    }
    #[inline(always)]
    fn pack_strided_16(self, codes: &[u8; 64], to: &mut [u8; 16]) {
        self.0.pack_strided_16(codes, to);
    }
    #[inline(always)]
    fn pack_in_order(self, codes: &[u8; 64], to: &mut [u8; 16]) {
        op!({
            let x = _mm512_loadu_si512(codes.as_ptr().cast());
            // Pairs c + 4c', then pairs of those p + 16p': a byte in every 32 bits.
            let pairs = _mm512_maddubs_epi16(x, _mm512_set1_epi16(0x0401));
            let bytes = _mm512_madd_epi16(pairs, _mm512_set1_epi32(0x0010_0001));
            _mm_storeu_si128(to.as_mut_ptr().cast(), _mm512_cvtepi32_epi8(bytes));
        });
    }
    #[inline(always)]
    fn pack_digits(self, codes: &[u8; 256], to: &mut [u8; 52]) {
        self.0.pack_digits(codes, to);
    }
    #[inline(always)]
    fn unpack_strided(self, from: &[u8; 32], codes: &mut [u8; 128]) -> u32 {
        self.0.unpack_strided(from, codes)
    }
    #[inline(always)]
    fn unpack_in_order(self, from: &[u8; 16], codes: &mut [u8; 64]) -> u32 {
        self.0.unpack_in_order(from, codes)
    }
    #[inline(always)]
    fn unpack_digits(self, from: &[u8; 52], codes: &mut [u8; 256]) -> u32 {
        self.0.unpack_digits(from, codes)
    }
}

/// Four masks of sixteen as one of 64.
#[inline(always)]
fn join(m: [__mmask16; 4]) -> u64 {
    u64::from(m[0]) | u64::from(m[1]) << 16 | u64::from(m[2]) << 32 | u64::from(m[3]) << 48
}
