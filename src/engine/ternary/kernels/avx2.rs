//! AVX2 with F16C, FMA, BMI2 and POPCNT: sixteen lanes in two registers, masks as lanes of all ones.

use std::arch::x86_64::*;

use super::codes::{self, Found};
use super::lanes::{Lanes, Source};
use super::{Powers, Regard, Task, Weights, quantize};
use crate::engine::stats::BlockStats;
use crate::engine::ternary::Format;

/// Proof that the CPU has AVX2, F16C, FMA, BMI1, BMI2, LZCNT and POPCNT.
#[derive(Clone, Copy)]
pub(super) struct Avx2(());

/// Evaluates intrinsics inside a method of a value of [`Avx2`].
macro_rules! op {
    ($e:expr) => {
        // SAFETY: `self` is an `Avx2`, which exists only where the CPU was asked for these instructions; what is read or
        // written through a pointer is an array borrowed for as long as the intrinsic says.
        unsafe { $e }
    };
}

/// For every set of eight lanes where each of them is taken from to stand one after the other at the front.
const FRONT: [[u32; 8]; 256] = {
    let mut table = [[0; 8]; 256];
    let mut set = 0;
    while set < 256 {
        let (mut lane, mut at) = (0, 0);
        while lane < 8 {
            if set >> lane & 1 == 1 {
                table[set][at] = lane;
                at += 1;
            }
            lane += 1;
        }
        set += 1;
    }
    table
};

impl Avx2 {
    pub(super) fn detect() -> Option<Self> {
        let here = is_x86_feature_detected!("avx2")
            && is_x86_feature_detected!("f16c")
            && is_x86_feature_detected!("fma")
            && is_x86_feature_detected!("bmi1")
            && is_x86_feature_detected!("bmi2")
            && is_x86_feature_detected!("lzcnt")
            && is_x86_feature_detected!("popcnt");
        here.then_some(Self(()))
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

    #[inline(always)]
    pub(super) fn total_of_eight(self, x: __m256) -> f32 {
        op!({
            let x = _mm_add_ps(_mm256_castps256_ps128(x), _mm256_extractf128_ps::<1>(x));
            let x = _mm_add_ps(x, _mm_movehl_ps(x, x));
            _mm_cvtss_f32(_mm_add_ss(x, _mm_movehdup_ps(x)))
        })
    }

    #[inline(always)]
    pub(super) fn total_of_four(self, x: __m256d) -> f64 {
        op!({
            let x = _mm_add_pd(_mm256_castpd256_pd128(x), _mm256_extractf128_pd::<1>(x));
            _mm_cvtsd_f64(_mm_add_sd(x, _mm_unpackhi_pd(x, x)))
        })
    }

    #[inline(always)]
    pub(super) fn greatest_of_eight(self, x: __m256) -> f32 {
        op!({
            let x = _mm_max_ps(_mm256_castps256_ps128(x), _mm256_extractf128_ps::<1>(x));
            let x = _mm_max_ps(x, _mm_movehl_ps(x, x));
            _mm_cvtss_f32(_mm_max_ss(x, _mm_movehdup_ps(x)))
        })
    }

    /// How many bits are set. The compiler would count those of several masks in vectors, at twice the cost.
    #[inline(always)]
    pub(super) fn ones(self, bits: u32) -> usize {
        let ones: u64;
        op!(std::arch::asm!("popcnt {0:e}, {1:e}", out(reg) ones, in(reg) bits, options(pure, nomem, nostack)));
        ones as usize
    }

    #[inline(always)]
    pub(super) fn half(self, x: f32) -> u16 {
        op!(_mm_cvtsi128_si32(_mm_cvtps_ph::<_MM_FROUND_TO_NEAREST_INT>(_mm_set_ss(x))) as u16)
    }

    /// Eight 32-bit lanes of each of four registers, narrowed to bytes in order.
    #[inline(always)]
    fn narrow(self, x: [__m256i; 4]) -> __m256i {
        op!({
            let x = _mm256_packs_epi16(_mm256_packs_epi32(x[0], x[1]), _mm256_packs_epi32(x[2], x[3]));
            _mm256_permutevar8x32_epi32(x, _mm256_setr_epi32(0, 4, 1, 5, 2, 6, 3, 7))
        })
    }

    /// Codes of 32 weights; returns how many are zero.
    #[inline(always)]
    fn codes_of(self, signs: __m256i, kept: [[__m256; 2]; 2], to: &mut [u8]) -> u32 {
        debug_assert_eq!(to.len(), 32);
        op!({
            let kept = self.narrow([
                _mm256_castps_si256(kept[0][0]),
                _mm256_castps_si256(kept[0][1]),
                _mm256_castps_si256(kept[1][0]),
                _mm256_castps_si256(kept[1][1]),
            ]);
            let one = _mm256_set1_epi8(1);
            let trits = _mm256_and_si256(kept, _mm256_or_si256(signs, one));
            _mm256_storeu_si256(to.as_mut_ptr().cast(), _mm256_add_epi8(trits, one));
            (_mm256_movemask_epi8(kept) as u32).count_zeros()
        })
    }

    #[inline(always)]
    fn front(self, m: u32, x: __m256, to: &mut [f32]) {
        debug_assert_eq!(to.len(), 8);
        op!({
            let order = _mm256_loadu_si256(FRONT[m as usize & 255].as_ptr().cast());
            _mm256_storeu_ps(to.as_mut_ptr(), _mm256_permutevar8x32_ps(x, order));
        });
    }

    /// Eight pairs of bytes, bf16, as f32.
    #[inline(always)]
    fn brain(self, x: __m128i) -> __m256 {
        op!(_mm256_castsi256_ps(_mm256_slli_epi32::<16>(_mm256_cvtepu16_epi32(x))))
    }

    /// Signs of 32 weights of two bytes.
    #[inline(always)]
    fn signs(self, low: &[[u8; 2]; 16], high: &[[u8; 2]; 16]) -> __m256i {
        op!({
            let low = _mm256_srai_epi16::<15>(_mm256_loadu_si256(low.as_ptr().cast()));
            let high = _mm256_srai_epi16::<15>(_mm256_loadu_si256(high.as_ptr().cast()));
            _mm256_permute4x64_epi64::<0b11_01_10_00>(_mm256_packs_epi16(low, high))
        })
    }

    /// 32 codes, four to each 32 bits: pairs c + 4c', then pairs of those p + 16p'.
    #[inline(always)]
    fn fours(self, codes: __m256i) -> __m256i {
        op!(_mm256_madd_epi16(_mm256_maddubs_epi16(codes, _mm256_set1_epi16(0x0401)), _mm256_set1_epi32(0x0010_0001)))
    }
}

#[target_feature(enable = "avx2,fma,f16c,bmi1,bmi2,lzcnt,popcnt")]
fn blocks<S: Source>(l: Avx2, task: Task, w: &[S::Raw], out: &mut [u8], stats: &mut BlockStats) -> usize {
    match task.format.block_len() {
        256 => quantize::blocks::<Avx2, S, 16, 4>(l, task, w, out, stats),
        128 => quantize::blocks::<Avx2, S, 8, 4>(l, task, w, out, stats),
        64 => quantize::blocks::<Avx2, S, 4, 8>(l, task, w, out, stats),
        _ => 0,
    }
}

#[target_feature(enable = "avx2,fma,f16c,bmi1,bmi2,lzcnt,popcnt")]
fn weighted<S: Source>(
    l: Avx2,
    (task, blind): (Task, bool),
    w: (&[S::Raw], Regard<'_>),
    out: &mut [u8],
    stats: &mut BlockStats,
) -> usize {
    match task.format.block_len() {
        256 => quantize::weighted_blocks::<Avx2, S, 16, 2>(l, (task, blind), w, out, stats),
        128 => quantize::weighted_blocks::<Avx2, S, 8, 4>(l, (task, blind), w, out, stats),
        64 => quantize::weighted_blocks::<Avx2, S, 4, 4>(l, (task, blind), w, out, stats),
        _ => 0,
    }
}

#[target_feature(enable = "avx2,fma,f16c,bmi1,bmi2,lzcnt,popcnt")]
fn powers<S: Source>(l: Avx2, w: &[S::Raw]) -> Powers {
    super::powers::over::<Avx2, S>(l, w)
}

#[target_feature(enable = "avx2,fma,f16c,bmi1,bmi2,lzcnt,popcnt")]
fn pack(l: Avx2, format: Format, codes: &[u8], scales: &[u16], out: &mut [u8]) {
    codes::pack_blocks(l, format, codes, scales, out);
}

#[target_feature(enable = "avx2,fma,f16c,bmi1,bmi2,lzcnt,popcnt")]
fn unpack(l: Avx2, format: Format, blocks: &[u8], codes: &mut [u8], found: &mut Found<'_>) {
    codes::unpack_blocks(l, format, blocks, codes, found);
}

impl Lanes for Avx2 {
    type V = [__m256; 2];
    type W = [__m256d; 4];
    type M = [__m256; 2];
    type Signs = [__m256i; 2];

    #[inline(always)]
    fn ahead<T>(self, from: &T, by: usize) {
        // A hint, which may point anywhere.
        op!(_mm_prefetch::<_MM_HINT_T0>(std::ptr::from_ref(from).wrapping_add(by).cast()));
    }
    #[inline(always)]
    fn splat(self, x: f32) -> [__m256; 2] {
        op!([_mm256_set1_ps(x); 2])
    }
    #[inline(always)]
    fn singles(self, from: &[f32; 16]) -> [__m256; 2] {
        op!([_mm256_loadu_ps(from.as_ptr()), _mm256_loadu_ps(from.as_ptr().add(8))])
    }
    #[inline(always)]
    fn halves(self, from: &[[u8; 2]; 16]) -> [__m256; 2] {
        op!({
            let at: *const __m128i = from.as_ptr().cast();
            [_mm256_cvtph_ps(_mm_loadu_si128(at)), _mm256_cvtph_ps(_mm_loadu_si128(at.add(1)))]
        })
    }
    #[inline(always)]
    fn brains(self, from: &[[u8; 2]; 16]) -> [__m256; 2] {
        op!({
            let at: *const __m128i = from.as_ptr().cast();
            [self.brain(_mm_loadu_si128(at)), self.brain(_mm_loadu_si128(at.add(1)))]
        })
    }
    #[inline(always)]
    fn abs(self, x: [__m256; 2]) -> [__m256; 2] {
        op!({
            let sign = _mm256_set1_ps(-0.0);
            [_mm256_andnot_ps(sign, x[0]), _mm256_andnot_ps(sign, x[1])]
        })
    }
    #[inline(always)]
    fn add(self, a: [__m256; 2], b: [__m256; 2]) -> [__m256; 2] {
        op!([_mm256_add_ps(a[0], b[0]), _mm256_add_ps(a[1], b[1])])
    }
    #[inline(always)]
    fn sub(self, a: [__m256; 2], b: [__m256; 2]) -> [__m256; 2] {
        op!([_mm256_sub_ps(a[0], b[0]), _mm256_sub_ps(a[1], b[1])])
    }
    #[inline(always)]
    fn mul(self, a: [__m256; 2], b: [__m256; 2]) -> [__m256; 2] {
        op!([_mm256_mul_ps(a[0], b[0]), _mm256_mul_ps(a[1], b[1])])
    }
    #[inline(always)]
    fn mul_add(self, a: [__m256; 2], b: [__m256; 2], c: [__m256; 2]) -> [__m256; 2] {
        op!([_mm256_fmadd_ps(a[0], b[0], c[0]), _mm256_fmadd_ps(a[1], b[1], c[1])])
    }
    #[inline(always)]
    fn div(self, a: [__m256; 2], b: [__m256; 2]) -> [__m256; 2] {
        op!([_mm256_div_ps(a[0], b[0]), _mm256_div_ps(a[1], b[1])])
    }
    #[inline(always)]
    fn sqrt(self, x: [__m256; 2]) -> [__m256; 2] {
        op!([_mm256_sqrt_ps(x[0]), _mm256_sqrt_ps(x[1])])
    }
    #[inline(always)]
    fn max(self, a: [__m256; 2], b: [__m256; 2]) -> [__m256; 2] {
        op!([_mm256_max_ps(a[0], b[0]), _mm256_max_ps(a[1], b[1])])
    }
    #[inline(always)]
    fn min(self, a: [__m256; 2], b: [__m256; 2]) -> [__m256; 2] {
        op!([_mm256_min_ps(a[0], b[0]), _mm256_min_ps(a[1], b[1])])
    }
    #[inline(always)]
    fn above(self, a: [__m256; 2], b: [__m256; 2]) -> [__m256; 2] {
        op!([_mm256_cmp_ps::<_CMP_GT_OQ>(a[0], b[0]), _mm256_cmp_ps::<_CMP_GT_OQ>(a[1], b[1])])
    }
    #[inline(always)]
    fn at_least(self, a: [__m256; 2], b: [__m256; 2]) -> [__m256; 2] {
        op!([_mm256_cmp_ps::<_CMP_GE_OQ>(a[0], b[0]), _mm256_cmp_ps::<_CMP_GE_OQ>(a[1], b[1])])
    }
    #[inline(always)]
    fn without(self, m: [__m256; 2], out: [__m256; 2]) -> [__m256; 2] {
        op!([_mm256_andnot_ps(out[0], m[0]), _mm256_andnot_ps(out[1], m[1])])
    }
    #[inline(always)]
    fn at_least_of(self, m: [__m256; 2], a: [__m256; 2], b: [__m256; 2]) -> [__m256; 2] {
        let n = self.at_least(a, b);
        op!([_mm256_and_ps(m[0], n[0]), _mm256_and_ps(m[1], n[1])])
    }
    #[inline(always)]
    fn add_where(self, sum: [__m256; 2], m: [__m256; 2], x: [__m256; 2]) -> [__m256; 2] {
        op!([_mm256_add_ps(sum[0], _mm256_and_ps(m[0], x[0])), _mm256_add_ps(sum[1], _mm256_and_ps(m[1], x[1]))])
    }
    #[inline(always)]
    fn sub_where(self, a: [__m256; 2], m: [__m256; 2], x: [__m256; 2]) -> [__m256; 2] {
        op!([_mm256_sub_ps(a[0], _mm256_and_ps(m[0], x[0])), _mm256_sub_ps(a[1], _mm256_and_ps(m[1], x[1]))])
    }
    #[inline(always)]
    fn choose(self, m: [__m256; 2], a: [__m256; 2], b: [__m256; 2]) -> [__m256; 2] {
        op!([_mm256_blendv_ps(b[0], a[0], m[0]), _mm256_blendv_ps(b[1], a[1], m[1])])
    }
    #[inline(always)]
    fn bits(self, m: [__m256; 2]) -> u32 {
        op!(_mm256_movemask_ps(m[0]) as u32 | (_mm256_movemask_ps(m[1]) as u32) << 8)
    }

    #[inline(always)]
    fn many(self, m: [__m256; 2]) -> usize {
        self.ones(self.bits(m))
    }

    #[inline(always)]
    fn store(self, x: [__m256; 2], to: &mut [f32; 16]) {
        op!({
            _mm256_storeu_ps(to.as_mut_ptr(), x[0]);
            _mm256_storeu_ps(to.as_mut_ptr().add(8), x[1]);
        });
    }

    #[inline(always)]
    fn wide_splat(self, x: f64) -> [__m256d; 4] {
        op!([_mm256_set1_pd(x); 4])
    }
    #[inline(always)]
    fn wide(self, x: [__m256; 2]) -> [__m256d; 4] {
        op!([
            _mm256_cvtps_pd(_mm256_castps256_ps128(x[0])),
            _mm256_cvtps_pd(_mm256_extractf128_ps::<1>(x[0])),
            _mm256_cvtps_pd(_mm256_castps256_ps128(x[1])),
            _mm256_cvtps_pd(_mm256_extractf128_ps::<1>(x[1])),
        ])
    }
    #[inline(always)]
    fn wide_add(self, a: [__m256d; 4], b: [__m256d; 4]) -> [__m256d; 4] {
        op!([
            _mm256_add_pd(a[0], b[0]),
            _mm256_add_pd(a[1], b[1]),
            _mm256_add_pd(a[2], b[2]),
            _mm256_add_pd(a[3], b[3])
        ])
    }
    #[inline(always)]
    fn wide_mul(self, a: [__m256d; 4], b: [__m256d; 4]) -> [__m256d; 4] {
        op!([
            _mm256_mul_pd(a[0], b[0]),
            _mm256_mul_pd(a[1], b[1]),
            _mm256_mul_pd(a[2], b[2]),
            _mm256_mul_pd(a[3], b[3])
        ])
    }
    #[inline(always)]
    fn wide_add_where(self, sum: [__m256d; 4], m: [__m256; 2], x: [__m256; 2]) -> [__m256d; 4] {
        let kept = op!([_mm256_and_ps(m[0], x[0]), _mm256_and_ps(m[1], x[1])]);
        self.wide_add(sum, self.wide(kept))
    }

    #[inline(always)]
    fn total(self, x: [__m256; 2]) -> f32 {
        op!(self.total_of_eight(_mm256_add_ps(x[0], x[1])))
    }
    #[inline(always)]
    fn wide_total(self, x: [__m256; 2]) -> f64 {
        self.total_of_wide(self.wide(x))
    }
    #[inline(always)]
    fn total_of_wide(self, x: [__m256d; 4]) -> f64 {
        op!({
            let (low, high) = (_mm256_add_pd(x[0], x[2]), _mm256_add_pd(x[1], x[3]));
            self.total_of_four(_mm256_add_pd(low, high))
        })
    }
    #[inline(always)]
    fn greatest(self, x: [__m256; 2]) -> f32 {
        op!(self.greatest_of_eight(_mm256_max_ps(x[0], x[1])))
    }

    #[inline(always)]
    fn eights(self, a: f32, b: f32) -> [__m256; 2] {
        op!([_mm256_set1_ps(a), _mm256_set1_ps(b)])
    }
    #[inline(always)]
    fn next(self, x: [__m256; 2]) -> [__m256; 2] {
        op!({
            let order = _mm256_setr_epi32(1, 2, 3, 4, 5, 6, 7, 7);
            [_mm256_permutevar8x32_ps(x[0], order), _mm256_permutevar8x32_ps(x[1], order)]
        })
    }
    #[inline(always)]
    fn totals(self, of: [[[__m256; 2]; 8]; 2]) -> [__m256; 2] {
        op!({
            let mut totals = [_mm256_setzero_ps(); 2];
            for half in 0..2 {
                let mut x = [_mm256_setzero_ps(); 8];
                for i in 0..8 {
                    x[i] = _mm256_add_ps(of[half][i][0], of[half][i][1]);
                }
                for i in 0..4 {
                    x[i] = _mm256_hadd_ps(x[2 * i], x[2 * i + 1]);
                }
                let (low, high) = (_mm256_hadd_ps(x[0], x[1]), _mm256_hadd_ps(x[2], x[3]));
                let crossed = _mm256_permute2f128_ps::<0x21>(low, high);
                totals[half] = _mm256_add_ps(crossed, _mm256_blend_ps::<0xf0>(low, high));
            }
            totals
        })
    }
    #[inline(always)]
    fn greatest_of_eights(self, x: [__m256; 2]) -> [__m256; 2] {
        op!({
            let mut greatest = x;
            for x in &mut greatest {
                *x = _mm256_max_ps(*x, _mm256_permute2f128_ps::<0x01>(*x, *x));
                *x = _mm256_max_ps(*x, _mm256_permute_ps::<0x4e>(*x));
                *x = _mm256_max_ps(*x, _mm256_permute_ps::<0xb1>(*x));
            }
            greatest
        })
    }
    #[inline(always)]
    fn crest(self, x: [__m256; 2]) -> [__m256; 2] {
        op!(self.greatest_of_eights([_mm256_max_ps(x[0], x[1]); 2]))
    }
    #[inline(always)]
    fn firsts(self, x: [__m256; 2]) -> [f32; 2] {
        op!([_mm256_cvtss_f32(x[0]), _mm256_cvtss_f32(x[1])])
    }

    #[inline(always)]
    fn compress(self, m: [__m256; 2], x: [__m256; 2], to: &mut [f32; 16]) {
        let (low, high) = op!((_mm256_movemask_ps(m[0]) as u32, _mm256_movemask_ps(m[1]) as u32));
        let many = low.count_ones() as usize;
        self.front(low, x[0], &mut to[..8]);
        self.front(high, x[1], &mut to[many..many + 8]);
    }

    #[inline(always)]
    fn to_half(self, x: f32) -> u16 {
        self.half(x)
    }
    #[inline(always)]
    fn of_half(self, bits: u16) -> f32 {
        op!(_mm_cvtss_f32(_mm_cvtph_ps(_mm_cvtsi32_si128(i32::from(bits)))))
    }

    #[inline(always)]
    fn signs_of_pairs(self, from: &[[[u8; 2]; 16]; 4]) -> [__m256i; 2] {
        [self.signs(&from[0], &from[1]), self.signs(&from[2], &from[3])]
    }
    #[inline(always)]
    fn signs_of_singles(self, from: &[[f32; 16]; 4]) -> [__m256i; 2] {
        op!({
            let mut signs = [_mm256_setzero_si256(); 8];
            for (i, sign) in signs.iter_mut().enumerate() {
                let at = from[i / 2].as_ptr().add(8 * (i % 2));
                *sign = _mm256_srai_epi32::<31>(_mm256_loadu_si256(at.cast()));
            }
            let [a, b, c, d, e, f, g, h] = signs;
            [self.narrow([a, b, c, d]), self.narrow([e, f, g, h])]
        })
    }
    #[inline(always)]
    fn codes(self, signs: [__m256i; 2], kept: [[__m256; 2]; 4], to: &mut [u8; 64]) -> u32 {
        let (low, high) = to.split_at_mut(32);
        self.codes_of(signs[0], [kept[0], kept[1]], low) + self.codes_of(signs[1], [kept[2], kept[3]], high)
    }

    #[inline(always)]
    fn pack_strided<const REVERSED: bool>(self, codes: &[u8; 128], to: &mut [u8; 32]) {
        op!({
            let at: *const __m256i = codes.as_ptr().cast();
            let mut packed = _mm256_setzero_si256();
            for n in 0..4 {
                let codes = _mm256_loadu_si256(at.add(if REVERSED { n } else { 3 - n }));
                packed = _mm256_or_si256(_mm256_slli_epi16::<2>(packed), codes);
            }
            _mm256_storeu_si256(to.as_mut_ptr().cast(), packed);
        });
    }
    #[inline(always)]
    fn pack_strided_16(self, codes: &[u8; 64], to: &mut [u8; 16]) {
        op!({
            let at: *const __m128i = codes.as_ptr().cast();
            let mut packed = _mm_setzero_si128();
            for n in 0..4 {
                packed = _mm_or_si128(_mm_slli_epi16::<2>(packed), _mm_loadu_si128(at.add(n)));
            }
            _mm_storeu_si128(to.as_mut_ptr().cast(), packed);
        });
    }
    #[inline(always)]
    fn pack_in_order(self, codes: &[u8; 64], to: &mut [u8; 16]) {
        op!({
            let at: *const __m256i = codes.as_ptr().cast();
            let (low, high) = (self.fours(_mm256_loadu_si256(at)), self.fours(_mm256_loadu_si256(at.add(1))));
            // The halves of both registers stand crosswise; the bytes are those of words, so that packing loses nothing.
            let words = _mm256_permute4x64_epi64::<0b11_01_10_00>(_mm256_packus_epi32(low, high));
            let (low, high) = (_mm256_castsi256_si128(words), _mm256_extracti128_si256::<1>(words));
            _mm_storeu_si128(to.as_mut_ptr().cast(), _mm_packus_epi16(low, high));
        });
    }
    #[inline(always)]
    fn unpack_strided(self, from: &[u8; 32], codes: &mut [u8; 128]) -> u32 {
        op!({
            let x = _mm256_loadu_si256(from.as_ptr().cast());
            let (three, to): (_, *mut __m256i) = (_mm256_set1_epi8(3), codes.as_mut_ptr().cast());
            _mm256_storeu_si256(to, _mm256_and_si256(x, three));
            _mm256_storeu_si256(to.add(1), _mm256_and_si256(_mm256_srli_epi16::<2>(x), three));
            _mm256_storeu_si256(to.add(2), _mm256_and_si256(_mm256_srli_epi16::<4>(x), three));
            _mm256_storeu_si256(to.add(3), _mm256_and_si256(_mm256_srli_epi16::<6>(x), three));
            let threes = _mm256_and_si256(_mm256_and_si256(x, _mm256_srli_epi16::<1>(x)), _mm256_set1_epi8(0x55));
            self.unequal(threes, _mm256_setzero_si256())
        })
    }
    #[inline(always)]
    fn unpack_in_order(self, from: &[u8; 16], codes: &mut [u8; 64]) -> u32 {
        let mut threes = 0;
        for (from, to) in from.as_chunks::<8>().0.iter().zip(codes.as_chunks_mut::<32>().0) {
            let bits = u64::from_le_bytes(*from);
            // Each 16 bits are eight codes, put down a byte apart.
            for (n, to) in to.as_chunks_mut::<8>().0.iter_mut().enumerate() {
                *to = op!(_pdep_u64(bits >> (16 * n), 0x0303_0303_0303_0303)).to_le_bytes();
            }
            let both = bits & bits >> 1 & 0x5555_5555_5555_5555;
            // One bit for each byte that has any.
            let any = both | both >> 2 | both >> 4 | both >> 6;
            threes += (any & 0x0101_0101_0101_0101).count_ones();
        }
        threes
    }
    #[inline(always)]
    fn pack_digits(self, codes: &[u8; 256], to: &mut [u8; 52]) {
        self.digits_packed(codes, to);
    }
    #[inline(always)]
    fn unpack_digits(self, from: &[u8; 52], codes: &mut [u8; 256]) -> u32 {
        self.digits_unpacked(from, codes)
    }
}
