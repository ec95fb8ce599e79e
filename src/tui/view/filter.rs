//! The tree's filter: the line it is typed into, what is wrong with it below that, and the chip that stays.

use ratatui::layout::{Position, Rect};
use ratatui::style::Modifier;

use super::draw::{Canvas, tail, wrap};
use crate::text;
use crate::tui::state::filter::{Filter, Problem};

/// What stands before the text.
const PROMPT: &str = " / ";

/// Lines that what is wrong with a filter takes at most.
const WRONG: usize = 4;

/// Where it is told what is wrong with a filter.
enum Told {
    /// Behind the caret, which stands in this column.
    Behind(u16),
    /// Before the caret.
    Before(u16),
    /// In lines of their own, as there is no room beside it.
    Lines(Vec<String>),
}

impl Told {
    /// In a line of so many columns.
    fn of(filter: &Filter, problem: &Problem, line_width: u16) -> Self {
        // The room begins a column behind the line's area, and the prompt is before the text.
        let prompt = text::width(PROMPT) as u16;
        let room = line_width.saturating_sub(2);
        let (from, _) = columns(filter, line_width.saturating_sub(prompt), problem.at.start, problem.at.end);
        let caret = (from + prompt).saturating_sub(1);
        let message = text::escape(&filter.complaint().unwrap_or_default());
        let width = text::width(&message) as u16;
        if caret + width + 3 <= room {
            Self::Behind(caret)
        } else if width + 2 <= caret && caret < room {
            Self::Before(caret)
        } else {
            let mut lines = wrap(&message, usize::from(room.saturating_sub(2)));
            lines.truncate(WRONG);
            Self::Lines(lines)
        }
    }
}

/// Draws the line at the foot of the area; what is left of it above. What is wrong with the filter and needs more than the
/// line below it has lines of the area too.
pub(super) fn line(filter: &Filter, canvas: &mut Canvas<'_>, area: Rect) -> Rect {
    let theme = canvas.theme;
    let told = filter.problem().map(|problem| Told::of(filter, problem, area.width));
    let lines = if let Some(Told::Lines(lines)) = told { lines } else { Vec::new() };
    let more = (lines.len().saturating_sub(1) as u16).min(area.height.saturating_sub(1));
    let y = area.bottom().saturating_sub(1 + more);
    for (y, line) in (y + 1..area.bottom()).zip(&lines) {
        canvas.text(area, area.x + 2, y, line, theme.warning);
    }
    let row = Rect { y, height: 1, ..area };
    canvas.buf.set_style(row, theme.input);
    let field = canvas.text(row, row.x, y, PROMPT, theme.key);
    let field = Rect { x: field, width: row.right().saturating_sub(field), ..row };
    let (before, after) = filter.input.split();
    let (before, after) = (text::escape(before), text::escape(after));
    let shown = tail(&before, usize::from(field.width.saturating_sub(1)));
    let cursor = canvas.text(field, field.x, y, &shown, theme.input);
    canvas.text(field, cursor, y, &after, theme.input);
    canvas.cursor = Some(Position::new(cursor, y));
    if let Some(problem) = filter.problem() {
        let (from, to) = columns(filter, field.width, problem.at.start, problem.at.end);
        let wrong = Rect { x: field.x + from, width: (to - from).max(1), ..field }.intersection(field);
        canvas.buf.set_style(wrong, theme.error.add_modifier(Modifier::UNDERLINED));
    }
    Rect { height: area.height.saturating_sub(1 + more), ..area }
}

/// The columns of a field of this width between two bytes of the text.
fn columns(filter: &Filter, width: u16, from: usize, to: usize) -> (u16, u16) {
    let whole = filter.input.text();
    let upto = |byte: usize| text::width(&text::escape(whole.get(..byte).unwrap_or(whole)));
    // As much as is cut off at the left, which an ellipsis stands for.
    let before = text::width(&text::escape(filter.input.split().0));
    let hidden = before.saturating_sub(text::width(&tail(
        &text::escape(filter.input.split().0),
        usize::from(width.saturating_sub(1)),
    )));
    let column = |byte: usize| upto(byte).saturating_sub(hidden).min(usize::from(width.saturating_sub(1))) as u16;
    let (from, to) = (column(from), column(to));
    (from, to.max(from))
}

/// Below the line: what is wrong, at its place; else how many tensors pass, and what the word may become.
pub(super) fn below(filter: &Filter, tensors: usize, canvas: &mut Canvas<'_>, room: Rect, line_width: u16) {
    let theme = canvas.theme;
    let y = room.y;
    if let Some(problem) = filter.problem() {
        let message = text::escape(&filter.complaint().unwrap_or_default());
        let (x, words) = match Told::of(filter, problem, line_width) {
            Told::Behind(caret) => (room.x + caret, format!("^ {message} ")),
            Told::Before(caret) => (room.x + caret - text::width(&message) as u16 - 2, format!(" {message} ^")),
            Told::Lines(lines) => (room.x, format!(" {} ", lines.last().map_or("", String::as_str))),
        };
        canvas.text(room, x, y, &words, theme.warning);
        return;
    }
    let words = match filter.expr() {
        Some(_) => format!(" {} ", filter.counts(tensors)),
        None => format!(" {tensors} tensors "),
    };
    let nothing = filter.expr().is_some() && filter.matches() == 0;
    let style = if nothing { theme.warning } else { theme.dim };
    let x = canvas.text(room, room.x, y, &words, style);
    let mut rest = usize::from(room.right().saturating_sub(x));
    let mut offers = String::new();
    for offer in filter.offers() {
        let more = text::width(offer) + 1;
        if more + 1 > rest {
            break;
        }
        rest -= more;
        offers += &format!("{offer} ");
    }
    canvas.text(room, x, y, &offers, theme.key);
}

/// The filter in force, with what it lets through, once it is no longer being typed.
pub(super) fn chip(filter: &Filter, tensors: usize, canvas: &mut Canvas<'_>, room: Rect) {
    let counts = match filter.matches() {
        0 if filter.unmeasured() == 0 => format!(" · 0 of {tensors} "),
        _ => format!(" · {} ", filter.counts(tensors)),
    };
    let left = usize::from(room.width).saturating_sub(text::width(&counts) + text::width(PROMPT));
    let words = format!("{PROMPT}{}{counts}", text::elide(&text::escape(filter.in_force()), left));
    canvas.text(room, room.x, room.y, &words, canvas.theme.warning);
}
