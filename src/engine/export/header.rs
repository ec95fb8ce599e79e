//! The output's metadata and layout: what is carried over, what is put right, what is added.
//!
//! Entries are carried over byte for byte in the source's order. `general.file_type` and
//! `general.quantization_version` are put right in place; provenance is appended.

use std::hash::Hasher;

use xxhash_rust::xxh3::Xxh3;

use super::ExportOptions;
use crate::engine::error::{Error, Result};
use crate::engine::format::gguf::write::entry;
use crate::engine::format::gguf::{Header, HeaderTensor, KvEntry, Value};
use crate::engine::format::source::AlignedBuf;
use crate::engine::model::Model;
use crate::engine::plan::{Plan, Recipe};

/// `general.quantization_version` of every file with quantized tensors (ggml's `GGML_QNT_VERSION`).
const QUANTIZATION_VERSION: u32 = 2;
/// Keys that are ours.
const OWN_PREFIX: &str = "tritscope.";
/// Pages that a fingerprint samples, and their size.
const PAGES: u64 = 64;
const PAGE: u64 = 4096;

/// A cheap identity of the source: xxh3-128, in hex, over `tritscope fingerprint 1`, the file's length (u64,
/// little-endian), all bytes before the data section, and 64 pages of 4096 bytes at the offsets i·(length − 4096)/63,
/// rounded down (the whole data section where it is shorter than that).
pub fn fingerprint(model: &Model) -> Result<String> {
    let source = &model.source;
    let mut hash = Xxh3::new();
    hash.update(b"tritscope fingerprint 1");
    hash.write(&source.len().to_le_bytes());
    let mut buffer = AlignedBuf::new();
    for (offset, len) in crate::engine::preview::bands_of(0, model.gguf.data_offset, 1 << 20) {
        hash.update(source.slice(offset, len as usize, &mut buffer)?);
    }
    let data = source.len() - model.gguf.data_offset;
    if data <= PAGES * PAGE {
        hash.update(source.slice(model.gguf.data_offset, data as usize, &mut buffer)?);
    } else {
        for i in 0..PAGES {
            let offset = (u128::from(source.len() - PAGE) * u128::from(i) / u128::from(PAGES - 1)) as u64;
            hash.update(source.slice(offset, PAGE as usize, &mut buffer)?);
        }
    }
    Ok(format!("{:032x}", hash.digest128()))
}

/// Lays the output out. Errors: a shard of a split model, a layout that overflows.
pub(super) fn lay_out(model: &Model, plan: &Plan, recipe: &Recipe, options: &ExportOptions) -> Result<Header> {
    let tensors: Vec<HeaderTensor> = model
        .tensors
        .iter()
        .zip(&plan.decisions)
        .map(|(t, d)| HeaderTensor {
            name: t.name.clone(),
            dims: t.dims.clone(),
            dtype: d.new_type,
            bytes: d.new_bytes,
        })
        .collect();
    let kvs = metadata(model, plan, recipe, options)?;
    Header::lay_out(&kvs, &tensors, model.gguf.alignment)
        .ok_or_else(|| Error::format(&model.path, 0, "the output's layout overflows 64 bits"))
}

fn metadata(model: &Model, plan: &Plan, recipe: &Recipe, options: &ExportOptions) -> Result<Vec<Vec<u8>>> {
    refuse_shards(model)?;
    let mut pending = vec![];
    if let Some(file_type) = plan.file_type(model) {
        pending.push(("general.file_type", Value::u32(file_type)));
    }
    if plan.decisions.iter().any(|d| d.new_type.is_quantized()) {
        pending.push(("general.quantization_version", Value::u32(QUANTIZATION_VERSION)));
    }
    let mut kvs = Vec::with_capacity(model.gguf.kvs.len() + pending.len() + 3);
    let mut buffer = AlignedBuf::new();
    for kv in model.gguf.kvs.iter().filter(|kv| !is_dropped(kv)) {
        if let Some(at) = pending.iter().position(|(key, _)| *key == kv.key) {
            let (key, value) = pending.remove(at);
            kvs.push(entry(key, &value));
        } else {
            let len = (kv.bytes.end - kv.bytes.start) as usize;
            kvs.push(model.source.slice(kv.bytes.start, len, &mut buffer)?.to_vec());
        }
    }
    kvs.extend(pending.iter().map(|(key, value)| entry(key, value)));
    if options.provenance {
        let own = [("version", env!("CARGO_PKG_VERSION").to_owned()), ("recipe", recipe.to_toml()?)];
        for (key, text) in own.into_iter().chain([("source", fingerprint(model)?)]) {
            kvs.push(entry(&format!("{OWN_PREFIX}{key}"), &Value::string(text)));
        }
    }
    Ok(kvs)
}

/// What an earlier run said of itself is not true of this output; the keys of a "split" into one file mean nothing.
fn is_dropped(kv: &KvEntry) -> bool {
    kv.key.starts_with(OWN_PREFIX) || kv.key.starts_with("split.")
}

fn refuse_shards(model: &Model) -> Result<()> {
    match model.metadata("split.count").and_then(|v| v.as_u64()) {
        Some(count) if count > 1 => {
            let what = format!("one of {count} shards of a split model; merge them first (llama-gguf-split --merge)");
            Err(Error::format(&model.path, 0, what))
        }
        _ => Ok(()),
    }
}
