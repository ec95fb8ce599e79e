//! The metadata page: entries with the beginnings of their values, a search, and one entry opened.

use super::arrays::{ArrayView, line};
use super::laid::{Laid, plain};
use super::{Page, Remote, inner_columns, panes};
use crate::engine::format::gguf::Value;
use crate::engine::model::Model;
use crate::engine::model::elements::Glimpse;
use crate::engine::model::metadata::Entry;
use crate::jobs::questions::Question;
use crate::tui::state::input::TextInput;

/// The entry that is looked at as a whole.
#[derive(Debug, Clone)]
pub struct Detail {
    /// Its index.
    pub entry: usize,
    /// What is shown of it.
    pub shown: Shown,
}

/// What is shown of an entry.
#[derive(Debug, Clone)]
pub enum Shown {
    /// A text, from this line on; whether the file has more of it than is shown.
    Text {
        /// The text, once it is here.
        text: Remote<Result<Laid, String>>,
        /// First visible line.
        top: usize,
        /// Bytes in the file, where more than are shown.
        more: Option<u64>,
    },
    /// An array.
    Array(ArrayView),
}

/// The page.
#[derive(Debug, Clone, Default)]
pub struct MetadataPage {
    /// For each entry the beginning of its value, or why it cannot be read.
    pub listing: Remote<Vec<Result<Glimpse, String>>>,
    /// What is searched.
    pub search: TextInput,
    /// The number that is typed to go to an element.
    pub goto: TextInput,
    /// Whether keys go into the line.
    pub editing: bool,
    /// Columns of the longest key.
    pub key_columns: usize,
    /// Indices of the entries that the search lets through.
    pub rows: Vec<usize>,
    /// The line under the cursor.
    pub cursor: usize,
    /// The entry that is looked at.
    pub detail: Option<Detail>,
    /// Whether the keys go to it.
    pub opened: bool,
}

impl MetadataPage {
    /// The line that is typed into.
    pub fn line(&mut self) -> Option<&mut TextInput> {
        match (self.editing, self.opened) {
            (true, true) => Some(&mut self.goto),
            (true, false) => Some(&mut self.search),
            (false, _) => None,
        }
    }

    /// The entry under the cursor.
    pub fn entry(&self) -> Option<usize> {
        self.rows.get(self.cursor).copied()
    }

    /// The beginning of an entry's value.
    pub fn glimpse(&self, entry: usize) -> Option<&Result<Glimpse, String>> {
        self.listing.here()?.get(entry)
    }

    /// Takes the listing in.
    pub fn take_listing(&mut self, model: &Model, listing: Vec<Result<Glimpse, String>>) {
        let width = |entry: &Entry| crate::text::width(&crate::text::escape(&entry.key));
        self.key_columns = model.metadata.entries().iter().map(width).max().unwrap_or(0);
        self.listing = Remote::Here(listing);
        self.select(model);
    }

    /// Makes the rows anew from what is searched; the cursor stays on its entry if that is still there.
    pub fn select(&mut self, model: &Model) {
        let Some(listing) = self.listing.here() else { return };
        let before = self.entry();
        let wanted = self.search.text().to_lowercase();
        let shown = listing.iter().zip(model.metadata.entries()).enumerate().filter(|(_, (value, entry))| {
            wanted.is_empty()
                || entry.key.to_lowercase().contains(&wanted)
                || value.as_ref().is_ok_and(|v| line(v).to_lowercase().contains(&wanted))
        });
        self.rows = shown.map(|(index, _)| index).collect();
        let same = before.and_then(|entry| self.rows.iter().position(|row| *row == entry));
        self.cursor = same.unwrap_or(0);
        self.opened &= same.is_some();
    }

    /// Looks at the entry under the cursor, and says what has to be read for that.
    pub fn wants(&mut self, size: (u16, u16)) -> Vec<Question> {
        if self.listing.ask() {
            return vec![Question::Listing];
        }
        let (_, beside) = panes(Page::Metadata, size);
        let Some(entry) = self.entry().filter(|_| self.opened || beside.width > 0) else {
            return Vec::new();
        };
        let columns = inner_columns(if beside.width > 0 { beside } else { panes(Page::Metadata, size).0 });
        if self.detail.as_ref().is_none_or(|d| d.entry != entry) {
            self.detail = self.glimpse(entry).map(|value| Detail { entry, shown: look_at(entry, value, columns) });
        }
        match self.detail.as_mut().map(|d| &mut d.shown) {
            Some(Shown::Array(array)) => array.wants(),
            Some(Shown::Text { text, .. }) => {
                if let Remote::Here(Ok(laid)) = text {
                    laid.fit(columns);
                }
                if text.ask() { vec![Question::Value(entry)] } else { Vec::new() }
            }
            None => Vec::new(),
        }
    }

    /// Takes the whole of a value in.
    pub fn take_value(&mut self, entry: usize, value: Result<Glimpse, String>, size: (u16, u16)) {
        let (list, beside) = panes(Page::Metadata, size);
        let columns = inner_columns(if beside.width > 0 { beside } else { list });
        if let Some(Detail { entry: open, shown: Shown::Text { text, more, .. } }) = &mut self.detail
            && *open == entry
        {
            *more = value.as_ref().ok().filter(|g| g.is_cut()).map(|g| g.bytes);
            *text = Remote::Here(value.map(|g| Laid::new(&whole(&g.value), columns)));
        }
    }

    /// What the row under the cursor says.
    pub fn text(&self, model: &Model) -> Option<String> {
        let entry = self.entry()?;
        match self.detail.as_ref().filter(|d| d.entry == entry).map(|d| &d.shown) {
            Some(Shown::Text { text: Remote::Here(Ok(laid)), .. }) => return Some(laid.content().to_owned()),
            Some(Shown::Array(array)) if self.opened => {
                let element = array.get(array.cursor as u64)?.ok()?;
                return Some(plain(&whole(&element.value)));
            }
            _ => {}
        }
        let key = crate::text::escape(&model.metadata.entries().get(entry)?.key);
        match self.glimpse(entry)? {
            Ok(glimpse) => Some(format!("{key} = {}", line(glimpse))),
            Err(why) => Some(format!("{key}: {}", crate::text::escape(why))),
        }
    }
}

/// A value as text: of strings the text itself.
fn whole(value: &Value) -> String {
    value.as_str().map_or_else(|| value.to_string(), str::to_owned)
}

fn look_at(entry: usize, value: &Result<Glimpse, String>, columns: usize) -> Shown {
    let text = |text| Shown::Text { text, top: 0, more: None };
    match value {
        Err(why) => text(Remote::Here(Err(why.clone()))),
        Ok(Glimpse { value: Value::Array { len, .. }, .. }) => Shown::Array(ArrayView::new(entry, *len)),
        Ok(glimpse) if glimpse.is_cut() => text(Remote::Unasked),
        Ok(glimpse) => text(Remote::Here(Ok(Laid::new(&whole(&glimpse.value), columns)))),
    }
}
