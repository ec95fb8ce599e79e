//! The ternary quantizers: pure functions from a block of weights to trits and one scale.
//!
//! [`code_block`] is the one door for block formats (scale rounded to f16); [`pt_bitnet`] is the seed's whole-tensor
//! interface with f32 scales. Nothing here knows files, tensors' names or threads.

mod block;
mod exact;
mod method;
pub mod pt_bitnet;

pub use block::{BlockCode, BlockError, code_block, dequantize_block, encode_block, native_scale};
pub use exact::{Optimum, Scratch, optimum};
pub use method::{Format, Method};
