//! From one ternary format to another in registers: 256 codes stay two bits each on the way.
//!
//! Every format is read into the order of TQ2_0 and written from it. A group of 256 weights whose blocks agree in a finite
//! scale and hold no code 3 is *ordinary*; all else is left to the code by code way of `export::recode`.

use crate::engine::ternary::Format;

/// Weights of a group: a whole number of blocks of every format.
pub(super) const GROUP: usize = 256;

/// Halves of a group, 128 codes in 32 bytes, on some CPU. *Strided* is the order of TQ2_0: code m + 32n at bits 2n of byte m.
pub(super) trait Fields: Copy {
    /// 32 bytes.
    type H: Copy;

    fn load(self, from: &[u8; 32]) -> Self::H;
    fn load_two(self, low: &[u8; 16], high: &[u8; 16]) -> Self::H;
    fn store(self, x: Self::H, to: &mut [u8; 32]);
    fn store_two(self, x: Self::H, low: &mut [u8; 16], high: &mut [u8; 16]);
    /// Strided codes in order: code j at bits 2·(j mod 4) of byte j / 4.
    fn in_order(self, x: Self::H) -> Self::H;
    /// The inverse of `in_order`.
    fn strided(self, x: Self::H) -> Self::H;
    /// Each byte's four codes the other way round: the order of I2_S, and back.
    fn reversed(self, x: Self::H) -> Self::H;
    /// Whether any code is 3.
    fn has_three(self, x: [Self::H; 2]) -> bool;
    /// The digits of TQ1_0 as strided codes. Every byte has digits, also those that no writer produces.
    fn of_digits(self, from: &[u8; 52]) -> [Self::H; 2];
    /// Strided codes, none of them 3, as the digits of TQ1_0.
    fn to_digits(self, x: [Self::H; 2], to: &mut [u8; 52]);
}

/// How a group lies in the blocks of a format.
trait Side {
    /// Bytes of a group.
    const BYTES: usize;
    /// Strided codes and the scale, `one` where blocks have none. `None` where the group is not ordinary.
    fn read<F: Fields>(f: F, group: &[u8], one: u16) -> Option<([F::H; 2], u16)>;
    /// Writes an ordinary group.
    fn write<F: Fields>(f: F, group: ([F::H; 2], u16), to: &mut [u8]);
}

#[inline(always)]
fn part<const N: usize>(bytes: &[u8], at: usize) -> Option<&[u8; N]> {
    bytes.get(at..)?.first_chunk()
}

#[inline(always)]
fn finite(scale: u16) -> bool {
    scale & 0x7c00 != 0x7c00
}

#[inline(always)]
fn half(group: &[u8], at: usize) -> Option<u16> {
    part(group, at).map(|two| u16::from_le_bytes(*two))
}

#[inline(always)]
fn ordinary<F: Fields>(f: F, codes: [F::H; 2], scale: u16) -> Option<([F::H; 2], u16)> {
    (finite(scale) && !f.has_three(codes)).then_some((codes, scale))
}

/// TQ2_0.
struct Strided;
/// TQ1_0.
struct Digits;
/// I2_S: the tensor has the scale.
struct Reversed;
/// Q2_0 in as many blocks a group, the scale first.
struct Ordered<const BLOCKS: usize>;
/// T158: the scale last.
struct OrderedTail;

impl Side for Strided {
    const BYTES: usize = 66;
    #[inline(always)]
    fn read<F: Fields>(f: F, group: &[u8], _one: u16) -> Option<([F::H; 2], u16)> {
        ordinary(f, [f.load(part(group, 0)?), f.load(part(group, 32)?)], half(group, 64)?)
    }
    #[inline(always)]
    fn write<F: Fields>(f: F, (codes, scale): ([F::H; 2], u16), to: &mut [u8]) {
        let (halves, d) = to.split_at_mut(64);
        for (x, to) in codes.into_iter().zip(halves.as_chunks_mut().0) {
            f.store(x, to);
        }
        d.copy_from_slice(&scale.to_le_bytes());
    }
}

impl Side for Digits {
    const BYTES: usize = 54;
    #[inline(always)]
    fn read<F: Fields>(f: F, group: &[u8], _one: u16) -> Option<([F::H; 2], u16)> {
        let scale = half(group, 52)?;
        finite(scale).then_some((f.of_digits(part(group, 0)?), scale))
    }
    #[inline(always)]
    fn write<F: Fields>(f: F, (codes, scale): ([F::H; 2], u16), to: &mut [u8]) {
        if let Some((digits, d)) = to.split_first_chunk_mut() {
            f.to_digits(codes, digits);
            d.copy_from_slice(&scale.to_le_bytes());
        }
    }
}

impl Side for Reversed {
    const BYTES: usize = 64;
    #[inline(always)]
    fn read<F: Fields>(f: F, group: &[u8], one: u16) -> Option<([F::H; 2], u16)> {
        let codes = [f.reversed(f.load(part(group, 0)?)), f.reversed(f.load(part(group, 32)?))];
        ordinary(f, codes, one)
    }
    #[inline(always)]
    fn write<F: Fields>(f: F, (codes, _): ([F::H; 2], u16), to: &mut [u8]) {
        for (x, to) in codes.into_iter().zip(to.as_chunks_mut().0) {
            f.store(f.reversed(x), to);
        }
    }
}

impl<const BLOCKS: usize> Ordered<BLOCKS> {
    /// Bytes of a block.
    const BLOCK: usize = 2 + GROUP / 4 / BLOCKS;

    /// Where sixteen bytes of codes stand.
    const fn at(i: usize) -> usize {
        let in_block = 4 / BLOCKS;
        i / in_block * Self::BLOCK + 2 + 16 * (i % in_block)
    }
}

impl<const BLOCKS: usize> Side for Ordered<BLOCKS> {
    const BYTES: usize = BLOCKS * Self::BLOCK;
    #[inline(always)]
    fn read<F: Fields>(f: F, group: &[u8], _one: u16) -> Option<([F::H; 2], u16)> {
        let scale = half(group, 0)?;
        let mut differ = 0;
        for block in 1..BLOCKS {
            differ |= scale ^ half(group, block * Self::BLOCK)?;
        }
        if differ != 0 {
            return None;
        }
        let low = f.load_two(part(group, Self::at(0))?, part(group, Self::at(1))?);
        let high = f.load_two(part(group, Self::at(2))?, part(group, Self::at(3))?);
        ordinary(f, [f.strided(low), f.strided(high)], scale)
    }
    #[inline(always)]
    fn write<F: Fields>(f: F, (codes, scale): ([F::H; 2], u16), to: &mut [u8]) {
        let mut halves = [[0; 16]; 4];
        for (x, two) in codes.into_iter().zip(halves.as_chunks_mut::<2>().0) {
            let [low, high] = two;
            f.store_two(f.in_order(x), low, high);
        }
        for (i, codes) in halves.iter().enumerate() {
            to[Self::at(i)..Self::at(i) + 16].copy_from_slice(codes);
        }
        for block in to.chunks_exact_mut(Self::BLOCK) {
            block[..2].copy_from_slice(&scale.to_le_bytes());
        }
    }
}

impl Side for OrderedTail {
    const BYTES: usize = 66;
    #[inline(always)]
    fn read<F: Fields>(f: F, group: &[u8], _one: u16) -> Option<([F::H; 2], u16)> {
        let (low, high) = (f.load(part(group, 0)?), f.load(part(group, 32)?));
        ordinary(f, [f.strided(low), f.strided(high)], half(group, 64)?)
    }
    #[inline(always)]
    fn write<F: Fields>(f: F, (codes, scale): ([F::H; 2], u16), to: &mut [u8]) {
        let (halves, d) = to.split_at_mut(64);
        for (x, to) in codes.into_iter().zip(halves.as_chunks_mut().0) {
            f.store(f.in_order(x), to);
        }
        d.copy_from_slice(&scale.to_le_bytes());
    }
}

/// Calls a function of the side of a format, or gives 0 where it has none.
macro_rules! with_side {
    ($format:expr, $function:ident::<$($kind:ty),+>($($argument:expr),*)) => {
        match $format {
            Format::Tq2_0 => $function::<$($kind),+, Strided>($($argument),*),
            Format::Tq1_0 => $function::<$($kind),+, Digits>($($argument),*),
            Format::Q2_0 => $function::<$($kind),+, Ordered<4>>($($argument),*),
            Format::Q2_0G128 => $function::<$($kind),+, Ordered<2>>($($argument),*),
            Format::T158 => $function::<$($kind),+, OrderedTail>($($argument),*),
            Format::I2S => $function::<$($kind),+, Reversed>($($argument),*),
            Format::I2SArm | Format::Iq1S => 0,
        }
    };
}

/// Moves whole groups from the front of `blocks` to `out` until one is not ordinary; returns how many. Blocks of `from` that
/// have no scales have the scale `one`.
#[inline(always)]
pub(super) fn repack<F: Fields>(
    f: F,
    (from, to): (Format, Format),
    (blocks, one): (&[u8], u16),
    out: &mut [u8],
) -> usize {
    with_side!(from, repack_from::<F>(f, to, (blocks, one), out))
}

#[inline(always)]
fn repack_from<F: Fields, A: Side>(f: F, to: Format, blocks: (&[u8], u16), out: &mut [u8]) -> usize {
    with_side!(to, between::<F, A>(f, blocks, out))
}

#[inline(always)]
fn between<F: Fields, A: Side, B: Side>(f: F, (blocks, one): (&[u8], u16), out: &mut [u8]) -> usize {
    let mut moved = 0;
    for (group, to) in blocks.chunks_exact(A::BYTES).zip(out.chunks_exact_mut(B::BYTES)) {
        let Some(read) = A::read(f, group, one) else { break };
        B::write(f, read, to);
        moved += 1;
    }
    moved
}

/// How many groups from the front of `blocks` are ordinary, with the scale `only` where one is asked for.
#[inline(always)]
pub(super) fn ordinary_groups<F: Fields>(f: F, from: Format, blocks: &[u8], only: Option<u16>) -> usize {
    with_side!(from, ordinary_of::<F>(f, blocks, only))
}

#[inline(always)]
fn ordinary_of<F: Fields, A: Side>(f: F, blocks: &[u8], only: Option<u16>) -> usize {
    let fits = |group: &&[u8]| A::read(f, group, 0).is_some_and(|(_, scale)| only.is_none_or(|only| only == scale));
    blocks.chunks_exact(A::BYTES).take_while(fits).count()
}
