//! How a decoder walks a tensor: one packed block at a time, beside the elements it becomes.
//!
//! Both lengths are part of the types, so that a decoder's constant offsets are checked while compiling and only what
//! comes out of the block itself can index anything.

/// Each block of `BYTES` bytes with its `LEN` elements.
#[inline(always)]
pub(super) fn blocks<'a, const BYTES: usize, const LEN: usize>(
    bytes: &'a [u8],
    out: &'a mut [f32],
) -> impl Iterator<Item = (&'a [u8; BYTES], &'a mut [f32; LEN])> {
    debug_assert_eq!(bytes.len() * LEN, out.len() * BYTES);
    bytes.as_chunks::<BYTES>().0.iter().zip(out.as_chunks_mut::<LEN>().0)
}
