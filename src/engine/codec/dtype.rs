//! The table of tensor types: number, name, block length, block bytes.
//!
//! A type is a number *and* what is meant by it: several tools gave the same number to different types (see
//! [`super::dialect`]). Variant 0 is ggml's own meaning (`enum ggml_type` as of mid-2026), the others are those of
//! bitnet.cpp, ruvllm, PrismML's and ik_llama.cpp's forks. Types that only safetensors has carry no GGUF number. A number
//! that this table does not know stays a number: its tensors are listed with the size that the offsets leave them and are
//! never decoded by guess.

use std::fmt;

/// Stands for "no number": types that a GGUF cannot hold.
const NO_NUMBER: u32 = u32::MAX;

/// A tensor type: its number in a GGUF and which of the number's meanings it is.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct DType {
    number: u32,
    variant: u8,
}

/// Elements and bytes of one block, and how blocks fill a tensor.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Layout {
    /// Elements in a block.
    pub block_len: u64,
    /// Bytes of a block.
    pub block_bytes: u64,
    /// How blocks fill a tensor.
    pub fill: Fill,
}

/// How blocks fill a tensor.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Fill {
    /// Blocks keep to rows: a row's length must be a multiple of the block's.
    Rows,
    /// Blocks run over the flattened tensor, the last one padded.
    Flat,
    /// Blocks run over the flattened tensor, which must fill them; 32 bytes follow, the tensor's one f32 scale first.
    OneScale,
}

/// Bytes behind the blocks of a tensor that is filled as [`Fill::OneScale`].
pub const ONE_SCALE_TAIL: u64 = 32;

impl Layout {
    /// Bytes that a tensor of `elements` elements takes, if they can be laid out so and nothing overflows.
    pub fn bytes_for(self, elements: u64) -> Option<u64> {
        let whole = elements.is_multiple_of(self.block_len);
        match self.fill {
            Fill::Flat => elements.div_ceil(self.block_len).checked_mul(self.block_bytes),
            Fill::Rows if whole => (elements / self.block_len).checked_mul(self.block_bytes),
            Fill::OneScale if whole => {
                (elements / self.block_len).checked_mul(self.block_bytes)?.checked_add(ONE_SCALE_TAIL)
            }
            _ => None,
        }
    }

    /// Elements that a row's length must be a multiple of.
    pub fn row_grain(self) -> u64 {
        if self.fill == Fill::Rows { self.block_len } else { 1 }
    }

    /// Whether `elements` elements in rows of `row` can be laid out so.
    pub fn takes(self, row: u64, elements: u64) -> bool {
        row.is_multiple_of(self.row_grain()) && (self.fill != Fill::OneScale || elements.is_multiple_of(self.block_len))
    }
}

/// One line of the table.
struct Known {
    dtype: DType,
    name: &'static str,
    /// `None`: the name is known, the layout is not given by the type alone.
    layout: Option<Layout>,
}

const fn entry(dtype: DType, name: &'static str, block_len: u64, block_bytes: u64, fill: Fill) -> Known {
    Known { dtype, name, layout: Some(Layout { block_len, block_bytes, fill }) }
}

/// A type of ggml's own.
const fn known(number: u32, name: &'static str, block_len: u64, block_bytes: u64) -> Known {
    entry(DType::of_number(number), name, block_len, block_bytes, Fill::Rows)
}

/// A type that only safetensors has.
const fn tensor_only(dtype: DType, name: &'static str, bytes: u64) -> Known {
    entry(dtype, name, 1, bytes, Fill::Rows)
}

/// Types whose number says what they are but whose layout this program does not have.
const fn named(dtype: DType, name: &'static str) -> Known {
    Known { dtype, name, layout: None }
}

/// Sorted (a test holds it), so that look-ups are binary searches.
const TABLE: &[Known] = &[
    known(0, "F32", 1, 4),
    known(1, "F16", 1, 2),
    known(2, "Q4_0", 32, 18),
    known(3, "Q4_1", 32, 20),
    known(6, "Q5_0", 32, 22),
    known(7, "Q5_1", 32, 24),
    known(8, "Q8_0", 32, 34),
    known(9, "Q8_1", 32, 36),
    known(10, "Q2_K", 256, 84),
    known(11, "Q3_K", 256, 110),
    known(12, "Q4_K", 256, 144),
    known(13, "Q5_K", 256, 176),
    known(14, "Q6_K", 256, 210),
    known(15, "Q8_K", 256, 292),
    known(16, "IQ2_XXS", 256, 66),
    known(17, "IQ2_XS", 256, 74),
    known(18, "IQ3_XXS", 256, 98),
    known(19, "IQ1_S", 256, 50),
    known(20, "IQ4_NL", 32, 18),
    known(21, "IQ3_S", 256, 110),
    known(22, "IQ2_S", 256, 82),
    known(23, "IQ4_XS", 256, 136),
    known(24, "I8", 1, 1),
    known(25, "I16", 1, 2),
    known(26, "I32", 1, 4),
    known(27, "I64", 1, 8),
    known(28, "F64", 1, 8),
    known(29, "IQ1_M", 256, 56),
    known(30, "BF16", 1, 2),
    entry(DType::T158, "T158", 256, 66, Fill::Flat),
    known(31, "Q4_0_4_4", 32, 18),
    known(32, "Q4_0_4_8", 32, 18),
    known(33, "Q4_0_8_8", 32, 18),
    known(34, "TQ1_0", 256, 54),
    known(35, "TQ2_0", 256, 66),
    known(36, "IQ4_NL_4_4", 32, 18),
    entry(DType::I2_S, "I2_S", 128, 32, Fill::OneScale),
    entry(DType::I2_S_ARM, "I2_S_ARM", 64, 16, Fill::OneScale),
    entry(DType::I2_S_ROWS, "I2_S_ROWS", 4, 1, Fill::OneScale),
    known(37, "IQ4_NL_4_8", 32, 18),
    named(DType::I8_S, "I8_S"),
    known(38, "IQ4_NL_8_8", 32, 18),
    named(DType::TL1, "TL1"),
    known(39, "MXFP4", 32, 17),
    named(DType::TL2, "TL2"),
    known(40, "NVFP4", 64, 36),
    entry(DType::Q1_0_G32, "Q1_0_G32", 32, 6, Fill::Rows),
    known(41, "Q1_0", 128, 18),
    named(DType::TQ3_0, "TQ3_0"),
    known(42, "Q2_0", 64, 18),
    entry(DType::Q2_0_G128, "Q2_0_G128", 128, 34, Fill::Rows),
    named(DType::TL2_42, "TL2_42"),
    named(DType::of_number(133), "Q6_0"),
    named(DType::of_number(134), "IQ1_BN"),
    named(DType::of_number(135), "IQ2_BN"),
    named(DType::of_number(137), "IQ2_K"),
    named(DType::of_number(138), "IQ3_K"),
    named(DType::of_number(139), "IQ4_K"),
    named(DType::of_number(140), "IQ5_K"),
    named(DType::of_number(141), "IQ6_K"),
    entry(DType::PQ2_0, "PQ2_0", 128, 34, Fill::Rows),
    named(DType::IQ2_TN, "IQ2_TN"),
    named(DType::PTQ1_0, "PTQ1_0"),
    named(DType::of_number(144), "IQ4_KS"),
    named(DType::of_number(145), "IQ2_KS"),
    named(DType::of_number(146), "IQ4_KSS"),
    named(DType::of_number(152), "IQ5_KS"),
    named(DType::of_number(153), "IQ2_KT"),
    named(DType::of_number(154), "IQ3_KT"),
    named(DType::of_number(155), "IQ4_KT"),
    named(DType::of_number(156), "IQ3_KS"),
    named(DType::of_number(157), "IQ2_KL"),
    named(DType::of_number(158), "IQ1_KT"),
    tensor_only(DType::F8_E4M3, "F8_E4M3", 1),
    tensor_only(DType::F8_E5M2, "F8_E5M2", 1),
    tensor_only(DType::BOOL, "BOOL", 1),
    tensor_only(DType::U8, "U8", 1),
    tensor_only(DType::U16, "U16", 2),
    tensor_only(DType::U32, "U32", 4),
    tensor_only(DType::U64, "U64", 8),
    named(DType::exotic(8), "F4"),
    named(DType::exotic(9), "F6_E2M3"),
    named(DType::exotic(10), "F6_E3M2"),
    named(DType::exotic(11), "F8_E8M0"),
    named(DType::exotic(12), "F8_E4M3FNUZ"),
    named(DType::exotic(13), "F8_E5M2FNUZ"),
    named(DType::exotic(14), "C64"),
];

/// Constants for the types that code speaks of by name.
macro_rules! types {
    ($($(#[$doc:meta])* $name:ident = $number:expr, $variant:expr;)*) => {
        impl DType {
            $($(#[$doc])* pub const $name: Self = Self { number: $number, variant: $variant };)*
        }
    };
}

types! {
    /// 32-bit float.
    F32 = 0, 0;
    /// IEEE half float.
    F16 = 1, 0;
    /// 4 bits in blocks of 32, one scale.
    Q4_0 = 2, 0;
    /// 4 bits in blocks of 32, scale and minimum.
    Q4_1 = 3, 0;
    /// 5 bits in blocks of 32, one scale.
    Q5_0 = 6, 0;
    /// 5 bits in blocks of 32, scale and minimum.
    Q5_1 = 7, 0;
    /// 8 bits in blocks of 32.
    Q8_0 = 8, 0;
    /// 8 bits in blocks of 32 with their sum; llama.cpp uses it in memory only.
    Q8_1 = 9, 0;
    /// 2-bit k-quant.
    Q2_K = 10, 0;
    /// 3-bit k-quant.
    Q3_K = 11, 0;
    /// 4-bit k-quant.
    Q4_K = 12, 0;
    /// 5-bit k-quant.
    Q5_K = 13, 0;
    /// 6-bit k-quant.
    Q6_K = 14, 0;
    /// 8 bits in blocks of 256; llama.cpp uses it in memory only.
    Q8_K = 15, 0;
    /// 2.06 bits, codebook of 256.
    IQ2_XXS = 16, 0;
    /// 2.31 bits, codebook of 512.
    IQ2_XS = 17, 0;
    /// 3.06 bits, codebook of 256.
    IQ3_XXS = 18, 0;
    /// 1.56 bits: ternary vectors of a codebook of 2048, shifted by an eighth.
    IQ1_S = 19, 0;
    /// 4 bits on an uneven grid, blocks of 32.
    IQ4_NL = 20, 0;
    /// 3.44 bits, codebook of 512.
    IQ3_S = 21, 0;
    /// 2.56 bits, codebook of 1024.
    IQ2_S = 22, 0;
    /// 4.25 bits on an uneven grid, blocks of 256.
    IQ4_XS = 23, 0;
    /// 8-bit integer.
    I8 = 24, 0;
    /// 16-bit integer.
    I16 = 25, 0;
    /// 32-bit integer.
    I32 = 26, 0;
    /// 64-bit integer.
    I64 = 27, 0;
    /// 64-bit float.
    F64 = 28, 0;
    /// 1.75 bits: as IQ1_S with finer scales.
    IQ1_M = 29, 0;
    /// Brain float.
    BF16 = 30, 0;
    /// ruvllm's BITNET_T158: two bits in groups of 256 over the flattened tensor.
    T158 = 30, 1;
    /// Ternary, five trits a byte, groups of 256.
    TQ1_0 = 34, 0;
    /// Ternary, four trits a byte, groups of 256.
    TQ2_0 = 35, 0;
    /// Removed from ggml; tools that went on use the number for I2_S.
    IQ4_NL_4_4 = 36, 0;
    /// bitnet.cpp's I2_S as x86 and the Python converter pack it: one scale for the tensor, groups of 128.
    I2_S = 36, 1;
    /// I2_S as bitnet.cpp packs it on ARM: groups of 64.
    I2_S_ARM = 36, 2;
    /// I2_S as bitnet.cpp packs it on x86 without ACT_PARALLEL: four rows of a column in a byte.
    I2_S_ROWS = 36, 3;
    /// bitnet.cpp's 8-bit activations.
    I8_S = 37, 1;
    /// bitnet.cpp's look-up-table type of ARM kernels, tiled by their configuration.
    TL1 = 38, 1;
    /// 4-bit floats with a shared exponent, blocks of 32.
    MXFP4 = 39, 0;
    /// bitnet.cpp's look-up-table type of x86 kernels, tiled by their configuration.
    TL2 = 39, 1;
    /// 4-bit floats with 8-bit float scales, blocks of 64.
    NVFP4 = 40, 0;
    /// Signs with a scale in groups of 32: PrismML's first Q1_0.
    Q1_0_G32 = 40, 1;
    /// Signs with a scale in groups of 128.
    Q1_0 = 41, 0;
    /// TurboQuant's 3-bit type.
    TQ3_0 = 41, 1;
    /// Two bits (−1, 0, +1, +2) in groups of 64.
    Q2_0 = 42, 0;
    /// PrismML's Q2_0: groups of 128.
    Q2_0_G128 = 42, 1;
    /// TL2 under the number that newer forks of bitnet.cpp give it.
    TL2_42 = 42, 2;
    /// PrismML's Q2_0 in groups of 128 under a number of its own; weights lie in a rotated basis.
    PQ2_0 = 142, 0;
    /// ik_llama.cpp's retired ternary type.
    IQ2_TN = 142, 1;
    /// PrismML's dense trits in groups of 128; weights lie in a rotated basis.
    PTQ1_0 = 143, 0;
    /// 8-bit float, 4 bits of exponent, no infinities.
    F8_E4M3 = NO_NUMBER, 1;
    /// 8-bit float, 5 bits of exponent.
    F8_E5M2 = NO_NUMBER, 2;
    /// Truth values, a byte each.
    BOOL = NO_NUMBER, 3;
    /// Unsigned byte.
    U8 = NO_NUMBER, 4;
    /// Unsigned 16 bits.
    U16 = NO_NUMBER, 5;
    /// Unsigned 32 bits.
    U32 = NO_NUMBER, 6;
    /// Unsigned 64 bits.
    U64 = NO_NUMBER, 7;
}

impl DType {
    /// The number's meaning in ggml.
    pub const fn of_number(number: u32) -> Self {
        Self { number, variant: 0 }
    }

    /// A type that only safetensors has and that is not decoded.
    const fn exotic(variant: u8) -> Self {
        Self { number: NO_NUMBER, variant }
    }

    fn entry(self) -> Option<&'static Known> {
        TABLE.binary_search_by_key(&self, |k| k.dtype).ok().map(|i| &TABLE[i])
    }

    /// The type's number in a GGUF tensor info; `None` where a GGUF cannot hold the type.
    pub fn number(self) -> Option<u32> {
        (self.number != NO_NUMBER || self.variant == 0).then_some(self.number)
    }

    /// Every meaning of this type's number that the table has, ggml's first.
    pub fn meanings(self) -> impl Iterator<Item = Self> {
        TABLE.iter().map(|k| k.dtype).filter(move |t| t.number == self.number && t.number != NO_NUMBER)
    }

    /// Whether this is what ggml means by the number.
    pub fn is_mainline(self) -> bool {
        self.variant == 0
    }

    /// The name, where the type is known.
    pub fn known_name(self) -> Option<&'static str> {
        self.entry().map(|k| k.name)
    }

    /// Block length and bytes, where the type alone gives them.
    pub fn layout(self) -> Option<Layout> {
        self.entry().and_then(|k| k.layout)
    }

    /// The type with this name, ignoring case.
    pub fn from_name(name: &str) -> Option<Self> {
        TABLE.iter().find(|k| k.name.eq_ignore_ascii_case(name)).map(|k| k.dtype)
    }

    /// The names of all known types, in the order of the table.
    pub fn names() -> impl Iterator<Item = &'static str> {
        TABLE.iter().map(|k| k.name)
    }

    /// Bytes that `elements` elements take, if they can be laid out in whole blocks and nothing overflows.
    pub fn bytes_for(self, elements: u64) -> Option<u64> {
        self.layout()?.bytes_for(elements)
    }

    /// Floating point of any width.
    pub fn is_float(self) -> bool {
        matches!(self, Self::F32 | Self::F16 | Self::BF16 | Self::F64 | Self::F8_E4M3 | Self::F8_E5M2)
    }

    /// Integers: counts and indices, never weights.
    pub fn is_integer(self) -> bool {
        matches!(
            self,
            Self::I8 | Self::I16 | Self::I32 | Self::I64 | Self::BOOL | Self::U8 | Self::U16 | Self::U32 | Self::U64
        )
    }

    /// Neither float nor integer: weights that lost something already, or an unknown number.
    pub fn is_quantized(self) -> bool {
        !self.is_float() && !self.is_integer()
    }

    /// One scale and codes −1, 0, +1 (Q2_0 and its kin: also +2), nothing else.
    pub fn is_ternary(self) -> bool {
        matches!(
            self,
            Self::TQ1_0
                | Self::TQ2_0
                | Self::Q2_0
                | Self::Q2_0_G128
                | Self::PQ2_0
                | Self::T158
                | Self::I2_S
                | Self::I2_S_ARM
                | Self::I2_S_ROWS
        )
    }
}

impl fmt::Display for DType {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self.known_name() {
            Some(name) => f.pad(name),
            None => f.pad(&format!("type {}", self.number)),
        }
    }
}

impl serde::Serialize for DType {
    fn serialize<S: serde::Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.collect_str(self)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_table_is_sorted_and_names_are_unique() {
        assert!(TABLE.windows(2).all(|w| w[0].dtype < w[1].dtype));
        for k in TABLE {
            assert_eq!(DType::from_name(k.name), Some(k.dtype));
        }
    }

    #[test]
    fn sizes_need_whole_blocks_but_where_they_run_over_rows() {
        assert_eq!(DType::TQ2_0.bytes_for(512), Some(132));
        assert_eq!(DType::TQ2_0.bytes_for(500), None);
        assert_eq!(DType::T158.bytes_for(500), Some(132));
        assert_eq!(DType::I2_S.bytes_for(256), Some(64 + 32));
        assert_eq!(DType::I2_S.bytes_for(200), None);
        assert_eq!(DType::of_number(999).bytes_for(32), None);
        assert_eq!(DType::F64.bytes_for(u64::MAX), None);
        assert_eq!(DType::of_number(999).to_string(), "type 999");
    }

    #[test]
    fn a_number_has_several_meanings_and_some_types_have_none() {
        let names: Vec<String> = DType::Q2_0.meanings().map(|t| t.to_string()).collect();
        assert_eq!(names, ["Q2_0", "Q2_0_G128", "TL2_42"]);
        assert_eq!((DType::T158.number(), DType::U8.number()), (Some(30), None));
        assert_eq!(DType::of_number(u32::MAX).number(), Some(u32::MAX));
        assert_eq!(DType::U8.meanings().count() + DType::of_number(u32::MAX).meanings().count(), 0);
    }
}
