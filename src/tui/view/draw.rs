//! The canvas: a buffer, a theme, and the few ways in which panes put text on it.

use std::num::NonZeroU16;

use ratatui::buffer::{Buffer, CellDiffOption};
use ratatui::layout::{Position, Rect};
use ratatui::style::Style;
use ratatui::text::{Line, Span};
use ratatui::widgets::{Block, BorderType, Clear, Widget};

use crate::text;
use crate::tui::state::input::TextInput;
use crate::tui::theme::Theme;

/// What panes draw on.
pub struct Canvas<'a> {
    /// The frame's cells.
    pub buf: &'a mut Buffer,
    /// The styles.
    pub theme: &'a Theme,
    /// Where the terminal's cursor goes, if text is being typed.
    pub cursor: Option<Position>,
}

impl Canvas<'_> {
    /// Gives an area the plain style.
    pub fn fill(&mut self, area: Rect) {
        self.buf.set_style(area, self.theme.text);
    }

    /// Takes what is in an area away.
    pub fn clear(&mut self, area: Rect) {
        Clear.render(area.intersection(self.buf.area), self.buf);
        self.fill(area);
    }

    /// Text at a place, clipped to the area's right edge; the column behind it.
    pub fn text(&mut self, area: Rect, x: u16, y: u16, content: &str, style: Style) -> u16 {
        if y < area.top() || y >= area.bottom() || x >= area.right() {
            return x;
        }
        let columns = usize::from(area.right() - x);
        self.put(x, y, &text::clip(content, columns), columns, style)
    }

    /// Text as it is, as many columns as there are; the column behind it.
    fn put(&mut self, mut x: u16, y: u16, content: &str, columns: usize, style: Style) -> u16 {
        let content = &*text::spelled(content);
        let Some(signs) = text::spaced(content) else {
            return self.buf.set_stringn(x, y, content, columns, style).0;
        };
        let end = usize::from(x) + columns;
        for (sign, width) in signs {
            if usize::from(x) + width > end {
                break;
            }
            let (behind, _) = self.buf.set_stringn(x, y, sign, width, style);
            let forced = NonZeroU16::new(width as u16).filter(|width| x + width.get() > behind);
            if let (Some(width), Some(cell)) = (forced, self.buf.cell_mut((x, y))) {
                cell.set_diff_option(CellDiffOption::ForcedWidth(width));
                let free = Rect { x: behind, y, width: x + width.get() - behind, height: 1 };
                Clear.render(free.intersection(self.buf.area), self.buf);
                self.buf.set_style(free, style);
            }
            x += width as u16;
        }
        x
    }

    /// Text that ends at the area's right edge.
    pub fn right(&mut self, area: Rect, y: u16, content: &str, style: Style) -> u16 {
        let width = (text::width(content) as u16).min(area.width);
        let x = area.right() - width;
        self.text(area, x, y, content, style);
        x
    }

    /// Text in the middle of the area.
    pub fn centred(&mut self, area: Rect, y: u16, content: &str, style: Style) {
        let width = (text::width(content) as u16).min(area.width);
        self.text(area, area.x + (area.width - width) / 2, y, content, style);
    }

    /// A line of spans, clipped to the area.
    pub fn line(&mut self, area: Rect, y: u16, line: &Line<'_>) {
        if y >= area.top() && y < area.bottom() {
            let (mut x, right) = (area.x, area.right());
            for span in &line.spans {
                let columns = usize::from(right.saturating_sub(x));
                x = self.put(x, y, &span.content, columns, line.style.patch(span.style));
            }
        }
    }

    /// Lines from the top of the area on, as many as fit; how many that were.
    pub fn lines(&mut self, area: Rect, lines: &[Line<'_>]) -> u16 {
        let mut y = area.y;
        for line in lines.iter().take(usize::from(area.height)) {
            self.line(area, y, line);
            y += 1;
        }
        y - area.y
    }

    /// A box with rounded corners and a title; what is inside it.
    pub fn boxed(&mut self, area: Rect, title: &str) -> Rect {
        let block = Block::bordered().border_type(BorderType::Rounded).border_style(self.theme.border);
        let inner = block.inner(area);
        block.render(area, self.buf);
        if !title.is_empty() {
            let width = usize::from(area.width.saturating_sub(4));
            self.buf.set_stringn(
                area.x + 2,
                area.y,
                text::spelled(&text::clip(&format!(" {title} "), width)),
                width,
                self.theme.title,
            );
        }
        inner
    }

    /// Gives the border of a box another style.
    pub fn frame(&mut self, area: Rect, style: Style) {
        if area.width < 2 || area.height < 2 {
            return;
        }
        self.buf.set_style(Rect { height: 1, ..area }, style);
        self.buf.set_style(Rect { y: area.bottom() - 1, height: 1, ..area }, style);
        self.buf.set_style(Rect { width: 1, ..area }, style);
        self.buf.set_style(Rect { x: area.right() - 1, width: 1, ..area }, style);
    }

    /// A box over what is there, in the middle of `area`; what is inside it, with a column of air on either side.
    pub fn dialog(&mut self, area: Rect, width: u16, height: u16, title: &str) -> Rect {
        let (width, height) = (width.min(area.width), height.min(area.height));
        let x = area.x + (area.width - width) / 2;
        let y = area.y + (area.height - height) / 2;
        let outer = Rect::new(x, y, width, height);
        Clear.render(outer, self.buf);
        self.buf.set_style(outer, self.theme.overlay);
        let inner = self.boxed(outer, title);
        Rect { x: inner.x + 1, width: inner.width.saturating_sub(2), ..inner }
    }

    /// A line of editable text that fills the area; with the cursor if it has the keys.
    pub fn input(&mut self, area: Rect, input: &TextInput, active: bool) {
        let style = if active { self.theme.input } else { self.theme.text };
        self.buf.set_style(area, style);
        let (before, after) = input.split();
        let (before, after) = (text::escape(before), text::escape(after));
        let room = usize::from(area.width.saturating_sub(1));
        // The part around the cursor: as much before it as fits.
        let before = tail(&before, room);
        let x = self.text(area, area.x, area.y, &before, style);
        self.text(area, x, area.y, &after, style);
        if active {
            self.cursor = Some(Position::new(x, area.y));
        }
    }
}

/// The end of a text, as much as fits.
pub fn tail(content: &str, columns: usize) -> String {
    if text::width(content) <= columns {
        return content.to_owned();
    }
    format!("…{}", text::tail(content, columns.saturating_sub(1)))
}

/// A sign that turns.
pub fn spinner(phase: usize) -> char {
    const SIGNS: [char; 8] = ['⣾', '⣽', '⣻', '⢿', '⡿', '⣟', '⣯', '⣷'];
    SIGNS[phase % SIGNS.len()]
}

/// What is cut at spaces: words, a number with its unit as one.
fn words(content: &str) -> Vec<&str> {
    const UNITS: [&str; 6] = ["%", "dB", "B", "KiB", "MiB", "GiB"];
    let mut words: Vec<&str> = Vec::new();
    let mut start = 0;
    let mut at = 0;
    for word in content.split(' ') {
        let bare = word.trim_end_matches([')', ',', '.', ':', ';']);
        let follows = at > start && content[..at - 1].ends_with(|c: char| c.is_ascii_digit());
        if follows && UNITS.contains(&bare) {
            words.pop();
        } else {
            start = at;
        }
        at += word.len();
        words.push(&content[start..at]);
        at += 1;
    }
    words
}

/// Cuts text into lines of at most `columns`, at spaces where there are any.
pub fn wrap(content: &str, columns: usize) -> Vec<String> {
    let columns = columns.max(8);
    let mut lines = Vec::new();
    let mut line = String::new();
    for word in words(content) {
        let mut word = word;
        if !line.is_empty() {
            if text::width(&line) + 1 + text::width(word) <= columns {
                line.push(' ');
                line.push_str(word);
                continue;
            }
            lines.push(std::mem::take(&mut line));
        }
        while text::width(word) > columns {
            let cut = text::head(word, columns).len();
            lines.push(word[..cut].to_owned());
            word = &word[cut..];
        }
        line.push_str(word);
    }
    lines.push(line);
    lines
}

/// What fits of a detail whose parts are divided by ` · `: whole parts, else whole words of the first.
pub fn fitting(detail: &str, columns: usize) -> String {
    if text::width(detail) <= columns {
        return detail.to_owned();
    }
    let mut kept = String::new();
    for part in detail.split(" · ") {
        let sign = if kept.is_empty() { "" } else { " · " };
        if text::width(&kept) + text::width(sign) + text::width(part) <= columns {
            kept = kept + sign + part;
        }
    }
    if !kept.is_empty() {
        return kept;
    }
    for word in detail.split(' ') {
        if text::width(&kept) + text::width(word) + 2 > columns {
            break;
        }
        kept = kept + word + " ";
    }
    if kept.is_empty() { kept } else { kept.trim_end().to_owned() + "…" }
}

/// Cuts an item that is wider than a line at its spaces; figures stay whole.
fn broken(item: Vec<Span<'static>>, columns: usize) -> Vec<Line<'static>> {
    let mut lines = vec![Line::default()];
    let mut used = 0;
    for span in item {
        for word in span.content.split_inclusive(' ') {
            let width = text::width(word.trim_end());
            if used > 0 && used + width > columns {
                lines.push(Line::default());
                used = 0;
            }
            // Names without spaces may be longer than any line.
            let words = if width > columns { wrap(word, columns) } else { vec![word.to_owned()] };
            for (i, word) in words.into_iter().enumerate() {
                if i > 0 {
                    lines.push(Line::default());
                    used = 0;
                }
                used += text::width(&word);
                if let Some(line) = lines.last_mut() {
                    line.push_span(Span::styled(word, span.style));
                }
            }
        }
    }
    lines
}

/// Lays items out one after the other, as many lines as it takes.
pub fn flow(items: Vec<Vec<Span<'static>>>, columns: u16) -> Vec<Line<'static>> {
    const GAP: &str = "  ";
    let mut lines: Vec<Line<'static>> = Vec::new();
    let mut open = false;
    for item in items {
        let width: usize = item.iter().map(|s| text::width(&s.content)).sum();
        if width > usize::from(columns) {
            lines.extend(broken(item, usize::from(columns)));
            // What comes after it has a line of its own.
            open = false;
            continue;
        }
        match lines.last_mut() {
            Some(line) if open && line.width() + GAP.len() + width <= usize::from(columns) => {
                line.spans.push(Span::raw(GAP));
                line.spans.extend(item);
            }
            _ => lines.push(Line::from(item)),
        }
        open = true;
    }
    lines
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn text_is_wrapped_at_spaces_and_long_words_are_cut() {
        assert_eq!(wrap("one two three", 8), ["one two", "three"]);
        assert_eq!(wrap("abcdefghijkl m", 8), ["abcdefgh", "ijkl m"]);
        assert_eq!(wrap("", 8), [""]);
        assert_eq!(wrap("4 KiB, 12.9 % of before", 11), ["4 KiB,", "12.9 % of", "before"]);
        assert_eq!(tail("abcdef", 4), "…def");
    }

    #[test]
    fn a_vowel_sign_beside_its_letter_has_a_column_that_nothing_covers() {
        let area = Rect::new(0, 0, 8, 1);
        let mut buf = Buffer::empty(area);
        let mut canvas = Canvas { buf: &mut buf, theme: &Theme::dark(), cursor: None };
        assert_eq!(canvas.text(area, 0, 0, "ম\u{9be}ন", Style::new()), 3);
        canvas.line(area, 0, &Line::from(vec![Span::raw("ম\u{9be}ন"), Span::raw("│")]));
        let symbols: Vec<&str> = (0..5).map(|x| buf[(x, 0)].symbol()).collect();
        assert_eq!(symbols, ["ম\u{9be}", " ", "ন", "│", " "]);
        assert_eq!(ratatui::buffer::CellWidth::cell_width(&buf[(0, 0)]), 2, "the free column is not drawn by itself");
    }

    #[test]
    fn details_and_items_lose_whole_parts_and_no_figure_is_cut() {
        assert_eq!(fitting("0.075 ± 0.018 · linear · 3 underflow", 40), "0.075 ± 0.018 · linear · 3 underflow");
        assert_eq!(fitting("0.075 ± 0.018 · linear · 3 low", 24), "0.075 ± 0.018 · linear");
        assert_eq!(fitting("0.075 ± 0.018 · a long part · log", 24), "0.075 ± 0.018 · log");
        assert_eq!(fitting("sample of 12345 weights", 12), "sample of…");
        assert_eq!(fitting("sample", 3), "");
        let item = |words: &[&str]| words.iter().map(|w| Span::raw((*w).to_owned())).collect::<Vec<_>>();
        let lines = flow(vec![item(&["d ", "0.5"]), item(&["blocks ", "12 of 512 (over 0.1234)"]), item(&["x"])], 14);
        let lines: Vec<String> = lines.iter().map(|l| l.to_string().trim_end().to_owned()).collect();
        assert_eq!(lines, ["d 0.5", "blocks 12 of", "512 (over", "0.1234)", "x"]);
    }
}
