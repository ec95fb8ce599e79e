//! NEON, which every 64-bit ARM CPU has: sixteen lanes in four registers, masks as lanes of all ones.

use std::arch::aarch64::*;
use std::arch::asm;

use half::f16;

use super::codes::{self, Found};
use super::lanes::{Brain, Half, Lanes, Single, Source};
use super::{Powers, Regard, Task, Weights, quantize};
use crate::engine::stats::BlockStats;
use crate::engine::ternary::Format;

/// Proof that the CPU has NEON.
#[derive(Clone, Copy)]
pub(super) struct Neon(());

/// Evaluates intrinsics inside a method of a value of [`Neon`].
macro_rules! op {
    ($e:expr) => {
        // SAFETY: `self` is a `Neon`, which exists only where the CPU was asked for these instructions; what is read or
        // written through a pointer is an array borrowed for as long as the intrinsic says.
        unsafe { $e }
    };
}

impl Neon {
    pub(super) fn detect() -> Option<Self> {
        std::arch::is_aarch64_feature_detected!("neon").then_some(Self(()))
    }

    pub(super) fn blocks(self, task: Task, weights: Weights<'_>, out: &mut [u8], stats: &mut BlockStats) -> usize {
        fn of<S: Source>(l: Neon, task: Task, w: &[S::Raw], out: &mut [u8], stats: &mut BlockStats) -> usize {
            match task.format.block_len() {
                256 => quantize::blocks::<Neon, S, 16, 4>(l, task, w, out, stats),
                128 => quantize::blocks::<Neon, S, 8, 4>(l, task, w, out, stats),
                64 => quantize::blocks::<Neon, S, 4, 8>(l, task, w, out, stats),
                _ => 0,
            }
        }
        match weights {
            Weights::F16(w) => of::<Half>(self, task, w, out, stats),
            Weights::BF16(w) => of::<Brain>(self, task, w, out, stats),
            Weights::F32(w) => of::<Single>(self, task, w, out, stats),
        }
    }

    pub(super) fn weighted(
        self,
        task: (Task, bool),
        (weights, regard): (Weights<'_>, Regard<'_>),
        out: &mut [u8],
        stats: &mut BlockStats,
    ) -> usize {
        fn of<S: Source>(
            l: Neon,
            task: (Task, bool),
            w: (&[S::Raw], Regard<'_>),
            out: &mut [u8],
            stats: &mut BlockStats,
        ) -> usize {
            match task.0.format.block_len() {
                256 => quantize::weighted_blocks::<Neon, S, 16, 2>(l, task, w, out, stats),
                128 => quantize::weighted_blocks::<Neon, S, 8, 4>(l, task, w, out, stats),
                64 => quantize::weighted_blocks::<Neon, S, 4, 4>(l, task, w, out, stats),
                _ => 0,
            }
        }
        match weights {
            Weights::F16(w) => of::<Half>(self, task, (w, regard), out, stats),
            Weights::BF16(w) => of::<Brain>(self, task, (w, regard), out, stats),
            Weights::F32(w) => of::<Single>(self, task, (w, regard), out, stats),
        }
    }

    pub(super) fn powers(self, weights: Weights<'_>) -> Powers {
        match weights {
            Weights::F16(w) => super::powers::over::<Neon, Half>(self, w),
            Weights::BF16(w) => super::powers::over::<Neon, Brain>(self, w),
            Weights::F32(w) => super::powers::over::<Neon, Single>(self, w),
        }
    }

    pub(super) fn pack(self, format: Format, codes: &[u8], scales: &[u16], out: &mut [u8]) {
        codes::pack_blocks(self, format, codes, scales, out);
    }

    pub(super) fn unpack(self, format: Format, blocks: &[u8], codes: &mut [u8], found: &mut Found<'_>) {
        codes::unpack_blocks(self, format, blocks, codes, found);
    }

    /// Four f16 as f32.
    #[inline(always)]
    fn half(self, bits: uint16x4_t) -> float32x4_t {
        let wide: float32x4_t;
        // The intrinsic's type of four f16 is not in the oldest Rust that this crate is built with.
        op!(asm!("fcvtl {0:v}.4s, {1:v}.4h", out(vreg) wide, in(vreg) bits, options(pure, nomem, nostack)));
        wide
    }

    /// Sixteen masks as bytes.
    #[inline(always)]
    fn narrow(self, m: [uint32x4_t; 4]) -> uint8x16_t {
        op!({
            let low = vcombine_u16(vmovn_u32(m[0]), vmovn_u32(m[1]));
            let high = vcombine_u16(vmovn_u32(m[2]), vmovn_u32(m[3]));
            vcombine_u8(vmovn_u16(low), vmovn_u16(high))
        })
    }

    /// How many bytes of a mask are set.
    #[inline(always)]
    fn count(self, m: uint8x16_t) -> u32 {
        op!(u32::from(vaddvq_u8(vandq_u8(m, vdupq_n_u8(1)))))
    }

    /// ⌈256v/243⌉ of numbers up to 242: v + ⌈13v/243⌉, and x/243 is 270x/2¹⁶ for what 13v + 242 can be.
    #[inline(always)]
    pub(super) fn fractions(self, v: uint8x16_t) -> uint8x16_t {
        op!({
            let (low, high) = (vmovl_u8(vget_low_u8(v)), vmovl_u8(vget_high_u8(v)));
            vcombine_u8(vmovn_u16(self.fraction(low)), vmovn_u16(self.fraction(high)))
        })
    }

    #[inline(always)]
    fn fraction(self, v: uint16x8_t) -> uint16x8_t {
        op!({
            let x = vmlaq_n_u16(vdupq_n_u16(242), v, 13);
            let low = vshrn_n_u32::<16>(vmull_n_u16(vget_low_u16(x), 270));
            let high = vshrn_n_u32::<16>(vmull_n_u16(vget_high_u16(x), 270));
            vaddq_u16(v, vcombine_u16(low, high))
        })
    }

    /// 3v + digit.
    #[inline(always)]
    pub(super) fn append(self, v: uint8x16_t, digit: uint8x16_t) -> uint8x16_t {
        op!(vaddq_u8(vaddq_u8(v, v), vaddq_u8(v, digit)))
    }

    /// The next digits of fractions r/256, ⌊3r/256⌋, and what is left of them.
    #[inline(always)]
    pub(super) fn digit(self, rest: uint8x16_t) -> (uint8x16_t, uint8x16_t) {
        op!({
            // All ones where 3r reaches 256, and 512.
            let (one, two) = (vcgeq_u8(rest, vdupq_n_u8(86)), vcgeq_u8(rest, vdupq_n_u8(171)));
            let digit = vsubq_u8(vdupq_n_u8(0), vaddq_u8(one, two));
            (digit, vaddq_u8(vaddq_u8(rest, rest), rest))
        })
    }

    /// Digits of up to sixteen bytes, `stride` apart in `codes`; returns how many bytes no writer produces. With four digits
    /// the fifth is to be zero.
    #[inline(always)]
    fn unpack_run(self, from: &[u8], digits: usize, codes: &mut [u8]) -> u32 {
        let stride = from.len();
        let mut bytes = [0u8; 16];
        bytes[..stride].copy_from_slice(from);
        op!({
            let all = vld1q_u8(bytes.as_ptr());
            let (mut rest, mut value) = (all, vdupq_n_u8(0));
            for n in 0..5 {
                let mut digit;
                (digit, rest) = self.digit(rest);
                if n < digits {
                    vst1q_u8(bytes.as_mut_ptr(), digit);
                    codes[stride * n..stride * (n + 1)].copy_from_slice(&bytes[..stride]);
                } else {
                    digit = vdupq_n_u8(0);
                }
                value = self.append(value, digit);
            }
            // What stands behind the bytes of a short run is zero, which is legal.
            16 - self.count(vceqq_u8(self.fractions(value), all))
        })
    }

    #[inline(always)]
    fn pack_run(self, codes: &[u8], digits: usize, to: &mut [u8]) {
        let stride = to.len();
        let mut bytes = [0u8; 16];
        op!({
            let mut value = vdupq_n_u8(0);
            for n in 0..5 {
                bytes.fill(0);
                if n < digits {
                    bytes[..stride].copy_from_slice(&codes[stride * n..stride * (n + 1)]);
                }
                value = self.append(value, vld1q_u8(bytes.as_ptr()));
            }
            vst1q_u8(bytes.as_mut_ptr(), self.fractions(value));
        });
        to.copy_from_slice(&bytes[..stride]);
    }
}

/// The same in each of some registers.
macro_rules! each {
    ($n:literal, $i:ident => $e:expr) => {{
        let lane = |$i: usize| op!($e);
        std::array::from_fn::<_, $n, _>(lane)
    }};
}

impl Lanes for Neon {
    type V = [float32x4_t; 4];
    type W = [float64x2_t; 8];
    type M = [uint32x4_t; 4];
    type Signs = [uint8x16_t; 4];

    #[inline(always)]
    fn splat(self, x: f32) -> Self::V {
        each!(4, _i => vdupq_n_f32(x))
    }
    #[inline(always)]
    fn singles(self, from: &[f32; 16]) -> Self::V {
        each!(4, i => vld1q_f32(from[4 * i..4 * i + 4].as_ptr()))
    }
    #[inline(always)]
    fn halves(self, from: &[[u8; 2]; 16]) -> Self::V {
        each!(4, i => self.half(vreinterpret_u16_u8(vld1_u8(from[4 * i..4 * i + 4].as_ptr().cast()))))
    }
    #[inline(always)]
    fn brains(self, from: &[[u8; 2]; 16]) -> Self::V {
        each!(4, i => {
            let bits = vreinterpret_u16_u8(vld1_u8(from[4 * i..4 * i + 4].as_ptr().cast()));
            vreinterpretq_f32_u32(vshlq_n_u32::<16>(vmovl_u16(bits)))
        })
    }
    #[inline(always)]
    fn store(self, x: Self::V, to: &mut [f32; 16]) {
        for (to, x) in to.as_chunks_mut::<4>().0.iter_mut().zip(x) {
            op!(vst1q_f32(to.as_mut_ptr(), x));
        }
    }

    #[inline(always)]
    fn abs(self, x: Self::V) -> Self::V {
        each!(4, i => vabsq_f32(x[i]))
    }
    #[inline(always)]
    fn add(self, a: Self::V, b: Self::V) -> Self::V {
        each!(4, i => vaddq_f32(a[i], b[i]))
    }
    #[inline(always)]
    fn sub(self, a: Self::V, b: Self::V) -> Self::V {
        each!(4, i => vsubq_f32(a[i], b[i]))
    }
    #[inline(always)]
    fn mul(self, a: Self::V, b: Self::V) -> Self::V {
        each!(4, i => vmulq_f32(a[i], b[i]))
    }
    #[inline(always)]
    fn mul_add(self, a: Self::V, b: Self::V, c: Self::V) -> Self::V {
        each!(4, i => vfmaq_f32(c[i], a[i], b[i]))
    }
    #[inline(always)]
    fn div(self, a: Self::V, b: Self::V) -> Self::V {
        each!(4, i => vdivq_f32(a[i], b[i]))
    }
    #[inline(always)]
    fn sqrt(self, x: Self::V) -> Self::V {
        each!(4, i => vsqrtq_f32(x[i]))
    }
    #[inline(always)]
    fn max(self, a: Self::V, b: Self::V) -> Self::V {
        each!(4, i => vmaxnmq_f32(a[i], b[i]))
    }
    #[inline(always)]
    fn min(self, a: Self::V, b: Self::V) -> Self::V {
        each!(4, i => vminnmq_f32(a[i], b[i]))
    }
    #[inline(always)]
    fn above(self, a: Self::V, b: Self::V) -> Self::M {
        each!(4, i => vcgtq_f32(a[i], b[i]))
    }
    #[inline(always)]
    fn at_least(self, a: Self::V, b: Self::V) -> Self::M {
        each!(4, i => vcgeq_f32(a[i], b[i]))
    }
    #[inline(always)]
    fn without(self, m: Self::M, out: Self::M) -> Self::M {
        each!(4, i => vbicq_u32(m[i], out[i]))
    }
    #[inline(always)]
    fn at_least_of(self, m: Self::M, a: Self::V, b: Self::V) -> Self::M {
        each!(4, i => vandq_u32(m[i], vcgeq_f32(a[i], b[i])))
    }
    #[inline(always)]
    fn add_where(self, sum: Self::V, m: Self::M, x: Self::V) -> Self::V {
        each!(4, i => vaddq_f32(sum[i], vreinterpretq_f32_u32(vandq_u32(m[i], vreinterpretq_u32_f32(x[i])))))
    }
    #[inline(always)]
    fn sub_where(self, a: Self::V, m: Self::M, x: Self::V) -> Self::V {
        each!(4, i => vsubq_f32(a[i], vreinterpretq_f32_u32(vandq_u32(m[i], vreinterpretq_u32_f32(x[i])))))
    }
    #[inline(always)]
    fn choose(self, m: Self::M, a: Self::V, b: Self::V) -> Self::V {
        each!(4, i => vbslq_f32(m[i], a[i], b[i]))
    }
    #[inline(always)]
    fn bits(self, m: Self::M) -> u32 {
        let places = [1u32, 2, 4, 8];
        let four = each!(4, i => vaddvq_u32(vandq_u32(m[i], vld1q_u32(places.as_ptr()))));
        four[0] | four[1] << 4 | four[2] << 8 | four[3] << 12
    }

    #[inline(always)]
    fn wide_splat(self, x: f64) -> Self::W {
        each!(8, _i => vdupq_n_f64(x))
    }
    #[inline(always)]
    fn wide(self, x: Self::V) -> Self::W {
        each!(8, i => {
            if i % 2 == 0 { vcvt_f64_f32(vget_low_f32(x[i / 2])) } else { vcvt_high_f64_f32(x[i / 2]) }
        })
    }
    #[inline(always)]
    fn wide_add(self, a: Self::W, b: Self::W) -> Self::W {
        each!(8, i => vaddq_f64(a[i], b[i]))
    }
    #[inline(always)]
    fn wide_mul(self, a: Self::W, b: Self::W) -> Self::W {
        each!(8, i => vmulq_f64(a[i], b[i]))
    }
    #[inline(always)]
    fn wide_add_where(self, sum: Self::W, m: Self::M, x: Self::V) -> Self::W {
        let kept = each!(4, i => vreinterpretq_f32_u32(vandq_u32(m[i], vreinterpretq_u32_f32(x[i]))));
        self.wide_add(sum, self.wide(kept))
    }

    #[inline(always)]
    fn total(self, x: Self::V) -> f32 {
        op!({
            let four = vaddq_f32(vaddq_f32(x[0], x[2]), vaddq_f32(x[1], x[3]));
            let two = vadd_f32(vget_low_f32(four), vget_high_f32(four));
            vget_lane_f32::<0>(two) + vget_lane_f32::<1>(two)
        })
    }
    #[inline(always)]
    fn wide_total(self, x: Self::V) -> f64 {
        self.total_of_wide(self.wide(x))
    }
    #[inline(always)]
    fn total_of_wide(self, x: Self::W) -> f64 {
        let eight = each!(4, i => vaddq_f64(x[i], x[i + 4]));
        op!({
            let two = vaddq_f64(vaddq_f64(eight[0], eight[2]), vaddq_f64(eight[1], eight[3]));
            vgetq_lane_f64::<0>(two) + vgetq_lane_f64::<1>(two)
        })
    }
    #[inline(always)]
    fn greatest(self, x: Self::V) -> f32 {
        op!(vmaxnmvq_f32(vmaxnmq_f32(vmaxnmq_f32(x[0], x[1]), vmaxnmq_f32(x[2], x[3]))))
    }

    #[inline(always)]
    fn eights(self, a: f32, b: f32) -> Self::V {
        each!(4, i => vdupq_n_f32(if i < 2 { a } else { b }))
    }
    #[inline(always)]
    fn next(self, x: Self::V) -> Self::V {
        each!(4, i => {
            let after = if i % 2 == 0 { x[i + 1] } else { vdupq_laneq_f32::<3>(x[i]) };
            vextq_f32::<1>(x[i], after)
        })
    }
    #[inline(always)]
    fn totals(self, of: [[Self::V; 8]; 2]) -> Self::V {
        op!({
            let mut totals = [vdupq_n_f32(0.0); 4];
            for i in 0..4 {
                let mut four = [vdupq_n_f32(0.0); 4];
                for n in 0..4 {
                    let x = of[i / 2][4 * (i % 2) + n];
                    four[n] = vaddq_f32(vaddq_f32(x[0], x[1]), vaddq_f32(x[2], x[3]));
                }
                totals[i] = vpaddq_f32(vpaddq_f32(four[0], four[1]), vpaddq_f32(four[2], four[3]));
            }
            totals
        })
    }
    #[inline(always)]
    fn greatest_of_eights(self, x: Self::V) -> Self::V {
        each!(4, i => vdupq_n_f32(vmaxnmvq_f32(vmaxnmq_f32(x[i & 2], x[(i & 2) + 1]))))
    }
    #[inline(always)]
    fn crest(self, x: Self::V) -> Self::V {
        self.splat(self.greatest(x))
    }
    #[inline(always)]
    fn firsts(self, x: Self::V) -> [f32; 2] {
        op!([vgetq_lane_f32::<0>(x[0]), vgetq_lane_f32::<0>(x[2])])
    }

    #[inline(always)]
    fn compress(self, m: Self::M, x: Self::V, to: &mut [f32; 16]) {
        let (mut lanes, bits) = ([0.0; 16], self.bits(m));
        self.store(x, &mut lanes);
        let mut at = 0;
        for (i, lane) in lanes.into_iter().enumerate() {
            to[at & 15] = lane;
            at += (bits >> i & 1) as usize;
        }
    }

    #[inline(always)]
    fn to_half(self, x: f32) -> u16 {
        f16::from_f32(x).to_bits()
    }
    #[inline(always)]
    fn of_half(self, bits: u16) -> f32 {
        f16::from_bits(bits).to_f32()
    }

    #[inline(always)]
    fn signs_of_pairs(self, from: &[[[u8; 2]; 16]; 4]) -> Self::Signs {
        each!(4, i => {
            let at: *const u8 = from[i].as_ptr().cast();
            let upper = vuzp2q_u8(vld1q_u8(at), vld1q_u8(at.add(16)));
            vcltzq_s8(vreinterpretq_s8_u8(upper))
        })
    }
    #[inline(always)]
    fn signs_of_singles(self, from: &[[f32; 16]; 4]) -> Self::Signs {
        each!(4, i => {
            let x = self.singles(&from[i]);
            self.narrow([
                vcltzq_s32(vreinterpretq_s32_f32(x[0])),
                vcltzq_s32(vreinterpretq_s32_f32(x[1])),
                vcltzq_s32(vreinterpretq_s32_f32(x[2])),
                vcltzq_s32(vreinterpretq_s32_f32(x[3])),
            ])
        })
    }
    #[inline(always)]
    fn codes(self, signs: Self::Signs, kept: [Self::M; 4], to: &mut [u8; 64]) -> u32 {
        let mut zeros = 64;
        for ((signs, kept), to) in signs.into_iter().zip(kept).zip(to.as_chunks_mut::<16>().0) {
            let kept = self.narrow(kept);
            op!({
                let one = vdupq_n_u8(1);
                vst1q_u8(to.as_mut_ptr(), vaddq_u8(vandq_u8(kept, vorrq_u8(signs, one)), one));
            });
            zeros -= self.count(kept);
        }
        zeros
    }

    #[inline(always)]
    fn pack_strided<const REVERSED: bool>(self, codes: &[u8; 128], to: &mut [u8; 32]) {
        for (m, to) in to.as_chunks_mut::<16>().0.iter_mut().enumerate() {
            op!({
                let mut packed = vdupq_n_u8(0);
                for n in 0..4 {
                    let at = 32 * if REVERSED { n } else { 3 - n } + 16 * m;
                    packed = vorrq_u8(vshlq_n_u8::<2>(packed), vld1q_u8(codes[at..at + 16].as_ptr()));
                }
                vst1q_u8(to.as_mut_ptr(), packed);
            });
        }
    }
    #[inline(always)]
    fn pack_strided_16(self, codes: &[u8; 64], to: &mut [u8; 16]) {
        op!({
            let mut packed = vdupq_n_u8(0);
            for codes in codes.as_chunks::<16>().0 {
                packed = vorrq_u8(vshlq_n_u8::<2>(packed), vld1q_u8(codes.as_ptr()));
            }
            vst1q_u8(to.as_mut_ptr(), packed);
        });
    }
    #[inline(always)]
    fn pack_in_order(self, codes: &[u8; 64], to: &mut [u8; 16]) {
        op!({
            // Every fourth code beside each other.
            let uint8x16x4_t(a, b, c, d) = vld4q_u8(codes.as_ptr());
            let low = vorrq_u8(a, vshlq_n_u8::<2>(b));
            vst1q_u8(to.as_mut_ptr(), vorrq_u8(low, vorrq_u8(vshlq_n_u8::<4>(c), vshlq_n_u8::<6>(d))));
        });
    }
    #[inline(always)]
    fn pack_digits(self, codes: &[u8; 256], to: &mut [u8; 52]) {
        // A run of 32 bytes is two of sixteen, whose digits are 32 apart.
        let mut half = [0u8; 80];
        for m in 0..2 {
            for (n, five) in half.as_chunks_mut::<16>().0.iter_mut().enumerate() {
                five.copy_from_slice(&codes[32 * n + 16 * m..][..16]);
            }
            self.pack_run(&half, 5, &mut to[16 * m..16 * m + 16]);
        }
        self.pack_run(&codes[160..240], 5, &mut to[32..48]);
        self.pack_run(&codes[240..], 4, &mut to[48..]);
    }
    #[inline(always)]
    fn unpack_strided(self, from: &[u8; 32], codes: &mut [u8; 128]) -> u32 {
        let mut threes = 0;
        for (m, from) in from.as_chunks::<16>().0.iter().enumerate() {
            op!({
                let (x, three) = (vld1q_u8(from.as_ptr()), vdupq_n_u8(3));
                let runs = [x, vshrq_n_u8::<2>(x), vshrq_n_u8::<4>(x), vshrq_n_u8::<6>(x)];
                for (n, run) in runs.into_iter().enumerate() {
                    let to = &mut codes[32 * n + 16 * m..][..16];
                    vst1q_u8(to.as_mut_ptr(), vandq_u8(run, three));
                }
                threes += self.count(vtstq_u8(vandq_u8(x, vshrq_n_u8::<1>(x)), vdupq_n_u8(0x55)));
            });
        }
        threes
    }
    #[inline(always)]
    fn unpack_in_order(self, from: &[u8; 16], codes: &mut [u8; 64]) -> u32 {
        op!({
            let (x, three) = (vld1q_u8(from.as_ptr()), vdupq_n_u8(3));
            let runs = uint8x16x4_t(
                vandq_u8(x, three),
                vandq_u8(vshrq_n_u8::<2>(x), three),
                vandq_u8(vshrq_n_u8::<4>(x), three),
                vshrq_n_u8::<6>(x),
            );
            vst4q_u8(codes.as_mut_ptr(), runs);
            self.count(vtstq_u8(vandq_u8(x, vshrq_n_u8::<1>(x)), vdupq_n_u8(0x55)))
        })
    }
    #[inline(always)]
    fn unpack_digits(self, from: &[u8; 52], codes: &mut [u8; 256]) -> u32 {
        let (mut half, mut illegal) = ([0u8; 80], 0);
        for m in 0..2 {
            illegal += self.unpack_run(&from[16 * m..16 * m + 16], 5, &mut half);
            for (n, five) in half.as_chunks::<16>().0.iter().enumerate() {
                codes[32 * n + 16 * m..][..16].copy_from_slice(five);
            }
        }
        illegal += self.unpack_run(&from[32..48], 5, &mut codes[160..240]);
        illegal + self.unpack_run(&from[48..], 4, &mut codes[240..])
    }
}
