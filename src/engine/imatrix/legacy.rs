//! The `.dat` form, older than the GGUF one and still written on request.
//!
//! Little-endian: i32 entries; per entry i32 name length, name, i32 calls, i32 values, f32 values; then, in files that
//! are not very old, i32 chunks, i32 length, name of the text file. A value is mean squared activation × calls, and 1 ×
//! calls for an expert that no token reached. The number of experts is not in the file: a lookup knows it.

use super::{Entry, Imatrix, read_values};
use crate::engine::error::{Diagnostic, Error, Result, Severity};
use crate::engine::format::bytes::Cursor;
use crate::engine::format::source::Source;

/// Fewest bytes of an entry: name length, one byte of name, calls, number of values, one value.
const MIN_ENTRY: u64 = 4 + 1 + 4 + 4 + 4;
/// Longest name of a weight tensor, in bytes. ggml takes 63.
const MAX_NAME: i32 = 1024;
/// Longest name of a text file, in bytes; Linux has paths of 4096.
const MAX_DATASET: i32 = 1 << 16;

/// Reads a file that does not begin with GGUF's magic number.
pub(super) fn read(source: &Source) -> Result<Imatrix> {
    read_all(source).map_err(|error| match error {
        // Most files that end here are no importance matrix at all; the message must not send anybody astray.
        Error::Format { path, offset, what } => {
            Error::Format { path, offset, what: format!("no GGUF, and as a legacy importance matrix: {what}") }
        }
        other => other,
    })
}

fn read_all(source: &Source) -> Result<Imatrix> {
    let mut cursor = Cursor::new(source, 0);
    let mut imatrix = Imatrix::empty(source.path(), true);
    let entries = i32_at(&mut cursor, "the number of entries")?;
    let most = cursor.remaining() / MIN_ENTRY;
    if entries < 1 || entries as u64 > most {
        let what =
            format!("{entries} entries announced; the {} bytes that follow hold 1 to {most}", cursor.remaining());
        return Err(cursor.error_at(0, what));
    }
    for i in 0..entries {
        let start = cursor.position();
        let entry = read_entry(source, &mut cursor, i, &mut imatrix.diagnostics)?;
        if let Some(old) = imatrix.insert(entry) {
            let what = "the entry is there twice; as in llama.cpp the later one counts";
            let found = Diagnostic::tensor(Severity::Warning, "imatrix-duplicate", &old.name, what);
            imatrix.diagnostics.push(found.at(start));
        }
    }
    if cursor.remaining() > 0 {
        let end = cursor.position();
        if read_trailer(&mut cursor, &mut imatrix).is_none() {
            let what = "what follows the entries (chunks and the name of the text) is cut short or makes no sense";
            imatrix.diagnostics.push(Diagnostic::file(Severity::Warning, "imatrix-trailer", what).at(end));
        } else if cursor.remaining() > 0 {
            let what = format!("{} bytes follow the end of the matrix", cursor.remaining());
            let found = Diagnostic::file(Severity::Warning, "imatrix-trailer", what);
            imatrix.diagnostics.push(found.at(cursor.position()));
        }
    }
    Ok(imatrix)
}

fn i32_at(cursor: &mut Cursor<'_>, what: &str) -> Result<i32> {
    cursor.u32(what).map(|n| n as i32)
}

fn read_entry(source: &Source, cursor: &mut Cursor<'_>, i: i32, diagnostics: &mut Vec<Diagnostic>) -> Result<Entry> {
    let start = cursor.position();
    let len = i32_at(cursor, "the length of a name")?;
    if !(1..=MAX_NAME).contains(&len) {
        return Err(
            cursor.error_at(start, format!("the name of entry {i} is {len} bytes long, expected 1 to {MAX_NAME}"))
        );
    }
    let raw = cursor.take(len as u64, "the name of an entry")?;
    let valid = std::str::from_utf8(raw).is_ok();
    let name = String::from_utf8_lossy(raw).into_owned();
    if !valid {
        let found = Diagnostic::tensor(Severity::Warning, "name-utf8", &name, "the name is not UTF-8");
        diagnostics.push(found.at(start));
    }
    let calls = i32_at(cursor, "the number of calls")?;
    let values = i32_at(cursor, "the number of values")?;
    if values < 1 || values as u64 > cursor.remaining() / 4 {
        let what = format!("{values} values announced, the {} bytes that follow hold 1 to {}", cursor.remaining(), {
            cursor.remaining() / 4
        });
        return Err(Error::tensor(source.path(), &name, what));
    }
    let offset = cursor.position();
    cursor.skip(4 * values as u64, "the values of an entry")?;
    let mut importance = read_values(source, offset, values as u64, &name)?;
    if calls > 0 {
        importance.iter_mut().for_each(|v| *v /= calls as f32);
    }
    Ok(Entry { name, columns: values as usize, experts: 1, importance, counts: vec![calls as f32] })
}

/// Chunks and text file; `None` where they are not what they should be. What was understood until then is kept.
fn read_trailer(cursor: &mut Cursor<'_>, imatrix: &mut Imatrix) -> Option<()> {
    let chunks = i32_at(cursor, "the number of chunks").ok()?;
    imatrix.chunks = Some(u64::try_from(chunks).ok()?);
    let len = i32_at(cursor, "the length of the text's name").ok().filter(|len| (0..=MAX_DATASET).contains(len))?;
    let name = cursor.take(len as u64, "the text's name").ok()?;
    if !name.is_empty() {
        imatrix.datasets.push(String::from_utf8_lossy(name).into_owned());
    }
    Some(())
}
