//! Importance matrices: how much each input channel of a tensor counts, as `llama-imatrix` measured it.
//!
//! Two forms are read, the current GGUF and the older `.dat` (legacy); the first four bytes tell which it is. A file is
//! read whole and checked whole: figures that are no figures (NaN, infinities, negative sums) are refused here, so that
//! nobody has to ask again. Nothing here knows how importance is used.

mod gguf;
mod importance;
mod legacy;
mod notes;
mod summary;

pub use importance::{Importance, Mismatch};
pub use summary::Summary;

use std::collections::HashMap;
use std::path::{Path, PathBuf};

use super::error::{Diagnostic, Error, Result};
use super::format::gguf::MAGIC;
use super::format::source::{AlignedBuf, Source};

/// Values read and checked at a time: a buffer of 256 KiB.
const PIECE: usize = 1 << 16;

/// An importance matrix in memory.
#[derive(Debug, Clone, PartialEq)]
pub struct Imatrix {
    /// The file.
    pub path: PathBuf,
    entries: Vec<Entry>,
    by_name: HashMap<String, usize>,
    /// Chunks of text it was measured on, where the file says so.
    pub chunks: Option<u64>,
    /// Tokens of a chunk; legacy files do not say.
    pub chunk_size: Option<u64>,
    /// Names of the text files it was measured on, as they were called on the machine that did it.
    pub datasets: Vec<String>,
    /// Read from the `.dat` form.
    pub legacy: bool,
    /// What is odd about the file.
    pub diagnostics: Vec<Diagnostic>,
}

/// What the file has about one weight tensor.
#[derive(Debug, Clone, PartialEq)]
pub struct Entry {
    /// Name of the weight tensor.
    pub name: String,
    /// Values per expert. In a legacy file, and for tensors whose slices were counted together, of all of them.
    pub columns: usize,
    /// Slices with a count of their own: experts, or 1.
    pub experts: usize,
    /// Mean squared activation, `experts` × `columns`; zeros for an expert that no token reached.
    pub importance: Vec<f32>,
    /// Activations behind it, one number an expert, rounded to integers. In a legacy file the one number of calls (it
    /// may be 0 or less: the values then stand as they are in the file).
    pub counts: Vec<f32>,
}

impl Imatrix {
    /// Reads and checks `path`, GGUF or legacy.
    pub fn read(path: &Path) -> Result<Self> {
        // Not mapped: every byte is looked at exactly once, and a file that shrinks meanwhile must end in an error.
        let source = Source::open(path, false)?;
        let mut magic = [0; 4];
        if source.len() >= 4 {
            source.read_at(0, &mut magic)?;
        }
        if magic == MAGIC { gguf::read(&source) } else { legacy::read(&source) }
    }

    /// The entries, in file order.
    pub fn entries(&self) -> &[Entry] {
        &self.entries
    }

    /// The entry of the weight tensor `name`.
    pub fn entry(&self, name: &str) -> Option<&Entry> {
        self.by_name.get(name).and_then(|i| self.entries.get(*i))
    }

    /// A matrix without entries yet.
    fn empty(path: &Path, legacy: bool) -> Self {
        Self {
            path: path.to_owned(),
            entries: Vec::new(),
            by_name: HashMap::new(),
            chunks: None,
            chunk_size: None,
            datasets: Vec::new(),
            legacy,
            diagnostics: Vec::new(),
        }
    }

    /// Adds an entry; one of the same name is replaced where it stands, and given back.
    fn insert(&mut self, entry: Entry) -> Option<Entry> {
        if let Some(old) = self.by_name.get(&entry.name).and_then(|i| self.entries.get_mut(*i)) {
            return Some(std::mem::replace(old, entry));
        }
        self.by_name.insert(entry.name.clone(), self.entries.len());
        self.entries.push(entry);
        None
    }
}

/// Reads `count` values from byte `offset` and refuses what is not finite or below 0; `tensor` names them.
fn read_values(source: &Source, offset: u64, count: u64, tensor: &str) -> Result<Vec<f32>> {
    let fits = count.checked_mul(4).and_then(|bytes| offset.checked_add(bytes)).is_some_and(|end| end <= source.len());
    let (true, Ok(total)) = (fits, usize::try_from(count)) else {
        let what = format!("{count} values from offset {offset} on, the file has {} bytes", source.len());
        return Err(Error::tensor(source.path(), tensor, what));
    };
    let mut values: Vec<f32> = Vec::with_capacity(total);
    let mut buffer = AlignedBuf::new();
    while values.len() < total {
        let piece = (total - values.len()).min(PIECE);
        let bytes = source.slice(offset + 4 * values.len() as u64, 4 * piece, &mut buffer)?;
        values.extend(bytes.as_chunks::<4>().0.iter().map(|b| f32::from_le_bytes(*b)));
    }
    match values.iter().position(|v| !v.is_finite() || *v < 0.0) {
        None => Ok(values),
        Some(index) => {
            let what = format!("value {index} is {}; a finite number of at least 0 belongs there", values[index]);
            Err(Error::tensor(source.path(), tensor, what))
        }
    }
}
