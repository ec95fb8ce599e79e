//! Codes to bytes of blocks and back over [`Lanes`], for every layout of trits and a scale.

use half::f16;

use super::lanes::Lanes;
use crate::engine::ternary::Format;

/// Writes a block's codes (0, 1, 2) and the bits of its scale. `codes` and `out` are as long as the format's blocks.
#[inline(always)]
pub(super) fn pack<L: Lanes>(l: L, format: Format, scale: u16, codes: &[u8], out: &mut [u8]) {
    let scale = scale.to_le_bytes();
    match format {
        Format::Tq2_0 => {
            let (to, d) = out.split_at_mut(64);
            for (codes, to) in codes.as_chunks::<128>().0.iter().zip(to.as_chunks_mut::<32>().0) {
                l.pack_strided::<false>(codes, to);
            }
            d.copy_from_slice(&scale);
        }
        Format::Tq1_0 => {
            if let (Some(codes), Some((to, d))) = (codes.first_chunk::<256>(), out.split_first_chunk_mut::<52>()) {
                l.pack_digits(codes, to);
                d.copy_from_slice(&scale);
            }
        }
        Format::T158 => {
            let (to, d) = out.split_at_mut(64);
            pack_in_order(l, codes, to);
            d.copy_from_slice(&scale);
        }
        Format::Q2_0 | Format::Q2_0G128 => {
            let (d, to) = out.split_at_mut(2);
            pack_in_order(l, codes, to);
            d.copy_from_slice(&scale);
        }
        Format::I2S => {
            if let (Some(codes), Some(to)) = (codes.first_chunk::<128>(), out.first_chunk_mut::<32>()) {
                l.pack_strided::<true>(codes, to);
            }
        }
        Format::I2SArm => {
            if let (Some(codes), Some(to)) = (codes.first_chunk::<64>(), out.first_chunk_mut::<16>()) {
                l.pack_strided_16(codes, to);
            }
        }
        Format::Iq1S => {}
    }
}

#[inline(always)]
fn pack_in_order<L: Lanes>(l: L, codes: &[u8], to: &mut [u8]) {
    for (codes, to) in codes.as_chunks::<64>().0.iter().zip(to.as_chunks_mut::<16>().0) {
        l.pack_in_order(codes, to);
    }
}

/// Packs whole blocks, each with its scale.
#[inline(always)]
pub(super) fn pack_blocks<L: Lanes>(l: L, format: Format, codes: &[u8], scales: &[u16], out: &mut [u8]) {
    let (len, bytes) = (format.block_len(), format.block_bytes());
    for ((codes, scale), out) in codes.chunks_exact(len).zip(scales).zip(out.chunks_exact_mut(bytes)) {
        pack(l, format, *scale, codes, out);
    }
}

/// What blocks hold besides their codes, one entry a block.
pub(super) struct Found<'a> {
    pub scales: &'a mut Vec<f32>,
    pub illegal: &'a mut Vec<u32>,
}

/// Reads whole blocks of a format whose blocks have scales: codes, scales, and in each the bytes that no writer
/// produces.
#[inline(always)]
pub(super) fn unpack_blocks<L: Lanes>(l: L, format: Format, blocks: &[u8], codes: &mut [u8], found: &mut Found<'_>) {
    let (len, bytes) = (format.block_len(), format.block_bytes());
    let half = |two: &[u8]| two.first_chunk::<2>().map_or(0, |two| u16::from_le_bytes(*two));
    for (block, codes) in blocks.chunks_exact(bytes).zip(codes.chunks_exact_mut(len)) {
        let mut illegal = 0;
        let scale = match format {
            Format::Tq2_0 => {
                for (from, codes) in block.as_chunks::<32>().0.iter().zip(codes.as_chunks_mut::<128>().0) {
                    illegal += l.unpack_strided(from, codes);
                }
                half(&block[64..])
            }
            Format::Tq1_0 => {
                let (Some(from), Some(codes)) = (block.first_chunk::<52>(), codes.first_chunk_mut::<256>()) else {
                    continue;
                };
                illegal = l.unpack_digits(from, codes);
                half(&block[52..])
            }
            Format::T158 => {
                for (from, codes) in block.as_chunks::<16>().0.iter().zip(codes.as_chunks_mut::<64>().0) {
                    illegal += l.unpack_in_order(from, codes);
                }
                half(&block[64..])
            }
            // All four codes are levels of Q2_0; the other formats have no scales in their blocks.
            _ => {
                for (from, codes) in block[2..].as_chunks::<16>().0.iter().zip(codes.as_chunks_mut::<64>().0) {
                    l.unpack_in_order(from, codes);
                }
                half(block)
            }
        };
        found.scales.push(f16::from_bits(scale).to_f32());
        found.illegal.push(illegal);
    }
}
