//! Added tokens: which there are, what type each gets, and how they come into the table.

use std::borrow::Cow;
use std::collections::{HashMap, HashSet};

use super::json::TokenizerJson;
use super::settings::Settings;
use super::vocabulary::{Token, TokenType, Vocabulary};
use super::{Tally, TokenizerKvs, shown};

/// Score of an added token in the converter. llama.cpp cuts these out of a text before it looks at scores.
pub(super) const ADDED_SCORE: f32 = -1000.0;

/// SentencePiece's sign for a space.
pub(super) const SPACE: &str = "\u{2581}";

/// An added token, wherever it is declared.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Added<'a> {
    /// Its id.
    pub id: u64,
    /// Its text.
    pub content: Cow<'a, str>,
    /// Whether it is declared special.
    pub special: bool,
}

/// The added tokens of `tokenizer.json`, then those of `tokenizer_config.json` that it does not have.
pub(super) fn declared<'s>(json: Option<&'s TokenizerJson<'_>>, settings: &'s Settings) -> Vec<Added<'s>> {
    let of_json = json.into_iter().flat_map(|json| &json.added_tokens);
    let mut all: Vec<Added<'s>> =
        of_json.map(|t| Added { id: t.id, content: Cow::Borrowed(t.content.as_ref()), special: t.special }).collect();
    let known: HashSet<u64> = all.iter().map(|t| t.id).collect();
    let more = settings.added.iter().filter(|t| !known.contains(&t.id));
    all.extend(more.map(|t| Added { id: t.id, content: Cow::Borrowed(t.content.as_ref()), special: t.special }));
    all
}

/// Whether a token steers although it is not declared special. The list is the converter's: files of Command-R,
/// DeepSeek-Coder and Gemma have such tokens.
fn looks_special(text: &str) -> bool {
    let between = |open: &str, close: &str| text.starts_with(open) && text.ends_with(close);
    matches!(text, "<pad>" | "<mask>" | "<2mass>" | "[@BOS@]")
        || between("<|", "|>")
        || between("<｜", "｜>")
        || between("<unused", ">")
}

/// The token that an added token becomes. llama.cpp looks for user-defined ones in the text as it is, so that their
/// SentencePiece spaces become spaces.
pub(super) fn token(added: &Added<'_>, score: f32) -> Token {
    let control = added.special || looks_special(&added.content);
    let kind = if control { TokenType::Control } else { TokenType::UserDefined };
    let text = if control { added.content.clone().into_owned() } else { added.content.replace(SPACE, " ") };
    Token { text, kind, score }
}

/// Puts added tokens into a table that has the model's own tokens. Where the text is a token already, that one is
/// meant, whatever id is declared: Hugging Face's library looks the text up first. Else the declared id is taken, from
/// whatever stands there.
pub(super) fn place(table: &mut Vocabulary, added: &[Added<'_>], score: f32, out: &mut TokenizerKvs) {
    let mut odd: Vec<&Added<'_>> = Vec::new();
    for entry in added {
        match table.get(entry.id) {
            Some(there) if there.text == entry.content => table.replace(entry.id, token(entry, score)),
            _ => odd.push(entry),
        }
    }
    if odd.is_empty() {
        return;
    }
    let ids: HashMap<String, u64> = {
        let wanted: HashSet<&str> = odd.iter().map(|a| a.content.as_ref()).collect();
        table.tokens().filter(|(_, t)| wanted.contains(t.text.as_str())).map(|(id, t)| (t.text.clone(), id)).collect()
    };
    let mut elsewhere = Tally::default();
    for entry in odd {
        let id = ids.get(entry.content.as_ref()).copied();
        if let Some(id) = id.filter(|id| *id != entry.id) {
            elsewhere.add(|| format!("{} is declared as {} and is {id}", shown(&entry.content), entry.id));
        }
        table.place(id.unwrap_or(entry.id), token(entry, score));
    }
    out.notes.extend(elsewhere.message("added tokens that are tokens of the model under another id, which was taken"));
}

#[cfg(test)]
mod tests {
    use super::*;

    fn added(id: u64, content: &str, special: bool) -> Added<'_> {
        Added { id, content: Cow::Borrowed(content), special }
    }

    #[test]
    fn types_follow_the_declaration_and_the_look() {
        let kind = |content, special| token(&added(0, content, special), 0.0).kind;
        assert_eq!(kind("<s>", true), TokenType::Control);
        for text in ["<pad>", "<|im_start|>", "<｜User｜>", "<unused17>", "<|>"] {
            assert_eq!(kind(text, false), TokenType::Control, "{text}");
        }
        for text in ["<think>", "<|half", "half|>", "<unused", "  "] {
            assert_eq!(kind(text, false), TokenType::UserDefined, "{text}");
        }
        assert_eq!(token(&added(0, "▁▁", false), 0.0).text, "  ");
        assert_eq!(token(&added(0, "<｜▁pad▁｜>", true), 0.0).text, "<｜▁pad▁｜>");
    }

    #[test]
    fn a_text_that_is_a_token_keeps_its_id() {
        let mut table = Vocabulary::new(5);
        for (id, text) in [(0, "a"), (1, "b"), (2, "c")] {
            table.place(id, Token { text: text.into(), kind: TokenType::Normal, score: 0.0 });
        }
        let mut out = TokenizerKvs::default();
        let entries = [added(1, "b", true), added(4, "a", true), added(3, "<x>", false), added(2, "new", true)];
        place(&mut table, &entries, ADDED_SCORE, &mut out);
        let now: Vec<(u64, &str, TokenType)> = table.tokens().map(|(id, t)| (id, t.text.as_str(), t.kind)).collect();
        let (control, user) = (TokenType::Control, TokenType::UserDefined);
        assert_eq!(now, [(0, "a", control), (1, "b", control), (2, "new", control), (3, "<x>", user)]);
        assert_eq!(out.notes.len(), 1);
        assert!(out.notes[0].contains("“a” is declared as 4 and is 0"), "{:?}", out.notes);
    }
}
