//! Byte-level BPE, llama.cpp's `gpt2`, and Gemma 4's BPE over letters, llama.cpp's `gemma4`.
//!
//! Both keep the merges as they are, so that llama.cpp merges in Hugging Face's order.

use std::borrow::Cow;
use std::collections::HashSet;

use serde_json::Value as Json;

use super::added::{ADDED_SCORE, declared, place};
use super::json::{Merge, TokenizerJson, parts, type_of};
use super::pretokenizer::{Facts, name};
use super::spm::is_byte;
use super::vocabulary::{Token, TokenType, Vocabulary};
use super::{Built, Request, Tally, TokenizerKvs, shown};

const MERGES: &str = "tokenizer.ggml.merges";

/// Normalizers that change few texts: llama.cpp applies none, which a note says. Any other changes every text, so that
/// no name of a pre-tokenizer fits.
const MILD: [&str; 7] = ["NFC", "NFD", "NFKC", "NFKD", "Nmt", "Strip", "StripAccents"];

/// Gemma 4's tokens that the converter makes visible, so that what reads a chat sees them.
const VISIBLE: [&str; 7] =
    ["<|channel>", "<channel|>", "<|tool_call>", "<tool_call|>", "<|tool_response>", "<tool_response|>", "<|\"|>"];

/// Builds `gpt2`.
pub(super) fn byte_level<'a>(ask: &Request<'_, 'a>, json: &TokenizerJson<'a>, out: &mut TokenizerKvs) -> Built<'a> {
    let mut table = model_tokens(ask, json);
    place(&mut table, &declared(Some(json), ask.settings), 0.0, out);
    let pre = match unlike(&json.normalizer, out) {
        Some(other) => Err(format!("llama.cpp does not apply the normalizer {}", shown(other))),
        None => name(&json.pre_tokenizer, &facts(ask, json), &mut out.notes),
    };
    let pre = pre.map_err(|why| out.miss("tokenizer.ggml.pre", why)).ok();
    // The converter writes this for architecture llama only; llama.cpp's BPE does not look at it.
    let space_prefix = ask.settings.flag("add_prefix_space").filter(|_| ask.architecture == "llama");
    let merges = merges(json, pre, out);
    Built { model: "gpt2", pre, vocabulary: table, scored: false, merges, space_prefix, pieces: None, defaults: &[] }
}

/// Builds `gemma4`: texts as they are, bytes as `<0x0A>`, added tokens that are tokens of the model too by their
/// declaration alone.
pub(super) fn raw<'a>(ask: &Request<'_, 'a>, json: &TokenizerJson<'a>, out: &mut TokenizerKvs) -> Built<'a> {
    let mut table = model_tokens(ask, json);
    for (_, token) in table.tokens_mut() {
        token.score = ADDED_SCORE;
        if is_byte(&token.text) {
            token.kind = TokenType::Byte;
        }
    }
    let (inside, beyond): (Vec<_>, Vec<_>) = declared(Some(json), ask.settings)
        .into_iter()
        .partition(|added| table.get(added.id).is_some_and(|token| token.text == added.content));
    place(&mut table, &beyond, ADDED_SCORE, out);
    let special: HashSet<u64> = inside.iter().filter(|added| added.special).map(|added| added.id).collect();
    for (id, token) in table.tokens_mut() {
        if VISIBLE.contains(&token.text.as_str()) {
            token.kind = TokenType::UserDefined;
        } else if special.contains(&id) {
            token.kind = TokenType::Control;
        }
    }
    let merges = merges(json, None, out);
    Built {
        model: "gemma4",
        pre: None,
        vocabulary: table,
        scored: true,
        merges,
        space_prefix: Some(false),
        pieces: None,
        defaults: &[],
    }
}

/// A table with the model's own tokens, all of them text.
pub(super) fn model_tokens(ask: &Request<'_, '_>, json: &TokenizerJson<'_>) -> Vocabulary {
    let mut table = Vocabulary::new(ask.rows);
    for (text, id) in &json.model.vocab.0 {
        table.place(*id, Token { text: text.clone().into_owned(), kind: TokenType::Normal, score: 0.0 });
    }
    table
}

fn facts<'r>(ask: &Request<'r, '_>, json: &TokenizerJson<'_>) -> Facts<'r> {
    let processors = parts(&json.post_processor, "processors");
    Facts {
        architecture: ask.architecture,
        ignores_merges: json.ignores_merges(),
        cleans_up: ask.settings.flag("clean_up_tokenization_spaces"),
        roberta: processors.iter().any(|p| type_of(p) == "RobertaProcessing"),
    }
}

/// The first normalizer that is not mild; mild ones are noted.
fn unlike<'j>(normalizer: &'j Json, out: &mut TokenizerKvs) -> Option<&'j str> {
    let types: Vec<&str> = parts(normalizer, "normalizers").into_iter().map(type_of).collect();
    let mild: Vec<&str> = types.iter().copied().filter(|t| MILD.contains(t)).collect();
    if !mild.is_empty() {
        out.note(format!(
            "llama.cpp does not apply the normalizer {}: a text that it changes becomes other tokens",
            mild.join(", ")
        ));
    }
    types.into_iter().find(|t| !MILD.contains(t))
}

/// The merges as `left right`. A token with a space in it gets U+0120 for it, as in the converter: llama.cpp cuts an
/// entry at its first space that does not stand at the beginning.
fn merges(json: &TokenizerJson<'_>, pre: Option<&str>, out: &mut TokenizerKvs) -> Option<Vec<String>> {
    let Some(list) = json.model.merges.as_deref().filter(|list| !list.is_empty()) else {
        if pre != Some("kimi-k2") {
            out.miss(MERGES, "tokenizer.json has none");
        }
        return None;
    };
    if let Some((i, merge)) = list.iter().enumerate().find(|(_, merge)| merge.right.is_empty()) {
        out.miss(MERGES, format!("merge {i}, {}, is no pair", shown(&merge.left)));
        return None;
    }
    tell_strangers(json, list, out);
    let half = |text: &Cow<'_, str>| text.replace(' ', "\u{120}");
    let spaced = list.iter().filter(|m| m.left.contains(' ') || m.right.contains(' ')).count();
    if spaced > 0 {
        out.note(format!("merges with a token that has a space, written as U+0120: {spaced}"));
    }
    Some(list.iter().map(|m| format!("{} {}", half(&m.left), half(&m.right))).collect())
}

/// Counts merges of or into texts that are no tokens, which Hugging Face's library refuses.
fn tell_strangers(json: &TokenizerJson<'_>, list: &[Merge<'_>], out: &mut TokenizerKvs) {
    let known: HashSet<&str> = json.model.vocab.0.iter().map(|(text, _)| text.as_ref()).collect();
    let (mut strangers, mut joined) = (Tally::default(), String::new());
    for merge in list {
        joined.clear();
        joined.push_str(&merge.left);
        joined.push_str(&merge.right);
        let texts = [merge.left.as_ref(), merge.right.as_ref(), joined.as_str()];
        if let Some(unknown) = texts.into_iter().find(|text| !known.contains(text)) {
            strangers.add(|| shown(unknown));
        }
    }
    out.notes.extend(strangers.message("merges with a token that the vocabulary does not have"));
}
