//! A model's metadata, whatever it came from: entries in order, values decoded when somebody asks.
//!
//! Entries of a GGUF stay in their file; those of other containers, and those that a conversion made, are held as values.

use std::ops::Range;
use std::sync::Arc;

use crate::engine::error::{Error, Result};
use crate::engine::format::bytes::Cursor;
use crate::engine::format::gguf::value::decode;
use crate::engine::format::gguf::write::entry as encode_entry;
use crate::engine::format::gguf::{Gguf, Value, ValueType};
use crate::engine::format::source::{AlignedBuf, Source};

/// One entry.
#[derive(Debug, Clone)]
pub struct Entry {
    /// The key.
    pub key: String,
    /// Type of the value.
    pub value_type: ValueType,
    pub(super) place: Place,
}

/// Where a value is.
#[derive(Debug, Clone)]
pub(super) enum Place {
    /// In the file: the whole entry, and where its value begins.
    File { bytes: Range<u64>, value_offset: u64 },
    /// Held here.
    Owned(Value),
}

/// All entries, in order.
#[derive(Debug, Clone, Default)]
pub struct Metadata {
    entries: Vec<Entry>,
    source: Option<Arc<Source>>,
}

impl Metadata {
    /// The metadata of a GGUF.
    pub fn of_gguf(gguf: &Gguf, source: &Arc<Source>) -> Self {
        let entries = gguf
            .kvs
            .iter()
            .map(|kv| Entry {
                key: kv.key.clone(),
                value_type: kv.value_type,
                place: Place::File { bytes: kv.bytes.clone(), value_offset: kv.value_offset },
            })
            .collect();
        Self { entries, source: Some(Arc::clone(source)) }
    }

    /// Entries that are held as values.
    pub fn of_values(values: impl IntoIterator<Item = (String, Value)>) -> Self {
        let entry =
            |(key, value): (String, Value)| Entry { key, value_type: value.value_type(), place: Place::Owned(value) };
        Self { entries: values.into_iter().map(entry).collect(), source: None }
    }

    /// A key that speaks of a rotation of the weights (not of rotary positions), as PrismML's fork writes one.
    pub fn rotation_key(&self) -> Option<&str> {
        let speaks = |key: &&str| key.contains("hadamard") || key.contains("rotation") && !key.contains("rope");
        self.entries.iter().map(|e| e.key.as_str()).find(speaks)
    }

    /// Keeps the entries whose key `keep` says so of.
    pub fn retain(&mut self, keep: impl Fn(&str) -> bool) {
        self.entries.retain(|entry| keep(&entry.key));
    }

    /// Adds an entry that is held as a value.
    pub fn push(&mut self, key: &str, value: Value) {
        self.entries.push(Entry { key: key.to_owned(), value_type: value.value_type(), place: Place::Owned(value) });
    }

    /// Entries in order.
    pub fn entries(&self) -> &[Entry] {
        &self.entries
    }

    /// How many entries there are.
    pub fn len(&self) -> usize {
        self.entries.len()
    }

    /// Whether there is none.
    pub fn is_empty(&self) -> bool {
        self.entries.is_empty()
    }

    /// The entry with this key; of several the first.
    pub fn find(&self, key: &str) -> Option<&Entry> {
        self.entries.iter().find(|e| e.key == key)
    }

    /// Decodes an entry's value; of an array at most `head` elements.
    pub fn value(&self, entry: &Entry, head: u64) -> Result<Value> {
        match &entry.place {
            Place::Owned(Value::Array { element, len, head: items }) => {
                let head = items.iter().take(usize::try_from(head).unwrap_or(usize::MAX)).cloned().collect();
                Ok(Value::Array { element: *element, len: *len, head })
            }
            Place::Owned(value) => Ok(value.clone()),
            Place::File { value_offset, .. } => {
                decode(&mut Cursor::new(self.source(entry)?, *value_offset), entry.value_type, head)
            }
        }
    }

    /// The value of a key, if it is there and readable; arrays without their elements.
    pub fn get(&self, key: &str) -> Option<Value> {
        self.value(self.find(key)?, 0).ok()
    }

    /// The whole entry as it stands in a GGUF: key, type, value.
    pub fn raw(&self, entry: &Entry) -> Result<Vec<u8>> {
        match &entry.place {
            Place::Owned(value) => Ok(encode_entry(&entry.key, value)),
            Place::File { bytes, .. } => {
                let len = (bytes.end - bytes.start) as usize;
                Ok(self.source(entry)?.slice(bytes.start, len, &mut AlignedBuf::new())?.to_vec())
            }
        }
    }

    /// The file that an entry lies in.
    pub(super) fn source(&self, entry: &Entry) -> Result<&Source> {
        self.source.as_deref().ok_or_else(|| Error::Usage(format!("metadata entry '{}' lies in no file", entry.key)))
    }
}
