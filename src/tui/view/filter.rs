//! The tree's filter: the line it is typed into, what is wrong with it below that, and the chip that stays.

use ratatui::layout::{Position, Rect};
use ratatui::style::Modifier;

use super::draw::{Canvas, tail};
use crate::text;
use crate::tui::state::filter::Filter;

/// What stands before the text.
const PROMPT: &str = " / ";

/// Draws the line at the foot of the area; what is left of it above.
pub(super) fn line(filter: &Filter, canvas: &mut Canvas<'_>, area: Rect) -> Rect {
    let theme = canvas.theme;
    let y = area.bottom().saturating_sub(1);
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
    Rect { height: area.height.saturating_sub(1), ..area }
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
        // The room begins a column behind the line's area and the prompt is before the text.
        let prompt = text::width(PROMPT) as u16;
        let (from, _) = columns(filter, line_width.saturating_sub(prompt), problem.at.start, problem.at.end);
        let caret = (from + prompt).saturating_sub(1);
        let message = text::escape(&problem.message);
        let width = text::width(&message) as u16;
        let x = room.x + caret;
        if x + width + 3 <= room.right() {
            canvas.text(room, x, y, &format!("^ {message} "), theme.warning);
        } else if width + 2 <= caret && x < room.right() {
            canvas.text(room, x - width - 2, y, &format!(" {message} ^"), theme.warning);
        } else {
            canvas.text(
                room,
                room.x,
                y,
                &format!(" {} ", text::elide(&message, usize::from(room.width.saturating_sub(2)))),
                theme.warning,
            );
        }
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
