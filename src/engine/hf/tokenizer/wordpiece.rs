//! WordPiece, llama.cpp's `bert`: BERT's vocabulary with the marks turned around.
//!
//! BERT marks the parts of a word that continue it (`##ing`) and leaves its beginning bare; llama.cpp marks the
//! beginning with U+2581 and leaves what continues bare. Control tokens keep their text. llama.cpp cuts words as BERT
//! does, Chinese letters one by one, but lets words of any length be looked up, where BERT gives up at 100 letters.

use serde_json::Value as Json;

use super::added::{Added, SPACE, declared, place};
use super::bpe::model_tokens;
use super::json::{TokenizerJson, parts, type_of};
use super::special::KINDS;
use super::vocabulary::{Token, TokenType, Vocabulary};
use super::{Built, Request, TokenizerKvs, shown};
use crate::engine::format::gguf::Value;

const LOWERCASE: &str = "tokenizer.ggml.normalizer.lowercase";
const STRIP_ACCENTS: &str = "tokenizer.ggml.normalizer.strip_accents";

/// Special tokens of `BertTokenizer` where no file names others.
const DEFAULTS: [(&str, &str); 5] =
    [("unk", "[UNK]"), ("sep", "[SEP]"), ("pad", "[PAD]"), ("cls", "[CLS]"), ("mask", "[MASK]")];

/// Builds from `tokenizer.json`.
pub(super) fn from_json<'a>(
    ask: &Request<'_, 'a>,
    json: &TokenizerJson<'a>,
    out: &mut TokenizerKvs,
) -> Option<Built<'a>> {
    let prefix = json.model.continuing_subword_prefix.as_deref().unwrap_or("##");
    if prefix != "##" {
        let why = format!("a WordPiece that marks what continues a word with {}; llama.cpp knows “##”", shown(prefix));
        out.miss("tokenizer.ggml.model", why);
        return None;
    }
    tell_steps(json, out);
    let mut table = model_tokens(ask, json);
    place(&mut table, &declared(Some(json), ask.settings), 0.0, out);
    Some(finish(table))
}

/// Builds from `vocab.txt`, a token a line, whose special tokens are those that the other files name.
pub(super) fn from_list<'a>(ask: &Request<'_, 'a>, bytes: &[u8], out: &mut TokenizerKvs) -> Option<Built<'a>> {
    let bert = ask.settings.class().contains("Bert") || ask.architecture.contains("bert");
    let text = match std::str::from_utf8(bytes) {
        Ok(text) if bert => text,
        Ok(_) => {
            out.miss("tokenizer.ggml.model", "vocab.txt alone does not say what kind of tokenizer it belongs to");
            return None;
        }
        Err(e) => {
            out.miss("tokenizer.ggml.tokens", format!("vocab.txt is not UTF-8: {e}"));
            return None;
        }
    };
    let mut table = Vocabulary::new(ask.rows);
    for (id, line) in text.lines().enumerate() {
        table.place(id as u64, Token { text: line.to_owned(), kind: TokenType::Normal, score: 0.0 });
    }
    let names = KINDS.iter().filter_map(|kind| {
        let default = DEFAULTS.iter().find(|(k, _)| k == kind).map(|(_, text)| *text);
        ask.settings.token(kind).or(default)
    });
    let specials = names
        .filter_map(|name| table.find(name).map(|id| Added { id, content: name.to_owned().into(), special: true }));
    let specials: Vec<Added<'_>> = specials.collect();
    place(&mut table, &specials, 0.0, out);
    place(&mut table, &ask.settings.added, 0.0, out);
    out.note("without tokenizer.json the special tokens are those that BertTokenizer looks for");
    match ask.settings.flag("do_lower_case") {
        Some(lower) => out.put(LOWERCASE, Value::Bool(lower)),
        None => out.miss(LOWERCASE, "neither tokenizer.json nor do_lower_case says; llama.cpp lowers letters"),
    }
    if let Some(strip) = ask.settings.flag("strip_accents") {
        out.put(STRIP_ACCENTS, Value::Bool(strip));
    }
    Some(Built { defaults: &DEFAULTS, ..finish(table) })
}

fn finish(mut table: Vocabulary) -> Built<'static> {
    let pre = english(&table).then_some("jina-v2-en");
    for (_, token) in table.tokens_mut().filter(|(_, token)| token.kind != TokenType::Control) {
        token.text = match token.text.strip_prefix("##") {
            Some(rest) => rest.to_owned(),
            None => format!("{SPACE}{}", token.text),
        };
    }
    Built {
        model: "bert",
        pre,
        vocabulary: table,
        scored: false,
        merges: None,
        space_prefix: None,
        pieces: None,
        defaults: &[],
    }
}

/// Whether it is the vocabulary of `bert-base-uncased`, which most English models have, MiniLM and BGE among them. The
/// converter finds it by a hash of ids, under two names of which the later one wins: `bert-bge`, then `jina-v2-en`. For
/// other WordPiece vocabularies it has no name and stops. llama.cpp does not look at the name.
fn english(table: &Vocabulary) -> bool {
    let is = |id: u64, text: &str| table.get(id).is_some_and(|token| token.text == text);
    table.rows() == 30_522
        && [(0, "[PAD]"), (100, "[UNK]"), (101, "[CLS]"), (102, "[SEP]"), (103, "[MASK]")]
            .iter()
            .all(|(i, t)| is(*i, t))
        && [(1996, "the"), (2015, "##s"), (30_521, "##～")].iter().all(|(i, t)| is(*i, t))
}

/// Writes what a normalizer says of letters: `BertNormalizer` with its two fields, `Lowercase` and `StripAccents`. As
/// in the converter, for every kind of tokenizer.
pub(super) fn normalizer_flags(normalizer: &Json, out: &mut TokenizerKvs) {
    for part in parts(normalizer, "normalizers") {
        let flag = |field: &str| part.get(field).and_then(Json::as_bool);
        let (lower, strip) = match type_of(part) {
            "Lowercase" => (Some(true), None),
            "StripAccents" => (None, Some(true)),
            "BertNormalizer" => (flag("lowercase"), flag("strip_accents")),
            _ => (None, None),
        };
        for (key, value) in [(LOWERCASE, lower), (STRIP_ACCENTS, strip)] {
            if let Some(value) = value {
                out.put(key, Value::Bool(value));
            }
        }
    }
}

/// Notes the steps before the model that llama.cpp does not make, or makes although the file does not.
fn tell_steps(json: &TokenizerJson<'_>, out: &mut TokenizerKvs) {
    for part in parts(&json.normalizer, "normalizers") {
        let off = |field: &str| part.get(field).and_then(Json::as_bool) == Some(false);
        match type_of(part) {
            "BertNormalizer" => {
                for field in ["clean_text", "handle_chinese_chars"].into_iter().filter(|f| off(f)) {
                    out.note(format!("{field} is off in tokenizer.json; llama.cpp does it"));
                }
            }
            "Lowercase" | "StripAccents" | "NFD" => {}
            other => out.note(format!("llama.cpp does not apply the normalizer {}", shown(other))),
        }
    }
    let cut = parts(&json.pre_tokenizer, "pretokenizers");
    if !matches!(cut.as_slice(), [only] if type_of(only) == "BertPreTokenizer") {
        let names: Vec<String> = cut.iter().take(4).map(|part| shown(type_of(part))).collect();
        let names = if names.is_empty() { "nothing".to_owned() } else { names.join(", then ") };
        out.note(format!("llama.cpp cuts words as BERT does, tokenizer.json by {names}"));
    }
}
