//! Block bytes ↔ f32: what every tensor type's bytes mean.
//!
//! [`dtype`] is the table of types, [`dialect`] says which meaning a number has in a file; the other files decode one
//! family each, and [`tq`] also encodes ternary blocks. A decoder is a pure function from whole blocks to floats, exact
//! to ggml's. Nothing here opens a file or knows a tensor's name.

#![allow(
    clippy::inline_always,
    reason = "what is not inlined where wider instructions are enabled is compiled without them"
)]

mod bits;
mod blocks;
mod codebook;
pub mod codes;
pub mod dialect;
mod dialect_blocks;
mod dtype;
mod encode_error;
mod f8;
pub mod fields;
mod float;
mod iq1;
mod iq1_encode;
mod iq1_grid;
mod iq1_search;
mod iq2;
mod iq3;
mod iq4;
mod k;
mod kept_encode;
mod legacy;
mod tq;
mod unsigned;
mod wide;

pub use dialect_blocks::{encode_i2_s_a, encode_i2_s_b, encode_q2_0_g128, encode_t158};
pub use dtype::{DType, Fill, Layout, ONE_SCALE_TAIL};
pub use encode_error::EncodeError;
pub use float::{encode_float, first_non_finite};
pub use iq1_encode::{Iq1Scratch, encode_iq1_s};
pub use kept_encode::{encode_q4_0, encode_q6_k, encode_q8_0};
pub use tq::{encode_q2_0, encode_tq1_0, encode_tq2_0};

use crate::engine::ternary::kernels::Kernel;

/// How the bytes of a type become floats.
#[derive(Debug, Clone, Copy)]
pub enum Decoder {
    /// Whole blocks: as many as fill `out`.
    Blocks(fn(blocks: &[u8], out: &mut [f32])),
    /// Whole blocks, and the tensor's one scale.
    OneScale(fn(blocks: &[u8], scale: f32, out: &mut [f32])),
    /// Bytes of consecutive columns that hold four rows each; which of the four is wanted, and the tensor's one scale.
    FourRows(fn(bytes: &[u8], row_of_four: usize, scale: f32, out: &mut [f32])),
}

impl Decoder {
    /// Decodes whole blocks of a type that needs nothing but its blocks; `false` for others, with `out` untouched.
    /// `blocks.len()` must be the bytes of as many blocks as fill `out`: callers compute both from [`DType::layout`].
    pub fn decode_blocks(self, blocks: &[u8], out: &mut [f32]) -> bool {
        match self {
            Self::Blocks(decode) => {
                decode(blocks, out);
                true
            }
            Self::OneScale(_) | Self::FourRows(_) => false,
        }
    }
}

/// Writes `values` as `dtype`: a float type, or a block type that tensors which stay are stored in. `out` must hold
/// exactly as many elements. `Err(i)`: value `i` is not finite or too large for the type (floats take NaN and infinities
/// as they are); `Err(0)` for types without an encoder.
pub fn encode_dense(dtype: DType, values: &[f32], out: &mut [u8]) -> Result<(), usize> {
    let encode = match dtype {
        DType::Q8_0 => encode_q8_0,
        DType::Q4_0 => encode_q4_0,
        DType::Q6_K => encode_q6_k,
        _ => return encode_float(dtype, values, out),
    };
    let (len, bytes) = dtype.layout().map_or((1, 1), |l| (l.block_len as usize, l.block_bytes as usize));
    for (i, (block, out)) in values.chunks_exact(len).zip(out.chunks_exact_mut(bytes)).enumerate() {
        encode(block, out).map_err(|e| match e {
            EncodeError::NonFinite(at) => i * len + at,
            EncodeError::ScaleOverflow { .. } => i * len + largest(block),
        })?;
    }
    Ok(())
}

/// Index of the value of greatest magnitude.
fn largest(values: &[f32]) -> usize {
    let by_magnitude = |a: &(usize, &f32), b: &(usize, &f32)| a.1.abs().total_cmp(&b.1.abs());
    values.iter().enumerate().max_by(by_magnitude).map_or(0, |(i, _)| i)
}

/// The decoder of a type, if this program has one, by the current kernel.
pub fn decoder(dtype: DType) -> Option<Decoder> {
    decoder_by(Kernel::current(), dtype)
}

/// The same by some kernel, or scalar where the CPU lacks it.
pub fn decoder_by(kernel: Kernel, dtype: DType) -> Option<Decoder> {
    wide::decoder(dtype, kernel).map(Decoder::Blocks).or_else(|| scalar_decoder(dtype))
}

fn scalar_decoder(dtype: DType) -> Option<Decoder> {
    Some(Decoder::Blocks(match dtype {
        DType::I2_S => return Some(Decoder::OneScale(dialect_blocks::decode_i2_s_a)),
        DType::I2_S_ARM => return Some(Decoder::OneScale(dialect_blocks::decode_i2_s_b)),
        DType::I2_S_ROWS => return Some(Decoder::FourRows(dialect_blocks::decode_i2_s_rows)),
        DType::F32 => float::decode_f32,
        DType::F16 => float::decode_f16,
        DType::BF16 => float::decode_bf16,
        DType::F64 => float::decode_f64,
        DType::I8 => float::decode_i8,
        DType::I16 => float::decode_i16,
        DType::I32 => float::decode_i32,
        DType::I64 => float::decode_i64,
        DType::Q4_0 => legacy::decode_q4_0,
        DType::Q4_1 => legacy::decode_q4_1,
        DType::Q5_0 => legacy::decode_q5_0,
        DType::Q5_1 => legacy::decode_q5_1,
        DType::Q8_0 => legacy::decode_q8_0,
        DType::Q2_K => k::decode_q2_k,
        DType::Q3_K => k::decode_q3_k,
        DType::Q4_K => k::decode_q4_k,
        DType::Q5_K => k::decode_q5_k,
        DType::Q6_K => k::decode_q6_k,
        DType::TQ1_0 => tq::decode_tq1_0,
        DType::TQ2_0 => tq::decode_tq2_0,
        DType::Q2_0 => tq::decode_q2_0,
        DType::Q2_0_G128 | DType::PQ2_0 => dialect_blocks::decode_q2_0_g128,
        DType::T158 => dialect_blocks::decode_t158,
        DType::IQ1_S => iq1::decode_iq1_s,
        DType::IQ1_M => iq1::decode_iq1_m,
        DType::IQ2_XXS => iq2::decode_iq2_xxs,
        DType::IQ2_XS => iq2::decode_iq2_xs,
        DType::IQ2_S => iq2::decode_iq2_s,
        DType::IQ3_XXS => iq3::decode_iq3_xxs,
        DType::IQ3_S => iq3::decode_iq3_s,
        DType::IQ4_NL => iq4::decode_iq4_nl,
        DType::IQ4_XS => iq4::decode_iq4_xs,
        DType::MXFP4 => iq4::decode_mxfp4,
        DType::NVFP4 => iq4::decode_nvfp4,
        DType::Q1_0 => bits::decode_q1_0,
        DType::Q8_1 => bits::decode_q8_1,
        DType::Q8_K => bits::decode_q8_k,
        DType::F8_E4M3 => f8::decode_f8_e4m3,
        DType::F8_E5M2 => f8::decode_f8_e5m2,
        DType::BOOL => unsigned::decode_bool,
        DType::U8 => unsigned::decode_u8,
        DType::U16 => unsigned::decode_u16,
        DType::U32 => unsigned::decode_u32,
        DType::U64 => unsigned::decode_u64,
        _ => return None,
    }))
}
