//! Writing a file: the whole layout first, then matrix by matrix, and the name when all of it is there.

use std::path::Path;

use serde_json::{Map, Value, json};

use super::{About, FORMAT, MOMENTS, Moments, Packed, TOKENS, VERSION, packed};
use crate::engine::codec::{DType, encode_dense};
use crate::engine::error::{Error, Result};
use crate::engine::export::target::{Syncing, Target};
use crate::engine::format::source::FileId;
use crate::engine::progress::Cancel;

/// Values that are encoded at a time.
const PIECE: usize = 1 << 16;

/// How values are stored.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Store {
    /// As they are.
    F32,
    /// Rounded to 8 bits of mantissa: half the bytes.
    Bf16,
}

impl Store {
    /// Bytes of a value.
    pub fn size(self) -> u64 {
        match self {
            Self::F32 => 4,
            Self::Bf16 => 2,
        }
    }

    /// The name of the type in the file.
    pub fn name(self) -> &'static str {
        match self {
            Self::F32 => "F32",
            Self::Bf16 => "BF16",
        }
    }

    pub(super) fn dtype(self) -> DType {
        match self {
            Self::F32 => DType::F32,
            Self::Bf16 => DType::BF16,
        }
    }

    /// The value in so many bytes as [`Store::size`] says; NaN where there are others.
    pub(super) fn value(self, raw: &[u8]) -> f32 {
        match (self, raw) {
            (Self::F32, [a, b, c, d]) => f32::from_le_bytes([*a, *b, *c, *d]),
            (Self::Bf16, [a, b]) => f32::from_le_bytes([0, 0, *a, *b]),
            _ => f32::NAN,
        }
    }
}

/// Where a file is written, and what must not happen meanwhile.
#[derive(Debug, Clone)]
pub struct Output<'a> {
    /// The file.
    pub path: &'a Path,
    /// Files that must not be written over.
    pub sources: &'a [FileId],
    /// Whether it may replace another file.
    pub force: bool,
    /// Whether to wait for the disk.
    pub sync: bool,
}

impl<'a> Output<'a> {
    /// A new file, waited for.
    pub fn new(path: &'a Path) -> Self {
        Self { path, sources: &[], force: false, sync: true }
    }
}

/// An input that is going to be written.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Planned {
    /// All weights that it feeds; it is named after the first.
    pub weights: Vec<String>,
    /// Values of the input.
    pub columns: usize,
    /// Matrices that it has: experts, or 1.
    pub experts: usize,
}

/// A file in the making. Dropped before [`Writer::finish`], it leaves nothing.
pub struct Writer {
    target: Target,
    syncing: Option<Syncing>,
    sync: bool,
    store: Store,
    entries: Vec<Planned>,
    /// Offsets of each entry's values and counts.
    places: Vec<(u64, u64)>,
    /// Entry and expert that come next.
    next: (usize, usize),
}

impl Writer {
    /// Lays out a file of these inputs and creates it under a name of its own. The same inputs give the same bytes.
    pub fn create(output: &Output<'_>, about: &About, entries: Vec<Planned>, store: Store) -> Result<Self> {
        let refuse = |what: String| Error::content(output.path, what);
        if let Some(empty) = entries.iter().find(|e| e.weights.is_empty() || e.columns == 0 || e.experts == 0) {
            let (name, columns, experts) = (empty.weights.first(), empty.columns, empty.experts);
            return Err(refuse(format!("an input {name:?} of {columns} columns × {experts} experts is none")));
        }
        let Layout { header, places, len } =
            lay_out(about, &entries, store).ok_or_else(|| refuse("the file would be too large".to_owned()))?;
        let target = Target::create(output.path, output.sources, output.force, len)?;
        target.write_at(&header, 0)?;
        let syncing = if output.sync { Some(target.begin_sync()?) } else { None };
        Ok(Self { target, syncing, sync: output.sync, store, entries, places, next: (0, 0) })
    }

    /// Writes the next matrix: expert by expert, input by input, in the order of the layout. Zeros without tokens.
    pub fn write(&mut self, moments: &Packed, tokens: u64) -> Result<()> {
        let (at, expert) = self.next;
        let (Some(entry), Some((values, counts))) = (self.entries.get(at), self.places.get(at).copied()) else {
            return Err(Error::content(self.target.out(), "a matrix is written behind the last one"));
        };
        let name = entry.weights.first().map_or("", String::as_str);
        let refuse = |what: String| Error::tensor(self.target.out(), &format!("{name}{MOMENTS}"), what);
        if moments.columns != entry.columns {
            return Err(refuse(format!("{} columns, {} were announced", moments.columns, entry.columns)));
        }
        moments.check(tokens).map_err(refuse)?;
        let Ok(count) = i64::try_from(tokens) else {
            return Err(refuse(format!("{tokens} tokens are more than the file can say")));
        };
        let size = self.store.size();
        let mut offset = values + expert as u64 * moments.values.len() as u64 * size;
        let mut buffer = vec![0; PIECE * size as usize];
        for piece in moments.values.chunks(PIECE) {
            let bytes = &mut buffer[..piece.len() * size as usize];
            encode_dense(self.store.dtype(), piece, bytes)
                .map_err(|i| refuse(format!("{} has no finite neighbour in {}", piece[i], self.store.name())))?;
            self.target.write_at(bytes, offset)?;
            offset += bytes.len() as u64;
        }
        self.target.write_at(&count.to_le_bytes(), counts + 8 * expert as u64)?;
        self.next = if expert + 1 < entry.experts { (at, expert + 1) } else { (at + 1, 0) };
        Ok(())
    }

    /// Reads the header back and gives the file its name. `Some(why)`: it is there and whole, but the folder could not
    /// be synced.
    pub fn finish(self, cancel: &Cancel) -> Result<Option<String>> {
        if self.next.0 < self.entries.len() {
            let what = format!("{} of {} inputs were written", self.next.0, self.entries.len());
            return Err(Error::content(self.target.out(), what));
        }
        let written = self.syncing.map(Syncing::written);
        Moments::open(self.target.partial())?;
        if let Some(written) = written {
            written.wait(cancel)?;
        }
        self.target.publish(self.sync)
    }
}

/// What stands where.
struct Layout {
    header: Vec<u8>,
    /// Offsets of each entry's values and counts.
    places: Vec<(u64, u64)>,
    /// Length of the file.
    len: u64,
}

/// Lays a file out. Counts come first: what is aligned to more comes before what is aligned to less, as readers that map
/// the file want it.
fn lay_out(about: &About, entries: &[Planned], store: Store) -> Option<Layout> {
    let mut header = Map::new();
    header.insert("__metadata__".to_owned(), Value::Object(metadata(about, entries)));
    let mut at = 0u64;
    let mut place = |name: String, dtype: &str, shape: &[u64], size: u64| {
        let bytes = shape.iter().try_fold(size, |n, d| n.checked_mul(*d))?;
        let (begin, end) = (at, at.checked_add(bytes)?);
        header.insert(name, json!({"dtype": dtype, "shape": shape, "data_offsets": [begin, end]}));
        at = end;
        Some(begin)
    };
    let name = |entry: &Planned, suffix: &str| format!("{}{suffix}", entry.weights[0]);
    let mut counts = Vec::with_capacity(entries.len());
    for entry in entries {
        counts.push(place(name(entry, TOKENS), "I64", &[entry.experts as u64], 8)?);
    }
    let mut places = Vec::with_capacity(entries.len());
    for (entry, counts) in entries.iter().zip(counts) {
        let shape = [entry.experts as u64, packed::len(entry.columns) as u64];
        places.push((place(name(entry, MOMENTS), store.name(), &shape, store.size())?, counts));
    }
    let mut text = serde_json::to_vec(&Value::Object(header)).ok()?;
    text.resize(text.len().next_multiple_of(8), b' ');
    let start = 8 + text.len() as u64;
    for (values, counts) in &mut places {
        *values = values.checked_add(start)?;
        *counts = counts.checked_add(start)?;
    }
    let header = [&(text.len() as u64).to_le_bytes()[..], &text].concat();
    Some(Layout { header, places, len: start.checked_add(at)? })
}

fn metadata(about: &About, entries: &[Planned]) -> Map<String, Value> {
    let mut shared = Map::new();
    for entry in entries {
        for weight in entry.weights.iter().skip(1) {
            shared.insert(weight.clone(), Value::from(entry.weights[0].as_str()));
        }
    }
    let mut metadata = Map::new();
    let mut say = |key: &str, value: Option<String>| {
        metadata.extend(value.map(|value| (key.to_owned(), Value::from(value))));
    };
    say("format", Some(FORMAT.to_owned()));
    say("version", Some(VERSION.to_string()));
    say("model", about.model.clone());
    say("tokens", Some(about.tokens.to_string()));
    say("text", (!about.texts.is_empty()).then(|| about.texts.join(",")));
    say("tool", about.tool.clone());
    say("inputs", Some(Value::Object(shared).to_string()));
    metadata
}
