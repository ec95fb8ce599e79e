//! Tokens: their number against the embedding's rows, and special tokens that are none of them.

use crate::engine::error::{Diagnostic, Severity};
use crate::engine::format::bytes::Cursor;
use crate::engine::format::gguf::value::array_head;
use crate::engine::format::gguf::{MAX_STRING, Value, ValueType};
use crate::engine::model::{Model, Tensor};

use super::shown;

const TOKENS: &str = "tokenizer.ggml.tokens";

pub(super) fn check(model: &Model, found: &mut Vec<Diagnostic>) {
    let tokens = array_len(model, TOKENS);
    special(model, tokens, found);
    rows(model, tokens, found);
}

fn array_len(model: &Model, key: &str) -> Option<u64> {
    match model.metadata(key) {
        Some(Value::Array { len, .. }) => Some(len),
        _ => None,
    }
}

/// Special tokens beyond the vocabulary: llama.cpp warns and takes its default.
fn special(model: &Model, tokens: Option<u64>, found: &mut Vec<Diagnostic>) {
    let Some(tokens) = tokens else { return };
    let is_id = |key: &str| key.starts_with("tokenizer.ggml.") && key.ends_with("_token_id");
    for entry in model.metadata.entries().iter().filter(|e| is_id(&e.key)) {
        let Ok(value) = model.metadata.value(entry, 0) else { continue };
        if value.as_u64().is_none_or(|id| id >= tokens) {
            let (key, value) = (shown(&entry.key), shown(&value));
            let what = format!(
                "{key} is {value}, but there are {tokens} tokens (0 to {}): llama.cpp uses its default instead; correct or \
                 remove the key",
                tokens.saturating_sub(1)
            );
            found.push(Diagnostic::file(Severity::Warning, "token-id", what));
        }
    }
}

/// Rows of the embedding and the head against the vocabulary, which llama.cpp takes for their shape.
fn rows(model: &Model, tokens: Option<u64>, found: &mut Vec<Diagnostic>) {
    let declared = model.hyperparameter("vocab_size").and_then(|v| v.as_u64());
    let (Some(expected), source) =
        (declared.or(tokens), if declared.is_some() { "vocab_size" } else { "the number of tokens" })
    else {
        return;
    };
    let rows = |name: &str| -> Option<(&Tensor, u64)> {
        let tensor = model.tensors.get(model.find(name)?)?;
        Some((tensor, tensor.dims.get(1).copied().unwrap_or(1)))
    };
    if let Some((tensor, n)) = rows("token_embd.weight").filter(|(_, n)| *n != expected) {
        let what = format!(
            "has {n} rows, {source} is {expected}: llama.cpp refuses the shape; pad the tokens or cut the embedding"
        );
        found.push(Diagnostic::tensor(Severity::Error, "vocabulary", &tensor.name, what).at(tensor.offset));
    }
    // Some heads give something else than a score for each token.
    if let Some((tensor, n)) = rows("output.weight").filter(|(_, n)| *n != expected) {
        let what = format!("has {n} rows, {source} is {expected}: expected a row for each token");
        found.push(Diagnostic::tensor(Severity::Warning, "vocabulary", &tensor.name, what).at(tensor.offset));
    }
}

/// Tokens that are not UTF-8. They may be; some readers take it amiss.
pub(super) fn bytes(model: &Model) -> Option<Diagnostic> {
    let kv = model.gguf()?.kv(TOKENS).filter(|kv| kv.value_type == ValueType::Array)?;
    let mut cursor = Cursor::new(model.source(), kv.value_offset);
    let (element, len) = array_head(&mut cursor).ok()?;
    if element != ValueType::String {
        return None;
    }
    let mut odd: Option<(u64, u64)> = None;
    for i in 0..len {
        let token = cursor.string(MAX_STRING, "a token").ok()?;
        if std::str::from_utf8(token).is_err() {
            odd = Some(odd.map_or((i, 1), |(first, n)| (first, n + 1)));
        }
    }
    let (first, n) = odd?;
    let what =
        format!("{n} of {len} tokens are not UTF-8, token {first} first: llama.cpp takes any bytes, others may not");
    Some(Diagnostic::file(Severity::Note, "token-utf8", what).at(kv.value_offset))
}
