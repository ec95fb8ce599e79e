//! What a ternary block's bytes say, without a judgement: its codes, its scale, and bytes that no writer produces.
//!
//! Decoders give weights and take every byte for good; whoever wants to know what is *in* a file starts here. A code is
//! 0, 1 or 2 for −1, 0 and +1, and 3 for what the two bits can also say: +2 in Q2_0, nothing in the other formats
//! (where llama.cpp decodes TQ2_0's as +2 and ruvllm its own as 0).

use super::legacy::half_at;

/// What a block holds besides its codes.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct BlockCodes {
    /// The scale as stored, widened: it may be negative, infinite or NaN.
    pub scale: f32,
    /// Bytes of codes that no writer of the format produces.
    pub illegal_bytes: u32,
}

/// Reads one block: `block` is as long as the format's blocks, `codes` takes a code for each of its weights.
pub type CodesOf = fn(block: &[u8], codes: &mut [u8]) -> BlockCodes;

/// Whether one of the four two-bit codes of a byte is 3.
#[inline]
fn has_three(byte: u8) -> bool {
    byte & byte >> 1 & 0x55 != 0
}

fn bytes_with_three(bytes: &[u8]) -> u32 {
    bytes.iter().map(|b| u32::from(has_three(*b))).sum()
}

/// TQ2_0, `qs[64] d`: in half `h` byte `32h + m` holds codes `128h + m + 32n` at bits `2n`.
pub fn codes_of_tq2_0(block: &[u8], codes: &mut [u8]) -> BlockCodes {
    debug_assert_eq!((block.len(), codes.len()), (66, 256));
    let qs = &block[..64];
    for (qs, codes) in qs.as_chunks::<32>().0.iter().zip(codes.as_chunks_mut::<128>().0) {
        for (n, run) in codes.as_chunks_mut::<32>().0.iter_mut().enumerate() {
            for (code, q) in run.iter_mut().zip(qs) {
                *code = q >> (2 * n) & 3;
            }
        }
    }
    BlockCodes { scale: half_at(block, 64), illegal_bytes: bytes_with_three(qs) }
}

/// The stretches of a TQ1_0 block: bytes, codes a byte.
const TQ1_STRETCHES: [(usize, u32); 3] = [(32, 5), (16, 5), (4, 4)];

/// TQ1_0, `qs[48] qh[4] d`: a byte is ⌈q·256/243⌉ of five base-3 digits, the first the most significant; in `qh` the
/// fifth is 0. In each stretch of `k` bytes byte `m` holds codes `m + k·n`. Every byte decodes to digits; illegal are
/// the 13 (in `qh` 175) values that encoding these digits does not give back.
pub fn codes_of_tq1_0(block: &[u8], codes: &mut [u8]) -> BlockCodes {
    debug_assert_eq!((block.len(), codes.len()), (54, 256));
    let (mut bytes, mut rest) = (block, codes);
    let mut illegal_bytes = 0;
    for (count, digits) in TQ1_STRETCHES {
        let (qs, following) = bytes.split_at(count);
        let (codes, after) = rest.split_at_mut(count * digits as usize);
        for (m, q) in qs.iter().enumerate() {
            // Multiplying by 3 moves the next digit above the point, the lower byte is what remains below it.
            let (mut fraction, mut value) = (u32::from(*q), 0);
            for code in codes.iter_mut().skip(m).step_by(count) {
                fraction *= 3;
                *code = (fraction >> 8) as u8;
                value = value * 3 + (fraction >> 8);
                fraction &= 0xff;
            }
            let written = (value * 3u32.pow(5 - digits) * 256).div_ceil(243);
            illegal_bytes += u32::from(written != u32::from(*q));
        }
        (bytes, rest) = (following, after);
    }
    BlockCodes { scale: half_at(block, 52), illegal_bytes }
}

/// Four codes a byte in order, the first at the lowest bits: Q2_0 and T158.
fn unpack_in_order(qs: &[u8], codes: &mut [u8]) {
    for (q, codes) in qs.iter().zip(codes.chunks_mut(4)) {
        for (n, code) in codes.iter_mut().enumerate() {
            *code = q >> (2 * n) & 3;
        }
    }
}

/// Q2_0, `d qs[…]`: code `j` in byte `j / 4` at bits `2·(j mod 4)`. Groups of 64 (18 bytes) and of 128 (34 bytes)
/// differ in length only. All four codes are legal.
pub fn codes_of_q2_0(block: &[u8], codes: &mut [u8]) -> BlockCodes {
    debug_assert_eq!(block.len(), 2 + codes.len() / 4);
    unpack_in_order(&block[2..], codes);
    BlockCodes { scale: half_at(block, 0), illegal_bytes: 0 }
}

/// ruvllm's BITNET_T158, `qs[64] d`: code `j` in byte `j / 4` at bits `2·(j mod 4)`. The last block of a tensor may
/// stand for fewer weights: then `codes` is shorter, and the padding is not looked at.
pub fn codes_of_t158(block: &[u8], codes: &mut [u8]) -> BlockCodes {
    debug_assert!(block.len() == 66 && codes.len() <= 256);
    unpack_in_order(&block[..64], codes);
    let illegal_bytes = codes.chunks(4).map(|four| u32::from(four.contains(&3))).sum();
    BlockCodes { scale: half_at(block, 64), illegal_bytes }
}

/// How bitnet.cpp's I2_S packs a group: nothing in a file says which.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum I2sPacking {
    /// Groups of 128 weights in 32 bytes: x86 and the Python converter, what published files have.
    X86,
    /// Groups of 64 weights in 16 bytes: ARM.
    Arm,
}

impl I2sPacking {
    /// Bytes of a group, a quarter of its weights.
    pub fn group_bytes(self) -> usize {
        match self {
            Self::X86 => 32,
            Self::Arm => 16,
        }
    }

    /// Weights of a group.
    pub fn group_len(self) -> usize {
        4 * self.group_bytes()
    }
}

/// I2_S: code `j` of a group of `k` bytes in byte `j mod k` at bits `6 − 2·(j div k)`. `groups` are whole groups of a
/// tensor without the scale behind them, `codes` four for each byte. Returns the illegal bytes.
pub fn codes_of_i2_s(packing: I2sPacking, groups: &[u8], codes: &mut [u8]) -> u32 {
    debug_assert_eq!(4 * groups.len(), codes.len());
    debug_assert!(groups.len().is_multiple_of(packing.group_bytes()));
    let bytes = packing.group_bytes();
    for (group, codes) in groups.chunks_exact(bytes).zip(codes.chunks_exact_mut(4 * bytes)) {
        for (run, shift) in codes.chunks_exact_mut(bytes).zip([6, 4, 2, 0]) {
            for (code, q) in run.iter_mut().zip(group) {
                *code = q >> shift & 3;
            }
        }
    }
    bytes_with_three(groups)
}

/// The one scale of an I2_S tensor: an f32 right behind the packed codes of `elements` weights. `None` where `tensor`
/// (codes, scale, filler) is too short.
pub fn scale_of_i2_s(tensor: &[u8], elements: u64) -> Option<f32> {
    let start = usize::try_from(elements.div_ceil(4)).ok()?;
    let bytes = tensor.get(start..start.checked_add(4)?)?;
    bytes.first_chunk::<4>().map(|b| f32::from_le_bytes(*b))
}

#[cfg(test)]
mod tests {
    use half::f16;

    use super::super::{encode_q2_0, encode_tq1_0, encode_tq2_0};
    use super::*;

    /// Writes a block of a format: scale, trits, bytes.
    type Encode = fn(f16, &[i8], &mut [u8]);

    /// Trits that repeat with no period of a power of two.
    fn trits(n: usize) -> Vec<i8> {
        (0..n).map(|i| ((i * i + i / 7) % 3) as i8 - 1).collect()
    }

    fn codes(trits: &[i8]) -> Vec<u8> {
        trits.iter().map(|t| (t + 1) as u8).collect()
    }

    #[test]
    fn what_a_writer_wrote_comes_back_with_nothing_illegal() {
        let scale = f16::from_f32(-0.75);
        let encoders: [(Encode, CodesOf, usize, usize); 3] = [
            (encode_tq2_0, codes_of_tq2_0, 256, 66),
            (encode_tq1_0, codes_of_tq1_0, 256, 54),
            (encode_q2_0, codes_of_q2_0, 64, 18),
        ];
        for (encode, codes_of, len, bytes) in encoders {
            let trits = trits(len);
            let (mut block, mut out) = (vec![0; bytes], vec![9; len]);
            encode(scale, &trits, &mut block);
            assert_eq!(codes_of(&block, &mut out), BlockCodes { scale: -0.75, illegal_bytes: 0 });
            assert_eq!(out, codes(&trits), "{bytes}");
        }
    }

    #[test]
    fn tq1_0_knows_the_bytes_that_no_writer_produces() {
        let (mut illegal, mut illegal_high) = (0, 0);
        for byte in 0..=255u8 {
            let mut block = [0u8; 54];
            block[31] = byte;
            illegal += codes_of_tq1_0(&block, &mut [0; 256]).illegal_bytes;
            block[31] = 0;
            block[51] = byte;
            illegal_high += codes_of_tq1_0(&block, &mut [0; 256]).illegal_bytes;
        }
        assert_eq!((illegal, illegal_high), (256 - 243, 256 - 81));
        // 0x80 is 121.5/243: digits 1, 1, 1, 1, 1 are 121, written as ⌈127.47⌉ = 128.
        let mut block = [0u8; 54];
        let mut out = [0; 256];
        block[0] = 128;
        assert_eq!(codes_of_tq1_0(&block, &mut out).illegal_bytes, 0);
        assert_eq!([out[0], out[32], out[64], out[96], out[128], out[160]], [1, 1, 1, 1, 1, 0]);
        // ⌈122·256/243⌉ = 129: digits 1, 1, 1, 1, 2.
        block[0] = 129;
        codes_of_tq1_0(&block, &mut out);
        assert_eq!([out[0], out[32], out[64], out[96], out[128]], [1, 1, 1, 1, 2]);
    }

    #[test]
    fn code_three_is_legal_in_q2_0_only() {
        let mut out = [0; 256];
        let mut block = [0u8; 66];
        block[33] = 0b11_10_01_00;
        block[40] = 0b11_11_00_11;
        let found = codes_of_tq2_0(&block, &mut out);
        assert_eq!((found.illegal_bytes, [out[129], out[161], out[193], out[225]]), (2, [0, 1, 2, 3]));
        let found = codes_of_t158(&block, &mut out);
        assert_eq!((found.illegal_bytes, &out[132..136]), (2, [0, 1, 2, 3].as_slice()));
        // Of a last block of 135 weights the reserved code of weight 135 is padding.
        let mut few = [9; 135];
        assert_eq!(codes_of_t158(&block, &mut few).illegal_bytes, 0);
        assert_eq!(few[130..], [0, 0, 0, 1, 2]);
        let mut wide = [0; 128];
        let found = codes_of_q2_0(&block[..34], &mut wide);
        assert_eq!((found.illegal_bytes, &wide[124..]), (0, [0, 1, 2, 3].as_slice()));
    }

    #[test]
    fn i2_s_packs_from_the_top_of_a_byte_in_both_group_lengths() {
        let mut bytes = vec![0u8; 64];
        bytes[33] = 0b00_01_10_01;
        let mut out = vec![9; 256];
        assert_eq!(codes_of_i2_s(I2sPacking::X86, &bytes, &mut out), 0);
        assert_eq!([out[129], out[161], out[193], out[225]], [0, 1, 2, 1]);
        assert_eq!(out.iter().filter(|c| **c != 0).count(), 3);
        assert_eq!(codes_of_i2_s(I2sPacking::Arm, &bytes, &mut out), 0);
        assert_eq!([out[129], out[145], out[161], out[177]], [0, 1, 2, 1]);
        bytes[0] = 0b11_00_00_00;
        assert_eq!(codes_of_i2_s(I2sPacking::Arm, &bytes, &mut out), 1);
        assert_eq!(out[0], 3);
    }

    #[test]
    fn the_scale_of_i2_s_stands_behind_the_codes() {
        let mut tensor = vec![0xaa; 32 + 32];
        tensor[32..36].copy_from_slice(&0.625f32.to_le_bytes());
        assert_eq!(scale_of_i2_s(&tensor, 128), Some(0.625));
        assert_eq!(scale_of_i2_s(&tensor[..35], 128), None);
        assert_eq!(scale_of_i2_s(&tensor, u64::MAX), None);
    }
}
