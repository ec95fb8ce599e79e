//! A model, whatever files it came from: tensors with their roles, metadata, and the reading of weights.
//!
//! [`Model::open`] (in [`mod@open`]) is lenient: it gives the model and a list of diagnostics. What an export needs to be
//! true is asked by [`Model::require_sound`]. Weights are read range by range; a whole tensor is never held.

pub mod assembly;
pub mod codes;
pub mod elements;
pub mod metadata;
pub mod names;
mod open;
pub mod role;
pub mod roles;
pub mod templates;
mod tensor;
pub mod tree;
pub mod vocabulary;

use std::path::PathBuf;
use std::sync::Arc;

use super::codec::dialect::Finding;
use super::codec::{DType, Decoder, Fill, Layout};
use super::error::{Diagnostic, Error, Result, Severity};
use super::format::gguf::{Gguf, Value};
use super::format::source::{AlignedBuf, FileId, Source, Stamp};
use super::ternary::kernels::Weights;

pub use metadata::Metadata;
pub use open::OpenOptions;
pub use role::{Role, RoleSet};
pub use tensor::Tensor;

/// Code of the diagnostic that says that a file ends too early.
pub(in crate::engine) const TRUNCATED: &str = "truncated";

/// What kind of files a model came from.
#[derive(Debug, Clone)]
pub enum Container {
    /// A GGUF, whole or in shards: their indices, in order.
    Gguf(Vec<Gguf>),
    /// Safetensors, whole or in shards: the length of each file's header.
    Safetensors(Vec<u64>),
    /// Safetensors shown as the GGUF that they would become; the length of each file's header.
    Converted(Vec<u64>),
}

/// An opened model.
#[derive(Debug, Clone)]
pub struct Model {
    /// The path it was opened by.
    pub path: PathBuf,
    /// Its files, in order; at least one.
    pub files: Vec<Arc<Source>>,
    /// What kind of files they are.
    pub container: Container,
    /// Metadata, in order.
    pub metadata: Metadata,
    /// Tensors in file order.
    pub tensors: Vec<Tensor>,
    /// What type numbers with several meanings mean here.
    pub dialects: Vec<Finding>,
    /// What is odd about the file.
    pub diagnostics: Vec<Diagnostic>,
    /// `general.architecture`, where present.
    pub architecture: Option<String>,
    /// Alignment of the data section.
    pub alignment: u64,
    /// Whether the file writes dimensions rows first (its tensors here have them in GGUF order all the same).
    pub rows_first: bool,
}

impl Model {
    /// The index of the first GGUF file, where it came from one.
    pub fn gguf(&self) -> Option<&Gguf> {
        match &self.container {
            Container::Gguf(shards) => shards.first(),
            Container::Safetensors(_) | Container::Converted(_) => None,
        }
    }

    /// The file it was opened by, or the first of several.
    pub fn source(&self) -> &Arc<Source> {
        &self.files[0]
    }

    /// Identities of its files.
    pub fn file_ids(&self) -> Vec<FileId> {
        self.files.iter().map(|f| f.id()).collect()
    }

    /// What its files were when they were opened.
    pub fn stamps(&self) -> Vec<Stamp> {
        self.files.iter().map(|f| f.stamp()).collect()
    }

    /// Bytes of all files.
    pub fn file_bytes(&self) -> u64 {
        self.files.iter().fold(0, |n, f| n.saturating_add(f.len()))
    }

    /// What kind of files it came from, in words.
    pub fn container_words(&self) -> String {
        let shards = |n: usize| if n > 1 { format!(", {n} shards") } else { String::new() };
        match &self.container {
            Container::Gguf(all) => {
                format!("GGUF v{}{}", all.first().map_or(0, |g| g.version), shards(all.len()))
            }
            Container::Safetensors(all) => format!("safetensors{}", shards(all.len())),
            Container::Converted(_) => format!("safetensors as GGUF{}", shards(self.files.len())),
        }
    }

    /// A metadata value, arrays without their elements.
    pub fn metadata(&self, key: &str) -> Option<Value> {
        self.metadata.get(key)
    }

    /// A metadata value under the architecture's prefix: `block_count` is `llama.block_count`.
    pub fn hyperparameter(&self, name: &str) -> Option<Value> {
        self.metadata(&format!("{}.{name}", self.architecture.as_deref()?))
    }

    /// `general.name`, or the file's name.
    pub fn title(&self) -> String {
        self.metadata("general.name").and_then(|v| v.as_str().map(str::to_owned)).unwrap_or_else(|| {
            self.path.file_name().map_or_else(|| self.path.display().to_string(), |n| n.to_string_lossy().into_owned())
        })
    }

    /// What there is to say of a file that ends too early.
    pub fn cut_off(&self) -> Option<&str> {
        self.diagnostics.iter().find(|d| d.code == TRUNCATED).map(|d| d.message.as_str())
    }

    /// Refuses a file that has a diagnostic of severity `error`: the first of them, and how many more. Of one that is cut
    /// off that is all there is to say.
    pub fn require_sound(&self) -> Result<()> {
        if let Some(what) = self.cut_off() {
            return Err(Error::content(&self.path, what));
        }
        let mut errors = self.diagnostics.iter().filter(|d| d.severity == Severity::Error);
        let Some(first) = errors.next() else {
            return Ok(());
        };
        let more = errors.count();
        let more = if more == 0 { String::new() } else { format!("; and {more} more, which `inspect` lists") };
        let what = format!("{} [{}]{more}", first.message, first.code);
        Err(match &first.tensor {
            Some(tensor) => Error::tensor(&self.path, tensor, what),
            None => Error::format(&self.path, first.offset.unwrap_or(0), what),
        })
    }

    /// The index of the tensor with this name.
    pub fn find(&self, name: &str) -> Option<usize> {
        self.tensors.iter().position(|t| t.name == name)
    }

    /// Whether the model has routed experts.
    pub fn has_routed_experts(&self) -> bool {
        self.tensors.iter().any(|t| t.role.is_routed_expert())
    }

    /// The same model, read through buffers. Errors: a file cannot be opened again, or is not what it was.
    pub fn unmapped(&self) -> Result<Self> {
        let again = |file: &Arc<Source>| {
            let opened = Source::open(file.path(), false)?;
            if opened.stamp() == file.stamp() {
                return Ok(Arc::new(opened));
            }
            Err(Error::content(file.path(), "it was changed after it was opened"))
        };
        Ok(Self { files: self.files.iter().map(again).collect::<Result<_>>()?, ..self.clone() })
    }

    /// The file that a tensor lies in.
    pub(in crate::engine) fn file_of(&self, tensor: &Tensor) -> Result<&Source> {
        let missing = || Error::tensor(&self.path, &tensor.name, "its file is not open");
        self.files.get(tensor.file).map(AsRef::as_ref).ok_or_else(missing)
    }

    /// Decodes `out.len()` elements of a tensor from element `first` on. Both must be multiples of the block length; where
    /// blocks run over the flattened tensor the range may end with it.
    /// Errors: a type without a decoder, a range outside the tensor, a failed read.
    pub fn read_f32(&self, tensor: &Tensor, first: u64, out: &mut [f32], buffer: &mut AlignedBuf) -> Result<()> {
        let refuse = |what: String| Error::tensor(&self.path, &tensor.name, what);
        let (Some(decoder), Some(layout)) = (tensor.decoder(), tensor.dtype.layout()) else {
            return Err(refuse(tensor.undecodable_reason()));
        };
        let len = out.len() as u64;
        let end = first.checked_add(len).filter(|end| *end <= tensor.elements());
        let whole = first.is_multiple_of(layout.block_len)
            && (len.is_multiple_of(layout.block_len) || layout.fill == Fill::Flat && end == Some(tensor.elements()));
        if !whole || end.is_none() {
            return Err(refuse(format!(
                "elements {first}..+{len} are no whole blocks of its {} elements",
                tensor.elements()
            )));
        }
        if let Some(assembly) = &tensor.assembly {
            return assembly.read_f32(&self.files, first, out, buffer);
        }
        match decoder {
            Decoder::FourRows(decode) => self.read_four_rows(tensor, decode, first, out, buffer),
            Decoder::Blocks(decode) => {
                let blocks = self.blocks(tensor, layout, first, len, buffer)?;
                let (whole, rest) = out.split_at_mut((len / layout.block_len * layout.block_len) as usize);
                let (whole_blocks, last) = blocks.split_at((len / layout.block_len * layout.block_bytes) as usize);
                decode(whole_blocks, whole);
                if !rest.is_empty() {
                    let mut block = vec![0.0; layout.block_len as usize];
                    decode(last, &mut block);
                    rest.copy_from_slice(&block[..rest.len()]);
                }
                Ok(())
            }
            Decoder::OneScale(decode) => {
                let scale = self.one_scale(tensor)?;
                decode(self.blocks(tensor, layout, first, len, buffer)?, scale, out);
                Ok(())
            }
        }
    }

    /// The bytes of the blocks that hold elements `first .. first + len`.
    fn blocks<'a>(
        &'a self,
        tensor: &Tensor,
        layout: Layout,
        first: u64,
        len: u64,
        buffer: &'a mut AlignedBuf,
    ) -> Result<&'a [u8]> {
        let offset = tensor.offset + first / layout.block_len * layout.block_bytes;
        let bytes = (len.div_ceil(layout.block_len) * layout.block_bytes) as usize;
        self.file_of(tensor)?.slice(offset, bytes, buffer)
    }

    /// The one scale of an I2_S tensor: the f32 behind its blocks.
    pub fn one_scale(&self, tensor: &Tensor) -> Result<f32> {
        let mut buffer = AlignedBuf::new();
        let bytes = self.file_of(tensor)?.slice(tensor.offset + tensor.elements() / 4, 4, &mut buffer)?;
        Ok(f32::from_le_bytes(std::array::from_fn(|i| bytes[i])))
    }

    /// Byte (r div 4)·cols + c holds column c of rows 4k … 4k + 3.
    fn read_four_rows(
        &self,
        tensor: &Tensor,
        decode: fn(&[u8], usize, f32, &mut [f32]),
        first: u64,
        out: &mut [f32],
        buffer: &mut AlignedBuf,
    ) -> Result<()> {
        let scale = self.one_scale(tensor)?;
        let columns = tensor.row_len().max(1);
        let mut at = first;
        let mut rest = out;
        while !rest.is_empty() {
            let (row, column) = (at / columns, at % columns);
            let len = (columns - column).min(rest.len() as u64);
            let offset = tensor.offset + row / 4 * columns + column;
            let bytes = self.file_of(tensor)?.slice(offset, len as usize, buffer)?;
            let (now, later) = rest.split_at_mut(len as usize);
            decode(bytes, (row % 4) as usize, scale, now);
            (rest, at) = (later, at + len);
        }
        Ok(())
    }

    /// Elements of a tensor from `first` on: F16 and BF16 as they are in the file, all else decoded into `decoded`.
    /// Errors: as [`Model::read_f32`].
    pub fn read_weights<'a>(
        &'a self,
        tensor: &'a Tensor,
        (first, len): (u64, u64),
        decoded: &'a mut Vec<f32>,
        buffer: &'a mut AlignedBuf,
    ) -> Result<Weights<'a>> {
        let short = matches!(tensor.dtype, DType::F16 | DType::BF16) && tensor.assembly.is_none();
        if !short {
            decoded.resize(len as usize, 0.0);
            self.read_f32(tensor, first, decoded, buffer)?;
            return Ok(Weights::F32(decoded));
        }
        let pairs = self.read_raw(tensor, 2 * first, 2 * len as usize, buffer)?.as_chunks::<2>().0;
        Ok(if tensor.dtype == DType::F16 { Weights::F16(pairs) } else { Weights::BF16(pairs) })
    }

    /// Raw bytes of a tensor from byte `first` on.
    pub fn read_raw<'a>(
        &'a self,
        tensor: &'a Tensor,
        first: u64,
        len: usize,
        buffer: &'a mut AlignedBuf,
    ) -> Result<&'a [u8]> {
        if first.checked_add(len as u64).is_none_or(|end| end > tensor.bytes) {
            let what = format!("bytes {first}..+{len} lie outside its {} bytes", tensor.bytes);
            return Err(Error::tensor(&self.path, &tensor.name, what));
        }
        match &tensor.assembly {
            Some(assembly) => assembly.read_raw(&self.files, first, len, buffer),
            None => self.file_of(tensor)?.slice(tensor.offset + first, len, buffer),
        }
    }

    /// Sum of the tensors' elements.
    pub fn parameters(&self) -> u64 {
        self.tensors.iter().fold(0, |n, t| n.saturating_add(t.elements()))
    }

    /// Sum of the tensors' bytes, without padding.
    pub fn tensor_bytes(&self) -> u64 {
        self.tensors.iter().fold(0, |n, t| n.saturating_add(t.bytes))
    }
}
