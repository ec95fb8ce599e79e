//! A model, whatever file it came from: tensors with their roles, metadata, and the reading of weights.
//!
//! [`Model::open`] is lenient: it gives the model and a list of diagnostics. What an export needs to be true is asked by
//! [`Model::require_sound`]. Weights are read range by range; a whole tensor is never held.

pub mod names;
pub mod role;
pub mod roles;
mod tensor;
pub mod tree;

use std::path::{Path, PathBuf};
use std::sync::Arc;

use super::codec;
use super::error::{Diagnostic, Error, Result, Severity};
use super::format::gguf::{Gguf, Value};
use super::format::source::{AlignedBuf, Source};

pub use role::{Role, RoleSet};
pub use tensor::Tensor;

/// How a file is opened.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct OpenOptions {
    /// Map the file, or read it through page-aligned buffers.
    pub mmap: bool,
}

impl Default for OpenOptions {
    fn default() -> Self {
        Self { mmap: true }
    }
}

/// An opened model file.
#[derive(Debug)]
pub struct Model {
    /// The path it was opened by.
    pub path: PathBuf,
    /// Its bytes.
    pub source: Arc<Source>,
    /// The container's index.
    pub gguf: Gguf,
    /// Tensors in file order.
    pub tensors: Vec<Tensor>,
    /// What is odd about the file.
    pub diagnostics: Vec<Diagnostic>,
    /// `general.architecture`, where present.
    pub architecture: Option<String>,
}

impl Model {
    /// Opens a GGUF. Errors: unreadable, or a structure that cannot be followed; everything less is a diagnostic.
    pub fn open(path: &Path, options: OpenOptions) -> Result<Self> {
        let source = Arc::new(Source::open(path, options.mmap)?);
        let mut gguf = Gguf::read(&source)?;
        let mut diagnostics = std::mem::take(&mut gguf.diagnostics);
        let tensors = Tensor::all_of(&gguf);
        for tensor in
            tensors.iter().filter(|t| t.dtype.known_name().is_some() && t.layout_fits && t.decoder().is_none())
        {
            let what = format!("{} is listed but not decoded by this version", tensor.dtype);
            diagnostics.push(Diagnostic::tensor(Severity::Note, "no-decoder", &tensor.name, what));
        }
        let architecture = gguf.get(&source, "general.architecture").and_then(|v| v.as_str().map(str::to_owned));
        if architecture.is_none() {
            let what = "general.architecture is missing: llama.cpp cannot load this file";
            diagnostics.push(Diagnostic::file(Severity::Warning, "no-architecture", what));
        }
        Ok(Self { path: path.to_owned(), source, gguf, tensors, diagnostics, architecture })
    }

    /// A metadata value, arrays without their elements.
    pub fn metadata(&self, key: &str) -> Option<Value> {
        self.gguf.get(&self.source, key)
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

    /// Refuses a file that has a diagnostic of severity `error`: the first of them, and how many more.
    pub fn require_sound(&self) -> Result<()> {
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

    /// Decodes `out.len()` elements of a tensor from element `first` on. Both must be multiples of the block length.
    /// Errors: a type without a decoder, a range outside the tensor, a failed read.
    pub fn read_f32(&self, tensor: &Tensor, first: u64, out: &mut [f32], buffer: &mut AlignedBuf) -> Result<()> {
        let refuse = |what: String| Error::tensor(&self.path, &tensor.name, what);
        let (Some(decode), Some(layout)) = (tensor.decoder(), tensor.dtype.layout()) else {
            return Err(refuse(tensor.undecodable_reason()));
        };
        let len = out.len() as u64;
        let whole = first.is_multiple_of(layout.block_len) && len.is_multiple_of(layout.block_len);
        if !whole || first.checked_add(len).is_none_or(|end| end > tensor.elements()) {
            return Err(refuse(format!(
                "elements {first}..+{len} are no whole blocks of its {} elements",
                tensor.elements()
            )));
        }
        let offset = tensor.offset + first / layout.block_len * layout.block_bytes;
        let bytes = (len / layout.block_len * layout.block_bytes) as usize;
        decode(self.source.slice(offset, bytes, buffer)?, out);
        Ok(())
    }

    /// Raw bytes of a tensor from byte `first` on.
    pub fn read_raw<'a>(
        &'a self,
        tensor: &Tensor,
        first: u64,
        len: usize,
        buffer: &'a mut AlignedBuf,
    ) -> Result<&'a [u8]> {
        if first.checked_add(len as u64).is_none_or(|end| end > tensor.bytes) {
            let what = format!("bytes {first}..+{len} lie outside its {} bytes", tensor.bytes);
            return Err(Error::tensor(&self.path, &tensor.name, what));
        }
        self.source.slice(tensor.offset + first, len, buffer)
    }

    /// Sum of the tensors' elements.
    pub fn parameters(&self) -> u64 {
        self.tensors.iter().fold(0, |n, t| n.saturating_add(t.elements()))
    }

    /// Sum of the tensors' bytes, without padding.
    pub fn tensor_bytes(&self) -> u64 {
        self.tensors.iter().fold(0, |n, t| n.saturating_add(t.bytes))
    }

    /// Where the decoder table has this tensor's type and its bytes are all there.
    pub fn is_decodable(&self, tensor: &Tensor) -> bool {
        codec::decoder(tensor.dtype).is_some() && tensor.layout_fits
    }
}
