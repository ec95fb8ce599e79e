//! The tokenizer as a table: every token with its text, type and score, special ids, settings.
//!
//! Texts lie in one buffer, so that a vocabulary of 262 144 tokens is a few megabytes and is searched in milliseconds. It
//! is read in the background; nothing of it is needed to open a model.

use std::sync::Arc;

use regex::RegexBuilder;

use super::Model;
use super::elements::Elements;
use crate::engine::error::Result;
use crate::engine::format::gguf::Value;
use crate::engine::progress::Cancel;

/// Bytes of texts that are held; beyond, the rest of the tokens is counted only.
const MOST_BYTES: usize = 256 << 20;
/// Tokens that are held.
const MOST_TOKENS: u64 = 1 << 24;
/// Bytes of one token that are held.
const LONGEST: u64 = 4096;
/// Tokens that are read between two looks at whether anybody still wants them.
const PAGE: u64 = 8192;
/// Bytes of a setting that are held.
const SETTING: u64 = 256;

/// How texts of tokens stand for bytes.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Spelling {
    /// `▁` is a space: SentencePiece, and WordPiece as llama.cpp stores it.
    Spaces,
    /// Every byte is a printable character: byte-level BPE, where `Ġ` is a space.
    Bytes,
}

/// A token that the model gives a meaning of its own.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Special {
    /// What it is for, as in its key: `bos`, `eos`, …
    pub name: String,
    /// Its id.
    pub id: u64,
}

/// A tokenizer's table.
#[derive(Debug, Clone)]
pub struct Vocabulary {
    /// `tokenizer.ggml.model`.
    pub kind: Option<String>,
    /// `tokenizer.ggml.pre`: the rules that split text before tokens are looked for.
    pub pre: Option<String>,
    /// Special tokens, in the file's order.
    pub specials: Vec<Special>,
    /// Every other setting of the tokenizer that is one value, by key without its prefix.
    pub settings: Vec<(String, String)>,
    /// Merges of a BPE: their entry and number.
    pub merges: Option<(usize, u64)>,
    /// Tokens in the file; [`Vocabulary::len`] of them are held.
    pub total: u64,
    spelling: Spelling,
    texts: String,
    ends: Vec<u32>,
    scores: Vec<f32>,
    kinds: Vec<u8>,
}

const PREFIX: &str = "tokenizer.ggml.";

impl Vocabulary {
    /// Reads a model's vocabulary; `None` where it has none. Errors: cancellation, arrays that cannot be read.
    pub fn read(model: &Arc<Model>, cancel: &Cancel) -> Result<Option<Self>> {
        let Some(mut tokens) = Elements::named(model, &format!("{PREFIX}tokens"))? else { return Ok(None) };
        let text = |name: &str| {
            let entry = model.metadata.find(&format!("{PREFIX}{name}"))?;
            let value = model.metadata.glimpse(entry, SETTING, 0).ok()?.value;
            value.as_str().map(str::to_owned)
        };
        let kind = text("model");
        let spelling = if kind.as_deref() == Some("gpt2") { Spelling::Bytes } else { Spelling::Spaces };
        let mut vocabulary = Self {
            pre: text("pre"),
            kind,
            specials: Vec::new(),
            settings: Vec::new(),
            merges: None,
            total: tokens.len(),
            spelling,
            texts: String::new(),
            ends: Vec::new(),
            scores: Vec::new(),
            kinds: Vec::new(),
        };
        vocabulary.read_settings(model);
        vocabulary.read_texts(&mut tokens, cancel)?;
        let held = vocabulary.ends.len() as u64;
        each(model, "scores", held, cancel, |value| {
            vocabulary.scores.push(if let Value::Float(x, _) = value { *x as f32 } else { f32::NAN });
        })?;
        each(model, "token_type", held, cancel, |value| {
            vocabulary.kinds.push(value.as_u64().and_then(|n| u8::try_from(n).ok()).unwrap_or(u8::MAX));
        })?;
        Ok(Some(vocabulary))
    }

    fn read_settings(&mut self, model: &Arc<Model>) {
        for (index, entry) in model.metadata.entries().iter().enumerate() {
            let Some(name) = entry.key.strip_prefix(PREFIX) else { continue };
            let Ok(glimpse) = model.metadata.glimpse(entry, SETTING, 0) else { continue };
            match (name, name.strip_suffix("_token_id"), glimpse.value) {
                ("model" | "pre", ..) => {}
                ("merges", _, Value::Array { len, .. }) => self.merges = Some((index, len)),
                (_, _, Value::Array { .. }) => {}
                (_, Some(special), value) if value.as_u64().is_some() => {
                    self.specials.push(Special { name: special.to_owned(), id: value.as_u64().unwrap_or(0) });
                }
                (_, _, value) => self.settings.push((name.to_owned(), value.to_string())),
            }
        }
    }

    fn read_texts(&mut self, tokens: &mut Elements, cancel: &Cancel) -> Result<()> {
        let mut first = 0;
        while first < self.total.min(MOST_TOKENS) {
            cancel.check()?;
            for glimpse in tokens.read(first..first + PAGE, LONGEST)? {
                if self.texts.len() > MOST_BYTES - LONGEST as usize * 3 {
                    return Ok(());
                }
                match &glimpse.value {
                    Value::String(text) => self.texts.push_str(text),
                    other => self.texts.push_str(&other.to_string()),
                }
                self.ends.push(self.texts.len() as u32);
            }
            first += PAGE;
        }
        Ok(())
    }

    /// Tokens that are held.
    pub fn len(&self) -> usize {
        self.ends.len()
    }

    /// Whether there is none.
    pub fn is_empty(&self) -> bool {
        self.ends.is_empty()
    }

    /// A token's text as the file has it.
    pub fn text(&self, id: usize) -> Option<&str> {
        let end = *self.ends.get(id)? as usize;
        let start = id.checked_sub(1).map_or(0, |before| self.ends[before] as usize);
        self.texts.get(start..end)
    }

    /// What a token stands for: spaces as spaces, bytes as text where they are text. Not yet safe to print.
    pub fn readable(&self, id: usize) -> Option<String> {
        let text = self.text(id)?;
        if let Some(byte) = text.strip_prefix("<0x").and_then(|t| t.strip_suffix('>')).filter(|t| t.len() == 2)
            && let Ok(byte) = u8::from_str_radix(byte, 16)
        {
            return Some(words(&[byte]));
        }
        Some(match self.spelling {
            Spelling::Spaces => text.replace('▁', " "),
            Spelling::Bytes => {
                let bytes: Option<Vec<u8>> = text.chars().map(byte_of).collect();
                bytes.map_or_else(|| text.to_owned(), |bytes| words(&bytes))
            }
        })
    }

    /// A token's score, where the file has scores.
    pub fn score(&self, id: usize) -> Option<f32> {
        self.scores.get(id).copied()
    }

    /// A token's type in a word, where the file has types.
    pub fn kind_name(&self, id: usize) -> Option<&'static str> {
        self.kinds.get(id).map(|kind| match kind {
            1 => "normal",
            2 => "unknown",
            3 => "control",
            4 => "user",
            5 => "unused",
            6 => "byte",
            _ => "other",
        })
    }

    /// What a token is special for: `bos`, `eos, eot`.
    pub fn special_of(&self, id: usize) -> Option<String> {
        let names: Vec<&str> = self.specials.iter().filter(|s| s.id == id as u64).map(|s| s.name.as_str()).collect();
        (!names.is_empty()).then(|| names.join(", "))
    }

    /// Ids of the tokens with these words in their text, whatever the case; of a number the token with that id first.
    /// Errors: cancellation.
    pub fn find(&self, typed: &str, cancel: &Cancel) -> Result<Vec<u32>> {
        let mut found = Vec::new();
        let number = typed.trim().trim_start_matches('#').parse::<usize>().ok().filter(|id| *id < self.len());
        found.extend(number.map(|id| id as u32));
        let spelled: String = match self.spelling {
            Spelling::Spaces => typed.replace(' ', "▁"),
            Spelling::Bytes => typed.bytes().map(char_of).collect(),
        };
        let pattern = format!("{}|{}", regex::escape(typed), regex::escape(&spelled));
        // Both halves are escaped; what is too long to be compiled matches nothing.
        let Ok(pattern) = RegexBuilder::new(&pattern).case_insensitive(true).build() else { return Ok(found) };
        for id in 0..self.len() {
            if id.is_multiple_of(4096) {
                cancel.check()?;
            }
            if Some(id) != number && self.text(id).is_some_and(|text| pattern.is_match(text)) {
                found.push(id as u32);
            }
        }
        Ok(found)
    }
}

/// Hands over the first elements of an array of the tokenizer, if there is one.
fn each(model: &Arc<Model>, name: &str, held: u64, cancel: &Cancel, mut take: impl FnMut(&Value)) -> Result<()> {
    let Some(mut array) = Elements::named(model, &format!("{PREFIX}{name}"))? else { return Ok(()) };
    let len = array.len().min(held);
    let mut first = 0;
    while first < len {
        cancel.check()?;
        array.read(first..(first + PAGE).min(len), LONGEST)?.iter().for_each(|g| take(&g.value));
        first += PAGE;
    }
    Ok(())
}

/// Bytes as text; those that are none as `\xNN`.
fn words(bytes: &[u8]) -> String {
    let mut out = String::new();
    for chunk in bytes.utf8_chunks() {
        out.push_str(chunk.valid());
        chunk.invalid().iter().for_each(|b| out.push_str(&format!("\\x{b:02X}")));
    }
    out
}

/// The byte that a character of byte-level BPE stands for. Printable bytes stand for themselves, the others follow from
/// U+0100 on in their order.
fn byte_of(c: char) -> Option<u8> {
    match u32::from(c) {
        n @ (33..=126 | 161..=172 | 174..=255) => u8::try_from(n).ok(),
        n @ 256..=288 => u8::try_from(n - 256).ok(),
        n @ 289..=322 => u8::try_from(n - 289 + 127).ok(),
        323 => Some(173),
        _ => None,
    }
}

fn char_of(byte: u8) -> char {
    let n = u32::from(byte);
    let code = match n {
        0..=32 => n + 256,
        127..=160 => n - 127 + 289,
        173 => 323,
        _ => n,
    };
    char::from_u32(code).unwrap_or(char::REPLACEMENT_CHARACTER)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_byte_has_a_character_and_every_such_character_its_byte() {
        for byte in 0..=u8::MAX {
            assert_eq!(byte_of(char_of(byte)), Some(byte));
        }
        assert_eq!((char_of(b' '), char_of(b'\n'), byte_of('▁')), ('Ġ', 'Ċ', None));
    }

    #[test]
    fn bytes_that_are_no_text_are_shown_as_bytes() {
        assert_eq!(words("aé".as_bytes()), "aé");
        assert_eq!(words(&[b'a', 0xC3]), "a\\xC3");
    }
}
