//! Second moments of what goes into the linear layers: for an input x, H = E[x·xᵀ] over the tokens of a text.
//!
//! A file of them is safetensors with a fixed form (docs/moments.md): `NAME.moments`, upper triangles packed row by row,
//! one for each expert, and `NAME.tokens`, how many tokens each is the mean of. An input that feeds several weights is
//! there once, under the name of the first. Opening reads and checks the header and the counts; values stay on the disk
//! until [`Moments::read`] has them, and are checked each time. Nothing here knows what becomes of them.

mod facts;
mod header;
mod imatrix;
mod merge;
mod packed;
mod write;

pub use facts::Facts;
pub use imatrix::to_imatrix;
pub use merge::merge;
pub use packed::Packed;
pub use write::{Output, Planned, Store, Writer};

use std::collections::HashMap;
use std::path::{Path, PathBuf};
use std::sync::{Arc, Mutex, PoisonError};

use super::codec::decoder;
use super::error::{Error, Result};
use super::format::source::{AlignedBuf, FileId, Source};

/// `format` in the metadata.
const FORMAT: &str = "tritscope.moments";
/// The version that is read and written.
pub const VERSION: u32 = 1;
/// What the two tensors of an input are called behind its name.
const MOMENTS: &str = ".moments";
const TOKENS: &str = ".tokens";

/// A file of moments, opened.
#[derive(Debug)]
pub struct Moments {
    /// The file.
    pub path: PathBuf,
    source: Source,
    about: About,
    entries: Vec<Entry>,
    /// Where the entry of each weight stands.
    by_weight: HashMap<String, usize>,
    /// The mean over the experts of the entry that was last asked for, by the offset of its values.
    mean: Mutex<Option<(u64, Arc<Packed>)>>,
}

/// What a file says about itself.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct About {
    /// Identity of the model, as its maker gives it: `tritscope.source` of ARCHITECTURE.md for a GGUF.
    pub model: Option<String>,
    /// Tokens of text that went through the model.
    pub tokens: u64,
    /// xxh3-128 of each text, in hex; empty where the file does not say.
    pub texts: Vec<String>,
    /// What made the file.
    pub tool: Option<String>,
    /// Version of the form.
    pub version: u32,
}

/// One input.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Entry {
    /// Name of the first weight that the input feeds.
    pub name: String,
    /// All weights that it feeds, the first included.
    pub weights: Vec<String>,
    /// Values of the input: elements of a row of each of those weights.
    pub columns: usize,
    /// Experts with moments of their own; 1 for a plain weight.
    pub experts: usize,
    /// Tokens that each expert's moments are the mean of; 0 only where there are several experts.
    pub tokens: Vec<u64>,
    /// How the values are stored.
    pub store: Store,
    /// Where the values begin in the file.
    offset: u64,
}

impl Entry {
    /// Tokens of all experts together.
    pub fn total_tokens(&self) -> u64 {
        self.tokens.iter().fold(0, |n, t| n.saturating_add(*t))
    }

    /// Bytes that its values take in the file.
    pub fn bytes(&self) -> u64 {
        (self.experts as u64).saturating_mul(self.matrix_bytes())
    }

    fn matrix_bytes(&self) -> u64 {
        (packed::len(self.columns) as u64).saturating_mul(self.store.size())
    }
}

impl Moments {
    /// Opens a file: reads the header and the counts, and checks names, shapes and lengths. Values are not looked at.
    pub fn open(path: &Path) -> Result<Self> {
        let source = Source::open(path, true)?;
        let (about, entries) = header::read(&source)?;
        let mut by_weight = HashMap::new();
        for (i, entry) in entries.iter().enumerate() {
            by_weight.extend(entry.weights.iter().map(|weight| (weight.clone(), i)));
        }
        Ok(Self { path: path.to_owned(), source, about, entries, by_weight, mean: Mutex::new(None) })
    }

    /// The inputs, in the natural order of their names.
    pub fn entries(&self) -> &[Entry] {
        &self.entries
    }

    /// What the file says about itself.
    pub fn about(&self) -> &About {
        &self.about
    }

    /// Length of the file in bytes.
    pub fn file_len(&self) -> u64 {
        self.source.len()
    }

    /// Which file it is, so that no output is written over it.
    pub fn id(&self) -> FileId {
        self.source.id()
    }

    /// The input that feeds `weight`, whose rows have `row_len` elements and which is merged from `experts` matrices (1
    /// for a plain one). `None` where the file does not have it; an error where it has another size.
    pub fn of(&self, weight: &str, row_len: u64, experts: u64) -> Result<Option<&Entry>> {
        let Some(entry) = self.entry(weight) else { return Ok(None) };
        if entry.columns as u64 == row_len && entry.experts as u64 == experts {
            return Ok(Some(entry));
        }
        let (columns, measured) = (entry.columns, entry.experts);
        Err(Error::tensor(
            &self.path,
            weight,
            format!(
                "the moments are of {columns} columns × {measured} experts, the tensor has rows of {row_len} × {experts} experts"
            ),
        ))
    }

    /// The input that feeds `weight`, whatever its size.
    pub fn entry(&self, weight: &str) -> Option<&Entry> {
        self.by_weight.get(weight).and_then(|i| self.entries.get(*i))
    }

    /// Moments of one expert (0 for a plain weight). Every value is checked: finite, no negative square, not all squares
    /// zero, and no product above what its two squares allow; of an expert without tokens, zeros throughout.
    pub fn read(&self, entry: &Entry, expert: usize) -> Result<Packed> {
        let mut buffer = AlignedBuf::new();
        let bytes = self.bytes_of(entry, expert, &mut buffer)?;
        let mut values = vec![0.0; packed::len(entry.columns)];
        if !decoder(entry.store.dtype()).is_some_and(|decoder| decoder.decode_blocks(bytes, &mut values)) {
            return Err(self.refuse(entry, expert, format!("{} bytes cannot be decoded", bytes.len())));
        }
        let packed = Packed { columns: entry.columns, values };
        let tokens = entry.tokens.get(expert).copied().unwrap_or(0);
        packed.check(tokens).map_err(|what| self.refuse(entry, expert, what))?;
        Ok(packed)
    }

    /// The diagonal of one expert alone: the means of squares, finite and not negative. Reads nothing else.
    pub fn diagonal(&self, entry: &Entry, expert: usize) -> Result<Vec<f32>> {
        let mut buffer = AlignedBuf::new();
        let bytes = self.bytes_of(entry, expert, &mut buffer)?;
        let size = entry.store.size() as usize;
        let at = |i: usize| {
            let start = packed::row_start(entry.columns, i) * size;
            bytes.get(start..start + size).map_or(f32::NAN, |raw| entry.store.value(raw))
        };
        let diagonal: Vec<f32> = (0..entry.columns).map(at).collect();
        let tokens = entry.tokens.get(expert).copied().unwrap_or(0);
        packed::check_diagonal(&diagonal, tokens).map_err(|what| self.refuse(entry, expert, what))?;
        Ok(diagonal)
    }

    /// Moments of one expert, drawn to the layer's where its tokens are few: w·H + (1 − w)·M, where M is the mean over
    /// all experts weighted by their tokens, and w = tokens ÷ (tokens + columns). An expert with as many tokens as
    /// columns is half its own; one without tokens is the layer's mean; plain weights stay as they are.
    pub fn read_shrunk(&self, entry: &Entry, expert: usize) -> Result<Packed> {
        let mut own = self.read(entry, expert)?;
        if entry.experts == 1 {
            return Ok(own);
        }
        let mean = self.layer_mean(entry)?;
        let tokens = entry.tokens.get(expert).copied().unwrap_or(0) as f64;
        let weight = tokens / (tokens + entry.columns as f64);
        for (value, mean) in own.values.iter_mut().zip(&mean.values) {
            *value = (weight * f64::from(*value) + (1.0 - weight) * f64::from(*mean)) as f32;
        }
        Ok(own)
    }

    /// The mean over all experts of an input, weighted by their tokens. The last one is kept.
    pub fn layer_mean(&self, entry: &Entry) -> Result<Arc<Packed>> {
        let mut kept = self.mean.lock().unwrap_or_else(PoisonError::into_inner);
        if let Some((_, mean)) = kept.as_ref().filter(|(offset, _)| *offset == entry.offset) {
            return Ok(Arc::clone(mean));
        }
        let mut sums = vec![0.0f64; packed::len(entry.columns)];
        for (expert, tokens) in entry.tokens.iter().enumerate().filter(|(_, tokens)| **tokens > 0) {
            let own = self.read(entry, expert)?;
            sums.iter_mut().zip(&own.values).for_each(|(sum, value)| *sum += *tokens as f64 * f64::from(*value));
        }
        let total = entry.total_tokens() as f64;
        let values = sums.into_iter().map(|sum| (sum / total) as f32).collect();
        let mean = Arc::new(Packed { columns: entry.columns, values });
        *kept = Some((entry.offset, Arc::clone(&mean)));
        Ok(mean)
    }

    /// The stored bytes of one expert.
    fn bytes_of<'a>(&'a self, entry: &Entry, expert: usize, buffer: &'a mut AlignedBuf) -> Result<&'a [u8]> {
        if expert >= entry.experts {
            return Err(self.refuse(entry, expert, format!("there are moments of {} experts only", entry.experts)));
        }
        let bytes = entry.matrix_bytes();
        let Ok(len) = usize::try_from(bytes) else {
            return Err(self.refuse(entry, expert, format!("{bytes} bytes are more than this machine can address")));
        };
        self.source.slice(entry.offset + expert as u64 * bytes, len, buffer)
    }

    fn refuse(&self, entry: &Entry, expert: usize, what: String) -> Error {
        let what = if entry.experts > 1 { format!("expert {expert}: {what}") } else { what };
        Error::tensor(&self.path, &format!("{}{MOMENTS}", entry.name), what)
    }
}
