//! What a kernel needs of a CPU: sixteen f32 at a time, masks, and a few ways to pack.
//!
//! The algorithms (`quantize`, `support`) are written once over [`Lanes`]; a kernel is an implementation of it. Its value is
//! the proof that the CPU has the instructions: it is made only after asking.

/// Codes (trit + 1) of a block, in order; shorter blocks leave the rest as it was.
#[repr(align(64))]
pub(super) struct Codes(pub [u8; 256]);

/// Sixteen lanes of f32 on some CPU.
pub(super) trait Lanes: Copy {
    /// Sixteen f32.
    type V: Copy;
    /// Sixteen f64.
    type W: Copy;
    /// Which of sixteen.
    type M: Copy;
    /// Which of 64 weights are negative.
    type Signs: Copy;

    /// Asks for what is so many values further on, which may be behind the end: it will be wanted soon.
    #[inline(always)]
    fn ahead<T>(self, _from: &T, _by: usize) {}

    fn splat(self, x: f32) -> Self::V;
    fn singles(self, from: &[f32; 16]) -> Self::V;
    /// From f16 bits, little-endian.
    fn halves(self, from: &[[u8; 2]; 16]) -> Self::V;
    /// From bf16 bits, little-endian.
    fn brains(self, from: &[[u8; 2]; 16]) -> Self::V;

    fn abs(self, x: Self::V) -> Self::V;
    fn add(self, a: Self::V, b: Self::V) -> Self::V;
    fn sub(self, a: Self::V, b: Self::V) -> Self::V;
    fn mul(self, a: Self::V, b: Self::V) -> Self::V;
    /// a·b + c, rounded once.
    fn mul_add(self, a: Self::V, b: Self::V, c: Self::V) -> Self::V;
    fn div(self, a: Self::V, b: Self::V) -> Self::V;
    fn sqrt(self, x: Self::V) -> Self::V;
    /// The greater; of NaN anything.
    fn max(self, a: Self::V, b: Self::V) -> Self::V;
    /// The lesser; of NaN anything.
    fn min(self, a: Self::V, b: Self::V) -> Self::V;
    /// Where a > b.
    fn above(self, a: Self::V, b: Self::V) -> Self::M;
    /// Where a ≥ b.
    fn at_least(self, a: Self::V, b: Self::V) -> Self::M;
    /// Lanes of `m` that are not in `out`.
    fn without(self, m: Self::M, out: Self::M) -> Self::M;
    /// Lanes of `m` where a ≥ b.
    fn at_least_of(self, m: Self::M, a: Self::V, b: Self::V) -> Self::M;
    /// `sum + x` where `m`, else `sum`, which is not −0.
    fn add_where(self, sum: Self::V, m: Self::M, x: Self::V) -> Self::V;
    /// `a − x` where `m`, else `a`.
    fn sub_where(self, a: Self::V, m: Self::M, x: Self::V) -> Self::V;
    /// `a` where `m`, else `b`.
    fn choose(self, m: Self::M, a: Self::V, b: Self::V) -> Self::V;
    /// Lane l as bit l.
    fn bits(self, m: Self::M) -> u32;
    /// How many lanes.
    #[inline(always)]
    fn many(self, m: Self::M) -> usize {
        self.bits(m).count_ones() as usize
    }

    fn store(self, x: Self::V, to: &mut [f32; 16]);

    fn wide_splat(self, x: f64) -> Self::W;
    fn wide(self, x: Self::V) -> Self::W;
    fn wide_add(self, a: Self::W, b: Self::W) -> Self::W;
    fn wide_mul(self, a: Self::W, b: Self::W) -> Self::W;
    /// Adds x, widened, where `m`.
    fn wide_add_where(self, sum: Self::W, m: Self::M, x: Self::V) -> Self::W;

    /// Adds lanes l and l + 8, then l and l + 4, l + 2, l + 1.
    fn total(self, x: Self::V) -> f32;
    /// The same in f64.
    fn wide_total(self, x: Self::V) -> f64;
    /// The same of what is f64 already.
    fn total_of_wide(self, x: Self::W) -> f64;
    /// The greatest lane.
    fn greatest(self, x: Self::V) -> f32;

    /// `a` in the first eight lanes, `b` in the others.
    fn eights(self, a: f32, b: f32) -> Self::V;
    /// Lane l + 1 in lane l; the last of each eight stays.
    fn next(self, x: Self::V) -> Self::V;
    /// The sum of the lanes of each of sixteen, in any order.
    fn totals(self, of: [[Self::V; 8]; 2]) -> Self::V;
    /// The greatest lane of each eight, in all of the eight.
    fn greatest_of_eights(self, x: Self::V) -> Self::V;
    /// The greatest lane of all, in all.
    fn crest(self, x: Self::V) -> Self::V;
    /// The first lane of each eight.
    fn firsts(self, x: Self::V) -> [f32; 2];

    /// Writes the lanes of `m` one after the other to the front of `to`, whose rest is not kept.
    fn compress(self, m: Self::M, x: Self::V, to: &mut [f32; 16]);

    /// What lies at the places whose bits the lanes hold, each modulo 16·N, a power of two.
    #[inline(always)]
    fn gather<const N: usize>(self, from: &[[f32; 16]; N], places: Self::V) -> Self::V {
        let (from, mut lanes) = (from.as_flattened(), [0.0; 16]);
        self.store(places, &mut lanes);
        for lane in &mut lanes {
            *lane = from[lane.to_bits() as usize & (16 * N - 1)];
        }
        self.singles(&lanes)
    }

    /// f16 bits, rounded to even.
    fn to_half(self, x: f32) -> u16;
    fn of_half(self, bits: u16) -> f32;

    /// Signs of 64 weights of two bytes whose highest bit is the sign, little-endian.
    fn signs_of_pairs(self, from: &[[[u8; 2]; 16]; 4]) -> Self::Signs;
    fn signs_of_singles(self, from: &[[f32; 16]; 4]) -> Self::Signs;
    /// Codes of 64 weights that are kept where `kept`; returns how many are zero.
    fn codes(self, signs: Self::Signs, kept: [Self::M; 4], to: &mut [u8; 64]) -> u32;

    /// 128 codes to 32 bytes: code m + 32n at bits 2n of byte m (TQ2_0), or at bits 6 − 2n if `REVERSED` (I2_S).
    fn pack_strided<const REVERSED: bool>(self, codes: &[u8; 128], to: &mut [u8; 32]);
    /// 64 codes to 16 bytes: code m + 16n at bits 6 − 2n of byte m (I2_S of ARM).
    fn pack_strided_16(self, codes: &[u8; 64], to: &mut [u8; 16]);
    /// 64 codes to 16 bytes: code j at bits 2·(j mod 4) of byte j / 4.
    fn pack_in_order(self, codes: &[u8; 64], to: &mut [u8; 16]);
    /// 256 codes to the 52 bytes of base-3 digits of TQ1_0.
    fn pack_digits(self, codes: &[u8; 256], to: &mut [u8; 52]);
    /// The inverse of `pack_strided::<false>`; returns how many bytes hold a code 3.
    fn unpack_strided(self, from: &[u8; 32], codes: &mut [u8; 128]) -> u32;
    /// The inverse of `pack_in_order`; returns how many bytes hold a code 3.
    fn unpack_in_order(self, from: &[u8; 16], codes: &mut [u8; 64]) -> u32;
    /// The inverse of `pack_digits`; returns how many bytes it does not produce.
    fn unpack_digits(self, from: &[u8; 52], codes: &mut [u8; 256]) -> u32;
}

/// A type that weights have in a file.
pub(super) trait Source {
    /// One weight.
    type Raw: Copy;
    /// Whether sums of some hundred magnitudes that differ by no more than [`SPAN`] are exact in f32.
    const SHORT: bool;
    /// Loads sixteen.
    fn load<L: Lanes>(l: L, from: &[Self::Raw; 16]) -> L::V;
    /// Signs of 64.
    fn signs<L: Lanes>(l: L, from: &[[Self::Raw; 16]; 4]) -> L::Signs;
}

/// See [`Source::SHORT`]. Of f16 with 11 significant bits, the least 2⁻⁸ of the greatest, sixteen add up within 11 + 8 + 4 =
/// 23 bits.
pub(super) const SPAN: f32 = 256.0;

/// F16.
pub(super) struct Half;
/// BF16.
pub(super) struct Brain;
/// F32.
pub(super) struct Single;

impl Source for Half {
    type Raw = [u8; 2];
    const SHORT: bool = true;
    #[inline(always)]
    fn load<L: Lanes>(l: L, from: &[[u8; 2]; 16]) -> L::V {
        l.halves(from)
    }
    #[inline(always)]
    fn signs<L: Lanes>(l: L, from: &[[[u8; 2]; 16]; 4]) -> L::Signs {
        l.signs_of_pairs(from)
    }
}

impl Source for Brain {
    type Raw = [u8; 2];
    const SHORT: bool = true;
    #[inline(always)]
    fn load<L: Lanes>(l: L, from: &[[u8; 2]; 16]) -> L::V {
        l.brains(from)
    }
    #[inline(always)]
    fn signs<L: Lanes>(l: L, from: &[[[u8; 2]; 16]; 4]) -> L::Signs {
        l.signs_of_pairs(from)
    }
}

impl Source for Single {
    type Raw = f32;
    const SHORT: bool = false;
    #[inline(always)]
    fn load<L: Lanes>(l: L, from: &[f32; 16]) -> L::V {
        l.singles(from)
    }
    #[inline(always)]
    fn signs<L: Lanes>(l: L, from: &[[f32; 16]; 4]) -> L::Signs {
        l.signs_of_singles(from)
    }
}
