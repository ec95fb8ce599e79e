//! Special tokens: their ids, and which of them are put around a text.
//!
//! Texts come from `tokenizer_config.json` or `special_tokens_map.json`, ids from the tokens with these texts, then
//! from `config.json`. What is put around a text comes from the post-processor of `tokenizer.json` and from
//! `tokenizer_config.json`; where they differ, see [`Finder::flags`].

use serde_json::Value as Json;

use super::json::{parts, type_of};
use super::pretokenizer::WITH_BOS;
use super::vocabulary::TokenType;
use super::{Built, Request, TokenizerKvs, shown};
use crate::engine::format::gguf::Value;

/// Special tokens that files name, in the order in which the converter writes them.
pub(super) const KINDS: [&str; 7] = ["bos", "eos", "unk", "sep", "pad", "cls", "mask"];

/// Keys of ids. `seperator` is how llama.cpp spells it.
const KEYS: [(&str, &str); 9] = [
    ("bos", "tokenizer.ggml.bos_token_id"),
    ("eos", "tokenizer.ggml.eos_token_id"),
    ("unk", "tokenizer.ggml.unknown_token_id"),
    ("sep", "tokenizer.ggml.seperator_token_id"),
    ("pad", "tokenizer.ggml.padding_token_id"),
    ("cls", "tokenizer.ggml.cls_token_id"),
    ("mask", "tokenizer.ggml.mask_token_id"),
    ("eot", "tokenizer.ggml.eot_token_id"),
    ("eom", "tokenizer.ggml.eom_token_id"),
];

/// Kinds and their texts.
type Texts = &'static [(&'static str, &'static str)];

/// Tokens that the converter gives an architecture by their text, unless its files name others.
const BY_ARCHITECTURE: &[(&[&str], Texts)] = &[
    (
        &["glm4", "glm4moe", "glm-dsa", "glm5-next"],
        &[("bos", "[gMASK]"), ("eot", "<|user|>"), ("unk", "<|endoftext|>"), ("eom", "<|observation|>")],
    ),
    (&["chatglm"], &[("eos", "<|endoftext|>"), ("eot", "<|user|>"), ("unk", "<|endoftext|>")]),
];

/// Classes whose fast tokenizers make their post-processor anew from `add_bos_token` and `add_eos_token`, whatever
/// `tokenizer.json` has.
const REBUILT: [&str; 4] = ["LlamaTokenizer", "CodeLlamaTokenizer", "GemmaTokenizer", "CohereTokenizer"];

/// What was found.
#[derive(Debug, Default)]
pub(super) struct Specials {
    ids: Vec<(&'static str, u64)>,
    add: Vec<(&'static str, bool)>,
}

impl Specials {
    /// Writes ids, then flags.
    pub fn write(self, out: &mut TokenizerKvs) {
        for (key, id) in self.ids {
            out.put(key, Value::u32(u32::try_from(id).unwrap_or(u32::MAX)));
        }
        for (kind, value) in self.add {
            out.put(format!("tokenizer.ggml.add_{kind}_token"), Value::Bool(value));
        }
    }
}

/// Finds them.
pub(super) fn find(ask: &Request<'_, '_>, built: &Built<'_>, out: &mut TokenizerKvs) -> Specials {
    let mut finder = Finder::new(ask, built);
    finder.post_processor(out);
    finder.flags(ask, built, out);
    let ids = finder.ids(ask, built, out);
    if finder.adds("bos") == Some(true) && !ids.iter().any(|(key, _)| *key == "tokenizer.ggml.bos_token_id") {
        out.miss("tokenizer.ggml.bos_token_id", "a token is put before each text and no file says which");
    }
    let add = ["bos", "eos", "sep"].into_iter().filter_map(|kind| finder.adds(kind).map(|value| (kind, value)));
    Specials { ids, add: add.collect() }
}

/// The state of a search.
struct Finder {
    /// Texts by kind; `eot` and `eom` come only from a template.
    texts: Vec<(&'static str, String)>,
    add: Vec<(&'static str, bool)>,
    /// The processors, with a RoBERTa's or BERT's as the template that it is.
    processors: Vec<Processor>,
    /// Whether all that the post-processor says is that it does nothing.
    silent: bool,
}

enum Processor {
    ByteLevel,
    Roberta { cls: Option<String>, sep: Option<String> },
    Template { single: Vec<Piece>, pair: Vec<Piece> },
}

/// An element of a template.
#[derive(Debug, Clone, PartialEq)]
enum Piece {
    Token(String),
    Text(String),
}

impl Finder {
    fn new(ask: &Request<'_, '_>, built: &Built<'_>) -> Self {
        let default = |kind: &str| {
            let named = built.defaults.iter().find(|(k, _)| *k == kind).map(|(_, text)| *text);
            named.filter(|text| built.vocabulary.find(text).is_some())
        };
        let text = |kind| ask.settings.token(kind).or_else(|| default(kind)).map(|text| (kind, text.to_owned()));
        let texts = KINDS.into_iter().filter_map(text).collect();
        let parts = ask.json.map(|json| parts(&json.post_processor, "processors")).unwrap_or_default();
        let processors: Vec<Processor> = parts.into_iter().filter_map(processor).collect();
        let silent = processors.iter().all(|p| matches!(p, Processor::ByteLevel));
        let mut finder = Self { texts, add: Vec::new(), processors, silent };
        // llama.cpp's BERT puts bos where BERT has cls.
        if ask.json.is_some() || built.model == "bert" {
            finder.borrow_text("bos", "cls");
            finder.borrow_text("eos", "sep");
        }
        finder
    }

    fn text(&self, kind: &str) -> Option<&str> {
        self.texts.iter().find(|(k, _)| *k == kind).map(|(_, text)| text.as_str())
    }

    fn set_text(&mut self, kind: &'static str, text: &str) {
        self.texts.retain(|(k, _)| *k != kind);
        self.texts.push((kind, text.to_owned()));
    }

    /// Gives `kind` the text of `other` where it has none.
    fn borrow_text(&mut self, kind: &'static str, other: &str) {
        if let (None, Some(text)) = (self.text(kind), self.text(other).map(str::to_owned)) {
            self.set_text(kind, &text);
        }
    }

    fn adds(&self, kind: &str) -> Option<bool> {
        self.add.iter().find(|(k, _)| *k == kind).map(|(_, value)| *value)
    }

    fn set_add(&mut self, kind: &'static str, value: bool) {
        self.add.retain(|(k, _)| *k != kind);
        self.add.push((kind, value));
    }

    /// What the post-processor puts around a text.
    fn post_processor(&mut self, out: &mut TokenizerKvs) {
        for processor in std::mem::take(&mut self.processors) {
            match processor {
                Processor::ByteLevel => {
                    for kind in ["bos", "eos"].into_iter().filter(|kind| self.adds(kind).is_none()).collect::<Vec<_>>()
                    {
                        self.set_add(kind, false);
                    }
                }
                Processor::Roberta { cls, sep } => {
                    ["bos", "eos", "sep"].into_iter().for_each(|kind| self.set_add(kind, true));
                    for (kind, text) in [("cls", cls), ("sep", sep)] {
                        if let (None, Some(text)) = (self.text(kind), text) {
                            self.set_text(kind, &text);
                        }
                    }
                }
                Processor::Template { single, pair } => {
                    let (first, last) = self.single(&single, out);
                    self.pair(&pair, first, last);
                }
            }
        }
    }

    /// What stands before and behind a single text. A leading token is `bos` where none is known; a trailing one is
    /// `eos`, and what was `eos` so far ends turns.
    fn single<'p>(&mut self, pieces: &'p [Piece], out: &mut TokenizerKvs) -> (Option<&'p str>, Option<&'p str>) {
        let token = |piece: Option<&'p Piece>| match piece {
            Some(Piece::Token(text)) if pieces.len() > 1 => Some(text.as_str()),
            _ => None,
        };
        let (first, last) = (token(pieces.first()), token(pieces.last()));
        if let Some(first) = first {
            if self.text("bos").is_none() {
                self.set_text("bos", first);
            }
            let known = self.text("bos") == Some(first) || self.text("cls") == Some(first);
            if !known {
                let first = shown(first);
                out.note(format!(
                    "tokenizer.json puts {first}, which is neither bos nor cls, before a text: llama.cpp will not"
                ));
            }
            self.set_add("bos", known);
        }
        if let Some(last) = last {
            if let Some(eos) = self.text("eos").filter(|eos| *eos != last).map(str::to_owned) {
                let turn = if self.text("eot").is_none() { "eot" } else { "eom" };
                self.set_text(turn, &eos);
            }
            self.set_text("eos", last);
            self.set_add("eos", true);
        }
        (first, last)
    }

    /// What stands between two texts: `sep` is put there where nothing stands behind the first already.
    fn pair(&mut self, pieces: &[Piece], first: Option<&str>, last: Option<&str>) {
        let is = |piece: Option<&Piece>, text: Option<&str>| match (piece, text) {
            (Some(Piece::Token(found)), Some(text)) => found == text,
            _ => false,
        };
        let start = usize::from(is(pieces.first(), first));
        let end = pieces.len().saturating_sub(usize::from(is(pieces.last(), last)));
        let Some([Piece::Text(a), middle @ .., Piece::Text(b)]) = pieces.get(start..end) else { return };
        if a != "A" || b != "B" || middle.is_empty() {
            return;
        }
        let ends = |piece: &Piece| is(Some(piece), self.text("sep")) || is(Some(piece), self.text("eos"));
        let add = match middle {
            [only] => ends(only) && last.is_none(),
            [one, two] => (ends(one) && last.is_none()) || ends(two),
            [one, ..] => ends(one) && last.is_none(),
            [] => false,
        };
        self.set_add("sep", add);
        if add {
            self.borrow_text("sep", "eos");
        }
    }

    /// Completes the flags from `tokenizer_config.json`. Where it differs from the post-processor, that one is right,
    /// as in the converter, but for tokenizers that the library rebuilds from the flags: there a post-processor that
    /// does nothing says nothing (the converter would write what it says; DeepSeek's files are so).
    fn flags(&mut self, ask: &Request<'_, '_>, built: &Built<'_>, out: &mut TokenizerKvs) {
        let class = ask.settings.class();
        let rebuilt = REBUILT.contains(&class.strip_suffix("Fast").unwrap_or(class));
        for kind in ["bos", "eos", "sep"] {
            let Some(flag) = ask.settings.flag(&format!("add_{kind}_token")) else { continue };
            match self.adds(kind) {
                Some(known) if known == flag => {}
                Some(known) if !(rebuilt && self.silent) => out.note(format!(
                    "add_{kind}_token is {flag} in tokenizer_config.json and {known} by the post-processor, which was \
                     followed"
                )),
                _ => self.set_add(kind, flag),
            }
        }
        match ask.architecture {
            // Granite's small models and SmolLM; ChatGLM's prefix is part of its template; Gemma 4 needs it.
            "llama" if ask.rows == 49_152 => self.set_add("bos", false),
            "chatglm" => self.set_add("bos", false),
            "gemma4" | "llada" => self.set_add("bos", true),
            _ => {}
        }
        // llama.cpp would put a token there that no file names.
        if self.adds("bos").is_none() && ask.json.is_some() && built.pre.is_some_and(|pre| WITH_BOS.contains(&pre)) {
            self.set_add("bos", false);
            out.note("no file puts a token before a text, which llama.cpp does with this pre-tokenizer unless told so");
        }
    }

    fn ids(&self, ask: &Request<'_, '_>, built: &Built<'_>, out: &mut TokenizerKvs) -> Vec<(&'static str, u64)> {
        let by_architecture = BY_ARCHITECTURE.iter().find(|(list, _)| list.contains(&ask.architecture));
        let by_architecture = by_architecture.map_or(&[][..], |(_, tokens)| tokens);
        let mut ids = Vec::new();
        for (kind, key) in KEYS {
            let by_text = self.text(kind).and_then(|text| id_of(text, ask, built));
            if let (None, Some(text)) = (by_text, self.text(kind)) {
                out.note(format!("{kind} is {}, which is no token", shown(text)));
            }
            let own = built.pieces.as_ref().filter(|_| self.text(kind).is_none()).and_then(|model| model.id(kind));
            let named =
                by_architecture.iter().find(|(k, _)| *k == kind).and_then(|(_, text)| built.vocabulary.find(text));
            let candidates = [by_text, ask.settings.id(kind), named, own, ask.settings.generation_id(kind)];
            let mut candidates = candidates.into_iter().flatten();
            let id = candidates.find(|id| {
                let inside = *id < built.vocabulary.rows();
                if !inside {
                    out.note(format!("{kind} has id {id}, beyond the embedding's {} rows", built.vocabulary.rows()));
                }
                inside
            });
            ids.extend(id.map(|id| (key, id)));
        }
        // CodeLlama, told by its rows as in the converter.
        if ask.architecture == "llama" && ask.rows == 32_016 && !ids.iter().any(|(key, _)| key.contains("eot")) {
            ids.extend(built.vocabulary.find("\u{2581}<EOT>").map(|id| ("tokenizer.ggml.eot_token_id", id)));
        }
        ids
    }
}

/// The id of the token with this text: an added one, else a control token, else any.
fn id_of(text: &str, ask: &Request<'_, '_>, built: &Built<'_>) -> Option<u64> {
    let listed = ask.json.and_then(|json| json.added_tokens.iter().find(|t| t.content == text)).map(|t| t.id);
    let is = |id: &u64| built.vocabulary.get(*id).is_some_and(|token| token.text == text);
    let control = || {
        let mut tokens = built.vocabulary.tokens();
        tokens.find(|(_, t)| t.kind == TokenType::Control && t.text == text).map(|(id, _)| id)
    };
    listed.filter(is).or_else(control).or_else(|| built.vocabulary.find(text)).or(listed)
}

fn processor(part: &Json) -> Option<Processor> {
    let first = |field: &str| part.get(field).and_then(|pair| pair.get(0)?.as_str()).map(str::to_owned);
    Some(match type_of(part) {
        "ByteLevel" => Processor::ByteLevel,
        "RobertaProcessing" => Processor::Roberta { cls: first("cls"), sep: first("sep") },
        "BertProcessing" => {
            let (cls, sep) = (Piece::Token(first("cls")?), Piece::Token(first("sep")?));
            let (a, b) = (Piece::Text("A".to_owned()), Piece::Text("B".to_owned()));
            let single = vec![cls.clone(), a.clone(), sep.clone()];
            Processor::Template { single, pair: vec![cls, a, sep.clone(), b, sep] }
        }
        "TemplateProcessing" => Processor::Template { single: pieces(part, "single"), pair: pieces(part, "pair") },
        _ => return None,
    })
}

fn pieces(part: &Json, field: &str) -> Vec<Piece> {
    let id = |piece: &Json, kind: &str| piece.get(kind)?.get("id")?.as_str().map(str::to_owned);
    let piece = |p: &Json| id(p, "SpecialToken").map(Piece::Token).or_else(|| id(p, "Sequence").map(Piece::Text));
    part.get(field).and_then(Json::as_array).into_iter().flatten().filter_map(piece).collect()
}
