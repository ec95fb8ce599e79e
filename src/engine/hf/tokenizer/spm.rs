//! SentencePiece's BPE, llama.cpp's `llama`: texts with U+2581 for spaces, a score each, bytes as `<0x0A>`.
//!
//! From `tokenizer.model` scores and types are exact. From a `tokenizer.json` alone, as Llama 2, Mistral and Gemma have
//! it, scores are made from the merges.
//!
//! # Why scores from merges give the same tokens
//!
//! llama.cpp starts with letters and, as long as two neighbours together are a token, joins the pair whose *joined
//! token* has the highest score, the leftmost of equals. Hugging Face's library joins the pair whose *merge* stands
//! first in the list, the leftmost of equals. Files that were converted from SentencePiece list, by falling score of
//! the joined token, every pair of tokens that joins into one. So with the scores 0, −1, −2, … in the order in which
//! the joined tokens first appear, which are SentencePiece's own where none of its tokens was left out, both choose
//! alike, provided that
//!
//! - every pair of tokens that is a token has a merge: else llama.cpp joins what the library does not
//!   ([`Scores::unsaid`] counts such pairs);
//! - the merges into one token stand together: else a later one of them is made too early
//!   ([`Scores::scattered`] counts such merges).
//!
//! One difference is left: pairs of unlike halves that join into the same token and overlap, as `a` + `aa` and `aa` +
//! `a` in the row `a` `aa` `a`: llama.cpp takes the left one, as SentencePiece does, the library that of the earlier
//! merge.

use std::borrow::Cow;
use std::collections::hash_map::Entry;
use std::collections::{HashMap, HashSet};

use serde_json::Value as Json;

use super::added::{ADDED_SCORE, Added, SPACE, declared, place, token};
use super::bpe::model_tokens;
use super::json::{Kind, TokenizerJson, parts, type_of};
use super::sentencepiece::Model;
use super::settings::Settings;
use super::vocabulary::{Token, TokenType, Vocabulary};
use super::{Built, Request, Tally, TokenizerKvs, shown};

/// Longest token, in bytes, whose halves are looked up. SentencePiece makes none of more than 16 letters by default.
const LONGEST: usize = 256;

/// Builds from `tokenizer.model`. Added tokens replace pieces as in the converter; beyond it, user-defined pieces keep
/// their type (the converter makes them normal, so that llama.cpp does not cut them out), and added tokens that only
/// `tokenizer.json` has get the rows behind the pieces.
pub(super) fn from_model<'a>(ask: &Request<'_, 'a>, model: Model<'a>, out: &mut TokenizerKvs) -> Built<'a> {
    let mut table = Vocabulary::new(ask.rows);
    for (id, piece) in model.pieces.iter().enumerate() {
        let user = piece.kind == TokenType::UserDefined;
        let text = if user { piece.text.replace(SPACE, " ") } else { piece.text.to_owned() };
        table.place(id as u64, Token { text, kind: piece.kind, score: piece.score });
    }
    let pieces = model.pieces.len() as u64;
    let mut replaced = Tally::default();
    for added in &ask.settings.added {
        let new = token(added, ADDED_SCORE);
        if let Some(old) = table.get(added.id).filter(|old| old.text != new.text && old.text != added.content) {
            replaced.add(|| format!("{} was {}, is {}", added.id, shown(&old.text), shown(&new.text)));
        }
        table.replace(added.id, new);
    }
    let placed: HashSet<u64> = ask.settings.added.iter().map(|a| a.id).collect();
    let all = declared(ask.json, ask.settings).into_iter();
    let behind: Vec<Added<'_>> = all.filter(|a| a.id >= pieces && !placed.contains(&a.id)).collect();
    place(&mut table, &behind, ADDED_SCORE, out);
    out.notes.extend(
        replaced.message("pieces of tokenizer.model with another text among the added tokens, which was taken"),
    );
    tell_normalization(&model, out);
    let byte_pieces: Vec<&str> = model.pieces.iter().filter(|p| p.kind == TokenType::Byte).map(|p| p.text).collect();
    tell_bytes(&byte_pieces, out);
    let alike = ask.json.filter(|json| json.kind() == Kind::ByteFallback);
    let space_prefix = space_prefix(ask.settings, alike).or(Some(model.normalizer.add_dummy_prefix));
    Built {
        model: "llama",
        pre: Some("default"),
        vocabulary: table,
        scored: true,
        merges: None,
        space_prefix,
        pieces: Some(model),
        defaults: &[],
    }
}

/// What SentencePiece does to a text and llama.cpp does not.
fn tell_normalization(model: &Model<'_>, out: &mut TokenizerKvs) {
    if model.normalizer.maps_letters {
        let name = shown(&model.normalizer.name);
        out.note(format!(
            "llama.cpp does not apply the normalization {name}: a text that it changes becomes other tokens"
        ));
    }
    if model.normalizer.remove_extra_whitespaces {
        out.note("SentencePiece makes one space of several in this model; llama.cpp does not");
    }
    if model.odd_spaces {
        out.note("SentencePiece shows spaces in this model in a way that llama.cpp does not know");
    }
}

/// Builds from a `tokenizer.json` with byte fallback.
pub(super) fn from_json<'a>(ask: &Request<'_, 'a>, json: &TokenizerJson<'a>, out: &mut TokenizerKvs) -> Built<'a> {
    let mut table = model_tokens(ask, json);
    let added = declared(Some(json), ask.settings);
    let cut: HashSet<u64> = added.iter().map(|a| a.id).collect();
    let scores = Scores::of(json, &cut);
    scores.tell(out);
    let unknown = json.model.unk_token.as_deref();
    let mut rest = scores.made;
    for (id, token) in table.tokens_mut() {
        if is_byte(&token.text) {
            token.kind = TokenType::Byte;
        } else if unknown == Some(token.text.as_str()) {
            token.kind = TokenType::Unknown;
        } else if let Some(rank) = scores.by_id.get(&id) {
            token.score = -(*rank as f32);
        } else if !cut.contains(&id) {
            // No merge makes it, so nothing asks for its score. SentencePiece gives single letters the ones behind.
            token.score = -(rest as f32);
            rest += 1;
        }
    }
    let bytes: Vec<&str> =
        table.tokens().filter(|(_, t)| t.kind == TokenType::Byte).map(|(_, t)| t.text.as_str()).collect();
    tell_bytes(&bytes, out);
    place(&mut table, &added, ADDED_SCORE, out);
    tell_steps(json, out);
    let space_prefix = space_prefix(ask.settings, Some(json));
    Built {
        model: "llama",
        pre: Some("default"),
        vocabulary: table,
        scored: true,
        merges: None,
        space_prefix,
        pieces: None,
        defaults: &[],
    }
}

/// Scores from merges.
#[derive(Default)]
struct Scores {
    /// Place of a token in the order in which tokens are first made.
    by_id: HashMap<u64, u32>,
    /// How many tokens are made.
    made: u32,
    /// Merges that stand apart from the others into the same token.
    scattered: Tally,
    /// Pairs of tokens that are a token, without a merge.
    unsaid: Tally,
    /// Merges that are no pair, or into what is no token.
    odd: Tally,
}

impl Scores {
    /// `cut` are the ids of added tokens, which are cut out of a text before anything is merged: to make one takes no
    /// place in the order.
    fn of(json: &TokenizerJson<'_>, cut: &HashSet<u64>) -> Self {
        let vocab = &json.model.vocab.0;
        let places: HashMap<&str, usize> = vocab.iter().enumerate().map(|(i, (text, _))| (text.as_ref(), i)).collect();
        let mut scores = Self::default();
        // How many merges make the token at each place of the vocabulary.
        let mut said = vec![0u32; vocab.len()];
        let (mut last, mut joined) = (None, String::new());
        for merge in json.model.merges.iter().flatten() {
            joined.clear();
            joined.push_str(&merge.left);
            joined.push_str(&merge.right);
            let place = places.get(joined.as_str()).filter(|_| !merge.right.is_empty());
            let Some((place, id)) = place.and_then(|place| Some((*place, vocab.get(*place)?.1))) else {
                scores.odd.add(|| format!("{} and {}", shown(&merge.left), shown(&merge.right)));
                continue;
            };
            if let Some(n) = said.get_mut(place) {
                *n = n.saturating_add(1);
            }
            if !cut.contains(&id) {
                scores.make(id, last == Some(id), &joined);
                last = Some(id);
            }
        }
        scores.compare(json, &places, &said);
        scores
    }

    fn make(&mut self, id: u64, again: bool, text: &str) {
        if let Entry::Vacant(entry) = self.by_id.entry(id) {
            entry.insert(self.made);
            self.made = self.made.saturating_add(1);
        } else if !again {
            self.scattered.add(|| shown(text));
        }
    }

    /// Counts the pairs that are a token and do not say so.
    fn compare(&mut self, json: &TokenizerJson<'_>, places: &HashMap<&str, usize>, said: &[u32]) {
        for ((text, _), said) in json.model.vocab.0.iter().zip(said) {
            let said = *said as usize;
            // A text of n letters has n - 1 places to part it.
            if text.len() > LONGEST || is_byte(text) || said + 1 == text.chars().count() {
                continue;
            }
            let halves = text.char_indices().skip(1).filter_map(|(at, _)| text.split_at_checked(at));
            let pairs = halves.filter(|(left, right)| places.contains_key(left) && places.contains_key(right)).count();
            for _ in said..pairs {
                self.unsaid.add(|| shown(text));
            }
        }
    }

    fn tell(&self, out: &mut TokenizerKvs) {
        out.note("scores were made from the order of the merges, which llama.cpp's joining by score follows");
        let differs = "so that llama.cpp joins some texts otherwise than tokenizer.json";
        let unsaid = self.unsaid.message(&format!("pairs of tokens that are a token without a merge, {differs}"));
        let scattered =
            self.scattered.message(&format!("merges that stand apart from others into the same token, {differs}"));
        let odd = self.odd.message("merges that are no pair, or make what is no token");
        out.notes.extend([unsaid, scattered, odd].into_iter().flatten());
    }
}

/// Whether a text is a byte's, `<0x0A>`.
pub(super) fn is_byte(text: &str) -> bool {
    let digits = text.strip_prefix("<0x").and_then(|rest| rest.strip_suffix('>'));
    digits.is_some_and(|d| d.len() == 2 && d.bytes().all(|b| b.is_ascii_hexdigit()))
}

/// llama.cpp fails at a letter without a token where the bytes have none either; it looks for `<0x` and upper-case
/// digits.
fn tell_bytes(bytes: &[&str], out: &mut TokenizerKvs) {
    let known: HashSet<&str> = bytes.iter().copied().collect();
    let lacking = (0..=255u8).filter(|b| !known.contains(format!("<0x{b:02X}>").as_str())).count();
    if lacking > 0 {
        let fails = "llama.cpp fails at a letter that it can say in no other way";
        out.note(format!("bytes without a token: {lacking} of 256; {fails}"));
    }
    let odd = bytes.iter().filter(|text| !is_byte(text)).count();
    if odd > 0 {
        out.note(format!("tokens of type byte with another text than <0x00> to <0xFF>: {odd}"));
    }
}

/// Whether a text gets a space in front: by `tokenizer_config.json` (which makes the library rebuild the tokenizer),
/// else by `tokenizer.json`, where a normalizer puts it there or a Metaspace does.
fn space_prefix(settings: &Settings, json: Option<&TokenizerJson<'_>>) -> Option<bool> {
    settings.flag("add_prefix_space").or_else(|| json.map(prepends))
}

fn prepends(json: &TokenizerJson<'_>) -> bool {
    let mut normalizers = parts(&json.normalizer, "normalizers").into_iter();
    let puts = |n: &Json| type_of(n) == "Prepend" && n.get("prepend").and_then(Json::as_str) == Some(SPACE);
    normalizers.any(puts) || parts(&json.pre_tokenizer, "pretokenizers").into_iter().any(metaspace_prepends)
}

/// Newer files say `prepend_scheme` (`always`, `first`, `never`), older ones `add_prefix_space`, which is on by
/// default.
fn metaspace_prepends(part: &Json) -> bool {
    let scheme = part.get("prepend_scheme").and_then(Json::as_str);
    let flag = part.get("add_prefix_space").and_then(Json::as_bool);
    type_of(part) == "Metaspace" && scheme.map_or(flag.unwrap_or(true), |scheme| scheme != "never")
}

/// Notes the steps before the model that llama.cpp does not make.
fn tell_steps(json: &TokenizerJson<'_>, out: &mut TokenizerKvs) {
    let text = |part: &Json, field: &str| part.get(field).and_then(Json::as_str).map(str::to_owned);
    for part in parts(&json.normalizer, "normalizers") {
        let pattern = part.get("pattern").and_then(|p| text(p, "String"));
        let spaces = pattern.as_deref() == Some(" ") && text(part, "content").as_deref() == Some(SPACE);
        match type_of(part) {
            "Replace" if spaces => {}
            "Prepend" if text(part, "prepend").as_deref() == Some(SPACE) => {}
            other => {
                let other = shown(other);
                out.note(format!(
                    "llama.cpp does not apply the normalizer {other}: a text that it changes becomes other tokens"
                ));
            }
        }
    }
    for part in parts(&json.pre_tokenizer, "pretokenizers") {
        let pattern = part.get("pattern");
        let at: Option<Cow<'_, str>> =
            pattern.and_then(|p| p.get("String").or_else(|| p.get("Regex"))?.as_str()).map(Cow::from);
        match type_of(part) {
            "Metaspace" if text(part, "prepend_scheme").as_deref() == Some("first") => out.note(
                "tokenizer.json puts a space before a text only; llama.cpp also puts one behind each special token",
            ),
            "Metaspace" => {}
            // The normalizer leaves no space to split at.
            "Split" if at.as_deref() == Some(" ") => {}
            other => out.note(format!("llama.cpp does not cut texts as the pre-tokenizer {} does", shown(other))),
        }
    }
}
