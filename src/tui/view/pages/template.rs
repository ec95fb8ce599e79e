//! The chat template page: the text with its Jinja coloured, tags bold, comments dim, so that it can be told without
//! colour too.

use ratatui::layout::Rect;
use ratatui::style::{Modifier, Style};
use ratatui::text::{Line, Span};

use super::{Drawing, below};
use crate::tui::state::pages::jinja::Kind;
use crate::tui::state::pages::template::Shown;
use crate::tui::theme::Theme;
use crate::tui::view::tree::right;

pub(super) fn draw(drawing: &mut Drawing<'_, '_>, inner: Rect) {
    let theme = drawing.canvas.theme;
    let page = &drawing.session.pages.template;
    match page.templates.here() {
        None => {
            drawing.reading(inner, "the chat templates");
            return;
        }
        Some(Err(why)) => {
            drawing.failed(inner, why);
            return;
        }
        Some(Ok(all)) if all.is_empty() => {
            let words = "this file has no chat template: no tokenizer.chat_template in its metadata. Runtimes then take one \
                         that they are told, or guess";
            drawing.message(inner, words, theme.dim);
            return;
        }
        Some(Ok(_)) => {}
    }
    let Some(shown) = page.shown() else { return };
    let bytes = match shown.more {
        Some(all) => format!("the first MiB of {all} bytes"),
        None => format!("{} bytes", shown.laid.content().len()),
    };
    let which = if page.count() > 1 {
        format!("{} ({} of {}, ← → others) · ", shown.title, page.chosen + 1, page.count())
    } else {
        String::new()
    };
    let x = drawing.canvas.text(inner, inner.x, inner.y, &which, theme.strong);
    drawing.canvas.text(inner, x, inner.y, &bytes, theme.dim);
    legend(drawing, inner, x + bytes.len() as u16 + 3);
    let body = below(inner, 2);
    let lines = shown.laid.len();
    drawing.text(body, page.top, lines, |i| line(shown, i, theme));
    let outer = Rect { x: inner.x - 2, y: inner.y - 1, width: inner.width + 4, height: inner.height + 2 };
    let seen = (page.top + usize::from(body.height)).min(lines);
    drawing.place(outer, &format!(" {seen}/{lines} lines "));
}

fn style(kind: Kind, theme: &Theme) -> Style {
    match kind {
        Kind::Text => theme.text,
        Kind::Delimiter => theme.accent,
        Kind::Keyword => theme.key,
        Kind::String => theme.good,
        Kind::Number => theme.marker,
        Kind::Expression => theme.protected,
        Kind::Comment => theme.dim.add_modifier(Modifier::ITALIC),
    }
}

/// What the colours mean, where there is room for it.
fn legend(drawing: &mut Drawing<'_, '_>, inner: Rect, x: u16) {
    let theme = drawing.canvas.theme;
    let words = [("text", Kind::Text), ("keyword", Kind::Keyword), ("expression", Kind::Expression)];
    let more = [("string", Kind::String), ("number", Kind::Number), ("comment", Kind::Comment)];
    let all: Vec<(&str, Kind)> = words.into_iter().chain(more).collect();
    let width: usize = all.iter().map(|(word, _)| word.len() + 2).sum();
    let start = inner.right().saturating_sub(width as u16);
    if start <= x {
        return;
    }
    let mut x = start;
    for (word, kind) in all {
        x = drawing.canvas.text(inner, x, inner.y, word, style(kind, theme)) + 2;
    }
}

/// A line with its number, where a line of the template begins.
fn line(shown: &Shown, index: usize, theme: &Theme) -> Line<'static> {
    let content = shown.laid.content();
    let Some(range) = shown.laid.lines().get(index) else { return Line::default() };
    let first = shown.pieces.partition_point(|(piece, _)| piece.end <= range.start);
    let number = shown.laid.number(index).map_or_else(String::new, |n| n.to_string());
    let number = right(&number, 4);
    let mut spans = vec![Span::styled(format!("{number} "), theme.track)];
    for (piece, kind) in shown.pieces.iter().skip(first) {
        if piece.start >= range.end {
            break;
        }
        let part = piece.start.max(range.start)..piece.end.min(range.end);
        let text = content.get(part).unwrap_or("").trim_end_matches('\n');
        spans.push(Span::styled(text.to_owned(), style(*kind, theme)));
    }
    Line::from(spans)
}
