//! Decoders once more, compiled for the vectors that a CPU may have.
//!
//! The code is that of the family's file, where it is inlined into a function that may use the instructions: the compiler
//! makes wider loops of it and, since it does not reorder or contract what is done with floats, the same bits.

#![allow(unsafe_code, reason = "functions for instructions that the CPU was asked for")]

use super::dtype::DType;
use crate::engine::ternary::kernels::Kernel;

/// Fills `out` from whole blocks.
pub(super) type Decode = fn(blocks: &[u8], out: &mut [f32]);

/// The decoder of a type for the instructions of a kernel. `None`: there is none, or this CPU lacks them.
pub(super) fn decoder(dtype: DType, kernel: Kernel) -> Option<Decode> {
    match kernel {
        #[cfg(target_arch = "x86_64")]
        Kernel::Avx2 if kernel.is_here() => avx2::decoder(dtype),
        #[cfg(target_arch = "x86_64")]
        Kernel::Avx512 if kernel.is_here() => avx512::decoder(dtype),
        // NEON is what every build for 64-bit ARM uses.
        _ => {
            let _ = dtype;
            None
        }
    }
}

#[cfg(target_arch = "x86_64")]
macro_rules! compiled_for {
    ($set:ident, $features:literal, $($dtype:ident: $family:ident :: $decode:ident),* $(,)?) => {
        mod $set {
            use super::{DType, Decode};

            $(
                fn $decode(blocks: &[u8], out: &mut [f32]) {
                    #[target_feature(enable = $features)]
                    fn wide(blocks: &[u8], out: &mut [f32]) {
                        super::super::$family::$decode(blocks, out);
                    }
                    // SAFETY: `super::decoder` is the only way here, and has asked the CPU for the instructions.
                    unsafe { wide(blocks, out) }
                }
            )*

            pub(super) fn decoder(dtype: DType) -> Option<Decode> {
                Some(match dtype {
                    $(DType::$dtype => $decode,)*
                    _ => return None,
                })
            }
        }
    };
}

#[cfg(target_arch = "x86_64")]
macro_rules! compiled {
    ($set:ident, $features:literal) => {
        compiled_for! {
            $set, $features,
            Q4_0: legacy::decode_q4_0,
            Q4_1: legacy::decode_q4_1,
            Q5_0: legacy::decode_q5_0,
            Q5_1: legacy::decode_q5_1,
            Q8_0: legacy::decode_q8_0,
            Q2_K: k::decode_q2_k,
            Q3_K: k::decode_q3_k,
            Q4_K: k::decode_q4_k,
            Q5_K: k::decode_q5_k,
            Q6_K: k::decode_q6_k,
            TQ1_0: tq::decode_tq1_0,
            TQ2_0: tq::decode_tq2_0,
            Q2_0: tq::decode_q2_0,
        }
    };
}

#[cfg(target_arch = "x86_64")]
compiled!(avx2, "avx2,fma,f16c,bmi1,bmi2,lzcnt,popcnt");
#[cfg(target_arch = "x86_64")]
compiled!(avx512, "avx512f,avx512bw,avx512dq,avx512vl,avx2,fma,f16c,bmi1,bmi2,lzcnt,popcnt");
