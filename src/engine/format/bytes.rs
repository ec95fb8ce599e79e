//! A checked cursor over a [`Source`]: every read is bounded by the file, every length by what is left of it.
//!
//! Parsers of containers read through this and through nothing else, so that a hostile length ends in an error that
//! names the offset, never in an allocation or a panic.

use super::source::{AlignedBuf, Source};
use crate::engine::error::{Error, Result};

/// Bytes fetched at once when the source is not mapped.
const WINDOW: u64 = 1 << 20;

/// Reads a source from front to back.
pub struct Cursor<'a> {
    source: &'a Source,
    position: u64,
    /// What an unmapped source was last read into, and from where.
    window: AlignedBuf,
    window_start: u64,
    window_len: u64,
}

impl<'a> Cursor<'a> {
    /// A cursor at byte `position`.
    pub fn new(source: &'a Source, position: u64) -> Self {
        Self { source, position, window: AlignedBuf::new(), window_start: 0, window_len: 0 }
    }

    /// Offset of the next byte.
    pub fn position(&self) -> u64 {
        self.position
    }

    /// Bytes between here and the end of the file.
    pub fn remaining(&self) -> u64 {
        self.source.len().saturating_sub(self.position)
    }

    /// An error at the present offset.
    pub fn error(&self, what: impl Into<String>) -> Error {
        Error::format(self.source.path(), self.position, what)
    }

    /// An error at another offset.
    pub fn error_at(&self, offset: u64, what: impl Into<String>) -> Error {
        Error::format(self.source.path(), offset, what)
    }

    /// The next `len` bytes; `what` names them should the file end before.
    pub fn take(&mut self, len: u64, what: &str) -> Result<&[u8]> {
        let start = self.position;
        self.skip(len, what)?;
        if let Some(map) = self.source.mapped() {
            return map
                .get(start as usize..(start + len) as usize)
                .ok_or_else(|| Error::format(self.source.path(), start, format!("{what} lies beyond the map")));
        }
        if start < self.window_start || start + len > self.window_start + self.window_len {
            let wanted = len.max(WINDOW).min(self.source.len() - start);
            self.source.read_at(start, self.window.sized(wanted as usize))?;
            (self.window_start, self.window_len) = (start, wanted);
        }
        let at = (start - self.window_start) as usize;
        let window = self.window.sized(self.window_len as usize);
        Ok(&window[at..at + len as usize])
    }

    /// Moves past `len` bytes.
    pub fn skip(&mut self, len: u64, what: &str) -> Result<()> {
        if len > self.remaining() {
            return Err(self.error(format!("{what} needs {len} bytes, the file has {} left", self.remaining())));
        }
        self.position += len;
        Ok(())
    }

    /// A little-endian u32.
    pub fn u32(&mut self, what: &str) -> Result<u32> {
        let bytes = self.take(4, what)?;
        Ok(bytes.iter().rev().fold(0, |n, b| n << 8 | u32::from(*b)))
    }

    /// A little-endian u64.
    pub fn u64(&mut self, what: &str) -> Result<u64> {
        let bytes = self.take(8, what)?;
        Ok(bytes.iter().rev().fold(0, |n, b| n << 8 | u64::from(*b)))
    }

    /// A string of at most `cap` bytes: length, then bytes, of any encoding.
    pub fn string(&mut self, cap: u64, what: &str) -> Result<&[u8]> {
        let len = self.string_len(cap, what)?;
        self.take(len, what)
    }

    /// Moves past a string.
    pub fn skip_string(&mut self, cap: u64, what: &str) -> Result<()> {
        let len = self.string_len(cap, what)?;
        self.skip(len, what)
    }

    fn string_len(&mut self, cap: u64, what: &str) -> Result<u64> {
        let len = self.u64(what)?;
        if len > cap {
            self.position -= 8;
            return Err(self.error(format!("{what} is {len} bytes long, at most {cap} are allowed")));
        }
        Ok(len)
    }
}
