//! The ternary quantizers: pure functions from a block of weights to trits and one scale.
//!
//! [`code_block`] is the one door for blocks with a scale of their own (rounded to f16), [`Whole`] finds the one scale of a
//! tensor, [`Coder`] is what previews and exports call for either, [`kernels`] do many blocks at a time; [`pt_bitnet`] is the seed's whole-tensor
//! interface with f32 scales. Nothing here knows files, tensors' names or threads.

mod block;
mod coder;
mod exact;
pub mod kernels;
mod masses;
mod method;
pub mod pt_bitnet;
mod whole;

pub use block::{BlockCode, BlockError, code_block, dequantize_block, encode_block, native_scale, to_f16, underflows};
pub use coder::{Coded, Coder, CoderWork};
pub use exact::{Optimum, Scratch, optimum};
pub use method::{Format, Method};
pub use whole::{Gather, Whole, WholeCode, whole_code};
