//! The tokenizer page: the vocabulary, a search in it, and the merges.

use std::sync::Arc;

use super::arrays::{ArrayView, line};
use super::laid::plain;
use super::{Remote, moved};
use crate::engine::model::vocabulary::Vocabulary;
use crate::jobs::questions::Question;
use crate::tui::action::Action;
use crate::tui::state::input::TextInput;

/// The page.
#[derive(Debug, Clone, Default)]
pub struct TokenizerPage {
    /// The vocabulary; `None` where the model has none.
    pub vocabulary: Remote<Result<Option<Arc<Vocabulary>>, String>>,
    /// What is searched.
    pub search: TextInput,
    /// Whether keys go into it.
    pub editing: bool,
    /// Ids that were found, of what; `None` while nothing is searched or the search runs.
    pub found: Option<(String, Vec<u32>)>,
    /// What was last asked for.
    asked: String,
    /// The line under the cursor.
    pub cursor: usize,
    /// The merges, while they are shown instead of the tokens.
    pub merges: Option<ArrayView>,
}

impl TokenizerPage {
    /// The vocabulary, if it is here and there is one.
    pub fn table(&self) -> Option<&Arc<Vocabulary>> {
        self.vocabulary.here()?.as_ref().ok()?.as_ref()
    }

    /// Whether a search has been asked for whose answer is not here.
    pub fn is_searching(&self) -> bool {
        !self.search.text().is_empty() && self.found.as_ref().is_none_or(|(of, _)| of != self.search.text())
    }

    /// Lines of the list: tokens that were found, or all.
    pub fn len(&self) -> usize {
        match (&self.merges, &self.found) {
            (Some(merges), _) => merges.lines(),
            (None, Some((_, ids))) if !self.search.text().is_empty() => ids.len(),
            _ => self.table().map_or(0, |v| v.len()),
        }
    }

    /// Whether the list has no line.
    pub fn is_empty(&self) -> bool {
        self.len() == 0
    }

    /// The token on a line of the list.
    pub fn token(&self, row: usize) -> Option<usize> {
        match &self.found {
            Some((_, ids)) if !self.search.text().is_empty() => ids.get(row).map(|id| *id as usize),
            _ => (row < self.table()?.len()).then_some(row),
        }
    }

    /// Moves the cursor; whether the action does that.
    pub fn act(&mut self, action: Action, page: usize) -> bool {
        let len = self.len();
        let cursor = self.merges.as_mut().map_or(&mut self.cursor, |m| &mut m.cursor);
        match moved(*cursor, action, len, page) {
            Some(to) => *cursor = to,
            None => return false,
        }
        true
    }

    /// Shows the merges, or the tokens again; whether there are merges.
    pub fn toggle_merges(&mut self) -> bool {
        if self.merges.take().is_some() {
            return true;
        }
        let merges = self.table().and_then(|v| v.merges);
        self.merges = merges.map(|(entry, len)| ArrayView::new(entry, len));
        self.merges.is_some()
    }

    /// What has to be read.
    pub fn wants(&mut self) -> Vec<Question> {
        if self.vocabulary.ask() {
            return vec![Question::Vocabulary];
        }
        if let Some(merges) = &mut self.merges {
            return merges.wants();
        }
        let typed = self.search.text().to_owned();
        if typed.is_empty() {
            self.found = None;
            self.asked.clear();
            return Vec::new();
        }
        match self.table() {
            Some(table) if self.asked != typed => {
                let question = Question::Find(Arc::clone(table), typed.clone());
                self.asked = typed;
                vec![question]
            }
            _ => Vec::new(),
        }
    }

    /// Takes in what a search found; an answer to an older one is dropped.
    pub fn take_found(&mut self, words: String, ids: Vec<u32>) {
        if words == self.search.text() {
            self.found = Some((words, ids));
            self.cursor = 0;
        }
    }

    /// What the row under the cursor says: a token's text as the file has it.
    pub fn text(&self) -> Option<String> {
        if let Some(merges) = &self.merges {
            return Some(line(merges.get(merges.cursor as u64)?.ok()?));
        }
        Some(plain(self.table()?.text(self.token(self.cursor)?)?))
    }
}
