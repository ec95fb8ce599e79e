//! One tensor as the rest of the program sees it: name, shape, type, place, role.

use std::sync::Arc;

use super::assembly::Assembly;
use super::names;
use super::role::Role;
use super::roles::{self, Roles};
use crate::engine::codec::{self, DType, Decoder, Fill};
use crate::engine::format::gguf::read::number_words;
use crate::engine::format::gguf::{Dims, Gguf, TensorInfo};

/// Most matrices of a tensor that have figures of their own.
const MAX_SLICES: u64 = 4096;

/// One tensor of a model.
#[derive(Debug, Clone)]
pub struct Tensor {
    /// Name as the file spells it.
    pub name: String,
    /// Other names that patterns may pick it by: those of its parts in the files it was assembled from.
    pub aliases: Vec<String>,
    /// Dimensions in GGUF order, row length first; empty for a scalar.
    pub dims: Dims,
    /// Type.
    pub dtype: DType,
    /// Index of its file in the model.
    pub file: usize,
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
    /// Where its elements come from, if not from one stretch of its file.
    pub assembly: Option<Arc<Assembly>>,
}

impl Tensor {
    /// A tensor with this name, shape (row length first) and type; its place is yet to be filled in.
    pub fn named(name: String, dims: impl Into<Dims>, dtype: DType) -> Self {
        let dims = dims.into();
        let role = roles::role_of(&name, &dims);
        Self::with_role(name, role, dims, dtype)
    }

    fn with_role(name: String, role: Role, dims: Dims, dtype: DType) -> Self {
        let parsed = names::parse(&name);
        let bytes = dtype.bytes_for(dims.iter().product()).unwrap_or(0);
        Self {
            role,
            layer: parsed.layer,
            expert: parsed.expert,
            name,
            aliases: Vec::new(),
            dims,
            dtype,
            file: 0,
            offset: 0,
            bytes,
            layout_fits: true,
            assembly: None,
        }
    }

    /// Every tensor of a GGUF, in file order; `rows_first` where the file writes dimensions the other way round.
    pub fn all_of(gguf: &Gguf, file: usize, rows_first: bool) -> Vec<Self> {
        let last_offset = gguf.tensors.iter().map(|t| t.offset).max().unwrap_or(0);
        let mut roles = Roles::default();
        let infos = gguf.tensors.iter();
        infos.map(|info| Self::from_info(gguf, info, file, (last_offset, rows_first), &mut roles)).collect()
    }

    fn from_info(
        gguf: &Gguf,
        info: &TensorInfo,
        file: usize,
        (last_offset, rows_first): (u64, bool),
        roles: &mut Roles,
    ) -> Self {
        let fits = info.bytes.is_some_and(|bytes| {
            // Writers differ in what stands behind the last tensor. A number with one meaning is believed, and so is
            // that there are no elements.
            let gap_allowed = info.elements() == 0 || info.offset == last_offset || info.dtype.meanings().count() < 2;
            bytes <= info.extent && (gap_allowed || info.extent - bytes < gguf.alignment)
        });
        let mut dims = info.dims.clone();
        if rows_first {
            dims.reverse();
        }
        Self {
            file,
            offset: gguf.data_offset.saturating_add(info.offset),
            bytes: info.bytes.filter(|_| fits).unwrap_or(info.extent),
            layout_fits: fits,
            ..Self::with_role(info.name.clone(), roles.role_of(&info.name, &dims), dims, info.dtype)
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

    /// Matrices in the tensor: the product of the third and fourth dimension, which is the experts for merged ones.
    pub fn matrices(&self) -> u64 {
        self.dims.iter().skip(2).product::<u64>().max(1)
    }

    /// Matrices in the tensor that have figures of their own: the product of the third and fourth dimension, which is
    /// the experts for merged ones. 1 where there are none, more than anybody would look at, or where blocks run over
    /// their ends.
    pub fn slices(&self) -> u64 {
        let slices = self.matrices();
        if slices > MAX_SLICES {
            return 1;
        }
        let block = self.dtype.layout().map_or(1, |l| l.block_len);
        if (self.elements() / slices).is_multiple_of(block) { slices } else { 1 }
    }

    /// Bits per weight as stored; 0 for a tensor without elements.
    pub fn bpw(&self) -> f64 {
        if self.elements() == 0 { 0.0 } else { self.bytes as f64 * 8.0 / self.elements() as f64 }
    }

    /// The decoder, if the type has one and the bytes are what the type says.
    pub fn decoder(&self) -> Option<Decoder> {
        // Four rows share a byte: a last group of fewer would leave the bytes short.
        let whole = self.dtype != DType::I2_S_ROWS || self.rows().is_multiple_of(4);
        codec::decoder(self.dtype).filter(|_| self.layout_fits && whole)
    }

    /// Why its weights cannot be taken to another type: they cannot be decoded, or mean nothing outside their own.
    pub fn bound_reason(&self) -> Option<String> {
        if self.decoder().is_none() {
            return Some(self.undecodable_reason());
        }
        let rotated = "its weights lie in a rotated basis that only PrismML's fork turns back";
        (self.dtype == DType::PQ2_0).then(|| rotated.to_owned())
    }

    /// Whether its blocks share one scale that stands behind them.
    pub fn has_one_scale(&self) -> bool {
        self.dtype.layout().is_some_and(|l| l.fill == Fill::OneScale)
    }

    /// Whether `name` is its name or that of one of its parts.
    pub fn goes_by(&self, name: &str) -> bool {
        self.name == name || self.aliases.iter().any(|alias| alias == name)
    }

    /// Why [`Tensor::decoder`] is `None`, in words.
    pub fn undecodable_reason(&self) -> String {
        if self.dtype.known_name().is_none() {
            format!("{} is not known", number_words(self.dtype))
        } else if self.dtype.layout().is_none() {
            format!("{} is named but has no layout that this version knows", self.dtype)
        } else if !self.layout_fits {
            format!("its offsets leave {} bytes, which {} does not fit", self.bytes, self.dtype)
        } else {
            format!("{} is not decoded by this version", self.dtype)
        }
    }
}
