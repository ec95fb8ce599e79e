//! How a decoder walks a tensor: one packed block at a time, beside the elements it becomes.
//!
//! Both lengths are part of the types, so that a decoder's constant offsets are checked while compiling and only what
//! comes out of the block itself can index anything.

/// Calls `decode` for each block of `BYTES` bytes and its `LEN` elements.
#[inline]
pub(super) fn blocks<const BYTES: usize, const LEN: usize>(
    bytes: &[u8],
    out: &mut [f32],
    decode: impl Fn(&[u8; BYTES], &mut [f32; LEN]),
) {
    debug_assert_eq!(bytes.len() * LEN, out.len() * BYTES);
    for (block, y) in bytes.as_chunks::<BYTES>().0.iter().zip(out.as_chunks_mut::<LEN>().0) {
        decode(block, y);
    }
}
