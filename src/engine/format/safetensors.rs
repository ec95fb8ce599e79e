//! Safetensors: an 8-byte length, a JSON header, tensors in row-major order. One file, or shards listed in an index.
//!
//! The header goes through the `safetensors` crate, whose rules (no gaps, no overlaps, sizes that agree with shapes) are
//! the format's. Nothing here reads tensor data.

use std::collections::{BTreeMap, HashSet};
use std::fmt;
use std::path::Path;

use safetensors::Dtype;
use safetensors::tensor::Metadata;
use serde::Deserializer;
use serde::de::{IgnoredAny, MapAccess, Visitor};

use super::source::{AlignedBuf, Source};
use crate::engine::codec::DType;
use crate::engine::error::{Error, Result};

/// Longest header, the limit of the reference implementation.
const MAX_HEADER: u64 = 100_000_000;
/// Longest index file that is read.
const MAX_INDEX: u64 = 100_000_000;

/// What a file says about one tensor.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Info {
    /// The name.
    pub name: String,
    /// Dimensions, row length first: the reverse of what the file has.
    pub dims: Vec<u64>,
    /// The type.
    pub dtype: DType,
    /// Absolute byte offset in the file.
    pub offset: u64,
    /// Bytes.
    pub bytes: u64,
}

/// A file's header.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Header {
    /// Offset of the data: 8 and the header's length.
    pub data_offset: u64,
    /// Bytes of data that the tensors take.
    pub data_len: u64,
    /// Tensors in the order of their data.
    pub tensors: Vec<Info>,
    /// `__metadata__`, sorted by key.
    pub metadata: BTreeMap<String, String>,
}

/// Whether the file is called or begins as a safetensors file is and does: a length that the file backs, then a JSON object.
pub fn looks_like(source: &Source) -> bool {
    if source.path().extension().is_some_and(|e| e == "safetensors") {
        return true;
    }
    let mut start = [0; 9];
    if source.len() < 10 || source.read_at(0, &mut start).is_err() {
        return false;
    }
    let len = header_len(&start);
    len >= 2 && len <= source.len() - 8 && start[8] == b'{'
}

fn header_len(start: &[u8]) -> u64 {
    start.iter().take(8).rev().fold(0, |n, b| n << 8 | u64::from(*b))
}

impl Header {
    /// Reads the header of `source`. Errors: a length that the file does not back, JSON that is none, tensors that overlap
    /// or whose sizes disagree with their shapes.
    pub fn read(source: &Source) -> Result<Self> {
        let refuse = |offset, what: String| Error::format(source.path(), offset, what);
        if source.len() < 8 {
            return Err(refuse(0, format!("a file of {} bytes holds no safetensors header", source.len())));
        }
        let mut buffer = AlignedBuf::new();
        let len = header_len(source.slice(0, 8, &mut buffer)?);
        if len > MAX_HEADER || len > source.len() - 8 {
            let most = MAX_HEADER.min(source.len() - 8);
            return Err(refuse(0, format!("a header of {len} bytes is announced, at most {most} are possible")));
        }
        let json = source.slice(8, len as usize, &mut buffer)?;
        let parsed: Metadata =
            serde_json::from_slice(json).map_err(|e| refuse(8, format!("the safetensors header is not valid: {e}")))?;
        if let Some(name) = repeated(json) {
            return Err(Error::tensor(source.path(), &name, "is in the header twice"));
        }
        let data_offset = 8 + len;
        let data_len = parsed.data_len() as u64;
        if data_offset.checked_add(data_len).is_none_or(|end| i64::try_from(end).is_err()) {
            return Err(refuse(8, format!("{data_len} bytes of data are announced, more than a file can have")));
        }
        let mut tensors = Vec::new();
        // In the order of names, so that of several mistakes the same is told each time.
        for (name, info) in parsed.tensors().into_iter().collect::<BTreeMap<_, _>>() {
            // Zeros count as ones: rows and slices are products of some of the dimensions and must not overflow either.
            let volume = info.shape.iter().try_fold(1u64, |n, d| n.checked_mul((*d as u64).max(1)));
            if volume.is_none_or(|n| i64::try_from(n).is_err()) {
                return Err(Error::tensor(source.path(), &name, format!("the dimensions {:?} overflow", info.shape)));
            }
            tensors.push(Info {
                name,
                dims: info.shape.iter().rev().map(|d| *d as u64).collect(),
                dtype: dtype_of(info.dtype),
                offset: data_offset + info.data_offsets.0 as u64,
                bytes: (info.data_offsets.1 - info.data_offsets.0) as u64,
            });
        }
        tensors.sort_by(|a, b| (a.offset, &a.name).cmp(&(b.offset, &b.name)));
        let metadata = parsed.metadata().iter().flatten().map(|(k, v)| (k.clone(), v.clone())).collect();
        Ok(Self { data_offset, data_len, tensors, metadata })
    }
}

/// The first name that a JSON object has twice: the format forbids it, parsers take the last.
fn repeated(json: &[u8]) -> Option<String> {
    struct Names;
    impl<'de> Visitor<'de> for Names {
        type Value = Option<String>;

        fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
            f.write_str("an object")
        }

        fn visit_map<A: MapAccess<'de>>(self, mut map: A) -> Result<Self::Value, A::Error> {
            let (mut seen, mut twice) = (HashSet::new(), None);
            while let Some((name, _)) = map.next_entry::<String, IgnoredAny>()? {
                if let Some(name) = seen.replace(name) {
                    twice.get_or_insert(name);
                }
            }
            Ok(twice)
        }
    }
    serde_json::Deserializer::from_slice(json).deserialize_map(Names).ok().flatten()
}

fn dtype_of(dtype: Dtype) -> DType {
    let name = format!("{dtype:?}");
    // A type that the crate knows and the table does not keeps a number that nothing has a layout for.
    DType::from_name(&name).unwrap_or(DType::of_number(u32::MAX))
}

/// Reads `model.safetensors.index.json`: which file each tensor is in.
pub fn read_index(path: &Path) -> Result<BTreeMap<String, String>> {
    let len = std::fs::metadata(path).map_err(|e| Error::io(path, "open", e))?.len();
    if len > MAX_INDEX {
        return Err(Error::content(path, format!("an index of {len} bytes; at most {MAX_INDEX} are read")));
    }
    let text = std::fs::read(path).map_err(|e| Error::io(path, "read", e))?;
    let document: serde_json::Value =
        serde_json::from_slice(&text).map_err(|e| Error::content(path, format!("not valid JSON: {e}")))?;
    let map = document
        .get("weight_map")
        .and_then(serde_json::Value::as_object)
        .ok_or_else(|| Error::content(path, "no object 'weight_map'"))?;
    let mut files = BTreeMap::new();
    for (name, file) in map {
        let file = file.as_str().ok_or_else(|| Error::content(path, format!("'{name}' is in no named file")))?;
        // Shards lie beside their index; a path that leads elsewhere is not followed.
        if Path::new(file).file_name() != Some(file.as_ref()) {
            return Err(Error::content(path, format!("'{name}' is in '{file}', which is no file beside the index")));
        }
        files.insert(name.clone(), file.to_owned());
    }
    Ok(files)
}
