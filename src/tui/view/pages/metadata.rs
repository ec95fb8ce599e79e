//! The metadata page: keys and beginnings of values, and the value under the cursor as a whole.

use ratatui::layout::Rect;
use ratatui::text::{Line, Span};

use super::{Drawing, airy, below};
use crate::text;
use crate::tui::keymap::Context;
use crate::tui::state::pages::Remote;
use crate::tui::state::pages::arrays::{ArrayView, line as on_one_line};
use crate::tui::state::pages::metadata::{Detail, Shown};
use crate::tui::theme::Theme;
use crate::tui::view::tree::{left, right};

pub(super) fn draw(drawing: &mut Drawing<'_, '_>, inner: Rect, beside: Rect) {
    let session = drawing.session;
    let page = &session.pages.metadata;
    let entries = drawing.session.model.metadata.len();
    if entries == 0 {
        let style = drawing.canvas.theme.dim;
        let words = if drawing.session.model.is_foreign() {
            "these safetensors have no __metadata__; what config.json says is taken when they become a GGUF"
        } else {
            "this file has no metadata"
        };
        drawing.message(inner, words, style);
        if beside.width > 0 {
            drawing.canvas.boxed(beside, "");
        }
        return;
    }
    let Some(listing) = page.listing.here() else {
        drawing.reading(inner, "the metadata");
        if beside.width > 0 {
            drawing.canvas.boxed(beside, "");
        }
        return;
    };
    if page.opened && beside.width == 0 {
        detail(drawing, inner, true);
        return;
    }
    let outer = Rect { x: inner.x - 1, y: inner.y - 1, width: inner.width + 2, height: inner.height + 2 };
    let place = format!(" {}/{} ", (page.cursor + 1).min(page.rows.len()), page.rows.len());
    let right_edge = drawing.place(outer, &place);
    let found = format!(" · {} of {} ", page.rows.len(), listing.len());
    let editing = page.editing && !page.opened;
    drawing.searched(outer, right_edge, " / ", &page.search, editing, &found);
    let keys = (page.key_columns + 2).min(usize::from(inner.width) * 11 / 20);
    let room = usize::from(inner.width).saturating_sub(keys + 10);
    if page.rows.is_empty() {
        let style = drawing.canvas.theme.dim;
        drawing.message(inner, "no key and no value has these words", style);
    }
    let active = !page.opened && Context::of(drawing.state) != Context::PageLine;
    drawing.list(inner, page.cursor, page.rows.len(), active, |canvas, row| {
        let theme = canvas.theme;
        let index = page.rows[row];
        let entry = &session.model.metadata.entries()[index];
        let key = text::elide(&text::escape(&entry.key), keys.saturating_sub(1));
        let value = match listing.get(index) {
            Some(Ok(glimpse)) => Span::styled(text::clip(&on_one_line(glimpse), room), theme.text),
            Some(Err(why)) => Span::styled(text::clip(&text::escape(why), room), theme.error),
            None => Span::raw(""),
        };
        Line::from(vec![
            Span::raw(" "),
            Span::styled(left(&key, keys), theme.strong),
            Span::styled(left(entry.value_type.name(), 8), theme.dim),
            value,
        ])
    });
    if beside.width > 0 {
        let list = (drawing.geometry.page, drawing.geometry.page_offset, drawing.geometry.page_lines);
        let inner = drawing.canvas.boxed(beside, "");
        let opened = drawing.session.pages.metadata.opened;
        detail(drawing, inner, opened);
        if !opened {
            (drawing.geometry.page, drawing.geometry.page_offset, drawing.geometry.page_lines) = list;
        }
    }
}

/// The value under the cursor.
fn detail(drawing: &mut Drawing<'_, '_>, inner: Rect, active: bool) {
    let theme = drawing.canvas.theme;
    let page = &drawing.session.pages.metadata;
    let Some(Detail { entry, shown }) = page.detail.as_ref().filter(|d| Some(d.entry) == page.entry()) else {
        return;
    };
    let Some(entry) = drawing.session.model.metadata.entries().get(*entry) else { return };
    let text_area = airy(inner);
    let key = text::elide(&text::escape(&entry.key), usize::from(text_area.width));
    drawing.canvas.text(text_area, text_area.x, text_area.y, &key, theme.strong);
    let outer = Rect { x: inner.x - 1, y: inner.y - 1, width: inner.width + 2, height: inner.height + 2 };
    let body = below(text_area, 2);
    match shown {
        Shown::Array(array) => {
            let words = format!("array of {} elements", array.len);
            drawing.canvas.text(text_area, text_area.x, text_area.y + 1, &words, theme.dim);
            let place = format!(" {}/{} ", array.cursor.saturating_add(1).min(array.lines()), array.len);
            let edge = drawing.place(outer, &place);
            drawing.searched(outer, edge, " go to ", &page.goto, page.editing && page.opened, "");
            elements(drawing, below(inner, 2), array, active);
        }
        Shown::Text { text, top, more } => {
            let bytes = text.here().and_then(|t| t.as_ref().ok()).map(|t| (t.content().len(), t.len()));
            let words = match (bytes, more) {
                (_, Some(all)) => format!("the first MiB of {all} bytes"),
                (Some((bytes, lines)), None) if lines > 1 => {
                    format!("{} · {bytes} bytes", entry.value_type.name())
                }
                _ => entry.value_type.name().to_owned(),
            };
            drawing.canvas.text(text_area, text_area.x, text_area.y + 1, &words, theme.dim);
            match text {
                Remote::Here(Ok(laid)) => {
                    let style = theme.text;
                    drawing.text(body, *top, laid.len(), |i| {
                        let line = laid.lines().get(i).map_or("", |r| &laid.content()[r.clone()]);
                        Line::from(Span::styled(line.to_owned(), style))
                    });
                    let left_below = laid.len().saturating_sub(top + usize::from(body.height));
                    if left_below > 0 {
                        drawing.place(outer, &format!(" ↓ {left_below} more "));
                    }
                }
                Remote::Here(Err(why)) => drawing.failed(body, why),
                _ => drawing.reading(body, "the value"),
            }
        }
    }
}

/// The elements of an array that are in sight.
fn elements(drawing: &mut Drawing<'_, '_>, rows: Rect, array: &ArrayView, active: bool) {
    if array.len == 0 {
        let style = drawing.canvas.theme.dim;
        drawing.message(rows, "the array is empty", style);
        return;
    }
    let digits = array.len.to_string().len();
    let room = usize::from(rows.width).saturating_sub(digits + 4);
    drawing
        .list(rows, array.cursor, array.lines(), active, |canvas, row| element(array, row, digits, room, canvas.theme));
}

/// A line of an array: index and value.
pub(super) fn element(array: &ArrayView, row: usize, digits: usize, room: usize, theme: &Theme) -> Line<'static> {
    let value = match array.get(row as u64) {
        Some(Ok(glimpse)) => Span::styled(text::clip(&on_one_line(glimpse), room), theme.text),
        Some(Err(why)) => Span::styled(text::clip(&text::escape(why), room), theme.error),
        None => Span::styled("…", theme.dim),
    };
    Line::from(vec![Span::styled(format!(" {}  ", right(&row.to_string(), digits)), theme.dim), value])
}
