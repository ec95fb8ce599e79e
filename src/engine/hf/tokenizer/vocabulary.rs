//! The table of tokens: as many as the embedding has rows, each with a type and a score.
//!
//! Kinds of tokenizers fill it by id; what no id claims is padded when it is written. Ids out of range, ids claimed
//! twice and texts that stand twice are counted and told.

use std::collections::HashMap;

use super::{Tally, TokenizerKvs, shown};
use crate::engine::format::gguf::{Value, ValueType};

/// Score of padding in the converter.
const PAD_SCORE: f32 = -10_000.0;

/// What a token is, with llama.cpp's numbers.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
#[repr(i32)]
pub(super) enum TokenType {
    /// Text.
    Normal = 1,
    /// Stands for what cannot be said.
    Unknown = 2,
    /// Steers, and is left out when text is shown.
    Control = 3,
    /// Text that is cut out before the model sees the rest.
    UserDefined = 4,
    /// Padding.
    Unused = 5,
    /// A byte, `<0x0A>`.
    Byte = 6,
}

/// One token.
#[derive(Debug, Clone, PartialEq)]
pub(super) struct Token {
    /// Its text.
    pub text: String,
    /// Its type.
    pub kind: TokenType,
    /// Its score; 0 where the kind of tokenizer has none.
    pub score: f32,
}

/// The table.
#[derive(Debug, Default)]
pub(super) struct Vocabulary {
    slots: Vec<Option<Token>>,
    beyond: Tally,
    claimed: Tally,
}

impl Vocabulary {
    /// A table of this many rows, within [`super::MAX_ROWS`].
    pub fn new(rows: u64) -> Self {
        let rows = rows.min(super::MAX_ROWS) as usize;
        Self { slots: std::iter::repeat_with(|| None).take(rows).collect(), ..Self::default() }
    }

    /// How many tokens it has.
    pub fn rows(&self) -> u64 {
        self.slots.len() as u64
    }

    /// Whether no id is taken.
    pub fn is_empty(&self) -> bool {
        self.slots.iter().all(Option::is_none)
    }

    /// Puts a token at its id. One that is out of range is left out; one whose id is taken by another text replaces it,
    /// as in the converter, which turns the vocabulary around.
    pub fn place(&mut self, id: u64, token: Token) {
        match self.slots.get_mut(usize::try_from(id).unwrap_or(usize::MAX)) {
            Some(slot) => {
                if let Some(old) = slot.as_ref().filter(|old| old.text != token.text) {
                    self.claimed.add(|| format!("{id} was {} and is {}", shown(&old.text), shown(&token.text)));
                }
                *slot = Some(token);
            }
            None => self.beyond.add(|| format!("{} with id {id}", shown(&token.text))),
        }
    }

    /// Puts a token where another may stand, without telling.
    pub fn replace(&mut self, id: u64, token: Token) {
        if let Some(slot) = self.get_mut(id) {
            *slot = Some(token);
        } else {
            self.place(id, token);
        }
    }

    /// The token with this id.
    pub fn get(&self, id: u64) -> Option<&Token> {
        self.slots.get(usize::try_from(id).ok()?)?.as_ref()
    }

    fn get_mut(&mut self, id: u64) -> Option<&mut Option<Token>> {
        self.slots.get_mut(usize::try_from(id).ok()?)
    }

    /// The tokens with their ids.
    pub fn tokens(&self) -> impl Iterator<Item = (u64, &Token)> {
        self.slots.iter().enumerate().filter_map(|(id, slot)| slot.as_ref().map(|token| (id as u64, token)))
    }

    /// The tokens with their ids, to be changed.
    pub fn tokens_mut(&mut self) -> impl Iterator<Item = (u64, &mut Token)> {
        self.slots.iter_mut().enumerate().filter_map(|(id, slot)| slot.as_mut().map(|token| (id as u64, token)))
    }

    /// The lowest id with this text.
    pub fn find(&self, text: &str) -> Option<u64> {
        self.tokens().find(|(_, token)| token.text == text).map(|(id, _)| id)
    }

    /// Pads the table, writes it, and tells what is odd about it.
    pub fn write(mut self, scored: bool, out: &mut TokenizerKvs) {
        self.tell(out);
        for (id, slot) in self.slots.iter_mut().enumerate() {
            slot.get_or_insert_with(|| Token { text: format!("[PAD{id}]"), kind: TokenType::Unused, score: PAD_SCORE });
        }
        self.tell_texts(out);
        let (mut texts, mut scores, mut types) = (Vec::new(), Vec::new(), Vec::new());
        for token in self.slots.into_iter().flatten() {
            texts.push(Value::String(token.text));
            types.push(Value::Signed(token.kind as i64, ValueType::I32));
            if scored {
                scores.push(Value::Float(f64::from(token.score), ValueType::F32));
            }
        }
        out.put_array("tokenizer.ggml.tokens", ValueType::String, texts);
        if scored {
            out.put_array("tokenizer.ggml.scores", ValueType::F32, scores);
        }
        out.put_array("tokenizer.ggml.token_type", ValueType::I32, types);
    }

    fn tell(&self, out: &mut TokenizerKvs) {
        let rows = self.slots.len();
        let holes = self.slots.iter().filter(|slot| slot.is_none()).count();
        if holes > 0 {
            out.note(format!("rows of the embedding without a token, named [PAD…] and unused: {holes} of {rows}"));
        }
        out.notes
            .extend(self.beyond.message(&format!("tokens beyond the embedding's {rows} rows, which are left out")));
        out.notes.extend(self.claimed.message("ids that two tokens claim, of which the later one was taken"));
    }

    /// llama.cpp stops when two tokens have the same text.
    fn tell_texts(&self, out: &mut TokenizerKvs) {
        let mut seen: HashMap<&str, u64> = HashMap::with_capacity(self.slots.len());
        let (mut twice, mut empty) = (Tally::default(), Tally::default());
        for (id, token) in self.tokens() {
            if token.text.is_empty() {
                empty.add(|| format!("id {id}"));
            } else if let Some(other) = seen.insert(&token.text, id) {
                twice.add(|| format!("{}, {other} and {id}", shown(&token.text)));
            }
        }
        if let Some(why) = twice.message("tokens with the text of another, with which llama.cpp does not load a file") {
            out.miss("tokenizer.ggml.tokens", why);
        }
        out.notes.extend(empty.message("empty tokens, which llama.cpp renames"));
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn token(text: &str) -> Token {
        Token { text: text.to_owned(), kind: TokenType::Normal, score: 0.5 }
    }

    fn strings(out: &TokenizerKvs) -> Vec<&str> {
        let Some(Value::Array { head, .. }) = out.get("tokenizer.ggml.tokens") else { panic!("no tokens") };
        head.iter().filter_map(Value::as_str).collect()
    }

    #[test]
    fn holes_are_padded_and_what_lies_beyond_is_told_once() {
        let mut table = Vocabulary::new(4);
        for (id, text) in [(1, "b"), (4, "x"), (u64::MAX, "y"), (0, "a"), (0, "A")] {
            table.place(id, token(text));
        }
        let mut out = TokenizerKvs::default();
        table.write(true, &mut out);
        assert_eq!(strings(&out), ["A", "b", "[PAD2]", "[PAD3]"]);
        let floats = [0.5, 0.5, -10_000.0, -10_000.0].map(|x| Value::Float(x, ValueType::F32));
        let Some(Value::Array { head, len: 4, element: ValueType::F32 }) = out.get("tokenizer.ggml.scores") else {
            panic!("no scores")
        };
        assert_eq!(head[..], floats);
        assert_eq!(out.notes.len(), 3, "{:?}", out.notes);
        assert!(out.notes[1].ends_with("left out: 2 (first: “x” with id 4)"), "{:?}", out.notes);
        assert!(out.notes[2].contains("0 was “a” and is “A”"), "{:?}", out.notes);
        assert!(out.missing.is_empty());
    }

    #[test]
    fn equal_texts_are_missing_and_empty_ones_noted() {
        let mut table = Vocabulary::new(4);
        for (id, text) in [(0, "a"), (1, "a"), (2, ""), (3, "")] {
            table.place(id, token(text));
        }
        let mut out = TokenizerKvs::default();
        table.write(false, &mut out);
        assert!(out.missing[0].contains("“a”, 0 and 1"), "{:?}", out.missing);
        assert_eq!(out.notes, ["empty tokens, which llama.cpp renames: 2 (first: id 2)"]);
        assert!(out.get("tokenizer.ggml.scores").is_none());
    }

    #[test]
    fn a_padding_name_that_is_a_token_too_is_found() {
        let mut table = Vocabulary::new(3);
        table.place(0, token("[PAD2]"));
        let mut out = TokenizerKvs::default();
        table.write(false, &mut out);
        assert!(out.missing[0].contains("[PAD2]"));
    }
}
