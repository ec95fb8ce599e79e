//! The tokenizer page: a line a token, and what else the tokenizer is.

use ratatui::layout::Rect;
use ratatui::text::{Line, Span};

use super::{Drawing, airy, below, metadata::element, paragraph};
use crate::engine::model::vocabulary::Vocabulary;
use crate::text;
use crate::tui::keymap::Context;
use crate::tui::state::pages::arrays::ArrayView;
use crate::tui::state::pages::tokenizer::TokenizerPage;
use crate::tui::theme::Theme;
use crate::tui::view::tree::{left, right};

pub(super) fn draw(drawing: &mut Drawing<'_, '_>, inner: Rect, beside: Rect) {
    let page = &drawing.session.pages.tokenizer;
    let vocabulary = match page.vocabulary.here() {
        None => {
            drawing.reading(inner, "the vocabulary");
            empty_beside(drawing, beside);
            return;
        }
        Some(Err(why)) => {
            drawing.failed(inner, why);
            empty_beside(drawing, beside);
            return;
        }
        Some(Ok(None)) => {
            let style = drawing.canvas.theme.dim;
            drawing.message(inner, "this file has no tokenizer: no tokenizer.ggml.tokens in its metadata", style);
            empty_beside(drawing, beside);
            return;
        }
        Some(Ok(Some(vocabulary))) => vocabulary,
    };
    let outer = Rect { x: inner.x - 1, y: inner.y - 1, width: inner.width + 2, height: inner.height + 2 };
    let mut rows = inner;
    if beside.width == 0 {
        let head = head(vocabulary, airy(inner).width, drawing.canvas.theme);
        let used = drawing.canvas.lines(airy(inner), &head);
        rows = below(inner, used);
    } else {
        let inner = drawing.canvas.boxed(beside, "");
        let lines = side(page, vocabulary, airy(inner).width, drawing.canvas.theme);
        drawing.canvas.lines(airy(inner), &lines);
    }
    if let Some(merges) = &page.merges {
        list_merges(drawing, outer, rows, merges);
        return;
    }
    let (cursor, len) = (page.cursor, page.len());
    let edge = drawing.place(outer, &format!(" {}/{len} ", (cursor + 1).min(len)));
    let found = if page.is_searching() { " · searching … ".to_owned() } else { format!(" · {len} found ") };
    let found = if page.search.text().is_empty() { "" } else { &found };
    drawing.searched(outer, edge, " / ", &page.search, page.editing, found);
    heading(drawing, rows);
    let rows = below(rows, 1);
    if len == 0 {
        let style = drawing.canvas.theme.dim;
        let words = if page.is_searching() { "searching …" } else { "no token has this in its text" };
        drawing.message(rows, words, style);
        return;
    }
    let active = Context::of(drawing.state) != Context::PageLine;
    let digits = vocabulary.total.to_string().len().max(5);
    let width = usize::from(rows.width);
    drawing.list(rows, cursor, len, active, |canvas, row| {
        page.token(row).map(|id| token(vocabulary, id, digits, width, canvas.theme)).unwrap_or_default()
    });
}

fn empty_beside(drawing: &mut Drawing<'_, '_>, beside: Rect) {
    if beside.width > 0 {
        drawing.canvas.boxed(beside, "");
    }
}

/// Columns of a token's text.
fn columns(width: usize) -> usize {
    width.saturating_sub(9 + 9 + 11) / 2
}

fn heading(drawing: &mut Drawing<'_, '_>, rows: Rect) {
    let dim = drawing.canvas.theme.dim;
    let wide = columns(usize::from(rows.width));
    let words = format!(
        " {}  {} {} {} {}",
        right("id", 6),
        left("token", wide),
        left("stands for", wide),
        left("type", 8),
        right("score", 8)
    );
    drawing.canvas.text(rows, rows.x, rows.y, &words, dim);
}

fn token(vocabulary: &Vocabulary, id: usize, digits: usize, width: usize, theme: &Theme) -> Line<'static> {
    let wide = columns(width);
    let raw = text::escape(vocabulary.text(id).unwrap_or(""));
    let readable = text::escape(&vocabulary.readable(id).unwrap_or_default());
    let kind = vocabulary.kind_name(id).unwrap_or("");
    let special = vocabulary.special_of(id);
    let score = vocabulary.score(id).map_or_else(String::new, |s| text::number(f64::from(s)));
    let style = if special.is_some() || kind == "control" { theme.accent } else { theme.text };
    let stands = match special {
        Some(special) => Span::styled(left(&format!("({special})"), wide), theme.accent),
        None => Span::styled(left(&format!("\"{readable}\""), wide), theme.dim),
    };
    Line::from(vec![
        Span::styled(format!(" {}  ", right(&id.to_string(), digits.max(6))), theme.dim),
        Span::styled(left(&raw, wide), style),
        Span::raw(" "),
        stands,
        Span::raw(" "),
        Span::styled(left(kind, 8), theme.dim),
        Span::styled(right(&score, 9), theme.dim),
    ])
}

/// What the tokenizer is, in a few words.
fn kind(vocabulary: &Vocabulary) -> String {
    let told = |text: &Option<String>| text.as_deref().map_or("not told".to_owned(), text::escape);
    let mut words = format!("model {} · pre-tokenizer {}", told(&vocabulary.kind), told(&vocabulary.pre));
    words += &format!(" · {} tokens", vocabulary.total);
    if (vocabulary.len() as u64) < vocabulary.total {
        words += &format!(" (the first {} are shown)", vocabulary.len());
    }
    if let Some((_, merges)) = vocabulary.merges {
        words += &format!(" · {merges} merges (m)");
    }
    words
}

fn specials(vocabulary: &Vocabulary) -> Vec<String> {
    let special = |s: &crate::engine::model::vocabulary::Special| {
        let token = usize::try_from(s.id).ok().and_then(|id| vocabulary.text(id));
        let token = token.map_or("not in the vocabulary".to_owned(), text::escape);
        format!("{} {} {}", text::escape(&s.name), s.id, text::elide(&token, 24))
    };
    vocabulary.specials.iter().map(special).collect()
}

/// Above the list, where nothing is beside it: two lines.
fn head(vocabulary: &Vocabulary, width: u16, theme: &Theme) -> Vec<Line<'static>> {
    let width = usize::from(width);
    let specials = specials(vocabulary);
    let specials = if specials.is_empty() { "no special tokens".to_owned() } else { specials.join(" · ") };
    vec![
        Line::from(Span::styled(text::clip(&kind(vocabulary), width), theme.text)),
        Line::from(Span::styled(text::clip(&specials, width), theme.dim)),
    ]
}

/// Beside the list: kind, special tokens, settings, the token under the cursor.
fn side(page: &TokenizerPage, vocabulary: &Vocabulary, width: u16, theme: &Theme) -> Vec<Line<'static>> {
    let title = |words: &'static str| Line::from(Span::styled(words, theme.title));
    let mut lines = paragraph(&kind(vocabulary), width, theme.text);
    lines.extend([Line::default(), title("Special tokens")]);
    let specials = specials(vocabulary);
    if specials.is_empty() {
        lines.push(Line::from(Span::styled("none", theme.dim)));
    }
    let clip = |words: &str| text::clip(words, usize::from(width));
    lines.extend(specials.iter().map(|s| Line::from(Span::styled(clip(s), theme.text))));
    if !vocabulary.settings.is_empty() {
        lines.extend([Line::default(), title("Settings")]);
        let setting = |(key, value): &(String, String)| clip(&format!("{} = {value}", text::escape(key)));
        lines.extend(vocabulary.settings.iter().take(12).map(|s| Line::from(Span::styled(setting(s), theme.text))));
    }
    if let Some(id) = page.token(page.cursor).filter(|_| page.merges.is_none()) {
        lines.extend([Line::default(), title("Under the cursor")]);
        let raw = vocabulary.text(id).unwrap_or("");
        lines.push(Line::from(Span::styled(format!("token {id} · {} bytes", raw.len()), theme.dim)));
        lines.extend(paragraph(&text::escape(&vocabulary.readable(id).unwrap_or_default()), width, theme.text));
        let hex: Vec<String> = raw.bytes().take(64).map(|b| format!("{b:02x}")).collect();
        lines.extend(paragraph(&hex.join(" "), width, theme.dim));
    }
    lines
}

/// The merges, in the order in which they are tried.
fn list_merges(drawing: &mut Drawing<'_, '_>, outer: Rect, rows: Rect, merges: &ArrayView) {
    let theme = drawing.canvas.theme;
    let place = format!(" merge {}/{} ", merges.cursor.saturating_add(1).min(merges.lines()), merges.len);
    drawing.place(outer, &place);
    drawing.canvas.text(rows, rows.x + 1, rows.y, "merges, first ones first (m: tokens)", theme.dim);
    let rows = below(rows, 1);
    let digits = merges.len.to_string().len();
    let room = usize::from(rows.width).saturating_sub(digits + 4);
    drawing.list(rows, merges.cursor, merges.lines(), true, |canvas, row| {
        element(merges, row, digits, room, canvas.theme)
    });
}
