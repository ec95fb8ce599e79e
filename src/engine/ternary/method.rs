//! The names of what a user chooses: the quantization [`Method`] and the ternary [`Format`].
//!
//! Only names and geometry live here; how a method picks its trits is in the sibling files, how a format lays them
//! out in bytes is in [`crate::engine::codec`].

use std::fmt;
use std::str::FromStr;

use crate::engine::codec::DType;

/// How a block's scale and trits are chosen.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord, serde::Serialize, serde::Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Method {
    /// The least squared error there is: sort, prefix sums, best support.
    Exact,
    /// Threshold 0.75·mean|w|, scale the mean of the survivors (TWN, arXiv 1605.04711).
    Twn,
    /// Trits of absmean, scale refitted by least squares.
    Refit,
    /// γ = mean|w|, t = round(w/γ) clamped (BitNet b1.58, arXiv 2402.17764).
    Absmean,
    /// d = max|w|, t = round(w/d): llama.cpp's own rule. Right only for weights that are already ternary.
    Max,
    /// Only for blocks that already are {−s, 0, +s}: keeps them, refuses every other.
    Lossless,
}

impl Method {
    /// Every method, best first.
    pub const ALL: [Self; 6] = [Self::Exact, Self::Twn, Self::Refit, Self::Absmean, Self::Max, Self::Lossless];

    /// The methods that take any weights, best first: those that are compared side by side.
    pub const COMPARED: [Self; 5] = [Self::Exact, Self::Twn, Self::Refit, Self::Absmean, Self::Max];

    /// Name on the command line, in recipes and in JSON.
    pub fn name(self) -> &'static str {
        match self {
            Self::Exact => "exact",
            Self::Twn => "twn",
            Self::Refit => "refit",
            Self::Absmean => "absmean",
            Self::Max => "max",
            Self::Lossless => "lossless",
        }
    }

    /// One line for help and the interface.
    pub fn describe(self) -> &'static str {
        match self {
            Self::Exact => "least squared error, proven optimum per block",
            Self::Twn => "threshold 0.75·mean, mean of the survivors",
            Self::Refit => "absmean's trits, least-squares scale",
            Self::Absmean => "BitNet b1.58: scale mean|w|, round and clamp",
            Self::Max => "llama.cpp's rule: scale max|w|",
            Self::Lossless => "only blocks that are ternary already",
        }
    }
}

impl fmt::Display for Method {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.pad(self.name())
    }
}

impl FromStr for Method {
    type Err = String;

    fn from_str(s: &str) -> Result<Self, String> {
        Self::ALL
            .into_iter()
            .find(|m| m.name().eq_ignore_ascii_case(s))
            .ok_or_else(|| format!("unknown method '{s}': one of exact, absmean, refit, twn, max, lossless"))
    }
}

/// How trits and scales are laid out in the file.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord, serde::Serialize, serde::Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Format {
    /// 2.0625 bits a weight, groups of 256; fast on CPUs.
    Tq2_0,
    /// 1.6875 bits a weight, groups of 256; the smallest.
    Tq1_0,
    /// 2.25 bits a weight, groups of 64; runs in the most backends.
    Q2_0,
}

impl Format {
    /// Every format.
    pub const ALL: [Self; 3] = [Self::Tq2_0, Self::Tq1_0, Self::Q2_0];

    /// Name on the command line, in recipes and in JSON.
    pub fn name(self) -> &'static str {
        match self {
            Self::Tq2_0 => "tq2_0",
            Self::Tq1_0 => "tq1_0",
            Self::Q2_0 => "q2_0",
        }
    }

    /// One line for help and the interface.
    pub fn describe(self) -> &'static str {
        match self {
            Self::Tq2_0 => "2.06 bpw, groups of 256, fast on CPU",
            Self::Tq1_0 => "1.69 bpw, groups of 256, smallest",
            Self::Q2_0 => "2.25 bpw, groups of 64, widest support",
        }
    }

    /// The tensor type it is stored as.
    pub fn dtype(self) -> DType {
        match self {
            Self::Tq2_0 => DType::TQ2_0,
            Self::Tq1_0 => DType::TQ1_0,
            Self::Q2_0 => DType::Q2_0,
        }
    }

    /// The format that a tensor type stores, if it is a ternary one.
    pub fn from_dtype(dtype: DType) -> Option<Self> {
        Self::ALL.into_iter().find(|f| f.dtype() == dtype)
    }

    /// Weights that share a scale.
    pub fn block_len(self) -> usize {
        match self {
            Self::Tq2_0 | Self::Tq1_0 => 256,
            Self::Q2_0 => 64,
        }
    }

    /// Bytes of one block.
    pub fn block_bytes(self) -> usize {
        match self {
            Self::Tq2_0 => 66,
            Self::Tq1_0 => 54,
            Self::Q2_0 => 18,
        }
    }

    /// `general.file_type` of a model whose larger part is in this format (llama.cpp's `llama_ftype`).
    pub fn file_type(self) -> u32 {
        match self {
            Self::Tq1_0 => 36,
            Self::Tq2_0 => 37,
            Self::Q2_0 => 41,
        }
    }
}

impl fmt::Display for Format {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.pad(self.name())
    }
}

impl FromStr for Format {
    type Err = String;

    fn from_str(s: &str) -> Result<Self, String> {
        Self::ALL
            .into_iter()
            .find(|f| f.name().eq_ignore_ascii_case(s))
            .ok_or_else(|| format!("unknown format '{s}': one of tq2_0, tq1_0, q2_0"))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn geometry_agrees_with_the_type_table() {
        for format in Format::ALL {
            let layout = format.dtype().layout().unwrap();
            assert_eq!(layout.block_len, format.block_len() as u64);
            assert_eq!(layout.block_bytes, format.block_bytes() as u64);
            assert_eq!(Format::from_dtype(format.dtype()), Some(format));
        }
    }
}
