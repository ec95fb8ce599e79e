//! From the tokenizer files of a Hugging Face model folder to the `tokenizer.*` metadata of a GGUF.
//!
//! What comes out is what llama.cpp's converter (`conversion/base.py`, `gguf-py/gguf/vocab.py`, mid-2026) writes for
//! the same folder; where this departs from it, the function that does says so and why. Nothing is invented: what
//! cannot be derived is named in [`TokenizerKvs::missing`], what llama.cpp will do otherwise than Hugging Face's
//! library in [`TokenizerKvs::notes`].
//!
//! Three kinds are known. *Byte-level BPE* (`gpt2`, module [`bpe`]) needs a name for its pre-tokenizer, which
//! [`pretokenizer`] finds; *SentencePiece's BPE* (`llama`, module [`spm`]) comes from `tokenizer.model`, read by
//! [`sentencepiece`], or from a `tokenizer.json` with byte fallback; *WordPiece* (`bert`, module [`wordpiece`]) from
//! `tokenizer.json` or `vocab.txt`. [`vocabulary`] is the table of tokens that each of them fills, [`added`] puts the
//! added tokens into it, [`special`] finds the ids of `bos`, `eos` and their kin, [`template`] the chat template.
//! [`json`] and [`settings`] read the files. Reading the folder is the caller's.

mod added;
mod bpe;
mod json;
mod pretokenizer;
mod sentencepiece;
mod settings;
mod special;
mod spm;
mod template;
mod vocabulary;
mod wordpiece;

use crate::engine::format::gguf::{Value, ValueType};

use json::{Kind, TokenizerJson};
use sentencepiece::Model;
use settings::Settings;
use vocabulary::Vocabulary;

/// Most rows of an embedding that a vocabulary is written for. The largest known have 262 400; the bound keeps the
/// padding of a small file to a size that can be had.
pub const MAX_ROWS: u64 = 1 << 22;

/// The contents of a model folder's tokenizer files, as far as they are there.
#[derive(Debug, Clone, Copy, Default)]
pub struct TokenizerFiles<'a> {
    /// `tokenizer.json`.
    pub tokenizer_json: Option<&'a [u8]>,
    /// `tokenizer_config.json`.
    pub tokenizer_config: Option<&'a [u8]>,
    /// `special_tokens_map.json`.
    pub special_tokens_map: Option<&'a [u8]>,
    /// `added_tokens.json`, which older folders have beside `tokenizer.model`.
    pub added_tokens: Option<&'a [u8]>,
    /// `generation_config.json`.
    pub generation_config: Option<&'a [u8]>,
    /// `tokenizer.model`.
    pub sentencepiece: Option<&'a [u8]>,
    /// `vocab.txt`.
    pub vocab_txt: Option<&'a [u8]>,
    /// `chat_template.jinja`.
    pub chat_template: Option<&'a [u8]>,
    /// `config.json`.
    pub config: Option<&'a [u8]>,
}

/// What was derived, and what was not.
#[derive(Debug, Clone, Default, PartialEq)]
pub struct TokenizerKvs {
    /// Metadata entries in the order to write them; no key stands twice.
    pub kvs: Vec<(String, Value)>,
    /// `key: why` of each entry that a complete tokenizer has and that could not be derived, or that is there and will
    /// not load.
    pub missing: Vec<String>,
    /// Choices that were made, and what llama.cpp will do otherwise.
    pub notes: Vec<String>,
}

impl TokenizerKvs {
    /// The value under this key.
    pub fn get(&self, key: &str) -> Option<&Value> {
        self.kvs.iter().find(|(k, _)| k == key).map(|(_, v)| v)
    }

    fn put(&mut self, key: impl Into<String>, value: Value) {
        let key = key.into();
        match self.kvs.iter_mut().find(|(k, _)| *k == key) {
            Some((_, old)) => *old = value,
            None => self.kvs.push((key, value)),
        }
    }

    fn put_array(&mut self, key: &str, element: ValueType, items: Vec<Value>) {
        self.put(key, Value::Array { element, len: items.len() as u64, head: items });
    }

    fn miss(&mut self, key: &str, why: impl AsRef<str>) {
        self.missing.push(format!("{key}: {}", why.as_ref()));
    }

    fn note(&mut self, text: impl Into<String>) {
        self.notes.push(text.into());
    }
}

/// What a kind of tokenizer makes of its files.
struct Built<'a> {
    /// `tokenizer.ggml.model`.
    model: &'static str,
    /// `tokenizer.ggml.pre`, where llama.cpp has a name.
    pre: Option<&'static str>,
    vocabulary: Vocabulary,
    /// Whether `tokenizer.ggml.scores` is written.
    scored: bool,
    /// `tokenizer.ggml.merges`.
    merges: Option<Vec<String>>,
    /// `tokenizer.ggml.add_space_prefix`.
    space_prefix: Option<bool>,
    /// The SentencePiece model, for the ids that it names itself.
    pieces: Option<Model<'a>>,
    /// Texts of special tokens where no file names others.
    defaults: &'static [(&'static str, &'static str)],
}

/// Derives the `tokenizer.*` metadata. `architecture` is GGUF's name (`llama`, `qwen2`, `bert`, …), `vocab_size` the
/// rows of the embedding: as many tokens are written, because llama.cpp takes the one for the other.
pub fn convert(files: &TokenizerFiles<'_>, architecture: &str, vocab_size: u64) -> TokenizerKvs {
    let mut out = TokenizerKvs::default();
    if vocab_size == 0 || vocab_size > MAX_ROWS {
        let why = format!("an embedding of {vocab_size} rows; from 1 to {MAX_ROWS} tokens can be written");
        out.miss("tokenizer.ggml.tokens", why);
        return out;
    }
    let settings = Settings::read(files, &mut out);
    let json = files.tokenizer_json.and_then(|bytes| match TokenizerJson::parse(bytes) {
        Ok(json) => Some(json),
        Err(e) => {
            out.note(format!("tokenizer.json cannot be read: {}", told(&e)));
            None
        }
    });
    let ask = Request { architecture, rows: vocab_size, settings: &settings, json: json.as_ref() };
    if let Some(built) = ask.build(files, &mut out) {
        ask.assemble(built, files, &mut out);
    }
    out
}

/// What every part of a conversion looks at.
struct Request<'r, 'a> {
    architecture: &'r str,
    rows: u64,
    settings: &'r Settings,
    json: Option<&'r TokenizerJson<'a>>,
}

impl<'a> Request<'_, 'a> {
    /// Chooses the kind and builds it. `tokenizer.model` goes before `tokenizer.json`, as in the converter, unless the
    /// latter is byte-level: then the former is another tokenizer, or none that this can read.
    fn build(&self, files: &TokenizerFiles<'a>, out: &mut TokenizerKvs) -> Option<Built<'a>> {
        let kind = self.json.map(TokenizerJson::kind);
        let byte_level = matches!(kind, Some(Kind::ByteLevel));
        if let Some(bytes) = files.sentencepiece.filter(|_| !byte_level && self.architecture != "gemma4") {
            match Model::parse(bytes).and_then(Model::require_bpe) {
                Ok(model) => return Some(spm::from_model(self, model, out)),
                Err(e) => out.note(format!("tokenizer.model cannot be used: {e}")),
            }
        }
        let unsupported = match kind {
            Some(Kind::ByteLevel) => return self.json.map(|json| bpe::byte_level(self, json, out)),
            Some(Kind::ByteFallback) if self.architecture == "gemma4" => {
                return self.json.map(|json| bpe::raw(self, json, out));
            }
            Some(Kind::ByteFallback) => return self.json.map(|json| spm::from_json(self, json, out)),
            Some(Kind::WordPiece) => return self.json.and_then(|json| wordpiece::from_json(self, json, out)),
            Some(Kind::Other(what)) => Some(what),
            None => None,
        };
        if let Some(what) = unsupported {
            out.miss("tokenizer.ggml.model", format!("{what} is not supported"));
        } else if let Some(bytes) = files.vocab_txt {
            return wordpiece::from_list(self, bytes, out);
        } else {
            out.miss("tokenizer.ggml.model", "no tokenizer.json, tokenizer.model or vocab.txt that can be read");
        }
        None
    }

    fn assemble(&self, mut built: Built<'a>, files: &TokenizerFiles<'_>, out: &mut TokenizerKvs) {
        if built.vocabulary.is_empty() {
            out.miss("tokenizer.ggml.tokens", format!("no token has an id below the embedding's {} rows", self.rows));
            return;
        }
        out.put("tokenizer.ggml.model", Value::string(built.model));
        if let Some(pre) = built.pre {
            out.put("tokenizer.ggml.pre", Value::string(pre));
        }
        let specials = special::find(self, &built, out);
        std::mem::take(&mut built.vocabulary).write(built.scored, out);
        if let Some(merges) = built.merges {
            out.put_array("tokenizer.ggml.merges", ValueType::String, merges.into_iter().map(Value::String).collect());
        }
        specials.write(out);
        if let Some(space) = built.space_prefix {
            out.put("tokenizer.ggml.add_space_prefix", Value::Bool(space));
        }
        if let Some(json) = self.json {
            wordpiece::normalizer_flags(&json.normalizer, out);
        }
        template::write(self.settings, files.chat_template, out);
    }
}

/// A text out of a file as a message shows it: safe to print, and not longer than a line takes.
fn shown(text: &str) -> String {
    format!("“{}”", crate::text::elide(&crate::text::escape(text), 60))
}

/// A reader's error as a message shows it: it may quote the file.
fn told(error: &serde_json::Error) -> String {
    crate::text::elide(&crate::text::escape(&error.to_string()), 160)
}

/// Counts what is odd and remembers the first of it, so that a hostile file makes one message and not a million.
#[derive(Debug, Default)]
struct Tally {
    count: u64,
    first: String,
}

impl Tally {
    fn add(&mut self, what: impl FnOnce() -> String) {
        if self.count == 0 {
            self.first = what();
        }
        self.count += 1;
    }

    /// `tokens that …: 3 (first: “x”)`, where there is any.
    fn message(&self, what: &str) -> Option<String> {
        (self.count > 0).then(|| format!("{what}: {} (first: {})", self.count, self.first))
    }
}

#[cfg(test)]
mod tests;
