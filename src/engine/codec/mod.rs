//! Block bytes ↔ f32: what every tensor type's bytes mean.
//!
//! [`dtype`] is the table of types; the other files decode one family each, and [`tq`] also encodes ternary blocks.
//! A decoder is a pure function from whole blocks to floats, exact to ggml's. Nothing here opens a file or knows a
//! tensor's name.

mod dtype;
mod float;
mod k;
mod legacy;
mod tq;

pub use dtype::{DType, Layout};
pub use float::{encode_float, first_non_finite};
pub use tq::{encode_q2_0, encode_tq1_0, encode_tq2_0};

/// Decodes whole blocks: `blocks` holds exactly as many as fill `out`.
pub type Decoder = fn(blocks: &[u8], out: &mut [f32]);

/// The decoder of a type, if this program has one. `out.len()` must be a multiple of the block length and
/// `blocks.len()` the bytes of as many blocks: callers compute both from [`DType::layout`].
pub fn decoder(dtype: DType) -> Option<Decoder> {
    Some(match dtype {
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
        _ => return None,
    })
}
