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
    /// For the least error of the layer's output, under the second moments of its input
    /// ([`calibrated`](crate::engine::calibrated)); codes rows, not single blocks.
    Calibrated,
    /// Only for blocks that already are {−s, 0, +s}: keeps them, refuses every other.
    Lossless,
}

impl Method {
    /// Every method that needs the weights alone, best first.
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
            Self::Calibrated => "calibrated",
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
            Self::Calibrated => "least error of the layer's output, under the moments of its input",
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
        Self::ALL.into_iter().chain([Self::Calibrated]).find(|m| m.name().eq_ignore_ascii_case(s)).ok_or_else(|| {
            format!("unknown method '{s}': one of exact, absmean, refit, twn, max, calibrated, lossless")
        })
    }
}

/// How trits and scales are laid out in the file.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub enum Format {
    /// 2.0625 bits a weight, groups of 256; fast on CPUs.
    Tq2_0,
    /// 1.6875 bits a weight, groups of 256; the smallest.
    Tq1_0,
    /// 2.25 bits a weight, groups of 64; runs in the most backends.
    Q2_0,
    /// 2.125 bits a weight, groups of 128; PrismML's fork.
    Q2_0G128,
    /// 2 bits a weight, one scale for the tensor; bitnet.cpp.
    I2S,
    /// I2_S in the packing of ARM builds.
    I2SArm,
    /// 2.0625 bits a weight, groups of 256 over the flattened tensor; ruvllm.
    T158,
    /// 1.5625 bits a weight: ternary vectors of a codebook, shifted by an eighth of their scale; llama.cpp.
    Iq1S,
}

/// What is fixed about a format.
struct Facts {
    name: &'static str,
    describe: &'static str,
    dtype: DType,
    /// Weights that are packed together.
    block_len: usize,
    block_bytes: usize,
    /// `general.file_type` of a model whose larger part is in this format, where a number for it exists.
    file_type: Option<u32>,
    /// Which runtime loads it, where stock llama.cpp does not.
    runtime: Option<&'static str>,
}

impl Format {
    /// Every format.
    pub const ALL: [Self; 8] =
        [Self::Tq2_0, Self::Tq1_0, Self::Q2_0, Self::Q2_0G128, Self::I2S, Self::I2SArm, Self::T158, Self::Iq1S];

    /// Those whose blocks are trits and one f16 scale, in rows: what ggml's own ternary types are.
    pub const IN_ROWS: [Self; 4] = [Self::Tq2_0, Self::Tq1_0, Self::Q2_0, Self::Q2_0G128];

    fn facts(self) -> Facts {
        let facts = |name, describe, dtype, (block_len, block_bytes), file_type, runtime| Facts {
            name,
            describe,
            dtype,
            block_len,
            block_bytes,
            file_type,
            runtime,
        };
        let (prism, bitnet, ruvllm) = ("PrismML's fork of llama.cpp", "bitnet.cpp", "ruvllm");
        match self {
            Self::Tq2_0 => {
                let what = "2.06 bpw, groups of 256, fast on CPU";
                facts("tq2_0", what, DType::TQ2_0, (256, 66), Some(37), None)
            }
            Self::Tq1_0 => facts("tq1_0", "1.69 bpw, groups of 256, smallest", DType::TQ1_0, (256, 54), Some(36), None),
            Self::Q2_0 => {
                facts("q2_0", "2.25 bpw, groups of 64, widest support", DType::Q2_0, (64, 18), Some(41), None)
            }
            Self::Q2_0G128 => {
                let what = "2.13 bpw, groups of 128, PrismML's fork only";
                facts("q2_0_g128", what, DType::Q2_0_G128, (128, 34), Some(41), Some(prism))
            }
            Self::I2S => {
                let what = "2.00 bpw, one scale a tensor, bitnet.cpp only (x86 packing)";
                facts("i2_s", what, DType::I2_S, (128, 32), Some(40), Some(bitnet))
            }
            Self::I2SArm => {
                let what = "2.00 bpw, one scale a tensor, bitnet.cpp only (ARM packing)";
                facts("i2_s_arm", what, DType::I2_S_ARM, (64, 16), Some(40), Some(bitnet))
            }
            Self::T158 => {
                facts("t158", "2.06 bpw, groups of 256, ruvllm only", DType::T158, (256, 66), None, Some(ruvllm))
            }
            Self::Iq1S => {
                let what = "1.56 bpw, codebook, nearly ternary; wants an imatrix";
                facts("iq1_s", what, DType::IQ1_S, (256, 50), Some(24), None)
            }
        }
    }

    /// Name on the command line, in recipes and in JSON.
    pub fn name(self) -> &'static str {
        self.facts().name
    }

    /// One line for help and the interface.
    pub fn describe(self) -> &'static str {
        self.facts().describe
    }

    /// The tensor type it is stored as.
    pub fn dtype(self) -> DType {
        self.facts().dtype
    }

    /// The format that a tensor type stores, if it is one that is written.
    pub fn from_dtype(dtype: DType) -> Option<Self> {
        Self::ALL.into_iter().find(|f| f.dtype() == dtype)
    }

    /// Weights that are packed together; they share a scale but where the whole tensor has one.
    pub fn block_len(self) -> usize {
        self.facts().block_len
    }

    /// Bytes of one block.
    pub fn block_bytes(self) -> usize {
        self.facts().block_bytes
    }

    /// `general.file_type` of a model whose larger part is in this format (llama.cpp's `llama_ftype`, or the fork's that
    /// has the format), where there is a number for it.
    pub fn file_type(self) -> Option<u32> {
        self.facts().file_type
    }

    /// Which runtime loads it, where stock llama.cpp does not.
    pub fn only_in(self) -> Option<&'static str> {
        self.facts().runtime
    }

    /// One f32 scale for the whole tensor.
    pub fn has_one_scale(self) -> bool {
        matches!(self, Self::I2S | Self::I2SArm)
    }

    /// Whether a block is trits and a scale. IQ1_S is not: its blocks are searched for in a codebook, by no [`Method`].
    pub fn is_plain(self) -> bool {
        self != Self::Iq1S
    }

    /// Whether kernels move groups of 256 of its weights to and from other formats.
    pub fn moves_in_groups(self) -> bool {
        !matches!(self, Self::I2SArm | Self::Iq1S)
    }

    /// Whether a tensor of `elements` elements in rows of `row` can be laid out so.
    pub fn takes(self, row: u64, elements: u64) -> bool {
        self.dtype().layout().is_some_and(|l| l.takes(row, elements))
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
        Self::ALL.into_iter().find(|f| f.name().eq_ignore_ascii_case(s)).ok_or_else(|| {
            let names: Vec<&str> = Self::ALL.iter().map(|f| f.name()).collect();
            format!("unknown format '{s}': one of {}", names.join(", "))
        })
    }
}

impl serde::Serialize for Format {
    fn serialize<S: serde::Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.serialize_str(self.name())
    }
}

impl<'de> serde::Deserialize<'de> for Format {
    fn deserialize<D: serde::Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        String::deserialize(deserializer)?.parse().map_err(serde::de::Error::custom)
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
            assert_eq!(format.name().parse(), Ok(format));
        }
    }
}
