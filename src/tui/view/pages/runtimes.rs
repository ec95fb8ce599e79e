//! Where the output runs: backends down, types across, a verdict for each backend.

use ratatui::layout::Rect;
use ratatui::style::Style;
use ratatui::text::{Line, Span};

use super::{Drawing, airy, below, paragraph};
use crate::engine::runtimes::{Runs, SOURCE, Used, Verdict};
use crate::text;
use crate::tui::theme::Theme;
use crate::tui::view::tree::{left, right};

/// Columns of a backend's name, and of a type.
const NAME: usize = 16;
const TYPE: usize = 10;
/// What the signs mean, in full and where there is little room.
const LEGENDS: [&str; 2] = [
    "✓ computes with it  ~ partly  ✗ the CPU does it instead  ⊘ the file is refused  ? not known",
    "✓ yes  ~ partly  ✗ the CPU instead  ⊘ file refused  ? not known",
];
/// Types that have a column.
const MOST: usize = 6;

pub(super) fn draw(drawing: &mut Drawing<'_, '_>, inner: Rect, beneath: Rect) {
    let theme = drawing.canvas.theme;
    let derived = &drawing.session.pages.derived;
    let text_area = airy(inner);
    let head = head(&derived.used, usize::from(text_area.width), theme);
    let used = drawing.canvas.lines(text_area, &head);
    let room = usize::from(inner.width).saturating_sub(NAME + 4) / TYPE;
    let types: Vec<Used> = derived.used.iter().take(room.min(MOST)).copied().collect();
    let rows = below(inner, used);
    let mut heading = format!("   {}", left("", NAME));
    for used in &types {
        heading += &left(&used.dtype.to_string(), TYPE);
    }
    drawing.canvas.text(rows, rows.x, rows.y, &heading, theme.dim);
    let rows = below(rows, 1);
    let words = usize::from(rows.width).saturating_sub(NAME + 5 + types.len() * TYPE);
    let cursor = drawing.session.pages.runtime;
    let verdicts = &derived.verdicts;
    drawing.list(rows, cursor, verdicts.len(), true, |canvas, row| line(&verdicts[row], &types, words, canvas.theme));
    let inside = airy(drawing.canvas.boxed(beneath, ""));
    if let Some(verdict) = verdicts.get(cursor) {
        let (sign, style) = sign(verdict.worst, theme);
        let mut lines = vec![Line::from(vec![
            Span::styled(format!("{sign} "), style),
            Span::styled(verdict.backend.name(), theme.strong),
            Span::styled(if verdict.backend.is_stock() { " of llama.cpp" } else { "" }, theme.dim),
        ])];
        lines.extend(paragraph(&verdict.words, inside.width, theme.text));
        drawing.canvas.lines(inside, &lines);
    }
    let outer = Rect { x: inner.x - 1, y: inner.y - 1, width: inner.width + 2, height: inner.height + 2 };
    let hidden = verdicts.len().saturating_sub(drawing.geometry.page_offset + usize::from(rows.height));
    let more = if hidden > 0 { format!(" ↓ {hidden} more ·") } else { String::new() };
    drawing.place(outer, &format!("{more} from {SOURCE} "));
}

/// The types that the plan writes.
fn head(used: &[Used], width: usize, theme: &Theme) -> Vec<Line<'static>> {
    if used.is_empty() {
        return vec![Line::from(Span::styled("the output has no matrices", theme.dim))];
    }
    let one = |u: &Used| {
        let tensors = if u.tensors == 1 { "1 tensor".to_owned() } else { format!("{} tensors", u.tensors) };
        format!("{} {tensors} {}", u.dtype, text::bytes(u.bytes))
    };
    let words = format!("matrices of this plan: {}", used.iter().map(one).collect::<Vec<_>>().join(" · "));
    let mut lines = paragraph(&words, width as u16, theme.text);
    let legend = LEGENDS.into_iter().find(|words| text::width(words) <= width).unwrap_or(LEGENDS[1]);
    lines.push(Line::from(Span::styled(legend, theme.dim)));
    lines
}

fn sign(runs: Runs, theme: &Theme) -> (&'static str, Style) {
    match runs {
        Runs::Yes => ("✓", theme.good),
        Runs::Partly => ("~", theme.middling),
        Runs::Unknown => ("?", theme.dim),
        Runs::No => ("✗", theme.warning),
        Runs::Refused => ("⊘", theme.error),
    }
}

fn line(verdict: &Verdict, types: &[Used], words: usize, theme: &Theme) -> Line<'static> {
    let (mark, style) = sign(verdict.worst, theme);
    let mut spans =
        vec![Span::styled(format!(" {mark} "), style), Span::styled(left(verdict.backend.name(), NAME), theme.strong)];
    for used in types {
        let runs = verdict.backend.runs(used.dtype);
        let (mark, style) = sign(runs, theme);
        let word = if runs == Runs::Unknown { String::new() } else { format!(" {}", runs.word()) };
        spans.push(Span::styled(left(&format!("{mark}{word}"), TYPE), style));
    }
    if words >= 24 {
        spans.push(Span::styled(text::clip(&verdict.words, words), theme.dim));
    } else {
        spans.push(Span::raw(right("", 1)));
    }
    Line::from(spans)
}
