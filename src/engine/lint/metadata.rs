//! Metadata: the architecture, text that is none, keys that belong to a split or rotated model, the alignment, the version
//! of the quantized types.

use crate::engine::codec::DType;
use crate::engine::error::{Diagnostic, Severity};
use crate::engine::format::bytes::Cursor;
use crate::engine::format::gguf::{DEFAULT_ALIGNMENT, MAX_STRING, ValueType};
use crate::engine::model::{Container, Model, Tensor};

use super::{named, shown, tensors};

/// ggml's `GGML_QNT_VERSION` since 2023.
const QUANTIZATION_VERSION: u64 = 2;

pub(super) fn check(model: &Model, found: &mut Vec<Diagnostic>) {
    found.extend(architecture(model));
    text(model, found);
    found.extend(quantization_version(model));
    found.extend(alignment(model));
    split(model, found);
    found.extend(rotation(model));
    found.extend(foreign_t158(model));
}

/// That it is missing, opening tells.
fn architecture(model: &Model) -> Option<Diagnostic> {
    let what = "general.architecture is empty: llama.cpp cannot load this file; write the name of the architecture";
    let empty = model.architecture.as_ref().is_some_and(|a| a.trim().is_empty());
    empty.then(|| Diagnostic::file(Severity::Warning, "no-architecture", what))
}

/// Values that should be text and are not UTF-8. Tokens are left out: they may be any bytes.
fn text(model: &Model, found: &mut Vec<Diagnostic>) {
    let Some(gguf) = model.gguf() else { return };
    for kv in gguf.kvs.iter().filter(|kv| kv.value_type == ValueType::String) {
        let mut cursor = Cursor::new(model.source(), kv.value_offset);
        let Ok(bytes) = cursor.string(MAX_STRING, "a string") else { continue };
        if let Err(e) = std::str::from_utf8(bytes) {
            let what = format!(
                "the value of '{}' is not UTF-8 from its byte {} on: llama.cpp takes it, other readers fail; write it as \
                 UTF-8",
                shown(&kv.key),
                e.valid_up_to()
            );
            found.push(Diagnostic::file(Severity::Warning, "value-utf8", what).at(kv.value_offset));
        }
    }
}

fn quantization_version(model: &Model) -> Option<Diagnostic> {
    const KEY: &str = "general.quantization_version";
    let warn = |what: String| Some(Diagnostic::file(Severity::Warning, "quantization-version", what));
    let quantized = |t: &&Tensor| t.dtype.is_quantized() && t.dtype.known_name().is_some();
    let first = model.tensors.iter().find(quantized)?;
    match model.metadata(KEY) {
        None => warn(format!(
            "{KEY} is missing although {} is {}: the format asks for {QUANTIZATION_VERSION} wherever a tensor is quantized",
            shown(&first.name),
            first.dtype
        )),
        Some(value) if value.as_u64() != Some(QUANTIZATION_VERSION) => warn(format!(
            "{KEY} is {value}, expected {QUANTIZATION_VERSION}: older versions laid blocks out differently"
        )),
        Some(_) => None,
    }
}

/// That it is a power of two and that offsets keep to it, opening tells.
fn alignment(model: &Model) -> Option<Diagnostic> {
    let note = |what: String| Some(Diagnostic::file(Severity::Note, "alignment", what));
    let Container::Gguf(shards) = &model.container else { return None };
    if let Some(other) = shards.iter().position(|g| g.alignment != model.alignment) {
        return note(format!(
            "shard 1 is aligned to {}, shard {} to {}: a merge has to move data",
            model.alignment,
            other + 1,
            shards[other].alignment
        ));
    }
    if model.alignment < DEFAULT_ALIGNMENT {
        return note(format!(
            "tensors are aligned to {} bytes, writers use {DEFAULT_ALIGNMENT}: some readers are slow on such data or \
             refuse it",
            model.alignment
        ));
    }
    None
}

/// Keys of a split model in a file that is whole. That shards are missing, opening tells.
fn split(model: &Model, found: &mut Vec<Diagnostic>) {
    if model.files.len() != 1 || model.metadata("split.count").and_then(|v| v.as_u64()).is_some_and(|n| n > 1) {
        return;
    }
    let keys: Vec<&str> =
        model.metadata.entries().iter().map(|e| e.key.as_str()).filter(|k| k.starts_with("split.")).collect();
    if keys.is_empty() {
        return;
    }
    let what = format!(
        "{} left over from a split model, which this file is not: harmless, not needed",
        shown(&keys.join(", "))
    );
    found.push(Diagnostic::file(Severity::Note, "split-keys", what));
    let announced = model.metadata("split.tensors.count").and_then(|v| v.as_u64());
    if let Some(total) = announced.filter(|n| *n != model.tensors.len() as u64) {
        let what = format!(
            "split.tensors.count is {total}, the file holds {}: a shard may be missing from the merge",
            model.tensors.len()
        );
        found.push(Diagnostic::file(Severity::Warning, "split-keys", what));
    }
}

/// Weights in a rotated basis need a runtime that turns activations the same way; the key and the types go together.
fn rotation(model: &Model) -> Option<Diagnostic> {
    let warn = |what: String| Some(Diagnostic::file(Severity::Warning, "rotation", what));
    let key = model.metadata.rotation_key();
    let is_rotated = |t: &&Tensor| matches!(t.dtype, DType::PQ2_0 | DType::PTQ1_0);
    let rotated: Vec<&Tensor> = model.tensors.iter().filter(is_rotated).collect();
    match (key, rotated.first()) {
        (Some(key), None) => warn(format!(
            "'{}' declares a rotated basis, but no tensor is PQ2_0 or PTQ1_0: a runtime that does not know the key \
             computes nonsense; check what wrote the file",
            shown(&key)
        )),
        (None, Some(first)) => warn(format!(
            "{} in a rotated basis ({}: {}), but no key declares the rotation: PrismML's fork cannot tell which to undo",
            tensors(rotated.len()),
            first.dtype,
            named(&rotated)
        )),
        _ => None,
    }
}

/// ruvllm's type under ruvllm's number, in a file that is not ruvllm's.
fn foreign_t158(model: &Model) -> Option<Diagnostic> {
    let found: Vec<&Tensor> = model.tensors.iter().filter(|t| t.dtype == DType::T158).collect();
    if found.is_empty() || model.architecture.as_deref() == Some("craftsman") {
        return None;
    }
    let what = format!(
        "{} of type T158, but the architecture is {}, not craftsman: only ruvllm reads the type, llama.cpp takes its \
         number for BF16 and refuses the file; `repack` moves the trits to TQ2_0",
        tensors(found.len()),
        shown(&model.architecture.as_deref().unwrap_or("missing"))
    );
    Some(Diagnostic::file(Severity::Note, "t158", what))
}
