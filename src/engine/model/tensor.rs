//! One tensor as the rest of the program sees it: name, shape, type, place, role.

use super::names;
use super::role::Role;
use super::roles;
use crate::engine::codec::{self, DType, Decoder};
use crate::engine::format::gguf::{Gguf, TensorInfo};

/// Type numbers that other tools write with another meaning (formats.md §2 of the design documents): their bytes are
/// taken for ggml's only where the offsets agree.
const AMBIGUOUS: [u32; 5] = [30, 39, 40, 41, 42];

/// Most matrices of a tensor that have figures of their own.
const MAX_SLICES: u64 = 4096;

/// One tensor of a model.
#[derive(Debug, Clone)]
pub struct Tensor {
    /// Name as the file spells it.
    pub name: String,
    /// Dimensions in GGUF order, row length first; empty for a scalar.
    pub dims: Vec<u64>,
    /// Type.
    pub dtype: DType,
    /// Absolute byte offset in the file.
    pub offset: u64,
    /// Bytes of data: by the type where its layout is known and fits, else what the offsets leave.
    pub bytes: u64,
    /// Whether the offsets agree with the type's layout, so that its bytes mean what the number says.
    pub layout_fits: bool,
    /// What it is for.
    pub role: Role,
    /// Layer number, where the name has one.
    pub layer: Option<u32>,
    /// Number of one expert, where each expert is a tensor of its own.
    pub expert: Option<u32>,
}

impl Tensor {
    /// Every tensor of a GGUF, in file order.
    pub fn all_of(gguf: &Gguf) -> Vec<Self> {
        let last_offset = gguf.tensors.iter().map(|t| t.offset).max().unwrap_or(0);
        gguf.tensors.iter().map(|info| Self::from_info(gguf, info, last_offset)).collect()
    }

    fn from_info(gguf: &Gguf, info: &TensorInfo, last_offset: u64) -> Self {
        let fits = info.bytes.is_some_and(|bytes| {
            // Writers differ in what stands behind the last tensor.
            let gap_allowed = info.offset == last_offset || !AMBIGUOUS.contains(&info.dtype.number());
            bytes <= info.extent && (gap_allowed || info.extent - bytes < gguf.alignment)
        });
        let parsed = names::parse(&info.name);
        Self {
            role: roles::role_of(&info.name, &info.dims),
            layer: parsed.layer,
            expert: parsed.expert,
            name: info.name.clone(),
            dims: info.dims.clone(),
            dtype: info.dtype,
            offset: gguf.data_offset.saturating_add(info.offset),
            bytes: info.bytes.filter(|_| fits).unwrap_or(info.extent),
            layout_fits: fits,
        }
    }

    /// Elements.
    pub fn elements(&self) -> u64 {
        self.dims.iter().product()
    }

    /// Elements of a row: the first dimension.
    pub fn row_len(&self) -> u64 {
        self.dims.first().copied().unwrap_or(1)
    }

    /// Rows over all higher dimensions.
    pub fn rows(&self) -> u64 {
        self.dims.iter().skip(1).product()
    }

    /// Dimensions that count: trailing ones do not.
    pub fn rank(&self) -> usize {
        self.dims.iter().rposition(|d| *d != 1).map_or(1, |i| i + 1)
    }

    /// Matrices in the tensor that have figures of their own: the product of the third and fourth dimension, which is
    /// the experts for merged ones. 1 where there are none, or more than anybody would look at.
    pub fn slices(&self) -> u64 {
        let slices = self.dims.iter().skip(2).product();
        if (1..=MAX_SLICES).contains(&slices) { slices } else { 1 }
    }

    /// Bits per weight as stored; 0 for a tensor without elements.
    pub fn bpw(&self) -> f64 {
        if self.elements() == 0 { 0.0 } else { self.bytes as f64 * 8.0 / self.elements() as f64 }
    }

    /// The decoder, if the type has one and the bytes are what the type says.
    pub fn decoder(&self) -> Option<Decoder> {
        codec::decoder(self.dtype).filter(|_| self.layout_fits)
    }

    /// Why [`Tensor::decoder`] is `None`, in words.
    pub fn undecodable_reason(&self) -> String {
        if self.dtype.known_name().is_none() {
            format!("type number {} is not known", self.dtype.number())
        } else if !self.layout_fits {
            format!("its offsets leave {} bytes, which {} does not fit", self.bytes, self.dtype)
        } else {
            format!("{} is not decoded by this version", self.dtype)
        }
    }
}
