//! The table of tensor types: number, name, block length, block bytes.
//!
//! Numbers are ggml's (`enum ggml_type` as of mid-2026). A number this table does not know stays a number: its tensors
//! are listed with the size that the offsets leave them and are never decoded by guess.

use std::fmt;

/// A tensor type as a file names it.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct DType(pub u32);

/// Elements and bytes of one block.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Layout {
    /// Elements in a block; a row's length must be a multiple of it.
    pub block_len: u64,
    /// Bytes of a block.
    pub block_bytes: u64,
}

/// One line of the table.
struct Known {
    number: u32,
    name: &'static str,
    /// `None`: the name is known, the layout is not given by the number alone.
    layout: Option<Layout>,
}

const fn known(number: u32, name: &'static str, block_len: u64, block_bytes: u64) -> Known {
    Known { number, name, layout: Some(Layout { block_len, block_bytes }) }
}

/// Types whose number says what they are but whose layout this program does not have.
const fn named(number: u32, name: &'static str) -> Known {
    Known { number, name, layout: None }
}

/// Sorted by number (a test holds it), so that look-ups are binary searches.
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
    known(34, "TQ1_0", 256, 54),
    known(35, "TQ2_0", 256, 66),
    named(36, "I2_S"),
    named(37, "I8_S"),
    named(38, "TL1"),
    known(39, "MXFP4", 32, 17),
    known(40, "NVFP4", 64, 36),
    known(41, "Q1_0", 128, 18),
    known(42, "Q2_0", 64, 18),
    named(134, "IQ1_BN"),
    named(135, "IQ2_BN"),
];

impl DType {
    /// 32-bit float.
    pub const F32: Self = Self(0);
    /// IEEE half float.
    pub const F16: Self = Self(1);
    /// 4 bits in blocks of 32, one scale.
    pub const Q4_0: Self = Self(2);
    /// 4 bits in blocks of 32, scale and minimum.
    pub const Q4_1: Self = Self(3);
    /// 5 bits in blocks of 32, one scale.
    pub const Q5_0: Self = Self(6);
    /// 5 bits in blocks of 32, scale and minimum.
    pub const Q5_1: Self = Self(7);
    /// 8 bits in blocks of 32.
    pub const Q8_0: Self = Self(8);
    /// 2-bit k-quant.
    pub const Q2_K: Self = Self(10);
    /// 3-bit k-quant.
    pub const Q3_K: Self = Self(11);
    /// 4-bit k-quant.
    pub const Q4_K: Self = Self(12);
    /// 5-bit k-quant.
    pub const Q5_K: Self = Self(13);
    /// 6-bit k-quant.
    pub const Q6_K: Self = Self(14);
    /// 8-bit integer.
    pub const I8: Self = Self(24);
    /// 16-bit integer.
    pub const I16: Self = Self(25);
    /// 32-bit integer.
    pub const I32: Self = Self(26);
    /// 64-bit integer.
    pub const I64: Self = Self(27);
    /// 64-bit float.
    pub const F64: Self = Self(28);
    /// Brain float.
    pub const BF16: Self = Self(30);
    /// Ternary, five trits a byte, groups of 256.
    pub const TQ1_0: Self = Self(34);
    /// Ternary, four trits a byte, groups of 256.
    pub const TQ2_0: Self = Self(35);
    /// Two bits (−1, 0, +1, +2) in groups of 64.
    pub const Q2_0: Self = Self(42);

    fn entry(self) -> Option<&'static Known> {
        TABLE.binary_search_by_key(&self.0, |k| k.number).ok().map(|i| &TABLE[i])
    }

    /// The type's number in a GGUF tensor info.
    pub fn number(self) -> u32 {
        self.0
    }

    /// The name, where the number is known.
    pub fn known_name(self) -> Option<&'static str> {
        self.entry().map(|k| k.name)
    }

    /// Block length and bytes, where the number alone gives them.
    pub fn layout(self) -> Option<Layout> {
        self.entry().and_then(|k| k.layout)
    }

    /// The type with this name, ignoring case.
    pub fn from_name(name: &str) -> Option<Self> {
        TABLE.iter().find(|k| k.name.eq_ignore_ascii_case(name)).map(|k| Self(k.number))
    }

    /// Bytes that `elements` elements take, if they fill whole blocks and nothing overflows.
    pub fn bytes_for(self, elements: u64) -> Option<u64> {
        let layout = self.layout()?;
        if !elements.is_multiple_of(layout.block_len) {
            return None;
        }
        (elements / layout.block_len).checked_mul(layout.block_bytes)
    }

    /// Floating point of any width.
    pub fn is_float(self) -> bool {
        matches!(self, Self::F32 | Self::F16 | Self::BF16 | Self::F64)
    }

    /// Integers: counts and indices, never weights.
    pub fn is_integer(self) -> bool {
        matches!(self, Self::I8 | Self::I16 | Self::I32 | Self::I64)
    }

    /// Neither float nor integer: weights that lost something already, or an unknown number.
    pub fn is_quantized(self) -> bool {
        !self.is_float() && !self.is_integer()
    }
}

impl fmt::Display for DType {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self.known_name() {
            Some(name) => f.pad(name),
            None => f.pad(&format!("type {}", self.0)),
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
        assert!(TABLE.windows(2).all(|w| w[0].number < w[1].number));
        for k in TABLE {
            assert_eq!(DType::from_name(k.name), Some(DType(k.number)));
        }
    }

    #[test]
    fn sizes_need_whole_blocks() {
        assert_eq!(DType::TQ2_0.bytes_for(512), Some(132));
        assert_eq!(DType::TQ2_0.bytes_for(500), None);
        assert_eq!(DType(999).bytes_for(32), None);
        assert_eq!(DType::F64.bytes_for(u64::MAX), None);
        assert_eq!(DType(999).to_string(), "type 999");
    }
}
