//! Metadata by parts: arrays a page at a time, strings cut to what somebody looks at.
//!
//! A vocabulary has hundreds of thousands of strings, and a file may claim a string of a gigabyte. Elements of fixed size
//! are found by arithmetic; for strings [`Elements`] remembers where every [`STRIDE`]th one begins, as far as it came.

use std::ops::Range;
use std::sync::Arc;

use super::Model;
use super::metadata::{Entry, Metadata, Place};
use crate::engine::error::{Error, Result};
use crate::engine::format::bytes::Cursor;
use crate::engine::format::gguf::value::{array_head, decode};
use crate::engine::format::gguf::{MAX_STRING, Value, ValueType};

/// Strings between two places that are remembered.
const STRIDE: u64 = 256;

/// A value, or as much of it as was asked for.
#[derive(Debug, Clone, PartialEq)]
pub struct Glimpse {
    /// The value; a long string is cut.
    pub value: Value,
    /// Bytes that a string has in the file; 0 for what is no string.
    pub bytes: u64,
}

impl Glimpse {
    fn whole(value: Value) -> Self {
        let bytes = value.as_str().map_or(0, |s| s.len() as u64);
        Self { value, bytes }
    }

    /// Whether a part of the string is left out.
    pub fn is_cut(&self) -> bool {
        self.value.as_str().is_some_and(|s| (s.len() as u64) < self.bytes)
    }
}

/// A held value, strings cut to `longest` bytes.
fn cut(value: &Value, longest: u64) -> Glimpse {
    match value {
        Value::String(s) if s.len() as u64 > longest => {
            let end = (0..=longest as usize).rev().find(|i| s.is_char_boundary(*i)).unwrap_or(0);
            Glimpse { value: Value::string(&s[..end]), bytes: s.len() as u64 }
        }
        other => Glimpse::whole(other.clone()),
    }
}

/// The value at the cursor, which is left behind it; strings cut to `longest` bytes.
fn read_one(cursor: &mut Cursor<'_>, ty: ValueType, longest: u64) -> Result<Glimpse> {
    if ty != ValueType::String {
        return decode(cursor, ty, 0).map(Glimpse::whole);
    }
    let bytes = cursor.u64("a string")?;
    if bytes > MAX_STRING {
        return Err(cursor.error(format!("a string is {bytes} bytes long, at most {MAX_STRING} are allowed")));
    }
    let shown = bytes.min(longest);
    let taken = cursor.take(shown, "a string")?;
    let whole = taken.utf8_chunks().last().is_none_or(|chunk| chunk.invalid().is_empty());
    let mut text = String::from_utf8_lossy(taken).into_owned();
    if shown < bytes && !whole {
        // The cut went through a character.
        text.pop();
    }
    cursor.skip(bytes - shown, "a string")?;
    Ok(Glimpse { value: Value::String(text), bytes })
}

impl Metadata {
    /// An entry's value with strings of at most `longest` bytes; of an array the first `head` elements.
    pub fn glimpse(&self, entry: &Entry, longest: u64, head: u64) -> Result<Glimpse> {
        match &entry.place {
            Place::Owned(Value::Array { element, len, head: items }) => {
                let items = items.iter().take(usize::try_from(head).unwrap_or(usize::MAX));
                let head = items.map(|item| cut(item, longest).value).collect();
                Ok(Glimpse::whole(Value::Array { element: *element, len: *len, head }))
            }
            Place::Owned(value) => Ok(cut(value, longest)),
            Place::File { value_offset, .. } => {
                let mut cursor = Cursor::new(self.source(entry)?, *value_offset);
                if entry.value_type != ValueType::Array {
                    return read_one(&mut cursor, entry.value_type, longest);
                }
                let (element, len) = array_head(&mut cursor)?;
                let items = (0..len.min(head)).map(|_| read_one(&mut cursor, element, longest).map(|g| g.value));
                let head = items.collect::<Result<Vec<Value>>>()?;
                Ok(Glimpse::whole(Value::Array { element, len, head }))
            }
        }
    }
}

/// An array of a model's metadata, read a page at a time.
#[derive(Debug)]
pub struct Elements {
    model: Arc<Model>,
    entry: usize,
    element: ValueType,
    len: u64,
    /// Where the elements begin, and every `STRIDE`th string, as far as it is known.
    marks: Vec<u64>,
}

impl Elements {
    /// The array with this index among the entries; `None` where the entry is no array. Errors: its head cannot be read.
    pub fn open(model: &Arc<Model>, entry: usize) -> Result<Option<Self>> {
        let Some(found) = model.metadata.entries().get(entry) else {
            return Err(Error::Usage(format!("there is no metadata entry {entry}")));
        };
        if found.value_type != ValueType::Array {
            return Ok(None);
        }
        let (element, len, marks) = match &found.place {
            Place::Owned(Value::Array { element, head, .. }) => (*element, head.len() as u64, Vec::new()),
            Place::Owned(_) => return Ok(None),
            Place::File { value_offset, .. } => {
                let mut cursor = Cursor::new(model.metadata.source(found)?, *value_offset);
                let (element, len) = array_head(&mut cursor)?;
                (element, len, vec![cursor.position()])
            }
        };
        Ok(Some(Self { model: Arc::clone(model), entry, element, len, marks }))
    }

    /// The array with this key, if there is one.
    pub fn named(model: &Arc<Model>, key: &str) -> Result<Option<Self>> {
        match model.metadata.entries().iter().position(|e| e.key == key) {
            Some(entry) => Self::open(model, entry),
            None => Ok(None),
        }
    }

    /// Elements.
    pub fn len(&self) -> u64 {
        self.len
    }

    /// Whether there is none.
    pub fn is_empty(&self) -> bool {
        self.len == 0
    }

    /// Type of the elements.
    pub fn element(&self) -> ValueType {
        self.element
    }

    /// The elements of a range, as far as the array goes, strings cut to `longest` bytes. Nothing before the range is
    /// decoded; strings before it are stepped over once. Errors: a file that ends before, a failed read.
    pub fn read(&mut self, range: Range<u64>, longest: u64) -> Result<Vec<Glimpse>> {
        let model = Arc::clone(&self.model);
        let entry = &model.metadata.entries()[self.entry];
        let (first, end) = (range.start.min(self.len), range.end.min(self.len));
        if let Place::Owned(Value::Array { head, .. }) = &entry.place {
            let (first, end) = (first as usize, (end as usize).min(head.len()));
            return Ok(head.get(first..end).unwrap_or(&[]).iter().map(|item| cut(item, longest)).collect());
        }
        if first >= end {
            return Ok(Vec::new());
        }
        let source = model.metadata.source(entry)?;
        let mut at = first;
        let mut cursor = if let Some(size) = self.element.size() {
            let start = self.marks[0].checked_add(first.saturating_mul(size));
            let start = start.ok_or_else(|| Error::format(source.path(), self.marks[0], "an array overflows"))?;
            Cursor::new(source, start)
        } else {
            let mark = (first / STRIDE).min(self.marks.len() as u64 - 1);
            at = mark * STRIDE;
            Cursor::new(source, self.marks[mark as usize])
        };
        while at < first {
            cursor.skip_string(MAX_STRING, "a string of an array")?;
            at += 1;
            self.remember(at, cursor.position());
        }
        let mut found = Vec::with_capacity((end - first).min(STRIDE * 16) as usize);
        while at < end {
            found.push(read_one(&mut cursor, self.element, longest)?);
            at += 1;
            self.remember(at, cursor.position());
        }
        Ok(found)
    }

    /// Notes where element `at` begins, if that is worth noting.
    fn remember(&mut self, at: u64, position: u64) {
        if self.element.size().is_none() && at.is_multiple_of(STRIDE) && at / STRIDE == self.marks.len() as u64 {
            self.marks.push(position);
        }
    }
}
