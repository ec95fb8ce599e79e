//! Laying out a GGUF v3 header: metadata, tensor infos with their offsets, padding.
//!
//! The whole layout is known before the first byte is written, so that tensors can be written in any order. Offsets are
//! the running padded sum in file order and the last tensor is padded too, as llama.cpp's loader wants them.

use super::value::{Value, encode, encode_string};
use super::{MAGIC, align_up};

/// One tensor of a file to be written.
#[derive(Debug, Clone, PartialEq)]
pub struct HeaderTensor {
    /// Name.
    pub name: String,
    /// Dimensions, row length first.
    pub dims: Vec<u64>,
    /// Number of the type.
    pub number: u32,
    /// Bytes of its data, without padding.
    pub bytes: u64,
}

/// A finished layout.
#[derive(Debug, Clone)]
pub struct Header {
    /// Everything before the data section, its padding included.
    pub bytes: Vec<u8>,
    /// Offset of each tensor in the data section.
    pub offsets: Vec<u64>,
    /// Length of the data section, the last tensor's padding included.
    pub data_len: u64,
}

impl Header {
    /// Lays out a file of these metadata entries (whole entries, as [`entry`] makes them or as they stood in a source)
    /// and tensors. `None` where a length overflows.
    pub fn lay_out<K: AsRef<[u8]>>(kvs: &[K], tensors: &[HeaderTensor], alignment: u64) -> Option<Self> {
        let mut offsets = Vec::with_capacity(tensors.len());
        let mut data_len = 0u64;
        for tensor in tensors {
            offsets.push(data_len);
            data_len = align_up(data_len.checked_add(tensor.bytes)?, alignment)?;
        }
        let mut bytes = Vec::new();
        bytes.extend_from_slice(&MAGIC);
        bytes.extend_from_slice(&3u32.to_le_bytes());
        bytes.extend_from_slice(&(tensors.len() as u64).to_le_bytes());
        bytes.extend_from_slice(&(kvs.len() as u64).to_le_bytes());
        kvs.iter().for_each(|kv| bytes.extend_from_slice(kv.as_ref()));
        for (tensor, offset) in tensors.iter().zip(&offsets) {
            encode_string(tensor.name.as_bytes(), &mut bytes);
            bytes.extend_from_slice(&(tensor.dims.len() as u32).to_le_bytes());
            tensor.dims.iter().for_each(|d| bytes.extend_from_slice(&d.to_le_bytes()));
            bytes.extend_from_slice(&tensor.number.to_le_bytes());
            bytes.extend_from_slice(&offset.to_le_bytes());
        }
        bytes.resize(usize::try_from(align_up(bytes.len() as u64, alignment)?).ok()?, 0);
        let header = Self { bytes, offsets, data_len };
        header.file_len().map(|_| header)
    }

    /// Length of the whole file.
    pub fn file_len(&self) -> Option<u64> {
        (self.bytes.len() as u64).checked_add(self.data_len)
    }
}

/// The bytes of one metadata entry: key, type number, value.
pub fn entry(key: &str, value: &Value) -> Vec<u8> {
    let mut out = Vec::new();
    encode_string(key.as_bytes(), &mut out);
    out.extend_from_slice(&(value.value_type() as u32).to_le_bytes());
    encode(value, &mut out);
    out
}
