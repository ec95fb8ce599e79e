//! An array of the metadata as it is looked at: pages of elements around the cursor, the rest in the file.

use std::collections::BTreeMap;
use std::ops::Range;

use crate::engine::format::gguf::Value;
use crate::engine::model::elements::Glimpse;
use crate::jobs::questions::Question;

/// Elements of a page.
pub const PAGE: u64 = 256;
/// Pages that are kept.
const KEPT: usize = 32;
/// Elements around the cursor that should be there.
const AROUND: u64 = 160;

/// An open array.
#[derive(Debug, Clone, Default)]
pub struct ArrayView {
    /// Index of its entry.
    pub entry: usize,
    /// Elements.
    pub len: u64,
    /// The element under the cursor.
    pub cursor: usize,
    /// Pages that are here, or why they cannot be read.
    pages: BTreeMap<u64, Result<Vec<Glimpse>, String>>,
    asked: Vec<u64>,
}

impl ArrayView {
    /// An array of so many elements, of which nothing is here yet.
    pub fn new(entry: usize, len: u64) -> Self {
        Self { entry, len, ..Self::default() }
    }

    /// What is missing around the cursor, and has not been asked for.
    pub fn wants(&mut self) -> Vec<Question> {
        let cursor = self.cursor as u64;
        if self.len == 0 {
            return Vec::new();
        }
        let first = cursor.saturating_sub(AROUND) / PAGE;
        let last = cursor.saturating_add(AROUND).min(self.len - 1) / PAGE;
        // What was asked for elsewhere has come, or is no longer of interest.
        self.asked.retain(|page| (first..=last).contains(page));
        let mut questions = Vec::new();
        for page in first..=last {
            if !self.pages.contains_key(&page) && !self.asked.contains(&page) {
                self.asked.push(page);
                questions.push(Question::Page(self.entry, page * PAGE..(page + 1) * PAGE));
            }
        }
        questions
    }

    /// Takes a page in; those furthest from the cursor go.
    pub fn take(&mut self, range: &Range<u64>, page: Result<Vec<Glimpse>, String>) {
        let number = range.start / PAGE;
        self.asked.retain(|asked| *asked != number);
        self.pages.insert(number, page);
        while self.pages.len() > KEPT {
            let here = self.cursor as u64 / PAGE;
            let Some(furthest) = self.pages.keys().copied().max_by_key(|p| p.abs_diff(here)) else { break };
            self.pages.remove(&furthest);
        }
    }

    /// An element, if its page is here; or why it cannot be read.
    pub fn get(&self, index: u64) -> Option<Result<&Glimpse, &str>> {
        match self.pages.get(&(index / PAGE))? {
            Ok(page) => page.get((index % PAGE) as usize).map(Ok),
            Err(why) => Some(Err(why)),
        }
    }

    /// How many lines it has.
    pub fn lines(&self) -> usize {
        usize::try_from(self.len).unwrap_or(usize::MAX)
    }
}

/// A value on one line, safe to print: strings in quotes.
pub fn line(glimpse: &Glimpse) -> String {
    let more = if glimpse.is_cut() { format!(" … {} bytes", glimpse.bytes) } else { String::new() };
    match &glimpse.value {
        Value::String(text) => format!("\"{}\"{more}", crate::text::escape(text)),
        Value::Array { element, len, head } => {
            let strings = head.iter().any(|v| matches!(v, Value::String(_)));
            let word = |v: &Value| if strings { format!("\"{v}\"") } else { v.to_string() };
            let head: Vec<String> = head.iter().map(word).collect();
            let more = if (head.len() as u64) < *len { ", …" } else { "" };
            format!("[{} × {len}] {}{more}", element.name(), head.join(", "))
        }
        other => other.to_string(),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_pages_around_the_cursor_are_kept_and_few_others() {
        let mut view = ArrayView::new(0, 1_000_000);
        for page in 0..500 {
            view.cursor = (page * PAGE) as usize;
            view.take(&(page * PAGE..(page + 1) * PAGE), Err("not read".to_owned()));
            assert!(view.pages.len() <= KEPT);
            assert!(view.get(page * PAGE).is_some(), "the page under the cursor");
        }
        assert!(view.get(0).is_none());
    }
}
