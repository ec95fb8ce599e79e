//! What the bytes of a block are called: the fields of each type's block, in order, for those who look at raw bytes.
//!
//! Names are ggml's. The table says where a field stands and what it holds; decoding is the siblings' business, and the
//! test holds the lengths against the table of types.

use super::DType;

/// A field of a block.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Field {
    /// Its name in ggml's structs.
    pub name: &'static str,
    /// Bytes.
    pub len: usize,
    /// What it holds.
    pub meaning: &'static str,
}

const fn field(name: &'static str, len: usize, meaning: &'static str) -> Field {
    Field { name, len, meaning }
}

const D: Field = field("d", 2, "scale, f16");
const DMIN: Field = field("dmin", 2, "scale of the minima, f16");
const M: Field = field("m", 2, "minimum, f16");
const TRITS2: &str = "2-bit codes: 0 is −1, 1 is 0, 2 is +1";
const TRITS2_PLUS: &str = "2-bit codes: 0 is −1, 1 is 0, 2 is +1, 3 is +2";

/// The fields of one block of a type, in order; none where this table has nothing to say.
pub fn fields(dtype: DType) -> &'static [Field] {
    match dtype {
        DType::F32 => const { &[field("w", 4, "f32, least byte first")] },
        DType::F16 => const { &[field("w", 2, "f16, least byte first")] },
        DType::BF16 => const { &[field("w", 2, "bf16, least byte first")] },
        DType::F64 => const { &[field("w", 8, "f64, least byte first")] },
        DType::TQ2_0 => const { &[field("qs", 64, TRITS2), D] },
        DType::TQ1_0 => {
            const { &[field("qs", 48, "five base-3 digits a byte"), field("qh", 4, "four base-3 digits a byte"), D] }
        }
        DType::Q2_0 => const { &[D, field("qs", 16, TRITS2_PLUS)] },
        DType::Q2_0_G128 | DType::PQ2_0 => const { &[D, field("qs", 32, TRITS2_PLUS)] },
        DType::T158 => const { &[field("qs", 64, TRITS2), D] },
        DType::I2_S => const { &[field("qs", 32, "2-bit codes; the scale stands behind the tensor")] },
        DType::I2_S_ARM => const { &[field("qs", 16, "2-bit codes; the scale stands behind the tensor")] },
        DType::IQ1_S => {
            const {
                &[
                    D,
                    field("qs", 32, "low bytes of codebook indices"),
                    field("qh", 16, "high bits, group scales, shifts"),
                ]
            }
        }
        DType::Q4_0 => const { &[D, field("qs", 16, "4-bit codes, minus 8")] },
        DType::Q4_1 => const { &[D, M, field("qs", 16, "4-bit codes")] },
        DType::Q5_0 => const { &[D, field("qh", 4, "fifth bits"), field("qs", 16, "4 low bits, minus 16 in all")] },
        DType::Q5_1 => const { &[D, M, field("qh", 4, "fifth bits"), field("qs", 16, "4 low bits")] },
        DType::Q8_0 => const { &[D, field("qs", 32, "signed bytes")] },
        DType::Q2_K => {
            const { &[field("scales", 16, "4-bit scales and minima of 16 weights"), field("qs", 64, "2-bit codes"), D, DMIN] }
        }
        DType::Q3_K => {
            const {
                &[
                    field("hmask", 32, "third bits"),
                    field("qs", 64, "2 low bits"),
                    field("scales", 12, "6-bit scales of 16 weights"),
                    D,
                ]
            }
        }
        DType::Q4_K => {
            const {
                &[
                    D,
                    DMIN,
                    field("scales", 12, "6-bit scales and minima of 32 weights"),
                    field("qs", 128, "4-bit codes"),
                ]
            }
        }
        DType::Q5_K => {
            const {
                &[
                    D,
                    DMIN,
                    field("scales", 12, "6-bit scales and minima of 32 weights"),
                    field("qh", 32, "fifth bits"),
                    field("qs", 128, "4 low bits"),
                ]
            }
        }
        DType::Q6_K => {
            const {
                &[
                    field("ql", 128, "4 low bits"),
                    field("qh", 64, "2 high bits"),
                    field("scales", 16, "signed 8-bit scales of 16 weights"),
                    D,
                ]
            }
        }
        DType::IQ4_NL => const { &[D, field("qs", 16, "4-bit indices of 16 levels")] },
        DType::MXFP4 => const { &[field("e", 1, "power of two"), field("qs", 16, "4-bit floats")] },
        _ => &[],
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn fields_fill_the_block() {
        let mut known = 0;
        for dtype in (0..300).flat_map(|n| DType::of_number(n).meanings()) {
            let fields = fields(dtype);
            if !fields.is_empty() {
                known += 1;
                let bytes: usize = fields.iter().map(|f| f.len).sum();
                assert_eq!(dtype.layout().map(|l| l.block_bytes), Some(bytes as u64), "{dtype}");
            }
        }
        assert!(known >= 20, "{known}");
    }
}
