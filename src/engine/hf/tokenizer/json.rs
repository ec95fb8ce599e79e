//! `tokenizer.json`, read into borrowed strings: 262 144 tokens and half a million merges would be slow as JSON values.
//!
//! Only what a GGUF needs is typed; normalizer, pre-tokenizer, post-processor and decoder stay JSON, each read by the
//! module that translates it.

use std::borrow::Cow;
use std::fmt;

use serde::Deserialize;
use serde::de::{Deserializer, Error, IgnoredAny, MapAccess, SeqAccess, Visitor};
use serde_json::Value as Json;

/// The whole file.
#[derive(Debug, Default, Deserialize)]
pub(super) struct TokenizerJson<'a> {
    /// Tokens beside the model's own.
    #[serde(borrow, default)]
    pub added_tokens: Vec<AddedToken<'a>>,
    /// What is done to a text first.
    #[serde(default)]
    pub normalizer: Json,
    /// How a text is cut before the model sees it.
    #[serde(default)]
    pub pre_tokenizer: Json,
    /// Which special tokens are put around.
    #[serde(default)]
    pub post_processor: Json,
    /// How tokens become text.
    #[serde(default)]
    pub decoder: Json,
    /// Vocabulary and merges.
    #[serde(borrow)]
    pub model: ModelJson<'a>,
}

/// An entry of `added_tokens`.
#[derive(Debug, Deserialize)]
pub(super) struct AddedToken<'a> {
    /// Its id.
    pub id: u64,
    /// Its text.
    #[serde(borrow)]
    pub content: Cow<'a, str>,
    /// Whether it is left out when text is shown.
    #[serde(default)]
    pub special: bool,
}

/// `model`.
#[derive(Debug, Default, Deserialize)]
pub(super) struct ModelJson<'a> {
    #[serde(borrow, default, rename = "type")]
    kind: Option<Cow<'a, str>>,
    /// Text of the token for what the vocabulary cannot say.
    #[serde(borrow, default)]
    pub unk_token: Option<Cow<'a, str>>,
    #[serde(default)]
    byte_fallback: Option<bool>,
    #[serde(default)]
    ignore_merges: Option<bool>,
    /// `##` in WordPiece.
    #[serde(borrow, default)]
    pub continuing_subword_prefix: Option<Cow<'a, str>>,
    #[serde(borrow, default)]
    end_of_word_suffix: Option<Cow<'a, str>>,
    #[serde(default)]
    max_input_chars_per_word: Option<IgnoredAny>,
    /// Texts and ids.
    #[serde(borrow, default)]
    pub vocab: Vocab<'a>,
    /// Merges, the first to be made first.
    #[serde(borrow, default)]
    pub merges: Option<Vec<Merge<'a>>>,
}

/// The vocabulary: a map of texts to ids, or Unigram's list of texts with scores, which nobody here reads.
#[derive(Debug, Default)]
pub(super) struct Vocab<'a>(pub Vec<(Cow<'a, str>, u64)>);

/// Two tokens that become one. The right one is empty where the file's entry was no pair.
#[derive(Debug, PartialEq)]
pub(super) struct Merge<'a> {
    /// Left token, or the entry as it stands.
    pub left: Cow<'a, str>,
    /// Right token.
    pub right: Cow<'a, str>,
}

/// What kind of tokenizer a `tokenizer.json` is.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) enum Kind {
    /// BPE over the 256 bytes, each shown as a printable letter.
    ByteLevel,
    /// BPE over letters, with a token for each byte that no letter covers: SentencePiece's.
    ByteFallback,
    /// BERT's.
    WordPiece,
    /// Anything else, in words.
    Other(String),
}

impl<'a> TokenizerJson<'a> {
    /// Reads the file. JSON nested deeper than 128 levels is refused by the reader.
    pub fn parse(bytes: &'a [u8]) -> Result<Self, serde_json::Error> {
        serde_json::from_slice(bytes)
    }

    /// Which kind it is.
    pub fn kind(&self) -> Kind {
        let model = &self.model;
        let inferred = match (model.merges.is_some(), model.max_input_chars_per_word.is_some()) {
            (true, _) => "BPE",
            (false, true) => "WordPiece",
            // Files of before version 1.0 have no type.
            (false, false) => "a model without a type",
        };
        let kind = model.kind.as_deref().unwrap_or(inferred);
        let filled = |affix: &Option<Cow<'_, str>>| affix.as_deref().is_some_and(|s| !s.is_empty());
        match kind {
            "BPE" if filled(&model.continuing_subword_prefix) || filled(&model.end_of_word_suffix) => Kind::Other(
                "a BPE that marks the parts of words (continuing_subword_prefix, end_of_word_suffix)".into(),
            ),
            "BPE" if mentions(&self.pre_tokenizer, "ByteLevel") || mentions(&self.decoder, "ByteLevel") => {
                Kind::ByteLevel
            }
            "BPE" if model.byte_fallback == Some(true) => Kind::ByteFallback,
            "BPE" => Kind::Other("a BPE that is neither byte-level nor has byte fallback".into()),
            "WordPiece" => Kind::WordPiece,
            other => Kind::Other(format!("a tokenizer of type {}", super::shown(other))),
        }
    }

    /// Whether a whole word that is a token is taken without merging.
    pub fn ignores_merges(&self) -> bool {
        self.model.ignore_merges == Some(true)
    }
}

/// Parts of a component that are looked at. No known file has more than ten.
const MAX_PARTS: usize = 64;

/// The parts of a component: those of a `Sequence`, one after the other and level by level, or itself. `list` names the
/// field that holds a sequence's parts.
pub(super) fn parts<'j>(component: &'j Json, list: &str) -> Vec<&'j Json> {
    let mut out = Vec::new();
    // The reader bounds the depth, so this ends.
    let mut stack = vec![component];
    while let Some(next) = stack.pop().filter(|_| out.len() < MAX_PARTS) {
        match next.get(list).and_then(Json::as_array) {
            Some(inner) => stack.extend(inner.iter().rev()),
            None if next.is_object() => out.push(next),
            None => {}
        }
    }
    out
}

/// The `type` of a component, or nothing.
pub(super) fn type_of(component: &Json) -> &str {
    component.get("type").and_then(Json::as_str).unwrap_or("")
}

fn mentions(component: &Json, wanted: &str) -> bool {
    ["pretokenizers", "decoders"].iter().any(|list| parts(component, list).iter().any(|c| type_of(c) == wanted))
}

/// A string that borrows from the file where it has no escapes.
struct Text<'a>(Cow<'a, str>);

impl<'de: 'a, 'a> Deserialize<'de> for Text<'a> {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        deserializer.deserialize_str(TextVisitor)
    }
}

struct TextVisitor;

impl<'de> Visitor<'de> for TextVisitor {
    type Value = Text<'de>;

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("a string")
    }

    fn visit_borrowed_str<E: Error>(self, s: &'de str) -> Result<Text<'de>, E> {
        Ok(Text(Cow::Borrowed(s)))
    }

    fn visit_str<E: Error>(self, s: &str) -> Result<Text<'de>, E> {
        Ok(Text(Cow::Owned(s.to_owned())))
    }
}

impl<'de: 'a, 'a> Deserialize<'de> for Vocab<'a> {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        deserializer.deserialize_any(VocabVisitor)
    }
}

struct VocabVisitor;

impl<'de> Visitor<'de> for VocabVisitor {
    type Value = Vocab<'de>;

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("a vocabulary")
    }

    fn visit_map<A: MapAccess<'de>>(self, mut map: A) -> Result<Vocab<'de>, A::Error> {
        let mut entries = Vec::new();
        while let Some((Text(text), id)) = map.next_entry::<Text<'de>, u64>()? {
            entries.push((text, id));
        }
        Ok(Vocab(entries))
    }

    fn visit_seq<A: SeqAccess<'de>>(self, mut seq: A) -> Result<Vocab<'de>, A::Error> {
        while seq.next_element::<IgnoredAny>()?.is_some() {}
        Ok(Vocab::default())
    }
}

impl<'de: 'a, 'a> Deserialize<'de> for Merge<'a> {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        deserializer.deserialize_any(MergeVisitor)
    }
}

/// Reads `"left right"`, the form of before version 4.45 of `transformers`, and `["left", "right"]`, the only one that
/// can say tokens with a space.
struct MergeVisitor;

impl<'de> Visitor<'de> for MergeVisitor {
    type Value = Merge<'de>;

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("a merge: \"left right\" or [\"left\", \"right\"]")
    }

    fn visit_borrowed_str<E: Error>(self, s: &'de str) -> Result<Merge<'de>, E> {
        let (left, right) = halves(s);
        Ok(Merge { left: Cow::Borrowed(left), right: Cow::Borrowed(right) })
    }

    fn visit_str<E: Error>(self, s: &str) -> Result<Merge<'de>, E> {
        let (left, right) = halves(s);
        Ok(Merge { left: Cow::Owned(left.to_owned()), right: Cow::Owned(right.to_owned()) })
    }

    fn visit_seq<A: SeqAccess<'de>>(self, mut seq: A) -> Result<Merge<'de>, A::Error> {
        let left = seq.next_element::<Text<'de>>()?;
        let right = seq.next_element::<Text<'de>>()?;
        let more = seq.next_element::<IgnoredAny>()?.is_some();
        while seq.next_element::<IgnoredAny>()?.is_some() {}
        let left = left.map_or(Cow::Borrowed(""), |t| t.0);
        let right = right.filter(|_| !more && !left.is_empty()).map_or(Cow::Borrowed(""), |t| t.0);
        Ok(Merge { left, right })
    }
}

/// The two halves of `left right`; the right one is empty where there is not exactly one space between them.
fn halves(entry: &str) -> (&str, &str) {
    match entry.split_once(' ') {
        Some((left, right)) if !left.is_empty() && !right.contains(' ') => (left, right),
        _ => (entry, ""),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn merges(json: &str) -> Vec<Merge<'_>> {
        serde_json::from_str(json).unwrap()
    }

    fn pair(left: &'static str, right: &'static str) -> Merge<'static> {
        Merge { left: Cow::Borrowed(left), right: Cow::Borrowed(right) }
    }

    #[test]
    fn merges_are_read_in_both_forms_and_what_is_no_pair_has_no_right_half() {
        let read = merges(
            r#"["a b", ["c", "d"], ["e f", " "], "\u0120 t", "a", "a b c", " a", [], ["x"], ["", "y"], ["x","y","z"]]"#,
        );
        let whole = ["a", "a b c", " a", "", "x", "", "x"];
        assert_eq!(read[..4], [pair("a", "b"), pair("c", "d"), pair("e f", " "), pair("Ġ", "t")]);
        assert_eq!(read[4..], whole.map(|left| pair(left, "")));
    }

    #[test]
    fn a_vocabulary_keeps_every_entry_of_its_map() {
        let vocab: Vocab<'_> = serde_json::from_str(r#"{"a": 1, "\"": 0, "a": 7}"#).unwrap();
        let entries: Vec<(&str, u64)> = vocab.0.iter().map(|(t, i)| (t.as_ref(), *i)).collect();
        assert_eq!(entries, [("a", 1), ("\"", 0), ("a", 7)]);
        assert!(serde_json::from_str::<Vocab<'_>>(r#"{"a": -1}"#).is_err());
        assert!(serde_json::from_str::<Vocab<'_>>(r#"[["a", -1.5]]"#).unwrap().0.is_empty());
    }

    #[test]
    fn kinds_are_told_apart() {
        let kind = |json: &str| TokenizerJson::parse(json.as_bytes()).unwrap().kind();
        assert_eq!(kind(r#"{"model":{"type":"BPE","merges":[]},"decoder":{"type":"ByteLevel"}}"#), Kind::ByteLevel);
        let nested = r#"{"model":{"merges":[]},"pre_tokenizer":{"type":"Sequence","pretokenizers":[{"type":"Digits"},
            {"type":"Sequence","pretokenizers":[{"type":"ByteLevel"}]}]}}"#;
        assert_eq!(kind(nested), Kind::ByteLevel);
        assert_eq!(kind(r#"{"model":{"type":"BPE","byte_fallback":true}}"#), Kind::ByteFallback);
        assert_eq!(kind(r#"{"model":{"max_input_chars_per_word":100}}"#), Kind::WordPiece);
        for json in [
            r#"{"model":{"type":"Unigram","vocab":[["a",-1.0]]}}"#,
            r#"{"model":{"type":"BPE"}}"#,
            r#"{"model":{"type":"BPE","byte_fallback":true,"end_of_word_suffix":"</w>"}}"#,
        ] {
            assert!(matches!(kind(json), Kind::Other(_)), "{json}");
        }
    }

    #[test]
    fn deep_json_is_an_error() {
        let deep = format!(r#"{{"model":{{}},"decoder":{}{}}}"#, "[".repeat(100_000), "]".repeat(100_000));
        assert!(TokenizerJson::parse(deep.as_bytes()).is_err());
    }
}
