//! GGUF, versions 2 and 3, little-endian.
//!
//! [`read`] indexes a file without building its arrays, [`value`] decodes a metadata value when somebody asks for it,
//! [`mod@write`] lays a header out and turns it into bytes. Limits and checks are those of llama.cpp's loader
//! (`gguf.cpp`, mid-2026); where reading is laxer, a diagnostic says so.

pub mod read;
pub mod value;
pub mod write;

pub use read::{Dims, Gguf, KvEntry, TensorInfo};
pub use value::{Value, ValueType};
pub use write::{Header, HeaderTensor};

/// First four bytes of every file.
pub const MAGIC: [u8; 4] = *b"GGUF";
/// Alignment where `general.alignment` does not say otherwise.
pub const DEFAULT_ALIGNMENT: u64 = 32;
/// Longest string, in bytes.
pub const MAX_STRING: u64 = 1 << 30;
/// Longest array, in elements.
pub const MAX_ARRAY: u64 = 1 << 30;
/// Most dimensions of a tensor.
pub const MAX_DIMS: u32 = 4;
/// Longest tensor name that ggml takes, in bytes (it keeps 64 with the closing zero).
pub const MAX_NAME: usize = 63;

/// `n` rounded up to a multiple of `alignment`, a power of two.
pub fn align_up(n: u64, alignment: u64) -> Option<u64> {
    n.checked_add(alignment - 1).map(|n| n & !(alignment - 1))
}
